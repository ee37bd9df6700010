//! What a provider can do, as data.

use std::{collections::BTreeSet, fmt};

/// What a provider declares that it can do.
pub type Capabilities = BTreeSet<Capability>;

macro_rules! capabilities {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// One thing that a provider can do. The text is the one of the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Capability {
            $($(#[$doc])* $name),+
        }

        impl Capability {
            /// All there are, in the order of the API.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Name in the API, e.g. `CLIENT_TOKEN`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }

            /// The capability of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|capability| capability.as_str() == name)
            }
        }
    };
}

capabilities! {
    /// Issues tokens with which a softphone signs in.
    ClientToken = "CLIENT_TOKEN",
    /// Starts calls.
    Dial = "DIAL",
    /// Accepts offered calls.
    Accept = "ACCEPT",
    /// Declines offered calls.
    Decline = "DECLINE",
    /// Ends calls.
    End = "END",
    /// Holds and resumes calls.
    Hold = "HOLD",
    /// Mutes the agent.
    Mute = "MUTE",
    /// Sends digits.
    Dtmf = "DTMF",
    /// Transfers without talking to the target first.
    TransferBlind = "TRANSFER_BLIND",
    /// Transfers after talking to the target.
    TransferAttended = "TRANSFER_ATTENDED",
    /// Joins more than two parties.
    Conference = "CONFERENCE",
    /// Starts, pauses and stops recording.
    RecordingControl = "RECORDING_CONTROL",
    /// Lets supervisors listen in.
    Supervise = "SUPERVISE",
    /// Knows a time for work after a call.
    WrapUp = "WRAP_UP",
    /// Follows the presence of the agent.
    PresenceSync = "PRESENCE_SYNC",
    /// Starts calls by a click on a number in a record.
    ClickToAct = "CLICK_TO_ACT",
    /// Offers a list of contacts.
    ContactList = "CONTACT_LIST",
    /// Chooses microphone and loudspeaker.
    AudioDevices = "AUDIO_DEVICES",
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
