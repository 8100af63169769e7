//! Who was found on the links. All of it is what somebody claims: it is bounded, it ends when its time to live does,
//! and nothing is dialled because of it.

use super::wire;
use super::{Link, Neighbour};
use crate::limits::{FOUND_ADDRESSES_MAX, FOUND_MAX, FOUND_PER_SOURCE_MAX};
use simple_dns::rdata::RData;
use simple_dns::{Name, Packet, ResourceRecord};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

/// No claim is believed for longer, in seconds.
const TTL_MAX: u32 = 4500;

/// The most bytes of a key's fingerprint.
const KEY_BYTES_MAX: usize = 128;

/// The same is not asked for more often. Whoever tells of an instance that is nowhere could make us talk without end.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// So many bytes of names are asked for at once.
const NAMES_BYTES_MAX: usize = 1200;

/// Whoever need not tell again where they are must have told it for at least this time from now: half of the time to
/// live that the RFC gives it.
const FRESH_TIME: Duration = Duration::from_secs(60);

/// Addresses, each until a moment.
type Hosts = BTreeMap<(u32, Vec<u8>), Vec<(IpAddr, Instant)>>;

/// The instances of the service, and where their hosts are.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By link and lower-case label.
    instances: BTreeMap<(u32, String), Instance>,
    /// By link and [key](wire::key_of): the hosts that those instances name, and perhaps some that they named before.
    hosts: Hosts,
    /// Counts the instances.
    number: u64,
}

#[derive(Debug)]
struct Instance {
    number: u64,
    label: String,
    source: IpAddr,
    until: Instant,
    /// Half of its time to live: until then it need not be told again.
    known_until: Instant,
    place: Option<Place>,
    key: Option<String>,
    /// When its place was asked for, and when the addresses of its host were.
    asked_at: [Option<Instant>; 2],
}

#[derive(Debug)]
struct Place {
    port: u16,
    host: Name<'static>,
    host_key: Vec<u8>,
    until: Instant,
}

/// What must be known of an instance before it is of use.
#[derive(Clone, Copy)]
enum Lack {
    Place,
    Addresses,
}

impl Instance {
    fn may_ask_for(&self, lack: Lack, now: Instant) -> bool {
        self.asked_at[lack as usize].is_none_or(|at| now >= at + ASK_INTERVAL)
    }
}

impl Found {
    /// Takes in what somebody tells on a link.
    pub(super) fn on_response(&mut self, link: &Link, source: IpAddr, packet: &Packet, now: Instant) {
        self.forget_old(now);
        let told = || packet.answers.iter().chain(&packet.additional_records);
        // A record can only be understood after those that lead to it.
        for record in told() {
            self.on_pointer(link.index, source, record, now);
        }
        for record in told() {
            self.on_instance(link.index, record, now);
        }
        self.on_addresses(link, told(), now);
    }

    fn on_pointer(&mut self, index: u32, source: IpAddr, record: &ResourceRecord, now: Instant) {
        let RData::PTR(target) = &record.rdata else { return };
        let Some(label) = wire::label_of(&target.0).filter(|_| wire::is_service(&record.name)) else {
            return;
        };
        let key = (index, label.to_ascii_lowercase());
        if record.ttl == 0 {
            self.instances.remove(&key);
            return;
        }
        let until = ends(record, now);
        let known_until = now + (until - now) / 2;
        if let Some(instance) = self.instances.get_mut(&key) {
            (instance.until, instance.known_until) = (until, known_until);
            return;
        }
        let of_source = self.instances.values().filter(|instance| instance.source == source).count();
        if self.instances.len() < FOUND_MAX && of_source < FOUND_PER_SOURCE_MAX {
            self.number += 1;
            let (number, place, key_hint, asked_at) = (self.number, None, None, [None; 2]);
            let instance =
                Instance { number, label, source, until, known_until, place, key: key_hint, asked_at };
            self.instances.insert(key, instance);
        }
    }

