//! What the log says of connections. Nothing is looked up or written unless a line is wanted, and what a peer
//! wrote is cleaned here.

use super::Node;
use crate::chat::directory::Peer;
use crate::chat::role::{Kind, Role};
use crate::proto::clean::CleanName;
use crate::proto::connection::{Connection, Phase};
use crate::proto::machine::{CloseReason, ConnId};
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;

/// A peer connected, and was refused if there is no `conn`.
pub(super) fn accepted(from: SocketAddr, conn: Option<ConnId>) {
    match conn {
        Some(conn) => log::debug!("{conn:?} {from}: accepted"),
        None => log::debug!("{from}: refused; there are too many connections, or the program quits"),
    }
}

/// A connection is over.
pub(super) fn ended(node: &Node, conn: ConnId, connection: &Connection<Role>, reason: CloseReason) {
    log::debug!("{conn:?} {}: {}", connection.remote(), Ended { node, connection, reason });
}

/// A peer: the address that it claims, and the name that it goes by.
pub(super) struct Speaking<'a>(pub(super) &'a Peer);

impl Display for Speaking<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.address, CleanName(&self.0.name))
    }
}

/// Whose connection it was, as far as that is known, and why it ended.
struct Ended<'a> {
    node: &'a Node,
    connection: &'a Connection<Role>,
    reason: CloseReason,
}

impl Display for Ended<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { node, connection: Connection { data: role, .. }, .. } = self;
        let (what, id) = match role.kind() {
            Kind::Session(id) => ("session", Some(id)),
            _ => ("connection", role.speaker().map(|speaker| speaker.peer())),
        };
        f.write_str(what)?;
        if let Some(peer) = id.and_then(|id| node.roster.directory().get(id)) {
            write!(f, " with {}", Speaking(peer))?;
        }
        match (self.connection.phase(), self.reason) {
            (Phase::Dialling, CloseReason::TimedOut) => f.write_str(" ended: it was not up in time"),
            // It was written and half-closed: that is how most of them end.
            (Phase::Settling, CloseReason::TimedOut) => f.write_str(" ended: nothing more came on it"),
            (_, reason) => write!(f, " ended: {reason}"),
        }
    }
}
