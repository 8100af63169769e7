//! As many messages as the target reads: each peer writes its next batch as soon as the one before is with the
//! kernel, and asks a question after its last batch.

use super::{Beginners, Crew, Pause, Peer, Question, Scenario, State};
use crate::proto::machine::ConnId;
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Flood {
    /// Messages of all peers.
    messages: u64,
    written: u64,
    beginners: Beginners,
    /// Peers of which we do not know yet whether all of their messages were read.
    unproved: usize,
}

impl Flood {
    pub(super) fn new(messages: u64) -> Self {
        Self { messages, written: 0, beginners: Beginners::default(), unproved: 0 }
    }

    /// How many messages the peer at this place sends, of `all` peers: whole batches, except for the very last one.
    fn share(&self, place: u64, all: u64, batch: u64) -> u64 {
        let batches = self.messages.div_ceil(batch);
        let own = batches / all + u64::from(place < batches % all);
        let is_last = (batches - 1) % all == place;
        own * batch - if is_last { batches * batch - self.messages } else { 0 }
    }

    fn go_on(crew: &mut Crew, conn: ConnId, now: Instant) {
        let batch = crew.plan.batch as u64;
        let Some(peer) = crew.peer_mut(conn) else { return };
        let messages = peer.left.min(batch);
        if messages > 0 {
            peer.left -= messages;
            crew.send_batch(conn, messages);
        } else if crew.can_ask() {
            crew.ask(conn, now);
        } else {
            // The end of the connection is the only proof that the target has read the messages.
            crew.leave(conn);
        }
    }
}

impl Scenario for Flood {
    fn begin(&mut self, crew: &mut Crew, now: Instant) {
        if self.messages == 0 {
            return;
        }
        crew.wants_flushed = true;
        let peers = crew.living();
        self.unproved = peers.len();
        let (all, batch) = (peers.len() as u64, crew.plan.batch as u64);
        for (place, &conn) in (0..).zip(&peers) {
            if let Some(peer) = crew.peer_mut(conn) {
                peer.left = self.share(place, all, batch);
            }
        }
        self.beginners = Beginners::new(peers, now);
        self.on_due(crew, now);
    }

    fn progress(&self, _crew: &Crew, _now: Instant) -> (u64, u64) {
        (self.written, self.messages)
    }

    fn state(&self, _crew: &Crew, _now: Instant) -> State {
        if self.unproved == 0 { State::Rests(Pause::BeforeEnd) } else { State::GoesOn }
    }

    fn on_written(&mut self, crew: &mut Crew, conn: ConnId, now: Instant) {
        // This may be called after a write of nothing.
        let Some(peer) = crew.peer_mut(conn) else { return };
        if peer.can_go_on() && !peer.is_done {
            let messages = std::mem::take(&mut peer.in_write);
            self.written += messages;
            crew.count_done(messages, now);
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
        crew.tally.counts.unsent += peer.left;
    }

    fn give_up(&mut self, crew: &mut Crew) {
        let left = |&conn: &ConnId| crew.connections.get(conn).map_or(0, |connection| connection.data.left);
        crew.tally.counts.unsent += crew.living().iter().map(left).sum::<u64>();
    }

    fn on_due(&mut self, crew: &mut Crew, now: Instant) {
        for conn in self.beginners.take(&crew.plan) {
            Self::go_on(crew, conn, now);
        }
    }

    fn due_at(&self) -> Option<Instant> {
        self.beginners.due_at()
    }

    fn is_owed(&self, _crew: &Crew) -> bool {
        true
    }
}
