//! How often something may happen for each of many keys: a burst, then one at each interval.

use crate::limits::RATE_KEYS_KEPT;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A token bucket for each key, kept as one instant: when the bucket will be full again.
#[derive(Debug)]
pub(super) struct Rate<K> {
    interval: Duration,
    burst: u32,
    full_at: BTreeMap<K, Instant>,
    sweep_above: usize,
}

impl<K: Ord> Rate<K> {
    /// `burst` at once, then one each `interval`.
    pub(super) fn new(burst: u32, interval: Duration) -> Self {
        Self { interval, burst, full_at: BTreeMap::new(), sweep_above: RATE_KEYS_KEPT }
    }

    /// Takes a token of `key`; `false` if there is none.
    pub(super) fn take(&mut self, key: K, now: Instant) -> bool {
        self.sweep(now);
        let full_at = self.full_at.entry(key).or_insert(now);
        let next = (*full_at).max(now) + self.interval;
        let is_allowed = next - now <= self.interval * self.burst;
        if is_allowed {
            *full_at = next;
        }
        is_allowed
    }

    fn sweep(&mut self, now: Instant) {
        if self.full_at.len() > self.sweep_above {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.sweep_above = RATE_KEYS_KEPT.max(2 * self.full_at.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_for_each_interval() {
        let mut rate = Rate::new(200, Duration::from_millis(50));
        let start = crate::testing::start();
        assert!((0..200).all(|_| rate.take('a', start)));
        assert!(!rate.take('a', start));
        assert!(rate.take('b', start), "each key has its own");
        let later = start + Duration::from_millis(50);
        assert!(rate.take('a', later) && !rate.take('a', later));
        let much_later = start + Duration::from_secs(60);
        assert_eq!((0..300).filter(|_| rate.take('a', much_later)).count(), 200);
    }

    #[test]
    fn keys_with_a_full_bucket_are_forgotten() {
        let mut rate = Rate::new(1, Duration::from_secs(1));
        let start = crate::testing::start();
        for key in 0..=RATE_KEYS_KEPT {
            rate.take(key, start);
        }
        rate.take(0, start + Duration::from_secs(2));
        assert_eq!(rate.full_at.len(), 1);
    }
}
