//! What fails with many is one line, whenever and however it becomes known.

use super::*;
use crate::chat::notice::{Failed, Failure, ManyFailed};
use crate::limits::FAILED_NAMES_SHOWN_MAX;

/// Peers of these ports and names were heard, without a session.
fn heard(node: &mut Node, peers: &[(u16, &str)], now: Instant) {
    let local = "127.0.0.1:8080".parse().unwrap();
    for (port, name) in peers {
        let conn = node.accept("127.0.0.1:50000".parse().unwrap(), local, now).unwrap();
        let bytes = format!("127.0.0.1:{port} {name} hi\n");
        handle(node, Input::Received { conn, bytes: bytes.as_bytes() }, now);
        handle(node, Input::Closed { conn, reason: CloseReason::Eof }, now);
    }
}

/// So many peers of the ports from 1 on.
fn many_heard(node: &mut Node, count: u16, now: Instant) {
    let names: Vec<(u16, String)> = (1..=count).map(|port| (port, format!("P{port}"))).collect();
    heard(node, &names.iter().map(|(port, name)| (*port, &**name)).collect::<Vec<_>>(), now);
}

/// What is told of failures.
fn told(outputs: Vec<Output<Notice>>) -> Vec<Notice> {
    let is_failure = |notice: &Notice| {
        matches!(notice, Notice::ManyFailed(_) | Notice::NotSent { .. } | Notice::NotConnected { .. })
    };
    let notice = |output| match output {
        Output::Notice(notice) => Some(notice).filter(is_failure),
        _ => None,
    };
    outputs.into_iter().filter_map(notice).collect()
}

/// Ends every dial that is under way, and those that follow.
fn end_dials(node: &mut Node, reason: CloseReason, now: Instant) -> Vec<Output<Notice>> {
    let mut outputs = Vec::new();
    let first = |node: &Node| {
        let mut under_way = node.outbox.addresses().filter_map(|to| node.outbox.under_way(to));
        under_way.next().map(|(conn, _)| conn)
    };
    while let Some(conn) = first(node) {
        outputs.extend(handle(node, Input::Closed { conn, reason }, now));
    }
    outputs
}

fn many(notice: &Notice) -> &ManyFailed {
    let Notice::ManyFailed(many) = notice else { panic!("{notice:?}") };
    many
}

#[test]
fn a_text_that_many_do_not_get_is_told_once_and_last_of_all() {
    let lines: [&[&str]; 5] =
        [&["5", "hello"], &["/all hello"], &["/to all", "hello"], &["/to all", "/me hello"], &["4", "hello"]];
    for lines in lines {
        let static_peers = (1..=5).map(|port| ([127, 0, 0, 1], port).into()).collect();
        let (mut node, now) = running_as(Config { static_peers, ..Config::default() });
        many_heard(&mut node, 5, now);
        for line in lines {
            assert_eq!(told(handle(&mut node, Input::Line(line), now)), []);
        }
        for left in (1..5).rev() {
            let to = node.outbox.addresses().next().unwrap();
            let (conn, _) = node.outbox.under_way(to).unwrap();
            let closed = Input::Closed { conn, reason: CloseReason::Refused };
            assert_eq!(told(handle(&mut node, closed, now)), [], "{left} are left");
        }
        let told = told(end_dials(&mut node, CloseReason::TimedOut, now));
        let many = many(&told[0]);
        assert_eq!((told.len(), many.to.len(), many.named.len()), (1, 5, FAILED_NAMES_SHOWN_MAX - 1));
        assert!(
            &*many.named[0].name == "P1"
                && matches!(&many.what, Failed::Text(text) if text.ends_with("hello"))
        );
        let why = [CloseReason::Refused, CloseReason::TimedOut].map(Failure::Connection);
        assert_eq!(many.why, why, "{lines:?}");
        assert!(node.wants_line());
    }
}

#[test]
fn connects_that_many_refuse_are_told_once() {
    let (mut node, now) = running();
    many_heard(&mut node, 50, now);
    handle(&mut node, Input::Line("/connect all"), now);
    let told = told(end_dials(&mut node, CloseReason::Refused, now));
    assert!(told.len() == 1 && many(&told[0]).what == Failed::Connect && many(&told[0]).to.len() == 50);
    assert!(node.wants_line());
}

