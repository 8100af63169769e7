//! The completions, each in its shell. A shell that is not installed is skipped, with a message.

use crate::common::program::{is_here, subcommand};
use crate::common::skip;
use crate::pty::Terminal;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A directory with one file in it, and an installed shell with the script that it reads.
struct Shell {
    name: &'static str,
    home: TempDir,
}

/// The one file that can be completed.
const FILE: &str = "a-file";

impl Shell {
    /// `None`, and a line on stderr, if there is no such shell here.
    fn find(name: &'static str, program: &str) -> Option<Self> {
        if Command::new(program).args(["-c", "exit"]).output().is_err() {
            skip(&format!("the completions of {name}: there is no {program} here"));
            return None;
        }
        let home = TempDir::new().expect("a directory");
        let script = subcommand("completions", &[name]).output().expect("the program runs");
        assert!(script.status.success() && script.stderr.is_empty(), "{script:?}");
        fs::create_dir(home.path().join("work")).expect("a directory");
        fs::write(home.path().join("work").join(FILE), "").expect("a file");
        fs::write(home.path().join("script.ps1"), script.stdout).expect("a file");
        Some(Self { name, home })
    }

    fn work(&self) -> OsString {
        self.home.path().join("work").into()
    }

    fn script(&self) -> String {
        self.home.path().join("script.ps1").to_str().expect("UTF-8").to_owned()
    }

    /// The output of a shell program in which `$script` is the path of the script.
    #[track_caller]
    fn run(&self, args: &[&str]) -> String {
        let output = Command::new(args[0])
            .args(&args[1..])
            .current_dir(self.work())
            .env("HOME", self.home.path())
            .env("script", self.script())
            .output()
            .expect("the shell runs: it did before");
        assert!(output.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

/// What is typed, and all candidates for it.
fn offers() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    OFFERS.into_iter().filter(|(typed, _)| is_here(&[typed]))
}

const OFFERS: [(&str, &[&str]); 10] = [
    ("--dialect ", &["block", "bracketed", "json", "netech", "portline", "standard"]),
    ("--color ", &["always", "auto", "never"]),
    ("--static-peer ", &[]),
    ("--name ", &[]),
    ("--transcript ", &[FILE]),
    ("send --dialect b", &["block", "bracketed"]),
    ("config --color n", &["never"]),
    ("swarm 127.0.0.1:1 f", &["fan-out", "flood"]),
    ("swarm --source ", &[]),
    // Flags that the help hides.
    ("swarm --wo", &[]),
];

#[test]
fn bash_offers_the_possible_values_and_files_only_for_files() {
    let Some(bash) = Shell::find("bash", "bash") else { return };
    // bash has split these into words.
    let broken: [(&str, &[&str]); 3] = [
        ("--dialect = b", &["block", "bracketed"]),
        ("--static-peer 127.0.0.1 : ", &[]),
        ("--bind :: ", &[]),
    ];
    for (typed, offers) in offers().chain(broken) {
        // As bash calls it, except for `compopt`, which works only in a real completion.
        let code = "compopt() { :; }; source \"$script\"; COMP_WORDS=(chinwag $0); \
                    case \"$0\" in *\\ ) COMP_WORDS+=('');; esac; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
                    _chinwag chinwag \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; \
                    printf '%s\\n' \"${COMPREPLY[@]}\"";
        let said = bash.run(&["bash", "--norc", "-c", code, typed]);
        let mut said: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
        said.sort_unstable();
        assert_eq!(said, offers, "chinwag {typed}");
    }
}

#[test]
fn fish_offers_the_possible_values_and_files_only_for_files() {
    let Some(fish) = Shell::find("fish", "fish") else { return };
    let besides =
        [("send ", &[][..]), ("man swarm-", &["swarm-merge"]), ("help s", &["schema", "send", "swarm"])];
    let besides = besides.into_iter().filter(|(_, offers)| is_here(offers));
    let table = offers().chain(besides);
    for (typed, offers) in table {
        let code = format!("source $script; complete -C 'chinwag {typed}'");
        let said = fish.run(&["fish", "--no-config", "-c", &code]);
        let said: Vec<&str> = said.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(said, offers, "chinwag {typed}");
    }
}

#[test]
fn elvish_offers_flags_and_subcommands() {
    let Some(elvish) = Shell::find("elvish", "elvish") else { return };
    // Its editor exists only on a terminal; the script needs only this part of it.
    let code = "var edit: = (ns [&completion:=(ns [&arg-completer=[&]]) \
                &complex-candidate~={|stem &display=''| put $stem}]); \
                eval &ns=(ns [&edit:=$edit:]) (slurp < $E:script); \
                each {|word| echo $word} [($edit:completion:arg-completer[chinwag] chinwag $@args)]";
    for (words, offer) in [("''", "--static-peer"), ("''", "swarm"), ("send ''", "--dialect")] {
        if !is_here(&[offer]) {
            continue;
        }
        let code = code.replace("$@args", words);
        let said = elvish.run(&["elvish", "-norc", "-c", &code]);
        assert!(said.lines().any(|line| line == offer), "{offer}: {said}");
    }
}

#[test]
fn powershell_takes_its_completions() {
    let Some(powershell) = Shell::find("powershell", "pwsh") else { return };
    powershell.run(&["pwsh", "-NoProfile", "-NonInteractive", "-File", &powershell.script()]);
}

/// zsh on a terminal, without the user's files.
fn zsh(directory: &Path) -> Terminal {
    let program = Path::new(env!("CARGO_BIN_EXE_chinwag")).parent().expect("a directory");
    let path = format!("PATH={}:/usr/bin:/bin:/usr/local/bin", program.display());
    let words = ["env", path.as_str(), "PS1=ready> ", "zsh", "-f", "-i"].map(OsString::from);
    let mut terminal = Terminal::run(&words);
    terminal.type_keys(&format!("cd {}; echo the''re\r", directory.display()));
    terminal.screen.expect("there");
    terminal.screen.expect("ready> ");
    terminal
}

#[test]
fn zsh_offers_the_possible_values_wherever_compinit_is() {
    let Some(shell) = Shell::find("zsh", "zsh") else { return };
    let (source, compinit) = ("source <(chinwag completions zsh)", "autoload -Uz compinit; compinit -u -D");
    let ways = [
        source.to_owned(),
        format!("{source}; {compinit}"),
        format!("{compinit}; {source}"),
        format!("{source}\r{compinit}"),
    ];
    for way in ways {
        let mut terminal = zsh(&shell.home.path().join("work"));
        terminal.type_keys(&format!("{way}; echo set''up\r"));
        terminal.screen.expect("setup");
        terminal.screen.expect("ready> ");
        for (typed, offers) in offers() {
            // The typed line is not run; other output shows when everything is over.
            terminal.type_keys(&format!("chinwag {typed}\t\x15echo d''one\r"));
            let shown = terminal.screen.expect("done");
            terminal.screen.expect("ready> ");
            for offer in offers {
                assert!(shown.contains(offer), "chinwag {typed} lacks {offer}: {shown}");
            }
            let is_file_offered = shown.contains(FILE);
            assert!(is_file_offered == offers.contains(&FILE), "chinwag {typed}: {shown}");
            assert!(
                !shown.contains("not found") && !shown.contains("_arguments"),
                "chinwag {typed}: {shown}"
            );
        }
    }
}
