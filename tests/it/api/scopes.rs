//! The table of scopes, cell by cell (SPEC §12.2).

use deskplane::command::DirectoryPolicy;
use deskplane_proto::v1::watch_profile_response::Event;
use serde_json::{Value, json};
use tonic::Code;

use super::{Api, methods, reason};
use crate::server::{As, Front, Running};

/// The row of a method: what AGENT, READER, ADMIN, SERVICE, DIRECTORY and PRODUCTIVITY may. `any`,
/// `self`, `explain` (self, if agents may Explain themselves), `dry` (with `validate_only`), `-`.
fn row(service: &str, method: &str) -> [&'static str; 6] {
    const LIBRARY: &[&str] = &[
        "SessionTemplateService",
        "ApplicationTabTemplateService",
        "ProductivityToolService",
        "QueueService",
        "NotificationTemplateService",
        "SmartAssistBotService",
        "ChannelService",
        "WorkstreamService",
        "AgentScriptService",
        "MacroService",
        "ProviderService",
    ];
    let read = method.starts_with("Get") || method.starts_with("List");
    match (service, method) {
        ("IdentityService", _) => ["any"; 6],
        ("AgentService", "BulkResolve") => ["-", "any", "any", "any", "-", "-"],
        ("AgentService", "ReportProfileStatus") => ["self", "-", "-", "-", "-", "self"],
        ("HistoryService", "Rollback") => ["-", "dry", "any", "-", "-", "-"],
        ("FleetService" | "HistoryService", _) => ["-", "any", "any", "-", "-", "-"],
        ("AgentService", _) => ["self", "any", "any", "any", "-", "self"],
        ("InsightService", "Explain") => ["explain", "any", "any", "any", "-", "explain"],
        ("InsightService" | "AuditService", _) | ("ChangeService", "PreviewChanges") => {
            ["-", "any", "any", "-", "-", "-"]
        }
        ("ProviderService", "ReportProviderHealth" | "VerifyProvider") => {
            ["-", "-", "any", "any", "-", "-"]
        }
        ("ProviderService", "ListAdapters") => ["-", "any", "any", "any", "-", "-"],
        ("VoiceService", "ListCalls") => ["self", "any", "any", "any", "-", "self"],
        ("VoiceService", _) => ["self", "-", "-", "any", "-", "self"],
        ("ProviderService", "RotateSecretKeys") => ["-", "-", "any", "-", "-", "-"],
        ("DirectoryService", _) if read => ["-", "any", "any", "any", "any", "-"],
        ("DirectoryService", _) => ["-", "-", "any", "-", "any", "-"],
        (service, _) if read && LIBRARY.contains(&service) => ["-", "any", "any", "-", "-", "any"],
        ("AgentScriptService" | "MacroService", _) => ["-", "dry", "any", "-", "-", "any"],
        ("TransferService", "Export") => ["-", "any", "any", "-", "-", "-"],
        _ if read => ["-", "any", "any", "-", "-", "-"],
        _ => ["-", "dry", "any", "-", "-", "-"],
    }
}

/// A server with an agent, an administrator of productivity tools, and somebody else.
async fn server() -> Running {
    let server = Running::with(Vec::new()).await;
    add_users(&Api::admin(&server)).await;
    server
}

/// Adds an agent, an administrator of productivity tools, and somebody else.
pub(crate) async fn add_users(admin: &Api) {
    let row = |id: &str, roles: &[&str]| json!({"user": {"id": id, "roles": roles}});
    let rows = json!({"rows": [
        row("agent.one", &[]),
        row("tools.one", &["msdyn_productivity_administrator"]),
        row("other", &[]),
    ]});
    admin.ok("BatchUpsertUsers", rows).await;
}

/// Who calls, and which column of the table he stands in.
fn callers() -> Vec<(&'static str, Option<usize>, As)> {
    let agent = Some("agent.one");
    vec![
        ("agent", Some(0), As::new(agent, Some("agent"))),
        ("reader", Some(1), As::new(agent, Some("reader"))),
        ("admin", Some(2), As::new(agent, Some("admin"))),
        ("service", Some(3), As::new(agent, Some("service"))),
        ("directory", Some(4), As::new(agent, Some("directory"))),
        ("productivity", Some(5), As::new(Some("tools.one"), None)),
        ("none", None, As::new(agent, Some(""))),
        ("no role", None, As::new(agent, None)),
    ]
}

/// The scope refusal that a cell wants, if any.
fn wanted(cell: &str, own: bool, dry: bool, explain: bool) -> Option<&'static str> {
    match cell {
        "any" => None,
        "dry" if dry => None,
        "self" if own => None,
        "explain" if own && explain => None,
        "self" => Some("SELF_ONLY"),
        "explain" if explain => Some("SELF_ONLY"),
        _ => Some("SCOPE_REQUIRED"),
    }
}

