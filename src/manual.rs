//! `chinwag completions` and `chinwag man`: completions and manual pages, generated from the command line.

use crate::output::write_out;
use crate::settings;
use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::io;

/// The end of clap's script for zsh: it registers the completion at once, which fails if the completion system is not
/// loaded yet.
const KNOWN_AT_ONCE: &str = "\
else
    compdef _chinwag chinwag
fi
";

/// Our end: if a `.zshrc` sources the script, `compinit` may come later, or not at all.
const KNOWN_IN_TIME: &str = "\
elif (( $+functions[compdef] )); then
    compdef _chinwag chinwag
else
    _chinwag_at_prompt() {
        add-zsh-hook -d precmd _chinwag_at_prompt
        (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
        compdef _chinwag chinwag
    }
    autoload -Uz add-zsh-hook
    add-zsh-hook precmd _chinwag_at_prompt
fi
";

/// How clap's script for fish checks for a subcommand: it gives up while the value of a flag is missing.
const GIVE_UP: &str = "2>/dev/null\n    or return\n";

/// Our way: in that case no subcommand was typed.
const GO_ON: &str = "2>/dev/null\n    or return 0\n";

/// How clap's script for bash finds the flag of a value: it takes the word before.
const WORD_BEFORE: &str = "    prev=\"$3\"\n";

/// Our way: bash also splits words at `=` and `:`, but for us `--dialect=b` or an address is one word.
const WHOLE_WORD_BEFORE: &str = r#"    prev="$3"
    local at=$COMP_CWORD
    while (( at > 1 )) && [[ "${COMP_WORDS[at]}" == [=:]* || "${COMP_WORDS[at - 1]}" == [=:]* ]]; do
        at=$((at - 1))
    done
    if (( at < COMP_CWORD )); then
        prev="${COMP_WORDS[at]}"
        [[ "$prev" == -* ]] || prev="${COMP_WORDS[at - 1]}"
    fi
"#;

/// Writes the completions for a shell; returns the exit code.
pub(crate) fn completions(shell: Shell) -> io::Result<u8> {
    let mut text = Vec::new();
    let mut command = completable(&settings::command());
    clap_complete::generate(shell, &mut command, "chinwag", &mut text);
    let script = String::from_utf8_lossy(&text);
    let script = match shell {
        Shell::Zsh => script.replace(KNOWN_AT_ONCE, KNOWN_IN_TIME),
        Shell::Bash => script.replace(WORD_BEFORE, WHOLE_WORD_BEFORE),
        Shell::Fish => script.replace(GIVE_UP, GO_ON) + &words_for_fish(&command),
        _ => script.into_owned(),
    };
    write_out(script.as_bytes())
}

/// The words that fish may offer if no flag is being typed: clap_complete leaves that to fish, which offers file
/// names. After `help` it offers nothing, because it takes `help` for a subcommand that was already typed.
fn words_for_fish(command: &Command) -> String {
    let mut lines = String::new();
    for subcommand in command.get_subcommands() {
        let name = subcommand.get_name();
        let below = subcommand.get_subcommands().map(Command::get_name);
        let below: Vec<&str> = below.filter(|&word| name != "help" || word != name).collect();
        let besides = if below.is_empty() {
            String::new()
        } else {
            format!("; and not __fish_seen_subcommand_from {}", below.join(" "))
        };
        let values = subcommand.get_positionals().flat_map(Arg::get_possible_values);
        let mut words: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        if name == "help" {
            words.extend(below.into_iter().map(str::to_owned));
        }
        let condition = format!("__fish_chinwag_using_subcommand {name}{besides}");
        lines += &format!("complete -c chinwag -n \"{condition}\" -f -a \"{}\"\n", words.join(" "));
    }
    lines
}

/// The command as completions need it: clap_complete also offers hidden subcommands and flags, so they are left out
/// here.
fn completable(command: &Command) -> Command {
    let args = command.get_arguments().filter(|arg| !arg.is_hide_set()).cloned().map(completable_arg);
    let plain = Command::new(command.get_name().to_owned())
        .about(command.get_about().cloned().unwrap_or_default())
        .args(args)
        .subcommands(command.get_subcommands().filter(|command| !command.is_hide_set()).map(completable));
    match command.get_version() {
        Some(version) => plain.version(version.to_owned()),
        None => plain,
    }
}

fn completable_arg(arg: Arg) -> Arg {
    if arg.is_require_equals_set() {
        // The word after `--greet` is not its value, but no shell's script would know that.
        let arg = arg.require_equals(false).hide_possible_values(false).hide_default_value(false);
        return arg.action(ArgAction::SetTrue).num_args(0);
    }
    // File names are offered only for files.
    let is_unknown = arg.get_possible_values().is_empty();
    let arg = match arg.get_value_hint() {
        ValueHint::Unknown if is_unknown => arg.value_hint(ValueHint::Other),
        // Only then does bash keep a file name with a space together.
        ValueHint::AnyPath => arg.value_hint(ValueHint::FilePath),
        _ => arg,
    };
    // zsh would run the text after the colon.
    let has_colon = arg.get_value_names().is_some_and(|names| names.iter().any(|name| name.contains(':')));
    if has_colon { arg.value_name("ADDRESS") } else { arg }
}

/// Writes the manual page of the program or of a subcommand; returns the exit code.
pub(crate) fn page(subcommand: Option<&str>) -> io::Result<u8> {
    // The help subcommand has no manual page.
    let mut command = settings::command().disable_help_subcommand(true);
    // Only after this do subcommands know their full names.
    command.build();
    let mut words = subcommand.unwrap_or_default().split_terminator('-');
    let named = words.try_fold(&command, |command, word| command.find_subcommand(word)).cloned();
    write_out(&rendered(named.unwrap_or(command))?)
}

/// The text below the flags is formatted here: clap_mangen would make one paragraph of it.
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
