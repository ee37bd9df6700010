//! The thread of the ledger: writes are judged beside the executor that answers reads, so that no
//! write, however large, holds a read up.

use std::{io, thread};

use tokio::{runtime::Builder, sync::oneshot, task::JoinHandle};

/// Runs a future on a thread and an executor of its own, which end with it.
pub(super) fn run(future: impl Future<Output = ()> + Send + 'static) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (running, over) = oneshot::channel::<()>();
    let task = runtime.spawn(async move {
        // Goes with the future, whether that is finished, has failed or was aborted.
        let _running = running;
        future.await;
    });
    thread::Builder::new().name("deskplane-ledger".to_owned()).spawn(move || {
        let _ = runtime.block_on(over);
        // A write that the store still works at may outlive an aborted task.
        runtime.shutdown_background();
    })?;
    Ok(task)
}
