//! Breaks lines at words, as a terminal would not.
//!
//! Rows after the first are indented, so a message is seen as one, and none of its rows can look like another message.
//! A space is the place to break, and so is either side of a wide character: Chinese and Japanese are written without
//! spaces. A word that is longer than a row is broken where the row ends. No character is ever divided, and none
//! stands half in a row.
//!
//! The breaks are newlines, so they are also in what is copied from the screen. Without them there would be no indent.

use super::columns::{beginning, columns_of, columns_of_one};
use super::style::{Piece, write_in};
use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// The indent on a narrow terminal, and of lines without a head.
pub(super) const INDENT: usize = 2;

/// The columns of a time and its space.
const TIME_COLUMNS: usize = "00:00 ".len();

/// Below so many columns a terminal is narrow.
const COLUMNS_OF_INDENT_MIN: usize = 30;

/// What must not begin a row.
const CLOSING: &str = "、。，．：；？！」』】）〕》〉”’…ー々";
/// What must not end one.
const OPENING: &str = "「『【（〔《〈“‘";

/// What is shown at once: one line or several, in pieces of one style, each line with its newline.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) pieces: Vec<Piece>,
    /// The columns before the text, below which it goes on.
    pub(super) head: usize,
}

impl Entry {
    /// Lines without a text of their own.
    pub(super) fn new(pieces: Vec<Piece>) -> Self {
        Self { pieces, head: INDENT }
    }

    /// A message: the text begins after the head.
    pub(super) fn of_message(head: Vec<Piece>, text: Vec<Piece>) -> Self {
        let columns = head.iter().map(|piece| columns_of(&piece.text)).sum();
        Self { pieces: [head, text].concat(), head: columns }
    }

    /// The same lines in rows of so many columns at most.
    pub(super) fn wrapped(&self, columns: u16) -> Wrapped<'_> {
        let columns = columns.into();
        let indent = indent_below(self.head, columns);
        let starts = self.pieces.iter().scan(0, |end, piece| {
            let start = *end;
            *end += piece.text.len();
            Some(start)
        });
        Wrapped { pieces: &self.pieces, starts: starts.collect(), indent, columns }
    }
}

/// An entry, to be displayed.
#[derive(Debug)]
pub(super) struct Wrapped<'a> {
    pieces: &'a [Piece],
    /// Where each piece begins in the text of all.
    starts: Vec<usize>,
    indent: usize,
    columns: usize,
}

impl Display for Wrapped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text: String = self.pieces.iter().map(|piece| piece.text.as_str()).collect();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let words = line.strip_suffix('\n').unwrap_or(line);
            for (n, row) in rows(words, self.columns, self.indent).into_iter().enumerate() {
                if n > 0 {
                    write!(f, "\n{:indent$}", "", indent = self.indent)?;
                }
                self.write_part(f, start + row.start..start + row.end)?;
            }
            f.write_str(&line[words.len()..])?;
            start += line.len();
        }
        Ok(())
    }
}

impl Wrapped<'_> {
    /// Writes a part of the text, whose styles end with it.
    fn write_part(&self, f: &mut Formatter<'_>, part: Range<usize>) -> fmt::Result {
        let first = self.starts.partition_point(|&start| start <= part.start).saturating_sub(1);
        for (Piece { style, text }, start) in self.pieces.iter().zip(&self.starts).skip(first) {
            let (from, to) = (part.start.max(*start), part.end.min(start + text.len()));
            if from < to {
                write_in(f, style, &text[from - start..to - start])?;
            }
            if to == part.end {
                break;
            }
        }
        Ok(())
    }
}

/// The indent below a text that begins after so many columns. Below a long head there would be no room: then it is
/// that of a text without a head, right of the time.
fn indent_below(head: usize, columns: usize) -> usize {
    match columns {
        ..COLUMNS_OF_INDENT_MIN => INDENT.min(columns / 2),
        _ if head <= columns / 2 => head,
        _ => TIME_COLUMNS,
    }
}

