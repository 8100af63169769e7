//! A peer as it is named on the command line: by its address, or by its host name. In the chat a peer is an address,
//! so a host name is looked up once, before anything is sent, and is not used afterwards.
//!
//! The system's resolver blocks, which the event loop must not do. And a peer is known by the address that it claims,
//! but a host name may have several addresses.

use chinwag::chat::request::{names_host_and_port, parse_host_and_port};
use chinwag::proto::message::canonical;
use chinwag::proto::scope::{Scoped, Scopes};
use std::net::{SocketAddr, ToSocketAddrs};

/// `IP:PORT`, or `HOST:PORT` that is yet to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Address(SocketAddr),
    Host(String),
    /// Behind an interface of this host.
    LinkLocal(Scoped),
}

impl Endpoint {
    /// Its address. The system's resolver looks up a host name, which may take a while. It knows which kind of address
    /// works from here, and puts that first. The error is a sentence.
    pub(crate) fn look_up(&self, scopes: &Scopes) -> Result<SocketAddr, String> {
        let host = match self {
            Self::Address(address) => return Ok(*address),
            Self::LinkLocal(typed) => return scopes.resolve(typed).map_err(|fault| fault.to_string()),
            Self::Host(host) => host,
        };
        let unusable =
            |why: &str| format!("{host} cannot be looked up: {why}; check the name, or give IP:PORT");
        let addresses = host.to_socket_addrs().map_err(|error| unusable(&error.to_string()))?;
        let mut addresses = addresses.map(canonical).filter(|address| !address.ip().is_unspecified());
        addresses.next().ok_or_else(|| unusable("it has no address"))
    }
}

/// Parses one endpoint. The error is the reason that clap shows.
pub(crate) fn parse_endpoint(word: &str) -> Result<Endpoint, String> {
    if let Some(scoped) = Scoped::parse(word) {
        return scoped.map(Endpoint::LinkLocal).map_err(|fault| fault.to_string());
    }
    if let Some(address) = parse_host_and_port(word) {
        return Ok(Endpoint::Address(address));
    }
    let has_port =
        word.rsplit_once(':').is_some_and(|(_, port)| port.parse().is_ok_and(|port: u16| port > 0));
    if has_port && names_host_and_port(word) {
        return Ok(Endpoint::Host(word.to_owned()));
    }
    Err(format!(
        "'{word}' is not an IP:PORT or a HOST:PORT, such as 192.168.1.5:8080, [::1]:8080 or bob.example:8080"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_it_is_and_a_host_is_for_looking_up() {
        for (word, address) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("[::1]:2", "[::1]:2"),
            ("[::ffff:10.0.0.1]:3", "10.0.0.1:3"),
            ("localhost:4", "127.0.0.1:4"),
            ("LocalHost:5", "127.0.0.1:5"),
        ] {
            assert_eq!(parse_endpoint(word), Ok(Endpoint::Address(address.parse().unwrap())), "{word}");
        }
        for word in [
            "bob:1",
            "bob.example:8080",
            "bob.example.:65535",
            "a_b-c.d1:1",
            "3com.example:1",
            "bücher.example:1",
        ] {
            assert_eq!(parse_endpoint(word), Ok(Endpoint::Host(word.to_owned())));
        }
    }

    /// The resolver would accept some of these as unexpected addresses.
    #[test]
    fn a_word_that_is_neither_an_address_nor_a_host_is_not_looked_up() {
        for word in [
            "",
            "bob",
            "bob:",
            "bob:x",
            "bob:0",
            "bob:65536",
            ":80",
            ".:80",
            "a..b:80",
            ".bob:80",
            "b b:80",
            "bob/:80",
            "10.103.45.601:80",
            "10.1:80",
            "2130706433:80",
            "0x7f.1:80",
            "a.0X7F:80",
            "::1:80",
            "[::1:80",
            "[bob]:80",
            "127.0.0.1:0",
            "a:b:80",
        ] {
            assert!(parse_endpoint(word).is_err(), "{word}");
        }
        assert!(parse_endpoint(&format!("{}:80", "a".repeat(254))).is_err());
    }

    #[test]
    fn a_host_is_looked_up() {
        // It is in the hosts file.
        let address = Endpoint::Host("localhost:80".to_owned()).look_up(&Scopes::default()).unwrap();
        assert!(address.ip().is_loopback() && address.port() == 80, "{address}");
    }
}
