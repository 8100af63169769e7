//! Parts that several sentences have in common: peers, counts, times ago, rows of lists.

use super::addresses::At;
use crate::chat::notice::{PeerRow, Who};
use crate::limits::QUOTED_CHARS_MAX;
use crate::proto::clean::{Clean, CleanName};
use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// `P1 (127.0.0.1:8080)`, or only the address if there is no name.
pub(super) struct Named<'a>(pub(super) &'a Who);

impl Display for Named<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Who { address, name, .. } = self.0;
        let address = At(*address);
        if name.is_empty() {
            return write!(f, "{address}");
        }
        write!(f, "{} ({address})", CleanName(name))
    }
}

/// `127.0.0.1:8080 P1`, as a message begins.
pub(super) struct Headed<'a>(pub(super) &'a Who);

impl Display for Headed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Who { address, name, .. } = self.0;
        let address = At(*address);
        if name.is_empty() {
            return write!(f, "{address}");
        }
        write!(f, "{address} {}", CleanName(name))
    }
}

/// What the user typed, in a sentence about it. Of a long line only the beginning: it may fill the screen, and is there
/// already.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Clean(&begun(self.0, QUOTED_CHARS_MAX)).fmt(f)
    }
}

/// A text, or its beginning if it has more characters than that.
pub(super) fn begun(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// `1 peer`, `2 peers`, `1,000 peers`.
pub(super) struct Count<'a>(pub(super) u64, pub(super) &'a str);

impl Display for Count<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} {}{plural}", Grouped(self.0), self.1)
    }
}

/// A number with a comma after each thousand, `1,000,000`.
pub(super) struct Grouped(pub(super) u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..1000 => write!(f, "{}", self.0),
            n => write!(f, "{},{:03}", Self(n / 1000), n % 1000),
        }
    }
}

/// How long ago something was: `just now`, `5 minutes ago`.
pub(super) fn ago(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (count, unit) = match minutes {
        0 => return "just now".to_owned(),
        1..60 => (minutes, "minute"),
        60..1440 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    format!("{} ago", Count(count, unit))
}

/// Coarse on purpose: nobody needs seconds, and a test can know the words in advance.
pub(super) struct Heard(pub(super) Duration);

impl Display for Heard {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "heard {}", ago(self.0))
    }
}

pub(super) fn active_row(f: &mut Formatter<'_>, row: &PeerRow) -> fmt::Result {
    let state = if row.connected { "connected" } else { "yet to connect" };
    write!(f, "{}. {} ({state}", row.number, Headed(&row.who))?;
    if let Some(ago) = row.heard_ago {
        write!(f, ", {}", Heard(ago))?;
    }
    writeln!(f, ")")
}
