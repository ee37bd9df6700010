//! The fleet over the wire: reports of clients, lists, counts and marks (SPEC §10.7, §10.8).

use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::{
    api::{Api, Stream},
    server::{As, Running},
};

/// A server with a profile of its own for ann.
struct Desk {
    server: Running,
    admin: Api,
    ann: Api,
}

impl Desk {
    async fn new() -> Self {
        let server = Running::with(Vec::new()).await;
        let admin = Api::admin(&server);
        for user in ["ann", "bob"] {
            let user = json!({"user": {"id": user, "roles": ["msdyn_csr"]}});
            admin.ok("UpsertUser", user).await;
        }
        let profile = json!({"unique_name": "contoso_rep", "display_name": "Rep"});
        admin.ok("CreateProfile", json!({"profile": profile})).await;
        admin.ok("AddUsers", json!({"name": "contoso_rep", "users": ["ann"]})).await;
        let ann = Api::of(&server, As::new(Some("ann"), Some("agent")));
        Self { server, admin, ann }
    }

    /// A stream of ann's client, and the profile that it begins with.
    async fn watch(&self) -> (Stream, Value) {
        let mut stream = self.ann.stream("WatchProfile", json!({"client_id": "desk"})).await;
        let first = stream.next().await.unwrap()["snapshot"]["profile"].clone();
        (stream, first)
    }

    async fn describe(&self, text: &str) {
        let profile = json!({"unique_name": "contoso_rep", "description": text});
        self.admin.ok("UpdateProfile", json!({"profile": profile})).await;
    }

    /// The one client that a filter lets pass.
    async fn client(&self, filter: &str) -> Value {
        let page = self.admin.ok("ListFleetStatus", json!({"filter": filter})).await;
        let clients = page["clients"].as_array().cloned().unwrap_or_default();
        assert_eq!(clients.len(), 1, "{filter}: {page}");
        clients[0].clone()
    }

    async fn state(&self) -> String {
        self.client("").await["state"].as_str().unwrap().to_owned()
    }
}

/// A report on a profile.
fn report(profile: &Value, status: &str) -> Value {
    json!({"client_id": "desk", "revision": profile["revision"], "digest": profile["digest"],
        "status": format!("REPORTED_STATUS_{status}")})
}

