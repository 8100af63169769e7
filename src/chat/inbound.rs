//! One line in, its meaning out; and what a connection is for.
//!
//! The life of a connection:
//!
//! ```text
//!  a peer dials us ──> Inbound ──a connect, answered here──> Session(peer) ──exit, newer session──> Leaving ──> closed
//!                        │  │                                     ^                                    ^
//!                        │  └──its first line is a port──> PortLine                                    │
//!                        │                                        │                                    │
//!  we dial a peer ──> Delivery ──it acknowledges our connect──> Inbound or Session            a dial that is
//!                        └──the peer's own connect comes first──────────────────────────────> given up ┘
//! ```
//!
//! | kind | what comes on it | what we write to it | how it ends |
//! |---|---|---|---|
//! | `Inbound` | messages of anybody | nothing, but the answer to a connect | the peer closes it, or it is idle |
//! | `Delivery` | the answer to our message | one message, then we half-close | the peer closes it, or a second passes |
//! | `PortLine` | texts of a peer whose port was the first line | a line for each text | the peer closes it |
//! | `Session` | lines, `!ping`, `!to` before a line to several | lines, `!pong`, `!to` | an exit of either side, a newer session, or it breaks |
//! | `Leaving` | what is still on its way | what was queued, then nothing | the peer closes it, or a second passes |
//!
//! A session is a connection that both sides agreed on: one sent a connect, the other answered on the same
//! connection. It speaks lines, it may be silent for ever, and a peer has one at most. A connect that cannot be
//! answered on its own connection is answered by a dial, and makes no session.

use super::directory::{Peer, PeerId};
use super::identity::Identity;
use crate::limits::{PING_BYTES_MAX, SPEAKER_BYTES_MAX};
use crate::proto::message::{LINE_TAKEN, Message, trim_end};
use std::net::SocketAddr;

/// What a connection is for, and who speaks on it.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) kind: Kind,
    /// We answered its connect, and neither side has said anything since.
    pub(super) is_only_answered: bool,
    /// The other side has shown that it knows control lines, as only our own kind does.
    pub(super) knows_control: bool,
    /// It has said that its next line goes to several peers.
    pub(super) is_next_to_all: bool,
    /// Whose lines come on it, to recognise the next one by its first bytes.
    pub(super) speaker: Option<Box<Speaker>>,
}

/// What a connection is for. See the [table](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Made by us to carry what is under way to its remote address.
    Delivery,
    /// Read, and answered if it asks.
    Inbound,
    /// Half-closed by us; read to its end.
    Leaving,
    /// Its first line was this port, where the peer listens; each further one waits for an answer.
    PortLine(u16),
    /// Bound to a peer both ways.
    Session(PeerId),
}

/// What ended a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The connection is gone; nothing can be answered on it.
    Gone,
    Newline,
    Silence,
}

/// What a line means.
#[derive(Debug)]
pub(super) enum Meaning<'a> {
    /// A question of a session, which is answered with its number.
    Ping(&'a str),
    /// The next line of a session goes to several peers at once.
    ToAll,
    /// A control line of a later version.
    Unknown,
    /// A message of somebody.
    Message(Message<'a>),
    /// Nothing that anybody needs to know.
    Nothing,
    /// A text in no known form.
    Raw(&'a str),
}

impl Role {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, is_only_answered: false, knows_control: false, is_next_to_all: false, speaker: None }
    }
}

/// The meaning of a line that came from the socket address `remote`. Nobody speaks in our own name.
pub(super) fn meaning<'a>(kind: Kind, text: &'a str, remote: SocketAddr, me: &Identity) -> Meaning<'a> {
    match (kind, text.strip_prefix('!')) {
        (Kind::Session(_), Some(control)) => {
            return match trim_end(control).split_once(' ') {
                Some(("ping", number)) if number.len() <= PING_BYTES_MAX => Meaning::Ping(number),
                Some(("to", count)) if count.parse::<u64>().is_ok() => Meaning::ToAll,
                _ => Meaning::Unknown,
            };
        }
        // It was a session when the peer asked; nobody can answer here any more.
        (Kind::Leaving, Some(_)) => return Meaning::Nothing,
        (Kind::Delivery | Kind::Leaving, None) if trim_end(text) == LINE_TAKEN => return Meaning::Nothing,
        _ => {}
    }
    let message = match kind {
        Kind::PortLine(port) => Some(Message::parse_behind_port(text, port, remote)),
        _ => Message::parse(text, remote),
    };
    match message.filter(|message| !me.is_own(message.address)) {
        Some(message) => Meaning::Message(message),
        None => Meaning::Raw(trim_end(text)),
    }
}

/// Whose lines come on a connection. A line that begins with the same bytes as the last one needs no parsing and no
/// look-up. In one piece: each read of one of many connections finds it cold.
#[derive(Debug)]
pub(super) struct Speaker {
    /// `IP:PORT NAME ` as the peer writes it, and how much of the array that is.
    header: [u8; SPEAKER_BYTES_MAX],
    header_bytes: u8,
    /// The connection comes from the IP that the header claims.
    is_confirmed: bool,
    peer: PeerId,
    /// [`Peer::renamed`] when the peer bore the name of the header.
    renamed: u32,
}

