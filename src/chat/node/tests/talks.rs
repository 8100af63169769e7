//! Several conversations on a terminal: what is unread elsewhere, and going from one to the other.

use super::*;
use crate::chat::notice::{Partner, Prompt, Who};
use crate::chat::recall::{Party, Recall};
use crate::limits::SHOWN_LINES_BURST;

fn on_a_terminal() -> (Node, Instant) {
    running_as(Config { is_terminal: true, must_remember: true, ..Config::default() })
}

/// Says so many texts, and gives what the prompt shows last.
fn hear(node: &mut Node, port: u16, name: &str, texts: u32, now: Instant) -> Option<Partner> {
    let from = SocketAddr::from(([127, 0, 0, 1], 50_000 + port));
    let conn = node.accept(from, "127.0.0.1:8080".parse().unwrap(), now).unwrap();
    let bytes = format!("127.0.0.1:{port} {name} hi\n").repeat(texts as usize);
    asked(handle(node, Input::Received { conn, bytes: bytes.as_bytes() }, now))
}

fn asked(outputs: Vec<Output<Notice>>) -> Option<Partner> {
    let partner = |output| match output {
        Output::Notice(Notice::Prompt(Prompt::Conversation(partner))) => Some(partner),
        _ => None,
    };
    outputs.into_iter().rev().find_map(partner)
}

fn type_line(node: &mut Node, line: &str, now: Instant) -> Option<Partner> {
    asked(handle(node, Input::Line(line), now))
}

fn unread(partner: Option<Partner>) -> Vec<(String, u64)> {
    partner.unwrap().unread.into_iter().map(|unread| (unread.name, unread.texts)).collect()
}

#[test]
fn what_others_say_is_counted_in_the_prompt_until_the_user_goes_there() {
    let (mut node, now) = on_a_terminal();
    hear(&mut node, 1, "anna", 1, now);
    type_line(&mut node, "/to anna", now);
    assert_eq!(hear(&mut node, 1, "anna", 1, now), None, "she is who the user talks to");
    assert_eq!(unread(hear(&mut node, 2, "bob", 2, now)), [("bob".to_owned(), 2)]);
    let both = [("bob".to_owned(), 2), ("zoe".to_owned(), 1)];
    assert_eq!(unread(hear(&mut node, 3, "zoe", 1, now)), both);
    let bob = type_line(&mut node, "/switch", now).unwrap();
    assert_eq!((&*bob.name, unread(Some(bob.clone()))), ("bob", vec![both[1].clone()]));
    assert_eq!(type_line(&mut node, "/switch 1", now).unwrap().name, "anna");
    assert_eq!(type_line(&mut node, "/switch previous", now).unwrap().name, "zoe");
    let told = handle(&mut node, Input::Line("/switch 4"), now);
    let is_mistake = |output: &Output<Notice>| matches!(output, Output::Notice(Notice::Mistake(_)));
    assert!(told.iter().any(is_mistake));
}

#[test]
fn the_count_is_exact_in_a_flood_of_which_most_is_not_shown() {
    let (mut node, now) = on_a_terminal();
    hear(&mut node, 1, "anna", 1, now);
    type_line(&mut node, "/to anna", now);
    let texts = 3 * SHOWN_LINES_BURST;
    hear(&mut node, 2, "bob", texts, now);
    let later = node.poll_timeout().unwrap();
    let partner = asked(handle(&mut node, Input::Timeout, later));
    assert_eq!(unread(partner), [("bob".to_owned(), u64::from(texts))]);
}

#[test]
fn the_prompt_says_that_the_partner_has_left_before_the_next_line() {
    let (mut node, now) = on_a_terminal();
    hear(&mut node, 1, "anna", 1, now);
    type_line(&mut node, "/to anna", now);
    let from = "127.0.0.1:50000".parse().unwrap();
    let conn = node.accept(from, "127.0.0.1:8080".parse().unwrap(), now).unwrap();
    let bytes = b"127.0.0.1:1 anna exit\n";
    let partner = asked(handle(&mut node, Input::Received { conn, bytes }, now)).unwrap();
    assert_eq!((&*partner.name, partner.is_away), ("anna", true));
    hear(&mut node, 1, "anna", 1, now);
    assert!(!type_line(&mut node, "/switch 1", now).unwrap().is_away, "she is back");
}

#[test]
fn the_prompt_says_that_the_partner_could_not_be_reached() {
    let (mut node, now) = on_a_terminal();
    hear(&mut node, 1, "anna", 1, now);
    type_line(&mut node, "/to anna", now);
    type_line(&mut node, "are you there", now);
    let (conn, _) = node.outbox.under_way("127.0.0.1:1".parse().unwrap()).unwrap();
    let partner = asked(handle(&mut node, Input::Closed { conn, reason: CloseReason::Refused }, now));
    assert!(partner.unwrap().is_away);
}

#[test]
fn the_prompt_says_that_the_partner_is_back_as_soon_as_it_is_heard_or_reached() {
    let (mut node, now) = on_a_terminal();
    hear(&mut node, 1, "anna", 1, now);
    type_line(&mut node, "/to anna", now);
    for comes_back in [CloseReason::Refused, CloseReason::Eof] {
        type_line(&mut node, "are you there", now);
        let told = end_dial(&mut node, CloseReason::Refused, now);
        assert!(asked(told).unwrap().is_away);
        let told = if comes_back == CloseReason::Eof {
            type_line(&mut node, "and now", now);
            asked(end_dial(&mut node, comes_back, now))
        } else {
            hear(&mut node, 1, "anna", 1, now)
        };
        assert!(!told.unwrap().is_away, "{comes_back:?}");
    }
}

