//! The terminal's settings: changed for the line editor, and restored however the program ends.
//!
//! Only settings for keys are changed. Newlines are still written as two bytes, so what others write on stderr stays
//! legible, and Ctrl-S and Ctrl-Q still stop and start the screen. No flag of an open file is touched.
//!
//! Ctrl-Z sends SIGTSTP to the whole process group. We catch it, as any SIGTSTP: the terminal is restored, and then
//! SIGTTOU, which is not caught, stops us just as SIGTSTP would have. The system ignores SIGTTOU if no shell could
//! wake us; a SIGSTOP would stop us there for good.

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

/// Turned on while lines are edited: the terminal marks pastes.
pub const MODES_ON: &str = "\x1b[?2004h";

/// Turns that off, and turns on the cursor and wrapping, which a half-written row may have left off.
const MODES_OFF: &str = "\x1b[?2004l\x1b[?7h\x1b[?25h";

/// Terminals that can only print, such as a shell in an old Emacs.
const DUMB: [&str; 3] = ["", "dumb", "emacs"];

/// The settings as they were at the start, while ours are in effect; also for the panic hook.
static FOUND: Mutex<Option<Termios>> = Mutex::new(None);
static PANIC_HOOK: Once = Once::new();

/// While this lives, we control the terminal on descriptors 0 and 1, except in the background: there the shell
/// controls it, and we must leave it alone.
#[derive(Debug)]
pub struct Raw {
    is_foreground: bool,
}

impl Raw {
    /// Finds the terminal, which [`Raw::take`] takes over later: first the signals must be caught. `None` if lines
    /// cannot be edited: descriptors 0 and 1 are not the same terminal, or it is a dumb one.
    pub fn find() -> Option<Self> {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| DUMB.iter().any(|dumb| term == *dumb));
        if is_dumb || !is_one_terminal() || tcgetattr(stdin()).is_err() {
            return None;
        }
        PANIC_HOOK.call_once(|| {
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore("\n");
                hook(panic);
            }));
        });
        Some(Self { is_foreground: false })
    }

    /// Takes the terminal over, also if another program had it in between. In the background nothing is done.
    pub fn take(&mut self) -> io::Result<()> {
        self.is_foreground = is_in_foreground();
        if !self.is_foreground {
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
        // After a stop without another program in between, it still has our own settings.
        if found.is_none() || now.local_modes.contains(LocalModes::ICANON) {
            *found = Some(now);
        }
        Ok(())
    }

    /// Whether we may read keys and draw. In the background a read or a change of settings would stop us, and our
    /// output would disturb the program in the foreground. Only [`Raw::take`] finds out, because a shell need not tell
    /// us.
    pub fn is_foreground(&self) -> bool {
        self.is_foreground
    }

    /// Sends our process group the signal of Ctrl-Z, as the terminal would.
    pub fn press_suspend(&self) {
        if let Err(error) = kill_current_process_group(Signal::TSTP) {
            log::warn!("the program cannot be suspended: {error}");
        }
    }

    /// Restores the terminal, until it is taken again.
    pub fn restore(&mut self) {
        self.is_foreground = false;
        restore("");
    }

    /// Restores the terminal and stops; returns when woken. If nobody could wake us, the system does not let us stop.
    pub fn stop(&mut self) {
        restore("");
        // The signal of Ctrl-Z is caught, so it would not stop us; this one does.
        if let Err(error) = kill_process(getpid(), Signal::TTOU) {
            log::warn!("the program cannot be stopped: {error}");
        }
        let _ = self.take();
    }

    /// Whether writing is allowed: with `tostop`, writing in the background stops us.
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
        restore("");
    }
}

/// Writes `text` and restores the settings, once. It never waits, whatever the state of the terminal.
fn restore(text: &str) {
    let found = FOUND.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(found) = found else { return };
    let stdout = stdout();
    // So few bytes always fit if anything fits.
    if may_write() && is_ready(&stdout, PollFlags::OUT).unwrap_or(false) {
        let _ = rustix::io::write(&stdout, format!("{text}{MODES_OFF}").as_bytes());
    }
    // In the background the shell has already set its own settings.
    if is_in_foreground() {
        // The terminal may be gone: then there is nothing to restore.
        let _ = retry_on_intr(|| tcsetattr(stdin(), OptionalActions::Now, &found));
    }
}

fn is_one_terminal() -> bool {
    let (stdin, stdout) = (stdin(), stdout());
    let is_same = || Some(fstat(&stdin).ok()?.st_rdev == fstat(&stdout).ok()?.st_rdev);
    stdin.as_fd().is_terminal() && stdout.as_fd().is_terminal() && is_same() == Some(true)
}

/// A terminal that does not control us, or is gone, cannot stop us.
fn is_in_foreground() -> bool {
    tcgetpgrp(stdin()).map_or(true, |group| group == getpgrp())
}

fn may_write() -> bool {
    let stops_writers = |settings: Termios| settings.local_modes.contains(LocalModes::TOSTOP);
    is_in_foreground() || !tcgetattr(stdin()).is_ok_and(stops_writers)
}

#[expect(clippy::disallowed_methods, reason = "this is the module for descriptor 0")]
fn stdin() -> io::Stdin {
    io::stdin()
}

#[expect(clippy::disallowed_methods, reason = "this is the module for descriptor 1")]
fn stdout() -> io::Stdout {
    io::stdout()
}
