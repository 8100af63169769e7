//! The value in effect: from a flag, else from the environment, else from the config file, else the default.
//!
//! Every long flag of the chat is a setting; none is listed here. All sources are turned into arguments and joined to
//! one command line. So the rules of the command line decide which values are wrong, which flags need others and which
//! exclude others, wherever they were set.
//!
//! Why a command line: values are checked, requirements and conflicts apply, and errors read the same wherever
//! something was set; and a new flag is a key and a variable at once. Settings that real flags override are left out,
//! and so are flags that are off, because they require nothing. clap's own defaults would not satisfy `requires`, and
//! its `env` cannot read a file.

mod command;
mod environment;
mod fault;
mod file;
mod listing;

pub(crate) use command::command;
pub(crate) use listing::list;

use crate::args::Args;
use crate::quoting::shown;
use clap::error::{ContextKind, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error, FromArgMatches};
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// The flags that `send` and `diagnose` share with the chat, as far as they have them. Their `--port`, `--quiet` and
/// `--json` mean something else.
const SHARED_WITH_CHAT: [&str; 7] =
    ["name", "ip", "dialect", "identity", "no-identity", "secure", "connect-timeout"];

/// The value of a flag, and where it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The long flag, without its dashes.
    key: String,
    /// As they would be written on the command line.
    values: Vec<OsString>,
    origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Flag,
    Environment { variable: String },
    File { path: PathBuf, line: usize },
}

impl Origin {
    /// The source with the smaller rank overrides the other.
    const fn rank(&self) -> u8 {
        match self {
            Self::Flag => 0,
            Self::Environment { .. } => 1,
            Self::File { .. } => 2,
        }
    }

    /// The beginning of a sentence about a wrong value.
    fn place(&self) -> String {
        match self {
            Self::Flag => "flag".to_owned(),
            Self::Environment { variable } => variable.clone(),
            Self::File { path, line } => format!("{}:{line}", shown(path.as_os_str())),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str(&self.place()),
            Self::Environment { .. } => write!(f, "environment {}", self.place()),
            Self::File { .. } => write!(f, "file {}", self.place()),
        }
    }
}

/// All settings, and the config file that was read.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    settings: Vec<Setting>,
    file: Option<PathBuf>,
}

/// Reads the command line, and the settings if the command has any.
///
/// # Errors
///
/// clap's message for wrong usage, a sentence for a wrong setting, or the help that was asked for.
pub(crate) fn parse() -> Result<(Args, Settings), Error> {
    let words: Vec<OsString> = env::args_os().collect();
    let (matches, settings) = settle(&command(), &words, env::vars_os(), file::default_path())?;
    Ok((Args::from_arg_matches(&matches)?, settings))
}

/// The command line completed by what `environment` and the file set.
fn settle(
    command: &Command,
    words: &[OsString],
    environment: impl Iterator<Item = (OsString, OsString)>,
    default_file: Option<PathBuf>,
) -> Result<(ArgMatches, Settings), Error> {
    let given = first_look(command, words)?;
    let (name, flags, taken) = match given.subcommand() {
        None => (None, command, &given),
        Some((name @ ("config" | "send" | "diagnose"), taken)) => {
            (Some(name), command.find_subcommand(name).unwrap_or(command), taken)
        }
        Some(_) => return Ok((given, Settings::default())),
    };
    let (environment, named_file) = environment::read(command, environment)?;
    let named_file =
        given_values(taken, "config").and_then(|(_, values)| values.into_iter().next()).or(named_file);
    let (file, in_file) = file::read(command, named_file.map(PathBuf::from), default_file)?;

    let is_shared = |key: &str| matches!(name, None | Some("config")) || SHARED_WITH_CHAT.contains(&key);
    let settings: Vec<Setting> = flags
        .get_arguments()
        .filter_map(|arg| {
            let key = arg.get_long()?;
            let set = environment.iter().chain(&in_file).find(|setting| setting.key == key && is_shared(key));
            flag(taken, arg).or_else(|| set.cloned())
        })
        .collect();
    let settings = without_overridden(settings, flags);
    let all_words = words_of(name, &settings, flags, taken);
    let matches = command.clone().try_get_matches_from(all_words).map_err(|error| {
        // An error of the typed command line is reported as such.
        let typed = || command.clone().try_get_matches_from(words).err();
        fault::explained(&error, command, &settings).or_else(typed).unwrap_or(error)
    })?;
    Ok((matches, Settings { settings, file }))
}

