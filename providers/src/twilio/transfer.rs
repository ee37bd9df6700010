//! Blind transfer of the other party.

use super::{Twilio, calls::Leg, config::is_sid, twiml};
use crate::{CallRef, CallState, Error, ErrorKind, Result, Transfer};

impl Twilio {
    /// Gives the other party's leg new instructions. The agent's leg ends with its instructions.
    pub(super) async fn redirect(&self, call: &CallRef, transfer: &Transfer) -> Result<()> {
        if !transfer.blind {
            return Err(Error::unsupported("attended transfer"));
        }
        let sid = self.other_party(call).await?;
        let from = call.from.as_deref().unwrap_or(&self.config.caller_id);
        let instructions = twiml::dial(&transfer.to, from, None);
        let url = self.client.account(&format!("/Calls/{sid}.json"));
        let _: Leg = self.client.post(&url, &[("Twiml", &instructions)]).await?;
        Ok(())
    }

    /// The leg of the other party: the one that dialled the agent's leg or, when the agent
    /// began, the one that the agent's leg dialled.
    async fn other_party(&self, call: &CallRef) -> Result<String> {
        let known = self.find_leg(&call.provider_call_id).await?;
        let leg = known.ok_or_else(Self::no_such_call)?;
        let softphone = |party: &Option<String>| {
            party.as_ref().is_some_and(|party| party.starts_with("client:"))
        };
        let dialled_by = leg.parent_call_sid.filter(|sid| is_sid("CA", sid));
        if let Some(parent) = dialled_by {
            return Ok(parent);
        }
        if !softphone(&leg.from) && !softphone(&leg.to) {
            return Ok(leg.sid);
        }
        let legs = self.children(&leg.sid).await?;
        let there = legs.into_iter().find(|leg| leg.state().0 == CallState::Answered);
        there.map(|leg| leg.sid).filter(|sid| is_sid("CA", sid)).ok_or_else(|| {
            Error::new(ErrorKind::Conflict, "the other party is not there to be handed on")
        })
    }
}