    fn on_instance(&mut self, index: u32, record: &ResourceRecord, now: Instant) {
        let Some(label) = wire::label_of(&record.name) else { return };
        let Some(instance) = self.instances.get_mut(&(index, label.to_ascii_lowercase())) else { return };
        match &record.rdata {
            RData::SRV(_) if record.ttl == 0 => instance.place = None,
            RData::SRV(srv) => {
                let (host, host_key) = (srv.target.clone().into_owned(), wire::key_of(&srv.target));
                self.hosts.entry((index, host_key.clone())).or_default();
                instance.place = Some(Place { port: srv.port, host, host_key, until: ends(record, now) });
            }
            RData::TXT(txt) => {
                let value = txt.iter_raw().find(|(key, _)| key.eq_ignore_ascii_case(b"key"));
                let value = value.and_then(|(_, value)| value).filter(|value| value.len() <= KEY_BYTES_MAX);
                instance.key = value.map(|value| String::from_utf8_lossy(value).into_owned());
            }
            _ => {}
        }
    }

    fn on_addresses<'a>(
        &mut self,
        link: &Link,
        told: impl Iterator<Item = &'a ResourceRecord<'a>>,
        now: Instant,
    ) {
        let mut flushed: BTreeSet<(Vec<u8>, bool)> = BTreeSet::new();
        for record in told {
            let Some(ip) = wire::ip_of(record).filter(|ip| link.is_near(*ip)) else { continue };
            let host = (link.index, wire::key_of(&record.name));
            let Some(ips) = self.hosts.get_mut(&host) else { continue };
            // The others of its family in this datagram belong to it; older ones do not any more.
            if record.cache_flush && flushed.insert((host.1, ip.is_ipv4())) {
                ips.retain(|(other, _)| other.is_ipv4() != ip.is_ipv4());
            }
            ips.retain(|(other, until)| *other != ip && now < *until);
            if record.ttl > 0 && ips.len() < FOUND_ADDRESSES_MAX {
                ips.push((ip, ends(record, now)));
            }
        }
    }

    /// Whether somebody on a link must be asked for.
    pub(super) fn has_unknown(&self, index: u32, now: Instant) -> bool {
        let mut on_link = self.instances.iter().filter(|((on, _), _)| *on == index);
        on_link.any(|(_, instance)| {
            lack(&self.hosts, index, instance, now).is_some_and(|lack| instance.may_ask_for(lack, now))
        })
    }

    /// At most so many names on a link that are to be asked for now. They are not named again for a second.
    pub(super) fn take_unknown(&mut self, index: u32, count: usize, now: Instant) -> Vec<Name<'static>> {
        let Self { instances, hosts, .. } = self;
        let (mut names, mut bytes) = (Vec::new(), 0);
        for (_, instance) in instances.iter_mut().filter(|((on, _), _)| *on == index) {
            let lack = lack(hosts, index, instance, now);
            let Some(lack) = lack.filter(|lack| instance.may_ask_for(*lack, now)) else { continue };
            let name = match (&instance.place, lack) {
                (Some(place), Lack::Addresses) => place.host.clone(),
                _ => wire::instance(&instance.label),
            };
            bytes += wire::key_of(&name).len();
            if names.len() == count || bytes > NAMES_BYTES_MAX {
                break;
            }
            instance.asked_at[lack as usize] = Some(now);
            names.push(name);
        }
        names
    }

    /// The labels of the instances on a link that need not be told again, and until when they are known.
    pub(super) fn known(&self, index: u32, now: Instant) -> impl Iterator<Item = (&str, Instant)> {
        let on_link = self.instances.iter().filter(move |((on, _), _)| *on == index);
        let is_fresh = move |instance: &&Instance| {
            let fresh = now + FRESH_TIME;
            let has_place = instance.place.as_ref().is_some_and(|place| fresh < place.until);
            has_place && now < instance.known_until && lack(&self.hosts, index, instance, fresh).is_none()
        };
        on_link.map(|(_, i)| i).filter(is_fresh).map(|i| (i.label.as_str(), i.until))
    }

    /// Everybody who was found and is not known to be gone, in the order in which they were found. Whoever is on several
    /// links is there once.
    pub(super) fn neighbours(&self, now: Instant) -> Vec<Neighbour> {
        let mut places: BTreeMap<(&str, &[u8], u16), (u64, Neighbour)> = BTreeMap::new();
        for ((index, label), instance) in self.instances.iter().filter(|(_, i)| now < i.until) {
            let Some(place) = instance.place.as_ref().filter(|p| p.port > 0 && now < p.until) else {
                continue;
            };
            let ips = ips(&self.hosts, *index, place, now).map(|ip| on_link(ip, place.port, *index));
            let Some(address) = ips.min_by_key(rank) else { continue };
            let neighbour = Neighbour { name: instance.label.clone(), address, key: instance.key.clone() };
            let place = (label.as_str(), place.host_key.as_slice(), place.port);
            let entry = places.entry(place).or_insert((instance.number, neighbour.clone()));
            if rank(&address) < rank(&entry.1.address) {
                entry.1 = neighbour;
            }
        }
        let mut neighbours: Vec<(u64, Neighbour)> = places.into_values().collect();
        neighbours.sort_by_key(|(number, _)| *number);
        neighbours.into_iter().map(|(_, neighbour)| neighbour).collect()
    }

    /// When the first of what is known ends.
    pub(super) fn next_end(&self) -> Option<Instant> {
        let of_place = |instance: &Instance| instance.place.as_ref().map(|place| place.until);
        self.instances.values().map(|instance| of_place(instance).unwrap_or(instance.until)).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// Drops whoever did not tell for as long as they themselves said that it would hold.
    pub(super) fn forget_old(&mut self, now: Instant) {
        let before = self.instances.len();
        self.instances.retain(|_, instance| {
            instance.until > now && instance.place.as_ref().is_none_or(|place| place.until > now)
        });
        let Self { instances, hosts, .. } = self;
        // Most datagrams change nothing here, and there may be very many of them.
        if instances.len() == before && hosts.len() <= before {
            return;
        }
        let places = instances.iter().filter_map(|((on, _), instance)| Some((*on, instance.place.as_ref()?)));
        let named: BTreeSet<(u32, &[u8])> =
            places.map(|(on, place)| (on, place.host_key.as_slice())).collect();
        hosts.retain(|(on, key), _| named.contains(&(*on, key.as_slice())));
    }

    /// Nothing can be said any more of who is on this link.
    pub(super) fn forget_link(&mut self, index: u32) {
        self.instances.retain(|(on, _), _| *on != index);
        self.hosts.retain(|(on, _), _| *on != index);
    }
}

