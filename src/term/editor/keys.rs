//! From the bytes of a terminal to keys, a byte at a time.
//!
//! A sequence may come in pieces of any size. An escape key waits for what follows it, as in every
//! shell: with a letter it is Alt and that letter. What is no known key is dropped whole.

/// One key, or one character of a paste.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A key with the Alt key, or after the escape key.
    Alt(char),
    /// The key left of Enter that takes out what is before the cursor.
    Backspace,
    /// A character to be typed; of a paste any, otherwise no control.
    Char(char),
    /// A letter with the Ctrl key, in lower case.
    Ctrl(char),
    /// Takes out what is under the cursor.
    Delete,
    /// An arrow.
    Down,
    /// To the end of the line.
    End,
    /// The line is complete.
    Enter,
    /// To the beginning of the line.
    Home,
    /// An arrow.
    Left,
    /// What was pasted ends.
    PasteEnd,
    /// What follows is pasted, up to [`Key::PasteEnd`].
    PasteStart,
    /// An arrow.
    Right,
    /// Completes what is before the cursor.
    Tab,
    /// An arrow.
    Up,
}

/// What ends a paste; it begins with the same and `200`.
const PASTE_END: &[u8] = b"\x1b[201~";

/// The longest sequence that a key is known for has 6 bytes; of others only their end matters.
const SEQUENCE_BYTES_MAX: usize = 16;

/// Bytes in, keys out.
#[derive(Debug, Default)]
pub(super) struct Keys {
    state: State,
    /// A control sequence, or a character of several bytes, that is not complete.
    begun: Vec<u8>,
    /// Two escapes in a row: where Alt is an escape, that is Alt with the key that follows.
    is_escaped_twice: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// After an escape.
    Escape,
    /// After an escape and `[`.
    Csi,
    /// After an escape and `O`.
    Ss3,
    /// After an escape, `[` and `[`: the function keys of the Linux console.
    Console,
    /// In a paste, with so many bytes of its end.
    Paste(usize),
}

impl Keys {
    /// Takes a byte, and gives the keys that it completes.
    pub(super) fn feed(&mut self, byte: u8, mut take: impl FnMut(Key)) {
        let take = &mut take;
        match self.state {
            State::Ground => self.on_plain(byte, take),
            State::Paste(matched) => self.on_pasted(byte, matched, take),
            // A control is a key of its own, whatever it interrupts; one after an escape is Alt with it.
            State::Csi | State::Ss3 | State::Console if byte < b' ' => {
                self.state = State::Ground;
                self.begun.clear();
                self.on_plain(byte, take);
            }
            State::Escape => self.on_escaped(byte, take),
            State::Csi => self.on_csi(byte, take),
            State::Ss3 => self.on_ss3(byte, take),
            State::Console => self.state = State::Ground,
        }
    }

    fn on_plain(&mut self, byte: u8, take: &mut impl FnMut(Key)) {
        match byte {
            0x1B => {
                self.end_character(take);
                self.state = State::Escape;
                self.is_escaped_twice = false;
            }
            0..0x20 | 0x7F => {
                self.end_character(take);
                take_some(control(byte), take);
            }
            _ => self.on_text(byte, take),
        }
    }

    fn on_escaped(&mut self, byte: u8, take: &mut impl FnMut(Key)) {
        self.state = State::Ground;
        match byte {
            0x1B => {
                self.state = State::Escape;
                self.is_escaped_twice = true;
            }
            b'[' => self.state = State::Csi,
            b'O' => self.state = State::Ss3,
            // Alt with Backspace.
            0x08 | 0x7F => take(Key::Alt('\u{7F}')),
            0x20..0x7F => take(Key::Alt(byte as char)),
            _ => self.on_plain(byte, take),
        }
    }

    fn on_csi(&mut self, byte: u8, take: &mut impl FnMut(Key)) {
        match byte {
            b'[' if self.begun.is_empty() => self.state = State::Console,
            // `$` ends a key with Shift in rxvt; elsewhere more follows.
            b'$' | 0x40..0x7F if byte != b'$' || self.begun.iter().all(u8::is_ascii_digit) => {
                let parameters = std::mem::take(&mut self.begun);
                self.state = State::Ground;
                let key = self.with_alt(named(byte, &parameters));
                if key == Some(Key::PasteStart) {
                    self.state = State::Paste(0);
                }
                take_some(key, take);
            }
            _ if self.begun.len() < SEQUENCE_BYTES_MAX => self.begun.push(byte),
            _ => {}
        }
    }

