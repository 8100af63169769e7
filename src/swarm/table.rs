//! The result of a run as a table of plain text, for the user at the terminal.
//!
//! The table has only what the scenario gives a meaning to, and only what is known. No line is longer than
//! [`REPORT_COLUMNS_MAX`], and nothing in it can move the cursor.

use super::generator::Ending;
use super::plan::{Carrier, Origin, Scenario};
use super::report::{Host, Report, TargetUse, Times};
use super::tally::Measure;
use super::units::{counted, percent, rate, seconds, size, speed, time, whole};
use crate::limits::REPORT_COLUMNS_MAX;
use std::collections::BTreeMap;
use std::fmt;

/// The width of a row's label with the spaces behind it.
const LABEL: usize = 13;

/// The width of a time in the table of times.
const CELL: usize = 10;

/// The space between two items of a row.
const GAP: &str = "   ";

/// A report, to be printed.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(pub &'a Report);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let blocks = [head(report), traffic(report), times(&report.times), machines(report), notes(report)];
        let blocks: Vec<String> = blocks.into_iter().filter(|block| !block.is_empty()).collect();
        f.write_str(&blocks.join("\n"))
    }
}

fn head(report: &Report) -> String {
    row("run", &run(report)) + &row("ended early", &ending(report.ending)) + &row("peers", &peers(report))
}

fn traffic(report: &Report) -> String {
    [
        row("connections", &connections(report)),
        row("", &failures(report)),
        row("messages", &messages(report)),
        row("", &rates(report)),
    ]
    .concat()
}

fn machines(report: &Report) -> String {
    let target = report.target.as_ref();
    [
        row("target", &target.map(cpu_of_target).unwrap_or_default()),
        row("its memory", &target.map(memory_of_target).unwrap_or_default()),
        row("generator", &generator(report)),
        row("host", &host(&report.host)),
        row("", &limits(&report.host)),
    ]
    .concat()
}

fn run(report: &Report) -> Vec<String> {
    let setup = &report.setup;
    let what = match setup.scenario {
        Scenario::Burst { rounds } => counted(rounds.into(), "round", "rounds"),
        Scenario::Churn => counted(setup.peers as u64, "connection", "connections"),
        Scenario::FanOut { rounds, origin } => {
            let origin = match origin {
                Origin::Relay => "relayed",
                Origin::Trigger => "triggered",
                Origin::Watch => "watched",
            };
            format!("{}, {origin}", counted(rounds.into(), "round", "rounds"))
        }
        Scenario::Flood { messages } => counted(messages, "message", "messages"),
        Scenario::Hold { time } => format!("for {}", seconds(time.as_secs_f64())),
        Scenario::Pace { rate: messages, time } => {
            format!(
                "{} for each peer, for {}",
                rate(messages, "message", "messages"),
                seconds(time.as_secs_f64())
            )
        }
        Scenario::Ping { rounds, active } => {
            let questions = counted(rounds, "question", "questions");
            format!("{questions} of {}", counted(active as u64, "peer", "peers"))
        }
    };
    vec![format!("{}: {what}, to {}", setup.scenario.name(), setup.target), report.program.clone()]
}

fn ending(ending: Ending) -> Vec<String> {
    match ending {
        Ending::Complete => vec![],
        Ending::Interrupted => vec!["interrupted".to_owned()],
        Ending::Late => vec!["the schedule could not be kept".to_owned()],
        Ending::Stuck => vec!["the target did nothing for too long".to_owned()],
    }
}

fn peers(report: &Report) -> Vec<String> {
    let setup = &report.setup;
    let speech = match (setup.scenario, setup.carrier) {
        (Scenario::Churn, _) => format!("{} at once", whole(setup.in_flight as u64)),
        (_, Carrier::Session) => format!("{}, as sessions", whole(setup.peers as u64)),
        (_, Carrier::Encrypted) => format!("{}, as encrypted sessions", whole(setup.peers as u64)),
        (_, Carrier::Lines) => format!("{}, as plain lines", whole(setup.peers as u64)),
    };
    items([
        Some(speech),
        setup.has_batches().then(|| format!("{} in a batch", whole(setup.batch as u64))),
        setup.has_messages().then(|| format!("{} bytes each", whole(setup.message_bytes as u64))),
        (setup.processes > 1).then(|| format!("{} processes", whole(setup.processes as u64))),
    ])
}

