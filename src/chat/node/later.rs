//! What is held for later: it goes out when its peer is back, and the user is asked about what could not be sent.
//!
//! A peer is back when it was heard at its own address or reached there. We never dial only to find that out. A held text
//! goes the way of any other text, on the session of its peer or by a dial to it; `held` has the life of one.

use super::{Node, Stage};
use crate::chat::directory::PeerId;
use crate::chat::held::{Held, HeldFate, HeldId, HeldNews, HeldState, HeldText};
use crate::chat::kept::{Outcome, Taken};
use crate::chat::notice::{Failure, HeldQuestion, HeldRow, Later, Mistake, Notice, Prompt};
use crate::chat::offer::Answer;
use crate::chat::outbox::{Content, Report};
use crate::chat::request::{Audience, Designation};
use crate::proto::machine::{CloseReason, ConnId};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

impl Node {
    /// The texts that are held for later, for whoever writes them to a file.
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// What was found in the file of held texts, or done to it. Drain the outputs as after
    /// [`Machine::handle`](crate::proto::machine::Machine::handle).
    pub fn on_held_file(&mut self, news: HeldNews, now: Instant) {
        news.gone.into_iter().for_each(|id| self.held.forget(id));
        for text in news.learnt {
            if text.state == HeldState::Unconfirmed {
                self.offer.note_unconfirmed();
            }
            self.held.learn(text);
        }
        self.hand_over(&news.granted, now);
        self.go_on(now);
    }

    /// Holds a text for whom the user means. If that peer is in session, it goes out at once.
    pub(super) fn hold(&mut self, whom: &Designation, text: &str, now: Instant) -> Result<(), Mistake> {
        let to = self.roster.recipient(whom)?;
        self.hold_all(vec![(to, text.into())], now)
    }

    fn hold_all(&mut self, texts: Vec<(SocketAddr, Rc<str>)>, now: Instant) -> Result<(), Mistake> {
        let mut held: Vec<(SocketAddr, Vec<Rc<str>>)> = Vec::new();
        let mut result = Ok(());
        for (to, text) in texts {
            if self.held.hold(to, &text, self.roster.pin(to).map(|pin| pin.key), now).is_err() {
                result = Err(Mistake::HeldFull);
                continue;
            }
            match held.iter_mut().find(|(peer, _)| *peer == to) {
                Some((_, texts)) => texts.push(text),
                None => held.push((to, vec![text])),
            }
        }
        let what = if self.config.has_held_file { Later::Held } else { Later::HeldForThisRun };
        for (to, texts) in held {
            self.tell_asker(Notice::Later { who: self.roster.who(to), texts, what });
            if self.roster.directory().peer(to).is_some_and(|peer| peer.session.is_some()) {
                self.held.note_back(to);
            }
        }
        result
    }

    pub(super) fn list_held(&mut self, now: Instant) {
        let row = |held: &HeldText| HeldRow {
            who: self.roster.who(held.to),
            text: Rc::clone(&held.text),
            held: now.saturating_duration_since(held.at),
            state: held.state,
        };
        let rows = self.held.texts().map(row).collect();
        self.tell_asker(Notice::Held(rows));
    }

    pub(super) fn forget_held(&mut self, whom: &Designation) -> Result<(), Mistake> {
        let to = self.roster.resolve(whom)?;
        if self.drop_held(to) { Ok(()) } else { Err(Mistake::NothingHeld(to)) }
    }

    /// Forgets all texts that are held for a peer, and tells it; gives whether there were any.
    pub(super) fn drop_held(&mut self, to: SocketAddr) -> bool {
        let texts: Vec<Rc<str>> = self.held.forget_all(to).into_iter().map(|held| held.text).collect();
        let is_any = !texts.is_empty();
        if is_any {
            self.tell_asker(Notice::Later { who: self.roster.who(to), texts, what: Later::Forgotten });
        }
        is_any
    }

