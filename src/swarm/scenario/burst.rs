//! Rounds in each of which every peer writes one batch. The driver stops the target before each round, lets it go
//! on after it, and takes its CPU time until that clock stands still. So each read of the target finds the same
//! number of messages, however fast the target is. In a flood that runs freely, a slower reader finds more messages
//! in each read, and so each message looks cheaper.

use super::{Beginners, Crew, Pause, Peer, Scenario, State};
use crate::proto::machine::ConnId;
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Burst {
    rounds: u32,
    begun: u32,
    /// Peers that were connected when the first round began.
    peers: usize,
    /// Peers that have not written all of their batch in this round.
    writing: usize,
    beginners: Beginners,
}

impl Burst {
    pub(super) fn new(rounds: u32) -> Self {
        Self { rounds, begun: 0, peers: 0, writing: 0, beginners: Beginners::default() }
    }
}

impl Scenario for Burst {
    fn begin(&mut self, crew: &mut Crew, now: Instant) {
        if self.begun == self.rounds {
            return;
        }
        crew.wants_flushed = true;
        let peers = crew.living();
        if self.begun == 0 {
            self.peers = peers.len();
        }
        self.begun += 1;
        self.writing = peers.len();
        crew.tally.counts.unsent += ((self.peers - peers.len()) * crew.plan.batch) as u64;
        for &conn in &peers {
            if let Some(peer) = crew.peer_mut(conn) {
                peer.left = 1;
            }
        }
        self.beginners = Beginners::new(peers, now);
        self.on_due(crew, now);
    }

    fn progress(&self, _crew: &Crew, _now: Instant) -> (u64, u64) {
        (self.begun.into(), self.rounds.into())
    }

    fn state(&self, crew: &Crew, _now: Instant) -> State {
        if self.writing > 0 {
            State::GoesOn
        } else if self.begun < self.rounds && !crew.connections.is_empty() {
            State::Rests(Pause::BeforeRound)
        } else {
            State::Rests(Pause::BeforeEnd)
        }
    }

    fn on_written(&mut self, crew: &mut Crew, conn: ConnId, now: Instant) {
        if let Some(peer) = crew.peer_mut(conn).filter(|peer| peer.left > 0) {
            peer.left = 0;
            self.writing -= 1;
            crew.count_done(crew.plan.batch as u64, now);
        }
    }

    fn on_gone(&mut self, _crew: &mut Crew, peer: &Peer, _now: Instant) {
        self.writing -= usize::from(peer.left > 0);
    }

    fn on_due(&mut self, crew: &mut Crew, _now: Instant) {
        for conn in self.beginners.take(&crew.plan) {
            crew.send_batch(conn, crew.plan.batch as u64);
        }
    }

    fn due_at(&self) -> Option<Instant> {
        self.beginners.due_at()
    }

    fn give_up(&mut self, crew: &mut Crew) {
        let rounds = u64::from(self.rounds - self.begun);
        crew.tally.counts.unsent += rounds * (self.peers * crew.plan.batch) as u64;
    }

    fn is_owed(&self, _crew: &Crew) -> bool {
        self.writing > 0
    }
}
