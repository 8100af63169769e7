//! The line that is being typed: its text, the cursor, and the text that was last killed.
//!
//! The cursor moves by what a reader sees as one character, so never into an emoji of several parts.

use crate::limits::TYPED_BYTES_MAX;
use unicode_segmentation::UnicodeSegmentation;

/// How many bytes of a line are kept: one more than allowed, so that a line that is too long is reported.
const KEPT_BYTES: usize = TYPED_BYTES_MAX + 1;

/// Text and a cursor.
#[derive(Debug, Default)]
pub(super) struct Line {
    text: String,
    /// A byte offset, always at a character boundary.
    cursor: usize,
    /// What was killed, for [`Line::yank`].
    killed: String,
    /// Whether the last action was a kill: then the next kill is added to it.
    is_killing: bool,
}

/// In which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Towards the beginning.
    Back,
    /// Towards the end.
    On,
}

/// How far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Far {
    /// One character as a reader sees it.
    Character,
    /// One word: letters and digits, and anything between them and the cursor.
    Word,
    /// Up to a space, as Ctrl-W does.
    Blank,
    /// All the way.
    Line,
}

impl Line {
    /// The whole text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The position of the cursor, in bytes.
    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    /// Whether nothing is typed.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Inserts text before the cursor; what does not fit is left out.
    pub(super) fn insert(&mut self, text: &str) {
        self.is_killing = false;
        let mut room = KEPT_BYTES.saturating_sub(self.text.len()).min(text.len());
        while !text.is_char_boundary(room) {
            room -= 1;
        }
        self.text.insert_str(self.cursor, &text[..room]);
        self.cursor += room;
    }

    /// Replaces the text, and puts the cursor at its end.
    pub(super) fn replace(&mut self, text: &str) {
        self.is_killing = false;
        self.text.clear();
        self.cursor = 0;
        self.insert(text);
    }

    /// Replaces the text before the cursor.
    pub(super) fn replace_before(&mut self, text: &str) {
        self.cut(0);
        self.insert(text);
    }

