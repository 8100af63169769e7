//! The address book: what is remembered of peers from one run to the next.
//!
//! Apart from the table of who is there now: nobody is contacted, listed as active or taken leave of because
//! they are in here.

use crate::proto::message::Dialect;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What is remembered of one address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The name that the peer used last; empty if it was never heard.
    pub name: String,
    /// What the user calls it.
    pub alias: Option<String>,
    /// The form in which to write to it first.
    pub dialect: Option<Dialect>,
    /// It is neither heard nor written to.
    pub is_blocked: bool,
}

/// Who is remembered, by address.
#[derive(Debug, Default)]
pub struct Book(BTreeMap<SocketAddr, Known>);

impl Book {
    /// A book with these in it.
    pub fn new(known: impl IntoIterator<Item = (SocketAddr, Known)>) -> Self {
        Self(known.into_iter().collect())
    }

    /// What is remembered of an address.
    pub fn get(&self, address: SocketAddr) -> Option<&Known> {
        self.0.get(&address)
    }

    /// All, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, &Known)> {
        self.0.iter().map(|(&address, known)| (address, known))
    }

    pub(super) fn entry(&mut self, address: SocketAddr) -> &mut Known {
        self.0.entry(address).or_default()
    }
}
