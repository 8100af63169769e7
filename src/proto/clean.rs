//! Text from outside, made safe to show.
//!
//! A peer chooses its name and its texts, so they may hold escape sequences that repaint the terminal, newlines that
//! forge a second message, and invisible characters that make one name look like another. All of that is made visible
//! here, and only here; nothing is dropped. It works on characters: bytes are decoded lossily first, which also
//! removes raw C1 bytes.
//!
//! Unicode's own tables say which characters those are; the few that they lack are named here.

use regex_syntax::hir::{Class, ClassUnicode, HirKind};
use std::fmt::{self, Write};
use std::sync::LazyLock;

/// Displays a string and makes everything visible that could disturb a terminal or mislead a reader.
///
/// Control characters become their pictures (`␛` for escape, `␊` for newline); C1 controls,
/// bidirectional controls and invisible characters become `U+FFFD`. Text of every script, emoji with
/// their variation selectors and combining letters stay. For a name there is [`CleanName`].
#[derive(Clone, Copy, Debug)]
pub struct Clean<'a>(pub &'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut joins = false;
        write_with(f, self.0, |c| {
            let stand_in = if is_joiner(c) && joins { None } else { stand_in(c, is_treacherous) };
            // A joiner after another joiner is not kept: a run of joiners shows nothing and could hide a message.
            joins = stand_in.is_none() && !c.is_ascii() && !is_joiner(c);
            stand_in
        })
    }
}

/// Displays a name so that it does not look like another name, and looks like one word.
///
/// Like [`Clean`], but every character that [`is_unseen`] also becomes `U+FFFD`, even if it joins emoji or letters. In
/// a text such a character is part of the picture; in a name it may be the only difference between two names.
#[derive(Clone, Copy, Debug)]
pub struct CleanName<'a>(pub &'a str);

impl fmt::Display for CleanName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with(f, self.0, |c| stand_in(c, is_unseen))
    }
}

/// Whether a character could disturb a terminal or mislead a reader of a text.
pub fn is_treacherous(c: char) -> bool {
    // Variation selectors belong to emoji. Interlinear annotation characters are not text in any script.
    static TREACHEROUS: LazyLock<ClassUnicode> = LazyLock::new(|| {
        class(r"[\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\x{FFF9}-\x{FFFB}--[\x{FE00}-\x{FE0F}]]")
    });
    match c {
        ' '..='~' => false,
        c => has(&TREACHEROUS, c),
    }
}

/// Whether a character in a name is invisible, or nobody knows what it looks like: spaces, controls, fillers,
/// selectors, and characters that are not assigned.
pub fn is_unseen(c: char) -> bool {
    // The Khitan filler has the category of a mark. The Arabic signs under numbers have the category of a control, and
    // many terminals show nothing for them.
    static UNSEEN: LazyLock<ClassUnicode> =
        LazyLock::new(|| class(r"[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\x{16FE4}]"));
    match c {
        '!'..='~' => false,
        c => is_blank(c) || has(&UNSEEN, c),
    }
}

/// Whether a character looks empty: white space, or one of the signs whose picture is empty. No Unicode table lists
/// those: the empty Braille cell, a null notehead, two blank hieroglyphs.
pub fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{2800}' | '\u{1D159}' | '\u{13441}' | '\u{13442}')
}

/// Joins several emoji into one, and shapes Persian and Indic letters. It is needed there and invisible elsewhere.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

/// What is shown instead of `c`; `None` if it may stay.
fn stand_in(c: char, is_bad: impl Fn(char) -> bool) -> Option<char> {
    match c {
        _ if !is_bad(c) => None,
        '\0'..='\u{1F}' => char::from_u32(0x2400 + u32::from(c)),
        '\u{7F}' => Some('\u{2421}'),
        _ => Some(char::REPLACEMENT_CHARACTER),
    }
}

fn write_with(
    f: &mut fmt::Formatter<'_>,
    text: &str,
    mut stand_in: impl FnMut(char) -> Option<char>,
) -> fmt::Result {
    let mut shown = 0;
    for (at, c) in text.char_indices() {
        if let Some(stand_in) = stand_in(c) {
            f.write_str(&text[shown..at])?;
            f.write_char(stand_in)?;
            shown = at + c.len_utf8();
        }
    }
    f.write_str(&text[shown..])
}

/// The characters of a class, written as in a regular expression.
fn class(pattern: &str) -> ClassUnicode {
    match regex_syntax::parse(pattern).map(|hir| hir.into_kind()) {
        Ok(HirKind::Class(Class::Unicode(class))) => class,
        other => unreachable!("{pattern} is a class of characters, not {other:?}"),
    }
}

