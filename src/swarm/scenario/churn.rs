//! One plain message for each connection: dial, write, end our side, read until the end.

use super::{Crew, Pause, Peer, Scenario, State};
use crate::swarm::crew::Stage;
use std::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Churn {
    ended: u64,
}

impl Scenario for Churn {
    fn begin(&mut self, crew: &mut Crew, now: Instant) {
        crew.begin_to_dial(now);
    }

    fn progress(&self, crew: &Crew, _now: Instant) -> (u64, u64) {
        (self.ended, crew.plan.peers as u64)
    }

    fn state(&self, crew: &Crew, _now: Instant) -> State {
        if self.ended == crew.plan.peers as u64 { State::Rests(Pause::BeforeEnd) } else { State::GoesOn }
    }

    fn on_gone(&mut self, crew: &mut Crew, peer: &Peer, now: Instant) {
        self.ended += 1;
        crew.tally.counts.unsent += u64::from(peer.stage == Stage::Dialling);
        crew.count_done(1, now);
    }

    fn give_up(&mut self, crew: &mut Crew) {
        crew.tally.counts.unsent += (crew.undialled() + crew.beginners().len()) as u64;
    }

    fn is_owed(&self, crew: &Crew) -> bool {
        crew.unsettled > 0
    }
}
