//! What is counted and timed during a run.

#[cfg(doc)]
use crate::limits::SWARM_DIALS_PER_TURN;
use crate::limits::{LATENCY_DIGITS, ODD_LINE_BYTES, TIMELINE_INTERVAL, TIMELINE_SLOTS_MAX};
use crate::proto::clean::Clean;
use crate::proto::machine::CloseReason;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The kinds of times. Every time is in nanoseconds, from the moment of one turn to the moment of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// From the dial, or at a given rate from when the dial was due, to the established connection. Both moments
    /// are those of a turn, so the time includes what else the two turns did: up to [`SWARM_DIALS_PER_TURN`] dials,
    /// and the first messages of as many peers.
    Dial,
    /// From the connect message to its answer.
    Answer,
    /// From the answer, which offers encryption, to the target's proof of its key. The work of both sides is in it, and
    /// so is the time that the message of one peer waits for the work on those of others.
    Handshake,
    /// From a ping, or from when the ping was due, to its pong.
    RoundTrip,
    /// From the dial, or at a given rate from when the dial was due, to the end of the connection that carried one
    /// plain message.
    Exchange,
    /// From the origin of a message until one peer has it.
    Delivery,
    /// From the origin of a message until the last peer has it; only if no connection was lost meanwhile.
    ToAll,
    /// By how much a paced message was sent later than it was due; in a churn at a given rate, by how much a dial
    /// was.
    Lateness,
}

impl Measure {
    /// The word for it in tables and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dial => "dial",
            Self::Answer => "answer",
            Self::Handshake => "handshake",
            Self::RoundTrip => "round-trip",
            Self::Exchange => "exchange",
            Self::Delivery => "delivery",
            Self::ToAll => "to-all",
            Self::Lateness => "lateness",
        }
    }

    /// The inverse of [`Measure::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == name)
    }

    /// All of them, in the order of a table.
    pub const ALL: [Self; 8] = [
        Self::Dial,
        Self::Answer,
        Self::Handshake,
        Self::RoundTrip,
        Self::Exchange,
        Self::Delivery,
        Self::ToAll,
        Self::Lateness,
    ];
}

/// Messages and connections. A message that was sent counts in exactly one place: taken, lost, or not known yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Dials begun.
    pub dialled: u64,
    /// Dials that succeeded.
    pub connected: u64,
    /// Connections that were answered as sessions.
    pub answered: u64,
    /// Sessions that became encrypted: so many handshakes were made.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub encrypted: u64,
    /// Connections that did not end as planned, by their reason in a word, see [`CloseReason::word`]. A fault is
    /// followed by the system's message.
    pub failed: BTreeMap<String, u64>,
    /// Messages handed to a connection: taken, lost, or not known yet.
    pub sent: u64,
    /// Messages that the target has certainly read: it answered a question behind them, or closed the connection in
    /// good order after we had ended our side.
    pub taken: u64,
    /// Messages on connections that ended before that.
    pub lost: u64,
    /// Messages, or questions of a ping, that were due and not sent: their sender had no connection, or the run was
    /// given up before.
    pub unsent: u64,
    /// Messages that came from the target.
    pub heard: u64,
    /// Messages in `heard` that belong to a round of a fan-out.
    pub delivered: u64,
    /// Lines of the target that the generator does not understand.
    pub odd: u64,
    /// Bytes handed to connections.
    pub bytes_sent: u64,
    /// Bytes of the messages in `sent`.
    pub message_bytes_sent: u64,
    /// Bytes received.
    pub bytes_heard: u64,
    /// Bytes of the messages in `delivered`.
    pub bytes_delivered: u64,
}

