//! Documents and mistakes with the places where they stand.

use std::{fmt, rc::Rc};

use serde_json::{Map, Value as Json};

use crate::cli::{
    kind::Kind,
    tree::{Mistake, Place},
};

/// One resource in its wanted state.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Document {
    /// What it is.
    pub kind: &'static Kind,
    /// Unique name or id.
    pub id: String,
    /// Its fields by their names in the API; those that only the server sets are gone.
    pub fields: Map<String, Json>,
    /// The etag that it was read with.
    pub etag: Option<String>,
    /// Users of a profile.
    pub users: Option<Vec<String>>,
    /// Profile of a user.
    pub profile: Option<String>,
    /// Its place in the document.
    pub(super) origin: Origin,
}

/// Where a document stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Origin {
    pub(super) source: Rc<str>,
    pub(super) id: Place,
    pub(super) users: Vec<Place>,
    pub(super) profile: Option<Place>,
}

/// A mistake in one of several texts.
pub(super) struct Located {
    pub(super) source: Rc<str>,
    pub(super) mistake: Mistake,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, mistake: Mistake { at, text } } = self;
        write!(f, "{source}:{at}: {text}")
    }
}
