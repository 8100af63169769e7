//! What was said is found again: in this run, in the transcript, and when a conversation begins.

use crate::common::peer::{Peer, Wire, session};
use crate::common::program::{Program, command};
use crate::pty::Terminal;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use tempfile::{TempDir, tempdir};

const ANNA: &str = "127.0.0.1:9001";
const TWIN: &str = "127.0.0.1:9002";

/// A transcript with these lines of an earlier year.
fn transcript(entries: &[&str]) -> (TempDir, String) {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("transcript").into_os_string().into_string().expect("UTF-8");
    let line = |(minute, entry): (usize, &&str)| format!("2020-02-28T10:{minute:02}:00+00:00 {entry}\n");
    fs::write(&path, entries.iter().enumerate().map(line).collect::<String>()).expect("a file");
    (directory, path)
}

fn on_a_terminal(args: &[&str]) -> Terminal {
    let all =
        [&["--name", "me", "--port", "0", "--static-peer", "127.0.0.1:1", "--color", "never"], args].concat();
    Terminal::node_where(&["TZ=UTC"], &all)
}

fn in_pipes(args: &[&str]) -> Program {
    let all = [&["--name", "me", "--port", "0"], args].concat();
    Program::spawn(command(&all).env("TZ", "UTC")).listening()
}

fn talk(to: SocketAddr, from: &str, name: &str) -> Wire {
    session(to, from.parse().expect("an address"), name)
}

#[test]
fn without_a_transcript_a_person_finds_what_was_said_in_this_run() {
    for editing in [&[][..], &["--plain"]] {
        let mut terminal = on_a_terminal(editing);
        let mut anna = talk(terminal.address(), ANNA, "anna");
        anna.write(format!("{ANNA} anna a Needle here\n!to 3\n{ANNA} anna a needle for all\n"));
        terminal.screen.expect("for all");
        terminal.type_keys("/msg anna my NEEDLE, too\r");
        assert!(anna.read_line().ends_with("my NEEDLE, too\n"));
        terminal.screen.expect("Enter choice: ");
        terminal.type_keys("/lastlog needle\r");
        let rows: Vec<String> = if editing.is_empty() {
            let rows = [
                "anna (127.0.0.1:9001): a Needle here",
                "anna → all: a needle for all",
                "you → anna: my NEEDLE, too",
            ];
            rows.map(|row| format!(" {row}")).into()
        } else {
            let rows = [
                "< 127.0.0.1:9001 anna a Needle here",
                "< all 127.0.0.1:9001 anna a needle for all",
                "> 127.0.0.1:9001 anna my NEEDLE, too",
            ];
            rows.map(|row| format!(" {row}")).into()
        };
        for row in rows {
            terminal.screen.expect(&format!("{row}\r\n"));
        }
        terminal.type_keys("/lastlog straw\r");
        terminal
            .screen
            .expect("Nothing that was said in this run contains 'straw'; start with --transcript FILE");
        terminal.type_keys("/history\r");
        terminal.screen.expect("There is no conversation for that; /to NAME begins one.");
        terminal.type_keys("/history all\r");
        terminal.screen.expect("needle for all");
        terminal.type_keys("/history anna 1\r");
        terminal.screen.expect("my NEEDLE, too");
        terminal.screen.expect("… and 2 older messages\r\n");
    }
}

#[test]
fn in_a_pipe_without_a_transcript_nothing_is_kept_and_that_is_said() {
    let mut program = in_pipes(&[]);
    program.type_line("/lastlog x");
    program
        .stdout
        .expect("What was said is not kept; start the program with --transcript FILE to find it later.\n");
    program.type_line("/to all\n/history\n\n0");
    program.stdout.expect("with --transcript FILE to find it later.\n");
    assert_eq!(program.wait(), 0);
}

