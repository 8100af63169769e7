//! The ids of texts that are queued on sessions. If a session breaks, each text that it did not write is reported with
//! the id of its command.
//!
//! A queue has bytes and knows no texts. But what is not written is always the end of what was queued, so it is enough
//! to remember the ids of the last lines. Without ids nothing is remembered.

use super::id::CommandId;
use crate::proto::machine::ConnId;
use std::collections::{BTreeMap, VecDeque};

/// No line with a text is shorter: `[::]:1 N x`.
const LINE_BYTES_MIN: usize = 8;

/// The ids of the last lines of each session that has one.
#[derive(Debug, Default)]
pub(super) struct Unwritten(BTreeMap<ConnId, VecDeque<Option<CommandId>>>);

impl Unwritten {
    /// Whether nothing needs to be noted of lines with these ids.
    pub(super) fn ignores(&self, mut ids: impl Iterator<Item = Option<CommandId>>) -> bool {
        self.0.is_empty() && ids.all(|id| id.is_none())
    }

    /// Lines with these ids were queued on a session, where so many bytes wait now.
    pub(super) fn note(
        &mut self,
        conn: ConnId,
        ids: impl Iterator<Item = Option<CommandId>> + Clone,
        waiting: usize,
    ) {
        if !self.0.contains_key(&conn) && ids.clone().all(|id| id.is_none()) {
            return;
        }
        let lines = self.0.entry(conn).or_default();
        lines.extend(ids);
        let written = lines.len().saturating_sub(waiting / LINE_BYTES_MIN);
        lines.drain(..written);
    }

    /// The ids of the last lines of a session, of so many lines.
    pub(super) fn last(&self, conn: ConnId, lines: usize) -> impl Iterator<Item = Option<CommandId>> + use<> {
        let noted = self.0.get(&conn);
        let noted: Vec<_> = noted.into_iter().flat_map(|ids| ids.iter().rev().take(lines).cloned()).collect();
        std::iter::repeat_n(None, lines - noted.len()).chain(noted.into_iter().rev())
    }

    /// The connection is over.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.0.remove(&conn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONN: ConnId = ConnId::new(1, 1);

    fn ids(numbers: &[u8]) -> Vec<Option<CommandId>> {
        let id = |&number: &u8| (number > 0).then(|| CommandId::Number(number.to_string().into()));
        numbers.iter().map(id).collect()
    }

    fn last(unwritten: &Unwritten, lines: usize) -> Vec<Option<CommandId>> {
        unwritten.last(CONN, lines).collect()
    }

    #[test]
    fn the_last_lines_have_the_ids_that_they_were_queued_with() {
        let mut unwritten = Unwritten::default();
        unwritten.note(CONN, ids(&[0]).into_iter(), 1000);
        assert!(unwritten.0.is_empty());
        unwritten.note(CONN, ids(&[1, 1]).into_iter(), 1000);
        unwritten.note(CONN, ids(&[0]).into_iter(), 1000);
        unwritten.note(CONN, ids(&[2]).into_iter(), 1000);
        assert_eq!(last(&unwritten, 3), ids(&[1, 0, 2]));
        assert_eq!(last(&unwritten, 6), ids(&[0, 0, 1, 1, 0, 2]));
        unwritten.forget(CONN);
        assert_eq!((last(&unwritten, 1), unwritten.0.is_empty()), (ids(&[0]), true));
    }

    #[test]
    fn no_more_is_remembered_than_can_be_unwritten() {
        let mut unwritten = Unwritten::default();
        for _ in 0..100 {
            unwritten.note(CONN, ids(&[1]).into_iter(), 3 * LINE_BYTES_MIN);
        }
        assert_eq!(unwritten.0[&CONN].len(), 3);
    }
}
