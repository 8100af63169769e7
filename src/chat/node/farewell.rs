//! The end: we say exit to everybody we know, and hear what still comes until that is done.
//!
//! While we quit we still show what we read. After that we read nothing: the sender would think that it was read.

use super::{Node, Stage};
use crate::chat::directory::Peer;
use crate::chat::meaning::{Meaning, meaning};
use crate::chat::mention::mentions;
use crate::chat::notice::{Notice, Who};
use crate::chat::outbox::{Content, Report};
use crate::chat::role::Kind;
use crate::chat::tickets::Told;
use crate::limits::QUIT_TIMEOUT;
use crate::proto::connection::Connection;
use crate::proto::machine::{CloseReason, ConnId, How, Output};
use crate::proto::message::{Command, LINE_TAKEN, Message};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

impl Node {
    /// Says exit to everybody, then ends; asked again, it ends at once.
    pub(super) fn quit(&mut self, now: Instant) {
        match self.stage {
            Stage::Over => return,
            Stage::Quitting(_) => return self.over(0, now),
            Stage::Starting | Stage::Binding | Stage::Running => {}
        }
        self.stage = Stage::Quitting(now + QUIT_TIMEOUT);
        self.prompter.stop_waiting();
        self.diagnosis.cancel();
        self.neighbours.leave(now);
        self.go_on_nearby(now);
        let last_words = self.last_words.take().map(|text| (self.hearers_of_last_words(), text));
        if let Some((hearers, text)) = &last_words {
            self.record(hearers, true, None, text, Content::chat);
        }
        if !self.feed.is_quiet() {
            self.tell_asker(Notice::Exiting);
        }
        // Who was only claimed gets no farewell: any stranger could have us dial third parties so. Who
        // is being dialled for the first time gets one after what is under way.
        let known = self.roster.directory().iter().filter(|peer| peer.is_real() && !peer.is_offline);
        let known: BTreeSet<SocketAddr> =
            known.map(|peer| peer.address).chain(self.outbox.addresses()).collect();
        // The program that lent us its port stays.
        let known = if self.config.is_port_lent { BTreeSet::new() } else { known };
        if let Some((hearers, text)) = last_words {
            self.say_last_words(&hearers, &text, now);
        }
        // Nobody is dialled for an exit that must not be said in the clear.
        for to in known
            .into_iter()
            .filter(|&to| self.secure_session(to).is_some() || !self.is_secret(to))
            .collect::<Vec<_>>()
        {
            self.deliver(to, Content::Exit, None, Report::Nobody, now);
        }
        self.leave_asked(now);
    }

    /// Who gets no exit may still confirm what the user has said.
    fn leave_asked(&mut self, now: Instant) {
        let sessions = self.roster.directory().iter().filter_map(|peer| Some((peer.address, peer.session?)));
        let is_asked = |conn| self.connections.get(conn).is_some_and(|connection| connection.data.is_asked());
        let asked: Vec<_> = sessions.filter(|&(_, session)| is_asked(session)).collect();
        for (address, session) in asked {
            self.ping_last(session);
            self.leave(session, address, now);
        }
    }

    /// Those who get a text at the end: whom the user is connected with or has written to. A stranger who was only heard is
    /// no partner of a conversation, and gets the exit alone.
    fn hearers_of_last_words(&self) -> Vec<SocketAddr> {
        if self.config.is_port_lent {
            return Vec::new();
        }
        let is_partner =
            |peer: &&Peer| peer.is_real() && !peer.is_offline && (peer.is_connected || peer.sent > 0);
        self.roster.directory().iter().filter(is_partner).map(|peer| peer.address).collect()
    }

    /// Says a text before the exit. A person is told of failures alone; they are known when the program ends.
    fn say_last_words(&mut self, hearers: &[SocketAddr], text: &str, now: Instant) {
        if hearers.is_empty() {
            return self.tell_asker(Notice::SentToAll(0));
        }
        let told = if self.prompter.is_program() { Told::Once(0) } else { Told::Never };
        let number = self.tickets.open(hearers.len(), told, self.asking.clone());
        self.deliver_to_all(hearers, text, Some(hearers.len()), Report::Request(number), now);
    }

