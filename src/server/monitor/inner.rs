//! Figures of what works inside: the cache of content, propagation, tasks, and the export of traces.

use std::fmt::Write as _;

use metrics::{
    Counter, Gauge, Recorder, counter, describe_counter, describe_gauge, gauge, with_local_recorder,
};

use super::phase::Live;
use crate::{live::PropagationFigures, tasks::Tasks, trace};

/// Figures of the inside.
#[derive(Debug)]
pub(super) struct InnerMeters {
    entries: Gauge,
    bytes: Gauge,
    hits: Counter,
    misses: Counter,
    /// By the order of [`trace::Counter::ALL`].
    spans: [Counter; trace::Counter::ALL.len()],
}

impl InnerMeters {
    pub(super) fn new(recorder: &dyn Recorder) -> Self {
        with_local_recorder(recorder, || {
            describe_gauge!("deskplane_content_cache_entries", "Compiled contents that are kept");
            describe_gauge!("deskplane_content_cache_bytes", "Bytes of the contents that are kept");
            describe_counter!(
                "deskplane_content_cache_hits_total",
                "Contents that were answered and had been compiled before"
            );
            describe_counter!(
                "deskplane_content_cache_misses_total",
                "Contents that were compiled to be answered"
            );
            describe_counter!(
                "deskplane_trace_spans_total",
                "Spans of calls, by outcome: exported, dropped because too many waited, or failed \
                 because the collector did not take them"
            );
            describe_gauge!("deskplane_tasks", "Supervised tasks and threads that run, by name");
            describe_counter!(
                "deskplane_task_panics_total",
                "Panics of supervised tasks and threads, by their name"
            );
            let span = |(_, outcome)| counter!("deskplane_trace_spans_total", "outcome" => outcome);
            Self {
                entries: gauge!("deskplane_content_cache_entries"),
                bytes: gauge!("deskplane_content_cache_bytes"),
                hits: counter!("deskplane_content_cache_hits_total"),
                misses: counter!("deskplane_content_cache_misses_total"),
                spans: trace::Counter::ALL.map(span),
            }
        })
    }

    /// Sets what is known now.
    pub(super) fn set(&self, live: &Live) {
        let content = live.hub.contents().figures();
        self.entries.set(content.entries as f64);
        self.bytes.set(content.bytes as f64);
        self.hits.absolute(content.hits);
        self.misses.absolute(content.misses);
        if let Some(counts) = live.tracer.counts() {
            let all = self.spans.iter().zip(counts.all());
            all.for_each(|(counter, (_, count))| counter.absolute(count));
        }
    }
}

/// Sets the figures of tasks.
pub(super) fn set_tasks(recorder: &dyn Recorder, tasks: &Tasks) {
    with_local_recorder(recorder, || {
        for (task, figures) in tasks.figures() {
            counter!("deskplane_task_panics_total", "task" => task).absolute(figures.panics);
            gauge!("deskplane_tasks", "task" => task).set(figures.running as f64);
        }
    });
}

/// Writes how long commits take to the streams.
pub(super) fn write_propagation(figures: &PropagationFigures, text: &mut String) {
    let name = "deskplane_propagation_seconds";
    let mut write = || {
        writeln!(
            text,
            "# HELP {name} Time from a durable commit until every stream that it concerns has it\n\
             # TYPE {name} histogram"
        )?;
        let mut count = 0;
        for (bound, of) in &figures.buckets {
            let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".to_owned() };
            writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {of}")?;
            count = *of;
        }
        writeln!(text, "{name}_sum {}", figures.seconds)?;
        writeln!(text, "{name}_count {count}")
    };
    // Writing to a text does not fail.
    let _: std::fmt::Result = write();
}
