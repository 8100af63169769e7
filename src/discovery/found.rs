//! Who was found on the links. All of it is what somebody claims: it is bounded, it ends when its time to live does,
//! and nothing is dialled because of it.

use super::wire;
use super::{Link, Neighbour};
use crate::limits::{FOUND_ADDRESSES_MAX, FOUND_MAX, FOUND_PER_SOURCE_MAX};
use simple_dns::rdata::RData;
use simple_dns::{Name, Packet, ResourceRecord};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

/// No claim is believed for longer, in seconds.
const TTL_MAX: u32 = 4500;

/// The most bytes of a key's fingerprint.
const KEY_BYTES_MAX: usize = 128;

/// The instances of the service, and where their hosts are.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By link and lower-case label.
    instances: BTreeMap<(u32, String), Instance>,
    /// By link and lower-case name: the hosts of those instances.
    hosts: BTreeMap<(u32, String), Vec<(IpAddr, Instant)>>,
    /// Counts the instances.
    number: u64,
}

#[derive(Debug)]
struct Instance {
    number: u64,
    label: String,
    source: IpAddr,
    until: Instant,
    /// Its port and host, and how long that may be believed.
    place: Option<(u16, Name<'static>, Instant)>,
    key: Option<String>,
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
        let Some(label) = wire::label_of(&target.0).filter(|_| record.name == wire::service()) else {
            return;
        };
        let key = (index, label.to_lowercase());
        if record.ttl == 0 {
            self.instances.remove(&key);
            return;
        }
        let until = ends(record, now);
        if let Some(instance) = self.instances.get_mut(&key) {
            instance.until = until;
            return;
        }
        let of_source = self.instances.values().filter(|instance| instance.source == source).count();
        if self.instances.len() < FOUND_MAX && of_source < FOUND_PER_SOURCE_MAX {
            self.number += 1;
            let (number, place, key_hint) = (self.number, None, None);
            let instance = Instance { number, label, source, until, place, key: key_hint };
            self.instances.insert(key, instance);
        }
    }

    fn on_instance(&mut self, index: u32, record: &ResourceRecord, now: Instant) {
        let Some(label) = wire::label_of(&record.name) else { return };
        let Some(instance) = self.instances.get_mut(&(index, label.to_lowercase())) else { return };
        match &record.rdata {
            RData::SRV(_) if record.ttl == 0 => instance.place = None,
            RData::SRV(srv) => {
                instance.place = Some((srv.port, srv.target.clone().into_owned(), ends(record, now)));
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
        let mut flushed: Vec<(String, bool)> = Vec::new();
        for record in told {
            let Some(ip) = wire::ip_of(record).filter(|ip| link.is_near(*ip)) else { continue };
            let Some(host) = self.host_key(link.index, &record.name) else { continue };
            let ips = self.hosts.entry((link.index, host.clone())).or_default();
            let family = (host, ip.is_ipv4());
            // The others of its family in this datagram belong to it; older ones do not any more.
            if record.cache_flush && !flushed.contains(&family) {
                ips.retain(|(other, _)| other.is_ipv4() != ip.is_ipv4());
                flushed.push(family);
            }
            ips.retain(|(other, _)| *other != ip);
            if record.ttl > 0 && ips.len() < FOUND_ADDRESSES_MAX {
                ips.push((ip, ends(record, now)));
            }
        }
    }

    /// The key of a host that some instance names.
    fn host_key(&self, index: u32, name: &Name) -> Option<String> {
        let on_link = self.instances.iter().filter(|((on, _), _)| *on == index);
        let mut places = on_link.filter_map(|(_, instance)| instance.place.as_ref());
        places.any(|(_, host, _)| host == name).then(|| name.to_string().to_lowercase())
    }

    /// The names on a link that somebody must be asked for before their instances are of use.
    pub(super) fn unknown(&self, index: u32) -> Vec<Name<'static>> {
        let on_link = self.instances.iter().filter(|((on, _), _)| *on == index);
        on_link.filter_map(|(_, instance)| self.unknown_of(index, instance)).collect()
    }

    fn unknown_of(&self, index: u32, instance: &Instance) -> Option<Name<'static>> {
        match &instance.place {
            None => Some(wire::instance(&instance.label)),
            Some((_, host, _)) if self.ips(index, host).is_empty() => Some(host.clone()),
            Some(_) => None,
        }
    }

    /// The labels of the instances on a link that need not be told again.
    pub(super) fn known(&self, index: u32) -> impl Iterator<Item = (&str, Instant)> {
        let on_link = self.instances.iter().filter(move |((on, _), _)| *on == index);
        let is_whole = move |instance: &&Instance| self.unknown_of(index, instance).is_none();
        on_link.map(|(_, i)| i).filter(is_whole).map(|i| (i.label.as_str(), i.until))
    }

    fn ips(&self, index: u32, host: &Name) -> &[(IpAddr, Instant)] {
        self.hosts.get(&(index, host.to_string().to_lowercase())).map(Vec::as_slice).unwrap_or_default()
    }

    /// Everybody who was found and is not known to be gone, in the order in which they were found. Whoever is on several
    /// links is there once.
    pub(super) fn neighbours(&self, now: Instant) -> Vec<Neighbour> {
        let mut places: BTreeMap<(&str, String, u16), (u64, Neighbour)> = BTreeMap::new();
        for ((index, label), instance) in self.instances.iter().filter(|(_, i)| now < i.until) {
            let Some((port, host, _)) = instance.place.as_ref().filter(|p| p.0 > 0 && now < p.2) else {
                continue;
            };
            let ips = self.ips(*index, host).iter().filter(|(_, until)| now < *until).map(|(ip, _)| *ip);
            let Some(address) = ips.map(|ip| on_link(ip, *port, *index)).min_by_key(rank) else { continue };
            let neighbour = Neighbour { name: instance.label.clone(), address, key: instance.key.clone() };
            let place = (label.as_str(), host.to_string().to_lowercase(), *port);
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
        let of_place = |instance: &Instance| instance.place.as_ref().map(|(_, _, until)| *until);
        self.instances.values().map(|instance| of_place(instance).unwrap_or(instance.until)).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// Drops whoever did not tell for as long as they themselves said that it would hold.
    pub(super) fn forget_old(&mut self, now: Instant) {
        let is_there = |instance: &Instance| {
            instance.until > now && instance.place.as_ref().is_none_or(|(_, _, until)| *until > now)
        };
        self.instances.retain(|_, instance| is_there(instance));
        let Self { instances, hosts, .. } = self;
        let is_named = |index: u32, name: &str| {
            let on_link = instances.iter().filter(|((on, _), _)| *on == index);
            let mut places = on_link.filter_map(|(_, instance)| instance.place.as_ref());
            places.any(|(_, host, _)| host.to_string().eq_ignore_ascii_case(name))
        };
        hosts.retain(|(index, name), _| is_named(*index, name));
    }

    /// Nothing can be said any more of who is on this link.
    pub(super) fn forget_link(&mut self, index: u32) {
        self.instances.retain(|(on, _), _| *on != index);
        self.hosts.retain(|(on, _), _| *on != index);
    }
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
