//! Several hosts on one link that loses what the test wants lost.

mod hostile;
mod rules;

use super::*;
use crate::limits::FOUND_PER_SOURCE_MAX;
use crate::testing::start;
use simple_dns::rdata::{A, PTR, RData, SRV, TXT};
use simple_dns::{CLASS, Name, Question, ResourceRecord};

const LINK: u32 = 2;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn host_ip(host: u8) -> IpAddr {
    Ipv4Addr::new(10, 77, 0, host).into()
}

fn interface(ip: IpAddr) -> Interface {
    Interface { prefix: 24, index: LINK, ..Interface::alone(ip) }
}

fn offer(name: &str) -> Offer {
    Offer { name: name.to_owned(), bound: Ipv6Addr::UNSPECIFIED.into(), port: 8080, key: None }
}

/// A datagram that passed no router.
fn came(on: u32, from: SocketAddr, bytes: &[u8]) -> Datagram<'_> {
    Datagram { on, from, hop_limit: Some(255), bytes }
}

/// Hosts with the addresses 10.77.0.1 and so on. A datagram arrives at once, at its own host too.
struct Network {
    hosts: Vec<Discovery>,
    now: Instant,
    random: Random,
    /// So many of a hundred datagrams are lost, at each host on its own.
    loss: u64,
    /// What was said: when, by whom, and the datagram.
    said: Vec<(Instant, usize, Vec<u8>)>,
}

impl Network {
    fn new(hosts: u8) -> Self {
        let hosts = (1..=hosts).map(|host| Discovery::new(host.into())).collect();
        Self { hosts, now: start(), random: Random::new(7), loss: 0, said: Vec::new() }
    }

    /// One host, which has begun to look for others.
    fn searching() -> Self {
        let mut network = Self::new(1);
        network.hosts[0].search(network.now);
        network.settle();
        network
    }

    fn announcing(names: &[&str]) -> Self {
        let mut network = Self::new(names.len() as u8);
        for (at, name) in names.iter().enumerate() {
            network.hosts[at].announce(offer(name), network.now);
        }
        network.go_on(ms(8000));
        network
    }

    /// Carries out what the hosts want, until nobody wants anything at this moment.
    fn settle(&mut self) {
        while let Some((at, action)) =
            self.hosts.iter_mut().enumerate().find_map(|(at, host)| Some((at, host.poll_action()?)))
        {
            match action {
                Action::Join => self.hosts[at].on_joined(vec![interface(host_ip(at as u8 + 1))], self.now),
                Action::Leave => {}
                Action::Send { to, bytes, .. } => self.carry(at, to, bytes),
            }
        }
    }

    fn carry(&mut self, from: usize, to: SocketAddr, bytes: Vec<u8>) {
        assert!(bytes.len() <= DATAGRAM_BYTES_MAX);
        let sender = SocketAddr::new(host_ip(from as u8 + 1), PORT);
        for (at, host) in self.hosts.iter_mut().enumerate() {
            let is_meant = to.ip().is_multicast() || to.ip() == host_ip(at as u8 + 1);
            let is_lost = at != from && self.random.millis(0, 100) < ms(self.loss);
            if is_meant && !is_lost {
                host.on_datagram(came(LINK, sender, &bytes), self.now);
            }
        }
        self.said.push((self.now, from, bytes));
    }

    fn go_on(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.settle();
            let next = self.hosts.iter().filter_map(Discovery::next_deadline).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            let now = self.now;
            self.hosts.iter_mut().filter(|host| host.next_deadline().is_some_and(|at| at <= now)).for_each(
                |host| {
                    host.on_timeout(now);
                    assert!(host.next_deadline().is_none_or(|at| at > now), "a deadline that stays");
                },
            );
        }
        self.now = until;
    }

    fn found(&self, at: usize) -> Vec<String> {
        let found = self.hosts[at].neighbours(self.now);
        let mut found: Vec<String> =
            found.iter().map(|found| format!("{} {}", found.name, found.address)).collect();
        found.sort();
        found
    }

    /// Says something that no host of these said.
    fn inject(&mut self, from: &str, hop_limit: u8, bytes: &[u8]) {
        for host in &mut self.hosts {
            let heard = came(LINK, from.parse().unwrap(), bytes);
            host.on_datagram(Datagram { hop_limit: Some(hop_limit), ..heard }, self.now);
        }
        self.settle();
    }
}

