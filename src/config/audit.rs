//! Settings of audit and resolution log.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range::DAY_S;
use crate::audit;

/// What is kept of audited reads and refusals. Writes are audited by their own records, which
/// `store.keep_records` bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Whether reads and refusals are audited.
    pub enabled: bool,
    /// Days that their entries are kept.
    #[schemars(range(min = 1, max = 3_650))]
    pub retention_days: u64,
    /// MiB beyond which the oldest entries go before their time.
    #[schemars(range(min = 1, max = 1 << 20))]
    pub max_mib: u64,
}

/// What is kept of what clients were sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResolutionLog {
    /// Whether deliveries are logged.
    pub enabled: bool,
    /// Days that their entries are kept.
    #[schemars(range(min = 1, max = 3_650))]
    pub retention_days: u64,
    /// MiB beyond which the oldest entries go before their time.
    #[schemars(range(min = 1, max = 1 << 20))]
    pub max_mib: u64,
}

impl Default for Audit {
    fn default() -> Self {
        let audit::Keep { enabled, age, bytes } = audit::Settings::default().reads;
        Self { enabled, retention_days: age.as_secs() / DAY_S, max_mib: bytes >> 20 }
    }
}

impl Default for ResolutionLog {
    fn default() -> Self {
        let audit::Keep { enabled, age, bytes } = audit::Settings::default().deliveries;
        Self { enabled, retention_days: age.as_secs() / DAY_S, max_mib: bytes >> 20 }
    }
}

/// Both, for the recorder.
pub(super) fn settings(reads: &Audit, deliveries: &ResolutionLog) -> audit::Settings {
    let keep = |enabled, days: u64, mib: u64| audit::Keep {
        enabled,
        age: Duration::from_secs(days * DAY_S),
        bytes: mib << 20,
    };
    let Audit { enabled, retention_days, max_mib } = *reads;
    let reads = keep(enabled, retention_days, max_mib);
    let ResolutionLog { enabled, retention_days, max_mib } = *deliveries;
    audit::Settings { reads, deliveries: keep(enabled, retention_days, max_mib) }
}
