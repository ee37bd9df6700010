//! What the fuzz targets check. Every input is judged, within bounds, and what is rendered is safe
//! for its place.

pub mod render;

use render::{
    expression::{self, Found},
    session::{
        self, Anchor, MAX_FIELD_CHARS, MAX_LISTED_BYTES, MAX_NOTIFICATION_TITLE_CHARS,
        MAX_TITLE_CHARS, MAX_VALUE_BYTES, Notification, Page, Rendered, Tab, Template, Value,
        Values,
    },
    slug::{self, Body, Dialect, LintCode},
    targets,
};

const DIALECTS: [Dialect; 3] = [Dialect::Template, Dialect::Script, Dialect::Macro];

/// Separates the texts of one input: no place of a template takes it.
const SEPARATOR: char = '\u{1f}';

/// Strict parsing, lenient parsing and the linter agree on any text.
pub fn slugs(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    DIALECTS.into_iter().for_each(|dialect| agree(&text, dialect));
    assert_eq!(targets::check_title(&text).is_ok(), slug::parse(&text, Dialect::Template).is_ok());
    let _ = (targets::check_no_slugs(&text), targets::check_url(&text));
    let _ = (targets::check_json_data(&text), targets::lint_json_data(&text));
    let _ = targets::static_chars(&text);
    for range in targets::json_string_values(&text) {
        assert!(text.get(range).is_some());
    }
}

/// The same for any text between the braces of a slug.
pub fn bodies(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    agree(&format!("{{{text}}}"), Dialect::Template);
    agree(&format!("${{{text}}}"), Dialect::Script);
    agree(&format!("a ${{ {text} }} b"), Dialect::Macro);
    agree(&format!("{{$odata.a.b.?{text}}}"), Dialect::Template);
}

fn agree(text: &str, dialect: Dialect) {
    let lenient = slug::parse_lenient(text, dialect);
    let lints = slug::lint(text, dialect);
    let malformed = lints.iter().find(|lint| lint.code == LintCode::SlugSyntax);
    match slug::parse(text, dialect) {
        Ok(segments) => {
            assert_eq!(segments, lenient);
            assert!(malformed.is_none());
        }
        Err(error) => {
            let offset = malformed.map(|lint| lint.offset_chars);
            assert_eq!(offset, Some(error.offset_chars));
            assert!(error.offset_chars < text.chars().count());
        }
    }
}

/// A tree is refused with its mistakes, or opens one of the scripts that it names.
pub fn expressions(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(2, SEPARATOR);
    let (tree, value) = (parts.next().unwrap_or_default(), parts.next());
    let parsed = expression::parse(tree);
    assert_eq!(parsed.is_ok(), expression::check(tree, &|_| true).is_ok());
    let scripts = expression::scripts(tree);
    match parsed {
        Ok(expression) => {
            let value = value.map(|text| Found::from(text.to_owned()));
            let resolve = |slug: &Body| match slug {
                Body::Key(_) | Body::Anchor { .. } => value.as_ref(),
                _ => None,
            };
            let chosen = expression.evaluate(&resolve);
            assert!(scripts.iter().any(|script| script.eq_ignore_ascii_case(chosen)));
        }
        Err(errors) => assert!(!errors.is_empty() && scripts.is_empty()),
    }
}

/// Whatever the texts of a template and the values of an event are, what is rendered is bounded and
/// safe for its place. The input is split: page, title, parameter, data, expression, values.
pub fn sessions(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split(SEPARATOR);
    let mut next = || parts.next().unwrap_or_default();
    let page = match next() {
        "r" => Page::Record,
        "w" => Page::Website,
        "b" => Page::WebResource,
        _ => Page::Other,
    };
    let (title, parameter, data, expression) = (next(), next(), next(), next());
    let mut values = Values::default();
    let given = [next(), next(), next()];
    let _ = values.insert_context("a", Value::Text(given[0].to_owned()));
    let _ = values.insert_context("B", given[1].parse().map_or(Value::Null, Value::Number));
    let _ = values.insert_attribute("a", Value::Text(given[2].to_owned()));
    let parameters = vec![("data", data), ("p", parameter), ("url", parameter)];
    let tab = Tab { title, page, can_close: true, parameters };
    let template = Template {
        title,
        title_on_anchor_tab: true,
        anchor: Anchor::Record { entity: "incident", id: given[0] },
        tabs: vec![tab.clone(), tab],
        scripts: vec!["con_a", "con_b"],
        expression: Some(expression),
    };
    let notification = Notification {
        title,
        fields: vec![("Head", parameter)],
        accept_text: "Accept",
        reject_text: None,
        auto_assign: false,
    };
    let rendered = session::render(&template, Some(&notification), &values);
    bounded(&rendered);
    safe(&rendered, page, &template);
    assert!(template.scripts.contains(&rendered.default_script.as_deref().unwrap_or_default()));
    assert_eq!(session::render(&template, Some(&notification), &values), rendered);
}

fn bounded(rendered: &Rendered) {
    let chars = |text: &str| text.chars().count();
    assert!(chars(&rendered.title) <= MAX_TITLE_CHARS);
    assert!(rendered.tabs.iter().all(|tab| chars(&tab.title) <= MAX_TITLE_CHARS));
    let shown = rendered.notification.as_ref().expect("one was given");
    assert!(chars(&shown.title) <= MAX_NOTIFICATION_TITLE_CHARS);
    assert!(shown.fields.iter().all(|(_, value)| chars(value) <= MAX_FIELD_CHARS));
    let unresolved = rendered.unresolved.iter().map(|slug| slug.slug.len() + slug.place.len());
    let deferred = rendered.deferred.iter().map(|slug| slug.slug.len() + slug.place.len());
    assert!(unresolved.chain(deferred).sum::<usize>() <= MAX_LISTED_BYTES);
    let options = rendered.deferred.iter().map(|slug| slug.options.len()).sum::<usize>();
    assert!(options <= MAX_VALUE_BYTES + MAX_LISTED_BYTES);
}

fn safe(rendered: &Rendered, page: Page, template: &Template<'_>) {
    let has_controls = |text: &str| text.contains(char::is_control);
    assert!(has_controls(template.title) || !has_controls(&rendered.title));
    let written = &template.tabs[0].parameters;
    let (data, url) = (written[0].1, written[2].1);
    for (name, value) in &rendered.tabs[1].parameters {
        if page == Page::Record && name == "data" && targets::check_json_data(data).is_ok() {
            let read = serde_json::from_str::<serde_json::Value>(value).expect("JSON stays JSON");
            let before = serde_json::from_str::<serde_json::Value>(data).expect("it was checked");
            assert_eq!(structure(&read), structure(&before));
        }
        if page == Page::Website && name == "url" && targets::check_url(url).is_ok() {
            let host: String = url.chars().take(targets::static_chars(url)).collect();
            assert!(!host.contains(['{', '}']) && value.starts_with(&host), "{value}");
            let rest = &value[host.len()..];
            assert!(rest.is_empty() || rest.starts_with(['/', '?', '#']), "{value}");
        }
    }
}

/// A tree without its strings.
fn structure(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Json::String(_) => Json::Null,
        Json::Array(all) => all.iter().map(structure).collect(),
        Json::Object(all) => {
            all.iter().map(|(key, value)| (key.clone(), structure(value))).collect()
        }
        other => other.clone(),
    }
}
