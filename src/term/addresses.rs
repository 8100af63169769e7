//! Addresses as the user reads them: a link-local one with the name of its interface, which can be typed again.
//!
//! The names are the same for every sentence of a run. They are set once, before the first sentence, and not handed
//! through all of them: some forty places write an address from a notice alone. Without them, numbers are shown.

use crate::proto::scope::Scopes;
use serde::{Serialize, Serializer};
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::sync::OnceLock;

static SCOPES: OnceLock<Scopes> = OnceLock::new();

/// Sets the names of interfaces, for all sentences and events; the first call counts.
pub fn know_interfaces(scopes: Scopes) {
    let _ = SCOPES.set(scopes);
}

/// An address in a sentence or an event.
#[derive(Clone, Copy, Debug)]
pub struct At(pub SocketAddr);

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match SCOPES.get() {
            Some(scopes) => scopes.show(self.0).fmt(f),
            None => self.0.fmt(f),
        }
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
