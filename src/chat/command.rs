//! What a program types: a line is a JSON object that names a command, or a slash command, and leads to a
//! request.
//!
//! A pure function, like the menu, but without a state: a program is asked nothing. An object must have every field that
//! its command needs, and no others, so that a misspelt field is an error.
//!
//! A program does not wait for outcomes, as a person at the menu does. A bot that answers as it reads would wait for a
//! program that waits for it, and one peer that does not answer would hold up all others.

use super::id::CommandId;
use super::notice::{BadCommand, BadSlash, JsonFault, Mistake};
use super::request::{Audience, Compared, Designation, Request, Whose, parse_designation};
use super::slash;
use crate::limits::{COMMAND_BYTES_MAX, TYPED_BYTES_MAX};
use crate::proto::message::{Dialect, stripped};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::fmt::{self, Formatter};

/// One command.
#[derive(Debug)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a few words.
    pub does: &'static str,
    /// Its fields, apart from [`COMMAND`] and [`ID`].
    pub fields: &'static [Field],
    request: fn(&mut Fields) -> Result<Request, Mistake>,
}

/// One field of a command.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may be left out.
    pub is_optional: bool,
}

/// What a field of a command holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number of messages.
    Count,
    /// The name of a dialect.
    Dialect,
    /// A text.
    Text,
    /// A text, or null for none.
    TextOrNull,
    /// A peer: an address, a known name or a number of the last list.
    Whom,
    /// A peer, or [`ALL`](super::request::ALL).
    WhomOrAll,
}

/// The field that names the command.
pub const COMMAND: &str = "command";
/// The field that any command may have: what it holds comes back in each event that answers the command.
pub const ID: &str = "id";

/// The most characters that are repeated of something that is no count.
const COUNT_CHARS_MAX: usize = 64;

const TO: Field = Field { name: "to", kind: Kind::Whom, is_optional: false };
const TEXT: Field = Field { name: "text", kind: Kind::Text, is_optional: false };
const NUMBER: Field = Field { name: "number", kind: Kind::Text, is_optional: false };
const DIALECT: Field = Field { name: "dialect", kind: Kind::Dialect, is_optional: false };
const ALIAS: Field = Field { name: "alias", kind: Kind::TextOrNull, is_optional: true };
const TO_OR_ALL: Field = Field { kind: Kind::WhomOrAll, ..TO };
const COUNT: Field = Field { name: "count", kind: Kind::Count, is_optional: true };
const PERHAPS_TEXT: Field = Field { name: "text", kind: Kind::TextOrNull, is_optional: true };
const PERHAPS_DIALECT: Field = Field { is_optional: true, ..DIALECT };

