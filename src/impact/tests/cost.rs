//! What an impact costs: what changed, and not what there is.

use super::{
    world::{profile, role, session, settings, tab, tool, user},
    *,
};
use crate::{content::COMPILED, impact::sides::WORKED_OUT};

/// Users of as many classes, each class with a role of its own, one of which leads to a profile.
fn many_classes() -> Catalog {
    many_classes_and([])
}

fn many_classes_and<const N: usize>(others: [Object; N]) -> Catalog {
    let numbers = 10..210;
    let roles = numbers.clone().map(|n| role(n, None, false));
    let users = numbers.map(|n| user(n, &[n], None, false));
    let led = [
        tool(0, Some(11)),
        tab(0, true),
        session(0, true),
        profile(0, Some(1), &[10], true, true),
        profile(1, Some(2), &[11], true, true),
    ];
    let seeded = builtin::objects(1, Time::default());
    let objects = seeded.into_iter().chain(roles).chain(users).chain(led).chain(others);
    Catalog::from_objects(objects, 1, Time::default())
}

#[test]
fn a_commit_works_out_the_classes_that_it_concerns_and_compiles_nothing() {
    let old = many_classes();
    let worked_out = || WORKED_OUT.with(std::cell::Cell::get);
    let compiled = || COMPILED.with(std::cell::Cell::get);
    let classes = old.classes().count();
    assert!(classes > 200, "{classes}");
    // What changes; how many outcomes of classes are worked out, on both sides together, once for live
    // streams and once for the answer; how many users get another profile, how many other content.
    let cases: Vec<(&str, Object, usize, (u64, u64))> = vec![
        ("a rank", profile(0, Some(3), &[10], true, true), 4, (0, 0)),
        ("a profile that goes inactive", profile(0, Some(1), &[10], true, false), 4, (1, 0)),
        ("a mapping", profile(1, Some(2), &[12], true, true), 8, (2, 0)),
        ("a persona", role(10, None, true), 2, (0, 1)),
        ("a role that becomes a copy", role(13, Some(10), false), 8, (1, 0)),
        ("a tab that two profiles show", tab(1, true), 4, (0, 2)),
        ("the same tab", tab(0, true), 4, (0, 0)),
        ("a tool that nobody sees for want of its role", tool(1, Some(11)), 2, (0, 0)),
        ("a user", user(10, &[11], None, false), 2, (1, 0)),
    ];
    for (what, object, most, (total_count, content_only)) in cases {
        let before = (worked_out(), compiled());
        let (_, new, impact) = impact(&old, &[Change::Put(object)]);
        let after = (worked_out(), compiled());
        assert_eq!(after.1, before.1, "{what}: contents compiled");
        assert!(after.0 - before.0 <= most, "{what}: {} outcomes", after.0 - before.0);
        let counts = (impact.affected.total_count, impact.affected.content_only);
        assert_eq!(counts, (total_count, content_only), "{what}");
        assert_eq!(impact.affected, one_by_one(&old, &new), "{what}");
    }
    // What concerns everyone costs each class once.
    let before = worked_out();
    let (_, new, impact) = impact(&old, &[Change::Put(settings(true, false))]);
    assert!(worked_out() - before <= 2 * classes);
    assert_eq!(impact.affected, one_by_one(&old, &new));
}

/// One user has a link and many seats have none, so its seat is found by the index of links.
#[test]
fn a_user_with_a_link_is_found_among_many_seats() {
    let old = many_classes_and([user(250, &[30], Some(0), false)]);
    assert_eq!(old.link_holder_count(&UniqueName::parse("prof_0").unwrap()), 1);
    assert!(old.seat_count() > crate::impact::affected::LOOK_UP, "{}", old.seat_count());
    for (what, object, counts) in [
        ("a rank", profile(0, Some(3), &[10], true, true), (0, 0)),
        ("a linked profile that goes inactive", profile(0, Some(1), &[10], true, false), (2, 0)),
        ("channels of a linked profile", profile(0, Some(1), &[10], false, true), (0, 2)),
        ("a tab that all show", tab(1, true), (0, 3)),
    ] {
        let (_, new, impact) = impact(&old, &[Change::Put(object)]);
        assert_eq!(impact.affected, one_by_one(&old, &new), "{what}");
        assert_eq!((impact.affected.total_count, impact.affected.content_only), counts, "{what}");
    }
}