fn rejection(profile: &Value) -> Value {
    let mut report = report(profile, "REJECTED");
    report["reason"] = "REJECT_REASON_CLIENT_TOO_OLD".into();
    report["detail"] = "needs 2.0".into();
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_8_the_fleet_shows_what_was_sent_applied_and_rejected() {
    let desk = Desk::new().await;
    let (mut stream, first) = desk.watch().await;
    let client = desk.client("").await;
    assert_eq!((&client["user"], &client["client_id"]), (&json!("users/ann"), &json!("desk")));
    assert_eq!(client["state"], "CLIENT_STATE_PENDING");
    assert_eq!(client["connected"], true);
    assert_eq!(client["sent"]["digest"], first["digest"]);
    assert_eq!(client["sent"]["profile"], "contoso_rep");
    assert!(client["applied"].is_null() && client["received"].is_null());
    for status in ["RECEIVED", "APPLIED"] {
        let answer = desk.ann.ok("ReportProfileStatus", report(&first, status)).await;
        assert_ne!(answer["stale"], true);
    }
    assert_eq!(desk.state().await, "CLIENT_STATE_CURRENT");

    desk.describe("new").await;
    let second = stream.next().await.unwrap()["snapshot"]["profile"].clone();
    desk.ann.ok("ReportProfileStatus", rejection(&second)).await;
    let client = desk.client("state = \"REJECTED\" AND profile = \"profiles/contoso_rep\"").await;
    assert_eq!(client["rejected"]["digest"], second["digest"]);
    assert_eq!(client["applied"]["digest"], first["digest"]);
    assert_eq!(client["reject_reason"], "REJECT_REASON_CLIENT_TOO_OLD");
    assert_eq!(client["reject_detail"], "needs 2.0");
    let stale = desk.ann.ok("ReportProfileStatus", report(&first, "APPLIED")).await;
    assert_eq!(stale["stale"], true);
    assert_eq!(desk.state().await, "CLIENT_STATE_REJECTED");
    drop(stream);
    // The end of the connection is noticed by the server in its own time.
    loop {
        if desk.client("").await["connected"] != true {
            break;
        }
    }
    assert_eq!(desk.state().await, "CLIENT_STATE_DISCONNECTED");
    desk.server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_7_a_bad_report_is_refused_and_changes_nothing() {
    let desk = Desk::new().await;
    let (stream, first) = desk.watch().await;
    desk.ann.ok("ReportProfileStatus", report(&first, "APPLIED")).await;
    let before = desk.client("").await;
    let with = |field: &str, value: Value| {
        let mut report = report(&first, "APPLIED");
        report[field] = value;
        report
    };
    let invalid = [
        ("client_id", json!("")),
        ("client_id", json!("a b")),
        ("client_id", json!("x".repeat(65))),
        ("revision", json!("0")),
        ("revision", json!("-1")),
        ("revision", json!("9007199254740992")),
        ("digest", json!("")),
        ("digest", json!("x".repeat(129))),
        ("status", json!("REPORTED_STATUS_UNSPECIFIED")),
        ("status", json!(9)),
        ("status", json!("REPORTED_STATUS_REJECTED")),
        ("reason", json!("REJECT_REASON_OTHER")),
        ("reason", json!(9)),
        ("detail", json!("x".repeat(1_001))),
        ("app", json!(99)),
    ];
    for (field, value) in invalid {
        let status = desk.ann.call("ReportProfileStatus", with(field, value.clone())).await;
        let status = status.expect_err(field);
        assert_eq!(status.code(), Code::InvalidArgument, "{field} {value}: {status}");
        let details = status.get_error_details();
        let named = &details.bad_request().unwrap().field_violations[0].field;
        let wanted = if value == "REPORTED_STATUS_REJECTED" { "reason" } else { field };
        assert_eq!(named, wanted, "{value}");
    }
    let refusals = [
        ("digest", json!("d1:other"), Code::FailedPrecondition, "NOT_SENT"),
        ("revision", json!("1000000"), Code::FailedPrecondition, "NOT_SENT"),
        ("app", json!("APP_MOBILE"), Code::FailedPrecondition, "APP_NOT_APPLICABLE"),
        ("user", json!("bob"), Code::PermissionDenied, "SELF_ONLY"),
    ];
    for (field, value, code, reason) in refusals {
        let refused = desk.ann.refused("ReportProfileStatus", with(field, value)).await;
        assert_eq!(refused, (code, reason.to_owned()), "{field}");
    }
    let admin = desk.admin.refused("ReportProfileStatus", with("user", json!("ann"))).await;
    assert_eq!(admin, (Code::PermissionDenied, "SCOPE_REQUIRED".to_owned()));
    assert_eq!(desk.client("").await, before);
    drop(stream);
    desk.server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_8_an_unchanged_page_is_empty() {
    let desk = Desk::new().await;
    let (stream, first) = desk.watch().await;
    desk.ann.ok("ReportProfileStatus", report(&first, "APPLIED")).await;
    for (rpc, content) in [("ListFleetStatus", "clients"), ("GetFleetSummary", "all")] {
        let filter = "user = \"ann\"";
        let whole = desk.admin.ok(rpc, json!({"filter": filter})).await;
        assert!(!whole[content].is_null() && whole["unchanged"] != true, "{whole}");
        let again = json!({"filter": filter, "if_changed_since": whole["mark"]});
        let same = desk.admin.ok(rpc, again.clone()).await;
        assert_eq!((&same["unchanged"], &same["mark"]), (&json!(true), &whole["mark"]), "{rpc}");
        assert!(same[content].is_null() || same[content] == json!([]), "{same}");
        // Of other arguments, made up, or before something changed.
        let other = json!({"filter": "user = \"bob\"", "if_changed_since": whole["mark"]});
        assert_ne!(desk.admin.ok(rpc, other).await["unchanged"], true);
        let made_up = json!({"filter": filter, "if_changed_since": "x.y"});
        assert_ne!(desk.admin.ok(rpc, made_up).await["unchanged"], true);
        desk.ann.ok("ReportProfileStatus", rejection(&first)).await;
        let later = desk.admin.ok(rpc, again).await;
        assert_ne!(later["unchanged"], true);
        assert_ne!(later["mark"], whole["mark"]);
        desk.ann.ok("ReportProfileStatus", report(&first, "APPLIED")).await;
    }
    drop(stream);
    desk.server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_8_the_summary_says_whether_all_are_on_a_revision() {
    let desk = Desk::new().await;
    let (mut stream, first) = desk.watch().await;
    let other = json!({"user": "bob", "client_id": "desk-2"});
    let service = Api::of(&desk.server, As::new(None, Some("service")));
    let mut bobs = service.stream("WatchProfile", other).await;
    let theirs = bobs.next().await.unwrap()["snapshot"]["profile"].clone();
    let summary = async |q: Value| desk.admin.ok("GetFleetSummary", q).await;
    let none = summary(json!({})).await;
    assert_eq!((&none["all"]["total"], &none["all"]["pending"]), (&json!(2), &json!(2)));
    assert_eq!((none["all_on_revision"] == true, &none["behind"]), (false, &json!(2)));
    desk.ann.ok("ReportProfileStatus", report(&first, "APPLIED")).await;
    let bob = Api::of(&desk.server, As::new(Some("bob"), Some("agent")));
    let mut applied = report(&theirs, "APPLIED");
    applied["client_id"] = "desk-2".into();
    bob.ok("ReportProfileStatus", applied).await;
    let all = summary(json!({})).await;
    assert_eq!(all["all_on_revision"], true, "{all}");
    let profiles = all["profiles"].as_array().unwrap();
    let of = |name: &str| profiles.iter().find(|p| p["profile"] == name).unwrap();
    assert_eq!(of("contoso_rep")["counts"]["current"], 1);

    desk.describe("new").await;
    let revision = desk.admin.revision().await;
    let second = stream.next().await.unwrap()["snapshot"]["profile"].clone();
    let behind = summary(json!({"on_revision": revision})).await;
    assert_eq!((behind["all_on_revision"] == true, &behind["behind"]), (false, &json!(1)));
    let filter = format!("connected = true AND revision < {revision}");
    assert_eq!(desk.client(&filter).await["user"], "users/ann");
    let before = summary(json!({"on_revision": revision - 1})).await;
    assert_eq!(before["all_on_revision"], true, "the change is no matter of an older revision");
    desk.ann.ok("ReportProfileStatus", report(&second, "APPLIED")).await;
    assert_eq!(summary(json!({"on_revision": revision})).await["all_on_revision"], true);

    // Disabled and application users are never counted.
    desk.admin.ok("DisableUser", json!({"name": "bob"})).await;
    let left = summary(json!({})).await;
    assert_eq!(left["all"]["total"], 1);
    drop((stream, bobs));
    desk.server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_8_clients_are_paged_in_order_and_distinguish_cases() {
    let desk = Desk::new().await;
    let (_, first) = desk.watch().await;
    for client in ["b", "A", "a", "B", "desk.1"] {
        desk.ann.ok("ResolveProfile", json!({"client_id": client})).await;
        let mut applied = report(&first, "APPLIED");
        applied["client_id"] = client.into();
        desk.ann.ok("ReportProfileStatus", applied).await;
    }
    let (mut found, mut token) = (Vec::new(), json!(""));
    loop {
        let q = json!({"page_size": 2, "page_token": token, "filter": "client_id != \"desk\""});
        let page = desk.admin.ok("ListFleetStatus", q).await;
        let clients = page["clients"].as_array().cloned().unwrap_or_default();
        found.extend(clients.iter().map(|c| c["client_id"].as_str().unwrap().to_owned()));
        token = page["next_page_token"].clone();
        if token.as_str().is_none_or(str::is_empty) {
            break;
        }
    }
    assert_eq!(found, ["A", "B", "a", "b", "desk.1"]);
    let bad = desk.admin.refused("ListFleetStatus", json!({"filter": "colour = \"red\""})).await;
    assert_eq!(bad, (Code::InvalidArgument, "FILTER_INVALID".to_owned()));
    desk.server.end().await;
}
