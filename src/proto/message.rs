//! One message: what its bytes mean, in every dialect of the published peers.
//!
//! Nothing here keeps state or decides what happens because of a message. [`super::envelope`] writes messages.

use super::clean::is_blank;
use crate::limits::ADDRESS_BYTES_MAX;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The form in which a peer writes, and in which we write to it.
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
    /// A JSON object with `type`, `content`, `sender_name` and `sender_port`.
    Json,
    /// A line with the port, then lines in the form of [`Dialect::Standard`]. The sender waits for an answer to each
    /// line.
    PortLine,
}

impl Dialect {
    /// All dialects.
    pub const ALL: [Self; 6] =
        [Self::Standard, Self::Bracketed, Self::Block, Self::Netech, Self::Json, Self::PortLine];

    /// Its name on the command line and in the menu.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Bracketed => "bracketed",
            Self::Block => "block",
            Self::Netech => "netech",
            Self::Json => "json",
            Self::PortLine => "portline",
        }
    }

    /// The names of all dialects, as a sentence lists them.
    pub fn choices() -> String {
        let [first @ .., last] = Self::ALL.map(Self::name);
        format!("{} or {last}", first.join(", "))
    }

    /// Whether a connect in it can be answered on its own connection, which makes that a session. If not, lines in the
    /// form of a session would confuse the program that connects: it is answered by a dial, or as
    /// [`has_line_answers`](Self::has_line_answers) says.
    pub const fn can_have_session(self) -> bool {
        !matches!(self, Self::Json | Self::PortLine)
    }

    /// Whether it has a word for the answer to a connect. Without one, a connect answers a connect.
    pub const fn has_ack(self) -> bool {
        !matches!(self, Self::Json)
    }

    /// Whether its sender waits for [`LINE_TAKEN`] after each line.
    pub const fn has_line_answers(self) -> bool {
        matches!(self, Self::PortLine)
    }
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|dialect| dialect.name().eq_ignore_ascii_case(word))
            .ok_or_else(|| format!("a dialect is {}", Self::choices()))
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
    /// Everything that is not another command.
    Chat,
    /// The sender wants to be connected.
    Connect,
    /// The sender is leaving.
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
        // Nearly every message is chat: the first letter or the length usually shows it.
        if word.len() == OFFERED.len() + OFFER_CHARS
            && let Some((head, offer)) = word.split_at_checked(OFFERED.len())
            && head.eq_ignore_ascii_case(OFFERED)
            && offer.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
        {
            return Self::Ack { session: true };
        }
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

/// An acknowledgement of our own kind that offers encryption, and the characters of the offer behind it.
const OFFERED: &[u8] = b"connected chinwag/1 noise=";
const OFFER_CHARS: usize = 43;

/// Reads `connected` with one capability token, such as `chinwag/1`. Returns whether the token offers a session.
fn capability(word: &[u8]) -> Option<bool> {
    let (first, token) = word.split_at_checked("connected ".len())?;
    let (program, version) = token.split_at(token.iter().position(|&byte| byte == b'/')?);
    let version = &version[1..];
    let is_token = !version.is_empty() && version.iter().all(u8::is_ascii_digit);
    (first.eq_ignore_ascii_case(b"connected ") && is_token)
        .then(|| program.eq_ignore_ascii_case(b"chinwag") && version.iter().any(|&digit| digit != b'0'))
}

/// One parsed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Where the sender claims to listen: its identity.
    pub address: SocketAddr,
    /// What it asks for.
    pub command: Command,
    /// How it was written.
    pub dialect: Dialect,
    /// Who the sender says it is, as [`one_word`]; empty if it does not say.
    pub name: Cow<'a, str>,
    /// The text, without trailing CR, LF, space and NUL.
    pub text: Cow<'a, str>,
}

impl<'a> Message<'a> {
    /// Parses one message that came from the socket address `from`. `None` if it has no known form or no usable
    /// address.
    pub fn parse(line: &'a str, from: SocketAddr) -> Option<Self> {
        if line.starts_with('{') {
            return parse_json(line, from);
        }
        parse_netech(line, from)
            .or_else(|| parse_standard(line, from))
            .or_else(|| parse_block(line, from))
            .or_else(|| parse_bracketed(line, from))
            .map(Self::new)
    }

    /// Parses a line of a connection whose first line was `port`, see [`parse_port_line`].
    pub fn parse_behind_port(line: &'a str, port: u16, from: SocketAddr) -> Self {
        let (name, text) = parse_standard(line, from).map_or(("", line), |(_, _, name, text)| (name, text));
        Self::new((Dialect::PortLine, with_port(from, port), name, text))
    }

