//! The programs with which the load bench compares chinwag, and what they share.
//!
//! Each program in `src/bin` does the same small work on another library: it reads chat messages, and checks and
//! counts them, or echoes them, or relays them. None of them is a chat: they have no table of peers, no menu and no
//! protocol beyond the line. So the difference between `floor` and `mio` is the cost of a portable shell, and the
//! difference between `mio` and chinwag is the cost of the chat. `tokio` and `message-io` are the usual
//! alternatives. `tls` is the same loop as `mio` over TLS 1.3, for what encryption costs elsewhere; `tls-load` is its
//! generator. The programs run only on Linux and only on loopback.
//!
//! ```text
//! NAME receive|echo|relay ADDRESS
//! ```
//!
//! Each program prints `listening on ADDRESS` and serves until it is killed. They share what must not differ: the
//! command line, the listening socket, the descriptor limit, and how bytes become lines and lines are checked. What
//! we compare is in each program itself: how it waits, reads and writes.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a rival has sockets and prints"
)]

pub mod tls;

use memchr::memchr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::convert::Infallible;
use std::hint::black_box;
use std::io::{self, Write};
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::process::ExitCode;

/// The most bytes of one read, if the program chooses.
pub const READ_BYTES_MAX: usize = 64 * 1024;

/// A longer line ends its connection.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

const LISTEN_BACKLOG: i32 = 4096;

/// The length of `255.255.255.255:65535`.
const ADDRESS_BYTES_MAX: usize = 21;

/// What a program does with the bytes that come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Split them into lines, check these and count them.
    Receive,
    /// Send each byte straight back.
    Echo,
    /// Send each line to every other connection.
    Relay,
}

/// The whole `main` of a rival: parses the command line, raises the descriptor limit, and serves.
pub fn run(serve: impl FnOnce(Mode, SocketAddrV4) -> io::Result<Infallible>) -> ExitCode {
    let Some((mode, address)) = parse_arguments(std::env::args().skip(1)) else {
        eprintln!("usage: NAME receive|echo|relay ADDRESS, with an address like 127.0.0.1:0");
        return ExitCode::from(2);
    };
    let Err(error) = raise_descriptor_limit().and_then(|()| serve(mode, address));
    eprintln!("{error}");
    ExitCode::FAILURE
}

fn parse_arguments(mut arguments: impl Iterator<Item = String>) -> Option<(Mode, SocketAddrV4)> {
    let mode = match arguments.next()?.as_str() {
        "receive" => Mode::Receive,
        "echo" => Mode::Echo,
        "relay" => Mode::Relay,
        _ => return None,
    };
    let address: SocketAddrV4 = arguments.next()?.parse().ok()?;
    (address.ip().is_loopback() && arguments.next().is_none()).then_some((mode, address))
}

/// Takes as many open files as are allowed.
pub fn raise_descriptor_limit() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Listens with a backlog for more than a thousand dials at once, and prints the address. The socket does not
/// block.
pub fn listen(address: SocketAddrV4) -> io::Result<TcpListener> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, LISTEN_BACKLOG)?;
    let listener = TcpListener::from(socket);
    announce(listener.local_addr()?)?;
    Ok(listener)
}

/// Prints the one line that a rival prints. [`listen`] does it by itself.
pub fn announce(address: impl std::fmt::Display) -> io::Result<()> {
    println!("listening on {address}");
    io::stdout().flush()
}

/// The receiving side of one connection: splits its bytes into lines, and checks and counts these.
#[derive(Debug, Default)]
pub struct Lines {
    speaker: Speaker,
    /// The beginning of a line whose end has not come yet; no allocation while there is none.
    rest: Vec<u8>,
}

/// The line has more than [`LINE_BYTES_MAX`] bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct LineTooLong;

impl Lines {
    /// Takes the bytes of one read. `whole` gets all lines that they completed, each with its newline, in one
    /// piece; or in two pieces, if the first line began in an earlier read.
    #[inline]
    pub fn take(&mut self, mut bytes: &[u8], mut whole: impl FnMut(&[u8])) -> Result<(), LineTooLong> {
        if !self.rest.is_empty() {
            let Some(end) = memchr(b'\n', bytes) else { return self.keep(bytes) };
            self.keep(&bytes[..end])?;
            self.finish(&mut whole);
            bytes = &bytes[end + 1..];
        }
        let mut start = 0;
        while let Some(length) = find_newline(&bytes[start..]) {
            self.speaker.hear(&bytes[start..start + length]);
            start += length + 1;
        }
        if start > 0 {
            whole(&bytes[..start]);
        }
        if start < bytes.len() { self.keep(&bytes[start..]) } else { Ok(()) }
    }

