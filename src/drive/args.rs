//! The command line of `chinwag swarm`, and what it means for each process of a run.

use super::given::Given;
use crate::endpoint::{Endpoint, parse_endpoint};
use chinwag::limits::{
    BURST_WARM_UP_ROUNDS, LINE_BYTES_MAX, SWARM_BATCH_MAX, SWARM_COUNT_MAX, SWARM_LENGTH_DEFAULT,
    SWARM_MESSAGE_BYTES_MIN, SWARM_PROCESSES_MAX, SWARM_RATES, SWARM_ROUNDS_MAX, SWARM_SECONDS,
    SWARM_WARM_UP_MAX, SWARM_WRITE_BYTES_MAX,
};
use chinwag::swarm::plan::{Carrier, Origin, Plan, Scenario};
use clap::{Args, Subcommand, ValueEnum};
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

// As in the examples of the chat, a paragraph is one line.
const EXAMPLES: &str = "\
Examples:
  chinwag swarm 127.0.0.1:8080 --peers 10000
  chinwag swarm 127.0.0.1:8080 flood --batch 16 --pid 4711
  chinwag swarm 127.0.0.1:8080 pace --time 30 --plot p.svg
  chinwag swarm 127.0.0.1:8080 churn --json churn.json
  chinwag swarm 127.0.0.1:8080 burst --secure --pid 4711
  chinwag swarm 127.0.0.1:8080 fan-out --trigger node.fifo
  chinwag swarm merge a.hlog b.hlog

Exit codes: 0 all went as planned; 1 something failed, was lost or was not sent; 2 wrong usage, or a limit would stop \
the run; 130 interrupted. An interrupt ends the run within a tenth of a second, whatever the target does, and prints \
the numbers so far. A second interrupt ends the program at once.";

const LOAD: &str = "Load";
const CONNECTIONS: &str = "Connections";
const TARGET: &str = "Target";
const RESULTS: &str = "Results";

