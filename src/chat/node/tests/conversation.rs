//! A conversation: every line goes to the same peer, and the next is asked for at once.

use super::*;
use crate::chat::menu::Menu;
use crate::chat::notice::{Mistake, Prompt};
use crate::chat::request::Audience;
use crate::limits::MESSAGES_UNDER_WAY_MAX;

const PEER: &str = "127.0.0.1:9";

fn notices(outputs: Vec<Output<Notice>>) -> Vec<Notice> {
    let notice = |output| match output {
        Output::Notice(notice) => Some(notice),
        _ => None,
    };
    outputs.into_iter().filter_map(notice).collect()
}

fn type_line(node: &mut Node, line: &str, now: Instant) -> Vec<Notice> {
    assert!(node.wants_line(), "{line}");
    notices(handle(node, Input::Line(line), now))
}

/// A message on a new connection.
fn hear(node: &mut Node, message: &str, now: Instant) -> ConnId {
    let from = "127.0.0.1:50000".parse().unwrap();
    let conn = node.accept(from, "127.0.0.1:8080".parse().unwrap(), now).unwrap();
    handle(node, Input::Received { conn, bytes: format!("{message}\n").as_bytes() }, now);
    conn
}

/// Ends the dial that is under way, up or not.
fn end_dial(node: &mut Node, is_up: bool, now: Instant) -> Vec<Notice> {
    let (conn, _) = node.outbox.under_way(PEER.parse().unwrap()).unwrap();
    if is_up {
        handle(node, Input::Connected { conn, local: "127.0.0.1:50001".parse().unwrap() }, now);
        node.send_queue(conn).unwrap().write_to(&mut std::io::sink()).unwrap();
    }
    let reason = if is_up { CloseReason::Eof } else { CloseReason::Refused };
    notices(handle(node, Input::Closed { conn, reason }, now))
}

fn asks(partner: &str) -> Notice {
    Notice::Prompt(Prompt::Conversation(partner.into()))
}

fn asks_at_the_menu() -> [Notice; 2] {
    [Notice::Menu, Notice::Prompt(Prompt::Choice)]
}

