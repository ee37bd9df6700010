//! What Twilio posts: how legs of calls go on, and questions for instructions.

use url::form_urlencoded;
use uuid::Uuid;

use super::{
    Twilio,
    calls::{state, time},
    config::is_sid,
    signature::Params,
    twiml,
};
use crate::{
    Address, CallEvent, CallState, Cause, Direction, Received, Reply, Webhook, WebhookRefused,
};

/// A form, and the parameters of the URL it was posted to.
struct Posted<'a> {
    params: &'a Params,
    url: &'a str,
}

impl Twilio {
    /// Verifies a request and converts it to events.
    pub(super) fn receive_webhook(
        &self,
        webhook: &Webhook<'_>,
    ) -> Result<Received, WebhookRefused> {
        let params = self.keys.verify(webhook)?;
        if webhook.method != "POST" {
            return Err(WebhookRefused::Malformed);
        }
        let posted = Posted { params: &params, url: webhook.url };
        // Nothing about the state of a call: a recording, a message to the account.
        let Some(status) = posted.get("CallStatus") else { return Ok(Received::default()) };
        let sids = [posted.get("CallSid"), posted.get("ParentCallSid")];
        if sids[0].is_none() || !sids.into_iter().flatten().all(|sid| is_sid("CA", sid)) {
            return Err(WebhookRefused::Malformed);
        }
        let reply = if posted.is_question() { self.instruct(&posted) } else { Reply::default() };
        Ok(Received { events: self.event(&posted, status).into_iter().collect(), reply })
    }

    /// What a leg's state means for the agent's call.
    fn event(&self, posted: &Posted<'_>, status: &str) -> Option<CallEvent> {
        let sid = posted.get("CallSid")?;
        let (from, to) = (posted.text("From"), posted.text("To"));
        let dialled_agent = self.config.agent(to);
        let dialled_by = posted.get("ParentCallSid");
        let (state, cause) = state(status);
        let cause = cause.map(|cause| refined(cause, posted.text("SipResponseCode")));
        // The customer's leg belongs to the call that dialled it, and joins or ends it. That it rings
        // is no news: the agent is there already.
        let customers = dialled_by.filter(|_| dialled_agent.is_none());
        let waits = matches!(state, CallState::Queued | CallState::Dialing | CallState::Ringing);
        if customers.is_some() && waits {
            return None;
        }
        let joined = state == CallState::Answered && dialled_by.is_some();
        let inbound = match (dialled_by, &dialled_agent) {
            (Some(_), Some(_)) => true,
            (None, _) => posted.text("Direction") == "inbound" && !from.starts_with("client:"),
            (Some(_), None) => false,
        };
        let sequence = posted.get("SequenceNumber").unwrap_or(status);
        Some(CallEvent {
            provider_call_id: customers.unwrap_or(sid).to_owned(),
            call_id: posted.call_id(),
            key: format!("{sid}:{sequence}"),
            state: if joined { CallState::Bridged } else { state },
            cause,
            direction: if inbound { Direction::Inbound } else { Direction::Outbound },
            from: from.to_owned(),
            to: to.to_owned(),
            agent: dialled_agent.or_else(|| self.config.agent(from)),
            occurred_at: posted.get("Timestamp").and_then(time),
        })
    }

    /// Instructions for a call for which Twilio requests them. One that an agent began in the softphone is
    /// dialled; any other ends: routing is not done here.
    fn instruct(&self, posted: &Posted<'_>) -> Reply {
        let app = posted.get("ApplicationSid");
        let ours = app.is_some() && app == self.config.twiml_app_sid.as_deref();
        let agents = self.config.agent(posted.text("From")).is_some();
        let to = posted.text("To").parse::<Address>().ok();
        let text = match to.filter(|_| ours && agents) {
            Some(to) => twiml::dial(&to, &self.config.caller_id, self.webhook_url.as_deref()),
            None => twiml::NOTHING.to_owned(),
        };
        Reply::new(twiml::MEDIA_TYPE, text)
    }
}

impl<'a> Posted<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let mut values = self.params.iter().filter(|(given, _)| given == name);
        values.next().map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> &'a str {
        self.get(name).unwrap_or_default()
    }

    /// Our id of the call, from the URL that we gave.
    fn call_id(&self) -> Option<Uuid> {
        let (_, query) = self.url.split_once('?')?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == "call_id")?.1.parse().ok()
    }

    /// Whether Twilio waits for instructions: only reports of a state are numbered.
    fn is_question(&self) -> bool {
        self.get("SequenceNumber").is_none()
            && self.get("ParentCallSid").is_none()
            && matches!(self.text("CallStatus"), "ringing" | "in-progress" | "queued")
    }
}

/// Why a leg failed, by the answer that Twilio got over SIP.
fn refined(cause: Cause, sip: &str) -> Cause {
    match (cause, sip) {
        (Cause::Failed, "404" | "484" | "604") => Cause::InvalidNumber,
        (Cause::Failed, "403" | "603") => Cause::Rejected,
        (Cause::Failed, "503") => Cause::Congestion,
        (cause, _) => cause,
    }
}
