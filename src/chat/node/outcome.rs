//! What became of a text, and how it is reported.
//!
//! A plain message counts as sent when the other side has closed, or has been quiet for a second after all was written,
//! and not when `write` returned: it is taken. A line on a session counts as sent when it is queued, and has its fate
//! later, see `kept`; if it is lost, or may be, that is told with the text.

use super::Node;
use crate::chat::directory::{Peer, PeerId};
use crate::chat::failures::FailedWith;
use crate::chat::id::CommandId;
use crate::chat::kept::{Confirmed, Outcome, Text};
use crate::chat::notice::{Failure, Notice};
use crate::chat::outbox::{Content, Outgoing, Report};
use crate::chat::request::Audience;
use crate::chat::role::Role;
use crate::chat::tickets::Settled;
use crate::limits::SETTLE_TIMEOUT;
use crate::proto::connection::{Connection, Phase};
use crate::proto::machine::{CloseReason, ConnId};
use crate::proto::message::Dialect;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

impl Node {
    /// A dial ended. Its message counts as taken if all was written and the peer then closed, or was silent for a
    /// second.
    pub(super) fn on_delivery_ended(
        &mut self,
        connection: &Connection<Role>,
        reason: CloseReason,
        now: Instant,
    ) {
        let to = connection.remote();
        let was_up = connection.phase() == Phase::Settling;
        let is_taken = matches!(reason, CloseReason::Eof | CloseReason::TimedOut);
        let is_connect = || self.outbox.begins_with_connect(to);
        if was_up && is_taken && self.is_secret(to) && is_connect() {
            // Whoever has our connect does not encrypt, and gets nothing more.
            return self.give_up_secret(to, CloseReason::NotEncrypted);
        }
        if was_up && is_taken && connection.queue().is_empty() {
            if self.outbox.advance(to) {
                return self.dial(to, now);
            }
            match self.outbox.pop(to) {
                Some(outgoing) if outgoing.content == Content::Connect => {
                    self.on_connect_taken(to, outgoing, reason, now);
                }
                Some(outgoing) => self.on_handed_over(to, outgoing, now),
                None => {}
            }
            return self.send_waiting(to, now);
        }
        // If a dial failed, what waits behind it would fail as well. If a connection broke, the next one may not.
        let failed =
            if was_up { self.outbox.pop(to).into_iter().collect() } else { self.outbox.take_all(to) };
        for outgoing in failed {
            if was_up && connection.queue().is_empty() {
                self.doubt_held(outgoing.report);
            }
            self.on_failed(to, outgoing, Failure::Connection(reason));
        }
        self.send_waiting(to, now);
    }

    /// Notes in the peer's entry that it was reached, and the dialect chosen by the user. `None` if there is no room
    /// for an entry.
    pub(super) fn on_reached(
        &mut self,
        to: SocketAddr,
        dialect: Option<Dialect>,
        now: Instant,
    ) -> Option<PeerId> {
        let id = self.roster.entry_of(to)?;
        self.confirm(id, now);
        self.roster.note_reached(id, dialect);
        self.held.note_back(to);
        Some(id)
    }

    pub(super) fn on_handed_over(&mut self, to: SocketAddr, outgoing: Outgoing, now: Instant) {
        match outgoing.content {
            Content::Ack | Content::Connect => {}
            Content::Chat(text) => {
                if let Some(id) = self.on_reached(to, outgoing.dialect, now) {
                    self.roster.note_sent(id, 1, now);
                }
                self.counters.sent += 1;
                self.counters.taken += 1;
                // A record cannot be taken back, so it is made only now.
                if outgoing.report == Report::IfHandedOver {
                    self.record(&[to], false, outgoing.dialect, &text, Content::chat);
                }
                self.note_held_arrived(outgoing.report.held(), false);
                self.report(outgoing.report, true, Notice::Sent(to));
            }
            Content::Exit => {
                self.roster.note_exit_taken(to);
                if let Some(session) = self.see_off(to).and_then(|peer| peer.session) {
                    self.leave(session, to, now);
                }
                self.report(outgoing.report, true, Notice::ExitSent(to));
            }
        }
    }

