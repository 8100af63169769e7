//! How the screen takes what it is given, and who says when a slow one can go on.

use crate::limits::SCREEN_RETRY;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Instant;

/// The state of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScreenWatch {
    /// It took everything.
    Flowing,
    /// Its reader is slow; the event queue will say when it can go on.
    Watched,
    /// Its reader is slow, and nobody will say so.
    RetryAt(Instant),
    /// Nobody reads it, or will again.
    Gone,
}

impl ScreenWatch {
    pub(super) fn is_slow(self) -> bool {
        matches!(self, Self::Watched | Self::RetryAt(_))
    }

    pub(super) fn retry_at(self) -> Option<Instant> {
        match self {
            Self::RetryAt(at) => Some(at),
            Self::Flowing | Self::Watched | Self::Gone => None,
        }
    }

    /// The state after a flush. The screen is in the event queue only while it is slow: with edge
    /// triggering it would report each of our own writes otherwise.
    pub(super) fn after_flush(
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
