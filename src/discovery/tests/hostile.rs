//! What one host of the link can make us do.

use super::*;
use simple_dns::Label;

/// A name of very many labels, which ends with `end`.
fn long_name(end: &str) -> Name<'static> {
    let mut labels = vec![Label::new_unchecked(b"a".to_vec()); 100];
    labels.extend(end.split('.').map(|label| Label::new_unchecked(label.as_bytes().to_vec())));
    Name::new_with_labels(&labels)
}

fn pointer(label: &str) -> ResourceRecord<'static> {
    wire::known_pointer(label, Duration::from_secs(4500))
}

fn location(label: &str, target: Name<'static>) -> ResourceRecord<'static> {
    let srv = SRV { priority: 0, weight: 0, port: 8080, target };
    ResourceRecord::new(wire::instance(label), CLASS::IN, 120, RData::SRV(srv))
}

fn address(host: Name<'static>) -> ResourceRecord<'static> {
    ResourceRecord::new(host, CLASS::IN, 120, RData::A(A { address: 0x0A4D_0042 }))
}

/// As many instances as there can be, each at a host of its own.
fn filled() -> Network {
    let mut network = Network::announcing(&["anna"]);
    network.hosts[0].search(network.now);
    for n in 0..256 {
        let (label, host) = (format!("m{n}"), long_name(&format!("h{n}")));
        let bytes = told(vec![pointer(&label), location(&label, host.clone()), address(host)]);
        network.inject(&format!("10.77.0.{}:5353", 100 + n % 5), 255, &bytes);
    }
    assert_eq!(network.hosts[0].neighbours(network.now).len(), 256);
    network
}

/// Each kind of datagram that costs much, and how much. Run it with `--ignored --nocapture`, best in a release build.
#[test]
#[ignore = "it measures"]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "it measures, and tells a developer"
)]
fn what_one_datagram_costs() {
    let chinwag = pointer("m1");
    let addresses =
        std::iter::once(chinwag.clone()).chain((0..50).map(|n| address(long_name(&format!("h{}", n % 2)))));
    let unknown = std::iter::once(chinwag.clone()).chain((0..75).map(|_| address(long_name("x"))));
    let pointers = (0..20).map(|n| pointer(&format!("m{n}")));
    let new = (0..20).map(|n| pointer(&format!("new{n}")));
    let locations = (0..4).map(|n| location(&format!("m{n}"), long_name(&format!("h{n}"))));
    let mut counts = vec![0, 0, 0x84, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0];
    counts.extend(b"chinwag");
    let table: [(&str, Vec<u8>); 7] = [
        ("addresses", told(addresses.collect())),
        ("unknown addresses", told(unknown.collect())),
        ("pointers", told(pointers.collect())),
        ("new pointers", told(new.collect())),
        ("locations", told(locations.collect())),
        ("counts", counts),
        ("one pointer", told(vec![chinwag])),
    ];
    let mut network = filled();
    for (what, bytes) in &table {
        let mut took = [Duration::ZERO; 2];
        let from = "10.77.0.66:5353".parse().unwrap();
        let began = Instant::now();
        for _ in 0..20 {
            network.hosts[0].on_datagram(came(LINK, from, bytes), network.now);
            while network.hosts[0].poll_action().is_some() {}
        }
        took[0] = began.elapsed() / 20;
        let began = Instant::now();
        for _ in 0..20 {
            network.hosts[0].neighbours(network.now);
        }
        took[1] = began.elapsed() / 20;
        println!("{what}: {} bytes, {:?}, and {:?} for the list", bytes.len(), took[0], took[1]);
        assert!(bytes.len() <= DATAGRAM_BYTES_MAX);
    }
}

#[test]
fn who_tells_of_instances_that_are_nowhere_does_not_make_us_ask_again_and_again() {
    let mut network = Network::searching();
    network.said.clear();
    let began = network.now;
    while network.now < began + ms(5000) {
        network.go_on(ms(5));
        network.inject("10.77.0.66:5353", 255, &told(vec![pointer("nowhere")]));
    }
    // Two questions of the search, and the same question for the instance once a second.
    assert!((3..=8).contains(&network.said.len()), "{}", network.said.len());
}

#[test]
fn who_tells_of_many_instances_that_are_nowhere_does_not_keep_us_from_asking_for_others() {
    let mut network = Network::searching();
    for n in 0..40 {
        network.inject("10.77.0.66:5353", 255, &told(vec![pointer(&format!("a{n:0>62}"))]));
    }
    for n in 0..20 {
        let label = format!("b{n}");
        let host = long_name(&format!("{n:0>40}"));
        network.inject("10.77.0.66:5353", 255, &told(vec![pointer(&label), location(&label, host)]));
    }
    network.inject("10.77.0.67:5353", 255, &told(vec![pointer("zoe")]));
    network.said.clear();
    network.go_on(ms(500));
    let is_asked = |(_, _, bytes): &(Instant, usize, Vec<u8>)| {
        let packet = Packet::parse(bytes).unwrap();
        packet.questions.iter().any(|question| wire::asks_for(question, &wire::instance("zoe"), TYPE::SRV))
    };
    assert!(network.said.iter().any(is_asked));
    assert!(network.said.len() < 15, "{}", network.said.len());
}
