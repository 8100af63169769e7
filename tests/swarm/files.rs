//! The files that a run writes, and how they are read again.

use crate::common::program::{Program, command_with_default_static_peers};
use crate::outcome::{Outcome, node, run};
use crate::scratch::Scratch;
use chinwag::swarm::histogram_log::{Log, read_log};
use chinwag::swarm::report::Report;
use chinwag::swarm::tally::Measure;

fn merge(words: &[&str]) -> Outcome {
    let words = [&["swarm", "merge"], words].concat();
    Outcome::of(Program::spawn(&mut command_with_default_static_peers(&words)))
}

fn count(log: &Log, measure: Measure) -> u64 {
    log.times.get(&measure).map_or(0, |times| times.len())
}

#[test]
fn the_report_the_plot_and_the_log_are_written_beside_the_table() {
    let (node, scratch) = (node(), Scratch::new("written"));
    let [json, plot, hlog] = ["run.json", "run.svg", "run.hlog"].map(|name| scratch.word(name));
    let args = format!(
        "ping --messages 300 --peers 20 --json {json} --plot {plot} --hlog {hlog} --hgrm {}",
        scratch.word("run.hgrm")
    );
    let outcome = run(node.address(), &args);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    assert!(outcome.stdout.contains("ping: 300 questions"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("round-trip"), "{}", outcome.stdout);
    let report: Report = serde_json::from_str(&scratch.read("run.json")).expect("a report");
    assert_eq!(report.times[&Measure::RoundTrip].count, 300);
    let svg = scratch.read("run.svg");
    let svg = roxmltree::Document::parse(&svg).expect("XML");
    assert_eq!(svg.root_element().tag_name().name(), "svg");
    let log = read_log(&scratch.read("run.hlog")).expect("a log");
    assert_eq!([Measure::Dial, Measure::Answer, Measure::RoundTrip].map(|m| count(&log, m)), [20, 20, 300]);
    for (kind, count) in [("dial", 20), ("answer", 20), ("round-trip", 300)] {
        let text = scratch.read(&format!("run.{kind}.hgrm"));
        assert!(text.trim_start().starts_with("Value "), "{text}");
        assert!(text.ends_with(&format!("Total count    = {count:12}]\n")), "{text}");
    }
    assert!(!scratch.path("run.hgrm").exists(), "the plotter takes one kind from a file");
    let (code, sum) = (merge(&[&hlog, "--hgrm", &scratch.word("sum")]).code, "sum.round-trip.hgrm");
    assert_eq!((code, scratch.read(sum)), (0, scratch.read("run.round-trip.hgrm")));
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_that_cannot_be_written_is_reported_and_the_others_are_written() {
    let (node, scratch) = (node(), Scratch::new("full"));
    for (full, whole) in [("--json", ["--plot", "--hlog"]), ("--plot", ["--json", "--hlog"])] {
        let [one, other] = whole.map(|flag| scratch.word(flag));
        let files = format!("{full} /dev/full {} {one} {} {other}", whole[0], whole[1]);
        let outcome = run(node.address(), &format!("--time 0.01 --peers 5 {files}"));
        assert_eq!(outcome.code, 1);
        assert!(outcome.stderr.contains("/dev/full: No space left"), "{}", outcome.stderr);
        assert!(outcome.stdout.contains("answered 5"), "{}", outcome.stdout);
        for flag in whole {
            assert!(!scratch.read(flag).is_empty(), "{flag} beside a full {full}");
            std::fs::remove_file(scratch.path(flag)).expect("it was written");
        }
    }
}

#[test]
fn json_on_stdout_is_all_that_is_there() {
    let node = node();
    let outcome = run(node.address(), "hold --time 0.01 --peers 5 --json -");
    assert_eq!(outcome.report().counts.answered, 5);
    assert!(outcome.stdout.starts_with('{') && outcome.stdout.ends_with("}\n"), "{}", outcome.stdout);
}

#[test]
fn logs_of_several_runs_add_up() {
    let (node, scratch) = (node(), Scratch::new("merge"));
    let [a, b, sum] = ["a.hlog", "b.hlog", "sum.hlog"].map(|name| scratch.word(name));
    for (file, questions) in [(&a, 300), (&b, 41)] {
        let args = format!("ping --messages {questions} --peers 20 --hlog {file}");
        assert_eq!(run(node.address(), &args).code, 0);
    }
    let outcome = merge(&[&a, &b, "--hlog", &sum]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let row = outcome.stdout.lines().find(|line| line.contains("round-trip")).expect("a row");
    assert!(row.split_whitespace().any(|word| word == "341"), "{}", outcome.stdout);
    let log = read_log(&scratch.read("sum.hlog")).expect("a log");
    assert_eq!((count(&log, Measure::RoundTrip), count(&log, Measure::Dial)), (341, 40));
    // The file that was written gives the same table.
    assert_eq!(merge(&[&sum]).stdout, outcome.stdout);
}

#[test]
fn a_log_that_cannot_be_added_is_reported_and_the_others_are_added() {
    let (node, scratch) = (node(), Scratch::new("merge-some"));
    let [a, sum] = ["a.hlog", "sum.hlog"].map(|name| scratch.word(name));
    assert_eq!(run(node.address(), &format!("--time 0.01 --peers 5 --hlog {a}")).code, 0);
    let bad = [scratch.file("empty", ""), scratch.file("garbage", "not a log\n"), scratch.word("missing")];
    let outcome = merge(&[&bad[0], &a, &bad[1], &bad[2], &a, "--hlog", &sum]);
    assert_eq!(outcome.code, 1);
    for file in &bad {
        assert!(outcome.stderr.contains(file), "{}", outcome.stderr);
    }
    assert!(outcome.stdout.contains("dial"), "{}", outcome.stdout);
    assert_eq!(count(&read_log(&scratch.read("sum.hlog")).expect("a log"), Measure::Dial), 10);
}

#[test]
fn a_file_that_cannot_be_added_is_named() {
    let scratch = Scratch::new("no-merge");
    let table = [
        (scratch.file("garbage", "not a log\n"), "Line 1"),
        (scratch.file("empty", ""), "no times"),
        (scratch.word("missing"), "No such file"),
        (scratch.word(""), "directory"),
    ];
    for (file, word) in table {
        let outcome = merge(&[&file]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{file}");
        assert!(outcome.stderr.contains(&file) && outcome.stderr.contains(word), "{}", outcome.stderr);
    }
    let outcome = merge(&[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.contains("<FILES>"), "{}", outcome.stderr);
}

#[test]
fn a_sum_that_cannot_be_written_is_a_fault_that_names_the_file() {
    let (node, scratch) = (node(), Scratch::new("merge-nowhere"));
    let a = scratch.word("a.hlog");
    assert_eq!(run(node.address(), &format!("--time 0.01 --peers 5 --hlog {a}")).code, 0);
    let nowhere = scratch.word("missing/sum");
    let outcome = merge(&[&a, "--hlog", &nowhere]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains(&nowhere), "{}", outcome.stderr);
}
