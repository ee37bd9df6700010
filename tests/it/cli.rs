//! The command line against a real server.

use std::{fs, io::Write, path::PathBuf};

use clap::Parser;
use deskplane::cli::{self, Cli, Io};

use crate::server::Running;

mod address;
mod audit;
mod changes;
mod documents;
mod fleet;
mod health;
mod library;
mod live;
mod manual;
mod render;
mod terminal;
mod transfer;
mod voice;

/// What a command left behind.
#[derive(Debug)]
struct Ended {
    code: u8,
    out: String,
    err: String,
}

/// Runs one command as the program would.
pub(crate) async fn run(out: &mut (dyn Write + Send), server: &str, args: &[&str]) -> (u8, String) {
    let args = [&["deskplane", "--server", server], args].concat();
    let mut err = Vec::new();
    let code = match Cli::try_parse_from(args) {
        Ok(cli) => cli::run(cli, &mut Io::new(out, &mut err)).await,
        Err(usage) => {
            err.extend(usage.to_string().bytes());
            usage.exit_code().try_into().unwrap()
        }
    };
    (code, String::from_utf8(err).unwrap())
}

/// A server, and a folder for documents.
struct World {
    server: Running,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self { server: Running::with(Vec::new()).await, folder: tempfile::tempdir().unwrap() }
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("documents.yaml");
        fs::write(&path, text).unwrap();
        path
    }

    async fn run(&self, args: &[&str]) -> Ended {
        let mut out = Vec::new();
        let (code, err) = run(&mut out, &self.url(), args).await;
        Ended { code, out: String::from_utf8(out).unwrap(), err }
    }

    async fn apply(&self, text: &str, flags: &[&str]) -> Ended {
        let path = self.file(text);
        let args = ["apply", "-f", path.to_str().unwrap()];
        self.run(&[args.as_slice(), flags].concat()).await
    }

    /// Runs a command that must succeed, and answers what it wrote.
    async fn out(&self, args: &[&str]) -> String {
        let ended = self.run(args).await;
        assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
        ended.out
    }
}

/// One of everything, in an order in which nothing finds what it refers to.
const ALL: &str = "
kind: Team
id: billing
displayName: Billing
members: [john.doe]
roles: [msdyn_csr]
---
kind: User
id: john.doe
displayName: John Doe
roles: [contoso_agents]
---
kind: User
id: bot
userKind: APPLICATION
disabled: true
profile: contoso_rep
---
kind: Profile
uniqueName: contoso_rep
displayName: Contoso Rep
sessionTemplates: [contoso_order_session]
providers: [contoso_voice]
pane: {on: true, mode: COLLAPSED, tools: [{tool: contoso_loyalty, enabled: true}]}
copilot: {case_summary: ON}
rank: 3
roles: [contoso_agents]
users: [john.doe]
---
kind: SessionTemplate
uniqueName: contoso_order_session
displayName: Order
type: ENTITY
entity: salesorder
title: '{anchor.title}'
additionalTabs: [contoso_orders_tab]
---
kind: ChannelProvider
uniqueName: contoso_voice
displayName: Voice
label: Phone
channelUrl: https://phone.contoso.com
outbound: true
state: INACTIVE
---
kind: ProductivityTool
uniqueName: contoso_loyalty
displayName: Loyalty
controlName: Contoso.Loyalty
---
kind: ApplicationTabTemplate
uniqueName: contoso_orders_tab
displayName: Orders
title: Orders
pageType: DASHBOARD
parameters: [{name: dashboardId, value: 6c1a1a3e-5f1a-4a59-9a53-6f7f6d5c1b20}]
---
kind: SecurityRole
uniqueName: contoso_agents
displayName: Agents
---
kind: OrganizationSettings
caseHandlingTime: true
";

fn outcomes(out: &str) -> Vec<(&str, &str)> {
    let lines = out.lines().filter(|line| !line.starts_with(' '));
    lines.map(|line| line.split(',').next().unwrap().split_once(' ').unwrap()).collect()
}

#[tokio::test]
async fn applying_twice_changes_nothing_more() {
    let world = World::new().await;
    let first = world.apply(ALL, &[]).await;
    assert_eq!(first.code, 0, "{first:?}");
    let expected = [
        ("settings", "changed"),
        ("role/contoso_agents", "created"),
        ("user/john.doe", "created"),
        ("team/billing", "created"),
        ("provider/contoso_voice", "created"),
        ("tool/contoso_loyalty", "created"),
        ("tab-template/contoso_orders_tab", "created"),
        ("session-template/contoso_order_session", "created"),
        ("user/bot", "created"),
        ("profile/contoso_rep", "created"),
    ];
    assert_eq!(outcomes(&first.out), expected, "{}", first.out);

    let second = world.apply(ALL, &[]).await;
    assert_eq!(second.code, 0, "{second:?}");
    assert!(outcomes(&second.out).iter().all(|(_, outcome)| *outcome == "unchanged"), "{second:?}");
    let found = world.out(&["resolve", "john.doe"]).await;
    for part in ["contoso_rep (Contoso Rep)", "contoso_order_session (salesorder)", "case_summary"]
    {
        assert!(found.contains(part), "{part} is not in {found}");
    }
}

