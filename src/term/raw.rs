//! The terminal's settings: taken over for the line editor, and given back after every kind of end.
//!
//! Only what has to do with keys is changed. Newlines still become two bytes on their way out, so what
//! somebody else writes on stderr stays legible, and Ctrl-S and Ctrl-Q stop and start the screen as ever.
//! No flag of an open file is touched.
//!
//! Ctrl-Z sends SIGTSTP to the whole process group. It is caught, as one from outside is: the terminal is given back,
//! and then SIGTTOU, which nobody catches, stops us just as SIGTSTP would have. The system ignores it where no shell
//! could wake us; a SIGSTOP would stop us there for good.

use super::is_ready;
use crate::limits::COLUMNS_DEFAULT;
use rustix::event::PollFlags;
use rustix::fs::fstat;
use rustix::io::retry_on_intr;
use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group, kill_process};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr,
};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::{Mutex, Once, PoisonError};

/// What a terminal is asked for while lines are edited: pastes are marked.
pub const MODES_ON: &str = "\x1b[?2004h";

/// Takes that back; and what a half-written row may have left: no cursor, no wrapping.
const MODES_OFF: &str = "\x1b[?2004l\x1b[?7h\x1b[?25h";

/// Terminals that do nothing but print; a shell in an old Emacs is one of them.
const DUMB: [&str; 3] = ["", "dumb", "emacs"];

/// The settings as they were found, while they are ours; for the panic hook too.
static FOUND: Mutex<Option<Termios>> = Mutex::new(None);
static PANIC_HOOK: Once = Once::new();

/// The terminal on descriptors 0 and 1 is ours as long as this lives, except in the background: there it is
/// the shell's, and must be left alone.
#[derive(Debug)]
pub struct Raw {
    is_in_front: bool,
}

impl Raw {
    /// The terminal, which [`Raw::take`] takes over: first there must be somebody who catches signals. `None`
    /// where there is nothing to edit lines on: descriptors 0 and 1 are not one terminal, or it says that it
    /// is a dumb one.
    pub fn find() -> Option<Self> {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| DUMB.iter().any(|dumb| term == *dumb));
        if is_dumb || !is_one_terminal() || tcgetattr(stdin()).is_err() {
            return None;
        }
        PANIC_HOOK.call_once(|| {
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back("\n");
                hook(panic);
            }));
        });
        Some(Self { is_in_front: false })
    }

    /// Takes the terminal over, also if somebody else had it meanwhile. In the background nothing is done.
    pub fn take(&mut self) -> io::Result<()> {
        self.is_in_front = is_in_foreground();
        if !self.is_in_front {
            return Ok(());
        }
        let stdin = stdin();
        let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        let now = tcgetattr(&stdin)?;
        let mut wanted = now.clone();
        wanted.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
        wanted.special_codes[SpecialCodeIndex::VMIN] = 1;
        wanted.special_codes[SpecialCodeIndex::VTIME] = 0;
        retry_on_intr(|| tcsetattr(&stdin, OptionalActions::Now, &wanted))?;
        // Stopped and woken with nobody else in between, it still has our own settings.
        if found.is_none() || now.local_modes.contains(LocalModes::ICANON) {
            *found = Some(now);
        }
        Ok(())
    }

    /// Whether keys, as they are pressed, and the screen are ours. In the background a read or a change of
    /// settings would stop us, and what we write would disturb whoever is in front. Only [`Raw::take`] finds
    /// out: a shell need not tell.
    pub fn is_in_front(&self) -> bool {
        self.is_in_front
    }

    /// Sends everybody in our process group the signal of Ctrl-Z, as the terminal would.
    pub fn press_suspend(&self) {
        if let Err(error) = kill_current_process_group(Signal::TSTP) {
            log::warn!("the program cannot be suspended: {error}");
        }
    }

    /// Gives the terminal back, for good or until it is taken again.
    pub fn give_back(&mut self) {
        self.is_in_front = false;
        give_back("");
    }

    /// Gives the terminal back and stops; comes back when woken. Where nobody could wake us the system does
    /// not let us stop.
    pub fn stop(&mut self) {
        give_back("");
        // The signal of Ctrl-Z is caught, and what is caught stops nobody; this one does the same.
        if let Err(error) = kill_process(getpid(), Signal::TTOU) {
            log::warn!("the program cannot be stopped: {error}");
        }
        let _ = self.take();
    }

    /// Whether writing does not stop us: with `tostop` it does in the background.
    pub fn may_write(&self) -> bool {
        may_write()
    }

    /// How many columns the terminal has.
    pub fn columns(&self) -> u16 {
        let columns = tcgetwinsize(stdin()).map_or(0, |size| size.ws_col);
        if columns == 0 { COLUMNS_DEFAULT } else { columns }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        give_back("");
    }
}

/// Restores what was found, once; never waits, however the terminal is. `text` goes before.
fn give_back(text: &str) {
    let found = FOUND.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(found) = found else { return };
    let stdout = stdout();
    // So few bytes fit wherever any does.
    if may_write() && is_ready(&stdout, PollFlags::OUT).unwrap_or(false) {
        let _ = rustix::io::write(&stdout, format!("{text}{MODES_OFF}").as_bytes());
    }
    // In the background the settings are the shell's own by now.
    if is_in_foreground() {
        // It may be gone: then there is nothing to restore.
        let _ = retry_on_intr(|| tcsetattr(stdin(), OptionalActions::Now, &found));
    }
}

fn is_one_terminal() -> bool {
    let (stdin, stdout) = (stdin(), stdout());
    let is_same = || Some(fstat(&stdin).ok()?.st_rdev == fstat(&stdout).ok()?.st_rdev);
    stdin.as_fd().is_terminal() && stdout.as_fd().is_terminal() && is_same() == Some(true)
}

/// A terminal that does not control us, or is gone, stops nobody.
fn is_in_foreground() -> bool {
    tcgetpgrp(stdin()).map_or(true, |group| group == getpgrp())
}

fn may_write() -> bool {
    let stops_writers = |settings: Termios| settings.local_modes.contains(LocalModes::TOSTOP);
    is_in_foreground() || !tcgetattr(stdin()).is_ok_and(stops_writers)
}

#[expect(clippy::disallowed_methods, reason = "this is the room for descriptor 0")]
fn stdin() -> io::Stdin {
    io::stdin()
}

#[expect(clippy::disallowed_methods, reason = "this is the room for descriptor 1")]
fn stdout() -> io::Stdout {
    io::stdout()
}
