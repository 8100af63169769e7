//! What becomes of a text on a session: one fate, and exactly one.

use super::*;
use crate::chat::notice::{Failed, Failure};
use crate::limits::{SETTLE_TIMEOUT, UNDECIDED_BATCHES_MAX};

const CHINWAG: &str = "!chinwag/1\n";

/// A session with a peer of this port.
fn session(node: &mut Node, port: u16, now: Instant) -> ConnId {
    let from = SocketAddr::from(([127, 0, 0, 1], port));
    let conn = node.accept(from, "127.0.0.1:8080".parse().unwrap(), now).unwrap();
    hear(node, conn, &format!("{from} P{port} connect\n"), now);
    written(node, conn);
    conn
}

/// A node that a program drives, with a session with another chinwag.
fn driven() -> (Node, ConnId, Instant) {
    let (mut node, now) = running_as(Config { dialogue: Dialogue::Commands, ..Config::default() });
    let conn = session(&mut node, 9, now);
    hear(&mut node, conn, CHINWAG, now);
    (node, conn, now)
}

fn hear(node: &mut Node, conn: ConnId, lines: &str, now: Instant) -> Vec<Notice> {
    notices(handle(node, Input::Received { conn, bytes: lines.as_bytes() }, now))
}

/// The turn ends, and the other side takes all.
fn written(node: &mut Node, conn: ConnId) -> String {
    while node.poll_transmit().is_some() {}
    let mut bytes = Vec::new();
    node.send_queue(conn).unwrap().write_to(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The word of the only ping in what was written.
fn asked(written: &str) -> Option<&str> {
    let mut words = written.lines().filter_map(|line| line.strip_prefix("!ping "));
    let word = words.next();
    assert_eq!(words.next(), None, "{written}");
    word
}

fn notices(outputs: Vec<Output<Notice>>) -> Vec<Notice> {
    let notice = |output| match output {
        Output::Notice(notice) => Some(notice),
        _ => None,
    };
    outputs.into_iter().filter_map(notice).collect()
}

fn say(node: &mut Node, text: &str, id: u32, now: Instant) {
    let line = format!(r#"{{"command":"send","to":"127.0.0.1:9","text":"{text}","id":{id}}}"#);
    handle(node, Input::Line(&line), now);
}

fn close(node: &mut Node, conn: ConnId, now: Instant) -> Vec<Notice> {
    notices(handle(node, Input::Closed { conn, reason: CloseReason::Reset }, now))
}

/// Each fate that is told, as `ID FATE` or `FATE`.
fn fates(notices: &[Notice]) -> Vec<String> {
    fn fate(notice: &Notice) -> Option<String> {
        match notice {
            Notice::Answer { id, notice } => Some(format!("{id:?} {}", fate(notice)?)),
            Notice::Delivered { count, .. } => Some(format!("delivered {count}")),
            Notice::Unconfirmed { text, .. } => Some(format!("unconfirmed {text}")),
            Notice::NotSent { text, .. } => Some(format!("not sent {text}")),
            _ => None,
        }
    }
    let fates = notices.iter().filter_map(fate);
    fates.map(|fate| fate.replace("Number(\"", "").replace("\")", "")).collect()
}

/// Delivered, taken, unconfirmed, not sent.
fn counted(node: &Node) -> [u64; 4] {
    let Counters { delivered, taken, unconfirmed, not_sent, .. } = node.counters();
    [delivered, taken, unconfirmed, not_sent]
}

#[test]
fn the_answer_to_a_ping_behind_them_tells_of_each_text_with_an_id() {
    let (mut node, conn, now) = driven();
    say(&mut node, "a", 1, now);
    say(&mut node, "b", 2, now);
    for text in ["c", "d"] {
        let line = format!(r#"{{"command":"send","to":"P9","text":"{text}"}}"#);
        handle(&mut node, Input::Line(&line), now);
    }
    let first = written(&mut node, conn);
    assert!(first.lines().last().unwrap().starts_with("!ping "), "behind what the turn queued: {first}");
    say(&mut node, "e", 5, now);
    let second = written(&mut node, conn);
    assert_eq!(asked(&second), None, "one is under way");
    let told = hear(&mut node, conn, &format!("!pong {}\n", asked(&first).unwrap()), now);
    assert_eq!(fates(&told), ["1 delivered 1", "2 delivered 1", "delivered 2"]);
    let third = written(&mut node, conn);
    let told = hear(&mut node, conn, &format!("!pong {}\n", asked(&third).unwrap()), now);
    assert_eq!((fates(&told), counted(&node)), (vec!["5 delivered 1".to_owned()], [5, 0, 0, 0]));
    assert_eq!(asked(&written(&mut node, conn)), None, "nothing waits");
    assert_eq!(fates(&close(&mut node, conn, now)), [""; 0]);
}

#[test]
fn an_answer_to_nothing_that_was_asked_proves_nothing() {
    let (mut node, conn, now) = driven();
    say(&mut node, "a", 1, now);
    let first = asked(&written(&mut node, conn)).unwrap().to_owned();
    say(&mut node, "b", 2, now);
    written(&mut node, conn);
    let next: u64 = first.parse().unwrap();
    for forged in
        ["0", "1", "", "x", &format!("{first} "), &format!("0{first}"), &(next.wrapping_add(1)).to_string()]
    {
        if forged.trim() != first {
            assert_eq!(
                fates(&hear(&mut node, conn, &format!("!pong {forged}\n"), now)),
                [""; 0],
                "{forged:?}"
            );
        }
    }
    let stranger = session(&mut node, 8, now);
    let pong = format!("!pong {first}\n");
    assert_eq!(fates(&hear(&mut node, stranger, &pong, now)), [""; 0], "another session");
    assert_eq!(fates(&hear(&mut node, conn, &pong, now)), ["1 delivered 1"]);
    assert_eq!(fates(&hear(&mut node, conn, &pong, now)), [""; 0], "again, before the next ping is queued");
    written(&mut node, conn);
    assert_eq!(fates(&hear(&mut node, conn, &pong, now)), [""; 0], "again, for what the next ping asks");
    assert_eq!(fates(&close(&mut node, conn, now)), ["2 unconfirmed b"]);
    assert_eq!(counted(&node), [1, 0, 1, 0]);
}

#[test]
fn what_was_written_and_not_confirmed_is_told_apart_from_what_was_not_written() {
    let (mut node, conn, now) = driven();
    say(&mut node, "a", 1, now);
    written(&mut node, conn);
    say(&mut node, "b", 2, now);
    assert_eq!(fates(&close(&mut node, conn, now)), ["1 unconfirmed a", "2 not sent b"]);
    assert_eq!(counted(&node), [0, 0, 1, 1]);
}

#[test]
fn nobody_is_asked_who_is_no_chinwag_and_for_nothing_that_nobody_wants_to_know() {
    let (mut node, now) = running();
    let [plain, control, ours] = [1, 2, 9].map(|port| session(&mut node, port, now));
    hear(&mut node, plain, "127.0.0.1:1 P1 hi\n", now);
    hear(&mut node, control, "!ping 1\n!to 2\n", now);
    for conn in [plain, control, ours] {
        written(&mut node, conn);
    }
    handle(&mut node, Input::Line("/all hello"), now);
    assert_eq!([plain, control, ours].map(|conn| asked(&written(&mut node, conn)).is_some()), [false; 3]);
    hear(&mut node, ours, CHINWAG, now);
    let word = written(&mut node, ours);
    hear(&mut node, ours, &format!("!pong {}\n", asked(&word).expect("it has shown what it is")), now);
    handle(&mut node, Input::Line("/away lunch"), now);
    hear(&mut node, ours, "127.0.0.1:9 P9 hi\n", now);
    let answer = written(&mut node, ours);
    assert!(answer.contains("lunch") && asked(&answer).is_none(), "{answer}");
    handle(&mut node, Input::Line("/stats"), now);
    assert_eq!(counted(&node), [1, 3, 0, 0]);
}

#[test]
fn a_text_has_one_fate_where_it_found_no_room() {
    let limits = Limits { send_queue_bytes_max: 1000, ..Limits::default() };
    let (mut node, now) = running_as(Config { dialogue: Dialogue::Commands, limits, ..Config::default() });
    let conn = session(&mut node, 9, now);
    hear(&mut node, conn, CHINWAG, now);
    say(&mut node, "a", 1, now);
    written(&mut node, conn);
    say(&mut node, &"b".repeat(500), 2, now);
    let line = format!(r#"{{"command":"send","to":"P9","text":"{}","id":3}}"#, "c".repeat(500));
    let told = notices(handle(&mut node, Input::Line(&line), now));
    let told: Vec<String> = fates(&told).iter().map(|fate| fate[..12].to_owned()).collect();
    assert_eq!(told, ["1 unconfirme", "2 not sent b", "3 not sent c"]);
    assert_eq!(counted(&node), [0, 0, 1, 2]);
}

#[test]
fn the_last_texts_are_asked_for_before_the_exit_and_the_answer_counts_while_we_leave() {
    let (mut node, conn, now) = driven();
    say(&mut node, "a", 1, now);
    let first = written(&mut node, conn);
    say(&mut node, "b", 2, now);
    handle(&mut node, Input::Line(r#"{"command":"quit","text":"bye","id":3}"#), now);
    let last = written(&mut node, conn);
    let lines: Vec<&str> = last.lines().collect();
    let [.., bye, ping, exit] = lines[..] else { panic!("{last}") };
    assert!(bye.ends_with("bye") && ping.starts_with("!ping ") && exit.ends_with("exit"), "{last}");
    let told = hear(&mut node, conn, &format!("!pong {}\n", asked(&first).unwrap()), now);
    assert_eq!(fates(&told), ["1 delivered 1"]);
    let told = hear(&mut node, conn, &format!("!pong {}\n", asked(&last).unwrap()), now);
    assert_eq!(fates(&told), ["2 delivered 1", "3 delivered 1"]);
    let over = handle(&mut node, Input::Closed { conn, reason: CloseReason::Eof }, now);
    assert!(over.contains(&Output::Quit(0)) && fates(&notices(over)).is_empty());
}

#[test]
fn who_answers_no_more_is_not_waited_for_longer_than_before() {
    let (mut node, conn, now) = driven();
    say(&mut node, "a", 1, now);
    written(&mut node, conn);
    handle(&mut node, Input::Interrupted, now);
    written(&mut node, conn);
    let over = handle(&mut node, Input::Timeout, now + SETTLE_TIMEOUT);
    assert!(over.contains(&Output::Quit(0)));
    assert_eq!(fates(&notices(over)), ["1 unconfirmed a"]);
}

#[test]
fn a_second_signal_leaves_no_text_without_a_fate() {
    let (mut node, conn, now) = driven();
    say(&mut node, "a", 1, now);
    written(&mut node, conn);
    say(&mut node, "b", 2, now);
    handle(&mut node, Input::Interrupted, now);
    assert_eq!(
        fates(&notices(handle(&mut node, Input::Interrupted, now))),
        ["1 unconfirmed a", "2 not sent b"]
    );
}

#[test]
fn a_session_that_a_newer_one_replaces_has_told_of_its_texts_when_it_ends() {
    let (mut node, older, now) = driven();
    say(&mut node, "a", 1, now);
    written(&mut node, older);
    let newer = session(&mut node, 9, now);
    hear(&mut node, newer, CHINWAG, now);
    say(&mut node, "b", 2, now);
    let ping = written(&mut node, newer);
    let told = hear(&mut node, newer, &format!("!pong {}\n", asked(&ping).unwrap()), now);
    assert_eq!(fates(&told), ["2 delivered 1"]);
    assert_eq!(fates(&close(&mut node, older, now)), ["1 unconfirmed a"]);
}

#[test]
fn what_was_said_before_a_block_can_still_be_confirmed() {
    for is_answered in [true, false] {
        let (mut node, conn, now) = driven();
        say(&mut node, "a", 1, now);
        handle(&mut node, Input::Line(r#"{"command":"block","to":"P9"}"#), now);
        let ping = written(&mut node, conn);
        let pong = format!("!pong {}\n", asked(&ping).unwrap());
        let answered = if is_answered { hear(&mut node, conn, &pong, now) } else { Vec::new() };
        let told = [answered, close(&mut node, conn, now)].concat();
        assert_eq!(fates(&told), [if is_answered { "1 delivered 1" } else { "1 unconfirmed a" }]);
    }
}

#[test]
fn a_person_hears_nothing_of_success_and_one_line_of_what_several_may_not_have_read() {
    let (mut node, now) = running();
    let conns = [1, 2, 3].map(|port| {
        let conn = session(&mut node, port, now);
        hear(&mut node, conn, CHINWAG, now);
        conn
    });
    handle(&mut node, Input::Line("/all one"), now);
    let pings = conns.map(|conn| written(&mut node, conn));
    for (conn, ping) in conns.into_iter().zip(&pings) {
        assert_eq!(hear(&mut node, conn, &format!("!pong {}\n", asked(ping).unwrap()), now), []);
    }
    handle(&mut node, Input::Line("/all two"), now);
    for conn in conns {
        written(&mut node, conn);
    }
    for conn in conns {
        assert_eq!(close(&mut node, conn, now), []);
    }
    let told = notices(handle(&mut node, Input::Timeout, now));
    let many = told.iter().filter_map(|notice| match notice {
        Notice::ManyFailed(many) => Some((&many.what, many.to.len(), &many.why[..])),
        _ => None,
    });
    let why = &[Failure::Connection(CloseReason::Reset)][..];
    let expected = [(&Failed::Confirmation("two".into()), 3, why), (&Failed::Session, 3, why)];
    assert_eq!((many.collect::<Vec<_>>(), counted(&node)), (expected.to_vec(), [3, 0, 3, 0]));
}

#[test]
fn a_quiet_user_is_told_too() {
    let (mut node, now) = running_as(Config { quiet: true, ..Config::default() });
    let conn = session(&mut node, 9, now);
    hear(&mut node, conn, CHINWAG, now);
    handle(&mut node, Input::Line("/msg 127.0.0.1:9 a"), now);
    written(&mut node, conn);
    close(&mut node, conn, now);
    assert_eq!(fates(&notices(handle(&mut node, Input::Timeout, now))), ["unconfirmed a"]);
}

#[test]
fn who_never_answers_makes_us_keep_no_more_than_the_limit_and_nobody_is_closed_for_it() {
    let limits = Limits { send_queue_bytes_max: 100_000, memory_bytes_max: 300_000, ..Limits::default() };
    let (mut node, now) = running_as(Config { dialogue: Dialogue::Commands, limits, ..Config::default() });
    let conns = [1, 2, 3, 4, 9].map(|port| {
        let conn = session(&mut node, port, now);
        hear(&mut node, conn, CHINWAG, now);
        conn
    });
    for n in 0..20 {
        for port in [1, 2, 3, 4, 9] {
            let text = "x".repeat(20_000);
            let line = format!(r#"{{"command":"send","to":"127.0.0.1:{port}","text":"{text}","id":{n}}}"#);
            assert_eq!(fates(&notices(handle(&mut node, Input::Line(&line), now))), [""; 0]);
        }
        for conn in conns {
            written(&mut node, conn);
        }
        assert!(node.connections.held() < 500_000, "{}", node.connections.held());
    }
    assert_eq!(node.connections(), 5);
    let unconfirmed: usize = conns.map(|conn| fates(&close(&mut node, conn, now)).len()).iter().sum();
    let [delivered, taken, counted, not_sent] = counted(&node);
    assert_eq!((delivered, taken + counted, not_sent, counted as usize), (0, 100, 0, unconfirmed));
    assert!((1..=25).contains(&unconfirmed), "{unconfirmed}");
}

#[test]
fn texts_for_who_has_not_said_what_it_is_wait_for_that_up_to_a_number() {
    let (mut node, now) = running_as(Config { dialogue: Dialogue::Commands, ..Config::default() });
    let conn = session(&mut node, 9, now);
    for n in 1..=UNDECIDED_BATCHES_MAX as u32 + 9 {
        say(&mut node, "x", n, now);
        written(&mut node, conn);
    }
    hear(&mut node, conn, CHINWAG, now);
    let ping = written(&mut node, conn);
    let told = hear(&mut node, conn, &format!("!pong {}\n", asked(&ping).unwrap()), now);
    assert_eq!(fates(&told).len(), UNDECIDED_BATCHES_MAX + 1);
    assert_eq!(counted(&node), [UNDECIDED_BATCHES_MAX as u64 + 1, 8, 0, 0]);
}

#[test]
fn a_diagnosis_asks_no_more_on_a_session_that_we_have_left() {
    let (mut node, conn, now) = driven();
    handle(&mut node, Input::Line(r#"{"command":"diagnose","to":"P9"}"#), now);
    let route = Input::Route { to: "127.0.0.1:9".parse().unwrap(), from: Ok([127, 0, 0, 1].into()) };
    handle(&mut node, route, now);
    let mut asked = written(&mut node, conn);
    hear(&mut node, conn, "!reach ok\n", now);
    asked += &written(&mut node, conn);
    assert!(asked.contains("!ping 0\n"), "{asked}");
    handle(&mut node, Input::Line(r#"{"command":"exit","to":"P9"}"#), now);
    assert!(written(&mut node, conn).ends_with("exit\n"));
    hear(&mut node, conn, "!pong 0\n", now);
    assert_eq!(written(&mut node, conn), "");
}
