//! What Update, SetPane, SetCopilot, SetInbox and SetChannels write into a profile, with the rules
//! that the profile must keep afterwards (SPEC §3.1, §7.5).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::Catalog,
    domain::{
        Reason, Refusal, UniqueName, Violations, check,
        copilot::{self, Setting},
        profile::{
            InboxView, MAX_INBOX_VIEWS, MAX_PANE_TOOLS, MAX_PROVIDERS, MAX_SESSION_TEMPLATES,
            PaneMode, PaneTool, Profile,
        },
        provider::FIRST_PARTY,
        refusal::Preconditions,
        session_template::SessionType,
    },
};

use super::library::{Patch, set};

/// New values of the mutable fields of a profile; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ProfilePatch {
    /// 1 to 100 characters after trimming.
    pub display_name: Option<String>,
    /// At most 2000 characters.
    pub description: Option<String>,
    /// At most 100 characters.
    pub owner: Option<String>,
    /// 1 to 100 characters; set at creation, immutable afterwards.
    pub app_module: Option<String>,
    /// Entity templates, ordered; replaces the list.
    pub session_templates: Option<Vec<UniqueName>>,
    /// Whether the pane is shown.
    pub pane_on: Option<bool>,
    /// How the pane opens.
    pub pane_mode: Option<PaneMode>,
    /// Replaces the tools.
    pub pane_tools: Option<Vec<PaneTool>>,
    /// Features by name or code; replaces the map.
    pub copilot: Option<BTreeMap<String, Setting>>,
    /// Features by name or code that change; the others stay.
    pub copilot_merge: BTreeMap<String, Setting>,
    /// Whether the inbox is shown.
    pub inbox_enabled: Option<bool>,
    /// Replaces the views.
    pub inbox_views: Option<Vec<InboxView>>,
    /// Whether the preset views are appended whose names are still free.
    pub add_preset_views: bool,
    /// Whether all active channels are opened.
    pub all_active_channels: Option<bool>,
    /// Replaces the linked providers.
    pub providers: Option<BTreeSet<UniqueName>>,
    /// A session template to append; nothing when it is there.
    pub add_session_template: Option<UniqueName>,
    /// Providers to link.
    pub link: Vec<UniqueName>,
    /// Providers to unlink.
    pub unlink: Vec<UniqueName>,
}

impl Patch<Profile> for ProfilePatch {
    fn of(profile: &Profile) -> Self {
        Self {
            display_name: Some(profile.common.display_name.clone()),
            description: Some(profile.common.description.clone()),
            owner: Some(profile.common.owner.clone()),
            app_module: Some(profile.app_module.clone()),
            session_templates: Some(profile.session_templates.clone()),
            pane_on: Some(profile.pane.on),
            pane_mode: Some(profile.pane.mode),
            pane_tools: Some(profile.pane.tools.clone()),
            copilot: Some(profile.copilot.clone()),
            inbox_enabled: Some(profile.inbox.enabled),
            inbox_views: Some(profile.inbox.views.clone()),
            all_active_channels: Some(profile.all_active_channels),
            providers: Some(profile.providers.clone()),
            ..Self::default()
        }
    }

    fn display_name(&self) -> Option<&str> {
        self.display_name.as_deref()
    }

    fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    fn immutable(&self, before: &Profile, v: &mut Violations) {
        if let Some(module) =
            self.app_module.as_ref().filter(|module| before.app_module != **module)
        {
            let text = format!("is immutable and is {}, not {module}", before.app_module);
            v.add(Reason::FieldImmutable, "app_module", text);
        }
    }

    fn apply(&self, profile: &mut Profile) {
        self.write(profile);
    }
}

