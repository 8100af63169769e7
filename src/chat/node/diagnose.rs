//! Why a peer cannot be reached: what the user asked for, and what peers ask of us for the same purpose.
//!
//! The dial of a diagnosis is of a kind of its own, [`Kind::Probe`]: what answers may be anything, and only a chat may
//! get an entry in the table. It says the connect word, as choice 3 does, because an empty connection harms published
//! peers. If there is a session already, which the peer dialled, it says an acknowledgement, which nobody answers.

use super::Node;
use crate::chat::diagnosis::{Act, Event, Subject, greeting_of};
use crate::chat::finding::{Greeting, OurSide, Reach, Route, Verdict};
use crate::chat::knocks;
use crate::chat::meaning::End;
use crate::chat::notice::{Mistake, Notice};
use crate::chat::outbox::{Content, Report};
use crate::chat::request::Designation;
use crate::chat::role::{Kind, Role};
use crate::chat::tickets::Told;
use crate::limits::{DIAGNOSIS_TIMEOUT, OUTCOME_TIMEOUT};
use crate::proto::connection::{Connection, Phase};
use crate::proto::envelope::{Body, Envelope};
use crate::proto::fault::Fault;
use crate::proto::machine::{CloseReason, ConnId, How, Output};
use crate::proto::message::{Command, Dialect, Message, canonical};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

impl Node {
    pub(super) fn diagnose(&mut self, whom: &Designation, now: Instant) -> Result<(), Mistake> {
        if let Some(busy) = self.diagnosis.subject() {
            return Err(Mistake::Diagnosing(busy.to));
        }
        let to = match self.roster.recipient(whom) {
            Err(Mistake::Yourself(address)) => address,
            other => other?,
        };
        let number = self.tickets.open(1, Told::Each, self.asking.clone());
        let is_stranger = self.roster.directory().peer(to).is_none() && self.roster.book().get(to).is_none();
        let dial_timeout = self.config.limits.connect_timeout + OUTCOME_TIMEOUT;
        let subject = Subject { to, report: Report::Request(number), is_stranger, dial_timeout };
        self.prompter.stop_waiting();
        self.tell_asker(Notice::Diagnosing(self.roster.who(to)));
        self.diagnosis.begin(subject, now);
        self.outputs.push_back(Output::FindRoute(to));
        // A person may go on meanwhile; a script has nothing better to do.
        let patience = if self.config.is_terminal { OUTCOME_TIMEOUT } else { DIAGNOSIS_TIMEOUT };
        self.prompter.wait_for(number, now + patience);
        Ok(())
    }

    /// The system has told how it would reach an address.
    pub(super) fn on_route(&mut self, to: SocketAddr, from: Result<IpAddr, Fault>, now: Instant) {
        if self.diagnosis.subject().is_none_or(|subject| subject.to != to) {
            return;
        }
        let interface = from.ok().and_then(|from| self.config.interfaces.iter().find(|own| own.ip == from));
        let route = match (from, interface) {
            // The look-up needs a descriptor, and so does the dial, which will say it.
            (Err(fault), _) if fault.is_of_descriptors() => Route::Unclear,
            (Err(fault), _) => Route::None(fault),
            (Ok(from), _) if to.ip().is_loopback() || to.ip() == from => Route::Loopback,
            (Ok(_), Some(interface)) if interface.is_near(to.ip()) => Route::SameNetwork,
            (Ok(_), Some(_)) => Route::Gateway,
            (Ok(_), None) => Route::Unclear,
        };
        let side = OurSide {
            port: self.port(),
            addresses: self.roster.me().reachable(),
            from: from.ok(),
            interface: interface.map(|interface| interface.name.clone()),
            connections: self.connections.len(),
            connections_max: self.config.limits.connections_max,
        };
        let session = self.session_with(to).filter(|&session| self.is_dialled_by_us(session, to));
        let session = session.and_then(|session| Some((session, self.claimed_on(session)?)));
        let is_itself = self.roster.me().is_own(to);
        self.step(Event::Routed { side, route, is_itself, session }, now);
    }

    /// Hands an event to the diagnosis, and does what comes of it.
    pub(super) fn step(&mut self, event: Event<'_>, now: Instant) {
        for act in self.diagnosis.handle(event, now) {
            self.act(act, now);
        }
    }

    fn act(&mut self, act: Act, now: Instant) {
        match act {
            Act::AskBack(session) => match self.claimed_on(session).filter(|_| self.knows_control(session)) {
                Some(ours) => self.answer(session, &format!("!reach {ours}\n"), now),
                None => self.step(Event::Untold(session), now),
            },
            Act::Close(conn) => self.close(conn, CloseReason::Eof, now),
            Act::Conclude(subject, verdict) => self.conclude(subject, verdict, now),
            Act::Dial => self.dial_for_diagnosis(now),
            // Whoever proves a key needs both directions.
            Act::HalfClose(conn) if self.is_proving(conn) => {}
            Act::HalfClose(conn) => self.outputs.push_back(Output::Close { conn, how: How::HalfClose }),
            Act::Leave(conn) => {
                let to = self.connections.get(conn).map(Connection::remote);
                to.into_iter().for_each(|to| self.leave(conn, to, now));
            }
            Act::Ping(session, number) => self.answer(session, &format!("!ping {number}\n"), now),
            Act::Tell(subject, finding, took) => {
                let (who, id) = (self.roster.who(subject.to), self.tickets.id(subject.report));
                self.tell_as(id, Notice::Diagnosed { who, finding: Box::new(finding), took });
            }
        }
    }

