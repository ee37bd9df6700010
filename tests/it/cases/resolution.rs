//! Resolution cases through the pure resolver.

use std::collections::BTreeSet;

use deskplane::{
    catalog::Catalog,
    domain::{App, UserId},
    resolve::{Outcome, explain, organisation_findings, resolve},
};
use serde::Deserialize;

use super::{load, state::CaseState};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    #[serde(rename = "title")]
    _title: String,
    #[serde(rename = "status")]
    _status: String,
    state: CaseState,
    ask: Ask,
    expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    user: String,
    app: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    outcome: String,
    profile: Option<String>,
    method: Option<String>,
    ambiguous: bool,
    findings: BTreeSet<String>,
    losing: Vec<Losing>,
    org_findings: Option<BTreeSet<OrgFinding>>,
    content: Option<serde_json::Value>,
    content_findings: Option<serde_json::Value>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Losing {
    profile: String,
    source: String,
    reason: String,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrgFinding {
    code: String,
    subject: String,
}

fn app(name: Option<&String>) -> App {
    let all = [
        App::Workspace,
        App::Omnichannel,
        App::ContactCenterWorkspace,
        App::CustomerServiceHub,
        App::Mobile,
        App::Teams,
        App::UnifiedServiceDesk,
        App::OnPremises,
        App::CustomApp,
    ];
    name.map_or(App::Unspecified, |name| {
        *all.iter().find(|a| a.as_str() == name).unwrap_or_else(|| panic!("unknown app {name}"))
    })
}

/// Compares one case with one catalog; answers what differs.
fn differences(case: &Case, catalog: &Catalog) -> Vec<String> {
    let expect = &case.expect;
    let user = UserId::parse(&case.ask.user).unwrap();
    let app = app(case.ask.app.as_ref());
    let mut found = Vec::new();
    let mut same = |what: &str, got: String, want: String| {
        if got != want {
            found.push(format!("{} {what}: got {got}, want {want}", case.id));
        }
    };
    let (outcome, resolution) = match resolve(catalog, &user, app) {
        Outcome::Resolved(resolution) => ("RESOLVED", Some(resolution)),
        Outcome::NotApplicable => ("NOT_APPLICABLE", None),
        Outcome::NotFound => ("NOT_FOUND", None),
    };
    same("outcome", outcome.into(), expect.outcome.clone());
    let resolution = resolution.as_ref();
    let profile = resolution.map(|r| r.profile.as_str().to_owned());
    same("profile", format!("{profile:?}"), format!("{:?}", expect.profile));
    let method = resolution.map(|r| r.method.as_str().to_owned());
    same("method", format!("{method:?}"), format!("{:?}", expect.method));
    let ambiguous = resolution.is_some_and(|r| r.ambiguous);
    same("ambiguous", ambiguous.to_string(), expect.ambiguous.to_string());
    let findings: BTreeSet<_> = resolution
        .into_iter()
        .flat_map(|r| &r.findings)
        .map(|f| f.code.as_str().to_owned())
        .collect();
    same("findings", format!("{findings:?}"), format!("{:?}", expect.findings));
    let losing: Vec<_> = explain(catalog, &user, app)
        .map(|e| e.losing)
        .unwrap_or_default()
        .into_iter()
        .map(|l| Losing {
            profile: l.route.profile.as_str().to_owned(),
            source: l.route.method.as_str().to_owned(),
            reason: l.reason.as_str().to_owned(),
        })
        .collect();
    same("losing", format!("{losing:?}"), format!("{:?}", expect.losing));
    if let Some(want) = &expect.org_findings {
        let got: BTreeSet<_> = organisation_findings(catalog)
            .into_iter()
            .map(|f| OrgFinding { code: f.code.as_str().to_owned(), subject: f.subject })
            .collect();
        same("org_findings", format!("{got:?}"), format!("{want:?}"));
    }
    found
}

#[test]
fn every_resolution_case_holds_in_the_pure_resolver_in_any_order() {
    let cases: Vec<Case> = load("resolution.json");
    let mut failures = Vec::new();
    for case in &cases {
        failures.extend(differences(case, &case.state.catalog(|_| {})));
        // Settings of the case come after the seeded ones, so the reversed order puts them back last.
        let reversed = case.state.catalog(|objects| {
            let settings =
                objects.iter().rposition(|o| o.name().is_empty()).map(|at| objects.remove(at));
            objects.reverse();
            objects.extend(settings);
        });
        failures.extend(differences(case, &reversed).into_iter().map(|d| format!("reversed: {d}")));
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
    let content = cases
        .iter()
        .filter(|c| c.expect.content.is_some() || c.expect.content_findings.is_some())
        .inspect(|c| debug_assert!(c.state.has_content() || c.expect.content.is_some()))
        .count();
    println!(
        "{} resolution cases hold; the content part of {content} of them is pending",
        cases.len()
    );
}
