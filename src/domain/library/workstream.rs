//! Work streams: how work of a channel reaches agents (SPEC §3.10).

use serde::{Deserialize, Serialize};

use super::{
    channel::ChannelKind,
    session_template::{SessionType, logical_name},
};
use crate::domain::{
    Common, Kind, Stamp, UniqueName, Violations,
    field::{Field, Fields, Values, choice, field},
    others::Others,
    refs::{Edge, Names as _, Refs},
    rules::Rules,
};

/// Most smart-assist bots of a work stream.
pub const MAX_BOTS: usize = 10;
/// Most queues of a work stream.
pub const MAX_QUEUES: usize = 100;

/// One work stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workstream {
    /// Common fields.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// Immutable; every stored work stream has one.
    pub channel: Option<UniqueName>,
    /// Generic; without one the built-in template of the channel opens.
    #[serde(default)]
    pub session_template: Option<UniqueName>,
    /// Notification of work whose customer is not known. Without one of a slot the built-in one of
    /// the channel is shown.
    #[serde(default)]
    pub incoming_unauthenticated: Option<UniqueName>,
    /// Notification of work whose customer is known.
    #[serde(default)]
    pub incoming_authenticated: Option<UniqueName>,
    /// Notification of a request to consult.
    #[serde(default)]
    pub consult: Option<UniqueName>,
    /// Notification of a transfer.
    #[serde(default)]
    pub transfer: Option<UniqueName>,
    /// Notification of an assignment by a supervisor; voice only.
    #[serde(default)]
    pub supervisor_assign: Option<UniqueName>,
    /// Ordered.
    #[serde(default)]
    pub smart_assist_bots: Vec<UniqueName>,
    /// Ordered.
    #[serde(default)]
    pub queues: Vec<UniqueName>,
    /// Logical name of the record type that is routed; of entity records only.
    #[serde(default)]
    pub entity: String,
}

/// An event that a notification announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Work whose customer is not known.
    IncomingUnauthenticated,
    /// Work whose customer is known.
    IncomingAuthenticated,
    /// A request to consult.
    Consult,
    /// A transfer.
    Transfer,
    /// An assignment by a supervisor.
    SupervisorAssign,
}

choice! {
    Slot {
        IncomingUnauthenticated = "INCOMING_UNAUTHENTICATED",
        IncomingAuthenticated = "INCOMING_AUTHENTICATED",
        Consult = "CONSULT",
        Transfer = "TRANSFER",
        SupervisorAssign = "SUPERVISOR_ASSIGN",
    }
}

impl Workstream {
    /// The notification template that it names for a slot.
    pub fn notification(&self, slot: Slot) -> Option<&UniqueName> {
        match slot {
            Slot::IncomingUnauthenticated => self.incoming_unauthenticated.as_ref(),
            Slot::IncomingAuthenticated => self.incoming_authenticated.as_ref(),
            Slot::Consult => self.consult.as_ref(),
            Slot::Transfer => self.transfer.as_ref(),
            Slot::SupervisorAssign => self.supervisor_assign.as_ref(),
        }
    }
}

impl Fields for Workstream {
    const FIELDS: &'static [Field<Self>] = &[
        field!(channel).refers(Kind::Channel).immutable().required().filter().column("CHANNEL"),
        field!(session_template).refers(Kind::SessionTemplate).column("SESSION"),
        field!(incoming_unauthenticated).refers(Kind::NotificationTemplate),
        field!(incoming_authenticated).refers(Kind::NotificationTemplate),
        field!(consult).refers(Kind::NotificationTemplate),
        field!(transfer).refers(Kind::NotificationTemplate),
        field!(supervisor_assign).refers(Kind::NotificationTemplate),
        field!(smart_assist_bots).refers(Kind::Bot).at_most(MAX_BOTS),
        field!(queues).refers(Kind::Queue).at_most(MAX_QUEUES),
        field!(entity).column("ENTITY"),
    ];
}

/// The reference of a slot.
macro_rules! slot {
    ($field:ident) => {
        Edge::content(
            stringify!($field),
            Kind::NotificationTemplate,
            |workstream, visit| workstream.$field.each(visit),
            |workstream, edit| workstream.$field.edit(edit),
        )
    };
}

impl Refs for Workstream {
    const EDGES: &'static [Edge<Self>] = &[
        Edge::<Self>::content(
            "channel",
            Kind::Channel,
            |workstream, visit| workstream.channel.each(visit),
            |workstream, edit| workstream.channel.edit(edit),
        )
        .restrict("needs it as its channel"),
        Edge::content(
            "session_template",
            Kind::SessionTemplate,
            |workstream, visit| workstream.session_template.each(visit),
            |workstream, edit| workstream.session_template.edit(edit),
        ),
        slot!(incoming_unauthenticated),
        slot!(incoming_authenticated),
        slot!(consult),
        slot!(transfer),
        slot!(supervisor_assign),
        Edge::content(
            "smart_assist_bots",
            Kind::Bot,
            |workstream, visit| workstream.smart_assist_bots.each(visit),
            |workstream, edit| workstream.smart_assist_bots.edit(edit),
        ),
        Edge::<Self>::content(
            "queues",
            Kind::Queue,
            |workstream, visit| workstream.queues.each(visit),
            |workstream, edit| workstream.queues.edit(edit),
        )
        .no_content(),
    ];
}

impl Rules for Workstream {
    fn empty(common: Common, stamp: Stamp) -> Self {
        Self {
            common,
            stamp,
            channel: None,
            session_template: None,
            incoming_unauthenticated: None,
            incoming_authenticated: None,
            consult: None,
            transfer: None,
            supervisor_assign: None,
            smart_assist_bots: Vec::new(),
            queues: Vec::new(),
            entity: String::new(),
        }
    }

    fn syntax(values: &Values<Self>, v: &mut Violations) {
        if let Some(entity) = values.text("entity").filter(|entity| !entity.is_empty()) {
            logical_name(v, entity);
        }
    }

    fn validate_others(&self, _: Option<&Self>, others: &dyn Others, v: &mut Violations) {
        if let Some(name) = &self.session_template
            && others.get(Kind::SessionTemplate, name, "type") == Some(SessionType::Entity)
        {
            v.invalid("session_template", format!("{name} must be a generic template"));
        }
        let channel = self.channel.as_ref();
        let kind = channel.and_then(|name| others.get::<ChannelKind>(Kind::Channel, name, "kind"));
        let Some(kind) = kind else { return };
        let routes_records = kind == ChannelKind::EntityRecords;
        for (field, broken, rule) in [
            (
                "entity",
                routes_records && self.entity.is_empty(),
                "is required where records are routed",
            ),
            (
                "entity",
                !routes_records && !self.entity.is_empty(),
                "must be empty unless records are routed",
            ),
            (
                "smart_assist_bots",
                routes_records && !self.smart_assist_bots.is_empty(),
                "must be empty where records are routed",
            ),
            (
                "supervisor_assign",
                kind != ChannelKind::Voice && self.supervisor_assign.is_some(),
                "is for voice only",
            ),
        ] {
            if broken {
                v.invalid(field, rule);
            }
        }
    }
}
