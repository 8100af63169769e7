//! Targets that do not do what they should. A run ends in any case, and says what was wrong.

use crate::common::port::Port;
use crate::common::program::Program;
use crate::outcome::{Outcome, run, start, with_peers};
use chinwag::swarm::generator::Ending;
use chinwag::swarm::report::Report;
use rustix::process::{Signal, kill_process};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// A target that calls `greet` with each connection, and keeps what that returns.
fn target<T: Send + 'static>(mut greet: impl FnMut(TcpStream) -> T + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept() {
            kept.push(greet(stream));
        }
    });
    address
}

/// The report of a run of twenty peers that must fail. `remark` must be in one of its remarks, and in the notes of
/// the table.
#[track_caller]
fn failed(target: SocketAddr, args: &str, remark: &str) -> Report {
    let run = |more: &str| run(target, &format!("{} {more}", with_peers(args, 20)));
    let Outcome { code, stdout, stderr } = run("");
    assert_eq!((code, stderr.as_str()), (1, ""), "{stdout}");
    let unwrapped = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unwrapped.contains(remark), "{stdout}");
    let outcome = run("--json -");
    assert_eq!(outcome.code, 1);
    let report = outcome.report();
    assert!(report.remarks.join("\n").contains(remark), "{:?}", report.remarks);
    assert_eq!(report.counts.sent, report.counts.taken + report.counts.lost, "{report:?}");
    report
}

fn reasons(report: &Report) -> Vec<(&str, u64)> {
    report.counts.failed.iter().map(|(reason, &count)| (reason.as_str(), count)).collect()
}

#[test]
fn nobody_listens() {
    let port = Port::reserve();
    for args in ["hold", "flood", "fan-out --lines", "hold --processes 2"] {
        let report = failed(port.address(), args, "does anything listen on 127.0.0.1:");
        assert_eq!((report.counts.dialled, report.counts.connected), (20, 0), "{args}");
        assert_eq!((reasons(&report), report.ending), (vec![("refused", 20)], Ending::Complete), "{args}");
    }
    let stdout = run(port.address(), "--peers 20").stdout;
    assert!(stdout.lines().any(|line| line.trim() == "refused 20"), "{stdout}");
    let report = failed(port.address(), "churn --messages 50", "does anything listen on");
    assert_eq!((reasons(&report), report.counts.sent), (vec![("refused", 50)], 0));
}

#[test]
fn it_closes_at_once() {
    let address = target(drop);
    let report = failed(address, "hold", "try --lines");
    assert_eq!((report.counts.connected, report.counts.failures()), (20, 20), "{report:?}");
    let report = failed(address, "flood --lines --messages 1000000 --length 1000", "");
    // It depends on the system whether anything was sent before the end was known.
    assert_eq!((report.counts.failures(), report.counts.taken), (20, 0), "{report:?}");
}

#[test]
fn it_answers_garbage() {
    let address = target(|mut stream| {
        stream.write_all(b"\xff\x00\x1b[31m garbage\nHTTP/1.1 400 Bad Request\n\n").expect("it reads");
        stream
    });
    let report = failed(address, "hold --timeout 1", "try --lines");
    assert_eq!((reasons(&report), report.ending), (vec![("timed-out", 20)], Ending::Stuck));
    assert!(report.counts.odd >= 40 && report.counts.answered == 0, "{report:?}");
    assert_eq!(report.odd_line.as_deref(), Some("\u{fffd}␀␛[31m garbage"));
    failed(address, "hold --timeout 1 --processes 2", "The first of them: \u{fffd}␀␛[31m garbage");
}

#[test]
fn its_answer_has_no_newline() {
    let address = target(|mut stream| {
        stream.write_all(b"127.0.0.1:9 N connected").expect("it reads");
        stream
    });
    let report = failed(address, "hold --timeout 3", "try --lines");
    assert_eq!((report.counts.odd, report.counts.answered), (20, 0), "{report:?}");
    assert_eq!(report.odd_line.as_deref(), Some("127.0.0.1:9 N connected"));
}

