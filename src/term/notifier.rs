//! Runs a command of the user for what peers say, such as `notify-send {name} {text}`.
//!
//! The command is never run by a shell, so nothing that a peer writes can be more than one of its arguments. It runs at
//! most once a second, and one at a time: a flood of messages starts no flood of processes.

use crate::chat::notice::Notice;
use crate::limits::{NOTIFIED_CHARS_MAX, NOTIFY_INTERVAL};
use crate::proto::clean::{Clean, CleanName};
use std::fmt::Display;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// The command, and when it ran last.
#[derive(Debug)]
pub struct Notifier {
    program: String,
    arguments: Vec<String>,
    /// The process that was started last, until it has ended.
    running: Option<Child>,
    ran_at: Option<Instant>,
    is_fault_told: bool,
}

impl Notifier {
    /// The words of a command line. In each of them `{name}` and `{text}` stand for those of a message. `None`: there is
    /// no word.
    pub fn parse(command: &str) -> Option<Self> {
        let mut words = command.split_whitespace().map(str::to_owned);
        Some(Self {
            program: words.next()?,
            arguments: words.collect(),
            running: None,
            ran_at: None,
            is_fault_told: false,
        })
    }

    /// Runs the command if this is a message, unless it ran a moment ago or still runs.
    pub(super) fn note(&mut self, notice: &Notice, now: Instant) {
        let Notice::Message { who, text, .. } = notice else { return };
        self.reap();
        if self.running.is_some() || self.ran_at.is_some_and(|at| now < at + NOTIFY_INTERVAL) {
            return;
        }
        self.ran_at = Some(now);
        match self.run(&bounded(CleanName(&who.name)), &bounded(Clean(text))) {
            Ok(child) => self.running = Some(child),
            Err(error) if !std::mem::replace(&mut self.is_fault_told, true) => {
                log::error!("cannot run {}: {error}", self.program);
            }
            Err(_) => {}
        }
    }

    /// Forgets the process if it has ended.
    pub(super) fn reap(&mut self) {
        self.running.take_if(|child| !matches!(child.try_wait(), Ok(None)));
    }

    fn run(&self, name: &str, text: &str) -> io::Result<Child> {
        Command::new(&self.program)
            .args(self.arguments.iter().map(|word| filled(word, name, text)))
            // The service manager's socket is not for processes that we start.
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    }
}

/// A word of the command with what a peer said in it. What a peer said is never an option of the command: a space
/// before the hyphen makes it a text.
fn filled(word: &str, name: &str, text: &str) -> String {
    let mut filled = String::new();
    let mut rest = word;
    while let Some(start) = rest.find('{') {
        let (before, from) = rest.split_at(start);
        filled.push_str(before);
        let (value, after) = match (from.strip_prefix("{name}"), from.strip_prefix("{text}")) {
            (Some(after), _) => (name, after),
            (_, Some(after)) => (text, after),
            _ => ("{", &from[1..]),
        };
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    if filled.starts_with('-') && !word.starts_with('-') { format!(" {filled}") } else { filled }
}

fn bounded(said: impl Display) -> String {
    said.to_string().chars().take(NOTIFIED_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::notice::Who;
    use std::path::Path;
    use tempfile::TempDir;

    fn message(name: &str, text: &str) -> Notice {
        let who = Who::new(([127, 0, 0, 1], 1).into(), name.into());
        Notice::heard(who, text)
    }

    /// What the command was given each time, one argument in a line.
    fn runs(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// A place with a script in it that appends to the file `said` there, and the command that runs the script.
    fn script(does: &str) -> (TempDir, String) {
        let place = tempfile::tempdir().unwrap();
        let [script, said] = ["script", "said"].map(|name| place.path().join(name));
        std::fs::write(&script, format!("{does} >>{}\n", said.display())).unwrap();
        let command = format!("sh {}", script.display());
        (place, command)
    }

    fn finish(notifier: &mut Notifier) {
        if let Some(mut child) = notifier.running.take() {
            assert!(child.wait().unwrap().success());
        }
    }

    #[test]
    fn a_message_is_given_as_arguments_whatever_it_says() {
        let (place, script) = script(r#"printf '[%s]\n' "$@""#);
        let path = place.path().join("said");
        let command = format!("{script} {{name}} --body={{text}} {{text}} {{other}}");
        let mut now = crate::testing::start();
        for (name, text, given) in [
            ("anna", "hello you", "[anna]\n[--body=hello you]\n[hello you]\n[{other}]\n"),
            (
                "{text}",
                "$(x) `y` 'z' \"",
                "[{text}]\n[--body=$(x) `y` 'z' \"]\n[$(x) `y` 'z' \"]\n[{other}]\n",
            ),
            ("-rf", "--help", "[ -rf]\n[--body=--help]\n[ --help]\n[{other}]\n"),
            ("a\x1bb", "c\nd", "[a␛b]\n[--body=c␊d]\n[c␊d]\n[{other}]\n"),
        ] {
            let mut notifier = Notifier::parse(&command).unwrap();
            notifier.note(&message(name, text), now);
            finish(&mut notifier);
            assert_eq!(runs(&path), given);
            std::fs::remove_file(&path).unwrap();
            now += NOTIFY_INTERVAL;
        }
        let mut notifier = Notifier::parse(&format!("{script} {{text}}")).unwrap();
        notifier.note(&message("a", &"x".repeat(60_000)), now);
        finish(&mut notifier);
        assert_eq!(runs(&path).len(), NOTIFIED_CHARS_MAX + "[]\n".len());
    }

    #[test]
    fn it_runs_at_most_once_a_second_and_a_command_that_is_not_there_harms_nobody() {
        let (place, script) = script(r#"echo "$1""#);
        let path = place.path().join("said");
        let mut notifier = Notifier::parse(&format!("{script} {{text}}")).unwrap();
        let now = crate::testing::start();
        for (number, millis) in [(1, 0), (2, 999), (3, 1000), (4, 1001)] {
            notifier.note(&message("a", &number.to_string()), now + std::time::Duration::from_millis(millis));
            finish(&mut notifier);
        }
        assert_eq!(runs(&path), "1\n3\n");
        assert!(Notifier::parse("  ").is_none());
        let mut missing = Notifier::parse("/nowhere/at/all {text}").unwrap();
        missing.note(&message("a", "b"), now);
        assert!(missing.running.is_none() && missing.is_fault_told);
    }
}
