//! Notices for a program: one JSON object on each line.
//!
//! Names of events and fields do not change; a golden file checks this. A change of their meaning needs another
//! [`SCHEMA`]. Names and texts are what the peer sent, decoded lossily: a JSON string can hold any character, so
//! nothing is replaced. Characters that could disturb a terminal are written as escapes, which a reader turns back
//! into the same characters.
//!
//! What the events are, `event` says.
//!
//! Commands are taken while up to 16 MiB of events wait for their reader. Waiting here would deadlock with a bot that
//! replies before it reads on: both pipes would be full. This happened with a burst of 10,000 messages.

use super::Screen;
use super::event::event;
use super::stdout::Stdout;
use crate::chat::id::CommandId;
use crate::chat::notice::Notice;
use crate::limits::EVENTS_BYTES_MAX;
use crate::proto::clean::is_treacherous;
use jiff::Timestamp;
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::ser::{Formatter, Serializer};
use serde_json::value::RawValue;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::time::{SystemTime, UNIX_EPOCH};

/// The version of events and commands.
pub const SCHEMA: u32 = 1;

/// Shows notices on stdout as JSON.
#[derive(Debug)]
pub struct JsonLines(Stdout);

impl JsonLines {
    /// Lines on any output.
    pub fn new(out: Stdout) -> Self {
        Self(out)
    }
}

impl Screen<Notice> for JsonLines {
    #[expect(clippy::disallowed_methods, reason = "an event has the time of day")]
    fn show(&mut self, notice: Notice) {
        if let Some(line) = line(&notice, SystemTime::now()) {
            self.0.append(line);
        }
    }

    fn flush(&mut self) -> io::Result<bool> {
        self.0.flush()
    }

    /// True also on a terminal: whoever asks for events wants all of them.
    fn is_full(&self) -> bool {
        self.0.is_full()
    }

    fn is_overfull(&self) -> bool {
        self.0.waiting() >= EVENTS_BYTES_MAX
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.fd()
    }
}

/// A notice of this moment as a line with its newline. `None` for prompts, which programs do not get, and for what the
/// program itself said.
pub fn line(notice: &Notice, at: SystemTime) -> Option<String> {
    let (id, notice) = match notice {
        Notice::Answer { id, notice } => (Some(id), &**notice),
        notice => (None, notice),
    };
    let stamped = Stamped { schema: SCHEMA, time: rfc3339(at), id: id.map(Id), event: event(notice)? };
    let mut bytes = Vec::new();
    // Writing to memory cannot fail, and JSON can represent every field.
    stamped.serialize(&mut Serializer::with_formatter(&mut bytes, Escaping)).ok()?;
    bytes.push(b'\n');
    String::from_utf8(bytes).ok()
}

#[derive(Serialize)]
struct Stamped<'a, E> {
    schema: u32,
    time: String,
    /// Only in answers to a command that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Id<'a>>,
    #[serde(flatten)]
    event: E,
}

/// An id as it was written.
struct Id<'a>(&'a CommandId);

impl Serialize for Id<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            CommandId::Number(number) => {
                let number = RawValue::from_string(number.to_string()).map_err(S::Error::custom)?;
                number.serialize(serializer)
            }
            CommandId::Text(text) => text.serialize(serializer),
        }
    }
}

