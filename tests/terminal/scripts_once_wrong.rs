//! Faults of the past for scripts that use the program; each test failed before its fix.

use crate::common::peer::{Peer, say, session};
use crate::common::port::Port;
use crate::common::program::{
    Program, command, command_with_default_static_peers, is_here, subcommand, swarm_command,
};
use crate::namespace::in_namespace;
use crate::pty::Terminal;
use rustix::process::Signal;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// It counted 0 peers, since those that said exit have left the table.
#[test]
fn peers_that_left_were_met() {
    let peer = Peer::new();
    let program = Program::node_with("P1", &["--headless", "--quiet"]);
    let mut wire = session(program.address(), peer.address(), "P2");
    wire.write(format!("{} P2 hello\n{0} P2 exit\n", peer.address()));
    wire.expect_closed();
    program.signal(Signal::TERM);
    assert_eq!(program.stdout.rest(), "Received 1 message from 1 peer.\nExiting\n");
}

/// It said that there were no peers.
#[test]
fn connecting_without_active_peers_has_its_own_sentence() {
    let mut program = Program::node("P1");
    for line in ["3\na", "/connect all"] {
        program.type_line(line);
        program.stdout.expect("There are no active peers to connect to; ");
    }
    program.type_line("5\nhello");
    program.stdout.expect("No peers yet. ");
}

