//! The target as a process of this host: its CPU clock, its memory, and stopping it for a moment.

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, test_kill_process};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::Duration;

/// A process that we were told of, and whatever it starts.
#[derive(Debug)]
pub(super) struct Target {
    pid: Pid,
    /// What signals go to: should the process end, its number may soon be that of another one. `None` where the
    /// kernel is too old for that.
    handle: Option<OwnedFd>,
    /// Its processes, all that were ever looked at.
    seen: RefCell<BTreeSet<u32>>,
}

/// What a process and those that it started have used by now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// User and system time of all threads.
    pub(super) cpu: Duration,
    /// Resident memory, in bytes. Of several processes, each with its part of what they share.
    pub(super) memory: u64,
    /// How many there are.
    pub(super) processes: usize,
}

impl Target {
    /// Fails if there is no such process, or this system does not tell what it uses.
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
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this kernel is too old for it"));
        }
        Ok(test_kill_process(self.pid)?)
    }

    /// What it and those that it started have used. Those that have ended are in it, to a hundredth of a second.
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

    /// Whether it does not ask after those that it started: what they used goes with them.
    pub(super) fn is_careless(&self) -> bool {
        let ignored = field(self.pid, "status", "SigIgn:");
        let mask = ignored.and_then(|mask| u64::from_str_radix(&mask, 16).ok()).unwrap_or_default();
        mask >> (Signal::CHILD.as_raw() - 1) & 1 == 1
    }

    /// Whether some of those that were there once are not there any more.
    pub(super) fn has_lost_some(&self) -> bool {
        let family = self.family();
        self.seen.borrow().iter().any(|&seen| !family.iter().any(|&pid| number(pid) == seen))
    }

    /// Itself, those that it started, those that these started, and so on; but not us, should it be our parent.
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

    /// Whether all of it sleeps: is neither running nor stopped.
    pub(super) fn is_idle(&self) -> bool {
        self.family().into_iter().all(|pid| state(pid) != Some('R'))
    }

    pub(super) fn is_stopped(&self) -> bool {
        state(self.pid) == Some('T')
    }

    /// Whether it has ended. Until its parent asks after it, there is still something that takes signals.
    pub(super) fn is_gone(&self) -> bool {
        matches!(state(self.pid), None | Some('Z' | 'X'))
    }

    /// Stops it until the guard is dropped; `None` if it has ended. Only what kills us at once, without
    /// a signal that we catch, can leave it stopped.
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

/// What a process is called.
pub(super) fn name(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}

/// Its number as everybody writes it.
pub(super) fn number(pid: Pid) -> u32 {
    pid.as_raw_pid().unsigned_abs()
}

/// The first word behind the name of a field in one of the files about a process.
fn field(pid: Pid, file: &str, name: &str) -> Option<String> {
    let text = read(pid, file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next().map(str::to_owned)
}

fn read(pid: Pid, file: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/{}/{file}", number(pid))).ok()
}

/// What stands behind the name in the line of figures about a process. The name may hold anything.
fn figures(pid: Pid) -> Option<String> {
    Some(read(pid, "stat")?.rsplit_once(") ")?.1.to_owned())
}

fn state(pid: Pid) -> Option<char> {
    figures(pid)?.chars().next()
}

/// Those that were started by any of its threads.
fn children(pid: Pid) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{}/task", number(pid))).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers =
        |list: String| -> Vec<i32> { list.split_whitespace().filter_map(|word| word.parse().ok()).collect() };
    lists.flat_map(numbers).filter_map(Pid::from_raw).collect()
}

/// Its resident memory. What the kernel keeps count of is off by some pages for each CPU, so they are counted anew
/// where we may.
fn resident(pid: Pid) -> Option<u64> {
    let kib = field(pid, "smaps_rollup", "Rss:").or_else(|| field(pid, "status", "VmRSS:"))?;
    Some(kib.parse::<u64>().ok()? * 1024)
}

/// Its resident memory, of what it shares with others only its part.
fn share_of_memory(pid: Pid) -> Option<u64> {
    Some(field(pid, "smaps_rollup", "Pss:")?.parse::<u64>().ok()? * 1024)
}

/// User and system time of the processes that it started and asked after when they had ended.
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

/// Something that stays with a process whatever becomes of its number.
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
