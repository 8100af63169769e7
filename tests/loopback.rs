//! What a simulator cannot show: real edges, the backlog, resets, half-closes. The test's own thread runs the turns of
//! nodes; raw peers are plain sockets. Everything stays on loopback.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "raw peers are plain sockets")]

use chinwag::chat::node::{Config, Node};
use chinwag::chat::notice::Notice;
use chinwag::limits::{ACCEPTS_PER_TURN, IDLE_FLUSH, Limits, READ_BYTES_PER_TURN, WRITTEN_BYTES_PER_TURN};
use chinwag::net::event_loop::EventLoop;
use chinwag::proto::machine::CloseReason;
use chinwag::term::Screen;
use socket2::SockRef;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A screen that is full when it holds so many notices, like that of a program that reads slowly.
struct Shelf {
    notices: Vec<Notice>,
    room: usize,
}

impl Screen<Notice> for Shelf {
    fn show(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    fn flush(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    fn is_full(&self) -> bool {
        self.notices.len() >= self.room
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

struct Peer {
    node: EventLoop<Node, Shelf>,
    address: SocketAddr,
    seen: Vec<Notice>,
}

impl Peer {
    fn new(name: &str) -> Self {
        let limits = Limits { connections_max: 10_000, ..Limits::default() };
        Self::with(name, Ipv4Addr::LOCALHOST.into(), limits)
    }

    fn with(name: &str, ip: IpAddr, limits: Limits) -> Self {
        let config =
            Config { name: Some(name.to_owned()), port: Some(0), bind: ip, limits, ..Config::default() };
        let shelf = Shelf { notices: Vec::new(), room: usize::MAX };
        let mut node = EventLoop::new(Node::new(config), shelf).unwrap();
        node.turn(Some(Duration::ZERO)).unwrap();
        let seen = std::mem::take(&mut node.screen_mut().notices);
        let Some(Notice::Listening { port, .. }) = seen.first() else { panic!("{seen:?}") };
        Self { node, address: SocketAddr::new(ip, *port), seen: Vec::new() }
    }

    fn turn(&mut self) {
        self.turn_unread();
        self.read_screen();
    }

    /// A turn without reading the screen.
    fn turn_unread(&mut self) {
        self.node.turn(Some(Duration::from_millis(1))).unwrap();
    }

    fn read_screen(&mut self) {
        self.seen.append(&mut self.node.screen_mut().notices);
    }

    fn type_lines(&mut self, lines: &[&str]) {
        for line in lines {
            self.node.type_line(line);
        }
    }

    fn texts(&self) -> Vec<&str> {
        self.seen.iter().filter_map(text_of).collect()
    }

    /// Bytes that wait for its sessions.
    fn queued(&mut self) -> usize {
        self.type_lines(&["/stats"]);
        let told = self.node.screen_mut().notices.iter().rev().find_map(|notice| match notice {
            Notice::Stats(stats) => Some(stats.queued_bytes),
            _ => None,
        });
        told.expect("it is told")
    }

    /// A connection to it as from another program.
    fn dial(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }

    /// A raw session: the stream that a peer with this claimed port speaks lines on.
    fn session(&mut self, port: u16) -> TcpStream {
        let mut stream = self.dial();
        writeln!(stream, "127.0.0.1:{port} raw connect").unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut answer = Vec::new();
        until(&mut [self], |_| {
            read_some(&mut stream, &mut answer) && answer.ends_with(b"connected chinwag/1\n")
        });
        stream
    }
}

fn text_of(notice: &Notice) -> Option<&str> {
    match notice {
        Notice::Message { text, .. } => Some(text),
        _ => None,
    }
}

/// Runs turns of all of them until `is_done`.
fn until(peers: &mut [&mut Peer], mut is_done: impl FnMut(&[&mut Peer]) -> bool) {
    let start = Instant::now();
    while !is_done(peers) {
        peers.iter_mut().for_each(|peer| peer.turn());
        assert!(start.elapsed() < PATIENCE, "{:?}", peers.iter().map(|peer| &peer.seen).collect::<Vec<_>>());
    }
}

/// Reads what a non-blocking stream has; `false` at its end.
fn read_some(stream: &mut TcpStream, into: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 64 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => into.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(error) => panic!("{error}"),
        }
    }
}

fn send_to(to: SocketAddr, text: &str) -> [String; 3] {
    ["1".to_owned(), to.to_string(), text.to_owned()]
}

fn type_message(from: &mut Peer, to: SocketAddr, text: &str) {
    let lines = send_to(to, text);
    from.type_lines(&lines.each_ref().map(String::as_str));
}

fn connect(from: &mut Peer, to: &mut Peer) {
    from.type_lines(&["3", &to.address.to_string()]);
    until(&mut [from, to], |peers| peers[0].seen.iter().any(|notice| matches!(notice, Notice::Accepted(_))));
}

#[test]
fn a_plain_message_and_a_session_work_over_ipv4_and_ipv6() {
    for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let mut a = Peer::with("A", ip, Limits::default());
        let mut b = Peer::with("B", ip, Limits::default());
        type_message(&mut a, b.address, "plain");
        until(&mut [&mut a, &mut b], |peers| peers[1].texts() == ["plain"]);
        until(&mut [&mut a, &mut b], |peers| peers[0].seen.iter().any(|n| matches!(n, Notice::Sent(_))));
        connect(&mut a, &mut b);
        let (to_a, to_b) = (a.address, b.address);
        type_message(&mut b, to_a, "there");
        type_message(&mut a, to_b, "and back");
        until(&mut [&mut a, &mut b], |peers| {
            peers[0].texts() == ["there"] && peers[1].texts() == ["plain", "and back"]
        });
        assert_eq!((a.node.machine().connections(), b.node.machine().connections()), (1, 1));
    }
}

#[test]
fn a_burst_larger_than_the_budget_is_read_to_its_end_without_another_event() {
    let mut node = Peer::new("N");
    let mut stream = node.dial();
    let line = format!("127.0.0.1:9 raw {}\n", "x".repeat(1000));
    let count = 8 * READ_BYTES_PER_TURN / line.len();
    stream.set_nonblocking(true).unwrap();
    let burst = line.repeat(count).into_bytes();
    let mut written = 0;
    // All of it, or as much as fits, is in the kernel before the node's first poll.
    while let Ok(more) = stream.write(&burst[written..]) {
        written += more;
        if written == burst.len() {
            break;
        }
    }
    let lines = written / line.len();
    assert!(written > 2 * READ_BYTES_PER_TURN, "the kernel took only {written} bytes");
    until(&mut [&mut node], |peers| peers[0].texts().len() == lines);
}

#[test]
fn a_flood_does_not_starve_the_others() {
    let mut node = Peer::new("N");
    let mut flooder = node.dial();
    flooder.set_nonblocking(true).unwrap();
    let burst = format!("127.0.0.1:9 flooder {}\n", "x".repeat(1000)).repeat(4000).into_bytes();
    let flooded = flooder.write(&burst).unwrap();
    assert!(flooded > 3 * READ_BYTES_PER_TURN, "the kernel took only {flooded} bytes");
    let mut quiet = node.dial();
    quiet.write_all(b"127.0.0.1:10 quiet hello\n").unwrap();
    until(&mut [&mut node], |peers| peers[0].texts().contains(&"hello"));
    let before: usize = node.texts().iter().map(|text| text.len()).sum();
    assert!(before < flooded / 2, "hello came after {before} of {flooded} bytes");
}

#[test]
fn thousands_of_dials_wait_in_the_backlog_and_are_all_taken() {
    let mut node = Peer::new("N");
    let streams: Vec<TcpStream> = (0..2000).map(|_| node.dial()).collect();
    until(&mut [&mut node], |peers| peers[0].node.machine().connections() == streams.len());
}

#[test]
fn a_turn_accepts_its_share_and_the_next_one_the_rest() {
    let mut node = Peer::new("N");
    let _streams: Vec<TcpStream> = (0..=ACCEPTS_PER_TURN).map(|_| node.dial()).collect();
    let accepted = |node: &mut Peer| {
        node.turn();
        node.node.machine().counters().accepted as usize
    };
    assert_eq!(accepted(&mut node), ACCEPTS_PER_TURN);
    assert_eq!(accepted(&mut node), ACCEPTS_PER_TURN + 1);
}

#[test]
fn the_last_words_before_a_reset_are_heard() {
    let mut node = Peer::new("N");
    let mut stream = node.session(9);
    stream.write_all(b"!ping 1\n127.0.0.1:9 raw last words\n").unwrap();
    // Closing with the unread answer in the buffer resets the connection.
    until(&mut [&mut node], |_| stream.peek(&mut [0]).is_ok());
    stream.write_all(b"127.0.0.1:9 raw exit\n").unwrap();
    drop(stream);
    until(&mut [&mut node], |peers| {
        peers[0].seen.iter().any(|notice| matches!(notice, Notice::Disconnected(_)))
    });
    assert_eq!(node.texts(), ["last words"]);
}

#[test]
fn what_follows_urgent_data_is_read_without_another_event() {
    let mut node = Peer::new("N");
    let mut greeted = node.session(9);
    let mut silent = node.dial();
    until(&mut [&mut node], |peers| peers[0].node.machine().connections() == 2);
    for stream in [&mut greeted, &mut silent] {
        // All of it is in the kernel before the node polls, and nothing comes after it.
        stream.write_all(b"127.0.0.1:9 raw one\n127.0.0.1:9 raw ").unwrap();
        SockRef::from(&*stream).send_out_of_band(b"!").unwrap();
        stream.write_all(b"two\n127.0.0.1:9 raw three\n").unwrap();
        node.seen.clear();
        until(&mut [&mut node], |peers| peers[0].texts() == ["one", "two", "three"]);
    }
}

#[test]
fn the_last_words_on_a_connection_that_cannot_be_written_wait_for_a_full_screen() {
    const LINES: usize = 100;
    let mut node = Peer::new("N");
    let mut stream = node.session(9);
    stream.write_all("127.0.0.1:9 raw last words\n".repeat(LINES).as_bytes()).unwrap();
    // A close with this set is a reset.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    node.node.screen_mut().room = 0;
    node.type_lines(&["5", "hello"]);
    for _ in 0..10 {
        node.turn();
    }
    let heard = |peer: &Peer| peer.node.machine().counters().chats as usize;
    assert_eq!((heard(&node), node.node.machine().connections()), (0, 1));
    node.node.screen_mut().room = usize::MAX;
    until(&mut [&mut node], |peers| peers[0].node.machine().connections() == 0);
    assert_eq!(heard(&node), LINES);
    let is_lost = |notice: &Notice| matches!(notice, Notice::Lost { reason: CloseReason::Reset, .. });
    assert!(node.seen.iter().any(is_lost), "{:?}", node.seen);
}

#[test]
fn nothing_falls_due_over_bytes_that_a_full_screen_left_unread() {
    let mut node = Peer::new("N");
    let [mut first, mut second] = [(); 2].map(|()| node.dial());
    second.write_all(b"127.0.0.1:10 second hel").unwrap();
    until(&mut [&mut node], |peers| peers[0].node.machine().connections() == 2);
    node.turn();
    node.node.screen_mut().room = 0;
    for (stream, bytes) in [(&mut first, "127.0.0.1:9 first full\n"), (&mut second, "lo")] {
        stream.write_all(bytes.as_bytes()).unwrap();
        node.turn_unread();
    }
    let pause = Instant::now();
    while pause.elapsed() < 2 * IDLE_FLUSH {
        node.turn_unread();
    }
    // The line of the first connection fills the screen again before the second one is read.
    node.node.screen_mut().room = 1;
    node.turn_unread();
    assert!(node.node.screen_mut().is_full());
    until(&mut [&mut node], |peers| peers[0].texts().len() == 2);
    assert_eq!(node.texts(), ["full", "hello"]);
}

#[test]
fn a_half_closed_peer_still_gets_its_answer() {
    let mut node = Peer::new("N");
    let mut stream = node.session(9);
    stream.write_all(b"!ping 7\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    until(&mut [&mut node], |_| !read_some(&mut stream, &mut answer));
    assert_eq!(answer, b"!pong 7\n");
}

#[test]
fn our_last_message_survives_what_the_peer_sends_meanwhile() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut node = Peer::new("N");
    type_message(&mut node, address, "hello");
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    // If the node had closed instead of half-closed, the kernel would answer these bytes with a reset.
    let _ = stream.write(&[b'x'; 100_000]).unwrap();
    let mut received = Vec::new();
    until(&mut [&mut node], |_| !read_some(&mut stream, &mut received));
    assert_eq!(String::from_utf8(received).unwrap(), format!("{} N hello", node.address));
    drop(stream);
}

#[test]
fn a_refused_dial_is_told_with_the_text_that_was_not_sent() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let mut node = Peer::new("N");
    type_message(&mut node, nobody, "hello");
    until(&mut [&mut node], |peers| {
        peers[0]
            .seen
            .iter()
            .any(|n| matches!(n, Notice::NotSent { to, text, .. } if *to == nobody && text == "hello"))
    });
}

