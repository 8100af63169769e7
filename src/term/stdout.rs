//! What the user reads: buffered, bounded output that never waits.
//!
//! `O_NONBLOCK` would be shared with the shell, so it is set on an open file of our own: the same terminal or pipe,
//! opened once more. If that fails, there is a `poll` before each write, and each write is small enough to fit. Files
//! are not reopened, because the position is shared with the shell's `>>`.

use super::is_ready;
use crate::limits::{STDOUT_BYTES_MAX, STDOUT_BYTES_PER_GUARDED_WRITE};
use rustix::event::PollFlags;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Output that waits in memory while its reader is slow.
#[derive(Debug)]
pub struct Stdout {
    fd: OwnedFd,
    manner: Manner,
    is_terminal: bool,
    /// What was appended. The first `written` bytes are written already; they stay, because moving the rest after each
    /// small write to a slow reader would cost too much.
    bytes: Vec<u8>,
    written: usize,
}

/// How we make sure that a write does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// It is an open file of our own with `O_NONBLOCK`.
    Own,
    /// There is a `poll` before each write.
    Guarded,
    /// It is a file, which takes everything at once.
    File,
}

impl Stdout {
    /// Writes to descriptor 1. std's own buffer is never used.
    #[expect(clippy::disallowed_methods, reason = "this is the module for descriptor 1")]
    pub fn inherited() -> io::Result<Self> {
        Self::new(io::stdout().as_fd())
    }

    /// Writes to what `shared` is open for, and changes nothing about `shared`. Fails when no
    /// descriptor is left.
    pub fn new(shared: BorrowedFd<'_>) -> io::Result<Self> {
        let mode = rustix::fs::fstat(shared)?.st_mode;
        let (fd, manner) = match FileType::from_raw_mode(mode) {
            FileType::RegularFile | FileType::BlockDevice => (shared.try_clone_to_owned()?, Manner::File),
            _ => match reopen(shared) {
                Ok(own) => (own, Manner::Own),
                Err(_) => (shared.try_clone_to_owned()?, Manner::Guarded),
            },
        };
        let is_terminal = fd.is_terminal();
        Ok(Self { fd, manner, is_terminal, bytes: Vec::new(), written: 0 })
    }

    /// Whether a person reads this.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Whether [`STDOUT_BYTES_MAX`] is reached. It is checked before something is appended: one text may exceed it, so
    /// that a long text can be shown at all.
    pub fn is_full(&self) -> bool {
        self.waiting() >= STDOUT_BYTES_MAX
    }

