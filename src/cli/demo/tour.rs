//! The tour: three states of the documented example, then a change that an open client sees, then a
//! chat.
//! Every outcome is compared with the documentation of the original.

use std::time::{Duration, Instant};

use deskplane_proto::v1::{
    self, agent_service_client::AgentServiceClient, watch_profile_response::Event,
};
use prost::Message;
use serde_json::json;
use tokio::time::timeout;
use tonic::Streaming;

use crate::cli::{
    Client, Error, Io, Result,
    apply::{self, Outcome, document},
    output::{short, table},
    watch,
};

/// Time in which a message of a stream must be there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time between what the client gets first and the change.
pub(super) const CLICK_PAUSE: Duration = Duration::from_millis(300);

/// One stop of the tour.
struct Stop {
    title: &'static str,
    text: &'static str,
    documents: &'static str,
    expected: &'static [Expected],
}

/// The documented outcome of one user.
struct Expected {
    /// Id of the case among the examples of the specification.
    case: &'static str,
    user: &'static str,
    profile: &'static str,
    method: &'static str,
    /// Profile, source and reason of everything that lost, in order.
    losing: &'static [(&'static str, &'static str, &'static str)],
}

const STOPS: &[Stop] = &[
    Stop {
        title: "A direct link beats the default",
        text: "Contoso Rep is the default. Angel Chiu is linked to Datum Rep, so she gets Datum's \
               desktop\nand nothing of Contoso's: profiles are never merged.",
        documents: include_str!("default.yaml"),
        expected: &[Expected {
            case: "R14",
            user: "angel.chiu",
            profile: "datum_rep",
            method: "DIRECT",
            losing: &[
                ("contoso_rep", "DEFAULT_CUSTOM", "LOWER_PRECEDENCE"),
                ("msdyn_csw_default_profile", "DEFAULT_BUILT_IN", "LOWER_PRECEDENCE"),
            ],
        }],
    },
    Stop {
        title: "Of two roles, the lower rank number wins",
        text: "Contoso Rep now serves customer service representatives with rank 1, Datum Rep \
               Omnichannel\nagents with rank 2. John Doe is both.",
        documents: include_str!("roles.yaml"),
        expected: &[Expected {
            case: "R27",
            user: "john.doe",
            profile: "contoso_rep",
            method: "ROLE_BASED",
            losing: &[
                ("datum_rep", "ROLE_BASED", "WORSE_RANK"),
                ("msdyn_csw_channels_default_profile", "DEFAULT_BUILT_IN", "LOWER_PRECEDENCE"),
            ],
        }],
    },
    Stop {
        title: "A whole company",
        text: "Supervisors get Contoso Supervisor by role, a few people their profile by name, and \
               everybody\nelse Contoso Rep, which is the default again.",
        documents: include_str!("company.yaml"),
        expected: &[
            Expected {
                case: "R57",
                user: "rowan.lee",
                profile: "contoso_supervisor",
                method: "ROLE_BASED",
                losing: &[
                    ("contoso_rep", "DEFAULT_CUSTOM", "LOWER_PRECEDENCE"),
                    ("msdyn_omnichannel_default_profile", "DEFAULT_BUILT_IN", "LOWER_PRECEDENCE"),
                ],
            },
            Expected {
                case: "R60",
                user: "kendall.collins",
                profile: "datum_rep",
                method: "DIRECT",
                losing: DEFAULT_LOST,
            },
            Expected {
                case: "R63",
                user: "gabriel.diaz",
                profile: "datum_supervisor",
                method: "DIRECT",
                losing: DEFAULT_LOST,
            },
            Expected {
                case: "R64",
                user: "kayla.lewis",
                profile: "datum_supervisor",
                method: "DIRECT",
                losing: DEFAULT_LOST,
            },
            Expected {
                case: "R66",
                user: "casey.jensen",
                profile: "contoso_rep",
                method: "DEFAULT_CUSTOM",
                losing: &[("msdyn_csw_default_profile", "DEFAULT_BUILT_IN", "LOWER_PRECEDENCE")],
            },
        ],
    },
];

