//! The peer table: who is known, under which address, and how it stands with us.
//!
//! Keyed on the claimed listening address, so one peer has one entry however many connections it makes.
//! Entries live in a slab with generations, so that a connection can remember its speaker's place.

use crate::limits::NAME_BYTES_MAX;
use crate::proto::machine::ConnId;
use crate::proto::message::Dialect;
use slab::Slab;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::rc::Rc;
use std::time::Instant;

/// Names an entry for its whole life. They are in the order in which the entries were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerId {
    generation: u32,
    slot: u32,
}

/// One peer.
#[derive(Debug)]
pub struct Peer {
    /// Where it claims to listen.
    pub address: SocketAddr,
    /// Its name as last seen; empty if it was only contacted.
    pub name: Rc<str>,
    /// Counts name changes, so that a change is found without comparing names.
    pub renamed: u32,
    /// The form in which it is written to.
    pub dialect: Dialect,
    /// The user chose that form: only a chat of the peer in another one changes it.
    pub is_dialect_chosen: bool,
    /// When it was heard last.
    pub heard_at: Option<Instant>,
    /// Its messages so far.
    pub heard: u64,
    /// When we last sent to it.
    pub sent_at: Option<Instant>,
    /// Chat that it was sent.
    pub sent: u64,
    /// The connection that is bound to it both ways. It implies `is_connected`. See [`Directory::bind`].
    pub session: Option<ConnId>,
    /// One side has connected with the other.
    pub is_connected: bool,
    /// One of its messages came from the IP that it claims, or it was reached at its address. See
    /// [`Directory::confirm`].
    pub is_confirmed: bool,
    /// The last attempt to reach it failed, and it has not been heard since. See [`Directory::set_offline`].
    pub is_offline: bool,
    generation: u32,
}

impl Peer {
    /// Heard or connected, and not known to be away: the query lists it.
    pub fn is_active(&self) -> bool {
        (self.heard > 0 || self.is_connected) && !self.is_offline
    }

    /// Whether something confirms it: its address is confirmed, or it has a session.
    pub fn is_real(&self) -> bool {
        self.is_confirmed || self.session.is_some()
    }

    /// The user says in which form it is to be written to.
    pub fn choose(&mut self, dialect: Dialect) {
        (self.dialect, self.is_dialect_chosen) = (dialect, true);
    }

    /// It was sent so many texts, the last one at `at`.
    pub fn note_sent(&mut self, texts: u64, at: Instant) {
        self.sent += texts;
        self.sent_at = Some(at);
    }

    /// It said something in this dialect. Only chat tells how it wants to be written to, or its first message.
    pub fn note_heard(&mut self, dialect: Dialect, is_chat: bool, now: Instant) {
        if is_chat || (self.heard == 0 && !self.is_dialect_chosen) {
            self.is_dialect_chosen &= self.dialect == dialect;
            self.dialect = dialect;
        }
        self.heard += 1;
        self.heard_at = Some(now);
    }

    /// Takes over the name of its latest message, cut to what the table keeps.
    pub fn rename(&mut self, name: &str) {
        let name = kept_of(name);
        if *self.name != *name {
            self.name = name.into();
            self.renamed = self.renamed.wrapping_add(1);
        }
    }
}

/// As much of a name as the table keeps.
pub(super) fn kept_of(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME_BYTES_MAX)]
}

/// The table. If it is full, the oldest entry that nothing confirms makes room: inventing addresses costs nothing, and must
/// neither shut out newcomers nor drive out peers that are there.
#[derive(Debug)]
pub struct Directory {
    peers: Slab<Peer>,
    by_address: ByAddress,
    /// The entries that are not [real](Peer::is_real).
    claims: BTreeSet<PeerId>,
    /// How many entries are offline.
    offline: usize,
    /// How many entries there ever were; its low half is the generation of the newest.
    met: u64,
    peers_max: usize,
}

