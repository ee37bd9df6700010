//! Write-time checks of texts by the place they are rendered into.
//!
//! A title or text takes any slug. What a place cannot use when it is rendered is reported there, never refused here.

use std::fmt;
use std::net::Ipv6Addr;
use std::ops::Range;

use super::slug::{self, Dialect, Lint, Segment, SyntaxError};

const SCHEME: &str = "https://";

/// Why a text is refused for its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// A slug is malformed, or stands where none may.
    Slug(SyntaxError),
    /// The text itself is not what the place needs.
    Invalid(String),
}

/// Checks a text in which slugs are welcome anywhere: titles, notification values, ordinary parameters.
pub fn check_title(text: &str) -> Result<(), SyntaxError> {
    slug::parse(text, Dialect::Template).map(drop)
}

/// Refuses the first slug of a text that allows none.
pub fn check_no_slugs(text: &str) -> Result<(), SyntaxError> {
    slug::first_slug(text, Dialect::Template).map_or(Ok(()), Err)
}

/// Checks a website address: `https`, and no slug before the first `/`, `?` or `#` after the host.
///
/// Scheme and host are static, so that a value of a customer never chooses the site that an agent sees.
pub fn check_url(url: &str) -> Result<(), TargetError> {
    let first_slug = first_slug_offset(&slug::parse(url, Dialect::Template)?);
    let authority = authority(url);
    if let Some(offset) = first_slug.filter(|offset| *offset < host_end(authority)) {
        let message = "no slug may stand before the first `/`, `?` or `#` after the host";
        return Err(SyntaxError::new(offset, message).into());
    }
    match authority {
        None => Err(TargetError::Invalid("the address must begin with `https://`".to_owned())),
        Some(authority) if !is_authority(authority) => {
            let message = format!("`{authority}` is not a host, or a host and a port");
            Err(TargetError::Invalid(message))
        }
        Some(_) => Ok(()),
    }
}

/// Returns how many characters of a website address are static: no value is put in before the first
/// `/`, `?` or `#` after the host. All of a text that is no `https` address is static.
pub fn static_chars(url: &str) -> usize {
    match authority(url) {
        Some(authority) if is_authority(authority) => host_end(Some(authority)),
        _ => usize::MAX,
    }
}

/// Returns what stands between scheme and path, if the scheme is `https`.
fn authority(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_at_checked(SCHEME.len())?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    scheme.eq_ignore_ascii_case(SCHEME).then_some(authority)
}

fn host_end(authority: Option<&str>) -> usize {
    SCHEME.len() + authority.map_or(0, |authority| authority.chars().count())
}

/// Checks the prefill data of a record: a JSON object with slugs inside string values only.
pub fn check_json_data(text: &str) -> Result<(), TargetError> {
    if let Err(error) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text) {
        return Err(match bare_slug(text) {
            Some(offset) => {
                SyntaxError::new(offset, "slugs are legal inside string values only").into()
            }
            None => TargetError::Invalid(format!("not a JSON object: {error}")),
        });
    }
    for Token { range, is_value } in JsonStrings::new(text) {
        let content = &text[range.clone()];
        let at = |inner: usize| text[..range.start].chars().count() + inner;
        if is_value {
            let parsed = slug::parse(content, Dialect::Template);
            parsed.map_err(|error| SyntaxError::new(at(error.offset_chars), error.message))?;
        } else if let Some(offset) =
            first_slug_offset(&slug::parse_lenient(content, Dialect::Template))
        {
            return Err(
                SyntaxError::new(at(offset), "slugs are legal in values, not in names").into()
            );
        }
    }
    Ok(())
}

/// Returns where the string values of a JSON text are, quotes left out.
///
/// Slugs are read and replaced in the text as written, which leaves every other byte of the data alone.
pub fn json_string_values(text: &str) -> Vec<Range<usize>> {
    let values = JsonStrings::new(text).filter(|token| token.is_value);
    values.map(|token| token.range).collect()
}

/// Reports on the slugs of a JSON text as [`slug::lint`] does on plain text.
pub fn lint_json_data(text: &str) -> Vec<Lint> {
    let mut lints = Vec::new();
    let (mut chars, mut counted) = (0, 0);
    for range in json_string_values(text) {
        chars += text[counted..range.start].chars().count();
        counted = range.start;
        for mut lint in slug::lint(&text[range], Dialect::Template) {
            lint.offset_chars += chars;
            lints.push(lint);
        }
    }
    lints
}

fn first_slug_offset(segments: &[Segment]) -> Option<usize> {
    segments.iter().find_map(|segment| match segment {
        Segment::Slug { offset_chars, .. } => Some(*offset_chars),
        Segment::Literal(_) => None,
    })
}

/// Accepts a host with an optional port; credentials in an address are refused.
fn is_authority(authority: &str) -> bool {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(address, port)| {
            let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            address.parse::<Ipv6Addr>().is_ok() && port_fits
        });
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_label(label: &str) -> bool {
    let legal = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    !label.is_empty() && !label.starts_with('-') && label.chars().all(legal)
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

// ===== impl TargetError =====

impl From<SyntaxError> for TargetError {
    fn from(error: SyntaxError) -> Self {
        Self::Slug(error)
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slug(error) => error.fmt(f),
            Self::Invalid(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for TargetError {}

// ===== JSON text =====

struct Token {
    range: Range<usize>,
    is_value: bool,
}

/// Walks over the strings of a JSON text without decoding them.
struct JsonStrings<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> JsonStrings<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }
}

impl Iterator for JsonStrings<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let start = self.position + self.text[self.position..].find('"')? + 1;
        let mut escaped = false;
        let length = self.text[start..].bytes().position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        })?;
        self.position = start + length + 1;
        let is_value = !self.text[self.position..].trim_start().starts_with(':');
        Some(Token { range: start..start + length, is_value })
    }
}

