//! Write cases through a running server, with the generated clients.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tonic::Status;
use tonic_types::StatusExt as _;

use super::{
    ask::{app, code, differences},
    load,
    send::{Written, prepare, send, text},
    state::CaseState,
};
use crate::server::Running;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    #[serde(rename = "title")]
    _title: String,
    #[serde(rename = "status")]
    _status: String,
    state: CaseState,
    ops: Vec<Map<String, Value>>,
}

/// Every key that an operation may have; another one fails the run.
const KEYS: &[&str] = &[
    "op",
    "expect",
    "then",
    "caller",
    "request_id",
    "validate_only",
    "profile",
    "user",
    "role",
    "users",
    "move",
    "rank",
    "roles",
    "team_roles",
    "displace",
    "replace_current",
    "drop_rank_and_roles",
    "override_managed",
    "unique_name",
    "display_name",
    "description",
    "source",
    "set",
    "if_etag",
    "save_etag",
    "force",
    "template",
    "entity",
    "type",
    "providers",
    "enabled",
    "views",
    "all_active_channels",
    "pane_on",
    "tools",
    "features",
    "branches",
    "bundle",
    "options",
];

/// Every text in the details of a refusal that a caller may look for identifiers in.
fn strings(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let mut all: Vec<String> = details
        .error_info()
        .map(|info| info.metadata.values().cloned().collect())
        .unwrap_or_default();
    for violation in
        details.bad_request().map(|b| b.field_violations.as_slice()).unwrap_or_default()
    {
        all.extend([violation.field.clone(), violation.description.clone()]);
    }
    let failure = details.precondition_failure();
    for violation in failure.map(|p| p.violations.as_slice()).unwrap_or_default() {
        all.extend([violation.subject.clone(), violation.description.clone()]);
    }
    all.extend(details.resource_info().map(|info| info.resource_name.clone()));
    all
}

fn refusal_differs(status: &Status, want: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let info = status.get_details_error_info().unwrap();
    let code = format!("{:?}", status.code()).to_lowercase();
    if code != want["code"].as_str().unwrap().replace('_', "").to_lowercase() {
        found.push(format!("code {code}, want {}", want["code"]));
    }
    if want["reason"] != info.reason || info.domain != "deskplane" {
        found.push(format!("reason {} of {}, want {}", info.reason, info.domain, want["reason"]));
    }
    let all = strings(status);
    for mention in want["mentions"].as_array().unwrap() {
        let mention = mention.as_str().unwrap();
        if !all.iter().any(|text| text.contains(mention)) {
            found.push(format!("no {mention} in {all:?}"));
        }
    }
    for (key, value) in want.get("metadata").and_then(Value::as_object).into_iter().flatten() {
        if info.metadata.get(key).map(String::as_str) != value.as_str() {
            found.push(format!("metadata {key} of {:?}, want {value}", info.metadata));
        }
    }
    found
}

fn answer_differs(written: &Written, want: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    let affected = written.write.affected.clone().unwrap_or_default();
    for (key, want) in want {
        let got = match key.as_str() {
            "ok" => Value::Bool(true),
            "changed" => written.write.changed.into(),
            "affected" => affected
                .users
                .iter()
                .map(|a| json!({"user": a.user, "from": a.from, "to": a.to}))
                .collect(),
            "findings" => written
                .write
                .findings
                .iter()
                .map(|f| json!({"code": code(f), "subject": f.subject}))
                .collect(),
            other => panic!("unknown expectation {other}"),
        };
        if got != *want {
            found.push(format!("{key}: got {got}, want {want}"));
        }
    }
    if affected.total_count != affected.users.len() as i64 {
        found.push(format!("{} affected, {} listed", affected.total_count, affected.users.len()));
    }
    found
}

/// Two operations at the same time: so many succeed, the others lose by one of the codes.
async fn concurrent(server: &Running, op: &Map<String, Value>) -> Vec<String> {
    let branches: Vec<_> =
        op["branches"].as_array().unwrap().iter().map(|op| op.as_object().unwrap()).collect();
    let etags = BTreeMap::new();
    let results =
        futures_util::future::join_all(branches.iter().map(|op| send(server, op, &etags))).await;
    let want = op["expect"].as_object().unwrap();
    let ok = results.iter().filter(|result| result.is_ok()).count();
    let mut found = Vec::new();
    if want["ok_count"].as_u64() != Some(ok as u64) {
        found.push(format!("{ok} branches succeeded, want {}", want["ok_count"]));
    }
    let allowed: Vec<_> = want["loser_codes"].as_array().unwrap().iter().collect();
    for status in results.iter().filter_map(|result| result.as_ref().err()) {
        let code = format!("{:?}", status.code()).to_lowercase();
        if !allowed.iter().any(|c| c.as_str().unwrap().replace('_', "").to_lowercase() == code) {
            found.push(format!("a branch lost by {status}, want one of {allowed:?}"));
        }
    }
    found
}

async fn run(case: &Case) -> Vec<String> {
    let server = Running::with(case.state.objects()).await;
    let mut etags: BTreeMap<String, String> = BTreeMap::new();
    let mut found = Vec::new();
    for (at, op) in case.ops.iter().enumerate() {
        let unknown: Vec<_> = op.keys().filter(|key| !KEYS.contains(&key.as_str())).collect();
        assert!(unknown.is_empty(), "{}: unknown keys {unknown:?}", case.id);
        let mut note = |texts: Vec<String>| {
            found.extend(texts.into_iter().map(|text| format!("{} op {at}: {text}", case.id)));
        };
        let want = op["expect"].as_object().unwrap();
        if text(op, "op") == "concurrent" {
            note(concurrent(&server, op).await);
        } else {
            prepare(&server, op).await;
            match (send(&server, op, &etags).await, want.get("error")) {
                (Ok(written), None) => {
                    note(answer_differs(&written, want));
                    if op.contains_key("save_etag") {
                        etags.insert(text(op, "save_etag").to_owned(), written.etag);
                    }
                }
                (Err(status), Some(error)) => note(refusal_differs(&status, error)),
                (Ok(_), Some(error)) => note(vec![format!("accepted, want {error}")]),
                (Err(status), None) => note(vec![format!("refused: {status}")]),
            }
        }
        for then in op.get("then").and_then(Value::as_array).into_iter().flatten() {
            let user = then["ask"]["user"].as_str().unwrap();
            let asked = app(then["ask"]["app"].as_str());
            let want = then["expect"].as_object().unwrap();
            note(differences(&server, user, asked, want).await);
        }
    }
    server.end().await;
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_case_holds_through_a_running_server() {
    let cases: Vec<Case> = load("writes.json");
    let mut failures = Vec::new();
    for case in &cases {
        failures.extend(run(case).await);
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
    println!("{} write cases through a running server", cases.len());
}
