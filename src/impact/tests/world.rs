//! Objects and changes of every kind, among which references lead to each other or nowhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use proptest::prelude::*;

use crate::{
    catalog::{Catalog, builtin},
    command::library::samples,
    domain::{
        Change, Common, Kind, Object, ObjectKey, Stamp, State, TeamId, Time, UniqueName, UserId,
        channel::{Channel, ChannelKind},
        copilot::{PANE_TOOL, Setting},
        directory::{DirectLink, Team, User, UserKind},
        field::{Choice as _, FieldType, Value as FieldValue},
        notification_template::NotificationTemplate,
        profile::{PaneTool, Profile},
        provider::ChannelProvider,
        role::{Persona, SecurityRole},
        session_template::{SessionTemplate, SessionType},
        settings::Settings,
        tab_template::{PageType, TabTemplate},
        tool::{ProductivityTool, SCRIPTS_TOOL, SMART_ASSIST_TOOL},
    },
};

fn stamp() -> Stamp {
    Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test")
}

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn common(text: &str, active: bool) -> Common {
    let state = if active { State::Active } else { State::Inactive };
    Common { state, ..Common::custom(name(text), text) }
}

/// Roles 0 to 2 are custom, role 3 leads to a built-in profile with channels.
pub(super) fn role_name(number: u8) -> UniqueName {
    match number {
        3 => name("msdyn_oc_agent"),
        _ => name(&format!("role_{number}")),
    }
}

pub(super) fn role(number: u8, root: Option<u8>, persona: bool) -> Object {
    Object::Role(Arc::new(SecurityRole {
        common: common(role_name(number).as_str(), true),
        stamp: stamp(),
        business_unit: String::new(),
        root_role: root.map(role_name),
        grants: BTreeSet::new(),
        persona: if persona { Persona::Agent } else { Persona::None },
    }))
}

pub(super) fn user(number: u8, roles: &[u8], link: Option<u8>, disabled: bool) -> Object {
    Object::User(Arc::new(User {
        id: UserId::parse(&format!("u{number}")).unwrap(),
        stamp: stamp(),
        display_name: String::new(),
        kind: UserKind::Human,
        email: String::new(),
        roles: roles.iter().map(|r| role_name(*r)).collect(),
        direct: link
            .into_iter()
            .map(|p| DirectLink {
                profile: name(&format!("prof_{p}")),
                assigned_at: Some(Time::from_micros(1_000)),
                assigned_by: "test".into(),
            })
            .collect(),
        disabled,
        business_unit: String::new(),
        synced: None,
    }))
}

fn team(members: &[u8], roles: &[u8]) -> Object {
    Object::Team(Arc::new(Team {
        id: TeamId::parse("team").unwrap(),
        stamp: stamp(),
        display_name: String::new(),
        members: members.iter().map(|m| UserId::parse(&format!("u{m}")).unwrap()).collect(),
        roles: roles.iter().map(|r| role_name(*r)).collect(),
        external_id: None,
    }))
}

pub(super) fn profile(
    number: u8,
    rank: Option<u8>,
    roles: &[u8],
    channels: bool,
    active: bool,
) -> Object {
    let tool = |tool: &str, order| PaneTool {
        tool: name(tool),
        enabled: true,
        order,
        label: String::new(),
        tooltip: String::new(),
        icon: String::new(),
    };
    let mut profile = Profile::empty(common(&format!("prof_{number}"), active), stamp());
    profile.rank = rank;
    profile.roles = roles.iter().map(|r| role_name(*r)).collect();
    profile.is_default = number == 2;
    profile.session_templates = vec![name("contoso_case")];
    profile.pane.on = true;
    profile.pane.tools =
        vec![tool(PANE_TOOL, 0), tool(SCRIPTS_TOOL, 2), tool(SMART_ASSIST_TOOL, 3)];
    if number == 0 {
        profile.pane.tools.push(tool("contoso_tool", 1));
    }
    profile.copilot.insert("case_summary".into(), Setting::On);
    profile.all_active_channels = channels;
    if number == 1 {
        profile.providers.insert(name("contoso_voice"));
    }
    Object::Profile(Arc::new(profile))
}

/// The built-in object of a kind, under another name and changed.
fn like<T: Clone>(built_in: &Arc<T>, change: impl FnOnce(&mut T)) -> Arc<T> {
    let mut object = T::clone(built_in);
    change(&mut object);
    Arc::new(object)
}

