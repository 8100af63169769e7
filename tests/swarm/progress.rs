//! The progress bar: it is shown only on a terminal, and cleared at the end.

use crate::common::output::Output;
use crate::common::program::{Program, swarm_command};
use crate::outcome::{node, start};
use crate::pty;
use rustix::process::Signal;
use std::fs::File;
use std::process::Stdio;

/// What the last line of the terminal shows at the end.
fn last_line(written: &str) -> String {
    let last = written.rsplit(['\r', '\n']).find(|part| !part.is_empty()).unwrap_or_default();
    let cleared = last.rsplit("\x1b[2K").next().unwrap_or_default();
    cleared.trim().to_owned()
}

/// Runs with stderr on a terminal, and calls `end`; returns the exit code, stdout, and what was sent to the
/// terminal.
fn on_terminal(args: &str, end: impl FnOnce(&Program, &Output)) -> (i32, String, String) {
    let node = node();
    let (far_end, path) = pty::open();
    let near_end = File::options().read(true).write(true).open(path).expect("the terminal");
    let screen = Output::of(far_end.try_clone_reader().expect("the far end can be read"));
    let mut command = swarm_command(node.address(), args);
    command.env("TERM", "xterm").stderr(Stdio::from(near_end));
    let mut swarm = Program::spawn(&mut command);
    // The command holds the terminal open as long as it lives.
    drop(command);
    swarm.stderr = screen.clone();
    end(&swarm, &screen);
    let stdout = swarm.stdout.rest();
    let code = swarm.wait();
    drop(far_end);
    (code, stdout, String::from_utf8(screen.bytes()).expect("UTF-8"))
}

#[test]
fn a_bar_is_shown_and_cleared() {
    let (code, stdout, written) = on_terminal("--peers 20 --time 1", |_, screen| {
        screen.expect("20 connected");
    });
    assert_eq!(code, 0);
    assert!(written.contains("running"), "{written:?}");
    assert_eq!(last_line(&written), "", "{written:?}");
    assert!(stdout.starts_with("run ") && !stdout.contains(['\x1b', '\r']), "{stdout:?}");
}

#[test]
fn a_bar_is_cleared_when_the_run_is_interrupted() {
    let (code, stdout, written) = on_terminal("--peers 20 --time 1000", |swarm, screen| {
        screen.expect("20 connected");
        swarm.signal(Signal::INT);
    });
    assert_eq!(code, 130);
    assert_eq!(last_line(&written), "", "{written:?}");
    assert!(stdout.contains("interrupted"), "{stdout}");
}

#[test]
fn without_a_terminal_there_is_no_bar() {
    let node = node();
    let mut swarm = start(node.address(), "--peers 20 --time 0.5");
    let stdout = swarm.stdout.rest();
    assert_eq!(swarm.wait(), 0);
    assert_eq!(swarm.stderr.bytes(), b"");
    assert!(stdout.starts_with("run ") && !stdout.contains(['\x1b', '\r']), "{stdout:?}");
}
