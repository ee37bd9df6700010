//! Audit and resolution log over the wire (SPEC §11.3).

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tonic::Code;

use crate::{
    api::{Api, Watcher},
    process::Process,
    server::{As, Running},
};

/// Longest that a test waits for anything.
const LONG: Duration = Duration::from_secs(30);

async fn organisation() -> Running {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    let rows: Vec<_> = ["ann", "bob"].map(|id| json!({"user": {"id": id}})).into();
    api.ok("BatchUpsertUsers", json!({"rows": rows})).await;
    api.ok(
        "CreateProfile",
        json!({"profile": {"unique_name": "contoso_rep", "display_name": "R"}}),
    )
    .await;
    server
}

fn caller(server: &Running, user: Option<&str>, scopes: &str) -> Api {
    Api::of(server, As::new(user, Some(scopes)))
}

/// The entries that a list answers, once so many are there.
async fn entries(api: &Api, rpc: &str, q: Value, count: usize) -> Vec<Value> {
    let waited = timeout(LONG, async {
        loop {
            let answer = api.ok(rpc, q.clone()).await;
            let rows = answer["entries"].as_array().unwrap().clone();
            if rows.len() >= count {
                return rows;
            }
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{rpc} {q}: not {count} entries"))
}

async fn audit(api: &Api, q: Value, count: usize) -> Vec<Value> {
    entries(api, "ListAuditEntries", q, count).await
}

fn texts(rows: &[Value], field: &str) -> Vec<String> {
    rows.iter().map(|row| row[field].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn s11_3_the_entry_of_a_write_says_everything() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let id = "5b2a7c4e-0b5f-4f4e-8f3e-2f1d2c3b4a59";
    api.ok("AddUsers", json!({"name": "contoso_rep", "users": ["ann"]})).await;
    api.ok("CreateProfile", json!({"profile": {"unique_name": "contoso_b", "display_name": "B"}}))
        .await;
    let before = api.revision().await;
    let move_ann = json!({"name": "contoso_b", "users": ["ann"], "move": true,
        "request_id": id, "reason": "shift change"});
    api.ok("AddUsers", move_ann).await;
    let entry = audit(&api, json!({"operation": "AddUsers", "page_size": 1}), 1).await.remove(0);
    assert!(entry["revision"].as_i64().unwrap() > before);
    assert_eq!(entry["actor"], "local:administrator");
    assert_eq!(entry["scope"], "ADMIN");
    assert!(entry["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{entry}");
    assert_eq!(entry["operation"], "AddUsers");
    assert!(entry["resources"].as_array().unwrap().contains(&json!("users/ann")), "{entry}");
    assert_eq!(entry["flags"], json!(["move"]));
    assert_eq!(entry["request_id"], id);
    assert_eq!(entry["reason"], "shift change");
    assert_eq!(entry["outcome"], "AUDIT_OUTCOME_COMMITTED");
}

#[tokio::test]
async fn s11_3_explain_and_bulk_resolve_are_audited_by_whomever() {
    let server = organisation().await;
    let api = Api::admin(&server);
    for scopes in ["reader", "admin", "service"] {
        let caller = caller(&server, None, scopes);
        caller.ok("Explain", json!({"user": "ann"})).await;
        caller.ok("BulkResolve", json!({})).await;
        let scope = scopes.to_ascii_uppercase();
        for (operation, resources) in
            [("Explain", json!(["users/ann"])), ("BulkResolve", json!([]))]
        {
            let q = json!({"operation": operation, "outcome": "AUDIT_OUTCOME_ANSWERED"});
            let found = timeout(LONG, async {
                loop {
                    let rows = audit(&api, q.clone(), 1).await;
                    if let Some(row) = rows.iter().find(|row| row["scope"] == scope.as_str()) {
                        return row.clone();
                    }
                }
            });
            let row = found.await.unwrap();
            assert_eq!((&row["actor"], &row["resources"]), (&json!("local:caller"), &resources));
        }
    }
    let refused = api.refused("Explain", json!({"user": "nobody"})).await;
    assert_eq!(refused.0, Code::NotFound);
    let row = audit(&api, json!({"outcome": "AUDIT_OUTCOME_FAILED"}), 1).await.remove(0);
    assert_eq!(row["error_reason"], "USER_NOT_FOUND");
    assert_eq!(row["resources"], json!(["users/nobody"]));
}

#[tokio::test]
async fn s11_3_resolution_and_watch_of_others_are_audited_for_reader_and_admin_alone() {
    let server = organisation().await;
    let api = Api::admin(&server);
    for (user, scopes) in [(None, "service"), (Some("ann"), "agent"), (Some("ann"), "reader")] {
        let caller = caller(&server, user, scopes);
        caller.ok("ResolveProfile", json!({"user": "ann"})).await;
        snapshot(&mut caller.watch("ann").await).await;
    }
    for scopes in ["reader", "admin"] {
        let caller = caller(&server, Some("ann"), scopes);
        caller.ok("ResolveProfile", json!({"user": "users/BOB"})).await;
        snapshot(&mut caller.watch("bob").await).await;
    }
    let rows = audit(&api, json!({"outcome": "AUDIT_OUTCOME_ANSWERED"}), 4).await;
    let mut found: Vec<_> = rows
        .iter()
        .map(|row| (row["operation"].as_str().unwrap(), row["scope"].as_str().unwrap()))
        .collect();
    found.sort_unstable();
    let expected = [
        ("ResolveProfile", "ADMIN"),
        ("ResolveProfile", "READER"),
        ("WatchProfile", "ADMIN"),
        ("WatchProfile", "READER"),
    ];
    assert_eq!(found, expected);
    let about: BTreeSet<_> = rows.iter().map(|row| row["resources"][0].to_string()).collect();
    assert_eq!(about, BTreeSet::from(["\"users/BOB\"".to_owned(), "\"users/bob\"".to_owned()]));
    assert!(rows.iter().all(|row| row["actor"] == "ann"), "{rows:?}");
}

async fn snapshot(watcher: &mut Watcher) {
    watcher.snapshot().await;
}

#[tokio::test]
async fn s11_3_every_refusal_by_scope_is_audited() {
    let server = organisation().await;
    let api = Api::admin(&server);
    api.ok("DisableUser", json!({"name": "bob"})).await;
    let write = json!({"profile": {"unique_name": "contoso_x", "display_name": "X"}});
    for (user, scopes, rpc, q, reason) in [
        // By its head alone.
        (Some("ann"), "agent", "CreateProfile", write.clone(), "SCOPE_REQUIRED"),
        // By its message.
        (None, "reader", "CreateProfile", write.clone(), "SCOPE_REQUIRED"),
        (Some("ann"), "agent", "ResolveProfile", json!({"user": "nobody"}), "SELF_ONLY"),
        (Some("bob"), "admin", "GetSettings", json!({}), "USER_DISABLED"),
    ] {
        let caller = caller(&server, user, scopes);
        assert_eq!(caller.refused(rpc, q).await, (Code::PermissionDenied, reason.to_owned()));
        let actor = user.unwrap_or("local:caller");
        let q = json!({"outcome": "AUDIT_OUTCOME_DENIED", "actor": actor, "operation": rpc});
        let row = audit(&api, q, 1).await.remove(0);
        assert_eq!(row["error_reason"], reason);
        assert!(row["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{row}");
        assert_eq!(row["scope"], "");
    }
    let resolve = audit(&api, json!({"operation": "ResolveProfile"}), 1).await.remove(0);
    assert_eq!(resolve["resources"], json!(["users/nobody"]));
    assert_eq!(api.refused("GetProfile", json!({"name": "contoso_x"})).await.0, Code::NotFound);
}

#[tokio::test]
async fn s11_3_a_stream_that_ends_with_the_rights_of_its_caller_has_one_entry() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let roles = |roles: &[&str]| json!({"name": "ann", "roles": roles});
    api.ok("SetUserRoles", roles(&["msdyn_csr"])).await;
    let ann = Api::of(&server, As::new(Some("ann"), None));
    let mut watcher = ann.watch("").await;
    let mut calls = ann.stream("WatchCalls", json!({})).await;
    let mut service = caller(&server, None, "service").watch("ann").await;
    snapshot(&mut watcher).await;
    snapshot(&mut service).await;
    api.ok("SetUserRoles", roles(&["msdyn_basic_user"])).await;
    let taken = api.revision().await;
    while watcher.next().await.is_ok() {}
    while calls.next().await.is_ok() {}
    api.ok("SetUserRoles", roles(&["msdyn_csr"])).await;
    let mut disabled = ann.watch("").await;
    snapshot(&mut disabled).await;
    api.ok("DisableUser", json!({"name": "ann"})).await;
    while disabled.next().await.is_ok() {}
    // No right was lost by the end of this one.
    api.ok("DeleteUser", json!({"name": "ann"})).await;
    while service.next().await.is_ok() {}
    caller(&server, Some("carl"), "agent").refused("ListTeams", json!({})).await;
    // Another caller's entry comes after all of those.
    audit(&api, json!({"actor": "carl"}), 1).await;
    let rows = audit(&api, json!({"outcome": "AUDIT_OUTCOME_DENIED", "actor": "ann"}), 3).await;
    let mut found: Vec<_> = ["operation", "error_reason"].map(|field| texts(&rows, field)).into();
    found.iter_mut().for_each(|texts| texts.sort_unstable());
    let operations = ["WatchCalls", "WatchProfile", "WatchProfile"];
    let reasons = ["SCOPE_REVOKED", "SCOPE_REVOKED", "USER_DISABLED"];
    assert_eq!(found, [operations, reasons]);
    for row in rows {
        assert_eq!(row["resources"], json!(["users/ann"]));
        assert!(row["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{row}");
        assert!(row["revision"].as_i64().unwrap() >= taken, "{row}");
    }
}

#[tokio::test]
async fn s11_3_streams_that_end_again_and_again_get_few_entries() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let roles = |roles: &[&str]| json!({"name": "ann", "roles": roles});
    for _ in 0..15 {
        api.ok("SetUserRoles", roles(&["msdyn_csr"])).await;
        let mut watcher = Api::of(&server, As::new(Some("ann"), None)).watch("").await;
        snapshot(&mut watcher).await;
        api.ok("SetUserRoles", roles(&["msdyn_basic_user"])).await;
        while watcher.next().await.is_ok() {}
    }
    caller(&server, Some("carl"), "agent").refused("ListTeams", json!({})).await;
    audit(&api, json!({"actor": "carl"}), 1).await;
    let rows = audit(&api, json!({"actor": "ann"}), 1).await;
    let written: i64 = rows.iter().map(|row| 1 + row["repeats"].as_i64().unwrap()).sum();
    assert_eq!(written, 10);
}

#[tokio::test]
async fn s11_3_a_caller_who_is_refused_all_day_gets_few_entries() {
    let server = organisation().await;
    let (api, agent) = (Api::admin(&server), caller(&server, Some("ann"), "agent"));
    for _ in 0..50 {
        agent.refused("ListProfiles", json!({})).await;
    }
    agent.ok("ResolveProfile", json!({})).await;
    caller(&server, Some("carl"), "agent").refused("ListTeams", json!({})).await;
    // Another caller's entry comes after all of those.
    audit(&api, json!({"actor": "carl"}), 1).await;
    let rows = audit(&api, json!({"actor": "ann"}), 1).await;
    let written: i64 = rows.iter().map(|row| 1 + row["repeats"].as_i64().unwrap()).sum();
    assert_eq!(written, 10);
}

#[tokio::test]
async fn s11_3_one_entry_of_the_resolution_log_for_each_digest_that_differs() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let mut watcher = api.watch("ann").await;
    let first = watcher.snapshot().await;
    api.ok("AddUsers", json!({"name": "contoso_rep", "users": ["ann"]})).await;
    watcher.next().await.unwrap();
    let moved = time_of_the_second(&api).await;
    api.ok("RemoveUsers", json!({"name": "contoso_rep", "users": ["ann"]})).await;
    watcher.next().await.unwrap();
    let rows = entries(&api, "ListResolutionLog", json!({"user": "users/ANN"}), 3).await;
    let digests = texts(&rows, "digest");
    assert_eq!(texts(&rows, "profile")[1], "contoso_rep");
    assert_eq!((digests.len(), &digests[2]), (3, &first.digest));
    assert!(digests[0] == digests[2] && digests[0] != digests[1], "{digests:?}");
    assert!(rows.iter().all(|row| row["user"] == "ann"), "{rows:?}");
    // What was seen at the moment between both changes.
    let seen =
        entries(&api, "ListResolutionLog", json!({"user": "ann", "as_of_time": moved}), 1).await;
    assert_eq!((seen.len(), &seen[0]["profile"]), (1, &json!("contoso_rep")));
    let nobody = api.ok("ListResolutionLog", json!({"user": "bob", "as_of_time": moved})).await;
    assert_eq!(
        (nobody["entries"].as_array().unwrap().len(), &nobody["next_page_token"]),
        (0, &json!(""))
    );
}

/// The time of the last write, and a little more: before any later one.
async fn time_of_the_second(api: &Api) -> String {
    let rows = entries(api, "ListResolutionLog", json!({"user": "ann"}), 2).await;
    rows[0]["time"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn s11_3_reads_are_there_within_a_second() {
    let server = organisation().await;
    let api = Api::admin(&server);
    caller(&server, None, "reader").ok("Explain", json!({"user": "ann"})).await;
    let begun = Instant::now();
    audit(&api, json!({"operation": "Explain"}), 1).await;
    // A busy machine may add to the second, but not without end.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn pages_give_each_entry_once_newest_first() {
    let server = organisation().await;
    let (api, reader) = (Api::admin(&server), caller(&server, None, "reader"));
    for n in 0..7 {
        let profile = json!({"unique_name": format!("contoso_{n}"), "display_name": "P"});
        api.ok("CreateProfile", json!({"profile": profile})).await;
        reader.ok("Explain", json!({"user": if n % 2 == 0 { "ann" } else { "bob" }})).await;
    }
    let all = audit(&api, json!({}), 17).await;
    let times = texts(&all, "time");
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    for size in [1, 3, 1_000] {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let q = json!({"page_size": size, "page_token": token});
            let page = api.ok("ListAuditEntries", q).await;
            found.extend(page["entries"].as_array().unwrap().clone());
            token = page["next_page_token"].as_str().unwrap().to_owned();
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(found, all, "{size}");
    }
    let token =
        api.ok("ListAuditEntries", json!({"page_size": 1})).await["next_page_token"].clone();
    let other = json!({"page_token": token, "actor": "ann"});
    let refused = (Code::InvalidArgument, "PAGE_TOKEN_INVALID".to_owned());
    assert_eq!(api.refused("ListAuditEntries", other).await, refused);
}

#[tokio::test]
async fn bad_arguments_are_refused_by_field() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let invalid = (Code::InvalidArgument, "FIELD_INVALID".to_owned());
    let (early, late) = ("2026-03-01T08:00:00Z", "2026-03-02T08:00:00Z");
    for (rpc, q) in [
        ("ListAuditEntries", json!({"resource": "contoso_rep"})),
        ("ListAuditEntries", json!({"resource": "secrets/contoso_rep"})),
        ("ListAuditEntries", json!({"resource": "profiles/a b"})),
        ("ListAuditEntries", json!({"outcome": 99})),
        ("ListAuditEntries", json!({"actor": "x".repeat(300)})),
        ("ListAuditEntries", json!({"start_time": late, "end_time": early})),
        ("ListAuditEntries", json!({"page_size": -1})),
        ("ListResolutionLog", json!({"user": "a b"})),
        ("ListResolutionLog", json!({"app": 99})),
        ("ListResolutionLog", json!({"as_of_time": late, "end_time": late})),
        ("ListResolutionLog", json!({"start_time": late, "end_time": early})),
    ] {
        let shown = format!("{rpc} {q}");
        assert_eq!(api.refused(rpc, q).await, invalid, "{shown}");
    }
    // What is gone can be asked for.
    for resource in ["profiles/contoso_gone", "users/gone", "organizationSettings"] {
        api.ok("ListAuditEntries", json!({"resource": resource})).await;
    }
    assert_eq!(audit(&api, json!({"resource": "profiles/contoso_rep"}), 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_3_a_writes_entry_survives_a_kill_with_the_write() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::spawn(folder.path(), &[]);
    let api = Api::over(process.connect().await, As::default());
    let user = json!({"user": {"id": "ann"}, "reason": "before the kill"});
    api.ok("UpsertUser", user).await;
    api.ok("Explain", json!({"user": "ann"})).await;
    audit(&api, json!({"operation": "Explain"}), 1).await;
    api.ok("UpsertUser", json!({"user": {"id": "bob"}, "reason": "at the kill"})).await;
    process.kill();
    let process = Process::spawn(folder.path(), &[]);
    let api = Api::over(process.connect().await, As::default());
    let rows = audit(&api, json!({"operation": "UpsertUser"}), 2).await;
    assert_eq!(texts(&rows, "reason"), ["at the kill", "before the kill"]);
    assert_eq!(texts(&rows, "scope"), ["ADMIN", "ADMIN"]);
    assert!(rows.iter().all(|row| row["address"].as_str().unwrap().starts_with("127.0.0.1:")));
    // A read that was written is there as well, and the log goes on.
    assert_eq!(audit(&api, json!({"operation": "Explain"}), 1).await.len(), 1);
    api.ok("Explain", json!({"user": "bob"})).await;
    audit(&api, json!({"operation": "Explain"}), 2).await;
    assert!(process.end().success());
    // The last second is written by a stop in order.
    let process = Process::spawn(folder.path(), &[]);
    let api = Api::over(process.connect().await, As::default());
    assert_eq!(audit(&api, json!({"operation": "Explain"}), 2).await.len(), 2);
    assert!(process.end().success());
}
