//! The config file, the environment, and `chinwag config`.

use crate::common::program::{Program, command, subcommand};
use rustix::process::Signal;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A user with or without a config file.
struct User {
    home: TempDir,
}

impl User {
    fn new() -> Self {
        Self { home: TempDir::new().expect("a directory") }
    }

    fn with_config(text: &str) -> Self {
        let user = Self::new();
        fs::create_dir(user.home.path().join("chinwag")).expect("a directory");
        fs::write(user.file(), text).expect("a file");
        user
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("chinwag/config.toml")
    }

    /// Runs a subcommand with these variables to its end; returns exit code, stdout and stderr, in which the path of
    /// the file is FILE.
    fn run(&self, name: &str, args: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
        let mut command = subcommand(name, args);
        command.env("XDG_CONFIG_HOME", self.home.path()).envs(variables.iter().copied());
        let mut program = Program::spawn(&mut command);
        let stdout = program.stdout.rest();
        let code = program.wait();
        let stderr = String::from_utf8(program.stderr.bytes()).expect("UTF-8");
        let named = |text: String| text.replace(self.file().to_str().expect("UTF-8"), "FILE");
        (code, named(stdout), named(stderr))
    }

    /// The output of `chinwag config`.
    #[track_caller]
    fn listing(&self, args: &[&str], variables: &[(&str, &str)]) -> String {
        let (code, stdout, stderr) = self.run("config", args, variables);
        assert_eq!((code, stderr.as_str()), (0, ""));
        stdout
    }
}

/// The assignments of a listing, each with its origin.
fn rows(listing: &str) -> Vec<(&str, &str)> {
    let rows = listing.lines().filter_map(|row| row.split_once("  # "));
    rows.map(|(assignment, origin)| (assignment.trim_end(), origin)).collect()
}

/// The keys of a listing.
fn keys(listing: &str) -> Vec<&str> {
    let assignments = listing.lines().filter(|row| row.contains("  # "));
    assignments.filter_map(|row| row.trim_start_matches("# ").split(' ').next()).collect()
}

#[test]
fn each_effective_value_is_listed_with_where_it_came_from_in_the_order_of_the_help() {
    let user =
        User::with_config("# mine\nname = 'P1'\nport = 9\nstatic-peer = ['127.0.0.1:1']\nquiet = true\n");
    let variables = [("CHINWAG_PORT", "8"), ("CHINWAG_CONNECT_TIMEOUT", "2.5")];
    let listing = user.listing(&["--quiet=false", "--peers-max", "7"], &variables);
    assert!(listing.starts_with("# The config file is FILE.\n"), "{listing}");
    let rows = rows(&listing);
    for row in [
        ("name = \"P1\"", "file FILE:2"),
        ("port = 8", "environment CHINWAG_PORT"),
        (
            "# ip =",
            "not set: Your IP address as messages show it [default: the local address of each connection]",
        ),
        ("bind = \"::\"", "default"),
        ("static-peer = [\"127.0.0.1:1\"]", "file FILE:4"),
        ("quiet = false", "flag"),
        ("connect-timeout = 2.5", "environment CHINWAG_CONNECT_TIMEOUT"),
        ("peers-max = 7", "flag"),
    ] {
        assert!(rows.contains(&row), "{row:?}: {listing}");
    }
    let (_, help, _) = user.run("help", &[], &[]);
    let flags = help.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
    let flags = flags.map(|flag| flag.split([' ', '[']).next().unwrap()).filter(|flag| *flag != "config");
    assert_eq!(keys(&listing), flags.collect::<Vec<_>>());
}

#[test]
fn a_listing_is_a_config_file_that_says_the_same() {
    let user = User::new();
    let first = user.listing(&["--name", "a\"\u{1b}[2J", "--greet", "--static-peer", "[::1]:1"], &[]);
    assert!(first.starts_with("# The config file is FILE, which does not exist.\n"), "{first}");
    assert!(!first.contains('\u{1b}'));
    let again = User::with_config(&first).listing(&[], &[]);
    let assignments =
        |listing| rows(listing).into_iter().map(|(assignment, _)| assignment).collect::<Vec<_>>();
    assert_eq!(assignments(&again), assignments(&first));
    assert!(
        rows(&again).iter().all(|(_, origin)| origin.starts_with("file ") || origin.starts_with("not set"))
    );
}

