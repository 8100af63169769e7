//! What was once wrong for scripts that use the program; each test failed before.

use crate::common::peer::say;
use crate::common::program::{Program, command_with_default_static_peers, subcommand};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Everything that is asked for and answered with a text on stdout.
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

/// Wrong usage, as clap finds it, as a command itself does, and as the settings have it.
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

/// Help and version ended with 0 in silence; `RUST_LOG=off` hid the sentence of the others.
#[test]
#[cfg(target_os = "linux")]
fn an_answer_that_cannot_be_written_is_told_whatever_was_asked() {
    for args in ASKED {
        for log in ["", "off", "mio=debug"] {
            let mut program = command_with_default_static_peers(args);
            let told = outcome(program.env("RUST_LOG", log).stdout(full()));
            let words = "error: the output cannot be written: No space left on device (os error 28)\n";
            assert_eq!(told, (Some(1), words.to_owned()), "{args:?} {log}");
        }
    }
}

#[test]
fn who_reads_only_the_beginning_of_an_answer_hears_of_no_error() {
    for args in ASKED {
        let told = outcome(command_with_default_static_peers(args).stdout(unread()));
        assert_eq!(told, (Some(0), String::new()), "{args:?}");
    }
}

/// Where a sentence of the load generator found no room, wrong usage was a fault.
#[test]
#[cfg(target_os = "linux")]
fn wrong_usage_that_cannot_be_told_is_seen_by_the_exit_code() {
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

/// The files were not written then, and a closed pipe was an error.
#[test]
#[cfg(target_os = "linux")]
fn a_report_that_finds_no_room_costs_none_of_the_files_nor_the_other_way_round() {
    let node = Program::node_with("N", &["--headless", "--quiet"]);
    let address = node.address().to_string();
    let home = TempDir::new().expect("a directory");
    let path = |name: &str| home.path().join(name).to_str().expect("UTF-8").to_owned();
    let run = |json: &str, hgrm: &str| {
        let words = [&address, "hold", "--peers", "2", "--time", "0.01", "--json", json, "--hgrm", hgrm];
        subcommand("swarm", &words)
    };
    let is_there = |name: &str| std::fs::metadata(path(name)).is_ok_and(|file| file.len() > 0);
    let (code, told) = outcome(run(&path("1.json"), &path("1.hgrm")).stdout(full()));
    assert_eq!(code, Some(1));
    assert!(told.starts_with("error: the output cannot be written: No space"), "{told}");
    assert!(is_there("1.json") && is_there("1.hgrm"), "the files are whole");

    assert_eq!(outcome(run("-", &path("2.hgrm")).stdout(unread())), (Some(0), String::new()));
    assert!(is_there("2.hgrm"));

    let mut shown = Program::spawn(&mut run("/dev/full", "/dev/full"));
    assert!(shown.stdout.rest().contains("connections"));
    assert_eq!(shown.wait(), 1);
    let told = String::from_utf8(shown.stderr.bytes()).expect("UTF-8");
    assert_eq!(told.matches("/dev/full: No space left").count(), 2, "{told}");

    let sum = |out: Stdio| {
        outcome(subcommand("swarm", &["merge", &path("1.hgrm"), "--hgrm", &path("3.hgrm")]).stdout(out))
    };
    assert_eq!(sum(unread()), (Some(0), String::new()));
    let (code, told) = sum(full());
    assert!(code == Some(1) && told.contains("the output cannot be written"), "{told}");
    assert!(is_there("3.hgrm"));
}

/// It was taken for a module, and then nothing was logged, not even a fault.
#[test]
fn a_log_level_that_is_none_is_told_by_every_command() {
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
        for (spec, wrong) in
            [("nonsense", "'nonsense'"), ("chinwag=loud,warn", "'chinwag=loud'"), ("debgu,x=", "'debgu'")]
        {
            let (_, told) = outcome(command_with_default_static_peers(args).env("RUST_LOG", spec));
            let start =
                format!("warning: RUST_LOG: {wrong} is not understood, and left out; a level (off, error,");
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
    // What is left holds.
    let words = ["--name", "P1", "--port", "0", "--headless", "--static-peer", "127.0.0.1:1"];
    let mut chat = command_with_default_static_peers(&words);
    let chat = Program::spawn(chat.env("RUST_LOG", "nonsense,chinwag=debug")).listening();
    chat.stderr.expect("'nonsense'");
    say(chat.address(), "127.0.0.1:9 P9 hello");
    chat.stderr.expect(" DEBUG chinwag::");
}

/// Each process of a run told it again.
#[test]
fn of_several_processes_one_tells_of_the_log() {
    let node = Program::node_with("N", &["--headless", "--quiet"]);
    let address = node.address().to_string();
    let words = [&address, "hold", "--peers", "4", "--time", "0.01", "--processes", "4"];
    let (code, told) = outcome(subcommand("swarm", &words).env("RUST_LOG", "nonsense"));
    assert_eq!((code, told.matches("RUST_LOG").count()), (Some(0), 1), "{told}");
}

/// Another name was listed, with a stand-in for what is no UTF-8.
#[test]
fn a_file_name_that_a_config_file_cannot_say_is_listed_as_such() {
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
                "{origin}: /tmp/\\xFFa\\xFE, which is not UTF-8; a config file cannot say it, a flag or {variable} can"
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
