//! Profiles and their writes.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use deskplane_proto::v1;

use super::{
    Reader, Reference, Resource, ResourceContext,
    bundle::assignment,
    library::{Entry, fields},
    mask::Mask,
    resource, resource_name, resource_names, timestamp, writes,
};
use crate::{
    command::{
        AddUsers, Displace, ProfilePatch, RemoveDefault, RemoveRankAndRoles, RemoveUsers,
        SetDefault, SetRankAndRoles, UpdateProfile, bundle::Assignment,
    },
    content::wire::{self, Coded as _, coded},
    domain::{
        Kind, Object, UniqueName,
        copilot::Setting,
        profile::{InboxView, PaneMode, PaneTool, Profile, SortKey},
    },
};

coded! {
    Displace => Displace { Reject, Swap, Shift }
}

impl Resource for v1::Profile {
    const KIND: Kind = Kind::Profile;

    fn of(object: &Object, _: ResourceContext<'_>) -> Option<Self> {
        let Object::Profile(o) = object else { return None };
        let tools = o.pane.tools.iter().map(|entry| v1::PaneTool {
            tool: resource_name(Kind::Tool, entry.tool.as_str()),
            enabled: entry.enabled,
            order: entry.order,
            label: entry.label.clone(),
            tooltip: entry.tooltip.clone(),
            icon: entry.icon.clone(),
        });
        Some(resource! { Profile of o, Kind::Profile;
            app_module: o.app_module.clone(),
            rank: o.rank.map(i32::from),
            roles: resource_names(Kind::Role, &o.roles),
            unmatched_roles: o.unmatched_roles.iter().cloned().collect(),
            is_default: o.is_default,
            default_set_time: o.default_set_time.map(timestamp),
            session_templates: resource_names(Kind::SessionTemplate, &o.session_templates),
            pane: Some(v1::Pane {
                on: o.pane.on,
                mode: o.pane.mode.wire().into(),
                tools: tools.collect(),
            }),
            copilot: o.copilot.iter().map(|(f, s)| (f.clone(), s.wire().into())).collect(),
            inbox: Some(v1::Inbox {
                enabled: o.inbox.enabled,
                views: o.inbox.views.iter().map(wire::view).collect(),
            }),
            channels: Some(v1::ChannelSettings { all_active: o.all_active_channels }),
            providers: resource_names(Kind::Provider, &o.providers),
        })
    }
}

fn pane_tools(r: &mut Reader<'_>, tools: &[v1::PaneTool]) -> Vec<PaneTool> {
    let read = |(at, entry): (usize, &v1::PaneTool)| PaneTool {
        tool: r.name(&format!("pane.tools[{at}].tool"), Kind::Tool, &entry.tool),
        enabled: entry.enabled,
        order: entry.order,
        label: entry.label.clone(),
        tooltip: entry.tooltip.clone(),
        icon: entry.icon.clone(),
    };
    tools.iter().enumerate().map(read).collect()
}

fn copilot(r: &mut Reader<'_>, features: &BTreeMap<String, i32>) -> BTreeMap<String, Setting> {
    let read = |(feature, setting): (&String, &i32)| {
        let setting = r.choice(&format!("copilot[{feature}]"), *setting).unwrap_or_default();
        (feature.clone(), setting)
    };
    features.iter().map(read).collect()
}

fn views(r: &mut Reader<'_>, views: &[v1::InboxView]) -> Vec<InboxView> {
    views.iter().enumerate().map(|(at, view)| inbox_view(r, at, view)).collect()
}

fn inbox_view(r: &mut Reader<'_>, at: usize, view: &v1::InboxView) -> InboxView {
    let field = |name: &str| format!("inbox.views[{at}].{name}");
    let unique_name = (!view.unique_name.is_empty())
        .then(|| UniqueName::parse(&view.unique_name))
        .and_then(|parsed| parsed.map_err(|rule| r.v.invalid(field("unique_name"), rule)).ok());
    let sort = view.sort.iter().enumerate().map(|(key_at, key)| {
        let known = v1::SortDirection::try_from(key.direction);
        if known.is_err() {
            let path = field(&format!("sort[{key_at}].direction"));
            r.v.invalid(path, format!("has no value {}", key.direction));
        }
        SortKey {
            entity: key.entity.clone(),
            attribute: key.attribute.clone(),
            descending: known == Ok(v1::SortDirection::Desc),
        }
    });
    InboxView {
        name: view.name.clone(),
        unique_name,
        is_default: view.is_default,
        visible: view.visible,
        record_types: view.record_types.clone(),
        simple_filters: view
            .simple_filters
            .iter()
            .map(|filter| (filter.record_type.clone(), filter.values.clone()))
            .collect(),
        advanced_filter: view.advanced_filter.clone(),
        sort: sort.collect(),
        cross_partition: view.cross_partition,
        card: view
            .card
            .iter()
            .map(|card| (card.record_type.clone(), card.attributes.clone()))
            .collect(),
    }
}

