//! Texts that are held until their peer is back.

use crate::common::PATIENCE;
use crate::common::peer::{Peer, session};
use crate::common::program::Program;
use crate::pty::{Terminal, unwrapped};
use rustix::process::Signal;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The time after which a line can be an answer to the question.
const READ: Duration = Duration::from_millis(400);

fn home() -> TempDir {
    TempDir::new().expect("a directory for files")
}

fn file(home: &TempDir) -> PathBuf {
    home.path().join(".local/share/chinwag/held.toml")
}

/// Waits until the text of a file is as it should be.
#[track_caller]
fn await_file(path: &Path, is_right: impl Fn(&str) -> bool) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if is_right(&text) {
            return text;
        }
        assert!(Instant::now() < until, "not what was expected in {}:\n{text}", path.display());
        std::thread::yield_now();
    }
}

fn is_empty(text: &str) -> bool {
    !text.is_empty() && !text.contains("[[text]]")
}

/// An address at which nobody listens now.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port")
}

/// Another chinwag at an address.
fn other(address: SocketAddr) -> Program {
    let port = address.port().to_string();
    let other = Program::start(&["--json", "--name", "P2", "--port", &port]);
    other.stdout.expect("\"listening\"");
    other
}

/// The other one connects.
fn connect(other: &mut Program, to: SocketAddr) {
    other.type_line(format!("{{\"command\":\"connect\",\"to\":\"{to}\"}}"));
}

#[test]
fn a_held_text_arrives_once_when_its_peer_is_back_and_leaves_the_file() {
    let (home, address) = (home(), free_address());
    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    terminal.type_keys(&format!("/later {address} hello again\r"));
    terminal.screen.expect(&format!("Held until {address} is back: hello again"));
    await_file(&file(&home), |text| text.contains("text = \"hello again\"") && !text.contains("sent_at ="));
    terminal.type_keys("0\r");
    assert_eq!(terminal.wait(), 0);

    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    terminal.type_keys("/held\r");
    terminal.screen.expect(&format!("{address} (just now): hello again"));
    let mut other = other(address);
    connect(&mut other, terminal.address());
    other.stdout.expect("\"text\":\"hello again\"");
    terminal.screen.expect("has read what was held for it: hello again");
    await_file(&file(&home), is_empty);
    // What comes behind it shows that it did not come twice.
    terminal.type_keys("/msg P2 the end\r");
    let between = other.stdout.expect("the end");
    assert!(!between.contains("hello again"), "{between}");
    terminal.type_keys("/held\r");
    terminal.screen.expect("Nothing is held for later.");
}

#[test]
fn a_text_that_cannot_be_sent_is_held_if_the_user_wants_it_at_the_menu_and_in_a_conversation() {
    let (home, address) = (home(), free_address());
    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    terminal.type_keys(&format!("1\r{address}\rfirst\r"));
    terminal.screen.expect(&format!("Keep it until {address} is back? y/n "));
    std::thread::sleep(READ);
    terminal.type_keys("y\r");
    terminal.screen.expect("is back: first");
    terminal.screen.expect("Enter choice: ");
    terminal.type_keys(&format!("/to {address}\rsecond\r"));
    terminal.screen.expect("Keep it until");
    std::thread::sleep(READ);
    // It is no answer, so it is said like any other line.
    terminal.type_keys("third\r");
    terminal.screen.expect("Keep 2 messages until");
    std::thread::sleep(READ);
    terminal.type_keys("y\r");
    terminal.screen.expect("is back: 2 messages");
    terminal.expect_rows(&[&format!("→ {address}: ▏")]);
    let text = await_file(&file(&home), |text| text.contains("third"));
    let places = ["first", "second", "third"].map(|word| text.find(word).expect("it is held"));
    assert!(places.is_sorted(), "{text}");
    let mut other = other(address);
    connect(&mut other, terminal.address());
    for word in ["first", "second", "third"] {
        other.stdout.expect(&format!("\"text\":\"{word}\""));
    }
    await_file(&file(&home), is_empty);
}

