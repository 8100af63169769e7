//! The command line.

use crate::common::peer::{Peer, say, session};
use crate::common::program::{Program, command};
use chinwag::limits::{LINE_BYTES_MAX, MEMORY_BYTES_MIN};
use rustix::process::Signal;
use std::process::Stdio;

/// Runs it to its end; returns the exit code, stdout and stderr.
fn run(args: &[&str]) -> (i32, String, String) {
    let mut program = Program::start(args);
    let stdout = program.stdout.rest();
    let code = program.wait();
    (code, stdout, String::from_utf8(program.stderr.bytes()).unwrap())
}

#[test]
fn help_explains_itself_with_examples() {
    let (code, stdout, stderr) = run(&["--help"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    for word in
        ["Examples:", "--json", "chinwag send", "--name", "--port", "--headless", "--static-peer", "RUST_LOG"]
    {
        assert!(stdout.contains(word), "{word} is missing:\n{stdout}");
    }
}

#[test]
fn the_version_is_shown() {
    let (code, stdout, stderr) = run(&["--version"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(stdout, format!("chinwag {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_is_explained_on_stderr_with_exit_code_2() {
    let table: [(&[&str], &str); 8] = [
        (&["--headless"], "--name"),
        (&["--headless", "--name", "P1"], "--port"),
        (&["--json"], "--name"),
        (&["--json", "--name", "P1"], "--port"),
        (&["--port", "65536"], "65536"),
        (&["--name", "two words"], "two_words"),
        (&["--static-peer", "10.103.45.601:8080"], "IP:PORT"),
        (&["--no-such-flag"], "--no-such-flag"),
    ];
    for (args, word) in table {
        let (code, stdout, stderr) = run(args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}");
        assert!(stderr.contains(word), "{args:?}: {stderr}");
    }
}

#[test]
fn a_port_in_use_on_the_command_line_is_exit_code_2() {
    let taken = Program::node("P1");
    let port = taken.port().to_string();
    let (code, stdout, stderr) = run(&["--name", "P2", "--port", &port]);
    assert_eq!((code, stderr.as_str()), (2, ""));
    assert_eq!(stdout, format!("Port {port} is in use by another program; choose another one.\n"));
}

#[test]
fn headless_does_not_read_stdin_and_runs_until_a_signal() {
    let peer = Peer::new();
    let mut null = command(&["--name", "P1", "--port", "0", "--headless"]);
    null.stdin(Stdio::null());
    let null = Program::spawn(&mut null).listening();
    let mut closed = Program::node_with("P1", &["--headless"]);
    closed.close_stdin();
    for mut program in [null, closed] {
        say(program.address(), format!("{} P2 hello", peer.address()));
        program.stdout.expect("P2 hello\n");
        program.signal(Signal::TERM);
        assert_eq!(peer.take(), format!("{} P1 exit", program.address()));
        program.stdout.rest();
        assert_eq!(program.wait(), 0);
        let port = program.port();
        let all = String::from_utf8(program.stdout.bytes()).unwrap();
        let from = peer.address();
        assert_eq!(
            all,
            format!("Server listening on port {port}\nNew peer: P2 ({from})\n{from} P2 hello\nExiting\n")
        );
    }
}

#[test]
fn quiet_counts_what_peers_say_and_tells_the_tally_at_the_end() {
    let peer = Peer::new();
    let from = peer.address();
    let mut program = Program::node_with("P1", &["--headless", "--quiet"]);
    let mut wire = session(program.address(), from, "P2");
    wire.write(format!("{from} P2 one\n{from} P2 two\n{from} P2 three\n"));
    wire.ping(1);
    program.signal(Signal::TERM);
    assert_eq!(wire.read_line(), format!("{} P1 exit\n", program.address()));
    drop(wire);
    assert_eq!(program.stdout.rest(), "Received 3 messages from 1 peer.\nExiting\n");
    assert_eq!(program.wait(), 0);
}

#[test]
fn the_largest_limits_do_not_limit() {
    let peer = Peer::new();
    let max = usize::MAX.to_string();
    let flags = [
        "connections-max",
        "connections-per-ip-max",
        "dials-max",
        "memory-max",
        "peers-max",
        "send-queue-max",
    ];
    for flag in flags {
        let mut program = Program::node_with("P1", &[&format!("--{flag}"), &max]);
        program.send(peer.address(), flag);
        assert_eq!(peer.take(), format!("{} P1 {flag}", program.address()));
        let mut wire = session(program.address(), ([127, 0, 0, 1], 9).into(), "P2");
        wire.ping(1);
    }
}

#[test]
fn the_least_memory_is_enough_for_the_longest_message_in_each_direction() {
    let least = MEMORY_BYTES_MIN.to_string();
    let mut program = Program::node_with("P1", &["--memory-max", &least]);
    let from = ([127, 0, 0, 1], 9).into();
    let mut wire = session(program.address(), from, "P2");
    let head = format!("{from} P2 ");
    let text = "x".repeat(LINE_BYTES_MAX - head.len());
    let (early, late) = text.split_at(40_000);
    wire.write(format!("{head}{early}"));
    program.send(from, late);
    assert_eq!(wire.read_line(), format!("{} P1 {late}\n", program.address()));
    wire.write(format!("{late}\n"));
    wire.ping(1);
    program.stdout.expect(&text);
}

#[test]
fn the_claimed_ip_can_be_chosen() {
    let peer = Peer::new();
    let mut program = Program::node_with("P1", &["--ip", "127.0.0.9"]);
    program.send(peer.address(), "hello");
    assert_eq!(peer.take(), format!("127.0.0.9:{} P1 hello", program.port()));
}
