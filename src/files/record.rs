//! The known peers as they are in the file, and how the knowledge of two programs is merged.
//!
//! It handles neither text nor files.
//!
//! A key decides who is believed, so it is merged with more care than the rest: a key that another program has put there
//! in the meantime is never replaced, and a key that cannot be read counts as one that nobody has.

use chinwag::chat::book::{Known, Pin};
use chinwag::limits::KNOWN_PEERS_MAX;
use chinwag::proto::message::Dialect;
use chinwag::proto::secure::Key;
use jiff::{SignedDuration, Timestamp, Unit};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// All of them, by address.
pub(super) type Records = BTreeMap<SocketAddr, Record>;

/// A peer of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) alias: Option<String>,
    pub(super) dialect: Option<Dialect>,
    pub(super) blocked: bool,
    pub(super) last_heard: Option<Timestamp>,
    /// Only whoever has this key is taken for the peer.
    pub(super) key: Option<Key>,
    /// The user has compared the key with the peer.
    pub(super) verified: bool,
    /// When the key was first seen.
    pub(super) met: Option<Timestamp>,
    /// The user wrote a comment on it.
    pub(super) has_comment: bool,
}

/// The bytes of [`nobody`]. No multiple of the base point has these coordinates, so no private half belongs to them.
const NOBODY: &[u8; 32] = b"This is a key that nobody has...";

/// A key that nobody has. A peer whose key cannot be read has this one: whoever listens there is refused, until the user
/// repairs the key or forgets it.
pub(super) fn nobody() -> Option<Key> {
    Key::of_bytes(NOBODY)
}

/// Who has moved: the addresses whose entry is no longer there, and the address at which its key is now and was not
/// before.
pub(super) fn moves(before: &Records, after: &Records) -> Vec<(SocketAddr, SocketAddr)> {
    let is_gone = |address| !after.contains_key(address);
    let gone =
        before.iter().filter(|(address, was)| was.key.is_some() && was.key != nobody() && is_gone(address));
    let had = |address, key| before.get(address).is_some_and(|was| was.key == key);
    let is_new = |address, record: &Record, key| record.key == key && !had(address, key);
    let place = |key| after.iter().find(|(at, record)| is_new(at, record, key)).map(|(&address, _)| address);
    gone.filter_map(|(&from, was)| Some((from, place(was.key)?))).collect()
}

/// The new content of the file: what others wrote, with our changes since `before`.
pub(super) fn merge(before: &Records, ours: &Records, mut theirs: Records) -> Records {
    let mut moved = Records::new();
    for (from, to) in moves(before, ours) {
        let Some(was) = before.get(&from) else { continue };
        // Where another program has put another key in the meantime, both entries stay.
        let is_as_before = |address| {
            let key = theirs.get(&address).and_then(|their| their.key);
            key == before.get(&address).and_then(|was| was.key)
        };
        let is_there = theirs.get(&to).is_some_and(|their| their.key == was.key);
        if is_as_before(from) && (is_there || is_as_before(to)) {
            let join = |record: Record, there: Option<Record>| record.join(there.unwrap_or_default());
            let record = join(theirs.remove(&from).unwrap_or_default(), theirs.remove(&to));
            theirs.insert(to, record);
            let was_there = moved.remove(&to).or_else(|| before.get(&to).cloned());
            moved.insert(to, join(was.clone(), was_there));
        }
    }
    for (address, our) in ours {
        let was = moved.get(address).or_else(|| before.get(address));
        match theirs.get_mut(address) {
            Some(their) => their.take_over(our, was.unwrap_or(&Record::default())),
            // Somebody removed it, and it has not changed here since.
            None if was == Some(our) => {}
            None => drop(theirs.insert(*address, our.clone())),
        }
    }
    bounded(theirs)
}

/// Removes the peers that were heard longest ago if there are too many, but none that the user named, blocked or
/// commented on, and none that has a key.
pub(super) fn bounded(mut records: Records) -> Records {
    let is_kept = |record: &Record| {
        record.alias.is_some() || record.blocked || record.has_comment || record.key.is_some()
    };
    let others = records.iter().filter(|(_, record)| !is_kept(record));
    let mut others: Vec<_> = others.map(|(&address, record)| (record.last_heard, address)).collect();
    others.sort();
    for (_, address) in others.iter().take(records.len().saturating_sub(KNOWN_PEERS_MAX)) {
        records.remove(address);
    }
    records
}

