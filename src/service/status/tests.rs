//! Every refusal fits into headers, with what its reason is about.

use super::*;
use crate::{
    domain::{Reason, Violations, refusal::Violation},
    trace::{Kind, Spans, Value},
};

/// Half a KiB below what clients take.
const LIMIT: usize = 7_680;

/// Texts that grow on their way, and those that do not.
fn texts(length: usize) -> [String; 6] {
    ["\u{1f600}", "\u{fc}", "\0", "%", " ", "x"].map(|text| text.repeat(length))
}

/// A refusal that says as much as it can.
fn verbose(reason: Reason, text: &str) -> Refusal {
    let mut refusal = Refusal::new(reason, text).resource(text, text, text);
    for at in 0..1_000 {
        refusal = refusal.with(&format!("{at}{text}"), text).precondition(text, text, text);
        let (field, description) = (format!("rows[{at}].{text}"), text.to_owned());
        refusal.violations.push(Violation { field, reason, description });
    }
    refusal
}

/// Bytes as a peer counts them, by other means than the code.
fn counted(status: &Status) -> usize {
    let answer = status.clone().into_http::<()>();
    let date = http::HeaderValue::from_static("Sat, 28 Nov 2026 12:00:00 GMT");
    let entries = answer.headers().iter().map(|(name, value)| (name.as_str(), value.len()));
    entries.chain([("date", date.len()), (":status", 3)]).map(|(n, v)| n.len() + v + 32).sum()
}

#[test]
fn the_most_verbose_refusal_of_every_reason_fits() {
    for reason in Reason::ALL {
        for text in texts(1_500) {
            let status = status(&verbose(*reason, &text));
            let size = counted(&status);
            assert!(size <= LIMIT, "{reason:?}: {size} bytes");
            assert_eq!(status.code(), code(&Refusal::new(*reason, "")), "{reason:?}");
            let details = status.get_error_details();
            let info = details.error_info().unwrap();
            assert_eq!(
                (info.reason.as_str(), info.domain.as_str()),
                (reason.as_str(), "deskplane")
            );
            assert!(info.metadata["omitted"].parse::<usize>().unwrap() > 2_900);
            assert!(details.bad_request().is_some(), "the first violation is left out");
            let retry = Refusal::new(*reason, "").retry_after_ms.is_some();
            assert_eq!(details.retry_info().is_some(), retry, "{reason:?}");
        }
    }
}

#[test]
fn what_the_reason_is_about_is_never_left_out() {
    for text in texts(2_000) {
        let about = |refusal: Refusal| status(&refusal.resource("User", &text, &text));
        let mut refusal = Refusal::new(Reason::ObjectInUse, text.as_str());
        for at in 0..200 {
            let text = text.as_str();
            refusal = refusal.precondition("OBJECT_IN_USE", text, text).with(&at.to_string(), text);
        }
        let status = about(refusal.clone());
        let details = status.get_error_details();
        assert_eq!(details.precondition_failure().unwrap().violations[0].r#type, "OBJECT_IN_USE");
        assert_eq!(details.resource_info().unwrap().resource_type, "User");
        refusal.preconditions.clear();
        let details = about(refusal.violation("field", text.as_str())).get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "field");
        assert_eq!(details.resource_info().unwrap().resource_type, "User");
    }
}

#[test]
fn as_many_details_as_fit_are_there() {
    let mut v = Violations::new();
    for at in 0..1_000 {
        v.invalid(format!("rows[{at}].user.roles"), "names no role that exists");
    }
    let refusal = v.finish().unwrap_err();
    let status = status(&refusal);
    let shown = status.get_error_details().bad_request().unwrap().field_violations.len();
    let omitted = status.get_error_details().error_info().unwrap().metadata["omitted"].clone();
    assert_eq!(omitted, (1_000 - shown).to_string());
    let size = counted(&status);
    assert!((LIMIT - 100..=LIMIT).contains(&size), "{size} bytes with {shown} violations");
}

