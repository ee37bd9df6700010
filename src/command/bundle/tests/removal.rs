use super::*;
use crate::domain::{
    ObjectKey, UserId,
    directory::{DirectLink, User, UserKind},
    rules::Rules as _,
    session_template::{SessionTemplate, SessionType},
};

fn template(text: &str, origin: Origin) -> Object {
    let common = Common { origin, ..Common::custom(name(text), text) };
    let mut template = SessionTemplate::empty(common, stamp());
    template.session_type = SessionType::Entity;
    template.entity = "incident".to_owned();
    Object::SessionTemplate(Arc::new(template))
}

fn holding(text: &str, origin: Origin) -> Object {
    stored(text, |profile| {
        profile.common.origin = origin;
        profile.session_templates = vec![name("pack_case")];
    })
}

fn linked(profile: &str) -> Object {
    let link = DirectLink { profile: name(profile), assigned_at: None, assigned_by: String::new() };
    Object::User(Arc::new(User {
        id: UserId::parse("john.doe").unwrap(),
        stamp: stamp(),
        display_name: "John".into(),
        kind: UserKind::Human,
        email: String::new(),
        roles: Default::default(),
        direct: vec![link],
        disabled: false,
        business_unit: String::new(),
        synced: None,
    }))
}

fn uninstall(catalog: &Catalog, force: bool) -> Result<Catalog, Refusal> {
    uninstall_named(catalog, &[], force)
}

fn uninstall_named(
    catalog: &Catalog,
    names: &[(Kind, &str)],
    force: bool,
) -> Result<Catalog, Refusal> {
    let objects = names.iter().map(|(kind, name)| ObjectKey::new(*kind, name)).collect();
    let command = UninstallBundle { bundle: name("CONTOSO_pack"), objects, force };
    let plan = command.plan(catalog, &context())?;
    Ok(catalog.apply(&plan.changes, 2, Time::from_micros(9)))
}

fn pack() -> Origin {
    managed("contoso_pack")
}

#[test]
fn s11_4_a_bundle_goes_with_the_references_between_its_objects() {
    let other = stored("other_rep", |profile| profile.common.origin = managed("other_pack"));
    let before = catalog([
        template("pack_case", pack()),
        holding("pack_rep", pack()),
        other,
        stored("contoso_rep", |_| {}),
    ]);
    let after = uninstall(&before, false).unwrap();
    for (kind, text, stays) in [
        (Kind::SessionTemplate, "pack_case", false),
        (Kind::Profile, "pack_rep", false),
        (Kind::Profile, "other_rep", true),
        (Kind::Profile, "contoso_rep", true),
    ] {
        assert_eq!(after.object(&ObjectKey::new(kind, text)).is_some(), stays, "{text}");
    }
    assert_eq!(uninstall(&after, false).unwrap_err().reason, Reason::ObjectNotFound);
}

#[test]
fn named_objects_of_a_bundle_go_alone() {
    let before = catalog([
        template("pack_case", pack()),
        template("pack_other", pack()),
        holding("pack_rep", pack()),
        template("contoso_case", Origin::Custom),
    ]);
    let left = |after: &Catalog| {
        let all = ["pack_case", "pack_other"].map(|name| (Kind::SessionTemplate, name));
        let all = all.into_iter().chain([(Kind::Profile, "pack_rep")]);
        let kept = all.filter(|(kind, name)| after.object(&ObjectKey::new(*kind, name)).is_some());
        kept.map(|(_, name)| name).collect::<Vec<_>>()
    };
    let one = [(Kind::SessionTemplate, "PACK_other")];
    assert_eq!(left(&uninstall_named(&before, &one, false).unwrap()), ["pack_case", "pack_rep"]);
    // The order does not matter, and neither does a name that is given twice.
    let case = (Kind::SessionTemplate, "pack_case");
    let both = [case, (Kind::Profile, "pack_rep"), case];
    assert_eq!(left(&uninstall_named(&before, &both, false).unwrap()), ["pack_other"]);
    // What stays of the bundle is locked, with what it refers to.
    for force in [false, true] {
        let refusal = uninstall_named(&before, &[case], force).unwrap_err();
        assert_eq!(refusal.reason, Reason::ObjectInUse);
        assert_eq!(refusal.resources[0].name, "pack_rep");
    }
}

#[test]
fn a_name_that_is_not_of_the_bundle_refuses_all() {
    let other = stored("other_rep", |profile| profile.common.origin = managed("other_pack"));
    let user = linked("pack_rep");
    let before = catalog([
        template("pack_case", pack()),
        template("contoso_case", Origin::Custom),
        stored("pack_rep", |profile| profile.common.origin = pack()),
        other,
        user,
    ]);
    for (kind, text, reason) in [
        (Kind::SessionTemplate, "contoso_case", Reason::ObjectNotFound),
        (Kind::Profile, "other_rep", Reason::ObjectNotFound),
        (Kind::User, "john.doe", Reason::ObjectNotFound),
        (Kind::Profile, "pack_gone", Reason::ProfileNotFound),
    ] {
        let named = [(Kind::SessionTemplate, "pack_case"), (kind, text)];
        let refusal = uninstall_named(&before, &named, true).unwrap_err();
        assert_eq!(refusal.reason, reason, "{text}");
        assert_eq!(refusal.resources[0].name, text);
    }
}

#[test]
fn s11_4_what_is_in_use_stays_unless_it_is_forced() {
    let rank = stored("pack_rep", |profile| {
        profile.common.origin = pack();
        profile.rank = Some(3);
        profile.roles = BTreeSet::from([name("msdyn_csr")]);
    });
    let flag = stored("pack_rep", |profile| {
        profile.common.origin = pack();
        profile.is_default = true;
    });
    let user = [stored("pack_rep", |profile| profile.common.origin = pack()), linked("pack_rep")];
    let held = [template("pack_case", pack()), holding("contoso_rep", Origin::Custom)];
    for (objects, reason) in [
        (vec![rank], Reason::ProfileInUse),
        (vec![flag], Reason::ProfileInUse),
        (user.into(), Reason::ProfileInUse),
        (held.into(), Reason::ObjectInUse),
    ] {
        let before = catalog(objects);
        assert_eq!(uninstall(&before, false).unwrap_err().reason, reason);
        let after = uninstall(&before, true).unwrap();
        assert!(after.tables.profiles.find("pack_rep").is_none());
        assert!(after.tables.session_templates.find("pack_case").is_none());
        if let Some(holder) = after.tables.profiles.find("contoso_rep") {
            assert!(holder.session_templates.is_empty());
        }
    }
}

#[test]
fn references_of_another_bundle_cannot_be_taken() {
    let before =
        catalog([template("pack_case", pack()), holding("other_rep", managed("other_pack"))]);
    for force in [false, true] {
        let refusal = uninstall(&before, force).unwrap_err();
        assert_eq!(refusal.reason, Reason::ObjectInUse);
        assert_eq!(refusal.resources[0].name, "other_rep");
    }
}