impl Record {
    /// The record of a peer in the book.
    pub(super) fn of(known: &Known, clock: &Clock) -> Self {
        Self {
            name: known.name.to_string(),
            alias: known.alias.as_deref().map(str::to_owned),
            dialect: known.dialect,
            blocked: known.is_blocked,
            last_heard: known.heard_at.map(|at| clock.time_of(at)),
            key: known.pin.as_ref().map(|pin| pin.key),
            verified: known.pin.as_ref().is_some_and(|pin| pin.is_verified),
            met: known.pin.as_ref().and_then(|pin| pin.since).map(|at| clock.time_of(at)),
            has_comment: false,
        }
    }

    pub(super) fn to_known(&self, clock: &Clock) -> Known {
        Known {
            name: self.name.as_str().into(),
            alias: self.alias.as_deref().map(Into::into),
            dialect: self.dialect,
            is_blocked: self.blocked,
            heard_at: self.last_heard.and_then(|at| clock.moment_of(at)),
            pin: self.to_pin(clock),
            ..Known::default()
        }
    }

    pub(super) fn to_pin(&self, clock: &Clock) -> Option<Pin> {
        let since = self.met.and_then(|at| clock.moment_of(at));
        self.key.map(|key| Pin { key, is_verified: self.verified, since })
    }

    /// This record comes where another one is, as in the book. Nothing that the user said of either is lost.
    fn join(self, there: Self) -> Self {
        let is_verified_there = there.verified && there.key == self.key;
        Self {
            name: if there.name.is_empty() { self.name } else { there.name },
            alias: self.alias.or(there.alias),
            blocked: self.blocked || there.blocked,
            last_heard: self.last_heard.max(there.last_heard),
            verified: self.verified || is_verified_there,
            has_comment: self.has_comment || there.has_comment,
            ..self
        }
    }

    /// Takes over our changes. Of two new names, the one that was heard last stays.
    fn take_over(&mut self, our: &Self, was: &Self) {
        if our.alias != was.alias {
            self.alias.clone_from(&our.alias);
        }
        if our.dialect != was.dialect {
            self.dialect = our.dialect;
        }
        if our.blocked != was.blocked {
            self.blocked = our.blocked;
        }
        self.take_over_key(our, was);
        if our.last_heard >= self.last_heard {
            self.last_heard = our.last_heard;
            if our.name != was.name {
                self.name.clone_from(&our.name);
            }
        }
    }

    /// Takes over our key, but not over one that another program has put there since.
    fn take_over_key(&mut self, our: &Self, was: &Self) {
        if our.key != was.key && (self.key == was.key || self.key.is_none()) {
            (self.key, self.verified, self.met) = (our.key, our.verified, our.met);
        } else if our.key == self.key && our.key == was.key {
            if our.verified != was.verified {
                self.verified = our.verified;
            }
            if our.met != was.met {
                self.met = our.met;
            }
        } else if our.key == self.key {
            // Both have met it; one of them may have compared the key too.
            self.verified |= our.verified;
        }
    }
}

/// Converts moments to times of day and back. Both clocks are read at the start, and again before a write, because
/// moments do not count the time while the machine sleeps.
pub(super) struct Clock {
    start: (Instant, Timestamp),
    now: (Instant, Timestamp),
}

impl Clock {
    pub(super) fn start() -> Self {
        let now = (Instant::now(), Timestamp::now());
        Self { start: now, now }
    }

    pub(super) fn update(&mut self) {
        self.now = (Instant::now(), Timestamp::now());
    }

    /// The moment for a time before the start, if moments go back so far.
    pub(super) fn moment_of(&self, time: Timestamp) -> Option<Instant> {
        let ago = Duration::try_from(self.start.1.duration_since(time)).unwrap_or_default();
        self.start.0.checked_sub(ago)
    }

    /// The time of a moment, in whole seconds. A time that came from the file is written back unchanged.
    pub(super) fn time_of(&self, moment: Instant) -> Timestamp {
        let (instant, time) = if moment <= self.start.0 { self.start } else { self.now };
        let ago = SignedDuration::try_from(instant.saturating_duration_since(moment)).unwrap_or_default();
        let exact = time.checked_sub(ago).unwrap_or(time);
        exact.round(Unit::Second).unwrap_or(exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag::proto::secure::Identity;

    fn address(port: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port as u16))
    }

    fn record(port: usize, name: &str, second: Option<i64>) -> (SocketAddr, Record) {
        let last_heard = second.map(|second| Timestamp::from_second(second).unwrap());
        (address(port), Record { name: name.to_owned(), last_heard, ..Record::default() })
    }

    fn records(list: &[(SocketAddr, Record)]) -> Records {
        list.iter().cloned().collect()
    }

