//! The answer by seats is the answer user by user, whatever a commit holds.

mod cost;
mod preview;
mod world;

use proptest::prelude::*;

use self::world::{
    change, commit, profile, provider, role, seeded, session, settings, tab, tool, user,
};
use std::collections::BTreeSet;

use super::*;
use crate::{
    auth::role_scopes,
    catalog::{Changed, RoleClass, Seated, builtin},
    content::{Gates, compile},
    domain::{App, Change, Kind, Method, Object, Time, UniqueName, UserId, profile::Profile},
    resolve::{Outcome, resolve},
};

/// A commit of these changes: its delta, the catalog after it, and its impact.
fn impact(old: &Catalog, changes: &[Change]) -> (Delta, Catalog, Impact) {
    let (changes, new) = old.committed(changes);
    let (new, delta) = old.advance(&changes, new.revision, new.time);
    let impact = Impact::of(old, &new, &delta);
    (delta, new, impact)
}

/// A world in which the references of most changes lead somewhere.
fn populated(changes: &[Change]) -> Catalog {
    let base = [
        role(0, None, true),
        role(1, None, false),
        tool(0, Some(0)),
        tab(0, true),
        session(0, true),
        provider(0, true),
    ];
    let objects = builtin::objects(1, Time::default()).into_iter().chain(base);
    let catalog = Catalog::from_objects(objects, 1, Time::default());
    catalog.committed(changes).1
}

/// Profile and digest of what a user gets in an app.
fn outcome(catalog: &Catalog, seated: &Seated, app: App) -> (UniqueName, Method, String) {
    let Outcome::Resolved(r) = resolve(catalog, &seated.user().id, app) else {
        panic!("{} does not resolve", seated.user().id)
    };
    let gates = Gates::of(catalog, catalog.class(seated.seat.class));
    let stored = catalog.tables.profiles.get(&r.profile).unwrap();
    (r.profile, r.method, compile(catalog, stored, &gates).digest)
}

/// The same, user by user and without any short cut.
fn one_by_one(old: &Catalog, new: &Catalog) -> Affected {
    let mut result = Affected::default();
    for before in old.users().filter(|s| s.is_counted()) {
        let id = &before.user().id;
        let Some(after) = new.user(id).filter(|s| s.is_counted()) else { continue };
        let app = App::Unspecified;
        let (from, to) = (outcome(old, &before, app), outcome(new, &after, app));
        if from.0 != to.0 {
            result.total_count += 1;
            result.users.push(AffectedUser { user: id.clone(), from: from.0, to: to.0 });
            continue;
        }
        result.method_only += u64::from(from.1 != to.1);
        result.content_only += u64::from(from.2 != to.2);
    }
    result
}

proptest! {
    #[test]
    fn by_seats_equals_user_by_user(before in commit(24), changes in commit(5)) {
        let old = populated(&before);
        let (_, new, impact) = impact(&old, &changes);
        prop_assert_eq!(impact.affected, one_by_one(&old, &new));
    }

    /// Users with another outcome in some app are touched, and so are those with other rights. Classes
    /// that are touched do have another outcome.
    #[test]
    fn every_user_whose_outcome_or_rights_differ_is_touched(before in commit(24), changes in commit(5)) {
        let old = populated(&before);
        let (delta, new, Impact { touched, causes, .. }) = impact(&old, &changes);
        let apps = [App::Unspecified, App::Workspace, App::Omnichannel];
        for after in new.users() {
            let id = &after.id();
            let Some(before) = old.user(id) else {
                prop_assert!(touched.users.contains(id));
                continue;
            };
            let class = after.seat.class;
            let links: Vec<_> = before.links().into_iter().map(|link| link.profile).collect();
            for app in apps {
                let (from, to) = (outcome(&old, &before, app), outcome(&new, &after, app));
                let found = touched.users.contains(id)
                    || touched.led.contains(class)
                    || touched.gated.contains(class)
                    || touched.contents.contains(&to.0)
                    || links.iter().any(|link| touched.profiles.contains(link));
                prop_assert!(found || (from.0 == to.0 && from.2 == to.2), "{id}: {from:?}, {to:?}");
                prop_assert!(from.0 == to.0 || !causes.is_empty());
            }
            let rights = |c: &Catalog, s: &Seated| role_scopes(c, &s.user());
            let same = rights(&old, &before) == rights(&new, &after);
            prop_assert!(same || touched.rights_of(id, &new), "{id} has other rights");
        }
        let by_role = |catalog, id| Catalog::strongest_of(catalog, catalog.roots_of(id));
        for id in touched.led.iter() {
            let mut sides = Sides::new(&old, &new, &delta);
            prop_assert!(sides.leads_elsewhere(id, by_role(&old, id), by_role(&new, id)));
        }
        for id in touched.gated.iter() {
            let gates = |c: &Catalog| Gates::of(c, c.class(id));
            prop_assert!(gates(&old) != gates(&new));
        }
        let people = |c: &Changed| matches!(c.key.kind, Kind::User | Kind::Team);
        if delta.iter().all(people) {
            prop_assert!(touched.led.is_empty() && touched.gated.is_empty());
            prop_assert!(touched.contents.is_empty());
        }
    }
}

