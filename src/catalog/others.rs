//! What the rules of objects ask the catalog.

use std::collections::BTreeSet;

use super::Catalog;
use crate::domain::{
    Kind, ObjectKey, UniqueName, UserId, directory::UserKind, field::Value, others::Others,
};

impl Others for Catalog {
    fn field(&self, kind: Kind, name: &UniqueName, path: &str) -> Option<Value<'static>> {
        let object = self.tables.get(&ObjectKey::new(kind, name.as_str()))?;
        object.field(path).map(Value::into_owned)
    }

    fn user_kind(&self, id: &UserId) -> Option<UserKind> {
        self.user(id).map(|seated| seated.kind())
    }

    fn roles_held(&self, id: &UserId) -> BTreeSet<UniqueName> {
        let seated = self.user(id);
        seated.map(|seated| self.class(seated.class).held.clone()).unwrap_or_default()
    }
}
