//! Writes messages: from whom, to whom, in which form, with which body.
//!
//! Whatever the text is, a receiver reads exactly one message. A character that a form cannot carry is replaced by one
//! that looks nearly the same, and a text that would be taken for a command gets a full stop.
//!
//! No published program knows an escape, so similar characters are used. Messages are written only here, so only this
//! must be right: a test reads back what it wrote in every dialect, whole and byte by byte, and must find exactly one
//! chat message.

use super::message::{Command, Dialect, is_stripped, stripped, trim_end};
use std::borrow::Cow;
use std::net::SocketAddr;

/// The content of a message that we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// An acknowledgement that we dial the peer for.
    Ack,
    /// An acknowledgement on the connection that asked, which makes that a session.
    AckSession,
    /// A chat text. The receiver reads it as chat, whatever it looks like.
    Chat(&'a str),
    /// A request to be connected.
    Connect,
    /// The farewell.
    Exit,
}

/// Who writes to whom, and in which form.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The form.
    pub dialect: Dialect,
    /// The address that we listen on.
    pub from: SocketAddr,
    /// Our name, which is [one word](super::message::one_word).
    pub name: &'a str,
    /// The recipient's address. Only [`Dialect::Json`] has it in the message.
    pub to: SocketAddr,
}

impl<'a> Envelope<'a> {
    /// For a line of a session, which is the same for every recipient.
    pub fn of_session(from: SocketAddr, name: &'a str) -> Self {
        Self { dialect: Dialect::Standard, from, name, to: from }
    }

    /// One message; a newline ends it only in [`Dialect::PortLine`].
    pub fn message(&self, body: Body<'_>) -> String {
        let (dialect, from, port) = (self.dialect, self.from, self.from.port());
        let text = match (body, dialect) {
            (Body::Ack, _) => "connect_ack".into(),
            (Body::AckSession, _) => "connected chinwag/1".into(),
            (Body::Chat(text), _) => self.as_written(text),
            (Body::Connect, Dialect::Netech) => "connection message".into(),
            (Body::Connect, Dialect::PortLine) => return format!("{port}\nCONNECT\n"),
            (Body::Connect, _) => "connect".into(),
            (Body::Exit, Dialect::Block) => return format!("<{from}> DISCONNECT"),
            (Body::Exit, Dialect::Bracketed) => "quit".into(),
            (Body::Exit, _) => "exit".into(),
        };
        let name = name_as_written(dialect, self.name);
        match dialect {
            Dialect::Standard => format!("{from} {name} {text}"),
            Dialect::Bracketed => format!("<{from}> {name} {text}"),
            Dialect::Block => format!("<{from}> @ <{name}>\n{text}\n<end>"),
            Dialect::Netech => format!("LISTENING_PORT:{port}|TEAM_NAME:{name}|{text}"),
            Dialect::Json => self.json(body, &name, &text),
            Dialect::PortLine => format!("{port}\n{from} {name} {text}\n"),
        }
    }

    fn json(&self, body: Body<'_>, name: &str, text: &str) -> String {
        let kind = match body {
            Body::Chat(_) => "message",
            // This dialect has no word for an acknowledgement; its connect means the same.
            Body::Ack | Body::AckSession | Body::Connect => "connect",
            Body::Exit => "exit",
        };
        let content = format!("<{}> <{name}> {text}", self.to);
        let port = self.from.port();
        serde_json::json!({ "type": kind, "content": content, "sender_name": name, "sender_port": port })
            .to_string()
    }

