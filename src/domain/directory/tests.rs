//! Where the roles of a user came from.

use super::*;

fn user(roles: &[&str]) -> User {
    User {
        id: UserId::parse("ann").unwrap(),
        stamp: Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test"),
        display_name: "Ann".into(),
        kind: UserKind::Human,
        email: String::new(),
        roles: names(roles),
        direct: Vec::new(),
        disabled: false,
        business_unit: String::new(),
        synced: None,
    }
}

fn names(texts: &[&str]) -> BTreeSet<UniqueName> {
    texts.iter().map(|text| UniqueName::parse(text).unwrap()).collect()
}

fn synced(user: &User) -> Vec<&str> {
    user.synced_roles().map(UniqueName::as_str).collect()
}

/// Roles, whether a sync writes them, and what is known to come from the sync afterwards.
type Write = (&'static [&'static str], bool, &'static [&'static str]);

#[test]
fn a_role_keeps_the_source_of_the_write_that_gave_it() {
    const SYNC: bool = true;
    const ADMIN: bool = false;
    let cases: &[&[Write]] = &[
        &[(&["con_a", "con_b"], SYNC, &["con_a", "con_b"])],
        &[(&["con_a", "con_b"], ADMIN, &[])],
        &[(&["con_a"], SYNC, &["con_a"]), (&["con_a", "con_b"], ADMIN, &["con_a"])],
        &[(&["con_a"], ADMIN, &[]), (&["con_a", "con_b"], SYNC, &["con_b"])],
        &[(&["con_a"], SYNC, &["con_a"]), (&["con_a"], ADMIN, &["con_a"])],
        &[(&["con_a"], ADMIN, &[]), (&["con_a"], SYNC, &[])],
        &[(&["con_a"], SYNC, &["con_a"]), (&[], ADMIN, &[]), (&["con_a"], ADMIN, &[])],
    ];
    for writes in cases {
        let mut user = user(&[]);
        for (roles, by_sync, want) in *writes {
            user.set_roles(names(roles), *by_sync);
            assert_eq!(synced(&user), *want, "{writes:?}");
        }
    }
}

#[test]
fn the_smallest_form_is_kept() {
    let mut user = user(&["con_a"]);
    assert!(user.synced.is_none());
    user.set_roles(names(&["con_a", "con_b"]), true);
    assert_eq!(user.synced.as_ref().unwrap().roles, SyncedRoles::Some(names(&["con_b"])));
    user.set_roles(names(&["con_b"]), true);
    assert_eq!(user.synced.as_ref().unwrap().roles, SyncedRoles::All);
    user.set_roles(names(&[]), false);
    assert!(user.synced.is_none());
}

#[test]
fn what_the_catalog_no_longer_shows_is_no_role_of_a_sync() {
    let mut user = user(&["con_a"]);
    user.set_roles(names(&["con_a", "con_b"]), true);
    user.roles.remove(&UniqueName::parse("con_b").unwrap());
    assert_eq!(synced(&user), Vec::<&str>::new());
    let before = user.clone();
    user.set_roles(names(&["con_a"]), true);
    assert_eq!(user, before, "a write that changes no role changes nothing");
}

#[test]
fn a_record_without_notes_reads_and_is_written_as_before() {
    let plain = serde_json::to_string(&user(&["con_a"])).unwrap();
    assert!(!plain.contains("synced"), "{plain}");
    let mut noted = user(&[]);
    noted.set_roles(names(&["con_a"]), true);
    noted.set_other_name(Some(OtherName::UserName("Ann@contoso.example".into())));
    let text = serde_json::to_string(&noted).unwrap();
    let notes = r#""synced":{"roles":"all","other_name":{"user_name":"Ann@contoso.example"}}"#;
    assert!(text.contains(notes), "{text}");
    assert_eq!(serde_json::from_str::<User>(&text).unwrap(), noted);
    assert_eq!(serde_json::from_str::<User>(&plain).unwrap(), user(&["con_a"]));
}
