//! A run that is cut short: it reports the numbers so far, and leaves no process behind.

use crate::common::program::{Program, swarm_command};
use crate::outcome::{Outcome, start};
use chinwag::swarm::generator::Ending;
use chinwag::swarm::report::Report;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A node whose peers the test can see.
struct Open(Program);

impl Open {
    fn new() -> Self {
        Self(Program::node_with("N", &["--headless"]))
    }

    /// Waits until so many peers are connected.
    fn await_peers(&self, count: usize) {
        self.0.stdout.expect_that("every peer", |all| all.matches(" connected with you\n").count() >= count);
    }
}

/// A target that reads everything, and says when the first message has come.
fn sink() -> (SocketAddr, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (sender, first) = channel();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut chunk = vec![0; 64 * 1024];
                while stream.read(&mut chunk).is_ok_and(|count| count > 0) {
                    let _ = sender.send(());
                }
            });
        }
    });
    (address, first)
}

#[track_caller]
fn assert_interrupted(swarm: Program) -> Report {
    let outcome = Outcome::of(swarm);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (130, ""), "{}", outcome.stdout);
    let report = outcome.report();
    assert_eq!(report.ending, Ending::Interrupted);
    let counts = &report.counts;
    assert_eq!(counts.sent, counts.taken + counts.lost, "{report:?}");
    assert_eq!(counts.failures(), 0, "{report:?}");
    assert!(report.remarks.iter().any(|remark| remark.contains("Interrupted")), "{report:?}");
    report
}

#[test]
fn a_hold_ends_with_the_numbers_so_far() {
    for (signal, processes) in [(Signal::INT, 1), (Signal::TERM, 1), (Signal::HUP, 1), (Signal::INT, 2)] {
        let node = Open::new();
        let args = format!("hold --time 1000 --peers 200 --json - --processes {processes}");
        let swarm = start(node.0.address(), &args);
        node.await_peers(200);
        swarm.signal(signal);
        let report = assert_interrupted(swarm);
        // Answers to the last peers may still have been under way, so they are not counted here.
        assert_eq!((report.counts.connected, report.setup.processes), (200, processes));
    }
}

#[test]
fn a_flood_counts_what_it_has_sent() {
    for processes in [1, 2] {
        let (target, first) = sink();
        let args = format!("flood --lines --messages 1000000000 --peers 50 --json - --processes {processes}");
        let swarm = start(target, &args);
        first.recv().expect("a message");
        swarm.signal(Signal::INT);
        let report = assert_interrupted(swarm);
        assert!(report.counts.sent > 0, "{report:?}");
        assert!(report.generator.cpu_seconds > 0.0, "{report:?}");
    }
}

