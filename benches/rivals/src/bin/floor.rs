//! The floor: the least work that a peer on one thread can do with epoll.
//!
//! It uses no library. Each step is one bare system call, and a step is left out if its result is known: a read
//! that did not fill the buffer is the last one, unless the end of the stream was announced; a connection is read
//! as soon as it is accepted, and registered only if it did not end there. The descriptor is the index into the
//! table and the data of the event, so nothing is looked up. A message allocates nothing, unless it came in two
//! reads.
//!
//! It leaves out what a real peer cannot leave out: it has no send queues, so what does not fit into a socket is
//! lost; it does not close a connection that cannot be written to; and a peer that never stops sending starves the
//! others.

#![allow(clippy::disallowed_types, reason = "a rival has sockets")]

use rivals::{Lines, Mode, READ_BYTES_MAX};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send, sockopt};
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddrV4, TcpListener};
use std::process::ExitCode;

const EVENTS_A_WAIT: usize = 1024;

/// The end of the stream is announced once. It comes in the queue after the bytes that are still to be read.
const END: EventFlags = EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR);

struct Floor {
    mode: Mode,
    epoll: OwnedFd,
    listener: TcpListener,
    /// Indexed by descriptor.
    connections: Vec<Option<Connection>>,
}

struct Connection {
    socket: OwnedFd,
    lines: Lines,
}

fn main() -> ExitCode {
    rivals::run(serve)
}

fn serve(mode: Mode, address: SocketAddrV4) -> io::Result<Infallible> {
    let listener = rivals::listen(address)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let listening = index(&listener);
    epoll::add(&epoll, &listener, EventData::new_u64(listening as u64), EventFlags::IN | EventFlags::ET)?;

    let mut floor = Floor { mode, epoll, listener, connections: Vec::new() };
    let mut buffer = vec![0; READ_BYTES_MAX];
    let mut events: Vec<Event> = Vec::with_capacity(EVENTS_A_WAIT);
    loop {
        events.clear();
        match epoll::wait(&floor.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let (data, flags) = (event.data, event.flags);
            let descriptor = data.u64() as usize;
            if descriptor == listening {
                floor.accept(&mut buffer)?;
            } else {
                floor.read(descriptor, flags.intersects(END), &mut buffer);
            }
        }
    }
}

impl Floor {
    fn accept(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            let socket = match accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(error) => return Err(error.into()),
            };
            if self.mode != Mode::Receive {
                sockopt::set_tcp_nodelay(&socket, true)?;
            }
            let descriptor = index(&socket);
            if descriptor >= self.connections.len() {
                self.connections.resize_with(descriptor + 1, || None);
            }
            self.connections[descriptor] = Some(Connection { socket, lines: Lines::default() });
            self.read(descriptor, true, buffer);
            if let Some(connection) = &self.connections[descriptor] {
                let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
                epoll::add(&self.epoll, &connection.socket, EventData::new_u64(descriptor as u64), flags)?;
            }
        }
    }

    /// Reads what there is, and forgets the connection at its end.
    fn read(&mut self, descriptor: usize, is_ending: bool, buffer: &mut [u8]) {
        // While it is out of the table, it is not one of the others.
        let Some(mut connection) = self.connections[descriptor].take() else { return };
        loop {
            match recv(&connection.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((1.., count)) => {
                    if !self.take(&mut connection, &buffer[..count]) {
                        return;
                    }
                    if count < buffer.len() && !is_ending {
                        break;
                    }
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => {
                    connection.lines.finish(|line| self.send_to_others(line));
                    return;
                }
            }
        }
        self.connections[descriptor] = Some(connection);
    }

    /// Does with the bytes what the mode says; returns whether the connection may go on.
    fn take(&self, connection: &mut Connection, bytes: &[u8]) -> bool {
        match self.mode {
            Mode::Receive => connection.lines.take(bytes, |_| ()).is_ok(),
            Mode::Echo => {
                let _ = send(&connection.socket, bytes, SendFlags::NOSIGNAL);
                true
            }
            Mode::Relay => connection.lines.take(bytes, |lines| self.send_to_others(lines)).is_ok(),
        }
    }

    fn send_to_others(&self, lines: &[u8]) {
        if self.mode == Mode::Relay {
            for other in self.connections.iter().flatten() {
                let _ = send(&other.socket, lines, SendFlags::NOSIGNAL);
            }
        }
    }
}

fn index(descriptor: &impl AsRawFd) -> usize {
    usize::try_from(descriptor.as_raw_fd()).expect("an open descriptor is not negative")
}
