//! `chinwag send`: what is sent, what is shown, and the exit code.

use crate::common::peer::{Peer, Wire, say};
use crate::common::port::Port;
use crate::common::program::{Program, subcommand};
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use tempfile::TempDir;

fn send(args: &[&str]) -> Program {
    Program::spawn(&mut subcommand("send", args))
}

/// Waits for its end; stdout must be empty. Returns the exit code and stderr.
fn outcome(program: &mut Program) -> (i32, String) {
    let code = program.wait();
    assert_eq!(program.stdout.rest(), "");
    (code, String::from_utf8(program.stderr.bytes()).unwrap())
}

/// The address in front of a message.
fn claimed(message: &str) -> SocketAddr {
    message.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_message_comes_from_an_address_that_takes_answers_and_says_exit_at_the_end() {
    let peer = Peer::new();
    let mut sender = send(&["--name", "P1", &peer.address().to_string(), "hello,", "you  there"]);
    let mut wire = peer.accept();
    let message = wire.read_to_end();
    let ours = claimed(&message);
    assert_eq!(message, format!("{ours} P1 hello, you  there"));
    // Published peers answer before they close, some of them with an empty connection.
    say(ours, format!("{} P2 hi", peer.address()));
    say(ours, "");
    drop(wire);
    assert_eq!(peer.take(), format!("{ours} P1 exit"));
    assert_eq!(outcome(&mut sender), (0, format!("Message sent to {}\n", peer.address())));
}

/// Waits for its end. Returns the exit code, stdout and stderr.
fn answered(program: &mut Program) -> (i32, String, String) {
    let code = program.wait();
    (code, program.stdout.rest(), String::from_utf8(program.stderr.bytes()).unwrap())
}

#[test]
fn an_answer_of_a_plain_peer_is_printed_whether_it_comes_by_a_dial_or_on_the_same_connection() {
    for is_dialled in [true, false] {
        let peer = Peer::new();
        let to = peer.address();
        let mut sender = send(&["--quiet", "--wait-reply", "1000", &to.to_string(), "hello"]);
        let mut wire = peer.accept();
        let ours = claimed(&wire.read_to_end());
        if is_dialled {
            drop(wire);
            say(ours, "127.0.0.1:1 P3 not for you");
            say(ours, format!("{to} P2 an \x1b[2J answer"));
        } else {
            wire.write("an \x1b[2J answer\n");
            drop(wire);
        }
        sender.stdout.expect("an ␛[2J answer\n");
        assert!(peer.take().ends_with(" exit"));
        assert_eq!(answered(&mut sender), (0, String::new(), String::new()));
    }
}

#[test]
fn an_answer_of_a_chat_is_printed() {
    let mut chat = Program::node("P1");
    let to = chat.address().to_string();
    let mut sender = send(&["--name", "P2", "--wait-reply", "1000", &to, "hello"]);
    chat.stdout.expect(" P2 hello\n");
    chat.type_line("/msg P2 hello, P2");
    let told = format!("Message sent to {to}\n");
    assert_eq!(answered(&mut sender), (0, "hello, P2\n".to_owned(), told));
}

#[test]
fn without_an_answer_the_exit_code_is_5() {
    let peer = Peer::new();
    let to = peer.address().to_string();
    let received = peer.take_all();
    let mut sender = send(&["--quiet", "--wait-reply", "0.1", &to, "hello"]);
    let unanswered = "Everything was sent, but no answer came.\n".to_owned();
    assert_eq!(answered(&mut sender), (5, String::new(), unanswered.clone()));
    let mut sender = send(&["--wait-reply", "1000", &to, "hello"]);
    sender.stderr.expect("Message sent to ");
    sender.signal(Signal::TERM);
    let (code, printed, told) = answered(&mut sender);
    assert!((code, printed.as_str()) == (5, "") && told.ends_with(&unanswered), "{told}");
    drop(received);
}

#[test]
fn where_nothing_was_sent_no_answer_is_waited_for() {
    let nobody = Port::reserve();
    let to = nobody.address().to_string();
    assert_eq!(outcome(&mut send(&["--wait-reply", "1000", &to, "hello"])).0, 3);
    let mut sender = send(&["--wait-reply", "1000", &to, "-"]);
    sender.close_stdin();
    assert_eq!(outcome(&mut sender), (0, String::new()));
    for wrong in [&["--port", "9", "127.0.0.1:1", "x"][..], &["127.0.0.1:1,127.0.0.1:2", "x"]] {
        let (code, told) = outcome(&mut send(&[&["--wait-reply", "1"], wrong].concat()));
        assert!(code == 2 && told.contains("--wait-reply <SECONDS>"), "{told}");
    }
}

#[test]
fn a_port_of_another_program_is_claimed_and_left_alone() {
    let (peer, mut chat) = (Peer::new(), Program::node("P1"));
    let port = chat.port().to_string();
    let mut sender = send(&["--name", "P1", "--port", &port, &peer.address().to_string(), "hello"]);
    assert_eq!(peer.take(), format!("{} P1 hello", chat.address()));
    assert_eq!(outcome(&mut sender).0, 0);
    say(chat.address(), format!("{} P2 an answer", peer.address()));
    chat.stdout.expect("P2 an answer\n");
    chat.send(peer.address(), "it was no farewell");
    assert_eq!(peer.take(), format!("{} P1 it was no farewell", chat.address()));
}

#[test]
fn a_chat_shows_it_and_keeps_nobody_in_its_table() {
    let mut chat = Program::node("P1");
    let to = chat.address().to_string();
    assert_eq!(outcome(&mut send(&["--name", "P2", &to, "hello"])), (0, format!("Message sent to {to}\n")));
    chat.stdout.expect(" P2 hello\n");
    chat.stdout.expect(") disconnected\n");
    assert!(chat.query().active.is_empty());
}

#[test]
fn each_line_of_stdin_is_a_message_and_they_come_in_order() {
    let peer = Peer::new();
    let to = peer.address().to_string();
    let received = peer.take_all();
    let mut sender = send(&["--name", "P1", "--quiet", "--port", "9", &to, "-"]);
    let texts: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
    sender.type_line(texts.join("\n\n"));
    sender.close_stdin();
    let expected: Vec<String> = texts.iter().map(|text| format!("127.0.0.1:9 P1 {text}")).collect();
    assert_eq!(received.next(100), expected);
    assert_eq!(outcome(&mut sender), (0, String::new()));
}

#[test]
fn an_empty_stdin_sends_nothing_and_dials_nobody() {
    let mut sender = send(&["127.0.0.1:1", "-"]);
    sender.close_stdin();
    assert_eq!(outcome(&mut sender), (0, String::new()));
}

#[test]
fn an_unreadable_stdin_is_reported_with_exit_code_1_if_it_is_needed() {
    let (peer, nobody) = (Peer::new(), Port::reserve());
    let directory = || File::open("/").unwrap();
    let unread = "stdin could not be read to its end, and the rest was not sent;";
    let mut command = subcommand("send", &["--port", "9", "--quiet", &peer.address().to_string(), "-"]);
    let (code, told) = outcome(&mut Program::spawn(command.stdin(directory())));
    assert_eq!(code, 1);
    assert!(told.contains(unread), "{told}");
    // A text on the command line needs no stdin.
    let mut command = subcommand("send", &["--port", "9", &nobody.address().to_string(), "hello"]);
    let (code, told) = outcome(&mut Program::spawn(command.stdin(directory())));
    assert_eq!(code, 3);
    assert!(!told.contains(unread), "{told}");
}

#[test]
fn a_line_that_is_too_long_is_reported_and_the_others_are_sent() {
    let peer = Peer::new();
    let to = peer.address().to_string();
    let received = peer.take_all();
    let mut sender = send(&["--name", "P1", "--port", "9", &to, "-"]);
    sender.type_line(format_args!("one\n{}\ntwo", "x".repeat(70_000)));
    sender.close_stdin();
    let (code, told) = outcome(&mut sender);
    assert_eq!(code, 2);
    assert!(told.contains("That line is too long"), "{told}");
    assert_eq!(received.next(2), ["127.0.0.1:9 P1 one", "127.0.0.1:9 P1 two"]);
}

#[test]
fn a_dialect_is_spoken_as_asked() {
    let peer = Peer::new();
    let to = peer.address().to_string();
    let mut sender = send(&["--name", "P1", "--port", "9", "--dialect", "netech", &to, "hello"]);
    assert_eq!(peer.take(), "LISTENING_PORT:9|TEAM_NAME:P1|hello");
    assert_eq!(outcome(&mut sender).0, 0);
}

#[test]
fn a_known_dialect_is_spoken_unless_another_is_asked_for() {
    let home = TempDir::new().unwrap();
    let peer = Peer::new();
    let to = peer.address().to_string();
    let directory = home.path().join(".local/share/chinwag");
    fs::create_dir_all(&directory).unwrap();
    let known = format!("[[peer]]\naddress = \"{to}\"\ndialect = \"netech\"\nblocked = true\n");
    let netech = "LISTENING_PORT:9|TEAM_NAME:P1|hello";
    let standard = "127.0.0.1:9 P1 hello";
    let cases =
        [(&*known, None, netech), (&known, Some("--dialect=standard"), standard), ("", None, standard)];
    for (text, flag, said) in cases {
        fs::write(directory.join("peers.toml"), text).unwrap();
        let args: Vec<&str> =
            ["--name", "P1", "--port", "9"].into_iter().chain(flag).chain([to.as_str(), "hello"]).collect();
        let mut sender = Program::spawn(subcommand("send", &args).env("HOME", home.path()));
        assert_eq!(peer.take(), said);
        assert_eq!(outcome(&mut sender).0, 0);
        assert_eq!(fs::read_to_string(directory.join("peers.toml")).unwrap(), text);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing is written");
    }
}

#[test]
fn nothing_is_sent_where_the_known_peers_cannot_be_used() {
    let home = TempDir::new().unwrap();
    let peer = Peer::new();
    let to = peer.address().to_string();
    let file = home.path().join(".local/share/chinwag/peers.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let start = || {
        let args = ["--name", "P1", "--port", "9", &to, "hello"];
        Program::spawn(subcommand("send", &args).env("HOME", home.path()))
    };
    let damaged = format!("[[peer]]\naddress = \"{to}\"\n[[peer");
    fs::write(&file, &damaged).unwrap();
    let (code, told) = outcome(&mut start());
    assert!(code == 2 && told.starts_with("Nothing was sent, because "), "{code} {told}");
    assert!(told.contains("; repair it or move it away: ") && told.contains("line 3: "), "{told}");
    assert_eq!((fs::read_to_string(&file).unwrap(), told.lines().count()), (damaged, 1), "{told}");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let (code, told) = outcome(&mut start());
    assert!(code == 2 && told.contains("; repair it or move it away: "), "{code} {told}");
    assert!(!peer.is_dialled());
    // Without such a file there are no keys either.
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
    for is_file in [false, true] {
        if is_file {
            fs::write(file.parent().unwrap(), "").unwrap();
        }
        let mut sender = start();
        assert_eq!(peer.take(), "127.0.0.1:9 P1 hello");
        assert_eq!(outcome(&mut sender).0, 0);
    }
}

#[test]
fn the_default_name_is_the_login_name_made_one_word() {
    for (user, name) in [("Ann Lee", "Ann_Lee"), ("", "chinwag")] {
        let peer = Peer::new();
        let mut command = subcommand("send", &["--port", "9", &peer.address().to_string(), "hello"]);
        let _sender = Program::spawn(command.env("USER", user));
        assert_eq!(peer.take(), format!("127.0.0.1:9 {name} hello"));
    }
}

#[test]
fn the_ip_to_claim_can_be_chosen() {
    let peer = Peer::new();
    let to = peer.address().to_string();
    let _sender = send(&["--name", "P1", "--port", "9", "--ip", "127.0.0.9", &to, "hello"]);
    assert_eq!(peer.take(), "127.0.0.9:9 P1 hello");
}

#[test]
fn nobody_there_is_exit_code_3() {
    let nobody = Port::reserve().address();
    let (code, told) = outcome(&mut send(&[&nobody.to_string(), "hello"]));
    assert_eq!(code, 3);
    assert!(told.starts_with(&format!("{nobody} refused the connection")), "{told}");
    assert!(told.contains("Not sent: hello\n"), "{told}");
}

#[test]
fn a_reset_instead_of_a_close_is_exit_code_3() {
    let peer = Peer::new();
    let mut sender = send(&[&peer.address().to_string(), "hello"]);
    let mut wire = peer.accept();
    wire.read_once();
    wire.reset();
    let (code, told) = outcome(&mut sender);
    assert_eq!(code, 3);
    assert!(told.contains("Not sent: hello\n"), "{told}");
}

/// A listener whose queue is full: dials to it wait.
fn silent() -> (Socket, Wire, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let only_one = Wire::dial(address);
    (socket, only_one, address)
}

#[test]
fn each_of_several_addresses_has_its_line_and_the_highest_code_counts() {
    let (peer, nobody, (_socket, _only_one, silent)) = (Peer::new(), Port::reserve(), silent());
    let to = format!("{silent},{},{}", peer.address(), nobody.address());
    let mut sender = send(&["--name", "P1", "--port", "9", "--connect-timeout", "0.1", &to, "hello"]);
    assert_eq!(peer.take(), "127.0.0.1:9 P1 hello");
    let (code, told) = outcome(&mut sender);
    assert_eq!(code, 4);
    let mut lines: Vec<&str> = told.lines().collect();
    lines.sort_by_key(|line| line.contains("refused") as u8 + 2 * line.contains("in time") as u8);
    let [sent, refused, late] = lines[..] else { panic!("{told}") };
    assert_eq!(sent, format!("Message sent to {}", peer.address()));
    assert!(refused.starts_with(&format!("{} refused", nobody.address())), "{told}");
    assert!(late.starts_with(&format!("{silent} did not answer in time")), "{told}");
}

#[test]
fn a_peer_that_keeps_the_connection_open_has_the_message_too() {
    let peer = Peer::new();
    let mut sender = send(&["--name", "P1", "--port", "9", &peer.address().to_string(), "hello"]);
    let mut wire = peer.accept();
    assert_eq!(wire.read_to_end(), "127.0.0.1:9 P1 hello");
    assert_eq!(outcome(&mut sender), (0, format!("Message sent to {}\n", peer.address())));
}

#[test]
fn a_signal_ends_it_and_what_was_not_sent_counts_as_timed_out() {
    let (peer, (_socket, _only_one, silent)) = (Peer::new(), silent());
    let to = format!("{},{silent}", peer.address());
    let mut sender = send(&["--name", "P1", "--port", "9", "--connect-timeout", "60", &to, "-"]);
    sender.type_line("hello");
    assert_eq!(peer.take(), "127.0.0.1:9 P1 hello");
    sender.signal(Signal::INT);
    // The second signal does not wait for what is under way.
    sender.signal(Signal::TERM);
    let (code, told) = outcome(&mut sender);
    assert_eq!(code, 4);
    assert!(told.contains(&format!("{silent} did not answer in time")), "{told}");
    assert!(told.contains("Not sent: hello\n"), "{told}");
}

#[test]
fn wrong_usage_is_explained_with_exit_code_2() {
    let table: [(&[&str], &str); 10] = [
        (&[], "<ADDRESS>"),
        (&["127.0.0.1:1"], "<TEXT>"),
        (&["127.0.0.1", "x"], "'127.0.0.1' is not an IP:PORT"),
        (&["127.0.0.1:1,P2", "x"], "'P2' is not an IP:PORT"),
        (&["127.0.0.1:1", " "], "an empty message is not sent; give the text, or `-`"),
        (&["127.0.0.1:1", "x", "--port", "0"], "from 1 to 65535"),
        (&["127.0.0.1:1", "x", "--name", "two words"], "two_words"),
        (&["127.0.0.1:1", "x", "--dialect", "klingon"], "klingon"),
        (&["127.0.0.1:1", "x", "--connect-timeout", "0"], "a number of seconds"),
        (&["127.0.0.1:1", "x", "--ip", "10.103.45.601"], "10.103.45.601"),
    ];
    for (args, words) in table {
        let (code, told) = outcome(&mut send(args));
        assert_eq!(code, 2, "{args:?}");
        assert!(told.starts_with("error: ") && told.contains(words), "{args:?}: {told}");
    }
}
