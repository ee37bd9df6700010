//! Messages of the protocol from and to what the contract knows. The only place that reads what a
//! plug-in says, so all of it is validated.

use std::{
    collections::BTreeSet,
    ops::RangeInclusive,
    time::{Duration, SystemTime},
};

use deskplane_proto::provider::v1;
use prost_types::Timestamp;
use uuid::Uuid;

use crate::{
    CallEvent, CallRef, CallState, CallStatus, Capabilities, Capability, Cause, Check,
    CheckOutcome, ClientToken, Direction, Error, ErrorKind, MintToken, Presence, Received, Reply,
    Result, Secret, SetPresence, StartCall, Started, Transfer, Webhook, WebhookRefused,
};

/// Longest id, key and address.
const MAX_TEXT: usize = 256;
/// Longest name of a check and word for a cause.
pub(super) const MAX_WORD: usize = 100;
/// Longest detail of a check.
const MAX_DETAIL: usize = 500;
/// Longest answer to a webhook.
const MAX_REPLY: usize = 64 << 10;
/// Seconds since 1970 of the years 1 to 9999, all that a timestamp may say.
const TIMES: RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// What a vendor may be answered; nothing that a browser would run.
const REPLY_TYPES: [&str; 4] = ["application/json", "application/xml", "text/xml", "text/plain"];

// --- requests -----------------------------------------------------------------------------------

pub(super) fn mint(request: MintToken) -> Result<v1::MintTokenRequest> {
    let ttl = request.ttl.map(TryInto::try_into).transpose();
    let ttl = ttl.map_err(|_| Error::new(ErrorKind::InvalidArgument, "the ttl is too long"))?;
    Ok(v1::MintTokenRequest { user: request.agent, ttl })
}

pub(super) fn start(request: StartCall) -> v1::StartCallRequest {
    v1::StartCallRequest {
        call_id: request.call_id.to_string(),
        user: request.agent,
        to: request.to.to_string(),
        from: request.from.map(|from| from.to_string()).unwrap_or_default(),
        context: request.context,
    }
}

pub(super) fn call(call: &CallRef) -> v1::CallRef {
    v1::CallRef {
        call_id: call.call_id.to_string(),
        provider_call_id: call.provider_call_id.clone(),
        user: call.agent.clone(),
        to: call.to.clone(),
        from: call.from.clone().unwrap_or_default(),
        start_time: Some(call.start_time.into()),
    }
}

pub(super) fn transfer(of: &CallRef, transfer: &Transfer) -> v1::TransferRequest {
    let (to, blind) = (transfer.to.to_string(), transfer.blind);
    v1::TransferRequest { call: Some(call(of)), to, blind }
}

pub(super) fn presence(request: SetPresence) -> v1::SetPresenceRequest {
    let presence = match request.presence {
        Presence::Available => v1::Presence::Available,
        Presence::Busy => v1::Presence::Busy,
        Presence::DoNotDisturb => v1::Presence::DoNotDisturb,
        Presence::Away => v1::Presence::Away,
        Presence::Offline => v1::Presence::Offline,
    };
    v1::SetPresenceRequest { user: request.agent, presence: presence.into() }
}

pub(super) fn webhook(webhook: &Webhook<'_>) -> v1::VerifyAndParseWebhookRequest {
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| v1::Header {
        name: name.as_str().to_owned(),
        value: bytes::Bytes::copy_from_slice(value.as_bytes()),
    };
    v1::VerifyAndParseWebhookRequest {
        method: webhook.method.to_owned(),
        url: webhook.url.to_owned(),
        headers: webhook.headers.iter().map(header).collect(),
        body: webhook.body.clone(),
    }
}

// --- what is answered ---------------------------------------------------------------------------

pub(super) fn capabilities(answer: &v1::CapabilitiesResponse) -> Capabilities {
    let name = |capability: v1::Capability| capability.as_str_name().strip_prefix("CAPABILITY_");
    let names: BTreeSet<_> = answer.capabilities().filter_map(name).collect();
    names.into_iter().filter_map(Capability::from_name).collect()
}

pub(super) fn check(check: v1::Check) -> Check {
    let outcome = match check.outcome() {
        v1::CheckOutcome::Ok => CheckOutcome::Ok,
        v1::CheckOutcome::Skipped => CheckOutcome::Skipped,
        v1::CheckOutcome::Credentials => CheckOutcome::Failed(ErrorKind::Unauthenticated),
        v1::CheckOutcome::Unavailable => CheckOutcome::Failed(ErrorKind::Unavailable),
        v1::CheckOutcome::Failed | v1::CheckOutcome::Unspecified => {
            CheckOutcome::Failed(ErrorKind::InvalidConfig)
        }
    };
    let duration = check.duration.and_then(|duration| Duration::try_from(duration).ok());
    Check {
        name: cut(&check.name, MAX_WORD).into(),
        outcome,
        detail: cut(&check.detail, MAX_DETAIL),
        duration: duration.unwrap_or_default(),
    }
}

pub(super) fn token(answer: v1::MintTokenResponse) -> Result<ClientToken> {
    let expire_time = time(answer.expire_time, "expire_time")?;
    let expire_time = expire_time.ok_or_else(|| odd("expire_time is missing"))?;
    if answer.token.is_empty() {
        return Err(odd("token is missing"));
    }
    let (token, parameters) = (Secret::from(answer.token), answer.parameters);
    Ok(ClientToken { token, expire_time, parameters })
}

