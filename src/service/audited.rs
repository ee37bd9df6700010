//! Entries of the audit for calls: reads that are let in, and refusals by scope (SPEC §11.3).

use std::{borrow::Cow, net::SocketAddr};

use crate::{
    audit::{Entry, Outcome, Read, Recorder, named},
    auth::{self, Attributes, Audited, Rpc},
    credentials::Rejected,
    domain::{Actor, Kind, Provenance, Scope},
};

/// Longest id that an entry holds of what a caller sent.
const LONGEST_ID: usize = 256;

/// What the head of a call says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) rpc: &'static Rpc,
    /// Name of the caller.
    pub(super) subject: &'a str,
    pub(super) peer: Option<SocketAddr>,
    /// Revision of the catalog by which it was judged.
    pub(super) revision: i64,
}

impl Call<'_> {
    /// Records that the call was refused, or its stream ended, because of who calls.
    pub(super) fn denied(&self, recorder: &Recorder, about: Option<&str>, reason: &str) {
        recorder.denied(|| {
            let about = about.filter(|user| !user.is_empty()).map(Cow::Borrowed);
            let outcome = Outcome::Denied(reason.to_owned());
            self.entry(recorder, None, about, outcome)
        });
    }

    /// Records that a credential was refused, within the rate limit of its address.
    pub(super) fn rejected(&self, recorder: &Recorder, rejected: &Rejected) {
        recorder.denied_for(&rejected.limit, || {
            let outcome = Outcome::Denied(rejected.reason.as_str().to_owned());
            let entry = self.entry(recorder, None, None, outcome);
            Entry { reason: rejected.cause.clone(), ..entry }
        });
    }

    /// Begins to record a call that was let in, if it is an audited read.
    pub(super) fn admitted(
        &self,
        recorder: &Recorder,
        (actor, scope): (&Actor, Scope),
        attributes: &Attributes<'_>,
    ) -> Option<Read> {
        match auth::audited(self.rpc, actor, scope, attributes) {
            Audited::No => None,
            Audited::Counted => {
                recorder.count_service_read();
                None
            }
            Audited::Read(about) => {
                recorder.read(|| self.entry(recorder, Some(scope), about, Outcome::Answered))
            }
        }
    }

    fn entry(
        &self,
        recorder: &Recorder,
        scope: Option<Scope>,
        about: Option<Cow<'_, str>>,
        outcome: Outcome,
    ) -> Entry {
        let about = about.map(|user| {
            // Nobody has checked what was sent.
            let bare = user.strip_prefix("users/").unwrap_or(&user);
            named(Kind::User, &bare.chars().take(LONGEST_ID).collect::<String>())
        });
        let resources: Vec<_> = about.into_iter().collect();
        Entry {
            time: recorder.now(),
            revision: self.revision,
            actor: self.subject.to_owned(),
            provenance: Provenance {
                scope,
                address: self.peer.map(|peer| peer.to_string()).unwrap_or_default(),
            },
            operation: self.rpc.method().to_owned(),
            resource_count: resources.len().try_into().unwrap_or(u32::MAX),
            resources,
            flags: Vec::new(),
            request_id: String::new(),
            reason: String::new(),
            outcome,
            repeats: 0,
        }
    }
}
