//! The two peers of the assignment, at their real addresses, in a network without a way out.

use crate::common::peer::Peer;
use crate::common::port::Port;
use crate::common::program::{Program, command_with_default_static_peers};
use crate::namespace::in_namespace;

/// The addresses that the assignment names.
const ADDRESSES: [&str; 2] = ["10.206.4.122:1255", "10.206.5.228:6555"];

/// For the loopback interface of a network namespace.
const IPS: [&str; 2] = ["10.206.4.122/32", "10.206.5.228/32"];

/// A program that got no static peers on its command line.
fn node(args: &[&str]) -> Program {
    let args = [&["--name", "P1", "--port", "0"], args].concat();
    Program::spawn(&mut command_with_default_static_peers(&args)).listening()
}

fn peers() -> [Peer; 2] {
    ADDRESSES.map(|address| Peer::at(address.parse().unwrap()))
}

/// The message that `peer` gets: the program dials an address of this host from that same address.
fn message(peer: &Peer, program: &Program, text: &str) -> String {
    format!("{}:{} P1 {text}", peer.address().ip(), program.port())
}

#[test]
fn both_are_greeted_at_the_start_if_the_user_wants_it() {
    in_namespace(&IPS, || {
        let peers = peers();
        let program = node(&["--greet"]);
        for peer in &peers {
            assert_eq!(peer.take(), message(peer, &program, "Hello!"));
            program.stdout.expect_that("its outcome", |shown| {
                shown.contains(&format!("Message sent to {}\n", peer.address()))
            });
        }
    });
}

#[test]
fn choice_4_sends_to_both_and_nothing_was_sent_before() {
    in_namespace(&IPS, || {
        let peers = peers();
        let mut program = node(&[]);
        program.type_line("4\nhello, campus");
        for peer in &peers {
            assert_eq!(peer.take(), message(peer, &program, "hello, campus"));
        }
        for _ in &peers {
            program.stdout.expect("Message sent to 10.206.");
        }
        assert_eq!(program.query().contacted.len(), 2);
    });
}

#[test]
fn choice_4_tells_which_of_them_could_not_be_reached() {
    in_namespace(&IPS, || {
        let peer = Peer::at(ADDRESSES[0].parse().unwrap());
        let mut program = node(&[]);
        program.type_line("4\nhello, campus");
        assert_eq!(peer.take(), message(&peer, &program, "hello, campus"));
        program.stdout.expect_that("both outcomes", |shown| {
            shown.contains(&format!("Message sent to {}\n", ADDRESSES[0]))
                && shown.contains(&format!("{} refused the connection", ADDRESSES[1]))
                && shown.contains("Not sent: hello, campus\n")
        });
    });
}

#[test]
fn a_network_without_a_way_out_is_reported_in_words() {
    in_namespace(&[], || {
        let mut program = node(&[]);
        program.type_line("4\nhello, campus");
        let [first, second] = ADDRESSES;
        program.stdout.expect(&format!("Not sent to {first} and {second} (unreachable): hello, campus\n"));
    });
}

#[test]
fn a_failed_greeting_is_not_reported_and_not_tried_again() {
    let nobody = Port::reserve();
    let address = nobody.address().to_string();
    let mut program = Program::start(&["--name", "P1", "--port", "0", "--greet", "--static-peer", &address]);
    program = program.listening();
    // Messages to one address go in order: the outcome of the greeting is known before the outcome of this.
    program.send(&address, "hello");
    let shown = program.stdout.expect("Not sent: hello\n");
    assert_eq!(shown.matches("refused").count(), 1, "{shown}");
    assert!(!shown.contains("Hello!"), "{shown}");
}
