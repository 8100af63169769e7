//! Who we are: our name, where we listen, and which addresses mean this host.

use super::config::Config;
use crate::proto::interface::Interface;
use crate::proto::message::one_word;
use crate::proto::scope::{Scopes, is_link_local};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::rc::Rc;

/// What others know of us, and by which addresses they know it.
#[derive(Debug)]
pub(super) struct Me {
    name: Rc<str>,
    /// 0 before we listen.
    port: u16,
    bind: IpAddr,
    /// The IP that the user wants to be known by.
    ip: Option<IpAddr>,
    interfaces: Vec<Interface>,
    scopes: Scopes,
    /// The kinds of useless claims that the user was told of: loopback, unspecified.
    told_claims: [bool; 2],
    /// The address that we listen on.
    bound: IpAddr,
}

impl Me {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            name: one_word(config.name.as_deref().unwrap_or_default()).into(),
            port: if config.is_port_lent { config.port.unwrap_or(0) } else { 0 },
            bind: config.bind,
            ip: config.ip,
            interfaces: config.interfaces.clone(),
            scopes: Scopes::of(&config.interfaces),
            told_claims: [false; 2],
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

    /// The addresses at which a peer could reach us, see [`Me::reachable_at`].
    pub(super) fn reachable(&self) -> Vec<SocketAddr> {
        self.reachable_at(self.bound)
    }

    /// The address that we claim on a connection whose own end has the IP `local`.
    pub(super) fn claimed_on(&self, local: IpAddr) -> SocketAddr {
        SocketAddr::new(self.ip.unwrap_or(local), self.port)
    }

    /// The address that we claim, if the other end `remote` of a connection is another host and can do nothing with it.
    /// Each kind is given only once.
    pub(super) fn first_bad_claim(&mut self, remote: SocketAddr) -> Option<SocketAddr> {
        let ip = self.ip.filter(|ip| ip.is_loopback() || ip.is_unspecified())?;
        if self.is_of_this_host(remote) {
            return None;
        }
        let was_told = std::mem::replace(&mut self.told_claims[usize::from(ip.is_unspecified())], true);
        (!was_told).then(|| SocketAddr::new(ip, self.port))
    }

    /// The addresses at which a peer could reach us, if we listen on `bound`, the most useful one first: that which the
    /// user wants to be known by, else all that other hosts could use, else that of this host alone.
    fn reachable_at(&self, bound: IpAddr) -> Vec<SocketAddr> {
        let ips = match self.ip {
            Some(ip) => vec![ip],
            None if !bound.is_unspecified() => vec![bound],
            None => self.served_ips(bound),
        };
        let alone = ips.is_empty().then_some(Ipv4Addr::LOCALHOST.into());
        ips.into_iter().chain(alone).map(|ip| SocketAddr::new(ip, self.port)).collect()
    }

    /// The addresses of interfaces that are up. A link-local IPv6 address is only of use where there is no other: who
    /// types it needs an interface of their own beside it.
    fn served_ips(&self, bound: IpAddr) -> Vec<IpAddr> {
        let is_served = |ip: IpAddr| (bound.is_ipv6() || ip.is_ipv4()) && !ip.is_loopback();
        let up = self.interfaces.iter().filter(|interface| interface.is_up && is_served(interface.ip));
        let mut up: Vec<&Interface> = up.collect();
        up.sort_by_key(|interface| interface.usefulness());
        let (of_one_link, wider): (Vec<IpAddr>, Vec<IpAddr>) =
            up.iter().map(|interface| interface.ip).partition(|&ip| is_link_local(ip));
        let mut ips = if wider.is_empty() { of_one_link } else { wider };
        ips.dedup();
        ips
    }

    /// The interfaces by name and number.
    pub(super) fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// The address to listen on. The scope of a link-local one is that of the interface which has it.
    pub(super) fn binding(&self, port: u16) -> SocketAddr {
        let owner = self.interfaces.iter().find(|interface| interface.ip == self.bind);
        match (self.bind, owner) {
            (IpAddr::V6(ip), Some(owner)) if is_link_local(self.bind) => {
                SocketAddrV6::new(ip, port, 0, owner.index).into()
            }
            (ip, _) => SocketAddr::new(ip, port),
        }
    }

    /// Whether `address` is where we listen ourselves.
    pub(super) fn is_own(&self, address: SocketAddr) -> bool {
        let ip = address.ip();
        let is_known_here = || !is_link_local(ip) || self.is_of_this_host(address);
        let is_ours = match self.bind {
            bind if bind.is_unspecified() => self.is_of_this_host(address),
            bind => ip == bind && is_known_here(),
        };
        address.port() == self.port && (is_ours || self.ip == Some(ip))
    }

    /// Whether the socket address `from` has the claimed IP. On this host, any of its addresses will do.
    pub(super) fn is_at_home(&self, from: SocketAddr, claimed: SocketAddr) -> bool {
        let is_same = from.ip() == claimed.ip() && scope_of(from) == scope_of(claimed);
        is_same || (self.is_of_this_host(from) && self.is_of_this_host(claimed))
    }

    /// The same link-local address behind another interface is another host's.
    fn is_of_this_host(&self, address: SocketAddr) -> bool {
        let (ip, scope) = (address.ip(), scope_of(address));
        let is_it = |own: &Interface| own.ip == ip && [0, own.index].contains(&scope);
        ip.is_loopback() || ip.is_unspecified() || self.interfaces.iter().any(is_it)
    }
}

