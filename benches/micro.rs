//! What one message costs, layer by layer, without a socket. The figures are nanoseconds for each element.
//!
//! Run it with `cargo bench --bench micro`. With `-- --test` each bench runs once, to check that it still works.
#![expect(clippy::disallowed_methods, reason = "a machine needs one moment to start from")]

use chinwag::chat::directory::Directory;
use chinwag::chat::node::{Config, Node};
use chinwag::limits::Limits;
use chinwag::proto::envelope::{Body, Envelope};
use chinwag::proto::framer::Framer;
use chinwag::proto::machine::{ConnId, Input, Machine};
use chinwag::proto::message::{Dialect, Message};
use chinwag::proto::send_queue::SendQueue;
use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

const LINE: &str = "127.0.0.1:8080 P1 a message of some forty bytes, as people send\n";
const NETECH: &str = "LISTENING_PORT:8080|TEAM_NAME:P1|a message of some forty bytes, as people send";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    parse(&mut criterion);
    frame(&mut criterion);
    write(&mut criterion);
    send_queue(&mut criterion);
    look_up(&mut criterion);
    receive(&mut criterion);
    fan_out(&mut criterion);
    criterion.final_summary();
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(1));
    for (name, line) in [("standard", LINE.trim_end()), ("netech", NETECH)] {
        group.bench_function(name, |bencher| {
            bencher
                .iter(|| Message::parse(black_box(line), loopback(50_000)).map(|message| message.text.len()));
        });
    }
    group.finish();
}

/// One read of so many lines, on a connection that is known to speak lines.
fn frame(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    for lines in [1, 16, 256] {
        let bytes = LINE.repeat(lines).into_bytes();
        let mut framer = Framer::default();
        group.throughput(Throughput::Elements(lines as u64));
        group.bench_function(BenchmarkId::from_parameter(lines), |bencher| {
            bencher.iter(|| {
                let mut rest = black_box(&bytes[..]);
                let mut framed = 0;
                while let Ok(Some(line)) = framer.next(&mut rest) {
                    framed += line.len();
                }
                framed
            });
        });
    }
    group.finish();
}

fn write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("format");
    group.throughput(Throughput::Elements(1));
    let from = loopback(8080);
    for dialect in [Dialect::Standard, Dialect::Netech] {
        group.bench_function(dialect.name(), |bencher| {
            let envelope = Envelope { dialect, from: black_box(from), name: "P1", to: from };
            bencher.iter(|| envelope.message(Body::Chat(black_box("a message"))));
        });
    }
    group.finish();
}

/// Pushes so many shared payloads and writes them, 64 to a write.
fn send_queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send_queue");
    let payload: Rc<[u8]> = LINE.as_bytes().into();
    for payloads in [1, 16, 256] {
        let mut queue = SendQueue::default();
        group.throughput(Throughput::Elements(payloads));
        group.bench_function(BenchmarkId::from_parameter(payloads), |bencher| {
            bencher.iter(|| {
                for _ in 0..payloads {
                    let _ = black_box(queue.push(Rc::clone(&payload), usize::MAX));
                }
                queue.write_to(&mut io::sink()).is_ok()
            });
        });
    }
    group.finish();
}

/// Finds addresses, in no particular order, in a full table of the default size.
fn look_up(criterion: &mut Criterion) {
    let peers = Limits::default().peers_max;
    let mut directory = Directory::new(peers);
    let mut random = fastrand::Rng::with_seed(1);
    let mut addresses: Vec<SocketAddr> = (0..peers as u32).map(of_table).collect();
    for &address in &addresses {
        directory.find_or_add(address);
    }
    random.shuffle(&mut addresses);
    addresses.truncate(4096);
    let mut group = criterion.benchmark_group("look_up");
    group.throughput(Throughput::Elements(addresses.len() as u64));
    group.bench_function(BenchmarkId::from_parameter(peers), |bencher| {
        bencher.iter(|| addresses.iter().filter(|&&address| directory.find(address).is_some()).count());
    });
    group.finish();
}

/// The whole way of a read through a node: it is framed, parsed, entered in the table and counted.
fn receive(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("receive_quiet");
    for lines in [16, 256] {
        let mut driver = Driver::new(1);
        let conn = driver.accept(8080);
        let bytes = LINE.repeat(lines).into_bytes();
        group.throughput(Throughput::Elements(lines as u64));
        driver.handle(Input::Received { conn, bytes: &bytes });
        assert_eq!(driver.node.counters().chats, lines as u64, "every line is a message");
        group.bench_function(BenchmarkId::from_parameter(lines), |bencher| {
            bencher.iter(|| driver.handle(Input::Received { conn, bytes: black_box(&bytes) }));
        });
    }
    group.finish();
}

/// One typed text to a thousand sessions, written to nowhere.
fn fan_out(criterion: &mut Criterion) {
    const SESSIONS: usize = 1000;
    let mut driver = Driver::new(SESSIONS);
    for port in (20_000..).take(SESSIONS) {
        let conn = driver.accept(port);
        let line = format!("127.0.0.1:{port} p{port} connect\n");
        driver.handle(Input::Received { conn, bytes: line.as_bytes() });
    }
    assert_eq!(driver.transmit(), SESSIONS, "each connect was answered");
    let mut group = criterion.benchmark_group("fan_out");
    group.throughput(Throughput::Elements(SESSIONS as u64));
    group.bench_function(BenchmarkId::from_parameter(SESSIONS), |bencher| {
        bencher.iter(|| {
            driver.handle(Input::Line("5"));
            driver.handle(Input::Line(black_box("a message of some forty bytes, as people send")));
            driver.transmit()
        });
    });
    driver.handle(Input::Line("5"));
    driver.handle(Input::Line("hello"));
    assert_eq!(driver.transmit(), SESSIONS, "each session was written to");
    group.finish();
}

/// Keeps the contract's laws for a node that has no sockets.
struct Driver {
    node: Node,
    now: Instant,
}

impl Driver {
    /// A node that listens on port 9090, and whose driver counts what it should write.
    fn new(connections_max: usize) -> Self {
        let node = Node::new(Config {
            name: Some("P2".to_owned()),
            port: Some(9090),
            quiet: true,
            limits: Limits { connections_max, ..Limits::default() },
            ..Config::default()
        });
        let mut driver = Self { node, now: Instant::now() };
        driver.drain();
        driver.handle(Input::Listening { local: loopback(9090) });
        driver
    }

    fn accept(&mut self, port: u16) -> ConnId {
        let conn = self.node.accept(loopback(port), loopback(9090), self.now);
        self.drain();
        conn.expect("there is room for it")
    }

    fn handle(&mut self, input: Input<'_>) {
        self.node.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            black_box(output);
        }
    }

    /// The end of a turn: how many connections had something to send.
    fn transmit(&mut self) -> usize {
        let mut written = 0;
        while let Some(conn) = self.node.poll_transmit() {
            let queue = self.node.send_queue(conn);
            written += usize::from(queue.is_some_and(|queue| queue.write_to(&mut io::sink()).is_ok()));
        }
        written
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// The address of the `n`-th of many peers.
fn of_table(n: u32) -> SocketAddr {
    let [_, _, high, low] = n.to_be_bytes();
    SocketAddr::from(([10, 0, high, low], 8080))
}
