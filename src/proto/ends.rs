//! The two addresses of a connection, in 16 bytes for IPv4, because there can be very many idle connections.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

/// The other end of a connection, and our own IP on it.
#[derive(Debug)]
pub(super) enum Ends {
    V4 { remote: SocketAddrV4, local: Ipv4Addr },
    Other(Box<(SocketAddr, IpAddr)>),
}

impl Ends {
    pub(super) fn new(remote: SocketAddr, local: IpAddr) -> Self {
        match (remote, local) {
            (SocketAddr::V4(remote), IpAddr::V4(local)) => Self::V4 { remote, local },
            ends => Self::Other(Box::new(ends)),
        }
    }

    pub(super) fn remote(&self) -> SocketAddr {
        match self {
            Self::V4 { remote, .. } => (*remote).into(),
            Self::Other(ends) => ends.0,
        }
    }

    pub(super) fn local(&self) -> IpAddr {
        match self {
            Self::V4 { local, .. } => (*local).into(),
            Self::Other(ends) => ends.1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_return_the_addresses_that_they_were_made_from() {
        let table = [
            ("10.0.0.1:8080", "10.0.0.2"),
            ("[::1]:8080", "::1"),
            ("[fe80::1%7]:8080", "fe80::2"),
            ("[::1]:8080", "0.0.0.0"),
        ];
        for (remote, local) in table {
            let (remote, local): (SocketAddr, IpAddr) = (remote.parse().unwrap(), local.parse().unwrap());
            let ends = Ends::new(remote, local);
            assert_eq!((ends.remote(), ends.local()), (remote, local));
        }
    }
}
