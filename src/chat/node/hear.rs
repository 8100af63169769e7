//! What is heard: messages and what they mean, and who may say them.

use super::logged::Speaking;
use super::{Kind, Node, Stage};
use crate::chat::directory::{Peer, PeerId, kept_of};
use crate::chat::notice::{Notice, Who};
use crate::limits::{FOLD_INTERVAL, SPEAKER_BYTES_MAX};
use crate::proto::connection::{Connection, Phase};
use crate::proto::machine::ConnId;
use crate::proto::message::{
    Command, Dialect, LINE_TAKEN, Message, parse_port_line, source_of, trim_end, trim_end_bytes,
};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

/// What ended a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The connection is gone; nothing can be answered on it.
    Gone,
    Newline,
    Silence,
}

impl Node {
    pub(super) fn on_received(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        if self.stage == Stage::Over {
            return;
        }
        let mut rest = bytes;
        while let Some(connection) = self.connections.get_mut(conn) {
            let is_first = connection.phase() == Phase::Greeting;
            match connection.next_message(&mut rest) {
                Ok(Some(line)) => match if is_first { parse_port_line(&line) } else { None } {
                    Some(port) => connection.data.kind = Kind::PortLine(port),
                    None => self.hear(conn, &line, End::Newline, now),
                },
                Ok(None) => break,
                Err(reason) => return self.close(conn, reason, now),
            }
        }
        self.connections.heard(conn, now);
    }

    /// The peer went silent in the middle of something: that is all of it.
    pub(super) fn on_silence(&mut self, conn: ConnId, now: Instant) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let Some(message) = connection.flush() else { return };
        if let Kind::Session(peer) = connection.data.kind {
            // It holds its connection open without speaking lines: it cannot hear us on it.
            connection.data.kind = Kind::Inbound;
            self.connections.set_phase(conn, Phase::Open, now);
            self.directory.unbind(peer);
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
        let (remote, kind) = (connection.remote(), connection.data.kind);
        let text = String::from_utf8_lossy(line);
        match (kind, text.strip_prefix('!')) {
            (Kind::Session(_), Some(control)) => return self.on_control(conn, trim_end(control), now),
            // It was a session when the peer asked; nobody can answer here any more.
            (Kind::Leaving, Some(_)) => return,
            (Kind::Delivery | Kind::Leaving, None) if trim_end(&text) == LINE_TAKEN => return,
            _ => {}
        }
        match self.understood(kind, &text, remote) {
            None => self.on_raw(remote, trim_end(&text), now),
            Some(message) if self.book.is_blocked(message.address) => self.counters.blocked += 1,
            Some(message) => {
                self.on_message(conn, &message, end, now);
                if end == End::Newline && message.dialect == Dialect::Standard {
                    self.remember_speaker(conn, line, message.address);
                }
                if end != End::Gone {
                    self.answer_line(conn, now);
                }
            }
        }
    }

