//! `chinwag completions` and `chinwag man`: what the command line says of itself, for shells and for `man`.
#![expect(clippy::disallowed_methods, reason = "commands that write one text and end")]

use crate::settings;
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::{self, ErrorKind, Write};

/// Writes the completions of a shell; gives the exit code.
pub(crate) fn completions(shell: Shell) -> io::Result<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut settings::command(), "chinwag", &mut text);
    write_out(&text)
}

/// Writes the manual page of the program, or of a subcommand; gives the exit code.
pub(crate) fn page(subcommand: Option<&str>) -> io::Result<u8> {
    let mut command = settings::command();
    // Only then do subcommands know their full name.
    command.build();
    let named = subcommand.and_then(|name| command.find_subcommand(name)).cloned();
    let mut text = Vec::new();
    let program = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    Man::new(named.unwrap_or(command)).source(program).render(&mut text)?;
    write_out(&text)
}

/// Who reads only the beginning, as `head` does, has what they want.
pub(crate) fn write_out(text: &[u8]) -> io::Result<u8> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(0),
    }
}
