//! Turns the bytes of a terminal into keys, one byte at a time.
//!
//! A sequence may come in pieces of any size. An escape waits a second for what follows it: with a letter it means Alt
//! and that letter, as in every shell. A sequence that is not a known key is dropped whole. That includes the
//! terminal's replies to queries of a program before us.
//!
//! A reply of the terminal may have any length, and none of it is kept. A key that looks like the beginning of a
//! reply, such as Alt with `]`, would swallow the text that is typed after it. So any control character, even Enter,
//! ends a reply, and so does a second without input. Escape alone is a key only where Alt means nothing: in a search,
//! and when the user is asked about a paste. Elsewhere it waits a second. If Alt with a character is not a key, the
//! character is typed, unless it came too fast to be a second key press.

use crate::limits::{ESCAPE_TIMEOUT, SEQUENCE_TIMEOUT};
use std::time::Duration;

/// One key, or one character of a paste.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A key with the Alt key, or after the escape key.
    Alt(char),
    /// Deletes the character before the cursor.
    Backspace,
    /// A character to be typed. In a paste it may be any character, otherwise it is not a control.
    Char(char),
    /// A letter with the Ctrl key, in lower case.
    Ctrl(char),
    /// Deletes the character under the cursor.
    Delete,
    /// An arrow.
    Down,
    /// To the end of the line.
    End,
    /// Completes the line.
    Enter,
    /// To the beginning of the line.
    Home,
    /// An arrow.
    Left,
    /// The end of a paste.
    PasteEnd,
    /// The beginning of a paste, which lasts until [`Key::PasteEnd`].
    PasteStart,
    /// An arrow.
    Right,
    /// Completes the word before the cursor.
    Tab,
    /// An arrow.
    Up,
}

/// The keys that mean something with the Alt key.
pub(super) const WORD_KEYS: [char; 7] = ['b', 'B', 'd', 'D', 'f', 'F', '\u{7F}'];

/// Ends a paste. A paste begins with the same sequence, but with `200`.
const PASTE_END: [char; 6] = ['\x1b', '[', '2', '0', '1', '~'];
/// How many of these characters are replaced by the single control for an escape and `[`.
const PASTE_END_BEGUN: usize = 2;

/// The longest sequence of a known key has 6 bytes; of longer ones only the end matters.
const PARAMETERS_MAX: usize = 16;

/// The bytes of the old mouse report after `ESC [ M`: a button and a position.
const MOUSE_BYTES: u8 = 3;

const BELL: char = '\x07';
/// Cancels a sequence.
const CAN: char = '\x18';
/// Cancels a sequence that was damaged.
const SUB: char = '\x1a';
const ESC: char = '\x1b';
/// Stands for an escape and `[`.
const CSI: char = '\u{9b}';
/// Ends a reply, like an escape and `\`.
const ST: char = '\u{9c}';

/// Bytes in, keys out.
#[derive(Debug, Default)]
pub(super) struct Keys {
    state: State,
    /// The bytes of a character that is not complete.
    begun: Vec<u8>,
    /// The parameters of an incomplete control sequence.
    parameters: String,
    /// Two escapes in a row: Alt with the key that follows, on terminals that send an escape for Alt.
    is_escaped_twice: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// After an escape.
    Escape,
    /// After an escape and a pause: somebody pressed only that key, or a slow reply is coming.
    EscapeRested,
    /// After an escape that counted as a key. Only a sequence can still change that.
    EscapeTaken,
    /// After an escape and `[`.
    Csi,
    /// After an escape and `O`.
    Ss3,
    /// After an escape, `[` and `[`: the function keys of the Linux console.
    Console,
    /// In the old mouse report; so many bytes are missing.
    Mouse(u8),
    /// In a reply of the terminal to a query of a program before us: text up to its terminator.
    Reply,
    /// In a paste; so many characters of its end mark have matched.
    Paste(usize),
}

