//! What cannot work is refused before the first dial.

use crate::common::program::{Program, below_limit, command_with_default_static_peers, limited};
use crate::outcome::{Outcome, node, run};
use crate::scratch::Scratch;
use std::io::ErrorKind;
use std::net::TcpListener;

/// A target that nobody may dial.
struct Witness(TcpListener);

impl Witness {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        Self(listener)
    }

    fn address(&self) -> String {
        self.0.local_addr().expect("an address").to_string()
    }

    /// The run was refused: stderr has `word`, and nothing else happened.
    #[track_caller]
    fn assert_refused(&self, args: &str, outcome: &Outcome, word: &str) {
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{args}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(word), "{args}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("panicked"), "{args}: {}", outcome.stderr);
        let dialled = self.0.accept();
        assert!(dialled.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "{args}: dialled");
    }
}

#[test]
fn wrong_usage_is_explained_on_stderr_with_exit_code_2_and_nobody_is_dialled() {
    let witness = Witness::new();
    let table = [
        ("--peers 0", "a number from 1 to"),
        ("--peers -1", "-1"),
        ("--peers x", "a number from 1 to"),
        ("--peers 9999999999999999999999", "a number from 1 to"),
        ("--rate 0", "a number from 0.001"),
        ("--rate NaN", "a number from 0.001"),
        ("--rate inf", "a number from 0.001"),
        ("--pace 0", "a number from 0.001"),
        ("--time 0", "a number from 0.001"),
        ("--timeout NaN", "a number from 0.001"),
        ("--batch 0", "a number from 1 to"),
        ("--length 0", "a number from 16 to"),
        ("flood --length 16", "too short"),
        ("--in-flight 0", "a number from 1 to"),
        ("--processes 0", "a number from 1 to"),
        ("--rounds 0", "a number from 1 to"),
        ("--source x", "--source"),
        ("--source ::1", "IPv4 or IPv6"),
        ("--source 127.0.0.1,192.0.2.1", "--source 192.0.2.1: this host does not have that address"),
        ("juggle", "fan-out"),
        ("burst", "--pid"),
        ("burst --pid 0", "a number from 1 to"),
        ("hold --pid 1 --pid 2", "--pid must name only one process"),
        ("hold --echo", "it is for flood, pace and ping"),
        ("flood --time 5", "it is for hold and pace"),
        ("pace --messages 10", "it is for flood, churn and ping"),
        ("hold --plot x.png", "SVG"),
        ("churn --json x --plot x", "cannot both write to x"),
        ("hold --yes", "--allow-remote"),
        ("hold --relay", "fan-out"),
        ("hold --trigger x", "fan-out"),
        ("ping --lines", "--echo"),
        ("ping --peers 2 --active 3", "--active"),
        ("fan-out --relay --trigger x", "cannot be used with"),
        ("fan-out --relay --processes 2", "one process"),
        ("fan-out --relay --peers 1", "two peers"),
        ("hold --peers 2 --processes 3", "--processes must not be more than --peers"),
        ("flood --peers 10000000 --batch 65536", "MiB of memory"),
        ("flood --messages 10 --batch 65536 --length 65536", "the most is 4 MiB"),
        ("churn --secure", "--secure has no effect in churn"),
        ("ping --secure --echo", "--secure is for sessions"),
        ("hold --seed 2", "--secure"),
        ("hold --secure --seed x", "--seed"),
        ("--no-such-flag", "--no-such-flag"),
    ];
    for (args, word) in table {
        witness.assert_refused(args, &run(witness.address(), args), word);
    }
}

/// A refused run used to leave empty files behind.
#[test]
fn what_is_refused_leaves_no_file() {
    let (witness, scratch) = (Witness::new(), Scratch::new("refused"));
    let (json, plot) = (scratch.word("report.json"), scratch.word("plot.png"));
    witness.assert_refused("a PNG", &run(witness.address(), &format!("--json {json} --plot {plot}")), "SVG");
    for file in [json, plot] {
        assert!(!std::path::Path::new(&file).exists(), "{file}");
    }
}

