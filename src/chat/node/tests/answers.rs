//! Where an answer goes, what calls the user, and what the question for a text to all says.

use super::*;
use crate::chat::notice::{Partner, Prompt, Unread};
use crate::limits::SHOWN_LINES_BURST;

/// Where the tests listen; peers of other hosts write to it too.
const HERE: &str = "10.0.0.1:8080";

fn on_a_terminal(name: &str) -> (Node, Instant) {
    let (mut node, now) = running_as(Config { is_terminal: true, ..Config::default() });
    node.roster.me_mut().rename(name);
    (node, now)
}

/// Says these lines on one connection from an address.
fn say(node: &mut Node, from: &str, lines: &str, now: Instant) -> Vec<Notice> {
    let conn = node.accept(from.parse().unwrap(), HERE.parse().unwrap(), now).unwrap();
    said(handle(node, Input::Received { conn, bytes: format!("{lines}\n").as_bytes() }, now))
}

fn type_line(node: &mut Node, line: &str, now: Instant) -> Vec<Notice> {
    said(handle(node, Input::Line(line), now))
}

fn said(outputs: Vec<Output<Notice>>) -> Vec<Notice> {
    let notice = |output| match output {
        Output::Notice(notice) => Some(notice),
        _ => None,
    };
    outputs.into_iter().filter_map(notice).collect()
}

fn prompt(notices: &[Notice]) -> Option<&Prompt> {
    notices.iter().rev().find_map(|notice| match notice {
        Notice::Prompt(prompt) => Some(prompt),
        _ => None,
    })
}

/// The prompt of the conversation that the user is in.
fn partner(notices: &[Notice]) -> Option<Partner> {
    match prompt(notices) {
        Some(Prompt::Conversation(partner)) => Some(partner.clone()),
        _ => None,
    }
}

/// Who is proposed as a recipient, by the port.
fn proposed(node: &mut Node, now: Instant) -> Option<u16> {
    let asked = type_line(node, "1", now);
    type_line(node, "", now);
    match prompt(&asked) {
        Some(Prompt::Recipient(proposed)) => proposed.map(|address| address.port()),
        other => panic!("{other:?}"),
    }
}

/// A mark as our own kind sends it on its session, before a text.
fn session(node: &mut Node, port: u16, name: &str, now: Instant) -> ConnId {
    let from = SocketAddr::from(([10, 0, 0, 9], port));
    let conn = node.accept(from, HERE.parse().unwrap(), now).unwrap();
    handle(node, Input::Received { conn, bytes: format!("{from} {name} connect\n").as_bytes() }, now);
    conn
}

fn hear(node: &mut Node, conn: ConnId, lines: &str, now: Instant) -> Vec<Notice> {
    said(handle(node, Input::Received { conn, bytes: format!("{lines}\n").as_bytes() }, now))
}

#[test]
fn an_answer_goes_to_whoever_wrote_last_or_was_written_to_last() {
    let (mut node, now) = on_a_terminal("N");
    assert_eq!(proposed(&mut node, now), None);
    for (port, name) in [(1, "anna"), (2, "bob")] {
        let conn = session(&mut node, port, name, now);
        hear(&mut node, conn, &format!("10.0.0.9:{port} {name} hi"), now);
        assert_eq!(proposed(&mut node, now), Some(port));
    }
    type_line(&mut node, "/msg anna hello", now);
    assert_eq!(proposed(&mut node, now), Some(1));
    let zoe = session(&mut node, 3, "zoe", now);
    assert_eq!(proposed(&mut node, now), Some(1), "a connect says nothing");
    hear(&mut node, zoe, "!to 3\n10.0.0.9:3 zoe hi all", now);
    assert_eq!(proposed(&mut node, now), Some(3), "the answer goes to the sender alone");
    type_line(&mut node, "/all hello", now);
    assert_eq!(proposed(&mut node, now), Some(3));
}

#[test]
fn a_stranger_who_claims_an_address_is_not_proposed() {
    let (mut node, now) = on_a_terminal("N");
    say(&mut node, "10.0.0.9:50000", "10.0.0.9:1 anna hi", now);
    for claim in ["10.0.0.8:3 anna hi", "10.0.0.8:1 bob hi"] {
        let told = say(&mut node, "10.0.0.7:50000", claim, now);
        let is_claim =
            |notice: &Notice| matches!(notice, Notice::Message { who, .. } if !who.standing.is_confirmed());
        assert!(told.iter().any(is_claim), "{told:?}");
        assert_eq!(proposed(&mut node, now), Some(1), "{claim}");
    }
}

