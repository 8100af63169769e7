//! The sockets by [`ConnId`], each with its readiness, and the queue of those that need attention.
//!
//! The machine's slab chooses the slot of an id, so this table mirrors that slab: the same slots, the same
//! generations. An event sets a readiness bit, and only `WouldBlock` clears it.
//!
//! It is a `Vec` and not a second slab, because the machine chooses slot and generation, even for a dial that has no
//! socket yet. A second slab would need a map between the two.

use crate::proto::machine::{CloseReason, ConnId};
use mio::net::TcpStream;
use std::collections::{BTreeMap, VecDeque};

/// One socket.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) stream: TcpStream,
    generation: u32,
    /// A read may give something.
    pub(super) is_readable: bool,
    /// A write may take something.
    pub(super) is_writable: bool,
    /// The end of its stream was announced, or may have been announced before we registered it.
    pub(super) end_is_near: bool,
    /// Urgent data came: a read stops there even if more data follows.
    pub(super) is_urgent: bool,
    /// Its options for writing are set.
    pub(super) is_tuned: bool,
    pub(super) start: Start,
    pub(super) end: End,
    /// It is in the ready queue.
    is_queued: bool,
}

/// How far a link has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// A dial whose outcome is not known yet.
    Dialling,
    /// Accepted, and not yet registered with the event queue.
    Unregistered,
    /// Up.
    Up,
}

/// What is to happen to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It stays.
    Open,
    /// It is half-closed once its queue is empty.
    Closing,
    /// It can no longer be written to. It is closed once it is read to its end. The table has the reason.
    Broken,
}

// There can be very many idle links. (With debug assertions mio keeps more in a stream.)
#[cfg(not(debug_assertions))]
const _: () = assert!(size_of::<Option<Link>>() == 16);

impl Link {
    /// A socket that was accepted. The peer may already have written to it and closed it.
    pub(super) fn accepted(conn: ConnId, stream: TcpStream) -> Self {
        Self::new(conn, stream, Start::Unregistered, true)
    }

    /// A socket that is still connecting.
    pub(super) fn dialled(conn: ConnId, stream: TcpStream) -> Self {
        Self::new(conn, stream, Start::Dialling, false)
    }

    fn new(conn: ConnId, stream: TcpStream, start: Start, may_have_something: bool) -> Self {
        Self {
            stream,
            generation: conn.generation(),
            is_readable: may_have_something,
            is_writable: may_have_something,
            end_is_near: may_have_something,
            is_urgent: false,
            is_tuned: false,
            start,
            end: End::Open,
            is_queued: false,
        }
    }

    /// Whether its dial, if it was one, is over.
    pub(super) fn is_up(&self) -> bool {
        self.start != Start::Dialling
    }

    /// Whether a write may be tried.
    pub(super) fn takes_bytes(&self) -> bool {
        self.is_writable && self.is_up() && self.end != End::Broken
    }
}

/// The table of sockets.
#[derive(Debug, Default)]
pub(super) struct Links {
    slots: Vec<Option<Link>>,
    /// The reasons of those that are [`End::Broken`]. They are kept apart, because they are few, and a reason is as
    /// large as a link.
    broken: BTreeMap<ConnId, CloseReason>,
    ready: VecDeque<ConnId>,
}

impl Links {
    pub(super) fn insert(&mut self, conn: ConnId, link: Link) {
        debug_assert_eq!(link.generation, conn.generation(), "it was made for {conn:?}");
        if self.slots.len() <= conn.slot() {
            self.slots.resize_with(conn.slot() + 1, || None);
        }
        let before = self.slots[conn.slot()].replace(link);
        debug_assert!(before.is_none(), "the machine gave a slot away twice: {conn:?}");
    }

    pub(super) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Link> {
        self.slots.get_mut(conn.slot())?.as_mut().filter(|link| link.generation == conn.generation())
    }

    /// Dropping the link closes the socket, and that takes it out of the event queue.
    pub(super) fn remove(&mut self, conn: ConnId) -> Option<Link> {
        self.get_mut(conn)?;
        self.broken.remove(&conn);
        self.slots[conn.slot()].take()
    }

    /// A write to it has failed. The peer's last data may still be in the buffer, so it is read to its end first.
    pub(super) fn break_off(&mut self, conn: ConnId, reason: CloseReason) {
        let Some(link) = self.get_mut(conn) else { return };
        link.end = End::Broken;
        (link.is_readable, link.end_is_near) = (true, true);
        self.broken.insert(conn, reason);
        self.make_ready(conn);
    }

    /// Why it broke, if it did.
    pub(super) fn reason(&self, conn: ConnId) -> Option<CloseReason> {
        self.broken.get(&conn).copied()
    }

    /// Puts a link at the end of the ready queue, unless it is there already.
    pub(super) fn make_ready(&mut self, conn: ConnId) {
        if let Some(link) = self.get_mut(conn)
            && !std::mem::replace(&mut link.is_queued, true)
        {
            self.ready.push_back(conn);
        }
    }

    /// How many there may be.
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// How many are in the ready queue.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Takes the first of the ready queue. `None` also if that link is gone.
    pub(super) fn next_ready(&mut self) -> Option<ConnId> {
        let conn = self.ready.pop_front()?;
        self.get_mut(conn)?.is_queued = false;
        Some(conn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(conn: ConnId) -> Link {
        // Nobody has to listen: a link is only a socket with bits.
        Link::accepted(conn, TcpStream::connect("127.0.0.1:9".parse().unwrap()).unwrap())
    }

    #[test]
    fn an_event_for_a_link_that_is_gone_does_not_touch_its_successor() {
        let mut links = Links::default();
        let (old, new) = (ConnId::new(3, 1), ConnId::new(3, 2));
        links.insert(old, link(old));
        links.make_ready(old);
        links.remove(old).unwrap();
        links.insert(new, link(new));
        assert!(links.get_mut(old).is_none() && links.remove(old).is_none());
        assert_eq!(links.next_ready(), None, "it stood in the queue for the old one");
        links.make_ready(new);
        links.make_ready(new);
        assert_eq!((links.next_ready(), links.ready()), (Some(new), 0));
    }
}
