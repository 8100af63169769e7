//! The known peers as the file has them, and how what two programs know is put together.
//!
//! Text in, records out, and back; no file is touched here.

use crate::quoting::quoted;
use chinwag::chat::book::Known;
use chinwag::chat::request::is_unmistakable;
use chinwag::limits::{KNOWN_PEERS_MAX, NAME_BYTES_MAX};
use chinwag::proto::clean::Clean;
use chinwag::proto::message::{Dialect, canonical};
use jiff::{SignedDuration, Timestamp, Unit};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const HEADING: &str = "\
# The peers that chinwag knows, for you to read and to change, also while it runs.
# A peer has: address, name, alias, dialect, blocked, last_heard.

";

/// All of them, by address.
pub(super) type Records = BTreeMap<SocketAddr, Record>;

/// A peer of the file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Record {
    address: SocketAddr,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) alias: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dialect: Option<Dialect>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) blocked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_heard: Option<Timestamp>,
    /// What a later version has besides.
    #[serde(flatten)]
    rest: toml::Table,
}

#[derive(Default, Deserialize, Serialize)]
struct Document {
    #[serde(default, rename = "peer")]
    peers: Vec<Record>,
}

/// Reads a file; fails with the reason why it cannot be understood. A clock that was wrong once could keep a peer
/// in it for ever: what is to come counts as `now`.
pub(super) fn parse(text: &str, now: Timestamp) -> Result<Records, String> {
    let document: Document = toml::from_str(text).map_err(|error| {
        let line =
            error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        format!("line {line}: {}", error.message().lines().next().unwrap_or_default())
    })?;
    let mut records = Records::new();
    for record in document.peers {
        let address = canonical(record.address);
        record.check()?;
        let last_heard = record.last_heard.map(|at| at.min(now));
        if records.insert(address, Record { address, last_heard, ..record }).is_some() {
            return Err(format!("{address} is in it twice"));
        }
    }
    Ok(records)
}

/// A file with these in it.
pub(super) fn format(records: &Records) -> Result<String, toml::ser::Error> {
    let peers = records.values().cloned().collect();
    let lines = toml::to_string(&Document { peers })?;
    Ok(lines.lines().fold(HEADING.to_owned(), |text, line| text + &harmless(line) + "\n"))
}

/// A name that would disturb the terminal on which the file is read is written in escapes.
fn harmless(line: &str) -> Cow<'_, str> {
    let is_name = line.starts_with("name = ") || line.starts_with("alias = ");
    if !is_name || Clean(line).to_string() == line {
        return line.into();
    }
    let Ok(assignment) = toml::from_str::<BTreeMap<String, String>>(line) else { return line.into() };
    assignment.iter().map(|(key, name)| format!("{key} = {}", quoted(name))).collect()
}

/// What is to be in the file: what others wrote, with what has changed here since `before`.
pub(super) fn merge(before: &Records, ours: &Records, mut theirs: Records) -> Records {
    for (address, our) in ours {
        let was = before.get(address);
        match theirs.get_mut(address) {
            Some(their) => their.take_over(our, was.unwrap_or(&Record::new(*address))),
            // Somebody took it out, and nothing has come of it since.
            None if was == Some(our) => {}
            None => drop(theirs.insert(*address, our.clone())),
        }
    }
    bounded(theirs)
}

/// Of too many, without those heard longest ago of whom the user said nothing.
pub(super) fn bounded(mut records: Records) -> Records {
    let is_kept = |record: &Record| record.alias.is_some() || record.blocked;
    let mut others: Vec<_> =
        records.values().filter(|record| !is_kept(record)).map(|r| (r.last_heard, r.address)).collect();
    others.sort();
    for (_, address) in others.iter().take(records.len().saturating_sub(KNOWN_PEERS_MAX)) {
        records.remove(address);
    }
    records
}

