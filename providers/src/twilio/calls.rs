//! Starting, ending and finding calls.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::{Twilio, config::is_sid, error::absent, twiml};
use crate::{
    Address, CallRef, CallState, CallStatus, Cause, Effect, Error, ErrorKind, Result, StartCall,
    Started,
};

/// How long before the time of the request a call may have been made: clocks differ.
const MAX_EARLY: Duration = Duration::from_secs(2);
/// How long after it: no request lives longer, and clocks differ.
const MAX_LATE: Duration = Duration::from_secs(15);
/// Most calls that a look-up reads, newest first.
const PAGE_SIZE: usize = 100;
/// Most calls of one agent that a look-up compares.
const MAX_COMPARED: usize = 4;

/// One leg of a call, as far as it matters here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Leg {
    pub(super) sid: String,
    pub(super) status: Option<String>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) parent_call_sid: Option<String>,
    date_created: Option<String>,
}

/// A page of legs.
#[derive(Debug, Deserialize)]
pub(super) struct Legs {
    pub(super) calls: Vec<Leg>,
}

impl Leg {
    /// How far it is, and why it is over.
    pub(super) fn state(&self) -> (CallState, Option<Cause>) {
        state(self.status.as_deref().unwrap_or_default())
    }

    fn created(&self) -> Option<SystemTime> {
        time(self.date_created.as_deref()?)
    }
}

/// Twilio's word for a leg's state, in ours.
pub(super) fn state(status: &str) -> (CallState, Option<Cause>) {
    let over = |cause| (CallState::Ended, Some(cause));
    match status {
        "queued" => (CallState::Queued, None),
        "initiated" => (CallState::Dialing, None),
        "ringing" => (CallState::Ringing, None),
        "in-progress" => (CallState::Answered, None),
        "completed" => over(Cause::Normal),
        "busy" => over(Cause::Busy),
        "no-answer" => over(Cause::NoAnswer),
        "failed" => over(Cause::Failed),
        "canceled" => over(Cause::Canceled),
        other => (CallState::Unknown, Some(Cause::Other(other.to_owned()))),
    }
}

/// A time as Twilio writes it (RFC 2822, in UTC).
pub(super) fn time(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(&text.replace("+0000", "GMT")).ok()
}

impl Twilio {
    /// Rings the agent's softphone, with instructions that dial the customer then.
    pub(super) async fn start(&self, request: &StartCall) -> Result<Started> {
        let callback = self.callback(&request.call_id.to_string())?;
        let to = format!("client:{}", self.config.identity(&request.agent)?);
        let from = request.from.as_ref().map_or(self.config.caller_id.as_str(), Address::as_str);
        let instructions = twiml::dial(&request.to, from, Some(&callback));
        let form = [
            ("To", to.as_str()),
            ("From", from),
            ("Twiml", &instructions),
            ("StatusCallback", &callback),
            ("StatusCallbackMethod", "POST"),
            ("StatusCallbackEvent", "initiated"),
            ("StatusCallbackEvent", "ringing"),
            ("StatusCallbackEvent", "answered"),
            ("StatusCallbackEvent", "completed"),
        ];
        let url = self.client.account("/Calls.json");
        let leg: Leg = self.client.post(&url, &form).await.map_err(absent)?;
        if !is_sid("CA", &leg.sid) {
            return Err(Error::new(ErrorKind::Protocol, "the new call has no SID"));
        }
        let (state, _) = leg.state();
        Ok(Started { provider_call_id: leg.sid, state })
    }

    /// Where Twilio posts the events of a call.
    pub(super) fn callback(&self, call_id: &str) -> Result<String> {
        let url = self.webhook_url.as_deref().ok_or_else(|| {
            let message = "the server has no public URL, and Twilio could not tell of the call";
            Error::new(ErrorKind::InvalidConfig, message)
        })?;
        let mark = if url.contains('?') { '&' } else { '?' };
        Ok(format!("{url}{mark}call_id={call_id}"))
    }

