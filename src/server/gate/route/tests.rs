use http::{Request, Version};

use super::*;

const CALL: &str = "/deskplane.v1.DirectoryService/UpsertUser";

fn services() -> Vec<String> {
    vec!["deskplane.v1.DirectoryService".to_owned(), "grpc.health.v1.Health".to_owned()]
}

/// A request by version, method, path and header fields.
fn request(version: Version, method: &str, path: &str, fields: &[(&str, &str)]) -> Request<()> {
    let request = Request::builder().version(version).method(method).uri(path);
    fields.iter().fold(request, |r, (name, value)| r.header(*name, *value)).body(()).unwrap()
}

/// Where it goes, in a word.
fn routed(request: &Request<()>) -> String {
    match of(request, &services(), 1_024, Beyond { scim: true, any_authority: false }) {
        Route::Inside => "inside".to_owned(),
        Route::Refused(refusal) => refusal.reason.as_str().to_owned(),
        Route::Plain(plain) => format!("{plain:?}"),
        Route::Probe(probe) => format!("{probe:?}"),
    }
}

const GRPC: (&str, &str) = ("content-type", "application/grpc");

#[test]
fn only_what_is_grpc_by_method_type_and_protocol_is_run() {
    for (media, expected) in [
        (Some("application/grpc"), "inside"),
        (Some("application/grpc+proto"), "inside"),
        (Some("Application/GRPC"), "inside"),
        (Some("application/grpc;charset=utf-8"), "inside"),
        (Some("application/grpc-web"), "NotGrpc"),
        (Some("application/grpc-web+proto"), "NotGrpc"),
        (Some("application/grpc-web-text"), "NotGrpc"),
        (Some("application/grpc+json"), "NotGrpc"),
        (Some("application/grpcx"), "NotGrpc"),
        (Some("text/plain"), "NotGrpc"),
        (Some("text/plain; application/grpc"), "NotGrpc"),
        (Some("text/plain, application/grpc"), "NotGrpc"),
        (Some("application/x-www-form-urlencoded"), "NotGrpc"),
        (Some("multipart/form-data; boundary=application/grpc"), "NotGrpc"),
        (Some("application/json"), "NotGrpc"),
        (Some("application/proto"), "NotGrpc"),
        (Some(""), "NotGrpc"),
        (None, "NotGrpc"),
    ] {
        let fields: Vec<_> = media.map(|media| ("content-type", media)).into_iter().collect();
        let sent = request(Version::HTTP_2, "POST", CALL, &fields);
        assert_eq!(routed(&sent), expected, "{media:?}");
    }
    let twice = [("content-type", "text/plain"), GRPC];
    assert_eq!(routed(&request(Version::HTTP_2, "POST", CALL, &twice)), "NotGrpc");
    for version in [Version::HTTP_10, Version::HTTP_11] {
        assert_eq!(routed(&request(version, "POST", CALL, &[GRPC])), "NotHttp2");
        let text = [("content-type", "text/plain")];
        assert_eq!(routed(&request(version, "POST", CALL, &text)), "NotGrpc");
    }
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "QUERY", "post"] {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            assert_eq!(routed(&request(version, method, CALL, &[GRPC])), "NotPost", "{method}");
        }
    }
}

#[test]
fn calls_of_web_pages_are_refused() {
    for field in [
        ("origin", "http://evil.example"),
        ("origin", "http://localhost:7700"),
        ("origin", "null"),
        ("origin", ""),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
    ] {
        let call = request(Version::HTTP_2, "POST", CALL, &[GRPC, field]);
        assert_eq!(routed(&call), "ORIGIN_REFUSED", "{field:?}");
        let hook = request(Version::HTTP_11, "POST", "/webhooks/con_one", &[field]);
        assert_eq!(routed(&hook), "FromPage", "{field:?}");
    }
}

