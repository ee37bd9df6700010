//! Exchanges and sequences of events recorded from a real Asterisk.

use std::collections::BTreeMap;

use http::Method;
use serde_json::Value;
use uuid::Uuid;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::{
    call_table::CallTable,
    client::{Client, Onward, Originate},
    config::DeviceState,
    message::Message,
    names::{Details, LineId, Side},
    tests::{client, config},
};
use crate::{CallState, Cause, Effect, ErrorKind};

/// What came of a request, in a form that can be compared.
type Came = Result<String, (ErrorKind, Effect)>;

/// Stands for the recorded call.
pub(super) const CALL: Uuid = Uuid::from_u128(1);

/// Runs one case.
pub(crate) fn run(case: &Value) -> Result<(), String> {
    let done = match case["kind"].as_str() {
        Some("http-exchange") => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|error| error.to_string())?.block_on(exchange(case))
        }
        Some("event-sequence") => sequence(case),
        kind => return Err(format!("unknown kind {kind:?}")),
    };
    match case["expect"].as_bool() {
        Some(true) => done,
        Some(false) if done.is_err() => Ok(()),
        Some(false) => Err("accepted, and must be refused".to_owned()),
        None => Err("the case does not say what to expect".to_owned()),
    }
}

/// Makes our request against the recorded answer.
async fn exchange(case: &Value) -> Result<(), String> {
    let (request, response) = (&case["request"], &case["response"]);
    let status = response["status"].as_u64().and_then(|s| u16::try_from(s).ok());
    let status = status.ok_or("the case has no status")?;
    let server = MockServer::start().await;
    let mut answer = ResponseTemplate::new(status);
    if !response["body"].is_string() {
        answer = answer.set_body_json(&response["body"]);
    }
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let app = request["query"]["app"].as_str().unwrap_or("agentsvc");
    let user = request["auth_user"].as_str().ok_or("the case has no user")?;
    let client = client(&config(&format!("{}/ari", server.uri()), app, user));

    let came = ask(&client, request).await?;
    let expected = expected(request, status, &response["body"]);
    if came != expected {
        return Err(format!("came to {came:?} instead of {expected:?}"));
    }
    let sent = server.received_requests().await.unwrap_or_default();
    compare(request, sent.first().ok_or("nothing was sent")?)
}

/// Our request with the values of the recorded one.
async fn ask(client: &Client, request: &Value) -> Result<Came, String> {
    let text = |name: &str| request["query"][name].as_str().unwrap_or_default().to_owned();
    let path = request["path"].as_str().and_then(|path| path.strip_prefix("/ari/"));
    let path: Vec<&str> = path.ok_or("the case has no path below /ari")?.split('/').collect();
    let method = request["method"].as_str().unwrap_or_default();
    let caller_id = request["query"]["callerId"].as_str();
    let originate = |id: &str| Originate {
        id: id.to_owned(),
        endpoint: text("endpoint"),
        args: text("appArgs"),
        caller_id,
        timeout_s: request["query"]["timeout"].as_u64().map_or(30, |s| s as u32),
    };
    let done = match (method, path.as_slice()) {
        ("GET", ["asterisk", "info"]) => client.info().await.map(|info| info.system.version),
        ("GET", ["channels"]) => client.channels().await.map(|all| all.len().to_string()),
        ("POST", ["channels"]) if text("endpoint").is_empty() => {
            client.may_write().await.map(|()| "may write".to_owned())
        }
        ("POST", ["channels"]) => client.originate(&originate("dp-x-a")).await.map(done),
        ("POST", ["channels", id]) => client.originate(&originate(id)).await.map(done),
        ("GET", ["channels", id]) => {
            client.channel(id).await.map(|channel| channel.unwrap_or_default().state)
        }
        ("DELETE", ["channels", id]) => client.hang_up(id).await.map(|there| there.to_string()),
        ("POST", ["channels", id, "hold"]) => client.hold(id, true).await.map(done),
        ("POST", ["channels", id, "continue"]) => {
            let (context, extension) = (text("context"), text("extension"));
            let onward = Onward::Extension { context: &context, extension: &extension };
            client.proceed(id, &onward).await.map(done)
        }
        ("POST", ["bridges", id]) => client.create_bridge(id).await.map(done),
        ("DELETE", ["bridges", id]) => client.remove_bridge(id).await.map(done),
        ("PUT", ["deviceStates", device]) => {
            let state: DeviceState =
                serde_json::from_value(request["query"]["deviceState"].clone())
                    .map_err(|error| error.to_string())?;
            client.set_device_state(device, state).await.map(done)
        }
        // What the contract has no operation for: the way there and the answer are the same.
        _ => {
            let method = Method::from_bytes(method.as_bytes()).map_err(|e| e.to_string())?;
            let digits = text("dtmf");
            let direction = text("direction");
            let all = [("dtmf", digits.as_str()), ("direction", direction.as_str())];
            let query: Vec<_> = all.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            client.send(method, &path, &query).await.map(|_| "done".to_owned())
        }
    };
    Ok(done.map_err(|error| (error.kind(), error.effect())))
}