    pub(super) fn on_failed(&mut self, to: SocketAddr, outgoing: Outgoing, why: Failure) {
        // These do not say that the peer cannot be reached.
        let is_ours = matches!(
            why,
            Failure::Connection(
                CloseReason::NoDescriptor
                    | CloseReason::NoPort
                    | CloseReason::NotEncrypted
                    | CloseReason::SlowPeer
                    | CloseReason::WrongKey
            )
        );
        if matches!(why, Failure::Connection(_)) && !is_ours {
            self.roster.note_unreached(to);
        }
        let notice = match outgoing.content {
            Content::Ack => return,
            Content::Connect => Notice::NotConnected { to, why },
            Content::Chat(rest) if self.is_held_again(outgoing.report, &rest) => return,
            Content::Chat(text) => {
                self.counters.not_sent += 1;
                self.offer_to_hold(to, &text, outgoing.report, why);
                Notice::NotSent { to, text, why }
            }
            Content::Exit => Notice::NotSent { to, text: "exit".to_owned(), why },
        };
        self.report(outgoing.report, false, notice);
    }

    /// A session ended without an exit. Texts that it did not take are reported.
    pub(super) fn on_session_lost(
        &mut self,
        connection: &Connection<Role>,
        id: PeerId,
        reason: CloseReason,
        now: Instant,
    ) {
        if self.has_hung_up(connection, id, reason, now) {
            self.roster.unbind(id);
            return self.acknowledge(id, now);
        }
        self.roster.lose(id, matches!(reason, CloseReason::TimedOut | CloseReason::Unreachable));
        let Some(peer) = self.roster.directory().get(id) else { return };
        let who = self.roster.who_is(peer);
        let to = who.address;
        if self.tell_fates(connection, to, reason, now) || self.is_quitting() {
            if !self.feed.is_quiet() && !self.is_quitting() {
                self.tell_loss(None, Notice::Lost { who, reason }, now);
            }
        } else {
            let from = connection.remote();
            self.show(from, who, |who| Notice::Lost { who, reason }, now);
        }
    }

    /// Whether the peer only sent a connect and hung up, perhaps before it read our answer. If the answer came too late,
    /// the end reads as a reset.
    fn has_hung_up(
        &self,
        connection: &Connection<Role>,
        id: PeerId,
        reason: CloseReason,
        now: Instant,
    ) -> bool {
        let is_closed = matches!(reason, CloseReason::Eof | CloseReason::Reset);
        let is_of_now = |peer: &Peer| peer.heard_at.is_some_and(|at| now <= at + SETTLE_TIMEOUT);
        let me = self.roster.me();
        let is_at_home = |peer: &Peer| me.is_at_home(connection.remote(), peer.address);
        connection.data.is_only_answered()
            && is_closed
            && !self.is_quitting()
            && self.roster.directory().get(id).is_some_and(|peer| is_of_now(peer) && is_at_home(peer))
    }

    /// Reports the user's texts that a connection did not take, or did not confirm; gives whether there were any. This holds
    /// even with `--quiet`: no text is lost in silence.
    pub(super) fn tell_fates(
        &mut self,
        connection: &Connection<Role>,
        to: SocketAddr,
        reason: CloseReason,
        now: Instant,
    ) -> bool {
        let mut is_any = false;
        for (Text { text, id, held, .. }, outcome, is_asked) in connection.data.outcomes(connection.written())
        {
            if self.settle_held(*held, outcome, reason) {
                continue;
            }
            let text = || text.to_string();
            let (counter, notice) = match outcome {
                Outcome::Taken => (&mut self.counters.taken, None),
                Outcome::NotSent => {
                    let why = Failure::Connection(reason);
                    if is_asked {
                        self.offer.note_unsent(to, &text());
                    }
                    (&mut self.counters.not_sent, Some(Notice::NotSent { to, text: text(), why }))
                }
                Outcome::Unconfirmed => {
                    (&mut self.counters.unconfirmed, Some(Notice::Unconfirmed { to, text: text(), reason }))
                }
            };
            *counter += 1;
            if let Some(notice) = notice {
                is_any = true;
                self.tell_loss(id.clone(), notice, now);
            }
        }
        is_any
    }

