//! An answer for everybody who writes while the user is away.

use std::collections::BTreeSet;
use std::net::SocketAddr;

/// The answer, and who has had it.
#[derive(Debug, Default)]
pub(super) struct Away {
    text: Option<String>,
    /// Each gets it once: two that are away would answer each other for ever.
    answered: BTreeSet<SocketAddr>,
}

impl Away {
    /// The answer from here on, or none.
    pub(super) fn set(&mut self, text: Option<String>) {
        *self = Self { text, answered: BTreeSet::new() };
    }

    /// Whether there is one.
    pub(super) fn is_set(&self) -> bool {
        self.text.is_some()
    }

    /// The answer to a message of this peer, if it is due one.
    pub(super) fn answer(&mut self, to: SocketAddr) -> Option<String> {
        let text = self.text.as_ref()?;
        self.answered.insert(to).then(|| text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_is_answered_once_until_the_answer_changes() {
        let [anna, bob]: [SocketAddr; 2] = [1, 2].map(|port| ([127, 0, 0, 1], port).into());
        let mut away = Away::default();
        assert_eq!(away.answer(anna), None);
        away.set(Some("later".to_owned()));
        assert_eq!([anna, bob, anna].map(|peer| away.answer(peer).is_some()), [true, true, false]);
        away.set(Some("tomorrow".to_owned()));
        assert_eq!(away.answer(anna).as_deref(), Some("tomorrow"));
        away.set(None);
        assert_eq!(away.answer(bob), None);
    }
}
