//! Write cases through the pure commands. Operations without a command yet make a case pending; it
//! is counted and named.

use std::collections::{BTreeMap, BTreeSet};

use deskplane::{
    auth,
    catalog::Catalog,
    command::{
        AddUsers, Affected, CloneProfile, Context, CreateProfile, DeleteProfile, Displace, Plan,
        ProfilePatch, RemoveDefault, RemoveRankAndRoles, RemoveUsers, SetDefault, SetProfileState,
        SetRankAndRoles, UpdateProfile, affected,
    },
    domain::{
        Actor, Change, Refusal, State, Time, UniqueName, UserId,
        copilot::Setting,
        profile::{InboxView, PaneTool},
    },
    resolve::{Outcome, resolve},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    load,
    resolution::content_differs,
    state::{self, CaseState},
};

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

/// Operations of the cases' README that are not commands yet; they make a case pending.
const PENDING: &[&str] = &[
    "set_user_roles",
    "disable_user",
    "enable_user",
    "delete_user",
    "delete_role",
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

/// Request ids and update masks are judged above the commands: such cases are pending.
fn is_pending(op: &Map<String, Value>) -> bool {
    let immutable = op.get("set").is_some_and(|set| set.get("unique_name").is_some());
    PENDING.contains(&text(op, "op")) || op.contains_key("request_id") || immutable
}

const KEYS: &[&str] = &[
    "op",
    "caller",
    "profile",
    "users",
    "move",
    "rank",
    "roles",
    "displace",
    "replace_current",
    "features",
    "drop_rank_and_roles",
    "override_managed",
    "validate_only",
    "expect",
    "then",
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
];

/// The assignment operations.
fn assignment(
    op: &Map<String, Value>,
    catalog: &Catalog,
    context: &Context,
) -> Result<Plan, Refusal> {
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
        _ => content(op, profile, catalog, context),
    }
}

fn views(op: &Map<String, Value>) -> Vec<InboxView> {
    let list = op["views"].as_array().unwrap();
    list.iter()
        .map(|view| InboxView {
            name: view["name"].as_str().unwrap().to_owned(),
            visible: view["visible"].as_bool().unwrap(),
            record_types: serde_json::from_value(view["record_types"].clone()).unwrap(),
            ..InboxView::default()
        })
        .collect()
}

/// The operations on content.
fn content(
    op: &Map<String, Value>,
    profile: UniqueName,
    catalog: &Catalog,
    context: &Context,
) -> Result<Plan, Refusal> {
    let mut patch = ProfilePatch::default();
    let mut links = Vec::new();
    let mut template = None;
    let operation = match text(op, "op") {
        "update_profile" => {
            let set = op["set"].as_object().unwrap();
            assert!(set.keys().all(|k| k == "display_name"), "unknown field in {set:?}");
            patch.display_name = Some(text(set, "display_name").to_owned());
            "UPDATE"
        }
        "set_inbox" => {
            patch.inbox_enabled = Some(flag(op, "enabled"));
            patch.inbox_views = Some(views(op));
            "SET_INBOX"
        }
        "set_channels" => {
            patch.all_active_channels = Some(flag(op, "all_active_channels"));
            "SET_CHANNELS"
        }
        "set_pane" => {
            patch.pane_on = Some(flag(op, "pane_on"));
            patch.pane_tools = op.contains_key("tools").then(|| pane_tools(&texts(op, "tools")));
            "SET_PANE"
        }
        "set_copilot" => {
            patch.copilot_merge = op["features"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(feature, setting)| (feature.clone(), copilot(setting.as_str().unwrap())))
                .collect();
            "SET_COPILOT"
        }
        "add_entity_template" => {
            template = Some(UniqueName::parse(text(op, "template")).unwrap());
            "ADD_SESSION_TEMPLATE"
        }
        "link_providers" => {
            let list = op["providers"].as_array().unwrap();
            links = list
                .iter()
                .map(|p| UniqueName::parse(p["unique_name"].as_str().unwrap()).unwrap())
                .collect();
            "LINK_PROVIDERS"
        }
        other => panic!("unknown operation {other}"),
    };
    let mut update = UpdateProfile::new(profile, operation, patch);
    update.link = links;
    update.add_session_template = template;
    update.etag = op.get("if_etag").map(|etag| etag.as_str().unwrap().to_owned());
    update.plan(catalog, context)
}

fn pane_tools(short: &[String]) -> Vec<PaneTool> {
    let tool = |(at, name): (usize, &String)| PaneTool {
        tool: UniqueName::parse(&format!("msdyn_tool_{name}")).unwrap(),
        enabled: true,
        order: at as i32,
        label: String::new(),
        tooltip: String::new(),
        icon: String::new(),
    };
    short.iter().enumerate().map(tool).collect()
}

