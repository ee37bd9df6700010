//! A scripted Asterisk on the other side of a socket.

mod call_table;
mod calls;
mod conformance;
mod pbx;
mod rest;
mod stream;
mod tls;

use std::{sync::Arc, time::SystemTime};

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinHandle, time::Duration};
use uuid::Uuid;

pub(crate) use self::conformance::candidate;
use self::pbx::Pbx;
use super::*;
use crate::{
    Adapter, CallEvent, CallState, Cause, Clock, Secret, Secrets,
    http::{Network, Policy},
    layers::Protected,
};

/// What the password must never be seen in.
const SECRET: &str = "p@ss:w0rd-of-ari";

pub(super) fn network() -> Network {
    Network::new(Policy::allowing(["127.0.0.0/8".parse().unwrap()]), &[]).unwrap()
}

pub(super) fn clock() -> Clock {
    Clock::new(SystemTime::now, Uuid::new_v4)
}

pub(super) fn config(base_url: &str, app: &str, user: &str) -> Config {
    let config = json!({
        "base_url": base_url,
        "app": app,
        "user": user,
        "agent_endpoint": "PJSIP/{agent}",
        "trunk_endpoint": "PJSIP/{number}@trunk",
        "sip_endpoint": "PJSIP/trunk/{uri}",
        "caller_id": "\"Contoso\" <+14155550199>",
        "transfer_context": "handed-on",
    });
    serde_json::from_value(config).unwrap()
}

pub(super) fn client(config: &Config) -> Client {
    Client::new(config, &Secret::from(SECRET), clock(), network()).unwrap()
}

fn secrets() -> Secrets {
    [(PASSWORD, SECRET)].into_iter().collect()
}

/// A configuration without an endpoint for SIP URIs.
fn settings(base_url: &str) -> Value {
    json!({
        "base_url": base_url,
        "app": "deskplane",
        "user": "desk",
        "agent_endpoint": "PJSIP/{agent}",
        "trunk_endpoint": "PJSIP/{number}@trunk",
        "caller_id": "\"Contoso\" <+14155550199>",
        "transfer_context": "handed-on",
    })
}

/// The adapter alone, made from its configuration as the server does.
fn bare(base_url: &str) -> Arc<dyn ChannelProvider> {
    made(&settings(base_url), network())
}

/// The adapter with a configuration and a network of its own.
fn made(config: &Value, network: Network) -> Arc<dyn ChannelProvider> {
    let setup = Setup {
        provider: "pbx".to_owned(),
        secrets: secrets(),
        webhook_url: None,
        clock: clock(),
        network,
    };
    Adapter::of::<Asterisk>().build(&config.to_string(), setup).unwrap()
}

/// The adapter behind its layers.
fn asterisk(base_url: &str) -> Protected {
    Protected::new(bare(base_url), "pbx", secrets())
}

fn cx() -> Context {
    Context::within(Duration::from_secs(5))
}

fn dial(call: u128, agent: &str) -> StartCall {
    StartCall {
        call_id: Uuid::from_u128(call),
        agent: agent.to_owned(),
        to: "+14155550100".parse().unwrap(),
        from: None,
        context: Default::default(),
    }
}

fn call_ref(call: u128) -> CallRef {
    let call_id = Uuid::from_u128(call);
    CallRef {
        call_id,
        provider_call_id: format!("dp-{call_id}-a"),
        agent: "anna".to_owned(),
        to: "+14155550100".to_owned(),
        from: None,
        start_time: SystemTime::UNIX_EPOCH,
    }
}

/// A server that listens, and the events that it receives.
struct Server {
    provider: Arc<Protected>,
    received: mpsc::UnboundedReceiver<Result<CallEvent>>,
    listener: JoinHandle<()>,
}

impl Server {
    async fn start(pbx: &Pbx) -> Self {
        let provider = Arc::new(asterisk(&pbx.url()));
        Self::listen(provider).await
    }

    async fn listen(provider: Arc<Protected>) -> Self {
        let mut events = provider.events(&cx()).await.unwrap();
        let (sender, received) = mpsc::unbounded_channel();
        let listener = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        Self { provider, received, listener }
    }

    /// The next event; none when the stream has ended.
    async fn next(&mut self) -> Option<Result<CallEvent>> {
        let event = tokio::time::timeout(Duration::from_secs(5), self.received.recv());
        event.await.expect("an event within 5 s")
    }

    /// The next states, and the cause of the last.
    async fn states(&mut self, count: usize) -> (Vec<CallState>, Option<Cause>) {
        let mut events = Vec::new();
        for _ in 0..count {
            events.push(self.next().await.expect("the stream goes on").expect("an event"));
        }
        let cause = events.last().and_then(|event| event.cause.clone());
        (events.iter().map(|event| event.state).collect(), cause)
    }

    /// Stops as a process does: nothing of it goes on.
    async fn stop(self) {
        self.listener.abort();
        let _ = self.listener.await;
    }
}
