//! The conversations that the user has, in the order in which they began, and how much was said in each of them while the
//! user was in another one.

use super::request::{Audience, Switch};
use std::net::SocketAddr;

/// The conversations.
#[derive(Debug, Default)]
pub(super) struct Talks(Vec<Talk>);

#[derive(Debug)]
struct Talk {
    with: Audience,
    unread: u64,
    /// The user has been in it.
    is_entered: bool,
    /// The user was mentioned in what is unread.
    is_mentioned: bool,
}

impl Talks {
    /// The user is in this conversation now, and has read it. Gives whether this is the first time.
    pub(super) fn enter(&mut self, with: Audience) -> bool {
        match self.0.iter_mut().find(|talk| talk.with == with) {
            Some(talk) => {
                (talk.unread, talk.is_mentioned) = (0, false);
                !std::mem::replace(&mut talk.is_entered, true)
            }
            None => {
                self.0.push(Talk { with, unread: 0, is_mentioned: false, is_entered: true });
                true
            }
        }
    }

    /// A peer said something while the user was in another conversation.
    pub(super) fn note_unread(&mut self, from: SocketAddr) {
        let with = Audience::One(from, None);
        match self.0.iter_mut().find(|talk| talk.with == with) {
            Some(talk) => talk.unread += 1,
            None => self.0.push(Talk { with, unread: 1, is_mentioned: false, is_entered: false }),
        }
    }

    /// The user was mentioned in a message that is unread.
    pub(super) fn note_mention(&mut self, from: SocketAddr) {
        let talks = self.0.iter_mut().filter(|talk| talk.with == Audience::One(from, None));
        talks.for_each(|talk| talk.is_mentioned = talk.unread > 0);
    }

    /// The conversations with unread messages: how many those are, and whether they mention the user.
    pub(super) fn unread(&self) -> impl Iterator<Item = (Audience, u64, bool)> {
        let unread = self.0.iter().filter(|talk| talk.unread > 0);
        unread.map(|talk| (talk.with, talk.unread, talk.is_mentioned))
    }

    /// The one to go to from the one that the user is in, if there is one.
    pub(super) fn find(&self, switch: Switch, present: Option<Audience>) -> Option<Audience> {
        let count = self.0.len();
        let place = self.0.iter().position(|talk| Some(talk.with) == present);
        let after = |steps: usize| place.map_or(0, |place| (place + steps) % count.max(1));
        let index = match switch {
            Switch::Number(number) => number.checked_sub(1)?,
            Switch::Unread => self.0.iter().position(|talk| talk.unread > 0).unwrap_or_else(|| after(1)),
            Switch::Next => after(1),
            Switch::Previous => after(count.saturating_sub(1)),
        };
        self.0.get(index).map(|talk| talk.with)
    }

    /// A peer is at another address from here on.
    pub(super) fn follow(&mut self, from: SocketAddr, to: SocketAddr) {
        if self.0.iter().any(|talk| talk.with == Audience::One(to, None)) {
            return self.forget(from);
        }
        let talks = self.0.iter_mut().filter(|talk| talk.with == Audience::One(from, None));
        talks.for_each(|talk| talk.with = Audience::One(to, None));
    }

    /// The user wants nothing more to do with a peer.
    pub(super) fn forget(&mut self, address: SocketAddr) {
        self.0.retain(|talk| talk.with != Audience::One(address, None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(port: u16) -> Audience {
        Audience::One(address(port), None)
    }

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn what_is_said_elsewhere_is_counted_until_the_user_goes_there() {
        let mut talks = Talks::default();
        assert!(talks.enter(with(1)) && !talks.enter(with(1)));
        for port in [2, 3, 2] {
            talks.note_unread(address(port));
        }
        talks.note_mention(address(3));
        talks.note_mention(address(4));
        assert_eq!(talks.unread().collect::<Vec<_>>(), [(with(2), 2, false), (with(3), 1, true)]);
        assert_eq!(talks.find(Switch::Unread, Some(with(1))), Some(with(2)));
        assert!(talks.enter(with(2)), "it was not entered before");
        assert_eq!(talks.unread().collect::<Vec<_>>(), [(with(3), 1, true)]);
        talks.enter(with(3));
        talks.note_unread(address(3));
        talks.enter(with(2));
        assert_eq!(talks.unread().collect::<Vec<_>>(), [(with(3), 1, false)], "the mention was read");
        talks.forget(address(3));
        assert_eq!(talks.unread().count(), 0);
    }

    #[test]
    fn conversations_have_numbers_and_follow_each_other_in_a_ring() {
        let mut talks = Talks::default();
        assert!(
            [Switch::Unread, Switch::Number(1), Switch::Next, Switch::Previous]
                .iter()
                .all(|&switch| talks.find(switch, None).is_none())
        );
        let all = [with(1), Audience::All, with(3)];
        assert!(all.iter().all(|&audience| talks.enter(audience)));
        for (switch, present, place) in [
            (Switch::Number(2), Some(with(1)), Some(1)),
            (Switch::Number(0), None, None),
            (Switch::Number(4), None, None),
            (Switch::Next, Some(with(3)), Some(0)),
            (Switch::Previous, Some(with(1)), Some(2)),
            (Switch::Previous, Some(Audience::All), Some(0)),
            (Switch::Next, None, Some(0)),
            (Switch::Unread, Some(with(1)), Some(1)),
        ] {
            let found = place.map(|place: usize| all[place]);
            assert_eq!(talks.find(switch, present), found, "{switch:?} {present:?}");
        }
    }
}
