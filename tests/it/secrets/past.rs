//! No secret is in the past, in a preview, in a bundle or in the audit: one table of what answers
//! of providers.

use serde_json::{Value, json};

use super::*;
use crate::{api::Api, secret_file, server::As};

/// Parts of the secrets, which differ from each other in their middle alone.
const FRONT: &str = "planted-before-it";
const BACK: &str = "planted-behind-it";

const NAME: &str = "channelProviders/contoso_voice";

fn secret(which: &str) -> Value {
    json!({"webhook_key": format!("{FRONT}-{which}-{BACK}")})
}

fn revision(answer: &Value) -> i64 {
    answer["write"]["revision"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_3_no_answer_about_the_past_or_the_future_holds_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let [data, ring] = ["data", "ring"].map(|name| folder.path().join(name));
    secret_file::write(&ring, new_key("old"));
    let server = Process::start(&data, &ring);
    let api = Api::over(server.channel().await, As::default());
    let provider = json!({"unique_name": "contoso_voice", "display_name": "Voice", "label": "Phone",
        "channel_url": "https://voice.contoso.com/", "adapter": "fake", "secrets": secret("one")});
    let create = json!({"channel_provider": provider, "reason": "a new vendor"});
    let first = revision(&api.ok("CreateChannelProvider", create).await);
    let update = |which: &str, label: &str| {
        let provider = json!({"unique_name": "contoso_voice", "label": label,
            "secrets": secret(which)});
        json!({"channel_provider": provider})
    };
    let second = revision(&api.ok("UpdateChannelProvider", update("two", "Desk")).await);
    let list = json!({"operations": [{"update_channel_provider": update("three", "Line")}]});
    let third = revision(&api.ok("ApplyChanges", list).await);
    let back = json!({"names": [NAME], "revision": first});
    let rolled_back = api.ok("Rollback", back.clone()).await;
    let rolled_back = (revision(&rolled_back), rolled_back);
    let pane = json!({"profile": {"unique_name": "contoso_rep", "display_name": "Rep",
        "providers": ["contoso_voice"]}});
    api.ok("CreateProfile", pane).await;

    let preview = json!({"operations": [{"update_channel_provider": update("four", "Other")}]});
    let refused = json!({"operations": [{"update_channel_provider": update("five", "")},
        {"delete_profile": {"name": "contoso_none"}}]});
    let of = |revision: i64| json!({"name": NAME, "revision": revision});
    let between =
        |old: i64, new: i64| json!({"name": NAME, "old_revision": old, "new_revision": new});
    let export = |more: Value| {
        let mut q = json!({"bundle": "contoso_base", "bundle_version": "1"});
        q.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        q
    };
    let table = [
        ("ListRevisions", json!({"name": NAME})),
        ("GetRevision", of(first)),
        ("GetRevision", of(second)),
        ("GetRevision", of(third)),
        ("GetRevision", of(rolled_back.0)),
        ("DiffRevisions", between(first, second)),
        ("DiffRevisions", between(second, third)),
        ("DiffRevisions", between(third, rolled_back.0)),
        ("Rollback", json!({"names": [NAME], "revision": second, "validate_only": true})),
        ("ListChanges", json!({})),
        ("WatchChanges", json!({"from_revision": first})),
        ("WatchChanges", json!({"from_revision": third})),
        ("Export", export(json!({}))),
        ("Export", export(json!({"profiles": ["contoso_rep"]}))),
        ("PreviewChanges", preview.clone()),
        ("PreviewChanges", refused.clone()),
        ("ApplyChanges", refused),
        ("ListAuditEntries", json!({})),
        ("ListAuditEntries", json!({"resource": NAME})),
        ("GetChannelProvider", json!({"name": "contoso_voice"})),
        ("ListFindings", json!({})),
    ];
    let mut seen = vec![("Rollback".to_owned(), rolled_back.1.to_string())];
    for (rpc, q) in table {
        let answer = match api.call(rpc, q.clone()).await {
            Ok(answer) => answer.to_string(),
            Err(status) => {
                assert!(q["operations"].as_array().is_some_and(|list| list.len() == 2), "{status}");
                format!("{status:?} {}", String::from_utf8_lossy(status.details()))
            }
        };
        seen.push((format!("{rpc} {}", q.to_string().len()), answer));
    }
    // Once more: by now the log has the audited reads.
    for rpc in ["ListAuditEntries", "PreviewChanges"] {
        let q = if rpc == "PreviewChanges" { preview.clone() } else { json!({}) };
        seen.push((rpc.to_owned(), api.ok(rpc, q).await.to_string()));
    }
    server.end();
    // The search sees what there is: the name of the provider, also within a chunk of a bundle.
    for rpc in
        ["ListRevisions", "GetRevision", "ListChanges", "WatchChanges", "Export", "PreviewChanges"]
    {
        let mut answers = seen.iter().filter(|(place, _)| place.starts_with(rpc));
        let named =
            |answer: &str| forms("contoso_voice").iter().any(|form| holds(answer.as_bytes(), form));
        let list = rpc == "ListRevisions";
        assert!(answers.any(|(_, answer)| list || named(answer)), "{rpc}: {seen:?}");
    }
    for form in [FRONT, BACK].into_iter().flat_map(forms) {
        let leaks: Vec<_> =
            seen.iter().filter(|(_, answer)| holds(answer.as_bytes(), &form)).collect();
        assert!(leaks.is_empty(), "{} in {leaks:?}", String::from_utf8_lossy(&form));
    }
}
