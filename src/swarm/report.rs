//! The result of a run as it is stored, with everything that is needed to judge the numbers.
//!
//! A report can be written and read, so the reports of several generators add up to one. The driver fills in what
//! the generator cannot know, such as the target's process and the host.
//!
//! JSON cannot express NaN and infinity, and what serde writes instead cannot be read as a number. So a number that
//! may be the result of a division is written by `finite`.

use super::generator::Ending;
use super::histogram_log;
use super::plan::{Carrier, Plan, Scenario};
use super::tally::{Counts, Measure, Tally, Timeline};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The version of the form of a report. It changes when a field changes its meaning or is removed.
pub const SCHEMA: u32 = 1;

/// The program that writes reports.
pub const PROGRAM: &str = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));

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
    #[serde(serialize_with = "finite")]
    pub setup_seconds: f64,
    /// From the start of the scenario to its end, in seconds.
    #[serde(serialize_with = "finite")]
    pub seconds: f64,
    /// Connections and messages.
    pub counts: Counts,
    /// The beginning of the first line of the target that the generator does not understand.
    pub odd_line: Option<String>,
    /// Times, for each kind of time.
    pub times: BTreeMap<Measure, Times>,
    /// Messages over time.
    pub timeline: Timeline,
    /// What the generator itself used.
    pub generator: GeneratorUse,
    /// What the target used, if `--pid` named its process.
    pub target: Option<TargetUse>,
    /// What the numbers depend on.
    pub host: Host,
    /// Sentences that say how far the reader can trust the numbers.
    pub remarks: Vec<String>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The address of the target.
    pub target: SocketAddr,
    /// The scenario.
    pub scenario: Scenario,
    /// How a peer spoke.
    pub carrier: Carrier,
    /// Peers; for churn, connections one after the other.
    pub peers: usize,
    /// Messages in a write.
    pub batch: usize,
    /// Bytes in a message, its newline included.
    pub message_bytes: usize,
    /// Dials under way at the same time; for churn, connections.
    pub in_flight: usize,
    /// Processes that generated the load.
    pub processes: usize,
}

/// The distribution of one kind of time. All in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// How many were measured.
    pub count: u64,
    /// The shortest.
    pub min: u64,
    /// The mean.
    #[serde(serialize_with = "finite")]
    pub mean: f64,
    /// Half of them were no longer.
    pub p50: u64,
    /// 90 of 100 were no longer.
    pub p90: u64,
    /// 99 of 100 were no longer.
    pub p99: u64,
    /// 999 of 1,000 were no longer.
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
    #[serde(serialize_with = "finite")]
    pub cpu_seconds: f64,
    /// CPU time of its busiest process, as a share of one CPU.
    #[serde(serialize_with = "finite")]
    pub cpu_share: f64,
    /// How long a process of the generator could have run while others had the CPU, as a share of the time; of
    /// several processes, the greatest share.
    #[serde(default, serialize_with = "finite")]
    pub waited_share: f64,
    /// CPU time that the host of this virtual machine gave to others, as a share of the time of all CPUs.
    #[serde(default, serialize_with = "finite")]
    pub stolen_share: f64,
    /// The generator was the bottleneck: the target could have read more.
    pub is_bottleneck: bool,
}

/// What the target's process used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetUse {
    /// The process.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// The most processes that were seen at a time: the target and those that it started. The figures are those of
    /// all of them.
    #[serde(default = "one")]
    pub processes: usize,
    /// User and system time while the peers connected, in seconds.
    #[serde(serialize_with = "finite")]
    pub cpu_setup_seconds: f64,
    /// User and system time while the scenario ran and until the target was idle again, in seconds.
    #[serde(serialize_with = "finite")]
    pub cpu_seconds: f64,
    /// `cpu_seconds` as a share of one CPU.
    #[serde(serialize_with = "finite")]
    pub cpu_share: f64,
    /// Nanoseconds of CPU time for each message, or each delivery; `None` if there was none, or if it is not known.
    /// For bursts it is the median of the rounds.
    pub cpu_ns_per_message: Option<f64>,
    /// Nanoseconds of CPU time while connecting, for each session that became encrypted. Accepting and answering it is in
    /// them. `None`: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ns_per_handshake: Option<f64>,
    /// Resident memory before the first dial, in bytes.
    pub memory_before: u64,
    /// Resident memory with all peers connected, in bytes.
    pub memory_connected: u64,
    /// Resident memory after the scenario, in bytes.
    pub memory_after: u64,
    /// The growth for each connection, in bytes; `None` if too few connections stayed, or if the target had worked
    /// before.
    pub memory_per_connection: Option<f64>,
}