#[test]
fn it_never_answers() {
    for args in ["hold --timeout 1", "hold --timeout 1 --processes 2"] {
        let report = failed(target(|stream| stream), args, "Timed out: the target gave no answer");
        assert_eq!((reasons(&report), report.ending), (vec![("timed-out", 20)], Ending::Stuck), "{args}");
        assert_eq!((report.counts.connected, report.counts.answered), (20, 0), "{args}");
    }
}

#[test]
fn it_talks_and_never_ends() {
    for args in ["flood --lines --messages 100", "churn --messages 20", "flood --lines --processes 2"] {
        let address = target(|mut stream| {
            let mut reader = stream.try_clone().expect("a descriptor");
            thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
            thread::spawn(move || {
                // This is the rhythm of the target; the test does not wait for it.
                while stream.write_all(b"127.0.0.1:9 N have you heard\n").is_ok() {
                    thread::park_timeout(Duration::from_millis(100));
                }
            })
        });
        let report = failed(address, &format!("{args} --timeout 1"), "Timed out: the target gave no answer");
        assert_eq!((reasons(&report), report.ending), (vec![("timed-out", 20)], Ending::Stuck), "{args}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn it_dies_in_a_burst_and_stays_a_zombie() {
    // Until this process has waited for it, the target is a zombie, which takes the stop signal but never stops.
    let node = Program::node_with("N", &["--headless"]);
    let pid = node.pid();
    let args = format!("burst --rounds 1000000 --peers 20 --json - --pid {}", pid.as_raw_nonzero());
    let swarm = start(node.address(), &args);
    node.stdout.expect_that("a round", |all| all.contains(" p0 m"));
    kill_process(pid, Signal::KILL).expect("a child of this one");
    let outcome = Outcome::of(swarm);
    let report = outcome.report();
    assert_eq!((outcome.code, report.ending, report.counts.failures()), (1, Ending::Complete, 20));
    assert!(report.remarks.iter().any(|remark| remark.contains("ended during the run")), "{report:?}");
}

#[test]
fn it_never_reads() {
    let args = "flood --lines --messages 1000000 --length 60000 --timeout 1";
    let report = failed(target(|stream| stream), args, "Timed out: the target gave no answer");
    assert_eq!((reasons(&report), report.ending), (vec![("timed-out", 20)], Ending::Stuck));
    assert!(report.counts.lost > 0 && report.counts.taken == 0, "{report:?}");
}

#[test]
fn it_answers_some_and_not_others() {
    let mut count = 0;
    let address = target(move |mut stream| {
        count += 1;
        if count % 2 == 0 {
            stream.write_all(b"127.0.0.1:9 N connected chinwag/1\n").expect("it reads");
        }
        stream
    });
    let outcome = run(address, "hold --time 0.1 --timeout 1 --peers 20 --json -");
    let report = outcome.report();
    // The target never ends its side, so the peers that were answered fail too.
    assert_eq!((outcome.code, report.counts.answered, report.ending), (1, 10, Ending::Stuck));
    assert_eq!(reasons(&report), [("timed-out", 20)]);
}

#[test]
fn it_dies_in_the_middle() {
    // The target closes a connection when anything comes after the connect.
    let address = target(|mut stream| {
        stream.write_all(b"127.0.0.1:9 N connected chinwag/1\n").expect("it reads");
        thread::spawn(move || BufReader::new(stream).lines().nth(1));
    });
    // 2,000 messages are due in this time.
    let report = failed(address, "pace --pace 1 --time 100", " messages that were due");
    assert_eq!((report.counts.sent, report.counts.unsent), (20, 1980), "{report:?}");
    assert!(report.ending == Ending::Complete && report.seconds < 100.0, "{report:?}");
}
