//! Writes are judged beside the executor of those who hand them in.

use std::{
    sync::{Mutex, mpsc},
    thread::{self, ThreadId},
    time::Duration,
};

use tokio::sync::Notify;

use super::*;
use crate::command::{Context, Plan};

/// How long a write waits for a reader at most.
const DEADLINE: Duration = Duration::from_secs(20);

/// A write that takes as long as a reader needs, and notes where it is judged.
#[derive(Debug)]
struct Long {
    began: Arc<Notify>,
    read: Mutex<mpsc::Receiver<()>>,
    judged: Arc<Mutex<Option<ThreadId>>>,
}

impl Command for Long {
    fn operation(&self) -> &'static str {
        "Long"
    }

    fn flags(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn plan(&self, _: &Catalog, _: &Context) -> Result<Plan, Refusal> {
        *self.judged.lock().unwrap() = Some(thread::current().id());
        self.began.notify_one();
        match self.read.lock().unwrap().recv_timeout(DEADLINE) {
            Ok(()) => Ok(Plan::default()),
            Err(_) => Err(Refusal::new(Reason::Internal, "Nobody could read meanwhile.")),
        }
    }
}

#[tokio::test]
async fn reads_go_on_while_a_write_is_judged() {
    let store = Arc::new(Memory::new());
    let ledger = Ledger::open(
        &crate::tasks::Tasks::default(),
        store as _,
        Clock::system(),
        adapters(),
        |_| {},
    )
    .await
    .unwrap();
    let (began, judged) = (Arc::new(Notify::new()), Arc::default());
    let (read, wait) = mpsc::channel();
    let long =
        Long { began: Arc::clone(&began), read: Mutex::new(wait), judged: Arc::clone(&judged) };
    let reader = async {
        began.notified().await;
        assert_eq!(ledger.catalog().revision, 1);
        read.send(()).unwrap();
    };
    let (outcome, ()) = tokio::join!(ledger.submit(submission(Box::new(long))), reader);
    assert!(!outcome.unwrap().changed);
    assert_ne!(*judged.lock().unwrap(), Some(thread::current().id()));
}

#[tokio::test]
async fn the_thread_ends_with_the_ledger_and_lets_go_of_the_store() {
    let store = Arc::new(Memory::new());
    let opened = Ledger::open(
        &crate::tasks::Tasks::default(),
        Arc::clone(&store) as _,
        Clock::system(),
        adapters(),
        |_| {},
    )
    .await
    .unwrap();
    opened.submit(create("contoso_rep")).await.unwrap();
    opened.close().await;
    assert_eq!(Arc::strong_count(&store), 1, "the store is held by nobody else");
    let refused = opened.submit(create("contoso_lead")).await.unwrap_err();
    assert_eq!(refused.reason, Reason::StoreUnavailable);
}
