//! Cuts a text into segments; the recursive half of the slug grammar.

use super::{Body, Dialect, Segment, SyntaxError, body};

// OData options may hold slugs that hold options; bounds the recursion on hostile text.
const MAX_NESTING: usize = 8;

/// A slug that does not parse, with the text to deliver in its place.
pub(super) struct Malformed<'a> {
    pub(super) raw: &'a str,
    pub(super) error: SyntaxError,
}

/// Cuts a text into segments and counts characters on the way.
pub(super) struct Scan<'a> {
    rest: &'a str,
    offset_chars: usize,
    dialect: Dialect,
    strict: bool,
    nesting: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str, dialect: Dialect, strict: bool) -> Self {
        Self { rest: text, offset_chars: 0, dialect, strict, nesting: 0 }
    }

    /// Collects the segments, or the first error.
    pub(super) fn strict(self) -> Result<Vec<Segment>, SyntaxError> {
        let segments: Result<Vec<_>, _> =
            self.map(|piece| piece.map_err(|bad| bad.error)).collect();
        segments.map(|segments| join(segments.into_iter()))
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.offset_chars += taken.chars().count();
        taken
    }

    fn take_escape(&mut self) -> Option<&'a str> {
        let escaped = self.dialect == Dialect::Template
            && self.nesting == 0
            && (self.rest.starts_with("{{") || self.rest.starts_with("}}"));
        escaped.then(|| &self.take(2)[..1])
    }

    fn take_literal(&mut self) -> &'a str {
        let first = self.rest.chars().next().map_or(0, char::len_utf8);
        let tail = &self.rest[first..];
        let end = match self.dialect {
            Dialect::Template => tail.find(['{', '}']),
            Dialect::Script | Dialect::Macro => tail.find("${"),
        };
        self.take(end.map_or(self.rest.len(), |end| first + end))
    }

    fn take_slug(&mut self) -> Result<Segment, Malformed<'a>> {
        let offset_chars = self.offset_chars;
        let opening = self.dialect.opening().len();
        // Without a closing brace nothing after it can be trusted: the rest of the text is one literal.
        let Some(end) = closing_brace(self.rest, opening) else {
            let raw = self.take(self.rest.len());
            return Err(Malformed {
                raw,
                error: SyntaxError::new(offset_chars, "the slug has no closing `}`"),
            });
        };
        let raw = self.take(end + 1);
        match self.body(raw, &raw[opening..end], offset_chars) {
            Ok(body) => Ok(Segment::Slug { raw: raw.to_owned(), offset_chars, body }),
            Err(error) => Err(Malformed { raw, error }),
        }
    }

    fn body(&self, raw: &str, body: &str, offset_chars: usize) -> Result<Body, SyntaxError> {
        let fail = |message: &str| Err(SyntaxError::about(raw, offset_chars, message));
        let trimmed_end = raw.len() - 1 - (body.len() - body.trim_end().len());
        let body = body.trim();
        if let Some(rest) = body::strip_prefix(body, "$odata.") {
            // The options end where the body ends; their place follows from their length.
            let place =
                |options: &str| offset_chars + raw[..trimmed_end - options.len()].chars().count();
            return self.odata(rest, place, fail);
        }
        match body::parse(body) {
            Ok(Body::Session { .. }) if self.strict && self.dialect != Dialect::Macro => {
                fail("session values are available in macros only")
            }
            parsed => parsed.or_else(fail),
        }
    }

    fn odata(
        &self,
        rest: &str,
        place: impl Fn(&str) -> usize,
        fail: impl Fn(&str) -> Result<Body, SyntaxError>,
    ) -> Result<Body, SyntaxError> {
        let (path, options) = match rest.split_once(".?") {
            Some((path, options)) => (path, Some(options)),
            None => (rest, None),
        };
        let Some((entity, attribute)) =
            path.split_once('.').filter(|(e, a)| body::is_word(e) && body::is_word(a))
        else {
            return fail("an OData slug reads `$odata.entity.attribute.?options`");
        };
        let options = match options {
            None => None,
            Some("") => return fail("the options after `.?` are missing"),
            Some(_) if self.nesting == MAX_NESTING => return fail("options are nested too deeply"),
            Some(text) => Some(self.nested(text, place(text)).strict()?),
        };
        let (entity, attribute) = (entity.to_owned(), attribute.to_owned());
        Ok(Body::OData { entity, attribute, options })
    }

    fn nested<'b>(&self, rest: &'b str, offset_chars: usize) -> Scan<'b> {
        let (dialect, strict) = (self.dialect, self.strict);
        Scan { rest, offset_chars, dialect, strict, nesting: self.nesting + 1 }
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Result<Segment, Malformed<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        if let Some(brace) = self.take_escape() {
            return Some(Ok(Segment::Literal(brace.to_owned())));
        }
        if self.rest.starts_with(self.dialect.opening()) {
            return Some(self.take_slug());
        }
        Some(Ok(Segment::Literal(self.take_literal().to_owned())))
    }
}

/// Returns the index of the brace that closes the one opened just before `from`.
fn closing_brace(text: &str, from: usize) -> Option<usize> {
    let mut depth = 1_usize;
    for (index, byte) in text.bytes().enumerate().skip(from) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

/// Merges neighbouring literals.
pub(super) fn join(segments: impl Iterator<Item = Segment>) -> Vec<Segment> {
    let mut joined: Vec<Segment> = Vec::new();
    for segment in segments {
        match (joined.last_mut(), segment) {
            (Some(Segment::Literal(before)), Segment::Literal(text)) => before.push_str(&text),
            (_, segment) => joined.push(segment),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::super::{Dialect, parse};

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| "{$odata.a.b.?".repeat(depth) + "x" + &"}".repeat(depth);
        assert!(parse(&nested(8), Dialect::Template).is_ok());
        assert!(parse(&nested(9), Dialect::Template).is_err());
        assert!(parse(&nested(50_000), Dialect::Template).is_err());
        assert!(parse(&"{".repeat(99_999), Dialect::Template).is_err());
    }
}
