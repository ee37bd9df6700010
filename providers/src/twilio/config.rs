//! Configuration, and how users are called at Twilio.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::{Address, Error, ErrorKind, Presence, Result, Violations};

/// Where the user's id stands in a template.
const AGENT: &str = "{agent}";
/// Most characters of a softphone's identity (Twilio's error 51003).
const MAX_IDENTITY: usize = 121;

/// How an account is used.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// SID of the account: `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// SID of the API key with which requests and tokens are signed: `SK` and 32 digits.
    pub api_key_sid: String,
    /// SID of the TwiML application that is asked what to do when the agent dials in the softphone:
    /// `AP` and 32 digits. Its voice URL is this provider's webhook. Without one, tokens only allow
    /// to receive calls.
    #[serde(default)]
    pub twiml_app_sid: Option<String>,
    /// Caller id that is shown unless a call names another: a number of the account or a verified
    /// one in E.164 form, or `client:` or `sip:` where only such parties are called.
    pub caller_id: String,
    /// Region in which the account's data is processed, e.g. `ie1`. Twilio's default is `us1`.
    #[serde(default)]
    pub region: Option<String>,
    /// Edge location through which requests and softphones enter, e.g. `dublin`.
    #[serde(default)]
    pub edge: Option<String>,
    /// Base URL of the API; by default `https://api.twilio.com`, with edge and region in its host.
    /// A URL with `http` is taken as it is written, for machines of one's own.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Base URL of TaskRouter; by default `https://taskrouter.twilio.com`, as above.
    #[serde(default)]
    pub taskrouter_base_url: Option<String>,
    /// SID of the TaskRouter (Flex) workspace whose workers follow the agents' presence: `WS` and 32
    /// digits. Comes with `activities`.
    #[serde(default)]
    pub workspace_sid: Option<String>,
    /// SIDs of workers (`WK` and 32 digits) by user id. A user that is not listed is the one worker
    /// whose attribute `contact_uri` is the softphone's `client:` address, as Flex sets it.
    #[serde(default)]
    pub workers: BTreeMap<String, String>,
    /// SIDs of activities (`WA` and 32 digits) by presence, e.g. `{"AVAILABLE": "WA…"}`. A presence
    /// without one is refused.
    #[serde(default)]
    pub activities: BTreeMap<Presence, String>,
    /// Identity of an agent's softphone, with `{agent}` in the place of the user id. Twilio takes
    /// letters, digits and underscores: any other character of the id, and the underscore itself, is
    /// written as `_` and two hexadecimal digits, so that `kim.lee` becomes `kim_2Elee`.
    #[serde(default = "plain_identity")]
    pub agent_identity: String,
    /// SID of the shared key that signs webhooks by HMAC-SHA256; any when not given.
    #[serde(default)]
    pub shared_key_sid: Option<String>,
}

fn plain_identity() -> String {
    AGENT.to_owned()
}

impl Config {
    /// Notes everything that is wrong.
    pub(super) fn judge(&self, violations: &mut Violations) {
        let mut sid = |path: &str, prefix: &str, sid: &str| {
            let rule = format!("must be {prefix} followed by 32 hexadecimal digits");
            violations.check(is_sid(prefix, sid), path, rule);
        };
        sid("account_sid", "AC", &self.account_sid);
        sid("api_key_sid", "SK", &self.api_key_sid);
        if let Some(app) = &self.twiml_app_sid {
            sid("twiml_app_sid", "AP", app);
        }
        if let Some(workspace) = &self.workspace_sid {
            sid("workspace_sid", "WS", workspace);
        }
        for (user, worker) in &self.workers {
            sid(&format!("workers.{user}"), "WK", worker);
        }
        for (presence, activity) in &self.activities {
            sid(&format!("activities.{}", word(*presence)), "WA", activity);
        }
        self.judge_hosts(violations);
        let rule = "must be an E.164 number such as +14155550100, or begin with client: or sip:";
        violations.check(is_party(&self.caller_id), "caller_id", rule);
        let template = self.agent_identity.split(AGENT).collect::<Vec<_>>();
        let plain = template.iter().all(|part| part.bytes().all(is_identity));
        let rule = "must hold {agent} once, beside it only letters, digits and underscores";
        violations.check(template.len() == 2 && plain, "agent_identity", rule);
        let together = self.workspace_sid.is_some() != self.activities.is_empty();
        violations.check(together, "activities", "must be given exactly with workspace_sid");
        let needed = self.workspace_sid.is_some() || self.workers.is_empty();
        violations.check(needed, "workers", "must be empty without workspace_sid");
        let named = self.shared_key_sid.as_ref().is_none_or(|sid| !sid.is_empty());
        violations.check(named, "shared_key_sid", "must not be empty");
    }

