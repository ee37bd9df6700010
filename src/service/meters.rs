//! Figures of the calls of the API, by method and canonical code, and of denials by reason.
//!
//! Every counter exists from the start of the server on, so a call takes no lock and allocates nothing
//! for them: it adds to three numbers.

use std::{
    array,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::HeaderMap;
use tonic::Status;
use tonic_types::StatusExt as _;

use super::{body::STATUS, spans};
use crate::{
    auth::RPCS,
    domain::{Reason, Scope, Scopes, refusal::Code},
    trace::Span,
};

/// Names of the canonical codes, by their numbers.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
const OK: usize = 0;
const CANCELLED: usize = 1;
const UNKNOWN: usize = 2;
/// The codes of denials, and that of limits.
const DENIED: [usize; 2] = [7, 16];
const EXHAUSTED: usize = 8;

/// Upper bounds of the buckets of durations, in microseconds; one more is without bound.
const BOUNDS: [u64; 13] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    5_000_000,
];

/// Figures of all methods.
#[derive(Debug)]
pub struct CallMeters {
    /// By the order of [`RPCS`].
    methods: Box<[MethodMeters]>,
    /// Denials by reason.
    denied: Box<[(Reason, AtomicU64)]>,
    /// Refusals because of limits, by reason.
    limited: Box<[(Reason, AtomicU64)]>,
    /// Denials by the scopes of the caller; the last is of callers without any.
    scopes: [AtomicU64; Scope::ALL.len() + 1],
}

#[derive(Debug)]
struct MethodMeters {
    /// Calls that ended, by code.
    codes: [AtomicU64; CODES.len()],
    /// Calls by the time until the head of their answer.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    /// The sum of these times.
    micros: AtomicU64,
}

/// A call that has not ended. One that is dropped before, because its client left, is CANCELLED.
#[derive(Debug)]
pub(super) struct Measured {
    meters: Arc<CallMeters>,
    method: usize,
    ended: bool,
    span: Option<Span>,
}

