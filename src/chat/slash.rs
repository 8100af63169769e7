//! What a person types beside the menu's choices: a line that begins with a slash names a command.
//!
//! A pure function, and the one table of these commands: the sentences for what is wrong with a line, `/help`,
//! completion and the table of the guide come from it. Which peer a word means, the node finds out.

use super::notice::{BadSlash, Mistake};
use super::request::{
    ALL, Audience, Designation, Request, Switch, Whose, is_unmistakable, parse_designation,
};
use crate::limits::{NAME_BYTES_MAX, RECALLED_MAX};
use crate::proto::message::stripped;

/// One command.
#[derive(Debug)]
pub struct Slash {
    /// Its name, with the slash.
    pub name: &'static str,
    /// A word for each argument: [`WHO`], [`WHO_OR_ALL`], [`PERHAPS_WHO_OR_ALL`], [`DIALECT`] or a text.
    pub arguments: &'static str,
    /// What it does, in a few words.
    pub does: &'static str,
    request: fn(&str) -> Parsed,
}

/// A peer is to be typed here.
pub const WHO: &str = "WHO";
/// A peer is to be typed here, or [`ALL`].
pub const WHO_OR_ALL: &str = "WHO|all";
/// The same, and it may be left out.
pub const PERHAPS_WHO_OR_ALL: &str = "[WHO|all]";
/// A peer may be typed here, if [`DROP`] is typed behind it.
pub const PERHAPS_WHO: &str = "[WHO";
/// The word that makes `/held` forget.
pub const DROP: &str = "drop";
/// [`DROP`] is to be typed here.
pub const PERHAPS_DROP: &str = "drop]";
/// A dialect is to be typed here.
pub const DIALECT: &str = "DIALECT";

/// What it does to quit.
pub(super) const QUIT: &str = "quit; connected peers and those you wrote to get TEXT";

/// What a text begins with that says what its sender does, as everywhere else.
pub const ACTION: &str = "/me ";