fn has(class: &ClassUnicode, c: char) -> bool {
    let ranges = class.ranges();
    let next = ranges.partition_point(|range| range.end() < c);
    ranges.get(next).is_some_and(|range| range.start() <= c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU16;

    fn table(rows: &[(&str, &str)]) {
        for (raw, shown) in rows {
            assert_eq!(Clean(raw).to_string(), *shown, "{raw:?}");
        }
    }

    #[test]
    fn text_of_every_script_stays() {
        for text in [
            "",
            "hello, world ~",
            "Grüße, 你好, Здравствуйте, नमस्ते",
            "e\u{301} o\u{308}",
            "👍🏽 ❤\u{FE0F} 👨\u{200D}👩\u{200D}👧 🏳\u{FE0F}\u{200D}🌈",
            "می\u{200C}خواهم क्\u{200D}ष",
            "\u{A0}\u{FFFD}␛",
        ] {
            table(&[(text, text)]);
        }
    }

    #[test]
    fn controls_become_visible() {
        table(&[
            ("\x1b[2Jboo", "␛[2Jboo"),
            ("a\tb\nc\r\0", "a␉b␊c␍␀"),
            ("\x1f\x7f", "␟␡"),
            ("\u{80}\u{9b}31m\u{9f}", "\u{FFFD}\u{FFFD}31m\u{FFFD}"),
        ]);
    }

    #[test]
    fn misleading_characters_become_visible() {
        let hidden = "\u{61C}\u{200E}\u{200F}\u{202A}\u{202E}\u{2066}\u{2069}\u{AD}\u{180E}\u{200B}\
                      \u{2060}\u{2064}\u{206A}\u{206F}\u{FEFF}\u{FFF9}\u{FFFB}\u{E0000}\u{E0041}\
                      \u{E007F}\u{2028}\u{2029}\u{34F}\u{115F}\u{1160}\u{3164}\u{FFA0}\u{17B4}\u{17B5}\
                      \u{180B}\u{180C}\u{180D}\u{180F}\u{FFF0}\u{1BCA0}\u{1D17A}\u{E0100}\u{E01EF}";
        for c in hidden.chars() {
            table(&[(&format!("a{c}b"), "a\u{FFFD}b")]);
        }
    }

    /// What a terminal shows, cell by cell. This emulator cannot show U+FFFD, so tests use a question mark instead.
    fn cells(terminal: &mut vt100::Parser, shown: &str) -> Vec<String> {
        terminal.process(b"\x1b[H\x1b[K");
        terminal.process(shown.as_bytes());
        let screen = terminal.screen();
        let (row, column) = screen.cursor_position();
        assert_eq!(row, 0, "{shown:?}");
        let cell = |column| screen.cell(0, column).filter(|cell| !cell.is_wide_continuation());
        let cells: Vec<_> = (0..column).filter_map(cell).map(|cell| cell.contents().to_owned()).collect();
        assert_eq!(cells.concat(), shown, "all of it is drawn, and nothing of it is an order");
        cells
    }

    #[test]
    fn no_character_gives_a_terminal_orders_and_each_has_a_place_in_a_name() {
        const AT_ONCE: usize = 64;
        let size = |cells| NonZeroU16::new(cells).unwrap();
        let mut terminal = vt100::Parser::new(size(2), size(4 * AT_ONCE as u16), 0);
        let mut seen = |shown: String| cells(&mut terminal, &shown.replace(char::REPLACEMENT_CHARACTER, "?"));
        // Accents, letters that combine with others, and the caret of Devanagari.
        let joins = class(r"[\p{M}\p{Lo}\x{A8FA}]");
        let mut last_name = String::new();
        let characters: Vec<char> = ('\0'..=char::MAX).collect();
        for characters in characters.chunks(AT_ONCE) {
            let between = |open: char, few: usize| {
                let groups = characters.chunks(few);
                groups
                    .flat_map(|group| std::iter::once(open).chain(group.iter().copied()))
                    .collect::<String>()
            };
            seen(Clean(&between('a', 4)).to_string());
            // Most characters are shown as the same replacement, and checking that once is enough.
            let name = CleanName(&between('P', 1)).to_string();
            if std::mem::replace(&mut last_name, name.clone()) == name {
                continue;
            }
            for cell in seen(name) {
                let mut drawn = cell.chars();
                assert!(drawn.next().is_some_and(|c| !c.is_whitespace()), "{cell:?} is a gap in a name");
                assert!(drawn.all(|c| has(&joins, c)), "{cell:?} has something unseen in it");
            }
        }
    }

    #[test]
    fn blank_and_invisible_characters_in_a_name_become_visible() {
        let unseen = "\u{FE0F}\u{FE00}\u{A0}\u{1680}\u{2000}\u{200A}\u{202F}\u{205F}\u{3000}\u{2800}\u{13430}\u{13438}\
                      \u{1343F}\u{13441}\u{16FE4}\u{1D159}\u{200C}\u{200D}\u{3164}\u{600}\u{E0100}\u{E000}\u{FFFE}\u{10FFFF}\u{378} ";
        for c in unseen.chars() {
            assert_eq!(CleanName(&format!("é{c}1")).to_string(), "é\u{FFFD}1", "{c:?}");
        }
        for name in ["P1", "Zoë", "Zoe\u{308}", "李小龍", "नमस्ते", "ᄒ\u{1161}\u{11AB}", "👍🏽", "a␛"]
        {
            assert_eq!(CleanName(name).to_string(), name);
        }
        assert_eq!(CleanName("P\x1b1").to_string(), "P␛1");
    }

    #[test]
    fn a_joiner_stays_only_where_it_joins() {
        table(&[
            ("P\u{200D}1", "P\u{FFFD}1"),
            ("\u{200C}", "\u{FFFD}"),
            ("é\u{200D}\u{200D}é", "é\u{200D}\u{FFFD}é"),
            ("\u{202E}\u{200D}", "\u{FFFD}\u{FFFD}"),
        ]);
    }
}
