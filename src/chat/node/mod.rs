//! The chat participant: a [`Machine`] that knows peers, sessions and one user.
//!
//! It owns the parts and knows none of their details. Each input is a short story in one of the files beside this one: what
//! is heard in `hear`, connects and their answers in `greet`, what is said in `say` and to everybody in `say_all`, what came
//! of it in `outcome`, what is held for later in `later`, what the user asks for in `ask`, why a peer cannot be reached in `diagnose`, and the end in
//! `farewell`. This file has the state and the clockwork.

mod ask;
mod diagnose;
mod farewell;
mod greet;
mod hear;
mod later;
mod logged;
mod nearby;
mod outcome;
mod prove;
mod recall;
mod say;
mod say_all;
mod stats;
#[cfg(test)]
mod tests;

use super::away::Away;
use super::book::{Book, Known};
use super::broadcast::Broadcaster;
pub use super::config::{Config, Dialogue};
use super::diagnosis::{Diagnosis, Event};
use super::directory::Directory;
use super::failures::Failures;
use super::feed::Feed;
use super::held::Held;
use super::id::CommandId;
use super::kept::Pings;
use super::knocks::Knocks;
use super::meaning::End;
pub use super::metrics::Counters;
use super::metrics::Metrics;
use super::neighbours::Neighbours;
use super::notice::Notice;
use super::offer::Offer;
use super::outbox::{Content, Outbox, Report};
use super::pending_connects::PendingConnects;
use super::prompter::Prompter;
use super::request::Request;
use super::role::{Kind, Role};
use super::roster::Roster;
use super::talks::Talks;
use super::tickets::Tickets;
use super::trust::Trust;
use crate::limits::TOLD_BYTES_PER_TURN;
use crate::proto::connection::{Connection, Due, Phase};
use crate::proto::connections::Connections;
use crate::proto::fault::Fault;
use crate::proto::machine::{CloseReason, ConnId, How, Input, Machine, Output};
use crate::proto::message::canonical;
use crate::proto::secure::Seed;
use crate::proto::send_queue::SendQueue;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

/// The exit code when the port of the command line cannot be had.
const EXIT_USAGE: u8 = 2;

/// The chat participant.
#[derive(Debug)]
pub struct Node {
    config: Config,
    stage: Stage,
    connections: Connections<Role>,
    /// Connections of the kind [`Kind::Leaving`], and whose they were.
    leaving: BTreeMap<ConnId, SocketAddr>,
    roster: Roster,
    outbox: Outbox,
    /// Connects that a peer has received, and may still answer by dialling us.
    pending_connects: PendingConnects,
    diagnosis: Diagnosis,
    /// Dials that peers asked for.
    knocks: Knocks,
    broadcaster: Broadcaster,
    tickets: Tickets,
    pings: Pings,
    held: Held,
    /// What the user is asked about texts.
    offer: Offer,
    /// Sessions that were lost in this turn with texts of the user, and those texts; and when they are told.
    losses: Failures,
    losses_at: Option<Instant>,
    prompter: Prompter,
    /// The id of the command that is being carried out.
    asking: Option<CommandId>,
    /// What is said before the exit, when the program quits.
    last_words: Option<String>,
    talks: Talks,
    away: Away,
    feed: Feed,
    neighbours: Neighbours,
    trust: Trust,
    /// Room for the text of frames, between two of which it is empty.
    opened: Vec<u8>,
    counters: Counters,
    metrics: Metrics,
    /// Set if memory is still full and no more lost texts may be shown now; the next input closes more.
    full_at: Option<Instant>,
    outputs: VecDeque<Output<Notice>>,
    /// Bytes of texts that were told since the last timeout, or since memory was last full. Thousands of connections may
    /// be due at once, each with 64 KiB to be told: past a limit the rest stays due, and the turn looks at everybody
    /// else first.
    told_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Name or port are not settled.
    Starting,
    /// The port is being bound.
    Binding,
    Running,
    /// Farewells are under way, until this moment at most.
    Quitting(Instant),
    Over,
}

