//! `chinwag swarm`: directs a run. It asks, looks at the target while the generator pauses, and writes the
//! report. Unlike everything it directs, it may wait.
#![expect(
    clippy::disallowed_methods,
    reason = "a command that prints its result once, and sleeps while the target settles"
)]

pub(crate) mod args;
mod generator;
mod host;
mod panel;
mod target;

use args::{BURST_WARM_UP_ROUNDS, ScenarioName, SwarmArgs, SwarmCommand};
use chinwag::limits::{BOTTLENECK_SHARE, LATENESS_MAX, TARGET_IDLE};
use chinwag::net::socket;
use chinwag::swarm::generator::Ending;
use chinwag::swarm::histogram_log::{self, Log};
use chinwag::swarm::notice::Pause;
use chinwag::swarm::plan::Plan;
use chinwag::swarm::plot;
use chinwag::swarm::report::{Report, TargetUse, Times};
use chinwag::swarm::table::{self, Table};
use chinwag::swarm::tally::Measure;
use generator::{Generator, Local, Workers};
use panel::Event;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use target::{Sample, Target};

/// A fault in how the program was called.
const EXIT_USAGE: u8 = 2;
/// What the shell calls a program that SIGINT ended.
const EXIT_INTERRUPTED: u8 = 130;

/// Runs the command; gives its exit code.
pub(crate) fn run(args: SwarmArgs) -> io::Result<u8> {
    socket::raise_descriptor_limit();
    match (&args.command, args.target, &args.worker) {
        (Some(SwarmCommand::Merge { files, hgrm }), ..) => merge(files, hgrm.as_deref()),
        (None, _, Some(plan)) => generator::work(plan.clone()).map(|()| 0),
        (None, Some(target), None) => direct(&args, target),
        (None, None, None) => Ok(EXIT_USAGE),
    }
}

/// Directs one run from the question whether it may be done at all to its report.
fn direct(args: &SwarmArgs, address: SocketAddr) -> io::Result<u8> {
    let whole = args.plan(address, (0, 1));
    let target = match args.pid.map(Target::new).transpose() {
        Ok(target) => target,
        Err(error) => return refuse(&[format!("--pid: {error}")]),
    };
    let host = host::facts(&whole, target.as_ref());
    let mut obstacles = host::obstacles(&whole, args.processes, whole.peers, &host);
    obstacles.extend(args.contradictions());
    if !obstacles.is_empty() {
        return refuse(&obstacles);
    }
    if !address.ip().is_loopback() && !may_go_remote(args, &whole)? {
        return Ok(EXIT_USAGE);
    }
    let trigger = match args.trigger.as_deref().map(open_trigger).transpose() {
        Ok(trigger) => trigger,
        Err(error) => return refuse(&[format!("--trigger: {error}; the target must be reading it")]),
    };
    let began_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut run = Run { args, whole: &whole, target, trigger, usage: Usage::default() };
    run.usage.before = run.sample();
    let mut generator = args.generator(address)?;
    run.conduct(generator.as_mut())?;
    let mut report = generator.report()?;
    report.began_at = began_at;
    report.target = run.target_use(&report);
    report.host = host;
    report.remarks = remarks(&mut report, &whole);
    publish(args, &report)?;
    Ok(match report.ending {
        Ending::Interrupted => EXIT_INTERRUPTED,
        _ if report.is_flawless() => 0,
        _ => 1,
    })
}

/// One run under way.
struct Run<'a> {
    args: &'a SwarmArgs,
    whole: &'a Plan,
    target: Option<Target>,
    trigger: Option<fs::File>,
    usage: Usage,
}

/// What the target had used at the turning points of a run.
#[derive(Default)]
struct Usage {
    before: Sample,
    connected: Sample,
    after: Sample,
    /// CPU time of each counted round of a burst.
    rounds: Vec<Duration>,
}

