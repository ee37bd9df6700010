//! Entries of the audit for webhooks that are refused (SPEC §14.4).
//!
//! The answer is the same for every cause, so the entry is where an administrator finds the cause.
//! Anyone can post, so entries are rate-limited: by provider, and for all names without one together.

use std::net::SocketAddr;

use deskplane_providers::WebhookRefused;

use crate::{
    audit::{Entry, Outcome, named},
    domain::{Kind, Provenance, UniqueName},
    voice::Shared,
};

/// Operation of the entries.
const OPERATION: &str = "Webhook";
/// Name of the rate limit of webhooks for no provider.
const UNKNOWN: &str = "webhooks/";

impl Shared {
    /// Records that a webhook was refused. `provider` is the part of its path that names one.
    pub(super) fn audit_refusal(
        &self,
        provider: &str,
        peer: Option<SocketAddr>,
        why: WebhookRefused,
    ) {
        let name = UniqueName::parse(provider).ok();
        let resource = name.as_ref().map(|name| named(Kind::Provider, name.as_str()));
        let known = name.as_ref().is_some_and(|name| self.accounts.get(name).is_some());
        let limit = resource.as_deref().filter(|_| known).unwrap_or(UNKNOWN).to_owned();
        self.settings.recorder.denied_for(&limit, || Entry {
            time: self.settings.recorder.now(),
            revision: self.catalog.borrow().revision,
            actor: String::new(),
            provenance: Provenance {
                scope: None,
                address: peer.map(|peer| peer.to_string()).unwrap_or_default(),
            },
            operation: OPERATION.to_owned(),
            resource_count: resource.is_some().into(),
            resources: resource.into_iter().collect(),
            flags: Vec::new(),
            request_id: String::new(),
            reason: String::new(),
            outcome: Outcome::Denied(reason(why).to_owned()),
            repeats: 0,
        });
    }
}

/// The cause as entries name it.
fn reason(why: WebhookRefused) -> &'static str {
    match why {
        WebhookRefused::NotOffered => "WEBHOOK_NOT_OFFERED",
        WebhookRefused::Unsigned => "WEBHOOK_UNSIGNED",
        WebhookRefused::BadSignature => "WEBHOOK_SIGNATURE_INVALID",
        WebhookRefused::Stale => "WEBHOOK_STALE",
        WebhookRefused::Malformed => "WEBHOOK_MALFORMED",
        WebhookRefused::Unavailable => "WEBHOOK_UNAVAILABLE",
    }
}