#[test]
fn a_refusal_for_a_limit_is_no_delivery() {
    let limits = Limits { connections_max: 0, ..Limits::default() };
    let mut full = Peer::with("F", Ipv4Addr::LOCALHOST.into(), limits);
    let mut node = Peer::new("N");
    let to = full.address;
    for _ in 0..20 {
        node.seen.clear();
        type_message(&mut node, to, "hello");
        until(&mut [&mut full, &mut node], |peers| {
            peers[1].seen.iter().any(|notice| matches!(notice, Notice::NotSent { .. } | Notice::Sent(_)))
        });
        assert!(!node.seen.contains(&Notice::Sent(to)));
    }
}

#[test]
fn a_slow_reader_is_written_to_again_when_it_reads() {
    let limits = Limits { send_queue_bytes_max: 64 << 20, ..Limits::default() };
    let mut node = Peer::with("N", Ipv4Addr::LOCALHOST.into(), limits);
    let mut stream = node.session(9);
    let texts: Vec<String> = (0..400).map(|n| format!("{n} {}", "x".repeat(60_000))).collect();
    for text in &texts {
        node.type_lines(&["5", text]);
    }
    node.turn();
    let mut received = Vec::new();
    let expected: String = texts.iter().map(|text| format!("{} N {text}\n", node.address)).collect();
    until(&mut [&mut node], |_| read_some(&mut stream, &mut received) && received.len() >= expected.len());
    assert!(received == expected.as_bytes());
}

