//! One row of the screen: a prompt and the part of the line that fits, always with the cursor.
//!
//! It may be shorter on the screen than computed, but never longer.

use crate::proto::clean::Clean;
use crate::term::columns::{beginning, columns_of, columns_of_one};
use std::borrow::Cow;
use unicode_segmentation::UnicodeSegmentation;

/// What is drawn. The terminal itself finds the place of the cursor: it is where `before` ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The prompt, and the line up to the cursor.
    pub before: String,
    /// The line after the cursor.
    pub after: String,
    /// How many bytes of `before` are the prompt for a text to all, which looks different.
    pub warning_bytes: usize,
    /// The columns of `before`.
    pub cursor_column: usize,
}

/// Lays out a row of `columns`; the last column stays free. `prompts` is the same prompt in fewer and fewer words, and
/// `is_to_all` says whether the line goes to all.
/// `start` is where the visible part of the line began on the row drawn last, in bytes of the cleaned text; it moves
/// when the cursor would leave the row.
pub(super) fn lay_out(
    prompts: &[Cow<'_, str>],
    is_to_all: bool,
    text: &str,
    cursor: usize,
    columns: usize,
    start: &mut usize,
) -> Row {
    let room = columns.saturating_sub(1);
    // Cleaning a text does not depend on what follows it, so the position of the cursor can be computed.
    let (before, all) = (Clean(&text[..cursor]).to_string(), Clean(text).to_string());
    let after = &all[before.len()..];
    let prompt = fit_prompt(prompts, room.saturating_sub(columns_of(&all)).max(columns / 2));
    let prompt_columns = columns_of(&prompt);
    let room = room.saturating_sub(prompt_columns);
    *start = start_of(&before, after, room, *start);
    let before = &before[*start..];
    let after_columns = room.saturating_sub(columns_of(before));
    Row {
        warning_bytes: if is_to_all { prompt.len() } else { 0 },
        cursor_column: prompt_columns + columns_of(before),
        before: prompt + before,
        after: beginning(after, after_columns).to_owned(),
    }
}

/// The longest prompt that fits.
fn fit_prompt(prompts: &[Cow<'_, str>], room: usize) -> String {
    let fitting = prompts.iter().find(|prompt| columns_of(prompt) <= room);
    match (fitting, prompts.last()) {
        (Some(prompt), _) => prompt.clone().into_owned(),
        // The end of a prompt says more than its beginning.
        (None, last) => keep_end(last.map_or("", |last| last), room),
    }
}

/// A text, or only its end if the whole text does not fit.
pub(super) fn keep_end(text: &str, room: usize) -> String {
    if columns_of(text) <= room {
        return text.to_owned();
    }
    let end = end_of(text, room.saturating_sub(1));
    if end.is_empty() { String::new() } else { format!("…{end}") }
}

fn start_of(before: &str, after: &str, room: usize, start: usize) -> usize {
    if columns_of(before) + columns_of(beginning(after, room)) <= room {
        return 0;
    }
    let is_seen =
        before.get(start..).is_some_and(|seen| (start == 0 || !seen.is_empty()) && columns_of(seen) <= room);
    // Half a row stays visible before the cursor, so that not every key moves the line.
    if is_seen { start } else { before.len() - end_of(before, room / 2).len() }
}

fn end_of(text: &str, room: usize) -> &str {
    let mut columns = 0;
    let mut start = text.len();
    for (at, part) in text.grapheme_indices(true).rev() {
        columns += columns_of_one(part);
        if columns > room {
            break;
        }
        start = at;
    }
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(prompt: &str, line: &str, columns: usize, start: &mut usize) -> String {
        let (before, after) = line.split_once('|').unwrap();
        let prompts: Vec<_> = prompt.split('/').map(Cow::from).collect();
        let row = lay_out(&prompts, false, &format!("{before}{after}"), before.len(), columns, start);
        assert_eq!(row.cursor_column, columns_of(&row.before));
        format!("{}|{}", row.before, row.after)
    }

    #[test]
    fn a_line_that_fits_is_shown_whole_and_another_scrolls_to_its_cursor() {
        let table = [
            ("Q: ", "one| two", 20, "Q: one| two"),
            ("Q: ", "0123456789abcdef|", 20, "Q: 0123456789abcdef|"),
            ("Q: ", "0123456789abcdefg|", 20, "Q: 9abcdefg|"),
            ("Q: ", "|0123456789abcdefg", 20, "Q: |0123456789abcdef"),
            ("Q: ", "0123456789ab|cdefg", 20, "Q: 0123456789ab|cdef"),
            ("Enter the recipient's port: ", "|", 30, "Enter the recipient's port: |"),
            ("Enter the recipient's port: ", "80|", 30, "…ter the recipient's port: 80|"),
            ("Enter the recipient's port: ", "80|", 20, "…cipient's port: 80|"),
            ("Enter the recipient's port: ", "8|0123456789", 20, "…'s port: 8|01234567"),
            ("Enter your port: /Port: ", "|", 20, "Enter your port: |"),
            ("Enter your port: /Port: ", "8|", 19, "Enter your port: 8|"),
            ("Enter your port: /Port: ", "8|0", 19, "Port: 8|0"),
            ("Enter your port: /Port: ", "8080808080|8080", 19, "Port: 8080808080|80"),
            ("", "你好你好|", 8, "好|"),
            ("", "|你好你好", 8, "|你好你"),
            ("", "a\x1b[2Jb|c", 20, "a␛[2Jb|c"),
            ("Enter: ", "abc|", 1, "|"),
            ("Enter: ", "abc|", 0, "|"),
        ];
        for (prompt, line, columns, expected) in table {
            assert_eq!(shown(prompt, line, columns, &mut 0), expected, "{line} in {columns}");
        }
    }

    #[test]
    fn the_row_moves_only_when_the_cursor_would_leave_it() {
        let mut start = 0;
        assert_eq!(shown("", "0123456789|", 9, &mut start), "6789|");
        assert_eq!(shown("", "0123456789a|", 9, &mut start), "6789a|");
        assert_eq!(shown("", "0123456|789a", 9, &mut start), "6|789a");
        assert_eq!(shown("", "012345|6789a", 9, &mut start), "2345|6789");
        assert_eq!(shown("", "0123|", 9, &mut start), "0123|");
    }

    #[test]
    fn no_typed_text_makes_a_row_wider_than_its_terminal() {
        let texts = [
            "plain text that goes on and on and on and on and on and on and on and on and on and on",
            "你好世界你好世界你好世界你好世界你好世界你好世界你好世界你好世界你好世界你好世界",
            "👨\u{200D}👩\u{200D}👧👍🏽❤\u{FE0F}🏳\u{FE0F}\u{200D}🌈🇩🇪1\u{FE0F}\u{20E3}👨\u{200D}👩\u{200D}👧👍🏽❤\u{FE0F}",
            "e\u{301}\u{302}\u{303}e\u{301}\u{302}\u{303}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
            "שלום עולם مرحبا بالعالم שלום עולם مرحبا بالعالم",
            "\x1b]0;title\x07\x1b[2J\u{9b}31m\u{202E}\u{200B}\0\r\n\t\x1b]0;title\x07\x1b[2J",
        ];
        for text in texts {
            for columns in (0..30).chain([80, 200]) {
                let mut start = 0;
                let cursors = (0..=text.len()).filter(|&at| text.is_char_boundary(at));
                for cursor in cursors.clone().chain(cursors.rev()) {
                    let row = lay_out(
                        &["Enter choice: ".into(), "Choice: ".into()],
                        true,
                        text,
                        cursor,
                        columns,
                        &mut start,
                    );
                    let width = columns_of(&row.before) + columns_of(&row.after);
                    assert!(width <= columns.saturating_sub(1), "{row:?} in {columns}");
                    assert!(!row.before.contains(char::is_control) && !row.after.contains(char::is_control));
                }
            }
        }
    }
}
