//! Text from outside, made safe to show.
//!
//! A peer chooses its name and its texts, so they may hold escape sequences that repaint the
//! terminal, newlines that forge a second message, and invisible characters that make one name look
//! like another. All of that is made visible here, and only here; nothing is dropped. It works on
//! characters: whoever has bytes decodes them lossily first, which also ends raw C1 bytes.

use std::fmt::{self, Write};

/// A string that is displayed with everything visible that could disturb a terminal or mislead a
/// reader.
///
/// Control characters become their pictures (`␛` for escape, `␊` for newline); C1 controls,
/// bidirectional controls and invisible characters become `U+FFFD`. Text of every script, emoji with
/// their variation selectors and combining letters stay.
#[derive(Clone, Copy, Debug)]
pub struct Clean<'a>(pub &'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = 0;
        let mut joins = false;
        for (at, c) in self.0.char_indices() {
            let stand_in = if is_joiner(c) && joins { None } else { stand_in(c) };
            if let Some(stand_in) = stand_in {
                f.write_str(&self.0[shown..at])?;
                f.write_char(stand_in)?;
                shown = at + c.len_utf8();
            }
            // Not after another joiner: a run of them shows nothing and could spell something.
            joins = stand_in.is_none() && !c.is_ascii() && !is_joiner(c);
        }
        f.write_str(&self.0[shown..])
    }
}

/// Whether a character could disturb a terminal or mislead a reader.
pub fn is_treacherous(c: char) -> bool {
    stand_in(c).is_some()
}

/// Joins emoji into one and shapes Persian and Indic letters: needed there, invisible elsewhere.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

/// What is shown instead of `c`; `None` if it may stay.
fn stand_in(c: char) -> Option<char> {
    match c {
        ' '..='~' => None,
        '\0'..='\u{1F}' => char::from_u32(0x2400 + u32::from(c)),
        '\u{7F}' => Some('\u{2421}'),
        // C1 controls: a terminal may take U+009B for "escape [".
        '\u{80}'..='\u{9F}'
        // Bidirectional controls.
        | '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        // Zero width and invisible format controls.
        | '\u{AD}' | '\u{34F}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2065}'
        | '\u{206A}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        // Letters that show nothing: Hangul fillers, Khmer vowels, Mongolian selectors.
        | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        // Tags, and variation selectors that no emoji has; the rest of the plane is as invisible.
        | '\u{E0000}'..='\u{E0FFF}'
        // Line and paragraph separator.
        | '\u{2028}' | '\u{2029}' => Some(char::REPLACEMENT_CHARACTER),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_misleads_becomes_visible() {
        let hidden = "\u{61C}\u{200E}\u{200F}\u{202A}\u{202E}\u{2066}\u{2069}\u{AD}\u{180E}\u{200B}\
                      \u{2060}\u{2064}\u{206A}\u{206F}\u{FEFF}\u{FFF9}\u{FFFB}\u{E0000}\u{E0041}\
                      \u{E007F}\u{2028}\u{2029}\u{34F}\u{115F}\u{1160}\u{3164}\u{FFA0}\u{17B4}\u{17B5}\
                      \u{180B}\u{180C}\u{180D}\u{180F}\u{FFF0}\u{1BCA0}\u{1D17A}\u{E0100}\u{E01EF}";
        for c in hidden.chars() {
            table(&[(&format!("a{c}b"), "a\u{FFFD}b")]);
        }
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
