//! What events are: their names and fields, and which notice makes which event.
//!
//! The names are written here, apart from the types of `chat`: renaming a field in the code must not change what
//! scripts read.

use super::addresses::At;
use super::diagnosis::{outcome, reach, stage};
use super::later;
use super::reasons::{
    ended, failure_reason, file_reason, listen_reason, mistake_reason, recall_reason, record_reason,
};
use super::render::Sentence;
use crate::chat::finding::{Finding, Greeting, RoundTrip};
use crate::chat::notice::{
    self, BadCommand, HeldRow, KnownRow, Mistake, NearbyRow, Notice, PeerRow, SaidTo, Standing, Stats, Who,
};
use crate::chat::recall::{PastMessage, Way};
use crate::chat::slash::{self, SLASHES};
use crate::limits::{COMMAND_BYTES_MAX, TYPED_BYTES_MAX};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

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
    Held { texts: Vec<HeldText<'a>> },
    Help { commands: Vec<Slash> },
    History { messages: Vec<Past<'a>>, older: u64, partial: bool },
    Later(Later<'a>),
    ListenFailed { port: u16, reason: &'static str, sentence: String },
    KeyForgotten(Peer<'a>),
    Listening { port: u16, name: &'a str, addresses: Vec<At> },
    Lost(Lost<'a>),
    Me { port: u16, name: &'a str, addresses: Vec<At>, key: Option<String> },
    Message(Message<'a>),
    Moved(Moved<'a>),
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
    OtherKey(OtherKey<'a>),
    OwnKey { key: Option<String> },
    Peers(Peers<'a>),
    Pinned(Pinned<'a>),
    Raw(Raw<'a>),
    Renamed(Renamed<'a>),
    Sent { to: At },
    SentToAll { peers: usize },
    Stats(Figures),
    StillTrying { peers: usize },
    Tally { messages: u64, peers: u64 },
    Unblocked(Peer<'a>),
    Unconfirmed { to: At, text: &'a str, reason: &'static str, sentence: String },
    Verdict(Verdict<'a>),
    Verified(Peer<'a>),
    Verify(Verify<'a>),
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
    encrypted: bool,
    confirmed: bool,
    away: bool,
    blocked: bool,
    heard: u64,
    heard_seconds_ago: Option<u64>,
    sent: u64,
    key: Option<&'a str>,
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
    standing: &'static str,
}

#[derive(Serialize)]
struct Raw<'a> {
    from: At,
    text: &'a str,
    /// Only if it is not believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    standing: Option<&'static str>,
}

#[derive(Serialize)]
struct Moved<'a> {
    #[serde(flatten)]
    peer: Peer<'a>,
    from: At,
}

#[derive(Serialize)]
struct OtherKey<'a> {
    #[serde(flatten)]
    peer: Peer<'a>,
    sentence: String,
}

#[derive(Serialize)]
struct Pinned<'a> {
    #[serde(flatten)]
    peer: Peer<'a>,
    key: String,
}

#[derive(Serialize)]
struct Verify<'a> {
    #[serde(flatten)]
    peer: Peer<'a>,
    key: String,
    number: &'a str,
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
struct HeldText<'a> {
    #[serde(flatten)]
    peer: Peer<'a>,
    text: &'a str,
    state: &'static str,
    held_seconds: u64,
}

impl<'a> From<&'a HeldRow> for HeldText<'a> {
    fn from(row: &'a HeldRow) -> Self {
        let HeldRow { who, text, held, state } = row;
        Self { peer: who.into(), text, state: later::state(*state), held_seconds: held.as_secs() }
    }
}

#[derive(Serialize)]
struct Later<'a> {
    #[serde(flatten)]
    peer: Peer<'a>,
    texts: Vec<&'a str>,
    outcome: &'static str,
    sentence: String,
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
    key_known: bool,
}

impl<'a> From<&'a NearbyRow> for Near<'a> {
    fn from(row: &'a NearbyRow) -> Self {
        Self {
            number: row.number,
            peer: (&row.who).into(),
            key: row.key.as_deref(),
            key_known: row.is_key_known,
        }
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
        Self { address: At(who.address), name: &who.name, standing: who.standing.word() }
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

impl<'a> From<&'a notice::Whois> for Whois<'a> {
    fn from(whois: &'a notice::Whois) -> Self {
        Self {
            peer: (&whois.who).into(),
            own_name: &whois.own_name,
            dialect: whois.dialect.name(),
            connected: whois.connected,
            session: whois.has_session,
            encrypted: whois.is_encrypted,
            confirmed: whois.confirmed,
            away: whois.away,
            blocked: whois.blocked,
            heard: whois.heard,
            heard_seconds_ago: whois.heard_ago.map(|ago| ago.as_secs()),
            sent: whois.sent,
            key: whois.key.as_ref().map(|(key, _)| &**key),
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

/// The event for a notice. `None` for what programs are not told.
pub(super) fn event(notice: &Notice) -> Option<impl Serialize> {
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
        Notice::Held(rows) => Event::Held { texts: rows.iter().map(HeldText::from).collect() },
        Notice::Help => Event::Help { commands: slashes() },
        Notice::Later { who, texts, what } => Event::Later(Later {
            peer: who.into(),
            texts: texts.iter().map(|text| &**text).collect(),
            outcome: later::outcome(*what),
            sentence: sentence(),
        }),
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
        Notice::Me { port, name, addresses, key } => Event::Me {
            port: *port,
            name,
            addresses: addresses.iter().copied().map(At).collect(),
            key: key.map(|key| key.fingerprint()),
        },
        // A program is told of each failure by itself, and has no screen.
        Notice::ManyFailed(_) | Notice::Clear | Notice::Reachable(_) => return None,
        Notice::Answer { .. }
        | Notice::Menu
        | Notice::Prompt(_)
        | Notice::Recall(_)
        | Notice::Said { .. } => return None,
        Notice::Message { who, text, is_to_all, mentions } => Event::Message(Message {
            peer: who.into(),
            text,
            to_all: *is_to_all,
            confirmed: who.standing.is_confirmed(),
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
        Notice::Raw { from, text } => Event::Raw(Raw { from: At(*from), text, standing: None }),
        Notice::Refused { from, text } => {
            Event::Raw(Raw { from: At(*from), text, standing: Some(Standing::Conflict.word()) })
        }
        Notice::KeyForgotten(who) => Event::KeyForgotten(who.into()),
        Notice::Moved { who, from } => Event::Moved(Moved { peer: who.into(), from: At(*from) }),
        Notice::OtherKey { who, .. } => Event::OtherKey(OtherKey { peer: who.into(), sentence: sentence() }),
        Notice::OwnKey(key) => Event::OwnKey { key: key.map(|key| key.fingerprint()) },
        Notice::Pinned { who, key } => Event::Pinned(Pinned { peer: who.into(), key: key.fingerprint() }),
        Notice::Verified(who) => Event::Verified(who.into()),
        Notice::Verify { who, key, number } => {
            Event::Verify(Verify { peer: who.into(), key: key.fingerprint(), number })
        }
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
        Notice::Whois(whois) => Event::Whois((&**whois).into()),
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
