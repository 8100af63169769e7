//! Connecting in both directions, with chinwag and with other programs.

use crate::common::peer::{Peer, Wire, say, session};
use crate::common::program::Program;

#[test]
fn a_connect_is_held_open_and_the_answer_with_the_token_makes_it_a_session() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    // The other side has one second to answer; on a busy machine, this may need a second try.
    let mut wire = loop {
        program.connect(peer.address());
        let mut wire = peer.accept();
        assert_eq!(wire.read_once(), format!("{} P1 connect", program.address()));
        wire.write(format!("{} P2 connected chinwag/1\n", peer.address()));
        if program.is_accepted() {
            break wire;
        }
    };
    assert_eq!(program.query().active, [format!("1. {} P2 (connected)", peer.address())]);
    assert_eq!(wire.read_line(), "!chinwag/1\n", "so the other side knows that control lines are read");
    program.send(peer.address(), "over the session");
    assert_eq!(wire.read_line(), format!("{} P1 over the session\n", program.address()));
    let question = wire.read_line();
    let number = question.strip_prefix("!ping ").expect("whether it was read");
    wire.write(format!("!pong {number}{} P2 and back\n", peer.address()));
    program.stdout.expect_line(&format!("{} P2 and back", peer.address()));
    wire.ping(7);
    program.send(peer.address(), "exit");
    assert_eq!(wire.read_line(), format!("{} P1 exit\n", program.address()));
    assert_eq!(wire.read_to_end(), "");
}

#[test]
fn an_answer_without_the_token_connects_and_messages_stay_plain() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    let mut wire = loop {
        program.connect(peer.address());
        let mut wire = peer.accept();
        wire.read_once();
        wire.write(format!("{} P2 connected", peer.address()));
        if program.is_accepted() {
            break wire;
        }
    };
    assert_eq!(program.query().active, [format!("1. {} P2 (connected)", peer.address())]);
    wire.write(format!("{} P2 still here", peer.address()));
    program.stdout.expect_line(&format!("{} P2 still here", peer.address()));
    program.send(peer.address(), "hello");
    assert_eq!(peer.take(), format!("{} P1 hello", program.address()));
}

#[test]
fn a_peer_that_never_answers_has_the_message_and_is_connected() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    program.connect(peer.address());
    let mut wire = peer.accept();
    assert_eq!(wire.read_once(), format!("{} P1 connect", program.address()));
    program
        .stdout
        .expect(&format!("Connected with {}; it does not answer connect requests\n", peer.address()));
    wire.expect_closed();
    assert_eq!(program.query().active, [format!("1. {} (connected)", peer.address())]);
}

#[test]
fn a_peer_that_reads_once_and_closes_has_the_message_and_is_connected() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    program.connect(peer.address());
    assert_eq!(peer.accept().read_once(), format!("{} P1 connect", program.address()));
    program
        .stdout
        .expect(&format!("Connected with {}; it does not answer connect requests\n", peer.address()));
    assert_eq!(program.query().active, [format!("1. {} (connected)", peer.address())]);
}

#[test]
fn a_connect_on_a_connection_held_open_is_answered_there() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    let mut wire = Wire::dial(program.address());
    wire.write(format!("{} P2 connect", peer.address()));
    assert_eq!(wire.read_line(), format!("{} P1 connected chinwag/1\n", program.address()));
    program.stdout.expect(&format!("P2 ({}) connected with you\n", peer.address()));
    wire.write(format!("{} P2 a line\n", peer.address()));
    program.stdout.expect(" P2 a line\n");
    program.send(peer.address(), "hello");
    assert_eq!(wire.read_line(), format!("{} P1 hello\n", program.address()));
}

#[test]
fn after_an_undelimited_message_on_the_session_we_only_read_there_and_send_plain() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    let mut wire = Wire::dial(program.address());
    wire.write(format!("{} P2 connect", peer.address()));
    wire.read_line();
    wire.write(format!("{} P2 undelimited", peer.address()));
    program.stdout.expect(" P2 undelimited\n");
    program.send(peer.address(), "hello");
    assert_eq!(peer.take(), format!("{} P1 hello", program.address()));
    wire.write(format!("{} P2 more of it", peer.address()));
    program.stdout.expect(" P2 more of it\n");
    assert_eq!(program.query().active, [format!("1. {} P2 (connected)", peer.address())]);
}

/// Sends a connect and closes the connection.
fn connect_and_close(program: &Program, message: String) {
    program.frozen(|| say(program.address(), message));
    program.stdout.expect("connected with you\n");
}

