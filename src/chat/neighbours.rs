//! Who was found on the networks of this host, and what of it the user was told.
//!
//! A search has one list, which is told within a second. Who is found after that is told one by one.

use super::outbox::Report;
use crate::discovery::{Action, Discovery, Neighbour, Offer};
use crate::limits::NEARBY_LIST_DELAY;
use crate::proto::fault::Fault;
use crate::proto::interface::Interface;
use crate::proto::machine::Datagram;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long it may take until somebody who was found after the list is told. Meanwhile many datagrams may come, and not
/// after each of them all who were found are looked through.
const TELL_DELAY: Duration = Duration::from_millis(50);

/// Discovery, and the search that the user waits for.
#[derive(Debug)]
pub(super) struct Neighbours {
    discovery: Discovery,
    search: Option<Search>,
    has_links: bool,
    /// That there is no network is told once.
    is_lack_told: bool,
}

#[derive(Debug)]
struct Search {
    /// Until its list is told.
    owed: Option<(Report, Instant)>,
    told: Vec<SocketAddr>,
    /// When to look whom the datagrams of this moment told of.
    look_at: Option<Instant>,
}

impl Search {
    fn next_deadline(&self) -> Option<Instant> {
        self.owed.map_or(self.look_at, |(_, at)| Some(at))
    }
}

/// What is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// This answers the search.
    List(Report, Vec<Neighbour>),
    /// Somebody more, and who was told before.
    More(Neighbour, Vec<SocketAddr>),
    /// Nobody was found, and nobody will be.
    Nobody,
}

impl Neighbours {
    pub(super) fn new(seed: u64) -> Self {
        Self { discovery: Discovery::new(seed), search: None, has_links: false, is_lack_told: false }
    }

    /// Looks for others. If a search is under way, its list is told now.
    pub(super) fn search(
        &mut self,
        report: Report,
        is_own: impl Fn(SocketAddr) -> bool,
        now: Instant,
    ) -> Option<News> {
        let owed = Some((report, now + NEARBY_LIST_DELAY));
        let before = self.search.replace(Search { owed, told: Vec::new(), look_at: None });
        self.is_lack_told = false;
        self.discovery.search(now);
        before.and_then(|search| search.owed).map(|(report, _)| News::List(report, self.all(is_own, now)))
    }

    pub(super) fn announce(&mut self, offer: Offer, now: Instant) {
        self.discovery.announce(offer, now);
    }

