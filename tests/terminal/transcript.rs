//! The transcript: what is in the file, who may read it, and what happens if it cannot be written.

use crate::common::peer::{Peer, session};
use crate::common::port::Port;
use crate::common::program::{Program, below_limit, command};
use crate::pty::Terminal;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use tempfile::{TempDir, tempdir};

const FULL: &str = "The transcript cannot be written (No space left on device); until this is fixed, messages are \
                    missing from it.";

/// A place for a transcript.
fn place() -> (TempDir, String) {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("transcript").into_os_string().into_string().expect("UTF-8");
    (directory, path)
}

fn recorded(path: &str, args: &[&str]) -> Program {
    let all = [&["--name", "P1", "--port", "0", "--transcript", path], args].concat();
    Program::spawn(command(&all).env("TZ", "<-03>3")).listening()
}

/// The lines without their times, which must be local times.
#[track_caller]
fn lines(path: &str) -> Vec<String> {
    let shape =
        |time: &str| time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    let text = fs::read_to_string(path).expect("a file");
    let entry = |line: &str| {
        let (time, entry) = line.split_once(' ').expect("a time");
        assert!(shape(time) == "0000-00-00T00:00:00-00:00" && time.ends_with("-03:00"), "{line}");
        entry.to_owned()
    };
    text.lines().map(entry).collect()
}

#[test]
fn a_greeting_is_said_once_it_has_arrived() {
    let (_directory, path) = place();
    let (peer, nobody) = (Peer::new(), Port::reserve());
    let [to, nobody] = [peer.address(), nobody.address()].map(|address| address.to_string());
    let mut program = recorded(&path, &["--greet", "--static-peer", &nobody, "--static-peer", &to]);
    peer.take();
    program.stdout.expect("Message sent");
    program.type_line(0);
    assert_eq!(program.wait(), 0);
    assert_eq!(lines(&path)[1..], [format!("> {to} - Hello!"), "* Exiting".to_owned()]);
}

#[test]
fn it_has_what_both_sides_said_and_continues_after_a_restart() {
    let (_directory, path) = place();
    let (nobody, from) = (Peer::new().address(), "127.0.0.1:9090");
    let mut program = recorded(&path, &[]);
    let mut wire = session(program.address(), from.parse().unwrap(), "P2");
    wire.write(format!("{from} P2 good \x1b[2Jevening\n"));
    wire.ping(1);
    program.send("P2", "hello \u{1b}[2J");
    program.stdout.expect("Message sent");
    program.type_line("5\nto all of you");
    program.stdout.expect("Message sent to 1 peer\n");
    program.send(nobody, "is there anybody");
    program.stdout.expect("Not sent: is there anybody\n");
    // An exit is not recorded as a message.
    program.send("P2", "exit");
    program.stdout.expect("Disconnected from");
    program.type_line(0);
    assert_eq!(program.wait(), 0);
    let first = [
        &format!("* Server listening on port {}", program.port()),
        "* New peer: P2 (127.0.0.1:9090)",
        "* P2 (127.0.0.1:9090) connected with you",
        "< 127.0.0.1:9090 P2 good ␛[2Jevening",
        "> 127.0.0.1:9090 P2 hello ␛[2J",
        "> all 1 to all of you",
        &format!("> {nobody} - is there anybody"),
        &format!(
            "! {nobody} refused the connection: nobody listens there; check the port, or try again later. Not \
             sent: is there anybody"
        ),
        "* Disconnected from 127.0.0.1:9090",
        "* Exiting",
    ];
    assert_eq!(lines(&path), first);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut program = recorded(&path, &[]);
    program.type_line(0);
    assert_eq!(program.wait(), 0);
    let second = [&format!("* Server listening on port {}", program.port()), "* Exiting"];
    assert_eq!(lines(&path), [&first[..], &second].concat());
}

