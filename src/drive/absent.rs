//! What stands in place of the load generator in a program that was built without it.

use crate::output::tell;
use args::SwarmArgs;
use std::io;

/// Whether this program has it.
pub(crate) const IS_HERE: bool = false;

/// Wrong usage.
const EXIT_USAGE: u8 = 2;

const WHY: &str = "chinwag swarm: this program was built without its load generator; built with the feature `bench`, as \
                   it is by default, it has one";

/// Says that there is none; gives the exit code.
pub(crate) fn run(_: SwarmArgs) -> io::Result<u8> {
    tell(WHY);
    Ok(EXIT_USAGE)
}

pub(crate) mod args {
    use std::ffi::OsString;

    /// Whatever was typed.
    #[derive(Debug, clap::Args)]
    #[command(disable_help_flag = true, override_help = super::WHY)]
    pub(crate) struct SwarmArgs {
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        _words: Vec<OsString>,
    }

    impl SwarmArgs {
        /// Whether this is one of several processes that another one directs.
        pub(crate) const fn is_worker(&self) -> bool {
            false
        }
    }
}
