//! What is wrong with something that was typed, and what to type instead.

use super::addresses::At;
use super::phrases::{Grouped, Named, Quoted, active_row};
use crate::chat::command::Command;
use crate::chat::notice::{BadCommand, BadSlash, JsonFault, Mistake};
use crate::limits::{
    COMMAND_ID_BYTES_MAX, HELD_BYTES_MAX, HELD_PER_PEER_MAX, HELD_TEXTS_MAX, NAME_BYTES_MAX, RECALLED_MAX,
    TYPED_BYTES_MAX,
};
use crate::proto::clean::CleanName;
use crate::proto::message::Dialect;
use std::fmt::{self, Formatter};

/// What is told where there is no screen to be cleared.
pub(super) const FOR_TERMINALS: &str =
    "/clear is for a terminal whose lines are edited here; nothing was cleared.";

pub(super) fn mistaken(f: &mut Formatter<'_>, mistake: &Mistake) -> fmt::Result {
    match mistake {
        Mistake::AliasTaken(who) => {
            writeln!(f, "You already use that name for {}; choose another one.", At(who.address))
        }
        Mistake::AmbiguousName { name, peers } => {
            let name = CleanName(name);
            writeln!(
                f,
                "Several peers are called '{name}'; type the number or address of the one you mean."
            )?;
            peers.iter().try_for_each(|row| active_row(f, row))
        }
        Mistake::BadAddress(typed) => writeln!(
            f,
            "'{}' is not an IP address, a number from the last list or a known name; try again, or press \
             Enter for the menu.",
            Quoted(typed)
        ),
        Mistake::HeldFull => writeln!(
            f,
            "Too many texts are held for later already: {HELD_PER_PEER_MAX} for one peer, {} for all, or {} MiB. Type /held \
             to see them, and /held WHO drop to forget some.",
            Grouped(HELD_TEXTS_MAX as u64),
            HELD_BYTES_MAX >> 20,
        ),
        Mistake::NothingHeld(to) => writeln!(f, "Nothing is held for {}.", At(*to)),
        Mistake::BadAlias(typed) => {
            writeln!(
                f,
                "'{}' cannot be an alias: an alias is one word, and not a number, an address or a word such as 'all'.",
                CleanName(typed)
            )
        }
        Mistake::BadCount(typed) => {
            writeln!(f, "'{}' is not a number of messages: give one from 1 to {RECALLED_MAX}.", Quoted(typed))
        }
        Mistake::BadCommand(bad) => bad_command(f, bad),
        Mistake::BadDialect(typed) => {
            writeln!(f, "'{}' is not a valid dialect: choose {}.", Quoted(typed), Dialect::choices())
        }
        Mistake::BadPort(typed) => {
            writeln!(f, "'{}' is not a valid port: type a number from 1 to 65535.", Quoted(typed))
        }
        Mistake::BadScope(fault) => writeln!(f, "{fault}."),
        Mistake::BadSlash(bad) => bad_slash(f, bad),
        Mistake::Blocked(who) => {
            writeln!(f, "You have blocked {}; type /unblock {} first.", Named(who), At(who.address))
        }
        Mistake::Diagnosing(address) => {
            writeln!(
                f,
                "The way to {} is being diagnosed; wait for its verdict, then try again.",
                At(*address)
            )
        }
        Mistake::EmptyMessage => writeln!(f, "An empty message is not sent; type some text."),
        Mistake::EmptyName => writeln!(f, "A name is needed; type one, for example P1."),
        Mistake::HostName(typed) => writeln!(
            f,
            "'{}' is not an address, and host names cannot be used here; give an IP:PORT, a number from the last list \
             or a known name.",
            Quoted(typed)
        ),
        Mistake::LineTooLong => writeln!(f, "That line is too long; type at most {TYPED_BYTES_MAX} bytes."),
        Mistake::NameTooLong => {
            writeln!(f, "That name is too long; choose one of at most {NAME_BYTES_MAX} bytes.")
        }
        Mistake::NoneToConnect => {
            writeln!(f, "There are no active peers to connect to; name a peer, or give an IP:PORT.")
        }
        Mistake::NoPeers => {
            writeln!(f, "No peers yet. Send a message to somebody's address first.")
        }
        Mistake::NoStaticPeers => {
            writeln!(f, "There are no static peers; name some with --static-peer when you start the program.")
        }
        Mistake::NoConversation => f.write_str("There is no conversation for that; /to NAME begins one.\n"),
        Mistake::NoSuchNumber(number) => {
            writeln!(f, "There is no number {number} in the last list; choose one from it.")
        }
        Mistake::NoKey(who) => {
            writeln!(
                f,
                "No key of {} is kept: it was not met encrypted, or it is a program of yours, with your own key.",
                Named(who)
            )
        }
        Mistake::NotCompared(who) => {
            writeln!(f, "That is not what {} has to see now; compare again with /verify.", Named(who))
        }
        Mistake::NoOwnKey => f.write_str("You have no key, so there is nothing to compare.\n"),
        Mistake::NotBlocked(who) => {
            writeln!(f, "{} is not blocked; choice 2 shows who is.", Named(who))
        }
        Mistake::NotYesOrNo => f.write_str("Please answer y or n.\n"),
        Mistake::UnknownChoice(typed) => {
            writeln!(
                f,
                "'{}' is not a valid choice: type a number from 0 to 5, or /to NAME to chat.",
                Quoted(typed)
            )
        }
        Mistake::Yourself(address) => {
            writeln!(f, "{} is this program; type somebody else's address.", At(*address))
        }
    }
}

