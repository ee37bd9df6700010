//! One call: the state of its two parties, and its next step.
//!
//! The line decides by what *is*, never by what happened last: an event that is repeated or
//! late, or a listing of channels after a restart, leads to the same conclusion.

use std::collections::BTreeSet;

use super::names::{Details, LineId, Side};
use crate::{CallState, Cause};

/// How far one party's channel is; it only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leg {
    /// There is none.
    Absent,
    /// It is being made.
    Calling,
    /// It rings.
    Ringing,
    /// The party answered; the channel is on its way to us.
    Answered,
    /// It is in our hands.
    Present,
    /// It went back to the dial plan.
    Left,
    /// It is no more.
    Gone,
}

/// What a line needs from Asterisk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Make the bridge, then call that party. The bridge shows, also after a restart, that the
    /// second party was called: it is never called twice.
    Ring(Side),
    /// Connect the two.
    Join,
    /// End that party's channel.
    HangUp(Side),
    /// Let the dial plan go on with the caller.
    GiveBack,
    /// Remove the bridge.
    Clean,
}

/// One call.
#[derive(Debug)]
pub(super) struct Line {
    id: LineId,
    pub(super) details: Details,
    agent: Leg,
    customer: Leg,
    /// The outcome of dialling a party, before its channel ends.
    verdict: Option<(Side, Cause)>,
    /// Why the call ended; from then on only cleaning up is left.
    cause: Option<Cause>,
    ending: BTreeSet<Side>,
    bridged: bool,
    joined: bool,
    held: bool,
    /// Steps that were started. None is started twice.
    started: BTreeSet<Step>,
    running: Option<Step>,
    reported: Option<CallState>,
}

impl Line {
    pub(super) fn new(id: LineId) -> Self {
        Self {
            id,
            details: Details::default(),
            agent: Leg::Absent,
            customer: Leg::Absent,
            verdict: None,
            cause: None,
            ending: BTreeSet::new(),
            bridged: false,
            joined: false,
            held: false,
            started: BTreeSet::new(),
            running: None,
            reported: None,
        }
    }

    /// A call whose end was reported: whatever is left of it is cleaned up.
    pub(super) fn ended_before(id: LineId) -> Self {
        let (cause, reported) = (Some(Cause::Normal), Some(CallState::Ended));
        Self { cause, reported, ..Self::new(id) }
    }

    pub(super) fn leg(&self, side: Side) -> Leg {
        match side {
            Side::Agent => self.agent,
            Side::Customer => self.customer,
        }
    }

    /// A party's channel is that far now.
    pub(super) fn advance(&mut self, side: Side, leg: Leg) {
        if leg == Leg::Left {
            return self.leave(side);
        }
        if self.leg(side) == Leg::Gone {
            // It counted as gone, and is not: ending it is due again.
            self.started.remove(&Step::HangUp(side));
            self.set(side, leg);
        }
        if self.leg(side) < leg {
            self.set(side, leg);
        }
    }

    /// A party's channel is about to end.
    pub(super) fn ending(&mut self, side: Side) {
        self.ending.insert(side);
    }

    /// A party's channel is in our hands no more: it ends, or it was handed on.
    pub(super) fn leave(&mut self, side: Side) {
        match side {
            _ if self.ending.contains(&side) => {}
            Side::Customer => self.set(side, self.customer.max(Leg::Left)),
            Side::Agent => self.end(side, Cause::Normal),
        }
    }

    /// The dialling of a party came to this.
    pub(super) fn record_verdict(&mut self, side: Side, verdict: Cause) {
        self.verdict = Some((side, verdict));
    }

    /// A party's channel is no more.
    pub(super) fn end(&mut self, side: Side, cause: Cause) {
        let answered = self.leg(side) >= Leg::Answered;
        let handed_on = self.state() == Some(CallState::Transferring);
        let early = side == self.id.first() && self.leg(side.other()) < Leg::Answered;
        let cause = match (cause, self.verdict.take()) {
            _ if handed_on => Cause::Normal,
            (Cause::Normal | Cause::Other(_), Some((of, verdict))) if of == side && !answered => {
                verdict
            }
            (Cause::Normal, _) if early => Cause::Canceled,
            (cause, _) => cause,
        };
        self.set(side, Leg::Gone);
        self.end_with(cause);
    }

    /// Whether both are in the bridge.
    pub(super) fn enter_bridge(&mut self, channels: &[String]) {
        self.bridged = true;
        self.joined |= Side::BOTH.iter().all(|side| channels.contains(&self.id.channel(*side)));
    }

    /// A party was put on hold, or resumed.
    pub(super) fn hold(&mut self, on: bool) {
        self.held = on;
    }

