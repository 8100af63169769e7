//! What the user types: reads that never wait, cut into lines.
//!
//! The descriptor stays as it was inherited. Before each read there is a `poll` that does not wait, which works on
//! terminals, pipes, files, `/dev/null` and sockets. Bytes are read only when every line before them was taken, so a
//! large file on stdin costs only one chunk of memory.

use super::is_ready;
use crate::limits::{STDIN_BYTES_PER_READ, TYPED_BYTES_MAX};
use rustix::buffer::spare_capacity;
use rustix::event::PollFlags;
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};

/// Some editors on Windows write it before UTF-8 text; it is not part of the text.
const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// How many bytes of a line are kept beyond its limit: so many that a line over the limit is still over it after a
/// byte order mark and a carriage return were removed.
const KEPT_BYTES_MORE: usize = BYTE_ORDER_MARK.len() + 2;

/// Lines from a descriptor that may be shared with other programs.
#[derive(Debug)]
pub struct Stdin<F = io::Stdin> {
    fd: F,
    /// The last chunk that was read.
    chunk: Vec<u8>,
    /// How many bytes of the chunk were already taken.
    taken: usize,
    /// The beginning of a line whose end has not come yet; at most `kept_bytes`.
    line: Vec<u8>,
    kept_bytes: usize,
    /// The character that replaces bytes that are not UTF-8.
    substitute: char,
    /// The first line was taken.
    has_begun: bool,
    at_end: bool,
}

impl Stdin {
    /// The lines of descriptor 0. std's own buffer is never used, so no byte hides in it.
    #[expect(clippy::disallowed_methods, reason = "this is the module for descriptor 0")]
    pub fn inherited() -> Self {
        Self::new(io::stdin())
    }
}

impl<F: AsFd> Stdin<F> {
    /// The lines of any descriptor, of at most [`TYPED_BYTES_MAX`] bytes.
    pub fn new(fd: F) -> Self {
        Self {
            fd,
            chunk: Vec::with_capacity(STDIN_BYTES_PER_READ),
            taken: 0,
            line: Vec::new(),
            kept_bytes: TYPED_BYTES_MAX + KEPT_BYTES_MORE,
            substitute: char::REPLACEMENT_CHARACTER,
            has_begun: false,
            at_end: false,
        }
    }

    /// Takes lines of at most so many bytes.
    pub fn with_line_bytes_max(self, bytes: usize) -> Self {
        Self { kept_bytes: bytes + KEPT_BYTES_MORE, ..self }
    }

    /// Replaces bytes that are not UTF-8 by another character than U+FFFD. If it is shorter than the bytes that
    /// it replaces, a line that is too long may fit within its limit; then it is cut there without being reported.
    pub fn with_substitute(self, substitute: char) -> Self {
        Self { substitute, ..self }
    }

