//! Connects and their answers: who asks whom, what is answered where, how a session begins.
//!
//! A connect is answered on its own connection, which makes it a session, if that is still open and its sender speaks
//! our lines. Otherwise it is answered by a dial. Our own connect goes out by a dial; its answer comes on that
//! connection, or on one that the peer makes, or not at all: most published programs answer none. One connect has one
//! outcome all the same.

use super::Node;
use super::logged::Speaking;
use super::say::line;
use crate::chat::directory::PeerId;
use crate::chat::id::CommandId;
use crate::chat::meaning::{CHINWAG, End};
use crate::chat::notice::{Notice, Who};
use crate::chat::outbox::{Content, Outgoing, Report};
use crate::chat::role::Kind;
use crate::limits::SETTLE_TIMEOUT;
use crate::proto::connection::{Connection, Phase, Secrecy};
use crate::proto::envelope::{Body, Envelope};
use crate::proto::machine::{CloseReason, ConnId};
use crate::proto::message::Message;
use std::net::SocketAddr;
use std::time::Instant;

impl Node {
    pub(super) fn on_connect(
        &mut self,
        conn: ConnId,
        line: &[u8],
        message: &Message<'_>,
        end: End,
        now: Instant,
    ) {
        let Some(connection) = self.connections.get(conn) else { return };
        if connection.secrecy() == Secrecy::Sealed && self.is_session_of_another(conn, message.address) {
            return self.show_unconfirmed(conn, message, now);
        }
        let (from, is_confirmed) = (connection.remote(), self.is_confirmed(conn, message.address));
        let can_answer_here = end != End::Gone
            && message.dialect.can_have_session()
            && matches!(connection.data.kind(), Kind::Inbound | Kind::Session(_));
        // Whoever is not where they claim to be must not make us dial a third party, nor take over what is meant for
        // somebody else.
        let is_allowed = is_confirmed || (can_answer_here && !self.is_spoken_for(message.address, from));
        let Some(id) = Some(message).filter(|_| is_allowed).and_then(|message| self.meet(conn, message, now))
        else {
            return self.show_unconfirmed(conn, message, now);
        };
        self.roster.note_connected(id);
        let ends_ours = if can_answer_here {
            self.pending_connects.awaits(message.address) || !self.keeps_own_dial(conn, message.address)
        } else {
            is_confirmed && self.awaits_answer(message.address)
        };
        let asked_by = Some(message.address).filter(|_| ends_ours).and_then(|from| self.id_of_connect(from));
        if let Some(peer) = self.roster.directory().get(id) {
            self.show_answer(asked_by, from, self.roster.who_is(peer), Notice::Connected, now);
        }
        if can_answer_here {
            return self.answer_here(conn, line, id, message.address, now);
        }
        if is_confirmed {
            self.connect_is_answered(message.address, now);
        }
        let gets_a_line = message.dialect.has_line_answers() && end != End::Gone;
        if !gets_a_line {
            self.acknowledge(id, now);
        }
    }

    /// Whether a connection is bound to a peer at another address. What is said on an encrypted one is for that peer.
    fn is_session_of_another(&self, conn: ConnId, address: SocketAddr) -> bool {
        let peer = self.connections.get(conn).and_then(|connection| connection.data.session());
        peer.and_then(|id| self.roster.directory().get(id)).is_some_and(|peer| peer.address != address)
    }

    /// Whether the address already belongs to a known peer, so that a stranger at `from` must not get its session.
    fn is_spoken_for(&self, address: SocketAddr, from: SocketAddr) -> bool {
        let is_of_another = |session: ConnId| {
            self.connections.get(session).is_some_and(|session| session.remote().ip() != from.ip())
        };
        let was_heard = self.roster.book().get(address).is_some_and(|known| known.heard_at.is_some());
        let peer = self.roster.directory().peer(address);
        was_heard
            || peer.is_some_and(|peer| peer.is_confirmed || peer.session.is_some_and(is_of_another))
            || self.outbox.connect_under_way(address).is_some()
    }

