//! message-io as its own examples use it: `node::split`, and one callback for all events.
//!
//! It shows the event-driven library that fits a chat best: it has the same idea as chinwag's shell, with threads
//! and a queue inside. `Transport::Tcp` gives the bytes as they come; lines are split as in the floor.
//!
//! For fairness the work is done in the callback that borrows the read buffer, without a copy, and the lines of one
//! read are relayed in one send. Three things cannot be changed: the backlog is 1024 instead of the others' 4096;
//! TCP_NODELAY is not set; and `send` spins while the socket is full, so one reader that has stopped holds up
//! everybody.

#![allow(clippy::disallowed_types, reason = "a rival has the map that the library's examples have")]

use message_io::network::{Endpoint, NetEvent, Transport};
use message_io::node::{self, NodeHandler};
use rivals::{Lines, Mode};
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::mem;
use std::net::SocketAddrV4;
use std::process::ExitCode;

struct Server {
    mode: Mode,
    handler: NodeHandler<()>,
    connections: HashMap<Endpoint, Lines>,
}

fn main() -> ExitCode {
    rivals::run(serve)
}

fn serve(mode: Mode, address: SocketAddrV4) -> io::Result<Infallible> {
    let (handler, listener) = node::split::<()>();
    let (_, address) = handler.network().listen(Transport::Tcp, address)?;
    rivals::announce(address)?;
    let mut server = Server { mode, handler, connections: HashMap::new() };
    listener.for_each(move |event| server.on_event(event.network()));
    Err(io::Error::other("the node has stopped"))
}

impl Server {
    fn on_event(&mut self, event: NetEvent<'_>) {
        match event {
            NetEvent::Accepted(endpoint, _) => {
                self.connections.insert(endpoint, Lines::default());
            }
            NetEvent::Message(endpoint, bytes) => self.take(endpoint, bytes),
            NetEvent::Disconnected(endpoint) => {
                if let Some(mut lines) = self.connections.remove(&endpoint) {
                    lines.finish(|line| self.send_to_others(endpoint, line));
                }
            }
            NetEvent::Connected(..) => {}
        }
    }

    fn take(&mut self, endpoint: Endpoint, bytes: &[u8]) {
        let Some(lines) = self.connections.get_mut(&endpoint) else { return };
        let taken = match self.mode {
            Mode::Receive => lines.take(bytes, |_| ()),
            Mode::Echo => {
                self.handler.network().send(endpoint, bytes);
                Ok(())
            }
            Mode::Relay => {
                let mut lines = mem::take(lines);
                let taken = lines.take(bytes, |whole| self.send_to_others(endpoint, whole));
                self.connections.insert(endpoint, lines);
                taken
            }
        };
        if taken.is_err() {
            self.connections.remove(&endpoint);
            self.handler.network().remove(endpoint.resource_id());
        }
    }

    fn send_to_others(&self, sender: Endpoint, lines: &[u8]) {
        if self.mode == Mode::Relay {
            for other in self.connections.keys().filter(|other| **other != sender) {
                self.handler.network().send(*other, lines);
            }
        }
    }
}
