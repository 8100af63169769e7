//! Encryption: who offers it to whom, what a proved key means, and what is refused.
//!
//! Whoever answers a connect offers encryption in the answer, and whoever asked takes the offer. Of an address whose key is
//! known, a connect means nothing until that key is proved: only then is it told, and changes something. Of any other
//! address it means what it always meant, and the session is encrypted if the offer is taken: the first line decides.

use super::Node;
use crate::chat::meaning::End;
use crate::chat::notice::{Failure, Mistake, Notice, Standing, Whois};
use crate::chat::request::{Compared, Designation, Doubt};
use crate::chat::role::Kind;
use crate::chat::roster::Recognised;
use crate::chat::trust::Proved;
use crate::limits::{CONNECT_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::proto::connection::{Connection, Phase, Secrecy};
use crate::proto::envelope::{Body, Envelope};
use crate::proto::machine::{CloseReason, ConnId, How, Output};
use crate::proto::message::{Command, Message, canonical};
use crate::proto::secure::words::{is_line, message_of, offer_of};
use crate::proto::secure::{Key, verification};
use std::net::SocketAddr;
use std::time::Instant;

/// What a proved key has changed.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    /// Somebody is known by it from here on.
    is_new: bool,
    /// Whoever has it was there before.
    moved_from: Option<SocketAddr>,
}

impl Node {
    /// Whether nothing may be said to an address in the clear.
    pub(super) fn is_secret(&self, to: SocketAddr) -> bool {
        self.trust.requires() || self.roster.pin(to).is_some()
    }

    /// What stands behind a line of a connection that claims an address.
    pub(super) fn standing_on(&self, conn: ConnId, claimed: SocketAddr) -> Standing {
        let is_at_home = |remote| self.roster.me().is_at_home(remote, claimed);
        match self.roster.pin(claimed) {
            Some(pin) if self.trust.key_on(conn) != Some(pin.key) => Standing::Conflict,
            Some(pin) if pin.is_verified => Standing::Verified,
            Some(_) => Standing::Pinned,
            None if self.connections.get(conn).is_some_and(|c| is_at_home(c.remote())) => Standing::AtHome,
            None => Standing::Claimed,
        }
    }

    /// Whether a line in the name of an address must not be believed, whatever it says.
    pub(super) fn is_refused(&self, conn: ConnId, claimed: SocketAddr) -> bool {
        let is_in_the_clear = || self.connections.get(conn).is_none_or(|c| c.secrecy() != Secrecy::Sealed);
        (self.trust.requires() && is_in_the_clear()) || self.standing_on(conn, claimed) == Standing::Conflict
    }

    /// A connect that is not to be believed before its sender has proved a key: it is answered with an offer, and nothing
    /// else.
    pub(super) fn ask_for_proof(
        &mut self,
        conn: ConnId,
        line: &[u8],
        message: &Message<'_>,
        end: End,
        now: Instant,
    ) {
        let Some(connection) = self.connections.get(conn) else { return };
        let can_answer = end != End::Gone
            && !self.is_quitting()
            && message.dialect.can_have_session()
            && connection.data.kind() == Kind::Inbound
            && connection.secrecy() == Secrecy::Clear;
        // If our own dial to that address is the one to stay, whoever is there knows that too.
        let is_met = self.outbox.connect_under_way(message.address).is_some()
            && self.keeps_own_dial(conn, message.address);
        if is_met {
            return;
        }
        if !can_answer || !self.answer_with_offer(conn, line, now) {
            self.show_unconfirmed(conn, message, now);
            self.close(conn, CloseReason::NotEncrypted, now);
        }
    }

    /// A line that must not be believed has come. It may be the beginning of a proof; otherwise it changes nothing.
    pub(super) fn on_refused(
        &mut self,
        conn: ConnId,
        line: &[u8],
        message: &Message<'_>,
        end: End,
        now: Instant,
    ) {
        let is_answer = self.is_answer(conn);
        match message.command {
            Command::Ack { session } if is_answer => {
                if !(session && end != End::Gone && self.take_offer(conn, line, now)) {
                    self.close(conn, CloseReason::NotEncrypted, now);
                }
            }
            Command::Connect => self.ask_for_proof(conn, line, message, end, now),
            Command::Ack { .. } | Command::Chat | Command::Exit => self.show_unconfirmed(conn, message, now),
        }
    }

