//! What waits to be dialled, in order, for each address.
//!
//! Two connections to one peer can overtake each other, so of what goes to an address only the first is
//! under way; the rest waits behind it.

use super::held::HeldId;
use super::rate::Rate;
use crate::limits::{ACK_INTERVAL, ACKS_OF_IP_BURST, ACKS_OF_IP_INTERVAL, WAITING_MESSAGES_MAX};
use crate::proto::machine::ConnId;
use crate::proto::message::{Command, Dialect, source_of};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// What is to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Ack,
    Chat(String),
    Connect,
    Exit,
}

/// How a typed text is read for a peer of a dialect: as a command, or always as chat.
pub(super) type Reading = fn(&str, Dialect) -> Content;

impl Content {
    /// The meaning of what is typed: it may be the word for a command.
    pub(super) fn typed(text: &str, dialect: Dialect) -> Self {
        match Command::of(text.as_bytes(), dialect) {
            Command::Exit => Self::Exit,
            Command::Connect => Self::Connect,
            Command::Ack { .. } | Command::Chat => Self::chat(text, dialect),
        }
    }

    /// The meaning of a text that stays a text, whatever it looks like.
    pub(super) fn chat(text: &str, _: Dialect) -> Self {
        Self::Chat(text.to_owned())
    }
}

/// Who wants to know what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Nobody.
    Nobody,
    /// The user, if it succeeds.
    IfHandedOver,
    /// The user, as part of the request with this number.
    Request(u32),
    /// Whoever holds this text until its peer has it.
    Held(HeldId),
}

impl Report {
    /// Whether the user wants to know whether a text is read.
    pub(super) fn is_asked(self) -> bool {
        matches!(self, Self::Request(_) | Self::Held(_))
    }

    /// The held text that it is about.
    pub(super) fn held(self) -> Option<HeldId> {
        match self {
            Self::Held(id) => Some(id),
            _ => None,
        }
    }
}

/// One thing on its way to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) content: Content,
    /// Chosen by the user; else the peer's own.
    pub(super) dialect: Option<Dialect>,
    pub(super) report: Report,
}

/// What goes to one address.
#[derive(Debug, Default)]
struct Queue {
    /// The connection that carries the first; `None` until it is dialled.
    conn: Option<ConnId>,
    /// Bytes of the first one's text that the connection carries: a long text goes in several messages.
    carried: usize,
    outgoing: VecDeque<Outgoing>,
}

