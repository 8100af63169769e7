//! Finds what was said before, in the end of the transcript or in what is kept of this run.
//!
//! Both are lines as `record` has them. Whatever is in them, what is read and what is answered has a limit.

use super::record::{Spoken, write_line};
use crate::chat::notice::{NotRecalled, Notice, Recall, Recalled};
use crate::chat::recall::PastMessage;
use crate::limits::{
    RECALLED_BYTES_MAX, RECALLED_MAX, REMINDED_MAX, RUN_BYTES_MAX, TRANSCRIPT_LINE_BYTES_MAX,
    TRANSCRIPT_SEARCHED_BYTES_MAX,
};
use crate::proto::clean::Clean;
use crate::proto::fault::Fault;
use jiff::Zoned;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Added to the size of each message that is found.
const OVERHEAD_BYTES: usize = 128;

/// Whole lines, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) bytes: Vec<u8>,
    /// There were older ones.
    pub(super) is_partial: bool,
}

/// What was said in this run, where there is no transcript.
#[derive(Debug, Default)]
pub(super) struct Memory(Lines);

impl Memory {
    /// Keeps the line for a notice, if it has one. The oldest lines make room.
    pub(super) fn note(&mut self, notice: &Notice, now: impl FnOnce() -> Zoned) {
        write_line(&mut self.0.bytes, notice, now);
        if self.0.bytes.len() > 2 * RUN_BYTES_MAX {
            self.0 = newest(&self.0.bytes, RUN_BYTES_MAX);
        }
    }

    /// What it has of this.
    pub(super) fn recall(&self, asked: Recall) -> Recalled {
        Recalled { is_this_run: true, ..recall(asked, &self.0) }
    }
}

/// The last lines of these, with so many bytes at most.
fn newest(bytes: &[u8], max: usize) -> Lines {
    let start = bytes.len().saturating_sub(max);
    let rest = &bytes[start..];
    let first = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
    Lines { bytes: rest[first..].to_vec(), is_partial: true }
}

/// The last lines of a file that end before `end`.
pub(super) fn tail(file: &File, end: u64) -> Result<Lines, NotRecalled> {
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(NotRecalled::NotAFile);
    }
    let end = end.min(about.len());
    // One byte more, which may be the newline before the first line.
    let start = end.saturating_sub(TRANSCRIPT_SEARCHED_BYTES_MAX as u64 + 1);
    let mut bytes = vec![0; (end - start) as usize];
    let count = read_at(file, &mut bytes, start).map_err(unreadable)?;
    bytes.truncate(count);
    Ok(if start > 0 { newest(&bytes, bytes.len()) } else { Lines { bytes, is_partial: false } })
}

/// A file that we may not read was opened for writing alone.
fn unreadable(error: io::Error) -> NotRecalled {
    let is_write_only = error.raw_os_error() == Some(Errno::BADF.raw_os_error());
    let kind = io::ErrorKind::PermissionDenied;
    NotRecalled::Unreadable(if is_write_only { kind.into() } else { Fault::from(&error) })
}

