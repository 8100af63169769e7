//! The CPU time that a generator used, and the CPU time that it could have used and did not get.

use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::time::Duration;

/// The use up to now, or between two moments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OwnUse {
    /// User and system time of this process.
    pub(super) cpu: Duration,
    /// How long its thread could have run while others had the CPU.
    pub(super) waited: Duration,
    /// Ticks of all CPUs, and those of them that the host of this virtual machine gave to others.
    ticks: u64,
    stolen: u64,
}

impl OwnUse {
    /// The use up to now. What this system does not report stays zero.
    pub(super) fn now() -> Self {
        let (ticks, stolen) = ticks(&read("/proc/stat"));
        Self {
            cpu: clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default(),
            waited: waited(&read("/proc/thread-self/schedstat")),
            ticks,
            stolen,
        }
    }

    /// The use since `then`.
    pub(super) fn since(self, then: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(then.cpu),
            waited: self.waited.saturating_sub(then.waited),
            ticks: self.ticks.saturating_sub(then.ticks),
            stolen: self.stolen.saturating_sub(then.stolen),
        }
    }

    /// The share of all CPUs that was given to other virtual machines.
    pub(super) fn stolen_share(self) -> f64 {
        self.stolen as f64 / self.ticks.max(1) as f64
    }
}

fn read(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

/// The file has the time on the CPU, then the time of waiting for it, both in nanoseconds.
fn waited(schedstat: &str) -> Duration {
    let nanoseconds = schedstat.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

/// The columns are user, nice, system, idle, iowait, irq, softirq and steal. The columns behind them, the time of
/// guests, are already counted in the first two.
fn ticks(stat: &str) -> (u64, u64) {
    let of_all = stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let ticks: Vec<u64> = of_all.split_whitespace().take(8).map_while(|word| word.parse().ok()).collect();
    (ticks.iter().sum(), ticks.get(7).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_does_not_report_is_zero() {
        assert_eq!(ticks("cpu  10 0 20 60 0 0 0 10 5 0\ncpu0 1 2 3\n"), (100, 10));
        assert_eq!(ticks("cpu  10 0 20 60\n"), (90, 0));
        assert_eq!((ticks(""), ticks("cpu0 1 2 3 4")), ((0, 0), (0, 0)));
        assert_eq!(waited("100 250 3\n"), Duration::from_nanos(250));
        assert_eq!((waited(""), waited("100"), waited("x y")), Default::default());
    }
}
