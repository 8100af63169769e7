//! What it all means: people, menus, who is known.
//!
//! Pure like the floor that it stands on. It names neither sockets nor the terminal.
//!
//! [`node`] is the machine. It is made of parts, which know nothing of each other: each owns its fields, answers
//! questions, and says by what it returns what should happen.

mod away;
pub mod book;
mod broadcast;
pub mod command;
mod config;
mod diagnosis;
pub mod directory;
mod failures;
mod feed;
pub mod finding;
pub mod held;
pub mod id;

mod kept;
mod knocks;
mod me;
mod meaning;
mod mention;
pub mod menu;
mod metrics;
mod mistake;
mod neighbours;
pub mod node;
pub mod notice;
mod offer;
mod outbox;
mod pending_connects;
mod prompter;
mod rate;
pub mod recall;
pub mod request;
mod role;
mod roster;
pub mod slash;
mod talks;
mod tickets;
pub mod trust;
mod view;
