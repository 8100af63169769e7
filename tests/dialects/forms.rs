//! Receives every form in which the published peers write.

use crate::common::peer::{Peer, say};
use crate::common::program::Program;
use crate::namespace::in_namespace;

/// Sends each message as a new peer, and expects this to be shown; `{port}` is that peer's port.
#[track_caller]
fn each_is_shown(table: &[(&str, &str)]) {
    let program = Program::node("P1");
    for (message, shown) in table {
        let peer = Peer::new();
        let port = peer.port().to_string();
        say(program.address(), message.replace("{port}", &port));
        program.stdout.expect_line(&shown.replace("{port}", &port));
    }
}

/// Messages in an unknown form are shown with the address that they really came from.
#[track_caller]
fn is_shown_raw(program: &mut Program, message: &str, shown: &str) {
    let from = say(program.address(), message);
    program.stdout.expect_line(&format!("Not a chat message, from {from}: {shown}"));
    assert!(program.query().active.is_empty());
}

#[test]
fn standard() {
    each_is_shown(&[
        ("127.0.0.1:{port} P2 hello , you there", "127.0.0.1:{port} P2 hello , you there"),
        ("127.0.0.1:{port} P2  two  spaces", "127.0.0.1:{port} P2  two  spaces"),
        ("127.0.0.1:{port} P2 hello \r\n\0", "127.0.0.1:{port} P2 hello"),
        ("0.0.0.0:{port} P2 hello", "127.0.0.1:{port} P2 hello"),
        ("127.0.0.1:{port} P2 quit", "127.0.0.1:{port} P2 quit"),
        ("127.0.0.1:{port} P2 exit now", "127.0.0.1:{port} P2 exit now"),
    ]);
}

#[test]
fn netech() {
    each_is_shown(&[
        ("LISTENING_PORT:{port}|TEAM_NAME:Netech|hello", "127.0.0.1:{port} Netech hello"),
        ("LISTENING_PORT:{port}|TEAM_NAME:Netech|a|b", "127.0.0.1:{port} Netech a|b"),
    ]);
}

#[test]
fn block() {
    each_is_shown(&[
        ("<10.0.0.5:{port}> @ <P2>\nhello\n<end>", "127.0.0.1:{port} P2 hello"),
        ("<10.0.0.5:{port}> @ <P2>\nhello", "127.0.0.1:{port} P2 hello"),
        ("<10.0.0.5:{port}> @ <P2>\nhello\nworld\n<end>", "127.0.0.1:{port} P2 hello␊world"),
        ("<10.0.0.5:{port}> [2025-02-20 10:11:12] @ <P2>\nhello\n<end>", "127.0.0.1:{port} P2 hello"),
    ]);
}

#[test]
fn bracketed() {
    each_is_shown(&[("<10.0.0.5:{port}> P2 hello", "127.0.0.1:{port} P2 hello")]);
}

#[test]
fn anything_else_is_shown_with_the_address_of_its_socket_and_enters_no_table() {
    let mut program = Program::node("P1");
    is_shown_raw(&mut program, "hello there", "hello there");
    let example = "10.103.45.601:8080 P1 hello , you there";
    is_shown_raw(&mut program, example, example);
    is_shown_raw(&mut program, "127.0.0.1:0 P1 hello", "127.0.0.1:0 P1 hello");
    is_shown_raw(&mut program, "127.0.0.1 P1 hello", "127.0.0.1 P1 hello");
    is_shown_raw(&mut program, "LISTENING_PORT:x|TEAM_NAME:N|hello", "LISTENING_PORT:x|TEAM_NAME:N|hello");
}

#[test]
fn every_exit_word_disconnects_in_any_case() {
    let table = [
        "127.0.0.1:{port} P2 exit",
        "127.0.0.1:{port} P2 EXIT\n",
        "127.0.0.1:{port} P2 DISCONNECT",
        "127.0.0.1:{port} P2 [PEER_QUIT]",
        "LISTENING_PORT:{port}|TEAM_NAME:P2|exit",
        "<10.0.0.5:{port}> @ <P2>\nexit\n<end>",
        "<10.0.0.5:{port}> DISCONNECT",
        "<10.0.0.5:{port}> P2 quit",
        "<10.0.0.5:{port}> P2 exit",
    ];
    let mut program = Program::node("P1");
    for farewell in table {
        let peer = Peer::new();
        say(program.address(), format!("{} P2 hello", peer.address()));
        program.stdout.expect("P2 hello\n");
        assert_eq!(program.query().active.len(), 1);
        say(program.address(), farewell.replace("{port}", &peer.port().to_string()));
        program.stdout.expect_line(&format!("P2 ({}) disconnected", peer.address()));
        assert!(program.query().active.is_empty(), "{farewell}");
    }
}

#[test]
fn every_connect_word_connects_in_any_case() {
    let words = [
        "connect",
        "CONNECT",
        "connection message",
        "manual connection message",
        "CONNECT_REQUEST",
        "connection_request",
        "handshake",
    ];
    let program = Program::node("P1");
    for word in words {
        let peer = Peer::new();
        say(program.address(), format!("{} P2 {word}\n", peer.address()));
        program.stdout.expect_line(&format!("P2 ({}) connected with you", peer.address()));
    }
}

#[test]
fn every_acknowledgement_is_taken_and_never_answered() {
    let words = [
        "connect_ack",
        "connected",
        "Connected!",
        "CONNECT_ACCEPTED",
        "connection_established",
        "connected chinwag/1",
        "connected other/2",
    ];
    let mut program = Program::node("P1");
    for word in words {
        let peer = Peer::new();
        say(program.address(), format!("{} P2 {word}", peer.address()));
        program.stdout.expect_line(&format!("P2 ({}) connected with you", peer.address()));
        assert_eq!(program.query().active[0], format!("1. {} P2 (connected)", peer.address()));
        // The next message to it is this, not an answer.
        program.send(peer.address(), "hello");
        assert_eq!(peer.take(), format!("{} P1 hello", program.address()));
    }
}

#[test]
fn a_header_ip_that_only_its_sender_can_use_is_replaced_by_that_of_the_socket() {
    in_namespace(&["10.0.0.1/32"], || {
        let program = Program::node("P1");
        // The kernel dials an address of this host from that address.
        let to = ([10, 0, 0, 1], program.port()).into();
        let table = [
            ("127.0.0.1:8080 P2 local", "10.0.0.1:8080 P2 local"),
            ("0.0.0.0:8081 P3 any", "10.0.0.1:8081 P3 any"),
            ("10.9.9.9:8082 P4 claimed", "10.9.9.9:8082 P4 claimed"),
            ("<10.9.9.9:8083> P5 bracketed", "10.0.0.1:8083 P5 bracketed"),
            ("<10.9.9.9:8084> @ <P6>\nblock\n<end>", "10.0.0.1:8084 P6 block"),
            ("LISTENING_PORT:8085|TEAM_NAME:P7|netech", "10.0.0.1:8085 P7 netech"),
        ];
        for (message, shown) in table {
            say(to, message);
            program.stdout.expect_line(shown);
        }
    });
}