impl Counts {
    /// Adds the counts of another generator.
    pub fn add(&mut self, other: &Self) {
        let Self {
            dialled,
            connected,
            answered,
            encrypted,
            failed,
            sent,
            taken,
            lost,
            unsent,
            heard,
            delivered,
            odd,
            bytes_sent,
            message_bytes_sent,
            bytes_heard,
            bytes_delivered,
        } = other;
        self.dialled += dialled;
        self.connected += connected;
        self.answered += answered;
        self.encrypted += encrypted;
        for (reason, count) in failed {
            *self.failed.entry(reason.clone()).or_default() += count;
        }
        self.sent += sent;
        self.taken += taken;
        self.lost += lost;
        self.unsent += unsent;
        self.heard += heard;
        self.odd += odd;
        self.bytes_sent += bytes_sent;
        self.bytes_heard += bytes_heard;
        self.delivered += delivered;
        self.message_bytes_sent += message_bytes_sent;
        self.bytes_delivered += bytes_delivered;
    }

    /// Connections that did not end as planned.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    pub(super) fn fail(&mut self, reason: CloseReason) {
        let word = match reason {
            CloseReason::Fault(kind) => format!("{}: {kind}", reason.word()),
            _ => reason.word().to_owned(),
        };
        *self.failed.entry(word).or_default() += 1;
    }
}

/// Whether a count that most runs do not have is left out of their reports.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Messages in each interval since the start. When the slots run out, the intervals double.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// The length of an interval.
    pub interval: Duration,
    /// Messages in each interval.
    pub slots: Vec<u64>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { interval: TIMELINE_INTERVAL, slots: Vec::new() }
    }
}

impl Timeline {
    /// Counts messages at a time since the start.
    pub fn count(&mut self, at: Duration, messages: u64) {
        while self.slot(at) >= TIMELINE_SLOTS_MAX {
            self.halve();
        }
        let slot = self.slot(at);
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, 0);
        }
        self.slots[slot] += messages;
    }

    /// Adds the timeline of another generator.
    pub fn add(&mut self, other: &Self) {
        let mut other = other.clone();
        while other.interval < self.interval {
            other.halve();
        }
        while self.interval < other.interval {
            self.halve();
        }
        self.slots.resize(self.slots.len().max(other.slots.len()), 0);
        for (slot, count) in self.slots.iter_mut().zip(&other.slots) {
            *slot += count;
        }
    }

    /// Whether the interval is one that doubling can lead to. Ask this of a timeline that was read from a file
    /// before you add it.
    pub(super) fn is_sound(&self) -> bool {
        let times = self.interval.as_nanos() / TIMELINE_INTERVAL.as_nanos();
        let is_whole = self.interval.as_nanos().is_multiple_of(TIMELINE_INTERVAL.as_nanos());
        is_whole && times.is_power_of_two() && times <= 1 << 32
    }

    fn slot(&self, at: Duration) -> usize {
        (at.as_nanos() / self.interval.as_nanos()) as usize
    }

    fn halve(&mut self) {
        self.interval *= 2;
        self.slots = self.slots.chunks(2).map(|pair| pair.iter().sum()).collect();
    }
}

/// Everything that one generator counted and timed.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Connections and messages.
    pub counts: Counts,
    /// Times, for each kind of time.
    pub times: BTreeMap<Measure, Histogram<u64>>,
    /// Messages over time.
    pub timeline: Timeline,
    /// The beginning of the first line of the target that the generator does not understand.
    pub odd_line: Option<String>,
    /// From the first dial until the last peer was ready.
    pub setup: Duration,
    /// From the start of the scenario to its end.
    pub duration: Duration,
}

impl Tally {
    /// Counts a line of the target that the generator does not understand. The first one that is not blank is kept,
    /// in a form that is safe to show.
    pub(super) fn note_odd(&mut self, line: &[u8]) {
        self.counts.odd += 1;
        if self.odd_line.is_none() && !line.trim_ascii().is_empty() {
            let text = String::from_utf8_lossy(&line[..line.len().min(ODD_LINE_BYTES)]);
            let more = if line.len() > ODD_LINE_BYTES { "…" } else { "" };
            self.odd_line = Some(format!("{}{more}", Clean(text.trim())));
        }
    }

