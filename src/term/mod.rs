//! The terminal: descriptors 0, 1 and 2, and the sentences that the user reads.
//!
//! Nothing here ever waits, and nothing ever sets `O_NONBLOCK` on an inherited descriptor: that flag
//! belongs to the open file, which the shell and our own stderr share. This room knows no socket, no
//! event queue and no peer table; the event loop talks to it by [`stdin::Stdin`] and [`Screen`]. A terminal whose
//! lines are edited here is a [`terminal::Terminal`], everything else a [`console::Console`].

pub mod console;
pub mod editor;
pub mod json;
pub mod raw;
mod reasons;
pub mod render;
mod stats;
pub mod stdin;
pub mod stdout;
pub mod style;
pub mod terminal;
pub mod transcript;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Where notices go: a terminal, a program that reads our output, or a test. It is never slow, unless
/// it says otherwise.
pub trait Screen<N> {
    /// Takes one notice; it is handed to the system with the next [`Screen::flush`].
    fn show(&mut self, notice: N);

    /// The user's line was taken: the question on the screen is answered, and what comes next starts
    /// where the answer ended. Call it before the line is handled.
    fn line_taken(&mut self) {}

    /// Writes what it can without waiting; call it once at the end of a turn.
    ///
    /// `Ok(true)`: all is written. `Ok(false)`: the reader is slow; call again once
    /// [`Screen::fd`] is writable. An error: nobody will ever read this, as after `| head`.
    fn flush(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    /// Whether a program reads this and has not kept up: take no more from sockets or from the user
    /// until it has, so that nothing is lost. Never true of a terminal.
    fn is_full(&self) -> bool {
        false
    }

    /// Whether even what the user types must wait. While it is `false`, lines are taken although
    /// [`Screen::is_full`]: a program that types before it reads on would otherwise wait for itself.
    fn is_overfull(&self) -> bool {
        self.is_full()
    }

    /// What to watch for writability after a [`Screen::flush`] that gave `Ok(false)`; the descriptor
    /// is the same for life. `None` if no flush can give that.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Takes keys as the terminal sends them, where lines are edited on the screen.
    fn handle_keys(&mut self, _bytes: &[u8], _now: Instant) {}

    /// Whether it has room for what more keys may bring.
    fn wants_keys(&self) -> bool {
        true
    }

    /// What was typed with those keys; a line or the end only if one is wanted. Ask until there is nothing.
    fn poll_typed(&mut self, _wants_line: bool) -> Option<Typed> {
        None
    }

    /// Whether [`Screen::poll_typed`] has something to do.
    fn has_typed(&self, _wants_line: bool) -> bool {
        false
    }

    /// The terminal has another size, or the program was stopped and goes on: all is to be drawn anew.
    fn redraw(&mut self) {}

    /// The program is to stop, and to go on when it is woken; the next [`Screen::flush`] does it.
    fn suspend(&mut self) {}

    /// The process is about to end without another turn: a terminal is left as it was found.
    fn give_back(&mut self) {}

    /// Within what time it wants another [`Screen::flush`], though nothing happens.
    fn flush_within(&self) -> Option<Duration> {
        None
    }
}

/// What comes from the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// There will be no more.
    End,
    /// The program is to end.
    Interrupt,
    /// A line, without its newline.
    Line(String),
}

/// Collects the notices, for tests and for programs that embed a node.
impl<N> Screen<N> for Vec<N> {
    fn show(&mut self, notice: N) {
        self.push(notice);
    }
}

/// Whether trying is worthwhile now. A hang-up and an error count as well: the read or write that
/// follows tells the truth about them without waiting.
fn is_ready(fd: impl AsFd, wanted: PollFlags) -> io::Result<bool> {
    let mut fds = [PollFd::new(&fd, wanted)];
    let at_once = Timespec::default();
    let ready = rustix::io::retry_on_intr(|| poll(&mut fds, Some(&at_once)))?;
    Ok(ready > 0)
}
