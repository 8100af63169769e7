//! The target as a process of this host: its CPU clock, its memory, and how it is stopped for a moment.
//!
//! The target is a process and its descendants. Their CPU clocks are added up, and so is the CPU time of
//! descendants that have ended, which their parents know. A parent that ignores SIGCHLD does not know it, and then
//! the report leaves the figures out.

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, test_kill_process};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::Duration;

/// The process that `--pid` names, and all that it starts.
#[derive(Debug)]
pub(super) struct Target {
    pid: Pid,
    /// Signals go to this handle, because another process may get the number when this one ends. `None` if the
    /// kernel is too old for such handles.
    handle: Option<OwnedFd>,
    /// All of its processes that were ever seen.
    seen: RefCell<BTreeSet<u32>>,
}

/// What a process and those that it started have used by now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// User and system time of all threads.
    pub(super) cpu: Duration,
    /// Resident memory, in bytes. If there are several processes, each counts with its part of what they share.
    pub(super) memory: u64,
    /// The number of processes.
    pub(super) processes: usize,
}

impl Target {
    /// Fails if there is no such process, or if this system does not report what it uses.
    pub(super) fn new(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        cpu_of(pid)?;
        Ok(Self { pid, handle: open(pid), seen: RefCell::default() })
    }

    pub(super) fn pid(&self) -> u32 {
        number(self.pid)
    }

    /// Fails if we are not allowed to stop it.
    pub(super) fn may_stop(&self) -> io::Result<()> {
        if self.handle.is_none() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this kernel is too old for that"));
        }
        Ok(test_kill_process(self.pid)?)
    }

    /// The CPU time of the process and of those that it started. It includes those that have ended, to a hundredth
    /// of a second.
    pub(super) fn cpu(&self) -> Duration {
        // A process that has ended has no clock any more; it uses nothing either.
        let used = |&pid: &Pid| cpu_of(pid).unwrap_or_default() + cpu_of_ended(pid).unwrap_or_default();
        self.family().iter().map(used).sum()
    }

    /// What it has used by now; `None` if it has ended.
    pub(super) fn sample(&self) -> Option<Sample> {
        cpu_of(self.pid).ok()?;
        let family = self.family();
        let memory = match &family[..] {
            [alone] => resident(*alone)?,
            all => all.iter().filter_map(|&pid| share_of_memory(pid).or_else(|| resident(pid))).sum(),
        };
        Some(Sample { cpu: self.cpu(), memory, processes: family.len() })
    }

    /// Whether it has started others.
    pub(super) fn has_children(&self) -> bool {
        self.family().len() > 1
    }

    /// Whether it ignores the end of the processes that it started. What they used is lost then.
    pub(super) fn is_careless(&self) -> bool {
        let ignored = field(self.pid, "status", "SigIgn:");
        let mask = ignored.and_then(|mask| u64::from_str_radix(&mask, 16).ok()).unwrap_or_default();
        mask >> (Signal::CHILD.as_raw() - 1) & 1 == 1
    }

    /// Whether some of the processes that were seen are gone.
    pub(super) fn has_lost_some(&self) -> bool {
        let family = self.family();
        self.seen.borrow().iter().any(|&seen| !family.iter().any(|&pid| number(pid) == seen))
    }

    /// The process itself, those that it started, those that these started, and so on. The load generator is left
    /// out, in case the target started it.
    pub(super) fn family(&self) -> Vec<Pid> {
        let mut family = vec![self.pid];
        let mut next = 0;
        while let Some(&parent) = family.get(next) {
            family.extend(children(parent).into_iter().filter(|&pid| number(pid) != std::process::id()));
            next += 1;
        }
        self.seen.borrow_mut().extend(family.iter().copied().map(number));
        family
    }

    pub(super) fn name(&self) -> String {
        name(self.pid())
    }

    /// How many files it may have open.
    pub(super) fn descriptors_max(&self) -> Option<u64> {
        field(self.pid, "limits", "Max open files")?.parse().ok()
    }

    /// Whether none of its processes is running.
    pub(super) fn is_idle(&self) -> bool {
        self.family().into_iter().all(|pid| state(pid) != Some('R'))
    }

    pub(super) fn is_stopped(&self) -> bool {
        state(self.pid) == Some('T')
    }

    /// Whether it has ended. Until its parent has waited for it, it is a zombie, and that still takes signals.
    pub(super) fn is_gone(&self) -> bool {
        matches!(state(self.pid), None | Some('Z' | 'X'))
    }

    /// Stops it until the guard is dropped; `None` if it has ended. It stays stopped only if something kills us by
    /// a signal that we cannot catch.
    pub(super) fn stop(&self) -> io::Result<Option<Stopped<'_>>> {
        match self.signal(Signal::STOP) {
            Ok(()) if self.is_gone() => Ok(None),
            Ok(()) => Ok(Some(Stopped(self))),
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn signal(&self, signal: Signal) -> rustix::io::Result<()> {
        self.handle.as_ref().map_or(Err(Errno::NOSYS), |handle| send(handle, signal))
    }
}