/// Finds a slug that stands outside the strings of a text, where it cannot be valid JSON.
fn bare_slug(text: &str) -> Option<usize> {
    let mut outside = Vec::new();
    let mut end = 0;
    for token in JsonStrings::new(text) {
        outside.push(end..token.range.start);
        end = token.range.end + 1;
    }
    outside.push(end..text.len());
    outside.into_iter().find_map(|range| {
        let opens_slug = |(index, _): &(usize, &str)| {
            let inner = text[range.start + index + 1..].trim_start();
            inner.starts_with(|c: char| c.is_alphanumeric() || c == '$')
        };
        let (index, _) = text[range.clone()].match_indices('{').find(opens_slug)?;
        Some(text[..range.start + index].chars().count())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::slug::LintCode;
    use super::*;

    /// Shows a result as a word or as the offset of the slug.
    fn rule(result: Result<(), TargetError>) -> String {
        match result {
            Ok(()) => "ok".to_owned(),
            Err(TargetError::Slug(error)) => format!("slug {}", error.offset_chars),
            Err(TargetError::Invalid(_)) => "invalid".to_owned(),
        }
    }

    #[test]
    fn titles_take_slugs_of_every_data_source() {
        assert_eq!(check_title("Case {anchor.title} {$odata.a.b}"), Ok(()));
        assert_eq!(check_title("é {").unwrap_err().offset_chars, 2);
    }

    #[test]
    fn fields_without_slugs_name_the_first_one() {
        assert_eq!(check_no_slugs("/icons/{{phone}}.svg"), Ok(()));
        assert_eq!(check_no_slugs("ü/{a}/{b}").unwrap_err().offset_chars, 2);
        assert_eq!(check_no_slugs("a{").unwrap_err().offset_chars, 1);
    }

    #[test]
    fn addresses_have_a_static_host() {
        for (url, expected) in [
            ("https://example.com", "ok"),
            ("HTTPS://example.com:8443/a?b={caseId}#{x}", "ok"),
            ("https://example.com?q={caseId}", "ok"),
            ("https://example.com#{caseId}", "ok"),
            ("https://[::1]:8443/{caseId}", "ok"),
            ("https://bücher.example/{caseId}", "ok"),
            ("https://example.com{caseId}", "slug 19"),
            ("https://{host}/x", "slug 8"),
            ("https://bü.{a/b}/x", "slug 11"),
            ("{url}", "slug 0"),
            ("https://example.com/{", "slug 20"),
            ("http://example.com", "invalid"),
            ("http://example.com/{caseId}", "invalid"),
            ("https:///path", "invalid"),
            ("https://", "invalid"),
            ("https://user@example.com/", "invalid"),
            ("https://example.com\\@evil.example/", "invalid"),
            ("https://{{a}}/x", "invalid"),
            ("https://example.com:99999/", "invalid"),
            ("https://exa mple.com/", "invalid"),
            ("https://a..b/", "invalid"),
            ("https://[::1/", "invalid"),
            ("", "invalid"),
            ("éééé", "invalid"),
        ] {
            assert_eq!(rule(check_url(url)), expected, "{url}");
        }
    }

    #[test]
    fn json_data_has_slugs_in_values_only() {
        for (text, expected) in [
            (r#"{"title":"{caseTitle}","n":[1,{"é":"x {a}"}]}"#, "ok"),
            (r#"{"q":"say \"{a}\"", "e":""}"#, "ok"),
            (r#"{}"#, "ok"),
            (r#"{"é":"{}"}"#, "slug 6"),
            (r#"{"{a}":1}"#, "slug 2"),
            (r#"{"a":{caseId}}"#, "slug 5"),
            (r#"{"a":"{b}","c": { $odata.x.y }}"#, "slug 16"),
            (r#"{caseId}"#, "slug 0"),
            (r#"{"a":}"#, "invalid"),
            (r#"["{a}"]"#, "invalid"),
            (r#""{a}""#, "invalid"),
            ("", "invalid"),
        ] {
            assert_eq!(rule(check_json_data(text)), expected, "{text}");
        }
        assert_eq!(rule(check_json_data(&"{\"a\":".repeat(50_000))), "invalid");
    }

    #[test]
    fn json_lints_are_placed_in_the_whole_text() {
        let lints = lint_json_data(r#"{"é{k}":"{caseId} {order}", "b":"{}"}"#);
        let found: Vec<_> = lints.iter().map(|lint| (lint.code, lint.offset_chars)).collect();
        assert_eq!(found, [(LintCode::UnknownSlug, 18), (LintCode::SlugSyntax, 33)]);
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in r#"(\{|\}|"|:|,|\\|a|é|/|https://|\$odata\.a\.b|[0-9]){0,20}"#) {
            let _ = check_url(&text);
            let _ = check_json_data(&text);
            let _ = lint_json_data(&text);
            prop_assert_eq!(check_title(&text), slug::parse(&text, Dialect::Template).map(drop));
        }

        #[test]
        fn an_accepted_address_keeps_its_host(host in "[a-z{}/?#.]{0,12}") {
            let url = format!("https://{host}");
            if check_url(&url).is_ok() {
                let authority = host.split(['/', '?', '#']).next().unwrap();
                prop_assert_eq!(authority.find(['{', '}']), None);
            }
        }
    }
}