    /// A peer whose header is known was heard again.
    pub(super) fn note_heard_again(&mut self, conn: ConnId, id: PeerId) {
        if self.held.texts().next().is_some()
            && let Some(peer) = self.roster.directory().get(id)
            && self.is_confirmed(conn, peer.address)
        {
            self.held.note_back(peer.address);
        }
    }

    /// The other side of a session has said what it is, so it reads what comes.
    pub(super) fn note_session_stays(&mut self, conn: ConnId) {
        let peer = self.connections.get(conn).and_then(|connection| connection.data.session());
        if let Some(peer) = peer.and_then(|peer| self.roster.directory().get(peer))
            && self.is_confirmed(conn, peer.address)
        {
            self.held.note_back(peer.address);
        }
    }

    /// Wants the texts of those to be sent who are back. Without a file they go out at once.
    pub(super) fn send_held(&mut self, now: Instant) {
        if self.stage != Stage::Running {
            return;
        }
        while let Some(to) = self.held.next_back() {
            let session = self.roster.directory().peer(to).and_then(|peer| peer.session);
            let role = session.and_then(|session| self.connections.get(session)).map(|c| &c.data);
            // Many programs connect, and hang up before they read anything.
            let may_hang_up = role.is_some_and(|role| role.is_only_answered());
            if self.roster.is_blocked(to) || (may_hang_up && self.held.must_settle(to, now)) {
                continue;
            }
            let key = self.roster.pin(to).map(|pin| pin.key);
            self.held.want(to, key, session.is_some(), now);
        }
        if !self.config.has_held_file {
            let wanted: Vec<HeldId> = self.held.wanted().collect();
            self.hand_over(&wanted, now);
        }
    }

    fn hand_over(&mut self, ids: &[HeldId], now: Instant) {
        if ids.is_empty() || self.stage != Stage::Running {
            return;
        }
        self.flush_broadcast();
        for HeldText { id, to, text, .. } in self.held.grant(ids, now) {
            self.deliver(to, Content::Chat(text.to_string()), None, Report::Held(id), now);
        }
    }

    /// Texts were taken where nobody confirms.
    pub(super) fn note_taken(&mut self, Taken { texts, held }: Taken) {
        self.counters.taken += texts;
        self.note_held_arrived(held, false);
    }

    /// Their peers have these texts. `is_read`: they have confirmed it.
    pub(super) fn note_held_arrived(&mut self, ids: impl IntoIterator<Item = HeldId>, is_read: bool) {
        let what = if is_read { Later::Delivered } else { Later::Taken };
        let arrived: Vec<HeldText> =
            ids.into_iter().filter_map(|id| self.held.settle(id, HeldFate::Arrived)).collect();
        for of_peer in arrived.chunk_by(|one, next| one.to == next.to) {
            let to = of_peer[0].to;
            let texts: Vec<Rc<str>> = of_peer.iter().map(|held| Rc::clone(&held.text)).collect();
            // A record cannot be taken back, so it is made only now.
            texts.iter().for_each(|text| self.record(&[to], false, None, text, Content::chat));
            self.tell(Notice::Later { who: self.roster.who(to), texts, what });
        }
    }

    /// A session ended with a text. Gives whether it is still held, so that nothing needs to be told.
    pub(super) fn settle_held(&mut self, id: Option<HeldId>, outcome: Outcome, reason: CloseReason) -> bool {
        let Some(id) = id else { return false };
        let is_in_good_order = matches!(reason, CloseReason::Eof | CloseReason::TimedOut);
        match outcome {
            Outcome::NotSent => self.held.settle(id, HeldFate::NotSent).is_some(),
            Outcome::Taken if !is_in_good_order => {
                self.doubt_held(Report::Held(id));
                false
            }
            Outcome::Taken => {
                self.note_held_arrived(Some(id), false);
                false
            }
            Outcome::Unconfirmed => {
                self.held.settle(id, HeldFate::Unconfirmed);
                self.offer.note_unconfirmed();
                false
            }
        }
    }