    /// Ends a call; false when it was over.
    pub(super) async fn end(&self, call: &CallRef) -> Result<bool> {
        let Some(leg) = self.leg(call).await? else { return Ok(false) };
        // What still rings is canceled, so that its end says so; an answer in between is outrun.
        let first = match leg.state().0 {
            CallState::Ended => return Ok(false),
            CallState::Queued | CallState::Dialing | CallState::Ringing => "canceled",
            _ => "completed",
        };
        let Some(now) = self.finish(&leg.sid, first).await? else { return Ok(false) };
        if first == "canceled" && now.state().0 == CallState::Answered {
            self.finish(&leg.sid, "completed").await?;
        }
        Ok(true)
    }

    /// Asks for the end of a leg; `None` when it ended before.
    pub(super) async fn finish(&self, sid: &str, status: &str) -> Result<Option<Leg>> {
        let url = self.client.account(&format!("/Calls/{sid}.json"));
        match self.client.post(&url, &[("Status", status)]).await {
            Ok(leg) => Ok(Some(leg)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// How far a call is.
    pub(super) async fn poll(&self, call: &CallRef) -> Result<Option<CallStatus>> {
        let leg = self.leg(call).await?;
        Ok(leg.map(|leg| {
            let (state, cause) = leg.state();
            CallStatus { provider_call_id: leg.sid, state, cause }
        }))
    }

    /// The agent's leg, by its SID or by what it was started with.
    async fn leg(&self, call: &CallRef) -> Result<Option<Leg>> {
        match call.provider_call_id.as_str() {
            "" => self.look_up(call).await,
            sid => self.find_leg(sid).await,
        }
    }

    /// A leg by its SID.
    pub(super) async fn find_leg(&self, sid: &str) -> Result<Option<Leg>> {
        if !is_sid("CA", sid) {
            return Ok(None);
        }
        let url = self.client.account(&format!("/Calls/{sid}.json"));
        match self.client.get(&url, &[]).await {
            Ok(leg) => Ok(Some(leg)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The agent's leg of a call whose start ended without an answer.
    ///
    /// Twilio filters by the time at which a leg was dialled, which one that waits in its queue does
    /// not have, so the time at which it was made is compared here. What is not certain is an error: a live
    /// call must not be reported as ended.
    async fn look_up(&self, call: &CallRef) -> Result<Option<Leg>> {
        let agent = format!("client:{}", self.config.identity(&call.agent)?);
        let from = call.from.as_deref().unwrap_or(&self.config.caller_id);
        let size = PAGE_SIZE.to_string();
        let query = [("To", agent.as_str()), ("From", from), ("PageSize", &size)];
        let legs: Legs = self.client.get(&self.client.account("/Calls.json"), &query).await?;
        let (begin, end) = (call.start_time - MAX_EARLY, call.start_time + MAX_LATE);
        let all_read = legs.calls.len() < PAGE_SIZE
            || legs.calls.iter().filter_map(Leg::created).any(|created| created < begin);
        let mut ours = Vec::new();
        let made = |leg: &Leg| leg.created().is_none_or(|at| (begin..=end).contains(&at));
        for leg in legs.calls.into_iter().filter(made).take(MAX_COMPARED + 1) {
            if is_sid("CA", &leg.sid) && self.may_reach(&leg.sid, &call.to).await? {
                ours.push(leg);
            }
        }
        let unclear = |message| Err(Error::new(ErrorKind::Conflict, message));
        match ours.pop() {
            _ if !all_read => unclear("too many calls were made since to find this one"),
            Some(_) if !ours.is_empty() => unclear("the agent has several calls of that time"),
            Some(leg) => Ok(Some(leg)),
            None if self.clock.now() < end => unclear("the call may still reach Twilio"),
            None => Ok(None),
        }
    }

    /// Whether a leg of the agent dials that customer, or no one yet.
    async fn may_reach(&self, sid: &str, to: &str) -> Result<bool> {
        let legs = self.children(sid).await?;
        Ok(legs.is_empty() || legs.iter().any(|leg| leg.to.as_deref() == Some(to)))
    }

    /// The legs that a leg dialled.
    pub(super) async fn children(&self, sid: &str) -> Result<Vec<Leg>> {
        let url = self.client.account("/Calls.json");
        let legs: Legs = self.client.get(&url, &[("ParentCallSid", sid)]).await?;
        Ok(legs.calls)
    }

    /// An error that stands for a call which Twilio does not know.
    pub(super) fn no_such_call() -> Error {
        Error::new(ErrorKind::NotFound, "Twilio knows no such call").with_effect(Effect::None)
    }
}