/// All commands, in the order in which they are shown.
pub static SLASHES: &[Slash] = &[
    Slash::new("/msg", "WHO TEXT", "send a text to one peer", |rest| {
        let (who, text) = who_and_rest(rest)?;
        Ok(Request::SendTo(who, None, message(text)?))
    }),
    Slash::new("/all", "TEXT", "send a text to all peers", |rest| {
        Ok(Request::Send(Audience::All, message(rest)?))
    }),
    Slash::new("/to", WHO_OR_ALL, "send every line to them, until an empty line", |rest| {
        Ok(who_or_all(rest)?.map_or(Request::ConverseWithAll, Request::Converse))
    }),
    Slash::new("/switch", "[N|next|previous]", "go to another conversation", |rest| {
        Ok(Request::Switch(match rest {
            "" => Switch::Unread,
            "next" => Switch::Next,
            "previous" => Switch::Previous,
            number => Switch::Number(number.parse().map_err(|_| None)?),
        }))
    }),
    Slash::new("/close", "", "leave a conversation, as an empty line does", |rest| {
        alone(rest, Request::Close)
    }),
    Slash::new("/history", "[WHO|all] [N]", "show what was said last in a conversation", history),
    Slash::new("/lastlog", "TEXT", "find what was said", |rest| match rest.trim() {
        "" => Err(None),
        text => Ok(Request::Lastlog(text.to_owned())),
    }),
    Slash::new("/peers", "", "list the peers", |rest| alone(rest, Request::Query)),
    Slash::new("/nearby", "", "look for peers on this network", |rest| alone(rest, Request::Nearby)),
    Slash::new("/whois", WHO, "show what is known of a peer", |rest| Ok(Request::Whois(who(rest)?))),
    Slash::new("/me", "[TEXT]", "say what you do; omit TEXT to see who you are", |rest| {
        if rest.trim().is_empty() { Ok(Request::Me) } else { Ok(Request::Act(message(rest)?)) }
    }),
    Slash::new("/away", "[TEXT]", "answer each peer once with this text; omit it to stop", |rest| {
        Ok(Request::Away(Some(rest.trim()).filter(|text| !text.is_empty()).map(str::to_owned)))
    }),
    Slash::new("/later", "WHO TEXT", "send a text as soon as a peer is back", |rest| {
        let (who, text) = who_and_rest(rest)?;
        Ok(Request::Later(who, message(text)?))
    }),
    Slash::new("/held", "[WHO drop]", "list what is held for later, or drop it for a peer", held),
    Slash::new("/connect", WHO_OR_ALL, "connect to one peer, or to all active peers", |rest| {
        Ok(who_or_all(rest)?.map_or(Request::ConnectAll, Request::Connect))
    }),
    Slash::new("/diagnose", WHO, "find out why a peer cannot be reached", |rest| {
        Ok(Request::Diagnose(who(rest)?))
    }),
    Slash::new("/exit", WHO, "say exit to a peer, and remove it from the list", |rest| {
        Ok(Request::Exit(who(rest)?))
    }),
    Slash::new("/alias", "WHO [NAME]", "give a peer an alias; omit NAME to remove it", |rest| {
        let (who, name) = who_and_rest(rest)?;
        let name = if name.is_empty() { None } else { Some(alias(one_word(name)?)?) };
        Ok(Request::Alias(who, name))
    }),
    Slash::new("/dialect", "WHO DIALECT", "choose the dialect for a peer", |rest| {
        let (who, word) = who_and_rest(rest)?;
        let dialect = one_word(word)?.parse().map_err(|_| Mistake::BadDialect(word.to_owned()))?;
        Ok(Request::SetDialect(who, dialect))
    }),
    Slash::new("/block", WHO, "ignore a peer, and stop writing to it", |rest| Ok(Request::Block(who(rest)?))),
    Slash::new("/unblock", WHO, "stop ignoring a peer", |rest| Ok(Request::Unblock(who(rest)?))),
    Slash::new("/key", "", "show your own key", |rest| alone(rest, Request::Key)),
    Slash::new("/verify", WHO, "compare keys with a peer", |rest| Ok(Request::Verify(who(rest)?))),
    Slash::new("/trust", WHO, "forget the key of a peer that has a new one", |rest| {
        Ok(Request::Trust(who(rest)?))
    }),
    Slash::new("/clear", "", "clear the screen", |rest| alone(rest, Request::Clear)),
    Slash::new("/stats", "", "show statistics", |rest| alone(rest, Request::Stats)),
    Slash::new("/help", "", "list these commands", |rest| alone(rest, Request::Help)),
    Slash::new("/quit", "[TEXT]", QUIT, |rest| Ok(Request::Quit(last_words(rest)))),
];

/// Other names of commands, as people know them from elsewhere, and what they are called here.
pub const ALIASES: [(&str, &str); 11] = [
    ("/m", "/msg"),
    ("/w", "/msg"),
    ("/tell", "/msg"),
    ("/query", "/to"),
    ("/names", "/peers"),
    ("/who", "/peers"),
    ("/list", "/peers"),
    ("/ignore", "/block"),
    ("/unignore", "/unblock"),
    ("/part", "/close"),
    ("/leave", "/close"),
];

/// A command that other chats have, and that people type by habit. It only gets a sentence.
const NICK: &str = "/nick";

/// `Err(None)`: there are too few words, or too many.
type Parsed<T = Request> = Result<T, Option<Mistake>>;

impl Slash {
    const fn new(
        name: &'static str,
        arguments: &'static str,
        does: &'static str,
        request: fn(&str) -> Parsed,
    ) -> Self {
        Self { name, arguments, does, request }
    }

    /// The command of this name or [alias](ALIASES), in any case.
    pub fn find(name: &str) -> Option<&'static Self> {
        let alias = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name));
        let name = alias.map_or(name, |(_, name)| name);
        SLASHES.iter().find(|slash| slash.name.eq_ignore_ascii_case(name))
    }

    /// That it has too few words or too many.
    pub(super) fn usage(&self) -> Mistake {
        BadSlash::Usage { name: self.name, arguments: self.arguments }.into()
    }

    /// The word for an argument, counted from 0.
    pub fn argument(&self, place: usize) -> Option<&'static str> {
        self.arguments.split(' ').filter(|word| !word.is_empty()).nth(place)
    }
}

