//! When something is due, for many connections: a heap of moments, from which only the first
//! is ever taken.
//!
//! An entry that is no longer wanted stays in the heap; it is stale because its connection points to another entry or
//! to none. The first entry is never stale, so nobody is woken for nothing. When most entries are stale they are
//! removed together, which costs less than taking each from a tree.
//!
//! Why not a FIFO for each kind of deadline? If all deadlines in a FIFO have the same length, it is sorted for free,
//! but the idle flush would be queued again with every read. Here a connection has one entry that counts, and
//! receiving lines touches no list. Taking each stale entry out of a tree cost more time, and twice the memory.

use super::machine::ConnId;
use super::moment::Moment;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// So many stale entries are always left in place.
const UNWANTED_MIN: usize = 64;

/// The entries; the caller says which of them are wanted.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BinaryHeap<Reverse<(Moment, ConnId)>>);

impl Deadlines {
    pub(super) fn push(&mut self, at: Moment, conn: ConnId) {
        self.0.push(Reverse((at, conn)));
    }

    pub(super) fn first(&self) -> Option<(Moment, ConnId)> {
        self.0.peek().map(|&Reverse(entry)| entry)
    }

    /// Call it when entries may have become stale. At most `wanted_max` are wanted.
    pub(super) fn tidy(&mut self, wanted_max: usize, is_wanted: impl Fn(Moment, ConnId) -> bool) {
        if self.0.len() > 2 * wanted_max + UNWANTED_MIN {
            self.0.retain(|&Reverse((at, conn))| is_wanted(at, conn));
        }
        while self.first().is_some_and(|(at, conn)| !is_wanted(at, conn)) {
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn unwanted_entries_are_never_first_and_never_many() {
        let start = crate::testing::start();
        let at = |ms: u32| Moment::of(start + Duration::from_millis(ms.into()), start);
        let mut deadlines = Deadlines::default();
        for ms in 0..10_000 {
            deadlines.push(at(ms), ConnId::new(0, ms));
            let wanted = at(ms.saturating_sub(9));
            deadlines.tidy(10, |at, _| at >= wanted && at != wanted + Duration::from_millis(1));
            assert_eq!(deadlines.first().unwrap().0, wanted);
            assert!(deadlines.0.len() <= 2 * 10 + UNWANTED_MIN + 1);
        }
    }
}
