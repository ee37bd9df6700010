//! Voice through a running server: calls, webhooks, health, with a scriptable vendor.

mod calls;
mod health;
mod kill;
mod panics;
mod restart;
mod streams;
mod vendors;
mod webhooks;

use std::{sync::Arc, time::Duration};

use deskplane::{live, server::Voice, store::Memory};
use deskplane_providers::fake::{Switchboard, VendorEvent};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    api::Api,
    server::{As, Running, voice},
};

/// A number that the tests call.
const TO: &str = "+14155550100";

/// A server whose one agent, anna, has providers of the scriptable vendor.
struct Desk {
    server: Running,
    /// Vendors by the names of their providers, `con_one` and so on.
    vendors: Vec<Arc<Switchboard>>,
}

impl Desk {
    /// A server with so many providers, each at a vendor of its own.
    async fn with(providers: usize) -> Self {
        Self::of(providers, voice(), |_| json!({})).await
    }

    /// The same; `more` adds fields to a provider.
    async fn of(providers: usize, voice: Voice, more: impl Fn(usize) -> Value) -> Self {
        let store = Arc::new(Memory::new());
        Self::over(store, providers, voice, more).await
    }

    /// The same over a store.
    async fn over(
        store: Arc<Memory>,
        providers: usize,
        voice: Voice,
        more: impl Fn(usize) -> Value,
    ) -> Self {
        let server = Running::driving(store, live::Settings::default(), voice).await;
        let admin = Api::admin(&server);
        let user = json!({"user": {"id": "anna", "display_name": "Anna", "roles": ["msdyn_csr"]}});
        admin.ok("UpsertUser", user).await;
        let (mut vendors, mut names) = (Vec::new(), Vec::new());
        for at in 0..providers {
            let (name, board) = (provider(at), Uuid::new_v4().to_string());
            let mut fields = json!({
                "unique_name": name, "display_name": "Voice", "label": "Voice",
                "channel_url": "https://voice.example.com", "adapter": "fake", "outbound": true,
                "channel_order": at, "config": json!({"switchboard": board}).to_string(),
            });
            for (field, value) in more(at).as_object().unwrap() {
                fields[field] = value.clone();
            }
            admin.ok("CreateChannelProvider", json!({"channel_provider": fields})).await;
            vendors.push(Switchboard::named(&board));
            names.push(name);
        }
        let profile = json!({"profile": {"unique_name": "con_rep", "display_name": "Rep", "providers": names}});
        admin.ok("CreateProfile", profile).await;
        admin.ok("SetDefault", json!({"name": "con_rep"})).await;
        Self { server, vendors }
    }

    fn admin(&self) -> Api {
        Api::admin(&self.server)
    }

    /// The API as the agent sees it.
    fn anna(&self) -> Api {
        Api::of(&self.server, As::new(Some("anna"), Some("agent")))
    }

    /// Starts a call as the agent.
    async fn start(&self) -> Value {
        self.anna().ok("StartCall", request(TO)).await["call"].clone()
    }

    /// Has the vendor send an event of a call, and waits until the server has applied it.
    async fn emit(&self, call: &Value, status: &str, state: &str) -> Value {
        let event = VendorEvent::of(call["provider_call_id"].as_str().unwrap(), status);
        self.vendors[0].emit(&event);
        self.until(call, state).await
    }

    /// Waits until a call is in a state.
    async fn until(&self, call: &Value, state: &str) -> Value {
        let mut calls = self.anna().stream("WatchCalls", json!({})).await;
        let wanted = |call: &Value| call["state"] == state;
        let now = self.anna().ok("GetCall", json!({"name": call["name"]})).await;
        if wanted(&now) {
            return now;
        }
        let waited = async {
            loop {
                let message = calls.next().await.unwrap();
                if message["call"]["name"] == call["name"] && wanted(&message["call"]) {
                    return message["call"].clone();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waited)
            .await
            .unwrap_or_else(|_| panic!("not {state}: {now}"))
    }
}

/// Name of a provider.
fn provider(at: usize) -> &'static str {
    ["con_one", "con_two", "con_three"][at]
}

/// A request to call an address, with an id of its own.
fn request(to: &str) -> Value {
    json!({"to": to, "request_id": Uuid::new_v4().to_string()})
}
