//! Answers that are not as the protocol says.

use futures_util::StreamExt as _;
use prost::Message as _;

use super::*;

fn event() -> v1::CallEvent {
    v1::CallEvent {
        provider_call_id: "c".to_owned(),
        key: "k".to_owned(),
        state: v1::CallState::Ringing.into(),
        direction: v1::Direction::Inbound.into(),
        ..v1::CallEvent::default()
    }
}

#[tokio::test]
async fn a_start_with_an_odd_answer_may_have_dialled() {
    let plugin = Running::start("").await;
    let external = provider(&config(&plugin.endpoint));
    let answer = |id: &str, state| {
        v1::StartCallResponse { provider_call_id: id.to_owned(), state }.encode_to_vec()
    };
    let odd = [
        Vec::new(),
        answer("", 2),
        answer("c", 0),
        answer("c", 77),
        answer(&"c".repeat(257), 2),
        b"\xff\xff\xff".to_vec(),
        vec![0; MAX_ANSWER_BYTES + 1],
    ];
    for raw in odd {
        let size = raw.len();
        plugin.script("StartCall", Act::Raw(raw));
        let error = external.start_call(&second(), start()).await.unwrap_err();
        let expected = (ErrorKind::Protocol, Effect::Unknown);
        assert_eq!((error.kind(), error.effect()), expected, "{size} bytes: {error}");
    }
}

#[tokio::test]
async fn a_token_without_text_or_end_is_none() {
    let plugin = Running::start("").await;
    let external = provider(&config(&plugin.endpoint));
    let late = prost_types::Timestamp { seconds: i64::MAX, nanos: 0 };
    let token = |token: &str, expire_time| v1::MintTokenResponse {
        token: token.to_owned(),
        expire_time,
        ..Default::default()
    };
    for odd in [token("", Some(Default::default())), token("t", None), token("t", Some(late))] {
        plugin.script("MintToken", Act::message(&odd));
        let request = MintToken { agent: "anna".to_owned(), ttl: None };
        let error = external.mint_client_token(&second(), request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{odd:?}");
    }
}

#[test]
fn odd_events_are_errors_and_odd_causes_are_not() {
    let odd = [
        v1::CallEvent { provider_call_id: String::new(), ..event() },
        v1::CallEvent { key: String::new(), ..event() },
        v1::CallEvent { state: 99, ..event() },
        v1::CallEvent { direction: 0, ..event() },
        v1::CallEvent { call_id: "no uuid".to_owned(), ..event() },
    ];
    for odd in odd {
        assert!(convert::event(odd.clone()).is_err(), "{odd:?}");
    }
    let ended = |cause| v1::CallEvent {
        state: v1::CallState::Ended.into(),
        cause,
        other_cause: "w".repeat(200),
        ..event()
    };
    let other = Some(crate::Cause::Other("w".repeat(100)));
    assert_eq!(convert::event(ended(11)).unwrap().cause, other);
    assert_eq!(convert::event(ended(99)).unwrap().cause, other, "a cause of a later version");
    assert_eq!(convert::event(ended(0)).unwrap().cause, None);
    let live = v1::CallEvent { cause: 2, ..event() };
    assert_eq!(convert::event(live).unwrap().cause, None, "a live call has none");
}

#[test]
fn a_vendor_is_answered_nothing_that_a_browser_would_run() {
    let answer = |content_type: &str, size| v1::VerifyAndParseWebhookResponse {
        verdict: v1::Verdict::Accepted.into(),
        events: vec![event()],
        reply: Some(v1::Reply {
            content_type: content_type.to_owned(),
            body: vec![b'x'; size].into(),
        }),
    };
    assert!(convert::received(answer("application/xml", 5)).is_ok());
    for odd in [answer("text/html", 5), answer("", 5), answer("text/plain", 70_000)] {
        assert_eq!(convert::received(odd), Err(WebhookRefused::Unavailable));
    }
}

#[test]
fn checks_of_a_plugin_are_cut_and_unknown_outcomes_are_failures() {
    let check = v1::Check {
        name: "n".repeat(300),
        outcome: 77,
        detail: "d".repeat(900),
        duration: Some(prost_types::Duration { seconds: -1, nanos: 0 }),
    };
    let check = convert::check(check);
    assert_eq!((check.name.len(), check.detail.len()), (100, 500));
    assert_eq!(check.outcome, CheckOutcome::Failed(ErrorKind::InvalidConfig));
    assert!(check.duration.is_zero());
}

#[tokio::test]
async fn a_stream_begins_with_a_sign_of_life_and_ends_when_the_plugin_does() {
    let plugin = Running::start("").await;
    let external = provider(&config(&plugin.endpoint));
    let answer = |event: Option<v1::CallEvent>| v1::StreamEventsResponse { event };
    plugin.script("StreamEvents", Act::message(&answer(None)));
    let mut events = external.events(&second()).await.unwrap();
    assert!(events.next().await.is_none(), "it says nothing more");

    plugin.script("StreamEvents", Act::message(&answer(Some(event()))));
    let mut events = external.events(&second()).await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().key, "k");
    assert!(events.next().await.is_none());

    plugin.script("StreamEvents", Act::Raw(b"\xff\xff".to_vec()));
    let error = external.events(&second()).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);

    plugin.script("StreamEvents", Act::Hang);
    let soon = Context::within(Duration::from_millis(200));
    let error = external.events(&soon).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

/// Paused time advances by itself while all tasks wait, so a minute of silence takes none.
#[tokio::test]
async fn a_stream_without_a_sign_of_life_is_given_up() {
    let plugin = Running::start("").await;
    let external = provider(&config(&plugin.endpoint));
    let word = v1::StreamEventsResponse { event: None }.encode_to_vec();
    plugin.script("StreamEvents", Act::Silent(word));
    let mut events = external.events(&second()).await.unwrap();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let error = events.next().await.expect("an error").unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::None));
    assert!(error.message().contains("no sign of life"), "{error}");
    let silence = begun.elapsed().as_secs_f64();
    assert!((59.0..61.0).contains(&silence), "after {silence} s");
    assert!(events.next().await.is_none());
}

#[test]
fn no_bytes_make_the_reader_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut read = 0;
    for _ in 0..20_000 {
        let mut bytes = event().encode_to_vec();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        if let Ok(odd) = v1::CallEvent::decode(bytes.as_slice()) {
            read += usize::from(convert::event(odd).is_ok());
        }
    }
    assert!(read > 100, "hardly any was read: {read}");
}