/// In `make | chinwag send A -`, a line `exit` said goodbye to everybody.
#[test]
fn a_line_of_stdin_is_a_text_unless_commands_are_asked_for() {
    let words = ["exit", "quit", "DISCONNECT", "connect"];
    let sent = |flags: &[&str]| {
        let peer = Peer::new();
        let to = peer.address().to_string();
        let messages = peer.take_all();
        let args = [flags, &["--port", "9", "--dialect", "bracketed", &to, "-"]].concat();
        let mut sender = Program::spawn(&mut subcommand("send", &args));
        sender.type_line(words.join("\n"));
        sender.close_stdin();
        let texts = messages
            .next(words.len())
            .iter()
            .map(|said| said.rsplit(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(sender.wait(), 0);
        let told = String::from_utf8(sender.stderr.bytes()).unwrap().replace(&to, "P2");
        (texts, told)
    };
    let (texts, told): (Vec<String>, String) = sent(&[]);
    assert_eq!(told, "Message sent to P2\n".repeat(words.len()));
    assert_eq!(texts, words.map(|word| format!("{word}.")), "to its reader each is a text");
    let (texts, told) = sent(&["--commands"]);
    assert_eq!(texts, ["quit", "quit", "quit", "connect"]);
    let (exits, connect) = told.split_at("Disconnected from P2\n".len() * 3);
    assert_eq!(exits, "Disconnected from P2\n".repeat(3));
    assert_eq!(connect, "Connected with P2; it does not answer connect requests\n");
}

/// Only the usage was shown, and `-` was not mentioned.
#[test]
fn a_missing_text_is_reported_with_what_to_do() {
    for args in [&["127.0.0.1:1"][..], &[]] {
        let mut sender = Program::spawn(&mut subcommand("send", args));
        assert_eq!(sender.wait(), 2);
        let told = String::from_utf8(sender.stderr.bytes()).unwrap();
        assert!(told.contains("<TEXT>"), "{told}");
        assert!(told.contains("tip: give the text, or `-` to send the lines of stdin"), "{told}");
    }
}

/// Runs the program with this text as stdin; returns its stdout.
fn said(args: &[&str], stdin: &[u8]) -> String {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stdin");
    fs::write(&path, stdin).unwrap();
    let mut program = Program::spawn(command(args).stdin(File::open(path).unwrap()));
    let stdout = program.stdout.rest();
    program.wait();
    stdout
}

/// Each of these was reported as `not-an-object`, or sent with a replacement character; after a byte order mark, so
/// was every line.
#[test]
fn a_json_error_is_named_with_its_column() {
    let table: [(&[u8], &str, usize); 5] = [
        (br#"{"command":"send-all","text":"a\ud83d b"}"#, "lone-surrogate", 38),
        (br#"{"command":"peers",}"#, "trailing-comma", 20),
        (br#"{"command":"peers"} quit"#, "trailing-text", 21),
        (b"{\"command\":\"send-all\",\"text\":\"caf\xe9\"}", "not-utf8", 34),
        (br#"{"command":"peers","command":"quit"}"#, "duplicate-field", 28),
    ];
    let lines: Vec<&[u8]> = table.iter().map(|(line, ..)| *line).collect();
    let stdin = [b"\xEF\xBB\xBF{\"command\":\"peers\"}", &*lines.join(&b'\n')].join(&b'\n');
    let said = said(&["--json", "--name", "P1", "--port", "0"], &stdin);
    let mut events = said.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    assert_eq!(events.next().unwrap()["event"], "listening");
    assert_eq!(events.next().unwrap()["event"], "peers");
    for (_, reason, column) in table {
        let event = events.next().unwrap();
        let place = format!("column {column}");
        assert_eq!((&event["reason"], &event["column"]), (&reason.into(), &column.into()));
        assert!(event["sentence"].as_str().unwrap().contains(&place), "{event}");
    }
    assert_eq!(events.next().unwrap()["event"], "exiting");
}

/// The first line was an unknown choice, or was sent with the mark.
#[test]
fn a_byte_order_mark_is_not_part_of_the_first_line() {
    let told = said(&["--name", "P1", "--port", "0"], "\u{FEFF}2\n0\n".as_bytes());
    assert!(told.contains("Enter choice: No connected peers\n"), "{told}");
    let peer = Peer::new();
    let to = peer.address().to_string();
    let mut sender = Program::spawn(&mut subcommand("send", &["--name", "P1", "--port", "9", &to, "-"]));
    sender.type_line("\u{FEFF}hello");
    sender.close_stdin();
    assert_eq!(peer.take(), "127.0.0.1:9 P1 hello");
}

/// It had only the ends, such as `0.1 127.0.0.1:52464: Eof`.
#[test]
fn the_log_tells_of_a_connection_from_its_beginning_to_its_end() {
    let (plain, p2) = (Peer::new(), Peer::new());
    let mut node = command(&["--name", "P1", "--port", "0"]);
    let mut program = Program::spawn(node.env("RUST_LOG", "debug")).listening();
    let from = say(program.address(), format!("{} \u{1b}[2J hello", plain.address()));
    program.stdout.expect("hello\n");
    let log = |line: String| drop(program.stderr.expect(&format!("{line}\n")));
    log(format!("0.1 {from}: accepted"));
    log(format!("0.1 {from}: speaks as {} ␛[2J", plain.address()));
    log(format!("0.1 {from}: connection ended: the other side closed it"));

    let mut wire = session(program.address(), p2.address(), "P2");
    log(format!("0.2 {}: accepted", wire.local()));
    log(format!("0.2 {}: speaks as {} P2", wire.local(), p2.address()));
    log(format!("0.2 {}: session with {} P2 begins", wire.local(), p2.address()));
    wire.write(format!("{} P2 one\n", p2.address()));
    wire.ping(1);
    let local = wire.local();
    wire.reset();
    let session = "it was reset by the other side or on the way";
    log(format!("0.2 {local}: session with {} P2 ended: {session}", p2.address()));

    program.send(plain.address(), "hello");
    plain.take();
    program.stdout.expect("Message sent to");
    let log = |line: String| drop(program.stderr.expect(&format!("{line}\n")));
    log(format!("0.3 {}: dialled", plain.address()));
    log(format!("0.3 {}: the dial is up", plain.address()));
    log(format!("0.3 {}: connection ended: the other side closed it", plain.address()));
    assert!(!program.stderr.bytes().contains(&0x1b));
}

/// `HOST:PORT` was not accepted anywhere, and `LOCALHOST` not even in the chat.
#[test]
fn a_host_may_be_named_on_a_command_line() {
    let peer = Peer::new();
    let to = format!("LocalHost:{}", peer.port());
    let _sender = Program::spawn(&mut subcommand("send", &["--name", "P1", "--port", "9", &to, "hello"]));
    assert_eq!(peer.take(), "127.0.0.1:9 P1 hello");
    let mut program = Program::node_with("P1", &["--static-peer", &to]);
    program.type_line("4\nhello");
    assert_eq!(peer.take(), format!("{} P1 hello", program.address()));
    program.type_line(format_args!("/msg {to} hi"));
    assert_eq!(peer.take(), format!("{} P1 hi", program.address()));
}

#[test]
fn the_host_of_a_target_may_be_named_too() {
    if !is_here(&["swarm"]) {
        return;
    }
    let nobody = Port::reserve();
    let mut swarm =
        Program::spawn(&mut swarm_command(format_args!("localhost:{}", nobody.number()), "--peers 1"));
    swarm.stdout.expect(&format!("to {}", nobody.address()));
    assert_eq!(swarm.wait(), 1);
}

#[test]
fn a_failed_host_lookup_is_reported_before_anything_is_done() {
    // No DNS query leaves this network.
    in_namespace(&[], || {
        let host = "chat.invalid:8080";
        let peer = Peer::new();
        let to = format!("{},{host}", peer.address());
        let chat = ["--name", "P1", "--port", "0", "--static-peer", host];
        let swarm = is_here(&["swarm"]).then(|| (Program::spawn(&mut swarm_command(host, "")), 2));
        let send = Program::spawn(&mut subcommand("send", &[&to, "hello"]));
        for (mut program, code) in swarm.into_iter().chain([(send, 3), (Program::start(&chat), 2)]) {
            assert_eq!(program.stdout.rest(), "");
            assert_eq!(program.wait(), code);
            let told = String::from_utf8(program.stderr.bytes()).unwrap();
            assert!(told.contains("chat.invalid:8080 cannot be looked up: "), "{told}");
        }
        assert!(!peer.is_dialled());
    });
}

/// It was refused as an invalid IP address, without the reason.
#[test]
fn a_host_name_in_the_chat_is_refused_with_what_to_type() {
    let mut program = Program::node("P1");
    for line in ["1\nbob.example:8080\n", "1\nbob.example\n", "/msg bob:8080 hi", "3\nbob.example:1\n"] {
        program.type_line(line);
        program.stdout.expect(" is not an address, and host names cannot be used here; give an IP:PORT, ");
    }
}

/// Everything that is answered with a text on stdout.
const ASKED: [&[&str]; 11] = [
    &["--help"],
    &["-h"],
    &["--version"],
    &["-V"],
    &["help"],
    &["help", "swarm"],
    &["swarm", "--help"],
    &["swarm", "merge", "-h"],
    &["send", "--help"],
    &["config"],
    &["completions", "zsh"],
];

fn asked() -> impl Iterator<Item = &'static [&'static str]> {
    ASKED.into_iter().filter(|args| is_here(args))
}

/// Wrong usage that is found by clap, by a command itself, and in the settings.
const MISUSED: [&[&str]; 6] = [
    &["--port", "x"],
    &["help", "nonsense"],
    &["send"],
    &["--config", "/nonexistent"],
    &["swarm", "10.0.0.1:1"],
    &["--name", "P1", "--port", "0", "--transcript", "/"],
];

#[cfg(target_os = "linux")]
fn full() -> Stdio {
    std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device").into()
}

/// A pipe that nobody reads any more.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[track_caller]
fn outcome(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().expect("the program runs");
    (status.code(), String::from_utf8(stderr).expect("UTF-8"))
}

/// Help and version ended with 0 and said nothing; `RUST_LOG=off` hid the sentence of the others.
#[test]
#[cfg(target_os = "linux")]
fn an_answer_that_cannot_be_written_is_always_reported() {
    for args in asked() {
        for log in ["", "off", "mio=debug"] {
            let mut program = command_with_default_static_peers(args);
            let told = outcome(program.env("RUST_LOG", log).stdout(full()));
            let words = "error: the output cannot be written: No space left on device (os error 28)\n";
            assert_eq!(told, (Some(1), words.to_owned()), "{args:?} {log}");
        }
    }
}

#[test]
fn a_reader_that_stops_early_gets_no_error() {
    for args in asked() {
        let told = outcome(command_with_default_static_peers(args).stdout(unread()));
        assert_eq!(told, (Some(0), String::new()), "{args:?}");
    }
}

/// If a sentence of the load generator could not be written, wrong usage became a fault.
#[test]
#[cfg(target_os = "linux")]
fn wrong_usage_that_cannot_be_printed_has_its_exit_code() {
    for args in MISUSED {
        for stderr in [full(), unread()] {
            let (code, _) = outcome(command_with_default_static_peers(args).stderr(stderr));
            assert_eq!(code, Some(2), "{args:?}");
        }
        let words = [&[env!("CARGO_BIN_EXE_chinwag")], args].concat();
        let (code, _) = outcome(Command::new("sh").args(["-c", "exec \"$0\" \"$@\" 2>&-"]).args(words));
        assert_eq!(code, Some(2), "{args:?}, stderr closed");
    }
}

/// In that case the files were not written, and a closed pipe was an error.
#[test]
#[cfg(target_os = "linux")]
fn a_report_that_cannot_be_printed_does_not_prevent_its_files_and_the_reverse() {
    if !is_here(&["swarm"]) {
        return;
    }
    let node = Program::node_with("N", &["--headless", "--quiet"]);
    let address = node.address().to_string();
    let home = TempDir::new().expect("a directory");
    let path = |name: &str| home.path().join(name).to_str().expect("UTF-8").to_owned();
    let run = |json: &str, hgrm: &str| {
        let words = [&address, "hold", "--peers", "2", "--time", "0.01", "--json", json, "--hlog", hgrm];
        subcommand("swarm", &words)
    };
    let is_there = |name: &str| std::fs::metadata(path(name)).is_ok_and(|file| file.len() > 0);
    let (code, told) = outcome(run(&path("1.json"), &path("1.hlog")).stdout(full()));
    assert_eq!(code, Some(1));
    assert!(told.starts_with("error: the output cannot be written: No space"), "{told}");
    assert!(is_there("1.json") && is_there("1.hlog"), "the files are whole");

    assert_eq!(outcome(run("-", &path("2.hlog")).stdout(unread())), (Some(0), String::new()));
    assert!(is_there("2.hlog"));

    let mut shown = Program::spawn(&mut run("/dev/full", "/dev/full"));
    assert!(shown.stdout.rest().contains("connections"));
    assert_eq!(shown.wait(), 1);
    let told = String::from_utf8(shown.stderr.bytes()).expect("UTF-8");
    assert_eq!(told.matches("/dev/full: No space left").count(), 2, "{told}");

    let sum = |out: Stdio| {
        outcome(subcommand("swarm", &["merge", &path("1.hlog"), "--hlog", &path("3.hlog")]).stdout(out))
    };
    assert_eq!(sum(unread()), (Some(0), String::new()));
    let (code, told) = sum(full());
    assert!(code == Some(1) && told.contains("the output cannot be written"), "{told}");
    assert!(is_there("3.hlog"));
}

/// It was taken for a module, and nothing was logged, not even faults.
#[test]
fn an_invalid_log_level_is_reported_by_every_command() {
    let table: [&[&str]; 7] = [
        &["--port", "x"],
        &["config"],
        &["completions", "bash"],
        &["man"],
        &["send", "127.0.0.1:1", "x"],
        &["swarm", "10.0.0.1:1"],
        &["--name", "P1", "--port", "0", "--transcript", "/"],
    ];
    for args in table {
        for (spec, wrong) in [
            ("nonsense", "'nonsense'"),
            ("chinwag=loud,warn", "'chinwag=loud'"),
            ("debgu,x=", "'debgu', 'x='"),
        ] {
            let (_, told) = outcome(command_with_default_static_peers(args).env("RUST_LOG", spec));
            let start = format!(
                "warning: RUST_LOG: {wrong} is not understood and is ignored; use a level (off, error,"
            );
            assert!(
                told.starts_with(&start) && told.matches("RUST_LOG").count() == 1,
                "{args:?} {spec}: {told}"
            );
        }
        for spec in ["", "error", "off", "chinwag::net=off"] {
            let (_, told) = outcome(command_with_default_static_peers(args).env("RUST_LOG", spec));
            assert!(!told.contains("RUST_LOG"), "{args:?} {spec}: {told}");
        }
    }
    // The rest is used.
    let words = ["--name", "P1", "--port", "0", "--headless", "--static-peer", "127.0.0.1:1"];
    let mut chat = command_with_default_static_peers(&words);
    let chat = Program::spawn(chat.env("RUST_LOG", "nonsense,chinwag=debug")).listening();
    chat.stderr.expect("'nonsense'");
    say(chat.address(), "127.0.0.1:9 P9 hello");
    chat.stderr.expect(" DEBUG chinwag::");
}

/// Each process of a run repeated it.
#[test]
fn only_one_of_several_processes_reports_the_log_setting() {
    if !is_here(&["swarm"]) {
        return;
    }
    let node = Program::node_with("N", &["--headless", "--quiet"]);
    let address = node.address().to_string();
    let words = [&address, "hold", "--peers", "4", "--time", "0.01", "--processes", "4"];
    let (code, told) = outcome(subcommand("swarm", &words).env("RUST_LOG", "nonsense"));
    assert_eq!((code, told.matches("RUST_LOG").count()), (Some(0), 1), "{told}");
}

/// Another name was listed, with replacement characters for bytes that are not UTF-8.
#[test]
fn a_file_name_that_a_config_file_cannot_hold_is_listed_as_such() {
    let name = OsStr::from_bytes(b"/tmp/\xFFa\xFE");
    for (key, variable) in [("transcript", "CHINWAG_TRANSCRIPT"), ("known-peers", "CHINWAG_KNOWN_PEERS")] {
        let mut flag = OsString::from(format!("--{key}="));
        flag.push(name);
        let ways = [
            (subcommand("config", &[]).arg(flag).output(), "flag".to_owned()),
            (subcommand("config", &[]).env(variable, name).output(), format!("environment {variable}")),
        ];
        for (output, origin) in ways {
            let output = output.expect("the program runs");
            let listing = String::from_utf8(output.stdout).expect("UTF-8");
            let row = format!(
                "{origin}: /tmp/\\xFFa\\xFE, which is not UTF-8; a config file cannot hold it, but a flag or {variable} can"
            );
            let rows: Vec<_> = listing.lines().filter(|line| line.contains(&format!("{key} ="))).collect();
            assert!(
                rows.iter().any(|line| line.starts_with(&format!("# {key} = ")) && line.ends_with(&row)),
                "{rows:?}"
            );
        }
    }
    let home = TempDir::new().expect("a directory");
    let config = OsStr::from_bytes(b"no\xFFfile");
    let told = subcommand("config", &[]).current_dir(home.path()).arg("--config").arg(config).output();
    let told = String::from_utf8(told.expect("the program runs").stderr).expect("UTF-8");
    assert_eq!(told, "error: no\\xFFfile: there is no such config file\n");
    if cfg!(not(target_os = "linux")) {
        // Other systems have no such file names.
        return;
    }
    std::fs::write(home.path().join(config), "name = 'P1'\n").expect("a file");
    let listed = subcommand("config", &[]).current_dir(home.path()).env("CHINWAG_CONFIG", config).output();
    let listed = String::from_utf8(listed.expect("the program runs").stdout).expect("UTF-8");
    assert!(listed.starts_with("# The config file is no\\xFFfile.\n"), "{listed}");
    assert!(listed.contains("# file no\\xFFfile:1\n"), "{listed}");
}

/// Each of them left a peer in the file, with an address where nobody listens, and the next run listed it.
#[test]
fn a_peer_that_only_sends_is_not_remembered() {
    let home = TempDir::new().unwrap();
    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    for _ in 0..4 {
        let args = ["--name", "ci", &terminal.address().to_string(), "done"];
        assert_eq!(Program::spawn(&mut subcommand("send", &args)).wait(), 0);
        terminal.screen.expect("): done");
        terminal.screen.expect("disconnected");
    }
    // A peer with an alias is written to the file at once, and so would be every other peer that is kept.
    terminal.type_keys("/alias 127.0.0.1:9 anna\r/peers\r");
    terminal.screen.expect("is now shown as anna");
    let listed = terminal.screen.expect("anna\r\n");
    assert!(!listed.contains("ci"), "{listed}");
    terminal.type_keys("0\r");
    assert_eq!(terminal.wait(), 0);
    let file = fs::read_to_string(home.path().join(".local/share/chinwag/peers.toml")).unwrap();
    assert!(file.contains("anna") && !file.contains("ci"), "{file}");
}

/// It ended with 0 if everything that had come by then was sent.
#[test]
fn send_says_that_a_signal_came_before_the_end_of_stdin() {
    let peer = Peer::new();
    let to = peer.address().to_string();
    let mut send =
        Program::spawn(&mut subcommand("send", &["--quiet", "--port", "9", "--name", "P1", &to, "-"]));
    send.type_line("hello");
    assert_eq!(peer.take(), "127.0.0.1:9 P1 hello");
    send.signal(Signal::TERM);
    assert_eq!(send.wait(), 4);
    assert_eq!(send.stderr.rest(), "A signal came before the end of stdin, and the rest was not sent.\n");
}

/// The chat ended with 0, and `RUST_LOG=off` hid the only line about it.
#[test]
fn a_stdin_that_cannot_be_read_ends_the_chat_with_a_fault() {
    for args in [&["--name", "P1", "--port", "0"][..], &["--name", "P1", "--port", "0", "--json"]] {
        let directory = File::open("/").expect("a directory");
        let told = outcome(command(args).env("RUST_LOG", "off").stdin(directory));
        let words = "error: stdin could not be read to its end; give a file, a pipe or a terminal.\n";
        assert_eq!(told, (Some(1), words.to_owned()), "{args:?}");
    }
}
