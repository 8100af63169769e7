//! The files that last from run to run: known peers and typed lines.

use crate::common::PATIENCE;
use crate::common::peer::{Peer, say, session};
use crate::common::program::{Program, command};
use crate::pty::{Terminal, unwrapped};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::TempDir;

const UP: &str = "\x1b[A";

fn home() -> TempDir {
    TempDir::new().expect("a directory for files")
}

fn known_peers(home: &TempDir) -> PathBuf {
    home.path().join(".local/share/chinwag/peers.toml")
}

fn history(home: &TempDir) -> PathBuf {
    home.path().join(".local/state/chinwag/history")
}

/// Waits until a file has these words; returns its text.
#[track_caller]
fn await_words(path: &Path, words: &[&str]) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if words.iter().all(|word| text.contains(word)) {
            return text;
        }
        assert!(Instant::now() < until, "{words:?} did not come into {}:\n{text}", path.display());
        std::thread::yield_now();
    }
}

/// Quits as a person does.
#[track_caller]
fn quit(terminal: &mut Terminal) {
    terminal.type_keys("0\r");
    assert_eq!(terminal.wait(), 0);
}

#[test]
fn a_restarted_program_knows_its_peers_and_contacts_none() {
    let (home, peer) = (home(), Peer::new());
    let address = peer.address();
    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    say(terminal.address(), format!("{address} P2 hello"));
    terminal.screen.expect("): hello");
    terminal.type_keys("/alias P2 anna\r");
    terminal.screen.expect("is now shown as anna");
    terminal.type_keys("0\r");
    peer.take();
    assert_eq!(terminal.wait(), 0);
    let mode = fs::metadata(known_peers(&home)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    terminal.type_keys("/peers\r");
    let row = format!("1. {address} anna (calls itself P2, heard just now)");
    terminal.expect_rows(&["No connected peers", "Known from before:", &row, "Enter choice: ▏"]);
    for (line, nobody) in [("/connect all\r", "no active peers"), ("/all hello\r", "No peers yet")] {
        terminal.type_keys(line);
        terminal.screen.expect(nobody);
    }
    terminal.type_keys("1\ran\t");
    terminal.expect_rows(&["Enter the recipient's IP address: anna▏"]);
    terminal.type_keys("\x15\r");
    quit(&mut terminal);
    assert!(!peer.is_dialled());

    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    terminal.type_keys("/msg anna hi\r");
    assert_eq!(peer.take(), format!("{} P1 hi", terminal.address()));
}

#[test]
fn what_the_user_said_of_peers_survives_a_kill() {
    let home = home();
    let (peer, file) = ("127.0.0.1:9", known_peers(&home));
    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    terminal.type_keys(&format!("/alias {peer} anna\r/block {peer}\r/dialect 127.0.0.1:7 netech\r"));
    await_words(&file, &["alias = \"anna\"", "blocked = true", "dialect = \"netech\""]);
    terminal.signal(Signal::KILL);
    terminal.wait();
    fs::write(file.with_extension("toml.new"), "half of a fi").unwrap();
    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    say(terminal.address(), format!("{peer} P9 can you hear me"));
    terminal.type_keys("/msg anna hi\r");
    terminal.screen.expect("You have blocked 127.0.0.1:9; type /unblock 127.0.0.1:9 first. Not sent: hi");
    terminal.type_keys("/unblock anna\r");
    terminal.screen.expect("anna (127.0.0.1:9) is no longer blocked");
    say(terminal.address(), format!("{peer} P9 and now"));
    assert!(!terminal.screen.expect("anna (127.0.0.1:9): and now").contains("can you hear me"));
}

#[test]
fn two_programs_at_once_keep_each_others_entries() {
    let home = home();
    let mut terminals = ["P1", "P2"].map(|name| Terminal::node_at(home.path(), &["--name", name]));
    terminals[0].type_keys("/alias 127.0.0.1:1 anna\r");
    await_words(&known_peers(&home), &["anna"]);
    terminals[1].type_keys("/alias 127.0.0.1:2 bob\r/block 127.0.0.1:1\r");
    await_words(&known_peers(&home), &["anna", "bob", "blocked"]);
    terminals[0].type_keys("/alias 127.0.0.1:3 carl\r");
    terminals.iter_mut().for_each(quit);
    await_words(&known_peers(&home), &["anna", "bob", "blocked", "carl"]);
}

#[test]
fn a_corrupt_file_is_renamed_with_a_sentence_and_the_chat_goes_on() {
    for flags in [&["--name", "P1"][..], &["--name", "P1", "--plain"]] {
        let home = home();
        let file = known_peers(&home);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "[[peer]]\naddress = \"127.0.0.1:9\"\nblocked = maybe\n").unwrap();
        let mut terminal = Terminal::node_at(home.path(), flags);
        let aside = file.with_extension("toml.corrupt");
        terminal.screen.expect_that("the sentence", |text| {
            let text = unwrapped(text);
            text.contains("cannot be understood (line 3: ")
                && text.contains(&format!("the file was renamed to {}", aside.display()))
        });
        assert!(aside.exists() && !file.exists());
        terminal.type_keys("/block 127.0.0.1:9\r");
        await_words(&file, &["blocked = true"]);
        quit(&mut terminal);
    }
}

