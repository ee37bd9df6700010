//! Users are packed beside the writes, and nobody sees a difference.

use tokio::sync::mpsc;

use super::{
    cascades::{fill, user},
    *,
};
use crate::{
    command::{BatchUpsertUsers, UserPatch, UserRow},
    domain::Kind,
};

fn rename(number: usize) -> Submission {
    let display_name = Some(format!("Renamed {number}"));
    let patch = UserPatch { display_name, ..UserPatch::default() };
    let row = UserRow { id: user(number), etag: None, patch, profile: None };
    submission(Box::new(BatchUpsertUsers { rows: vec![row] }))
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_packed_while_writes_go_on_and_none_is_lost() {
    let store = Arc::new(Memory::new());
    // What was packed is published, so that nobody holds the form before.
    let (packed, mut seen) = mpsc::unbounded_channel();
    let publish = move |p: &Committed| {
        if p.records.is_empty() {
            assert_eq!(p.before.revision, p.after.revision);
            assert_eq!(p.before.user_count(), p.after.user_count());
            assert!(!p.after.wants_compaction());
            packed.send(()).unwrap();
        }
    };
    let tasks = crate::tasks::Tasks::default();
    let of_store = Arc::clone(&store) as Arc<dyn Store>;
    let opened = Ledger::open(&tasks, of_store, Clock::system(), adapters(), publish);
    let ledger = opened.await.unwrap();
    fill(&ledger, 17_000, 3_000).await;
    let mut renamed = 0;
    // Writes until the end of a compaction, which takes place beside them.
    while seen.try_recv().is_err() {
        ledger.submit(rename(renamed)).await.unwrap();
        renamed += 1;
    }
    // The few that changed meanwhile are packed once no write comes.
    for number in 0..2_000 {
        ledger.submit(rename(number)).await.unwrap();
    }
    while ledger.catalog().wants_compaction_when_idle() {
        seen.recv().await.unwrap();
    }
    let catalog = ledger.catalog();
    let stored = store.load().await.unwrap();
    let again = Catalog::load(stored.objects, stored.users, stored.revision, stored.time);
    assert!(catalog.objects_of(Kind::User).eq(again.objects_of(Kind::User)));
    let linked = UniqueName::known(cascades::BY_LINK);
    assert_eq!(catalog.linked(&linked).len(), 3_000);
    assert_eq!(catalog.linked(&linked), again.linked(&linked));
    let members = |catalog: &Catalog| catalog.seats().map(|(_, m)| m.len()).collect::<Vec<_>>();
    assert_eq!(members(&catalog), members(&again));
}