#[test]
fn who_announces_is_found_within_a_second_by_whoever_asks_and_says_nothing_meanwhile() {
    let mut network = Network::announcing(&["Anna.M", "chloé"]);
    network.hosts.push(Discovery::new(9));
    network.said.clear();
    network.go_on(Duration::from_secs(300));
    assert_eq!(network.said.len(), 0, "at rest");
    assert!(network.hosts.iter().all(|host| host.next_deadline().is_none()));
    network.hosts[2].search(network.now);
    network.go_on(ms(1000));
    assert_eq!(network.found(2), ["Anna.M 10.77.0.1:8080", "chloé 10.77.0.2:8080"]);
    assert!(network.hosts[2].is_searching());
    network.go_on(ms(4500));
    assert!(!network.hosts[2].is_searching());
    network.go_on(Duration::from_secs(200));
    assert_eq!(network.found(2), [""; 0], "their time is over");
    assert!(!network.hosts[2].has_joined);
}

#[test]
fn whoever_has_a_key_announces_its_fingerprint() {
    let mut network = Network::new(2);
    let key = Some("UIV27NJD2B7L25QXN5F6HNHJQA".to_owned());
    network.hosts[0].announce(Offer { key: key.clone(), ..offer("anna") }, network.now);
    network.go_on(ms(8000));
    network.hosts[1].search(network.now);
    network.go_on(ms(1000));
    let found = network.hosts[1].neighbours(network.now);
    assert_eq!(found.iter().map(|neighbour| neighbour.key.clone()).collect::<Vec<_>>(), [key]);
}

#[test]
fn a_fifth_of_all_datagrams_may_be_lost() {
    let mut misses = 0;
    for seed in 0..200 {
        let mut network = Network::announcing(&["anna"]);
        network.hosts.push(Discovery::new(seed));
        (network.random, network.loss) = (Random::new(seed), 20);
        network.hosts[1].search(network.now);
        network.go_on(ms(5000));
        misses += usize::from(network.found(1) != ["anna 10.77.0.1:8080"]);
    }
    // Three questions, of which each or its answer is lost with a probability of 0.36: 0.047.
    assert!(misses <= 20, "{misses}");
}

#[test]
fn names_that_are_taken_get_a_number_and_nothing_else_changes() {
    let mut network = Network::announcing(&["anna", "anna", "anna"]);
    network.hosts.push(Discovery::new(9));
    network.hosts[3].search(network.now);
    network.go_on(ms(1000));
    let found = network.found(3);
    let mut labels: Vec<&str> = found.iter().filter_map(|name| name.split(" 10.").next()).collect();
    labels.sort();
    assert_eq!(labels, ["anna", "anna (2)", "anna (3)"]);
}

#[test]
fn who_leaves_is_gone_at_once() {
    let mut network = Network::announcing(&["anna", "bob"]);
    assert_eq!(network.found(1), ["anna 10.77.0.1:8080"]);
    network.hosts[0].leave(network.now);
    network.settle();
    assert_eq!(network.found(1), [""; 0]);
}

#[test]
fn an_address_that_changes_is_told_and_the_names_stay_ours_meanwhile() {
    let mut network = Network::announcing(&["anna", "bob"]);
    let other = "10.77.0.9".parse().unwrap();
    let link_local = "fe80::1".parse().unwrap();
    network.hosts[0].on_joined(vec![interface(other), interface(link_local)], network.now);
    network.go_on(ms(10));
    assert_eq!(network.found(1), ["anna 10.77.0.9:8080"], "at once");
    network.hosts[0].on_joined(vec![interface(link_local)], network.now);
    network.go_on(ms(1010));
    assert_eq!(network.found(1), ["anna [fe80::1%2]:8080"], "at most once a second");
    network.hosts[0].on_joined(vec![interface(host_ip(1)), interface(link_local)], network.now);
    network.hosts[0].leave(network.now);
    network.settle();
    assert_eq!(network.found(1), [""; 0], "who leaves just then says goodbye");
}

#[test]
fn two_links_that_are_the_same_network_do_not_dispute_a_name() {
    let mut host = Discovery::new(1);
    let mut now = start();
    let links = [2, 3].map(|index| Interface { index, ..interface(host_ip(index as u8)) });
    host.announce(offer("anna"), now);
    host.on_joined(links.to_vec(), now);
    let mut told = Vec::new();
    while let Some(at) = host.next_deadline() {
        now = at;
        host.on_timeout(now);
        while let Some(action) = host.poll_action() {
            let Action::Send { on, bytes, .. } = action else { continue };
            let from = SocketAddr::new(host_ip(on as u8), PORT);
            for link in [2, 3] {
                host.on_datagram(came(link, from, &bytes), now);
            }
            told.push(bytes);
        }
    }
    assert_eq!(told.len(), 2 * (3 + 2));
    assert!(told.iter().all(|bytes| memmem::find(bytes, b"anna (2)").is_none()));
}

