//! The bodies of slugs, all but the recursive one.

use super::{Body, SessionSource};

const MAX_KEY_CHARS: usize = 200;

type Parsed = Result<Body, &'static str>;

/// Parses a trimmed body that is no query.
pub(super) fn parse(body: &str) -> Parsed {
    if body.is_empty() {
        return Err("the slug is empty");
    }
    if let Some(rest) = strip_prefix(body, "anchor.") {
        return anchor(rest);
    }
    if let Some((source, key)) = session(body) {
        return session_key(source, key);
    }
    if body.eq_ignore_ascii_case("ReconnectUrl{ReconnectID}") {
        return Ok(Body::Reconnect);
    }
    key(body)
}

fn anchor(rest: &str) -> Parsed {
    let (attribute, annotation) = match rest.split_once('@') {
        Some((attribute, annotation)) => (attribute, Some(annotation)),
        None => (rest, None),
    };
    if !is_path(attribute) || !annotation.is_none_or(is_path) {
        return Err("an anchor slug reads `anchor.attribute` or `anchor.attribute@annotation`");
    }
    let annotation = annotation.map(str::to_owned);
    Ok(Body::Anchor { attribute: attribute.to_owned(), annotation })
}

fn session(body: &str) -> Option<(SessionSource, &str)> {
    let sources = [
        ("Session.CurrentTab.", SessionSource::CurrentTab),
        ("Session.AnchorTab.", SessionSource::AnchorTab),
        ("$session.", SessionSource::Session),
        ("$oc.", SessionSource::Omnichannel),
    ];
    let mut found = sources.into_iter();
    found.find_map(|(prefix, source)| strip_prefix(body, prefix).map(|key| (source, key)))
}

fn session_key(source: SessionSource, key: &str) -> Parsed {
    let tab = matches!(source, SessionSource::CurrentTab | SessionSource::AnchorTab);
    let tab_key = ["EntityName", "EntityId"].iter().any(|known| known.eq_ignore_ascii_case(key));
    if tab && !tab_key {
        return Err("a tab has `EntityName` and `EntityId` only");
    }
    if !is_path(key) {
        return Err("a session slug reads `$session.key` or `$oc.key`");
    }
    Ok(Body::Session { source, key: key.to_owned() })
}

fn key(body: &str) -> Parsed {
    if body.starts_with('$') {
        return Err("a key does not begin with `$`");
    }
    if body.contains(['{', '}']) {
        return Err("a key holds no braces");
    }
    if body.chars().count() > MAX_KEY_CHARS {
        return Err("a key has at most 200 characters");
    }
    Ok(Body::Key(body.to_owned()))
}

/// Whether a text is an entity or attribute name of a query.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a text is an attribute path or annotation; the data model defines their alphabet.
fn is_path(text: &str) -> bool {
    let stray = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '{' | '}' | '@');
    !text.is_empty() && !text.contains(stray)
}

pub(super) fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::super::{Dialect, Segment, parse, parse_lenient};
    use super::{Body, SessionSource};

    fn body(text: &str, dialect: Dialect) -> Body {
        match &parse(text, dialect).unwrap()[..] {
            [Segment::Slug { raw, offset_chars: 0, body }] if raw == text => body.clone(),
            other => panic!("{text}: {other:?}"),
        }
    }

    fn anchor(attribute: &str, annotation: Option<&str>) -> Body {
        let annotation = annotation.map(str::to_owned);
        Body::Anchor { attribute: attribute.to_owned(), annotation }
    }

    fn session(source: SessionSource, key: &str) -> Body {
        Body::Session { source, key: key.to_owned() }
    }

    #[test]
    fn bodies_are_recognised() {
        let annotated = "OData.Community.Display.V1.FormattedValue";
        for (text, expected) in [
            ("{customerName}".to_owned(), Body::Key("customerName".to_owned())),
            ("{ How can we help? }".to_owned(), Body::Key("How can we help?".to_owned())),
            ("{anchor}".to_owned(), Body::Key("anchor".to_owned())),
            ("{Anchor.title}".to_owned(), anchor("title", None)),
            (format!("{{anchor._c_value@{annotated}}}"), anchor("_c_value", Some(annotated))),
            ("{ReconnectUrl{ReconnectID}}".to_owned(), Body::Reconnect),
        ] {
            assert_eq!(body(&text, Dialect::Template), expected, "{text}");
        }
    }

    #[test]
    fn session_bodies_belong_to_macros() {
        for (text, expected) in [
            ("${Session.CurrentTab.EntityName}", session(SessionSource::CurrentTab, "EntityName")),
            ("${session.anchortab.entityid}", session(SessionSource::AnchorTab, "entityid")),
            ("${$session.case}", session(SessionSource::Session, "case")),
            ("${$oc.customerName}", session(SessionSource::Omnichannel, "customerName")),
        ] {
            assert_eq!(body(text, Dialect::Macro), expected, "{text}");
            assert!(parse(text, Dialect::Script).is_err(), "{text}");
            assert!(parse(&text[1..], Dialect::Template).is_err(), "{text}");
            assert_eq!(parse_lenient(&text[1..], Dialect::Template).len(), 1);
        }
    }

    #[test]
    fn odata_options_hold_slugs() {
        let text = "{ $Odata.incident.title.?$filter=id eq '{anchor.id}'&$top=1 }";
        let Body::OData { entity, attribute, options: Some(options) } =
            body(text, Dialect::Template)
        else {
            panic!("{text}")
        };
        assert_eq!((entity.as_str(), attribute.as_str()), ("incident", "title"));
        let offset_chars = text.find("{anchor").unwrap();
        let inner =
            Segment::Slug { raw: "{anchor.id}".to_owned(), offset_chars, body: anchor("id", None) };
        assert_eq!(options.len(), 3);
        assert_eq!(options[1], inner);
        let Body::OData { options, .. } = body("{$odata.account.name}", Dialect::Template) else {
            panic!("not OData")
        };
        assert_eq!(options, None);
    }

    #[test]
    fn malformed_slugs_are_placed() {
        let long = format!("{{{}}}", "k".repeat(201));
        for (text, offset) in [
            ("ä{}", 1),
            ("{  }", 0),
            ("a {b", 2),
            ("{$foo}", 0),
            ("{a{b}c}", 0),
            ("{anchor.}", 0),
            ("{anchor.a@}", 0),
            ("{anchor.a b}", 0),
            ("{$odata.a}", 0),
            ("{$odata.a.}", 0),
            ("{$odata.a.b.c}", 0),
            ("{$odata.a.b.?}", 0),
            ("é{$odata.a.b.?ü{} }", 15),
            ("{x}{$session.a}", 3),
            (long.as_str(), 0),
        ] {
            let error = parse(text, Dialect::Template).unwrap_err();
            assert_eq!(error.offset_chars, offset, "{text}: {error}");
        }
        assert!(parse("${Session.CurrentTab.Title}", Dialect::Macro).is_err());
        assert!(parse(&format!("{{{}}}", "k".repeat(200)), Dialect::Template).is_ok());
    }
}
