//! Channels through which customers write and call (SPEC §3.10).

use serde::{Deserialize, Serialize};

use crate::domain::{
    Common, Stamp,
    field::{Field, Fields, choice, field},
    refs::{Edge, Refs},
    rules::Rules,
};

/// Kind of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChannelKind {
    /// Live chat.
    Chat,
    /// A messaging channel of one's own.
    CustomMessaging,
    /// Records routed as work.
    EntityRecords,
    /// Facebook.
    Facebook,
    /// LINE.
    Line,
    /// SMS.
    Sms,
    /// Microsoft Teams.
    Teams,
    /// Twitter.
    Twitter,
    /// Voice.
    Voice,
    /// WeChat.
    Wechat,
    /// WhatsApp.
    Whatsapp,
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Common fields.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// Immutable.
    pub kind: ChannelKind,
}

impl Refs for Channel {
    const EDGES: &'static [Edge<Self>] = &[];
}

choice! {
    ChannelKind {
        Chat = "CHAT",
        CustomMessaging = "CUSTOM_MESSAGING",
        EntityRecords = "ENTITY_RECORDS",
        Facebook = "FACEBOOK",
        Line = "LINE",
        Sms = "SMS",
        Teams = "TEAMS",
        Twitter = "TWITTER",
        Voice = "VOICE",
        Wechat = "WECHAT",
        Whatsapp = "WHATSAPP",
    }
}

impl Fields for Channel {
    const FIELDS: &'static [Field<Self>] = &[field!(kind).immutable().required().column("KIND")];
}

impl Rules for Channel {
    fn empty(common: Common, stamp: Stamp) -> Self {
        Self { common, stamp, kind: ChannelKind::Chat }
    }
}
