//! Spans as the messages of OTLP.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource as ResourceMessage,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::SpanKind, status::StatusCode},
};

use crate::trace::{Finished, Kind, Value};

/// Bit of the flags that says whether it is known where the parent is, and the bit that says it.
const PARENT_KNOWN: u32 = 0x100;
const PARENT_REMOTE: u32 = 0x200;

/// What all spans of this process have in common.
pub(super) struct Resource(ResourceMessage);

impl Resource {
    pub(super) fn of(service_name: &str) -> Self {
        let attributes = vec![
            attribute("service.name", &Value::from(service_name.to_owned())),
            attribute("service.version", &Value::from(env!("CARGO_PKG_VERSION"))),
            attribute("service.instance.id", &Value::from(uuid::Uuid::new_v4().to_string())),
        ];
        Self(ResourceMessage { attributes, ..Default::default() })
    }

    /// The request that exports spans.
    pub(super) fn request(&self, spans: &[Finished]) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope { name: "deskplane".to_owned(), ..Default::default() };
        let spans = spans.iter().map(span).collect();
        let of_scope = ScopeSpans { scope: Some(scope), spans, ..Default::default() };
        let of_resource = ResourceSpans {
            resource: Some(self.0.clone()),
            scope_spans: vec![of_scope],
            ..Default::default()
        };
        ExportTraceServiceRequest { resource_spans: vec![of_resource] }
    }
}

fn span(finished: &Finished) -> Span {
    let since = finished.start.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let remote = finished.kind == Kind::Server && finished.parent.is_some();
    let failed =
        finished.failed.then(|| Status { code: StatusCode::Error.into(), ..Default::default() });
    Span {
        trace_id: finished.trace_id.to_be_bytes().into(),
        span_id: finished.span_id.to_be_bytes().into(),
        trace_state: finished.state.clone(),
        parent_span_id: finished.parent.map(|id| id.to_be_bytes().into()).unwrap_or_default(),
        flags: 1 | PARENT_KNOWN | if remote { PARENT_REMOTE } else { 0 },
        name: finished.name.clone(),
        kind: match finished.kind {
            Kind::Internal => SpanKind::Internal,
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
        }
        .into(),
        start_time_unix_nano: nanos(since),
        end_time_unix_nano: nanos(since + finished.duration),
        attributes: finished.attributes.iter().map(|(name, v)| attribute(name, v)).collect(),
        status: failed,
        ..Default::default()
    }
}

fn attribute(key: &str, value: &Value) -> KeyValue {
    let value = match value {
        Value::Text(text) => any_value::Value::StringValue(text.clone().into_owned()),
        Value::Number(number) => any_value::Value::IntValue(*number),
    };
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}
