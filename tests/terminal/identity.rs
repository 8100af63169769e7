//! The key by which others recognise the program: its file, and the flags about it.

use crate::common::peer::Peer;
use crate::common::program::{Program, command, subcommand};
use crate::pty::{NO_IDENTITY, Terminal, unwrapped};
use chinwag::proto::secure::Identity;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;

/// A file with a key that everybody knows.
const KEY: &str = "# mine\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\n";

fn home() -> TempDir {
    TempDir::new().expect("a directory for files")
}

fn usual(home: &TempDir) -> PathBuf {
    home.path().join(".local/share/chinwag/identity")
}

/// A file with this text, for this user alone.
fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    set_mode(path, 0o600);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn quit(terminal: &mut Terminal) {
    terminal.type_keys("0\r");
    assert_eq!(terminal.wait(), 0);
}

/// Runs a chat that reads no terminal to its end; returns its exit code, and what it wrote to stdout and stderr.
fn piped(home: &Path, args: &[&str]) -> (i32, String, String) {
    let args = [&["--name", "P1", "--port", "0"], args].concat();
    finished(Program::spawn(command(&args).env("HOME", home)))
}

fn finished(mut program: Program) -> (i32, String, String) {
    program.close_stdin();
    let stdout = program.stdout.rest();
    let code = program.wait();
    (code, stdout, String::from_utf8(program.stderr.bytes()).unwrap())
}

#[test]
fn the_key_is_made_at_the_first_start_and_is_the_same_ever_after() {
    let home = home();
    quit(&mut Terminal::keyed_at(home.path(), &["--name", "P1"]));
    let made = fs::read_to_string(usual(&home)).unwrap();
    assert_eq!((mode(&usual(&home)), made.lines().count()), (0o600, 2));
    for flags in
        [&["--name", "P1"][..], &["--name", "P1", "--plain"], &["--name", "P1", "--secure", "require"]]
    {
        quit(&mut Terminal::keyed_at(home.path(), flags));
        assert_eq!(fs::read_to_string(usual(&home)).unwrap(), made, "{flags:?}");
    }
}

#[test]
fn several_programs_that_start_at_once_have_one_key() {
    let home = home();
    let at_home =
        ["env".into(), "-u".into(), NO_IDENTITY.into(), format!("HOME={}", home.path().display()).into()];
    let words = ["--name", "P1", "--port", "0", "--static-peer", "127.0.0.1:1"].map(OsString::from);
    let words = [&at_home[..], &[env!("CARGO_BIN_EXE_chinwag").into()], &words].concat();
    let mut terminals = [(); 4].map(|()| Terminal::run(&words));
    for terminal in &terminals {
        terminal.screen.expect("Enter choice: ");
    }
    let made = fs::read_to_string(usual(&home)).unwrap();
    for terminal in &mut terminals {
        quit(terminal);
        let shown = String::from_utf8(terminal.screen.bytes()).unwrap();
        assert!(!unwrapped(&shown).contains("nothing is encrypted"), "{shown}");
    }
    assert_eq!(fs::read_to_string(usual(&home)).unwrap(), made);
    assert!(!usual(&home).with_file_name("identity.new").exists());
}

#[test]
fn a_file_that_cannot_be_used_is_told_and_left_alone_and_the_chat_goes_on() {
    type Spoil = fn(&Path);
    let table: [(Spoil, &str); 5] = [
        (
            |file| set_mode(file, 0o644),
            "can be read or changed by others, so nothing is encrypted; set its mode",
        ),
        (
            |file| fs::write(file, "").unwrap(),
            "has no key in it, so nothing is encrypted; put back what was there",
        ),
        (|file| fs::write(file, &KEY[..40]).unwrap(), "has no key in it, so nothing is encrypted"),
        (|file| fs::write(file, "[[peer]]\n").unwrap(), "has no key in it, so nothing is encrypted"),
        (
            |file| {
                fs::remove_file(file).unwrap();
                fs::create_dir(file).unwrap();
            },
            "cannot be read (is a directory), so nothing is encrypted; make it a file that you can read",
        ),
    ];
    for (spoil, words) in table {
        let home = home();
        let file = usual(&home);
        write(&file, KEY);
        spoil(&file);
        let (mode_before, before) = (mode(&file), fs::read(&file).ok());
        let mut terminal = Terminal::keyed_at(home.path(), &["--name", "P1"]);
        terminal.screen.expect_that(words, |shown| unwrapped(shown).contains(words));
        quit(&mut terminal);
        assert_eq!((mode(&file), fs::read(&file).ok()), (mode_before, before), "{words}");
        let shown = String::from_utf8(terminal.screen.bytes()).unwrap();
        assert_eq!(unwrapped(&shown).matches("so nothing is encrypted").count(), 1, "{words}");
        assert!(!shown.contains("BwcHBw"), "{shown}");
    }
    // Nobody can make a directory there, not even root.
    let mut terminal = Terminal::keyed_at(Path::new("/proc"), &["--name", "P1"]);
    let words = "A new key cannot be written to /proc/.local/share/chinwag/identity";
    terminal.screen.expect_that(words, |shown| unwrapped(shown).contains(words));
    quit(&mut terminal);
}