/// What a line that begins with a slash asks for.
pub fn parse(line: &str) -> Result<Request, Mistake> {
    let (word, rest) = split_word(line);
    if word.eq_ignore_ascii_case(NICK) {
        return Err(BadSlash::NameIsFixed.into());
    }
    let slash = Slash::find(word).ok_or_else(|| unknown(word))?;
    (slash.request)(rest.trim_end()).map_err(|mistake| mistake.unwrap_or_else(|| slash.usage()))
}

/// The text in a line of a conversation; `None` if it is a command. One that is to begin with a slash is typed
/// with two.
pub fn text_of(line: &str) -> Option<&str> {
    match line.strip_prefix('/') {
        Some(text) => text.starts_with('/').then_some(text),
        None => Some(line),
    }
}

fn unknown(word: &str) -> Mistake {
    BadSlash::Unknown { word: word.to_owned(), nearest: nearest(word) }.into()
}

/// The command that was meant, if the word is a typing error of it, or its beginning.
fn nearest(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let slips = |name: &str| strsim::osa_distance(&word, name);
    let is_near = |name: &str| slips(name) <= (name.len() / 3).max(1);
    let is_begun = |name: &str| word.len() > 1 && name.starts_with(&word);
    let names = SLASHES.iter().map(|slash| slash.name);
    names.filter(|name| is_near(name) || is_begun(name)).min_by_key(|name| slips(name))
}

/// The first word, and what is behind it and the one space that ends it.
fn split_word(line: &str) -> (&str, &str) {
    line.split_once(char::is_whitespace).unwrap_or((line, ""))
}

/// A text to be said before the program ends, if there is one.
pub(super) fn last_words(text: &str) -> Option<String> {
    message(text.trim()).ok()
}

fn alone(rest: &str, request: Request) -> Parsed {
    if rest.trim().is_empty() { Ok(request) } else { Err(None) }
}

fn one_word(rest: &str) -> Parsed<&str> {
    let mut words = rest.split_whitespace();
    words.next().filter(|_| words.next().is_none()).ok_or(None)
}

fn who(rest: &str) -> Parsed<Designation> {
    Ok(one(one_word(rest)?)?)
}

/// `None`: all.
fn who_or_all(rest: &str) -> Parsed<Option<Designation>> {
    let word = one_word(rest)?;
    if word.eq_ignore_ascii_case(ALL) { Ok(None) } else { Ok(Some(one(word)?)) }
}

fn who_and_rest(rest: &str) -> Parsed<(Designation, &str)> {
    let (word, rest) = split_word(rest.trim_start());
    if word.is_empty() { Err(None) } else { Ok((one(word)?, rest)) }
}

/// What is held is listed, or forgotten for one peer.
fn held(rest: &str) -> Parsed {
    let mut words = rest.split_whitespace();
    let Some(whom) = words.next() else { return Ok(Request::Held) };
    let is_drop = words.next().is_some_and(|word| word.eq_ignore_ascii_case(DROP));
    if !is_drop || words.next().is_some() { Err(None) } else { Ok(Request::ForgetHeld(one(whom)?)) }
}

/// A number alone may be that of a peer or that of messages: the node decides.
fn history(rest: &str) -> Parsed {
    let mut words = rest.split_whitespace();
    let whose = words.next().map_or(Ok(Whose::Present), whose)?;
    let count = words.next().map(count).transpose()?;
    if words.next().is_some() { Err(None) } else { Ok(Request::History(whose, count)) }
}

/// A conversation.
pub(super) fn whose(word: &str) -> Result<Whose, Mistake> {
    if word.eq_ignore_ascii_case(ALL) { Ok(Whose::All) } else { Ok(Whose::One(one(word)?)) }
}

/// A number of messages.
pub(super) fn count(word: &str) -> Result<usize, Mistake> {
    let count = word.parse().ok().filter(|count| (1..=RECALLED_MAX).contains(count));
    count.ok_or_else(|| Mistake::BadCount(word.to_owned()))
}

/// One peer. `all` and `localhost` never mean a peer: a stranger could take such a name to catch messages meant for
/// others.
fn one(word: &str) -> Result<Designation, Mistake> {
    let means_more = [ALL, "localhost"].iter().any(|other| word.eq_ignore_ascii_case(other));
    if means_more { Err(Mistake::BadAddress(word.to_owned())) } else { parse_designation(word) }
}

