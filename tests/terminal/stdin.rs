//! Any kind of stdin is read to its end, and its end means Quit.

use crate::common::peer::Peer;
use crate::common::program::{Program, command};
use crate::pty::{CTRL_D, Terminal};
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

#[test]
fn a_pipe_that_ends_quits() {
    let mut program = Program::node("P1");
    // Once the answer is shown, the pipe was found empty: only an event can announce its end, and that event does not
    // say "readable".
    program.type_line("2");
    program.stdout.expect("No connected peers\n");
    program.close_stdin();
    assert!(program.stdout.rest().ends_with("Enter choice: \nExiting\n"));
    assert_eq!(program.wait(), 0);
}

#[test]
fn an_end_before_the_name_is_known_quits() {
    let mut program = Program::spawn(command(&[]).stdin(Stdio::null()));
    assert_eq!(program.stdout.rest(), "Enter your name: \nExiting\n");
    assert_eq!(program.wait(), 0);
}

#[test]
fn no_stdin_at_all_quits() {
    let mut program = Program::spawn(command(&["--name", "P1", "--port", "0"]).stdin(Stdio::null()));
    assert!(program.stdout.rest().ends_with("Enter choice: \nExiting\n"));
    assert_eq!(program.wait(), 0);
}

#[test]
fn a_file_is_a_script_whose_last_line_needs_no_newline() {
    let peer = Peer::new();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("script-{}", peer.port()));
    fs::write(&path, format!("1\n{}\nhello\n0", peer.address())).unwrap();
    let script = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let received = peer.take_all();
    let mut program = Program::spawn(command(&["--name", "P1", "--port", "0"]).stdin(script)).listening();
    assert!(program.stdout.rest().ends_with("Enter choice: Exiting\n"));
    assert_eq!(program.wait(), 0);
    let ours = program.address();
    assert_eq!(received.next(2), [format!("{ours} P1 hello"), format!("{ours} P1 exit")]);
}

#[test]
fn the_end_of_input_key_of_a_terminal_quits() {
    let mut terminal = Terminal::node("P1");
    terminal.type_keys(CTRL_D);
    terminal.screen.expect("Exiting\r\n");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_as_found();
}

#[test]
fn choice_0_quits_on_a_terminal() {
    let mut terminal = Terminal::node("P1");
    terminal.type_keys("0\n");
    terminal.screen.expect("Exiting\r\n");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_as_found();
}

#[test]
fn the_end_comes_after_the_outcome_of_what_was_typed() {
    let peer = Peer::new();
    let address = peer.address();
    let received = peer.take_all();
    let mut program = Program::node("P1");
    program.send(address, "hello");
    program.close_stdin();
    let rest = program.stdout.rest();
    assert!(rest.contains(&format!("Message sent to {address}\n")), "{rest}");
    assert_eq!(program.wait(), 0);
    assert_eq!(
        received.next(2),
        [format!("{} P1 hello", program.address()), format!("{} P1 exit", program.address())]
    );
}
