//! Texts to everybody, gathered while nothing else happens: sixteen texts that are typed in one turn cost each
//! session one payload, which all sessions share, and one look at its peer. And who did not take them.
//!
//! Only where everybody has a session; all others are sent to one by one. Whatever else happens, what was gathered
//! goes first, so the order in which a peer is spoken to stays.
//!
//! A peer without room for what was gathered is closed only if the kernel takes nothing of it either.

use super::directory::PeerId;
use super::id::CommandId;
use super::kept::{Batch, Text};
use crate::limits::LINE_BYTES_MAX;
use crate::proto::envelope::{Body, Envelope};
use crate::proto::machine::ConnId;
use crate::proto::message::{Command, Dialect};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

/// Gathers texts, and remembers who has no room for them.
#[derive(Debug, Default)]
pub(super) struct Broadcaster {
    gathered: Option<Gathered>,
    /// Connections whose queue went over its limit, and when.
    slow: Vec<(ConnId, Instant)>,
    /// When to close those that are still over their limit.
    slow_at: Option<Instant>,
}

/// Somebody with a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipient {
    /// The address of ours that its texts bear.
    pub(super) from: SocketAddr,
    /// It knows control lines, so it is told that a text goes to several peers.
    pub(super) knows_control: bool,
    pub(super) peer: PeerId,
    pub(super) session: ConnId,
}

/// What was gathered, to be queued now.
#[derive(Debug)]
pub(super) struct Gathered {
    /// Those that are spoken to under one address of ours, and in one way.
    groups: Vec<Group>,
    recipients: usize,
    pub(super) texts: u64,
    /// When the last text came.
    pub(super) at: Instant,
}

#[derive(Debug)]
struct Group {
    from: SocketAddr,
    knows_control: bool,
    to: Vec<(PeerId, ConnId)>,
    lines: Vec<u8>,
    texts: Vec<Text>,
}

/// What some sessions share.
#[derive(Debug)]
pub(super) struct Payload {
    pub(super) lines: Rc<[u8]>,
    /// What stands in them.
    pub(super) texts: Rc<Batch>,
    pub(super) to: Vec<(PeerId, ConnId)>,
}

impl Broadcaster {
    /// Whether no dialect reads the text as a command. Bracketed has every command word that the others have.
    pub(super) fn is_plain(text: &str) -> bool {
        Command::of(text.as_bytes(), Dialect::Bracketed) == Command::Chat
    }

    /// Whether texts are gathered at the moment, so that [`Broadcaster::begin`] need not be called.
    pub(super) fn is_gathering(&self) -> bool {
        self.gathered.is_some()
    }

    /// Begins to gather for these.
    pub(super) fn begin(&mut self, recipients: impl Iterator<Item = Recipient>, now: Instant) {
        let mut gathered = Gathered { groups: Vec::new(), recipients: 0, texts: 0, at: now };
        recipients.for_each(|recipient| gathered.enrol(recipient));
        self.gathered = Some(gathered).filter(|gathered| gathered.recipients > 0);
    }

    /// Adds a text that everybody gets, and the id of its command; gives how many that are, and whether it is time to
    /// [take](Broadcaster::take) what was gathered. `None`: nothing is gathered.
    pub(super) fn add(
        &mut self,
        text: &str,
        id: Option<&CommandId>,
        name: &str,
        now: Instant,
    ) -> Option<(usize, bool)> {
        let gathered = self.gathered.as_mut()?;
        let mark = to_all(gathered.recipients);
        let shared: Rc<str> = text.into();
        for group in &mut gathered.groups {
            group.add(if group.knows_control { &mark } else { "" }, &shared, id, name);
        }
        gathered.texts += 1;
        gathered.at = now;
        let is_large = gathered.groups.iter().any(|group| group.lines.len() > LINE_BYTES_MAX);
        Some((gathered.recipients, is_large))
    }

    /// What was gathered. To be called, and queued, before anything else can happen.
    pub(super) fn take(&mut self) -> Option<Gathered> {
        self.gathered.take()
    }

    /// A connection had no room. It stays if the kernel takes enough of its queue in this turn.
    pub(super) fn note_slow(&mut self, conn: ConnId, at: Instant) {
        self.slow.push((conn, at));
    }

    /// All that was queued had its chance to be written.
    pub(super) fn note_all_flushed(&mut self) {
        self.slow_at = self.slow.first().map(|&(_, at)| at);
    }

