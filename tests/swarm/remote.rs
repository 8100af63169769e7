//! A target beyond loopback, in a network that leads nowhere.

use crate::common::program::Program;
use crate::common::program::swarm_command;
use crate::namespace::in_namespace;
use crate::outcome::{Outcome, node};
use std::io::ErrorKind;
use std::net::TcpListener;

const ADDRESS: &str = "10.206.4.122";
const QUESTION: &str = "Is that machine yours to load? [y/N] ";

#[test]
fn whoever_does_not_say_yes_loads_nobody() {
    in_namespace(&[ADDRESS], || {
        let witness = TcpListener::bind((ADDRESS, 0)).expect("an address of this network");
        witness.set_nonblocking(true).expect("a listener");
        for answer in [Some("n"), Some(""), Some("sure"), None] {
            let target = witness.local_addr().expect("an address");
            let mut swarm = Program::spawn(&mut swarm_command(target, "--peers 50 --allow-remote"));
            swarm.stderr.expect(&format!("About to open 50 connections to {target} for hold. {QUESTION}"));
            match answer {
                Some(answer) => swarm.type_line(answer),
                None => swarm.close_stdin(),
            }
            let outcome = Outcome::of(swarm);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{answer:?}");
            assert!(outcome.stderr.contains("Nothing was done."), "{}", outcome.stderr);
            let dialled = witness.accept();
            assert!(dialled.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "{answer:?}");
        }
    });
}

#[test]
fn whoever_says_yes_gets_the_run() {
    in_namespace(&[ADDRESS], || {
        let node = node();
        let target = format!("{ADDRESS}:{}", node.port());
        let args = "--peers 50 --time 0.1 --json - --allow-remote";
        for words in ["", "--yes"] {
            let mut swarm = Program::spawn(&mut swarm_command(&target, &format!("{args} {words}")));
            if words.is_empty() {
                swarm.stderr.expect(QUESTION);
                swarm.type_line("y");
            }
            let outcome = Outcome::of(swarm);
            assert_eq!((outcome.code, outcome.report().counts.answered), (0, 50), "{}", outcome.stderr);
        }
    });
}
