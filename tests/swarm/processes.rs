//! A run that several processes share.

use crate::outcome::{PEERS, node, report, taken};
use chinwag::swarm::report::Report;
use chinwag::swarm::tally::Measure;
use rustix::process::Signal;

/// The report of three processes together against a node of their own, and the node's tally.
#[track_caller]
fn three(args: &str) -> (Report, String) {
    let mut node = node();
    let report = report(node.address(), &format!("{args} --processes 3"));
    assert_eq!(report.setup.processes, 3);
    assert_eq!(report.setup.in_flight, 64);
    node.signal(Signal::TERM);
    let tally = node.stdout.rest();
    assert_eq!(node.wait(), 0);
    (report, tally)
}

#[test]
fn the_peers_of_all_processes_are_different_ones() {
    let (report, tally) = three("flood --messages 200 --lines");
    assert_eq!((report.setup.peers as u64, report.counts.connected), (PEERS, PEERS));
    assert_eq!(taken(&report, Measure::Dial), PEERS);
    assert_eq!(tally, "Received 200 messages from 200 peers.\nExiting\n");
    let (report, _) = three("hold --time 0.1");
    assert_eq!((taken(&report, Measure::Dial), taken(&report, Measure::Answer)), (PEERS, PEERS));
    assert_eq!(report.counts.answered, PEERS);
}

#[test]
fn the_messages_of_all_processes_add_up() {
    let (report, tally) = three("flood --messages 4993 --batch 10");
    assert_eq!((report.counts.sent, report.counts.taken), (4993, 4993));
    assert_eq!(tally, "Received 4,993 messages from 200 peers.\nExiting\n");
    let (report, tally) = three("churn --messages 500");
    assert_eq!((report.counts.connected, report.counts.taken), (500, 500));
    assert_eq!(taken(&report, Measure::Exchange), 500);
    assert_eq!(tally, "Received 500 messages from 500 peers.\nExiting\n");
}

#[test]
fn the_questions_of_all_processes_add_up_and_so_do_those_who_ask() {
    for active in [1, 2, 7] {
        let (report, _) = three(&format!("ping --messages 100 --active {active}"));
        assert_eq!((taken(&report, Measure::RoundTrip), report.counts.answered), (100, PEERS));
        let asked = chinwag::swarm::plan::Scenario::Ping { rounds: 100, active };
        assert_eq!(report.setup.scenario, asked);
    }
}

#[test]
fn all_processes_write_their_bursts_while_the_target_is_stopped() {
    let node = node();
    let pid = node.pid().as_raw_nonzero();
    let report = report(node.address(), &format!("burst --rounds 1 --processes 3 --pid {pid}"));
    assert_eq!((report.counts.sent, report.counts.taken), (PEERS * 21, PEERS * 21));
    assert!(report.target.expect("it was named").cpu_ns_per_message.is_some());
}
