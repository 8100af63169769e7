//! What is heard: frame the bytes, understand each line, find out who says it, change what it changes, show it,
//! answer it.
//!
//! A claimed address proves nothing. So a message that could hurt a third party is taken only from the IP address that it
//! claims. Otherwise it is shown with the address that it came from.

use super::logged::Speaking;
use super::{Node, Stage};
use crate::chat::diagnosis::Event;
use crate::chat::directory::{Peer, PeerId};
use crate::chat::feed::Fate;
use crate::chat::meaning::{End, Meaning, meaning};
use crate::chat::mention::mentions;
use crate::chat::notice::{Notice, Standing, Who};
use crate::chat::outbox::{Content, Report};
use crate::chat::request::Audience;
use crate::chat::role::{Kind, Speaker};
use crate::chat::roster::Renamed;
use crate::proto::connection::{Connection, Phase, Secrecy};
use crate::proto::machine::{CloseReason, ConnId};
use crate::proto::message::{
    Command, Dialect, LINE_TAKEN, Message, parse_port_line, source_of, trim_end_bytes,
};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

impl Node {
    pub(super) fn on_received(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        if self.stage == Stage::Over {
            return;
        }
        if self.diagnosis.is_on(conn) {
            self.step(Event::Received { conn, bytes }, now);
        }
        self.read(conn, bytes, now);
        self.connections.heard(conn, now);
    }

    /// Reads bytes as they came: lines, or frames with lines.
    fn read(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        let mut rest = bytes;
        while let Some(connection) = self.connections.get_mut(conn) {
            match connection.secrecy() {
                Secrecy::Clear => return self.read_lines(conn, rest, now),
                Secrecy::Sealed => return self.read_frames(conn, rest, now),
                // Nothing can stand behind a message that we have not answered.
                Secrecy::Offered if self.trust.is_waiting(conn) => {
                    if !rest.is_empty() {
                        self.close(conn, CloseReason::BadProof, now);
                    }
                    return;
                }
                // Behind a line of the handshake there may be frames.
                Secrecy::Offered | Secrecy::Answered => match connection.next_message(&mut rest) {
                    Ok(Some(line)) if self.on_undecided(conn, &line, now) => {}
                    Ok(_) => return,
                    Err(reason) => return self.close(conn, reason, now),
                },
            }
        }
    }

    fn read_lines(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        let mut rest = bytes;
        while let Some(connection) = self.connections.get_mut(conn) {
            let is_first = connection.phase() == Phase::Greeting;
            match connection.next_message(&mut rest) {
                Ok(Some(line)) => match if is_first { parse_port_line(&line) } else { None } {
                    Some(port) => connection.data.become_port_line(port),
                    None => self.hear(conn, &line, End::Newline, now),
                },
                Ok(None) => return,
                Err(reason) => return self.close(conn, reason, now),
            }
            if self.connections.get(conn).is_some_and(|connection| connection.secrecy() != Secrecy::Clear) {
                return self.read(conn, rest, now);
            }
        }
    }

    /// What was whole before a broken frame is heard.
    fn read_frames(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let mut text = std::mem::take(&mut self.opened);
        let outcome = connection.open_frames(bytes, &mut text);
        let mut rest = &text[..];
        while let Some(connection) = self.connections.get_mut(conn) {
            match connection.next_message(&mut rest) {
                Ok(Some(line)) => self.hear(conn, &line, End::Newline, now),
                Ok(None) => break,
                Err(reason) => self.close(conn, reason, now),
            }
        }
        text.clear();
        self.opened = text;
        if let Err(reason) = outcome {
            self.close(conn, reason, now);
        }
    }

