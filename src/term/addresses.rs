//! Addresses as the user reads them: a link-local one with the name of its interface, which can be typed again.
//!
//! The names are the same for every sentence of a run. They are set once, before the first sentence, and not handed
//! through all of them: some forty places write an address from a notice alone. Without them, numbers are shown.

use crate::proto::scope::{Scoped, Scopes};
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

impl At {
    /// Reads an address as it is shown. That of an interface which is gone is left without one.
    pub(super) fn parse(word: &str) -> Option<Self> {
        if let Ok(address) = word.parse() {
            return Some(Self(address));
        }
        let typed = Scoped::parse(word)?.ok()?;
        let resolved = SCOPES.get().and_then(|scopes| scopes.resolve(&typed).ok());
        Some(Self(resolved.unwrap_or(typed.bare())))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_with_the_name_of_an_interface_is_read_without_it_where_there_is_none() {
        for (word, address) in [
            ("10.0.0.5:80", Some("10.0.0.5:80")),
            ("[fe80::1%3]:80", Some("[fe80::1%3]:80")),
            ("[fe80::1%gone0]:80", Some("[fe80::1]:80")),
            ("[::1%gone0]:80", None),
            ("P1", None),
        ] {
            assert_eq!(At::parse(word).map(|at| at.0), address.map(|at| at.parse().unwrap()), "{word}");
        }
    }
}
