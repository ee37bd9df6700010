//! L1: every vector of the folder, by vendor and kind. What no adapter answers for yet is counted by
//! name; an unknown one fails.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

/// Vectors of vendors without an adapter, by file and kind.
const PENDING: &[(&str, &str)] = &[
    ("aws-sigv4", "sigv4"),
    ("azure-communication-services", "hmac-sha256-request"),
    ("jambonz", "jambonz-signature"),
    ("livekit", "access-token-verify"),
    ("livekit", "webhook"),
    ("plivo", "access-token"),
    ("plivo", "client-token-response"),
    ("plivo", "signature-v2"),
    ("plivo", "signature-v3"),
    ("signalwire", "x-signalwire-signature"),
    ("telnyx", "webhook-ed25519"),
    ("vonage", "hs256-signature"),
    ("vonage", "signed-webhook"),
];

#[derive(Deserialize)]
struct File {
    vendor: String,
    cases: Vec<Case>,
}

/// One vector: what every kind has, and the rest as it is.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) kind: String,
    /// Whether it must be accepted, or made; else refused.
    #[serde(default = "yes")]
    pub(crate) expect: bool,
    #[serde(flatten)]
    pub(crate) rest: Value,
}

fn yes() -> bool {
    true
}

/// How many vectors of a kind there are, and whether an adapter answers for them.
#[derive(Default)]
struct Count {
    run: usize,
    pending: usize,
}

impl Case {
    /// A text of the case; empty when it has none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.rest[name].as_str().unwrap_or_default()
    }

    /// The case as it stands in its file.
    #[cfg(feature = "asterisk")]
    fn whole(&self) -> Value {
        let mut whole = self.rest.clone();
        whole["id"] = self.id.as_str().into();
        whole["kind"] = self.kind.as_str().into();
        whole["expect"] = self.expect.into();
        whole
    }
}

/// Runs one vector; `None` when no adapter answers for its kind.
fn run(vendor: &str, case: &Case) -> Option<Result<(), String>> {
    match vendor {
        #[cfg(feature = "twilio")]
        "twilio" => crate::twilio::vectors::run(case),
        #[cfg(feature = "asterisk")]
        "asterisk-ari" => Some(crate::asterisk::vectors::run(&case.whole())),
        _ => None,
    }
}

/// Runs a folder: the table of what ran, or everything that is wrong.
fn run_all(folder: &Path) -> Result<BTreeMap<(String, String), Count>, Vec<String>> {
    let mut counts = BTreeMap::<(String, String), Count>::new();
    let mut wrong = Vec::new();
    let names = std::fs::read_dir(folder).map_err(|error| vec![format!("{folder:?}: {error}")])?;
    let files = names.filter_map(|entry| Some(entry.ok()?.path()));
    for path in files.filter(|path| path.extension().is_some_and(|kind| kind == "json")) {
        let file: File = match std::fs::read(&path).map(|text| serde_json::from_slice(&text)) {
            Ok(Ok(file)) => file,
            other => {
                wrong.push(format!("{path:?} holds no vectors: {:?}", other.map(|_| ())));
                continue;
            }
        };
        for case in &file.cases {
            let File { vendor, .. } = &file;
            let count = counts.entry((vendor.clone(), case.kind.clone())).or_default();
            match run(vendor, case) {
                Some(Ok(())) => count.run += 1,
                Some(Err(why)) => wrong.push(format!("{vendor} {}: {why}", case.id)),
                None if PENDING.contains(&(vendor.as_str(), case.kind.as_str())) => {
                    count.pending += 1;
                }
                None => wrong.push(format!("{vendor} {}: unknown kind {}", case.id, case.kind)),
            }
        }
    }
    if counts.is_empty() {
        wrong.push(format!("{folder:?} has no vectors"));
    }
    if wrong.is_empty() { Ok(counts) } else { Err(wrong) }
}

/// The folder that travels with the sources, or another one that was named.
fn folder() -> PathBuf {
    std::env::var_os("DESKPLANE_VECTORS_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/vectors"),
        PathBuf::from,
    )
}

#[test]
fn every_vector_is_answered_for_or_pending_by_name() {
    let counts = run_all(&folder()).unwrap_or_else(|wrong| panic!("{}", wrong.join("\n")));
    println!("{:<30} {:<30} {:>5} {:>8}", "vendor", "kind", "run", "pending");
    for ((vendor, kind), Count { run, pending }) in &counts {
        println!("vectors: {vendor:<21} {kind:<30} {run:>5} {pending:>8}");
    }
    let sum = |of: fn(&Count) -> usize| counts.values().map(of).sum::<usize>();
    println!("vectors: {} run, {} pending", sum(|count| count.run), sum(|count| count.pending));
    assert!(sum(|count| count.run) > 0);
}

#[test]
fn a_folder_that_nobody_understands_fails() {
    let folder = std::env::temp_dir().join(format!("deskplane-vectors-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let fails = |text: Option<&str>, expected: &str| {
        if let Some(text) = text {
            std::fs::write(folder.join("a.json"), text).unwrap();
        }
        let wrong = run_all(&folder).err().unwrap_or_default().join("\n");
        assert!(wrong.contains(expected), "{text:?}: {wrong}");
    };
    fails(None, "has no vectors");
    fails(Some("[]"), "holds no vectors");
    fails(Some(r#"{"vendor": "plivo", "cases": []}"#), "has no vectors");
    for vendor in ["twilio", "plivo", "nobody"] {
        let case = r#"{"id": "x", "kind": "new", "expect": true}"#;
        let text = format!(r#"{{"vendor": "{vendor}", "cases": [{case}]}}"#);
        fails(Some(&text), "unknown kind new");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(run_all(&folder).is_err(), "no folder at all");
}