    /// Cuts `text` so that the first part, as a message, has at most `bytes_max` bytes. The second part is empty if
    /// everything fits. The cut is after the last space in the last quarter, or else between two visible characters.
    /// Neither part reads as a command, if there is such a cut. White space that would be a message by itself is left
    /// out.
    pub fn split<'t>(&self, text: &'t str, bytes_max: usize) -> (&'t str, &'t str) {
        let room = bytes_max.saturating_sub(self.message(Body::Chat("")).len());
        if text.len() <= room && self.bytes(text) <= room {
            return (text, "");
        }
        let mut longest = text.floor_char_boundary(room);
        while longest > 0 {
            match self.bytes(&text[..longest]).saturating_sub(room) {
                0 => break,
                // As a JSON escape, a character takes at most six times its bytes.
                over => longest = text.floor_char_boundary(longest - over.div_ceil(6).min(longest)),
            }
        }
        let (part, rest) = text.split_at(last_good_cut(self.dialect, text, longest).unwrap_or(longest));
        match (stripped(part).is_empty(), stripped(rest).is_empty()) {
            (_, true) => (part, ""),
            (true, false) => self.split(rest.trim_start_matches(is_stripped), bytes_max),
            (false, false) => (part, rest),
        }
    }

    /// How many bytes a text takes in a message.
    fn bytes(&self, text: &str) -> usize {
        let written = self.as_written(text);
        if self.dialect != Dialect::Json {
            return written.len();
        }
        let quotes = 2;
        serde_json::Value::from(written).to_string().len() - quotes
    }

    /// A text as it stands in the message.
    fn as_written<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let one_line =
            if text.contains(ends_line) { text.replace(ends_line, " ").into() } else { text.into() };
        let written = match self.dialect {
            Dialect::Block | Dialect::Bracketed => replaced(one_line, END, "‹end>"),
            Dialect::Netech => replaced(one_line, "|", "¦"),
            Dialect::Json | Dialect::PortLine | Dialect::Standard => one_line,
        };
        // The type field already says that it is chat.
        let is_told_by_type = self.dialect == Dialect::Json;
        if !is_told_by_type && !is_chat(&written, self.dialect) {
            return format!("{}.", trim_end(&written)).into();
        }
        written
    }
}

/// Ends a message that begins with `<`.
const END: &str = "<end>";

/// Whether some program ends a line at this character, as Python does, or the whole text, as C does.
fn ends_line(c: char) -> bool {
    matches!(c, '\0' | '\n'..='\r' | '\x1C'..='\x1E' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether every program reads a text as chat, whatever it strips from the ends.
fn is_chat(text: &str, dialect: Dialect) -> bool {
    Command::of(stripped(text).as_bytes(), dialect) == Command::Chat
}

fn replaced<'t>(text: Cow<'t, str>, what: &str, stand_in: &str) -> Cow<'t, str> {
    if text.contains(what) { text.replace(what, stand_in).into() } else { text }
}

fn name_as_written(dialect: Dialect, name: &str) -> Cow<'_, str> {
    let stand_in = |c: char| match (dialect, c) {
        (Dialect::Netech, '|') => Some('¦'),
        (Dialect::Block | Dialect::Bracketed | Dialect::Json, '<') => Some('‹'),
        (Dialect::Block | Dialect::Bracketed | Dialect::Json, '>') => Some('›'),
        (Dialect::Block | Dialect::Bracketed, '@') => Some('＠'),
        // In a block, this is the beginning of a time.
        (Dialect::Bracketed, '[') => Some('［'),
        _ => None,
    };
    if name.contains(|c| stand_in(c).is_some()) {
        name.chars().map(|c| stand_in(c).unwrap_or(c)).collect()
    } else {
        name.into()
    }
}