/// Parses only the typed command line. The other settings may still add what it lacks or resolve what seems to
/// conflict.
fn first_look(command: &Command, words: &[OsString]) -> Result<ArgMatches, Error> {
    let error = match command.clone().try_get_matches_from(words) {
        Ok(matches) => return Ok(matches),
        Err(error) => error,
    };
    let (one, other) = (error.get(ContextKind::InvalidArg), error.get(ContextKind::PriorArg));
    let may_be_settled = match error.kind() {
        ErrorKind::MissingRequiredArgument => true,
        // But not the same flag twice, and not a flag with a subcommand.
        ErrorKind::ArgumentConflict => one.is_some() && one != other,
        _ => false,
    };
    let matches = command.clone().ignore_errors(true).try_get_matches_from(words)?;
    let is_of_the_chat = matches!(matches.subcommand_name(), None | Some("config"));
    if may_be_settled && is_of_the_chat { Ok(matches) } else { Err(error) }
}

/// The value of a flag on the command line.
fn flag(matches: &ArgMatches, arg: &Arg) -> Option<Setting> {
    let (source, values) = given_values(matches, arg.get_id().as_str())?;
    let is_given = source == ValueSource::CommandLine;
    is_given.then(|| Setting {
        key: arg.get_long().unwrap_or_default().to_owned(),
        values,
        origin: Origin::Flag,
    })
}

/// The words of an argument, as they were written.
fn given_values(matches: &ArgMatches, id: &str) -> Option<(ValueSource, Vec<OsString>)> {
    let source = matches.try_get_raw(id).ok()??;
    Some((matches.value_source(id)?, source.map(OsString::from).collect()))
}

/// Removes settings that conflict with a setting from a stronger source.
fn without_overridden(settings: Vec<Setting>, flags: &Command) -> Vec<Setting> {
    let arg_of = |setting: &Setting| flags.get_arguments().find(|arg| arg.get_long() == Some(&setting.key));
    let names = |one: &Setting, other: &Setting| {
        let excluded = arg_of(one).map(|arg| flags.get_arg_conflicts_with(arg)).unwrap_or_default();
        excluded.iter().any(|arg| arg.get_long() == Some(&other.key))
    };
    let overrides = |one: &Setting, other: &Setting| {
        one.origin.rank() < other.origin.rank()
            && !is_off(one, flags)
            && (names(one, other) || names(other, one))
    };
    let is_overridden = |setting: &&Setting| settings.iter().any(|other| overrides(other, setting));
    settings.iter().filter(|setting| !is_overridden(setting)).cloned().collect()
}

/// A flag that is off requires nothing and conflicts with nothing.
fn is_off(setting: &Setting, flags: &Command) -> bool {
    let mut args = flags.get_arguments();
    setting.values == ["false"]
        && args.any(|arg| arg.get_long() == Some(&setting.key) && command::is_switch(arg))
}

/// The command line that has all of these settings as flags.
fn words_of(name: Option<&str>, settings: &[Setting], flags: &Command, taken: &ArgMatches) -> Vec<OsString> {
    let program = [Some("chinwag"), name].into_iter().flatten().map(OsString::from);
    let set = settings.iter().filter(|setting| !is_off(setting, flags));
    let set = set.flat_map(|setting| setting.values.iter().map(|value| word(&setting.key, value)));
    let positionals = flags.get_positionals().filter_map(|arg| given_values(taken, arg.get_id().as_str()));
    let positionals = positionals.flat_map(|(_, values)| values);
    let mut words: Vec<OsString> = program.chain(set).collect();
    if flags.get_positionals().next().is_some() {
        words.push("--".into());
        words.extend(positionals);
    }
    words
}

fn word(key: &str, value: &OsString) -> OsString {
    let mut word = OsString::from(format!("--{key}="));
    word.push(value);
    word
}

#[cfg(test)]
mod tests {
    use super::command::{is_list, is_switch, settable};
    use super::environment::variable_of;
    use super::*;
    use std::fs;
    use std::os::unix::ffi::OsStringExt;
    use tempfile::TempDir;

    /// The result of a command line, variables and a config file. Sentences call that file FILE.
    fn settled_by(
        command: &Command,
        words: &str,
        variables: &[(&str, &str)],
        file: &str,
    ) -> Result<(ArgMatches, Settings), String> {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("config.toml");
        fs::write(&path, file).unwrap();
        let words: Vec<OsString> =
            ["chinwag"].into_iter().chain(words.split_whitespace()).map(Into::into).collect();
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let place = path.display().to_string();
        let settled = settle(command, &words, variables, Some(path));
        settled.map_err(|error| error.to_string().replace(&place, "FILE"))
    }

