//! The bounded queue of writes: back-pressure on callers, and nothing lost.

use futures_util::{future::join_all, poll};
use tokio::task::unconstrained;

use super::{scripted::Scripted, *};
use crate::command::UpdateProfile;

/// A write that changes the one profile of the test.
fn rename(number: usize) -> Submission {
    let patch =
        ProfilePatch { display_name: Some(format!("P{number}")), ..ProfilePatch::default() };
    submission(Box::new(UpdateProfile::new(UniqueName::known("contoso_rep"), patch)))
}

#[tokio::test]
async fn a_write_beyond_the_queue_waits_for_a_place_and_is_committed_in_its_turn() {
    let store: Arc<dyn Store> = Arc::new(Scripted::new());
    let ledger = Ledger::open_here(store, Clock::system(), adapters(), |_| {}).await.unwrap();
    assert_eq!(ledger.submit(create("contoso_rep")).await.unwrap().revision, 2);
    // One poll hands a write in; the commit task does not run in between. Without the limit of tokio
    // on what one task does at a time, which is below the bound of the queue.
    let mut queued: Vec<_> =
        (0..QUEUE).map(|at| Box::pin(unconstrained(ledger.submit(rename(at))))).collect();
    for write in &mut queued {
        assert!(poll!(write).is_pending());
    }
    assert_eq!(ledger.queue.capacity(), 0, "the queue is full");
    let mut given_up = Box::pin(unconstrained(ledger.submit(create("contoso_given_up"))));
    let mut beyond = Box::pin(unconstrained(ledger.submit(rename(QUEUE))));
    assert!(poll!(&mut given_up).is_pending() && poll!(&mut beyond).is_pending());
    // Its deadline passes before there is a place for it.
    drop(given_up);
    let revisions: Vec<_> =
        join_all(queued).await.into_iter().map(|answer| answer.unwrap().revision).collect();
    let expected: Vec<_> = (3..).take(QUEUE).collect();
    assert_eq!(revisions, expected, "each is committed, in the order in which they came");
    assert_eq!(beyond.await.unwrap().revision, 3 + i64::try_from(QUEUE).unwrap());
    let catalog = ledger.catalog();
    assert!(catalog.tables.profiles.find("contoso_given_up").is_none());
    assert_eq!(ledger.queue.capacity(), QUEUE);
}
