//! A run of the load generator, and its outcome.

use crate::common::program::{Program, swarm_command};
use chinwag::swarm::generator::Ending;
use chinwag::swarm::report::Report;
use chinwag::swarm::tally::Measure;
use std::fmt::Display;

/// How many peers a run has, unless a test needs fewer.
pub(crate) const PEERS: u64 = 200;

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A node that serves without a user.
pub(crate) fn node() -> Program {
    Program::node_with("N", &["--headless", "--quiet"])
}

/// Starts a run; `args` are words.
pub(crate) fn start(target: impl Display, args: &str) -> Program {
    Program::spawn(&mut swarm_command(target, args))
}

/// Starts a run, and waits until it has ended by itself.
#[track_caller]
pub(crate) fn run(target: impl Display, args: &str) -> Outcome {
    Outcome::of(start(target, args))
}

/// The report of a run of [`PEERS`], which must end well and print nothing else.
#[track_caller]
pub(crate) fn report(target: impl Display, args: &str) -> Report {
    let outcome = run(target, &format!("{} --json -", with_peers(args, PEERS)));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{args}: {}", outcome.stdout);
    let report = outcome.report();
    assert_eq!(report.ending, Ending::Complete, "{args}");
    assert!(report.counts.failed.is_empty(), "{args}: {report:?}");
    assert_eq!(report.counts.lost, 0, "{args}: {report:?}");
    report
}

/// The same run with so many peers, if its scenario has that flag.
pub(crate) fn with_peers(args: &str, peers: u64) -> String {
    if args.starts_with("churn") { args.to_owned() } else { format!("{args} --peers {peers}") }
}

impl Outcome {
    /// Waits for the end of the program and of all that it has started.
    #[track_caller]
    pub(crate) fn of(mut program: Program) -> Self {
        let stdout = program.stdout.rest();
        let code = program.wait();
        let stderr = String::from_utf8(program.stderr.bytes()).expect("UTF-8");
        Self { code, stdout, stderr }
    }

    /// The JSON on stdout.
    #[track_caller]
    pub(crate) fn report(&self) -> Report {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// How many times of a kind were measured.
pub(crate) fn taken(report: &Report, measure: Measure) -> u64 {
    let times = report.times.get(&measure);
    if let Some(times) = times {
        assert_eq!(times.to_histogram().expect("a histogram").len(), times.count, "{measure:?}");
    }
    times.map_or(0, |times| times.count)
}
