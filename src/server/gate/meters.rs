//! Figures of what the gate refuses.

use metrics::{Counter, Recorder, counter, describe_counter, with_local_recorder};

use crate::domain::{Reason, Refusal};

/// Why the gate refuses calls.
const REASONS: [Reason; 3] =
    [Reason::HeadersTooLarge, Reason::AuthorityRefused, Reason::OriginRefused];

/// Counts refusals by reason. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::server) struct GateMeters([Counter; REASONS.len()]);

impl Default for GateMeters {
    /// Meters without a recorder.
    fn default() -> Self {
        Self([const { Counter::noop() }; REASONS.len()])
    }
}

impl GateMeters {
    /// Meters of a recorder.
    pub(in crate::server) fn new(recorder: &dyn Recorder) -> Self {
        with_local_recorder(recorder, || {
            describe_counter!(
                "deskplane_gate_refused_total",
                "Calls that were refused in front of the API, by reason"
            );
            let of = |reason: Reason| counter!("deskplane_gate_refused_total", "reason" => reason.as_str());
            Self(REASONS.map(of))
        })
    }

    pub(super) fn refuse(&self, refusal: &Refusal) {
        let of = REASONS.iter().zip(&self.0).find(|(reason, _)| **reason == refusal.reason);
        of.into_iter().for_each(|(_, counter)| counter.increment(1));
    }
}
