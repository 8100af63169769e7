//! The sockets for datagrams to many hosts of a link: one for each family on each network of this host, so that it is
//! known where a datagram came in, and each goes out on the right one.
//!
//! They are bound to the group and not to every address: other programs of this host have the same port, and a unicast
//! datagram that is meant for them must not come to us.

#[cfg(target_os = "linux")]
mod changes;

use super::interfaces;
use crate::limits::{DATAGRAM_BYTES_MAX, DATAGRAMS_PER_TURN};
use crate::proto::fault::Fault;
use crate::proto::interface::Interface;
use crate::proto::machine::{Datagram, Groups};
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

/// More networks than this are ignored.
const MEMBERS_MAX: usize = 32;

/// Tokens of the sockets, and of the one that tells of changes.
const FIRST: usize = usize::MAX - 100;
const CHANGES: Token = Token(FIRST - 1);

/// What a host that is not a router must set, and what tells that a datagram came from the link.
const HOPS: u32 = 255;

/// A datagram that was read, and not handed over yet.
pub(super) struct Taken {
    on: u32,
    from: SocketAddr,
    hop_limit: Option<u8>,
    bytes: Vec<u8>,
}

impl Taken {
    pub(super) fn borrowed(&self) -> Datagram<'_> {
        let Self { on, from, hop_limit, ref bytes } = *self;
        Datagram { on, from, hop_limit, bytes }
    }
}

/// All these sockets.
pub(super) struct Multicast {
    groups: Groups,
    members: Vec<Member>,
    interfaces: Vec<Interface>,
    #[cfg(target_os = "linux")]
    changes: Option<changes::Changes>,
    has_changed: bool,
}

struct Member {
    index: u32,
    is_v4: bool,
    socket: UdpSocket,
    is_readable: bool,
}

impl Multicast {
    /// Joins the groups on all networks. A host that has none is no fault: it may get one.
    pub(super) fn join(groups: Groups, registry: &Registry) -> Result<Self, Fault> {
        let mut multicast = Self {
            groups,
            members: Vec::new(),
            interfaces: Vec::new(),
            #[cfg(target_os = "linux")]
            changes: changes::Changes::watch(registry, CHANGES),
            has_changed: false,
        };
        multicast.open(usable(), registry)?;
        Ok(multicast)
    }

    /// The addresses with which datagrams can be sent and will come in.
    pub(super) fn interfaces(&self) -> Vec<Interface> {
        self.interfaces.clone()
    }

    /// Opens the sockets for these addresses. It is a fault only if none could be opened.
    fn open(&mut self, usable: Vec<Interface>, registry: &Registry) -> Result<(), Fault> {
        self.members.clear();
        let mut fault = None;
        for interface in &usable {
            let is_v4 = interface.ip.is_ipv4();
            let is_there =
                self.members.iter().any(|member| (member.index, member.is_v4) == (interface.index, is_v4));
            if is_there || self.members.len() >= MEMBERS_MAX {
                continue;
            }
            let token = Token(FIRST + self.members.len());
            match Member::open(interface, self.groups, registry, token) {
                Ok(member) => self.members.push(member),
                Err(error) => {
                    log::info!("no multicast on {} ({}): {error}", interface.name, interface.ip);
                    fault = Some(Fault::from(&error));
                }
            }
        }
        let members = &self.members;
        let is_served = |interface: &Interface| {
            let place = (interface.index, interface.ip.is_ipv4());
            members.iter().any(|member| (member.index, member.is_v4) == place)
        };
        self.interfaces = usable.into_iter().filter(is_served).collect();
        fault.filter(|_| self.members.is_empty()).map_or(Ok(()), Err)
    }

    /// An event with this token came: whether it was one of these.
    pub(super) fn note_event(&mut self, token: Token) -> bool {
        if token == CHANGES {
            self.has_changed = true;
        } else if let Some(member) = token.0.checked_sub(FIRST).and_then(|at| self.members.get_mut(at)) {
            member.is_readable = true;
        } else {
            return false;
        }
        true
    }

    /// Whether something can be read, or has to be looked at.
    pub(super) fn is_ready(&self) -> bool {
        self.has_changed || self.members.iter().any(|member| member.is_readable)
    }

    /// The addresses, if they have changed since they were last told.
    pub(super) fn take_change(&mut self, registry: &Registry) -> Option<Result<Vec<Interface>, Fault>> {
        if !std::mem::take(&mut self.has_changed) {
            return None;
        }
        #[cfg(target_os = "linux")]
        self.changes.iter_mut().for_each(changes::Changes::clear);
        let usable = usable();
        if usable == self.interfaces {
            return None;
        }
        Some(self.open(usable, registry).map(|()| self.interfaces()))
    }

    /// Some datagrams of each socket.
    pub(super) fn take_some(&mut self, scratch: &mut [u8]) -> Vec<Taken> {
        let mut taken = Vec::new();
        for member in self.members.iter_mut().filter(|member| member.is_readable) {
            for _ in 0..DATAGRAMS_PER_TURN {
                match member.receive(scratch) {
                    Ok((from, hop_limit, length)) if length <= DATAGRAM_BYTES_MAX => {
                        let bytes = scratch[..length].to_vec();
                        taken.push(Taken { on: member.index, from, hop_limit, bytes });
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        member.is_readable = false;
                        if error.kind() != io::ErrorKind::WouldBlock {
                            log::debug!("no datagram could be read: {error}");
                        }
                        break;
                    }
                }
            }
        }
        taken
    }