/// Reads until nothing more comes: somebody may cut the file meanwhile.
fn read_at(file: &File, bytes: &mut [u8], start: u64) -> io::Result<usize> {
    let mut count = 0;
    while count < bytes.len() {
        match file.read_at(&mut bytes[count..], start + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// What these lines have of it.
pub(super) fn recall(asked: Recall, lines: &Lines) -> Recalled {
    let max = match &asked {
        Recall::Before(_) => REMINDED_MAX,
        Recall::Containing(_) => RECALLED_MAX,
        Recall::Last { count, .. } => (*count).min(RECALLED_MAX),
    };
    let (messages, older) = {
        let wanted = wanted(&asked);
        let lines = lines.bytes.rsplit(|&byte| byte == b'\n');
        newest_of(lines.filter_map(|line| message(line, &wanted)), max)
    };
    Recalled { asked, messages, older, is_partial: lines.is_partial, is_this_run: false }
}

/// Whether a message is what is asked for.
fn wanted(asked: &Recall) -> Box<dyn Fn(&Spoken<'_>) -> bool + '_> {
    match asked {
        Recall::Before(with) | Recall::Last { with, .. } => Box::new(move |spoken| spoken.is_with(with)),
        Recall::Containing(text) => {
            // What was recorded is clean.
            let text = Clean(text).to_string().to_lowercase();
            Box::new(move |spoken| spoken.text.to_lowercase().contains(&text))
        }
    }
}

fn message(line: &[u8], wanted: impl Fn(&Spoken<'_>) -> bool) -> Option<PastMessage> {
    let line = (line.len() <= TRANSCRIPT_LINE_BYTES_MAX).then(|| String::from_utf8_lossy(line))?;
    Spoken::read(&line).filter(wanted)?.message()
}

/// Takes as many as there may be, turns them round, and counts the others.
fn newest_of(mut messages: impl Iterator<Item = PastMessage>, max: usize) -> (Vec<PastMessage>, u64) {
    let (mut newest, mut bytes, mut older) = (Vec::new(), 0, 0);
    for message in messages.by_ref() {
        bytes += message.text.len() + OVERHEAD_BYTES;
        if newest.len() == max || (bytes > RECALLED_BYTES_MAX && !newest.is_empty()) {
            older = 1;
            break;
        }
        newest.push(message);
    }
    newest.reverse();
    (newest, older + messages.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{moment, who};
    use super::*;
    use crate::chat::recall::Party;
    use std::io::Write;

    fn line(text: &str) -> String {
        format!("2026-02-27T23:04:59-03:00 < 127.0.0.1:8080 P1 {text}\n")
    }

    fn lines(bytes: impl Into<Vec<u8>>) -> Lines {
        Lines { bytes: bytes.into(), is_partial: false }
    }

    fn texts(found: &Recalled) -> Vec<&str> {
        found.messages.iter().map(|message| &*message.text).collect()
    }

    fn find(text: &str, bytes: impl Into<Vec<u8>>) -> Recalled {
        recall(Recall::Containing(text.to_owned()), &lines(bytes))
    }

    #[test]
    fn a_text_is_found_in_capitals_or_not_and_no_sign_in_it_has_a_meaning() {
        let said: String = ["Grüße, Anna", "a.b", "axb", "tab\u{2409}here", "(a[b\\", ""].map(line).concat();
        for (text, found) in [
            ("grÜSSE", &[][..]),
            ("GRÜß", &["Grüße, Anna"]),
            ("A.B", &["a.b"]),
            ("(a[b\\", &["(a[b\\"]),
            ("tab\there", &["tab\u{2409}here"]),
            ("127.0.0.1", &[]),
            ("P1", &[]),
            (&"x".repeat(1 << 16), &[]),
        ] {
            assert_eq!(texts(&find(text, said.clone())), found, "{text}");
        }
    }

    #[test]
    fn the_newest_are_found_and_the_older_ones_counted() {
        let said: String = (0..250).map(|n| line(&format!("number {n}"))).collect();
        let found = find("number", said.clone());
        assert_eq!((found.messages.len(), found.older), (RECALLED_MAX, 150));
        assert_eq!((texts(&found)[0], texts(&found)[99]), ("number 150", "number 249"));
        let last = Recall::Last { with: Party::One(who("other")), count: 2 };
        let found = recall(last, &lines(said.clone()));
        assert_eq!((texts(&found), found.older), (vec!["number 248", "number 249"], 248));
        let before = recall(Recall::Before(Party::One(who("P1"))), &lines(said));
        assert_eq!(before.messages.len(), REMINDED_MAX);
        let long: String = (0..9).map(|_| line(&"x".repeat(RECALLED_BYTES_MAX / 4))).collect();
        let found = find("x", long);
        assert_eq!((found.messages.len(), found.older), (3, 6));
    }

    #[test]
    fn whatever_else_is_in_the_lines_is_skipped() {
        let torn = &line("torn")[..40];
        let huge = line(&"hi".repeat(TRANSCRIPT_LINE_BYTES_MAX));
        let latin = b"2026-02-27T23:04:59-03:00 < 127.0.0.1:8080 P1 hi \xe9\n";
        let parts: [&[u8]; 8] = [
            b"\xff\xfe\0\0\n",
            torn.as_bytes(),
            b"\n\r\n",
            &[0; 5000],
            b"\n",
            huge.as_bytes(),
            latin,
            b"2026-02-27T23:04:59-03:00 < 127.0.0.1:8080 P1 hi \x1b[2J",
        ];
        let found = find("hi", parts.concat());
        assert_eq!(texts(&found), ["hi \u{FFFD}", "hi \x1b[2J"], "it is cleaned where it is shown");
    }

    #[test]
    fn only_the_end_of_a_file_is_read_and_no_part_of_a_line() {
        let mut file = tempfile::tempfile().unwrap();
        let all = |file: &File| tail(file, u64::MAX).unwrap();
        assert!(all(&file).bytes.is_empty());
        let text = line(&"x".repeat(1000));
        let count = TRANSCRIPT_SEARCHED_BYTES_MAX / text.len() + 2;
        file.write_all(text.repeat(count).as_bytes()).unwrap();
        let Lines { bytes, is_partial } = all(&file);
        assert!(is_partial && bytes.len() <= TRANSCRIPT_SEARCHED_BYTES_MAX);
        assert!(bytes.len() > TRANSCRIPT_SEARCHED_BYTES_MAX - text.len() && bytes.len() % text.len() == 0);
        let old = tail(&file, 2 * text.len() as u64).unwrap();
        assert_eq!((old.bytes.len(), old.is_partial), (2 * text.len(), false));
        // Somebody has cut the file.
        file.set_len(text.len() as u64).unwrap();
        assert_eq!(tail(&file, 2 * text.len() as u64).unwrap().bytes, text.as_bytes());
        // One line without an end.
        file.set_len(3 * TRANSCRIPT_SEARCHED_BYTES_MAX as u64).unwrap();
        assert!(all(&file).bytes.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let mut written = File::create(directory.path().join("written")).unwrap();
        assert!(tail(&written, u64::MAX).unwrap().bytes.is_empty());
        written.write_all(b"hello\n").unwrap();
        let denied = NotRecalled::Unreadable(io::ErrorKind::PermissionDenied.into());
        assert_eq!(tail(&written, u64::MAX).unwrap_err(), denied);
        let device = File::open("/dev/null").unwrap();
        assert_eq!(tail(&device, u64::MAX).unwrap_err(), NotRecalled::NotAFile);
    }

    #[test]
    fn what_is_kept_of_a_run_is_its_end() {
        let mut memory = Memory::default();
        let text = "x".repeat(1000);
        for n in 0..2000 {
            memory.note(&Notice::heard(who("P1"), &format!("{n} {text}")), moment);
            assert!(memory.0.bytes.len() <= 2 * RUN_BYTES_MAX);
        }
        let found = memory.recall(Recall::Containing("x".to_owned()));
        assert!(found.is_partial && found.is_this_run && found.older > 0);
        assert!(found.messages.last().unwrap().text.starts_with("1999 "));
    }
}
