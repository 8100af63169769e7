//! All rivals do the same work, so a difference between their figures is not because one of them does less.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the test is the other side of real sockets"
)]

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const RIVALS: [&str; 4] = [
    env!("CARGO_BIN_EXE_floor"),
    env!("CARGO_BIN_EXE_message-io"),
    env!("CARGO_BIN_EXE_mio"),
    env!("CARGO_BIN_EXE_tokio"),
];

/// Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Rival {
    child: Child,
    address: SocketAddr,
}

impl Rival {
    fn start(program: &str, mode: &str) -> Rival {
        let mut child = Command::new(program)
            .args([mode, "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").unwrap().trim_end().parse().unwrap();
        Rival { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Ends our side, and returns what still comes from the other side.
fn last_words(mut stream: TcpStream) -> String {
    stream.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn expect(mut stream: &TcpStream, text: &str) {
    let mut bytes = vec![0; text.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), text);
}

fn say(mut stream: &TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

#[test]
fn who_receives_answers_nothing_and_closes_after_the_end() {
    for program in RIVALS {
        let rival = Rival::start(program, "receive");
        let patient = rival.connect();
        for pieces in
            [&["127.0.0.1:1 a o", "ne\n127.0.0.1:1 a two\n"][..], &["127.0.0.1:2 b no newline"], &[]]
        {
            let stream = rival.connect();
            for piece in pieces {
                say(&stream, piece);
            }
            assert_eq!(last_words(stream), "", "{program}");
        }
        assert_eq!(last_words(patient), "", "{program}");
    }
}

#[test]
fn a_line_without_end_costs_its_own_connection_only() {
    for program in RIVALS {
        for mode in ["receive", "relay"] {
            let rival = Rival::start(program, mode);
            let other = rival.connect();
            let mut endless = rival.connect();
            // The other side may have closed before all was written.
            let _ = endless.write_all(&[b'x'; 2 * rivals::LINE_BYTES_MAX]);
            let end = endless.read(&mut [0]).map_err(|error| error.kind());
            assert!(matches!(end, Ok(0) | Err(std::io::ErrorKind::ConnectionReset)), "{program}: {end:?}");
            assert_eq!(last_words(other), "", "{program}");
        }
    }
}

#[test]
fn an_echo_is_each_byte_and_nothing_else() {
    for program in RIVALS {
        let rival = Rival::start(program, "echo");
        let stream = rival.connect();
        for piece in ["no newline", "\n\n", "127.0.0.1:1 a one\r\n\0"] {
            say(&stream, piece);
            expect(&stream, piece);
        }
        say(&stream, "and good-bye");
        assert_eq!(last_words(stream), "and good-bye", "{program}");
    }
}

#[test]
fn a_line_is_relayed_to_all_others_once_it_is_complete() {
    for program in RIVALS {
        let rival = Rival::start(program, "relay");
        // Connections are accepted in this order, so the listener is there before the speaker.
        let (first, second, speaker) = (rival.connect(), rival.connect(), rival.connect());
        say(&speaker, "127.0.0.1:1 a o");
        say(&speaker, "ne\n127.0.0.1:1 a two\n127.0.0.1:1 a th");
        for listener in [&first, &second] {
            expect(listener, "127.0.0.1:1 a one\n127.0.0.1:1 a two\n");
        }
        say(&speaker, "ree");
        assert_eq!(last_words(speaker), "", "{program}");
        say(&first, "127.0.0.1:2 b four\n");
        expect(&second, "127.0.0.1:1 a three\n127.0.0.1:2 b four\n");
        assert_eq!(last_words(first), "127.0.0.1:1 a three\n", "{program}");
        assert_eq!(last_words(second), "", "{program}");
    }
}

#[test]
fn being_stopped_for_a_while_breaks_nothing() {
    for program in RIVALS {
        for mode in ["receive", "echo", "relay"] {
            let rival = Rival::start(program, mode);
            // Connections are accepted in this order, so the listener is there before the speaker.
            let (quiet, stream) = (rival.connect(), rival.connect());
            let pid = Pid::from_child(&rival.child);
            for _ in 0..3 {
                kill_process(pid, Signal::STOP).unwrap();
                let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
                assert!(status.stopped(), "{program}");
                say(&stream, "127.0.0.1:1 a one\n");
                kill_process(pid, Signal::CONT).unwrap();
                match mode {
                    "echo" => expect(&stream, "127.0.0.1:1 a one\n"),
                    "relay" => expect(&quiet, "127.0.0.1:1 a one\n"),
                    _ => {}
                }
            }
            assert_eq!(last_words(stream), "", "{program} {mode}");
            assert_eq!(last_words(quiet), "", "{program} {mode}");
        }
    }
}

#[test]
fn only_loopback_is_served() {
    for program in RIVALS {
        for arguments in
            [&["echo", "0.0.0.0:0"][..], &["echo", "192.0.2.1:0"], &["sing", "127.0.0.1:0"], &["echo"]]
        {
            let output = Command::new(program).args(arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{program} {arguments:?}");
            assert!(output.stdout.is_empty(), "{program} {arguments:?}");
        }
    }
}