fn connections(report: &Report) -> Vec<String> {
    let (setup, counts) = (&report.setup, &report.counts);
    let is_churn = setup.scenario == Scenario::Churn;
    let has_sessions = setup.carrier.has_sessions() && !is_churn;
    let is_encrypted = setup.carrier == Carrier::Encrypted && !is_churn;
    let (one, other) = if is_encrypted { ("handshake", "handshakes") } else { ("", "") };
    let per_second = report.connections_per_second();
    let duration = if is_churn { report.seconds } else { report.setup_seconds };
    items([
        Some(format!("dialled {}", whole(counts.dialled))),
        Some(format!("connected {}", whole(counts.connected))),
        has_sessions.then(|| format!("answered {}", whole(counts.answered))),
        is_encrypted.then(|| format!("encrypted {}", whole(counts.encrypted))),
        Some(format!("failed {}", whole(counts.failures()))),
        (per_second > 0.0).then(|| format!("{} in {}", rate(per_second, one, other), seconds(duration))),
    ])
}

fn failures(report: &Report) -> Vec<String> {
    let failed = report.counts.failed.iter();
    failed.map(|(reason, count)| format!("{} {}", reason.replace('-', " "), whole(*count))).collect()
}

fn messages(report: &Report) -> Vec<String> {
    let counts = &report.counts;
    let is_fan_out = matches!(report.setup.scenario, Scenario::FanOut { .. });
    let of_sent = |name, count| (counts.sent > 0).then(|| format!("{name} {}", whole(count)));
    items([
        of_sent("sent", counts.sent),
        of_sent("taken", counts.taken),
        of_sent("lost", counts.lost),
        (counts.unsent > 0).then(|| format!("not sent {}", whole(counts.unsent))),
        (counts.heard > 0 || is_fan_out).then(|| format!("heard {}", whole(counts.heard))),
        (counts.odd > 0).then(|| format!("odd {}", whole(counts.odd))),
    ])
}

fn rates(report: &Report) -> Vec<String> {
    let (messages, bytes) = (report.messages_per_second(), report.bytes_per_second());
    let (one, other) = match report.setup.scenario {
        Scenario::FanOut { .. } => ("delivery", "deliveries"),
        Scenario::Ping { .. } => ("answer", "answers"),
        _ => ("message", "messages"),
    };
    items([
        (messages > 0.0).then(|| format!("{} in {}", rate(messages, one, other), seconds(report.seconds))),
        (messages > 0.0 && bytes > 0.0).then(|| speed(bytes)),
    ])
}

/// The table of times alone; empty if there are no times.
pub fn times(times: &BTreeMap<Measure, Times>) -> String {
    let counts: Vec<String> = times.values().map(|times| whole(times.count)).collect();
    let Some(widest) = counts.iter().map(String::len).max() else { return String::new() };
    let width = widest.max(CELL - 1) + 1;
    let mut table = format!("{:LABEL$}{:>width$}", "times", "count");
    for name in ["min", "p50", "p90", "p99", "p99.9", "max"] {
        table += &format!("{name:>CELL$}");
    }
    for ((measure, times), count) in times.iter().zip(&counts) {
        let Times { min, p50, p90, p99, p99_9, max, .. } = *times;
        table += &format!("\n  {:1$}{count:>width$}", measure.name(), LABEL - 2);
        for nanoseconds in [min, p50, p90, p99, p99_9, max] {
            table += &format!("{:>CELL$}", time(nanoseconds as f64));
        }
    }
    table + "\n"
}

fn cpu_of_target(target: &TargetUse) -> Vec<String> {
    items([
        Some(format!("{} ({})", target.name, target.pid)),
        (target.processes > 1).then(|| format!("{} processes", whole(target.processes as u64))),
        Some(format!("{} of CPU, {} of one", seconds(target.cpu_seconds), percent(target.cpu_share))),
        target.cpu_ns_per_message.map(|nanoseconds| format!("{} for each message", time(nanoseconds))),
        (target.cpu_setup_seconds > 0.0)
            .then(|| format!("{} while connecting", seconds(target.cpu_setup_seconds))),
        target.cpu_ns_per_handshake.map(|nanoseconds| format!("{} for each handshake", time(nanoseconds))),
    ])
}

