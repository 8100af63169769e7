//! What the program writes to a peer: in the peer's own dialect, byte for byte.

use crate::common::peer::{Peer, say};
use crate::common::program::Program;

/// A peer that has said hello in its dialect, and the node that heard it.
#[track_caller]
fn acquainted(hello: &str) -> (Program, Peer) {
    let (program, peer) = (Program::node("P1"), Peer::new());
    say(program.address(), hello.replace("{port}", &peer.port().to_string()));
    program.stdout.expect(" hello\n");
    (program, peer)
}

/// What it then gets for a chat, a connect and an exit; `{port}` is the program's port.
#[track_caller]
fn is_answered(hello: &str, chat: &str, connect: &str, exit: &str) {
    let (mut program, peer) = acquainted(hello);
    let expected = |text: &str| text.replace("{port}", &program.port().to_string());
    let [chat, connect, exit] = [chat, connect, exit].map(expected);
    program.send(peer.address(), "hi there");
    assert_eq!(peer.take(), chat);
    program.stdout.expect(&format!("Message sent to {}\n", peer.address()));
    program.connect(peer.address());
    assert_eq!(peer.accept().read_once(), connect);
    program.stdout.expect("***** Menu *****");
    program.send(peer.address(), "exit");
    assert_eq!(peer.take(), exit);
    program.stdout.expect(&format!("Disconnected from {}\n", peer.address()));
}

#[test]
fn standard_is_answered_in_standard() {
    is_answered(
        "127.0.0.1:{port} P2 hello",
        "127.0.0.1:{port} P1 hi there",
        "127.0.0.1:{port} P1 connect",
        "127.0.0.1:{port} P1 exit",
    );
}

#[test]
fn bracketed_is_answered_in_bracketed() {
    is_answered(
        "<127.0.0.1:{port}> P2 hello",
        "<127.0.0.1:{port}> P1 hi there",
        "<127.0.0.1:{port}> P1 connect",
        "<127.0.0.1:{port}> P1 quit",
    );
}

#[test]
fn block_is_answered_in_block() {
    is_answered(
        "<127.0.0.1:{port}> @ <P2>\nhello\n<end>",
        "<127.0.0.1:{port}> @ <P1>\nhi there\n<end>",
        "<127.0.0.1:{port}> @ <P1>\nconnect\n<end>",
        "<127.0.0.1:{port}> DISCONNECT",
    );
}

#[test]
fn netech_is_answered_in_netech() {
    is_answered(
        "LISTENING_PORT:{port}|TEAM_NAME:P2|hello",
        "LISTENING_PORT:{port}|TEAM_NAME:P1|hi there",
        "LISTENING_PORT:{port}|TEAM_NAME:P1|connection message",
        "LISTENING_PORT:{port}|TEAM_NAME:P1|exit",
    );
}

#[test]
fn the_dialect_is_that_of_the_last_chat_and_no_command_changes_it() {
    let (mut program, peer) = acquainted("LISTENING_PORT:{port}|TEAM_NAME:P2|hello");
    let ours = program.address();
    say(ours, format!("{} P2 connect_ack", peer.address()));
    program.stdout.expect("connected with you\n");
    program.send(peer.address(), "one");
    assert_eq!(peer.take(), format!("LISTENING_PORT:{}|TEAM_NAME:P1|one", ours.port()));
    say(ours, format!("{} P2 hello", peer.address()));
    program.stdout.expect(" P2 hello\n");
    program.send(peer.address(), "two");
    assert_eq!(peer.take(), format!("{ours} P1 two"));
}

#[test]
fn the_first_message_of_any_kind_tells_the_dialect_until_there_is_chat() {
    let (mut program, peer) = (Program::node("P1"), Peer::new());
    let port = peer.port();
    say(program.address(), format!("LISTENING_PORT:{port}|TEAM_NAME:P2|connected"));
    program.stdout.expect("connected with you\n");
    program.send(peer.address(), "hi");
    assert_eq!(peer.take(), format!("LISTENING_PORT:{}|TEAM_NAME:P1|hi", program.port()));
}

#[test]
fn the_dialect_for_peers_not_heard_yet_can_be_chosen_at_the_start() {
    let peer = Peer::new();
    let mut program = Program::node_with("P1", &["--dialect", "netech"]);
    program.send(peer.address(), "hi");
    assert_eq!(peer.take(), format!("LISTENING_PORT:{}|TEAM_NAME:P1|hi", program.port()));
}

#[test]
fn the_dialect_can_be_said_with_the_recipient_and_is_kept() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    program.type_line(format_args!("1\n127.0.0.1 netech\n{}\nhi", peer.port()));
    let expected = |text| format!("LISTENING_PORT:{}|TEAM_NAME:P1|{text}", program.port());
    let (hi, again, exit) = (expected("hi"), expected("again"), expected("exit"));
    assert_eq!(peer.take(), hi);
    program.send(format_args!("{} Netech", peer.address()), "again");
    assert_eq!(peer.take(), again);
    program.send(peer.address(), "exit");
    assert_eq!(peer.take(), exit);
}
