//! Texts that are held until their peer is back, and what the user is asked about them.

use super::*;
use crate::chat::held::{HeldNews, HeldState};
use crate::chat::notice::{HeldQuestion, Later, Mistake, Prompt};
use crate::chat::request::Designation;
use crate::limits::{HELD_QUESTION_GRACE, HELD_RETRY, HELD_TIME_MAX, SETTLE_TIMEOUT};

const PEER: &str = "127.0.0.1:9";

fn peer() -> SocketAddr {
    PEER.parse().unwrap()
}

fn program() -> (Node, Instant) {
    running_as(Config { dialogue: Dialogue::Commands, ..Config::default() })
}

fn person() -> (Node, Instant) {
    running_as(Config { is_terminal: true, offers_to_hold: true, ..Config::default() })
}

fn hold(node: &mut Node, text: &str, now: Instant) -> Vec<Notice> {
    while node.poll_output().is_some() {}
    node.request(Request::Later(Designation::Address(peer()), text.to_owned()), now);
    notices(std::iter::from_fn(|| node.poll_output()).collect())
}

fn accept(node: &mut Node, from: &str, bytes: &str, now: Instant) -> (ConnId, Vec<Output<Notice>>) {
    let conn = node.accept(from.parse().unwrap(), "127.0.0.1:8080".parse().unwrap(), now).unwrap();
    let outputs = handle(node, Input::Received { conn, bytes: bytes.as_bytes() }, now);
    (conn, outputs)
}

/// The peer connects, and is another chinwag.
fn session(node: &mut Node, now: Instant) -> ConnId {
    accept(node, "127.0.0.1:50000", &format!("{PEER} P9 connect\n!chinwag/1\n"), now).0
}