#[test]
fn typed_lines_come_back_after_a_kill_unless_that_is_not_wanted() {
    let (home, peer) = (home(), Peer::new());
    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    terminal.type_keys(&format!("1\r{}\rhello you\r", peer.address()));
    peer.take();
    await_words(&history(&home), &["text\thello you\n"]);
    terminal.signal(Signal::KILL);
    terminal.wait();

    for (flags, recalled) in [(&["--name", "P1"][..], "hello you"), (&["--name", "P1", "--no-history"], "")] {
        let before = fs::read(history(&home)).unwrap();
        let mut terminal = Terminal::node_at(home.path(), flags);
        terminal.type_keys(&format!("1\r{}\r{UP}", peer.address()));
        terminal.expect_rows(&[&format!("Enter your message: {recalled}▏")]);
        terminal.type_keys("\x15\r");
        quit(&mut terminal);
        assert_eq!(fs::read(history(&home)).unwrap() == before, recalled.is_empty());
    }
    let mode = fs::metadata(history(&home)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

const TYPED_UNWRITTEN: &str = "The typed lines cannot be written to";
const PEERS_UNWRITTEN: &str = "The known peers cannot be written to";

#[test]
fn a_file_that_cannot_be_written_is_reported_once_and_the_row_stays_whole() {
    // Nobody can make a directory there, not even root.
    let mut terminal = Terminal::node_at(Path::new("/proc"), &["--name", "P1"]);
    terminal.type_keys("/alias 127.0.0.1:9 anna\r/block anna\r");
    // The files are looked at between turns, so these may come in any order.
    let parts = ["anna (127.0.0.1:9) is blocked: ", TYPED_UNWRITTEN, PEERS_UNWRITTEN];
    terminal.screen.expect_that("both reports", |shown| parts.iter().all(|part| shown.contains(part)));
    terminal.type_keys("half a li");
    terminal.expect_rows(&["Enter choice: half a li▏"]);
    let text = String::from_utf8(terminal.screen.bytes()).unwrap();
    assert_eq!(text.matches(TYPED_UNWRITTEN).count(), 1);
    assert_eq!(text.matches(PEERS_UNWRITTEN).count(), 1);
    terminal.type_keys("\x15");
    quit(&mut terminal);
}

#[test]
fn a_pipe_or_a_flag_means_no_file_and_a_named_file_is_used_in_any_mode() {
    let home = home();
    let none = ["--name", "P1", "--no-known-peers", "--no-history", "--no-identity"];
    let mut terminal = Terminal::node_at(home.path(), &none);
    terminal.type_keys("/block 127.0.0.1:9\r");
    terminal.screen.expect("is blocked: ");
    quit(&mut terminal);
    let mut piped = command(&["--name", "P1", "--port", "0"]);
    let mut piped = Program::spawn(piped.env("HOME", home.path())).listening();
    piped.type_line("/block 127.0.0.1:9");
    piped.stdout.expect("is blocked: ");
    piped.type_line(0);
    assert_eq!(piped.wait(), 0);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);

    let file = home.path().join("mine.toml");
    let peer = Peer::new();
    let flags = ["--headless", "--known-peers", file.to_str().unwrap()];
    let mut headless = Program::node_with("P1", &flags);
    let wire = session(headless.address(), peer.address(), "P2");
    await_words(&file, &["name = \"P2\"", "last_heard = "]);
    headless.signal(Signal::TERM);
    assert_eq!(headless.wait(), 0);
    drop(wire);
    let flags = ["--json", "--name", "P1", "--port", "0", "--known-peers", file.to_str().unwrap()];
    let mut bot = Program::start(&flags);
    bot.stdout.expect("\"listening\"");
    bot.type_line("{\"command\":\"peers\"}");
    bot.stdout
        .expect(&format!("\"known\":[{{\"number\":1,\"address\":\"{}\",\"name\":\"P2\"", peer.address()));
}
