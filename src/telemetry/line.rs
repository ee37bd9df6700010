//! Lines of the log: those that are written for a request end with its id, and with that of its trace.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Writer},
    },
    registry::LookupSpan,
};

use crate::trace;

/// The usual form, and the current request behind it.
#[derive(Debug)]
pub(super) struct Line(Format);

impl Line {
    pub(super) fn new(colour: bool) -> Self {
        Self(Format::default().with_ansi(colour))
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        cx: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.0.format_event(cx, Writer::new(&mut text), event)?;
        line.write_str(text.trim_end_matches('\n'))?;
        trace::with_current(|request| {
            let Some(request) = request else { return Ok(()) };
            write!(line, " x_request_id={}", request.id())?;
            match request.context() {
                Some(trace) => write!(line, " trace_id={:032x}", trace.trace_id),
                None => Ok(()),
            }
        })?;
        writeln!(line)
    }
}
