//! What it all means: people, menus, who is known.
//!
//! Pure like the floor that it stands on. It names neither sockets nor the terminal.

mod asked;
pub mod book;
pub mod command;
pub mod directory;
pub mod menu;
pub mod node;
pub mod notice;
mod outbox;
mod rate;
pub mod request;
pub mod slash;