/// All commands: a program can do what a person can, except to hold a conversation.
pub static COMMANDS: &[Command] = &[
    Command::new("send", "send a text to one peer", &[TO, TEXT, PERHAPS_DIALECT], |fields| {
        let (to, text, dialect) = (fields.whom()?, fields.text("text")?, fields.perhaps_dialect()?);
        Ok(Request::SendTo(to, dialect, message(&text)?))
    }),
    Command::new("send-all", "send a text to all peers", &[TEXT], |fields| {
        Ok(Request::Send(Audience::All, message(&fields.text("text")?)?))
    }),
    Command::new("connect", "connect to one peer", &[TO], |fields| Ok(Request::Connect(fields.whom()?))),
    Command::new("connect-all", "connect to all active peers", &[], |_| Ok(Request::ConnectAll)),
    Command::new("diagnose", "find out why a peer cannot be reached", &[TO], |fields| {
        Ok(Request::Diagnose(fields.whom()?))
    }),
    Command::new("peers", "list the peers", &[], |_| Ok(Request::Query)),
    Command::new("nearby", "look for peers on this network", &[], |_| Ok(Request::Nearby)),
    Command::new("whois", "show what is known of a peer", &[TO], |fields| Ok(Request::Whois(fields.whom()?))),
    Command::new(
        "history",
        "show what was said last to and by a peer, or to all",
        &[TO_OR_ALL, COUNT],
        |fields| Ok(Request::History(fields.whose()?, fields.perhaps_count()?)),
    ),
    Command::new("lastlog", "find what was said", &[TEXT], |fields| {
        let missing = BadCommand::Missing { command: "lastlog", field: "text" };
        match fields.text("text")?.trim() {
            "" => Err(missing.into()),
            text => Ok(Request::Lastlog(text.to_owned())),
        }
    }),
    Command::new("away", "answer each peer once with this text, or no more", &[PERHAPS_TEXT], |fields| {
        let text = fields.text_or_null("text")?.filter(|text| !text.trim().is_empty());
        Ok(Request::Away(text.map(|text| message(&text)).transpose()?))
    }),
    Command::new("later", "send a text as soon as a peer is back", &[TO, TEXT], |fields| {
        Ok(Request::Later(fields.whom()?, message(&fields.text("text")?)?))
    }),
    Command::new("held", "list the texts that are held for later", &[], |_| Ok(Request::Held)),
    Command::new("forget-held", "forget the texts that are held for a peer", &[TO], |fields| {
        Ok(Request::ForgetHeld(fields.whom()?))
    }),
    Command::new("alias", "give a peer an alias, or remove it", &[TO, ALIAS], |fields| {
        Ok(Request::Alias(
            fields.whom()?,
            fields.text_or_null("alias")?.map(|name| slash::alias(&name)).transpose()?,
        ))
    }),
    Command::new("dialect", "choose the dialect for a peer", &[TO, DIALECT], |fields| {
        Ok(Request::SetDialect(fields.whom()?, fields.dialect()?))
    }),
    Command::new("block", "ignore a peer, and stop writing to it", &[TO], |fields| {
        Ok(Request::Block(fields.whom()?))
    }),
    Command::new("unblock", "stop ignoring a peer", &[TO], |fields| Ok(Request::Unblock(fields.whom()?))),
    Command::new("key", "show your own key", &[], |_| Ok(Request::Key)),
    Command::new("verify", "show what is to be compared with a peer", &[TO], |fields| {
        Ok(Request::Verify(fields.whom()?))
    }),
    Command::new("verified", "note that a peer sees this number too", &[TO, NUMBER], |fields| {
        Ok(Request::Verified(fields.whom()?, Compared::Number(fields.text("number")?)))
    }),
    Command::new("trust", "forget the key of a peer that has a new one", &[TO], |fields| {
        Ok(Request::ForgetKey(fields.whom()?))
    }),
    Command::new("stats", "show statistics", &[], |_| Ok(Request::Stats)),
    Command::new("help", "list the slash commands", &[], |_| Ok(Request::Help)),
    Command::new("exit", "say exit to a peer, and remove it from the list", &[TO], |fields| {
        Ok(Request::Exit(fields.whom()?))
    }),
    Command::new("me", "show the name, the port and the addresses of this chat", &[], |_| Ok(Request::Me)),
    Command::new("quit", slash::QUIT, &[PERHAPS_TEXT], |fields| {
        let text = fields.text_or_null("text")?.filter(|text| !text.trim().is_empty());
        Ok(Request::Quit(text.map(|text| message(&text)).transpose()?))
    }),
];

impl Command {
    const fn new(
        name: &'static str,
        does: &'static str,
        fields: &'static [Field],
        request: fn(&mut Fields) -> Result<Request, Mistake>,
    ) -> Self {
        Self { name, does, fields, request }
    }

    /// The names of all, with commas between them.
    pub fn names() -> String {
        COMMANDS.iter().map(|command| command.name).collect::<Vec<_>>().join(", ")
    }
}

/// Replaces bytes that are not UTF-8. It is Unicode's substitute character, and JSON never allows it unescaped, so it
/// cannot be valid input.
pub const SUBSTITUTE: char = '\u{1A}';

/// What a line asks for, and its id if it has one; nothing, if it is empty. Bytes that were no UTF-8 are a
/// [`SUBSTITUTE`] in it.
pub fn parse(line: &str) -> (Option<CommandId>, Result<Option<Request>, Mistake>) {
    let mut noted = Noted::default();
    let asked = request(line, &mut noted);
    (noted.id, asked)
}

