//! The load generator: many scripted peers as one [`Machine`](crate::proto::machine::Machine), on the same
//! shell as the chat.
//!
//! It is pure like the chat: it has no socket, no clock and no file. It uses `proto` and knows nothing of `chat`,
//! `net` or `term`. A run is a [`plan::Plan`]; [`generator::Swarm`] carries it out and pauses where its driver may
//! want to look at the target; what it counted is a [`tally::Tally`].
//!
//! The result is a [`report::Report`]. It has other forms: a [`table`] for the terminal, a [`plot`] as a picture,
//! and a [`histogram_log`] and [`percentiles`] for the tools of HdrHistogram. All of them are text; the program
//! writes them to files.

mod crew;
pub mod generator;
pub mod histogram_log;
pub mod notice;
pub mod percentiles;
pub mod plan;
pub mod plot;
mod prove;
pub mod report;
mod scenario;
pub mod table;
pub mod tally;
pub mod units;
