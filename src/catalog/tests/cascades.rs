//! What a deleted role or profile leaves behind, against a model that rewrites every holder.

use super::*;
use crate::catalog::LinkState;

/// What readers should see of a user or a team.
#[derive(Debug, Clone, PartialEq, Default)]
struct Held {
    roles: BTreeSet<UniqueName>,
    direct: Vec<UniqueName>,
}

/// Users and teams as they would be stored if a delete wrote everything that it touches.
#[derive(Debug, Default, Clone)]
struct Rewritten(BTreeMap<ObjectKey, Held>);

impl Rewritten {
    fn follow(&mut self, before: &Catalog, change: &Change) {
        match change {
            Change::Put(object) => {
                let exists = |role: &&UniqueName| before.tables.roles.get(role).is_some();
                let roles =
                    |roles: &BTreeSet<UniqueName>| roles.iter().filter(exists).cloned().collect();
                let held = match object {
                    Object::User(user) => Held {
                        roles: roles(&user.roles),
                        direct: user.direct.iter().map(|link| link.profile.clone()).collect(),
                    },
                    Object::Team(team) => Held { roles: roles(&team.roles), direct: Vec::new() },
                    _ => return,
                };
                self.0.insert(object.key(), held);
            }
            Change::Delete(key) => {
                self.0.remove(key);
                let Ok(name) = UniqueName::parse(&key.name) else { return };
                for held in self.0.values_mut() {
                    match key.kind {
                        Kind::Role => drop(held.roles.remove(&name)),
                        Kind::Profile => held.direct.retain(|profile| *profile != name),
                        _ => {}
                    }
                }
            }
        }
    }
}

/// What readers do see.
fn seen(catalog: &Catalog) -> BTreeMap<ObjectKey, Held> {
    let users = catalog.users().map(|seated| {
        let user = seated.user();
        let direct = user.direct.iter().map(|link| link.profile.clone()).collect();
        (ObjectKey::new(Kind::User, user.id.as_str()), Held { roles: user.roles.clone(), direct })
    });
    let teams = catalog.teams().map(|team| {
        let key = ObjectKey::new(Kind::Team, team.id.as_str());
        (key, Held { roles: team.roles.clone(), ..Held::default() })
    });
    users.chain(teams).collect()
}

/// The user with links as the API makes them: to profiles that are there, with time and author.
fn through_the_api(catalog: &Catalog, change: Change) -> Change {
    let Change::Put(Object::User(user)) = change else { return change };
    let mut user = User::clone(&user);
    user.direct.retain(|link| catalog.tables.profiles.get(&link.profile).is_some());
    for link in &mut user.direct {
        link.assigned_at = Some(Time::from_micros(catalog.revision + 1));
        link.assigned_by = "test".into();
    }
    Change::Put(Object::User(Arc::new(user)))
}

proptest! {
    /// Deletes, and new objects under the names that they free.
    #[test]
    fn a_delete_is_seen_as_if_it_had_written_every_holder(
        changes in proptest::collection::vec(change(), 0..60),
    ) {
        let (mut catalog, mut model) = (Catalog::empty(), Rewritten::default());
        for change in changes {
            let change = through_the_api(&catalog, change);
            model.follow(&catalog, &change);
            catalog = commit(&catalog, &change);
            prop_assert_eq!(seen(&catalog), model.0.clone(), "{:?}", change);
            let again = Catalog::from_objects(catalog.objects(), catalog.revision, catalog.time);
            prop_assert_eq!(seen(&again), model.0.clone(), "started again after {:?}", change);
            for (name, users) in linked(&catalog) {
                let holds = |held: &Held| held.direct.contains(&name);
                let want = model.0.iter().filter(|(_, held)| holds(held));
                let want: Vec<_> = want.map(|(key, _)| key.name.clone()).collect();
                let got: Vec<_> = users.iter().map(|id| id.as_str().to_owned()).collect();
                prop_assert_eq!(got, want, "linked to {}", name);
            }
        }
    }
}

fn linked_user(number: u8, profile: u8, assigned_by: &str) -> Change {
    let Object::User(user) = user(number, &[0], &[profile], false) else { unreachable!() };
    let mut user = User::clone(&user);
    user.direct[0].assigned_at = (!assigned_by.is_empty()).then(|| Time::from_micros(100));
    user.direct[0].assigned_by = assigned_by.into();
    Change::Put(Object::User(Arc::new(user)))
}

fn delete(kind: Kind, name: &str) -> Change {
    Change::Delete(ObjectKey::new(kind, name))
}

fn after(changes: &[Change]) -> Catalog {
    changes.iter().fold(Catalog::empty(), |catalog, change| commit(&catalog, change))
}

