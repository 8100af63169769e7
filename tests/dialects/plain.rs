//! A plain message: one connection, one write, a half-close, and nothing before or after.

use crate::common::peer::{Peer, Wire, session};
use crate::common::program::Program;
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};

/// The most bytes of one plain message.
const BYTES_MAX: usize = 1023;

#[test]
fn it_is_one_write_without_a_newline_and_then_a_half_close() {
    let peer = Peer::new();
    let mut program = Program::node("P1");
    program.send(peer.address(), "hello");
    let mut wire = peer.accept();
    assert_eq!(wire.read_once(), format!("{} P1 hello", program.address()));
    assert_eq!(wire.read_to_end(), "");
    // This side is still open, but the message counts as sent after a second.
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
        // This peer reads once and closes, as most published peers do.
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
fn a_reset_instead_of_a_close_is_reported_with_the_text_that_was_not_sent() {
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
fn a_host_that_does_not_answer_is_reported_with_the_text_that_was_not_sent() {
    // The queue has room for one connection, which is never accepted.
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

/// Messages that came while the program was quitting were read and dropped, and the orderly end told the sender that
/// they had arrived.
#[test]
fn messages_that_arrive_while_the_program_quits_are_shown() {
    for _ in 0..3 {
        let mut program = Program::node_with("P1", &["--headless"]);
        let to = program.address();
        // A peer that never accepts our farewell makes the program wait for a while.
        let slow = Peer::new();
        let mut wires = [session(to, slow.address(), "slow"), Wire::dial(to)];
        wires[1].write("127.0.0.1:9 P9 unfinished");
        let (sender, taken) = std::sync::mpsc::channel();
        let senders: Vec<_> = (0..2)
            .map(|thread| {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    for n in 0.. {
                        let Ok(mut stream) = std::net::TcpStream::connect(to) else { return };
                        let text = format!("message {thread}.{n} is whole");
                        let said = write!(stream, "127.0.0.1:9 P9 {text}")
                            .and_then(|()| stream.shutdown(Shutdown::Write));
                        if said.is_ok() && matches!(stream.read(&mut [0]), Ok(0)) {
                            let _ = sender.send(text);
                        }
                    }
                })
            })
            .collect();
        drop(sender);
        program.stdout.expect("message 1.20 is whole");
        program.signal(Signal::TERM);
        wires[0].write(format!("{} slow a line behind the exit\n", slow.address()));
        assert_eq!(program.wait(), 0);
        senders.into_iter().for_each(|thread| thread.join().unwrap());
        let shown = String::from_utf8(program.stdout.bytes()).unwrap();
        let shown: std::collections::BTreeSet<&str> =
            shown.lines().filter_map(|line| line.split(" P9 ").nth(1)).collect();
        let lost: Vec<String> = taken.into_iter().filter(|text| !shown.contains(text.as_str())).collect();
        assert_eq!(lost, [""; 0]);
        assert!(shown.contains("unfinished"));
    }
}
