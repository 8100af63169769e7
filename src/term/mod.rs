//! The terminal: descriptors 0, 1 and 2, and the sentences that the user reads.
//!
//! Nothing here ever waits, and nothing sets `O_NONBLOCK` on an inherited descriptor: that flag belongs to the open
//! file, which the shell and our own stderr share. This module knows no socket, no event queue and no peer table; the
//! event loop talks to it through [`stdin::Stdin`] and [`Screen`]. A terminal whose lines are edited here is a
//! [`terminal::Terminal`], everything else is a [`console::Console`].

pub mod addresses;
pub mod bell;
mod chat_log;
mod columns;
pub mod console;
mod diagnosis;
pub mod editor;
mod event;
mod found;
pub mod json;
mod keys;
mod later;
mod mistakes;
pub mod nearby;
pub mod notifier;
mod own_lines;
mod phrases;
pub mod prompts;
pub mod raw;
mod reasons;
mod recall;
mod record;
pub mod render;
pub mod schema;
mod stats;
pub mod stdin;
pub mod stdout;
pub mod style;
pub mod terminal;
pub mod transcript;
mod wrap;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Where notices go: a terminal, a program that reads our output, or a test. The default methods are for a screen that
/// is never slow.
pub trait Screen<N> {
    /// Takes one notice; it is handed to the system with the next [`Screen::flush`].
    fn show(&mut self, notice: N);

    /// The user's line was taken: the prompt on the screen is answered, and the next output starts where the answer
    /// ended. Call it before the line is handled.
    fn line_taken(&mut self) {}

    /// Writes what it can without waiting; call it once at the end of a turn.
    ///
    /// `Ok(true)`: all is written. `Ok(false)`: the reader is slow; call again once
    /// [`Screen::fd`] is writable. An error: nobody will ever read this, as after `| head`.
    fn flush(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    /// Whether a program reads this and is too slow. While it is `true`, take nothing from sockets or from the user,
    /// so that nothing is lost. Never `true` for a terminal.
    fn is_full(&self) -> bool {
        false
    }

    /// Whether even typed lines must wait. While it is `false`, lines are taken although [`Screen::is_full`]: waiting
    /// would deadlock with a program that writes its answer before it reads on.
    fn is_overfull(&self) -> bool {
        self.is_full()
    }

    /// What to watch for writability after a [`Screen::flush`] that returned `Ok(false)`. The descriptor never
    /// changes. `None` if no flush can return that.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Takes keys as the terminal sends them, where lines are edited on the screen.
    fn handle_keys(&mut self, _bytes: &[u8], _now: Instant) {}

    /// Whether it has room for more keys.
    fn wants_keys(&self) -> bool {
        true
    }

    /// What was typed with those keys; a line or the end only if a line is wanted. Call it until it returns `None`.
    fn poll_typed(&mut self, _wants_line: bool) -> Option<Typed> {
        None
    }

    /// Whether [`Screen::poll_typed`] has something to do.
    fn has_typed(&self, _wants_line: bool) -> bool {
        false
    }

    /// The terminal has changed its size, or the program continues after a stop: everything must be drawn again.
    fn redraw(&mut self) {}

    /// The program must stop, and continue when it is woken; the next [`Screen::flush`] does it.
    fn suspend(&mut self) {}

    /// The process is about to end without another turn: restores the terminal.
    fn restore_terminal(&mut self) {}

    /// Within what time it wants another [`Screen::flush`], even if nothing happens.
    fn flush_within(&self) -> Option<Duration> {
        None
    }
}

/// What comes from the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// There will be no more input.
    End,
    /// The user asks the program to end.
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

/// Whether a read or write will not wait now. A hang-up and an error count too: the call that follows reports them
/// without waiting.
fn is_ready(fd: impl AsFd, wanted: PollFlags) -> io::Result<bool> {
    let mut fds = [PollFd::new(&fd, wanted)];
    let at_once = Timespec::default();
    let ready = rustix::io::retry_on_intr(|| poll(&mut fds, Some(&at_once)))?;
    Ok(ready > 0)
}
