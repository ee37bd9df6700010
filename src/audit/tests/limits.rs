//! The rate limits of refusals.

use std::sync::Arc;

use super::{
    super::{
        Audit, AuditQuery, Entry, Settings,
        refusals::{CALLERS, LIMIT, Refusals, WINDOW},
    },
    audit, denied, pages,
};
use crate::{domain::Time, store::Memory};

/// Whether a refusal is written within the limit of its caller.
fn admit(refusals: &mut Refusals, entry: Entry) -> bool {
    refusals.admit(entry.actor.clone(), entry).is_some()
}

#[test]
fn s11_3_refusals_of_one_caller_are_limited_and_the_rest_is_counted() {
    let mut refusals = Refusals::default();
    let written = (0..25).filter(|n| admit(&mut refusals, denied("jane", *n))).count();
    assert_eq!(written, LIMIT as usize);
    assert!(admit(&mut refusals, denied("john", 30)), "another caller has a limit of his own");
    assert!(refusals.expire(Time::from_micros(WINDOW - 1)).is_empty());
    let counted = refusals.expire(Time::from_micros(WINDOW));
    assert_eq!(counted.len(), 1);
    // The entry itself stands for one of the fifteen.
    assert_eq!((counted[0].actor.as_str(), counted[0].repeats), ("jane", 14));
    assert!(admit(&mut refusals, denied("jane", WINDOW)), "a window begins afresh");
    assert!(refusals.expire(Time::from_micros(3 * WINDOW)).is_empty());
    assert!(refusals.is_empty());
}

#[test]
fn callers_beyond_those_with_a_window_share_one() {
    let mut refusals = Refusals::default();
    for n in 0..CALLERS {
        assert!(admit(&mut refusals, denied(&format!("user{n}"), 1)));
    }
    let further = (0..100).filter(|n| admit(&mut refusals, denied(&format!("late{n}"), 1)));
    assert_eq!(further.count(), LIMIT as usize);
    assert_eq!(refusals.close(Time::from_micros(2)).len(), 1);
}

#[tokio::test]
async fn s11_3_refusals_without_a_caller_are_limited_by_what_they_are_for() {
    let store = Arc::new(Memory::new());
    let Audit { recorder, reader } = audit(&store, Settings::default());
    for at in 0..LIMIT + 3 {
        recorder.denied_for("a/webhook", || denied("", at.into()));
    }
    recorder.denied_for("b/webhook", || denied("", 50));
    recorder.denied(|| denied("jane", 60));
    assert_eq!(recorder.figures().suppressed, 3);
    recorder.write().await;
    let written = pages(&reader, &AuditQuery::default(), 10).await;
    let written: Vec<_> = written.iter().map(|e| (e.actor.as_str(), e.repeats)).collect();
    assert_eq!(written, [("jane", 0), ("", LIMIT)]);
    recorder.close().await;
    let all = pages(&reader, &AuditQuery::default(), 10).await;
    assert_eq!(all.iter().map(|e| 1 + e.repeats).sum::<u32>(), LIMIT + 3 + 2);
}