impl Keys {
    /// Takes a byte, and returns the keys that it completes.
    pub(super) fn feed(&mut self, byte: u8, mut take: impl FnMut(Key)) {
        match self.state {
            // They are numbers, not characters; the terminal sends 0 for a position that is too far away.
            State::Mouse(left) if byte >= b' ' || byte == 0 => {
                self.state = if left > 1 { State::Mouse(left - 1) } else { State::Ground };
            }
            _ => self.decode(byte, &mut take),
        }
    }

    /// Takes an escape that nothing has followed as the escape key. `false` if there is none.
    pub(super) fn take_escape(&mut self) -> bool {
        let is_escape = self.state == State::Escape;
        if is_escape {
            self.state = State::EscapeTaken;
        }
        is_escape
    }

    /// Call it when nothing has come for this time. It gives up a sequence that is too old to continue. Otherwise a
    /// key that looks like the beginning of a sequence, such as Alt with `]`, would swallow what is typed after it.
    pub(super) fn rest(&mut self, time: Duration) {
        let time_max = match self.state {
            State::Ground | State::Paste(_) => return,
            State::EscapeTaken => ESCAPE_TIMEOUT,
            _ => SEQUENCE_TIMEOUT,
        };
        if time >= time_max {
            *self = Self::default();
        } else if self.state == State::Escape && time >= ESCAPE_TIMEOUT {
            self.state = State::EscapeRested;
        }
    }

    /// Takes a byte of UTF-8. Invalid bytes become the replacement character, as everywhere.
    fn decode(&mut self, byte: u8, take: &mut impl FnMut(Key)) {
        self.begun.push(byte);
        match std::str::from_utf8(&self.begun) {
            Ok(text) => {
                let c = text.chars().next();
                self.begun.clear();
                c.into_iter().for_each(|c| self.on_char(c, take));
            }
            Err(error) if error.error_len().is_none() => {}
            Err(_) if self.begun.len() == 1 => {
                self.begun.clear();
                self.on_char(self.lone(byte), take);
            }
            Err(_) => {
                self.begun.clear();
                self.on_char(char::REPLACEMENT_CHARACTER, take);
                // A byte that does not continue the character may begin another one.
                self.decode(byte, take);
            }
        }
    }

    /// What a byte means that is not part of a character. Some terminals send the controls above 127 as such bytes.
    fn lone(&self, byte: u8) -> char {
        let c = char::from(byte);
        let is_sent = if matches!(self.state, State::Paste(_)) { c == CSI } else { c.is_control() };
        if is_sent { c } else { char::REPLACEMENT_CHARACTER }
    }

    fn on_char(&mut self, c: char, take: &mut impl FnMut(Key)) {
        match (self.state, c) {
            (State::Ground, _) => self.on_plain(c, take),
            (State::Paste(matched), _) => self.on_pasted(c, matched, take),
            (State::Escape | State::EscapeRested, _) => self.on_escaped(c, take),
            (State::EscapeTaken, _) => self.on_escape_taken(c, take),
            (_, CAN | SUB) | (State::Reply, BELL | ST) => self.leave(),
            (State::Reply, _) if !c.is_control() => {}
            (State::Csi, ' '..='~') => self.on_csi(c, take),
            (State::Ss3, ' '..='~') => self.on_ss3(c, take),
            (State::Console, ' '..='~') => self.leave(),
            // A control character is not part of a sequence: it is a key of its own, whatever it interrupts.
            _ => {
                self.leave();
                self.on_plain(c, take);
            }
        }
    }

    /// Ends the sequence, complete or not.
    fn leave(&mut self) {
        self.state = State::Ground;
        self.parameters.clear();
    }

    fn on_plain(&mut self, c: char, take: &mut impl FnMut(Key)) {
        match c {
            ESC => {
                self.state = State::Escape;
                self.is_escaped_twice = false;
            }
            // Stands for an escape and a letter.
            '\u{80}'..='\u{9f}' => {
                self.is_escaped_twice = false;
                self.state = introduced(char::from(c as u8 - 0x40)).unwrap_or_default();
            }
            c if c.is_control() => take_some(control(c), take),
            c => take(Key::Char(c)),
        }
    }

