//! `chinwag completions` and `chinwag man`: what the command line says of itself, for shells and for `man`.

use crate::output::write_out;
use crate::settings;
use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::io;

/// How the script for zsh ends: made known at once, which fails if the completion system is not there yet.
const KNOWN_AT_ONCE: &str = "\
else
    compdef _chinwag chinwag
fi
";

/// How it should: where `source` stands in a `.zshrc`, `compinit` may come later, or not at all.
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

/// How the script for fish finds out whether a subcommand was typed: not while the value of a flag is missing.
const GIVE_UP: &str = "2>/dev/null\n    or return\n";

/// How it should: then none was.
const GO_ON: &str = "2>/dev/null\n    or return 0\n";

/// How the script for bash finds out whose value is typed: by the word before.
const WORD_BEFORE: &str = "    prev=\"$3\"\n";

/// How it should: bash breaks words at `=` and `:` too, and `--dialect=b` or an address is one word to us.
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

/// Writes the completions of a shell; gives the exit code.
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

/// What fish may offer where no flag is: clap_complete leaves that to fish, which offers file names. It offers nothing
/// behind `help`, either, which it takes for a word that was typed there.
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

/// The command as completions need it: clap_complete offers what is hidden too, so that is left out here.
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
        // What follows `--greet` is another word; no shell's script would know that.
        let arg = arg.require_equals(false).hide_possible_values(false).hide_default_value(false);
        return arg.action(ArgAction::SetTrue).num_args(0);
    }
    // File names are offered for files alone.
    let is_unknown = arg.get_possible_values().is_empty();
    let arg = match arg.get_value_hint() {
        ValueHint::Unknown if is_unknown => arg.value_hint(ValueHint::Other),
        // Only then bash takes a name with a space for one.
        ValueHint::AnyPath => arg.value_hint(ValueHint::FilePath),
        _ => arg,
    };
    // zsh would run what stands behind the colon.
    let has_colon = arg.get_value_names().is_some_and(|names| names.iter().any(|name| name.contains(':')));
    if has_colon { arg.value_name("ADDRESS") } else { arg }
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