/// Benchmark a node, ours or another program's, with many concurrent peers
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct SwarmArgs {
    // This field comes first, because the others take their values out of the matches.
    #[command(flatten)]
    pub(super) given: Given,

    #[command(subcommand)]
    pub(crate) command: Option<SwarmCommand>,

    /// Where the target listens; a HOST:PORT is looked up once
    #[arg(value_name = "IP:PORT", value_parser = parse_endpoint, required = true)]
    pub(crate) target: Option<Endpoint>,

    /// What the peers do
    #[arg(default_value = "hold")]
    pub(crate) scenario: ScenarioName,

    /// Peers that are connected at the same time (all but churn, which has --in-flight)
    #[arg(long, value_name = "N", default_value = "1000", value_parser = parse_count, help_heading = LOAD)]
    pub(crate) peers: usize,

    /// Messages that all peers together send (flood, churn), or questions that they ask (ping)
    #[arg(long, value_name = "M", default_value = "100000", value_parser = parse_count, help_heading = LOAD)]
    pub(crate) messages: usize,

    /// Messages in one write (flood, pace, burst) or in one round (fan-out)
    #[arg(long, value_name = "B", default_value = "1", value_parser = parse_batch, help_heading = LOAD)]
    pub(crate) batch: usize,

    /// Bytes in a message, its newline included; fan-out uses it only with --relay or --trigger
    #[arg(long, value_name = "BYTES", default_value_t = SWARM_LENGTH_DEFAULT, value_parser = parse_length, help_heading = LOAD)]
    pub(crate) length: usize,

    /// How long the run lasts, in seconds (hold, pace)
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds, help_heading = LOAD)]
    pub(crate) time: Duration,

    /// Messages that each peer sends in a second (pace)
    #[arg(long, value_name = "R", default_value = "1", value_parser = parse_rate, help_heading = LOAD)]
    pub(crate) pace: f64,

    /// Rounds that are counted (burst, fan-out)
    #[arg(long, value_name = "N", default_value = "30", value_parser = parse_rounds, help_heading = LOAD)]
    pub(crate) rounds: u32,

    /// Rounds at the start that are not counted (burst)
    #[arg(long, value_name = "N", default_value_t = BURST_WARM_UP_ROUNDS,
        value_parser = parse_warm_up, help_heading = LOAD)]
    pub(crate) warm_up: u32,

    /// Peers that ask questions; the others are silent (ping)
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_count, help_heading = LOAD)]
    pub(crate) active: usize,

    /// Dials that begin in a second; a late dial is timed from its planned start [default: as fast as they
    /// succeed]
    #[arg(long, value_name = "N", value_parser = parse_rate, help_heading = CONNECTIONS)]
    pub(crate) rate: Option<f64>,

    /// Dials that are under way at the same time; for churn, connections
    #[arg(
        long,
        value_name = "K",
        default_value = "64",
        value_parser = parse_count,
        help_heading = CONNECTIONS
    )]
    pub(crate) in_flight: usize,

    /// An address to dial from; repeat the flag for more [default: 64 addresses of 127.0.0.0/8 if the target is in
    /// that network]
    #[arg(long = "source", value_name = "IP", value_delimiter = ',', help_heading = CONNECTIONS)]
    pub(crate) sources: Vec<IpAddr>,

    /// Processes that share the work, if one can open too few files or has too little CPU
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        value_parser = parse_processes,
        help_heading = CONNECTIONS
    )]
    pub(crate) processes: usize,

    /// How long a dial may take, and how long the target may do nothing, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "10",
        value_parser = parse_seconds,
        help_heading = CONNECTIONS
    )]
    pub(crate) timeout: Duration,

    /// Encrypt every session: the target must offer it, and each peer has a key of its own (all but churn, whose
    /// connections are no sessions)
    #[arg(long, help_heading = TARGET)]
    pub(crate) secure: bool,

    /// The number that the keys of the peers are made of; peers of the same number have the same keys again. Needs
    /// --secure
    #[arg(long, value_name = "N", default_value = "1", requires = "secure", help_heading = TARGET)]
    pub(crate) seed: u64,

    /// Send lines without a greeting, for targets that do not speak chinwag's protocol
    #[arg(long, help_heading = TARGET)]
    pub(crate) lines: bool,

    /// The target sends every line back, and that is the answer (flood, pace, ping). Implies --lines
    #[arg(long, help_heading = TARGET)]
    pub(crate) echo: bool,

    /// The target passes the first peer's messages on to all others (fan-out)
    #[arg(long, conflicts_with = "trigger", help_heading = TARGET)]
    pub(crate) relay: bool,

    /// A named pipe that is the target's stdin: the run types menu choice 5 there for each message (fan-out). A
    /// target that was started with <>FILE goes on after the run. Without this flag or --relay, type the messages
    /// yourself
    #[arg(long, value_name = "FILE", help_heading = TARGET)]
    pub(crate) trigger: Option<PathBuf>,

    /// The target's process on this host. The report has its CPU time and memory, with those of the processes that
    /// it started; burst stops and resumes it. A process that does not hold the listening socket is refused, unless
    /// you give the flag twice; burst always refuses it
    #[arg(
        long,
        value_name = "PID",
        required_if_eq("scenario", "burst"),
        value_parser = parse_pid,
        help_heading = TARGET
    )]
    pub(crate) pid: Vec<u32>,

    /// Allow a target that is not on this host's loopback; the program asks first
    #[arg(long, help_heading = TARGET)]
    pub(crate) allow_remote: bool,

    /// Answer yes to the question of --allow-remote
    #[arg(long, requires = "allow_remote", help_heading = TARGET)]
    pub(crate) yes: bool,

    /// Write the report as JSON; with - it goes to stdout instead of the table
    #[arg(long, value_name = "FILE", help_heading = RESULTS)]
    pub(crate) json: Option<PathBuf>,

    /// Draw throughput over time and latency percentiles, as SVG
    #[arg(long, value_name = "FILE.svg", help_heading = RESULTS)]
    pub(crate) plot: Option<PathBuf>,

    /// Write the latencies as an interval log of HdrHistogram; merge adds such logs up
    #[arg(long, value_name = "FILE.hlog", help_heading = RESULTS)]
    pub(crate) hlog: Option<PathBuf>,

    /// Write the percentiles for HdrHistogram's plotter, one file for each kind of time: FILE.dial.hgrm and so on
    #[arg(long, value_name = "FILE.hgrm", help_heading = RESULTS)]
    pub(crate) hgrm: Option<PathBuf>,

    /// Run as one of several processes: carry out this plan, wait for go on stdin, report on stdout
    #[arg(long, hide = true, value_name = "PLAN", value_parser = parse_plan)]
    pub(crate) worker: Option<Plan>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SwarmCommand {
    /// Add up histogram logs of several runs or machines, and print their percentiles
    Merge {
        /// Files that --hlog wrote
        #[arg(required = true)]
        files: Vec<PathBuf>,

        /// Write the sum as a log
        #[arg(long, value_name = "FILE.hlog")]
        hlog: Option<PathBuf>,

        /// Write the percentiles of the sum, one file for each kind of time: FILE.dial.hgrm and so on
        #[arg(long, value_name = "FILE.hgrm")]
        hgrm: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScenarioName {
    /// The peers stay connected and silent for --time
    Hold,
    /// The peers send --messages as fast as the target reads them
    Flood,
    /// Each peer sends --pace messages a second for --time; a late message is timed from its planned start
    Pace,
    /// A peer connects, sends one message and disconnects, --messages times
    Churn,
    /// The target sends a message to all peers, --rounds times
    FanOut,
    /// The peers ask --messages questions, each when the one before was answered
    Ping,
    /// The target is stopped, each peer sends --batch messages, and the target goes on, --rounds times
    Burst,
}

/// Writes the scenario's name on the command line.
impl fmt::Display for ScenarioName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().expect("a scenario that can be asked for").get_name())
    }
}

