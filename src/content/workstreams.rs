//! Work streams of active channels, with the templates that they lead to (SPEC §8.1, §8.2).

use std::collections::BTreeMap;

use deskplane_proto::v1;

use super::{draft::Draft, sessions, text, wire::Coded as _};
use crate::{
    catalog::builtin::defaults,
    domain::{
        FindingCode, UniqueName,
        channel::Channel,
        notification_template::NotificationTemplate,
        session_template::SessionTemplate,
        tool::SMART_ASSIST_TOOL,
        workstream::{Slot, Workstream},
    },
    render::slug::{Dialect, lint},
};

/// Text of the accept button where work is assigned without a question.
const OPEN: &str = "Open";

/// What the work streams come to.
#[derive(Debug, Default)]
pub(super) struct Section<'a> {
    /// Ascending by name.
    pub(super) workstreams: Vec<v1::ResolvedWorkstream>,
    /// The session templates that they name.
    pub(super) templates: BTreeMap<&'a UniqueName, &'a SessionTemplate>,
    /// The notification templates that they name.
    notifications: BTreeMap<&'a UniqueName, &'a NotificationTemplate>,
}

/// Every active work stream of an active channel.
pub(super) fn section<'a>(draft: &mut Draft<'a>) -> Section<'a> {
    let mut section = Section::default();
    let catalog = draft.catalog;
    for workstream in catalog.tables.workstreams.iter().filter(|w| w.common.is_active()) {
        let channel = workstream.channel.as_ref().and_then(|c| catalog.tables.channels.get(c));
        if let Some(channel) = channel.filter(|channel| channel.common.is_active()) {
            let resolved = section.resolved(draft, workstream, channel);
            section.workstreams.push(resolved);
        }
    }
    section
}

impl<'a> Section<'a> {
    fn resolved(
        &mut self,
        draft: &mut Draft<'a>,
        workstream: &'a Workstream,
        channel: &Channel,
    ) -> v1::ResolvedWorkstream {
        let mut slot = |slot| self.notification(draft, workstream, channel, slot);
        v1::ResolvedWorkstream {
            incoming_unauthenticated: slot(Slot::IncomingUnauthenticated),
            incoming_authenticated: slot(Slot::IncomingAuthenticated),
            consult: slot(Slot::Consult),
            transfer: slot(Slot::Transfer),
            supervisor_assign: slot(Slot::SupervisorAssign),
            session_template: self.session_template(draft, workstream, channel),
            unique_name: workstream.common.unique_name.as_str().to_owned(),
            display_name: workstream.common.display_name.clone(),
            channel: channel.common.unique_name.as_str().to_owned(),
            channel_kind: channel.kind.wire().into(),
            entity: workstream.entity.clone(),
            smart_assist_bots: bots(draft, workstream),
        }
    }

    fn session_template(
        &mut self,
        draft: &mut Draft<'a>,
        workstream: &Workstream,
        channel: &Channel,
    ) -> String {
        let named = workstream.session_template.clone();
        let name = named.unwrap_or_else(|| defaults::session_template(channel.kind));
        let Some(template) = sessions::of_conversation(draft, &name) else { return String::new() };
        let name = &template.common.unique_name;
        self.templates.insert(name, template);
        name.as_str().to_owned()
    }

    fn notification(
        &mut self,
        draft: &mut Draft<'a>,
        workstream: &Workstream,
        channel: &Channel,
        slot: Slot,
    ) -> String {
        let named = workstream.notification(slot).cloned();
        let name = named.or_else(|| defaults::notification_template(channel.kind, slot));
        let Some(name) = name else { return String::new() };
        let (code, why) = match draft.catalog.tables.notification_templates.get(&name) {
            Some(template) if template.common.is_active() => {
                let name = &template.common.unique_name;
                self.notifications.insert(name, template);
                return name.as_str().to_owned();
            }
            Some(_) => (FindingCode::TemplateInactive, "is inactive"),
            None => (FindingCode::TemplateMissing, "does not exist"),
        };
        draft.find(code, name.as_str(), format!("{name} {why} and is left out."));
        String::new()
    }

    /// The session templates in full, ascending by name.
    pub(super) fn expanded(&self, draft: &mut Draft<'_>) -> Vec<v1::ResolvedSessionTemplate> {
        self.templates.values().map(|template| sessions::expanded(draft, template)).collect()
    }

    /// The notification templates in full, ascending by name.
    pub(super) fn notifications(&self, draft: &mut Draft<'_>) -> Vec<v1::ResolvedNotification> {
        self.notifications.values().map(|template| announced(draft, template)).collect()
    }
}

/// The active bots; none while the tool is hidden that shows what they suggest.
fn bots(draft: &Draft<'_>, workstream: &Workstream) -> Vec<v1::ResolvedBot> {
    if !draft.shows(SMART_ASSIST_TOOL) {
        return Vec::new();
    }
    let stored = workstream.smart_assist_bots.iter();
    let stored = stored.filter_map(|name| draft.catalog.tables.bots.get(name));
    let bot = |common: &crate::domain::Common, knowledge| v1::ResolvedBot {
        unique_name: common.unique_name.as_str().to_owned(),
        display_name: common.display_name.clone(),
        knowledge,
    };
    let active = stored.filter(|stored| stored.common.is_active());
    active.map(|stored| bot(&stored.common, stored.knowledge)).collect()
}

/// A notification template in full.
pub(super) fn announced(
    draft: &mut Draft<'_>,
    template: &NotificationTemplate,
) -> v1::ResolvedNotification {
    let name = template.common.unique_name.as_str();
    text::report(draft, name, || lint(&template.title, Dialect::Template));
    for field in &template.fields {
        text::report(draft, name, || lint(&field.value, Dialect::Template));
    }
    let fields = template.fields.iter().map(|field| v1::ResolvedNotificationField {
        name: field.name.clone(),
        header: field.header.clone(),
        value: field.value.clone(),
    });
    let assigned = template.auto_assign;
    v1::ResolvedNotification {
        unique_name: name.to_owned(),
        title: template.title.clone(),
        icon: template.icon.clone(),
        show_countdown: template.show_countdown,
        countdown_seconds: template.countdown_seconds.into(),
        auto_assign: assigned,
        auto_accept: template.auto_accept,
        auto_popup_session: template.auto_popup_session,
        accept_text: if assigned { OPEN.to_owned() } else { template.accept_text.clone() },
        reject_text: template.reject_text.clone(),
        show_reject: template.show_reject && !assigned,
        desktop: template.desktop.wire().into(),
        theme: template.theme.wire().into(),
        fields: fields.collect(),
    }
}
