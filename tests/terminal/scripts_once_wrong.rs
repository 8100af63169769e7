//! What was once wrong for scripts that use the program; each test failed before.

use crate::common::peer::{Peer, session};
use crate::common::program::{Program, subcommand};
use rustix::process::Signal;

/// It said "met 0 peers", since those that said exit have left the table.
#[test]
fn peers_that_left_were_met() {
    let peer = Peer::new();
    let program = Program::node_with("P1", &["--headless", "--quiet"]);
    let mut wire = session(program.address(), peer.address(), "P2");
    wire.write(format!("{} P2 hello\n{0} P2 exit\n", peer.address()));
    wire.expect_closed();
    program.signal(Signal::TERM);
    assert_eq!(program.stdout.rest(), "Received 1 message and met 1 peer\nExiting\n");
}

/// It said that there was nobody to send to.
#[test]
fn nobody_to_connect_to_is_told_as_that() {
    let mut program = Program::node("P1");
    for line in ["3\na", "/connect all"] {
        program.type_line(line);
        program.stdout.expect("There is nobody to connect to: no active peer is yet to connect; ");
    }
    program.type_line("5\nhello");
    program.stdout.expect("There is nobody to send to; ");
}

/// Of `make | chinwag send A -` a line `exit` took leave of everybody.
#[test]
fn a_line_of_stdin_is_a_text_unless_commands_are_asked_for() {
    let words = ["exit", "quit", "DISCONNECT", "connect"];
    let sent = |flags: &[&str]| {
        let peer = Peer::new();
        let to = peer.address().to_string();
        let messages = peer.take_all();
        let args = [flags, &["--port", "9", "--dialect", "bracketed", &to, "-"]].concat();
        let mut sender = Program::spawn(&mut subcommand("send", &args));
        sender.type_line(words.join("\n"));
        sender.close_stdin();
        messages.next(words.len());
        assert_eq!(sender.wait(), 0);
        String::from_utf8(sender.stderr.bytes()).unwrap().replace(&to, "P2")
    };
    assert_eq!(sent(&[]), "Message sent to P2\n".repeat(words.len()));
    let told = sent(&["--commands"]);
    let (exits, connect) = told.split_at("Disconnected from P2\n".len() * 3);
    assert_eq!(exits, "Disconnected from P2\n".repeat(3));
    assert_eq!(connect, "Connection message sent to P2; it has not answered\n");
}

/// Only the usage was told, and nothing of `-`.
#[test]
fn a_missing_text_is_told_with_the_way_out() {
    for args in [&["127.0.0.1:1"][..], &[]] {
        let mut sender = Program::spawn(&mut subcommand("send", args));
        assert_eq!(sender.wait(), 2);
        let told = String::from_utf8(sender.stderr.bytes()).unwrap();
        assert!(told.contains("<TEXT>"), "{told}");
        assert!(told.contains("tip: give the text, or `-` to send the lines of stdin"), "{told}");
    }
}
