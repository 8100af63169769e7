//! Bare mio: the smallest loop that an honest peer can have on it.
//!
//! It shows what chinwag's own shell is built on. A slab holds the connections, and its keys are the tokens.
//! Readiness is edge-triggered, and there is one buffer for all reads. What a socket does not take at once waits:
//! an echo does not read on until it is gone, and a relay keeps a bounded amount for each reader and drops what is
//! beyond that.
//!
//! For fairness it has the same shortcuts as the floor: it reads a connection before it registers it, treats a
//! short read as the last one, and asks for writability only if it writes.

#![allow(clippy::disallowed_types, reason = "a rival has sockets")]

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rivals::{Lines, Mode, READ_BYTES_MAX};
use slab::Slab;
use std::convert::Infallible;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::SocketAddrV4;
use std::process::ExitCode;

const LISTENER: Token = Token(usize::MAX);

const EVENTS_A_POLL: usize = 1024;

/// A reader that is further behind than this loses what comes next.
const UNSENT_BYTES_MAX: usize = 256 * 1024;

struct Server {
    mode: Mode,
    poll: Poll,
    listener: TcpListener,
    connections: Slab<Connection>,
}

struct Connection {
    stream: TcpStream,
    lines: Lines,
    /// What the socket has not taken yet.
    unsent: Vec<u8>,
    /// The other side has sent everything; what is unsent still goes out.
    has_ended: bool,
}

fn main() -> ExitCode {
    rivals::run(serve)
}

fn serve(mode: Mode, address: SocketAddrV4) -> io::Result<Infallible> {
    let mut listener = TcpListener::from_std(rivals::listen(address)?);
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;

    let mut server = Server { mode, poll, listener, connections: Slab::new() };
    let mut buffer = vec![0; READ_BYTES_MAX];
    let mut events = Events::with_capacity(EVENTS_A_POLL);
    loop {
        match server.poll.poll(&mut events, None) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            if event.token() == LISTENER {
                server.accept(&mut buffer)?;
                continue;
            }
            let key = event.token().0;
            if event.is_writable() {
                server.write(key);
            }
            server.read(key, event.is_read_closed() || event.is_error(), &mut buffer);
        }
    }
}

impl Server {
    fn accept(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let mut interest = Interest::READABLE;
            if self.mode != Mode::Receive {
                stream.set_nodelay(true)?;
                interest |= Interest::WRITABLE;
            }
            let key = self.connections.insert(Connection {
                stream,
                lines: Lines::default(),
                unsent: Vec::new(),
                has_ended: false,
            });
            self.read(key, true, buffer);
            if let Some(connection) = self.connections.get_mut(key) {
                self.poll.registry().register(&mut connection.stream, Token(key), interest)?;
            }
        }
    }

    /// Reads until nothing is left, or until what is to be echoed does not fit.
    fn read(&mut self, key: usize, is_ending: bool, buffer: &mut [u8]) {
        while let Some(connection) = self.connections.get_mut(key) {
            if connection.has_ended || self.mode == Mode::Echo && !connection.unsent.is_empty() {
                return;
            }
            match connection.stream.read(buffer) {
                Ok(count @ 1..) => {
                    if !self.take(key, &buffer[..count]) {
                        self.connections.remove(key);
                    }
                    if count < buffer.len() && !is_ending {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) => {
                    self.with_lines(key, |lines, relay| lines.finish(relay));
                    self.connections[key].has_ended = true;
                    self.close_if_done(key);
                }
                Err(_) => {
                    self.with_lines(key, |lines, relay| lines.finish(relay));
                    self.connections.remove(key);
                }
            }
        }
    }

    /// Does with the bytes what the mode says; returns whether the connection may go on.
    fn take(&mut self, key: usize, bytes: &[u8]) -> bool {
        match self.mode {
            Mode::Receive => self.connections[key].lines.take(bytes, |_| ()).is_ok(),
            Mode::Echo => self.connections[key].send(bytes).is_ok(),
            Mode::Relay => self.with_lines(key, |lines, relay| lines.take(bytes, relay)).is_ok(),
        }
    }

    /// Calls `split` with the lines of this connection. They are taken out of the slab meanwhile, because `split`
    /// sends to the other connections in it.
    fn with_lines<T>(&mut self, key: usize, split: impl FnOnce(&mut Lines, &mut dyn FnMut(&[u8])) -> T) -> T {
        let mut lines = mem::take(&mut self.connections[key].lines);
        let result = split(&mut lines, &mut |whole| self.send_to_others(key, whole));
        self.connections[key].lines = lines;
        result
    }

    fn send_to_others(&mut self, sender: usize, lines: &[u8]) {
        if self.mode != Mode::Relay {
            return;
        }
        for (key, other) in &mut self.connections {
            if key != sender && other.unsent.len() <= UNSENT_BYTES_MAX {
                // A broken connection has an event of its own, which ends it.
                let _ = other.send(lines);
            }
        }
    }

    fn write(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let unsent = mem::take(&mut connection.unsent);
        if !unsent.is_empty() && connection.send(&unsent).is_err() {
            self.connections.remove(key);
        } else {
            self.close_if_done(key);
        }
    }

    fn close_if_done(&mut self, key: usize) {
        let connection = &self.connections[key];
        if connection.has_ended && connection.unsent.is_empty() {
            self.connections.remove(key);
        }
    }
}

impl Connection {
    /// Sends as much as the socket takes, and keeps the rest.
    fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while self.unsent.is_empty() && !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent.extend_from_slice(bytes);
        Ok(())
    }
}
