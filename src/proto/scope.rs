//! Link-local IPv6 addresses, and the interfaces that they need beside them (RFC 4007).
//!
//! `fe80::1` says nothing without the interface behind which it is: another host may have it behind another interface.
//! That interface is this host's own business. Its number changes when the machine starts again, so people and files
//! use its name, `fe80::1%eth0`; sockets use the number; and no message has either.

use super::interface::Interface;
use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The interfaces of this host by name and number.
#[derive(Clone, Debug, Default)]
pub struct Scopes(Vec<Scope>);

#[derive(Clone, Debug)]
struct Scope {
    index: u32,
    name: String,
    /// It is up, and has a link-local address itself.
    is_usable: bool,
}

/// A link-local address as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scoped {
    ip: Ipv6Addr,
    port: u16,
    /// By name or number, if it was written.
    interface: Option<String>,
}

/// Why an address cannot be used with the interface, or without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeFault {
    /// There is an interface behind an address that takes none.
    Needless(IpAddr),
    /// There is none, and more than one would do, or not one.
    Missing {
        /// The address.
        ip: Ipv6Addr,
        /// The interfaces that would do.
        choices: Vec<String>,
    },
    /// This host has no such interface.
    Unknown {
        /// The address.
        ip: Ipv6Addr,
        /// The interfaces that would do.
        choices: Vec<String>,
    },
}

impl Scopes {
    /// The interfaces that have these addresses. One whose name could be taken for something else is known by its
    /// number alone.
    pub fn of(interfaces: &[Interface]) -> Self {
        let mut scopes: Vec<Scope> = Vec::new();
        for Interface { name, index, ip, is_up, .. } in interfaces.iter().filter(|found| found.index != 0) {
            let is_usable = *is_up && is_link_local(*ip);
            match scopes.iter_mut().find(|scope| scope.index == *index) {
                Some(scope) => scope.is_usable |= is_usable,
                None => scopes.push(Scope { index: *index, name: name.clone(), is_usable }),
            }
        }
        scopes.sort_by_key(|scope| scope.index);
        scopes.iter_mut().filter(|scope| !is_plain(&scope.name)).for_each(|scope| scope.name.clear());
        Self(scopes)
    }

    /// The address for a socket.
    pub fn resolve(&self, typed: &Scoped) -> Result<SocketAddr, ScopeFault> {
        let Scoped { ip, port, interface } = typed;
        let index = match interface {
            Some(word) => {
                self.index_of(word).ok_or_else(|| ScopeFault::Unknown { ip: *ip, choices: self.choices() })
            }
            None => self.only().ok_or_else(|| ScopeFault::Missing { ip: *ip, choices: self.choices() }),
        };
        index.map(|index| SocketAddrV6::new(*ip, *port, 0, index).into())
    }

    /// A link-local address without an interface, behind the only one that would do, if there is just one.
    pub fn placed(&self, address: SocketAddr) -> SocketAddr {
        match (address, self.only()) {
            (SocketAddr::V6(mut v6), Some(index)) if needs_scope(address) => {
                v6.set_scope_id(index);
                v6.into()
            }
            _ => address,
        }
    }

    /// An address as people and files have it: with the name of its interface, or the number of one that has no name.
    pub fn show(&self, address: SocketAddr) -> impl Display + '_ {
        let name = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => self.name_of(v6.scope_id()),
            _ => None,
        };
        Shown { address, name }
    }

    fn name_of(&self, index: u32) -> Option<&str> {
        let scope = self.0.iter().find(|scope| scope.index == index)?;
        Some(&*scope.name).filter(|name| !name.is_empty())
    }

    /// A number may be that of an interface that came after this list was made, so it is taken as it is.
    fn index_of(&self, word: &str) -> Option<u32> {
        let named = self.0.iter().find(|scope| !scope.name.is_empty() && scope.name == word);
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        let number = || word.parse().ok().filter(|&index| is_number && index != 0);
        named.map(|scope| scope.index).or_else(number)
    }

    fn only(&self) -> Option<u32> {
        let mut usable = self.0.iter().filter(|scope| scope.is_usable).map(|scope| scope.index);
        usable.next().filter(|_| usable.next().is_none())
    }

    fn choices(&self) -> Vec<String> {
        let usable = self.0.iter().filter(|scope| scope.is_usable);
        let word = |scope: &Scope| match &*scope.name {
            "" => scope.index.to_string(),
            name => name.to_owned(),
        };
        usable.map(word).collect()
    }
}

impl Scoped {
    /// Without an interface.
    pub fn bare(&self) -> SocketAddr {
        SocketAddr::new(self.ip.into(), self.port)
    }

