//! Texts that were queued on a session, kept beside their bytes until it is known what became of them.
//!
//! The bytes of a queue cannot be read back: they may be sealed. So each text is kept with the place where it ends in all
//! the bytes that the session was ever given. What was queued at once is one batch, which all sessions that got it share:
//! a text to ten thousand peers costs each of them a pointer and a number.

use super::id::CommandId;
use std::collections::VecDeque;
use std::rc::Rc;

/// What a batch costs besides its texts, and each text besides its bytes, in bytes. About what it takes.
const OVERHEAD_BYTES: usize = 64;

/// A text on a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: Rc<str>,
    /// That of its command.
    pub(super) id: Option<CommandId>,
    /// The number of bytes of its batch up to its last one. The newline behind that is not needed: the end of a connection
    /// ends a line too.
    pub(super) end: usize,
}

/// Texts that were queued at once.
#[derive(Debug)]
pub(super) struct Batch {
    texts: Vec<Text>,
    /// Its memory, in bytes.
    bytes: usize,
}

/// The texts of one session.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Each with the number of bytes that the session had been given before it.
    batches: VecDeque<(u64, Rc<Batch>)>,
    /// The memory of all of them, in bytes, as if no other session held them.
    bytes: usize,
}

impl Batch {
    /// Texts in the order of their ends.
    pub(super) fn new(texts: Vec<Text>) -> Rc<Self> {
        let bytes = texts.iter().map(|text| text.text.len() + OVERHEAD_BYTES).sum::<usize>() + OVERHEAD_BYTES;
        Rc::new(Self { texts, bytes })
    }

    fn is_written(&self, begin: u64, written: u64) -> bool {
        self.texts.last().is_none_or(|text| text.is_written(begin, written))
    }
}

impl Text {
    fn is_written(&self, begin: u64, written: u64) -> bool {
        begin + self.end as u64 <= written
    }
}

impl Kept {
    /// Keeps what is queued now, behind so many bytes.
    pub(super) fn keep(&mut self, begin: u64, batch: &Rc<Batch>) {
        self.bytes += batch.bytes;
        self.batches.push_back((begin, Rc::clone(batch)));
    }

    /// Lets go of all that was written.
    pub(super) fn let_go(&mut self, written: u64) {
        while self.batches.front().is_some_and(|(begin, batch)| batch.is_written(*begin, written)) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((_, batch)) = self.batches.pop_front() {
            self.bytes -= batch.bytes;
        }
    }

    /// The texts of which not every byte was written.
    pub(super) fn unwritten(&self, written: u64) -> impl Iterator<Item = &Text> {
        let texts =
            self.batches.iter().flat_map(|(begin, batch)| batch.texts.iter().map(|text| (*begin, text)));
        texts.filter(move |(begin, text)| !text.is_written(*begin, written)).map(|(_, text)| text)
    }

    /// The memory that they take, in bytes. What other sessions keep too counts only in part.
    pub(super) fn held(&self) -> usize {
        self.batches.iter().map(|(_, batch)| batch.bytes / Rc::strong_count(batch) + OVERHEAD_BYTES).sum()
    }

    /// The memory that they would take if no other session kept them. Cheap to compute.
    pub(super) fn held_at_most(&self) -> usize {
        self.bytes + self.batches.len() * OVERHEAD_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, end: usize) -> Text {
        Text { text: text.into(), id: None, end }
    }

    fn unwritten(kept: &Kept, written: u64) -> Vec<&str> {
        kept.unwritten(written).map(|text| &*text.text).collect()
    }

    #[test]
    fn a_text_is_lost_unless_its_last_byte_was_written() {
        let mut kept = Kept::default();
        kept.keep(10, &Batch::new(vec![text("a", 4), text("b", 9)]));
        kept.keep(30, &Batch::new(vec![text("c", 4)]));
        for (written, expected) in [
            (0, vec!["a", "b", "c"]),
            (13, vec!["a", "b", "c"]),
            (14, vec!["b", "c"]),
            (19, vec!["c"]),
            (33, vec!["c"]),
            (34, vec![]),
        ] {
            assert_eq!(unwritten(&kept, written), expected, "{written}");
        }
    }

    #[test]
    fn what_was_written_is_let_go_batch_by_batch_and_costs_nothing_more() {
        let mut kept = Kept::default();
        let batch = Batch::new(vec![text("a", 4), text("b", 9)]);
        kept.keep(0, &batch);
        let alone = kept.held_at_most();
        kept.keep(10, &batch);
        assert_eq!((kept.held_at_most(), kept.held() < 2 * alone), (2 * alone, true), "it is shared");
        for (written, left) in [(8, 2), (9, 1), (18, 1), (19, 0)] {
            kept.let_go(written);
            assert_eq!(kept.held_at_most(), left * alone, "{written}");
        }
        assert_eq!(kept.held(), 0);
    }
}
