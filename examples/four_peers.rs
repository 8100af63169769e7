//! The assignment's sample: four peers, five messages, a query at each, one `exit`, a query again.
//!
//! Four event loops take turns on one thread. A `Vec<Notice>` is each peer's screen. A message counts as sent only
//! after the receiver has read it and closed, so no sleep is needed: when the sender takes the next typed line, the
//! receiver has shown the previous message.
//!
//! `cargo run --example four_peers`
#![expect(clippy::disallowed_macros, reason = "an example prints")]

use chinwag::chat::node::{Config, Node};
use chinwag::chat::notice::Notice;
use chinwag::net::event_loop::EventLoop;
use chinwag::proto::machine::Machine;
use chinwag::term::render::Sentence;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

const WAIT: Option<Duration> = Some(Duration::from_millis(1));

struct Peer {
    name: &'static str,
    port: u16,
    event_loop: EventLoop<Node, Vec<Notice>>,
}

impl Peer {
    /// A peer that listens on a free port of the loopback interface.
    fn start(name: &'static str) -> io::Result<Self> {
        let bind = Ipv4Addr::LOCALHOST.into();
        let config = Config { name: Some(name.to_owned()), port: Some(0), bind, ..Config::default() };
        let mut event_loop = EventLoop::new(Node::new(config), Vec::new())?;
        event_loop.turn(WAIT)?;
        let port = event_loop.screen_mut().iter().find_map(|notice| match notice {
            Notice::Listening { port, .. } => Some(*port),
            _ => None,
        });
        Ok(Self { name, port: port.ok_or(io::ErrorKind::AddrNotAvailable)?, event_loop })
    }

    /// Prints its notices since the last call, without prompts.
    fn print(&mut self) {
        for notice in self.event_loop.screen_mut().drain(..) {
            if !matches!(notice, Notice::Menu | Notice::Prompt(_)) {
                for line in Sentence(&notice).to_string().lines() {
                    println!("  {}: {line}", self.name);
                }
            }
        }
    }
}

fn main() -> io::Result<()> {
    let mut peers = Vec::new();
    for name in ["P1", "P2", "P3", "P4"] {
        peers.push(Peer::start(name)?);
    }
    peers.iter_mut().for_each(Peer::print);
    for (from, to) in [(1, 2), (3, 4), (2, 4), (4, 1), (1, 3)] {
        send(&mut peers, from, to, "hello")?;
    }
    query(&mut peers)?;
    send(&mut peers, 1, 3, "exit")?;
    query(&mut peers)?;
    quit(peers)
}

fn send(peers: &mut [Peer], from: usize, to: usize, text: &str) -> io::Result<()> {
    println!("P{from} sends \"{text}\" to P{to}");
    let address = format!("127.0.0.1:{}", peers[to - 1].port);
    type_lines(peers, from - 1, &["1", &address, text])
}

fn query(peers: &mut [Peer]) -> io::Result<()> {
    println!("everybody queries");
    (0..peers.len()).try_for_each(|at| type_lines(peers, at, &["2"]))
}

/// Types at one peer, runs turns of all until it is ready for more, and prints the notices of each.
fn type_lines(peers: &mut [Peer], at: usize, lines: &[&str]) -> io::Result<()> {
    for line in lines {
        peers[at].event_loop.type_line(line);
    }
    while !peers[at].event_loop.machine().wants_line() {
        turn(peers)?;
    }
    peers.iter_mut().for_each(Peer::print);
    Ok(())
}

/// Runs one turn of each.
fn turn(peers: &mut [Peer]) -> io::Result<()> {
    peers.iter_mut().try_for_each(|peer| peer.event_loop.turn(WAIT).map(drop))
}

/// The peers quit one after the other; each tells the peers that it knows.
fn quit(mut peers: Vec<Peer>) -> io::Result<()> {
    while !peers.is_empty() {
        let mut leaving = peers.remove(0);
        println!("{} quits", leaving.name);
        leaving.event_loop.type_line("0");
        while leaving.event_loop.turn(WAIT)?.is_none() {
            turn(&mut peers)?;
        }
        leaving.print();
        peers.iter_mut().for_each(Peer::print);
    }
    Ok(())
}
