//! Who is near: the user looks for others, and lets others find this node.

use super::Node;
use crate::chat::neighbours::News;
use crate::chat::notice::Notice;
use crate::chat::outbox::Report;
use crate::chat::tickets::Told;
use crate::discovery::{Action, GROUPS, Offer};
use crate::limits::OUTCOME_TIMEOUT;
use crate::proto::fault::Fault;
use crate::proto::interface::Interface;
use crate::proto::machine::Output;
use std::time::Instant;

impl Node {
    /// Looks for others; the menu waits for the list.
    pub(super) fn look_nearby(&mut self, now: Instant) {
        let number = self.tickets.open(1, Told::Each, self.asking.clone());
        self.prompter.stop_waiting();
        self.prompter.wait_for(number, now + OUTCOME_TIMEOUT);
        let roster = &self.roster;
        let before =
            self.neighbours.search(Report::Request(number), |address| roster.me().is_own(address), now);
        before.into_iter().for_each(|news| self.tell_news(news));
        self.go_on_nearby(now);
    }

    /// Lets others find this node, if the user wants that.
    pub(super) fn announce(&mut self, now: Instant) {
        if self.config.announce {
            let me = self.roster.me();
            let key = self.trust.identity().map(|own| own.key().fingerprint().replace(' ', ""));
            let offer = Offer { name: me.name().to_owned(), bound: me.bound(), port: me.port(), key };
            self.neighbours.announce(offer, now);
            self.go_on_nearby(now);
        }
    }

    pub(super) fn on_joined(&mut self, interfaces: Vec<Interface>, now: Instant) {
        self.neighbours.on_joined(interfaces, now);
        if self.neighbours.take_lack(None) {
            let lack = Notice::NoMulticast(None);
            match self.neighbours.take_owed() {
                Some(report) => self.report(report, false, lack),
                None => self.tell(lack),
            }
        }
        self.go_on_nearby(now);
    }

    pub(super) fn on_join_failed(&mut self, fault: Fault, now: Instant) {
        let owed = self.neighbours.on_join_failed();
        let is_told = self.neighbours.take_lack(Some(&fault));
        match owed {
            Some(report) => self.report(report, false, Notice::NoMulticast(Some(fault))),
            None if is_told => self.tell(Notice::NoMulticast(Some(fault))),
            None => {}
        }
        self.go_on_nearby(now);
    }

    /// Tells what has become known, and does what has to be done.
    pub(super) fn go_on_nearby(&mut self, now: Instant) {
        while let Some(action) = self.neighbours.poll_action() {
            self.outputs.push_back(match action {
                Action::Join => Output::Join(GROUPS),
                Action::Leave => Output::Leave,
                Action::Send { on, to, bytes } => Output::Datagram { on, to, bytes },
            });
        }
        let roster = &self.roster;
        let news = self.neighbours.take_news(|address| roster.me().is_own(address), now);
        news.into_iter().for_each(|news| self.tell_news(news));
    }

    fn tell_news(&mut self, news: News) {
        match news {
            News::List(report, found) => {
                let list = self.roster.list_nearby(&found);
                self.report(report, true, list);
            }
            News::More(found, before) => {
                let row = self.roster.add_nearby(&found, &before);
                self.tell(Notice::FoundNearby(row));
            }
            News::Nobody => self.tell(Notice::NobodyNearby),
        }
    }
}