fn request(line: &str, noted: &mut Noted) -> Result<Option<Request>, Mistake> {
    let is_slash = line.trim_start().starts_with('/');
    if line.len() > if is_slash { TYPED_BYTES_MAX } else { COMMAND_BYTES_MAX } {
        return Err(Mistake::LineTooLong);
    }
    if line.trim().is_empty() {
        return Ok(None);
    }
    // An id before the bytes that are wrong is noted.
    let read = (!is_slash).then(|| object(line, noted));
    if let Some(at) = line.find(SUBSTITUTE) {
        return Err(BadCommand::NotUtf8(column(line, at + 1)).into());
    }
    let Some(read) = read else { return on_slash(line.trim()).map(Some) };
    let mut object = read?;
    if object.remove(ID).is_some() && noted.id.is_none() {
        return Err(BadCommand::BadId.into());
    }
    let mut fields = Fields::new(object)?;
    let request = (fields.command.request)(&mut fields)?;
    fields.finish()?;
    Ok(Some(request))
}

/// A program has no conversation: it could not know where its lines go.
fn on_slash(line: &str) -> Result<Request, Mistake> {
    match slash::parse(line)? {
        Request::Act(_)
        | Request::Close
        | Request::Converse(_)
        | Request::ConverseWithAll
        | Request::Switch(_) => Err(BadSlash::ForPeople.into()),
        Request::Clear => Err(BadSlash::ForTerminals.into()),
        // It would be asked.
        Request::Trust(whom) => Ok(Request::ForgetKey(whom)),
        request => Ok(request),
    }
}

/// What can be sent of a text. A line break would end the message on a session, and what follows it could
/// be a message in another's name.
fn message(text: &str) -> Result<String, Mistake> {
    let text = text.trim_end().replace("\r\n", " ").replace(['\r', '\n'], " ");
    if stripped(&text).is_empty() { Err(Mistake::EmptyMessage) } else { Ok(text) }
}

/// The object that a line is.
fn object(line: &str, noted: &mut Noted) -> Result<Map<String, Value>, BadCommand> {
    if !line.trim_start().starts_with('{') {
        return Err(BadCommand::NotAnObject);
    }
    let mut reader = serde_json::Deserializer::from_str(line);
    let object = ObjectSeed(noted).deserialize(&mut reader);
    let object = object.and_then(|object| reader.end().map(|()| object));
    object.map_err(|error| {
        let column = column(line, error.column());
        match noted.duplicate.take() {
            Some(field) => BadCommand::DuplicateField { field, column },
            None => BadCommand::Malformed { fault: fault(&error), column },
        }
    })
}

/// The character that ends with so many bytes of the line, counted from 1.
fn column(line: &str, bytes: usize) -> usize {
    line.char_indices().take_while(|&(at, _)| at < bytes).count()
}

/// The parser tells its faults apart by their sentences alone; tests hold it to them.
fn fault(error: &serde_json::Error) -> JsonFault {
    if error.classify() == Category::Eof {
        return JsonFault::Truncated;
    }
    let sentence = error.to_string();
    let table = [
        ("control character", JsonFault::ControlCharacter),
        ("invalid escape", JsonFault::BadEscape),
        ("lone leading surrogate", JsonFault::LoneSurrogate),
        ("number out of range", JsonFault::NumberOutOfRange),
        ("recursion limit", JsonFault::TooDeep),
        ("trailing characters", JsonFault::TrailingText),
        ("trailing comma", JsonFault::TrailingComma),
        ("unexpected end of hex escape", JsonFault::LoneSurrogate),
    ];
    let is_said = |(beginning, _): &&(&str, JsonFault)| sentence.starts_with(beginning);
    table.iter().find(is_said).map_or(JsonFault::Syntax, |&(_, fault)| fault)
}

/// What was noted while an object was read, even if the rest of it cannot be.
#[derive(Default)]
struct Noted {
    id: Option<CommandId>,
    /// A field that is there again.
    duplicate: Option<String>,
}

