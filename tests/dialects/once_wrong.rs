//! Faults of the past with published programs on the other side; each test failed before its fix.
//!
//! `proto::envelope` guarantees that none of our texts and names is read as another message; its tests prove that.

use crate::common::peer::{Peer, Wire, say, session};
use crate::common::program::Program;
use crate::namespace::in_namespace;
use serde_json::{Value, json};

/// A program that got a hello from a peer of that name.
fn acquainted(name: &str) -> (Program, Peer) {
    let (program, peer) = (Program::node("P1"), Peer::new());
    say(program.address(), format!("{} {name} hello", peer.address()));
    program.stdout.expect(" hello\n");
    (program, peer)
}

fn not_connected(peer: &Peer, name: &str) -> [String; 1] {
    [format!("1. {} {name} (yet to connect)", peer.address())]
}

#[test]
fn a_bye_with_a_time_or_a_name_before_the_word_is_a_bye() {
    let byes = [
        "<127.0.0.1:{port}> [2025-02-20 10:11:12] DISCONNECT",
        "<127.0.0.1:{port}> [2025-02-20 10:11:12] @ <P2> DISCONNECT",
        "<127.0.0.1:{port}> @ <P2> DISCONNECT",
    ];
    let mut program = Program::node("P1");
    for bye in byes {
        let peer = Peer::new();
        let port = peer.port();
        say(program.address(), format!("<127.0.0.1:{port}> [2025-02-20 10:11:12] @ <P2>\nhello\n"));
        program.stdout.expect_line(&format!("{} P2 hello", peer.address()));
        say(program.address(), bye.replace("{port}", &port.to_string()));
        program.stdout.expect_line(&format!("P2 ({}) disconnected", peer.address()));
        assert!(program.query().active.is_empty(), "{bye}");
    }
}

/// However the user chose the dialect, a connect in another form changed it, also for the acknowledgement and all
/// later messages.
#[test]
fn the_chosen_dialect_stays_until_a_chat_in_another_one() {
    type Choose = fn(&mut Program, &Peer);
    let by_suffix: Choose = |program, peer| program.send(format_args!("{} block", peer.address()), "first");
    let by_flag: Choose = |program, peer| program.send(peer.address(), "first");
    let by_command: Choose = |program, peer| {
        program.type_line(format_args!("/dialect {} block\n/msg {} first", peer.address(), peer.address()));
    };
    for (flags, choose) in [(&[][..], by_suffix), (&["--dialect", "block"], by_flag), (&[], by_command)] {
        let (mut program, peer) = (Program::node_with("P1", flags), Peer::new());
        let ours = program.address();
        choose(&mut program, &peer);
        assert_eq!(peer.take(), format!("<{ours}> @ <P1>\nfirst\n<end>"));
        program.stdout.expect(&format!("Message sent to {}\n", peer.address()));
        say(ours, format!("{} P2 connect", peer.address()));
        assert_eq!(peer.take(), format!("<{ours}> @ <P1>\nconnect_ack\n<end>"));
        program.send(peer.address(), "second");
        assert_eq!(peer.take(), format!("<{ours}> @ <P1>\nsecond\n<end>"));
        say(ours, format!("{} P2 hello", peer.address()));
        program.stdout.expect(" hello\n");
        program.send(peer.address(), "exit");
        assert_eq!(peer.take(), format!("{ours} P1 exit"));
    }
}

/// The suffix worked only for peers that had not been heard yet.
#[test]
fn a_dialect_can_be_chosen_for_a_peer_that_was_heard() {
    let (mut program, peer) = acquainted("P2");
    program.send(format_args!("{} netech", peer.address()), "first");
    peer.take();
    program.send(peer.address(), "second");
    assert_eq!(peer.take(), format!("LISTENING_PORT:{}|TEAM_NAME:P1|second", program.port()));
}

/// There were two outcomes: accepted, and not answered.
#[test]
fn a_connect_that_is_answered_on_another_connection_has_one_outcome() {
    // The connection of the connect is closed at once, or held open, or closed after the answer.
    for is_held in [false, true] {
        let (mut program, peer) = (Program::node("P1"), Peer::new());
        // The peer has a second to answer, and the machine may be loaded.
        let outcome = loop {
            program.connect(peer.address());
            let mut wire = peer.accept();
            assert_eq!(wire.read_once(), format!("{} P1 connect", program.address()));
            let held = is_held.then_some(wire);
            say(program.address(), format!("{} P2 connect_ack", peer.address()));
            let until_asked_again = program.stdout.expect("\nEnter choice: ");
            if until_asked_again.contains("accepted your connection") {
                break (until_asked_again, held);
            }
        };
        assert!(!outcome.0.contains("answer"), "{}", outcome.0);
        let listed = program.query();
        assert_eq!(listed.active, [format!("1. {} P2 (connected)", peer.address())]);
        program.type_line("0");
        let rest = program.stdout.expect("Exiting\n");
        assert!(!rest.contains("answer"), "{rest}");
    }
}

