//! Filters and orders of lists (SPEC §2.4).

use serde_json::{Value, json};
use tonic::Code;

use super::{Api, column, lists::pages};
use crate::server::Running;

/// Rows of a list and the field that names them.
type List = (&'static str, &'static str, &'static str);

const PROFILES: List = ("ListProfiles", "profiles", "unique_name");
const USERS: List = ("ListUsers", "users", "id");
const TEMPLATES: List = ("ListSessionTemplates", "session_templates", "unique_name");
const PROVIDERS: List = ("ListChannelProviders", "channel_providers", "unique_name");

async fn organisation() -> Running {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    for (name, display, owner) in [
        ("contoso_rep", "Same", "Ann"),
        ("contoso_lead", "Same", ""),
        ("contoso_idle", "Other", ""),
    ] {
        let profile =
            json!({"profile": {"unique_name": name, "display_name": display, "owner": owner}});
        api.ok("CreateProfile", profile).await;
    }
    let template = json!({"session_template": {"unique_name": "contoso_case",
        "display_name": "Case", "entity": "incident"}});
    api.ok("CreateSessionTemplate", template).await;
    let provider = json!({"channel_provider": {"unique_name": "contoso_voice",
        "display_name": "V", "label": "V", "channel_url": "https://voice.example/"}});
    api.ok("CreateChannelProvider", provider).await;
    let row = |id: &str, roles: &[&str], profile: &str| {
        json!({"profile": profile, "user":
        {"id": id, "roles": roles, "email": format!("{id}@contoso.example"), "business_unit": "West"}})
    };
    let mut rows = vec![
        row("ann", &["msdyn_csr"], "contoso_rep"),
        row("bob", &["msdyn_csr", "msdyn_oc_agent"], ""),
        row("carl", &[], "msdyn_csw_default_profile"),
    ];
    rows.push(json!({"user": {"id": "robot", "kind": "USER_KIND_APPLICATION"}}));
    api.ok("BatchUpsertUsers", json!({"rows": rows})).await;
    let team = json!({"team": {"id": "Night Shift", "display_name": "N", "members": ["bob"], "roles": ["msdyn_csr"]}});
    api.ok("UpsertTeam", team).await;
    for (rpc, q) in [
        ("SetRankAndRoles", json!({"name": "contoso_rep", "rank": 7, "roles": ["msdyn_csr"]})),
        ("SetDefault", json!({"name": "contoso_lead"})),
        ("DeactivateProfile", json!({"name": "contoso_idle"})),
        ("AddSessionTemplate", json!({"name": "contoso_rep", "session_template": "contoso_case"})),
        ("LinkProviders", json!({"name": "contoso_rep", "providers": ["contoso_voice"]})),
        ("DisableUser", json!({"name": "carl"})),
    ] {
        api.ok(rpc, q).await;
    }
    server
}

/// The names that a list answers.
async fn names(api: &Api, list: List, filter: &str, order_by: &str) -> String {
    let (rpc, rows, key) = list;
    let q = json!({"filter": filter, "order_by": order_by});
    column(&pages(api, (rpc, rows), &q, 2).await, key).join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_filters() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let cases: &[(List, &str, &str)] = &[
        (PROFILES, "unique_name = \"CONTOSO_REP\"", "contoso_rep"),
        (PROFILES, "unique_name = \"profiles/contoso_rep\"", "contoso_rep"),
        (PROFILES, "display_name : \"AM\" AND rank <= 7", "contoso_rep"),
        (PROFILES, "state = \"INACTIVE\"", "contoso_idle"),
        (PROFILES, "state = \"inactive\" AND origin != \"BUILT_IN\"", "contoso_idle"),
        (
            PROFILES,
            "origin = \"CUSTOM\" AND bundle = \"\"",
            "contoso_idle contoso_lead contoso_rep",
        ),
        (PROFILES, "owner = \"ann\"", "contoso_rep"),
        (PROFILES, "rank >= 0", "contoso_rep"),
        (PROFILES, "rank > 7", ""),
        (PROFILES, "roles = \"msdyn_csr\"", "contoso_rep"),
        (PROFILES, "roles = \"\" AND origin = \"CUSTOM\"", "contoso_idle contoso_lead"),
        (PROFILES, "is_default = true", "contoso_lead"),
        (PROFILES, "session_templates = \"sessionTemplates/contoso_case\"", "contoso_rep"),
        (PROFILES, "providers = \"contoso_voice\"", "contoso_rep"),
        (PROFILES, "create_time < \"2001-01-01T00:00:00Z\"", ""),
        (PROFILES, "create_time > \"2001-01-01T00:00:00Z\" AND rank = 7", "contoso_rep"),
        (PROFILES, "update_time <= \"2100-01-01T01:00:00+01:00\" AND rank = 7", "contoso_rep"),
        (USERS, "direct = \"contoso_rep\"", "ann"),
        (USERS, "direct = \"\"", "bob robot"),
        (USERS, "direct != \"\"", "ann carl"),
        (USERS, "direct = \"profiles/MSDYN_csw_default_profile\"", "carl"),
        (USERS, "roles = \"msdyn_csr\"", "ann bob"),
        (USERS, "roles = \"msdyn_csr\" AND roles = \"msdyn_oc_agent\"", "bob"),
        (USERS, "roles = \"\"", "carl robot"),
        (USERS, "teams = \"night shift\"", "bob"),
        (USERS, "teams = \"\"", "ann carl robot"),
        (USERS, "kind = \"APPLICATION\"", "robot"),
        (USERS, "disabled = true", "carl"),
        (USERS, "email : \"bob@\"", "bob"),
        (USERS, "business_unit = \"\"", "robot"),
        (USERS, "id != \"users/ANN\" AND business_unit = \"west\"", "bob carl"),
        (
            TEMPLATES,
            "type = \"ENTITY\" AND entity = \"incident\" AND origin = \"CUSTOM\"",
            "contoso_case",
        ),
        (TEMPLATES, "type = \"ENTITY\"", "case_entity_session_default_template contoso_case"),
        (PROVIDERS, "adapter = \"widget\" AND origin = \"CUSTOM\"", "contoso_voice"),
    ];
    for (list, filter, want) in cases {
        assert_eq!(names(&api, *list, filter, "").await, *want, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_fall_back_to_the_name_in_both_directions() {
    let server = organisation().await;
    let api = Api::admin(&server);
    let custom = "origin = \"CUSTOM\"";
    let cases = [
        (PROFILES, custom, "unique_name", "contoso_idle contoso_lead contoso_rep"),
        (PROFILES, custom, "unique_name desc", "contoso_rep contoso_lead contoso_idle"),
        (PROFILES, custom, "display_name", "contoso_idle contoso_lead contoso_rep"),
        (PROFILES, custom, "display_name desc", "contoso_lead contoso_rep contoso_idle"),
        (PROFILES, custom, "create_time", "contoso_rep contoso_lead contoso_idle"),
        (PROFILES, custom, "create_time desc", "contoso_idle contoso_lead contoso_rep"),
        (PROFILES, custom, "update_time desc", "contoso_rep contoso_idle contoso_lead"),
        (PROFILES, custom, "rank", "contoso_rep contoso_idle contoso_lead"),
        (USERS, "", "id desc", "robot carl bob ann"),
        (USERS, "", "create_time", "ann bob carl robot"),
        (USERS, "", "update_time desc", "carl ann bob robot"),
    ];
    for (list, filter, order, want) in cases {
        assert_eq!(names(&api, list, filter, order).await, want, "{order}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_list_knows_is_refused_with_its_place() {
    let server = organisation().await;
    let api = Api::admin(&server);
    for (field, text) in [
        ("filter", "nothing = \"x\""),
        ("filter", "rank = \"x\""),
        ("filter", "state > \"ACTIVE\""),
        ("filter", "unique_name = "),
        ("filter", "rank = 1 OR rank = 2"),
        ("filter", "create_time < \"yesterday\""),
        ("order_by", "owner"),
        ("order_by", "rank asc"),
    ] {
        let mut q = json!({});
        q[field] = Value::from(text);
        let refused = api.refused("ListProfiles", q).await;
        assert_eq!(refused, (Code::InvalidArgument, "FILTER_INVALID".into()), "{text}");
    }
}
