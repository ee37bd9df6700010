//! `audit`, `seen` and `users import` against a real server.

mod kill;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use clap::Parser;
use deskplane::cli::{self, Cli, Io};
use serde_json::{Value, json};

use crate::{api::Api, server::Running};

struct World {
    server: Running,
    folder: tempfile::TempDir,
}

/// What a command left behind.
#[derive(Debug)]
struct Ended {
    code: u8,
    out: String,
    err: String,
}

impl World {
    async fn new() -> Self {
        let server = Running::with(Vec::new()).await;
        let api = Api::admin(&server);
        for name in ["contoso_rep", "contoso_other"] {
            let profile = json!({"unique_name": name, "display_name": "P"});
            api.ok("CreateProfile", json!({"profile": profile})).await;
        }
        let role = json!({"unique_name": "contoso_agents", "display_name": "A"});
        api.ok("UpsertRole", json!({"role": role})).await;
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    async fn run(&self, args: &[&str]) -> Ended {
        let url = format!("http://{}", self.server.address);
        let args = [&["deskplane", "--server", &url], args].concat();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let cli = Cli::try_parse_from(args).unwrap();
        let code = cli::run(cli, &mut Io::new(&mut out, &mut err)).await;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code, out: text(out), err: text(err) }
    }

    async fn import(&self, path: &Path, flags: &[&str]) -> Ended {
        let args = [&["users", "import", path.to_str().unwrap()], flags].concat();
        self.run(&args).await
    }

    async fn user(&self, id: &str) -> Option<Value> {
        Api::admin(&self.server).call("GetUser", json!({"name": id})).await.ok()
    }
}

/// A file of so many users, `user0` first.
fn many(count: usize) -> String {
    let mut text = "id,display_name,email,kind,business_unit,roles,profile\n".to_owned();
    for n in 0..count {
        writeln!(text, "user{n},User {n},u{n}@contoso.example,,Sales,contoso_agents,").unwrap();
    }
    text
}

