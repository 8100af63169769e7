//! Some peers ask, each again as soon as its question was answered; the others are silent.

use super::{Crew, Pause, Peer, Question, Scenario, State};
use crate::proto::machine::ConnId;
use crate::swarm::tally::Measure;
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Ping {
    rounds: u64,
    active: usize,
    asked: u64,
    answered: u64,
}

impl Ping {
    pub(super) fn new(rounds: u64, active: usize) -> Self {
        Self { rounds, active, asked: 0, answered: 0 }
    }

    fn ask(&mut self, crew: &mut Crew, conn: ConnId, now: Instant) {
        if self.asked < self.rounds {
            self.asked += 1;
            crew.ask(conn, now);
        }
    }
}

impl Scenario for Ping {
    fn begin(&mut self, crew: &mut Crew, now: Instant) {
        for conn in crew.living().into_iter().take(self.active) {
            self.ask(crew, conn, now);
        }
    }

    fn progress(&self, _crew: &Crew, _now: Instant) -> (u64, u64) {
        (self.answered, self.rounds)
    }

    fn state(&self, crew: &Crew, _now: Instant) -> State {
        if crew.unanswered == 0 { State::Rests(Pause::BeforeEnd) } else { State::GoesOn }
    }

    fn on_answer(&mut self, crew: &mut Crew, conn: ConnId, question: &Question, now: Instant) {
        self.answered += 1;
        crew.tally.record(Measure::RoundTrip, now - question.since);
        crew.count_done(1, now);
        self.ask(crew, conn, now);
    }

    fn on_gone(&mut self, crew: &mut Crew, _peer: &Peer, _now: Instant) {
        // The peers that are left never asked, so no answer will make them ask again.
        if crew.unanswered == 0 {
            self.give_up(crew);
        }
    }

    fn give_up(&mut self, crew: &mut Crew) {
        crew.tally.counts.unsent += self.rounds - self.asked;
        self.asked = self.rounds;
    }
}