/// The new values of a profile that is sent as a whole.
fn patch(r: &mut Reader<'_>, p: &v1::Profile, mask: &Mask) -> ProfilePatch {
    let pane = p.pane.clone().unwrap_or_default();
    let inbox = p.inbox.clone().unwrap_or_default();
    let channels = p.channels.unwrap_or_default();
    let mode = r.choice("pane.mode", pane.mode).unwrap_or_default();
    ProfilePatch {
        display_name: mask.text("display_name", &p.display_name),
        description: mask.lines("description", &p.description),
        owner: mask.text("owner", &p.owner),
        app_module: (!p.app_module.is_empty()).then(|| p.app_module.clone()),
        session_templates: mask
            .sets("session_templates", !p.session_templates.is_empty())
            .then(|| r.names("session_templates", Kind::SessionTemplate, &p.session_templates)),
        pane_on: mask.pick("pane.on", p.pane.is_some(), pane.on),
        pane_mode: mask.pick("pane.mode", p.pane.is_some(), mode),
        pane_tools: mask.sets("pane.tools", p.pane.is_some()).then(|| pane_tools(r, &pane.tools)),
        copilot: mask.sets("copilot", !p.copilot.is_empty()).then(|| copilot(r, &p.copilot)),
        inbox_enabled: mask.pick("inbox.enabled", p.inbox.is_some(), inbox.enabled),
        inbox_views: mask.sets("inbox.views", p.inbox.is_some()).then(|| views(r, &inbox.views)),
        all_active_channels: mask.pick(
            "channels.all_active",
            p.channels.is_some(),
            channels.all_active,
        ),
        providers: mask
            .sets("providers", !p.providers.is_empty())
            .then(|| r.names("providers", Kind::Provider, &p.providers)),
        ..ProfilePatch::default()
    }
}

impl Entry for v1::Profile {
    type Object = Profile;

    fn identity(&self) -> (&str, &str, &str, i32) {
        (&self.name, &self.unique_name, &self.etag, self.state)
    }

    fn patch(&self, r: &mut Reader<'_>, mask: &Mask) -> ProfilePatch {
        patch(r, self, mask)
    }

    fn assignment(&self, r: &mut Reader<'_>) -> Option<Assignment> {
        Some(assignment(self, r))
    }

    fn changed_by_action(&self, r: &mut Reader<'_>, stored: Option<&Profile>) {
        let roles: BTreeSet<UniqueName> = r.names("roles", Kind::Role, &self.roles);
        let rank = stored.and_then(|o| o.rank).map(i32::from);
        let differs = [
            ("rank", self.rank.is_some() && self.rank != rank),
            ("roles", !roles.is_empty() && stored.is_none_or(|o| o.roles != roles)),
            ("is_default", self.is_default && stored.is_none_or(|o| !o.is_default)),
        ];
        for (field, _) in differs.into_iter().filter(|(_, differs)| *differs) {
            r.changed_by_action(field, &fields(Kind::Profile));
        }
    }
}

