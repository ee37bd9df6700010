//! Webhooks: accepted when they are genuine, and never otherwise.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::time::timeout;

use super::{
    Sample,
    subject::{Subject, Verdict, ensure, failed, skipped},
};
use crate::{Received, Webhook, WebhookRefused};

/// A body larger than any that reaches an adapter.
const HUGE: usize = 1 << 20;

pub(super) async fn run(subject: &mut Subject<'_>) {
    let rule = "What is empty, garbage, huge or unsigned is refused.";
    subject.check("webhooks.garbage", rule, garbage).await;
    let rule = "A genuine webhook is accepted, with as many events as it should have.";
    subject.check("webhooks.genuine", rule, genuine).await;
    let rule = "A genuine webhook without its headers, or with a changed byte, is refused.";
    subject.check("webhooks.tampered", rule, tampered).await;
}

async fn receive(
    subject: &Subject<'_>,
    (method, url): (&str, &str),
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Result<Received, WebhookRefused>, Verdict> {
    let webhook = Webhook { method, url, headers, body };
    let received = timeout(subject.plan.within, subject.provider.receive(&webhook)).await;
    received.or_else(|_| failed("no answer in time"))
}

async fn garbage(subject: &Subject<'_>) -> Result<(), Verdict> {
    let mut wild = HeaderMap::new();
    for name in ["authorization", "x-signature", "x-twilio-signature", "x-example-signature"] {
        wild.insert(name, HeaderValue::from_static("garbage"));
    }
    let bodies: [Bytes; 5] = [
        Bytes::new(),
        Bytes::from_static(b"{}"),
        Bytes::from_static(b"\xff\xfe\x00garbage"),
        Bytes::from_static(b"CallSid=CA1&CallStatus=completed"),
        vec![b'x'; HUGE].into(),
    ];
    let to = ("POST", "https://desk.example.com/webhooks/conformance");
    for body in &bodies {
        for headers in [&HeaderMap::new(), &wild] {
            if receive(subject, to, headers, body).await?.is_ok() {
                let (size, signed) = (body.len(), !headers.is_empty());
                return failed(format!("accepted {size} bytes (signature header: {signed})"));
            }
        }
    }
    Ok(())
}

/// The samples of the plan, where the provider takes webhooks.
async fn samples<'a>(subject: &Subject<'a>) -> Result<&'a [Sample], Verdict> {
    let (to, nothing) = (("POST", "https://desk.example.com/"), (HeaderMap::new(), Bytes::new()));
    let received = receive(subject, to, &nothing.0, &nothing.1).await?;
    match subject.plan.webhooks.as_slice() {
        _ if received == Err(WebhookRefused::NotOffered) => skipped("webhooks are not offered"),
        [] => skipped("the plan has no genuine webhook"),
        samples => Ok(samples),
    }
}

async fn genuine(subject: &Subject<'_>) -> Result<(), Verdict> {
    for sample in samples(subject).await? {
        let (headers, body) = (sample.header_map(), Bytes::from(sample.body.clone()));
        let to = (sample.method.as_str(), sample.url.as_str());
        match receive(subject, to, &headers, &body).await? {
            Ok(received) => {
                let (events, expected) = (received.events.len(), sample.events);
                ensure(events == expected, format!("it has {events} events, not {expected}"))?;
            }
            Err(refused) => return failed(format!("{}: {refused}", sample.url)),
        }
    }
    Ok(())
}

async fn tampered(subject: &Subject<'_>) -> Result<(), Verdict> {
    for sample in samples(subject).await? {
        let (headers, body) = (sample.header_map(), Bytes::from(sample.body.clone()));
        let to = (sample.method.as_str(), sample.url.as_str());
        if receive(subject, to, &HeaderMap::new(), &body).await?.is_ok() {
            return failed("accepted without its headers");
        }
        for at in [0, body.len() / 2, body.len().saturating_sub(1)] {
            let mut changed = body.to_vec();
            match changed.get_mut(at) {
                Some(byte) => *byte ^= 1,
                None => changed.push(b'x'),
            }
            if receive(subject, to, &headers, &changed.into()).await?.is_ok() {
                return failed(format!("accepted with byte {at} changed"));
            }
        }
    }
    Ok(())
}
