//! What a command writes that says one thing and ends: no loop, no screen.
#![expect(clippy::disallowed_methods, reason = "nothing else has to go on meanwhile")]

use chinwag::proto::clean::Clean;
use std::io::{self, ErrorKind, Write};

/// Writes all of it; gives the exit code. Who reads only the beginning, as `head` does, has what they want.
///
/// # Errors
///
/// stdout takes no more; the error says so.
pub(crate) fn write_out(text: &[u8]) -> io::Result<u8> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(io::Error::new(error.kind(), format!("the output cannot be written: {error}")))
        }
        _ => Ok(0),
    }
}

/// Writes what the command line is answered with, the help that was asked for or what is wrong with it; gives the
/// exit code.
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

/// Says a sentence on stderr.
pub(crate) fn tell(sentence: &str) {
    write_err(&format!("{}\n", Clean(sentence)));
}

/// Who cannot be told sees it by the exit code.
fn write_err(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
