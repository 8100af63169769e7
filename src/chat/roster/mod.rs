//! Who is there, who is remembered, and who we are: the table of peers and the address book behind one face.
//!
//! The table has who is there now; the book has who is remembered. Whoever wants to know a name, a dialect or an
//! address asks here. What the user is shown of it, and whom they mean, is in `list`; what they say of peers in
//! `choices`.
//!
//! A message from another IP than it claims does not change a confirmed peer, in the table or in the book.

mod choices;
mod list;
mod pins;

pub(super) use pins::Recognised;

use super::book::{Book, Known};
use super::config::Config;
use super::directory::{Directory, Peer, PeerId, kept_of};
use super::me::Me;
use super::notice::Who;
use super::rate::Rate;
use crate::limits::{NEW_LOCAL_PEERS_BURST, NEW_LOCAL_PEERS_INTERVAL, NEW_PEERS_BURST, NEW_PEERS_INTERVAL};
use crate::proto::machine::ConnId;
use crate::proto::message::{Command, Dialect, Message, source_of};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;

/// The peers.
#[derive(Debug)]
pub(super) struct Roster {
    me: Me,
    directory: Directory,
    book: Book,
    /// What the numbers of the last list stand for.
    listed: Vec<SocketAddr>,
    /// New entries of the table, for each source of them, and whether it is where it claims to be.
    new_peers: Rate<(IpAddr, bool)>,
    /// New entries of the table whose source is this host.
    new_local_peers: Rate<(IpAddr, bool)>,
    /// The dialect that the user chose for everybody.
    dialect: Option<Dialect>,
    /// Whether peers are remembered that the user says nothing of.
    must_remember: bool,
}

/// A name that a message changed.
#[derive(Debug)]
pub(super) struct Renamed {
    pub(super) who: Who,
    /// Empty if the peer had none.
    pub(super) was: Rc<str>,
    /// The user knows the peer by an alias, which stays.
    pub(super) is_aliased: bool,
}