    fn settled(
        words: &str,
        variables: &[(&str, &str)],
        file: &str,
    ) -> Result<(ArgMatches, Settings), String> {
        settled_by(&command(), words, variables, file)
    }

    /// The values in effect for a flag, and where they come from.
    #[track_caller]
    fn effective(key: &str, words: &str, variables: &[(&str, &str)], file: &str) -> String {
        let (matches, Settings { settings, .. }) = settled(words, variables, file).unwrap();
        let command = command();
        let (_, arg) = settable(&command).find(|(known, _)| *known == key).unwrap();
        let values = matches.get_raw(arg.get_id().as_str()).into_iter().flatten();
        let values: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
        let set = settings.iter().find(|setting| setting.key == key);
        let origin = set.map_or("default", |setting| match setting.origin {
            Origin::Flag => "flag",
            Origin::Environment { .. } => "environment",
            Origin::File { .. } => "file",
        });
        format!("{} by {origin}", values.join(" "))
    }

    #[test]
    fn a_flag_overrides_the_environment_which_overrides_the_file_which_overrides_the_default() {
        let list = ("127.0.0.1:1, [::1]:2", "127.0.0.1:1 [::1]:2");
        for (key, default, (line, in_file), (variable, in_variable), flag) in [
            ("name", "", ("'c'", "c"), ("e", "e"), "f"),
            ("greet", "false", ("true", "true"), ("NO", "false"), "true"),
            ("greet", "false", ("false", "false"), ("1", "true"), "false"),
            ("bell", "never", ("true", "true"), ("ON", "true"), "mention"),
            ("bell", "never", ("'private'", "private"), ("0", "false"), "all"),
            ("connect-timeout", "5", ("2.5", "2.5"), ("3", "3"), "4"),
            ("peers-max", "65536", ("'1'", "1"), ("2", "2"), "3"),
            (
                "static-peer",
                "10.206.4.122:1255 10.206.5.228:6555",
                ("['[::1]:3']", "[::1]:3"),
                list,
                "[::1]:4",
            ),
        ] {
            let variables = [(&*variable_of(key), variable)];
            let empty = [(&*variable_of(key), "")];
            let (words, file) = (format!("--{key}={flag}"), format!("{key} = {line}"));
            let holds = |words, variables, file| effective(key, words, variables, file);
            assert_eq!(holds("", &[], ""), format!("{default} by default"));
            assert_eq!(holds("", &[], &file), format!("{in_file} by file"));
            assert_eq!(holds("", &empty, &file), format!("{in_file} by file"));
            for file in ["", &file] {
                assert_eq!(holds("", &variables, file), format!("{in_variable} by environment"));
                assert_eq!(holds(&words, &[], file), format!("{flag} by flag"));
                assert_eq!(holds(&words, &variables, file), format!("{flag} by flag"));
            }
        }
    }

    #[test]
    fn every_flag_of_the_chat_can_be_set_by_environment_and_file() {
        let command = command();
        let candidates = ["true", "1", "1000000", "127.0.0.1", "127.0.0.1:1", "standard", "auto"];
        for (key, arg) in settable(&command) {
            // Some flags need these two.
            let others = ["name", "port"].into_iter().filter(|other| *other != key);
            let others: String = others.map(|other| format!("--{other}=1 ")).collect();
            let possible = arg.get_possible_values();
            let mut values = possible.iter().map(|value| value.get_name()).chain(candidates);
            let is_taken = |value: &&str| settled(&format!("{others}--{key}={value}"), &[], "").is_ok();
            let value = values.find(is_taken).unwrap_or_else(|| panic!("a value for {key}"));
            let line = match (is_switch(arg), is_list(arg)) {
                (true, _) => value.to_owned(),
                (_, true) => format!("['{value}']"),
                _ => format!("'{value}'"),
            };
            let by_variable = effective(key, &others, &[(&variable_of(key), value)], "");
            assert_eq!(by_variable, format!("{value} by environment"), "{key}");
            let by_file = effective(key, &others, &[], &format!("{key} = {line}"));
            assert_eq!(by_file, format!("{value} by file"), "{key}");
        }
    }

