//! Encrypted sessions of the real program: with a foreign implementation of the other side, and with an attacker on the
//! way.
//!
//! The attacker holds the address that a program claims, and the program listens behind it: at the same port of another
//! address of loopback. So all that two programs say to each other passes the attacker, and neither of them can tell.
//!
//! `SECURE_SEED=n` makes the attackers choose as they chose in the run that failed.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "attackers and scripted peers use plain blocking sockets"
)]

#[path = "../common/mod.rs"]
mod common;

#[cfg(target_os = "linux")]
mod attacks;
#[cfg(target_os = "linux")]
mod capture;
mod chat;
mod flips;
mod foreign;
mod hand;
#[cfg(target_os = "linux")]
mod man;
#[cfg(target_os = "linux")]
mod matrix;
mod pair;
#[cfg(target_os = "linux")]
mod proxy;
#[cfg(target_os = "linux")]
mod stage;
#[cfg(target_os = "linux")]
mod tools;
mod vectors;
