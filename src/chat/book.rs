//! The address book: what is remembered of peers from one run to the next.
//!
//! It is not the table of who is there now: nobody is contacted, listed as active or said exit to because they are in
//! here. As long as the user gives no alias and blocks nobody, looking up an alias or a block costs a comparison with
//! zero.
//!
//! It remembers moments, since a machine has no clock. Whoever writes the file turns them into times of day.

use super::directory::Peer;
use super::view::{Standing, Who};
use crate::limits::{KNOWN_PEERS_MAX, PINS_OF_IP_MAX};
use crate::proto::message::{Dialect, one_word, source_of};
use crate::proto::secure::Key;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

/// What is remembered of one address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The name that the peer used last; empty if it was never heard.
    pub name: Rc<str>,
    /// What the user calls it.
    pub alias: Option<Rc<str>>,
    /// The form in which to write to it first.
    pub dialect: Option<Dialect>,
    /// The user chose that form in this run: only a chat of the peer changes it.
    pub is_dialect_chosen: bool,
    /// It is neither heard nor written to.
    pub is_blocked: bool,
    /// When it was heard last.
    pub heard_at: Option<Instant>,
    /// Its key, if it was met encrypted.
    pub pin: Option<Pin>,
}

/// The key of a peer: nobody else is believed to be it, and nothing is said to it in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The key.
    pub key: Key,
    /// The user has compared it with the peer.
    pub is_verified: bool,
    /// When it was first seen, if that is known.
    pub since: Option<Instant>,
}

impl Known {
    /// Whether it must not be forgotten to make room: the user gave it an alias or blocked it, or its key is known.
    pub fn is_kept(&self) -> bool {
        self.alias.is_some() || self.is_blocked || self.pin.is_some()
    }
}

/// Who is remembered, by address.
#[derive(Debug, Default)]
pub struct Book {
    entries: BTreeMap<SocketAddr, Entry>,
    aliases: usize,
    blocked: usize,
    pinned: usize,
    revision: u64,
}

/// What is remembered, and what of it concerns this run alone.
#[derive(Debug, Default)]
struct Entry {
    known: Known,
    /// It left in this run, and was neither heard nor reached since.
    is_gone: bool,
    /// It was met in this run, and nothing shows that somebody listens at its address.
    is_only_heard: bool,
}

impl Book {
    /// A book with these in it.
    pub fn new(known: impl IntoIterator<Item = (SocketAddr, Known)>) -> Self {
        let entry = |(address, mut known): (_, Known)| {
            known.name = one_word(&known.name).into();
            (address, Entry { known, ..Entry::default() })
        };
        let mut book = Self { entries: known.into_iter().map(entry).collect(), ..Self::default() };
        while book.entries.len() > KNOWN_PEERS_MAX && book.make_room() {}
        book.count();
        book
    }

    /// What is remembered of an address.
    pub fn get(&self, address: SocketAddr) -> Option<&Known> {
        self.entries.get(&address).map(|entry| &entry.known)
    }