    /// Ends the line that has been begun, if one has. At the end of the stream it counts like any other.
    pub fn finish(&mut self, whole: impl FnOnce(&[u8])) {
        if self.rest.is_empty() {
            return;
        }
        let mut line = mem::take(&mut self.rest);
        self.speaker.hear(&line);
        line.push(b'\n');
        whole(&line);
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), LineTooLong> {
        if self.rest.len() + bytes.len() > LINE_BYTES_MAX {
            return Err(LineTooLong);
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }
}

/// Lines are short, so choosing the variant for this very processor at run time would cost as much as the search.
/// This variant works on each processor of this architecture, and is compiled in.
#[cfg(target_arch = "x86_64")]
#[inline]
fn find_newline(bytes: &[u8]) -> Option<usize> {
    use memchr::arch::x86_64::sse2::memchr::One;
    One::new(b'\n').expect("x86-64 always has SSE2").find(bytes)
}

#[cfg(not(target_arch = "x86_64"))]
fn find_newline(bytes: &[u8]) -> Option<usize> {
    memchr(b'\n', bytes)
}

/// The speaker on a connection, and how many messages it has sent.
#[derive(Debug, Default)]
pub struct Speaker {
    /// The address that the last good line claimed, as it was written, and its length.
    address: [u8; ADDRESS_BYTES_MAX],
    address_length: u8,
    good: u32,
    bad: u32,
}

impl Speaker {
    /// Checks and counts one line without its newline: `<IP:PORT> <name> <text>`, no field empty.
    #[inline]
    pub fn hear(&mut self, line: &[u8]) {
        let is_good = self.rest_after_address(line).is_some_and(|rest| {
            // A name is too short for a vector search to be faster.
            let name_length = rest.iter().position(|byte| *byte == b' ');
            name_length.is_some_and(|length| length > 0 && length + 1 < rest.len())
        });
        if is_good {
            self.good += 1;
        } else {
            self.bad += 1;
        }
    }

    /// An address that is the same text as in the last line needs no second check.
    #[inline]
    fn rest_after_address<'a>(&mut self, line: &'a [u8]) -> Option<&'a [u8]> {
        let known = &self.address[..usize::from(self.address_length)];
        match line.strip_prefix(known) {
            Some([b' ', rest @ ..]) if !known.is_empty() => Some(rest),
            _ => self.learn_address(line),
        }
    }

    #[inline(never)]
    fn learn_address<'a>(&mut self, line: &'a [u8]) -> Option<&'a [u8]> {
        let length = memchr(b' ', &line[..line.len().min(ADDRESS_BYTES_MAX + 1)])?;
        let (address, rest) = line.split_at(length);
        let parsed: SocketAddrV4 = std::str::from_utf8(address).ok()?.parse().ok()?;
        if *parsed.ip() == Ipv4Addr::UNSPECIFIED && parsed.port() == 0 {
            return None;
        }
        self.address[..length].copy_from_slice(address);
        self.address_length = length as u8;
        Some(&rest[1..])
    }
}

impl Drop for Speaker {
    /// Nobody reads the counts. If the compiler found that out, there would be nothing left to measure.
    fn drop(&mut self) {
        black_box((self.good, self.bad));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(chunks: &[&[u8]]) -> (u32, u32) {
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.take(chunk, |_| ()).unwrap();
        }
        lines.finish(|_| ());
        (lines.speaker.good, lines.speaker.bad)
    }

    #[test]
    fn a_message_has_an_address_a_name_and_a_text() {
        for good in ["127.0.0.1:7 a b", "255.255.255.255:65535 team several words", "0.0.0.1:0 a  "] {
            assert_eq!(counts(&[good.as_bytes()]), (1, 0), "{good}");
        }
        for bad in [
            " ",
            "127.0.0.1:7",
            "127.0.0.1:7 a",
            "127.0.0.1:7 a ",
            "127.0.0.1:7  b",
            "127.0.0.1 a b",
            "127.0.0.1:70000 a b",
            "255.255.255.255:655350 a b",
            "0.0.0.0:0 a b",
            "[::1]:7 a b",
        ] {
            assert_eq!(counts(&[bad.as_bytes()]), (0, 1), "{bad}");
        }
    }

    #[test]
    fn a_known_address_is_known_only_as_a_whole() {
        assert_eq!(counts(&[b"127.0.0.1:7 a b\n127.0.0.1:7 c d\n127.0.0.1:77 e f\n"]), (3, 0));
        assert_eq!(counts(&[b"127.0.0.1:7 a b\n127.0.0.1:7x c d\n127.0.0.1:7\n"]), (1, 2));
    }

    #[test]
    fn a_line_counts_once_however_it_is_cut() {
        let text: &[u8] = b"127.0.0.1:7 a b\n127.0.0.1:8 c d\nno message\n127.0.0.1:9 e f";
        for cut in 0..text.len() {
            assert_eq!(counts(&[&text[..cut], &text[cut..]]), (3, 1), "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(counts(&bytes), (3, 1));
    }

    #[test]
    fn whole_lines_come_in_one_piece_or_in_two() {
        let mut lines = Lines::default();
        let mut pieces = Vec::new();
        for chunk in [&b"a\nb\nc"[..], b"d", b"e\nf\ng\nh"] {
            lines.take(chunk, |piece| pieces.push(piece.to_vec())).unwrap();
        }
        lines.finish(|piece| pieces.push(piece.to_vec()));
        assert_eq!(pieces, [&b"a\nb\n"[..], b"cde\n", b"f\ng\n", b"h\n"]);
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(&[b'x'; LINE_BYTES_MAX], |_| ()), Ok(()));
        assert_eq!(lines.take(b"x", |_| ()), Err(LineTooLong));
    }

    #[test]
    fn only_loopback_is_an_address() {
        let parse = |line: &str| parse_arguments(line.split(' ').map(String::from));
        assert_eq!(parse("echo 127.0.0.9:0"), Some((Mode::Echo, "127.0.0.9:0".parse().unwrap())));
        for line in
            ["", "echo", "sing 127.0.0.1:0", "echo 0.0.0.0:0", "echo 10.0.0.1:7", "echo 127.0.0.1:0 x"]
        {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