    fn on_ss3(&mut self, byte: u8, take: &mut impl FnMut(Key)) {
        match byte {
            // Some put what is held with the key before its letter.
            b'0'..=b'9' | b';' if self.begun.len() < SEQUENCE_BYTES_MAX => self.begun.push(b';'),
            _ => {
                let parameters = std::mem::take(&mut self.begun);
                self.state = State::Ground;
                // rxvt, with Ctrl.
                let key = match byte {
                    b'c' => named(b'C', b";"),
                    b'd' => named(b'D', b";"),
                    _ => named(byte, &parameters),
                };
                take_some(self.with_alt(key), take);
            }
        }
    }

    fn with_alt(&self, key: Option<Key>) -> Option<Key> {
        match key {
            Some(Key::Right) if self.is_escaped_twice => Some(Key::Alt('f')),
            Some(Key::Left) if self.is_escaped_twice => Some(Key::Alt('b')),
            key => key,
        }
    }

    fn on_pasted(&mut self, byte: u8, matched: usize, take: &mut impl FnMut(Key)) {
        if byte == PASTE_END[matched] {
            self.state = State::Paste(matched + 1);
            if matched + 1 == PASTE_END.len() {
                self.state = State::Ground;
                self.end_character(take);
                take(Key::PasteEnd);
            }
            return;
        }
        self.state = State::Paste(0);
        if matched > 0 {
            self.end_character(take);
            PASTE_END[..matched].iter().for_each(|&byte| take(Key::Char(byte as char)));
            return self.on_pasted(byte, 0, take);
        }
        self.on_text(byte, take);
    }

    /// A byte of UTF-8. What is none becomes the replacement character, as everywhere.
    fn on_text(&mut self, byte: u8, take: &mut impl FnMut(Key)) {
        self.begun.push(byte);
        match std::str::from_utf8(&self.begun) {
            Ok(text) => {
                text.chars().for_each(|c| take(Key::Char(c)));
                self.begun.clear();
            }
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                let last = self.begun.pop().filter(|_| !self.begun.is_empty());
                self.begun.clear();
                take(Key::Char(char::REPLACEMENT_CHARACTER));
                // The byte that does not continue the character may begin one.
                last.into_iter().for_each(|byte| self.on_text(byte, take));
            }
        }
    }

    fn end_character(&mut self, take: &mut impl FnMut(Key)) {
        if !self.begun.is_empty() {
            self.begun.clear();
            take(Key::Char(char::REPLACEMENT_CHARACTER));
        }
    }
}

fn take_some(key: Option<Key>, take: &mut impl FnMut(Key)) {
    key.into_iter().for_each(take);
}

fn control(byte: u8) -> Option<Key> {
    match byte {
        b'\t' => Some(Key::Tab),
        b'\r' | b'\n' => Some(Key::Enter),
        0x7F => Some(Key::Backspace),
        1..=26 => Some(Key::Ctrl((byte - 1 + b'a') as char)),
        _ => None,
    }
}

