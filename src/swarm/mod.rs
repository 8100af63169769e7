//! The load generator: many scripted peers as one [`Machine`](crate::proto::machine::Machine), on the same
//! shell as the chat.
//!
//! Pure like the chat: no socket, no clock, no file. It stands on `proto` and knows nothing of `chat`,
//! `net` or `term`. A run is a [`plan::Plan`]; [`generator::Swarm`] carries it out and pauses where its
//! driver may want to look at the target; what it counted is a [`tally::Tally`].
//!
//! What is kept of it is a [`report::Report`], which has other forms: a [`table`] for the terminal, a [`plot`] for the
//! eye, and a [`histogram_log`] and [`percentiles`] for the tools of HdrHistogram. All are text made of data;
//! writing them anywhere is for others.

mod crew;
pub mod generator;
pub mod histogram_log;
pub mod notice;
pub mod percentiles;
pub mod plan;
pub mod plot;
pub mod report;
mod scenario;
pub mod table;
pub mod tally;
pub mod units;
