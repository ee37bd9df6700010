//! Operations of a list are read as the requests of their methods are.

use deskplane_proto::v1::{self, operation::Operation};

use super::*;
use crate::{
    auth::{Cell, Rpc},
    catalog::builtin,
    domain::Reason,
};

fn catalog() -> Catalog {
    Catalog::from_objects(builtin::objects(1, Time::default()), 1, Time::default())
}

fn create(name: &str) -> Operation {
    let profile = v1::Profile {
        unique_name: name.into(),
        display_name: "Profile".into(),
        ..Default::default()
    };
    Operation::CreateProfile(v1::CreateProfileRequest {
        profile: Some(profile),
        ..Default::default()
    })
}

fn list(operations: impl IntoIterator<Item = Operation>) -> Vec<v1::Operation> {
    let sent = operations.into_iter();
    sent.map(|operation| v1::Operation { operation: Some(operation) }).collect()
}

/// Reason and field of everything that is wrong with a list.
fn wrong(sent: Vec<v1::Operation>) -> Vec<(Reason, String)> {
    let catalog = catalog();
    let mut reader = Reader::new(&catalog);
    operations(sent, &mut reader);
    reader.v.take().into_iter().map(|bad| (bad.reason, bad.field)).collect()
}

#[test]
fn an_administrator_may_call_every_operation_of_a_list() {
    assert!(PATHS.len() > 90);
    for path in PATHS {
        let rpc = Rpc::find(path).unwrap();
        assert_eq!(rpc.access.admin, Cell::Yes, "{path}");
    }
}

#[test]
fn a_list_holds_1_to_50_writes() {
    let of = |count: usize| list((0..count).map(|at| create(&format!("contoso_p_{at}"))));
    let bad = || vec![(Reason::FieldInvalid, "operations".to_owned())];
    assert_eq!(wrong(of(0)), bad());
    assert_eq!(wrong(of(51)), bad());
    assert_eq!(wrong(of(1)), []);
    assert_eq!(wrong(of(50)), []);
    let mut nothing = of(3);
    nothing[1].operation = None;
    assert_eq!(wrong(nothing), [(Reason::FieldInvalid, "operations[1]".to_owned())]);
}

#[test]
fn what_a_call_says_once_its_operations_do_not_say() {
    let request = v1::RemoveDefaultRequest {
        name: "contoso rep".into(),
        request_id: "x".into(),
        validate_only: true,
        reason: "why".into(),
        ..Default::default()
    };
    let sent = list([create("contoso_rep"), Operation::RemoveDefault(request)]);
    let fields: Vec<_> = wrong(sent).into_iter().map(|(_, field)| field).collect();
    let want = ["request_id", "validate_only", "reason", "name"];
    assert_eq!(fields, want.map(|field| format!("operations[1].{field}")));
}

/// A profile as it was read back may be sent again, with the fields that only actions change.
#[test]
fn an_operation_is_read_beside_what_those_before_it_leave() {
    let rank = v1::SetRankAndRolesRequest {
        name: "contoso_rep".into(),
        rank: Some(7),
        roles: vec!["msdyn_csr".into()],
        ..Default::default()
    };
    let update = |rank| {
        let profile = v1::Profile {
            name: "profiles/contoso_rep".into(),
            display_name: "Other".into(),
            rank: Some(rank),
            ..Default::default()
        };
        let update_mask = Some(prost_types::FieldMask { paths: vec!["display_name".into()] });
        Operation::UpdateProfile(v1::UpdateProfileRequest {
            profile: Some(profile),
            update_mask,
            ..Default::default()
        })
    };
    let before = || [create("contoso_rep"), Operation::SetRankAndRoles(rank.clone())];
    assert_eq!(wrong(list(before().into_iter().chain([update(7)]))), []);
    let other = wrong(list(before().into_iter().chain([update(8)])));
    assert_eq!(other, [(Reason::FieldImmutable, "operations[2].rank".to_owned())]);
}