fn one() -> usize {
    1
}

/// What the numbers depend on. `None`: this system does not say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// The operating system's kernel and its version.
    pub kernel: String,
    /// The name of the CPU.
    pub cpu: Option<String>,
    /// CPUs that this process may use.
    pub cpus: usize,
    /// The limit on open files of this process.
    pub descriptors_max: u64,
    /// The limit on open files of the target.
    pub target_descriptors_max: Option<u64>,
    /// The longest queue of connections that a listener can have.
    pub somaxconn: Option<u64>,
    /// The first and the last port that the system chooses from, for each source address.
    pub port_range: Option<(u16, u16)>,
    /// How many ports of that range it never chooses, since they are reserved.
    pub ports_reserved: usize,
    /// Addresses that were dialled from.
    pub sources: usize,
}

impl Report {
    /// The report of one generator, without what only its driver knows.
    pub fn new(plan: &Plan, tally: &Tally, ending: Ending) -> Self {
        Self {
            schema: SCHEMA,
            program: PROGRAM.to_owned(),
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
            odd_line: tally.odd_line.clone(),
            times: tally.times.iter().map(|(&measure, times)| (measure, Times::new(times))).collect(),
            timeline: tally.timeline.clone(),
            generator: GeneratorUse::default(),
            target: None,
            host: Host::default(),
            remarks: Vec::new(),
        }
    }

    /// Adds the report of another generator in the same run.
    ///
    /// Fails, and adds nothing, if the other is of another form, or if a histogram in either of them cannot
    /// be read.
    pub fn add(&mut self, other: &Self) -> Result<(), String> {
        if other.schema != self.schema {
            return Err(format!(
                "A report has schema {}, and another one has {}.",
                self.schema, other.schema
            ));
        }
        if !other.timeline.is_sound() || !self.timeline.is_sound() {
            return Err("The timeline of a report has invalid intervals.".to_owned());
        }
        self.times = self.times_with(&other.times)?;
        self.setup.add(&other.setup);
        // A stuck target is more important to report than an interrupt.
        self.ending = match (self.ending, other.ending) {
            (Ending::Complete, ending) | (ending, Ending::Complete) => ending,
            (Ending::Stuck, _) | (_, Ending::Stuck) => Ending::Stuck,
            (Ending::Late, _) | (_, Ending::Late) => Ending::Late,
            (Ending::Interrupted, Ending::Interrupted) => Ending::Interrupted,
        };
        self.setup_seconds = self.setup_seconds.max(other.setup_seconds);
        self.seconds = self.seconds.max(other.seconds);
        self.counts.add(&other.counts);
        self.odd_line = self.odd_line.take().or_else(|| other.odd_line.clone());
        self.timeline.add(&other.timeline);
        self.generator.cpu_seconds += other.generator.cpu_seconds;
        self.generator.cpu_share = self.generator.cpu_share.max(other.generator.cpu_share);
        self.generator.waited_share = self.generator.waited_share.max(other.generator.waited_share);
        self.generator.stolen_share = self.generator.stolen_share.max(other.generator.stolen_share);
        self.generator.is_bottleneck |= other.generator.is_bottleneck;
        for remark in &other.remarks {
            if !self.remarks.contains(remark) {
                self.remarks.push(remark.clone());
            }
        }
        Ok(())
    }

