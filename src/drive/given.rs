//! Which flags the user gave, to report those that have no effect in the chosen scenario.

use super::args::ScenarioName::{self, Burst, Churn, FanOut, Flood, Hold, Pace, Ping};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

/// The flags that only some scenarios use, each with these scenarios.
const TABLE: [(&str, &[ScenarioName]); 14] = [
    ("active", &[Ping]),
    ("batch", &[Flood, Pace, FanOut, Burst]),
    ("echo", &[Flood, Pace, Ping]),
    ("length", &[Flood, Pace, Churn, FanOut, Burst]),
    ("messages", &[Flood, Churn, Ping]),
    ("pace", &[Pace]),
    ("peers", &[Hold, Flood, Pace, FanOut, Ping, Burst]),
    ("relay", &[FanOut]),
    ("rounds", &[FanOut, Burst]),
    ("secure", &[Hold, Flood, Pace, FanOut, Ping, Burst]),
    ("seed", &[Hold, Flood, Pace, FanOut, Ping, Burst]),
    ("time", &[Hold, Pace]),
    ("trigger", &[FanOut]),
    ("warm_up", &[Burst]),
];

/// The flags of the table that are on the command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given(Vec<&'static str>);

impl Given {
    /// Whether this flag is on the command line.
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.contains(&id)
    }

    /// A sentence for each flag that has no effect in this scenario.
    pub(super) fn in_vain(&self, scenario: ScenarioName) -> impl Iterator<Item = String> {
        let in_vain = TABLE.into_iter().filter(move |(id, meant)| self.has(id) && !meant.contains(&scenario));
        in_vain.map(move |(id, meant)| {
            let names: Vec<String> = meant.iter().map(|scenario| scenario.to_string()).collect();
            let (last, others) = names.split_last().expect("a flag that means something");
            let all =
                if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) };
            format!("--{} has no effect in {scenario}; it is for {all}", id.replace('_', "-"))
        })
    }
}

/// Reads the matches before clap takes the values out of them. It adds no flags of its own.
impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_typed = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        Ok(Self(TABLE.into_iter().map(|(id, _)| id).filter(is_typed).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}
