//! Encrypted sessions, against a target that offers them and against one that does not.

use crate::outcome::{PEERS, node, report, run, taken};
use chinwag::proto::secure::words::{encoded, header_of, line, message_of, offer_head};
use chinwag::proto::secure::{Channel, Identity, Offered, Seed, prologue};
use chinwag::swarm::plan::Carrier;
use chinwag::swarm::tally::Measure;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

const ANSWER: &str = "127.0.0.1:9 N connected chinwag/1";

/// Who has said what to a target.
#[derive(Debug, Default)]
struct Heard {
    keys: BTreeSet<String>,
    lines: usize,
}

/// A target that offers encryption. It answers pings, and says what it must say when a session begins.
fn target(speech: &'static str) -> (SocketAddr, Arc<Mutex<Heard>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let heard = Arc::new(Mutex::new(Heard::default()));
    let all = Arc::clone(&heard);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let all = Arc::clone(&all);
            // A peer that fails, or that is interrupted, is seen in the report.
            thread::spawn(move || serve(stream, number as u32, speech, &all));
        }
    });
    (address, heard)
}

fn serve(mut stream: TcpStream, number: u32, speech: &str, all: &Mutex<Heard>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let connect = next_line(&mut reader)?;
    let head = offer_head(ANSWER);
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    let seen = prologue(&[&connect, head.as_bytes()]);
    let (offered, message) = Offered::new(&Identity::new([9; 32])?, &seen, Seed(seed)).ok()?;
    stream.write_all((head + &encoded(&message) + "\n").as_bytes()).ok()?;
    let (proof, proven) = offered.take(&message_of(&next_line(&mut reader)?)?).ok()?;
    assert_eq!(proof.claim, header_of(&connect)?);
    let (message, mut channel) = proven.prove(header_of(ANSWER.as_bytes())?).ok()?;
    all.lock().ok()?.keys.insert(proof.key.to_string());
    let mut bytes = line(&message).into_bytes();
    channel.seal(speech.as_bytes(), &mut bytes).ok()?;
    stream.write_all(&bytes).ok()?;
    let lines = answer_pings(&mut reader, &mut stream, &mut channel)?;
    all.lock().ok()?.lines += lines;
    stream.shutdown(Shutdown::Write).ok()
}

/// Returns how many messages came, besides the exit.
fn answer_pings(reader: &mut impl Read, stream: &mut TcpStream, channel: &mut Channel) -> Option<usize> {
    let (mut buffer, mut text, mut lines) = ([0; 65_536], Vec::new(), 0);
    loop {
        let count = reader.read(&mut buffer).ok()?;
        channel.open(&buffer[..count], &mut text).ok()?;
        let end = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let mut answer = String::new();
        for line in
            String::from_utf8(text.drain(..end).collect()).ok()?.lines().filter(|line| !line.is_empty())
        {
            match line.strip_prefix("!ping ") {
                Some(number) => answer += &format!("!pong {number}\n"),
                None => lines += usize::from(!line.ends_with(" exit")),
            }
        }
        if count == 0 {
            return Some(lines);
        }
        if !answer.is_empty() {
            let mut frame = Vec::new();
            channel.seal(answer.as_bytes(), &mut frame).ok()?;
            stream.write_all(&frame).ok()?;
        }
    }
}

fn next_line(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).ok()?;
    (line.pop()? == b'\n').then_some(line)
}

#[test]
fn each_scenario_with_sessions_works_encrypted() {
    for args in [
        "hold --time 0.1",
        "flood --messages 5000 --batch 16",
        "flood --messages 2000 --batch 700",
        "pace --pace 5 --time 1",
        "ping --messages 2000 --active 3",
        "hold --time 0.1 --processes 2",
    ] {
        let (address, heard) = target("");
        let report = report(address, &format!("{args} --secure"));
        assert_eq!((report.setup.carrier, report.counts.encrypted), (Carrier::Encrypted, PEERS), "{args}");
        assert_eq!((taken(&report, Measure::Answer), taken(&report, Measure::Handshake)), (PEERS, PEERS));
        assert_eq!((report.counts.sent, report.counts.odd), (report.counts.taken, 0), "{args}");
        let heard = heard.lock().expect("no target panics");
        assert_eq!((heard.keys.len() as u64, heard.lines as u64), (PEERS, report.counts.sent), "{args}");
    }
}

#[test]
fn what_a_target_sends_to_all_comes_in_frames() {
    let (address, _) = target("127.0.0.1:9 N one\n127.0.0.1:9 N two\n");
    let report = report(address, "hold --time 0.3 --secure");
    assert_eq!((report.counts.heard, report.counts.odd), (2 * PEERS, 0));
}

#[test]
fn a_peer_has_the_same_key_in_the_next_run_and_another_one_with_another_seed() {
    let (address, heard) = target("");
    let keys = |args: &str| {
        report(address, &format!("hold --time 0.01 --secure {args}"));
        heard.lock().expect("no target panics").keys.len() as u64
    };
    assert_eq!([keys(""), keys("--processes 2"), keys("--seed 2")], [PEERS, PEERS, 2 * PEERS]);
}

#[test]
fn a_target_that_does_not_encrypt_has_failed() {
    let node = node();
    let outcome = run(node.address(), "hold --time 0.1 --peers 20 --secure");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (1, ""), "{}", outcome.stdout);
    let unwrapped = outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unwrapped.contains("answered 20 encrypted 0 failed 20"), "{}", outcome.stdout);
    assert!(unwrapped.contains("not encrypted 20"), "{}", outcome.stdout);
    assert!(unwrapped.contains("The target answers, but does not offer encryption."), "{}", outcome.stdout);
}
