//! The thread of the ledger: writes are judged beside the executor that answers reads, so that no
//! write, however large, holds a read up.

use std::io;

use tokio::{runtime::Builder, sync::oneshot};

use crate::tasks::{OnPanic, Task, Tasks};

/// Runs a future on a thread and an executor of its own, which end with it. Without it no write is
/// answered any more, so a panic in it ends the process.
pub(super) fn run(
    tasks: &Tasks,
    future: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Task<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (running, over) = oneshot::channel::<()>();
    let handle = runtime.handle().clone();
    let task = tasks.spawn_on(&handle, "ledger", OnPanic::EndProcess, async move {
        // Goes with the future, whether that is finished, has failed or was aborted.
        let _running = running;
        future.await;
    });
    tasks.thread("deskplane-ledger", OnPanic::EndProcess, move || {
        let _ = runtime.block_on(over);
        // A write that the store still works at may outlive an aborted task.
        runtime.shutdown_background();
    })?;
    Ok(task)
}
