//! What a node is created with.

use super::trust::Policy;
use crate::chat::book::Known;
use crate::chat::held::HeldText;
use crate::limits::Limits;
use crate::proto::interface::Interface;
use crate::proto::message::Dialect;
use crate::proto::secure::{Identity, Seed};
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
    /// Texts that are held until their peer is back.
    pub held: Vec<HeldText>,
    /// They are in a file, which must note that one is about to be sent: see [`crate::chat::held`].
    pub has_held_file: bool,
    /// Ask whether to hold a text that could not be sent.
    pub offers_to_hold: bool,
    /// Say hello to the static peers at start.
    pub greet: bool,
    /// The form for peers that have not chatted yet, if the user chose one.
    pub dialect: Option<Dialect>,
    /// Who types lines, and what they mean.
    pub dialogue: Dialogue,
    /// Tell other hosts of the same networks that this node is there.
    pub announce: bool,
    /// The key by which others know us; without one nothing is encrypted.
    pub identity: Option<Identity>,
    /// Whether sessions are encrypted.
    pub secure: Policy,
    /// Random bytes that nobody else knows.
    pub entropy: Seed,
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
            held: Vec::new(),
            has_held_file: false,
            offers_to_hold: false,
            greet: false,
            dialect: None,
            dialogue: Dialogue::Menu,
            announce: false,
            identity: None,
            secure: Policy::default(),
            entropy: Seed([0; 32]),
            seed: 0,
            is_port_lent: false,
            quiet: false,
            is_recorded: false,
            is_terminal: false,
            limits: Limits::default(),
        }
    }
}
