//! What a connection is for, and who speaks on it.
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
//!
//!  a diagnosis ──> Probe ──it answers──> Session or Inbound        a peer asks for a dial ──> Knock ──> closed
//! ```
//!
//! | kind | what comes on it | what we write to it | how it ends |
//! |---|---|---|---|
//! | `Inbound` | messages of anybody | nothing, but the answer to a connect | the peer closes it, or it is idle |
//! | `Delivery` | the answer to our message | one message; we half-close behind it, unless it is a connect | the peer answers or closes, or a second passes |
//! | `Probe` | the answer of whatever is there | a connect; we half-close after a silence | it answers or closes, or two seconds pass |
//! | `Knock` | nothing | an acknowledgement; we half-close behind it | the peer closes, or a second passes |
//! | `PortLine` | texts of a peer whose port was the first line | a line for each text | the peer closes it |
//! | `Session` | lines, `!ping`, `!pong`, `!to` before a line to several | the same | an exit of either side, a newer session, or it breaks |
//! | `Leaving` | what is still on its way, `!pong` | what was queued, then nothing | the peer closes it, or a second passes |
//!
//! A session is a connection that both sides agreed on: one sent a connect, the other answered on the same
//! connection. It speaks lines, it may be silent for ever, and a peer has one at most. A connect that cannot be
//! answered on its own connection is answered by a dial, and makes no session.

use super::directory::{Peer, PeerId};
use super::kept::{Answers, Batch, Confirmed, Kept, Outcome, Taken, Text};
use crate::limits::SPEAKER_BYTES_MAX;
use crate::proto::connection::Holding;
use std::rc::Rc;

/// What a connection is for, and who speaks on it.
#[derive(Debug)]
pub(super) struct Role {
    kind: Kind,
    /// We answered its connect, and neither side has said anything since.
    is_only_answered: bool,
    shown: Shown,
    /// It has said that its next line goes to several peers.
    is_next_to_all: bool,
    /// Whose lines come on it, to recognise the next one by its first bytes.
    speaker: Option<Box<Speaker>>,
    /// The texts that were queued on it, until it is known what became of them.
    kept: Option<Box<Kept>>,
}

/// What the other side has shown of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    /// Nothing since we answered its connect.
    Nothing,
    Lines,
    /// It knows control lines, as only our own kind does.
    Control,
    /// It is a chinwag, and answers pings.
    Chinwag,
}

/// What a connection is for. See the [table](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Made by us to carry what is under way to its remote address.
    Delivery,
    /// Read, and answered if it asks.
    Inbound,
    /// Made by us because a peer asked whether we reach it.
    Knock,
    /// Half-closed by us; read to its end.
    Leaving,
    /// Its first line was this port, where the peer listens; each further one waits for an answer.
    PortLine(u16),
    /// Made by us for a diagnosis.
    Probe,
    /// Bound to a peer both ways.
    Session(PeerId),
}

impl Role {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            is_only_answered: false,
            shown: Shown::Lines,
            is_next_to_all: false,
            speaker: None,
            kept: None,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The peer that the connection is bound to both ways.
    pub(super) fn session(&self) -> Option<PeerId> {
        match self.kind {
            Kind::Session(peer) => Some(peer),
            _ => None,
        }
    }

    /// The connection is bound to a peer both ways from here on. Returns what it was for before.
    pub(super) fn begin_session(&mut self, peer: PeerId) -> Kind {
        std::mem::replace(&mut self.kind, Kind::Session(peer))
    }

    /// Its first line was this port.
    pub(super) fn become_port_line(&mut self, port: u16) {
        self.kind = Kind::PortLine(port);
    }

    /// It is only read and answered from here on. Its speaker stays.
    pub(super) fn become_inbound(&mut self) {
        self.kind = Kind::Inbound;
    }

    /// We half-close it. Returns whether that is new.
    pub(super) fn leave(&mut self) -> bool {
        std::mem::replace(&mut self.kind, Kind::Leaving) != Kind::Leaving
    }

    /// It carries nothing any more, and nothing is known of who speaks on it.
    pub(super) fn forget(&mut self) {
        *self = Self::new(Kind::Inbound);
    }

    /// We have just answered its connect.
    pub(super) fn note_answered(&mut self) {
        self.is_only_answered = true;
        if self.shown == Shown::Lines {
            self.shown = Shown::Nothing;
        }
    }

    /// A line has come.
    pub(super) fn note_line(&mut self) {
        self.note_words();
        self.shown = self.shown.max(Shown::Lines);
    }

    /// Either side said something that is not the answer to a connect.
    pub(super) fn note_words(&mut self) {
        self.is_only_answered = false;
    }

    /// Whether we answered its connect, and neither side has said anything since.
    pub(super) fn is_only_answered(&self) -> bool {
        self.is_only_answered
    }

