//! Quotes text for TOML so that a terminal can show it safely, and shows paths that are not text.

use chinwag::proto::clean::{Clean, is_treacherous};
use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

/// A TOML string that cannot disturb a terminal.
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

/// A path or a variable for people to read. Bytes that are not UTF-8 are shown like `\xFF`, so that different paths
/// look different.
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