#[test]
fn one_failure_among_many_is_told_as_ever_and_before_the_count_of_those_who_got_it() {
    let (mut node, now) = running();
    many_heard(&mut node, 2, now);
    handle(&mut node, Input::Line("/all hello"), now);
    let to = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let (conn, _) = node.outbox.under_way(to(1)).unwrap();
    assert_eq!(told(handle(&mut node, Input::Closed { conn, reason: CloseReason::Refused }, now)), []);
    let (conn, _) = node.outbox.under_way(to(2)).unwrap();
    handle(&mut node, Input::Connected { conn, local: "127.0.0.1:50001".parse().unwrap() }, now);
    node.send_queue(conn).unwrap().write_to(&mut io::sink()).unwrap();
    let outputs = handle(&mut node, Input::Closed { conn, reason: CloseReason::Eof }, now);
    let why = Failure::Connection(CloseReason::Refused);
    let not_sent = Notice::NotSent { to: to(1), text: "hello".to_owned(), why };
    assert_eq!(outputs[..2], [not_sent, Notice::SentToAll(1)].map(Output::Notice));
}

#[test]
fn a_name_that_could_mean_another_is_told_as_an_address() {
    for (peers, expected) in [
        ([(1, "anna"), (2, "bob"), (3, "anna")], ["127.0.0.1:1", "bob", "127.0.0.1:3"]),
        ([(1, "all"), (2, "/quit"), (3, "x\x1b[2J")], ["127.0.0.1:1", "/quit", "127.0.0.1:3"]),
    ] {
        let (mut node, now) = running();
        heard(&mut node, &peers, now);
        handle(&mut node, Input::Line("/all hello"), now);
        let told = told(end_dials(&mut node, CloseReason::Reset, now));
        let names: Vec<&str> = many(&told[0]).named.iter().map(|who| &*who.name).collect();
        assert_eq!(names, expected);
    }
}

#[test]
fn at_the_end_what_is_known_and_what_is_not_are_one_sentence() {
    for is_cut_short in [true, false] {
        let (mut node, now) = running();
        many_heard(&mut node, 4, now);
        handle(&mut node, Input::Line("/all hello"), now);
        let (conn, _) = node.outbox.under_way("127.0.0.1:1".parse().unwrap()).unwrap();
        handle(&mut node, Input::Closed { conn, reason: CloseReason::Refused }, now);
        let mut outputs = handle(&mut node, Input::Interrupted, now);
        outputs.extend(match is_cut_short {
            true => handle(&mut node, Input::Interrupted, now),
            false => handle(&mut node, Input::Timeout, now + crate::limits::QUIT_TIMEOUT),
        });
        assert_eq!(outputs.last(), Some(&Output::Quit(0)));
        let told = told(outputs);
        assert_eq!((told.len(), many(&told[0]).to.len()), (1, 4));
        let why = [CloseReason::Refused, CloseReason::TimedOut].map(Failure::Connection);
        assert_eq!(many(&told[0]).why, why);
    }
}

#[test]
fn ten_thousand_failures_are_one_short_line_and_a_program_gets_each() {
    use crate::term::render::Sentence;
    const PEERS: u16 = 10_000;
    for dialogue in [Dialogue::Menu, Dialogue::Commands] {
        let (mut node, now) = running_as(Config { dialogue, ..Config::default() });
        for port in 10_001..=10_000 + PEERS {
            node.roster.entry_of(([127, 0, 0, 1], port).into()).unwrap();
        }
        let line = if dialogue == Dialogue::Menu {
            "/all hello"
        } else {
            r#"{"command":"send-all","text":"hello","id":7}"#
        };
        let mut outputs = handle(&mut node, Input::Line(line), now);
        outputs.extend(end_dials(&mut node, CloseReason::Refused, now));
        if dialogue == Dialogue::Menu {
            let told = told(outputs);
            let line = "Not sent to 127.0.0.1:10001, 127.0.0.1:10002 and 9,998 more (refused): hello\n";
            assert_eq!((told.len(), Sentence(&told[0]).to_string().as_str()), (1, line));
        } else {
            let is_answer = |output: &&Output<Notice>| matches!(output, Output::Notice(Notice::Answer { notice, .. }) if matches!(**notice, Notice::NotSent { .. }));
            assert_eq!(outputs.iter().filter(is_answer).count(), usize::from(PEERS));
        }
        assert_eq!(node.counters().not_sent, u64::from(PEERS));
    }
}