    /// The peer went silent in the middle of a message: what came counts as the whole message.
    pub(super) fn on_silence(&mut self, conn: ConnId, now: Instant) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        match connection.secrecy() {
            Secrecy::Clear => {}
            Secrecy::Offered => self.on_offer_ignored(conn, now),
            Secrecy::Answered | Secrecy::Sealed => return self.close(conn, CloseReason::BadProof, now),
        }
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let Some(message) = connection.flush() else { return };
        if let Some(peer) = connection.data.session() {
            // It sends no newlines, so it cannot read our lines either: end the session.
            connection.data.become_inbound();
            self.connections.set_phase(conn, Phase::Open, now);
            self.roster.unbind(peer);
        }
        self.hear(conn, &message, End::Silence, now);
        self.connections.heard(conn, now);
    }

    pub(super) fn hear(&mut self, conn: ConnId, line: &[u8], end: End, now: Instant) {
        if self.is_quitting() {
            return self.hear_last_words(conn, line, now);
        }
        if self.hear_chat_of_known_speaker(conn, line, now) {
            return;
        }
        let Some(connection) = self.connections.get(conn) else { return };
        let (remote, kind) = (connection.remote(), connection.data.kind());
        let text = String::from_utf8_lossy(line);
        match meaning(kind, &text, remote, self.roster.me()) {
            Meaning::Nothing => {}
            Meaning::Ping(number) => {
                self.note_control(conn, false);
                self.answer(conn, &format!("!pong {number}\n"), now);
            }
            Meaning::Pong(number) => {
                self.note_control(conn, false);
                self.on_pong(conn, number);
                // On a session that we have left, an answer must not lead to the next question.
                if kind != Kind::Leaving {
                    self.step(Event::Pong { conn, number }, now);
                }
            }
            Meaning::Chinwag => self.note_chinwag(conn),
            Meaning::Reach(word) => self.on_reach(conn, word, now),
            Meaning::ToAll => self.note_control(conn, true),
            Meaning::Unknown => self.note_control(conn, false),
            Meaning::Raw(text) if kind == Kind::Probe => self.on_foreign_greeting(conn, text, now),
            Meaning::Raw(_) | Meaning::Message(_) if kind == Kind::Knock => {}
            Meaning::Message(message) if kind == Kind::Probe => {
                self.on_greeting(conn, line, &message, end, now);
            }
            Meaning::Raw(text) if self.is_refused(conn, remote) => self.show_refused(remote, text, now),
            Meaning::Raw(text) => self.show_raw(remote, text, now),
            Meaning::Message(message) if self.roster.is_blocked(message.address) => {
                self.counters.blocked += 1;
            }
            // Whoever is diagnosed dials us because we asked for it.
            Meaning::Message(message)
                if self.is_refused(conn, message.address) && self.is_knock(&message) =>
            {
                self.step(Event::Came, now);
            }
            Meaning::Message(message) if self.is_refused(conn, message.address) => {
                self.on_refused(conn, line, &message, end, now);
            }
            Meaning::Message(message) => {
                if self.is_knock(&message) {
                    self.step(Event::Came, now);
                }
                let is_call =
                    self.diagnosis.awaits_call(message.address) && self.is_confirmed(conn, message.address);
                self.on_message(conn, line, &message, end, now);
                if is_call {
                    // Whoever is diagnosed answers on a connection of its own.
                    self.step(Event::Called(message.dialect), now);
                }
                if end == End::Newline && message.dialect == Dialect::Standard {
                    self.remember_speaker(conn, line, message.address);
                }
                if end != End::Gone {
                    self.answer_line(conn, now);
                }
            }
        }
    }

    /// Only our own kind sends control lines.
    pub(super) fn note_control(&mut self, conn: ConnId, is_next_to_all: bool) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.data.note_control(is_next_to_all);
        }
    }

    /// The other side is a chinwag, so it answers pings.
    pub(super) fn note_chinwag(&mut self, conn: ConnId) {
        let connection = self.connections.get_mut(conn);
        if connection.is_some_and(|connection| connection.data.note_chinwag()) {
            self.pings.due(conn);
        }
        self.note_session_stays(conn);
    }

    /// Whether the line that came on a connection was announced as one to several peers.
    pub(super) fn take_to_all(&mut self, conn: ConnId) -> bool {
        let connection = self.connections.get_mut(conn);
        connection.is_some_and(|connection| connection.data.take_to_all())
    }

    /// The fast path: the line begins with the very bytes that the last one began with, so nothing of its header
    /// needs to be parsed or looked up again.
    fn hear_chat_of_known_speaker(&mut self, conn: ConnId, line: &[u8], now: Instant) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else { return false };
        // The peer has sent something after our answer.
        connection.data.note_line();
        let is_to_all = connection.data.is_next_to_all();
        let Some(speaker) = connection.data.speaker() else { return false };
        let Some(text) = speaker.text_of(line) else { return false };
        let id = speaker.peer();
        let is_chat = Command::of(text, Dialect::Standard) == Command::Chat
            && self.roster.note_chat(id, |peer| speaker.is_meant(peer), now);
        if is_chat {
            self.note_heard_again(conn, id);
            if is_to_all {
                self.take_to_all(conn);
            }
            self.show_chat(conn, id, text, is_to_all, now);
        }
        is_chat
    }

    fn remember_speaker(&mut self, conn: ConnId, line: &[u8], address: SocketAddr) {
        let directory = self.roster.directory();
        let Some(id) = directory.find(address) else { return };
        let Some(peer) = directory.get(id) else { return };
        let Some(speaker) = Speaker::new(line, id, peer, self.is_confirmed(conn, address)) else { return };
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.data.remember(speaker);
        }
    }

    /// A peer that began with its port waits for an answer to each line.
    fn answer_line(&mut self, conn: ConnId, now: Instant) {
        let kind = self.connections.get(conn).map(|connection| connection.data.kind());
        if let Some(Kind::PortLine(_)) = kind {
            self.answer(conn, &format!("{LINE_TAKEN}\n"), now);
        }
    }

    pub(super) fn answer(&mut self, conn: ConnId, line: &str, now: Instant) {
        if let Err(reason) = self.connections.send(conn, line.as_bytes().into()) {
            self.close(conn, reason, now);
        }
    }

    /// Takes a message, which came as this line.
    pub(super) fn on_message(
        &mut self,
        conn: ConnId,
        line: &[u8],
        message: &Message<'_>,
        end: End,
        now: Instant,
    ) {
        match message.command {
            Command::Ack { session: true }
                if end != End::Gone && self.is_answer(conn) && self.take_offer(conn, line, now) => {}
            Command::Ack { session } => self.on_ack(conn, message, session && end != End::Gone, now),
            Command::Chat => self.on_chat(conn, message, now),
            Command::Connect if self.is_ack(message) => self.on_ack(conn, message, false, now),
            Command::Connect => self.on_connect(conn, line, message, end, now),
            Command::Exit => self.on_exit(conn, message, now),
        }
    }

    fn on_chat(&mut self, conn: ConnId, message: &Message<'_>, now: Instant) {
        let Some(from) = self.connections.get(conn).map(Connection::remote) else { return };
        let is_to_all = self.take_to_all(conn);
        match self.meet(conn, message, now) {
            Some(id) => self.show_chat(conn, id, message.text.as_bytes(), is_to_all, now),
            None => {
                // There is no room for its sender. It is shown all the same, on the account of its source.
                self.counters.raw += 1;
                let standing = self.standing_on(conn, message.address);
                let who = self.roster.who_says(message.address, &Rc::from(&*message.name));
                let who = Who { standing, ..who };
                let text = message.text.to_string();
                let me = self.roster.me().shared_name();
                let message = |_| {
                    let mentions = mentions(&text, &me);
                    Notice::Message { who, text, is_to_all, mentions }
                };
                self.show_on_account(stranger(from), message, now);
            }
        }
    }

    fn on_exit(&mut self, conn: ConnId, message: &Message<'_>, now: Instant) {
        let Some(from) = self.connections.get(conn).map(Connection::remote) else { return };
        // Some programs pass on the exits that they hear, in the name of who left or in their own; and on one host an
        // IP address proves nothing.
        if !self.is_confirmed(conn, message.address) || !self.is_exit_of(conn, message) {
            return self.show_unconfirmed(conn, message, now);
        }
        log::debug!("{conn:?} {from}: {} says exit", message.address);
        let peer = self.see_off(message.address);
        let known_name = peer.as_ref().map(|peer| Rc::clone(&peer.name)).unwrap_or_default();
        let name = if message.name.is_empty() { known_name } else { Rc::from(&*message.name) };
        if let Some(session) = peer.and_then(|peer| peer.session) {
            self.leave(session, message.address, now);
        }
        let who = self.roster.who_says(message.address, &name);
        self.show(from, who, Notice::Disconnected, now);
    }

    /// Whether an exit is that of the peer whose address it claims. On its own session nobody else can say it.
    fn is_exit_of(&self, conn: ConnId, message: &Message<'_>) -> bool {
        let peer = self.roster.directory().peer(message.address);
        peer.is_some_and(|peer| peer.session == Some(conn))
            || self.roster.is_named(message.address, &message.name)
    }

    /// Takes a peer out of the table after an exit: nobody there answers our connect any more.
    pub(super) fn see_off(&mut self, address: SocketAddr) -> Option<Peer> {
        if let Some(report) = self.pending_connects.take(address) {
            self.conclude_connect(address, report);
        }
        self.prompter.see_off(address);
        self.roster.see_off(address)
    }

    /// The entry of the sender, brought up to date; `None` if there is no room for it.
    pub(super) fn meet(&mut self, conn: ConnId, message: &Message<'_>, now: Instant) -> Option<PeerId> {
        let is_confirmed = self.is_confirmed(conn, message.address);
        let from = self.connections.get(conn)?.remote();
        let (id, is_new) = self.roster.entry_for(message.address, from, is_confirmed, now)?;
        if is_confirmed {
            self.confirm(id, now);
            self.held.note_back(message.address);
        }
        let renamed = self.roster.note_message(id, message, is_confirmed, now);
        let peer = self.roster.directory().get(id)?;
        log::debug!("{conn:?} {from}: speaks as {}", Speaking(peer));
        if is_new {
            self.tell_heard(Notice::NewPeer(self.roster.who_is(peer)));
        }
        if let Some(renamed) = renamed {
            self.on_renamed(from, renamed, now);
        }
        Some(id)
    }

    /// Names can change hands. Whoever has an alias is known by that.
    fn on_renamed(&mut self, from: SocketAddr, Renamed { who, was, is_aliased }: Renamed, now: Instant) {
        let address = who.address;
        if !was.is_empty() && !is_aliased {
            self.show(from, who, |who| Notice::Renamed { who, was }, now);
        }
        self.ask_again_of(address);
    }

    /// Something changed of a peer that the prompt shows, if the user is in a conversation with it.
    fn ask_again_of(&mut self, address: SocketAddr) {
        if self.prompter.is_conversing_with(address) {
            self.ask();
        }
    }

    /// The peer is where it claims to be. An impostor's session is closed; otherwise our messages would go to the
    /// impostor.
    pub(super) fn confirm(&mut self, id: PeerId, now: Instant) {
        if let Some((address, session)) = self.roster.confirm(id)
            && !self.is_confirmed(session, address)
        {
            self.roster.disconnect(id);
            self.leave(session, address, now);
        }
    }

    /// Whether whoever speaks on the connection is believed to be who is claimed on it.
    pub(super) fn is_confirmed(&self, conn: ConnId, claimed: SocketAddr) -> bool {
        self.standing_on(conn, claimed).is_confirmed()
    }

    fn show_chat(&mut self, conn: ConnId, id: PeerId, text: &[u8], is_to_all: bool, now: Instant) {
        self.counters.chats += 1;
        if self.diagnosis.subject().is_some()
            && let Some(peer) = self.roster.directory().get(id)
        {
            self.diagnosis.note_chat(peer.address);
        }
        if self.feed.is_quiet() {
            return;
        }
        let Some(peer) = self.roster.directory().get(id) else { return };
        let standing = self.standing_on(conn, peer.address);
        let who = Who { standing, ..self.roster.who_is(peer) };
        let address = who.address;
        let is_elsewhere = self.is_said_elsewhere(address, is_to_all);
        if is_elsewhere {
            self.talks.note_unread(address);
        }
        let text = String::from_utf8_lossy(trim_end_bytes(text)).into_owned();
        let Some(from) = self.connections.get(conn).map(Connection::remote) else { return };
        let is_confirmed = standing.is_confirmed();
        let (me, mut has_mention) = (self.roster.me().shared_name(), false);
        // Looked for only in what is shown: a flood must not cost more than its lines do.
        let message = |who| {
            let mentions = mentions(&text, &me);
            has_mention = !mentions.is_empty();
            Notice::Message { who, text, is_to_all, mentions }
        };
        let is_shown = self.show(from, who, message, now);
        if has_mention && is_elsewhere {
            self.talks.note_mention(address);
        }
        // Whoever only claims to be a peer must not have the answer sent there that was meant for another one.
        if is_shown && is_confirmed {
            self.prompter.note_partner(address);
        }
        if is_confirmed {
            self.answer_while_away(id, now);
        }
        // A line that is only counted changes the prompt when the count is told.
        if is_shown && is_elsewhere {
            self.ask();
        }
    }

    pub(super) fn show_raw(&mut self, from: SocketAddr, text: &str, now: Instant) {
        if !text.is_empty() {
            self.counters.raw += 1;
            self.show_on_account(stranger(from), |_| Notice::Raw { from, text: text.to_owned() }, now);
        }
    }

    /// Shows what is not believed because of a key that is known, or because it came in the clear.
    pub(super) fn show_refused(&mut self, from: SocketAddr, text: &str, now: Instant) {
        self.counters.raw += 1;
        let text = text.trim_end().to_owned();
        self.show_on_account(stranger(from), |_| Notice::Refused { from, text }, now);
    }

    /// Shows a message that is not believed to be of the peer whose address it claims.
    pub(super) fn show_unconfirmed(&mut self, conn: ConnId, message: &Message<'_>, now: Instant) {
        let Some(from) = self.connections.get(conn).map(Connection::remote) else { return };
        log::debug!("{conn:?} {from}: not believed to be {}", message.address);
        let claimed = self.roster.me().scopes().show(message.address).to_string();
        let text = format!("{claimed} {} {}", message.name, message.text);
        if self.is_refused(conn, message.address) {
            self.show_refused(from, &text, now);
        } else {
            self.show_raw(from, &text, now);
        }
    }

    /// Shows a line of a peer, which came from `from`; gives whether it was shown and not only counted. Whoever only
    /// claims to be the peer does not use up what the peer may say.
    pub(super) fn show(
        &mut self,
        from: SocketAddr,
        who: Who,
        notice: impl FnOnce(Who) -> Notice,
        now: Instant,
    ) -> bool {
        let is_itself = || who.standing >= Standing::Pinned || self.roster.me().is_at_home(from, who.address);
        if !self.feed.may_fold() || is_itself() {
            self.show_on_account(who, notice, now)
        } else {
            self.show_on_account(stranger(from), |_| notice(who), now)
        }
    }

    /// Tells a peer once that the user is away. Whoever only claims to be the peer must not make us dial it, and such dials
    /// are as seldom as acknowledgements.
    fn answer_while_away(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.roster.directory().get(id).filter(|_| self.away.is_set()) else { return };
        let (to, has_session) = (peer.address, peer.session.is_some());
        if (has_session || self.outbox.may_acknowledge(to, now))
            && let Some(text) = self.away.answer(to)
        {
            self.deliver(to, Content::Chat(text), None, Report::Nobody, now);
        }
    }

    /// Whether a peer speaks while the user, at a terminal, is in another conversation than that to which the text belongs.
    fn is_said_elsewhere(&self, from: SocketAddr, is_to_all: bool) -> bool {
        self.config.is_terminal
            && match self.prompter.conversation() {
                Some(Audience::All) => !is_to_all,
                Some(_) => !self.prompter.is_conversing_with(from),
                None => false,
            }
    }

    /// Tells something that a stranger has caused, on the account of its source.
    pub(super) fn show_of_stranger(&mut self, from: SocketAddr, notice: Notice, now: Instant) {
        self.show_on_account(stranger(from), |_| notice, now);
    }

    /// Shows a line on the account of `who`, or counts it.
    fn show_on_account(&mut self, who: Who, notice: impl FnOnce(Who) -> Notice, now: Instant) -> bool {
        let fate = self.feed.take(&who, now);
        match fate {
            Fate::Shown => self.tell(notice(who)),
            Fate::Folded => self.counters.folded += 1,
            Fate::Hidden => {}
        }
        fate == Fate::Shown
    }

    pub(super) fn tell_folded(&mut self) {
        for notice in self.feed.take_folded() {
            self.tell(notice);
        }
        if self.talks.unread().next().is_some() && self.prompter.is_conversing() {
            self.ask();
        }
    }

    /// Tells what a peer did, unless peers are only counted.
    pub(super) fn tell_heard(&mut self, notice: Notice) {
        if !self.feed.is_quiet() && !self.is_quitting() {
            self.tell(notice);
        }
    }
}

