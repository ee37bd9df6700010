//! What errors of a plug-in mean, and what is done about them.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::*;
use crate::layers::Protected;

fn status(code: Code, reason: &str) -> Status {
    let mut details = ErrorDetails::new();
    if !reason.is_empty() {
        let metadata = [("vendor_code".to_owned(), "E17".to_owned())];
        details.set_error_info(reason, "deskplane.provider", metadata);
        details.set_retry_info(Some(Duration::from_secs(3)));
    }
    Status::with_error_details(code, "the vendor's words", details)
}

#[tokio::test]
async fn each_code_says_whether_something_was_carried_out() {
    let cases = [
        (Code::InvalidArgument, "", ErrorKind::InvalidArgument, Effect::None),
        (Code::Unauthenticated, "", ErrorKind::Unauthenticated, Effect::None),
        (Code::PermissionDenied, "", ErrorKind::PermissionDenied, Effect::None),
        (Code::PermissionDenied, "CREDENTIALS", ErrorKind::Unauthenticated, Effect::None),
        (Code::NotFound, "", ErrorKind::NotFound, Effect::None),
        (Code::FailedPrecondition, "", ErrorKind::Conflict, Effect::None),
        (Code::FailedPrecondition, "REFUSED", ErrorKind::Refused, Effect::None),
        (Code::FailedPrecondition, "INVALID_CONFIG", ErrorKind::InvalidConfig, Effect::None),
        (Code::Unimplemented, "", ErrorKind::Unsupported, Effect::None),
        (Code::ResourceExhausted, "RATE_LIMITED", ErrorKind::RateLimited, Effect::None),
        (Code::ResourceExhausted, "", ErrorKind::Protocol, Effect::Unknown),
        (Code::Unavailable, "VENDOR_UNAVAILABLE", ErrorKind::Unavailable, Effect::None),
        (Code::Unavailable, "", ErrorKind::Unavailable, Effect::Unknown),
        (Code::Aborted, "", ErrorKind::OutcomeUnknown, Effect::Unknown),
        (Code::DeadlineExceeded, "", ErrorKind::Timeout, Effect::Unknown),
        (Code::Cancelled, "", ErrorKind::Timeout, Effect::Unknown),
        (Code::Unknown, "", ErrorKind::Protocol, Effect::Unknown),
        (Code::Internal, "", ErrorKind::Protocol, Effect::Unknown),
        (Code::DataLoss, "", ErrorKind::Protocol, Effect::Unknown),
        (Code::AlreadyExists, "", ErrorKind::Protocol, Effect::Unknown),
        (Code::OutOfRange, "", ErrorKind::Protocol, Effect::Unknown),
    ];
    let plugin = Running::start("").await;
    let external = provider(&config(&plugin.endpoint));
    for (code, reason, kind, effect) in cases {
        plugin.script("StartCall", Act::Status(status(code, reason)));
        let error = external.start_call(&second(), start()).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (kind, effect), "{code:?} {reason}");
        assert_eq!(error.message(), "the vendor's words");
        let detailed = !reason.is_empty();
        assert_eq!(error.vendor_code(), detailed.then_some("E17"));
        assert_eq!(error.retry_after(), detailed.then_some(Duration::from_secs(3)));
    }
}

#[tokio::test]
async fn a_reason_of_another_domain_makes_nothing_certain() {
    let plugin = Running::start("").await;
    let external = provider(&config(&plugin.endpoint));
    let details = ErrorDetails::with_error_info("VENDOR_UNAVAILABLE", "example.com", []);
    let foreign = Status::with_error_details(Code::Unavailable, "", details);
    plugin.script("StartCall", Act::Status(foreign));
    let error = external.start_call(&second(), start()).await.unwrap_err();
    assert_eq!(error.effect(), Effect::Unknown);
    assert!(!error.message().is_empty());
}

#[tokio::test]
async fn a_start_is_repeated_and_a_transfer_is_not() {
    let plugin = Running::start("").await;
    let external = provider(&config(&plugin.endpoint));
    let protected = Protected::new(external, "example", Secrets::default());
    for method in ["StartCall", "Transfer"] {
        plugin.script(method, Act::Status(Status::unavailable("the connection broke")));
    }
    let error = protected.start_call(&second(), start()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(plugin.asked("StartCall"), 4, "the plug-in knows the call by our id");
    let transfer = Transfer { to: "+14155550102".parse().unwrap(), blind: true };
    let error = protected.transfer(&second(), &call(), transfer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(plugin.asked("Transfer"), 1);
}

#[tokio::test]
async fn the_deadline_is_kept() {
    let plugin = Running::start("").await;
    plugin.script("StartCall", Act::Hang);
    let external = provider(&config(&plugin.endpoint));
    let soon = Context::within(Duration::from_millis(200));
    let error = external.start_call(&soon, start()).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Timeout, Effect::Unknown));

    let past = Context::within(Duration::ZERO);
    let error = external.start_call(&past, start()).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Timeout, Effect::None));
    assert_eq!(plugin.asked("StartCall"), 1);

    let text = config(&plugin.endpoint).replace('{', r#"{"deadline_ms": 150, "#);
    let external = provider(&text);
    let error = external.start_call(&second(), start()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);

    plugin.script("Info", Act::Hang);
    let external = provider(&config(&plugin.endpoint));
    let soon = Context::within(Duration::from_millis(200));
    let error = external.start_call(&soon, start()).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Timeout, Effect::None));
}

#[tokio::test]
async fn a_webhook_that_cannot_be_judged_is_refused() {
    let plugin = Running::start("").await;
    let external = provider(&config(&plugin.endpoint));
    let (headers, body) = (http::HeaderMap::new(), bytes::Bytes::from_static(b"{}"));
    let webhook = Webhook { method: "POST", url: "https://a/b", headers: &headers, body: &body };
    let cases = [
        (Status::unimplemented(""), WebhookRefused::NotOffered),
        (Status::unavailable(""), WebhookRefused::Unavailable),
        (Status::unknown(""), WebhookRefused::Unavailable),
    ];
    for (status, refused) in cases {
        plugin.script("VerifyAndParseWebhook", Act::Status(status));
        assert_eq!(external.receive(&webhook).await, Err(refused));
    }
    plugin.script("VerifyAndParseWebhook", Act::Raw(Vec::new()));
    assert_eq!(external.receive(&webhook).await, Err(WebhookRefused::BadSignature), "no verdict");
}