#[test]
fn lines_are_taken_while_outcomes_are_pending_and_only_failures_are_told() {
    let (mut node, now) = running();
    for line in [format!("/to {PEER}").as_str(), "one", "two", "three"] {
        assert_eq!(type_line(&mut node, line, now), [asks(PEER)], "{line}");
    }
    assert_eq!(end_dial(&mut node, true, now), []);
    let failed = end_dial(&mut node, false, now);
    let unsent = |notice: &Notice| match notice {
        Notice::NotSent { text, .. } => text.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(failed.iter().map(unsent).collect::<Vec<_>>(), ["two", "three"]);
    assert_eq!(type_line(&mut node, "", now), asks_at_the_menu());
}

#[test]
fn what_a_command_in_a_conversation_sends_is_told() {
    let (mut node, now) = running();
    hear(&mut node, &format!("{PEER} P9 connect"), now);
    let to = PEER.parse().unwrap();
    assert_eq!(type_line(&mut node, "/to p9", now), [asks("P9")]);
    assert_eq!(type_line(&mut node, "hello", now), [asks("P9")]);
    assert_eq!(type_line(&mut node, "/msg P9 hello", now), [Notice::Sent(to), asks("P9")]);
    assert_eq!(type_line(&mut node, "/all hello", now), [Notice::SentToAll(1), asks("P9")]);
    assert_eq!(type_line(&mut node, "/to all", now), [asks("all")]);
    assert_eq!(type_line(&mut node, "hello", now), [asks("all")]);
    assert_eq!(node.counters().sent, 4);
}

#[test]
fn exit_is_said_and_ends_the_conversation() {
    for whom in ["P9", "all"] {
        let (mut node, now) = running();
        hear(&mut node, &format!("{PEER} P9 connect"), now);
        type_line(&mut node, &format!("/to {whom}"), now);
        let told = type_line(&mut node, "exit", now);
        assert_eq!(told[0], Notice::ExitSent(PEER.parse().unwrap()));
        assert_eq!(told[1..], asks_at_the_menu());
    }
}

#[test]
fn a_conversation_outlives_its_peer_and_the_next_line_dials_it() {
    let (mut node, now) = running();
    let conn = hear(&mut node, &format!("{PEER} P9 connect"), now);
    type_line(&mut node, "/to P9", now);
    let bytes = format!("{PEER} P9 exit\n");
    let told = notices(handle(&mut node, Input::Received { conn, bytes: bytes.as_bytes() }, now));
    assert!(matches!(&told[..], [Notice::Disconnected(_)]), "{told:?}");
    assert_eq!(type_line(&mut node, "are you there?", now), [asks(PEER)]);
    assert!(node.outbox.under_way(PEER.parse().unwrap()).is_some());
}

#[test]
fn the_question_calls_the_peer_what_it_calls_itself_now() {
    let (mut node, now) = running();
    type_line(&mut node, &format!("/to {PEER}"), now);
    let from = "127.0.0.1:50000".parse().unwrap();
    let conn = node.accept(from, "127.0.0.1:8080".parse().unwrap(), now).unwrap();
    let mut hear = |message: &str| {
        let bytes = format!("{message}\n");
        notices(handle(&mut node, Input::Received { conn, bytes: bytes.as_bytes() }, now))
    };
    let mut is_asked = |message: &str, partner: &str| hear(message).contains(&asks(partner));
    assert!(is_asked(&format!("{PEER} P9 hello"), "P9"), "it has a name now");
    assert!(!is_asked(&format!("{PEER} P9 hello"), "P9"));
    assert!(is_asked(&format!("{PEER} Q9 hello"), "Q9"), "and another one now");
    assert!(!is_asked("127.0.0.1:7 P7 hello", "Q9"), "somebody else");
}

#[test]
fn a_file_is_held_up_while_too_many_lines_are_under_way_and_its_end_waits_for_them() {
    let (mut node, now) = running();
    type_line(&mut node, &format!("/to {PEER}"), now);
    for _ in 0..MESSAGES_UNDER_WAY_MAX {
        type_line(&mut node, "hello", now);
    }
    assert!(!node.wants_line());
    end_dial(&mut node, true, now);
    type_line(&mut node, "the last", now);
    assert_eq!(notices(handle(&mut node, Input::StdinClosed, now)), []);
    assert!(!node.wants_line());
    let told = end_dial(&mut node, false, now);
    assert_eq!((told.len(), told.last()), (MESSAGES_UNDER_WAY_MAX + 1, Some(&Notice::Exiting)));
}

#[test]
fn the_end_waits_for_the_lines_of_a_conversation_that_was_left() {
    let (mut node, now) = running();
    for line in [&format!("/to {PEER}"), "one", "two", ""] {
        type_line(&mut node, line, now);
    }
    assert_eq!(notices(handle(&mut node, Input::StdinClosed, now)), []);
    assert_eq!(end_dial(&mut node, true, now), []);
    assert_eq!(end_dial(&mut node, true, now), [Notice::Exiting]);
}

#[test]
fn the_question_calls_a_peer_by_no_name_that_could_mean_something_else() {
    let clear = ["$x", "/etc/passwd", "yours"].map(|name| (name, name));
    let others = ["all", "1", "::1", "you", "→", "·", "2!,", "(away)"].map(|name| (name, PEER));
    for (name, partner) in clear.into_iter().chain(others) {
        let (mut node, now) = running();
        hear(&mut node, &format!("{PEER} {name} hello"), now);
        assert_eq!(type_line(&mut node, &format!("/to {PEER}"), now), [asks(partner)], "{name}");
    }
}

#[test]
fn the_menu_is_not_shown_again_after_a_slash_command_right_or_wrong() {
    let (mut node, now) = running();
    hear(&mut node, &format!("{PEER} P9 connect"), now);
    for line in ["/msg P9 hello", "/peers", "/connect P7", "/pears", "/msg", "/help"] {
        let told = type_line(&mut node, line, now);
        assert_eq!((told.len(), told.last()), (2, Some(&Notice::Prompt(Prompt::Choice))), "{line}");
    }
    assert_eq!(type_line(&mut node, "", now), asks_at_the_menu());
    let told = type_line(&mut node, "/msg 127.0.0.1:7 hello", now);
    assert!(told.is_empty() && !node.wants_line(), "the menu waits for the outcome: {told:?}");
}

#[test]
fn a_name_that_several_share_is_asked_about_and_a_number_answers() {
    let (mut node, now) = running();
    for address in ["127.0.0.1:7", PEER] {
        hear(&mut node, &format!("{address} twin hello"), now);
    }
    let listed = |told: &[Notice]| match told.first() {
        Some(Notice::Mistake(Mistake::AmbiguousName { peers, .. })) => {
            peers.iter().map(|row| (row.number, row.who.address)).collect::<Vec<_>>()
        }
        _ => panic!("{told:?}"),
    };
    let both: [(usize, SocketAddr); 2] = [(1, "127.0.0.1:7".parse().unwrap()), (2, PEER.parse().unwrap())];
    assert_eq!(listed(&type_line(&mut node, "/to TWIN", now)), both);
    assert_eq!(type_line(&mut node, "/to 2", now), [asks(PEER)], "the name is not clear");
    assert_eq!(node.prompter.menu(), Menu::Conversation(Audience::One(both[1].1, None)));
    type_line(&mut node, "", now);
    for (choice, next) in [("1", Menu::Recipient), ("3", Menu::ConnectTo)] {
        type_line(&mut node, choice, now);
        assert_eq!(listed(&type_line(&mut node, "twin", now)), both);
        assert_eq!(node.prompter.menu(), next);
        type_line(&mut node, "", now);
    }
    type_line(&mut node, "1", now);
    type_line(&mut node, "twin", now);
    type_line(&mut node, "1", now);
    assert_eq!(node.prompter.menu(), Menu::Text(Audience::One(both[0].1, None)));
}

#[test]
fn who_was_written_to_last_goes_with_the_question_for_a_recipient() {
    let (mut node, now) = running();
    hear(&mut node, &format!("{PEER} P9 connect"), now);
    let asked = |last| [Notice::Prompt(Prompt::Recipient(last))];
    assert_eq!(type_line(&mut node, "1", now), asked(None));
    type_line(&mut node, "", now);
    for way in [["/msg P9 hello", "/peers"], ["/to P9", "hello"]] {
        node.prompter.forget(PEER.parse().unwrap());
        way.iter().for_each(|line| drop(type_line(&mut node, line, now)));
        if node.prompter.is_conversing() {
            type_line(&mut node, "", now);
        }
        assert_eq!(type_line(&mut node, "1", now), asked(Some(PEER.parse().unwrap())));
        type_line(&mut node, "", now);
    }
}
