//! Connections of each address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bits of an address of IPv6 that one site has: a machine chooses the rest as it likes.
const SITE: u32 = 64;

/// How many connections each address has. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    cap: usize,
}

/// A connection that counts for its address until this is dropped.
#[derive(Debug)]
pub(super) struct OfAddress {
    site: IpAddr,
    addresses: Addresses,
}

impl Addresses {
    /// Permits each address so many.
    pub(super) fn new(cap: usize) -> Self {
        Self { counts: Arc::default(), cap }
    }

    /// Most connections of one address.
    pub(super) fn cap(&self) -> usize {
        self.cap
    }

    /// Counts a connection of a [`site`]; none when that has all that it may have.
    pub(super) fn enter(&self, site: IpAddr) -> Option<OfAddress> {
        let mut counts = self.counts();
        let count = counts.entry(site).or_default();
        if *count >= self.cap {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(OfAddress { site, addresses: self.clone() })
    }

    /// Counts a connection in the place of one that is about to be closed.
    pub(super) fn replace(&self, site: IpAddr) -> OfAddress {
        *self.counts().entry(site).or_default() += 1;
        OfAddress { site, addresses: self.clone() }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an address counts as.
pub(super) fn site(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX << (u128::BITS - SITE);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
        address => address,
    }
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts();
        if let Some(count) = counts.get_mut(&self.site) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.site);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_count() {
        let addresses = Addresses::new(2);
        let enter = |text: &str| addresses.enter(site(text.parse().unwrap()));
        let (first, _second) = (enter("10.0.0.1").unwrap(), enter("::ffff:10.0.0.1").unwrap());
        assert!(enter("10.0.0.1").is_none());
        let _other = enter("10.0.0.2").unwrap();
        drop(first);
        let _third = enter("10.0.0.1").unwrap();
        assert!(enter("10.0.0.1").is_none());
    }

    #[test]
    fn the_machines_of_one_site_count_together() {
        let addresses = Addresses::new(1);
        let enter = |text: &str| addresses.enter(site(text.parse().unwrap()));
        let held = enter("2001:db8:0:1::1").unwrap();
        assert!(enter("2001:db8:0:1:ffff::2").is_none());
        assert!(enter("2001:db8:0:2::1").is_some());
        drop(held);
        assert!(addresses.counts().is_empty());
    }
}