/// An unknown sender. All ports of one source share one allowance.
fn stranger(from: SocketAddr) -> Who {
    Who::new(SocketAddr::new(source_of(from.ip()), 0), "".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::book::Known;
    use crate::chat::node::Config;
    use crate::chat::node::tests::{handle, running_as, running_with};
    use crate::limits::{Limits, NEW_LOCAL_PEERS_BURST, TOLD_BYTES_PER_TURN};
    use crate::proto::machine::{Input, Machine, Output};

    #[test]
    fn whoever_invents_addresses_shuts_out_nobody_who_says_its_own() {
        let now = crate::testing::start();
        let config = Config { name: Some("N".to_owned()), port: Some(8080), ..Config::default() };
        let mut node = Node::new(config);
        while node.poll_output().is_some() {}
        let dial = |node: &mut Node| {
            node.accept(([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 8080).into(), now).unwrap()
        };
        let inventor = dial(&mut node);
        for n in 0..=NEW_LOCAL_PEERS_BURST {
            let ip = std::net::Ipv4Addr::from_bits(0x0A00_0000 + n);
            let line = format!("{ip}:9 P hello\n");
            node.handle(Input::Received { conn: inventor, bytes: line.as_bytes() }, now);
            while node.poll_output().is_some() {}
        }
        assert_eq!(node.directory().len(), NEW_LOCAL_PEERS_BURST as usize);
        let newcomer = dial(&mut node);
        node.handle(Input::Received { conn: newcomer, bytes: b"127.0.0.1:9 P connect\n" }, now);
        while node.poll_output().is_some() {}
        let answer = node.send_queue(newcomer).unwrap();
        assert!(!answer.is_empty());
        assert!(node.directory().peer(([127, 0, 0, 1], 9).into()).is_some_and(Peer::is_real));
    }

    #[test]
    fn each_line_is_shown_under_the_name_that_it_bears_and_a_new_one_is_told() {
        let now = crate::testing::start();
        let config = Config { name: Some("N".to_owned()), port: Some(8080), ..Config::default() };
        let mut node = Node::new(config);
        while node.poll_output().is_some() {}
        let conns = [1, 2].map(|port: u16| {
            node.accept(([127, 0, 0, 1], port).into(), ([127, 0, 0, 1], 8080).into(), now).unwrap()
        });
        let mut shown = Vec::new();
        for (conn, name) in [(0, "alice"), (0, "alice"), (1, "mallory"), (0, "alice"), (0, "bob"), (0, "bob")]
        {
            let line = format!("127.0.0.1:9 {name} hello\n");
            node.handle(Input::Received { conn: conns[conn], bytes: line.as_bytes() }, now);
            while let Some(output) = node.poll_output() {
                match output {
                    Output::Notice(Notice::Message { who, .. }) => shown.push(who.name.to_string()),
                    Output::Notice(Notice::Renamed { who, was }) => {
                        shown.push(format!("{was} > {}", who.name))
                    }
                    _ => {}
                }
            }
        }
        let expected = [
            "alice",
            "alice",
            "alice > mallory",
            "mallory",
            "mallory > alice",
            "alice",
            "alice > bob",
            "bob",
            "bob",
        ];
        assert_eq!(shown, expected);
        assert_eq!(node.directory().len(), 1);
    }

    /// What is told of an exit that follows a chat, each from an address of its own.
    fn told_of_exit(
        known: &[(SocketAddr, Known)],
        chat: Option<(&str, &str)>,
        exit: (&str, &str),
    ) -> Vec<Notice> {
        let (mut node, now) = running_as(Config { known: known.to_vec(), ..Config::default() });
        let mut told = Vec::new();
        for (from, message) in chat.into_iter().chain([exit]) {
            let conn = node.accept(from.parse().unwrap(), "10.0.0.1:8080".parse().unwrap(), now).unwrap();
            let bytes = format!("{message}\n");
            told = handle(&mut node, Input::Received { conn, bytes: bytes.as_bytes() }, now);
        }
        let notice = |output| match output {
            Output::Notice(notice) => Some(notice),
            _ => None,
        };
        told.into_iter().filter_map(notice).collect()
    }

    #[test]
    fn an_exit_in_another_name_than_the_one_remembered_is_not_taken_either() {
        let known = Known { name: "P1".into(), ..Known::default() };
        let known = [("127.0.0.1:9".parse().unwrap(), known)];
        for (name, is_taken) in [("P1", true), ("Hashflow", false)] {
            let exit = format!("127.0.0.1:9 {name} exit");
            let told = told_of_exit(&known, None, ("127.0.0.1:50000", &exit));
            assert_eq!(matches!(told[..], [Notice::Disconnected(_)]), is_taken, "{told:?}");
        }
    }

    #[test]
    fn a_name_that_was_only_claimed_keeps_nobody_from_leaving() {
        let claim = ("10.0.0.7:50000", "10.0.0.5:9 Mallory hi");
        let told = told_of_exit(&[], Some(claim), ("10.0.0.5:50000", "10.0.0.5:9 P1 exit"));
        assert!(matches!(told[..], [Notice::Disconnected(_)]), "{told:?}");
    }
    #[test]
    fn what_many_left_unfinished_is_told_turn_by_turn() {
        let now = crate::testing::start();
        let config = Config { name: Some("N".to_owned()), port: Some(8080), ..Config::default() };
        let mut node = Node::new(config);
        while node.poll_output().is_some() {}
        let text = "x".repeat(60_000);
        for port in 1..=100 {
            let conn =
                node.accept(([127, 0, 0, 1], port).into(), ([127, 0, 0, 1], 8080).into(), now).unwrap();
            node.handle(Input::Received { conn, bytes: text.as_bytes() }, now);
        }
        let later = now + crate::limits::HEADER_FLUSH;
        let mut told = Vec::new();
        while node.poll_timeout().is_some_and(|at| at <= later) {
            node.handle(Input::Timeout, later);
            let outputs = std::iter::from_fn(|| node.poll_output());
            told.push(outputs.filter(|output| matches!(output, Output::Notice(Notice::Raw { .. }))).count());
        }
        assert_eq!(told.iter().sum::<usize>(), 100);
        assert!(told.iter().all(|&count| count * text.len() < TOLD_BYTES_PER_TURN + text.len()), "{told:?}");
    }

    #[test]
    fn memory_is_freed_however_much_was_told_in_the_same_turn() {
        let limits = Limits { memory_bytes_max: 1_000_000, ..Limits::default() };
        let (mut node, start) = running_with(limits.clone());
        let accept = |node: &mut Node, port| {
            node.accept(([127, 0, 0, 1], port).into(), ([127, 0, 0, 1], 8080).into(), start).unwrap()
        };
        let talker = accept(&mut node, 1);
        let line = format!("127.0.0.1:9 P {}\n", "x".repeat(60_000));
        for _ in 0..=TOLD_BYTES_PER_TURN / line.len() {
            handle(&mut node, Input::Received { conn: talker, bytes: line.as_bytes() }, start);
        }
        for port in 2..100 {
            let conn = accept(&mut node, port);
            handle(&mut node, Input::Received { conn, bytes: &[b'x'; 60_000] }, start);
            assert!(node.connections.held() <= limits.memory_bytes_max, "{}", node.connections.held());
        }
    }
}
