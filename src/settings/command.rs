//! The command line, extended so that its flags can be settings.
//!
//! A flag that is on can be switched off again, `config` takes the flags of the chat, and the config file can be
//! named. The keys are taken from the command itself, so that no flag can be forgotten.

use crate::args::Args;
use clap::builder::{BoolValueParser, PossibleValue};
use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint, value_parser};
use std::path::PathBuf;

/// The flag that names the config file; it cannot be set there.
const FILE: &str = "config";

/// How similar two words must be, from 0 to 1, so that one is suggested for the other. clap uses the same value.
const LIKENESS_MIN: f64 = 0.7;

/// The whole command line of the program.
pub(crate) fn command() -> Command {
    let file = Arg::new(FILE)
        .long(FILE)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath)
        .help("The config file [default: chinwag/config.toml in ~/.config or $XDG_CONFIG_HOME]");
    let command = Args::command().mut_args(with_an_off).arg(file);
    let flags: Vec<Arg> = command.get_arguments().cloned().collect();
    command
        .mut_subcommand("config", |config| config.args(flags))
        .mut_subcommand("send", |send| send.mut_args(with_an_off))
        .mut_subcommand("diagnose", |diagnose| diagnose.mut_args(with_an_off))
}

/// Lets a flag that is on or off be followed by `=true` or `=false`.
fn with_an_off(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    arg.action(ArgAction::Set)
        .value_parser(BoolValueParser::new())
        .value_name("BOOL")
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
        .hide_default_value(true)
        .hide_possible_values(true)
}

/// The flags that can be set by environment and file.
pub(super) fn settable(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    let is_action = |arg: &Arg| matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let args = command.get_arguments().filter(move |arg| is_action(arg));
    args.filter_map(|arg| Some((arg.get_long()?, arg))).filter(|(key, _)| *key != FILE)
}

/// The flag of a key.
///
/// # Errors
///
/// There is no such flag; the error is the key that may be meant.
pub(super) fn find<'a>(command: &'a Command, key: &str) -> Result<&'a Arg, Option<&'a str>> {
    let found = settable(command).find(|(known, _)| *known == key);
    found.map(|(_, arg)| arg).ok_or_else(|| nearest(settable(command).map(|(known, _)| known), key))
}

/// Whether a flag is on or off.
pub(super) fn is_switch(arg: &Arg) -> bool {
    arg.get_possible_values().iter().map(PossibleValue::get_name).eq(["true", "false"])
}

/// Whether a flag with words of its own may be set to true or false as well.
pub(super) fn may_be_switched(arg: &Arg) -> bool {
    ["true", "false"]
        .iter()
        .all(|word| arg.get_possible_values().iter().any(|value| value.matches(word, false)))
}

/// Whether a flag may be repeated.
pub(super) fn is_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

fn nearest<'a>(known: impl Iterator<Item = &'a str>, word: &str) -> Option<&'a str> {
    let alike = known.map(|known| (strsim::jaro(known, word), known));
    let nearest = alike.max_by(|(one, _), (other, _)| one.total_cmp(other));
    nearest.filter(|(likeness, _)| *likeness > LIKENESS_MIN).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn a_misspelt_key_finds_the_one_that_is_meant() {
        for (word, meant) in [
            ("nam", Some("name")),
            ("connect_timeout", Some("connect-timeout")),
            ("static-peers", Some("static-peer")),
            ("", None),
            ("zzz", None),
        ] {
            assert_eq!(find(&command(), word).unwrap_err(), meant, "{word}");
        }
    }
}
