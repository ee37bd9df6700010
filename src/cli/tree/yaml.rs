//! Reads YAML: the events of a parser become a tree.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScanError, Span};

use super::{
    Key, Meaning, Mistake, Node, Place, Scalar, Style, Value,
    node::{Budget, MAX_DEPTH},
};

/// A list or a map whose end is not there yet.
struct Open {
    at: Place,
    anchor: usize,
    value: Value,
    /// The key of a map that waits for its value.
    key: Option<Key>,
}

/// What was read so far.
struct Reader<'a> {
    text: &'a str,
    budget: Budget,
    open: Vec<Open>,
    done: Vec<Node>,
    anchors: HashMap<usize, Node>,
}

/// Reads all documents of a stream; what stands between two `---` and is empty is none.
pub(super) fn read(text: &str) -> Result<Vec<Node>, Mistake> {
    let options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        emit_unresolved_aliases: true,
        emit_comments: false,
    };
    let mut reader = Reader {
        text,
        budget: Budget::new(),
        open: Vec::new(),
        done: Vec::new(),
        anchors: HashMap::new(),
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| mistake(&error))?;
        reader.event(event, &span)?;
    }
    Ok(reader.done)
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), Mistake> {
        let at = place(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span)?;
                let plain = matches!(style, granit_parser::ScalarStyle::Plain);
                // The parser says `~` where a value is left out.
                let left_out = plain && text == "~" && span.slice(self.text) != Some("~");
                let text = if left_out { String::new() } else { text.into_owned() };
                self.budget.spend(1, text.len(), at)?;
                let style = if plain { Style::Plain } else { Style::Quoted };
                self.scalar(Scalar { text, style }, anchor, at)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span)?;
                self.start(Value::List(Vec::new()), anchor, at)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span)?;
                self.start(Value::Map(Vec::new()), anchor, at)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { at, anchor, value, .. }) => self.finish(Node { at, value }, anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::UnresolvedAlias(name) => Err(Mistake::new(
                at,
                format!("`*{name}` stands for nothing: no `&{name}` before it"),
            )),
            _ => Ok(()),
        }
    }

    /// A tag says what the quotes say already, or what only the program knows that wrote it.
    fn refuse_tag(&self, tagged: bool, span: &Span) -> Result<(), Mistake> {
        if !tagged {
            return Ok(());
        }
        let at = span.tag_start.as_ref().unwrap_or(&span.start);
        let name = span.tag_span().and_then(|span| span.slice(self.text)).unwrap_or("!");
        let advice = "quote what is text, and leave all else as it is";
        Err(Mistake::new(place(at), format!("the tag `{}` is not read; {advice}", cut(name))))
    }

    fn scalar(&mut self, scalar: Scalar, anchor: usize, at: Place) -> Result<(), Mistake> {
        if let Some(Open { value: Value::Map(_), key: key @ None, .. }) = self.open.last_mut() {
            if scalar.style == Style::Plain && scalar.text == "<<" {
                let text = "the merge key `<<` is not read; write the fields out";
                return Err(Mistake::new(at, text));
            }
            if anchor != 0 {
                return Err(Mistake::new(at, "a key has no anchor; write it out"));
            }
            *key = Some(Key { at, scalar });
            return Ok(());
        }
        let left_out = scalar.meaning() == Meaning::Nothing;
        if self.open.is_empty() && left_out {
            return Ok(());
        }
        self.finish(Node { at, value: Value::Scalar(scalar) }, anchor)
    }

    fn start(&mut self, value: Value, anchor: usize, at: Place) -> Result<(), Mistake> {
        self.refuse_key(at)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(Mistake::too_deep(at));
        }
        self.budget.spend(1, 0, at)?;
        self.open.push(Open { at, anchor, value, key: None });
        Ok(())
    }

    /// What an anchor stands for, once more; counted as if it were written out.
    fn alias(&mut self, anchor: usize, at: Place) -> Result<(), Mistake> {
        self.refuse_key(at)?;
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Mistake::new(at, "an alias stands within what it stands for"));
        };
        let (nodes, bytes) = node.size();
        self.budget.spend(nodes, bytes, at)?;
        let node = node.clone();
        self.finish(node, 0)
    }

    /// Refuses what is no text where a key is due.
    fn refuse_key(&self, at: Place) -> Result<(), Mistake> {
        match self.open.last() {
            Some(Open { value: Value::Map(_), key: None, .. }) => {
                Err(Mistake::new(at, "a key must be text"))
            }
            _ => Ok(()),
        }
    }

    /// Puts a whole value where it belongs.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Mistake> {
        if anchor != 0 {
            let (nodes, bytes) = node.size();
            self.budget.spend(nodes, bytes, node.at)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.done.push(node),
            Some(Open { value: Value::List(all), .. }) => all.push(node),
            Some(Open { value: Value::Map(all), key, .. }) => {
                if let Some(key) = key.take() {
                    all.push((key, node));
                }
            }
            Some(Open { value: Value::Scalar(_), .. }) => {}
        }
        Ok(())
    }
}

fn place(marker: &Marker) -> Place {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Place { line: number(marker.line()), column: number(marker.col() + 1) }
}

/// As much of a text as a message needs.
fn cut(text: &str) -> &str {
    text.char_indices().nth(40).map_or(text, |(end, _)| &text[..end])
}

/// What the parser has against a text, in our words where it happens often.
fn mistake(error: &ScanError) -> Mistake {
    let at = place(error.marker());
    let text = match error.kind() {
        ErrorKind::RecursionLimitExceeded => return Mistake::too_deep(at),
        ErrorKind::ExpectedDocumentStart => {
            "another document begins here; put `---` in a line before it".to_owned()
        }
        ErrorKind::BomInsideDocument => {
            "a byte order mark (U+FEFF) stands within the text; remove it".to_owned()
        }
        ErrorKind::TabInBlockIndentation | ErrorKind::TabNotAllowed => {
            "a tab cannot indent YAML; use blanks".to_owned()
        }
        _ => format!("this is no YAML: {}", error.info()),
    };
    Mistake::new(at, text)
}
