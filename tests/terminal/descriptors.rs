//! More connections than there is room for.

use crate::common::peer::{Peer, Wire, session};
use crate::common::program::{Program, command_with_descriptors};
use crate::common::skip;
use serde_json::Value;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

#[test]
fn without_a_free_descriptor_peers_are_served_and_freed_ones_are_used_again() {
    let peer = Peer::new();
    let args = ["--name", "P1", "--port", "0", "--connections-max", "1000"];
    let mut program = Program::spawn(&mut command_with_descriptors(48, &args)).listening();
    let mut wire = session(program.address(), peer.address(), "P2");
    let crowd: Vec<Wire> = (0..60).map(|_| Wire::dial(program.address())).collect();
    // For the last ones there is no descriptor left.
    let mut last = crowd.into_iter().rev().collect::<Vec<_>>();
    last[0].expect_closed();
    wire.ping(1);
    wire.write(format!("{} P2 still here\n", peer.address()));
    program.stdout.expect(&format!("{} P2 still here\n", peer.address()));
    last.clear();
    // After this answer, the program has noticed everyone who closed before it.
    wire.ping(2);
    let mut new = Wire::dial(program.address());
    new.write("127.0.0.1:9 P3 at last\n");
    program.stdout.expect("127.0.0.1:9 P3 at last\n");
    program.send(peer.address(), "and out again");
    assert_eq!(wire.read_line(), format!("{} P1 and out again\n", program.address()));
    assert!(String::from_utf8(program.stderr.bytes()).unwrap().contains("a peer was refused"));
}

/// More connections than there are descriptors.
const CROWD: u64 = 50;

/// Dials that many times, and waits until the last connection was served or refused; they are handled in order.
fn crowd(address: SocketAddr) -> Vec<Wire> {
    let mut crowd: Vec<Wire> = (0..CROWD).map(|_| Wire::dial(address)).collect();
    crowd.last_mut().expect("a crowd").expect_closed();
    crowd
}

#[test]
fn a_peer_that_is_refused_because_no_descriptor_is_left_is_counted() {
    let args = ["--name", "P1", "--port", "0", "--connections-max", "1000"];
    let mut program = Program::spawn(&mut command_with_descriptors(48, &args)).listening();
    let _crowd = crowd(program.address());
    program.type_line("/stats");
    let told = program.stdout.expect(" refused so far");
    let before = |word: &str| told.split_once(word)?.0.rsplit(' ').next()?.parse::<u64>().ok();
    let (accepted, refused) = (before(" accepted"), before(" refused"));
    assert_eq!(accepted.zip(refused).map(|(accepted, refused)| accepted + refused), Some(CROWD), "{told}");
    assert!(refused > Some(0), "{told}");
}

#[test]
fn a_program_can_read_how_many_were_refused_because_no_descriptor_was_left() {
    let args = ["--json", "--name", "P1", "--port", "0", "--connections-max", "1000"];
    let mut program = Program::spawn(&mut command_with_descriptors(48, &args));
    let event = |program: &Program| -> Value {
        serde_json::from_str(&program.stdout.expect("\n")).expect("an event in a line")
    };
    let port = event(&program)["port"].as_u64().and_then(|port| u16::try_from(port).ok());
    let _crowd = crowd(SocketAddr::from(([127, 0, 0, 1], port.expect("a port"))));
    program.type_line("/stats");
    let stats = event(&program);
    let count = |name: &str| stats[name].as_u64().expect("a count");
    assert!(count("refused") > 0 && count("accepted") + count("refused") == CROWD, "{stats}");
}

#[test]
fn too_few_descriptors_for_one_peer_are_reported_with_exit_code_2() {
    let args = ["--name", "P1", "--port", "0", "--headless"];
    for (count, is_enough) in [(6, false), (8, false), (12, false), (24, true)] {
        let mut program = Program::spawn(&mut command_with_descriptors(count, &args));
        if is_enough {
            program = program.listening();
            Wire::dial(program.address()).write("127.0.0.1:9 P2 hello\n");
            program.stdout.expect("127.0.0.1:9 P2 hello\n");
            continue;
        }
        assert_eq!((program.stdout.rest().as_str(), program.wait()), ("", 2), "{count}");
        let told = String::from_utf8(program.stderr.bytes()).unwrap();
        assert!(told.contains(&format!("the limit on open files is {count}; raise it")), "{told}");
    }
}

/// The chat took that for a limit of zero, and served nobody.
#[test]
#[cfg(target_os = "linux")]
fn peers_are_served_even_if_the_limit_is_unknown() {
    if !Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success()) {
        return skip("a refused prlimit: there is no strace here");
    }
    let mut traced = Command::new("strace");
    traced.args([
        "-f",
        "-o",
        "/dev/null",
        "-e",
        "inject=prlimit64:error=EPERM",
        env!("CARGO_BIN_EXE_chinwag"),
    ]);
    traced.args(["--name", "P1", "--port", "0", "--no-known-peers", "--static-peer", "127.0.0.1:1"]);
    traced.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = Program::spawn(&mut traced).listening();
    Wire::dial(program.address()).write("127.0.0.1:9 P2 hello\n");
    program.stdout.expect("127.0.0.1:9 P2 hello\n");
    program.type_line(0);
    program.stdout.rest();
    assert_eq!(program.wait(), 0);
    assert!(
        String::from_utf8(program.stderr.bytes()).unwrap().contains("the limit on open files is unknown")
    );
}

#[test]
fn over_the_limit_the_newest_is_refused_and_the_others_are_served() {
    // 32 are kept for everything except peers.
    const ROOM: usize = 8;
    let args = ["--name", "P1", "--port", "0"];
    let program = Program::spawn(&mut command_with_descriptors(32 + ROOM as u32, &args)).listening();
    let mut wires: Vec<Wire> = (0..ROOM).map(|_| Wire::dial(program.address())).collect();
    let say_all = |wires: &mut [Wire], text: &str| {
        for (n, wire) in wires.iter_mut().enumerate() {
            let message = format!("127.0.0.1:{} P{n} {text}\n", n + 1);
            wire.write(&message);
            program.stdout.expect(&message);
        }
    };
    say_all(&mut wires, "hello");
    Wire::dial(program.address()).expect_closed();
    say_all(&mut wires, "still here");
    // A drop alone may close later: a program that another test is just starting holds our sockets until its exec.
    wires.pop().unwrap().half_close();
    // After this is shown, the program has noticed everyone who closed before it.
    say_all(&mut wires, "room for one");
    let mut wire = Wire::dial(program.address());
    wire.write("127.0.0.1:9 P9 hello\n");
    program.stdout.expect("127.0.0.1:9 P9 hello\n");
}
