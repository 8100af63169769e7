//! What was once wrong on the terminal and in the files; each test failed before.

use crate::common::program::{Program, command_with_default_static_peers, subcommand};
use crate::pty::Terminal;
use std::fs;
use tempfile::TempDir;

/// A file of known peers that somebody wrote by hand, and the file of a home.
fn home_with_peers(text: &str) -> (TempDir, std::path::PathBuf) {
    let home = TempDir::new().expect("a directory for files");
    let file = home.path().join(".local/share/chinwag/peers.toml");
    fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
    fs::write(&file, text).expect("a file");
    (home, file)
}

/// The whole file was set aside for it, with all blocks and aliases; comments and what stood above were lost.
#[test]
fn one_odd_entry_of_the_known_peers_is_told_and_all_else_in_the_file_is_used_and_stays() {
    let text = "# my peers\ncolour = \"red\"\n\n[[peer]]\naddress = \"127.0.0.1:2\"\nalias = \"bob\" # my boss\n\n\
                [[peer]]\naddress = \"127.0.0.1:1\"\nlast_heard = 2026-03-01\nblocked = true\n\n\
                [[peer]]\naddress = \"127.0.0.1:0\"\n";
    let (home, file) = home_with_peers(text);
    let mut terminal = Terminal::node_at(home.path(), &["--name", "P1"]);
    terminal.screen.expect_that("the sentence", |text| {
        text.contains("are used but for this, which is left as it is: line 10: 'last_heard' of 127.0.0.1:1")
            && text.contains("; line 14: 'address' must be IP:PORT")
    });
    terminal.type_keys("/msg bob hi\r/msg 127.0.0.1:1 hi\r/alias 127.0.0.1:3 carl\r0\r");
    terminal.screen.expect("127.0.0.1:2 refused");
    terminal.screen.expect("You have blocked 127.0.0.1:1");
    assert_eq!(terminal.wait(), 0);
    let added = "\n[[peer]]\naddress = \"127.0.0.1:3\"\nalias = \"carl\"\n";
    assert_eq!(fs::read_to_string(&file).expect("a file"), text.to_owned() + added);
}

/// It wrote in the standard dialect to everybody, and said nothing.
#[test]
fn send_says_that_it_cannot_use_the_known_peers() {
    for (text, words) in
        [("blocked = maybe", "line 1: "), ("[[peer]]\naddress = 7\n", "line 2: 'address' must be")]
    {
        let (home, _file) = home_with_peers(text);
        let mut send = Program::spawn(subcommand("send", &["127.0.0.1:1", "hi"]).env("HOME", home.path()));
        assert_eq!(send.wait(), 3);
        send.stderr.expect_that("the sentence", |told| told.contains("peers.toml: ") && told.contains(words));
    }
}

/// Whether a line was broken although more of its paragraph would have found room in it. Rows of a table and examples
/// are no paragraphs: they are indented less than what is said of a flag.
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

/// Lines that were broken by hand were broken again where the terminal ended.
#[test]
fn help_is_broken_where_the_terminal_ends_and_nowhere_else() {
    assert!(is_ragged("broken", "by hand", 80) && !is_ragged("broken", "by hand", 8));
    for command in ["", "swarm", "swarm merge", "send", "config", "completions", "man"] {
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
