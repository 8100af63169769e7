//! What is said: on a session as a line, to everybody else by a dial that carries one message.
//!
//! What goes to one address goes in order. So a text waits for what was dialled to it before, even if there is a session by
//! now.

use super::Node;
use crate::chat::broadcast::to_all;
use crate::chat::directory::Peer;
use crate::chat::id::CommandId;
use crate::chat::kept::{Batch, Text};
use crate::chat::notice::{Failure, Notice};
use crate::chat::outbox::{Content, Outgoing, Report};
use crate::chat::role::{Kind, Role};
use crate::limits::{LINE_BYTES_MAX, PAYLOAD_OVERHEAD_BYTES, PLAIN_BYTES_MAX};
use crate::proto::connection::Phase;
use crate::proto::envelope::{Body, Envelope};
use crate::proto::machine::{CloseReason, ConnId, How, Output};
use crate::proto::message::Dialect;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;

/// The lines of one text, and the text.
#[derive(Clone, Debug)]
struct Formatted {
    lines: Rc<[Rc<[u8]>]>,
    text: Rc<Batch>,
}

/// One text as session lines, formatted once for each address that we claim in it, and for our own kind.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a str,
    /// Who wants to know what became of it, and the id of that command.
    report: Report,
    id: Option<CommandId>,
    /// To how many it goes, if it goes to several at once.
    recipients: Option<usize>,
    /// By our IP address in it, and whether it is for our own kind.
    formatted: BTreeMap<(IpAddr, bool), Formatted>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(
        text: &'a str,
        report: Report,
        id: Option<CommandId>,
        recipients: Option<usize>,
    ) -> Self {
        Self { text, report, id, recipients, formatted: BTreeMap::new() }
    }

    /// The lines that carry the text under the header of `from`; more than one only if it is very long.
    fn under(&mut self, from: SocketAddr, name: &str, knows_control: bool) -> Formatted {
        let (text, id, report) = (self.text, &self.id, self.report);
        let mark = self.recipients.filter(|_| knows_control).map(to_all).unwrap_or_default();
        let formatted = self.formatted.entry((from.ip(), knows_control)).or_insert_with(|| {
            let envelope = Envelope::of_session(from, name);
            let mut rest = text;
            let lines = std::iter::from_fn(|| {
                let part;
                (part, rest) = envelope.split(rest, LINE_BYTES_MAX);
                (!part.is_empty()).then(|| marked_line(&mark, &envelope, Body::Chat(part)))
            });
            let lines: Rc<[Rc<[u8]>]> = lines.collect();
            let bytes: usize = lines.iter().map(|line| line.len()).sum();
            let (held, end) = (report.held(), bytes.saturating_sub(1));
            let text = Text { text: text.into(), id: id.clone(), held, end };
            Formatted { lines, text: Batch::new(vec![text], report.is_asked()) }
        });
        formatted.clone()
    }
}

pub(super) fn line(envelope: &Envelope<'_>, body: Body<'_>) -> Rc<[u8]> {
    marked_line("", envelope, body)
}

fn marked_line(mark: &str, envelope: &Envelope<'_>, body: Body<'_>) -> Rc<[u8]> {
    let line = [mark, &envelope.message(body), "\n"].concat();
    line.into_bytes().into()
}

impl Node {
    /// Sends one thing to an address, on its session or by a dial.
    pub(super) fn deliver(
        &mut self,
        to: SocketAddr,
        content: Content,
        dialect: Option<Dialect>,
        report: Report,
        now: Instant,
    ) {
        let outgoing = Outgoing { content, dialect, report };
        match self.free_session(to) {
            Some(session) => self.say_on_session(to, session, outgoing, now),
            None if self.roster.me().is_own(to) => self.on_failed(to, outgoing, Failure::Yourself),
            None if self.roster.is_blocked(to) => self.on_failed(to, outgoing, Failure::Blocked),
            None if self.is_secret(to) => self.deliver_secret(to, outgoing, now),
            None => self.put(to, outgoing, now),
        }
    }

