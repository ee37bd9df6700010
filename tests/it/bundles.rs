//! Bundles over the wire (SPEC §11.4): out of one organisation, into another, and away again.

mod adoption;
mod hostile;
mod worlds;

use deskplane_proto::v1::{self, transfer_service_client::TransferServiceClient};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::{
    api::{Api, reason},
    server::{As, Running},
};

/// The organisation of the hostile tests: an object of every kind.
const WORLD: &str = include_str!("../data/hostile/world.json");

/// A server with that organisation.
async fn world() -> Running {
    let server = Running::with(Vec::new()).await;
    let calls: Vec<(String, Value)> = serde_json::from_str(WORLD).unwrap();
    for (rpc, q) in calls {
        Api::admin(&server).ok(rpc.rsplit('/').next().unwrap(), q).await;
    }
    server
}

/// A server with the users and roles of that organisation and nothing else of it.
async fn target() -> Running {
    let server = Running::with(Vec::new()).await;
    let calls: Vec<(String, Value)> = serde_json::from_str(WORLD).unwrap();
    for (rpc, q) in calls.into_iter().filter(|(rpc, _)| rpc.starts_with("DirectoryService/Upsert"))
    {
        Api::admin(&server).ok(rpc.rsplit('/').next().unwrap(), q).await;
    }
    server
}

fn everything() -> v1::ExportRequest {
    v1::ExportRequest {
        bundle: "contoso_base".into(),
        bundle_version: "1.4.0".into(),
        ..Default::default()
    }
}

/// The bytes of a bundle.
async fn export(server: &Running, q: v1::ExportRequest) -> Result<Vec<u8>, Status> {
    let mut client = TransferServiceClient::new(server.channel(As::default()));
    let mut chunks = client.export(q).await?.into_inner();
    let (mut bundle, mut total) = (Vec::new(), 0);
    while let Some(message) = chunks.message().await? {
        assert!(message.chunk.len() <= 1 << 20 && message.revision > 0);
        bundle.extend_from_slice(&message.chunk);
        total = message.total_bytes;
    }
    assert_eq!(bundle.len() as i64, total);
    Ok(bundle)
}

/// The messages of an upload in chunks of so many bytes.
fn upload(first: v1::ImportRequest, bundle: &[u8], size: usize) -> Vec<v1::ImportRequest> {
    let chunks = bundle
        .chunks(size)
        .map(|chunk| v1::ImportRequest { chunk: chunk.to_vec().into(), ..Default::default() });
    std::iter::once(first).chain(chunks).collect()
}

async fn send(
    server: &Running,
    messages: Vec<v1::ImportRequest>,
) -> Result<v1::ImportResponse, Status> {
    let mut client = TransferServiceClient::new(server.channel(As::default()));
    let messages = futures_util::stream::iter(messages);
    Ok(client.import(messages).await?.into_inner())
}

pub(crate) async fn import(
    server: &Running,
    options: v1::ImportOptions,
    bundle: &[u8],
) -> Result<v1::ImportResponse, Status> {
    let first = v1::ImportRequest { options: Some(options), ..Default::default() };
    send(server, upload(first, bundle, 1 << 20)).await
}

/// A bundle written by hand, without a hash.
fn by_hand(objects: &Value) -> Vec<u8> {
    json!({"format_version": 1, "name": "gold_pack", "version": "1", "objects": objects})
        .to_string()
        .into_bytes()
}

/// A profile with a rank, and the session template that it refers to.
pub(crate) fn gold_pack() -> Vec<u8> {
    by_hand(&json!({
        "profiles": [{"unique_name": "gold_rep", "display_name": "Gold",
            "session_templates": ["gold_case"], "rank": 3, "roles": ["msdyn_csr"]}],
        "sessionTemplates": [{"unique_name": "gold_case", "display_name": "Case",
            "type": "SESSION_TEMPLATE_TYPE_ENTITY", "entity": "incident"}],
    }))
}

