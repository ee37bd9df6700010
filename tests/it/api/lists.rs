//! Pages of every list, and what a Get answers (SPEC §2.4, §2.5).

use deskplane::domain::{Common, Object, Stamp, Time, UniqueName, profile::Profile};
use deskplane_proto::v1::{self, profile_service_client::ProfileServiceClient};
use prost::Message as _;
use serde_json::{Map, Value, json};
use tonic::Code;

use super::{Api, column, revision};
use crate::server::{As, Running};

/// Every call that pages: its rows, and the field by which they ascend.
const LISTS: &[(&str, &str, &str)] = &[
    ("ListProfiles", "profiles", "unique_name"),
    ("ListSessionTemplates", "session_templates", "unique_name"),
    ("ListApplicationTabTemplates", "application_tab_templates", "unique_name"),
    ("ListProductivityTools", "productivity_tools", "unique_name"),
    ("ListChannelProviders", "channel_providers", "unique_name"),
    ("ListUsers", "users", "id"),
    ("ListTeams", "teams", "id"),
    ("ListSecurityRoles", "security_roles", "unique_name"),
    ("BulkResolve", "results", "user"),
    ("SearchByUser", "results", "user"),
    ("ListFindings", "findings", "code"),
];

/// An organisation with at least four rows in every list.
async fn organisation() -> Running {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    let rows: Vec<_> =
        ["ann", "Bob", "carl", "Dora", "ed"].map(|id| json!({"user": {"id": id}})).into();
    api.ok("BatchUpsertUsers", json!({"rows": rows})).await;
    let role = json!({"role": {"unique_name": "contoso_lead", "display_name": "Lead"}});
    api.ok("UpsertRole", role).await;
    // Spellings differ, because what ascends in bytes need not ascend by name.
    for (at, team) in [(1, "Team 1"), (2, "a team"), (3, "B team"), (4, "c team")] {
        let name = if at % 2 == 0 { format!("Contoso_{at}") } else { format!("contoso_{at}") };
        let team = json!({"team": {"id": team, "display_name": "T", "members": ["ann"]}});
        api.ok("UpsertTeam", team).await;
        let profile = json!({"profile": {"unique_name": name, "display_name": "P"}});
        api.ok("CreateProfile", profile).await;
        let rank = json!({"name": name, "rank": at, "roles": ["contoso_lead"]});
        api.ok("SetRankAndRoles", rank).await;
        let provider = json!({"channel_provider": {"unique_name": name, "display_name": "V",
            "label": "V", "channel_url": "https://voice.example/"}});
        api.ok("CreateChannelProvider", provider).await;
    }
    // Profiles that keep a rank without a role are findings.
    api.ok("DeleteRole", json!({"name": "contoso_lead"})).await;
    server
}

fn with(q: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut q: Map<String, Value> = q.as_object().unwrap().clone();
    q.insert(field.to_owned(), value.into());
    Value::Object(q)
}