fn state(catalog: &Catalog, number: u8) -> Option<LinkState<'_>> {
    let id = UserId::parse(&format!("u{number}")).unwrap();
    let user = catalog.user(&id).unwrap().user();
    user.direct.first().map(|link| catalog.link_state(&user, link))
}

#[test]
fn an_imported_link_that_leads_nowhere_is_shown_and_follows_no_later_profile() {
    let catalog = after(&[linked_user(1, 0, "")]);
    assert_eq!(state(&catalog, 1), Some(LinkState::Dangling));
    let catalog = commit(&catalog, &Change::Put(profile(0, &[], false)));
    assert_eq!(state(&catalog, 1), None);
    assert_eq!(linked(&catalog), [(name("prof_0"), Vec::new())]);
}

#[test]
fn built_in_objects_that_are_written_again_keep_who_refers_to_them() {
    let built_in = |object: Object| match object {
        Object::Role(role) => {
            let mut role = SecurityRole::clone(&role);
            role.common.origin = crate::domain::Origin::BuiltIn;
            Object::Role(Arc::new(role))
        }
        other => other,
    };
    let first = Change::Put(built_in(role("role_0", None)));
    let catalog = after(&[first.clone(), Change::Put(user(1, &[0], &[], false))]);
    // Programs of earlier versions noted the time of the last write as that of the first.
    let Change::Put(newer) = Catalog::empty().noted(&first, 9, Time::from_micros(9)) else {
        unreachable!()
    };
    let catalog = catalog.apply(&[Change::Put(newer)], 9, Time::from_micros(9));
    let catalog = Catalog::from_objects(catalog.objects(), 9, catalog.time);
    let seated = catalog.user(&UserId::parse("u1").unwrap()).unwrap();
    assert_eq!(seated.user().roles, BTreeSet::from([name("role_0")]));
    assert_eq!(catalog.class(seated.seat.class).held, BTreeSet::from([name("role_0")]));
}

#[test]
fn nobody_changes_seats_when_a_role_or_a_profile_goes() {
    let holders = (1..5).map(|number| linked_user(number, 0, "test"));
    let base = [Change::Put(role("role_0", None)), Change::Put(profile(0, &[0], false))];
    let before = after(&base.into_iter().chain(holders).collect::<Vec<_>>());
    let after = commit(&before, &delete(Kind::Role, "role_0"));
    let after = commit(&after, &delete(Kind::Profile, "prof_0"));
    let stored = |catalog: &Catalog| catalog.stored_users().collect::<Vec<_>>();
    for (old, new) in stored(&before).iter().zip(&stored(&after)) {
        assert!(Arc::ptr_eq(old, new), "{} was written", old.id);
        assert_eq!(before.user(&old.id).unwrap().seat, after.user(&old.id).unwrap().seat);
    }
    assert_eq!(after.links().count(), 0);
}

#[test]
fn the_texts_of_a_role_are_no_matter_of_classes() {
    let before =
        after(&[Change::Put(role("role_0", None)), Change::Put(user(1, &[0], &[], false))]);
    let Object::Role(titled) = role("role_0", None) else { unreachable!() };
    let mut titled = SecurityRole::clone(&titled);
    titled.common.display_name = "Another".into();
    let after = commit(&before, &Change::Put(Object::Role(Arc::new(titled))));
    let id = UserId::parse("u1").unwrap();
    let class = before.user(&id).unwrap().seat.class;
    let (old, new) = (before.users.classes.entry(class), after.users.classes.entry(class));
    assert!(std::ptr::eq(old, new), "the class was derived again");
}

#[test]
fn records_of_earlier_versions_that_write_every_holder_come_to_the_same() {
    let holders = (1..4).map(|number| linked_user(number, 0, "test"));
    let base = [Change::Put(role("role_0", None)), Change::Put(profile(0, &[], false))];
    let desk = Change::Put(team(0, &[1, 2], &[0]));
    let before = after(&base.into_iter().chain(holders).chain([desk]).collect::<Vec<_>>());
    let deletes = [delete(Kind::Role, "role_0"), delete(Kind::Profile, "prof_0")];
    let written = before.users().map(|seated| {
        let user = User::clone(&seated.user());
        let without = User { roles: BTreeSet::new(), direct: Vec::new(), ..user };
        Change::Put(Object::User(Arc::new(without)))
    });
    let desk = Change::Put(team(0, &[1, 2], &[]));
    let written: Vec<_> = deletes.iter().cloned().chain(written).chain([desk]).collect();
    let (_, explicit) = before.committed(&written);
    let (_, derived) = before.committed(&deletes);
    assert_eq!(seen(&derived), seen(&explicit));
    assert_eq!(seats(&derived), seats(&explicit));
    assert_eq!(linked(&derived), linked(&explicit));
}
