//! The terminal's bell: for which messages it rings, and that it rings at most once a second.

use crate::chat::notice::Notice;
use crate::limits::BELL_INTERVAL;
use std::str::FromStr;
use std::time::Instant;

/// For which messages the bell rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bell {
    /// For those that have the user's name.
    Mention,
    /// For all.
    All,
    /// For those that went to the user alone, as far as their senders say so, and for those that have the user's name.
    Private,
    /// For none.
    #[default]
    Never,
}

impl Bell {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Mention, Self::All, Self::Private, Self::Never];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mention => "mention",
            Self::All => "all",
            Self::Private => "private",
            Self::Never => "never",
        }
    }

    /// A word that means the same, for those who want the bell to be on or off.
    pub const fn alias(self) -> Option<&'static str> {
        match self {
            Self::All => Some("true"),
            Self::Never => Some("false"),
            Self::Mention | Self::Private => None,
        }
    }

    fn is_for(self, notice: &Notice) -> bool {
        let Notice::Message { is_to_all, mentions, .. } = notice else { return false };
        match self {
            Self::Mention => !mentions.is_empty(),
            Self::All => true,
            Self::Private => !is_to_all || !mentions.is_empty(),
            Self::Never => false,
        }
    }
}

impl FromStr for Bell {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let bell = Self::ALL.into_iter().find(|bell| bell.name() == word || bell.alias() == Some(word));
        bell.ok_or_else(|| "must be mention, all, private or never".to_owned())
    }
}

/// A bell, and when it rang last.
#[derive(Debug, Default)]
pub(super) struct Ringer {
    bell: Bell,
    rang_at: Option<Instant>,
    must_ring: bool,
}

impl Ringer {
    pub(super) fn new(bell: Bell) -> Self {
        Self { bell, ..Self::default() }
    }

    /// A notice is shown: the bell rings for it, unless it rang a moment ago.
    pub(super) fn note(&mut self, notice: &Notice, now: Instant) {
        let has_rung = self.rang_at.is_some_and(|at| now < at + BELL_INTERVAL);
        if !has_rung && self.bell.is_for(notice) {
            self.rang_at = Some(now);
            self.must_ring = true;
        }
    }

    /// Whether to ring now.
    pub(super) fn take(&mut self) -> bool {
        std::mem::take(&mut self.must_ring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::node::{Config, Node};
    use crate::chat::notice::Who;
    use crate::limits::SHOWN_LINES_BURST;
    use crate::proto::machine::{Input, Machine, Output};
    use std::time::Duration;

    fn message(is_to_all: bool, is_mention: bool) -> Notice {
        let who = Who::new(([127, 0, 0, 1], 1).into(), "anna".into());
        let mentions = is_mention.then_some(0..1).into_iter().collect();
        Notice::Message { who, text: "x".to_owned(), is_to_all, mentions }
    }

    #[test]
    fn it_rings_for_the_messages_that_are_wanted() {
        let now = crate::testing::start();
        let messages = [(false, false), (false, true), (true, false), (true, true)];
        for (word, expected) in [
            ("mention", [false, true, false, true]),
            ("all", [true; 4]),
            ("true", [true; 4]),
            ("private", [true, true, false, true]),
            ("never", [false; 4]),
            ("false", [false; 4]),
        ] {
            let rung = messages.map(|(is_to_all, is_mention)| {
                let mut ringer = Ringer::new(word.parse().unwrap());
                ringer.note(&message(is_to_all, is_mention), now);
                ringer.note(&Notice::Menu, now);
                (ringer.take(), ringer.take())
            });
            assert_eq!(rung, expected.map(|is_rung| (is_rung, false)), "{word}");
        }
        assert!("All".parse::<Bell>().is_err() && Bell::default() == Bell::Never);
    }

    /// Says a thousand texts a second for some seconds; gives how often the bell rang, and what was shown and folded.
    fn flood(bell: Bell, seconds: u32) -> (u32, u64, u64) {
        let start = crate::testing::start();
        let name = Some("anna".to_owned());
        let mut node = Node::new(Config { name, port: Some(8080), is_terminal: true, ..Config::default() });
        while node.poll_output().is_some() {}
        node.handle(Input::Listening { local: "127.0.0.1:8080".parse().unwrap() }, start);
        while node.poll_output().is_some() {}
        let from = "127.0.0.1:50000".parse().unwrap();
        let conn = node.accept(from, "127.0.0.1:8080".parse().unwrap(), start).unwrap();
        let mut ringer = Ringer::new(bell);
        let (mut rings, mut shown, mut folded) = (0, 0, 0);
        for millis in 0..1000 * seconds {
            let now = start + Duration::from_millis(millis.into());
            let mut told = Vec::new();
            if node.poll_timeout().is_some_and(|at| at <= now) {
                node.handle(Input::Timeout, now);
                told.extend(std::iter::from_fn(|| node.poll_output()));
            }
            node.handle(Input::Received { conn, bytes: b"127.0.0.1:1 bob hey anna!\n" }, now);
            told.extend(std::iter::from_fn(|| node.poll_output()));
            for output in told {
                let Output::Notice(notice) = output else { continue };
                ringer.note(&notice, now);
                shown += u64::from(matches!(notice, Notice::Message { .. }));
                folded += if let Notice::Folded { lines, .. } = notice { lines } else { 0 };
            }
            rings += u32::from(ringer.take());
        }
        (rings, shown, folded)
    }

    #[test]
    fn whoever_mentions_the_user_a_thousand_times_a_second_rings_once_a_second_and_is_folded() {
        for bell in [Bell::Mention, Bell::All, Bell::Private] {
            let (rings, shown, folded) = flood(bell, 5);
            assert!((1..=5).contains(&rings), "{bell:?}: {rings}");
            assert!(shown >= SHOWN_LINES_BURST.into() && folded > 4 * shown, "{shown} {folded}");
        }
        assert_eq!(flood(Bell::Never, 1).0, 0);
    }
}
