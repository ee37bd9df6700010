//! Which addresses may be reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Public addresses, and what was allowed beside them.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    allowed: Vec<IpNet>,
    unix: bool,
}

impl Policy {
    /// Allows these networks beside the public ones.
    pub fn allowing(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self { allowed: networks.into_iter().collect(), unix: false }
    }

    /// Allows sockets of this machine, or refuses them as by default.
    #[must_use]
    pub fn allowing_unix(mut self, allowed: bool) -> Self {
        self.unix = allowed;
        self
    }

    /// Whether sockets of this machine may be reached.
    pub fn allows_unix(&self) -> bool {
        self.unix
    }

    /// Whether an address may be reached.
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed.iter().any(|network| network.contains(&address)) || is_public(address)
    }
}

/// Whether an address belongs to the internet at large: none that a machine's own network uses, and
/// none that carries such an address within.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => embedded(v6).map_or_else(|| is_public_v6(v6), is_public_v4),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocol = (a, b, c) == (192, 0, 0);
    let benchmark = a == 198 && (b == 18 || b == 19);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || shared
        || protocol
        || benchmark)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // 2000::/3 is all there is of global unicast (RFC 4291); documentation and the rest of
    // 2001::/23 are taken out of it (RFC 2928, RFC 3849, RFC 9637).
    let [a, b, ..] = address.segments();
    a & 0xe000 == 0x2000
        && !(a == 0x2001 && b < 0x0200)
        && !(a == 0x2001 && b == 0x0db8)
        && !(a == 0x3fff && b < 0x1000)
}

/// The IPv4 address that a translated (64:ff9b::/96, RFC 6052) or tunnelled (2002::/16, RFC 3056)
/// address leads to.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let (high, low) = match s {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_allowed_by_default() {
        let policy = Policy::default();
        for text in
            ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
        {
            assert!(policy.allows(text.parse().unwrap()), "{text}");
        }
        let private = [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.3.4",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
            "2001:db8::1",
            "2001::1",
            "100::1",
            "fec0::1",
        ];
        for text in private {
            assert!(!policy.allows(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_network_is_allowed_where_it_was_named() {
        let policy =
            Policy::allowing(["10.20.0.0/16", "fd00:1::/32"].map(|net| net.parse().unwrap()));
        for (text, allowed) in [
            ("10.20.255.1", true),
            ("::ffff:10.20.1.1", true),
            ("10.21.0.1", false),
            ("fd00:1::5", true),
            ("fd00:2::5", false),
            ("127.0.0.1", false),
            ("8.8.8.8", true),
        ] {
            assert_eq!(policy.allows(text.parse().unwrap()), allowed, "{text}");
        }
    }
}
