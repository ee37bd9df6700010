//! What a commit changed, whom it may concern, and why a client gets a snapshot (SPEC §10.1 rule 8).

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::contents::Variant;
use crate::{
    catalog::Catalog,
    domain::{
        Change, Kind, Object, ObjectKey, UniqueName, UserId, directory::User, profile::Profile,
    },
    ledger::Published,
    store::Record,
};

/// Kind of a change behind a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// First snapshot of the stream.
    Initial,
    /// The definition of a profile.
    ProfileChanged,
    /// A library object that the profile refers to.
    LibraryChanged,
    /// A direct link.
    AssignmentChanged,
    /// Roles of the user.
    UserRolesChanged,
    /// Rank or roles of a profile.
    RankOrRolesChanged,
    /// The default flag.
    DefaultChanged,
    /// A profile went active or inactive.
    ProfileStateChanged,
    /// A profile is gone.
    ProfileDeleted,
    /// A voice provider.
    ProviderChanged,
    /// A channel.
    WorkstreamChanged,
    /// The settings of the organisation.
    SettingsChanged,
    /// A bundle came or went.
    Import,
    /// An object was rolled back.
    Rollback,
    /// The resume token could not be used.
    Reset,
}

/// One change behind a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Its kind.
    pub kind: CauseKind,
    /// The revision that brought it.
    pub revision: i64,
    /// Request id of the write; only callers with the scope ADMIN are told.
    pub request_id: Option<Uuid>,
}

/// Whom a cause concerns.
#[derive(Debug, PartialEq)]
enum Concern {
    Everyone,
    User(UserId),
    /// Users of that profile, before or after.
    Profile(UniqueName),
    /// Users whose content is made of that object, before or after.
    Object(ObjectKey),
}

/// What some commits in a row changed, as far as streams can feel it.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Users who changed themselves, or through a team.
    pub(super) users: BTreeSet<UserId>,
    /// Whether a role changed: any user may have another seat.
    pub(super) roles: bool,
    /// Whether users who did not change may have another profile.
    pub(super) routing: bool,
    /// Whether users who did not change may have other content.
    pub(super) content: bool,
    causes: Vec<(Concern, Cause)>,
}