impl Record {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            name: String::new(),
            alias: None,
            dialect: None,
            blocked: false,
            last_heard: None,
            rest: toml::Table::new(),
        }
    }

    /// What the book has of a peer.
    pub(super) fn of(address: SocketAddr, known: &Known, clock: &Clock) -> Self {
        Self {
            name: known.name.to_string(),
            alias: known.alias.as_deref().map(str::to_owned),
            dialect: known.dialect,
            blocked: known.is_blocked,
            last_heard: known.heard_at.map(|at| clock.time_of(at)),
            ..Self::new(address)
        }
    }

    pub(super) fn to_known(&self, clock: &Clock) -> Known {
        Known {
            name: self.name.as_str().into(),
            alias: self.alias.as_deref().map(Into::into),
            dialect: self.dialect,
            is_blocked: self.blocked,
            heard_at: self.last_heard.and_then(|at| clock.moment_of(at)),
            ..Known::default()
        }
    }

    fn check(&self) -> Result<(), String> {
        let is_name = |name: &str| name.len() <= NAME_BYTES_MAX;
        if self.address.port() == 0 {
            return Err(format!("{} has no port", self.address));
        }
        if !is_name(&self.name) || !self.alias.as_deref().is_none_or(is_name) {
            return Err(format!("a name of {} is longer than {NAME_BYTES_MAX} bytes", self.address));
        }
        if !self.alias.as_deref().is_none_or(is_unmistakable) {
            return Err(format!("the alias of {} could mean something else", self.address));
        }
        Ok(())
    }

    /// Takes over what has changed here; of two new names, the one that was heard last.
    fn take_over(&mut self, our: &Self, was: &Self) {
        if our.alias != was.alias {
            self.alias.clone_from(&our.alias);
        }
        if our.dialect != was.dialect {
            self.dialect = our.dialect;
        }
        if our.blocked != was.blocked {
            self.blocked = our.blocked;
        }
        if our.last_heard >= self.last_heard {
            self.last_heard = our.last_heard;
            if our.name != was.name {
                self.name.clone_from(&our.name);
            }
        }
    }
}

/// Moments as times of day and back. Both are taken at the start, and again when something is written: the
/// machine may have slept in between, which moments do not count.
pub(super) struct Clock {
    start: (Instant, Timestamp),
    now: (Instant, Timestamp),
}

impl Clock {
    pub(super) fn start() -> Self {
        let now = (Instant::now(), Timestamp::now());
        Self { start: now, now }
    }

    pub(super) fn update(&mut self) {
        self.now = (Instant::now(), Timestamp::now());
    }

    /// The moment of a time before the start, as far back as moments go.
    fn moment_of(&self, time: Timestamp) -> Option<Instant> {
        let ago = Duration::try_from(self.start.1.duration_since(time)).unwrap_or_default();
        self.start.0.checked_sub(ago)
    }

