//! Callers and their credentials.

use deskplane_proto::v1;

use super::timestamp;
use crate::{
    auth::{Credential, Method},
    domain::{Actor, Scope},
};

/// Who calls, and by what.
pub(in crate::service) fn caller(credential: &Credential, actor: &Actor) -> v1::GetCallerResponse {
    let (kind, name) = shown(credential);
    let held = Scope::ALL.iter().filter(|scope| actor.scopes.has(**scope));
    v1::GetCallerResponse {
        subject: actor.subject.clone(),
        user: actor.user.as_ref().map(|user| format!("users/{user}")).unwrap_or_default(),
        scopes: held.map(|held| i32::from(scope(*held))).collect(),
        scope_source: source(credential).into(),
        credential_kind: kind.into(),
        credential_name: name.to_owned(),
        expire_time: credential.expires().map(timestamp),
        ..v1::GetCallerResponse::default()
    }
}

fn shown(credential: &Credential) -> (v1::CredentialKind, &str) {
    match credential.identity().map(|identity| &identity.method) {
        None => (v1::CredentialKind::None, ""),
        Some(Method::Jwt { issuer }) => (v1::CredentialKind::Jwt, issuer),
        Some(Method::OpaqueToken { name }) => (v1::CredentialKind::OpaqueToken, name),
        Some(Method::Certificate { name }) => (v1::CredentialKind::Certificate, name),
    }
}

fn source(credential: &Credential) -> v1::ScopeSource {
    match (credential.scopes(), credential.identity()) {
        (None, _) => v1::ScopeSource::Roles,
        (Some(_), None) => v1::ScopeSource::Local,
        (Some(_), Some(_)) => v1::ScopeSource::Credential,
    }
}

fn scope(scope: Scope) -> v1::Scope {
    match scope {
        Scope::Admin => v1::Scope::Admin,
        Scope::Reader => v1::Scope::Reader,
        Scope::Agent => v1::Scope::Agent,
        Scope::Service => v1::Scope::Service,
        Scope::Productivity => v1::Scope::Productivity,
    }
}