impl SwarmArgs {
    /// Whether this is a worker: one of several processes that another process directs.
    pub(crate) const fn is_worker(&self) -> bool {
        self.worker.is_some()
    }

    /// The plan of one process. `place`: its number, and the number of processes.
    pub(crate) fn plan(&self, target: SocketAddr, place: (usize, usize)) -> Plan {
        let (number, processes) = place;
        let is_churn = self.scenario == ScenarioName::Churn;
        let population = if is_churn { self.messages } else { self.peers };
        let sources = match self.sources() {
            none if none.is_empty() => Plan::default_sources(target.ip()),
            some => some,
        };
        Plan {
            target,
            scenario: self.scenario(place),
            carrier: self.carrier(),
            peers: share(population, place),
            first_peer: (0..number).map(|earlier| share(population, (earlier, processes))).sum(),
            sources,
            batch: if is_churn { 1 } else { self.batch },
            message_bytes: self.length,
            in_flight: share(self.in_flight, place).max(1),
            dials_per_second: self.rate.map(|rate| rate / processes as f64),
            timeout: self.timeout,
            is_echoed: self.echo,
            seed: self.seed,
        }
    }

    fn carrier(&self) -> Carrier {
        match (self.lines || self.echo, self.secure) {
            (true, _) => Carrier::Lines,
            (false, true) => Carrier::Encrypted,
            (false, false) => Carrier::Session,
        }
    }

    /// The addresses to dial from, each once: from an address that is there twice, two peers would claim the same
    /// one.
    fn sources(&self) -> Vec<IpAddr> {
        let mut seen = BTreeSet::new();
        self.sources.iter().map(IpAddr::to_canonical).filter(|&ip| seen.insert(ip)).collect()
    }

    fn scenario(&self, place: (usize, usize)) -> Scenario {
        let (number, processes) = place;
        match self.scenario {
            ScenarioName::Burst => Scenario::Burst { rounds: self.rounds + self.warm_up },
            ScenarioName::Churn => Scenario::Churn,
            ScenarioName::FanOut => Scenario::FanOut { rounds: self.rounds, origin: self.origin() },
            ScenarioName::Flood => Scenario::Flood { messages: share(self.messages, place) as u64 },
            ScenarioName::Hold => Scenario::Hold { time: self.time },
            ScenarioName::Pace => Scenario::Pace { rate: self.pace, time: self.time },
            ScenarioName::Ping => {
                // The first processes have peers that ask; the others have only silent peers.
                let asking = processes.min(self.active);
                let rounds = if number < asking { share(self.messages, (number, asking)) } else { 0 };
                Scenario::Ping { rounds: rounds as u64, active: share(self.active, place) }
            }
        }
    }

    fn origin(&self) -> Origin {
        match (self.relay, &self.trigger) {
            (true, _) => Origin::Relay,
            (_, Some(_)) => Origin::Trigger,
            _ => Origin::Watch,
        }
    }