#[test]
fn who_is_blocked_or_removed_is_not_proposed() {
    for end in ["/block anna", "/exit anna", "exit"] {
        let (mut node, now) = on_a_terminal("N");
        let anna = session(&mut node, 1, "anna", now);
        hear(&mut node, anna, "10.0.0.9:1 anna hi", now);
        assert_eq!(proposed(&mut node, now), Some(1));
        if end.starts_with('/') {
            type_line(&mut node, end, now);
        } else {
            hear(&mut node, anna, "10.0.0.9:1 anna exit", now);
        }
        assert_eq!(proposed(&mut node, now), None, "{end}");
        say(&mut node, "10.0.0.9:50000", "10.0.0.9:1 anna hi", now);
        let is_back = (end != "/block anna").then_some(1);
        assert_eq!(proposed(&mut node, now), is_back, "{end}");
    }
}

#[test]
fn what_is_filled_in_stays_while_it_is_read() {
    let (mut node, now) = on_a_terminal("N");
    say(&mut node, "10.0.0.9:50000", "10.0.0.9:1 anna hi", now);
    type_line(&mut node, "1", now);
    let told = say(&mut node, "10.0.0.9:50000", "10.0.0.9:2 bob hi", now);
    assert_eq!(prompt(&told), None, "nothing is asked again");
    let asked = type_line(&mut node, "nobody", now);
    assert_eq!(prompt(&asked), Some(&Prompt::Recipient(Some("10.0.0.9:1".parse().unwrap()))));
    type_line(&mut node, "", now);
    assert_eq!(proposed(&mut node, now), Some(2));
}

#[test]
fn a_text_to_all_is_read_in_the_conversation_with_all_and_a_private_one_is_not() {
    let (mut node, now) = on_a_terminal("N");
    let anna = session(&mut node, 1, "anna", now);
    type_line(&mut node, "/to all", now);
    let told = hear(&mut node, anna, "!to 3\n10.0.0.9:1 anna hi all", now);
    assert_eq!(partner(&told), None, "it is read");
    let told = hear(&mut node, anna, "10.0.0.9:1 anna only you", now);
    let unread = |texts| vec![Unread { name: "anna".to_owned(), texts, has_mention: false }];
    assert_eq!(partner(&told).unwrap().unread, unread(1));
    hear(&mut node, anna, "!to 3\n10.0.0.9:1 anna hi all", now);
    let asked = type_line(&mut node, "/switch", now);
    assert_eq!(partner(&asked).unwrap(), Partner::from("anna"), "nothing else is unread");
    let bob = session(&mut node, 2, "bob", now);
    let told = hear(&mut node, bob, "!to 3\n10.0.0.9:2 bob hi all", now);
    assert_eq!(partner(&told).unwrap().unread[0].texts, 1, "elsewhere it is unread");
}

#[test]
fn the_prompt_says_where_the_user_is_mentioned_until_it_is_read() {
    let (mut node, now) = on_a_terminal("N");
    for (port, name) in [(1, "anna"), (2, "bob")] {
        say(&mut node, "10.0.0.9:50000", &format!("10.0.0.9:{port} {name} hi"), now);
    }
    type_line(&mut node, "/to anna", now);
    let unread = |texts, has_mention| vec![Unread { name: "bob".to_owned(), texts, has_mention }];
    for (text, texts, has_mention) in [("no", 1, false), ("n!", 2, true), ("no", 3, true)] {
        let told = say(&mut node, "10.0.0.9:50000", &format!("10.0.0.9:2 bob {text}"), now);
        assert_eq!(partner(&told).unwrap().unread, unread(texts, has_mention));
    }
    type_line(&mut node, "/to bob", now);
    let asked = type_line(&mut node, "/to anna", now);
    assert_eq!(partner(&asked).unwrap().unread, []);
}

#[test]
fn a_message_tells_where_it_has_the_users_name_and_an_echo_is_no_message() {
    for (name, text, expected) in [
        ("N", "hi n", &["n"][..]),
        ("N", "hi no", &[]),
        ("all", "hi all", &["all"]),
        ("you", "are you New?", &["you"]),
        ("New", "New peer: x", &["New"]),
        ("peer", "New peer: x", &["peer"]),
        ("red", "a red → b", &["red"]),
        ("→", "a red → b", &["→"]),
        ("me", "/me waves", &[]),
        ("exit", "do not exit", &["exit"]),
    ] {
        let (mut node, now) = on_a_terminal(name);
        let told = say(&mut node, "10.0.0.9:50000", &format!("10.0.0.9:1 {name} {text}"), now);
        let mentions = told.iter().find_map(|notice| match notice {
            Notice::Message { text, mentions, .. } => {
                Some(mentions.iter().map(|place| &text[place.clone()]).collect::<Vec<_>>())
            }
            _ => None,
        });
        assert_eq!(mentions.unwrap(), expected, "{name}: {text}");
        let told = say(&mut node, "127.0.0.1:50000", &format!("127.0.0.1:8080 {name} hi {name}"), now);
        assert!(matches!(told[..], [Notice::Raw { .. }]), "{told:?}");
    }
}