pub(super) fn started(answer: v1::StartCallResponse) -> Result<Started> {
    let state = state(answer.state)?;
    Ok(Started { provider_call_id: id(answer.provider_call_id)?, state })
}

pub(super) fn status(answer: v1::GetCallResponse) -> Result<CallStatus> {
    let state = state(answer.state)?;
    let cause = cause(answer.cause, &answer.other_cause).filter(|_| state.is_final());
    Ok(CallStatus { provider_call_id: id(answer.provider_call_id)?, state, cause })
}

pub(super) fn event(event: v1::CallEvent) -> Result<CallEvent> {
    let state = state(event.state)?;
    let direction = match event.direction() {
        v1::Direction::Inbound => Direction::Inbound,
        v1::Direction::Outbound => Direction::Outbound,
        v1::Direction::Unspecified => return Err(odd("direction is missing")),
    };
    if event.key.is_empty() || event.key.len() > MAX_TEXT {
        return Err(odd("key must have 1 to 256 bytes"));
    }
    let call_id = match event.call_id.as_str() {
        "" => None,
        text => Some(Uuid::parse_str(text).map_err(|_| odd("call_id is no UUID"))?),
    };
    let occurred_at = time(event.occur_time, "occur_time")?;
    Ok(CallEvent {
        provider_call_id: id(event.provider_call_id)?,
        call_id,
        cause: cause(event.cause, &event.other_cause).filter(|_| state.is_final()),
        state,
        direction,
        key: event.key,
        from: cut(&event.from, MAX_TEXT),
        to: cut(&event.to, MAX_TEXT),
        agent: Some(event.user).filter(|user| !user.is_empty()),
        occurred_at,
    })
}

pub(super) fn received(
    answer: v1::VerifyAndParseWebhookResponse,
) -> Result<Received, WebhookRefused> {
    match answer.verdict() {
        v1::Verdict::Accepted => {}
        v1::Verdict::Unsigned => return Err(WebhookRefused::Unsigned),
        v1::Verdict::Stale => return Err(WebhookRefused::Stale),
        v1::Verdict::Malformed => return Err(WebhookRefused::Malformed),
        v1::Verdict::BadSignature | v1::Verdict::Unspecified => {
            return Err(WebhookRefused::BadSignature);
        }
    }
    let events: Result<Vec<_>> = answer.events.into_iter().map(event).collect();
    let events = events.map_err(|_| WebhookRefused::Unavailable)?;
    let reply = answer.reply.map_or(Some(Reply::default()), reply);
    Ok(Received { events, reply: reply.ok_or(WebhookRefused::Unavailable)? })
}

fn reply(reply: v1::Reply) -> Option<Reply> {
    let content_type = REPLY_TYPES.into_iter().find(|known| *known == reply.content_type)?;
    (reply.body.len() <= MAX_REPLY).then(|| Reply::new(content_type, reply.body))
}

fn state(state: i32) -> Result<CallState> {
    Ok(match v1::CallState::try_from(state).unwrap_or_default() {
        v1::CallState::Queued => CallState::Queued,
        v1::CallState::Dialing => CallState::Dialing,
        v1::CallState::Ringing => CallState::Ringing,
        v1::CallState::Answered => CallState::Answered,
        v1::CallState::Bridged => CallState::Bridged,
        v1::CallState::Held => CallState::Held,
        v1::CallState::Transferring => CallState::Transferring,
        v1::CallState::Ended => CallState::Ended,
        v1::CallState::Unknown => CallState::Unknown,
        v1::CallState::Unspecified => return Err(odd("state is none of the protocol's")),
    })
}

/// Why a call ended. An unknown cause keeps the plug-in's word.
fn cause(cause: i32, other: &str) -> Option<Cause> {
    let other = || Some(Cause::Other(cut(other, MAX_WORD)));
    let Ok(known) = v1::Cause::try_from(cause) else { return other() };
    Some(match known {
        v1::Cause::Unspecified => return None,
        v1::Cause::Normal => Cause::Normal,
        v1::Cause::Busy => Cause::Busy,
        v1::Cause::NoAnswer => Cause::NoAnswer,
        v1::Cause::Rejected => Cause::Rejected,
        v1::Cause::Canceled => Cause::Canceled,
        v1::Cause::Failed => Cause::Failed,
        v1::Cause::Congestion => Cause::Congestion,
        v1::Cause::InvalidNumber => Cause::InvalidNumber,
        v1::Cause::Timeout => Cause::Timeout,
        v1::Cause::Machine => Cause::Machine,
        v1::Cause::Other => return other(),
    })
}

fn id(id: String) -> Result<String> {
    match id.len() {
        1..=MAX_TEXT => Ok(id),
        _ => Err(odd("provider_call_id must have 1 to 256 bytes")),
    }
}

fn time(time: Option<Timestamp>, field: &str) -> Result<Option<SystemTime>> {
    let Some(time) = time else { return Ok(None) };
    let known = TIMES.contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos);
    let time = SystemTime::try_from(time).ok().filter(|_| known);
    time.map(Some).ok_or_else(|| odd(&format!("{field} is out of range")))
}

pub(super) fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// The answer breaks the protocol; the request may have had its effect.
fn odd(what: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the plug-in's answer is not as documented: {what}"))
}
