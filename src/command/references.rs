//! What a write refers to: found as it is stored, or refused with everything that is missing.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    catalog::Catalog,
    domain::{
        Kind, Reason, Refusal, TeamId, UniqueName, UserId,
        directory::User,
        field::{FieldType, Fields, Value},
        profile::Profile,
        refs::Refs,
        refusal::Preconditions,
        role::SecurityRole,
    },
};

/// Looks names up and keeps all that lead nowhere, so that the caller sees them together.
#[derive(Debug)]
pub(super) struct References<'a> {
    catalog: &'a Catalog,
    teams: Preconditions,
    missing: Preconditions,
}

impl<'a> References<'a> {
    /// Nothing looked up yet.
    pub(super) fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, teams: Preconditions::new(), missing: Preconditions::new() }
    }

    /// The role of that name; a team in its place is noted as such.
    pub(super) fn role(&mut self, field: &str, given: &str) -> Option<&'a Arc<SecurityRole>> {
        let found = self.catalog.tables.roles.find(given);
        if found.is_some() {
            return found;
        }
        if TeamId::parse(given).is_ok_and(|id| self.catalog.team(&id).is_some()) {
            let message = format!("{given} is a team; {field} takes security roles only.");
            self.teams.fail(
                Refusal::new(Reason::TeamNotSupported, message)
                    .with("team", given)
                    .violation(field, format!("`{given}` is a team")),
            );
        } else {
            self.note(Kind::Role, field, given);
        }
        None
    }

    /// The roles, spelled as they are stored.
    pub(super) fn roles(
        &mut self,
        field: &str,
        given: &BTreeSet<UniqueName>,
    ) -> BTreeSet<UniqueName> {
        let found = given.iter().filter_map(|name| self.role(field, name.as_str()));
        found.map(|role| role.common.unique_name.clone()).collect()
    }

    /// The user of that id.
    pub(super) fn user(&mut self, field: &str, id: &UserId) -> Option<Arc<User>> {
        let found = self.catalog.user(id).map(|seated| seated.user());
        if found.is_none() {
            self.note(Kind::User, field, id.as_str());
        }
        found
    }

    /// The users, spelled as they are stored. One who is gone may stay where he is already, but not
    /// come.
    pub(super) fn users(
        &mut self,
        field: &str,
        given: &BTreeSet<UserId>,
        held: &BTreeSet<UserId>,
    ) -> BTreeSet<UserId> {
        let mut stored = BTreeSet::new();
        for id in given {
            if self.catalog.user(id).is_none()
                && let Some(gone) = held.get(id)
            {
                stored.insert(gone.clone());
            } else {
                stored.extend(self.user(field, id).map(|user| user.id.clone()));
            }
        }
        stored
    }

    /// The profile of that name.
    pub(super) fn profile(&mut self, field: &str, name: &UniqueName) -> Option<&'a Arc<Profile>> {
        let found = self.catalog.tables.profiles.get(name);
        if found.is_none() {
            self.note(Kind::Profile, field, name.as_str());
        }
        found
    }

    /// Spells every name that an object refers to as it is stored. A dead reference that `before`
    /// holds already, as imported data may, stays.
    pub(super) fn edges<T: Refs>(&mut self, next: &mut T, before: Option<&T>) {
        for edge in T::EDGES {
            edge.edit(next, &mut |name| {
                let stored = self.catalog.tables.spelling(edge.kind, name);
                if stored.is_none() && !before.is_some_and(|before| edge.holds(before, name)) {
                    self.note(edge.kind, edge.field, name.as_str());
                }
                Some(stored.unwrap_or(name).clone())
            });
        }
    }

    /// Spells every user that a field of an object names as he is stored. One who is gone stays where
    /// `before` names him already.
    pub(super) fn user_fields<T: Fields>(&mut self, next: &mut T, before: Option<&T>) {
        for field in T::FIELDS.iter().filter(|field| field.info.holds == FieldType::User) {
            let Some(Value::Name(given)) = field.value(next).map(Value::into_owned) else {
                continue;
            };
            let Ok(id) = UserId::parse(&given) else { continue };
            let held = before.and_then(|before| field.value(before));
            if self.catalog.user(&id).is_none() && held == Some(Value::Name(given)) {
                continue;
            }
            if let Some(user) = self.user(field.info.path, &id) {
                field.assign(next, Value::Name(user.id.as_str().into()));
            }
        }
    }

    fn note(&mut self, kind: Kind, field: &str, given: &str) {
        let kind_name = kind.as_str();
        let message = format!("{field}: {kind_name} {given} does not exist.");
        let about = format!("named in {field}, does not exist");
        self.missing
            .fail(Refusal::new(kind.not_found(), message).resource(kind_name, given, &about));
    }

    /// Refuses when anything was missing; a team in place of a role first, as a bad value.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        self.teams.finish()?;
        self.missing.finish()
    }
}
