//! Sentences about keys.

use super::addresses::At;
use super::phrases::{Named, ago as since};
use crate::chat::notice::{Standing, Who, Whois};
use crate::proto::clean::CleanName;
use crate::proto::secure::Key;
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::time::Duration;

/// How a peer is named in a command: by its name, or by its address if it has none.
struct Typed<'a>(&'a Who);

impl Display for Typed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Who { address, name, .. } if name.is_empty() => At(*address).fmt(f),
            Who { name, .. } => CleanName(name).fmt(f),
        }
    }
}

pub(super) fn pinned(f: &mut Formatter<'_>, who: &Who, key: Key) -> fmt::Result {
    let (key, typed) = (key.fingerprint(), Typed(who));
    writeln!(f, "{} is encrypted from here on; key {key}; compare it with /verify {typed}", Named(who))
}

pub(super) fn moved(f: &mut Formatter<'_>, who: &Who, from: SocketAddr) -> fmt::Result {
    writeln!(f, "{} is now at {}; it was at {}", Typed(who), At(who.address), At(from))
}

pub(super) fn other_key(f: &mut Formatter<'_>, who: &Who, ago: Option<Duration>) -> fmt::Result {
    let (typed, at) = (Typed(who), At(who.address));
    write!(f, "Not {typed}: whoever is at {at} has another key than the one met there")?;
    if let Some(ago) = ago {
        write!(f, " {}", since(ago))?;
    }
    writeln!(f, ". If {typed} has a new key: /trust {typed}")
}

pub(super) fn own_key(f: &mut Formatter<'_>, key: Option<Key>) -> fmt::Result {
    match key {
        Some(key) => writeln!(f, "Your key: {}", key.fingerprint()),
        None => writeln!(f, "You have no key, so nothing is encrypted."),
    }
}

pub(super) fn verify(f: &mut Formatter<'_>, who: &Who, key: Key, number: &str) -> fmt::Result {
    writeln!(f, "Compare this with {}, over the phone or face to face. Both must see the same:", Named(who))?;
    writeln!(f, "  {number}")?;
    writeln!(f, "The key of {} is {}", Typed(who), key.fingerprint())
}

pub(super) fn forgotten(f: &mut Formatter<'_>, who: &Who) -> fmt::Result {
    writeln!(f, "The key of {} is forgotten: whoever is met there next is believed", Named(who))
}

/// The key of a peer, if it is known.
pub(super) fn known_of(f: &mut Formatter<'_>, whois: &Whois) -> fmt::Result {
    let Some((key, ago)) = &whois.key else { return Ok(()) };
    let compared = match whois.who.standing {
        Standing::Verified => "you have compared it",
        _ => "you have not compared it",
    };
    let seen = ago.map(|ago| format!("; first seen {}", since(ago))).unwrap_or_default();
    writeln!(f, "  key {key}; {compared}{seen}")
}
