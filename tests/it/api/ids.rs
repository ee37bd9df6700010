//! User ids of every legal form, through every way in which a call can name a user (SPEC §3.2, §2.5).

use std::{collections::BTreeMap, sync::Arc};

use deskplane::store::{Durable, Memory, durable::Settings};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::{Value, json};
use tonic::Code;

use super::{Api, column};
use crate::server::{As, Running};

/// Ids as directories give them, and ids that are easily taken for one another.
const KNOWN: [&str; 25] = [
    "kim_fabrikam.example#EXT#@contoso.example",
    "o'brien@contoso.example",
    "auth0|64a1b2",
    r"CONTOSO\kim",
    "5b1f3c0e-8d0a-4f6e-9d59-0b9e3f6f4f11",
    "a",
    "n",
    "aA.",
    "a%41.",
    "a%2541.",
    "a%",
    "a%25",
    "a|",
    "a|a",
    "a||a",
    r"a\",
    r"a\\",
    r"a\a",
    r"a\\a",
    "a#",
    "a'",
    "a''",
    "a*",
    "a?x=1&y=2",
    "users%2Fa",
];

prop_compose! {
    fn ids()(
        // Every legal character, and few of them, so that ids share heads and tails.
        any in proptest::collection::vec("[a-zA-Z0-9][!#-'*+.0-9=?-Z\\\\^-~-]{0,40}", 1..4),
        few in proptest::collection::vec("[ab][%|'#\\\\2b]{0,6}", 1..4),
        long in "[a-z0-9][!#-'*+.0-9=?-Z\\\\^-~-]{127}",
        known in proptest::sample::subsequence(&KNOWN[..], 8),
    ) -> Vec<String> {
        let known = known.into_iter().map(str::to_owned);
        let all = any.into_iter().chain(few).chain([long]).chain(known);
        // Ascending as lists are; ids that differ in case only are one.
        all.map(|id| (id.to_ascii_lowercase(), id)).collect::<BTreeMap<_, _>>().into_values().collect()
    }
}

/// `users/…` as the server writes it, and as clients encode it.
fn names(id: &str) -> [String; 3] {
    let every: String = id.bytes().map(|byte| format!("%{byte:02x}")).collect();
    [
        format!("users/{}", id.replace('%', "%25")),
        format!("users/{}", utf8_percent_encode(id, NON_ALPHANUMERIC)),
        format!("users/{every}"),
    ]
}

/// A name that a search for an id, which begins with a letter or digit, never finds.
fn display_name(id: &str) -> String {
    format!("({id}")
}

/// A filter literal of a text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#))
}

/// An organisation whose users have the ids.
struct World<'a> {
    server: &'a Running,
    api: Api,
    ids: &'a [String],
}

