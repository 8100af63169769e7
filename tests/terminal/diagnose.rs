//! `chinwag diagnose`: what is printed, and the exit code. The faults that need a network of their own are in `tests/reach`.

use crate::common::peer::Peer;
use crate::common::port::Port;
use crate::common::program::{Program, subcommand};
use rustix::process::Signal;
use serde_json::Value;

fn diagnose(args: &[&str]) -> Program {
    Program::spawn(&mut subcommand("diagnose", args))
}

/// Waits for its end; stderr must be empty. Returns the exit code and stdout.
fn outcome(program: &mut Program) -> (i32, String) {
    let code = program.wait();
    let told = String::from_utf8(program.stderr.bytes()).unwrap();
    assert_eq!(told, "");
    (code, program.stdout.rest())
}

#[test]
fn a_chat_that_reaches_us_too_is_diagnosed_in_six_stages_and_forgets_us() {
    let mut chat = Program::node("anna");
    let (code, said) = outcome(&mut diagnose(&["--name", "P2", &chat.address().to_string()]));
    let lines: Vec<&str> = said.lines().collect();
    let begin = |n: usize, words: &str| assert!(lines[n].starts_with(words), "{said}");
    begin(0, &format!("Diagnosing the way to {}; ", chat.address()));
    for (n, stage) in ["our side", "route", "dial", "greeting", "way back", "round trip"].iter().enumerate() {
        begin(n + 1, &format!("{}. {stage}: ", n + 1));
        assert!(lines[n + 1].ends_with("s)"), "each has its time: {said}");
    }
    begin(7, "You and anna reach each other: ");
    assert_eq!((code, lines.len()), (0, 8), "{said}");
    chat.stdout.expect(") disconnected\n");
    let listed = chat.query();
    assert!(listed.active.is_empty() && listed.contacted.is_empty());
}

#[test]
fn with_json_each_stage_is_an_event_and_the_last_one_is_the_verdict() {
    let nobody = Port::reserve();
    let (code, said) = outcome(&mut diagnose(&["--json", &nobody.address().to_string()]));
    let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let words: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(words, ["diagnosing", "diagnosed", "diagnosed", "diagnosed", "verdict"]);
    assert_eq!(events[3]["outcome"], "refused");
    assert_eq!((code, &events[4]["outcome"]), (1, &"unreachable".into()));
}

#[test]
fn a_published_peer_gets_the_connect_word_and_an_exit_and_never_an_empty_connection() {
    let peer = Peer::new();
    let mut program = diagnose(&["--name", "P1", &peer.address().to_string()]);
    let connect = peer.take();
    assert!(connect.ends_with(" P1 connect"), "{connect}");
    let exit = peer.take();
    assert!(exit.ends_with(" P1 exit"), "{exit}");
    let (code, said) = outcome(&mut program);
    assert!(code == 3 && said.contains("4. greeting: it took the connect and closed"), "{said}");
}

#[test]
fn wrong_usage_and_a_port_that_is_taken_are_2() {
    let chat = Program::node("P1");
    let (address, port) = (chat.address().to_string(), chat.port().to_string());
    let (code, said) = outcome(&mut diagnose(&["--port", &port, &address]));
    assert!(code == 2 && said.contains("is in use by another program"), "{said}");
    for wrong in [&[][..], &["bob"], &["127.0.0.1:0"], &["0.0.0.0:1"], &["127.0.0.1:1", "x"]] {
        let mut program = diagnose(wrong);
        assert_eq!((program.wait(), program.stdout.rest().as_str()), (2, ""), "{wrong:?}");
    }
}

#[test]
fn a_signal_ends_it_without_a_verdict() {
    let peer = Peer::new();
    let mut program = diagnose(&[&peer.address().to_string()]);
    let wire = peer.accept();
    program.stdout.expect("3. dial: connected");
    program.signal(Signal::TERM);
    assert_eq!(program.wait(), 1);
    assert_eq!(String::from_utf8(program.stderr.bytes()).unwrap(), "A signal came before the verdict.\n");
    drop(wire);
}

#[test]
fn a_script_at_the_menu_is_asked_again_when_the_verdict_is_there() {
    let nobody = Port::reserve();
    let mut chat = Program::node("P1");
    chat.type_line(format_args!("/diagnose {}\n0", nobody.address()));
    chat.stdout.expect("3. dial: refused");
    chat.stdout.expect("No program listens on port ");
    assert_eq!(chat.wait(), 0);
}