#[test]
fn a_connect_of_a_connection_that_is_closed_is_acknowledged_by_a_dial_once_a_minute() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    connect_and_close(&program, format!("{} P2 connect", peer.address()));
    assert_eq!(peer.take(), format!("{} P1 connect_ack", program.address()));
    connect_and_close(&program, format!("{} P2 connect", peer.address()));
    // The next message to it is this, not a second acknowledgement.
    program.send(peer.address(), "hello");
    assert_eq!(peer.take(), format!("{} P1 hello", program.address()));
    assert_eq!(program.query().active, [format!("1. {} P2 (connected)", peer.address())]);
}

#[test]
fn a_connect_that_ends_in_a_newline_or_its_end_mark_is_acknowledged_too_if_its_sender_is_gone() {
    let block = "<127.0.0.1:{port}> @ <{name}>\n{word}\n<end>";
    for (form, end) in [("127.0.0.1:{port} {name} {word}", "\n"), (block, "")] {
        let peer = Peer::new();
        let program = Program::node("P1");
        let message = |port: u16, name, word| {
            form.replace("{port}", &port.to_string()).replace("{name}", name).replace("{word}", word)
        };
        connect_and_close(&program, message(peer.port(), "P2", "connect") + end);
        assert_eq!(peer.take(), message(program.port(), "P1", "connect_ack"));
        say(program.address(), "127.0.0.1:9 P3 marker");
        let shown = program.stdout.expect("P3 marker\n");
        assert!(!shown.contains("Lost"), "{shown}");
    }
}

#[test]
fn the_acknowledgement_is_written_in_the_dialect_of_the_peer() {
    let peer = Peer::new();
    let program = Program::node("P1");
    let port = peer.port();
    connect_and_close(&program, format!("LISTENING_PORT:{port}|TEAM_NAME:P2|connection message"));
    assert_eq!(peer.take(), format!("LISTENING_PORT:{}|TEAM_NAME:P1|connect_ack", program.port()));
}

#[test]
fn the_list_of_choice_3_connects_by_number_or_all_at_once() {
    let [mut p1, mut p2, p3] = ["P1", "P2", "P3"].map(Program::node);
    for (n, peer) in [(2, &p2), (3, &p3)] {
        say(p1.address(), format!("{} P{n} hello", peer.address()));
        p1.stdout.expect(&format!("{} P{n} hello\n", peer.address()));
    }
    p1.type_line("3");
    p1.stdout.expect("Active peers, yet to connect:\n1. ");
    p1.stdout.expect("Enter a number, 'a' for all, or IP:PORT: ");
    p1.type_line("a");
    for peer in [&p2, &p3] {
        peer.stdout.expect(&format!("P1 ({}) connected with you\n", p1.address()));
    }
    p1.type_line("3");
    p1.stdout.expect("No active peers to connect to\n");
    p1.type_line("");
    assert!(p1.query().active.iter().all(|row| row.ends_with("(connected)")));
    p2.send(p1.address(), "hello again");
    p1.stdout.expect(&format!("{} P2 hello again\n", p2.address()));
}

#[test]
fn both_sides_may_connect_at_once() {
    let [mut p1, mut p2] = ["P1", "P2"].map(Program::node);
    // Each program reads the user's line before it can hear from the other.
    p1.freeze();
    p2.freeze();
    p1.connect(p2.address());
    p2.connect(p1.address());
    p1.thaw();
    p2.thaw();
    assert_eq!(p1.query().active, [format!("1. {} P2 (connected)", p2.address())]);
    assert_eq!(p2.query().active, [format!("1. {} P1 (connected)", p1.address())]);
    p1.send(p2.address(), "one way");
    p2.stdout.expect(&format!("{} P1 one way\n", p1.address()));
    p2.send(p1.address(), "and the other");
    p1.stdout.expect(&format!("{} P2 and the other\n", p2.address()));
}

#[test]
fn a_new_session_from_an_address_replaces_the_older_one() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    let mut old = session(program.address(), peer.address(), "P2");
    let mut new = session(program.address(), peer.address(), "P2");
    assert_eq!(old.read_to_end(), "");
    program.send(peer.address(), "hello");
    assert_eq!(new.read_line(), format!("{} P1 hello\n", program.address()));
    assert_eq!(program.query().active, [format!("1. {} P2 (connected)", peer.address())]);
}

#[test]
fn a_text_on_a_session_is_one_line_however_long() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    let mut wire = session(program.address(), peer.address(), "P2");
    let text = "é".repeat(10_000);
    program.send(peer.address(), &text);
    assert_eq!(wire.read_line(), format!("{} P1 {text}\n", program.address()));
}
