//! What the calls of AgentService and InsightService ask for.

use std::collections::BTreeSet;

use deskplane_proto::v1;

use super::{Reader, fleet::client_id};
use crate::{
    catalog::Seated,
    domain::{App, Kind, Method, UniqueName, UserId, check},
    resolve::Resolution,
};

/// Most users that a BulkResolve may name.
const MAX_NAMED: usize = 1_000;

/// The client of a stream, checked.
pub(in crate::service) fn client(
    q: &v1::WatchProfileRequest,
    r: &mut Reader<'_>,
) -> Option<String> {
    check::line(&mut r.v, "client_version", &q.client_version, 0..=64);
    client_id(&q.client_id, r)
}

/// What BulkResolve asks for.
#[derive(Debug)]
pub(in crate::service) struct Bulk {
    /// The app.
    pub app: App,
    /// Whether the whole profiles are wanted.
    pub full: bool,
    /// The named users; empty for all that are counted.
    pub named: BTreeSet<UserId>,
}

/// Reads a BulkResolve.
pub(in crate::service) fn bulk(q: &v1::BulkResolveRequest, r: &mut Reader<'_>) -> Bulk {
    let view = v1::BulkView::try_from(q.view);
    if view.is_err() {
        r.v.invalid("view", format!("has no value {}", q.view));
    }
    if q.users.len() > MAX_NAMED {
        let text = format!("must name at most {MAX_NAMED} users, names {}", q.users.len());
        r.v.invalid("users", text);
    }
    Bulk {
        app: r.choice("app", q.app).unwrap_or_default(),
        full: view == Ok(v1::BulkView::Full),
        named: r.users("users", &q.users),
    }
}

/// What SearchByUser asks for.
#[derive(Debug)]
pub(in crate::service) struct Search {
    /// In lower case.
    text: String,
    profile: Option<UniqueName>,
    method: Option<Method>,
}

/// Reads a SearchByUser.
pub(in crate::service) fn search(q: &v1::SearchByUserRequest, r: &mut Reader<'_>) -> Search {
    check::line(&mut r.v, "text", &q.text, 0..=200);
    Search {
        text: q.text.to_lowercase(),
        profile: r.optional_name("profile", Kind::Profile, &q.profile),
        method: r.choice("method", q.method),
    }
}

impl Search {
    /// Whether id or name of the user begin with the text.
    pub(in crate::service) fn names(&self, seated: &Seated) -> bool {
        let begins = |text: &str| text.to_lowercase().starts_with(&self.text);
        begins(seated.id_text()) || begins(seated.display_name())
    }

    /// Whether the user's profile is one of those requested.
    pub(in crate::service) fn fits(&self, found: &Resolution) -> bool {
        self.profile.as_ref().is_none_or(|name| found.profile == *name)
            && self.method.is_none_or(|method| found.method == method)
    }
}
