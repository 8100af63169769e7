//! Keys and peers: which key belongs to whom, and what stands behind a name.

use super::Roster;
use crate::chat::book::Pin;
use crate::chat::directory::Peer;
use crate::chat::notice::{Mistake, Who};
use crate::chat::request::Designation;
use crate::chat::view::Standing;
use crate::proto::secure::Key;
use std::net::SocketAddr;
use std::time::Instant;

/// What a proved key means for the address that is claimed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Recognised {
    /// It is the key that is known of that address.
    Known,
    /// Nobody is known there, and the key is known from this other address.
    Moved(SocketAddr),
    /// Neither the address nor the key is known.
    New,
    /// Another key is known of that address, since then.
    Other(Option<Instant>),
}

impl Roster {
    /// The key of whoever listens at an address, if it is known.
    pub(in crate::chat) fn pin(&self, address: SocketAddr) -> Option<&Pin> {
        self.book.pin(address)
    }

    /// What stands behind a peer.
    pub(in crate::chat) fn standing(&self, address: SocketAddr) -> Standing {
        self.standing_of(address, self.directory.peer(address))
    }

    pub(super) fn standing_of(&self, address: SocketAddr, peer: Option<&Peer>) -> Standing {
        match self.pin(address) {
            Some(Pin { is_verified: true, .. }) => Standing::Verified,
            Some(_) => Standing::Pinned,
            None if peer.is_some_and(|peer| !peer.is_confirmed) => Standing::Claimed,
            None => Standing::AtHome,
        }
    }

    /// What it means that whoever claims `address` has proved `key`. Somebody may listen at several addresses: whoever is
    /// still there, as `is_there` says, has not moved.
    pub(in crate::chat) fn recognise(
        &self,
        address: SocketAddr,
        key: Key,
        is_there: impl Fn(SocketAddr) -> bool,
    ) -> Recognised {
        match self.pin(address) {
            Some(pin) if pin.key == key => Recognised::Known,
            Some(pin) => Recognised::Other(pin.since),
            None => {
                // What the user calls somebody stays with them.
                let has_alias = self.book.get(address).is_some_and(|known| known.alias.is_some());
                let left = self.book.pinned_to(key).filter(|&at| !has_alias && !is_there(at));
                let weight = |&at: &SocketAddr| {
                    self.book.get(at).map(|known| (known.is_blocked, known.alias.is_some()))
                };
                left.max_by_key(weight).map_or(Recognised::New, Recognised::Moved)
            }
        }
    }

    /// Whoever listens at an address is known by this key from here on. `false`: there is no room.
    pub(in crate::chat) fn set_pin(&mut self, address: SocketAddr, key: Key, now: Instant) -> bool {
        let has_room = self.book.has_room_for_pin(address);
        if has_room {
            // Of somebody who listens at several addresses, the key is compared once; but nobody is taken for somebody else
            // whom the user knows.
            let is_new = self.book.get(address).is_none();
            let is_verified = is_new && self.book.pinned_to(key).any(|at| self.is_verified(at));
            let name = self.own_name(address);
            self.book.set(address, |known| {
                known.name = name;
                known.heard_at = known.heard_at.max(Some(now));
                known.pin = Some(Pin { key, is_verified, since: Some(now) });
            });
            self.forget_speakers(address);
        }
        has_room
    }

    fn is_verified(&self, address: SocketAddr) -> bool {
        self.pin(address).is_some_and(|pin| pin.is_verified)
    }

    /// Whether the user ignores somebody with this key.
    pub(in crate::chat) fn is_key_blocked(&self, key: Key) -> bool {
        self.book.pinned_to(key).any(|at| self.book.is_blocked(at))
    }

    /// All addresses of a peer: those of its key, if that is known.
    pub(in crate::chat) fn places(&self, address: SocketAddr) -> Vec<SocketAddr> {
        match self.pin(address) {
            Some(pin) => self.book.pinned_to(pin.key).collect(),
            None => vec![address],
        }
    }

    /// The user has compared the key of a peer.
    pub(in crate::chat) fn set_verified(&mut self, address: SocketAddr) {
        self.book.set(address, |known| known.pin.iter_mut().for_each(|pin| pin.is_verified = true));
    }

    /// Forgets the key of a peer: whoever is met there next is believed.
    pub(in crate::chat) fn forget_pin(&mut self, address: SocketAddr) {
        self.book.set(address, |known| known.pin = None);
        self.forget_speakers(address);
    }

    /// Whoever was at one address is at another one from here on.
    pub(in crate::chat) fn relocate(&mut self, from: SocketAddr, to: SocketAddr) {
        self.book.relocate(from, to);
        self.directory.remove(from);
        // The numbers of the last list mean peers, not places.
        self.listed.iter_mut().filter(|listed| **listed == from).for_each(|listed| *listed = to);
        self.forget_speakers(to);
    }

    /// A peer whose key is known, and that key.
    pub(in crate::chat) fn pinned(&self, whom: &Designation) -> Result<(Who, Pin), Mistake> {
        let address = self.resolve(whom)?;
        let who = self.who(address);
        match self.pin(address) {
            Some(pin) => Ok((who, pin.clone())),
            None => Err(Mistake::NoKey(who)),
        }
    }

    /// Who speaks for a peer must be found out anew on each connection.
    fn forget_speakers(&mut self, address: SocketAddr) {
        if let Some(peer) = self.directory.peer_mut(address) {
            peer.renamed = peer.renamed.wrapping_add(1);
        }
    }
}