impl Node {
    /// A node that asks for what `config` leaves open, then listens. Drain its outputs at once.
    pub fn new(mut config: Config) -> Self {
        // Whoever finds this later could compute the secrets of sessions that are over.
        let entropy = std::mem::replace(&mut config.entropy, Seed([0; 32]));
        let mut node = Self {
            stage: Stage::Starting,
            connections: Connections::new(config.limits.clone()),
            leaving: BTreeMap::new(),
            roster: Roster::new(&config),
            outbox: Outbox::default(),
            pending_connects: PendingConnects::default(),
            diagnosis: Diagnosis::default(),
            knocks: Knocks::default(),
            broadcaster: Broadcaster::default(),
            tickets: Tickets::new(config.dialogue == Dialogue::Menu),
            pings: Pings::new(config.seed),
            held: Held::new(config.held.clone(), config.seed),
            offer: Offer::new(config.offers_to_hold),
            losses: Failures::default(),
            losses_at: None,
            prompter: Prompter::new(&config),
            asking: None,
            last_words: None,
            talks: Talks::default(),
            away: Away::default(),
            feed: Feed::new(config.quiet, config.is_terminal),
            neighbours: Neighbours::new(config.seed),
            trust: Trust::new(config.identity.clone(), config.secure, entropy),
            opened: Vec::new(),
            counters: Counters::default(),
            metrics: Metrics::default(),
            full_at: None,
            outputs: VecDeque::new(),
            told_bytes: 0,
            config,
        };
        node.begin();
        node
    }

    /// The port that we listen on; 0 before that.
    pub fn port(&self) -> u16 {
        self.roster.me().port()
    }

    /// Whether we listen and are not about to end.
    pub fn is_running(&self) -> bool {
        self.stage == Stage::Running
    }

    /// The peer table.
    pub fn directory(&self) -> &Directory {
        self.roster.directory()
    }

    /// The address book.
    pub fn book(&self) -> &Book {
        self.roster.book()
    }

    /// Everybody in the book as of now, in the order of their addresses.
    pub fn known(&self) -> impl Iterator<Item = (SocketAddr, Known)> {
        self.roster.known()
    }

    /// Those of them who are to be remembered in later runs. Whoever was only heard may be a program that only sends: so that
    /// is known at the end, if it has not left by then.
    pub fn worth_keeping(&self) -> impl Iterator<Item = (SocketAddr, Known)> {
        self.roster.worth_keeping(self.is_quitting())
    }

    /// What has been counted since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How many connections have a socket.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Does what a user would ask for at the menu, whether or not there is one. What comes of it is told as
    /// notices; drain the outputs as after [`Machine::handle`].
    pub fn request(&mut self, request: Request, now: Instant) {
        if let Err(mistake) = self.on_request(request, now) {
            self.tell_mistake(mistake, now);
        }
        self.go_on(now);
    }

    /// Requests of which not every outcome is known.
    pub fn requests_under_way(&self) -> usize {
        self.tickets.len()
    }

    fn begin(&mut self) {
        match (&self.config.name, self.config.port) {
            (Some(_), Some(port)) if !self.config.is_port_lent => return self.listen(port),
            (Some(_), Some(_)) => self.stage = Stage::Running,
            _ => {}
        }
        self.ask();
    }

    fn listen(&mut self, port: u16) {
        self.stage = Stage::Binding;
        self.prompter.go_to_menu();
        self.outputs.push_back(Output::Listen(self.roster.me().binding(port)));
    }

    fn on_listening(&mut self, local: SocketAddr, now: Instant) {
        self.stage = Stage::Running;
        self.metrics.begin(now);
        self.roster.me_mut().listen_on(local.port());
        self.roster.me_mut().note_bound(local.ip());
        log::info!("listening on {local}");
        let (name, addresses) = (self.roster.me().shared_name(), self.roster.me().reachable());
        let for_person = self.config.is_terminal.then(|| Notice::Reachable(addresses.clone()));
        self.tell(Notice::Listening { port: local.port(), name, addresses });
        for_person.into_iter().for_each(|notice| self.tell(notice));
        if self.config.greet {
            for to in self.config.static_peers.clone() {
                self.deliver(to, Content::Chat("Hello!".to_owned()), None, Report::IfHandedOver, now);
            }
        }
        self.announce(now);
        self.ask();
    }

