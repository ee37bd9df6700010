//! Refused credentials: how many of them an address may send, and what the audit says of them.
//!
//! The rate limit is of refusals and not of calls: a credential that is good is never counted, so
//! one broken client does not lock out the others behind its address. What is remembered is one time
//! for each address, the theoretical arrival time of the generic cell rate algorithm (GCRA).

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::HeaderMap;
use tokio::time::Instant;

use super::{bearer, issuers};
use crate::domain::{Reason, Refusal};

/// Addresses with a time of their own; further ones share one.
pub(super) const SITES: usize = 16_384;
/// How often the addresses are forgotten that may send as much as any.
const SWEEP: Duration = Duration::from_secs(1);
/// Longest text of an issuer or a key that is shown, in characters: it is not verified.
const LONGEST: usize = 128;

/// A call that was refused before its caller was known.
#[derive(Debug)]
pub struct Rejection {
    /// What is answered.
    pub answer: Refusal,
    /// What an entry of the audit says; none where nothing was wrong with a credential.
    pub audit: Option<Rejected>,
}

/// What the audit says of a refused credential. Nothing of a token is part of it but the names of its
/// issuer and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Name of the rate limit of entries: that of the address.
    pub limit: String,
    /// Why it was refused, whatever was answered.
    pub reason: Reason,
    /// The problem, and the issuer and key that the token names.
    pub cause: String,
}

/// The rate limit of refused credentials.
#[derive(Debug)]
pub(super) struct Limit {
    /// Refusals of an address in a minute, all of which may come at once; 0 for no limit.
    per_minute: u32,
    sites: Mutex<Sites>,
    limited: AtomicU64,
}

#[derive(Debug, Default)]
struct Sites {
    /// When the refusals of an address will be forgotten; none for those that share one.
    until: HashMap<Option<IpAddr>, Instant>,
    swept: Option<Instant>,
}

impl Limit {
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute, sites: Mutex::default(), limited: AtomicU64::default() }
    }

    /// How many refusals were answered by the limit.
    pub(super) fn limited(&self) -> u64 {
        self.limited.load(Ordering::Relaxed)
    }

    /// Counts a refusal of that site; the time after which the next is answered with its cause, where
    /// this one is not.
    pub(super) fn count(&self, site: IpAddr, now: Instant) -> Option<Duration> {
        let period = Duration::from_secs(60).checked_div(self.per_minute)?;
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        let until = sites.of(site, now);
        let next = (*until).max(now) + period;
        let wait =
            (next - now).checked_sub(period * self.per_minute).filter(|wait| !wait.is_zero());
        match wait {
            None => *until = next,
            Some(_) => drop(self.limited.fetch_add(1, Ordering::Relaxed)),
        }
        wait
    }
}

impl Sites {
    fn of(&mut self, site: IpAddr, now: Instant) -> &mut Instant {
        let full = self.until.len() >= SITES && !self.until.contains_key(&Some(site));
        if full && self.swept.is_none_or(|swept| now - swept >= SWEEP) {
            self.swept = Some(now);
            self.until.retain(|_, until| *until > now);
        }
        let known = self.until.len() < SITES || self.until.contains_key(&Some(site));
        self.until.entry(known.then_some(site)).or_insert(now)
    }
}

/// Judges a refusal of credentials from that address.
pub(super) fn reject(
    limit: &Limit,
    peer: Option<IpAddr>,
    headers: &HeaderMap,
    refusal: Refusal,
) -> Rejection {
    let reason = refusal.reason;
    let counted = matches!(reason, Reason::CredentialRequired | Reason::CredentialInvalid);
    if !counted && reason != Reason::TokenExpired {
        return Rejection { answer: refusal, audit: None };
    }
    let site = peer.map(site);
    let name = site.map(|site| site.to_string()).unwrap_or_default();
    let rejected =
        Rejected { limit: format!("credentials/{name}"), reason, cause: cause(headers, &refusal) };
    // An expired token was good: its holder must learn that it has to renew it.
    let wait = site.filter(|_| counted).and_then(|site| limit.count(site, Instant::now()));
    Rejection { answer: wait.map_or(refusal, limited), audit: Some(rejected) }
}

fn limited(wait: Duration) -> Refusal {
    let message = "Too many calls from this address showed no credential or a bad one; correct it, \
                   and try again later. Calls with a good credential are not limited.";
    let wait = wait.as_millis().try_into().unwrap_or(u64::MAX);
    let refusal = Refusal::new(Reason::ServerBusy, message);
    Refusal { retry_after_ms: Some(wait), ..refusal }
}

/// The problem, and what the token says of its issuer and key.
fn cause(headers: &HeaderMap, refusal: &Refusal) -> String {
    let mut cause =
        refusal.metadata.get("problem").cloned().unwrap_or_else(|| "EXPIRED".to_owned());
    let token = bearer::read(headers).ok().flatten();
    let (issuer, key) = token.map(issuers::names).unwrap_or_default();
    for (what, text) in [("issuer", issuer), ("key", key)] {
        if let Some(text) = text {
            let shown = text.chars().filter(|c| !c.is_control()).take(LONGEST);
            cause.push_str(&format!("; {what} {}", shown.collect::<String>()));
        }
    }
    cause
}

/// What counts as one address: a machine chooses the last 64 bits of one of IPv6 as it likes.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6((six.to_bits() & (u128::MAX << 64)).into()),
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests;