#[tokio::test]
async fn users_are_imported_with_every_field() {
    let world = World::new().await;
    let text = "id;display_name;email;kind;business_unit;roles;profile\r\n\
                ann;\"Lee; Ann\";ann@contoso.example;human;Sales;contoso_agents;contoso_rep\r\n\
                bot;;;application;;;\r\n";
    let ended = world.import(&world.file("users.csv", text), &["--reason", "new hires"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
    assert_eq!(ended.out, "2 users imported, 0 rows refused\n");
    let ann = world.user("ann").await.unwrap();
    assert_eq!(ann["display_name"], "Lee; Ann");
    assert_eq!(ann["roles"], json!(["securityRoles/contoso_agents"]));
    assert_eq!(ann["direct"][0]["profile"], "profiles/contoso_rep");
    assert_eq!(world.user("bot").await.unwrap()["kind"], "USER_KIND_APPLICATION");
    let line = "{\"id\":\"carl\",\"displayName\":\"Carl\",\"roles\":[\"contoso_agents\"]}\n";
    let ended = world.import(&world.file("users.jsonl", line), &[]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(world.user("carl").await.unwrap()["display_name"], "Carl");
    let entry = world.run(&["audit", "--operation", "BatchUpsertUsers", "--limit", "9"]).await;
    assert!(entry.out.contains("new hires"), "{entry:?}");
}

#[tokio::test]
async fn refused_rows_are_named_by_their_line_and_all_others_are_imported() {
    let world = World::new().await;
    let mut text = many(2_500);
    text = text.replace("user7,User 7,u7@contoso.example", "user7,User 7,not an address\u{7}");
    text = text.replace(
        "user1100,User 1100,u1100@contoso.example,,Sales,contoso_agents",
        "user1100,User 1100,,,,contoso_gone",
    );
    text.push_str("user9,twice,,,,,\nshort\na b,,,,,,\nlast,,,,,,contoso_missing\n");
    let ended = world.import(&world.file("users.csv", text), &[]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    let mut lines: Vec<_> = ended.err.lines().filter(|line| line.starts_with("line ")).collect();
    lines.sort_by_key(|line| line[5..].split(':').next().unwrap().parse::<u32>().unwrap());
    let begins = [
        "line 9: email",
        "line 1102: ",
        "line 2502: id: user9",
        "line 2503: has 1 columns",
        "line 2504: ",
        "line 2505: ",
    ];
    assert_eq!(lines.len(), begins.len(), "{lines:#?}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line} is not {begin}");
    }
    assert!(lines[1].contains("contoso_gone"), "{}", lines[1]);
    assert!(lines[5].contains("contoso_missing"), "{}", lines[5]);
    assert_eq!(ended.out, "2498 users imported, 6 rows refused\n");
    for id in ["user0", "user6", "user8", "user1099", "user1101", "user2499"] {
        assert!(world.user(id).await.is_some(), "{id}");
    }
    for id in ["user7", "user1100", "last"] {
        assert!(world.user(id).await.is_none(), "{id}");
    }
    assert!(!world.folder.path().join("users.csv.import").exists());
}

#[tokio::test]
async fn a_dry_run_checks_every_row_and_changes_nothing() {
    let world = World::new().await;
    let revision = Api::admin(&world.server).revision().await;
    let path = world.file("users.csv", "id,roles\nann,contoso_agents\nbob,contoso_gone\n");
    let ended = world.import(&path, &["--dry-run"]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert_eq!(ended.out, "1 users would be imported, 1 rows refused\n");
    assert!(ended.err.contains("line 3: "), "{ended:?}");
    assert_eq!(Api::admin(&world.server).revision().await, revision);
    assert!(!world.folder.path().join("users.csv.import").exists());
}

#[tokio::test]
async fn an_interrupted_import_is_resumed_and_does_nothing_twice() {
    let world = World::new().await;
    let path = world.file("users.csv", many(3_200));
    let one = world.import(&path, &["--parallel", "1"]).await;
    assert_eq!(one.code, 0, "{one:?}");
    let revision = Api::admin(&world.server).revision().await;
    // One that is refused as a whole has done nothing, and everything is sent when it is resumed.
    let args = ["--scopes", "reader", "users", "import", path.to_str().unwrap()];
    let ended = world.run(&args).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains("stopped after line 0; --resume goes on there"), "{ended:?}");
    let again = world.import(&path, &[]).await;
    assert_eq!(again.code, 2, "it is not begun again by mistake: {again:?}");
    let resumed = world.import(&path, &["--resume"]).await;
    assert_eq!((resumed.code, resumed.out.as_str()), (0, "3200 users imported, 0 rows refused\n"));
    assert_eq!(Api::admin(&world.server).revision().await, revision, "equal users are no change");
    let over = world.import(&path, &["--resume"]).await;
    assert_eq!(over.code, 2, "nothing is left to be resumed: {over:?}");
}

#[tokio::test]
async fn a_file_that_makes_no_sense_is_refused_before_anything_is_sent() {
    let world = World::new().await;
    let revision = Api::admin(&world.server).revision().await;
    for text in [&b""[..], b"name\nann\n", b"id,id\n", b"\xff\xfei\0d\0", b"email\nx\n"] {
        let ended = world.import(&world.file("users.csv", text), &[]).await;
        assert_eq!(ended.code, 2, "{text:?}: {ended:?}");
    }
    let missing = world.import(&world.folder.path().join("nowhere.csv"), &[]).await;
    assert_eq!(missing.code, 2);
    assert_eq!(Api::admin(&world.server).revision().await, revision);
}

#[tokio::test]
async fn audit_and_seen_show_what_was_done_and_what_was_seen() {
    let world = World::new().await;
    let api = Api::admin(&world.server);
    world.import(&world.file("users.csv", "id,profile\nann,contoso_rep\n"), &[]).await;
    api.watch("ann").await.snapshot().await;
    let export = world.folder.path().join("audit.jsonl");
    let export = export.to_str().unwrap();
    // What is seen is logged within a second.
    let seen = loop {
        let seen = world.run(&["seen", "ann", "--at", "2099-01-01T00:00:00Z"]).await;
        if seen.code == 0 {
            break seen;
        }
        assert!(seen.err.contains("nothing is known to have been sent to ann"), "{seen:?}");
    };
    assert!(seen.out.contains("contoso_rep") && seen.out.contains("DIRECT"), "{seen:?}");
    let long_ago = world.run(&["seen", "ann", "--at", "2001-01-01T00:00:00Z"]).await;
    assert_eq!(long_ago.code, 1);
    let shown = world.run(&["audit", "--resource", "users/ann"]).await;
    assert!(shown.out.contains("BatchUpsertUsers") && shown.out.contains("COMMITTED"), "{shown:?}");
    let ended = world.run(&["audit", "export", "--out", export]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let lines: Vec<Value> = fs::read_to_string(export)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let all = world.run(&["audit", "export"]).await.out;
    assert_eq!(all.lines().count(), lines.len());
    let operations: Vec<_> = lines.iter().map(|l| l["operation"].as_str().unwrap()).collect();
    assert!(operations.contains(&"CreateProfile") && operations.contains(&"SeedBuiltIns"));
    let log = world.run(&["audit", "export", "--resolution-log"]).await;
    let entry: Value = serde_json::from_str(log.out.lines().next().unwrap()).unwrap();
    assert_eq!((&entry["user"], &entry["profile"]), (&json!("ann"), &json!("contoso_rep")));
}
