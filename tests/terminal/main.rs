//! The program itself: its dialogue, its descriptors, its signals, its exit codes.
//!
//! Each test starts its own programs on the loopback address and tells them apart by the ports that the
//! kernel gave them. The names of the tests are the specification.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "scripted peers use plain blocking sockets"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/emulator.rs"]
mod emulator;
#[path = "../common/namespace.rs"]
mod namespace;
#[path = "../common/terminal.rs"]
mod pty;

mod commands;
mod config;
mod descriptors;
mod diagnose;
mod dialogue;
mod editor;
mod flags;
mod hostile;
mod identity;
mod json;
mod kept;
mod lastlog;
mod later;
mod manual;
mod once_wrong;
mod sample;
mod screen;
mod screens;
mod scripts_once_wrong;
mod send;
mod service;
mod shells;
mod signals;
mod stdin;
mod stdout;
mod style;
mod transcript;