    /// The other side sent a control line or the word of our own kind. `is_next_to_all`: the next line goes to several
    /// peers.
    pub(super) fn note_control(&mut self, is_next_to_all: bool) {
        self.shown = self.shown.max(Shown::Control);
        self.is_next_to_all = is_next_to_all;
    }

    /// The other side has said that it is a chinwag. Returns whether a ping must be queued.
    pub(super) fn note_chinwag(&mut self) -> bool {
        self.note_control(false);
        self.shown = Shown::Chinwag;
        self.kept.as_mut().is_some_and(|kept| kept.becomes_due())
    }

    /// Whether the other side knows control lines.
    pub(super) fn knows_control(&self) -> bool {
        self.shown >= Shown::Control
    }

    fn answers(&self) -> Answers {
        match self.shown {
            Shown::Nothing => Answers::Undecided,
            Shown::Lines | Shown::Control => Answers::No,
            Shown::Chinwag => Answers::Yes,
        }
    }

    /// Whether the next line was announced as one to several peers.
    pub(super) fn is_next_to_all(&self) -> bool {
        self.is_next_to_all
    }

    /// Whether the line that has just come was announced as one to several peers.
    pub(super) fn take_to_all(&mut self) -> bool {
        std::mem::take(&mut self.is_next_to_all)
    }

    /// Texts are queued now, behind `begin` bytes. Returns whether a ping must be queued.
    pub(super) fn keep(&mut self, begin: u64, batch: &Rc<Batch>) -> bool {
        let is_answering = self.shown == Shown::Chinwag;
        let kept = self.kept.get_or_insert_default();
        kept.keep(begin, batch);
        is_answering && kept.becomes_due()
    }

    /// So many bytes are written: lets go of texts of which nothing more will be known.
    pub(super) fn let_go(&mut self, written: u64, bytes_max: usize) -> Taken {
        let answers = self.answers();
        self.kept.as_mut().map_or_else(Taken::default, |kept| kept.let_go(written, answers, bytes_max))
    }

    /// Whether a ping with this number is to be queued now, behind so many bytes. It is of no use where nobody answers.
    pub(super) fn ping(&mut self, number: u64, behind: u64, is_end: bool) -> bool {
        let may_answer = self.session().is_some() && self.shown == Shown::Chinwag;
        may_answer && self.kept.as_mut().is_some_and(|kept| kept.ping(number, behind, is_end))
    }

    /// The other side has answered this.
    pub(super) fn confirm(&mut self, word: &str) -> Confirmed {
        self.kept.as_mut().map_or_else(Confirmed::default, |kept| kept.confirm(word))
    }

    /// Whether the user wants to know of any text on it.
    pub(super) fn is_asked(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.is_asked())
    }

    /// What became of each text, now that it is over, and whether the user wants to know it.
    pub(super) fn outcomes(&self, written: u64) -> impl Iterator<Item = (&Text, Outcome, bool)> {
        let answers = self.answers();
        self.kept.iter().flat_map(move |kept| kept.outcomes(written, answers))
    }

    /// Remembers who said the last line.
    pub(super) fn remember(&mut self, speaker: Speaker) {
        self.speaker = Some(Box::new(speaker));
    }

    /// Who said the last line, if that is remembered.
    pub(super) fn speaker(&self) -> Option<&Speaker> {
        self.speaker.as_deref()
    }
}

impl Holding for Role {
    fn held(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.held())
    }

    fn held_at_most(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.held_at_most())
    }
}

/// Whose lines come on a connection. A line that begins with the same bytes as the last one needs no parsing and no
/// look-up. It is one allocation, because with many connections it is rarely in the CPU cache.
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

    /// Whether the remembered header is still valid: the name has not changed, and an unconfirmed speaker never stands
    /// for a confirmed peer.
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
    use crate::chat::directory::Directory;

    #[test]
    fn a_connection_is_left_once_and_bears_what_it_was_for_before() {
        let id = Directory::new(1).find_or_add("127.0.0.1:9".parse().unwrap()).unwrap();
        let mut role = Role::new(Kind::Delivery);
        assert_eq!((role.begin_session(id), role.session()), (Kind::Delivery, Some(id)));
        assert!(role.leave() && !role.leave());
        assert_eq!((role.kind(), role.session()), (Kind::Leaving, None));
    }

    #[test]
    fn a_line_to_several_is_announced_once_and_whoever_announces_it_knows_control_lines() {
        let mut role = Role::new(Kind::Inbound);
        assert!(!role.knows_control() && !role.take_to_all());
        role.note_control(true);
        assert!(role.knows_control() && role.take_to_all() && !role.take_to_all());
        role.forget();
        assert!(!role.knows_control());
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
