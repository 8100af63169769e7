//! The rival that speaks TLS, and its generator.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the test is the other side of real sockets"
)]

use rustls::{ClientConnection, StreamOwned};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Tls {
    child: Child,
    address: SocketAddr,
}

impl Tls {
    fn start() -> Tls {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tls"))
            .args(["receive", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").unwrap().trim_end().parse().unwrap();
        Tls { child, address }
    }

    fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn connect(&self) -> StreamOwned<ClientConnection, TcpStream> {
        let config = rivals::tls::client().unwrap();
        StreamOwned::new(ClientConnection::new(config, rivals::tls::nobody()).unwrap(), self.dial())
    }

    /// What its generator says, with these words behind the address and the pid.
    fn load(&self, words: &[&str]) -> Output {
        let (address, pid) = (self.address.to_string(), self.child.id().to_string());
        load(&[&[address.as_str(), &pid], words].concat())
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn load(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tls-load")).args(words).output().unwrap()
}

/// Whether the other side has ended the connection.
fn has_ended(stream: &mut impl Read) -> bool {
    let mut byte = [0];
    match stream.read(&mut byte) {
        Ok(count) => count == 0,
        Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof),
    }
}

#[test]
fn who_proves_a_key_is_heard_until_the_end() {
    let tls = Tls::start();
    let mut client = tls.connect();
    client.write_all(b"127.0.0.1:1 a one\n127.0.0.1:1 a two\n").unwrap();
    assert!(!client.conn.is_handshaking());
    assert!(client.conn.peer_certificates().is_some_and(|keys| keys.len() == 1));
    client.conn.send_close_notify();
    client.flush().unwrap();
    client.sock.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(has_ended(&mut client));
}

#[test]
fn who_breaks_the_rules_is_closed_and_the_others_are_not() {
    let tls = Tls::start();
    let mut other = tls.connect();
    other.write_all(b"127.0.0.1:1 a one\n").unwrap();
    let mut plain = tls.dial();
    plain.write_all(b"127.0.0.1:1 a in the clear, and longer than the header of a record\n").unwrap();
    let mut rest = Vec::new();
    // An alert comes first.
    let _ = plain.read_to_end(&mut rest);
    let mut endless = tls.connect();
    // The other side may have closed before all was written.
    let _ = endless.write_all(&vec![b'x'; 2 * rivals::LINE_BYTES_MAX]);
    assert!(has_ended(&mut endless));
    other.write_all(b"127.0.0.1:1 a two\n").unwrap();
}

#[test]
fn its_generator_reports_what_a_handshake_and_a_line_cost() {
    let tls = Tls::start();
    for words in [["20", "16", "2", "1"], ["70", "1", "0", "0"]] {
        let output = tls.load(&words);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text} {:?}", output.stderr);
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["counts"]["encrypted"].to_string(), words[0]);
        assert!(report["target"]["cpu_ns_per_handshake"].as_f64().unwrap() > 0.0, "{text}");
        let of_message = report["target"]["cpu_ns_per_message"].as_f64();
        assert_eq!(of_message.is_some(), words[2] != "0", "{text}");
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_tls")).args(["echo", "127.0.0.1:0"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    for words in
        [&[][..], &["192.0.2.1:1", "7", "1", "1", "1", "0"], &["127.0.0.1:1", "1", "1", "1", "1", "0"]]
    {
        assert_eq!(load(words).status.code(), Some(2), "{words:?}");
    }
}