fn memory_of_target(target: &TargetUse) -> Vec<String> {
    let known = |name, bytes| (bytes > 0).then(|| format!("{name} {}", size(bytes as f64)));
    items([
        known("before", target.memory_before),
        known("connected", target.memory_connected),
        known("after", target.memory_after),
        target.memory_per_connection.map(|bytes| {
            // The target may have shrunk, if it gave back memory that it used before the run.
            let sign = if bytes < 0.0 { "-" } else { "" };
            format!("{sign}{} for each connection", size(bytes.abs()))
        }),
    ])
}

fn generator(report: &Report) -> Vec<String> {
    let generator = &report.generator;
    let busiest = if report.setup.processes > 1 { " in its busiest process" } else { "" };
    let is_known = generator.cpu_seconds > 0.0 || generator.cpu_share > 0.0;
    items([
        is_known.then(|| {
            let share = percent(generator.cpu_share);
            format!("{} of CPU, {share} of one{busiest}", seconds(generator.cpu_seconds))
        }),
        generator.is_bottleneck.then(|| "it was the bottleneck".to_owned()),
    ])
}

fn host(host: &Host) -> Vec<String> {
    items([
        (!host.kernel.is_empty()).then(|| host.kernel.clone()),
        host.cpu.clone(),
        (host.cpus > 0).then(|| counted(host.cpus as u64, "CPU", "CPUs")),
    ])
}

fn limits(host: &Host) -> Vec<String> {
    items([
        (host.descriptors_max > 0).then(|| format!("descriptors {}", whole(host.descriptors_max))),
        host.target_descriptors_max.map(|max| format!("the target's {}", whole(max))),
        host.somaxconn.map(|max| format!("somaxconn {}", whole(max))),
        host.port_range.map(|(first, last)| format!("ports {first}-{last}")),
        (host.ports_reserved > 0).then(|| format!("{} of them reserved", whole(host.ports_reserved as u64))),
        (host.sources > 0).then(|| format!("sources {}", whole(host.sources as u64))),
    ])
}

fn items<const N: usize>(items: [Option<String>; N]) -> Vec<String> {
    items.into_iter().flatten().collect()
}

/// One label and its items, in as many lines as they need; empty if there are no items.
fn row(label: &str, items: &[String]) -> String {
    lines(label, LABEL, items.iter().map(|item| plain(item)), GAP)
}

fn notes(report: &Report) -> String {
    const NOTE: &str = "Note: ";
    let note = |remark: &String| {
        let remark = plain(remark);
        lines(NOTE, NOTE.len(), remark.split(' ').map(str::to_owned), " ")
    };
    report.remarks.iter().map(note).collect()
}

