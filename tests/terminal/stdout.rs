//! stdout: shared with others, slow, full, or gone.

use crate::common::output::Output;
use crate::common::peer::{Peer, Wire, say, session};
use crate::common::program::{Program, command};
use crate::pty;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::process::Signal;
use socket2::SockRef;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, PipeReader, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::channel;
use std::thread;

const NODE: [&str; 4] = ["--name", "P1", "--port", "0"];

/// A node whose stdout is a pipe of which only the port was read.
fn node_on_a_pipe() -> (Program, BufReader<PipeReader>, u16) {
    let (reader, writer) = io::pipe().unwrap();
    let program = Program::spawn(command(&NODE).stdout(writer));
    let mut reader = BufReader::new(reader);
    let line = line_of(&mut reader);
    let port = line.strip_prefix("Server listening on port ").unwrap().trim().parse().unwrap();
    (program, reader, port)
}

/// The memory of the process is a file, and nothing is mapped at its beginning: a write there fails with EIO, as on a
/// broken disk.
#[test]
#[cfg(target_os = "linux")]
fn a_failed_write_to_a_file_is_a_fault_and_not_a_hang_up() {
    let broken = File::options().write(true).open("/proc/self/mem").unwrap();
    let mut program = Program::spawn(command(&["--name", "P1", "--port", "0"]).stdout(broken));
    program.stderr.expect("error: the output cannot be written: Input/output error");
    assert_eq!(program.wait(), 1);
}

#[test]
fn a_closed_stdout_quits_without_a_panic() {
    let peer = Peer::new();
    let (mut program, reader, port) = node_on_a_pipe();
    drop(reader);
    let to = ([127, 0, 0, 1], port).into();
    say(to, format!("{} P2 hello", peer.address()));
    assert_eq!(peer.take(), format!("{to} P1 exit"));
    assert_eq!(program.wait(), 0);
    assert_eq!(program.stderr.bytes(), b"");
}

#[test]
fn a_session_gets_its_farewell_when_stdout_closes() {
    let (mut program, reader, port) = node_on_a_pipe();
    let to = ([127, 0, 0, 1], port).into();
    let mut peer = session(to, ([127, 0, 0, 1], 9).into(), "P2");
    drop(reader);
    peer.write("127.0.0.1:9 P2 hello\n");
    assert_eq!(peer.read_to_end(), format!("{to} P1 exit\n"));
    assert_eq!(program.wait(), 0);
}

#[test]
fn a_stdout_that_closes_does_not_cut_the_farewells_of_a_quit_short() {
    let peer = Peer::new();
    let (mut program, mut reader, port) = node_on_a_pipe();
    let to = ([127, 0, 0, 1], port).into();
    say(to, format!("{} P2 hello", peer.address()));
    while !line_of(&mut reader).ends_with("P2 hello\n") {}
    drop(reader);
    // The program notices it when it writes that it is exiting.
    program.signal(Signal::TERM);
    assert_eq!(peer.take(), format!("{to} P1 exit"));
    assert_eq!(program.wait(), 0);
    assert_eq!(program.stderr.bytes(), b"");
}

fn line_of(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    assert!(reader.read_line(&mut line).unwrap() > 0, "the program ended");
    line
}

#[test]
fn shared_pipes_stay_blocking() {
    let (stdin, _keyboard) = io::pipe().unwrap();
    let (reader, stdout) = io::pipe().unwrap();
    let (_errors, stderr) = io::pipe().unwrap();
    let mut start = command(&NODE);
    start.stdin(stdin.try_clone().unwrap()).stdout(stdout.try_clone().unwrap());
    let _program = Program::spawn(start.stderr(stderr.try_clone().unwrap()));
    Output::of(reader).expect("Enter choice: ");
    assert_blocking([&stdin, &stdout, &stderr]);
}

#[test]
fn a_shared_terminal_stays_blocking() {
    for term in ["dumb", "xterm"] {
        let (far_end, path) = pty::open();
        let terminal = File::options().read(true).write(true).open(path).unwrap();
        let [stdin, stdout, stderr] = [(); 3].map(|()| terminal.try_clone().unwrap());
        let mut start = command(&NODE);
        start.env("TERM", term).env(pty::NO_IDENTITY, "true");
        start.stdin(stdin).stdout(stdout).stderr(stderr);
        let _program = Program::spawn(&mut start);
        Output::of(far_end.try_clone_reader().unwrap()).expect("Enter choice: ");
        assert_blocking([&terminal]);
    }
}

fn assert_blocking<const N: usize>(shared: [&dyn AsFd; N]) {
    for fd in shared {
        assert!(!fcntl_getfl(fd.as_fd()).unwrap().contains(OFlags::NONBLOCK));
    }
}

#[test]
fn a_flood_into_a_pipe_that_nobody_reads_is_paused_and_then_shown_in_full() {
    const LINES: usize = 30_000;
    let (program, reader, port) = node_on_a_pipe();
    let before = program.peak_memory();
    let (pauses, is_paused) = channel();
    let flood = thread::spawn(move || {
        let wire = Wire::dial(([127, 0, 0, 1], port).into());
        // Memory that the kernel holds for us does not matter here.
        SockRef::from(&wire.0).set_send_buffer_size(64 * 1024).unwrap();
        wire.0.set_nonblocking(true).unwrap();
        let lines: String = (0..LINES).map(|n| format!("127.0.0.1:9 P2 {n:0>600}\n")).collect();
        let mut rest = lines.as_bytes();
        while !rest.is_empty() {
            match (&wire.0).write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !is_writable_soon(&wire) {
                        // The test receives only the first report of a pause.
                        let _ = pauses.send(());
                        poll(&mut [PollFd::new(&wire.0, PollFlags::OUT)], None).unwrap();
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
    });
    is_paused.recv().expect("18 MB cannot be written before anybody reads them");
    let shown = reader.lines().map(Result::unwrap).filter(|line| line.starts_with("127.0.0.1:9 P2 "));
    for (n, line) in shown.take(LINES).enumerate() {
        assert_eq!(line, format!("127.0.0.1:9 P2 {n:0>600}"));
    }
    flood.join().unwrap();
    if let (Some(before), Some(after)) = (before, program.peak_memory()) {
        let kib = after - before;
        assert!(kib < 6 * 1024, "it was kept in {kib} KiB of memory instead");
    }
}

/// Half a second without room is a pause; a shorter one is a busy machine. Only a program that never
/// pauses depends on this: it takes everything and the test fails.
fn is_writable_soon(wire: &Wire) -> bool {
    let soon = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };
    poll(&mut [PollFd::new(&wire.0, PollFlags::OUT)], Some(&soon)).unwrap() > 0
}
