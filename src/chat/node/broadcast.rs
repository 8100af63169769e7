//! Texts to everybody, gathered while nothing else happens: sixteen texts that are typed in one turn cost
//! each session one payload, which all sessions share, and one look at its peer.
//!
//! Only where everybody has a session; all others are sent to one by one. Whatever else happens, what was
//! gathered goes first, so the order in which a peer is spoken to stays.

use super::{Kind, Node};
use crate::chat::directory::PeerId;
use crate::chat::notice::SaidTo;
use crate::limits::LINE_BYTES_MAX;
use crate::proto::envelope::{Body, Envelope};
use crate::proto::machine::{CloseReason, ConnId};
use crate::proto::message::{Command, Dialect};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

/// What is gathered.
#[derive(Debug)]
pub(super) struct Broadcast {
    /// Those that are spoken to under one address of ours, by that address.
    groups: Vec<Group>,
    recipients: usize,
    texts: u64,
    /// When the last text came.
    at: Instant,
}

#[derive(Debug)]
struct Group {
    from: SocketAddr,
    to: Vec<(PeerId, ConnId)>,
    lines: Vec<u8>,
}

impl Node {
    /// Adds a text to what everybody gets, and gives how many that are. `None`: that cannot be done, and
    /// nothing was.
    pub(super) fn broadcast(&mut self, text: &str, now: Instant) -> Option<usize> {
        // The bracketed dialect has the words of all others.
        if Command::of(text.as_bytes(), Dialect::Bracketed) != Command::Chat {
            return None;
        }
        let mut broadcast = self.broadcast.take().or_else(|| self.gather(now))?;
        for group in &mut broadcast.groups {
            group.add(text, &self.name);
        }
        broadcast.texts += 1;
        broadcast.at = now;
        let recipients = broadcast.recipients;
        self.counters.sent += recipients as u64;
        let is_large = broadcast.groups.iter().any(|group| group.lines.len() > LINE_BYTES_MAX);
        self.broadcast = Some(broadcast);
        if is_large {
            self.flush_broadcast();
        }
        self.tell_said(SaidTo::All(recipients), text);
        Some(recipients)
    }

    /// Everybody, if everybody has a session and nothing else under way.
    fn gather(&self, now: Instant) -> Option<Broadcast> {
        if !self.outbox.is_empty() {
            return None;
        }
        let mut groups: Vec<Group> = Vec::new();
        let mut recipients = 0;
        for peer in self.directory.iter().filter(|peer| !peer.is_offline) {
            let conn = peer.session?;
            let from = self.header(conn)?;
            let Kind::Session(id) = self.connections.get(conn)?.data.kind else { return None };
            recipients += 1;
            match groups.iter_mut().find(|group| group.from == from) {
                Some(group) => group.to.push((id, conn)),
                None => groups.push(Group { from, to: vec![(id, conn)], lines: Vec::new() }),
            }
        }
        (recipients > 0).then_some(Broadcast { groups, recipients, texts: 0, at: now })
    }

    /// Queues what was gathered. To be called before anything else can happen.
    pub(super) fn flush_broadcast(&mut self) {
        let Some(broadcast) = self.broadcast.take() else { return };
        for group in broadcast.groups {
            let payload: Rc<[u8]> = group.lines.into();
            for (id, conn) in group.to {
                if let Some(connection) = self.connections.get_mut(conn) {
                    connection.data.is_only_answered = false;
                }
                if let Some(peer) = self.directory.get_mut(id) {
                    peer.sent += broadcast.texts;
                    peer.sent_at = Some(broadcast.at);
                }
                // Whether a peer without room is too slow is seen when it had its chance to take some.
                if self.connections.send_beyond(conn, Rc::clone(&payload)) {
                    self.slow.push((conn, broadcast.at));
                }
            }
        }
    }

    /// All that was queued had its chance to be written: who is still over the limit can be closed.
    pub(super) fn note_all_flushed(&mut self) {
        self.slow_at = self.slow.first().map(|&(_, at)| at);
    }

    /// Closes those that have still not taken what went beyond their limit.
    pub(super) fn close_slow(&mut self, now: Instant) {
        if self.slow_at.take().is_none() {
            return;
        }
        while let Some((conn, at)) = self.slow.pop() {
            if !self.connections.is_overfull(conn) {
                continue;
            }
            if !self.may_tell_more() {
                self.slow.push((conn, at));
                self.slow_at = Some(now);
                return;
            }
            self.close(conn, CloseReason::SlowPeer, now);
        }
    }
}

