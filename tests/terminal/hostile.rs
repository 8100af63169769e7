//! Bytes of a peer that could control the terminal are never shown or logged unchanged.

use crate::common::peer::{Peer, say};
use crate::common::program::{Program, command};
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use tempfile::TempDir;

/// A title, a cleared screen, a raw C1 control, a direction control, an invisible character, and a newline that forges
/// a second message.
const HOSTILE: &[u8] = b"\x1b]0;title\x07\x1b[2J\x9b2J\xe2\x80\xae\xe2\x80\x8b\0\r\x7f\xc2\x9b";
const HARMLESS: &str = "Grüße 你好 👨‍👩‍👧 e\u{301}";

/// Whether it could disturb a terminal.
fn is_hostile(c: char) -> bool {
    (c.is_control() && c != '\n') || matches!(c, '\u{202E}' | '\u{200B}')
}

#[test]
fn hostile_bytes_reach_neither_stdout_nor_the_log() {
    let peer = Peer::new();
    let address = peer.address();
    let mut program = Program::spawn(command(&["--name", "P1", "--port", "0"]).env("RUST_LOG", "debug"));
    program = program.listening();
    let to = program.address();
    let message = |parts: &[&[u8]]| parts.concat();
    let head = format!("{address} ");
    let text = format!(" <{HARMLESS}>");
    // In the text, in the name, in a message of unknown form, and in a farewell.
    say(to, message(&[head.as_bytes(), b"P2 ", HOSTILE, text.as_bytes()]));
    program.stdout.expect(&format!(" <{HARMLESS}>\n"));
    say(to, message(&[head.as_bytes(), b"N", HOSTILE, b" named", text.as_bytes()]));
    program.stdout.expect(&format!("named <{HARMLESS}>\n"));
    say(to, message(&[b"raw ", HOSTILE, text.as_bytes()]));
    program.stdout.expect(&format!(" <{HARMLESS}>\n"));
    assert_eq!(program.query().active.len(), 1);
    say(to, message(&[head.as_bytes(), b"N", HOSTILE, b" exit"]));
    program.stdout.expect(" disconnected\n");
    drop(peer);
    program.send(address, &format!("typed \u{1b}[2J {HARMLESS}"));
    program.stdout.expect(&format!(" {HARMLESS}\n"));
    program.type_line(0);
    program.stdout.rest();
    assert_eq!(program.wait(), 0);
    for output in [program.stdout.bytes(), program.stderr.bytes()] {
        let text = String::from_utf8(output).expect("no raw byte");
        assert!(!text.contains(is_hostile), "{text:?}");
    }
    let log = String::from_utf8(program.stderr.bytes()).unwrap();
    assert!(log.contains("DEBUG"), "{log}");
}

#[test]
fn a_newline_inside_a_text_forges_no_second_message() {
    let peer = Peer::new();
    let program = Program::node("P1");
    let forged = "127.0.0.1:1 Bank send money";
    say(program.address(), format!("<{}> @ <P2>\nhello\n{forged}\n<end>", peer.address()));
    let shown = program.stdout.expect(&format!("{forged}\n"));
    assert!(shown.ends_with(&format!("{} P2 hello␊{forged}\n", peer.address())), "{shown}");
}

#[test]
fn a_name_with_invisible_characters_looks_different_on_screen_in_the_log_and_in_the_transcript() {
    // A selector that changes nothing, an ideographic space, a hieroglyphic control and a joiner.
    const NAME: &str = "P1\u{FE0F}\u{3000}said\u{13430}pay\u{200D}é\u{200D}";
    const SHOWN: &str = "P1\u{FFFD}_said\u{FFFD}pay\u{FFFD}é\u{FFFD}";
    let peer = Peer::new();
    let kept = TempDir::new().unwrap();
    let transcript = kept.path().join("transcript");
    let args = ["--name", "P2", "--port", "0", "--transcript", transcript.to_str().unwrap()];
    let mut program = Program::spawn(command(&args).env("RUST_LOG", "debug")).listening();
    say(program.address(), format!("{} {NAME} hi \u{FE0F}", peer.address()));
    // A text keeps the invisible parts of its emoji.
    program.stdout.expect(&format!("{} {SHOWN} hi \u{FE0F}\n", peer.address()));
    assert!(program.query().active[0].contains(SHOWN));
    program.type_line(0);
    assert_eq!(program.wait(), 0);
    let log = String::from_utf8(program.stderr.bytes()).unwrap();
    let transcript = fs::read_to_string(transcript).unwrap();
    for written in [log, transcript] {
        assert!(written.contains(SHOWN), "{written}");
        assert!(!written.contains(['\u{3000}', '\u{13430}', '\u{200D}']), "{written}");
    }
}

#[test]
fn a_program_gets_a_name_as_it_is() {
    let peer = Peer::new();
    let program = Program::start(&["--json", "--name", "P2", "--port", "0"]);
    let listening: Value = serde_json::from_str(&program.stdout.expect("\n")).unwrap();
    let to = SocketAddr::from(([127, 0, 0, 1], listening["port"].as_u64().unwrap() as u16));
    say(to, format!("{} P1\u{FE0F}é hi", peer.address()));
    program.stdout.expect("\"name\":\"P1\u{FE0F}é\"");
}
