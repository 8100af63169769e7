//! A line of the transcript: how it is written, and how what was said is read from it again.
//!
//! `2026-02-28T23:59:59+01:00 < 127.0.0.1:9090 P2 hello`: the time, a mark, and for a message who, and the text.
//! Whoever can write the file can write anything into it. So a line is read as one of ours or not at all, and what is
//! read is cleaned again where it is shown.

use super::addresses::At;
use super::render::Sentence;
use crate::chat::notice::{Failed, Notice, SaidTo, Who};
use crate::chat::recall::{Party, PastMessage, Way};
use crate::chat::request::ALL;
use crate::proto::clean::{Clean, CleanName};
use jiff::{Timestamp, Zoned};
use std::fmt::{self, Display, Formatter};
use std::io::Write;
use std::net::SocketAddr;

/// The local time, with its offset.
const TIME: &str = "%Y-%m-%dT%H:%M:%S%:z";
const TIME_BYTES: usize = "2026-02-28T23:59:59+01:00".len();

/// Stands for a name that is not known.
const NO_NAME: &str = "-";

/// Adds the line for a notice, if it has one.
pub(super) fn write_line(lines: &mut Vec<u8>, notice: &Notice, now: impl FnOnce() -> Zoned) {
    if let Some(entry) = Entry::of(notice) {
        // Writing to memory cannot fail.
        let _ = writeln!(lines, "{} {entry}", now().strftime(TIME));
    }
}

/// A line without its time. Messages have fields; everything else is a sentence after a mark.
enum Entry<'a> {
    Heard { from: &'a Who, is_to_all: bool, text: &'a str },
    Said(&'a SaidTo, &'a str),
    NotSent(Sentence<'a>),
    News(Sentence<'a>),
}

impl<'a> Entry<'a> {
    fn of(notice: &'a Notice) -> Option<Self> {
        Some(match notice {
            Notice::Answer { notice, .. } => return Self::of(notice),
            Notice::Message { who, text, is_to_all, .. } => {
                Self::Heard { from: who, is_to_all: *is_to_all, text }
            }
            Notice::Said { to, text } => Self::Said(to, text),
            Notice::NotSent { .. } | Notice::Unconfirmed { .. } => Self::NotSent(Sentence(notice)),
            Notice::ManyFailed(many) => match many.what {
                Failed::Connect => return None,
                Failed::Session => Self::News(Sentence(notice)),
                Failed::Text(_) | Failed::Confirmation(_) => Self::NotSent(Sentence(notice)),
            },
            Notice::Accepted(_)
            | Notice::Connected(_)
            | Notice::Disconnected(_)
            | Notice::Exiting
            | Notice::ExitSent(_)
            | Notice::Folded { .. }
            | Notice::Listening { .. }
            | Notice::Lost { .. }
            | Notice::NewPeer(_)
            | Notice::KeyForgotten(_)
            | Notice::Moved { .. }
            | Notice::OtherKey { .. }
            | Notice::Pinned { .. }
            | Notice::Raw { .. }
            | Notice::Refused { .. }
            | Notice::Verified(_)
            | Notice::Renamed { .. } => Self::News(Sentence(notice)),
            _ => return None,
        })
    }
}

impl Display for Entry<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heard { from, is_to_all, text } => {
                let all = if *is_to_all { "all " } else { "" };
                write!(f, "< {all}{} {}", Fields(from), Clean(text))
            }
            Self::Said(SaidTo::One(who), text) => write!(f, "> {} {}", Fields(who), Clean(text)),
            Self::Said(SaidTo::All(peers), text) => write!(f, "> {ALL} {peers} {}", Clean(text)),
            Self::NotSent(sentence) => write!(f, "! {}", sentence.to_string().trim_end()),
            Self::News(sentence) => write!(f, "* {}", sentence.to_string().trim_end()),
        }
    }
}

/// Address and name, or a dash if there is no name.
struct Fields<'a>(&'a Who);

impl Display for Fields<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Who { address, name, .. } = self.0;
        let address = At(*address);
        let name = if name.is_empty() { NO_NAME } else { name };
        write!(f, "{address} {}", CleanName(name))
    }
}

/// A message that was read, as its line.
pub(super) struct Line<'a>(pub(super) &'a PastMessage);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let PastMessage { at, way, text } = self.0;
        let entry = match way {
            Way::Heard { from, is_to_all } => Entry::Heard { from, is_to_all: *is_to_all, text },
            Way::Said(to) => Entry::Said(to, text),
        };
        write!(f, "{} {entry}", at.strftime(TIME))
    }
}

/// The parts of a line that is a message.
pub(super) struct Spoken<'a> {
    time: &'a str,
    is_own: bool,
    audience: Audience<'a>,
    pub(super) text: &'a str,
}

/// Who said it, or whom it was said to.
enum Audience<'a> {
    /// The user said it to so many peers.
    All(usize),
    /// Address and name; `true` if the peer said it to several.
    One(SocketAddr, &'a str, bool),
}

