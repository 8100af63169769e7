//! The transcript: what was said, appended to a file.
//!
//! It is a screen around the real one, so it gets exactly what is shown, in the same words, and every kind of screen
//! can have one. Lines are collected and written once at the end of a turn. If the file cannot be written, the user is
//! told and the chat goes on; lines are lost then, but no line is written in part.
//!
//! Who wants to know what was said before is answered here: the screen within gets the answer and not the question.
//! The file is read by the descriptor that writes it. So it is the same file, even if another one has its name by now,
//! and nothing is opened that could wait.
//!
//! If the node asked for this file to be written, that would need one more output, and one more input for each fault.
//! The notice of what the user says comes before its outcome. Writing to a regular file may wait for its disk, and
//! then everything waits: that is accepted, as for the log. Files whose opening could wait are refused.

use super::notifier::Notifier;
use super::recall::{Lines, Memory, recall, tail};
use super::record::write_line;
use super::{Screen, Typed};
use crate::chat::notice::{NotRecalled, Notice, Recall, Recalled};
use crate::limits::RECORD_FAULT_INTERVAL;
use crate::proto::clean::Clean;
use crate::proto::fault::Fault;
use jiff::Zoned;
use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A screen, and the transcript of what it shows, if there is one.
#[derive(Debug)]
pub struct Recorded<S> {
    screen: S,
    transcript: Option<Transcript>,
    /// What was said in this run, for a person without a transcript.
    memory: Option<Memory>,
    must_remind: bool,
    notifier: Option<Notifier>,
}

/// A file that lines are appended to.
#[derive(Debug)]
pub struct Transcript<W: Write = File> {
    file: W,
    /// Whole lines, not yet written.
    lines: Vec<u8>,
    /// The last line of the file has no newline.
    is_torn: bool,
    /// The user was told that the file cannot be written, and nothing was written since.
    is_fault_told: bool,
    fault_told_at: Option<Instant>,
    /// How long the file was when it was opened: up to here are earlier runs.
    old_bytes: u64,
}

impl<S> Recorded<S> {
    /// Shows on `screen`, and records in `transcript`. The node must tell what the user says, see
    /// [`Config::is_recorded`](crate::chat::node::Config::is_recorded).
    pub fn new(screen: S, transcript: Option<Transcript>) -> Self {
        Self { screen, transcript, memory: None, must_remind: false, notifier: None }
    }

    /// Keeps what is said in this run, if there is no transcript: a person may ask for it.
    pub fn with_memory(self) -> Self {
        Self { memory: self.transcript.is_none().then(Memory::default), ..self }
    }

    /// Shows what earlier runs have of a conversation when it begins.
    pub fn with_reminders(self) -> Self {
        Self { must_remind: true, ..self }
    }

    /// Runs a command for each message as well.
    pub fn with_notifier(self, notifier: Option<Notifier>) -> Self {
        Self { notifier, ..self }
    }

    /// The screen within.
    pub fn screen_mut(&mut self) -> &mut S {
        &mut self.screen
    }

    /// Answers what is asked of what was said before. `None`: nothing is to be told.
    fn recall(&self, asked: Recall) -> Option<Notice> {
        let is_reminder = matches!(asked, Recall::Before(_));
        if is_reminder && !self.must_remind {
            return None;
        }
        let found = match (&self.transcript, &self.memory) {
            (Some(transcript), _) => transcript.recall(asked),
            (None, Some(memory)) if !is_reminder => Ok(memory.recall(asked)),
            _ => Err(NotRecalled::NoTranscript),
        };
        match found {
            Ok(found) if is_reminder && found.messages.is_empty() => None,
            Ok(found) => Some(Notice::Recalled(Box::new(found))),
            // Nobody asked for it.
            Err(_) if is_reminder => None,
            Err(why) => Some(Notice::NotRecalled(why)),
        }
    }
}

impl<S: Screen<Notice>> Screen<Notice> for Recorded<S> {
    #[expect(clippy::disallowed_methods, reason = "a line has the time of day, and a command a limit")]
    fn show(&mut self, mut notice: Notice) {
        let told = match &mut notice {
            Notice::Answer { notice, .. } => notice,
            notice => notice,
        };
        if let Notice::Recall(asked) = told {
            let Some(answer) = self.recall(asked.clone()) else { return };
            *told = answer;
        }
        if let Some(transcript) = &mut self.transcript {
            transcript.note(&notice, Zoned::now);
        }
        if let Some(memory) = &mut self.memory {
            memory.note(&notice, Zoned::now);
        }
        if let Some(notifier) = &mut self.notifier {
            notifier.note(&notice, Instant::now());
        }
        self.screen.show(notice);
    }

