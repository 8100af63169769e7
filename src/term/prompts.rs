//! The words of prompts: in full, as the assignment has them, and in fewer words for a narrow terminal.

use super::later;
use super::phrases::{Count, begun};
use crate::chat::notice::{Partner, Prompt, Unread};
use crate::limits::{PARTNER_CHARS_MAX, PARTNER_COLUMNS_MAX, UNREAD_NAMES_SHOWN_MAX};
use crate::proto::clean::CleanName;
use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use unicode_width::UnicodeWidthChar;

/// The words of a prompt. The answer is typed behind them, so they end in a space, not a newline.
pub fn prompt_text(prompt: &Prompt) -> Cow<'static, str> {
    Cow::Borrowed(match prompt {
        Prompt::Choice => "Enter choice: ",
        Prompt::ConnectTo => "Enter a number, 'a' for all, or IP:PORT: ",
        Prompt::Conversation(partner) => return conversation(partner, &Counts(&partner.unread)).into(),
        Prompt::IsSame(name) => {
            return format!("Does {} see the same number? y/n: ", CleanName(&short(name))).into();
        }
        Prompt::ForgetKey(name) => {
            return format!("Forget the key of {}? y/n: ", CleanName(&short(name))).into();
        }
        Prompt::Held(question) => return later::question(question).into(),
        Prompt::Name => "Enter your name: ",
        Prompt::Port => "Enter your port number: ",
        Prompt::Recipient(_) => "Enter the recipient's IP address: ",
        Prompt::RecipientPort => "Enter the recipient's port number: ",
        Prompt::Text => "Enter your message: ",
        Prompt::TextToAll(peers) => return format!("Enter your message to {}: ", all(*peers)).into(),
    })
}

/// A prompt in fewer and fewer words, the full one first, for a narrow terminal.
pub(super) fn prompt_texts(prompt: &Prompt) -> Vec<Cow<'static, str>> {
    let fewer: &[&str] = match prompt {
        Prompt::Choice => &["Choice: "],
        Prompt::ConnectTo => &["Number, 'a' for all, or IP:PORT: ", "Number, 'a', IP:PORT: ", "Connect to: "],
        Prompt::Conversation(partner) => {
            let count: u64 = partner.unread.iter().map(|unread| unread.texts).sum();
            let sign = sign_of(partner.unread.iter().any(|unread| unread.has_mention));
            let counted = if count > 0 { format!(" · {count}{sign}") } else { String::new() };
            let name = match partner.peers {
                Some(peers) => format!("all {peers}"),
                None => narrow(&CleanName(&partner.name).to_string()).into_owned(),
            };
            return vec![
                prompt_text(prompt),
                conversation(partner, &counted).into(),
                format!("→ {name}{counted}: ").into(),
                format!("→ {name}: ").into(),
            ];
        }
        Prompt::IsSame(_) => &["The same? y/n: "],
        Prompt::ForgetKey(_) => &["Forget it? y/n: "],
        Prompt::Held(question) => return vec![prompt_text(prompt), later::short_question(question)],
        Prompt::Name => &["Name: "],
        Prompt::Port => &["Port number: ", "Port: "],
        Prompt::Recipient(_) => &["Recipient's IP address: ", "Recipient's IP: "],
        Prompt::RecipientPort => &["Recipient's port: "],
        Prompt::Text => &["Message: "],
        Prompt::TextToAll(peers) => {
            let fewer = [format!("Message to {}: ", all(*peers)), format!("To all {peers}: ")];
            return std::iter::once(prompt_text(prompt)).chain(fewer.map(Cow::Owned)).collect();
        }
    };
    std::iter::once(prompt_text(prompt)).chain(fewer.iter().copied().map(Cow::Borrowed)).collect()
}

fn conversation(partner: &Partner, unread: &dyn Display) -> String {
    let away = if partner.is_away { " (away)" } else { "" };
    match partner.peers {
        Some(peers) => format!("→ {}{unread}: ", all(peers)),
        None => format!("→ {}{away}{unread}: ", CleanName(&short(&partner.name))),
    }
}

/// Whom a text to all goes to.
fn all(peers: usize) -> String {
    format!("all {}", Count(peers as u64, "peer"))
}

/// What stands behind the number of unread messages if the user is mentioned there.
fn sign_of(has_mention: bool) -> &'static str {
    if has_mention { "!" } else { "" }
}

/// How much is unread of whom, for a prompt.
struct Counts<'a>(&'a [Unread]);

impl Display for Counts<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (n, Unread { name, texts, has_mention }) in self.0.iter().take(UNREAD_NAMES_SHOWN_MAX).enumerate()
        {
            let before = if n == 0 { " ·" } else { "," };
            write!(f, "{before} {} {texts}{}", CleanName(&short(name)), sign_of(*has_mention))?;
        }
        match self.0.len().saturating_sub(UNREAD_NAMES_SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A name that leaves room for what is typed.
fn short(name: &str) -> Cow<'_, str> {
    address_end(name, PARTNER_CHARS_MAX).unwrap_or_else(|| begun(name, PARTNER_CHARS_MAX))
}

