//! stdin as a part of the event loop. If it cannot be watched, it counts as always ready.

use crate::term::stdin::Stdin;
use crate::term::{Screen, Typed};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind as Kind};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Instant;

/// What the user types, and whether there may be more to read.
#[derive(Debug)]
pub(super) struct Keyboard {
    stdin: Stdin,
    unit: Unit,
    /// There may be more to read. Cleared only when a guarded read found nothing. A regular file cannot be watched,
    /// but always gives something until its end.
    pub(super) is_readable: bool,
    /// A read has failed.
    pub(super) is_broken: bool,
}

/// What stdin gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Keys, from which the screen makes lines.
    Keys,
    /// Lines.
    Lines,
}

impl Keyboard {
    pub(super) fn register(stdin: Stdin, unit: Unit, registry: &Registry, token: Token) -> io::Result<Self> {
        let fd = stdin.as_fd().as_raw_fd();
        match registry.register(&mut SourceFd(&fd), token, Interest::READABLE) {
            // epoll and kqueue refuse what is always ready, such as regular files and /dev/null, with these errors.
            Err(error) if !matches!(error.kind(), Kind::PermissionDenied | Kind::InvalidInput) => Err(error),
            _ => Ok(Self { stdin, unit, is_readable: true, is_broken: false }),
        }
    }

    pub(super) fn deregister(self, registry: &Registry) {
        let fd = self.stdin.as_fd().as_raw_fd();
        // A file was never registered.
        let _ = registry.deregister(&mut SourceFd(&fd));
    }

    /// Whether nothing more can come. On a terminal the key for the end is not the last one: the interrupt key may
    /// follow.
    pub(super) fn is_over(&self) -> bool {
        self.unit == Unit::Lines || self.is_broken || self.stdin.is_finished()
    }

    /// Whether it makes sense to ask for input.
    pub(super) fn is_worth_asking<N>(&self, screen: &impl Screen<N>, wants_line: bool) -> bool {
        match self.unit {
            // Keys are shown as they are pressed, whatever is done with their lines.
            Unit::Keys => {
                let is_over = self.stdin.is_finished() && !screen.has_typed(true);
                self.is_readable && screen.wants_keys() || screen.has_typed(wants_line) || is_over
            }
            Unit::Lines => self.is_readable && wants_line,
        }
    }

    /// The next input of the user. It reads at most once, so that input without newlines cannot hold up the turn.
    pub(super) fn next<N>(
        &mut self,
        screen: &mut impl Screen<N>,
        wants_line: bool,
        now: Instant,
    ) -> Option<Typed> {
        match self.unit {
            Unit::Keys if screen.has_typed(wants_line) => screen.poll_typed(wants_line),
            Unit::Keys => {
                if let Err(end) = self.fill() {
                    return Some(end);
                }
                screen.handle_keys(self.stdin.take_bytes(), now);
                let is_finished = self.stdin.is_finished() && !screen.has_typed(true);
                screen.poll_typed(wants_line).or_else(|| is_finished.then_some(Typed::End))
            }
            Unit::Lines => self.next_line(),
        }
    }

    fn next_line(&mut self) -> Option<Typed> {
        if let Some(line) = self.stdin.next_line() {
            return Some(Typed::Line(line));
        }
        if let Err(end) = self.fill() {
            return Some(end);
        }
        match self.stdin.next_line() {
            Some(line) => Some(Typed::Line(line)),
            None if self.stdin.is_finished() => Some(Typed::End),
            None => None,
        }
    }

    fn fill(&mut self) -> Result<(), Typed> {
        match self.stdin.fill() {
            Ok(is_more) => {
                self.is_readable = is_more;
                Ok(())
            }
            Err(error) => {
                log::warn!("stdin cannot be read: {error}");
                self.is_broken = true;
                Err(Typed::End)
            }
        }
    }
}
