//! The signals that end the program, and its farewells.

use crate::common::peer::{Peer, Wire, say, session};
use crate::common::program::Program;
use crate::pty::{CTRL_C, Terminal};
use rustix::process::Signal;
use std::process::{Command, Stdio};

fn says_goodbye_on(signal: Signal) {
    let [mut program, witness] = ["P1", "P2"].map(Program::node);
    program.send(witness.address(), "hello");
    program.stdout.expect("Message sent");
    witness.stdout.expect("P1 hello\n");
    program.signal(signal);
    witness.stdout.expect(&format!("P1 ({}) disconnected\n", program.address()));
    assert!(program.stdout.rest().ends_with("Exiting\n"));
    assert_eq!(program.wait(), 0);
    assert_eq!(program.stderr.bytes(), b"");
}

#[test]
fn an_interrupt_says_exit_to_the_peers() {
    says_goodbye_on(Signal::INT);
}

#[test]
fn a_termination_says_exit_to_the_peers() {
    says_goodbye_on(Signal::TERM);
}

#[test]
fn a_hang_up_says_exit_to_the_peers() {
    says_goodbye_on(Signal::HUP);
}

#[test]
fn a_signal_ends_a_program_that_is_still_asking_for_a_name() {
    let mut program = Program::start(&[]);
    program.stdout.expect("Enter your name: ");
    program.signal(Signal::TERM);
    assert_eq!(program.stdout.rest(), "\nExiting\n");
    assert_eq!(program.wait(), 0);
}

#[test]
fn a_second_interrupt_does_not_wait_for_the_farewells() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    program.send(peer.address(), "hello");
    peer.take();
    program.stdout.expect("Message sent");
    program.signal(Signal::INT);
    program.stdout.expect("Exiting\n");
    // This one never closes its side, so that the program has something to wait for.
    let mut farewell = peer.accept();
    assert_eq!(farewell.read_to_end(), format!("{} P1 exit", program.address()));
    program.signal(Signal::INT);
    assert_eq!(program.wait(), 0);
    assert_eq!(program.stderr.bytes(), b"");
}

#[test]
fn the_interrupt_key_pressed_twice_ends_it_and_leaves_the_terminal_as_it_was() {
    let mut terminal = Terminal::node("P1");
    terminal.type_keys(CTRL_C);
    terminal.screen.expect("Press Ctrl-C again to quit.");
    terminal.type_keys(CTRL_C);
    terminal.screen.expect("Exiting\r\n");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_as_found();
}

#[test]
fn a_termination_leaves_the_terminal_as_it_was() {
    let terminal = Terminal::node("P1");
    terminal.signal(Signal::TERM);
    terminal.screen.expect("Exiting\r\n");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_as_found();
}

/// A poll of the event queue that a stop interrupts finds nothing, even if something came in between.
#[test]
fn after_a_stop_input_is_read_before_deadlines_fire() {
    let peer = Peer::new();
    let (program, clock) = (Program::node("P1"), Program::node("P2"));
    let mut wire = session(program.address(), peer.address(), "P3");
    let mut halves: Vec<Wire> = (0..20).map(|_| Wire::dial(program.address())).collect();
    halves.iter_mut().for_each(|half| half.write("127.0.0.1:"));
    wire.ping(1);
    program.frozen(|| {
        halves.iter_mut().for_each(|half| half.write("9 P9 whole"));
        // For so long the program waits for the rest of a header.
        let mut half = Wire::dial(clock.address());
        half.write("half a header");
        clock.stdout.expect("half a header\n");
    });
    let mut shown = String::new();
    for _ in &halves {
        shown += &program.stdout.expect("127.0.0.1:9 P9 whole\n");
    }
    assert!(!shown.contains("Not a chat message"), "{shown}");
}

/// `nohup` ignores the second signal, and a script without job control ignores the first for what it starts with `&`.
#[test]
#[cfg(target_os = "linux")]
fn a_signal_that_was_ignored_before_the_start_stays_ignored() {
    let table = [
        ("INT", Signal::INT, Signal::TERM),
        ("HUP", Signal::HUP, Signal::TERM),
        ("TERM", Signal::TERM, Signal::INT),
    ];
    for (ignored, signal, other) in table {
        let mut script = Command::new("sh");
        let code = format!("trap '' {ignored}; exec \"$0\" --name P1 --port 0 --headless --no-known-peers");
        script.args(["-c", &code, env!("CARGO_BIN_EXE_chinwag")]).stdin(Stdio::null());
        let mut program = Program::spawn(script.stdout(Stdio::piped()).stderr(Stdio::piped())).listening();
        program.signal(signal);
        // If it had been caught, the second one would leave no time for this.
        program.signal(signal);
        say(program.address(), "127.0.0.1:9 P2 still here\n");
        program.stdout.expect("127.0.0.1:9 P2 still here\n");
        program.signal(other);
        assert!(program.stdout.rest().ends_with("Exiting\n"), "{ignored}");
        assert_eq!(program.wait(), 0, "{ignored}");
    }
}
