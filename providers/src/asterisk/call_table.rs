//! All calls of one provider, as a state machine: events of Asterisk go in, events of calls and tasks
//! come out.

use std::collections::{BTreeMap, VecDeque};

use super::{
    line::{Leg, Line, Step},
    message::{Bridge, Channel, Message},
    names::{Details, LineId, Side},
};
use crate::{CallEvent, CallState, Cause};

/// Most ended calls whose ids are kept, so that none of them is started again.
const MAX_ENDED: usize = 1024;

/// All calls of one provider.
#[derive(Debug)]
pub(super) struct CallTable {
    app: String,
    lines: BTreeMap<LineId, Line>,
    ended: VecDeque<LineId>,
}

/// The result of an event.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Events of calls.
    pub(super) events: Vec<CallEvent>,
    /// Requests to Asterisk.
    pub(super) tasks: Vec<Task>,
}

/// A step of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) line: LineId,
    pub(super) step: Step,
    pub(super) details: Details,
}

/// When something was observed, and the key of the event that showed it.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    pub(super) key: String,
    pub(super) at: Option<std::time::SystemTime>,
}

impl CallTable {
    pub(super) fn new(app: &str) -> Self {
        Self { app: app.to_owned(), lines: BTreeMap::new(), ended: VecDeque::new() }
    }

    /// The state of a call that was begun here; none when it is not known.
    pub(super) fn state(&self, id: &LineId) -> Option<CallState> {
        if self.ended.contains(id) {
            return Some(CallState::Ended);
        }
        self.lines.get(id)?.state()
    }

    /// Applies one event.
    pub(super) fn apply_event(&mut self, message: &Message) -> Outcome {
        let observed = Observed { key: message.key(), at: message.occurred_at() };
        match self.update_line(message) {
            Some(id) => self.conclude(&id, &observed),
            None => Outcome::default(),
        }
    }

    /// Updates the line that an event is about, and answers its id.
    fn update_line(&mut self, message: &Message) -> Option<LineId> {
        if message.kind == "ChannelEnteredBridge" {
            let bridge = message.bridge.as_ref()?;
            let id = LineId::of_bridge(&bridge.id)?;
            self.lines.get_mut(&id)?.enter_bridge(&bridge.channels);
            return Some(id);
        }
        let channel = message.channel.as_ref().or(message.peer.as_ref())?;
        let (id, side) = self.line_of(channel, message.kind == "StasisStart")?;
        let begins = matches!(
            message.kind.as_str(),
            "ChannelCreated" | "ChannelStateChange" | "StasisStart" | "Dial"
        );
        let known = begins || self.lines.contains_key(&id);
        if !known && (message.kind != "ChannelDestroyed" || self.ended.contains(&id)) {
            return None;
        }
        let line = self.line(&id);
        match message.kind.as_str() {
            "ChannelCreated" => line.advance(side, Leg::Calling),
            "ChannelStateChange" => line.advance(side, leg(channel)),
            "Dial" => {
                line.advance(side, leg(channel));
                if let Some(verdict) = message.verdict() {
                    line.record_verdict(side, verdict);
                }
            }
            "StasisStart" => {
                if side == id.first() {
                    line.details = details(channel, message.args.iter().map(String::as_str), &id);
                }
                line.advance(side, Leg::Present);
            }
            "ChannelHold" => line.hold(true),
            "ChannelUnhold" => line.hold(false),
            "ChannelHangupRequest" => line.ending(side),
            "StasisEnd" => line.leave(side),
            "ChannelDestroyed" => line.end(side, message.cause()),
            _ => return None,
        }
        Some(id)
    }

    /// The line of a call. One that ended stays so, whatever comes late.
    fn line(&mut self, id: &LineId) -> &mut Line {
        let over = self.ended.contains(id);
        let new = if over { Line::ended_before } else { Line::new };
        self.lines.entry(id.clone()).or_insert_with(|| new(id.clone()))
    }

    /// The line and the side of a channel; a new one from outside begins a call.
    fn line_of(&self, channel: &Channel, starts: bool) -> Option<(LineId, Side)> {
        if channel.is_second_half() {
            return None;
        }
        if let Some(ours) = LineId::of_channel(&channel.id) {
            return Some(ours);
        }
        let id = LineId::Inbound(channel.id.clone());
        (starts || self.lines.contains_key(&id)).then_some((id, Side::Customer))
    }

