//! Tells when an address of this host came or went. What the system says about it is not read: the list is short, and
//! is simply made anew.

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use std::os::fd::{AsRawFd, OwnedFd};

/// The groups of netlink that tell of interfaces, and of addresses of each family.
const LINK: u32 = 0x1;
const IPV4_ADDRESS: u32 = 0x10;
const IPV6_ADDRESS: u32 = 0x100;

/// A socket that becomes readable when something has changed.
pub(super) struct Changes(OwnedFd);

impl Changes {
    /// `None` if the system does not tell: then a change is noticed at the next start.
    pub(super) fn watch(registry: &Registry, token: Token) -> Option<Self> {
        Self::open(registry, token)
            .inspect_err(|error| log::info!("changes of addresses are not told: {error}"))
            .ok()
    }

    fn open(registry: &Registry, token: Token) -> std::io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, LINK | IPV4_ADDRESS | IPV6_ADDRESS))?;
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self(fd))
    }

    /// Takes all that was told until now.
    pub(super) fn clear(&mut self) {
        let mut told = [0; 4096];
        // What did not fit into the socket was told as an error, once.
        while recv(self.0.as_raw_fd(), &mut told, MsgFlags::MSG_DONTWAIT) != Err(nix::errno::Errno::EAGAIN) {}
    }
}
