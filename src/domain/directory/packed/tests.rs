use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::{
    Stamp, Time, UniqueName, UserId,
    directory::{DirectLink, OtherName, Synced, SyncedRoles, User, UserKind},
};

fn name() -> impl Strategy<Value = UniqueName> {
    "(?i)[a-c]{1,2}".prop_map(|text| UniqueName::parse(&format!("role_{text}")).unwrap())
}

fn names() -> impl Strategy<Value = BTreeSet<UniqueName>> {
    proptest::collection::btree_set(name(), 0..4)
}

fn link() -> impl Strategy<Value = DirectLink> {
    (name(), proptest::option::of(any::<i64>()), "[a-z]{0,3}").prop_map(|(profile, at, by)| {
        let assigned_at = at.map(Time::from_micros);
        DirectLink { profile, assigned_at, assigned_by: by }
    })
}

fn synced() -> impl Strategy<Value = Option<Box<Synced>>> {
    let roles = prop_oneof![
        Just(SyncedRoles::None),
        Just(SyncedRoles::All),
        names().prop_map(SyncedRoles::Some)
    ];
    let other = prop_oneof![
        Just(None),
        "\\PC{0,9}".prop_map(|name| Some(OtherName::UserName(name.into()))),
        "\\PC{0,9}".prop_map(|name| Some(OtherName::ExternalId(name.into()))),
    ];
    (roles, other).prop_map(|(roles, other_name)| {
        let synced = Synced { roles, other_name };
        (synced != Synced::default()).then(|| Box::new(synced))
    })
}

pub(crate) fn user() -> impl Strategy<Value = User> {
    let stamp =
        (any::<u128>(), any::<i64>(), any::<i64>(), any::<i64>(), "[a-z]{0,3}", "[a-z]{0,3}");
    let stamp = stamp.prop_map(|(uid, revision, create, update, created_by, updated_by)| Stamp {
        uid: Uuid::from_u128(uid),
        revision,
        create_time: Time::from_micros(create),
        update_time: Time::from_micros(update),
        created_by,
        updated_by,
    });
    let texts = ("(?i)[a-e]{1,3}", "\\PC{0,200}", "[a-z@.]{0,60}", "[a-z]{0,2}");
    let flags = (any::<bool>(), any::<bool>());
    let links = proptest::collection::vec(link(), 0..3);
    (stamp, texts, flags, names(), links, synced()).prop_map(
        |(stamp, (id, display_name, email, business_unit), flags, roles, direct, synced)| User {
            id: UserId::parse(&id).unwrap(),
            stamp,
            display_name,
            kind: if flags.0 { UserKind::Application } else { UserKind::Human },
            email,
            roles,
            direct,
            disabled: flags.1,
            business_unit,
            synced,
        },
    )
}

/// Spellings as well: equality passes over them.
fn spelled(users: &[User]) -> String {
    format!("{users:?}")
}

proptest! {
    #[test]
    fn packed_users_are_what_they_were(users in proptest::collection::vec(user(), 0..40)) {
        let packed = pack(users.iter().cloned().map(Arc::new).collect());
        let mut expected: Vec<User> = Vec::new();
        for user in users {
            match expected.binary_search_by(|known| known.id.cmp(&user.id)) {
                Ok(at) => expected[at] = user,
                Err(at) => expected.insert(at, user),
            }
        }
        let found: Vec<_> = packed.iter().map(PackedUser::user).collect();
        prop_assert_eq!(spelled(&found), spelled(&expected));
        for (at, (user, packed_user)) in expected.iter().zip(packed.iter()).enumerate() {
            let entry = packed_user.entry();
            prop_assert_eq!(packed_user.id(), user.id.as_str());
            prop_assert_eq!(entry.display_name(), &user.display_name);
            prop_assert_eq!(entry.is_disabled(), user.disabled);
            prop_assert_eq!(entry.kind(), user.kind);
            prop_assert_eq!(entry.written(), user.stamp.update_time);
            prop_assert_eq!(entry.roles(), &user.roles);
            let links: Vec<_> = entry.links().map(|link| link.assigned_by.to_owned()).collect();
            let given: Vec<_> = user.direct.iter().map(|link| link.assigned_by.clone()).collect();
            prop_assert_eq!(links, given);
            let id = user.id.as_str().to_ascii_uppercase();
            prop_assert_eq!(packed.not_behind(&id) as usize, at + 1);
        }

        // Copied, some of them, behind others and in two parts.
        let shared = Shared::default();
        let (mut first, mut second) = (Packer::sharing(&shared), Packer::sharing(&shared));
        let half = expected.len() / 2;
        expected[..half].iter().for_each(|user| first.push(user));
        packed.iter().skip(half).for_each(|user| second.copy(user));
        let again = shared.finish([first, second]);
        let found: Vec<_> = again.iter().map(PackedUser::user).collect();
        prop_assert_eq!(spelled(&found), spelled(&expected));
        prop_assert!(again.names().role_sets() <= packed.names().role_sets());
    }

    #[test]
    fn the_stored_form_is_read_back_and_damage_is_none(user in user(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&user, Vec::new());
        let found = decode(&bytes).unwrap();
        let mut packer = Packer::default();
        packer.push_stored(&bytes).unwrap();
        prop_assert!(packer.push_stored(&bytes[..cut.index(bytes.len())]).is_none());
        let packed = packer.finish();
        prop_assert_eq!(packed.len(), 1);
        prop_assert_eq!(spelled(&[packed.at(0).user()]), spelled(std::slice::from_ref(&user)));
        prop_assert_eq!(packed.at(0).encode(Vec::new()), bytes.clone());
        prop_assert_eq!(spelled(&[found]), spelled(&[user]));
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_none());
        prop_assert!(decode(&[&bytes[..], &[0]].concat()).is_none());
    }
}

#[test]
fn no_bytes_are_a_user_by_accident_or_make_a_panic() {
    proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..80))| {
        let decoded = decode(&bytes);
        let mut packer = Packer::default();
        prop_assert_eq!(packer.push_stored(&bytes).is_some(), decoded.is_some());
        let packed = packer.finish();
        let found = packed.iter().next().map(PackedUser::user);
        prop_assert_eq!(&found, &decoded);
        if let Some(user) = decoded {
            prop_assert_eq!(decode(&encode(&user, Vec::new())), found);
        }
    });
}