/// What is missing at the moment `at`.
fn lack(hosts: &Hosts, index: u32, instance: &Instance, at: Instant) -> Option<Lack> {
    match &instance.place {
        None => Some(Lack::Place),
        Some(place) => ips(hosts, index, place, at).next().is_none().then_some(Lack::Addresses),
    }
}

/// The addresses of a host that may be believed at the moment `at`.
fn ips(hosts: &Hosts, index: u32, place: &Place, at: Instant) -> impl Iterator<Item = IpAddr> {
    let ips = hosts.get(&(index, place.host_key.clone())).map(Vec::as_slice).unwrap_or_default();
    ips.iter().filter(move |(_, until)| at < *until).map(|(ip, _)| *ip)
}

fn ends(record: &ResourceRecord, now: Instant) -> Instant {
    now + Duration::from_secs(record.ttl.min(TTL_MAX).into())
}

/// The address with the number of its link, if it is valid on one link only.
fn on_link(ip: IpAddr, port: u16, index: u32) -> SocketAddr {
    match ip {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => SocketAddrV6::new(ip, port, 0, index).into(),
        ip => SocketAddr::new(ip, port),
    }
}

/// Which of several addresses is the best one: the smallest.
fn rank(address: &SocketAddr) -> u8 {
    match address {
        SocketAddr::V4(address) if address.ip().is_link_local() => 2,
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(address) if address.ip().is_unicast_link_local() => 3,
        SocketAddr::V6(_) => 1,
    }
}