/// The text in one line and without control characters, since a process can have any name.
fn plain(text: &str) -> String {
    let letters: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Puts as many parts into a line as fit, with the label before the first line; a part that is longer than a line
/// is cut.
fn lines(label: &str, indent: usize, parts: impl Iterator<Item = String>, gap: &str) -> String {
    let width = REPORT_COLUMNS_MAX - indent;
    let mut lines: Vec<String> = Vec::new();
    for part in parts.filter(|part| !part.is_empty()) {
        let length = part.chars().count();
        match lines.last_mut() {
            Some(line) if line.chars().count() + gap.len() + length <= width => {
                *line += &(gap.to_owned() + &part)
            }
            _ => {
                let letters: Vec<char> = part.chars().collect();
                lines.extend(letters.chunks(width).map(|chunk| chunk.iter().collect::<String>()));
            }
        }
    }
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    labels.zip(lines).map(|(label, line)| format!("{label:indent$}{}\n", line.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::{full, minimal};
    use super::*;
    use std::time::Duration;

    const FULL: &str = "\
run          flood: 1,000,000 messages, to 127.0.0.1:5000   chinwag 1.2.3
ended early  interrupted
peers        1,003, as sessions   64 in a batch   42 bytes each   2 processes

connections  dialled 1,003   connected 1,001   answered 1,000   failed 3   8,130/s in 123 ms
             reset 1   timed out 2
messages     sent 1,000,000   taken 999,000   lost 1,000   heard 7   odd 1
             1,233,333 messages/s in 810 ms   51.8 MB/s

times             count       min       p50       p90       p99     p99.9       max
  dial            1,001    999 ns    501 µs    901 µs    990 µs    999 µs   1.00 ms
  answer          1,000     12 ns   3.00 ms   9.72 ms   11.8 ms   12.0 ms   12.0 ms
  round-trip     20,000   20.0 µs   11.1 ms   64.8 ms   86.3 ms   88.7 ms   88.9 ms
  exchange            1    1.23 s    1.24 s    1.24 s    1.24 s    1.24 s    1.24 s
  delivery          200      1 ns    100 ms    1.05 s    1.54 s    1.60 s    1.60 s
  to-all              3      5 ns    500 ns   50.0 ms   50.0 ms   50.0 ms   50.0 ms
  lateness            3      1 ns      2 ns      3 ns      3 ns      3 ns      3 ns

target       chinwag (4711)   801 ms of CPU, 98.9% of one   802 ns for each message
             52.0 ms while connecting
its memory   before 4.10 MiB   connected 9.54 MiB   after 10.0 MiB   5.56 KiB for each connection
generator    912 ms of CPU, 61.3% of one in its busiest process   it was the bottleneck
host         Linux 6.1.0-18-amd64   AMD EPYC 7763 64-Core Processor   4 CPUs
             descriptors 1,048,576   the target's 1,024   somaxconn 4,096   ports 32768-60999
             sources 16

Note: The generator was the bottleneck: the target could have taken more than this run gave it, so
      the rates above are those of the generator.
Note: 3 connections failed.
";

    const MINIMAL: &str = "\
run          hold: for 10.0 s, to [::1]:5000   chinwag 1.2.3
peers        1, as plain lines

connections  dialled 0   connected 0   failed 0
";

    const SCENARIOS: &str = "\
run          burst: 20 rounds, to 127.0.0.1:5000   chinwag 1.2.3
ended early  the target did nothing for too long
peers        1,003, as sessions   64 in a batch   42 bytes each   2 processes
connections  dialled 1,003   connected 1,001   answered 1,000   failed 3   8,130/s in 123 ms
             reset 1   timed out 2
messages     sent 1,000,000   taken 999,000   lost 1,000   heard 300,000   odd 1

run          churn: 1,003 connections, to 127.0.0.1:5000   chinwag 1.2.3
ended early  the target did nothing for too long
peers        128 at once   42 bytes each   2 processes
connections  dialled 1,003   connected 1,001   failed 3   1,233,333/s in 810 ms
             reset 1   timed out 2
messages     sent 1,000,000   taken 999,000   lost 1,000   heard 300,000   odd 1
             1,233,333 messages/s in 810 ms   51.8 MB/s

run          fan-out: 100 rounds, relayed, to 127.0.0.1:5000   chinwag 1.2.3
ended early  the target did nothing for too long
peers        1,003, as sessions   64 in a batch   42 bytes each   2 processes
connections  dialled 1,003   connected 1,001   answered 1,000   failed 3   8,130/s in 123 ms
             reset 1   timed out 2
messages     sent 1,000,000   taken 999,000   lost 1,000   heard 300,000   odd 1
             370,370 deliveries/s in 810 ms   86.7 kB/s

run          pace: 0.50 messages/s for each peer, for 10.0 s, to 127.0.0.1:5000   chinwag 1.2.3
ended early  the target did nothing for too long
peers        1,003, as sessions   64 in a batch   42 bytes each   2 processes
connections  dialled 1,003   connected 1,001   answered 1,000   failed 3   8,130/s in 123 ms
             reset 1   timed out 2
messages     sent 1,000,000   taken 999,000   lost 1,000   heard 300,000   odd 1
             1,233,333 messages/s in 810 ms   51.8 MB/s

run          ping: 10,000 questions of 10 peers, to 127.0.0.1:5000   chinwag 1.2.3
ended early  the target did nothing for too long
peers        1,003, as sessions   2 processes
connections  dialled 1,003   connected 1,001   answered 1,000   failed 3   8,130/s in 123 ms
             reset 1   timed out 2
messages     sent 1,000,000   taken 999,000   lost 1,000   heard 300,000   odd 1
             24,691 answers/s in 810 ms
";

    #[test]
    fn a_full_report_has_all_rows() {
        assert_eq!(Table(&full()).to_string(), FULL);
    }

    #[test]
    fn a_report_of_nothing_has_hardly_any_rows() {
        assert_eq!(Table(&minimal()).to_string(), MINIMAL);
    }

    #[test]
    fn a_scenario_has_the_rows_that_mean_something_for_it() {
        let tables = [
            Scenario::Burst { rounds: 20 },
            Scenario::Churn,
            Scenario::FanOut { rounds: 100, origin: Origin::Relay },
            Scenario::Pace { rate: 0.5, time: Duration::from_secs(10) },
            Scenario::Ping { rounds: 10_000, active: 10 },
        ]
        .map(|scenario| {
            let mut report = full();
            report.setup.scenario = scenario;
            report.ending = Ending::Stuck;
            (report.counts.heard, report.counts.delivered) = (300_000, 300_000);
            report.counts.bytes_delivered = 70_210;
            head(&report) + &traffic(&report)
        });
        assert_eq!(tables.join("\n"), SCENARIOS);
    }

    #[test]
    fn an_encrypted_run_tells_its_handshakes() {
        let mut report = full();
        (report.setup.carrier, report.counts.encrypted) = (Carrier::Encrypted, 990);
        report.target.as_mut().unwrap().cpu_ns_per_handshake = Some(512_345.0);
        let text = Table(&report).to_string();
        for wanted in [
            "peers        1,003, as encrypted sessions   64 in a batch",
            "answered 1,000   encrypted 990   failed 3\n             8,049 handshakes/s in 123 ms\n",
            "52.0 ms while connecting   512 µs for each handshake\n",
        ] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        report.setup.scenario = Scenario::Churn;
        assert!(!connections(&report).concat().contains("handshake"), "there are no sessions");
    }

    #[test]
    fn the_words_of_a_run_agree_with_its_numbers() {
        let table = [
            (Scenario::Burst { rounds: 1 }, "burst: 1 round, to"),
            (Scenario::Churn, "churn: 1 connection, to"),
            (Scenario::FanOut { rounds: 1, origin: Origin::Relay }, "fan-out: 1 round, relayed"),
            (Scenario::Flood { messages: 0 }, "flood: 0 messages, to"),
            (Scenario::Flood { messages: 1 }, "flood: 1 message, to"),
            (Scenario::Flood { messages: 2 }, "flood: 2 messages, to"),
            (Scenario::Pace { rate: 1.0, time: Duration::from_secs(1) }, "pace: 1 message/s for each peer"),
            (Scenario::Ping { rounds: 2, active: 1 }, "ping: 2 questions of 1 peer, to"),
        ];
        for (scenario, wanted) in table {
            let mut report = full();
            (report.setup.scenario, report.setup.peers, report.host.cpus) = (scenario, 1, 1);
            let text = Table(&report).to_string();
            assert!(text.contains(wanted) && text.contains("   1 CPU\n"), "{wanted}: {text}");
        }
    }

    #[test]
    fn no_line_is_too_long_and_none_moves_the_cursor() {
        let mut report = full();
        let long = "word\u{1b}[2J\r".repeat(40) + &"ö".repeat(300);
        report.program = long.clone();
        report.host.kernel = long.clone();
        report.remarks = vec![long.clone(), String::new()];
        report.target.as_mut().unwrap().name = long;
        report.setup.target = "[1111:2222:3333:4444:5555:6666:7777:8888]:65535".parse().unwrap();
        for count in [&mut report.counts.sent, &mut report.counts.taken, &mut report.counts.dialled] {
            *count = u64::MAX;
        }
        for times in report.times.values_mut() {
            *times = Times { count: u64::MAX, max: u64::MAX, p99: u64::MAX, ..times.clone() };
        }
        let failed = (0..30).map(|number| (format!("Fault{number}"), u64::from(number < 3)));
        report.counts.failed = failed.collect();
        for line in Table(&report).to_string().lines() {
            assert!(line.chars().count() <= REPORT_COLUMNS_MAX, "{line}");
            assert!(!line.contains(char::is_control) && line == line.trim_end(), "{line:?}");
        }
    }
}
