//! The screen in the event queue: how it takes what it is given, and who says when a slow one can go on.

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
    /// What is wrong with the screen, to be told by the exit code, since nothing else can.
    pub(super) fault: Option<io::Error>,
}

impl<S> Display<S> {
    pub(super) fn new(screen: S) -> Self {
        Self { screen, watch: Watch::Flowing, fault: None }
    }

    /// Writes what it can without waiting. `true`: the screen has just gone, and nobody will read us again.
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
        // That nobody reads any more is no fault.
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.fault = Some(io::Error::new(error.kind(), format!("the output cannot be written: {error}")));
        }
        true
    }

    /// Whether a program reads it, and has not kept up.
    pub(super) fn is_full<N>(&self) -> bool
    where
        S: Screen<N>,
    {
        self.watch != Watch::Gone && self.screen.is_full()
    }

    /// Whether it has not kept up by so much that nothing may be typed any more.
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

    /// When to flush again, if nobody will say so.
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
    /// It took everything.
    Flowing,
    /// Its reader is slow; the event queue will say when it can go on.
    Watched,
    /// Its reader is slow, and nobody will say so.
    RetryAt(Instant),
    /// Nobody reads it, or will again.
    Gone,
}

impl Watch {
    /// The state after a flush. The screen is in the event queue only while it is slow: with edge
    /// triggering it would report each of our own writes otherwise.
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