    /// The message in a text; nobody speaks in our own name.
    pub(super) fn understood<'a>(
        &self,
        kind: Kind,
        text: &'a str,
        remote: SocketAddr,
    ) -> Option<Message<'a>> {
        let message = match kind {
            Kind::PortLine(port) => Some(Message::parse_behind_port(text, port, remote)),
            _ => Message::parse(text, remote),
        };
        message.filter(|message| !self.is_own(message.address))
    }

    /// Who began with a port says no more until its last line was answered.
    fn answer_line(&mut self, conn: ConnId, now: Instant) {
        let kind = self.connections.get(conn).map(|connection| connection.data.kind);
        if let Some(Kind::PortLine(_)) = kind
            && let Err(reason) = self.connections.send(conn, format!("{LINE_TAKEN}\n").into_bytes().into())
        {
            self.close(conn, reason, now);
        }
    }

    /// The fast path: the line begins with the very bytes that the last one began with, so nothing of
    /// its header needs to be parsed or looked up again.
    fn hear_chat_of_known_speaker(&mut self, conn: ConnId, line: &[u8], now: Instant) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else { return false };
        // Whatever comes, it came after the answer.
        connection.data.is_only_answered = false;
        let from = connection.remote();
        let Some(speaker) = connection.data.speaker.as_deref() else { return false };
        let id = speaker.peer;
        let Some(text) = line.strip_prefix(speaker.header()) else { return false };
        if Command::of(text, Dialect::Standard) != Command::Chat {
            return false;
        }
        let is_believed = |peer: &Peer| speaker.is_confirmed || !peer.is_confirmed;
        let is_meant = |peer: &&mut Peer| is_believed(peer) && peer.renamed == speaker.renamed;
        let Some(peer) = self.directory.get_mut(id).filter(is_meant) else { return false };
        note_heard(peer, Dialect::Standard, true, now);
        self.show_chat(from, id, trim_end_bytes(text), now);
        true
    }

    fn remember_speaker(&mut self, conn: ConnId, line: &[u8], address: SocketAddr) {
        let Some(id) = self.directory.find(address) else { return };
        let Some(peer) = self.directory.get(id) else { return };
        let Some(speaker) = Speaker::new(line, id, peer, self.is_confirmed(conn, address)) else { return };
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.data.speaker = Some(Box::new(speaker));
        }
    }

    fn on_message(&mut self, conn: ConnId, message: &Message<'_>, end: End, now: Instant) {
        match message.command {
            Command::Ack { session } => self.on_ack(conn, message, session && end != End::Gone, now),
            Command::Chat => self.on_chat(conn, message, now),
            Command::Connect if self.is_ack(message) => self.on_ack(conn, message, false, now),
            Command::Connect => self.on_connect(conn, message, end, now),
            Command::Exit => self.on_exit(conn, message, now),
        }
    }

    fn on_chat(&mut self, conn: ConnId, message: &Message<'_>, now: Instant) {
        let Some(from) = self.connections.get(conn).map(Connection::remote) else { return };
        match self.meet(conn, message, now) {
            Some(id) => self.show_chat(from, id, message.text.as_bytes(), now),
            None => {
                // No room for its sender: it is shown all the same, on the account of where it came from.
                self.counters.raw += 1;
                let who = self.book.who(message.address, &Rc::from(&*message.name));
                let text = message.text.to_string();
                self.show_line_of(stranger(from), |_| Notice::Message { who, text }, now);
            }
        }
    }

    pub(super) fn on_raw(&mut self, from: SocketAddr, text: &str, now: Instant) {
        if !text.is_empty() {
            self.counters.raw += 1;
            self.show_line_of(stranger(from), |_| Notice::Raw { from, text: text.to_owned() }, now);
        }
    }

    /// The claimed address is no proof: what would hurt a third party is taken only from its own IP,
    /// and shown otherwise with the address that it came from.
    pub(super) fn on_unconfirmed(&mut self, conn: ConnId, message: &Message<'_>, now: Instant) {
        let Some(from) = self.connections.get(conn).map(Connection::remote) else { return };
        log::debug!("{conn:?} {from}: not believed to be {}", message.address);
        let text = format!("{} {} {}", message.address, message.name, message.text);
        self.on_raw(from, &text, now);
    }

    fn on_exit(&mut self, conn: ConnId, message: &Message<'_>, now: Instant) {
        if !self.is_confirmed(conn, message.address) {
            return self.on_unconfirmed(conn, message, now);
        }
        let Some(from) = self.connections.get(conn).map(Connection::remote) else { return };
        // Some pass on what they hear, in the name of who left or in their own.
        if !self.is_exit_of(conn, message) {
            return self.on_unconfirmed(conn, message, now);
        }
        log::debug!("{conn:?} {from}: {} says exit", message.address);
        let peer = self.see_off(message.address);
        let known_name = peer.as_ref().map(|peer| Rc::clone(&peer.name)).unwrap_or_default();
        let name = if message.name.is_empty() { known_name } else { Rc::from(&*message.name) };
        if let Some(session) = peer.and_then(|peer| peer.session) {
            self.leave(session, message.address, now);
        }
        let who = self.book.who(message.address, &name);
        self.show_line(from, who, Notice::Disconnected, now);
    }

    /// Whether an exit bears the name of who is to leave, as far as both say one. On its own session nobody else can, and
    /// a name that was only claimed says nothing.
    fn is_exit_of(&self, conn: ConnId, message: &Message<'_>) -> bool {
        let peer = self.directory.peer(message.address);
        if peer.is_some_and(|peer| peer.session == Some(conn) || !peer.is_confirmed) {
            return true;
        }
        let known = self.own_who(message.address).name;
        known.is_empty() || message.name.is_empty() || *known == *kept_of(&message.name)
    }

    fn on_control(&mut self, conn: ConnId, control: &str, now: Instant) {
        let Some(number) = control.strip_prefix("ping ") else { return };
        let pong = format!("!pong {number}\n").into_bytes();
        if let Err(reason) = self.connections.send(conn, pong.into()) {
            self.close(conn, reason, now);
        }
    }

    /// The entry of the sender, brought up to date; `None` if there is no room for it.
    pub(super) fn meet(&mut self, conn: ConnId, message: &Message<'_>, now: Instant) -> Option<PeerId> {
        let is_confirmed = self.is_confirmed(conn, message.address);
        let from = self.connections.get(conn)?.remote();
        let source = source_of(from.ip());
        let known = self.directory.find(message.address);
        // Claims of others do not use up what the source may say of itself.
        let rate = if from.ip().is_loopback() { &mut self.new_local_peers } else { &mut self.new_peers };
        if known.is_none() && !rate.take((source, is_confirmed), now) {
            return None;
        }
        let is_news = known.is_none() && !self.book.is_acquainted(message.address);
        let id = known.or_else(|| self.enter(message.address))?;
        if is_confirmed {
            self.confirm(id, now);
        }
        let peer = self.directory.get_mut(id)?;
        if peer.is_confirmed && !is_confirmed {
            // Who only claims to be the peer changes nothing of what is known about it.
            return Some(id);
        }
        let was = Rc::clone(&peer.name);
        let (mut name, mut dialect) = (&*message.name, message.dialect);
        if !is_confirmed {
            (name, dialect) = self.book.believe(message.address, name, dialect);
        }
        if !name.is_empty() {
            peer.rename(name);
        }
        let is_renamed = peer.name != was;
        log::debug!("{conn:?} {from}: speaks as {}", Speaking(peer));
        note_heard(peer, dialect, message.command == Command::Chat, now);
        if self.config.must_remember {
            self.book.note(peer);
        }
        if is_news {
            let who = self.book.who(peer.address, &peer.name);
            self.tell_heard(Notice::NewPeer(who));
        }
        if is_renamed {
            self.on_renamed(from, id, was, now);
        }
        Some(id)
    }

    /// Names can change hands. Whom the user calls by an alias is known by that.
    fn on_renamed(&mut self, from: SocketAddr, id: PeerId, was: Rc<str>, now: Instant) {
        let Some(peer) = self.directory.get(id) else { return };
        let who = Who { address: peer.address, name: Rc::clone(&peer.name) };
        let is_aliased = self.book.get(who.address).is_some_and(|known| known.alias.is_some());
        if !was.is_empty() && !is_aliased {
            self.show_line(from, who.clone(), |who| Notice::Renamed { who, was }, now);
        }
        self.ask_by_new_name(who.address);
    }

    /// The peer is where it claims to be. A session that somebody else has in its name ends, or what is
    /// said to the peer would go there.
    pub(super) fn confirm(&mut self, id: PeerId, now: Instant) {
        if !self.directory.confirm(id) {
            return;
        }
        let Some(&Peer { address, session, .. }) = self.directory.get(id) else { return };
        let Some(session) = session.filter(|&session| !self.is_confirmed(session, address)) else { return };
        self.disconnect(id);
        self.leave(session, address, now);
    }

    /// The peer has no session any more, and is not connected.
    pub(super) fn disconnect(&mut self, id: PeerId) {
        self.directory.unbind(id);
        if let Some(peer) = self.directory.get_mut(id) {
            peer.is_connected = false;
        }
    }

    /// Whether the connection comes from the IP that is claimed on it.
    pub(super) fn is_confirmed(&self, conn: ConnId, claimed: SocketAddr) -> bool {
        self.connections.get(conn).is_some_and(|connection| self.is_at_home(connection.remote(), claimed))
    }

    /// Whether the socket address `from` has the claimed IP; on this host, any of its addresses.
    pub(super) fn is_at_home(&self, from: SocketAddr, claimed: SocketAddr) -> bool {
        let (socket, claimed) = (from.ip(), claimed.ip());
        socket == claimed || (self.is_of_this_host(socket) && self.is_of_this_host(claimed))
    }

    fn show_chat(&mut self, from: SocketAddr, id: PeerId, text: &[u8], now: Instant) {
        self.counters.chats += 1;
        if self.config.quiet {
            return;
        }
        if let Some(peer) = self.directory.get(id) {
            let who = self.book.who(peer.address, &peer.name);
            let text = String::from_utf8_lossy(text).into_owned();
            self.show_line(from, who, |who| Notice::Message { who, text }, now);
        }
    }

    /// Shows a line of a peer, which came from `from`. Who only claims to be the peer does not use up what
    /// the peer may say.
    pub(super) fn show_line(
        &mut self,
        from: SocketAddr,
        who: Who,
        notice: impl FnOnce(Who) -> Notice,
        now: Instant,
    ) {
        if !self.config.fold || self.is_at_home(from, who.address) {
            self.show_line_of(who, notice, now);
        } else {
            self.show_line_of(stranger(from), |_| notice(who), now);
        }
    }

    /// Shows a line, or counts it where `who` says more than a person can read.
    fn show_line_of(&mut self, who: Who, notice: impl FnOnce(Who) -> Notice, now: Instant) {
        if self.config.quiet {
            return;
        }
        if self.config.fold && !self.shown_lines.take(who.address, now) {
            self.counters.folded += 1;
            self.folded.entry(who.address).or_insert((who, 0)).1 += 1;
            self.fold_at.get_or_insert(now + FOLD_INTERVAL);
            return;
        }
        self.tell(notice(who));
    }

    pub(super) fn tell_folded(&mut self) {
        self.fold_at = None;
        for (_, (who, lines)) in std::mem::take(&mut self.folded) {
            self.tell(Notice::Folded { who, lines });
        }
    }

    /// Tells what a peer did, unless peers are only counted.
    pub(super) fn tell_heard(&mut self, notice: Notice) {
        if !self.config.quiet && !self.is_quitting() {
            self.tell(notice);
        }
    }

    /// The address that we claim on a connection.
    pub(super) fn header(&self, conn: ConnId) -> Option<SocketAddr> {
        let local = self.connections.get(conn)?.local();
        Some(SocketAddr::new(self.config.ip.unwrap_or(local), self.port))
    }
}

