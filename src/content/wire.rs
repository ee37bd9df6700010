//! Values of the domain in the words of the API, and back.

use deskplane_proto::v1;

use crate::domain::{
    App, FindingCode, Method, Origin, State,
    agent_script::ScriptAction,
    channel::ChannelKind,
    copilot::Setting,
    directory::UserKind,
    macros::Connector,
    notification_template::{DesktopNotification, Theme},
    profile::{InboxView, PaneMode},
    provider::{Capability, Failover},
    role::{Persona, RoleFamily},
    session_template::{PanelMode, SessionType},
    tab_template::PageType,
    tool::ToolCategory,
    workstream::Slot,
};

/// A closed set of values that has an enum of its own in the API.
pub(crate) trait Coded: Copy + Sized {
    /// The enum of the API.
    type Wire: TryFrom<i32>;

    /// The value in the API's enum.
    fn wire(self) -> Self::Wire;

    /// The value of a number from the wire; `None` for what is not given and for what nobody knows.
    fn read(number: i32) -> Option<Self>;
}

macro_rules! coded {
    ($($domain:ty => $wire:ident { $($value:ident),+ $(,)? })+) => {$(
        impl $crate::content::wire::Coded for $domain {
            type Wire = deskplane_proto::v1::$wire;

            fn wire(self) -> deskplane_proto::v1::$wire {
                match self { $(Self::$value => deskplane_proto::v1::$wire::$value,)+ }
            }

            fn read(number: i32) -> Option<Self> {
                match deskplane_proto::v1::$wire::try_from(number) {
                    $(Ok(deskplane_proto::v1::$wire::$value) => Some(Self::$value),)+
                    _ => None,
                }
            }
        }
    )+};
}

pub(crate) use coded;

coded! {
    State => State { Active, Inactive }
    SessionType => SessionTemplateType { Generic, Entity }
    PanelMode => PanelMode { Docked, Minimized, Hidden }
    PageType => PageType {
        EntityList, EntityRecord, WebResource, Control, Dashboard, Search, ThirdPartyWebsite,
        CustomPage,
    }
    ScriptAction => ScriptAction { Text, Macro, Script }
    Slot => NotificationSlot {
        IncomingUnauthenticated, IncomingAuthenticated, Consult, Transfer, SupervisorAssign,
    }
    Connector => MacroConnector { Productivity, Session, Omnichannel, Flow, BuiltIn }
    DesktopNotification => DesktopNotification { Never, InBackground, Always }
    Theme => NotificationTheme { Dark, Light }
    ToolCategory => ToolCategory {
        Uncategorized, AgentGuidance, Reference, Collaboration, AutomatedAction,
    }
    ChannelKind => ChannelKind {
        Chat, CustomMessaging, EntityRecords, Facebook, Line, Sms, Teams, Twitter, Voice, Wechat,
        Whatsapp,
    }
    Failover => Failover { None, Next }
    Capability => Capability {
        Accept, AudioDevices, ClientToken, ClickToAct, Conference, ContactList, Decline, Dial, Dtmf,
        End, Hold, Mute, PresenceSync, RecordingControl, Supervise, TransferAttended, TransferBlind,
        WrapUp,
    }
    PaneMode => PaneMode { Expanded, Collapsed }
    Setting => CopilotSetting { Unset, On, Off }
    UserKind => UserKind { Human, Application }
    Persona => Persona { None, Agent, Supervisor, Administrator }
    RoleFamily => RoleFamily { CustomerService, Omnichannel }
    Method => Method { Direct, RoleBased, DefaultCustom, DefaultBuiltIn }
    App => App {
        Unspecified, Workspace, Omnichannel, ContactCenterWorkspace, CustomerServiceHub, Mobile,
        Teams, UnifiedServiceDesk, OnPremises, CustomApp,
    }
    FindingCode => FindingCode {
        AdapterMissing, AdapterSecretMissing, BuiltInAdopted, ChannelsNotProvisioned,
        CopilotGatedByOrg, CopilotGatedByPane, CopilotGatedByParent, CopilotUnset,
        DanglingDirect, DefaultHasRoles, DefaultInactive, DefaultNotImported,
        DefaultReplaced, DuplicateEntityTemplate, DuplicateRank, InactiveSkipped,
        InboxViewNeedsChannels, MacroInactive, MultipleDefaults, MultipleDirect,
        NoSecurityRole, PresenceRoleMissing, ProfileWithoutRole, ProviderInactive,
        ProviderMissing, ProviderUrlDrift, RankAndRolesDropped, RankMissing,
        RankReassigned, RoleOnlyViaTeam, RoleUnmatched, ScriptCycle, ScriptInactive,
        SkippedExisting, SlugSyntax, TabsOverLimit, TabInactive, TemplateInactive,
        TemplateMissing, ToolGatedByOrg, ToolGatedByPane, ToolGatedByRole, UnknownSlug,
        UserDisabled,
    }
}

/// Where an object comes from, without the bundle.
pub(crate) fn origin(origin: &Origin) -> v1::Origin {
    match origin {
        Origin::BuiltIn => v1::Origin::BuiltIn,
        Origin::Custom => v1::Origin::Custom,
        Origin::Managed { .. } => v1::Origin::Managed,
    }
}

/// A view as it is stored.
pub(crate) fn view(view: &InboxView) -> v1::InboxView {
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
        visible: view.visible,
        record_types: view.record_types.clone(),
        simple_filters: view.simple_filters.iter().map(filter).collect(),
        advanced_filter: view.advanced_filter.clone(),
        sort: sort.collect(),
        cross_partition: view.cross_partition,
        card: view.card.iter().map(card).collect(),
    }
}
