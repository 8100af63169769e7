//! From bytes to messages: where one ends and the next begins.
//!
//! A new connection may send lines, or one message without a newline and then nothing. The first line that begins with
//! an address decides it, and so does a JSON object or a port on one line: from then on only newlines count. Silence
//! also completes a message: the framer is told when bytes came, and says when [`Framer::flush`] may be called.

use super::buffer::Buffer;
use super::machine::CloseReason;
use super::message::{Message, begins_with_address, parse_port_line};
use super::moment::Moment;
use crate::limits::{HEADER_FLUSH, HEADER_SCAN_BYTES, IDLE_FLUSH, LINE_BYTES_MAX, UNFINISHED_TIMEOUT};
use memchr::{memchr, memmem};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

/// Ends a message that may hold newlines.
const BLOCK_END: &[u8] = b"<end>";

/// The framing state of one connection. Owns no memory between messages.
#[derive(Debug, Default)]
pub struct Framer {
    mode: Mode,
    /// Boxed because most connections have none.
    partial: Option<Box<Partial>>,
}

/// An unfinished message.
#[derive(Debug, Default)]
struct Partial {
    bytes: Buffer,
    /// When its first and its last bytes came, if that is known.
    heard: Option<(Moment, Moment)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// Nothing is known yet: a newline ends a message only if what comes before has the form of a line.
    #[default]
    Undelimited,
    /// Lines are expected, since a session was agreed on; the first line confirms it.
    Expected,
    /// Lines, for the rest of the connection.
    Lines,
}