/// Whoever it is at the other end of a socket: one source shares one allowance, whatever its ports.
fn stranger(from: SocketAddr) -> Who {
    Who { address: SocketAddr::new(source_of(from.ip()), 0), name: "".into() }
}

/// Whose lines come on a connection. In one piece: each read of one of many connections finds it cold.
#[derive(Debug)]
pub(super) struct Speaker {
    /// `IP:PORT NAME ` as the peer writes it, and how much of the array that is.
    header: [u8; SPEAKER_BYTES_MAX],
    header_bytes: u8,
    /// The connection comes from the IP that the header claims.
    is_confirmed: bool,
    pub(super) peer: PeerId,
    /// [`Peer::renamed`](crate::chat::directory::Peer::renamed) when it bore the name of the header.
    renamed: u32,
}

impl Speaker {
    /// Who said this line; `None` if its header is too long to be remembered, or bears another name.
    fn new(line: &[u8], id: PeerId, peer: &Peer, is_confirmed: bool) -> Option<Self> {
        let header = &line[..=memchr::memchr_iter(b' ', line).nth(1)?];
        let mut array = [0; SPEAKER_BYTES_MAX];
        array.get_mut(..header.len())?.copy_from_slice(header);
        let header_bytes = header.len() as u8;
        let speaker = Self { header: array, header_bytes, is_confirmed, peer: id, renamed: peer.renamed };
        names(header, &peer.name).then_some(speaker)
    }

    fn header(&self) -> &[u8] {
        &self.header[..usize::from(self.header_bytes)]
    }
}

/// Whether a header, `IP:PORT NAME `, bears this name.
fn names(header: &[u8], name: &str) -> bool {
    let rest = header.strip_suffix(b" ").and_then(|header| header.strip_suffix(name.as_bytes()));
    rest.is_some_and(|rest| rest.ends_with(b" "))
}

/// What every message of a peer changes in its entry.
fn note_heard(peer: &mut Peer, dialect: Dialect, is_chat: bool, now: Instant) {
    if is_chat || (peer.heard == 0 && !peer.is_dialect_chosen) {
        peer.is_dialect_chosen &= peer.dialect == dialect;
        peer.dialect = dialect;
    }
    peer.heard += 1;
    peer.heard_at = Some(now);
    peer.is_offline = false;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::book::Known;
    use crate::chat::node::Config;
    use crate::chat::node::say::tests::{handle, running_as};
    use crate::limits::NEW_LOCAL_PEERS_BURST;
    use crate::limits::TOLD_BYTES_PER_TURN;
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
}