#[test]
fn the_chat_is_set_by_its_file_and_its_environment() {
    let user = User::with_config("headless = true\nname = 'P1'\nport = 0\nstatic-peer = '127.0.0.1:1'\n");
    for (variables, is_headless) in [(&[][..], true), (&[("CHINWAG_HEADLESS", "no")], false)] {
        let mut chat = command(&[]);
        chat.env("XDG_CONFIG_HOME", user.home.path()).envs(variables.iter().copied());
        let mut program = Program::spawn(&mut chat).listening();
        if !is_headless {
            program.stdout.expect("***** Menu *****");
        }
        program.signal(Signal::TERM);
        assert_eq!(program.wait(), 0);
    }
}

#[test]
fn another_file_can_be_named_and_must_be_there() {
    let (user, other) = (User::with_config("name = 'P1'"), User::with_config("name = 'P2'"));
    let path = other.file().to_str().expect("UTF-8").to_owned();
    let ways = [(&["--config", &*path][..], &[][..]), (&[], &[("CHINWAG_CONFIG", &*path)])];
    for (args, variables) in ways {
        let listing = user.listing(args, variables);
        assert!(listing.contains("\nname = \"P2\" "), "{listing}");
    }
    fs::remove_file(other.file()).expect("a file");
    for (args, variables) in ways {
        let told = user.run("config", args, variables);
        assert_eq!(told, (2, String::new(), format!("error: {path}: there is no such config file\n")));
    }
}

#[test]
fn every_wrong_setting_is_one_sentence_on_stderr_and_exit_code_2() {
    for (text, sentence) in [
        ("\n\nnam = 1", "FILE:3: unknown key 'nam'; did you mean 'name'?"),
        ("greet = 1", "FILE:1: 'greet' takes true or false, not a number"),
        (
            "connect-timeout = 0",
            "FILE:1: invalid value '0' for 'connect-timeout': type a number of seconds from 0.001 to 3600",
        ),
        ("name = 'P1'\nheadless = true", "FILE:2: 'headless' needs 'port'"),
        (
            "name = '\u{1b}[2J'",
            "FILE:1:9: invalid literal string, expected non-single-quote visible characters",
        ),
    ] {
        let user = User::with_config(text);
        assert_eq!(user.run("config", &[], &[]), (2, String::new(), format!("error: {sentence}\n")));
    }
    let user = User::new();
    for (name, value, sentence) in [
        (
            "CHINWAG_PEERS_MAX",
            "0",
            "CHINWAG_PEERS_MAX: invalid value '0' for 'peers-max': type a whole number above 0",
        ),
        (
            "CHINWAG_PEER_MAX",
            "1",
            "CHINWAG_PEER_MAX: there is no such setting; did you mean 'CHINWAG_PEERS_MAX'?",
        ),
        ("CHINWAG_CONFIG", "/", "/: the config file cannot be read: Is a directory"),
    ] {
        let told = user.run("config", &[], &[(name, value)]);
        assert_eq!(told, (2, String::new(), format!("error: {sentence}\n")));
    }
}

#[test]
fn a_file_that_is_not_text_or_too_long_is_refused_as_config_file() {
    let user = User::with_config("");
    for (bytes, sentence) in [
        (&b"name = '\xff'"[..], "FILE: the config file is not UTF-8 text"),
        (&[b'#'; (1 << 20) + 1], "FILE: the config file cannot be read: file too large"),
    ] {
        fs::write(user.file(), bytes).expect("a file");
        assert_eq!(user.run("config", &[], &[]), (2, String::new(), format!("error: {sentence}\n")));
    }
}
