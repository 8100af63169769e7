//! `chinwag config`: each value in effect, and where it was set.
//!
//! The output is a config file with the same values. Values are escaped, because they may contain characters that are
//! not allowed in TOML or could disturb a terminal.

use super::command::{command, is_list, is_switch, settable};
use super::environment::variable_of;
use super::{Setting, Settings};
use crate::output::write_out;
use crate::quoting::{quoted, shown};
use chinwag::limits::ASSIGNMENT_COLUMNS_MAX;
use chinwag::proto::clean::Clean;
use clap::Arg;
use std::fmt::Write;
use std::io;
use toml_edit::Value;

/// Writes it to stdout; returns the exit code.
pub(crate) fn list(settings: &Settings) -> io::Result<u8> {
    write_out(text(settings).as_bytes())
}

fn text(settings: &Settings) -> String {
    let command = command();
    let rows: Vec<(String, String)> =
        settable(&command).map(|(key, arg)| row(key, arg, &settings.settings)).collect();
    let columns = rows.iter().map(|(assignment, _)| assignment.chars().count());
    let columns = columns.filter(|&columns| columns <= ASSIGNMENT_COLUMNS_MAX).max().unwrap_or(0);
    let mut text = settings.file.as_ref().map_or(String::new(), |file| {
        let is_there = if file.exists() { "" } else { ", which does not exist" };
        format!("# The config file is {}{is_there}.\n", shown(file.as_os_str()))
    });
    for (assignment, origin) in rows {
        let origin = Clean(&origin).to_string();
        writeln!(text, "{assignment:columns$}  # {origin}").expect("a string takes all");
    }
    text
}

/// What sets a flag, and where it was set.
fn row(key: &str, arg: &Arg, settings: &[Setting]) -> (String, String) {
    if let Some(setting) = settings.iter().find(|setting| setting.key == key) {
        let Some(values) = setting.values.iter().map(|value| value.to_str()).collect::<Option<Vec<_>>>()
        else {
            return not_text(key, setting);
        };
        return (assignment(key, arg, &values), setting.origin.to_string());
    }
    match arg.get_default_values() {
        [] => {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            (format!("# {key} ="), format!("not set: {help}"))
        }
        values => {
            let values: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
            (assignment(key, arg, &values), "default".to_owned())
        }
    }
}

/// A file name that cannot be written in a config file is not replaced by another name.
fn not_text(key: &str, setting: &Setting) -> (String, String) {
    let values: Vec<String> = setting.values.iter().map(|value| shown(value)).collect();
    let ways = format!("a flag or {} can", variable_of(key));
    let origin = format!(
        "{}: {}, which is not UTF-8; a config file cannot hold it, but {ways}",
        setting.origin,
        values.join(", ")
    );
    (format!("# {key} ="), origin)
}

fn assignment(key: &str, arg: &Arg, values: &[impl AsRef<str>]) -> String {
    let values = values.iter().map(AsRef::as_ref);
    let values: Vec<String> = values
        .map(|text| if is_switch(arg) || is_number(text) { text.to_owned() } else { quoted(text) })
        .collect();
    let values = values.join(", ");
    if is_list(arg) { format!("{key} = [{values}]") } else { format!("{key} = {values}") }
}

/// Whether TOML reads a text as a number that is written back in the same way.
fn is_number(text: &str) -> bool {
    match text.parse() {
        Ok(Value::Integer(number)) => number.value().to_string() == text,
        Ok(Value::Float(number)) => {
            number.value().to_string() == text && text.starts_with(|c: char| c.is_ascii_digit())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Origin, file};
    use std::collections::BTreeSet;
    use std::ffi::OsString;
    use std::fs;
    use std::path::PathBuf;

    fn listed(settings: &[(&str, &[&str], Origin)]) -> String {
        let settings = settings.iter().map(|(key, values, origin)| Setting {
            key: (*key).to_owned(),
            values: values.iter().map(OsString::from).collect(),
            origin: origin.clone(),
        });
        text(&Settings { settings: settings.collect(), file: Some(PathBuf::from("/nonexistent/a\nb")) })
    }

    #[test]
    fn each_value_is_listed_with_its_origin() {
        let file = Origin::File { path: PathBuf::from("/home/a\u{1b}b"), line: 3 };
        let variable = Origin::Environment { variable: "CHINWAG_CONNECT_TIMEOUT".to_owned() };
        let text = listed(&[
            ("name", &["a\"b\\\u{1b}ü"], Origin::Flag),
            ("static-peer", &["127.0.0.1:1", "[::1]:23"], file),
            ("connect-timeout", &["2.5"], variable),
        ]);
        let rows = text.lines().filter_map(|row| row.split_once("  # "));
        let rows: Vec<_> = rows.map(|(assignment, origin)| (assignment.trim_end(), origin)).collect();
        for row in [
            ("name = \"a\\\"b\\\\\\U0000001Bü\"", "flag"),
            (
                "# port =",
                "not set: The port to listen on, 0 for any free one; you are asked for it if it is not given",
            ),
            ("static-peer = [\"127.0.0.1:1\", \"[::1]:23\"]", "file /home/a␛b:3"),
            ("greet = false", "default"),
            ("connect-timeout = 2.5", "environment CHINWAG_CONNECT_TIMEOUT"),
        ] {
            assert!(rows.contains(&row), "{row:?}: {text}");
        }
        assert!(text.starts_with("# The config file is /nonexistent/a␊b, which does not exist.\n"));
        let aligned = text.lines().skip(1).filter_map(|row| row.find("  # default")).collect::<BTreeSet<_>>();
        assert_eq!(aligned.len(), 1, "{text}");
    }

    #[test]
    fn the_listing_is_a_config_file_that_says_the_same() {
        for name in [
            "a\"b\\\u{1b}\u{7f}\u{202e}ü",
            "42",
            "007",
            "1e3",
            "0x10",
            "inf",
            "true",
            "1979-05-27",
            "'",
            "1_000",
        ] {
            let peers = ["127.0.0.1:1", "[::1]:2"];
            let text = listed(&[("name", &[name], Origin::Flag), ("static-peer", &peers, Origin::Flag)]);
            let directory = tempfile::TempDir::new().unwrap();
            let path = directory.path().join("config.toml");
            fs::write(&path, &text).unwrap();
            let (_, settings) = file::read(&command(), Some(path.clone()), None).unwrap();
            let again = super::text(&Settings { settings, file: Some(PathBuf::from("/nonexistent/a\nb")) });
            let without_origins = |text: &str| {
                let rows =
                    text.lines().map(|row| row.split("  # ").next().unwrap_or(row).trim_end().to_owned());
                rows.collect::<Vec<_>>()
            };
            assert_eq!(without_origins(&again), without_origins(&text), "{name}");
        }
    }
}
