//! What can go wrong in a world. Which faults exist at all is drawn once for each seed, so that some
//! worlds are calm, some know one trouble only, and some know all of them at once.

use fastrand::Rng;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// The troubles of one world. Chances are per mille.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Of each wire, one way.
    pub latency_max: Duration,
    /// Bytes that arrive together.
    pub chunk_max: usize,
    /// A delivery ends in a reset, maybe in the middle of a message.
    pub reset: u32,
    /// A dial is refused although somebody listens.
    pub refuse: u32,
    /// A dial gets no answer.
    pub lose: u32,
    /// A wire is slow: not even one message fits into it, and it moves now and then only.
    pub slow: u32,
    /// A turn begins with an input for a connection that is gone.
    pub stale: u32,
    /// Hosts that quit, are killed, or vanish without a word; half of them come back.
    pub deaths: usize,
    /// Hosts that are stopped for a while, and go on.
    pub stops: usize,
    /// Pairs that dial each other at the same instant.
    pub head_on: usize,
}

/// How one wire carries bytes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub latency: Duration,
    pub chunk_max: usize,
    /// Between two chunks.
    pub gap: Duration,
    /// Bytes that fit into one direction.
    pub window: usize,
}

impl Faults {
    /// A world in which everything arrives, whole and at once.
    pub fn none() -> Self {
        Self {
            latency_max: Duration::ZERO,
            chunk_max: usize::MAX,
            reset: 0,
            refuse: 0,
            lose: 0,
            slow: 0,
            stale: 0,
            deaths: 0,
            stops: 0,
            head_on: 0,
        }
    }

    /// Every kind exists in about half of the worlds.
    pub fn draw(rng: &mut Rng) -> Self {
        Self {
            latency_max: *pick(rng, &[Duration::ZERO, MS, 20 * MS, 80 * MS]),
            chunk_max: *pick(rng, &[1, 7, 64, usize::MAX]),
            reset: *pick(rng, &[0, 0, 1, 10]),
            refuse: *pick(rng, &[0, 0, 30]),
            lose: *pick(rng, &[0, 0, 10]),
            slow: *pick(rng, &[0, 0, 100]),
            stale: *pick(rng, &[0, 5]),
            deaths: *pick(rng, &[0, 0, 2, 10]),
            stops: *pick(rng, &[0, 20]),
            head_on: *pick(rng, &[0, 10]),
        }
    }

    /// Whether every message that is sent must arrive. Delays lose nothing; but on a slow wire the queue
    /// may not be written yet when the other side has said exit and closes.
    pub fn lose_nothing(&self) -> bool {
        self.reset + self.refuse + self.lose + self.slow == 0 && self.deaths == 0
    }

    /// A plain message has a second to arrive and to be answered before the next one is dialled; a pace
    /// that needed longer would let the two overtake each other, as on a real wire.
    pub fn pace(&self, rng: &mut Rng) -> Pace {
        if chance(rng, self.slow) {
            return Pace { latency: self.latency_max.min(20 * MS), chunk_max: 16, gap: 30 * MS, window: 16 };
        }
        let latency = Duration::from_micros(rng.u64(0..=self.latency_max.as_micros() as u64));
        let gap = if self.chunk_max == usize::MAX { Duration::ZERO } else { Duration::from_micros(500) };
        Pace { latency, chunk_max: self.chunk_max, gap, window: 64 * 1024 }
    }
}

pub fn chance(rng: &mut Rng, per_mille: u32) -> bool {
    per_mille > 0 && rng.u32(0..1000) < per_mille
}

pub fn pick<'a, T>(rng: &mut Rng, choices: &'a [T]) -> &'a T {
    &choices[rng.usize(0..choices.len())]
}
