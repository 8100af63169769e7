//! Texts that are held until their peer is back.
//!
//! A text goes out as soon as its peer is heard or reached, in the order in which the texts were given. It stays here until
//! it is known what became of it:
//!
//! ```text
//!            the peer is back               the file has noted it              delivered or taken
//!  Waiting ───────────────────> Wanted ─────────────────────────> UnderWay ───────────────────────> gone
//!     ^                                                              │  │
//!     ├──────────────────────────── not sent ────────────────────────┘  │ perhaps read
//!     └──────────── the user wants it to be sent again ─── Unconfirmed <┘
//! ```
//!
//! The file is a matter of whoever runs the machine. It notes that a text is about to be sent *before* that is done. So a
//! text that is in the file with that note after a kill may have been read, and no text is sent twice without a question.
//! Without a file nothing is waited for.
//!
//! It remembers moments, since a machine has no clock. Whoever writes the file turns them into times of day.

use crate::limits::{
    HELD_BYTES_MAX, HELD_PER_PEER_MAX, HELD_RETRY, HELD_TEXTS_MAX, HELD_TIME_MAX, HELD_UNDER_WAY_BYTES_MAX,
    HELD_UNDER_WAY_MAX, SETTLE_TIMEOUT,
};
use crate::proto::secure::Key;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::hash::{DefaultHasher, Hasher};
use std::net::SocketAddr;
use std::rc::Rc;
use std::str::FromStr;
use std::time::Instant;

/// The id of a held text: the same in all programs that share a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeldId(u64);

impl Display for HeldId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for HeldId {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let is_hexadecimal = word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = if is_hexadecimal { u64::from_str_radix(word, 16).ok() } else { None };
        number.map(Self).ok_or(())
    }
}

/// Where a held text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldState {
    /// Its peer is not back yet.
    Waiting,
    /// Its peer is back, and the file must note that it is about to be sent.
    Wanted,
    /// It was handed over, and what became of it is not known yet.
    UnderWay,
    /// It may have been read. The user is asked whether to send it again.
    Unconfirmed,
}

/// A held text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldText {
    /// Its id.
    pub id: HeldId,
    /// Whom it is for.
    pub to: SocketAddr,
    /// What it says.
    pub text: Rc<str>,
    /// The key that its peer had when it was held: nobody else is to get it.
    pub key: Option<Key>,
    /// Since when it is held.
    pub at: Instant,
    /// Where it stands.
    pub state: HeldState,
}

/// What became of a held text that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeldFate {
    /// Its peer has it.
    Arrived,
    NotSent,
    Unconfirmed,
}

/// What somebody has found in the file, or done to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldNews {
    /// The file has noted that these are about to be sent.
    pub granted: Vec<HeldId>,
    /// Another program sends these or has sent them, or somebody took them out of the file.
    pub gone: Vec<HeldId>,
    /// These are in the file, and new or in another state.
    pub learnt: Vec<HeldText>,
}

/// There are too many texts already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The texts of all peers.
#[derive(Debug, Default)]
pub struct Held {
    /// For each peer in the order in which they go out. No list is empty.
    by_peer: BTreeMap<SocketAddr, Vec<Entry>>,
    /// Who was heard or reached since they were last [looked at](Held::next_back).
    back: BTreeSet<SocketAddr>,
    /// Whose session has just begun, and when it counts as one that stays.
    settling: BTreeMap<SocketAddr, Instant>,
    /// Those of them that have stayed.
    settled: BTreeSet<SocketAddr>,
    /// When to look whether texts under way were taken.
    look_at: Option<Instant>,
    revision: u64,
    seed: u64,
    count: u64,
}

#[derive(Debug)]
struct Entry {
    held: HeldText,
    /// It is not sent again before this moment, unless a session begins.
    not_before: Option<Instant>,
}