/// Reads an object, and notes a field that is there again: [`Map`] by itself would keep the last. It notes the id too,
/// as it is written; the map has only its name.
struct ObjectSeed<'a>(&'a mut Noted);

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if fields.contains_key(&name) {
                if name == ID {
                    // Nothing says which one counts.
                    self.0.id = None;
                }
                self.0.duplicate = Some(name);
                return Err(A::Error::custom("a field is there again"));
            }
            let value = if name == ID {
                self.0.id = CommandId::of(&entries.next_value::<Box<RawValue>>()?);
                Value::Null
            } else {
                entries.next_value()?
            };
            fields.insert(name, value);
        }
        Ok(fields)
    }
}

/// The fields of an object that are not used yet.
struct Fields {
    command: &'static Command,
    rest: Map<String, Value>,
}

impl Fields {
    fn new(mut rest: Map<String, Value>) -> Result<Self, Mistake> {
        let is_long = |text: &str| text.len() > TYPED_BYTES_MAX;
        if rest.iter().any(|(name, value)| is_long(name) || value.as_str().is_some_and(is_long)) {
            return Err(Mistake::LineTooLong);
        }
        let Some(Value::String(name)) = rest.remove(COMMAND) else {
            return Err(BadCommand::NoCommand.into());
        };
        match COMMANDS.iter().find(|command| command.name == name) {
            Some(command) => Ok(Self { command, rest }),
            None => Err(BadCommand::Unknown(name).into()),
        }
    }