fn done(_: ()) -> String {
    "done".to_owned()
}

/// What an answer means, written down apart from the code that is tested.
fn expected(request: &Value, status: u16, body: &Value) -> Came {
    let (method, path) = (request["method"].as_str(), request["path"].as_str().unwrap_or_default());
    let words = body["message"].as_str().or(body["error"].as_str()).unwrap_or_default();
    let refused = |kind| Err((kind, Effect::None));
    match status {
        200 if path.ends_with("/info") => {
            Ok(body["system"]["version"].as_str().unwrap_or_default().to_owned())
        }
        200 if body.is_array() => Ok(body.as_array().map_or(0, Vec::len).to_string()),
        200 if method == Some("GET") && path.contains("/channels/") => {
            Ok(body["state"].as_str().unwrap_or_default().to_owned())
        }
        204 if method == Some("DELETE") && path.contains("/channels/") => Ok("true".to_owned()),
        200 | 204 => Ok("done".to_owned()),
        400 if words == "Endpoint must be specified" => Ok("may write".to_owned()),
        401 => refused(ErrorKind::Unauthenticated),
        403 => refused(ErrorKind::PermissionDenied),
        404 if method == Some("DELETE") => Ok("false".to_owned()),
        404 => refused(ErrorKind::NotFound),
        409 if path.contains("/channels/") && words.contains("exists") => Ok("done".to_owned()),
        409 => refused(ErrorKind::Conflict),
        500 if words == "Allocation failed" || words == "Unknown device" => {
            refused(ErrorKind::InvalidArgument)
        }
        _ => Err((ErrorKind::Unavailable, Effect::Unknown)),
    }
}

/// Compares what we sent with what was recorded: method, path and every parameter that we use.
fn compare(request: &Value, sent: &wiremock::Request) -> Result<(), String> {
    let path = request["path"].as_str().unwrap_or_default();
    let same_path = sent.url.path() == path || sent.url.path() == format!("{path}/dp-x-a");
    if request["method"] != sent.method.as_str() || !same_path {
        return Err(format!("sent {} {}", sent.method, sent.url.path()));
    }
    let ours: BTreeMap<_, _> = sent.url.query_pairs().into_owned().collect();
    for (name, value) in request["query"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // Whose a bridge is shows in its name, so ours is another.
        if name != "name" && ours.get(name) != Some(&value) {
            return Err(format!("sent {name}={:?} instead of {value}", ours.get(name)));
        }
    }
    let authorization = sent.headers.get("authorization").is_some();
    if authorization { Ok(()) } else { Err("sent no credentials".to_owned()) }
}

