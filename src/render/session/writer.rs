//! Writes texts: replaces slugs by values, and lists those that stay.

use std::collections::HashSet;

use super::super::slug::{self, Body, Dialect, Segment};
use super::{
    escape::Target,
    limits::{MAX_LISTED_BYTES, MAX_VALUE_BYTES},
    place::Place,
    rendered::{Deferred, Unresolved, UnresolvedReason},
    values::Values,
};

/// What an entry of a list takes beside its texts, with a margin: field numbers and lengths.
const ENTRY_OVERHEAD: usize = 32;

/// Writes the texts of one session, in reading order.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    values: &'a Values,
    /// What is left of [`MAX_VALUE_BYTES`].
    value_bytes: usize,
    /// What is left of [`MAX_LISTED_BYTES`].
    listed_bytes: usize,
    unresolved: Vec<Unresolved>,
    deferred: Vec<Deferred>,
    truncated: Vec<String>,
}

/// A text on its way.
#[derive(Debug)]
pub(super) struct Draft {
    target: Target,
    /// Slugs that begin before this character of the template have no place.
    static_chars: usize,
    text: String,
    kept: Vec<Kept>,
}

/// A slug that stays in a text.
#[derive(Debug)]
struct Kept {
    /// Where it begins in the text, in bytes.
    start: usize,
    slug: String,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Unresolved(UnresolvedReason),
    Deferred(Query),
}

/// A query for the client; empty for a link to reconnect.
#[derive(Debug, Default)]
struct Query {
    entity: String,
    attribute: String,
    options: String,
}

// ===== impl Writer =====

impl<'a> Writer<'a> {
    pub(super) fn new(values: &'a Values) -> Self {
        Self {
            values,
            value_bytes: MAX_VALUE_BYTES,
            listed_bytes: MAX_LISTED_BYTES,
            unresolved: Vec::new(),
            deferred: Vec::new(),
            truncated: Vec::new(),
        }
    }

    /// The slugs without a value, those for the client, and the places of texts that were cut.
    pub(super) fn finish(self) -> (Vec<Unresolved>, Vec<Deferred>, Vec<String>) {
        (self.unresolved, self.deferred, self.truncated)
    }

    /// Renders a text for people of at most `limit` characters.
    pub(super) fn text(&mut self, place: Place, template: &str, limit: usize) -> String {
        // One more than is shown marks that something is cut, and bounds the work.
        let mut draft = Draft::new(Target::Shown(limit + 1));
        self.append(&mut draft, &slug::parse_lenient(template, Dialect::Template));
        if draft.cut(limit) {
            self.truncated.push(place.to_string());
        }
        self.keep(place, draft)
    }

    /// Renders a parameter.
    pub(super) fn parameter(&mut self, place: Place, template: &str, target: Target) -> String {
        let mut draft = Draft::new(target);
        self.append(&mut draft, &slug::parse_lenient(template, Dialect::Template));
        self.keep(place, draft)
    }

    /// Lists the slugs that stay in a text, each once, and returns the text.
    pub(super) fn keep(&mut self, place: Place, draft: Draft) -> String {
        let path = place.to_string();
        let mut listed = HashSet::new();
        for Kept { slug, why, .. } in draft.kept {
            // Entity, attribute and options repeat the slug; values in them are counted already.
            let bytes = path.len() + 2 * slug.len() + ENTRY_OVERHEAD;
            if !listed.insert(slug.clone()) {
                continue;
            }
            let Some(left) = self.listed_bytes.checked_sub(bytes) else {
                self.listed_bytes = 0;
                break;
            };
            self.listed_bytes = left;
            let place = path.clone();
            match why {
                Why::Unresolved(reason) => self.unresolved.push(Unresolved { place, slug, reason }),
                Why::Deferred(Query { entity, attribute, options }) => {
                    self.deferred.push(Deferred { place, slug, entity, attribute, options });
                }
            }
        }
        draft.text
    }

    /// Appends a parsed text.
    pub(super) fn append(&mut self, draft: &mut Draft, segments: &[Segment]) {
        for segment in segments {
            if draft.is_full() {
                break;
            }
            match segment {
                Segment::Literal(text) => draft.text.push_str(text),
                Segment::Slug { raw, offset_chars, body } => {
                    let allowed = *offset_chars >= draft.static_chars;
                    self.slug(draft, raw, body, allowed);
                }
            }
        }
    }

