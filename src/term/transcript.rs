//! The transcript: what was said, appended to a file.
//!
//! It is a screen around the real one, so it gets exactly what is shown, in the same words, and every kind of screen
//! can have one. Lines are collected and written once at the end of a turn. If the file cannot be written, the user is
//! told and the chat goes on; lines are lost then, but no line is written in part.
//!
//! If the node asked for this file to be written, that would need one more output, and one more input for each fault.
//! The notice of what the user says comes before its outcome. Writing to a regular file may wait for its disk, and
//! then everything waits: that is accepted, as for the log. Files whose opening could wait are refused.

use super::addresses::At;
use super::notifier::Notifier;
use super::render::Sentence;
use super::{Screen, Typed};
use crate::chat::notice::{Notice, SaidTo, Who};
use crate::limits::RECORD_FAULT_INTERVAL;
use crate::proto::clean::{Clean, CleanName};
use crate::proto::fault::Fault;
use jiff::Zoned;
use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;
use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// A screen, and the transcript of what it shows, if there is one.
#[derive(Debug)]
pub struct Recorded<S> {
    screen: S,
    transcript: Option<Transcript>,
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
}

impl<S> Recorded<S> {
    /// Shows on `screen`, and records in `transcript`. The node must tell what the user says, see
    /// [`Config::is_recorded`](crate::chat::node::Config::is_recorded).
    pub fn new(screen: S, transcript: Option<Transcript>) -> Self {
        Self { screen, transcript, notifier: None }
    }

    /// Runs a command for each message as well.
    pub fn with_notifier(self, notifier: Option<Notifier>) -> Self {
        Self { notifier, ..self }
    }

    /// The screen within.
    pub fn screen_mut(&mut self) -> &mut S {
        &mut self.screen
    }
}

impl<S: Screen<Notice>> Screen<Notice> for Recorded<S> {
    #[expect(clippy::disallowed_methods, reason = "a line has the time of day, and a command a limit")]
    fn show(&mut self, notice: Notice) {
        if let Some(transcript) = &mut self.transcript {
            transcript.note(&notice, Zoned::now);
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
        transcript.is_torn = has_torn_end(path).unwrap_or(false);
        Ok(transcript)
    }
}

impl<W: Write> Transcript<W> {
    fn new(file: W) -> Self {
        Self { file, lines: Vec::new(), is_torn: false, is_fault_told: false, fault_told_at: None }
    }

    /// Adds the line for a notice, if it has one. The next flush writes it.
    fn note(&mut self, notice: &Notice, now: impl FnOnce() -> Zoned) {
        if let Some(entry) = Entry::of(notice) {
            let time = now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
            // Writing to memory cannot fail.
            let _ = writeln!(self.lines, "{time} {entry}");
        }
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
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?;
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile | FileType::CharacterDevice => Ok(file.into()),
        _ => Err(Errno::NXIO),
    }
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
fn has_torn_end(path: &Path) -> io::Result<bool> {
    if !path.metadata()?.is_file() {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != [b'\n'])
}

/// A line without its time. Messages have fields; everything else is a sentence after a mark.
enum Entry<'a> {
    Heard(&'a Who, &'a str),
    Said(&'a SaidTo, &'a str),
    NotSent(Sentence<'a>),
    News(Sentence<'a>),
}

impl<'a> Entry<'a> {
    fn of(notice: &'a Notice) -> Option<Self> {
        Some(match notice {
            Notice::Answer { notice, .. } => return Self::of(notice),
            Notice::Message { who, text, .. } => Self::Heard(who, text),
            Notice::Said { to, text } => Self::Said(to, text),
            Notice::NotSent { .. } => Self::NotSent(Sentence(notice)),
            Notice::Accepted(_)
            | Notice::Connected(_)
            | Notice::Disconnected(_)
            | Notice::Exiting
            | Notice::ExitSent(_)
            | Notice::Folded { .. }
            | Notice::Listening { .. }
            | Notice::Lost { .. }
            | Notice::NewPeer(_)
            | Notice::Raw { .. }
            | Notice::Renamed { .. } => Self::News(Sentence(notice)),
            _ => return None,
        })
    }
}

impl Display for Entry<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heard(who, text) => write!(f, "< {} {}", Fields(who), Clean(text)),
            Self::Said(SaidTo::One(who), text) => write!(f, "> {} {}", Fields(who), Clean(text)),
            Self::Said(SaidTo::All(peers), text) => write!(f, "> all {peers} {}", Clean(text)),
            Self::NotSent(sentence) => write!(f, "! {}", sentence.to_string().trim_end()),
            Self::News(sentence) => write!(f, "* {}", sentence.to_string().trim_end()),
        }
    }
}

/// Address and name, or a dash if there is no name.
struct Fields<'a>(&'a Who);

impl Display for Fields<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Who { address, name } = self.0;
        let address = At(*address);
        let name = if name.is_empty() { "-" } else { name };
        write!(f, "{address} {}", CleanName(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::notice::Failure;
    use jiff::Timestamp;
    use jiff::tz::{TimeZone, offset};
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::os::unix::fs::PermissionsExt;
    use std::rc::Rc;

    fn who(name: &str) -> Who {
        Who { address: ([127, 0, 0, 1], 8080).into(), name: name.into() }
    }

    fn heard(text: &str) -> Notice {
        Notice::heard(who("P1"), text)
    }

    fn moment() -> Zoned {
        let zone = TimeZone::fixed(offset(-3));
        "2026-02-28T02:04:59.9Z".parse::<Timestamp>().unwrap().to_zoned(zone)
    }

    #[test]
    fn messages_have_fields_and_nothing_can_forge_a_line() {
        let said = |to, text: &str| Notice::Said { to, text: text.to_owned() };
        let to = who("P1").address;
        let not_sent = Notice::NotSent { to, text: "a\nb".to_owned(), why: Failure::TooManyWaiting };
        let table = [
            (heard("hi\n2026 < x\x1b[2J"), "< 127.0.0.1:8080 P1 hi␊2026 < x␛[2J"),
            (Notice::heard(who("N\x07"), ""), "< 127.0.0.1:8080 N␇ "),
            (said(SaidTo::One(who("P1")), "hi"), "> 127.0.0.1:8080 P1 hi"),
            (said(SaidTo::One(who("")), "h\ti"), "> 127.0.0.1:8080 - h␉i"),
            (said(SaidTo::All(3), "hi"), "> all 3 hi"),
            (
                not_sent,
                "! Too many messages are already waiting for 127.0.0.1:8080; try again later. Not sent: a␊b",
            ),
            (Notice::NewPeer(who("P\n1")), "* New peer: P␊1 (127.0.0.1:8080)"),
        ];
        for (notice, line) in table {
            let mut transcript = Transcript::new(Vec::new());
            transcript.note(&notice, moment);
            transcript.flush().unwrap();
            let written = String::from_utf8(transcript.file.clone()).unwrap();
            assert_eq!(written, format!("2026-02-27T23:04:59-03:00 {line}\n"));
        }
        let mut transcript = Transcript::new(Vec::new());
        transcript.note(&Notice::Menu, || unreachable!("no line, no time"));
        transcript.flush().unwrap();
        assert!(transcript.file.is_empty());
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
