//! Several processes, each with a share of the peers, that this one directs.
//!
//! They are in a process group of their own, so that the terminal interrupts only this one, which passes
//! every signal on: then it does not matter whether a signal was meant for the process or for its group.

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

/// All of them.
pub(super) struct Workers {
    workers: Vec<Worker>,
    signals: Signals,
    /// A signal was passed on: they end, and tell so when they are next listened to.
    is_interrupted: bool,
}

struct Worker {
    child: Child,
    /// Closed with us, whatever happens to us: the worker ends then.
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// What it waits with, unless it is at work.
    event: Option<Event>,
}

impl Workers {
    /// Starts one for each of these plans.
    pub(super) fn start(plans: impl Iterator<Item = Plan>) -> io::Result<Self> {
        let signals = Signals::new(signals::ends())?;
        let program = std::env::current_exe()?;
        let workers = plans.map(|plan| Worker::start(&program, &plan)).collect::<io::Result<_>>()?;
        let mut all = Self { workers, signals, is_interrupted: false };
        // A signal before that would kill it without a report.
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
            // Who tells of these goes on at once.
            for worker in self.workers.iter_mut().filter(|worker| worker.event == Some(earliest)) {
                worker.event = None;
            }
        }
        Ok(earliest)
    }

    fn rest(&mut self, time: Duration) -> io::Result<bool> {
        // Only a signal cannot be left for later; it ends the wait.
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
            // Who was interrupted does not listen any more; its report follows.
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
        sum.ok_or_else(|| io::Error::other("there was no generator"))
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

    /// Waits a moment for it to say something; a signal ends the wait.
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
        event(line.trim_end()).ok_or_else(|| io::Error::other(format!("a generator process said {line:?}")))
    }

    fn expect(&mut self, word: &str) -> io::Result<()> {
        let line = self.read_line()?;
        let is_it = line.trim_end() == word;
        is_it.then_some(()).ok_or_else(|| io::Error::other(format!("a generator process said {line:?}")))
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            return Err(io::Error::other(format!("a generator process ended early: {status}")));
        }
        Ok(line)
    }

    /// With the very signal that came to us: another one it may have been told to ignore, as we were.
    fn interrupt(&self, signal: Signal) {
        // It is our child until it was waited for, so that this can be nobody else; it may be over.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }
}

/// Nobody is left behind when the run fails. After a report it has ended by itself.
impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