/// The key of a control sequence, by its last byte and what is before that.
fn named(last: u8, parameters: &[u8]) -> Option<Key> {
    let is_modified = parameters.contains(&b';');
    match (last, parameters) {
        (b'A', _) => Some(Key::Up),
        (b'B', _) => Some(Key::Down),
        // With Ctrl or Alt a word at a time.
        (b'C', _) if is_modified => Some(Key::Alt('f')),
        (b'D', _) if is_modified => Some(Key::Alt('b')),
        (b'C', _) => Some(Key::Right),
        (b'D', _) => Some(Key::Left),
        // rxvt has others than `~` with Shift and Ctrl.
        (b'H', _) | (b'~' | b'$' | b'^' | b'@', b"1" | b"7") => Some(Key::Home),
        (b'F', _) | (b'~' | b'$' | b'^' | b'@', b"4" | b"8") => Some(Key::End),
        (b'~' | b'$' | b'^' | b'@', b"3") => Some(Key::Delete),
        (b'~', b"200") => Some(Key::PasteStart),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(pieces: &[&[u8]]) -> Vec<Key> {
        let (mut parser, mut keys) = (Keys::default(), Vec::new());
        pieces.concat().into_iter().for_each(|byte| parser.feed(byte, |key| keys.push(key)));
        keys
    }

    fn chars(text: &str) -> Vec<Key> {
        text.chars().map(Key::Char).collect()
    }

    #[test]
    fn every_key_is_known_by_its_bytes() {
        let table: [(&[u8], Key); 40] = [
            (b"a", Key::Char('a')),
            ("é".as_bytes(), Key::Char('é')),
            ("👍".as_bytes(), Key::Char('👍')),
            (b"\r", Key::Enter),
            (b"\n", Key::Enter),
            (b"\t", Key::Tab),
            (b"\x7f", Key::Backspace),
            (b"\x08", Key::Ctrl('h')),
            (b"\x01", Key::Ctrl('a')),
            (b"\x1a", Key::Ctrl('z')),
            (b"\x1bb", Key::Alt('b')),
            (b"\x1b\x7f", Key::Alt('\u{7f}')),
            (b"\x1b\x1bf", Key::Alt('f')),
            (b"\x1b[A", Key::Up),
            (b"\x1b[B", Key::Down),
            (b"\x1b[C", Key::Right),
            (b"\x1b[D", Key::Left),
            (b"\x1bOA", Key::Up),
            (b"\x1bOD", Key::Left),
            (b"\x1b[H", Key::Home),
            (b"\x1bOH", Key::Home),
            (b"\x1b[1~", Key::Home),
            (b"\x1b[7~", Key::Home),
            (b"\x1b[F", Key::End),
            (b"\x1bOF", Key::End),
            (b"\x1b[4~", Key::End),
            (b"\x1b[8~", Key::End),
            (b"\x1b[3~", Key::Delete),
            (b"\x1b[1;5C", Key::Alt('f')),
            (b"\x1b[1;3D", Key::Alt('b')),
            (b"\x1bO5C", Key::Alt('f')),
            (b"\x1bO1;5D", Key::Alt('b')),
            (b"\x1bOc", Key::Alt('f')),
            (b"\x1bOd", Key::Alt('b')),
            (b"\x1b\x1b[C", Key::Alt('f')),
            (b"\x1b\x1bOD", Key::Alt('b')),
            (b"\x1b\x1b[A", Key::Up),
            (b"\x1b[7$", Key::Home),
            (b"\x1b[8^", Key::End),
            (b"\x1b[3$", Key::Delete),
        ];
        for (bytes, key) in table {
            assert_eq!(keys(&[bytes]), [key], "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_dropped_whole_and_types_nothing() {
        let long = [b"\x1b[".as_slice(), &[b'1'; 1000], b"x"].concat();
        let table: [&[u8]; 12] = [
            b"\x1b[15~",
            b"\x1b[?1;2c",
            b"\x1b[<0;1;1M",
            b"\x1b[I",
            b"\x1bOP",
            b"\x1bO2P",
            b"\x1b[?2026;2$y",
            b"\x1b[2$",
            b"\x1b[[A",
            b"\0",
            b"\x1c",
            &long,
        ];
        for bytes in table {
            assert_eq!(keys(&[bytes, b"a"]), [Key::Char('a')], "{bytes:?}");
        }
        assert_eq!(keys(&[b"\x1b\x1b[A\x1b[C"]), [Key::Up, Key::Right]);
        assert_eq!(keys(&[b"\x1b[1\x03a"]), [Key::Ctrl('c'), Key::Char('a')]);
    }

    #[test]
    fn bytes_that_are_no_text_become_a_stand_in() {
        assert_eq!(keys(&[b"a\xffb"]), chars("a\u{FFFD}b"));
        assert_eq!(keys(&[b"\xe4\xbda"]), chars("\u{FFFD}a"));
        assert_eq!(keys(&[b"\xf0\x9f\xf0\x9f\x91\x8d"]), chars("\u{FFFD}👍"));
        assert_eq!(keys(&[b"\xe4\r"]), [Key::Char('\u{FFFD}'), Key::Enter]);
    }

    #[test]
    fn a_paste_is_text_whatever_is_in_it() {
        let table = [
            "",
            "two\nlines\r",
            "\x03\x1b[A\x1b[20\x1b[200~\t",
            "é\x1b",
            "\x1b\x1b[",
            "ends \x1b[201 not yet",
        ];
        for text in table {
            let bytes = format!("\x1b[200~{text}\x1b[201~x");
            let expected = [vec![Key::PasteStart], chars(text), vec![Key::PasteEnd], chars("x")].concat();
            assert_eq!(keys(&[bytes.as_bytes()]), expected, "{text:?}");
        }
        assert_eq!(keys(&[b"\x1b[201~a"]), [Key::Char('a')]);
    }
}
