//! What a directory sync gave a user: which roles, and the second of his two names there.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::User;
use crate::domain::UniqueName;

/// Notes of directory syncs on a user. Most users have none, or one set of roles from one source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Synced {
    /// The roles that a sync gave.
    #[serde(skip_serializing_if = "SyncedRoles::is_none")]
    pub roles: SyncedRoles,
    /// The name that the user's id was not made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_name: Option<OtherName>,
}

/// Which of a user's own roles a directory sync gave. All others came from administrators.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncedRoles {
    /// None.
    #[default]
    None,
    /// All that the user holds.
    All,
    /// These.
    Some(BTreeSet<UniqueName>),
}

/// A user has two names in a directory (SPEC §12.4). The id is made of one, this is the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherName {
    /// The SCIM `userName` of a user whose id is the `externalId`.
    UserName(Box<str>),
    /// The SCIM `externalId` of a user whose id is the `userName`.
    ExternalId(Box<str>),
}

impl SyncedRoles {
    fn is_none(&self) -> bool {
        *self == Self::None
    }

    fn holds(&self, role: &UniqueName) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some(roles) => roles.contains(role),
        }
    }

    /// The smallest form that says the same about a user with that many roles.
    fn of(given: BTreeSet<UniqueName>, held: usize) -> Self {
        match given.len() {
            0 => Self::None,
            all if all == held => Self::All,
            _ => Self::Some(given),
        }
    }
}

impl User {
    /// The roles that the user holds because a directory sync gave them, ascending.
    pub fn synced_roles(&self) -> impl Iterator<Item = &UniqueName> {
        let synced = self.synced.as_deref().map(|synced| &synced.roles);
        self.roles.iter().filter(move |role| synced.is_some_and(|synced| synced.holds(role)))
    }

    /// Replaces the roles. A role that stays keeps its source, one that comes has the source of the
    /// write: so an administrator who repeats what a sync gave does not keep it from the sync, and a
    /// sync that repeats what an administrator gave does not take it later.
    pub fn set_roles(&mut self, roles: BTreeSet<UniqueName>, by_sync: bool) {
        // References that are gone are no change of what is alive.
        if roles == self.roles {
            return;
        }
        let synced: BTreeSet<_> = self.synced_roles().cloned().collect();
        let from_sync = |role: &&UniqueName| match self.roles.contains(*role) {
            true => synced.contains(*role),
            false => by_sync,
        };
        let given = roles.iter().filter(from_sync).cloned().collect();
        let given = SyncedRoles::of(given, roles.len());
        self.roles = roles;
        self.note(|synced| synced.roles = given);
    }

    /// The name that the id was not made of, where the user has one.
    pub fn other_name(&self) -> Option<&OtherName> {
        self.synced.as_deref().and_then(|synced| synced.other_name.as_ref())
    }

    /// Sets the name that the id was not made of.
    pub fn set_other_name(&mut self, name: Option<OtherName>) {
        self.note(|synced| synced.other_name = name);
    }

    /// Changes the notes; empty ones take no memory.
    fn note(&mut self, change: impl FnOnce(&mut Synced)) {
        let mut synced = self.synced.take().map(|synced| *synced).unwrap_or_default();
        change(&mut synced);
        self.synced = (synced != Synced::default()).then(|| Box::new(synced));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Stamp, Time, UserId, directory::UserKind};

    fn user(roles: &[&str]) -> User {
        User {
            id: UserId::parse("ann").unwrap(),
            stamp: Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test"),
            display_name: "Ann".into(),
            kind: UserKind::Human,
            email: String::new(),
            roles: names(roles),
            direct: Vec::new(),
            disabled: false,
            business_unit: String::new(),
            synced: None,
        }
    }

    fn names(texts: &[&str]) -> BTreeSet<UniqueName> {
        texts.iter().map(|text| UniqueName::parse(text).unwrap()).collect()
    }

    fn synced(user: &User) -> Vec<&str> {
        user.synced_roles().map(UniqueName::as_str).collect()
    }

    #[test]
    fn a_role_keeps_the_source_of_the_write_that_gave_it() {
        const SYNC: bool = true;
        const ADMIN: bool = false;
        // Each write with its source, and what is known to come from the sync afterwards.
        let cases: &[&[(&[&str], bool, &[&str])]] = &[
            &[(&["con_a", "con_b"], SYNC, &["con_a", "con_b"])],
            &[(&["con_a", "con_b"], ADMIN, &[])],
            &[(&["con_a"], SYNC, &["con_a"]), (&["con_a", "con_b"], ADMIN, &["con_a"])],
            &[(&["con_a"], ADMIN, &[]), (&["con_a", "con_b"], SYNC, &["con_b"])],
            &[(&["con_a"], SYNC, &["con_a"]), (&["con_a"], ADMIN, &["con_a"])],
            &[(&["con_a"], ADMIN, &[]), (&["con_a"], SYNC, &[])],
            &[(&["con_a"], SYNC, &["con_a"]), (&[], ADMIN, &[]), (&["con_a"], ADMIN, &[])],
        ];
        for writes in cases {
            let mut user = user(&[]);
            for (roles, by_sync, want) in *writes {
                user.set_roles(names(roles), *by_sync);
                assert_eq!(synced(&user), *want, "{writes:?}");
            }
        }
    }

    #[test]
    fn the_smallest_form_is_kept() {
        let mut user = user(&["con_a"]);
        assert!(user.synced.is_none());
        user.set_roles(names(&["con_a", "con_b"]), true);
        assert_eq!(user.synced.as_ref().unwrap().roles, SyncedRoles::Some(names(&["con_b"])));
        user.set_roles(names(&["con_b"]), true);
        assert_eq!(user.synced.as_ref().unwrap().roles, SyncedRoles::All);
        user.set_roles(names(&[]), false);
        assert!(user.synced.is_none());
    }

    #[test]
    fn what_the_catalog_no_longer_shows_is_no_role_of_a_sync() {
        let mut user = user(&["con_a"]);
        user.set_roles(names(&["con_a", "con_b"]), true);
        user.roles.remove(&UniqueName::parse("con_b").unwrap());
        assert_eq!(synced(&user), Vec::<&str>::new());
        let before = user.clone();
        user.set_roles(names(&["con_a"]), true);
        assert_eq!(user, before, "a write that changes no role changes nothing");
    }

    #[test]
    fn a_record_without_notes_reads_and_is_written_as_before() {
        let plain = serde_json::to_string(&user(&["con_a"])).unwrap();
        assert!(!plain.contains("synced"), "{plain}");
        let mut noted = user(&[]);
        noted.set_roles(names(&["con_a"]), true);
        noted.set_other_name(Some(OtherName::UserName("Ann@contoso.example".into())));
        let text = serde_json::to_string(&noted).unwrap();
        let notes = r#""synced":{"roles":"all","other_name":{"user_name":"Ann@contoso.example"}}"#;
        assert!(text.contains(notes), "{text}");
        assert_eq!(serde_json::from_str::<User>(&text).unwrap(), noted);
        assert_eq!(serde_json::from_str::<User>(&plain).unwrap(), user(&["con_a"]));
    }
}
