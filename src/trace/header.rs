//! The headers `traceparent` and `tracestate` (W3C Trace Context, level 1).

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Header that names the trace and the span that a request is part of.
pub const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
/// Header with what tracing systems add, which is handed on as it is.
pub const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// Length of the value in version 00.
const LENGTH: usize = 55;
/// Longest `tracestate` that is handed on, in all its lines.
const LONGEST_STATE: usize = 512;
/// The bit of the flags that says that the caller records the trace.
const SAMPLED: u8 = 1;

/// A trace, and the span in it that requests to other servers are children of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// Id of the trace; never 0.
    pub trace_id: u128,
    /// Id of the span; never 0.
    pub span_id: u64,
    /// Flags as the caller sent them.
    pub flags: u8,
    /// What tracing systems added.
    pub state: Option<HeaderValue>,
}

impl TraceContext {
    /// The context that a caller sent, if it is well-formed. A malformed one is ignored, as the
    /// standard asks.
    pub fn sent(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACE_PARENT).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        let (trace_id, span_id, flags) = parse(value.to_str().ok()?)?;
        Some(Self { trace_id, span_id, flags, state: state(headers) })
    }

    /// The context of a new trace.
    pub(super) fn root() -> Self {
        Self { trace_id: random_trace(), span_id: random_span(), flags: SAMPLED, state: None }
    }

    /// The same trace at another span.
    pub(super) fn child(&self) -> Self {
        Self { span_id: random_span(), ..self.clone() }
    }

    /// Whether the caller records the trace.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Names this context in the headers of a request to another server.
    pub fn inject(&self, headers: &mut HeaderMap) {
        // Digits and hyphens are a header.
        if let Ok(value) = HeaderValue::try_from(self.to_string()) {
            headers.insert(TRACE_PARENT, value);
            if let Some(state) = &self.state {
                headers.insert(TRACE_STATE, state.clone());
            }
        }
    }
}

impl fmt::Display for TraceContext {
    /// The value of `traceparent`, in version 00.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace_id, span_id, flags, .. } = self;
        write!(f, "00-{trace_id:032x}-{span_id:016x}-{:02x}", flags & SAMPLED)
    }
}

/// Trace, span and flags. Of a later version what stands in front is read like version 00.
fn parse(text: &str) -> Option<(u128, u64, u8)> {
    let fields = text.get(..LENGTH)?;
    let rest = &text[LENGTH..];
    let mut parts = fields.split('-');
    let mut part = |length: usize| parts.next().filter(|part| is_hex(part, length));
    let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let known = match version {
        "ff" => false,
        "00" => rest.is_empty(),
        _ => rest.is_empty() || rest.starts_with('-'),
    };
    let trace = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0);
    let span = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0);
    Some((trace.filter(|_| known)?, span?, u8::from_str_radix(flags, 16).ok()?))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

/// The `tracestate` of a request: its lines put together, if they are not too long.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = headers.get_all(TRACE_STATE).iter();
    let first = lines.next()?;
    let mut all = first.as_bytes().to_vec();
    for line in lines {
        all.push(b',');
        all.extend_from_slice(line.as_bytes());
        if all.len() > LONGEST_STATE {
            return None;
        }
    }
    let fits = !all.is_empty() && all.len() <= LONGEST_STATE && all.is_ascii();
    HeaderValue::from_bytes(&all).ok().filter(|_| fits)
}

fn random_trace() -> u128 {
    fastrand::u128(1..)
}

fn random_span() -> u64 {
    fastrand::u64(1..)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn sent(lines: &[(HeaderName, &str)]) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value.parse().unwrap());
        }
        TraceContext::sent(&headers)
    }

    #[test]
    fn the_example_of_the_standard_is_read_and_written() {
        let context = sent(&[(TRACE_PARENT, EXAMPLE)]).unwrap();
        assert_eq!(context.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(context.span_id, 0xb7ad_6b71_6920_3331);
        assert!(context.is_sampled());
        assert_eq!(context.to_string(), EXAMPLE);
        assert_eq!(context.state, None);
    }

    #[test]
    fn what_is_malformed_is_ignored() {
        let zeros = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let no_span = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
        let upper = EXAMPLE.to_uppercase();
        let later = EXAMPLE.replacen("00", "ff", 1);
        let longer = format!("{EXAMPLE}-00");
        for value in ["", "00", zeros, no_span, &upper, &later, &longer, &EXAMPLE[..54], "00-é"] {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            let headers = HeaderMap::from_iter([(TRACE_PARENT, value.clone())]);
            assert_eq!(TraceContext::sent(&headers), None, "{value:?}");
        }
        assert_eq!(sent(&[(TRACE_PARENT, EXAMPLE), (TRACE_PARENT, EXAMPLE)]), None, "sent twice");
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = format!("{}-what-follows", EXAMPLE.replacen("00", "01", 1));
        let context = sent(&[(TRACE_PARENT, &later)]).unwrap();
        assert_eq!(context.to_string(), EXAMPLE);
    }

    #[test]
    fn the_state_goes_with_it_unless_it_is_too_long() {
        let parent = (TRACE_PARENT, EXAMPLE);
        let state = |lines: &[&str]| {
            let lines: Vec<_> = lines.iter().map(|line| (TRACE_STATE, *line)).collect();
            let context = sent(&[std::slice::from_ref(&parent), &lines[..]].concat()).unwrap();
            let mut headers = HeaderMap::new();
            context.inject(&mut headers);
            assert_eq!(headers[TRACE_PARENT], EXAMPLE);
            headers.get(TRACE_STATE).map(|state| state.to_str().unwrap().to_owned())
        };
        assert_eq!(state(&["a=1", "b=2"]).as_deref(), Some("a=1,b=2"));
        assert_eq!(state(&[&"x".repeat(512)]).map(|state| state.len()), Some(512));
        assert_eq!(state(&[&"x".repeat(513)]), None);
        assert_eq!(state(&["a=1", &"x".repeat(510)]), None);
    }
}
