//! The peer table: what each event does to it, and what the user sees.

use crate::common::peer::{Peer, Wire, say, session};
use crate::common::program::Program;

#[test]
fn the_first_message_is_a_new_peer_and_the_second_is_not() {
    let peer = Peer::new();
    let from = peer.address();
    let mut program = Program::node("P1");
    program.stdout.expect("Enter choice: ");
    say(program.address(), format!("{from} P2 one"));
    let shown = program.stdout.expect(" one\n");
    assert_eq!(shown, format!("\nNew peer: P2 ({from})\n{from} P2 one\n"));
    program.stdout.expect("Enter choice: ");
    say(program.address(), format!("{from} P2 two"));
    assert_eq!(program.stdout.expect(" two\n"), format!("\n{from} P2 two\n"));
    assert_eq!(program.query().active, [format!("1. {from} P2 (yet to connect)")]);
}

#[test]
fn one_address_in_every_dialect_is_one_entry() {
    let peer = Peer::new();
    let (from, port) = (peer.address(), peer.port());
    let mut program = Program::node("P1");
    let messages = [
        format!("{from} P2 hello"),
        format!("LISTENING_PORT:{port}|TEAM_NAME:P2|hello"),
        format!("<{from}> P2 hello"),
        format!("<{from}> @ <P2>\nhello\n<end>"),
    ];
    for message in messages {
        say(program.address(), message);
        program.stdout.expect("P2 hello\n");
    }
    assert_eq!(program.query().active, [format!("1. {from} P2 (yet to connect)")]);
}

#[test]
fn the_name_is_the_one_used_last() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    for name in ["Old", "New"] {
        say(program.address(), format!("{} {name} hello", peer.address()));
        program.stdout.expect_line(&format!("{} {name} hello", peer.address()));
    }
    assert_eq!(program.query().active, [format!("1. {} New (yet to connect)", peer.address())]);
}

#[test]
fn each_line_is_shown_with_the_name_that_it_came_with() {
    let peer = Peer::new();
    let from = peer.address();
    let mut program = Program::node("P1");
    let mut wires = [(); 2].map(|()| Wire::dial(program.address()));
    for _ in 0..2 {
        for (wire, name) in wires.iter_mut().zip(["One", "Other"]) {
            wire.write(format!("{from} {name} hello\n"));
            program.stdout.expect_line(&format!("{from} {name} hello"));
            assert_eq!(program.query().active, [format!("1. {from} {name} (yet to connect)")]);
        }
    }
}

#[test]
fn a_contacted_peer_is_listed_apart_until_it_is_heard() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    program.send(peer.address(), "hello");
    peer.take();
    program.stdout.expect(&format!("Message sent to {}\n", peer.address()));
    let listed = program.query();
    assert!(listed.active.is_empty());
    assert_eq!(listed.contacted, [format!("1. {}", peer.address())]);
    say(program.address(), format!("{} P2 hello", peer.address()));
    let shown = program.stdout.expect(" P2 hello\n");
    assert!(!shown.contains("New peer"), "it was listed already: {shown}");
    let listed = program.query();
    assert_eq!(listed.active, [format!("1. {} P2 (yet to connect)", peer.address())]);
    assert!(listed.contacted.is_empty());
}

#[test]
fn our_exit_removes_the_peer_here_too() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    say(program.address(), format!("{} P2 hello", peer.address()));
    program.stdout.expect(" P2 hello\n");
    program.send(peer.address(), "exit");
    assert_eq!(peer.take(), format!("{} P1 exit", program.address()));
    program.stdout.expect(&format!("Disconnected from {}\n", peer.address()));
    let listed = program.query();
    assert!(listed.active.is_empty() && listed.contacted.is_empty());
}

#[test]
fn a_peer_that_cannot_be_reached_leaves_the_lists_until_it_is_heard_again() {
    let peer = Peer::new();
    let from = peer.address();
    let mut program = Program::node("P1");
    say(program.address(), format!("{from} P2 hello"));
    program.stdout.expect(" P2 hello\n");
    drop(peer);
    program.send(from, "are you there?");
    program.stdout.expect("Not sent: are you there?\n");
    assert!(program.query().active.is_empty());
    program.type_line("3");
    program.stdout.expect("No active peers to connect to\n");
    program.type_line("");
    say(program.address(), format!("{from} P2 I am"));
    program.stdout.expect_line(&format!("{from} P2 I am"));
    assert_eq!(program.query().active, [format!("1. {from} P2 (yet to connect)")]);
}

#[test]
fn a_session_that_ends_without_exit_is_lost_and_its_peer_stays() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    let mut wire = session(program.address(), peer.address(), "P2");
    program.stdout.expect("connected with you\n");
    // A peer that says nothing on it may as well have asked and closed.
    wire.ping(1);
    drop(wire);
    program.stdout.expect(&format!("\nLost the connection with P2 ({})", peer.address()));
    assert_eq!(program.query().active, [format!("1. {} P2 (yet to connect)", peer.address())]);
    program.send(peer.address(), "hello");
    assert_eq!(peer.take(), format!("{} P1 hello", program.address()));
}

#[test]
fn an_exit_on_a_session_ends_it_with_one_word_to_the_user() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    let mut wire = session(program.address(), peer.address(), "P2");
    program.stdout.expect("connected with you\n");
    wire.write(format!("{} P2 exit\n", peer.address()));
    program.stdout.expect_line(&format!("P2 ({}) disconnected", peer.address()));
    assert_eq!(wire.read_to_end(), "");
    assert!(program.query().active.is_empty());
    drop(wire);
    say(program.address(), "127.0.0.1:9 P3 marker");
    let shown = program.stdout.expect("P3 marker\n");
    assert!(!shown.contains("Lost"), "{shown}");
}

#[test]
fn a_message_to_all_reaches_sessions_and_plain_peers_alike() {
    let (near, far) = (Peer::new(), Peer::new());
    let mut program = Program::node("P1");
    let mut wire = session(program.address(), near.address(), "P2");
    say(program.address(), format!("{} P3 hello", far.address()));
    program.stdout.expect(" P3 hello\n");
    program.type_line("5\nhello, all");
    assert_eq!(wire.read_line(), format!("{} P1 hello, all\n", program.address()));
    assert_eq!(far.take(), format!("{} P1 hello, all", program.address()));
    program.stdout.expect("Message sent to 2 peers\n");
}