    fn dial_for_diagnosis(&mut self, now: Instant) {
        let Some(subject) = self.diagnosis.subject() else { return };
        let conn = self.connections.dial(subject.to, Role::new(Kind::Probe), now);
        self.counters.dialled += 1;
        self.diagnosis.dialled(conn);
    }

    fn conclude(&mut self, subject: Subject, verdict: Box<Verdict>, now: Instant) {
        let Subject { to, report, is_stranger, .. } = subject;
        let who = self.roster.who(to);
        let has_word = matches!(
            verdict.greeting,
            Some(Greeting::Chinwag | Greeting::Closed | Greeting::Published(_) | Greeting::Silent)
        );
        let must_leave =
            is_stranger && has_word && verdict.lost().is_none() && self.has_only_been_diagnosed(to);
        let is_success = verdict.reach() == Reach::BothWays;
        self.report(report, is_success, Notice::Verdict { who, verdict });
        if must_leave && !self.is_quitting() {
            self.deliver(to, Content::Exit, None, Report::Nobody, now);
        }
    }

    /// Whether a message is what a peer writes to us because we asked it to. A host with several addresses may come from
    /// another one than it claims.
    pub(super) fn is_knock(&self, message: &Message<'_>) -> bool {
        let is_of = |peer: SocketAddr| peer.port() == message.address.port();
        matches!(message.command, Command::Ack { .. }) && self.diagnosis.awaits_from().is_some_and(is_of)
    }

    /// Whether neither side has wanted anything else meanwhile. That the peer has chatted, the diagnosis knows.
    fn has_only_been_diagnosed(&self, to: SocketAddr) -> bool {
        let is_ours = |session| self.is_dialled_by_us(session, to);
        let peer = self.roster.directory().peer(to);
        let is_mute = peer.is_none_or(|peer| peer.sent == 0 && peer.session.is_none_or(is_ours));
        is_mute && !self.outbox.waits(to) && !self.prompter.is_conversing_with(to)
    }

    /// The dial of the diagnosis is up.
    pub(super) fn on_probe_up(&mut self, conn: ConnId, now: Instant) {
        let (Some(connection), Some(from)) = (self.connections.get(conn), self.claimed_on(conn)) else {
            return;
        };
        let to = connection.remote();
        if !self.diagnosis.is_on(conn) {
            return self.drop_dial(conn, now);
        }
        let is_only_said = self.session_with(to).is_some();
        let (dialect, body) = if is_only_said {
            (Dialect::Standard, Body::Ack)
        } else {
            (self.roster.dialect_of(to), Body::Connect)
        };
        let name = self.roster.me().name();
        let message = Envelope { dialect, from, name, to }.message(body);
        if !is_only_said {
            self.trust.note_connect(conn, &message);
        }
        if let Err(reason) = self.connections.send(conn, message.into_bytes().into()) {
            return self.close(conn, reason, now);
        }
        if is_only_said {
            self.outputs.push_back(Output::Close { conn, how: How::HalfClose });
        }
        self.step(Event::Connected { conn, ours: from, is_only_said }, now);
    }

    /// A line came on the connection of the diagnosis.
    pub(super) fn on_greeting(
        &mut self,
        conn: ConnId,
        line: &[u8],
        message: &Message<'_>,
        end: End,
        now: Instant,
    ) {
        let Some(remote) = self.connections.get(conn).map(Connection::remote) else { return };
        let is_chinwag = message.command == Command::Ack { session: true };
        if is_chinwag && self.diagnosis.is_half_closed() {
            // It comes too late: nothing can be said on it any more.
            let greeting = Greeting::Broke(CloseReason::TimedOut);
            return self.step(Event::Greeted { conn, greeting }, now);
        }
        if is_chinwag && end != End::Gone && self.take_offer(conn, line, now) {
            return;
        }
        if self.is_refused(conn, remote) {
            return self.close(conn, CloseReason::NotEncrypted, now);
        }
        let greeting = match is_chinwag {
            true if end == End::Gone => Greeting::Broke(CloseReason::Eof),
            true => Greeting::Chinwag,
            false => Greeting::Published(message.dialect),
        };
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if greeting == Greeting::Chinwag {
            connection.data.become_inbound();
            // We dialled this address ourselves, so we trust it more than the address in the message.
            let message = &Message { address: remote, ..message.clone() };
            self.begin_probed_session(conn, message, now);
        } else if !is_chinwag {
            if self.roster.is_blocked(message.address) {
                self.counters.blocked += 1;
            } else if self.is_refused(conn, message.address) {
                self.show_unconfirmed(conn, message, now);
            } else {
                self.on_message(conn, line, message, end, now);
            }
            if let Some(connection) = self.connections.get_mut(conn) {
                connection.data.become_inbound();
            }
        }
        self.step(Event::Greeted { conn, greeting }, now);
    }

