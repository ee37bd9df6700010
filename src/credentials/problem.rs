//! What is wrong with a credential, as a refusal (SPEC §12.2, §12.3).

use crate::{
    auth,
    domain::{Reason, Refusal},
};

/// What is wrong with a credential. The texts say nothing of its content beyond what an operator
/// needs to find the mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// There is none.
    Missing,
    /// `Authorization` holds something else than one bearer token.
    Scheme,
    /// The certificate stands for nobody.
    CertificateUnmapped,
    /// The certificate cannot be read.
    CertificateMalformed,
    /// No opaque token of the server, or a revoked one.
    TokenUnknown,
    /// No JWT.
    Malformed(&'static str),
    /// The issuer is none of those that are configured.
    Issuer,
    /// The algorithm is not allowed, or not for that key.
    Algorithm,
    /// The issuer has no such key.
    KeyUnknown,
    /// The keys of the issuer cannot be had.
    KeysUnavailable {
        /// The issuer.
        issuer: String,
    },
    /// The signature is not that of the key.
    Signature,
    /// The token is for somebody else.
    Audience,
    /// Its time has not begun.
    NotYetValid,
    /// Its time is over.
    Expired,
}

impl Problem {
    /// The name in the metadata `problem` of the refusal, and in metrics.
    fn name(&self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::Scheme => "SCHEME",
            Self::CertificateUnmapped => "CERTIFICATE_UNMAPPED",
            Self::CertificateMalformed => "CERTIFICATE_MALFORMED",
            Self::TokenUnknown => "TOKEN_UNKNOWN",
            Self::Malformed(_) => "MALFORMED",
            Self::Issuer => "ISSUER",
            Self::Algorithm => "ALGORITHM",
            Self::KeyUnknown => "KEY_UNKNOWN",
            Self::KeysUnavailable { .. } => "KEYS_UNAVAILABLE",
            Self::Signature => "SIGNATURE",
            Self::Audience => "AUDIENCE",
            Self::NotYetValid => "NOT_YET_VALID",
            Self::Expired => "EXPIRED",
        }
    }

    /// The refusal of the call.
    pub(super) fn refusal(&self) -> Refusal {
        let reason = match self {
            Self::Expired => return auth::expired(),
            Self::Missing => Reason::CredentialRequired,
            Self::KeysUnavailable { .. } => Reason::IssuerUnavailable,
            _ => Reason::CredentialInvalid,
        };
        Refusal::new(reason, self.text()).with("problem", self.name())
    }

    fn text(&self) -> String {
        let text = match self {
            Self::Missing => {
                "The call carries no credential; send `authorization: Bearer TOKEN`, or show a \
                 certificate of a client."
            }
            Self::Scheme => "`authorization` must hold one bearer token: `Bearer TOKEN`.",
            Self::CertificateUnmapped => {
                "The certificate of the client has no name that the server maps to a caller \
                 (`auth.certificates`)."
            }
            Self::CertificateMalformed => "The certificate of the client cannot be read.",
            Self::TokenUnknown => "The token is not known to the server, or was revoked.",
            Self::Malformed(what) => {
                return format!("The token is no JWT that can be used: {what}.");
            }
            Self::Issuer => "The issuer of the token (`iss`) is none of those that are configured.",
            Self::Algorithm => {
                "The algorithm of the token (`alg`) is not allowed for its issuer and key."
            }
            Self::KeyUnknown => "The issuer of the token has no key that it names (`kid`).",
            Self::KeysUnavailable { issuer } => {
                return format!(
                    "The keys of {issuer} cannot be fetched, so the token cannot be verified now."
                );
            }
            Self::Signature => "The signature of the token is not that of its key.",
            Self::Audience => "The token is not for this server (`aud`).",
            Self::NotYetValid => "The token is not valid yet (`nbf`); check the clocks.",
            Self::Expired => "The credential has expired.",
        };
        text.to_owned()
    }
}
