//! The screen of the chat on a terminal: notices above, and last the row where the user types.
//!
//! The row is erased, new notices are printed, and the row is drawn again, all in one write at the end of a turn. The
//! editor decides what is in the row; only this file makes escape sequences.
//!
//! The terminal itself finds the place of the cursor: we write the row up to the cursor, save the position, write the
//! rest, and restore the position. So no column is computed from character widths, on which terminals disagree.
//! Wrapping is off while a row is drawn.
//!
//! In the background we leave the terminal alone: a read, a change of settings, or with `tostop` a write would stop
//! the chat and all its sessions. Keys are not read, and output waits until we are in the foreground; over 256 KiB,
//! notices are only counted. Not every shell tells us when that happens, so we check five times a second.

use super::bell::Ringer;
use super::chat_log::ChatLog;
use super::editor::{Editor, Wish};
use super::own_lines::{OwnLine, OwnLines};
use super::phrases::Count;
use super::raw::{MODES_ON, Raw};
use super::stdout::Stdout;
use super::style::{BELL, Look, Piece};
use super::wrap::Entry;
use super::{Screen, Typed};
use crate::chat::notice::Notice;
use crate::limits::{CANDIDATES_SHOWN_MAX, FOREGROUND_RETRY, PASTE_BYTES_MAX};
use crate::proto::clean::{Clean, CleanName};
use jiff::Zoned;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Hides the cursor while a row changes.
const HIDE: &str = "\x1b[?25l";
const SHOW: &str = "\x1b[?25h";
/// Goes to the beginning of the row and erases everything after it.
const WIPE: &str = "\r\x1b[J";
/// A row never wraps, even if the terminal needs more columns for it than we computed.
const WRAP_OFF: &str = "\x1b[?7l";
const WRAP_ON: &str = "\x1b[?7h";
const MARK_CURSOR: &str = "\x1b7";
const BACK_TO_MARK: &str = "\x1b8";
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Shown below the first menu, whose words are fixed.
const HINT: &str = "Type /to NAME to chat, or /help for more commands.\n";

/// Shows notices on a terminal, and the line that is typed there.
#[derive(Debug)]
pub struct Terminal {
    out: Stdout,
    raw: Raw,
    editor: Editor,
    look: Look,
    log: ChatLog,
    columns: u16,
    /// Whether the terminal wraps rows again when it gets narrower; nearly all do.
    is_reflowing: bool,
    row: Drawn,
    /// A line was handed over, but is not yet shown as an answer.
    answered: Option<String>,
    own_lines: OwnLines,
    /// Notices counted instead of shown since the terminal stopped.
    missed: u64,
    ringer: Ringer,
    /// The last flush could not write everything.
    is_behind: bool,
    must_suspend: bool,
    has_hinted: bool,
    is_exiting: bool,
}

/// The row as it is on the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drawn {
    /// It is not drawn; the cursor is at the beginning of an empty row.
    Off,
    /// It is drawn, and the cursor is in this column, or behind it at the end of the row; `true` if the row has
    /// changed since.
    On(usize, bool),
}

impl Terminal {
    /// The screen on descriptors 0 and 1, which `raw` has found; they are taken over with the first
    /// [`Screen::flush`]. Fails when no descriptor is left.
    pub fn new(raw: Raw) -> io::Result<Self> {
        Ok(Self {
            out: Stdout::inherited()?,
            columns: raw.columns(),
            raw,
            editor: Editor::default(),
            look: Look::default(),
            log: ChatLog::default(),
            // xterm sets this variable, and it cuts rows instead of wrapping them; but tmux inside xterm wraps them.
            is_reflowing: std::env::var_os("XTERM_VERSION").is_none() || std::env::var_os("TMUX").is_some(),
            row: Drawn::Off,
            answered: None,
            own_lines: OwnLines::default(),
            missed: 0,
            ringer: Ringer::default(),
            is_behind: false,
            must_suspend: false,
            has_hinted: false,
            is_exiting: false,
        })
    }

    /// This terminal with another look.
    pub fn with_look(self, look: Look) -> Self {
        Self { look, log: ChatLog::new(look), ringer: Ringer::new(look.bell), ..self }
    }

    /// The line editor, to give it data from earlier runs and to take data for later ones.
    pub fn editor_mut(&mut self) -> &mut Editor {
        &mut self.editor
    }

    /// Erases the row, to print something in its place.
    fn take_row_off(&mut self) {
        if self.row != Drawn::Off {
            self.out.append(format_args!("{HIDE}{WIPE}"));
            self.row = Drawn::Off;
        }
    }

    fn note_change(&mut self) {
        if let Drawn::On(column, _) = self.row {
            self.row = Drawn::On(column, true);
        }
    }

