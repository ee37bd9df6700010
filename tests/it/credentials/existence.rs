//! An agent does not learn whether another user exists: not by the code, the text, the details or the
//! metadata of a refusal. That its time says nothing follows from the order of the checks, which
//! `auth::tests` has: what refuses is not handed a catalog.

use serde_json::json;
use tonic::Status;

use super::world::*;
use crate::api::{
    reason,
    scopes::{ABOUT_SOMEBODY, add_users},
};

/// All that a refusal says, with the id of the user taken out. Ids of one length keep the lengths of
/// what encloses them.
fn said(status: &Status, id: &str) -> String {
    let (details, fields) = (String::from_utf8_lossy(status.details()), status.metadata());
    let mut fields: Vec<_> = fields.clone().into_headers().into_iter().collect();
    fields.retain(|(name, _)| name.as_ref().is_none_or(|name| name != "date"));
    let said = format!("{:?} {} {details} {fields:?}", status.code(), status.message());
    // The id of the request alone differs from call to call.
    let request = status.metadata().get("x-request-id").unwrap().to_str().unwrap();
    said.replace(id, "ID").replace(request, "REQUEST")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_refusal_says_whether_another_user_exists() {
    let world = World::new().await;
    let admin = world.admin();
    add_users(&admin).await;
    let rows = [("is.there", true), ("disabled", false), ("was.here", true)];
    for (id, enabled) in rows {
        admin.ok("UpsertUser", json!({"user": {"id": id}})).await;
        if !enabled {
            admin.ok("DisableUser", json!({"name": id})).await;
        }
    }
    admin.ok("DeleteUser", json!({"name": "was.here"})).await;
    let profile = json!({"profile": {"unique_name": "contoso_rep", "display_name": "R"}});
    admin.ok("CreateProfile", profile).await;
    admin.ok("AddUsers", json!({"name": "contoso_rep", "users": ["is.there"]})).await;
    admin.ok("UpdateSettings", json!({"settings": {"allow_agent_explain": true}})).await;

    // The third spelling is one of a user who is there: it would come back as stored if he were
    // searched for.
    let ids = ["is.there", "disabled", "IS.There", "was.here", "nobody.x"];
    for (caller, scopes) in [("agent.one", "deskplane.agent"), ("tools.one", "")] {
        let agent = world.api(&world.jwt(caller, scopes));
        for method in ABOUT_SOMEBODY {
            let mut answers = Vec::new();
            for id in ids {
                for name in [id.to_owned(), format!("users/{id}")] {
                    let refused = agent.call(method, json!({"user": name})).await.unwrap_err();
                    assert_eq!(reason(&refused), "SELF_ONLY", "{method} {name}");
                    answers.push(said(&refused, id));
                }
            }
            answers.dedup();
            assert_eq!(answers.len(), 1, "{method} as {caller}: {answers:?}");
        }
    }
}