/// An address, or its end with the port, in which peers of one host differ; `None` for a name, which has no colon here.
fn address_end(name: &str, chars_max: usize) -> Option<Cow<'_, str>> {
    let extra = name.contains(':').then(|| name.chars().count().saturating_sub(chars_max))?;
    Some(match name.char_indices().nth(extra) {
        Some((start @ 1.., _)) => format!("…{}", &name[start..]).into(),
        _ => name.into(),
    })
}

/// A name that leaves room for what is typed on a narrow terminal.
fn narrow(name: &str) -> Cow<'_, str> {
    if let Some(end) = address_end(name, PARTNER_COLUMNS_MAX) {
        return end;
    }
    let mut columns = 0;
    let over = name.char_indices().find(|(_, c)| {
        columns += c.width().unwrap_or(1);
        columns > PARTNER_COLUMNS_MAX
    });
    over.map_or(name.into(), |(end, _)| format!("{}…", &name[..end]).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::notice::Notice;
    use crate::term::render::Sentence;
    use unicode_width::UnicodeWidthStr;

    /// Conversations with unread messages; a name of capitals mentions the user.
    fn elsewhere(unread: &[(&str, u64)]) -> Vec<Unread> {
        let unread = unread.iter().map(|&(name, texts)| {
            let has_mention = name.chars().all(char::is_uppercase);
            Unread { name: name.to_owned(), texts, has_mention }
        });
        unread.collect()
    }

    fn to_all(peers: usize, unread: &[(&str, u64)]) -> Prompt {
        let unread = elsewhere(unread);
        Prompt::Conversation(Partner { peers: Some(peers), unread, ..Partner::from("all") })
    }

    fn talk(unread: &[(&str, u64)]) -> Partner {
        Partner { is_away: true, unread: elsewhere(unread), ..Partner::from("anna") }
    }

    #[test]
    fn of_an_address_that_is_too_long_for_a_prompt_the_port_is_shown() {
        for (address, full, fewest) in [
            ("127.0.0.1:80", "→ 127.0.0.1:80: ", "→ 127.0.0.1:80: "),
            ("127.0.0.1:8080", "→ 127.0.0.1:8080: ", "→ 127.0.0.1:8080: "),
            ("127.0.0.1:17002", "→ 127.0.0.1:17002: ", "→ …27.0.0.1:17002: "),
            ("[fe80::1%eth0]:8080", "→ [fe80::1%eth0]:8080: ", "→ …::1%eth0]:8080: "),
            ("[2001:db8::aaaa:bbbb:cccc]:8080", "→ …b8::aaaa:bbbb:cccc]:8080: ", "→ …bbb:cccc]:8080: "),
        ] {
            let prompts = prompt_texts(&Prompt::Conversation(address.into()));
            assert_eq!((&*prompts[0], prompts.last().unwrap().as_ref()), (full, fewest));
        }
    }

    #[test]
    fn prompts_end_at_the_cursor_and_their_short_forms_fit_half_of_40_columns() {
        for (prompt, words) in [
            (Prompt::Name, "Enter your name: "),
            (Prompt::Port, "Enter your port number: "),
            (Prompt::Choice, "Enter choice: "),
            (Prompt::Recipient(None), "Enter the recipient's IP address: "),
            (Prompt::RecipientPort, "Enter the recipient's port number: "),
            (Prompt::Text, "Enter your message: "),
            (Prompt::ConnectTo, "Enter a number, 'a' for all, or IP:PORT: "),
            (Prompt::Conversation("P1".into()), "→ P1: "),
            (Prompt::Conversation(talk(&[])), "→ anna (away): "),
            (Prompt::Conversation(talk(&[("bob", 2), ("chloé", 1)])), "→ anna (away) · bob 2, chloé 1: "),
            (
                Prompt::Conversation(talk(&[("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)])),
                "→ anna (away) · a 1, b 2, c 3 and 2 more: ",
            ),
            (Prompt::Conversation(talk(&[("BOB", 2), ("zoe", 1)])), "→ anna (away) · BOB 2!, zoe 1: "),
            (Prompt::TextToAll(3), "Enter your message to all 3 peers: "),
            (Prompt::TextToAll(1), "Enter your message to all 1 peer: "),
            (Prompt::TextToAll(65_536), "Enter your message to all 65,536 peers: "),
            (to_all(3, &[]), "→ all 3 peers: "),
            (to_all(0, &[]), "→ all 0 peers: "),
            (to_all(65_536, &[("BOB", 2)]), "→ all 65,536 peers · BOB 2!: "),
            (Prompt::Conversation("all".into()), "→ all: "),
            (Prompt::Conversation("$(x)\x1b[2J".into()), "→ $(x)␛[2J: "),
            (Prompt::Conversation("é".repeat(32).as_str().into()), "→ éééééééééééééééééééééééé…: "),
        ] {
            let all = prompt_texts(&prompt);
            let columns: Vec<usize> = all.iter().map(|text| text.width()).collect();
            assert!(all[0] == words && columns.is_sorted_by(|more, fewer| more >= fewer), "{all:?}");
            assert!(columns.last().is_some_and(|&fewest| fewest <= 20), "{all:?}");
            assert_eq!(Sentence(&Notice::Prompt(prompt)).to_string(), words);
        }
    }
}