    #[expect(clippy::disallowed_methods, reason = "a fault is reported once in a while")]
    fn flush(&mut self) -> io::Result<bool> {
        if let Some(transcript) = &mut self.transcript
            && let Err(error) = transcript.flush()
            && transcript.must_tell(Instant::now())
        {
            self.screen.show(Notice::NotRecorded(Fault::from(&error)));
        }
        self.notifier.iter_mut().for_each(Notifier::reap);
        self.screen.flush()
    }

    fn line_taken(&mut self) {
        self.screen.line_taken();
    }

    fn is_full(&self) -> bool {
        self.screen.is_full()
    }

    fn is_overfull(&self) -> bool {
        self.screen.is_overfull()
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.screen.fd()
    }

    fn handle_keys(&mut self, bytes: &[u8], now: Instant) {
        self.screen.handle_keys(bytes, now);
    }

    fn wants_keys(&self) -> bool {
        self.screen.wants_keys()
    }

    fn poll_typed(&mut self, wants_line: bool) -> Option<Typed> {
        self.screen.poll_typed(wants_line)
    }

    fn has_typed(&self, wants_line: bool) -> bool {
        self.screen.has_typed(wants_line)
    }

    fn redraw(&mut self) {
        self.screen.redraw();
    }

    fn suspend(&mut self) {
        self.screen.suspend();
    }

    fn restore_terminal(&mut self) {
        self.screen.restore_terminal();
    }

    fn flush_within(&self) -> Option<Duration> {
        self.screen.flush_within()
    }
}

impl Transcript {
    /// Opens a file to append to it. Only the owner can read a new file; an existing file keeps its mode. Never waits.
    /// The error is a sentence for the user.
    pub fn open(path: &Path) -> Result<Self, String> {
        let file = open_file(path).map_err(|error| refusal(path, error))?;
        let mut transcript = Self::new(file);
        transcript.old_bytes = transcript.file.metadata().map_or(0, |about| about.len());
        transcript.is_torn = has_torn_end(&transcript.file, transcript.old_bytes).unwrap_or(false);
        Ok(transcript)
    }

    /// What the file has of this, with what is not yet written to it.
    fn recall(&self, asked: Recall) -> Result<Recalled, NotRecalled> {
        if let Recall::Before(_) = asked {
            return Ok(recall(asked, &tail(&self.file, self.old_bytes)?));
        }
        let Lines { mut bytes, is_partial } = tail(&self.file, u64::MAX)?;
        if bytes.last().is_some_and(|&byte| byte != b'\n') {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(&self.lines);
        Ok(recall(asked, &Lines { bytes, is_partial }))
    }
}

impl<W: Write> Transcript<W> {
    fn new(file: W) -> Self {
        Self {
            file,
            lines: Vec::new(),
            is_torn: false,
            is_fault_told: false,
            fault_told_at: None,
            old_bytes: 0,
        }
    }

    /// Adds the line for a notice, if it has one. The next flush writes it.
    fn note(&mut self, notice: &Notice, now: impl FnOnce() -> Zoned) {
        write_line(&mut self.lines, notice, now);
    }

    /// Writes all lines, or as many bytes as the file takes; the rest is lost.
    fn flush(&mut self) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.lines);
        if self.is_torn && !bytes.is_empty() {
            bytes.insert(0, b'\n');
        }
        let mut written = 0;
        while written < bytes.len() {
            match self.file.write(&bytes[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            self.is_torn = bytes[written - 1] != b'\n';
        }
        self.is_fault_told &= bytes.is_empty();
        Ok(())
    }

    /// Whether to tell the user of a fault, after a flush that failed.
    fn must_tell(&mut self, now: Instant) -> bool {
        let is_soon = self.fault_told_at.is_some_and(|at| now < at + RECORD_FAULT_INTERVAL);
        if self.is_fault_told || is_soon {
            return false;
        }
        (self.is_fault_told, self.fault_told_at) = (true, Some(now));
        true
    }
}

/// A closed screen is not flushed any more, so this is the last chance.
impl<W: Write> Drop for Transcript<W> {
    fn drop(&mut self) {
        // Nobody can be told any more.
        let _ = self.flush();
    }
}

/// Fails with [`Errno::NXIO`] if it is not a file, as the system does for a pipe that nobody reads.
fn open_file(path: &Path) -> rustix::io::Result<File> {
    let flags = OFlags::APPEND | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags | OFlags::WRONLY | OFlags::CREATE, Mode::RUSR | Mode::WUSR)?;
    let about = fstat(&file)?;
    match FileType::from_raw_mode(about.st_mode) {
        FileType::RegularFile => {}
        FileType::CharacterDevice => return Ok(file.into()),
        _ => return Err(Errno::NXIO),
    }
    // Only now, because a pipe that is opened for both would get a reader. A file that can only be written will do too.
    let is_same = |other: &OwnedFd| {
        fstat(other).is_ok_and(|other| (other.st_dev, other.st_ino) == (about.st_dev, about.st_ino))
    };
    let both = rustix::fs::open(path, flags | OFlags::RDWR, Mode::empty()).ok().filter(is_same);
    Ok(both.unwrap_or(file).into())
}