    fn on_listen_failed(&mut self, error: Fault, now: Instant) {
        let port = self.config.port.unwrap_or(self.port());
        self.tell(Notice::ListenFailed { port, error });
        let is_bad_bind = error.kind == std::io::ErrorKind::AddrNotAvailable || error.is_of_family();
        if self.config.port.is_some() || is_bad_bind {
            return self.over(EXIT_USAGE, now);
        }
        self.stage = Stage::Starting;
        self.prompter.ask_port();
        self.ask();
    }

    fn on_timeout(&mut self, now: Instant) {
        self.told_bytes = 0;
        self.close_slow(now);
        // Thousands may be due at once, each with a long text: what is left is due in the next turn.
        while self.may_tell_more()
            && let Some((conn, due)) = self.connections.next_due(now)
        {
            match due {
                Due::Flush => self.on_silence(conn, now),
                Due::End(CloseReason::NoProof) if self.trust.is_waiting(conn) => {
                    self.connections.prove_session(conn, now);
                }
                Due::End(CloseReason::NoProof) if self.is_offering(conn) => self.on_offer_ignored(conn, now),
                Due::End(reason) => self.close(conn, reason, now),
            }
        }
        // Whoever is still due may lose the same texts.
        if self.may_tell_more() || self.losses.bytes() >= TOLD_BYTES_PER_TURN {
            self.tell_losses();
        }
        while let Some((to, report)) = self.pending_connects.next_due(self.connections.judged_until(now)) {
            self.conclude_connect(to, report);
        }
        self.on_reach_due(now);
        if self.trust.next_deadline().is_some_and(|at| at <= now) {
            self.go_on_proving(now);
        }
        if self.feed.next_deadline().is_some_and(|at| at <= now) {
            self.tell_folded();
        }
        self.on_held_due(now);
        if self.neighbours.next_deadline().is_some_and(|at| at <= now) {
            self.neighbours.on_timeout(now);
            self.go_on_nearby(now);
        }
        if let Some(number) = self.prompter.next_due(now) {
            self.tell(Notice::StillTrying(self.tickets.left(number)));
            self.ask();
        }
        if matches!(self.stage, Stage::Quitting(until) if until <= now) {
            self.over(0, now);
        }
    }

    /// Ends a connection from our side.
    fn close(&mut self, conn: ConnId, reason: CloseReason, now: Instant) {
        // What came on it is dropped, and its sender must not believe that it was taken.
        let is_dropped = matches!(
            reason,
            CloseReason::BadFrame
                | CloseReason::BadProof
                | CloseReason::LineTooLong
                | CloseReason::MemoryFull
                | CloseReason::NoMessage
                | CloseReason::NoProof
                | CloseReason::NotEncrypted
                | CloseReason::WrongKey
        );
        self.end(conn, if is_dropped { How::Reset } else { How::Now }, reason, now);
    }

    /// Closes the connections that hold the most, while all of them hold more than they may.
    fn free_memory(&mut self, now: Instant) {
        self.full_at = None;
        if !self.connections.is_memory_full() {
            return;
        }
        // Nobody is closed for what they have read, or may have read.
        self.let_go_of_written(0);
        // What peers said in this turn must not keep memory full: only the user's lost texts count here.
        self.told_bytes = 0;
        let Self { connections, roster, .. } = self;
        let largest = connections
            .largest(|connection| connection.data.session().is_some_and(|peer| roster.is_acquaintance(peer)));
        for conn in largest {
            if !self.may_tell_more() {
                self.full_at = Some(now);
                return;
            }
            self.close(conn, CloseReason::MemoryFull, now);
        }
    }