    pub(super) fn record(&mut self, measure: Measure, time: Duration) {
        let times = self.times.entry(measure).or_insert_with(new_histogram);
        // Not `saturating_record`, which cuts every value down to the present range, so that the range never grows.
        // The least value of a histogram is one nanosecond.
        times.record((time.as_nanos() as u64).max(1)).expect("a histogram that grows takes every value");
    }

    /// Adds the tally of another generator that ran at the same time.
    pub fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.timeline.add(&other.timeline);
        self.odd_line = self.odd_line.take().or_else(|| other.odd_line.clone());
        self.setup = self.setup.max(other.setup);
        self.duration = self.duration.max(other.duration);
        for (&measure, times) in &other.times {
            let all = self.times.entry(measure).or_insert_with(new_histogram);
            all.add(times).expect("a histogram that grows takes every value");
        }
    }
}

/// A histogram of nanoseconds that grows as it needs to.
pub fn new_histogram() -> Histogram<u64> {
    Histogram::new(LATENCY_DIGITS).expect("a precision that exists")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_is_found_by_its_name() {
        for measure in Measure::ALL {
            assert_eq!(Measure::from_name(measure.name()), Some(measure));
        }
        assert_eq!(Measure::from_name("Dial"), None);
    }

    #[test]
    fn a_time_is_recorded_whatever_its_size() {
        let mut tally = Tally::default();
        for time in [Duration::ZERO, Duration::from_micros(250), Duration::from_secs(40_000), Duration::MAX] {
            tally.record(Measure::Dial, time);
        }
        let times = &tally.times[&Measure::Dial];
        assert_eq!((times.len(), times.min()), (4, 1));
        assert!(times.value_at_quantile(0.5).abs_diff(250_000) < 250);
        assert!(times.value_at_quantile(0.75).abs_diff(40_000_000_000_000) < 40_000_000_000);
        let mut other = Tally::default();
        other.record(Measure::Dial, Duration::from_nanos(3));
        other.add(&tally);
        assert_eq!(other.times[&Measure::Dial].len(), 5);
        assert_eq!(other.times[&Measure::Dial].max(), times.max());
    }

    #[test]
    fn the_first_odd_line_is_kept_short_and_safe_to_show() {
        let mut tally = Tally::default();
        for line in [&b" \r"[..], b"HTTP/1.1 \x1b[2J\xff 400\r", b"later"] {
            tally.note_odd(line);
        }
        assert_eq!((tally.counts.odd, tally.odd_line.as_deref()), (3, Some("HTTP/1.1 ␛[2J\u{fffd} 400")));
        let mut long = Tally::default();
        long.note_odd("ö".repeat(ODD_LINE_BYTES).as_bytes());
        let kept = long.odd_line.unwrap();
        assert!(kept.starts_with("öö") && kept.ends_with('…') && kept.len() <= ODD_LINE_BYTES + 6);
    }

    #[test]
    fn a_failure_is_counted_by_its_word() {
        let mut counts = Counts::default();
        let fault = CloseReason::Fault(std::io::ErrorKind::PermissionDenied.into());
        for reason in [CloseReason::Eof, CloseReason::TimedOut, fault, CloseReason::TimedOut] {
            counts.fail(reason);
        }
        let words = [("closed", 1), ("fault: permission denied", 1), ("timed-out", 2)];
        assert_eq!(counts.failed, words.map(|(word, count)| (word.to_owned(), count)).into());
    }

    #[test]
    fn a_timeline_that_runs_out_of_slots_doubles_its_interval_and_loses_nothing() {
        let mut timeline = Timeline::default();
        let last = TIMELINE_SLOTS_MAX as u32 * 3;
        for slot in 0..last {
            timeline.count(TIMELINE_INTERVAL * slot, 1);
        }
        assert_eq!(timeline.interval, TIMELINE_INTERVAL * 4);
        assert_eq!((timeline.slots[0], timeline.slots.iter().sum()), (4, u64::from(last)));
        let mut other = Timeline::default();
        other.count(Duration::ZERO, 5);
        other.add(&timeline);
        assert_eq!((other.interval, other.slots[0]), (timeline.interval, 9));
    }
}
