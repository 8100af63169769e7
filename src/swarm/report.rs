//! The result of a run as it is kept: everything needed to judge the numbers stands beside them.
//!
//! Serializable both ways, so that reports of several generators add up to one. What its driver knows and
//! the generator cannot, such as the target's process and the host, is filled in by the driver.

use super::generator::Ending;
use super::plan::{Carrier, Plan, Scenario};
use super::tally::{Counts, Measure, Tally, Timeline};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The version of the form of a report; it changes when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The program and its version.
    pub program: String,
    /// When the run began, in seconds since 1970.
    pub began_at: u64,
    /// What was done.
    pub setup: Setup,
    /// How it ended.
    pub ending: Ending,
    /// From the first dial to the last ready peer, in seconds.
    pub setup_seconds: f64,
    /// From the start of the scenario to its end, in seconds.
    pub seconds: f64,
    /// Connections and messages.
    pub counts: Counts,
    /// Times, by what was timed.
    pub times: BTreeMap<Measure, Times>,
    /// Messages over time.
    pub timeline: Timeline,
    /// What the generator itself used.
    pub generator: GeneratorUse,
    /// What the target used, if it is a process of this host that we were told of.
    pub target: Option<TargetUse>,
    /// What the numbers depend on.
    pub host: Host,
    /// What the reader must know to trust the numbers, or not to, as sentences.
    pub remarks: Vec<String>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// To whom.
    pub target: SocketAddr,
    /// What.
    pub scenario: Scenario,
    /// How a peer spoke.
    pub carrier: Carrier,
    /// Peers, or connections one after the other.
    pub peers: usize,
    /// Messages in a write.
    pub batch: usize,
    /// Bytes in a message, its newline included.
    pub message_bytes: usize,
    /// Dials, or connections, under way at once.
    pub in_flight: usize,
    /// Processes that generated the load.
    pub processes: usize,
}

/// The distribution of one kind of time. All in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// How many were taken.
    pub count: u64,
    /// The shortest.
    pub min: u64,
    /// The mean.
    pub mean: f64,
    /// Half of them were no longer.
    pub p50: u64,
    /// So were 90 of 100.
    pub p90: u64,
    /// So were 99 of 100.
    pub p99: u64,
    /// So were 999 of 1,000.
    #[serde(rename = "p99.9")]
    pub p99_9: u64,
    /// The longest.
    pub max: u64,
    /// All of them: an HdrHistogram in its V2 compressed form, in base64.
    pub histogram: String,
}

/// What the generator itself used while the scenario ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorUse {
    /// User and system time of all its processes, in seconds.
    pub cpu_seconds: f64,
    /// That of its busiest process, as a share of one CPU.
    pub cpu_share: f64,
    /// It was the bottleneck: the target could have taken more.
    pub is_bottleneck: bool,
}

/// What the target's process used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetUse {
    /// The process.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// User and system time while the peers connected, in seconds.
    pub cpu_setup_seconds: f64,
    /// User and system time while the scenario ran and until the target was idle again, in seconds.
    pub cpu_seconds: f64,
    /// That time as a share of one CPU.
    pub cpu_share: f64,
    /// Nanoseconds of CPU time for each message, or each delivery; `None` where there was none. For bursts
    /// the median of the rounds.
    pub cpu_ns_per_message: Option<f64>,
    /// Resident memory before the first dial, in bytes.
    pub memory_before: u64,
    /// Resident memory with all peers connected, in bytes.
    pub memory_connected: u64,
    /// Resident memory after the scenario, in bytes.
    pub memory_after: u64,
    /// The growth for each connection, in bytes; `None` without connections that stayed.
    pub memory_per_connection: Option<f64>,
}

/// What the numbers depend on. `None` is what this system does not tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// The operating system's kernel and its version.
    pub kernel: String,
    /// The CPU as it calls itself.
    pub cpu: Option<String>,
    /// CPUs that this process may use.
    pub cpus: usize,
    /// Open files that this process may have.
    pub descriptors_max: u64,
    /// Open files that the target may have.
    pub target_descriptors_max: Option<u64>,
    /// The longest queue of connections that a listener can have.
    pub somaxconn: Option<u64>,
    /// The ports that the system chooses from for one source address.
    pub port_range: Option<(u16, u16)>,
    /// Addresses that were dialled from.
    pub sources: usize,
}