#[test]
fn a_transcript_is_searched_across_restarts_and_a_conversation_is_that_of_one_address() {
    let (_directory, path) = transcript(&[
        "< 127.0.0.1:9001 anna a Needle",
        "* anna (127.0.0.1:9001) disconnected, needle",
        "< 127.0.0.1:9002 anna another needle",
        "> 127.0.0.1:9001 - my needle",
        "> all 2 to all of you",
        "< all 127.0.0.1:9001 anna for all",
    ]);
    let mut program = in_pipes(&["--transcript", &path]);
    program.type_line("/lastlog NEEDLE");
    program.stdout.expect(
        "2020-02-28T10:00:00+00:00 < 127.0.0.1:9001 anna a Needle\n\
         2020-02-28T10:02:00+00:00 < 127.0.0.1:9002 anna another needle\n\
         2020-02-28T10:03:00+00:00 > 127.0.0.1:9001 - my needle\nEnter choice: ",
    );
    program.type_line(format!("/history {ANNA}"));
    program.stdout.expect(
        "2020-02-28T10:00:00+00:00 < 127.0.0.1:9001 anna a Needle\n\
         2020-02-28T10:03:00+00:00 > 127.0.0.1:9001 - my needle\n\
         2020-02-28T10:05:00+00:00 < all 127.0.0.1:9001 anna for all\nEnter choice: ",
    );
    program.type_line("/history ALL 9");
    program.stdout.expect(
        "2020-02-28T10:04:00+00:00 > all 2 to all of you\n\
         2020-02-28T10:05:00+00:00 < all 127.0.0.1:9001 anna for all\nEnter choice: ",
    );
    program.type_line(format!("/history {TWIN} 1\n/lastlog [a-z]*.\n/lastlog anna\n/history 127.0.0.1:7"));
    program.stdout.expect("10:02:00+00:00 < 127.0.0.1:9002 anna another needle\n");
    program.stdout.expect("Nothing that was said contains '[a-z]*.'.\n");
    program.stdout.expect("Nothing that was said contains 'anna'.\n");
    program.stdout.expect("Nothing was said to or by 127.0.0.1:7.\n");
    // What is said now is in it before it is written.
    let mut anna = talk(program.address(), ANNA, "anna");
    anna.write(format!("{ANNA} anna a new needle\n!to 3\n{ANNA} anna a needle for three\n"));
    program.stdout.expect("for three\n");
    program.type_line("/history anna 1\n/history all 1");
    program.stdout.expect("< all 127.0.0.1:9001 anna a needle for three\n… and 4 older messages\n");
    program.stdout.expect("< all 127.0.0.1:9001 anna a needle for three\n… and 2 older messages\n");
    program.type_line("/to anna\nmy text\n/history 1\n/history\n/history 127.0.0.1:9002\n\n0");
    program.stdout.expect("> 127.0.0.1:9001 anna my text\n… and 5 older messages\n");
    program.stdout.expect("> 127.0.0.1:9001 anna my text\n→ anna");
    program.stdout.expect("anna another needle\n→ anna");
    drop(anna);
    assert_eq!(program.wait(), 0);
}

#[test]
fn what_cannot_be_meant_is_told() {
    let (_directory, path) = transcript(&[]);
    let mut program = in_pipes(&["--transcript", &path]);
    let (mut one, mut other) = (talk(program.address(), ANNA, "twin"), talk(program.address(), TWIN, "twin"));
    for wire in [&mut one, &mut other] {
        wire.ping(1);
    }
    let long = "x".repeat(60_000);
    let too_long = "x".repeat(70_000);
    let ours = program.address().to_string();
    for (line, sentence) in [
        ("/lastlog", "Usage: /lastlog TEXT\n"),
        ("/lastlog    ", "Usage: /lastlog TEXT\n"),
        ("/history", "There is no conversation for that; /to NAME begins one.\n"),
        ("/history 1 2 3", "Usage: /history [WHO|all] [N]\n"),
        ("/history all 0", "'0' is not a number of messages: give one from 1 to 100.\n"),
        ("/history all -1", "'-1' is not a number of messages: give one from 1 to 100.\n"),
        ("/history all 101", "'101' is not a number of messages: give one from 1 to 100.\n"),
        ("/history all 99999999999999999999", "is not a number of messages: give one from 1 to 100.\n"),
        ("/history 9", "There is no number 9 in the last list; choose one from it.\n"),
        (
            "/history twin",
            "Several peers are called 'twin'; type the number or address of the one you mean.\n",
        ),
        ("/history nobody", "'nobody' is not an IP address, a number from the last list or a known name"),
        ("/history a\x1b[2J", "'a␛[2J' is not an IP address"),
        ("/history →", "'→' is not an IP address"),
        ("/history history", "'history' is not an IP address"),
        (&format!("/history {ours}"), "is this program; type somebody else's address.\n"),
        (&format!("/lastlog {long}"), "xxx…'.\n"),
        (&format!("/lastlog {too_long}"), "That line is too long"),
    ] {
        program.type_line(line);
        program.stdout.expect(sentence);
    }
    program.type_line("/to twin\n2\n/to 127.0.0.1:9001\n/history 0\n/history 101");
    program.stdout.expect("'0' is not a number of messages");
    program.stdout.expect("'101' is not a number of messages");
}