impl Framer {
    /// Takes the next complete message off the front of `rest`, without its newline. `None` if all of `rest` was taken
    /// in and more must come.
    pub fn next<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Option<Cow<'a, [u8]>>, CloseReason> {
        match self.mode {
            Mode::Undelimited => self.next_undelimited(rest),
            Mode::Expected | Mode::Lines => self.next_line(rest),
        }
    }

    /// The unfinished message, which counts as complete because the peer is silent or gone.
    pub fn flush(&mut self) -> Option<Vec<u8>> {
        let partial = self.partial.take()?;
        if self.mode == Mode::Expected {
            self.mode = Mode::Undelimited;
        }
        Some(partial.bytes.into_vec())
    }

    /// The memory that an unfinished message takes, in bytes.
    pub(super) fn held(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.bytes.held() + size_of::<Partial>())
    }

    /// Notes when the last bytes of an unfinished message came.
    pub(super) fn heard(&mut self, now: Moment) {
        if let Some(partial) = &mut self.partial {
            partial.heard = Some((partial.heard.map_or(now, |(first, _)| first), now));
        }
    }

    /// When an unfinished message has taken too long, even if more of it still comes.
    pub(super) fn overdue_at(&self) -> Option<Moment> {
        let (first, _) = self.partial.as_ref()?.heard?;
        Some(first + UNFINISHED_TIMEOUT)
    }

    /// The earliest moment that [`Framer::flush_at`] can give. Most messages are complete by then, so most are parsed
    /// only once.
    pub(super) fn flush_not_before(&self) -> Option<Moment> {
        let (_, last) = self.partial.as_ref().filter(|_| self.mode != Mode::Lines)?.heard?;
        Some(last + IDLE_FLUSH)
    }

    /// When the peer has been silent for long enough for [`Framer::flush`]; `None` if silence completes nothing. The
    /// address `from` is the socket's.
    pub(super) fn flush_at(&self, from: SocketAddr) -> Option<Moment> {
        let (_, last) = self.partial.as_ref()?.heard?;
        Some(last + self.flush_after(from)?)
    }

    fn flush_after(&self, from: SocketAddr) -> Option<Duration> {
        let partial = &self.partial.as_ref().filter(|_| self.mode != Mode::Lines)?.bytes;
        let head = &partial[..partial.len().min(HEADER_SCAN_BYTES)];
        let has_header = is_json(partial) || Message::parse(&String::from_utf8_lossy(head), from).is_some();
        // If lines were agreed on, a pause in the middle of the first one probably comes from the network.
        let is_soon = has_header && self.mode == Mode::Undelimited;
        Some(if is_soon { IDLE_FLUSH } else { HEADER_FLUSH })
    }

    /// From now on only a newline ends a message: what is encrypted is never in another form.
    pub(super) fn take_only_lines(&mut self) {
        self.mode = Mode::Lines;
    }

    /// A session was agreed on: from now on every newline ends a message.
    pub fn expect_lines(&mut self) {
        if self.mode == Mode::Undelimited {
            self.mode = Mode::Expected;
        }
    }

    fn next_line<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Option<Cow<'a, [u8]>>, CloseReason> {
        while let Some(newline) = memchr(b'\n', rest) {
            let line = self.complete_line(rest, newline)?;
            self.mode = Mode::Lines;
            if !matches!(&*line, b"" | b"\r") {
                return Ok(Some(line));
            }
        }
        self.keep(rest)?;
        Ok(None)
    }

    fn next_undelimited<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Option<Cow<'a, [u8]>>, CloseReason> {
        let partial = self.partial.as_deref().map_or(&[][..], |partial| &partial.bytes);
        if partial.is_empty() {
            // Left over from a block, or typed by a person who pressed Enter in `nc`.
            *rest = rest.trim_ascii_start();
        }
        if partial.first().or(rest.first()) == Some(&b'<') {
            if let Some(end) = block_end(partial, rest) {
                return self.complete(rest, end).map(Some);
            }
        } else if memchr(b'\n', partial).is_none()
            && let Some(newline) = memchr(b'\n', rest)
        {
            let is_line = if partial.is_empty() {
                is_line(&rest[..newline])
            } else {
                is_line(&[partial, &rest[..newline]].concat())
            };
            if is_line {
                self.mode = Mode::Lines;
                return self.complete_line(rest, newline).map(Some);
            }
        }
        self.keep(rest)?;
        Ok(None)
    }

    /// The message that ends before the newline at `newline`; `rest` continues after it.
    fn complete_line<'a>(
        &mut self,
        rest: &mut &'a [u8],
        newline: usize,
    ) -> Result<Cow<'a, [u8]>, CloseReason> {
        let line = self.complete(rest, newline)?;
        *rest = &rest[1..];
        Ok(line)
    }

    /// The message that ends after `count` bytes of `rest`; `rest` continues there.
    fn complete<'a>(&mut self, rest: &mut &'a [u8], count: usize) -> Result<Cow<'a, [u8]>, CloseReason> {
        let partial = self.partial.take().map(|partial| partial.bytes);
        if partial.as_deref().map_or(0, <[u8]>::len) + count > LINE_BYTES_MAX {
            return Err(CloseReason::LineTooLong);
        }
        let (last, after) = rest.split_at(count);
        *rest = after;
        Ok(match partial {
            None => Cow::Borrowed(last),
            Some(mut partial) => {
                partial.append(last);
                Cow::Owned(partial.into_vec())
            }
        })
    }

    fn keep(&mut self, rest: &mut &[u8]) -> Result<(), CloseReason> {
        if rest.is_empty() {
            return Ok(());
        }
        let partial = &mut self.partial.get_or_insert_default().bytes;
        if partial.len() + rest.len() > LINE_BYTES_MAX {
            return Err(CloseReason::LineTooLong);
        }
        partial.append(rest);
        *rest = &[];
        Ok(())
    }
}

/// Whether the bytes before a newline have the form of a line.
fn is_line(line: &[u8]) -> bool {
    begins_with_address(line) || is_json(line) || parse_port_line(line).is_some()
}

/// Whether this looks like a whole JSON object.
fn is_json(message: &[u8]) -> bool {
    message.starts_with(b"{") && message.trim_ascii_end().ends_with(b"}")
}