    /// A sentence for each fault in the names of the files to write.
    fn wrong_files(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(plot) = &self.plot
            && plot.extension().is_some_and(|kind| !kind.eq_ignore_ascii_case("svg"))
        {
            wrong.push(format!(
                "--plot draws SVG: the name {} must end in .svg or have no ending",
                plot.display()
            ));
        }
        let files = [("--json", &self.json), ("--plot", &self.plot), ("--hgrm", &self.hgrm)];
        let files = files.map(|(flag, file)| (flag, file.as_deref().unwrap_or(Path::new(""))));
        let is_stdout = |&&(flag, file): &&(&str, &Path)| flag != "--json" && file == Path::new("-");
        wrong.extend(
            files
                .iter()
                .filter(is_stdout)
                .map(|(flag, _)| format!("{flag} needs a file: only --json can be written to stdout")),
        );
        // A device can be written to several times.
        let is_file = |file: &Path| !file.as_os_str().is_empty() && file != "-" && !file.starts_with("/dev");
        for (place, (flag, file)) in files.iter().enumerate().filter(|(_, (_, file))| is_file(file)) {
            let others = files[..place].iter().filter(|(_, other)| other == file);
            wrong.extend(
                others
                    .map(|(other, _)| format!("{other} and {flag} cannot both write to {}", file.display())),
            );
        }
        wrong
    }

    /// Whether a whole batch is written at once, by a peer or to the target's stdin.
    fn writes_batches(&self) -> bool {
        match self.scenario {
            ScenarioName::Burst | ScenarioName::Flood | ScenarioName::Pace => true,
            ScenarioName::FanOut => self.origin() != Origin::Watch,
            ScenarioName::Churn | ScenarioName::Hold | ScenarioName::Ping => false,
        }
    }

    /// A sentence for each contradiction between the flags. `whole`: the plan of all processes together.
    pub(crate) fn contradictions(&self, whole: &Plan) -> Vec<String> {
        let is_fan_out = self.scenario == ScenarioName::FanOut;
        let is_ping = self.scenario == ScenarioName::Ping;
        let has_origin = self.relay || self.trigger.is_some();
        let sources_differ = whole.sources.iter().any(|ip| ip.is_ipv4() != whole.target.is_ipv4());
        let is_source_open = whole.sources.iter().any(IpAddr::is_unspecified);
        let message_bytes_min = message_bytes_min(whole);
        let table = [
            (
                is_fan_out && self.processes > 1 && has_origin,
                "--relay and --trigger need one process, which knows when every peer has the message"
                    .to_owned(),
            ),
            (
                is_fan_out && self.relay && self.peers < 2,
                "--relay needs at least two peers: the first one sends, and the others receive".to_owned(),
            ),
            (
                is_fan_out && !has_origin && self.given.has("length"),
                "--length has no effect if something else makes the target send; it is for --relay and --trigger"
                    .to_owned(),
            ),
            (
                is_ping && self.lines && !self.echo,
                "ping needs answers: leave out --lines, or add --echo if the target sends every line back"
                    .to_owned(),
            ),
            (
                self.secure && (self.lines || self.echo),
                "--secure is for sessions: leave out --lines and --echo, whose peers make none".to_owned(),
            ),
            (is_ping && self.active > self.peers, "--active must not be more than --peers".to_owned()),
            (
                self.processes > whole.peers,
                format!(
                    "--processes must not be more than {}",
                    if whole.scenario == Scenario::Churn { "--messages" } else { "--peers" }
                ),
            ),
            (
                is_source_open,
                "--source must be one address of this host; 0.0.0.0 and :: stand for all of them".to_owned(),
            ),
            (sources_differ, "--source and the target must be of the same kind, IPv4 or IPv6".to_owned()),
            (
                !is_ping && self.scenario != ScenarioName::Hold && self.length < message_bytes_min,
                format!(
                    "--length {} is too short: with its header a message has at least {message_bytes_min} bytes",
                    self.length
                ),
            ),
            (
                self.writes_batches() && self.batch * self.length > SWARM_WRITE_BYTES_MAX,
                format!(
                    "--batch {} with --length {} makes writes of {} MiB, and the most is {} MiB: use a smaller \
                     --batch or --length",
                    self.batch,
                    self.length,
                    (self.batch * self.length).div_ceil(1 << 20),
                    SWARM_WRITE_BYTES_MAX >> 20
                ),
            ),
        ];
        let told = table.into_iter().filter(|(is_so, _)| *is_so).map(|(_, why)| why);
        self.given.in_vain(self.scenario).chain(told).chain(self.wrong_files()).collect()
    }
}

/// The part of one process, by its number and the number of processes. The parts add up to the whole, and no two
/// differ by more than one.
fn share(all: usize, (number, processes): (usize, usize)) -> usize {
    all / processes + usize::from(number < all % processes)
}

