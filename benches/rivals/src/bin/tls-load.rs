//! The load of `tls`: what `chinwag swarm burst` does, over TLS. It has so many clients in one thread, measures what the
//! target uses for their handshakes, and then for rounds of lines that were written while it was stopped.
//!
//! ```text
//! tls-load ADDRESS PID PEERS BATCH ROUNDS WARM-UP
//! ```
//!
//! The report on stdout has its figures where those of a swarm's report are.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a generator has sockets, looks at clocks, and prints"
)]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::ClientConnection;
use serde_json::json;
use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Handshakes under way at the same time, as in a swarm.
const IN_FLIGHT: usize = 64;

/// The bytes of a line, as in a swarm.
const LINE_BYTES: usize = 64;

/// Rounds in which nothing is written. They measure what it costs to stop the target and let it go on.
const EMPTY_ROUNDS: usize = 10;

/// How long the target's CPU clock must stand still until it counts as idle.
const IDLE: Duration = Duration::from_millis(10);

const POLL: Duration = Duration::from_millis(1);

/// How long the target may take for anything.
const PATIENCE: Duration = Duration::from_secs(10);

struct Load {
    address: SocketAddr,
    target: Target,
    peers: usize,
    batch: usize,
    rounds: usize,
    warm_up: usize,
}

struct Target(Pid);

struct Client {
    stream: TcpStream,
    tls: ClientConnection,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(load) = Load::parse(&words) else {
        eprintln!("usage: tls-load ADDRESS PID PEERS BATCH ROUNDS WARM-UP");
        return ExitCode::from(2);
    };
    match rivals::raise_descriptor_limit().and_then(|()| load.run()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

impl Load {
    fn parse(words: &[String]) -> Option<Self> {
        let [address, pid, peers, batch, rounds, warm_up] = words else { return None };
        let address: SocketAddr =
            address.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback())?;
        let pid = pid.parse().ok().filter(|&pid| pid > 1)?;
        let number = |word: &String| word.parse::<usize>().ok();
        Some(Self {
            address,
            target: Target(Pid::from_raw(pid)),
            peers: number(peers).filter(|&peers| peers > 0)?,
            batch: number(batch).filter(|&batch| batch > 0)?,
            rounds: number(rounds)?,
            warm_up: number(warm_up)?,
        })
    }

    fn run(&self) -> io::Result<serde_json::Value> {
        let before = self.target.cpu()?;
        let began_at = Instant::now();
        let mut clients = self.connect()?;
        let setup = began_at.elapsed();
        self.target.settle()?;
        let for_handshakes = self.target.cpu()? - before;
        let for_message = (self.rounds > 0).then(|| self.burst(&mut clients)).transpose()?;
        let cpu_of = |cpu: Duration, count: usize| cpu.as_nanos() as f64 / count as f64;
        Ok(json!({
            "setup_seconds": setup.as_secs_f64(),
            "counts": { "encrypted": clients.len() },
            "target": {
                "cpu_setup_seconds": for_handshakes.as_secs_f64(),
                "cpu_ns_per_handshake": cpu_of(for_handshakes, self.peers),
                "cpu_ns_per_message": for_message.map(|cpu| cpu_of(cpu, self.peers * self.batch)),
            },
        }))
    }

    /// Connects all clients. While one of them waits for the target, the target works for the others.
    fn connect(&self) -> io::Result<Vec<Client>> {
        let config = rivals::tls::client()?;
        let mut clients = Vec::with_capacity(self.peers);
        while clients.len() < self.peers {
            let first = clients.len();
            for _ in first..self.peers.min(first + IN_FLIGHT) {
                let stream = TcpStream::connect(self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                let tls = ClientConnection::new(Arc::clone(&config), rivals::tls::nobody());
                let mut client = Client { stream, tls: tls.map_err(io::Error::other)? };
                client.flush()?;
                clients.push(client);
            }
            for Client { stream, tls } in &mut clients[first..] {
                while tls.is_handshaking() || tls.wants_write() {
                    tls.complete_io(stream)?;
                }
            }
        }
        Ok(clients)
    }

    /// The median of what the target uses in a round.
    fn burst(&self, clients: &mut [Client]) -> io::Result<Duration> {
        let batch = clients.iter().map(|client| client.batch(self.batch)).collect::<io::Result<Vec<_>>>()?;
        let empty = (0..EMPTY_ROUNDS).map(|_| self.play_round(|| Ok(()))).collect::<io::Result<Vec<_>>>()?;
        let mut used = Vec::new();
        for _ in 0..self.warm_up + self.rounds {
            used.push(self.play_round(|| {
                clients.iter_mut().zip(&batch).try_for_each(|(client, batch)| client.write(batch))
            })?);
        }
        Ok(median(&used[self.warm_up..]).saturating_sub(median(&empty)))
    }

    /// Stops the target while `write` writes, and lets it go on; returns the CPU time that it then uses until it is idle.
    fn play_round(&self, write: impl FnOnce() -> io::Result<()>) -> io::Result<Duration> {
        let stopped = self.target.stop()?;
        write()?;
        let before = self.target.cpu()?;
        drop(stopped);
        self.target.settle()?;
        Ok(self.target.cpu()? - before)
    }
}

impl Client {
    /// So many lines of this client.
    fn batch(&self, lines: usize) -> io::Result<Vec<u8>> {
        let mut line = format!("{} client m", self.stream.local_addr()?);
        line.extend(('a'..='z').cycle().take((LINE_BYTES - 1).saturating_sub(line.len())));
        line.push('\n');
        Ok(line.repeat(lines).into_bytes())
    }

    /// Writes this in as few records as it fits into, with as few system calls as rustls needs.
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = self.tls.writer().write(bytes)?;
            bytes = &bytes[count..];
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }
}

impl Target {
    /// User and system time of all its threads.
    fn cpu(&self) -> io::Result<Duration> {
        let clock = nix::time::clock_getcpuclockid(self.0)?;
        Ok(nix::time::clock_gettime(clock)?.into())
    }

    fn state(&self) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    /// Stops it until the guard is dropped.
    fn stop(&self) -> io::Result<Stopped<'_>> {
        kill(self.0, Signal::SIGSTOP)?;
        let stopped = Stopped(self);
        let until = Instant::now() + PATIENCE;
        while self.state() != Some('T') {
            if Instant::now() > until {
                return Err(io::Error::other("the target does not stop"));
            }
            thread::sleep(POLL);
        }
        Ok(stopped)
    }

    /// Waits until its CPU clock stands still.
    fn settle(&self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        let (mut cpu, mut moved_at) = (self.cpu()?, Instant::now());
        while Instant::now() < until {
            thread::sleep(POLL);
            let used = self.cpu()?;
            if used != cpu {
                (cpu, moved_at) = (used, Instant::now());
            } else if moved_at.elapsed() >= IDLE && self.state() != Some('R') {
                return Ok(());
            }
        }
        Err(io::Error::other("the target does not become idle"))
    }
}

/// A target that is stopped; it goes on when this is dropped.
struct Stopped<'a>(&'a Target);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        // It may have ended.
        let _ = kill(self.0.0, Signal::SIGCONT);
    }
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
