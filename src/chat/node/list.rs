//! The lists that the user is shown, and whom their numbers mean, and names.

use super::Node;
use crate::chat::book::Known;
use crate::chat::directory::Peer;
use crate::chat::notice::{KnownRow, Mistake, Notice, PeerRow};
use crate::chat::request::{Designation, is_host_name};
use crate::limits::KNOWN_PEERS_SHOWN_MAX;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

impl Node {
    pub(super) fn query(&mut self, now: Instant) {
        let active = self.directory.active();
        let contacted = self.directory.contacted();
        let mut listed: Vec<SocketAddr> = active.iter().chain(&contacted).map(|peer| peer.address).collect();
        let known = self.known_rows(&listed, now);
        // A number that was not shown stands for nobody.
        let shown = if self.is_driven() { known.len() } else { KNOWN_PEERS_SHOWN_MAX };
        listed.extend(known.iter().take(shown).map(|row| row.who.address));
        let (active, contacted) = (self.rows(&active, 1, now), self.rows(&contacted, 1 + active.len(), now));
        self.listed = listed;
        self.tell(Notice::Peers { active, contacted, known });
    }

    /// Those who are remembered and not `listed`: first whom the user said something of, then the one heard
    /// last.
    fn known_rows(&self, listed: &[SocketAddr], now: Instant) -> Vec<KnownRow> {
        let listed: BTreeSet<SocketAddr> = listed.iter().copied().collect();
        let is_other = |(address, _): &(SocketAddr, Known)| {
            !listed.contains(address)
                && !self.is_own(*address)
                && (!self.book.is_gone(*address) || self.book.is_blocked(*address))
        };
        let mut known: Vec<_> = self.known().filter(is_other).collect();
        known.sort_by_key(|(_, known)| Reverse((known.is_kept(), known.heard_at)));
        let row = |(number, (address, known)): (usize, (SocketAddr, Known))| KnownRow {
            number,
            who: self.book.who(address, &known.name),
            own_name: known.alias.is_some().then_some(known.name).filter(|name| !name.is_empty()),
            is_blocked: known.is_blocked,
            heard_ago: known.heard_at.map(|at| now.saturating_duration_since(at)),
        };
        (1 + listed.len()..).zip(known).map(row).collect()
    }

    fn rows(&self, peers: &[&Peer], first: usize, now: Instant) -> Vec<PeerRow> {
        (first..).zip(peers).map(|(number, peer)| self.row(number, peer.address, now)).collect()
    }

    fn row(&self, number: usize, address: SocketAddr, now: Instant) -> PeerRow {
        let peer = self.directory.peer(address);
        PeerRow {
            number,
            who: self.who(address),
            connected: peer.is_some_and(|peer| peer.is_connected),
            heard_ago: peer.and_then(|peer| peer.heard_at).map(|at| now.saturating_duration_since(at)),
        }
    }

    pub(super) fn show_connectable(&mut self, now: Instant) {
        let connectable = self.connectable();
        let listed = connectable.iter().map(|peer| peer.address).collect();
        let notice = Notice::ConnectList(self.rows(&connectable, 1, now));
        self.listed = listed;
        self.tell(notice);
    }

    pub(super) fn connectable(&self) -> Vec<&Peer> {
        self.directory.active().into_iter().filter(|peer| !peer.is_connected).collect()
    }

    /// The address that the user means.
    pub(super) fn resolve(&self, whom: &Designation) -> Result<SocketAddr, Mistake> {
        let address = match whom {
            Designation::Address(address) => *address,
            Designation::Number(number) => number
                .checked_sub(1)
                .and_then(|index| self.listed.get(index).copied())
                .ok_or(Mistake::NoSuchNumber(*number))?,
            Designation::Name(name) => match self.named(name)[..] {
                [address] => address,
                [] if name.contains('.') && is_host_name(name) => {
                    return Err(Mistake::HostName(name.clone()));
                }
                [] => return Err(Mistake::BadAddress(name.clone())),
                _ => return Err(Mistake::AmbiguousName { name: name.clone(), peers: Vec::new() }),
            },
        };
        if self.is_own(address) { Err(Mistake::Yourself(address)) } else { Ok(address) }
    }

    /// The address that the user means to write to.
    pub(super) fn recipient(&self, whom: &Designation) -> Result<SocketAddr, Mistake> {
        let address = self.resolve(whom)?;
        if self.book.is_blocked(address) { Err(Mistake::Blocked(self.who(address))) } else { Ok(address) }
    }

    /// All that bear a name: by what the user calls them, else as they call themselves, else as they did once.
    pub(super) fn named(&self, name: &str) -> Vec<SocketAddr> {
        let is_meant = |called: &str| called.eq_ignore_ascii_case(name);
        let in_table = self.directory.iter().filter(|peer| is_meant(&peer.name)).map(|peer| peer.address);
        let in_book = self.others().filter(|(_, known)| is_meant(&known.name)).map(|(address, _)| address);
        let ranks: [Vec<SocketAddr>; 3] =
            [self.aliased(name).collect(), in_table.collect(), in_book.collect()];
        ranks.into_iter().find(|rank| !rank.is_empty()).unwrap_or_default()
    }

    /// Of a name that several bear, one is asked for: they are the last list now.
    pub(super) fn tell_mistake(&mut self, mut mistake: Mistake, now: Instant) {
        if let Mistake::AmbiguousName { name, peers } = &mut mistake {
            *peers = (1..).zip(self.named(name)).map(|(n, address)| self.row(n, address, now)).collect();
            self.listed = peers.iter().map(|row| row.who.address).collect();
        }
        self.tell(Notice::Mistake(mistake));
    }
}
