//! Text as TOML has it, in a file that a person may look at on a terminal.

use chinwag::proto::clean::is_treacherous;
use std::fmt::Write;

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