    fn put(&mut self, to: SocketAddr, outgoing: Outgoing, now: Instant) {
        match self.outbox.push(to, outgoing) {
            Ok(true) => self.dial(to, now),
            Ok(false) => {}
            Err(outgoing) => self.on_failed(to, outgoing, Failure::TooManyWaiting),
        }
    }

    /// Sends one thing that must not be said in the clear: behind a connect, on the session that comes of it.
    fn deliver_secret(&mut self, to: SocketAddr, outgoing: Outgoing, now: Instant) {
        if self.trust.identity().is_none() {
            return self.on_failed(to, outgoing, Failure::NoOwnKey);
        }
        if outgoing.content == Content::Ack {
            return;
        }
        if outgoing.content != Content::Connect && !self.outbox.waits(to) {
            let connect = Outgoing { content: Content::Connect, dialect: None, report: Report::Nobody };
            self.put(to, connect, now);
        }
        self.put(to, outgoing, now);
    }

    /// Sends a text to several peers; one line is formatted and stored once for all the sessions it goes to. If it is
    /// meant for one peer only, `recipients` is `None`.
    pub(super) fn deliver_to_all(
        &mut self,
        to: &[SocketAddr],
        text: &str,
        recipients: Option<usize>,
        report: Report,
        now: Instant,
    ) {
        let mut lines = Lines::new(text, report, self.tickets.id(report), recipients);
        for &to in to {
            match self.free_session(to) {
                Some(session) => self.say_lines(to, session, &mut lines, now),
                None => self.deliver(to, Content::Chat(text.to_owned()), None, report, now),
            }
        }
    }

    /// The session with a peer, unless its key is known and not proved on it.
    pub(super) fn secure_session(&self, to: SocketAddr) -> Option<ConnId> {
        self.secure_session_of(self.roster.directory().peer(to)?)
    }

    /// The same, by its entry.
    pub(super) fn secure_session_of(&self, peer: &Peer) -> Option<ConnId> {
        let is_secure = |session: &ConnId| {
            let pin = self.roster.pin(peer.address);
            pin.is_none_or(|pin| self.trust.key_on(*session) == Some(pin.key))
        };
        peer.session.filter(is_secure)
    }

    /// The session with a peer, unless something dialled before is still under way and must come first.
    fn free_session(&self, to: SocketAddr) -> Option<ConnId> {
        self.secure_session(to).filter(|_| !self.outbox.waits(to))
    }

    pub(super) fn dial(&mut self, to: SocketAddr, now: Instant) {
        let conn = self.connections.dial(to, Role::new(Kind::Delivery), now);
        self.counters.dialled += 1;
        self.outbox.dialled(to, conn);
    }

    fn say_on_session(&mut self, to: SocketAddr, session: ConnId, outgoing: Outgoing, now: Instant) {
        match &outgoing.content {
            Content::Ack => {}
            Content::Chat(text) => {
                let report = outgoing.report;
                let mut lines = Lines::new(text, report, self.tickets.id(report), None);
                self.say_lines(to, session, &mut lines, now);
            }
            Content::Connect => {
                let who = self.roster.who(to);
                self.report(outgoing.report, true, Notice::AlreadyConnected(who));
            }
            Content::Exit => {
                self.ping_last(session);
                if let Some(from) = self.claimed_on(session) {
                    // If the queue has no room for it, the connection ends anyway.
                    let exit = line(&Envelope::of_session(from, self.roster.me().name()), Body::Exit);
                    let _ = self.connections.send(session, exit);
                }
                self.on_handed_over(to, outgoing, now);
            }
        }
    }

