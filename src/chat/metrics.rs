//! What is counted and measured. Counting costs an addition; all else is worked out when it is asked for.

use super::notice::Stats;
use crate::proto::machine::CloseReason;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What has been counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Chat messages of peers in the table.
    pub chats: u64,
    /// Everything else that was shown as text: unknown forms, spoofs, peers that found no room.
    pub raw: u64,
    /// Handshakes in which the other side has proved its key.
    pub handshakes: u64,
    /// Lines that were folded instead of shown.
    pub folded: u64,
    /// Texts handed over; on a session that means queued.
    pub sent: u64,
    /// Texts that their peer has confirmed as read.
    pub delivered: u64,
    /// Texts that were handed over where nobody confirms.
    pub taken: u64,
    /// Texts that were written, and whose session ended before they were confirmed.
    pub unconfirmed: u64,
    /// Texts that were reported as not sent.
    pub not_sent: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections dialled, those that wait for their turn included.
    pub dialled: u64,
    /// Connections refused for a limit, of ours or of the system's on open files.
    pub refused: u64,
    /// Messages in the name of a blocked peer, which were dropped.
    pub blocked: u64,
}

/// What is measured besides.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// When we began to listen.
    began_at: Option<Instant>,
    /// Connections that ended.
    ended: BTreeMap<CloseReason, u64>,
    lag: Duration,
    lag_worst: Duration,
}

impl Metrics {
    /// We listen from here on.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began_at = Some(now);
    }

    /// A connection ended.
    pub(super) fn note_end(&mut self, reason: CloseReason) {
        *self.ended.entry(reason).or_default() += 1;
    }

    /// What was due then is served only now.
    pub(super) fn note_lag(&mut self, due: Instant, now: Instant) {
        self.lag = now.saturating_duration_since(due);
        self.lag_worst = self.lag_worst.max(self.lag);
    }

    /// All of it, and the counters. The worst lag is that since the last time.
    pub(super) fn report(&mut self, counters: Counters, now: Instant) -> Stats {
        let Counters { chats, raw, folded, sent, delivered, taken, unconfirmed, .. } = counters;
        let Counters { not_sent, accepted, dialled, refused, blocked, .. } = counters;
        Stats {
            uptime: self.began_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at)),
            accepted,
            dialled,
            refused,
            ended: self.ended.iter().map(|(&reason, &count)| (reason, count)).collect(),
            heard: chats,
            sent,
            delivered,
            taken,
            unconfirmed,
            not_sent,
            folded,
            raw,
            blocked,
            lag: self.lag,
            lag_worst: std::mem::take(&mut self.lag_worst),
            ..Stats::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_lag_is_that_since_the_last_report() {
        let mut metrics = Metrics::default();
        let start = crate::testing::start();
        assert_eq!(metrics.report(Counters::default(), start).uptime, Duration::ZERO, "it has not begun");
        metrics.begin(start);
        let later = start + Duration::from_secs(9);
        for millis in [30, 2] {
            metrics.note_lag(later, later + Duration::from_millis(millis));
        }
        metrics.note_end(CloseReason::Eof);
        metrics.note_end(CloseReason::Eof);
        let report = metrics.report(Counters { sent: 7, ..Counters::default() }, later);
        assert_eq!((report.uptime.as_secs(), report.sent, report.ended), (9, 7, vec![(CloseReason::Eof, 2)]));
        assert_eq!((report.lag.as_millis(), report.lag_worst.as_millis()), (2, 30));
        let next = metrics.report(Counters::default(), later);
        assert_eq!((next.lag.as_millis(), next.lag_worst), (2, Duration::ZERO));
    }
}