#[test]
fn after_a_kill_before_the_answer_the_user_is_asked_and_nothing_is_sent_twice() {
    let (home, peer) = (home(), Peer::new());
    let address = peer.address();
    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    terminal.type_keys(&format!("/later {address} precious\r"));
    terminal.screen.expect("Held until");
    // Another chinwag that reads, and does not answer.
    let mut wire = session(terminal.address(), address, "P2");
    wire.write("!chinwag/1\n");
    while !wire.read_line().ends_with("P1 precious\n") {}
    terminal.signal(Signal::KILL);
    terminal.wait_for_end();
    assert!(fs::read_to_string(file(&home)).unwrap().contains("sent_at ="));

    let mut terminal = Terminal::asking_at(home.path(), &["--name", "P1"]);
    terminal.screen.expect("It may have arrived. Send it again to ");
    std::thread::sleep(READ);
    terminal.type_keys("n\r");
    await_file(&file(&home), is_empty);
    terminal.screen.expect("Enter choice: ");
}

#[test]
fn a_torn_file_is_renamed_with_a_sentence_and_texts_are_held_all_the_same() {
    let home = home();
    let file = file(&home);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "[[text]]\nid = \"0123456789abc").unwrap();
    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    let aside = file.with_extension("toml.corrupt");
    terminal.screen.expect_that("the sentence", |text| {
        let text = unwrapped(text);
        text.contains("The texts held for later in") && text.contains("the file was renamed to")
    });
    assert!(aside.exists());
    terminal.type_keys("/later 127.0.0.1:9 hello\r");
    await_file(&file, |text| text.contains("text = \"hello\""));
}

#[test]
fn two_programs_at_once_hold_what_each_was_told_and_one_of_them_sends_it() {
    let (home, address) = (home(), free_address());
    let mut terminals = ["P1", "P3"].map(|name| Terminal::node_at(home.path(), &["--name", name]));
    for (terminal, text) in terminals.iter_mut().zip(["one", "two"]) {
        terminal.type_keys(&format!("/later {address} {text}\r"));
        terminal.screen.expect("Held until");
    }
    await_file(&file(&home), |text| text.contains("\"one\"") && text.contains("\"two\""));
    let mut other = other(address);
    for terminal in &terminals {
        connect(&mut other, terminal.address());
    }
    await_file(&file(&home), is_empty);
    terminals.iter_mut().for_each(|terminal| {
        terminal.type_keys(&format!("/msg {address} the end\r"));
    });
    let mut said = other.stdout.expect("the end");
    said += &other.stdout.expect("the end");
    for text in ["one", "two"] {
        assert_eq!(said.matches(&format!("\"text\":\"{text}\"")).count(), 1, "{said}");
    }
}

#[test]
fn where_nothing_can_be_written_a_text_is_held_for_this_run_and_that_is_told() {
    let address = free_address();
    // Nobody can make a directory there, not even root.
    let mut terminal =
        Terminal::node_at(Path::new("/proc"), &["--name", "P1", "--no-known-peers", "--no-history"]);
    terminal.type_keys(&format!("/later {address} hello\r"));
    terminal.screen.expect_that("the sentence", |text| {
        unwrapped(text).contains("The texts held for later cannot be written to")
    });
    let mut other = other(address);
    connect(&mut other, terminal.address());
    other.stdout.expect("\"text\":\"hello\"");
}

#[test]
fn a_program_holds_texts_in_the_file_that_it_names_and_else_for_its_run() {
    let (home, address) = (home(), free_address());
    let held = home.path().join("mine.toml");
    for (flags, outcome) in [(&["--held", held.to_str().unwrap()][..], "held"), (&[], "held-for-this-run")] {
        let flags = [&["--json", "--name", "bot", "--port", "0"], flags].concat();
        let mut bot = Program::start(&flags);
        bot.stdout.expect("\"listening\"");
        bot.type_line(format!("{{\"command\":\"later\",\"to\":\"{address}\",\"text\":\"hi\",\"id\":7}}"));
        let told = bot.stdout.expect("\"sentence\"");
        assert!(told.contains("\"id\":7,\"event\":\"later\""), "{told}");
        assert!(told.contains(&format!("\"outcome\":\"{outcome}\"")), "{told}");
        bot.type_line("{\"command\":\"held\"}");
        bot.stdout.expect("\"state\":\"waiting\"");
        bot.type_line("{\"command\":\"quit\"}");
        assert_eq!(bot.wait(), 0);
    }
    assert_eq!(fs::read_to_string(&held).unwrap().matches("[[text]]").count(), 1);
}
