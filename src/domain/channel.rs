//! Channels through which customers write and call (SPEC §3.10). No API yet: built-in channels only.

use serde::{Deserialize, Serialize};

use super::{
    Common, Stamp,
    refs::{Edge, Refs},
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

impl ChannelKind {
    /// Every kind, ascending by name.
    pub const ALL: &'static [Self] = &[
        Self::Chat,
        Self::CustomMessaging,
        Self::EntityRecords,
        Self::Facebook,
        Self::Line,
        Self::Sms,
        Self::Teams,
        Self::Twitter,
        Self::Voice,
        Self::Wechat,
        Self::Whatsapp,
    ];

    /// The name that SPEC gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "CHAT",
            Self::CustomMessaging => "CUSTOM_MESSAGING",
            Self::EntityRecords => "ENTITY_RECORDS",
            Self::Facebook => "FACEBOOK",
            Self::Line => "LINE",
            Self::Sms => "SMS",
            Self::Teams => "TEAMS",
            Self::Twitter => "TWITTER",
            Self::Voice => "VOICE",
            Self::Wechat => "WECHAT",
            Self::Whatsapp => "WHATSAPP",
        }
    }
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
