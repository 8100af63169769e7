//! What was once wrong for scripts that use the program; each test failed before.

use crate::common::peer::{Peer, session};
use crate::common::program::Program;
use rustix::process::Signal;

/// It said "met 0 peers", since those that said exit have left the table.
#[test]
fn peers_that_left_were_met() {
    let peer = Peer::new();
    let program = Program::node_with("P1", &["--headless", "--quiet"]);
    let mut wire = session(program.address(), peer.address(), "P2");
    wire.write(format!("{} P2 hello\n{0} P2 exit\n", peer.address()));
    wire.expect_closed();
    program.signal(Signal::TERM);
    assert_eq!(program.stdout.rest(), "Received 1 message and met 1 peer\nExiting\n");
}

/// It said that there was nobody to send to.
#[test]
fn nobody_to_connect_to_is_told_as_that() {
    let mut program = Program::node("P1");
    for line in ["3\na", "/connect all"] {
        program.type_line(line);
        program.stdout.expect("There is nobody to connect to: no active peer is yet to connect; ");
    }
    program.type_line("5\nhello");
    program.stdout.expect("There is nobody to send to; ");
}