/// Feeds recorded events, with the names of the recording in place of ours.
fn sequence(case: &Value) -> Result<(), String> {
    let id = LineId::Outbound(CALL);
    let events = recorded(case, &id)?;
    let mut table = CallTable::new("agentsvc");
    let customer = case["id"].as_str().is_some_and(|id| id.ends_with("-cust"));
    if customer {
        table.apply_event(&entered(&id));
    }
    let mut reported = Vec::new();
    for event in &events {
        reported.extend(table.apply_event(event).events);
    }
    let states: Vec<_> = reported.iter().map(|event| event.state).collect();
    let cause = reported.last().and_then(|event| event.cause.clone());
    let channels = events.iter().any(|event| event.channel.is_some());
    use CallState::{Answered, Bridged, Dialing, Ended, Ringing, Transferring};
    let expected = match channels {
        false => (vec![], None),
        true if customer => (vec![Bridged, Transferring, Ended], Some(Cause::Normal)),
        true => (vec![Dialing, Ringing, Answered, Ended], Some(Cause::Busy)),
    };
    let timed =
        reported.iter().all(|event| event.occurred_at.is_some() && event.call_id == Some(CALL));
    match (states, cause) {
        came if came == expected && timed => Ok(()),
        came => Err(format!("came to {came:?} instead of {expected:?}, times and ids: {timed}")),
    }
}

/// The events of a case as if the call were ours: with our names and our arguments.
pub(super) fn recorded(case: &Value, id: &LineId) -> Result<Vec<Message>, String> {
    let mut text = case["events"].to_string();
    for (theirs, ours) in [
        ("c2d-0001-agent", id.channel(Side::Agent)),
        ("c2d-0001-cust", id.channel(Side::Customer)),
        ("c2d-0001", id.bridge()),
    ] {
        text = text.replace(&format!("\"{theirs}\""), &format!("\"{ours}\""));
    }
    let mut events: Vec<Message> = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    for event in events.iter_mut().filter(|event| event.kind == "StasisStart") {
        event.args = entered(id).args;
    }
    Ok(events)
}

/// The agent's channel is in our hands.
fn entered(id: &LineId) -> Message {
    let details = Details { agent: "anna".into(), to: "+14155550100".into(), from: String::new() };
    let channel = serde_json::json!({"id": id.channel(Side::Agent), "state": "Up"});
    Message {
        kind: "StasisStart".to_owned(),
        channel: serde_json::from_value(channel).ok(),
        args: vec![details.to_args()],
        ..Message::default()
    }
}

/// All cases of the file.
pub(super) fn cases() -> Vec<Value> {
    let folder = std::env::var("DESKPLANE_VECTORS_DIR")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/vectors").into());
    let text = std::fs::read_to_string(format!("{folder}/asterisk-ari.json")).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(file["cases"].take()).unwrap()
}

#[test]
fn every_recording_is_understood() {
    let cases = cases();
    assert!(cases.len() >= 27, "only {} cases", cases.len());
    for case in &cases {
        run(case).unwrap_or_else(|error| panic!("{}: {error}", case["id"]));
    }
}

#[test]
fn a_recording_that_was_changed_is_refused() {
    let find = |id: &str| cases().into_iter().find(|case| case["id"] == id).unwrap();
    let changes: [(&str, &str, Value); 9] = [
        ("health_info", "/kind", "no-such-kind".into()),
        ("health_info", "/expect", Value::Null),
        ("health_info", "/expect", false.into()),
        ("health_info", "/request/method", "PUT".into()),
        ("originate_agent_leg", "/request/query/app", Value::Null),
        ("originate_agent_leg", "/response/body/id", "another".into()),
        ("get_channel_up", "/response/body", "not JSON".into()),
        ("c2d-0001-agent", "/events/11/cause", 16.into()),
        ("c2d-0001-cust", "/events/9/type", "Other".into()),
    ];
    for (id, pointer, value) in changes {
        let mut case = find(id);
        *case.pointer_mut(pointer).unwrap() = value;
        assert!(run(&case).is_err(), "{id}{pointer}");
    }
}
