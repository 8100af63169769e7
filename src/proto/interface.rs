//! One address of this host, and the network interface that has it. Reading them needs the system, see
//! `net::interfaces`; what they mean is for machines to say.

use std::net::{IpAddr, Ipv4Addr};

/// One address of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The name of its interface, such as `eth0`.
    pub name: String,
    /// The number of its interface, which is the scope of addresses that are valid on one link only; 0 if unknown.
    pub index: u32,
    /// The address.
    pub ip: IpAddr,
    /// So many leading bits are the same for all addresses of the network.
    pub prefix: u8,
    /// The interface can carry packets now.
    pub is_up: bool,
}

impl Interface {
    /// Whether `other` is in the same network, so that no gateway is needed.
    pub fn is_near(&self, other: IpAddr) -> bool {
        let prefix = u32::from(self.prefix);
        match (self.ip, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                shares_prefix(own.to_bits().into(), other.to_bits().into(), 32, prefix)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                shares_prefix(own.to_bits(), other.to_bits(), 128, prefix)
            }
            _ => false,
        }
    }

    /// Sorts addresses by how likely others reach us there: global ones, then those of a private network by interface,
    /// then those of one link, then loopback; IPv4 before IPv6, because everybody can use and type it.
    pub fn usefulness(&self) -> impl Ord + use<> {
        let reach = reach(self.ip);
        (reach, if reach == Reach::Global { 0 } else { self.index }, self.ip.is_ipv6())
    }

    /// An address that shares its network with nobody, for tests.
    pub fn alone(ip: IpAddr) -> Self {
        let prefix = if ip.is_ipv4() { 32 } else { 128 };
        Self { name: "eth0".to_owned(), index: 2, ip, prefix, is_up: true }
    }
}

/// How far an address is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Global,
    Private,
    Link,
    Host,
}

fn reach(ip: IpAddr) -> Reach {
    match ip {
        _ if ip.is_loopback() || ip.is_unspecified() => Reach::Host,
        IpAddr::V4(ip) if ip.is_link_local() => Reach::Link,
        IpAddr::V4(ip) if ip.is_private() || is_shared(ip) => Reach::Private,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Reach::Link,
        IpAddr::V6(ip) if ip.is_unique_local() => Reach::Private,
        _ => Reach::Global,
    }
}

/// 100.64.0.0/10, behind a provider's NAT (RFC 6598); overlay networks take their addresses from it too.
fn is_shared(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 100 && (64..128).contains(&second)
}

fn shares_prefix(one: u128, other: u128, width: u32, prefix: u32) -> bool {
    let differing = one ^ other;
    width.checked_sub(prefix).is_some_and(|rest| differing.checked_shr(rest).unwrap_or(0) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_one_network_share_its_prefix() {
        for (own, prefix, other, is_near) in [
            ("192.168.1.7", 24, "192.168.1.200", true),
            ("192.168.1.7", 24, "192.168.2.7", false),
            ("10.0.0.1", 0, "8.8.4.4", true),
            ("10.0.0.1", 32, "10.0.0.1", true),
            ("10.0.0.1", 32, "10.0.0.2", false),
            ("10.0.0.1", 33, "10.0.0.1", false),
            ("2001:db8::1", 64, "2001:db8::ffff", true),
            ("2001:db8::1", 64, "2001:db8:0:1::1", false),
            ("::1", 0, "2001:db8::1", true),
            ("10.0.0.1", 8, "::ffff:10.0.0.2", false),
        ] {
            let own = Interface { prefix, ..Interface::alone(own.parse().unwrap()) };
            assert_eq!(own.is_near(other.parse().unwrap()), is_near, "{own:?} {other}");
        }
    }
}