#[tokio::test]
async fn what_get_shows_can_be_applied() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    for kind in [
        "settings",
        "role",
        "tab",
        "tool",
        "provider",
        "session-template",
        "profile",
        "user",
        "team",
    ] {
        for form in ["yaml", "json"] {
            let shown = match kind {
                "settings" => world.out(&["get", kind, "-o", form]).await,
                "user" | "team" => world.out(&["list", kind, "-o", form]).await,
                _ => {
                    world.out(&["list", kind, "-o", form, "--filter", "origin = \"CUSTOM\""]).await
                }
            };
            let again = world.apply(&shown, &["-o", "json"]).await;
            assert_eq!(again.code, 0, "{kind}: {again:?}\n{shown}");
            assert!(again.out.contains(r#""outcome": "unchanged""#), "{kind}: {again:?}");
            assert!(!again.out.contains(r#""outcome": "changed""#), "{kind}: {again:?}");
        }
    }
}

#[tokio::test]
async fn every_kind_is_listed_and_shown_as_a_table() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let table = [
        ("roles", "contoso_agents"),
        ("tab-templates", "contoso_orders_tab"),
        ("tools", "contoso_loyalty"),
        ("providers", "contoso_voice"),
        ("session-templates", "contoso_order_session"),
        ("profiles", "contoso_rep"),
        ("users", "john.doe"),
        ("teams", "billing"),
    ];
    for (kind, name) in table {
        let listed = world.out(&["list", kind, "--all", "--page-size", "2"]).await;
        assert!(listed.lines().any(|line| line.starts_with(name)), "{kind}: {listed}");
        let shown = world.out(&["get", kind, name]).await;
        assert!(shown.starts_with("FIELD "), "{kind}: {shown}");
        assert!(shown.lines().any(|line| line.ends_with(&format!(" {name}"))), "{kind}: {shown}");
    }
    let page = world.run(&["list", "roles", "--page-size", "2", "--order-by", "unique_name"]).await;
    assert_eq!(page.out.lines().count(), 3, "{page:?}");
    assert_eq!(page.err, "there are more than these 2; --all shows every one\n");
    assert!(world.out(&["get", "settings"]).await.contains("case_handling_time"), "settings");
}

#[tokio::test]
async fn a_refusal_is_told_and_the_rest_goes_on() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let text = "
kind: Profile
uniqueName: x
displayName: ''
---
kind: Profile
uniqueName: contoso_other
displayName: Other
rank: 3
roles: [contoso_agents]
---
kind: SessionTemplate
uniqueName: contoso_order_session
entity: account
---
kind: User
id: jane.doe
profile: contoso_rep
";
    let ended = world.apply(text, &[]).await;
    assert_eq!((ended.code, ended.err.as_str()), (1, "3 of 4 refused\n"), "{ended:?}");
    let expected = [
        ("session-template/contoso_order_session", "refused"),
        ("profile/x", "refused"),
        ("profile/contoso_other", "refused"),
        ("user/jane.doe", "created"),
    ];
    assert_eq!(outcomes(&ended.out), expected, "{}", ended.out);
    for line in [
        "  FIELD_IMMUTABLE (INVALID_ARGUMENT): ",
        "  field entity: ",
        "  field unique_name: ",
        "  field display_name: ",
        "  RANK_TAKEN (FAILED_PRECONDITION): ",
        "  Profile contoso_rep",
    ] {
        assert!(ended.out.contains(&format!("\n{line}")), "{line} is not in {}", ended.out);
    }
    let shifted = world.apply(text, &["--displace", "shift", "--fail-fast"]).await;
    let expected =
        [("session-template/contoso_order_session", "refused"), ("user/jane.doe", "unchanged")];
    assert_eq!(outcomes(&shifted.out), expected, "{shifted:?}");
    let swapped = "kind: Profile\nuniqueName: contoso_other\nrank: 3\nroles: [contoso_agents]\n";
    let swapped = world.apply(swapped, &["--displace", "shift"]).await;
    assert_eq!(outcomes(&swapped.out), [("profile/contoso_other", "changed")], "{swapped:?}");
}

#[tokio::test]
async fn what_cannot_change_is_refused_and_not_passed_over() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let table = [
        ("Role", "uniqueName: contoso_agents", "rootRole: msdyn_csr"),
        ("Tab", "uniqueName: contoso_orders_tab", "pageType: ENTITY_LIST"),
        ("Provider", "uniqueName: contoso_voice", "adapter: other"),
        ("Template", "uniqueName: contoso_order_session", "entity: account"),
        ("Profile", "uniqueName: contoso_rep", "appModule: Other"),
        ("User", "id: john.doe", "userKind: APPLICATION"),
    ];
    for (kind, name, change) in table {
        let text = format!("kind: {kind}\n{name}\n{change}\ndisplayName: Other\n");
        let ended = world.apply(&text, &[]).await;
        assert!(ended.out.contains("FIELD_IMMUTABLE (INVALID_ARGUMENT)"), "{kind}: {ended:?}");
    }
}

