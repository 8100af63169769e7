//! The target sends to everybody; the time until everybody has it is taken.

use super::{Crew, Pause, Peer, Scenario, State};
use crate::proto::machine::ConnId;
use crate::swarm::notice::Notice;
use crate::swarm::plan::Origin;
use crate::swarm::tally::Measure;
use std::time::Instant;

#[derive(Debug)]
pub(super) struct FanOut {
    rounds: u32,
    origin: Origin,
    /// Rounds that were begun.
    begun: u32,
    /// When the messages of this round came to be.
    since: Option<Instant>,
    /// Peers that do not have all messages of this round yet.
    missing: usize,
}

impl FanOut {
    pub(super) fn new(rounds: u32, origin: Origin) -> Self {
        Self { rounds, origin, begun: 0, since: None, missing: 0 }
    }

    fn begin_round(&mut self, crew: &mut Crew, now: Instant) {
        let peers = crew.living();
        let (relay, listeners) = match (self.origin, peers.split_first()) {
            (Origin::Relay, Some((&first, others))) => (Some(first), others),
            _ => (None, &peers[..]),
        };
        self.begun += 1;
        self.missing = listeners.len();
        self.since = (self.origin != Origin::Watch).then_some(now);
        let batch = crew.plan.batch as u64;
        for &conn in listeners {
            if let Some(peer) = crew.peer_mut(conn) {
                peer.left = batch;
            }
        }
        if let Some(conn) = relay {
            crew.send_batch(conn);
        } else if self.origin == Origin::Trigger {
            crew.tell(Notice::Trigger);
        }
    }

    /// One peer less is awaited; after the last one the next round begins.
    fn settle(&mut self, crew: &mut Crew, now: Instant) {
        self.missing -= 1;
        if self.missing > 0 {
            return;
        }
        if let Some(since) = self.since {
            crew.tally.record(Measure::ToAll, now - since);
        }
        if self.begun < self.rounds {
            self.begin_round(crew, now);
        }
    }
}

impl Scenario for FanOut {
    fn begin(&mut self, crew: &mut Crew, now: Instant) {
        self.begin_round(crew, now);
    }

    fn progress(&self, _crew: &Crew, _now: Instant) -> (u64, u64) {
        let done = self.begun - u32::from(self.missing > 0);
        (done.into(), self.rounds.into())
    }

    fn state(&self, _crew: &Crew, _now: Instant) -> State {
        if self.missing == 0 { State::Rests(Pause::BeforeEnd) } else { State::GoesOn }
    }

    fn on_message(&mut self, crew: &mut Crew, conn: ConnId, now: Instant) {
        let Some(peer) = crew.peer_mut(conn).filter(|peer| peer.left > 0) else { return };
        let since = *self.since.get_or_insert(now);
        peer.left -= 1;
        if peer.left == 0 {
            crew.tally.record(Measure::Delivery, now - since);
            crew.count_done(crew.plan.batch as u64, now);
            self.settle(crew, now);
        }
    }

    fn on_gone(&mut self, crew: &mut Crew, peer: &Peer, now: Instant) {
        if peer.left > 0 {
            self.settle(crew, now);
        }
    }

    fn is_owed(&self, _crew: &Crew) -> bool {
        self.origin != Origin::Watch && self.missing > 0
    }
}