impl Held {
    /// The texts that an earlier run has left. The same seed gives the same ids.
    pub(super) fn new(texts: impl IntoIterator<Item = HeldText>, seed: u64) -> Self {
        let mut held = Self { seed, ..Self::default() };
        texts.into_iter().for_each(|text| held.learn(text));
        held.revision = 0;
        held
    }

    /// All texts, by peer and in the order in which they go out.
    pub fn texts(&self) -> impl Iterator<Item = &HeldText> {
        self.by_peer.values().flatten().map(|entry| &entry.held)
    }

    /// It has changed if this has.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Holds another text for a peer.
    pub(super) fn hold(
        &mut self,
        to: SocketAddr,
        text: &str,
        key: Option<Key>,
        now: Instant,
    ) -> Result<(), Full> {
        let (count, bytes) = self.texts().fold((0, 0), |(n, bytes), held| (n + 1, bytes + held.text.len()));
        let of_peer = self.by_peer.get(&to).map_or(0, Vec::len);
        if of_peer >= HELD_PER_PEER_MAX || count >= HELD_TEXTS_MAX || bytes + text.len() > HELD_BYTES_MAX {
            return Err(Full);
        }
        let id = self.new_id();
        self.learn(HeldText { id, to, text: text.into(), key, at: now, state: HeldState::Waiting });
        Ok(())
    }

    /// Adds a text that the file has, or changes its state and whom it is for. What is under way here stays under way.
    pub(super) fn learn(&mut self, held: HeldText) {
        self.revision += 1;
        let (id, to) = (held.id, held.to);
        match self.find(id) {
            Some(entry) => {
                if entry.held.state != HeldState::UnderWay {
                    entry.held.state = held.state;
                }
                if entry.held.to != to {
                    self.readdress(to, |held| held.id == id);
                }
            }
            None => self.put(Entry { held, not_before: None }),
        }
    }

    fn put(&mut self, entry: Entry) {
        let list = self.by_peer.entry(entry.held.to).or_default();
        // Those of one moment stay in the order in which they come.
        let place = list.partition_point(|other| other.held.at <= entry.held.at);
        list.insert(place, entry);
    }

    /// These texts are for somebody else from here on, and nothing else changes.
    fn readdress(&mut self, to: SocketAddr, is_meant: impl Fn(&HeldText) -> bool) {
        for Entry { held, not_before } in self.extract(is_meant) {
            self.put(Entry { held: HeldText { to, ..held }, not_before });
        }
    }

    /// Removes a text that another program has sent, or that somebody took out of the file. What is under way here stays
    /// until its fate is known.
    pub(super) fn forget(&mut self, id: HeldId) {
        if self.find(id).is_some_and(|entry| entry.held.state != HeldState::UnderWay) {
            self.remove(|held| held.id == id);
        }
    }

    /// Removes all texts for a peer, and gives them.
    pub(super) fn forget_all(&mut self, to: SocketAddr) -> Vec<HeldText> {
        self.remove(|held| held.to == to)
    }

    /// A peer is at another address from here on. The ids stay: by them other programs know the texts, and the fate of
    /// what is under way comes.
    pub(super) fn relocate(&mut self, from: SocketAddr, to: SocketAddr) {
        self.readdress(to, |held| held.to == from);
    }

    /// A peer was heard at its own address, or was reached. Costs little if nothing is held for it.
    pub(super) fn note_back(&mut self, peer: SocketAddr) {
        if !self.by_peer.is_empty() && self.by_peer.contains_key(&peer) {
            self.back.insert(peer);
        }
    }

    /// Somebody who is back.
    pub(super) fn next_back(&mut self) -> Option<SocketAddr> {
        self.back.pop_first()
    }

    /// Whether a peer that has connected, and said nothing since, is to be given a moment to hang up. It is
    /// [back](Self::next_back) again after that.
    pub(super) fn must_settle(&mut self, peer: SocketAddr, now: Instant) -> bool {
        let must_settle = !self.settled.contains(&peer);
        if must_settle {
            self.settling.entry(peer).or_insert(now + SETTLE_TIMEOUT);
        }
        must_settle
    }