impl Default for CallMeters {
    fn default() -> Self {
        let zeros = || MethodMeters {
            codes: array::from_fn(|_| AtomicU64::new(0)),
            buckets: array::from_fn(|_| AtomicU64::new(0)),
            micros: AtomicU64::new(0),
        };
        let denies = |code| matches!(code, Code::PermissionDenied | Code::Unauthenticated);
        let limits = |code| matches!(code, Code::ResourceExhausted);
        let counters = |of: &dyn Fn(Code) -> bool| {
            let reasons = Reason::ALL.iter().filter(|reason| of(reason.code()));
            reasons.map(|reason| (*reason, AtomicU64::new(0))).collect()
        };
        Self {
            methods: RPCS.iter().map(|_| zeros()).collect(),
            denied: counters(&denies),
            limited: counters(&limits),
            scopes: array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl CallMeters {
    /// Begins to measure a call of a method, given by its place in [`RPCS`]. Its span ends with it.
    pub(super) fn measure(self: &Arc<Self>, method: usize, span: Option<Span>) -> Measured {
        Measured { meters: Arc::clone(self), method, ended: false, span }
    }

    fn count(&self, method: usize, code: usize) {
        if let Some(counter) = self.methods.get(method).and_then(|of| of.codes.get(code)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a call that was denied for the scopes of its caller.
    pub(super) fn deny_scopes(&self, scopes: Scopes) {
        let (none, each) = self.scopes.split_last().unzip();
        let held = Scope::ALL.iter().zip(each.unwrap_or_default());
        let held = held.filter(|(scope, _)| scopes.has(**scope)).map(|(_, counter)| counter);
        let none = none.filter(|_| !Scope::ALL.iter().any(|scope| scopes.has(*scope)));
        held.chain(none).for_each(|counter| _ = counter.fetch_add(1, Ordering::Relaxed));
    }

    /// Counts a refusal by its reason.
    fn refuse(headers: &HeaderMap, counters: &[(Reason, AtomicU64)]) {
        let Some(status) = Status::from_header_map(headers) else { return };
        let Some(info) = status.get_details_error_info() else { return };
        let found = counters.iter().find(|(reason, _)| reason.as_str() == info.reason);
        if let Some((_, counter)) = found {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes the figures of all methods that were called, as text for Prometheus.
    pub fn render(&self, text: &mut String) {
        // Writing to a text does not fail.
        let _ = self.write_counts(text);
        let _ = self.write_durations(text);
        let _ = self.write_denials(text);
    }

    fn write_counts(&self, text: &mut String) -> std::fmt::Result {
        text.push_str(
            "# HELP deskplane_rpc_total Calls of the API that ended, by method and code\n\
             # TYPE deskplane_rpc_total counter\n",
        );
        for (labels, method) in self.called() {
            for (name, counter) in CODES.iter().zip(&method.codes) {
                let count = counter.load(Ordering::Relaxed);
                if count > 0 || *name == CODES[OK] {
                    writeln!(text, "deskplane_rpc_total{{{labels},code=\"{name}\"}} {count}")?;
                }
            }
        }
        Ok(())
    }

    fn write_durations(&self, text: &mut String) -> std::fmt::Result {
        text.push_str(
            "# HELP deskplane_rpc_seconds Time from the head of a request to that of its answer\n\
             # TYPE deskplane_rpc_seconds histogram\n",
        );
        for (labels, method) in self.called() {
            let mut count = 0;
            for (at, bucket) in method.buckets.iter().enumerate() {
                count += bucket.load(Ordering::Relaxed);
                let bound = match BOUNDS.get(at) {
                    Some(micros) => (*micros as f64 / 1e6).to_string(),
                    None => "+Inf".to_owned(),
                };
                writeln!(text, "deskplane_rpc_seconds_bucket{{{labels},le=\"{bound}\"}} {count}")?;
            }
            let sum = method.micros.load(Ordering::Relaxed) as f64 / 1e6;
            writeln!(text, "deskplane_rpc_seconds_sum{{{labels}}} {sum}")?;
            writeln!(text, "deskplane_rpc_seconds_count{{{labels}}} {count}")?;
        }
        Ok(())
    }

    fn write_denials(&self, text: &mut String) -> std::fmt::Result {
        text.push_str(
            "# HELP deskplane_rpc_denied_total Calls that were denied for who called, by reason\n\
             # TYPE deskplane_rpc_denied_total counter\n",
        );
        for (reason, counter) in &self.denied {
            let (reason, count) = (reason.as_str(), counter.load(Ordering::Relaxed));
            writeln!(text, "deskplane_rpc_denied_total{{reason=\"{reason}\"}} {count}")?;
        }
        text.push_str(
            "# HELP deskplane_rpc_limited_total Calls that were refused because of a limit, by reason\n\
             # TYPE deskplane_rpc_limited_total counter\n",
        );
        for (reason, counter) in &self.limited {
            let (reason, count) = (reason.as_str(), counter.load(Ordering::Relaxed));
            writeln!(text, "deskplane_rpc_limited_total{{reason=\"{reason}\"}} {count}")?;
        }
        text.push_str(
            "# HELP deskplane_scope_denied_total Calls that were denied for the scopes of their \
             caller, by each scope that he has\n\
             # TYPE deskplane_scope_denied_total counter\n",
        );
        let scopes = Scope::ALL.iter().map(|scope| scope.as_str()).chain(["NONE"]);
        for (scope, counter) in scopes.zip(&self.scopes) {
            let count = counter.load(Ordering::Relaxed);
            writeln!(text, "deskplane_scope_denied_total{{scope=\"{scope}\"}} {count}")?;
        }
        Ok(())
    }

    /// The labels and figures of each method that was called.
    fn called(&self) -> impl Iterator<Item = (String, &MethodMeters)> {
        let all = RPCS.iter().zip(&self.methods).filter(|(_, method)| method.was_called());
        all.map(|(rpc, method)| {
            let service = rpc.path.split('/').next().and_then(|path| path.rsplit('.').next());
            let service = service.unwrap_or_default();
            (format!("service=\"{service}\",method=\"{}\"", rpc.method()), method)
        })
    }
}

impl MethodMeters {
    fn was_called(&self) -> bool {
        let counters = self.codes.iter().chain(&self.buckets);
        counters.into_iter().any(|counter| counter.load(Ordering::Relaxed) > 0)
    }
}

impl Measured {
    /// The head of the answer is there, after this time.
    pub(super) fn answered(&self, elapsed: Duration) {
        let Some(method) = self.meters.methods.get(self.method) else { return };
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = method.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        method.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Counts the call by the status in these headers or trailers; without one it went well.
    pub(super) fn end(mut self, headers: &HeaderMap) {
        self.ended = true;
        let code = match headers.get(STATUS) {
            None => OK,
            Some(code) => code.to_str().ok().and_then(|code| code.parse().ok()).unwrap_or(UNKNOWN),
        };
        self.span.iter_mut().for_each(|span| spans::end(span, code));
        self.meters.count(self.method, code);
        if DENIED.contains(&code) {
            CallMeters::refuse(headers, &self.meters.denied);
        } else if code == EXHAUSTED {
            CallMeters::refuse(headers, &self.meters.limited);
        }
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        if !self.ended {
            self.span.iter_mut().for_each(|span| spans::end(span, CANCELLED));
            self.meters.count(self.method, CANCELLED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{auth::Rpc, domain::Refusal, service::status::refused};

    fn position(path: &str) -> usize {
        Rpc::position(path).unwrap()
    }

    fn rendered(meters: &CallMeters) -> String {
        let mut text = String::new();
        meters.render(&mut text);
        text
    }

    #[test]
    fn calls_are_counted_by_method_and_code() {
        let meters = Arc::new(CallMeters::default());
        let resolve = position("deskplane.v1.AgentService/ResolveProfile");
        let call = || meters.measure(resolve, None);
        for micros in [0, 100, 101, 6_000_000] {
            let call = call();
            call.answered(Duration::from_micros(micros));
            call.end(&HeaderMap::new());
        }
        let denied = refused(&Refusal::new(Reason::ScopeRequired, "No."));
        call().end(denied.headers());
        drop(call());
        let text = rendered(&meters);
        let of = "service=\"AgentService\",method=\"ResolveProfile\"";
        for line in [
            format!("deskplane_rpc_total{{{of},code=\"OK\"}} 4\n"),
            format!("deskplane_rpc_total{{{of},code=\"CANCELLED\"}} 1\n"),
            format!("deskplane_rpc_total{{{of},code=\"PERMISSION_DENIED\"}} 1\n"),
            format!("deskplane_rpc_seconds_bucket{{{of},le=\"0.0001\"}} 2\n"),
            format!("deskplane_rpc_seconds_bucket{{{of},le=\"0.00025\"}} 3\n"),
            format!("deskplane_rpc_seconds_bucket{{{of},le=\"5\"}} 3\n"),
            format!("deskplane_rpc_seconds_bucket{{{of},le=\"+Inf\"}} 4\n"),
            format!("deskplane_rpc_seconds_sum{{{of}}} 6.000201\n"),
            format!("deskplane_rpc_seconds_count{{{of}}} 4\n"),
            "deskplane_rpc_denied_total{reason=\"SCOPE_REQUIRED\"} 1\n".to_owned(),
            "deskplane_rpc_denied_total{reason=\"SELF_ONLY\"} 0\n".to_owned(),
        ] {
            assert!(text.contains(&line), "{line} is not in {text}");
        }
        assert!(!text.contains("NOT_FOUND") && !text.contains("WatchProfile"), "{text}");
    }

    #[test]
    fn the_names_of_codes_have_their_numbers() {
        for (number, name) in CODES.iter().enumerate() {
            let code = tonic::Code::from(i32::try_from(number).unwrap());
            let spelled = format!("{code:?}").replace("Ok", "OK").to_ascii_uppercase();
            assert_eq!(name.replace('_', ""), spelled);
        }
    }
}
