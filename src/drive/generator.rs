//! The generators of a run: one in this process, or several processes that this one directs. Both are told
//! to go on where they pause, and both end with a report.

use super::panel::{Event, Panel};
use chinwag::limits::POLL_RESOLUTION;
use chinwag::net::event_loop::EventLoop;
use chinwag::proto::machine::Machine;
use chinwag::swarm::generator::{GO, Swarm};
use chinwag::swarm::notice::Pause;
use chinwag::swarm::plan::{Plan, Scenario};
use chinwag::swarm::report::Report;
use chinwag::term::stdin::Stdin;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What directs a run sees of its generators.
pub(super) trait Generator {
    /// Waits until there is something to act on.
    fn wait(&mut self) -> io::Result<Event>;
    /// Lets time pass, and goes on with what comes meanwhile.
    fn rest(&mut self, time: Duration) -> io::Result<()>;
    /// Ends the pause.
    fn go(&mut self) -> io::Result<()>;
    /// What was done; after [`Event::Over`].
    fn report(&mut self) -> io::Result<Report>;
}

/// A swarm in this process.
pub(super) struct Local {
    plan: Plan,
    event_loop: EventLoop<Swarm, Panel>,
    is_over: bool,
}

impl Local {
    pub(super) fn new(plan: Plan, is_shown: bool) -> io::Result<Self> {
        let swarm = Swarm::new(plan.clone(), Instant::now());
        let event_loop = EventLoop::new(swarm, Panel::new(is_shown))?.with_signals()?;
        Ok(Self { plan, event_loop, is_over: false })
    }

    /// The system wakes us up to a millisecond late, which would be taken for the target's latency: the
    /// last millisecond before a paced message is spent turning.
    fn wait_exactly(&self) -> Option<Duration> {
        if !matches!(self.plan.scenario, Scenario::Pace { .. }) {
            return None;
        }
        let at = self.event_loop.machine().poll_timeout()?;
        Some(at.saturating_duration_since(Instant::now()).saturating_sub(POLL_RESOLUTION))
    }
}

impl Generator for Local {
    fn wait(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.event_loop.screen_mut().next_event() {
                return Ok(event);
            }
            if self.is_over {
                return Ok(Event::Over);
            }
            let wait = self.wait_exactly();
            self.is_over = self.event_loop.turn(wait)?.is_some();
        }
    }

    fn rest(&mut self, time: Duration) -> io::Result<()> {
        let until = Instant::now() + time;
        while !self.is_over {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.is_over = self.event_loop.turn(Some(left))?.is_some();
        }
        Ok(())
    }

    fn go(&mut self) -> io::Result<()> {
        self.event_loop.type_line(GO);
        Ok(())
    }

    fn report(&mut self) -> io::Result<Report> {
        self.event_loop.screen_mut().finish();
        let cpu = self.event_loop.screen_mut().cpu_used().as_secs_f64();
        let swarm = self.event_loop.machine();
        let mut report = Report::new(&self.plan, swarm.tally(), swarm.ending());
        report.generator.cpu_seconds = cpu;
        report.generator.cpu_share = if report.seconds > 0.0 { cpu / report.seconds } else { 0.0 };
        Ok(report)
    }
}

/// Be one of several processes: tell each pause on stdout, take `go` from stdin, and end with the report.
pub(super) fn work(plan: Plan) -> io::Result<()> {
    let mut local = Local::new(plan, false)?;
    local.event_loop = local.event_loop.with_stdin(Stdin::inherited())?;
    let mut stdout = io::stdout().lock();
    loop {
        let event = local.wait()?;
        if event == Event::Over {
            break;
        }
        writeln!(stdout, "{}", word(event))?;
        stdout.flush()?;
    }
    writeln!(stdout, "{}", word(Event::Over))?;
    serde_json::to_writer(&mut stdout, &local.report()?)?;
    writeln!(stdout)
}

const EVENTS: [Event; 5] = [
    Event::Trigger,
    Event::Paused(Pause::BeforeStart),
    Event::Paused(Pause::BeforeRound),
    Event::Paused(Pause::BeforeEnd),
    Event::Over,
];

/// How a process tells another one of an event.
fn word(event: Event) -> &'static str {
    match event {
        Event::Trigger => "trigger",
        Event::Paused(Pause::BeforeStart) => "before-start",
        Event::Paused(Pause::BeforeRound) => "before-round",
        Event::Paused(Pause::BeforeEnd) => "before-end",
        Event::Over => "over",
    }
}

/// Several processes, each with a share of the peers.
pub(super) struct Workers(Vec<Worker>);

struct Worker {
    child: Child,
    /// Closed with us, whatever happens to us: the worker ends then.
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// What it waits with, unless it is at work.
    event: Option<Event>,
}

impl Workers {
    /// Starts one for each of these command lines.
    pub(super) fn start(command_lines: impl Iterator<Item = Vec<OsString>>) -> io::Result<Self> {
        let program = std::env::current_exe()?;
        command_lines.map(|arguments| Worker::start(&program, arguments)).collect::<io::Result<_>>().map(Self)
    }
}

impl Worker {
    fn start(program: &Path, arguments: Vec<OsString>) -> io::Result<Self> {
        let mut command = Command::new(program);
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, stdin, stdout: BufReader::new(stdout), event: None })
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            return Err(io::Error::other(format!("a generator process ended early: {status}")));
        }
        Ok(line)
    }

    fn wait(&mut self) -> io::Result<Event> {
        if let Some(event) = self.event {
            return Ok(event);
        }
        let line = self.read_line()?;
        let event = EVENTS.into_iter().find(|&event| word(event) == line.trim_end());
        let event = event.ok_or_else(|| io::Error::other(format!("a generator process said {line:?}")))?;
        self.event = Some(event);
        Ok(event)
    }
}

impl Generator for Workers {
    fn wait(&mut self) -> io::Result<Event> {
        let mut earliest = Event::Over;
        for worker in &mut self.0 {
            earliest = earliest.min(worker.wait()?);
        }
        if earliest == Event::Trigger {
            self.0.iter_mut().for_each(|worker| worker.event = worker.event.filter(|&e| e != Event::Trigger));
        }
        Ok(earliest)
    }

    fn rest(&mut self, time: Duration) -> io::Result<()> {
        thread::sleep(time);
        Ok(())
    }

    fn go(&mut self) -> io::Result<()> {
        let earliest = self.0.iter().filter_map(|worker| worker.event).min();
        for worker in self.0.iter_mut().filter(|worker| worker.event == earliest) {
            worker.event = None;
            // Who was interrupted does not listen any more; its report follows.
            let _ = writeln!(worker.stdin, "{GO}");
        }
        Ok(())
    }

    fn report(&mut self) -> io::Result<Report> {
        let mut sum: Option<Report> = None;
        for worker in &mut self.0 {
            let report: Report = serde_json::from_str(&worker.read_line()?)?;
            worker.child.wait()?;
            match &mut sum {
                None => sum = Some(report),
                Some(sum) => sum.add(&report).map_err(io::Error::other)?,
            }
        }
        sum.ok_or_else(|| io::Error::other("there was no generator"))
    }
}
