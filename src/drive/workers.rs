//! The workers: several processes, each with a share of the peers, that this process directs. They are the same
//! program, with a plan on the command line, `go` on stdin and events on stdout. Their reports add up exactly,
//! histograms included.
//!
//! Each worker has a process group of its own, so the terminal interrupts only this process, which passes every
//! signal on. So a signal has the same effect whether it was sent to this process or to its group.

use super::generator::{Generator, READY, event};
use super::panel::Event;
use chinwag::limits::SWARM_SIGNAL_POLL;
use chinwag::net::signals;
use chinwag::swarm::generator::GO;
use chinwag::swarm::plan::Plan;
use chinwag::swarm::report::Report;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook_mio::v1_0::Signals;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// All workers.
pub(super) struct Workers {
    workers: Vec<Worker>,
    signals: Signals,
    /// A signal was passed on. The workers end, and the next `wait` reads that they do.
    is_interrupted: bool,
}

struct Worker {
    child: Child,
    /// It closes when this process ends, however that happens. Then the worker ends too.
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// The event that it has reported and waits with; `None` while it works.
    event: Option<Event>,
}

impl Workers {
    /// Starts a worker for each of these plans.
    pub(super) fn start(plans: impl Iterator<Item = Plan>) -> io::Result<Self> {
        let signals = Signals::new(signals::ends())?;
        let program = std::env::current_exe()?;
        let workers = plans.map(|plan| Worker::start(&program, &plan)).collect::<io::Result<_>>()?;
        let mut all = Self { workers, signals, is_interrupted: false };
        // A signal that comes before a worker is ready would kill it without a report.
        all.workers.iter_mut().try_for_each(|worker| worker.expect(READY))?;
        Ok(all)
    }

    fn pass_signals_on(&mut self) {
        for signal in self.signals.pending().filter_map(Signal::from_named_raw) {
            self.is_interrupted = true;
            self.workers.iter().for_each(|worker| worker.interrupt(signal));
        }
    }
}

impl Generator for Workers {
    fn wait(&mut self) -> io::Result<Event> {
        loop {
            self.pass_signals_on();
            let Some(worker) = self.workers.iter_mut().find(|worker| worker.event.is_none()) else { break };
            if worker.has_word()? {
                worker.event = Some(worker.read_event()?);
            }
        }
        let earliest = self.workers.iter().filter_map(|worker| worker.event).min().unwrap_or(Event::Over);
        if matches!(earliest, Event::Interrupted | Event::Trigger) {
            // A worker that reports one of these goes on at once.
            for worker in self.workers.iter_mut().filter(|worker| worker.event == Some(earliest)) {
                worker.event = None;
            }
        }
        Ok(earliest)
    }

    fn rest(&mut self, time: Duration) -> io::Result<bool> {
        // All but a signal can be read later; a signal ends the rest.
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        match poll(&mut [], Some(&time)) {
            Ok(_) | Err(Errno::INTR) => self.pass_signals_on(),
            Err(error) => return Err(error.into()),
        }
        let is_over = self.workers.iter().all(|worker| worker.event == Some(Event::Over));
        Ok(!is_over && !self.is_interrupted)
    }

    fn go(&mut self) -> io::Result<()> {
        let earliest = self.workers.iter().filter_map(|worker| worker.event).min();
        for worker in self.workers.iter_mut().filter(|worker| worker.event == earliest) {
            worker.event = None;
            // An interrupted worker reads no more lines; its report follows.
            let _ = writeln!(worker.stdin, "{GO}");
        }
        Ok(())
    }

    fn report(&mut self) -> io::Result<Report> {
        let mut sum: Option<Report> = None;
        for worker in &mut self.workers {
            let report: Report = serde_json::from_str(&worker.read_line()?)?;
            worker.child.wait()?;
            match &mut sum {
                None => sum = Some(report),
                Some(sum) => sum.add(&report).map_err(io::Error::other)?,
            }
        }
        sum.ok_or_else(|| io::Error::other("no generator process was started"))
    }
}

impl Worker {
    fn start(program: &Path, plan: &Plan) -> io::Result<Self> {
        let (target, plan) = (plan.target.to_string(), serde_json::to_string(plan)?);
        let mut command = Command::new(program);
        command.args(["swarm", &target, "--worker", &plan]).process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, stdin, stdout: BufReader::new(stdout), event: None })
    }

    /// Waits a moment for a line of it; a signal ends the wait.
    fn has_word(&self) -> io::Result<bool> {
        if !self.stdout.buffer().is_empty() {
            return Ok(true);
        }
        let moment = Timespec::try_from(SWARM_SIGNAL_POLL).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(self.stdout.get_ref(), PollFlags::IN)], Some(&moment)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn read_event(&mut self) -> io::Result<Event> {
        let line = self.read_line()?;
        event(line.trim_end())
            .ok_or_else(|| io::Error::other(format!("unexpected line of a generator process: {line:?}")))
    }

    fn expect(&mut self, word: &str) -> io::Result<()> {
        let line = self.read_line()?;
        let is_it = line.trim_end() == word;
        is_it
            .then_some(())
            .ok_or_else(|| io::Error::other(format!("unexpected line of a generator process: {line:?}")))
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            return Err(io::Error::other(format!("a generator process ended early: {status}")));
        }
        Ok(line)
    }

    /// Passes on the same signal that came to us. It may ignore another one, because we may have been started with
    /// that one ignored.
    fn interrupt(&self, signal: Signal) {
        // Nobody else can have its number until we have waited for our child. It may have ended already.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }
}

/// No worker is left behind when the run fails. After its report a worker ends by itself.
impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