    pub(super) fn leave(&mut self, now: Instant) {
        self.discovery.leave(now);
    }

    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.discovery.poll_action()
    }

    pub(super) fn on_joined(&mut self, interfaces: Vec<Interface>, now: Instant) {
        self.has_links = !interfaces.is_empty();
        self.discovery.on_joined(interfaces, now);
    }

    /// Nothing can be heard: returns what the search owes.
    pub(super) fn on_join_failed(&mut self) -> Option<Report> {
        self.discovery.on_join_failed();
        self.search.take().and_then(|search| search.owed).map(|(report, _)| report)
    }

    pub(super) fn on_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.discovery.on_datagram(datagram, now);
        self.search.iter_mut().for_each(|search| {
            search.look_at.get_or_insert(now + TELL_DELAY);
        });
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        self.discovery.on_timeout(now);
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let of_search = self.search.as_ref().and_then(Search::next_deadline);
        self.discovery.next_deadline().into_iter().chain(of_search).min()
    }

    /// Everybody who is known to be there, apart from ourselves.
    pub(super) fn all(&self, is_own: impl Fn(SocketAddr) -> bool, now: Instant) -> Vec<Neighbour> {
        let mut all = self.discovery.neighbours(now);
        all.retain(|neighbour| !is_own(neighbour.address));
        all
    }

    /// Whether this host is on no network on which anybody could be found, if that has not been told.
    pub(super) fn take_lack(&mut self, fault: Option<&Fault>) -> bool {
        let is_lack = !self.has_links || fault.is_some();
        is_lack && !std::mem::replace(&mut self.is_lack_told, true)
    }

    /// What the search owes, if something else is its answer. Whom it may yet find is told one by one.
    pub(super) fn take_owed(&mut self) -> Option<Report> {
        self.search.as_mut()?.owed.take().map(|(report, _)| report)
    }

    /// What the search has found since this was last asked.
    pub(super) fn take_news(&mut self, is_own: impl Fn(SocketAddr) -> bool, now: Instant) -> Vec<News> {
        let is_over = !self.discovery.is_searching();
        let is_due = |search: &Search| is_over || search.next_deadline().is_some_and(|at| at <= now);
        if !self.search.as_ref().is_some_and(is_due) {
            return Vec::new();
        }
        let all = self.all(is_own, now);
        let Some(search) = &mut self.search else { return Vec::new() };
        search.look_at = None;
        let mut news = Vec::new();
        if let Some((report, _)) = search.owed.take_if(|(_, at)| *at <= now || is_over) {
            search.told = all.iter().map(|neighbour| neighbour.address).collect();
            news.push(News::List(report, all));
        } else if search.owed.is_none() {
            for neighbour in all {
                if !search.told.contains(&neighbour.address) {
                    let before = search.told.clone();
                    search.told.push(neighbour.address);
                    news.push(News::More(neighbour, before));
                }
            }
        }
        if is_over {
            news.extend((search.told.is_empty() && !self.is_lack_told).then_some(News::Nobody));
            self.search = None;
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::start;

    #[test]
    fn a_search_without_answers_has_an_empty_list_and_an_end() {
        let (mut neighbours, now) = (Neighbours::new(1), start());
        let report = Report::Request(1);
        assert_eq!(neighbours.search(report, |_| false, now), None);
        assert_eq!(neighbours.poll_action(), Some(Action::Join));
        neighbours.on_joined(vec![Interface::alone("10.0.0.1".parse().unwrap())], now);
        assert_eq!(neighbours.take_news(|_| false, now), []);
        let mut news = Vec::new();
        while let Some(at) = neighbours.next_deadline() {
            assert!(at <= now + Duration::from_secs(6));
            neighbours.on_timeout(at);
            news.extend(neighbours.take_news(|_| false, at).into_iter().map(|news| (at - now, news)));
        }
        let list = (NEARBY_LIST_DELAY, News::List(report, Vec::new()));
        assert_eq!(news, [list, (Duration::from_secs(5), News::Nobody)]);
    }

    #[test]
    fn a_search_that_begins_again_owes_nothing_of_the_first_one() {
        let (mut neighbours, now) = (Neighbours::new(1), start());
        neighbours.search(Report::Request(1), |_| false, now);
        let owed = neighbours.search(Report::Request(2), |_| false, now);
        assert_eq!(owed, Some(News::List(Report::Request(1), Vec::new())));
        assert_eq!(neighbours.on_join_failed(), Some(Report::Request(2)));
        assert_eq!(neighbours.next_deadline(), None);
    }

    #[test]
    fn that_there_is_no_network_is_told_once_for_each_search() {
        let (mut neighbours, now) = (Neighbours::new(1), start());
        neighbours.search(Report::Request(1), |_| false, now);
        neighbours.on_joined(Vec::new(), now);
        assert_eq!([neighbours.take_lack(None), neighbours.take_lack(None)], [true, false]);
    }
    #[test]
    fn whom_many_datagrams_tell_of_is_looked_for_once_after_them() {
        let (mut neighbours, now) = (Neighbours::new(1), start());
        neighbours.search(Report::Request(1), |_| false, now);
        let interface = |ip: &str| Interface { prefix: 24, ..Interface::alone(ip.parse().unwrap()) };
        neighbours.on_joined(vec![interface("10.0.0.1")], now);
        let mut bob = Discovery::new(2);
        bob.announce(Offer { name: "bob".into(), bound: "::".parse().unwrap(), port: 8080, key: None }, now);
        bob.on_joined(vec![interface("10.0.0.2")], now);
        let later = now + NEARBY_LIST_DELAY;
        bob.on_timeout(later);
        neighbours.on_timeout(later);
        assert_eq!(neighbours.take_news(|_| false, later), [News::List(Report::Request(1), Vec::new())]);
        while let Some(at) = bob.next_deadline() {
            bob.on_timeout(at);
        }
        let from: SocketAddr = "10.0.0.2:5353".parse().unwrap();
        while let Some(action) = bob.poll_action() {
            if let Action::Send { bytes, .. } = action {
                let on = interface("10.0.0.2").index;
                neighbours.on_datagram(Datagram { on, from, hop_limit: Some(255), bytes: &bytes }, later);
                assert_eq!(neighbours.take_news(|_| false, later), [], "looked through for each datagram");
            }
        }
        let at = later + TELL_DELAY;
        assert!(neighbours.next_deadline().is_some_and(|deadline| deadline <= at));
        let news = neighbours.take_news(|_| false, at);
        assert!(matches!(&news[..], [News::More(found, _)] if found.name == "bob"), "{news:?}");
    }
}