    fn on_escaped(&mut self, c: char, take: &mut impl FnMut(Key)) {
        let has_rested = self.state == State::EscapeRested;
        self.state = introduced(c).unwrap_or_default();
        match c {
            ESC => {
                self.state = State::Escape;
                self.is_escaped_twice = !has_rested;
            }
            // The end of a reply, if there was one.
            '\\' => {}
            // Alt with Backspace.
            '\x08' | '\x7f' => take(Key::Alt('\u{7F}')),
            ' '..='~' if self.state != State::Ground => {}
            // With Alt it means nothing: it is a key that was pressed after escape.
            ' '..='~' if has_rested && !WORD_KEYS.contains(&c) => take(Key::Char(c)),
            ' '..='~' => take(Key::Alt(c)),
            _ => self.on_plain(c, take),
        }
    }

    fn on_escape_taken(&mut self, c: char, take: &mut impl FnMut(Key)) {
        self.state = introduced(c).unwrap_or_default();
        if self.state == State::Ground && c != '\\' {
            self.on_plain(c, take);
        }
    }

    fn on_csi(&mut self, c: char, take: &mut impl FnMut(Key)) {
        let are_digits = self.parameters.chars().all(|c| c.is_ascii_digit());
        match c {
            '[' if self.parameters.is_empty() => self.state = State::Console,
            'M' if self.parameters.is_empty() => self.state = State::Mouse(MOUSE_BYTES),
            // In rxvt `$` ends a key with Shift; in other terminals more follows.
            '$' if !are_digits => self.note(c),
            '$' | '@'..='~' => {
                let key = self.with_alt(named(c, &self.parameters));
                self.leave();
                if key == Some(Key::PasteStart) {
                    self.state = State::Paste(0);
                }
                take_some(key, take);
            }
            _ => self.note(c),
        }
    }

    fn on_ss3(&mut self, c: char, take: &mut impl FnMut(Key)) {
        match c {
            // Some terminals send the modifier keys before the letter.
            '0'..='9' | ';' => self.note(';'),
            _ => {
                // rxvt, with Ctrl.
                let key = match c {
                    'c' => named('C', ";"),
                    'd' => named('D', ";"),
                    _ => named(c, &self.parameters),
                };
                self.leave();
                take_some(self.with_alt(key), take);
            }
        }
    }

    fn note(&mut self, c: char) {
        if self.parameters.len() < PARAMETERS_MAX {
            self.parameters.push(c);
        }
    }

    fn with_alt(&self, key: Option<Key>) -> Option<Key> {
        match key {
            Some(Key::Right) if self.is_escaped_twice => Some(Key::Alt('f')),
            Some(Key::Left) if self.is_escaped_twice => Some(Key::Alt('b')),
            key => key,
        }
    }

    fn on_pasted(&mut self, c: char, matched: usize, take: &mut impl FnMut(Key)) {
        let matched_now = match (c, matched) {
            (CSI, 0) => PASTE_END_BEGUN,
            _ if c == PASTE_END[matched] => matched + 1,
            _ => 0,
        };
        self.state = State::Paste(matched_now);
        if matched_now == PASTE_END.len() {
            self.state = State::Ground;
            take(Key::PasteEnd);
        } else if matched_now == 0 && matched > 0 {
            PASTE_END[..matched].iter().for_each(|&c| take(Key::Char(c)));
            self.on_pasted(c, 0, take);
        } else if matched_now == 0 {
            take(Key::Char(c));
        }
    }
}

/// What an escape and this character begin, if that is more than a key with Alt.
fn introduced(c: char) -> Option<State> {
    match c {
        '[' => Some(State::Csi),
        'O' => Some(State::Ss3),
        // DCS, SOS, OSC, PM and APC.
        'P' | 'X' | ']' | '^' | '_' => Some(State::Reply),
        _ => None,
    }
}

fn take_some(key: Option<Key>, take: &mut impl FnMut(Key)) {
    key.into_iter().for_each(take);
}