impl ProfilePatch {
    /// Notes every plain field rule that the values break.
    pub(super) fn syntax(&self, v: &mut Violations) {
        if let Some(module) = &self.app_module {
            check::line(v, "app_module", module, 1..=100);
        }
        for (at, tool) in self.pane_tools.iter().flatten().enumerate() {
            let field = |name: &str| format!("pane.tools[{at}].{name}");
            check::range(v, &field("order"), tool.order.into(), 0..=i32::MAX.into());
            check::line(v, &field("label"), &tool.label, 0..=100);
            check::line(v, &field("tooltip"), &tool.tooltip, 0..=100);
            check::line(v, &field("icon"), &tool.icon, 0..=100);
        }
        let tools = self.pane_tools.iter().flatten().map(|t| t.tool.as_str());
        check::unique(v, "pane.tools", tools);
        for features in self.copilot.iter().chain([&self.copilot_merge]) {
            let mut seen = BTreeSet::new();
            for feature in features.keys() {
                let text = match copilot::canonical(feature) {
                    None => format!("`{feature}` is neither a known feature nor a code"),
                    // A feature has a name and a code; only one setting can win.
                    Some(name) if !seen.insert(name.clone()) => {
                        format!("`{feature}` is `{name}`, which is given already")
                    }
                    Some(_) => continue,
                };
                v.invalid("copilot", text);
            }
        }
        super::inbox::syntax(v, self.inbox_views.as_deref().unwrap_or_default());
        not_first_party(v, self.providers.iter().flatten().chain(&self.link));
    }

    fn write(&self, profile: &mut Profile) {
        if let Some(name) = &self.display_name {
            profile.common.display_name = name.trim().to_owned();
        }
        set(&mut profile.common.description, self.description.as_ref());
        set(&mut profile.common.owner, self.owner.as_ref());
        set(&mut profile.app_module, self.app_module.as_ref());
        set(&mut profile.session_templates, self.session_templates.as_ref());
        set(&mut profile.pane.on, self.pane_on.as_ref());
        set(&mut profile.pane.mode, self.pane_mode.as_ref());
        set(&mut profile.pane.tools, self.pane_tools.as_ref());
        profile.pane.tools.sort_by(|a, b| (a.order, &a.tool).cmp(&(b.order, &b.tool)));
        if self.copilot.is_some() {
            profile.copilot.clear();
        }
        for (feature, setting) in self.copilot.iter().chain([&self.copilot_merge]).flatten() {
            let Some(feature) = copilot::canonical(feature) else { continue };
            if *setting == Setting::Unset {
                profile.copilot.remove(&feature);
            } else {
                profile.copilot.insert(feature, *setting);
            }
        }
        set(&mut profile.inbox.enabled, self.inbox_enabled.as_ref());
        set(&mut profile.inbox.views, self.inbox_views.as_ref());
        set(&mut profile.all_active_channels, self.all_active_channels.as_ref());
        if self.add_preset_views {
            super::inbox::add_presets(&mut profile.inbox.views, profile.all_active_channels);
        }
        set(&mut profile.providers, self.providers.as_ref());
        if let Some(template) = &self.add_session_template
            && !profile.session_templates.contains(template)
        {
            profile.session_templates.push(template.clone());
        }
        profile.providers.extend(self.link.iter().cloned());
        for name in &self.unlink {
            profile.providers.remove(name);
        }
    }
}

/// Notes the provider that stands for the built-in channels: it cannot be linked by hand.
fn not_first_party<'a>(v: &mut Violations, providers: impl IntoIterator<Item = &'a UniqueName>) {
    if providers.into_iter().any(|name| name.as_str().eq_ignore_ascii_case(FIRST_PARTY)) {
        v.invalid(
            "providers",
            format!("{FIRST_PARTY} stands for all active channels; set channels.all_active"),
        );
    }
}

/// Notes every rule between fields that the profile breaks.
pub(super) fn preconditions(catalog: &Catalog, profile: &Profile, failed: &mut Preconditions) {
    limits(profile, failed);
    templates(catalog, profile, failed);
    copilot_needs(profile, failed);
    for view in profile.inbox.views.iter().filter(|v| v.is_chat() && !profile.all_active_channels) {
        let message =
            format!("Inbox view {} shows conversations and needs all active channels.", view.name);
        failed.fail(Refusal::new(Reason::InboxViewNeedsChannels, message).precondition(
            "INBOX_VIEW_NEEDS_CHANNELS",
            &view.name,
            "channels.all_active is off",
        ));
    }
}