const DEFAULT_LOST: &[(&str, &str, &str)] = &[
    ("contoso_rep", "DEFAULT_CUSTOM", "LOWER_PRECEDENCE"),
    ("msdyn_csw_default_profile", "DEFAULT_BUILT_IN", "LOWER_PRECEDENCE"),
];

/// How many stops the tour has.
pub(super) const STOPS_OF_TOUR: usize = STOPS.len() + 1;

/// Runs the tour; answers what differs from the documentation.
pub(super) async fn run(client: &Client, io: &mut Io<'_>) -> Result<Vec<String>> {
    let mut surprises = Vec::new();
    for (at, stop) in STOPS.iter().enumerate() {
        io.line(format!("\n{}. {}\n\n{}\n", at + 1, stop.title, stop.text))?;
        load(client, stop.documents).await?;
        surprises.extend(stop.show(client, io).await?);
    }
    io.line(format!("\n{STOPS_OF_TOUR}. An open client sees a change at once\n"))?;
    surprises.extend(live(client, io).await?);
    Ok(surprises)
}

/// Loads documents as `apply` does.
pub(super) async fn load(client: &Client, text: &str) -> Result<()> {
    let documents = document::read(client.api(), "the example", text)?;
    let flags = apply::Flags::default();
    let reports = apply::all(client, documents, &flags, false, false, None).await?;
    let refused = reports.into_iter().filter(|report| report.outcome == Outcome::Refused);
    let refused: Vec<_> =
        refused.map(|r| format!("{}: {}", r.name, r.refusal.join("\n  "))).collect();
    if refused.is_empty() { Ok(()) } else { Err(Error::Partly(refused.join("\n"))) }
}

impl Stop {
    /// Shows who gets what and why; answers what is not as expected.
    async fn show(&self, client: &Client, io: &mut Io<'_>) -> Result<Vec<String>> {
        let (mut won, mut lost, mut surprises) = (Vec::new(), Vec::new(), Vec::new());
        for expected in self.expected {
            let request = json!({ "user": expected.user });
            let answer = client.call("InsightService", "Explain", request).await?;
            let found = answer.transcode_to::<v1::ExplainResponse>()?;
            surprises.extend(expected.surprise(&found));
            let losing = found
                .losing
                .iter()
                .map(|route| [found.user.clone(), route.profile.clone(), reason(route).to_owned()]);
            lost.extend(losing);
            let winner = found.winner.unwrap_or_default();
            won.push([found.user, winner.profile, winner.label, winner.reason]);
        }
        io.line(indented(&table(&["WHO", "GETS", "HOW", "WHY"], won)))?;
        io.line("")?;
        io.line(indented(&table(&["WHO", "DOES NOT GET", "WHY"], lost)))?;
        Ok(surprises)
    }
}

impl Expected {
    /// How an explanation differs from the expected one.
    fn surprise(&self, found: &v1::ExplainResponse) -> Option<String> {
        let winner = found.winner.clone().unwrap_or_default();
        let method = short(winner.method().as_str_name(), "Method");
        let losing = found.losing.iter().map(|route| {
            let source = short(route.source().as_str_name(), "Method");
            (route.profile.as_str(), source, reason(route))
        });
        let right = winner.profile == self.profile
            && method == self.method
            && losing.eq(self.losing.iter().copied());
        (!right).then(|| {
            format!(
                "{} ({}) gets {} by {method}, not {} by {}, or something else lost",
                self.user, self.case, winner.profile, self.profile, self.method
            )
        })
    }
}

fn reason(route: &v1::LosingRoute) -> &'static str {
    short(route.reason().as_str_name(), "LossReason")
}

