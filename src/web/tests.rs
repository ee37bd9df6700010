use http::StatusCode;
use tower::{ServiceExt as _, service_fn};

use super::*;

const PAGE: &str = "https://desk.example.com";

/// What stands behind: it says whether a request was translated, and of an allowed page.
async fn behind(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let translated = request.extensions().get::<Translated>().copied();
    let seen = match translated {
        None => "as sent",
        Some(Translated { allowed_page: true }) => "of a page",
        Some(Translated { allowed_page: false }) => "of a program",
    };
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert("x-seen", HeaderValue::from_static(seen));
    Ok(response)
}

async fn ask(method: Method, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::builder().method(method).uri("/a.B/C");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let web = WebLayer::new([PAGE.parse().unwrap()]).layer(service_fn(behind));
    web.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn calls_of_listed_pages_are_translated_and_readable() {
    for (media_type, origin, seen, readable) in [
        ("application/grpc-web", PAGE, "of a page", PAGE),
        ("application/grpc-web+proto", PAGE, "of a page", PAGE),
        ("application/grpc-web-text", PAGE, "of a page", PAGE),
        ("application/grpc-web-text+proto", PAGE, "of a page", PAGE),
        ("application/grpc-web+proto", "https://evil.example", "of a program", ""),
        ("application/grpc-web+proto", "null", "of a program", ""),
        ("application/grpc+proto", PAGE, "as sent", ""),
        ("application/json", PAGE, "as sent", ""),
    ] {
        let headers = [("content-type", media_type), ("origin", origin)];
        let answer = ask(Method::POST, &headers).await;
        assert_eq!(header(&answer, "x-seen"), seen, "{headers:?}");
        assert_eq!(header(&answer, "access-control-allow-origin"), readable, "{headers:?}");
        if seen == "of a page" {
            let exposed = header(&answer, "access-control-expose-headers");
            assert!(exposed.contains("grpc-status-details-bin"), "{exposed}");
        }
    }
    let program = ask(Method::POST, &[("content-type", "application/grpc-web")]).await;
    assert_eq!(header(&program, "x-seen"), "of a program");
    let twice = [("content-type", "application/grpc-web"), ("origin", PAGE), ("origin", PAGE)];
    assert_eq!(header(&ask(Method::POST, &twice).await, "x-seen"), "of a program");
}

#[tokio::test]
async fn only_listed_pages_get_a_preflight_answered() {
    let asked = ("access-control-request-method", "POST");
    let wanted = ("access-control-request-headers", "content-type,x-grpc-web,grpc-timeout");
    let answer = ask(Method::OPTIONS, &[("origin", PAGE), asked, wanted]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(header(&answer, "access-control-allow-origin"), PAGE);
    assert_eq!(header(&answer, "access-control-allow-methods"), "POST");
    assert_eq!(header(&answer, "access-control-allow-headers"), wanted.1);
    assert_eq!(header(&answer, "access-control-max-age"), "7200");
    assert_eq!(header(&answer, "access-control-allow-credentials"), "");
    for headers in [&[("origin", "https://evil.example"), asked][..], &[asked], &[("origin", PAGE)]]
    {
        let answer = ask(Method::OPTIONS, headers).await;
        assert_eq!(header(&answer, "x-seen"), "as sent", "{headers:?}");
        assert_eq!(header(&answer, "access-control-allow-origin"), "", "{headers:?}");
    }
}
