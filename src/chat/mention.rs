//! Whether a text calls somebody by name.
//!
//! A name counts only as a word, in capital or small letters: what stands before and after it is neither a letter, nor a
//! digit, nor `_` or `-`. Wide characters are words of their own, because Chinese and Japanese are written without spaces.
//! A character as a reader sees it is never divided: an accent or a skin tone behind the name makes another name.

use super::slash::ACTION;
use crate::limits::MENTIONS_MARKED_MAX;
use memchr::memchr2_iter;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Where the text has the name, in bytes: the first [`MENTIONS_MARKED_MAX`] places. The word for an action is not one of
/// them.
pub(super) fn mentions(text: &str, name: &str) -> Vec<Range<usize>> {
    let words = text.strip_prefix(ACTION).unwrap_or(text);
    let start = text.len() - words.len();
    let found = if name.is_ascii() { of_ascii(words, name) } else { of_any(words, name) };
    found.into_iter().map(|place| place.start + start..place.end + start).collect()
}

/// The fast way for most names: only where the name stands, its neighbours are looked at.
fn of_ascii(text: &str, name: &str) -> Vec<Range<usize>> {
    let Some(&first) = name.as_bytes().first() else { return Vec::new() };
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text.as_bytes()) {
        let place = at..at + name.len();
        let is_name = text.get(place.clone()).is_some_and(|part| part.eq_ignore_ascii_case(name));
        let is_behind_last = found.last().is_none_or(|last| at >= last.end);
        if is_name && is_behind_last && is_word(text, &place) {
            found.push(place);
            if found.len() == MENTIONS_MARKED_MAX {
                break;
            }
        }
    }
    found
}

/// Whether a part of a text, which is ASCII, is a word there.
fn is_word(text: &str, place: &Range<usize>) -> bool {
    let before = text[..place.start].graphemes(true).next_back().unwrap_or_default();
    let mut rest = text[place.end - 1..].graphemes(true);
    // Its last letter has no accent.
    let is_whole = rest.next().is_some_and(|last| last.len() == 1);
    let after = rest.next().unwrap_or_default();
    is_whole && is_apart(before, "") && is_apart(after, "")
}

fn of_any(text: &str, name: &str) -> Vec<Range<usize>> {
    let name: Vec<char> = folded(name).collect();
    let mut found = Vec::new();
    let (mut before, mut end) = ("", 0);
    for (at, part) in text.grapheme_indices(true) {
        if at >= end
            && let Some(length) = length_of(&name, &text[at..])
            && is_apart(before, part)
        {
            end = at + length;
            found.push(at..end);
            if found.len() == MENTIONS_MARKED_MAX {
                break;
            }
        }
        before = part;
    }
    found
}

/// How long the name is with which a text begins, if it begins with that name.
fn length_of(name: &[char], text: &str) -> Option<usize> {
    let (mut left, mut last) = (name, "");
    for (at, part) in text.grapheme_indices(true) {
        if left.is_empty() {
            return (at > 0 && is_apart(part, last)).then_some(at);
        }
        for c in folded(part) {
            left = left.split_first().filter(|&(&first, _)| first == c)?.1;
        }
        last = part;
    }
    (left.is_empty() && !name.is_empty()).then_some(text.len())
}