fn bad_command(f: &mut Formatter<'_>, bad: &BadCommand) -> fmt::Result {
    match bad {
        BadCommand::BadId => {
            writeln!(f, "The id must be a string or a number, of at most {COMMAND_ID_BYTES_MAX} bytes.")
        }
        BadCommand::DuplicateField { field, column } => {
            let field = Quoted(field);
            writeln!(f, "The field '{field}' is repeated at column {column}; give it once.")
        }
        BadCommand::Malformed { fault, column } => malformed(f, *fault, *column),
        BadCommand::Missing { command, field } => {
            writeln!(f, "The command '{command}' needs the field '{field}', a string with some text.")
        }
        BadCommand::NoCommand => {
            writeln!(f, "The field 'command' is missing; it is one of {}.", Command::names())
        }
        BadCommand::NotAnObject => {
            writeln!(
                f,
                "That is not a JSON object; write one on each line, such as {{\"command\":\"peers\"}}."
            )
        }
        BadCommand::NotUtf8(column) => {
            writeln!(f, "There are bytes at column {column} that are not UTF-8; write UTF-8, or an escape.")
        }
        BadCommand::Unknown(name) => {
            writeln!(f, "'{}' is not a command: use one of {}.", Quoted(name), Command::names())
        }
        BadCommand::UnknownField { command, field } => {
            writeln!(f, "The command '{command}' has no field '{}'; leave it out.", Quoted(field))
        }
    }
}

fn malformed(f: &mut Formatter<'_>, fault: JsonFault, column: usize) -> fmt::Result {
    match fault {
        JsonFault::BadEscape => {
            writeln!(f, "The escape at column {column} is not valid JSON; write a backslash as two.")
        }
        JsonFault::ControlCharacter => {
            writeln!(f, "A string has a control character at column {column}; write an escape, such as \\t.")
        }
        JsonFault::LoneSurrogate => writeln!(
            f,
            "The escape at column {column} is half of a surrogate pair; write both halves, such as \\ud83d\\ude00."
        ),
        JsonFault::NumberOutOfRange => {
            writeln!(f, "The number at column {column} is too large; no command needs such a number.")
        }
        JsonFault::Syntax => {
            writeln!(
                f,
                "That is not valid JSON at column {column}; check the quotes, colons and commas there."
            )
        }
        JsonFault::TooDeep => {
            writeln!(f, "The JSON is nested too deeply at column {column}; a command is one flat object.")
        }
        JsonFault::TrailingComma => {
            writeln!(f, "Remove the comma before column {column}.")
        }
        JsonFault::TrailingText => {
            writeln!(
                f,
                "There is more text after the object at column {column}; write one object on each line."
            )
        }
        JsonFault::Truncated => {
            writeln!(
                f,
                "The line ends at column {column}, before the object is complete; write the whole object on one line."
            )
        }
    }
}

