//! The names that we give channels and bridges, from which the calls can be found again.
//!
//! A call of ours is the agent's channel `dp-{call id}-a`, the other party's `dp-{call id}-b` and
//! the bridge `dp-{call id}`. Of a call from outside the other party's channel has Asterisk's id;
//! the agent's is `dp-{that id}-a`, the bridge `dp-{that id}`.

use uuid::Uuid;

use crate::{CallRef, Direction};

/// Begins every name of ours.
const PREFIX: &str = "dp-";

/// One of the two parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// The user.
    Agent,
    /// The party outside.
    Customer,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LineId {
    /// Begun by us.
    Outbound(Uuid),
    /// Begun outside; the caller's channel.
    Inbound(String),
}

/// What must be known of a call to go on with it. It travels with its first channel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Details {
    /// Id of the user.
    pub(super) agent: String,
    /// The called party.
    pub(super) to: String,
    /// The calling party; empty when the configured one is shown.
    pub(super) from: String,
}

impl LineId {
    /// The call and the side of a channel with a name of ours.
    pub(super) fn of_channel(channel: &str) -> Option<(Self, Side)> {
        let (middle, side) = channel.strip_prefix(PREFIX)?.rsplit_once('-')?;
        match (Uuid::parse_str(middle), side) {
            (Ok(call), "a") => Some((Self::Outbound(call), Side::Agent)),
            (Ok(call), "b") => Some((Self::Outbound(call), Side::Customer)),
            (Err(_), "a") => Some((Self::Inbound(middle.to_owned()), Side::Agent)),
            _ => None,
        }
    }

    /// The call of which a bridge is ours by its name.
    pub(super) fn of_bridge(bridge: &str) -> Option<Self> {
        let middle = bridge.strip_prefix(PREFIX)?;
        let inbound = |_| Self::Inbound(middle.to_owned());
        Some(Uuid::parse_str(middle).map_or_else(inbound, Self::Outbound))
    }

    /// The call that the server means.
    pub(super) fn of_call(call: &CallRef) -> Self {
        match call.provider_call_id.as_str() {
            "" => Self::Outbound(call.call_id),
            id => {
                Self::of_channel(id).map_or_else(|| Self::Inbound(id.to_owned()), |(line, _)| line)
            }
        }
    }

    /// Id of a party's channel.
    pub(super) fn channel(&self, side: Side) -> String {
        match (self, side) {
            (Self::Outbound(call), Side::Agent) => format!("{PREFIX}{call}-a"),
            (Self::Outbound(call), Side::Customer) => format!("{PREFIX}{call}-b"),
            (Self::Inbound(caller), Side::Agent) => format!("{PREFIX}{caller}-a"),
            (Self::Inbound(caller), Side::Customer) => caller.clone(),
        }
    }

    /// Id of the bridge.
    pub(super) fn bridge(&self) -> String {
        match self {
            Self::Outbound(call) => format!("{PREFIX}{call}"),
            Self::Inbound(caller) => format!("{PREFIX}{caller}"),
        }
    }

    /// The party whose channel was there first; the call is known to others by that channel.
    pub(super) fn first(&self) -> Side {
        match self {
            Self::Outbound(_) => Side::Agent,
            Self::Inbound(_) => Side::Customer,
        }
    }

    /// The id that others know.
    pub(super) fn provider_call_id(&self) -> String {
        self.channel(self.first())
    }

    /// Our id of the call, where it is in the names.
    pub(super) fn call_id(&self) -> Option<Uuid> {
        match self {
            Self::Outbound(call) => Some(*call),
            Self::Inbound(_) => None,
        }
    }

    pub(super) fn direction(&self) -> Direction {
        match self {
            Self::Outbound(_) => Direction::Outbound,
            Self::Inbound(_) => Direction::Inbound,
        }
    }
}

impl Side {
    /// Both.
    pub(super) const BOTH: [Self; 2] = [Self::Agent, Self::Customer];

    pub(super) fn other(self) -> Self {
        match self {
            Self::Agent => Self::Customer,
            Self::Customer => Self::Agent,
        }
    }
}

impl Details {
    /// As one argument of the Stasis application: no comma, no quote, whatever it is made of.
    pub(super) fn to_args(&self) -> String {
        let mut args = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("agent", &self.agent), ("to", &self.to), ("from", &self.from)] {
            if !value.is_empty() {
                args.append_pair(name, value);
            }
        }
        args.finish()
    }

    /// From the arguments of the Stasis application, e.g. `agent=anna` of a dial plan.
    pub(super) fn from_args<'a>(args: impl IntoIterator<Item = &'a str>) -> Self {
        let mut details = Self::default();
        for arg in args {
            for (name, value) in url::form_urlencoded::parse(arg.as_bytes()) {
                match &*name {
                    "agent" => details.agent = value.into_owned(),
                    "to" => details.to = value.into_owned(),
                    "from" => details.from = value.into_owned(),
                    _ => {}
                }
            }
        }
        details
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_the_call() {
        let call = LineId::Outbound(Uuid::from_u128(7));
        let caller = LineId::Inbound("pbx-1700000000.12".to_owned());
        for line in [&call, &caller] {
            let agent = line.channel(Side::Agent);
            assert_eq!(LineId::of_channel(&agent), Some((line.clone(), Side::Agent)));
            assert_eq!(LineId::of_bridge(&line.bridge()).as_ref(), Some(line));
        }
        let customer = call.channel(Side::Customer);
        assert_eq!(customer, format!("dp-{}-b", Uuid::from_u128(7)));
        assert_eq!(LineId::of_channel(&customer), Some((call, Side::Customer)));
        for foreign in ["1700000000.12", "dp-", "dp-x", "dp-x-b", "", "dp-a-a;2", "dp-a-b;2"] {
            assert_eq!(LineId::of_channel(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn details_survive_as_one_argument() {
        let details = Details {
            agent: "kendall.o'hara@contoso.com".to_owned(),
            to: "sip:a,b&c=d@pbx.example.com;x=\"1\"".to_owned(),
            from: "+14155550100".to_owned(),
        };
        let args = details.to_args();
        assert!(!args.contains([',', '"', '\\', '(', ' ']), "{args}");
        assert_eq!(Details::from_args([args.as_str()]), details);
        for c in ' '..='~' {
            let agent = format!("a{c}41&to=x");
            let details = Details { agent, to: String::new(), from: String::new() };
            let args = details.to_args();
            assert!(!args.contains([',', '"', '\\', '(', ' ', '|', '\'']), "{args}");
            assert_eq!(Details::from_args([args.as_str()]), details);
        }
        assert_eq!(Details::from_args(["agent=anna", "x"]).agent, "anna");
        assert_eq!(Details::from_args([]), Details::default());
    }
}
