use std::time::Duration;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::*;
use crate::{
    CallEvent, CallState, Cause, Direction, Reply,
    twilio::signature::{SETTINGS, SIGNATURE},
};

/// The URL that Twilio was given for the call.
fn hook() -> String {
    format!("{HOOK}?call_id={CALL_ID}")
}

fn adapter() -> Twilio {
    twilio_of("http://127.0.0.1:9", config())
}

/// Headers of a form whose signature is right.
pub(super) fn signed(url: &str, form: &[(&str, &str)]) -> HeaderMap {
    let mut sorted: Vec<_> = form.iter().collect();
    sorted.sort();
    sorted.dedup();
    let params: String = sorted.iter().map(|(name, value)| format!("{name}{value}")).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"auth-token-9a8b7c");
    let signature = STANDARD.encode(hmac::sign(&key, format!("{url}{params}").as_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE, HeaderValue::try_from(signature).unwrap());
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8");
    headers.insert("content-type", kind);
    headers
}

pub(super) fn body(form: &[(&str, &str)]) -> Bytes {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish().into()
}

/// What a form says whose signature is right.
async fn receive(url: &str, form: &[(&str, &str)]) -> Result<Received, WebhookRefused> {
    let headers = signed(url, form);
    adapter().receive(&Webhook { method: "POST", url, headers: &headers, body: &body(form) }).await
}

/// The only event of a form.
async fn event(form: &[(&str, &str)]) -> CallEvent {
    let mut received = receive(&hook(), form).await.unwrap();
    assert_eq!((received.events.len(), received.reply), (1, Reply::default()), "{form:?}");
    received.events.remove(0)
}

#[tokio::test]
async fn the_agents_leg_tells_how_far_the_call_is() {
    for (status, state, cause) in [
        ("queued", CallState::Queued, None),
        ("initiated", CallState::Dialing, None),
        ("ringing", CallState::Ringing, None),
        ("in-progress", CallState::Answered, None),
        ("completed", CallState::Ended, Some(Cause::Normal)),
        ("busy", CallState::Ended, Some(Cause::Busy)),
        ("no-answer", CallState::Ended, Some(Cause::NoAnswer)),
        ("failed", CallState::Ended, Some(Cause::Failed)),
        ("canceled", CallState::Ended, Some(Cause::Canceled)),
        ("levitating", CallState::Unknown, Some(Cause::Other("levitating".to_owned()))),
    ] {
        let form = [
            ("CallSid", LEG),
            ("CallStatus", status),
            ("Direction", "outbound-api"),
            ("From", "+14155550199"),
            ("To", "client:anna"),
            ("SequenceNumber", "2"),
            ("CallbackSource", "call-progress-events"),
            ("Timestamp", "Tue, 14 Nov 2023 22:13:20 +0000"),
        ];
        let expected = CallEvent {
            provider_call_id: LEG.to_owned(),
            call_id: Some(CALL_ID),
            key: format!("{LEG}:2"),
            state,
            cause,
            direction: Direction::Outbound,
            from: "+14155550199".to_owned(),
            to: "client:anna".to_owned(),
            agent: Some("anna".to_owned()),
            occurred_at: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)),
        };
        assert_eq!(event(&form).await, expected, "{status}");
    }
}

#[tokio::test]
async fn the_customers_leg_joins_the_call_or_ends_it() {
    for (status, sip, expected) in [
        ("initiated", "", None),
        ("ringing", "", None),
        ("in-progress", "", Some((CallState::Bridged, None))),
        ("completed", "200", Some((CallState::Ended, Some(Cause::Normal)))),
        ("busy", "486", Some((CallState::Ended, Some(Cause::Busy)))),
        ("no-answer", "", Some((CallState::Ended, Some(Cause::NoAnswer)))),
        ("failed", "404", Some((CallState::Ended, Some(Cause::InvalidNumber)))),
        ("failed", "603", Some((CallState::Ended, Some(Cause::Rejected)))),
        ("failed", "503", Some((CallState::Ended, Some(Cause::Congestion)))),
        ("failed", "500", Some((CallState::Ended, Some(Cause::Failed)))),
    ] {
        let form = [
            ("CallSid", CHILD),
            ("ParentCallSid", LEG),
            ("CallStatus", status),
            ("Direction", "outbound-dial"),
            ("From", "+14155550199"),
            ("To", "+14155550100"),
            ("SequenceNumber", "1"),
            ("SipResponseCode", sip),
        ];
        let received = receive(&hook(), &form).await.unwrap();
        let event = received.events.first().map(|event| {
            assert_eq!((event.provider_call_id.as_str(), event.call_id), (LEG, Some(CALL_ID)));
            assert_eq!(event.key, format!("{CHILD}:1"), "not the key of the agent's leg");
            assert_eq!(event.direction, Direction::Outbound);
            (event.state, event.cause.clone())
        });
        assert_eq!(event, expected, "{status} {sip}");
    }
}

