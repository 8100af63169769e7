//! The target as a process of this host: its CPU clock, its memory, and stopping it for a moment.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs;
use std::io;
use std::time::Duration;

/// A process that we were told of.
#[derive(Debug)]
pub(super) struct Target {
    pid: Pid,
}

/// What a process has used by now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// User and system time of all its threads.
    pub(super) cpu: Duration,
    /// Resident memory, in bytes.
    pub(super) memory: u64,
}

impl Target {
    /// Fails if there is no such process, or this system does not tell what it uses.
    pub(super) fn new(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        cpu_of(pid)?;
        Ok(Self { pid })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// Fails if we are not allowed to stop it.
    pub(super) fn may_stop(&self) -> io::Result<()> {
        Ok(test_kill_process(self.pid)?)
    }

    pub(super) fn cpu(&self) -> Duration {
        // A process that has ended has no clock any more; it uses nothing either.
        cpu_of(self.pid).unwrap_or_default()
    }

    /// What it has used by now; `None` if it has ended.
    pub(super) fn sample(&self) -> Option<Sample> {
        Some(Sample { cpu: cpu_of(self.pid).ok()?, memory: self.memory()? })
    }

    pub(super) fn name(&self) -> String {
        let name = fs::read_to_string(self.file("comm")).unwrap_or_default();
        name.trim_end().to_owned()
    }

    /// How many files it may have open.
    pub(super) fn descriptors_max(&self) -> Option<u64> {
        let limits = fs::read_to_string(self.file("limits")).ok()?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Whether it sleeps: neither running nor stopped.
    pub(super) fn is_idle(&self) -> bool {
        self.state() != Some('R')
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state() == Some('T')
    }

    /// Whether it has ended. Until its parent asks after it, there is still something that takes signals.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.state(), None | Some('Z' | 'X'))
    }

    /// Stops it until the guard is dropped; `None` if it has ended. Only what kills us at once, without
    /// a signal that we catch, can leave it stopped.
    pub(super) fn stop(&self) -> io::Result<Option<Stopped<'_>>> {
        match kill_process(self.pid, Signal::STOP) {
            Ok(()) if self.is_gone() => Ok(None),
            Ok(()) => Ok(Some(Stopped(self))),
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn memory(&self) -> Option<u64> {
        let status = fs::read_to_string(self.file("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    }

    fn state(&self) -> Option<char> {
        let stat = fs::read_to_string(self.file("stat")).ok()?;
        // The name before it stands in brackets and may hold anything.
        stat.rsplit_once(") ")?.1.chars().next()
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.pid.as_raw_pid())
    }
}

/// A process that is stopped; it goes on when this is dropped.
#[derive(Debug)]
pub(super) struct Stopped<'a>(&'a Target);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        let _ = kill_process(self.0.pid, Signal::CONT);
    }
}

/// User and system time of all threads of a process, to the nanosecond.
#[cfg(target_os = "linux")]
fn cpu_of(pid: Pid) -> io::Result<Duration> {
    let clock = nix::time::clock_getcpuclockid(nix::unistd::Pid::from_raw(pid.as_raw_pid()))?;
    Ok(nix::time::clock_gettime(clock)?.into())
}

#[cfg(not(target_os = "linux"))]
fn cpu_of(_pid: Pid) -> io::Result<Duration> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "--pid needs Linux"))
}