/// The turn ends, and the other side takes all.
fn read(node: &mut Node, conn: ConnId) -> String {
    while node.poll_transmit().is_some() {}
    let mut bytes = Vec::new();
    node.send_queue(conn).unwrap().write_to(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn pong(node: &mut Node, conn: ConnId, read: &str, now: Instant) -> Vec<Notice> {
    let word = read.lines().rev().find_map(|line| line.strip_prefix("!ping ")).unwrap();
    notices(handle(node, Input::Received { conn, bytes: format!("!pong {word}\n").as_bytes() }, now))
}

fn close(node: &mut Node, conn: ConnId, reason: CloseReason, now: Instant) -> Vec<Notice> {
    let mut outputs = handle(node, Input::Closed { conn, reason }, now);
    outputs.extend(handle(node, Input::Timeout, now));
    notices(outputs)
}

fn notices(outputs: Vec<Output<Notice>>) -> Vec<Notice> {
    let notice = |output| match output {
        Output::Notice(Notice::Answer { notice, .. }) => Some(*notice),
        Output::Notice(notice) => Some(notice),
        _ => None,
    };
    outputs.into_iter().filter_map(notice).collect()
}

fn type_line(node: &mut Node, line: &str, now: Instant) -> Vec<Notice> {
    notices(handle(node, Input::Line(line), now))
}

/// What came of held texts.
fn came(notices: &[Notice]) -> Vec<(Later, usize)> {
    let later = |notice: &Notice| match notice {
        Notice::Later { what, texts, .. } => Some((*what, texts.len())),
        _ => None,
    };
    notices.iter().filter_map(later).collect()
}

/// The question that is shown last.
fn question(notices: &[Notice]) -> Option<&HeldQuestion> {
    let prompt = notices.iter().rev().find_map(|notice| match notice {
        Notice::Prompt(prompt) => Some(prompt),
        _ => None,
    });
    match prompt {
        Some(Prompt::Held(question)) => Some(question),
        _ => None,
    }
}

fn states(node: &Node) -> Vec<(&str, HeldState)> {
    node.held().texts().map(|held| (&*held.text, held.state)).collect()
}

fn dialled(outputs: &[Output<Notice>]) -> Option<ConnId> {
    outputs.iter().find_map(|output| match output {
        Output::Connect { conn, .. } => Some(*conn),
        _ => None,
    })
}

/// A dial that is under way comes up, and the peer takes what it carries.
fn hand_over(node: &mut Node, conn: ConnId, reason: CloseReason, now: Instant) -> (String, Vec<Notice>) {
    let mut told =
        notices(handle(node, Input::Connected { conn, local: "127.0.0.1:50001".parse().unwrap() }, now));
    let text = read(node, conn);
    told.extend(close(node, conn, reason, now));
    (text, told)
}

#[test]
fn a_held_text_goes_out_once_when_its_peer_connects_and_is_gone_when_it_is_read() {
    let (mut node, now) = program();
    assert_eq!(came(&hold(&mut node, "a", now)), [(Later::HeldForThisRun, 1)]);
    hold(&mut node, "b", now);
    assert_eq!(node.connections(), 0, "nobody is dialled for it");
    let conn = session(&mut node, now);
    let said = read(&mut node, conn);
    assert!(said.contains("N a\n127.0.0.1:8080 N b\n!ping "), "{said}");
    assert_eq!(states(&node), [("a", HeldState::UnderWay), ("b", HeldState::UnderWay)]);
    let told = pong(&mut node, conn, &said, now);
    assert_eq!((came(&told), states(&node)), (vec![(Later::Delivered, 2)], vec![]));
    handle(&mut node, Input::Received { conn, bytes: format!("{PEER} P9 hi\n").as_bytes() }, now);
    assert!(!read(&mut node, conn).contains("N a"), "once");
}

#[test]
fn for_a_peer_in_session_a_text_goes_out_at_once() {
    let (mut node, now) = program();
    let conn = session(&mut node, now);
    read(&mut node, conn);
    hold(&mut node, "a", now);
    assert!(read(&mut node, conn).contains("N a\n"));
}

#[test]
fn a_text_whose_session_ends_before_the_answer_is_not_sent_again_by_itself() {
    let (mut node, now) = person();
    hold(&mut node, "a", now);
    let conn = session(&mut node, now);
    read(&mut node, conn);
    let told = close(&mut node, conn, CloseReason::Reset, now);
    assert!(told.iter().any(|notice| matches!(notice, Notice::Unconfirmed { text, .. } if text == "a")));
    let asked = question(&told).expect("the user is asked");
    assert_eq!((asked.is_again, asked.texts), (true, 1));
    let conn = session(&mut node, now);
    assert!(!read(&mut node, conn).contains("N a\n"), "not without the user");
    let later = now + HELD_QUESTION_GRACE;
    type_line(&mut node, "y", later);
    assert!(read(&mut node, conn).contains("N a\n"));
}

#[test]
fn what_was_not_written_stays_held_and_goes_out_on_the_next_session() {
    let (mut node, now) = program();
    hold(&mut node, "a", now);
    let conn = session(&mut node, now);
    let told = close(&mut node, conn, CloseReason::Reset, now);
    assert!(!told.iter().any(|notice| matches!(notice, Notice::NotSent { .. })), "{told:?}");
    assert_eq!(states(&node), [("a", HeldState::Waiting)]);
    let conn = session(&mut node, now);
    assert!(read(&mut node, conn).contains("N a\n"));
}

#[test]
fn who_is_heard_without_a_session_is_dialled_and_not_again_at_once_if_that_fails() {
    let (mut node, now) = program();
    hold(&mut node, "a", now);
    let heard = |node: &mut Node, now| {
        let (_, outputs) = accept(node, "127.0.0.1:50000", &format!("{PEER} P9 hi\n"), now);
        dialled(&outputs)
    };
    let conn = heard(&mut node, now).unwrap();
    close(&mut node, conn, CloseReason::Refused, now);
    assert_eq!(states(&node), [("a", HeldState::Waiting)]);
    assert_eq!(heard(&mut node, now), None);
    let later = now + HELD_RETRY;
    let conn = heard(&mut node, later).unwrap();
    let (text, told) = hand_over(&mut node, conn, CloseReason::Eof, later);
    assert_eq!((&*text, came(&told)), ("127.0.0.1:8080 N a", vec![(Later::Taken, 1)]));
    assert_eq!(states(&node), []);
}

#[test]
fn a_dial_that_breaks_after_all_was_written_leaves_a_doubt() {
    let (mut node, now) = program();
    hold(&mut node, "a", now);
    let (_, outputs) = accept(&mut node, "127.0.0.1:50000", &format!("{PEER} P9 hi\n"), now);
    let (_, told) = hand_over(&mut node, dialled(&outputs).unwrap(), CloseReason::Reset, now);
    assert_eq!(
        (came(&told), states(&node)),
        (vec![(Later::Unconfirmed, 1)], vec![("a", HeldState::Unconfirmed)])
    );
}

#[test]
fn a_text_that_reached_a_peer_brings_the_held_ones_with_it() {
    let (mut node, now) = program();
    hold(&mut node, "a", now);
    let line = format!(r#"{{"command":"send","to":"{PEER}","text":"now"}}"#);
    let conn = dialled(&handle(&mut node, Input::Line(&line), now)).unwrap();
    handle(&mut node, Input::Connected { conn, local: "127.0.0.1:50001".parse().unwrap() }, now);
    read(&mut node, conn);
    let outputs = handle(&mut node, Input::Closed { conn, reason: CloseReason::Eof }, now);
    let conn = dialled(&outputs).expect("it was reached");
    assert_eq!(hand_over(&mut node, conn, CloseReason::Eof, now).0, "127.0.0.1:8080 N a");
}

#[test]
fn whoever_claims_an_address_from_elsewhere_gets_nothing() {
    let (mut node, now) = program();
    let to = Designation::Address("10.0.0.5:9".parse().unwrap());
    node.request(Request::Later(to, "secret".to_owned()), now);
    while node.poll_output().is_some() {}
    for bytes in ["10.0.0.5:9 P hi\n", "10.0.0.5:9 P connect\n!chinwag/1\n"] {
        let (conn, outputs) = accept(&mut node, "10.0.0.6:50000", bytes, now);
        assert_eq!(dialled(&outputs), None);
        handle(&mut node, Input::Timeout, now + SETTLE_TIMEOUT);
        assert!(!read(&mut node, conn).contains("secret"), "{bytes}");
    }
    assert_eq!(states(&node), [("secret", HeldState::Waiting)]);
}

#[test]
fn who_connects_and_says_nothing_gets_it_after_a_moment_and_who_hangs_up_does_not() {
    for hangs_up in [true, false] {
        let (mut node, now) = program();
        hold(&mut node, "a", now);
        let (conn, _) = accept(&mut node, "127.0.0.1:50000", &format!("{PEER} P9 connect\n"), now);
        assert!(!read(&mut node, conn).contains("N a"));
        if hangs_up {
            close(&mut node, conn, CloseReason::Eof, now);
            assert_eq!(states(&node), [("a", HeldState::Waiting)]);
            continue;
        }
        let later = now + SETTLE_TIMEOUT;
        handle(&mut node, Input::Timeout, later);
        assert!(read(&mut node, conn).contains("N a\n"));
        handle(&mut node, Input::Received { conn, bytes: format!("{PEER} P9 hi\n").as_bytes() }, later);
        let told = notices(handle(&mut node, Input::Timeout, later + SETTLE_TIMEOUT));
        assert_eq!((came(&told), states(&node)), (vec![(Later::Taken, 1)], vec![]), "it is no chinwag");
    }
}

#[test]
fn with_a_file_nothing_goes_out_before_the_file_has_noted_it() {
    let (mut node, now) = running_as(Config { has_held_file: true, ..Config::default() });
    assert_eq!(came(&hold(&mut node, "a", now)), [(Later::Held, 1)]);
    let conn = session(&mut node, now);
    assert!(!read(&mut node, conn).contains("N a\n"));
    let granted = node.held().wanted().collect();
    node.on_held_file(HeldNews { granted, ..HeldNews::default() }, now);
    assert!(read(&mut node, conn).contains("N a\n"));
}

#[test]
fn a_text_that_was_held_for_too_long_is_told_and_forgotten() {
    let (mut node, now) = program();
    hold(&mut node, "a", now);
    assert_eq!(node.poll_timeout(), Some(now + HELD_TIME_MAX));
    let told = notices(handle(&mut node, Input::Timeout, now + HELD_TIME_MAX));
    assert_eq!((came(&told), states(&node)), (vec![(Later::Expired, 1)], vec![]));
}

#[test]
fn what_is_held_is_listed_and_forgotten() {
    let (mut node, now) = program();
    hold(&mut node, "a", now);
    let told = type_line(&mut node, "/held", now);
    assert!(
        matches!(&told[..], [Notice::Held(rows)] if rows.len() == 1 && &*rows[0].text == "a"),
        "{told:?}"
    );
    let line = format!("/held {PEER} drop");
    assert_eq!(came(&type_line(&mut node, &line, now)), [(Later::Forgotten, 1)]);
    assert_eq!(type_line(&mut node, &line, now), [Notice::Mistake(Mistake::NothingHeld(peer()))]);
}

/// A person's text for the peer could not be sent.
fn fail(node: &mut Node, now: Instant) -> Vec<Notice> {
    let conn =
        ["1", PEER, "hello"].into_iter().find_map(|line| dialled(&handle(node, Input::Line(line), now)));
    close(node, conn.unwrap(), CloseReason::Refused, now)
}

#[test]
fn a_person_is_asked_whether_to_hold_a_text_that_could_not_be_sent() {
    for (answer, held) in [("y", 1), ("n", 0), ("", 0)] {
        let (mut node, now) = person();
        let told = fail(&mut node, now);
        let place = |is_meant: fn(&Notice) -> bool| told.iter().position(is_meant);
        let told_at = place(|notice| matches!(notice, Notice::NotSent { .. }));
        let asked_at = place(|notice| matches!(notice, Notice::Prompt(Prompt::Held(_))));
        assert!(told_at.is_some() && told_at < asked_at, "{told:?}");
        let told = type_line(&mut node, answer, now + HELD_QUESTION_GRACE);
        assert!(told.contains(&Notice::Menu) && question(&told).is_none(), "{told:?}");
        assert_eq!(states(&node).len(), held, "{answer:?}");
    }
}

#[test]
fn a_line_that_is_no_answer_is_what_it_would_have_been_and_the_question_comes_again() {
    let (mut node, now) = person();
    fail(&mut node, now);
    let later = now + HELD_QUESTION_GRACE;
    let told = type_line(&mut node, "/me", later);
    assert!(told.iter().any(|notice| matches!(notice, Notice::Me { .. })) && question(&told).is_some());
    assert!(question(&type_line(&mut node, "1", later)).is_none(), "a recipient is asked for");
    assert!(question(&type_line(&mut node, "", later)).is_some(), "and it comes again");
    assert!(question(&type_line(&mut node, "y", later)).is_some(), "it is new on the screen");
    type_line(&mut node, "y", later + HELD_QUESTION_GRACE);
    assert_eq!(states(&node), [("hello", HeldState::Waiting)]);
}

#[test]
fn in_a_conversation_no_line_is_lost_to_the_question() {
    let (mut node, now) = person();
    type_line(&mut node, &format!("/to {PEER}"), now);
    let conn = dialled(&handle(&mut node, Input::Line("first"), now)).unwrap();
    let told = close(&mut node, conn, CloseReason::Refused, now);
    assert_eq!(question(&told).map(|asked| asked.is_again), Some(false), "{told:?}");
    // Typed before the question could be read, and something else than an answer.
    for (line, at) in [("y", now), ("second", now + HELD_QUESTION_GRACE)] {
        let outputs = handle(&mut node, Input::Line(line), at);
        let conn = dialled(&outputs).expect("it is said");
        assert!(question(&close(&mut node, conn, CloseReason::Refused, at)).is_some());
    }
    let told = type_line(&mut node, "y", now + 2 * HELD_QUESTION_GRACE);
    let texts: Vec<&str> = states(&node).into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, ["first", "y", "second"]);
    assert!(matches!(told.last(), Some(Notice::Prompt(Prompt::Conversation(_)))), "{told:?}");
}

#[test]
fn nobody_is_asked_for_what_can_never_arrive_nor_where_no_person_is() {
    let (mut node, now) = running_as(Config::default());
    assert!(question(&fail(&mut node, now)).is_none());
    let (mut node, now) = person();
    for line in [format!("/block {PEER}"), format!("/msg {PEER} hi")] {
        assert!(question(&type_line(&mut node, &line, now)).is_none(), "{line}");
    }
}