impl Directory {
    /// An empty table for so many peers.
    pub fn new(peers_max: usize) -> Self {
        Self {
            peers: Slab::new(),
            by_address: ByAddress::default(),
            claims: BTreeSet::new(),
            offline: 0,
            met: 0,
            peers_max,
        }
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// How many entries are not offline: so many peers get a text to all.
    pub fn online(&self) -> usize {
        self.peers.len() - self.offline
    }

    /// The peer cannot be reached, or can be again.
    pub fn set_offline(&mut self, id: PeerId, is_offline: bool) {
        let Some(peer) = self.get_mut(id) else { return };
        match (std::mem::replace(&mut peer.is_offline, is_offline), is_offline) {
            (false, true) => self.offline += 1,
            (true, false) => self.offline -= 1,
            _ => {}
        }
    }

    /// How many entries were ever made, removed ones included. A peer that left and came back counts twice.
    pub fn met(&self) -> u64 {
        self.met
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// The entry of an address.
    pub fn find(&self, address: SocketAddr) -> Option<PeerId> {
        self.by_address.get(address)
    }

    /// The entry, unless it was removed.
    pub fn get(&self, id: PeerId) -> Option<&Peer> {
        self.peers.get(id.slot as usize).filter(|peer| peer.generation == id.generation)
    }

    /// The entry, unless it was removed.
    pub fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.peers.get_mut(id.slot as usize).filter(|peer| peer.generation == id.generation)
    }

    /// The entry of an address.
    pub fn peer(&self, address: SocketAddr) -> Option<&Peer> {
        self.get(self.find(address)?)
    }

    /// The entry of an address.
    pub fn peer_mut(&mut self, address: SocketAddr) -> Option<&mut Peer> {
        self.get_mut(self.find(address)?)
    }

    /// The entry of an address, made if need be. `None`: the table is full of confirmed peers.
    pub fn find_or_add(&mut self, address: SocketAddr) -> Option<PeerId> {
        if let Some(id) = self.find(address) {
            return Some(id);
        }
        if self.peers.len() >= self.peers_max {
            let oldest = self.claims.first().and_then(|&oldest| self.get(oldest))?.address;
            self.remove(oldest);
        }
        self.met += 1;
        let generation = self.met as u32;
        let slot = self.peers.insert(Peer {
            address,
            name: "".into(),
            renamed: 0,
            dialect: Dialect::default(),
            is_dialect_chosen: false,
            heard_at: None,
            heard: 0,
            sent_at: None,
            sent: 0,
            session: None,
            is_connected: false,
            is_confirmed: false,
            is_offline: false,
            generation,
        });
        let id = PeerId { slot: slot as u32, generation };
        self.by_address.insert(address, id);
        self.claims.insert(id);
        Some(id)
    }

    /// Removes an address from the table.
    pub fn remove(&mut self, address: SocketAddr) -> Option<Peer> {
        let id = self.by_address.remove(address)?;
        self.claims.remove(&id);
        let peer = self.peers.try_remove(id.slot as usize)?;
        self.offline -= usize::from(peer.is_offline);
        Some(peer)
    }

    /// The peer is where it claims to be; whether that is news.
    pub fn confirm(&mut self, id: PeerId) -> bool {
        self.claims.remove(&id);
        self.get_mut(id).is_some_and(|peer| !std::mem::replace(&mut peer.is_confirmed, true))
    }

    /// From here on the peer is bound to `conn` both ways; gives the session that it had before.
    pub fn bind(&mut self, id: PeerId, conn: ConnId) -> Option<ConnId> {
        self.claims.remove(&id);
        let peer = self.get_mut(id)?;
        peer.is_connected = true;
        peer.session.replace(conn)
    }

    /// The peer has no session any more.
    pub fn unbind(&mut self, id: PeerId) {
        let Some(peer) = self.get_mut(id) else { return };
        peer.session = None;
        if !peer.is_real() {
            self.claims.insert(id);
        }
    }

    /// All entries, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.by_address.ids().filter_map(|id| self.get(id))
    }

    /// The active peers, the one heard last first.
    pub fn active(&self) -> Vec<&Peer> {
        let mut active: Vec<&Peer> = self.iter().filter(|peer| peer.is_active()).collect();
        active.sort_by_key(|peer| std::cmp::Reverse(peer.heard_at));
        active
    }

    /// Those that were only sent to, the latest first.
    pub fn contacted(&self) -> Vec<&Peer> {
        let mut contacted: Vec<&Peer> =
            self.iter().filter(|peer| peer.heard == 0 && !peer.is_connected && !peer.is_offline).collect();
        contacted.sort_by_key(|peer| std::cmp::Reverse(peer.sent_at));
        contacted
    }
}

