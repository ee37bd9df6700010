//! `seen` and `audit export`: what was on a desktop, and the logs in a file.

use std::fs;

use serde_json::Value;

use super::{ALL, Ended, World};
use crate::api::Api;

/// Runs `seen` until the log, which is written in the background, answers with a text.
async fn seen(world: &World, args: &[&str], text: &str) -> Ended {
    let waited = async {
        loop {
            let ended = world.run(&[&["seen", "john.doe"], args].concat()).await;
            if ended.out.contains(text) {
                return ended;
            }
        }
    };
    let waited = tokio::time::timeout(crate::process::PATIENCE, waited).await;
    waited.unwrap_or_else(|_| panic!("{text} is not seen with {args:?}"))
}

#[tokio::test]
async fn s11_3_seen_shows_what_is_on_a_desktop_now_and_what_was_at_a_time() {
    let world = World::new().await;
    let nothing = world.run(&["seen", "john.doe"]).await;
    assert_eq!((nothing.code, nothing.out.as_str()), (1, ""), "{nothing:?}");
    let none = "nothing is known to have been sent to john.doe up to now\n";
    assert_eq!(nothing.err, none);

    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let mut watcher = Api::admin(&world.server).watch("john.doe").await;
    let first = watcher.snapshot().await;
    let now = seen(&world, &["-o", "json"], &first.digest).await;
    let entry: Value = serde_json::from_str(&now.out).unwrap();
    assert_eq!((&entry["user"], &entry["profile"]), (&"john.doe".into(), &"contoso_rep".into()));
    let then = entry["time"].as_str().unwrap().to_owned();

    let other = "kind: Profile\nuniqueName: contoso_other\ndisplayName: Other\n---\nkind: User\nid: john.doe\nprofile: contoso_other\n";
    let moved = world.apply(other, &["--move"]).await;
    assert_eq!(moved.code, 0, "{moved:?}");
    watcher.snapshot().await;
    let now = seen(&world, &[], "contoso_other").await;
    assert!(now.out.starts_with("TIME ") && now.out.contains("DIRECT"), "{now:?}");
    assert_eq!(now.out.lines().count(), 2, "{now:?}");
    let at = world.out(&["seen", "john.doe", "--at", &then]).await;
    assert!(at.contains("contoso_rep") && at.contains(&first.digest), "{at}");
    let late = world.out(&["seen", "john.doe", "--at", "2099-01-01T00:00:00Z"]).await;
    assert!(late.contains("contoso_other"), "{late}");

    for (args, code, text) in [
        (&["--at", "2001-01-01T00:00:00Z"][..], 1, "up to 2001-01-01T00:00:00Z"),
        (&["--client", "desk-9"], 1, "nothing is known to have been sent"),
        (&["--app", "workspace"], 1, "nothing is known to have been sent"),
        (&["--at", "yesterday"], 2, "`yesterday` is no time such as"),
    ] {
        let ended = world.run(&[&["seen", "john.doe"], args].concat()).await;
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{ended:?}");
        assert!(ended.err.contains(text), "{args:?}: {ended:?}");
    }
}

/// The entries of a file of JSON lines.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn s11_3_the_audit_is_exported_whole_and_by_filter() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let role = "kind: Role\nuniqueName: contoso_more\ndisplayName: More\n";
    let refused = world.apply(role, &["--user", "jane", "--scopes", "agent"]).await;
    assert_eq!(refused.code, 1);
    let path = world.folder.path().join("audit.jsonl");
    let file = path.to_str().unwrap();
    let denied = async || {
        loop {
            let args = ["audit", "export", "--outcome", "denied", "--actor", "jane"];
            let found = lines(&world.out(&args).await);
            if !found.is_empty() {
                return found;
            }
        }
    };
    let denied = tokio::time::timeout(crate::process::PATIENCE, denied()).await.unwrap();
    assert!(denied.iter().all(|entry| entry["errorReason"] == "SCOPE_REQUIRED"), "{denied:?}");
    assert!(denied.iter().all(|entry| entry["outcome"] == "AUDIT_OUTCOME_DENIED"), "{denied:?}");

    let written = world.run(&["audit", "export", "--out", file]).await;
    assert_eq!((written.code, written.out.as_str(), written.err.as_str()), (0, "", ""));
    let all = lines(&fs::read_to_string(&path).unwrap());
    let times: Vec<_> = all.iter().map(|entry| entry["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "newest first: {times:?}");
    let has = |operation: &str| all.iter().any(|entry| entry["operation"] == operation);
    assert!(has("SeedBuiltIns") && has("ApplyChanges"), "{all:?}");
    let resource = ["audit", "export", "--resource", "profiles/contoso_rep"];
    let of_profile = lines(&world.out(&resource).await);
    assert_eq!(of_profile.len(), 1, "{of_profile:?}");
    let none = ["audit", "export", "--until", "2001-01-01T00:00:00Z"];
    assert_eq!(world.out(&none).await, "");

    for (args, code, text) in [
        (&["--resolution-log", "--actor", "jane"][..], 2, "takes --since and --until"),
        (&["--since", "noon"], 2, "`noon` is no time such as"),
        (&["--out", world.folder.path().to_str().unwrap()], 2, "directory"),
        (&["--resource", "secrets/x"], 1, "FIELD_INVALID (INVALID_ARGUMENT): "),
    ] {
        let ended = world.run(&[&["audit", "export"], args].concat()).await;
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{ended:?}");
        assert!(ended.err.contains(text), "{args:?}: {ended:?}");
    }
}
