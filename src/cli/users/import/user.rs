//! What a form of file says of a user.

use crate::cli::Result;

/// Names of the columns, and of the fields of JSON lines.
pub(super) const COLUMNS: [&str; 7] =
    ["id", "display_name", "email", "kind", "business_unit", "roles", "profile"];

/// One user as the file has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) display_name: String,
    pub(super) email: String,
    pub(super) kind: String,
    pub(super) business_unit: String,
    pub(super) roles: Vec<String>,
    pub(super) profile: String,
}

/// What a form of file hands on: a line, with the user or what is wrong.
pub(super) type Users = Box<dyn Iterator<Item = (u64, Result<User, Wrong>)> + Send>;

/// What is wrong with a row.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The row is refused.
    Row(String),
    /// Reading ends.
    File(String),
}