#[test]
fn a_conversation_begins_with_what_earlier_runs_have_of_it() {
    let (_directory, path) = transcript(&[
        "< 127.0.0.1:9001 anna far too long ago",
        "< 127.0.0.1:9001 anna one",
        "> 127.0.0.1:9001 anna two \x1b[2J",
        "< 127.0.0.1:9002 anna not hers",
        "< 127.0.0.1:9001 you three",
        "< all 127.0.0.1:9001 anna and to others",
        "> 127.0.0.1:9001 anna /me waves",
        "< 127.0.0.1:9001 anna five",
    ]);
    let mut terminal = on_a_terminal(&["--transcript", &path]);
    let mut anna = talk(terminal.address(), ANNA, "anna");
    anna.write(format!("{ANNA} anna said now\n"));
    terminal.screen.expect("said now");
    terminal.screen.expect("Enter choice: ");
    terminal.type_keys("/to anna\r");
    terminal.expect_rows(&[
        "Enter choice: /to anna",
        "2020-02-28 10:02 you → anna: two ␛[2J",
        "2020-02-28 10:04 you (127.0.0.1:9001): three",
        "2020-02-28 10:05 anna (127.0.0.1:9001) → all: and to others",
        "2020-02-28 10:06 * you → anna waves",
        "2020-02-28 10:07 anna: five",
        "→ anna: ▏",
    ]);
    // Only once, and nothing if there is nothing.
    terminal.type_keys("\r");
    terminal.screen.expect("Enter choice: ");
    terminal.type_keys("/to anna\r");
    terminal.expect_rows(&["Enter choice: /to anna", "→ anna: ▏"]);
    terminal.type_keys("/to 127.0.0.1:7\r");
    terminal.expect_rows(&["→ anna: /to 127.0.0.1:7", "→ 127.0.0.1:7: ▏"]);
    terminal.type_keys("/to all\r");
    terminal.expect_rows(&["2020-02-28 10:05 anna (127.0.0.1:9001) → all: and to others", "→ all 1 peer: ▏"]);
    terminal.type_keys("/history anna 1\r");
    terminal.expect_rows(&["anna (127.0.0.1:9001): said now", "… and 7 older messages", "→ all 1 peer: ▏"]);
}

#[test]
fn a_program_that_reads_plain_lines_is_not_reminded() {
    let (_directory, path) = transcript(&["< 127.0.0.1:9001 anna long ago"]);
    let mut program = in_pipes(&["--transcript", &path]);
    program.type_line(format!("/to {ANNA}\n\n0"));
    assert!(!program.stdout.rest().contains("long ago"));
    assert_eq!(program.wait(), 0);
    let mut terminal = on_a_terminal(&["--plain", "--transcript", &path]);
    terminal.type_keys(&format!("/to {ANNA}\r"));
    terminal.expect_rows(&[&format!("Enter choice: /to {ANNA}"), &format!("→ {ANNA}: ▏")]);
}

