//! Text as TOML has it, in a file that a person may look at on a terminal; and what is no text.

use chinwag::proto::clean::{Clean, is_treacherous};
use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

/// A TOML string that no terminal is disturbed by.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_treacherous(c) => write!(quoted, "\\U{:08X}", u32::from(c)).expect("a string takes all"),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// A path or a variable for people to read. Bytes that are no UTF-8 are shown as `\xFF`, so that no two look alike.
pub(crate) fn shown(word: &OsStr) -> String {
    let mut shown = String::new();
    for chunk in word.as_bytes().utf8_chunks() {
        write!(shown, "{}", Clean(chunk.valid())).expect("a string takes all");
        for byte in chunk.invalid() {
            write!(shown, "\\x{byte:02X}").expect("a string takes all");
        }
    }
    shown
}
