//! Every scenario against the program itself: all goes as planned, and everything counts once.

use crate::common::program::{Program, command};
use crate::outcome::{Outcome, PEERS, node, report, start, taken};
use crate::scratch::Scratch;
use chinwag::swarm::report::Report;
use chinwag::swarm::tally::Measure;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

#[track_caller]
fn assert_sessions(report: &Report) {
    let counts = &report.counts;
    assert_eq!((counts.dialled, counts.connected, counts.answered), (PEERS, PEERS, PEERS));
    assert_eq!((taken(report, Measure::Dial), taken(report, Measure::Answer)), (PEERS, PEERS));
    assert_eq!(counts.odd, 0);
}

#[track_caller]
fn assert_lines(report: &Report) {
    let counts = &report.counts;
    assert_eq!((counts.dialled, counts.connected, counts.answered), (PEERS, PEERS, 0));
    assert_eq!((taken(report, Measure::Dial), taken(report, Measure::Answer)), (PEERS, 0));
}

/// So many messages were sent, and the target has read every one of them.
#[track_caller]
fn assert_taken(report: &Report, messages: u64) {
    assert_eq!((report.counts.sent, report.counts.taken), (messages, messages));
    assert_eq!(report.messages(), messages);
}

#[track_caller]
fn assert_on_timeline(report: &Report, messages: u64) {
    assert_eq!(report.timeline.slots.iter().sum::<u64>(), messages);
}

/// The tally that a quiet node prints at its end. It counts the peers that it has met, also those that said
/// goodbye.
#[track_caller]
fn assert_tally(mut node: Program, tally: &str) {
    node.signal(rustix::process::Signal::TERM);
    assert_eq!(node.stdout.rest(), format!("{tally}\nExiting\n"));
    assert_eq!(node.wait(), 0);
}

#[test]
fn hold_keeps_sessions_for_a_time() {
    let node = node();
    let report = report(node.address(), "hold --time 0.3");
    assert_sessions(&report);
    assert_taken(&report, 0);
    assert!(report.seconds >= 0.3, "{report:?}");
    assert_tally(node, "Received 0 messages from 200 peers.");
}

#[test]
fn hold_keeps_plain_connections_for_a_time() {
    let node = node();
    let report = report(node.address(), "--lines --time 0.1");
    assert_lines(&report);
    assert_taken(&report, 0);
    assert_tally(node, "Received 0 messages from 0 peers.");
}

