//! What holds for every kind of library object, and deletes of what others refer to.

mod delete;
mod provider;
mod secrets;
mod session_template;
mod tab_template;

use std::sync::Arc;

use super::*;
use crate::{
    catalog::builtin,
    domain::{
        Actor, Object, Reason, Time,
        template::{PageType, TabParameter},
    },
};

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn names(texts: &[&str]) -> Vec<UniqueName> {
    texts.iter().map(|text| name(text)).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn context(number: u128) -> Context {
    Context {
        actor: Actor::system(),
        revision: 10 + i64::try_from(number).unwrap(),
        time: Time::default(),
        uid: uuid::Uuid::from_u128(number << 96),
    }
}

/// The built-in objects and these.
fn catalog(objects: impl IntoIterator<Item = Object>) -> Catalog {
    let seeded = builtin::objects(1, Time::default());
    Catalog::from_objects(seeded.into_iter().chain(objects), 1, Time::default())
}

/// The catalog after a write that must be accepted and must change something.
fn done(catalog: &Catalog, command: &dyn Command) -> Catalog {
    let revision = catalog.revision + 1;
    let number = u128::try_from(revision).unwrap();
    let plan = command.plan(catalog, &context(number)).unwrap();
    assert!(plan.changed(), "{command:?}");
    catalog.apply(&plan.changes, revision, Time::default())
}

/// `ok`, `same` when nothing changes, or the reason with the fields of all violations.
fn told(catalog: &Catalog, command: &dyn Command) -> String {
    match command.plan(catalog, &context(1)) {
        Ok(plan) if plan.changed() => "ok".to_owned(),
        Ok(_) => "same".to_owned(),
        Err(refusal) => {
            let fields = refusal.violations.iter().map(|v| v.field.as_str());
            std::iter::once(refusal.reason.as_str()).chain(fields).collect::<Vec<_>>().join(" ")
        }
    }
}

fn create<E: Entry>(unique_name: &str, patch: &E::Patch) -> Create<E> {
    Create { unique_name: unique_name.to_owned(), patch: patch.clone() }
}

fn update<E: Entry>(name: &str, patch: &E::Patch) -> Update<E> {
    Update { name: self::name(name), etag: None, patch: patch.clone(), allow_missing: false }
}

fn clone<E: Entry>(source: &str, unique_name: &str) -> CloneObject<E> {
    CloneObject::new(name(source), unique_name.to_owned(), " Copy ".to_owned())
}

fn state<E: Entry>(name: &str, state: State) -> SetState<E> {
    SetState::new(self::name(name), None, state)
}

fn delete<E: Entry>(name: &str, force: bool) -> Delete<E> {
    Delete::new(self::name(name), None, force)
}

fn session() -> SessionTemplatePatch {
    SessionTemplatePatch {
        display_name: some(" Case "),
        entity: some("incident"),
        ..Default::default()
    }
}

fn generic() -> SessionTemplatePatch {
    SessionTemplatePatch {
        display_name: some("Chat"),
        session_type: Some(crate::domain::template::SessionType::Generic),
        anchor_tab: Some(Some(name("MSDYN_entityrecord"))),
        ..Default::default()
    }
}

fn tab(page_type: PageType, parameters: &[(&str, &str)]) -> TabTemplatePatch {
    let parameter = |(name, value): &(&str, &str)| TabParameter {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
        unique_name: None,
    };
    TabTemplatePatch {
        display_name: some("Tab"),
        page_type: Some(page_type),
        parameters: Some(parameters.iter().map(parameter).collect()),
        ..Default::default()
    }
}

fn site() -> TabTemplatePatch {
    tab(PageType::ThirdPartyWebsite, &[("url", "https://contoso.com/{caseId}")])
}

fn tool() -> ToolPatch {
    ToolPatch {
        display_name: some("Notes"),
        control_name: some("contoso.Notes"),
        ..Default::default()
    }
}

fn voice() -> ProviderPatch {
    ProviderPatch {
        display_name: some("Voice"),
        label: some("Phone"),
        channel_url: some("https://voice.contoso.com/"),
        ..Default::default()
    }
}

/// An object of the kind, as the catalog has it.
fn stored<E: Entry>(catalog: &Catalog, name: &str) -> Arc<E::Object> {
    Arc::clone(E::table(catalog).find(name).unwrap())
}

/// The catalog with an object brought and locked by a bundle.
fn managed<E: Entry>(catalog: &Catalog, name: &str) -> Catalog {
    let mut object = E::Object::clone(&stored::<E>(catalog, name));
    let bundle = || "contoso_bundle".to_owned();
    object.common_mut().origin = Origin::Managed { bundle: bundle(), version: "1".to_owned() };
    object.common_mut().state = State::Inactive;
    let change = Change::Put(object.into_object());
    catalog.apply(&[change], catalog.revision, Time::default())
}

/// The life of an object of one kind: `patch` makes it, `change` alters it.
fn lives<E: Entry + Clone>(patch: &E::Patch, change: &E::Patch, built_in: &str) {
    let missing = E::KIND.not_found().as_str();
    let seeded = catalog([]);

    for (given, expected) in [
        ("contoso", "UNIQUE_NAME_INVALID unique_name"),
        (" contoso_x", "UNIQUE_NAME_INVALID unique_name"),
        ("MSDYN_x", "RESERVED_PREFIX unique_name"),
        (built_in, "RESERVED_PREFIX unique_name"),
        ("contoso_X", "ok"),
    ] {
        assert_eq!(told(&seeded, &create::<E>(given, patch)), expected);
        let upsert = |etag| Update { etag, allow_missing: true, ..update::<E>(given, patch) };
        if given == "contoso_X" {
            assert_eq!(told(&seeded, &upsert(None)), "ok");
            assert_eq!(told(&seeded, &upsert(some("seen"))), "ETAG_MISMATCH");
        }
    }
    let nameless = create::<E>("contoso_x", &E::Patch::default());
    assert!(told(&seeded, &nameless).starts_with("FIELD_INVALID display_name"));
    assert_eq!(told(&seeded, &update::<E>("contoso_x", change)), missing);
    assert_eq!(told(&seeded, &state::<E>("contoso_x", State::Active)), missing);
    assert_eq!(told(&seeded, &delete::<E>("contoso_x", true)), missing);
    assert_eq!(told(&seeded, &clone::<E>("contoso_x", "contoso_y")), missing);

    let made = done(&seeded, &create::<E>("contoso_X", patch));
    let object = stored::<E>(&made, "contoso_x");
    assert_eq!(object.common().origin, Origin::Custom);
    assert!(object.common().is_active());
    let taken = create::<E>("CONTOSO_x", patch).plan(&made, &context(1)).unwrap_err();
    assert_eq!((taken.reason, &*taken.resources[0].name), (Reason::UniqueNameTaken, "contoso_X"));

    assert_eq!(told(&made, &update::<E>("contoso_x", patch)), "same");
    let stale = Update { etag: some("old"), ..update::<E>("contoso_x", change) };
    let refusal = stale.plan(&made, &context(1)).unwrap_err();
    assert_eq!(refusal.reason, Reason::EtagMismatch);
    assert_eq!(refusal.metadata["current_etag"], object.stamp().etag());
    let fresh = Update { etag: Some(object.stamp().etag()), ..update::<E>("contoso_x", change) };
    let changed = done(&made, &fresh);
    assert_ne!(stored::<E>(&changed, "contoso_x").stamp().etag(), object.stamp().etag());

    let off = done(&changed, &state::<E>("contoso_x", State::Inactive));
    assert_eq!(told(&off, &state::<E>("contoso_x", State::Inactive)), "same");
    let copied = done(&off, &clone::<E>("contoso_x", "contoso_copy"));
    let copy = stored::<E>(&copied, "contoso_copy");
    assert!(copy.common().is_active());
    assert_eq!(copy.common().display_name, "Copy");
    assert_ne!(copy.stamp().uid, object.stamp().uid);
    assert_eq!(told(&copied, &clone::<E>("contoso_x", "contoso_COPY")), "UNIQUE_NAME_TAKEN");
    let gone = done(&copied, &delete::<E>("contoso_x", false));
    assert_eq!(told(&gone, &create::<E>("contoso_x", patch)), "ok");

    let locked = managed::<E>(&made, "contoso_x");
    let unlocked = clone::<E>("contoso_x", "contoso_y");
    assert_eq!(told(&locked, &unlocked), "ok");
    assert_eq!(stored::<E>(&done(&locked, &unlocked), "contoso_y").common().origin, Origin::Custom);
    for (catalog, object, reason) in
        [(&locked, "contoso_x", "MANAGED_READ_ONLY"), (&seeded, built_in, "BUILT_IN_READ_ONLY")]
    {
        let commands: [(&dyn Command, &str); 4] = [
            (&Update { etag: some("old"), ..update::<E>(object, change) }, "UPDATE"),
            (&state::<E>(object, State::Active), "ACTIVATE"),
            (&state::<E>(object, State::Inactive), "DEACTIVATE"),
            (&delete::<E>(object, true), "DELETE"),
        ];
        for (command, operation) in commands {
            let refusal = command.plan(catalog, &context(1)).unwrap_err();
            assert_eq!(refusal.reason.as_str(), reason, "{command:?}");
            assert_eq!(refusal.metadata["operation"], operation);
            assert_eq!(refusal.resources[0].kind, E::KIND.as_str());
        }
    }
}

#[test]
fn every_kind_lives_the_same_life() {
    let titled = SessionTemplatePatch { title: some("{caseTitle}"), ..Default::default() };
    lives::<SessionTemplates>(&session(), &titled, "msdyn_chat_session");
    lives::<SessionTemplates>(&generic(), &titled, "msdyn_chat_session");
    let closed = TabTemplatePatch { can_close: Some(false), ..Default::default() };
    lives::<TabTemplates>(&site(), &closed, "msdyn_entityrecord");
    lives::<TabTemplates>(&site(), &closed, "msdyn_search");
    let described = ToolPatch { description: some("Notes\nof agents"), ..Default::default() };
    lives::<Tools>(&tool(), &described, "msdyn_tool_copilot");
    let last = ProviderPatch { channel_order: Some(1_000), ..Default::default() };
    lives::<Providers>(&voice(), &last, "msdyn_omnichannel");
}

#[test]
fn writes_are_named_after_their_kind() {
    let table: [(&dyn Command, &str); 6] = [
        (&create::<SessionTemplates>("contoso_x", &session()), "CreateSessionTemplate"),
        (&update::<TabTemplates>("contoso_x", &site()), "UpdateApplicationTabTemplate"),
        (&clone::<Providers>("contoso_x", "contoso_y"), "CloneChannelProvider"),
        (&state::<Tools>("contoso_x", State::Active), "ActivateProductivityTool"),
        (&state::<Tools>("contoso_x", State::Inactive), "DeactivateProductivityTool"),
        (&delete::<Providers>("contoso_x", false), "DeleteChannelProvider"),
    ];
    for (command, operation) in table {
        assert_eq!(command.operation(), operation);
        assert!(command.flags().is_empty());
    }
    assert_eq!(delete::<Tools>("contoso_x", true).flags(), ["force"]);
}

#[test]
fn common_fields_and_those_of_tools_have_their_limits() {
    let seeded = catalog([]);
    let long = |length: usize| Some("\u{fc}".repeat(length));
    type Set = fn(&mut ToolPatch, Option<String>);
    let table: [(Set, usize, &str); 8] = [
        (|p, text| p.display_name = text, 100, "display_name"),
        (|p, text| p.description = text, 256, "description"),
        (|p, text| p.owner = text, 100, "owner"),
        (|p, text| p.control_name = text, 100, "control_name"),
        (|p, text| p.data = text, 1_000, "data"),
        (|p, text| p.icon = text, 100, "icon"),
        (|p, text| p.learn_more = text, 100, "learn_more"),
        (|p, text| p.configuration_entity = text, 100, "configuration_entity"),
    ];
    for (set, most, field) in table {
        let mut patch = tool();
        set(&mut patch, long(most));
        assert_eq!(told(&seeded, &create::<Tools>("contoso_x", &patch)), "ok");
        set(&mut patch, long(most + 1));
        let expected = format!("FIELD_INVALID {field}");
        assert_eq!(told(&seeded, &create::<Tools>("contoso_x", &patch)), expected);
        set(&mut patch, some("bell\u{7}"));
        assert_eq!(told(&seeded, &create::<Tools>("contoso_x", &patch)), expected);
    }
    let patch = ToolPatch { control_name: None, owner: long(101), ..tool() };
    let all = "UNIQUE_NAME_INVALID unique_name owner control_name";
    assert_eq!(told(&seeded, &create::<Tools>("x", &patch)), all);
    let patch = ToolPatch { control_name: some(""), ..Default::default() };
    let made = done(&seeded, &create::<Tools>("contoso_x", &tool()));
    assert_eq!(told(&made, &update::<Tools>("contoso_x", &patch)), "FIELD_INVALID control_name");
    let long = SessionTemplatePatch { description: long(2_000), ..session() };
    assert_eq!(told(&seeded, &create::<SessionTemplates>("contoso_x", &long)), "ok");
}

#[test]
fn copies_of_gated_tools_are_not_gated() {
    let copied = done(&catalog([]), &clone::<Tools>("msdyn_tool_screen_recording", "contoso_rec"));
    let copy = stored::<Tools>(&copied, "contoso_rec");
    assert_eq!((copy.org_gate, &copy.required_role), (None, &None));
    assert_eq!(copy.control_name, "msdyn_tool_screen_recording");
}