#[test]
fn a_mention_that_is_only_counted_is_not_looked_for() {
    let (mut node, now) = on_a_terminal("N");
    say(&mut node, "10.0.0.9:50000", "10.0.0.9:1 anna hi", now);
    type_line(&mut node, "/to anna", now);
    let flood = "10.0.0.9:2 bob hi\n".repeat(SHOWN_LINES_BURST as usize) + "10.0.0.9:2 bob hi N";
    let told = say(&mut node, "10.0.0.9:50000", &flood, now);
    let shown = told.iter().filter(|notice| matches!(notice, Notice::Message { .. })).count();
    assert_eq!(shown, SHOWN_LINES_BURST as usize);
    let later = node.poll_timeout().unwrap();
    let told = said(handle(&mut node, Input::Timeout, later));
    let texts = u64::from(SHOWN_LINES_BURST) + 1;
    let unread = Unread { name: "bob".to_owned(), texts, has_mention: false };
    assert_eq!(partner(&told).unwrap().unread, [unread]);
}

#[test]
fn the_question_for_a_text_to_all_says_how_many_get_it_at_every_moment() {
    let (mut node, now) = on_a_terminal("N");
    let peers = |notices: &[Notice]| match prompt(notices) {
        Some(Prompt::TextToAll(peers)) => Some(*peers),
        Some(Prompt::Conversation(partner)) => partner.peers,
        _ => None,
    };
    let anna = session(&mut node, 1, "anna", now);
    assert_eq!(peers(&type_line(&mut node, "5", now)), Some(1));
    session(&mut node, 2, "bob", now);
    assert_eq!(peers(&say(&mut node, "10.0.0.9:50000", "10.0.0.9:3 zoe hi", now)), Some(3));
    type_line(&mut node, "", now);
    assert_eq!(peers(&type_line(&mut node, "/to all", now)), Some(3));
    assert_eq!(peers(&hear(&mut node, anna, "10.0.0.9:1 anna hi", now)), Some(3));
    assert_eq!(peers(&hear(&mut node, anna, "10.0.0.9:1 anna exit", now)), Some(2));
    type_line(&mut node, "hello", now);
    let (conn, _) = node.outbox.under_way("10.0.0.9:3".parse().unwrap()).unwrap();
    let reason = CloseReason::Refused;
    assert_eq!(peers(&said(handle(&mut node, Input::Closed { conn, reason }, now))), Some(1), "zoe is away");
    assert_eq!(peers(&say(&mut node, "10.0.0.9:50000", "10.0.0.9:3 zoe hi", now)), Some(2), "she is back");
    type_line(&mut node, "again", now);
    let (conn, _) = node.outbox.under_way("10.0.0.9:3".parse().unwrap()).unwrap();
    handle(&mut node, Input::Closed { conn, reason }, now);
    assert_eq!(peers(&type_line(&mut node, "/block zoe", now)), Some(1), "who is away is not counted twice");
    let count = node.directory().iter().filter(|peer| !peer.is_offline).count();
    assert_eq!(node.directory().online(), count);
}

#[test]
fn names_that_are_words_of_commands_lead_nowhere_by_accident() {
    let (mut node, now) = on_a_terminal("N");
    for (port, name) in (1..).zip(["all", "a", "you", "→", "red", "New", "peer", "/quit"]) {
        say(&mut node, "10.0.0.9:50000", &format!("10.0.0.9:{port} {name} hi"), now);
        assert_eq!(proposed(&mut node, now), Some(port), "{name}");
    }
    let asked = partner(&type_line(&mut node, "/to all", now)).unwrap();
    assert!(asked.peers == Some(8), "the word means all, never the peer of that name");
    let asked = partner(&type_line(&mut node, "/to 10.0.0.9:1", now)).unwrap();
    assert_eq!((&*asked.name, asked.peers), ("10.0.0.9:1", None));
}
