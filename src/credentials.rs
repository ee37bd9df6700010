//! Verifies credentials (SPEC §12.3): bearer tokens, which are JWTs of configured issuers or opaque
//! tokens of a file, and certificates of clients.
//!
//! What a call shows is turned into a [`Credential`]; who that is by the users and roles of a
//! catalog, and what he may, [`auth`](crate::auth) says. A call is judged where it arrived, without
//! waiting; only a JWT of a key that is not known yet waits for the keys of its issuer to be fetched.

mod bearer;
mod certificates;
mod claims;
mod counts;
mod fetch;
mod issuer;
mod issuers;
mod keys;
mod problem;
mod recent;
mod rejection;
mod tokens;

use std::{
    fmt, future::Future, net::SocketAddr, path::PathBuf, pin::Pin, sync::Arc, time::Duration,
};

use deskplane_providers::http::{Network, Policy};
use http::{HeaderMap, HeaderValue};
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

use self::{
    certificates::Certificates, counts::Counts, issuers::Issuers, problem::Problem,
    rejection::Limit, tokens::Tokens,
};
pub use self::{
    certificates::{CertificateRule, NameKind, Pattern},
    claims::ClaimSettings,
    fetch::{KeySource, is_secure},
    issuer::{FETCH_WAIT, IssuerFigures, IssuerSettings},
    keys::{ALGORITHMS, Algorithm},
    recent::Recent,
    rejection::{Rejected, Rejection},
    tokens::{NewToken, Record as TokenRecord, TokenFile, TokenFileError},
};
use crate::{
    auth::{ClientCertificates, Credential, Identity, SCOPES_KEY, USER_KEY},
    clock::Clock,
    domain::{Refusal, Time, Violations},
    tasks::Tasks as Supervised,
};

/// What credentials a server accepts.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Issuers of JWTs.
    pub issuers: Vec<IssuerSettings>,
    /// The file of opaque tokens.
    pub tokens: Option<PathBuf>,
    /// Whom certificates of clients stand for; the first rule that fits counts.
    pub certificates: Vec<CertificateRule>,
    /// How far clocks of issuers may be off.
    pub clock_skew: Duration,
    /// Authorities of issuers beside those of the machine.
    pub roots: Vec<CertificateDer<'static>>,
    /// Whether callers without credentials are served at other addresses than loopback, where no
    /// credentials are configured.
    pub anonymous: bool,
    /// Refused credentials that an address may send in a minute; 0 for no limit.
    pub refusals_per_minute: u32,
}

/// Why credentials cannot be verified as configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file of opaque tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    /// The way to issuers cannot be set up.
    #[error("the way to issuers cannot be set up: {0}")]
    Network(deskplane_providers::Error),
}

/// What became of credentials, for metrics and health.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Calls whose credential was accepted, by method.
    pub accepted: Vec<(&'static str, u64)>,
    /// Calls that were refused before their caller was known, by reason.
    pub refused: Vec<(&'static str, u64)>,
    /// Of these, how many were answered with SERVER_BUSY.
    pub limited: u64,
    /// Issuers of JWTs.
    pub issuers: Vec<IssuerFigures>,
}

impl Figures {
    /// Whether the keys of every issuer could be fetched last time.
    pub fn all_reachable(&self) -> bool {
        self.issuers.iter().all(|issuer| issuer.reachable)
    }
}

/// The credentials of a call: known at once, or after keys were fetched.
#[derive(Debug)]
pub enum Authentication {
    /// Known.
    Now(Result<Credential, Refusal>),
    /// Known after a fetch, at most [`FETCH_WAIT`].
    Later(Verified),
}

/// A credential, once the keys that it needs were fetched.
pub struct Verified(pub Pin<Box<dyn Future<Output = Result<Credential, Refusal>> + Send>>);

/// Verifies what calls show. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    configured: Option<Arc<Configured>>,
    anonymous: bool,
}

struct Configured {
    issuers: Arc<Issuers>,
    tokens: Option<Arc<Tokens>>,
    certificates: Certificates,
    clock: Clock,
    counts: Counts,
    limit: Limit,
    /// Counts what may concern open streams or the health of the server.
    changes: watch::Sender<u64>,
}

