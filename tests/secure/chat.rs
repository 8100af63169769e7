//! The real program as a bot: it writes events, and takes commands.

use crate::common::program::Program;
use serde_json::{Value, json};
use std::path::Path;

/// The words of `standing` that say that a key stands behind a line.
pub(crate) const PROVED: [&str; 2] = ["pinned", "verified"];

/// The words of `standing` that say that nothing but the socket stands behind a line.
pub(crate) const CLAIMED: [&str; 2] = ["claimed", "at-home"];

/// How often a connect is tried: the other side has one second for its answer, and the machine may be loaded.
const CONNECTS_MAX: usize = 10;

/// A running program, and the events that it has written.
pub(crate) struct Chat {
    pub(crate) program: Program,
    events: Vec<Value>,
    /// So many commands had an id.
    asked: usize,
}

/// The arguments by which a program keeps its key and its known peers in this directory.
pub(crate) fn files(home: &Path) -> Vec<String> {
    let path = |name: &str| home.join(name).to_str().expect("a path in UTF-8").to_owned();
    vec!["--identity".to_owned(), path("identity"), "--known-peers".to_owned(), path("peers.toml")]
}

impl Chat {
    /// Starts a program, and waits until it listens.
    #[track_caller]
    pub(crate) fn start(name: &str, args: &[&str]) -> Self {
        let program = Program::start(&[&["--json", "--name", name], args].concat());
        let mut chat = Self { program, events: Vec::new(), asked: 0 };
        chat.expect("listening", |_| true);
        chat
    }

    /// The same on any free port, with its files in `home`.
    #[track_caller]
    pub(crate) fn at_home(name: &str, home: &Path, args: &[&str]) -> Self {
        let files = files(home);
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        Self::start(name, &[&["--port", "0"], &files[..], args].concat())
    }

    pub(crate) fn port(&self) -> u64 {
        self.events[0]["port"].as_u64().expect("the first event names the port")
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    /// Writes a command; gives its id.
    pub(crate) fn ask(&mut self, mut command: Value) -> Value {
        self.asked += 1;
        command["id"] = self.asked.into();
        self.program.type_line(&command);
        self.asked.into()
    }

    /// Writes a command, and waits for one of these events as its answer.
    #[track_caller]
    pub(crate) fn ask_until(&mut self, command: Value, kinds: &[&str]) -> Value {
        let id = self.ask(command);
        let is_answer = |event: &Value| event["id"] == id && kinds.iter().any(|&kind| event["event"] == kind);
        self.await_that(&format!("one of {kinds:?}"), is_answer)
    }

    /// Says a text; gives the first event that tells what became of it.
    #[track_caller]
    pub(crate) fn say(&mut self, to: &str, text: &str) -> Value {
        let command = json!({"command": "send", "to": to, "text": text});
        self.ask_until(command, &["sent", "not-sent", "unconfirmed", "error"])
    }

    /// Connects; gives what came of it.
    #[track_caller]
    pub(crate) fn connect(&mut self, to: &str) -> String {
        let outcomes = ["accepted", "connect-sent", "already-connected", "not-connected", "blocked", "error"];
        let event = self.ask_until(json!({"command": "connect", "to": to}), &outcomes);
        event["event"].as_str().unwrap_or_default().to_owned()
    }

    /// Connects until the other side answers.
    #[track_caller]
    pub(crate) fn connect_until_accepted(&mut self, to: &str) {
        let is_accepted = |outcome: &str| ["accepted", "already-connected"].contains(&outcome);
        assert!((0..CONNECTS_MAX).any(|_| is_accepted(&self.connect(to))), "{:#?}", self.events);
    }

    /// Waits until the program has looked at all that came before.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        self.ask_until(json!({"command": "me"}), &["me"]);
    }

    /// Waits for an event of this kind, which may have come already.
    #[track_caller]
    pub(crate) fn expect(&mut self, kind: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.await_that(kind, |event| event["event"] == kind && is_so(event))
    }

    /// Waits for the message with this text.
    #[track_caller]
    pub(crate) fn expect_message(&mut self, text: &str) -> Value {
        self.expect("message", |event| event["text"] == text)
    }

    #[track_caller]
    fn await_that(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        if let Some(event) = self.events.iter().find(|event| is_so(event)) {
            return event.clone();
        }
        loop {
            let line = self.program.stdout.expect_one_of(&["\n"]);
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{what}: {line}"));
            self.events.push(event.clone());
            if is_so(&event) {
                return event;
            }
        }
    }

    /// Ends the program in good order; gives all that it told.
    #[track_caller]
    pub(crate) fn quit(mut self) -> Told {
        self.program.type_line(json!({"command": "quit"}));
        self.program.wait();
        let rest = self.program.stdout.rest();
        let rest = rest.lines().map(|line| serde_json::from_str(line).expect("an event"));
        self.events.extend(rest);
        Told(std::mem::take(&mut self.events))
    }
}

/// A failing test shows what the program said.
impl Drop for Chat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let stderr = self.program.stderr.bytes();
            eprintln!("{}{:#?}", String::from_utf8_lossy(&stderr), self.events);
        }
    }
}

/// All events of one life of a program.
#[derive(Debug)]
pub(crate) struct Told(pub(crate) Vec<Value>);

impl Told {
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |event| event["event"] == kind)
    }

    /// The words that say why something failed.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|event| event["reason"].as_str())
    }

    /// The texts that were shown with one of these standings.
    pub(crate) fn texts(&self, standings: &[&str]) -> Vec<&str> {
        let is_so = |event: &&Value| standings.iter().any(|&standing| event["standing"] == standing);
        self.of_kind("message").filter(is_so).filter_map(|event| event["text"].as_str()).collect()
    }
}