/// The entries by their address. IPv4 has a map of its own: its keys are numbers, which are small and fast to compare, and
/// there may be tens of thousands.
#[derive(Debug, Default)]
struct ByAddress {
    v4: BTreeMap<u64, PeerId>,
    v6: BTreeMap<SocketAddrV6, PeerId>,
}

impl ByAddress {
    fn get(&self, address: SocketAddr) -> Option<PeerId> {
        match address {
            SocketAddr::V4(address) => self.v4.get(&number(address)).copied(),
            SocketAddr::V6(address) => self.v6.get(&address).copied(),
        }
    }

    fn insert(&mut self, address: SocketAddr, id: PeerId) {
        match address {
            SocketAddr::V4(address) => self.v4.insert(number(address), id),
            SocketAddr::V6(address) => self.v6.insert(address, id),
        };
    }

    fn remove(&mut self, address: SocketAddr) -> Option<PeerId> {
        match address {
            SocketAddr::V4(address) => self.v4.remove(&number(address)),
            SocketAddr::V6(address) => self.v6.remove(&address),
        }
    }

    /// In the order of the addresses.
    fn ids(&self) -> impl Iterator<Item = PeerId> {
        self.v4.values().chain(self.v6.values()).copied()
    }
}

/// In the order of the addresses.
fn number(address: SocketAddrV4) -> u64 {
    u64::from(address.ip().to_bits()) << u16::BITS | u64::from(address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn an_address_has_one_entry_and_a_removed_one_is_not_its_successor() {
        let mut directory = Directory::new(10);
        let old = directory.find_or_add(address(1)).unwrap();
        assert_eq!(directory.find_or_add(address(1)), Some(old));
        assert_eq!(directory.len(), 1);
        directory.remove(address(1)).unwrap();
        let new = directory.find_or_add(address(2)).unwrap();
        assert!(directory.get(old).is_none());
        assert_eq!(directory.get(new).unwrap().address, address(2));
        assert_eq!((directory.len(), directory.met()), (1, 2));
    }

    #[test]
    fn a_table_full_of_real_peers_takes_nobody_new_and_keeps_everybody() {
        let mut directory = Directory::new(2);
        let ids = [1, 2].map(|port| directory.find_or_add(address(port)).unwrap());
        assert!(directory.confirm(ids[0]) && !directory.confirm(ids[0]));
        directory.bind(ids[1], ConnId::new(1, 1));
        assert_eq!(directory.find_or_add(address(3)), None);
        assert_eq!(directory.find_or_add(address(1)), Some(ids[0]));
        directory.unbind(ids[0]);
        assert_eq!(directory.find_or_add(address(3)), None);
        directory.unbind(ids[1]);
        assert!(directory.find_or_add(address(3)).is_some() && directory.peer(address(2)).is_none());
        directory.remove(address(1));
        assert!(directory.find_or_add(address(4)).is_some());
        assert!(directory.peer(address(3)).is_some(), "there was room");
    }

    #[test]
    fn in_a_full_table_the_oldest_claim_makes_room_and_no_number_of_claims_drives_out_a_real_peer() {
        const PEERS: usize = 64;
        let claim = |n: u32| SocketAddr::from((n.to_be_bytes(), 9));
        let mut directory = Directory::new(PEERS);
        let real: Vec<_> = (1..=8).map(|port| directory.find_or_add(address(port)).unwrap()).collect();
        for &id in &real {
            directory.confirm(id);
        }
        for n in 0..10_000 {
            assert!(directory.find_or_add(claim(n)).is_some());
            assert_eq!(directory.claims.len() + real.len(), directory.len());
        }
        assert!(real.iter().all(|&id| directory.get(id).is_some()));
        let newest = 10_000 - (PEERS - real.len()) as u32;
        assert!(directory.peer(claim(newest)).is_some() && directory.peer(claim(newest - 1)).is_none());
        assert_eq!((directory.len(), directory.met()), (PEERS, 10_008));
    }

    #[test]
    fn a_received_name_is_cut_at_a_character() {
        let mut directory = Directory::new(1);
        let id = directory.find_or_add(address(1)).unwrap();
        let peer = directory.get_mut(id).unwrap();
        peer.rename(&"é".repeat(5000));
        assert_eq!(&*peer.name, "é".repeat(NAME_BYTES_MAX / 2));
    }
}
