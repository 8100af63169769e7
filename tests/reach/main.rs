//! Why a peer cannot be reached, and who is nearby, on real links: hosts, a bridge and firewalls in namespaces of their own.
//!
//! Nothing leaves those namespaces. Where they are not allowed, or a tool is missing, the tests say that they are skipped.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test drives programs with plain blocking pipes"
)]

#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod diagnose;
#[cfg(target_os = "linux")]
mod hosts;
#[cfg(target_os = "linux")]
mod nearby;