    #[test]
    fn the_knowledge_of_two_programs_is_merged() {
        let before = records(&[
            record(1, "P1", Some(5)),
            record(2, "P2", Some(5)),
            record(4, "P4", Some(5)),
            record(5, "P5", Some(5)),
        ]);
        let mut ours =
            records(&[record(1, "old", Some(6)), record(2, "new", Some(9)), record(3, "P3", None)]);
        ours.extend([record(4, "P4", Some(5))]);
        ours.get_mut(&address(1)).unwrap().alias = Some("anna".to_owned());
        ours.extend([record(5, "P5", Some(6))]);
        let mut theirs = records(&[
            record(1, "P1", Some(8)),
            record(2, "P2", Some(5)),
            record(5, "typed", Some(5)),
            record(7, "P7", None),
        ]);
        theirs.get_mut(&address(1)).unwrap().blocked = true;
        theirs.get_mut(&address(2)).unwrap().alias = Some("bob".to_owned());
        let merged = merge(&before, &ours, theirs);
        let one = |port| merged.get(&address(port)).unwrap();
        assert_eq!(
            (one(1).name.as_str(), one(1).alias.as_deref(), one(1).blocked),
            ("P1", Some("anna"), true)
        );
        assert_eq!((one(2).name.as_str(), one(2).alias.as_deref()), ("new", Some("bob")));
        assert_eq!((one(5).name.as_str(), one(5).last_heard), ("typed", ours[&address(5)].last_heard));
        assert_eq!((one(3).name.as_str(), one(7).name.as_str()), ("P3", "P7"));
        assert!(!merged.contains_key(&address(4)), "somebody took it out");
    }

    #[test]
    fn what_the_user_removes_here_is_removed_from_the_file_and_the_address_stays() {
        let blocked = Record { blocked: true, alias: Some("anna".to_owned()), ..Record::default() };
        let before = records(&[(address(1), blocked)]);
        let ours = records(&[(address(1), Record::default())]);
        assert_eq!(merge(&before, &ours, before.clone()), ours);
    }

    fn key(n: u8) -> Option<Key> {
        Identity::new([n; 32]).map(|identity| identity.key())
    }

    /// An entry with this key.
    fn keyed(port: usize, n: u8, verified: bool) -> (SocketAddr, Record) {
        (address(port), Record { key: key(n), verified, ..Record::default() })
    }

    #[test]
    fn a_key_never_replaces_one_that_another_program_has_put_there() {
        let of = |n: u8, verified| if n == 0 { record(1, "", None) } else { keyed(1, n, verified) };
        let (yes, no) = (true, false);
        let table = [
            // Both knew none. The first one to write has met it.
            ((0, no), (1, no), (0, no), (1, no)),
            ((0, no), (1, no), (2, no), (2, no)),
            ((0, no), (1, no), (1, yes), (1, yes)),
            ((0, no), (1, yes), (1, no), (1, yes)),
            // The user has compared it, here or there.
            ((1, no), (1, yes), (1, no), (1, yes)),
            ((1, no), (1, no), (1, yes), (1, yes)),
            ((1, yes), (1, no), (1, yes), (1, no)),
            ((1, no), (1, yes), (2, no), (2, no)),
            // The user has forgotten it, and perhaps met another one since.
            ((1, yes), (0, no), (1, yes), (0, no)),
            ((1, yes), (2, no), (1, yes), (2, no)),
            ((1, yes), (0, no), (2, no), (2, no)),
            ((1, yes), (3, no), (2, yes), (2, yes)),
            ((1, yes), (1, yes), (0, no), (0, no)),
            ((1, yes), (2, no), (0, no), (2, no)),
        ];
        for case in table {
            let ((was, a), (our, b), (their, c), (end, d)) = case;
            let [before, ours, theirs] = [of(was, a), of(our, b), of(their, c)].map(|one| records(&[one]));
            assert_eq!(merge(&before, &ours, theirs), records(&[of(end, d)]), "{case:?}");
        }
    }

    #[test]
    fn an_entry_goes_where_its_key_is_with_what_others_have_written_of_it() {
        let before = records(&[keyed(1, 7, true), keyed(2, 8, false)]);
        let ours = records(&[keyed(3, 7, true), keyed(2, 8, false)]);
        let mut theirs = before.clone();
        theirs.get_mut(&address(1)).unwrap().blocked = true;
        let mut moved = keyed(3, 7, true);
        moved.1.blocked = true;
        assert_eq!(merge(&before, &ours, theirs.clone()), records(&[moved, keyed(2, 8, false)]));
        // Somebody without a key was known there.
        theirs.insert(address(3), record(3, "P3", None).1);
        let merged = merge(&before, &ours, theirs.clone());
        assert_eq!(merged.keys().map(SocketAddr::port).collect::<Vec<_>>(), [2, 3]);
        assert_eq!((merged[&address(3)].key, merged[&address(3)].verified), (key(7), true));
        // Another program has met somebody else at either address: no key is lost.
        for (port, n) in [(1, 9), (3, 9)] {
            let mut theirs = before.clone();
            theirs.extend([keyed(port, n, false)]);
            let merged = merge(&before, &ours, theirs);
            assert_eq!(merged[&address(port)].key, key(n));
            assert!(merged.values().any(|record| record.key == key(7)), "{port}");
        }
    }

