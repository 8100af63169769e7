//! What is wrong with a setting: one sentence that begins with the place where it was set.

use super::{Origin, Setting, word};
use chinwag::proto::clean::Clean;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};
use std::error::Error as _;
use std::ffi::OsString;
use std::fmt::Display;

/// An error for wrong usage with this sentence. The sentence may quote anything from a file.
pub(super) fn fault(sentence: impl Display) -> Error {
    Error::raw(ErrorKind::ValueValidation, format_args!("{}\n", Clean(&sentence.to_string())))
}

/// Says that something is unknown, and what may be meant.
pub(super) fn unknown(what: &str, meant: Option<String>) -> String {
    match meant {
        Some(meant) => format!("{what}; did you mean '{meant}'?"),
        None => format!("{what}; `chinwag --help` shows the flags"),
    }
}

/// Rewrites an error of the joined command line so that it names the place of the wrong setting; `None` if that place
/// is the command line itself.
pub(super) fn explained(error: &Error, command: &Command, settings: &[Setting]) -> Option<Error> {
    let sentence = match error.kind() {
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => wrong_value(error, settings),
        ErrorKind::MissingRequiredArgument => missing(error, command, settings),
        ErrorKind::ArgumentConflict => conflict(error, settings),
        ErrorKind::InvalidUtf8 => not_text(command, settings),
        _ => None,
    };
    sentence.map(fault)
}

fn wrong_value(error: &Error, settings: &[Setting]) -> Option<String> {
    let setting = set_elsewhere(error, ContextKind::InvalidArg, settings)?;
    let value = strings(error, ContextKind::InvalidValue).concat();
    let reason = match error.source() {
        Some(reason) => reason.to_string(),
        None if value.is_empty() => "it must not be empty".to_owned(),
        None => strings(error, ContextKind::ValidValue).join(", "),
    };
    Some(format!("{}: invalid value '{value}' for '{}': {reason}", setting.origin.place(), setting.key))
}

/// The setting that requires others is the one that fails when it is alone.
fn missing(error: &Error, command: &Command, settings: &[Setting]) -> Option<String> {
    let needs_others =
        |setting: &&Setting| fault_alone(command, setting) == Some(ErrorKind::MissingRequiredArgument);
    // A flag that is off requires nothing.
    let is_set_elsewhere = |setting: &&Setting| setting.origin != Origin::Flag && setting.values != ["false"];
    let setting = settings.iter().filter(is_set_elsewhere).find(needs_others)?;
    let needed = strings(error, ContextKind::InvalidArg);
    let needed: Vec<String> = needed.iter().map(|flag| format!("'{}'", key_of(flag))).collect();
    Some(format!("{}: '{}' needs {}", setting.origin.place(), setting.key, needed.join(" and ")))
}

fn not_text(command: &Command, settings: &[Setting]) -> Option<String> {
    let is_no_text = |setting: &&Setting| fault_alone(command, setting) == Some(ErrorKind::InvalidUtf8);
    let setting = settings.iter().filter(|setting| setting.origin != Origin::Flag).find(is_no_text)?;
    Some(format!("{}: the value for '{}' is not UTF-8", setting.origin.place(), setting.key))
}

/// What is wrong with a setting when it is alone.
fn fault_alone(command: &Command, setting: &Setting) -> Option<ErrorKind> {
    let words = setting.values.iter().map(|value| word(&setting.key, value));
    let alone = [OsString::from("chinwag")].into_iter().chain(words);
    command.clone().try_get_matches_from(alone).err().map(|error| error.kind())
}

fn conflict(error: &Error, settings: &[Setting]) -> Option<String> {
    let of = |kind| {
        let flags = strings(error, kind);
        settings.iter().find(|setting| flags.iter().any(|flag| key_of(flag) == setting.key))
    };
    let (one, other) = (of(ContextKind::InvalidArg)?, of(ContextKind::PriorArg)?);
    let (one, other) = if one.origin == Origin::Flag { (other, one) } else { (one, other) };
    let is_set_elsewhere = one.origin != Origin::Flag;
    is_set_elsewhere.then(|| {
        format!(
            "{}: '{}' cannot be used with '{}' ({})",
            one.origin.place(),
            one.key,
            other.key,
            other.origin
        )
    })
}

/// The setting that an error is about, if it is not on the command line.
fn set_elsewhere<'a>(error: &Error, kind: ContextKind, settings: &'a [Setting]) -> Option<&'a Setting> {
    let flag = strings(error, kind).concat();
    settings.iter().find(|setting| setting.key == key_of(&flag) && setting.origin != Origin::Flag)
}

/// The key in `--key <VALUE>`.
fn key_of(flag: &str) -> &str {
    let flag = flag.trim_start_matches('-');
    flag.split([' ', '=', '[']).next().unwrap_or(flag)
}

fn strings(error: &Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(string)) => vec![string.clone()],
        Some(ContextValue::Strings(strings)) => strings.clone(),
        _ => Vec::new(),
    }
}