#[test]
fn a_program_and_a_headless_node_have_one_too_and_nothing_else_changes() {
    for mode in ["--json", "--headless"] {
        let (_directory, path) = place();
        let all = ["--name", "P1", "--port", "0", mode];
        let recorded = [&all[..], &["--transcript", &path]].concat();
        let outputs = [&all[..], &recorded].map(|args| {
            let mut program = Program::spawn(command(args).env("TZ", "<-03>3"));
            let port = program.stdout.expect_one_of(&["}\n", "port "]);
            let port = match port.split_once("\"port\":") {
                Some((_, port)) => port.split(',').next().unwrap().to_owned(),
                None => program.stdout.expect("\n").trim().to_owned(),
            };
            let mut wire = session(
                format!("127.0.0.1:{port}").parse().unwrap(),
                "127.0.0.1:9090".parse().unwrap(),
                "P2",
            );
            wire.write("127.0.0.1:9090 P2 hi\n");
            wire.ping(1);
            if mode == "--json" {
                program.type_line(r#"{"command":"send","to":"P2","text":"hello"}"#);
                wire.read_line();
            }
            program.signal(rustix::process::Signal::TERM);
            wire.read_line();
            drop(wire);
            let output = program.stdout.rest();
            assert_eq!(program.wait(), 0);
            output.lines().map(|line| line.split("\"event\"").last().unwrap().to_owned()).collect::<Vec<_>>()
        });
        assert_eq!(outputs[0], outputs[1]);
        let lines = lines(&path);
        assert!(lines.contains(&"< 127.0.0.1:9090 P2 hi".to_owned()), "{lines:?}");
        assert_eq!(lines.contains(&"> 127.0.0.1:9090 P2 hello".to_owned()), mode == "--json", "{lines:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_reported_once_and_the_chat_goes_on() {
    let from = "127.0.0.1:9090";
    let mut program = recorded("/dev/full", &[]);
    let mut wire = session(program.address(), from.parse().unwrap(), "P2");
    for n in 0..3 {
        wire.write(format!("{from} P2 number {n}\n"));
        wire.ping(n);
    }
    program.stdout.expect("number 2\n");
    program.send(from, "hello");
    assert_eq!(wire.read_line(), format!("{} P1 hello\n", program.address()));
    drop(wire);
    program.type_line(0);
    assert_eq!(program.wait(), 0);
    let all = String::from_utf8(program.stdout.bytes()).unwrap();
    assert_eq!(all.matches(FULL).count(), 1, "{all}");
    let args = ["--name", "P1", "--port", "0", "--json", "--transcript", "/dev/full"];
    let program = Program::start(&args);
    program.stdout.expect(r#""event":"not-recorded","reason":"disk-full","#);
    let mut terminal = Terminal::node_with(&[&args[..4], &args[5..]].concat());
    terminal.emulator.expect("the sentence", |seen| seen.rows.concat().contains(&FULL[..70]));
    terminal.type_keys("4\r");
    terminal.expect_rows(&["Enter your message: ▏"]);
}

#[test]
fn a_limit_on_file_size_is_reported_like_a_full_disk() {
    let (_directory, path) = place();
    let args = ["--name", "P1", "--port", "0", "--static-peer", "127.0.0.1:1", "--transcript", &path];
    let mut program = Program::spawn(&mut below_limit("-f 1", &args)).listening();
    let from = "127.0.0.1:9090";
    let mut wire = session(program.address(), from.parse().unwrap(), "P2");
    for n in 0..3 {
        wire.write(format!("{from} P2 {}\n", "x".repeat(1_000)));
        wire.ping(n);
    }
    drop(wire);
    program.type_line(0);
    assert_eq!(program.wait(), 0);
    let all = String::from_utf8(program.stdout.bytes()).unwrap();
    assert_eq!(all.matches("The transcript cannot be written (File too large);").count(), 1, "{all}");
}

#[test]
fn a_transcript_that_is_not_a_file_is_refused_at_the_start() {
    let (directory, path) = place();
    let named = |name: &str| directory.path().join(name);
    let _socket = UnixListener::bind(named("socket")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(named("fifo")).status().unwrap().success());
    fs::create_dir(named("directory")).unwrap();
    let missing = Path::new(&path).join("not/there");
    let something_else = ["socket", "fifo", "directory"].map(|name| (named(name), "is not a file"));
    for (path, word) in something_else.into_iter().chain([(missing, "cannot be opened")]) {
        let path = path.to_str().unwrap();
        let mut program = Program::start(&["--name", "P1", "--port", "0", "--transcript", path]);
        assert_eq!(program.wait(), 2, "{path}");
        assert_eq!(program.stdout.rest(), "");
        let said = String::from_utf8(program.stderr.bytes()).unwrap();
        assert!(said.contains(word) && said.contains(path), "{said}");
    }
}