    fn draw_row(&mut self) {
        if matches!(self.row, Drawn::On(_, false)) || self.is_exiting {
            return;
        }
        let row = self.editor.row(self.columns.into());
        let (prompt, before) = row.before.split_at(row.warning_bytes);
        let prompt = Piece::new(self.look.colors.of_prompt_to_all(), prompt);
        let after = &row.after;
        self.out.append(format_args!(
            "{HIDE}{WRAP_OFF}\r{prompt}{before}{MARK_CURSOR}{after}\x1b[J{BACK_TO_MARK}{WRAP_ON}{SHOW}"
        ));
        // At the end of the row there is no cell under the cursor that wrapping could move to the next row.
        let column = row.cursor_column.saturating_sub(row.after.is_empty().into());
        self.row = Drawn::On(column, false);
    }

    #[expect(clippy::disallowed_methods, reason = "a message has the time of day, and a bell a limit")]
    fn tell(&mut self, notice: &Notice) {
        self.settle();
        if self.must_miss() {
            self.missed += 1;
            return;
        }
        self.ringer.note(notice, Instant::now());
        if let Notice::Recalled(found) = notice {
            let entries = self.log.recalled(found, &Zoned::now());
            return self.print_all(&entries);
        }
        let entry = self.log.told(notice, &Zoned::now());
        self.print(&entry);
    }

    /// Shows the line that was taken last, in one form or the other.
    fn settle(&mut self) {
        if let Some(line) = self.own_lines.settle() {
            self.show_own(&line);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a message has the time of day")]
    fn show_own(&mut self, line: &OwnLine) {
        let entry = self.log.typed(line, &Zoned::now());
        self.print(&entry);
    }

    /// Prints a sentence of our own above the row; it ends with a newline.
    fn say(&mut self, sentence: impl fmt::Display) {
        self.print(&Entry::new(vec![Piece::plain(sentence.to_string())]));
    }

    /// Prints something above the row.
    fn print(&mut self, entry: &Entry) {
        self.print_all(std::slice::from_ref(entry));
    }

    fn print_all(&mut self, entries: &[Entry]) {
        self.settle();
        if self.must_miss() {
            self.missed += 1;
            return;
        }
        self.take_row_off();
        for entry in entries {
            self.out.append(entry.wrapped(self.columns));
        }
    }

    fn hint(&mut self) {
        if !std::mem::replace(&mut self.has_hinted, true) {
            self.say(HINT);
        }
    }

    /// Once notices are missed, all are until the terminal has taken everything: otherwise one that
    /// drips would show a count after every line.
    fn must_miss(&self) -> bool {
        self.missed > 0 || self.out.is_full()
    }

    fn tell_missed(&mut self) {
        if self.missed > 0 {
            let notices = Count(self.missed, "notice");
            let were = if self.missed == 1 { "was" } else { "were" };
            self.missed = 0;
            self.say(format_args!("… {notices} {were} not shown: the terminal was stopped\n"));
        }
    }

    fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Candidates(candidates) => self.say(Candidates(&candidates)),
            Wish::Clear => {
                self.settle();
                self.take_row_off();
                self.out.append(CLEAR);
            }
            Wish::ConfirmQuit => self.say("Press Ctrl-C again to quit.\n"),
            // A user who typed without looking may have declined by accident.
            Wish::PasteDeclined => self.say("Nothing was pasted.\n"),
            Wish::PasteTooLong => {
                let most = PASTE_BYTES_MAX / 1024;
                self.say(format_args!("That paste is too long; paste at most {most} KiB at once.\n"));
            }
            Wish::Suspend => self.raw.press_suspend(),
        }
    }

    /// Leaves the complete row where it is, and continues below it.
    fn leave_row(&mut self) {
        let (prompt, text) = self.editor.whole_row();
        if !prompt.is_empty() || !text.is_empty() {
            let row = format!("{prompt}{}\n", Clean(text));
            self.say(row);
        }
    }

    /// Leaves the row as it is and stops. After that, everything is drawn again.
    fn stop(&mut self) -> io::Result<bool> {
        self.must_suspend = false;
        self.out.append('\n');
        self.row = Drawn::Off;
        if !self.out.flush()? {
            // The terminal is stopped: the shell would have to wait for it as well.
            return Ok(false);
        }
        self.raw.stop();
        self.redraw();
        self.flush()
    }

    /// In the background the screen belongs to another program: output waits until we are in the foreground, or until
    /// the end of the program.
    fn must_wait(&mut self) -> bool {
        if !self.raw.is_foreground() {
            self.redraw();
        }
        if !self.raw.is_foreground() && std::mem::take(&mut self.must_suspend) {
            self.raw.stop();
            self.redraw();
        }
        let may_write = self.raw.is_foreground() || self.is_exiting && self.raw.may_write();
        !may_write
    }
}

