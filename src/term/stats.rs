//! `/stats` in words: at most one screen, each number with its unit.

use super::phrases::{Count, Grouped};
use super::reasons::ended;
use crate::chat::notice::Stats;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// The columns of the label of a row.
pub(super) const STATS_COLUMNS: usize = "Connections    ".len();

/// The rows, each with its newline.
pub(super) struct Table<'a>(pub(super) &'a Stats);

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let stats = self.0;
        let n = |count: usize| Grouped(count as u64);
        writeln!(f, "Up for         {}", Uptime(stats.uptime))?;
        writeln!(
            f,
            "Peers          {} in the table, {} connected, {} of them with a session, {} met so far",
            n(stats.peers),
            n(stats.connected),
            n(stats.sessions),
            Grouped(stats.met)
        )?;
        let (heard, sent, not_sent) = (Grouped(stats.heard), Grouped(stats.sent), Grouped(stats.not_sent));
        writeln!(f, "Messages       {heard} heard, {sent} sent, {not_sent} not sent")?;
        let (delivered, taken) = (Grouped(stats.delivered), Grouped(stats.taken));
        let unconfirmed = Grouped(stats.unconfirmed);
        writeln!(f, "Of those sent  {delivered} delivered, {taken} taken, {unconfirmed} unconfirmed")?;
        let queued = Count(stats.queued_bytes as u64, "byte");
        let waiting = Count(stats.waiting_messages as u64, "message");
        writeln!(f, "Waiting        {queued} to be written, {waiting} for a dial")?;
        let held = Count(stats.held_bytes as u64, "byte");
        writeln!(f, "Memory         {held} held for peers, at most {}", n(stats.held_bytes_max))?;
        let (hidden, raw, blocked) = (Grouped(stats.folded), Grouped(stats.raw), Grouped(stats.blocked));
        writeln!(
            f,
            "Lines          {hidden} over the limit and hidden, {raw} shown raw, {blocked} from blocked peers"
        )?;
        writeln!(
            f,
            "Connections    {} now, {} accepted, {} dialled, {} refused so far",
            n(stats.connections),
            Grouped(stats.accepted),
            Grouped(stats.dialled),
            Grouped(stats.refused)
        )?;
        let dials = Count(stats.dialling as u64, "dial");
        writeln!(f, "Dials          {dials} under way, {} waiting for their turn", n(stats.dials_waiting))?;
        writeln!(f, "Ended          {}", Ended(ended(stats)))?;
        let (last, worst) = (Millis(stats.lag), Millis(stats.lag_worst));
        writeln!(f, "Loop lag       last {last}, worst since the last /stats {worst}")
    }
}

struct Ended(BTreeMap<&'static str, u64>);

impl Display for Ended {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none yet");
        }
        for (n, (reason, count)) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{} {reason}", Grouped(*count))?;
        }
        Ok(())
    }
}

/// The two largest units.
struct Uptime(Duration);

impl Display for Uptime {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        match seconds {
            0..60 => write!(f, "{}", Count(seconds, "second")),
            60..3600 => write!(f, "{}, {}", Count(minutes, "minute"), Count(seconds % 60, "second")),
            3600..86_400 => write!(f, "{}, {}", Count(hours, "hour"), Count(minutes % 60, "minute")),
            _ => write!(f, "{}, {}", Count(days, "day"), Count(hours % 24, "hour")),
        }
    }
}

struct Millis(Duration);

impl Display for Millis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0.as_secs_f64() * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::machine::CloseReason;
    use std::io::ErrorKind;

    #[test]
    fn faults_of_different_kinds_are_added_up() {
        let faults =
            [ErrorKind::Other, ErrorKind::PermissionDenied].map(|kind| CloseReason::Fault(kind.into()));
        let stats = Stats { ended: faults.map(|fault| (fault, 2)).to_vec(), ..Stats::default() };
        assert!(Table(&stats).to_string().contains("Ended          4 fault\n"));
    }

    #[test]
    fn the_table_is_a_screenful_with_a_unit_at_each_number() {
        let stats = Stats {
            uptime: Duration::from_secs(3725),
            peers: 12,
            connected: 5,
            sessions: 3,
            met: 40,
            connections: 7,
            dialling: 1,
            dials_waiting: 2,
            accepted: 40,
            dialled: 2,
            refused: 1,
            ended: vec![(CloseReason::Eof, 30), (CloseReason::Reset, 3)],
            queued_bytes: 1,
            held_bytes: 65,
            held_bytes_max: 1000,
            waiting_messages: 4,
            heard: 100,
            sent: 20,
            delivered: 12,
            taken: 5,
            unconfirmed: 1,
            not_sent: 2,
            folded: 8,
            raw: 9,
            blocked: 6,
            lag: Duration::from_micros(240),
            lag_worst: Duration::from_micros(12_340),
        };
        let table = "\
            Up for         1 hour, 2 minutes\n\
            Peers          12 in the table, 5 connected, 3 of them with a session, 40 met so far\n\
            Messages       100 heard, 20 sent, 2 not sent\n\
            Of those sent  12 delivered, 5 taken, 1 unconfirmed\n\
            Waiting        1 byte to be written, 4 messages for a dial\n\
            Memory         65 bytes held for peers, at most 1,000\n\
            Lines          8 over the limit and hidden, 9 shown raw, 6 from blocked peers\n\
            Connections    7 now, 40 accepted, 2 dialled, 1 refused so far\n\
            Dials          1 dial under way, 2 waiting for their turn\n\
            Ended          30 closed, 3 reset\n\
            Loop lag       last 0.2 ms, worst since the last /stats 12.3 ms\n";
        assert_eq!(Table(&stats).to_string(), table);
        assert!(Table(&Stats::default()).to_string().contains("Ended          none yet\n"));
    }

    #[test]
    fn a_time_is_shown_in_its_two_largest_units() {
        for (seconds, words) in [
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute, 0 seconds"),
            (3599, "59 minutes, 59 seconds"),
            (86_399, "23 hours, 59 minutes"),
            (90_000, "1 day, 1 hour"),
        ] {
            assert_eq!(Uptime(Duration::from_secs(seconds)).to_string(), words);
        }
    }
}
