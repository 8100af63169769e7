//! The sentences about texts that are held for later, and the words for programs.

use super::phrases::{Count, Grouped, Named, ago};
use crate::chat::notice::{HeldQuestion, HeldRow, HeldState, Later, Who};
use crate::limits::{FAILED_NAMES_SHOWN_MAX, HELD_TIME_MAX};
use crate::proto::clean::{Clean, CleanName};
use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::rc::Rc;

words! {
    /// What came of held texts.
    pub(super) fn outcome(what: Later), OUTCOMES of what;
    Later::Delivered => "delivered",
    Later::Expired => "expired",
    Later::Forgotten => "forgotten",
    Later::Held => "held",
    Later::HeldForThisRun => "held-for-this-run",
    Later::Taken => "taken",
    Later::Unconfirmed => "unconfirmed",
}

words! {
    /// Where a held text stands.
    pub(super) fn state(state: HeldState), STATES of state;
    HeldState::Waiting => "waiting",
    HeldState::Wanted | HeldState::UnderWay => "under-way",
    HeldState::Unconfirmed => "unconfirmed",
}

/// What came of held texts, in one line.
pub(super) fn later(f: &mut Formatter<'_>, who: &Who, texts: &[Rc<str>], what: Later) -> fmt::Result {
    let who = Named(who);
    let days = HELD_TIME_MAX.as_secs() / (24 * 60 * 60);
    match what {
        Later::Delivered => write!(f, "{who} has read what was held for it")?,
        Later::Expired => write!(f, "{who} was not back within {days} days. Not sent")?,
        Later::Forgotten => write!(f, "No longer held for {who}")?,
        Later::Held => write!(f, "Held until {who} is back")?,
        Later::HeldForThisRun => write!(f, "Held until {who} is back, or until this program ends")?,
        Later::Taken => write!(f, "What was held for {who} was sent")?,
        Later::Unconfirmed => write!(f, "Perhaps not read by {who}")?,
    }
    match texts {
        [text] => writeln!(f, ": {}", Clean(text)),
        _ => writeln!(f, ": {}", Count(texts.len() as u64, "message")),
    }
}

/// What is held for later, a text in each row.
pub(super) fn list(f: &mut Formatter<'_>, rows: &[HeldRow]) -> fmt::Result {
    if rows.is_empty() {
        return writeln!(f, "Nothing is held for later.");
    }
    writeln!(f, "Held until they are back:")?;
    for HeldRow { who, text, held, state } in rows {
        let remark = match state {
            HeldState::Waiting => "",
            HeldState::Wanted | HeldState::UnderWay => ", being sent",
            HeldState::Unconfirmed => ", perhaps read",
        };
        writeln!(f, "{} ({}{remark}): {}", Named(who), ago(*held), Clean(text))?;
    }
    Ok(())
}

/// The question about texts.
pub(super) fn question(question: &HeldQuestion) -> String {
    let HeldQuestion { is_again, texts, to } = question;
    let names = Names(to);
    let are = if to.len() == 1 { "is" } else { "are" };
    match (is_again, texts) {
        (true, 1) => format!("It may have arrived. Send it again to {names}? y/n "),
        (true, texts) => {
            format!("They may have arrived. Send {} again to {names}? y/n ", Count(*texts as u64, "message"))
        }
        (false, 1) => format!("Keep it until {names} {are} back? y/n "),
        (false, texts) => {
            format!("Keep {} until {names} {are} back? y/n ", Count(*texts as u64, "message"))
        }
    }
}

/// The question in fewer words, for a narrow terminal.
pub(super) fn short_question(question: &HeldQuestion) -> Cow<'static, str> {
    Cow::Borrowed(if question.is_again { "Send again? y/n " } else { "Keep for later? y/n " })
}

/// `anna, bob and 3 more`, `anna and bob`.
struct Names<'a>(&'a [String]);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let is_all = self.0.len() <= FAILED_NAMES_SHOWN_MAX;
        let count = if is_all { self.0.len() } else { FAILED_NAMES_SHOWN_MAX - 1 };
        for (n, name) in self.0.iter().take(count).enumerate() {
            let is_last = is_all && n + 1 == count;
            let before = match n {
                0 => "",
                _ if is_last => " and ",
                _ => ", ",
            };
            write!(f, "{before}{}", CleanName(name))?;
        }
        if is_all { Ok(()) } else { write!(f, " and {} more", Grouped((self.0.len() - count) as u64)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::notice::{Notice, Prompt};
    use crate::term::render::Sentence;
    use std::time::Duration;

    fn who() -> Who {
        Who::new(([127, 0, 0, 1], 9).into(), "P\x1b9".into())
    }

    fn said(notice: &Notice) -> String {
        Sentence(notice).to_string()
    }

    #[test]
    fn what_came_of_one_text_has_it_and_of_several_their_number() {
        let later = |what, texts: &[&str]| {
            said(&Notice::Later { who: who(), texts: texts.iter().map(|&t| t.into()).collect(), what })
        };
        let table = [
            (Later::Held, "Held until P␛9 (127.0.0.1:9) is back: a␇\n"),
            (Later::HeldForThisRun, "Held until P␛9 (127.0.0.1:9) is back, or until this program ends: a␇\n"),
            (Later::Expired, "P␛9 (127.0.0.1:9) was not back within 7 days. Not sent: a␇\n"),
            (Later::Unconfirmed, "Perhaps not read by P␛9 (127.0.0.1:9): a␇\n"),
        ];
        for (what, sentence) in table {
            assert_eq!(later(what, &["a\x07"]), sentence);
        }
        let sentence = "P␛9 (127.0.0.1:9) has read what was held for it: 2 messages\n";
        assert_eq!(later(Later::Delivered, &["a", "b"]), sentence);
    }

    #[test]
    fn the_list_says_for_how_long_and_what_is_special() {
        assert_eq!(said(&Notice::Held(Vec::new())), "Nothing is held for later.\n");
        let row = |state, minutes: u64| HeldRow {
            who: who(),
            text: "hi".into(),
            held: Duration::from_secs(60 * minutes),
            state,
        };
        let rows =
            vec![row(HeldState::Waiting, 0), row(HeldState::UnderWay, 1), row(HeldState::Unconfirmed, 120)];
        let list = "Held until they are back:\n\
                    P␛9 (127.0.0.1:9) (just now): hi\n\
                    P␛9 (127.0.0.1:9) (1 minute ago, being sent): hi\n\
                    P␛9 (127.0.0.1:9) (2 hours ago, perhaps read): hi\n";
        assert_eq!(said(&Notice::Held(rows)), list);
    }

    #[test]
    fn a_question_names_all_or_the_first_and_how_many_more() {
        let asked = |is_again, texts, to: &[&str]| {
            let to = to.iter().map(|&name| name.to_owned()).collect();
            said(&Notice::Prompt(Prompt::Held(HeldQuestion { is_again, texts, to })))
        };
        let table = [
            (asked(false, 1, &["P1"]), "Keep it until P1 is back? y/n "),
            (asked(false, 3, &["P1"]), "Keep 3 messages until P1 is back? y/n "),
            (asked(false, 2, &["P1", "P2"]), "Keep 2 messages until P1 and P2 are back? y/n "),
            (asked(false, 9, &["a", "b", "c", "d"]), "Keep 9 messages until a, b and 2 more are back? y/n "),
            (asked(true, 1, &["P1"]), "It may have arrived. Send it again to P1? y/n "),
            (asked(true, 2, &["P1"]), "They may have arrived. Send 2 messages again to P1? y/n "),
        ];
        table.iter().for_each(|(question, expected)| assert_eq!(question, expected));
    }
}
