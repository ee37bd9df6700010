//! What a running server says in three ways is one thing (SPEC §13.8, §13.12).

use std::sync::Arc;

use deskplane::{live, store::Memory};
use deskplane_proto::v1::{self, watch_profile_response::Event};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    api::{Api, Watcher},
    server::Running,
};

const USERS: [&str; 4] = ["u0", "u1", "u2", "u3"];
const ROLES: [&str; 3] = ["msdyn_csr", "msdyn_oc_agent", "msdyn_basic_user"];

fn name(number: usize) -> String {
    format!("prof_{number}")
}

prop_compose! {
    /// A write of any kind that can change what somebody gets.
    fn write()(
        kind in 0usize..11,
        profile in 0usize..3,
        user in 0usize..4,
        roles in proptest::collection::btree_set(0usize..3, 0..3),
        rank in 0i64..4,
        on in any::<bool>(),
    ) -> (&'static str, Value) {
        let name = name(profile);
        let roles: Vec<_> = roles.into_iter().map(|role| ROLES[role]).collect();
        let tool = json!({"tool": "msdyn_tool_scripts", "enabled": on});
        match kind {
            0 => ("AddUsers", json!({"name": name, "users": [USERS[user]], "move": true})),
            1 => ("RemoveUsers", json!({"name": name, "users": [USERS[user]]})),
            2 => ("SetUserRoles", json!({"name": USERS[user], "roles": roles})),
            3 => ("SetRankAndRoles", json!({"name": name, "rank": rank, "roles": roles,
                "displace": "DISPLACE_SHIFT"})),
            4 => ("SetDefault", json!({"name": name, "replace_current": true,
                "drop_rank_and_roles": on})),
            5 => ("RemoveDefault", json!({"name": name})),
            6 => ("SetPane", json!({"name": name, "on": on, "tools": {"tools": [tool]}})),
            7 => ("SetChannels", json!({"name": name, "all_active": on})),
            8 if on => ("ActivateProfile", json!({"name": name})),
            8 => ("DeactivateProfile", json!({"name": name})),
            9 if on => ("DeleteProfile", json!({"name": name, "force": true})),
            9 => ("CreateProfile", json!({"profile": {"unique_name": name, "display_name": "P"}})),
            _ => ("UpdateSettings", json!({"settings": {"channels_provisioned": on}})),
        }
    }
}

/// Everything that BulkResolve says of all users, page by page.
async fn bulk(api: &Api) -> (Vec<Value>, i64) {
    let (mut rows, mut token) = (Vec::new(), json!(""));
    loop {
        let q = json!({"view": "BULK_VIEW_FULL", "page_size": 3, "page_token": token});
        let page = api.ok("BulkResolve", q).await;
        rows.extend(page["results"].as_array().unwrap().iter().cloned());
        token = page["next_page_token"].clone();
        if token == "" {
            return (rows, page["revision"].as_i64().unwrap());
        }
    }
}

fn without_time(profile: &Value) -> Value {
    let mut profile = profile.clone();
    profile["resolve_time"] = Value::Null;
    profile
}

/// Reads a stream until it holds a digest; snapshots must rise, and each be news.
async fn follow(watcher: &mut Watcher, held: &mut v1::ResolvedProfile, digest: &str) {
    while held.digest != digest {
        let Event::Snapshot(snapshot) = watcher.next().await.unwrap() else { continue };
        let next = snapshot.profile.unwrap();
        assert!(next.revision > held.revision, "{} after {}", next.revision, held.revision);
        assert_ne!(next.digest, held.digest, "a snapshot brought nothing new");
        *held = next;
    }
}

async fn agree(writes: &[(&'static str, Value)]) {
    let quick = live::Settings {
        quiet: std::time::Duration::ZERO,
        longest: std::time::Duration::ZERO,
        ..live::Settings::default()
    };
    let server = Running::of(Arc::new(Memory::new()), quick).await;
    let api = Api::admin(&server);
    let rows = USERS.map(|id| json!({"user": {"id": id, "roles": ["msdyn_csr"]}}));
    api.ok("BatchUpsertUsers", json!({"rows": rows})).await;
    for number in 0..3 {
        let profile = json!({"unique_name": name(number), "display_name": name(number)});
        api.ok("CreateProfile", json!({"profile": profile})).await;
    }
    let mut live = Vec::new();
    for user in USERS {
        let mut watcher = api.watch(user).await;
        let held = watcher.snapshot().await;
        live.push((watcher, held));
    }
    for (at, (rpc, q)) in writes.iter().enumerate() {
        // Refused writes are part of the game.
        let _ = api.call(rpc, q.clone()).await;
        if at % 5 != 4 && at + 1 != writes.len() {
            continue;
        }
        let (rows, revision) = bulk(&api).await;
        assert_eq!(rows.len(), USERS.len());
        for ((row, user), (watcher, held)) in rows.iter().zip(USERS).zip(&mut live) {
            let single = api.ok("ResolveProfile", json!({"user": user})).await;
            assert_eq!(single["revision"], revision);
            assert_eq!(without_time(&row["resolved"]), without_time(&single["profile"]));
            assert_eq!(row["user"], user);
            let digest = row["digest"].as_str().unwrap();
            follow(watcher, held, digest).await;
            // A stream that begins now begins with the very same.
            let first = api.ok("WatchProfile", json!({"user": user})).await;
            let first = without_time(&first["snapshot"]["profile"]);
            assert_eq!(first, without_time(&single["profile"]));
            assert_eq!(first["content"]["profile"]["unique_name"], row["profile"]);
        }
    }
    drop((api, live));
    server.end().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn p8_p12_all_ways_to_ask_agree_after_any_writes(
        writes in proptest::collection::vec(write(), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(agree(&writes));
    }
}
