//! Failures of many, gathered until all of them are known: then they are one sentence, not one for each peer.
//!
//! What failed is the same for most of them, so it is kept once. Only a person has them gathered. A program gets each
//! failure at once and by itself: it needs the address and the reason.

use super::notice::{Failed, Failure, ManyFailed, Notice, Who};
use crate::limits::FAILED_NAMES_SHOWN_MAX;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

/// What failed, with whom and why.
#[derive(Debug, Default)]
pub(super) struct Failures {
    all: Vec<FailedWith>,
    /// Where each of them is; the number tells the same text apart, if it failed several times with one peer. What failed
    /// may be thousands of different texts.
    places: BTreeMap<(Failed, usize), usize>,
    /// With whom something failed last, and how often each.
    last: Option<SocketAddr>,
    with_last: BTreeMap<Failed, usize>,
    bytes: usize,
}

/// One thing that failed with some peers.
#[derive(Debug)]
pub(super) struct FailedWith {
    what: Failed,
    /// In the order in which it became known.
    to: Vec<SocketAddr>,
    /// The first of them, if a session was lost.
    first: Option<Who>,
    /// Each different reason once.
    why: Vec<Failure>,
}

impl Failures {
    /// Keeps a failure. Gives back any other notice.
    pub(super) fn gather(&mut self, notice: Notice) -> Option<Notice> {
        let (what, to, why, who) = match notice {
            Notice::NotConnected { to, why } => (Failed::Connect, to, why, None),
            Notice::NotSent { to, text, why } => (Failed::Text(text.into()), to, why, None),
            Notice::Unconfirmed { to, text, reason } => {
                (Failed::Confirmation(text.into()), to, Failure::Connection(reason), None)
            }
            Notice::Lost { who, reason } => {
                (Failed::Session, who.address, Failure::Connection(reason), Some(who))
            }
            other => return Some(other),
        };
        if self.last.replace(to) != Some(to) {
            self.with_last.clear();
        }
        let times = self.with_last.entry(what.clone()).or_default();
        *times += 1;
        let place = *self.places.entry((what, *times)).or_insert_with_key(|(what, _)| {
            if let Failed::Text(text) | Failed::Confirmation(text) = what {
                self.bytes += text.len();
            }
            let to = Vec::new();
            self.all.push(FailedWith { what: what.clone(), to, first: who, why: Vec::new() });
            self.all.len() - 1
        });
        let failed = &mut self.all[place];
        failed.to.push(to);
        if !failed.why.contains(&why) {
            failed.why.push(why);
        }
        None
    }

    /// The bytes of the texts that failed.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes them, what failed first before the others.
    pub(super) fn take(&mut self) -> Vec<FailedWith> {
        std::mem::take(self).all
    }
}

impl FailedWith {
    /// What the user is told. One peer alone has the sentence that it always has; of several, `name` says what they are
    /// called.
    pub(super) fn into_notice(self, name: impl Fn(SocketAddr) -> Rc<str>) -> Notice {
        let Self { what, to, first, why } = self;
        match (what, &to[..], &why[..], first) {
            (Failed::Connect, &[to], &[why], _) => Notice::NotConnected { to, why },
            (Failed::Session, [_], &[Failure::Connection(reason)], Some(who)) => Notice::Lost { who, reason },
            (Failed::Text(text), &[to], &[why], _) => Notice::NotSent { to, text: text.to_string(), why },
            (Failed::Confirmation(text), &[to], &[Failure::Connection(reason)], _) => {
                Notice::Unconfirmed { to, text: text.to_string(), reason }
            }
            (what, ..) => {
                // "and 1 more" is as long as a name.
                let is_all = to.len() <= FAILED_NAMES_SHOWN_MAX;
                let count = if is_all { to.len() } else { FAILED_NAMES_SHOWN_MAX - 1 };
                let named = to.iter().take(count).map(|&address| Who::new(address, name(address)));
                Notice::ManyFailed(Box::new(ManyFailed { what, named: named.collect(), to, why }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::machine::CloseReason;

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    fn not_sent(port: u16, text: &str, reason: CloseReason) -> Notice {
        Notice::NotSent { to: address(port), text: text.to_owned(), why: Failure::Connection(reason) }
    }

    fn told(notices: impl IntoIterator<Item = Notice>) -> Vec<Notice> {
        let mut failures = Failures::default();
        assert!(notices.into_iter().all(|notice| failures.gather(notice).is_none()));
        let told = failures.take().into_iter();
        let told = told.map(|failed| failed.into_notice(|to| format!("P{}", to.port()).into())).collect();
        assert!(failures.take().is_empty());
        told
    }

    fn many(notice: &Notice) -> &ManyFailed {
        let Notice::ManyFailed(many) = notice else { panic!("{notice:?}") };
        many
    }

    #[test]
    fn one_failure_is_told_as_it_always_is_and_what_is_no_failure_is_given_back() {
        let who = Who::new(address(1), "P1".into());
        for notice in [
            not_sent(1, "hi", CloseReason::Refused),
            Notice::NotConnected { to: address(1), why: Failure::Yourself },
            Notice::Lost { who, reason: CloseReason::Reset },
        ] {
            assert_eq!(told([notice.clone()]), [notice]);
        }
        assert_eq!(Failures::default().gather(Notice::SentToAll(1)), Some(Notice::SentToAll(1)));
    }

    #[test]
    fn several_failures_of_one_text_are_one_notice_with_each_reason_once() {
        use CloseReason::{Refused, TimedOut};
        let reasons = [Refused, TimedOut, Refused, Refused];
        for (count, named) in [(2, 2), (3, 3), (4, 2)] {
            let ports = 1..=count;
            let told = told(ports.zip(reasons).map(|(port, reason)| not_sent(port, "hi", reason)));
            let many = many(&told[0]);
            assert_eq!((told.len(), many.to.len(), many.named.len()), (1, usize::from(count), named));
            assert_eq!(many.why, [Refused, TimedOut].map(Failure::Connection));
            assert!(many.what == Failed::Text("hi".into()) && &*many.named[1].name == "P2");
        }
    }

    #[test]
    fn what_failed_twice_with_each_is_told_twice() {
        let texts = ["hi", "hi", "you"];
        let failed =
            [1, 2].into_iter().flat_map(|port| texts.map(|text| not_sent(port, text, CloseReason::Reset)));
        let told = told(failed);
        assert_eq!(told.iter().map(|notice| many(notice).to.len()).collect::<Vec<_>>(), [2, 2, 2]);
        assert!(texts.iter().zip(&told).all(|(&text, told)| many(told).what == Failed::Text(text.into())));
    }

    #[test]
    fn different_texts_are_told_apart_in_their_order() {
        let lost =
            |port| Notice::Lost { who: Who::new(address(port), "P".into()), reason: CloseReason::TimedOut };
        let failed = |port, text| not_sent(port, text, CloseReason::TimedOut);
        let told = told([failed(1, "b"), failed(1, "a"), lost(1), failed(2, "b"), failed(2, "a"), lost(2)]);
        let what: Vec<&Failed> = told.iter().map(|notice| &many(notice).what).collect();
        assert_eq!(what, [&Failed::Text("b".into()), &Failed::Text("a".into()), &Failed::Session]);
    }
}
