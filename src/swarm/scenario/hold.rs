//! The peers stay connected and silent for a time.

use super::{Crew, Pause, Scenario, State};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Hold {
    time: Duration,
    until: Option<Instant>,
}

impl Hold {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, until: None }
    }
}

impl Scenario for Hold {
    fn begin(&mut self, _crew: &mut Crew, now: Instant) {
        self.until = Some(now + self.time);
    }

    fn progress(&self, _crew: &Crew, now: Instant) -> (u64, u64) {
        let left = self.until.map_or(self.time, |until| until.saturating_duration_since(now));
        ((self.time - left.min(self.time)).as_millis() as u64, self.time.as_millis() as u64)
    }

    fn state(&self, _crew: &Crew, now: Instant) -> State {
        match self.until {
            Some(until) if until <= now => State::Rests(Pause::BeforeEnd),
            _ => State::GoesOn,
        }
    }

    fn due_at(&self) -> Option<Instant> {
        self.until
    }
}
