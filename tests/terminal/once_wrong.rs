//! Faults of the past on the terminal and in the files; each test failed before its fix.

use crate::common::peer::{Peer, say};
use crate::common::program::{Program, command, command_with_default_static_peers, is_here, subcommand};
use crate::pty::{Terminal, unwrapped};
use rustix::process::Signal;
use std::ffi::OsString;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// A program on a terminal, started by a shell that runs these commands first.
fn node_after(script: &str) -> Terminal {
    let plain = command(&["--name", "P1", "--port", "0", "--color", "never"]);
    let shell = ["sh", "-c", &format!("{script}; exec \"$0\" \"$@\"")].map(OsString::from);
    let program = std::iter::once(plain.get_program()).chain(plain.get_args()).map(ToOwned::to_owned);
    let terminal = Terminal::run(&shell.into_iter().chain(program).collect::<Vec<_>>());
    terminal.expect_rows(&["Enter choice: ▏"]);
    terminal
}

#[test]
fn a_signal_that_kills_leaves_the_terminal_as_found_and_kills_as_ever() {
    for (signal, name) in [
        (Signal::QUIT, "Quit"),
        (Signal::ABORT, "Aborted"),
        (Signal::USR1, "User defined signal 1"),
        (Signal::USR2, "User defined signal 2"),
        (Signal::ALARM, "Alarm clock"),
        (Signal::VTALARM, "Virtual timer expired"),
        (Signal::PROF, "Profiling timer expired"),
        (Signal::XCPU, "CPU time limit exceeded"),
    ] {
        let mut terminal = node_after("ulimit -c 0");
        terminal.type_keys("half");
        terminal.expect_rows(&["Enter choice: half▏"]);
        assert!(!terminal.is_canonical());
        terminal.signal(signal);
        let end = terminal.wait_for_end();
        let is_it = |end: &str| !cfg!(target_os = "linux") || end == name;
        assert!(end.signal().is_some_and(is_it), "{end:?} is not {name}");
        terminal.assert_as_found();
        // The shell's next output is in a row of its own.
        terminal.expect_rows(&["Enter choice: half", "▏"]);
    }
}

/// For signals that cannot be raised again by safe calls, the exit code is the one that a shell uses.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_without_a_name_leaves_the_terminal_as_found_too() {
    for signal in [Signal::IO.as_raw(), Signal::POWER.as_raw(), 40, 64] {
        let terminal = node_after("ulimit -c 0");
        let kill = ["-s", &signal.to_string(), &terminal.pid().to_string()].map(OsString::from);
        assert!(
            Command::new("sh").args(["-c", "kill \"$@\"", "kill"]).args(kill).status().unwrap().success()
        );
        assert_eq!(terminal.wait(), 128 + signal as u32);
        terminal.assert_as_found();
    }
}

/// It was caught anyway, and ended the program.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_the_parent_ignores_stays_ignored() {
    let mut terminal = node_after("trap '' HUP QUIT USR1");
    for signal in [Signal::HUP, Signal::QUIT, Signal::USR1] {
        terminal.signal(signal);
    }
    terminal.type_keys("2\r");
    terminal.screen.expect("No connected peers");
    terminal.type_keys("0\r");
    terminal.screen.expect("Exiting\r\n");
    assert_eq!(terminal.wait(), 0);
}

/// The reply was typed into the line.
#[test]
fn replies_of_the_terminal_are_never_typed_even_before_the_first_prompt() {
    const REPLIES: &str = "\x1b]11;rgb:0000/0000/0000\x07\x1b]10;rgb:ffff/ffff/ffff\x1b\\\x1bP>|XTerm(370)\x1b\\\
                           \x1b_Gi=31;OK\x1b\\\x1b^x\x1b\\\x1bXx\x1b\\\x1b[M !!";
    let plain = command(&[]);
    let program = std::iter::once(plain.get_program()).chain(plain.get_args()).map(ToOwned::to_owned);
    let mut terminal = Terminal::run(&program.collect::<Vec<_>>());
    terminal.type_keys(&format!("{REPLIES}P"));
    terminal.expect_rows(&["Enter your name: P▏"]);
    for byte in REPLIES.bytes() {
        terminal.type_keys(&char::from(byte).to_string());
    }
    terminal.type_keys("1");
    terminal.expect_rows(&["Enter your name: P1▏"]);
}

/// Its beginning was missing, because half of the row was kept free for no reason.
#[test]
fn the_prompt_of_choice_3_is_whole_on_80_columns_and_understood_on_40() {
    let other = Peer::new();
    let mut terminal = Terminal::node_with(&["--name", "P1", "--port", "0", "--color", "never"]);
    say(terminal.address(), format!("{} P2 hi", other.address()));
    terminal.screen.expect("): hi");
    terminal.type_keys("3\r");
    terminal.expect_rows(&["Enter a number, 'a' for all, or IP:PORT: ▏"]);
    terminal.resize(40);
    terminal.expect_rows(&["Number, 'a' for all, or IP:PORT: ▏"]);
    terminal.type_keys("127.0.0.1:8080");
    terminal.expect_rows(&["Number, 'a', IP:PORT: 127.0.0.1:8080▏"]);
}

/// The paste ended the search, and the key after Esc was lost.
#[test]
fn a_search_takes_a_paste_and_is_left_with_the_escape_key() {
    let mut terminal = Terminal::node("P1");
    terminal.type_keys("seven\r");
    terminal.screen.expect("'seven' is not a valid choice");
    terminal.type_keys("\x12\x1b[200~eve\x1b[201~");
    terminal.expect_rows(&["(search 'eve') s▏even"]);
    terminal.type_keys("\x1b");
    terminal.expect_rows(&["Enter choice: seven▏"]);
    terminal.type_keys("ty");
    terminal.expect_rows(&["Enter choice: seventy▏"]);
}