impl Run<'_> {
    fn conduct(&mut self, generator: &mut dyn Generator) -> io::Result<()> {
        let mut event = generator.wait()?;
        loop {
            event = match event {
                Event::Over => return Ok(()),
                Event::Trigger => {
                    self.pull_trigger()?;
                    generator.wait()?
                }
                Event::Paused(Pause::BeforeStart) => {
                    self.settle(generator)?;
                    self.usage.connected = self.sample();
                    self.go(generator)?
                }
                Event::Paused(Pause::BeforeRound) => self.go(generator)?,
                Event::Paused(Pause::BeforeEnd) => {
                    self.settle(generator)?;
                    self.usage.after = self.sample();
                    generator.go()?;
                    generator.wait()?
                }
            }
        }
    }

    /// Begins the scenario, or its next round, and gives what comes of it.
    fn go(&mut self, generator: &mut dyn Generator) -> io::Result<Event> {
        let burst = self.target.as_ref().filter(|_| self.args.scenario == ScenarioName::Burst);
        let Some(target) = burst else {
            generator.go()?;
            return generator.wait();
        };
        // What stopping and resuming costs by itself is not the messages' doing.
        let (idle, _) = play_round(target, generator, |_| Ok(()))?;
        let (used, event) = play_round(target, generator, |generator| {
            generator.go()?;
            generator.wait()
        })?;
        self.usage.rounds.push(used.saturating_sub(idle));
        Ok(event)
    }

    fn settle(&self, generator: &mut dyn Generator) -> io::Result<()> {
        self.target.as_ref().map_or(Ok(()), |target| settle(target, generator))
    }

    fn sample(&self) -> Sample {
        self.target.as_ref().map(Target::sample).unwrap_or_default()
    }

    /// Types menu choice 5 and a text into the target, for each message of a round.
    fn pull_trigger(&mut self) -> io::Result<()> {
        let Some(trigger) = &mut self.trigger else { return Ok(()) };
        let text = "x".repeat(self.whole.message_bytes.saturating_sub(TRIGGER_HEADER_BYTES).max(1));
        trigger.write_all(format!("5\n{text}\n").repeat(self.whole.batch).as_bytes())
    }

    fn target_use(&self, report: &Report) -> Option<TargetUse> {
        let target = self.target.as_ref()?;
        let Usage { before, connected, after, rounds } = &self.usage;
        let cpu = after.cpu.saturating_sub(connected.cpu).as_secs_f64();
        let counted = rounds.get(BURST_WARM_UP_ROUNDS as usize..).unwrap_or_default();
        let messages = report.messages();
        let per_message = if let Some(median) = median(counted) {
            let a_round = report.counts.connected * self.whole.batch as u64;
            Some(median.as_nanos() as f64 / a_round as f64)
        } else {
            (messages > 0).then(|| cpu * 1e9 / messages as f64)
        };
        let is_churn = self.args.scenario == ScenarioName::Churn;
        let stayed = if is_churn { 0 } else { report.counts.connected };
        let growth = connected.memory.saturating_sub(before.memory) as f64;
        Some(TargetUse {
            pid: self.args.pid.unwrap_or(0),
            name: target.name(),
            cpu_setup_seconds: connected.cpu.saturating_sub(before.cpu).as_secs_f64(),
            cpu_seconds: cpu,
            cpu_share: if report.seconds > 0.0 { cpu / report.seconds } else { 0.0 },
            cpu_ns_per_message: per_message,
            memory_before: before.memory,
            memory_connected: connected.memory,
            memory_after: after.memory,
            memory_per_connection: (stayed > 0).then(|| growth / stayed as f64),
        })
    }
}

/// What a line of the target has besides the text, about.
const TRIGGER_HEADER_BYTES: usize = 24;

