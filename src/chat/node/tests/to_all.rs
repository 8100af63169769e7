//! A text to several peers says so, to those that can understand it.

use super::*;

/// A session with a peer that listens on this port.
fn session(node: &mut Node, port: u16, now: Instant) -> ConnId {
    let from = SocketAddr::from(([127, 0, 0, 1], port));
    let conn = node.accept(from, "127.0.0.1:8080".parse().unwrap(), now).unwrap();
    hear(node, conn, &format!("{from} P{port} connect"), now);
    written(node, conn);
    conn
}

fn hear(node: &mut Node, conn: ConnId, line: &str, now: Instant) -> Vec<Output<Notice>> {
    handle(node, Input::Received { conn, bytes: format!("{line}\n").as_bytes() }, now)
}

fn written(node: &mut Node, conn: ConnId) -> String {
    while node.poll_transmit().is_some() {}
    let mut bytes = Vec::new();
    node.send_queue(conn).unwrap().write_to(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn only_a_peer_that_knows_control_lines_is_told_that_a_text_goes_to_several() {
    let (mut node, now) = running();
    let [ours, other] = [1, 2].map(|port| session(&mut node, port, now));
    for line in ["/all one", "/msg P1 two"] {
        handle(&mut node, Input::Line(line), now);
    }
    assert_eq!(
        written(&mut node, ours),
        "127.0.0.1:8080 N one\n127.0.0.1:8080 N two\n",
        "it has not shown it"
    );
    hear(&mut node, ours, "!chinwag/1", now);
    assert!(written(&mut node, ours).starts_with("!ping "), "it can confirm what it has read");
    written(&mut node, other);
    for line in ["/all one", "/msg P1 two", "/all exit"] {
        handle(&mut node, Input::Line(line), now);
    }
    let said = "!to 2\n127.0.0.1:8080 N one\n127.0.0.1:8080 N two\n";
    assert!(written(&mut node, ours).starts_with(said));
    assert!(written(&mut node, other).starts_with("127.0.0.1:8080 N one\n"));
}

#[test]
fn the_mark_holds_where_some_have_no_session() {
    let (mut node, now) = running();
    let ours = session(&mut node, 1, now);
    hear(&mut node, ours, "!chinwag/1", now);
    let plain = node.accept("127.0.0.1:50000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap(), now);
    hear(&mut node, plain.unwrap(), "127.0.0.1:2 P2 hi", now);
    handle(&mut node, Input::Line("/all one"), now);
    assert!(written(&mut node, ours).starts_with("!to 2\n127.0.0.1:8080 N one\n!ping "));
}

#[test]
fn the_mark_counts_for_the_next_line_alone() {
    let (mut node, now) = running();
    let conn = session(&mut node, 1, now);
    for (lines, is_to_all) in [
        ("127.0.0.1:1 P1 hi", false),
        ("!to 3\n127.0.0.1:1 P1 hi", true),
        ("127.0.0.1:1 P1 hi", false),
        ("!to 3\n!ping 1\n127.0.0.1:1 P1 hi", false),
        ("!to many\n127.0.0.1:1 P1 hi", false),
    ] {
        let told = hear(&mut node, conn, lines, now);
        let is_marked = |output: &Output<Notice>| match output {
            Output::Notice(Notice::Message { is_to_all, .. }) => Some(*is_to_all),
            _ => None,
        };
        assert_eq!(told.iter().find_map(is_marked), Some(is_to_all), "{lines:?}");
    }
    let raw =
        node.accept("127.0.0.1:50000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap(), now).unwrap();
    let told = hear(&mut node, raw, "127.0.0.1:1 P1 hi\n!to 3", now);
    let is_raw = |output: &Output<Notice>| matches!(output, Output::Notice(Notice::Raw { text, .. }) if text == "!to 3");
    assert!(told.iter().any(is_raw), "outside a session it is a text");
}