#[test]
fn readers_that_all_go_on_at_once_share_the_budget_of_a_turn() {
    const LINKS: usize = 16;
    const MESSAGES: usize = 100;
    let limits = Limits { send_queue_bytes_max: 64 << 20, ..Limits::default() };
    let mut node = Peer::with("N", Ipv4Addr::LOCALHOST.into(), limits);
    let mut readers: Vec<_> = (9..).take(LINKS).map(|port| (node.session(port), Vec::new())).collect();
    let text = "x".repeat(60_000);
    (0..MESSAGES).for_each(|_| node.type_lines(&["5", &text]));
    node.turn();
    let stalled = node.queued();
    assert!(
        stalled > LINKS * WRITTEN_BYTES_PER_TURN / 4,
        "the kernel took nearly everything: {stalled} are left"
    );
    for (stream, received) in &mut readers {
        assert!(read_some(stream, received));
    }
    node.turn();
    let written = stalled - node.queued();
    // The last of them may have had all of its own waiting.
    let written_max = WRITTEN_BYTES_PER_TURN + MESSAGES * 61_000;
    assert!((1..=written_max).contains(&written), "{written}");
    until(&mut [&mut node], |_| {
        readers
            .iter_mut()
            .all(|(stream, received)| read_some(stream, received) && received.len() >= MESSAGES * text.len())
    });
}