    /// Reads `[fe80::1%eth0]:8080`, with or without an interface. `None`: not a link-local address with a port.
    pub fn parse(word: &str) -> Option<Result<Self, ScopeFault>> {
        let (host, port) = word.rsplit_once(':')?;
        let port = port.parse().ok().filter(|&port| port != 0)?;
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        // Without brackets, only an interface shows where the port begins.
        let inner = inner.or_else(|| host.contains('%').then_some(host))?;
        Some(Self::parse_host(inner)?.map(|scoped| Self { port, ..scoped }))
    }

    /// Reads `fe80::1%eth0`, with or without an interface; the port is 0. `None`: not a link-local address.
    pub fn parse_host(word: &str) -> Option<Result<Self, ScopeFault>> {
        let (ip, interface) = match word.split_once('%') {
            Some((ip, interface)) => (ip, Some(interface.to_owned())),
            None => (word, None),
        };
        match ip.parse::<IpAddr>().ok()?.to_canonical() {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => Some(Ok(Self { ip, port: 0, interface })),
            ip => interface.map(|_| Err(ScopeFault::Needless(ip))),
        }
    }
}

impl Display for ScopeFault {
    /// A sentence without its full stop.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Needless(ip) => {
                write!(
                    f,
                    "Only an address that begins with fe80: has an interface behind it; type {ip} alone"
                )
            }
            Self::Missing { ip, choices } if choices.is_empty() => {
                write!(
                    f,
                    "{ip} is valid on one network only, and no interface of this host has such an address"
                )
            }
            Self::Missing { ip, choices } => {
                write!(f, "{ip} may be behind several interfaces; type {}", spelt(*ip, choices))
            }
            Self::Unknown { ip, choices } if choices.is_empty() => {
                write!(f, "This host has no such interface, and none on which {ip} could be reached")
            }
            Self::Unknown { ip, choices } => {
                write!(f, "This host has no such interface; type {}", spelt(*ip, choices))
            }
        }
    }
}

struct Shown<'a> {
    address: SocketAddr,
    name: Option<&'a str>,
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => write!(f, "[{}%{name}]:{}", self.address.ip(), self.address.port()),
            None => write!(f, "{}", self.address),
        }
    }
}

/// Whether an IP address is valid on one network only, and needs an interface in a socket's address.
pub fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// Whether it is a link-local address whose interface is not known.
pub fn needs_scope(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
}

/// `fe80::1%eth0 or fe80::1%wlan0`.
fn spelt(ip: Ipv6Addr, choices: &[String]) -> String {
    let spelt: Vec<String> = choices.iter().map(|name| format!("{ip}%{name}")).collect();
    spelt.join(" or ")
}