    fn new((dialect, address, name, text): Parts<'a>) -> Self {
        let text = trim_end(text);
        let command = Command::of(text.as_bytes(), dialect);
        Self { address, command, dialect, name: one_word(name), text: text.into() }
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
    let address = if elsewhere || ip == from.ip() {
        with_port(from, claimed.port())
    } else {
        behind_same_interface(SocketAddr::new(ip, claimed.port()), from)
    };
    Some((Dialect::Standard, address, name, text))
}

/// A claimed link-local address, behind the interface from which the claim came. A scope in the claim would be the number
/// of an interface on the sender's host, and means nothing here.
fn behind_same_interface(mut claimed: SocketAddr, from: SocketAddr) -> SocketAddr {
    if let (SocketAddr::V6(claimed), SocketAddr::V6(from)) = (&mut claimed, from)
        && claimed.ip().is_unicast_link_local()
    {
        claimed.set_scope_id(from.scope_id());
    }
    claimed
}

/// `<IP:PORT> @ <NAME>` and the text below, or `<IP:PORT> DISCONNECT`. Either may have a time before the `@` or the
/// word, and a goodbye may also have a name.
fn parse_block(line: &str, from: SocketAddr) -> Option<Parts<'_>> {
    let (port, rest) = parse_angle(line)?;
    let address = with_port(from, port);
    let (head, body) = rest.split_once('\n').unwrap_or((rest, ""));
    let head = without_stamp(head.trim());
    let Some(named) = head.strip_prefix("@ <") else {
        return is_bye(head).then_some((Dialect::Block, address, "", head));
    };
    if let Some(name) = named.strip_suffix('>') {
        let text = body.split_once("<end>").map_or(body, |(text, _)| text);
        return rest.contains('\n').then_some((Dialect::Block, address, name, text));
    }
    let (name, word) = named.rsplit_once("> ")?;
    is_bye(word).then_some((Dialect::Block, address, name, word))
}

fn is_bye(word: &str) -> bool {
    trim_end(word).eq_ignore_ascii_case("DISCONNECT")
}

/// Without the time in brackets that some programs write first.
fn without_stamp(head: &str) -> &str {
    let behind = head.strip_prefix('[').and_then(|stamp| stamp.split_once(']'));
    behind.map_or(head, |(_, rest)| rest.trim_start())
}

fn parse_bracketed(line: &str, from: SocketAddr) -> Option<Parts<'_>> {
    let (port, rest) = parse_angle(line)?;
    let (name, text) = rest.strip_prefix(' ')?.split_once(' ')?;
    // A block message whose header is still incomplete.
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

/// A message of the form of [`Dialect::Json`].
#[derive(Deserialize)]
struct JsonMessage<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Cow<'a, str>,
    #[serde(borrow, default)]
    sender_name: Cow<'a, str>,
    sender_port: u16,
}

fn parse_json(line: &str, from: SocketAddr) -> Option<Message<'_>> {
    let message: JsonMessage<'_> = serde_json::from_str(trim_end(line)).ok()?;
    let command = match &*message.kind {
        "message" => Command::Chat,
        "connect" => Command::Connect,
        "exit" => Command::Exit,
        _ => return None,
    };
    let text = trim_end(content_text(&message.content, &message.sender_name)).to_owned().into();
    let name = one_word(&message.sender_name).into_owned().into();
    let address = with_port(from, message.sender_port);
    (message.sender_port != 0).then_some(Message { address, command, dialect: Dialect::Json, name, text })
}

/// The text in `<IP:PORT> <NAME> TEXT`. The address there is the recipient's, so it is ignored.
fn content_text<'a>(content: &'a str, name: &str) -> &'a str {
    let behind_address = parse_angle(content).and_then(|(_, rest)| rest.strip_prefix(" <"));
    let named = |rest: &'a str| rest.strip_prefix(name)?.strip_prefix('>');
    behind_address.and_then(named).map_or(content, |text| text.strip_prefix(' ').unwrap_or(text))
}

/// The answer to each line in the form of [`Dialect::PortLine`].
pub const LINE_TAKEN: &str = "Message received";

/// The port in the first line of a connection of the form of [`Dialect::PortLine`].
pub fn parse_port_line(line: &[u8]) -> Option<u16> {
    let digits = line.trim_ascii();
    // The length or the first byte rules out nearly every other first line.
    if digits.len() > "65535".len() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|&port| port != 0)
}