    /// The message of a dial was written, and it is not known whether it was read.
    pub(super) fn doubt_held(&mut self, report: Report) {
        let Some(held) = report.held().and_then(|id| self.held.settle(id, HeldFate::Unconfirmed)) else {
            return;
        };
        self.offer.note_unconfirmed();
        let (who, what) = (self.roster.who(held.to), Later::Unconfirmed);
        self.tell(Notice::Later { who, texts: vec![held.text], what });
    }

    /// Whether a text that failed is a held one, which waits again. If a part of it has arrived, the user is asked.
    pub(super) fn is_held_again(&mut self, report: Report, rest: &str) -> bool {
        let Some(id) = report.held() else { return false };
        let is_whole = self.held.texts().any(|held| held.id == id && *held.text == *rest);
        if is_whole {
            self.held.settle(id, HeldFate::NotSent);
        } else {
            self.doubt_held(report);
        }
        true
    }

    /// Texts may have been held for too long, or taken by those who do not say so.
    pub(super) fn on_held_due(&mut self, now: Instant) {
        if self.held.next_deadline().is_none_or(|at| at > now) {
            return;
        }
        for HeldText { to, text, .. } in self.held.expire(now) {
            let (who, texts) = (self.roster.who(to), vec![text]);
            self.tell(Notice::Later { who, texts, what: Later::Expired });
        }
        let is_under_way = |held: &&HeldText| held.state == HeldState::UnderWay;
        let to: Vec<SocketAddr> = self.held.texts().filter(is_under_way).map(|held| held.to).collect();
        for to in to {
            let session = self.roster.directory().peer(to).and_then(|peer| peer.session);
            if let Some(connection) = session.and_then(|session| self.connections.get_mut(session)) {
                let written = connection.written();
                let taken = connection.data.let_go(written, usize::MAX);
                self.note_taken(taken);
            }
        }
    }

    /// A text that could not be sent may be held, if the user asked for it and it can arrive later.
    pub(super) fn offer_to_hold(&mut self, to: SocketAddr, text: &str, report: Report, why: Failure) {
        let may_arrive = matches!(why, Failure::Connection(_) | Failure::TooManyWaiting);
        if matches!(report, Report::Request(_)) && may_arrive {
            self.offer.note_unsent(to, text);
        }
    }

    /// Puts the question about texts in place of any other one, if there is one and it may be put now.
    pub(super) fn put_held_question(&mut self) -> bool {
        let question = self.held_question();
        self.offer.put(question.clone());
        question.map(|question| self.tell(Notice::Prompt(Prompt::Held(question)))).is_some()
    }

    /// Puts the question if there is a new one.
    pub(super) fn ask_of_held(&mut self, now: Instant) {
        if self.config.offers_to_hold {
            let question = self.held_question();
            if question.is_some() && self.offer.is_other(question.as_ref()) {
                self.ask();
            }
        }
        self.offer.note_time(now);
    }

    fn held_question(&self) -> Option<HeldQuestion> {
        // What failed is told first.
        let is_told = self.tickets.is_empty() && self.losses_at.is_none();
        if !is_told || self.stage != Stage::Running || !self.prompter.may_be_asked() {
            return None;
        }
        let unconfirmed = self.held.texts().filter(|held| held.state == HeldState::Unconfirmed);
        let name = |to| self.roster.partner_name(Audience::One(to, None));
        self.offer.question(unconfirmed.map(|held| held.to), name)
    }

    /// Whether a typed line answers the question about texts.
    pub(super) fn answer_of_held(&mut self, line: &str, now: Instant) -> bool {
        let Some(answer) = self.offer.take(line, now) else { return false };
        match answer {
            Answer::KeepNone | Answer::PutOff => {}
            Answer::Keep(texts) => {
                if let Err(mistake) = self.hold_all(texts, now) {
                    self.tell_mistake(mistake, now);
                }
            }
            Answer::SendAgain(is_wanted) => {
                for to in self.held.send_again(is_wanted) {
                    let peer = self.roster.directory().peer(to);
                    if peer.is_some_and(|peer| peer.session.is_some()) {
                        self.held.note_back(to);
                    }
                }
            }
        }
        true
    }
}