impl Credentials {
    /// Verifies what the settings accept.
    ///
    /// # Errors
    /// When the file of opaque tokens or an authority cannot be used. Issuers need not be there.
    pub fn load(settings: Settings, clock: Clock) -> Result<Self, LoadError> {
        let Settings { issuers, tokens, certificates, clock_skew, roots, anonymous, .. } = settings;
        let limit = Limit::new(settings.refusals_per_minute);
        if issuers.is_empty() && tokens.is_none() && certificates.is_empty() {
            return Ok(Self { configured: None, anonymous });
        }
        // Where issuers are is for the operator to say, unlike the addresses of vendors.
        let everywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok());
        let network = Network::new(Policy::allowing(everywhere), &roots);
        let network = network.map_err(LoadError::Network)?;
        let changes = watch::Sender::default();
        let issuers = Issuers::new(issuers, clock_skew, network);
        let tokens = tokens.map(Tokens::load).transpose()?;
        let certificates = Certificates::new(certificates);
        let tokens = tokens.map(Arc::new);
        let (issuers, anonymous) = (Arc::new(issuers), false);
        let counts = Counts::default();
        let configured =
            Configured { issuers, tokens, certificates, clock, counts, limit, changes };
        Ok(Self { configured: Some(Arc::new(configured)), anonymous })
    }

    /// Whether a caller needs one.
    pub fn are_required(&self) -> bool {
        self.configured.is_some()
    }

    /// Whether any authority may be asked for: other machines reach the server.
    pub fn any_authority(&self) -> bool {
        self.are_required() || self.anonymous
    }

    /// Keeps keys and tokens current as long as the scope lasts. Must be called within a tokio
    /// runtime.
    pub fn start(&self, tasks: &Supervised) {
        let Some(configured) = &self.configured else { return };
        configured.issuers.start(tasks, &configured.changes);
        if let Some(file) = &configured.tokens {
            file.start(tasks, &configured.changes);
        }
    }

    /// Reads keys and tokens again, as far as they are in files.
    pub fn reload(&self) {
        let Some(configured) = &self.configured else { return };
        configured.issuers.refresh_files();
        if let Some(tokens) = &configured.tokens
            && tokens.reload()
        {
            configured.changes.send_modify(|count| *count += 1);
        }
    }

    /// Counts what may concern open streams or the health of the server: keys and tokens that are
    /// gone, issuers that cannot be reached or can be again.
    pub fn changes(&self) -> Option<watch::Receiver<u64>> {
        self.configured.as_ref().map(|configured| configured.changes.subscribe())
    }

    /// What was accepted and refused, and how issuers are; none where none are configured.
    pub fn figures(&self) -> Option<Figures> {
        let configured = self.configured.as_ref()?;
        Some(Figures {
            accepted: configured.counts.accepted().collect(),
            refused: configured.counts.refused().collect(),
            limited: configured.limit.limited(),
            issuers: configured.issuers.figures(),
        })
    }

    /// Writes down when tokens were used last.
    pub fn close(&self) {
        if let Some(tokens) = self.configured.as_ref().and_then(|c| c.tokens.as_ref()) {
            tokens.keep_uses();
        }
    }

    /// The same as [`authenticate`](Self::authenticate), with the wait.
    ///
    /// # Errors
    /// The refusal of the call.
    pub async fn verify(
        &self,
        headers: &HeaderMap,
        certificates: Option<&ClientCertificates>,
    ) -> Result<Credential, Refusal> {
        match self.authenticate(headers, certificates, &mut Recent::default()) {
            Authentication::Now(verdict) => verdict,
            Authentication::Later(verdict) => verdict.0.await,
        }
    }

    /// What becomes of a refusal of [`authenticate`](Self::authenticate): beyond the rate limit of its
    /// address it is answered with SERVER_BUSY.
    pub fn reject(
        &self,
        peer: Option<SocketAddr>,
        headers: &HeaderMap,
        refusal: Refusal,
    ) -> Rejection {
        match &self.configured {
            None => Rejection { answer: refusal, audit: None },
            Some(configured) => {
                let peer = peer.map(|peer| peer.ip());
                rejection::reject(&configured.limit, peer, headers, refusal)
            }
        }
    }

    /// Reads and verifies the credential of a call. A bearer token counts, else the certificate of
    /// the connection. `recent` is what the connection showed before.
    pub fn authenticate(
        &self,
        headers: &HeaderMap,
        certificates: Option<&ClientCertificates>,
        recent: &mut Recent,
    ) -> Authentication {
        let Some(configured) = &self.configured else {
            return Authentication::Now(local(headers));
        };
        match bearer::header(headers) {
            Err(refusal) => configured.refused(refusal),
            Ok(Some(header)) => configured.bearer(header, recent),
            Ok(None) => Authentication::Now(configured.certificate(certificates)),
        }
    }
}

