//! The target sends to all peers; the time until all have the message is measured.

use super::{Crew, Pause, Peer, Scenario, State};
use crate::proto::machine::ConnId;
use crate::swarm::notice::Notice;
use crate::swarm::plan::Origin;
use crate::swarm::tally::Measure;
use std::collections::VecDeque;
use std::time::Instant;

/// The messages of a peer are counted through all rounds: if the target sends when it likes, one peer can be
/// several rounds ahead of another. A peer's `left` is the number of messages that it has not heard yet of the
/// rounds that have begun.
#[derive(Debug)]
pub(super) struct FanOut {
    rounds: u32,
    origin: Origin,
    /// Rounds that have begun. With [`Origin::Watch`] that is all of them from the start.
    begun: u32,
    /// Rounds that are over.
    over: u32,
    /// The rounds after those that at least one peer is in.
    open: VecDeque<Round>,
    /// Peers that should hear the messages of a round that opens now.
    listeners: usize,
}

#[derive(Debug)]
struct Round {
    /// When its messages were made.
    since: Instant,
    /// Peers that do not have all its messages yet.
    missing: usize,
    /// A connection was lost in it, so not all peers have its messages.
    is_maimed: bool,
}

impl FanOut {
    pub(super) fn new(rounds: u32, origin: Origin) -> Self {
        Self { rounds, origin, begun: 0, over: 0, open: VecDeque::new(), listeners: 0 }
    }

    fn begin_rounds(&mut self, crew: &mut Crew, now: Instant) {
        let peers = crew.living();
        let (relay, listeners) = match (self.origin, peers.split_first()) {
            (Origin::Relay, Some((&first, others))) => (Some(first), others),
            _ => (None, &peers[..]),
        };
        self.listeners = listeners.len();
        if self.over == self.rounds || listeners.is_empty() {
            return;
        }
        let rounds = if self.origin == Origin::Watch { self.rounds } else { 1 };
        self.begun += rounds;
        let messages = u64::from(rounds) * crew.plan.batch as u64;
        for &conn in listeners {
            if let Some(peer) = crew.peer_mut(conn) {
                peer.left = messages;
            }
        }
        if self.origin != Origin::Watch {
            self.open_round(now);
        }
        if let Some(conn) = relay {
            crew.send_batch(conn, crew.plan.batch as u64);
        } else if self.origin == Origin::Trigger {
            crew.tell(Notice::Trigger);
        }
    }

    fn open_round(&mut self, since: Instant) {
        self.open.push_back(Round { since, missing: self.listeners, is_maimed: false });
    }

    /// The place among the open rounds of a peer that has `left` messages to hear.
    fn place(&self, crew: &Crew, left: u64) -> usize {
        let batch = crew.plan.batch as u64;
        let heard = u64::from(self.begun) * batch - left;
        (heard / batch) as usize - self.over as usize
    }

    /// Ends the rounds in which no peer misses a message. A peer in a later round has all messages of those before.
    fn settle(&mut self, crew: &mut Crew, now: Instant) {
        while self.open.front().is_some_and(|round| round.missing == 0) {
            let Some(round) = self.open.pop_front() else { return };
            self.over += 1;
            if !round.is_maimed {
                crew.tally.record(Measure::ToAll, now - round.since);
            }
            if self.over == self.begun {
                self.begin_rounds(crew, now);
            }
        }
    }
}

impl Scenario for FanOut {
    fn begin(&mut self, crew: &mut Crew, now: Instant) {
        self.begin_rounds(crew, now);
    }

    fn progress(&self, _crew: &Crew, _now: Instant) -> (u64, u64) {
        (self.over.into(), self.rounds.into())
    }

    fn state(&self, _crew: &Crew, _now: Instant) -> State {
        let is_over = self.over == self.rounds || self.listeners == 0;
        if is_over { State::Rests(Pause::BeforeEnd) } else { State::GoesOn }
    }

    fn on_message(&mut self, crew: &mut Crew, conn: ConnId, bytes: u64, now: Instant) -> bool {
        let Some(peer) = crew.peer_mut(conn).filter(|peer| peer.left > 0) else { return false };
        let left = peer.left;
        peer.left -= 1;
        crew.tally.counts.delivered += 1;
        crew.tally.counts.bytes_delivered += bytes;
        let place = self.place(crew, left);
        if place == self.open.len() {
            self.open_round(now);
        }
        let batch = crew.plan.batch as u64;
        if (left - 1).is_multiple_of(batch) {
            let round = &mut self.open[place];
            round.missing -= 1;
            crew.tally.record(Measure::Delivery, now - round.since);
            crew.count_done(batch, now);
            self.settle(crew, now);
        }
        true
    }

    fn on_gone(&mut self, crew: &mut Crew, peer: &Peer, now: Instant) {
        if peer.left == 0 {
            return;
        }
        self.listeners -= 1;
        let place = self.place(crew, peer.left);
        for round in self.open.iter_mut().skip(place) {
            round.missing -= 1;
            round.is_maimed = true;
        }
        self.settle(crew, now);
    }

    fn is_owed(&self, _crew: &Crew) -> bool {
        self.origin != Origin::Watch && !self.open.is_empty()
    }
}