    /// Wants the next texts for a peer to be sent: only some at a time, so that they leave room for what the user says. `key`
    /// is the one that the peer has now.
    pub(super) fn want(&mut self, to: SocketAddr, key: Option<Key>, has_session: bool, now: Instant) {
        self.settling.remove(&to);
        self.settled.remove(&to);
        let Some(list) = self.by_peer.get_mut(&to) else { return };
        let (mut count, mut bytes) = (0, 0);
        for Entry { held, not_before } in list {
            let may_go = has_session || not_before.is_none_or(|at| at <= now);
            let is_for_another = held.key.is_some() && held.key != key;
            match held.state {
                HeldState::Unconfirmed => continue,
                HeldState::Waiting if is_for_another => continue,
                // What comes after it must not overtake it.
                HeldState::Waiting if !may_go => break,
                _ => {}
            }
            count += 1;
            bytes += held.text.len();
            if count > HELD_UNDER_WAY_MAX || (count > 1 && bytes > HELD_UNDER_WAY_BYTES_MAX) {
                break;
            }
            if held.state == HeldState::Waiting {
                held.state = HeldState::Wanted;
                self.revision += 1;
            }
        }
    }

    /// The texts that are to be sent, as soon as the file has noted it.
    pub fn wanted(&self) -> impl Iterator<Item = HeldId> {
        self.texts().filter(|held| held.state == HeldState::Wanted).map(|held| held.id)
    }

    /// These may be sent: those of them that are still wanted are under way from here on.
    pub(super) fn grant(&mut self, ids: &[HeldId], now: Instant) -> Vec<HeldText> {
        let mut granted = Vec::new();
        for entry in self.by_peer.values_mut().flatten() {
            if entry.held.state == HeldState::Wanted && ids.contains(&entry.held.id) {
                entry.held.state = HeldState::UnderWay;
                entry.not_before = Some(now + HELD_RETRY);
                granted.push(entry.held.clone());
            }
        }
        if !granted.is_empty() {
            self.look_at = Some(now + SETTLE_TIMEOUT);
            self.revision += 1;
        }
        granted
    }

    /// What became of a text that was under way. Gives it, if it is still held or was until now.
    pub(super) fn settle(&mut self, id: HeldId, fate: HeldFate) -> Option<HeldText> {
        let entry = self.find(id).filter(|entry| entry.held.state == HeldState::UnderWay)?;
        let state = match fate {
            HeldFate::Arrived => {
                let held = self.remove(|held| held.id == id).pop()?;
                self.note_back(held.to);
                return Some(held);
            }
            HeldFate::NotSent => HeldState::Waiting,
            HeldFate::Unconfirmed => HeldState::Unconfirmed,
        };
        entry.held.state = state;
        let held = entry.held.clone();
        self.revision += 1;
        Some(held)
    }

    /// The user has said whether those that may have been read are to be sent again; else they are forgotten. Gives their
    /// peers.
    pub(super) fn send_again(&mut self, is_wanted: bool) -> Vec<SocketAddr> {
        let is_meant = |held: &HeldText| held.state == HeldState::Unconfirmed;
        let peers: BTreeSet<SocketAddr> =
            self.texts().filter(|held| is_meant(held)).map(|held| held.to).collect();
        if is_wanted {
            let entries = self.by_peer.values_mut().flatten().filter(|entry| is_meant(&entry.held));
            entries.for_each(|entry| {
                entry.held.state = HeldState::Waiting;
                entry.not_before = None;
            });
            self.revision += 1;
        } else {
            self.remove(is_meant);
        }
        peers.into_iter().collect()
    }