impl Configured {
    fn refused(&self, refusal: Refusal) -> Authentication {
        self.counts.refuse(&refusal);
        Authentication::Now(Err(refusal))
    }

    fn bearer(self: &Arc<Self>, header: &HeaderValue, recent: &mut Recent) -> Authentication {
        let now = self.clock.now();
        if let Some(identity) = recent.find(header.as_bytes(), now) {
            return Authentication::Now(self.counted(Ok(identity)));
        }
        let token = match bearer::token(header) {
            Ok(token) => token,
            Err(refusal) => return self.refused(refusal),
        };
        let authentication = self.token(token, now);
        if let Authentication::Now(Ok(Credential::Verified(identity))) = &authentication {
            recent.keep(header.as_bytes(), identity);
        }
        authentication
    }

    fn token(self: &Arc<Self>, token: &str, now: Time) -> Authentication {
        if token.starts_with(tokens::PREFIX) {
            let found = self.tokens.as_ref().map(|tokens| tokens.find(token, now));
            let found = found.unwrap_or_else(|| Err(Problem::TokenUnknown.refusal()));
            return Authentication::Now(self.counted(found));
        }
        match self.issuers.verify(token, now) {
            issuers::Verdict::Now(verdict) => Authentication::Now(self.counted(verdict)),
            issuers::Verdict::Unknown(unverified) => {
                let configured = Arc::clone(self);
                Authentication::Later(Verified(Box::pin(async move {
                    let verdict = configured.issuers.verify_later(*unverified, now).await;
                    configured.counted(verdict)
                })))
            }
        }
    }

    fn certificate(&self, shown: Option<&ClientCertificates>) -> Result<Credential, Refusal> {
        let identity = shown.map(|shown| {
            shown.identity(|chain| self.certificates.identity(chain)).and_then(|identity| {
                identity.check_current(self.clock.now())?;
                Ok(identity)
            })
        });
        self.counted(identity.unwrap_or_else(|| Err(Problem::Missing.refusal())))
    }

    fn counted(&self, verdict: Result<Arc<Identity>, Refusal>) -> Result<Credential, Refusal> {
        match &verdict {
            Ok(identity) => self.counts.accept(&identity.method),
            Err(refusal) => self.counts.refuse(refusal),
        }
        verdict.map(Credential::Verified)
    }
}

/// Where no credentials are configured. A key that is given twice is refused: a proxy in front and
/// the server might each use another of the two values.
fn local(headers: &HeaderMap) -> Result<Credential, Refusal> {
    let mut v = Violations::new();
    let mut text = |key| {
        let mut values = headers.get_all(key).iter();
        let first = values.next();
        if values.next().is_some() {
            v.invalid(key, "is given more than once");
        }
        // What is not ASCII text is no id and no scope either; it must not count as absent.
        first.map(|value| value.to_str().unwrap_or("\u{fffd}"))
    };
    let (user, scopes) = (text(USER_KEY), text(SCOPES_KEY));
    v.finish()?;
    Credential::local(user, scopes)
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("issuers", &self.issuers).finish_non_exhaustive()
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
