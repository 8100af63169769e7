//! What the user says of peers, and what of them is remembered.

use super::*;
use crate::chat::notice::{Failure, KnownRow, Mistake, Who};
use crate::chat::request::{Audience, Designation};
use crate::proto::message::Dialect;

const P1: &str = "127.0.0.1:9";

fn address() -> SocketAddr {
    P1.parse().unwrap()
}

fn p1() -> Designation {
    Designation::Address(address())
}

fn named(name: &str) -> Designation {
    Designation::Name(name.to_owned())
}

fn known(name: &str) -> Known {
    Known { name: name.into(), ..Known::default() }
}

/// A node that listens and remembers, and knows these.
fn node(known: &[(&str, Known)]) -> (Node, Instant) {
    let now = crate::testing::start();
    let mut node = Node::new(Config {
        name: Some("N".to_owned()),
        port: Some(8080),
        known: known.iter().map(|(address, known)| (address.parse().unwrap(), known.clone())).collect(),
        must_remember: true,
        ..Config::default()
    });
    handle(&mut node, Input::Listening { local: "0.0.0.0:8080".parse().unwrap() }, now);
    while node.poll_output().is_some() {}
    (node, now)
}

fn accept(node: &mut Node, from: &str, now: Instant) -> ConnId {
    node.accept(from.parse().unwrap(), "127.0.0.1:8080".parse().unwrap(), now).unwrap()
}

fn hear_on(node: &mut Node, conn: ConnId, bytes: &str, now: Instant) -> Vec<Output<Notice>> {
    handle(node, Input::Received { conn, bytes: bytes.as_bytes() }, now)
}

/// What comes of bytes on a connection of their own, up to its end.
fn hear(node: &mut Node, bytes: &str, now: Instant) -> Vec<Output<Notice>> {
    let conn = accept(node, "127.0.0.1:50000", now);
    let mut outputs = hear_on(node, conn, bytes, now);
    let reason = crate::proto::machine::CloseReason::Eof;
    outputs.extend(handle(node, Input::Closed { conn, reason }, now));
    outputs
}

fn ask(node: &mut Node, request: Request, now: Instant) -> Vec<Output<Notice>> {
    node.request(request, now);
    std::iter::from_fn(|| node.poll_output()).collect()
}

/// What the query lists as known from before.
fn listed(node: &mut Node, now: Instant) -> Vec<KnownRow> {
    let notices = ask(node, Request::Query, now).into_iter().find_map(|output| match output {
        Output::Notice(Notice::Peers { known, .. }) => Some(known),
        _ => None,
    });
    notices.unwrap()
}

/// What is asked for everybody, and what is told where there is nobody.
fn nobody() -> [(Request, Mistake); 2] {
    let send = Request::Send(Audience::All, "hi".to_owned());
    [(Request::ConnectAll, Mistake::NoneToConnect), (send, Mistake::NoPeers)]
}

