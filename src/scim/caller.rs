//! Who calls: the credential of the request, and the scopes that SCIM needs.

use std::net::SocketAddr;

use http::{Method, request::Parts};

use super::shared::Shared;
use crate::{
    audit::{Entry, Outcome},
    auth::ClientCertificates,
    catalog::Catalog,
    credentials::Rejection,
    domain::{Actor, Provenance, Reason, Refusal, Scope},
};

/// A caller who may use SCIM.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) actor: Actor,
    pub(super) provenance: Provenance,
}

/// The caller of a request; one who may not use SCIM is refused, and that is audited.
///
/// What an administrator writes by SCIM is a sync all the same: the roles that it gives are marked
/// so, and only what is marked is taken away again.
pub(super) async fn authenticate(
    shared: &Shared,
    head: &Parts,
    peer: Option<SocketAddr>,
) -> Result<Caller, Refusal> {
    let certificates = head.extensions.get::<ClientCertificates>();
    let verified = shared.credentials.verify(&head.headers, certificates).await;
    let catalog = &shared.ledger.catalog();
    let address = peer.map(|peer| peer.to_string()).unwrap_or_default();
    let credential = verified.map_err(|refusal| {
        let Rejection { answer, audit } = shared.credentials.reject(peer, &head.headers, refusal);
        if let Some(rejected) = audit {
            shared.recorder.denied_for(&rejected.limit, || {
                let provenance = Provenance { scope: None, address: address.clone() };
                let entry = entry(shared, catalog, &head.method, ("", provenance), rejected.reason);
                Entry { reason: rejected.cause, ..entry }
            });
        }
        answer
    })?;
    let denied = |subject: &str, refusal: &Refusal| {
        shared.recorder.denied(|| {
            let provenance = Provenance { scope: None, address: address.clone() };
            entry(shared, catalog, &head.method, (subject, provenance), refusal.reason)
        });
    };
    let mut actor = credential.actor(catalog).inspect_err(|no| denied(credential.name(), no))?;
    let scope = [Scope::Admin, Scope::Directory].into_iter().find(|s| actor.scopes.has(*s));
    let scope = scope.ok_or_else(|| scope_required(&actor));
    let scope = scope.inspect_err(|no| denied(&actor.subject, no))?;
    actor.scopes.insert(Scope::Directory);
    Ok(Caller { actor, provenance: Provenance { scope: Some(scope), address } })
}

fn scope_required(actor: &Actor) -> Refusal {
    let message =
        format!("{} may not use SCIM; it needs one of the scopes ADMIN, DIRECTORY.", actor.subject);
    Refusal::new(Reason::ScopeRequired, message).with("required_scope", "ADMIN,DIRECTORY")
}

/// The entry of a refused request.
fn entry(
    shared: &Shared,
    catalog: &Catalog,
    method: &Method,
    (subject, provenance): (&str, Provenance),
    reason: Reason,
) -> Entry {
    Entry {
        time: shared.recorder.now(),
        revision: catalog.revision,
        actor: subject.to_owned(),
        provenance,
        operation: format!("SCIM {method}"),
        resources: Vec::new(),
        resource_count: 0,
        flags: Vec::new(),
        request_id: String::new(),
        reason: String::new(),
        outcome: Outcome::Denied(reason.as_str().to_owned()),
        repeats: 0,
    }
}