    fn say_lines(&mut self, to: SocketAddr, session: ConnId, lines: &mut Lines<'_>, now: Instant) {
        let report = lines.report;
        if let Err(reason) = self.queue_lines(session, lines) {
            self.close(session, reason, now);
            let content = Content::Chat(lines.text.to_owned());
            let outgoing = Outgoing { content, dialect: None, report };
            return self.on_failed(to, outgoing, Failure::Connection(reason));
        }
        // The session knows its peer: with many sessions, a look-up by address would cost time.
        if let Some(connection) = self.connections.get_mut(session)
            && let Some(id) = connection.data.session()
        {
            connection.data.note_words();
            self.roster.note_sent(id, 1, now);
        }
        self.counters.sent += 1;
        self.report(report, true, Notice::Sent(to));
    }

    /// Queues all of the text or nothing: what was queued of it would be reported twice.
    fn queue_lines(&mut self, session: ConnId, lines: &mut Lines<'_>) -> Result<(), CloseReason> {
        let from = self.claimed_on(session).ok_or(CloseReason::Reset)?;
        let connection = self.connections.get_mut(session).ok_or(CloseReason::Reset)?;
        let Formatted { lines, text } =
            lines.under(from, self.roster.me().name(), connection.data.knows_control());
        let bytes: usize = lines.iter().map(|line| line.len() + PAYLOAD_OVERHEAD_BYTES).sum();
        let bytes_max = self.config.limits.send_queue_bytes_max;
        if connection.queue().size() + bytes > bytes_max {
            return Err(CloseReason::SlowPeer);
        }
        let (begin, written) = (connection.pushed(), connection.written());
        let taken = connection.data.let_go(written, bytes_max);
        if connection.data.keep(begin, &text) {
            self.pings.due(session);
        }
        for line in lines.iter() {
            self.connections.send_beyond(session, Rc::clone(line));
        }
        self.note_taken(taken);
        Ok(())
    }

    /// A dial is up: write what it is for, in one piece.
    pub(super) fn on_connected(&mut self, conn: ConnId, local: IpAddr, now: Instant) {
        self.connections.connected(conn, local, now);
        let (Some(connection), Some(from)) = (self.connections.get(conn), self.claimed_on(conn)) else {
            return;
        };
        let (to, kind) = (connection.remote(), connection.data.kind());
        self.warn_of_claim(conn, to);
        log::debug!("{conn:?} {to}: the dial is up");
        match kind {
            Kind::Knock => return self.on_knock_up(conn, now),
            Kind::Probe => return self.on_probe_up(conn, now),
            _ => {}
        }
        let Some((_, outgoing)) = self.outbox.under_way(to).filter(|&(carrier, _)| carrier == conn) else {
            // Nothing to say on it, and an empty connection that is held open harms published peers.
            return self.drop_dial(conn, now);
        };
        let is_connect = outgoing.content == Content::Connect;
        if !is_connect && self.is_secret(to) {
            return self.close(conn, CloseReason::NotEncrypted, now);
        }
        let dialect = outgoing.dialect.unwrap_or_else(|| self.roster.dialect_of(to));
        let envelope = Envelope { dialect, from, name: self.roster.me().name(), to };
        let mut carried = 0;
        let body = match &outgoing.content {
            Content::Ack => Body::Ack,
            Content::Connect => Body::Connect,
            Content::Exit => Body::Exit,
            Content::Chat(text) => {
                let (part, rest) = envelope.split(text, PLAIN_BYTES_MAX);
                carried = text.len() - rest.len();
                Body::Chat(part)
            }
        };
        let message = envelope.message(body);
        if is_connect {
            self.trust.note_connect(conn, &message);
        }
        self.outbox.carry(to, carried);
        if let Err(reason) = self.connections.send(conn, message.into_bytes().into()) {
            return self.close(conn, reason, now);
        }
        self.connections.set_phase(conn, Phase::Settling, now);
        if !is_connect {
            self.outputs.push_back(Output::Close { conn, how: How::HalfClose });
        }
    }

