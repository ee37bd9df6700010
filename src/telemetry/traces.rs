//! The export of traces, where the program was built with it.

#[cfg(feature = "otlp")]
mod otlp;
mod settings;

use std::time::Duration;

pub use self::settings::{Settings, StartError};
use crate::{tasks::Tasks, trace::Tracer};

/// The exporter. It ends when this is dropped, without what waits.
#[derive(Debug, Default)]
pub struct Exporter {
    #[cfg(feature = "otlp")]
    running: Option<otlp::Running>,
}

/// Starts to export traces; without settings nothing is traced.
///
/// # Errors
/// When the settings cannot be used, or there is no thread.
pub fn start(settings: Option<Settings>, tasks: &Tasks) -> Result<(Tracer, Exporter), StartError> {
    let Some(settings) = settings else { return Ok(Default::default()) };
    #[cfg(feature = "otlp")]
    {
        let (tracer, running) = otlp::start(settings, tasks)?;
        Ok((tracer, Exporter { running: Some(running) }))
    }
    #[cfg(not(feature = "otlp"))]
    {
        let _ = (settings, tasks);
        Err(StartError::Unusable("the program is built without OTLP".to_owned()))
    }
}

/// Reads the files that settings name, as a start does.
///
/// # Errors
/// When one cannot be used.
pub fn check_files(settings: Option<&Settings>) -> Result<(), StartError> {
    #[cfg(feature = "otlp")]
    return settings.map_or(Ok(()), otlp::check_files);
    #[cfg(not(feature = "otlp"))]
    {
        let _ = settings;
        Ok(())
    }
}

/// Judges the URL of a collector.
pub(crate) fn check(endpoint: &str) -> Result<(), &'static str> {
    let url: http::Uri = endpoint.parse().map_err(|_| "is no URL")?;
    let authority = url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    match url.scheme_str() {
        _ if authority.is_empty() => Err("names no host"),
        _ if authority.contains('@') => Err("must hold no password; use `telemetry.headers_file`"),
        _ if url.path() != "/" || url.query().is_some() => {
            Err("must have no path: gRPC has its own")
        }
        Some("http" | "https") => Ok(()),
        _ => Err("must begin with http:// or https://"),
    }
}

impl Exporter {
    /// Exports what waits, for so long at most, and ends.
    pub async fn close(self, within: Duration) {
        #[cfg(feature = "otlp")]
        if let Some(running) = self.running {
            running.close(within).await;
        }
        #[cfg(not(feature = "otlp"))]
        let _ = within;
    }
}