fn bad_slash(f: &mut Formatter<'_>, bad: &BadSlash) -> fmt::Result {
    match bad {
        BadSlash::ForPeople => {
            writeln!(f, "Conversations are for people; use /msg, which names the peer each time.")
        }
        BadSlash::ForTerminals => writeln!(f, "{FOR_TERMINALS}"),
        BadSlash::NameIsFixed => {
            writeln!(
                f,
                "Your name is set at the start: give --name NAME, or name = \"NAME\" in the config file."
            )
        }
        BadSlash::Unknown { word, nearest: Some(nearest) } => {
            writeln!(
                f,
                "'{}' is not a command: did you mean {nearest}? Type /help for the list.",
                Quoted(word)
            )
        }
        BadSlash::Unknown { word, nearest: None } => {
            writeln!(f, "'{}' is not a command: type /help for the list.", Quoted(word))
        }
        BadSlash::Usage { name, arguments: "" } => writeln!(f, "{name} takes no arguments."),
        BadSlash::Usage { name: "/exit", arguments } => {
            writeln!(f, "Usage: /exit {arguments}, which is for one peer; /quit ends the program")
        }
        BadSlash::Usage { name, arguments } => {
            writeln!(f, "Usage: {name} {arguments}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::notice::{Notice, Who};
    use crate::limits::QUOTED_CHARS_MAX;
    use crate::term::render::Sentence;
    use std::net::SocketAddr;

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    fn who(name: &str) -> Who {
        Who::new(address(8080), name.into())
    }

    #[test]
    fn a_mistake_repeats_only_the_beginning_of_a_long_line() {
        let typed = || "é\x1b".repeat(QUOTED_CHARS_MAX);
        let shown = format!("'{}…' is not a", "é␛".repeat(QUOTED_CHARS_MAX / 2));
        for mistake in [
            Mistake::BadAddress(typed()),
            Mistake::BadCount(typed()),
            Mistake::BadDialect(typed()),
            Mistake::BadPort(typed()),
            Mistake::HostName(typed()),
            Mistake::UnknownChoice(typed()),
            BadSlash::Unknown { word: typed(), nearest: None }.into(),
            BadCommand::Unknown(typed()).into(),
        ] {
            let said = Sentence(&Notice::Mistake(mistake)).to_string();
            assert!(said.starts_with(&shown), "{said}");
        }
    }

    #[test]
    fn mistakes_say_what_to_type_instead() {
        let typed = || "x\x1b".to_string();
        let unknown = |nearest| Mistake::from(BadSlash::Unknown { word: typed(), nearest });
        for (mistake, words) in [
            (Mistake::AliasTaken(who("P1")), "You already use that name for 127.0.0.1:8080; choose another"),
            (Mistake::BadAddress(typed()), "'x␛' is not an IP address, a number from the last list or"),
            (
                Mistake::BadAlias(typed()),
                "'x␛' cannot be an alias: an alias is one word, and not a number, an address or a",
            ),
            (BadSlash::ForPeople.into(), "Conversations are for people; use /msg,"),
            (unknown(None), "'x␛' is not a command: type /help for the list."),
            (unknown(Some("/msg")), "'x␛' is not a command: did you mean /msg? Type /help"),
            (BadSlash::ForTerminals.into(), "/clear is for a terminal whose lines are edited here;"),
            (BadSlash::NameIsFixed.into(), "Your name is set at the start: give --name NAME, or name = "),
            (BadSlash::Usage { name: "/stats", arguments: "" }.into(), "/stats takes no arguments."),
            (BadSlash::Usage { name: "/msg", arguments: "WHO TEXT" }.into(), "Usage: /msg WHO TEXT"),
            (
                BadSlash::Usage { name: "/exit", arguments: "WHO" }.into(),
                "Usage: /exit WHO, which is for one",
            ),
            (Mistake::BadDialect(typed()), "'x␛' is not a valid dialect: choose standard,"),
            (Mistake::BadPort(typed()), "'x␛' is not a valid port: type a number from 1 to 65535."),
            (
                Mistake::Blocked(who("P1")),
                "You have blocked P1 (127.0.0.1:8080); type /unblock 127.0.0.1:8080 first.",
            ),
            (Mistake::EmptyMessage, "An empty message is not sent; type some text."),
            (Mistake::EmptyName, "A name is needed; type one, for example P1."),
            (Mistake::LineTooLong, "That line is too long; type at most 65536 bytes."),
            (Mistake::NameTooLong, "That name is too long; choose one of at most 64 bytes."),
            (
                Mistake::HostName(typed()),
                "'x␛' is not an address, and host names cannot be used here; give an IP:PORT",
            ),
            (Mistake::NoneToConnect, "There are no active peers to connect to;"),
            (Mistake::NoPeers, "No peers yet. Send a message to somebody's address"),
            (Mistake::NoStaticPeers, "There are no static peers; name some with --static-peer"),
            (Mistake::NoConversation, "There is no conversation for that; /to"),
            (Mistake::NoSuchNumber(9), "There is no number 9 in the last list; choose one"),
            (Mistake::NotBlocked(who("P1")), "P1 (127.0.0.1:8080) is not blocked; choice 2 shows"),
            (
                Mistake::UnknownChoice(typed()),
                "'x␛' is not a valid choice: type a number from 0 to 5, or /to NAME to chat.",
            ),
            (Mistake::Yourself(address(8080)), "127.0.0.1:8080 is this program; type"),
        ] {
            let said = Sentence(&Notice::Mistake(mistake)).to_string();
            let is_usage = words.starts_with("Usage: ");
            assert!(said.starts_with(words) && (is_usage || said.ends_with(".\n")), "{said}");
        }
    }
}
