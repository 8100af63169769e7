//! The lists that the user sees, and which peer a number or a name means.

use super::Roster;
use crate::chat::book::Known;
use crate::chat::directory::Peer;
use crate::chat::notice::{KnownRow, Mistake, NearbyRow, Notice, PeerRow, Who, Whois};
use crate::chat::request::{ALL, Audience, Designation, is_host_name, is_misleading, is_unmistakable};
use crate::discovery::Neighbour;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

impl Roster {
    /// Lists all peers. Of the remembered ones, only the first `known_max` get a number.
    /// Who was found nearby comes last, unless it is there already.
    pub(in crate::chat) fn list(&mut self, known_max: usize, nearby: &[Neighbour], now: Instant) -> Notice {
        let active = self.directory.active();
        let contacted = self.directory.contacted();
        let mut listed: Vec<SocketAddr> = active.iter().chain(&contacted).map(|peer| peer.address).collect();
        let known = self.known_rows(&listed, now);
        listed.extend(known.iter().take(known_max).map(|row| row.who.address));
        let (active, contacted) = (self.rows(&active, 1, now), self.rows(&contacted, 1 + active.len(), now));
        let new: Vec<&Neighbour> =
            nearby.iter().filter(|neighbour| !listed.contains(&neighbour.address)).collect();
        let nearby = (1 + listed.len()..)
            .zip(&new)
            .map(|(n, neighbour)| self.nearby_row(Some(n), neighbour))
            .collect();
        listed.extend(new.iter().map(|neighbour| neighbour.address));
        self.listed = listed;
        Notice::Peers { active, contacted, known, nearby }
    }

    /// The list of those who were found nearby.
    pub(in crate::chat) fn list_nearby(&mut self, found: &[Neighbour]) -> Notice {
        self.listed = found.iter().map(|neighbour| neighbour.address).collect();
        let rows = (1..).zip(found).map(|(n, neighbour)| self.nearby_row(Some(n), neighbour));
        Notice::Nearby(rows.collect())
    }

    /// One more who was found. It gets the next number of the list, if that still is the list of `before`.
    pub(in crate::chat) fn add_nearby(&mut self, found: &Neighbour, before: &[SocketAddr]) -> NearbyRow {
        let is_last_list = self.listed == before;
        if is_last_list {
            self.listed.push(found.address);
        }
        self.nearby_row(is_last_list.then_some(self.listed.len()), found)
    }

    /// The list of those who could be connected to.
    pub(in crate::chat) fn list_connectable(&mut self, now: Instant) -> Notice {
        let connectable = self.connectable();
        let listed = connectable.iter().map(|peer| peer.address).collect();
        let notice = Notice::ConnectList(self.rows(&connectable, 1, now));
        self.listed = listed;
        notice
    }

    pub(in crate::chat) fn connectable(&self) -> Vec<&Peer> {
        self.directory.active().into_iter().filter(|peer| !peer.is_connected).collect()
    }

    /// A mistake, completed for the user. If several peers have a name, they become the last list, so that the user can choose
    /// one by its number.
    pub(in crate::chat) fn explain(&mut self, mut mistake: Mistake, now: Instant) -> Mistake {
        if let Mistake::AmbiguousName { name, peers } = &mut mistake {
            *peers = (1..).zip(self.named(name)).map(|(n, address)| self.row(n, address, now)).collect();
            self.listed = peers.iter().map(|row| row.who.address).collect();
        }
        mistake
    }