/// The queues; an address has one only while something is under way to it.
#[derive(Debug)]
pub(super) struct Outbox {
    queues: BTreeMap<SocketAddr, Queue>,
    /// Acknowledgements that we dial a peer for.
    acks: Rate<SocketAddr>,
    /// Acknowledgements that we dial peers of one source for: they share our dials.
    acks_of_source: Rate<IpAddr>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            queues: BTreeMap::new(),
            acks: Rate::new(1, ACK_INTERVAL),
            acks_of_source: Rate::new(ACKS_OF_IP_BURST, ACKS_OF_IP_INTERVAL),
        }
    }
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// How many are on their way or wait.
    pub(super) fn len(&self) -> usize {
        self.queues.values().map(|queue| queue.outgoing.len()).sum()
    }

    /// `Ok(true)`: nothing was under way, dial now. `Err` returns the item: the queue is full.
    pub(super) fn push(&mut self, to: SocketAddr, outgoing: Outgoing) -> Result<bool, Outgoing> {
        let queue = self.queues.entry(to).or_default();
        if queue.outgoing.len() > WAITING_MESSAGES_MAX {
            return Err(outgoing);
        }
        queue.outgoing.push_back(outgoing);
        Ok(queue.outgoing.len() == 1)
    }

    /// The first for `to` is carried by `conn`.
    pub(super) fn dialled(&mut self, to: SocketAddr, conn: ConnId) {
        if let Some(queue) = self.queues.get_mut(&to) {
            queue.conn = Some(conn);
        }
    }

    /// What is under way to `to`, and on which connection.
    pub(super) fn under_way(&self, to: SocketAddr) -> Option<(ConnId, &Outgoing)> {
        let queue = self.queues.get(&to)?;
        Some((queue.conn?, queue.outgoing.front()?))
    }

    /// The connection carries only so many bytes of the text.
    pub(super) fn carry(&mut self, to: SocketAddr, bytes: usize) {
        if let Some(queue) = self.queues.get_mut(&to) {
            queue.carried = bytes;
        }
    }

    /// What the connection carried has arrived. `true`: the text goes on, and its rest is now the first.
    pub(super) fn advance(&mut self, to: SocketAddr) -> bool {
        let Some(queue) = self.queues.get_mut(&to) else { return false };
        let carried = std::mem::take(&mut queue.carried);
        match queue.outgoing.front_mut() {
            Some(Outgoing { content: Content::Chat(text), .. }) if carried < text.len() => {
                text.drain(..carried);
                true
            }
            _ => false,
        }
    }

    /// Takes what was under way to `to`.
    pub(super) fn pop(&mut self, to: SocketAddr) -> Option<Outgoing> {
        let queue = self.queues.get_mut(&to)?;
        let outgoing = queue.outgoing.pop_front();
        queue.conn = None;
        if queue.outgoing.is_empty() {
            self.queues.remove(&to);
        }
        outgoing
    }

    /// Takes all that waits for `to`.
    pub(super) fn take_all(&mut self, to: SocketAddr) -> VecDeque<Outgoing> {
        self.queues.remove(&to).unwrap_or_default().outgoing
    }

    /// The addresses that something is under way to.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.queues.keys().copied()
    }

    /// Whether a connect or an acknowledgement of ours is on its way to `to`.
    pub(super) fn greets(&self, to: SocketAddr) -> bool {
        let is_greeting = |outgoing: &Outgoing| matches!(outgoing.content, Content::Ack | Content::Connect);
        self.queues.get(&to).is_some_and(|queue| queue.outgoing.iter().any(is_greeting))
    }

    /// The connection of our own connect to an address, if one is under way.
    pub(super) fn connect_under_way(&self, to: SocketAddr) -> Option<ConnId> {
        let (conn, outgoing) = self.under_way(to)?;
        (outgoing.content == Content::Connect).then_some(conn)
    }

    /// Whether an acknowledgement may be dialled to `to`, which is counted: now and then at most, and not if it is
    /// being greeted anyway.
    pub(super) fn may_acknowledge(&mut self, to: SocketAddr, now: Instant) -> bool {
        let source = source_of(to.ip());
        !self.greets(to)
            && self.acks.take(to, now)
            && (source.is_loopback() || self.acks_of_source.take(source, now))
    }

    /// Whether a connect is the first for `to`.
    pub(super) fn begins_with_connect(&self, to: SocketAddr) -> bool {
        let first = self.queues.get(&to).and_then(|queue| queue.outgoing.front());
        first.is_some_and(|outgoing| outgoing.content == Content::Connect)
    }

    /// Whether something waits for `to`.
    pub(super) fn waits(&self, to: SocketAddr) -> bool {
        self.queues.contains_key(&to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(text: &str) -> Outgoing {
        Outgoing { content: Content::Chat(text.to_owned()), dialect: None, report: Report::Nobody }
    }

    #[test]
    fn one_is_under_way_and_a_bounded_number_waits() {
        let mut outbox = Outbox::default();
        let to = "10.0.0.1:1".parse().unwrap();
        assert_eq!(outbox.push(to, chat("first")), Ok(true));
        for _ in 0..WAITING_MESSAGES_MAX {
            assert_eq!(outbox.push(to, chat("next")), Ok(false));
        }
        assert_eq!(outbox.push(to, chat("late")), Err(chat("late")));
        assert_eq!(outbox.pop(to), Some(chat("first")));
        assert_eq!(outbox.take_all(to).len(), WAITING_MESSAGES_MAX);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_greeting_is_found_wherever_it_waits() {
        let mut outbox = Outbox::default();
        let to = "10.0.0.1:1".parse().unwrap();
        outbox.push(to, chat("first")).unwrap();
        assert!(outbox.waits(to) && !outbox.greets(to));
        outbox.push(to, Outgoing { content: Content::Ack, ..chat("") }).unwrap();
        assert!(outbox.greets(to));
    }

    #[test]
    fn a_long_text_stays_first_until_all_of_it_has_arrived() {
        let mut outbox = Outbox::default();
        let to = "10.0.0.1:1".parse().unwrap();
        outbox.push(to, chat("hello world")).unwrap();
        outbox.carry(to, 6);
        assert!(outbox.advance(to));
        assert_eq!(outbox.take_all(to), [chat("world")]);
    }
}