    fn times_with(&self, more: &BTreeMap<Measure, Times>) -> Result<BTreeMap<Measure, Times>, String> {
        let mut all = self.times.clone();
        for (&measure, times) in more {
            let mut sum = times.to_histogram()?;
            if let Some(own) = self.times.get(&measure) {
                histogram_log::add(&mut sum, &own.to_histogram()?)?;
            }
            all.insert(measure, Times::new(&sum));
        }
        Ok(all)
    }

    /// The number that the scenario is about: messages that the target has certainly read; in a fan-out, messages
    /// that it delivered; in a ping, questions that it answered.
    pub fn messages(&self) -> u64 {
        match self.setup.scenario {
            Scenario::FanOut { .. } => self.counts.delivered,
            Scenario::Ping { .. } => self.times.get(&Measure::RoundTrip).map_or(0, |times| times.count),
            _ => self.counts.taken,
        }
    }

    /// [`Report::messages`] in a second. Zero if there were none, and for bursts, since most of their time passes
    /// between the rounds.
    pub fn messages_per_second(&self) -> f64 {
        match self.setup.scenario {
            Scenario::Burst { .. } => 0.0,
            _ => per_second(self.messages() as f64, self.seconds),
        }
    }

    /// The bytes of [`Report::messages_per_second`]; zero for pings, which are only a few bytes long.
    pub fn bytes_per_second(&self) -> f64 {
        match self.setup.scenario {
            Scenario::FanOut { .. } => per_second(self.counts.bytes_delivered as f64, self.seconds),
            Scenario::Ping { .. } => 0.0,
            // The average length of the messages that were sent: it is not always the length that was asked for,
            // since a plain message has no newline.
            _ => {
                let sent = self.counts.sent.max(1) as f64;
                self.messages_per_second() * (self.counts.message_bytes_sent as f64 / sent)
            }
        }
    }

    /// Connections that took part: those that were answered as sessions, or became encrypted; with plain lines, all that
    /// were established.
    pub fn ready(&self) -> u64 {
        match self.setup.carrier {
            Carrier::Session => self.counts.answered,
            Carrier::Encrypted => self.counts.encrypted,
            Carrier::Lines => self.counts.connected,
        }
    }

    /// [`Report::ready`] in a second; for churn, connections that ended as planned.
    pub fn connections_per_second(&self) -> f64 {
        match self.setup.scenario {
            Scenario::Churn => per_second(self.counts.taken as f64, self.seconds),
            _ => per_second(self.ready() as f64, self.setup_seconds),
        }
    }

    /// Whether every connection went as planned and every message was taken.
    pub fn is_flawless(&self) -> bool {
        self.ending == Ending::Complete
            && self.counts.failures() == 0
            && self.counts.lost + self.counts.unsent == 0
    }
}

impl Setup {
    /// Whether messages of that size are sent at all.
    pub(super) fn has_messages(&self) -> bool {
        !matches!(self.scenario, Scenario::Hold { .. } | Scenario::Ping { .. })
    }

    /// Whether they are sent in batches.
    pub(super) fn has_batches(&self) -> bool {
        self.has_messages() && self.scenario != Scenario::Churn
    }

    /// Adds the setup of another generator, so that the sum describes all peers together.
    fn add(&mut self, other: &Self) {
        self.peers += other.peers;
        self.in_flight += other.in_flight;
        self.processes += other.processes;
        match (&mut self.scenario, other.scenario) {
            (Scenario::Flood { messages }, Scenario::Flood { messages: more }) => *messages += more,
            (
                Scenario::Ping { rounds, active },
                Scenario::Ping { rounds: more_rounds, active: more_active },
            ) => {
                *rounds += more_rounds;
                *active += more_active;
            }
            _ => {}
        }
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
            histogram: histogram_log::encode(times),
        }
    }

    /// The histogram that it was made of.
    pub fn to_histogram(&self) -> Result<Histogram<u64>, String> {
        histogram_log::decode(&self.histogram)
    }
}

/// How many in a second; zero if no time passed.
fn per_second(count: f64, seconds: f64) -> f64 {
    let rate = count / seconds;
    if seconds > 0.0 && rate.is_finite() { rate } else { 0.0 }
}

