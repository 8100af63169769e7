//! What a node is created with.

use crate::chat::book::Known;
use crate::limits::Limits;
use crate::proto::interface::Interface;
use crate::proto::message::Dialect;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What a node is created with; it does not change.
#[derive(Clone, Debug)]
pub struct Config {
    /// The user's name; asked for if `None`.
    pub name: Option<String>,
    /// The port to listen on, 0 for any free one; asked for if `None`.
    pub port: Option<u16>,
    /// The address to listen on.
    pub bind: IpAddr,
    /// The IP to claim; that of each connection if `None`.
    pub ip: Option<IpAddr>,
    /// The addresses of this host.
    pub interfaces: Vec<Interface>,
    /// The peers of menu choice 4.
    pub static_peers: Vec<SocketAddr>,
    /// What is remembered of peers.
    pub known: Vec<(SocketAddr, Known)>,
    /// Remember all peers whose address is confirmed, and not only those that the user says something of.
    pub must_remember: bool,
    /// Say hello to the static peers at start.
    pub greet: bool,
    /// The form for peers that have not chatted yet, if the user chose one.
    pub dialect: Option<Dialect>,
    /// Who types lines, and what they mean.
    pub dialogue: Dialogue,
    /// Tell other hosts of the same networks that this node is there.
    pub announce: bool,
    /// From which moments are chosen that must differ between hosts.
    pub seed: u64,
    /// Claim the port, and leave it to somebody else to listen on it and to say goodbye. Name and port must
    /// be given.
    pub is_port_lent: bool,
    /// Count what peers say instead of telling it.
    pub quiet: bool,
    /// Tell what the user says, for a transcript, or for a screen that shows it.
    pub is_recorded: bool,
    /// A person reads it on a terminal: a peer that says too much is folded into a counted line, the menu is not repeated
    /// after a wrong choice, and the prompt is shown again when it has changed.
    pub is_terminal: bool,
    /// The limits that a user may change.
    pub limits: Limits,
}

/// Who types the lines that a node takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialogue {
    /// A program: a line is a command, see [`crate::chat::command`], and nothing is asked.
    Commands,
    /// A person at the menu.
    Menu,
    /// Nobody.
    Silent,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: None,
            port: None,
            bind: Ipv6Addr::UNSPECIFIED.into(),
            ip: None,
            interfaces: Vec::new(),
            static_peers: Vec::new(),
            known: Vec::new(),
            must_remember: false,
            greet: false,
            dialect: None,
            dialogue: Dialogue::Menu,
            announce: false,
            seed: 0,
            is_port_lent: false,
            quiet: false,
            is_recorded: false,
            is_terminal: false,
            limits: Limits::default(),
        }
    }
}