impl Roster {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            me: Me::new(config),
            directory: Directory::new(config.limits.peers_max),
            book: Book::new(config.known.clone()),
            listed: Vec::new(),
            new_peers: Rate::new(NEW_PEERS_BURST, NEW_PEERS_INTERVAL),
            new_local_peers: Rate::new(NEW_LOCAL_PEERS_BURST, NEW_LOCAL_PEERS_INTERVAL),
            dialect: config.dialect,
            must_remember: config.must_remember,
        }
    }

    pub(super) fn me(&self) -> &Me {
        &self.me
    }

    pub(super) fn me_mut(&mut self) -> &mut Me {
        &mut self.me
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(super) fn book(&self) -> &Book {
        &self.book
    }

    /// A peer as the user calls it.
    pub(super) fn who(&self, address: SocketAddr) -> Who {
        self.book.who(address, &self.own_name(address), self.standing(address))
    }

    /// A peer as the user calls it, if it calls itself `name`.
    pub(super) fn who_says(&self, address: SocketAddr, name: &Rc<str>) -> Who {
        self.book.who(address, name, self.standing(address))
    }

    /// A peer as the user calls it, by its entry.
    pub(super) fn who_is(&self, peer: &Peer) -> Who {
        self.book.who(peer.address, &peer.name, self.standing_of(peer.address, Some(peer)))
    }

    /// The name that a peer gives itself, in the table or as remembered; empty if none is known.
    pub(super) fn own_name(&self, address: SocketAddr) -> Rc<str> {
        let in_table = self.directory.peer(address).map(|peer| &peer.name).filter(|name| !name.is_empty());
        let name = in_table.or_else(|| self.book.get(address).map(|known| &known.name));
        name.cloned().unwrap_or_default()
    }

    /// Whether a confirmed peer is more than a stranger: it is in the book, or the user has written to it.
    pub(super) fn is_acquaintance(&self, id: PeerId) -> bool {
        let is_acquainted = |peer: &Peer| peer.sent > 0 || self.book.is_acquainted(peer.address);
        self.directory.get(id).is_some_and(|peer| peer.is_confirmed && is_acquainted(peer))
    }

    /// The form in which an address is written to.
    pub(super) fn dialect_of(&self, to: SocketAddr) -> Dialect {
        self.directory.peer(to).map_or_else(|| self.first_dialect(to), |peer| peer.dialect)
    }

    /// The entry for a message from the socket address `from`, made if need be, and whether its peer is new to the
    /// user. `None` if there is no room for it. Each source has two allowances: one for entries of its own address, and one
    /// for those of others.
    pub(super) fn entry_for(
        &mut self,
        claimed: SocketAddr,
        from: SocketAddr,
        is_confirmed: bool,
        now: Instant,
    ) -> Option<(PeerId, bool)> {
        if let Some(id) = self.directory.find(claimed) {
            return Some((id, false));
        }
        let rate = if from.ip().is_loopback() { &mut self.new_local_peers } else { &mut self.new_peers };
        if !rate.take((source_of(from.ip()), is_confirmed), now) {
            return None;
        }
        let is_news = !self.book.is_acquainted(claimed);
        Some((self.enter(claimed)?, is_news))
    }

    /// What a message of a peer changes in its entry; whoever only claims to be a confirmed peer changes nothing. Gives
    /// the name that it changed.
    pub(super) fn note_message(
        &mut self,
        id: PeerId,
        message: &Message<'_>,
        is_confirmed: bool,
        now: Instant,
    ) -> Option<Renamed> {
        let peer = self.directory.get_mut(id).filter(|peer| is_confirmed || !peer.is_confirmed)?;
        let was = Rc::clone(&peer.name);
        let (mut name, mut dialect) = (&*message.name, message.dialect);
        if !is_confirmed {
            (name, dialect) = self.book.believe(message.address, name, dialect);
        }
        if !name.is_empty() {
            peer.rename(name);
        }
        peer.note_heard(dialect, message.command == Command::Chat, now);
        if self.must_remember {
            self.book.note(peer);
        }
        let (address, name) = (peer.address, Rc::clone(&peer.name));
        self.directory.set_offline(id, false);
        if name == was {
            return None;
        }
        let who = Who { address, name, standing: self.standing(address) };
        let is_aliased = self.book.get(who.address).is_some_and(|known| known.alias.is_some());
        Some(Renamed { who, was, is_aliased })
    }

    /// Another chat message of a peer whose entry is known.
    pub(super) fn note_chat(
        &mut self,
        id: PeerId,
        is_meant: impl FnOnce(&Peer) -> bool,
        now: Instant,
    ) -> bool {
        let Some(peer) = self.directory.get_mut(id).filter(|peer| is_meant(peer)) else { return false };
        peer.note_heard(Dialect::Standard, true, now);
        if peer.is_offline {
            self.directory.set_offline(id, false);
        }
        true
    }

    /// One side has connected with the other. Gives whether that was so before.
    pub(super) fn note_connected(&mut self, id: PeerId) -> bool {
        let Some(peer) = self.directory.get_mut(id) else { return false };
        self.book.note_reached(peer.address);
        std::mem::replace(&mut peer.is_connected, true)
    }

    /// It was sent `texts` texts, the last one at `at`.
    pub(super) fn note_sent(&mut self, id: PeerId, texts: u64, at: Instant) {
        if let Some(peer) = self.directory.get_mut(id) {
            peer.note_sent(texts, at);
        }
    }

    /// The entry of an address that the user deals with, made if need be.
    pub(super) fn entry_of(&mut self, address: SocketAddr) -> Option<PeerId> {
        self.directory.find(address).or_else(|| self.enter(address))
    }

    /// A peer was reached at its address, with the dialect that the user chose for it.
    pub(super) fn note_reached(&mut self, id: PeerId, dialect: Option<Dialect>) {
        let Some(peer) = self.directory.get_mut(id) else { return };
        if let Some(dialect) = dialect {
            peer.choose(dialect);
        }
        if self.must_remember {
            self.book.note(peer);
            self.book.note_reached(peer.address);
        }
        self.directory.set_offline(id, false);
    }

    /// An address could not be reached.
    pub(super) fn note_unreached(&mut self, to: SocketAddr) {
        let Some(id) = self.directory.find(to) else { return };
        let Some(peer) = self.directory.get_mut(id) else { return };
        let is_offline = peer.session.is_none();
        peer.is_connected &= !is_offline;
        self.directory.set_offline(id, is_offline);
    }

    /// The peer is where it claims to be. If that is news, gives its address and the session in its name, if it has one.
    pub(super) fn confirm(&mut self, id: PeerId) -> Option<(SocketAddr, ConnId)> {
        if !self.directory.confirm(id) {
            return None;
        }
        self.directory.get(id).and_then(|peer| Some((peer.address, peer.session?)))
    }

    /// From here on the peer is bound to `conn` both ways; gives the session that it had before.
    pub(super) fn bind(&mut self, id: PeerId, conn: ConnId) -> Option<ConnId> {
        self.directory.bind(id, conn)
    }

    /// The peer has no session any more, but is still connected.
    pub(super) fn unbind(&mut self, id: PeerId) {
        self.directory.unbind(id);
    }

    /// The peer has no session any more, and is not connected.
    pub(super) fn disconnect(&mut self, id: PeerId) {
        self.directory.unbind(id);
        if let Some(peer) = self.directory.get_mut(id) {
            peer.is_connected = false;
        }
    }

    /// The peer lost its session because the connection broke; `is_away`: in a way that shows that it cannot be
    /// reached.
    pub(super) fn lose(&mut self, id: PeerId, is_away: bool) {
        self.disconnect(id);
        self.directory.set_offline(id, is_away);
    }

    /// Whether an exit bears the name of the peer that is to leave, as far as both give one. A name that was only
    /// claimed says nothing.
    pub(super) fn is_named(&self, address: SocketAddr, name: &str) -> bool {
        if self.directory.peer(address).is_some_and(|peer| !peer.is_confirmed) {
            return true;
        }
        let known = self.own_name(address);
        known.is_empty() || name.is_empty() || *known == *kept_of(name)
    }

    /// Takes a peer out of the table; the book keeps it, or at least what the user chose for it.
    pub(super) fn remove(&mut self, address: SocketAddr) -> Option<Peer> {
        let peer = self.directory.remove(address)?;
        let has_choice = peer.is_dialect_chosen && Some(peer.dialect) != self.dialect;
        if self.must_remember || has_choice || self.book.get(address).is_some() {
            self.book.note(&peer);
        }
        Some(peer)
    }

    /// Takes a peer out of the table after an exit: the query does not list who has left.
    pub(super) fn see_off(&mut self, address: SocketAddr) -> Option<Peer> {
        let peer = self.remove(address);
        self.book.note_gone(address);
        peer
    }

    /// We said exit to an address: it took it, so somebody is there.
    pub(super) fn note_exit_taken(&mut self, to: SocketAddr) {
        self.book.note_reached(to);
    }

    /// The form in which to write to who is not in the table.
    fn first_dialect(&self, to: SocketAddr) -> Dialect {
        let remembered = self.book.get(to).and_then(|known| known.dialect);
        remembered.or(self.dialect).unwrap_or_default()
    }

    /// A new entry, which is written to as the user chose, or as is remembered; `None` if there is no room for it.
    fn enter(&mut self, address: SocketAddr) -> Option<PeerId> {
        let dialect = self.first_dialect(address);
        let chosen = self.book.chosen_dialect(address).or(self.dialect);
        let id = self.directory.find_or_add(address)?;
        let peer = self.directory.get_mut(id)?;
        (peer.dialect, peer.is_dialect_chosen) = (dialect, chosen == Some(dialect));
        Some(id)
    }

    /// Everybody in the book as of now, in the order of their addresses.
    pub(super) fn known(&self) -> impl Iterator<Item = (SocketAddr, Known)> {
        self.book.iter().map(|(address, known)| {
            let peer = self.directory.peer(address).filter(|peer| peer.is_confirmed);
            let heard_at = known.heard_at.max(peer.and_then(|peer| peer.heard_at));
            (address, Known { heard_at, ..known.clone() })
        })
    }

    /// Those of them who are to be remembered in later runs. Whoever was only heard may be a program that only sends:
    /// that is known when the run `is_over`, if it has not left by then.
    pub(super) fn worth_keeping(&self, is_over: bool) -> impl Iterator<Item = (SocketAddr, Known)> {
        let is_kept =
            move |address| !self.book.is_only_heard(address) || (is_over && !self.book.is_gone(address));
        self.known().filter(move |&(address, _)| is_kept(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::notice::{Mistake, Notice};
    use crate::chat::request::Designation;
    use crate::limits::Limits;

    fn address(port: u16) -> SocketAddr {
        ([10, 0, 0, 2], port).into()
    }

    fn roster(known: Vec<(SocketAddr, Known)>) -> (Roster, Instant) {
        let config = Config { known, must_remember: true, ..Config::default() };
        (Roster::new(&config), crate::testing::start())
    }

    /// A chat message that claims `port`, and comes from the IP address that it claims, or from another one.
    fn hear(roster: &mut Roster, port: u16, name: &str, is_confirmed: bool, now: Instant) -> Option<Renamed> {
        let text = format!("{} {name} hi", address(port));
        let from = if is_confirmed { address(50_000) } else { ([10, 0, 0, 3], 50_000).into() };
        let message = Message::parse(&text, from).unwrap();
        let (id, _) = roster.entry_for(message.address, from, is_confirmed, now).unwrap();
        if is_confirmed {
            roster.confirm(id);
        }
        roster.note_message(id, &message, is_confirmed, now)
    }

    fn name(roster: &Roster, port: u16) -> String {
        roster.who(address(port)).name.to_string()
    }

    #[test]
    fn whoever_only_claims_to_be_a_confirmed_peer_changes_nothing_of_it() {
        let (mut roster, now) = roster(Vec::new());
        assert!(hear(&mut roster, 1, "eve", false, now).is_some());
        assert_eq!(name(&roster, 1), "eve", "nobody knows better");
        let renamed = hear(&mut roster, 1, "anna", true, now).unwrap();
        assert_eq!((&*renamed.was, renamed.is_aliased), ("eve", false));
        assert!(hear(&mut roster, 1, "eve", false, now).is_none());
        assert_eq!(name(&roster, 1), "anna");
        assert_eq!(roster.directory().peer(address(1)).unwrap().heard, 2);
    }

    #[test]
    fn a_source_that_claims_too_many_peers_may_still_speak_for_itself() {
        let (mut roster, now) = roster(Vec::new());
        let from = address(50_000);
        let mut enter = |port, is_confirmed| roster.entry_for(address(port), from, is_confirmed, now);
        let claimed = (1..=1000).filter(|&port| enter(port, false).is_some()).count();
        assert_eq!(claimed, NEW_PEERS_BURST as usize);
        assert!(enter(2000, true).is_some_and(|(_, is_new)| is_new));
        assert!(enter(1, false).is_some_and(|(_, is_new)| !is_new), "it has an entry");
    }

    #[test]
    fn a_name_means_an_alias_first_then_who_is_there_then_who_was() {
        let known = |name: &str| Known { name: name.into(), ..Known::default() };
        let (mut roster, now) = roster(vec![(address(1), known("anna")), (address(2), known("bob"))]);
        let find = |roster: &Roster, name: &str| roster.resolve(&Designation::Name(name.to_owned()));
        assert_eq!(find(&roster, "ANNA"), Ok(address(1)));
        hear(&mut roster, 3, "anna", true, now);
        assert_eq!(find(&roster, "anna"), Ok(address(3)));
        let aliased = roster.alias(&Designation::Address(address(2)), Some("anna".to_owned())).unwrap();
        assert!(matches!(aliased, Notice::Aliased { who, .. } if &*who.name == "bob"));
        assert_eq!(find(&roster, "anna"), Ok(address(2)));
        assert_eq!(find(&roster, "nobody"), Err(Mistake::BadAddress("nobody".to_owned())));
    }

    #[test]
    fn the_numbers_of_the_last_list_stand_for_those_on_it() {
        let (mut roster, now) = roster(Vec::new());
        for (port, name) in [(1, "anna"), (2, "twin"), (3, "twin")] {
            hear(&mut roster, port, name, true, now);
        }
        let find = |roster: &Roster, number| roster.resolve(&Designation::Number(number));
        assert_eq!(find(&roster, 1), Err(Mistake::NoSuchNumber(1)), "nothing was listed");
        roster.list(0, &[], now);
        assert!(find(&roster, 3).is_ok() && find(&roster, 0).is_err() && find(&roster, 4).is_err());
        let ambiguous = roster.resolve(&Designation::Name("twin".to_owned())).unwrap_err();
        let Mistake::AmbiguousName { peers, .. } = roster.explain(ambiguous, now) else { panic!() };
        assert_eq!(peers.len(), 2);
        assert_eq!((find(&roster, 2), find(&roster, 3)), (Ok(address(3)), Err(Mistake::NoSuchNumber(3))));
    }

    #[test]
    fn the_book_keeps_who_leaves_and_the_list_does_not() {
        let (mut roster, now) = roster(Vec::new());
        hear(&mut roster, 1, "anna", true, now);
        roster.see_off(address(1)).unwrap();
        assert_eq!((name(&roster, 1).as_str(), roster.directory().len()), ("anna", 0));
        let Notice::Peers { known, .. } = roster.list(9, &[], now) else { panic!() };
        assert_eq!((known, roster.worth_keeping(true).count()), (vec![], 0));
        hear(&mut roster, 1, "anna", true, now);
        assert_eq!((roster.worth_keeping(false).count(), roster.worth_keeping(true).count()), (0, 1));
    }

    #[test]
    fn a_full_table_has_room_for_no_more_confirmed_peers() {
        let config = Config { limits: Limits { peers_max: 1, ..Limits::default() }, ..Config::default() };
        let (mut roster, now) = (Roster::new(&config), crate::testing::start());
        hear(&mut roster, 1, "anna", true, now);
        assert!(roster.entry_of(address(2)).is_none() && roster.entry_of(address(1)).is_some());
    }
}