#[test]
fn a_hundred_direct_users_are_named() {
    const MESSAGE: &str = "Profile contoso_rep is in use (100 direct users); set force to delete \
        it with its links, mappings and flag.";
    let mut refusal = Refusal::new(Reason::ProfileInUse, MESSAGE)
        .resource("Profile", "contoso_rep", "in use")
        .with("direct_users", 100);
    for at in 0..100 {
        let user = format!("first.lastname{at:03}");
        refusal = refusal.precondition("DIRECT_USER", user, "contoso_rep");
    }
    let details = status(&refusal).get_error_details();
    assert_eq!(details.precondition_failure().unwrap().violations.len(), 100);
    assert!(!details.error_info().unwrap().metadata.contains_key("omitted"));
}

#[test]
fn a_refusal_that_fits_is_whole() {
    let refusal = Refusal::new(Reason::ProfileNotFound, "Profile abc_x does not exist.")
        .resource("Profile", "abc_x", "does not exist")
        .with("key", "value");
    let status = status(&refusal);
    assert_eq!(status.message(), refusal.message);
    let details = status.get_error_details();
    assert_eq!(details.resource_info().unwrap().resource_name, "abc_x");
    assert_eq!(details.error_info().unwrap().metadata, [("key".into(), "value".into())].into());
}

#[test]
fn texts_are_cut_between_characters_and_keep_their_limit() {
    let cut = |text: &str, max| block::cut(text, max, block::percent_encoded);
    assert_eq!(cut("short", 20), "short");
    assert_eq!(cut("exactly-twenty-chars", 20), "exactly-twenty-chars");
    assert_eq!(cut("exactly-twenty-one-ch", 20), "exactly-twe\u{2026}");
    assert_eq!(cut("\u{1f600}\u{1f600}\u{1f600}", 30), "\u{1f600}\u{2026}");
    assert_eq!(cut("100 %", 4), "\u{2026}");
    assert_eq!(block::cut("\u{fc}\u{fc}\u{fc}", 5, char::len_utf8), "\u{fc}\u{2026}");
}

#[test]
fn characters_count_as_the_transport_encodes_them() {
    for c in (0..=0x17f).filter_map(char::from_u32).chain(['\u{2026}', '\u{202e}', '\u{1f600}']) {
        let answer = Status::new(Code::Internal, c).into_http::<()>();
        let encoded = answer.headers()[Status::GRPC_MESSAGE].len();
        assert_eq!(block::percent_encoded(c), encoded, "{c:?}");
    }
}

#[test]
fn a_call_that_is_refused_in_front_of_the_services_has_a_span() {
    let method = "/deskplane.v1.AgentService/ResolveProfile";
    for (path, name) in [(method, &method[1..]), ("/deskplane.v1.Nobody/%3Cscript%3E", "refused")] {
        let (tracer, mut spans): (_, Spans) = Tracer::exporting(1.0);
        let request = http::Request::builder().uri(path).body(()).unwrap();
        let refusal = Refusal::new(Reason::ServerBusy, "Busy.");
        let answer = refused_call(&refusal, &request, &tracer);
        let span = spans.finished.try_recv().unwrap();
        assert_eq!((span.name.as_str(), span.kind), (name, Kind::Server));
        let of = |key| span.attributes.iter().find(|(name, _)| *name == key).map(|(_, of)| of);
        let number = code(&refusal) as i64;
        assert_eq!(of("rpc.grpc.status_code"), Some(&Value::from(number)));
        let id = answer.headers()[REQUEST_ID].to_str().unwrap();
        assert_eq!(of("deskplane.request_id"), Some(&Value::from(id.to_owned())));
        assert_eq!(of("rpc.method").is_some(), path == method);
        // Not sampled, it has none.
        let (tracer, mut spans): (_, Spans) = Tracer::exporting(0.0);
        refused_call(&refusal, &request, &tracer);
        assert!(spans.finished.try_recv().is_err());
    }
}
