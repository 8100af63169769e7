//! Who we are: our name, where we listen, and which addresses mean this host.

use super::config::Config;
use crate::proto::message::one_word;
use std::net::{IpAddr, SocketAddr};
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
    own_ips: Vec<IpAddr>,
}

impl Identity {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            name: one_word(config.name.as_deref().unwrap_or_default()).into(),
            port: if config.is_port_lent { config.port.unwrap_or(0) } else { 0 },
            bind: config.bind,
            ip: config.ip,
            own_ips: config.own_ips.clone(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
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

    /// The address that we claim on a connection whose own end has the IP `local`.
    pub(super) fn claimed_on(&self, local: IpAddr) -> SocketAddr {
        SocketAddr::new(self.ip.unwrap_or(local), self.port)
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

    fn is_of_this_host(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || ip.is_unspecified() || self.own_ips.contains(&ip)
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
        let own_ips = vec!["10.0.0.1".parse().unwrap()];
        let everywhere = listening(Config { own_ips: own_ips.clone(), ..Config::default() });
        let bound = listening(Config { bind: own_ips[0], own_ips, ..Config::default() });
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
    fn all_addresses_of_this_host_are_at_home_on_it() {
        let identity = listening(Config { own_ips: vec!["10.0.0.1".parse().unwrap()], ..Config::default() });
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
