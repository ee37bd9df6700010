//! Who a certificate of a client stands for, by its subject alternative names (RFC 5280 §4.2.1.6).

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer as _, X509Certificate},
};

use super::problem::Problem;
use crate::{
    auth::{Identity, Method, Revocation},
    domain::{Refusal, Scopes, Time, UserId},
};

/// Kind of a subject alternative name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// Name of a host.
    Dns,
    /// URI, such as a SPIFFE id.
    Uri,
    /// Address of e-mail.
    Email,
}

/// A name, or the names that begin and end in a certain way: `spiffe://contoso.example/agent/*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    /// What follows the `*`; none where there is no `*`.
    after: Option<String>,
}

/// Whom the certificates with a name stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRule {
    /// The kind of name.
    pub kind: NameKind,
    /// The name.
    pub name: Pattern,
    /// The user, in which `*` stands for what it stands for in the name.
    pub user: Option<String>,
    /// What the caller may do; without any, what the user's roles grant.
    pub scopes: Option<Scopes>,
}

/// The rules of a server.
#[derive(Debug)]
pub(super) struct Certificates(Vec<CertificateRule>);

impl Pattern {
    /// Reads a pattern; one `*` at most.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(2, '*');
        let before = parts.next()?.to_owned();
        let after = parts.next().map(str::to_owned);
        let one = after.as_ref().is_none_or(|after| !after.contains('*'));
        (one && !text.is_empty()).then_some(Self { before, after })
    }

    /// What the `*` stands for in a name that fits; empty without one.
    fn part<'a>(&self, name: &'a str) -> Option<&'a str> {
        match &self.after {
            None => (name == self.before).then_some(""),
            Some(after) => {
                let rest = name.strip_prefix(self.before.as_str())?;
                rest.strip_suffix(after.as_str()).filter(|part| !part.is_empty())
            }
        }
    }
}

impl Certificates {
    pub(super) fn new(rules: Vec<CertificateRule>) -> Self {
        Self(rules)
    }

    /// Who a verified chain stands for: the first rule that one of its names fits.
    pub(super) fn identity(
        &self,
        chain: &[CertificateDer<'static>],
    ) -> Result<Arc<Identity>, Refusal> {
        let malformed = || Problem::CertificateMalformed.refusal();
        let own = chain.first().ok_or_else(malformed)?;
        let (_, certificate) = X509Certificate::from_der(own).map_err(|_| malformed())?;
        let names = names(&certificate).ok_or_else(malformed)?;
        let end = certificate.validity().not_after.timestamp().saturating_mul(1_000_000);
        for rule in &self.0 {
            for (_, name) in names.iter().filter(|(kind, _)| *kind == rule.kind) {
                if let Some(identity) = rule.apply(name, Time::from_micros(end)) {
                    return Ok(Arc::new(identity));
                }
            }
        }
        Err(Problem::CertificateUnmapped.refusal())
    }
}

impl CertificateRule {
    /// Who calls with that name, if it fits and can be a caller.
    fn apply(&self, name: &str, expires: Time) -> Option<Identity> {
        let part = self.name.part(name)?;
        let user = match &self.user {
            Some(text) => Some(UserId::parse(&text.replacen('*', part, 1)).ok()?),
            None => None,
        };
        Some(Identity {
            method: Method::Certificate { name: name.to_owned() },
            subject: user
                .as_ref()
                .map_or_else(|| format!("certificate:{name}"), ToString::to_string),
            user,
            scopes: self.scopes,
            expires: Some(expires),
            revocation: Revocation::default(),
        })
    }
}

/// The names of a certificate, in its order.
fn names<'a>(certificate: &'a X509Certificate<'_>) -> Option<Vec<(NameKind, &'a str)>> {
    let extension = certificate.subject_alternative_name().ok()?;
    let names = extension.iter().flat_map(|extension| &extension.value.general_names);
    let named = |name: &GeneralName<'a>| match name {
        GeneralName::DNSName(name) => Some((NameKind::Dns, *name)),
        GeneralName::URI(name) => Some((NameKind::Uri, *name)),
        GeneralName::RFC822Name(name) => Some((NameKind::Email, *name)),
        _ => None,
    };
    Some(names.filter_map(named).collect())
}