#[test]
fn an_interface_that_comes_later_is_announced_on_and_asked() {
    let mut network = Network::new(2);
    network.hosts[0].announce(offer("anna"), network.now);
    network.hosts[1].search(network.now);
    for host in &mut network.hosts {
        assert_eq!(host.poll_action(), Some(Action::Join));
        host.on_joined(Vec::new(), network.now);
    }
    network.go_on(ms(500));
    assert_eq!(network.said.len(), 0);
    for (at, host) in network.hosts.iter_mut().enumerate() {
        host.on_joined(vec![interface(host_ip(at as u8 + 1))], network.now);
    }
    network.go_on(ms(1200));
    assert_eq!(network.found(1), ["anna 10.77.0.1:8080"]);
    network.hosts[1].on_joined(Vec::new(), network.now);
    assert_eq!(network.found(1), [""; 0], "nothing can be said of a link that is down");
}

#[test]
fn everybody_is_told_at_most_once_a_second_however_many_ask() {
    let mut network = Network::announcing(&["anna"]);
    network.said.clear();
    let question = wire::query(vec![wire::question(wire::service(), None)], Vec::new(), Vec::new()).unwrap();
    for n in 0..1000_u32 {
        network.go_on(ms(5));
        network.inject(&format!("10.77.0.{}:5353", 100 + n % 50), 255, &question);
    }
    assert!((4..=6).contains(&network.said.len()), "{}", network.said.len());
}

#[test]
fn an_ordinary_resolver_gets_an_answer_of_its_own() {
    let mut network = Network::announcing(&["anna"]);
    network.said.clear();
    let mut packet = Packet::new_query(77);
    packet.questions.push(wire::question(wire::service(), Some(TYPE::PTR)));
    let host = &mut network.hosts[0];
    let from = "10.77.0.9:40000".parse().unwrap();
    let bytes = packet.build_bytes_vec().unwrap();
    host.on_datagram(Datagram { hop_limit: Some(1), ..came(LINK, from, &bytes) }, network.now);
    let Some(Action::Send { to, bytes, .. }) = host.poll_action() else { panic!("no answer") };
    let answer = Packet::parse(&bytes).unwrap();
    assert_eq!((to, answer.id(), answer.questions.len()), (from, 77, 1));
    assert!(answer.answers.iter().all(|record| record.ttl <= 10 && !record.cache_flush));
}

#[test]
fn what_the_asker_knows_is_not_told_again() {
    let mut network = Network::announcing(&["anna"]);
    network.said.clear();
    for (left, answers) in [(Duration::from_secs(4000), 0), (Duration::from_secs(60), 1)] {
        let known = vec![wire::known_pointer("ANNA", left)];
        let question = vec![wire::question(wire::service(), Some(TYPE::PTR))];
        network.inject("10.77.0.9:5353", 255, &wire::query(question, known, Vec::new()).unwrap());
        network.go_on(ms(1500));
        assert_eq!(network.said.len(), answers);
    }
}

/// A datagram that tells these.
fn told(answers: Vec<ResourceRecord<'static>>) -> Vec<u8> {
    let mut packet = Packet::new_reply(0);
    packet.answers = answers;
    packet.build_bytes_vec_compressed().unwrap()
}

/// What a stranger could tell of an instance.
fn tale(label: &[u8], port: u16, ip: [u8; 4], ttl: u32) -> Vec<u8> {
    let labels: Vec<_> = [label, b"_chinwag", b"_tcp", b"local"]
        .map(|label| simple_dns::Label::new_unchecked(label.to_vec()))
        .into();
    let instance = Name::new_with_labels(&labels);
    let host = Name::new_unchecked("mallory.local");
    let record = |name: &Name<'static>, data| ResourceRecord::new(name.clone(), CLASS::IN, ttl, data);
    told(vec![
        record(&wire::service(), RData::PTR(PTR(instance.clone().into_owned()))),
        record(
            &instance.clone().into_owned(),
            RData::SRV(SRV { priority: 0, weight: 0, port, target: host.clone() }),
        ),
        record(&instance.into_owned(), RData::TXT(TXT::new().with_string("key=\x1b[2J").unwrap())),
        record(&host, RData::A(A { address: u32::from_be_bytes(ip) })),
    ])
}

#[test]
fn what_cannot_be_true_of_the_link_is_not_believed() {
    let good = [10, 77, 0, 66];
    for (from, hop_limit, port, ip, is_found) in [
        ("10.77.0.66:5353", 255, 8080, good, true),
        ("10.77.0.66:5353", 254, 8080, good, false),
        ("10.78.0.66:5353", 255, 8080, good, false),
        ("10.77.0.66:5354", 255, 8080, good, false),
        ("10.77.0.66:5353", 255, 0, good, false),
        ("10.77.0.66:5353", 255, 8080, [192, 0, 2, 1], false),
        ("10.77.0.66:5353", 255, 8080, [127, 0, 0, 1], false),
        ("10.77.0.66:5353", 255, 8080, [0, 0, 0, 0], false),
        ("10.77.0.66:5353", 255, 8080, [224, 0, 0, 1], false),
    ] {
        let mut network = Network::announcing(&["anna"]);
        network.hosts[0].search(network.now);
        network.inject(from, hop_limit, &tale(b"mallory", port, ip, 120));
        assert_eq!(network.found(0).len(), usize::from(is_found), "{from} {hop_limit} {port} {ip:?}");
    }
}

