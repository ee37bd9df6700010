//! Rules of commands that no case of the collection shows.

use super::*;
use crate::{
    catalog::builtin,
    domain::{
        Actor, Common, Object, Origin, Reason, Stamp, Time, UniqueName,
        profile::{InboxView, MAX_INBOX_VIEWS, Profile},
        provider::FIRST_PARTY,
    },
};

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn stored(change: impl FnOnce(&mut Profile)) -> Catalog {
    let stamp = Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test");
    let mut profile = Profile::empty(Common::custom(name("contoso_rep"), "Rep"), stamp);
    change(&mut profile);
    let objects = builtin::objects(1, Time::default()).into_iter();
    Catalog::from_objects(objects.chain([Object::Profile(profile.into())]), 1, Time::default())
}

fn context() -> Context {
    let (actor, uid) = (Actor::system(), uuid::Uuid::nil());
    Context { actor, revision: 2, time: Time::default(), uid, policy: DirectoryPolicy::default() }
}

#[test]
fn flags_have_the_names_of_the_specification() {
    let profile = || name("contoso_rep");
    let ranked = |displace| SetRankAndRoles {
        profile: profile(),
        etag: None,
        rank: Some(1),
        roles: Vec::new(),
        displace,
        override_managed: true,
    };
    let (etag, users) = (None, Vec::new());
    let add = |move_users| AddUsers {
        profile: profile(),
        etag: etag.clone(),
        users: users.clone(),
        move_users,
    };
    assert_eq!(add(true).flags(), ["move"]);
    assert!(add(false).flags().is_empty());
    assert_eq!(ranked(Displace::Reject).flags(), ["override_managed"]);
    assert_eq!(ranked(Displace::Swap).flags(), ["displace", "override_managed"]);
    assert_eq!(ranked(Displace::Shift).flags(), ["displace", "override_managed"]);
}

#[test]
fn links_are_judged_by_syntax_existence_origin_etag_then_references() {
    let managed = |p: &mut Profile| {
        p.common.origin = Origin::Managed { bundle: "b".into(), version: "1".into() };
    };
    let first_party = || name(FIRST_PARTY);
    let cases = [
        ("contoso_gone", first_party(), Reason::FieldInvalid),
        ("contoso_gone", name("contoso_none"), Reason::ProfileNotFound),
        ("contoso_rep", name("contoso_none"), Reason::ManagedReadOnly),
        ("msdyn_csw_default_profile", name("contoso_none"), Reason::BuiltInReadOnly),
    ];
    let catalog = stored(managed);
    for (profile, provider, reason) in cases {
        let patch = ProfilePatch { link: vec![provider], ..ProfilePatch::default() };
        let mut update = UpdateProfile::new(name(profile), patch);
        update.etag = Some("old".into());
        assert_eq!(update.plan(&catalog, &context()).unwrap_err().reason, reason, "{profile}");
    }
    let patch = ProfilePatch { link: vec![name("contoso_none")], ..ProfilePatch::default() };
    let mut update = UpdateProfile::new(name("contoso_rep"), patch);
    update.etag = Some("old".into());
    let custom = stored(|_| {});
    assert_eq!(update.plan(&custom, &context()).unwrap_err().reason, Reason::EtagMismatch);
    update.etag = None;
    assert_eq!(update.plan(&custom, &context()).unwrap_err().reason, Reason::ProviderNotFound);
}

#[test]
fn preset_views_come_once_and_those_of_conversations_only_with_channels() {
    let view = |text: &str| InboxView {
        name: text.into(),
        record_types: vec!["email".into()],
        ..InboxView::default()
    };
    let preset = || ProfilePatch { add_preset_views: true, ..ProfilePatch::default() };
    let all =
        ["Cases", "Assigned Conversations", "Unassigned Conversations", "Resolved Conversations"];
    let cases: Vec<(bool, Vec<InboxView>, Vec<&str>)> = vec![
        (false, vec![], vec!["Cases"]),
        (true, vec![], all.to_vec()),
        (false, vec![view("CASES")], vec!["CASES"]),
        (
            true,
            vec![view("Mail"), view("assigned conversations")],
            vec!["Mail", "assigned conversations", "Cases", all[2], all[3]],
        ),
    ];
    for (channels, views, want) in cases {
        let catalog = stored(|p| {
            p.all_active_channels = channels;
            p.inbox.views = views;
        });
        let update = UpdateProfile::new(name("contoso_rep"), preset());
        let plan = update.plan(&catalog, &context()).unwrap();
        let next = catalog.apply(&plan.changes, 2, Time::default());
        let views = &next.tables.profiles.find("contoso_rep").unwrap().inbox.views;
        assert_eq!(views.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), want);
        let given = ProfilePatch { inbox_views: Some(views.clone()), ..preset() };
        let again = UpdateProfile::new(name("contoso_rep"), given);
        assert!(!again.plan(&next, &context()).unwrap().changed(), "valid, and nothing to add");
    }
    let full = stored(|p| {
        p.inbox.views = (0..MAX_INBOX_VIEWS).map(|at| view(&format!("View {at}"))).collect();
    });
    let update = UpdateProfile::new(name("contoso_rep"), preset());
    assert_eq!(update.plan(&full, &context()).unwrap_err().reason, Reason::LimitReached);
}