impl<'a> Spoken<'a> {
    /// The message in a line without its newline. `None` if it is something else.
    pub(super) fn read(line: &'a str) -> Option<Self> {
        let (time, rest) = line.split_once(' ')?;
        let (is_own, rest) = match rest.split_at_checked(2)? {
            ("< ", rest) => (false, rest),
            ("> ", rest) => (true, rest),
            _ => return None,
        };
        // No address is this word.
        let (is_to_all, rest) = match rest.strip_prefix(ALL).and_then(|rest| rest.strip_prefix(' ')) {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (first, rest) = rest.split_once(' ')?;
        if is_own && is_to_all {
            return Some(Self { time, is_own, audience: Audience::All(first.parse().ok()?), text: rest });
        }
        let (name, text) = rest.split_once(' ')?;
        let audience = Audience::One(At::parse(first)?.0, name, is_to_all);
        Some(Self { time, is_own, audience, text })
    }

    /// Whether it belongs to this conversation. Names do not count: two peers may have the same one.
    pub(super) fn is_with(&self, party: &Party) -> bool {
        match (party, &self.audience) {
            (Party::All, Audience::All(_) | Audience::One(.., true)) => true,
            // What a peer said to all is also what that peer said.
            (Party::One(who), Audience::One(address, ..)) => who.address == *address,
            _ => false,
        }
    }

    /// The message, unless its time is none.
    pub(super) fn message(&self) -> Option<PastMessage> {
        let at = read_time(self.time)?;
        let who = |address, name| Who::new(address, if name == NO_NAME { "" } else { name }.into());
        let way = match (self.is_own, &self.audience) {
            (_, Audience::All(peers)) => Way::Said(SaidTo::All(*peers)),
            (true, Audience::One(address, name, _)) => Way::Said(SaidTo::One(who(*address, name))),
            (false, Audience::One(address, name, is_to_all)) => {
                Way::Heard { from: who(*address, name), is_to_all: *is_to_all }
            }
        };
        Some(PastMessage { at, way, text: self.text.to_owned() })
    }
}

/// There was no chat before 1970, and events have no times before it.
fn read_time(text: &str) -> Option<Zoned> {
    let at = (text.len() == TIME_BYTES).then(|| Zoned::strptime(TIME, text).ok())??;
    (at.timestamp() >= Timestamp::UNIX_EPOCH).then_some(at)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::chat::notice::{Failure, ManyFailed};
    use jiff::tz::{TimeZone, offset};

    pub(in crate::term) fn who(name: &str) -> Who {
        Who::new(([127, 0, 0, 1], 8080).into(), name.into())
    }

    pub(in crate::term) fn moment() -> Zoned {
        let zone = TimeZone::fixed(offset(-3));
        "2026-02-28T02:04:59Z".parse::<Timestamp>().unwrap().to_zoned(zone)
    }

    fn written(notice: &Notice) -> String {
        let mut lines = Vec::new();
        write_line(&mut lines, notice, moment);
        String::from_utf8(lines).unwrap()
    }

    fn heard_by_all(who: Who, text: &str) -> Notice {
        Notice::Message { who, text: text.to_owned(), is_to_all: true, mentions: Vec::new() }
    }

    #[test]
    fn messages_have_fields_and_nothing_can_forge_a_line() {
        let said = |to, text: &str| Notice::Said { to, text: text.to_owned() };
        let to = who("P1").address;
        let not_sent = Notice::NotSent { to, text: "a\nb".to_owned(), why: Failure::TooManyWaiting };
        let table = [
            (Notice::heard(who("P1"), "hi\n2026 < x\x1b[2J"), "< 127.0.0.1:8080 P1 hi␊2026 < x␛[2J"),
            (Notice::heard(who("N\x07"), ""), "< 127.0.0.1:8080 N␇ "),
            (heard_by_all(who("all"), "hi"), "< all 127.0.0.1:8080 all hi"),
            (said(SaidTo::One(who("P1")), "hi"), "> 127.0.0.1:8080 P1 hi"),
            (said(SaidTo::One(who("")), "h\ti"), "> 127.0.0.1:8080 - h␉i"),
            (said(SaidTo::All(3), "hi"), "> all 3 hi"),
            (
                not_sent,
                "! Too many messages are already waiting for 127.0.0.1:8080; try again later. Not sent: a␊b",
            ),
            (
                Notice::ManyFailed(Box::new(ManyFailed {
                    what: Failed::Text("a\nb".into()),
                    named: vec![who("P\n1"), who("P2")],
                    to: vec![to; 5],
                    why: vec![Failure::TooManyWaiting],
                })),
                "! Not sent to P␊1, P2 and 3 more (too many waiting): a␊b",
            ),
            (Notice::NewPeer(who("P\n1")), "* New peer: P␊1 (127.0.0.1:8080)"),
        ];
        for (notice, line) in table {
            assert_eq!(written(&notice), format!("2026-02-27T23:04:59-03:00 {line}\n"));
        }
        let mut lines = Vec::new();
        write_line(&mut lines, &Notice::Menu, || unreachable!("no line, no time"));
        assert!(lines.is_empty());
    }

    #[test]
    fn what_is_written_reads_back_as_it_was_cleaned_whatever_it_says() {
        let mut random = fastrand::Rng::with_seed(7);
        let signs: Vec<char> = "al0-<>!*: \n\r\t\x1b\u{85}\u{202e}é日→:[]%.".chars().collect();
        let mut word = |length: usize| -> String {
            (0..random.usize(..length)).map(|_| signs[random.usize(..signs.len())]).collect()
        };
        let addresses: [SocketAddr; 3] =
            ["127.0.0.1:80", "[::1]:9", "[fe80::1%3]:65535"].map(|text| text.parse().unwrap());
        for n in 0..20_000 {
            let (name, text) = (word(8), word(24));
            let who = Who::new(addresses[n % 3], name.as_str().into());
            let notice = match n % 4 {
                0 => Notice::heard(who, &text),
                1 => heard_by_all(who, &text),
                2 => Notice::Said { to: SaidTo::One(who), text: text.clone() },
                _ => Notice::Said { to: SaidTo::All(n), text: text.clone() },
            };
            let line = written(&notice);
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            let read = Spoken::read(line.trim_end_matches('\n')).unwrap().message().unwrap();
            assert_eq!(format!("{}\n", Line(&read)), line);
            assert_eq!((read.at, read.text), (moment(), Clean(&text).to_string()));
            let (is_to_all, party) = match &read.way {
                Way::Heard { from, is_to_all } => (*is_to_all, Some(from)),
                Way::Said(SaidTo::One(to)) => (false, Some(to)),
                Way::Said(SaidTo::All(peers)) => {
                    assert_eq!(*peers, n);
                    (true, None)
                }
            };
            assert_eq!(is_to_all, n % 4 == 1 || n % 4 == 3);
            if let Some(who) = party {
                let known = CleanName(&name).to_string();
                assert_eq!(who.address, addresses[n % 3]);
                assert_eq!(*who.name, *if known == NO_NAME { String::new() } else { known });
            }
        }
    }

    #[test]
    fn a_line_that_is_not_ours_is_no_message() {
        let time = "2026-02-27T23:04:59-03:00";
        let lines = [
            "",
            " ",
            time,
            "2026-02-27T23:04:59-03:00 ",
            "2026-02-27T23:04:59-03:00 <",
            "2026-02-27T23:04:59-03:00 < ",
            "2026-02-27T23:04:59-03:00 <é",
            "2026-02-27T23:04:59-03:00 < 127.0.0.1:1",
            "2026-02-27T23:04:59-03:00 < 127.0.0.1:1 P1",
            "2026-02-27T23:04:59-03:00 < 127.0.0.1 P1 hi",
            "2026-02-27T23:04:59-03:00 < all 3 hi",
            "2026-02-27T23:04:59-03:00 > all many hi",
            "2026-02-27T23:04:59-03:00 < 127.0.0.1:65536 P1 hi",
            "2026-02-27T23:04:59-03:00 * P1 (127.0.0.1:1) disconnected",
            "2026-02-27T23:04:59-03:00 ! < 127.0.0.1:1 P1 hi",
            "2026-02-30T23:04:59-03:00 < 127.0.0.1:1 P1 hi",
            "2026-02-27T23:04:59-99:00 < 127.0.0.1:1 P1 hi",
            "1969-12-31T23:59:59+00:00 < 127.0.0.1:1 P1 hi",
            "-009999-01-01T00:00:00+00 < 127.0.0.1:1 P1 hi",
            "9999-12-31T23:59:59-23:00 < 127.0.0.1:1 P1 hi",
            "yesterday < 127.0.0.1:1 P1 hi",
        ];
        for line in lines {
            let read = Spoken::read(line).and_then(|spoken| spoken.message());
            assert_eq!(read, None, "{line}");
        }
    }

    #[test]
    fn a_conversation_is_told_by_the_address_and_not_by_the_name() {
        let line = |rest: &str| format!("2026-02-27T23:04:59-03:00 {rest}");
        let one = Party::One(who("P1"));
        for (rest, is_one, is_all) in [
            ("< 127.0.0.1:8080 P1 hi", true, false),
            ("< 127.0.0.1:8080 other hi", true, false),
            ("< 127.0.0.1:8081 P1 hi", false, false),
            ("> 127.0.0.1:8080 - hi", true, false),
            ("< all 127.0.0.1:8080 P1 hi", true, true),
            ("> all 3 hi", false, true),
            ("< 127.0.0.1:8080 all hi", true, false),
            ("< 127.0.0.1:8081 P1 < 127.0.0.1:8080 P1 hi", false, false),
        ] {
            let line = line(rest);
            let spoken = Spoken::read(&line).unwrap();
            assert_eq!((spoken.is_with(&one), spoken.is_with(&Party::All)), (is_one, is_all), "{rest}");
        }
    }
}