#[test]
fn a_program_gets_one_event_with_the_id_of_its_command() {
    let (_directory, path) =
        transcript(&["< all 127.0.0.1:9001 anna for all", "> all 2 mine", "> 127.0.0.1:9001 - hi"]);
    let mut program = Program::start(&["--json", "--name", "me", "--port", "0", "--transcript", &path]);
    program.stdout.expect("\n");
    let mut answer = |line: Value| -> Value {
        program.type_line(line);
        let mut event: Value = serde_json::from_str(&program.stdout.expect("\n")).expect("JSON");
        for field in ["schema", "time"] {
            event.as_object_mut().expect("an object").remove(field);
        }
        event
    };
    let for_all = json!({"time": "2020-02-28T10:00:00.000Z", "own": false, "address": ANNA, "name": "anna",
        "text": "for all", "to_all": true});
    let mine = json!({"time": "2020-02-28T10:01:00.000Z", "own": true, "address": null, "name": "", "text": "mine",
        "to_all": true});
    let to_anna = json!({"time": "2020-02-28T10:02:00.000Z", "own": true, "address": ANNA, "name": "", "text": "hi",
        "to_all": false});
    let history = |messages: Value, older: u64, id: Value| json!({"event": "history", "messages": messages, "older": older, "partial": false, "id": id});
    let asked = json!({"command": "lastlog", "text": "FOR", "id": "a"});
    assert_eq!(answer(asked), history(json!([for_all]), 0, json!("a")));
    let asked = json!({"command": "history", "to": "all", "id": 7, "count": 1});
    assert_eq!(answer(asked), history(json!([mine]), 1, json!(7)));
    let asked = json!({"command": "history", "to": ANNA, "id": 8});
    assert_eq!(answer(asked), history(json!([for_all, to_anna]), 0, json!(8)));
    let asked = json!({"command": "history", "to": "all", "id": 9, "count": 0});
    let error = answer(asked);
    assert_eq!(
        (&error["event"], &error["reason"], &error["id"]),
        (&json!("error"), &json!("bad-count"), &json!(9))
    );

    let mut program = Program::start(&["--json", "--name", "me", "--port", "0"]);
    program.stdout.expect("\n");
    program.type_line(json!({"command": "lastlog", "text": "x", "id": "b"}));
    program.stdout.expect(r#""id":"b","event":"no-history","reason":"no-transcript","sentence":"#);
}

#[test]
fn a_transcript_that_goes_away_or_cannot_be_read_ends_nothing() {
    let (directory, path) = transcript(&["< 127.0.0.1:9001 anna a needle"]);
    let mut program = in_pipes(&["--transcript", &path]);
    // Another file has its name, and ours is still searched.
    fs::rename(&path, directory.path().join("rotated")).unwrap();
    fs::create_dir(&path).unwrap();
    program.type_line("/lastlog needle");
    program.stdout.expect("anna a needle\n");
    let rotated = directory.path().join("rotated");
    fs::File::options().write(true).open(&rotated).unwrap().set_len(0).unwrap();
    program.type_line("/lastlog needle");
    program.stdout.expect("Nothing that was said contains 'needle'.\n");
    fs::remove_file(&rotated).unwrap();
    program.type_line("/lastlog needle\n0");
    program.stdout.expect("Nothing that was said contains 'needle'.\n");
    assert_eq!(program.wait(), 0);

    let mut program = in_pipes(&["--transcript", "/dev/null"]);
    program.type_line("/lastlog needle\n0");
    program
        .stdout
        .expect("The transcript is a device, which cannot be searched; give --transcript a file.\n");
    assert_eq!(program.wait(), 0);

    if rustix::process::geteuid().is_root() {
        return;
    }
    let (_directory, path) = transcript(&[]);
    fs::set_permissions(&path, PermissionsExt::from_mode(0o200)).unwrap();
    let mut program = in_pipes(&["--transcript", &path]);
    program.type_line("/lastlog needle\n0");
    program
        .stdout
        .expect("The transcript cannot be read (permission denied), so nothing can be found in it.\n");
    assert_eq!(program.wait(), 0);
}

#[test]
fn a_text_that_waits_for_its_outcome_is_found_and_the_file_may_be_full_of_anything() {
    let (_directory, path) = transcript(&[]);
    let noise: Vec<u8> = (0..6_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(&path, noise).unwrap();
    let peer = Peer::new();
    let mut program = in_pipes(&["--transcript", &path]);
    program.type_line(format!("/to {}\nis anybody there\n/history", peer.address()));
    program.stdout.expect(&format!("> {} - is anybody there\n", peer.address()));
    program.stdout.expect("Only the last 4 MiB of the transcript were searched.\n");
}

#[test]
fn what_was_said_before_is_dim_where_there_are_colours() {
    let (_directory, path) = transcript(&["< 127.0.0.1:9001 anna hi", "> 127.0.0.1:9001 anna hello"]);
    let mut terminal = Terminal::node_with(&["--name", "me", "--port", "0", "--transcript", &path]);
    terminal.type_keys("/to 127.0.0.1:9001\r");
    terminal.emulator.expect("two dim rows", |seen| {
        let is_dim = |look: &String| look.starts_with("dddddddddddddddd") && look.ends_with("dd");
        seen.looks.iter().filter(|look| is_dim(look)).count() == 2
    });
}
