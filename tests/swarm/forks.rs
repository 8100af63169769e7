//! Targets that serve with a process for each connection.

use crate::common::program::Program;
use crate::outcome::{Outcome, start};
use chinwag::swarm::report::Report;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A server that forks for each connection, uses some CPU for each message, and reads until the end. A line before
/// the script can say what happens to its children.
const SERVER: &str = "
import os, signal, socket
listener = socket.create_server(('127.0.0.1', 0), backlog=1000)
print(listener.getsockname()[1], flush=True)
while True:
    stream, _ = listener.accept()
    if os.fork() == 0:
        listener.close()
        for line in stream.makefile('rb'):
            sum(range(2000))
        os._exit(0)
    stream.close()
    try:
        while os.waitpid(-1, os.WNOHANG)[0]: pass
    except ChildProcessError: pass
";

/// The server ends with the test; its children end with their connections.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The report of a run against the server, which must exit with code 0; `None` if there is no Python.
fn report(first_line: &str, args: &str) -> Option<Report> {
    let mut command = Command::new("python3");
    command.args(["-c", &format!("import signal\n{first_line}\n{SERVER}")]).stdout(Stdio::piped());
    let mut server = Server(command.spawn().ok()?);
    let mut port = String::new();
    BufReader::new(server.0.stdout.take()?).read_line(&mut port).expect("it says where it listens");
    let swarm: Program = start(
        format!("127.0.0.1:{}", port.trim()),
        &format!("{args} --lines --json - --pid {}", server.0.id()),
    );
    let outcome = Outcome::of(swarm);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{args}: {}", outcome.stdout);
    Some(outcome.report())
}

#[test]
fn the_children_of_a_target_are_counted_with_it() {
    for args in ["flood --messages 5000 --peers 10", "churn --messages 300"] {
        let Some(report) = report("", args) else { return };
        let target = report.target.expect("it was named");
        // Each message takes some 20 microseconds there, and each fork some 200.
        assert!(target.cpu_ns_per_message.is_some_and(|used| used > 5_000.0), "{args}: {target:?}");
        assert!(args.starts_with("churn") || target.processes == 11, "{args}: {target:?}");
    }
}

#[test]
fn a_burst_says_that_it_cannot_measure_a_target_that_forks() {
    let Some(report) = report("", "burst --rounds 2 --warm-up 0 --peers 5") else { return };
    assert_eq!((report.counts.sent, report.counts.taken), (10, 10));
    assert_eq!(report.target.expect("it was named").cpu_ns_per_message, None);
    assert!(
        report.remarks.iter().any(|remark| remark.contains("serves with several")),
        "{:?}",
        report.remarks
    );
}

#[test]
fn what_children_used_is_not_reported_if_the_target_ignores_their_end() {
    let Some(report) = report("signal.signal(signal.SIGCHLD, signal.SIG_IGN)", "churn --messages 50") else {
        return;
    };
    assert_eq!((report.counts.taken, report.target), (50, None));
    assert!(report.remarks.iter().any(|remark| remark.contains("ignores SIGCHLD")), "{:?}", report.remarks);
}
