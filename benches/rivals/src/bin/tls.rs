//! TLS 1.3 by rustls on bare mio: the same loop as `mio`, which only receives.
//!
//! It shows what an encrypted line costs with the library that most Rust programs use. A socket is read into one large
//! buffer, so there is one system call for what has come, and the plain text is split where rustls has it.

#![allow(clippy::disallowed_types, reason = "a rival has sockets")]

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rivals::{Lines, Mode, READ_BYTES_MAX};
use rustls::{ServerConfig, ServerConnection};
use slab::Slab;
use std::convert::Infallible;
use std::io::{self, BufRead, ErrorKind, Read};
use std::net::SocketAddrV4;
use std::process::ExitCode;
use std::sync::Arc;

const LISTENER: Token = Token(usize::MAX);

const EVENTS_A_POLL: usize = 1024;

struct Server {
    poll: Poll,
    listener: TcpListener,
    config: Arc<ServerConfig>,
    connections: Slab<Connection>,
}

struct Connection {
    stream: TcpStream,
    tls: Box<ServerConnection>,
    lines: Lines,
}

fn main() -> ExitCode {
    rivals::run(serve)
}

fn serve(mode: Mode, address: SocketAddrV4) -> io::Result<Infallible> {
    if mode != Mode::Receive {
        return Err(io::Error::new(ErrorKind::Unsupported, "over TLS this program only receives"));
    }
    let config = rivals::tls::server()?;
    let mut listener = TcpListener::from_std(rivals::listen(address)?);
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut server = Server { poll, listener, config, connections: Slab::new() };
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
            } else {
                server.read(event.token().0, event.is_read_closed() || event.is_error(), &mut buffer);
            }
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
            stream.set_nodelay(true)?;
            let tls = ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
            let key =
                self.connections.insert(Connection { stream, tls: Box::new(tls), lines: Lines::default() });
            self.read(key, true, buffer);
            if let Some(connection) = self.connections.get_mut(key) {
                self.poll.registry().register(&mut connection.stream, Token(key), Interest::READABLE)?;
            }
        }
    }

    /// Reads until nothing is left.
    fn read(&mut self, key: usize, is_ending: bool, buffer: &mut [u8]) {
        while let Some(connection) = self.connections.get_mut(key) {
            match connection.stream.read(buffer) {
                Ok(count @ 1..) => {
                    if connection.take(&buffer[..count]).is_err() {
                        self.connections.remove(key);
                    } else if count < buffer.len() && !is_ending {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => {
                    connection.lines.finish(|_| ());
                    self.connections.remove(key);
                }
            }
        }
    }
}

impl Connection {
    /// Decrypts what has come, and counts its lines. A handshake is so short that its answer always fits into the
    /// socket's buffer; if it does not, the connection ends.
    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.tls.read_tls(&mut bytes)?;
            let state = self.tls.process_new_packets().map_err(io::Error::other)?;
            if state.plaintext_bytes_to_read() > 0 {
                self.take_text()?;
            }
        }
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }

    fn take_text(&mut self) -> io::Result<()> {
        let mut reader = self.tls.reader();
        loop {
            let text = match reader.fill_buf() {
                Ok([]) => return Ok(()),
                Ok(text) => text,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let length = text.len();
            self.lines.take(text, |_| ()).map_err(|_| ErrorKind::InvalidData)?;
            reader.consume(length);
        }
    }
}
