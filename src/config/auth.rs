//! Settings of credentials.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use http::Uri;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{list::List, range::DAY_S};
use crate::{
    auth::scope_named,
    command::DirectoryPolicy,
    credentials::{
        self, ALGORITHMS, Algorithm, CertificateRule, ClaimSettings, IssuerSettings, KeySource,
        NameKind, Pattern,
    },
    domain::{Scope, Scopes},
    secrets::file::{self, Access},
};

/// Most bytes of the file with authorities.
const MAX_AUTHORITIES: u64 = 4 << 20;

/// What callers have to show. Without issuers, tokens and certificates every caller is an
/// administrator unless it says otherwise, and the server listens on loopback addresses only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// File of opaque tokens, which `deskplane token` maintains.
    pub tokens: Option<PathBuf>,
    /// Seconds that clocks of issuers may be off.
    #[schemars(range(min = 0, max = 600))]
    pub clock_skew_s: u64,
    /// PEM file with authorities of issuers, beside those of the machine.
    pub ca: Option<PathBuf>,
    /// Serves callers without credentials at addresses that other machines can reach, each as an
    /// administrator. For networks that nobody else can enter.
    pub anonymous: bool,
    /// Whether the scope DIRECTORY gives and takes roles that grant ADMIN, and changes their holders.
    pub directory_grants_admin: bool,
    /// Whether the scope DIRECTORY links users directly to profiles.
    pub directory_assigns: bool,
    /// Calls with a bad credential or none that an address, or a site (/64) of IPv6, may send in a
    /// minute; further ones are answered with SERVER_BUSY and a delay. Calls with a good
    /// credential are not limited. 0 means no limit, for a server behind a proxy whose address all
    /// callers share.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub refusals_per_minute: u32,
    /// Issuers of JWTs.
    pub issuers: Vec<Issuer>,
    /// Whom certificates of clients stand for; the first row that fits counts.
    pub certificates: Vec<Certificate>,
}

/// An issuer of JWTs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The claim `iss`, exactly.
    pub issuer: String,
    /// Of these, the claim `aud` must hold one.
    pub audiences: List<String>,
    /// Address or file of the key set; without it, where the issuer says (OpenID Connect Discovery).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
    /// What tokens may be signed with.
    #[serde(default = "algorithms")]
    pub algorithms: List<AlgorithmName>,
    /// The claim that names the user; dots lead into nested claims.
    #[serde(default = "user_claim")]
    pub user_claim: String,
    /// Put in front of that claim.
    #[serde(default)]
    pub user_prefix: String,
    /// The claims that list scopes.
    #[serde(default = "scope_claims")]
    pub scope_claims: List<String>,
    /// What scopes of this server begin with in these claims.
    #[serde(default = "scope_prefix")]
    pub scope_prefix: String,
    /// The scopes that the issuer may give.
    #[serde(default = "scopes")]
    pub scopes: List<ScopeName>,
    /// Seconds after which keys are fetched again at the latest.
    #[serde(default = "refresh_s")]
    #[schemars(range(min = 10, max = 86_400))]
    pub refresh_s: u64,
}

/// Whom certificates with a name stand for. One of `dns`, `uri` and `email` is given, in which one `*`
/// stands for any text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Certificate {
    /// A name of a host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<String>,
    /// A URI, such as a SPIFFE id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// An address of e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The user, in which `*` is what it stands for in the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What the caller may do; without any, what the user's roles grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<List<ScopeName>>,
}

/// An algorithm of signatures that is not symmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlgorithmName(Algorithm);

/// A scope that a credential may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeName(Scope);

impl FromStr for AlgorithmName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Algorithm::from_str(text).ok().filter(|named| ALGORITHMS.contains(named));
        named
            .map(Self)
            .ok_or("is none of EdDSA, ES256, ES384, PS256, PS384, PS512, RS256, RS384 and RS512")
    }
}

impl fmt::Display for AlgorithmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for ScopeName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        scope_named(text).map(Self).ok_or("is no scope of a credential")
    }
}

impl fmt::Display for ScopeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.as_str().to_ascii_lowercase())
    }
}

fn algorithms() -> List<AlgorithmName> {
    ALGORITHMS.into_iter().map(AlgorithmName).collect()
}

fn user_claim() -> String {
    "sub".to_owned()
}

fn scope_claims() -> List<String> {
    ["scope", "deskplane_scopes"].into_iter().map(str::to_owned).collect()
}

fn scope_prefix() -> String {
    "deskplane.".to_owned()
}

fn scopes() -> List<ScopeName> {
    let carried = Scope::ALL.iter().filter(|scope| scope_named(scope.as_str()).is_some());
    carried.copied().map(ScopeName).collect()
}

fn refresh_s() -> u64 {
    3_600
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            tokens: None,
            clock_skew_s: 60,
            ca: None,
            anonymous: false,
            directory_grants_admin: false,
            directory_assigns: false,
            refusals_per_minute: 60,
            issuers: Vec::new(),
            certificates: Vec::new(),
        }
    }
}

impl Auth {
    /// Whether callers have to show something.
    pub fn is_configured(&self) -> bool {
        self.tokens.is_some() || !self.issuers.is_empty() || !self.certificates.is_empty()
    }