    /// Quits when it is known what came of everything that was asked for.
    pub(super) fn quit_when_settled(&mut self, now: Instant) {
        if self.tickets.is_empty() {
            self.quit(now);
        } else {
            self.prompter.end();
        }
    }

    pub(super) fn over(&mut self, code: u8, now: Instant) {
        let was_quitting = self.is_quitting();
        self.stage = Stage::Over;
        self.hear_unfinished(now);
        self.tell_folded();
        self.give_up_all(now);
        if self.feed.is_quiet() && was_quitting {
            let peers = self.roster.directory().met();
            self.tell(Notice::Tally { messages: self.counters.chats, peers });
            self.tell_asker(Notice::Exiting);
        }
        self.outputs.push_back(Output::Quit(code));
    }

    /// Whether the end of input waits for what was asked for: a program's commands, or the lines of a conversation.
    pub(super) fn must_settle(&self) -> bool {
        self.prompter.is_program() || self.prompter.is_conversing() || self.tickets.has_silent()
    }

    pub(super) fn is_quitting(&self) -> bool {
        matches!(self.stage, Stage::Quitting(_) | Stage::Over)
    }

    pub(super) fn end_if_all_is_said(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Quitting(_)) && self.outbox.is_empty() && self.leaving.is_empty() {
            self.over(0, now);
        }
    }

    /// A line that comes while we quit. It is shown, and changes nothing any more.
    pub(super) fn hear_last_words(&mut self, conn: ConnId, line: &[u8], now: Instant) {
        let Some(connection) = self.connections.get(conn) else { return };
        let (remote, kind) = (connection.remote(), connection.data.kind());
        if matches!(kind, Kind::Knock | Kind::Probe) {
            return;
        }
        let text = String::from_utf8_lossy(line);
        match meaning(kind, &text, remote, self.roster.me()) {
            Meaning::Nothing
            | Meaning::Ping(_)
            | Meaning::Chinwag
            | Meaning::Reach(_)
            | Meaning::Unknown
            | Meaning::Raw(LINE_TAKEN) => {}
            Meaning::Pong(number) => self.on_pong(conn, number),
            Meaning::ToAll => self.note_control(conn, true),
            Meaning::Raw(text) if self.is_refused(conn, remote) => self.show_refused(remote, text, now),
            Meaning::Raw(text) => self.show_raw(remote, text, now),
            Meaning::Message(message) if self.roster.is_blocked(message.address) => {
                self.counters.blocked += 1;
            }
            Meaning::Message(message) if self.is_refused(conn, message.address) => {
                self.show_unconfirmed(conn, &message, now);
            }
            Meaning::Message(Message { command: Command::Chat, address, name, text, .. }) => {
                self.counters.chats += 1;
                let standing = self.standing_on(conn, address);
                let who = Who { standing, ..self.roster.who_says(address, &Rc::from(&*name)) };
                let text = text.into_owned();
                let is_to_all = self.take_to_all(conn);
                let me = self.roster.me().shared_name();
                let message = |who| {
                    let mentions = mentions(&text, &me);
                    Notice::Message { who, text, is_to_all, mentions }
                };
                self.show(remote, who, message, now);
            }
            Meaning::Message(Message { command: Command::Connect, .. }) => {
                self.end(conn, How::Reset, CloseReason::Eof, now);
            }
            Meaning::Message(Message { command: Command::Ack { .. } | Command::Exit, .. }) => {}
        }
    }

    /// At the very end, unfinished messages are shown as they are.
    fn hear_unfinished(&mut self, now: Instant) {
        for conn in self.connections.ids() {
            if let Some(rest) = self.connections.get_mut(conn).and_then(Connection::flush) {
                self.hear_last_words(conn, &rest, now);
            }
        }
    }
}
