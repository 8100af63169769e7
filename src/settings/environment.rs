//! `CHINWAG_…`: a variable for each flag.
//!
//! An empty variable counts as not set. A variable that belongs to no flag is an error, because it is probably
//! misspelt.

use super::command::{find, is_list, is_switch, may_be_switched};
use super::fault::{fault, unknown};
use super::{Origin, Setting};
use crate::quoting::shown;
use clap::{Arg, Command, Error};
use std::ffi::OsString;

const PREFIX: &str = "CHINWAG_";

/// Names the config file.
const FILE: &str = "CHINWAG_CONFIG";

/// What the environment sets, and the config file that it names.
///
/// # Errors
///
/// A sentence that begins with the variable.
pub(super) fn read(
    command: &Command,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(Vec<Setting>, Option<OsString>), Error> {
    let mut settings = Vec::new();
    let mut file = None;
    for (variable, value) in variables.filter(|(_, value)| !value.is_empty()) {
        let variable = variable.to_string_lossy().into_owned();
        match variable.strip_prefix(PREFIX) {
            None => {}
            Some(_) if variable == FILE => file = Some(value),
            Some(name) => settings.push(setting(command, &variable, &key_of(name), value)?),
        }
    }
    Ok((settings, file))
}

fn setting(command: &Command, variable: &str, key: &str, value: OsString) -> Result<Setting, Error> {
    let is_spelt_so = || variable_of(key) == variable;
    let arg = find(command, key).and_then(|arg| is_spelt_so().then_some(arg).ok_or(Some(key)));
    let arg = arg.map_err(|meant| {
        fault(format_args!("{variable}: {}", unknown("there is no such setting", meant.map(variable_of))))
    })?;
    let values = values(arg, &value).ok_or_else(|| {
        let value = shown(&value);
        fault(format_args!(
            "{variable}: invalid value '{value}' for '{key}': use true or false, 1 or 0, yes or no"
        ))
    })?;
    Ok(Setting { key: key.to_owned(), values, origin: Origin::Environment { variable: variable.to_owned() } })
}

/// The values of a flag; `None` if the flag is on or off and the value is neither.
fn values(arg: &Arg, value: &OsString) -> Option<Vec<OsString>> {
    let text = value.to_str();
    match text {
        _ if is_switch(arg) => truth(text?).map(|is_on| vec![is_on.to_string().into()]),
        Some(word) if may_be_switched(arg) && truth(word).is_some() => {
            truth(word).map(|is_on| vec![is_on.to_string().into()])
        }
        Some(list) if is_list(arg) => Some(list.split(',').map(|item| item.trim().into()).collect()),
        _ => Some(vec![value.clone()]),
    }
}

fn truth(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn key_of(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// The variable of a flag.
pub(super) fn variable_of(key: &str) -> String {
    PREFIX.to_owned() + &key.to_ascii_uppercase().replace('-', "_")
}
