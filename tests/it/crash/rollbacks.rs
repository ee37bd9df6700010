//! A profile that is changed and rolled back while the server is killed: its state, its history, the
//! feed of changes and the audit name the same writes, in the same order.

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

use crate::api::Api;

/// Name of the profile.
pub(super) const PROFILE: &str = "contoso_rolled";
/// Resource name of the profile.
const NAME: &str = "profiles/contoso_rolled";
/// Revisions that the history of a profile keeps at least (SPEC §11.2).
const KEPT: usize = 100;

/// One write of the profile.
#[derive(Debug, Clone, PartialEq)]
struct Write {
    operation: &'static str,
    /// Differs from write to write.
    reason: String,
    /// Description of the profile after it.
    text: String,
}

/// All writes of the profile.
#[derive(Debug, Clone, Default)]
pub(super) struct Rollbacks {
    /// Those that are there, by rising revision.
    kept: Vec<(i64, Write)>,
    /// The one that was not answered.
    unknown: Option<Write>,
    /// Number of the next write.
    next: u32,
    /// Rollbacks that were found in the feed of changes.
    pub(super) in_feed: usize,
}

/// A writer at work on one server.
pub(super) struct Writing {
    writer: JoinHandle<Write>,
    acknowledged: watch::Receiver<Vec<(i64, Write)>>,
}

/// A write as lists show it: revision, operation and reason.
type Shown = (i64, String, String);

// === impl Write ===

impl Write {
    /// A change, or a rollback to one of the revisions that are kept.
    fn plan(kept: &[(i64, Self)], number: u32, random: &mut Rng) -> (Self, &'static str, Value) {
        let reason = format!("write {number}");
        let current = kept.last().map(|(_, write)| write.text.as_str()).unwrap_or_default();
        // The oldest ones may leave the history before the rollback is planned.
        let recent = &kept[kept.len().saturating_sub(KEPT / 2)..];
        let other: Vec<_> = recent.iter().filter(|(_, write)| write.text != current).collect();
        match random.choice(&other) {
            Some((revision, past)) if number.is_multiple_of(2) => {
                let q = json!({"names": [NAME], "revision": revision, "reason": reason});
                let text = past.text.clone();
                (Self { operation: "Rollback", reason, text }, "Rollback", q)
            }
            _ => {
                let text = format!("text {number}");
                let profile = json!({"unique_name": PROFILE, "description": text});
                let q = json!({"profile": profile, "reason": reason});
                (Self { operation: "UpdateProfile", reason, text }, "UpdateProfile", q)
            }
        }
    }

    fn shown(&self, revision: i64) -> Shown {
        (revision, self.operation.to_owned(), self.reason.clone())
    }
}

// === impl Rollbacks ===

impl Rollbacks {
    /// Creates the profile, on a server that is not killed meanwhile.
    pub(super) async fn create(&mut self, api: &Api) {
        let (operation, reason, text) = ("CreateProfile", "write 0".to_owned(), String::new());
        let profile = json!({"unique_name": PROFILE, "display_name": "Rolled"});
        let q = json!({"profile": profile, "reason": reason});
        let answer = api.ok(operation, q).await;
        let revision = answer["write"]["revision"].as_i64().unwrap();
        self.kept.push((revision, Write { operation, reason, text }));
        self.next = 1;
    }

    /// Rollbacks that are there.
    pub(super) fn count(&self) -> usize {
        self.kept.iter().filter(|(_, write)| write.operation == "Rollback").count()
    }

    /// Writes until the server is gone.
    pub(super) fn begin(&self, api: Api, seed: u64) -> Writing {
        let (mut kept, mut number) = (self.kept.clone(), self.next);
        let (sender, acknowledged) = watch::channel(kept.clone());
        let mut random = Rng::with_seed(seed);
        let writer = tokio::spawn(async move {
            loop {
                let (write, rpc, q) = Write::plan(&kept, number, &mut random);
                let Ok(answer) = api.call(rpc, q).await else { return write };
                let revision = answer["write"]["revision"].as_i64().unwrap();
                kept.push((revision, write));
                sender.send_replace(kept.clone());
                number += 1;
            }
        });
        Writing { writer, acknowledged }
    }