#[test]
fn flood_counts_every_message_as_sent_and_taken() {
    for (args, messages, told) in [
        ("flood --messages 5000", 5000, "5,000"),
        ("flood --messages 5000 --lines", 5000, "5,000"),
        ("flood --messages 4993 --batch 10", 4993, "4,993"),
    ] {
        let node = node();
        let report = report(node.address(), args);
        if args.contains("--lines") {
            assert_lines(&report)
        } else {
            assert_sessions(&report)
        }
        assert_taken(&report, messages);
        assert_on_timeline(&report, messages);
        assert_tally(node, &format!("Received {told} messages from 200 peers."));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_memory_of_a_connection_is_not_reported_for_a_target_that_has_worked_before() {
    let node = node();
    let args = format!("hold --time 0.01 --pid {}", node.pid().as_raw_nonzero());
    // The second time the target uses memory that it has kept.
    let [_, again] = [(); 2].map(|()| report(node.address(), &args));
    assert_eq!(again.target.expect("it was named").memory_per_connection, None);
    let remark = "Memory for each connection is not known";
    assert!(again.remarks.iter().any(|told| told.starts_with(remark)), "{:?}", again.remarks);
}

#[test]
fn the_shortest_message_that_is_allowed_holds_the_longest_header() {
    let node = node();
    // 127.1.0.64:20003 p199 m
    let report = report(node.address(), "flood --messages 1000 --length 24");
    assert_eq!((report.counts.sent, report.counts.message_bytes_sent), (1000, 24_000));
}

#[test]
fn pace_sends_what_was_planned_and_takes_its_time() {
    let node = node();
    let planned = report(node.address(), "pace --pace 10 --time 0.5 --batch 2");
    assert_sessions(&planned);
    assert_taken(&planned, 1000);
    assert_on_timeline(&planned, 1000);
    assert_eq!((taken(&planned, Measure::RoundTrip), taken(&planned, Measure::Lateness)), (500, 500));
    let lines = report(node.address(), "pace --pace 10 --time 0.5 --lines");
    assert_lines(&lines);
    assert_taken(&lines, 1000);
    assert_eq!((taken(&lines, Measure::RoundTrip), taken(&lines, Measure::Lateness)), (0, 1000));
    // The peers said exit after the first run, so the same ones count again as plain peers.
    assert_tally(node, "Received 2,000 messages from 400 peers.");
}

#[test]
fn churn_makes_a_connection_for_each_message() {
    let node = node();
    let report = report(node.address(), "churn --messages 500 --in-flight 20");
    let counts = &report.counts;
    assert_eq!((counts.dialled, counts.connected, counts.answered), (500, 500, 0));
    assert_taken(&report, 500);
    assert_on_timeline(&report, 500);
    assert_eq!((taken(&report, Measure::Dial), taken(&report, Measure::Exchange)), (500, 500));
    assert_tally(node, "Received 500 messages from 500 peers.");
}

#[test]
fn ping_times_each_question() {
    let node = node();
    let report = report(node.address(), "ping --messages 500 --active 7");
    assert_sessions(&report);
    assert_eq!((taken(&report, Measure::RoundTrip), report.messages(), report.counts.sent), (500, 500, 0));
    assert_on_timeline(&report, 500);
    assert_tally(node, "Received 0 messages from 200 peers.");
}

#[test]
fn burst_stops_the_target_and_lets_it_go_on() {
    let node = node();
    let pid = node.pid().as_raw_nonzero();
    let report = report(node.address(), &format!("burst --rounds 2 --batch 3 --pid {pid}"));
    assert_sessions(&report);
    // Twenty warm-up rounds come before the rounds that are counted.
    assert_taken(&report, PEERS * 3 * 22);
    let target = report.target.expect("the target was named");
    assert_eq!((target.pid.cast_signed(), target.name.as_str()), (pid.get(), "chinwag"));
    assert!(target.cpu_ns_per_message.is_some_and(|time| time > 0.0), "{target:?}");
    assert_tally(node, "Received 13,200 messages from 200 peers.");
}

#[test]
fn a_target_that_is_named_is_measured() {
    let node = node();
    let pid = node.pid().as_raw_nonzero();
    let report = report(node.address(), &format!("flood --messages 20000 --pid {pid}"));
    let target = report.target.expect("the target was named");
    assert_eq!(target.pid.cast_signed(), pid.get());
    assert!(target.cpu_seconds > 0.0 && target.cpu_setup_seconds > 0.0, "{target:?}");
    assert!(target.memory_before > 0 && target.memory_connected > 0 && target.memory_after > 0, "{target:?}");
    assert!(report.host.target_descriptors_max.is_some());
}

#[test]
fn fan_out_types_on_the_target_s_stdin_and_times_each_delivery() {
    let scratch = Scratch::new("fan-out");
    let pipe = scratch.pipe("stdin");
    let stdin = File::options().read(true).write(true).open(&pipe).expect("a pipe");
    let mut node = command(&["--name", "N", "--port", "0", "--quiet"]);
    let node = Program::spawn(node.stdin(stdin)).listening();
    let report =
        report(node.address(), &format!("fan-out --rounds 4 --batch 3 --trigger {}", scratch.word("stdin")));
    assert_sessions(&report);
    assert_fan_out(&report, PEERS, 4, 3);
}

#[test]
fn a_batch_that_fills_the_pipe_is_typed_as_it_is_read() {
    let scratch = Scratch::new("full-pipe");
    let pipe = scratch.pipe("stdin");
    let stdin = File::options().read(true).write(true).open(&pipe).expect("a pipe");
    let mut node = command(&["--name", "N", "--port", "0", "--quiet"]);
    let node = Program::spawn(node.stdin(stdin)).listening();
    let args = format!(
        "fan-out --rounds 2 --batch 2000 --length 200 --peers 3 --json - --trigger {}",
        scratch.word("stdin")
    );
    let outcome = Outcome::of(start(node.address(), &args));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    assert_fan_out(&outcome.report(), 3, 2, 2000);
}

#[test]
fn fan_out_watches_what_the_user_of_the_target_sends() {
    let mut node = Program::node("N");
    let args = format!("fan-out --rounds 3 --peers {PEERS} --json -");
    let swarm = start(node.address(), &args);
    for peer in 0..PEERS {
        // The peers come in any order.
        node.stdout
            .expect_that("every peer", |all| all.matches("connected with you\n").count() as u64 > peer);
    }
    for round in 1..=3 {
        node.type_line(format_args!("5\nround {round}"));
        node.stdout.expect(&format!("Message sent to {PEERS} "));
    }
    let outcome = Outcome::of(swarm);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
    assert_fan_out(&outcome.report(), PEERS, 3, 1);
}

#[test]
fn fan_out_has_the_first_peer_speak_where_the_target_passes_messages_on() {
    let report = report(relay(PEERS as usize), "fan-out --relay --lines --rounds 5 --batch 2");
    assert_lines(&report);
    assert_fan_out(&report, PEERS - 1, 5, 2);
    assert_eq!((report.counts.sent, report.counts.taken), (10, 10));
}

#[track_caller]
fn assert_fan_out(report: &Report, listeners: u64, rounds: u64, batch: u64) {
    assert_eq!(
        (report.counts.heard, report.messages()),
        (listeners * rounds * batch, listeners * rounds * batch)
    );
    assert_eq!(
        (taken(report, Measure::Delivery), taken(report, Measure::ToAll)),
        (listeners * rounds, rounds)
    );
    assert_on_timeline(report, listeners * rounds * batch);
}

/// A target that passes every line on to all others, when so many peers are connected.
fn relay(peers: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let accept = || listener.accept().map(|(stream, _)| stream);
        let streams: Vec<TcpStream> = (0..peers).map(|_| accept().expect("a peer")).collect();
        let copies = || streams.iter().map(|stream| stream.try_clone().expect("a descriptor"));
        // Only one of them ever sends something, and only when all are connected.
        let handles: Vec<_> = copies()
            .enumerate()
            .map(|(speaker, stream)| {
                let mut all: Vec<TcpStream> = if speaker == 0 { copies().collect() } else { Vec::new() };
                thread::spawn(move || {
                    for line in BufReader::new(&stream).lines().map_while(Result::ok) {
                        for (_, other) in all.iter_mut().enumerate().filter(|(other, _)| *other != speaker) {
                            other.write_all(format!("{line}\n").as_bytes()).expect("it reads");
                        }
                    }
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                })
            })
            .collect();
        handles.into_iter().for_each(|handle| handle.join().expect("no panic"));
    });
    address
}
