//! Makes sockets, sets their options, and translates the system's errors for the machine.
//!
//! There is no keepalive on loopback, because this host does not vanish. Probes did harm there: 19,500 sessions that
//! became silent together were probed in one tick of the kernel's timer. The queue of the loopback device holds 1,000
//! packets and dropped most probes three times in a row, so 17,000 healthy sessions timed out. On other networks a
//! queue of a network card could do the same, so the connections are not all probed at one time.

use crate::limits::{
    DESCRIPTORS_NEEDED, DESCRIPTORS_RESERVED, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES,
    KEEPALIVE_SPREAD, LISTEN_BACKLOG, OPEN_FILES_ASSUMED, UNACKNOWLEDGED_TIMEOUT,
};
use crate::proto::fault::Fault;
use crate::proto::machine::CloseReason;
use mio::net::{TcpListener, TcpStream};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Listens on `address`. The unspecified IPv6 address accepts IPv4 peers too. If the host has no IPv6, it means the
/// unspecified IPv4 address.
///
/// mio's own `bind` has a short backlog: with thousands of dials at once, they would wait for seconds.
///
/// # Errors
///
/// The call that failed, and why.
pub fn listen(address: SocketAddr) -> Result<TcpListener, Fault> {
    match listen_on(address) {
        Err(fault) if is_without(&fault) && address.ip().is_unspecified() => {
            listen_on(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
        }
        result => result,
    }
}

fn listen_on(address: SocketAddr) -> Result<TcpListener, Fault> {
    let of = |call| move |error: io::Error| Fault::of_call(call, error);
    let socket =
        Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).map_err(of("socket"))?;
    socket.set_reuse_address(true).map_err(of("setsockopt"))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified()).map_err(of("setsockopt"))?;
    }
    socket.bind(&address.into()).map_err(of("bind"))?;
    socket.listen(LISTEN_BACKLOG).map_err(of("listen"))?;
    socket.set_nonblocking(true).map_err(of("fcntl"))?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Begins to connect, from one of our own addresses if that matters.
pub(super) fn dial(to: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(from) = from else { return TcpStream::connect(to) };
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // The port is chosen at the connect: then one port can serve many targets, and it is found faster.
    #[cfg(target_os = "linux")]
    if let Err(error) =
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true)
    {
        log::debug!("the port is chosen too early: {error}");
    }
    socket.bind(&SocketAddr::new(from, 0).into())?;
    match socket.connect(&to.into()) {
        Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// Fails as a dial would if `from` is not one of our addresses, or if there is no route to `to` from there, or from
/// the address that the system chooses. It uses a datagram socket: nothing is sent, and no port is taken that a dial
/// could use.
pub fn find_way(from: Option<IpAddr>, to: SocketAddr) -> io::Result<()> {
    way(from, to).map(drop)
}

/// The address of ours that the system would use towards `to`. Like [`find_way`] it sends nothing: to connect a datagram
/// socket only looks up the route.
pub(super) fn own_ip_towards(to: SocketAddr) -> io::Result<IpAddr> {
    let own = way(None, to)?.local_addr()?.as_socket();
    own.map(|own| own.ip().to_canonical()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

fn way(from: Option<IpAddr>, to: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    socket.connect(&to.into())?;
    Ok(socket)
}

/// Whether the host does not have this address, or has no addresses of this family.
fn is_without(fault: &Fault) -> bool {
    fault.is_of_family() || fault.kind == io::ErrorKind::AddrNotAvailable
}

/// Sets the options for a connection that we write to: no delay for small messages, and probes by which the kernel
/// notices a vanished host, so that we need no timer. A failure costs speed, but everything still works.
pub fn tune(stream: &TcpStream) {
    let result = stream.set_nodelay(true).and_then(|()| watch_for_vanishing(stream));
    if let Err(error) = result {
        log::debug!("socket options: {error}");
    }
}

/// This host itself does not vanish, and the kernel closes the sockets of its programs. Why probes would do harm on
/// loopback is said at the top of this file.
fn watch_for_vanishing(stream: &TcpStream) -> io::Result<()> {
    let peer = stream.peer_addr()?;
    if peer.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(keepalive_idle(stream.local_addr()?, peer))
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT))?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = UNACKNOWLEDGED_TIMEOUT;
    Ok(())
}

/// The silence before the first probe of a connection, in whole seconds, as the kernel counts it. It depends on the ports,
/// of which each connection has others.
fn keepalive_idle(local: SocketAddr, peer: SocketAddr) -> Duration {
    let steps = KEEPALIVE_SPREAD.as_secs() + 1;
    KEEPALIVE_IDLE + Duration::from_secs(u64::from(local.port() ^ peer.port()) % steps)
}

/// Makes a connection end with a reset when it is dropped, because an orderly end would tell the other side that its
/// message was accepted.
pub(super) fn refuse(stream: &TcpStream) {
    if let Err(error) = SockRef::from(stream).set_linger(Some(Duration::ZERO)) {
        log::debug!("linger: {error}");
    }
}

/// Raises the limit on open files to the most that this process may have, and returns how many connections that
/// allows.
pub fn raise_descriptor_limit() -> usize {
    let (current, maximum) = descriptor_limit().unwrap_or_else(|error| {
        log::warn!("the limit on open files is unknown, assuming {OPEN_FILES_ASSUMED}: {error}");
        (Some(OPEN_FILES_ASSUMED), Some(OPEN_FILES_ASSUMED))
    });
    let files = match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(error) => {
            let now = current.map_or("what it is".to_owned(), |files| files.to_string());
            log::warn!("the limit on open files stays at {now}: {error}");
            current
        }
    };
    let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    files.saturating_sub(DESCRIPTORS_RESERVED).max(1)
}

