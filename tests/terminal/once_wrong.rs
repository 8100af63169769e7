//! What was once wrong on the terminal and in the files; each test failed before.

use crate::common::peer::{Peer, say};
use crate::common::program::command;
use crate::pty::Terminal;
use rustix::process::Signal;
use std::ffi::OsString;
use std::process::Command;

/// A program on a terminal that a shell starts, with this done before.
fn node_after(script: &str) -> Terminal {
    let plain = command(&["--name", "P1", "--port", "0", "--color", "never"]);
    let shell = ["sh", "-c", &format!("{script}; exec \"$0\" \"$@\"")].map(OsString::from);
    let program = std::iter::once(plain.get_program()).chain(plain.get_args()).map(ToOwned::to_owned);
    let terminal = Terminal::run(&shell.into_iter().chain(program).collect::<Vec<_>>());
    terminal.expect_rows(&["Enter choice: ▏"]);
    terminal
}

#[test]
fn a_signal_that_kills_leaves_the_terminal_as_found_and_kills_as_ever() {
    for (signal, name) in [
        (Signal::QUIT, "Quit"),
        (Signal::ABORT, "Aborted"),
        (Signal::USR1, "User defined signal 1"),
        (Signal::USR2, "User defined signal 2"),
        (Signal::ALARM, "Alarm clock"),
        (Signal::VTALARM, "Virtual timer expired"),
        (Signal::PROF, "Profiling timer expired"),
        (Signal::XCPU, "CPU time limit exceeded"),
    ] {
        let mut terminal = node_after("ulimit -c 0");
        terminal.type_keys("half");
        terminal.expect_rows(&["Enter choice: half▏"]);
        assert!(!terminal.is_canonical());
        terminal.signal(signal);
        let end = terminal.wait_for_end();
        let is_it = |end: &str| !cfg!(target_os = "linux") || end == name;
        assert!(end.signal().is_some_and(is_it), "{end:?} is not {name}");
        terminal.assert_as_found();
        // What the shell writes next has a row of its own.
        terminal.expect_rows(&["Enter choice: half", "▏"]);
    }
}

/// Those that cannot be raised again by safe means end it with the code that a shell makes of them.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_without_a_name_leaves_the_terminal_as_found_too() {
    for signal in [Signal::IO.as_raw(), Signal::POWER.as_raw(), 40, 64] {
        let terminal = node_after("ulimit -c 0");
        let kill = ["-s", &signal.to_string(), &terminal.pid().to_string()].map(OsString::from);
        assert!(
            Command::new("sh").args(["-c", "kill \"$@\"", "kill"]).args(kill).status().unwrap().success()
        );
        assert_eq!(terminal.wait(), 128 + signal as u32);
        terminal.assert_as_found();
    }
}

/// It was caught all the same, and ended the program.
#[cfg(target_os = "linux")]
#[test]
fn what_whoever_started_us_wants_ignored_stays_ignored() {
    let mut terminal = node_after("trap '' HUP QUIT USR1");
    for signal in [Signal::HUP, Signal::QUIT, Signal::USR1] {
        terminal.signal(signal);
    }
    terminal.type_keys("2\r");
    terminal.screen.expect("No connected peers");
    terminal.type_keys("0\r");
    terminal.screen.expect("Exiting\r\n");
    assert_eq!(terminal.wait(), 0);
}

/// It was typed into the line.
#[test]
fn what_the_terminal_answers_is_typed_nowhere_not_even_before_the_first_question() {
    const REPLIES: &str = "\x1b]11;rgb:0000/0000/0000\x07\x1b]10;rgb:ffff/ffff/ffff\x1b\\\x1bP>|XTerm(370)\x1b\\\
                           \x1b_Gi=31;OK\x1b\\\x1b^x\x1b\\\x1bXx\x1b\\\x1b[M !!";
    let plain = command(&[]);
    let program = std::iter::once(plain.get_program()).chain(plain.get_args()).map(ToOwned::to_owned);
    let mut terminal = Terminal::run(&program.collect::<Vec<_>>());
    terminal.type_keys(&format!("{REPLIES}P"));
    terminal.expect_rows(&["Enter your name: P▏"]);
    for byte in REPLIES.bytes() {
        terminal.type_keys(&char::from(byte).to_string());
    }
    terminal.type_keys("1");
    terminal.expect_rows(&["Enter your name: P1▏"]);
}

/// Its beginning was missing: half of the row was kept free for nothing.
#[test]
fn the_question_whom_to_connect_to_is_whole_on_80_columns_and_understood_on_40() {
    let other = Peer::new();
    let mut terminal = Terminal::node_with(&["--name", "P1", "--port", "0", "--color", "never"]);
    say(terminal.address(), format!("{} P2 hi", other.address()));
    terminal.screen.expect(" P2 hi");
    terminal.type_keys("3\r");
    terminal.expect_rows(&["Enter a number, 'a' for all, or IP:PORT: ▏"]);
    terminal.resize(40);
    terminal.expect_rows(&["Number, 'a' for all, or IP:PORT: ▏"]);
    terminal.type_keys("127.0.0.1:8080");
    terminal.expect_rows(&["Number, 'a', IP:PORT: 127.0.0.1:8080▏"]);
}

/// The paste ended the search, and the key after Esc was lost.
#[test]
fn a_search_takes_a_paste_and_is_left_with_the_escape_key() {
    let mut terminal = Terminal::node("P1");
    terminal.type_keys("seven\r");
    terminal.screen.expect("'seven' is no choice");
    terminal.type_keys("\x12\x1b[200~eve\x1b[201~");
    terminal.expect_rows(&["(search 'eve') s▏even"]);
    terminal.type_keys("\x1b");
    terminal.expect_rows(&["Enter choice: seven▏"]);
    terminal.type_keys("ty");
    terminal.expect_rows(&["Enter choice: seventy▏"]);
}
