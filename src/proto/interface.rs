//! One address of this host, and the network interface that has it. Reading them needs the system, see
//! `net::interfaces`; what they mean is for machines to say.

use std::net::IpAddr;

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

    /// An address that shares its network with nobody, for tests.
    pub fn alone(ip: IpAddr) -> Self {
        let prefix = if ip.is_ipv4() { 32 } else { 128 };
        Self { name: "eth0".to_owned(), index: 2, ip, prefix, is_up: true }
    }
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
