//! Texts that were queued on a session, kept beside their bytes until it is known what became of them.
//!
//! The bytes of a queue cannot be read back: they may be sealed. So each text is kept with the place where it ends in all
//! the bytes that the session was ever given. What was queued at once is one batch, which all sessions that got it share:
//! a text to ten thousand peers costs each of them a pointer and a number.
//!
//! Each text has one fate:
//!
//! | fate | when |
//! |---|---|
//! | delivered | the other side answered a `!ping` behind it, so it has read it |
//! | taken | it was written, and nobody confirms it: the other side is no chinwag, or nobody asked |
//! | not sent | the session ended before all of it was written |
//! | unconfirmed | it was written, and the session ended before the answer |
//!
//! At most one ping is under way on a session. What is queued meanwhile is behind the next one, which goes out when the
//! first one is answered; only at the end the last one does not wait. Nobody can answer a ping that they have not read:
//! its number cannot be guessed.

use super::held::HeldId;
use super::id::CommandId;
use crate::limits::UNDECIDED_BATCHES_MAX;
use crate::proto::machine::ConnId;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};
use std::rc::Rc;

/// What a batch costs besides its texts, and each text besides its bytes, in bytes. About what it takes.
const OVERHEAD_BYTES: usize = 64;

/// A text on a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: Rc<str>,
    /// That of its command.
    pub(super) id: Option<CommandId>,
    /// It was held until its peer was back.
    pub(super) held: Option<HeldId>,
    /// The number of bytes of its batch up to its last one. The newline behind that is not needed: the end of a connection
    /// ends a line too.
    pub(super) end: usize,
}

/// Texts that were queued at once.
#[derive(Debug)]
pub(super) struct Batch {
    texts: Vec<Text>,
    /// The user wants to know whether they are read.
    is_asked: bool,
    /// Its memory, in bytes.
    bytes: usize,
}

/// What was written, and of which nothing more will be known.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) texts: u64,
    /// Those of them that were held.
    pub(super) held: Vec<HeldId>,
}

/// What became of a text when its session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    NotSent,
    Taken,
    Unconfirmed,
}

/// Whether the other side of a session answers pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answers {
    Yes,
    No,
    /// It has said nothing yet.
    Undecided,
}

/// The texts of one session.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Each with the number of bytes that the session had been given before it.
    batches: VecDeque<(u64, Rc<Batch>)>,
    /// The memory of all of them, in bytes, as if no other session held them.
    bytes: usize,
    under_way: Option<Ping>,
    /// The one at the end, if another one was under way then.
    last: Option<Ping>,
    /// A ping is to be queued when the turn ends.
    is_due: bool,
}

/// A question that was queued.
#[derive(Clone, Copy, Debug)]
struct Ping {
    number: u64,
    /// The bytes before it.
    behind: u64,
}

/// What an answer has confirmed.
#[derive(Debug, Default)]
pub(super) struct Confirmed {
    pub(super) batches: Vec<Rc<Batch>>,
    /// More waits for an answer: the session is [due](Pings::due).
    pub(super) is_due: bool,
}

/// The sessions that get a ping when the turn ends, and the numbers of pings.
#[derive(Debug)]
pub(super) struct Pings {
    due: Vec<ConnId>,
    seed: u64,
    count: u64,
}

impl Batch {
    /// Texts in the order of their ends. `is_asked`: the user wants to know whether they are read.
    pub(super) fn new(texts: Vec<Text>, is_asked: bool) -> Rc<Self> {
        let bytes = texts.iter().map(|text| text.text.len() + OVERHEAD_BYTES).sum::<usize>() + OVERHEAD_BYTES;
        Rc::new(Self { texts, is_asked, bytes })
    }

    pub(super) fn len(&self) -> u64 {
        self.texts.len() as u64
    }

    /// The texts that were held until their peer was back.
    pub(super) fn held(&self) -> impl Iterator<Item = HeldId> {
        self.texts.iter().filter_map(|text| text.held)
    }