impl Screen<Notice> for Terminal {
    fn show(&mut self, notice: Notice) {
        if notice == Notice::Exiting {
            self.leave_row();
            self.is_exiting = true;
        }
        self.editor.learn(&notice);
        match notice {
            Notice::Prompt(_) => self.note_change(),
            Notice::Clear => self.grant(Wish::Clear),
            Notice::Menu => {
                self.tell(&notice);
                self.hint();
            }
            Notice::Said { to, text } => {
                if let Some(line) = self.own_lines.say(to, text) {
                    self.show_own(&line);
                }
            }
            notice if self.own_lines.is_news(&notice) => self.tell(&notice),
            _ => {}
        }
    }

    fn line_taken(&mut self) {
        self.settle();
        let prompt = self.editor.take_prompt();
        let answer = self.answered.take().unwrap_or_default();
        // An answer that was typed while nothing could be shown is not counted; its outcome is.
        if !self.must_miss() {
            self.own_lines.take(prompt, answer);
        }
        self.note_change();
    }

    fn flush(&mut self) -> io::Result<bool> {
        self.settle();
        if self.must_wait() {
            return Ok(true);
        }
        if self.is_behind && !self.out.flush()? {
            return Ok(false);
        }
        self.tell_missed();
        if self.ringer.take() {
            self.out.append(BELL);
        }
        self.draw_row();
        self.is_behind = !self.out.flush()?;
        if self.must_suspend && !self.is_behind {
            self.is_behind = !self.stop()?;
        }
        Ok(!self.is_behind)
    }

    fn is_full(&self) -> bool {
        false
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.out.fd()
    }

    fn handle_keys(&mut self, bytes: &[u8], now: Instant) {
        self.editor.handle_keys(bytes, now);
    }

    fn wants_keys(&self) -> bool {
        self.raw.is_foreground() && self.editor.wants_keys()
    }

    fn poll_typed(&mut self, wants_line: bool) -> Option<Typed> {
        if self.editor.has_typed(wants_line) {
            self.note_change();
        }
        let typed = self.editor.poll_typed(wants_line);
        while let Some(wish) = self.editor.poll_wish() {
            self.grant(wish);
        }
        if let Some(Typed::Line(line)) = &typed {
            self.answered = Some(line.clone());
        }
        typed
    }

    fn has_typed(&self, wants_line: bool) -> bool {
        self.editor.has_typed(wants_line)
    }

    fn redraw(&mut self) {
        if let Err(error) = self.raw.take() {
            log::debug!("the terminal cannot be set: {error}");
        }
        if !self.raw.is_foreground() {
            return;
        }
        self.columns = self.raw.columns();
        self.out.append(MODES_ON);
        if let Drawn::On(column, _) = self.row {
            // A row that was wider than the terminal is now has been wrapped into several rows.
            let rows_above = if self.is_reflowing { column / usize::from(self.columns) } else { 0 };
            if rows_above > 0 {
                self.out.append(format_args!("\x1b[{rows_above}A"));
            }
            self.take_row_off();
        }
    }

    fn suspend(&mut self) {
        self.must_suspend = true;
    }

    fn restore_terminal(&mut self) {
        if self.raw.is_foreground() {
            self.out.append('\n');
            // A stopped terminal has no row for it anyway.
            let _ = self.out.flush();
        }
        self.raw.restore();
    }

    fn flush_within(&self) -> Option<Duration> {
        (!self.raw.is_foreground()).then_some(FOREGROUND_RETRY)
    }
}

/// What a word may be completed to, in one line.
struct Candidates<'a>(&'a [String]);

impl fmt::Display for Candidates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(CANDIDATES_SHOWN_MAX)];
        for (n, candidate) in shown.iter().enumerate() {
            let space = if n == 0 { "" } else { "  " };
            write!(f, "{space}{}", CleanName(candidate))?;
        }
        match self.0.len() - shown.len() {
            0 => writeln!(f),
            more => writeln!(f, "  … and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(count: usize) -> String {
        let candidates: Vec<String> = (0..count).map(|n| format!("P{n}\x07")).collect();
        Candidates(&candidates).to_string()
    }

    #[test]
    fn candidates_are_one_clean_line_and_many_are_counted() {
        assert_eq!(shown(2), "P0␇  P1␇\n");
        assert!(shown(CANDIDATES_SHOWN_MAX).ends_with("  P19␇\n"));
        assert!(shown(CANDIDATES_SHOWN_MAX + 3).ends_with("  P19␇  … and 3 more\n"));
    }
}
