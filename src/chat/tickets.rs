//! What requests of the user still owe: each has a ticket with the number of outcomes that are not known yet.

use super::failures::{FailedWith, Failures};
use super::id::CommandId;
use super::notice::Notice;
use super::outbox::Report;
use std::collections::BTreeMap;

/// The open tickets.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    open: BTreeMap<u32, Ticket>,
    /// The number of the newest.
    last: u32,
    /// Failures of a request with several recipients are told together.
    gathers: bool,
}

#[derive(Debug)]
struct Ticket {
    /// Outcomes that are not known yet.
    left: usize,
    told: Told,
    /// What failed until now, if that is told when all is known.
    failed: Option<Failures>,
    /// That of the command, which its outcomes bear.
    id: Option<CommandId>,
}

/// How it is reported that a text was handed over. A failure is always reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Each by itself.
    Each,
    /// Once for all of them; to so many until now.
    Once(usize),
    /// Not at all.
    Never,
}

/// All outcomes of a request are known.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) number: u32,
    /// What is told of failures now.
    pub(super) failed: Vec<FailedWith>,
    /// To how many it was handed over, if that is reported once for all.
    pub(super) handed_over: Option<usize>,
    pub(super) id: Option<CommandId>,
}

impl Tickets {
    /// With `gathers`, failures of several recipients of one request are told when all its outcomes are known.
    pub(super) fn new(gathers: bool) -> Self {
        Self { gathers, ..Self::default() }
    }

    /// A ticket for a request that will have so many outcomes. Its number goes with each of them.
    pub(super) fn open(&mut self, outcomes: usize, told: Told, id: Option<CommandId>) -> u32 {
        self.last = self.last.wrapping_add(1);
        let failed = (self.gathers && outcomes > 1).then(Failures::default);
        self.open.insert(self.last, Ticket { left: outcomes, told, failed, id });
        self.last
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Outcomes that this request still owes.
    pub(super) fn left(&self, number: u32) -> usize {
        self.open.get(&number).map_or(0, |ticket| ticket.left)
    }

    /// The id that an outcome bears.
    pub(super) fn id(&self, report: Report) -> Option<CommandId> {
        let Report::Request(number) = report else { return None };
        self.open.get(&number)?.id.clone()
    }

    /// Whether lines of a conversation are among them.
    pub(super) fn has_silent(&self) -> bool {
        self.open.values().any(|ticket| ticket.told == Told::Never)
    }

    /// Whether the user is told of an outcome now, before it is [settled](Self::settle).
    pub(super) fn is_told(&mut self, report: Report, is_success: bool, outcome: &Notice) -> bool {
        let is_handed_over = matches!(outcome, Notice::Sent(_));
        match report {
            Report::Nobody | Report::Held(_) => false,
            Report::IfHandedOver => is_success,
            Report::Request(number) => match self.open.get_mut(&number).map(|ticket| &mut ticket.told) {
                Some(Told::Once(peers)) if is_handed_over => {
                    *peers += 1;
                    false
                }
                Some(Told::Never) => !is_handed_over,
                _ => true,
            },
        }
    }

    /// Keeps a failure until all is known of its request. Gives back what is to be told now.
    pub(super) fn gather(&mut self, report: Report, outcome: Notice) -> Option<Notice> {
        let Report::Request(number) = report else { return Some(outcome) };
        match self.open.get_mut(&number).and_then(|ticket| ticket.failed.as_mut()) {
            Some(failed) => failed.gather(outcome),
            None => Some(outcome),
        }
    }

    /// Takes all failures that were to be told later.
    pub(super) fn take_failed(&mut self) -> Vec<FailedWith> {
        let failed = self.open.values_mut().filter_map(|ticket| ticket.failed.as_mut());
        failed.flat_map(Failures::take).collect()
    }

    /// One outcome is known. The last one closes the ticket.
    pub(super) fn settle(&mut self, report: Report) -> Option<Settled> {
        let Report::Request(number) = report else { return None };
        let ticket = self.open.get_mut(&number)?;
        ticket.left -= 1;
        if ticket.left > 0 {
            return None;
        }
        let Ticket { told, failed, id, .. } = self.open.remove(&number)?;
        let failed = failed.map(|mut failed| failed.take()).unwrap_or_default();
        let handed_over = match told {
            Told::Once(peers) => Some(peers),
            Told::Each | Told::Never => None,
        };
        Some(Settled { number, failed, handed_over, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::notice::Failure;

    fn sent() -> Notice {
        Notice::Sent("127.0.0.1:9".parse().unwrap())
    }

    #[test]
    fn the_last_outcome_closes_the_ticket() {
        let mut tickets = Tickets::default();
        let number = tickets.open(2, Told::Each, Some(CommandId::Number("7".into())));
        let report = Report::Request(number);
        assert!(tickets.is_told(report, true, &sent()));
        assert!(tickets.settle(report).is_none() && tickets.left(number) == 1);
        let id = tickets.id(report);
        assert_eq!(id, Some(CommandId::Number("7".into())));
        let settled = tickets.settle(report).unwrap();
        assert_eq!((settled.number, settled.handed_over, settled.id), (number, None, id));
        assert!(tickets.settle(report).is_none() && tickets.is_empty());
    }

    #[test]
    fn texts_to_all_are_counted_and_failures_are_told_at_once() {
        let mut tickets = Tickets::default();
        let report = Report::Request(tickets.open(2, Told::Once(0), None));
        assert!(!tickets.is_told(report, true, &sent()));
        tickets.settle(report);
        assert!(tickets.is_told(report, false, &Notice::Help), "any other outcome");
        assert_eq!(tickets.settle(report).unwrap().handed_over, Some(1));
    }

    #[test]
    fn failures_of_several_are_kept_until_all_is_known_and_those_of_one_or_for_a_program_are_not() {
        let failure = || Notice::NotConnected { to: "127.0.0.1:9".parse().unwrap(), why: Failure::Yourself };
        for (gathers, outcomes) in [(true, 2), (true, 1), (false, 2)] {
            let is_kept = gathers && outcomes > 1;
            let mut tickets = Tickets::new(gathers);
            let report = Report::Request(tickets.open(outcomes, Told::Each, None));
            assert_eq!(tickets.gather(report, failure()).is_none(), is_kept);
            assert_eq!(tickets.gather(report, sent()), Some(sent()));
            let settled = (0..outcomes).filter_map(|_| tickets.settle(report)).last().unwrap();
            assert_eq!(settled.failed.len(), usize::from(is_kept));
        }
        let mut tickets = Tickets::new(true);
        let report = Report::Request(tickets.open(2, Told::Each, None));
        tickets.gather(report, failure());
        assert_eq!((tickets.take_failed().len(), tickets.take_failed().len()), (1, 0));
    }

    #[test]
    fn lines_of_a_conversation_are_told_only_if_they_fail() {
        let mut tickets = Tickets::default();
        let report = Report::Request(tickets.open(1, Told::Never, None));
        assert!(tickets.has_silent());
        assert!(!tickets.is_told(report, true, &sent()) && tickets.is_told(report, false, &Notice::Help));
        assert!(!tickets.is_told(Report::Nobody, false, &Notice::Help));
        assert!(tickets.is_told(Report::IfHandedOver, true, &sent()));
    }
}
