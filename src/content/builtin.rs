//! The built-in templates of a kind of channel, which stand in where a channel has no work stream
//! (SPEC §4.2, §4.4).

use deskplane_proto::v1;

use super::wire::Coded as _;
use crate::{
    catalog::Catalog,
    domain::{
        UniqueName,
        channel::ChannelKind,
        notification_template::{DesktopNotification, NotificationTemplate, Theme},
        session_template::SessionTemplate,
        tab_template::TabTemplate,
    },
};

/// The built-in templates of a kind of channel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BuiltIn {
    /// What opens.
    pub session_template: Option<v1::ResolvedSessionTemplate>,
    /// What announces it, by slot.
    pub notifications: Vec<(v1::NotificationSlot, v1::ResolvedNotification)>,
}

/// Slots of a notification, as they stand in the names of built-in templates.
const SLOTS: [(v1::NotificationSlot, &str); 5] = [
    (v1::NotificationSlot::IncomingUnauthenticated, "incoming_unauthenticated"),
    (v1::NotificationSlot::IncomingAuthenticated, "incoming_authenticated"),
    (v1::NotificationSlot::Consult, "consult"),
    (v1::NotificationSlot::Transfer, "transfer"),
    (v1::NotificationSlot::SupervisorAssign, "supervisor_assign"),
];

/// Expands the built-in templates of a kind of channel.
pub fn built_in_of(catalog: &Catalog, kind: ChannelKind) -> BuiltIn {
    let session = UniqueName::parse(&format!("msdyn_{}_session", of_sessions(kind))).ok();
    let session = session.and_then(|name| catalog.tables.session_templates.get(&name));
    let notifications = SLOTS.into_iter().filter_map(|(slot, word)| {
        let name = UniqueName::parse(&notification_name(kind, slot, word)?).ok()?;
        let template = catalog.tables.notification_templates.get(&name)?;
        Some((slot, announced(template)))
    });
    BuiltIn {
        session_template: session.map(|template| expanded(catalog, template)),
        notifications: notifications.collect(),
    }
}

fn of_sessions(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Chat => "chat",
        ChannelKind::CustomMessaging => "custom_messaging",
        ChannelKind::EntityRecords => "entity_records",
        ChannelKind::Facebook => "facebook",
        ChannelKind::Line => "line",
        ChannelKind::Sms => "sms",
        ChannelKind::Teams => "teams",
        ChannelKind::Twitter => "twitter",
        ChannelKind::Voice => "voice_call",
        ChannelKind::Wechat => "wechat",
        ChannelKind::Whatsapp => "whatsapp",
    }
}

/// Records announce what comes in only, and supervisors assign calls only.
fn notification_name(kind: ChannelKind, slot: v1::NotificationSlot, word: &str) -> Option<String> {
    use v1::NotificationSlot::{IncomingAuthenticated, IncomingUnauthenticated, SupervisorAssign};
    match (kind, slot) {
        (ChannelKind::EntityRecords, IncomingAuthenticated | IncomingUnauthenticated) => {
            Some("msdyn_cds_entity_assigned".to_owned())
        }
        (ChannelKind::EntityRecords, _) => None,
        (kind, SupervisorAssign) if kind != ChannelKind::Voice => None,
        // There are none of its own.
        (ChannelKind::Whatsapp, _) => Some(format!("msdyn_custom_messaging_{word}")),
        (kind, _) => Some(format!("msdyn_{}_{word}", of_sessions(kind))),
    }
}

fn expanded(catalog: &Catalog, template: &SessionTemplate) -> v1::ResolvedSessionTemplate {
    let names = template.anchor_tab.iter().chain(&template.additional_tabs);
    let tabs = names.filter_map(|name| catalog.tables.tab_templates.get(name));
    v1::ResolvedSessionTemplate {
        unique_name: template.common.unique_name.as_str().to_owned(),
        title: template.title.clone(),
        panel_mode: template.panel_mode.wire().into(),
        title_on_anchor_tab: template.title_on_anchor_tab,
        icon: template.icon.clone(),
        tabs: tabs.map(|tab| resolved(tab)).collect(),
        ..v1::ResolvedSessionTemplate::default()
    }
}

fn resolved(tab: &TabTemplate) -> v1::ResolvedTab {
    let mut parameters: Vec<_> = tab.parameters.iter().collect();
    parameters.sort_by_key(|parameter| parameter.name.to_ascii_lowercase());
    let parameters = parameters.into_iter().map(|parameter| v1::ResolvedTabParameter {
        name: parameter.name.clone(),
        value: parameter.value.clone(),
    });
    v1::ResolvedTab {
        template: tab.common.unique_name.as_str().to_owned(),
        title: tab.title.clone(),
        page_type: tab.page_type.wire().into(),
        can_close: tab.can_close,
        parameters: parameters.collect(),
    }
}

fn announced(template: &NotificationTemplate) -> v1::ResolvedNotification {
    let desktop = match template.desktop {
        DesktopNotification::Never => v1::DesktopNotification::Never,
        DesktopNotification::InBackground => v1::DesktopNotification::InBackground,
        DesktopNotification::Always => v1::DesktopNotification::Always,
    };
    let theme = match template.theme {
        Theme::Dark => v1::NotificationTheme::Dark,
        Theme::Light => v1::NotificationTheme::Light,
    };
    let fields = template.fields.iter().map(|field| v1::ResolvedNotificationField {
        name: field.name.clone(),
        header: field.header.clone(),
        value: field.value.clone(),
    });
    v1::ResolvedNotification {
        unique_name: template.common.unique_name.as_str().to_owned(),
        title: template.title.clone(),
        icon: template.icon.clone(),
        show_countdown: template.show_countdown,
        countdown_seconds: template.countdown_seconds.into(),
        auto_assign: template.auto_assign,
        auto_accept: template.auto_accept,
        auto_popup_session: template.auto_popup_session,
        accept_text: template.accept_text.clone(),
        reject_text: template.reject_text.clone(),
        show_reject: template.show_reject,
        desktop: desktop.into(),
        theme: theme.into(),
        fields: fields.collect(),
    }
}
