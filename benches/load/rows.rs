//! What is measured, for which programs, and the names of the figures in the table.

use super::process::{connections, has};
use super::work::{STOPPED_READER_ROUNDS, Work};
use std::time::Duration;

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    /// The least work that is possible. The figures of all others are divided by its figures.
    Floor,
    /// chinwag, headless and quiet. It gets plain lines, unless the row needs answers.
    Chinwag,
    Mio,
    Tokio,
    MessageIo,
    /// chinwag, which prints what it hears into a pipe.
    Piped,
    /// chinwag, with peers that sent connect first.
    Sessions,
    /// chinwag, with peers whose sessions are encrypted.
    Encrypted,
    /// The loop of mio, over TLS.
    Tls,
}

impl Program {
    pub(crate) const ALL: [Self; 9] = [
        Self::Floor,
        Self::Chinwag,
        Self::Mio,
        Self::Tokio,
        Self::MessageIo,
        Self::Piped,
        Self::Sessions,
        Self::Encrypted,
        Self::Tls,
    ];

    /// The programs that can do everything.
    const COMMON: [Self; 5] = [Self::Floor, Self::Chinwag, Self::Mio, Self::Tokio, Self::MessageIo];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Chinwag => "chinwag",
            Self::Mio => "mio",
            Self::Tokio => "tokio",
            Self::MessageIo => "message-io",
            Self::Piped => "chinwag, piped",
            Self::Sessions => "chinwag, sessions",
            Self::Encrypted => "chinwag, encrypted",
            Self::Tls => "tls",
        }
    }

    /// The name of the rival's program, if the program is a rival.
    pub(crate) fn rival(self) -> Option<&'static str> {
        let is_ours = matches!(self, Self::Chinwag | Self::Piped | Self::Sessions | Self::Encrypted);
        (!is_ours).then_some(self.name())
    }
}

/// One kind of work, and the figures that it gives.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The picture that it belongs to.
    pub(crate) group: &'static str,
    pub(crate) work: Work,
    pub(crate) programs: Vec<Program>,
    pub(crate) figures: Vec<Figure>,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) shown: Shown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Count,
    Microseconds,
    Milliseconds,
    Nanoseconds,
    Times,
    YesNo,
}

/// What a cell shows for a program that is not the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The ratio to the floor's figure.
    Ratio,
    /// The ratio, and the figure itself.
    RatioAndValue,
    /// The figure itself.
    Value,
}

/// How much is done.
#[derive(Debug)]
pub(crate) struct Scale {
    pub(crate) is_smoke: bool,
}

impl Scale {
    /// So many connections, or as many as the limits allow.
    fn peers(&self, wanted: usize) -> usize {
        if self.is_smoke { wanted.isqrt().min(50) } else { connections(wanted) }
    }

    fn of(&self, much: usize, little: usize) -> usize {
        if self.is_smoke { little } else { much }
    }

