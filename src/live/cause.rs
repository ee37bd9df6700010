//! What a commit changed, whom it may concern, and why a client gets a snapshot (SPEC §10.1 rule 8).

use std::{collections::BTreeSet, sync::Arc};

use uuid::Uuid;

use crate::{
    catalog::{Catalog, Changed},
    domain::{
        Kind, Object, ObjectKey, UniqueName, UserId, directory::User, profile::Profile,
        role::SecurityRole,
    },
    ledger::Published,
    read::Variant,
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
#[derive(Debug)]
enum Concern {
    Everyone,
    User(UserId),
    /// Users who were linked to that profile in that catalog.
    Linked(UniqueName, Arc<Catalog>),
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
    /// Whether a role changed so that it may lead anybody elsewhere, or grant something else.
    pub(super) roles: bool,
    /// Whether settings changed that are part of content or of the choice of a profile.
    pub(super) settings: bool,
    /// Whether ranks, roles or defaults may lead users who did not change to another profile.
    pub(super) classes: bool,
    /// Profiles that changed.
    pub(super) profiles: BTreeSet<UniqueName>,
    /// Objects of the library that changed.
    pub(super) objects: BTreeSet<ObjectKey>,
    causes: Vec<(Concern, Cause)>,
}

impl Changes {
    /// Adds what a commit changed.
    pub(super) fn add(&mut self, published: &Published) {
        for (record, delta) in published.records.iter().zip(published.deltas.iter()) {
            for changed in delta {
                self.note(record, &published.before, changed);
            }
        }
    }

    /// Drops the causes of commits that streams were compared with already.
    pub(super) fn forget_causes_until(&mut self, revision: i64) {
        self.causes.retain(|(_, cause)| cause.revision > revision);
    }

    /// Keeps no more than that every stream must be compared, and the newest cause of each kind.
    pub(super) fn unite(&mut self) {
        let mut causes: Vec<(Concern, Cause)> = Vec::new();
        for (_, cause) in self.causes.drain(..).rev() {
            if causes.iter().all(|(_, kept)| kept.kind != cause.kind) {
                causes.push((Concern::Everyone, cause));
            }
        }
        causes.reverse();
        *self = Self { roles: true, settings: true, causes, ..Self::default() };
    }

    fn note(
        &mut self,
        record: &Record,
        before: &Arc<Catalog>,
        Changed { key, old, new }: &Changed,
    ) {
        let (old, new) = (old.as_ref(), new.as_ref());
        let library = match key.kind {
            Kind::User => return self.user(record, key, old, new),
            Kind::Team => return self.team(record, [old, new]),
            Kind::Profile => {
                if let (Some(old), None) = (profile(old), new) {
                    // The links to it go with a profile, and no user is written.
                    let linked = Concern::Linked(old.name().clone(), Arc::clone(before));
                    self.because(record, linked, CauseKind::AssignmentChanged);
                }
                return self.profile(record, profile(old), profile(new));
            }
            Kind::Role => {
                if !matters(role(old), role(new)) {
                    return;
                }
                self.roles = true;
                return self.because(record, Concern::Everyone, CauseKind::UserRolesChanged);
            }
            Kind::Settings => {
                self.settings = true;
                return self.because(record, Concern::Everyone, CauseKind::SettingsChanged);
            }
            Kind::Provider => CauseKind::ProviderChanged,
            Kind::Channel => CauseKind::WorkstreamChanged,
            _ => CauseKind::LibraryChanged,
        };
        self.objects.insert(key.clone());
        self.because(record, Concern::Object(key.clone()), library);
    }

    fn team(&mut self, record: &Record, states: [Option<&Object>; 2]) {
        for object in states.into_iter().flatten() {
            let Object::Team(team) = object else { continue };
            for member in &team.members {
                self.users.insert(member.clone());
                let concern = Concern::User(member.clone());
                self.because(record, concern, CauseKind::UserRolesChanged);
            }
        }
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
            self.because(record, Concern::User(id.clone()), CauseKind::AssignmentChanged);
        }
        if old.map(|user| &user.roles) != new.map(|user| &user.roles) {
            self.because(record, Concern::User(id), CauseKind::UserRolesChanged);
        }
    }

    fn profile(&mut self, record: &Record, old: Option<&Profile>, new: Option<&Profile>) {
        let Some(name) = new.or(old).map(|profile| profile.name().clone()) else { return };
        self.profiles.insert(name.clone());
        let mut kinds = Vec::new();
        match (old, new) {
            (Some(old), Some(new)) => kinds.extend(differences(old, new)),
            (_, Some(_)) => kinds.push(CauseKind::ProfileChanged),
            (_, None) => kinds.push(CauseKind::ProfileDeleted),
        }
        let leads = |profile: &Profile| {
            profile.is_default || !profile.roles.is_empty() || profile.common.is_built_in()
        };
        let moved = old.is_none() || kinds.iter().any(|kind| *kind != CauseKind::ProfileChanged);
        self.classes |= moved && [old, new].into_iter().flatten().any(leads);
        for kind in kinds {
            self.because(record, Concern::Profile(name.clone()), kind);
        }
    }

    fn because(&mut self, record: &Record, concern: Concern, kind: CauseKind) {
        let kind = match record.operation.as_str() {
            "Rollback" => CauseKind::Rollback,
            "UninstallBundle" => CauseKind::Import,
            operation if operation.starts_with("Import") => CauseKind::Import,
            _ => kind,
        };
        let request_id = record.request.as_ref().map(|request| request.id);
        self.causes.push((concern, Cause { kind, revision: record.revision, request_id }));
    }

    /// The causes for those whose content was one and is now another; the user if he changed.
    pub(super) fn causes(&self, user: Option<&UserId>, old: &Variant, new: &Variant) -> Vec<Cause> {
        let concerned = |concern: &Concern| match concern {
            Concern::Everyone => true,
            Concern::User(id) => Some(id) == user,
            Concern::Linked(name, before) => user
                .and_then(|id| before.user(id))
                .is_some_and(|seated| seated.user.direct.iter().any(|l| l.profile == *name)),
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

fn role(object: Option<&Object>) -> Option<&SecurityRole> {
    match object {
        Some(Object::Role(role)) => Some(role),
        _ => None,
    }
}

/// Whether more of a role differs than texts.
fn matters(old: Option<&SecurityRole>, new: Option<&SecurityRole>) -> bool {
    let felt = |role: &SecurityRole| {
        let SecurityRole { stamp, root_role, grants, persona, .. } = role;
        (stamp.uid, root_role.clone(), grants.clone(), *persona)
    };
    old.map(felt) != new.map(felt)
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

/// What differs between two states of a profile, each kind once.
fn differences(old: &Profile, new: &Profile) -> impl Iterator<Item = CauseKind> {
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
    let flags = |profile: &Profile| (profile.is_default, profile.default_set_time);
    [
        (CauseKind::ProfileStateChanged, old.common.state != new.common.state),
        (CauseKind::DefaultChanged, flags(old) != flags(new)),
        (CauseKind::RankOrRolesChanged, (old.rank, &old.roles) != (new.rank, &new.roles)),
        (CauseKind::ProfileChanged, rest != *old),
    ]
    .into_iter()
    .filter_map(|(kind, differs)| differs.then_some(kind))
}