/// Where in `rest` the block that began with `partial` ends, its end mark included. `partial` was searched before, so
/// only its last bytes can be the beginning of the mark.
fn block_end(partial: &[u8], rest: &[u8]) -> Option<usize> {
    let seam = BLOCK_END.len() - 1;
    let tail = &partial[partial.len().saturating_sub(seam)..];
    if !tail.is_empty() {
        let across = [tail, &rest[..rest.len().min(seam)]].concat();
        if let Some(at) = memmem::find(&across, BLOCK_END) {
            return Some(at + BLOCK_END.len() - tail.len());
        }
    }
    memmem::find(rest, BLOCK_END).map(|at| at + BLOCK_END.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the chunks one after the other; returns the messages, with those of the final flush.
    fn frame(chunks: &[&str]) -> Vec<String> {
        let mut framer = Framer::default();
        let mut messages = Vec::new();
        for chunk in chunks {
            let mut rest = chunk.as_bytes();
            while let Some(message) = framer.next(&mut rest).unwrap() {
                messages.push(String::from_utf8(message.into_owned()).unwrap());
            }
        }
        messages.extend(framer.flush().map(|partial| String::from_utf8(partial).unwrap()));
        messages
    }

    #[test]
    fn messages_end_where_the_protocol_says() {
        let table: [(&str, &[&str]); 12] = [
            ("1.1.1.1:1 a hello", &["1.1.1.1:1 a hello"]),
            ("1.1.1.1:1 a x\n1.1.1.1:1 a y\nz", &["1.1.1.1:1 a x", "1.1.1.1:1 a y", "z"]),
            ("1.1.1.1:1 a x\r\n\r\n\nfree text\n", &["1.1.1.1:1 a x\r", "free text"]),
            ("hello\n1.1.1.1:1 a x\n", &["hello\n1.1.1.1:1 a x\n"]),
            ("LISTENING_PORT:1|TEAM_NAME:n|x\ny", &["LISTENING_PORT:1|TEAM_NAME:n|x\ny"]),
            ("<1.1.1.1:1> @ <a>\nx\ny\n<end>", &["<1.1.1.1:1> @ <a>\nx\ny\n<end>"]),
            (
                "<1.1.1.1:1> @ <a>\nx\n<end>\n<1.1.1.1:1> @ <a>\ny",
                &["<1.1.1.1:1> @ <a>\nx\n<end>", "<1.1.1.1:1> @ <a>\ny"],
            ),
            (
                "<1.1.1.1:1> @ <a>\nx\n<end>1.1.1.1:1 a l\nm\n",
                &["<1.1.1.1:1> @ <a>\nx\n<end>", "1.1.1.1:1 a l", "m"],
            ),
            ("8000\nCONNECT\n1.1.1.1:1 a x\n", &["8000", "CONNECT", "1.1.1.1:1 a x"]),
            ("{\"a\":\"b\"}\n{}\n", &["{\"a\":\"b\"}", "{}"]),
            ("{\n\"a\":1\n}", &["{\n\"a\":1\n}"]),
            ("", &[]),
        ];
        for (input, expected) in table {
            assert_eq!(frame(&[input]), expected, "whole: {input:?}");
            let bytes: Vec<String> = input.chars().map(String::from).collect();
            let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
            assert_eq!(frame(&bytes), expected, "byte by byte: {input:?}");
            for cut in 0..input.len() {
                assert_eq!(frame(&[&input[..cut], &input[cut..]]), expected, "cut at {cut}: {input:?}");
            }
        }
    }

    #[test]
    fn silence_completes_an_undelimited_message_soon_and_a_headless_one_late() {
        let from = "127.0.0.1:9".parse().unwrap();
        let after = |bytes: &str| {
            let mut framer = Framer::default();
            assert_eq!(framer.next(&mut bytes.as_bytes()).unwrap(), None);
            framer.flush_after(from)
        };
        assert_eq!(after("1.1.1.1:1 a x"), Some(IDLE_FLUSH));
        assert_eq!(after("1.1.1.1:1 a"), Some(HEADER_FLUSH));
        assert_eq!(after("hello"), Some(HEADER_FLUSH));
        assert_eq!(after("<1.1.1.1:1> @ <a"), Some(HEADER_FLUSH));
        assert_eq!(after(""), None);
        let mut framer = Framer::default();
        let mut rest: &[u8] = b"1.1.1.1:1 a x\n1.1.1.1:1 a y";
        while framer.next(&mut rest).unwrap().is_some() {}
        assert_eq!(framer.flush_after(from), None, "never in line mode");
    }

    #[test]
    fn a_session_expects_lines_until_an_undelimited_message_proves_otherwise() {
        let from = "127.0.0.1:9".parse().unwrap();
        let mut framer = Framer::default();
        framer.expect_lines();
        let mut rest: &[u8] = b"1.1.1.1:1 a x";
        assert_eq!(framer.next(&mut rest).unwrap(), None);
        assert_eq!(framer.flush_after(from), Some(HEADER_FLUSH));
        assert_eq!(framer.flush().unwrap(), b"1.1.1.1:1 a x");
        let mut rest: &[u8] = b"!ping 1\n";
        assert_eq!(framer.next(&mut rest).unwrap(), None, "no session any more");

        let mut framer = Framer::default();
        framer.expect_lines();
        let mut rest: &[u8] = b"!ping 1\nhalf a li";
        assert_eq!(framer.next(&mut rest).unwrap().unwrap(), b"!ping 1".as_slice());
        assert_eq!(framer.next(&mut rest).unwrap(), None);
        assert_eq!(framer.flush_after(from), None, "a line was seen");
    }

    #[test]
    fn the_longest_line_passes_and_one_byte_more_does_not() {
        for (extra, fits) in [(0, true), (1, false)] {
            let head = "1.1.1.1:1 a ";
            let line = format!("{head}{}", "x".repeat(LINE_BYTES_MAX - head.len() + extra));
            for (newline, chunk) in [("\n", 1000), ("\n", usize::MAX), ("", 1000), ("", usize::MAX)] {
                let mut framer = Framer::default();
                let bytes = format!("{line}{newline}").into_bytes();
                let result: Result<Vec<_>, _> =
                    bytes.chunks(chunk.min(bytes.len())).map(|chunk| framer.next(&mut &*chunk)).collect();
                assert_eq!(result.is_ok(), fits, "{extra} {newline:?} {chunk}");
            }
        }
    }

    #[test]
    fn many_blocks_in_a_row_do_not_count_as_one_long_message() {
        let block = b"<10.0.0.5:8080> @ <P1>\nhello\n<end>";
        let all = block.repeat(10_000);
        let mut framer = Framer::default();
        let mut count = 0;
        for chunk in all.chunks(64 * 1024) {
            let mut rest = chunk;
            while let Some(message) = framer.next(&mut rest).unwrap() {
                assert_eq!(&*message, block);
                count += 1;
            }
        }
        assert_eq!((count, framer.flush()), (10_000, None));
    }

    #[test]
    fn a_whole_block_is_borrowed_and_leaves_the_rest_alone() {
        let read = b"<end>".repeat(13_107);
        let mut framer = Framer::default();
        let mut rest = read.as_slice();
        for left in (0..13_107).rev() {
            let message = framer.next(&mut rest).unwrap().unwrap();
            assert!(matches!(message, Cow::Borrowed(b"<end>")));
            assert_eq!((rest.len(), framer.partial.is_none()), (left * BLOCK_END.len(), true));
        }
    }

    #[test]
    fn the_longest_block_passes_and_one_byte_more_does_not() {
        for (extra, fits) in [(0, true), (1, false)] {
            let text = "x".repeat(LINE_BYTES_MAX - "<<end>".len() + extra);
            let bytes = format!("<{text}<end><end>").into_bytes();
            for chunk in [1000, LINE_BYTES_MAX, bytes.len()] {
                let mut framer = Framer::default();
                let result: Result<Vec<_>, _> =
                    bytes.chunks(chunk).map(|chunk| framer.next(&mut &*chunk)).collect();
                assert_eq!(result.is_ok(), fits, "{extra} {chunk}");
            }
        }
    }

    #[test]
    fn nothing_is_owned_between_messages() {
        let mut framer = Framer::default();
        for chunk in ["1.1.1.1:1 a he", "llo\n"] {
            let mut rest = chunk.as_bytes();
            while framer.next(&mut rest).unwrap().is_some() {}
        }
        assert!(framer.partial.is_none());
    }
}
