//! Random histories: the engine answers what the naive model answers, over any reopening.

use proptest::prelude::*;

use super::{
    Batch, HistoryQuery, InMemory, OnDisk, Place, Revision,
    fixtures::{asked, delete_user, put_user, record, user_key},
};
use crate::domain::Change;

/// A record to be: gap to the one before, (user, put or delete) per change, whether it has a request.
type Draft = (i64, Vec<(u8, bool)>, bool);

/// One step: a batch planned on the head or beside it, or a reopening.
#[derive(Debug, Clone)]
enum Step {
    Commit { stale: bool, records: Vec<Draft> },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let changes = prop::collection::vec((0..6_u8, any::<bool>()), 0..4);
    let records = prop::collection::vec((1..300_i64, changes, any::<bool>()), 1..4);
    prop_oneof![
        6 => (prop::bool::weighted(0.2), records)
            .prop_map(|(stale, records)| Step::Commit { stale, records }),
        1 => Just(Step::Reopen),
    ]
}

fn plan(after: Revision, records: Vec<Draft>) -> Batch {
    let mut at = after;
    let records = records.into_iter().map(|(gap, changes, request)| {
        at += gap;
        let change = |(user, put): (u8, bool)| -> Change {
            let id = format!("user{user}");
            if put { put_user(&id, at) } else { delete_user(&id) }
        };
        let plain = record(at, changes.into_iter().map(change).collect());
        if request { asked(plain, at as u128) } else { plain }
    });
    Batch::new(after, records.collect()).unwrap()
}

async fn compare(steps: Vec<Step>) {
    let (model, disk) = (InMemory::default(), OnDisk::default());
    let model = model.open().await;
    let mut store = disk.open().await;
    for step in steps {
        match step {
            Step::Reopen => {
                drop(store);
                store = disk.open().await;
            }
            Step::Commit { stale, records } => {
                let after = model.linearize().await.unwrap() + i64::from(stale);
                let batch = plan(after, records);
                let expected = model.commit(batch.clone()).await.unwrap();
                assert_eq!(store.commit(batch).await.unwrap(), expected);
            }
        }
        assert_eq!(store.load().await.unwrap(), model.load().await.unwrap());
    }
    for key in [None, Some(user_key("user0")), Some(user_key("user5"))] {
        let query = HistoryQuery { key, before: None, limit: 5 };
        let expected = model.history(query.clone()).await.unwrap();
        assert_eq!(store.history(query).await.unwrap(), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_durable_store_answers_what_the_model_answers(steps in prop::collection::vec(step(), 1..16)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(steps));
    }
}
