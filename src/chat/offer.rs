//! What the user is asked about texts: whether to hold those that could not be sent, and whether to send those again that
//! may have been read.
//!
//! The question is put only where the next line is a choice or a line of a conversation, and only `y` and `n` answer it.
//! Every other line is what it would have been without the question, which is then put again: the user may have typed it
//! for something else. So is a line that comes so soon that it was typed before the question could be read.

use super::notice::HeldQuestion;
use crate::limits::{HELD_BYTES_MAX, HELD_QUESTION_GRACE, HELD_TEXTS_MAX};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

/// What the user may be asked.
#[derive(Debug, Default)]
pub(super) struct Offer {
    /// Nobody is asked anything otherwise.
    is_made: bool,
    /// Texts that could not be sent, in this order.
    unsent: Vec<(SocketAddr, Rc<str>)>,
    bytes: usize,
    /// The user did not want to say now whether to send texts again.
    is_put_off: bool,
    /// The question on the screen, and since when it is there, as soon as that is known.
    put: Option<(HeldQuestion, Option<Instant>)>,
}

/// What a line says to the question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Hold these.
    Keep(Vec<(SocketAddr, Rc<str>)>),
    /// Do not hold those that could not be sent. They were told.
    KeepNone,
    /// Send those again that may have been read, or forget them.
    SendAgain(bool),
    /// Decide that later.
    PutOff,
}

impl Offer {
    /// With `is_made`, the user is asked.
    pub(super) fn new(is_made: bool) -> Self {
        Self { is_made, ..Self::default() }
    }

    /// A text of the user could not be sent.
    pub(super) fn note_unsent(&mut self, to: SocketAddr, text: &str) {
        let is_room = self.unsent.len() < HELD_TEXTS_MAX && self.bytes + text.len() <= HELD_BYTES_MAX;
        if self.is_made && is_room {
            self.bytes += text.len();
            self.unsent.push((to, text.into()));
        }
    }

    /// What could not be sent to a peer is not to be held.
    pub(super) fn forget(&mut self, peer: SocketAddr) {
        self.unsent.retain(|(to, _)| *to != peer);
        self.bytes = self.unsent.iter().map(|(_, text)| text.len()).sum();
    }

    /// A peer is at another address from here on.
    pub(super) fn follow(&mut self, from: SocketAddr, to: SocketAddr) {
        self.unsent.iter_mut().filter(|(peer, _)| *peer == from).for_each(|(peer, _)| *peer = to);
    }

    /// More texts may have been read.
    pub(super) fn note_unconfirmed(&mut self) {
        self.is_put_off = false;
    }

    /// The question that is to be put, if there is one. `unconfirmed` has the peer of each text that may have been read, and
    /// `name` says what a peer is called.
    pub(super) fn question(
        &self,
        unconfirmed: impl Iterator<Item = SocketAddr>,
        name: impl Fn(SocketAddr) -> String,
    ) -> Option<HeldQuestion> {
        let is_again = self.unsent.is_empty();
        let unsent = self.unsent.iter().map(|&(to, _)| to);
        let unconfirmed = unconfirmed.filter(|_| is_again && !self.is_put_off);
        let all: Vec<SocketAddr> = unsent.chain(unconfirmed).filter(|_| self.is_made).collect();
        let mut seen = BTreeSet::new();
        let to: Vec<String> = all.iter().filter(|&&to| seen.insert(to)).map(|&to| name(to)).collect();
        (!all.is_empty()).then_some(HeldQuestion { is_again, texts: all.len(), to })
    }

    /// This question is on the screen now, or none.
    pub(super) fn put(&mut self, question: Option<HeldQuestion>) {
        if self.put.as_ref().map(|(question, _)| question) != question.as_ref() {
            self.put = question.map(|question| (question, None));
        }
    }

    /// Whether the question on the screen, if there is one, is not this one.
    pub(super) fn is_other(&self, question: Option<&HeldQuestion>) -> bool {
        self.put.as_ref().map(|(put, _)| put) != question
    }

    /// Whether a question is on the screen.
    pub(super) fn is_put(&self) -> bool {
        self.put.is_some()
    }

    /// The question on the screen is there since now, unless it was before.
    pub(super) fn note_time(&mut self, now: Instant) {
        if let Some((_, at)) = &mut self.put {
            at.get_or_insert(now);
        }
    }