    /// The other side has read all that was queued before a ping of ours. Only a program is told: to a person it is what
    /// was to be expected.
    pub(super) fn on_pong(&mut self, conn: ConnId, word: &str) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let Confirmed { batches, is_due } = connection.data.confirm(word);
        self.connections.charge(conn);
        if is_due {
            self.pings.due(conn);
        }
        self.counters.delivered += batches.iter().map(|batch| batch.len()).sum::<u64>();
        self.note_held_arrived(batches.iter().flat_map(|batch| batch.held()), true);
        if batches.is_empty() || !self.prompter.is_program() {
            return;
        }
        let Some(to) = self.recipient_on(conn) else { return };
        for (id, count) in in_runs(batches.iter().flat_map(|batch| batch.asked())) {
            self.tell_as(id.cloned(), Notice::Delivered { to, count });
        }
    }

    /// To whom the texts on a session went.
    pub(super) fn recipient_on(&self, conn: ConnId) -> Option<SocketAddr> {
        let left = self.leaving.get(&conn).copied();
        let peer = || self.roster.directory().get(self.connections.get(conn)?.data.session()?);
        left.or_else(|| peer().map(|peer| peer.address))
    }

    /// Asks whether the texts of this turn are read. All who are asked now are asked the same: each answers for itself.
    pub(super) fn send_pings(&mut self) {
        let due = self.pings.take_due();
        if due.is_empty() {
            return;
        }
        let (number, line) = self.pings.next();
        for conn in due {
            self.ping(conn, number, &line, false);
        }
    }

    /// Asks once more on a session that we are about to leave.
    pub(super) fn ping_last(&mut self, conn: ConnId) {
        if self.connections.get(conn).is_some_and(|connection| connection.data.is_asked()) {
            let (number, line) = self.pings.next();
            self.ping(conn, number, &line, true);
        }
    }

    fn ping(&mut self, conn: ConnId, number: u64, line: &Rc<[u8]>, is_end: bool) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let behind = connection.pushed();
        if connection.data.ping(number, behind, is_end) {
            // It is short, and there is one at a time: whether the queue is full is for the texts to say.
            self.connections.send_beyond(conn, Rc::clone(line));
        }
    }

    /// Nobody says when something was written, so texts are kept for longer than they need to be. With 0 for the bytes that
    /// each session may keep, none stays that was written.
    pub(super) fn let_go_of_written(&mut self, bytes_max: usize) {
        for conn in self.connections.ids() {
            if let Some(connection) = self.connections.get_mut(conn) {
                let written = connection.written();
                let taken = connection.data.let_go(written, bytes_max);
                self.note_taken(taken);
            }
        }
    }

    /// Tells of a lost session, or of a text that it did not take. Several may be lost in one turn, and all of them are
    /// one sentence for a person, at the end of the turn.
    fn tell_loss(&mut self, id: Option<CommandId>, notice: Notice, now: Instant) {
        if self.prompter.is_person() {
            self.note_told(&notice);
            self.losses.gather(notice);
            self.losses_at = Some(now);
        } else {
            self.tell_as(id, notice);
        }
    }

    /// Tells what was lost in this turn.
    pub(super) fn tell_losses(&mut self) {
        self.losses_at = None;
        for failed in self.losses.take() {
            self.tell_failed(None, failed);
        }
    }

    fn tell_failed(&mut self, id: Option<CommandId>, failed: FailedWith) {
        let name = |to| self.roster.partner_name(Audience::One(to, None)).into();
        let notice = failed.into_notice(name);
        self.tell_as(id, notice);
    }

    /// The program ends before everything is said: texts of the user that nobody took are reported.
    pub(super) fn give_up_all(&mut self, now: Instant) {
        let reason = CloseReason::TimedOut;
        for (conn, to) in std::mem::take(&mut self.leaving) {
            if let Some(connection) = self.connections.remove(conn) {
                self.tell_fates(&connection, to, reason, now);
            }
        }
        for conn in self.connections.ids() {
            let Some(to) = self.recipient_on(conn) else { continue };
            if let Some(connection) = self.connections.remove(conn) {
                self.tell_fates(&connection, to, reason, now);
            }
        }
        self.tell_losses();
        for to in self.outbox.addresses().collect::<Vec<_>>() {
            let carrier = self.outbox.under_way(to).and_then(|(conn, _)| self.connections.get(conn));
            let is_written = carrier.is_some_and(|c| c.phase() == Phase::Settling && c.queue().is_empty());
            if is_written && !self.outbox.advance(to) {
                let outgoing = self.outbox.pop(to);
                let is_text =
                    outgoing.as_ref().is_some_and(|outgoing| matches!(outgoing.content, Content::Chat(_)));
                self.note_held_arrived(outgoing.and_then(|outgoing| outgoing.report.held()), false);
                self.counters.taken += u64::from(is_text);
            }
            for outgoing in self.outbox.take_all(to) {
                let Content::Chat(text) = outgoing.content else { continue };
                if self.is_held_again(outgoing.report, &text) {
                    continue;
                }
                self.counters.not_sent += 1;
                if let Report::Request(_) = outgoing.report {
                    let notice = Notice::NotSent { to, text, why: Failure::Connection(reason) };
                    self.tell_outcome(outgoing.report, notice);
                }
            }
        }
        for failed in self.tickets.take_failed() {
            self.tell_failed(None, failed);
        }
    }

    /// Tells an outcome now, or when all are known of its request.
    fn tell_outcome(&mut self, report: Report, outcome: Notice) {
        if let Some(outcome) = self.tickets.gather(report, outcome) {
            self.tell_as(self.tickets.id(report), outcome);
        }
    }

    /// Reports an outcome, if somebody waits for it.
    pub(super) fn report(&mut self, report: Report, is_success: bool, outcome: Notice) {
        if self.tickets.is_told(report, is_success, &outcome) {
            self.tell_outcome(report, outcome);
        }
        self.settle(report);
    }

    /// One outcome less is owed; after the last one the menu comes back.
    pub(super) fn settle(&mut self, report: Report) {
        let Some(Settled { number, failed, handed_over, id }) = self.tickets.settle(report) else { return };
        for failed in failed {
            self.tell_failed(id.clone(), failed);
        }
        // A program waits for an outcome; to a person the failures say enough.
        if let Some(peers) = handed_over.filter(|&peers| peers > 0 || self.prompter.is_program()) {
            self.tell_as(id, Notice::SentToAll(peers));
        }
        if self.prompter.stop_waiting_for(number) {
            self.ask();
        }
    }
}