/// `IP:PORT` or `[IPv6]:PORT`, with a port that can be dialled. What is behind `%` there stays: see [`super::scope`].
pub fn parse_address(text: &str) -> Option<SocketAddr> {
    let address: SocketAddr = text.parse().ok()?;
    (address.port() != 0).then(|| canonical(address))
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

/// A name as one word: [blank](is_blank) characters become `_`. With a name of two words, nobody could address the
/// peer, and a reader could not tell where the name ends and the text begins.
pub fn one_word(name: &str) -> Cow<'_, str> {
    let is_white = |c: char| is_blank(c) || is_stripped(c);
    if name.contains(is_white) {
        let words = name.split(is_white).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("_").into()
    } else {
        name.into()
    }
}

/// Without the trailing CR, LF, space and NUL that senders leave on a text.
pub fn trim_end(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n', ' ', '\0'])
}

/// A text without the characters that some program may strip from its ends. Some programs strip more than spaces.
pub fn stripped(text: &str) -> &str {
    text.trim_matches(is_stripped)
}

/// Whether [`stripped`] removes it. Python strips more characters than Unicode calls white space, and JavaScript
/// strips one more.
pub(super) fn is_stripped(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\0' | '\x1C'..='\x1F' | '\u{FEFF}')
}

/// [`trim_end`] for bytes that are not decoded yet.
pub fn trim_end_bytes(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n' | b' ' | b'\0'] = text {
        text = rest;
    }
    text
}