/// Notes a list that holds more than it may.
pub(super) fn limit(failed: &mut Preconditions, field: &str, len: usize, max: usize) {
    if len > max {
        let message = format!("{field} holds at most {max} entries, not {len}.");
        failed.fail(
            Refusal::new(Reason::LimitReached, message)
                .with("limit", max)
                .with("field", field)
                .precondition("LIMIT_REACHED", field, format!("{len} of {max}")),
        );
    }
}

fn limits(profile: &Profile, failed: &mut Preconditions) {
    for (field, len, max) in [
        ("session_templates", profile.session_templates.len(), MAX_SESSION_TEMPLATES),
        ("pane.tools", profile.pane.tools.len(), MAX_PANE_TOOLS),
        ("inbox.views", profile.inbox.views.len(), MAX_INBOX_VIEWS),
    ] {
        limit(failed, field, len, max);
    }
    if profile.providers.len() > MAX_PROVIDERS {
        let message = format!("A profile links at most {MAX_PROVIDERS} providers.");
        failed.fail(
            Refusal::new(Reason::TooManyProviders, message)
                .with("limit", MAX_PROVIDERS)
                .precondition(
                    "TOO_MANY_PROVIDERS",
                    profile.name(),
                    profile.providers.len().to_string(),
                ),
        );
    }
}

/// Entity templates of a profile behind another one for the same entity.
pub(super) fn second_templates<'a>(catalog: &Catalog, profile: &'a Profile) -> Vec<&'a UniqueName> {
    let mut first: BTreeMap<String, &UniqueName> = BTreeMap::new();
    let mut second = Vec::new();
    for name in &profile.session_templates {
        let Some(template) = catalog.tables.session_templates.get(name) else { continue };
        if template.session_type == SessionType::Generic {
            continue;
        }
        if *first.entry(template.entity.clone()).or_insert(name) != name {
            second.push(name);
        }
    }
    second
}

fn templates(catalog: &Catalog, profile: &Profile, failed: &mut Preconditions) {
    let mut entities: BTreeMap<&str, &UniqueName> = BTreeMap::new();
    for name in &profile.session_templates {
        let Some(template) = catalog.tables.session_templates.get(name) else { continue };
        if template.session_type == SessionType::Generic {
            let message =
                format!("{name} is a generic template; profiles take entity templates only.");
            failed.fail(
                Refusal::new(Reason::TemplateNotEntity, message)
                    .precondition("TEMPLATE_NOT_ENTITY", name, "generic")
                    .resource("SessionTemplate", name, "generic"),
            );
        } else if let Some(first) = entities.insert(&template.entity, name) {
            let message =
                format!("{first} serves entity {} already; remove it first.", template.entity);
            failed.fail(
                Refusal::new(Reason::EntityTemplateExists, message)
                    .with("entity", &template.entity)
                    .resource(
                        "SessionTemplate",
                        first,
                        &format!("serves entity {}", template.entity),
                    ),
            );
        }
    }
}

fn copilot_needs(profile: &Profile, failed: &mut Preconditions) {
    let on = |feature: &str| profile.copilot.get(feature) == Some(&Setting::On);
    let pane = profile.pane.on
        && profile
            .pane
            .tools
            .iter()
            .any(|t| t.enabled && t.tool.as_str().eq_ignore_ascii_case(copilot::PANE_TOOL));
    for feature in copilot::FEATURES.iter().filter(|f| on(f.name)) {
        if feature.needs_pane_tool && !pane {
            let message =
                format!("{} needs the pane on with the tool copilot enabled.", feature.name);
            failed.fail(Refusal::new(Reason::CopilotNeedsPaneTool, message).precondition(
                "COPILOT_NEEDS_PANE_TOOL",
                feature.name,
                copilot::PANE_TOOL,
            ));
        }
        if let Some(parent) = feature.parent.filter(|parent| !on(parent)) {
            let message = format!("{} needs {parent} on.", feature.name);
            failed.fail(Refusal::new(Reason::CopilotNeedsParent, message).precondition(
                "COPILOT_NEEDS_PARENT",
                feature.name,
                parent,
            ));
        }
    }
}