    /// The ids of the texts that the user wants to know of, each with the number of texts in a row that have it.
    pub(super) fn asked(&self) -> impl Iterator<Item = (Option<&CommandId>, usize)> {
        let texts = if self.is_asked { &self.texts[..] } else { &[] };
        texts.chunk_by(|one, next| one.id == next.id).map(|texts| (texts[0].id.as_ref(), texts.len()))
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

    /// Lets go of what was written and of which nothing more will be known, or which is more than `bytes_max`.
    pub(super) fn let_go(&mut self, written: u64, answers: Answers, bytes_max: usize) -> Taken {
        let mut taken = Taken::default();
        while let Some((begin, batch)) = self.batches.front() {
            let must_go = match answers {
                Answers::No => true,
                Answers::Undecided => self.batches.len() > UNDECIDED_BATCHES_MAX,
                Answers::Yes => !batch.is_asked,
            };
            if !batch.is_written(*begin, written) || !(must_go || self.bytes > bytes_max) {
                break;
            }
            taken.texts += batch.len();
            taken.held.extend(batch.held());
            self.pop();
        }
        taken
    }

    fn pop(&mut self) -> Option<Rc<Batch>> {
        let (_, batch) = self.batches.pop_front()?;
        self.bytes -= batch.bytes;
        Some(batch)
    }

    /// Whether a ping must be queued, which is told once.
    pub(super) fn becomes_due(&mut self) -> bool {
        !self.is_due && {
            self.is_due = self.under_way.is_none() && self.is_asked_behind(0);
            self.is_due
        }
    }

    /// Whether the user wants to know of a text behind so many bytes.
    fn is_asked_behind(&self, bytes: u64) -> bool {
        self.batches.iter().rev().take_while(|(begin, _)| *begin >= bytes).any(|(_, batch)| batch.is_asked)
    }

    /// Whether a ping with this number is to be queued now, behind so many bytes. At the end the one that is under way is not
    /// waited for.
    pub(super) fn ping(&mut self, number: u64, behind: u64, is_end: bool) -> bool {
        self.is_due = false;
        let before = self.under_way.map_or(0, |ping| ping.behind);
        let is_asked = (is_end || self.under_way.is_none()) && self.is_asked_behind(before);
        if is_asked {
            let place = if self.under_way.is_some() { &mut self.last } else { &mut self.under_way };
            *place = Some(Ping { number, behind });
        }
        is_asked
    }

    /// The other side has answered this.
    pub(super) fn confirm(&mut self, word: &str) -> Confirmed {
        let is_answered = |ping: &mut Ping| ping.number.to_string() == word;
        let (last, under_way) = (self.last.take_if(is_answered), self.under_way.take_if(is_answered));
        let Some(ping) = last.or(under_way) else { return Confirmed::default() };
        let mut batches = Vec::new();
        while self.batches.front().is_some_and(|(begin, _)| *begin < ping.behind) {
            batches.extend(self.pop());
        }
        Confirmed { batches, is_due: self.becomes_due() }
    }

    /// Whether the user wants to know of any text.
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked_behind(0)
    }

