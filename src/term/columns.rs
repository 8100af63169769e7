//! How many columns a text needs: the most that any terminal could need.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Marks the character before it as an emoji.
const IS_EMOJI: char = '\u{FE0F}';

/// The most columns that any terminal needs for this text.
pub(super) fn columns_of(text: &str) -> usize {
    text.graphemes(true).map(columns_of_one).sum()
}

/// The same for one character as a reader sees it. Terminals differ: some draw the parts of an emoji one by one, some draw one emoji that is wider than its parts, and
/// some make each part wide that is marked as an emoji.
pub(super) fn columns_of_one(character: &str) -> usize {
    let mut columns = 0;
    let mut last = 0;
    for c in character.chars() {
        last = match c {
            IS_EMOJI => 2usize.saturating_sub(last),
            _ => c.width().unwrap_or(1),
        };
        columns += last;
    }
    columns.max(character.width())
}

/// As much of the text as fits.
pub(super) fn beginning(text: &str, room: usize) -> &str {
    let mut columns = 0;
    let over = text.grapheme_indices(true).find(|(_, part)| {
        columns += columns_of_one(part);
        columns > room
    });
    &text[..over.map_or(text.len(), |(at, _)| at)]
}