#[test]
fn one_source_cannot_fill_the_list_and_nobody_can_fill_memory() {
    let mut network = Network::announcing(&["anna"]);
    for n in 0..1000 {
        network.inject("10.77.0.66:5353", 255, &tale(format!("m{n}").as_bytes(), 8080, [10, 77, 0, 66], 120));
    }
    assert_eq!(network.found(0).len(), FOUND_PER_SOURCE_MAX);
    for n in 0..1000 {
        let from = format!("10.77.0.{}:5353", 100 + n % 100);
        network.inject(&from, 255, &tale(format!("o{n}").as_bytes(), 8080, [10, 77, 0, 66], u32::MAX));
    }
    assert_eq!(network.found(0).len(), crate::limits::FOUND_MAX);
    network.go_on(Duration::from_secs(4600));
    network.inject("10.77.0.66:5353", 255, &tale(b"last", 8080, [10, 77, 0, 66], 120));
    assert_eq!(network.found(0), ["last 10.77.0.66:8080"], "no claim holds for ever");
}

#[test]
fn a_stranger_who_denies_our_names_cannot_make_us_talk_much() {
    let mut network = Network::announcing(&["anna"]);
    network.said.clear();
    let began = network.now;
    while network.now < began + Duration::from_secs(60) {
        network.go_on(ms(10));
        for label in [b"anna".as_slice(), b"anna (2)", b"anna (3)", b"anna (4)"] {
            network.inject("10.77.0.66:5353", 255, &tale(label, 1, [10, 77, 0, 66], 120));
        }
    }
    assert!(network.said.len() < 120, "{}", network.said.len());
}

#[test]
fn no_datagram_can_do_harm_whatever_is_in_it() {
    let mut network = Network::announcing(&["anna"]);
    let mut random = Random::new(3);
    let mut byte = |most: u64| random.millis(0, most).as_millis() as u8;
    let real = tale(b"anna", 8080, [10, 77, 0, 66], 120);
    for n in 0..20_000 {
        let mut bytes = real.clone();
        for _ in 0..n % 8 {
            let at = usize::from(byte(255)) % bytes.len();
            bytes[at] = if n % 2 == 0 { byte(256) } else { 0xC0 };
        }
        bytes.truncate(real.len() - if n % 3 == 0 { usize::from(byte(60)) } else { 0 });
        let from = "10.77.0.66:5353".parse().unwrap();
        network.hosts[0].on_datagram(came(LINK, from, &bytes), network.now);
        while network.hosts[0].poll_action().is_some() {}
    }
    let loops = [[0xC0, 12, 0, 12, 0, 1], [0xC0, 14, 0xC0, 12, 0, 1]];
    for pointers in loops {
        let mut bytes = vec![0, 0, 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend(pointers);
        bytes.extend(b"chinwag");
        network.inject("10.77.0.66:5353", 255, &bytes);
    }
    network.inject("10.77.0.66:5353", 255, &[0; 9000]);
    network.inject("10.77.0.66:5353", 255, b"");
}

#[test]
fn who_comes_first_keeps_a_name_and_equals_are_told_apart_by_their_data() {
    let mut network = Network::new(2);
    network.hosts[0].announce(offer("anna"), network.now);
    network.go_on(ms(3000));
    network.hosts[1].announce(offer("Anna"), network.now);
    network.go_on(ms(5000));
    assert_eq!(network.found(0), ["Anna (2) 10.77.0.2:8080"]);
    network.hosts[1].search(network.now);
    network.go_on(ms(1000));
    assert_eq!(network.found(1), ["anna 10.77.0.1:8080"]);
}

#[test]
fn addresses_that_came_without_their_host_are_asked_for() {
    let mut network = Network::searching();
    network.said.clear();
    let mut packet = Packet::new_reply(0);
    packet.answers = vec![wire::known_pointer("far", Duration::from_secs(120))];
    network.inject("10.77.0.66:5353", 255, &packet.build_bytes_vec().unwrap());
    network.go_on(ms(100));
    let asked: Vec<Question> =
        Packet::parse(&network.said[0].2).unwrap().questions.into_iter().map(Question::into_owned).collect();
    assert!(wire::asks_for(&asked[0], &wire::instance("far"), TYPE::SRV), "{asked:?}");
}