/// How many files this process may have open: the current limit, and the limit up to which it can be raised. `None`
/// means no limit.
///
/// # Errors
///
/// A sandbox may refuse the call.
pub fn descriptor_limit() -> io::Result<(Option<u64>, Option<u64>)> {
    // rustix panics if the call is refused.
    #[cfg(target_os = "linux")]
    {
        use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
        let limit = |limit| (limit != RLIM_INFINITY).then_some(limit);
        let (current, maximum) = getrlimit(Resource::RLIMIT_NOFILE)?;
        Ok((limit(current), limit(maximum)))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let rustix::process::Rlimit { current, maximum } = rustix::process::getrlimit(Resource::Nofile);
        Ok((current, maximum))
    }
}

/// A sentence if this process has too few descriptors to serve even one peer. Call it at the start.
pub fn lack_of_descriptors() -> Option<String> {
    let probe: io::Result<Vec<File>> = (0..DESCRIPTORS_NEEDED).map(|_| File::open("/dev/null")).collect();
    probe.err().filter(is_out_of_descriptors)?;
    let limit = descriptor_limit().ok().and_then(|(current, _)| current);
    let limit = limit.map_or("unknown".to_owned(), |limit| limit.to_string());
    Some(format!(
        "one peer needs {DESCRIPTORS_NEEDED} more open files than there are at the start, and the limit on \
         open files is {limit}; raise it with ulimit -n"
    ))
}

/// Whether the process, or the system, has no descriptor left.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Why a dial failed at once. One error means two things: no local port is free, or this host has no route to the
/// address. So the second is checked.
pub(super) fn dial_reason(error: io::Error, to: SocketAddr, from: Option<IpAddr>) -> CloseReason {
    match Errno::from_io_error(&error) {
        Some(Errno::ADDRNOTAVAIL) if find_way(from, to).is_ok() => CloseReason::NoPort,
        // On systems that take a port before the connect.
        Some(Errno::ADDRINUSE) => CloseReason::NoPort,
        _ => close_reason(error),
    }
}

/// Why a connection ended, from its last error.
pub(super) fn close_reason(error: io::Error) -> CloseReason {
    if is_out_of_descriptors(&error) { CloseReason::NoDescriptor } else { error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_ours_is_not_taken_for_a_lack_of_ports() {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let error = || io::Error::from(Errno::ADDRNOTAVAIL);
        let nowhere = Some(Ipv4Addr::new(192, 0, 2, 1).into());
        assert_eq!(dial(to, nowhere).unwrap_err().kind(), error().kind());
        assert_eq!(dial_reason(error(), to, nowhere), CloseReason::Unreachable);
        for ours in [None, Some(Ipv4Addr::LOCALHOST.into())] {
            assert_eq!(dial_reason(error(), to, ours), CloseReason::NoPort);
        }
    }

    #[test]
    fn towards_this_host_the_system_uses_an_address_of_loopback() {
        for ip in ["127.0.0.1", "::1"].map(|ip| ip.parse::<IpAddr>().unwrap()) {
            assert_eq!(own_ip_towards(SocketAddr::new(ip, 9)).unwrap(), ip);
        }
        // A link without a scope.
        assert!(own_ip_towards("[fe80::1]:9".parse().unwrap()).is_err());
    }

    #[test]
    fn connections_are_not_all_probed_at_one_time() {
        let ours = SocketAddr::from(([10, 0, 0, 1], 8080));
        let mut of_each = [0; 16];
        for port in 32_768..34_368 {
            let idle = keepalive_idle(ours, SocketAddr::from(([10, 0, 0, 2], port)));
            of_each[(idle - KEEPALIVE_IDLE).as_secs() as usize] += 1;
        }
        assert_eq!(of_each, [100; 16]);
    }

    #[test]
    fn a_peer_on_this_host_is_not_probed() {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = TcpStream::from_std(stream);
        tune(&stream);
        assert!(stream.nodelay().unwrap() && !SockRef::from(&stream).keepalive().unwrap());
    }
}