/// Whether a name can stand in `[IP%NAME]:PORT` and on a screen. A system allows nearly every character.
fn is_plain(name: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@' | b'+');
    !name.is_empty() && name.len() <= 64 && name.bytes().all(is_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An interface with a link-local address and one of another kind.
    fn link(name: &str, index: u32, is_up: bool) -> [Interface; 2] {
        ["fe80::9", "10.0.0.9"].map(|ip| Interface {
            name: name.to_owned(),
            index,
            is_up,
            ..Interface::alone(ip.parse().unwrap())
        })
    }

    fn scopes(links: &[(&str, u32, bool)]) -> Scopes {
        Scopes::of(
            &links.iter().flat_map(|&(name, index, is_up)| link(name, index, is_up)).collect::<Vec<_>>(),
        )
    }

    fn two() -> Scopes {
        scopes(&[("wlan0", 7, true), ("eth0", 3, true), ("down0", 4, false)])
    }

    /// What a word means, or what is said of it.
    fn read(scopes: &Scopes, word: &str) -> String {
        match Scoped::parse(word).or_else(|| Scoped::parse_host(word)) {
            None => "none".to_owned(),
            Some(Ok(scoped)) => match scopes.resolve(&scoped) {
                Ok(address) => address.to_string(),
                Err(fault) => fault.to_string(),
            },
            Some(Err(fault)) => fault.to_string(),
        }
    }

    #[test]
    fn an_interface_is_named_or_numbered_behind_a_link_local_address() {
        for (word, address) in [
            ("[fe80::1%eth0]:8080", "[fe80::1%3]:8080"),
            ("[fe80::1%wlan0]:8080", "[fe80::1%7]:8080"),
            ("[fe80::1%down0]:8080", "[fe80::1%4]:8080"),
            ("[fe80::1%7]:8080", "[fe80::1%7]:8080"),
            ("[fe80::1%99]:8080", "[fe80::1%99]:8080"),
            ("fe80::1%eth0:8080", "[fe80::1%3]:8080"),
            ("fe80::1%eth0", "[fe80::1%3]:0"),
            ("[febf::1%eth0]:1", "[febf::1%3]:1"),
        ] {
            assert_eq!(read(&two(), word), address, "{word}");
        }
        assert_eq!(
            read(&scopes(&[("3", 5, true)]), "[fe80::1%3]:1"),
            "[fe80::1%5]:1",
            "a name that is a number"
        );
    }

    #[test]
    fn what_else_is_behind_a_percent_sign_is_a_mistake_that_says_what_to_type() {
        const UNKNOWN: &str = "This host has no such interface; type fe80::1%eth0 or fe80::1%wlan0";
        let long = format!("[fe80::1%{}]:8080", "x".repeat(1000));
        for word in [
            "[fe80::1%]:8080",
            "[fe80::1%eth1]:8080",
            "[fe80::1%0]:8080",
            "[fe80::1%+3]:8080",
            "[fe80::1%4294967296]:8080",
            "[fe80::1%eth0%eth0]:8080",
            "[fe80::1%\x1b[2J]:8080",
            "[fe80::1%ETH0]:8080",
            &long,
        ] {
            assert_eq!(read(&two(), word), UNKNOWN, "{word:?}");
        }
        for (word, ip) in [
            ("[2001:db8::1%eth0]:8080", "2001:db8::1"),
            ("[::1%1]:8080", "::1"),
            ("10.0.0.5%eth0:8080", "10.0.0.5"),
            ("[::ffff:10.0.0.5%3]:8080", "10.0.0.5"),
            ("10.0.0.5%eth0", "10.0.0.5"),
        ] {
            let said = read(&two(), word);
            assert!(said.ends_with(&format!("; type {ip} alone")), "{said}");
        }
    }

    #[test]
    fn without_an_interface_the_only_one_that_would_do_is_meant() {
        let one = scopes(&[("lo", 1, false), ("eth0", 3, true)]);
        assert_eq!(read(&one, "[fe80::1]:8080"), "[fe80::1%3]:8080");
        assert_eq!(read(&one, "fe80::1"), "[fe80::1%3]:0");
        assert_eq!(
            read(&two(), "[fe80::1]:8080"),
            "fe80::1 may be behind several interfaces; type fe80::1%eth0 or fe80::1%wlan0"
        );
        let none = "fe80::1 is valid on one network only, and no interface of this host has such an address";
        assert_eq!(read(&Scopes::default(), "[fe80::1]:8080"), none);
        let placed = |scopes: &Scopes, address: &str| scopes.placed(address.parse().unwrap()).to_string();
        for (address, alone, with_two) in [
            ("[fe80::1]:8080", "[fe80::1%3]:8080", "[fe80::1]:8080"),
            ("[fe80::1%9]:8080", "[fe80::1%9]:8080", "[fe80::1%9]:8080"),
            ("[2001:db8::1]:8080", "[2001:db8::1]:8080", "[2001:db8::1]:8080"),
            ("10.0.0.5:8080", "10.0.0.5:8080", "10.0.0.5:8080"),
        ] {
            assert_eq!([placed(&one, address), placed(&two(), address)], [alone, with_two], "{address}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back_as_the_same_address() {
        let odd = scopes(&[("eth0.100", 3, true), ("a]:b", 7, true), ("x\x1b", 8, true)]);
        for (address, shown) in [
            ("[fe80::1%3]:8080", "[fe80::1%eth0.100]:8080"),
            ("[fe80::1%7]:8080", "[fe80::1%7]:8080"),
            ("[fe80::1%8]:8080", "[fe80::1%8]:8080"),
            ("[fe80::1%99]:8080", "[fe80::1%99]:8080"),
        ] {
            assert_eq!(odd.show(address.parse().unwrap()).to_string(), shown);
            assert_eq!(read(&odd, shown), address);
        }
        for address in ["[2001:db8::1]:8080", "10.0.0.5:8080", "[fe80::1]:8080"] {
            assert_eq!(odd.show(address.parse().unwrap()).to_string(), address);
        }
    }

    #[test]
    fn words_that_are_no_link_local_address_are_left_to_others() {
        for word in [
            "",
            "P1",
            "100%",
            "10.0.0.5:80",
            "[::1]:80",
            "fe80::1:80:x",
            "[fe80::1]",
            "[fe80::1%eth0]:0",
            "a%b:80",
        ] {
            assert_eq!(read(&two(), word), "none", "{word:?}");
        }
    }
}