fn refusal(path: &Path, error: Errno) -> String {
    let path = path.to_string_lossy();
    let path = Clean(&path);
    match error {
        Errno::ISDIR | Errno::NXIO => {
            format!("'{path}' is not a file, so it cannot be a transcript; name another one")
        }
        _ => {
            let why = Fault::from(&error.into());
            format!("the transcript '{path}' cannot be opened ({why}); name a file that you may write")
        }
    }
}

/// Whether the last line of a file has no newline, because its writer was interrupted.
fn has_torn_end(file: &File, bytes: u64) -> io::Result<bool> {
    let Some(end) = bytes.checked_sub(1).filter(|_| file.metadata().is_ok_and(|about| about.is_file()))
    else {
        return Ok(false);
    };
    let mut last = [0];
    file.read_exact_at(&mut last, end)?;
    Ok(last != [b'\n'])
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{moment, who};
    use super::*;
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::os::unix::fs::PermissionsExt;
    use std::rc::Rc;

    fn heard(text: &str) -> Notice {
        Notice::heard(who("P1"), text)
    }

    /// Takes so many bytes at each write, and then is full.
    #[derive(Clone, Default)]
    struct Disk(Rc<RefCell<(Vec<u8>, VecDeque<usize>)>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (written, takes) = &mut *self.0.borrow_mut();
            let count = takes.pop_front().ok_or(io::ErrorKind::StorageFull)?.min(bytes.len());
            written.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_loses_lines_but_leaves_no_partial_line() {
        let disk = Disk::default();
        let mut transcript = Transcript::new(disk.clone());
        let mut says = |text, takes: &[usize]| {
            disk.0.borrow_mut().1.extend(takes);
            transcript.note(&heard(text), moment);
            transcript.flush()
        };
        says("one", &[1000]).unwrap();
        says("two", &[10, 20]).unwrap_err();
        says("three", &[]).unwrap_err();
        says("four", &[1]).unwrap_err();
        says("five", &[10, 1000]).unwrap();
        let head = "2026-02-27T23:04:59-03:00 < 127.0.0.1:8080 P1 ";
        let written = String::from_utf8(disk.0.borrow().0.clone()).unwrap();
        assert_eq!(written, format!("{head}one\n{}\n{head}five\n", &head[..30]));
    }

    #[test]
    fn a_fault_is_reported_again_only_after_a_successful_write_and_some_time() {
        let disk = Disk::default();
        let mut transcript = Transcript::new(disk.clone());
        let start = crate::testing::start();
        let soon = RECORD_FAULT_INTERVAL / 2;
        let table = [
            (Duration::ZERO, false, true),
            (Duration::ZERO, false, false),
            (RECORD_FAULT_INTERVAL * 2, false, false),
            (RECORD_FAULT_INTERVAL * 2, true, false),
            (RECORD_FAULT_INTERVAL * 2, false, true),
            (RECORD_FAULT_INTERVAL * 2, true, false),
            (RECORD_FAULT_INTERVAL * 2 + soon, false, false),
            (RECORD_FAULT_INTERVAL * 3, false, true),
        ];
        for (n, (after, is_room, is_told)) in table.into_iter().enumerate() {
            disk.0.borrow_mut().1.extend(is_room.then_some(1000));
            transcript.note(&heard("hi"), moment);
            let outcome = transcript.flush();
            assert_eq!(outcome.is_ok(), is_room);
            assert_eq!(outcome.is_err() && transcript.must_tell(start + after), is_told, "{n}");
            // A flush of nothing does not prove that a write would succeed.
            transcript.flush().unwrap();
        }
    }

    #[test]
    fn only_its_owner_reads_a_new_file_and_an_old_file_keeps_its_lines_and_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("transcript");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let record = || Transcript::open(&path).unwrap().note(&heard("hi"), moment);
        record();
        assert_eq!(mode(), 0o600);
        let line = "2026-02-27T23:04:59-03:00 < 127.0.0.1:8080 P1 hi\n";
        std::fs::write(&path, format!("{line}to")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        record();
        record();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{line}to\n{line}{line}"));
        assert_eq!(mode(), 0o644);
    }
}