proptest! {
    /// What the reverse indexes say is what a look at every object and class finds.
    #[test]
    fn the_reverse_index_holds_every_reference(before in commit(24), changes in commit(9)) {
        let catalog = seeded().apply(&before, 2, Time::default());
        let catalog = catalog.apply(&changes, 3, Time::default());
        let afresh = Catalog::from_objects(catalog.objects(), 3, Time::default());
        prop_assert_eq!(&catalog.tables.references, &afresh.tables.references);
        for root in (0..4).map(world::role_name) {
            let held = |(_, class): &(_, &RoleClass)| class.held.contains(&root);
            let scanned: Vec<_> = catalog.classes().filter(held).map(|(id, _)| id).collect();
            let holding = catalog.classes_holding(&root).map(|(id, _)| id);
            prop_assert_eq!(holding.collect::<Vec<_>>(), scanned);
        }
        for (id, _) in catalog.classes() {
            let scanned: Vec<_> = catalog.seats().filter(|(seat, _)| seat.class == id).collect();
            prop_assert_eq!(catalog.seats_of(id).collect::<Vec<_>>(), scanned);
        }
        for object in catalog.objects() {
            let mut missing = Vec::new();
            object.references(&mut |to| {
                let mut referrers = catalog.tables.references.of(to.kind, to.name);
                let found = referrers.any(|(kind, by)| {
                    *kind == object.kind() && by.as_str() == object.name()
                });
                if !found {
                    missing.push(to.field);
                }
            });
            prop_assert!(missing.is_empty(), "{:?}: {missing:?}", object.key());
        }
    }

    /// Content of one revision is the same content, and whatever changes content is within reach.
    #[test]
    fn content_is_what_its_revision_says_and_changes_within_reach(
        before in commit(24),
        changes in commit(4),
    ) {
        let old = populated(&before);
        let (new, delta) = old.advance(&changes, old.revision + 1, Time::default());
        let reach = delta.contents();
        for profile in old.tables.profiles.iter() {
            let name = profile.name();
            let Some(after) = new.tables.profiles.get(name) else { continue };
            let same = old.content_revision(name) == new.content_revision(name);
            prop_assert_eq!(!same, reach.contains(name), "{}", name);
            for gates in [Gates::open(&old), Gates::default()] {
                let digest = |c: &Catalog, p: &Profile| compile(c, p, &gates).digest;
                let equal = digest(&old, profile) == digest(&new, after);
                prop_assert!(equal || !same, "{name} differs at one revision");
            }
        }
    }
}

#[test]
fn the_changes_of_the_properties_are_of_every_kind() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let tree = proptest::collection::vec(change(), 600).new_tree(&mut runner).unwrap();
    let changes = proptest::strategy::ValueTree::current(&tree);
    let put: BTreeSet<_> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Put(object) => Some(object.kind()),
            Change::Delete(_) => None,
        })
        .collect();
    let missing: Vec<_> = Kind::NAMED.iter().filter(|kind| !put.contains(kind)).collect();
    assert!(missing.is_empty(), "no change writes {missing:?}");
}

/// Three users with profile 0, two of them counted, and one with the built-in default.
fn world() -> Catalog {
    let objects = [
        role(0, None, false),
        role(1, None, true),
        tool(0, Some(1)),
        tab(0, true),
        session(0, true),
        profile(0, Some(1), &[0], true, true),
        user(0, &[0], None, false),
        user(1, &[0], None, false),
        user(2, &[0], None, true),
        user(3, &[], None, false),
    ];
    let seeded = builtin::objects(1, Time::default());
    Catalog::from_objects(seeded.into_iter().chain(objects), 1, Time::default())
}

#[test]
fn users_are_listed_in_the_spelling_that_is_stored() {
    let old = world();
    let spelled = |number| {
        let Object::User(mut user) = user(number, &[], None, false) else { panic!("no user") };
        std::sync::Arc::make_mut(&mut user).id = UserId::parse(&format!("U{number}")).unwrap();
        Change::Put(Object::User(user))
    };
    let (_, _, impact) = impact(&old, &[spelled(0), spelled(1)]);
    let listed: Vec<_> = impact.affected.users.iter().map(|one| one.user.as_str()).collect();
    assert_eq!(listed, ["U0", "U1"]);
}

#[test]
fn users_with_the_same_profile_and_another_digest_are_counted() {
    let old = world();
    // What changes, method_only, content_only.
    let cases: Vec<(&str, Object, u64, u64)> = vec![
        ("a tab of a template of the profile", tab(1, true), 0, 2),
        ("the same tab again", tab(0, true), 0, 0),
        ("a tool that nobody sees for want of its role", tool(1, Some(1)), 0, 0),
        ("a tool that everybody sees now", tool(0, None), 0, 2),
        ("a gate of everybody", settings(true, false), 0, 3),
        ("settings as they were", settings(true, true), 0, 0),
        ("a role that opens a presence and a tool", user(0, &[0, 1], None, false), 0, 1),
        ("another method, the same content", user(0, &[0], Some(0), false), 1, 0),
        ("another method and other content", user(0, &[1], Some(0), false), 1, 1),
        ("presence for the holders of a role", role(0, None, true), 0, 2),
        ("rank alone", profile(0, Some(9), &[0], true, true), 0, 0),
    ];
    for (what, object, method_only, content_only) in cases {
        let (_, _, impact) = impact(&old, &[Change::Put(object)]);
        let want = Affected { method_only, content_only, ..Affected::default() };
        assert_eq!(impact.affected, want, "{what}");
    }
}