#[test]
fn no_terminal_and_a_flag_mean_no_key_and_a_named_file_is_used_in_any_mode() {
    let home = home();
    let nothing = |home: &TempDir| fs::read_dir(home.path()).unwrap().count() == 0;
    for flags in [&[][..], &["--json"], &["--secure", "never"]] {
        assert_eq!(piped(home.path(), flags).0, 0);
        assert!(nothing(&home), "{flags:?}");
    }
    for flag in [&["--no-identity"][..], &["--secure", "never"]] {
        let flags = [&["--name", "P1", "--no-known-peers", "--no-history"], flag].concat();
        quit(&mut Terminal::keyed_at(home.path(), &flags));
        assert!(nothing(&home), "{flag:?}");
    }

    let file = home.path().join("my.key");
    let named = file.to_str().unwrap();
    for flags in [
        &["--identity", named][..],
        &["--json", "--identity", named],
        &["--identity", named, "--secure", "require"],
    ] {
        assert_eq!(piped(home.path(), flags).0, 0);
        assert_eq!(mode(&file), 0o600, "{flags:?}");
        fs::remove_file(&file).unwrap();
    }
    write(&file, KEY);
    set_mode(&file, 0o640);
    let (code, stdout, _) = piped(home.path(), &["--identity", named]);
    let sentence = format!("The key in {named} can be read or changed by others, so nothing is encrypted; ");
    assert!(code == 0 && stdout.contains(&sentence), "{stdout}");
    let (code, stdout, _) = piped(home.path(), &["--json", "--identity", named]);
    assert!(code == 0 && stdout.contains(r#""event":"file-fault","#), "{stdout}");
    assert!(stdout.contains(r#""reason":"exposed","#), "{stdout}");
    let mut other = command(&["--name", "P1", "--port", "0"]);
    let other = other.env("HOME", home.path()).env("CHINWAG_IDENTITY", named);
    assert!(finished(Program::spawn(other)).1.contains(&sentence));
}

#[test]
fn whoever_requires_encryption_and_has_no_key_is_told_so_with_exit_code_2() {
    let home = home();
    let file = home.path().join("my.key");
    write(&file, "torn");
    let named = file.to_str().unwrap();
    let without = "error: '--secure require' sends nothing without a key";
    let table: [(&[&str], &str); 4] = [
        (&[], "; name its file with '--identity <FILE>'"),
        (&["--no-identity"], "; leave out '--no-identity'"),
        (&["--identity", named], " has no key in it, so nothing is encrypted; "),
        (&["--identity", "/proc/chinwag/my.key"], " cannot be written to /proc/chinwag/my.key ("),
    ];
    let peer = Peer::new();
    let address = peer.address().to_string();
    for (flags, words) in table {
        let flags = [&["--secure", "require"], flags].concat();
        let to_peer = [&flags[..], &[&address]].concat();
        let with = |name: &str, args: &[&str]| finished(Program::spawn(&mut subcommand(name, args)));
        for (code, stdout, stderr) in [
            piped(home.path(), &flags),
            with("send", &[&to_peer[..], &["hello"]].concat()),
            with("diagnose", &to_peer),
        ] {
            assert_eq!((code, stdout.as_str()), (2, ""), "{flags:?}");
            assert!(stderr.starts_with(without) && stderr.contains(words), "{stderr}");
        }
    }
    assert!(!peer.is_dialled());
    assert_eq!(fs::read_to_string(&file).unwrap(), "torn");
}

#[test]
fn send_uses_a_named_key_and_goes_on_without_one_that_cannot_be_used() {
    let home = home();
    let file = home.path().join("my.key");
    let peer = Peer::new();
    let to = peer.address().to_string();
    let args = ["--name", "P1", "--port", "9", "--identity", file.to_str().unwrap(), &to, "hello"];
    for (expected, words) in [(0o600, ""), (0o604, "can be read or changed by others")] {
        let sender = Program::spawn(subcommand("send", &args).env("HOME", home.path()));
        assert_eq!(peer.take(), "127.0.0.1:9 P1 hello");
        let (code, stdout, stderr) = finished(sender);
        assert_eq!((code, stdout.as_str()), (0, ""));
        assert!(stderr.contains(words), "{stderr}");
        assert_eq!(mode(&file), expected);
        set_mode(&file, 0o604);
    }
    let sender =
        Program::spawn(subcommand("send", &[&to, "hello"]).env("HOME", home.path()).stdin(Stdio::null()));
    assert!(peer.take().ends_with("hello"));
    assert_eq!(finished(sender).0, 0);
    assert!(!home.path().join(".local").exists());
}

/// A chat with the key that everybody knows, and its address.
fn keyed(home: &Path) -> (Program, SocketAddr) {
    let key = home.join("key");
    write(&key, KEY);
    let key = key.to_str().unwrap();
    let args = ["--json", "--name", "P1", "--port", "0", "--identity", key];
    let program = Program::spawn(command(&args).env("HOME", home));
    let event: serde_json::Value = serde_json::from_str(&program.stdout.expect("\n")).unwrap();
    let port = event["port"].as_u64().unwrap() as u16;
    (program, SocketAddr::from(([127, 0, 0, 1], port)))
}

#[test]
fn what_is_sent_to_a_peer_with_a_key_goes_to_nobody_without_it() {
    let (home, sender) = (home(), home());
    let (mut chat, to) = keyed(home.path());
    let own = sender.path().join("own");
    let own = ["--identity", own.to_str().unwrap()];
    let to_text = to.to_string();
    for (key, flags, code, word) in
        [(7, &own[..], 0, "Message sent"), (8, &own, 3, "another key"), (7, &[], 3, "no key of yours")]
    {
        let key = Identity::new([key; 32]).unwrap().key();
        let peers = sender.path().join(".local/share/chinwag/peers.toml");
        write(&peers, &format!("[[peer]]\naddress = \"{to}\"\nkey = \"{key}\"\n"));
        let args = [flags, &["--name", "S", &to_text, word]].concat();
        let sent = finished(Program::spawn(subcommand("send", &args).env("HOME", sender.path())));
        assert_eq!((sent.0, sent.1.as_str()), (code, ""), "{}", sent.2);
        assert!(sent.2.contains(word), "{}", sent.2);
    }
    chat.close_stdin();
    let told = chat.stdout.rest();
    let texts: Vec<&str> = told.lines().filter(|line| line.contains("\"event\":\"message\"")).collect();
    assert!(texts.len() == 1 && texts[0].contains("\"standing\":\"pinned\""), "{told}");
    assert_eq!(chat.wait(), 0);
}

#[test]
fn two_persons_meet_compare_their_keys_and_see_on_each_line_what_stands_behind_it() {
    let homes = [home(), home()];
    let mut bob = Terminal::keyed_at(homes[1].path(), &["--name", "bob"]);
    let mut anna = Terminal::keyed_at(homes[0].path(), &["--name", "anna"]);
    anna.type_keys(&format!("/connect {}\r", bob.address()));
    for terminal in [&anna, &bob] {
        terminal.screen.expect(" is encrypted from here on; key ");
    }
    bob.type_keys("/msg anna hello\r");
    anna.screen.expect(&format!(" + bob ({}): hello", bob.address()));
    anna.type_keys("/verify bob\r");
    bob.type_keys("/verify anna\r");
    let numbers = [&anna, &bob].map(|terminal| {
        let before = terminal.screen.expect(" see the same number? y/n: ");
        let groups: Vec<String> = before.split_whitespace().map(str::to_owned).collect();
        let is_group = |group: &String| group.len() == 5 && group.bytes().all(|byte| byte.is_ascii_digit());
        groups.windows(8).rfind(|groups| groups.iter().all(is_group)).map(<[String]>::to_vec)
    });
    assert!(numbers[0].is_some() && numbers[0] == numbers[1], "{numbers:?}");
    anna.type_keys("y\r");
    anna.screen.expect("is verified");
    bob.type_keys("n\r/msg anna again\r");
    anna.screen.expect(" * bob: again");
    quit(&mut anna);
    quit(&mut bob);
}