#[test]
fn more_peers_than_open_files_are_refused_with_the_way_out() {
    let witness = Witness::new();
    let outcome = |peers| {
        let words = ["swarm", &witness.address(), "--peers", peers];
        Outcome::of(Program::spawn(&mut limited(132, &words)))
    };
    witness.assert_refused("200 peers", &outcome("200"), "--processes 2,");
    witness.assert_refused("many peers", &outcome("99999999"), "--processes");
    let node = node();
    let words =
        ["swarm", &node.address().to_string(), "--peers", "200", "--processes", "2", "--time", "0.01"];
    assert_eq!(Outcome::of(Program::spawn(&mut limited(132, &words))).code, 0, "that was the way out");
}

#[test]
fn more_than_a_limit_on_memory_leaves_is_refused_with_the_way_out() {
    let (witness, node) = (Witness::new(), node());
    let outcome = |target: String, processes| {
        let words = ["swarm", &target, "flood", "--messages", "64", "--peers", "512", "--batch", "64"];
        let words = [&words[..], &["--length", "16384", "--processes", processes]].concat();
        Outcome::of(Program::spawn(&mut below_limit("-v 45000", &words)))
    };
    witness.assert_refused("one process", &outcome(witness.address(), "1"), "--processes");
    let run = outcome(node.address().to_string(), "4");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "that was the way out");
}

#[test]
fn more_peers_than_the_target_has_open_files_for_are_refused() {
    let words = ["--name", "N", "--port", "0", "--headless"];
    let node = Program::spawn(&mut limited(100, &words)).listening();
    let args = format!("--peers 200 --pid {}", node.pid().as_raw_nonzero());
    let outcome = run(node.address(), &args);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.contains("its limit is 100"), "{}", outcome.stderr);
}

#[test]
fn a_target_is_an_address() {
    let witness = Witness::new();
    for target in ["host", "127.0.0.1", "127.0.0.1:0", "10.103.45.601:8080", ""] {
        let outcome = Outcome::of(Program::spawn(&mut command_with_default_static_peers(&["swarm", target])));
        witness.assert_refused(target, &outcome, " is not an IP:PORT or a HOST:PORT");
    }
    let none = Outcome::of(Program::spawn(&mut command_with_default_static_peers(&["swarm"])));
    witness.assert_refused("no target", &none, "<IP:PORT>");
}

#[test]
fn a_remote_target_needs_permission() {
    let witness = Witness::new();
    for target in ["10.0.0.1:1", "[2001:db8::1]:1", "0.0.0.0:1"] {
        witness.assert_refused(target, &run(target, "--peers 1"), "--allow-remote");
    }
}