/// Stops the target while `write` has every peer write its batch, lets it go on, and takes the CPU time that
/// it uses until it is idle.
fn play_round<T>(
    target: &Target,
    generator: &mut dyn Generator,
    write: impl FnOnce(&mut dyn Generator) -> io::Result<T>,
) -> io::Result<(Duration, T)> {
    let stopped = target.stop()?;
    let until = Instant::now() + STOP_TIMEOUT;
    while !target.is_stopped() && Instant::now() < until {
        generator.rest(TARGET_POLL)?;
    }
    let written = write(generator)?;
    let before = target.cpu();
    drop(stopped);
    settle(target, generator)?;
    Ok((target.cpu().saturating_sub(before), written))
}

/// How often the target is looked at while it settles.
const TARGET_POLL: Duration = Duration::from_millis(1);
/// How long a signal may take to stop the target, and the target to become idle.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Waits until the target's CPU clock stands still.
fn settle(target: &Target, generator: &mut dyn Generator) -> io::Result<()> {
    let until = Instant::now() + STOP_TIMEOUT;
    let (mut cpu, mut moved_at) = (target.cpu(), Instant::now());
    while Instant::now() < until {
        generator.rest(TARGET_POLL)?;
        let used = target.cpu();
        if used != cpu {
            (cpu, moved_at) = (used, Instant::now());
        } else if moved_at.elapsed() >= TARGET_IDLE && target.is_idle() {
            break;
        }
    }
    Ok(())
}

impl SwarmArgs {
    /// What cannot be done together, as sentences.
    fn contradictions(&self) -> Vec<String> {
        let is_fan_out = self.scenario == ScenarioName::FanOut;
        let needs_answers = self.scenario == ScenarioName::Ping;
        let table = [
            (
                is_fan_out && self.processes > 1 && (self.relay || self.trigger.is_some()),
                "--relay and --trigger need one process: only it knows when everybody has the message",
            ),
            (is_fan_out && self.relay && self.peers < 2, "--relay needs two peers: one speaks, one hears"),
            (
                !is_fan_out && (self.relay || self.trigger.is_some()),
                "--relay and --trigger are for the scenario fan-out",
            ),
            (
                needs_answers && self.lines && !self.echo,
                "ping needs answers: sessions, or --lines --echo where the target sends every line back",
            ),
            (self.peers < self.processes, "there are more --processes than --peers"),
        ];
        table.into_iter().filter(|(is_so, _)| *is_so).map(|(_, why)| why.to_owned()).collect()
    }

    fn generator(&self, address: SocketAddr) -> io::Result<Box<dyn Generator>> {
        if self.processes == 1 {
            let is_shown = io::stderr().is_terminal();
            return Ok(Box::new(Local::new(self.plan(address, (0, 1)), is_shown)?));
        }
        let plans = (0..self.processes).map(|number| self.plan(address, (number, self.processes)));
        let command_lines: Vec<Vec<OsString>> = plans
            .map(|plan| {
                let plan = serde_json::to_string(&plan)?;
                Ok(["swarm", &address.to_string(), "--worker", &plan].map(OsString::from).to_vec())
            })
            .collect::<io::Result<_>>()?;
        Ok(Box::new(Workers::start(command_lines.into_iter())?))
    }
}

fn refuse(reasons: &[String]) -> io::Result<u8> {
    let mut stderr = io::stderr().lock();
    for reason in reasons {
        writeln!(stderr, "chinwag swarm: {reason}")?;
    }
    Ok(EXIT_USAGE)
}