fn overwriting() -> v1::ImportOptions {
    v1::ImportOptions { on_existing: v1::OnExisting::Overwrite.into(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_4_a_bundle_comes_out_of_another_organisation_with_the_same_bytes() {
    let (from, to) = (world().await, target().await);
    let bundle = export(&from, everything()).await.unwrap();
    assert_eq!(bundle, export(&from, everything()).await.unwrap(), "twice the same");
    let text = String::from_utf8(bundle.clone()).unwrap();
    for kept_back in
        ["\"uid\"", "\"etag\"", "_time\"", "health", "secret", "msdyn_csw_default_profile"]
    {
        assert!(!text.contains(kept_back), "{kept_back}");
    }
    // In small pieces: messages and resources are cut wherever it comes.
    let first = v1::ImportRequest { options: Some(Default::default()), ..Default::default() };
    let answer = send(&to, upload(first, &bundle, 1_000)).await.unwrap();
    assert_eq!(answer.created as usize, answer.objects.len());
    assert_eq!((answer.bundle.as_str(), answer.bundle_version.as_str()), ("contoso_base", "1.4.0"));
    let collections: std::collections::BTreeSet<_> =
        answer.objects.iter().filter_map(|object| object.name.split_once('/')).collect();
    assert!(collections.len() > 10, "{collections:?}");
    assert_eq!(export(&to, everything()).await.unwrap(), bundle);
    // Back to where it came from, it changes nothing; only what was managed there is locked.
    let answer =
        import(&from, v1::ImportOptions { managed: false, ..overwriting() }, &bundle).await;
    assert_eq!(reason(&answer.unwrap_err()), "MANAGED_READ_ONLY");
    let again = import(&to, overwriting(), &bundle).await.unwrap();
    assert_eq!(
        (again.unchanged, again.write.unwrap().changed),
        (answer_count(&again.objects), false)
    );
    for server in [from, to] {
        server.end().await;
    }
}

fn answer_count(objects: &[v1::ImportedObject]) -> i32 {
    i32::try_from(objects.len()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_4_named_profiles_bring_what_they_refer_to_and_nothing_else() {
    let server = world().await;
    let api = Api::admin(&server);
    let q = |profiles: &[&str]| v1::ExportRequest {
        profiles: profiles.iter().map(|&name| name.to_owned()).collect(),
        ..everything()
    };
    let bundle = export(&server, q(&["profiles/CONTOSO_rep"])).await.unwrap();
    let bundle: Value = serde_json::from_slice(&bundle).unwrap();
    let names = |collection: &str| -> Vec<String> {
        let list = bundle["objects"][collection].as_array().into_iter().flatten();
        list.map(|object| object["unique_name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("profiles"), ["contoso_rep"]);
    assert_eq!(names("channelProviders"), ["contoso_dial", "contoso_voice"]);
    assert_eq!(names("productivityTools"), ["contoso_tool"]);
    assert_eq!(names("sessionTemplates"), ["contoso_case"]);
    assert!(names("queues").is_empty() && names("workstreams").is_empty());
    let profile = &bundle["objects"]["profiles"][0];
    assert_eq!(
        (profile["rank"].as_i64(), &profile["roles"]),
        (Some(10), &json!(["securityRoles/contoso_agents"]))
    );
    let missing = export(&server, q(&["contoso_none"])).await.unwrap_err();
    assert_eq!(reason(&missing), "PROFILE_NOT_FOUND");
    let built_in = export(&server, q(&["msdyn_csw_default_profile"])).await.unwrap_err();
    assert_eq!(reason(&built_in), "FIELD_INVALID");
    let installed =
        |name: &str| v1::ExportRequest { installed_bundle: name.into(), ..everything() };
    let pack = export(&server, installed("PACK_one")).await.unwrap();
    let pack: Value = serde_json::from_slice(&pack).unwrap();
    assert_eq!(pack["objects"]["queues"][0]["unique_name"], "pack_queue");
    assert_eq!(pack["objects"].as_object().unwrap().len(), 1);
    let unknown = export(&server, installed("pack_none")).await.unwrap_err();
    assert_eq!(reason(&unknown), "OBJECT_NOT_FOUND");
    let both = v1::ExportRequest { profiles: vec!["contoso_rep".into()], ..installed("pack_one") };
    assert_eq!(reason(&export(&server, both).await.unwrap_err()), "FIELD_INVALID");
    let bad = json!({"bundle": "bad", "bundle_version": ""});
    assert_eq!(
        api.refused("Export", bad).await,
        (Code::InvalidArgument, "UNIQUE_NAME_INVALID".into())
    );
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_4_managed_objects_are_locked_until_their_bundle_is_uninstalled() {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    let bundle = gold_pack();
    let managed = v1::ImportOptions { managed: true, ..Default::default() };
    let answer = import(&server, managed, &bundle).await.unwrap();
    assert_eq!((answer.created, answer.write.unwrap().changed), (2, true));
    let profile = api.ok("GetProfile", json!({"name": "gold_rep"})).await;
    assert_eq!(
        (&profile["origin"], &profile["bundle"], &profile["bundle_version"]),
        (&json!("ORIGIN_MANAGED"), &json!("gold_pack"), &json!("1"))
    );
    let update = json!({"profile": {"name": "gold_rep", "display_name": "Other"}});
    let locked = (Code::FailedPrecondition, "MANAGED_READ_ONLY".to_owned());
    assert_eq!(api.refused("UpdateProfile", update).await, locked);
    let filter = json!({"filter": "bundle = \"gold_pack\""});
    assert_eq!(api.ok("ListProfiles", filter).await["profiles"].as_array().unwrap().len(), 1);

    let named = |names: &[&str]| json!({"bundle": "gold_pack", "names": names});
    let (held, free) = ("sessionTemplates/gold_case", "sessionTemplates/gold_none");
    for (names, refused) in [
        (vec![held], (Code::FailedPrecondition, "OBJECT_IN_USE")),
        (vec![free], (Code::NotFound, "TEMPLATE_NOT_FOUND")),
        (vec!["profiles/msdyn_csw_default_profile"], (Code::NotFound, "OBJECT_NOT_FOUND")),
        (vec!["gold_case"], (Code::InvalidArgument, "FIELD_INVALID")),
        (vec![held; 1_001], (Code::InvalidArgument, "FIELD_INVALID")),
    ] {
        let (code, reason) = api.refused("UninstallBundle", named(&names)).await;
        assert_eq!((code, reason.as_str()), refused, "{names:?}");
    }
    let list = json!({"operations": [{"uninstall_bundle": named(&["profiles/gold_rep"])}]});
    let in_list = api.refused("ApplyChanges", list).await;
    assert_eq!(in_list, (Code::FailedPrecondition, "PROFILE_IN_USE".to_owned()));
    let uninstall = |force: bool| json!({"bundle": "GOLD_pack", "force": force});
    let in_use = (Code::FailedPrecondition, "PROFILE_IN_USE".to_owned());
    assert_eq!(api.refused("UninstallBundle", uninstall(false)).await, in_use);
    let write = &api.ok("UninstallBundle", uninstall(true)).await["write"];
    assert_eq!(write["changed"], true);
    let gone = (Code::NotFound, "PROFILE_NOT_FOUND".to_owned());
    assert_eq!(api.refused("GetProfile", json!({"name": "gold_rep"})).await, gone);
    let none = (Code::NotFound, "OBJECT_NOT_FOUND".to_owned());
    assert_eq!(api.refused("UninstallBundle", uninstall(true)).await, none);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_4_links_and_secrets_of_what_is_overwritten_stay() {
    let server = world().await;
    let api = Api::admin(&server);
    let before = api.ok("ResolveProfile", json!({"user": "jane.roe"})).await;
    assert_eq!(before["profile"]["resolution"]["method"], "METHOD_DIRECT");
    let bundle = by_hand(&json!({"profiles": [
        {"unique_name": "contoso_boss", "display_name": "New boss", "pane": {"on": true}},
    ]}));
    let mut watcher = api.watch("jane.roe").await;
    watcher.snapshot().await;
    let answer = import(&server, overwriting(), &bundle).await.unwrap();
    assert_eq!(answer.updated, 1);
    assert_eq!(answer.write.unwrap().affected.unwrap().content_only, 1);
    let snapshot = watcher.snapshot().await;
    assert_eq!(snapshot.user, "jane.roe");
    let after = api.ok("ResolveProfile", json!({"user": "jane.roe"})).await;
    assert_eq!(after["profile"]["resolution"]["method"], "METHOD_DIRECT");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_4_a_provider_without_its_secret_is_imported_and_reported() {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    let digits = "0".repeat(32);
    let config = json!({"account_sid": format!("AC{digits}"), "api_key_sid": format!("SK{digits}"),
        "caller_id": "+14255550100"});
    let provider = json!({"unique_name": "gold_voice", "display_name": "Voice", "label": "Voice",
        "channel_url": "https://voice.example/", "adapter": "twilio", "config": config.to_string()});
    let create = json!({"channel_provider": provider.clone()});
    assert_eq!(api.refused("CreateChannelProvider", create).await.1, "ADAPTER_SECRET_MISSING");
    let bundle = by_hand(&json!({"channelProviders": [provider]}));
    let answer = import(&server, overwriting(), &bundle).await.unwrap();
    assert_eq!(answer.created, 1);
    let findings = answer.write.unwrap().findings;
    let found: Vec<_> = findings.iter().map(|f| (f.code(), f.subject.as_str())).collect();
    assert!(found.contains(&(v1::FindingCode::AdapterSecretMissing, "gold_voice")), "{found:?}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s4_7_an_older_name_of_tools_means_those_of_today() {
    let server = Running::with(Vec::new()).await;
    let bundle = by_hand(&json!({"profiles": [{"unique_name": "gold_rep", "display_name": "Gold",
        "pane": {"on": true, "tools": [{"tool": "Microsoft Teams", "enabled": true, "order": 4}]}}]}));
    import(&server, Default::default(), &bundle).await.unwrap();
    let profile = Api::admin(&server).ok("GetProfile", json!({"name": "gold_rep"})).await;
    let tools = profile["pane"]["tools"].as_array().unwrap();
    let tools: Vec<_> = tools.iter().map(|tool| (&tool["tool"], &tool["order"])).collect();
    let named = |name: &str| json!(format!("productivityTools/msdyn_tool_{name}"));
    let (join, chats, order) = (named("join_teams_call"), named("teams_chats"), json!(4));
    assert_eq!(tools, [(&join, &order), (&chats, &order)]);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_4_an_import_is_one_write_with_all_that_writes_have() {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    let bundle = by_hand(&json!({"queues": [
        {"unique_name": "gold_queue", "display_name": "Q", "kind": "QUEUE_KIND_VOICE"},
        {"unique_name": "gold_other", "display_name": "O", "kind": "QUEUE_KIND_VOICE",
            "state": "STATE_INACTIVE"},
    ]}));
    let first = |validate_only, id: &str| v1::ImportRequest {
        options: Some(v1::ImportOptions::default()),
        validate_only,
        request_id: id.into(),
        ..Default::default()
    };
    let before = api.revision().await;
    let dry = send(&server, upload(first(true, ""), &bundle, 10)).await.unwrap();
    assert_eq!((dry.created, dry.write.unwrap().changed), (2, true));
    assert_eq!(api.revision().await, before, "nothing was done");

    let id = "5b1f3c0e-8d0a-4f6e-9d59-0b9e3f6f4f11";
    let done = send(&server, upload(first(false, id), &bundle, 10)).await.unwrap();
    assert_eq!(api.revision().await, before + 1, "one revision");
    // In other pieces it is the same request.
    let again = send(&server, upload(first(false, id), &bundle, 1_000)).await.unwrap();
    assert_eq!(again, done);
    assert_eq!(api.revision().await, before + 1);
    let reused = |options: v1::ImportOptions, bundle: &[u8]| {
        let first = v1::ImportRequest { options: Some(options), ..first(false, id) };
        send(&server, upload(first, bundle, 1_000))
    };
    let other = by_hand(&json!({"queues": []}));
    for refused in [reused(overwriting(), &bundle).await, reused(Default::default(), &other).await]
    {
        assert_eq!(reason(&refused.unwrap_err()), "REQUEST_ID_REUSED");
    }
    let taken = import(&server, Default::default(), &bundle).await.unwrap_err();
    assert_eq!((taken.code(), reason(&taken).as_str()), (Code::AlreadyExists, "UNIQUE_NAME_TAKEN"));
    let nothing = import(&server, Default::default(), &other).await.unwrap();
    assert_eq!(
        nothing.write.map(|write| (write.changed, write.revision)),
        Some((false, before + 1))
    );
    let inactive = api.ok("GetQueue", json!({"name": "gold_other"})).await;
    assert_eq!(inactive["state"], "STATE_INACTIVE");

    let reader = As::new(None, Some("reader"));
    let mut client = TransferServiceClient::new(server.channel(reader));
    for (dry, allowed) in [(true, true), (false, false)] {
        let q = v1::ImportRequest { chunk: other.clone().into(), ..first(dry, "") };
        let answer = client.import(futures_util::stream::iter([q])).await;
        assert_eq!(answer.is_ok(), allowed);
        assert!(answer.is_ok() || reason(&answer.unwrap_err()) == "SCOPE_REQUIRED");
    }
    server.end().await;
}
