//! What of the peers' lines is shown: all, or as much as a person can read, the rest being counted; or nothing.

use super::notice::{Notice, Who};
use super::rate::Rate;
use crate::limits::{FOLD_INTERVAL, SHOWN_LINES_BURST, SHOWN_LINES_INTERVAL};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

/// Decides what is shown.
#[derive(Debug)]
pub(super) struct Feed {
    is_quiet: bool,
    may_fold: bool,
    shown_lines: Rate<SocketAddr>,
    /// Lines that were counted instead of shown.
    folded: BTreeMap<SocketAddr, (Who, u64)>,
    /// When their number is reported.
    fold_at: Option<Instant>,
}

/// What happens to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Shown,
    /// It is counted, and the count is reported later.
    Folded,
    /// Nobody wants to see lines.
    Hidden,
}

impl Feed {
    pub(super) fn new(is_quiet: bool, may_fold: bool) -> Self {
        Self {
            is_quiet,
            may_fold,
            shown_lines: Rate::new(SHOWN_LINES_BURST, SHOWN_LINES_INTERVAL),
            folded: BTreeMap::new(),
            fold_at: None,
        }
    }

    /// Whether what peers say and do is only counted.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Whether it matters on whose account a line goes.
    pub(super) fn may_fold(&self) -> bool {
        self.may_fold
    }

    /// A line on the account of `who`.
    pub(super) fn take(&mut self, who: &Who, now: Instant) -> Fate {
        if self.is_quiet {
            return Fate::Hidden;
        }
        if !self.may_fold || self.shown_lines.take(who.address, now) {
            return Fate::Shown;
        }
        self.folded.entry(who.address).or_insert_with(|| (who.clone(), 0)).1 += 1;
        self.fold_at.get_or_insert(now + FOLD_INTERVAL);
        Fate::Folded
    }

    /// When [`Feed::take_folded`] is to be called.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.fold_at
    }

    /// What was counted until now.
    pub(super) fn take_folded(&mut self) -> impl Iterator<Item = Notice> + use<> {
        self.fold_at = None;
        let folded = std::mem::take(&mut self.folded);
        folded.into_values().map(|(who, lines)| Notice::Folded { who, lines })
    }

    /// The count of an address is not reported any more.
    pub(super) fn forget(&mut self, address: SocketAddr) {
        self.folded.remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(port: u16) -> Who {
        Who::new(([127, 0, 0, 1], port).into(), "P".into())
    }

    #[test]
    fn who_says_too_much_is_counted_and_told_once() {
        let mut feed = Feed::new(false, true);
        let now = crate::testing::start();
        let fates: Vec<Fate> = (0..SHOWN_LINES_BURST + 2).map(|_| feed.take(&who(1), now)).collect();
        assert_eq!(fates.iter().filter(|&&fate| fate == Fate::Shown).count(), SHOWN_LINES_BURST as usize);
        assert_eq!(feed.take(&who(2), now), Fate::Shown, "each has its own allowance");
        assert_eq!(feed.next_deadline(), Some(now + FOLD_INTERVAL));
        let told: Vec<Notice> = feed.take_folded().collect();
        assert_eq!(told, [Notice::Folded { who: who(1), lines: 2 }]);
        assert_eq!((feed.next_deadline(), feed.take_folded().count()), (None, 0));
    }

    #[test]
    fn of_who_is_forgotten_nothing_is_told() {
        let mut feed = Feed::new(false, true);
        let now = crate::testing::start();
        for _ in 0..=SHOWN_LINES_BURST {
            feed.take(&who(1), now);
        }
        feed.forget(who(1).address);
        assert_eq!(feed.take_folded().count(), 0);
    }

    #[test]
    fn a_quiet_feed_hides_and_one_that_may_not_fold_shows_everything() {
        let now = crate::testing::start();
        assert_eq!(Feed::new(true, true).take(&who(1), now), Fate::Hidden);
        let mut all = Feed::new(false, false);
        assert!((0..=SHOWN_LINES_BURST).all(|_| all.take(&who(1), now) == Fate::Shown));
    }
}
