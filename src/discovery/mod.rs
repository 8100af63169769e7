//! Who else is on the links of this host: DNS-SD over multicast DNS (RFC 6763 and 6762), for the service
//! `_chinwag._tcp.local`. The tools of every platform speak it.
//!
//! Pure, like a machine: datagrams and the time go in, datagrams come out. It does two things. It looks for others when
//! it is asked to, and it tells of this node if the user wants that. By itself it says nothing.
//!
//! There is an announcer for each link, because a node has other addresses on each of them, and because a name that is
//! taken on one link may be free on another.

mod announcer;
mod found;
mod random;
#[cfg(test)]
mod tests;
mod wire;

use crate::limits::{DATAGRAM_BYTES_MAX, LINKS_MAX};
use crate::proto::interface::Interface;
use crate::proto::machine::{Datagram, Groups};
use announcer::Announcer;
use found::Found;
use memchr::memmem;
use random::Random;
use simple_dns::{OPCODE, Packet, PacketFlag, RCODE, TYPE};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

/// The port of multicast DNS.
const PORT: u16 = 5353;

/// Where everybody on a link hears what is said.
pub const GROUPS: Groups = Groups {
    v4: Ipv4Addr::new(224, 0, 0, 251),
    v6: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb),
    port: PORT,
};

/// When a search asks, and when it ends. A datagram may be lost, and the RFC asks for twice the time each time.
const ASK_AFTER: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];
const SEARCH_TIME: Duration = Duration::from_secs(5);

/// How long after an answer that was not complete the rest is asked for.
const FOLLOW_UP_DELAY: Duration = Duration::from_millis(20);

/// So many names are asked for at once, and so many known answers go with a question.
const QUESTIONS_MAX: usize = 16;
const KNOWN_MAX: usize = 16;

/// Within this time our own datagrams come back.
const ECHO_TIME: Duration = Duration::from_secs(1);
const ECHOES_MAX: usize = 16;

/// What a node tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The name of its user.
    pub name: String,
    /// The address that it listens on; an unspecified one is for all.
    pub bound: IpAddr,
    /// The port that it listens on.
    pub port: u16,
    /// The fingerprint of its key, if it has one: a hint, which proves nothing.
    pub key: Option<String>,
}

impl Offer {
    fn is_at(&self, ip: IpAddr) -> bool {
        let is_everywhere = self.bound.is_unspecified() && (self.bound.is_ipv6() || ip.is_ipv4());
        is_everywhere || ip == self.bound
    }
}

/// Somebody who was found. All of it is only what they claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The name, as it came.
    pub name: String,
    /// Where they listen: an address that is on the link on which they were found.
    pub address: SocketAddr,
    /// The fingerprint of their key, as it came.
    pub key: Option<String>,
}

/// What is to be done for it.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Hear what is said on all links; answered by [`Discovery::on_joined`].
    Join,
    /// Hear it no longer.
    Leave,
    /// Send a datagram.
    Send {
        /// On the link with this number.
        on: u32,
        /// To whom.
        to: SocketAddr,
        /// What.
        bytes: Vec<u8>,
    },
}

/// A datagram of an announcer; without an address it is for everybody.
#[derive(Debug)]
struct Sent {
    to: Option<SocketAddr>,
    bytes: Vec<u8>,
}

/// Looks for other nodes, and tells of this one.
#[derive(Debug)]
pub struct Discovery {
    links: BTreeMap<u32, Link>,
    has_joined: bool,
    offer: Option<Offer>,
    search: Option<Search>,
    found: Found,
    random: Random,
    actions: VecDeque<Action>,
}

/// One network that this host is on.
#[derive(Debug)]
struct Link {
    index: u32,
    interfaces: Vec<Interface>,
    announcer: Option<Announcer>,
    /// What we said to everybody a moment ago, and how often it may still come back to us.
    echoes: VecDeque<(Instant, Vec<u8>, usize)>,
    follow_up_at: Option<Instant>,
}

#[derive(Debug)]
struct Search {
    began: Instant,
    asked: usize,
}