fn control(c: char) -> Option<Key> {
    match c {
        '\t' => Some(Key::Tab),
        '\r' | '\n' => Some(Key::Enter),
        '\x7f' => Some(Key::Backspace),
        '\x01'..='\x1a' => Some(Key::Ctrl(char::from(c as u8 - 1 + b'a'))),
        _ => None,
    }
}

/// The key of a control sequence, from its last character and its parameters. Only numbers are parameters of keys: all
/// other sequences are replies.
fn named(last: char, parameters: &str) -> Option<Key> {
    if !parameters.chars().all(|c| c.is_ascii_digit() || ";:".contains(c)) {
        return None;
    }
    let is_modified = parameters.contains(';');
    match (last, parameters) {
        ('A', _) => Some(Key::Up),
        ('B', _) => Some(Key::Down),
        // With Ctrl or Alt, one word at a time.
        ('C', _) if is_modified => Some(Key::Alt('f')),
        ('D', _) if is_modified => Some(Key::Alt('b')),
        ('C', _) => Some(Key::Right),
        ('D', _) => Some(Key::Left),
        // rxvt ends these keys differently with Shift and Ctrl.
        ('H', _) | ('~' | '$' | '^' | '@', "1" | "7") => Some(Key::Home),
        ('F', _) | ('~' | '$' | '^' | '@', "4" | "8") => Some(Key::End),
        ('~' | '$' | '^' | '@', "3") => Some(Key::Delete),
        ('~', "200") => Some(Key::PasteStart),
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
    fn a_sequence_that_is_not_a_key_is_dropped_whole_and_types_nothing() {
        let long = [b"\x1b[".as_slice(), &[b'1'; 1000], b"x"].concat();
        let longer = [b"\x1bO".as_slice(), &[b'1'; 1000], b"P"].concat();
        for bytes in SEQUENCES.into_iter().chain([long.as_slice(), &longer]) {
            assert_eq!(keys(&[bytes, b"a"]), [Key::Char('a')], "{}", bytes.escape_ascii());
        }
        assert_eq!(keys(&[b"\x1b\x1b[A\x1b[C"]), [Key::Up, Key::Right]);
        assert_eq!(keys(&[b"\x1b[1\x03a"]), [Key::Ctrl('c'), Key::Char('a')]);
    }

    /// Sequences that a terminal may send without a key press, or that mean nothing here.
    const SEQUENCES: [&[u8]; 55] = [
        // Strings with either terminator: colours, a title, the clipboard, the terminal's name, its features,
        // pictures.
        b"\x1b]11;rgb:0000/0000/0000\x07",
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1b]lThe title \xe2\x80\x9cof\xe2\x80\x9d \xe2\x9c\x93 a window\x1b\\",
        b"\x1b]52;c;aGVsbG8=\x07",
        b"\x1b]4;1;rgb:cdcd/0000/0000\x9c",
        b"\x1b]\x07",
        b"\x1b]\x1b\\",
        b"\x1bP>|XTerm(370)\x1b\\",
        b"\x1bP1+r544e=787465726d\x1b\\",
        b"\x1bP1$r0m\x1b\\",
        b"\x1bP!|00000000\x1b\\",
        b"\x1bP0$r\x07",
        b"\x1b_Gi=31;OK\x1b\\",
        b"\x1b_\xff\xfe\x1b\\",
        b"\x1b^private\x1b\\",
        b"\x1bXany\xc2\x9c",
        b"\x1b\\",
        // Incomplete.
        b"\x1b]11;rgb:\x18",
        b"\x1bP1$r\x1a",
        b"\x1b[12;4\x18",
        b"\x1b[12;4\x1a",
        b"\x1bO\x18",
        b"\x1b[M \x18",
        b"\x1b]11;rgb:\x1b]11;rgb:0000/0000/0000\x07",
        b"\x1b]11;rgb:\x1b[12;40R",
        b"\x1b[12;\x1b[12;40R",
        // The mouse: in bytes, in digits and in rxvt's form.
        b"\x1b[M !!",
        b"\x1b[M#\xff\xa1",
        b"\x1b[M\x20\xc3\x28",
        b"\x1b[M \0\0",
        b"\x1b[Mabc",
        b"\x1b[<0;12;40M",
        b"\x1b[<0;12;40m",
        b"\x1b[32;12;40M",
        // Reports: focus, positions, sizes, modes, keyboards, identification.
        b"\x1b[I",
        b"\x1b[O",
        b"\x1b[12;40R",
        b"\x1b[?12;40R",
        b"\x1b[0n",
        b"\x1b[8;24;80t",
        b"\x1b[?1;2c",
        b"\x1b[>41;370;0c",
        b"\x1b[=1;2A",
        b"\x1b[?2026;2$y",
        b"\x1b[2$",
        b"\x1b[1 A",
        b"\x1b[?1u",
        b"\x1b[97;5u",
        // Keys without a meaning.
        b"\x1b[15~",
        b"\x1bOP",
        b"\x1bO2P",
        b"\x1b[[A",
        b"\0",
        b"\x1c",
        b"\xc2\x85",
    ];

    /// A sequence with a single control instead of an escape and a letter, as a byte and as UTF-8.
    fn in_eight_bits(sequence: &[u8]) -> Option<[Vec<u8>; 2]> {
        let (&[escape, letter], rest) = sequence.split_first_chunk()?;
        (escape == 0x1b && letter != b'\\').then(|| {
            let control = letter + 0x40;
            [[&[control], rest].concat(), [&[0xc2, control], rest].concat()]
        })
    }

    #[test]
    fn no_reply_types_anything_whatever_is_around_it_and_whatever_pieces_it_comes_in() {
        let whole = SEQUENCES.iter().map(|sequence| sequence.to_vec());
        let eight_bits = SEQUENCES.iter().filter_map(|sequence| in_eight_bits(sequence)).flatten();
        let sequences: Vec<Vec<u8>> = whole.chain(eight_bits).collect();
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let (mut sent, mut expected) = (Vec::new(), Vec::new());
            for _ in 0..random.usize(1..6) {
                let typed = ["", "a", "é", "你好", "👍", "[", "M", "\\", "]", "0;"][random.usize(..10)];
                sent.extend_from_slice(typed.as_bytes());
                expected.extend(chars(typed));
                for _ in 0..random.usize(..4) {
                    sent.extend_from_slice(&sequences[random.usize(..sequences.len())]);
                }
                if random.u8(..8) == 0 {
                    let inside =
                        String::from_utf8_lossy(&sequences[random.usize(..sequences.len())]).into_owned();
                    // In a paste, the control that stands for an escape and `[` is one character instead of two.
                    let inside = inside.replace('\u{9b}', "\x1b[");
                    sent.extend_from_slice(format!("\x1b[200~{inside}\x1b[201~").as_bytes());
                    expected.push(Key::PasteStart);
                    expected.extend(chars(&inside));
                    expected.push(Key::PasteEnd);
                }
            }
            // The bytes of a key may be cut anywhere, with a pause between two pieces.
            let (mut parser, mut got) = (Keys::default(), Vec::new());
            for byte in &sent {
                parser.feed(*byte, |key| got.push(key));
                if random.bool() {
                    parser.rest(SEQUENCE_TIMEOUT - Duration::from_millis(1));
                }
            }
            assert_eq!(got, expected, "{}", sent.escape_ascii());
            assert_eq!(parser.state, State::Ground, "{}", sent.escape_ascii());
        }
    }

    #[test]
    fn a_reply_without_an_end_is_over_with_the_next_control_or_when_nothing_comes() {
        for begun in [
            "\x1b]",
            "\x1b]11;rgb:",
            "\x1bP1$r",
            "\x1b_G",
            "\x1b^",
            "\x1bX",
            "\x1b[1;",
            "\x1bO",
            "\x1b[[",
            "\x1b[M",
            "\x1b",
            "\x1b\x1b",
        ] {
            for (control, key) in [
                ("\r", Key::Enter),
                ("\x7f", Key::Backspace),
                ("\x03", Key::Ctrl('c')),
                ("\t", Key::Tab),
                ("\x1b[A", Key::Up),
            ] {
                // The mouse report takes that byte as its own, and with an escape it is another key.
                if control != "\x7f" || !["\x1b[M", "\x1b", "\x1b\x1b"].contains(&begun) {
                    let bytes = format!("{begun}{control}x");
                    assert_eq!(keys(&[bytes.as_bytes()]), [key, Key::Char('x')], "{bytes:?}");
                }
            }
            let (mut parser, mut got) = (Keys::default(), Vec::new());
            begun.bytes().for_each(|byte| parser.feed(byte, |key| got.push(key)));
            parser.rest(SEQUENCE_TIMEOUT);
            parser.feed(b'x', |key| got.push(key));
            assert_eq!(got, [Key::Char('x')], "{begun:?}");
        }
        // Text in another script is not part of a sequence.
        for begun in ["\x1b[", "\x1b[1", "\x1bO", "\x1b[["] {
            assert_eq!(keys(&[begun.as_bytes(), "你好".as_bytes()]), chars("你好"), "{begun:?}");
        }
    }

    #[test]
    fn a_key_after_escape_is_typed_unless_both_together_mean_something() {
        let table: [(&str, Duration, &str, Vec<Key>); 10] = [
            ("\x1b", Duration::ZERO, "hi", [vec![Key::Alt('h')], chars("i")].concat()),
            ("\x1b", ESCAPE_TIMEOUT, "hi", chars("hi")),
            ("\x1b\x1b", ESCAPE_TIMEOUT, "hi", chars("hi")),
            ("\x1b", ESCAPE_TIMEOUT, "by", [vec![Key::Alt('b')], chars("y")].concat()),
            ("\x1b", ESCAPE_TIMEOUT, "\x7fx", [vec![Key::Alt('\u{7f}')], chars("x")].concat()),
            ("\x1b", ESCAPE_TIMEOUT, "\x1b[Dx", [vec![Key::Left], chars("x")].concat()),
            ("\x1b", ESCAPE_TIMEOUT, "[Dx", [vec![Key::Left], chars("x")].concat()),
            ("\x1b", SEQUENCE_TIMEOUT, "[x] done", chars("[x] done")),
            ("\x1b", SEQUENCE_TIMEOUT, "Please", chars("Please")),
            ("\x1b", SEQUENCE_TIMEOUT, "bye", chars("bye")),
        ];
        for (before, rested, after, expected) in table {
            let (mut parser, mut got) = (Keys::default(), Vec::new());
            before.bytes().for_each(|byte| parser.feed(byte, |key| got.push(key)));
            parser.rest(rested);
            after.bytes().for_each(|byte| parser.feed(byte, |key| got.push(key)));
            assert_eq!(got, expected, "{before:?} {rested:?} {after:?}");
        }
    }

    #[test]
    fn a_paste_is_marked_in_eight_bits_too() {
        for csi in [b"\x9b".as_slice(), "\u{9b}".as_bytes()] {
            let expected =
                [vec![Key::PasteStart], chars("a\x1b[2Jé"), vec![Key::PasteEnd], chars("x")].concat();
            assert_eq!(keys(&[csi, b"200~a\x1b[2J", "é".as_bytes(), csi, b"201~x"]), expected);
        }
        assert_eq!(keys(&[b"\x9bA\xc2\x9bC\x8fA"]), [Key::Up, Key::Right, Key::Up]);
    }

    #[test]
    fn invalid_bytes_become_the_replacement_character() {
        assert_eq!(keys(&[b"a\xffb"]), chars("a\u{FFFD}b"));
        assert_eq!(keys(&[b"\xe4\xbda"]), chars("\u{FFFD}a"));
        assert_eq!(keys(&[b"\xf0\x9f\xf0\x9f\x91\x8d"]), chars("\u{FFFD}👍"));
        assert_eq!(keys(&[b"\xe4\r"]), [Key::Char('\u{FFFD}'), Key::Enter]);
    }

    #[test]
    fn a_paste_is_text_even_with_control_characters() {
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