/// An update by one of the conveniences.
fn content(
    r: &mut Reader<'_>,
    (name, etag): (&str, &str),
    operation: &'static str,
    patch: impl FnOnce(&mut Reader<'_>) -> ProfilePatch,
) -> UpdateProfile {
    let profile = r.name("name", Kind::Profile, name);
    let etag = r.etag(etag);
    let patch = patch(r);
    UpdateProfile { etag, operation, ..UpdateProfile::new(profile, patch) }
}

fn bare_role(text: &str) -> String {
    // What names another collection stays whole, and is no legal name of anything.
    Reference::of_kind(text, Kind::Role).map_or_else(|_| text.to_owned(), Cow::into_owned)
}

fn set_rank(q: v1::SetRankAndRolesRequest, r: &mut Reader<'_>) -> SetRankAndRoles {
    SetRankAndRoles {
        profile: r.name("name", Kind::Profile, &q.name),
        etag: r.etag(&q.etag),
        rank: q.rank.map(i64::from),
        // A team given as a role has a refusal of its own, so the command reads them.
        roles: q.roles.iter().map(|role| bare_role(role)).collect(),
        displace: r.choice("displace", q.displace).unwrap_or_default(),
        override_managed: q.override_managed,
    }
}

writes! {
    SetDefaultRequest => SetDefault, |q, r| SetDefault {
        profile: r.name("name", Kind::Profile, &q.name),
        etag: r.etag(&q.etag),
        replace_current: q.replace_current,
        drop_rank_and_roles: q.drop_rank_and_roles,
    };
    RemoveDefaultRequest => RemoveDefault, |q, r| RemoveDefault {
        profile: r.name("name", Kind::Profile, &q.name),
        etag: r.etag(&q.etag),
    };
    SetRankAndRolesRequest => SetRankAndRoles, set_rank;
    RemoveRankAndRolesRequest => RemoveRankAndRoles, |q, r| RemoveRankAndRoles {
        profile: r.name("name", Kind::Profile, &q.name),
        etag: r.etag(&q.etag),
        override_managed: q.override_managed,
    };
    AddUsersRequest => AddUsers, |q, r| AddUsers {
        profile: r.name("name", Kind::Profile, &q.name),
        etag: r.etag(&q.etag),
        users: r.users("users", &q.users),
        move_users: q.r#move,
    };
    RemoveUsersRequest => RemoveUsers, |q, r| RemoveUsers {
        profile: r.name("name", Kind::Profile, &q.name),
        etag: r.etag(&q.etag),
        users: r.users("users", &q.users),
    };
    AddSessionTemplateRequest => UpdateProfile, |q, r| {
        let template = r.name("session_template", Kind::SessionTemplate, &q.session_template);
        content(r, (&q.name, &q.etag), "ADD_SESSION_TEMPLATE", |_| ProfilePatch {
            add_session_template: Some(template),
            ..ProfilePatch::default()
        })
    };
    LinkProvidersRequest => UpdateProfile, |q, r| {
        let link = r.some_names("providers", Kind::Provider, &q.providers);
        content(r, (&q.name, &q.etag), "LINK_PROVIDERS", |_| ProfilePatch {
            link,
            ..ProfilePatch::default()
        })
    };
    UnlinkProvidersRequest => UpdateProfile, |q, r| {
        let unlink = r.some_names("providers", Kind::Provider, &q.providers);
        content(r, (&q.name, &q.etag), "UNLINK_PROVIDERS", |_| ProfilePatch {
            unlink,
            ..ProfilePatch::default()
        })
    };
    SetPaneRequest => UpdateProfile, |q, r| {
        content(r, (&q.name, &q.etag), "SET_PANE", |r| ProfilePatch {
            pane_on: q.on,
            pane_mode: r.choice::<PaneMode>("mode", q.mode),
            pane_tools: q.tools.as_ref().map(|list| pane_tools(r, &list.tools)),
            ..ProfilePatch::default()
        })
    };
    SetInboxRequest => UpdateProfile, |q, r| {
        content(r, (&q.name, &q.etag), "SET_INBOX", |r| ProfilePatch {
            inbox_enabled: q.enabled,
            inbox_views: q.views.as_ref().map(|list| views(r, &list.views)),
            add_preset_views: q.add_preset_views,
            ..ProfilePatch::default()
        })
    };
    SetCopilotRequest => UpdateProfile, |q, r| {
        content(r, (&q.name, &q.etag), "SET_COPILOT", |r| ProfilePatch {
            copilot_merge: copilot(r, &q.features),
            ..ProfilePatch::default()
        })
    };
    SetChannelsRequest => UpdateProfile, |q, r| {
        content(r, (&q.name, &q.etag), "SET_CHANNELS", |_| ProfilePatch {
            all_active_channels: q.all_active,
            ..ProfilePatch::default()
        })
    };
}