    /// What a line says to the question on the screen. `None`: it is no answer.
    pub(super) fn take(&mut self, line: &str, now: Instant) -> Option<Answer> {
        let (question, at) = self.put.as_ref()?;
        if at.is_none_or(|at| now < at + HELD_QUESTION_GRACE) {
            return None;
        }
        let is_yes = match &*line.trim().to_ascii_lowercase() {
            "y" | "yes" => true,
            "n" | "no" => false,
            "" if question.is_again => {
                self.is_put_off = true;
                self.put = None;
                return Some(Answer::PutOff);
            }
            "" => false,
            _ => return None,
        };
        let is_again = question.is_again;
        self.put = None;
        if is_again {
            return Some(Answer::SendAgain(is_yes));
        }
        self.bytes = 0;
        let unsent = std::mem::take(&mut self.unsent);
        Some(if is_yes { Answer::Keep(unsent) } else { Answer::KeepNone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same moment for all of a test.
    fn start() -> Instant {
        thread_local! { static START: Instant = crate::testing::start() }
        START.with(|start| *start)
    }

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn put(offer: &mut Offer, unconfirmed: &[u16], now: Instant) -> Option<HeldQuestion> {
        let question = offer.question(unconfirmed.iter().map(|&port| peer(port)), |to| to.port().to_string());
        offer.put(question.clone());
        offer.note_time(now);
        question
    }

    fn question(is_again: bool, texts: usize, to: &[&str]) -> Option<HeldQuestion> {
        Some(HeldQuestion { is_again, texts, to: to.iter().map(|&name| name.to_owned()).collect() })
    }

    #[test]
    fn all_that_could_not_be_sent_is_one_question() {
        let mut offer = Offer::new(true);
        assert_eq!(put(&mut offer, &[], start()), None);
        for (port, text) in [(1, "a"), (2, "b"), (1, "c")] {
            offer.note_unsent(peer(port), text);
        }
        assert_eq!(put(&mut offer, &[9], start()), question(false, 3, &["1", "2"]));
        let later = start() + HELD_QUESTION_GRACE;
        let kept = [(1, "a"), (2, "b"), (1, "c")].map(|(port, text)| (peer(port), text.into()));
        assert_eq!(offer.take(" Yes ", later), Some(Answer::Keep(kept.to_vec())));
        assert_eq!(put(&mut offer, &[9], later), question(true, 1, &["9"]), "then the other question");
        assert_eq!(offer.take("y", later), None, "it is too soon");
        assert_eq!(offer.take("y", later + HELD_QUESTION_GRACE), Some(Answer::SendAgain(true)));
        assert_eq!((offer.is_put(), offer.take("y", later + HELD_QUESTION_GRACE)), (false, None));
    }

    #[test]
    fn only_yes_and_no_are_answers_and_an_empty_line_is_no() {
        for line in ["hello", "yy", "1", "/help", "y y", "0"] {
            let mut offer = Offer::new(true);
            offer.note_unsent(peer(1), "a");
            put(&mut offer, &[], start());
            assert_eq!(offer.take(line, start() + HELD_QUESTION_GRACE), None, "{line}");
            assert!(offer.is_put(), "{line}");
        }
        for line in ["n", "NO", "", "  "] {
            let mut offer = Offer::new(true);
            offer.note_unsent(peer(1), "a");
            put(&mut offer, &[], start());
            assert_eq!(offer.take(line, start() + HELD_QUESTION_GRACE), Some(Answer::KeepNone), "{line:?}");
            assert_eq!(put(&mut offer, &[], start()), None);
        }
    }

    #[test]
    fn a_line_that_was_typed_before_the_question_could_be_read_is_no_answer() {
        let mut offer = Offer::new(true);
        offer.note_unsent(peer(1), "a");
        assert_eq!(offer.take("y", start()), None, "nothing is asked yet");
        put(&mut offer, &[], start());
        let soon = start() + HELD_QUESTION_GRACE / 2;
        assert_eq!(offer.take("y", soon), None);
        offer.note_unsent(peer(1), "b");
        put(&mut offer, &[], soon);
        assert_eq!(offer.take("y", start() + HELD_QUESTION_GRACE), None, "it is another question now");
        put(&mut offer, &[], start() + HELD_QUESTION_GRACE);
        assert!(offer.take("y", soon + HELD_QUESTION_GRACE).is_some());
    }

    #[test]
    fn whether_to_send_again_can_be_put_off_until_there_is_more() {
        let mut offer = Offer::new(true);
        put(&mut offer, &[1], start());
        assert_eq!(offer.take("", start() + HELD_QUESTION_GRACE), Some(Answer::PutOff));
        assert_eq!(put(&mut offer, &[1], start()), None);
        offer.note_unconfirmed();
        assert!(put(&mut offer, &[1, 1], start()).is_some());
    }

    #[test]
    fn who_is_not_to_be_asked_is_not() {
        let mut offer = Offer::new(false);
        offer.note_unsent(peer(1), "a");
        assert_eq!(put(&mut offer, &[1], start()), None);
    }
}