    #[test]
    fn a_required_flag_may_be_set_in_any_place() {
        let both = [("CHINWAG_NAME", "a"), ("CHINWAG_PORT", "0")];
        for (words, variables, file) in [
            ("--headless", &both[..], ""),
            ("--json", &both[..1], "port = 0"),
            ("--name a", &both[1..], "headless = true"),
            ("config --headless", &both, ""),
            // A flag that is off requires nothing.
            ("--headless=false", &[], ""),
            ("--json=false", &[], "json = true"),
            ("", &[("CHINWAG_JSON", "0")], "json = true\nheadless = false"),
        ] {
            assert!(settled(words, variables, file).is_ok(), "{words} {variables:?} {file}");
        }
    }

    #[test]
    fn send_uses_the_settings_that_it_shares_with_the_chat() {
        let file = "name = 'a'\nport = 8080\nquiet = true\ndialect = 'block'\njson = true\n\
                    secure = 'require'\nidentity = 'k'";
        let (matches, _) =
            settled("send --no-identity 127.0.0.1:1 --quiet=false -- --name -1", &[], file).unwrap();
        let (_, send) = matches.subcommand().unwrap();
        let words = |id| send.get_raw(id).map(|values| values.map(|value| value.to_str().unwrap()).collect());
        let words = |id| words(id).map(|words: Vec<_>| words.join(" "));
        assert_eq!(words("name").as_deref(), Some("a"));
        assert_eq!(words("dialect").as_deref(), Some("block"));
        assert_eq!(words("secure").as_deref(), Some("require"));
        assert_eq!((words("identity"), words("no_identity").as_deref()), (None, Some("true")));
        assert_eq!(words("port"), None);
        assert_eq!(words("text").as_deref(), Some("--name -1"));
    }

    #[test]
    fn a_diagnosis_is_made_under_the_name_of_the_chat_and_on_a_port_of_its_own() {
        let file = "name = 'a'\nport = 8080\njson = true\ndialect = 'block'\nconnect-timeout = 2";
        let (matches, _) = settled("diagnose 127.0.0.1:1", &[], file).unwrap();
        let (_, diagnose) = matches.subcommand().unwrap();
        let word = |id| diagnose.get_raw(id).and_then(|mut values| values.next()?.to_str());
        assert_eq!((word("name"), word("connect_timeout")), (Some("a"), Some("2")));
        assert_eq!((word("port"), word("json")), (Some("0"), Some("false")));
    }

    #[test]
    fn an_empty_config_file_sets_nothing() {
        assert_eq!(effective("port", "--config /dev/null", &[], "port = 9"), " by default");
    }

    #[test]
    fn other_subcommands_ignore_the_settings() {
        for words in ["swarm 127.0.0.1:1", "man", "schema", "completions bash"] {
            assert!(settled(words, &[("CHINWAG_X", "1")], "x = 1").is_ok(), "{words}");
        }
    }

    #[track_caller]
    fn assert_told(sentence: &str, words: &str, variables: &[(&str, &str)], file: &str) {
        let told = settled(words, variables, file).unwrap_err();
        assert_eq!(told, format!("error: {sentence}\n"), "{words} {variables:?} {file}");
    }

    #[test]
    fn a_wrong_key_or_value_of_the_file_is_one_sentence_with_its_line() {
        for (file, sentence) in [
            ("\nnam = 1", "2: unknown key 'nam'; did you mean 'name'?"),
            ("[chat]", "1: unknown key 'chat'; `chinwag --help` shows the flags"),
            ("greet = 1", "1: 'greet' takes true or false, not a number"),
            ("name = false", "1: 'name' takes a string or a number, not a boolean"),
            ("port = []", "1: 'port' takes a string or a number, not a list"),
            ("static-peer = [\n1979-05-27]", "1: 'static-peer' takes strings, not a date"),
            ("static-peer = []", "1: 'static-peer' has no value; leave it out for the default"),
            ("port = 65536", "1: invalid value '65536' for 'port': type a number from 0 to 65535"),
            ("name = '\tb'", "1: invalid value '␉b' for 'name': a name must be one word; try b"),
            ("name = \"\\u001b \"", "1: invalid value '␛ ' for 'name': a name must be one word; try ␛"),
            ("name = \"\\u2800\"", "1: invalid value '\u{2800}' for 'name': a name must have 1 to 64 bytes"),
            ("port = 1\n port = 2", "2:2: duplicate key"),
            ("transcript = ''", "1: invalid value '' for 'transcript': it must not be empty"),
            ("greet = true\njson = true", "2: 'json' needs 'name' and 'port'"),
        ] {
            assert_told(&format!("FILE:{sentence}"), "", &[], file);
        }
        assert_told("FILE:1: 'json' needs 'port'", "--name a", &[], "json = true");
        let sentence = "invalid value 'x' for 'ip': type an IP address, such as 192.168.1.5 or ::1";
        assert_told(&format!("FILE:1: {sentence}"), "send 127.0.0.1:1 x", &[], "ip = 'x'");
    }