    /// Answers a connect with an offer, if we may. The connection may be closed by that.
    pub(super) fn answer_with_offer(&mut self, conn: ConnId, connect: &[u8], now: Instant) -> bool {
        let Some(ours) = self.claimed_on(conn).filter(|_| self.trust.identity().is_some()) else {
            return false;
        };
        let answer = Envelope::of_session(ours, self.roster.me().name()).message(Body::AckSession);
        // Who claims more than that is none of our own kind, and all of it would have to be kept.
        let offer = Some(connect).filter(|connect| connect.len() <= CONNECT_BYTES_MAX);
        let Some((offered, line)) = offer.and_then(|connect| self.trust.offer(conn, connect, &answer)) else {
            return false;
        };
        if let Err(reason) = self.connections.send(conn, line.into_bytes().into()) {
            self.close(conn, reason, now);
            return true;
        }
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.offer(offered);
        }
        self.connections.prove_session(conn, now);
        true
    }

    /// Takes the offer in the answer to our connect. `false`: there is none, or we take none.
    pub(super) fn take_offer(&mut self, conn: ConnId, answer: &[u8], now: Instant) -> bool {
        let is_clear = |conn| self.connections.get(conn).is_some_and(|c| c.secrecy() == Secrecy::Clear);
        let is_short = answer.len() <= CONNECT_BYTES_MAX;
        let Some(offer) = offer_of(answer).filter(|_| is_short && is_clear(conn)) else { return false };
        match self.trust.take_offer(conn, answer, &offer) {
            None => return false,
            Some(Err(_)) => self.close(conn, CloseReason::BadProof, now),
            Some(Ok((answered, line))) => {
                if let Some(connection) = self.connections.get_mut(conn) {
                    connection.take_offer(answered, &line);
                }
                self.connections.prove_session(conn, now);
            }
        }
        true
    }

    /// A line has come on a connection whose encryption is not decided. `false`: no more of it is to be read.
    pub(super) fn on_undecided(&mut self, conn: ConnId, line: &[u8], now: Instant) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else { return false };
        let (remote, secrecy) = (connection.remote(), connection.secrecy());
        match (secrecy, message_of(line)) {
            (Secrecy::Offered, Some(message)) if message.len() <= MESSAGE_BYTES_MAX => {
                self.trust.put(conn, remote, message, now);
                // It is not to blame if it has to wait.
                self.connections.prove_session(conn, now);
                self.go_on_proving(now);
            }
            (Secrecy::Answered, Some(message)) => {
                let answered = connection.answered();
                let proved = answered.map(|answered| self.trust.on_proof(conn, answered, &message));
                self.on_proof(conn, proved.and_then(Result::ok), now);
            }
            (Secrecy::Offered, None) if !is_line(line) => {
                self.on_offer_ignored(conn, now);
                self.hear(conn, line, End::Newline, now);
            }
            _ => self.close(conn, CloseReason::BadProof, now),
        }
        self.connections.get(conn).is_some()
    }

    /// Whether our offer on a connection may still be taken.
    pub(super) fn is_offering(&self, conn: ConnId) -> bool {
        self.connections.get(conn).is_some_and(|connection| connection.secrecy() == Secrecy::Offered)
    }

    /// Works on handshakes that wait for their turn.
    pub(super) fn go_on_proving(&mut self, now: Instant) {
        while let Some((conn, message)) = self.trust.next_waiting(now) {
            let offered = self.connections.get_mut(conn).and_then(|connection| connection.offered());
            let proved = offered.map(|offered| self.trust.on_taken(conn, offered, &message));
            self.on_proof(conn, proved.and_then(Result::ok), now);
        }
    }

    /// Our offer was not taken: the session is a plain one, unless it must not be.
    pub(super) fn on_offer_ignored(&mut self, conn: ConnId, now: Instant) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let is_unbound = connection.data.kind() == Kind::Inbound;
        if is_unbound || self.recipient_on(conn).is_some_and(|to| self.is_secret(to)) {
            return self.close(conn, CloseReason::NotEncrypted, now);
        }
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.give_up_offer();
        self.trust.give_up(conn);
        self.decide(conn, now);
    }

    /// It is decided whether a session is encrypted: it goes on, or ends if somebody has wanted that meanwhile.
    fn decide(&mut self, conn: ConnId, now: Instant) {
        let Some(connection) = self.connections.get(conn) else { return };
        match connection.data.kind() {
            Kind::Leaving => {
                self.connections.set_phase(conn, Phase::Settling, now);
                self.outputs.push_back(Output::Close { conn, how: How::HalfClose });
            }
            Kind::Session(_) => self.connections.make_session(conn, now),
            _ => {}
        }
        self.connections.wake(conn);
    }

    /// The other side has proved its key, or could not.
    fn on_proof(&mut self, conn: ConnId, proved: Option<Proved>, now: Instant) {
        let Some(Proved { key, said, channel, line }) = proved else {
            return self.close(conn, CloseReason::BadProof, now);
        };
        let Some(connection) = self.connections.get(conn) else { return };
        let (remote, kind) = (connection.remote(), connection.data.kind());
        let text = String::from_utf8_lossy(&said);
        let Some(message) = Message::parse(&text, remote) else {
            return self.close(conn, CloseReason::BadProof, now);
        };
        // We dialled this address ourselves, so we trust it more than the address in the message.
        let is_dialled = matches!(kind, Kind::Delivery | Kind::Probe);
        let address = if is_dialled { remote } else { self.roster.me().scopes().placed(message.address) };
        let message = Message { address, ..message };
        self.counters.handshakes += 1;
        self.trust.note_key(conn, key);
        // What such a connection carries is for whoever has the key that is known, but it changes nothing any more.
        let is_over = kind == Kind::Leaving;
        let news = if is_over {
            self.check(conn, address, key, now)
        } else {
            self.recognise(conn, &said, address, key, now)
        };
        let Some(News { is_new, moved_from }) = news else { return };
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.seal(channel, line.as_deref());
        }
        self.note_chinwag(conn);
        match kind {
            Kind::Delivery => self.on_ack(conn, &message, true, now),
            Kind::Inbound => self.on_connect(conn, &said, &message, End::Newline, now),
            Kind::Probe => self.on_proved_greeting(conn, &message, now),
            Kind::Session(id) if self.is_confirmed(conn, address) => self.confirm(id, now),
            _ => {}
        }
        if is_new {
            self.tell_heard(Notice::Pinned { who: self.roster.who(address), key });
        }
        self.decide(conn, now);
        if let Some(from) = moved_from {
            self.redirect(from, address, now);
        }
        if is_new || moved_from.is_some() {
            self.end_clear_sessions(address, now);
        }
    }

    /// What is queued for a peer on connections that do not have its key must not be written.
    fn end_clear_sessions(&mut self, peer: SocketAddr, now: Instant) {
        let key = self.roster.pin(peer).map(|pin| pin.key);
        let left = self.leaving.iter().filter(|(_, to)| **to == peer).map(|(&conn, _)| conn);
        let all = self.session_with(peer).into_iter().chain(left);
        let clear: Vec<ConnId> = all.filter(|&conn| self.trust.key_on(conn) != key).collect();
        clear.into_iter().for_each(|conn| self.close(conn, CloseReason::NotEncrypted, now));
    }

    /// Whether a key may speak for an address.
    fn check(&mut self, conn: ConnId, address: SocketAddr, key: Key, now: Instant) -> Option<News> {
        let is_known = self.roster.pin(address).is_none_or(|pin| pin.key == key);
        if !is_known {
            self.close(conn, CloseReason::WrongKey, now);
        }
        is_known.then(News::default)
    }

    /// What a proved key means. `None`: it is not to be spoken with, and the connection is closed.
    fn recognise(
        &mut self,
        conn: ConnId,
        said: &[u8],
        address: SocketAddr,
        key: Key,
        now: Instant,
    ) -> Option<News> {
        // Several programs of one user have one key, so it recognises none of them.
        let is_own = self.trust.identity().is_some_and(|own| own.key() == key);
        let is_there =
            |at| self.session_with(at).is_some_and(|session| self.trust.key_on(session) == Some(key));
        let is_at_home = self.standing_on(conn, address) == Standing::AtHome;
        let mut news = News::default();
        match self.roster.recognise(address, key, is_there) {
            Recognised::Other(since) => {
                self.tell_other_key(conn, said, address, since, now);
                self.close(conn, CloseReason::WrongKey, now);
                return None;
            }
            Recognised::Known => {}
            _ if is_own => {}
            // Somebody in between could have the peer at an address that is theirs, unless the peer says so itself.
            // And whoever claims an address where they are not could take it from somebody else.
            Recognised::Moved(from) if is_at_home && claims(said, address) => {
                self.relocate(from, address);
                news.moved_from = Some(from);
            }
            Recognised::Moved(_) => {}
            Recognised::New => news.is_new = is_at_home && self.roster.set_pin(address, key, now),
        }
        let is_blocked = self.roster.is_blocked(address) || self.roster.is_key_blocked(key);
        if is_blocked {
            self.counters.blocked += 1;
            news.moved_from.into_iter().for_each(|from| self.redirect(from, address, now));
            self.close(conn, CloseReason::Eof, now);
        }
        (!is_blocked).then_some(news)
    }

    /// Somebody else's key was proved for an address. What was to be said there is told with the same reason.
    fn tell_other_key(
        &mut self,
        conn: ConnId,
        said: &[u8],
        address: SocketAddr,
        since: Option<Instant>,
        now: Instant,
    ) {
        let Some(from) = self.connections.get(conn).map(Connection::remote) else { return };
        if self.is_answer(conn) {
            return;
        }
        if self.roster.me().is_at_home(from, address) {
            let ago = since.map(|since| now.saturating_duration_since(since));
            let who = self.roster.who(address);
            self.show_of_stranger(from, Notice::OtherKey { who, ago }, now);
        } else {
            self.show_refused(from, &String::from_utf8_lossy(said), now);
        }
    }

    /// Whoever was at one address is at another one from here on.
    fn relocate(&mut self, from: SocketAddr, to: SocketAddr) {
        self.roster.relocate(from, to);
        self.held.relocate(from, to);
        self.prompter.follow(from, to);
        self.talks.follow(from, to);
        self.offer.follow(from, to);
        self.tell_heard(Notice::Moved { who: self.roster.who(to), from });
    }

    /// What is on its way to where a peer was goes to where it is: nobody else may get it.
    fn redirect(&mut self, from: SocketAddr, to: SocketAddr, now: Instant) {
        let carrier = self.outbox.under_way(from).map(|(conn, _)| conn);
        let waiting = self.outbox.take_all(from);
        if let Some(conn) = carrier {
            self.drop_dial(conn, now);
        }
        if let Some(report) = self.pending_connects.take(from) {
            self.settle(report);
        }
        for outgoing in waiting {
            self.deliver(to, outgoing.content, None, outgoing.report, now);
        }
    }

    /// A handshake ended with its connection: the connect that it would have proved is shown as what it is.
    pub(super) fn on_unproved(&mut self, conn: ConnId, from: SocketAddr, is_of_nobody: bool, now: Instant) {
        if let Some(said) = self.trust.give_up(conn).filter(|_| is_of_nobody) {
            self.show_refused(from, &String::from_utf8_lossy(&said), now);
        }
    }

    /// Gives up what was to be said to an address that does not encrypt.
    pub(super) fn give_up_secret(&mut self, to: SocketAddr, why: CloseReason) {
        for outgoing in self.outbox.take_all(to) {
            self.on_failed(to, outgoing, Failure::Connection(why));
        }
    }

    /// What is known of a peer.
    pub(super) fn whois(&self, whom: &Designation, now: Instant) -> Result<Whois, Mistake> {
        let whois = self.roster.whois(whom, now)?;
        let session = self.session_with(whois.who.address).and_then(|session| self.connections.get(session));
        let is_encrypted = session.is_some_and(|session| session.secrecy() == Secrecy::Sealed);
        Ok(Whois { is_encrypted, ..whois })
    }

    /// Shows what the user and a peer have to compare.
    pub(super) fn verify(&mut self, whom: &Designation) -> Result<(), Mistake> {
        let (who, pin) = self.roster.pinned(whom)?;
        let own = self.trust.identity().ok_or(Mistake::NoOwnKey)?.key();
        let number = verification(own, pin.key);
        let address = who.address;
        self.tell_asker(Notice::Verify { who, key: pin.key, number });
        self.prompter.ask_whether(Doubt::IsSame(address, pin.key));
        Ok(())
    }

    pub(super) fn set_verified(&mut self, whom: &Designation, compared: &Compared) -> Result<(), Mistake> {
        let (who, pin) = self.roster.pinned(whom)?;
        let own = self.trust.identity().ok_or(Mistake::NoOwnKey)?.key();
        let is_of_it = match compared {
            Compared::Key(key) => *key == pin.key,
            Compared::Number(number) => *number == verification(own, pin.key),
        };
        if !is_of_it {
            return Err(Mistake::NotCompared(who));
        }
        self.roster.set_verified(who.address);
        self.tell_asker(Notice::Verified(self.roster.who(who.address)));
        Ok(())
    }

    /// Shows what is known of a peer before its key is forgotten.
    pub(super) fn ask_whether_to_forget_key(
        &mut self,
        whom: &Designation,
        now: Instant,
    ) -> Result<(), Mistake> {
        let (who, _) = self.roster.pinned(whom)?;
        let whois = self.whois(&Designation::Address(who.address), now)?;
        self.tell_asker(Notice::Whois(Box::new(whois)));
        self.prompter.ask_whether(Doubt::Forget(who.address));
        Ok(())
    }

    pub(super) fn forget_key(&mut self, whom: &Designation) -> Result<(), Mistake> {
        let (who, _) = self.roster.pinned(whom)?;
        // It was said to whoever has that key, and so was what is held.
        self.give_up_secret(who.address, CloseReason::NotEncrypted);
        self.offer.forget(who.address);
        self.drop_held(who.address);
        self.roster.forget_pin(who.address);
        self.tell_asker(Notice::KeyForgotten(self.roster.who(who.address)));
        Ok(())
    }
}

/// Whether this address stands in what a peer said of itself, whatever its form, and not only the port of it.
fn claims(said: &[u8], address: SocketAddr) -> bool {
    let word = said.split(|&byte| byte == b' ').next().unwrap_or_default();
    let word = String::from_utf8_lossy(word);
    let claimed = word.trim_matches(['<', '>']).parse::<SocketAddr>().ok().map(canonical);
    claimed.is_some_and(|claimed| (claimed.ip(), claimed.port()) == (address.ip(), address.port()))
}