impl Group {
    fn add(&mut self, text: &str, name: &str) {
        let envelope = Envelope::of_session(self.from, name);
        let mut rest = text;
        while !rest.is_empty() {
            let part;
            (part, rest) = envelope.split(rest, LINE_BYTES_MAX);
            self.lines.extend_from_slice(envelope.message(Body::Chat(part)).as_bytes());
            self.lines.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::node::say::tests::{handle, running, running_with};
    use crate::chat::notice::{Failure, Notice};
    use crate::limits::Limits;
    use crate::proto::machine::{Input, Machine, Output};

    const ALL: &str = "5";

    /// Sessions with peers of these ports.
    fn sessions<const N: usize>(node: &mut Node, ports: [u16; N], now: Instant) -> [ConnId; N] {
        ports.map(|port| {
            let from = SocketAddr::from(([127, 0, 0, 1], port));
            let conn = node.accept(from, "127.0.0.1:8080".parse().unwrap(), now).unwrap();
            let bytes = format!("{from} peer{port} connect\n");
            handle(node, Input::Received { conn, bytes: bytes.as_bytes() }, now);
            node.send_queue(conn).unwrap().write_to(&mut std::io::sink()).unwrap();
            conn
        })
    }

    fn payloads(node: &mut Node, conn: ConnId) -> Vec<&[u8]> {
        while node.poll_transmit().is_some() {}
        node.send_queue(conn).unwrap().unsent().map(|(payload, _)| payload).collect()
    }

    #[test]
    fn what_goes_to_all_in_a_turn_is_one_payload_that_all_share() {
        let (mut node, now) = running();
        let conns = sessions(&mut node, [1, 2, 3], now);
        for line in [ALL, "hello", ALL, "again"] {
            handle(&mut node, Input::Line(line), now);
        }
        let first = payloads(&mut node, conns[0]);
        assert_eq!(first, [b"127.0.0.1:8080 N hello\n127.0.0.1:8080 N again\n"]);
        let first = first[0].as_ptr();
        assert!(conns.iter().all(|&conn| payloads(&mut node, conn)[0].as_ptr() == first));
        assert!(node.directory().iter().all(|peer| peer.sent == 2));
    }

    #[test]
    fn nothing_overtakes_what_was_gathered() {
        let (mut node, now) = running();
        let [conn] = sessions(&mut node, [1], now);
        for line in [ALL, "first", "1", "127.0.0.1:1", "second", ALL, "third"] {
            handle(&mut node, Input::Line(line), now);
        }
        handle(&mut node, Input::Received { conn, bytes: b"!ping 7\n" }, now);
        let said = payloads(&mut node, conn).concat();
        let said = String::from_utf8(said).unwrap();
        let texts: Vec<&str> = said.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
        assert_eq!(texts, ["first", "second", "third", "7"]);
    }

    #[test]
    fn who_has_no_room_is_closed_unless_it_takes_some_at_once_and_every_text_is_told_once() {
        let (mut node, now) = running();
        let [fast, slow] = sessions(&mut node, [1, 2], now);
        let text = "x".repeat(40_000);
        let mut outputs = Vec::new();
        for _ in 0..1 + node.config.limits.send_queue_bytes_max / text.len() {
            outputs.extend(handle(&mut node, Input::Line(ALL), now));
            outputs.extend(handle(&mut node, Input::Line(&text), now));
        }
        outputs.extend(handle(&mut node, Input::Timeout, now));
        assert!(node.send_queue(slow).is_some(), "nobody had a chance to write yet");
        while let Some(conn) = node.poll_transmit() {
            if conn == fast {
                node.send_queue(fast).unwrap().write_to(&mut std::io::sink()).unwrap();
            }
        }
        assert!(node.poll_timeout().is_some_and(|at| at <= now), "nobody else would look");
        outputs.extend(handle(&mut node, Input::Timeout, now));
        let closed = |output: &Output<Notice>| matches!(output, Output::Close { conn, .. } if *conn == slow);
        assert_eq!(outputs.iter().filter(|output| closed(output)).count(), 1);
        assert!(node.send_queue(slow).is_none() && node.send_queue(fast).is_some());
        let untold = |output: &&Output<Notice>| match output {
            Output::Notice(Notice::NotSent {
                to, why: Failure::Connection(CloseReason::SlowPeer), ..
            }) => to.port() == 2,
            _ => false,
        };
        let sent = |output: &&Output<Notice>| matches!(output, Output::Notice(Notice::SentToAll(2)));
        assert_eq!(outputs.iter().filter(untold).count(), outputs.iter().filter(sent).count());
        assert!(node.poll_timeout().is_none_or(|at| at > now));
    }

    #[test]
    fn what_many_did_not_take_is_told_turn_by_turn() {
        let (mut node, now) = running();
        let ports: [u16; 20] = std::array::from_fn(|n| n as u16 + 1);
        sessions(&mut node, ports, now);
        let text = "x".repeat(60_000);
        let texts = 1 + node.config.limits.send_queue_bytes_max / text.len();
        for _ in 0..texts {
            handle(&mut node, Input::Line(ALL), now);
            handle(&mut node, Input::Line(&text), now);
        }
        while node.poll_transmit().is_some() {}
        let unsent = |output: &Output<Notice>| matches!(output, Output::Notice(Notice::NotSent { .. }));
        let mut told = Vec::new();
        while node.poll_timeout().is_some_and(|at| at <= now) {
            let outputs = handle(&mut node, Input::Timeout, now);
            told.push(outputs.iter().filter(|output| unsent(output)).count());
        }
        assert_eq!(told.iter().sum::<usize>(), 20 * texts, "each is told");
        assert!(told.iter().all(|&count| count <= texts), "of one session in a turn: {told:?}");
    }

    #[test]
    fn what_is_larger_than_the_whole_limit_is_written_all_the_same() {
        let (mut node, now) = running_with(Limits { send_queue_bytes_max: 200, ..Limits::default() });
        let [conn] = sessions(&mut node, [1], now);
        for line in [ALL, &"x".repeat(160)] {
            handle(&mut node, Input::Line(line), now);
        }
        assert_eq!(node.poll_transmit(), Some(conn));
        let mut written = Vec::new();
        node.send_queue(conn).unwrap().write_to(&mut written).unwrap();
        assert_eq!(node.poll_transmit(), None);
        handle(&mut node, Input::Timeout, now);
        assert!(node.send_queue(conn).is_some() && written.ends_with(b"xx\n"));
    }
}
