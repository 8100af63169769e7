//! Accepts connections, and goes on when the system has no descriptor left.
//!
//! With edge triggering no event comes for what was left in the backlog. So the readiness bit stays set until
//! `WouldBlock`, and if the descriptor table is full, a spare descriptor and a timer help.
//!
//! A connection that is refused is reset. An orderly end after an accept would tell the dialler that its message was
//! taken.

use super::socket::{is_out_of_descriptors, refuse};
use crate::limits::{ACCEPT_RETRY, WARN_INTERVAL};
use mio::net::{TcpListener, TcpStream};
use std::fs::File;
use std::io::{self, ErrorKind as Kind};
use std::net::SocketAddr;
use std::time::Instant;

/// The result of an attempt to accept a connection.
#[derive(Debug)]
pub(super) enum Accepted {
    /// There is none now; [`Listener::is_ready`] says whether to try again.
    Nothing,
    /// No descriptor was left for it: it was accepted with the spare one, and reset.
    Refused(SocketAddr),
    Taken(TcpStream, SocketAddr),
}

/// The listening socket and its readiness.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    /// Cleared only by `WouldBlock`.
    pub(super) is_readable: bool,
    /// It is closed for a moment so that one connection can be accepted and refused, instead of waiting without an
    /// answer.
    spare: Option<File>,
    /// The system could not give us the next connection; when to try again.
    pub(super) retry_at: Option<Instant>,
    warned_at: Option<Instant>,
}

impl Listener {
    pub(super) fn new(socket: TcpListener) -> Self {
        Self { socket, is_readable: false, spare: open_spare(), retry_at: None, warned_at: None }
    }

    /// Whether an accept may give something now.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        self.is_readable && self.retry_at.is_none_or(|at| at <= now)
    }

    /// Takes the next connection.
    pub(super) fn accept(&mut self, now: Instant) -> Accepted {
        self.retry_at = None;
        match self.socket.accept() {
            Ok((stream, from)) => {
                if self.spare.is_none() {
                    self.spare = open_spare();
                }
                Accepted::Taken(stream, from)
            }
            Err(error) if error.kind() == Kind::WouldBlock => {
                self.is_readable = false;
                Accepted::Nothing
            }
            // The connection was gone before we accepted it. The next one may be good.
            Err(error) if matches!(error.kind(), Kind::Interrupted | Kind::ConnectionAborted) => {
                Accepted::Nothing
            }
            Err(error) => {
                self.warn(&error, now);
                self.retry_at = Some(now + ACCEPT_RETRY);
                let refused = is_out_of_descriptors(&error).then(|| self.refuse_with_spare()).flatten();
                refused.map_or(Accepted::Nothing, Accepted::Refused)
            }
        }
    }

    /// A descriptor was freed, so there is no need to wait for the timer.
    pub(super) fn retry_now(&mut self, now: Instant) {
        if let Some(at) = &mut self.retry_at {
            *at = now;
        }
    }

    /// Returns the address of the refused peer.
    fn refuse_with_spare(&mut self) -> Option<SocketAddr> {
        self.spare.take()?;
        let refused = self.socket.accept().ok().map(|(stream, from)| {
            refuse(&stream);
            log::debug!("{from}: refused; no descriptor is left");
            from
        });
        self.spare = open_spare();
        refused
    }

    fn warn(&mut self, error: &io::Error, now: Instant) {
        if self.warned_at.is_none_or(|at| now >= at + WARN_INTERVAL) {
            self.warned_at = Some(now);
            log::warn!("a peer was refused: {error}");
        }
    }
}

fn open_spare() -> Option<File> {
    File::open("/dev/null").ok()
}