    fn end(&mut self, conn: ConnId, how: How, reason: CloseReason, now: Instant) {
        self.outputs.push_back(Output::Close { conn, how });
        if let Some(connection) = self.connections.remove(conn) {
            self.on_ended(connection, conn, reason, now);
        }
    }

    /// Half-closes a connection: what is queued is written, and what the peer still says is heard.
    /// Texts that it does not take any more are reported as not sent to `to`.
    fn leave(&mut self, conn: ConnId, to: SocketAddr, now: Instant) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if !connection.data.leave() {
            return;
        }
        let is_undecided = connection.phase() == Phase::Proving;
        self.leaving.insert(conn, to);
        if is_undecided {
            // What is queued can be written only after that.
            return;
        }
        self.connections.set_phase(conn, Phase::Settling, now);
        self.outputs.push_back(Output::Close { conn, how: How::HalfClose });
    }

    /// The connection was closed by the other side, or broke.
    fn on_closed(&mut self, conn: ConnId, reason: CloseReason, now: Instant) {
        let rest = self.connections.get_mut(conn).and_then(Connection::flush);
        if let Some(rest) = rest {
            self.hear(conn, &rest, End::Gone, now);
        }
        if let Some(connection) = self.connections.remove(conn) {
            self.on_ended(connection, conn, reason, now);
        }
    }

    fn on_ended(&mut self, connection: Connection<Role>, conn: ConnId, reason: CloseReason, now: Instant) {
        logged::ended(self, conn, &connection, reason);
        self.metrics.note_end(reason);
        self.on_unproved(conn, connection.remote(), connection.data.kind() == Kind::Inbound, now);
        self.trust.forget(conn);
        match connection.data.kind() {
            Kind::Delivery => self.on_delivery_ended(&connection, reason, now),
            Kind::Inbound | Kind::PortLine(_) => {
                // It may have been a session for a while.
                let speaker = connection.data.speaker();
                let peer = speaker.and_then(|speaker| self.roster.directory().get(speaker.peer()));
                let to = peer.map_or(connection.remote(), |peer| peer.address);
                self.tell_fates(&connection, to, reason, now);
            }
            Kind::Leaving => {
                let to = self.leaving.remove(&conn).unwrap_or(connection.remote());
                self.tell_fates(&connection, to, reason, now);
            }
            Kind::Knock => self.on_knock_ended(conn, &connection, reason, now),
            Kind::Probe => {}
            Kind::Session(peer) => self.on_session_lost(&connection, peer, reason, now),
        }
        if let Some(subject) = self.diagnosis.subject() {
            let session = self.session_with(subject.to);
            self.step(Event::Ended { conn, reason, session }, now);
        }
    }

    /// What every input may have made possible.
    fn go_on(&mut self, now: Instant) {
        self.free_memory(now);
        self.send_held(now);
        if self.prompter.is_over() && self.tickets.is_empty() && !self.is_quitting() {
            self.quit(now);
        }
        while let Some((conn, to)) = self.connections.next_dial(now) {
            log::debug!("{conn:?} {to}: dialled");
            self.outputs.push_back(Output::Connect { conn, to, from: None });
        }
        self.ask_anew();
        self.ask_of_held(now);
        self.end_if_all_is_said(now);
    }

    fn may_tell_more(&self) -> bool {
        self.told_bytes < TOLD_BYTES_PER_TURN
    }

    fn tell(&mut self, notice: Notice) {
        self.tell_as(None, notice);
    }

    /// Tells what came of the command that is being carried out.
    fn tell_asker(&mut self, notice: Notice) {
        self.tell_as(self.asking.clone(), notice);
    }

    /// Tells it as an answer to the command with this id, if there is one.
    fn tell_as(&mut self, id: Option<CommandId>, notice: Notice) {
        self.note_told(&notice);
        self.outputs.push_back(Output::Notice(notice.answering(id)));
    }

    fn note_told(&mut self, notice: &Notice) {
        if let Notice::Message { text, .. }
        | Notice::NotSent { text, .. }
        | Notice::Raw { text, .. }
        | Notice::Unconfirmed { text, .. } = notice
        {
            self.told_bytes += text.len();
        }
    }
}

