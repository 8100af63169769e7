//! How it stands when the user asks: what was counted, and what there is now.

use super::Node;
use crate::chat::notice::Notice;
use crate::proto::connection::Phase;
use crate::proto::machine::Machine;
use std::time::Instant;

impl Node {
    /// To be called before what is due is served.
    pub(super) fn note_lag(&mut self, now: Instant) {
        if let Some(due) = self.poll_timeout().filter(|&due| due <= now) {
            self.metrics.note_lag(due, now);
        }
    }

    pub(super) fn tell_stats(&mut self, now: Instant) {
        self.let_go_of_written(self.config.limits.send_queue_bytes_max);
        let mut stats = self.metrics.report(self.counters, now);
        let directory = self.roster.directory();
        stats.peers = directory.len();
        stats.met = directory.met();
        stats.connected = directory.iter().filter(|peer| peer.is_connected).count();
        stats.sessions = directory.iter().filter(|peer| peer.session.is_some()).count();
        stats.waiting_messages = self.outbox.len();
        stats.connections = self.connections.len();
        stats.held_bytes = self.connections.held();
        stats.held_bytes_max = self.config.limits.memory_bytes_max;
        for connection in self.connections.ids().into_iter().filter_map(|conn| self.connections.get(conn)) {
            stats.queued_bytes += connection.queue().bytes();
            stats.dialling += usize::from(connection.phase() == Phase::Dialling);
            stats.dials_waiting += usize::from(connection.phase() == Phase::Waiting);
        }
        self.tell_asker(Notice::Stats(Box::new(stats)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::node::tests::{handle, running};
    use crate::chat::notice::Stats;
    use crate::limits::FIRST_MESSAGE_TIMEOUT;
    use crate::proto::machine::{CloseReason, ConnId, Input, Output};
    use std::net::SocketAddr;
    use std::time::Duration;

    fn asked(node: &mut Node, now: Instant) -> Stats {
        let outputs = handle(node, Input::Line("/stats"), now);
        let told = outputs.into_iter().find_map(|output| match output {
            Output::Notice(Notice::Stats(stats)) => Some(*stats),
            _ => None,
        });
        told.unwrap()
    }

    fn accept(node: &mut Node, port: u16, now: Instant) -> ConnId {
        let from = SocketAddr::from(([127, 0, 0, 1], port));
        node.accept(from, "127.0.0.1:8080".parse().unwrap(), now).unwrap()
    }

    #[test]
    fn what_there_is_and_what_was_counted_is_told() {
        let (mut node, now) = running();
        let conn = accept(&mut node, 50_000, now);
        let bytes = b"127.0.0.1:9 P9 connect\n127.0.0.1:9 P9 one\n127.0.0.1:9 P9 two\nnonsense\n";
        handle(&mut node, Input::Received { conn, bytes }, now);
        for line in ["/msg P9 hello", "/all to all", "/to 127.0.0.1:7", "lost", "waits", ""] {
            handle(&mut node, Input::Line(line), now);
        }
        let gone = accept(&mut node, 50_001, now);
        handle(&mut node, Input::Closed { conn: gone, reason: CloseReason::Reset }, now);
        let stats = asked(&mut node, now + Duration::from_secs(7));
        assert_eq!((stats.peers, stats.met, stats.connected, stats.sessions), (1, 1, 1, 1));
        assert_eq!((stats.connections, stats.dialling, stats.dials_waiting), (2, 1, 0));
        assert_eq!((stats.accepted, stats.refused), (2, 0));
        assert_eq!((stats.heard, stats.raw, stats.sent, stats.not_sent), (2, 1, 2, 0));
        assert_eq!((stats.waiting_messages, stats.ended), (2, vec![(CloseReason::Reset, 1)]));
        assert_eq!(stats.uptime, Duration::from_secs(7));
        assert!(stats.queued_bytes > "hello".len() && stats.held_bytes > stats.queued_bytes);

        let (dial, _) = node.outbox.under_way("127.0.0.1:7".parse().unwrap()).unwrap();
        handle(&mut node, Input::Closed { conn: dial, reason: CloseReason::Refused }, now);
        let stats = asked(&mut node, now);
        assert_eq!((stats.not_sent, stats.waiting_messages, stats.dialling), (2, 0, 0));
        handle(&mut node, Input::Received { conn, bytes: b"127.0.0.1:9 P9 exit\n" }, now);
        let left = asked(&mut node, now);
        assert_eq!((left.peers, left.met), (0, 1));
        let ended: u64 = stats.ended.iter().map(|(_, count)| count).sum();
        assert_eq!(stats.accepted + stats.dialled, stats.connections as u64 + ended);
    }

    #[test]
    fn the_lag_is_how_late_deadlines_were_served_and_the_worst_is_told_once() {
        let (mut node, now) = running();
        let mut serve = |late_ms: u64, now: Instant| {
            accept(&mut node, 50_000, now);
            let now = now + FIRST_MESSAGE_TIMEOUT + Duration::from_millis(late_ms);
            handle(&mut node, Input::Timeout, now);
            now
        };
        let later = serve(30, now);
        let later = serve(2, later);
        let stats = asked(&mut node, later);
        assert_eq!((stats.lag.as_millis(), stats.lag_worst.as_millis()), (2, 30));
        assert_eq!(asked(&mut node, later).lag_worst, Duration::ZERO);
        handle(&mut node, Input::Timeout, later);
        assert_eq!(asked(&mut node, later).lag.as_millis(), 2, "nothing was due");
    }
}