/// 0 where there is none.
fn scope_of(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(address) => address.scope_id(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(config: Config) -> Me {
        let mut me = Me::new(&config);
        me.listen_on(8080);
        me
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
        let many = "fd00::1 fe80::1 100.64.0.1 10.0.0.1 2001:db8::1 169.254.0.1 127.0.0.1 203.0.113.1";
        for (own, ip, bound, reachable) in [
            (own, None, "::", "2001:db8::1 10.0.0.1"),
            (many, None, "::", "203.0.113.1 2001:db8::1 100.64.0.1 10.0.0.1 fd00::1 169.254.0.1"),
            (many, None, "0.0.0.0", "203.0.113.1 100.64.0.1 10.0.0.1 169.254.0.1"),
            (own, None, "0.0.0.0", "10.0.0.1"),
            (own, None, "10.0.0.1", "10.0.0.1"),
            (own, None, "::1", "::1"),
            (own, Some("10.9.9.9"), "::", "10.9.9.9"),
            ("127.0.0.1 ::1 fe80::1", None, "::", "fe80::1"),
            ("127.0.0.1 ::1 fe80::1", None, "0.0.0.0", "127.0.0.1"),
            ("", None, "0.0.0.0", "127.0.0.1"),
        ] {
            let ip = ip.map(|ip: &str| ip.parse().unwrap());
            let me = listening(Config {
                interfaces: ips(own).into_iter().map(Interface::alone).collect(),
                ip,
                ..Config::default()
            });
            let reachable: Vec<_> = ips(reachable).into_iter().map(|ip| SocketAddr::new(ip, 8080)).collect();
            assert_eq!(me.reachable_at(bound.parse().unwrap()), reachable, "{own} {bound}");
        }
    }

    #[test]
    fn addresses_of_one_interface_stay_together_and_those_of_one_that_is_down_are_left_out() {
        let interface =
            |index, is_up, ip: &str| Interface { index, is_up, ..Interface::alone(ip.parse().unwrap()) };
        let interfaces = vec![
            interface(3, true, "fd00::3"),
            interface(2, true, "192.168.1.2"),
            interface(4, false, "203.0.113.4"),
            interface(3, true, "192.168.1.3"),
            interface(2, true, "fd00::2"),
            interface(3, true, "192.168.1.3"),
            interface(5, true, "203.0.113.5"),
        ];
        let me = listening(Config { interfaces, ..Config::default() });
        let reachable = me.reachable_at("::".parse().unwrap()).into_iter().map(|at| at.ip().to_string());
        let order = ["203.0.113.5", "192.168.1.2", "fd00::2", "192.168.1.3", "fd00::3"];
        assert_eq!(reachable.collect::<Vec<_>>(), order);
    }

    #[test]
    fn the_same_link_local_address_behind_another_interface_is_somebody_elses() {
        let interfaces: Vec<_> = [("fe80::1", 2), ("fe80::2", 3)]
            .map(|(ip, index)| Interface { index, ..Interface::alone(ip.parse().unwrap()) })
            .into();
        let everywhere = listening(Config { interfaces: interfaces.clone(), ..Config::default() });
        let bound = listening(Config { bind: interfaces[0].ip, interfaces, ..Config::default() });
        for (address, is_own) in
            [("[fe80::1%2]:8080", true), ("[fe80::1%3]:8080", false), ("[fe80::1]:8080", true)]
        {
            let address = address.parse().unwrap();
            assert_eq!([everywhere.is_own(address), bound.is_own(address)], [is_own; 2], "{address}");
        }
        for (from, claimed, is_at_home) in [
            ("[fe80::9%2]:1", "[fe80::9%2]:9", true),
            ("[fe80::9%2]:1", "[fe80::9%3]:9", false),
            ("[fe80::1%2]:1", "[fe80::2%3]:9", true),
            ("[fe80::1%3]:1", "[fe80::1%2]:9", false),
        ] {
            let (from, claimed) = (from.parse().unwrap(), claimed.parse().unwrap());
            assert_eq!(everywhere.is_at_home(from, claimed), is_at_home, "{from} {claimed}");
        }
        assert_eq!(bound.binding(8080), "[fe80::1%2]:8080".parse().unwrap());
        assert_eq!(everywhere.binding(8080), "[::]:8080".parse().unwrap());
        assert_eq!(everywhere.claimed_on("fe80::1".parse().unwrap()).to_string(), "[fe80::1]:8080");
    }

    #[test]
    fn a_claim_that_is_of_no_use_elsewhere_is_found_once() {
        let [near, far, own] = ["127.0.0.1:9", "10.0.0.7:9", "10.0.0.1:9"].map(|at| at.parse().unwrap());
        for (ip, is_bad) in
            [("127.0.0.1", true), ("::1", true), ("0.0.0.0", true), ("::", true), ("10.9.9.9", false)]
        {
            let interfaces = vec![Interface::alone("10.0.0.1".parse().unwrap())];
            let ip = Some(ip.parse().unwrap());
            let mut me = listening(Config { ip, interfaces, ..Config::default() });
            let found = [near, own, far, far].map(|to| me.first_bad_claim(to).is_some());
            assert_eq!(found, [false, false, is_bad, false], "{ip:?}");
        }
        assert_eq!(listening(Config::default()).first_bad_claim(far), None);
    }

    #[test]
    fn all_addresses_of_this_host_are_at_home_on_it() {
        let me = listening(Config {
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
            assert_eq!(me.is_at_home(from, claimed), is_at_home, "{from} {claimed}");
        }
    }
}
