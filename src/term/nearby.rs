//! What is said of those who were found nearby. Their names are claims: they are cleaned like every other name.

use super::phrases::Headed;
use crate::chat::notice::NearbyRow;
use crate::proto::clean::CleanName;
use crate::proto::fault::Fault;
use std::fmt::{self, Display, Formatter};

/// Somebody who was found: `1. 192.168.1.7:8080 anna`, without the number if there is none.
#[derive(Debug)]
pub struct Row<'a>(pub &'a NearbyRow);

impl Display for Row<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let NearbyRow { number, who, key, is_key_known } = self.0;
        if let Some(number) = number {
            write!(f, "{number}. ")?;
        }
        write!(f, "{}", Headed(who))?;
        let known = if *is_key_known { ", which you know" } else { "" };
        key.as_ref().map_or(Ok(()), |key| write!(f, " (claims the key {}{known})", CleanName(key)))
    }
}

/// The rows of a list.
pub(super) fn rows(f: &mut Formatter<'_>, rows: &[NearbyRow]) -> fmt::Result {
    rows.iter().try_for_each(|row| writeln!(f, "{}", Row(row)))
}

/// What stands above those in a list of all peers.
pub(super) fn heading(f: &mut Formatter<'_>, found: &[NearbyRow]) -> fmt::Result {
    if found.is_empty() { Ok(()) } else { writeln!(f, "Found nearby:") }
}

/// The list of a search.
pub(super) fn list(f: &mut Formatter<'_>, found: &[NearbyRow]) -> fmt::Result {
    if found.is_empty() {
        return writeln!(f, "Nobody nearby has answered yet; still asking.");
    }
    writeln!(f, "Nearby:")?;
    rows(f, found)
}

/// One more.
pub(super) fn more(f: &mut Formatter<'_>, row: &NearbyRow) -> fmt::Result {
    writeln!(f, "Also nearby: {}", Row(row))
}

/// Why nobody can be found.
pub(super) fn no_multicast(f: &mut Formatter<'_>, why: Option<&Fault>) -> fmt::Result {
    match why {
        None => writeln!(f, "Nobody can be found nearby: this host is on no network."),
        Some(fault) => {
            writeln!(f, "Nobody can be found nearby: the system does not allow multicast ({fault}).")
        }
    }
}
