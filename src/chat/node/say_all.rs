//! Texts to everybody at once, and those who do not take them.

use super::Node;
use crate::chat::broadcast::{Broadcaster, Payload, Recipient};
use crate::chat::notice::SaidTo;
use crate::proto::machine::CloseReason;
use std::rc::Rc;
use std::time::Instant;

impl Node {
    /// Adds a text to what everybody gets, and gives how many that are. `None`: not everybody can be reached so,
    /// and nothing was done.
    pub(super) fn broadcast(&mut self, text: &str, now: Instant) -> Option<usize> {
        if !Broadcaster::is_plain(text) {
            return None;
        }
        if !self.broadcaster.is_gathering() {
            let recipients = self.recipients()?;
            self.broadcaster.begin(recipients.into_iter(), now);
        }
        let (recipients, is_large) =
            self.broadcaster.add(text, self.asking.as_ref(), self.roster.me().name(), now)?;
        self.counters.sent += recipients as u64;
        if is_large {
            self.flush_broadcast();
        }
        self.tell_said(SaidTo::All(recipients), text);
        Some(recipients)
    }

    /// Everybody, if everybody has a session and nothing else under way.
    fn recipients(&self) -> Option<Vec<Recipient>> {
        if !self.outbox.is_empty() {
            return None;
        }
        let peers = self.roster.directory().iter().filter(|peer| !peer.is_offline);
        let recipient = |session| {
            let role = &self.connections.get(session)?.data;
            Some(Recipient {
                from: self.claimed_on(session)?,
                knows_control: role.knows_control(),
                peer: role.session()?,
                session,
            })
        };
        peers.map(|peer| recipient(self.secure_session_of(peer)?)).collect()
    }

    /// Queues what was gathered. To be called before anything else can happen.
    pub(super) fn flush_broadcast(&mut self) {
        let Some(gathered) = self.broadcaster.take() else { return };
        let (count, at) = (gathered.texts, gathered.at);
        let bytes_max = self.config.limits.send_queue_bytes_max;
        for Payload { lines, texts, to } in gathered.payloads() {
            for (peer, session) in to {
                if let Some(connection) = self.connections.get_mut(session) {
                    connection.data.note_words();
                    let (begin, written) = (connection.pushed(), connection.written());
                    let taken = connection.data.let_go(written, bytes_max);
                    if connection.data.keep(begin, &texts) {
                        self.pings.due(session);
                    }
                    self.note_taken(taken);
                }
                self.roster.note_sent(peer, count, at);
                // Over its limit; it is closed only if it is still over after the next write.
                if self.connections.send_beyond(session, Rc::clone(&lines)) {
                    self.broadcaster.note_slow(session, at);
                }
            }
        }
    }

    /// Closes those that have still not taken what went beyond their limit.
    pub(super) fn close_slow(&mut self, now: Instant) {
        let mut slow = self.broadcaster.take_slow();
        while let Some((conn, at)) = slow.pop() {
            if !self.connections.is_overfull(conn) {
                continue;
            }
            if !self.may_tell_more() {
                slow.push((conn, at));
                return self.broadcaster.put_back(slow, now);
            }
            self.close(conn, CloseReason::SlowPeer, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::node::tests::{handle, running, running_with};
    use crate::chat::notice::{Failed, Failure, Notice};
    use crate::limits::Limits;
    use crate::proto::machine::{ConnId, Input, Machine, Output};
    use std::net::SocketAddr;

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

    /// To how many a text was not sent, as this tells.
    fn not_sent_to(output: &Output<Notice>) -> usize {
        match output {
            Output::Notice(Notice::NotSent { .. }) => 1,
            Output::Notice(Notice::ManyFailed(many)) if many.what != Failed::Session => many.to.len(),
            _ => 0,
        }
    }

    #[test]
    fn what_several_did_not_take_is_one_notice_and_so_is_their_loss() {
        let (mut node, now) = running();
        sessions(&mut node, [1, 2, 3, 4, 5], now);
        for line in [ALL, "hello", ALL, "again"] {
            handle(&mut node, Input::Line(line), now);
        }
        while node.poll_transmit().is_some() {}
        let mut told = Vec::new();
        for conn in node.connections.ids() {
            let closed = Input::Closed { conn, reason: CloseReason::TimedOut };
            told.extend(handle(&mut node, closed, now));
        }
        assert!(!told.iter().any(|output| matches!(output, Output::Notice(_))), "at the end of the turn");
        told.extend(handle(&mut node, Input::Timeout, now));
        let many = told.iter().filter_map(|output| match output {
            Output::Notice(Notice::ManyFailed(many)) => Some((&many.what, many.to.len(), many.named.len())),
            _ => None,
        });
        let text = |text: &str| Failed::Text(text.into());
        let (hello, again) = (text("hello"), text("again"));
        let expected = [(&hello, 5, 2), (&again, 5, 2), (&Failed::Session, 5, 2)];
        assert_eq!(many.collect::<Vec<_>>(), expected);
        let is_single = |output: &Output<Notice>| {
            matches!(output, Output::Notice(Notice::NotSent { .. } | Notice::Lost { .. }))
        };
        assert!(!told.iter().any(is_single) && node.poll_timeout().is_none_or(|at| at > now));
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
        let (mut told, mut closed) = (0, Vec::new());
        while node.poll_timeout().is_some_and(|at| at <= now) {
            let outputs = handle(&mut node, Input::Timeout, now);
            closed.push(outputs.iter().filter(|output| matches!(output, Output::Close { .. })).count());
            told += outputs.iter().map(not_sent_to).sum::<usize>();
        }
        assert_eq!(told, 20 * texts, "each is told");
        assert!(closed.len() >= 20 && closed.iter().all(|&count| count <= 1), "in a turn: {closed:?}");
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