pub(super) fn seeded() -> Catalog {
    Catalog::from_objects(builtin::objects(1, Time::default()), 1, Time::default())
}

pub(super) fn provider(order: u8, active: bool) -> Object {
    let seeded = seeded();
    let model = seeded.tables.providers.iter().next().unwrap();
    Object::Provider(like(model, |provider: &mut ChannelProvider| {
        provider.common = common("contoso_voice", active);
        provider.channel_order = order.into();
    }))
}

fn channel(kind: ChannelKind, active: bool) -> Object {
    let seeded = seeded();
    let model = seeded.tables.channels.iter().next().unwrap();
    Object::Channel(like(model, |channel: &mut Channel| {
        channel.common = common("contoso_channel", active);
        channel.kind = kind;
    }))
}

fn notification(title: u8) -> Object {
    let seeded = seeded();
    let model = seeded.tables.notification_templates.iter().next().unwrap();
    Object::NotificationTemplate(like(model, |template: &mut NotificationTemplate| {
        template.common = common("contoso_note", true);
        template.title = format!("Note {title}");
    }))
}

pub(super) fn tool(label: u8, required: Option<u8>) -> Object {
    let seeded = seeded();
    let model = seeded.tables.tools.find(PANE_TOOL).unwrap();
    Object::Tool(Arc::new(ProductivityTool {
        common: common("contoso_tool", true),
        icon: format!("icon {label}"),
        org_gate: None,
        required_role: required.map(role_name),
        ..ProductivityTool::clone(model)
    }))
}

pub(super) fn tab(title: u8, active: bool) -> Object {
    Object::TabTemplate(Arc::new(TabTemplate {
        common: common("contoso_tab", active),
        stamp: stamp(),
        title: format!("Tab {title}"),
        page_type: PageType::Search,
        can_close: true,
        parameters: Vec::new(),
    }))
}

pub(super) fn session(title: u8, tabs: bool) -> Object {
    Object::SessionTemplate(Arc::new(SessionTemplate {
        common: common("contoso_case", true),
        stamp: stamp(),
        session_type: SessionType::Entity,
        entity: "incident".into(),
        title: format!("Case {title}"),
        panel_mode: Default::default(),
        icon: String::new(),
        title_on_anchor_tab: false,
        anchor_tab: None,
        additional_tabs: tabs.then(|| name("contoso_tab")).into_iter().collect(),
        scripts: vec![name("contoso_any")],
        expression_enabled: false,
        expression_tree: String::new(),
    }))
}

pub(super) fn settings(channels: bool, copilot: bool) -> Object {
    let mut settings = Settings::initial(stamp());
    settings.channels_provisioned = channels;
    settings.copilot_opt_in = copilot;
    Object::Settings(Arc::new(settings))
}

/// An object of whatever kind of the list, with any values of its fields: their references lead to
/// the objects that the other changes write, or nowhere.
fn anything() -> impl Strategy<Value = Object> {
    let kinds = 0..Kind::NAMED.len();
    (kinds, proptest::collection::vec(0usize..6, 24)).prop_map(|(kind, numbers)| {
        let mut numbers = numbers.into_iter().cycle();
        let mut next = || numbers.next().unwrap_or_default();
        samples("contoso_any", |info| Some(any_value(info.holds, next()))).swap_remove(kind)
    })
}