impl Report {
    /// What one generator did. What its driver knows besides is still empty.
    pub fn new(plan: &Plan, tally: &Tally, ending: Ending) -> Self {
        Self {
            schema: SCHEMA,
            program: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
            began_at: 0,
            setup: Setup {
                target: plan.target,
                scenario: plan.scenario,
                carrier: plan.carrier,
                peers: plan.peers,
                batch: plan.batch,
                message_bytes: plan.message_bytes,
                in_flight: plan.in_flight,
                processes: 1,
            },
            ending,
            setup_seconds: tally.setup.as_secs_f64(),
            seconds: tally.duration.as_secs_f64(),
            counts: tally.counts.clone(),
            times: tally.times.iter().map(|(&measure, times)| (measure, Times::new(times))).collect(),
            timeline: tally.timeline.clone(),
            generator: GeneratorUse::default(),
            target: None,
            host: Host::default(),
            remarks: Vec::new(),
        }
    }

    /// Adds what another generator did in the same run.
    ///
    /// Fails if a histogram in either of them cannot be read.
    pub fn add(&mut self, other: &Self) -> Result<(), String> {
        self.setup.peers += other.setup.peers;
        self.setup.processes += other.setup.processes;
        if other.ending != Ending::Complete {
            self.ending = other.ending;
        }
        self.setup_seconds = self.setup_seconds.max(other.setup_seconds);
        self.seconds = self.seconds.max(other.seconds);
        self.counts.add(&other.counts);
        self.timeline.add(&other.timeline);
        self.generator.cpu_seconds += other.generator.cpu_seconds;
        self.generator.cpu_share = self.generator.cpu_share.max(other.generator.cpu_share);
        for (measure, times) in &other.times {
            let mut all = times.to_histogram()?;
            if let Some(own) = self.times.get(measure) {
                all.add(own.to_histogram()?).map_err(|error| error.to_string())?;
            }
            self.times.insert(*measure, Times::new(&all));
        }
        Ok(())
    }

    /// What the scenario is about: messages that the target has read for certain, that it delivered in a
    /// fan-out, or questions that it answered.
    pub fn messages(&self) -> u64 {
        match self.setup.scenario {
            Scenario::FanOut { .. } => self.counts.heard,
            Scenario::Ping { .. } => self.times.get(&Measure::RoundTrip).map_or(0, |times| times.count),
            _ => self.counts.taken,
        }
    }

    /// [`Report::messages`] in a second.
    pub fn messages_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.messages() as f64 / self.seconds } else { 0.0 }
    }

    /// Connections that became ready in a second, or for churn that were used to their end.
    pub fn connections_per_second(&self) -> f64 {
        let (connections, seconds) = match self.setup.scenario {
            Scenario::Churn => (self.counts.taken, self.seconds),
            _ => (self.counts.connected, self.setup_seconds),
        };
        if seconds > 0.0 { connections as f64 / seconds } else { 0.0 }
    }

    /// Whether every connection went as planned and every message was taken.
    pub fn is_flawless(&self) -> bool {
        self.ending == Ending::Complete && self.counts.failures() == 0 && self.counts.lost == 0
    }
}

impl Times {
    /// The distribution of a histogram of nanoseconds.
    pub fn new(times: &Histogram<u64>) -> Self {
        Self {
            count: times.len(),
            min: times.min(),
            mean: times.mean(),
            p50: times.value_at_quantile(0.5),
            p90: times.value_at_quantile(0.9),
            p99: times.value_at_quantile(0.99),
            p99_9: times.value_at_quantile(0.999),
            max: times.max(),
            histogram: super::histogram_log::encode(times),
        }
    }

    /// The histogram that it was made of.
    pub fn to_histogram(&self) -> Result<Histogram<u64>, String> {
        super::histogram_log::decode(&self.histogram)
    }
}
