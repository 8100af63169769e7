//! The floor: bytes, messages, connections.
//!
//! Pure: no socket, no clock, no terminal, no randomness. Everything above stands on it, and it knows
//! of nothing above.

mod buffer;
pub mod clean;
pub mod connection;
pub mod connections;
mod deadlines;
mod ends;
pub mod envelope;
pub mod fault;
pub mod framer;
pub mod machine;
pub mod message;
mod moment;
pub mod send_queue;