/// A process that is stopped; it goes on when this is dropped.
#[derive(Debug)]
pub(super) struct Stopped<'a>(&'a Target);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        let _ = self.0.signal(Signal::CONT);
    }
}

/// The name of a process.
pub(super) fn name(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}

/// The number of a process as a plain integer.
pub(super) fn number(pid: Pid) -> u32 {
    pid.as_raw_pid().unsigned_abs()
}

/// The first word after the name of a field, in one of the files that `/proc` has about a process.
fn field(pid: Pid, file: &str, name: &str) -> Option<String> {
    let text = read(pid, file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next().map(str::to_owned)
}

fn read(pid: Pid, file: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/{}/{file}", number(pid))).ok()
}

/// The figures of a process, which stand after its name in one line. The name may contain any character.
fn figures(pid: Pid) -> Option<String> {
    Some(read(pid, "stat")?.rsplit_once(") ")?.1.to_owned())
}

fn state(pid: Pid) -> Option<char> {
    figures(pid)?.chars().next()
}

/// The processes that any of its threads started.
fn children(pid: Pid) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{}/task", number(pid))).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers =
        |list: String| -> Vec<i32> { list.split_whitespace().filter_map(|word| word.parse().ok()).collect() };
    lists.flat_map(numbers).filter_map(Pid::from_raw).collect()
}

/// Its resident memory. The kernel's running count is wrong by some pages for each CPU, so we use the exact count
/// where we are allowed to read it.
fn resident(pid: Pid) -> Option<u64> {
    let kib = field(pid, "smaps_rollup", "Rss:").or_else(|| field(pid, "status", "VmRSS:"))?;
    Some(kib.parse::<u64>().ok()? * 1024)
}

/// Its resident memory, with only its part of what it shares with other processes.
fn share_of_memory(pid: Pid) -> Option<u64> {
    Some(field(pid, "smaps_rollup", "Pss:")?.parse::<u64>().ok()? * 1024)
}

/// User and system time of the processes that it started, and waited for when they had ended.
fn cpu_of_ended(pid: Pid) -> Option<Duration> {
    let figures = figures(pid)?;
    let ticks: u64 = figures.split(' ').skip(13).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
    Some(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
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

/// A handle that stays with a process, even if another process gets its number.
#[cfg(target_os = "linux")]
fn open(pid: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn open(_pid: Pid) -> Option<OwnedFd> {
    None
}

#[cfg(target_os = "linux")]
fn send(handle: &OwnedFd, signal: Signal) -> rustix::io::Result<()> {
    rustix::process::pidfd_send_signal(handle, signal)
}

#[cfg(not(target_os = "linux"))]
fn send(_handle: &OwnedFd, _signal: Signal) -> rustix::io::Result<()> {
    Err(Errno::NOSYS)
}
