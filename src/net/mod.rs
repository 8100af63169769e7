//! The only module that uses mio: sockets, readiness, and the turn that moves bytes between them and a
//! [`Machine`](crate::proto::machine::Machine).
//!
//! It knows nothing about chat: only the machine knows what the bytes mean.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the module for sockets and the clock"
)]

mod display;
pub mod drain;
pub mod event_loop;
pub mod interfaces;
mod keyboard;
mod links;
mod listener;
mod multicast;
pub mod signals;
pub mod socket;