    #[test]
    fn a_wrong_variable_is_one_sentence_with_its_name() {
        for (variable, value, sentence) in [
            ("CHINWAG_NMAE", "x", "there is no such setting; did you mean 'CHINWAG_NAME'?"),
            ("CHINWAG_name", "x", "there is no such setting; did you mean 'CHINWAG_NAME'?"),
            ("CHINWAG_", "x", "there is no such setting; `chinwag --help` shows the flags"),
            ("CHINWAG_GREET", "si", "invalid value 'si' for 'greet': use true or false, 1 or 0, yes or no"),
            ("CHINWAG_PEERS_MAX", "1,2", "invalid value '1,2' for 'peers-max': type a whole number above 0"),
            ("CHINWAG_HEADLESS", "1", "'headless' needs 'name' and 'port'"),
        ] {
            assert_told(&format!("{variable}: {sentence}"), "", &[(variable, value)], "");
        }
    }

    #[test]
    fn a_variable_that_is_not_utf_8_is_named_but_a_path_need_not_be_utf_8() {
        let settled = |variable: &str| {
            let value = OsString::from_vec(vec![0xFF]);
            settle(&command(), &["chinwag".into()], [(variable.into(), value)].into_iter(), None)
        };
        let told = settled("CHINWAG_NAME").unwrap_err().to_string();
        assert_eq!(told, "error: CHINWAG_NAME: the value for 'name' is not UTF-8\n");
        assert!(settled("CHINWAG_TRANSCRIPT").is_ok());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_one_sentence_with_its_name() {
        let missing = "/nonexistent: there is no such config file";
        assert_told(missing, "", &[("CHINWAG_CONFIG", "/nonexistent")], "");
        assert_told(missing, "--config /nonexistent", &[], "");
        assert_told(missing, "config --config /nonexistent", &[("CHINWAG_CONFIG", "/dev/null")], "");
        assert_told("/: the config file cannot be read: Is a directory", "--config /", &[], "");
    }

    #[test]
    fn an_error_of_the_command_line_names_the_command_line() {
        for (words, told) in [
            ("--headless", "--name"),
            ("--port x", "'--port <PORT>'"),
            ("--config=", "'--config <FILE>'"),
            ("--greet=si", "'--greet[=<BOOL>]'"),
            ("--name a --name b", "cannot be used multiple times"),
            ("--name a config", "subcommand 'config' cannot be used with"),
            ("completions", "<SHELL>"),
            ("send", "<ADDRESS>"),
            ("--no-such-flag", "--no-such-flag"),
        ] {
            let error = settled(words, &[], "peers-max = 7").unwrap_err();
            assert!(error.contains(told) && !error.contains("peers-max"), "{words}: {error}");
        }
    }

    #[test]
    fn of_conflicting_flags_the_stronger_source_counts_and_one_source_may_not_have_both() {
        let switch = Arg::new("loud").long("loud").num_args(0..=1).require_equals(true);
        let switch = switch.value_parser(clap::builder::BoolValueParser::new()).default_missing_value("true");
        let file = Arg::new("file").long("file").conflicts_with("loud");
        let command = Command::new("chinwag").args([switch, file, Arg::new("config").long("config")]);
        let told = settled_by(&command, "", &[], "file = 'x'\nloud = true").unwrap_err();
        assert_eq!(told, "error: FILE:2: 'loud' cannot be used with 'file' (file FILE:1)\n");
        let told = settled_by(&command, "--loud --file x", &[], "").unwrap_err();
        assert!(told.contains("cannot be used with"), "{told}");
        for (words, variables, file, held) in [
            ("--loud", &[][..], "file = 'x'", "loud"),
            ("--file x", &[("CHINWAG_LOUD", "1")], "", "file"),
            ("", &[("CHINWAG_LOUD", "1")], "file = 'x'", "loud"),
        ] {
            let (_, settings) = settled_by(&command, words, variables, file).unwrap();
            let keys: Vec<_> = settings.settings.iter().map(|setting| setting.key.as_str()).collect();
            assert_eq!(keys, [held], "{words} {variables:?} {file}");
        }
        for (words, file) in
            [("--loud=false --file=x", ""), ("--loud=false", "file = 'x'"), ("--file=x", "loud = false")]
        {
            assert!(settled_by(&command, words, &[], file).is_ok(), "{words} {file}");
        }
    }
}
