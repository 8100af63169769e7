//! One run: lets the generator go on after each pause, and looks at the target meanwhile.
//!
//! An interrupt ends a run within a tenth of a second. For half of that time the generator waits for proof of what
//! the target has read; the messages without proof count as lost.
//!
//! In a burst only the process that holds the listening socket is ever stopped, through a handle that stays valid
//! when the process ends and its number is used again. A target that serves with several processes gets no CPU time
//! for each message, since nobody knows what the others do meanwhile.

use super::generator::Generator;
use super::panel::Event;
use super::target::{Sample, Target};
use super::trigger::Trigger;
use chinwag::limits::{
    EMPTY_ROUNDS, MEMORY_PEERS_MIN, ROUND_IDLE, TARGET_IDLE, TARGET_PATIENCE, TARGET_POLL,
};
use chinwag::swarm::notice::Pause;
use chinwag::swarm::plan::{Plan, Scenario};
use chinwag::swarm::report::{Report, TargetUse};
use std::io;
use std::time::{Duration, Instant};

/// One run under way.
pub(super) struct Run<'a> {
    whole: &'a Plan,
    target: Option<Target>,
    trigger: Option<Trigger>,
    usage: Usage,
    remarks: Vec<String>,
}

/// What the target had used at the turning points of a run. `None`: not reached, or the target was gone.
#[derive(Debug, Default)]
struct Usage {
    before: Option<Sample>,
    connected: Option<Sample>,
    after: Option<Sample>,
    /// CPU time of each round of a burst.
    rounds: Vec<Duration>,
    /// CPU time of rounds in which nothing was written.
    empty_rounds: Vec<Duration>,
    /// How many of the first rounds do not count.
    warm_up: usize,
    /// More than one process serves; a burst cannot measure that.
    is_split: bool,
}

impl<'a> Run<'a> {
    /// `warm_up`: rounds of a burst that do not count.
    pub(super) fn new(
        whole: &'a Plan,
        target: Option<Target>,
        trigger: Option<Trigger>,
        warm_up: usize,
    ) -> Self {
        let before = target.as_ref().and_then(Target::sample);
        let usage = Usage { before, warm_up, ..Usage::default() };
        Self { whole, target, trigger, usage, remarks: Vec::new() }
    }

