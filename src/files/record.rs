//! The known peers as they are in the file, and how the knowledge of two programs is merged.
//!
//! It handles neither text nor files.

use chinwag::chat::book::Known;
use chinwag::limits::KNOWN_PEERS_MAX;
use chinwag::proto::message::Dialect;
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
    /// The user wrote a comment on it.
    pub(super) has_comment: bool,
}

/// The new content of the file: what others wrote, with our changes since `before`.
pub(super) fn merge(before: &Records, ours: &Records, mut theirs: Records) -> Records {
    for (address, our) in ours {
        let was = before.get(address);
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
/// commented on.
pub(super) fn bounded(mut records: Records) -> Records {
    let is_kept = |record: &Record| record.alias.is_some() || record.blocked || record.has_comment;
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
            ..Known::default()
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
        if our.last_heard >= self.last_heard {
            self.last_heard = our.last_heard;
            if our.name != was.name {
                self.name.clone_from(&our.name);
            }
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
    fn moment_of(&self, time: Timestamp) -> Option<Instant> {
        let ago = Duration::try_from(self.start.1.duration_since(time)).unwrap_or_default();
        self.start.0.checked_sub(ago)
    }

    /// The time of a moment, in whole seconds. A time that came from the file is written back unchanged.
    fn time_of(&self, moment: Instant) -> Timestamp {
        let (instant, time) = if moment <= self.start.0 { self.start } else { self.now };
        let ago = SignedDuration::try_from(instant.saturating_duration_since(moment)).unwrap_or_default();
        let exact = time.checked_sub(ago).unwrap_or(time);
        exact.round(Unit::Second).unwrap_or(exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn too_many_are_cut_to_those_heard_last_and_those_the_user_named() {
        let mut many =
            records(&(1..=KNOWN_PEERS_MAX + 10).map(|n| record(n, "P", Some(n as i64))).collect::<Vec<_>>());
        many.get_mut(&address(1)).unwrap().alias = Some("anna".to_owned());
        many.get_mut(&address(2)).unwrap().blocked = true;
        many.get_mut(&address(3)).unwrap().has_comment = true;
        let cut = bounded(many);
        assert_eq!(cut.len(), KNOWN_PEERS_MAX);
        let ports: Vec<u16> = cut.keys().take(4).map(SocketAddr::port).collect();
        assert_eq!(ports, [1, 2, 3, 14]);
    }

    #[test]
    fn times_are_unchanged_and_moments_of_this_run_become_times() {
        let mut clock = Clock::start();
        for time in ["2026-03-01T00:00:07Z", "1999-12-31T23:59:59Z"] {
            let time: Timestamp = time.parse().unwrap();
            let record = Record { last_heard: Some(time), ..Record::default() };
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