    /// Sends a datagram. If that fails it is lost, as on the way.
    pub(super) fn send(&self, on: u32, to: SocketAddr, bytes: &[u8]) {
        let is_right = |member: &&Member| (member.index, member.is_v4) == (on, to.is_ipv4());
        if let Some(member) = self.members.iter().find(is_right)
            && let Err(error) = member.socket.send_to(bytes, to)
        {
            log::debug!("a datagram to {to} could not be sent: {error}");
        }
    }
}

impl Member {
    fn open(interface: &Interface, groups: Groups, registry: &Registry, token: Token) -> io::Result<Self> {
        let socket = match interface.ip {
            IpAddr::V4(ip) => open_v4(ip, interface.index, groups),
            IpAddr::V6(_) => open_v6(interface.index, groups),
        }?;
        socket.set_nonblocking(true)?;
        #[cfg(target_os = "linux")]
        tell_hop_limit(&socket, interface.ip.is_ipv4());
        let mut socket = UdpSocket::from_std(socket.into());
        registry.register(&mut socket, token, Interest::READABLE)?;
        Ok(Self { index: interface.index, is_v4: interface.ip.is_ipv4(), socket, is_readable: true })
    }

    #[cfg(target_os = "linux")]
    fn receive(&self, scratch: &mut [u8]) -> io::Result<(SocketAddr, Option<u8>, usize)> {
        use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
        use std::os::fd::AsRawFd;

        let mut space = nix::cmsg_space!(i32);
        let mut slices = [io::IoSliceMut::new(scratch)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrStorage>(self.socket.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
        let hop_limit = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4Ttl(hops) | ControlMessageOwned::Ipv6HopLimit(hops) => {
                u8::try_from(hops).ok()
            }
            _ => None,
        });
        let from = message.address.and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::new(v4.ip().into(), v4.port()));
            let v6 = address
                .as_sockaddr_in6()
                .map(|v6| SocketAddrV6::new(v6.ip(), v6.port(), v6.flowinfo(), v6.scope_id()).into());
            v4.or(v6)
        });
        Ok((from.ok_or(io::ErrorKind::InvalidData)?, hop_limit, message.bytes))
    }

    #[cfg(not(target_os = "linux"))]
    fn receive(&self, scratch: &mut [u8]) -> io::Result<(SocketAddr, Option<u8>, usize)> {
        self.socket.recv_from(scratch).map(|(length, from)| (from, None, length))
    }
}

fn open_v4(ip: Ipv4Addr, index: u32, groups: Groups) -> io::Result<Socket> {
    let socket = shared_socket(Domain::IPV4)?;
    // Without this, the socket hears what others of this host have joined on other networks.
    #[cfg(target_os = "linux")]
    socket.set_multicast_all_v4(false)?;
    socket.bind(&SocketAddr::new(groups.v4.into(), groups.port).into())?;
    socket.join_multicast_v4_n(&groups.v4, &InterfaceIndexOrAddress::Index(index))?;
    socket.set_multicast_if_v4(&ip)?;
    socket.set_multicast_loop_v4(true)?;
    socket.set_multicast_ttl_v4(HOPS)?;
    socket.set_ttl_v4(HOPS)?;
    Ok(socket)
}

fn open_v6(index: u32, groups: Groups) -> io::Result<Socket> {
    let socket = shared_socket(Domain::IPV6)?;
    socket.set_only_v6(true)?;
    #[cfg(target_os = "linux")]
    socket.set_multicast_all_v6(false)?;
    socket.bind(&SocketAddr::from(SocketAddrV6::new(groups.v6, groups.port, 0, index)).into())?;
    socket.join_multicast_v6(&groups.v6, index)?;
    socket.set_multicast_if_v6(index)?;
    socket.set_multicast_loop_v6(true)?;
    socket.set_multicast_hops_v6(HOPS)?;
    socket.set_unicast_hops_v6(HOPS)?;
    Ok(socket)
}

/// Other programs of this host have the same port.
fn shared_socket(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn tell_hop_limit(socket: &Socket, is_v4: bool) {
    use nix::sys::socket::{setsockopt, sockopt};
    let outcome = if is_v4 {
        setsockopt(socket, sockopt::Ipv4RecvTtl, &true)
    } else {
        setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true)
    };
    if let Err(error) = outcome {
        log::debug!("the hop limit of datagrams is not told: {error}");
    }
}

/// The addresses of networks that can carry datagrams now.
fn usable() -> Vec<Interface> {
    let is_usable = |interface: &Interface| {
        interface.is_up && interface.index > 0 && !interface.ip.is_loopback() && is_settled(interface)
    };
    interfaces::list().into_iter().filter(is_usable).collect()
}

/// A new address of IPv6 cannot be used before the link was asked whether somebody has it.
fn is_settled(interface: &Interface) -> bool {
    let IpAddr::V6(ip) = interface.ip else { return true };
    let scope = if ip.is_unicast_link_local() { interface.index } else { 0 };
    let probe = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP));
    probe.is_ok_and(|probe| probe.bind(&SocketAddr::from(SocketAddrV6::new(ip, 0, 0, scope)).into()).is_ok())
}
