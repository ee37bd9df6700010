use super::*;
use crate::{
    catalog::builtin,
    command::{Command as _, Context, DirectoryPolicy},
    domain::{Actor, Time, UniqueName},
};

fn context() -> Context {
    Context {
        actor: Actor::system(),
        revision: 2,
        time: Time::default(),
        uid: uuid::Uuid::nil(),
        policy: DirectoryPolicy::default(),
    }
}

fn upsert(name: &str, patch: ProfilePatch) -> UpdateProfile {
    let name = UniqueName::parse(name).unwrap();
    UpdateProfile { allow_missing: true, ..UpdateProfile::new(name, patch) }
}

#[test]
fn an_update_creates_what_is_missing_where_it_is_asked_to() {
    let catalog = Catalog::from_objects(builtin::objects(1, Time::default()), 1, Time::default());
    let named = || ProfilePatch { display_name: Some(" Rep ".into()), ..Default::default() };
    let template = UniqueName::known("case_entity_session_default_template");
    let seen = || Some("seen".to_owned());
    for (update, reason) in [
        (
            UpdateProfile { allow_missing: false, ..upsert("contoso_rep", named()) },
            Reason::ProfileNotFound,
        ),
        (UpdateProfile { etag: seen(), ..upsert("contoso_rep", named()) }, Reason::EtagMismatch),
        (upsert("contoso_rep", ProfilePatch::default()), Reason::FieldInvalid),
        (upsert("MSDYN_rep", named()), Reason::ReservedPrefix),
        (upsert("msdyn_csw_default_profile", named()), Reason::BuiltInReadOnly),
    ] {
        assert_eq!(update.plan(&catalog, &context()).unwrap_err().reason, reason, "{update:?}");
    }
    let patch = ProfilePatch { add_session_template: Some(template.clone()), ..named() };
    let update = upsert("contoso_rep", patch);
    let plan = update.plan(&catalog, &context()).unwrap();
    let after = catalog.apply(&plan.changes, 2, Time::default());
    let made = after.tables.profiles.find("contoso_rep").unwrap();
    assert_eq!(made.common, Common::custom(UniqueName::known("contoso_rep"), "Rep"));
    assert_eq!(made.session_templates, [template]);
    assert!(!update.plan(&after, &context()).unwrap().changed());
}