/// A home directory, and its file of known peers with this text.
fn home_with_peers(text: &str) -> (TempDir, std::path::PathBuf) {
    let home = TempDir::new().expect("a directory for files");
    let file = home.path().join(".local/share/chinwag/peers.toml");
    fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
    fs::write(&file, text).expect("a file");
    (home, file)
}

/// For one bad entry the whole file was renamed, with all blocks and aliases; comments and the text above were lost.
#[test]
fn one_invalid_known_peer_is_reported_and_the_rest_of_the_file_is_used_and_stays() {
    let text = "# my peers\ncolour = \"red\"\n\n[[peer]]\naddress = \"127.0.0.1:2\"\nalias = \"bob\" # my boss\n\n\
                [[peer]]\naddress = \"127.0.0.1:1\"\nlast_heard = 2026-03-01\nblocked = true\n\n\
                [[peer]]\naddress = \"127.0.0.1:0\"\n";
    let (home, file) = home_with_peers(text);
    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    terminal.screen.expect_that("the sentence", |text| {
        let text = unwrapped(text);
        text.contains("cannot be used and were left unchanged: line 10: 'last_heard' of 127.0.0.1:1")
            && text.contains("; line 14: 'address' must be IP:PORT")
    });
    terminal.type_keys("/msg bob hi\r/msg 127.0.0.1:1 hi\r/alias 127.0.0.1:3 carl\r0\r");
    terminal.screen.expect("127.0.0.1:2 refused");
    terminal.screen.expect("You have blocked 127.0.0.1:1");
    assert_eq!(terminal.wait(), 0);
    let added = "\n[[peer]]\naddress = \"127.0.0.1:3\"\nalias = \"carl\"\n";
    assert_eq!(fs::read_to_string(&file).expect("a file"), text.to_owned() + added);
}

/// It wrote to everybody in the standard dialect, and reported nothing.
#[test]
fn send_says_that_it_cannot_use_the_known_peers() {
    for (text, code, words) in
        [("blocked = maybe", 2, "line 1: "), ("[[peer]]\naddress = 7\n", 3, "line 2: 'address' must be")]
    {
        let (home, _file) = home_with_peers(text);
        let mut send = Program::spawn(subcommand("send", &["127.0.0.1:1", "hi"]).env("HOME", home.path()));
        assert_eq!(send.wait(), code);
        send.stderr.expect_that("the sentence", |told| told.contains("peers.toml: ") && told.contains(words));
    }
}

/// Whether a line was broken although the next word would have fitted. Rows of a table and examples are not
/// paragraphs: they are indented less than the text about a flag.
fn is_ragged(line: &str, next: &str, width: usize) -> bool {
    let column = next.len() - next.trim_start().len();
    let is_text =
        (column == 0 || column >= 10) && !next.trim().is_empty() && !next.trim_start().starts_with("- ");
    let is_of_one_paragraph = || match line.get(column..) {
        Some(part) => {
            !part.starts_with(' ') && (column == 0 || line[..column].ends_with(' ')) && !part.is_empty()
        }
        None => false,
    };
    let word = next.split_whitespace().next().unwrap_or_default();
    is_text && is_of_one_paragraph() && line.chars().count() + 1 + word.chars().count() <= width
}

/// Lines that were broken by hand were broken again at the width of the terminal.
#[test]
fn help_is_wrapped_at_the_width_of_the_terminal_and_nowhere_else() {
    assert!(is_ragged("broken", "by hand", 80) && !is_ragged("broken", "by hand", 8));
    let commands = ["", "swarm", "swarm merge", "send", "config", "schema", "completions", "man"];
    for command in commands.into_iter().filter(|command| is_here(&[command])) {
        for flag in ["-h", "--help"] {
            for (columns, width) in [("60", 60), ("80", 80), ("120", 100)] {
                let words: Vec<&str> = command.split_whitespace().chain([flag]).collect();
                let mut program =
                    Program::spawn(command_with_default_static_peers(&words).env("COLUMNS", columns));
                let help = program.stdout.rest();
                assert_eq!(program.wait(), 0);
                let lines: Vec<&str> = help.lines().collect();
                for (line, next) in lines.iter().zip(&lines[1..]) {
                    assert!(line.chars().count() <= width, "{words:?} at {columns}: {line}");
                    assert!(!is_ragged(line, next, width), "{words:?} at {columns}:\n{line}\n{next}");
                }
                let examples = lines
                    .iter()
                    .skip_while(|line| **line != "Examples:")
                    .skip(1)
                    .take_while(|line| !line.is_empty());
                for example in examples {
                    let is_whole =
                        ["  chinwag", "  # ", "  make "].iter().any(|start| example.starts_with(start));
                    assert!(is_whole, "{words:?} at {columns}: an example was broken: {example}");
                }
            }
        }
    }
}

/// The log had the path unchanged, with its control characters.
#[test]
fn a_file_name_in_the_log_cannot_disturb_a_terminal() {
    let home = TempDir::new().expect("a directory");
    let data = home.path().join("\x1b[31m");
    fs::create_dir_all(data.join("chinwag")).expect("a directory");
    fs::write(data.join("chinwag/peers.toml"), "blocked = maybe").expect("a file");
    let mut send = Program::spawn(subcommand("send", &["127.0.0.1:1", "hi"]).env("XDG_DATA_HOME", &data));
    assert_eq!(send.wait(), 2);
    send.stderr.expect_that("the sentence", |told| {
        told.contains("␛[31m/chinwag/peers.toml: ") && !told.contains('\x1b')
    });
}