    /// What became of each text, now that the session is over, and whether the user wants to know it.
    pub(super) fn outcomes(
        &self,
        written: u64,
        answers: Answers,
    ) -> impl Iterator<Item = (&Text, Outcome, bool)> {
        self.batches.iter().flat_map(move |(begin, batch)| {
            let outcome = move |text: &Text| match text.is_written(*begin, written) {
                false => Outcome::NotSent,
                true if batch.is_asked && answers == Answers::Yes => Outcome::Unconfirmed,
                // Nobody has said that they read at all, and it is not lost: it is still held.
                true if text.held.is_some() && answers == Answers::Undecided => Outcome::Unconfirmed,
                true => Outcome::Taken,
            };
            batch.texts.iter().map(move |text| (text, outcome(text), batch.is_asked))
        })
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

impl Pings {
    /// The same seed gives the same numbers; without it they cannot be guessed.
    pub(super) fn new(seed: u64) -> Self {
        Self { due: Vec::new(), seed, count: 0 }
    }

    /// A session gets a ping when the turn ends.
    pub(super) fn due(&mut self, conn: ConnId) {
        self.due.push(conn);
    }

    /// Those that get one now.
    pub(super) fn take_due(&mut self) -> Vec<ConnId> {
        std::mem::take(&mut self.due)
    }

    /// A number that nobody can have read before, and its line.
    pub(super) fn next(&mut self) -> (u64, Rc<[u8]>) {
        self.count += 1;
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.seed);
        hasher.write_u64(self.count);
        let number = hasher.finish();
        (number, format!("!ping {number}\n").into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, end: usize) -> Text {
        Text { text: text.into(), id: None, held: None, end }
    }

    /// A text of 10 bytes with its newline.
    fn batch(name: &str, is_asked: bool) -> Rc<Batch> {
        Batch::new(vec![text(name, 9)], is_asked)
    }

    fn outcomes(kept: &Kept, written: u64, answers: Answers) -> Vec<(&str, Outcome)> {
        kept.outcomes(written, answers).map(|(text, outcome, _)| (&*text.text, outcome)).collect()
    }

    fn names(batches: &[Rc<Batch>]) -> Vec<&str> {
        batches.iter().flat_map(|batch| batch.texts.iter().map(|text| &*text.text)).collect()
    }

    fn answer(kept: &mut Kept, word: &str) -> (Vec<String>, bool) {
        let Confirmed { batches, is_due } = kept.confirm(word);
        (names(&batches).into_iter().map(str::to_owned).collect(), is_due)
    }

    #[test]
    fn a_text_is_lost_unless_its_last_byte_was_written() {
        let mut kept = Kept::default();
        kept.keep(10, &Batch::new(vec![text("a", 4), text("b", 9)], true));
        kept.keep(30, &Batch::new(vec![text("c", 4)], true));
        for (written, expected) in [
            (0, vec!["a", "b", "c"]),
            (13, vec!["a", "b", "c"]),
            (14, vec!["b", "c"]),
            (19, vec!["c"]),
            (33, vec!["c"]),
            (34, vec![]),
        ] {
            for (answers, of_written) in [(Answers::Yes, Outcome::Unconfirmed), (Answers::No, Outcome::Taken)]
            {
                let all = outcomes(&kept, written, answers);
                let lost =
                    all.iter().filter(|(_, outcome)| *outcome == Outcome::NotSent).map(|&(text, _)| text);
                assert_eq!(lost.collect::<Vec<_>>(), expected, "{written}");
                assert!(
                    all.len() == 3
                        && all.iter().all(|(_, outcome)| [Outcome::NotSent, of_written].contains(outcome))
                );
            }
        }
    }

    #[test]
    fn what_was_written_is_let_go_batch_by_batch_and_costs_nothing_more() {
        let mut kept = Kept::default();
        let batch = Batch::new(vec![text("a", 4), text("b", 9)], true);
        kept.keep(0, &batch);
        let alone = kept.held_at_most();
        kept.keep(10, &batch);
        assert_eq!((kept.held_at_most(), kept.held() < 2 * alone), (2 * alone, true), "it is shared");
        for (written, taken, left) in [(8, 0, 2), (9, 2, 1), (18, 0, 1), (19, 2, 0)] {
            assert_eq!(kept.let_go(written, Answers::No, usize::MAX).texts, taken);
            assert_eq!(kept.held_at_most(), left * alone, "{written}");
        }
        assert_eq!(kept.held(), 0);
    }

    #[test]
    fn what_will_be_confirmed_is_kept_up_to_a_limit_and_what_may_be_up_to_a_number() {
        for (answers, is_asked, bytes_max, kept_batches) in [
            (Answers::Yes, true, usize::MAX, 100),
            (Answers::Yes, true, 0, 1),
            (Answers::Yes, false, usize::MAX, 1),
            (Answers::No, true, usize::MAX, 1),
            (Answers::Undecided, false, usize::MAX, UNDECIDED_BATCHES_MAX + 1),
            (Answers::Undecided, false, 0, 1),
        ] {
            let mut kept = Kept::default();
            let mut taken = 0;
            for n in 0..100 {
                taken += kept.let_go(10 * n, answers, bytes_max).texts;
                kept.keep(10 * n, &batch("x", is_asked));
            }
            assert_eq!(
                (kept.batches.len(), taken as usize),
                (kept_batches, 100 - kept_batches),
                "{answers:?}"
            );
        }
    }

    #[test]
    fn a_ping_confirms_what_is_before_it_once_and_the_rest_has_the_next_one() {
        let mut kept = Kept::default();
        kept.keep(0, &batch("a", true));
        assert!(kept.becomes_due() && !kept.becomes_due(), "it is told once");
        assert!(kept.ping(7, 10, false));
        kept.keep(20, &batch("b", true));
        assert!(!kept.becomes_due() && !kept.ping(8, 30, false), "one is under way");
        for early in ["8", "07", "+7", "", "7 "] {
            assert_eq!(answer(&mut kept, early), (vec![], false), "{early:?}");
        }
        assert_eq!(answer(&mut kept, "7"), (vec!["a".to_owned()], true));
        assert_eq!(answer(&mut kept, "7"), (vec![], false), "again");
        assert!(kept.ping(9, 30, false));
        assert_eq!(answer(&mut kept, "9"), (vec!["b".to_owned()], false));
        assert!(!kept.ping(10, 40, false) && kept.held() == 0, "nothing is asked");
    }

    #[test]
    fn at_the_end_the_last_texts_have_a_ping_too() {
        for (answered, confirmed) in [(&["1", "2"][..], 2), (&["2"], 2), (&["1"], 1), (&["2", "1"], 2)] {
            let mut kept = Kept::default();
            kept.keep(0, &batch("a", true));
            assert!(kept.ping(1, 10, false));
            assert!(!kept.ping(5, 20, true), "all is behind the one under way");
            kept.keep(20, &batch("b", true));
            assert!(kept.ping(2, 30, true));
            let count: usize = answered.iter().map(|word| kept.confirm(word).batches.len()).sum();
            assert_eq!((count, kept.batches.len()), (confirmed, 2 - confirmed), "{answered:?}");
        }
    }

    #[test]
    fn nobody_is_asked_for_what_nobody_wants_to_know() {
        let mut kept = Kept::default();
        kept.keep(0, &batch("automatic", false));
        assert!(!kept.becomes_due() && !kept.ping(1, 10, true) && !kept.is_asked());
        kept.keep(10, &batch("typed", true));
        assert!(kept.ping(2, 20, false));
        let confirmed = kept.confirm("2").batches;
        assert_eq!(names(&confirmed), ["automatic", "typed"]);
        assert_eq!(confirmed.iter().map(|batch| batch.asked().count()).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn texts_without_an_id_are_confirmed_together() {
        let id = |n: u32| Some(CommandId::Number(n.to_string().into()));
        let ids = [None, None, id(1), id(2), None];
        let texts = ids.iter().map(|id| Text { id: id.clone(), ..text("x", 9) }).collect();
        let asked: Vec<_> = Batch::new(texts, true).asked().map(|(id, count)| (id.cloned(), count)).collect();
        assert_eq!(asked, [(None, 2), (id(1), 1), (id(2), 1), (None, 1)]);
    }

    #[test]
    fn numbers_differ_and_depend_on_the_seed() {
        let of = |seed| {
            let mut pings = Pings::new(seed);
            [pings.next().0, pings.next().0]
        };
        assert!(of(1) == of(1) && of(1)[0] != of(1)[1] && !of(2).contains(&of(1)[0]));
    }
}
