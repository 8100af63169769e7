//! Peers as the user sees them: by name and address, in a row of a list, or with all that is known.

use crate::proto::message::Dialect;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// A peer as the user knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The address that it claims to listen on.
    pub address: SocketAddr,
    /// What the user calls it, else the name it used last; empty if it has said nothing yet.
    pub name: Rc<str>,
    /// What proves it.
    pub standing: Standing,
}

impl Who {
    /// A peer of which no more is known than that somebody is at its address.
    pub fn new(address: SocketAddr, name: Rc<str>) -> Self {
        Self { address, name, standing: Standing::AtHome }
    }
}

/// What stands behind the name and the address of a peer, or behind one line of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It does not have the key of the peer that it claims to be.
    Conflict,
    /// It comes from another IP address than it claims.
    Claimed,
    /// It comes from the IP address that it claims, or was reached there.
    AtHome,
    /// It has the key that was seen when the peer was met first.
    Pinned,
    /// It has a key that the user has compared.
    Verified,
}

impl Standing {
    words! {
        /// One word for it, for programs. It is part of the schema and does not change.
        pub fn word(self: Self), WORDS of self;
        Self::AtHome => "at-home",
        Self::Claimed => "claimed",
        Self::Conflict => "conflict",
        Self::Pinned => "pinned",
        Self::Verified => "verified",
    }

    /// Whether it is believed to be the peer.
    pub fn is_confirmed(self) -> bool {
        self >= Self::AtHome
    }
}

/// One row of a list of peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRow {
    /// What the user may type for it.
    pub number: usize,
    /// Who it is.
    pub who: Who,
    /// Whether either side has connected with the other.
    pub connected: bool,
    /// How long ago it was last heard; `None` if never.
    pub heard_ago: Option<Duration>,
}

/// One row of the list of those who are remembered, and not there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRow {
    /// What the user may type for it.
    pub number: usize,
    /// Who it is.
    pub who: Who,
    /// The name that the peer gives itself, if the user gave it an alias.
    pub own_name: Option<Rc<str>>,
    /// Whether the user ignores it.
    pub is_blocked: bool,
    /// How long ago it was last heard; `None` if never.
    pub heard_ago: Option<Duration>,
}

/// Somebody who was found nearby. All of it is what they claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearbyRow {
    /// What the user may type for it, if there is a list that has it.
    pub number: Option<usize>,
    /// Who it is.
    pub who: Who,
    /// The fingerprint of its key.
    pub key: Option<Rc<str>>,
    /// The user has met a peer with that key.
    pub is_key_known: bool,
}

/// What is known of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whois {
    /// Who it is, as the user calls it.
    pub who: Who,
    /// The name that the peer gives itself; empty if none is known.
    pub own_name: Rc<str>,
    /// The form in which it is written to.
    pub dialect: Dialect,
    /// One side has connected with the other.
    pub connected: bool,
    /// Both speak on one connection.
    pub has_session: bool,
    /// And nobody else can read it.
    pub is_encrypted: bool,
    /// One of its messages came from the IP address that it claims, or it was reached there.
    pub confirmed: bool,
    /// It has left, or could not be reached.
    pub away: bool,
    /// The user ignores it.
    pub blocked: bool,
    /// Its messages in this run, and how long ago the last one was heard.
    pub heard: u64,
    /// See [`Whois::heard`].
    pub heard_ago: Option<Duration>,
    /// Texts that it was sent in this run.
    pub sent: u64,
    /// The fingerprint of its key, and how long ago that was seen first.
    pub key: Option<(Rc<str>, Option<Duration>)>,
}