fn copilot(setting: &str) -> Setting {
    match setting {
        "ON" => Setting::On,
        "OFF" => Setting::Off,
        "UNSET" => Setting::Unset,
        other => panic!("setting {other}"),
    }
}

/// The caller of an operation: an administrator unless the operation names another.
fn caller(op: &Map<String, Value>, catalog: &Catalog) -> Result<Actor, Refusal> {
    let Some(caller) = op.get("caller").and_then(Value::as_object) else {
        return Ok(Actor::system());
    };
    auth::caller(Some(text(caller, "user")), Some(&texts(caller, "scopes").join(",")), catalog)
}

/// The RPC of an operation on a profile.
fn rpc(op: &Map<String, Value>) -> String {
    let words = match text(op, "op") {
        "add_entity_template" => "add_session_template",
        other => other,
    };
    let method = words.split('_').map(|word| word[..1].to_ascii_uppercase() + &word[1..]);
    format!("deskplane.v1.ProfileService/{}", method.collect::<String>())
}

fn plan(op: &Map<String, Value>, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
    let call = auth::Call { validate_only: flag(op, "validate_only"), ..auth::Call::default() };
    auth::authorize(&rpc(op), &context.actor, &call)?;
    for key in op.keys() {
        assert!(KEYS.contains(&key.as_str()), "unknown key {key}");
    }
    let named = |key: &str| UniqueName::parse(text(op, key)).unwrap();
    let state = |state| SetProfileState { profile: named("profile"), etag: None, state };
    match text(op, "op") {
        "create_profile" => CreateProfile {
            unique_name: text(op, "unique_name").to_owned(),
            patch: ProfilePatch {
                display_name: Some(text(op, "display_name").to_owned()),
                ..ProfilePatch::default()
            },
        }
        .plan(catalog, context),
        "clone_profile" => CloneProfile {
            source: named("source"),
            unique_name: text(op, "unique_name").to_owned(),
            display_name: text(op, "display_name").to_owned(),
        }
        .plan(catalog, context),
        "activate_profile" => state(State::Active).plan(catalog, context),
        "deactivate_profile" => state(State::Inactive).plan(catalog, context),
        "delete_profile" => {
            DeleteProfile { profile: named("profile"), etag: None, force: flag(op, "force") }
                .plan(catalog, context)
        }
        "get_profile" => Ok(Plan::default()),
        _ => assignment(op, catalog, context),
    }
}

/// The catalog with the templates and providers that an operation names and that do not exist.
fn prepared(op: &Map<String, Value>, catalog: Catalog) -> Catalog {
    let mut changes = Vec::new();
    if text(op, "op") == "add_entity_template"
        && catalog.session_templates.find(text(op, "template")).is_none()
    {
        changes.push(state::new_template(text(op, "template"), text(op, "entity")));
    }
    for provider in op.get("providers").and_then(Value::as_array).into_iter().flatten() {
        changes.push(state::new_provider(provider["unique_name"].as_str().unwrap()));
    }
    let changes: Vec<_> = changes.into_iter().map(Change::Put).collect();
    let (revision, time) = (catalog.revision, catalog.time);
    catalog.apply(&changes, revision, time)
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
            "content" => {
                let differs = content_differs(catalog, &user, &got.profile, want);
                assert!(differs.is_empty(), "{id}: {user}: {differs:?}");
                continue;
            }
            "findings" => got.findings.iter().map(|f| f.code.as_str()).collect(),
            other => panic!("{id}: unknown expectation {other}"),
        };
        assert_eq!(&got, want, "{id}: {user} {key}");
    }
}

fn run(case: &Case) {
    let mut catalog = case.state.catalog(|_| {});
    let mut etags: BTreeMap<String, String> = BTreeMap::new();
    for op in &case.ops {
        let mut op = op.clone();
        catalog = prepared(&op, catalog);
        if let Some(saved) = op.get_mut("if_etag") {
            *saved = Value::String(etags[saved.as_str().unwrap()].clone());
        }
        if op.contains_key("save_etag") {
            let profile = catalog.profiles.find(text(&op, "profile")).unwrap();
            etags.insert(text(&op, "save_etag").to_owned(), profile.stamp.etag());
        }
        let op = &op;
        let context = Context {
            actor: caller(op, &catalog).unwrap(),
            revision: catalog.revision + 1,
            time: Time::next_commit(Time::default(), catalog.time),
            uid: uuid::Uuid::from_u128(catalog.revision as u128),
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
    assert!(ready.len() >= 30, "only {} cases ran", ready.len());
    let names: Vec<_> = pending.iter().map(|c| c.id.as_str()).collect();
    println!("{} write cases hold; {} are pending: {}", ready.len(), names.len(), names.join(" "));
}
