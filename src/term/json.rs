//! Notices for a program: one JSON object on each line.
//!
//! Names of events and fields do not change; a golden file checks this. A change of their meaning needs another
//! [`SCHEMA`]. Names and texts are what the peer sent, decoded lossily: a JSON string can hold any character, so
//! nothing is replaced. Characters that could disturb a terminal are written as escapes, which a reader turns back
//! into the same characters.
//!
//! The names are written here, apart from the types of `chat`: renaming a field in the code must not change what
//! scripts read.
//!
//! Commands are taken while up to 16 MiB of events wait for their reader. Waiting here would deadlock with a bot that
//! replies before it reads on: both pipes would be full. This happened with a burst of 10,000 messages.

use super::Screen;
use super::addresses::At;
use super::diagnosis::{outcome, reach, stage};
use super::reasons::{
    ended, failure_reason, file_reason, listen_reason, mistake_reason, recall_reason, record_reason,
};
use super::render::Sentence;
use super::stdout::Stdout;
use crate::chat::finding::{Finding, Greeting, RoundTrip};
use crate::chat::id::CommandId;
use crate::chat::notice::{BadCommand, KnownRow, Mistake, NearbyRow, Notice, PeerRow, SaidTo, Stats, Who};
use crate::chat::recall::{PastMessage, Way};
use crate::chat::slash::{self, SLASHES};
use crate::limits::{COMMAND_BYTES_MAX, EVENTS_BYTES_MAX, TYPED_BYTES_MAX};
use crate::proto::clean::is_treacherous;
use jiff::Timestamp;
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::ser::{Formatter, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
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
struct Stamped<'a> {
    schema: u32,
    time: String,
    /// Only in answers to a command that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Id<'a>>,
    #[serde(flatten)]
    event: Event<'a>,
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

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Accepted(Peer<'a>),
    Aliased { address: At, name: &'a str, alias: Option<&'a str> },
    AlreadyConnected(Peer<'a>),
    Away { text: Option<&'a str> },
    BadClaim { claimed: At, to: At, sentence: String },
    Blocked(Peer<'a>),
    ConnectList { peers: Vec<Row<'a>> },
    ConnectSent(Peer<'a>),
    Connected(Peer<'a>),
    Delivered { to: At, count: usize },
    Diagnosed(Box<Diagnosed<'a>>),
    Diagnosing(Peer<'a>),
    DialectSet { address: At, name: &'a str, dialect: &'static str },
    Disconnected(Peer<'a>),
    Error(Error<'a>),
    ExitSent { to: At },
    Exiting,
    FileFault { path: String, reason: &'static str, sentence: String },
    Folded(Folded<'a>),
    Help { commands: Vec<Slash> },
    History { messages: Vec<Past<'a>>, older: u64, partial: bool },
    ListenFailed { port: u16, reason: &'static str, sentence: String },
    Listening { port: u16, name: &'a str, addresses: Vec<At> },
    Lost(Lost<'a>),
    Me { port: u16, name: &'a str, addresses: Vec<At> },
    Message(Message<'a>),
    NameChanged { name: &'a str },
    Nearby { peers: Vec<Near<'a>> },
    NearbyPeer(Near<'a>),
    NewPeer(Peer<'a>),
    NoMulticast { reason: &'static str, sentence: String },
    NobodyNearby,
    NoHistory { reason: &'static str, sentence: String },
    NotConnected { to: At, reason: &'static str, sentence: String },
    NotRecorded { reason: &'static str, sentence: String },
    NotSent { to: At, text: &'a str, reason: &'static str, sentence: String },
    Peers(Peers<'a>),
    Raw { from: At, text: &'a str },
    Renamed(Renamed<'a>),
    Sent { to: At },
    SentToAll { peers: usize },
    Stats(Figures),
    StillTrying { peers: usize },
    Tally { messages: u64, peers: u64 },
    Unblocked(Peer<'a>),
    Unconfirmed { to: At, text: &'a str, reason: &'static str, sentence: String },
    Verdict(Verdict<'a>),
    Whois(Whois<'a>),
}

#[derive(Serialize)]
struct Whois<'a> {
    #[serde(flatten)]
    peer: Peer<'a>,
    own_name: &'a str,
    dialect: &'static str,
    connected: bool,
    session: bool,
    confirmed: bool,
    away: bool,
    blocked: bool,
    heard: u64,
    heard_seconds_ago: Option<u64>,
    sent: u64,
}

#[derive(Serialize)]
struct Diagnosed<'a> {
    #[serde(flatten)]
    peer: Peer<'a>,
    stage: &'static str,
    outcome: &'static str,
    micros: u64,
    sentence: String,
    #[serde(flatten)]
    details: Details<'a>,
}

/// What only some stages have.
#[derive(Default, Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    addresses: Option<Vec<At>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections_max: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dialect: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip_micros: Option<u64>,
}

#[derive(Serialize)]
struct Verdict<'a> {
    #[serde(flatten)]
    peer: Peer<'a>,
    outcome: &'static str,
    sentence: String,
}

#[derive(Serialize)]
struct Peer<'a> {
    address: At,
    name: &'a str,
}

#[derive(Serialize)]
struct Error<'a> {
    reason: &'static str,
    sentence: String,
    /// Only for JSON that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peers: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Slash {
    command: &'static str,
    arguments: &'static str,
    does: &'static str,
}

#[derive(Serialize)]
struct Figures {
    uptime_seconds: u64,
    peers: usize,
    met: u64,
    connected: usize,
    sessions: usize,
    heard: u64,
    sent: u64,
    delivered: u64,
    taken: u64,
    unconfirmed: u64,
    not_sent: u64,
    queued_bytes: usize,
    held_bytes: usize,
    held_bytes_max: usize,
    waiting_messages: usize,
    folded_lines: u64,
    raw: u64,
    blocked: u64,
    connections: usize,
    accepted: u64,
    dialled: u64,
    refused: u64,
    dials: usize,
    dials_waiting: usize,
    ended: BTreeMap<&'static str, u64>,
    lag_micros: u64,
    lag_worst_micros: u64,
}

#[derive(Serialize)]
struct Folded<'a> {
    #[serde(flatten)]
    peer: Peer<'a>,
    lines: u64,
}

#[derive(Serialize)]
struct Renamed<'a> {
    #[serde(flatten)]
    peer: Peer<'a>,
    old_name: &'a str,
}

#[derive(Serialize)]
struct Lost<'a> {
    #[serde(flatten)]
    peer: Peer<'a>,
    reason: &'static str,
    sentence: String,
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(flatten)]
    peer: Peer<'a>,
    text: &'a str,
    to_all: bool,
    confirmed: bool,
    mention: bool,
}

#[derive(Serialize)]
struct Past<'a> {
    time: String,
    own: bool,
    /// Null in a text of the user to all.
    address: Option<At>,
    name: &'a str,
    text: &'a str,
    to_all: bool,
}

#[derive(Serialize)]
struct Peers<'a> {
    active: Vec<Row<'a>>,
    contacted: Vec<Row<'a>>,
    /// Only if peers are remembered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    known: Vec<Known<'a>>,
    /// Only if somebody was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nearby: Vec<Near<'a>>,
}

#[derive(Serialize)]
struct Near<'a> {
    /// Only if a list has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<usize>,
    #[serde(flatten)]
    peer: Peer<'a>,
    key: Option<&'a str>,
}

impl<'a> From<&'a NearbyRow> for Near<'a> {
    fn from(row: &'a NearbyRow) -> Self {
        Self { number: row.number, peer: (&row.who).into(), key: row.key.as_deref() }
    }
}

#[derive(Serialize)]
struct Known<'a> {
    number: usize,
    #[serde(flatten)]
    peer: Peer<'a>,
    own_name: Option<&'a str>,
    blocked: bool,
    heard_seconds_ago: Option<u64>,
}

#[derive(Serialize)]
struct Row<'a> {
    number: usize,
    #[serde(flatten)]
    peer: Peer<'a>,
    connected: bool,
    heard_seconds_ago: Option<u64>,
}

impl<'a> From<&'a Who> for Peer<'a> {
    fn from(who: &'a Who) -> Self {
        Self { address: At(who.address), name: &who.name }
    }
}

impl<'a> From<&'a PastMessage> for Past<'a> {
    fn from(message: &'a PastMessage) -> Self {
        let (own, who, to_all) = match &message.way {
            Way::Heard { from, is_to_all } => (false, Some(from), *is_to_all),
            Way::Said(SaidTo::One(to)) => (true, Some(to), false),
            Way::Said(SaidTo::All(_)) => (true, None, true),
        };
        Self {
            time: format!("{:.3}", message.at.timestamp()),
            own,
            address: who.map(|who| At(who.address)),
            name: who.map_or("", |who| &who.name),
            text: &message.text,
            to_all,
        }
    }
}

impl From<&Stats> for Figures {
    fn from(stats: &Stats) -> Self {
        Self {
            uptime_seconds: stats.uptime.as_secs(),
            peers: stats.peers,
            met: stats.met,
            connected: stats.connected,
            sessions: stats.sessions,
            heard: stats.heard,
            sent: stats.sent,
            delivered: stats.delivered,
            taken: stats.taken,
            unconfirmed: stats.unconfirmed,
            not_sent: stats.not_sent,
            queued_bytes: stats.queued_bytes,
            held_bytes: stats.held_bytes,
            held_bytes_max: stats.held_bytes_max,
            waiting_messages: stats.waiting_messages,
            folded_lines: stats.folded,
            raw: stats.raw,
            blocked: stats.blocked,
            connections: stats.connections,
            accepted: stats.accepted,
            dialled: stats.dialled,
            refused: stats.refused,
            dials: stats.dialling,
            dials_waiting: stats.dials_waiting,
            ended: ended(stats),
            lag_micros: stats.lag.as_micros() as u64,
            lag_worst_micros: stats.lag_worst.as_micros() as u64,
        }
    }
}

impl<'a> From<&'a PeerRow> for Row<'a> {
    fn from(row: &'a PeerRow) -> Self {
        let heard_seconds_ago = row.heard_ago.map(|ago| ago.as_secs());
        Self { number: row.number, peer: (&row.who).into(), connected: row.connected, heard_seconds_ago }
    }
}

impl<'a> From<&'a KnownRow> for Known<'a> {
    fn from(row: &'a KnownRow) -> Self {
        Self {
            number: row.number,
            peer: (&row.who).into(),
            own_name: row.own_name.as_deref(),
            blocked: row.is_blocked,
            heard_seconds_ago: row.heard_ago.map(|ago| ago.as_secs()),
        }
    }
}

impl<'a> From<&'a Finding> for Details<'a> {
    fn from(finding: &'a Finding) -> Self {
        let none = Self::default();
        match finding {
            Finding::OurSide(side) => Self {
                port: Some(side.port),
                addresses: Some(side.addresses.iter().map(|&address| At(address)).collect()),
                from: side.from,
                interface: side.interface.as_deref(),
                connections: Some(side.connections),
                connections_max: Some(side.connections_max),
                ..none
            },
            Finding::Greeting(Greeting::Published(dialect)) => Self { dialect: Some(dialect.name()), ..none },
            Finding::Greeting(Greeting::Foreign(foreign)) => Self { said: Some(&foreign.said), ..none },
            Finding::RoundTrip(RoundTrip::Median(time)) => {
                Self { round_trip_micros: Some(time.as_micros() as u64), ..none }
            }
            _ => none,
        }
    }
}

fn event(notice: &Notice) -> Option<Event<'_>> {
    let sentence = || Sentence(notice).to_string().trim_end().to_owned();
    Some(match notice {
        Notice::Accepted(who) => Event::Accepted(who.into()),
        Notice::Aliased { who, alias } => {
            Event::Aliased { address: At(who.address), name: &who.name, alias: alias.as_deref() }
        }
        Notice::AlreadyConnected(who) => Event::AlreadyConnected(who.into()),
        Notice::Blocked(who) => Event::Blocked(who.into()),
        Notice::ConnectList(peers) => Event::ConnectList { peers: rows(peers) },
        Notice::ConnectSent(who) => Event::ConnectSent(who.into()),
        Notice::Connected(who) => Event::Connected(who.into()),
        Notice::Delivered { to, count } => Event::Delivered { to: At(*to), count: *count },
        Notice::Diagnosed { who, finding, took } => Event::Diagnosed(Box::new(Diagnosed {
            peer: who.into(),
            stage: stage(finding),
            outcome: outcome(finding),
            micros: took.as_micros() as u64,
            sentence: sentence(),
            details: (&**finding).into(),
        })),
        Notice::Diagnosing(who) => Event::Diagnosing(who.into()),
        Notice::DialectSet { who, dialect } => {
            Event::DialectSet { address: At(who.address), name: &who.name, dialect: dialect.name() }
        }
        Notice::Disconnected(who) => Event::Disconnected(who.into()),
        Notice::ExitSent(to) => Event::ExitSent { to: At(*to) },
        Notice::Exiting => Event::Exiting,
        Notice::FileFault { path, why, .. } => Event::FileFault {
            path: path.display().to_string(),
            reason: file_reason(why),
            sentence: sentence(),
        },
        Notice::Folded { who, lines } => Event::Folded(Folded { peer: who.into(), lines: *lines }),
        Notice::Help => Event::Help { commands: slashes() },
        Notice::ListenFailed { port, error } => {
            Event::ListenFailed { port: *port, reason: listen_reason(*port, *error), sentence: sentence() }
        }
        Notice::Listening { port, name, addresses } => {
            Event::Listening { port: *port, name, addresses: addresses.iter().copied().map(At).collect() }
        }
        Notice::BadClaim { claimed, to, .. } => {
            Event::BadClaim { claimed: At(*claimed), to: At(*to), sentence: sentence() }
        }
        Notice::Lost { who, reason } => {
            Event::Lost(Lost { peer: who.into(), reason: reason.word(), sentence: sentence() })
        }
        Notice::Me { port, name, addresses } => {
            Event::Me { port: *port, name, addresses: addresses.iter().copied().map(At).collect() }
        }
        // A program is told of each failure by itself, and has no screen.
        Notice::ManyFailed(_) | Notice::Clear | Notice::Reachable(_) => return None,
        Notice::Answer { .. }
        | Notice::Menu
        | Notice::Prompt(_)
        | Notice::Recall(_)
        | Notice::Said { .. } => return None,
        Notice::Message { who, text, is_to_all, is_confirmed, mentions } => Event::Message(Message {
            peer: who.into(),
            text,
            to_all: *is_to_all,
            confirmed: *is_confirmed,
            mention: !mentions.is_empty(),
        }),
        Notice::Mistake(mistake) => Event::Error(error(mistake, sentence())),
        Notice::NameChanged(name) => Event::NameChanged { name },
        Notice::NewPeer(who) => Event::NewPeer(who.into()),
        Notice::NotConnected { to, why } => {
            Event::NotConnected { to: At(*to), reason: failure_reason(*why), sentence: sentence() }
        }
        Notice::NotRecorded(error) => {
            Event::NotRecorded { reason: record_reason(*error), sentence: sentence() }
        }
        Notice::NotRecalled(why) => Event::NoHistory { reason: recall_reason(why), sentence: sentence() },
        Notice::NotSent { to, text, why } => {
            Event::NotSent { to: At(*to), text, reason: failure_reason(*why), sentence: sentence() }
        }
        Notice::Nearby(rows) => Event::Nearby { peers: rows.iter().map(Near::from).collect() },
        Notice::FoundNearby(row) => Event::NearbyPeer(row.into()),
        Notice::NobodyNearby => Event::NobodyNearby,
        Notice::NoMulticast(why) => {
            Event::NoMulticast { reason: why.map_or("no-network", |_| "fault"), sentence: sentence() }
        }
        Notice::Peers { active, contacted, known, nearby } => Event::Peers(Peers {
            nearby: nearby.iter().map(Near::from).collect(),
            active: rows(active),
            contacted: rows(contacted),
            known: known.iter().map(Known::from).collect(),
        }),
        Notice::Raw { from, text } => Event::Raw { from: At(*from), text },
        Notice::Recalled(found) => Event::History {
            messages: found.messages.iter().map(Past::from).collect(),
            older: found.older,
            partial: found.is_partial,
        },
        Notice::Renamed { who, was } => Event::Renamed(Renamed { peer: who.into(), old_name: was }),
        Notice::Sent(to) => Event::Sent { to: At(*to) },
        Notice::SentToAll(peers) => Event::SentToAll { peers: *peers },
        Notice::Stats(stats) => Event::Stats((&**stats).into()),
        Notice::StillTrying(peers) => Event::StillTrying { peers: *peers },
        Notice::Tally { messages, peers } => Event::Tally { messages: *messages, peers: *peers },
        Notice::Unblocked(who) => Event::Unblocked(who.into()),
        Notice::Unconfirmed { to, text, reason } => {
            Event::Unconfirmed { to: At(*to), text, reason: reason.word(), sentence: sentence() }
        }
        Notice::Verdict { who, verdict } => Event::Verdict(Verdict {
            peer: who.into(),
            outcome: reach(verdict.reach()),
            sentence: sentence(),
        }),
        Notice::Away(text) => Event::Away { text: text.as_deref() },
        Notice::Whois(whois) => Event::Whois(Whois {
            peer: (&whois.who).into(),
            own_name: &whois.own_name,
            dialect: whois.dialect.name(),
            connected: whois.connected,
            session: whois.has_session,
            confirmed: whois.confirmed,
            away: whois.away,
            blocked: whois.blocked,
            heard: whois.heard,
            heard_seconds_ago: whois.heard_ago.map(|ago| ago.as_secs()),
            sent: whois.sent,
        }),
    })
}

/// What a program is told of a mistake: it has no menu, and gets lists as data.
fn error(mistake: &Mistake, sentence: String) -> Error<'_> {
    let mut error = Error { reason: mistake_reason(mistake), sentence, column: None, peers: Vec::new() };
    match mistake {
        Mistake::AmbiguousName { name, peers } => {
            error.sentence = format!("Several peers are called '{name}'; use the number or address of one.");
            error.peers = rows(peers);
        }
        Mistake::BadAddress(typed) => {
            error.sentence =
                format!("'{typed}' is not an IP:PORT, a number from the last list or a known name.");
        }
        Mistake::BadCommand(
            BadCommand::DuplicateField { column, .. }
            | BadCommand::Malformed { column, .. }
            | BadCommand::NotUtf8(column),
        ) => error.column = Some(*column),
        Mistake::LineTooLong => {
            error.sentence = format!(
                "That is too long; a text or a slash command may have at most {TYPED_BYTES_MAX} bytes, any line \
                 {COMMAND_BYTES_MAX}."
            );
        }
        _ => {}
    }
    error
}

fn slashes() -> Vec<Slash> {
    let slash =
        |slash: &slash::Slash| Slash { command: slash.name, arguments: slash.arguments, does: slash.does };
    SLASHES.iter().map(slash).collect()
}

fn rows(rows: &[PeerRow]) -> Vec<Row<'_>> {
    rows.iter().map(Row::from).collect()
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
    use crate::chat::finding::Dial;
    use crate::chat::notice::{
        BadSlash, Failed, Failure, FileFault, JsonFault, Kept, ManyFailed, NotRecalled, Prompt, Recall,
        Recalled,
    };
    use crate::proto::machine::CloseReason;
    use crate::proto::message::Dialect;
    use std::collections::BTreeSet;
    use std::net::SocketAddr;
    use std::time::Duration;

    const GOLDEN: &str = include_str!("events.jsonl");
    const KINDS: usize = 56;

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
        let who = || Who { address: address(8080), name: "P1".into() };
        let row = |number, connected, seconds: Option<u64>| PeerRow {
            number,
            who: who(),
            connected,
            heard_ago: seconds.map(Duration::from_secs),
        };
        let near = |number| NearbyRow { number, who: who(), key: Some("3f2a".into()) };
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
                    who: Who { address: to, name: "anna".into() },
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
                confirmed: true,
                away: false,
                blocked: false,
                heard: 7,
                heard_ago: Some(Duration::from_secs(5)),
                sent: 3,
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
            Notice::Me { port: 8080, name: "P1".into(), addresses: vec![address(8080)] },
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
        let of_menus = ["empty-name", "no-static-peers", "unknown-choice"];
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
        let who = Who { address: address(9), name: nasty.into() };
        let message = Notice::Message {
            who,
            text: nasty.to_owned(),
            is_to_all: true,
            is_confirmed: true,
            mentions: Vec::new(),
        };
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
            Mistake::LineTooLong,
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
