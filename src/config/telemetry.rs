//! Settings of traces.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::telemetry::{self, OTLP, traces::Settings};

/// Traces, exported to a collector of OpenTelemetry by OTLP over gRPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// URL of the collector, e.g. `http://127.0.0.1:4317`; without it nothing is exported. It needs a
    /// program that was built with the feature `otlp`.
    pub endpoint: Option<String>,
    /// File with headers for the collector, such as a token: one `name: value` a line.
    pub headers_file: Option<PathBuf>,
    /// PEM file with the authorities of the collector; without it those of the machine.
    pub ca: Option<PathBuf>,
    /// Of a million calls whose caller sent no `traceparent`, how many are traced. Of the others the
    /// caller decides.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub sample_per_million: u64,
    /// What the collector calls the server.
    pub service_name: String,
    /// Milliseconds that the collector has for one request.
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            endpoint: None,
            headers_file: None,
            ca: None,
            sample_per_million: 10_000,
            service_name: "deskplane".to_owned(),
            timeout_ms: 10_000,
        }
    }
}

impl Telemetry {
    pub(super) fn check(&self, mistakes: &mut Vec<String>) {
        let Some(endpoint) = &self.endpoint else { return };
        if !OTLP {
            mistakes.push(
                "`telemetry.endpoint`: this program exports no traces; use one that was built with \
                 `--features otlp`, or leave the setting out"
                    .to_owned(),
            );
        } else if let Err(rule) = telemetry::traces::check(endpoint) {
            mistakes.push(format!("`telemetry.endpoint`: {rule}"));
        }
        if self.service_name.is_empty() {
            mistakes.push("`telemetry.service_name`: must not be empty".to_owned());
        }
    }

    /// What the exporter needs, if there is to be one.
    pub fn settings(&self) -> Option<Settings> {
        Some(Settings {
            endpoint: self.endpoint.clone()?,
            headers_file: self.headers_file.clone(),
            ca: self.ca.clone(),
            ratio: self.sample_per_million as f64 / 1e6,
            service_name: self.service_name.clone(),
            timeout: Duration::from_millis(self.timeout_ms),
        })
    }
}