    fn text(&mut self, field: &'static str) -> Result<String, Mistake> {
        match self.rest.remove(field) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(BadCommand::Missing { command: self.command.name, field }.into()),
        }
    }

    /// A field that may be left out, or null.
    fn text_or_null(&mut self, field: &'static str) -> Result<Option<String>, Mistake> {
        match self.rest.get(field) {
            None => Ok(None),
            Some(Value::Null) => {
                self.rest.remove(field);
                Ok(None)
            }
            Some(_) => self.text(field).map(Some),
        }
    }

    fn whom(&mut self) -> Result<Designation, Mistake> {
        let word = self.text("to")?;
        parse_designation(word.trim())
    }

    fn whose(&mut self) -> Result<Whose, Mistake> {
        slash::whose(self.text("to")?.trim())
    }

    fn perhaps_count(&mut self) -> Result<Option<usize>, Mistake> {
        match self.rest.remove("count") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(count)) => slash::count(&count.to_string()).map(Some),
            // It may be a long list.
            Some(other) => Err(Mistake::BadCount(other.to_string().chars().take(COUNT_CHARS_MAX).collect())),
        }
    }

    fn dialect(&mut self) -> Result<Dialect, Mistake> {
        let word = self.text("dialect")?;
        word.parse().map_err(|_| Mistake::BadDialect(word))
    }

    fn perhaps_dialect(&mut self) -> Result<Option<Dialect>, Mistake> {
        self.rest.contains_key("dialect").then(|| self.dialect()).transpose()
    }

    fn finish(self) -> Result<(), Mistake> {
        match self.rest.into_iter().next() {
            Some((field, _)) => Err(BadCommand::UnknownField { command: self.command.name, field }.into()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn parse(line: &str) -> Result<Option<Request>, Mistake> {
        super::parse(line).1
    }

    fn address() -> Designation {
        Designation::Address(SocketAddr::from(([127, 0, 0, 1], 9090)))
    }

    /// Lines, and what they ask for.
    pub(crate) fn examples() -> Vec<(&'static str, Request)> {
        vec![
            (
                r#"{"command":"send","to":"127.0.0.1:9090","text":"hi"}"#,
                Request::SendTo(address(), None, "hi".to_owned()),
            ),
            (
                r#" { "text": " hi  you ", "to": "P1", "command": "send", "dialect": "netech" } "#,
                Request::SendTo(
                    Designation::Name("P1".to_owned()),
                    Some(Dialect::Netech),
                    " hi  you".to_owned(),
                ),
            ),
            (r#"{"command":"send-all","text":"h\u00e9"}"#, Request::Send(Audience::All, "hé".to_owned())),
            (r#"{"command":"connect","to":"localhost:9090"}"#, Request::Connect(address())),
            (r#"{"command":"peers"}"#, Request::Query),
            (r#"{"command":"exit","to":"3"}"#, Request::Exit(Designation::Number(3))),
            (r#"{"command":"quit"}"#, Request::Quit(None)),
            (r#"{"command":"quit","text":null}"#, Request::Quit(None)),
            (r#"{"command":"quit","text":" \n"}"#, Request::Quit(None)),
            (r#"{"command":"quit","text":"good\nnight"}"#, Request::Quit(Some("good night".to_owned()))),
            (r#"{"command":"me"}"#, Request::Me),
            (r#"{"command":"connect-all"}"#, Request::ConnectAll),
            (
                r#"{"command":"alias","to":"P1","alias":"bob"}"#,
                Request::Alias(Designation::Name("P1".to_owned()), Some("bob".to_owned())),
            ),
            (r#"{"command":"alias","to":"3","alias":null}"#, Request::Alias(Designation::Number(3), None)),
            (r#"{"command":"alias","to":"3"}"#, Request::Alias(Designation::Number(3), None)),
            (
                r#"{"command":"dialect","to":"3","dialect":"json"}"#,
                Request::SetDialect(Designation::Number(3), Dialect::Json),
            ),
            (r#"{"command":"block","to":"3"}"#, Request::Block(Designation::Number(3))),
            (r#"{"command":"unblock","to":"3"}"#, Request::Unblock(Designation::Number(3))),
            (r#"{"command":"whois","to":"3"}"#, Request::Whois(Designation::Number(3))),
            (r#"{"command":"history","to":"3"}"#, Request::History(Whose::One(Designation::Number(3)), None)),
            (r#"{"command":"history","to":" All ","count":7}"#, Request::History(Whose::All, Some(7))),
            (r#"{"command":"history","to":"all","count":null}"#, Request::History(Whose::All, None)),
            (r#"{"command":"lastlog","text":" a.*\u0007 b "}"#, Request::Lastlog("a.*\u{7} b".to_owned())),
            (r#"{"command":"away","text":"at\nlunch"}"#, Request::Away(Some("at lunch".to_owned()))),
            (r#"{"command":"away","text":null}"#, Request::Away(None)),
            (
                r#"{"command":"later","to":"3","text":"see\nyou"}"#,
                Request::Later(Designation::Number(3), "see you".to_owned()),
            ),
            (r#"{"command":"held"}"#, Request::Held),
            (r#"{"command":"forget-held","to":"3"}"#, Request::ForgetHeld(Designation::Number(3))),
            (r#"{"command":"stats"}"#, Request::Stats),
            (r#"{"id":7,"command":"help"}"#, Request::Help),
        ]
    }

    #[test]
    fn each_command_is_a_request() {
        for (line, request) in examples() {
            assert_eq!(parse(line), Ok(Some(request)), "{line}");
        }
        assert_eq!(parse(" \r"), Ok(None));
    }

    #[test]
    fn each_slash_command_has_a_command_that_asks_for_the_same() {
        let table = [
            ("/msg 3 hi", r#"{"command":"send","to":"3","text":"hi"}"#),
            ("/all hi", r#"{"command":"send-all","text":"hi"}"#),
            ("/peers", r#"{"command":"peers"}"#),
            ("/nearby", r#"{"command":"nearby"}"#),
            ("/connect 3", r#"{"command":"connect","to":"3"}"#),
            ("/connect all", r#"{"command":"connect-all"}"#),
            ("/diagnose 3", r#"{"command":"diagnose","to":"3"}"#),
            ("/exit 3", r#"{"command":"exit","to":"3"}"#),
            ("/alias 3 bob", r#"{"command":"alias","to":"3","alias":"bob"}"#),
            ("/alias 3", r#"{"command":"alias","to":"3","alias":null}"#),
            ("/dialect 3 json", r#"{"command":"dialect","to":"3","dialect":"json"}"#),
            ("/block 3", r#"{"command":"block","to":"3"}"#),
            ("/unblock 3", r#"{"command":"unblock","to":"3"}"#),
            ("/history 3", r#"{"command":"history","to":"3"}"#),
            ("/history all 7", r#"{"command":"history","to":"all","count":7}"#),
            ("/lastlog two words", r#"{"command":"lastlog","text":"two words"}"#),
            ("/whois 3", r#"{"command":"whois","to":"3"}"#),
            ("/away at lunch", r#"{"command":"away","text":"at lunch"}"#),
            ("/away", r#"{"command":"away"}"#),
            ("/key", r#"{"command":"key"}"#),
            ("/verify P1", r#"{"command":"verify","to":"P1"}"#),
            ("/trust P1", r#"{"command":"trust","to":"P1"}"#),
            ("/later 3 see you", r#"{"command":"later","to":"3","text":"see you"}"#),
            ("/held", r#"{"command":"held"}"#),
            ("/held 3 drop", r#"{"command":"forget-held","to":"3"}"#),
            ("/stats", r#"{"command":"stats"}"#),
            ("/help", r#"{"command":"help"}"#),
            ("/me", r#"{"command":"me"}"#),
            ("/quit", r#"{"command":"quit"}"#),
            ("/quit good night", r#"{"command":"quit","text":"good night"}"#),
        ];
        for (slash, command) in table {
            assert_eq!(parse(slash), parse(command), "{slash}");
        }
        let is_for_people =
            |slash: &&slash::Slash| ["/to", "/switch", "/close", "/clear"].contains(&slash.name);
        for slash in slash::SLASHES.iter().filter(|slash| !is_for_people(slash)) {
            assert!(table.iter().any(|(line, _)| line.starts_with(slash.name)), "{} is missing", slash.name);
        }
    }

    #[test]
    fn an_id_comes_with_what_its_command_asks_for_or_with_its_mistake() {
        let id = |text: &str| Some(CommandId::Text(text.into()));
        let table = [
            (r#"{"command":"peers","id":"a"}"#, id("a")),
            (r#"{"id":"a","command":"send"}"#, id("a")),
            (r#"{"id":"a","command":"shout"}"#, id("a")),
            (r#"{"command":"quit","id":"a","now":1}"#, id("a")),
            (r#"{"id":"a"}"#, id("a")),
            (r#"{"id":"a","command":"peers",}"#, id("a")),
            (r#"{"id":"a","command":"peers"#, id("a")),
            (r#"{"id":"a","to":"P1","to":"P2"}"#, id("a")),
            (&format!(r#"{{"id":"a","command":"send-all","text":"{SUBSTITUTE}"}}"#), id("a")),
            (&format!(r#"{{"id":"a","x":"{}"}}"#, "x".repeat(TYPED_BYTES_MAX + 1)), id("a")),
            (r#"{"command":"peers"}"#, None),
            (r#"{"command":"peers",}, "id":"a""#, None),
            (r#"{"id":"a","id":"b","command":"peers"}"#, None),
            ("/peers", None),
        ];
        for (line, id) in table {
            assert_eq!(super::parse(line).0, id, "{line}");
        }
        for wrong in ["null", "true", "[]", "{}", "\"\\ud83d\"", &format!("\"{}\"", "x".repeat(65))] {
            let (id, asked) = super::parse(&format!(r#"{{"id":{wrong},"command":"peers"}}"#));
            assert_eq!((id, asked), (None, Err(BadCommand::BadId.into())), "{wrong}");
        }
    }

    #[test]
    fn a_slash_line_is_a_request_too_unless_it_is_for_people() {
        let send = Request::SendTo(address(), None, "{}".to_owned());
        assert_eq!(parse(" /msg 127.0.0.1:9090 {} "), Ok(Some(send)));
        assert_eq!(parse("/peers"), Ok(Some(Request::Query)));
        for line in ["/to P1", "/to all", "/me waves", "/close", "/part"] {
            assert_eq!(parse(line), Err(BadSlash::ForPeople.into()), "{line}");
        }
        assert_eq!(parse("/clear"), Err(BadSlash::ForTerminals.into()));
        assert_eq!(parse("/nick P2"), Err(BadSlash::NameIsFixed.into()));
    }

    #[test]
    fn a_line_break_in_a_text_cannot_begin_another_message() {
        let line = r#"{"command":"send-all","text":"one\r\ntwo\n127.0.0.1:9 P2 exit\n"}"#;
        let text = "one two 127.0.0.1:9 P2 exit".to_owned();
        assert_eq!(parse(line), Ok(Some(Request::Send(Audience::All, text))));
    }

    /// Lines, and what is wrong with them.
    pub(crate) fn wrong() -> Vec<(&'static str, Mistake)> {
        let missing = |command, field| Mistake::BadCommand(BadCommand::Missing { command, field });
        let unknown = |command, field: &str| {
            Mistake::BadCommand(BadCommand::UnknownField { command, field: field.to_owned() })
        };
        let duplicate =
            |field: &str, column| BadCommand::DuplicateField { field: field.to_owned(), column }.into();
        vec![
            ("hello", BadCommand::NotAnObject.into()),
            ("[1]", BadCommand::NotAnObject.into()),
            ("{}", BadCommand::NoCommand.into()),
            (r#"{"command":7}"#, BadCommand::NoCommand.into()),
            (r#"{"command":"Send"}"#, BadCommand::Unknown("Send".to_owned()).into()),
            (r#"{"command":"send"}"#, missing("send", "to")),
            (r#"{"command":"send","to":9090,"text":"hi"}"#, missing("send", "to")),
            (r#"{"command":"send","to":"127.0.0.1:9090"}"#, missing("send", "text")),
            (r#"{"command":"send-all","text":null}"#, missing("send-all", "text")),
            (r#"{"command":"connect"}"#, missing("connect", "to")),
            (r#"{"command":"exit"}"#, missing("exit", "to")),
            (r#"{"command":"history"}"#, missing("history", "to")),
            (r#"{"command":"history","to":"3","count":0}"#, Mistake::BadCount("0".to_owned())),
            (r#"{"command":"history","to":"3","count":101}"#, Mistake::BadCount("101".to_owned())),
            (r#"{"command":"history","to":"3","count":-1}"#, Mistake::BadCount("-1".to_owned())),
            (r#"{"command":"history","to":"3","count":1.5}"#, Mistake::BadCount("1.5".to_owned())),
            (r#"{"command":"history","to":"3","count":"7"}"#, Mistake::BadCount("\"7\"".to_owned())),
            (r#"{"command":"history","to":"3","count":true}"#, Mistake::BadCount("true".to_owned())),
            (r#"{"command":"history","to":"localhost"}"#, Mistake::BadAddress("localhost".to_owned())),
            (r#"{"command":"lastlog"}"#, missing("lastlog", "text")),
            (r#"{"command":"dialect","to":"P1"}"#, missing("dialect", "dialect")),
            (r#"{"command":"quit","text":7}"#, missing("quit", "text")),
            (r#"{"command":"me","text":"waves"}"#, unknown("me", "text")),
            (r#"{"command":"alias","to":"P1","alias":7}"#, missing("alias", "alias")),
            (r#"{"command":"alias","to":"P1","alias":"7"}"#, Mistake::BadAlias("7".to_owned())),
            (r#"{"command":"alias","to":"P1","alias":""}"#, Mistake::BadAlias(String::new())),
            (r#"{"command":"send","to":"P1","text":"x","to":"P2"}"#, duplicate("to", 43)),
            (r#"{"command":"peers","c\u006fmmand":"quit"}"#, duplicate("command", 33)),
            (r#"{"now":1,"now":1}"#, duplicate("now", 14)),
            (r#"{"command":"quit","now":true}"#, unknown("quit", "now")),
            (r#"{"command":"send","to":"P1","text":"x","dialekt":"netech"}"#, unknown("send", "dialekt")),
            (
                r#"{"command":"send","to":"P1","text":"x","dialect":"klingon"}"#,
                Mistake::BadDialect("klingon".to_owned()),
            ),
            (r#"{"command":"send","to":"P1","text":" \n"}"#, Mistake::EmptyMessage),
            (r#"{"command":"send","to":"127.0.0.1:0","text":"x"}"#, Mistake::BadPort("0".to_owned())),
            (r#"{"command":"connect","to":"10.1"}"#, Mistake::BadAddress("10.1".to_owned())),
            (r#"{"command":"connect","to":""}"#, Mistake::BadAddress(String::new())),
        ]
    }

    #[test]
    fn what_is_wrong_with_a_command_is_told() {
        for (line, mistake) in wrong() {
            assert_eq!(parse(line), Err(mistake), "{line}");
        }
        assert_eq!(parse(&"[".repeat(TYPED_BYTES_MAX)), Err(BadCommand::NotAnObject.into()));
        let missing = BadCommand::Missing { command: "lastlog", field: "text" };
        assert_eq!(parse(r#"{"command":"lastlog","text":" \t"}"#), Err(missing.into()), "it would find all");
    }

    #[test]
    fn what_is_wrong_with_the_json_of_a_command_is_told_with_its_place() {
        let deep = format!(r#"{{"x":{}"#, "[".repeat(1000));
        let table = [
            (r#"{"command":"send-all","text":"a\ud83d b"}"#, JsonFault::LoneSurrogate, 38),
            (r#"{"command":"send-all","text":"\ude00"}"#, JsonFault::LoneSurrogate, 36),
            (r#"{"command":"send-all","text":"\ud83d\n"}"#, JsonFault::LoneSurrogate, 38),
            (r#"{"command":"send-all","text":"\ud83d\u0041"}"#, JsonFault::LoneSurrogate, 42),
            (r#"{"command":"send-all","text":"日本\x"}"#, JsonFault::BadEscape, 34),
            (r#"{"command":"send-all","text":"\u12"}"#, JsonFault::BadEscape, 36),
            ("{\"command\":\"send-all\",\"text\":\"a\tb\"}", JsonFault::ControlCharacter, 32),
            ("{", JsonFault::Truncated, 1),
            (r#"{"command":"peers"#, JsonFault::Truncated, 17),
            (r#"{"command":"peers","#, JsonFault::Truncated, 19),
            (r#"{"command":"peers",}"#, JsonFault::TrailingComma, 20),
            (r#"{"command":"peers"} {}"#, JsonFault::TrailingText, 21),
            (r#"{"command":"peers","x":-1e999}"#, JsonFault::NumberOutOfRange, 29),
            (&deep, JsonFault::TooDeep, 132),
            ("{'command':'peers'}", JsonFault::Syntax, 2),
            (r#" {"command" "peers"}"#, JsonFault::Syntax, 13),
            (r#"{"command":peers}"#, JsonFault::Syntax, 12),
            ("{\u{feff}}", JsonFault::Syntax, 2),
        ];
        for (line, fault, column) in table {
            assert_eq!(parse(line), Err(BadCommand::Malformed { fault, column }.into()), "{line}");
        }
        for line in ["", r#"{"command":"send-all","text":"é"#, "/all é"] {
            let column = line.chars().count() + 1;
            let told = parse(&format!("{line}{SUBSTITUTE}{SUBSTITUTE}"));
            assert_eq!(told, Err(BadCommand::NotUtf8(column).into()), "{line}");
        }
    }

    #[test]
    fn a_text_is_as_long_as_a_typed_line_however_it_is_written() {
        let escaped = |text: &str| text.chars().map(|c| format!("\\u{:04x}", c as u32)).collect::<String>();
        let send = |text: &str| parse(&format!(r#"{{"command":"send-all","text":"{}"}}"#, escaped(text)));
        let text = "x".repeat(TYPED_BYTES_MAX);
        assert_eq!(send(&text), Ok(Some(Request::Send(Audience::All, text.clone()))));
        assert_eq!(send(&format!("{text}x")), Err(Mistake::LineTooLong));
        assert_eq!(send(&"é".repeat(TYPED_BYTES_MAX / 2 + 1)), Err(Mistake::LineTooLong));
        let too_long = [
            format!(r#"{{"command":"{text}x"}}"#),
            format!(r#"{{"command":"quit","{text}x":1}}"#),
            format!("/all {text}"),
            " ".repeat(COMMAND_BYTES_MAX + 1),
        ];
        for line in too_long {
            assert_eq!(parse(&line), Err(Mistake::LineTooLong), "{}", &line[..20]);
        }
        assert_eq!(parse(&" ".repeat(COMMAND_BYTES_MAX)), Ok(None));
    }
}
