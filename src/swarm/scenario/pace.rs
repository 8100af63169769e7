//! Messages at moments that are fixed beforehand. The time of a message that is sent late counts from when it was
//! due, so a target that stalls cannot hide that by keeping us from sending. The driver does not sleep in the last
//! millisecond before a message, since the system wakes it up a millisecond late at worst, and the report says how
//! late messages were.
//!
//! A schedule that nobody can keep has an end all the same. What waits to be written or answered is bounded. At
//! that bound the schedule waits too, and gets later. Once it is later than the timeout, the rest is not sent, and
//! the run has the ending "late". So the last message is sent no later than the timeout after the planned end; the
//! answers to what was sent are then awaited as usual.

use super::{Crew, Pause, Question, Scenario, State};
use crate::limits::{SWARM_QUESTIONS_MAX, SWARM_QUEUED_BYTES_MAX, SWARM_SCHEDULE_RETRY};
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
    /// The time between two batches, of any peers, in seconds.
    interval: f64,
    /// The number of the next batch.
    next: u64,
    batches: u64,
    /// Messages of all batches; the last batch may have fewer than the others.
    messages: u64,
    /// How many bytes had been handed over when there was last room for more.
    sent_then: u64,
    /// When it looks again whether there is room.
    retry_at: Option<Instant>,
}

impl Pace {
    pub(super) fn new(rate: f64, time: Duration) -> Self {
        Self {
            rate,
            time,
            start: None,
            peers: Vec::new(),
            interval: 0.0,
            next: 0,
            batches: 0,
            messages: 0,
            sent_then: 0,
            retry_at: None,
        }
    }

    /// When a batch is due; `None`: there is no such batch.
    fn due(&self, batch: u64) -> Option<Instant> {
        let seconds = batch as f64 * self.interval;
        later(self.start.filter(|_| batch < self.batches)?, seconds)
    }

    fn send(&mut self, crew: &mut Crew, due: Instant, now: Instant) {
        let conn = self.peers[(self.next % self.peers.len() as u64) as usize];
        let batch = crew.plan.batch as u64;
        let messages = batch.min(self.messages - self.next * batch);
        self.next += 1;
        if !crew.send_batch(conn, messages) {
            crew.tally.counts.unsent += messages;
            return;
        }
        crew.tally.record(Measure::Lateness, now - due);
        if crew.can_ask() {
            crew.ask(conn, due);
        } else {
            crew.count_done(messages, now);
        }
    }

    /// Whether more may wait to be written or answered. To count what waits to be written, we have to look at every
    /// peer, so we do that only after half of what may wait was sent.
    fn has_room(&mut self, crew: &Crew) -> bool {
        let sent = crew.tally.counts.bytes_sent;
        if crew.unanswered >= SWARM_QUESTIONS_MAX {
            return false;
        }
        if sent - self.sent_then < SWARM_QUEUED_BYTES_MAX / 2 {
            return true;
        }
        let has_room = sent - crew.bytes_written() < SWARM_QUEUED_BYTES_MAX / 2;
        if has_room {
            self.sent_then = sent;
        }
        has_room
    }
}

impl Scenario for Pace {
    fn begin(&mut self, crew: &mut Crew, now: Instant) {
        self.start = Some(now);
        self.peers = crew.living();
        let messages_per_second = self.rate * self.peers.len() as f64;
        // The factor removes what is above a whole number only because of rounding.
        self.messages = (self.time.as_secs_f64() * messages_per_second * (1.0 - 1e-12)).ceil() as u64;
        self.batches = self.messages.div_ceil(crew.plan.batch as u64);
        self.interval = if self.batches > 0 { crew.plan.batch as f64 / messages_per_second } else { 0.0 };
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
        self.retry_at = None;
        for _ in 0..crew.plan.batches_per_turn() {
            let Some(due) = self.due(self.next).filter(|&due| due <= now) else { return };
            if now - due > crew.plan.timeout {
                self.give_up(crew);
                crew.is_schedule_lost = true;
                return;
            }
            if !self.has_room(crew) {
                self.retry_at = Some(now + SWARM_SCHEDULE_RETRY);
                return;
            }
            self.send(crew, due, now);
        }
    }

    fn give_up(&mut self, crew: &mut Crew) {
        if self.next < self.batches {
            crew.tally.counts.unsent += self.messages - self.next * crew.plan.batch as u64;
        }
        self.batches = self.next;
    }

    fn due_at(&self) -> Option<Instant> {
        self.due(self.next).max(self.retry_at)
    }
}
