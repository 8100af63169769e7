//! What one node says of itself on one link: it claims its names, tells of itself twice, answers questions, and says
//! goodbye. RFC 6762 sections 6, 8, 9 and 10.1 are the law. At rest it has no deadline.
//!
//! Probes ask for answers by multicast, though the RFC prefers unicast: the port is shared with other programs of this
//! host, and the system gives a unicast datagram to any one of them.

use super::random::Random;
use super::wire::{self, Record, Records};
use super::{Offer, PORT, Sent};
use simple_dns::rdata::RData;
use simple_dns::{Name, Packet, PacketFlag, QCLASS, ResourceRecord, TYPE};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

const PROBES: u8 = 3;
const PROBE_INTERVAL: Duration = Duration::from_millis(250);
const ANNOUNCEMENTS: u8 = 2;
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(1);

/// How long a node waits that lost its name to another one that claimed it at the same moment.
const LOST_WAIT: Duration = Duration::from_secs(1);

/// So many conflicts in a row are settled at once, and each one after them only after the pause.
const CONFLICTS_MAX: u32 = 15;
const CONFLICT_PAUSE: Duration = Duration::from_secs(5);

/// In milliseconds: others may answer a question too, and more known answers may follow it.
const SHARED_DELAY: (u64, u64) = (20, 120);
const TRUNCATED_DELAY: (u64, u64) = (400, 500);

/// No record is told to everybody more often than this.
const TELL_INTERVAL: Duration = Duration::from_secs(1);

/// Whoever asks for an answer of their own gets it if everybody was told within this time, a quarter of the time to live.
const RECENT: Duration = Duration::from_secs(30);

/// How often single askers are answered at most.
const DIRECT_INTERVAL: Duration = Duration::from_millis(20);

/// How long an ordinary resolver may believe an answer, in seconds.
const RESOLVER_TTL: u32 = 10;

/// One node on one link.
#[derive(Debug)]
pub(super) struct Announcer {
    offer: Offer,
    ips: Vec<IpAddr>,
    /// Addresses that were told and are not there any more.
    gone: Vec<IpAddr>,
    records: Records,
    /// Counts the names that were taken.
    attempt: u32,
    conflicts: u32,
    stage: Stage,
    /// When the stage goes on.
    next_at: Option<Instant>,
    /// What is to be told to everybody, and when.
    owed: Option<(Topics, Instant)>,
    told_at: Option<Instant>,
    direct_at: Option<Instant>,
    random: Random,
    sent: Vec<Sent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// So many probes were sent.
    Probing(u8),
    /// The names are ours; so many announcements were sent.
    Announcing(u8),
    Settled,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Topics {
    enumeration: bool,
    pointer: bool,
    location: bool,
    addresses: bool,
}

impl Topics {
    fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn or(self, other: Self) -> Self {
        Self {
            enumeration: self.enumeration || other.enumeration,
            pointer: self.pointer || other.pointer,
            location: self.location || other.location,
            addresses: self.addresses || other.addresses,
        }
    }
}

impl Announcer {
    /// Begins to claim the names for `offer` on a link where this host has the addresses `ips`.
    pub(super) fn new(offer: Offer, ips: Vec<IpAddr>, mut random: Random, now: Instant) -> Self {
        let next_at = Some(now + random.millis(0, 250));
        Self {
            records: Records::new(&offer, &ips, 0),
            offer,
            ips,
            gone: Vec::new(),
            attempt: 0,
            conflicts: 0,
            stage: Stage::Probing(0),
            next_at,
            owed: None,
            told_at: None,
            direct_at: None,
            random,
            sent: Vec::new(),
        }
    }

