//! Write cases through the pure commands. Operations without a command yet make a case pending; it
//! is counted and named.

use std::collections::BTreeSet;

use deskplane::{
    catalog::Catalog,
    command::{
        AddUsers, Affected, Context, Displace, Plan, RemoveDefault, RemoveRankAndRoles,
        RemoveUsers, SetDefault, SetRankAndRoles, affected,
    },
    domain::{Actor, Refusal, Time, UniqueName, UserId},
    resolve::{Outcome, resolve},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{load, state::CaseState};

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

/// Every operation of the cases' README; those that are not commands yet make a case pending.
const PENDING: &[&str] = &[
    "create_profile",
    "clone_profile",
    "update_profile",
    "get_profile",
    "delete_profile",
    "activate_profile",
    "deactivate_profile",
    "set_user_roles",
    "disable_user",
    "enable_user",
    "delete_user",
    "delete_role",
    "add_entity_template",
    "link_providers",
    "set_inbox",
    "set_channels",
    "set_pane",
    "set_copilot",
    "import",
    "rollback",
    "preview",
    "resolve",
    "concurrent",
];

fn text<'a>(op: &'a Map<String, Value>, key: &str) -> &'a str {
    op.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{key} is missing in {op:?}"))
}

fn flag(op: &Map<String, Value>, key: &str) -> bool {
    op.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn texts(op: &Map<String, Value>, key: &str) -> Vec<String> {
    let list = op.get(key).and_then(Value::as_array).unwrap_or_else(|| panic!("{key} in {op:?}"));
    list.iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// The commands answer nothing about scopes yet, so cases with a caller are pending.
fn is_pending(op: &Map<String, Value>) -> bool {
    PENDING.contains(&text(op, "op")) || op.contains_key("caller") || op.contains_key("request_id")
}

fn plan(op: &Map<String, Value>, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
    let known = [
        "op",
        "profile",
        "users",
        "move",
        "rank",
        "roles",
        "displace",
        "replace_current",
        "drop_rank_and_roles",
        "override_managed",
        "validate_only",
        "expect",
        "then",
    ];
    for key in op.keys() {
        assert!(known.contains(&key.as_str()), "unknown key {key}");
    }
    let profile = UniqueName::parse(text(op, "profile")).unwrap();
    let users = || texts(op, "users").iter().map(|u| UserId::parse(u).unwrap()).collect();
    let etag = None;
    match text(op, "op") {
        "set_default" => SetDefault {
            profile,
            etag,
            replace_current: flag(op, "replace_current"),
            drop_rank_and_roles: flag(op, "drop_rank_and_roles"),
        }
        .plan(catalog, context),
        "remove_default" => RemoveDefault { profile, etag }.plan(catalog, context),
        "set_rank_and_roles" => SetRankAndRoles {
            profile,
            etag,
            rank: op.get("rank").and_then(Value::as_i64),
            roles: texts(op, "roles"),
            displace: match op.get("displace").and_then(Value::as_str) {
                None | Some("REJECT") => Displace::Reject,
                Some("SWAP") => Displace::Swap,
                Some("SHIFT") => Displace::Shift,
                Some(other) => panic!("displace {other}"),
            },
            override_managed: flag(op, "override_managed"),
        }
        .plan(catalog, context),
        "remove_rank_and_roles" => {
            RemoveRankAndRoles { profile, etag, override_managed: flag(op, "override_managed") }
                .plan(catalog, context)
        }
        "add_users" => AddUsers { profile, etag, users: users(), move_users: flag(op, "move") }
            .plan(catalog, context),
        "remove_users" => RemoveUsers { profile, etag, users: users() }.plan(catalog, context),
        other => panic!("unknown operation {other}"),
    }
}

fn strings(refusal: &Refusal) -> BTreeSet<&str> {
    let mut all: BTreeSet<&str> = refusal.metadata.values().map(String::as_str).collect();
    all.extend(refusal.violations.iter().flat_map(|v| [v.field.as_str(), v.description.as_str()]));
    all.extend(
        refusal.preconditions.iter().flat_map(|p| [p.subject.as_str(), p.description.as_str()]),
    );
    all.extend(refusal.resources.iter().map(|r| r.name.as_str()));
    all
}

fn check_refusal(id: &str, refusal: &Refusal, want: &Value) {
    assert_eq!(refusal.reason.as_str(), want["reason"], "{id}: {refusal}");
    let code = format!("{:?}", refusal.reason.code()).to_ascii_lowercase();
    assert_eq!(code, want["code"].as_str().unwrap().replace('_', "").to_ascii_lowercase(), "{id}");
    for mention in want["mentions"].as_array().unwrap() {
        let mention = mention.as_str().unwrap();
        assert!(
            strings(refusal).iter().any(|s| s.contains(mention)),
            "{id}: no {mention} in {refusal:?}"
        );
    }
    for (key, value) in want.get("metadata").and_then(Value::as_object).into_iter().flatten() {
        assert_eq!(refusal.metadata.get(key).map(String::as_str), value.as_str(), "{id}: {key}");
    }
}

fn check_answer(id: &str, plan: &Plan, hit: &Affected, want: &Map<String, Value>) {
    assert_eq!(want.get("ok"), Some(&Value::Bool(true)), "{id}: accepted, want {want:?}");
    if let Some(changed) = want.get("changed") {
        assert_eq!(&Value::Bool(plan.changed()), changed, "{id}: changed");
    }
    if let Some(list) = want.get("affected") {
        let got: Vec<_> = hit
            .users
            .iter()
            .map(|a| serde_json::json!({"user": a.user.as_str(), "from": a.from.as_str(), "to": a.to.as_str()}))
            .collect();
        assert_eq!(&Value::Array(got), list, "{id}: affected");
        assert_eq!(hit.total_count, hit.users.len() as u64, "{id}: total");
    }
}

fn check_then(id: &str, catalog: &Catalog, then: &Value) {
    let user = UserId::parse(then["ask"]["user"].as_str().unwrap()).unwrap();
    assert!(then["ask"]["app"].is_null(), "{id}: an app is asked for");
    let Outcome::Resolved(got) = resolve(catalog, &user, Default::default()) else {
        panic!("{id}: {user} does not resolve")
    };
    for (key, want) in then["expect"].as_object().unwrap() {
        let got = match key.as_str() {
            "outcome" => Value::from("RESOLVED"),
            "profile" => got.profile.as_str().into(),
            "method" => got.method.as_str().into(),
            "ambiguous" => got.ambiguous.into(),
            "findings" => got.findings.iter().map(|f| f.code.as_str()).collect(),
            other => panic!("{id}: unknown expectation {other}"),
        };
        assert_eq!(&got, want, "{id}: {user} {key}");
    }
}

fn run(case: &Case) {
    let mut catalog = case.state.catalog(|_| {});
    for op in &case.ops {
        let context = Context {
            actor: Actor::system(),
            revision: catalog.revision + 1,
            time: Time::next_commit(Time::default(), catalog.time),
        };
        let want = op["expect"].as_object().unwrap();
        match plan(op, &catalog, &context) {
            Ok(plan) => {
                let next = catalog.apply(&plan.changes, context.revision, context.time);
                check_answer(&case.id, &plan, &affected(&catalog, &next, &plan.changes), want);
                if plan.changed() && !flag(op, "validate_only") {
                    catalog = next;
                }
            }
            Err(refusal) => match want.get("error") {
                Some(error) => check_refusal(&case.id, &refusal, error),
                None => panic!("{}: refused, but {want:?}: {refusal}", case.id),
            },
        }
        for then in op.get("then").and_then(Value::as_array).into_iter().flatten() {
            check_then(&case.id, &catalog, then);
        }
    }
}

#[test]
fn every_write_case_of_the_commands_so_far_holds() {
    let cases: Vec<Case> = load("writes.json");
    let (pending, ready): (Vec<_>, Vec<_>) =
        cases.iter().partition(|c| c.ops.iter().any(is_pending));
    ready.iter().for_each(|case| run(case));
    assert!(ready.len() >= 16, "only {} cases ran", ready.len());
    let names: Vec<_> = pending.iter().map(|c| c.id.as_str()).collect();
    println!("{} write cases hold; {} are pending: {}", ready.len(), names.len(), names.join(" "));
}
