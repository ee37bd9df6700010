//! What a call needs, decided without a network.

use super::super::{
    call_table::{CallTable, Observed, Outcome, Task},
    line::Step,
    message::Message,
    names::{LineId, Side},
    vectors::{CALL, cases, recorded},
};
use super::*;
use CallState::{Answered, Bridged, Dialing, Ended, Ringing, Transferring};

/// Everything that was recorded of the call, in the order in which it happened.
fn recording() -> Vec<Message> {
    let id = LineId::Outbound(CALL);
    let sequences = cases().into_iter().filter(|case| case["kind"] == "event-sequence");
    let mut all: Vec<_> = sequences.flat_map(|case| recorded(&case, &id).unwrap()).collect();
    all.sort_by(|one, other| one.timestamp.cmp(&other.timestamp));
    all
}

fn now() -> Observed {
    Observed { key: "now".to_owned(), at: None }
}

#[test]
fn the_recorded_call_is_told_and_driven_from_end_to_end() {
    let mut table = CallTable::new("agentsvc");
    let (mut reported, mut steps) = (Vec::new(), Vec::new());
    for message in recording() {
        let Outcome { events, mut tasks } = table.apply_event(&message);
        reported.extend(events);
        while let Some(task) = tasks.pop() {
            steps.push(task.step);
            let outcome = table.complete_step(&task, None, &now());
            reported.extend(outcome.events);
            tasks.extend(outcome.tasks);
        }
    }
    let states: Vec<_> = reported.iter().map(|event| event.state).collect();
    assert_eq!(states, [Dialing, Ringing, Answered, Bridged, Transferring, Ended]);
    assert_eq!(reported.last().and_then(|event| event.cause.clone()), Some(Cause::Normal));
    let ring = Step::Ring(Side::Customer);
    assert_eq!(steps, [ring, Step::Join, Step::HangUp(Side::Agent), Step::Clean]);
    assert!(table.is_empty());
    let keys: std::collections::BTreeSet<_> = reported.iter().map(|event| &event.key).collect();
    assert_eq!(keys.len(), reported.len(), "each event has a key of its own");
}

/// Events in any order, twice, or not at all, and steps that fail: whatever comes, nobody is called
/// twice and nothing is left.
#[test]
fn no_order_of_events_does_harm() {
    let recording = recording();
    for seed in 0..2000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut messages = recording.clone();
        random.shuffle(&mut messages);
        messages.extend(recording.iter().filter(|_| random.bool()).cloned());
        let ends = recording.iter().filter(|message| message.kind == "ChannelDestroyed");
        messages.extend(ends.cloned());

        let mut table = CallTable::new("agentsvc");
        let mut tasks: Vec<Task> = Vec::new();
        let mut rung = 0;
        let mut done = |table: &mut CallTable, tasks: &mut Vec<Task>, fails: bool| {
            let Some(task) = tasks.pop() else { return false };
            rung += usize::from(matches!(task.step, Step::Ring(_)));
            let outcome = table.complete_step(&task, fails.then_some(Cause::Failed), &now());
            tasks.extend(outcome.tasks);
            true
        };
        for message in &messages {
            let outcome = table.apply_event(message);
            tasks.extend(outcome.tasks);
            if random.bool() {
                done(&mut table, &mut tasks, random.u8(..4) == 0);
            }
        }
        while done(&mut table, &mut tasks, false) {}
        assert!(rung <= 1, "seed {seed}: rung {rung} times");
        assert!(table.is_empty(), "seed {seed}: {table:?}");
    }
}

/// The answer to the start of a channel may come after the event that it is no more.
#[test]
fn a_party_that_is_gone_before_the_answer_stays_gone() {
    let line = LineId::Outbound(CALL);
    let event = |kind: &str, side: Side| -> Message {
        let channel = json!({"id": line.channel(side), "state": "Up"});
        let event = json!({"type": kind, "channel": channel, "args": ["agent=anna"], "cause": 17});
        serde_json::from_value(event).unwrap()
    };
    let mut table = CallTable::new("deskplane");
    let mut ring = table.apply_event(&event("StasisStart", Side::Agent)).tasks;
    let ring = ring.pop().unwrap();
    assert_eq!(ring.step, Step::Ring(Side::Customer));
    let ended = table.apply_event(&event("ChannelDestroyed", Side::Customer));
    assert_eq!(ended.events[0].cause, Some(Cause::Busy));
    let mut tasks = table.complete_step(&ring, None, &now()).tasks;
    tasks.extend(table.apply_event(&event("ChannelDestroyed", Side::Agent)).tasks);
    let mut steps = Vec::new();
    while let Some(task) = tasks.pop() {
        steps.push(task.step);
        tasks.extend(table.complete_step(&task, None, &now()).tasks);
    }
    assert_eq!(steps, [Step::HangUp(Side::Agent), Step::Clean]);
    assert!(table.is_empty(), "{table:?}");
}

#[test]
fn a_list_without_our_application_is_nobody_of_ours() {
    let channel = |id: &str, app: &str| {
        let dialplan = json!({"app_name": "Stasis", "app_data": format!("{app},agent=anna")});
        serde_json::from_value(json!({"id": id, "state": "Up", "dialplan": dialplan})).unwrap()
    };
    let agent = LineId::Outbound(CALL).channel(Side::Agent);
    let bridge = json!({"id": "dp-other", "name": "another", "channels": []});
    let bridge = serde_json::from_value(bridge).unwrap();
    let mut table = CallTable::new("deskplane");
    table.apply_listing(&[channel("17.1", "another"), channel(&agent, "another")], &[bridge]);
    let outcome = table.conclude_all(&now());
    assert!(outcome.events.is_empty() && outcome.tasks.is_empty() && table.is_empty());
    table.apply_listing(&[channel("17.1", "deskplane"), channel("17.2;2", "deskplane")], &[]);
    let outcome = table.conclude_all(&now());
    assert_eq!((outcome.events.len(), outcome.tasks.len()), (1, 1), "one call from outside");
}