/// Compact JSON that contains no control sequence for a terminal.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut written = 0;
        for (at, c) in fragment.char_indices().filter(|&(_, c)| is_treacherous(c)) {
            writer.write_all(&fragment.as_bytes()[written..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            written = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }
}

/// UTC with milliseconds, such as `2026-02-28T23:59:59.999Z`. A time before 1970 is shown as the beginning of 1970.
fn rfc3339(at: SystemTime) -> String {
    let at = Timestamp::try_from(at.max(UNIX_EPOCH)).unwrap_or(Timestamp::MAX);
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::super::diagnosis::OUTCOMES;
    use super::super::reasons::{
        FAILURE_REASONS, FILE_REASONS, JSON_REASONS, LISTEN_REASONS, MISTAKE_REASONS, RECALL_REASONS,
        RECORD_REASONS,
    };
    use super::*;
    use crate::chat::finding::{Dial, Finding};
    use crate::chat::notice::{
        BadCommand, BadSlash, Failed, Failure, FileFault, HeldRow, HeldState, JsonFault, Kept, KnownRow,
        Later, ManyFailed, Mistake, NearbyRow, NotRecalled, PeerRow, Prompt, Recall, Recalled, SaidTo, Stats,
        Who,
    };
    use crate::chat::recall::{PastMessage, Way};
    use crate::proto::machine::CloseReason;
    use crate::proto::message::Dialect;
    use std::collections::BTreeSet;
    use std::net::SocketAddr;
    use std::time::Duration;

    use crate::chat::notice::Standing;
    use crate::proto::secure::Key;

    const GOLDEN: &str = include_str!("events.jsonl");
    const KINDS: usize = 66;

    /// The index of a notice's kind. A new kind does not compile until it is here; then increase [`KINDS`], and add an
    /// example to [`examples`] and a line to the golden file.
    fn kind(notice: &Notice) -> usize {
        match notice {
            Notice::Accepted(_) => 0,
            Notice::AlreadyConnected(_) => 1,
            Notice::ConnectList(_) => 2,
            Notice::ConnectSent(_) => 3,
            Notice::Connected(_) => 4,
            Notice::Disconnected(_) => 5,
            Notice::Mistake(_) => 6,
            Notice::ExitSent(_) => 7,
            Notice::Exiting => 8,
            Notice::Folded { .. } => 9,
            Notice::ListenFailed { .. } => 10,
            Notice::Listening { .. } => 11,
            Notice::Lost { .. } => 12,
            Notice::Message { .. } => 13,
            Notice::NameChanged(_) => 14,
            Notice::NewPeer(_) => 15,
            Notice::NotConnected { .. } => 16,
            Notice::NotSent { .. } => 17,
            Notice::Peers { .. } => 18,
            Notice::Raw { .. } => 19,
            Notice::Sent(_) => 20,
            Notice::SentToAll(_) => 21,
            Notice::StillTrying(_) => 22,
            Notice::Tally { .. } => 23,
            Notice::Aliased { .. } => 24,
            Notice::Blocked(_) => 25,
            Notice::DialectSet { .. } => 26,
            Notice::FileFault { .. } => 27,
            Notice::Unblocked(_) => 28,
            Notice::Delivered { .. } => 54,
            Notice::Unconfirmed { .. } => 55,
            Notice::Refused { .. } => 56,
            Notice::Pinned { .. } => 57,
            Notice::Moved { .. } => 58,
            Notice::OtherKey { .. } => 59,
            Notice::OwnKey(_) => 60,
            Notice::Verify { .. } => 61,
            Notice::Verified(_) => 62,
            Notice::KeyForgotten(_) => 63,
            Notice::Held(_) => 64,
            Notice::Later { .. } => 65,
            Notice::Menu => 29,
            Notice::Prompt(_) => 30,
            Notice::Help => 31,
            Notice::Stats(_) => 32,
            Notice::Said { .. } => 33,
            Notice::NotRecorded(_) => 34,
            Notice::Renamed { .. } => 35,
            Notice::Away(_) => 36,
            Notice::Whois(_) => 37,
            Notice::Answer { .. } => 38,
            Notice::Nearby(_) => 39,
            Notice::FoundNearby(_) => 40,
            Notice::NobodyNearby => 41,
            Notice::NoMulticast(_) => 42,
            Notice::Recall(_) => 43,
            Notice::Recalled(_) => 44,
            Notice::NotRecalled(_) => 45,
            Notice::ManyFailed(_) => 46,
            Notice::Me { .. } => 47,
            Notice::Clear => 48,
            Notice::BadClaim { .. } => 49,
            Notice::Reachable(_) => 50,
            Notice::Diagnosing(_) => 51,
            Notice::Diagnosed { .. } => 52,
            Notice::Verdict { .. } => 53,
        }
    }

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    /// One of each kind, in the order of the golden file.
    fn examples() -> Vec<Notice> {
        let who = || Who::new(address(8080), "P1".into());
        let pinned = || Who { standing: Standing::Pinned, ..who() };
        let key = Key::of_bytes(&[7; 32]).unwrap();
        let row = |number, connected, seconds: Option<u64>| PeerRow {
            number,
            who: who(),
            connected,
            heard_ago: seconds.map(Duration::from_secs),
        };
        let near = |number| NearbyRow { number, who: who(), key: Some("3f2a".into()), is_key_known: false };
        let (to, text) = (address(9090), || "hello".to_owned());
        let past = |way| PastMessage { at: crate::term::record::tests::moment(), way, text: text() };
        vec![
            Notice::Accepted(who()),
            Notice::AlreadyConnected(who()),
            Notice::ConnectList(vec![row(1, false, Some(7))]),
            Notice::ConnectSent(who()),
            Notice::Connected(who()),
            Notice::Disconnected(who()),
            Notice::Mistake(Mistake::BadPort("x".to_owned())),
            Notice::ExitSent(to),
            Notice::Exiting,
            Notice::Folded { who: who(), lines: 3 },
            Notice::ListenFailed { port: 8080, error: io::ErrorKind::AddrInUse.into() },
            Notice::Listening { port: 8080, name: "P1".into(), addresses: vec![address(8080)] },
            Notice::Lost { who: who(), reason: CloseReason::Reset },
            Notice::heard(who(), &text()),
            Notice::NameChanged("a_b".to_owned()),
            Notice::NewPeer(who()),
            Notice::NotConnected { to, why: Failure::Connection(CloseReason::TimedOut) },
            Notice::NotSent { to, text: text(), why: Failure::Connection(CloseReason::Refused) },
            Notice::Peers {
                active: vec![row(1, true, Some(0))],
                contacted: vec![row(2, false, None)],
                known: vec![KnownRow {
                    number: 3,
                    who: Who::new(to, "anna".into()),
                    own_name: Some("P2".into()),
                    is_blocked: true,
                    heard_ago: Some(Duration::from_secs(86_400)),
                }],
                nearby: vec![near(Some(4))],
            },
            Notice::Raw { from: address(50_000), text: text() },
            Notice::Sent(to),
            Notice::SentToAll(2),
            Notice::StillTrying(2),
            Notice::Tally { messages: 3, peers: 1 },
            Notice::Aliased { who: who(), alias: Some("anna".into()) },
            Notice::Blocked(who()),
            Notice::DialectSet { who: who(), dialect: Dialect::Netech },
            Notice::FileFault {
                kept: Kept::KnownPeers,
                path: "/peers.toml".into(),
                why: FileFault::Unwritable(io::ErrorKind::PermissionDenied.into()),
            },
            Notice::Unblocked(who()),
            Notice::Menu,
            Notice::Prompt(Prompt::Choice),
            Notice::Help,
            Notice::Stats(Box::new(Stats {
                peers: 2,
                ended: vec![(CloseReason::Eof, 3)],
                ..Stats::default()
            })),
            Notice::Said { to: SaidTo::All(2), text: text() },
            Notice::NotRecorded(io::ErrorKind::StorageFull.into()),
            Notice::Renamed { who: who(), was: "P0".into() },
            Notice::Away(Some(text())),
            Notice::Whois(Box::new(crate::chat::notice::Whois {
                who: who(),
                own_name: "P1".into(),
                dialect: Dialect::Standard,
                connected: true,
                has_session: true,
                is_encrypted: true,
                confirmed: true,
                away: false,
                blocked: false,
                heard: 7,
                heard_ago: Some(Duration::from_secs(5)),
                sent: 3,
                key: Some(("AAAA BBBB".into(), None)),
            })),
            Notice::Answer { id: CommandId::Number("7.0".into()), notice: Box::new(Notice::Sent(to)) },
            Notice::Nearby(vec![near(Some(1))]),
            Notice::FoundNearby(near(None)),
            Notice::NobodyNearby,
            Notice::NoMulticast(None),
            Notice::Recall(Recall::Containing(text())),
            Notice::Recalled(Box::new(Recalled {
                asked: Recall::Containing(text()),
                messages: vec![
                    past(Way::Heard { from: who(), is_to_all: true }),
                    past(Way::Said(SaidTo::One(who()))),
                    past(Way::Said(SaidTo::All(2))),
                ],
                older: 3,
                is_partial: false,
                is_this_run: false,
            })),
            Notice::NotRecalled(NotRecalled::NoTranscript),
            Notice::ManyFailed(Box::new(ManyFailed {
                what: Failed::Connect,
                named: Vec::new(),
                to: vec![to, to],
                why: Vec::new(),
            })),
            Notice::Me { port: 8080, name: "P1".into(), addresses: vec![address(8080)], key: None },
            Notice::Clear,
            Notice::BadClaim { claimed: address(8080), to, instead: [10, 0, 0, 7].into() },
            Notice::Reachable(vec![address(8080)]),
            Notice::Diagnosing(who()),
            Notice::Diagnosed {
                who: who(),
                finding: Box::new(Finding::Dial(Dial::Connected)),
                took: Duration::from_millis(12),
            },
            Notice::Verdict {
                who: who(),
                verdict: Box::new(crate::chat::notice::Verdict {
                    dial: Some(Dial::Failed(CloseReason::Refused)),
                    ..Default::default()
                }),
            },
            Notice::Delivered { to, count: 3 },
            Notice::Unconfirmed { to, text: text(), reason: CloseReason::Reset },
            Notice::Refused { from: address(50_000), text: text() },
            Notice::Pinned { who: pinned(), key },
            Notice::Moved { who: pinned(), from: to },
            Notice::OtherKey { who: pinned(), ago: Some(Duration::from_secs(86_400)) },
            Notice::OwnKey(Some(key)),
            Notice::Verify { who: pinned(), key, number: "12345 67890".to_owned() },
            Notice::Verified(Who { standing: Standing::Verified, ..who() }),
            Notice::KeyForgotten(who()),
            Notice::Held(vec![HeldRow {
                who: who(),
                text: "hello".into(),
                held: Duration::from_secs(60),
                state: HeldState::Waiting,
            }]),
            Notice::Later { who: who(), texts: vec!["hello".into()], what: Later::Held },
        ]
    }

    /// 2026-02-28T23:59:59.999Z.
    fn moment() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_772_323_199_999)
    }

    fn event_of(line: &str) -> serde_json::Value {
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn the_names_of_events_and_fields_stay_as_the_golden_file_has_them() {
        let examples = examples();
        assert!((0..KINDS).all(|n| examples.get(n).is_some_and(|notice| kind(notice) == n)));
        let lines: String = examples.iter().filter_map(|notice| line(notice, moment())).collect();
        assert_eq!(lines, GOLDEN);
    }

    /// The section of the scripting page with this heading.
    fn section(heading: &str) -> &'static str {
        let (_, rest) =
            include_str!("../../docs/scripting.md").split_once(&format!("\n{heading}\n")).unwrap();
        rest.split("\n#").next().unwrap()
    }

    /// The row of the table of events.
    fn row(event: &str) -> &'static str {
        let row = section("## Events").lines().find(|row| row.starts_with(&format!("| `{event}` |")));
        row.unwrap_or_else(|| panic!("{event} is missing"))
    }

    #[test]
    fn the_table_of_events_has_each_event_and_its_fields() {
        for line in GOLDEN.lines() {
            let serde_json::Value::Object(fields) = event_of(line) else { panic!("{line}") };
            let row = row(fields["event"].as_str().unwrap());
            for field in
                fields.keys().filter(|field| !["schema", "time", "id", "event"].contains(&field.as_str()))
            {
                assert!(row.contains(&format!("`{field}`")), "{field} is missing: {row}");
            }
        }
    }

    #[test]
    fn the_tables_of_reasons_have_each_reason_and_no_other() {
        let listed = |heading| -> BTreeSet<&str> {
            let rows = section(heading).lines().filter_map(|row| row.strip_prefix("| `"));
            rows.map(|row| row.split('`').next().unwrap()).collect()
        };
        let failures = [CloseReason::WORDS, FAILURE_REASONS].concat();
        assert_eq!(listed("### Reasons of failures"), failures.into_iter().collect());
        // Only the menu can cause these mistakes.
        let of_menus = ["empty-name", "no-static-peers", "not-yes-or-no", "unknown-choice"];
        assert_eq!(listed("### Stages of a diagnosis"), OUTCOMES.iter().copied().collect());
        let mistakes = [MISTAKE_REASONS, JSON_REASONS].concat();
        let of_lines = mistakes.into_iter().filter(|word| !of_menus.contains(word)).collect();
        assert_eq!(listed("### Reasons of errors"), of_lines);
    }

    #[test]
    fn the_rows_of_faults_have_each_reason() {
        let table = [
            ("file-fault", FILE_REASONS),
            ("listen-failed", LISTEN_REASONS),
            ("no-history", RECALL_REASONS),
            ("not-recorded", RECORD_REASONS),
        ];
        for (event, reasons) in table {
            for reason in reasons {
                assert!(row(event).contains(&format!("`{reason}`")), "{event}: {reason} is missing");
            }
        }
    }

    #[test]
    fn any_text_of_a_peer_is_one_line_that_reads_back_the_same_and_has_no_control_characters() {
        let nasty = "a\"b\\c\n\r\0\u{1b}[2J\u{9b}31m\u{202e}\u{2028}\u{e0041} 日本 e\u{301} 👩‍🚀 \u{7f}";
        let who = Who::new(address(9), nasty.into());
        let message = Notice::Message { who, text: nasty.to_owned(), is_to_all: true, mentions: Vec::new() };
        let line = line(&message, moment()).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.trim_end().chars().all(|c| !is_treacherous(c)), "{line}");
        let event = event_of(&line);
        assert_eq!((event["name"].as_str(), event["text"].as_str()), (Some(nasty), Some(nasty)));
    }

    #[test]
    fn an_id_comes_back_as_it_was_written_and_cannot_control_a_terminal() {
        let ids = [
            (CommandId::Number("12345678901234567890.10".into()), "12345678901234567890.10"),
            (CommandId::Text("a\u{1b}[2J\u{202e}é\"".into()), r#""a\u001b[2J\u202eé\"""#),
        ];
        for (id, written) in ids {
            let answer = Notice::Answer { id, notice: Box::new(Notice::SentToAll(0)) };
            let line = line(&answer, moment()).unwrap();
            assert!(line.contains(&format!(r#","id":{written},"event":"sent-to-all","#)), "{line}");
        }
    }

    #[test]
    fn every_reason_is_a_word_of_its_own() {
        let typed = || "x".to_owned();
        let bad = [
            BadCommand::BadId,
            BadCommand::DuplicateField { field: typed(), column: 7 },
            BadCommand::Missing { command: "send", field: "to" },
            BadCommand::NoCommand,
            BadCommand::NotAnObject,
            BadCommand::NotUtf8(7),
            BadCommand::Unknown(typed()),
            BadCommand::UnknownField { command: "send", field: typed() },
        ];
        let mistakes = [
            Mistake::AmbiguousName { name: typed(), peers: Vec::new() },
            Mistake::BadAddress(typed()),
            Mistake::BadAlias(typed()),
            Mistake::BadCount(typed()),
            Mistake::BadDialect(typed()),
            Mistake::BadPort(typed()),
            BadSlash::ForPeople.into(),
            BadSlash::Unknown { word: typed(), nearest: Some("/msg") }.into(),
            BadSlash::Usage { name: "/exit", arguments: "WHO" }.into(),
            Mistake::Diagnosing(address(1)),
            Mistake::EmptyMessage,
            Mistake::EmptyName,
            Mistake::HeldFull,
            Mistake::LineTooLong,
            Mistake::NothingHeld(address(1)),
            Mistake::NameTooLong,
            Mistake::NoPeers,
            Mistake::NoStaticPeers,
            Mistake::NoConversation,
            Mistake::NoSuchNumber(7),
            Mistake::UnknownChoice(typed()),
            Mistake::Yourself(address(1)),
        ];
        let mut told: Vec<(String, String)> = Vec::new();
        let faults = [
            JsonFault::BadEscape,
            JsonFault::ControlCharacter,
            JsonFault::LoneSurrogate,
            JsonFault::NumberOutOfRange,
            JsonFault::Syntax,
            JsonFault::TooDeep,
            JsonFault::TrailingComma,
            JsonFault::TrailingText,
            JsonFault::Truncated,
        ];
        let malformed = faults.map(|fault| BadCommand::Malformed { fault, column: 7 });
        for mistake in mistakes.into_iter().chain(bad.into_iter().chain(malformed).map(Mistake::from)) {
            let event = event_of(&line(&Notice::Mistake(mistake), moment()).unwrap());
            let word = |field: &str| event[field].as_str().unwrap().to_owned();
            let is_whole = word("sentence").ends_with('.') || word("sentence").starts_with("Usage: ");
            assert!(is_whole && !word("sentence").contains("menu"), "{event}");
            told.push((word("reason"), word("sentence")));
        }
        told.sort();
        assert!(told.windows(2).all(|pair| pair[0].0 != pair[1].0 && pair[0].1 != pair[1].1), "{told:?}");
    }

    #[test]
    fn different_sentences_may_share_one_reason() {
        let typed = || "x.example".to_owned();
        for (mistake, word) in [
            (Mistake::NoneToConnect, "no-peers"),
            (Mistake::NoPeers, "no-peers"),
            (Mistake::HostName(typed()), "bad-address"),
            (Mistake::BadAddress(typed()), "bad-address"),
        ] {
            let event = event_of(&line(&Notice::Mistake(mistake), moment()).unwrap());
            assert_eq!(event["reason"], word);
        }
    }

    #[test]
    fn times_are_calendar_times() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_001, "2000-02-28T23:59:59.001Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (1_772_323_199_999, "2026-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ];
        for (millis, text) in table {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_millis(millis)), text);
        }
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), table[0].1);
    }
}