    /// The time of a moment, in whole seconds. What came out of the file goes back as it was.
    fn time_of(&self, moment: Instant) -> Timestamp {
        let (instant, time) = if moment <= self.start.0 { self.start } else { self.now };
        let ago = SignedDuration::try_from(instant.saturating_duration_since(moment)).unwrap_or_default();
        let exact = time.checked_sub(ago).unwrap_or(time);
        exact.round(Unit::Second).unwrap_or(exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port as u16))
    }

    fn record(port: usize, name: &str, second: Option<i64>) -> Record {
        let last_heard = second.map(|second| Timestamp::from_second(second).unwrap());
        Record { name: name.to_owned(), last_heard, ..Record::new(address(port)) }
    }

    fn records(list: &[Record]) -> Records {
        list.iter().map(|record| (record.address, record.clone())).collect()
    }

    #[test]
    fn what_is_written_reads_back_as_it_was_unknown_fields_too() {
        let text = "[[peer]]\naddress = \"127.0.0.1:9\"\nname = \"P \\u001B1\\n\"\nalias = \"anna\"\n\
                    dialect = \"netech\"\nblocked = true\nlast_heard = \"2026-03-01T00:00:07Z\"\n\
                    shoe_size = 44\n\n[[peer]]\naddress = \"[::1]:9\"\n";
        let read = parse(text, Timestamp::MAX).unwrap();
        assert_eq!(read[&address(9)].dialect, Some(Dialect::Netech));
        let written = format(&read).unwrap();
        assert_eq!(parse(&written, Timestamp::MAX).unwrap(), read);
        for words in ["shoe_size = 44", "last_heard = \"2026-03-01T00:00:07Z\"", "address = \"[::1]:9\""] {
            assert!(written.contains(words), "{words} is missing:\n{written}");
        }
        assert_eq!(parse("", Timestamp::MAX).unwrap(), Records::new());
        let now = Timestamp::from_second(7).unwrap();
        assert_eq!(parse(text, now).unwrap()[&address(9)].last_heard, Some(now));
    }

    #[test]
    fn a_name_that_would_disturb_a_terminal_is_written_in_escapes_and_read_back() {
        let names = [
            "\u{9b}2J",
            "\u{202e}x",
            "\"q\" \\ \u{9b}",
            "'\u{9b}'\"",
            "\x1b]0;x\x07",
            "\u{7f}",
            "日本 👨\u{200d}👩 \"q\"",
        ];
        let ours: Vec<Record> = (1..).zip(names).map(|(port, name)| record(port, name, Some(7))).collect();
        let text = format(&records(&ours)).unwrap();
        for line in text.lines() {
            assert_eq!(Clean(line).to_string(), line);
        }
        assert!(text.contains("日本 👨\u{200d}👩"), "what disturbs nothing stays: {text}");
        assert_eq!(parse(&text, Timestamp::MAX).unwrap(), records(&ours));
    }

    #[test]
    fn what_cannot_be_understood_has_its_reason() {
        let long = format!("name = \"{}\"", "x".repeat(NAME_BYTES_MAX + 1));
        let table = [
            ("blocked = 1", "line "),
            ("dialect = \"klingon\"", "line "),
            ("last_heard = \"yesterday\"", "line "),
            ("alias = \"two words\"", "the alias of 127.0.0.1:9 could mean something else"),
            ("alias = \"\"", "the alias of 127.0.0.1:9 could mean something else"),
            (&long, "a name of 127.0.0.1:9 is longer than 64 bytes"),
            ("[[peer]]\naddress = \"[::ffff:127.0.0.1]:9\"", "127.0.0.1:9 is in it twice"),
            ("[[peer]]\naddress = \"127.0.0.1:0\"", "127.0.0.1:0 has no port"),
            ("[[peer]]\naddress = \"nowhere\"", "line "),
            ("[[peer]]\nname = \"P1\"", "line "),
            ("\0\0\0", "line 3: "),
        ];
        for (line, reason) in table {
            let text = format!("[[peer]]\naddress = \"127.0.0.1:9\"\n{line}\n");
            let said = parse(&text, Timestamp::MAX).unwrap_err();
            assert!(said.starts_with(reason) && !said.contains('\n'), "{line}: {said}");
        }
    }

    #[test]
    fn what_two_programs_know_is_put_together() {
        let before = records(&[
            record(1, "P1", Some(5)),
            record(2, "P2", Some(5)),
            record(4, "P4", Some(5)),
            record(5, "P5", Some(5)),
        ]);
        let mut ours =
            records(&[record(1, "old", Some(6)), record(2, "new", Some(9)), record(3, "P3", None)]);
        ours.insert(address(4), record(4, "P4", Some(5)));
        ours.get_mut(&address(1)).unwrap().alias = Some("anna".to_owned());
        ours.insert(address(5), record(5, "P5", Some(6)));
        let mut theirs = records(&[
            record(1, "P1", Some(8)),
            record(2, "P2", Some(5)),
            record(5, "typed", Some(5)),
            record(7, "P7", None),
        ]);
        theirs.get_mut(&address(1)).unwrap().blocked = true;
        theirs.get_mut(&address(2)).unwrap().alias = Some("bob".to_owned());
        let merged = merge(&before, &ours, theirs);
        let one = |port| merged.get(&address(port)).unwrap();
        assert_eq!(
            (one(1).name.as_str(), one(1).alias.as_deref(), one(1).blocked),
            ("P1", Some("anna"), true)
        );
        assert_eq!((one(2).name.as_str(), one(2).alias.as_deref()), ("new", Some("bob")));
        assert_eq!((one(5).name.as_str(), one(5).last_heard), ("typed", ours[&address(5)].last_heard));
        assert_eq!((one(3).name.as_str(), one(7).name.as_str()), ("P3", "P7"));
        assert!(!merged.contains_key(&address(4)), "somebody took it out");
    }

    #[test]
    fn what_the_user_takes_back_here_is_gone_there_and_the_address_stays() {
        let blocked = Record { blocked: true, alias: Some("anna".to_owned()), ..Record::new(address(1)) };
        let before = records(std::slice::from_ref(&blocked));
        let ours = records(&[Record::new(address(1))]);
        assert_eq!(merge(&before, &ours, before.clone()), ours);
    }

    #[test]
    fn too_many_are_cut_to_those_heard_last_and_those_the_user_named() {
        let mut many =
            records(&(1..=KNOWN_PEERS_MAX + 10).map(|n| record(n, "P", Some(n as i64))).collect::<Vec<_>>());
        many.get_mut(&address(1)).unwrap().alias = Some("anna".to_owned());
        many.get_mut(&address(2)).unwrap().blocked = true;
        let cut = bounded(many);
        assert_eq!(cut.len(), KNOWN_PEERS_MAX);
        let ports: Vec<u16> = cut.keys().take(3).map(SocketAddr::port).collect();
        assert_eq!(ports, [1, 2, 13]);
    }

    #[test]
    fn times_come_back_as_they_were_and_moments_of_this_run_become_times() {
        let mut clock = Clock::start();
        for time in ["2026-03-01T00:00:07Z", "1999-12-31T23:59:59Z"] {
            let time: Timestamp = time.parse().unwrap();
            let record = Record { last_heard: Some(time), ..Record::new(address(1)) };
            let known = record.to_known(&clock);
            clock.update();
            assert_eq!(Record::of(address(1), &known, &clock), record);
        }
        let future = Timestamp::now() + SignedDuration::from_hours(1000);
        assert_eq!(clock.moment_of(future), Some(clock.start.0));
        let now = clock.time_of(clock.now.0);
        assert!((now - clock.now.1).get_seconds().abs() <= 1);
    }
}