    /// Resets the steps of an earlier connection; what was dialled stays dialled.
    pub(super) fn resume(&mut self) {
        self.running = None;
        self.started.retain(|step| matches!(step, Step::Ring(_)));
    }

    /// Reconciles the line with a listing of all channels: a party without one is gone.
    pub(super) fn reconcile(&mut self, present: impl Fn(&str) -> bool) {
        for side in [self.id.first(), self.id.first().other()] {
            let rung = self.bridged || self.started.contains(&Step::Ring(side));
            let expected = match self.leg(side) {
                Leg::Absent => side == self.id.first() || rung,
                leg => leg < Leg::Left,
            };
            if expected && !present(&self.id.channel(side)) {
                self.end(side, Cause::Other("ended while nobody listened".to_owned()));
            }
        }
    }

    /// A step is done, or it failed for this reason.
    pub(super) fn complete_step(&mut self, step: Step, failed: Option<Cause>) {
        self.running = None;
        match (step, failed) {
            (Step::Ring(side), Some(cause)) => {
                self.set(side, Leg::Gone);
                self.end_with(cause);
            }
            // Events may have overtaken the answer, and are newer.
            (Step::Ring(side), None) if self.leg(side) == Leg::Absent => {
                self.set(side, Leg::Calling);
            }
            (Step::Join, Some(cause)) => self.end_with(cause),
            (Step::Clean, _) => {
                self.bridged = false;
                self.started.remove(&step);
            }
            _ => {}
        }
    }

    /// Starts the next step, if there is one and none is running.
    pub(super) fn start_next_step(&mut self) -> Option<Step> {
        if self.running.is_some() {
            return None;
        }
        let step = self.wanted_step()?;
        self.started.insert(step);
        self.bridged |= matches!(step, Step::Ring(_));
        self.running = Some(step);
        Some(step)
    }

    fn wanted_step(&self) -> Option<Step> {
        let alive = |side| (Leg::Calling..Leg::Left).contains(&self.leg(side));
        let new = |step: &Step| !self.started.contains(step);
        let orphan = self.id.first() == Side::Agent && self.agent == Leg::Absent;
        if self.cause.is_some() || orphan || self.customer == Leg::Left {
            let any = Side::BOTH.into_iter().any(alive);
            let end = |side| {
                let caller = side == Side::Customer && side == self.id.first();
                match caller && !self.joined && self.customer == Leg::Present {
                    true => Step::GiveBack,
                    false => Step::HangUp(side),
                }
            };
            let clean = (self.bridged && !any).then_some(Step::Clean);
            return Side::BOTH
                .into_iter()
                .filter(|side| alive(*side))
                .map(end)
                .chain(clean)
                .find(new);
        }
        let (first, second) = (self.id.first(), self.id.first().other());
        match (self.leg(first), self.leg(second)) {
            (Leg::Present, Leg::Absent) => Some(Step::Ring(second)).filter(new),
            (Leg::Present, Leg::Present) if !self.joined => Some(Step::Join).filter(new),
            _ => None,
        }
    }

    /// The state of the call; none while there is none to report.
    pub(super) fn state(&self) -> Option<CallState> {
        let ringing = |leg| match leg {
            Leg::Absent => None,
            Leg::Calling => Some(CallState::Dialing),
            Leg::Ringing => Some(CallState::Ringing),
            _ => Some(CallState::Answered),
        };
        match (self.customer, self.joined, self.held) {
            _ if self.cause.is_some() => Some(CallState::Ended),
            (Leg::Left, ..) => Some(CallState::Transferring),
            (_, true, true) => Some(CallState::Held),
            (_, true, false) => Some(CallState::Bridged),
            _ if self.id.first() == Side::Agent => ringing(self.agent),
            _ => ringing(self.agent.max(Leg::Ringing)),
        }
    }

    /// The state and its cause, if it was not reported yet.
    pub(super) fn take_unreported_state(&mut self) -> Option<(CallState, Option<Cause>)> {
        let state = self.state().filter(|state| self.reported != Some(*state))?;
        self.reported = Some(state);
        Some((state, self.cause.clone()))
    }

    /// Whether nothing of it is left at Asterisk.
    pub(super) fn is_finished(&self) -> bool {
        let alive = |leg: Leg| (Leg::Calling..Leg::Left).contains(&leg);
        self.running.is_none() && !alive(self.agent) && !alive(self.customer) && !self.bridged
    }

    fn end_with(&mut self, cause: Cause) {
        self.cause.get_or_insert(cause);
    }

    fn set(&mut self, side: Side, leg: Leg) {
        match side {
            Side::Agent => self.agent = leg,
            Side::Customer => self.customer = leg,
        }
    }
}