fn message(text: &str) -> Result<String, Mistake> {
    if stripped(text).is_empty() { Err(Mistake::EmptyMessage) } else { Ok(text.to_owned()) }
}

/// A name that a peer can be given.
pub(super) fn alias(name: &str) -> Result<String, Mistake> {
    if name.len() > NAME_BYTES_MAX {
        Err(Mistake::NameTooLong)
    } else if is_unmistakable(name) {
        Ok(name.to_owned())
    } else {
        Err(Mistake::BadAlias(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::message::Dialect;
    use std::net::SocketAddr;

    fn name(name: &str) -> Designation {
        Designation::Name(name.to_owned())
    }

    #[test]
    fn names_from_elsewhere_stand_for_commands_and_none_of_them_is_one() {
        for (alias, name) in ALIASES {
            assert_eq!(Slash::find(&alias.to_uppercase()).map(|slash| slash.name), Some(name));
            assert!(SLASHES.iter().all(|slash| slash.name != alias), "{alias}");
        }
        assert_eq!(parse("/m P1 hi"), parse("/msg P1 hi"));
    }

    #[test]
    fn each_command_is_a_request() {
        let address = Designation::Address(SocketAddr::from(([127, 0, 0, 1], 9090)));
        let text = |text: &str| text.to_owned();
        let table = [
            ("/msg P1 hello, you", Request::SendTo(name("P1"), None, text("hello, you"))),
            (
                "/MSG  2   two spaces more ",
                Request::SendTo(Designation::Number(2), None, text("  two spaces more")),
            ),
            ("/msg /etc/passwd $(x)", Request::SendTo(name("/etc/passwd"), None, text("$(x)"))),
            ("/all /msg is a text", Request::Send(Audience::All, text("/msg is a text"))),
            ("/later P1  see you", Request::Later(name("P1"), text(" see you"))),
            ("/held", Request::Held),
            ("/held P1  DROP ", Request::ForgetHeld(name("P1"))),
            ("/to localhost:9090", Request::Converse(address.clone())),
            ("/to ALL", Request::ConverseWithAll),
            ("/history", Request::History(Whose::Present, None)),
            ("/history 7", Request::History(Whose::One(Designation::Number(7)), None)),
            ("/history  ALL  100 ", Request::History(Whose::All, Some(100))),
            ("/history history 1", Request::History(Whose::One(name("history")), Some(1))),
            ("/history →", Request::History(Whose::One(name("→")), None)),
            ("/history 127.0.0.1:9090 10", Request::History(Whose::One(address.clone()), Some(10))),
            ("/lastlog  Two words.* (", Request::Lastlog(text("Two words.* ("))),
            ("/lastlog all", Request::Lastlog(text("all"))),
            ("/peers ", Request::Query),
            ("/connect 127.0.0.1:9090", Request::Connect(address.clone())),
            ("/connect all", Request::ConnectAll),
            ("/diagnose P1", Request::Diagnose(name("P1"))),
            ("/alias 127.0.0.1:9090 bob", Request::Alias(address, Some(text("bob")))),
            ("/alias P1 ", Request::Alias(name("P1"), None)),
            ("/dialect P1 Netech", Request::SetDialect(name("P1"), Dialect::Netech)),
            ("/block P1", Request::Block(name("P1"))),
            ("/unblock P1", Request::Unblock(name("P1"))),
            ("/stats", Request::Stats),
            ("/Help", Request::Help),
            ("/close ", Request::Close),
            ("/PART", Request::Close),
            ("/clear", Request::Clear),
            ("/me", Request::Me),
            ("/me  ", Request::Me),
            ("/me waves", Request::Act(text("waves"))),
            ("/quit", Request::Quit(None)),
            ("/quit  ", Request::Quit(None)),
            ("/quit now", Request::Quit(Some(text("now")))),
            ("/quit exit", Request::Quit(Some(text("exit")))),
            ("/quit /msg P1 x\x1b[2J", Request::Quit(Some(text("/msg P1 x\x1b[2J")))),
        ];
        for (line, request) in table {
            assert_eq!(parse(line), Ok(request), "{line}");
        }
    }

    #[test]
    fn words_that_are_missing_or_too_many_get_the_usage_of_their_command() {
        let lines = [
            "/msg",
            "/to",
            "/to P1 P2",
            "/history P1 1 now",
            "/lastlog",
            "/lastlog  ",
            "/peers now",
            "/connect",
            "/connect P1 P2",
            "/diagnose",
            "/exit",
            "/exit P1 P2",
            "/alias",
            "/alias P1 two words",
            "/dialect",
            "/dialect P1",
            "/dialect P1 block now",
            "/block",
            "/block P1 P2",
            "/unblock",
            "/unblock P1 P2",
            "/stats 1",
            "/help me",
            "/clear all",
            "/close P1",
            "/part #rust bye",
        ];
        for line in lines {
            let slash = Slash::find(split_word(line).0).unwrap();
            let usage = BadSlash::Usage { name: slash.name, arguments: slash.arguments };
            assert_eq!(parse(line), Err(usage.into()), "{line}");
        }
    }

    #[test]
    fn an_argument_that_cannot_be_used_is_told() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        let table = [
            ("/msg P1", Mistake::EmptyMessage),
            ("/msg P1  ", Mistake::EmptyMessage),
            ("/all", Mistake::EmptyMessage),
            ("/msg 10.1 hello", Mistake::BadAddress("10.1".to_owned())),
            ("/to 127.0.0.1:0", Mistake::BadPort("0".to_owned())),
            ("/block a:b", Mistake::BadAddress("a:b".to_owned())),
            ("/msg all hello", Mistake::BadAddress("all".to_owned())),
            ("/exit ALL", Mistake::BadAddress("ALL".to_owned())),
            ("/to localhost", Mistake::BadAddress("localhost".to_owned())),
            ("/history P1 0", Mistake::BadCount("0".to_owned())),
            ("/history P1 101", Mistake::BadCount("101".to_owned())),
            ("/history P1 -1", Mistake::BadCount("-1".to_owned())),
            ("/history all ten", Mistake::BadCount("ten".to_owned())),
            ("/history P1 99999999999999999999", Mistake::BadCount("99999999999999999999".to_owned())),
            ("/history localhost", Mistake::BadAddress("localhost".to_owned())),
            ("/history 99999999999999999999", Mistake::BadAddress("99999999999999999999".to_owned())),
            ("/dialect P1 klingon", Mistake::BadDialect("klingon".to_owned())),
            (&format!("/alias P1 {long}"), Mistake::NameTooLong),
        ];
        for (line, mistake) in table {
            assert_eq!(parse(line), Err(mistake), "{line}");
        }
        for line in ["/nick", "/nick P2", &format!("/nick {long}"), "/nick x\x1b[2J", "/NICK /quit"] {
            assert_eq!(parse(line), Err(BadSlash::NameIsFixed.into()), "{line}");
        }
        for word in ["7", "10.0.0.5", "::1", "x:1", "a", "ALL", "localhost", "x\x1b[2J"] {
            assert_eq!(
                parse(&format!("/alias P1 {word}")),
                Err(Mistake::BadAlias(word.to_owned())),
                "{word}"
            );
        }
        assert!(parse(&format!("/alias P1 {}", &long[1..])).is_ok());
    }

    #[test]
    fn an_unknown_word_suggests_the_command_that_was_meant_and_no_other() {
        let table = [
            ("/mgs P1 hello", Some("/msg")),
            ("/conect", Some("/connect")),
            ("/HLEP", Some("/help")),
            ("/dialects", Some("/dialect")),
            ("/p", Some("/peers")),
            ("/unbl", Some("/unblock")),
            ("/exti", Some("/exit")),
            ("/", None),
            ("/x", None),
            ("/etc/passwd", None),
            ("/frobnicate", None),
            ("//msg", Some("/msg")),
        ];
        for (line, nearest) in table {
            let word = split_word(line).0.to_owned();
            assert_eq!(parse(line), Err(BadSlash::Unknown { word, nearest }.into()), "{line}");
        }
    }

    #[test]
    fn the_guide_has_a_row_for_each_command() {
        let guide = include_str!("../../docs/guide.md");
        for slash in SLASHES {
            let typed = format!("{} {}", slash.name, slash.arguments);
            let row = format!("| `{}` |", typed.trim_end().replace('|', "\\|"));
            assert!(guide.contains(&row), "{row} is missing");
        }
    }
}
