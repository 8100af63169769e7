//! The signals that end the program, and those that change its terminal, as more sources of the event queue.

use mio::{Interest, Registry, Token};
use rustix::process::Signal;
use signal_hook_mio::v1_0::Signals;
use std::io;

/// Catches SIGINT, SIGTERM and SIGHUP from here on. SIGXFSZ too, lest it kills us: the write that went over a
/// limit on the size of files fails as well, as it does on a full disk.
pub(super) fn register(registry: &Registry, token: Token) -> io::Result<Signals> {
    caught([Signal::INT, Signal::TERM, Signal::HUP, Signal::XFSZ], registry, token)
}

/// How many of the signals that have come want the program to end.
pub(super) fn count_ends(signals: &mut Signals) -> usize {
    signals.pending().filter(|&signal| signal != Signal::XFSZ.as_raw()).count()
}

/// Catches SIGWINCH, SIGCONT and SIGTSTP from here on.
pub(super) fn register_terminal(registry: &Registry, token: Token) -> io::Result<Signals> {
    caught([Signal::WINCH, Signal::CONT, Signal::TSTP], registry, token)
}

/// Whether the signals of the terminal that have come want the program to stop. Their order is lost: if it was
/// also woken, it goes on.
pub(super) fn must_stop(signals: &mut Signals) -> bool {
    let pending: Vec<i32> = signals.pending().collect();
    let has = |signal: Signal| pending.contains(&signal.as_raw());
    has(Signal::TSTP) && !has(Signal::CONT)
}

fn caught<const N: usize>(which: [Signal; N], registry: &Registry, token: Token) -> io::Result<Signals> {
    let mut signals = Signals::new(which.map(Signal::as_raw))?;
    registry.register(&mut signals, token, Interest::READABLE)?;
    Ok(signals)
}