#[test]
fn the_table_is_printed_all_the_same() {
    let node = Open::new();
    let swarm = start(node.0.address(), "hold --time 1000 --peers 50");
    node.await_peers(50);
    swarm.signal(Signal::INT);
    let outcome = Outcome::of(swarm);
    assert_eq!(outcome.code, 130);
    assert!(
        outcome.stdout.contains("hold: ") && outcome.stdout.contains("interrupted"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn a_target_that_was_measured_still_is() {
    let node = Open::new();
    let args = format!("hold --time 1000 --peers 50 --json - --pid {}", node.0.pid().as_raw_nonzero());
    let swarm = start(node.0.address(), &args);
    node.await_peers(50);
    swarm.signal(Signal::INT);
    let report = assert_interrupted(swarm);
    let target = report.target.expect("it was named");
    assert!(target.memory_connected > 0 && target.memory_after > 0, "{target:?}");
}

#[test]
fn a_signal_to_the_whole_group_counts_once() {
    for processes in [1, 2] {
        let node = Open::new();
        let args = format!("hold --time 1000 --peers 100 --json - --processes {processes}");
        let mut command = swarm_command(node.0.address(), &args);
        let swarm = Program::spawn(command.process_group(0));
        node.await_peers(100);
        kill_process_group(swarm.pid(), Signal::INT).expect("the group is there");
        assert_eq!(assert_interrupted(swarm).counts.connected, 100);
    }
}

#[test]
fn an_interrupt_does_not_wait_for_the_target() {
    for processes in [1, 2] {
        // It accepts connections, and then does nothing at all.
        let target = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let args =
            format!("hold --lines --time 1000 --timeout 80000 --peers 10 --json - --processes {processes}");
        let swarm = start(target.local_addr().expect("an address"), &args);
        let streams: Vec<_> = (0..10).map(|_| target.accept().expect("a peer").0).collect();
        swarm.signal(Signal::INT);
        for mut stream in &streams {
            // Every peer says goodbye.
            assert_eq!(stream.read(&mut [0]).expect("the end of the stream"), 0);
        }
        assert_interrupted(swarm);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_does_not_wait_for_a_target_that_never_rests() {
    // It spins when it has its connections, so its CPU clock never stands still before the start.
    let script = "import socket\ns = socket.create_server(('127.0.0.1', 0))\n\
                  print(s.getsockname()[1], flush=True)\nkept = [s.accept() for _ in range(2)]\n\
                  print('there', flush=True)\nwhile True: pass";
    let mut command = Command::new("python3");
    let Ok(mut target) = command.args(["-c", script]).stdout(Stdio::piped()).spawn() else { return };
    let mut lines = BufReader::new(target.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let port = lines.next().expect("a port");
    let args = format!("hold --lines --time 1000 --peers 2 --processes 2 --json - --pid {}", target.id());
    let swarm = start(format!("127.0.0.1:{port}"), &args);
    assert_eq!(lines.next().as_deref(), Some("there"));
    swarm.signal(Signal::INT);
    assert_interrupted(swarm);
    target.kill().expect("it runs");
    target.wait().expect("a child of this one");
}

#[test]
fn a_second_signal_ends_a_program_whose_report_nobody_reads() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&writer, true).expect("a pipe");
    while writer.write(&[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).expect("a pipe");
    let node = Open::new();
    let mut command = swarm_command(node.0.address(), "hold --time 0.01 --peers 1");
    let mut swarm = command.stdout(writer).stderr(Stdio::null()).spawn().expect("the program starts");
    node.await_peers(1);
    let pid = Pid::from_child(&swarm);
    let status = loop {
        // The first signals may come during the run.
        kill_process(pid, Signal::INT).expect("a child of this one");
        if let Some(status) = swarm.try_wait().expect("a child of this one") {
            break status;
        }
        thread::yield_now();
    };
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()));
    drop(reader);
}

#[cfg(target_os = "linux")]
#[test]
fn a_burst_leaves_the_target_running() {
    // The signals come at different moments: while the target settles, while it is stopped, and while it works.
    for (rounds, processes) in (1..=12).map(|rounds| (rounds, 1 + rounds % 2)) {
        let node = Open::new();
        let pid = node.0.pid().as_raw_nonzero();
        let args = format!(
            "burst --rounds 10000 --peers 20 --json - --timeout 1000 --pid {pid} --processes {processes}"
        );
        let swarm = start(node.0.address(), &args);
        node.0.stdout.expect_that("some rounds", |all| all.matches(" p0 m").count() >= rounds);
        swarm.signal(Signal::INT);
        assert_interrupted(swarm);
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the node lives");
        let state = stat.rsplit_once(") ").expect("a state").1;
        assert!(!state.starts_with('T'), "{stat}");
    }
}

#[test]
fn workers_do_not_outlive_the_process_that_directs_them() {
    let node = Open::new();
    let mut command = swarm_command(node.0.address(), "hold --time 1000 --peers 30 --processes 3");
    let mut swarm: Child = command.spawn().expect("the program starts");
    let mut stderr = swarm.stderr.take().expect("a pipe");
    node.await_peers(30);
    swarm.kill().expect("it runs");
    swarm.wait().expect("a child of this one");
    // The workers hold stderr open as long as they live.
    let mut said = String::new();
    stderr.read_to_string(&mut said).expect("UTF-8");
    assert_eq!(said, "");
}

/// Every process ignores SIGINT, so SIGTERM must be passed on as SIGTERM.
#[test]
#[cfg(target_os = "linux")]
fn a_run_that_was_started_with_interrupts_ignored_ends_on_a_termination() {
    for processes in [1, 2] {
        let node = Open::new();
        let command = swarm_command(
            node.0.address(),
            &format!("hold --time 600 --peers 200 --json - --processes {processes}"),
        );
        let mut script = Command::new("sh");
        script
            .args(["-c", "trap '' INT; exec \"$0\" \"$@\""])
            .arg(command.get_program())
            .args(command.get_args());
        script.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let swarm = Program::spawn(&mut script);
        node.await_peers(200);
        swarm.signal(Signal::INT);
        swarm.signal(Signal::TERM);
        assert_interrupted(swarm);
    }
}