    /// Returns the text, and begins a new line.
    pub(super) fn take(&mut self) -> String {
        self.is_killing = false;
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Moves the cursor.
    pub(super) fn go(&mut self, way: Way, far: Far) {
        self.is_killing = false;
        self.cursor = self.target(way, far);
    }

    /// Deletes a character, for good.
    pub(super) fn delete(&mut self, way: Way) {
        self.is_killing = false;
        // Backspace undoes one key press: if an accent was typed after a letter, only the accent.
        let before = self.text[..self.cursor].char_indices().next_back();
        let target = match way {
            Way::Back => before.map_or(0, |(at, _)| at),
            Way::On => self.target(way, Far::Character),
        };
        self.cut(target);
    }

    /// Kills text, which [`Line::yank`] puts back; several kills in a row are put back as one text.
    pub(super) fn kill(&mut self, way: Way, far: Far) {
        let target = self.target(way, far);
        if target == self.cursor {
            return;
        }
        if !std::mem::replace(&mut self.is_killing, true) {
            self.killed.clear();
        }
        let cut = self.cut(target);
        match way {
            Way::Back => self.killed.insert_str(0, &cut),
            Way::On => self.killed.push_str(&cut),
        }
    }

    /// Puts back the text that was killed last.
    pub(super) fn yank(&mut self) {
        let killed = std::mem::take(&mut self.killed);
        self.insert(&killed);
        self.killed = killed;
    }

    fn cut(&mut self, target: usize) -> String {
        let (from, to) = (self.cursor.min(target), self.cursor.max(target));
        self.cursor = from;
        self.text.drain(from..to).collect()
    }

    fn target(&self, way: Way, far: Far) -> usize {
        let (before, after) = self.text.split_at(self.cursor);
        let (back, on) = (before.graphemes(true).rev(), after.graphemes(true));
        match way {
            Way::Back => self.cursor - reach(back, far),
            Way::On => self.cursor + reach(on, far),
        }
    }
}

/// How many bytes these characters have up to that point.
fn reach<'a>(characters: impl Iterator<Item = &'a str>, far: Far) -> usize {
    let begins_with = |character: &str, is_so: fn(char) -> bool| character.chars().next().is_some_and(is_so);
    let is_inside = |character: &str| match far {
        Far::Word => begins_with(character, char::is_alphanumeric),
        Far::Blank => !begins_with(character, char::is_whitespace),
        Far::Character | Far::Line => true,
    };
    let mut was_inside = false;
    let is_on_the_way = |character: &&str| {
        let is_first = !was_inside;
        was_inside |= is_inside(character);
        match far {
            Far::Character => is_first,
            Far::Line => true,
            Far::Word | Far::Blank => is_first || is_inside(character),
        }
    };
    characters.take_while(is_on_the_way).map(str::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line whose cursor is where the bar is.
    fn line(text: &str) -> Line {
        let (before, after) = text.split_once('|').unwrap();
        Line { text: format!("{before}{after}"), cursor: before.len(), ..Line::default() }
    }

    fn shown(line: &Line) -> String {
        format!("{}|{}", &line.text[..line.cursor], &line.text[line.cursor..])
    }

    #[test]
    fn the_cursor_goes_where_it_is_told() {
        let table = [
            ("ab|c", Way::Back, Far::Character, "a|bc"),
            ("ab|c", Way::On, Far::Character, "abc|"),
            ("|abc", Way::Back, Far::Character, "|abc"),
            ("abc|", Way::On, Far::Character, "abc|"),
            ("a👨\u{200D}👩\u{200D}👧|b", Way::Back, Far::Character, "a|👨\u{200D}👩\u{200D}👧b"),
            ("a|e\u{301}b", Way::On, Far::Character, "ae\u{301}|b"),
            ("你|好", Way::On, Far::Character, "你好|"),
            ("one two, |three", Way::Back, Far::Word, "one |two, three"),
            ("one| two, three", Way::On, Far::Word, "one two|, three"),
            ("one 10.0.0.5:80 |x", Way::Back, Far::Blank, "one |10.0.0.5:80 x"),
            ("one| 10.0.0.5:80 x", Way::On, Far::Blank, "one 10.0.0.5:80| x"),
            ("|1\u{FE0F}\u{20E3} x", Way::On, Far::Word, "1\u{FE0F}\u{20E3}| x"),
            ("👍|", Way::Back, Far::Word, "|👍"),
            ("one| two", Way::Back, Far::Line, "|one two"),
            ("one| two", Way::On, Far::Line, "one two|"),
        ];
        for (before, way, far, after) in table {
            let mut line = line(before);
            line.go(way, far);
            assert_eq!(shown(&line), after, "{before} {way:?} {far:?}");
        }
    }

    #[test]
    fn several_kills_in_a_row_are_put_back_as_one_text() {
        let mut line = line("one two| three");
        line.kill(Way::Back, Far::Blank);
        line.kill(Way::Back, Far::Blank);
        line.kill(Way::On, Far::Line);
        assert_eq!(shown(&line), "|");
        line.yank();
        line.yank();
        assert_eq!(shown(&line), "one two threeone two three|");
        line.kill(Way::Back, Far::Word);
        line.insert("x");
        line.kill(Way::Back, Far::Character);
        line.yank();
        assert_eq!(shown(&line), "one two threeone two x|");
    }

    #[test]
    fn a_kill_of_nothing_keeps_the_last_killed_text() {
        let mut line = line("one two|");
        line.kill(Way::Back, Far::Blank);
        line.go(Way::Back, Far::Line);
        line.kill(Way::Back, Far::Line);
        line.yank();
        assert_eq!(shown(&line), "two|one ");
    }

    #[test]
    fn backspace_takes_one_key_and_delete_one_character() {
        let mut before = line("e\u{301}|x");
        before.delete(Way::Back);
        assert_eq!(shown(&before), "e|x");
        let mut after = line("|e\u{301}x");
        after.delete(Way::On);
        assert_eq!(shown(&after), "|x");
        for mut nothing in [line("|"), line("|a")] {
            nothing.delete(Way::Back);
            nothing.go(Way::On, Far::Line);
            nothing.delete(Way::On);
            assert!(nothing.text().len() < 2);
        }
    }

    #[test]
    fn a_line_keeps_one_byte_more_than_can_be_used() {
        let mut line = Line::default();
        line.insert(&"x".repeat(TYPED_BYTES_MAX));
        line.insert("é");
        assert_eq!(line.text().len(), TYPED_BYTES_MAX);
        line.insert("yyy");
        assert_eq!(line.text().len(), TYPED_BYTES_MAX + 1);
    }
}
