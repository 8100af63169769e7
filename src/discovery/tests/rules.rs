//! Rules of RFC 6762 that another implementation, or a user, would miss.

use super::*;
use simple_dns::rdata::{AAAA, NSEC};
use simple_dns::{Label, RCODE};

const ASKER: &str = "10.77.0.9:5353";

fn asks(name: Name<'static>, kind: TYPE) -> Vec<u8> {
    wire::query(vec![wire::question(name, Some(kind))], Vec::new(), Vec::new()).unwrap()
}

fn unicast(name: Name<'static>) -> Vec<u8> {
    let mut question = wire::question(name, Some(TYPE::PTR));
    question.unicast_response = true;
    wire::query(vec![question], Vec::new(), Vec::new()).unwrap()
}

fn named(label: &[u8], domain: &'static [u8]) -> Name<'static> {
    Name::new_with_labels(&[Label::new_unchecked(label.to_vec()), Label::new_unchecked(domain)])
}

fn record(name: &Name<'static>, data: RData<'static>) -> ResourceRecord<'static> {
    ResourceRecord::new(name.clone(), CLASS::IN, 120, data)
}

/// A node called `label` at the host of that name.
fn node(label: &str, host: Name<'static>, ip: [u8; 4]) -> Vec<u8> {
    let instance = wire::instance(label);
    let srv = SRV { priority: 0, weight: 0, port: 8080, target: host.clone() };
    told(vec![
        record(&wire::service(), RData::PTR(PTR(instance.clone()))),
        record(&instance, RData::SRV(srv)),
        record(&host, RData::A(A { address: u32::from_be_bytes(ip) })),
    ])
}

/// Two nodes that announce still find each other when what they heard first is too old to be of use.
#[test]
fn who_announces_finds_others_who_announce_however_long_ago_it_heard_of_them() {
    for minutes in [1, 2, 10, 30, 60, 74, 80] {
        let mut network = Network::announcing(&["anna", "bob"]);
        network.go_on(Duration::from_secs(60 * minutes));
        network.hosts[1].search(network.now);
        network.go_on(ms(1000));
        assert_eq!(network.found(1), ["anna 10.77.0.1:8080"], "after {minutes} minutes");
        network.go_on(Duration::from_secs(100));
        assert_eq!(network.found(1), ["anna 10.77.0.1:8080"], "what a search found is fresh");
    }
}

#[test]
fn only_letters_of_ascii_are_the_same_in_both_cases() {
    let mut network = Network::announcing(&["CHLOÉ", "chloé"]);
    network.hosts.push(Discovery::new(9));
    network.hosts[2].search(network.now);
    network.go_on(ms(1000));
    assert_eq!(network.found(2), ["CHLOÉ 10.77.0.1:8080", "chloé 10.77.0.2:8080"]);
}

#[test]
fn a_host_with_a_name_beyond_ascii_is_not_forgotten() {
    let mut network = Network::searching();
    network.inject(
        "10.77.0.66:5353",
        255,
        &node("far", named("MÜLLER".as_bytes(), b"local"), [10, 77, 0, 66]),
    );
    network.inject("10.77.0.67:5353", 255, &node("near", named(b"near", b"local"), [10, 77, 0, 67]));
    assert_eq!(network.found(0), ["far 10.77.0.66:8080", "near 10.77.0.67:8080"]);
}

#[test]
fn a_message_with_a_response_code_is_ignored() {
    let mut network = Network::searching();
    let bytes = tale(b"far", 8080, [10, 77, 0, 66], 120);
    let mut packet = Packet::parse(&bytes).unwrap();
    *packet.rcode_mut() = RCODE::ServerFailure;
    network.inject("10.77.0.66:5353", 255, &packet.build_bytes_vec_compressed().unwrap());
    assert_eq!(network.found(0), [""; 0]);
}

/// `avahi-browse -a` asks for the kinds of services first, and then for the instances of each.
#[test]
fn a_question_does_not_wait_because_something_else_was_told() {
    let mut network = Network::announcing(&["anna"]);
    network.said.clear();
    network.inject(ASKER, 255, &asks(wire::services(), TYPE::PTR));
    network.go_on(ms(150));
    assert_eq!(network.said.len(), 1);
    network.inject(ASKER, 255, &asks(wire::service(), TYPE::PTR));
    network.go_on(ms(150));
    assert_eq!(network.said.len(), 2, "another record");
    network.inject(ASKER, 255, &asks(wire::services(), TYPE::PTR));
    network.inject(ASKER, 255, &asks(wire::instance("anna"), TYPE::SRV));
    network.go_on(ms(150));
    assert_eq!(network.said.len(), 2, "both were told within a second");
    network.go_on(ms(1000));
    assert_eq!(network.said.len(), 3);
}