    fn slug(&mut self, draft: &mut Draft, raw: &str, body: &Body, allowed: bool) {
        let target = draft.target;
        let why = match body {
            _ if !allowed => Why::Unresolved(UnresolvedReason::NotAllowedHere),
            Body::Session { .. } => Why::Unresolved(UnresolvedReason::NotAllowedHere),
            Body::Key(_) | Body::Anchor { .. } => {
                match self.put(body, target, target, &mut draft.text) {
                    Ok(()) => return,
                    Err(reason) => Why::Unresolved(reason),
                }
            }
            Body::Reconnect => Why::Deferred(Query::default()),
            Body::OData { entity, attribute, options } => {
                let options = options.as_deref().unwrap_or_default();
                Why::Deferred(Query {
                    entity: entity.clone(),
                    attribute: attribute.clone(),
                    options: self.options(draft, options),
                })
            }
        };
        draft.keep(raw, why);
        draft.text.push_str(raw);
    }

    /// Replaces the slugs in the options of a query. A query in options stays, and is not looked into.
    fn options(&mut self, draft: &mut Draft, segments: &[Segment]) -> String {
        let mut options = String::new();
        for segment in segments {
            let (raw, body) = match segment {
                Segment::Literal(text) => {
                    options.push_str(&draft.target.decode(text));
                    continue;
                }
                Segment::Slug { raw, body, .. } => (raw, body),
            };
            let put = match body {
                Body::Key(_) | Body::Anchor { .. } => {
                    self.put(body, draft.target, Target::Options, &mut options)
                }
                _ => Err(UnresolvedReason::NotAllowedHere),
            };
            if let Err(reason) = put {
                options.push_str(&draft.target.decode(raw));
                draft.keep(raw, Why::Unresolved(reason));
            }
        }
        options
    }

    /// Appends the value of a slug that is written in one kind of text to another.
    fn put(
        &mut self,
        slug: &Body,
        written_in: Target,
        target: Target,
        out: &mut String,
    ) -> Result<(), UnresolvedReason> {
        let value = self.values.get(slug, |name| written_in.decode(name));
        let value = value.ok_or(UnresolvedReason::Missing)?;
        if !target.counts() {
            return target.put(value, out).then_some(()).ok_or(UnresolvedReason::NotAllowedHere);
        }
        let before = out.len();
        // Escaping never shortens: a value that cannot fit is not even escaped.
        if value.as_str().len() <= self.value_bytes {
            if !target.put(value, out) {
                return Err(UnresolvedReason::NotAllowedHere);
            }
            if let Some(left) = self.value_bytes.checked_sub(out.len() - before) {
                self.value_bytes = left;
                return Ok(());
            }
        }
        out.truncate(before);
        self.value_bytes = 0;
        Err(UnresolvedReason::NotAllowedHere)
    }
}

// ===== impl Draft =====

impl Draft {
    pub(super) fn new(target: Target) -> Self {
        Self { target, static_chars: 0, text: String::new(), kept: Vec::new() }
    }

    /// An address of which so many characters are static.
    pub(super) fn address(static_chars: usize) -> Self {
        Self { static_chars, ..Self::new(Target::Address) }
    }

    /// Ends the static part: what follows is another text.
    pub(super) fn end_static(&mut self) {
        self.static_chars = 0;
    }

    pub(super) fn text(&mut self) -> &mut String {
        &mut self.text
    }

    /// Whether all that is shown is there, whatever else follows.
    fn is_full(&self) -> bool {
        // No character takes more than four bytes.
        matches!(self.target, Target::Shown(most) if self.text.len() >= 4 * most)
    }

    /// Notes a slug that stays. One in the options of a query begins where the query does.
    fn keep(&mut self, raw: &str, why: Why) {
        self.kept.push(Kept { start: self.text.len(), slug: raw.to_owned(), why });
    }

    /// Cuts the text at its limit, a slug that stays as a whole; returns whether something was cut.
    fn cut(&mut self, limit: usize) -> bool {
        let mut chars = self.text.char_indices().skip(limit - 1).map(|(index, _)| index);
        let (Some(end), Some(_)) = (chars.next(), chars.next()) else { return false };
        let across = |kept: &&Kept| (kept.start..kept.start + kept.slug.len()).contains(&end);
        let end = self.kept.iter().find(across).map_or(end, |kept| kept.start);
        self.kept.retain(|kept| kept.start < end);
        self.text.truncate(end);
        self.text.push('…');
        true
    }
}
