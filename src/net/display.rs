//! The screen as a part of the event loop: it writes without waiting, and if the reader is slow it waits for an event
//! or a timer.

use crate::limits::SCREEN_RETRY;
use crate::term::Screen;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Instant;

/// The screen, and what is known of its reader.
#[derive(Debug)]
pub(super) struct Display<S> {
    pub(super) screen: S,
    watch: Watch,
    /// What is wrong with the screen. Only the exit code can report it.
    pub(super) fault: Option<io::Error>,
}

impl<S> Display<S> {
    pub(super) fn new(screen: S) -> Self {
        Self { screen, watch: Watch::Flowing, fault: None }
    }

    /// Writes what it can without waiting. `true` if the screen has just been closed, so that nobody will read us
    /// again.
    pub(super) fn flush<N>(&mut self, registry: &Registry, token: Token, now: Instant) -> bool
    where
        S: Screen<N>,
    {
        if self.watch == Watch::Gone {
            return false;
        }
        let flushed = self.screen.flush();
        let is_slow = matches!(flushed, Ok(false));
        self.watch = self.watch.after_flush(is_slow, self.screen.fd(), registry, token, now);
        let Err(error) = flushed else { return false };
        self.watch = Watch::Gone;
        // It is not a fault if nobody reads any more.
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.fault = Some(io::Error::new(error.kind(), format!("the output cannot be written: {error}")));
        }
        true
    }

    /// Whether a program reads it and is too slow.
    pub(super) fn is_full<N>(&self) -> bool
    where
        S: Screen<N>,
    {
        self.watch != Watch::Gone && self.screen.is_full()
    }

    /// Whether its reader is so slow that not even typed lines may be taken.
    pub(super) fn is_overfull<N>(&self) -> bool
    where
        S: Screen<N>,
    {
        self.watch != Watch::Gone && self.screen.is_overfull()
    }

    /// Whether something waits for its reader.
    pub(super) fn is_slow(&self) -> bool {
        matches!(self.watch, Watch::Watched | Watch::RetryAt(_))
    }

    /// When to flush again, if no event will call for it.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        match self.watch {
            Watch::RetryAt(at) => Some(at),
            Watch::Flowing | Watch::Watched | Watch::Gone => None,
        }
    }
}

/// The state of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// It has written everything.
    Flowing,
    /// Its reader is slow; an event will come when it can go on.
    Watched,
    /// Its reader is slow, and no event will come.
    RetryAt(Instant),
    /// It is closed: nobody will read it again.
    Gone,
}

impl Watch {
    /// The state after a flush. The screen is in the event queue only while it is slow. Otherwise, with edge
    /// triggering, each of our own writes would cause an event.
    fn after_flush(
        self,
        is_slow: bool,
        fd: Option<BorrowedFd<'_>>,
        registry: &Registry,
        token: Token,
        now: Instant,
    ) -> Self {
        let fd = fd.map(|fd| fd.as_raw_fd());
        match (self, is_slow, fd) {
            (Self::Watched, true, _) => Self::Watched,
            (Self::Watched, false, Some(fd)) => {
                let _ = registry.deregister(&mut SourceFd(&fd));
                Self::Flowing
            }
            (_, false, _) => Self::Flowing,
            (_, true, Some(fd))
                if registry.register(&mut SourceFd(&fd), token, Interest::WRITABLE).is_ok() =>
            {
                Self::Watched
            }
            (_, true, _) => Self::RetryAt(now + SCREEN_RETRY),
        }
    }
}