impl Search {
    fn next_deadline(&self) -> Instant {
        self.began + ASK_AFTER.get(self.asked).copied().unwrap_or(SEARCH_TIME)
    }
}

impl Link {
    fn new(index: u32, interfaces: Vec<Interface>) -> Self {
        Self { index, interfaces, announcer: None, echoes: VecDeque::new(), follow_up_at: None }
    }

    fn ips(&self) -> impl Iterator<Item = IpAddr> {
        self.interfaces.iter().map(|interface| interface.ip)
    }

    /// Whether whoever has this address can be on the link.
    fn is_near(&self, ip: IpAddr) -> bool {
        let is_of_link = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let is_peer = !ip.is_loopback() && !ip.is_multicast() && !ip.is_unspecified();
        is_peer && (is_of_link || self.interfaces.iter().any(|interface| interface.is_near(ip)))
    }

    /// Where everybody on the link is told, once in each family that this host has there.
    fn groups(&self) -> impl Iterator<Item = SocketAddr> + use<> {
        let has = |is_v4: bool| self.interfaces.iter().any(|interface| interface.ip.is_ipv4() == is_v4);
        let v4 = has(true).then(|| SocketAddr::new(GROUPS.v4.into(), PORT));
        let v6 = has(false).then(|| SocketAddrV6::new(GROUPS.v6, PORT, 0, self.index).into());
        v4.into_iter().chain(v6)
    }

    fn note_echo(&mut self, bytes: &[u8], copies: usize, now: Instant) {
        while self.echoes.front().is_some_and(|(at, _, _)| now > *at + ECHO_TIME)
            || self.echoes.len() >= ECHOES_MAX
        {
            self.echoes.pop_front();
        }
        self.echoes.push_back((now, bytes.to_vec(), copies));
    }

    /// Whether this is our own datagram, which comes back to us because other programs of this host must hear it.
    fn is_echo(&mut self, from: IpAddr, bytes: &[u8], now: Instant) -> bool {
        if !self.interfaces.iter().any(|interface| interface.ip == from) {
            return false;
        }
        let is_same = |(at, own, left): &&mut (Instant, Vec<u8>, usize)| {
            *left > 0 && now <= *at + ECHO_TIME && own == bytes
        };
        self.echoes.iter_mut().find(is_same).map(|(_, _, left)| *left -= 1).is_some()
    }
}

