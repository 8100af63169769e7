//! Dials that a peer asked for to learn whether we reach it: `!reach` and its safeguards.
//!
//! Nobody can make us knock at a third party: only the IP address that the session comes from is dialled, and its port
//! is one of the same host. How often is limited for each peer and in all, and so is how many are under way.

use super::rate::Rate;
use crate::limits::{REACH_INTERVAL, REACH_TIMEOUT, REACHES_ALL_BURST, REACHES_ALL_INTERVAL, REACHES_MAX};
use crate::proto::machine::ConnId;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

/// Who asked, and what is under way for them.
#[derive(Debug)]
pub(super) struct Knocks {
    of_peer: Rate<SocketAddr>,
    of_all: Rate<()>,
    /// By the dial: the session that asked, and until when it may take.
    under_way: BTreeMap<ConnId, (ConnId, Instant)>,
}

impl Default for Knocks {
    fn default() -> Self {
        Self {
            of_peer: Rate::new(1, REACH_INTERVAL),
            of_all: Rate::new(REACHES_ALL_BURST, REACHES_ALL_INTERVAL),
            under_way: BTreeMap::new(),
        }
    }
}

impl Knocks {
    /// Whether to dial for a peer now; if so, it is counted.
    pub(super) fn may_knock(&mut self, peer: SocketAddr, now: Instant) -> bool {
        self.under_way.len() < REACHES_MAX && self.of_peer.take(peer, now) && self.of_all.take((), now)
    }

    /// The dial `conn` is for the peer on `session`.
    pub(super) fn begin(&mut self, conn: ConnId, session: ConnId, now: Instant) {
        self.under_way.insert(conn, (session, now + REACH_TIMEOUT));
    }

    /// The dial is over: the session that wants to know.
    pub(super) fn end(&mut self, conn: ConnId) -> Option<ConnId> {
        self.under_way.remove(&conn).map(|(session, _)| session)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.under_way.values().map(|&(_, until)| until).min()
    }

    /// A dial that has taken too long.
    pub(super) fn next_due(&self, now: Instant) -> Option<ConnId> {
        self.under_way.iter().find(|(_, (_, until))| *until <= now).map(|(&conn, _)| conn)
    }
}

/// Where to dial for a peer that asks on a session from `remote`; `None` if it may not be dialled. It is the very address
/// that the session comes from, with its scope, and the port that was asked for.
pub(super) fn target(remote: SocketAddr, asked: SocketAddr) -> Option<SocketAddr> {
    let mut target = remote;
    target.set_port(asked.port());
    (asked.ip() == remote.ip() && asked.port() != 0).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn peer(port: u16) -> SocketAddr {
        ([10, 0, 0, 1], port).into()
    }

    #[test]
    fn only_the_host_that_asks_is_dialled() {
        for (remote, asked, target) in [
            ("10.0.0.1:50000", "10.0.0.1:80", Some("10.0.0.1:80")),
            ("10.0.0.1:50000", "10.0.0.2:80", None),
            ("10.0.0.1:50000", "127.0.0.1:80", None),
            ("10.0.0.1:50000", "10.0.0.1:0", None),
            ("[2001:db8::1]:50000", "10.0.0.1:80", None),
            ("[2001:db8::1]:50000", "[2001:db8::1]:80", Some("[2001:db8::1]:80")),
            ("[fe80::1%2]:50000", "[fe80::1%7]:80", Some("[fe80::1%2]:80")),
        ] {
            let address = |word: &str| word.parse::<SocketAddr>().unwrap();
            let expected = target.map(address);
            assert_eq!(super::target(address(remote), address(asked)), expected, "{remote} {asked}");
        }
    }

    #[test]
    fn a_peer_may_ask_once_a_minute_and_all_together_a_few_times() {
        let now = crate::testing::start();
        let mut knocks = Knocks::default();
        assert!(knocks.may_knock(peer(1), now) && !knocks.may_knock(peer(1), now));
        let others = (2..100).filter(|&port| knocks.may_knock(peer(port), now)).count();
        assert_eq!(others, REACHES_ALL_BURST as usize - 1);
        let just_under = now + REACH_INTERVAL - Duration::from_millis(1);
        assert!(!knocks.may_knock(peer(1), just_under));
        assert!(knocks.may_knock(peer(1), now + REACH_INTERVAL));
    }

    #[test]
    fn so_many_are_under_way_and_no_more_and_each_ends() {
        let now = crate::testing::start();
        let mut knocks = Knocks::default();
        let conn = |slot| ConnId::new(slot, 1);
        for slot in 0..REACHES_MAX as u32 {
            assert!(knocks.may_knock(peer(slot as u16), now));
            knocks.begin(conn(slot), conn(1000 + slot), now);
        }
        assert!(!knocks.may_knock(peer(99), now));
        assert_eq!(knocks.end(conn(0)), Some(conn(1000)));
        assert!(knocks.may_knock(peer(99), now));
        assert_eq!((knocks.next_deadline(), knocks.next_due(now)), (Some(now + REACH_TIMEOUT), None));
        assert_eq!(knocks.next_due(now + REACH_TIMEOUT), Some(conn(1)));
    }
}
