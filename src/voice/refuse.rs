//! The one place where a vendor's failure becomes a refusal of the API (SPEC §14.2).

use deskplane_providers::{Capability, Effect, Error, ErrorKind};

use crate::domain::{Reason, Refusal, UniqueName};

/// Pause that is asked for where the vendor named none, in milliseconds.
const PAUSE_MS: u64 = 1_000;

/// What was asked of a vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// The capability that it needs.
    pub(super) capability: Capability,
    /// Whether it changes anything at the vendor.
    pub(super) changes: bool,
}

/// The refusal because a vendor failed.
pub(super) fn failed(provider: &UniqueName, asked: Asked, error: &Error) -> Refusal {
    use ErrorKind::{
        Conflict, Internal, InvalidArgument, InvalidConfig, NotFound, OutcomeUnknown,
        PermissionDenied, Protocol, RateLimited, Refused, Timeout, Unauthenticated, Unavailable,
        Unsupported,
    };
    let unknown = asked.changes && error.effect() == Effect::Unknown;
    let said = error.message();
    let (reason, message) = match error.kind() {
        Unsupported => return unsupported(provider, asked.capability),
        OutcomeUnknown => (Reason::OutcomeUnknown, may_have(provider)),
        _ if unknown => (Reason::OutcomeUnknown, may_have(provider)),
        Unauthenticated | PermissionDenied => (
            Reason::ProviderCredentials,
            format!("The vendor of {provider} refused our credentials."),
        ),
        InvalidArgument | Conflict | NotFound | Refused => {
            (Reason::ProviderRefused, format!("The vendor of {provider} refused: {said}."))
        }
        RateLimited => (
            Reason::ProviderRateLimited,
            format!("{provider} takes no more requests now; retry later."),
        ),
        Timeout => (
            Reason::ProviderTimeout,
            format!("{provider} did not answer in time; nothing was carried out."),
        ),
        Unavailable | Protocol | Internal | InvalidConfig => (
            Reason::ProviderDown,
            format!("{provider} cannot be used now; nothing was carried out."),
        ),
    };
    let mut refusal = Refusal::new(reason, message).with("provider", provider);
    if reason == Reason::ProviderRefused {
        refusal = refusal
            .with("vendor_code", error.vendor_code().unwrap_or_default())
            .with("vendor_message", said);
    }
    if matches!(
        reason,
        Reason::ProviderDown | Reason::ProviderTimeout | Reason::ProviderRateLimited
    ) {
        let asked =
            error.retry_after().map(|after| after.as_millis().try_into().unwrap_or(u64::MAX));
        refusal = refusal.retry_after_ms(asked.unwrap_or(PAUSE_MS));
    }
    refusal
}

fn may_have(provider: &UniqueName) -> String {
    format!("{provider} did not say what became of the request; it may have been carried out.")
}

/// The refusal because the adapter does not offer this.
pub(super) fn unsupported(provider: &UniqueName, capability: Capability) -> Refusal {
    let message = format!("{provider} does not offer {capability}.");
    Refusal::new(Reason::CapabilityUnsupported, message)
        .with("capability", capability)
        .with("provider", provider)
}
