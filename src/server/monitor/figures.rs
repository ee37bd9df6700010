//! The figures of a server, as text for Prometheus.

use metrics::{
    Counter, Gauge, Recorder, counter, describe_counter, describe_gauge, gauge, with_local_recorder,
};
use metrics_exporter_prometheus::{PrometheusHandle, PrometheusRecorder};

use super::{
    credentials,
    inner::{self, InnerMeters},
    phase::Live,
};
use crate::{audit, domain::Reason, store::LogKind, tasks::Tasks, voice::Voice};

/// Reasons for which open streams end.
const ENDS: [Reason; 8] = [
    Reason::UserDeleted,
    Reason::TokenExpired,
    Reason::CallerDisabled,
    Reason::ScopeRevoked,
    Reason::Replaced,
    Reason::Draining,
    Reason::MaxAge,
    Reason::SlowConsumer,
];

/// Figures that are read when somebody asks, and the text of all.
#[derive(Debug)]
pub(super) struct Figures {
    handle: PrometheusHandle,
    recorder: PrometheusRecorder,
    tasks: Tasks,
    revision: Gauge,
    streams: Gauge,
    profile_ends: EndMeters,
    call_ends: EndMeters,
    voice: VoiceMeters,
    audit: AuditMeters,
    inner: InnerMeters,
}

/// Ends of streams of one kind, by reason.
#[derive(Debug)]
struct EndMeters([Counter; ENDS.len()]);

/// Figures of voice.
#[derive(Debug)]
struct VoiceMeters {
    live_calls: Gauge,
    streams: Gauge,
    /// Applied, repeated, late, of nobody.
    events: [Counter; 4],
    refused: Counter,
}

/// Figures of audit and resolution log.
#[derive(Debug)]
struct AuditMeters {
    /// By the order of [`LogKind::ALL`].
    entries: [Counter; LogKind::ALL.len()],
    dropped: [Counter; LogKind::ALL.len()],
    suppressed: Counter,
    service_reads: Counter,
    lag: Gauge,
}

/// Counts connections for probes and metrics that could not be accepted.
pub(super) fn accept_errors(recorder: &dyn Recorder) -> Counter {
    with_local_recorder(recorder, || {
        describe_counter!(
            "deskplane_monitor_accept_errors_total",
            "Connections for probes and metrics that could not be accepted, for want of file \
             handles or memory"
        );
        counter!("deskplane_monitor_accept_errors_total")
    })
}

/// Counts unary calls that are refused because too many are worked on.
pub(super) fn shed(recorder: &dyn Recorder) -> Counter {
    with_local_recorder(recorder, || {
        describe_counter!(
            "deskplane_calls_shed_total",
            "Unary calls that were refused because as many as may be were worked on"
        );
        counter!("deskplane_calls_shed_total")
    })
}

impl Figures {
    pub(super) fn new(recorder: PrometheusRecorder, tasks: Tasks) -> Self {
        let (revision, streams) = with_local_recorder(&recorder, || {
            describe_gauge!(
                "deskplane_revision",
                "Revision of the newest write that is answered for"
            );
            describe_gauge!("deskplane_watch_streams", "Open streams of live updates");
            (gauge!("deskplane_revision"), gauge!("deskplane_watch_streams"))
        });
        let ends = |kind| EndMeters::new(&recorder, kind);
        let (profile_ends, call_ends) = (ends("profile"), ends("calls"));
        let voice = VoiceMeters::new(&recorder);
        let audit = AuditMeters::new(&recorder);
        credentials::describe(&recorder);
        let handle = recorder.handle();
        let inner = InnerMeters::new(&recorder);
        Self {
            handle,
            recorder,
            tasks,
            revision,
            streams,
            profile_ends,
            call_ends,
            voice,
            audit,
            inner,
        }
    }

    /// All figures; without a server at work those of its start.
    pub(super) fn render(&self, live: Option<&Live>) -> String {
        if let Some(live) = live {
            self.revision.set(live.ledger.catalog().revision as f64);
            self.streams.set(live.hub.streams() as f64);
            self.profile_ends.set(&live.hub.ends());
            self.call_ends.set(&live.voice.stream_ends());
            self.voice.set(&live.voice);
            self.audit.set(&live.recorder);
            self.inner.set(live);
            if let Some(figures) = live.credentials.figures() {
                credentials::set(&self.recorder, figures);
            }
        }
        inner::set_tasks(&self.recorder, &self.tasks);
        let mut text = self.handle.render();
        live.iter().for_each(|live| {
            live.calls.render(&mut text);
            inner::write_propagation(&live.hub.propagation(), &mut text);
        });
        text
    }