    /// The address that the user means.
    pub(in crate::chat) fn resolve(&self, whom: &Designation) -> Result<SocketAddr, Mistake> {
        let address = match whom {
            Designation::Address(address) => *address,
            Designation::LinkLocal(typed) => self.me.scopes().resolve(typed)?,
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
        if self.me.is_own(address) { Err(Mistake::Yourself(address)) } else { Ok(address) }
    }

    /// The address that the user means to write to.
    pub(in crate::chat) fn recipient(&self, whom: &Designation) -> Result<SocketAddr, Mistake> {
        let address = self.resolve(whom)?;
        if self.book.is_blocked(address) { Err(Mistake::Blocked(self.who(address))) } else { Ok(address) }
    }

    /// The partner as the prompt shows it: by name, or by address if several peers have that name, or if it does not look
    /// like one.
    pub(in crate::chat) fn partner_name(&self, audience: Audience) -> String {
        let Audience::One(to, _) = audience else { return ALL.to_owned() };
        let name = self.who(to).name;
        let is_clear = is_unmistakable(&name) && !is_misleading(&name) && self.named(&name) == [to];
        if is_clear { name.to_string() } else { self.me.scopes().show(to).to_string() }
    }

    /// What is known of a peer.
    pub(in crate::chat) fn whois(&self, whom: &Designation, now: Instant) -> Result<Whois, Mistake> {
        let address = self.resolve(whom)?;
        let peer = self.directory.peer(address);
        let heard_at =
            peer.and_then(|peer| peer.heard_at).or(self.book.get(address).and_then(|k| k.heard_at));
        Ok(Whois {
            who: self.who(address),
            own_name: self.own_name(address),
            dialect: self.dialect_of(address),
            connected: peer.is_some_and(|peer| peer.is_connected),
            has_session: peer.is_some_and(|peer| peer.session.is_some()),
            is_encrypted: false,
            confirmed: peer.is_some_and(|peer| peer.is_confirmed),
            away: self.is_away(Audience::One(address, None)),
            blocked: self.book.is_blocked(address),
            heard: peer.map_or(0, |peer| peer.heard),
            heard_ago: heard_at.map(|at| now.saturating_duration_since(at)),
            sent: peer.map_or(0, |peer| peer.sent),
            key: self.pin(address).map(|pin| {
                let ago = pin.since.map(|since| now.saturating_duration_since(since));
                (pin.key.fingerprint().into(), ago)
            }),
        })
    }

    fn nearby_row(&self, number: Option<usize>, found: &Neighbour) -> NearbyRow {
        let who = Who::new(found.address, found.name.as_str().into());
        let is_it = |known: &Known| {
            known.pin.as_ref().is_some_and(|pin| {
                found.key.as_ref().is_some_and(|key| *key == pin.key.fingerprint().replace(' ', ""))
            })
        };
        let is_key_known = found.key.is_some() && self.book.iter().any(|(_, known)| is_it(known));
        NearbyRow { number, who, key: found.key.as_deref().map(Into::into), is_key_known }
    }

    /// Whether the partner has left, or could not be reached.
    pub(in crate::chat) fn is_away(&self, audience: Audience) -> bool {
        let Audience::One(to, _) = audience else { return false };
        self.book.is_gone(to) || self.directory.peer(to).is_some_and(|peer| peer.is_offline)
    }

    /// Peers with this alias; if none, with this name in the table, or known by their key: no stranger may take the name of
    /// those. If none, with this name in the book.
    fn named(&self, name: &str) -> Vec<SocketAddr> {
        let is_meant = |called: &str| called.eq_ignore_ascii_case(name);
        let in_table = self.directory.iter().filter(|peer| is_meant(&peer.name)).map(|peer| peer.address);
        let is_known = |known: &Known| known.pin.is_some() && is_meant(&known.name);
        let is_away = |address| self.directory.peer(address).is_none();
        let by_key = self.book.iter().filter(|&(address, known)| is_known(known) && is_away(address));
        let by_key = by_key.map(|(address, _)| address);
        let in_book = self.others().filter(|(_, known)| is_meant(&known.name)).map(|(address, _)| address);
        let ranks: [Vec<SocketAddr>; 3] =
            [self.aliased(name).collect(), in_table.chain(by_key).collect(), in_book.collect()];
        ranks.into_iter().find(|rank| !rank.is_empty()).unwrap_or_default()
    }

    /// The addresses that the user calls so.
    pub(super) fn aliased(&self, alias: &str) -> impl Iterator<Item = SocketAddr> {
        let is_meant = |known: &Known| known.alias.as_ref().is_some_and(|a| a.eq_ignore_ascii_case(alias));
        self.others().filter(move |(_, known)| is_meant(known)).map(|(address, _)| address)
    }

    /// The book without ourselves: programs on one host that share a file know each other.
    fn others(&self) -> impl Iterator<Item = (SocketAddr, &Known)> {
        self.book.iter().filter(|&(address, _)| !self.me.is_own(address))
    }

    /// Those who are remembered and not `listed`: first those with an alias or blocked, then by when they were heard.
    fn known_rows(&self, listed: &[SocketAddr], now: Instant) -> Vec<KnownRow> {
        let listed: BTreeSet<SocketAddr> = listed.iter().copied().collect();
        let is_other = |(address, _): &(SocketAddr, Known)| {
            !listed.contains(address)
                && !self.me.is_own(*address)
                && (!self.book.is_gone(*address) || self.book.is_blocked(*address))
        };
        let mut known: Vec<_> = self.known().filter(is_other).collect();
        known.sort_by_key(|(_, known)| Reverse((known.is_kept(), known.heard_at)));
        let row = |(number, (address, known)): (usize, (SocketAddr, Known))| KnownRow {
            number,
            who: self.book.who(address, &known.name, self.standing(address)),
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
}
