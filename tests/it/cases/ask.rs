//! What a running server says of a user, compared with what a case expects.

use std::collections::BTreeSet;

use deskplane_proto::v1;
use prost::Message as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{
    load,
    resolution::{self, Content},
    state::CaseState,
};
use crate::server::Running;

pub(super) fn app(name: Option<&str>) -> i32 {
    name.map_or(0, |name| v1::App::from_str_name(&format!("APP_{name}")).unwrap().into())
}

/// Name of an enum's value without its prefix.
fn short(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or_else(|| panic!("{name} lacks {prefix}")).to_owned()
}

fn method(number: i32) -> String {
    short(v1::Method::try_from(number).unwrap().as_str_name(), "METHOD_")
}

pub(super) fn code(finding: &v1::Finding) -> String {
    short(finding.code().as_str_name(), "FINDING_CODE_")
}

/// What a server says of one user, in the words of the cases.
struct Answer {
    outcome: &'static str,
    resolved: Option<v1::ResolvedProfile>,
    explained: Option<v1::ExplainResponse>,
}

async fn ask(server: &Running, user: &str, app: i32) -> Answer {
    let q = v1::ResolveProfileRequest { user: user.into(), app, ..Default::default() };
    let resolved = match server.agents().resolve_profile(q).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => {
            assert_eq!(status.code(), Code::NotFound, "{status}");
            assert_eq!(status.get_details_error_info().unwrap().reason, "USER_NOT_FOUND");
            let q = v1::ExplainRequest { user: user.into(), app };
            assert_eq!(server.insight().explain(q).await.unwrap_err().code(), Code::NotFound);
            return Answer { outcome: "NOT_FOUND", resolved: None, explained: None };
        }
    };
    let outcome = match resolved.outcome() {
        v1::Outcome::Resolved => "RESOLVED",
        v1::Outcome::NotApplicable => "NOT_APPLICABLE",
        v1::Outcome::Unspecified => panic!("no outcome"),
    };
    let q = v1::ExplainRequest { user: user.into(), app };
    let explained = server.insight().explain(q).await.unwrap().into_inner();
    assert_eq!(explained.outcome, resolved.outcome);
    Answer { outcome, resolved: resolved.profile, explained: Some(explained) }
}

async fn organisation(server: &Running) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut page_token = String::new();
    loop {
        let q = v1::ListFindingsRequest { page_size: 3, page_token };
        let page = server.insight().list_findings(q).await.unwrap().into_inner();
        found.extend(page.findings.iter().map(|f| (code(f), f.subject.clone())));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

/// Findings on the organisation that are not about content.
const ORGANISATION: &[&str] = &[
    "DUPLICATE_RANK",
    "MULTIPLE_DEFAULTS",
    "DEFAULT_INACTIVE",
    "DEFAULT_HAS_ROLES",
    "RANK_MISSING",
    "PROFILE_WITHOUT_ROLE",
    "ROLE_UNMATCHED",
    "MULTIPLE_DIRECT",
    "DANGLING_DIRECT",
];

impl Answer {
    /// The value that a case's key names.
    fn value(&self, key: &str) -> Value {
        let resolved = self.resolved.as_ref();
        let resolution = resolved.and_then(|r| r.resolution.as_ref());
        let explained = self.explained.as_ref();
        let winner = explained.and_then(|e| e.winner.as_ref());
        match key {
            "outcome" => self.outcome.into(),
            "profile" => {
                let content = resolved.map(|r| v1::ProfileContent::decode(r.content.clone()));
                let profile = content.and_then(|c| c.unwrap().profile);
                assert_eq!(
                    profile.as_ref().map(|p| &p.unique_name),
                    winner.map(|w| &w.profile),
                    "resolving and explaining differ"
                );
                profile.map(|p| p.unique_name).into()
            }
            "method" => {
                assert_eq!(resolution.map(|r| r.method), winner.map(|w| w.method));
                resolution.map(|r| method(r.method)).into()
            }
            "ambiguous" => resolution.is_some_and(|r| r.ambiguous).into(),
            "findings" => {
                let all = explained.map(|e| e.findings.as_slice()).unwrap_or_default();
                all.iter().map(code).collect::<BTreeSet<_>>().into_iter().collect()
            }
            "losing" => explained
                .map(|e| e.losing.as_slice())
                .unwrap_or_default()
                .iter()
                .map(|lost| {
                    let reason = short(lost.reason().as_str_name(), "LOSS_REASON_");
                    json!({"profile": lost.profile, "source": method(lost.source), "reason": reason})
                })
                .collect(),
            other => panic!("unknown expectation {other}"),
        }
    }

    fn content_differs(&self, want: &Value) -> Vec<String> {
        let want: Content = serde_json::from_value(want.clone()).unwrap();
        let content = self.resolved.as_ref().unwrap().content.clone();
        let mut found = Vec::new();
        resolution::compare_content(&content, &want, &mut |what: &str, got, want| {
            if got != want {
                found.push(format!("{what}: got {got}, want {want}"));
            }
        });
        found
    }

    fn content_findings(&self) -> Value {
        let all = self.explained.as_ref().unwrap().content_findings.iter().map(code);
        let left_out =
            |code: &String| resolution::NOT_COMPARED.iter().any(|skipped| skipped.as_str() == code);
        all.filter(|code| !left_out(code)).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Compares what the server says with what a case expects of it.
pub(super) async fn differences(
    server: &Running,
    user: &str,
    app: i32,
    want: &Map<String, Value>,
) -> Vec<String> {
    let answer = ask(server, user, app).await;
    let mut found = Vec::new();
    for (key, want) in want {
        let got = match key.as_str() {
            "content" => {
                found.extend(answer.content_differs(want));
                continue;
            }
            "profile_in" => {
                let got = answer.value("profile");
                if !want.as_array().unwrap().contains(&got) {
                    found.push(format!("profile: got {got}, want one of {want}"));
                }
                continue;
            }
            "content_findings" => answer.content_findings(),
            "org_findings" => {
                let all = organisation(server).await.into_iter();
                let all = all.filter(|(code, _)| ORGANISATION.contains(&code.as_str()));
                let got: BTreeSet<_> = all
                    .map(|(code, subject)| json!({"code": code, "subject": subject}).to_string())
                    .collect();
                let want: BTreeSet<_> =
                    want.as_array().unwrap().iter().map(ToString::to_string).collect();
                if got != want {
                    found.push(format!("org_findings: got {got:?}, want {want:?}"));
                }
                continue;
            }
            key => answer.value(key),
        };
        let same = match (key.as_str(), &got, want) {
            ("findings" | "content_findings", Value::Array(got), Value::Array(want)) => {
                let set = |list: &[Value]| -> BTreeSet<String> {
                    list.iter().map(ToString::to_string).collect()
                };
                set(got) == set(want)
            }
            _ => got == *want,
        };
        if !same {
            found.push(format!("{key}: got {got}, want {want}"));
        }
    }
    found
}

#[derive(Debug, Deserialize)]
struct Resolution {
    id: String,
    state: CaseState,
    ask: Map<String, Value>,
    expect: Map<String, Value>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_resolution_case_holds_through_a_running_server() {
    let cases: Vec<Resolution> = load("resolution.json");
    let mut failures = Vec::new();
    for case in &cases {
        let server = Running::with(case.state.objects()).await;
        let user = case.ask["user"].as_str().unwrap();
        let app = app(case.ask["app"].as_str());
        let found = differences(&server, user, app, &case.expect).await;
        failures.extend(found.into_iter().map(|text| format!("{} {text}", case.id)));
        server.end().await;
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
    println!("{} resolution cases through a running server", cases.len());
}
