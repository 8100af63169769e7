//! What a command writes that says one thing on stdout and ends: no loop, no screen.
#![expect(clippy::disallowed_methods, reason = "nothing else has to go on meanwhile")]

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
