//! `chinwag completions` and `chinwag man`: what the command line says of itself, for shells and for `man`.

use crate::output::write_out;
use crate::settings;
use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::io;

/// Writes the completions of a shell; gives the exit code.
pub(crate) fn completions(shell: Shell) -> io::Result<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut settings::command(), "chinwag", &mut text);
    write_out(&text)
}

/// Writes the manual page of the program, or of a subcommand; gives the exit code.
pub(crate) fn page(subcommand: Option<&str>) -> io::Result<u8> {
    // It has no page of its own.
    let mut command = settings::command().disable_help_subcommand(true);
    // Only then do subcommands know their full name.
    command.build();
    let mut words = subcommand.unwrap_or_default().split_terminator('-');
    let named = words.try_fold(&command, |command, word| command.find_subcommand(word)).cloned();
    write_out(&rendered(named.unwrap_or(command))?)
}

/// What stands below the flags is laid out here: clap_mangen would make one paragraph of it.
fn rendered(command: Command) -> io::Result<Vec<u8>> {
    let notes = command.get_after_help().map(ToString::to_string);
    let program = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    let mut text = Vec::new();
    Man::new(command.after_help(None)).source(program).render(&mut text)?;
    if let Some(notes) = notes {
        noted(&notes).to_writer(&mut text)?;
    }
    Ok(text)
}

/// Paragraphs are filled; lines that are indented stay as they are.
fn noted(notes: &str) -> Roff {
    let is_example = |line: &str| line.starts_with(' ');
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]);
    for paragraph in notes.split("\n\n") {
        roff.control("PP", []);
        let lines: Vec<&str> = paragraph.lines().collect();
        for part in lines.chunk_by(|line, next| is_example(line) == is_example(next)) {
            roff.control(if is_example(part[0]) { "nf" } else { "fi" }, []);
            for &line in part {
                roff.text([roman(line)]);
            }
        }
    }
    roff
}
