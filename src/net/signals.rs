//! The signals that end the program, and those that change its terminal, as more sources of the event queue.
//!
//! While we control the terminal, signals that would kill the program are caught first: the terminal is restored, and
//! then the program dies of that signal, so that a parent and a core file see the same as usual. No farewells are sent
//! then: whoever sends SIGQUIT wants an end at once, and what SIGUSR1 should mean is unknown. A second signal kills
//! the program even if the loop hangs. The terminal is taken over at the first flush, when all this is in place.

use mio::{Interest, Registry, Token};
use rustix::process::Signal;
use signal_hook::flag;
use signal_hook::low_level::emulate_default_handler;
use signal_hook_mio::v1_0::Signals;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The signals that kill a process that does not catch them, except those that ask for a graceful end. Signals of a
/// fault, such as SIGSEGV, are left out: after a handler returns, the fault happens again.
const DEADLY: [Signal; 10] = [
    Signal::QUIT,
    Signal::TRAP,
    Signal::ABORT,
    Signal::USR1,
    Signal::USR2,
    Signal::ALARM,
    Signal::XCPU,
    Signal::VTALARM,
    Signal::PROF,
    Signal::SYS,
];

/// Deadly signals that only Linux has; the last ones are the real-time signals, which have no names.
#[cfg(target_os = "linux")]
const DEADLY_ON_LINUX: [std::ops::RangeInclusive<i32>; 4] = [
    Signal::STKFLT.as_raw()..=Signal::STKFLT.as_raw(),
    Signal::IO.as_raw()..=Signal::IO.as_raw(),
    Signal::POWER.as_raw()..=Signal::POWER.as_raw(),
    35..=64,
];

/// What a shell adds to the number of the signal that ended a program.
const EXIT_SIGNALLED: i32 = 128;

/// What signals ask of the owner of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Give it back, and die of this signal.
    Die(i32),
    /// Draw everything again.
    Redraw,
    /// Give it back and stop.
    Stop,
}

/// Those of SIGINT, SIGTERM and SIGHUP that end the program. Some may be ignored by whoever started it: `nohup`
/// ignores SIGHUP, and a script ignores SIGINT for what it runs with `&`.
pub fn ends() -> impl Iterator<Item = i32> {
    wanted([Signal::INT, Signal::TERM, Signal::HUP].into_iter().map(Signal::as_raw))
}

/// Catches [what ends us](ends) from here on. SIGXFSZ is caught too, so that it does not kill us: the write that
/// exceeded the limit on file sizes also fails, as on a full disk.
pub(super) fn register(registry: &Registry, token: Token) -> io::Result<Signals> {
    registered(Signals::new(ends().chain([Signal::XFSZ.as_raw()]))?, registry, token)
}

/// How many of the signals that came ask the program to end.
pub(super) fn count_ends(signals: &mut Signals) -> usize {
    signals.pending().filter(|&signal| signal != Signal::XFSZ.as_raw()).count()
}

/// Catches SIGWINCH, SIGCONT and SIGTSTP from here on, and the signals that would kill us while we control the
/// terminal.
pub(super) fn register_terminal(registry: &Registry, token: Token) -> io::Result<Signals> {
    let changes = [Signal::WINCH, Signal::CONT, Signal::TSTP].into_iter().map(Signal::as_raw);
    let signals = Signals::new(wanted(changes))?;
    for signal in wanted(deadly()) {
        // If the loop hangs, the second one kills us as if it were not caught.
        let has_come = Arc::new(AtomicBool::new(false));
        let _ = flag::register_conditional_default(signal, Arc::clone(&has_come));
        // Some C libraries keep a few real-time signals for themselves.
        if let Err(error) = flag::register(signal, has_come).and_then(|_| signals.add_signal(signal)) {
            log::debug!("signal {signal} cannot be caught: {error}");
        }
    }
    registered(signals, registry, token)
}

/// What the terminal signals that came ask for. Their order is lost: if the program was told both to stop and to
/// continue, it continues.
pub(super) fn asked(signals: &mut Signals) -> Asked {
    let pending: Vec<i32> = signals.pending().collect();
    let has = |signal: Signal| pending.contains(&signal.as_raw());
    match deadly().find(|signal| pending.contains(signal)) {
        Some(signal) => Asked::Die(signal),
        None if has(Signal::TSTP) && !has(Signal::CONT) => Asked::Stop,
        None => Asked::Redraw,
    }
}

/// Ends the process as this signal does when it is not caught, with a core file if the signal makes one.
pub(super) fn die(signal: i32) -> ! {
    // It returns only for the few signals that it does not know.
    let _ = emulate_default_handler(signal);
    std::process::exit(EXIT_SIGNALLED + signal)
}

fn deadly() -> impl Iterator<Item = i32> {
    let everywhere = DEADLY.into_iter().map(Signal::as_raw);
    #[cfg(target_os = "linux")]
    let everywhere = everywhere.chain(DEADLY_ON_LINUX.into_iter().flatten());
    everywhere
}

/// Those that were not ignored when the program started.
fn wanted(signals: impl Iterator<Item = i32>) -> impl Iterator<Item = i32> {
    let ignored = Ignored::now();
    signals.filter(move |&signal| !ignored.has(signal))
}

/// The signals that are ignored, one bit each. Only Linux reports them.
struct Ignored(u64);

impl Ignored {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        Self(mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default())
    }

    fn has(&self, signal: i32) -> bool {
        self.0 >> (signal - 1) & 1 == 1
    }
}

fn registered(mut signals: Signals, registry: &Registry, token: Token) -> io::Result<Signals> {
    registry.register(&mut signals, token, Interest::READABLE)?;
    Ok(signals)
}