    /// What the diagnosis dialled has proved its key.
    pub(super) fn on_proved_greeting(&mut self, conn: ConnId, message: &Message<'_>, now: Instant) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.data.become_inbound();
        }
        self.begin_probed_session(conn, message, now);
        self.step(Event::Greeted { conn, greeting: Greeting::Chinwag }, now);
    }

    /// A text that is no message came on the connection of the diagnosis.
    pub(super) fn on_foreign_greeting(&mut self, conn: ConnId, text: &str, now: Instant) {
        let greeting = greeting_of(text.as_bytes());
        self.step(Event::Greeted { conn, greeting }, now);
    }

    /// The peer that was asked says what came of its dial.
    pub(super) fn on_reach(&mut self, conn: ConnId, word: &str, now: Instant) {
        self.note_control(conn, false);
        // Port 0 is an address too, and is refused.
        match word.parse::<SocketAddr>() {
            Ok(asked) => self.on_reach_asked(conn, asked, now),
            Err(_) => self.step(Event::Answered { conn, word }, now),
        }
    }

    /// A peer wants to know whether we reach it.
    fn on_reach_asked(&mut self, session: ConnId, asked: SocketAddr, now: Instant) {
        let Some(connection) = self.connections.get(session) else { return };
        // The dial has to say something in the clear.
        let is_allowed = |to: &SocketAddr| {
            !self.roster.me().is_own(*to) && !self.roster.is_blocked(*to) && !self.trust.requires()
        };
        let Some(to) = knocks::target(connection.remote(), canonical(asked)).filter(is_allowed) else {
            return self.answer(session, "!reach denied\n", now);
        };
        let asker = connection.data.session().and_then(|id| self.roster.directory().get(id));
        let asker = asker.map_or(connection.remote(), |peer| peer.address);
        if !self.knocks.may_knock(asker, now) {
            return self.answer(session, "!reach later\n", now);
        }
        log::debug!("{session:?} {asker}: asks whether we reach {to}");
        let conn = self.connections.dial(to, Role::new(Kind::Knock), now);
        self.counters.dialled += 1;
        self.knocks.begin(conn, session, now);
    }

    /// The dial for a peer is up: it says a word, because an empty connection harms published programs, and one that
    /// nobody answers.
    pub(super) fn on_knock_up(&mut self, conn: ConnId, now: Instant) {
        let (Some(connection), Some(from)) = (self.connections.get(conn), self.claimed_on(conn)) else {
            return;
        };
        let (to, name) = (connection.remote(), self.roster.me().name());
        let ack = Envelope { dialect: Dialect::Standard, from, name, to }.message(Body::Ack).into_bytes();
        if let Err(reason) = self.connections.send(conn, ack.into()) {
            return self.close(conn, reason, now);
        }
        self.connections.set_phase(conn, Phase::Settling, now);
        self.outputs.push_back(Output::Close { conn, how: How::HalfClose });
    }

    /// The dial for a peer is over: its session is told.
    pub(super) fn on_knock_ended(
        &mut self,
        conn: ConnId,
        connection: &Connection<Role>,
        reason: CloseReason,
        now: Instant,
    ) {
        let Some(session) = self.knocks.end(conn) else { return };
        let is_taken = matches!(reason, CloseReason::Eof | CloseReason::TimedOut);
        let word = match connection.phase() {
            Phase::Settling if is_taken && connection.queue().is_empty() => "ok",
            // It had to wait for its turn here.
            Phase::Waiting => "later",
            _ => reason.word(),
        };
        if self.connections.get(session).is_some_and(|session| session.data.session().is_some()) {
            self.answer(session, &format!("!reach {word}\n"), now);
        }
    }

    /// What is due of diagnoses: our own, and those of others.
    pub(super) fn on_reach_due(&mut self, now: Instant) {
        let judged = self.connections.judged_until(now);
        while let Some(conn) = self.knocks.next_due(judged) {
            self.close(conn, CloseReason::TimedOut, now);
            // It is gone even if the table has forgotten the dial.
            self.knocks.end(conn);
        }
        if self.diagnosis.next_deadline().is_some_and(|at| at <= judged) {
            self.step(Event::Due, now);
        }
    }

    pub(super) fn session_with(&self, to: SocketAddr) -> Option<ConnId> {
        self.roster.directory().peer(to)?.session
    }

    /// Whether the other end of a session is where the peer listens, and not where it dialled from.
    fn is_dialled_by_us(&self, session: ConnId, to: SocketAddr) -> bool {
        self.connections.get(session).is_some_and(|connection| connection.remote() == to)
    }

    fn is_proving(&self, conn: ConnId) -> bool {
        self.connections.get(conn).is_some_and(|connection| connection.phase() == Phase::Proving)
    }

    fn knows_control(&self, session: ConnId) -> bool {
        self.connections.get(session).is_some_and(|connection| connection.data.knows_control())
    }
}