#[tokio::test]
async fn checking_alone_changes_nothing() {
    let world = World::new().await;
    let role = "kind: Role\nuniqueName: contoso_agents\ndisplayName: Agents\n";
    let checked = world.apply(role, &["--validate-only"]).await;
    assert_eq!(outcomes(&checked.out), [("role/contoso_agents", "created")], "{checked:?}");
    let missing = world.run(&["get", "role", "contoso_agents"]).await;
    assert_eq!(missing.code, 1);
    assert!(missing.err.starts_with("ROLE_NOT_FOUND (NOT_FOUND): "), "{missing:?}");
}

#[tokio::test]
async fn an_etag_counts_only_when_asked() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let read = world.out(&["get", "profile", "contoso_rep", "-o", "yaml"]).await;
    let newer = "kind: Profile\nuniqueName: contoso_rep\ndescription: newer\n";
    assert_eq!(world.apply(newer, &[]).await.code, 0);
    let old = format!("{read}description: older\n");
    let refused = world.apply(&old, &["--if-unchanged"]).await;
    assert!(refused.out.contains("ETAG_MISMATCH (ABORTED)"), "{refused:?}");
    assert_eq!(world.apply(&old, &[]).await.code, 0);
}

#[tokio::test]
async fn the_caller_is_who_the_flags_say() {
    let world = World::new().await;
    let role = "kind: Role\nuniqueName: contoso_agents\ndisplayName: Agents\n";
    let refused = world.apply(role, &["--user", "jane", "--scopes", "reader"]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.out.contains("SCOPE_REQUIRED (PERMISSION_DENIED)"), "{refused:?}");
}

#[tokio::test]
async fn an_explanation_is_for_people_or_programs() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let table = world.out(&["explain", "john.doe"]).await;
    assert!(table.starts_with("john.doe gets contoso_rep (Direct)\n"), "{table}");
    assert!(table.contains("\ncontoso_rep                ROLE_BASED        3     "), "{table}");
    let json = world.out(&["explain", "john.doe", "--app", "workspace", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["winner"]["method"], "METHOD_DIRECT");
    let json = world.out(&["resolve", "john.doe", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["profile"]["content"]["profile"]["uniqueName"], "contoso_rep");
    assert_eq!(
        world.out(&["resolve", "john.doe", "--app", "mobile"]).await,
        "profiles do not apply in this app\n"
    );
}

#[tokio::test]
async fn mistakes_of_the_caller_have_their_exit_code() {
    let world = World::new().await;
    let missing = world.folder.path().join("missing.yaml");
    let table: [(&[&str], u8, &str); 7] = [
        (&["get", "thing", "x"], 2, "there is no kind `thing`; there are settings, role"),
        (&["get", "profile"], 2, "which profile? A name is missing"),
        (&["list", "settings"], 2, "there is only one: use `get settings`"),
        (&["resolve", "a", "--app", "fax"], 2, "there is no app `fax`; there are workspace, "),
        (&["apply", "-f", missing.to_str().unwrap()], 2, "No such file"),
        (&["apply"], 2, "--file <FILE>"),
        (&["watch", "nobody"], 1, "USER_NOT_FOUND (NOT_FOUND): "),
    ];
    for (args, code, text) in table {
        let ended = world.run(args).await;
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.err.contains(text) && ended.out.is_empty(), "{ended:?}");
    }
    let url = world.url();
    world.server.end().await;
    let (code, err) = run(&mut Vec::new(), &url, &["list", "users"]).await;
    assert_eq!(code, 1);
    assert!(err.starts_with(&format!("cannot reach {url}: ")), "{err}");
}
