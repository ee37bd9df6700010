//! References of a user: made where one is packed, followed where one is read.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::domain::UniqueName;

/// A user that cannot be read back: nothing but a mistake of this module makes one, for what comes
/// from files is checked when it is packed.
pub(super) const SOUND: &str = "a packed user is read as it was written";

/// Makes references of what a user refers to.
pub(super) trait Refer<'a> {
    type Roles: Serialize;
    type Name: Serialize;
    type Text: Serialize;

    fn roles(&mut self, roles: &'a BTreeSet<UniqueName>) -> Self::Roles;
    fn name(&mut self, name: &'a UniqueName) -> Self::Name;
    fn text(&mut self, text: &'a str) -> Self::Text;
}

/// Follows references; none for one that leads nowhere.
pub(super) trait Follow<S, N, T> {
    fn roles(&mut self, roles: S) -> Option<BTreeSet<UniqueName>>;
    fn name(&mut self, name: N) -> Option<UniqueName>;
    fn text(&mut self, text: T) -> Option<String>;
}

/// Gives what has a number in one table its number in another.
pub(super) trait Renumber {
    fn role_set(&mut self, number: u32) -> u32;
    fn profile(&mut self, number: u32) -> u32;
    fn text(&mut self, number: u32) -> u32;
}