/// Opens a stream for one agent, makes an administrator's change, and shows what is pushed.
async fn live(client: &Client, io: &mut Io<'_>) -> Result<Vec<String>> {
    let mut agent = AgentServiceClient::new(client.channel());
    let request = v1::WatchProfileRequest {
        user: "rowan.lee".to_owned(),
        client_id: "demo".to_owned(),
        ..Default::default()
    };
    let mut stream = agent.watch_profile(request).await?.into_inner();
    let first = next(&mut stream).await?;
    io.line(format!("  {}", watch::line(&first)?))?;
    io.line("\n  Now an administrator links Rowan Lee to Datum Supervisor by name.\n")?;
    // Nobody clicks that fast, and what follows at once the server would gather for a moment.
    tokio::time::sleep(CLICK_PAUSE).await;

    let sent = Instant::now();
    let change = json!({ "name": "profiles/datum_supervisor", "users": ["users/rowan.lee"] });
    let (answered, pushed) = tokio::join!(
        async { client.call("ProfileService", "AddUsers", change).await.map(|_| sent.elapsed()) },
        async { next(&mut stream).await.map(|message| (message, sent.elapsed())) },
    );
    let (answered, (second, pushed)) = (answered?, pushed?);
    io.line(format!("  {}", watch::line(&second)?))?;
    io.line(format!(
        "\n  The client had it {} ms after the change was sent; the administrator had the answer \
         after {} ms.",
        milliseconds(pushed),
        milliseconds(answered),
    ))?;
    let expected = [
        (&first, "contoso_supervisor", v1::Cause::Initial),
        (&second, "datum_supervisor", v1::Cause::AssignmentChanged),
    ];
    Ok(expected
        .into_iter()
        .filter_map(|(message, name, cause)| push(message, name, cause))
        .collect())
}

/// How a pushed message differs from the expected one.
fn push(message: &v1::WatchProfileResponse, name: &str, cause: v1::Cause) -> Option<String> {
    let expected = format!("a snapshot of {name} with the cause {}", cause.as_str_name());
    let Some(Event::Snapshot(snapshot)) = &message.event else {
        return Some(format!(
            "Rowan Lee's client got no snapshot but {message:?}; due was {expected}"
        ));
    };
    let content = snapshot.profile.as_ref().map(|profile| profile.content.clone());
    let content = v1::ProfileContent::decode(content.unwrap_or_default()).unwrap_or_default();
    let found = content.profile.unwrap_or_default().unique_name;
    let caused = snapshot.causes.iter().any(|found| found.cause() == cause);
    (found != name || !caused)
        .then(|| format!("Rowan Lee's client got {found}; due was {expected}"))
}

pub(super) async fn next(
    stream: &mut Streaming<v1::WatchProfileResponse>,
) -> Result<v1::WatchProfileResponse> {
    let none = || Error::Partly("the stream ended, or nothing came in time".to_owned());
    timeout(PATIENCE, stream.message()).await.map_err(|_| none())??.ok_or_else(none)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

pub(super) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The tour shows the examples of the specification, so it must say the same.
    #[test]
    fn every_stop_expects_what_its_case_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cases/resolution.json");
        let cases = serde_json::from_str::<Vec<Value>>(&std::fs::read_to_string(path).unwrap());
        let cases = cases.unwrap();
        for expected in STOPS.iter().flat_map(|stop| stop.expected) {
            let case = cases.iter().find(|case| case["id"] == expected.case).unwrap();
            // The case of everybody else names somebody who has a role of his own here.
            if expected.case != "R66" {
                assert_eq!(case["ask"]["user"], expected.user, "{}", expected.case);
            }
            let losing = expected.losing.iter().map(|(profile, source, reason)| {
                json!({ "profile": profile, "source": source, "reason": reason })
            });
            let found = json!({
                "profile": expected.profile,
                "method": expected.method,
                "losing": losing.collect::<Vec<_>>(),
            });
            for key in ["profile", "method", "losing"] {
                assert_eq!(case["expect"][key], found[key], "{} {key}", expected.case);
            }
        }
    }
}
