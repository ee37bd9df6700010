//! Calls, adapters and checks.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use deskplane_proto::v1;
use deskplane_providers::{
    Adapter, Address, CallState, Capability, Cause, Check, CheckOutcome, Direction, Presence,
    ProofLevel, WebhookUse,
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Reader, Reference, resource_name, timestamp};
use crate::{
    content::wire::{Coded as _, coded},
    domain::{Kind, Reason, Time, UniqueName, check},
    voice::{Call, Message},
};

/// Collection of calls in resource names.
const CALLS: &str = "calls";
/// Most entries and bytes of a call's context.
const MAX_CONTEXT: (usize, usize) = (20, 4 << 10);

coded! {
    Direction => CallDirection { Inbound, Outbound }
    CallState => CallState {
        Queued, Dialing, Ringing, Answered, Bridged, Held, Transferring, Ended, Unknown,
    }
    Presence => Presence { Available, Busy, DoNotDisturb, Away, Offline }
    WebhookUse => WebhookUse { None, Push, Stream, Poll }
    ProofLevel => ProofLevel { Vectors, Scripted, Mock, Sdk, Engine }
}

/// A call.
pub(in crate::service) fn call(call: &Call) -> v1::Call {
    let (cause, cause_detail) = call.cause.as_ref().map_or((v1::CallCause::Unspecified, ""), why);
    v1::Call {
        name: format!("{CALLS}/{}", call.call_id),
        call_id: call.call_id.to_string(),
        user: call.user.as_str().to_owned(),
        provider: resource_name(Kind::Provider, call.provider.as_str()),
        provider_call_id: call.provider_call_id.clone(),
        direction: call.direction.wire().into(),
        to: call.to.clone(),
        from: call.from.clone(),
        state: call.state.wire().into(),
        cause: cause.into(),
        cause_detail: cause_detail.chars().take(100).collect(),
        start_time: Some(timestamp(call.start_time)),
        answer_time: call.answer_time.map(timestamp),
        end_time: call.end_time.map(timestamp),
        context: call.context.clone(),
        sequence: call.sequence,
    }
}

fn why(cause: &Cause) -> (v1::CallCause, &str) {
    let cause = match cause {
        Cause::Normal => v1::CallCause::Normal,
        Cause::Busy => v1::CallCause::Busy,
        Cause::NoAnswer => v1::CallCause::NoAnswer,
        Cause::Rejected => v1::CallCause::Rejected,
        Cause::Canceled => v1::CallCause::Canceled,
        Cause::Failed => v1::CallCause::Failed,
        Cause::Congestion => v1::CallCause::Congestion,
        Cause::InvalidNumber => v1::CallCause::InvalidNumber,
        Cause::Timeout => v1::CallCause::Timeout,
        Cause::Machine => v1::CallCause::Machine,
        Cause::Other(raw) => return (v1::CallCause::Other, raw),
    };
    (cause, "")
}

/// A message of WatchCalls.
pub(in crate::service) fn call_event(message: &Message) -> v1::WatchCallsResponse {
    use v1::watch_calls_response::Event;
    let event = match message {
        Message::Call(state) => Event::Call(call(state)),
        Message::InSync(calls) => {
            Event::InSync(v1::CallsInSync { calls: i32::try_from(*calls).unwrap_or(i32::MAX) })
        }
        Message::Drain(after) => Event::Drain(v1::CallsDrain { reconnect_after: duration(*after) }),
    };
    v1::WatchCallsResponse { event: Some(event) }
}

/// An adapter.
pub(in crate::service) fn adapter(adapter: &Adapter) -> v1::Adapter {
    let descriptor = adapter.descriptor();
    let mut capabilities: Vec<i32> =
        descriptor.capabilities.iter().filter_map(|c| capability(*c)).collect();
    capabilities.sort_unstable();
    let secrets = descriptor.secrets.iter();
    v1::Adapter {
        kind: descriptor.kind.to_owned(),
        title: descriptor.title.to_owned(),
        vendor: descriptor.vendor.to_owned(),
        version: descriptor.version.to_owned(),
        config_schema: adapter.schema().to_string(),
        secrets: secrets
            .map(|secret| v1::AdapterSecret {
                name: secret.name.to_owned(),
                required: secret.required,
            })
            .collect(),
        capabilities,
        webhook_use: descriptor.webhook.wire().into(),
        proof_levels: descriptor.proof.iter().map(|level| level.wire().into()).collect(),
    }
}

/// The number of a capability; both sides name them alike.
fn capability(capability: Capability) -> Option<i32> {
    let name = format!("CAPABILITY_{capability}");
    v1::Capability::from_str_name(&name).map(i32::from)
}

/// A check of a provider.
pub(in crate::service) fn check(check: Check) -> v1::ProviderCheck {
    let outcome = match check.outcome {
        CheckOutcome::Ok => v1::CheckOutcome::Ok,
        CheckOutcome::Failed(_) => v1::CheckOutcome::Failed,
        CheckOutcome::Skipped => v1::CheckOutcome::Skipped,
    };
    v1::ProviderCheck {
        name: check.name.into_owned(),
        outcome: outcome.into(),
        detail: check.detail,
        duration: duration(check.duration),
    }
}