    /// When something is to be done for the next time: [`Held::expire`], and to look whether texts were taken.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let end = |held: &HeldText| held.at.checked_add(HELD_TIME_MAX);
        let idle = self.texts().filter(|held| held.state != HeldState::UnderWay);
        let settling = self.settling.values().copied();
        idle.filter_map(end).chain(self.look_at).chain(settling).min()
    }

    /// Removes the texts that were held for too long, and gives them. Who has settled is back.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<HeldText> {
        self.look_at.take_if(|at| *at <= now);
        let settled: Vec<SocketAddr> =
            self.settling.iter().filter(|(_, until)| **until <= now).map(|(&peer, _)| peer).collect();
        for peer in settled {
            self.settling.remove(&peer);
            self.settled.insert(peer);
            self.note_back(peer);
        }
        self.remove(|held| {
            let is_old = held.at.checked_add(HELD_TIME_MAX).is_some_and(|end| end <= now);
            is_old && held.state != HeldState::UnderWay
        })
    }

    fn new_id(&mut self) -> HeldId {
        loop {
            self.count += 1;
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(self.seed);
            hasher.write_u64(self.count);
            let id = HeldId(hasher.finish());
            // A run with the same seed may have left it.
            if self.find(id).is_none() {
                return id;
            }
        }
    }

    fn find(&mut self, id: HeldId) -> Option<&mut Entry> {
        self.by_peer.values_mut().flatten().find(|entry| entry.held.id == id)
    }

    fn remove(&mut self, is_meant: impl Fn(&HeldText) -> bool) -> Vec<HeldText> {
        self.extract(is_meant).into_iter().map(|entry| entry.held).collect()
    }

    fn extract(&mut self, is_meant: impl Fn(&HeldText) -> bool) -> Vec<Entry> {
        let mut removed = Vec::new();
        for list in self.by_peer.values_mut() {
            removed.extend(list.extract_if(.., |entry| is_meant(&entry.held)));
        }
        self.by_peer.retain(|_, list| !list.is_empty());
        self.revision += u64::from(!removed.is_empty());
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_goes_with_a_peer_that_moves_and_keeps_its_state() {
        let [from, to] = ["10.0.0.1:1", "10.0.0.2:2"].map(|at| at.parse::<SocketAddr>().unwrap());
        let (mut held, now) = (Held::new([], 7), crate::testing::start());
        ["one", "two"].iter().for_each(|text| held.hold(from, text, None, now).unwrap());
        let first = held.texts().next().unwrap().clone();
        held.learn(HeldText { state: HeldState::Unconfirmed, ..first });
        let (revision, ids) = (held.revision(), held.texts().map(|held| held.id).collect::<Vec<_>>());
        held.relocate(from, to);
        assert!(held.revision() > revision && held.texts().map(|held| held.id).eq(ids));
        let left: Vec<_> = held.texts().map(|held| (held.to, &*held.text, held.state)).collect();
        assert_eq!(left, [(to, "one", HeldState::Unconfirmed), (to, "two", HeldState::Waiting)]);
    }

    #[test]
    fn what_is_under_way_goes_with_a_peer_that_moves_and_its_fate_comes() {
        for (fate, is_left) in [(HeldFate::Arrived, false), (HeldFate::NotSent, true)] {
            let mut held = holding(&[(1, "a"), (2, "b")]);
            let sent = send(&mut held, 1, true, start());
            held.relocate(peer(1), peer(2));
            assert_eq!(states(&held), [("b", HeldState::Waiting), ("a", HeldState::UnderWay)]);
            assert!(held.texts().all(|held| held.to == peer(2)));
            assert_eq!(held.settle(sent[0].id, fate).map(|held| held.to), Some(peer(2)));
            assert_eq!(held.texts().any(|held| held.id == sent[0].id), is_left);
        }
    }

    use std::time::Duration;

    /// The same moment for all of a test.
    fn start() -> Instant {
        thread_local! { static START: Instant = crate::testing::start() }
        START.with(|start| *start)
    }

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn holding(texts: &[(u16, &str)]) -> Held {
        let mut held = Held::new([], 7);
        for (port, text) in texts {
            held.hold(peer(*port), text, None, start()).unwrap();
        }
        held
    }

    fn states(held: &Held) -> Vec<(&str, HeldState)> {
        held.texts().map(|held| (&*held.text, held.state)).collect()
    }

    /// The peer is back, the file has noted it, and these go out.
    fn send(held: &mut Held, port: u16, has_session: bool, now: Instant) -> Vec<HeldText> {
        held.note_back(peer(port));
        while let Some(to) = held.next_back() {
            held.want(to, None, has_session, now);
        }
        let wanted: Vec<HeldId> = held.wanted().collect();
        held.grant(&wanted, now)
    }

    fn words(texts: &[HeldText]) -> Vec<&str> {
        texts.iter().map(|held| &*held.text).collect()
    }

    #[test]
    fn what_is_held_goes_out_in_order_once_its_peer_is_back() {
        let mut held = holding(&[(1, "a"), (2, "x"), (1, "b")]);
        held.note_back(peer(3));
        assert_eq!(held.next_back(), None, "nothing is held for it");
        let sent = send(&mut held, 1, true, start());
        assert_eq!(words(&sent), ["a", "b"]);
        assert!(send(&mut held, 1, true, start()).is_empty(), "they are under way");
        for text in &sent {
            assert_eq!(held.settle(text.id, HeldFate::Arrived).as_ref().map(|held| held.id), Some(text.id));
            assert_eq!(held.settle(text.id, HeldFate::Arrived), None);
        }
        assert_eq!(states(&held), [("x", HeldState::Waiting)]);
        assert_eq!(send(&mut held, 2, true, start()).len(), 1);
    }

    #[test]
    fn nothing_goes_out_before_the_file_has_noted_it() {
        let mut held = holding(&[(1, "a")]);
        let before = held.revision();
        held.want(peer(1), None, true, start());
        assert_eq!(states(&held), [("a", HeldState::Wanted)]);
        assert!(held.revision() > before, "whoever writes the file sees it");
        let id = held.wanted().next().unwrap();
        held.forget(id);
        assert!(held.grant(&[id], start()).is_empty(), "another program was first");
    }

    #[test]
    fn what_was_not_sent_waits_and_nothing_overtakes_it() {
        let mut held = holding(&[(1, "a"), (1, "b")]);
        let now = start();
        for text in send(&mut held, 1, false, now) {
            held.settle(text.id, HeldFate::NotSent);
        }
        held.hold(peer(1), "c", None, now).unwrap();
        assert!(send(&mut held, 1, false, now).is_empty(), "it was tried just now");
        assert_eq!(words(&send(&mut held, 1, false, now + HELD_RETRY)), ["a", "b", "c"]);
        for text in held.texts().cloned().collect::<Vec<_>>() {
            held.settle(text.id, HeldFate::NotSent);
        }
        assert_eq!(send(&mut held, 1, true, now).len(), 3, "a session began");
    }

    #[test]
    fn what_may_have_been_read_is_sent_again_only_if_the_user_wants_it() {
        for is_wanted in [true, false] {
            let mut held = holding(&[(1, "a"), (1, "b")]);
            let sent = send(&mut held, 1, true, start());
            held.settle(sent[0].id, HeldFate::Unconfirmed);
            held.settle(sent[1].id, HeldFate::Arrived);
            assert!(send(&mut held, 1, true, start()).is_empty());
            assert_eq!(held.send_again(is_wanted), [peer(1)]);
            assert_eq!(words(&send(&mut held, 1, false, start())).len(), usize::from(is_wanted));
        }
    }

    #[test]
    fn only_some_are_under_way_at_a_time_and_the_next_follow() {
        let mut held = Held::new([], 7);
        for n in 0..HELD_UNDER_WAY_MAX + 3 {
            held.hold(peer(1), &n.to_string(), None, start()).unwrap();
        }
        let sent = send(&mut held, 1, true, start());
        assert_eq!(sent.len(), HELD_UNDER_WAY_MAX);
        held.settle(sent[0].id, HeldFate::Arrived);
        assert_eq!(held.next_back(), Some(peer(1)), "who has taken a text is there");
        assert_eq!(words(&send(&mut held, 1, true, start())), ["16"]);
        let long = "x".repeat(HELD_UNDER_WAY_BYTES_MAX);
        let mut held = holding(&[(1, &long), (1, "b")]);
        assert_eq!(send(&mut held, 1, true, start()).len(), 1);
    }

    #[test]
    fn who_has_only_connected_gets_a_moment_to_hang_up() {
        let mut held = holding(&[(1, "a")]);
        let end = start() + SETTLE_TIMEOUT;
        assert!(held.must_settle(peer(1), start()) && held.must_settle(peer(1), start()));
        assert_eq!(held.next_deadline(), Some(end));
        assert!(held.expire(end).is_empty());
        assert_eq!(held.next_back(), Some(peer(1)));
        assert!(!held.must_settle(peer(1), end));
        held.want(peer(1), None, true, end);
        assert!(held.must_settle(peer(1), end), "the next session");
    }

    #[test]
    fn there_is_a_bound_for_a_peer_for_all_and_for_the_bytes() {
        let mut held = Held::new([], 7);
        for _ in 0..HELD_PER_PEER_MAX {
            held.hold(peer(1), "a", None, start()).unwrap();
        }
        assert_eq!(held.hold(peer(1), "a", None, start()), Err(Full));
        for n in HELD_PER_PEER_MAX..HELD_TEXTS_MAX {
            held.hold(peer(1 + (n / HELD_PER_PEER_MAX) as u16), "a", None, start()).unwrap();
        }
        assert_eq!(held.hold(peer(99), "a", None, start()), Err(Full));
        let mut held = holding(&[(1, &"x".repeat(HELD_BYTES_MAX))]);
        assert_eq!(held.hold(peer(2), "a", None, start()), Err(Full));
        assert_eq!(held.forget_all(peer(1)).len(), 1);
        assert_eq!(held.hold(peer(2), "a", None, start()), Ok(()));
    }

    #[test]
    fn what_is_held_for_too_long_is_given_back_unless_it_is_under_way() {
        let mut held = holding(&[(1, "a"), (2, "b")]);
        let end = start() + HELD_TIME_MAX;
        assert_eq!(held.next_deadline(), Some(end));
        assert!(held.expire(end - Duration::from_secs(1)).is_empty());
        send(&mut held, 2, true, start());
        assert_eq!(words(&held.expire(end)), ["a"]);
        assert_eq!((states(&held), held.next_deadline()), (vec![("b", HeldState::UnderWay)], None));
    }

    #[test]
    fn the_texts_of_a_file_are_those_of_the_run_before_and_bear_the_same_ids() {
        let before = holding(&[(1, "a"), (1, "b")]);
        let mut held = Held::new(before.texts().cloned(), 7);
        assert_eq!(states(&held), states(&before));
        assert_eq!(held.revision(), 0, "nothing is to be written");
        let first = before.texts().next().unwrap().clone();
        held.learn(HeldText { state: HeldState::Unconfirmed, ..first.clone() });
        assert_eq!(states(&held)[0].1, HeldState::Unconfirmed);
        held.hold(peer(1), "c", None, start()).unwrap();
        let ids: BTreeSet<HeldId> = held.texts().map(|held| held.id).collect();
        assert_eq!(ids.len(), 3);
        for word in ["", "7", "xx00000000000000", "+000000000000000"] {
            assert_eq!(word.parse::<HeldId>(), Err(()), "{word:?}");
        }
        assert_eq!(first.id.to_string().parse(), Ok(first.id));
    }
}
