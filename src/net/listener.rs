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

    /// The next connection; `None` if there is none now, and [`Listener::is_ready`] says whether to come
    /// back for more.
    pub(super) fn accept(&mut self, now: Instant) -> Option<(TcpStream, SocketAddr)> {
        self.retry_at = None;
        match self.socket.accept() {
            Ok(accepted) => {
                if self.spare.is_none() {
                    self.spare = open_spare();
                }
                Some(accepted)
            }
            Err(error) if error.kind() == Kind::WouldBlock => {
                self.is_readable = false;
                None
            }
            // The connection was gone before we accepted it. The next one may be good.
            Err(error) if matches!(error.kind(), Kind::Interrupted | Kind::ConnectionAborted) => None,
            Err(error) => {
                if is_out_of_descriptors(&error) {
                    self.refuse_with_spare();
                }
                self.warn(&error, now);
                self.retry_at = Some(now + ACCEPT_RETRY);
                None
            }
        }
    }

    /// A descriptor was freed, so there is no need to wait for the timer.
    pub(super) fn retry_now(&mut self, now: Instant) {
        if let Some(at) = &mut self.retry_at {
            *at = now;
        }
    }

    fn refuse_with_spare(&mut self) {
        if self.spare.take().is_some() {
            if let Ok((stream, _)) = self.socket.accept() {
                refuse(&stream);
            }
            self.spare = open_spare();
        }
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
