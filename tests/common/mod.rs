//! Shared by the test crates: the program under test, and peers that follow a script.
//!
//! Nothing here sleeps. Everything is awaited, with a deadline that is reached only by a failure.

#![allow(dead_code, reason = "each test crate uses its part")]

pub(crate) mod output;
pub(crate) mod peer;
pub(crate) mod port;
pub(crate) mod program;

use std::io::Write;
use std::time::Duration;

/// How long to wait for what must come. It is long, because a loaded machine is slow but correct.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Says that something is not tested here, and why; on the real stderr, which no test runner captures.
pub(crate) fn skip(why: &str) {
    writeln!(std::io::stderr(), "SKIPPED: {why}").expect("somebody reads stderr");
}
