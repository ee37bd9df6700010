//! Why a client gets a snapshot (SPEC §10.1 rule 8), and whom each reason concerns.

use crate::{
    catalog::{Catalog, Changed, Delta, Reach},
    domain::{
        Kind, Object, UniqueName, UserId, directory::User, profile::Profile, role::SecurityRole,
    },
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

/// Whom a cause concerns.
#[derive(Debug, Clone, PartialEq)]
pub enum Concern {
    /// Everyone who gets something else.
    Everyone,
    /// One user.
    User(UserId),
    /// Users who were linked to that profile before.
    Linked(UniqueName),
    /// Users of that profile, before or after.
    Profile(UniqueName),
    /// Users of these profiles, whose content is made of the changed object before or after.
    Contents(Reach),
}

/// The causes that a delta brings, in its order.
pub(super) fn of(old: &Catalog, new: &Catalog, delta: &Delta) -> Vec<(Concern, CauseKind)> {
    let mut causes = Vec::new();
    for changed in delta {
        note(&mut causes, [old, new], changed);
    }
    causes
}

type Causes = Vec<(Concern, CauseKind)>;

fn note(causes: &mut Causes, [before, after]: [&Catalog; 2], Changed { key, old, new }: &Changed) {
    let (old, new) = (old.as_ref(), new.as_ref());
    let kind = match key.kind {
        Kind::User => return of_user(causes, user(old), user(new)),
        Kind::Team => return of_team(causes, [old, new]),
        Kind::Profile => return of_profile(causes, profile(old), profile(new)),
        Kind::Role => {
            if matters(role(old), role(new)) {
                causes.push((Concern::Everyone, CauseKind::UserRolesChanged));
            }
            return;
        }
        Kind::Settings => return causes.push((Concern::Everyone, CauseKind::SettingsChanged)),
        Kind::Provider => CauseKind::ProviderChanged,
        Kind::Channel | Kind::Workstream => CauseKind::WorkstreamChanged,
        _ => CauseKind::LibraryChanged,
    };
    // The same commit may have cut the references to it.
    let mut readers = Reach::of(before, [key]);
    readers.merge(&Reach::of(after, [key]));
    causes.push((Concern::Contents(readers), kind));
}

fn of_team(causes: &mut Causes, states: [Option<&Object>; 2]) {
    for object in states.into_iter().flatten() {
        let Object::Team(team) = object else { continue };
        let member = |id: &UserId| (Concern::User(id.clone()), CauseKind::UserRolesChanged);
        causes.extend(team.members.iter().map(member));
    }
}

fn of_user(causes: &mut Causes, old: Option<&User>, new: Option<&User>) {
    let Some(id) = old.or(new).map(|user| &user.id) else { return };
    if old.map(|user| &user.direct) != new.map(|user| &user.direct) {
        causes.push((Concern::User(id.clone()), CauseKind::AssignmentChanged));
    }
    if old.map(|user| &user.roles) != new.map(|user| &user.roles) {
        causes.push((Concern::User(id.clone()), CauseKind::UserRolesChanged));
    }
}

fn of_profile(causes: &mut Causes, old: Option<&Profile>, new: Option<&Profile>) {
    let Some(name) = new.or(old).map(Profile::name) else { return };
    let concern = || Concern::Profile(name.clone());
    match (old, new) {
        (Some(old), Some(new)) => {
            causes.extend(differences(old, new).map(|kind| (concern(), kind)));
        }
        (_, Some(_)) => causes.push((concern(), CauseKind::ProfileChanged)),
        (_, None) => {
            // The links to it go with a profile, and no user is written.
            causes.push((Concern::Linked(name.clone()), CauseKind::AssignmentChanged));
            causes.push((concern(), CauseKind::ProfileDeleted));
        }
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

fn role(object: Option<&Object>) -> Option<&SecurityRole> {
    match object {
        Some(Object::Role(role)) => Some(role),
        _ => None,
    }
}
