use bytes::Bytes;
use http::HeaderMap;
use uuid::Uuid;

use super::{switchboard::BACKLOG, *};
use crate::{
    CallState, Cause, Direction, Registry, Secrets,
    http::{Network, Policy},
};

fn fake(secrets: Secrets) -> (Arc<dyn ChannelProvider>, Arc<Switchboard>) {
    let name = Uuid::new_v4().to_string();
    let setup = Setup {
        provider: name.clone(),
        secrets,
        webhook_url: None,
        clock: Clock::new(std::time::SystemTime::now, Uuid::new_v4),
        network: Network::new(Policy::default(), &[]).unwrap(),
    };
    let registry = Registry::builtin().with_fake();
    (registry.find(KIND).unwrap().build("{}", setup).unwrap(), Switchboard::named(&name))
}

#[tokio::test]
async fn every_listener_gets_the_events() {
    let (fake, vendor) = fake(Secrets::default());
    let cx = Context::within(Duration::from_secs(1));
    let mut events = fake.events(&cx).await.unwrap();
    vendor.emit(&VendorEvent { inbound: true, ..VendorEvent::of("call-1", "ringing") });
    vendor.emit(&VendorEvent::of("call-1", "strange"));
    let event = events.next().await.unwrap().unwrap();
    assert_eq!((event.state, event.direction), (CallState::Ringing, Direction::Inbound));
    let event = events.next().await.unwrap().unwrap();
    assert_eq!(event.cause, Some(Cause::Other("strange".to_owned())));
    vendor.hang_up_listeners();
    assert!(events.next().await.is_none(), "the vendor is gone");
}

#[tokio::test]
async fn a_webhook_is_signed_with_the_key() {
    let (open, _) = fake(Secrets::default());
    let (keyed, _) = fake([(WEBHOOK_KEY, "s3cret-key")].into_iter().collect());
    let body = Bytes::from(serde_json::to_vec(&[VendorEvent::of("call-1", "busy")]).unwrap());
    let odd = Bytes::from("?");
    let headers = |value: &str| {
        let value = http::HeaderValue::from_str(value).unwrap();
        HeaderMap::from_iter([(http::HeaderName::from_static(SIGNATURE), value)])
    };
    let signed = |key: &str, body: &[u8]| headers(&sign(key, body));
    let cases = [
        (&open, signed("s3cret-key", &body), &body, Err(WebhookRefused::NotOffered)),
        (&keyed, HeaderMap::new(), &body, Err(WebhookRefused::Unsigned)),
        (&keyed, headers("s3cret-key"), &body, Err(WebhookRefused::BadSignature)),
        (&keyed, signed("other", &body), &body, Err(WebhookRefused::BadSignature)),
        (&keyed, signed("s3cret-key", &body), &odd, Err(WebhookRefused::BadSignature)),
        (&keyed, signed("s3cret-key", &odd), &odd, Err(WebhookRefused::Malformed)),
        (&keyed, signed("s3cret-key", &body), &body, Ok(Some(Cause::Busy))),
    ];
    for (fake, headers, body, expected) in cases {
        let url = "https://desk.example.com/webhooks/fake";
        let webhook = Webhook { method: "POST", url, headers: &headers, body };
        let received = fake.receive(&webhook).await.map(|mut r| r.events.remove(0).cause);
        assert_eq!(received, expected);
    }
}

#[test]
fn all_mistakes_of_a_configuration_are_named_at_once() {
    let registry = Registry::builtin().with_fake();
    let adapter = registry.find(KIND).unwrap();
    let config = r#"{"switchboard": 5, "behaviour": {"start_call": "ODD"}, "more": true}"#;
    let violations = adapter.capabilities(config).unwrap_err();
    let paths: Vec<_> = violations.iter().map(|v| v.path.as_str()).collect();
    assert_eq!(paths, ["behaviour.start_call", "more", "switchboard"], "{violations:?}");
    assert!(adapter.capabilities(r#"{"capabilities": ["FLY"]}"#).is_err());
    assert!(adapter.capabilities("[]").is_err() && adapter.capabilities("{").is_err());
}

#[tokio::test]
async fn a_listener_that_is_too_far_behind_loses_its_stream_and_no_other_does() {
    let (fake, vendor) = fake(Secrets::default());
    let cx = Context::within(Duration::from_secs(1));
    let slow = fake.events(&cx).await.unwrap();
    let event =
        |at: usize| VendorEvent { key: at.to_string(), ..VendorEvent::of("call-1", "ringing") };
    for at in 0..BACKLOG {
        vendor.emit(&event(at));
    }
    let quick = fake.events(&cx).await.unwrap();
    assert_eq!(vendor.listeners(), 2, "a full backlog is no reason yet");
    vendor.emit(&event(BACKLOG));
    assert_eq!(vendor.listeners(), 1);
    // What waited is delivered in order, then the stream ends, so the listener knows of the gap.
    let keys: Vec<_> = slow.map(|event| event.unwrap().key).collect().await;
    assert_eq!(keys, (0..BACKLOG).map(|at| at.to_string()).collect::<Vec<_>>());
    vendor.hang_up_listeners();
    let keys: Vec<_> = quick.map(|event| event.unwrap().key).collect().await;
    assert_eq!(keys, [BACKLOG.to_string()]);
}
