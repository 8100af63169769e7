//! The only room that imports mio: sockets, readiness, and the turn that moves bytes between them and a
//! [`Machine`](crate::proto::machine::Machine).
//!
//! It knows nothing of chat: which bytes mean what is the machine's business.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the room for sockets and the clock"
)]

mod display;
pub mod drain;
pub mod event_loop;
mod keyboard;
mod links;
mod listener;
pub mod signals;
pub mod socket;
