//! Calls, in terms that all vendors share.

use std::{fmt, str::FromStr, time::SystemTime};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Most characters of an address.
const MAX_ADDRESS: usize = 256;

/// Whom a call reaches: a number in E.164 form, or a SIP URI.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address(String);

/// A text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a number such as +14155550100 (E.164), or a SIP URI such as sip:help@example.com")]
pub struct AddressInvalid;

/// A call of which the vendor knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRef {
    /// Our own id of the call, also given when it was started.
    pub call_id: Uuid,
    /// The vendor's id.
    pub provider_call_id: String,
    /// Id of the user who takes part.
    pub agent: String,
    /// The other party.
    pub to: String,
    /// Caller id that is shown to it, if one was requested.
    pub from: Option<String>,
    /// When the call was requested.
    pub start_time: SystemTime,
}

/// Who began a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum Direction {
    /// The party outside.
    Inbound,
    /// The agent.
    Outbound,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum CallState {
    /// The vendor has it, and did nothing yet.
    Queued,
    /// The first party is being called.
    Dialing,
    /// It rings somewhere.
    Ringing,
    /// One party is there.
    Answered,
    /// Both parties are connected.
    Bridged,
    /// The other party is on hold.
    Held,
    /// The other party is being handed on.
    Transferring,
    /// Over.
    Ended,
    /// Nobody knows.
    Unknown,
}

/// Why a call is over.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum Cause {
    /// A party hung up.
    Normal,
    /// The party was busy.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// The party declined.
    Rejected,
    /// Ended by us before it was answered.
    Canceled,
    /// The vendor could not.
    Failed,
    /// No line was free.
    Congestion,
    /// There is no such number.
    InvalidNumber,
    /// It took too long.
    Timeout,
    /// A machine answered.
    Machine,
    /// The vendor's own word, when it is none of the others.
    Other(String),
}

/// An event of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEvent {
    /// The vendor's id of the call.
    pub provider_call_id: String,
    /// Our own id, where the vendor hands it back.
    pub call_id: Option<Uuid>,
    /// Identifies this event among those of the call: a repetition has the same key.
    pub key: String,
    /// How far the call is now.
    pub state: CallState,
    /// Why it is over, when it is.
    pub cause: Option<Cause>,
    /// Who began it.
    pub direction: Direction,
    /// The calling party as the vendor writes it; empty when it does not say.
    pub from: String,
    /// The called party as the vendor writes it; empty when it does not say.
    pub to: String,
    /// Id of the user who takes part, where the vendor reports it.
    pub agent: Option<String>,
    /// When it happened, where the vendor reports it.
    pub occurred_at: Option<SystemTime>,
}

// === impl Address ===

impl Address {
    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a number.
    pub fn is_number(&self) -> bool {
        self.0.starts_with('+')
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Address {
    type Err = AddressInvalid;

    fn from_str(text: &str) -> Result<Self, AddressInvalid> {
        let valid = text.len() <= MAX_ADDRESS && (is_e164(text) || is_sip(text));
        if valid { Ok(Self(text.to_owned())) } else { Err(AddressInvalid) }
    }
}

/// ITU-T E.164 with its plus sign: 2 to 15 digits, the first of them not 0.
fn is_e164(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    (2..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// RFC 3261 §19.1, without password and headers: `sip:user@host[:port][;parameters]`.
fn is_sip(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
        return false;
    }
    let (address, parameters) = rest.split_once(';').unwrap_or((rest, ""));
    let Some((user, host)) = address.split_once('@') else { return false };
    let word = |text: &str, more: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(']') || host.starts_with('[') => (host, Some(port)),
        _ => (host, None),
    };
    let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    !user.is_empty()
        && word(user, "-_.!~*'()&=+$,?/%")
        && !host.is_empty()
        && word(host, "-.:")
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        && word(parameters, "-_.!~*'()=;[]:&+$%/")
}

// === impl CallState ===

impl CallState {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        self == Self::Ended
    }

    /// Whether a call that is at `self` may go to `next`.
    ///
    /// Forward only, but for holding and resuming, a transfer that failed, and out of the unknown.
    pub fn may_become(self, next: Self) -> bool {
        use CallState::{Bridged, Ended, Held, Transferring, Unknown};
        match (self, next) {
            (Ended, _) => false,
            (Unknown, next) => next != Unknown,
            (Held | Transferring, Bridged) => true,
            (at, Unknown) => at < Ended,
            (at, next) => next > at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_e164_numbers_or_sip_uris() {
        let good = [
            "+14155550100",
            "+49301234",
            "+12",
            "+123456789012345",
            "sip:a@b",
            "sips:agent1@pbx.example.com:5061",
            "sip:+14155550100@gw.example.com;user=phone;transport=tcp",
            "sip:agent@[2001:db8::1]:5060",
        ];
        for text in good {
            assert!(text.parse::<Address>().is_ok(), "{text}");
        }
        let bad = [
            "",
            "+",
            "+1",
            "+0123",
            "14155550100",
            "+1234567890123456",
            "+1415555 0100",
            "+1415555O100",
            "sip:",
            "sip:host",
            "sip:@host",
            "sip:a@",
            "sip:a@b:0",
            "sip:a@b:99999",
            "sip:a@b c",
            "sip:a@b?header=1",
            "sip:a@b\r\nX: y",
            "sip:a:pw@b",
            "tel:+14155550100",
            "client:anna",
        ];
        for text in bad {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
        assert!(format!("sip:{}@b", "a".repeat(256)).parse::<Address>().is_err());
    }

    #[test]
    fn states_move_forward_only() {
        use CallState::{
            Answered, Bridged, Dialing, Ended, Held, Queued, Ringing, Transferring, Unknown,
        };
        let all = [Queued, Dialing, Ringing, Answered, Bridged, Held, Transferring, Ended, Unknown];
        for (i, at) in all.into_iter().enumerate() {
            for (j, next) in all.into_iter().enumerate() {
                let back = [(Held, Bridged), (Transferring, Bridged)];
                let expected = match at {
                    Ended => false,
                    Unknown => next != Unknown,
                    _ => j > i || back.contains(&(at, next)),
                };
                assert_eq!(at.may_become(next), expected, "{at:?} -> {next:?}");
            }
        }
    }
}
