//! A target beyond loopback, in a network that leads nowhere.

use crate::common::program::{Program, command_with_default_static_peers, swarm_command};
use crate::namespace::in_namespace;
use crate::outcome::{Outcome, node};
use std::io::ErrorKind;
use std::net::TcpListener;

const ADDRESS: &str = "10.206.4.122";
const QUESTION: &str = "Are you allowed to load that machine? [y/N] ";

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

/// Sets the ports from which the system chooses in this network, and those of them that are reserved.
fn narrow_ports(range: &str, reserved: &str) {
    for (file, text) in [("ip_local_port_range", range), ("ip_local_reserved_ports", reserved)] {
        std::fs::write(format!("/proc/sys/net/ipv4/{file}"), text).expect("it is a network of our own");
    }
}

#[test]
fn a_lack_of_ports_is_reported_before_the_run_and_named_in_its_report() {
    in_namespace(&[ADDRESS], || {
        let node = node();
        let target = format!("{ADDRESS}:{}", node.port());
        narrow_ports("50000 50199", "50000-50099");
        let run = |args: &str| {
            Outcome::of(Program::spawn(&mut swarm_command(&target, &format!("{args} --allow-remote --yes"))))
        };
        let outcome = run("churn --messages 101 --in-flight 4");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
        assert!(outcome.stderr.contains("has 100 ports"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("--rate 1 or less"), "{}", outcome.stderr);
        // Ports of other programs cannot be known before the run.
        let take = |port| TcpListener::bind((ADDRESS, port)).expect("a free port");
        let taken: Vec<_> = (50_100..50_170).map(take).collect();
        let outcome = run("churn --messages 60 --in-flight 4 --json -");
        let report = outcome.report();
        assert_eq!((outcome.code, report.counts.taken, report.counts.unsent), (1, 30, 30), "{report:?}");
        assert_eq!(report.counts.failed.into_iter().collect::<Vec<_>>(), [("no-port".to_owned(), 30)]);
        let remarks = report.remarks.join(" ");
        assert!(remarks.contains("30 dials found no free port"), "{remarks}");
        assert!(!remarks.contains("bottleneck") && !remarks.contains("listen"), "{remarks}");
        // Ports of earlier connections to the target can.
        let outcome = run("churn --messages 71 --in-flight 4");
        assert!(
            outcome.stderr.contains("70 ports (30 more are held by earlier connections)"),
            "{}",
            outcome.stderr
        );
        let words = ["send", "--name", "x", "--port", "7071", &target, "hello"];
        let sent = Outcome::of(Program::spawn(&mut command_with_default_static_peers(&words)));
        assert_eq!(sent.code, 3, "{sent:?}");
        assert!(sent.stderr.contains("no free local port left to reach"), "{sent:?}");
        drop(taken);
    });
}