#[test]
fn foreign_names_are_refused_in_every_place() {
    let url = |authority: &str| format!("http://{authority}{CALL}");
    for authority in ["evil.example", "evil.example:7700", "localhost.evil.example", "0.0.0.0"] {
        let call = request(Version::HTTP_2, "POST", &url(authority), &[GRPC]);
        assert_eq!(routed(&call), "AUTHORITY_REFUSED", "{authority}");
        let call = request(Version::HTTP_2, "POST", CALL, &[GRPC, ("host", authority)]);
        assert_eq!(routed(&call), "AUTHORITY_REFUSED", "{authority}");
        let hosts = [GRPC, ("host", "localhost"), ("host", authority)];
        assert_eq!(routed(&request(Version::HTTP_2, "POST", CALL, &hosts)), "AUTHORITY_REFUSED");
        for path in ["/", "/livez", "/readyz", "/favicon.ico", CALL] {
            let page = request(Version::HTTP_11, "GET", path, &[("host", authority)]);
            assert_eq!(routed(&page), "Misdirected", "{authority}{path}");
        }
        let hook = request(Version::HTTP_11, "POST", "/webhooks/con_one", &[("host", authority)]);
        assert_eq!(routed(&hook), "inside");
    }
}

#[test]
fn scim_is_let_in_where_it_is_served() {
    let local = [("host", "localhost:7700")];
    for (path, expected) in [
        ("/scim/v2", "inside"),
        ("/scim/v2/Users", "inside"),
        ("/scim/v2x", "NotFound"),
        ("/scim/v1/Users", "NotFound"),
    ] {
        let sent = request(Version::HTTP_11, "GET", path, &local);
        assert_eq!(routed(&sent), expected, "{path}");
    }
    let sent = request(Version::HTTP_11, "GET", "/scim/v2/Users", &local);
    assert!(matches!(
        of(&sent, &services(), 1_024, Beyond::default()),
        Route::Plain(Plain::NotFound)
    ));
    let page = [("host", "localhost"), ("origin", "http://evil.example")];
    let page = request(Version::HTTP_11, "POST", "/scim/v2/Users", &page);
    assert_eq!(routed(&page), "FromPage");
    let foreign = request(Version::HTTP_11, "GET", "/scim/v2/Users", &[("host", "evil.example")]);
    assert_eq!(routed(&foreign), "Misdirected");
}

#[test]
fn what_is_at_no_path_is_not_found() {
    for (path, expected) in [
        ("/", "Root"),
        ("/livez", "Live"),
        ("/readyz", "Ready"),
        ("/healthz", "NotFound"),
        ("/livez/", "NotFound"),
        ("/LIVEZ", "NotFound"),
        ("/metrics", "NotFound"),
        ("/favicon.ico", "NotFound"),
        ("/webhooksx/con_one", "NotFound"),
        ("/webhook/con_one", "NotFound"),
        ("//webhooks/con_one", "NotFound"),
        ("/deskplane.v1.DirectoryService", "NotFound"),
        ("/deskplane.v1.NoService/Get", "NotFound"),
        ("//deskplane.v1.DirectoryService/UpsertUser", "NotFound"),
        ("/grpc.health.v1.Health/Check", "NotPost"),
    ] {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            assert_eq!(routed(&request(version, "GET", path, &[])), expected, "{path}");
        }
    }
    for path in ["/livez", "/readyz"] {
        assert_eq!(routed(&request(Version::HTTP_11, "POST", path, &[])), "NotGet");
    }
}

#[test]
fn headers_are_counted_as_peers_count_them() {
    let long = "x".repeat(1_024);
    let call = request(Version::HTTP_2, "POST", CALL, &[GRPC, ("x-long", &long)]);
    assert_eq!(routed(&call), "HEADERS_TOO_LARGE");
    let many: Vec<_> = (0..30).map(|_| ("a", "b")).chain([GRPC]).collect();
    assert_eq!(routed(&request(Version::HTTP_2, "POST", CALL, &many)), "HEADERS_TOO_LARGE");
    assert_eq!(routed(&request(Version::HTTP_2, "POST", CALL, &many[8..])), "inside");
}

#[test]
fn only_names_of_this_machine_are_local() {
    for local in ["localhost", "LOCALHOST:7700", "127.0.0.1:7700", "127.9.9.9", "[::1]:80"] {
        assert!(is_local(local), "{local}");
    }
    for foreign in [
        "example.com",
        "localhost.example.com",
        "10.0.0.1:7700",
        "127.0.0.1.nip.io",
        "[::2]",
        "0.0.0.0",
        "",
    ] {
        assert!(!is_local(foreign), "{foreign}");
    }
}
