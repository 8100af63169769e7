//! The lowest layer: bytes, messages, connections.
//!
//! Pure: no socket, no clock, no terminal, no randomness. Everything else builds on this module, and it knows nothing
//! of the rest.

mod buffer;
pub mod clean;
pub mod connection;
pub mod connections;
mod deadlines;
mod ends;
pub mod envelope;
pub mod fault;
pub mod framer;
pub mod interface;
pub mod machine;
pub mod message;
mod moment;
pub mod scope;
mod sealing;
pub mod secure;
pub mod send_queue;