#[test]
fn who_never_reads_is_closed_and_the_others_get_everything() {
    let mut node = Peer::new("N");
    let stopped = node.session(9);
    let mut reader = node.session(10);
    let text = "x".repeat(60_000);
    let mut received = Vec::new();
    let mut sent = 0;
    until(&mut [&mut node], |_| read_some(&mut reader, &mut received));
    while !node.seen.iter().any(|notice| matches!(notice, Notice::Lost { .. })) {
        assert!(sent < 1000, "the queue of a stopped reader has no end");
        node.type_lines(&["5", &text]);
        sent += 1;
        node.turn();
        until(&mut [&mut node], |_| {
            read_some(&mut reader, &mut received);
            received.len() >= sent * text.len()
        });
    }
    assert_eq!(node.node.machine().connections(), 1);
    drop(stopped);
}

/// The kernel reports 1,024 sockets at a time. A peer that was not read for longer than the limit on silence was not
/// silent: what came in between is read first.
#[test]
fn nobody_is_judged_by_what_has_not_been_read_yet_however_many_there_are() {
    const PEERS: usize = 1_100;
    let (mut peer, mut clock) = (Peer::new("all"), Peer::new("clock"));
    let mut streams: Vec<TcpStream> = (0..PEERS)
        .map(|n| {
            let mut stream = peer.dial();
            write!(stream, "127.0.0.1:{}", 1 + n).unwrap();
            peer.turn();
            stream
        })
        .collect();
    until(&mut [&mut peer], |peers| peers[0].node.machine().connections() == PEERS);
    for stream in &mut streams {
        stream.write_all(b" raw whole\n").unwrap();
    }
    // Another node shows how long half a header may wait.
    let mut wire = clock.dial();
    wire.write_all(b"half a header").unwrap();
    until(&mut [&mut clock], |peers| peers[0].seen.iter().any(|n| matches!(n, Notice::Raw { .. })));
    peer.turn();
    until(&mut [&mut peer], |peers| peers[0].texts().len() == PEERS);
    assert!(peer.texts().iter().all(|&text| text == "whole"));
    let is_half = |notice: &&Notice| matches!(notice, Notice::Raw { .. });
    assert_eq!(peer.seen.iter().filter(is_half).count(), 0);
}
