//! What holds for every kind of library object, and deletes of what others refer to.

mod conversations;
mod delete;
mod provider;
mod secrets;
mod session_template;
mod tab_template;

use std::sync::Arc;

use super::*;
use crate::{
    catalog::builtin,
    command::{DirectoryPolicy, ProfilePatch},
    domain::{
        Actor, Object, Reason, Time,
        field::{FieldValue, Values},
        profile::Profile,
        provider::ChannelProvider,
        session_template::{SessionTemplate, SessionType},
        stored::Stored as _,
        tab_template::{PageType, TabParameter, TabTemplate},
        tool::ProductivityTool,
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
        policy: DirectoryPolicy::default(),
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

fn create<T: Strategy>(unique_name: &str, patch: &T::Patch) -> Create<T> {
    Create { unique_name: unique_name.to_owned(), patch: patch.clone() }
}

fn update<T: Strategy>(name: &str, patch: &T::Patch) -> Update<T> {
    Update::new(self::name(name), patch.clone())
}

fn clone<T: Strategy>(source: &str, unique_name: &str) -> CloneObject<T> {
    CloneObject::new(name(source), unique_name.to_owned(), " Copy ".to_owned())
}

fn state<T: Strategy>(name: &str, state: State) -> SetState<T> {
    SetState::new(self::name(name), None, state)
}

fn delete<T: Strategy>(name: &str, force: bool) -> Delete<T> {
    Delete::new(self::name(name), None, force)
}

/// New values of one field.
fn new<T>(path: &'static str, value: &impl FieldValue) -> Values<T> {
    Values::default().with(path, value)
}

fn text<T>(path: &'static str, text: &str) -> Values<T> {
    new(path, &text.to_owned())
}

fn session() -> Values<SessionTemplate> {
    text("display_name", " Case ").with("entity", &"incident".to_owned())
}

fn generic() -> Values<SessionTemplate> {
    text("display_name", "Chat")
        .with("type", &SessionType::Generic)
        .with("anchor_tab", &Some(name("MSDYN_entityrecord")))
}

fn tab(page_type: PageType, parameters: &[(&str, &str)]) -> Values<TabTemplate> {
    let parameter = |(name, value): &(&str, &str)| TabParameter {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
        unique_name: None,
    };
    let parameters: Vec<_> = parameters.iter().map(parameter).collect();
    text("display_name", "Tab").with("page_type", &page_type).with("parameters", &parameters)
}

fn site() -> Values<TabTemplate> {
    tab(PageType::ThirdPartyWebsite, &[("url", "https://contoso.com/{caseId}")])
}

fn tool() -> Values<ProductivityTool> {
    text("display_name", "Notes").with("control_name", &"contoso.Notes".to_owned())
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
fn stored<T: Strategy>(catalog: &Catalog, name: &str) -> Arc<T> {
    Arc::clone(T::table(&catalog.tables).find(name).unwrap())
}

/// The catalog with an object brought and locked by a bundle.
fn managed<T: Strategy>(catalog: &Catalog, name: &str) -> Catalog {
    let mut object = T::clone(&stored::<T>(catalog, name));
    let bundle = || "contoso_bundle".to_owned();
    object.common_mut().origin = Origin::Managed { bundle: bundle(), version: "1".to_owned() };
    object.common_mut().state = State::Inactive;
    let change = Change::Put(object.into_object());
    catalog.apply(&[change], catalog.revision, Time::default())
}

/// The life of an object of one kind: `patch` makes it, `change` alters it.
fn lives<T: Strategy>(patch: &T::Patch, change: &T::Patch, built_in: &str) {
    let missing = T::KIND.not_found().as_str();
    let seeded = catalog([]);

    for (given, expected) in [
        ("contoso", "UNIQUE_NAME_INVALID unique_name"),
        (" contoso_x", "UNIQUE_NAME_INVALID unique_name"),
        ("MSDYN_x", "RESERVED_PREFIX unique_name"),
        (built_in, "RESERVED_PREFIX unique_name"),
        ("contoso_X", "ok"),
    ] {
        assert_eq!(told(&seeded, &create::<T>(given, patch)), expected);
        let upsert = |etag| Update { etag, allow_missing: true, ..update::<T>(given, patch) };
        if given == "contoso_X" {
            assert_eq!(told(&seeded, &upsert(None)), "ok");
            assert_eq!(told(&seeded, &upsert(some("seen"))), "ETAG_MISMATCH");
        }
    }
    let nameless = create::<T>("contoso_x", &T::Patch::default());
    assert!(told(&seeded, &nameless).starts_with("FIELD_INVALID display_name"));
    assert_eq!(told(&seeded, &update::<T>("contoso_x", change)), missing);
    assert_eq!(told(&seeded, &state::<T>("contoso_x", State::Active)), missing);
    assert_eq!(told(&seeded, &delete::<T>("contoso_x", true)), missing);
    assert_eq!(told(&seeded, &clone::<T>("contoso_x", "contoso_y")), missing);

    let made = done(&seeded, &create::<T>("contoso_X", patch));
    let object = stored::<T>(&made, "contoso_x");
    assert_eq!(object.common().origin, Origin::Custom);
    assert!(object.common().is_active());
    let taken = create::<T>("CONTOSO_x", patch).plan(&made, &context(1)).unwrap_err();
    assert_eq!((taken.reason, &*taken.resources[0].name), (Reason::UniqueNameTaken, "contoso_X"));

    assert_eq!(told(&made, &update::<T>("contoso_x", patch)), "same");
    let stale = Update { etag: some("old"), ..update::<T>("contoso_x", change) };
    let refusal = stale.plan(&made, &context(1)).unwrap_err();
    assert_eq!(refusal.reason, Reason::EtagMismatch);
    assert_eq!(refusal.metadata["current_etag"], object.stamp().etag());
    let fresh = Update { etag: Some(object.stamp().etag()), ..update::<T>("contoso_x", change) };
    let changed = done(&made, &fresh);
    assert_ne!(stored::<T>(&changed, "contoso_x").stamp().etag(), object.stamp().etag());

    let off = done(&changed, &state::<T>("contoso_x", State::Inactive));
    assert_eq!(told(&off, &state::<T>("contoso_x", State::Inactive)), "same");
    let copied = done(&off, &clone::<T>("contoso_x", "contoso_copy"));
    let copy = stored::<T>(&copied, "contoso_copy");
    assert!(copy.common().is_active());
    assert_eq!(copy.common().display_name, "Copy");
    assert_ne!(copy.stamp().uid, object.stamp().uid);
    assert_eq!(told(&copied, &clone::<T>("contoso_x", "contoso_COPY")), "UNIQUE_NAME_TAKEN");
    let gone = done(&copied, &delete::<T>("contoso_x", false));
    assert_eq!(told(&gone, &create::<T>("contoso_x", patch)), "ok");

    let locked = managed::<T>(&made, "contoso_x");
    let unlocked = clone::<T>("contoso_x", "contoso_y");
    assert_eq!(told(&locked, &unlocked), "ok");
    assert_eq!(stored::<T>(&done(&locked, &unlocked), "contoso_y").common().origin, Origin::Custom);
    for (catalog, object, reason) in
        [(&locked, "contoso_x", "MANAGED_READ_ONLY"), (&seeded, built_in, "BUILT_IN_READ_ONLY")]
    {
        let commands: [(&dyn Command, &str); 4] = [
            (&Update { etag: some("old"), ..update::<T>(object, change) }, "UPDATE"),
            (&state::<T>(object, State::Active), "ACTIVATE"),
            (&state::<T>(object, State::Inactive), "DEACTIVATE"),
            (&delete::<T>(object, true), "DELETE"),
        ];
        for (command, operation) in commands {
            let refusal = command.plan(catalog, &context(1)).unwrap_err();
            assert_eq!(refusal.reason.as_str(), reason, "{command:?}");
            assert_eq!(refusal.metadata["operation"], operation);
            assert_eq!(refusal.resources[0].kind, T::KIND.as_str());
        }
    }
}

#[test]
fn every_kind_lives_the_same_life() {
    let titled = text("title", "{caseTitle}");
    lives::<SessionTemplate>(&session(), &titled, "msdyn_chat_session");
    lives::<SessionTemplate>(&generic(), &titled, "msdyn_chat_session");
    let closed = new("can_close", &false);
    lives::<TabTemplate>(&site(), &closed, "msdyn_entityrecord");
    lives::<TabTemplate>(&site(), &closed, "msdyn_search");
    let described = text("description", "Notes\nof agents");
    lives::<ProductivityTool>(&tool(), &described, "msdyn_tool_copilot");
    let rep = ProfilePatch { display_name: some("Rep"), ..Default::default() };
    let pane = ProfilePatch { pane_on: Some(true), ..Default::default() };
    lives::<Profile>(&rep, &pane, "msdyn_csw_default_profile");
    let last = ProviderPatch { channel_order: Some(1_000), ..Default::default() };
    lives::<ChannelProvider>(&voice(), &last, "msdyn_omnichannel");
}

/// An update of a kind that refers to what does not exist is judged by origin and etag first.
fn is_judged_by_references_last<T: Strategy>(patch: &T::Patch, dead: &T::Patch, missing: Reason) {
    let made = done(&catalog([]), &create::<T>("contoso_x", patch));
    let dead = update::<T>("contoso_x", dead);
    let reason = |c: &Catalog, update: &Update<T>| update.plan(c, &context(1)).unwrap_err().reason;
    let stale = Update { etag: some("old"), ..dead.clone() };
    let locked = managed::<T>(&made, "contoso_x");
    assert_eq!(reason(&locked, &stale), Reason::ManagedReadOnly);
    assert_eq!(reason(&made, &stale), Reason::EtagMismatch);
    assert_eq!(reason(&made, &dead), missing);
}

#[test]
fn every_kind_is_judged_in_one_order() {
    let tabs = new("additional_tabs", &names(&["contoso_none"]));
    is_judged_by_references_last::<SessionTemplate>(&session(), &tabs, Reason::TemplateNotFound);
    let rep = ProfilePatch { display_name: some("Rep"), ..Default::default() };
    let templates =
        ProfilePatch { session_templates: Some(names(&["contoso_none"])), ..Default::default() };
    is_judged_by_references_last::<Profile>(&rep, &templates, Reason::TemplateNotFound);
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let templates = ProfilePatch {
        display_name: some("Rep"),
        session_templates: Some(names(&["contoso_none", "contoso_nil"])),
        providers: Some(names(&["contoso_line"]).into_iter().collect()),
        ..Default::default()
    };
    let create = create::<Profile>("contoso_x", &templates);
    let refusal = create.plan(&catalog([]), &context(1)).unwrap_err();
    let named: Vec<_> = refusal.resources.iter().map(|r| (&*r.kind, &*r.name)).collect();
    let wanted = [
        ("SessionTemplate", "contoso_none"),
        ("SessionTemplate", "contoso_nil"),
        ("ChannelProvider", "contoso_line"),
    ];
    assert_eq!(named, wanted);
}

#[test]
fn writes_are_named_after_their_kind() {
    let table: [(&dyn Command, &str); 6] = [
        (&create::<SessionTemplate>("contoso_x", &session()), "CreateSessionTemplate"),
        (&update::<TabTemplate>("contoso_x", &site()), "UpdateApplicationTabTemplate"),
        (&clone::<ChannelProvider>("contoso_x", "contoso_y"), "CloneChannelProvider"),
        (&state::<ProductivityTool>("contoso_x", State::Active), "ActivateProductivityTool"),
        (&state::<ProductivityTool>("contoso_x", State::Inactive), "DeactivateProductivityTool"),
        (&delete::<ChannelProvider>("contoso_x", false), "DeleteChannelProvider"),
    ];
    for (command, operation) in table {
        assert_eq!(command.operation(), operation);
        assert!(command.flags().is_empty());
    }
    assert_eq!(delete::<ProductivityTool>("contoso_x", true).flags(), ["force"]);
}

#[test]
fn common_fields_and_those_of_tools_have_their_limits() {
    let seeded = catalog([]);
    let long = |length: usize| "\u{fc}".repeat(length);
    for (field, most) in [
        ("display_name", 100),
        ("description", 256),
        ("owner", 100),
        ("control_name", 100),
        ("data", 1_000),
        ("icon", 100),
        ("learn_more", 100),
        ("configuration_entity", 100),
    ] {
        let judged = |text: String| {
            told(&seeded, &create::<ProductivityTool>("contoso_x", &tool().with(field, &text)))
        };
        assert_eq!(judged(long(most)), "ok");
        let expected = format!("FIELD_INVALID {field}");
        assert_eq!(judged(long(most + 1)), expected);
        assert_eq!(judged("bell\u{7}".to_owned()), expected);
    }
    let mut patch = tool().with("owner", &long(101));
    patch.take("control_name");
    let all = "UNIQUE_NAME_INVALID unique_name owner control_name";
    assert_eq!(told(&seeded, &create::<ProductivityTool>("x", &patch)), all);
    let made = done(&seeded, &create::<ProductivityTool>("contoso_x", &tool()));
    assert_eq!(
        told(&made, &update::<ProductivityTool>("contoso_x", &text("control_name", ""))),
        "FIELD_INVALID control_name"
    );
    let long = session().with("description", &long(2_000));
    assert_eq!(told(&seeded, &create::<SessionTemplate>("contoso_x", &long)), "ok");
}

#[test]
fn copies_of_gated_tools_are_not_gated() {
    let copied = done(
        &catalog([]),
        &clone::<ProductivityTool>("msdyn_tool_screen_recording", "contoso_rec"),
    );
    let copy = stored::<ProductivityTool>(&copied, "contoso_rec");
    assert_eq!((copy.org_gate, &copy.required_role), (None, &None));
    assert_eq!(copy.control_name, "msdyn_tool_screen_recording");
}