impl Changes {
    pub(super) fn of<'a>(commits: impl IntoIterator<Item = &'a Published>) -> Self {
        let mut changes = Self::default();
        for published in commits {
            // What earlier records of the group left behind; the catalogs know only its ends.
            let mut left: HashMap<ObjectKey, Option<&Object>> = HashMap::new();
            for record in published.records.iter() {
                for change in &record.changes {
                    let key = change.key();
                    let old = match left.get(&key) {
                        Some(old) => old.cloned(),
                        None => published.before.object(&key),
                    };
                    let new = match change {
                        Change::Put(object) => Some(object),
                        Change::Delete(_) => None,
                    };
                    changes.note(record, &published.before, &key, old.as_ref(), new);
                    left.insert(key, new);
                }
            }
        }
        changes
    }

    fn note(
        &mut self,
        record: &Record,
        before: &Catalog,
        key: &ObjectKey,
        old: Option<&Object>,
        new: Option<&Object>,
    ) {
        let here = || Concern::Object(key.clone());
        match key.kind {
            Kind::User => self.user(record, key, old, new),
            Kind::Team => {
                let kept = before.object(key);
                let members = [kept.as_ref(), old, new].into_iter().flatten();
                for object in members {
                    let Object::Team(team) = object else { continue };
                    for member in &team.members {
                        self.users.insert(member.clone());
                        let concern = Concern::User(member.clone());
                        self.add(record, concern, CauseKind::UserRolesChanged);
                    }
                }
            }
            Kind::Role => {
                self.roles = true;
                self.routing = true;
                self.add(record, Concern::Everyone, CauseKind::UserRolesChanged);
            }
            Kind::Settings => {
                self.routing = true;
                self.add(record, Concern::Everyone, CauseKind::SettingsChanged);
            }
            Kind::Profile => self.profile(record, profile(old), profile(new)),
            Kind::Provider => self.add(record, here(), CauseKind::ProviderChanged),
            Kind::Channel => self.add(record, here(), CauseKind::WorkstreamChanged),
            Kind::SessionTemplate
            | Kind::TabTemplate
            | Kind::NotificationTemplate
            | Kind::Tool
            | Kind::Script => self.add(record, here(), CauseKind::LibraryChanged),
        }
        self.content |= !matches!(key.kind, Kind::User | Kind::Team);
    }

    fn user(
        &mut self,
        record: &Record,
        key: &ObjectKey,
        old: Option<&Object>,
        new: Option<&Object>,
    ) {
        let Ok(id) = UserId::parse(&key.name) else { return };
        self.users.insert(id.clone());
        let (old, new) = (user(old), user(new));
        if old.map(|user| &user.direct) != new.map(|user| &user.direct) {
            self.add(record, Concern::User(id.clone()), CauseKind::AssignmentChanged);
        }
        if old.map(|user| &user.roles) != new.map(|user| &user.roles) {
            self.add(record, Concern::User(id), CauseKind::UserRolesChanged);
        }
    }

    fn profile(&mut self, record: &Record, old: Option<&Profile>, new: Option<&Profile>) {
        let Some(name) = new.or(old).map(|profile| profile.name().clone()) else { return };
        let mut add = |kind| {
            self.add(record, Concern::Profile(name.clone()), kind);
            self.routing |= kind != CauseKind::ProfileChanged;
        };
        let (Some(old), Some(new)) = (old, new) else {
            let gone = new.is_none();
            add(if gone { CauseKind::ProfileDeleted } else { CauseKind::ProfileChanged });
            self.routing = true;
            return;
        };
        if old.common.state != new.common.state {
            add(CauseKind::ProfileStateChanged);
        }
        if (old.is_default, old.default_set_time) != (new.is_default, new.default_set_time) {
            add(CauseKind::DefaultChanged);
        }
        if (old.rank, &old.roles) != (new.rank, &new.roles) {
            add(CauseKind::RankOrRolesChanged);
        }
        let mut rest = Profile {
            stamp: old.stamp.clone(),
            rank: old.rank,
            roles: old.roles.clone(),
            unmatched_roles: old.unmatched_roles.clone(),
            is_default: old.is_default,
            default_set_time: old.default_set_time,
            ..new.clone()
        };
        rest.common.state = old.common.state;
        if rest != *old {
            add(CauseKind::ProfileChanged);
        }
    }

    fn add(&mut self, record: &Record, concern: Concern, kind: CauseKind) {
        let kind = match record.operation.as_str() {
            "Rollback" => CauseKind::Rollback,
            "UninstallBundle" => CauseKind::Import,
            operation if operation.starts_with("Import") => CauseKind::Import,
            _ => kind,
        };
        let request_id = record.request.as_ref().map(|request| request.id);
        self.causes.push((concern, Cause { kind, revision: record.revision, request_id }));
    }

    /// The causes for a user whose content was one and is now another.
    pub(super) fn causes(&self, user: &UserId, old: &Variant, new: &Variant) -> Vec<Cause> {
        let concerned = |concern: &Concern| match concern {
            Concern::Everyone => true,
            Concern::User(id) => id == user,
            Concern::Profile(name) => [old, new].iter().any(|variant| variant.profile == *name),
            Concern::Object(key) => [old, new].iter().any(|variant| variant.inputs.include(key)),
        };
        let mine: Vec<_> =
            self.causes.iter().filter(|(concern, _)| concerned(concern)).map(|(_, c)| c).collect();
        // Several commits at once may hide by which way one of them led here.
        let mine =
            if mine.is_empty() { self.causes.iter().map(|(_, c)| c).collect() } else { mine };
        mine.into_iter().cloned().collect()
    }
}

fn user(object: Option<&Object>) -> Option<&User> {
    match object {
        Some(Object::User(user)) => Some(user),
        _ => None,
    }
}

fn profile(object: Option<&Object>) -> Option<&Profile> {
    match object {
        Some(Object::Profile(profile)) => Some(profile),
        _ => None,
    }
}