    /// All, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, &Known)> {
        self.entries.iter().map(|(&address, entry)| (address, &entry.known))
    }

    /// Counts what is worth keeping: it has changed if this has.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether an address is neither to be heard nor to be written to.
    pub fn is_blocked(&self, address: SocketAddr) -> bool {
        self.blocked > 0 && self.get(address).is_some_and(|known| known.is_blocked)
    }

    /// The key of whoever listens at an address, if it is known.
    pub fn pin(&self, address: SocketAddr) -> Option<&Pin> {
        if self.pinned == 0 { None } else { self.get(address)?.pin.as_ref() }
    }

    /// The addresses of whoever has this key.
    pub(super) fn pinned_to(&self, key: Key) -> impl Iterator<Item = SocketAddr> {
        let has_key = move |known: &Known| known.pin.as_ref().is_some_and(|pin| pin.key == key);
        self.iter().filter(move |(_, known)| has_key(known)).map(|(address, _)| address)
    }

    /// Whether another peer of this IP address may be known by its key: whoever invents keys must not fill the book.
    pub(super) fn has_room_for_pin(&self, address: SocketAddr) -> bool {
        let is_cheap =
            |known: &Known| known.alias.is_none() && known.pin.as_ref().is_some_and(|pin| !pin.is_verified);
        let source = source_of(address.ip());
        let cheap = || self.iter().filter(|(_, known)| is_cheap(known));
        let of_source = cheap().filter(|(at, _)| source_of(at.ip()) == source).count();
        of_source < PINS_OF_IP_MAX && cheap().count() < KNOWN_PEERS_MAX / 2
    }

    /// Whoever was at one address is at another one from here on. What the user said of it goes with it.
    pub(super) fn relocate(&mut self, from: SocketAddr, to: SocketAddr) {
        let Some(moved) = self.entries.remove(&from) else { return };
        if moved.known.is_blocked {
            // The user did not want to hear that address either.
            let known = Known { name: Rc::clone(&moved.known.name), is_blocked: true, ..Known::default() };
            self.entries.insert(from, Entry { known, ..Entry::default() });
        }
        self.set(to, |known| {
            let there = std::mem::replace(known, moved.known);
            known.alias = known.alias.take().or(there.alias);
            known.is_blocked |= there.is_blocked;
            known.heard_at = known.heard_at.max(there.heard_at);
            if !there.name.is_empty() {
                known.name = there.name;
            }
        });
    }

    /// A peer as the user calls it; by `name` if there is no alias.
    pub(super) fn who(&self, address: SocketAddr, name: &Rc<str>, standing: Standing) -> Who {
        let known = if self.aliases > 0 || name.is_empty() { self.get(address) } else { None };
        let own = known.map_or(name, |known| if name.is_empty() { &known.name } else { name });
        let alias = known.and_then(|known| known.alias.as_ref());
        Who { address, name: Rc::clone(alias.unwrap_or(own)), standing }
    }

    /// The name and the dialect to believe of a peer that nothing confirms: those in the book, if there are any.
    pub(super) fn believe<'a>(
        &'a self,
        address: SocketAddr,
        name: &'a str,
        dialect: Dialect,
    ) -> (&'a str, Dialect) {
        let known = self.get(address);
        let known_name = known.map(|known| &*known.name).filter(|name| !name.is_empty());
        let known_dialect = known.and_then(|known| known.dialect);
        (known_name.unwrap_or(name), known_dialect.unwrap_or(dialect))
    }

    /// The dialect that the user chose for an address.
    pub(super) fn chosen_dialect(&self, address: SocketAddr) -> Option<Dialect> {
        self.get(address).filter(|known| known.is_dialect_chosen)?.dialect
    }

    /// Whether the user has seen an address: the query shows all in the book but those who left.
    pub(super) fn is_acquainted(&self, address: SocketAddr) -> bool {
        self.entries.get(&address).is_some_and(|entry| !entry.is_gone)
    }

    /// Whether somebody left in this run, and was neither heard nor reached since.
    pub(super) fn is_gone(&self, address: SocketAddr) -> bool {
        self.entries.get(&address).is_some_and(|entry| entry.is_gone)
    }

    /// Whether somebody was met in this run, and nothing shows that anybody listens at that address.
    pub(super) fn is_only_heard(&self, address: SocketAddr) -> bool {
        self.entries.get(&address).is_some_and(|entry| entry.is_only_heard)
    }

    /// Somebody who is remembered has left.
    pub(super) fn note_gone(&mut self, address: SocketAddr) {
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.is_gone = true;
        }
    }

    /// Somebody at that address was reached, or is connected: they do more than send.
    pub(super) fn note_reached(&mut self, address: SocketAddr) {
        if let Some(entry) = self.entries.get_mut(&address) {
            self.revision += u64::from(std::mem::take(&mut entry.is_only_heard));
        }
    }

    /// Keeps what the user says of an address.
    pub(super) fn set(&mut self, address: SocketAddr, change: impl FnOnce(&mut Known)) {
        // There is always room for a peer that the user says something of.
        if !self.entries.contains_key(&address) && self.entries.len() >= KNOWN_PEERS_MAX {
            self.make_room();
        }
        let entry = self.entries.entry(address).or_default();
        change(&mut entry.known);
        entry.is_only_heard = false;
        self.revision += 1;
        self.count();
    }

    /// Keeps what the table has of a peer, if its address is confirmed. Its dialect counts if the peer used it, or if the user
    /// chose it.
    pub(super) fn note(&mut self, peer: &Peer) {
        let is_new = !self.entries.contains_key(&peer.address);
        let is_full = self.entries.len() >= KNOWN_PEERS_MAX;
        if !peer.is_confirmed || (is_new && is_full && !self.make_room()) {
            return;
        }
        let entry = self.entries.entry(peer.address).or_default();
        entry.is_gone = false;
        entry.is_only_heard |= is_new;
        let known = &mut entry.known;
        let counts = peer.heard > 0 || peer.is_dialect_chosen;
        let is_spoken = counts && known.dialect != Some(peer.dialect);
        if counts {
            known.dialect = Some(peer.dialect);
            known.is_dialect_chosen = peer.is_dialect_chosen;
        }
        let is_renamed = !peer.name.is_empty() && peer.name != known.name;
        if is_renamed {
            known.name = Rc::clone(&peer.name);
        }
        known.heard_at = known.heard_at.max(peer.heard_at);
        // A peer that was only heard is written at the end, so this is not a change yet.
        self.revision += u64::from((is_spoken || is_renamed) && !entry.is_only_heard);
    }

    /// Removes the one that was heard longest ago. Those with an alias or blocked stay. `false`: nobody can go.
    fn make_room(&mut self) -> bool {
        let others = self.iter().filter(|(_, known)| !known.is_kept());
        let oldest = others.max_by_key(|(_, known)| Reverse(known.heard_at)).map(|(address, _)| address);
        oldest.is_some_and(|address| self.entries.remove(&address).is_some())
    }

    fn count(&mut self) {
        self.aliases = self.iter().filter(|(_, known)| known.alias.is_some()).count();
        self.blocked = self.iter().filter(|(_, known)| known.is_blocked).count();
        self.pinned = self.iter().filter(|(_, known)| known.pin.is_some()).count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::directory::Directory;
    use std::time::Duration;

    fn address(n: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], n as u16 + 1))
    }

    /// A full book: the one at `n` was heard at second `n`, the first one never.
    fn full() -> (Book, Instant) {
        let start = crate::testing::start();
        let heard_at = |n| (n > 0).then(|| start + Duration::from_secs(n as u64));
        let known = |n| (address(n), Known { heard_at: heard_at(n), ..Known::default() });
        (Book::new((0..KNOWN_PEERS_MAX).map(known)), start)
    }

    fn note(book: &mut Book, n: usize, is_confirmed: bool) {
        let mut directory = Directory::new(1);
        let id = directory.find_or_add(address(n)).unwrap();
        let peer = directory.get_mut(id).unwrap();
        (peer.is_confirmed, peer.heard) = (is_confirmed, 1);
        peer.rename("P");
        book.note(peer);
    }

    #[test]
    fn who_was_heard_longest_ago_makes_room_unless_the_user_said_something_of_them() {
        let (mut book, start) = full();
        book.set(address(0), |known| known.is_blocked = true);
        book.set(address(1), |known| known.alias = Some("anna".into()));
        assert_eq!(book.iter().count(), KNOWN_PEERS_MAX);
        note(&mut book, 5000, true);
        assert_eq!(book.iter().count(), KNOWN_PEERS_MAX);
        assert!(book.get(address(2)).is_none() && book.get(address(5000)).is_some());
        book.set(address(6000), |known| known.heard_at = Some(start));
        assert!(book.get(address(5000)).is_none(), "it was never heard, as far as is known");
        assert!(book.get(address(0)).is_some() && book.get(address(1)).is_some());
    }

    #[test]
    fn whom_the_user_names_has_room_where_a_stranger_has_none() {
        let (mut book, _) = full();
        (0..KNOWN_PEERS_MAX).for_each(|n| book.set(address(n), |known| known.is_blocked = true));
        note(&mut book, 5000, true);
        assert!(book.get(address(5000)).is_none());
        book.set(address(5000), |known| known.is_blocked = true);
        assert_eq!(book.iter().count(), KNOWN_PEERS_MAX + 1);
        let again = Book::new(book.iter().map(|(address, known)| (address, known.clone())));
        assert_eq!(again.iter().count(), KNOWN_PEERS_MAX + 1);
    }

    #[test]
    fn only_what_is_more_than_a_claim_is_noted_and_only_what_changed_counts() {
        let mut book = Book::default();
        note(&mut book, 1, false);
        assert_eq!((book.iter().count(), book.revision()), (0, 0));
        note(&mut book, 1, true);
        assert_eq!((book.iter().count(), book.revision()), (1, 0), "it may do no more than send");
        for _ in 0..2 {
            note(&mut book, 1, true);
            book.note_reached(address(1));
            assert_eq!((book.iter().count(), book.revision()), (1, 1));
        }
    }

    #[test]
    fn a_peer_is_called_by_its_alias_then_its_name_then_the_name_it_had() {
        let mut book = Book::default();
        let called =
            |book: &Book, name: &str| book.who(address(1), &name.into(), Standing::AtHome).name.to_string();
        assert_eq!((called(&book, ""), called(&book, "P1")), (String::new(), "P1".to_owned()));
        book.set(address(1), |known| known.name = "P0".into());
        assert_eq!((called(&book, ""), called(&book, "P1")), ("P0".to_owned(), "P1".to_owned()));
        book.set(address(1), |known| known.alias = Some("anna".into()));
        assert_eq!((called(&book, ""), called(&book, "P1")), ("anna".to_owned(), "anna".to_owned()));
    }
}