    /// Folds what histograms gather, so that it does not grow while nobody asks.
    pub(super) fn fold(&self) {
        self.handle.run_upkeep();
    }
}

impl EndMeters {
    fn new(recorder: &dyn Recorder, kind: &'static str) -> Self {
        with_local_recorder(recorder, || {
            describe_counter!(
                "deskplane_stream_ends_total",
                "Open streams that the server ended, by kind of stream and reason"
            );
            let end = |reason: Reason| counter!("deskplane_stream_ends_total", "stream" => kind, "reason" => reason.as_str());
            Self(ENDS.map(end))
        })
    }

    fn set(&self, ends: &[(Reason, u64)]) {
        for (reason, counter) in ENDS.iter().zip(&self.0) {
            if let Some((_, count)) = ends.iter().find(|(known, _)| known == reason) {
                counter.absolute(*count);
            }
        }
    }
}

impl VoiceMeters {
    fn new(recorder: &dyn Recorder) -> Self {
        with_local_recorder(recorder, || {
            describe_gauge!("deskplane_voice_calls_live", "Calls that are not over");
            describe_gauge!("deskplane_voice_streams", "Open streams of calls");
            describe_counter!(
                "deskplane_voice_events_total",
                "Verified events of vendors, by outcome"
            );
            describe_counter!(
                "deskplane_voice_webhooks_refused_total",
                "Webhooks that were not believed"
            );
            let event = |outcome| counter!("deskplane_voice_events_total", "outcome" => outcome);
            Self {
                live_calls: gauge!("deskplane_voice_calls_live"),
                streams: gauge!("deskplane_voice_streams"),
                events: ["applied", "repeated", "late", "nobody"].map(event),
                refused: counter!("deskplane_voice_webhooks_refused_total"),
            }
        })
    }

    fn set(&self, voice: &Voice) {
        let now = voice.figures();
        self.live_calls.set(now.live_calls as f64);
        self.streams.set(now.streams as f64);
        let events = [now.applied, now.repeated, now.late, now.unknown];
        self.events.iter().zip(events).for_each(|(counter, count)| counter.absolute(count));
        self.refused.absolute(now.refused);
    }
}

impl AuditMeters {
    fn new(recorder: &dyn Recorder) -> Self {
        with_local_recorder(recorder, || {
            describe_counter!(
                "deskplane_audit_entries_total",
                "Entries that were written in the background, by log: audit of reads and refusals, \
                 resolution log"
            );
            describe_counter!(
                "deskplane_audit_dropped_total",
                "Entries that were lost, by log: too many waited, or the log could not be written"
            );
            describe_counter!(
                "deskplane_audit_suppressed_total",
                "Refusals that another one's entry counts, for the rate limit of their caller or provider"
            );
            describe_counter!(
                "deskplane_audit_service_reads_total",
                "Resolutions and watches of others by SERVICE, which have no entry"
            );
            describe_gauge!(
                "deskplane_audit_lag_seconds",
                "How long the oldest entry of the last batch waited until it was durable"
            );
            let entries =
                |kind: LogKind| counter!("deskplane_audit_entries_total", "log" => kind.as_str());
            let dropped =
                |kind: LogKind| counter!("deskplane_audit_dropped_total", "log" => kind.as_str());
            Self {
                entries: LogKind::ALL.map(entries),
                dropped: LogKind::ALL.map(dropped),
                suppressed: counter!("deskplane_audit_suppressed_total"),
                service_reads: counter!("deskplane_audit_service_reads_total"),
                lag: gauge!("deskplane_audit_lag_seconds"),
            }
        })
    }

    fn set(&self, recorder: &audit::Recorder) {
        let now = recorder.figures();
        let set = |counters: &[Counter], counts: [u64; LogKind::ALL.len()]| {
            counters.iter().zip(counts).for_each(|(counter, count)| counter.absolute(count));
        };
        set(&self.entries, [now.audited, now.delivered]);
        set(&self.dropped, now.dropped);
        self.suppressed.absolute(now.suppressed);
        self.service_reads.absolute(now.service_reads);
        self.lag.set(now.lag_micros as f64 / 1e6);
    }
}