    /// The addresses of this host on this link are these from here on. Its names stay: whoever knows them is told, and
    /// need not wait until they are claimed again.
    pub(super) fn set_ips(&mut self, ips: Vec<IpAddr>, now: Instant) {
        if ips == self.ips {
            return;
        }
        let before = std::mem::replace(&mut self.ips, ips);
        self.records.set_ips(&self.ips);
        if !matches!(self.stage, Stage::Probing(_)) {
            self.gone.extend(before);
            self.gone.retain(|ip| !self.ips.contains(ip));
            let earliest = self.told_at.map_or(now, |at| at + TELL_INTERVAL);
            self.enter(Stage::Announcing(0), Some(earliest.max(now)));
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.next_at.into_iter().chain(self.owed.map(|(_, at)| at)).min()
    }

    /// What is to be sent now.
    pub(super) fn take_sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// Tells everybody that this node is gone, if they know of it.
    pub(super) fn leave(&mut self) {
        if !matches!(self.stage, Stage::Probing(_)) {
            let mut records = self.announcement();
            records.iter_mut().for_each(|record| record.ttl = 0);
            self.tell(records, Vec::new());
        }
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        if self.next_at.is_some_and(|at| at <= now) {
            self.go_on(now);
        }
        if let Some((topics, _)) = self.owed.take_if(|(_, at)| *at <= now) {
            let (answers, additional) = self.answer(topics);
            self.told_at = Some(now);
            self.tell(answers, additional);
        }
    }

    fn go_on(&mut self, now: Instant) {
        match self.stage {
            Stage::Probing(sent) if sent < PROBES => {
                self.probe();
                self.enter(Stage::Probing(sent + 1), Some(now + PROBE_INTERVAL));
            }
            Stage::Probing(_) => self.announce(0, now),
            Stage::Announcing(sent) => self.announce(sent, now),
            Stage::Settled => self.next_at = None,
        }
    }

    fn enter(&mut self, stage: Stage, next_at: Option<Instant>) {
        (self.stage, self.next_at) = (stage, next_at);
    }

    fn probe(&mut self) {
        let names = [self.records.instance(), self.records.host()];
        let questions = names.map(|name| wire::question(name.clone(), None)).into();
        let bytes = wire::query(questions, Vec::new(), self.records.unique());
        self.sent.extend(bytes.map(|bytes| Sent { to: None, bytes }));
    }

    fn announce(&mut self, sent: u8, now: Instant) {
        let records = self.announcement();
        self.told_at = Some(now);
        self.tell(records, Vec::new());
        if sent + 1 < ANNOUNCEMENTS {
            return self.enter(Stage::Announcing(sent + 1), Some(now + ANNOUNCE_INTERVAL));
        }
        self.conflicts = 0;
        self.gone.clear();
        self.enter(Stage::Settled, None);
    }

    fn announcement(&self) -> Vec<Record> {
        let gone = self.records.withdrawn(&self.gone);
        std::iter::once(self.records.pointer()).chain(self.records.unique()).chain(gone).collect()
    }

    fn tell(&mut self, answers: Vec<Record>, additional: Vec<Record>) {
        let bytes = wire::reply(0, Vec::new(), answers, additional);
        self.sent.extend(bytes.map(|bytes| Sent { to: None, bytes }));
    }

    /// The records that answer, and those that the asker will want next.
    fn answer(&self, topics: Topics) -> (Vec<Record>, Vec<Record>) {
        let records = &self.records;
        let (mut answers, mut additional) = (Vec::new(), Vec::new());
        answers.extend(topics.enumeration.then(|| records.enumeration()));
        answers.extend(topics.pointer.then(|| records.pointer()));
        match (topics.location, topics.pointer) {
            (true, _) => answers.extend(records.location()),
            (false, true) => additional.extend(records.location()),
            (false, false) => {}
        }
        match (topics.addresses, topics.pointer || topics.location) {
            (true, _) => answers.extend(records.addresses()),
            (false, true) => additional.extend(records.addresses()),
            (false, false) => {}
        }
        (answers, additional)
    }

    /// Somebody on the link asks, or claims a name.
    pub(super) fn on_query(&mut self, packet: &Packet, from: SocketAddr, now: Instant) {
        if matches!(self.stage, Stage::Probing(_)) {
            return self.on_rival(packet, now);
        }
        let asked = self.asked(packet);
        if asked.is_empty() {
            return;
        }
        let is_told = self.told_at.is_some_and(|at| now < at + RECENT);
        let wants_unicast = packet.questions.iter().all(|question| question.unicast_response);
        if from.port() != PORT {
            self.answer_resolver(packet, asked, from, now);
        } else if wants_unicast && is_told && !is_claim(packet) {
            self.answer_one(0, Vec::new(), asked, from, now, |_| {});
        } else {
            self.owe(packet, asked, now);
        }
    }

    /// What of ours the questions are about, without what the asker knows.
    fn asked(&self, packet: &Packet) -> Topics {
        let records = &self.records;
        let (instance, host) = (records.instance(), records.host());
        let (services, service) = (wire::services(), wire::service());
        let mut topics = Topics::default();
        for question in &packet.questions {
            let asks = |name, kind| wire::asks_for(question, name, kind);
            topics = topics.or(Topics {
                enumeration: asks(&services, TYPE::PTR),
                pointer: asks(&service, TYPE::PTR),
                location: asks(instance, TYPE::SRV) || asks(instance, TYPE::TXT),
                addresses: asks(host, TYPE::A) || asks(host, TYPE::AAAA),
            });
        }
        topics.enumeration &= !knows(packet, &records.enumeration());
        topics.pointer &= !knows(packet, &records.pointer());
        topics.location &= !records.location().iter().all(|record| knows(packet, record));
        topics
    }

    fn owe(&mut self, packet: &Packet, asked: Topics, now: Instant) {
        let delay = if packet.has_flags(PacketFlag::TRUNCATION) {
            self.random.millis(TRUNCATED_DELAY.0, TRUNCATED_DELAY.1)
        } else if asked.pointer || asked.enumeration {
            self.random.millis(SHARED_DELAY.0, SHARED_DELAY.1)
        } else {
            Duration::ZERO
        };
        // Who claims our name must learn in time that it is taken.
        let interval = if is_claim(packet) { PROBE_INTERVAL } else { TELL_INTERVAL };
        let earliest = self.told_at.map(|at| at + interval);
        let at = earliest.into_iter().chain([now + delay]).max().unwrap_or(now);
        self.owed = Some(match self.owed {
            Some((topics, before)) => (topics.or(asked), before.min(at)),
            None => (asked, at),
        });
        self.on_timeout(now);
    }

    /// An ordinary resolver wants an answer as other name servers give it.
    fn answer_resolver(&mut self, packet: &Packet, asked: Topics, from: SocketAddr, now: Instant) {
        let questions = packet.questions.iter().take(4).map(|question| question.clone().into_owned());
        self.answer_one(packet.id(), questions.collect(), asked, from, now, |record| {
            record.ttl = record.ttl.min(RESOLVER_TTL);
            record.cache_flush = false;
        });
    }

    fn answer_one(
        &mut self,
        id: u16,
        questions: Vec<simple_dns::Question<'static>>,
        topics: Topics,
        to: SocketAddr,
        now: Instant,
        change: impl Fn(&mut Record),
    ) {
        if self.direct_at.is_some_and(|at| now < at + DIRECT_INTERVAL) {
            return;
        }
        self.direct_at = Some(now);
        let (mut answers, mut additional) = self.answer(topics);
        answers.iter_mut().chain(&mut additional).for_each(change);
        let bytes = wire::reply(id, questions, answers, additional);
        self.sent.extend(bytes.map(|bytes| Sent { to: Some(to), bytes }));
    }

    /// Somebody else claims the names at the same moment: who has the greater data gets them.
    fn on_rival(&mut self, packet: &Packet, now: Instant) {
        let names = [self.records.instance(), self.records.host()];
        if names.into_iter().any(|name| self.has_lost(name, packet)) {
            self.enter(Stage::Probing(0), Some(now + LOST_WAIT));
        }
    }

    fn has_lost(&self, name: &Name, packet: &Packet) -> bool {
        let claim = |records: &[ResourceRecord]| -> Vec<(u16, u16, Vec<u8>)> {
            let of_name = records.iter().filter(|record| record.name == *name);
            let mut data: Vec<_> = of_name.map(comparable).collect();
            data.sort();
            data
        };
        let theirs = claim(&packet.name_servers);
        !theirs.is_empty() && theirs > claim(&self.records.unique())
    }

    /// Somebody on the link tells something: it may have a name of ours.
    pub(super) fn on_response(&mut self, packet: &Packet, now: Instant) {
        let told = packet.answers.iter().chain(&packet.additional_records);
        if told.filter(|record| record.ttl > 0).any(|record| self.is_conflict(record)) {
            self.on_conflict(now);
        }
    }

    fn is_conflict(&self, record: &ResourceRecord) -> bool {
        match &record.rdata {
            RData::SRV(_) | RData::TXT(_) if record.name == *self.records.instance() => {
                !self.records.location().iter().any(|own| own == record)
            }
            RData::A(_) | RData::AAAA(_) if record.name == *self.records.host() => {
                wire::ip_of(record).is_some_and(|ip| !self.ips.contains(&ip))
            }
            _ => false,
        }
    }

    fn on_conflict(&mut self, now: Instant) {
        match self.stage {
            // A flood of conflicts must not use up all names: each gets its probe.
            Stage::Probing(0) => return,
            Stage::Probing(_) => {
                self.attempt = self.attempt.saturating_add(1);
                self.records = Records::new(&self.offer, &self.ips, self.attempt);
                log::info!("the name '{}' is taken on this link", self.offer.name);
            }
            Stage::Announcing(_) | Stage::Settled => {}
        }
        self.conflicts = self.conflicts.saturating_add(1);
        let pause = if self.conflicts > CONFLICTS_MAX { CONFLICT_PAUSE } else { Duration::ZERO };
        self.owed = None;
        self.enter(Stage::Probing(0), Some(now + pause));
    }
}

/// Whether the questions are a probe.
fn is_claim(packet: &Packet) -> bool {
    !packet.name_servers.is_empty()
}

/// Whether the asker has this record already, and will have it for at least half of its time.
fn knows(packet: &Packet, record: &Record) -> bool {
    packet.answers.iter().any(|known| known == record && known.ttl >= record.ttl / 2)
}

fn comparable(record: &ResourceRecord) -> (u16, u16, Vec<u8>) {
    let class = QCLASS::CLASS(record.class).into();
    (class, record.rdata.type_code().into(), wire::data_of(record))
}