/// The length of the shortest message that every peer can send, with its newline. If the system chooses the source
/// address, the longest possible one counts.
fn message_bytes_min(whole: &Plan) -> usize {
    let longest = whole.sources.iter().map(|ip| ip.to_string().len()).max();
    let address = longest.unwrap_or(if whole.target.is_ipv4() { "255.255.255.255".len() } else { 39 });
    let brackets = if whole.target.is_ipv4() { 0 } else { "[]".len() };
    let name = format!("p{}", whole.peers - 1).len();
    address + brackets + ":65535".len() + 1 + name + " m\n".len()
}

fn parse_in<T: std::str::FromStr + PartialOrd + std::fmt::Display>(
    text: &str,
    least: T,
    most: T,
) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| *number >= least && *number <= most);
    number.ok_or_else(|| format!("it must be a number from {least} to {most}"))
}

fn parse_count(text: &str) -> Result<usize, String> {
    parse_in(text, 1, SWARM_COUNT_MAX)
}

fn parse_batch(text: &str) -> Result<usize, String> {
    parse_in(text, 1, SWARM_BATCH_MAX)
}

fn parse_length(text: &str) -> Result<usize, String> {
    parse_in(text, SWARM_MESSAGE_BYTES_MIN, LINE_BYTES_MAX)
}

fn parse_rounds(text: &str) -> Result<u32, String> {
    parse_in(text, 1, SWARM_ROUNDS_MAX)
}

fn parse_warm_up(text: &str) -> Result<u32, String> {
    parse_in(text, 0, SWARM_WARM_UP_MAX)
}

fn parse_processes(text: &str) -> Result<usize, String> {
    parse_in(text, 1, SWARM_PROCESSES_MAX)
}

fn parse_pid(text: &str) -> Result<u32, String> {
    parse_in(text, 1, i32::MAX as u32)
}

fn parse_rate(text: &str) -> Result<f64, String> {
    parse_in(text, SWARM_RATES.0, SWARM_RATES.1)
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    parse_in(text, SWARM_SECONDS.0, SWARM_SECONDS.1).map(Duration::from_secs_f64)
}

