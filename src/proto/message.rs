//! One message: what its bytes mean, and how it is written, in every dialect of the published peers.
//!
//! Parsing borrows from the line; nothing here keeps state or decides what a message leads to.

use crate::limits::ADDRESS_BYTES_MAX;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The form in which a peer writes, and is written to.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// `IP:PORT NAME TEXT`, the assignment's.
    #[default]
    Standard,
    /// `<IP:PORT> NAME TEXT`.
    Bracketed,
    /// `<IP:PORT> @ <NAME>`, then the text on lines of its own, then `<end>`.
    Block,
    /// `LISTENING_PORT:PORT|TEAM_NAME:NAME|TEXT`.
    Netech,
}

impl Dialect {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Bracketed, Self::Block, Self::Netech];

    /// The word for it on the command line and in the menu.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Bracketed => "bracketed",
            Self::Block => "block",
            Self::Netech => "netech",
        }
    }
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|dialect| dialect.name().eq_ignore_ascii_case(word))
            .ok_or_else(|| "a dialect is standard, bracketed, block or netech".to_owned())
    }
}

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// The answer to a connect.
    Ack {
        /// Whether the connection that carries it is a session from here on.
        session: bool,
    },
    /// Everything that is no other command.
    Chat,
    /// The sender wants to be connected.
    Connect,
    /// The sender leaves.
    Exit,
}

impl Command {
    /// What `text` asks for: a command is the whole text, trimmed, in any case.
    pub fn of(text: &[u8], dialect: Dialect) -> Self {
        const LONGEST: usize = "manual connection message".len();
        const ACK: [&str; 5] =
            ["connect_ack", "connected", "connected!", "CONNECT_ACCEPTED", "connection_established"];
        const CONNECT: [&str; 6] = [
            "connect",
            "connection message",
            "manual connection message",
            "CONNECT_REQUEST",
            "connection_request",
            "handshake",
        ];
        const EXIT: [&str; 3] = ["exit", "DISCONNECT", "[PEER_QUIT]"];
        const FIRST_LETTERS: &[u8] = b"cCmMhHeEdD[qQ";

        let word = text.trim_ascii();
        // Nearly every message is chat: tell so by its first letter or its length.
        if word.len() > LONGEST || !word.first().is_some_and(|first| FIRST_LETTERS.contains(first)) {
            return Self::Chat;
        }
        let is_one_of = |words: &[&str]| words.iter().any(|w| word.eq_ignore_ascii_case(w.as_bytes()));
        if is_one_of(&EXIT) || (dialect == Dialect::Bracketed && is_one_of(&["quit"])) {
            Self::Exit
        } else if is_one_of(&CONNECT) {
            Self::Connect
        } else if is_one_of(&ACK) {
            Self::Ack { session: false }
        } else {
            capability(word).map_or(Self::Chat, |session| Self::Ack { session })
        }
    }
}

/// `connected` and one capability token, such as `chinwag/1`: whether the token offers a session.
fn capability(word: &[u8]) -> Option<bool> {
    let (first, token) = word.split_at_checked("connected ".len())?;
    let (program, version) = token.split_at(token.iter().position(|&byte| byte == b'/')?);
    let version = &version[1..];
    let is_token = !version.is_empty() && version.iter().all(u8::is_ascii_digit);
    (first.eq_ignore_ascii_case(b"connected ") && is_token)
        .then(|| program.eq_ignore_ascii_case(b"chinwag") && version.iter().any(|&digit| digit != b'0'))
}

/// One parsed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Where the sender claims to listen: its identity.
    pub address: SocketAddr,
    /// What it asks for.
    pub command: Command,
    /// How it was written.
    pub dialect: Dialect,
    /// Who the sender says it is.
    pub name: &'a str,
    /// The text, without trailing CR, LF, space and NUL.
    pub text: &'a str,
}

impl<'a> Message<'a> {
    /// Parses one message that came from the socket address `from`. `None`: in no known form, or
    /// without a usable address.
    pub fn parse(line: &'a str, from: SocketAddr) -> Option<Self> {
        let (dialect, address, name, text) = parse_netech(line, from)
            .or_else(|| parse_standard(line, from))
            .or_else(|| parse_block(line, from))
            .or_else(|| parse_bracketed(line, from))?;
        let text = trim_end(text);
        Some(Self { address, command: Command::of(text.as_bytes(), dialect), dialect, name, text })
    }
}

type Parts<'a> = (Dialect, SocketAddr, &'a str, &'a str);