/// Writes zero for a number that JSON cannot express, such as a share of a run that took no time.
fn finite<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(if number.is_finite() { *number } else { 0.0 })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::swarm::plan::Origin;
    use crate::swarm::tally::new_histogram;
    use std::time::Duration;

    pub(in crate::swarm) fn histogram(values: &[u64]) -> Histogram<u64> {
        let mut histogram = new_histogram();
        for &value in values {
            histogram.record(value).unwrap();
        }
        histogram
    }

    fn times(values: impl IntoIterator<Item = u64>) -> Times {
        Times::new(&histogram(&values.into_iter().collect::<Vec<_>>()))
    }

    /// A report with something in each field.
    pub(in crate::swarm) fn full() -> Report {
        Report {
            schema: SCHEMA,
            program: "chinwag 1.2.3".to_owned(),
            began_at: 1_700_000_000,
            setup: Setup {
                target: "127.0.0.1:5000".parse().unwrap(),
                scenario: Scenario::Flood { messages: 1_000_000 },
                carrier: Carrier::Session,
                peers: 1_003,
                batch: 64,
                message_bytes: 42,
                in_flight: 128,
                processes: 2,
            },
            ending: Ending::Interrupted,
            setup_seconds: 0.123,
            seconds: 0.81,
            counts: Counts {
                dialled: 1_003,
                connected: 1_001,
                answered: 1_000,
                encrypted: 0,
                failed: [("timed-out".to_owned(), 2), ("reset".to_owned(), 1)].into(),
                sent: 1_000_000,
                taken: 999_000,
                lost: 1_000,
                unsent: 0,
                heard: 7,
                delivered: 0,
                odd: 1,
                bytes_sent: 42_060_000,
                message_bytes_sent: 42_000_000,
                bytes_heard: 70_210,
                bytes_delivered: 0,
            },
            odd_line: Some("HTTP/1.1 400 Bad Request".to_owned()),
            times: [
                (Measure::Dial, times((1..=1_001).map(|n| n * 999))),
                (Measure::Answer, times((1..=1_000).map(|n| n * n * 12))),
                (Measure::RoundTrip, times((1..=20_000).map(|n| 20_000 + n * n * n / 90_000))),
                (Measure::Exchange, times([1_234_567_890])),
                (Measure::Delivery, times((1..=200).map(|n| n * n * n * n))),
                (Measure::ToAll, times([5, 500, 50_000_000])),
                (Measure::Lateness, times([1, 2, 3])),
            ]
            .into(),
            timeline: Timeline {
                interval: Duration::from_millis(100),
                slots: vec![90_000, 110_000, 130_000, 140_000, 135_000, 141_000, 139_000, 100_000, 15_000],
            },
            generator: GeneratorUse {
                cpu_seconds: 0.912,
                cpu_share: 0.613,
                waited_share: 0.004,
                stolen_share: 0.001,
                is_bottleneck: true,
            },
            target: Some(TargetUse {
                pid: 4711,
                name: "chinwag".to_owned(),
                processes: 1,
                cpu_setup_seconds: 0.052,
                cpu_seconds: 0.801,
                cpu_share: 0.989,
                cpu_ns_per_message: Some(801.8),
                cpu_ns_per_handshake: None,
                memory_before: 4_300_800,
                memory_connected: 10_000_000,
                memory_after: 10_485_760,
                memory_per_connection: Some(5_693.5),
            }),
            host: Host {
                kernel: "Linux 6.1.0-18-amd64".to_owned(),
                cpu: Some("AMD EPYC 7763 64-Core Processor".to_owned()),
                cpus: 4,
                descriptors_max: 1_048_576,
                target_descriptors_max: Some(1_024),
                somaxconn: Some(4_096),
                port_range: Some((32_768, 60_999)),
                ports_reserved: 0,
                sources: 16,
            },
            remarks: vec![
                "The generator was the bottleneck: the target could have taken more than this run gave it, \
                 so the rates above are those of the generator."
                    .to_owned(),
                "3 connections failed.".to_owned(),
            ],
        }
    }

    /// A report of a run in which nothing happened, without anything that only the driver knows.
    pub(in crate::swarm) fn minimal() -> Report {
        Report {
            schema: SCHEMA,
            program: "chinwag 1.2.3".to_owned(),
            began_at: 0,
            setup: Setup {
                target: "[::1]:5000".parse().unwrap(),
                scenario: Scenario::Hold { time: Duration::from_secs(10) },
                carrier: Carrier::Lines,
                peers: 1,
                batch: 1,
                message_bytes: 42,
                in_flight: 128,
                processes: 1,
            },
            ending: Ending::Complete,
            setup_seconds: 0.0,
            seconds: 0.0,
            counts: Counts::default(),
            odd_line: None,
            times: BTreeMap::new(),
            timeline: Timeline::default(),
            generator: GeneratorUse::default(),
            target: None,
            host: Host::default(),
            remarks: Vec::new(),
        }
    }

    fn through_json(report: &Report) -> Report {
        serde_json::from_str(&serde_json::to_string_pretty(report).unwrap()).unwrap()
    }

    #[test]
    fn a_report_comes_back_from_json_as_it_went() {
        let scenarios = [
            Scenario::Burst { rounds: 3 },
            Scenario::Churn,
            Scenario::FanOut { rounds: 2, origin: Origin::Watch },
            Scenario::Pace { rate: 0.1 + 0.2, time: Duration::from_millis(1_500) },
            Scenario::Ping { rounds: 5, active: 2 },
        ];
        for scenario in scenarios {
            let mut report = full();
            report.setup.scenario = scenario;
            report.seconds = 1.0 / 3.0;
            assert_eq!(through_json(&report), report);
        }
        assert_eq!(through_json(&minimal()), minimal());
        let text = serde_json::to_string(&full()).unwrap();
        assert!(!text.contains("encrypted") && !text.contains("handshake"), "only of encrypted runs: {text}");
        let mut report = full();
        (report.setup.carrier, report.counts.encrypted) = (Carrier::Encrypted, 990);
        report.target.as_mut().unwrap().cpu_ns_per_handshake = Some(512_345.5);
        assert_eq!(through_json(&report), report);
    }

    #[test]
    fn nan_and_infinity_do_not_spoil_the_json() {
        for none in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut report = full();
            report.seconds = none;
            report.setup_seconds = none;
            report.generator.cpu_share = none;
            report.generator.cpu_seconds = none;
            report.times.get_mut(&Measure::Dial).unwrap().mean = none;
            let target = report.target.as_mut().unwrap();
            target.cpu_seconds = none;
            target.cpu_setup_seconds = none;
            target.cpu_share = none;
            target.cpu_ns_per_message = Some(none);
            target.memory_per_connection = Some(none);
            let read = through_json(&report);
            let target = read.target.unwrap();
            assert_eq!((read.seconds, read.setup_seconds, target.cpu_share), (0.0, 0.0, 0.0));
            assert_eq!((target.cpu_ns_per_message, target.memory_per_connection), (None, None));
        }
    }

    #[test]
    fn connections_count_for_their_rate_once_they_are_ready() {
        let counts =
            Counts { connected: 300, answered: 200, encrypted: 100, taken: 100, ..Counts::default() };
        for (scenario, carrier, rate) in [
            (full().setup.scenario, Carrier::Session, 100.0),
            (full().setup.scenario, Carrier::Encrypted, 50.0),
            (full().setup.scenario, Carrier::Lines, 150.0),
            (Scenario::Churn, Carrier::Session, 25.0),
        ] {
            let mut report = Report { counts: counts.clone(), setup_seconds: 2.0, seconds: 4.0, ..full() };
            (report.setup.scenario, report.setup.carrier) = (scenario, carrier);
            assert_eq!(report.connections_per_second(), rate, "{scenario:?} {carrier:?}");
        }
    }

    #[test]
    fn bytes_are_those_that_were_sent_or_delivered() {
        let counts = Counts {
            sent: 10,
            taken: 5,
            message_bytes_sent: 200,
            heard: 9,
            delivered: 8,
            bytes_heard: 999,
            bytes_delivered: 160,
            ..Counts::default()
        };
        let mut report = Report { counts, seconds: 2.0, ..full() };
        assert_eq!((report.messages_per_second(), report.bytes_per_second()), (2.5, 50.0));
        report.setup.scenario = Scenario::FanOut { rounds: 1, origin: Origin::Watch };
        assert_eq!((report.messages_per_second(), report.bytes_per_second()), (4.0, 80.0));
    }

    #[test]
    fn rates_are_numbers_whatever_the_duration() {
        for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE / 4.0, 1e-9, 2.0] {
            let report = Report { seconds, setup_seconds: seconds, ..full() };
            for rate in
                [report.messages_per_second(), report.bytes_per_second(), report.connections_per_second()]
            {
                assert!(rate.is_finite() && rate >= 0.0, "{rate} in {seconds} s");
            }
        }
        assert_eq!(Times::new(&new_histogram()).mean, 0.0);
    }

    #[test]
    fn reports_add_up_to_the_counts_and_percentiles_of_both() {
        let (mut all, mut other) = (full(), full());
        let (low, high): (Vec<u64>, Vec<u64>) = ((1..=900).collect(), (10_000..=10_099).collect());
        all.times = [(Measure::Dial, times(low.clone())), (Measure::Answer, times([7]))].into();
        other.times = [(Measure::Dial, times(high.clone())), (Measure::ToAll, times([9]))].into();
        other.setup_seconds = 5.0;
        other.remarks = vec!["3 connections failed.".to_owned(), "It rained.".to_owned()];
        all.add(&other).unwrap();
        assert_eq!(all.times[&Measure::Dial], times([low, high].concat()));
        assert_eq!(all.times[&Measure::Dial].p90, 900);
        assert_eq!((&all.times[&Measure::Answer], &all.times[&Measure::ToAll]), (&times([7]), &times([9])));
        assert_eq!((all.counts.taken, all.counts.failed["timed-out"]), (1_998_000, 4));
        assert_eq!((all.setup.peers, all.setup.processes, all.setup.in_flight), (2_006, 4, 256));
        assert_eq!(all.setup.scenario, Scenario::Flood { messages: 2_000_000 });
        assert_eq!((all.setup_seconds, all.seconds), (5.0, 0.81));
        assert_eq!((all.timeline.slots[1], all.remarks.len()), (220_000, 3));
        assert_eq!((all.generator.cpu_seconds, all.generator.cpu_share), (1.824, 0.613));
    }

    #[test]
    fn the_worst_ending_is_kept() {
        use Ending::{Complete, Interrupted, Late, Stuck};
        for (one, other, both) in [
            (Complete, Complete, Complete),
            (Complete, Interrupted, Interrupted),
            (Interrupted, Complete, Interrupted),
            (Interrupted, Interrupted, Interrupted),
            (Stuck, Interrupted, Stuck),
            (Interrupted, Stuck, Stuck),
            (Complete, Late, Late),
            (Late, Interrupted, Late),
            (Late, Stuck, Stuck),
        ] {
            let mut all = Report { ending: one, ..minimal() };
            all.add(&Report { ending: other, ..minimal() }).unwrap();
            assert_eq!(all.ending, both);
        }
    }

    #[test]
    fn a_report_that_cannot_be_added_changes_nothing() {
        let mut broken = full();
        broken.times.get_mut(&Measure::ToAll).unwrap().histogram.clear();
        let endless = |interval| Report { timeline: Timeline { interval, slots: vec![1] }, ..full() };
        for (other, sentence) in [
            (broken, "A histogram is incomplete."),
            (Report { schema: 9, ..full() }, "A report has schema 1, and another one has 9."),
            (endless(Duration::ZERO), "The timeline of a report has invalid intervals."),
            (endless(Duration::from_millis(150)), "The timeline of a report has invalid intervals."),
            (endless(Duration::MAX), "The timeline of a report has invalid intervals."),
        ] {
            let mut all = full();
            assert_eq!(all.add(&other), Err(sentence.to_owned()));
            assert_eq!(all, full());
        }
    }
}
