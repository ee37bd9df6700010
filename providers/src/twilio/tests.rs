mod answers;
mod calls;
mod config;
mod conformance;
mod interop;
mod webhook;

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

pub(crate) use self::conformance::candidate;
use super::*;
use crate::{
    Address, Secrets,
    http::{Network, Policy},
};

pub(super) const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const KEY: &str = "SKfedcba9876543210fedcba9876543210";
const APP: &str = "AP00112233445566778899aabbccddeeff";
const SPACE: &str = "WS00112233445566778899aabbccddeeff";
const WORKER: &str = "WK00112233445566778899aabbccddeeff";
const ACTIVE: &str = "WA000000000000000000000000000000aa";
const AWAY: &str = "WA000000000000000000000000000000bb";
/// SIDs of legs: the agent's, the customer's.
const LEG: &str = "CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const CHILD: &str = "CAbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const OTHER: &str = "CAcccccccccccccccccccccccccccccccc";
const HOOK: &str = "https://desk.example.com/webhooks/contoso_voice";
/// 2023-11-14T22:13:20Z, when all of these tests happen.
const NOW: u64 = 1_700_000_000;
const CALL_ID: Uuid = Uuid::from_u128(7);

/// A configuration with everything that must be there.
pub(super) fn config() -> Value {
    json!({
        "account_sid": ACCOUNT,
        "api_key_sid": KEY,
        "twiml_app_sid": APP,
        "caller_id": "+14155550199",
    })
}

/// The same with a workspace.
fn with_workspace() -> Value {
    let mut config = config();
    config["workspace_sid"] = json!(SPACE);
    config["activities"] = json!({"AVAILABLE": ACTIVE, "AWAY": AWAY});
    config["workers"] = json!({"anna": WORKER});
    config
}

fn secrets() -> Secrets {
    let secrets = [
        (API_KEY_SECRET, "key-secret-1f2e3d"),
        (AUTH_TOKEN, "auth-token-9a8b7c"),
        (SHARED_KEY, "shared-key-5d6e7f"),
    ];
    secrets.into_iter().collect()
}

fn setup(now: u64, secrets: Secrets) -> Setup {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
    Setup {
        provider: "contoso_voice".to_owned(),
        secrets,
        webhook_url: Some(HOOK.to_owned()),
        clock: Clock::new(move || time, Uuid::new_v4),
        network: Network::new(Policy::allowing(["127.0.0.0/8".parse().unwrap()]), &[]).unwrap(),
    }
}

/// An adapter at that time; nobody answers its requests.
pub(super) fn twilio_at(now: u64, config: Value, secrets: &[(&str, &str)]) -> Twilio {
    let config: Config = serde_json::from_value(config).unwrap();
    let mut violations = Violations::default();
    Twilio::judge(&config, &mut violations);
    assert_eq!(violations.into_sorted(), []);
    Twilio::build(config, setup(now, secrets.iter().copied().collect())).unwrap()
}

/// An adapter whose requests go to the server.
fn twilio_of(url: &str, mut config: Value) -> Twilio {
    config["base_url"] = json!(url);
    config["taskrouter_base_url"] = json!(url);
    let config: Config = serde_json::from_value(config).unwrap();
    Twilio::build(config, setup(NOW, secrets())).unwrap()
}

/// A server, and an adapter that takes it for Twilio.
async fn twilio() -> (MockServer, Twilio) {
    let server = MockServer::start().await;
    let twilio = twilio_of(&server.uri(), with_workspace());
    (server, twilio)
}

fn cx() -> Context {
    Context::within(Duration::from_secs(5))
}

fn start() -> StartCall {
    StartCall {
        call_id: CALL_ID,
        agent: "anna".to_owned(),
        to: "+14155550100".parse::<Address>().unwrap(),
        from: None,
        context: Default::default(),
    }
}

fn call(sid: &str) -> CallRef {
    CallRef {
        call_id: CALL_ID,
        provider_call_id: sid.to_owned(),
        agent: "anna".to_owned(),
        to: "+14155550100".to_owned(),
        from: None,
        start_time: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW - 60),
    }
}

/// Path below the account.
fn account(path: &str) -> String {
    format!("/2010-04-01/Accounts/{ACCOUNT}{path}")
}

fn leg_path(sid: &str) -> String {
    account(&format!("/Calls/{sid}.json"))
}

fn leg(sid: &str, status: &str) -> Value {
    json!({
        "sid": sid,
        "status": status,
        "to": "client:anna",
        "from": "+14155550199",
        "direction": "outbound-api",
        "parent_call_sid": null,
        "date_created": "Tue, 14 Nov 2023 22:12:20 +0000",
        "queue_time": "1000",
    })
}

/// Answers one kind of request, so many times.
async fn answers(
    server: &MockServer,
    method: &str,
    path: &str,
    status: u16,
    body: &Value,
    times: impl Into<wiremock::Times>,
) {
    Mock::given(matchers::method(method))
        .and(matchers::path(path))
        .and(matchers::basic_auth(KEY, "key-secret-1f2e3d"))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .expect(times)
        .mount(server)
        .await;
}

/// The form of the last request.
async fn last_form(server: &MockServer) -> Vec<(String, String)> {
    let requests = server.received_requests().await.unwrap();
    let last = requests.last().unwrap();
    assert_eq!(last.headers["content-type"], "application/x-www-form-urlencoded");
    url::form_urlencoded::parse(&last.body).into_owned().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
