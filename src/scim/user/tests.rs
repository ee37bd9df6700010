//! What documents say of users, and the commands that come of it.

use serde_json::json;

use super::*;
use crate::domain::{
    Stamp, Time,
    directory::{Synced, SyncedRoles, UserKind},
};

const GUID: &str = "0b5ffb5c-2b5a-4d8e-9f39-0a9d2f0c7a11";

fn names_of(texts: &[&str]) -> BTreeSet<UniqueName> {
    texts.iter().map(|text| UniqueName::parse(text).unwrap()).collect()
}

fn user(id: &str, other_name: Option<OtherName>) -> User {
    let roles = SyncedRoles::Some(names_of(&["con_synced"]));
    User {
        id: UserId::parse(id).unwrap(),
        stamp: Stamp::new(uuid::Uuid::nil(), 7, Time::default(), "test"),
        display_name: "Kim".into(),
        kind: UserKind::Human,
        email: "kim@contoso.example".into(),
        roles: names_of(&["con_given", "con_synced"]),
        direct: Vec::new(),
        disabled: false,
        business_unit: "Desk".into(),
        synced: Some(Box::new(Synced { roles, other_name })),
    }
}

fn locations() -> Locations {
    Locations::below("https://desk.example/scim/v2".into())
}

fn read(document: Value) -> Result<Wanted> {
    Wanted::read(document.as_object().unwrap())
}

/// Names of the commands that make a user what a document says.
fn commands(user: &User, document: Value) -> Vec<String> {
    let commands = read(document).unwrap().change(user).unwrap();
    commands.iter().map(|command| command.operation().to_owned()).collect()
}

#[test]
fn a_user_and_his_document_are_the_same() {
    for other in [
        None,
        Some(OtherName::UserName("Kim@contoso.example".into())),
        Some(OtherName::ExternalId("4711".into())),
    ] {
        let user = user(GUID, other);
        let document = document(&user, &locations());
        let wanted = Wanted::read_patched(&document, &user).unwrap();
        assert!(!wanted.takes(&user));
        assert!(wanted.change(&user).unwrap().is_empty(), "{document:?}");
        assert_eq!(document["meta"]["version"], format!("W/\"{}\"", user.stamp.etag()));
        let url = "https://desk.example/scim/v2/Users/00000000-0000-0000-0000-000000000000";
        assert_eq!(document["meta"]["location"], url);
    }
}

#[test]
fn the_id_is_made_of_the_name_that_the_setting_says() {
    use UserIdSource::{ExternalId, UserName};
    for (document, source, id, other) in [
        (
            json!({"userName": "kim", "externalId": GUID}),
            ExternalId,
            GUID,
            Some(OtherName::UserName("kim".into())),
        ),
        (json!({"userName": "kim"}), ExternalId, "kim", None),
        (json!({"userName": "kim"}), UserName, "kim", None),
        (
            json!({"userName": "kim", "externalId": GUID}),
            UserName,
            "kim",
            Some(OtherName::ExternalId(GUID.into())),
        ),
    ] {
        let wanted = read(document.clone()).unwrap();
        let made = wanted.id(source).unwrap();
        assert_eq!(made.as_str(), id, "{document} {source:?}");
        assert_eq!(wanted.create(made).patch.other_name, Some(other), "{document} {source:?}");
    }
    let error = read(json!({"userName": "not valid"})).unwrap().id(UserName).unwrap_err();
    assert_eq!(error.message.scim_type, Some(ScimType::InvalidValue));
}

#[test]
fn the_name_that_the_id_was_made_of_cannot_change() {
    let guid = user(GUID, Some(OtherName::UserName("kim".into())));
    let plain = user("kim", None);
    let kept = |user: &User, document| read(document).unwrap().other_name(user);
    let renamed = kept(&guid, json!({"userName": "new", "externalId": GUID.to_uppercase()}));
    assert_eq!(renamed.unwrap(), Some(OtherName::UserName("new".into())));
    // An Okta PUT may leave it out.
    assert!(kept(&guid, json!({"userName": "new"})).is_ok());
    let added = kept(&plain, json!({"userName": "KIM", "externalId": "4711"})).unwrap();
    assert_eq!(added, Some(OtherName::ExternalId("4711".into())));
    let removed = json!({"userName": "kim"});
    let error = Wanted::read_patched(removed.as_object().unwrap(), &guid).unwrap_err();
    assert_eq!(error.message.scim_type, Some(ScimType::Mutability));
    for (user, document) in [
        (&guid, json!({"userName": "kim", "externalId": "other"})),
        (&plain, json!({"userName": "other"})),
    ] {
        let error = kept(user, document).unwrap_err();
        assert_eq!(error.message.scim_type, Some(ScimType::Mutability));
    }
}

#[test]
fn only_what_differs_becomes_a_command() {
    let user = user("kim", None);
    let same = json!({"userName": "kim", "displayName": "Kim",
        "emails": [{"value": "x@y", "primary": false}, {"value": "kim@contoso.example", "primary": "True"}],
        (ENTERPRISE): {"department": "Desk"}});
    let with = |change: Value| {
        let mut next = same.clone();
        next.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        next
    };
    for (change, want) in [
        (json!({}), vec![]),
        (json!({"active": true}), vec![]),
        (json!({"active": "False"}), vec!["DisableUser"]),
        (json!({"displayName": "Kim B."}), vec!["UpsertUser"]),
        (json!({"emails": null}), vec!["UpsertUser"]),
        (json!({"roles": [{"value": "CON_synced"}]}), vec![]),
        (json!({"roles": ["con_new"]}), vec!["SetUserRoles"]),
        (
            json!({"roles": [], "active": false, "displayName": "x"}),
            vec!["UpsertUser", "SetUserRoles", "DisableUser"],
        ),
    ] {
        assert_eq!(commands(&user, with(change.clone())), want, "{change}");
    }
}

#[test]
fn a_sync_takes_away_only_what_a_sync_gave() {
    let user = user("kim", None);
    for (given, want) in [
        (&["con_new"][..], &["con_given", "con_new"][..]),
        (&[], &["con_given"]),
        (&["con_synced", "con_given"], &["con_given", "con_synced"]),
    ] {
        assert_eq!(roles_with(&user, &names_of(given)), names_of(want), "{given:?}");
    }
}

#[test]
fn what_a_name_is_shown_as() {
    for (document, want) in [
        (json!({"userName": "kim", "displayName": "Kim"}), "Kim"),
        (json!({"userName": "kim", "name": {"formatted": "K. Baker"}}), "K. Baker"),
        (json!({"userName": "kim", "name": {"givenName": "Kim", "familyName": "B"}}), "Kim B"),
        (json!({"USERNAME": "kim", "displayName": " "}), "kim"),
    ] {
        assert_eq!(read(document.clone()).unwrap().display_name, want, "{document}");
    }
}

#[test]
fn values_that_cannot_be_are_refused() {
    for document in [
        json!({}),
        json!({"userName": " "}),
        json!({"userName": "kim", "active": "maybe"}),
        json!({"userName": "kim", "roles": [{"display": "no value"}]}),
        json!({"userName": "kim", "roles": ["no-role"]}),
        json!({"userName": "kim", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"]}),
    ] {
        let error = read(document.clone()).unwrap_err();
        assert_eq!(error.message.scim_type, Some(ScimType::InvalidValue), "{document}");
    }
}