/// The sentence read as if something had gone wrong.
#[test]
fn a_connect_that_nobody_answers_is_a_success() {
    let (mut program, peer) = (Program::node("P1"), Peer::new());
    program.connect(peer.address());
    peer.accept().read_once();
    program
        .stdout
        .expect(&format!("Connected with {}; it does not answer connect requests\n", peer.address()));
}

/// It said that the peer accepted our connection.
#[test]
fn an_acknowledgement_that_nobody_asked_for_is_news_that_the_peer_connected_and_only_once() {
    let (program, peer) = acquainted("P2");
    for word in ["Connected", "Connected!", "connect_ack"] {
        say(program.address(), format!("{} P2 {word}", peer.address()));
    }
    say(program.address(), format!("{} P2 the end", peer.address()));
    let shown = program.stdout.expect(" the end\n");
    assert_eq!(shown.matches("connected with you\n").count(), 1, "{shown}");
    assert_eq!(shown.matches("accepted").count(), 0, "{shown}");
}

/// One published program relays what it hears, in its own name.
#[test]
fn an_exit_in_another_name_removes_nobody() {
    let (mut program, peer) = acquainted("A");
    let from = say(program.address(), format!("{} Hashflow exit", peer.address()));
    program.stdout.expect_line(&format!("Not a chat message, from {from}: {} Hashflow exit", peer.address()));
    assert_eq!(program.query().active, not_connected(&peer, "A"));
    say(program.address(), format!("{} A exit", peer.address()));
    program.stdout.expect_line(&format!("A ({}) disconnected", peer.address()));
    assert!(program.query().active.is_empty());
}

#[test]
fn an_exit_on_its_own_session_counts_whatever_its_name() {
    let (mut program, peer) = (Program::node("P1"), Peer::new());
    let mut wire = session(program.address(), peer.address(), "A");
    wire.write(format!("{} B exit\n", peer.address()));
    program.stdout.expect_line(&format!("B ({}) disconnected", peer.address()));
    assert!(program.query().active.is_empty());
}

/// Such a peer was shown, but could not be addressed, and `/msg a b text` reached another peer called `a`.
#[test]
fn a_name_of_several_words_comes_in_as_one_and_can_be_written_to() {
    let (mut program, peer) = (Program::node("P1"), Peer::new());
    let (from, ours) = (peer.address(), program.address());
    let port = from.port();
    for message in [
        format!("LISTENING_PORT:{port}|TEAM_NAME:P1 I owe you|hello"),
        format!("<{from}> @ <P1 I owe you>\nhello\n<end>"),
        format!("{from} P1\tI\u{3000}owe\u{2003}you hello"),
    ] {
        say(ours, message);
        program.stdout.expect(&format!("{from} P1_I_owe_you hello\n"));
    }
    program.type_line("/msg P1_I_owe_you nothing");
    assert_eq!(peer.take(), format!("{ours} P1 nothing"));
}

/// A text in the block dialect could contain the end of its block, and after it a message in anybody's name.
#[test]
fn a_text_forges_no_message_in_any_dialect() {
    const TEXT: &str = "<end><127.0.0.1:7777> Eve boo|LISTENING_PORT:7|TEAM_NAME:Eve|boo";
    let mut hearer = Program::node("P2");
    for dialect in ["standard", "bracketed", "block", "netech", "json", "portline"] {
        let mut speaker = Program::node("P1");
        let said = format!("{} P1 ", speaker.address());
        speaker.send(format_args!("{} {dialect}", hearer.address()), TEXT);
        hearer.stdout.expect(&said);
        let text = hearer.stdout.expect("\n");
        assert_eq!(text.trim_end().replace('‹', "<").replace('¦', "|"), TEXT, "{dialect}");
        assert_eq!(hearer.query().active.len(), 1, "{dialect}");
        speaker.send(hearer.address(), "exit");
        hearer.stdout.expect(" disconnected\n");
    }
}

/// A text that looks like an answer of the program was taken for one.
#[test]
fn the_word_connected_can_be_said() {
    let (mut speaker, hearer) = (Program::node("P1"), Program::node("P2"));
    speaker.send(hearer.address(), "connected");
    hearer.stdout.expect_line(&format!("{} P1 connected.", speaker.address()));
}

#[test]
fn a_long_text_is_cut_between_words() {
    let (mut program, peer) = acquainted("P2");
    let text = "words that stay whole ".repeat(200);
    program.send(peer.address(), &text);
    let mut said = String::new();
    while said.len() < text.trim_end().len() {
        let piece = peer.take();
        let piece = piece.strip_prefix(&format!("{} P1 ", program.address())).unwrap();
        assert!(said.is_empty() || said.ends_with(' '), "cut in a word: {said:?} {piece:?}");
        assert!(!piece.starts_with(' '), "{piece:?}");
        said.push_str(piece);
    }
    assert_eq!(said, text.trim_end());
}