    /// Reads one chunk, if there is something to read and all lines of the previous chunk were taken.
    ///
    /// `Ok(true)`: call [`Stdin::next_line`] until it gives `None`, then this again. `Ok(false)`: there is nothing to
    /// read now, or at all; see [`Stdin::is_finished`]. A terminal that hung up and a closed descriptor are an end,
    /// not an error.
    pub fn fill(&mut self) -> io::Result<bool> {
        if self.at_end || self.taken < self.chunk.len() {
            return Ok(!self.is_finished());
        }
        if !is_ready(&self.fd, PollFlags::IN)? {
            return Ok(false);
        }
        self.chunk.clear();
        self.taken = 0;
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.fd, spare_capacity(&mut self.chunk))) {
            Ok(0) | Err(Errno::BADF) => self.at_end = true,
            Err(Errno::IO) if self.may_hang_up()? => self.at_end = true,
            Ok(_) => {}
            Err(Errno::AGAIN) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// For a file the same error means a damaged disk.
    fn may_hang_up(&self) -> io::Result<bool> {
        Ok(FileType::from_raw_mode(fstat(&self.fd)?.st_mode) == FileType::CharacterDevice)
    }

    /// The next line, decoded lossily, without its newline, and without a byte order mark if it is the first. `None`
    /// until more is read.
    ///
    /// A line over its limit is shortened, but stays over the limit. At the end of the input the rest is a line, with
    /// or without a newline.
    pub fn next_line(&mut self) -> Option<String> {
        let rest = &self.chunk[self.taken..];
        let newline = rest.iter().position(|&byte| byte == b'\n');
        let part = &rest[..newline.unwrap_or(rest.len())];
        let room = self.kept_bytes - self.line.len();
        self.line.extend_from_slice(&part[..part.len().min(room)]);
        self.taken += part.len() + usize::from(newline.is_some());
        let is_line = newline.is_some() || self.at_end && !self.line.is_empty();
        is_line.then(|| {
            let line = std::mem::take(&mut self.line);
            self.decode(line)
        })
    }

    fn decode(&mut self, mut line: Vec<u8>) -> String {
        if !std::mem::replace(&mut self.has_begun, true) && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        line.pop_if(|last| *last == b'\r');
        String::from_utf8(line).unwrap_or_else(|error| {
            let chunks = error.as_bytes().utf8_chunks();
            let substitute = |invalid: &[u8]| (!invalid.is_empty()).then_some(self.substitute);
            chunks.fold(String::new(), |mut text, chunk| {
                text.push_str(chunk.valid());
                text.extend(substitute(chunk.invalid()));
                text
            })
        })
    }

    /// All bytes that were read and not taken. For a terminal, if keys are wanted and not lines.
    pub fn take_bytes(&mut self) -> &[u8] {
        let rest = &self.chunk[self.taken..];
        self.taken = self.chunk.len();
        rest
    }

    /// Whether the end was reached and all lines were taken.
    pub fn is_finished(&self) -> bool {
        self.at_end && self.taken == self.chunk.len() && self.line.is_empty()
    }

    /// Whether a person types this.
    pub fn is_terminal(&self) -> bool {
        self.fd.as_fd().is_terminal()
    }
}