fn parse_netech(line: &str, from: SocketAddr) -> Option<Parts<'_>> {
    let (port, rest) = line.strip_prefix("LISTENING_PORT:")?.split_once('|')?;
    let (name, text) = rest.strip_prefix("TEAM_NAME:")?.split_once('|')?;
    let port = port.trim().parse().ok().filter(|&port| port != 0)?;
    Some((Dialect::Netech, with_port(from, port), name, text))
}

fn parse_standard(line: &str, from: SocketAddr) -> Option<Parts<'_>> {
    let (address, rest) = line.split_once(' ')?;
    let (name, text) = rest.split_once(' ')?;
    let claimed = parse_address(address)?;
    let ip = claimed.ip();
    let elsewhere = ip.is_unspecified() || (ip.is_loopback() && !from.ip().is_loopback());
    let address = if elsewhere || ip == from.ip() { with_port(from, claimed.port()) } else { claimed };
    Some((Dialect::Standard, address, name, text))
}

fn parse_block(line: &str, from: SocketAddr) -> Option<Parts<'_>> {
    let (port, rest) = parse_angle(line)?;
    let address = with_port(from, port);
    if trim_end(rest).trim_start().eq_ignore_ascii_case("DISCONNECT") {
        return Some((Dialect::Block, address, "", rest));
    }
    let (head, body) = rest.split_once('\n')?;
    let (stamp, name) = head.split_once("@ <")?;
    let stamp = stamp.trim();
    if !(stamp.is_empty() || (stamp.starts_with('[') && stamp.ends_with(']'))) {
        return None;
    }
    let name = name.trim_end().strip_suffix('>')?;
    let text = body.split_once("<end>").map_or(body, |(text, _)| text);
    Some((Dialect::Block, address, name, text))
}

fn parse_bracketed(line: &str, from: SocketAddr) -> Option<Parts<'_>> {
    let (port, rest) = parse_angle(line)?;
    let (name, text) = rest.strip_prefix(' ')?.split_once(' ')?;
    // A block message whose head is not all here yet.
    let unfinished =
        name == "@" || name.strip_prefix('[').is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()));
    (!unfinished).then_some((Dialect::Bracketed, with_port(from, port), name, text))
}

/// The port of `<IP:PORT>`, and what follows. Some peers write the recipient's IP there, so only the
/// port counts.
fn parse_angle(line: &str) -> Option<(u16, &str)> {
    let (address, rest) = line.strip_prefix('<')?.split_once('>')?;
    Some((parse_address(address)?.port(), rest))
}

/// `IP:PORT` or `[IPv6]:PORT`, with a port that can be dialled.
pub fn parse_address(text: &str) -> Option<SocketAddr> {
    let address: SocketAddr = text.parse().ok()?;
    (address.port() != 0).then(|| SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// Whether `line` begins with `IP:PORT` and a space, so that its newline ends a message.
pub fn begins_with_address(line: &[u8]) -> bool {
    let head = &line[..line.len().min(ADDRESS_BYTES_MAX + 1)];
    memchr::memchr(b' ', head)
        .and_then(|space| std::str::from_utf8(&head[..space]).ok())
        .and_then(parse_address)
        .is_some()
}

/// The IP of `from` with another port; the scope of a link-local address stays.
fn with_port(mut from: SocketAddr, port: u16) -> SocketAddr {
    from.set_port(port);
    from
}

/// Without the trailing CR, LF, space and NUL that senders leave on a text.
pub fn trim_end(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n', ' ', '\0'])
}

/// [`trim_end`] for bytes that are not decoded yet.
pub fn trim_end_bytes(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n' | b' ' | b'\0'] = text {
        text = rest;
    }
    text
}

/// What a message that we write says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// The acknowledgement that is dialled.
    Ack,
    /// The acknowledgement on the connection that asked, which makes it a session.
    AckSession,
    /// A text.
    Chat(&'a str),
    /// The wish to be connected.
    Connect,
    /// The farewell.
    Exit,
}

/// Writes one message, without a newline. `from` is the address that we listen on.
pub fn format(dialect: Dialect, from: SocketAddr, name: &str, body: Body<'_>) -> String {
    let text = match (body, dialect) {
        (Body::Ack, _) => "connect_ack",
        (Body::AckSession, _) => "connected chinwag/1",
        (Body::Chat(text), _) => text,
        (Body::Connect, Dialect::Netech) => "connection message",
        (Body::Connect, _) => "connect",
        (Body::Exit, Dialect::Block) => return format!("<{from}> DISCONNECT"),
        (Body::Exit, Dialect::Bracketed) => "quit",
        (Body::Exit, _) => "exit",
    };
    match dialect {
        Dialect::Standard => format!("{from} {name} {text}"),
        Dialect::Bracketed => format!("<{from}> {name} {text}"),
        Dialect::Block => format!("<{from}> @ <{name}>\n{text}\n<end>"),
        Dialect::Netech => format!("LISTENING_PORT:{}|TEAM_NAME:{name}|{text}", from.port()),
    }
}

/// Cuts `text` so that the first part, written in `dialect`, has at most `bytes_max` bytes. The second
/// part is empty if it all fits. Wherever there is such a cut, neither part reads as a command of its own,
/// and the first does not end in spaces, which receivers strip.
pub fn split_to_fit<'a>(
    dialect: Dialect,
    from: SocketAddr,
    name: &str,
    text: &'a str,
    bytes_max: usize,
) -> (&'a str, &'a str) {
    let room = bytes_max.saturating_sub(format(dialect, from, name, Body::Chat("")).len());
    if text.len() <= room {
        return (text, "");
    }
    let longest = text.floor_char_boundary(room);
    text.split_at(last_good_cut(dialect, text, longest).unwrap_or(longest))
}