fn parse_plan(text: &str) -> Result<Plan, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        swarm: SwarmArgs,
    }

    fn target() -> SocketAddr {
        "127.0.0.1:5000".parse().unwrap()
    }

    fn parse(line: &str) -> SwarmArgs {
        let words = ["swarm", "127.0.0.1:5000"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).swarm
    }

    /// The flags of the table in the guide to the load generator, from the first column of each row.
    fn flags_of_the_guide() -> Vec<&'static str> {
        let guide = include_str!("../../docs/benchmark.md");
        let (_, rest) = guide.split_once("\n| flag |").expect("a table of flags");
        let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
        let columns = rows.filter_map(|row| row.split('|').nth(1));
        columns
            .flat_map(|column| column.split([' ', '`', ',']).filter(|word| word.starts_with("--")))
            .collect()
    }

    #[test]
    fn the_guide_has_a_row_for_each_flag_and_a_flag_for_each_row() {
        let command = Line::command();
        let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
        let flags = shown.filter_map(clap::Arg::get_long).map(|name| format!("--{name}"));
        let (mut flags, mut rows) = (flags.collect::<Vec<_>>(), flags_of_the_guide());
        flags.sort();
        rows.sort();
        assert_eq!(flags, rows);
    }

    /// The sum of the parts of all processes.
    fn sum(args: &SwarmArgs, processes: usize) -> (usize, u64, usize, usize) {
        let mut sum = (0, 0, 0, 0);
        for number in 0..processes {
            let plan = args.plan(target(), (number, processes));
            assert_eq!(plan.first_peer, sum.0, "peers follow on one another");
            let (messages, active) = match plan.scenario {
                Scenario::Flood { messages } => (messages, 0),
                Scenario::Ping { rounds, active } => (rounds, active),
                _ => (0, 0),
            };
            assert_eq!(messages > 0 && active == 0, messages > 0 && args.scenario != ScenarioName::Ping);
            sum = (sum.0 + plan.peers, sum.1 + messages, sum.2 + active, sum.3 + plan.in_flight);
        }
        sum
    }

    #[test]
    fn the_parts_of_all_processes_add_up_to_the_whole() {
        let table = [
            ("hold --peers 1000", (1000, 0, 0, 64)),
            ("hold --peers 7 --in-flight 100", (7, 0, 0, 100)),
            ("flood --peers 200 --messages 1001", (200, 1001, 0, 64)),
            ("flood --peers 200 --messages 1001 --batch 10", (200, 1001, 0, 64)),
            ("ping --peers 200 --messages 1001", (200, 1001, 1, 64)),
            ("ping --peers 200 --messages 1001 --active 5", (200, 1001, 5, 64)),
            ("churn --messages 1001", (1001, 0, 0, 64)),
        ];
        for (line, whole) in table {
            for processes in 1..=7 {
                assert_eq!(sum(&parse(line), processes), whole, "{line} by {processes}");
            }
        }
    }

    #[test]
    fn each_process_dials_at_its_part_of_the_rate_and_at_least_one_at_once() {
        let plan = parse("--rate 100 --in-flight 2").plan(target(), (3, 4));
        assert_eq!((plan.dials_per_second, plan.in_flight), (Some(25.0), 1));
    }

    #[test]
    fn a_source_that_is_named_twice_counts_once() {
        let args = parse("--source 127.0.0.2,127.0.0.1 --source 127.0.0.1 --source ::ffff:127.0.0.2");
        let sources = args.plan(target(), (0, 1)).sources;
        assert_eq!(sources, [[127, 0, 0, 2], [127, 0, 0, 1]].map(IpAddr::from));
    }

    #[test]
    fn flags_that_contradict_each_other_are_reported() {
        let table = [
            ("fan-out --relay --processes 2", "need one process"),
            ("fan-out --trigger x --processes 2", "need one process"),
            ("fan-out --relay --peers 1", "two peers"),
            ("flood --relay", "fan-out"),
            ("hold --trigger x", "fan-out"),
            ("ping --lines", "--echo"),
            ("ping --peers 2 --active 3", "--active"),
            ("hold --peers 2 --processes 3", "than --peers"),
            ("churn --messages 2 --processes 3", "than --messages"),
            ("hold --source ::1", "the same kind"),
            ("hold --source 127.0.0.1,0.0.0.0", "stand for all of them"),
            ("flood --length 23", "at least 24 bytes"),
            ("flood --batch 65536 --length 65", "writes of 5 MiB, and the most is 4 MiB"),
            ("fan-out --trigger x --batch 65536 --length 65", "writes of"),
            ("--plot x.png", "x.png must end in .svg"),
            ("--plot -", "--plot needs a file"),
            ("--hgrm -", "--hgrm needs a file"),
            ("--json x --hgrm x", "--json and --hgrm cannot both write to x"),
            ("flood --time 5", "--time has no effect in flood; it is for hold and pace"),
            ("--messages 5", "--messages has no effect in hold; it is for flood, churn and ping"),
            ("pace --messages 10", "for flood, churn and ping"),
            ("flood --pace 10", "it is for pace"),
            ("churn --peers 10", "it is for hold, flood, pace, fan-out, ping and burst"),
            ("churn --batch 1", "--batch has no effect in churn"),
            ("hold --length 64", "--length has no effect in hold"),
            ("ping --rounds 30", "it is for fan-out and burst"),
            ("fan-out --warm-up 20", "--warm-up has no effect in fan-out; it is for burst"),
            ("flood --active 1", "it is for ping"),
            ("hold --echo", "it is for flood, pace and ping"),
            ("fan-out --length 64", "it is for --relay and --trigger"),
            (
                "churn --secure",
                "--secure has no effect in churn; it is for hold, flood, pace, fan-out, ping and burst",
            ),
            ("hold --secure --lines", "--secure is for sessions"),
            ("flood --secure --echo", "--secure is for sessions"),
        ];
        for (line, word) in table {
            let args = parse(line);
            let told = args.contradictions(&args.plan(target(), (0, 1)));
            assert!(told.len() == 1 && told[0].contains(word), "{line}: {told:?}");
        }
    }

    #[test]
    fn flags_that_do_not_contradict_each_other_are_accepted() {
        let table = [
            "fan-out --relay --peers 2 --length 22",
            "fan-out --processes 2",
            "ping --lines --echo",
            "ping --echo",
            "ping --processes 3",
            "hold --plot x.SVG --json x",
            "hold --plot x --json - --hgrm y.svg",
            "hold --json /dev/null --plot /dev/null",
            "hold --peers 1000 --time 10 --lines",
            "hold --peers 3 --processes 3",
            "churn --messages 3 --processes 3",
            "flood --source 127.0.0.9 --length 64",
            "flood --batch 65536",
            "fan-out --batch 65536",
            "hold --secure --seed 7",
            "fan-out --secure --relay",
        ];
        for line in table {
            let args = parse(line);
            assert_eq!(args.contradictions(&args.plan(target(), (0, 1))), Vec::<String>::new(), "{line}");
        }
    }
}
