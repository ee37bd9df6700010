//! A hypothetical user resolves as one who is made to hold the same.

use super::*;
use crate::{
    catalog::builtin,
    command::{Command as _, CreateProfile, DirectoryPolicy, ProfilePatch},
    domain::{App, Method, Time},
    resolve::{LossReason, Outcome, explain, resolve},
};

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

/// The built-in objects and one custom profile.
fn catalog() -> Catalog {
    let seeded = Catalog::from_objects(builtin::objects(1, Time::default()), 1, Time::default());
    let patch = ProfilePatch { display_name: Some("Rep".into()), ..ProfilePatch::default() };
    let create = CreateProfile { unique_name: "contoso_rep".into(), patch };
    let uid = uuid::Uuid::from_u128(5);
    let (actor, time) = (Actor::system(), Time::from_micros(2));
    let plan = create
        .plan(
            &seeded,
            &Context { actor, revision: 2, time, uid, policy: DirectoryPolicy::default() },
        )
        .unwrap();
    seeded.apply(&plan.changes, 2, time)
}

#[test]
fn what_the_user_would_hold_decides_the_profile() {
    let catalog = catalog();
    let csr = BTreeSet::from([name("msdyn_csr")]);
    let asked = HypotheticalUser { roles: csr, ..HypotheticalUser::default() };
    let (seated, id) = asked.seat(&catalog).unwrap();
    assert_eq!((seated.revision, seated.user_count()), (2, catalog.user_count() + 1));
    let Outcome::Resolved(found) = resolve(&seated, &id, App::Unspecified) else { panic!() };
    assert_eq!(found.method, Method::DefaultBuiltIn);
    let direct = HypotheticalUser { direct: Some(name("contoso_rep")), ..asked };
    let (seated, id) = direct.seat(&catalog).unwrap();
    let Outcome::Resolved(found) = resolve(&seated, &id, App::Unspecified) else { panic!() };
    assert_eq!((found.profile.as_str(), found.method), ("contoso_rep", Method::Direct));
}

#[test]
fn roles_of_a_team_are_reported_and_do_not_count() {
    let catalog = catalog();
    let team_roles = BTreeSet::from([name("msdyn_csr")]);
    let asked = HypotheticalUser { team_roles, ..HypotheticalUser::default() };
    let (seated, id) = asked.seat(&catalog).unwrap();
    let explained = explain(&seated, &id, App::Unspecified).unwrap();
    assert!(explained.losing.iter().all(|lost| lost.reason != LossReason::LowerPrecedence));
    let class = seated.user(&id).unwrap().seat.class;
    assert!(seated.class(class).held.is_empty());
    assert_eq!(seated.class(class).team_only.len(), 1);
}

#[test]
fn what_does_not_exist_is_refused() {
    let gone = name("contoso_gone");
    let roles = BTreeSet::from([gone.clone()]);
    let cases = [
        (HypotheticalUser { roles: roles.clone(), ..Default::default() }, Reason::RoleNotFound),
        (HypotheticalUser { team_roles: roles, ..Default::default() }, Reason::RoleNotFound),
        (HypotheticalUser { direct: Some(gone), ..Default::default() }, Reason::ProfileNotFound),
    ];
    for (asked, reason) in cases {
        assert_eq!(asked.seat(&catalog()).unwrap_err().reason, reason, "{asked:?}");
    }
}