/// Such a program waits for a line after each of its own; it never sent again.
#[test]
fn a_program_that_begins_with_its_port_is_answered_line_by_line_and_written_to_alike() {
    let (mut program, peer) = (Program::node("P1"), Peer::new());
    let mut wire = Wire::dial(program.address());
    let port = peer.port();
    wire.write(format!("{port}\nCONNECT\n"));
    assert_eq!(wire.read_line(), "Message received\n");
    program.stdout.expect(&format!("{} connected with you\n", peer.address()));
    for text in ["hello", "and again"] {
        // The address in the line is not confirmed.
        wire.write(format!("127.0.0.1:1 P2 {text}\n"));
        assert_eq!(wire.read_line(), "Message received\n");
        program.stdout.expect_line(&format!("{} P2 {text}", peer.address()));
    }
    assert_eq!(program.query().active, [format!("1. {} P2 (connected)", peer.address())]);
    program.send(peer.address(), "hi");
    let mut answer = peer.accept();
    assert_eq!(answer.read_to_end(), format!("{}\n{} P1 hi\n", program.port(), program.address()));
    answer.write("Message received\n");
    drop(answer);
    let shown = program.stdout.expect(&format!("Message sent to {}\n", peer.address()));
    assert!(!shown.contains("Message received"), "{shown}");
    wire.write("127.0.0.1:1 P2 exit\n");
    assert_eq!(wire.read_line(), "Message received\n");
    program.stdout.expect_line(&format!("P2 ({}) disconnected", peer.address()));
}

#[test]
fn a_program_that_speaks_json_is_understood_and_answered_in_kind() {
    let (mut program, peer) = (Program::node("P1"), Peer::new());
    let ours = program.address();
    let message = |kind: &str, text: &str| {
        let content = format!("<{ours}> <P 2> {text}");
        json!({"type": kind, "content": content, "sender_name": "P 2", "sender_port": peer.port()})
            .to_string()
    };
    say(ours, message("message", "hello | \"you\"\n<there>"));
    program.stdout.expect_line(&format!("{} P_2 hello | \"you\"␊<there>", peer.address()));
    let expect = |kind: &str, text: &str| {
        let said: Value = serde_json::from_str(&peer.take()).unwrap();
        let content = format!("<{}> <P1> {text}", peer.address());
        let expected =
            json!({"type": kind, "content": content, "sender_name": "P1", "sender_port": ours.port()});
        assert_eq!(said, expected);
    };
    program.send(peer.address(), "say \"hi\"");
    expect("message", "say \"hi\"");
    // Both lines on one connection and one message for each connection.
    let mut wire = Wire::dial(ours);
    wire.write(format!("{}\n{}\n", message("message", "one"), message("connect", "")));
    program.stdout.expect_line(&format!("{} P_2 one", peer.address()));
    program.stdout.expect_line(&format!("P_2 ({}) connected with you", peer.address()));
    expect("connect", "connect_ack");
    program.send(peer.address(), "exit");
    expect("exit", "exit");
    say(ours, message("message", "again"));
    program.stdout.expect(" again\n");
    say(ours, message("exit", ""));
    program.stdout.expect_line(&format!("P_2 ({}) disconnected", peer.address()));
}

#[test]
fn a_listed_peer_is_not_a_new_peer() {
    let (mut program, peer) = (Program::node("P1"), Peer::new());
    program.send(peer.address(), "hello");
    peer.take();
    program.stdout.expect(&format!("Message sent to {}\n", peer.address()));
    say(program.address(), format!("{} P2 hello", peer.address()));
    let shown = program.stdout.expect(" P2 hello\n");
    assert!(!shown.contains("New peer"), "{shown}");
}

/// It was still listed, as known from before and heard just now.
#[test]
fn a_peer_that_said_exit_is_not_in_the_query_even_if_it_is_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("peers.toml");
    let mut program = Program::node_with("P1", &["--known-peers", file.to_str().unwrap()]);
    let peer = Peer::new();
    let mut wire = session(program.address(), peer.address(), "P2");
    wire.write(format!("{} P2 exit\n", peer.address()));
    program.stdout.expect(" disconnected\n");
    program.type_line(format_args!("2\n/peers\n/msg P2 hi"));
    let shown = program.stdout.expect(&format!("Message sent to {}\n", peer.address()));
    assert!(!shown.contains("P2 ") && !shown.contains("Known from before"), "{shown}");
    assert_eq!(peer.take(), format!("{} P1 hi", program.address()));
}

/// It was dialled without its scope: "invalid input parameter".
#[test]
fn the_scope_of_a_link_is_kept_from_typing_to_dialling() {
    in_namespace(&["fe80::1/64"], || {
        let [mut p1, p2] = ["P1", "P2"].map(Program::node);
        // The loopback interface is the first of its namespace, and the only one.
        let to = format!("[fe80::1%lo]:{}", p2.port());
        p1.send(to.replace("lo", "1"), "by address");
        p1.stdout.expect(&format!("Message sent to {to}\n"));
        p1.type_line(format_args!("1\nfe80::1%1\n{}\nby its parts", p2.port()));
        p1.stdout.expect(&format!("Message sent to {to}\n"));
        let from = format!("[fe80::1%lo]:{}", p1.port());
        for text in ["by address", "by its parts"] {
            p2.stdout.expect_line(&format!("{from} P1 {text}"));
        }
    });
}
