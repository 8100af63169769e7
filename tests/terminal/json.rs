//! `--json`: events on stdout, commands on stdin.

use crate::common::PATIENCE;
use crate::common::peer::{Peer, Wire, say, session};
use crate::common::port::Port;
use crate::common::program::{Program, command, subcommand};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

/// A node that is driven by a program, and its address.
fn node(args: &[&str]) -> (Program, SocketAddr) {
    let mut program = Program::start(&[&["--json", "--name", "P1", "--port", "0"], args].concat());
    let listening = event(&mut program);
    assert_eq!(listening["event"], "listening");
    let port = listening["port"].as_u64().unwrap();
    assert_eq!(listening["name"], "P1");
    let addresses = listening["addresses"].as_array().unwrap();
    let is_of_port = |address: &Value| address.as_str().unwrap().ends_with(&format!(":{port}"));
    assert!(!addresses.is_empty() && addresses.iter().all(is_of_port), "{listening}");
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    (program, address)
}

/// The next event.
#[track_caller]
fn event(program: &mut Program) -> Value {
    let line = program.stdout.expect("\n");
    let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(event["schema"], 1);
    let time = event["time"].as_str().unwrap();
    assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{time}");
    event
}

/// The next event must be this, apart from its time.
#[track_caller]
fn expect(program: &mut Program, expected: Value) {
    let mut event = event(program);
    let fields = event.as_object_mut().unwrap();
    fields.remove("schema");
    fields.remove("time");
    assert_eq!(event, expected);
}

#[test]
fn commands_are_carried_out_and_outcomes_are_events() {
    let peer = Peer::new();
    let address = peer.address();
    let (mut program, ours) = node(&[]);
    program.type_line(json!({"command": "send", "to": address, "text": "hi"}));
    assert_eq!(peer.take(), format!("{ours} P1 hi"));
    expect(&mut program, json!({"event": "sent", "to": address}));

    let mut wire = session(ours, address, "P2");
    let p2 = |event: &str| json!({"event": event, "address": address, "name": "P2", "standing": "at-home"});
    expect(&mut program, p2("connected"));
    program.type_line(json!({"command": "send-all", "text": "to\nall"}));
    assert_eq!(wire.read_line(), format!("{ours} P1 to all\n"));
    expect(&mut program, json!({"event": "sent-to-all", "peers": 1}));
    program.type_line(json!({"command": "connect", "to": "P2"}));
    expect(&mut program, p2("already-connected"));
    program.type_line(json!({"command": "peers"}));
    let row = json!({"number": 1, "address": address, "name": "P2", "standing": "at-home", "connected": true,
        "heard_seconds_ago": 0});
    expect(&mut program, json!({"event": "peers", "active": [row], "contacted": []}));
    program.type_line(json!({"command": "exit", "to": "P2"}));
    assert_eq!(wire.read_line(), format!("{ours} P1 exit\n"));
    expect(&mut program, json!({"event": "exit-sent", "to": address}));
    program.type_line(json!({"command": "quit"}));
    expect(&mut program, json!({"event": "exiting"}));
    assert_eq!(program.stdout.rest(), "");
    assert_eq!(program.wait(), 0);
    assert_eq!(program.stderr.bytes(), b"");
}