    /// Applies a listing of all channels and bridges, after a time without a subscription.
    pub(super) fn apply_listing(&mut self, channels: &[Channel], bridges: &[Bridge]) {
        for channel in channels {
            let here = channel.args_in(&self.app).is_some();
            let Some((id, side)) = self.line_of(channel, here) else { continue };
            if !here && !self.lines.contains_key(&id) && !self.started_here(&id, channels) {
                continue;
            }
            let app = self.app.clone();
            let line = self.line(&id);
            match channel.args_in(&app) {
                Some(args) => {
                    if side == id.first() {
                        line.details = details(channel, args, &id);
                    }
                    line.advance(side, Leg::Present);
                }
                None => line.advance(side, leg(channel)),
            }
        }
        for bridge in bridges {
            let Some(id) = LineId::of_bridge(&bridge.id) else { continue };
            if bridge.name == self.app || self.lines.contains_key(&id) {
                self.line(&id).enter_bridge(&bridge.channels);
            }
        }
        for line in self.lines.values_mut() {
            line.resume();
            line.reconcile(|wanted| channels.iter().any(|channel| channel.id == wanted));
        }
    }

    /// The events and tasks that follow from a listing.
    pub(super) fn conclude_all(&mut self, observed: &Observed) -> Outcome {
        let mut all = Outcome::default();
        let ids: Vec<LineId> = self.lines.keys().cloned().collect();
        for id in ids {
            let one = self.conclude(&id, observed);
            all.events.extend(one.events);
            all.tasks.extend(one.tasks);
        }
        all
    }

    /// Whether the first channel of a call is in our application.
    fn started_here(&self, id: &LineId, channels: &[Channel]) -> bool {
        let first = id.provider_call_id();
        channels.iter().any(|channel| channel.id == first && channel.args_in(&self.app).is_some())
    }

    /// The calls whose parties are connected.
    pub(super) fn joined(&self) -> Vec<LineId> {
        let joined =
            |line: &Line| matches!(line.state(), Some(CallState::Bridged | CallState::Held));
        self.lines.iter().filter(|(_, line)| joined(line)).map(|(id, _)| id.clone()).collect()
    }

    /// Whether the other party of a call is on hold.
    pub(super) fn hold(&mut self, id: &LineId, on: bool) {
        if let Some(line) = self.lines.get_mut(id) {
            line.hold(on);
        }
    }

    /// Records that a task is done, or that it failed for this reason.
    pub(super) fn complete_step(
        &mut self,
        task: &Task,
        failed: Option<Cause>,
        at: &Observed,
    ) -> Outcome {
        if let Some(line) = self.lines.get_mut(&task.line) {
            line.complete_step(task.step, failed);
        }
        self.conclude(&task.line, at)
    }

    /// The events and tasks that are due for one call; a finished one is removed.
    fn conclude(&mut self, id: &LineId, observed: &Observed) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(line) = self.lines.get_mut(id) else { return outcome };
        if let Some((state, cause)) = line.take_unreported_state() {
            outcome.events.push(event(id, &line.details, state, cause, observed));
        }
        if let Some(step) = line.start_next_step() {
            let details = line.details.clone();
            outcome.tasks.push(Task { line: id.clone(), step, details });
        } else if line.is_finished() {
            let over = line.state() == Some(CallState::Ended);
            self.lines.remove(id);
            if over {
                self.record_ended(id.clone());
            }
        }
        outcome
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn record_ended(&mut self, id: LineId) {
        if self.ended.contains(&id) {
            return;
        }
        if self.ended.len() == MAX_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(id);
    }
}

/// The progress of a channel outside our application, by its state.
fn leg(channel: &Channel) -> Leg {
    let dialplan = !matches!(channel.dialplan.app_name.as_str(), "" | "AppDial2" | "Stasis");
    match channel.state.as_str() {
        "Up" if dialplan => Leg::Left,
        "Up" => Leg::Answered,
        "Ringing" | "Ring" => Leg::Ringing,
        _ => Leg::Calling,
    }
}

/// What the first channel of a call carries with it.
fn details<'a>(channel: &Channel, args: impl IntoIterator<Item = &'a str>, id: &LineId) -> Details {
    let mut details = Details::from_args(args);
    if let LineId::Inbound(_) = id {
        details.from = channel.caller.number.clone();
        details.to = channel.dialplan.exten.clone();
    }
    details
}

fn event(
    id: &LineId,
    details: &Details,
    state: CallState,
    cause: Option<Cause>,
    observed: &Observed,
) -> CallEvent {
    CallEvent {
        provider_call_id: id.provider_call_id(),
        call_id: id.call_id(),
        key: observed.key.clone(),
        state,
        cause,
        direction: id.direction(),
        from: details.from.clone(),
        to: details.to.clone(),
        agent: Some(details.agent.clone()).filter(|agent| !agent.is_empty()),
        occurred_at: observed.at,
    }
}
