//! The signals that end the program, and those that change its terminal, as more sources of the event queue.
//!
//! While the terminal is ours, the signals that would kill the program are caught first: the terminal is given back,
//! and then the program dies of that signal, so that a parent and a core file say the same as ever. Nobody says
//! goodbye then: whoever sends SIGQUIT wants an end at once, and nobody knows what another means by SIGUSR1. A second
//! signal kills even if the loop is held up. The terminal is taken over with the first flush, when all this is in
//! place.

use mio::{Interest, Registry, Token};
use rustix::process::Signal;
use signal_hook::flag;
use signal_hook::low_level::emulate_default_handler;
use signal_hook_mio::v1_0::Signals;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What ends a process that does not catch it, apart from what asks for a graceful end. Those of a fault, as
/// SIGSEGV, are left out: whoever returns from them runs into it again.
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

/// The same of Linux alone; the last ones are those without a name.
#[cfg(target_os = "linux")]
const DEADLY_ON_LINUX: [std::ops::RangeInclusive<i32>; 4] = [
    Signal::STKFLT.as_raw()..=Signal::STKFLT.as_raw(),
    Signal::IO.as_raw()..=Signal::IO.as_raw(),
    Signal::POWER.as_raw()..=Signal::POWER.as_raw(),
    35..=64,
];

/// What a shell adds to the number of a signal that ended a program.
const EXIT_SIGNALLED: i32 = 128;

/// What signals ask of whoever has the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To give it back, and to die of this one.
    Die(i32),
    /// To draw anew.
    Redraw,
    /// To give it back and to stop.
    Stop,
}

/// Those of SIGINT, SIGTERM and SIGHUP that are to end the program. Whoever started it may want it to outlive some:
/// `nohup` ignores SIGHUP, and a script the SIGINT of what it runs with `&`.
pub fn ends() -> impl Iterator<Item = i32> {
    wanted([Signal::INT, Signal::TERM, Signal::HUP].into_iter().map(Signal::as_raw))
}

/// Catches [what ends us](ends) from here on. SIGXFSZ too, lest it kills us: the write that went over a
/// limit on the size of files fails as well, as it does on a full disk.
pub(super) fn register(registry: &Registry, token: Token) -> io::Result<Signals> {
    registered(Signals::new(ends().chain([Signal::XFSZ.as_raw()]))?, registry, token)
}

/// How many of the signals that have come want the program to end.
pub(super) fn count_ends(signals: &mut Signals) -> usize {
    signals.pending().filter(|&signal| signal != Signal::XFSZ.as_raw()).count()
}

/// Catches SIGWINCH, SIGCONT and SIGTSTP from here on, and what would end us with the terminal in our hands.
pub(super) fn register_terminal(registry: &Registry, token: Token) -> io::Result<Signals> {
    let changes = [Signal::WINCH, Signal::CONT, Signal::TSTP].into_iter().map(Signal::as_raw);
    let signals = Signals::new(wanted(changes))?;
    for signal in wanted(deadly()) {
        // Should something hold us up, the second one kills us as if nobody caught it.
        let has_come = Arc::new(AtomicBool::new(false));
        let _ = flag::register_conditional_default(signal, Arc::clone(&has_come));
        // Not every C library gives away every signal without a name.
        if let Err(error) = flag::register(signal, has_come).and_then(|_| signals.add_signal(signal)) {
            log::debug!("signal {signal} cannot be caught: {error}");
        }
    }
    registered(signals, registry, token)
}

/// What the signals of the terminal that have come ask for. Their order is lost: if the program was to stop and
/// was also woken, it goes on.
pub(super) fn asked(signals: &mut Signals) -> Asked {
    let pending: Vec<i32> = signals.pending().collect();
    let has = |signal: Signal| pending.contains(&signal.as_raw());
    match deadly().find(|signal| pending.contains(signal)) {
        Some(signal) => Asked::Die(signal),
        None if has(Signal::TSTP) && !has(Signal::CONT) => Asked::Stop,
        None => Asked::Redraw,
    }
}

/// Ends the process as this signal does where nobody catches it, with a core if there would be one.
pub(super) fn die(signal: i32) -> ! {
    // It comes back from the few that it does not know.
    let _ = emulate_default_handler(signal);
    std::process::exit(EXIT_SIGNALLED + signal)
}

fn deadly() -> impl Iterator<Item = i32> {
    let everywhere = DEADLY.into_iter().map(Signal::as_raw);
    #[cfg(target_os = "linux")]
    let everywhere = everywhere.chain(DEADLY_ON_LINUX.into_iter().flatten());
    everywhere
}

/// Those of them that whoever started us does not want ignored.
fn wanted(signals: impl Iterator<Item = i32>) -> impl Iterator<Item = i32> {
    let ignored = Ignored::now();
    signals.filter(move |&signal| !ignored.has(signal))
}

/// The signals that are ignored, a bit each. Only Linux tells.
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
