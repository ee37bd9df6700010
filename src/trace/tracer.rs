//! Which requests have spans, and where those go.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    counts::Counts,
    finished::{Finished, Kind},
    header::TraceContext,
    queue::{self, Queue, Spans},
    span::Span,
};

/// Spans that wait for the exporter at most; some hundred bytes each.
const QUEUE: usize = 4_096;

/// Makes spans, if there is an exporter. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Arc<Exporting>>);

#[derive(Debug)]
struct Exporting {
    queue: Queue,
    /// Share of the requests without a caller's decision that are sampled.
    ratio: f64,
}

impl Tracer {
    /// A tracer, and the end of the exporter. Of requests whose caller sent no trace, this share is
    /// sampled; of the others the caller decides.
    pub fn exporting(ratio: f64) -> (Self, Spans) {
        let (queue, spans) = queue::bounded(QUEUE);
        (Self(Some(Arc::new(Exporting { queue, ratio }))), spans)
    }

    /// What became of spans; none without an exporter.
    pub fn counts(&self) -> Option<&Counts> {
        self.0.as_ref().map(|exporting| exporting.queue.counts.as_ref())
    }

    /// Whether a request is sampled.
    pub(super) fn samples(&self, parent: Option<&TraceContext>) -> bool {
        let Some(exporting) = &self.0 else { return false };
        match parent {
            Some(parent) => parent.is_sampled(),
            None => exporting.ratio > 0.0 && fastrand::f64() < exporting.ratio,
        }
    }

    /// Begins a span.
    pub(super) fn span(
        &self,
        context: &TraceContext,
        parent: Option<u64>,
        kind: Kind,
        name: String,
    ) -> Option<Span> {
        let exporting = self.0.as_ref()?;
        let state = context.state.as_ref().and_then(|state| state.to_str().ok());
        let finished = Finished {
            trace_id: context.trace_id,
            span_id: context.span_id,
            parent,
            state: state.unwrap_or_default().to_owned(),
            name,
            kind,
            start: SystemTime::now(),
            duration: Duration::ZERO,
            attributes: Vec::with_capacity(8),
            failed: false,
        };
        Some(Span::new(finished, exporting.queue.clone()))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::trace::Correlation;

    fn begin(tracer: &Tracer, traceparent: Option<&str>) -> (Correlation, Option<Span>) {
        let mut headers = HeaderMap::new();
        if let Some(value) = traceparent {
            headers.insert(crate::trace::TRACE_PARENT, value.parse().unwrap());
        }
        Correlation::begin(&headers, tracer, || "a call".to_owned())
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted() {
        let (tracer, spans) = Tracer::exporting(1.0);
        for _ in 0..QUEUE + 7 {
            drop(begin(&tracer, None));
        }
        let counts = tracer.counts().unwrap();
        assert_eq!(counts.all(), [("exported", 0), ("dropped", 7), ("failed", 0)]);
        assert_eq!(spans.finished.len(), QUEUE);
        drop(spans);
        drop(begin(&tracer, None));
        assert_eq!(counts.all()[1], ("dropped", 8), "the exporter is gone");
    }

    #[test]
    fn the_caller_decides_and_else_the_ratio() {
        let parent = |flags: &str| format!("00-{:032x}-{:016x}-{flags}", 7, 9);
        for (ratio, sent, sampled) in [
            (0.0, None, false),
            (1.0, None, true),
            (0.0, Some(parent("01")), true),
            (1.0, Some(parent("00")), false),
            (1.0, Some("nonsense".to_owned()), true),
        ] {
            let (tracer, mut spans) = Tracer::exporting(ratio);
            let (request, span) = begin(&tracer, sent.as_deref());
            assert_eq!(span.is_some(), sampled, "{ratio} {sent:?}");
            let mut headers = HeaderMap::new();
            let child = request.child(Kind::Client, Some(&mut headers), || "a vendor".to_owned());
            assert_eq!(child.is_some(), sampled);
            drop((child, span));
            let named =
                headers.get(crate::trace::TRACE_PARENT).map(|value| value.to_str().unwrap());
            match (sampled, &sent) {
                (true, _) => {
                    let (child, own) =
                        (spans.finished.try_recv().unwrap(), spans.finished.try_recv().unwrap());
                    assert_eq!((child.parent, child.trace_id), (Some(own.span_id), own.trace_id));
                    let expected = format!("00-{:032x}-{:016x}-01", own.trace_id, child.span_id);
                    assert_eq!(named, Some(expected.as_str()));
                }
                (false, sent) => assert_eq!(named, sent.as_deref(), "it goes on as it came"),
            }
        }
    }

    #[test]
    fn without_an_exporter_there_are_no_spans() {
        let (request, span) = begin(&Tracer::default(), None);
        assert!(span.is_none() && request.context().is_none());
    }
}
