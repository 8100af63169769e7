//! What a program types: a line is a JSON object that names a command, or a slash command, and leads to a
//! request.
//!
//! A pure function, like the menu, but without a state: a program is asked nothing. An object must have every field that
//! its command needs, and no others, so that a misspelt field is an error.
//!
//! A program does not wait for outcomes, as a person at the menu does. A bot that answers as it reads would wait for a
//! program that waits for it, and one peer that does not answer would hold up all others.

use super::notice::{BadCommand, BadSlash, JsonFault, Mistake};
use super::request::{Audience, Designation, Request, parse_designation};
use super::slash;
use crate::limits::{COMMAND_BYTES_MAX, TYPED_BYTES_MAX};
use crate::proto::message::{Dialect, stripped};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};
use std::fmt::{self, Formatter};

/// The names of the commands.
pub const COMMANDS: [&str; 6] = ["send", "send-all", "connect", "peers", "exit", "quit"];

/// Replaces bytes that are not UTF-8. It is Unicode's substitute character, and JSON never allows it unescaped, so it
/// cannot be valid input.
pub const SUBSTITUTE: char = '\u{1A}';

/// What a line asks for; nothing, if it is empty. Bytes that were no UTF-8 are a [`SUBSTITUTE`] in it.
pub fn parse(line: &str) -> Result<Option<Request>, Mistake> {
    let is_slash = line.trim_start().starts_with('/');
    if line.len() > if is_slash { TYPED_BYTES_MAX } else { COMMAND_BYTES_MAX } {
        return Err(Mistake::LineTooLong);
    }
    if line.trim().is_empty() {
        return Ok(None);
    }
    if let Some(at) = line.find(SUBSTITUTE) {
        return Err(BadCommand::NotUtf8(column(line, at + 1)).into());
    }
    if is_slash {
        return on_slash(line.trim()).map(Some);
    }
    let mut fields = Fields::new(object(line)?)?;
    let request = match fields.command {
        "send" => {
            let (to, text, dialect) = (fields.whom()?, fields.text("text")?, fields.dialect()?);
            Request::SendTo(to, dialect, message(&text)?)
        }
        "send-all" => Request::Send(Audience::All, message(&fields.text("text")?)?),
        "connect" => Request::Connect(fields.whom()?),
        "peers" => Request::Query,
        "exit" => Request::Exit(fields.whom()?),
        _ => Request::Quit,
    };
    fields.finish()?;
    Ok(Some(request))
}

/// A program has no conversation: it could not know where its lines go.
fn on_slash(line: &str) -> Result<Request, Mistake> {
    match slash::parse(line)? {
        Request::Act(_) | Request::Converse(_) | Request::ConverseWithAll | Request::Switch(_) => {
            Err(BadSlash::ForPeople.into())
        }
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
fn object(line: &str) -> Result<Map<String, Value>, BadCommand> {
    if !line.trim_start().starts_with('{') {
        return Err(BadCommand::NotAnObject);
    }
    let mut duplicate = None;
    let mut reader = serde_json::Deserializer::from_str(line);
    let object = ObjectSeed { duplicate: &mut duplicate }.deserialize(&mut reader);
    let object = object.and_then(|object| reader.end().map(|()| object));
    object.map_err(|error| {
        let column = column(line, error.column());
        match duplicate {
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

/// Reads an object, and notes a field that is there again: [`Map`] by itself would keep the last.
struct ObjectSeed<'a> {
    duplicate: &'a mut Option<String>,
}

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
                *self.duplicate = Some(name);
                return Err(A::Error::custom("a field is there again"));
            }
            fields.insert(name, entries.next_value()?);
        }
        Ok(fields)
    }
}

/// The fields of an object that are not used yet.
struct Fields {
    command: &'static str,
    rest: Map<String, Value>,
}

impl Fields {
    fn new(mut rest: Map<String, Value>) -> Result<Self, Mistake> {
        let is_long = |text: &str| text.len() > TYPED_BYTES_MAX;
        if rest.iter().any(|(name, value)| is_long(name) || value.as_str().is_some_and(is_long)) {
            return Err(Mistake::LineTooLong);
        }
        let Some(Value::String(name)) = rest.remove("command") else {
            return Err(BadCommand::NoCommand.into());
        };
        match COMMANDS.into_iter().find(|&command| command == name) {
            Some(command) => Ok(Self { command, rest }),
            None => Err(BadCommand::Unknown(name).into()),
        }
    }

    fn text(&mut self, field: &'static str) -> Result<String, Mistake> {
        match self.rest.remove(field) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(BadCommand::Missing { command: self.command, field }.into()),
        }
    }

    fn whom(&mut self) -> Result<Designation, Mistake> {
        let word = self.text("to")?;
        parse_designation(word.trim())
    }

    fn dialect(&mut self) -> Result<Option<Dialect>, Mistake> {
        if !self.rest.contains_key("dialect") {
            return Ok(None);
        }
        let word = self.text("dialect")?;
        word.parse().map(Some).map_err(|_| Mistake::BadDialect(word))
    }

    fn finish(self) -> Result<(), Mistake> {
        match self.rest.into_iter().next() {
            Some((field, _)) => Err(BadCommand::UnknownField { command: self.command, field }.into()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn address() -> Designation {
        Designation::Address(SocketAddr::from(([127, 0, 0, 1], 9090)))
    }

    #[test]
    fn each_command_is_a_request() {
        let table = [
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
            (r#"{"command":"quit"}"#, Request::Quit),
        ];
        for (line, request) in table {
            assert_eq!(parse(line), Ok(Some(request)), "{line}");
        }
        assert_eq!(parse(" \r"), Ok(None));
    }

    #[test]
    fn a_slash_line_is_a_request_too_unless_it_is_for_people() {
        let send = Request::SendTo(address(), None, "{}".to_owned());
        assert_eq!(parse(" /msg 127.0.0.1:9090 {} "), Ok(Some(send)));
        assert_eq!(parse("/peers"), Ok(Some(Request::Query)));
        for line in ["/to P1", "/to all"] {
            assert_eq!(parse(line), Err(BadSlash::ForPeople.into()), "{line}");
        }
    }

    #[test]
    fn a_line_break_in_a_text_cannot_begin_another_message() {
        let line = r#"{"command":"send-all","text":"one\r\ntwo\n127.0.0.1:9 P2 exit\n"}"#;
        let text = "one two 127.0.0.1:9 P2 exit".to_owned();
        assert_eq!(parse(line), Ok(Some(Request::Send(Audience::All, text))));
    }

    #[test]
    fn what_is_wrong_with_a_command_is_told() {
        let missing = |command, field| Mistake::BadCommand(BadCommand::Missing { command, field });
        let unknown = |command, field: &str| {
            Mistake::BadCommand(BadCommand::UnknownField { command, field: field.to_owned() })
        };
        let duplicate =
            |field: &str, column| BadCommand::DuplicateField { field: field.to_owned(), column }.into();
        let table = [
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
        ];
        for (line, mistake) in table {
            assert_eq!(parse(line), Err(mistake), "{line}");
        }
        assert_eq!(parse(&"[".repeat(TYPED_BYTES_MAX)), Err(BadCommand::NotAnObject.into()));
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
