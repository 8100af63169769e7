//! The proxy and the man in the middle, tried on two sides that are made by hand.

use crate::hand::{Hand, padded, seal};
use crate::man::men_in_the_middle;
use crate::proxy::{Attack, BEHIND, Kind, Proxy, Way, has, honest, written};
use chinwag::proto::secure::{Channel, Proof};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

const CONNECT: &str = "127.0.0.1:1 dialler connect";

/// Two sides that are connected through a proxy: the dialler first.
struct Table {
    proxy: Proxy,
    hands: [Hand; 2],
    proofs: [Proof; 2],
    channels: [Channel; 2],
}

fn set(attack: Attack) -> Table {
    let proxy = Proxy::new();
    proxy.attack_with(attack);
    let listener = TcpListener::bind((BEHIND, proxy.address().port())).expect("the port is free there");
    let claim = format!("{} listener", proxy.address());
    let listening = thread::spawn(move || {
        let mut hand = Hand::new(listener.accept().expect("the proxy dials").0);
        let proved = hand.answer(&claim);
        (hand, proved)
    });
    let mut dialler = Hand::dial(&proxy.address().to_string());
    let (proof, channel) = dialler.connect(CONNECT);
    let (listener, (other_proof, other_channel)) = listening.join().expect("the other side believes it");
    let hands = [dialler, listener];
    Table { proxy, hands, proofs: [proof, other_proof], channels: [channel, other_channel] }
}

impl Table {
    /// Both say something, which the other one hears.
    fn talk(&mut self) {
        for (from, to, text) in [(0, 1, "there\n"), (1, 0, "and back\n")] {
            let frames = seal(&mut self.channels[from], text.as_bytes());
            self.hands[from].write(frames);
            assert_eq!(self.hands[to].open(&mut self.channels[to]), padded(text));
        }
    }
}

#[test]
fn a_proxy_that_is_honest_cuts_what_it_carries_into_the_parts_of_the_protocol() {
    let mut table = set(honest());
    table.talk();
    let keys = [1, 0].map(|other: usize| table.hands[other].identity.key());
    assert_eq!(table.proofs.each_ref().map(|proof| proof.key), keys);
    drop(table.hands);
    table.proxy.await_end();
    let record = table.proxy.take_record();
    let kinds = |way| {
        let parts = record[0].iter().filter(move |part| part.way == way);
        parts.map(|part| part.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(Way::Out), [Kind::Clear, Kind::Proof, Kind::Frame, Kind::End]);
    assert_eq!(kinds(Way::Back), [Kind::Offer, Kind::Proof, Kind::Frame, Kind::End]);
    assert!(written(&record, Way::Out).starts_with(CONNECT.as_bytes()));
}

#[test]
fn a_man_in_the_middle_reads_everything_of_those_who_believe_any_key() {
    let loot = Arc::new(Mutex::default());
    let (attack, key) = men_in_the_middle(&loot);
    let mut table = set(attack);
    table.talk();
    assert!(table.proofs.iter().all(|proof| proof.key == key));
    let loot = loot.lock().expect("no panic");
    assert!(has(&loot, "there\n") && has(&loot, "and back\n"));
}