/// The rows of a line, as parts of it. Spaces between two rows are left out.
fn rows(line: &str, columns: usize, indent: usize) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let mut start = 0;
    // A terminal that tells no size, or one of no columns, gets one character in a row.
    let mut room = columns.max(1);
    let later = columns.saturating_sub(indent).max(1);
    while let Some((end, next)) = first_break(&line[start..], room, later) {
        rows.push(start..start + end);
        start += next;
        room = later;
    }
    let rest = &line[start..];
    // Spaces at the end may be more than the room.
    let end = rest.trim_end_matches(' ').len().max(beginning(rest, room).len());
    rows.push(start..start + end);
    rows
}

/// Where the first row of this text ends, and where the next one begins. `None` if there is no next one.
fn first_break(text: &str, room: usize, later: usize) -> Option<(usize, usize)> {
    // The fast way for most messages.
    if text.len() <= room && text.is_ascii() {
        return None;
    }
    let mut place = None;
    let mut words_end = 0;
    let mut columns = 0;
    let mut last = "";
    for (at, part) in text.grapheme_indices(true) {
        if part != " " {
            if at > 0 && may_break(last, part) {
                place = Some((words_end, at));
            }
            columns += columns_of_one(part);
            if columns > room && at > 0 {
                return Some(
                    place.filter(|&(_, next)| next == at || fits(&text[next..], later)).unwrap_or((at, at)),
                );
            }
            words_end = at + part.len();
        } else {
            columns += 1;
        }
        last = part;
    }
    None
}

/// Whether the first word fits into a row.
fn fits(text: &str, room: usize) -> bool {
    let row = beginning(text, room);
    let mut last = "";
    for (at, part) in text.grapheme_indices(true) {
        if part == " " || at > 0 && may_break(last, part) {
            return true;
        }
        if at >= row.len() {
            return false;
        }
        last = part;
    }
    true
}

/// Whether the next row may begin with `next`, after `last`.
fn may_break(last: &str, next: &str) -> bool {
    last == " " || is_break_of_wide(last, next)
}

