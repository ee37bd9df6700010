//! Notifications to the service manager (`sd_notify`): what `Type=notify` and `WatchdogSec=` of a
//! systemd unit wait for. Without `NOTIFY_SOCKET` in the environment nothing is sent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sd_notify::NotifyState;
use tokio::{sync::oneshot, time};

/// Notifies the service manager of the states of this process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Notifier {
    /// Whether READY was sent and no end has begun.
    ready: Arc<AtomicBool>,
}

impl Notifier {
    /// Sends READY once the server serves, then WATCHDOG for as long as this is polled, where the
    /// unit has a watchdog.
    pub async fn follow(self, serving: oneshot::Receiver<()>) {
        if serving.await.is_err() {
            // It ended before it served.
            return;
        }
        self.ready.store(true, Ordering::Relaxed);
        self.send_ready();
        let Some(limit) = sd_notify::watchdog_enabled() else { return };
        // Half of the limit, as the manual of the service manager asks for.
        let mut beat = time::interval((limit / 2).max(Duration::from_millis(1)));
        loop {
            beat.tick().await;
            send(&[NotifyState::Watchdog]);
        }
    }

    /// Runs a reload between RELOADING and READY. Before the server serves there is only the reload.
    pub fn reload(&self, reload: impl FnOnce()) {
        if !self.ready.load(Ordering::Relaxed) {
            return reload();
        }
        let now = NotifyState::monotonic_usec_now().ok();
        let status = NotifyState::Status("reading the configuration again");
        send(
            &[Some(NotifyState::Reloading), now, Some(status)]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>(),
        );
        reload();
        // An end that began meanwhile is not taken back.
        if self.ready.load(Ordering::Relaxed) {
            self.send_ready();
        }
    }

    /// Sends STOPPING: the end has begun.
    pub fn stopping(&self) {
        self.ready.store(false, Ordering::Relaxed);
        send(&[NotifyState::Stopping, NotifyState::Status("draining streams and calls")]);
    }

    fn send_ready(&self) {
        send(&[NotifyState::Ready, NotifyState::Status("serving")]);
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be notified");
    }
}