    #[test]
    fn an_entry_goes_where_its_key_was_not_and_stays_blocked() {
        let before = records(&[keyed(1, 7, false), keyed(2, 7, false)]);
        let ours = records(&[keyed(1, 7, false), keyed(3, 7, false)]);
        let mut theirs = before.clone();
        theirs.get_mut(&address(2)).unwrap().blocked = true;
        let mut expected = ours.clone();
        expected.get_mut(&address(3)).unwrap().blocked = true;
        assert_eq!(merge(&before, &ours, theirs), expected);
        assert_eq!(moves(&before, &records(&[keyed(1, 7, false)])), [], "it went nowhere");
    }

    #[test]
    fn what_is_said_of_an_entry_goes_with_it_where_another_one_is() {
        let before = records(&[keyed(1, 7, false), keyed(2, 7, false)]);
        let (ours, mut theirs) = (records(&[keyed(3, 7, false)]), before.clone());
        let one = theirs.get_mut(&address(1)).unwrap();
        (one.blocked, one.verified, one.alias) = (true, true, Some("anna".to_owned()));
        theirs.get_mut(&address(2)).unwrap().has_comment = true;
        let mut expected = theirs[&address(1)].clone();
        expected.has_comment = true;
        for there in [None, Some(record(3, "", None)), Some(keyed(3, 7, false))] {
            let mut theirs = theirs.clone();
            theirs.extend(there);
            let merged = merge(&before, &ours, theirs);
            assert_eq!(merged, records(&[(address(3), expected.clone())]));
        }
        // Another program has blocked, or has compared the key, where it is now.
        let (before, mut theirs) = (records(&[keyed(1, 7, false)]), records(&[keyed(1, 7, false)]));
        let there = Record { blocked: true, ..keyed(3, 7, true).1 };
        theirs.extend([(address(3), there.clone())]);
        assert_eq!(merge(&before, &ours, theirs), records(&[(address(3), there)]));
    }

    #[test]
    fn an_entry_without_a_key_or_with_one_that_nobody_has_goes_nowhere() {
        let broken = |port| (address(port), Record { key: nobody(), ..Record::default() });
        let before = records(&[record(1, "P1", None), broken(2), keyed(4, 7, false)]);
        let ours = records(&[record(3, "P1", None), broken(3)]);
        let merged = merge(&before, &ours, before.clone());
        assert_eq!(merged.keys().map(SocketAddr::port).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn too_many_are_cut_to_those_heard_last_and_those_the_user_named() {
        let mut many =
            records(&(1..=KNOWN_PEERS_MAX + 10).map(|n| record(n, "P", Some(n as i64))).collect::<Vec<_>>());
        many.get_mut(&address(1)).unwrap().alias = Some("anna".to_owned());
        many.get_mut(&address(2)).unwrap().blocked = true;
        many.get_mut(&address(3)).unwrap().has_comment = true;
        many.get_mut(&address(4)).unwrap().key = key(7);
        let cut = bounded(many);
        assert_eq!(cut.len(), KNOWN_PEERS_MAX);
        let ports: Vec<u16> = cut.keys().take(5).map(SocketAddr::port).collect();
        assert_eq!(ports, [1, 2, 3, 4, 15]);
    }

    #[test]
    fn times_are_unchanged_and_moments_of_this_run_become_times() {
        let mut clock = Clock::start();
        for time in ["2026-03-01T00:00:07Z", "1999-12-31T23:59:59Z"] {
            let time: Timestamp = time.parse().unwrap();
            let met = Record { key: key(7), verified: true, met: Some(time), ..Record::default() };
            let record = Record { last_heard: Some(time), ..met };
            let known = record.to_known(&clock);
            clock.update();
            assert_eq!(Record::of(&known, &clock), record);
        }
        let future = Timestamp::now() + SignedDuration::from_hours(1000);
        assert_eq!(clock.moment_of(future), Some(clock.start.0));
        let now = clock.time_of(clock.now.0);
        assert!((now - clock.now.1).get_seconds().abs() <= 1);
    }
}