fn is_break_of_wide(last: &str, next: &str) -> bool {
    if last.is_ascii() && next.is_ascii() {
        return false;
    }
    let is_wide = columns_of(last) > 1 || columns_of(next) > 1;
    is_wide
        && !CLOSING.contains(next)
        && !OPENING.contains(last)
        && !next.starts_with(|c: char| c.is_ascii_punctuation())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILY: &str = "👨\u{200D}👩\u{200D}👧";

    fn shown(text: &str, columns: usize, indent: usize) -> Vec<String> {
        let pieces = [Piece::plain(text)];
        let wrapped = Wrapped { pieces: &pieces, starts: vec![0], indent, columns };
        wrapped.to_string().split('\n').map(str::to_owned).collect()
    }

    #[test]
    fn lines_break_at_words_and_go_on_below_their_text() {
        let table: [(&str, usize, usize, &[&str]); 17] = [
            ("anna: one two", 13, 6, &["anna: one two"]),
            ("anna: one two", 12, 6, &["anna: one", "      two"]),
            ("anna: one two ", 13, 6, &["anna: one two"]),
            ("anna: one  two", 12, 6, &["anna: one", "      two"]),
            ("anna:  one", 10, 6, &["anna:  one"]),
            ("a b c d", 3, 2, &["a b", "  c", "  d"]),
            ("anna: onetwothreefour", 12, 6, &["anna: onetwo", "      threef", "      our"]),
            ("anna: one twothree", 12, 6, &["anna: one tw", "      othree"]),
            ("anna: one twothr", 12, 6, &["anna: one", "      twothr"]),
            ("abcdef", 1, 0, &["a", "b", "c", "d", "e", "f"]),
            ("", 10, 2, &[""]),
            ("   ", 2, 1, &["  "]),
            ("one     two", 5, 1, &["one", " two"]),
            ("one\ntwo three\n", 6, 2, &["one", "two th", "  ree", ""]),
            ("a\n\nb", 6, 2, &["a", "", "b"]),
            ("ab", 0, 2, &["a", "  b"]),
            ("e\u{301}e\u{301}e\u{301}", 2, 0, &["e\u{301}e\u{301}", "e\u{301}"]),
        ];
        for (text, columns, indent, expected) in table {
            assert_eq!(shown(text, columns, indent), expected, "{text:?} in {columns}");
        }
    }

    #[test]
    fn wide_characters_break_anywhere_but_not_in_the_middle() {
        let table: [(&str, usize, usize, &[&str]); 8] = [
            ("你好世界", 4, 0, &["你好", "世界"]),
            ("你好世界", 5, 0, &["你好", "世界"]),
            ("a你好世界", 4, 1, &["a你", " 好", " 世", " 界"]),
            ("你好。世界", 4, 0, &["你", "好。", "世界"]),
            ("你「好」", 6, 0, &["你", "「好」"]),
            ("hi 你好", 6, 0, &["hi 你", "好"]),
            ("你", 1, 0, &["你"]),
            ("👍👍👍", 4, 2, &["👍👍", "  👍"]),
        ];
        for (text, columns, indent, expected) in table {
            assert_eq!(shown(text, columns, indent), expected, "{text:?} in {columns}");
        }
        let families = FAMILY.repeat(3);
        assert!(shown(&families, 12, 0).iter().all(|row| row.replace(FAMILY, "").is_empty()));
    }

    #[test]
    fn the_indent_is_below_the_text_and_leaves_it_room() {
        let table =
            [(12, 80, 12), (40, 80, 40), (41, 80, 6), (12, 30, 12), (16, 30, 6), (12, 29, 2), (12, 3, 1)];
        for (head, columns, indent) in table {
            assert_eq!(indent_below(head, columns), indent, "{head} of {columns}");
        }
    }

    #[test]
    fn a_style_survives_the_break_and_the_indent_has_none() {
        let head = vec![Piece::new("\x1b[1m", "anna"), Piece::plain(": ")];
        let entry = Entry::of_message(head, vec![Piece::new("\x1b[2m", "one two"), Piece::plain("\n")]);
        let rows = "\x1b[1manna\x1b[m: \x1b[2mone\x1b[m\n      \x1b[2mtwo\x1b[m\n";
        let wrapped = Wrapped { columns: 10, indent: entry.head, ..entry.wrapped(80) };
        assert_eq!(wrapped.to_string(), rows);
        assert_eq!(entry.wrapped(80).to_string(), "\x1b[1manna\x1b[m: \x1b[2mone two\x1b[m\n");
    }

    #[test]
    fn no_row_is_wider_than_its_terminal_and_nothing_but_spaces_is_lost() {
        let texts = [
            "plain text that goes on and on and on and on and on and on and on and on and on and on",
            "a-word-that-is-very-long-indeed-and-has-no-space-in-it a  few   spaces    in     between      ",
            "你好世界，你好世界。你好世界「你好世界」abc 你好世界",
            "👨\u{200D}👩\u{200D}👧👍🏽❤\u{FE0F}🏳\u{FE0F}\u{200D}🌈🇩🇪1\u{FE0F}\u{20E3} 👨\u{200D}👩\u{200D}👧👍🏽",
            "e\u{301}\u{302}\u{303} e\u{301}e\u{301}e\u{301}e\u{301} e\u{301}e\u{301}",
            "שלום עולם مرحبا بالعالم שלום עולם مرحبا بالعالم",
        ];
        let solid = |text: &str| text.replace([' ', '\n'], "");
        for text in texts {
            let widest = text.graphemes(true).map(columns_of).max().unwrap();
            for columns in (widest..40).chain([80, 200]) {
                for indent in [0, 2, 6].into_iter().filter(|indent| indent + widest <= columns) {
                    let rows = shown(text, columns, indent);
                    assert!(rows.iter().all(|row| columns_of(row) <= columns), "{rows:?} in {columns}");
                    assert_eq!(solid(&rows.concat()), solid(text));
                }
            }
        }
    }
}
