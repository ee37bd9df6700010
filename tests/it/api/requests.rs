//! Repetitions of a request, and what a write that is only asked about leaves alone (SPEC §7.1).

use std::sync::Arc;

use deskplane::store::durable::{self, Durable};
use serde_json::{Value, json};
use tonic::Code;

use super::Api;
use crate::server::{As, Running};

const ID: &str = "6f1c1f5e-58a3-4c0e-9a51-3d6f1f0a7b11";

fn create(name: &str, id: &str) -> Value {
    json!({"profile": {"unique_name": name, "display_name": "Rep"}, "request_id": id})
}

fn reused() -> (Code, String) {
    (Code::InvalidArgument, "REQUEST_ID_REUSED".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_gets_the_first_answer_and_does_nothing() {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    let first = api.ok("CreateProfile", create("contoso_rep", ID)).await;
    let update = json!({"profile": {"name": "contoso_rep", "description": "Later"}});
    api.ok("UpdateProfile", update).await;
    let before = api.revision().await;
    for (field, value) in [("reason", "again"), ("request_id", &ID.to_uppercase())] {
        let mut again = create("contoso_rep", ID);
        again[field] = value.into();
        assert_eq!(api.ok("CreateProfile", again).await, first, "{field}");
    }
    assert_eq!(api.refused("CreateProfile", create("contoso_other", ID)).await, reused());
    let delete = json!({"name": "contoso_rep", "request_id": ID});
    assert_eq!(api.refused("DeleteProfile", delete).await, reused());
    assert_eq!(api.revision().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_is_answered_whatever_happened_since() {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    api.ok("CreateProfile", create("contoso_rep", "")).await;
    let rank = |rank| json!({"name": "contoso_rep", "rank": rank, "roles": ["msdyn_csr"]});
    api.ok("SetRankAndRoles", rank(3)).await;
    // The whole resource as it was read, with its etag and with what no update may change.
    let mut profile = api.ok("GetProfile", json!({"name": "contoso_rep"})).await;
    profile["description"] = "New".into();
    let update = json!({"profile": profile, "request_id": ID});
    let first = api.ok("UpdateProfile", update.clone()).await;
    assert_eq!(first["write"]["changed"], true);
    api.ok("SetRankAndRoles", rank(4)).await;
    assert_eq!(api.ok("UpdateProfile", update.clone()).await, first);
    api.ok("DeleteProfile", json!({"name": "contoso_rep", "force": true})).await;
    assert_eq!(api.ok("UpdateProfile", update).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_do_not_share_request_ids() {
    let server = Running::with(Vec::new()).await;
    let [ann, bob] =
        ["ann", "bob"].map(|user| Api::of(&server, As::new(Some(user), Some("admin"))));
    ann.ok("CreateProfile", create("contoso_rep", ID)).await;
    let refused = bob.refused("CreateProfile", create("contoso_rep", ID)).await;
    assert_eq!(refused, (Code::AlreadyExists, "UNIQUE_NAME_TAKEN".into()));
    bob.ok("CreateProfile", create("contoso_lead", ID)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_in_flight_have_one_effect_and_one_answer() {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    let before = api.revision().await;
    let copies = (0..8).map(|_| api.ok("CreateProfile", create("contoso_rep", ID)));
    let answers = futures_util::future::join_all(copies).await;
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    assert_eq!(answers[0]["write"]["revision"], before + 1);
    assert_eq!(api.revision().await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_kept_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = async || {
        let settings = durable::Settings { min_free_bytes: 0, ..durable::Settings::default() };
        let store = Durable::open(folder.path(), settings).await.unwrap();
        Running::over(Arc::new(store)).await
    };
    let server = open().await;
    let first = Api::admin(&server).ok("CreateProfile", create("contoso_rep", ID)).await;
    server.end().await;
    let server = open().await;
    let api = Api::admin(&server);
    let before = api.revision().await;
    assert_eq!(api.ok("CreateProfile", create("contoso_rep", ID)).await, first);
    assert_eq!(api.refused("CreateProfile", create("contoso_other", ID)).await, reused());
    assert_eq!(api.revision().await, before);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_committed_answers_are_kept() {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    let default = json!({"name": "contoso_rep", "request_id": ID});
    let refused = api.refused("SetDefault", default.clone()).await;
    assert_eq!(refused, (Code::NotFound, "PROFILE_NOT_FOUND".into()));
    let mut asked = create("contoso_rep", ID);
    asked["validate_only"] = true.into();
    api.ok("CreateProfile", asked).await;
    api.ok("CreateProfile", create("contoso_rep", "")).await;
    // A no-op under the id is validated again and keeps nothing either.
    let none = json!({"name": "contoso_rep", "request_id": ID});
    assert_eq!(api.ok("RemoveDefault", none).await["write"]["changed"], false);
    assert_eq!(api.ok("SetDefault", default.clone()).await["write"]["changed"], true);
    // Now the id is taken, but not for a call that is only asked about.
    let mut asked = create("contoso_lead", ID);
    assert_eq!(api.refused("CreateProfile", asked.clone()).await, reused());
    asked["validate_only"] = true.into();
    assert_eq!(api.ok("CreateProfile", asked).await["write"]["changed"], true);
    api.ok("RemoveDefault", json!({"name": "contoso_rep"})).await;
    let replayed = api.ok("SetDefault", default).await;
    assert_eq!(replayed["profile"]["is_default"], true);
    let now = api.ok("GetProfile", json!({"name": "contoso_rep"})).await;
    assert_eq!(now["is_default"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_fields_come_before_the_question_whether_an_id_is_known() {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    api.ok("CreateProfile", create("contoso_rep", ID)).await;
    let mut bad = create("bad name", "no uuid");
    bad["reason"] = "x".repeat(501).into();
    let status = api.call("CreateProfile", bad).await.unwrap_err();
    let fields: Vec<_> = tonic_types::StatusExt::get_details_bad_request(&status)
        .unwrap()
        .field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect();
    for field in ["request_id", "reason", "unique_name"] {
        assert!(fields.iter().any(|found| found == field), "{field} in {fields:?}");
    }
    let refused = api.refused("CreateProfile", create("bad name", ID)).await;
    assert_eq!(refused, (Code::InvalidArgument, "UNIQUE_NAME_INVALID".into()));
    let denied = Api::of(&server, As::new(None, Some("agent")));
    let refused = denied.refused("CreateProfile", create("bad name", ID)).await;
    assert_eq!(refused, (Code::PermissionDenied, "SCOPE_REQUIRED".into()));
}
