//! The load generator as a program, against the program itself and against targets that misbehave.
//!
//! The names of the tests are the specification.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "targets are plain blocking sockets"
)]

#[path = "../common/mod.rs"]
mod common;
#[expect(dead_code, reason = "the screen as such is of no interest here")]
#[path = "../common/emulator.rs"]
mod emulator;
#[path = "../common/namespace.rs"]
mod namespace;
#[expect(dead_code, reason = "only the program's stderr is a terminal here")]
#[path = "../common/terminal.rs"]
mod pty;

mod encrypted;
mod files;
#[cfg(target_os = "linux")]
mod forks;
mod interrupt;
mod outcome;
mod processes;
mod progress;
mod remote;
mod scenarios;
mod scratch;
mod targets;
mod usage;