#[test]
fn what_comes_of_a_command_bears_its_id() {
    let (peer, nobody) = (Peer::new(), Port::reserve());
    let (to, gone) = (peer.address(), nobody.address());
    let (mut program, ours) = node(&[]);
    program.type_line(json!({"command": "send", "to": to, "text": "hi", "id": "a"}));
    assert_eq!(peer.take(), format!("{ours} P1 hi"));
    expect(&mut program, json!({"id": "a", "event": "sent", "to": to}));
    program.type_line(r#"{"command":"peers","id":1e2}"#);
    assert!(program.stdout.expect("\n").contains(r#","id":1e2,"event":"peers","#));
    program.type_line(json!({"command": "send", "to": gone, "text": "hi", "id": 7}));
    let not_sent = event(&mut program);
    assert_eq!((&not_sent["event"], &not_sent["id"]), (&json!("not-sent"), &json!(7)));
    program.type_line(json!({"command": "connect", "to": gone, "id": 8}));
    let not_connected = event(&mut program);
    assert_eq!((&not_connected["event"], &not_connected["id"]), (&json!("not-connected"), &json!(8)));
    program.type_line(json!({"command": "send", "to": gone, "id": 9}));
    let error = event(&mut program);
    assert_eq!((&error["reason"], &error["id"]), (&json!("missing-field"), &json!(9)));
    program.type_line(r#"{"id":10,"command":"peers",}"#);
    let error = event(&mut program);
    assert_eq!((&error["reason"], &error["id"]), (&json!("trailing-comma"), &json!(10)));
    program.type_line(json!({"id": [], "command": "peers"}));
    let error = event(&mut program);
    assert_eq!((&error["reason"], error.get("id")), (&json!("bad-id"), None));
    program.type_line(json!({"command": "send", "to": to, "text": "hi"}));
    assert_eq!(peer.take(), format!("{ours} P1 hi"));
    expect(&mut program, json!({"event": "sent", "to": to}));
    program.type_line(json!({"command": "quit", "id": 11}));
    expect(&mut program, json!({"id": 11, "event": "exiting"}));
}

#[test]
fn a_text_to_another_chinwag_is_delivered_or_its_sender_knows_that_it_may_not_be() {
    let [(mut program, _), (other, to)] = [(); 2].map(|()| node(&["--static-peer", "127.0.0.1:1"]));
    program.type_line(json!({"command": "connect", "to": to, "id": 1}));
    // The other one may be told as a new peer first.
    while event(&mut program)["event"] != "accepted" {}
    program.type_line(json!({"command": "send", "to": to, "text": "a", "id": 2}));
    expect(&mut program, json!({"id": 2, "event": "sent", "to": to}));
    expect(&mut program, json!({"id": 2, "event": "delivered", "to": to, "count": 1}));
    other.signal(Signal::STOP);
    program.type_line(json!({"command": "send", "to": to, "text": "b", "id": 3}));
    expect(&mut program, json!({"id": 3, "event": "sent", "to": to}));
    other.signal(Signal::KILL);
    let unconfirmed = event(&mut program);
    let fields = [&unconfirmed["id"], &unconfirmed["event"], &unconfirmed["text"], &unconfirmed["reason"]];
    assert_eq!(fields, [&json!(3), &json!("unconfirmed"), &json!("b"), &json!("reset")]);
    assert_eq!(event(&mut program)["event"], "lost");
    program.type_line(json!({"command": "stats"}));
    let stats = event(&mut program);
    let counts = ["sent", "delivered", "taken", "unconfirmed", "not_sent"].map(|field| &stats[field]);
    assert_eq!(counts, [&json!(2), &json!(1), &json!(0), &json!(1), &json!(0)]);
}

#[test]
fn last_words_to_another_chinwag_are_delivered_before_the_end() {
    let [(mut program, _), (_other, to)] = [(); 2].map(|()| node(&["--static-peer", "127.0.0.1:1"]));
    program.type_line(json!({"command": "connect", "to": to, "id": 1}));
    while event(&mut program)["event"] != "accepted" {}
    program.type_line(json!({"command": "quit", "text": "bye", "id": 2}));
    let events = [(); 3].map(|()| event(&mut program)["event"].as_str().unwrap().to_owned());
    assert_eq!(events, ["exiting", "sent-to-all", "delivered"]);
    assert_eq!((program.stdout.rest().as_str(), program.wait()), ("", 0));
}

#[test]
fn an_answered_connect_bears_its_id_and_so_does_what_is_said_on_the_session() {
    let peer = Peer::new();
    let to = peer.address();
    let (mut program, ours) = node(&["--quiet"]);
    program.type_line(json!({"command": "connect", "to": to, "id": 1}));
    let mut wire = peer.accept();
    assert_eq!(wire.read_once(), format!("{ours} P1 connect"));
    wire.write(format!("{to} P2 connected chinwag/1\n"));
    expect(
        &mut program,
        json!({"id": 1, "event": "accepted", "address": to, "name": "P2", "standing": "at-home"}),
    );
    program.type_line(json!({"command": "connect", "to": to, "id": 2}));
    expect(
        &mut program,
        json!({"id": 2, "event": "already-connected", "address": to, "name": "P2", "standing": "at-home"}),
    );
    program.type_line(json!({"command": "send-all", "text": "hi", "id": 3}));
    expect(&mut program, json!({"id": 3, "event": "sent-to-all", "peers": 1}));
    program.type_line(json!({"command": "alias", "to": "P2", "alias": "bob", "id": 4}));
    expect(&mut program, json!({"id": 4, "event": "aliased", "address": to, "name": "P2", "alias": "bob"}));
    program.type_line(json!({"command": "exit", "to": "bob", "id": 5}));
    expect(&mut program, json!({"id": 5, "event": "exit-sent", "to": to}));
}

#[test]
fn what_peers_say_comes_as_they_said_it() {
    let peer = Peer::new();
    let address = peer.address();
    let (mut program, ours) = node(&["--headless"]);
    let text = "/etc/passwd $(x) \"quoted\" \u{1b}[2J 日本 \u{202e}";
    say(ours, format!("{address} <b> {text}"));
    expect(
        &mut program,
        json!({"event": "new-peer", "address": address, "name": "<b>", "standing": "at-home"}),
    );
    expect(
        &mut program,
        json!({"event": "message", "address": address, "name": "<b>", "standing": "at-home", "text": text, "to_all": false,
               "confirmed": true, "mention": false}),
    );
    let from = say(ours, b"\xff\xfe nonsense");
    expect(&mut program, json!({"event": "raw", "from": from, "text": "\u{fffd}\u{fffd} nonsense"}));
    say(ours, format!("{address} <b> exit"));
    expect(
        &mut program,
        json!({"event": "disconnected", "address": address, "name": "<b>", "standing": "at-home"}),
    );
    program.signal(Signal::TERM);
    expect(&mut program, json!({"event": "exiting"}));
    assert_eq!(program.wait(), 0);
}

#[test]
fn wrong_input_is_an_error_event_and_the_next_line_goes_on() {
    let (mut program, ours) = node(&[]);
    let table = [
        ("1".to_owned(), "not-an-object"),
        ("{".to_owned(), "truncated"),
        ("\u{fffd}".to_owned(), "not-an-object"),
        (r#"{"to":"P2"}"#.to_owned(), "no-command"),
        (r#"{"command":"shout"}"#.to_owned(), "unknown-command"),
        (r#"{"command":"send","text":"x"}"#.to_owned(), "missing-field"),
        (r#"{"command":"peers","all":1}"#.to_owned(), "unknown-field"),
        (r#"{"command":"send","to":"P2","to":"P3","text":"x"}"#.to_owned(), "duplicate-field"),
        (r#"{"command":"send","to":"10.1","text":"x"}"#.to_owned(), "bad-address"),
        (r#"{"command":"send","to":"P2","text":"x"}"#.to_owned(), "bad-address"),
        (r#"{"command":"send","to":"127.0.0.1:99999","text":"x"}"#.to_owned(), "bad-port"),
        (r#"{"command":"send","to":"7","text":"x"}"#.to_owned(), "no-such-number"),
        (r#"{"command":"send","to":"127.0.0.1:1","text":""}"#.to_owned(), "empty-message"),
        (r#"{"command":"send","to":"127.0.0.1:1","text":"x","dialect":"y"}"#.to_owned(), "bad-dialect"),
        (format!(r#"{{"command":"send","to":"{ours}","text":"x"}}"#), "yourself"),
        (r#"{"command":"send-all","text":"x"}"#.to_owned(), "no-peers"),
        (format!(r#"{{"command":"{}"}}"#, "x".repeat(70_000)), "line-too-long"),
        (format!("/all {}", "x".repeat(70_000)), "line-too-long"),
        (" ".repeat(600_000), "line-too-long"),
    ];
    for (line, reason) in table {
        program.type_line(&line);
        let event = event(&mut program);
        assert_eq!((&event["event"], &event["reason"]), (&json!("error"), &json!(reason)), "{line}");
        assert!(event["sentence"].as_str().unwrap().ends_with('.'), "{event}");
    }
    program.type_line("");
    program.type_line(json!({"command": "peers"}));
    expect(&mut program, json!({"event": "peers", "active": [], "contacted": []}));
}

#[test]
fn slash_lines_are_commands_too() {
    let peer = Peer::new();
    let address = peer.address();
    let (mut program, ours) = node(&[]);
    program.type_line(format_args!("/msg {address} hi, you"));
    assert_eq!(peer.take(), format!("{ours} P1 hi, you"));
    expect(&mut program, json!({"event": "sent", "to": address}));
    program.type_line("/peers");
    let row = json!({"number": 1, "address": address, "name": "", "standing": "at-home", "connected": false,
        "heard_seconds_ago": null});
    expect(&mut program, json!({"event": "peers", "active": [], "contacted": [row]}));
    program.type_line("/Stats");
    let stats = event(&mut program);
    assert_eq!(
        (&stats["event"], &stats["sent"], &stats["ended"]["closed"]),
        (&json!("stats"), &json!(1), &json!(1))
    );
    program.type_line("/help");
    assert_eq!(event(&mut program)["commands"][0]["command"], "/msg");
    for (line, reason) in [
        ("/to 1".to_owned(), "for-people"),
        ("/peeers".to_owned(), "unknown-slash-command"),
        ("/peers now".to_owned(), "bad-usage"),
        ("/alias 1 7".to_owned(), "bad-alias"),
        (format!("/alias 1 {}", "x".repeat(65)), "name-too-long"),
        ("/all".to_owned(), "empty-message"),
        ("/dialect 1 klingon".to_owned(), "bad-dialect"),
        ("/clear".to_owned(), "for-terminals"),
        ("/nick P2".to_owned(), "name-is-fixed"),
        ("/close".to_owned(), "for-people"),
    ] {
        program.type_line(&line);
        let event = event(&mut program);
        assert_eq!((&event["event"], &event["reason"]), (&json!("error"), &json!(reason)), "{line}");
    }
    program.type_line("/exit 1");
    assert_eq!(peer.take(), format!("{ours} P1 exit"));
    expect(&mut program, json!({"event": "exit-sent", "to": address}));
    program.type_line("/quit");
    expect(&mut program, json!({"event": "exiting"}));
    assert_eq!(program.wait(), 0);
}

#[test]
fn a_bot_can_ask_who_it_is_and_say_good_bye() {
    let peer = Peer::new();
    let (mut program, ours) = node(&[]);
    program.type_line(json!({"command": "me", "id": 1}));
    let me = event(&mut program);
    assert_eq!([&me["event"], &me["name"], &me["port"]], [&json!("me"), &json!("P1"), &json!(ours.port())]);
    assert!(me["id"] == 1 && me["addresses"].is_array());
    let mut wire = session(ours, peer.address(), "P2");
    expect(
        &mut program,
        json!({"event": "new-peer", "address": peer.address().to_string(), "name": "P2", "standing": "at-home"}),
    );
    expect(
        &mut program,
        json!({"event": "connected", "address": peer.address().to_string(), "name": "P2", "standing": "at-home"}),
    );
    program.type_line(json!({"command": "quit", "text": "good\nnight", "id": "q"}));
    expect(&mut program, json!({"event": "exiting", "id": "q"}));
    expect(&mut program, json!({"event": "sent-to-all", "peers": 1, "id": "q"}));
    assert_eq!(wire.read_line(), format!("{ours} P1 good night\n"));
    assert_eq!(wire.read_line(), format!("{ours} P1 exit\n"));
    assert_eq!(program.wait(), 0);
}

#[test]
fn a_name_that_several_share_is_an_error_with_their_numbers() {
    let (one, two) = (Peer::new(), Peer::new());
    let (mut program, ours) = node(&[]);
    for peer in [&one, &two] {
        say(ours, format!("{} twin hello", peer.address()));
        assert_eq!(event(&mut program)["event"], "new-peer");
        assert_eq!(event(&mut program)["event"], "message");
    }
    program.type_line(json!({"command": "send", "to": "twin", "text": "which?"}));
    let error = event(&mut program);
    assert_eq!(error["reason"], "ambiguous-name");
    let second = &error["peers"][1];
    assert_eq!((&second["number"], &second["name"]), (&json!(2), &json!("twin")));
    program.type_line(json!({"command": "send", "to": "2", "text": "you!"}));
    expect(&mut program, json!({"event": "sent", "to": second["address"]}));
}

#[test]
fn the_end_of_stdin_quits_after_the_outcomes() {
    let peer = Peer::new();
    let address = peer.address();
    let (mut program, ours) = node(&[]);
    for text in ["one", "two"] {
        program.type_line(json!({"command": "send", "to": address, "text": text}));
    }
    program.close_stdin();
    assert_eq!([(); 3].map(|()| peer.take()), ["one", "two", "exit"].map(|text| format!("{ours} P1 {text}")));
    for _ in 0..2 {
        expect(&mut program, json!({"event": "sent", "to": address}));
    }
    expect(&mut program, json!({"event": "exiting"}));
    assert_eq!(program.wait(), 0);
}

#[test]
fn a_failed_message_is_an_event_with_its_text() {
    let peer = Peer::new();
    let address = peer.address();
    let (mut program, _) = node(&[]);
    program.type_line(json!({"command": "send", "to": address, "text": "hi"}));
    let mut wire = peer.accept();
    wire.read_once();
    wire.reset();
    let event = event(&mut program);
    let fields = (&event["event"], &event["to"], &event["text"], &event["reason"]);
    assert_eq!(fields, (&json!("not-sent"), &json!(address), &json!("hi"), &json!("reset")));
}

#[test]
fn a_port_that_is_taken_is_an_event_and_exit_code_2() {
    let (_taken, address) = node(&[]);
    let port = address.port().to_string();
    let mut program = Program::start(&["--json", "--name", "P2", "--port", &port]);
    let event = event(&mut program);
    assert_eq!((&event["event"], &event["reason"]), (&json!("listen-failed"), &json!("in-use")));
    assert_eq!(program.wait(), 2);
}

#[test]
fn headless_leaves_stdin_alone() {
    let mut headless = command(&["--json", "--headless", "--name", "P1", "--port", "0"]);
    let mut program = Program::spawn(headless.stdin(Stdio::null()));
    let port = event(&mut program)["port"].as_u64().unwrap();
    let peer = Peer::new();
    say(format!("127.0.0.1:{port}").parse().unwrap(), format!("{} P2 hi", peer.address()));
    assert_eq!(event(&mut program)["event"], "new-peer");
}

#[test]
fn a_bot_that_answers_each_message_before_it_reads_the_next_survives_a_flood() {
    const MESSAGES: usize = 10_000;
    let (reader, writer) = io::pipe().unwrap();
    let mut start = command(&["--json", "--name", "P1", "--port", "0"]);
    let mut program = Program::spawn(start.stdout(writer));
    // It is the parent's copy: while it is open, the pipe would not end.
    drop(start);
    let mut events =
        BufReader::new(reader).lines().map(|line| -> Value { serde_json::from_str(&line.unwrap()).unwrap() });
    let port = events.next().unwrap()["port"].as_u64().unwrap();
    let wire = session(format!("127.0.0.1:{port}").parse().unwrap(), ([127, 0, 0, 1], 9).into(), "P2");
    let flood: String = (0..MESSAGES).map(|n| format!("127.0.0.1:9 P2 {n:0>50}\n")).collect();
    let mut to_node = Wire(wire.0.try_clone().unwrap());
    thread::spawn(move || to_node.write(flood));
    let (sender, is_done) = channel();
    thread::spawn(move || {
        for event in events.filter(|event| event["event"] == "message") {
            program.type_line(json!({"command": "send", "to": event["address"], "text": event["text"]}));
        }
    });
    thread::spawn(move || {
        let answers = BufReader::new(wire.0).lines().map(Result::unwrap);
        for (n, answer) in answers.take(MESSAGES).enumerate() {
            assert!(answer.ends_with(&format!(" P1 {n:0>50}")), "{answer}");
        }
        sender.send(()).unwrap();
    });
    is_done.recv_timeout(PATIENCE).expect("neither waits for the other");
}

#[test]
fn the_bot_of_the_examples_answers_messages() {
    let Some(python) = python() else { return crate::common::skip("the bot needs python3") };
    let peer = Peer::new();
    let bot = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bot.py");
    let mut command = Command::new(python);
    command.arg(bot).args(["0", env!("CARGO_BIN_EXE_chinwag"), "--static-peer", "127.0.0.1:1"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = Program::spawn(&mut command);
    program.stdout.expect("listening on port ");
    let port: u16 = program.stdout.expect("\n").trim().parse().unwrap();
    let to = ([127, 0, 0, 1], port).into();
    say(to, format!("{} P2 \"hé\" \\ 日本", peer.address()));
    assert_eq!(peer.take(), format!("{to} bot you said: \"hé\" \\ 日本"));
    let mut wire = session(to, peer.address(), "P2");
    wire.write(format!("{} P2 again\n", peer.address()));
    assert_eq!(wire.read_line(), format!("{to} bot you said: again\n"));
    // The bot answers with an escape for each of these characters, in a line that is too long to be typed.
    let long = "日".repeat(15_000);
    wire.write(format!("{} P2 {long}\n", peer.address()));
    assert_eq!(wire.read_line(), format!("{to} bot you said: {long}\n"));
    let nobody = Port::reserve();
    say(to, format!("{} P3 hi", nobody.address()));
    program.stderr.expect(&format!("answer to 'P3': {} refused", nobody.address()));
    program.signal(Signal::INT);
    assert_eq!(wire.read_line(), format!("{to} bot exit\n"));
    drop(wire);
    assert_eq!(program.wait(), 0);
}

#[test]
fn a_bot_of_fifteen_lines_answers_each_peer_and_knows_whom_it_could_not_answer() {
    let Some(python) = python() else { return crate::common::skip("the bot needs python3") };
    let bot = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tiny_bot.py");
    let text = std::fs::read_to_string(&bot).unwrap();
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with('#');
    assert!(text.lines().filter(is_code).count() <= 15);
    let mut command = Command::new(python);
    command.arg(bot).arg(env!("CARGO_BIN_EXE_chinwag"));
    command.args(["--json", "--name", "bot", "--static-peer", "127.0.0.1:1", "--port", "0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = Program::spawn(&mut command);
    let peers = [Peer::new(), Peer::new()];
    let nobody = Port::reserve();
    program.stdout.expect("listening on port ");
    let port: u16 = program.stdout.expect("\n").trim().parse().unwrap();
    let to = ([127, 0, 0, 1], port).into();
    for (peer, name) in peers.iter().zip(["P1", "P2"]) {
        say(to, format!("{} P3 and me?", nobody.address()));
        say(to, format!("{} {name} I am {name}", peer.address()));
    }
    for (peer, name) in peers.iter().zip(["P1", "P2"]) {
        assert_eq!(peer.take(), format!("{to} bot you said: I am {name}"));
        program.stderr.expect(&format!("P3 {} refused the connection", nobody.address()));
    }
    program.signal(Signal::INT);
}

#[test]
fn the_schema_of_events_and_commands_is_written() {
    let output = subcommand("schema", &[]).output().unwrap();
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(output.status.success() && output.stdout.ends_with(b"}\n"));
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    let (mut program, _) = node(&[]);
    for command in ["stats", "help", "peers", "shout", "quit"] {
        let line = json!({"command": command, "id": command});
        assert_eq!(schema.is_valid(&line), command != "shout", "{line}");
        program.type_line(&line);
        let event = event(&mut program);
        assert!(schema.is_valid(&event), "{event}");
    }
}

fn python() -> Option<&'static str> {
    let runs =
        |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
    ["python3"].into_iter().find(runs)
}
