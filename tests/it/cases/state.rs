//! The state of a case as stored objects. States may break write rules (they stand for old or
//! imported data), so they are loaded below the write checks.

use std::{collections::BTreeMap, sync::Arc};

use deskplane::{
    catalog::{Catalog, builtin},
    domain::{
        Common, Object, Origin, Stamp, State, TeamId, Time, UniqueName, UserId,
        copilot::Setting,
        directory::{DirectLink, Team, User, UserKind},
        profile::{InboxView, PaneTool, Profile},
        provider::{ChannelProvider, WIDGET},
        role::SecurityRole,
        session_template::{SessionTemplate, SessionType},
        settings::Settings,
    },
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseState {
    profiles: Vec<CaseProfile>,
    users: Vec<CaseUser>,
    security_roles: Vec<CaseRole>,
    settings: CaseSettings,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseProfile {
    unique_name: String,
    display_name: String,
    built_in: bool,
    managed: bool,
    active: bool,
    rank: Option<u8>,
    roles: Vec<String>,
    default: Option<CaseDefault>,
    content: Option<CaseContent>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CaseContent {
    pane_on: bool,
    tools: Vec<String>,
    copilot: BTreeMap<String, String>,
    all_active_channels: bool,
    inbox_enabled: bool,
    inbox_views: Vec<CaseView>,
    providers: Vec<CaseProvider>,
    entity_templates: Vec<CaseTemplate>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseView {
    name: String,
    record_types: Vec<String>,
    visible: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseProvider {
    unique_name: String,
    order: i32,
    active: bool,
    #[serde(default)]
    missing: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseTemplate {
    template: String,
    entity: String,
    active: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseDefault {
    set_at: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseUser {
    id: String,
    roles: Vec<String>,
    team_roles: Vec<CaseTeamRole>,
    direct: Vec<CaseLink>,
    disabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseTeamRole {
    team: String,
    role: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseLink {
    profile: String,
    assigned_at: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseRole {
    id: String,
    display_name: String,
    built_in: bool,
    root: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseSettings {
    channels_provisioned: bool,
    #[serde(default)]
    copilot_opt_in: bool,
    #[serde(default)]
    case_handling_time: bool,
    #[serde(default)]
    screen_recording: bool,
}

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap_or_else(|rule| panic!("{text:?}: {rule}"))
}

fn time(text: Option<&String>) -> Option<Time> {
    text.map(|text| Time::parse(text).unwrap_or_else(|| panic!("{text} is no time")))
}

fn stamp() -> Stamp {
    Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "case")
}

impl CaseState {
    /// The objects of the state in the order given, built-in content first.
    pub(super) fn objects(&self) -> Vec<Object> {
        let mut objects = builtin::objects(1, Time::default());
        let settings = Settings {
            channels_provisioned: self.settings.channels_provisioned,
            copilot_opt_in: self.settings.copilot_opt_in,
            case_handling_time: self.settings.case_handling_time,
            screen_recording: self.settings.screen_recording,
            ..Settings::initial(stamp())
        };
        objects.push(Object::Settings(Arc::new(settings)));
        objects.extend(self.security_roles.iter().filter(|r| !r.built_in).map(role));
        let custom = || self.profiles.iter().filter(|p| !p.built_in);
        objects.extend(custom().flat_map(|p| &p.content).flat_map(CaseContent::library));
        objects.extend(custom().map(profile));
        objects.extend(self.users.iter().map(user));
        objects.extend(self.teams());
        objects
    }

    /// The catalog of the state, its objects taken in the order that `shuffle` leaves them in.
    pub(super) fn catalog(&self, shuffle: impl FnOnce(&mut Vec<Object>)) -> Catalog {
        let mut objects = self.objects();
        shuffle(&mut objects);
        Catalog::from_objects(objects, 1, Time::default())
    }

    fn teams(&self) -> Vec<Object> {
        let mut teams: BTreeMap<&str, Team> = BTreeMap::new();
        for user in &self.users {
            for held in &user.team_roles {
                let team = teams.entry(&held.team).or_insert_with(|| Team {
                    id: TeamId::parse(&held.team).unwrap(),
                    stamp: stamp(),
                    display_name: held.team.clone(),
                    members: Default::default(),
                    roles: Default::default(),
                    external_id: None,
                });
                team.members.insert(UserId::parse(&user.id).unwrap());
                team.roles.insert(name(&held.role));
            }
        }
        teams.into_values().map(|team| Object::Team(Arc::new(team))).collect()
    }
}

fn role(role: &CaseRole) -> Object {
    Object::Role(Arc::new(SecurityRole {
        common: Common::custom(name(&role.id), &role.display_name),
        stamp: stamp(),
        business_unit: String::new(),
        root_role: role.root.as_deref().map(name),
        grants: Default::default(),
        persona: Default::default(),
    }))
}

fn profile(given: &CaseProfile) -> Object {
    let mut common = Common::custom(name(&given.unique_name), &given.display_name);
    if given.managed {
        common.origin = Origin::Managed { bundle: "case_bundle".into(), version: "1".into() };
    }
    if !given.active {
        common.state = State::Inactive;
    }
    let mut profile = Profile::empty(common, stamp());
    profile.rank = given.rank;
    profile.roles = given.roles.iter().map(|r| name(r)).collect();
    if let Some(default) = &given.default {
        profile.is_default = true;
        profile.default_set_time = time(default.set_at.as_ref());
    }
    if let Some(content) = &given.content {
        content.fill(&mut profile);
    }
    Object::Profile(Arc::new(profile))
}

impl CaseContent {
    /// The templates and providers that the content names; its tools are built in.
    fn library(&self) -> Vec<Object> {
        let existing = self.providers.iter().filter(|p| !p.missing);
        existing.map(provider).chain(self.entity_templates.iter().map(template)).collect()
    }

    fn fill(&self, profile: &mut Profile) {
        profile.pane.on = self.pane_on;
        let tools = (0..).zip(&self.tools).map(|(order, tool)| PaneTool {
            tool: name(&format!("msdyn_tool_{tool}")),
            enabled: true,
            order,
            label: String::new(),
            tooltip: String::new(),
            icon: String::new(),
        });
        profile.pane.tools = tools.collect();
        let copilot = self.copilot.iter().map(|(feature, value)| {
            let setting = match value.as_str() {
                "UNSET" => Setting::Unset,
                "ON" => Setting::On,
                "OFF" => Setting::Off,
                other => panic!("{feature}: {other}"),
            };
            (feature.clone(), setting)
        });
        profile.copilot = copilot.collect();
        profile.all_active_channels = self.all_active_channels;
        profile.inbox.enabled = self.inbox_enabled;
        let views = self.inbox_views.iter().map(|view| InboxView {
            name: view.name.clone(),
            record_types: view.record_types.clone(),
            visible: view.visible,
            ..InboxView::default()
        });
        profile.inbox.views = views.collect();
        profile.providers = self.providers.iter().map(|p| name(&p.unique_name)).collect();
        profile.session_templates =
            self.entity_templates.iter().map(|t| name(&t.template)).collect();
    }
}

fn common(text: &str, active: bool) -> Common {
    let state = if active { State::Active } else { State::Inactive };
    Common { state, ..Common::custom(name(text), text) }
}

fn provider(given: &CaseProvider) -> Object {
    Object::Provider(Arc::new(ChannelProvider {
        common: common(&given.unique_name, given.active),
        stamp: stamp(),
        label: given.unique_name.clone(),
        channel_url: "https://voice.example/".into(),
        pinned_url: false,
        outbound: false,
        channel_order: given.order,
        trusted_domains: Vec::new(),
        custom_parameters: String::new(),
        sandbox: Default::default(),
        analytics: false,
        capabilities: Default::default(),
        failover: Default::default(),
        adapter: WIDGET.into(),
        config: "{}".into(),
        secrets: BTreeMap::new(),
        refused_url: None,
    }))
}

fn template(given: &CaseTemplate) -> Object {
    Object::SessionTemplate(Arc::new(SessionTemplate {
        common: common(&given.template, given.active),
        stamp: stamp(),
        session_type: SessionType::Entity,
        entity: given.entity.clone(),
        title: String::new(),
        panel_mode: Default::default(),
        icon: String::new(),
        title_on_anchor_tab: false,
        anchor_tab: None,
        additional_tabs: Vec::new(),
        scripts: Vec::new(),
        expression_enabled: false,
        expression_tree: String::new(),
    }))
}

fn user(given: &CaseUser) -> Object {
    Object::User(Arc::new(User {
        id: UserId::parse(&given.id).unwrap(),
        stamp: stamp(),
        display_name: given.id.clone(),
        kind: UserKind::Human,
        email: String::new(),
        roles: given.roles.iter().map(|r| name(r)).collect(),
        direct: given
            .direct
            .iter()
            .map(|link| DirectLink {
                profile: name(&link.profile),
                assigned_at: time(link.assigned_at.as_ref()),
                assigned_by: String::new(),
            })
            .collect(),
        disabled: given.disabled,
        business_unit: String::new(),
        synced: None,
    }))
}
