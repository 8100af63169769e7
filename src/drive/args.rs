//! The command line of `chinwag swarm`.

use chinwag::proto::message::parse_address;
use chinwag::swarm::plan::{Carrier, Origin, Plan, Scenario};
use clap::{Args, Subcommand, ValueEnum};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  chinwag swarm 127.0.0.1:8080 --peers 10000
  chinwag swarm 127.0.0.1:8080 flood --peers 1000 --messages 5000000 --batch 16 --pid 4711
  chinwag swarm 127.0.0.1:8080 pace --peers 1000 --pace 10 --time 30 --plot pace.svg
  chinwag swarm 127.0.0.1:8080 churn --messages 100000 --json churn.json
  chinwag swarm 127.0.0.1:8080 fan-out --peers 1000 --trigger node.fifo
  chinwag swarm merge a.hgrm b.hgrm

Exit codes: 0 all went as planned, 1 something failed or was lost, 2 wrong usage or a limit that would
stop the run, 130 interrupted.";

/// Benchmark a node, ours or another program's, with many concurrent peers
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct SwarmArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SwarmCommand>,

    /// Where the target listens
    #[arg(value_name = "IP:PORT", value_parser = parse_target, required = true)]
    pub(crate) target: Option<SocketAddr>,

    /// What to do to it
    #[arg(default_value = "hold")]
    pub(crate) scenario: ScenarioName,

    /// Peers at once
    #[arg(long, value_name = "N", default_value = "1000", value_parser = parse_count)]
    pub(crate) peers: usize,

    /// Messages of all peers together (flood, churn), or questions (ping)
    #[arg(long, value_name = "M", default_value = "100000", value_parser = parse_count)]
    pub(crate) messages: usize,

    /// Messages in one write (flood, pace, burst), or awaited in one round (fan-out)
    #[arg(long, value_name = "B", default_value = "1", value_parser = parse_small)]
    pub(crate) batch: usize,

    /// Bytes in a message, its newline included
    #[arg(long, value_name = "BYTES", default_value = "64", value_parser = parse_length)]
    pub(crate) length: usize,

    /// How long to hold or to pace, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) time: Duration,

    /// Messages of each peer in a second (pace)
    #[arg(long, value_name = "R", default_value = "1", value_parser = parse_rate)]
    pub(crate) pace: f64,

    /// Rounds (burst, fan-out)
    #[arg(long, value_name = "N", default_value = "30", value_parser = parse_rounds)]
    pub(crate) rounds: u32,

    /// Peers that ask; the others are silent (ping)
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_count)]
    pub(crate) active: usize,

    /// Lines without a greeting, for targets that know no sessions
    #[arg(long)]
    pub(crate) lines: bool,

    /// The target sends every line back: that is the answer
    #[arg(long, requires = "lines")]
    pub(crate) echo: bool,

    /// The target passes the first peer's messages on to all others (fan-out)
    #[arg(long, conflicts_with = "trigger")]
    pub(crate) relay: bool,

    /// A pipe that is the target's stdin: menu choice 5 is typed there for each message (fan-out)
    #[arg(long, value_name = "FILE")]
    pub(crate) trigger: Option<PathBuf>,

    /// Dials begun in a second [default: as fast as they succeed]
    #[arg(long, value_name = "N", value_parser = parse_rate)]
    pub(crate) rate: Option<f64>,

    /// Dials under way at once, or connections (churn)
    #[arg(long, value_name = "K", default_value = "64", value_parser = parse_count)]
    pub(crate) in_flight: usize,

    /// An address to dial from; repeat it for more [default: 64 of 127.0.0.0/8 where the target is there]
    #[arg(long = "source", value_name = "IP", value_delimiter = ',')]
    pub(crate) sources: Vec<IpAddr>,

    /// Processes that share the work, where one has too few descriptors or too little CPU
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_processes)]
    pub(crate) processes: usize,

    /// How long a dial may take, and how long the target may do nothing, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) timeout: Duration,

    /// The target's process on this host: its CPU time and memory are reported; burst stops and resumes it
    #[arg(long, value_name = "PID", required_if_eq("scenario", "burst"), value_parser = parse_pid)]
    pub(crate) pid: Option<u32>,

    /// Write the report as JSON; - is stdout, instead of the table
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Draw throughput over time and latency percentiles
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,

    /// Write the latencies in HdrHistogram's log format
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,

    /// Allow a target that is not on this host's loopback, after asking
    #[arg(long)]
    pub(crate) allow_remote: bool,

    /// The answer to that question
    #[arg(long, requires = "allow_remote")]
    pub(crate) yes: bool,

    /// Be one of several processes: carry out this plan, wait for go on stdin, report on stdout
    #[arg(long, hide = true, value_name = "PLAN", value_parser = parse_plan)]
    pub(crate) worker: Option<Plan>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SwarmCommand {
    /// Add up histogram logs of several runs or machines, and print their percentiles
    Merge {
        /// Files that --hgrm wrote
        #[arg(required = true)]
        files: Vec<PathBuf>,

        /// Write the sum as a log of its own
        #[arg(long, value_name = "FILE")]
        hgrm: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScenarioName {
    /// Connected and silent, for --time
    Hold,
    /// --messages, as fast as they are taken
    Flood,
    /// --pace messages a second of each peer, for --time; a late one counts from when it was due
    Pace,
    /// One plain message for each connection, --messages times
    Churn,
    /// A message of the target to all, --rounds times
    FanOut,
    /// --messages questions, each asked when the one before was answered
    Ping,
    /// The target is stopped, given --batch messages by each peer and let go, --rounds times
    Burst,
}

impl SwarmArgs {
    /// What one process is to do. `share`: its number, of how many.
    pub(crate) fn plan(&self, target: SocketAddr, share: (usize, usize)) -> Plan {
        let (number, processes) = share;
        let part = |all: usize| all / processes + usize::from(number < all % processes);
        let is_churn = self.scenario == ScenarioName::Churn;
        let population = if is_churn { self.messages } else { self.peers };
        let before: usize = (0..number)
            .map(|earlier| population / processes + usize::from(earlier < population % processes))
            .sum();
        let sources =
            if self.sources.is_empty() { Plan::default_sources(target.ip()) } else { self.sources.clone() };
        Plan {
            target,
            scenario: self.scenario(part(self.messages)),
            carrier: if self.lines { Carrier::Lines } else { Carrier::Session },
            peers: part(population),
            first_peer: before,
            sources,
            batch: if is_churn { 1 } else { self.batch },
            message_bytes: self.length,
            in_flight: self.in_flight,
            dials_per_second: self.rate.map(|rate| rate / processes as f64),
            timeout: self.timeout,
            is_echoed: self.echo,
        }
    }

    fn scenario(&self, messages: usize) -> Scenario {
        match self.scenario {
            ScenarioName::Burst => Scenario::Burst { rounds: self.rounds + BURST_WARM_UP_ROUNDS },
            ScenarioName::Churn => Scenario::Churn,
            ScenarioName::FanOut => Scenario::FanOut { rounds: self.rounds, origin: self.origin() },
            ScenarioName::Flood => Scenario::Flood { messages: messages as u64 },
            ScenarioName::Hold => Scenario::Hold { time: self.time },
            ScenarioName::Pace => Scenario::Pace { rate: self.pace, time: self.time },
            ScenarioName::Ping => Scenario::Ping { rounds: messages as u64, active: self.active },
        }
    }

    fn origin(&self) -> Origin {
        match (self.relay, &self.trigger) {
            (true, _) => Origin::Relay,
            (_, Some(_)) => Origin::Trigger,
            _ => Origin::Watch,
        }
    }
}

/// Rounds of a burst that are not counted: a new connection acknowledges its first segments at once, and
/// only then does it behave as it will for the rest of its life.
pub(crate) const BURST_WARM_UP_ROUNDS: u32 = 20;

fn parse_target(target: &str) -> Result<SocketAddr, String> {
    parse_address(target)
        .ok_or_else(|| "a target is IP:PORT, such as 127.0.0.1:8080 or [::1]:8080".to_owned())
}

fn parse_in<T: std::str::FromStr + PartialOrd + std::fmt::Display>(
    text: &str,
    least: T,
    most: T,
) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| *number >= least && *number <= most);
    number.ok_or_else(|| format!("a number from {least} to {most}"))
}

fn parse_count(text: &str) -> Result<usize, String> {
    parse_in(text, 1, 1_000_000_000)
}

fn parse_small(text: &str) -> Result<usize, String> {
    parse_in(text, 1, 65_536)
}

fn parse_length(text: &str) -> Result<usize, String> {
    parse_in(text, 16, 65_536)
}

fn parse_rounds(text: &str) -> Result<u32, String> {
    parse_in(text, 1, 1_000_000)
}

fn parse_processes(text: &str) -> Result<usize, String> {
    parse_in(text, 1, 1_024)
}

fn parse_pid(text: &str) -> Result<u32, String> {
    parse_in(text, 1, i32::MAX as u32)
}

fn parse_rate(text: &str) -> Result<f64, String> {
    parse_in(text, 0.001, 1e9)
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    parse_in(text, 0.001, 86_400.0).map(Duration::from_secs_f64)
}

fn parse_plan(text: &str) -> Result<Plan, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
