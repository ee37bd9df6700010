//! The one place where a vendor's failure becomes a refusal of the API (SPEC §14.2).

use deskplane_providers::{Capability, Effect, Error, ErrorKind};

use crate::domain::{Reason, Refusal, UniqueName};

/// Retry delay where the vendor named none, in milliseconds.
const DEFAULT_RETRY_MS: u64 = 1_000;

/// A kind of request to a vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VendorRequest {
    /// The capability that it needs.
    pub(super) capability: Capability,
    /// Whether it changes anything at the vendor.
    pub(super) changes: bool,
}

impl VendorRequest {
    /// One that changes something at the vendor.
    pub(super) const fn change(capability: Capability) -> Self {
        Self { capability, changes: true }
    }
}

/// The refusal because a vendor failed.
pub(super) fn failed(provider: &UniqueName, request: VendorRequest, error: &Error) -> Refusal {
    use ErrorKind::{
        Conflict, Internal, InvalidArgument, InvalidConfig, NotFound, OutcomeUnknown,
        PermissionDenied, Protocol, RateLimited, Refused, Timeout, Unauthenticated, Unavailable,
        Unsupported,
    };
    let unknown = request.changes && error.effect() == Effect::Unknown;
    let vendor_message = error.message();
    let (reason, message) = match error.kind() {
        Unsupported => return unsupported(provider, request.capability),
        OutcomeUnknown => (Reason::OutcomeUnknown, outcome_unknown(provider)),
        _ if unknown => (Reason::OutcomeUnknown, outcome_unknown(provider)),
        Unauthenticated | PermissionDenied => (
            Reason::ProviderCredentials,
            format!("The vendor of {provider} refused our credentials."),
        ),
        InvalidArgument | Conflict | NotFound | Refused => (
            Reason::ProviderRefused,
            format!("The vendor of {provider} refused: {vendor_message}."),
        ),
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
            .with("vendor_message", vendor_message);
    }
    if matches!(
        reason,
        Reason::ProviderDown | Reason::ProviderTimeout | Reason::ProviderRateLimited
    ) {
        let named =
            error.retry_after().map(|after| after.as_millis().try_into().unwrap_or(u64::MAX));
        refusal = refusal.retry_after_ms(named.unwrap_or(DEFAULT_RETRY_MS));
    }
    refusal
}

fn outcome_unknown(provider: &UniqueName) -> String {
    format!("{provider} did not say what became of the request; it may have been carried out.")
}

/// The refusal because the adapter does not offer this.
pub(super) fn unsupported(provider: &UniqueName, capability: Capability) -> Refusal {
    let message = format!("{provider} does not offer {capability}.");
    Refusal::new(Reason::CapabilityUnsupported, message)
        .with("capability", capability)
        .with("provider", provider)
}