impl Speaker {
    /// The speaker of this line. `None`: its header is too long to be remembered, or has another name.
    pub(super) fn new(line: &[u8], id: PeerId, peer: &Peer, is_confirmed: bool) -> Option<Self> {
        let header = &line[..=memchr::memchr_iter(b' ', line).nth(1)?];
        let mut array = [0; SPEAKER_BYTES_MAX];
        array.get_mut(..header.len())?.copy_from_slice(header);
        let header_bytes = header.len() as u8;
        let speaker = Self { header: array, header_bytes, is_confirmed, peer: id, renamed: peer.renamed };
        names(header, &peer.name).then_some(speaker)
    }

    pub(super) fn peer(&self) -> PeerId {
        self.peer
    }

    /// The text of a line that begins with the same header.
    pub(super) fn text_of<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        line.strip_prefix(&self.header[..usize::from(self.header_bytes)])
    }

    /// Whether the header still stands for the peer: it has the same name, and who only claims to be it does not
    /// speak for one that is confirmed.
    pub(super) fn is_meant(&self, peer: &Peer) -> bool {
        (self.is_confirmed || !peer.is_confirmed) && peer.renamed == self.renamed
    }
}

/// Whether a header, `IP:PORT NAME `, bears this name.
fn names(header: &[u8], name: &str) -> bool {
    let rest = header.strip_suffix(b" ").and_then(|header| header.strip_suffix(name.as_bytes()));
    rest.is_some_and(|rest| rest.ends_with(b" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::config::Config;
    use crate::chat::directory::Directory;
    use crate::proto::message::Command;

    const REMOTE: &str = "127.0.0.1:50000";

    fn read(kind: Kind, text: &str) -> String {
        let mut me = Identity::new(&Config::default());
        me.listen_on(8080);
        match meaning(kind, text, REMOTE.parse().unwrap(), &me) {
            Meaning::Ping(number) => format!("ping {number}"),
            Meaning::ToAll => "to all".to_owned(),
            Meaning::Unknown => "unknown".to_owned(),
            Meaning::Message(Message { address, command, text, .. }) => {
                format!("{address} {} {text}", if command == Command::Chat { "chat" } else { "command" })
            }
            Meaning::Nothing => "nothing".to_owned(),
            Meaning::Raw(text) => format!("raw {text}"),
        }
    }

    #[test]
    fn what_a_line_means_depends_on_what_its_connection_is_for() {
        let id = Directory::new(1).find_or_add(REMOTE.parse().unwrap()).unwrap();
        let session = Kind::Session(id);
        let longest = format!("ping {}", "7".repeat(PING_BYTES_MAX));
        for (kind, text, means) in [
            (session, "!ping 7\r", "ping 7"),
            (session, &format!("!{longest}\n"), longest.as_str()),
            (session, &format!("!{longest}7"), "unknown"),
            (session, "!to 3", "to all"),
            (session, "!to you", "unknown"),
            (session, "!later", "unknown"),
            (Kind::Leaving, "!ping 7", "nothing"),
            (Kind::Inbound, "!ping 7", "raw !ping 7"),
            (Kind::Delivery, "Message received\n", "nothing"),
            (Kind::Inbound, "Message received", "raw Message received"),
            (Kind::Inbound, "127.0.0.1:9 P hello", "127.0.0.1:9 chat hello"),
            (Kind::Inbound, "127.0.0.1:9 P exit", "127.0.0.1:9 command exit"),
            (Kind::Inbound, "127.0.0.1:8080 P hello", "raw 127.0.0.1:8080 P hello"),
            (Kind::PortLine(9), "hello", "127.0.0.1:9 chat hello"),
        ] {
            assert_eq!(read(kind, text), means, "{kind:?}: {text}");
        }
    }

    #[test]
    fn a_speaker_is_recognised_by_its_header_until_its_peer_is_called_otherwise() {
        let mut directory = Directory::new(1);
        let id = directory.find_or_add("127.0.0.1:9".parse().unwrap()).unwrap();
        let peer = directory.get_mut(id).unwrap();
        peer.rename("P9");
        let line = b"127.0.0.1:9 P9 hello you";
        let speaker = Speaker::new(line, id, peer, false).unwrap();
        assert_eq!(speaker.text_of(b"127.0.0.1:9 P9 and more"), Some(&b"and more"[..]));
        assert_eq!(speaker.text_of(b"127.0.0.1:9 P99 and more"), None);
        assert!(speaker.is_meant(peer));
        peer.is_confirmed = true;
        assert!(!speaker.is_meant(peer) && Speaker::new(line, id, peer, true).unwrap().is_meant(peer));
        peer.is_confirmed = false;
        peer.rename("Q");
        assert!(!speaker.is_meant(peer) && Speaker::new(line, id, peer, false).is_none());
    }
}
