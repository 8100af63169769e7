//! `chinwag completions` and `chinwag man`.

use crate::common::program::{Program, is_here, subcommand};

#[track_caller]
fn written(name: &str, args: &[&str]) -> String {
    let mut program = Program::spawn(&mut subcommand(name, args));
    let text = program.stdout.rest();
    assert_eq!((program.wait(), program.stderr.bytes()), (0, Vec::new()), "{name} {args:?}");
    text
}

#[test]
fn each_shell_has_its_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = written("completions", &[shell]);
        for word in ["static-peer", "headless", "connect-timeout", "swarm", "send", "completions"] {
            assert_eq!(script.contains(word), is_here(&[word]), "{shell}: {word}");
        }
    }
}

#[test]
fn the_program_and_each_subcommand_have_a_manual_page() {
    let page = written("man", &[]);
    for words in [".TH chinwag 1", "\\-\\-headless", "chinwag\\-send(1)", "Exit codes"] {
        assert!(page.contains(words), "{words} is missing:\n{page}");
    }
    for name in
        ["swarm", "swarm-merge", "send", "nearby", "diagnose", "config", "schema", "completions", "man"]
    {
        if !is_here(&[name]) {
            continue;
        }
        let page = written("man", &[name]);
        assert!(page.contains(&format!(".TH chinwag-{name} 1")), "{page}");
    }
}

#[test]
fn each_manual_page_that_is_referenced_exists() {
    let of_program = if is_here(&["swarm"]) { 8 } else { 7 };
    for (name, count) in [(&[][..], of_program), (&["swarm"], 1)] {
        if !is_here(name) {
            continue;
        }
        let page = written("man", name);
        let (_, pages) = page.split_once(".SH SUBCOMMANDS\n").unwrap();
        let named = pages.lines().filter_map(|line| line.strip_prefix("chinwag\\-")?.strip_suffix("(1)"));
        let named: Vec<String> = named.map(|name| name.replace("\\-", "-")).collect();
        assert_eq!(named.len(), count, "{named:?}");
        for name in &named {
            assert!(written("man", &[name]).contains(&format!(".TH chinwag-{name} 1")), "{name}");
        }
    }
}

#[test]
fn examples_in_a_page_keep_their_lines_and_paragraphs_are_filled() {
    let page = written("man", &["send"]);
    let example = "\n  chinwag send 127.0.0.1:8080 hello, you there\n";
    for words in ["\nExamples:\n.nf\n  chinwag send", example, "\n.PP\n.fi\nExit codes: 0 everything"] {
        assert!(page.contains(words), "{words} is missing:\n{page}");
    }
}

#[test]
fn an_unknown_shell_or_page_is_wrong_usage() {
    for (name, args, word) in [
        ("completions", &["tcsh"][..], "possible values: bash"),
        ("completions", &[], "<SHELL>"),
        (
            "man",
            &["mann"],
            if is_here(&["swarm"]) { "possible values: swarm" } else { "possible values: send" },
        ),
    ] {
        let mut program = Program::spawn(&mut subcommand(name, args));
        assert_eq!((program.wait(), program.stdout.rest().as_str()), (2, ""));
        let told = String::from_utf8(program.stderr.bytes()).unwrap();
        assert!(told.contains(word), "{told}");
    }
}

/// A user who knows the command is told why it is missing, whatever the arguments are.
#[test]
#[cfg(not(feature = "bench"))]
fn a_program_without_the_load_generator_says_so_and_offers_it_nowhere() {
    for args in [&[][..], &["127.0.0.1:1", "--peers", "5"], &["--help"], &["merge", "x"]] {
        let mut program = Program::spawn(&mut subcommand("swarm", args));
        assert_eq!((program.wait(), program.stdout.rest().as_str()), (2, ""), "{args:?}");
        let told = String::from_utf8(program.stderr.bytes()).unwrap();
        assert!(
            told.starts_with("chinwag swarm: this program was built without its load generator"),
            "{told}"
        );
    }
    assert!(written("help", &["swarm"]).starts_with("chinwag swarm: this program was built without"));
    for args in [&["--help"][..], &["help"], &["man"], &["man", "man"], &["completions", "zsh"]] {
        let text = written(args[0], &args[1..]);
        assert!(!text.contains("swarm") && !text.contains("Benchmark"), "{args:?}: {text}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_that_cannot_be_written_is_reported() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = subcommand("man", &[]).stdout(full).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && told.contains("the output cannot be written"), "{told}");
}
