//! The real program and an independent implementation of the other side.

use crate::chat::{Chat, PROVED};
use crate::common::program::Program;
use crate::common::skip;
use crate::hand::{Hand, padded, seal};
use chinwag::proto::secure::Channel;
use serde_json::Value;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Names a directory into which packages were unpacked, for tools that are not installed.
const TOOLS: &str = "REACH_TOOLS";

/// The foreign side.
struct Foreign(Program);

impl Foreign {
    /// Starts it, unless its library is missing.
    fn start(words: &[&str]) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/secure/foreign.py");
        let mut python = python("noise.connection")?;
        python.arg(script).args(words);
        python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Some(Self(Program::spawn(&mut python)))
    }

    /// Its next event, which must be of this kind.
    #[track_caller]
    fn expect(&self, kind: &str) -> Value {
        let line = self.0.stdout.expect("\n");
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        assert_eq!(event["event"], kind, "{event}; {}", String::from_utf8_lossy(&self.0.stderr.bytes()));
        event
    }

    /// Waits until it reads this line.
    #[track_caller]
    fn expect_line(&self, text: &str) {
        while self.expect("line")["text"] != text {}
    }

    fn say(&mut self, line: &str) {
        self.0.type_line(line);
    }
}

/// Python with this module: installed, or in `python` below the directory of unpacked packages.
fn python(module: &str) -> Option<Command> {
    let interpreter = || {
        let mut python = Command::new("python3");
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(tools) = std::env::var_os(TOOLS) {
            python.env("PYTHONPATH", PathBuf::from(tools).join("python"));
        }
        python
    };
    let trial = interpreter().args(["-c", &format!("import {module}")]).output();
    if trial.is_ok_and(|output| output.status.success()) {
        return Some(interpreter());
    }
    skip("python3 with noiseprotocol is not here, so no foreign side");
    None
}

/// Both sides say something.
#[track_caller]
fn talk(hand: &mut Hand, channel: &mut Channel, foreign: &mut Foreign) {
    hand.write(seal(channel, b"!ping 7\nto the foreign side\n"));
    foreign.expect_line("to the foreign side");
    assert_eq!(hand.open(channel), padded("!pong 7\n"));
    foreign.say("and back");
    assert_eq!(hand.open(channel), padded("and back\n"));
}

#[test]
fn the_foreign_side_alone_gives_the_bytes_of_an_official_vector() {
    let Some(foreign) = Foreign::start(&["vector"]) else { return };
    foreign.expect("right");
}

#[test]
fn the_parts_of_the_library_take_the_offer_of_the_foreign_side() {
    let Some(mut foreign) = Foreign::start(&["listen", "foreign"]) else { return };
    let listening = foreign.expect("listening");
    let address = listening["address"].as_str().expect("an address");
    let mut hand = Hand::dial(address);
    let connect = "127.0.0.1:1 hand connect";
    let (proof, mut channel) = hand.connect(connect);
    assert_eq!(foreign.expect("connect")["text"], connect);
    assert_eq!(proof.claim, format!("{address} foreign").into_bytes());
    let proved = foreign.expect("encrypted");
    assert_eq!(proved["key"], hand.identity.key().to_string());
    assert_eq!(proved["own"], proof.key.to_string());
    talk(&mut hand, &mut channel, &mut foreign);
}

#[test]
fn the_foreign_side_takes_an_offer_from_the_parts_of_the_library() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("a listener has an address").to_string();
    let Some(mut foreign) = Foreign::start(&["dial", &address, "foreign"]) else { return };
    let mut hand = Hand::new(listener.accept().expect("it dials").0);
    let claim = format!("{address} hand");
    let (proof, mut channel) = hand.answer(&claim);
    assert_eq!(foreign.expect("answer")["text"], hand.answer.as_str());
    let proved = foreign.expect("encrypted");
    assert_eq!(proved["claim"], claim);
    assert_eq!(proved["own"], proof.key.to_string());
    talk(&mut hand, &mut channel, &mut foreign);
}

/// What the program and the foreign side say to each other, once their session is encrypted.
fn chat(chat: &mut Chat, foreign: &mut Foreign, address: &str) {
    let proved = foreign.expect("encrypted");
    assert_eq!(proved["claim"], format!("{} P1", chat.address()));
    assert_eq!(chat.say(address, "to the foreign side")["event"], "sent");
    foreign.expect_line(&format!("{} P1 to the foreign side", chat.address()));
    chat.expect("delivered", |event| event["to"] == address);
    foreign.say(&format!("{address} foreign and back"));
    let message = chat.expect_message("and back");
    assert!(PROVED.iter().any(|&standing| message["standing"] == standing), "{message}");
}

#[test]
fn the_program_is_dialled_by_the_foreign_side_and_chats_encrypted() {
    let home = TempDir::new().expect("a directory for the files");
    let mut program = Chat::at_home("P1", home.path(), &[]);
    let Some(mut foreign) = Foreign::start(&["dial", &program.address(), "foreign"]) else { return };
    let answer = foreign.expect("answer");
    assert!(
        answer["text"].as_str().is_some_and(|text| text.contains(" connected chinwag/1 noise=")),
        "{answer}"
    );
    let peer = program.expect("connected", |_| true);
    let address = peer["address"].as_str().expect("an address").to_owned();
    chat(&mut program, &mut foreign, &address);
}

#[test]
fn the_program_dials_the_foreign_side_and_chats_encrypted() {
    let Some(mut foreign) = Foreign::start(&["listen", "foreign"]) else { return };
    let listening = foreign.expect("listening");
    let address = listening["address"].as_str().expect("an address");
    let home = TempDir::new().expect("a directory for the files");
    let mut program = Chat::at_home("P1", home.path(), &[]);
    assert_eq!(program.connect(address), "accepted");
    assert_eq!(foreign.expect("connect")["text"], format!("{} P1 connect", program.address()));
    chat(&mut program, &mut foreign, address);
}
