//! TLS of the main port (rustls, aws-lc-rs): certificates that are exchanged while connections stay,
//! and certificates of clients.
//!
//! The whole configuration is swapped, so a new bundle of client authorities takes effect like a new
//! certificate. A connection keeps what it was made with. Files that cannot be used, such as a
//! certificate whose key is not written yet, change nothing and are tried again.
//!
//! Clients without certificates may resume sessions by stateless tickets, whose key is the
//! process's own and changes with the configuration. With certificates there is no resumption:
//! rustls does not verify a certificate again when a session is resumed. Early data is never taken.

mod expiry;
mod load;
mod settings;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::{task::spawn_blocking, time};
use tokio_rustls::TlsAcceptor;

use self::load::Loaded;
pub use self::{load::LoadError, settings::TlsSettings};
use super::ConnectionMeters;

/// How often the files are looked at. Notifications of the operating system miss network file
/// systems and the links of Kubernetes.
const CHECK_EVERY: Duration = Duration::from_secs(10);

/// The TLS of the main port, as it is now. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    settings: TlsSettings,
    current: ArcSwap<Loaded>,
    /// Held while files are read.
    reading: Mutex<()>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read, or they cannot be used together.
    pub fn load(settings: TlsSettings) -> Result<Self, LoadError> {
        let loaded = Loaded::read(&settings)?;
        loaded.note("TLS is set up");
        let current = ArcSwap::from_pointee(loaded);
        Ok(Self(Arc::new(Inner { settings, current, reading: Mutex::default() })))
    }

    /// Reads the files again; true when new connections are made with something else from now on.
    ///
    /// # Errors
    /// As [`Tls::load`]; everything is then as before.
    pub fn reload(&self) -> Result<bool, LoadError> {
        let _reading = self.0.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.0.current.load();
        let Some(loaded) = Loaded::read_unless(&self.0.settings, &before)? else {
            return Ok(false);
        };
        let loaded = Arc::new(loaded);
        self.0.current.store(Arc::clone(&loaded));
        loaded.note("TLS is reloaded: new connections get the new certificate");
        Ok(true)
    }

    /// Makes connections with what is current.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config())
    }

    fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.current.load().config)
    }

    /// Looks at the files as long as the server runs.
    pub(super) async fn follow(self, meters: ConnectionMeters) {
        let mut failed = None;
        loop {
            meters.certificate_expiry.set(self.0.current.load().expiry as f64);
            time::sleep(CHECK_EVERY).await;
            let tls = self.clone();
            // A file system that does not answer holds up nothing else.
            let Ok(reloaded) = spawn_blocking(move || tls.reload()).await else { continue };
            match reloaded {
                Ok(changed) => {
                    meters.certificate_reloads.increment(changed.into());
                    failed = None;
                }
                Err(error) => {
                    meters.certificate_reload_errors.increment(1);
                    let error = error.to_string();
                    // The same mistake is logged once.
                    if failed.as_ref() != Some(&error) {
                        tracing::error!(error, "TLS is not reloaded; everything stays as it was");
                        failed = Some(error);
                    }
                }
            }
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("settings", &self.settings).finish_non_exhaustive()
    }
}