    /// All rows.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (peers, batch) in
            [(100, 1), (100, 16), (100, 256), (1_000, 1), (1_000, 16), (10_000, 1), (10_000, 16)]
        {
            rows.push(self.burst(peers, batch));
        }
        for batch in [1, 16, 256] {
            rows.push(self.encrypted_burst(batch));
        }
        rows.push(self.handshakes());
        let messages = self.of(20_000, 200);
        rows.push(row(
            "one message a connection",
            Work::Churn { messages },
            &Program::COMMON,
            [("CPU per connection with one message".to_owned(), Unit::Microseconds, Shown::Ratio)],
        ));
        for (peers, batch) in [(1_000, 1), (1_000, 16), (10_000, 1), (10_000, 16)] {
            rows.push(self.fan_out(peers, batch));
        }
        rows.push(self.round_trip());
        for peers in [10_000, 19_000] {
            rows.push(self.hold(peers));
        }
        rows.push(self.stopped_reader());
        rows.push(self.growth());
        rows.push(self.idle());
        rows
    }

    fn burst(&self, peers: usize, batch: usize) -> Row {
        let mut programs = Program::COMMON.to_vec();
        if peers == 1_000 {
            programs.push(Program::Piped);
            programs.extend((batch == 16).then_some(Program::Sessions));
        }
        let peers = self.peers(peers);
        let lines = if batch == 1 { "1 line".to_owned() } else { format!("{batch} lines") };
        let name = format!("CPU per line, {lines} a read, {} connections", whole(peers));
        row("receiving", Work::Burst { peers, batch }, &programs, [(name, Unit::Nanoseconds, Shown::Ratio)])
    }

    /// The floor and the sessions get plain lines: the difference is what encryption costs.
    fn encrypted_burst(&self, batch: usize) -> Row {
        let peers = self.peers(100);
        let lines = if batch == 1 { "1 line".to_owned() } else { format!("{batch} lines") };
        let name = format!("CPU per encrypted line, {lines} a read, {} connections", whole(peers));
        let programs = [Program::Floor, Program::Sessions, Program::Encrypted, Program::Tls];
        let figure = (name, Unit::Nanoseconds, Shown::RatioAndValue);
        row("encryption", Work::Burst { peers, batch }, &programs, [figure])
    }

    fn handshakes(&self) -> Row {
        let peers = self.peers(1_000);
        let names = ["CPU per handshake", "handshakes a second"]
            .map(|name| format!("{name}, {} in all", whole(peers)));
        let [cpu, rate] = names;
        row(
            "handshakes",
            Work::Handshakes { peers },
            &[Program::Encrypted, Program::Tls],
            [(cpu, Unit::Microseconds, Shown::Value), (rate, Unit::Count, Shown::Value)],
        )
    }

    fn fan_out(&self, peers: usize, batch: usize) -> Row {
        let rounds = self.of(if peers > 1_000 { 10 } else { 30 }, 2);
        let peers = self.peers(peers);
        let at_once = if batch == 1 { "1".to_owned() } else { format!("{batch} at once") };
        let name = format!("CPU per delivery, {at_once} to {}", whole(peers));
        let work = Work::FanOut { peers, batch, rounds };
        let mut programs = Program::COMMON.to_vec();
        programs.extend((batch > 1).then_some(Program::Encrypted));
        row("sending to all", work, &programs, [(name, Unit::Nanoseconds, Shown::Ratio)])
    }

    fn round_trip(&self) -> Row {
        let silent = self.peers(10_000);
        let (unit, group) = (Unit::Microseconds, "round trip");
        let work = Work::RoundTrip { questions: self.of(20_000, 200), silent };
        row(
            group,
            work,
            &Program::COMMON,
            [
                ("round trip alone, p50".to_owned(), unit, Shown::Ratio),
                (format!("round trip beside {} silent, p50", whole(silent)), unit, Shown::Ratio),
                ("round trip, beside them over alone".to_owned(), Unit::Times, Shown::Value),
            ],
        )
    }

    fn hold(&self, peers: usize) -> Row {
        let peers = self.peers(peers);
        let programs = [&Program::COMMON[..], &[Program::Sessions, Program::Encrypted]].concat();
        let name = format!("memory per silent connection, {}", whole(peers));
        row("memory", Work::Hold { peers }, &programs, [(name, Unit::Bytes, Shown::RatioAndValue)])
    }

    fn stopped_reader(&self) -> Row {
        let peers = self.peers(1_000);
        let work = Work::StoppedReader { peers, rounds: STOPPED_READER_ROUNDS };
        let peers = whole(peers);
        row(
            "a stopped reader",
            work,
            &Program::COMMON,
            [
                (format!("16 KiB to {peers}, until all have it, p50"), Unit::Milliseconds, Shown::Ratio),
                (
                    format!("16 KiB to {peers} beside one that never reads, p50"),
                    Unit::Milliseconds,
                    Shown::Ratio,
                ),
                ("16 KiB, beside that one over without it".to_owned(), Unit::Times, Shown::Value),
                ("the one that never reads was closed".to_owned(), Unit::YesNo, Shown::Value),
            ],
        )
    }

    fn growth(&self) -> Row {
        let (few, many) = (self.peers(100), self.peers(MOST_PEERS));
        let (batch, unit) = (16, Unit::Nanoseconds);
        let name = format!("CPU per line, {batch} lines a read, {} connections", whole(many));
        row(
            "growth",
            Work::Growth { few, many, batch },
            &[Program::Floor, Program::Chinwag],
            [
                (name, unit, Shown::Ratio),
                (
                    format!("CPU per line, {} connections over {}", whole(many), whole(few)),
                    Unit::Times,
                    Shown::RatioAndValue,
                ),
            ],
        )
    }

    fn idle(&self) -> Row {
        let (peers, seconds) = (self.peers(MOST_PEERS), self.of(60, 1));
        let what = if has("strace") { "system calls" } else { "wake-ups" };
        let name = format!("{what} in {seconds} s of {} silent sessions", whole(peers));
        let work = Work::Idle { peers, time: Duration::from_secs(seconds as u64) };
        row("idle", work, &[Program::Chinwag], [(name, Unit::Count, Shown::Value)])
    }
}

/// The connections that 20,000 descriptors leave room for on each side.
const MOST_PEERS: usize = 19_500;

fn row<const N: usize>(
    group: &'static str,
    work: Work,
    programs: &[Program],
    figures: [(String, Unit, Shown); N],
) -> Row {
    let figure = |(name, unit, shown)| Figure { name, unit, shown };
    Row { group, work, programs: programs.to_vec(), figures: figures.into_iter().map(figure).collect() }
}

impl Row {
    /// Whether one round is enough, because there is nothing to compare with.
    pub(crate) fn is_once(&self) -> bool {
        matches!(self.work, Work::Idle { .. })
    }

    /// message-io is known to wait for a reader that has stopped.
    pub(crate) fn may_fail(&self, program: Program) -> bool {
        matches!(self.work, Work::StoppedReader { .. }) && program == Program::MessageIo
    }
}

/// A whole number with a comma in front of each three digits.
fn whole(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
