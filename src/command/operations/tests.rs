//! Lists of writes: which operation is refused, and how.

use super::*;
use crate::{
    catalog::builtin,
    command::{
        CreateProfile, DeleteProfile, DirectoryPolicy, ProfilePatch, SetDefault, SetRankAndRoles,
    },
    domain::{Actor, Time, UniqueName},
};

fn context() -> Context {
    let (time, uid) = (Time::from_micros(2), uuid::Uuid::from_u128(7));
    Context { actor: Actor::system(), revision: 2, time, uid, policy: DirectoryPolicy::default() }
}

fn catalog() -> Catalog {
    Catalog::from_objects(builtin::objects(1, Time::default()), 1, Time::default())
}

fn name() -> UniqueName {
    UniqueName::known("contoso_rep")
}

fn create() -> Box<dyn Command> {
    let patch = ProfilePatch { display_name: Some("Rep".into()), ..ProfilePatch::default() };
    Box::new(CreateProfile { unique_name: "contoso_rep".into(), patch })
}

fn default() -> Box<dyn Command> {
    let (profile, etag) = (name(), None);
    Box::new(SetDefault { profile, etag, replace_current: true, drop_rank_and_roles: false })
}

fn list<const N: usize>(operations: [Box<dyn Command>; N]) -> ApplyChanges {
    ApplyChanges { operations: operations.into_iter().collect(), expected_revision: None }
}

#[test]
fn the_refusal_is_that_of_the_first_operation_that_fails_with_its_index() {
    let ranked = SetRankAndRoles {
        profile: name(),
        etag: None,
        rank: Some(101),
        roles: vec!["msdyn_csr".into()],
        displace: Default::default(),
        override_managed: false,
    };
    let changes = list([create(), default(), Box::new(ranked), create()]);
    let refusal = changes.plan(&catalog(), &context()).unwrap_err();
    assert_eq!(refusal.reason, Reason::RankOutOfRange);
    assert_eq!(refusal.metadata["operation_index"], "2");
    assert_eq!(refusal.violations[0].field, "operations[2].rank");
    assert!(refusal.message.starts_with("Operation 2 (SetRankAndRoles): "), "{refusal}");
    let gone = list([create(), Box::new(DeleteProfile::new(name(), None, false)), default()]);
    let refusal = gone.plan(&catalog(), &context()).unwrap_err();
    assert_eq!(refusal.reason, Reason::ProfileNotFound);
    assert_eq!(refusal.metadata["operation_index"], "2");
}

#[test]
fn a_list_for_another_revision_is_refused() {
    for expected in [0, 2, i64::MAX] {
        let changes = ApplyChanges { expected_revision: Some(expected), ..list([create()]) };
        let refusal = changes.plan(&catalog(), &context()).unwrap_err();
        assert_eq!(refusal.reason, Reason::Conflict);
        assert_eq!(refusal.metadata["current_revision"], "1");
    }
    let changes = ApplyChanges { expected_revision: Some(1), ..list([create()]) };
    assert!(changes.plan(&catalog(), &context()).unwrap().changed());
}

#[test]
fn a_list_has_the_flags_of_its_operations_each_once() {
    let delete = || Box::new(DeleteProfile::new(name(), None, true));
    let changes = list([default(), delete(), default(), delete()]);
    assert_eq!(changes.flags(), ["replace_current", "force"]);
}

#[test]
fn an_empty_list_and_one_that_changes_nothing_are_no_write() {
    let delete = Box::new(DeleteProfile::new(name(), None, false));
    for changes in [list([]), list([create(), delete])] {
        let steps = changes.operations.len();
        let plan = changes.plan(&catalog(), &context()).unwrap();
        assert!(!plan.changed());
        assert_eq!((plan.steps.len(), plan.answers.len()), (steps, 0));
    }
}
