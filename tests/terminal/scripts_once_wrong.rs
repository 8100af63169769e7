//! What was once wrong for scripts that use the program; each test failed before.

use crate::common::peer::{Peer, say, session};
use crate::common::port::Port;
use crate::common::program::{Program, command, subcommand, swarm_command};
use crate::namespace::in_namespace;
use rustix::process::Signal;
use std::fs;
use std::fs::File;
use tempfile::TempDir;

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
        let texts = messages
            .next(words.len())
            .iter()
            .map(|said| said.rsplit(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(sender.wait(), 0);
        let told = String::from_utf8(sender.stderr.bytes()).unwrap().replace(&to, "P2");
        (texts, told)
    };
    let (texts, told): (Vec<String>, String) = sent(&[]);
    assert_eq!(told, "Message sent to P2\n".repeat(words.len()));
    assert_eq!(texts, words.map(|word| format!("{word}.")), "to its reader each is a text");
    let (texts, told) = sent(&["--commands"]);
    assert_eq!(texts, ["quit", "quit", "quit", "connect"]);
    let (exits, connect) = told.split_at("Disconnected from P2\n".len() * 3);
    assert_eq!(exits, "Disconnected from P2\n".repeat(3));
    assert_eq!(connect, "Connected with P2; it does not answer connects\n");
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

/// What stdin says, as a file that is read to its end; gives what is said of it on stdout.
fn said(args: &[&str], stdin: &[u8]) -> String {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stdin");
    fs::write(&path, stdin).unwrap();
    let mut program = Program::spawn(command(args).stdin(File::open(path).unwrap()));
    let stdout = program.stdout.rest();
    program.wait();
    stdout
}

/// Each of these was called `not-an-object`, or sent with a stand-in; after a byte order mark so was anything.
#[test]
fn a_fault_of_json_is_named_with_its_place() {
    let table: [(&[u8], &str, usize); 5] = [
        (br#"{"command":"send-all","text":"a\ud83d b"}"#, "lone-surrogate", 38),
        (br#"{"command":"peers",}"#, "trailing-comma", 20),
        (br#"{"command":"peers"} quit"#, "trailing-text", 21),
        (b"{\"command\":\"send-all\",\"text\":\"caf\xe9\"}", "not-utf8", 34),
        (br#"{"command":"peers","command":"quit"}"#, "duplicate-field", 28),
    ];
    let lines: Vec<&[u8]> = table.iter().map(|(line, ..)| *line).collect();
    let stdin = [b"\xEF\xBB\xBF{\"command\":\"peers\"}", &*lines.join(&b'\n')].join(&b'\n');
    let said = said(&["--json", "--name", "P1", "--port", "0"], &stdin);
    let mut events = said.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    assert_eq!(events.next().unwrap()["event"], "listening");
    assert_eq!(events.next().unwrap()["event"], "peers");
    for (_, reason, column) in table {
        let event = events.next().unwrap();
        let place = format!("column {column}");
        assert_eq!((&event["reason"], &event["column"]), (&reason.into(), &column.into()));
        assert!(event["sentence"].as_str().unwrap().contains(&place), "{event}");
    }
    assert_eq!(events.next().unwrap()["event"], "exiting");
}

/// The first line was no choice, or was sent with the mark.
#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let told = said(&["--name", "P1", "--port", "0"], "\u{FEFF}2\n0\n".as_bytes());
    assert!(told.contains("Enter choice: No connected peers\n"), "{told}");
    let peer = Peer::new();
    let to = peer.address().to_string();
    let mut sender = Program::spawn(&mut subcommand("send", &["--name", "P1", "--port", "9", &to, "-"]));
    sender.type_line("\u{FEFF}hello");
    sender.close_stdin();
    assert_eq!(peer.take(), "127.0.0.1:9 P1 hello");
}

/// It had the ends alone, such as `0.1 127.0.0.1:52464: Eof`.
#[test]
fn the_log_tells_of_a_connection_from_its_beginning_to_its_end() {
    let (plain, p2) = (Peer::new(), Peer::new());
    let mut node = command(&["--name", "P1", "--port", "0"]);
    let mut program = Program::spawn(node.env("RUST_LOG", "debug")).listening();
    let from = say(program.address(), format!("{} \u{1b}[2J hello", plain.address()));
    program.stdout.expect("hello\n");
    let log = |line: String| drop(program.stderr.expect(&format!("{line}\n")));
    log(format!("0.1 {from}: accepted"));
    log(format!("0.1 {from}: speaks as {} ␛[2J", plain.address()));
    log(format!("0.1 {from}: connection ended: it was closed at the other end"));

    let mut wire = session(program.address(), p2.address(), "P2");
    log(format!("0.2 {}: accepted", wire.local()));
    log(format!("0.2 {}: speaks as {} P2", wire.local(), p2.address()));
    log(format!("0.2 {}: session with {} P2 begins", wire.local(), p2.address()));
    wire.write(format!("{} P2 one\n", p2.address()));
    wire.ping(1);
    let local = wire.local();
    wire.reset();
    let session = "it was broken off at the other end or on the way";
    log(format!("0.2 {local}: session with {} P2 ended: {session}", p2.address()));

    program.send(plain.address(), "hello");
    plain.take();
    program.stdout.expect("Message sent to");
    let log = |line: String| drop(program.stderr.expect(&format!("{line}\n")));
    log(format!("0.3 {}: dialled", plain.address()));
    log(format!("0.3 {}: the dial is up", plain.address()));
    log(format!("0.3 {}: connection ended: it was closed at the other end", plain.address()));
    assert!(!program.stderr.bytes().contains(&0x1b));
}

/// `HOST:PORT` was no address anywhere; of `LOCALHOST` not even in the chat.
#[test]
fn a_host_may_be_named_on_a_command_line() {
    let peer = Peer::new();
    let to = format!("LocalHost:{}", peer.port());
    let _sender = Program::spawn(&mut subcommand("send", &["--name", "P1", "--port", "9", &to, "hello"]));
    assert_eq!(peer.take(), "127.0.0.1:9 P1 hello");
    let mut program = Program::node_with("P1", &["--static-peer", &to]);
    program.type_line("4\nhello");
    assert_eq!(peer.take(), format!("{} P1 hello", program.address()));
    program.type_line(format_args!("/msg {to} hi"));
    assert_eq!(peer.take(), format!("{} P1 hi", program.address()));
    let nobody = Port::reserve();
    let mut swarm =
        Program::spawn(&mut swarm_command(format_args!("localhost:{}", nobody.number()), "--peers 1"));
    swarm.stdout.expect(&format!("to {}", nobody.address()));
    assert_eq!(swarm.wait(), 1);
}

#[test]
fn a_host_that_cannot_be_looked_up_is_told_before_anything_is_done() {
    // No question leaves this network.
    in_namespace(&[], || {
        let host = "chat.invalid:8080";
        let peer = Peer::new();
        let to = format!("{},{host}", peer.address());
        let chat = ["--name", "P1", "--port", "0", "--static-peer", host];
        for (mut program, code) in [
            (Program::spawn(&mut subcommand("send", &[&to, "hello"])), 3),
            (Program::spawn(&mut swarm_command(host, "")), 2),
            (Program::start(&chat), 2),
        ] {
            assert_eq!(program.stdout.rest(), "");
            assert_eq!(program.wait(), code);
            let told = String::from_utf8(program.stderr.bytes()).unwrap();
            assert!(told.contains("chat.invalid:8080 cannot be looked up: "), "{told}");
        }
        assert!(!peer.is_dialled());
    });
}

/// It was called no IP address, with no word of why.
#[test]
fn a_host_that_is_named_in_the_chat_is_refused_with_what_would_do() {
    let mut program = Program::node("P1");
    for line in ["1\nbob.example:8080\n", "1\nbob.example\n", "/msg bob:8080 hi", "3\nbob.example:1\n"] {
        program.type_line(line);
        program.stdout.expect(" is no address, and names of hosts cannot be used here; give an IP:PORT, ");
    }
}
