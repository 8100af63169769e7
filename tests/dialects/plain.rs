//! A plain message: one connection, one write, a half-close, and nothing before or after.

use crate::common::peer::{Peer, Wire};
use crate::common::program::Program;
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};

/// One plain message in all, in bytes.
const BYTES_MAX: usize = 1023;

#[test]
fn it_is_one_write_without_a_newline_and_then_a_half_close() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    program.send(peer.address(), "hello");
    let mut wire = peer.accept();
    assert_eq!(wire.read_once(), format!("{} P1 hello", program.address()));
    assert_eq!(wire.read_to_end(), "");
    // This side is still open: it counts as sent all the same, after a while.
    program.stdout.expect(&format!("Message sent to {}\n", peer.address()));
}

#[test]
fn each_message_has_a_connection_of_its_own_in_the_order_typed() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    for n in 0..5 {
        program.send(peer.address(), &format!("message {n}"));
        assert_eq!(peer.take(), format!("{} P1 message {n}", program.address()));
    }
}

#[test]
fn a_long_text_is_cut_at_characters_into_messages_of_one_recv_each() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    let head = format!("{} P1 ", program.address());
    let text: String = ["é€👍x"; 500].concat();
    program.send(peer.address(), &text);
    let mut received = String::new();
    while received.len() < text.len() {
        // It reads once and closes, as most published peers do.
        let message = peer.accept().read_once();
        assert!(message.len() <= BYTES_MAX, "{} bytes", message.len());
        received += message.strip_prefix(&head).expect("each has its header");
    }
    assert_eq!(received, text);
    program.stdout.expect(&format!("Message sent to {}\n", peer.address()));
}

#[test]
fn the_longest_text_that_fits_goes_in_one_message_and_one_byte_more_in_two() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    let head = format!("{} P1 ", program.address());
    let text = "x".repeat(BYTES_MAX - head.len());
    program.send(peer.address(), &text);
    assert_eq!(peer.take(), format!("{head}{text}"));
    program.send(peer.address(), &format!("{text}y"));
    assert_eq!([peer.take(), peer.take()], [format!("{head}{text}"), format!("{head}y")]);
}

#[test]
fn a_reset_instead_of_a_close_is_told_with_the_text_that_was_not_sent() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    program.send(peer.address(), "hello");
    let mut wire = peer.accept();
    wire.read_once();
    wire.reset();
    let told = program.stdout.expect("Not sent: hello\n");
    assert!(told.contains(&format!("The connection with {} ended", peer.address())), "{told}");
}

#[test]
fn a_host_that_does_not_answer_is_told_with_the_text_that_was_not_sent() {
    // Its queue has room for one connection, which is never accepted.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _only_one = Wire::dial(address);
    let mut program = Program::node_with("P1", &["--connect-timeout", "0.1"]);
    program.send(address, "hello");
    program.stdout.expect(&format!("{address} did not answer in time"));
    program.stdout.expect("Not sent: hello\n");
}