/// What is the same in a row, added up.
fn in_runs<'a>(
    all: impl Iterator<Item = (Option<&'a CommandId>, usize)>,
) -> Vec<(Option<&'a CommandId>, usize)> {
    let mut runs: Vec<(Option<&CommandId>, usize)> = Vec::new();
    for (id, count) in all {
        match runs.last_mut() {
            Some((last, sum)) if *last == id => *sum += count,
            _ => runs.push((id, count)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::node::tests::{handle, running_as, running_with};
    use crate::chat::node::{Config, Dialogue};
    use crate::limits::{LINE_BYTES_MAX, Limits};
    use crate::proto::machine::{ConnId, Input, Machine, Output};
    use std::io::{self, Write};

    /// Takes so many bytes.
    struct Narrow(usize);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.0);
            self.0 -= count;
            if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A node with a session.
    fn with_session(config: Config) -> (Node, ConnId, Instant) {
        let (mut node, now) = running_as(config);
        let conn = session(&mut node, 9, now);
        (node, conn, now)
    }

    fn session(node: &mut Node, port: u16, now: Instant) -> ConnId {
        let from = ([127, 0, 0, 1], port).into();
        let conn = node.accept(from, "127.0.0.1:8080".parse().unwrap(), now).unwrap();
        let bytes = format!("{from} P{port} connect\n");
        handle(node, Input::Received { conn, bytes: bytes.as_bytes() }, now);
        write(node, conn, usize::MAX);
        conn
    }

    /// The other side takes so many bytes.
    fn write(node: &mut Node, conn: ConnId, bytes: usize) {
        while node.poll_transmit().is_some() {}
        let _ = node.send_queue(conn).unwrap().write_to(&mut Narrow(bytes));
    }

    fn not_sent(outputs: Vec<Output<Notice>>) -> Vec<String> {
        let text = |output| match output {
            Output::Notice(Notice::NotSent { text, .. }) => Some(text),
            _ => None,
        };
        outputs.into_iter().filter_map(text).collect()
    }

    fn say(node: &mut Node, to: u16, text: &str, now: Instant) {
        for line in ["1", &format!("127.0.0.1:{to}"), text] {
            handle(node, Input::Line(line), now);
        }
    }

    /// The connection breaks, and what was lost in the turn is told.
    fn break_off(node: &mut Node, conn: ConnId, now: Instant) -> Vec<String> {
        handle(node, Input::Closed { conn, reason: CloseReason::Reset }, now);
        not_sent(handle(node, Input::Timeout, now))
    }

    #[test]
    fn a_text_of_several_lines_is_lost_as_a_whole() {
        let (mut node, conn, now) = with_session(Config::default());
        let text = "x".repeat(LINE_BYTES_MAX - 9);
        say(&mut node, 9, &text, now);
        write(&mut node, conn, LINE_BYTES_MAX + 1);
        assert_eq!(break_off(&mut node, conn, now), [text]);
    }

    #[test]
    fn what_stands_in_a_text_changes_nothing_of_its_loss() {
        for text in ["exit please", "  two  words ", "<end>", "a\tb", "10.0.0.1:9 P exit"] {
            let (mut node, conn, now) = with_session(Config::default());
            say(&mut node, 9, text, now);
            assert_eq!(break_off(&mut node, conn, now), [text.trim_end()]);
        }
    }

    #[test]
    fn a_text_of_which_only_the_newline_was_not_written_is_not_lost() {
        for (missing, lost) in [(1, &[][..]), (2, &["hello".to_owned()][..])] {
            let (mut node, conn, now) = with_session(Config::default());
            say(&mut node, 9, "hello", now);
            write(&mut node, conn, "127.0.0.1:8080 N hello\n".len() - missing);
            assert_eq!(break_off(&mut node, conn, now), lost);
        }
    }

    #[test]
    fn nobody_is_closed_for_texts_that_were_written() {
        let limits = Limits { memory_bytes_max: 1_000_000, ..Limits::default() };
        let (mut node, now) = running_with(limits);
        for port in 1..50 {
            let conn = session(&mut node, port, now);
            say(&mut node, port, &"x".repeat(60_000), now);
            write(&mut node, conn, usize::MAX);
        }
        let held = node.directory().iter().filter(|peer| peer.session.is_some()).count();
        assert_eq!(held, 49);
    }

    #[test]
    fn what_a_broken_session_did_not_write_is_told_with_the_id_of_its_command() {
        let (mut node, now) = running_as(Config { dialogue: Dialogue::Commands, ..Config::default() });
        let conn =
            node.accept("127.0.0.1:50000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap(), now).unwrap();
        handle(&mut node, Input::Received { conn, bytes: b"127.0.0.1:9 P9 connect\n" }, now);
        node.send_queue(conn).unwrap().write_to(&mut io::sink()).unwrap();
        for line in [
            r#"{"command":"send","to":"P9","text":"a","id":1}"#,
            r#"{"command":"send","to":"P9","text":"b","id":2}"#,
            r#"{"command":"send-all","text":"c","id":"3"}"#,
            r#"{"command":"send-all","text":"d"}"#,
            r#"{"command":"send","to":"P9","text":"e","id":5}"#,
        ] {
            handle(&mut node, Input::Line(line), now);
        }
        // All of the first line, and a byte of the second.
        let mut writer = Narrow("127.0.0.1:8080 N a\n1".len());
        node.send_queue(conn).unwrap().write_to(&mut writer).unwrap_err();
        let outputs = handle(&mut node, Input::Closed { conn, reason: CloseReason::Reset }, now);
        let told = outputs.into_iter().filter_map(|output| match output {
            Output::Notice(Notice::Answer { id, notice }) => Some((Some(id), *notice)),
            Output::Notice(notice) => Some((None, notice)),
            _ => None,
        });
        let unsent = told.filter_map(|(id, notice)| match notice {
            Notice::NotSent { text, .. } => Some((text, id)),
            _ => None,
        });
        let number = |number: &str| Some(CommandId::Number(number.into()));
        let expected = [
            ("b".to_owned(), number("2")),
            ("c".to_owned(), Some(CommandId::Text("3".into()))),
            ("d".to_owned(), None),
            ("e".to_owned(), number("5")),
        ];
        assert_eq!(unsent.collect::<Vec<_>>(), expected);
    }
}