/// Ends the dial to anna; an orderly end comes after the text was written.
fn end_dial(node: &mut Node, reason: CloseReason, now: Instant) -> Vec<Output<Notice>> {
    let (conn, _) = node.outbox.under_way("127.0.0.1:1".parse().unwrap()).unwrap();
    if reason == CloseReason::Eof {
        let local = "127.0.0.1:50000".parse().unwrap();
        handle(node, Input::Connected { conn, local }, now);
        node.send_queue(conn).unwrap().write_to(&mut std::io::sink()).unwrap();
    }
    handle(node, Input::Closed { conn, reason }, now)
}

#[test]
fn a_script_is_not_asked_again_because_somebody_else_speaks() {
    let (mut node, now) = running();
    hear(&mut node, 1, "anna", 1, now);
    type_line(&mut node, "/to anna", now);
    assert_eq!(hear(&mut node, 2, "bob", 1, now), None);
}

#[test]
fn who_writes_to_somebody_away_is_answered_once() {
    let (mut node, now) = on_a_terminal();
    handle(&mut node, Input::Line("/away back at six"), now);
    let from = "127.0.0.1:50000".parse().unwrap();
    let conn = node.accept(from, "127.0.0.1:8080".parse().unwrap(), now).unwrap();
    for (port, is_answered) in [(1, true), (1, false), (2, true)] {
        let bytes = format!("127.0.0.1:{port} P{port} hi\n");
        let outputs = handle(&mut node, Input::Received { conn, bytes: bytes.as_bytes() }, now);
        let is_dial =
            |output: &Output<Notice>| matches!(output, Output::Connect { to, .. } if to.port() == port);
        assert_eq!(outputs.iter().any(is_dial), is_answered, "{port}");
    }
    let claimed = b"10.0.0.8:3 P3 hi\n";
    let conn = node.accept("10.0.0.9:50000".parse().unwrap(), "10.0.0.1:8080".parse().unwrap(), now).unwrap();
    let outputs = handle(&mut node, Input::Received { conn, bytes: claimed }, now);
    assert!(!outputs.iter().any(|output| matches!(output, Output::Connect { .. })), "we dial no third party");
}

#[test]
fn whois_tells_what_is_known_and_me_needs_a_conversation() {
    let (mut node, now) = on_a_terminal();
    hear(&mut node, 1, "anna", 2, now);
    let told = handle(&mut node, Input::Line("/whois ANNA"), now);
    let whois = told.into_iter().find_map(|output| match output {
        Output::Notice(Notice::Whois(whois)) => Some(whois),
        _ => None,
    });
    let whois = whois.unwrap();
    assert_eq!((&*whois.own_name, whois.heard, whois.sent, whois.away), ("anna", 2, 0, false));
    assert!(whois.confirmed && !whois.connected);
    let told = handle(&mut node, Input::Line("/me waves"), now);
    assert!(told.iter().any(|output| matches!(output, Output::Notice(Notice::Mistake(_)))));
    type_line(&mut node, "/to anna", now);
    handle(&mut node, Input::Line("/me waves"), now);
    let (_, outgoing) = node.outbox.under_way("127.0.0.1:1".parse().unwrap()).unwrap();
    assert_eq!(outgoing.content, Content::Chat("/me waves".to_owned()));
}

#[test]
fn what_was_said_before_is_asked_for_by_address_and_a_conversation_begins_with_it_once() {
    let (mut node, now) = on_a_terminal();
    hear(&mut node, 1, "anna", 1, now);
    let mut recalls = |line: &str| -> Vec<Recall> {
        let asked = |output| match output {
            Output::Notice(Notice::Recall(asked)) => Some(asked),
            _ => None,
        };
        handle(&mut node, Input::Line(line), now).into_iter().filter_map(asked).collect()
    };
    let anna = || Party::One(Who::new(([127, 0, 0, 1], 1).into(), "anna".into()));
    let last = |with, count| vec![Recall::Last { with, count }];
    assert_eq!(recalls("/lastlog A.b  c "), [Recall::Containing("A.b  c".to_owned())]);
    assert_eq!(recalls("/history anna"), last(anna(), 10));
    assert_eq!(recalls("/history all 100"), last(Party::All, 100));
    assert_eq!(recalls("/history"), []);
    recalls("/peers");
    assert_eq!(recalls("/history 1"), last(anna(), 10));
    assert_eq!(recalls("/to anna"), [Recall::Before(anna())]);
    assert_eq!(recalls("/to anna"), []);
    assert_eq!(recalls("/history"), last(anna(), 10));
    assert_eq!(recalls("/history 1"), last(anna(), 1), "there it is a number of messages");
    assert_eq!(recalls("/history 1 7"), last(anna(), 7));
    assert_eq!(recalls("/to all"), [Recall::Before(Party::All)]);
    assert_eq!(recalls("/history 101"), []);
}
