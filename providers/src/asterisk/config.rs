//! Which Asterisk, and how its dial plan names people.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::{Address, Error, ErrorKind, Presence, Result, Violations};

/// Longest that a phone may ring, in seconds.
const MAX_RING_S: u32 = 300;
/// Most characters of any text.
const MAX_TEXT: usize = 256;

/// Which Asterisk, and how its dial plan names people.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address of the REST interface, e.g. `https://pbx.example.com:8089/ari`. With `http` the
    /// password crosses the network as it is: only for a machine of one's own.
    pub base_url: String,
    /// Name of the Stasis application; only this provider may use it.
    pub app: String,
    /// User of the REST interface, as in `ari.conf`; it must not be read-only.
    pub user: String,
    /// Endpoint of an agent's phone, with `{agent}` for the user's id, e.g. `PJSIP/{agent}`.
    pub agent_endpoint: String,
    /// Endpoint of a number outside, with `{number}`, e.g. `PJSIP/{number}@trunk`.
    pub trunk_endpoint: String,
    /// Endpoint of a SIP URI, with `{uri}`, e.g. `PJSIP/trunk/{uri}`. Only numbers are dialled
    /// without.
    pub sip_endpoint: Option<String>,
    /// Caller id shown outside when a call names none, e.g. `"Contoso" <+14155550100>`.
    pub caller_id: Option<String>,
    /// Seconds that a phone rings before nobody answers.
    #[serde(default = "ring_timeout")]
    pub ring_timeout_s: u32,
    /// Context of the dial plan to which numbers are handed on. Without, the caller's own device is
    /// asked to dial the target (`redirect`).
    pub transfer_context: Option<String>,
    /// Device state that stands for a presence, where it is not the usual one.
    #[serde(default)]
    pub presence: BTreeMap<Presence, DeviceState>,
}

/// A device state of Asterisk. It answers others with an internal error, so there are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeviceState {
    /// Nobody knows.
    Unknown,
    /// Free.
    NotInuse,
    /// In a call.
    Inuse,
    /// Takes no more calls.
    Busy,
    /// There is no such device.
    Invalid,
    /// Out of reach.
    Unavailable,
    /// Rings.
    Ringing,
    /// Rings while in a call.
    Ringinuse,
    /// Holds a call.
    Onhold,
}

fn ring_timeout() -> u32 {
    30
}

/// Notes what is wrong and no schema can say.
pub(super) fn judge(config: &Config, violations: &mut Violations) {
    let word = |text: &str| {
        !text.is_empty()
            && text.len() <= MAX_TEXT
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    let rule = "must be letters, digits, `_` and `-`";
    violations.check(word(&config.app), "app", rule);
    let context = config.transfer_context.as_deref();
    violations.check(context.is_none_or(word), "transfer_context", rule);
    if let Err(rule) = base_url(&config.base_url) {
        violations.add("base_url", rule);
    }
    let user = &config.user;
    let plain = |text: &str| text.len() <= MAX_TEXT && !text.contains(char::is_control);
    violations.check(
        !user.is_empty() && plain(user) && !user.contains(':'),
        "user",
        "must be a user of ari.conf, without a colon",
    );
    template(violations, "agent_endpoint", &config.agent_endpoint, "{agent}");
    template(violations, "trunk_endpoint", &config.trunk_endpoint, "{number}");
    if let Some(endpoint) = &config.sip_endpoint {
        template(violations, "sip_endpoint", endpoint, "{uri}");
    }
    let caller_id = config.caller_id.as_deref();
    violations.check(
        caller_id.is_none_or(|id| !id.is_empty() && plain(id)),
        "caller_id",
        format!("must be 1 to {MAX_TEXT} printable characters"),
    );
    let ring = (1..=MAX_RING_S).contains(&config.ring_timeout_s);
    violations.check(ring, "ring_timeout_s", format!("must be 1 to {MAX_RING_S}"));
}

/// `Technology/resource` with one placeholder behind the slash, and nothing else in braces.
fn template(violations: &mut Violations, path: &str, text: &str, placeholder: &str) {
    let once = text.matches(placeholder).count() == 1;
    let bare = text.replace(placeholder, "");
    let plain = text.len() <= MAX_TEXT
        && !bare.contains(['{', '}', ','])
        && !bare.contains(|c: char| c.is_control() || c.is_whitespace());
    let technology = text.split_once('/').is_some_and(|(technology, _)| {
        !technology.is_empty() && technology.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    violations.check(
        once && plain && technology,
        path,
        format!(
            "must be an endpoint such as `PJSIP/{placeholder}` with exactly one `{placeholder}`"
        ),
    );
}

/// The address of the REST interface, or what is wrong with it.
pub(super) fn base_url(text: &str) -> Result<Url, &'static str> {
    let rule = "must be an absolute https or http URL without user, query and fragment";
    let url = Url::parse(text).map_err(|_| rule)?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let reachable = matches!(url.scheme(), "https" | "http") && url.has_host();
    if bare && reachable { Ok(url) } else { Err(rule) }
}

impl Config {
    /// Endpoint of an agent's phone.
    pub(super) fn agent(&self, agent: &str) -> Result<String> {
        // `@` and `/` would choose another endpoint than the agent's own.
        let safe = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
        if agent.is_empty() || !agent.bytes().all(safe) {
            let message = format!("`{agent}` cannot be part of an endpoint's name");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        Ok(self.agent_endpoint.replace("{agent}", agent))
    }

    /// Endpoint of an address outside.
    pub(super) fn outside(&self, to: &Address) -> Result<String> {
        if to.is_number() {
            return Ok(self.trunk_endpoint.replace("{number}", to.as_str()));
        }
        let endpoint = self.sip_endpoint.as_ref().ok_or_else(|| {
            let message = "this provider dials numbers only: it has no sip_endpoint";
            Error::new(ErrorKind::InvalidArgument, message)
        })?;
        Ok(endpoint.replace("{uri}", to.as_str()))
    }

    /// The device state that stands for a presence.
    pub(super) fn device_state(&self, presence: Presence) -> DeviceState {
        self.presence.get(&presence).copied().unwrap_or(match presence {
            Presence::Available => DeviceState::NotInuse,
            Presence::Busy | Presence::DoNotDisturb => DeviceState::Busy,
            Presence::Away | Presence::Offline => DeviceState::Unavailable,
        })
    }
}

impl DeviceState {
    /// Its name in requests.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::NotInuse => "NOT_INUSE",
            Self::Inuse => "INUSE",
            Self::Busy => "BUSY",
            Self::Invalid => "INVALID",
            Self::Unavailable => "UNAVAILABLE",
            Self::Ringing => "RINGING",
            Self::Ringinuse => "RINGINUSE",
            Self::Onhold => "ONHOLD",
        }
    }
}
