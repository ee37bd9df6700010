//! Resolution cases through the pure resolver.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use deskplane::{
    catalog::Catalog,
    content::{Gates, compile},
    domain::{App, FindingCode, UserId},
    resolve::{Outcome, explain, organisation_findings, resolve},
};
use deskplane_proto::v1::ProfileContent;
use prost::Message;
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
    content: Option<Content>,
    content_findings: Option<BTreeSet<String>>,
}

/// Parts of the content; an absent one is not compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    tools: Option<Vec<String>>,
    copilot: Option<Vec<String>>,
    channels: Option<bool>,
    inbox: Option<bool>,
    inbox_views: Option<Vec<String>>,
    providers: Option<Vec<String>>,
    entity_templates: Option<BTreeMap<String, String>>,
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
    if expect.content.is_some() || expect.content_findings.is_some() {
        let Some(resolution) = resolution else {
            return vec![format!("{} content: nothing is resolved", case.id)];
        };
        let seat = catalog.user(&user).unwrap().seat;
        let gates = Gates::of(catalog, catalog.class(seat.class));
        let profile = catalog.tables.profiles.get(&resolution.profile).unwrap();
        let compiled = compile(catalog, profile, &gates);
        if let Some(want) = &expect.content {
            compare_content(&compiled.bytes, want, &mut same);
        }
        if let Some(want) = &expect.content_findings {
            let explained = compiled.explained_findings();
            let codes = explained.iter().map(|f| f.code);
            let got: BTreeSet<_> = codes
                .filter(|code| !NOT_COMPARED.contains(code))
                .map(|code| code.as_str().to_owned())
                .collect();
            same("content_findings", format!("{got:?}"), format!("{want:?}"));
        }
    }
    found
}

/// Findings about presence, scripts, macros and tabs, which the cases leave out.
pub(super) const NOT_COMPARED: [FindingCode; 6] = [
    FindingCode::PresenceRoleMissing,
    FindingCode::ScriptInactive,
    FindingCode::ScriptCycle,
    FindingCode::MacroInactive,
    FindingCode::TabInactive,
    FindingCode::TabsOverLimit,
];

/// Compares the parts that the case names with what a client would decode.
pub(super) fn compare_content(
    content: &[u8],
    want: &Content,
    same: &mut impl FnMut(&str, String, String),
) {
    fn part<T: Debug>(
        same: &mut impl FnMut(&str, String, String),
        what: &str,
        got: T,
        want: Option<&T>,
    ) {
        if let Some(want) = want {
            same(what, format!("{got:?}"), format!("{want:?}"));
        }
    }
    let got = ProfileContent::decode(content).unwrap();
    let pane = got.pane.unwrap();
    let short = |name: &str| name.strip_prefix("msdyn_tool_").unwrap_or(name).to_owned();
    let tools = pane.tools.iter().map(|t| short(&t.tool)).collect();
    part(same, "tools", tools, want.tools.as_ref());
    let copilot = got.copilot.into_iter().map(|f| f.feature).collect();
    part(same, "copilot", copilot, want.copilot.as_ref());
    part(same, "channels", got.channels.unwrap().effective, want.channels.as_ref());
    let inbox = got.inbox.unwrap();
    part(same, "inbox", inbox.enabled, want.inbox.as_ref());
    let views = inbox.views.into_iter().map(|v| v.name).collect();
    part(same, "inbox_views", views, want.inbox_views.as_ref());
    let providers = got.providers.into_iter().map(|p| p.unique_name).collect();
    part(same, "providers", providers, want.providers.as_ref());
    let templates = got.session_templates.into_iter().map(|t| (t.entity, t.unique_name)).collect();
    part(same, "entity_templates", templates, want.entity_templates.as_ref());
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
}