    fn judge_hosts(&self, violations: &mut Violations) {
        for (path, label) in [("region", &self.region), ("edge", &self.edge)] {
            let right = label.as_deref().is_none_or(is_label);
            violations.check(right, path, "must be lower-case letters, digits and hyphens");
        }
        let urls =
            [("base_url", &self.base_url), ("taskrouter_base_url", &self.taskrouter_base_url)];
        for (path, url) in urls {
            let right = url.as_deref().is_none_or(is_base_url);
            let rule =
                "must be an http or https URL without user, query and fragment, not ending in /";
            violations.check(right, path, rule);
        }
    }

    /// Base URL of one of Twilio's products.
    pub(super) fn host(&self, product: &str, configured: Option<&String>) -> String {
        if let Some(url) = configured {
            return url.clone();
        }
        // An edge is always followed by a region, as Twilio's libraries write it.
        let region = self.region.as_deref().or(self.edge.as_ref().map(|_| "us1"));
        let parts = [Some(product), self.edge.as_deref(), region, Some("twilio.com")];
        format!("https://{}", parts.into_iter().flatten().collect::<Vec<_>>().join("."))
    }

    /// The identity of an agent's softphone.
    pub(super) fn identity(&self, agent: &str) -> Result<String> {
        let mut escaped = String::with_capacity(agent.len());
        for byte in agent.bytes() {
            match byte {
                byte if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
                byte => escaped.push_str(&format!("_{byte:02X}")),
            }
        }
        let identity = self.agent_identity.replace(AGENT, &escaped);
        if agent.is_empty() || identity.len() > MAX_IDENTITY {
            let message = format!("the softphone's identity must have 1 to {MAX_IDENTITY} letters");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        Ok(identity)
    }

    /// The user behind a party such as `client:kim_2Elee`, if it is one of ours.
    pub(super) fn agent(&self, party: &str) -> Option<String> {
        let identity = party.strip_prefix("client:")?;
        let (before, after) = self.agent_identity.split_once(AGENT)?;
        let escaped = identity.strip_prefix(before)?.strip_suffix(after)?;
        let mut bytes = Vec::with_capacity(escaped.len());
        let mut rest = escaped.bytes();
        while let Some(byte) = rest.next() {
            match byte {
                b'_' => {
                    let digits = [rest.next()?, rest.next()?];
                    let digits = std::str::from_utf8(&digits).ok()?;
                    bytes.push(u8::from_str_radix(digits, 16).ok()?);
                }
                byte => bytes.push(byte),
            }
        }
        String::from_utf8(bytes).ok().filter(|agent| !agent.is_empty())
    }
}

/// Whether a text is an identifier of Twilio.
pub(super) fn is_sid(prefix: &str, text: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The word of the API for a presence.
pub(super) fn word(presence: Presence) -> &'static str {
    match presence {
        Presence::Available => "AVAILABLE",
        Presence::Busy => "BUSY",
        Presence::DoNotDisturb => "DO_NOT_DISTURB",
        Presence::Away => "AWAY",
        Presence::Offline => "OFFLINE",
    }
}

fn is_party(text: &str) -> bool {
    let client = text.strip_prefix("client:");
    client.map_or_else(
        || text.parse::<Address>().is_ok(),
        |name| !name.is_empty() && name.bytes().all(is_identity),
    )
}

fn is_identity(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A label of a host name.
fn is_label(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_base_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && !text.ends_with('/')
    })
}