/// The last cut no later than `longest` that makes two chats.
///
/// After a space, the second part must not begin with another space. Elsewhere a visible character must come before
/// the cut: a cut between two spaces gives the same two texts as the cut before those spaces, so trying it only costs
/// time. Both texts are trimmed first, so that each cut does not measure the same spaces again.
fn last_good_cut(dialect: Dialect, text: &str, longest: usize) -> Option<usize> {
    let start = text.len() - text.trim_start_matches(is_stripped).len();
    let visible = text.trim_end_matches(is_stripped);
    let makes_two_chats =
        |cut: &usize| is_chat(&text[start..*cut], dialect) && is_chat(&visible[*cut..], dialect);
    let cuts = || {
        let behind = text[..longest].char_indices().rev().map(|(at, c)| (at + c.len_utf8(), c));
        behind.filter(|&(cut, _)| start < cut && cut < visible.len())
    };
    let begins_a_word = |cut: usize| visible[cut..].chars().next().is_some_and(|c| !is_stripped(c));
    let near = cuts().take_while(|&(cut, _)| cut > longest / 4 * 3);
    let behind_spaces = near.filter(|&(cut, c)| is_stripped(c) && begins_a_word(cut)).map(|(cut, _)| cut);
    let in_words = cuts().filter(|&(_, c)| !is_stripped(c)).map(|(cut, _)| cut);
    { behind_spaces }.find(makes_two_chats).or_else(|| { in_words }.find(makes_two_chats))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PLAIN_BYTES_MAX;
    use crate::proto::framer::Framer;
    use crate::proto::message::{Message, one_word, parse_port_line};
    use fastrand::Rng;

    const ROOM: usize = PLAIN_BYTES_MAX - "10.0.0.9:8080 P1 ".len();

    fn from() -> SocketAddr {
        "10.0.0.9:8080".parse().unwrap()
    }

    fn envelope(dialect: Dialect) -> Envelope<'static> {
        Envelope { dialect, from: from(), name: "P1", to: "10.0.0.5:7070".parse().unwrap() }
    }

    fn split(text: &str) -> (&str, &str) {
        envelope(Dialect::Standard).split(text, PLAIN_BYTES_MAX)
    }

    /// What chinwag reads from bytes that come in such chunks, up to the end of the connection.
    fn read(bytes: &[u8], chunk: usize) -> Vec<Message<'static>> {
        let mut framer = Framer::default();
        let mut port = None;
        let mut messages = Vec::new();
        let mut take = |line: &[u8]| match (port, parse_port_line(line)) {
            (None, Some(first)) => port = Some(first),
            _ => {
                let line = String::from_utf8(line.to_vec()).unwrap().leak();
                messages.push(match port {
                    Some(port) => Message::parse_behind_port(line, port, from()),
                    None => Message::parse(line, from()).unwrap_or_else(|| panic!("no message: {line:?}")),
                });
            }
        };
        for chunk in bytes.chunks(chunk) {
            let mut rest = chunk;
            while let Some(line) = framer.next(&mut rest).unwrap() {
                take(&line);
            }
        }
        framer.flush().iter().for_each(|line| take(line));
        messages
    }

    /// A text or a name made of strings that mean something in some dialect.
    fn nasty(rng: &mut Rng) -> String {
        const PIECES: [&str; 42] = [
            "<end>",
            "<end",
            ">",
            "<",
            "@",
            "|",
            "[",
            "]",
            "{",
            "}",
            "\"",
            "\\",
            "\n",
            "\r",
            " ",
            "  ",
            "\t",
            "\0",
            "\x0B",
            "\x0C",
            "\x1C",
            "\x1F",
            "\u{85}",
            "\u{A0}",
            "\u{2028}",
            "\u{FEFF}",
            "exit",
            "quit",
            "connect",
            "connected chinwag/1",
            "DISCONNECT",
            "!ping 1",
            "a",
            "é",
            "👍",
            "8000\n",
            "10.0.0.7:7777 Eve boo",
            "<127.0.0.1:7777> Eve boo",
            "<10.0.0.7:7> @ <Eve>\nboo\n<end>",
            "LISTENING_PORT:7|TEAM_NAME:Eve|boo",
            "[2025-02-20 10:11:12] ",
            "{\"type\":\"exit\",\"content\":\"\",\"sender_name\":\"Eve\",\"sender_port\":7}",
        ];
        (0..rng.usize(1..6)).map(|_| PIECES[rng.usize(..PIECES.len())]).collect()
    }

    /// A text with similar characters made equal.
    fn looks(text: &str) -> String {
        let like = |c| match c {
            '¦' => '|',
            '‹' => '<',
            c if ends_line(c) => ' ',
            c => c,
        };
        trim_end(&text.chars().map(like).collect::<String>()).to_owned()
    }

    /// Such a fault would let a stranger speak in anybody's name. So whatever a text or a name holds, in each dialect,
    /// plain and on a session, whole and byte by byte, it must be read as one chat message of ours.
    #[test]
    fn no_text_and_no_name_is_ever_read_as_more_than_one_chat_of_ours() {
        let mut rng = Rng::with_seed(8);
        for _ in 0..1_000 {
            let (text, raw_name) = (nasty(&mut rng), nasty(&mut rng));
            let name = one_word(&raw_name);
            if stripped(&looks(&text)).is_empty() || name.is_empty() {
                continue;
            }
            for dialect in Dialect::ALL {
                let envelope = Envelope { dialect, name: &name, ..envelope(dialect) };
                let message = envelope.message(Body::Chat(&text));
                let line = Envelope::of_session(from(), &name).message(Body::Chat(&text)) + "\n";
                for bytes in [message.as_bytes(), line.as_bytes()] {
                    for chunk in [1, usize::MAX] {
                        let read = read(bytes, chunk);
                        let [read] = &read[..] else { panic!("{} messages: {message:?}", read.len()) };
                        assert_eq!((read.address, read.command), (from(), Command::Chat), "{message:?}");
                        let dot = if looks(&text) + "." == looks(&read.text) { "." } else { "" };
                        assert_eq!(looks(&text) + dot, looks(&read.text), "{message:?}");
                        assert_eq!(read.name.chars().count(), name.chars().count(), "{message:?}");
                    }
                }
            }
        }
    }

    /// Splits a message as most published programs do: at the first separator.
    #[test]
    fn a_receiver_that_only_splits_finds_the_parts_too() {
        let mut rng = Rng::with_seed(9);
        for _ in 0..1_000 {
            let (text, raw_name) = (nasty(&mut rng), nasty(&mut rng));
            let name = one_word(&raw_name);
            if stripped(&looks(&text)).is_empty() || name.is_empty() {
                continue;
            }
            let message = |dialect| Envelope { name: &name, ..envelope(dialect) }.message(Body::Chat(&text));
            let [netech, block, standard, bracketed] =
                [Dialect::Netech, Dialect::Block, Dialect::Standard, Dialect::Bracketed].map(message);
            assert_eq!(netech.split('|').count(), 3, "{netech:?}");
            assert_eq!(block.matches(ends_line).count(), 2, "{block:?}");
            assert_eq!(block.matches("<end>").count(), 1, "{block:?}");
            assert_eq!(block.lines().next().unwrap().matches(['<', '>', '@']).count(), 5, "{block:?}");
            assert_eq!(standard.split(' ').nth(1), Some(&*name), "{standard:?}");
            assert_eq!(standard.find(ends_line), None, "{standard:?}");
            assert_eq!(bracketed.find(ends_line), None, "{bracketed:?}");
            for (message, dialect) in [(&standard, Dialect::Standard), (&bracketed, Dialect::Bracketed)] {
                let said = message.splitn(3, ' ').last().unwrap();
                assert!(is_chat(said, dialect), "{message:?}");
            }
            assert_eq!(bracketed.find("<end>"), None, "{bracketed:?}");
        }
    }

    #[test]
    fn each_dialect_reads_what_it_writes() {
        let bodies = [
            (Body::Chat("hello there"), Command::Chat),
            (Body::Chat("exit"), Command::Chat),
            (Body::Chat(" Connected "), Command::Chat),
            (Body::Connect, Command::Connect),
            (Body::Ack, Command::Ack { session: false }),
            (Body::Exit, Command::Exit),
        ];
        for dialect in Dialect::ALL {
            for (body, command) in bodies {
                let message = envelope(dialect).message(body);
                let read = read(message.as_bytes(), usize::MAX);
                let expected = match (dialect, body) {
                    (Dialect::Json, Body::Ack) => Command::Connect,
                    _ => command,
                };
                assert_eq!(read.len(), 1);
                let read = &read[0];
                assert_eq!(
                    (read.dialect, read.address, read.command),
                    (dialect, from(), expected),
                    "{message:?}"
                );
                assert_eq!(message.ends_with('\n'), dialect == Dialect::PortLine);
            }
        }
        let session = Envelope::of_session(from(), "P1").message(Body::AckSession);
        assert_eq!(Message::parse(&session, from()).unwrap().command, Command::Ack { session: true });
        let written = |dialect, body| envelope(dialect).message(body);
        assert_eq!(
            written(Dialect::Netech, Body::Connect),
            "LISTENING_PORT:8080|TEAM_NAME:P1|connection message"
        );
        assert_eq!(written(Dialect::Block, Body::Exit), "<10.0.0.9:8080> DISCONNECT");
        assert_eq!(written(Dialect::Bracketed, Body::Exit), "<10.0.0.9:8080> P1 quit");
        assert_eq!(written(Dialect::PortLine, Body::Connect), "8080\nCONNECT\n");
        assert_eq!(written(Dialect::PortLine, Body::Chat("hi")), "8080\n10.0.0.9:8080 P1 hi\n");
        let json: serde_json::Value =
            serde_json::from_str(&written(Dialect::Json, Body::Chat("hi"))).unwrap();
        assert_eq!((&json["type"], &json["sender_port"]), (&"message".into(), &8080.into()));
        assert_eq!(
            (&json["content"], &json["sender_name"]),
            (&"<10.0.0.5:7070> <P1> hi".into(), &"P1".into())
        );
    }

    #[test]
    fn what_a_dialect_cannot_carry_looks_nearly_the_same() {
        let written =
            |dialect, name: &str, text| Envelope { name, ..envelope(dialect) }.message(Body::Chat(text));
        assert_eq!(written(Dialect::Netech, "a|b", "x|y"), "LISTENING_PORT:8080|TEAM_NAME:a¦b|x¦y");
        assert_eq!(
            written(Dialect::Block, "<a@b>", "x <end> y"),
            "<10.0.0.9:8080> @ <‹a＠b›>\nx ‹end> y\n<end>"
        );
        assert_eq!(written(Dialect::Bracketed, "[a]", "x\ny"), "<10.0.0.9:8080> ［a] x y");
        assert_eq!(written(Dialect::Standard, "a|<b>", "x | <end>"), "10.0.0.9:8080 a|<b> x | <end>");
        assert_eq!(written(Dialect::Standard, "a", "Exit "), "10.0.0.9:8080 a Exit.");
    }

    #[test]
    fn a_long_text_is_cut_at_characters_and_loses_none() {
        let text = "é".repeat(1000) + &"\"<end>|\u{1}".repeat(500);
        for dialect in Dialect::ALL {
            let mut rest = text.as_str();
            let mut whole = String::new();
            while !rest.is_empty() {
                let (part, after) = envelope(dialect).split(rest, PLAIN_BYTES_MAX);
                let bytes = envelope(dialect).message(Body::Chat(part)).len();
                assert!(bytes <= PLAIN_BYTES_MAX && (bytes > 900 || after.is_empty()), "{dialect:?} {bytes}");
                whole.push_str(part);
                rest = after;
            }
            assert_eq!(whole, text);
        }
    }

    #[test]
    fn a_text_is_cut_after_the_last_space_that_is_near() {
        let words = "four words of text ".repeat(400);
        let mut rest = words.as_str();
        while !rest.is_empty() {
            let (part, after) = split(rest);
            assert!(part.ends_with(' ') && !after.starts_with(' '), "{part:?} | {after:?}");
            rest = after;
        }
        let far = format!("far {}", "x".repeat(2 * ROOM));
        assert_eq!(split(&far).0.len(), ROOM, "the space is not near");
        let edge = ROOM / 4 * 3;
        for (spaces, cut) in [(edge - 1, ROOM), (edge + 1, edge + 1)] {
            let text = format!("{} {}", "x".repeat(spaces - 1), "y".repeat(2 * ROOM));
            assert_eq!(split(&text).0.len(), cut, "{spaces}");
        }
        let ideographic = format!("{}\u{3000}{}", "語".repeat(300), "語".repeat(300));
        assert!(split(&ideographic).0.ends_with('\u{3000}'));
    }

    #[test]
    fn a_text_that_just_fits_is_one_message_and_one_byte_more_is_two() {
        let text = "x".repeat(ROOM + 1);
        assert_eq!(split(&text[1..]).1, "");
        assert_eq!(split(&text).1, "x");
    }

    #[test]
    fn no_part_of_a_cut_text_is_a_command() {
        let text = format!("{}exit", "x".repeat(ROOM));
        assert_eq!(split(&text).1, "xexit");
        let text = format!("{} exit", "x".repeat(ROOM - 1));
        assert_eq!(split(&text).1, "x exit");
        for spaces in [ROOM, 65_530] {
            let text = format!("exit{}x", " ".repeat(spaces));
            assert_eq!(split(&text).0, "exi");
        }
    }

    #[test]
    fn a_very_long_run_of_spaces_is_scanned_once() {
        let spaces = " ".repeat(4 << 20);
        // The limit falls among the spaces: once, each cut there was trimmed again over the whole run.
        for text in [format!("exit{spaces}x"), format!("hello{spaces}x"), format!("exit{spaces}xexit")] {
            let (part, rest) = envelope(Dialect::Standard).split(&text, 2 << 20);
            assert!(["exi", "hello"].contains(&part) && part.len() + rest.len() == text.len());
        }
    }

    #[test]
    fn no_part_is_empty_after_stripping_and_words_stay_whole() {
        let texts = [
            "four words of text ".repeat(400),
            format!("{}{}{}", "x".repeat(ROOM - 10), " ".repeat(20), "y".repeat(ROOM)),
            format!("{}\u{3000}\0\t{}", "x".repeat(ROOM - 1), "y".repeat(ROOM)),
            format!("{}  ", "x".repeat(ROOM)),
            format!("{0}x{0}y{0}", " \u{A0}\x1F".repeat(ROOM)),
        ];
        let words = |text: &str| text.split(is_stripped).collect::<String>();
        for text in &texts {
            let mut rest = text.as_str();
            let mut received = String::new();
            while !rest.is_empty() {
                let (part, after) = split(rest);
                let line = envelope(Dialect::Standard).message(Body::Chat(part));
                let message = Message::parse(&line, from()).unwrap();
                assert!(line.len() <= PLAIN_BYTES_MAX && !stripped(&message.text).is_empty(), "{line:?}");
                received.push_str(&message.text);
                rest = after;
            }
            assert_eq!(words(&received), words(text));
        }
    }
}
