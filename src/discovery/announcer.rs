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
    /// When everybody was told of each of the topics.
    told_at: [Option<Instant>; 4],
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

/// What an announcement tells.
const ANNOUNCED: Topics = Topics { enumeration: false, pointer: true, location: true, addresses: true };

impl Topics {
    fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn all(self) -> [bool; 4] {
        [self.enumeration, self.pointer, self.location, self.addresses]
    }

    fn of([enumeration, pointer, location, addresses]: [bool; 4]) -> Self {
        Self { enumeration, pointer, location, addresses }
    }

    fn or(self, other: Self) -> Self {
        let (one, other) = (self.all(), other.all());
        Self::of(std::array::from_fn(|at| one[at] || other[at]))
    }

    fn without(self, other: Self) -> Self {
        let (one, other) = (self.all(), other.all());
        Self::of(std::array::from_fn(|at| one[at] && !other[at]))
    }

    /// What whoever asks for these will want next.
    fn next(self) -> Self {
        let location = self.pointer;
        Self { location, addresses: location || self.location, ..Self::default() }.without(self)
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
            told_at: [None; 4],
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
            let earliest = self.earliest(ANNOUNCED, TELL_INTERVAL).unwrap_or(now);
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
            let next = topics.next().without(self.told_since(TELL_INTERVAL, now));
            let (answers, additional) = self.answer(topics, next);
            self.note_told(topics.or(next), now);
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
        self.note_told(ANNOUNCED, now);
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

    fn note_told(&mut self, topics: Topics, now: Instant) {
        let told_at = self.told_at.iter_mut().zip(topics.all());
        told_at.filter(|(_, is_told)| *is_told).for_each(|(at, _)| *at = Some(now));
    }

    /// When `interval` is over since any of these was told.
    fn earliest(&self, topics: Topics, interval: Duration) -> Option<Instant> {
        let told_at = self.told_at.into_iter().zip(topics.all());
        told_at.filter_map(|(at, is_meant)| at.filter(|_| is_meant)).max().map(|at| at + interval)
    }

    /// What everybody was told within this time.
    fn told_since(&self, time: Duration, now: Instant) -> Topics {
        Topics::of(self.told_at.map(|at| at.is_some_and(|at| now < at + time)))
    }

    /// The records of these topics as answers, and those of `next` beside them. With the records of a name it is told that
    /// there are no others: whoever asked for another kind would wait for it.
    fn answer(&self, topics: Topics, next: Topics) -> (Vec<Record>, Vec<Record>) {
        let records = &self.records;
        let of = |topics: Topics| {
            let mut all = Vec::new();
            all.extend(topics.enumeration.then(|| records.enumeration()));
            all.extend(topics.pointer.then(|| records.pointer()));
            all.extend(topics.location.then(|| records.location()).into_iter().flatten());
            all.extend(topics.addresses.then(|| records.addresses()).into_iter().flatten());
            all
        };
        let (answers, mut additional) = (of(topics), of(next));
        let both = topics.or(next);
        additional.extend(both.location.then(|| records.no_more_location()));
        additional.extend(both.addresses.then(|| records.no_more_addresses()));
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
        let is_told = asked.without(self.told_since(RECENT, now)).is_empty();
        let wants_unicast = packet.questions.iter().all(|question| question.unicast_response);
        let may_be_unicast = wants_unicast && is_told && !is_claim(packet);
        if from.port() != PORT {
            self.answer_resolver(packet, asked, from, now);
        } else if may_be_unicast && self.may_answer_one(now) {
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
                location: wire::asks_about(question, instance),
                addresses: wire::asks_about(question, host),
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
        let earliest = self.earliest(asked, interval).unwrap_or(now);
        let at = earliest.max(now + delay);
        self.owed = Some(match self.owed {
            Some((topics, before)) => (topics.or(asked), before.min(at).max(earliest)),
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

    fn may_answer_one(&self, now: Instant) -> bool {
        self.direct_at.is_none_or(|at| now >= at + DIRECT_INTERVAL)
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
        if !self.may_answer_one(now) {
            return;
        }
        self.direct_at = Some(now);
        let (mut answers, mut additional) = self.answer(topics, topics.next());
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