/// Methods that are about a user, by whom an agent means itself.
pub(crate) const ABOUT_SOMEBODY: &[&str] = &[
    "ResolveProfile",
    "WatchProfile",
    "RenderSession",
    "ReportProfileStatus",
    "Explain",
    "MintClientToken",
    "StartCall",
    "SetPresence",
    "ListCalls",
    "WatchCalls",
];

/// Arguments of a call that is about nobody, about the caller, or about somebody else, and whether
/// it asks for the effect only.
fn arguments(method: &str, has_dry: bool) -> Vec<(Value, bool, bool)> {
    if ABOUT_SOMEBODY.contains(&method) {
        let own = |user| (json!({"user": user}), true, false);
        let else_ = |user| (json!({"user": user}), false, false);
        return vec![own(""), own("OWN"), else_("users/other"), else_("users/nobody")];
    }
    let mut all = vec![(json!({}), true, false)];
    all.extend(has_dry.then(|| (json!({"validate_only": true}), true, true)));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cell_of_the_table_holds() {
    let server = server().await;
    check_cells(&Api::admin(&server), &server, callers).await;
}

/// Calls every method as every caller, and compares what the scopes allow with the table.
pub(crate) async fn check_cells(
    admin: &Api,
    server: &Running,
    callers: impl Fn() -> Vec<(&'static str, Option<usize>, As)>,
) {
    let mut failures = Vec::new();
    for explain in [false, true] {
        let settings = json!({"settings": {"allow_agent_explain": explain}});
        admin.ok("UpdateSettings", settings).await;
        let before = admin.revision().await;
        for method in methods().filter(|m| !explain || m.name() == "Explain") {
            let cells = row(method.parent_service().name(), method.name());
            let has_dry = method.input().get_field_by_name("validate_only").is_some();
            for (who, column, caller) in callers() {
                let api = Api::of(server, caller);
                let cell = column.map_or("-", |column| cells[column]);
                for (mut q, own, dry) in arguments(method.name(), has_dry) {
                    if q["user"] == "OWN" {
                        let id = if who == "productivity" { "TOOLS.one" } else { "Agent.One" };
                        q["user"] = format!("users/{id}").into();
                    }
                    let refusal = api.call(method.name(), q.clone()).await.err();
                    let refusal = refusal.map(|status| (status.code(), reason(&status)));
                    let by_scope = refusal
                        .filter(|(_, reason)| matches!(&**reason, "SCOPE_REQUIRED" | "SELF_ONLY"));
                    let want = wanted(cell, own, dry, explain)
                        .map(|reason| (Code::PermissionDenied, reason.to_owned()));
                    if by_scope != want {
                        let name = method.name();
                        failures.push(format!("{name} {q} as {who}: {by_scope:?}, want {want:?}"));
                    }
                }
            }
        }
        assert_eq!(admin.revision().await, before, "no call of this test changes anything");
    }
    assert!(failures.is_empty(), "{} cells:\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_user_is_refused_on_every_call() {
    let server = server().await;
    Api::admin(&server).ok("DisableUser", json!({"name": "other"})).await;
    for scopes in [None, Some("admin"), Some("agent")] {
        let api = Api::of(&server, As::new(Some("other"), scopes));
        for method in methods() {
            let refused = api.refused(method.name(), json!({})).await;
            assert_eq!(refused, (Code::PermissionDenied, "USER_DISABLED".into()), "{method:?}");
        }
    }
    Api::admin(&server).ok("EnableUser", json!({"name": "other"})).await;
    let api = Api::of(&server, As::new(Some("other"), Some("agent")));
    api.ok("ResolveProfile", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_follow_the_roles_that_a_user_holds_himself() {
    let server = server().await;
    let admin = Api::admin(&server);
    let other = Api::of(&server, As::new(Some("other"), None));
    let role = json!({"role": {"unique_name": "contoso_auditor", "display_name": "Auditor",
        "grants": ["GRANT_READER"]}});
    admin.ok("UpsertRole", role).await;
    let team = json!({"team": {"id": "auditors", "display_name": "T", "members": ["other"],
        "roles": ["msdyn_system_administrator"]}});
    admin.ok("UpsertTeam", team).await;
    let create = json!({"profile": {"unique_name": "contoso_rep", "display_name": "Rep"},
        "validate_only": true});
    let calls = [
        ("ResolveProfile", json!({})),
        ("ListProfiles", json!({})),
        ("CreateProfile", create),
        ("UpsertTeam", json!({"team": {"id": "new", "display_name": "T"}, "validate_only": true})),
    ];
    let steps: [(&[&str], [bool; 4]); 6] = [
        (&[], [false, false, false, false]),
        (&["msdyn_csr"], [true, false, false, false]),
        (&["msdyn_csr_manager"], [true, true, true, false]),
        (&["contoso_auditor"], [true, true, true, false]),
        (&["msdyn_oc_administrator"], [true, true, true, true]),
        (&["msdyn_basic_user"], [false, false, false, false]),
    ];
    for (roles, want) in steps {
        admin.ok("SetUserRoles", json!({"name": "other", "roles": roles})).await;
        for ((rpc, q), want) in calls.iter().zip(want) {
            let got = other.call(rpc, q.clone()).await;
            assert_eq!(got.is_ok(), want, "{rpc} with {roles:?}: {got:?}");
        }
    }
    admin.ok("SetUserRoles", json!({"name": "other", "roles": ["contoso_auditor"]})).await;
    other.ok("ListProfiles", json!({})).await;
    let none = json!({"role": {"unique_name": "contoso_auditor"},
        "update_mask": "grants"});
    admin.ok("UpsertRole", none).await;
    let refused = other.refused("ListProfiles", json!({})).await;
    assert_eq!(refused, (Code::PermissionDenied, "SCOPE_REQUIRED".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_administrator_changes_what_a_role_grants() {
    let server = server().await;
    let directory = Api::of(&server, As::new(None, Some("directory")));
    let role = |grants: &[&str]| json!({"role": {"unique_name": "contoso_lead", "display_name": "Lead", "grants": grants}});
    let refused = directory.refused("UpsertRole", role(&["GRANT_ADMIN"])).await;
    assert_eq!(refused, (Code::PermissionDenied, "SCOPE_REQUIRED".into()));
    directory.ok("UpsertRole", role(&[])).await;
    let refused = directory.refused("UpsertRole", role(&["GRANT_AGENT"])).await;
    assert_eq!(refused, (Code::PermissionDenied, "SCOPE_REQUIRED".into()));
    Api::admin(&server).ok("UpsertRole", role(&["GRANT_AGENT"])).await;
    directory.ok("UpsertRole", role(&["GRANT_AGENT"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_1_a_directory_sync_reaches_no_administrator() {
    let server = server().await;
    let admin = Api::admin(&server);
    admin
        .ok("SetUserRoles", json!({"name": "other", "roles": ["msdyn_system_administrator"]}))
        .await;
    let sync = Api::of(&server, As::new(None, Some("directory")));
    sync.ok("ListUsers", json!({})).await;
    sync.ok("SetUserRoles", json!({"name": "agent.one", "roles": ["msdyn_csr_manager"]})).await;
    let before = admin.revision().await;
    let link = json!({"rows": [{"user": {"id": "agent.one"}, "profile": "contoso_none"}]});
    for (rpc, mut q, reason) in [
        (
            "SetUserRoles",
            json!({"name": "agent.one", "roles": ["msdyn_oc_administrator"]}),
            "PRIVILEGED_ROLE",
        ),
        ("SetUserRoles", json!({"name": "other", "roles": []}), "PRIVILEGED_ROLE"),
        ("DisableUser", json!({"name": "other"}), "PRIVILEGED_ROLE"),
        ("DeleteUser", json!({"name": "other"}), "PRIVILEGED_ROLE"),
        ("BatchUpsertUsers", link, "SCOPE_REQUIRED"),
    ] {
        for dry in [false, true] {
            q["validate_only"] = dry.into();
            let refused = sync.refused(rpc, q.clone()).await;
            assert_eq!(refused, (Code::PermissionDenied, reason.into()), "{rpc} {q}");
        }
    }
    assert_eq!(admin.revision().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_1_settings_let_a_sync_grant_admin_and_assign() {
    let policy = DirectoryPolicy { grants_admin: true, assigns: true };
    let server = Running::fronted(Front { policy, ..Front::default() }).await;
    let sync = Api::of(&server, As::new(None, Some("directory")));
    let row = json!({"user": {"id": "ann", "roles": ["msdyn_system_administrator"]},
        "profile": "msdyn_csw_default_profile"});
    sync.ok("BatchUpsertUsers", json!({"rows": [row]})).await;
    sync.ok("DisableUser", json!({"name": "ann"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_rights_it_was_opened_with() {
    let server = server().await;
    let admin = Api::admin(&server);
    let roles = |roles: &[&str]| json!({"name": "other", "roles": roles});
    admin.ok("SetUserRoles", roles(&["msdyn_csr"])).await;
    let other = Api::of(&server, As::new(Some("other"), None));
    let mut revoked = other.watch("").await;
    revoked.snapshot().await;
    admin.ok("SetUserRoles", roles(&["msdyn_basic_user"])).await;
    assert_eq!(reason(&end(&mut revoked).await), "SCOPE_REVOKED");
    admin.ok("SetUserRoles", roles(&["msdyn_csr"])).await;
    let mut disabled = other.watch("").await;
    let mut service = Api::of(&server, As::new(None, Some("service"))).watch("other").await;
    disabled.snapshot().await;
    service.snapshot().await;
    admin.ok("DisableUser", json!({"name": "other"})).await;
    assert_eq!(reason(&end(&mut disabled).await), "USER_DISABLED");
    admin.ok("DeleteUser", json!({"name": "other"})).await;
    assert_eq!(reason(&end(&mut service).await), "USER_DELETED");
}

/// How a stream ends.
async fn end(watcher: &mut super::Watcher) -> tonic::Status {
    loop {
        match watcher.next().await {
            Ok(Event::Snapshot(_) | Event::Bookmark(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(status) => return status,
        }
    }
}
