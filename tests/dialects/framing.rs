//! Where a message ends: newline, silence, end or reset.

use crate::common::peer::{Peer, Wire, session};
use crate::common::program::Program;

#[test]
fn a_person_at_netcat_chats_in_lines() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    let mut wire = Wire::dial(program.address());
    for text in ["hello", "is anybody there?", "bye"] {
        wire.write(format!("{} nc {text}\n", peer.address()));
        program.stdout.expect_line(&format!("{} nc {text}", peer.address()));
    }
    wire.write("what is an address?\n");
    program.stdout.expect(&format!("Not a chat message, from {}: what is an address?\n", wire.local()));
    assert_eq!(program.query().active, [format!("1. {} nc (yet to connect)", peer.address())]);
}

#[test]
fn telnet_ends_its_lines_with_a_carriage_return() {
    let peer = Peer::new();
    let program = Program::node("P1");
    let mut wire = Wire::dial(program.address());
    wire.write(format!("{0} tn hello\r\n{0} tn again\r\n", peer.address()));
    program.stdout.expect_line(&format!("{} tn hello", peer.address()));
    program.stdout.expect_line(&format!("{} tn again", peer.address()));
}

#[test]
fn a_person_who_types_no_header_is_shown_after_a_silence() {
    let program = Program::node("P1");
    let mut wire = Wire::dial(program.address());
    wire.write("hello?\n");
    program.stdout.expect(&format!("Not a chat message, from {}: hello?\n", wire.local()));
}

#[test]
fn lines_written_at_once_are_as_many_messages() {
    let peer = Peer::new();
    let program = Program::node("P1");
    let mut wire = Wire::dial(program.address());
    let lines: String = (0..1000).map(|n| format!("{} P2 line {n}\n", peer.address())).collect();
    wire.write(lines);
    for n in 0..1000 {
        program.stdout.expect_line(&format!("{} P2 line {n}", peer.address()));
    }
}

#[test]
fn a_connection_held_open_after_its_message_is_heard_after_a_silence_and_again_later() {
    let peer = Peer::new();
    let program = Program::node("P1");
    let mut wire = Wire::dial(program.address());
    for text in ["hello", "more", "and more"] {
        wire.write(format!("{} P2 {text}", peer.address()));
        program.stdout.expect_line(&format!("{} P2 {text}", peer.address()));
    }
}

#[test]
fn a_half_close_ends_a_message_and_a_reset_too() {
    let peer = Peer::new();
    let program = Program::node("P1");
    let mut wire = Wire::dial(program.address());
    wire.write(format!("{} P2 half-closed", peer.address()));
    wire.half_close();
    program.stdout.expect_line(&format!("{} P2 half-closed", peer.address()));
    wire.expect_closed();
    let mut wire = Wire::dial(program.address());
    wire.write(format!("{} P2 broken o", peer.address()));
    wire.reset();
    program.stdout.expect_line(&format!("{} P2 broken o", peer.address()));
}

#[test]
fn in_line_mode_silence_ends_nothing() {
    let peer = Peer::new();
    let program = Program::node("P1");
    let mut slow = Wire::dial(program.address());
    slow.write(format!("{0} P2 first\n{0} P2 sec", peer.address()));
    program.stdout.expect("P2 first\n");
    // This message is shown after a silence that began later.
    let mut other = Wire::dial(program.address());
    other.write("127.0.0.1:9 P3 undelimited");
    program.stdout.expect_line("127.0.0.1:9 P3 undelimited");
    slow.write("ond\n");
    program.stdout.expect_line(&format!("{} P2 second", peer.address()));
}

#[test]
fn two_blocks_on_one_connection_are_two_messages() {
    let peer = Peer::new();
    let program = Program::node("P1");
    let mut wire = Wire::dial(program.address());
    let block = |text| format!("<127.0.0.1:{}> @ <P2>\n{text}\n<end>\n", peer.port());
    wire.write(block("one") + &block("two"));
    program.stdout.expect_line(&format!("{} P2 one", peer.address()));
    program.stdout.expect_line(&format!("{} P2 two", peer.address()));
}

#[test]
fn a_ping_is_answered_in_a_session_only() {
    let peer = Peer::new();
    let program = Program::node("P1");
    let mut wire = Wire::dial(program.address());
    wire.write(format!("{} P2 hello\n!ping 7\n", peer.address()));
    program.stdout.expect(&format!("Not a chat message, from {}: !ping 7\n", wire.local()));
    // The first message to it is the answer to its connect.
    wire.write(format!("{} P2 connect\n", peer.address()));
    assert_eq!(wire.read_line(), format!("{} P1 connected chinwag/1\n", program.address()));
    wire.write("!ping 8\n");
    assert_eq!(wire.read_line(), "!pong 8\n");
}

#[test]
fn unknown_control_lines_of_a_session_are_ignored() {
    let peer = Peer::new();
    let program = Program::node("P1");
    let mut wire = session(program.address(), peer.address(), "P2");
    program.stdout.expect("connected with you\n");
    wire.write("!frobnicate\n!\n!pong 1\n");
    wire.write(format!("{} P2 hello\n", peer.address()));
    let shown = program.stdout.expect("P2 hello\n");
    assert!(!shown.contains('!') && !shown.contains("frobnicate"), "{shown}");
    wire.ping(1);
}