impl Discovery {
    /// One that says nothing yet. The moments at which it answers come from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            links: BTreeMap::new(),
            has_joined: false,
            offer: None,
            search: None,
            found: Found::default(),
            random: Random::new(seed),
            actions: VecDeque::new(),
        }
    }

    /// Asks who is there, for five seconds.
    pub fn search(&mut self, now: Instant) {
        self.search = Some(Search { began: now, asked: 0 });
        self.join();
        self.on_timeout(now);
    }

    /// Whether it still asks.
    pub fn is_searching(&self) -> bool {
        self.search.is_some()
    }

    /// Tells everybody of this node from here on.
    pub fn announce(&mut self, offer: Offer, now: Instant) {
        self.offer = Some(offer);
        self.join();
        self.start_announcers(now);
    }

    /// Whether it tells of this node.
    pub fn is_announcing(&self) -> bool {
        self.offer.is_some()
    }

    /// Says goodbye, and nothing after that.
    pub fn leave(&mut self, now: Instant) {
        (self.offer, self.search) = (None, None);
        for link in self.links.values_mut() {
            link.announcer.iter_mut().for_each(Announcer::leave);
            link.follow_up_at = None;
        }
        self.collect(now);
        self.links.values_mut().for_each(|link| link.announcer = None);
    }

    /// The next thing to be done.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Everybody who is known to be there.
    pub fn neighbours(&self, now: Instant) -> Vec<Neighbour> {
        self.found.neighbours(now)
    }

    /// When [`Discovery::on_timeout`] is to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        let of_links = self.links.values().flat_map(|link| {
            let of_announcer = link.announcer.as_ref().and_then(Announcer::next_deadline);
            [of_announcer, link.follow_up_at]
        });
        let of_search = self.search.as_ref().map(Search::next_deadline);
        // Whoever announces hears everybody anyway: what is old is dropped when something new comes.
        let must_leave = self.has_joined && self.offer.is_none() && self.search.is_none();
        let of_found = if must_leave { self.found.next_end() } else { None };
        of_links.flatten().chain(of_search).chain(of_found).min()
    }

    fn join(&mut self) {
        if !std::mem::replace(&mut self.has_joined, true) {
            self.actions.push_back(Action::Join);
        }
    }

    /// Datagrams come and go on these links from here on.
    pub fn on_joined(&mut self, interfaces: Vec<Interface>, now: Instant) {
        // It may come after a failure, if the network has come back.
        self.has_joined = true;
        let mut links: BTreeMap<u32, Vec<Interface>> = BTreeMap::new();
        for interface in interfaces {
            let number = links.len();
            match links.get_mut(&interface.index) {
                Some(link) => link.push(interface),
                None if number < LINKS_MAX => drop(links.insert(interface.index, vec![interface])),
                None => {}
            }
        }
        let gone: Vec<u32> = self.links.keys().filter(|index| !links.contains_key(index)).copied().collect();
        for index in gone {
            self.links.remove(&index);
            self.found.forget_link(index);
        }
        for (index, interfaces) in links {
            let link = self.links.entry(index).or_insert_with(|| Link::new(index, Vec::new()));
            link.interfaces = interfaces;
        }
        self.start_announcers(now);
        // A link that has just come up is asked at once.
        if let Some(search) = &mut self.search {
            search.asked = search.asked.saturating_sub(1);
        }
        self.on_timeout(now);
    }

    /// Nothing can be heard or said.
    pub fn on_join_failed(&mut self) {
        (self.has_joined, self.search) = (false, None);
        (self.links, self.found) = (BTreeMap::new(), Found::default());
    }

    fn start_announcers(&mut self, now: Instant) {
        let Some(offer) = &self.offer else { return };
        for link in self.links.values_mut() {
            let ips: Vec<IpAddr> = link.ips().filter(|ip| offer.is_at(*ip)).collect();
            match &mut link.announcer {
                _ if ips.is_empty() => link.announcer = None,
                Some(announcer) => announcer.set_ips(ips, now),
                None => link.announcer = Some(Announcer::new(offer.clone(), ips, self.random.split(), now)),
            }
        }
    }

    /// A datagram came in on a link.
    pub fn on_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        let Datagram { on, from, hop_limit, bytes } = datagram;
        let is_own_voice = self.is_own_voice(on, from.ip());
        let Some(link) = self.links.get_mut(&on).filter(|_| !is_own_voice) else { return };
        let may_matter = self.search.is_some() || is_about_us(bytes);
        let is_of_use = bytes.len() <= DATAGRAM_BYTES_MAX && may_matter && link.is_near(from.ip());
        if !is_of_use || link.is_echo(from.ip(), bytes, now) {
            return;
        }
        let Ok(packet) = Packet::parse(bytes) else { return };
        let is_fault = packet.opcode() != OPCODE::StandardQuery || packet.rcode() != RCODE::NoError;
        if is_fault || from.port() == 0 {
            return;
        }
        if !packet.has_flags(PacketFlag::RESPONSE) {
            link.announcer.iter_mut().for_each(|announcer| announcer.on_query(&packet, from, now));
        } else if from.port() == PORT && hop_limit.is_none_or(|hops| hops == u8::MAX) {
            // A router would have made it less.
            link.announcer.iter_mut().for_each(|announcer| announcer.on_response(&packet, now));
            self.found.on_response(link, from.ip(), &packet, now);
            if self.search.is_some() && self.found.has_unknown(on, now) {
                link.follow_up_at.get_or_insert(now + FOLLOW_UP_DELAY);
            }
        }
        self.collect(now);
        self.leave_if_idle(now);
    }

    /// Whether this host has said it on another link, which is the same network by another way. The other link has
    /// heard it already; here, it would be a rival.
    fn is_own_voice(&self, on: u32, from: IpAddr) -> bool {
        let has = |link: &Link| link.interfaces.iter().any(|interface| interface.ip == from);
        self.links.get(&on).is_some_and(|link| !has(link)) && self.links.values().any(has)
    }

    /// A deadline is here.
    pub fn on_timeout(&mut self, now: Instant) {
        let is_due = |search: &&mut Search| search.next_deadline() <= now;
        if let Some(search) = self.search.as_mut().filter(is_due) {
            search.asked += 1;
            if search.asked > ASK_AFTER.len() {
                self.search = None;
            } else if !self.links.is_empty() {
                self.ask(now);
            }
        }
        let links: Vec<u32> = self.links.keys().copied().collect();
        for on in links {
            self.follow_up(on, now);
        }
        for link in self.links.values_mut() {
            link.announcer.iter_mut().for_each(|announcer| announcer.on_timeout(now));
        }
        self.collect(now);
        self.leave_if_idle(now);
    }

    fn ask(&mut self, now: Instant) {
        let links: Vec<u32> = self.links.keys().copied().collect();
        for on in links {
            let known = self.found.known(on, now).take(KNOWN_MAX);
            let known = known.map(|(label, until)| wire::known_pointer(label, until - now)).collect();
            let question = wire::question(wire::service(), Some(TYPE::PTR));
            let bytes = wire::query(vec![question], known, Vec::new());
            bytes.into_iter().for_each(|bytes| self.tell(on, bytes, now));
        }
    }

    /// Asks for what is missing of those who were found.
    fn follow_up(&mut self, on: u32, now: Instant) {
        let Some(link) = self.links.get_mut(&on) else { return };
        if link.follow_up_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        let names = self.found.take_unknown(on, QUESTIONS_MAX, now);
        link.follow_up_at = self.found.has_unknown(on, now).then_some(now + FOLLOW_UP_DELAY);
        let questions: Vec<_> = names.into_iter().map(|name| wire::question(name, None)).collect();
        if !questions.is_empty() {
            let bytes = wire::query(questions, Vec::new(), Vec::new());
            bytes.into_iter().for_each(|bytes| self.tell(on, bytes, now));
        }
    }

    /// Sends what the announcers want sent.
    fn collect(&mut self, now: Instant) {
        let sent: Vec<(u32, Sent)> = self
            .links
            .values_mut()
            .flat_map(|link| {
                let sent = link.announcer.iter_mut().flat_map(Announcer::take_sent);
                let index = link.index;
                sent.map(move |sent| (index, sent))
            })
            .collect();
        for (on, Sent { to, bytes }) in sent {
            match to {
                Some(to) => self.actions.push_back(Action::Send { on, to, bytes }),
                None => self.tell(on, bytes, now),
            }
        }
    }

    /// Tells everybody on a link.
    fn tell(&mut self, on: u32, bytes: Vec<u8>, now: Instant) {
        let Some(link) = self.links.get_mut(&on) else { return };
        let groups: Vec<SocketAddr> = link.groups().collect();
        link.note_echo(&bytes, groups.len(), now);
        let sends = groups.into_iter().map(|to| Action::Send { on, to, bytes: bytes.clone() });
        self.actions.extend(sends);
    }

    /// Hears nobody any more if nothing is wanted of them.
    fn leave_if_idle(&mut self, now: Instant) {
        if self.offer.is_some() || self.search.is_some() || !self.has_joined {
            return;
        }
        self.found.forget_old(now);
        if self.found.is_empty() {
            self.has_joined = false;
            self.links.clear();
            self.actions.push_back(Action::Leave);
        }
    }
}

/// Whether a datagram can matter: most of what is said on a link is about other services, and need not be parsed. Only a
/// search wants more, the addresses of hosts that have names of their own.
fn is_about_us(bytes: &[u8]) -> bool {
    let has = |word: &[u8]| memmem::find(bytes, word).is_some();
    has(b"chinwag") || has(b"_services")
}