/// A point in time of a vendor.
pub(in crate::service) fn timestamp_of(time: SystemTime) -> prost_types::Timestamp {
    timestamp(Time::from(time))
}

fn duration(time: Duration) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(time).ok()
}

/// What MintClientToken asks for beside the user.
pub(in crate::service) fn mint(
    q: &v1::MintClientTokenRequest,
    r: &mut Reader<'_>,
) -> (UniqueName, Option<Duration>) {
    let provider = r.name("provider", Kind::Provider, &q.provider);
    let ttl = q.ttl.and_then(|ttl| {
        let (seconds, nanos) = (u64::try_from(ttl.seconds).ok(), u32::try_from(ttl.nanos).ok());
        // The range of the well-known type: ten thousand years, and less than a second.
        let ranged =
            seconds.zip(nanos).filter(|(s, n)| *s <= 315_576_000_000 && *n < 1_000_000_000);
        let positive = ranged.map(|(s, n)| Duration::new(s, n)).filter(|ttl| !ttl.is_zero());
        if positive.is_none() {
            r.v.invalid("ttl", "must be longer than nothing");
        }
        positive
    });
    (provider, ttl)
}

/// What StartCall asks for beside the user.
#[derive(Debug)]
pub(in crate::service) struct Starting {
    pub provider: Option<UniqueName>,
    pub to: Option<Address>,
    pub from: Option<Address>,
    pub context: BTreeMap<String, String>,
    pub request_id: Uuid,
    /// Hash of the request less its id.
    pub payload: [u8; 32],
}

/// Reads a StartCall.
pub(in crate::service) fn start(mut q: v1::StartCallRequest, r: &mut Reader<'_>) -> Starting {
    let request_id = Uuid::try_parse(&std::mem::take(&mut q.request_id));
    if request_id.is_err() {
        r.v.invalid("request_id", "is required and must be a UUID");
    }
    let payload = Sha256::digest(prost::Message::encode_to_vec(&q)).into();
    let from = (!q.from.is_empty()).then(|| address(r, "from", &q.from)).flatten();
    context(r, &q.context);
    Starting {
        provider: r.optional_name("provider", Kind::Provider, &q.provider),
        to: address(r, "to", &q.to),
        from,
        context: q.context,
        request_id: request_id.unwrap_or_default(),
        payload,
    }
}

fn address(r: &mut Reader<'_>, field: &str, text: &str) -> Option<Address> {
    text.parse()
        .map_err(|rule: deskplane_providers::AddressInvalid| {
            r.v.add(Reason::AddressInvalid, field, rule.to_string());
        })
        .ok()
}

fn context(r: &mut Reader<'_>, context: &BTreeMap<String, String>) {
    check::count(&mut r.v, "context", context.len(), MAX_CONTEXT.0);
    let bytes: usize = context.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > MAX_CONTEXT.1 {
        r.v.invalid("context", format!("must be at most {} bytes, has {bytes}", MAX_CONTEXT.1));
        return;
    }
    for (key, value) in context {
        check::line(&mut r.v, "context", key, 1..=64);
        check::text(&mut r.v, "context", value, 0..=MAX_CONTEXT.1, check::Controls::TabAndNewline);
    }
}

/// The id of a call that is addressed.
pub(in crate::service) fn call_id(name: &str, r: &mut Reader<'_>) -> Option<Uuid> {
    let named = Reference::parse(name).ok();
    let named = named.filter(|named| named.collection.is_none_or(|found| found == CALLS));
    let id = named.and_then(|named| Uuid::try_parse(&named.id).ok());
    if id.is_none() {
        r.v.invalid("name", format!("must be `{CALLS}/{{call_id}}` or a call's id"));
    }
    id
}

/// Where TransferCall hands the call.
pub(in crate::service) fn transfer(
    q: &v1::TransferCallRequest,
    r: &mut Reader<'_>,
) -> Option<Address> {
    address(r, "to", &q.to)
}

/// What SetPresence asks for beside the user.
pub(in crate::service) fn presence(
    q: &v1::SetPresenceRequest,
    r: &mut Reader<'_>,
) -> (UniqueName, Option<Presence>) {
    let provider = r.name("provider", Kind::Provider, &q.provider);
    if q.presence == 0 {
        r.v.invalid("presence", "is required");
    }
    (provider, r.choice("presence", q.presence))
}

/// The provider that ListCalls asks for.
pub(in crate::service) fn list_calls(
    q: &v1::ListCallsRequest,
    r: &mut Reader<'_>,
) -> Option<UniqueName> {
    r.optional_name("provider", Kind::Provider, &q.provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_of_an_adapter_is_one_of_the_api() {
        let mut numbers: Vec<_> = Capability::ALL.iter().map(|c| capability(*c).unwrap()).collect();
        numbers.sort_unstable();
        let known: Vec<_> = (1..=18).collect();
        assert_eq!(numbers, known);
    }
}
