//! Tabs with their parameters.

use super::super::{
    slug::{self, Dialect, Segment},
    targets,
};
use super::{
    escape::Target,
    limits::MAX_TITLE_CHARS,
    place::Place,
    rendered::RenderedTab,
    template::{Anchor, Page, Tab, Template},
    writer::{Draft, Writer},
};

/// Renders the tabs of a session, the anchor first.
pub(super) fn render(writer: &mut Writer<'_>, template: &Template<'_>) -> Vec<RenderedTab> {
    let mut tabs = Vec::with_capacity(template.tabs.len() + 1);
    if let Anchor::Record { entity, id } = template.anchor {
        let title = if template.title_on_anchor_tab { template.title } else { "" };
        let title = writer.text(Place::TabTitle(0), title, MAX_TITLE_CHARS);
        let mut parameters = vec![("entityName".to_owned(), entity.to_owned())];
        parameters.extend((!id.is_empty()).then(|| ("entityId".to_owned(), id.to_owned())));
        tabs.push(RenderedTab { title, parameters, can_close: false, anchor: true });
    }
    for tab in &template.tabs {
        let index = tabs.len();
        let anchor = index == 0;
        let title = if anchor && template.title_on_anchor_tab { template.title } else { tab.title };
        let title = writer.text(Place::TabTitle(index), title, MAX_TITLE_CHARS);
        let parameters = parameters(writer, index, tab);
        tabs.push(RenderedTab { title, parameters, can_close: tab.can_close && !anchor, anchor });
    }
    tabs
}

fn parameters(writer: &mut Writer<'_>, index: usize, tab: &Tab<'_>) -> Vec<(String, String)> {
    let is = |name: &str, known: &str| name.eq_ignore_ascii_case(known);
    let mut rendered = Vec::with_capacity(tab.parameters.len());
    let has_url = tab.parameters.iter().any(|(name, _)| is(name, "url"));
    for (name, template) in &tab.parameters {
        let place = Place::Parameter(index, rendered.len());
        let value = match tab.page {
            Page::Website if is(name, "url") => {
                let all = tab.parameters.iter();
                let data = all.filter(|(name, _)| is(name, "data")).map(|(_, data)| *data);
                address(writer, place, template, data)
            }
            Page::Website if is(name, "data") && has_url => continue,
            Page::Website | Page::WebResource if is(name, "data") => {
                writer.parameter(place, template, Target::Address)
            }
            Page::Record if is(name, "data") => json(writer, place, template),
            _ => writer.parameter(place, template, Target::Raw),
        };
        rendered.push(((*name).to_owned(), value));
    }
    rendered
}

/// Renders an address and adds the data to its query, before a fragment.
fn address<'d>(
    writer: &mut Writer<'_>,
    place: Place,
    url: &str,
    data: impl Iterator<Item = &'d str>,
) -> String {
    let mut draft = Draft::address(targets::static_chars(url));
    let (before, fragment) = at_fragment(slug::parse_lenient(url, Dialect::Template));
    writer.append(&mut draft, &before);
    // What a slug of the template holds is no query: the slug may be replaced by the client.
    let is_query = |segment: &Segment| match segment {
        Segment::Literal(text) => text.contains('?'),
        Segment::Slug { .. } => false,
    };
    let mut has_query = before.iter().any(is_query);
    for data in data {
        let data = slug::parse_lenient(data.trim_start_matches(['?', '&']), Dialect::Template);
        let before = draft.text().len();
        if !draft.text().ends_with(['?', '&']) {
            draft.text().push(if has_query { '&' } else { '?' });
        }
        let joined = draft.text().len();
        draft.end_static();
        writer.append(&mut draft, &data);
        if draft.text().len() == joined {
            draft.text().truncate(before);
        } else {
            has_query = true;
        }
    }
    writer.append(&mut draft, &fragment);
    writer.keep(place, draft)
}

/// Splits a text before the first `#` outside its slugs.
fn at_fragment(segments: Vec<Segment>) -> (Vec<Segment>, Vec<Segment>) {
    let (mut before, mut fragment) = (Vec::new(), Vec::new());
    for segment in segments {
        match segment {
            segment if !fragment.is_empty() => fragment.push(segment),
            Segment::Literal(text) => match text.find('#') {
                Some(at) => {
                    before.push(Segment::Literal(text[..at].to_owned()));
                    fragment.push(Segment::Literal(text[at..].to_owned()));
                }
                None => before.push(Segment::Literal(text)),
            },
            slug => before.push(slug),
        }
    }
    (before, fragment)
}

/// Renders JSON data: slugs stand inside string values, everything else is delivered as written.
fn json(writer: &mut Writer<'_>, place: Place, template: &str) -> String {
    let mut draft = Draft::new(Target::Json);
    let mut written = 0;
    for range in targets::json_string_values(template) {
        draft.text().push_str(&template[written..range.start]);
        written = range.end;
        writer.append(&mut draft, &slug::parse_lenient(&template[range], Dialect::Template));
    }
    draft.text().push_str(&template[written..]);
    writer.keep(place, draft)
}