fn mistake(outputs: &[Output<Notice>]) -> &Mistake {
    match outputs {
        [Output::Notice(Notice::Mistake(mistake))] => mistake,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whom_the_book_knows_is_listed_found_and_contacted_by_nobody() {
    let book = [(P1, known("P1")), ("127.0.0.1:8080", known("N")), ("127.0.0.1:7", known("P7"))];
    let (mut node, now) = node(&book);
    let names: Vec<String> =
        listed(&mut node, now).iter().map(|row| format!("{} {}", row.number, row.who.name)).collect();
    assert_eq!(names, ["1 P7", "2 P1"], "a program does not list itself");
    assert!(node.directory().is_empty());
    for (request, told) in nobody() {
        assert_eq!(mistake(&ask(&mut node, request, now)), &told);
    }
    let is_dial = |output: &Output<Notice>| matches!(output, Output::Connect { to, .. } if *to == address());
    let sent = ask(&mut node, Request::SendTo(named("p1"), None, "hi".to_owned()), now);
    assert!(sent.iter().any(is_dial));
    let (mut node, now) = self::node(&book);
    let outputs = handle(&mut node, Input::Interrupted, now);
    assert!(outputs.ends_with(&[Output::Quit(0)]), "no farewell is under way: {outputs:?}");
}

#[test]
fn who_is_known_from_before_is_no_new_peer_heard_then_or_not() {
    for heard_at in [None, Some(crate::testing::start())] {
        let (mut node, now) = node(&[(P1, Known { heard_at, ..known("P1") })]);
        let told = hear(&mut node, "127.0.0.1:9 P1 hi", now);
        assert!(matches!(told[..], [Output::Notice(Notice::Message { .. })]), "{told:?}");
    }
}

#[test]
fn only_what_the_query_shows_has_a_number() {
    let book: Vec<_> =
        (1..=30).map(|port| (format!("127.0.0.1:{port}"), known(&format!("P{port}")))).collect();
    let book: Vec<_> = book.iter().map(|(address, known)| (address.as_str(), known.clone())).collect();
    let (mut node, now) = node(&book);
    assert_eq!(listed(&mut node, now).len(), 30);
    let find = |number| node.roster.resolve(&Designation::Number(number));
    assert!(find(20).is_ok());
    assert_eq!(find(21), Err(Mistake::NoSuchNumber(21)));
    node.prompter = Prompter::new(&Config { dialogue: Dialogue::Commands, ..Config::default() });
    ask(&mut node, Request::Query, now);
    assert!(node.roster.resolve(&Designation::Number(30)).is_ok(), "a program is shown all");
}

#[test]
fn an_alias_comes_before_names_and_names_of_the_table_before_those_of_the_book() {
    let (mut node, now) = node(&[("127.0.0.1:7", known("anna")), ("127.0.0.1:6", known("anna"))]);
    let find = |node: &Node, name: &str| node.roster.resolve(&named(name));
    assert_eq!(find(&node, "anna"), Err(Mistake::AmbiguousName { name: "anna".to_owned(), peers: vec![] }));
    hear(&mut node, "127.0.0.1:9 anna hi", now);
    assert_eq!(find(&node, "Anna"), Ok(address()));
    let other: SocketAddr = "127.0.0.1:7".parse().unwrap();
    ask(&mut node, Request::Alias(Designation::Address(other), Some("anna".to_owned())), now);
    assert_eq!(find(&node, "ANNA"), Ok(other));
    let taken = ask(&mut node, Request::Alias(p1(), Some("Anna".to_owned())), now);
    assert!(matches!(mistake(&taken), Mistake::AliasTaken(who) if who.address == other));
    ask(&mut node, Request::Alias(Designation::Address(other), None), now);
    assert_eq!(find(&node, "anna"), Ok(address()));
    let stranger = Designation::Address("127.0.0.1:5".parse().unwrap());
    for alias in [Some("eve".to_owned()), None] {
        ask(&mut node, Request::Alias(stranger.clone(), alias), now);
        assert_eq!(listed(&mut node, now).len(), 3);
    }
}

#[test]
fn an_alias_is_shown_wherever_the_name_was_and_can_be_taken_back() {
    let (mut node, now) = node(&[]);
    let conn = accept(&mut node, "127.0.0.1:50000", now);
    hear_on(&mut node, conn, "127.0.0.1:9 P1 connect\n127.0.0.1:9 P1 hi\n", now);
    let said = ask(&mut node, Request::Alias(named("P1"), Some("anna".to_owned())), now);
    let who = Who::new(address(), "P1".into());
    assert_eq!(said, [Output::Notice(Notice::Aliased { who, alias: Some("anna".into()) })]);
    let shown = |node: &mut Node| match &hear_on(node, conn, "127.0.0.1:9 P1 hi\n", now)[..] {
        [Output::Notice(Notice::Message { who, .. })] => who.name.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(&mut node), "anna");
    ask(&mut node, Request::Alias(named("anna"), None), now);
    assert_eq!(shown(&mut node), "P1");
    ask(&mut node, Request::Alias(named("P1"), Some("anna".to_owned())), now);
    let gone = hear_on(&mut node, conn, "127.0.0.1:9 P1 exit\n", now);
    let is_told = |output: &Output<Notice>| matches!(output, Output::Notice(Notice::Disconnected(who)) if &*who.name == "anna");
    assert!(gone.iter().any(is_told), "{gone:?}");
    assert_eq!(listed(&mut node, now), [], "it has left");
    let (mut later, now) = self::node(&[(P1, node.book().get(address()).unwrap().clone())]);
    let rows = listed(&mut later, now);
    assert_eq!((&*rows[0].who.name, rows[0].own_name.as_deref()), ("anna", Some("P1")));
}

#[test]
fn who_left_is_not_listed_until_heard_or_reached_again_and_can_be_named_meanwhile() {
    let is_dial = |output: &Output<Notice>| matches!(output, Output::Connect { to, .. } if *to == address());
    for is_ours in [false, true] {
        let (mut node, now) = node(&[(P1, Known { alias: Some("anna".into()), ..known("P1") })]);
        let conn = accept(&mut node, "127.0.0.1:50000", now);
        hear_on(&mut node, conn, "127.0.0.1:9 P1 connect\n", now);
        if is_ours {
            ask(&mut node, Request::Exit(named("anna")), now);
        } else {
            hear_on(&mut node, conn, "127.0.0.1:9 P1 exit\n", now);
        }
        assert_eq!(listed(&mut node, now), []);
        let sent = ask(&mut node, Request::SendTo(named("anna"), None, "hi".to_owned()), now);
        assert!(sent.iter().any(is_dial), "{sent:?}");
        assert_eq!(listed(&mut node, now), [], "it is not reached yet");
        // Heard again, then out of reach: one of those who are known from before.
        hear(&mut node, "127.0.0.1:9 P1 back", now);
        let (conn, _) = node.outbox.under_way(address()).unwrap();
        handle(&mut node, Input::Closed { conn, reason: CloseReason::Refused }, now);
        assert_eq!(listed(&mut node, now).len(), 1);
    }
}

#[test]
fn whom_the_user_blocks_is_neither_heard_nor_answered_in_any_dialect() {
    let (mut node, now) = node(&[]);
    let conn = accept(&mut node, "127.0.0.1:50000", now);
    hear_on(&mut node, conn, "127.0.0.1:9 P1 connect\n127.0.0.1:9 P1 hi\n", now);
    let said = ask(&mut node, Request::Block(named("P1")), now);
    let who = Who::new(address(), "P1".into());
    assert_eq!(said[0], Output::Notice(Notice::Blocked(who)));
    assert_eq!(said[1..], [Output::Close { conn, how: How::HalfClose }]);
    assert!(node.directory().is_empty());
    assert_eq!(hear_on(&mut node, conn, "127.0.0.1:9 P1 hi\n", now), [], "a speaker known by its header");
    assert_eq!(hear_on(&mut node, conn, "!ping 1\n", now), [], "asked before it saw the end");
    let headers =
        ["127.0.0.1:9 P1 ", "<127.0.0.1:9> P1 ", "<127.0.0.1:9> @ <P1>\n", "LISTENING_PORT:9|TEAM_NAME:P1|"];
    for header in headers {
        for text in ["hi", "connect", "connect_ack", "exit"] {
            assert_eq!(hear(&mut node, &format!("{header}{text}"), now), [], "{header}{text}");
        }
    }
    assert_eq!(node.counters().blocked, 1 + 4 * headers.len() as u64);
    assert!(node.directory().is_empty());
    assert!(listed(&mut node, now)[0].is_blocked);
}

#[test]
fn whom_the_user_blocks_is_not_written_to_until_unblocked() {
    let (mut node, now) = node(&[]);
    let send = |text: &str| Request::SendTo(p1(), None, text.to_owned());
    assert!(matches!(ask(&mut node, send("one"), now)[..], [Output::Connect { .. }]));
    assert_eq!(node.prompter.last_partner(), Some(address()));
    let said = ask(&mut node, Request::Block(p1()), now);
    assert_eq!(node.prompter.last_partner(), None, "it is not offered any more");
    let is_called_off = |output: &Output<Notice>| matches!(output, Output::Notice(Notice::NotSent { text, why: Failure::Blocked, .. }) if text == "one");
    assert!(said.iter().any(is_called_off), "{said:?}");
    assert_eq!(node.connections(), 0);
    let requests = [send("two"), Request::Connect(p1()), Request::Exit(p1())];
    for request in requests {
        let outputs = ask(&mut node, request, now);
        let is_refused = matches!(
            outputs[..],
            [Output::Notice(
                Notice::NotSent { why: Failure::Blocked, .. }
                    | Notice::NotConnected { why: Failure::Blocked, .. }
            )]
        );
        assert!(is_refused, "{outputs:?}");
    }
    let found = ask(&mut node, Request::AskText(p1(), None), now);
    assert!(matches!(mistake(&found), Mistake::Blocked(_)));
    for (request, told) in nobody() {
        assert_eq!(mistake(&ask(&mut node, request, now)), &told);
    }
    assert_eq!(listed(&mut node, now).len(), 1);
    let who = Who::new(address(), "".into());
    let unblocked = ask(&mut node, Request::Unblock(Designation::Number(1)), now);
    assert_eq!(unblocked, [Output::Notice(Notice::Unblocked(who))]);
    assert!(matches!(ask(&mut node, send("three"), now)[..], [Output::Connect { .. }]));
    assert!(matches!(mistake(&ask(&mut node, Request::Unblock(p1()), now)), Mistake::NotBlocked(_)));
}

#[test]
fn a_text_to_all_leaves_out_whom_the_user_blocks() {
    let (mut node, now) = node(&[]);
    let conns = [9, 10].map(|port| {
        let conn = accept(&mut node, &format!("127.0.0.1:{port}"), now);
        hear_on(&mut node, conn, &format!("127.0.0.1:{port} P{port} connect\n"), now);
        conn
    });
    ask(&mut node, Request::Block(named("P9")), now);
    let said = ask(&mut node, Request::Send(Audience::All, "hi".to_owned()), now);
    assert_eq!(said, [Output::Notice(Notice::SentToAll(1))]);
    while node.poll_transmit().is_some() {}
    let mut has_said = |conn| {
        let said: Vec<u8> = node.send_queue(conn).unwrap().unsent().flat_map(|(p, _)| p.to_vec()).collect();
        String::from_utf8(said).unwrap().ends_with("N hi\n")
    };
    assert_eq!(conns.map(&mut has_said), [false, true]);
}

#[test]
fn quit_says_nothing_to_whom_it_only_remembers() {
    let (mut node, now) = node(&[(P1, known("P1"))]);
    hear(&mut node, "127.0.0.1:7 P7 hi", now);
    hear(&mut node, "127.0.0.1:7 P7 exit", now);
    hear(&mut node, "127.0.0.1:6 P6 hi", now);
    ask(&mut node, Request::Block(named("P6")), now);
    let outputs = handle(&mut node, Input::Interrupted, now);
    assert_eq!(outputs, [Output::Notice(Notice::Exiting), Output::Quit(0)]);
}

#[test]
fn who_only_sends_and_leaves_is_not_kept_for_later_runs() {
    let kept = |node: &Node| node.worth_keeping().count();
    for (met, ways) in [
        (0, &["127.0.0.1:9 P1 hi", "127.0.0.1:9 P1 exit"][..]),
        (1, &["127.0.0.1:9 P1 hi", "127.0.0.1:9 P1 connect", "127.0.0.1:9 P1 exit"]),
        // It may be there the next time, or have been cut short.
        (1, &["127.0.0.1:9 P1 exit", "127.0.0.1:9 P1 hi"]),
    ] {
        let (mut node, now) = node(&[]);
        for message in ways {
            hear(&mut node, message, now);
        }
        handle(&mut node, Input::Interrupted, now);
        assert_eq!(kept(&node), met, "{ways:?}");
    }
    // Who is written to, or known from before, or spoken of by the user, is kept, whatever it does.
    let (mut node, now) = node(&[(P1, known("P1"))]);
    hear(&mut node, "127.0.0.1:9 P1 hi", now);
    hear(&mut node, "127.0.0.1:9 P1 exit", now);
    hear(&mut node, "127.0.0.1:7 P7 hi", now);
    assert_eq!(kept(&node), 1, "it may be about to leave");
    ask(&mut node, Request::Alias(named("P7"), Some("anna".to_owned())), now);
    hear(&mut node, "127.0.0.1:7 P7 exit", now);
    assert_eq!(kept(&node), 2);
}

#[test]
fn a_dialect_is_written_in_until_the_peer_chats_in_another_and_is_remembered() {
    let (mut node, now) = node(&[]);
    let said = ask(&mut node, Request::SetDialect(p1(), Dialect::Netech), now);
    let who = Who::new(address(), "".into());
    assert_eq!(said, [Output::Notice(Notice::DialectSet { who, dialect: Dialect::Netech })]);
    assert_eq!(node.roster.dialect_of(address()), Dialect::Netech);
    hear(&mut node, "127.0.0.1:9 P1 connect", now);
    assert_eq!(node.roster.dialect_of(address()), Dialect::Netech, "a connect has no form of its own");
    hear(&mut node, "<127.0.0.1:9> P1 hi", now);
    assert_eq!(node.roster.dialect_of(address()), Dialect::Bracketed);
    ask(&mut node, Request::SetDialect(named("P1"), Dialect::Block), now);
    assert_eq!(node.roster.dialect_of(address()), Dialect::Block);
    hear(&mut node, "127.0.0.1:9 P1 hi", now);
    let remembered = node.book().get(address()).unwrap().clone();
    assert_eq!((remembered.dialect, remembered.is_dialect_chosen), (Some(Dialect::Standard), false));
    let mut before = known("P1");
    before.dialect = Some(Dialect::Netech);
    let (mut node, now) = self::node(&[(P1, before)]);
    assert_eq!(node.roster.dialect_of(address()), Dialect::Netech);
    hear(&mut node, "127.0.0.1:9 P1 connect", now);
    assert_eq!(node.roster.dialect_of(address()), Dialect::Standard, "it may be another program by now");
}

#[test]
fn a_dialect_that_goes_with_a_text_is_chosen_however_the_text_goes() {
    let send = |dialect| Request::Send(Audience::One(address(), dialect), "hi".to_owned());
    for is_session in [false, true] {
        let (mut node, now) = node(&[]);
        let conn = accept(&mut node, "127.0.0.1:50000", now);
        let ending = if is_session { "\n" } else { "" };
        hear_on(&mut node, conn, &format!("127.0.0.1:9 P1 connect{ending}"), now);
        if !is_session {
            handle(&mut node, Input::Closed { conn, reason: CloseReason::Eof }, now);
        }
        ask(&mut node, send(Some(Dialect::Block)), now);
        if let Some((conn, _)) = node.outbox.under_way(address()) {
            handle(&mut node, Input::Closed { conn, reason: CloseReason::Refused }, now);
        }
        assert_eq!(node.roster.dialect_of(address()), Dialect::Block, "{is_session}");
        hear(&mut node, "127.0.0.1:9 P1 connect", now);
        assert_eq!(node.roster.dialect_of(address()), Dialect::Block, "{is_session}");
    }
}

#[test]
fn a_dialect_that_was_chosen_outlasts_an_exit_also_where_nobody_is_remembered() {
    for must_remember in [true, false] {
        let (mut node, now) = node(&[]);
        node.config.must_remember = must_remember;
        hear(&mut node, "127.0.0.1:9 P1 hi", now);
        ask(&mut node, Request::Send(Audience::One(address(), Some(Dialect::Block)), "hi".to_owned()), now);
        hear(&mut node, "127.0.0.1:9 P1 exit", now);
        hear(&mut node, "127.0.0.1:9 P1 connect", now);
        assert_eq!(node.roster.dialect_of(address()), Dialect::Block, "{must_remember}");
    }
}

#[test]
fn a_mere_claim_changes_nothing_of_what_is_remembered_even_when_the_peer_is_reached() {
    let to: SocketAddr = "10.0.0.1:9".parse().unwrap();
    let before = Known { dialect: Some(Dialect::Netech), ..known("P1") };
    let (mut node, now) = node(&[("10.0.0.1:9", before.clone())]);
    hear(&mut node, "10.0.0.1:9 stranger hi", now);
    assert_eq!(node.roster.dialect_of(to), Dialect::Netech);
    ask(&mut node, Request::Send(Audience::One(to, None), "hi".to_owned()), now);
    let (conn, _) = node.outbox.under_way(to).unwrap();
    handle(&mut node, Input::Connected { conn, local: "127.0.0.1:50001".parse().unwrap() }, now);
    node.send_queue(conn).unwrap().write_to(&mut std::io::sink()).unwrap();
    let reason = crate::proto::machine::CloseReason::Eof;
    handle(&mut node, Input::Closed { conn, reason }, now);
    assert!(node.directory().peer(to).unwrap().is_confirmed);
    let after = node.book().get(to).unwrap();
    assert_eq!((&after.name, after.dialect), (&before.name, before.dialect));
}

#[test]
fn nobody_elsewhere_takes_over_what_is_meant_for_a_peer_that_was_heard_before() {
    let heard_at = Some(crate::testing::start());
    let before = Known { heard_at, alias: Some("anna".into()), ..known("P1") };
    let (mut node, now) = node(&[("10.0.0.1:9", before)]);
    let conn = accept(&mut node, "127.0.0.1:50000", now);
    let said = hear_on(&mut node, conn, "10.0.0.1:9 P1 connect\n", now);
    assert!(matches!(said[..], [Output::Notice(Notice::Raw { .. })]), "{said:?}");
    let sent = ask(&mut node, Request::SendTo(named("anna"), None, "hi".to_owned()), now);
    let is_dial = |output: &Output<Notice>| matches!(output, Output::Connect { to, .. } if to.port() == 9);
    assert!(sent.iter().any(is_dial), "{sent:?}");
}

#[test]
fn what_is_worth_keeping_is_counted_and_mere_claims_are_not() {
    let (mut node, now) = node(&[]);
    hear(&mut node, "10.0.0.1:9 stranger hi", now);
    assert_eq!(node.book().revision(), 0);
    let conn = accept(&mut node, "127.0.0.1:50000", now);
    hear_on(&mut node, conn, "127.0.0.1:9 P1 connect\n127.0.0.1:9 P1 hi\n", now);
    assert_eq!(node.book().revision(), 1);
    let later = now + std::time::Duration::from_secs(9);
    hear_on(&mut node, conn, "127.0.0.1:9 P1 hi\n", later);
    assert_eq!(node.book().revision(), 1);
    assert_eq!(node.known().next().unwrap().1.heard_at, Some(later));
    hear_on(&mut node, conn, "127.0.0.1:9 P2 exit\n", later);
    assert_eq!(node.known().next().unwrap().1.heard_at, Some(later));
}