#[test]
fn two_who_ask_at_the_same_moment_for_an_answer_of_their_own_both_get_one() {
    let mut network = Network::announcing(&["anna"]);
    network.go_on(ms(2000));
    network.said.clear();
    for asker in [ASKER, "10.77.0.10:5353"] {
        network.inject(asker, 255, &unicast(wire::service()));
    }
    network.go_on(ms(150));
    assert_eq!(network.said.len(), 2, "one to the first, and one to everybody");
}

#[test]
fn that_a_host_has_no_address_of_a_family_is_said() {
    let mut network = Network::announcing(&["anna"]);
    network.go_on(ms(2000));
    let host = Name::new_unchecked("chinwag-0a4d0001-8080.local");
    for (name, kind, has) in [
        (host.clone(), TYPE::AAAA, vec![TYPE::A]),
        (host, TYPE::TXT, vec![TYPE::A]),
        (wire::instance("anna"), TYPE::A, vec![TYPE::TXT, TYPE::SRV]),
    ] {
        network.said.clear();
        network.inject(ASKER, 255, &asks(name.clone(), kind));
        network.go_on(ms(1100));
        let answer = Packet::parse(&network.said[0].2).unwrap();
        let told = answer.answers.iter().chain(&answer.additional_records);
        let nsec = RData::NSEC(NSEC::from_types(name.clone(), &has));
        assert!(told.clone().any(|record| record.name == name && record.rdata == nsec), "{name} {kind:?}");
    }
}

#[test]
fn nothing_follows_a_goodbye() {
    let mut network = Network::searching();
    network.inject("10.77.0.66:5353", 255, &told(vec![wire::known_pointer("far", Duration::from_secs(120))]));
    network.hosts[0].leave(network.now);
    network.settle();
    network.said.clear();
    network.go_on(ms(5000));
    assert_eq!(network.said.len(), 0);
}

#[test]
fn who_looked_for_others_leaves_when_the_last_one_is_gone() {
    let mut network = Network::announcing(&["anna"]);
    network.hosts.push(Discovery::new(9));
    network.hosts[1].search(network.now);
    network.go_on(ms(6000));
    assert!(network.hosts[1].has_joined && !network.hosts[1].is_searching());
    network.hosts[0].leave(network.now);
    network.settle();
    assert!(!network.hosts[1].has_joined);
}

#[test]
fn a_network_that_fails_and_comes_back_is_left_in_the_end() {
    let mut network = Network::searching();
    network.hosts[0].on_join_failed();
    assert_eq!(network.hosts[0].next_deadline(), None);
    network.hosts[0].on_joined(vec![interface(host_ip(1))], network.now);
    network.settle();
    assert!(!network.hosts[0].has_joined && network.hosts[0].links.is_empty());
}

/// What comes in two datagrams belongs together, in whatever order.
#[test]
fn an_answer_in_several_datagrams_is_understood() {
    let whole = node("far", named(b"far", b"local"), [10, 77, 0, 66]);
    let records = || Packet::parse(&whole).unwrap().answers.into_iter().map(ResourceRecord::into_owned);
    let mut network = Network::searching();
    for record in records() {
        network.inject("10.77.0.66:5353", 255, &told(vec![record]));
    }
    assert_eq!(network.found(0), ["far 10.77.0.66:8080"]);
}

/// RFC 6762 section 10.2: only what came more than a second ago is replaced.
#[test]
fn addresses_of_one_host_in_two_datagrams_belong_together() {
    let mut network = Network::new(1);
    let both = [interface(host_ip(1)), interface("fd00::1".parse().unwrap())];
    network.hosts[0].search(network.now);
    assert_eq!(network.hosts[0].poll_action(), Some(Action::Join));
    network.hosts[0].on_joined(both.to_vec(), network.now);
    network.settle();
    let host = named(b"far", b"local");
    network.inject("10.77.0.66:5353", 255, &node("far", host.clone(), [10, 77, 0, 66]));
    let address = "fd00::66".parse::<Ipv6Addr>().unwrap().to_bits();
    let v6 = record(&host, RData::AAAA(AAAA { address })).with_cache_flush(true);
    network.inject("10.77.0.66:5353", 255, &told(vec![v6]));
    assert_eq!(network.found(0), ["far 10.77.0.66:8080"], "the other family stays");
}
