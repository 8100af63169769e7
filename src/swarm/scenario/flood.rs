//! As many messages as are taken: each peer writes its next batch as soon as the last one is with the
//! kernel, and asks a question behind the last.

use super::{Crew, Pause, Peer, Question, Scenario, State};
use crate::proto::machine::ConnId;
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Flood {
    /// Of all peers, rounded up to whole batches.
    batches: u64,
    written: u64,
    /// Peers whose messages are not known to be read yet.
    unproved: usize,
}

impl Flood {
    pub(super) fn new(messages: u64, batch: usize) -> Self {
        Self { batches: messages.div_ceil(batch as u64), written: 0, unproved: 0 }
    }

    fn go_on(crew: &mut Crew, conn: ConnId, now: Instant) {
        let Some(peer) = crew.peer_mut(conn) else { return };
        if peer.left > 0 {
            peer.left -= 1;
            crew.send_batch(conn);
        } else if crew.can_ask() {
            crew.ask(conn, now);
        } else {
            // The end of the connection is the only proof there is.
            crew.leave(conn);
        }
    }
}

impl Scenario for Flood {
    fn begin(&mut self, crew: &mut Crew, now: Instant) {
        if self.batches == 0 {
            return;
        }
        crew.wants_flushed = true;
        let peers = crew.living();
        self.unproved = peers.len();
        for (place, &conn) in (0..).zip(&peers) {
            let all = peers.len() as u64;
            if let Some(peer) = crew.peer_mut(conn) {
                peer.left = self.batches / all + u64::from(place < self.batches % all);
            }
            Self::go_on(crew, conn, now);
        }
    }

    fn progress(&self, crew: &Crew, _now: Instant) -> (u64, u64) {
        (self.written, self.batches * crew.plan.batch as u64)
    }

    fn state(&self, _crew: &Crew, _now: Instant) -> State {
        if self.unproved == 0 { State::Rests(Pause::BeforeEnd) } else { State::GoesOn }
    }

    fn on_written(&mut self, crew: &mut Crew, conn: ConnId, now: Instant) {
        // A driver may write at any time, also when there was nothing to write.
        if crew.peer_mut(conn).is_some_and(|peer| peer.can_go_on() && !peer.is_done) {
            let batch = crew.plan.batch as u64;
            self.written += batch;
            crew.count_done(batch, now);
            Self::go_on(crew, conn, now);
        }
    }

    fn on_answer(&mut self, crew: &mut Crew, conn: ConnId, _question: &Question, _now: Instant) {
        if let Some(peer) = crew.peer_mut(conn) {
            peer.is_done = true;
        }
        self.unproved -= 1;
    }

    fn on_gone(&mut self, crew: &mut Crew, peer: &Peer, _now: Instant) {
        self.unproved -= usize::from(!peer.is_done);
        crew.tally.counts.unsent += peer.left * crew.plan.batch as u64;
    }

    fn give_up(&mut self, crew: &mut Crew) {
        let left = |&conn: &ConnId| crew.connections.get(conn).map_or(0, |connection| connection.data.left);
        let batches: u64 = crew.living().iter().map(left).sum();
        crew.tally.counts.unsent += batches * crew.plan.batch as u64;
    }

    fn is_owed(&self, _crew: &Crew) -> bool {
        true
    }
}
