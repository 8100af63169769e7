//! Who may say what for whom: a claimed address is not proof.

use crate::common::peer::{Peer, Wire, say, session};
use crate::common::program::Program;
use crate::namespace::in_namespace;

#[test]
fn a_spoofed_exit_is_shown_with_where_it_came_from_and_removes_nobody() {
    in_namespace(&[], || {
        let mut program = Program::node("P1");
        say(program.address(), "10.1.2.3:8080 P2 hello");
        program.stdout.expect_line("10.1.2.3:8080 P2 hello");
        let from = say(program.address(), "10.1.2.3:8080 P2 exit");
        program.stdout.expect(&format!("Not a chat message, from {from}: 10.1.2.3:8080 P2 exit\n"));
        assert_eq!(program.query().active, ["1. 10.1.2.3:8080 P2 (yet to connect)"]);
    });
}

#[test]
fn a_spoofed_connect_that_would_be_answered_by_a_dial_does_nothing() {
    in_namespace(&[], || {
        let mut program = Program::node("P1");
        let message = "10.1.2.3:8080 P2 connect";
        let from = program.frozen(|| say(program.address(), message));
        program.stdout.expect(&format!("Not a chat message, from {from}: {message}\n"));
        assert!(program.query().active.is_empty());
    });
}

#[test]
fn an_exit_from_another_address_of_this_host_counts() {
    in_namespace(&["10.0.0.1/32"], || {
        let mut program = Program::node("P1");
        say(program.address(), "10.0.0.1:8080 P2 hello");
        program.stdout.expect_line("10.0.0.1:8080 P2 hello");
        say(program.address(), "10.0.0.1:8080 P2 exit");
        program.stdout.expect_line("P2 (10.0.0.1:8080) disconnected");
        assert!(program.query().active.is_empty());
    });
}

#[test]
fn a_connect_from_the_address_that_it_claims_is_acknowledged_there() {
    in_namespace(&["10.0.0.1/32"], || {
        let peer = Peer::at(([10, 0, 0, 1], 0).into());
        let program = Program::node("P1");
        let to = ([10, 0, 0, 1], program.port()).into();
        program.frozen(|| say(to, format!("{} P2 connect", peer.address())));
        program.stdout.expect(&format!("P2 ({}) connected with you\n", peer.address()));
        assert_eq!(peer.take(), format!("{to} P1 connect_ack"));
    });
}

#[test]
fn a_peer_that_claims_our_address_is_ignored() {
    let mut program = Program::node("P1");
    let ours = program.address();
    let from = say(ours, format!("{ours} P1 hello"));
    program.stdout.expect(&format!("Not a chat message, from {from}: {ours} P1 hello\n"));
    assert!(program.query().active.is_empty());
}

#[test]
fn an_exit_for_another_peer_of_this_host_counts_and_its_session_ends() {
    let peer = Peer::new();
    let program = Program::node("P1");
    let mut wire = session(program.address(), peer.address(), "P2");
    Wire::dial(program.address()).write(format!("{} P2 exit\n", peer.address()));
    program.stdout.expect(&format!("P2 ({}) disconnected\n", peer.address()));
    assert_eq!(wire.read_to_end(), "");
}