    /// Directs the generator until it is over.
    pub(super) fn conduct(&mut self, generator: &mut dyn Generator) -> io::Result<()> {
        let mut event = generator.wait()?;
        loop {
            event = match event {
                Event::Over => break,
                Event::Interrupted => generator.wait()?,
                Event::Trigger => {
                    self.pull_trigger(generator)?;
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
        if self.usage.after.is_none() {
            // The run was cut short.
            self.usage.after = self.sample();
        }
        Ok(())
    }

    /// Adds a remark, if there is one.
    pub(super) fn remark(&mut self, remark: Option<String>) {
        self.remarks.extend(remark);
    }

    /// Remarks on what the reader should know and the generator does not.
    pub(super) fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// What the target used; `None` if that is not known, or if the target ended during the run.
    pub(super) fn target_use(&mut self, report: &Report) -> Option<TargetUse> {
        let target = self.target.as_ref()?;
        // The processes of a churn may have come and gone unseen.
        let has_lost_some = report.setup.scenario == Scenario::Churn || target.has_lost_some();
        let has_ended = target.sample().is_none();
        let use_of_it = self.usage.sum_up(report, target.pid(), target.name());
        if use_of_it.is_none() {
            self.remarks.push("The process that --pid names ended during the run.".to_owned());
        } else if !has_ended && has_lost_some && target.is_careless() {
            self.remarks.push(
                "What the target used is not known: it ignores SIGCHLD, so the CPU time of processes that it \
                 started is lost."
                    .to_owned(),
            );
            return None;
        }
        let is_hold = matches!(report.setup.scenario, Scenario::Hold { .. });
        if is_hold
            && use_of_it.as_ref().is_some_and(|it| it.memory_per_connection.is_none())
            && report.ready() > 0
        {
            self.remarks.push(format!(
                "Memory for each connection is not known: measuring it takes {MEMORY_PEERS_MIN} peers, and a target \
                 that was just started. One that has worked before uses memory again that it has kept."
            ));
        }
        if self.usage.is_split {
            self.remarks.push(
                "CPU time for each message is not known: burst stops one process, and the target serves with \
                 several. Compare it by flood or by pace."
                    .to_owned(),
            );
        }
        use_of_it
    }

    /// Begins the scenario or its next round, and returns the next event.
    fn go(&mut self, generator: &mut dyn Generator) -> io::Result<Event> {
        let is_burst = matches!(self.whole.scenario, Scenario::Burst { .. });
        // If several processes serve, stopping one of them measures nothing.
        let target = self.target.as_ref().filter(|_| is_burst);
        self.usage.is_split |= target.is_some_and(Target::has_children);
        let Some(target) = target.filter(|_| !self.usage.is_split) else {
            generator.go()?;
            return generator.wait();
        };
        // Empty rounds measure what stopping and resuming costs without any message. It is always the same.
        if self.usage.empty_rounds.len() < EMPTY_ROUNDS {
            self.usage.empty_rounds.push(play_round(target, generator, |_| Ok(()))?.0);
        }
        let (used, event) = play_round(target, generator, |generator| {
            generator.go()?;
            generator.wait()
        })?;
        // In a round that was interrupted, not all was written.
        if matches!(event, Event::Paused(_)) {
            self.usage.rounds.push(used);
        }
        Ok(event)
    }

    fn pull_trigger(&mut self, generator: &mut dyn Generator) -> io::Result<()> {
        let Some(trigger) = &mut self.trigger else { return Ok(()) };
        match trigger.pull(self.whole, generator) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.trigger = None;
                self.remarks.push("The target stopped reading the pipe that --trigger names.".to_owned());
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn settle(&self, generator: &mut dyn Generator) -> io::Result<()> {
        self.target.as_ref().map_or(Ok(()), |target| settle(target, generator, TARGET_IDLE))
    }

    fn sample(&self) -> Option<Sample> {
        self.target.as_ref().and_then(Target::sample)
    }
}

impl Usage {
    fn sum_up(&self, report: &Report, pid: u32, name: String) -> Option<TargetUse> {
        let (before, after) = (self.before?, self.after?);
        // The run was cut short while peers connected, so nothing came after that.
        let connected = self.connected.unwrap_or(after);
        let setup = connected.cpu.saturating_sub(before.cpu);
        let cpu = after.cpu.saturating_sub(connected.cpu).as_secs_f64();
        let is_churn = report.setup.scenario == Scenario::Churn;
        let stayed = if is_churn { 0 } else { report.ready() };
        Some(TargetUse {
            pid,
            name,
            processes: before.processes.max(connected.processes).max(after.processes),
            cpu_setup_seconds: setup.as_secs_f64(),
            cpu_seconds: cpu,
            cpu_share: if report.seconds > 0.0 { cpu / report.seconds } else { 0.0 },
            cpu_ns_per_message: self.cpu_ns_per_message(report, cpu),
            cpu_ns_per_handshake: (report.counts.encrypted > 0)
                .then(|| setup.as_nanos() as f64 / report.counts.encrypted as f64),
            memory_before: before.memory,
            memory_connected: connected.memory,
            memory_after: after.memory,
            memory_per_connection: memory_of_each(before, connected, stayed),
        })
    }

    /// CPU time for each message. For bursts it is the median of the rounds, else `cpu`, what the scenario used in
    /// seconds, divided by the messages.
    fn cpu_ns_per_message(&self, report: &Report, cpu: f64) -> Option<f64> {
        if matches!(report.setup.scenario, Scenario::Burst { .. }) {
            let a_round = report.ready() * report.setup.batch as u64;
            let counted = self.rounds.get(self.warm_up..).unwrap_or_default();
            let empty = median(&self.empty_rounds).unwrap_or_default();
            let used = median(counted).filter(|_| !self.is_split).map(|used| used.saturating_sub(empty));
            return used.map(|used| used.as_nanos() as f64 / a_round as f64);
        }
        let messages = report.messages();
        (messages > 0).then(|| cpu * 1e9 / messages as f64)
    }
}

/// By how many bytes a connection made the target grow; `None` if that cannot be known. A target does not grow
/// while it uses memory again that it has kept. Its CPU time shows whether it has worked before: if it used more
/// than all these connections cost, it may have been as large before.
fn memory_of_each(before: Sample, connected: Sample, stayed: u64) -> Option<f64> {
    let is_fresh = before.cpu <= connected.cpu.saturating_sub(before.cpu);
    let growth = connected.memory.checked_sub(before.memory).filter(|&growth| growth > 0)?;
    (is_fresh && stayed >= MEMORY_PEERS_MIN).then(|| growth as f64 / stayed as f64)
}

/// Stops the target while `write` has every peer write its batch, and lets it go on; returns the CPU time that it
/// then uses until it is idle. A target that has ended is not stopped; its connections show that it is gone.
fn play_round<T>(
    target: &Target,
    generator: &mut dyn Generator,
    write: impl FnOnce(&mut dyn Generator) -> io::Result<T>,
) -> io::Result<(Duration, T)> {
    let stopped = target.stop()?;
    let until = Instant::now() + TARGET_PATIENCE;
    while stopped.is_some()
        && !target.is_stopped()
        && !target.is_gone()
        && Instant::now() < until
        && generator.rest(TARGET_POLL)?
    {}
    let written = write(generator)?;
    let before = target.cpu();
    drop(stopped);
    settle(target, generator, ROUND_IDLE)?;
    Ok((target.cpu().saturating_sub(before), written))
}

/// Waits until the target's CPU clock stands still, or until the generator is over: then nobody needs the figure
/// any more.
fn settle(target: &Target, generator: &mut dyn Generator, idle: Duration) -> io::Result<()> {
    let until = Instant::now() + TARGET_PATIENCE;
    let (mut cpu, mut moved_at) = (target.cpu(), Instant::now());
    while Instant::now() < until && generator.rest(TARGET_POLL)? {
        let used = target.cpu();
        if used != cpu {
            (cpu, moved_at) = (used, Instant::now());
        } else if moved_at.elapsed() >= idle && target.is_idle() {
            break;
        }
    }
    Ok(())
}

fn median(times: &[Duration]) -> Option<Duration> {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_connection_is_reported_only_for_a_fresh_target() {
        let sample = |millis, memory| Sample { cpu: Duration::from_millis(millis), memory, processes: 1 };
        let table = [
            (sample(5, 1_000), sample(10, 61_000), MEMORY_PEERS_MIN, Some(600.0)),
            // The target had used more CPU before than all these connections cost.
            (sample(6, 1_000), sample(10, 61_000), MEMORY_PEERS_MIN, None),
            // The target used memory that it had kept, or gave some back.
            (sample(5, 1_000), sample(10, 1_000), MEMORY_PEERS_MIN, None),
            (sample(5, 1_000), sample(10, 900), MEMORY_PEERS_MIN, None),
            // Memory comes in pages.
            (sample(5, 1_000), sample(10, 61_000), MEMORY_PEERS_MIN - 1, None),
            (sample(5, 1_000), sample(10, 61_000), 0, None),
        ];
        for (before, connected, stayed, wanted) in table {
            assert_eq!(
                memory_of_each(before, connected, stayed),
                wanted,
                "{before:?} {connected:?} {stayed}"
            );
        }
    }
}