    /// Notes what was acknowledged, once the server is gone.
    pub(super) async fn end(&mut self, writing: Writing) {
        self.unknown = Some(writing.writer.await.unwrap());
        self.kept.clone_from(&writing.acknowledged.borrow());
    }

    /// Looks at the profile, its history, the feed and the audit.
    pub(super) async fn check(&mut self, api: &Api) {
        let q = json!({"name": NAME, "page_size": KEPT});
        let page = api.ok("ListRevisions", q).await;
        let mut history = shown(&page["revisions"]);
        history.reverse();
        if let (Some(unknown), Some(newest)) = (self.unknown.take(), history.last())
            && newest.2 == unknown.reason
        {
            self.kept.push((newest.0, unknown));
        }
        self.next = u32::try_from(self.kept.len()).unwrap();
        let all: Vec<_> = self.kept.iter().map(|(at, write)| write.shown(*at)).collect();
        assert!(history.len() >= all.len().min(KEPT), "{} revisions", history.len());
        assert_eq!(history, all[all.len() - history.len()..], "the history is another one");

        let (newest, write) = self.kept.last().unwrap();
        let profile = api.ok("GetProfile", json!({"name": PROFILE})).await;
        assert_eq!(profile["description"], write.text, "of revision {newest}");
        let (then, past) = &self.kept[self.kept.len() - history.len()];
        let past_of = api.ok("GetRevision", json!({"name": NAME, "revision": then})).await;
        assert_eq!(past_of["resource"]["description"], past.text, "at revision {then}");
        self.check_audit(api, &all).await;
        self.check_feed(api, &all).await;
    }

    /// The entry of each write is there as long as the revision is.
    async fn check_audit(&self, api: &Api, all: &[Shown]) {
        let q = json!({"resource": NAME, "outcome": "AUDIT_OUTCOME_COMMITTED", "page_size": KEPT});
        let page = api.ok("ListAuditEntries", q).await;
        assert!(page["entries"].as_array().unwrap().iter().all(|entry| entry["scope"] == "ADMIN"));
        let mut audit = shown(&page["entries"]);
        audit.reverse();
        assert!(audit.len() >= all.len().min(KEPT), "{} entries", audit.len());
        assert_eq!(audit, all[all.len() - audit.len()..], "the audit is another one");
    }

    /// The feed holds each of the writes that it goes back to, and no other one of the profile.
    async fn check_feed(&mut self, api: &Api, all: &[Shown]) {
        let page = api.ok("ListChanges", json!({"page_size": 1_000})).await;
        let changes = page["changes"].as_array().unwrap();
        let oldest = changes.first().map_or(0, |change| change["revision"].as_i64().unwrap());
        let revisions: Vec<_> = changes.iter().map(|change| change["revision"].as_i64()).collect();
        let head = page["revision"].as_i64().unwrap();
        assert_eq!(revisions, (oldest..=head).map(Some).collect::<Vec<_>>(), "a gap in the feed");
        let of_profile = |change: &&Value| {
            let resources = change["resources"].as_array().unwrap();
            resources.iter().any(|resource| resource["name"] == NAME)
        };
        let found: Vec<_> = changes.iter().filter(of_profile).cloned().collect();
        let found = shown(&Value::Array(found));
        let expected: Vec<_> = all.iter().filter(|(at, ..)| *at >= oldest).cloned().collect();
        assert_eq!(found, expected, "the feed is another one");
        self.in_feed += found.iter().filter(|(_, operation, _)| operation == "Rollback").count();
    }
}

/// The rows of a list.
fn shown(rows: &Value) -> Vec<Shown> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let row = |row: &Value| {
        (row["revision"].as_i64().unwrap(), text(&row["operation"]), text(&row["reason"]))
    };
    rows.as_array().unwrap().iter().map(row).collect()
}
