//! stdin in the event queue: watched where that is possible, always ready where it is not.

use crate::term::stdin::Stdin;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind as Kind};
use std::os::fd::{AsFd, AsRawFd};

/// What the user types, and whether there may be more of it.
#[derive(Debug)]
pub(super) struct Keyboard {
    stdin: Stdin,
    /// Lines may be had. Cleared only when a guarded read found nothing; a regular file, which cannot
    /// be watched, always gives something until its end.
    pub(super) is_readable: bool,
}

/// What comes next from the user.
#[derive(Debug)]
pub(super) enum Typed {
    End,
    Line(String),
    /// Nothing now.
    Nothing,
}

impl Keyboard {
    pub(super) fn register(stdin: Stdin, registry: &Registry, token: Token) -> io::Result<Self> {
        let fd = stdin.as_fd().as_raw_fd();
        match registry.register(&mut SourceFd(&fd), token, Interest::READABLE) {
            // So epoll and kqueue refuse what is always ready, as regular files and /dev/null.
            Err(error) if !matches!(error.kind(), Kind::PermissionDenied | Kind::InvalidInput) => Err(error),
            _ => Ok(Self { stdin, is_readable: true }),
        }
    }

    pub(super) fn deregister(self, registry: &Registry) {
        let fd = self.stdin.as_fd().as_raw_fd();
        // A file was never registered.
        let _ = registry.deregister(&mut SourceFd(&fd));
    }

    /// The next line; reads once at most, so that input without newlines cannot hold up the turn.
    pub(super) fn next(&mut self) -> Typed {
        if let Some(line) = self.stdin.next_line() {
            return Typed::Line(line);
        }
        match self.stdin.fill() {
            Ok(is_more) => self.is_readable = is_more,
            Err(error) => {
                log::warn!("stdin cannot be read: {error}");
                return Typed::End;
            }
        }
        match self.stdin.next_line() {
            Some(line) => Typed::Line(line),
            None if self.stdin.is_finished() => Typed::End,
            None => Typed::Nothing,
        }
    }
}
