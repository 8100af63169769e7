//! The output of commands that print one thing and end: no loop, no screen.
#![expect(clippy::disallowed_methods, reason = "nothing else runs meanwhile")]

use chinwag::proto::clean::Clean;
use std::io::{self, ErrorKind, Write};

/// Writes all of the text; returns the exit code. It is not a fault if the reader stops early, as `head` does.
///
/// # Errors
///
/// If stdout cannot be written; the error says so.
pub(crate) fn write_out(text: &[u8]) -> io::Result<u8> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(io::Error::new(error.kind(), format!("the output cannot be written: {error}")))
        }
        _ => Ok(0),
    }
}

/// Prints clap's answer to the command line, either the help or what is wrong; returns the exit code.
///
/// # Errors
///
/// As [`write_out`].
pub(crate) fn answer(error: &clap::Error) -> io::Result<u8> {
    let text = error.render().to_string();
    if !error.use_stderr() {
        return write_out(text.as_bytes());
    }
    write_err(&text);
    Ok(u8::try_from(error.exit_code()).unwrap_or(u8::MAX))
}

/// Prints a sentence on stderr.
pub(crate) fn tell(sentence: &str) {
    write_err(&format!("{}\n", Clean(sentence)));
}

/// Ignores a failure: the exit code still says that something is wrong.
fn write_err(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