impl Machine for Node {
    type Notice = Notice;

    fn accept(&mut self, from: SocketAddr, local: SocketAddr, now: Instant) -> Option<ConnId> {
        debug_assert!(self.outputs.is_empty(), "law 2: drain the outputs first");
        let (from, local) = (canonical(from), canonical(local).ip());
        let role = Role::new(Kind::Inbound);
        let conn = if self.is_quitting() { None } else { self.connections.accept(from, local, role, now) };
        logged::accepted(from, conn);
        if self.diagnosis.awaits_from().is_some_and(|peer| self.roster.me().is_at_home(from, peer)) {
            self.step(Event::Came, now);
        }
        match conn {
            Some(_) => self.counters.accepted += 1,
            None => self.counters.refused += 1,
        }
        conn
    }

    fn caught_up(&mut self, at: Instant) {
        self.connections.caught_up(at);
    }

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        debug_assert!(self.outputs.is_empty(), "law 2: drain the outputs first");
        if !matches!(input, Input::Line(_)) {
            self.flush_broadcast();
        }
        match input {
            // Nothing is wanted of the networks any more.
            Input::Datagram(_) | Input::Joined(_) | Input::JoinFailed(_) if self.is_quitting() => {}
            Input::Closed { conn, reason } => self.on_closed(conn, reason, now),
            Input::Connected { conn, local } => self.on_connected(conn, canonical(local).ip(), now),
            Input::Datagram(datagram) => {
                self.neighbours.on_datagram(datagram, now);
                self.go_on_nearby(now);
            }
            Input::Interrupted => self.quit(now),
            Input::Joined(interfaces) => self.on_joined(interfaces, now),
            Input::JoinFailed(fault) => self.on_join_failed(fault, now),
            // Only a second signal cuts the farewells short.
            Input::StdinClosed if self.is_quitting() => {}
            Input::StdinClosed if self.must_settle() => self.quit_when_settled(now),
            Input::StdinClosed => self.quit(now),
            Input::Line(line) => self.on_line(line, now),
            Input::Listening { local } => self.on_listening(local, now),
            Input::ListenFailed(error) => self.on_listen_failed(error, now),
            Input::Received { conn, bytes } => self.on_received(conn, bytes, now),
            Input::Route { to, from } => self.on_route(canonical(to), from, now),
            Input::Refused { .. } => self.counters.refused += 1,
            Input::Timeout => {
                self.note_lag(now);
                self.on_timeout(now);
            }
        }
        self.go_on(now);
    }

    fn poll_output(&mut self) -> Option<Output<Notice>> {
        self.outputs.pop_front()
    }

    fn poll_transmit(&mut self) -> Option<ConnId> {
        self.flush_broadcast();
        self.send_pings();
        let next = self.connections.next_dirty();
        if next.is_none() {
            self.trust.end_turn();
            self.broadcaster.note_all_flushed();
        }
        next
    }

    fn send_queue(&mut self, conn: ConnId) -> Option<&mut SendQueue> {
        self.connections.send_queue(conn)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let quit = match self.stage {
            Stage::Quitting(until) => Some(until),
            _ => None,
        };
        [
            self.connections.next_deadline(),
            self.pending_connects.next_deadline(),
            self.diagnosis.next_deadline(),
            self.knocks.next_deadline(),
            self.trust.next_deadline(),
            self.broadcaster.next_deadline(),
            self.full_at,
            self.losses_at,
            self.feed.next_deadline(),
            self.held.next_deadline(),
            self.neighbours.next_deadline(),
            self.prompter.next_deadline(),
            quit,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn wants_line(&self) -> bool {
        let (is_starting, is_running) = (self.stage == Stage::Starting, self.stage == Stage::Running);
        self.prompter.takes_line(is_starting, is_running, self.tickets.len())
    }
}
