//! What the rules of one object may ask about others.

use std::collections::BTreeSet;

use super::{
    Kind, UniqueName, UserId,
    directory::UserKind,
    field::{FieldValue, Value},
};

/// The objects beside the one that is judged.
pub trait Others {
    /// The value of a field of an object with a unique name; none when there is no such object.
    fn field(&self, kind: Kind, name: &UniqueName, path: &str) -> Option<Value<'static>>;

    /// The kind of a user; none when there is no such user.
    fn user_kind(&self, id: &UserId) -> Option<UserKind>;

    /// The root roles that a user holds himself, not by way of a team.
    fn roles_held(&self, id: &UserId) -> BTreeSet<UniqueName>;
}

impl dyn Others + '_ {
    /// The value of a field in its own type.
    pub fn get<V: FieldValue>(&self, kind: Kind, name: &UniqueName, path: &str) -> Option<V> {
        V::of(self.field(kind, name, path)?)
    }
}
