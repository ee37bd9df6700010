//! Settings of the organisation (SPEC §3.13).

use serde::{Deserialize, Serialize};

use super::{Stamp, secret::Sealed};

/// The one settings object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Server's notes.
    pub stamp: Stamp,
    /// Whether first-party channels exist.
    pub channels_provisioned: bool,
    /// Whether Copilot may be used at all.
    pub copilot_opt_in: bool,
    /// Gate of the tool of that name.
    pub case_handling_time: bool,
    /// Gate of the tool of that name.
    pub screen_recording: bool,
    /// Whether agents may Explain themselves.
    pub allow_agent_explain: bool,
    /// 1 to 100.
    pub max_streams_per_user: u8,
    /// Key of the hashes of requests that may hold secrets, sealed. It is no setting: no caller reads
    /// or changes it, and it stays when the keys of secrets rotate. A store without a key ring has
    /// none, nor has one that was last written before there was such a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint_key: Option<Sealed>,
}

impl Settings {
    /// What of the settings is part of the content of profiles.
    pub fn content_switches(&self) -> [bool; 4] {
        [
            self.channels_provisioned,
            self.copilot_opt_in,
            self.case_handling_time,
            self.screen_recording,
        ]
    }

    /// The settings of a new store.
    pub fn initial(stamp: Stamp) -> Self {
        Self {
            stamp,
            channels_provisioned: true,
            copilot_opt_in: true,
            case_handling_time: false,
            screen_recording: false,
            allow_agent_explain: false,
            max_streams_per_user: 10,
            fingerprint_key: None,
        }
    }
}
