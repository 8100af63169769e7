//! Finds the processes of this host that hold the socket that listens on an address. Figures about any other
//! process would say nothing about the target.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};

/// The state of a socket that listens, as the kernel writes it.
const LISTENS: &str = "0A";

/// Whether this process holds a socket that listens on `address`. Fails if we are not allowed to look.
pub(super) fn is_held_by(pid: u32, address: SocketAddr) -> io::Result<bool> {
    let sockets = sockets(pid, address);
    has_one_of(pid, &sockets)
}

/// The processes that hold such a socket and that we are allowed to look at, sorted by their numbers.
pub(super) fn holders(address: SocketAddr) -> Vec<u32> {
    let own = sockets(std::process::id(), address);
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut holders: Vec<u32> = pids.filter(|&pid| has_one_of(pid, &own).unwrap_or(false)).collect();
    holders.sort_unstable();
    holders
}

/// The numbers of the sockets that listen on `address` in the process's network namespace.
fn sockets(pid: u32, address: SocketAddr) -> BTreeSet<u64> {
    let of_file = |file: &str| -> Vec<u64> {
        let Ok(file) = File::open(format!("/proc/{pid}/net/{file}")) else { return Vec::new() };
        // Listening sockets come first; a million others may follow.
        let lines = BufReader::new(file).lines().map_while(Result::ok).skip(1);
        let listening = lines.map_while(|line| listening(&line));
        listening.filter(|&(at, _)| is_reached(at, address)).map(|(_, socket)| socket).collect()
    };
    ["tcp", "tcp6"].into_iter().flat_map(of_file).collect()
}

/// The address on which the socket of a line listens, and its number; `None` if it does not listen.
fn listening(line: &str) -> Option<(SocketAddr, u64)> {
    let mut words = line.split_whitespace().skip(1);
    let (local, state) = (words.next()?, words.nth(1)?);
    let socket = words.nth(5)?.parse().ok()?;
    Some((parse(local).filter(|_| state == LISTENS)?, socket))
}

/// An address as the kernel writes it: words of 32 bits as they are in memory, and the port.
fn parse(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let words = ip.as_bytes().chunks(8).map(|word| u32::from_str_radix(str::from_utf8(word).ok()?, 16).ok());
    let bytes: Vec<u8> = words.collect::<Option<Vec<_>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect();
    let v4 = <[u8; 4]>::try_from(&bytes[..]).map(IpAddr::from);
    let ip = v4.or_else(|_| <[u8; 16]>::try_from(&bytes[..]).map(IpAddr::from)).ok()?;
    Some(SocketAddr::new(ip.to_canonical(), u16::from_str_radix(port, 16).ok()?))
}

/// Whether a dial to `address` reaches a socket that listens at `at`. A socket that listens on all IPv6 addresses
/// takes IPv4 as well, most of the time.
fn is_reached(at: SocketAddr, address: SocketAddr) -> bool {
    at.port() == address.port() && (at.ip().is_unspecified() || at.ip() == address.ip().to_canonical())
}

fn has_one_of(pid: u32, sockets: &BTreeSet<u64>) -> io::Result<bool> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.flatten();
    let mut links = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    Ok(links.any(|link| socket(link.to_str()).is_some_and(|socket| sockets.contains(&socket))))
}

fn socket(link: Option<&str>) -> Option<u64> {
    link?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_the_kernel_writes_it() {
        let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
        let v4 = word([127, 1, 0, 2]) + ":1F90";
        assert_eq!(parse(&v4), Some("127.1.0.2:8080".parse().unwrap()));
        let v6 = [[0x20, 1, 0xd, 0xb8], [0; 4], [0; 4], [0, 0, 0, 1]].map(word).concat() + ":0001";
        assert_eq!(parse(&v6), Some("[2001:db8::1]:1".parse().unwrap()));
        let mapped = [[0; 4], [0; 4], [0, 0, 0xff, 0xff], [10, 0, 0, 7]].map(word).concat() + ":0050";
        assert_eq!(parse(&mapped), Some("10.0.0.7:80".parse().unwrap()));
        for text in ["", "0100007F", "0100007F:x", "xxxxxxxx:0001"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_socket_that_listens_on_all_addresses_is_reached_by_each() {
        let table = [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("[::]:80", "127.0.0.1:80", true),
            ("[::]:80", "[::1]:80", true),
            ("127.0.0.2:80", "127.0.0.1:80", false),
            ("0.0.0.0:81", "127.0.0.1:80", false),
        ];
        for (at, address, wanted) in table {
            assert_eq!(is_reached(at.parse().unwrap(), address.parse().unwrap()), wanted, "{at} {address}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    #[expect(clippy::disallowed_types, reason = "a real socket, to see what the kernel reports of it")]
    fn who_listens_is_found_and_who_only_connects_is_not() {
        let own = std::process::id();
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            // Not every host has IPv6.
            let Ok(listener) = std::net::TcpListener::bind(address) else { continue };
            let local = listener.local_addr().unwrap();
            assert!(is_held_by(own, local).unwrap() && holders(local).contains(&own), "{local}");
            let other = SocketAddr::new(local.ip(), local.port() ^ 1);
            assert!(!is_held_by(own, other).unwrap(), "{other}");
            if local.ip().is_loopback() {
                let stream = std::net::TcpStream::connect(local).unwrap();
                assert!(!is_held_by(own, stream.local_addr().unwrap()).unwrap());
            }
        }
    }
}