#[test]
fn a_process_that_is_gone_is_named() {
    let witness = Witness::new();
    let mut gone = Program::node("N");
    let pid = gone.pid().as_raw_nonzero();
    gone.close_stdin();
    gone.wait();
    for scenario in ["hold", "burst"] {
        let args = format!("{scenario} --pid {pid}");
        witness.assert_refused(&args, &run(witness.address(), &args), &format!("--pid {pid}: "));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_does_not_listen_there_is_refused_and_never_stopped() {
    let witness = Witness::new();
    let mut bystander = Program::node("N");
    let pid = bystander.pid().as_raw_nonzero();
    let holder = format!("{} (", std::process::id());
    for args in
        [format!("hold --pid {pid}"), format!("burst --pid {pid}"), format!("burst --pid {pid} --pid {pid}")]
    {
        let outcome = run(witness.address(), &args);
        witness.assert_refused(&args, &outcome, "does not hold the socket that listens on 127.0.0.1:");
        assert!(outcome.stderr.contains(&format!("it is held by {holder}")), "{}", outcome.stderr);
        let way_out = outcome.stderr.contains("Give --pid twice");
        assert_eq!(way_out, args.starts_with("hold"), "{}", outcome.stderr);
    }
    // The bystander was not stopped, so it can end.
    bystander.close_stdin();
    assert_eq!(bystander.wait(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_is_named_twice_counts_as_the_target() {
    let (target, other) = (node(), Program::node("N"));
    let pid = other.pid().as_raw_nonzero();
    let outcome =
        run(target.address(), &format!("hold --time 0.01 --peers 5 --json - --pid {pid} --pid {pid}"));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let report = outcome.report();
    assert_eq!(report.target.expect("it was named").pid.cast_signed(), pid.get());
    let told = report.remarks.join("\n");
    assert!(told.contains(&format!("also held by {} (chinwag)", target.pid().as_raw_nonzero())), "{told}");
}

#[test]
fn a_trigger_must_be_a_pipe_that_somebody_reads() {
    let (witness, scratch) = (Witness::new(), Scratch::new("trigger"));
    let file = scratch.file("file", "precious");
    scratch.pipe("unread");
    let table = [
        (scratch.word("missing"), "No such file"),
        (scratch.word("unread"), "must be reading it"),
        (file, "not a named pipe"),
        ("/dev/null".to_owned(), "not a named pipe"),
    ];
    for (trigger, word) in table {
        let args = format!("fan-out --trigger {trigger}");
        let outcome = run(witness.address(), &args);
        witness.assert_refused(&args, &outcome, word);
        assert!(outcome.stderr.contains(&trigger), "{}", outcome.stderr);
    }
    assert_eq!(scratch.read("file"), "precious");
}

#[test]
fn a_file_that_cannot_be_written_is_reported_before_the_run() {
    let (witness, scratch) = (Witness::new(), Scratch::new("unwritable"));
    for flag in ["--json", "--plot", "--hlog"] {
        let args = format!("hold {flag} {}", scratch.word("missing/file"));
        let word = format!("{flag} {}: No such file", scratch.word("missing/file"));
        witness.assert_refused(&args, &run(witness.address(), &args), &word);
    }
    let args = format!("hold --hgrm {}", scratch.word("missing/file.hgrm"));
    let word = format!("--hgrm {}: No such file", scratch.word("missing/file.dial.hgrm"));
    witness.assert_refused(&args, &run(witness.address(), &args), &word);
}

#[test]
fn two_results_in_one_file_are_refused_even_under_two_names() {
    let (witness, scratch) = (Witness::new(), Scratch::new("one-file"));
    let [file, link, dotted] = ["file", "link", "./file"].map(|name| scratch.word(name));
    scratch.file("file", "precious");
    std::fs::hard_link(&file, &link).expect("a second name");
    let by_name = format!("--json and --plot cannot both write to {file}");
    let by_itself = format!("--plot {link}: --json is written to the same file");
    for (one, other, word) in
        [(&file, &file, &by_name), (&dotted, &file, &by_name), (&file, &link, &by_itself)]
    {
        let args = format!("hold --json {one} --plot {other}");
        witness.assert_refused(&args, &run(witness.address(), &args), word);
    }
    assert_eq!(scratch.read("file"), "precious");
    for flag in ["--plot", "--hlog", "--hgrm"] {
        let args = format!("hold {flag} -");
        witness.assert_refused(&args, &run(witness.address(), &args), " --json");
    }
    assert_eq!(run(node().address(), "--time 0.01 --peers 2 --json /dev/null --hgrm /dev/null").code, 0);
}

#[test]
fn help_explains_itself_with_examples() {
    let help = |words: &[&str]| Outcome::of(Program::spawn(&mut command_with_default_static_peers(words)));
    let swarm = help(&["swarm", "--help"]);
    assert_eq!((swarm.code, swarm.stderr.as_str()), (0, ""));
    let words = [
        "Load:",
        "Connections:",
        "Target:",
        "Results:",
        "Examples:",
        "Exit codes:",
        "--peers",
        "--trigger",
        "fan-out",
        "merge",
    ];
    for word in words {
        assert!(swarm.stdout.contains(word), "{word} is missing:\n{}", swarm.stdout);
    }
    assert!(!swarm.stdout.contains("--worker"), "{}", swarm.stdout);
    let chat = help(&["--help"]);
    assert!(chat.stdout.contains("chinwag swarm 127.0.0.1:8080"), "{}", chat.stdout);
}
