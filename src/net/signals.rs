//! The signals that end the program, as one more source of the event queue.

use mio::{Interest, Registry, Token};
use rustix::process::Signal;
use signal_hook_mio::v1_0::Signals;
use std::io;

/// Catches SIGINT, SIGTERM and SIGHUP from here on.
pub(super) fn register(registry: &Registry, token: Token) -> io::Result<Signals> {
    let ending = [Signal::INT, Signal::TERM, Signal::HUP].map(Signal::as_raw);
    let mut signals = Signals::new(ending)?;
    registry.register(&mut signals, token, Interest::READABLE)?;
    Ok(signals)
}
