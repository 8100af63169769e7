//! A port that nobody else gets, for a dialogue in which the user must type one.

use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv6Addr, SocketAddr};

/// Holds a port without listening on it: the kernel does not choose it as a free port, and refuses dials to it, but a
/// program that names it may listen on it.
pub(crate) struct Port(Socket);

impl Port {
    pub(crate) fn reserve() -> Self {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).expect("a socket");
        socket.set_only_v6(false).expect("a socket for IPv4 too");
        socket.set_reuse_address(true).expect("an address that can be shared");
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()).expect("a free port");
        Self(socket)
    }

    pub(crate) fn number(&self) -> u16 {
        let address = self.0.local_addr().ok().and_then(|address| address.as_socket());
        address.expect("a bound socket has an address").port()
    }

    /// The port on the loopback address, where nobody listens until the program does.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.number()))
    }
}