    /// When [`Broadcaster::take_slow`] is to be called.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.slow_at
    }

    /// Those that had no room, and had a turn to take some.
    pub(super) fn take_slow(&mut self) -> Vec<(ConnId, Instant)> {
        if self.slow_at.take().is_some() { std::mem::take(&mut self.slow) } else { Vec::new() }
    }

    /// The rest of them can only be looked at in the next turn.
    pub(super) fn put_back(&mut self, slow: Vec<(ConnId, Instant)>, now: Instant) {
        self.slow = slow;
        self.slow_at = Some(now);
    }
}

impl Gathered {
    fn enrol(&mut self, Recipient { from, knows_control, peer, session }: Recipient) {
        self.recipients += 1;
        match self.groups.iter_mut().find(|group| group.from == from && group.knows_control == knows_control)
        {
            Some(group) => group.to.push((peer, session)),
            None => {
                let (lines, texts) = (Vec::new(), Vec::new());
                self.groups.push(Group { from, knows_control, to: vec![(peer, session)], lines, texts });
            }
        }
    }

    /// Each payload, and whom it goes to.
    pub(super) fn payloads(self) -> impl Iterator<Item = Payload> {
        let payload = |Group { lines, texts, to, .. }| Payload {
            lines: lines.into(),
            texts: Batch::new(texts, true),
            to,
        };
        self.groups.into_iter().map(payload)
    }
}

/// The control line that stands before each line that goes to so many peers at once.
pub(super) fn to_all(recipients: usize) -> String {
    format!("!to {recipients}\n")
}

impl Group {
    fn add(&mut self, mark: &str, text: &Rc<str>, id: Option<&CommandId>, name: &str) {
        let envelope = Envelope::of_session(self.from, name);
        let mut rest = &**text;
        while !rest.is_empty() {
            let part;
            (part, rest) = envelope.split(rest, LINE_BYTES_MAX);
            self.lines.extend_from_slice(mark.as_bytes());
            self.lines.extend_from_slice(envelope.message(Body::Chat(part)).as_bytes());
            self.lines.push(b'\n');
        }
        self.texts.push(Text {
            text: Rc::clone(text),
            id: id.cloned(),
            held: None,
            end: self.lines.len() - 1,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::directory::Directory;

    /// Recipients that are spoken to under these addresses of ours.
    fn recipients<const N: usize>(from: [&str; N]) -> [Recipient; N] {
        let mut directory = Directory::new(N);
        let mut n = 0;
        from.map(|from| {
            n += 1;
            let peer = directory.find_or_add(([127, 0, 0, 1], n as u16).into()).unwrap();
            Recipient { from: from.parse().unwrap(), knows_control: n == 4, peer, session: ConnId::new(n, n) }
        })
    }

    #[test]
    fn texts_are_formatted_once_for_each_address_of_ours() {
        let now = crate::testing::start();
        let mut broadcaster = Broadcaster::default();
        assert_eq!(broadcaster.add("early", None, "N", now), None);
        let ours = ["127.0.0.1:8080", "10.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8080"];
        broadcaster.begin(recipients(ours).into_iter(), now);
        assert_eq!(broadcaster.add("hello", None, "N", now), Some((4, false)));
        assert_eq!(broadcaster.add(&"x".repeat(LINE_BYTES_MAX), None, "N", now), Some((4, true)));
        let gathered = broadcaster.take().unwrap();
        assert!(gathered.texts == 2 && !broadcaster.is_gathering());
        let payloads: Vec<_> = gathered.payloads().map(|payload| (payload.lines, payload.to.len())).collect();
        assert!(payloads[0].0.starts_with(b"127.0.0.1:8080 N hello\n") && payloads[0].1 == 2);
        assert!(payloads[1].0.starts_with(b"10.0.0.1:8080 N hello\n") && payloads[1].1 == 1);
        let ours = String::from_utf8(payloads[2].0.to_vec()).unwrap();
        assert!(ours.starts_with("!to 4\n127.0.0.1:8080 N hello\n!to 4\n127.0.0.1:8080 N xxx"));
        assert_eq!(ours.matches("!to 4\n").count(), 3, "a long text is two lines");
    }

    #[test]
    fn who_is_slow_is_judged_after_all_had_their_chance() {
        let now = crate::testing::start();
        let mut broadcaster = Broadcaster::default();
        let slow = (ConnId::new(1, 1), now);
        broadcaster.note_slow(slow.0, slow.1);
        assert_eq!((broadcaster.next_deadline(), broadcaster.take_slow()), (None, vec![]));
        broadcaster.note_all_flushed();
        assert_eq!((broadcaster.next_deadline(), broadcaster.take_slow()), (Some(now), vec![slow]));
        broadcaster.put_back(vec![slow], now);
        assert_eq!((broadcaster.take_slow(), broadcaster.next_deadline()), (vec![slow], None));
    }
}