#[tokio::test]
async fn a_customer_who_calls_is_told_at_the_agents_leg() {
    let form = [
        ("CallSid", LEG),
        ("ParentCallSid", OTHER),
        ("CallStatus", "ringing"),
        ("Direction", "outbound-dial"),
        ("From", "+14155550100"),
        ("To", "client:kim_2Elee"),
    ];
    let ringing = event(&form).await;
    assert_eq!((ringing.state, ringing.direction), (CallState::Ringing, Direction::Inbound));
    assert_eq!(
        (ringing.provider_call_id.as_str(), ringing.agent.as_deref()),
        (LEG, Some("kim.lee"))
    );
    assert_eq!(ringing.key, format!("{LEG}:ringing"), "the state stands for a missing number");
    let mut joined = form;
    joined[2].1 = "in-progress";
    assert_eq!(event(&joined).await.state, CallState::Bridged);
}

#[tokio::test]
async fn an_agent_who_dials_in_the_softphone_gets_instructions_and_nobody_else() {
    let dialled = format!(
        r#"<Response><Dial callerId="+14155550199"><Number statusCallback="{HOOK}" statusCallbackMethod="POST" statusCallbackEvent="initiated ringing answered completed">+14155550100</Number></Dial></Response>"#
    );
    let nothing = "<Response></Response>".to_owned();
    let other = APP.replace('f', "e");
    for (app, from, to, expected, direction) in [
        (APP, "client:anna", "+14155550100", &dialled, Direction::Outbound),
        (APP, "client:anna", "0155", &nothing, Direction::Outbound),
        (APP, "client:anna", "", &nothing, Direction::Outbound),
        (APP, "+14155550100", "+14155550199", &nothing, Direction::Inbound),
        (&other, "client:anna", "+14155550100", &nothing, Direction::Outbound),
        ("", "client:anna", "+14155550100", &nothing, Direction::Outbound),
    ] {
        let form = [
            ("ApplicationSid", app),
            ("CallSid", LEG),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", from),
            ("To", to),
        ];
        let received = receive(HOOK, &form).await.unwrap();
        assert_eq!(received.reply.content_type, "text/xml");
        let text = String::from_utf8(received.reply.body.to_vec()).unwrap();
        assert_eq!(
            text.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?>"#),
            Some(&**expected)
        );
        let event = &received.events[0];
        assert_eq!((event.direction, event.state), (direction, CallState::Ringing));
        let agent = (direction == Direction::Outbound).then_some("anna");
        assert_eq!((event.agent.as_deref(), event.call_id), (agent, None));
    }
}

#[tokio::test]
async fn what_says_nothing_of_a_call_is_taken_without_events() {
    let recording = [("CallSid", LEG), ("RecordingStatus", "completed")];
    assert_eq!(receive(HOOK, &recording).await, Ok(Received::default()));
    for form in [
        &[("CallStatus", "busy")][..],
        &[("CallStatus", "busy"), ("CallSid", "../x")],
        &[("CallStatus", "busy"), ("CallSid", LEG), ("ParentCallSid", "x")],
    ] {
        assert_eq!(receive(HOOK, form).await, Err(WebhookRefused::Malformed), "{form:?}");
    }
}

