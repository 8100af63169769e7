//! Scripted peers that behave, byte for byte, as the published programs do, against the real program.
//!
//! The names of the tests are the specification. Addresses other than those of the loopback interface
//! are used only inside a network namespace that the test made itself.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "scripted peers use plain blocking sockets"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/namespace.rs"]
mod namespace;

mod connect;
mod forms;
mod framing;
mod garbage;
mod identity;
mod ipv6;
mod once_wrong;
mod plain;
mod published;
mod static_peers;
mod table;
mod written;
