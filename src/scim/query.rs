//! The parameters of a query (RFC 7644 §3.4.2, §3.9).

use percent_encoding::percent_decode_str;
use scim_v2::{filter::Filter, models::errors::ScimType};

use super::{
    attributes::{Document, ENTERPRISE},
    error::{Error, Result},
};

/// Rows of a page, if nothing is said.
const DEFAULT_COUNT: usize = 100;
/// Most rows of a page.
pub(super) const MAX_COUNT: usize = 1_000;

/// What a request asks to see.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query {
    pub(super) filter: Option<Filter>,
    /// From 1.
    pub(super) start_index: usize,
    pub(super) count: usize,
    pub(super) selection: Selection,
}

/// Which attributes an answer has. `id` and `schemas` are in every one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Selection {
    /// All.
    #[default]
    All,
    /// These.
    Only(Vec<String>),
    /// All but these.
    Without(Vec<String>),
}

impl Query {
    /// Reads the part of a URL behind `?`. Parameters that have no meaning here are passed over.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut query =
            Self { filter: None, start_index: 1, count: DEFAULT_COUNT, selection: Selection::All };
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value)
                .decode_utf8()
                .map_err(|_| Error::value(name, "must be UTF-8"))?;
            match name {
                "filter" if !value.is_empty() => {
                    let invalid = |error| Error::bad(ScimType::InvalidFilter, format!("{error}."));
                    query.filter = Some(value.parse().map_err(invalid)?);
                }
                "startIndex" => query.start_index = number(name, &value)?.max(1),
                "count" => query.count = number(name, &value)?.min(MAX_COUNT),
                "attributes" | "excludedAttributes" if !value.is_empty() => {
                    query.select(name, &value)?;
                }
                _ => {}
            }
        }
        Ok(query)
    }

    fn select(&mut self, parameter: &str, value: &str) -> Result<()> {
        if self.selection != Selection::All {
            let detail = "attributes and excludedAttributes exclude each other.";
            return Err(Error::bad(ScimType::InvalidValue, detail));
        }
        let names = value.split(',').map(|name| top_level(name.trim())).collect();
        self.selection = match parameter {
            "attributes" => Selection::Only(names),
            _ => Selection::Without(names),
        };
        Ok(())
    }
}

impl Selection {
    /// Whether an answer has the attribute.
    pub(super) fn shows(&self, name: &str) -> bool {
        if ["id", "schemas"].iter().any(|always| always.eq_ignore_ascii_case(name)) {
            return true;
        }
        let among = |names: &[String]| names.iter().any(|other| other.eq_ignore_ascii_case(name));
        match self {
            Self::All => true,
            Self::Only(names) => among(names),
            Self::Without(names) => !among(names),
        }
    }

    /// The document with what an answer has.
    pub(super) fn apply(&self, mut document: Document) -> Document {
        document.retain(|name, _| self.shows(name));
        document
    }
}

/// A number; what is negative counts as zero.
fn number(name: &str, value: &str) -> Result<usize> {
    let number: i64 = value.parse().map_err(|_| Error::value(name, "must be a number"))?;
    Ok(usize::try_from(number.max(0)).unwrap_or(usize::MAX))
}

/// The attribute of the resource that a path leads into.
fn top_level(path: &str) -> String {
    let is_extension =
        path.get(..ENTERPRISE.len()).is_some_and(|urn| urn.eq_ignore_ascii_case(ENTERPRISE));
    if is_extension {
        return ENTERPRISE.to_owned();
    }
    let name = match path.get(..4) {
        Some(urn) if urn.eq_ignore_ascii_case("urn:") => path.rsplit(':').next().unwrap_or(path),
        _ => path,
    };
    name.split(['.', '[']).next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_defaults_and_bounds() {
        for (text, start_index, count) in [
            ("", 1, 100),
            ("startIndex=0&count=-3", 1, 0),
            ("startIndex=11&count=5000", 11, 1_000),
            ("count=0&sortBy=userName", 1, 0),
        ] {
            let query = Query::read(text).unwrap();
            assert_eq!((query.start_index, query.count), (start_index, count), "{text}");
        }
        let query = Query::read("filter=userName+eq%20%22kim%22").unwrap();
        assert_eq!(query.filter, Some(r#"userName eq "kim""#.parse().unwrap()));
        for (text, kind) in [
            ("filter=userName%20is%20%22kim%22", ScimType::InvalidFilter),
            ("count=many", ScimType::InvalidValue),
            ("attributes=userName&excludedAttributes=roles", ScimType::InvalidValue),
        ] {
            assert_eq!(Query::read(text).unwrap_err().message.scim_type, Some(kind), "{text}");
        }
    }

    #[test]
    fn attributes_select_what_is_shown() {
        let shown = |text: &str| {
            let selection = Query::read(text).unwrap().selection;
            ["id", "schemas", "userName", "emails", ENTERPRISE].map(|name| selection.shows(name))
        };
        assert_eq!(shown(""), [true; 5]);
        assert_eq!(shown("attributes=USERNAME,emails.value"), [true, true, true, true, false]);
        assert_eq!(shown("excludedAttributes=emails"), [true, true, true, false, true]);
        let urn = format!("attributes={ENTERPRISE}:department");
        assert_eq!(shown(&urn), [true, true, false, false, true]);
        let core = "attributes=urn:ietf:params:scim:schemas:core:2.0:User:userName";
        assert_eq!(shown(core), [true, true, true, false, false]);
    }
}