/// Whether a name may begin or end at `edge`, whose neighbour outside the name is `outer`.
fn is_apart(outer: &str, edge: &str) -> bool {
    let is_wide = |part: &str| part.width() > 1;
    !outer.starts_with(is_of_word) || is_wide(outer) || is_wide(edge)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// The characters without the difference of capital and small letters, and without what only chooses the picture of an
/// emoji.
fn folded(text: &str) -> impl Iterator<Item = char> {
    let seen = text.chars().filter(|c| !matches!(c, '\u{FE0E}' | '\u{FE0F}'));
    seen.flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with brackets around each mention.
    fn marked(text: &str, name: &str) -> String {
        let mut marked = String::new();
        let mut end = 0;
        for place in mentions(text, name) {
            marked += &format!("{}[{}]", &text[end..place.start], &text[place.clone()]);
            end = place.end;
        }
        marked + &text[end..]
    }

    #[test]
    fn a_name_is_a_mention_where_it_is_a_word() {
        for (name, text, expected) in [
            ("anna", "anna", "[anna]"),
            ("anna", "anna, come", "[anna], come"),
            ("anna", "anna: come", "[anna]: come"),
            ("anna", "hi @anna", "hi @[anna]"),
            ("anna", "(Anna) and ANNA!", "([Anna]) and [ANNA]!"),
            ("Anna", "hi anna.", "hi [anna]."),
            (
                "anna",
                "annabel susanna anna2 anna_ anna-lena _anna x-anna",
                "annabel susanna anna2 anna_ anna-lena _anna x-anna",
            ),
            ("anna", "annabel and anna", "annabel and [anna]"),
            ("anna", "anna's, *anna* \"anna\"", "[anna]'s, *[anna]* \"[anna]\""),
            ("anna", "ann", "ann"),
            ("anna", "", ""),
            ("anna", "annà anna", "annà [anna]"),
            ("a.b", "a.b a.bc xa.b A.B. a.b.c", "[a.b] a.bc xa.b [A.B]. [a.b].c"),
            ("a.b", "axb", "axb"),
            ("x", "x, ax X x", "[x], ax [X] [x]"),
            ("?", "what? ?", "what? [?]"),
            ("?!", "?!?! why?! ?!x", "[?!][?!] why?! ?!x"),
            ("*", "**", "[*][*]"),
            ("-x-", "-x- a-x-", "[-x-] a-x-"),
            ("小明", "小明你好，小明! 小 明", "[小明]你好，[小明]! 小 明"),
            ("ming", "小ming你 ming", "小[ming]你 [ming]"),
            ("👍", "ok👍 👍👍 👍🏽", "ok[👍] [👍][👍] 👍🏽"),
            ("👨", "👨\u{200D}👩\u{200D}👧 👨", "👨\u{200D}👩\u{200D}👧 [👨]"),
            ("❤", "I ❤\u{FE0F} you", "I [❤\u{FE0F}] you"),
            ("🇪🇩", "🇩🇪🇩🇪 🇪🇩", "🇩🇪🇩🇪 [🇪🇩]"),
            ("ame\u{301}lie", "Ame\u{301}lie amelie", "[Ame\u{301}lie] amelie"),
            ("ann", "ann\u{301} ann", "ann\u{301} [ann]"),
            ("straße", "STRASSE Straße strass", "[STRASSE] [Straße] strass"),
            ("ΟΔΥΣΣΕΎΣ", "οδυσσεύς!", "[οδυσσεύς]!"),
            ("דנה", "שלום דנה, דנהא", "שלום [דנה], דנהא"),
            ("all", "hi all, allow", "hi [all], allow"),
            ("you", "are you there", "are [you] there"),
            ("→", "a → b", "a [→] b"),
            ("me", "/me waves at me", "/me waves at [me]"),
            ("me", "/meow /me", "/meow /[me]"),
            ("/me", "/me waves", "/me waves"),
            ("\u{301}x", "a \u{301}x", "a \u{301}x"),
            ("\u{FE0F}", "a\u{FE0F}", "a\u{FE0F}"),
            ("", "anna", "anna"),
        ] {
            assert_eq!(marked(text, name), expected, "{name} in {text}");
        }
    }

    #[test]
    fn the_fast_way_finds_what_the_other_one_finds() {
        for name in ["anna", "a.b", "x", "?", "?!", "-x-", ".", ""] {
            for text in ["anna", "a.b.a.b", "x-x x", "?!?!?", "-x-x-", "Anna annA anna_", "....", " x ", ""] {
                for (before, after) in [
                    ("", ""),
                    ("é", ""),
                    ("", "é"),
                    ("e\u{301}", "\u{301}"),
                    ("小", "明"),
                    ("👍", "🇩🇪"),
                    ("…", "\u{200D}"),
                ] {
                    let text = format!("{before}{text}{after} {text}");
                    assert_eq!(of_ascii(&text, name), of_any(&text, name), "{name} in {text}");
                }
            }
        }
    }

    #[test]
    fn no_more_places_are_kept_than_are_marked() {
        for text in ["x ".repeat(1000), "x é ".repeat(1000)] {
            assert_eq!(mentions(&text, "X").len(), MENTIONS_MARKED_MAX);
        }
    }
}
