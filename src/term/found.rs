//! What was found of what was said before, in words.
//!
//! A message is its line of the transcript, which programs know. A terminal whose lines are edited here shows it as the
//! log does, see `chat_log`.

use super::phrases::{Count, Named, Quoted};
use super::record::Line;
use crate::chat::notice::{NotRecalled, Recall, Recalled};
use crate::chat::recall::Party;
use crate::limits::{RUN_BYTES_MAX, TRANSCRIPT_SEARCHED_BYTES_MAX};
use std::fmt::{self, Display, Formatter};

/// All of it.
pub(super) struct Found<'a>(pub(super) &'a Recalled);

impl Display for Found<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.messages.iter().try_for_each(|message| writeln!(f, "{}", Line(message)))?;
        Rest(self.0).fmt(f)
    }
}

/// What is said after the messages: how many more there are, or that there are none.
pub(super) struct Rest<'a>(pub(super) &'a Recalled);

impl Display for Rest<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Recalled { asked, messages, older, is_partial, is_this_run } = self.0;
        if matches!(asked, Recall::Before(_)) {
            return Ok(());
        }
        if messages.is_empty() {
            let (run, hint) = match is_this_run {
                true => (" in this run", "; start with --transcript FILE to find it in later runs too"),
                false => ("", ""),
            };
            match asked {
                Recall::Containing(text) => {
                    writeln!(f, "Nothing that was said{run} contains '{}'{hint}.", Quoted(text))?;
                }
                Recall::Before(with) | Recall::Last { with, .. } => {
                    writeln!(f, "Nothing was said {}{run}{hint}.", Whom(with))?;
                }
            }
        }
        if *older > 0 {
            writeln!(f, "… and {}", Count(*older, "older message"))?;
        }
        match (is_partial, is_this_run) {
            (false, _) => Ok(()),
            (true, false) => {
                let most = TRANSCRIPT_SEARCHED_BYTES_MAX / (1024 * 1024);
                writeln!(f, "Only the last {most} MiB of the transcript were searched.")
            }
            (true, true) => {
                writeln!(f, "Only the last {} KiB of this run were searched.", RUN_BYTES_MAX / 1024)
            }
        }
    }
}

struct Whom<'a>(&'a Party);

impl Display for Whom<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Party::All => f.write_str("to all"),
            Party::One(who) => write!(f, "to or by {}", Named(who)),
        }
    }
}

/// Why nothing can be found, and what to do.
pub(super) fn not_recalled(f: &mut Formatter<'_>, why: &NotRecalled) -> fmt::Result {
    match why {
        NotRecalled::NoTranscript => {
            writeln!(
                f,
                "What was said is not kept; start the program with --transcript FILE to find it later."
            )
        }
        NotRecalled::NotAFile => {
            writeln!(f, "The transcript is a device, which cannot be searched; give --transcript a file.")
        }
        NotRecalled::Unreadable(error) => {
            writeln!(f, "The transcript cannot be read ({error}), so nothing can be found in it.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::who;
    use super::*;
    use crate::proto::fault::Fault;
    use std::io;

    #[track_caller]
    fn says(asked: Recall, older: u64, is_partial: bool, is_this_run: bool, words: &str) {
        let found = Recalled { asked, messages: Vec::new(), older, is_partial, is_this_run };
        assert_eq!(Found(&found).to_string(), words);
    }

    #[test]
    fn what_was_not_found_and_not_searched_is_told() {
        let text = || Recall::Containing("a\x1b[2J".to_owned());
        let last = |with| Recall::Last { with, count: 3 };
        says(text(), 0, false, false, "Nothing that was said contains 'a␛[2J'.\n");
        says(
            text(),
            0,
            true,
            true,
            "Nothing that was said in this run contains 'a␛[2J'; start with --transcript FILE to find it in later \
             runs too.\nOnly the last 256 KiB of this run were searched.\n",
        );
        says(
            last(Party::One(who("N\n"))),
            0,
            true,
            false,
            "Nothing was said to or by N␊ (127.0.0.1:8080).\nOnly the last 4 MiB of the transcript were searched.\n",
        );
        says(last(Party::All), 0, false, false, "Nothing was said to all.\n");
        says(Recall::Before(Party::All), 7, true, false, "");
    }

    #[test]
    fn a_transcript_that_cannot_be_searched_is_one_sentence() {
        let denied = Fault::from(io::ErrorKind::PermissionDenied);
        for why in [NotRecalled::NoTranscript, NotRecalled::NotAFile, NotRecalled::Unreadable(denied)] {
            let sentence =
                super::super::render::Sentence(&crate::chat::notice::Notice::NotRecalled(why)).to_string();
            assert!(sentence.ends_with(".\n") && sentence.matches(['.', '\n']).count() == 2, "{sentence}");
        }
    }
}
