//! Input that no chat program would send. It is bounded, it is shown without harm, and other peers do not notice it.

use crate::common::peer::{Peer, Wire, say, session};
use crate::common::program::Program;
use std::io::Write;

#[test]
fn a_web_browser_is_shown_as_raw_text() {
    let program = Program::node("P1");
    let from = say(program.address(), "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let shown = "GET / HTTP/1.1␍␊Host: localhost";
    program.stdout.expect(&format!("Not a chat message, from {from}: {shown}\n"));
}

#[test]
fn a_tls_hello_is_shown_without_a_control_character() {
    let program = Program::node("P1");
    program.stdout.expect("Enter choice: ");
    let from = say(program.address(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x9b\x1b[31m");
    program.stdout.expect(&format!("Not a chat message, from {from}: "));
    let shown = program.stdout.expect("\n");
    assert!(!shown.trim_end().contains(char::is_control), "{shown:?}");
}

#[test]
fn random_bytes_do_not_end_the_program() {
    let peer = Peer::new();
    let program = Program::node("P1");
    let mut random = fastrand::Rng::with_seed(42);
    for _ in 0..50 {
        let garbage: Vec<u8> = (0..random.usize(1..2000)).map(|_| random.u8(..)).collect();
        say(program.address(), garbage);
    }
    say(program.address(), format!("{} P2 hello", peer.address()));
    program.stdout.expect_line(&format!("{} P2 hello", peer.address()));
}

#[test]
fn half_a_character_at_the_end_does_not_lose_the_message() {
    let peer = Peer::new();
    let program = Program::node("P1");
    say(program.address(), [format!("{} P2 caf", peer.address()).as_bytes(), b"\xc3"].concat());
    program.stdout.expect_line(&format!("{} P2 caf\u{FFFD}", peer.address()));
}

#[test]
fn an_endless_line_is_cut_off_and_the_others_notice_nothing() {
    const LINE_BYTES: usize = 100 * 1024 * 1024;
    let (peer, other) = (Peer::new(), Peer::new());
    let mut program = Program::node("P1");
    let mut wire = session(program.address(), peer.address(), "P2");
    let mut endless = Wire::dial(program.address());
    endless.write(format!("{} P3 ", other.address()));
    let chunk = vec![b'x'; 1024 * 1024];
    let written = (0..LINE_BYTES / chunk.len()).take_while(|_| endless.0.write_all(&chunk).is_ok()).count();
    assert!(written < LINE_BYTES / chunk.len(), "all of it was taken");
    wire.ping(1);
    wire.write(format!("{} P2 hello\n", peer.address()));
    let shown = program.stdout.expect(&format!("{} P2 hello\n", peer.address()));
    assert!(!shown.contains("xxx"), "a part of it was taken for a message");
    assert_eq!(program.query().active, [format!("1. {} P2 (connected)", peer.address())]);
    if let Some(kib) = program.peak_memory() {
        assert!(kib < 32 * 1024, "it was kept in {kib} KiB of memory");
    }
}

#[test]
fn the_longest_line_is_taken_and_one_byte_more_is_not() {
    const LINE_BYTES_MAX: usize = 64 * 1024;
    let peer = Peer::new();
    let program = Program::node("P1");
    let head = format!("{} P2 ", peer.address());
    let text = "x".repeat(LINE_BYTES_MAX - head.len());
    let mut wire = Wire::dial(program.address());
    wire.write(format!("{head}{text}\n"));
    program.stdout.expect(&format!("{head}{text}\n"));
    wire.write(format!("{head}{text}x\n"));
    wire.expect_closed();
}

#[test]
fn a_session_with_too_long_a_line_is_lost_and_reported() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    let mut wire = session(program.address(), peer.address(), "P2");
    // The program may close before it has read everything.
    let _ = wire.0.write_all(&vec![b'x'; 1024 * 1024]);
    program
        .stdout
        .expect(&format!("Lost the connection with P2 ({}): it carried a line longer than", peer.address()));
    assert_eq!(program.query().active, [format!("1. {} P2 (yet to connect)", peer.address())]);
}
