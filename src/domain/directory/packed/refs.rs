//! References of a user: made where one is packed, followed where one is read.

/// A user that cannot be read back: nothing but a mistake of this module makes one, for what comes
/// from files is checked when it is packed.
pub(super) const SOUND: &str = "a packed user is read as it was written";

/// Turns the references of a user into others: names into numbers, say. They are of the types `S` (a
/// set of roles), `N` (a profile) and `T` (a text).
pub(super) trait Translate<S, N, T> {
    type Roles;
    type Name;
    type Text;

    fn roles(&mut self, roles: S) -> Self::Roles;
    fn name(&mut self, name: N) -> Self::Name;
    fn text(&mut self, text: T) -> Self::Text;
}