    /// Answers a connect on its own connection, which makes it a session. If we are dialling that peer as well, one of
    /// the two connections stays: both sides must choose the same one without a word.
    fn answer_here(&mut self, conn: ConnId, connect: &[u8], id: PeerId, address: SocketAddr, now: Instant) {
        self.warn_of_claim(conn, address);
        // A peer that asks as well has answered what we asked before.
        if let Some(report) = self.pending_connects.take(address) {
            self.settle(report);
        }
        let own_dial = self.outbox.connect_under_way(address);
        if own_dial.is_some() && self.keeps_own_dial(conn, address) {
            return;
        }
        if !self.write_answer(conn, connect, now) {
            return;
        }
        self.bind_session(conn, id, now);
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.data.note_answered();
        }
        if let Some(own_dial) = own_dial {
            self.abandon(own_dial, address, now);
        }
    }

    /// Writes the answer to a connect, with an offer if that is possible. Whoever has proved a key has it already. `false`:
    /// the connection was closed.
    fn write_answer(&mut self, conn: ConnId, connect: &[u8], now: Instant) -> bool {
        let (Some(connection), Some(ours)) = (self.connections.get(conn), self.claimed_on(conn)) else {
            return false;
        };
        let is_new = connection.data.kind() == Kind::Inbound && connection.secrecy() == Secrecy::Clear;
        let is_answered =
            connection.secrecy() != Secrecy::Clear || (is_new && self.answer_with_offer(conn, connect, now));
        if !is_answered {
            let answer = line(&Envelope::of_session(ours, self.roster.me().name()), Body::AckSession);
            if let Err(reason) = self.connections.send(conn, answer) {
                self.close(conn, reason, now);
            }
        }
        self.connections.get(conn).is_some()
    }

    /// Both dial at once: the dial of the smaller address stays.
    pub(super) fn keeps_own_dial(&self, conn: ConnId, address: SocketAddr) -> bool {
        self.claimed_on(conn).is_some_and(|ours| ours < address)
    }

    /// The id of our connect to an address, if it has one and its outcome is not known.
    fn id_of_connect(&self, to: SocketAddr) -> Option<CommandId> {
        let under_way = || self.outbox.connect_under_way(to).and(self.outbox.under_way(to));
        let report =
            self.pending_connects.report(to).or_else(|| under_way().map(|(_, outgoing)| outgoing.report));
        self.tickets.id(report?)
    }

    /// Shows a line that may be what came of a command; then it is told in any case.
    fn show_answer(
        &mut self,
        id: Option<CommandId>,
        from: SocketAddr,
        who: Who,
        notice: fn(Who) -> Notice,
        now: Instant,
    ) {
        match id {
            Some(_) => self.tell_as(id, notice(who)),
            None => {
                self.show(from, who, notice, now);
            }
        }
    }

    /// Dials an acknowledgement to a peer that asked and hung up, now and then at most.
    pub(super) fn acknowledge(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.roster.directory().get(id) else { return };
        let address = peer.address;
        if peer.session.is_none() && !self.is_secret(address) && self.outbox.may_acknowledge(address, now) {
            self.deliver(address, Content::Ack, None, Report::Nobody, now);
        }
    }

    pub(super) fn on_ack(&mut self, conn: ConnId, message: &Message<'_>, session: bool, now: Instant) {
        let Some(remote) = self.connections.get(conn).map(Connection::remote) else { return };
        let is_answer = self.is_answer(conn);
        // We dialled this address ourselves, so we trust it more than the address in the message.
        let message =
            &Message { address: if is_answer { remote } else { message.address }, ..message.clone() };
        if is_answer && self.is_refused(conn, message.address) {
            return self.close(conn, CloseReason::NotEncrypted, now);
        }
        let is_confirmed = self.is_confirmed(conn, message.address);
        let peer = self.roster.directory().peer(message.address);
        if !is_confirmed && peer.is_some_and(|peer| peer.is_confirmed) {
            return self.show_unconfirmed(conn, message, now);
        }
        let Some(id) = self.meet(conn, message, now) else { return };
        let is_awaited = is_answer || (is_confirmed && self.awaits_answer(message.address));
        let was_connected = self.roster.note_connected(id);
        // Report it only once.
        if (is_awaited || !was_connected)
            && let Some(peer) = self.roster.directory().get(id)
        {
            let notice = if is_awaited { Notice::Accepted } else { Notice::Connected };
            let asked_by = Some(message.address).filter(|_| is_awaited).and_then(|to| self.id_of_connect(to));
            self.show_answer(asked_by, remote, self.roster.who_is(peer), notice, now);
        }
        if is_awaited && !is_answer {
            self.connect_is_answered(message.address, now);
        }
        if is_answer {
            if let Some(connection) = self.connections.get_mut(conn) {
                connection.data.become_inbound();
            }
            self.connections.set_phase(conn, Phase::Open, now);
            if session {
                self.bind_session(conn, id, now);
                self.announce_control(conn, now);
            }
            self.connect_is_done(remote, now);
        }
    }

    /// Whether what comes on a connection is the answer to our connect.
    pub(super) fn is_answer(&self, conn: ConnId) -> bool {
        let remote = self.connections.get(conn).map(Connection::remote);
        remote.is_some_and(|remote| self.outbox.connect_under_way(remote) == Some(conn))
    }

    /// What a diagnosis dialled is another chinwag. Its user is told by the diagnosis.
    pub(super) fn begin_probed_session(&mut self, conn: ConnId, message: &Message<'_>, now: Instant) {
        let Some(id) = self.meet(conn, message, now) else { return };
        self.roster.note_connected(id);
        self.bind_session(conn, id, now);
        self.announce_control(conn, now);
    }

    /// The peer has answered with the word of our own kind. It cannot know yet that we are of it: our connect is a word
    /// that many programs use.
    fn announce_control(&mut self, conn: ConnId, now: Instant) {
        self.note_chinwag(conn);
        if self.connections.get(conn).is_some_and(|connection| connection.secrecy() == Secrecy::Sealed) {
            return;
        }
        if let Err(reason) = self.connections.send(conn, format!("!{CHINWAG}\n").into_bytes().into()) {
            self.close(conn, reason, now);
        }
    }

    /// Whether a connect answers ours: some dialects have no word for an acknowledgement.
    pub(super) fn is_ack(&self, message: &Message<'_>) -> bool {
        !message.dialect.has_ack() && self.awaits_answer(message.address)
    }

    /// Whether that address has our connect, and may answer it on a connection of its own.
    fn awaits_answer(&self, address: SocketAddr) -> bool {
        let dial = self.outbox.connect_under_way(address).and_then(|conn| self.connections.get(conn));
        self.pending_connects.awaits(address)
            || self.diagnosis.awaits_call(address)
            || dial.is_some_and(|connection| connection.phase() == Phase::Settling)
    }

    /// It has answered. Whatever else our connect would have led to is given up: one request has one outcome.
    fn connect_is_answered(&mut self, address: SocketAddr, now: Instant) {
        if !self.awaits_answer(address) {
            return;
        }
        if let Some(report) = self.pending_connects.take(address) {
            self.settle(report);
        } else if let Some(dial) = self.outbox.connect_under_way(address) {
            self.abandon(dial, address, now);
        }
    }

    /// From here on the peer is spoken to on `conn`. Its older session, if there is one, ends: the peer may have
    /// restarted, and would never close that one.
    fn bind_session(&mut self, conn: ConnId, id: PeerId, now: Instant) {
        let Some(address) = self.roster.directory().get(id).map(|peer| peer.address) else { return };
        let secrecy = self.connections.get(conn).map(Connection::secrecy);
        if self.is_secret(address) && secrecy != Some(Secrecy::Sealed) {
            return self.close(conn, CloseReason::NotEncrypted, now);
        }
        let older = self.roster.bind(id, conn).filter(|&older| older != conn);
        if let Some(older) = older {
            self.leave(older, address, now);
        }
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if let Some(peer) = self.roster.directory().get(id) {
            log::debug!("{conn:?} {}: session with {} begins", connection.remote(), Speaking(peer));
        }
        let before = connection.data.begin_session(id);
        if connection.phase() != Phase::Proving {
            self.connections.make_session(conn, now);
        }
        if let Kind::Session(other) = before
            && other != id
        {
            self.roster.disconnect(other);
        }
    }

    /// A peer has our connect. If it held the connection for a second and said nothing, it will not answer. If it closed
    /// the connection, it may still dial us.
    pub(super) fn on_connect_taken(
        &mut self,
        to: SocketAddr,
        outgoing: Outgoing,
        reason: CloseReason,
        now: Instant,
    ) {
        if let Some(id) = self.on_reached(to, outgoing.dialect, now) {
            self.roster.note_connected(id);
        }
        if let Some(before) = self.pending_connects.take(to) {
            self.conclude_connect(to, before);
        }
        if reason == CloseReason::Eof {
            self.pending_connects.insert(to, outgoing.report, now + SETTLE_TIMEOUT);
        } else {
            self.conclude_connect(to, outgoing.report);
        }
    }

    /// No answer to that connect can come any more. The peer has it, so it is a success.
    pub(super) fn conclude_connect(&mut self, to: SocketAddr, report: Report) {
        let who = self.roster.who(to);
        self.report(report, true, Notice::ConnectSent(who));
    }

    /// Our connect was answered, or needs no answer any more.
    fn connect_is_done(&mut self, to: SocketAddr, now: Instant) {
        if let Some(outgoing) = self.outbox.pop(to) {
            self.settle(outgoing.report);
        }
        self.send_waiting(to, now);
    }

    /// Gives up our own connect, since the peer's stays.
    fn abandon(&mut self, conn: ConnId, address: SocketAddr, now: Instant) {
        let is_up = self.connections.get(conn).is_some_and(|c| c.phase() == Phase::Settling);
        if is_up {
            self.leave(conn, address, now);
        } else {
            self.drop_dial(conn, now);
        }
        self.connect_is_done(address, now);
    }

    /// Closes a dial of ours that carries nothing any more.
    pub(super) fn drop_dial(&mut self, conn: ConnId, now: Instant) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.data.forget();
        }
        self.close(conn, CloseReason::Eof, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::node::tests::{handle, running_as};
    use crate::chat::node::{Config, Dialogue};
    use crate::chat::request::{Designation, Request};
    use crate::proto::machine::{Input, Machine, Output};
    use crate::proto::message::Dialect;

    const PEER: &str = "127.0.0.1:9";

    fn address() -> SocketAddr {
        PEER.parse().unwrap()
    }

    fn running() -> (Node, Instant) {
        running_as(Config::default())
    }

    fn notices(outputs: Vec<Output<Notice>>) -> Vec<Notice> {
        let is_notice = |output| match output {
            Output::Notice(Notice::Menu | Notice::Prompt(_)) => None,
            Output::Notice(notice) => Some(notice),
            _ => None,
        };
        outputs.into_iter().filter_map(is_notice).collect()
    }

    fn request(node: &mut Node, request: Request, now: Instant) -> Vec<Notice> {
        node.request(request, now);
        notices(std::iter::from_fn(|| node.poll_output()).collect())
    }

    fn hear(node: &mut Node, bytes: &str, is_held: bool, now: Instant) -> Vec<Notice> {
        let conn =
            node.accept("127.0.0.1:50000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap(), now).unwrap();
        let mut outputs = handle(node, Input::Received { conn, bytes: bytes.as_bytes() }, now);
        if !is_held {
            outputs.extend(handle(node, Input::Closed { conn, reason: CloseReason::Eof }, now));
        }
        notices(outputs)
    }

    /// The dial that is under way comes up, carries what it is for, and is closed by the peer.
    fn hand_over(node: &mut Node, now: Instant) -> Vec<Notice> {
        let (conn, _) = node.outbox.under_way(address()).unwrap();
        let mut outputs =
            handle(node, Input::Connected { conn, local: "127.0.0.1:50001".parse().unwrap() }, now);
        node.send_queue(conn).unwrap().write_to(&mut std::io::sink()).unwrap();
        outputs.extend(handle(node, Input::Closed { conn, reason: CloseReason::Eof }, now));
        notices(outputs)
    }

    /// A node whose connect the peer has, and may still answer.
    fn asked(config: Config) -> (Node, Instant) {
        let (mut node, now) = running_as(config);
        assert_eq!(request(&mut node, Request::Connect(Designation::Address(address())), now), []);
        assert_eq!(hand_over(&mut node, now), []);
        (node, now)
    }

    fn wait(node: &mut Node, now: Instant) -> Vec<Notice> {
        notices(handle(node, Input::Timeout, now + SETTLE_TIMEOUT))
    }

    fn is_outcome(notice: &&Notice) -> bool {
        matches!(notice, Notice::Accepted(_) | Notice::ConnectSent(_) | Notice::NotConnected { .. })
    }

    #[test]
    fn a_peer_that_answers_a_connect_by_one_of_its_own_is_not_said_to_answer_none() {
        for is_held in [true, false] {
            let (mut node, now) = asked(Config::default());
            let told = hear(&mut node, &format!("{PEER} P9 connect\n"), is_held, now);
            assert!(told.iter().any(|notice| matches!(notice, Notice::Connected(_))), "{told:?}");
            assert_eq!((wait(&mut node, now), node.requests_under_way()), (vec![], 0));
        }
    }

    #[test]
    fn whatever_answers_a_connect_bears_its_id() {
        let ack = format!("{PEER} P9 connected\n");
        let connect = format!("{PEER} P9 connect\n");
        for (answer, is_held) in [(&ack, false), (&connect, true), (&connect, false)] {
            let (mut node, now) = running_as(Config { dialogue: Dialogue::Commands, ..Config::default() });
            let line = format!(r#"{{"command":"connect","to":"{PEER}","id":7}}"#);
            handle(&mut node, Input::Line(&line), now);
            hand_over(&mut node, now);
            let told = hear(&mut node, answer, is_held, now);
            let is_answer = |notice: &&Notice| match notice {
                Notice::Answer { notice, .. } => {
                    matches!(**notice, Notice::Accepted(_) | Notice::Connected(_))
                }
                _ => false,
            };
            assert_eq!(told.iter().filter(is_answer).count(), 1, "{told:?}");
            assert_eq!((wait(&mut node, now), node.requests_under_way()), (vec![], 0));
        }
    }

    #[test]
    fn what_came_of_a_connect_is_told_before_the_exit_that_follows_it() {
        let (mut node, now) = asked(Config::default());
        request(&mut node, Request::Exit(Designation::Address(address())), now);
        let told = hand_over(&mut node, now);
        assert!(matches!(told[..], [Notice::ConnectSent(_), Notice::ExitSent(_)]), "{told:?}");
        assert_eq!((wait(&mut node, now), node.requests_under_way()), (vec![], 0));
    }

    #[test]
    fn a_json_connect_that_answers_ours_is_an_acknowledgement_and_is_not_answered() {
        let config = || Config { dialect: Some(Dialect::Json), ..Config::default() };
        let connect = r#"{"type":"connect","content":"","sender_name":"P9","sender_port":9}"#;
        for is_held in [true, false] {
            let (mut node, now) = asked(config());
            let told = hear(&mut node, &format!("{connect}\n"), is_held, now);
            assert_eq!(told.iter().filter(is_outcome).count(), 1, "{told:?}");
            assert!(!told.iter().any(|notice| matches!(notice, Notice::Connected(_))), "{told:?}");
            assert!(node.outbox.is_empty(), "it would be taken for another connect");
            assert_eq!((wait(&mut node, now), node.requests_under_way()), (vec![], 0));
        }
        let (mut node, now) = running();
        hear(&mut node, connect, false, now);
        assert!(node.outbox.greets(address()), "we did not ask");
    }
}
