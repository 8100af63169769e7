//! Who we are: our name, where we listen, and which addresses mean this host.

use super::config::Config;
use crate::proto::interface::Interface;
use crate::proto::message::one_word;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

/// What others know of us, and by which addresses they know it.
#[derive(Debug)]
pub(super) struct Identity {
    name: Rc<str>,
    /// 0 before we listen.
    port: u16,
    bind: IpAddr,
    /// The IP that the user wants to be known by.
    ip: Option<IpAddr>,
    interfaces: Vec<Interface>,
    /// The address that we listen on.
    bound: IpAddr,
}

impl Identity {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            name: one_word(config.name.as_deref().unwrap_or_default()).into(),
            port: if config.is_port_lent { config.port.unwrap_or(0) } else { 0 },
            bind: config.bind,
            ip: config.ip,
            interfaces: config.interfaces.clone(),
            bound: config.bind,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn shared_name(&self) -> Rc<str> {
        Rc::clone(&self.name)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn rename(&mut self, name: &str) {
        self.name = name.into();
    }

    pub(super) fn listen_on(&mut self, port: u16) {
        self.port = port;
    }

    /// We listen on this address.
    pub(super) fn note_bound(&mut self, bound: IpAddr) {
        self.bound = bound;
    }

    /// The address that we listen on; an unspecified one is for all.
    pub(super) fn bound(&self) -> IpAddr {
        self.bound
    }

    /// The addresses at which a peer could reach us, see [`Identity::reachable_at`].
    pub(super) fn reachable(&self) -> Vec<SocketAddr> {
        self.reachable_at(self.bound)
    }

    /// The address that we claim on a connection whose own end has the IP `local`.
    pub(super) fn claimed_on(&self, local: IpAddr) -> SocketAddr {
        SocketAddr::new(self.ip.unwrap_or(local), self.port)
    }

    /// The addresses at which a peer could reach us, if we listen on `bound`: that which the user wants to be known by,
    /// else all that other hosts could use, else that of this host alone. One that is valid on a link only is of no use
    /// to others, since its scope is a number of ours.
    fn reachable_at(&self, bound: IpAddr) -> Vec<SocketAddr> {
        let is_served = |ip: &IpAddr| bound.is_ipv6() || ip.is_ipv4();
        let is_of_link = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let is_usable = |ip: &IpAddr| is_served(ip) && !ip.is_loopback() && !is_of_link(ip);
        let ips = match self.ip {
            Some(ip) => vec![ip],
            None if !bound.is_unspecified() => vec![bound],
            None => self.own_ips().filter(is_usable).collect(),
        };
        let alone = ips.is_empty().then_some(Ipv4Addr::LOCALHOST.into());
        ips.into_iter().chain(alone).map(|ip| SocketAddr::new(ip, self.port)).collect()
    }

    /// Whether `address` is where we listen ourselves.
    pub(super) fn is_own(&self, address: SocketAddr) -> bool {
        let ip = address.ip();
        let is_ours = if self.bind.is_unspecified() { self.is_of_this_host(ip) } else { ip == self.bind };
        address.port() == self.port && (is_ours || self.ip == Some(ip))
    }

    /// Whether the socket address `from` has the claimed IP. On this host, any of its addresses will do.
    pub(super) fn is_at_home(&self, from: SocketAddr, claimed: SocketAddr) -> bool {
        let (socket, claimed) = (from.ip(), claimed.ip());
        socket == claimed || (self.is_of_this_host(socket) && self.is_of_this_host(claimed))
    }

    fn own_ips(&self) -> impl Iterator<Item = IpAddr> {
        self.interfaces.iter().map(|interface| interface.ip)
    }

    fn is_of_this_host(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || ip.is_unspecified() || self.own_ips().any(|own| own == ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(config: Config) -> Identity {
        let mut identity = Identity::new(&config);
        identity.listen_on(8080);
        identity
    }

    #[test]
    fn own_addresses_are_those_that_reach_our_listener() {
        let interfaces = vec![Interface::alone("10.0.0.1".parse().unwrap())];
        let everywhere = listening(Config { interfaces: interfaces.clone(), ..Config::default() });
        let bound = listening(Config { bind: interfaces[0].ip, interfaces, ..Config::default() });
        for (address, is_own) in [
            ("10.0.0.1:8080", [true, true]),
            ("127.0.0.9:8080", [true, false]),
            ("10.0.0.1:8081", [false, false]),
            ("10.0.0.2:8080", [false, false]),
        ] {
            let address = address.parse().unwrap();
            assert_eq!([everywhere.is_own(address), bound.is_own(address)], is_own, "{address}");
        }
        let claimed = listening(Config { ip: Some("10.9.9.9".parse().unwrap()), ..Config::default() });
        assert!(claimed.is_own("10.9.9.9:8080".parse().unwrap()));
        assert_eq!(claimed.claimed_on("127.0.0.1".parse().unwrap()), "10.9.9.9:8080".parse().unwrap());
    }

    #[test]
    fn peers_could_reach_us_at_what_we_listen_on_and_other_hosts_can_use() {
        let ips = |words: &str| -> Vec<IpAddr> {
            words.split_whitespace().map(|word| word.parse().unwrap()).collect()
        };
        let own = "127.0.0.1 10.0.0.1 ::1 fe80::1 2001:db8::1";
        for (own, ip, bound, reachable) in [
            (own, None, "::", "10.0.0.1 2001:db8::1"),
            (own, None, "0.0.0.0", "10.0.0.1"),
            (own, None, "10.0.0.1", "10.0.0.1"),
            (own, None, "::1", "::1"),
            (own, Some("10.9.9.9"), "::", "10.9.9.9"),
            ("127.0.0.1 ::1 fe80::1", None, "::", "127.0.0.1"),
            ("", None, "0.0.0.0", "127.0.0.1"),
        ] {
            let ip = ip.map(|ip: &str| ip.parse().unwrap());
            let identity = listening(Config {
                interfaces: ips(own).into_iter().map(Interface::alone).collect(),
                ip,
                ..Config::default()
            });
            let reachable: Vec<_> = ips(reachable).into_iter().map(|ip| SocketAddr::new(ip, 8080)).collect();
            assert_eq!(identity.reachable_at(bound.parse().unwrap()), reachable, "{own} {bound}");
        }
    }

    #[test]
    fn all_addresses_of_this_host_are_at_home_on_it() {
        let identity = listening(Config {
            interfaces: vec![Interface::alone("10.0.0.1".parse().unwrap())],
            ..Config::default()
        });
        for (from, claimed, is_at_home) in [
            ("127.0.0.1:1", "10.0.0.1:9", true),
            ("10.0.0.2:1", "10.0.0.2:9", true),
            ("10.0.0.2:1", "127.0.0.1:9", false),
            ("10.0.0.2:1", "10.0.0.3:9", false),
        ] {
            let (from, claimed) = (from.parse().unwrap(), claimed.parse().unwrap());
            assert_eq!(identity.is_at_home(from, claimed), is_at_home, "{from} {claimed}");
        }
    }
}
