//! Who a verified credential stands for.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::domain::{Reason, Refusal, Scopes, Time, UserId};

/// What kind of credential a caller showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// A JWT (RFC 7519) of that issuer.
    Jwt {
        /// Claim `iss`.
        issuer: String,
    },
    /// An opaque token.
    OpaqueToken {
        /// The name that it was made with.
        name: String,
    },
    /// A certificate of TLS.
    Certificate {
        /// The subject alternative name by which it was mapped.
        name: String,
    },
}

/// Who a credential stands for, once it was verified. Shared by all calls that show it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// What was shown.
    pub method: Method,
    /// Stable name of the caller: the user id, or a name that no user id can be.
    pub subject: String,
    /// The user for whom the credential stands.
    pub user: Option<UserId>,
    /// Scopes that it carries; without any, those of the user's roles count.
    pub scopes: Option<Scopes>,
    /// Until when it is accepted, tolerance for clocks included.
    pub expires: Option<Time>,
    /// Whether what it was verified by is still trusted.
    pub revocation: Revocation,
}

impl Identity {
    /// Refuses a credential whose time is over, or whose key or record is gone.
    ///
    /// # Errors
    /// TOKEN_EXPIRED.
    pub fn check_current(&self, now: Time) -> Result<(), Refusal> {
        if self.expires.is_some_and(|end| end <= now) {
            return Err(expired());
        }
        self.check_not_revoked()
    }

    /// Refuses a credential whose key or record is gone.
    ///
    /// # Errors
    /// TOKEN_EXPIRED.
    pub fn check_not_revoked(&self) -> Result<(), Refusal> {
        match self.revocation.is_revoked() {
            true => Err(revoked()),
            false => Ok(()),
        }
    }
}

/// Whether a key, or the record of a token, is still trusted; shared by every credential that was
/// verified by it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Revocation(Arc<AtomicBool>);

impl Revocation {
    /// Ends the trust, for good.
    pub fn revoke(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the trust has ended.
    pub fn is_revoked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The refusal of a credential whose time is over.
pub fn expired() -> Refusal {
    Refusal::new(Reason::TokenExpired, "The credential has expired; renew it and call again.")
}

fn revoked() -> Refusal {
    let message = "The credential is no longer accepted: its key left the key set of its issuer, or \
                   the token was revoked. Get another one and call again.";
    Refusal::new(Reason::TokenExpired, message)
}
