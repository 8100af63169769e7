//! Connects that a peer has received, and may still answer by dialling us.
//!
//! Most programs of others take a connect and say nothing; some dial an acknowledgement a moment later. Until that
//! moment has passed, nobody can tell which it is. A connect has one outcome, so the outcome waits for that moment.

use super::outbox::Report;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

/// Who has our connect, whom the outcome matters to, and until when an answer is awaited.
#[derive(Debug, Default)]
pub(super) struct PendingConnects {
    awaited: BTreeMap<SocketAddr, (Report, Instant)>,
    /// Their addresses in the order of time. All wait equally long, so the next one is always the first.
    order: VecDeque<(Instant, SocketAddr)>,
}

impl PendingConnects {
    /// Awaits an answer of `to` until then. Whoever is awaited must be taken before.
    pub(super) fn insert(&mut self, to: SocketAddr, report: Report, until: Instant) {
        self.awaited.insert(to, (report, until));
        self.order.push_back((until, to));
    }

    /// Whether an answer of that address is awaited.
    pub(super) fn awaits(&self, to: SocketAddr) -> bool {
        self.awaited.contains_key(&to)
    }

    /// Awaits nothing of that address any more.
    pub(super) fn take(&mut self, to: SocketAddr) -> Option<Report> {
        let (report, _) = self.awaited.remove(&to)?;
        while self.order.front().is_some_and(|&(until, to)| !self.is_awaited(to, until)) {
            self.order.pop_front();
        }
        Some(report)
    }

    /// When the next one has been awaited for long enough.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.order.front().map(|&(until, _)| until)
    }

    /// Takes one whose time is over.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<(SocketAddr, Report)> {
        let &(until, to) = self.order.front().filter(|&&(until, _)| until <= now)?;
        debug_assert!(self.is_awaited(to, until), "the first one is never stale");
        Some((to, self.take(to)?))
    }

    fn is_awaited(&self, to: SocketAddr, until: Instant) -> bool {
        self.awaited.get(&to).is_some_and(|&(_, awaited_until)| awaited_until == until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn who_answers_is_not_due_and_who_is_asked_again_is_due_later() {
        let start = crate::testing::start();
        let after = |seconds| start + Duration::from_secs(seconds);
        let [a, b] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut asked = PendingConnects::default();
        asked.insert(a, Report::Request(1), after(1));
        asked.insert(b, Report::Request(2), after(2));
        assert_eq!(asked.take(a), Some(Report::Request(1)));
        asked.insert(a, Report::Request(3), after(3));
        assert_eq!((asked.next_deadline(), asked.next_due(after(1))), (Some(after(2)), None));
        assert_eq!(asked.next_due(after(3)), Some((b, Report::Request(2))));
        assert_eq!(asked.next_due(after(3)), Some((a, Report::Request(3))));
        assert_eq!((asked.next_due(after(9)), asked.next_deadline()), (None, None));
    }
}