#[tokio::test]
async fn a_request_that_was_changed_on_its_way_is_refused() {
    let form = [("CallSid", LEG), ("CallStatus", "busy"), ("SequenceNumber", "1")];
    let (url, good, sent) = (hook(), signed(&hook(), &form), body(&form));
    let without = |name: &str| {
        let mut headers = good.clone();
        headers.remove(name);
        headers
    };
    let with = |name: &'static str, value: &'static str| {
        let mut headers = good.clone();
        headers.insert(name, HeaderValue::from_static(value));
        headers
    };
    let fresh = format!("{HOOK}?call_id={}", Uuid::from_u128(8));
    let more = Bytes::from([&sent[..], b"&To=%2B1"].concat());
    use WebhookRefused::{BadSignature, Malformed, Unsigned};
    let cases = [
        ("POST", &url, good.clone(), &sent, None),
        ("GET", &url, good.clone(), &sent, Some(Malformed)),
        ("POST", &url, without(SIGNATURE), &sent, Some(Unsigned)),
        ("POST", &url, with(SIGNATURE, ""), &sent, Some(BadSignature)),
        ("POST", &fresh, good.clone(), &sent, Some(BadSignature)),
        ("POST", &url, good.clone(), &more, Some(BadSignature)),
        ("POST", &url, good.clone(), &Bytes::new(), Some(BadSignature)),
        // The body is no longer covered when it is no form.
        ("POST", &url, with("content-type", "text/plain"), &sent, Some(BadSignature)),
        ("POST", &url, with(SETTINGS, "key=k,algorithm=HMAC_SHA256"), &sent, Some(BadSignature)),
        ("POST", &url, with(SETTINGS, "key=k,algorithm=NONE"), &sent, Some(BadSignature)),
        ("POST", &url, with(SETTINGS, "key=k, algorithm = hmac_sha1"), &sent, None),
    ];
    for (method, url, headers, body, expected) in cases {
        let done = adapter().receive(&Webhook { method, url, headers: &headers, body }).await;
        assert_eq!(done.err(), expected, "{method} {url} {headers:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_form_is_covered_by_its_digest_in_the_url() {
    let sent = Bytes::from(r#"{"property": "value", "boolean": true}"#);
    let digest = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let (url, plain) = (format!("{HOOK}?bodySHA256={digest}"), HOOK.to_owned());
    let other = Bytes::from("{}");
    for (url, body, right) in [(&url, &sent, true), (&url, &other, false), (&plain, &sent, false)] {
        let mut headers = signed(url, &[]);
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let webhook = Webhook { method: "POST", url, headers: &headers, body };
        let expected = right.then(Received::default).ok_or(WebhookRefused::BadSignature);
        assert_eq!(adapter().receive(&webhook).await, expected);
    }
}

#[tokio::test]
async fn a_shared_key_counts_under_its_name_only() {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"shared-key-5d6e7f");
    let signature = STANDARD.encode(hmac::sign(&key, HOOK.as_bytes()));
    let mut headers = signed(HOOK, &[]);
    headers.insert(SIGNATURE, HeaderValue::try_from(signature).unwrap());
    let body = Bytes::new();
    for (configured, settings, right) in [
        (None, "key=SH1,algorithm=HMAC_SHA256", true),
        (Some("SH1"), "key=SH1,algorithm=HMAC_SHA256", true),
        (Some("SH2"), "key=SH1,algorithm=HMAC_SHA256", false),
        (Some("SH2"), "algorithm=HMAC_SHA256", false),
        (None, "key=SH1", false),
    ] {
        headers.insert(SETTINGS, HeaderValue::from_static(settings));
        let mut config = config();
        config["shared_key_sid"] = json!(configured);
        let twilio = twilio_of("http://127.0.0.1:9", config);
        let webhook = Webhook { method: "POST", url: HOOK, headers: &headers, body: &body };
        assert_eq!(twilio.receive(&webhook).await.is_ok(), right, "{configured:?} {settings}");
    }
    let token = [(API_KEY_SECRET, "key-secret-1f2e3d"), (AUTH_TOKEN, "shared-key-5d6e7f")];
    headers.insert(SETTINGS, HeaderValue::from_static("key=SH1,algorithm=HMAC_SHA256"));
    let webhook = Webhook { method: "POST", url: HOOK, headers: &headers, body: &body };
    let refused = twilio_at(NOW, config(), &token).receive(&webhook).await;
    assert_eq!(refused, Err(WebhookRefused::BadSignature), "no shared key is set");
}