/// The rows of all pages, each of which holds so many rows at most.
pub(super) async fn pages(
    api: &Api,
    (rpc, rows): (&str, &str),
    q: &Value,
    size: i32,
) -> Vec<Value> {
    let (mut all, mut q) = (Vec::new(), with(q, "page_size", size));
    loop {
        let page = api.ok(rpc, q.clone()).await;
        let found = page[rows].as_array().unwrap();
        assert!(size == 0 || found.len() <= size as usize, "{rpc}: {} of {size}", found.len());
        assert!(page["revision"].as_i64().unwrap() > 0, "{rpc} has a revision");
        all.extend(found.iter().cloned());
        let token = page["next_page_token"].as_str().unwrap();
        if token.is_empty() {
            return all;
        }
        assert!(!found.is_empty() && token.is_ascii(), "{rpc}: {token}");
        q = with(&q, "page_token", token);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_pages_in_its_order_at_any_size() {
    let server = organisation().await;
    let api = Api::admin(&server);
    for (rpc, rows, key) in LISTS {
        let whole = pages(&api, (rpc, rows), &json!({}), 1_000).await;
        assert!(whole.len() >= 4, "{rpc} has {} rows", whole.len());
        let keys: Vec<_> = column(&whole, key).iter().map(|key| key.to_ascii_lowercase()).collect();
        assert!(*key == "code" || keys.is_sorted(), "{rpc}: {keys:?}");
        for size in [1, 3, 0, 5_000] {
            assert_eq!(pages(&api, (rpc, rows), &json!({}), size).await, whole, "{rpc} by {size}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_pages_are_refused() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let mut foreign = String::new();
    for (rpc, _, _) in LISTS {
        let invalid = |reason: &str| (Code::InvalidArgument, reason.to_owned());
        let refused = api.refused(rpc, json!({"page_size": -1})).await;
        assert_eq!(refused, invalid("FIELD_INVALID"), "{rpc}");
        for token in ["x", "made up", foreign.as_str()].into_iter().filter(|t| !t.is_empty()) {
            let refused = api.refused(rpc, json!({"page_token": token})).await;
            assert_eq!(refused, invalid("PAGE_TOKEN_INVALID"), "{rpc} {token}");
        }
        let page = api.ok(rpc, json!({"page_size": 1})).await;
        foreign = page["next_page_token"].as_str().unwrap().to_owned();
    }
    let page =
        api.ok("ListProfiles", json!({"page_size": 1, "filter": "is_default = false"})).await;
    let other = json!({"page_token": page["next_page_token"], "filter": "is_default != true"});
    let refused = api.refused("ListProfiles", other).await;
    assert_eq!(refused, (Code::InvalidArgument, "PAGE_TOKEN_INVALID".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_outlives_writes_in_front_of_it_behind_it_and_at_it() {
    let server = organisation().await;
    let api = Api::admin(&server);
    // Names and display names ascend together in one order, and against each other in the other.
    let orders = [("", "contoso_0", "contoso_9"), ("display_name desc", "contoso_8", "contoso_a")];
    for (order, before, behind) in orders {
        let list = json!({"order_by": order, "filter": "origin = \"CUSTOM\"", "page_size": 2});
        let first = api.ok("ListProfiles", list.clone()).await;
        let seen = column(first["profiles"].as_array().unwrap(), "unique_name");
        let create = |name: &str, text: &str| json!({"profile": {"unique_name": name, "display_name": text}});
        let (in_front, later) = if order.is_empty() { ("P", "P") } else { ("Z", "A") };
        api.ok("CreateProfile", create(before, in_front)).await;
        api.ok("CreateProfile", create(behind, later)).await;
        api.ok("DeleteProfile", json!({"name": seen[1], "force": true})).await;
        let rest = with(&list, "page_token", first["next_page_token"].clone());
        let rest = pages(&api, ("ListProfiles", "profiles"), &rest, 2).await;
        let rest = column(&rest, "unique_name");
        assert!(
            !rest.contains(&before.to_owned()) && rest.contains(&behind.to_owned()),
            "{rest:?}"
        );
        assert!(seen.iter().all(|name| !rest.contains(name)), "{seen:?} {rest:?}");
        let all = pages(&api, ("ListProfiles", "profiles"), &list, 1_000).await;
        assert_eq!(rest.len() + 2, all.len(), "{seen:?} {rest:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_ends_before_three_mebibytes() {
    let profile = |at: usize| {
        let name = UniqueName::parse(&format!("prof_{at}")).unwrap();
        let mut common = Common::custom(name, "P");
        common.description = "x".repeat(100_000);
        let stamp = Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test");
        Object::Profile(std::sync::Arc::new(Profile::empty(common, stamp)))
    };
    let server = Running::with((10..50).map(profile).collect()).await;
    let mut client = ProfileServiceClient::new(server.channel(As::default()));
    let (mut page_token, mut sizes) = (String::new(), Vec::new());
    loop {
        let filter = "origin = \"CUSTOM\"".to_owned();
        let q =
            v1::ListProfilesRequest { page_size: 1_000, page_token, filter, ..Default::default() };
        let page = client.list_profiles(q).await.unwrap().into_inner();
        assert!(page.encoded_len() <= 3 << 20, "{} bytes", page.encoded_len());
        sizes.push(page.profiles.len());
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [31, 9]);
}

/// Every Get, the stored name of an object, its collection, and the reason when there is none.
const GETS: &[(&str, &str, &str, &str)] = &[
    ("GetProfile", "profiles", "contoso_1", "PROFILE_NOT_FOUND"),
    ("GetSessionTemplate", "sessionTemplates", "msdyn_chat_session", "TEMPLATE_NOT_FOUND"),
    ("GetApplicationTabTemplate", "applicationTabTemplates", "msdyn_search", "TEMPLATE_NOT_FOUND"),
    ("GetProductivityTool", "productivityTools", "msdyn_tool_copilot", "OBJECT_NOT_FOUND"),
    ("GetChannelProvider", "channelProviders", "msdyn_omnichannel", "PROVIDER_NOT_FOUND"),
    ("GetUser", "users", "Bob", "USER_NOT_FOUND"),
    ("GetTeam", "teams", "Team 1", "TEAM_NOT_FOUND"),
    ("GetSecurityRole", "securityRoles", "msdyn_csr", "ROLE_NOT_FOUND"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_get_takes_full_and_bare_names_in_any_case_and_tells_the_revision() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let newest = api.revision().await;
    for (rpc, collection, name, absent) in GETS {
        let full = format!("{collection}/{name}");
        let upper = format!("{collection}/{}", name.to_uppercase());
        for asked in [&full, &upper, *name, &name.to_lowercase()] {
            let answer = api.send(rpc, &json!({"name": asked})).await.unwrap();
            assert_eq!(revision(&answer), newest, "{rpc} {asked}");
            assert_eq!(super::json(answer.get_ref())["name"], full.as_str(), "{rpc} {asked}");
        }
        let refused = api.refused(rpc, json!({"name": "contoso_absent"})).await;
        assert_eq!(refused, (Code::NotFound, (*absent).to_owned()), "{rpc}");
        for bad in ["", "elsewhere/contoso_1", &format!("{collection}/a/b")] {
            let refused = api.refused(rpc, json!({"name": bad})).await;
            assert_eq!(refused, (Code::InvalidArgument, "FIELD_INVALID".into()), "{rpc} {bad:?}");
        }
    }
    for name in ["", "organizationSettings"] {
        let answer = api.send("GetSettings", &json!({"name": name})).await.unwrap();
        assert_eq!(revision(&answer), newest);
    }
    assert_eq!(api.refused("GetSettings", json!({"name": "x"})).await.1, "FIELD_INVALID");
}
