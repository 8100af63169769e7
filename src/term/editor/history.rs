//! What was typed before, in memory: recalled for the question it answered, searched in all of it.

use crate::chat::notice::Prompt;
use crate::limits::{HISTORY_BYTES_MAX, HISTORY_LINES_MAX};
use std::collections::VecDeque;
use std::mem::Discriminant;

/// Which question, whoever it names.
pub(super) type Asked = Option<Discriminant<Prompt>>;

/// Answers, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    answers: VecDeque<(Asked, String)>,
    bytes: usize,
    recalled: Option<Recalled>,
}

/// Where the arrows have led to.
#[derive(Debug)]
struct Recalled {
    /// Which answer.
    at: usize,
    /// What was being typed before.
    draft: String,
}

impl History {
    /// Keeps an answer, unless it says nothing or was the last one to that question.
    pub(super) fn add(&mut self, asked: Asked, answer: &str) {
        self.recalled = None;
        let last = self.answers.iter().rev().find(|(before, _)| *before == asked);
        if answer.trim().is_empty() || last.is_some_and(|(_, last)| last == answer) {
            return;
        }
        self.answers.push_back((asked, answer.to_owned()));
        self.bytes += answer.len();
        while self.answers.len() > HISTORY_LINES_MAX || self.bytes > HISTORY_BYTES_MAX {
            let oldest = self.answers.pop_front();
            self.bytes -= oldest.map_or(0, |(_, answer)| answer.len());
        }
    }

    /// What is typed from here on is new.
    pub(super) fn leave(&mut self) {
        self.recalled = None;
    }

    /// The answer to that question before the one recalled; `draft` is what is being typed.
    pub(super) fn older(&mut self, asked: Asked, draft: &str) -> Option<String> {
        let until = self.recalled.as_ref().map_or(self.answers.len(), |recalled| recalled.at);
        let at = (0..until).rev().find(|&at| self.answers[at].0 == asked)?;
        match &mut self.recalled {
            Some(recalled) => recalled.at = at,
            None => self.recalled = Some(Recalled { at, draft: draft.to_owned() }),
        }
        Some(self.answers[at].1.clone())
    }

    /// The answer after the one recalled, or at last what was being typed.
    pub(super) fn newer(&mut self, asked: Asked) -> Option<String> {
        let recalled = self.recalled.as_mut()?;
        let after = recalled.at + 1;
        match (after..self.answers.len()).find(|&at| self.answers[at].0 == asked) {
            Some(at) => {
                recalled.at = at;
                Some(self.answers[at].1.clone())
            }
            None => self.recalled.take().map(|recalled| recalled.draft),
        }
    }

    /// The newest answer with `part` in it among the first `until`, and its place.
    pub(super) fn find(&self, part: &str, until: usize) -> Option<(usize, &str)> {
        let until = until.min(self.answers.len());
        let found = (0..until).rev().find(|&at| self.answers[at].1.contains(part))?;
        Some((found, &self.answers[found].1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::discriminant;

    fn asked(prompt: Prompt) -> Asked {
        Some(discriminant(&prompt))
    }

    fn history() -> History {
        let (text, choice) = (asked(Prompt::Text), asked(Prompt::Choice));
        let mut history = History::default();
        for (asked, answer) in
            [(choice, "1"), (text, "one"), (choice, "5"), (text, "two"), (text, "two"), (text, " ")]
        {
            history.add(asked, answer);
        }
        history
    }

    #[test]
    fn the_arrows_go_through_the_answers_to_the_same_question_and_back_to_the_draft() {
        let mut history = history();
        let older: Vec<_> = (0..3).map(|_| history.older(asked(Prompt::Text), "draft")).collect();
        assert_eq!(older, [Some("two".to_owned()), Some("one".to_owned()), None]);
        let newer: Vec<_> = (0..3).map(|_| history.newer(asked(Prompt::Text))).collect();
        assert_eq!(newer, [Some("two".to_owned()), Some("draft".to_owned()), None]);
        assert_eq!(history.older(asked(Prompt::Choice), "").as_deref(), Some("5"));
    }

    #[test]
    fn conversations_share_their_lines_whoever_they_are_with() {
        let mut history = History::default();
        let with = |name: &str| asked(Prompt::Conversation(name.to_owned()));
        history.add(with("P1"), "hello");
        assert_eq!(history.older(with("P2"), "").as_deref(), Some("hello"));
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
    fn the_oldest_make_room() {
        let mut history = History::default();
        for n in 0..=HISTORY_LINES_MAX {
            history.add(asked(Prompt::Text), &n.to_string());
        }
        assert_eq!(history.answers.len(), HISTORY_LINES_MAX);
        assert_eq!(history.answers[0].1, "1");
        history.add(asked(Prompt::Text), &"x".repeat(HISTORY_BYTES_MAX));
        assert_eq!((history.answers.len(), history.bytes), (1, HISTORY_BYTES_MAX));
    }
}
