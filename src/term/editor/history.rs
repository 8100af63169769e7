//! What was typed before, in memory. The arrow keys recall answers to the same kind of prompt; a search looks at all
//! of them.

use crate::limits::{HISTORY_BYTES_MAX, HISTORY_LINES_MAX};
use std::collections::VecDeque;

/// Kinds of prompts with their answers, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    answers: VecDeque<(String, String)>,
    bytes: usize,
    /// How many of the newest were not yet returned by [`History::take_new`].
    new: usize,
    recalled: Option<Recalled>,
}

/// Where the arrow keys have led to.
#[derive(Debug)]
struct Recalled {
    /// The index of the answer.
    at: usize,
    /// What was being typed before that.
    draft: String,
}

impl History {
    /// Keeps an answer, unless it is blank or the same as the last one to that kind of prompt.
    pub(super) fn add(&mut self, kind: &str, answer: &str) {
        self.recalled = None;
        let last = self.answers.iter().rev().find(|(asked, _)| asked == kind);
        if answer.trim().is_empty() || last.is_some_and(|(_, last)| last == answer) {
            return;
        }
        self.answers.push_back((kind.to_owned(), answer.to_owned()));
        self.new += 1;
        self.bytes += answer.len();
        while self.answers.len() > HISTORY_LINES_MAX || self.bytes > HISTORY_BYTES_MAX {
            let oldest = self.answers.pop_front();
            self.bytes -= oldest.map_or(0, |(_, answer)| answer.len());
        }
        self.new = self.new.min(self.answers.len());
    }

    /// Keeps what was typed in an earlier run.
    pub(super) fn recall(&mut self, answers: impl IntoIterator<Item = (String, String)>) {
        answers.into_iter().for_each(|(kind, answer)| self.add(&kind, &answer));
        self.new = 0;
    }

    /// What was kept since the last call.
    pub(super) fn take_new(&mut self) -> impl Iterator<Item = (&str, &str)> {
        let new = self.answers.len() - std::mem::take(&mut self.new)..;
        self.answers.range(new).map(|(kind, answer)| (kind.as_str(), answer.as_str()))
    }

    /// Stops recalling: what is typed from here on is new.
    pub(super) fn leave(&mut self) {
        self.recalled = None;
    }

    /// The answer to the same kind of prompt before the recalled one; `draft` is what is being typed.
    pub(super) fn older(&mut self, kind: &str, draft: &str) -> Option<String> {
        let until = self.recalled.as_ref().map_or(self.answers.len(), |recalled| recalled.at);
        let at = (0..until).rev().find(|&at| self.answers[at].0 == kind)?;
        match &mut self.recalled {
            Some(recalled) => recalled.at = at,
            None => self.recalled = Some(Recalled { at, draft: draft.to_owned() }),
        }
        Some(self.answers[at].1.clone())
    }

    /// The answer after the recalled one, or finally what was being typed.
    pub(super) fn newer(&mut self, kind: &str) -> Option<String> {
        let recalled = self.recalled.as_mut()?;
        let after = recalled.at + 1;
        match (after..self.answers.len()).find(|&at| self.answers[at].0 == kind) {
            Some(at) => {
                recalled.at = at;
                Some(self.answers[at].1.clone())
            }
            None => self.recalled.take().map(|recalled| recalled.draft),
        }
    }

    /// The newest answer that contains `part` among the first `until`, and its index.
    pub(super) fn find(&self, part: &str, until: usize) -> Option<(usize, &str)> {
        let until = until.min(self.answers.len());
        let found = (0..until).rev().find(|&at| self.answers[at].1.contains(part))?;
        Some((found, &self.answers[found].1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "text";
    const CHOICE: &str = "choice";

    fn history() -> History {
        let mut history = History::default();
        for (kind, answer) in
            [(CHOICE, "1"), (TEXT, "one"), (CHOICE, "5"), (TEXT, "two"), (TEXT, "two"), (TEXT, " ")]
        {
            history.add(kind, answer);
        }
        history
    }

    #[test]
    fn the_arrows_go_through_the_answers_to_the_same_question_and_back_to_the_draft() {
        let mut history = history();
        let older: Vec<_> = (0..3).map(|_| history.older(TEXT, "draft")).collect();
        assert_eq!(older, [Some("two".to_owned()), Some("one".to_owned()), None]);
        let newer: Vec<_> = (0..3).map(|_| history.newer(TEXT)).collect();
        assert_eq!(newer, [Some("two".to_owned()), Some("draft".to_owned()), None]);
        assert_eq!(history.older(CHOICE, "").as_deref(), Some("5"));
    }

    #[test]
    fn a_search_finds_the_newest_then_older_ones_whatever_was_asked() {
        let history = history();
        assert_eq!(history.find("o", usize::MAX), Some((3, "two")));
        assert_eq!(history.find("o", 3), Some((1, "one")));
        assert_eq!(history.find("o", 1), None);
        assert_eq!(history.find("5", usize::MAX), Some((2, "5")));
    }

    #[test]
    fn new_answers_are_returned_once_and_recalled_ones_never() {
        let mut history = History::default();
        history.recall([(TEXT.to_owned(), "one".to_owned())]);
        assert_eq!(history.take_new().count(), 0);
        for answer in ["one", "two", "two"] {
            history.add(TEXT, answer);
        }
        assert_eq!(history.take_new().collect::<Vec<_>>(), [(TEXT, "two")]);
        assert_eq!(history.take_new().count(), 0);
        assert_eq!(history.older(TEXT, "").as_deref(), Some("two"));
        history.add(TEXT, "three");
        history.add(TEXT, &"x".repeat(HISTORY_BYTES_MAX));
        assert_eq!(history.take_new().count(), 1);
    }

    #[test]
    fn the_oldest_make_room() {
        let mut history = History::default();
        for n in 0..=HISTORY_LINES_MAX {
            history.add(TEXT, &n.to_string());
        }
        assert_eq!(history.answers.len(), HISTORY_LINES_MAX);
        assert_eq!(history.answers[0].1, "1");
        history.add(TEXT, &"x".repeat(HISTORY_BYTES_MAX));
        assert_eq!((history.answers.len(), history.bytes), (1, HISTORY_BYTES_MAX));
    }
}