    pub(super) fn check(&self, has_client_ca: bool, mistakes: &mut Vec<String>) {
        if self.anonymous && self.is_configured() {
            mistakes.push("`auth.anonymous`: credentials are configured, so nobody is".to_owned());
        }
        for (at, issuer) in self.issuers.iter().enumerate() {
            let twice = self.issuers[..at].iter().any(|other| other.issuer == issuer.issuer);
            issuer.check(&format!("auth.issuers[{at}]"), twice, mistakes);
        }
        if !self.certificates.is_empty() && !has_client_ca {
            mistakes.push(
                "`auth.certificates`: clients are asked for certificates only where there is \
                 `tls.client_ca`"
                    .to_owned(),
            );
        }
        for (at, row) in self.certificates.iter().enumerate() {
            if let Err(rule) = row.rule() {
                mistakes.push(format!("`auth.certificates[{at}]`: {rule}"));
            }
        }
    }

    /// What the scope DIRECTORY may do, for the server.
    pub fn policy(&self) -> DirectoryPolicy {
        DirectoryPolicy {
            grants_admin: self.directory_grants_admin,
            assigns: self.directory_assigns,
        }
    }

    /// What the server accepts.
    ///
    /// # Errors
    /// When the file with authorities cannot be used.
    pub fn settings(&self) -> Result<credentials::Settings, String> {
        let roots = match &self.ca {
            None => Vec::new(),
            Some(path) => {
                let unusable = |why: &dyn fmt::Display| {
                    format!("`auth.ca`: {} cannot be used: {why}", path.display())
                };
                let pem = file::read(path, Access::Trusted, MAX_AUTHORITIES);
                let pem = pem.map_err(|why| unusable(&why.cause))?;
                let read = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
                read.map_err(|why| unusable(&why))?
            }
        };
        Ok(credentials::Settings {
            issuers: self.issuers.iter().map(Issuer::settings).collect(),
            tokens: self.tokens.clone(),
            certificates: self.certificates.iter().filter_map(|row| row.rule().ok()).collect(),
            clock_skew: Duration::from_secs(self.clock_skew_s),
            roots,
            anonymous: self.anonymous,
            refusals_per_minute: self.refusals_per_minute,
        })
    }
}

impl Issuer {
    fn check(&self, key: &str, twice: bool, mistakes: &mut Vec<String>) {
        let mut wrong = |field: &str, rule: &str| mistakes.push(format!("`{key}.{field}`: {rule}"));
        if twice {
            wrong("issuer", "is given twice");
        }
        if self.issuer.is_empty() {
            wrong("issuer", "must be the claim `iss` of its tokens");
        }
        if self.audiences.0.is_empty() {
            wrong("audiences", "must name what its tokens are for, or any of them would do");
        }
        if self.algorithms.0.is_empty() {
            wrong("algorithms", "must name an algorithm");
        }
        if self.user_claim.is_empty() {
            wrong("user_claim", "must name a claim");
        }
        let secure =
            |address: &str| address.parse().is_ok_and(|uri: Uri| credentials::is_secure(&uri));
        match (&self.keys, self.source()) {
            (None, _) if !secure(&self.issuer) => {
                wrong(
                    "issuer",
                    "must be an https address, for its keys are found there; or give `keys`",
                );
            }
            (Some(keys), KeySource::Url(_)) if !secure(keys) => {
                wrong("keys", "must be a file or an https address; http only at loopback");
            }
            _ => {}
        }
        if !(10..=DAY_S).contains(&self.refresh_s) {
            wrong("refresh_s", "must be 10 to 86400");
        }
    }

    fn source(&self) -> KeySource {
        let Some(keys) = &self.keys else { return KeySource::Discovery };
        match keys.contains("://").then(|| keys.parse()) {
            Some(Ok(uri)) => KeySource::Url(uri),
            _ => KeySource::File(keys.into()),
        }
    }

    fn settings(&self) -> IssuerSettings {
        IssuerSettings {
            issuer: self.issuer.clone(),
            audiences: self.audiences.0.clone(),
            keys: self.source(),
            algorithms: self.algorithms.0.iter().map(|name| name.0).collect(),
            claims: ClaimSettings {
                user: self.user_claim.clone(),
                user_prefix: self.user_prefix.clone(),
                scopes: self.scope_claims.0.clone(),
                scope_prefix: self.scope_prefix.clone(),
                grants: set(&self.scopes),
            },
            refresh: Duration::from_secs(self.refresh_s),
        }
    }
}

impl Certificate {
    fn rule(&self) -> Result<CertificateRule, &'static str> {
        let given = [
            (NameKind::Dns, &self.dns),
            (NameKind::Uri, &self.uri),
            (NameKind::Email, &self.email),
        ];
        let mut given = given.into_iter().filter_map(|(kind, name)| Some((kind, name.as_ref()?)));
        let (Some((kind, name)), None) = (given.next(), given.next()) else {
            return Err("must give one of `dns`, `uri` and `email`");
        };
        let pattern = Pattern::read(name).ok_or("a name is a text with one `*` at most")?;
        if self.user.is_none() && self.scopes.is_none() {
            return Err("must give `user`, `scopes` or both");
        }
        let stars = self.user.as_ref().map_or(0, |user| user.matches('*').count());
        if stars > name.matches('*').count() {
            return Err("`user` may hold one `*`, where the name holds one");
        }
        let scopes = self.scopes.as_ref().map(set);
        Ok(CertificateRule { kind, name: pattern, user: self.user.clone(), scopes })
    }
}

fn set(names: &List<ScopeName>) -> Scopes {
    names.0.iter().map(|name| name.0).fold(Scopes::default(), |mut set, scope| {
        set.insert(scope);
        set
    })
}
