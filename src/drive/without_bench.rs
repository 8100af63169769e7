//! Stands in for the load generator in a program that was built without it.

use crate::output::tell;
use args::SwarmArgs;
use std::io;

/// Whether this program has the load generator.
pub(crate) const IS_HERE: bool = false;

/// The exit code of wrong usage.
const EXIT_USAGE: u8 = 2;

const WHY: &str = "chinwag swarm: this program was built without its load generator; build it with the feature \
                   `bench`, which is on by default";

/// Says that the load generator is missing; returns the exit code.
pub(crate) fn run(_: SwarmArgs) -> io::Result<u8> {
    tell(WHY);
    Ok(EXIT_USAGE)
}

pub(crate) mod args {
    use std::ffi::OsString;

    /// Takes whatever was typed.
    #[derive(Debug, clap::Args)]
    #[command(disable_help_flag = true, override_help = super::WHY)]
    pub(crate) struct SwarmArgs {
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        _words: Vec<OsString>,
    }

    impl SwarmArgs {
        /// Whether this is a worker: one of several processes that another process directs.
        pub(crate) const fn is_worker(&self) -> bool {
            false
        }
    }
}
