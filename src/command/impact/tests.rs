//! The answer by seats is the answer user by user, whatever a commit holds.

mod world;

use proptest::prelude::*;

use self::world::{
    change, commit, profile, provider, role, seeded, session, settings, tab, tool, user,
};
use super::*;
use crate::{
    catalog::builtin,
    content,
    domain::{App, Time, profile::Profile},
    resolve::{Outcome, resolve},
};

/// The same, user by user and without any short cut.
fn one_by_one(old: &Catalog, new: &Catalog) -> Affected {
    let mut result = Affected::default();
    let answer = |catalog: &Catalog, seated: &Seated| {
        let Outcome::Resolved(r) = resolve(catalog, &seated.user.id, App::Unspecified) else {
            panic!("{} does not resolve", seated.user.id)
        };
        let gates = Gates::of(catalog, catalog.class(seated.seat.class));
        let stored = catalog.tables.profiles.get(&r.profile).unwrap();
        (r.profile, r.method, compile(catalog, stored, &gates).digest)
    };
    for before in old.users().filter(|s| s.user.is_counted()) {
        let id = &before.user.id;
        let Some(after) = new.user(id).filter(|s| s.user.is_counted()) else { continue };
        let (from, to) = (answer(old, &before), answer(new, &after));
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
        let seeded = builtin::objects(1, Time::default());
        let base = [role(0, None, true), role(1, None, false), tool(0, Some(0)), tab(0, true), session(0, true)];
        let old = Catalog::from_objects(seeded.into_iter().chain(base), 1, Time::default());
        let (_, old) = old.committed(&before);
        let (changes, new) = old.committed(&changes);
        prop_assert_eq!(affected(&old, &new, &changes), one_by_one(&old, &new));
    }
}

proptest! {
    /// What the reverse index says is what a look at every object finds.
    #[test]
    fn the_reverse_index_holds_every_reference(before in commit(24), changes in commit(9)) {
        let catalog = seeded().apply(&before, 2, Time::default());
        let catalog = catalog.apply(&changes, 3, Time::default());
        let afresh = Catalog::from_objects(catalog.objects(), 3, Time::default());
        prop_assert_eq!(&catalog.tables.references, &afresh.tables.references);
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

    /// Inputs that hold give the same content, and whatever changes the content is within reach.
    #[test]
    fn content_depends_on_its_inputs_and_changes_within_reach(
        before in commit(24),
        changes in commit(4),
    ) {
        let base = [role(0, None, true), tool(0, Some(0)), tab(0, true), session(0, true), provider(0, true)];
        let old = Catalog::from_objects(seeded().objects().chain(base), 1, Time::default());
        let old = old.apply(&before, 2, Time::default());
        let new = old.apply(&changes, 3, Time::default());
        let reach = Reach::of(&new, &changes);
        for profile in old.tables.profiles.iter() {
            let name = profile.name();
            let Some(after) = new.tables.profiles.get(name) else { continue };
            let same = content::Inputs::of(&old, profile).hold_in(&new);
            prop_assert!(same || reach.contains(name), "{name} reads more than it reaches");
            for gates in [Gates::open(&old), Gates::default()] {
                let digest = |c: &Catalog, p: &Profile| compile(c, p, &gates).digest;
                let equal = digest(&old, profile) == digest(&new, after);
                prop_assert!(equal || !same, "{name} differs although its inputs hold");
                prop_assert!(equal || reach.contains(name), "{name} is out of reach");
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
        let (changes, new) = old.committed(&[Change::Put(object)]);
        let want = Affected { method_only, content_only, ..Affected::default() };
        assert_eq!(affected(&old, &new, &changes), want, "{what}");
    }
}