    /// Goes on with what waits for an address: on its session, if it has one by now.
    pub(super) fn send_waiting(&mut self, to: SocketAddr, now: Instant) {
        if !self.outbox.waits(to) || self.outbox.under_way(to).is_some() {
            return;
        }
        if self.secure_session(to).is_none() {
            if self.is_secret(to) && !self.outbox.begins_with_connect(to) {
                return self.give_up_secret(to, CloseReason::NotEncrypted);
            }
            return self.dial(to, now);
        }
        for outgoing in self.outbox.take_all(to) {
            self.deliver(to, outgoing.content, outgoing.dialect, outgoing.report, now);
        }
    }

    /// Says it once if the address that we claim on a connection is of no use to the peer `to`, its other end.
    pub(super) fn warn_of_claim(&mut self, conn: ConnId, to: SocketAddr) {
        let Some(connection) = self.connections.get(conn) else { return };
        let (remote, instead) = (connection.remote(), connection.local());
        let Some(claimed) = self.roster.me_mut().first_bad_claim(remote) else { return };
        if self.config.is_terminal || self.prompter.is_program() {
            self.tell(Notice::BadClaim { claimed, to, instead });
        } else {
            log::warn!("{to} cannot reach {claimed}: leave --ip out, or give --ip {instead}");
        }
    }

    /// The address that we claim on a connection.
    pub(super) fn claimed_on(&self, conn: ConnId) -> Option<SocketAddr> {
        Some(self.roster.me().claimed_on(self.connections.get(conn)?.local()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::node::tests::{handle, running};
    use crate::proto::machine::{Input, Machine};

    const PEER: &str = "127.0.0.1:9";

    /// What comes of typing a text for [`PEER`].
    fn type_text(node: &mut Node, now: Instant) -> Vec<Output<Notice>> {
        ["1", PEER, "hello"].map(|line| handle(node, Input::Line(line), now)).into_iter().flatten().collect()
    }

    fn dialled(outputs: &[Output<Notice>]) -> ConnId {
        let conn = |output: &Output<Notice>| match output {
            Output::Connect { conn, .. } => Some(*conn),
            _ => None,
        };
        outputs.iter().find_map(conn).unwrap()
    }

    fn hear(node: &mut Node, text: &str, now: Instant) -> ConnId {
        let from = "127.0.0.1:50000".parse().unwrap();
        let conn = node.accept(from, "127.0.0.1:8080".parse().unwrap(), now).unwrap();
        handle(node, Input::Received { conn, bytes: format!("{PEER} peer {text}\n").as_bytes() }, now);
        conn
    }

    #[test]
    fn a_peer_is_not_offline_because_we_have_no_descriptor_or_port() {
        for (reason, is_offline) in
            [(CloseReason::NoDescriptor, false), (CloseReason::NoPort, false), (CloseReason::Refused, true)]
        {
            let (mut node, now) = running();
            hear(&mut node, "hello", now);
            let conn = dialled(&type_text(&mut node, now));
            handle(&mut node, Input::Closed { conn, reason }, now);
            assert_eq!(node.directory().peer(PEER.parse().unwrap()).unwrap().is_offline, is_offline);
        }
    }

    #[test]
    fn a_text_for_a_session_without_its_connection_is_told_and_the_menu_comes_back() {
        let (mut node, now) = running();
        let conn = hear(&mut node, "connect", now);
        node.connections.remove(conn);
        let outputs = type_text(&mut node, now);
        let is_told = |output: &Output<Notice>| matches!(output, Output::Notice(Notice::NotSent { .. }));
        assert_eq!(outputs.iter().filter(|output| is_told(output)).count(), 1);
        assert!(node.wants_line());
    }

    #[test]
    fn a_dial_that_has_nothing_to_carry_any_more_is_closed_at_once() {
        let (mut node, now) = running();
        let conn = dialled(&type_text(&mut node, now));
        node.outbox.take_all(PEER.parse().unwrap());
        let local = "127.0.0.1:50000".parse().unwrap();
        let outputs = handle(&mut node, Input::Connected { conn, local }, now);
        assert_eq!(outputs, [Output::Close { conn, how: How::Now }]);
        assert_eq!(node.connections(), 0);
    }
}
