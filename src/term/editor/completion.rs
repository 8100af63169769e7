//! Completes the word before the cursor when the user presses Tab, if it is clear what is meant.

use super::names::{Names, begins_with, common_beginning};
use crate::chat::notice::Prompt;
use crate::chat::request::ALL;
use crate::chat::slash::{
    DIALECT, DROP, PERHAPS_DROP, PERHAPS_WHO, PERHAPS_WHO_OR_ALL, SLASHES, Slash, WHO, WHO_OR_ALL,
};
use crate::proto::message::Dialect;

/// The result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Completed {
    /// Replace what is before the cursor with this.
    Before(String),
    /// There are several candidates.
    Candidates(Vec<String>),
}

/// The last word before the cursor.
struct Word {
    start: usize,
    candidates: Vec<String>,
    /// What is added after the complete word.
    then: &'static str,
}

/// Completes the last word of `before`, if the prompt says what it can be.
pub(super) fn complete(prompt: Option<&Prompt>, before: &str, names: &Names) -> Option<Completed> {
    let Word { start, candidates, then } = match prompt? {
        Prompt::Recipient(_) | Prompt::ConnectTo if !before.contains(char::is_whitespace) => {
            Word { start: 0, candidates: names.candidates(before), then: "" }
        }
        Prompt::Choice | Prompt::Conversation(_) if before.starts_with('/') => slash_word(before, names)?,
        Prompt::Text | Prompt::TextToAll(_) | Prompt::Conversation(_) => said_word(before, names)?,
        _ => return None,
    };
    let (kept, part) = before.split_at(start);
    let common = common_beginning(&candidates);
    match candidates.len() {
        0 => None,
        1 => Some(Completed::Before(format!("{kept}{common}{then}"))),
        _ if common.len() > part.len() => Some(Completed::Before(format!("{kept}{common}"))),
        _ => Some(Completed::Candidates(candidates)),
    }
}

fn slash_word(before: &str, names: &Names) -> Option<Word> {
    let (words, part) = before.rsplit_once(char::is_whitespace).unwrap_or(("", before));
    let start = before.len() - part.len();
    let mut words = words.split_whitespace();
    let Some(name) = words.next() else {
        let commands = SLASHES.iter().map(|slash| slash.name.to_owned());
        return Some(Word { start, candidates: beginning_with(part, commands), then: " " });
    };
    let slash = Slash::find(name)?;
    let place = words.count();
    let candidates = match slash.argument(place)? {
        WHO | PERHAPS_WHO => names.candidates(part),
        PERHAPS_DROP => beginning_with(part, [DROP.to_owned()]),
        WHO_OR_ALL | PERHAPS_WHO_OR_ALL => {
            let all = beginning_with(part, [ALL.to_owned()]);
            names.candidates(part).into_iter().chain(all).collect()
        }
        DIALECT => beginning_with(part, Dialect::ALL.map(|dialect| dialect.name().to_owned())),
        _ => return None,
    };
    let goes_on = slash.argument(place + 1).is_some();
    Some(Word { start, candidates, then: if goes_on { " " } else { "" } })
}

/// A peer that is mentioned in a text, or addressed at its beginning.
fn said_word(before: &str, names: &Names) -> Option<Word> {
    let part = before.rsplit(char::is_whitespace).next().filter(|part| !part.is_empty())?;
    let start = before.len() - part.len();
    let then = if start == 0 { ": " } else { " " };
    Some(Word { start, candidates: names.candidates(part), then })
}

fn beginning_with(part: &str, words: impl IntoIterator<Item = String>) -> Vec<String> {
    words.into_iter().filter(|word| begins_with(word, part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::notice::{Notice, Who};

    fn names(known: &[(u16, &str)]) -> Names {
        let mut names = Names::default();
        for &(port, name) in known {
            names.learn(&Notice::NewPeer(Who::new(([10, 0, 0, 1], port).into(), name.into())));
        }
        names
    }

    fn at(prompt: &Prompt, before: &str) -> Option<Completed> {
        let names = names(&[(1, "anna"), (2, "anton"), (3, "b\x1b[2J"), (4, "berta"), (5, "/etc/passwd")]);
        complete(Some(prompt), before, &names)
    }

    #[test]
    fn a_unique_candidate_is_completed_and_followed_by_a_space_if_more_words_follow() {
        let table = [
            ("/ms", "/msg "),
            ("/PE", "/peers "),
            ("/msg", "/msg "),
            ("/co", "/connect "),
            ("/msg be", "/msg berta "),
            ("/MSG  BE", "/MSG  berta "),
            ("/later be", "/later berta "),
            ("/held be", "/held berta "),
            ("/held berta d", "/held berta drop"),
            ("/exit be", "/exit berta"),
            ("/to be", "/to berta"),
            ("/to al", "/to all"),
            ("/history be", "/history berta "),
            ("/history al", "/history all "),
            ("/exit a", "/exit an"),
            ("/exit 10.0.0.1:4", "/exit 10.0.0.1:4"),
            ("/msg /e", "/msg /etc/passwd "),
            ("/dialect be", "/dialect berta "),
            ("/dialect berta n", "/dialect berta netech"),
        ];
        for (before, after) in table {
            for prompt in [Prompt::Choice, Prompt::Conversation("P1".into())] {
                assert_eq!(at(&prompt, before), Some(Completed::Before(after.to_owned())), "{before}");
            }
        }
    }

    #[test]
    fn a_peer_that_is_addressed_or_mentioned_in_a_text_is_completed() {
        let table =
            [("BE", "berta: "), ("hello be", "hello berta "), ("is it 10.0.0.1:4", "is it 10.0.0.1:4 ")];
        for (before, after) in table {
            for prompt in [Prompt::Text, Prompt::Conversation("P1".into())] {
                assert_eq!(at(&prompt, before), Some(Completed::Before(after.to_owned())), "{before}");
            }
        }
    }

    #[test]
    fn several_are_shown() {
        let table: [(&str, &[&str]); 4] = [
            ("/al", &["/all", "/alias"]),
            ("/exit an", &["anton", "anna"]),
            ("/to a", &["anton", "anna", "all"]),
            ("/dialect berta b", &["bracketed", "block"]),
        ];
        for (before, candidates) in table {
            let candidates = candidates.iter().map(ToString::to_string).collect();
            assert_eq!(at(&Prompt::Choice, before), Some(Completed::Candidates(candidates)), "{before}");
        }
    }

    #[test]
    fn a_word_that_can_be_anything_is_not_completed() {
        for before in
            ["", "be", " /ms", "/x", "/msg x", "/msg berta be", "/all be", "/peers be", "/x be", "//ms"]
        {
            assert_eq!(at(&Prompt::Choice, before), None, "{before}");
        }
        for prompt in [Prompt::Text, Prompt::Conversation("P1".into())] {
            for before in ["", "be ", "xbe", "//ms"] {
                assert_eq!(at(&prompt, before), None, "{prompt:?} {before}");
            }
        }
        for prompt in [Prompt::Text, Prompt::Name, Prompt::Recipient(None)] {
            assert_eq!(at(&prompt, "/ms"), None, "{prompt:?}");
        }
    }
}
