//! Values of the domain in the words of the API.

use deskplane_proto::v1;

use crate::domain::{
    Origin,
    channel::ChannelKind,
    library::ToolCategory,
    profile::InboxView,
    provider::{Capability, Failover},
    template::{PageType, PanelMode},
};

pub(super) fn origin(origin: &Origin) -> v1::Origin {
    match origin {
        Origin::BuiltIn => v1::Origin::BuiltIn,
        Origin::Custom => v1::Origin::Custom,
        Origin::Managed { .. } => v1::Origin::Managed,
    }
}

pub(super) fn panel_mode(mode: PanelMode) -> v1::PanelMode {
    match mode {
        PanelMode::Docked => v1::PanelMode::Docked,
        PanelMode::Minimized => v1::PanelMode::Minimized,
        PanelMode::Hidden => v1::PanelMode::Hidden,
    }
}

pub(super) fn page_type(page: PageType) -> v1::PageType {
    match page {
        PageType::EntityList => v1::PageType::EntityList,
        PageType::EntityRecord => v1::PageType::EntityRecord,
        PageType::WebResource => v1::PageType::WebResource,
        PageType::Control => v1::PageType::Control,
        PageType::Dashboard => v1::PageType::Dashboard,
        PageType::Search => v1::PageType::Search,
        PageType::ThirdPartyWebsite => v1::PageType::ThirdPartyWebsite,
        PageType::CustomPage => v1::PageType::CustomPage,
    }
}

pub(super) fn category(category: ToolCategory) -> v1::ToolCategory {
    match category {
        ToolCategory::Uncategorized => v1::ToolCategory::Uncategorized,
        ToolCategory::AgentGuidance => v1::ToolCategory::AgentGuidance,
        ToolCategory::Reference => v1::ToolCategory::Reference,
        ToolCategory::Collaboration => v1::ToolCategory::Collaboration,
        ToolCategory::AutomatedAction => v1::ToolCategory::AutomatedAction,
    }
}

pub(super) fn channel(kind: ChannelKind) -> v1::ChannelKind {
    match kind {
        ChannelKind::Chat => v1::ChannelKind::Chat,
        ChannelKind::CustomMessaging => v1::ChannelKind::CustomMessaging,
        ChannelKind::EntityRecords => v1::ChannelKind::EntityRecords,
        ChannelKind::Facebook => v1::ChannelKind::Facebook,
        ChannelKind::Line => v1::ChannelKind::Line,
        ChannelKind::Sms => v1::ChannelKind::Sms,
        ChannelKind::Teams => v1::ChannelKind::Teams,
        ChannelKind::Twitter => v1::ChannelKind::Twitter,
        ChannelKind::Voice => v1::ChannelKind::Voice,
        ChannelKind::Wechat => v1::ChannelKind::Wechat,
        ChannelKind::Whatsapp => v1::ChannelKind::Whatsapp,
    }
}

pub(super) fn failover(failover: Failover) -> v1::Failover {
    match failover {
        Failover::None => v1::Failover::None,
        Failover::Next => v1::Failover::Next,
    }
}

pub(super) fn capability(capability: Capability) -> v1::Capability {
    match capability {
        Capability::Accept => v1::Capability::Accept,
        Capability::AudioDevices => v1::Capability::AudioDevices,
        Capability::ClientToken => v1::Capability::ClientToken,
        Capability::ClickToAct => v1::Capability::ClickToAct,
        Capability::Conference => v1::Capability::Conference,
        Capability::ContactList => v1::Capability::ContactList,
        Capability::Decline => v1::Capability::Decline,
        Capability::Dial => v1::Capability::Dial,
        Capability::Dtmf => v1::Capability::Dtmf,
        Capability::End => v1::Capability::End,
        Capability::Hold => v1::Capability::Hold,
        Capability::Mute => v1::Capability::Mute,
        Capability::PresenceSync => v1::Capability::PresenceSync,
        Capability::RecordingControl => v1::Capability::RecordingControl,
        Capability::Supervise => v1::Capability::Supervise,
        Capability::TransferAttended => v1::Capability::TransferAttended,
        Capability::TransferBlind => v1::Capability::TransferBlind,
        Capability::WrapUp => v1::Capability::WrapUp,
    }
}

/// A view, complete.
pub(super) fn view(view: &InboxView) -> v1::InboxView {
    let filter = |(record_type, values): &(String, Vec<String>)| v1::SimpleFilter {
        record_type: record_type.clone(),
        values: values.clone(),
    };
    let card = |(record_type, attributes): &(String, Vec<String>)| v1::CardLayout {
        record_type: record_type.clone(),
        attributes: attributes.clone(),
    };
    let sort = view.sort.iter().map(|key| v1::SortKey {
        entity: key.entity.clone(),
        attribute: key.attribute.clone(),
        direction: if key.descending { v1::SortDirection::Desc } else { v1::SortDirection::Asc }
            .into(),
    });
    v1::InboxView {
        name: view.name.clone(),
        unique_name: view.unique_name.as_ref().map(|n| n.as_str().to_owned()).unwrap_or_default(),
        is_default: view.is_default,
        visible: true,
        record_types: view.record_types.clone(),
        simple_filters: view.simple_filters.iter().map(filter).collect(),
        advanced_filter: view.advanced_filter.clone(),
        sort: sort.collect(),
        cross_partition: view.cross_partition,
        card: view.card.iter().map(card).collect(),
    }
}