fn any_value(holds: FieldType, number: usize) -> FieldValue<'static> {
    let target = |kind: Kind| match kind {
        Kind::Role => format!("role_{number}"),
        Kind::Tool => "contoso_tool".to_owned(),
        Kind::TabTemplate => "contoso_tab".to_owned(),
        Kind::SessionTemplate if number.is_multiple_of(2) => "contoso_case".to_owned(),
        Kind::Provider => "contoso_voice".to_owned(),
        _ => "contoso_any".to_owned(),
    };
    match holds {
        FieldType::Number => FieldValue::Number(i64::try_from(number).ok()),
        FieldType::Bool => FieldValue::Bool(number.is_multiple_of(2)),
        FieldType::Time => FieldValue::Time(0),
        FieldType::Choice(words) => FieldValue::Text(words[number % words.len()].into()),
        FieldType::Name(_) if number == 0 => FieldValue::Name("".into()),
        FieldType::Name(kind) => FieldValue::Name(target(kind).into()),
        FieldType::User => FieldValue::Name(format!("u{number}").into()),
        FieldType::Map => FieldValue::Map(vec![("entity".into(), format!("{number}").into())]),
        FieldType::Names(kind) if number > 0 => FieldValue::Names(vec![target(kind).into()]),
        FieldType::Names(_) => FieldValue::Names(Vec::new()),
        FieldType::List => FieldValue::List(Vec::new()),
        FieldType::Records(_) if number == 0 => FieldValue::Records(Vec::new()),
        FieldType::Records(parts) => {
            // Records in records end here: a record may hold some like itself.
            let part = |(at, (_, holds)): (usize, &(&str, FieldType))| match holds {
                FieldType::Records(_) => FieldValue::Records(Vec::new()),
                holds => any_value(*holds, (number + at) % 6),
            };
            FieldValue::Records(vec![parts.0.iter().enumerate().map(part).collect()])
        }
        FieldType::UniqueName => FieldValue::Name("contoso_any".into()),
        FieldType::UniqueNames => FieldValue::Names(Vec::new()),
        FieldType::Text | FieldType::Lines | FieldType::Other => {
            FieldValue::Text(format!("text {number}").into())
        }
    }
}

pub(super) fn change() -> impl Strategy<Value = Change> {
    let flag = any::<bool>;
    let few = || proptest::collection::vec(0u8..4, 0..3);
    let maybe = || proptest::option::of(0u8..3);
    let put = prop_oneof![
        3 => (0u8..5, few(), maybe(), proptest::bool::weighted(0.2))
            .prop_map(|(n, r, l, d)| user(n, &r, l, d)),
        2 => (0u8..3, maybe(), few(), flag(), flag())
            .prop_map(|(n, k, r, c, a)| profile(n, k, &r, c, a)),
        2 => (0u8..3, proptest::option::of(0u8..4), flag())
            .prop_map(|(n, root, p)| role(n, root.filter(|root| *root != n), p)),
        1 => (few(), few()).prop_map(|(m, r)| team(&m, &r)),
        1 => (0u8..2, proptest::option::of(0u8..4)).prop_map(|(l, r)| tool(l, r)),
        1 => (0u8..2, flag()).prop_map(|(t, a)| tab(t, a)),
        1 => (0u8..2, flag()).prop_map(|(t, tabs)| session(t, tabs)),
        1 => (0u8..2, flag()).prop_map(|(o, a)| provider(o, a)),
        1 => (proptest::sample::select(ChannelKind::ALL), flag()).prop_map(|(k, a)| channel(k, a)),
        1 => (0u8..2).prop_map(notification),
        1 => (flag(), flag()).prop_map(|(c, o)| settings(c, o)),
        2 => anything(),
    ];
    let gone = prop_oneof![
        (0u8..5).prop_map(|n| ObjectKey::new(Kind::User, &format!("u{n}"))),
        (0u8..3).prop_map(|n| ObjectKey::new(Kind::Profile, &format!("prof_{n}"))),
        (0u8..3).prop_map(|n| ObjectKey::new(Kind::Role, &format!("role_{n}"))),
        Just(ObjectKey::new(Kind::Tool, "contoso_tool")),
        Just(ObjectKey::new(Kind::TabTemplate, "contoso_tab")),
        Just(ObjectKey::new(Kind::SessionTemplate, "contoso_case")),
        Just(ObjectKey::new(Kind::Provider, "contoso_voice")),
        Just(ObjectKey::new(Kind::Channel, "contoso_channel")),
        Just(ObjectKey::new(Kind::Channel, "msdyn_channel_sms")),
        Just(ObjectKey::new(Kind::NotificationTemplate, "contoso_note")),
    ];
    prop_oneof![5 => put.prop_map(Change::Put), 1 => gone.prop_map(Change::Delete)]
}

/// Each object at most once, as a commit holds them.
pub(super) fn commit(most: usize) -> impl Strategy<Value = Vec<Change>> {
    proptest::collection::vec(change(), 1..most).prop_map(|changes| {
        let by_key: BTreeMap<_, _> = changes.into_iter().map(|c| (c.key(), c)).collect();
        by_key.into_values().collect()
    })
}
