//! Messages at moments that are fixed beforehand. A message that is sent late counts from when it was
//! due: a target that stalls cannot hide that by keeping us from asking.

use super::{Crew, Pause, Question, Scenario, State};
use crate::proto::machine::ConnId;
use crate::swarm::crew::later;
use crate::swarm::tally::Measure;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Pace {
    rate: f64,
    time: Duration,
    start: Option<Instant>,
    peers: Vec<ConnId>,
    /// Between two batches, of whomever, in seconds.
    interval: f64,
    /// The next batch.
    next: u64,
    batches: u64,
}

impl Pace {
    pub(super) fn new(rate: f64, time: Duration) -> Self {
        Self { rate, time, start: None, peers: Vec::new(), interval: 0.0, next: 0, batches: 0 }
    }

    /// `None`: there are not so many.
    fn due(&self, batch: u64) -> Option<Instant> {
        let seconds = batch as f64 * self.interval;
        later(self.start.filter(|_| batch < self.batches)?, seconds)
    }
}

impl Scenario for Pace {
    fn begin(&mut self, crew: &mut Crew, now: Instant) {
        self.start = Some(now);
        self.peers = crew.living();
        let batches_per_second = self.rate * self.peers.len() as f64 / crew.plan.batch as f64;
        self.batches = (self.time.as_secs_f64() * batches_per_second).ceil() as u64;
        self.interval = if self.batches > 0 { 1.0 / batches_per_second } else { 0.0 };
        self.on_due(crew, now);
    }

    fn progress(&self, _crew: &Crew, _now: Instant) -> (u64, u64) {
        (self.next, self.batches)
    }

    fn state(&self, crew: &Crew, _now: Instant) -> State {
        let is_over = self.next == self.batches && crew.unanswered == 0;
        if is_over { State::Rests(Pause::BeforeEnd) } else { State::GoesOn }
    }

    fn on_answer(&mut self, crew: &mut Crew, _conn: ConnId, question: &Question, now: Instant) {
        crew.tally.record(Measure::RoundTrip, now - question.since);
        crew.count_done(question.messages, now);
    }

    fn on_due(&mut self, crew: &mut Crew, now: Instant) {
        while let Some(due) = self.due(self.next).filter(|&due| due <= now) {
            let conn = self.peers[(self.next % self.peers.len() as u64) as usize];
            self.next += 1;
            if !crew.send_batch(conn) {
                continue;
            }
            crew.tally.record(Measure::Lateness, now - due);
            if crew.can_ask() {
                crew.ask(conn, due);
            } else {
                crew.count_done(crew.plan.batch as u64, now);
            }
        }
    }

    fn due_at(&self) -> Option<Instant> {
        self.due(self.next)
    }
}