/// What to watch for readability. Files, `/dev/null` and some others cannot be watched: they are always ready.
impl<F: AsFd> AsFd for Stdin<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the other end of a full pipe needs a thread")]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;

    /// All lines that can be read now.
    fn lines<F: AsFd>(stdin: &mut Stdin<F>) -> Vec<String> {
        let mut lines = Vec::new();
        while stdin.fill().unwrap() {
            lines.extend(std::iter::from_fn(|| stdin.next_line()));
        }
        lines
    }

    fn lines_of(bytes: Vec<u8>) -> Vec<String> {
        let (reader, mut writer) = io::pipe().unwrap();
        let feeder = std::thread::spawn(move || writer.write_all(&bytes).unwrap());
        let mut stdin = Stdin::new(reader);
        let mut all = Vec::new();
        while !stdin.is_finished() {
            all.extend(lines(&mut stdin));
        }
        feeder.join().unwrap();
        all
    }

    #[test]
    fn lines_are_cut_wherever_the_reads_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut stdin = Stdin::new(reader);
        assert_eq!(lines(&mut stdin), [""; 0]);
        writer.write_all(b"hel").unwrap();
        assert_eq!(lines(&mut stdin), [""; 0]);
        writer.write_all(b"lo\r\n\nw\xc3").unwrap();
        assert_eq!(lines(&mut stdin), ["hello", ""]);
        writer.write_all(b"\xb6\xff").unwrap();
        assert!(!stdin.is_finished());
        drop(writer);
        assert_eq!(lines(&mut stdin), ["wö\u{FFFD}"]);
        assert!(stdin.is_finished() && stdin.next_line().is_none() && !stdin.fill().unwrap());
    }

    #[test]
    fn the_bound_of_a_line_is_exact() {
        let max = TYPED_BYTES_MAX;
        let line = |bytes: usize, end: &str| ["x".repeat(bytes), end.into()].concat().into_bytes();
        for end in ["", "\n", "\r\n"] {
            assert_eq!(lines_of(line(max, end))[0].len(), max, "{end:?}");
            assert!(lines_of(line(max + 1, end))[0].len() > max, "{end:?}");
            assert!(lines_of(line(10 * max, end))[0].len() <= max + KEPT_BYTES_MORE);
        }
        assert!(lines_of(line(max, "\rmore\n"))[0].len() > max);
        assert!(lines_of([line(max - 2, ""), "€\n".into()].concat())[0].len() > max);
        assert_eq!(lines_of(line(3 * max, "\nnext\n"))[1], "next");
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"four\nfive5\nsixteen more\n").unwrap();
        assert_eq!(lines(&mut Stdin::new(reader).with_line_bytes_max(4)), ["four", "five5", "sixteen m"]);
    }

    #[test]
    fn a_byte_order_mark_is_removed_only_at_the_beginning() {
        for end in ["\n", "\r\n"] {
            let all = format!("\u{FEFF}one{end}\u{FEFF}two{end}");
            assert_eq!(lines_of(all.into_bytes()), ["one", "\u{FEFF}two"]);
            for (more, is_kept_within) in [(0, true), (1, false), (2, false), (10, false)] {
                let line = format!("\u{FEFF}{}{end}", "x".repeat(TYPED_BYTES_MAX + more));
                assert_eq!(lines_of(line.into_bytes())[0].len() <= TYPED_BYTES_MAX, is_kept_within, "{more}");
            }
        }
        assert_eq!(lines_of(b"\xEF\xBB".into()), ["\u{FFFD}"]);
        let (reader, mut writer) = io::pipe().unwrap();
        let mut stdin = Stdin::new(reader);
        for byte in "\u{FEFF}1\n".bytes() {
            assert_eq!(lines(&mut stdin), [""; 0]);
            writer.write_all(&[byte]).unwrap();
        }
        assert_eq!(lines(&mut stdin), ["1"]);
    }

    #[test]
    fn bytes_that_are_not_utf_8_become_the_chosen_substitute() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"\xffa\xf0\x9f\x98b\xfe\n\xc3\xb6\xef\xbf\xbd\n").unwrap();
        drop(writer);
        let mut stdin = Stdin::new(reader).with_substitute('!');
        assert_eq!(lines(&mut stdin), ["!a!b!", "ö\u{FFFD}"]);
    }

    #[test]
    fn nothing_is_read_before_the_lines_were_taken() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut stdin = Stdin::new(reader);
        writer.write_all(b"a\nb\n").unwrap();
        assert!(stdin.fill().unwrap());
        assert_eq!(stdin.next_line().unwrap(), "a");
        writer.write_all(b"c\n").unwrap();
        assert!(stdin.fill().unwrap());
        assert_eq!(stdin.chunk, b"a\nb\n");
        assert_eq!(lines(&mut stdin), ["b", "c"]);
    }

    #[test]
    fn files_and_dev_null_are_always_ready() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let mut stdin = Stdin::new(File::open(manifest).unwrap());
        assert_eq!(lines(&mut stdin)[0], "[package]");
        assert!(stdin.is_finished());
        let mut stdin = Stdin::new(File::open("/dev/null").unwrap());
        assert!(lines(&mut stdin).is_empty() && stdin.is_finished() && !stdin.is_terminal());
        let mut unreadable = Stdin::new(File::options().write(true).open("/dev/null").unwrap());
        assert!(lines(&mut unreadable).is_empty() && unreadable.is_finished());
    }

    #[test]
    fn a_failed_read_is_an_error() {
        assert!(Stdin::new(File::open("/").unwrap()).fill().is_err());
        // Nothing is mapped at address 0.
        #[cfg(target_os = "linux")]
        assert!(Stdin::new(File::open("/proc/self/mem").unwrap()).fill().is_err());
    }

    #[test]
    fn a_terminal_that_hangs_up_is_an_end() {
        let pair = portable_pty::native_pty_system().openpty(Default::default()).unwrap();
        let name = pair.master.tty_name().unwrap();
        let mut stdin = Stdin::new(File::options().read(true).write(true).open(name).unwrap());
        assert!(stdin.is_terminal() && !stdin.fill().unwrap());
        drop(pair);
        assert!(lines(&mut stdin).is_empty() && stdin.is_finished());
    }
}
