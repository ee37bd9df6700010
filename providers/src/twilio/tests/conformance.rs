//! A Twilio with calls that go on, for the conformance kit.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use wiremock::{Request, Respond, matchers::any};

use super::{
    webhook::{body, signed},
    *,
};
use crate::kit::{
    Plan, Sample,
    adapters::{self, Candidate},
};

/// Is always busy.
const BUSY: &str = "+14155550101";
/// Activities, one for each presence.
const ACTIVITIES: [&str; 5] = ["AVAILABLE", "BUSY", "DO_NOT_DISTURB", "AWAY", "OFFLINE"];

/// A leg of the agent: how far it is, and whether the customer is busy.
#[derive(Clone)]
struct Line {
    status: &'static str,
    busy: bool,
}

#[derive(Default)]
struct State {
    legs: BTreeMap<String, Line>,
    illegal: Vec<String>,
}

/// What answers as Twilio does, and minds what it is asked for.
#[derive(Clone, Default)]
struct Exchange(Arc<Mutex<State>>);

impl Respond for Exchange {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let (status, answer) = self.0.lock().unwrap().answer(request);
        ResponseTemplate::new(status).set_body_json(answer)
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> (u16, Value) {
        let path = request.url.path();
        let form: HashMap<String, String> =
            url::form_urlencoded::parse(&request.body).into_owned().collect();
        let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if !signed_in(request) {
            return self.refuse(401, 20003, format!("{path} without credentials"));
        }
        let space = format!("/v1/Workspaces/{SPACE}");
        let calls = account("/Calls/");
        let sid = path.strip_prefix(&calls).and_then(|rest| rest.strip_suffix(".json"));
        match (request.method.as_str(), path) {
            ("GET", path) if path == account(".json") => (200, json!({"status": "active"})),
            ("GET", path) if path == account(&format!("/Applications/{APP}.json")) => {
                (200, json!({"voice_url": HOOK}))
            }
            ("GET", path) if path == format!("{space}/Activities") => {
                let all = (0..ACTIVITIES.len()).map(|at| json!({"sid": activity(at)}));
                (200, json!({"activities": all.collect::<Vec<_>>()}))
            }
            ("POST", path) if path == format!("{space}/Workers/{WORKER}") => {
                let known = (0..ACTIVITIES.len()).any(|at| activity(at) == text("ActivitySid"));
                match known {
                    true => (200, json!({"sid": WORKER})),
                    false => self.refuse(400, 20001, format!("activity {form:?}")),
                }
            }
            ("POST", path) if path == account("/Calls.json") => self.dial(&text),
            ("GET", _) if sid.is_some() => self.look(sid.unwrap_or_default()),
            ("POST", _) if sid.is_some() => self.finish(sid.unwrap_or_default(), text("Status")),
            (method, path) => self.refuse(404, 20404, format!("{method} {path}")),
        }
    }

    fn dial<'a>(&mut self, text: &impl Fn(&str) -> &'a str) -> (u16, Value) {
        let instructed = text("Twiml").starts_with("<?xml") && text("Twiml").contains("<Dial ");
        let tells = text("StatusCallback").starts_with(HOOK);
        if text("To") != "client:anna" || text("From").is_empty() || !instructed || !tells {
            return self.refuse(400, 21211, format!("a call with {}", text("Twiml")));
        }
        let sid = format!("CA{:032x}", self.legs.len() + 1);
        let line = Line { status: "queued", busy: text("Twiml").contains(BUSY) };
        self.legs.insert(sid.clone(), line);
        (201, leg(&sid, "queued"))
    }

    /// Each look finds the leg further on.
    fn look(&mut self, sid: &str) -> (u16, Value) {
        let Some(line) = self.legs.get_mut(sid) else {
            return self.refuse(404, 20404, format!("call {sid}"));
        };
        line.status = match (line.status, line.busy) {
            ("queued", _) => "ringing",
            ("ringing", _) => "in-progress",
            // The instructions end with the customer's leg, and the agent's leg with them.
            ("in-progress", true) => "completed",
            (status, _) => status,
        };
        (200, leg(sid, line.status))
    }

    fn finish(&mut self, sid: &str, status: &str) -> (u16, Value) {
        let Some(line) = self.legs.get_mut(sid) else {
            return self.refuse(404, 20404, format!("call {sid}"));
        };
        line.status = match (line.status, status) {
            ("queued" | "ringing", "canceled") => "canceled",
            ("in-progress", "canceled") => "in-progress",
            ("queued" | "ringing" | "in-progress", "completed") => "completed",
            _ => return (400, json!({"code": 21220, "message": "Call is not in-progress"})),
        };
        (200, leg(sid, line.status))
    }

    fn refuse(&mut self, status: u16, code: u32, what: String) -> (u16, Value) {
        self.illegal.push(what);
        (status, json!({"code": code, "message": "refused", "status": status}))
    }
}

fn signed_in(request: &Request) -> bool {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let pair = STANDARD.encode(format!("{KEY}:key-secret-1f2e3d"));
    request.headers.get("authorization").is_some_and(|given| *given == format!("Basic {pair}"))
}

fn activity(at: usize) -> String {
    format!("WA{at:032x}")
}

/// What Twilio posts when a customer's leg ends, and a question that nobody has an answer to.
fn samples() -> Vec<Sample> {
    let posted = [
        ("CallSid", CHILD),
        ("ParentCallSid", LEG),
        ("CallStatus", "busy"),
        ("From", "+14155550199"),
        ("To", "+14155550100"),
        ("SequenceNumber", "3"),
    ];
    let recorded = [("CallSid", LEG), ("RecordingStatus", "completed")];
    let sample = |form: &[(&str, &str)], events| {
        let url = format!("{HOOK}?call_id={CALL_ID}");
        let headers = signed(&url, form);
        let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        let body = String::from_utf8(body(form).to_vec()).unwrap();
        let headers = headers.iter().map(line).collect();
        Sample { method: "POST".to_owned(), url, headers, body, events }
    };
    vec![sample(&posted, 1), sample(&recorded, 0)]
}

/// The adapter, and a Twilio that minds what it is asked for.
pub(crate) async fn candidate() -> Candidate {
    let server = MockServer::start().await;
    let exchange = Exchange::default();
    Mock::given(any()).respond_with(exchange.clone()).mount(&server).await;
    let mut config = with_workspace();
    config["base_url"] = json!(server.uri());
    config["taskrouter_base_url"] = json!(server.uri());
    let activities = ACTIVITIES.iter().enumerate().map(|(at, name)| (*name, activity(at)));
    config["activities"] = json!(activities.collect::<BTreeMap<_, _>>());
    let mut plan = Plan::new("anna");
    plan.to = Some("+14155550100".parse().unwrap());
    plan.busy = Some(BUSY.parse().unwrap());
    plan.secrets = ["key-secret-1f2e3d", "auth-token-9a8b7c", "shared-key-5d6e7f"]
        .map(|secret| Secret::from(secret.to_owned()))
        .to_vec();
    plan.webhooks = samples();
    let setup = adapters::setup("contoso_voice", secrets());
    Candidate::new(KIND, &config.to_string(), setup, plan).with(move || {
        let _running = &server;
        exchange.0.lock().unwrap().illegal.clone()
    })
}
