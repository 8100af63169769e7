//! The config file: TOML, a key for each flag.
//!
//! The file is read and parsed here; the command line checks whether a value is right for its flag.

use super::command::{find, is_list, is_switch, may_be_switched};
use super::fault::{fault, unknown};
use super::{Origin, Setting};
use crate::quoting::shown;
use chinwag::limits::CONFIG_BYTES_MAX;
use chinwag::proto::fault::Fault;
use clap::{Arg, Command, Error};
use etcetera::BaseStrategy;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use toml_edit::{Document, Item, Key, Value};

/// The default path of the file; `None` for a user without a home directory.
pub(super) fn default_path() -> Option<PathBuf> {
    let places = etcetera::choose_base_strategy().ok()?;
    Some(places.config_dir().join("chinwag").join("config.toml"))
}

/// What the file sets, and its path. The default file may be missing, but not a file that was named.
///
/// # Errors
///
/// A sentence that begins with the path, and with the line if there is one.
pub(super) fn read(
    command: &Command,
    named: Option<PathBuf>,
    default: Option<PathBuf>,
) -> Result<(Option<PathBuf>, Vec<Setting>), Error> {
    let is_named = named.is_some();
    let Some(path) = named.or(default) else { return Ok((None, Vec::new())) };
    let settings = match text_of(&path) {
        Ok(text) => parse(command, &path, &text)?,
        Err(error) if !is_named && is_missing(&error) => Vec::new(),
        Err(error) => return Err(fault(format_args!("{}: {}", shown(path.as_os_str()), unreadable(&error)))),
    };
    Ok((Some(path), settings))
}

/// Whether there is no such file. The home of some daemons is not a directory, which counts too.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > CONFIG_BYTES_MAX { Err(ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such config file".to_owned(),
        ErrorKind::InvalidData => "the config file is not UTF-8 text".to_owned(),
        _ => format!("the config file cannot be read: {}", Fault::from(error)),
    }
}

fn parse(command: &Command, path: &Path, text: &str) -> Result<Vec<Setting>, Error> {
    let document = Document::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let column = before(text, at).chars().rev().take_while(|&c| c != '\n').count() + 1;
        fault(format_args!("{}:{}:{column}: {}", shown(path.as_os_str()), line_of(text, at), error.message()))
    })?;
    let mut settings = Vec::new();
    for (key, item) in document.iter() {
        let span = document.as_table().key(key).and_then(Key::span).or_else(|| item.span());
        let line = line_of(text, span.map_or(0, |span| span.start));
        let wrong = |what: String| fault(format_args!("{}:{line}: {what}", shown(path.as_os_str())));
        let arg = find(command, key)
            .map_err(|meant| wrong(unknown(&format!("unknown key '{key}'"), meant.map(str::to_owned))))?;
        let values = values(arg, item).map_err(|what| wrong(format!("'{key}' {what}")))?;
        let origin = Origin::File { path: path.to_owned(), line };
        settings.push(Setting { key: key.to_string(), values, origin });
    }
    Ok(settings)
}

/// The line that contains this byte, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    before(text, at).matches('\n').count() + 1
}

fn before(text: &str, at: usize) -> &str {
    &text[..text.floor_char_boundary(at)]
}

/// The values for a flag, or what is wrong with them.
fn values(arg: &Arg, item: &Item) -> Result<Vec<OsString>, String> {
    let not = |wanted: &str, kind: &str| format!("takes {wanted}, not {kind}");
    match item {
        Item::Value(Value::Boolean(is_on)) if may_be_switched(arg) => {
            Ok(vec![is_on.value().to_string().into()])
        }
        _ if is_switch(arg) => Err(not("true or false", kind(item))),
        Item::Value(Value::Array(items)) if is_list(arg) && items.is_empty() => {
            Err("has no value; leave it out for the default".to_owned())
        }
        Item::Value(Value::Array(items)) if is_list(arg) => {
            let words = items.iter().map(|item| word(item).ok_or_else(|| not("strings", kind_of(item))));
            words.collect()
        }
        _ => {
            let word = item.as_value().and_then(word);
            word.map(|word| vec![word]).ok_or_else(|| not("a string or a number", kind(item)))
        }
    }
}

fn kind(item: &Item) -> &'static str {
    item.as_value().map_or("a table", kind_of)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "a boolean",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::InlineTable(_) => "a table",
    }
}

/// A number as it would be written on the command line.
fn word(value: &Value) -> Option<OsString> {
    match value {
        Value::String(text) => Some(text.value().into()),
        Value::Integer(number) => Some(number.value().to_string().into()),
        Value::Float(number) => Some(number.value().to_string().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::command;

    #[test]
    fn whatever_stands_in_a_file_is_settings_or_a_sentence() {
        let command = command();
        let told = |text: &str| match parse(&command, Path::new("FILE"), text) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        let text = "\u{FEFF}name = \"ü\\u00e9\\t😀\"\r\n'ключ 👨\u{200D}👩' = [1, {a = 2.5}]\n\0[\u{1b}]\r x.y = 1979-05-27\n\"\"\"";
        for start in text.char_indices().map(|(start, _)| start) {
            for end in (start..=text.len()).filter(|&end| text.is_char_boundary(end)) {
                let told = told(&text[start..end]);
                assert_eq!(told.matches('\n').count(), usize::from(!told.is_empty()), "{told}");
            }
        }
        for deep in ["[", "{a=", "a."] {
            assert!(told(&format!("a = {}", deep.repeat(100_000))).starts_with("error: FILE:1:"), "{deep}");
        }
    }
}