/// Says what is about to happen to somebody else's machine, and asks.
fn may_go_remote(args: &SwarmArgs, plan: &Plan) -> io::Result<bool> {
    if !args.allow_remote {
        refuse(&[format!("{} is not on this host's loopback; --allow-remote allows it", plan.target)])?;
        return Ok(false);
    }
    let mut stderr = io::stderr().lock();
    let scenario = plan.scenario.name();
    write!(stderr, "About to open {} connections to {} for {scenario}. ", plan.peers, plan.target)?;
    if args.yes {
        writeln!(stderr)?;
        return Ok(true);
    }
    write!(stderr, "Is that machine yours to load? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn open_trigger(file: &Path) -> io::Result<fs::File> {
    // Without the flag, opening a pipe that nobody reads waits for a reader.
    OpenOptions::new().write(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32).open(file)
}

/// What the reader must know to trust the numbers, or not to.
fn remarks(report: &mut Report, plan: &Plan) -> Vec<String> {
    let mut remarks = Vec::new();
    match report.ending {
        Ending::Complete => {}
        Ending::Interrupted => remarks.push("Interrupted: these are the numbers so far.".to_owned()),
        Ending::Stuck => remarks.push(format!(
            "Given up: the target owed an answer and did nothing for {} s.",
            plan.timeout.as_secs_f64()
        )),
    }
    let late = report.times.get(&Measure::Lateness).map(|times| Duration::from_nanos(times.p99));
    let target_share = report.target.as_ref().map(|target| target.cpu_share);
    let is_busy = report.generator.cpu_share >= BOTTLENECK_SHARE && late.is_none();
    let is_late = late.is_some_and(|late| late > LATENESS_MAX);
    report.generator.is_bottleneck =
        is_late || (is_busy && target_share.is_none_or(|share| share < BOTTLENECK_SHARE));
    if is_late {
        remarks.push(
            "The generator was the bottleneck: more than one message of a hundred was sent over a millisecond \
             late. Use a lower rate, or more --processes."
                .to_owned(),
        );
    } else if report.generator.is_bottleneck {
        let how_sure = if target_share.is_some() { "was" } else { "may have been" };
        remarks.push(format!(
            "The generator {how_sure} the bottleneck: it used {:.0} % of its CPU. Use more --processes{}.",
            report.generator.cpu_share * 100.0,
            if target_share.is_some() { "" } else { ", or give --pid to see what the target used" }
        ));
    }
    if report.counts.answered == 0 && report.counts.odd > 0 {
        remarks.push("The target answers no connect as chinwag does: try --lines.".to_owned());
    }
    if report.host.somaxconn.is_some_and(|limit| plan.in_flight as u64 > limit) {
        remarks.push(
            "--in-flight is above somaxconn: dials may have waited for a retry of a second.".to_owned(),
        );
    }
    remarks
}

fn publish(args: &SwarmArgs, report: &Report) -> io::Result<()> {
    let is_json_to_stdout = args.json.as_deref() == Some(Path::new("-"));
    let mut stdout = io::stdout().lock();
    if let Some(file) = &args.json {
        let json = serde_json::to_string_pretty(report)? + "\n";
        if is_json_to_stdout { stdout.write_all(json.as_bytes())? } else { write_file(file, &json)? }
    }
    if !is_json_to_stdout {
        write!(stdout, "{}", Table(report))?;
    }
    if let Some(file) = &args.plot {
        write_file(file, &plot::svg(report).map_err(io::Error::other)?)?;
    }
    if let Some(file) = &args.hgrm {
        write_file(file, &Log::new(report).and_then(|log| log.write()).map_err(io::Error::other)?)?;
    }
    Ok(())
}

fn write_file(file: &Path, text: &str) -> io::Result<()> {
    fs::write(file, text)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}

fn median(times: &[Duration]) -> Option<Duration> {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied()
}

/// Adds up logs of latencies, and prints their percentiles.
fn merge(files: &[PathBuf], sum: Option<&Path>) -> io::Result<u8> {
    let logs = files.iter().map(|file| {
        let text = fs::read_to_string(file).map_err(|error| error.to_string());
        text.and_then(|text| histogram_log::read_log(&text))
            .map_err(|why| format!("{}: {why}", file.display()))
    });
    let log = match histogram_log::merge(logs) {
        Ok(log) if log.times.is_empty() => return refuse(&["there are no times in these files".to_owned()]),
        Ok(log) => log,
        Err(why) => return refuse(&[why]),
    };
    let times = log.times.iter().map(|(&measure, times)| (measure, Times::new(times))).collect();
    write!(io::stdout().lock(), "{}", table::times(&times))?;
    if let Some(file) = sum {
        write_file(file, &log.write().map_err(io::Error::other)?)?;
    }
    Ok(0)
}