impl World<'_> {
    /// Makes every user in one of the ways that there are.
    async fn create(&self) {
        let api = &self.api;
        for (at, id) in self.ids.iter().enumerate() {
            let [name, encoded, _] = names(id);
            let display = display_name(id);
            let user = match at % 4 {
                0 => json!({"id": id, "display_name": display}),
                1 => json!({"name": name, "display_name": display}),
                2 => json!({"name": encoded, "id": id, "display_name": display}),
                _ => {
                    let row = json!({"user": {"id": id, "display_name": display}});
                    api.ok("BatchUpsertUsers", json!({"rows": [row]})).await;
                    json!({"id": id})
                }
            };
            let made = api.ok("UpsertUser", json!({"user": user})).await["user"].clone();
            assert_eq!((&made["id"], &made["name"]), (&id.as_str().into(), &name.into()));
            assert_eq!(made["display_name"], display);
        }
        let listed = self.list(&json!({}), 2).await;
        assert_eq!(listed, self.ids, "each of them is a user of its own");
    }

    /// Ids of the users that a list answers, in pages of that size.
    async fn list(&self, q: &Value, size: usize) -> Vec<String> {
        let rows = super::lists::pages(&self.api, ("ListUsers", "users"), q, size as i32).await;
        column(&rows, "id")
    }

    /// The user by its id and by every resource name is the same one.
    async fn read(&self) -> Vec<Value> {
        let mut uids = Vec::new();
        for id in self.ids {
            let user = self.api.ok("GetUser", json!({"name": id})).await;
            assert_eq!(user["id"], id.as_str());
            for name in names(id) {
                let named = self.api.ok("GetUser", json!({"name": name})).await;
                assert_eq!(named["uid"], user["uid"], "{id} by {name}");
            }
            uids.push(user["uid"].clone());
        }
        uids
    }

    /// Lists find exactly the user that a filter names.
    async fn select(&self) {
        for id in self.ids {
            let [name, encoded, _] = names(id);
            for filter in [
                format!("id = {}", quoted(id)),
                format!("id = {}", quoted(&id.to_ascii_uppercase())),
                format!("id = {}", quoted(&name)),
                format!("id = {}", quoted(&encoded)),
                format!("display_name = {}", quoted(&display_name(id))),
                format!("id : {} AND id = {}", quoted(id), quoted(id)),
            ] {
                assert_eq!(
                    self.list(&json!({"filter": filter}), 9).await,
                    [id.as_str()],
                    "{filter}"
                );
            }
            let literal = !id.contains(r"\\") && !id.ends_with('\\');
            if literal {
                let filter = format!("id = \"{id}\"");
                assert_eq!(
                    self.list(&json!({"filter": filter}), 9).await,
                    [id.as_str()],
                    "{filter}"
                );
            }
            let found = self.api.ok("SearchByUser", json!({"text": id, "page_size": 50})).await;
            let found = column(found["results"].as_array().unwrap(), "user");
            let begins =
                |other: &&String| other.to_ascii_lowercase().starts_with(&id.to_ascii_lowercase());
            assert_eq!(found, self.ids.iter().filter(begins).cloned().collect::<Vec<_>>());
        }
        let mut backwards = self.list(&json!({"order_by": "display_name desc"}), 3).await;
        backwards.reverse();
        assert_eq!(backwards, self.ids);
    }

    /// Links, teams and explanations name the same user.
    async fn assign(&self) {
        let api = &self.api;
        let profile = json!({"unique_name": "con_rep", "display_name": "Rep"});
        api.ok("CreateProfile", json!({"profile": profile})).await;
        for id in self.ids {
            let [name, encoded, every] = names(id);
            let q = json!({"name": "profiles/con%5Frep", "users": [encoded]});
            let added = api.ok("AddUsers", q).await;
            assert_eq!(
                column(added["write"]["affected"]["users"].as_array().unwrap(), "user"),
                [id.as_str()]
            );
            assert_eq!(
                self.list(&json!({"filter": "direct = \"con_rep\""}), 9).await,
                [id.as_str()]
            );
            for user in [id, &name, &every] {
                let why = api.ok("Explain", json!({"user": user})).await;
                assert_eq!(why["user"], id.as_str(), "{user}");
                assert_eq!(why["winner"]["method"], "METHOD_DIRECT", "{user}");
                let found = api.ok("ResolveProfile", json!({"user": user})).await;
                assert_eq!(found["profile"]["user"], id.as_str(), "{user}");
            }
            api.ok("RemoveUsers", json!({"name": "con_rep", "users": [name]})).await;
            // A team may have any of the same names, and blanks beside.
            let team = format!("{:.100} 50% x", id);
            let members = json!({"team": {"id": team, "display_name": "T", "members": [every]}});
            let made = api.ok("UpsertTeam", members).await["team"].clone();
            assert_eq!(made["members"], json!([name]));
            assert_eq!(made["id"], team.as_str());
            let again = api.ok("GetTeam", json!({"name": made["name"]})).await;
            assert_eq!(again["uid"], made["uid"]);
            for team in [team.as_str(), made["name"].as_str().unwrap()] {
                let filter = format!("teams = {}", quoted(team));
                assert_eq!(
                    self.list(&json!({"filter": filter}), 9).await,
                    [id.as_str()],
                    "{filter}"
                );
            }
            api.ok("DeleteTeam", json!({"name": made["name"]})).await;
        }
        let named: Vec<_> = self.ids.iter().map(|id| names(id)[1].clone()).collect();
        let rows = api.ok("BulkResolve", json!({"users": named})).await;
        assert_eq!(column(rows["results"].as_array().unwrap(), "user"), self.ids);
    }

    /// A stream goes on with its own token and with nobody else's.
    async fn watch(&self) {
        let mut tokens = Vec::new();
        for id in self.ids {
            let first = self.api.ok("WatchProfile", json!({"user": names(id)[1]})).await;
            assert_eq!(first["snapshot"]["profile"]["user"], id.as_str());
            tokens.push(first["snapshot"]["resume_token"].clone());
        }
        for (at, id) in self.ids.iter().enumerate() {
            let q = json!({"user": id, "resume_token": tokens[at]});
            let resumed = self.api.ok("WatchProfile", q).await;
            assert!(resumed.get("in_sync").is_some_and(|sync| !sync.is_null()), "{id}: {resumed}");
            let other = (at + 1) % self.ids.len();
            let q = json!({"user": id, "resume_token": tokens[other]});
            let reset = self.api.ok("WatchProfile", q).await;
            let why = &reset["snapshot"]["reset_reason"];
            assert_eq!(why, "RESET_REASON_TOKEN_OTHER_SUBJECT", "{id} with {}", self.ids[other]);
        }
    }

    /// A user's own credential is for that user alone.
    async fn call(&self) {
        for (at, id) in self.ids.iter().enumerate() {
            let own = Api::of(self.server, As::new(Some(id), Some("agent")));
            for name in names(id).iter().chain([id, &String::new()]) {
                let found = own.ok("ResolveProfile", json!({"user": name})).await;
                assert_eq!(found["profile"]["user"], id.as_str());
            }
            let other = &self.ids[(at + 1) % self.ids.len()];
            for name in names(other).iter().chain([other]) {
                let refused = own.refused("ResolveProfile", json!({"user": name})).await;
                assert_eq!(refused, (Code::PermissionDenied, "SELF_ONLY".into()), "{id}: {name}");
            }
        }
    }

    /// Every delete takes the named user and no other.
    async fn delete(&self) {
        for (at, id) in self.ids.iter().enumerate() {
            let mut name = names(id).to_vec();
            name.push(id.clone());
            let name = &name[at % name.len()];
            self.api.ok("DeleteUser", json!({"name": name})).await;
            let gone = self.api.refused("GetUser", json!({"name": id})).await;
            assert_eq!(gone, (Code::NotFound, "USER_NOT_FOUND".into()), "{name}");
            assert_eq!(self.list(&json!({}), 100).await, self.ids[at + 1..]);
        }
    }
}

fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 16, ..ProptestConfig::default() })]

    #[test]
    fn every_legal_id_names_one_user_everywhere(ids in ids()) {
        block_on(async {
            let server = Running::over(Arc::new(Memory::new())).await;
            let world = World { server: &server, api: Api::admin(&server), ids: &ids };
            world.create().await;
            world.read().await;
            world.select().await;
            world.assign().await;
            world.watch().await;
            world.call().await;
            world.delete().await;
            server.end().await;
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_survive_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let open = async || -> Arc<Durable> {
        let settings = Settings { min_free_bytes: 0, ..Settings::default() };
        Arc::new(Durable::open(home.path(), settings).await.unwrap())
    };
    let mut ids = KNOWN.map(str::to_owned).to_vec();
    ids.sort_by_key(|id| id.to_ascii_lowercase());
    let store = open().await;
    let server = Running::over(store.clone()).await;
    let world = World { server: &server, api: Api::admin(&server), ids: &ids };
    world.create().await;
    let before = world.read().await;
    let (repeated, request_id) = (&ids[3], uuid::Uuid::new_v4().to_string());
    let write = json!({"name": repeated, "roles": ["msdyn_csr"], "request_id": request_id});
    // The caller is part of the key under which a repetition is found.
    let own = |server: &Running| Api::of(server, As::new(Some(repeated), Some("admin")));
    let first = own(&server).ok("SetUserRoles", write.clone()).await;
    server.end().await;
    store.close().await.unwrap();
    drop(store);

    let store = open().await;
    let server = Running::over(store.clone()).await;
    let world = World { server: &server, api: Api::admin(&server), ids: &ids };
    assert_eq!(world.read().await, before);
    world.select().await;
    let again = own(&server).ok("SetUserRoles", write).await;
    assert_eq!(again["write"]["revision"], first["write"]["revision"]);
    world.delete().await;
    server.end().await;
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_id_is_refused_by_its_field() {
    let server = Running::over(Arc::new(Memory::new())).await;
    let api = Api::admin(&server);
    let before = api.revision().await;
    let bad = [" a", "a b", "a/b", "a:b", "a\"b", "a<b", "a>b", "a,b", "a;b", "a(b", "a)b", "a[b"];
    let more = ["a]b", "#a", "'a", "\u{fc}", "a\u{7f}", "a\n", &"a".repeat(129)];
    for id in bad.iter().chain(&more) {
        let status = api.call("UpsertUser", json!({"user": {"id": id}})).await.unwrap_err();
        let bad = tonic_types::StatusExt::get_details_bad_request(&status).unwrap();
        assert_eq!(bad.field_violations[0].field, "id", "{id:?}");
        let encoded = format!("users/{}", utf8_percent_encode(id, NON_ALPHANUMERIC));
        let refused = api.refused("GetUser", json!({"name": encoded})).await;
        assert_eq!(refused, (Code::InvalidArgument, "FIELD_INVALID".into()), "{encoded}");
    }
    for name in ["users/a%FF", "users/a%00", "users/a%2Fb", "users/%", "profiles/a", "Users/a"] {
        let refused = api.refused("GetUser", json!({"name": name})).await;
        assert_eq!(refused, (Code::InvalidArgument, "FIELD_INVALID".into()), "{name}");
    }
    assert_eq!(api.revision().await, before);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_other_kinds_are_decoded_alike() {
    let server = Running::over(Arc::new(Memory::new())).await;
    let api = Api::admin(&server);
    let profile = json!({"unique_name": "con_rep", "display_name": "Rep"});
    let made = api.ok("CreateProfile", json!({"profile": profile})).await["profile"].clone();
    let q =
        json!({"name": "profiles/con%5frep", "rank": 7, "roles": ["securityRoles/msdyn%5Fcsr"]});
    let ranked = api.ok("SetRankAndRoles", q).await;
    assert_eq!(ranked["profile"]["uid"], made["uid"]);
    assert_eq!(ranked["profile"]["roles"], json!(["securityRoles/msdyn_csr"]));
    let q = json!({"profile": {"name": "profiles/%63on_rep", "description": "a\r\nb\r"}});
    let changed = api.ok("UpdateProfile", q).await;
    assert_eq!(changed["profile"]["description"], "a\nb", "line breaks of another system");
    let q = json!({"profile": {"name": "con_rep", "description": "a\rb"}});
    assert_eq!(api.refused("UpdateProfile", q).await.1, "FIELD_INVALID");
    // A bare name is literal.
    let refused = api.refused("GetProfile", json!({"name": "con%5Frep"})).await;
    assert_eq!(refused, (Code::InvalidArgument, "FIELD_INVALID".into()));
    server.end().await;
}