    /// How many bytes are not written yet.
    pub fn waiting(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Appends a text, to be written by the next [`Stdout::flush`].
    pub fn append(&mut self, text: impl fmt::Display) {
        // Writing to memory cannot fail.
        let _ = write!(self.bytes, "{text}");
    }

    /// Writes what the system takes now: `Ok(true)` if that was all. After an error nothing more can be written. The
    /// error is [`io::ErrorKind::BrokenPipe`] if nobody reads any more, because a pipe was closed or a terminal hung
    /// up.
    pub fn flush(&mut self) -> io::Result<bool> {
        let outcome = loop {
            let rest = &self.bytes[self.written..];
            if rest.is_empty() {
                break Ok(true);
            }
            match self.write_once(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(false),
                // For a terminal this error means that it hung up; for a disk, that it is damaged.
                Err(error) if self.is_terminal && Errno::from_io_error(&error) == Some(Errno::IO) => {
                    break Err(io::ErrorKind::BrokenPipe.into());
                }
                Err(error) => break Err(error),
            }
        };
        self.forget_written();
        outcome
    }

    /// Frees the memory of written bytes. It moves at most as many bytes as were written, so on average each byte
    /// moves at most once.
    fn forget_written(&mut self) {
        if self.written >= self.waiting() {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        if self.bytes.is_empty() && self.bytes.capacity() > STDOUT_BYTES_MAX {
            self.bytes = Vec::new();
        }
    }

    /// What becomes writable after a flush that could not write everything; `None` for a file, which never refuses
    /// bytes and cannot be watched.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        (self.manner != Manner::File).then(|| self.fd.as_fd())
    }

    fn write_once(&self, mut bytes: &[u8]) -> io::Result<usize> {
        if self.manner == Manner::Guarded {
            if !is_ready(&self.fd, PollFlags::OUT)? {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            bytes = &bytes[..self.guarded_len(bytes)];
        }
        let count = rustix::io::retry_on_intr(|| rustix::io::write(&self.fd, bytes))?;
        Ok(count)
    }

    /// A terminal writes a newline as two bytes and handles the text before it separately. The `poll` promises room
    /// for only one such piece: with two, a write was seen to wait.
    fn guarded_len(&self, bytes: &[u8]) -> usize {
        let most = bytes.len().min(STDOUT_BYTES_PER_GUARDED_WRITE);
        if !self.is_terminal {
            return most;
        }
        let newline = bytes[..most].iter().position(|&byte| byte == b'\n');
        newline.unwrap_or(most).max(1)
    }
}

/// Opens the same terminal, pipe or device once more, with `O_NONBLOCK`. On Linux `/proc` makes this possible for
/// everything except sockets; on other systems a terminal has a name. `/dev/fd` does not work: on other systems it
/// gives the shared open file.
fn reopen(shared: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let open = |path: &[u8]| rustix::fs::open(path, flags, Mode::empty());
    let by_number = format!("/proc/self/fd/{}", shared.as_raw_fd());
    open(by_number.as_bytes()).or_else(|_| {
        let name = rustix::termios::ttyname(shared, Vec::new())?;
        open(name.as_bytes())
    })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the other end of a full pipe needs a thread")]
mod tests {
    use super::*;
    use portable_pty::{MasterPty, PtySize, native_pty_system};
    use rustix::termios::{Action, tcflow};
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    /// A terminal: its other end, and the open file that a shell would share with us.
    fn terminal() -> (Box<dyn MasterPty + Send>, File) {
        let pair = native_pty_system().openpty(PtySize::default()).unwrap();
        let name = pair.master.tty_name().unwrap();
        let shared = File::options().read(true).write(true).open(name).unwrap();
        (pair.master, shared)
    }

    fn guarded(shared: impl AsFd) -> Stdout {
        let fd = shared.as_fd().try_clone_to_owned().unwrap();
        Stdout { manner: Manner::Guarded, fd, ..Stdout::new(shared.as_fd()).unwrap() }
    }

    fn is_nonblocking(fd: impl AsFd) -> bool {
        rustix::fs::fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
    }

    #[test]
    fn a_stopped_terminal_does_not_stop_us() {
        let (far_end, shared) = terminal();
        for mut out in [Stdout::new(shared.as_fd()).unwrap(), guarded(&shared)] {
            assert!(out.is_terminal());
            tcflow(&shared, Action::OOff).unwrap();
            out.append("hello");
            assert!(!out.flush().unwrap());
            tcflow(&shared, Action::OOn).unwrap();
            assert!(out.flush().unwrap());
        }
        let mut shown = [0; 10];
        let mut reader = far_end.try_clone_reader().unwrap();
        reader.read_exact(&mut shown).unwrap();
        assert_eq!(&shown, b"hellohello");
    }

    #[test]
    fn a_shared_descriptor_stays_blocking() {
        let (_far_end, shared) = terminal();
        let out = Stdout::new(shared.as_fd()).unwrap();
        assert!(!is_nonblocking(&shared));
        let (_reader, writer) = io::pipe().unwrap();
        let piped = Stdout::new(writer.as_fd()).unwrap();
        assert!(!is_nonblocking(&writer));
        if cfg!(target_os = "linux") {
            assert!(is_nonblocking(&out.fd) && is_nonblocking(&piped.fd));
        }
    }

    #[test]
    fn a_full_pipe_socket_or_terminal_refuses_and_loses_nothing() {
        let text = "0123456789abcde\n\n\n\n".repeat(30_000);
        let (pipe_reader, pipe) = io::pipe().unwrap();
        let (guarded_reader, guarded_pipe) = io::pipe().unwrap();
        let (socket_reader, socket) = UnixStream::pair().unwrap();
        let (far_end, shared) = terminal();
        let (guarded_far_end, guarded_shared) = terminal();
        let ends: [(Box<dyn Read + Send>, Stdout); 5] = [
            (Box::new(pipe_reader), Stdout::new(pipe.as_fd()).unwrap()),
            (Box::new(guarded_reader), guarded(&guarded_pipe)),
            (Box::new(socket_reader), Stdout::new(socket.as_fd()).unwrap()),
            (far_end.try_clone_reader().unwrap(), Stdout::new(shared.as_fd()).unwrap()),
            (guarded_far_end.try_clone_reader().unwrap(), guarded(&guarded_shared)),
        ];
        drop((pipe, guarded_pipe, socket));
        for (mut reader, mut out) in ends {
            out.append(&text);
            assert!(!out.flush().unwrap() && out.is_full());
            let lines = text.lines().count();
            let counter = std::thread::spawn(move || {
                let (mut count, mut chunk) = (0, [0; 4096]);
                while count < lines {
                    let bytes = reader.read(&mut chunk).unwrap();
                    count += chunk[..bytes].iter().filter(|&&byte| byte == b'\n').count();
                }
            });
            while !out.flush().unwrap() {
                std::thread::yield_now();
            }
            counter.join().unwrap();
        }
    }

    #[test]
    fn a_closed_reader_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        let opened_before = Stdout::new(writer.as_fd()).unwrap();
        drop(reader);
        for mut out in [opened_before, guarded(&writer)] {
            out.append("hello");
            assert_eq!(out.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        }
    }
}
