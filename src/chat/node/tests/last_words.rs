//! What the user says with `/quit TEXT`, and other habits from other chats.

use super::*;
use crate::chat::notice::{Failure, Mistake, SaidTo};
use crate::chat::request::Designation;
use crate::limits::QUIT_TIMEOUT;

const QUIT: &str = r#"{"command":"quit","text":"bye","id":7}"#;

fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// A peer of this port says something.
fn hear(node: &mut Node, port: u16, text: &str, now: Instant) -> ConnId {
    let conn = node.accept(address(50_000), address(8080), now).unwrap();
    let bytes = format!("{} P{port} {text}\n", address(port));
    handle(node, Input::Received { conn, bytes: bytes.as_bytes() }, now);
    conn
}

fn written(node: &mut Node, conn: ConnId) -> String {
    while node.poll_transmit().is_some() {}
    let mut bytes = Vec::new();
    node.send_queue(conn).unwrap().write_to(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// A node with a session (port 1), somebody that it wrote to (2), and a stranger that was only heard (3).
fn acquainted(config: Config) -> (Node, Instant, ConnId) {
    let (mut node, now) = running_as(config);
    let conn = hear(&mut node, 1, "connect", now);
    written(&mut node, conn);
    for port in [2, 3] {
        hear(&mut node, port, "hi", now);
    }
    node.request(Request::SendTo(Designation::Address(address(2)), None, "hello".to_owned()), now);
    hand_over(&mut node, 2, now);
    (node, now, conn)
}

/// A dial is up and takes what it is for; gives that.
fn hand_over(node: &mut Node, port: u16, now: Instant) -> String {
    let (conn, _) = node.outbox.under_way(address(port)).unwrap();
    handle(node, Input::Connected { conn, local: address(50_001) }, now);
    let said = written(node, conn);
    while node.poll_output().is_some() {}
    node.handle(Input::Closed { conn, reason: CloseReason::Eof }, now);
    said
}

fn notices(outputs: impl IntoIterator<Item = Output<Notice>>) -> Vec<Notice> {
    let notice = |output| match output {
        Output::Notice(notice) => Some(notice),
        _ => None,
    };
    outputs.into_iter().filter_map(notice).collect()
}

#[test]
fn last_words_go_before_the_exit_to_partners_and_not_to_strangers() {
    for (dialogue, line) in [(Dialogue::Menu, "/quit bye"), (Dialogue::Commands, QUIT)] {
        let (mut node, now, session) = acquainted(Config { dialogue, ..Config::default() });
        handle(&mut node, Input::Line(line), now);
        assert_eq!(written(&mut node, session), "127.0.0.1:8080 N bye\n127.0.0.1:8080 N exit\n");
        assert_eq!(hand_over(&mut node, 3, now), "127.0.0.1:8080 N exit");
        assert_eq!(hand_over(&mut node, 2, now), "127.0.0.1:8080 N bye");
        let told = notices(std::iter::from_fn(|| node.poll_output()));
        let is_counted = |notice: &Notice| matches!(notice, Notice::Answer { notice, .. } if **notice == Notice::SentToAll(2));
        assert_eq!(told.iter().any(is_counted), dialogue == Dialogue::Commands, "{told:?}");
        assert_eq!(hand_over(&mut node, 2, now), "127.0.0.1:8080 N exit");
        assert!(node.is_quitting());
    }
}

#[test]
fn last_words_that_did_not_arrive_in_time_are_told() {
    for (dialogue, line) in [(Dialogue::Menu, "/quit bye"), (Dialogue::Commands, QUIT)] {
        let (mut node, now, _) = acquainted(Config { dialogue, ..Config::default() });
        handle(&mut node, Input::Line(line), now);
        let outputs = handle(&mut node, Input::Timeout, now + QUIT_TIMEOUT);
        assert_eq!(outputs.last(), Some(&Output::Quit(0)));
        let is_told = |notice: &Notice| match notice {
            Notice::Answer { notice, .. } => matches!(**notice, Notice::NotSent { .. }),
            Notice::ManyFailed(many) => many.to.len() == 2,
            Notice::NotSent { to, text, why } => {
                let is_late = *why == Failure::Connection(CloseReason::TimedOut);
                to.port() == 2 && text == "bye" && is_late
            }
            _ => false,
        };
        let told = notices(outputs);
        assert!(told.iter().any(is_told), "{told:?}");
    }
}

#[test]
fn last_words_to_nobody_and_those_that_are_a_command_are_neither_lost_nor_obeyed() {
    let (mut node, now) = running();
    let told = notices(handle(&mut node, Input::Line("/quit bye"), now));
    assert_eq!(told, [Notice::Exiting, Notice::SentToAll(0)]);
    for word in ["exit", "connect", "/peers"] {
        let (mut node, now, session) = acquainted(Config { is_recorded: true, ..Config::default() });
        let told = notices(handle(&mut node, Input::Line(&format!("/quit {word}")), now));
        let said = Notice::Said { to: SaidTo::All(2), text: word.to_owned() };
        assert_eq!(told[..2], [said, Notice::Exiting], "as it is taken");
        // A full stop keeps a word from being a command.
        let stop = if word.starts_with('/') { "" } else { "." };
        let both = format!("127.0.0.1:8080 N {word}{stop}\n127.0.0.1:8080 N exit\n");
        assert_eq!(written(&mut node, session), both);
    }
    let (mut node, now, _) = acquainted(Config { is_port_lent: true, ..Config::default() });
    handle(&mut node, Input::Line("/quit bye"), now);
    assert!(!node.outbox.waits(address(1)) && !node.outbox.waits(address(2)), "its owner stays");
}

#[test]
fn an_enormous_text_does_not_keep_the_program_from_its_end() {
    let (mut node, now, _) = acquainted(Config::default());
    handle(&mut node, Input::Line(&format!("/quit {}", "x".repeat(60_000))), now);
    let outputs = handle(&mut node, Input::Timeout, now + QUIT_TIMEOUT);
    assert_eq!(outputs.last(), Some(&Output::Quit(0)));
}

#[test]
fn close_leaves_a_conversation_and_tells_nobody() {
    let (mut node, now, session) = acquainted(Config::default());
    for line in ["/close", "/part", "/leave"] {
        handle(&mut node, Input::Line("/to P1"), now);
        let told = notices(handle(&mut node, Input::Line(line), now));
        assert_eq!(told, [Notice::Menu, Notice::Prompt(crate::chat::notice::Prompt::Choice)]);
        let told = notices(handle(&mut node, Input::Line(line), now));
        assert_eq!(told[0], Notice::Mistake(Mistake::NoConversation), "{line}");
    }
    assert_eq!(written(&mut node, session), "");
}

#[test]
fn me_tells_what_listening_told_and_nick_changes_nothing() {
    let (mut node, now) = running();
    let expected = Notice::Me { port: 8080, name: "N".into(), addresses: vec![address(8080)], key: None };
    for _ in 0..2 {
        assert_eq!(notices(handle(&mut node, Input::Line("/me"), now))[0], expected);
        let told = notices(handle(&mut node, Input::Line("/nick P2\x1b[2J"), now));
        assert!(matches!(told[0], Notice::Mistake(Mistake::BadSlash(_))));
    }
    for line in ["/me waves", "/history"] {
        let told = notices(handle(&mut node, Input::Line(line), now));
        assert_eq!(told[0], Notice::Mistake(Mistake::NoConversation), "{line}");
    }
}

#[test]
fn a_peer_may_be_called_as_a_command_is() {
    let (mut node, now) = running();
    for (port, name) in [(1, "/quit"), (2, "/me"), (3, "/clear")] {
        let conn = node.accept(address(50_000), address(8080), now).unwrap();
        let bytes = format!("{} {name} connect\n", address(port));
        handle(&mut node, Input::Received { conn, bytes: bytes.as_bytes() }, now);
        written(&mut node, conn);
        handle(&mut node, Input::Line(&format!("/msg {name} {name}")), now);
        assert_eq!(written(&mut node, conn), format!("127.0.0.1:8080 N {name}\n"));
    }
    assert!(node.is_running());
}