/// The last cut behind a visible character, no later than `longest`, that makes two chats.
///
/// A cut among spaces makes the same two commands as the one before those spaces, so trying it would only
/// cost time. Both texts are trimmed beforehand, where one more cut would measure the same spaces again.
fn last_good_cut(dialect: Dialect, text: &str, longest: usize) -> Option<usize> {
    let start = text.len() - text.trim_ascii_start().len();
    let visible = trim_end(text).trim_ascii_end();
    let is_chat = |part: &str| Command::of(part.as_bytes(), dialect) == Command::Chat;
    text[..longest]
        .char_indices()
        .rev()
        .filter(|&(_, c)| !c.is_whitespace() && c != '\0')
        .map(|(at, c)| at + c.len_utf8())
        .filter(|&cut| cut < visible.len())
        .find(|&cut| is_chat(&text[start..cut]) && is_chat(&visible[cut..]))
}

/// The address under which a peer is known: one that dials over IPv4 has its IPv4 address, also where a
/// socket for both families shows `::ffff:a.b.c.d`.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "10.0.0.9:53211";

    fn parse(line: &str) -> Option<(Dialect, String, &str, &str, Command)> {
        Message::parse(line, FROM.parse().unwrap())
            .map(|m| (m.dialect, m.address.to_string(), m.name, m.text, m.command))
    }

    #[test]
    fn every_form_is_parsed() {
        use Command::{Chat, Connect, Exit};
        use Dialect::{Block, Bracketed, Netech, Standard};
        let table = [
            (
                "LISTENING_PORT:9090|TEAM_NAME:Netech|hello",
                (Netech, "10.0.0.9:9090", "Netech", "hello", Chat),
            ),
            ("LISTENING_PORT:9090|TEAM_NAME:N|a|b", (Netech, "10.0.0.9:9090", "N", "a|b", Chat)),
            (
                "LISTENING_PORT:9090|TEAM_NAME:N|connection message",
                (Netech, "10.0.0.9:9090", "N", "connection message", Connect),
            ),
            (
                "10.0.0.5:8080 P1 hello , you there",
                (Standard, "10.0.0.5:8080", "P1", "hello , you there", Chat),
            ),
            ("10.0.0.5:8080 P1  two spaces", (Standard, "10.0.0.5:8080", "P1", " two spaces", Chat)),
            ("10.0.0.5:8080 P1 EXIT \r\n\0", (Standard, "10.0.0.5:8080", "P1", "EXIT", Exit)),
            ("10.0.0.5:8080 P1 quit", (Standard, "10.0.0.5:8080", "P1", "quit", Chat)),
            ("10.0.0.5:8080 P1 ", (Standard, "10.0.0.5:8080", "P1", "", Chat)),
            ("[2001:db8::1]:80 P1 hi", (Standard, "[2001:db8::1]:80", "P1", "hi", Chat)),
            ("0.0.0.0:8080 P1 hi", (Standard, "10.0.0.9:8080", "P1", "hi", Chat)),
            ("127.0.0.1:8080 P1 hi", (Standard, "10.0.0.9:8080", "P1", "hi", Chat)),
            ("[::ffff:10.0.0.5]:80 P1 hi", (Standard, "10.0.0.5:80", "P1", "hi", Chat)),
            (
                "<10.0.0.5:8080> @ <P1>\nhello\nworld\n<end>",
                (Block, "10.0.0.9:8080", "P1", "hello\nworld", Chat),
            ),
            (
                "<10.0.0.5:8080> [2025-02-20 10:11:12] @ <P 1>\nhello",
                (Block, "10.0.0.9:8080", "P 1", "hello", Chat),
            ),
            ("<10.0.0.5:8080> DISCONNECT", (Block, "10.0.0.9:8080", "", " DISCONNECT", Exit)),
            ("<10.0.0.5:8080> P1 hello", (Bracketed, "10.0.0.9:8080", "P1", "hello", Chat)),
            ("<10.0.0.5:8080> P1 quit", (Bracketed, "10.0.0.9:8080", "P1", "quit", Exit)),
        ];
        for (line, (dialect, address, name, text, command)) in table {
            assert_eq!(parse(line), Some((dialect, address.to_owned(), name, text, command)), "{line:?}");
        }
    }

    #[test]
    fn anything_else_is_unknown() {
        let table = [
            "",
            "hello",
            "10.103.45.601:8080 P1 hello",
            "10.0.0.5:0 P1 hello",
            "10.0.0.5:65536 P1 hello",
            "10.0.0.5 P1 hello",
            "10.0.0.5:8080",
            "10.0.0.5:8080 P1",
            " 10.0.0.5:8080 P1 hello",
            "LISTENING_PORT:0|TEAM_NAME:N|x",
            "LISTENING_PORT:9090|TEAM_NAME:N",
            "LISTENING_PORT:9090|TEAM:N|x",
            "<10.0.0.5:8080>",
            "<10.0.0.5:8080> @ <P1>",
            "<10.0.0.5:8080> [2025-02-20 10:1",
            "<nonsense> P1 hello",
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        ];
        for line in table {
            assert_eq!(parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_loopback_header_stays_where_the_socket_is_on_loopback_too() {
        let message = Message::parse("127.0.0.2:8080 P1 hi", "127.0.0.1:5000".parse().unwrap()).unwrap();
        assert_eq!(message.address.to_string(), "127.0.0.2:8080");
    }

    #[test]
    fn the_longest_address_begins_a_line_and_no_search_goes_further() {
        let ip = ["ffff:"; 6].concat() + "255.255.255.255";
        for address in [format!("[{ip}]:65535"), format!("[{ip}%4294967295]:65535")] {
            assert!(begins_with_address(format!("{address} P1 hi").as_bytes()), "{address}");
        }
        let padded = |zeros: usize| format!("[::1]:{}80 P1 hi", "0".repeat(zeros));
        let most = ADDRESS_BYTES_MAX - "[::1]:80".len();
        assert!(begins_with_address(padded(most).as_bytes()));
        assert!(!begins_with_address(padded(most + 1).as_bytes()));
    }

    #[test]
    fn a_command_is_the_whole_text_in_any_case() {
        let session = |session| Command::Ack { session };
        let table = [
            ("exit", Command::Exit),
            (" Exit ", Command::Exit),
            ("disconnect", Command::Exit),
            ("[PEER_QUIT]", Command::Exit),
            ("exit now", Command::Chat),
            ("CONNECT", Command::Connect),
            ("Manual Connection Message", Command::Connect),
            ("connect_request", Command::Connect),
            ("handshake", Command::Connect),
            ("connection", Command::Chat),
            ("connect_ack", session(false)),
            ("Connected!", session(false)),
            ("connection_established", session(false)),
            ("connected chinwag/1", session(true)),
            ("connected chinwag/12", session(true)),
            ("connected chinwag/0", session(false)),
            ("connected other/7", session(false)),
            ("connected to you", Command::Chat),
            ("connected chinwag/", Command::Chat),
            ("connected chinwag/1 now", Command::Chat),
            ("", Command::Chat),
        ];
        for (text, command) in table {
            assert_eq!(Command::of(text.as_bytes(), Dialect::Standard), command, "{text:?}");
        }
    }

    #[test]
    fn each_dialect_reads_what_it_writes() {
        let from: SocketAddr = "10.0.0.9:8080".parse().unwrap();
        let bodies = [
            (Body::Chat("hello there"), Command::Chat),
            (Body::Connect, Command::Connect),
            (Body::Ack, Command::Ack { session: false }),
            (Body::AckSession, Command::Ack { session: true }),
            (Body::Exit, Command::Exit),
        ];
        for dialect in [Dialect::Standard, Dialect::Bracketed, Dialect::Block, Dialect::Netech] {
            for (body, command) in bodies {
                let line = format(dialect, from, "P1", body);
                let message = Message::parse(&line, FROM.parse().unwrap()).unwrap();
                assert_eq!(
                    (message.dialect, message.address, message.command),
                    (dialect, from, command),
                    "{line:?}"
                );
                assert!(!line.ends_with('\n'));
            }
        }
        assert_eq!(
            format(Dialect::Netech, from, "P1", Body::Connect),
            "LISTENING_PORT:8080|TEAM_NAME:P1|connection message"
        );
        assert_eq!(format(Dialect::Block, from, "P1", Body::Exit), "<10.0.0.9:8080> DISCONNECT");
        assert_eq!(format(Dialect::Bracketed, from, "P1", Body::Exit), "<10.0.0.9:8080> P1 quit");
    }

    #[test]
    fn a_long_text_is_cut_at_characters_and_loses_none() {
        let from: SocketAddr = "10.0.0.9:8080".parse().unwrap();
        let text = "é".repeat(1000);
        let mut rest = text.as_str();
        let mut whole = String::new();
        while !rest.is_empty() {
            let (part, after) = split_to_fit(Dialect::Standard, from, "P1", rest, 1023);
            assert!(format(Dialect::Standard, from, "P1", Body::Chat(part)).len() <= 1023);
            whole.push_str(part);
            rest = after;
        }
        assert_eq!(whole, text);
    }

    #[test]
    fn a_text_that_just_fits_is_one_message_and_one_byte_more_is_two() {
        let from: SocketAddr = "10.0.0.9:8080".parse().unwrap();
        let room = 1023 - "10.0.0.9:8080 P1 ".len();
        let text = "x".repeat(room + 1);
        assert_eq!(split_to_fit(Dialect::Standard, from, "P1", &text[1..], 1023).1, "");
        assert_eq!(split_to_fit(Dialect::Standard, from, "P1", &text, 1023).1, "x");
    }

    #[test]
    fn no_part_of_a_cut_text_is_a_command() {
        let from: SocketAddr = "10.0.0.9:8080".parse().unwrap();
        let room = 1023 - "10.0.0.9:8080 P1 ".len();
        let text = format!("{}exit", "x".repeat(room));
        assert_eq!(split_to_fit(Dialect::Standard, from, "P1", &text, 1023).1, "xexit");
        let text = format!("{} exit", "x".repeat(room));
        assert_eq!(split_to_fit(Dialect::Standard, from, "P1", &text, 1023).1, "x exit");
        for spaces in [room, 65_530] {
            let text = format!("exit{}x", " ".repeat(spaces));
            assert_eq!(split_to_fit(Dialect::Standard, from, "P1", &text, 1023).0, "exi");
        }
    }

    #[test]
    fn the_longest_spaces_are_looked_at_once() {
        let from: SocketAddr = "10.0.0.9:8080".parse().unwrap();
        let spaces = " ".repeat(4 << 20);
        // The room ends in the spaces: each cut among them was trimmed anew, all the way.
        for text in [format!("exit{spaces}x"), format!("hello{spaces}x"), format!("exit{spaces}xexit")] {
            let (part, rest) = split_to_fit(Dialect::Standard, from, "P1", &text, 2 << 20);
            assert!(["exi", "hello"].contains(&part) && part.len() + rest.len() == text.len());
        }
    }

    #[test]
    fn what_receivers_strip_is_not_where_a_text_is_cut() {
        let from: SocketAddr = "10.0.0.9:8080".parse().unwrap();
        let room = 1023 - "10.0.0.9:8080 P1 ".len();
        let texts = [
            "four words of text ".repeat(400),
            format!("{}{}{}", "x".repeat(room - 10), " ".repeat(20), "y".repeat(room)),
            format!("{}\u{3000}\0\t{}", "x".repeat(room - 1), "y".repeat(room)),
            format!("{}  ", "x".repeat(room)),
        ];
        for text in &texts {
            let mut rest = text.as_str();
            let mut received = String::new();
            while !rest.is_empty() {
                let (part, after) = split_to_fit(Dialect::Standard, from, "P1", rest, 1023);
                let line = format(Dialect::Standard, from, "P1", Body::Chat(part));
                let message = Message::parse(&line, from).unwrap();
                assert!(line.len() <= 1023 && !message.text.trim().is_empty(), "{line:?}");
                received.push_str(message.text.trim_end());
                rest = after;
            }
            assert_eq!(received, text.trim_end());
        }
    }
}
