//! `explain`: why a profile applies to a user, and what lost.

use deskplane_proto::v1;

use super::{
    Client, Format, Io, Result,
    output::{self, short, table},
    resolve::Subject,
};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    subject: Subject,
}

/// Explains one user.
pub(super) async fn run(
    client: &Client,
    args: Args,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let request = args.subject.request(client)?;
    let answer = client.call("InsightService", "Explain", request).await?;
    if format != Format::Table {
        return io.value(format, &output::message(&answer)?);
    }
    show(&answer.transcode_to()?, io)
}

/// Shows an explanation for people.
fn show(answer: &v1::ExplainResponse, io: &mut Io<'_>) -> Result<()> {
    match &answer.winner {
        Some(winner) => {
            io.line(format!(
                "{} gets {} ({}){}",
                answer.user,
                winner.profile,
                winner.label,
                if winner.ambiguous { ", by a tie-break" } else { "" }
            ))?;
            io.line(&winner.reason)?;
        }
        None => io.line(format!("{} gets no profile: none apply in this app", answer.user))?,
    }
    if !answer.losing.is_empty() {
        io.line("")?;
        io.line(table(
            &["LOST", "SOURCE", "RANK", "ROLES", "VIA TEAM", "REASON"],
            answer.losing.iter().map(losing),
        ))?;
    }
    if !answer.gates.is_empty() {
        io.line("")?;
        io.line(table(&["CLOSED BY", "WHAT"], gates(&answer.gates)))?;
    }
    if !answer.copilot_unset.is_empty() {
        io.line(format!("\nnot set in the profile: {}", answer.copilot_unset.join(", ")))?;
    }
    if let Some(missing) = &answer.missing_from_winner {
        let names: Vec<_> = missing.tools.iter().chain(&missing.features).cloned().collect();
        if !names.is_empty() {
            io.line(format!("\nonly {} has: {}", missing.profile, names.join(", ")))?;
        }
    }
    // Unset features were listed above.
    let listed = |finding: &&v1::Finding| finding.code() == v1::FindingCode::CopilotUnset;
    let findings = answer.findings.iter().chain(&answer.content_findings);
    let findings: Vec<_> = findings.filter(|finding| !listed(finding)).collect();
    if findings.is_empty() {
        return Ok(());
    }
    io.line("")?;
    let rows = findings.into_iter().map(|finding| {
        let code = short(finding.code().as_str_name(), "FindingCode").to_owned();
        [code, finding.subject.clone(), finding.message.clone()]
    });
    io.line(table(&["FINDING", "ABOUT", ""], rows))
}

/// What each gate closes, in the order of the answer.
fn gates(reports: &[v1::GateReport]) -> Vec<[String; 2]> {
    let mut rows = Vec::<[String; 2]>::new();
    for report in reports {
        let gate = short(report.gate().as_str_name(), "Gate");
        let kind = short(report.kind().as_str_name(), "GateSubject").to_ascii_lowercase();
        let what = match report.kind() {
            v1::GateSubject::Channels => kind,
            _ => format!("{kind} {}", report.subject),
        };
        match rows.iter_mut().find(|[name, _]| name == gate) {
            Some([_, all]) => *all = format!("{all}, {what}"),
            None => rows.push([gate.to_owned(), what]),
        }
    }
    rows
}

fn losing(route: &v1::LosingRoute) -> [String; 6] {
    [
        route.profile.clone(),
        short(route.source().as_str_name(), "Method").to_owned(),
        route.rank.map(|rank| rank.to_string()).unwrap_or_default(),
        route.matched_roles.join(", "),
        route.via_team.join(", "),
        short(route.reason().as_str_name(), "LossReason").to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_shows_winner_losers_and_gates() {
        let answer = v1::ExplainResponse {
            user: "angel.chiu".into(),
            winner: Some(v1::WinningRoute {
                profile: "datum_rep".into(),
                label: "Direct".into(),
                reason: "Linked directly.".into(),
                ..Default::default()
            }),
            losing: vec![v1::LosingRoute {
                profile: "contoso_rep".into(),
                source: v1::Method::DefaultCustom.into(),
                reason: v1::LossReason::LowerPrecedence.into(),
                ..Default::default()
            }],
            gates: ["msdyn_tool_copilot", "msdyn_tool_screen_recording"]
                .map(|subject| v1::GateReport {
                    kind: v1::GateSubject::Tool.into(),
                    subject: subject.into(),
                    gate: v1::Gate::Organization.into(),
                })
                .into(),
            ..Default::default()
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        show(&answer, &mut Io::new(&mut out, &mut err)).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "angel.chiu gets datum_rep (Direct)\n\
             Linked directly.\n\
             \n\
             LOST         SOURCE          RANK  ROLES  VIA TEAM  REASON\n\
             contoso_rep  DEFAULT_CUSTOM                         LOWER_PRECEDENCE\n\
             \n\
             CLOSED BY     WHAT\n\
             ORGANIZATION  tool msdyn_tool_copilot, tool msdyn_tool_screen_recording\n"
        );
    }
}