/// The address under which a peer is known. A peer that dials over IPv4 has its IPv4 address, even where a socket for
/// both families shows `::ffff:a.b.c.d`.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// What counts as one source for a limit per source: an IPv4 address, or the first 64 bits of an IPv6 address. Those
/// 64 bits are assigned to one link, and whoever has the link can use all addresses on it.
pub fn source_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "10.0.0.9:53211";

    fn parse(line: &str) -> Option<(Dialect, String, String, String, Command)> {
        Message::parse(line, FROM.parse().unwrap())
            .map(|m| (m.dialect, m.address.to_string(), m.name.into(), m.text.into(), m.command))
    }

    #[test]
    fn every_form_is_parsed() {
        use Command::{Chat, Connect, Exit};
        use Dialect::{Block, Bracketed, Json, Netech, Standard};
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
                (Block, "10.0.0.9:8080", "P_1", "hello", Chat),
            ),
            ("<10.0.0.5:8080> DISCONNECT", (Block, "10.0.0.9:8080", "", "DISCONNECT", Exit)),
            (
                "<10.0.0.5:8080> [2025-02-20 10:11:12] DISCONNECT",
                (Block, "10.0.0.9:8080", "", "DISCONNECT", Exit),
            ),
            (
                "<10.0.0.5:8080> [2025-02-20 10:11:12] @ <P1> DISCONNECT\n",
                (Block, "10.0.0.9:8080", "P1", "DISCONNECT", Exit),
            ),
            ("<10.0.0.5:8080> @ <P1> disconnect", (Block, "10.0.0.9:8080", "P1", "disconnect", Exit)),
            (
                "<10.0.0.5:8080> [2025-02-20 10:11:12] @ <P1>\nDISCONNECT",
                (Block, "10.0.0.9:8080", "P1", "DISCONNECT", Exit),
            ),
            ("<10.0.0.5:8080> P1 hello", (Bracketed, "10.0.0.9:8080", "P1", "hello", Chat)),
            ("<10.0.0.5:8080> P1 quit", (Bracketed, "10.0.0.9:8080", "P1", "quit", Exit)),
            ("10.0.0.5:8080 a\tb hello", (Standard, "10.0.0.5:8080", "a_b", "hello", Chat)),
            ("LISTENING_PORT:9090|TEAM_NAME: P 1 |x", (Netech, "10.0.0.9:9090", "P_1", "x", Chat)),
            ("[fe80::1%7]:8080 P1 hi", (Standard, "[fe80::1]:8080", "P1", "hi", Chat)),
            (
                r#"{"type": "message", "content": "<10.0.0.9:1> <P 1> hi \u00e9", "sender_name": "P 1", "sender_port": 8080}"#,
                (Json, "10.0.0.9:8080", "P_1", "hi é", Chat),
            ),
            (
                r#"{"sender_port": 8080, "type": "connect", "sender_name": "P1", "content": "hello"}"#,
                (Json, "10.0.0.9:8080", "P1", "hello", Connect),
            ),
            (r#"{"type": "exit", "sender_port": 8080, "more": [1]}"#, (Json, "10.0.0.9:8080", "", "", Exit)),
        ];
        for (line, (dialect, address, name, text, command)) in table {
            let expected = (dialect, address.to_owned(), name.to_owned(), text.to_owned(), command);
            assert_eq!(parse(line), Some(expected), "{line:?}");
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
            "<10.0.0.5:8080> @ <P1> hello",
            "<10.0.0.5:8080> @ <P1>",
            "<10.0.0.5:8080> [2025-02-20 10:11:12]",
            "<10.0.0.5:8080> [2025-02-20 10:11:12] @ <P1>",
            "{",
            r#"{"type": "message", "content": "x", "sender_name": "P1", "sender_port": 0}"#,
            r#"{"type": "message", "content": "x", "sender_name": "P1", "sender_port": 65536}"#,
            r#"{"type": "status", "content": "x", "sender_name": "P1", "sender_port": 8080}"#,
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
    fn after_a_port_line_every_line_comes_from_that_port() {
        let from: SocketAddr = FROM.parse().unwrap();
        let table = [
            ("CONNECT", "", "CONNECT", Command::Connect),
            ("10.0.0.5:7070 P1 hello", "P1", "hello", Command::Chat),
            ("127.0.0.1:7070 P1 exit\r", "P1", "exit", Command::Exit),
            ("hello, you", "", "hello, you", Command::Chat),
        ];
        for (line, name, text, command) in table {
            let message = Message::parse_behind_port(line, 8000, from);
            assert_eq!((&*message.name, &*message.text, message.command), (name, text, command));
            assert_eq!(
                (message.address.to_string().as_str(), message.dialect),
                ("10.0.0.9:8000", Dialect::PortLine)
            );
        }
        let ports =
            ["8000", " 8000\r", "0", "65536", "80a", "+80", "", "8 0"].map(|l| parse_port_line(l.as_bytes()));
        assert_eq!(ports, [Some(8000), Some(8000), None, None, None, None, None, None]);
    }

    #[test]
    fn a_name_becomes_one_word_with_any_white_space() {
        let table = [
            ("P1", "P1"),
            (" a  b\t", "a_b"),
            ("a\u{3000}b", "a_b"),
            ("\u{2800}\u{1D159}\u{13441}", ""),
            ("P1\u{A0}said\u{2002}pay", "P1_said_pay"),
            ("a\nb", "a_b"),
            ("a\x1Cb", "a_b"),
            ("", ""),
        ];
        for (name, word) in table {
            assert_eq!(one_word(name), word, "{name:?}");
        }
    }

    #[test]
    fn an_ipv6_link_is_one_source_and_so_is_an_ipv4_address() {
        let source = |ip: &str| source_of(ip.parse().unwrap()).to_string();
        assert_eq!(source("10.0.0.5"), "10.0.0.5");
        assert_eq!(source("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(source("2001:db8:1:3::1"), "2001:db8:1:3::");
    }

    #[test]
    fn a_claimed_link_local_address_is_behind_the_interface_from_which_the_claim_came() {
        for (from, claimed, address) in [
            ("[fe80::9%3]:5000", "[fe80::9]:8080", "[fe80::9%3]:8080"),
            ("[fe80::9%3]:5000", "[fe80::9%99]:8080", "[fe80::9%3]:8080"),
            ("[fe80::9%3]:5000", "[fe80::1]:8080", "[fe80::1%3]:8080"),
            ("[fe80::9%3]:5000", "[fe80::1%99]:8080", "[fe80::1%3]:8080"),
            ("[fe80::9%3]:5000", "[::]:8080", "[fe80::9%3]:8080"),
            ("[fe80::9%3]:5000", "[2001:db8::1%99]:8080", "[2001:db8::1]:8080"),
            ("10.0.0.9:5000", "[fe80::1%99]:8080", "[fe80::1]:8080"),
        ] {
            let line = format!("{claimed} P1 hi");
            let message = Message::parse(&line, from.parse().unwrap()).unwrap();
            assert_eq!(message.address.to_string(), address, "{from} {claimed}");
        }
        let named = "[fe80::9%eth0]:8080 P1 hi";
        assert_eq!(Message::parse(named, "[fe80::9%3]:5000".parse().unwrap()), None);
    }
}
