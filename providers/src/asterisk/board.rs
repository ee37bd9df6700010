//! All calls of one provider: what Asterisk says goes in, what to tell and what to do comes out.

use std::collections::{BTreeMap, VecDeque};

use super::{
    line::{Leg, Line, Step},
    message::{Bridge, Channel, Message},
    names::{Details, LineId, Side},
};
use crate::{CallEvent, CallState, Cause};

/// How many calls that are over are remembered, so that none of them is started again.
const REMEMBERED: usize = 1024;

/// All calls of one provider.
#[derive(Debug)]
pub(super) struct Board {
    app: String,
    lines: BTreeMap<LineId, Line>,
    ended: VecDeque<LineId>,
}

/// What follows from something that was heard.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What others are told.
    pub(super) events: Vec<CallEvent>,
    /// What Asterisk is asked for.
    pub(super) tasks: Vec<Task>,
}

/// A step of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) line: LineId,
    pub(super) step: Step,
    pub(super) details: Details,
}

/// When and by what something was learnt.
#[derive(Debug, Clone)]
pub(super) struct Learnt {
    pub(super) key: String,
    pub(super) at: Option<std::time::SystemTime>,
}

impl Board {
    pub(super) fn new(app: &str) -> Self {
        Self { app: app.to_owned(), lines: BTreeMap::new(), ended: VecDeque::new() }
    }

    /// How far a call is that was begun here; none when nobody knows it.
    pub(super) fn state(&self, id: &LineId) -> Option<CallState> {
        if self.ended.contains(id) {
            return Some(CallState::Ended);
        }
        self.lines.get(id)?.state()
    }

    /// Hears one event.
    pub(super) fn hear(&mut self, message: &Message) -> Outcome {
        let learnt = Learnt { key: message.key(), at: message.occurred_at() };
        match self.apply(message) {
            Some(id) => self.conclude(&id, &learnt),
            None => Outcome::default(),
        }
    }

    /// Notes what an event says, and tells whose it is.
    fn apply(&mut self, message: &Message) -> Option<LineId> {
        if message.kind == "ChannelEnteredBridge" {
            let bridge = message.bridge.as_ref()?;
            let id = LineId::of_bridge(&bridge.id)?;
            self.lines.get_mut(&id)?.enter(&bridge.channels);
            return Some(id);
        }
        let channel = message.channel.as_ref().or(message.peer.as_ref())?;
        let (id, side) = self.whose(channel, message.kind == "StasisStart")?;
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
                    line.decide(side, verdict);
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
        let new = if over { Line::over_before } else { Line::new };
        self.lines.entry(id.clone()).or_insert_with(|| new(id.clone()))
    }

    /// Whose channel it is; a new one that comes in from outside begins a call.
    fn whose(&self, channel: &Channel, starts: bool) -> Option<(LineId, Side)> {
        if channel.is_second_half() {
            return None;
        }
        if let Some(ours) = LineId::of_channel(&channel.id) {
            return Some(ours);
        }
        let id = LineId::Inbound(channel.id.clone());
        (starts || self.lines.contains_key(&id)).then_some((id, Side::Customer))
    }

    /// Takes up all channels and bridges there are, after a time in which nobody listened.
    pub(super) fn take_up(&mut self, channels: &[Channel], bridges: &[Bridge]) {
        for channel in channels {
            let here = channel.args_in(&self.app).is_some();
            let Some((id, side)) = self.whose(channel, here) else { continue };
            if !here && !self.lines.contains_key(&id) && !self.begun_here(&id, channels) {
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
                self.line(&id).enter(&bridge.channels);
            }
        }
        for line in self.lines.values_mut() {
            line.resume();
            line.listed(|wanted| channels.iter().any(|channel| channel.id == wanted));
        }
    }

    /// Draws the conclusions from what was taken up.
    pub(super) fn catch_up(&mut self, learnt: &Learnt) -> Outcome {
        let mut all = Outcome::default();
        let ids: Vec<LineId> = self.lines.keys().cloned().collect();
        for id in ids {
            let one = self.conclude(&id, learnt);
            all.events.extend(one.events);
            all.tasks.extend(one.tasks);
        }
        all
    }

    /// Whether the first channel of a call is in our application.
    fn begun_here(&self, id: &LineId, channels: &[Channel]) -> bool {
        let first = id.provider_call_id();
        channels.iter().any(|channel| channel.id == first && channel.args_in(&self.app).is_some())
    }

    /// The calls in which both parties hear each other.
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

    /// A task is done, or it failed for this reason.
    pub(super) fn settle(&mut self, task: &Task, failed: Option<Cause>, at: &Learnt) -> Outcome {
        if let Some(line) = self.lines.get_mut(&task.line) {
            line.settle(task.step, failed);
        }
        self.conclude(&task.line, at)
    }

    /// What there is to tell and to do about one call; one that is finished is forgotten.
    fn conclude(&mut self, id: &LineId, learnt: &Learnt) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(line) = self.lines.get_mut(id) else { return outcome };
        if let Some((state, cause)) = line.news() {
            outcome.events.push(event(id, &line.details, state, cause, learnt));
        }
        if let Some(step) = line.next() {
            let details = line.details.clone();
            outcome.tasks.push(Task { line: id.clone(), step, details });
        } else if line.is_finished() {
            let over = line.state() == Some(CallState::Ended);
            self.lines.remove(id);
            if over {
                self.remember(id.clone());
            }
        }
        outcome
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn remember(&mut self, id: LineId) {
        if self.ended.contains(&id) {
            return;
        }
        if self.ended.len() == REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(id);
    }
}

/// How far a channel is by its state, outside our application.
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
    learnt: &Learnt,
) -> CallEvent {
    CallEvent {
        provider_call_id: id.provider_call_id(),
        call_id: id.call_id(),
        key: learnt.key.clone(),
        state,
        cause,
        direction: id.direction(),
        from: details.from.clone(),
        to: details.to.clone(),
        agent: Some(details.agent.clone()).filter(|agent| !agent.is_empty()),
        occurred_at: learnt.at,
    }
}
