//! How the published programs behave, besides their dialects.

use crate::common::peer::{Peer, Wire, say};
use crate::common::program::Program;

#[test]
fn a_probe_that_sends_nothing_is_ignored_in_silence() {
    let peer = Peer::new();
    let program = Program::node("P1");
    program.stdout.expect("Enter choice: ");
    for _ in 0..5 {
        drop(Wire::dial(program.address()));
    }
    say(program.address(), format!("{} P2 hello", peer.address()));
    let shown = program.stdout.expect(" P2 hello\n");
    assert_eq!(shown, format!("\nNew peer: P2 ({0})\n{0} P2 hello\n", peer.address()));
}

#[test]
fn a_probe_that_is_broken_off_is_ignored_in_silence() {
    let peer = Peer::new();
    let program = Program::node("P1");
    program.stdout.expect("Enter choice: ");
    Wire::dial(program.address()).reset();
    say(program.address(), format!("{} P2 hello", peer.address()));
    let shown = program.stdout.expect(" P2 hello\n");
    assert_eq!(shown, format!("\nNew peer: P2 ({0})\n{0} P2 hello\n", peer.address()));
}

#[test]
fn no_connection_is_made_before_there_is_something_to_say() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    say(program.address(), format!("{} P2 hello", peer.address()));
    program.stdout.expect(" P2 hello\n");
    assert_eq!(program.query().active.len(), 1);
    program.type_line(format_args!("1\n{}", peer.address()));
    program.stdout.expect("Enter your message: ");
    program.type_line("");
    program.stdout.expect("An empty message is not sent");
    program.send(peer.address(), "hello");
    // No empty connection came before this one.
    assert_eq!(peer.take(), format!("{} P1 hello", program.address()));
}

#[test]
fn a_peer_that_reads_once_and_closes_gets_every_message() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    for n in 0..3 {
        program.send(peer.address(), &format!("message {n}"));
        assert_eq!(peer.accept().read_once(), format!("{} P1 message {n}", program.address()));
        program.stdout.expect(&format!("Message sent to {}\n", peer.address()));
    }
}

#[test]
fn a_peer_that_greets_connects_chats_and_leaves_on_connections_of_their_own() {
    let peer = Peer::new();
    let from = peer.address();
    let mut program = Program::node("P1");
    let to = program.address();
    say(to, format!("{from} P2 Hello!"));
    program.stdout.expect_line(&format!("{from} P2 Hello!"));
    program.frozen(|| say(to, format!("{from} P2 CONNECT")));
    program.stdout.expect(&format!("P2 ({from}) connected with you\n"));
    assert_eq!(peer.take(), format!("{to} P1 connect_ack"));
    say(to, format!("{from} P2 how are you"));
    program.stdout.expect_line(&format!("{from} P2 how are you"));
    program.send("P2", "fine");
    assert_eq!(peer.take(), format!("{to} P1 fine"));
    program.stdout.expect(&format!("Message sent to {from}\n"));
    say(to, format!("{from} P2 exit"));
    program.stdout.expect_line(&format!("P2 ({from}) disconnected"));
    assert!(program.query().active.is_empty());
}
