//! The chat participant: a [`Machine`] that knows peers, sessions and one user.
//!
//! This file holds its state and its clockwork; what is heard is in `hear`, connects and their answers in `greet`, what
//! is said in `say`, what the user asks for in `ask`, line after line to one peer in `converse`, of somebody in
//! `remember`, whom they are shown and mean in `list`; and the end in `farewell`.

mod ask;
mod broadcast;
mod config;
mod converse;
mod farewell;
mod greet;
mod hear;
mod list;
mod logged;
mod remember;
mod say;
mod stats;

use super::asked::Asked;
use super::book::Book;
use super::directory::{Directory, PeerId};
use super::menu::Menu;
use super::notice::{Notice, Who};
use super::outbox::{Content, Outbox, Report};
use super::rate::Rate;
use super::request::Request;
use crate::limits::{
    ACK_INTERVAL, ACKS_OF_IP_BURST, ACKS_OF_IP_INTERVAL, NEW_LOCAL_PEERS_BURST, NEW_LOCAL_PEERS_INTERVAL,
    NEW_PEERS_BURST, NEW_PEERS_INTERVAL, SHOWN_LINES_BURST, SHOWN_LINES_INTERVAL, TOLD_BYTES_PER_TURN,
};
use crate::proto::connection::{Connection, Due, Phase};
use crate::proto::connections::Connections;
use crate::proto::fault::Fault;
use crate::proto::machine::{CloseReason, ConnId, How, Input, Machine, Output};
use crate::proto::message::{canonical, one_word};
use crate::proto::send_queue::SendQueue;
use broadcast::Broadcast;
pub use config::{Config, Dialogue};
use hear::Speaker;
use say::Ticket;
pub use stats::Counters;
use stats::Record;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;

/// The exit code when the port of the command line cannot be had.
const EXIT_USAGE: u8 = 2;

/// The chat participant.
#[derive(Debug)]
pub struct Node {
    config: Config,
    stage: Stage,
    menu: Menu,
    name: Rc<str>,
    /// The port that we listen on.
    port: u16,
    connections: Connections<Role>,
    directory: Directory,
    book: Book,
    outbox: Outbox,
    /// Texts to everybody that are not queued yet.
    broadcast: Option<Broadcast>,
    /// Connections whose queue went over its limit, and when.
    slow: Vec<(ConnId, Instant)>,
    /// When those among them that did not take some of it since are to be closed.
    slow_at: Option<Instant>,
    outputs: VecDeque<Output<Notice>>,
    /// Texts in what was told since the last deadline, which bounds what comes of one.
    told_bytes: usize,
    /// What the numbers of the last list stand for.
    listed: Vec<SocketAddr>,
    /// Whom the user wrote to last.
    last_recipient: Option<SocketAddr>,
    /// The outcomes that the user is owed, by the number of the request.
    tickets: BTreeMap<u32, Ticket>,
    last_ticket: u32,
    /// Connects that were handed over and may yet be answered.
    asked: Asked,
    /// The request that the menu waits for, and until when.
    awaited: Option<(u32, Instant)>,
    /// Whoever drives us has nothing more to ask for: quit when the last outcome is known.
    is_last_awaited: bool,
    /// Acknowledgements that we dial a peer for.
    acks: Rate<SocketAddr>,
    /// The same, for each IP: many peers of one share our dials.
    acks_of_ip: Rate<IpAddr>,
    /// Entries of the table, for each source of them, and whether it claims to be somebody else.
    new_peers: Rate<(IpAddr, bool)>,
    /// The same where the source is this host.
    new_local_peers: Rate<(IpAddr, bool)>,
    shown_lines: Rate<SocketAddr>,
    /// Lines counted instead of shown, and when that will be told.
    folded: BTreeMap<SocketAddr, (Who, u64)>,
    fold_at: Option<Instant>,
    /// Connections of the kind [`Kind::Leaving`], and whose they were.
    leaving: BTreeMap<ConnId, SocketAddr>,
    counters: Counters,
    record: Record,
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

/// What a connection is for.
#[derive(Debug)]
struct Role {
    kind: Kind,
    /// We answered its connect, and neither side has said anything since.
    is_only_answered: bool,
    /// Whose lines come on it, to recognise the next one by its first bytes.
    speaker: Option<Box<Speaker>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Made by us to carry what is under way to its remote address.
    Delivery,
    /// Read, and answered if it asks.
    Inbound,
    /// Half-closed by us; read to its end.
    Leaving,
    /// Its first line was this port, where the peer listens; each further one waits for an answer.
    PortLine(u16),
    /// Bound to a peer both ways.
    Session(PeerId),
}

impl Role {
    fn new(kind: Kind) -> Self {
        Self { kind, is_only_answered: false, speaker: None }
    }
}

impl Node {
    /// A node that asks for what `config` leaves open, then listens. Drain its outputs at once.
    pub fn new(config: Config) -> Self {
        let limits = config.limits.clone();
        let mut node = Self {
            stage: Stage::Starting,
            menu: Menu::Name,
            name: one_word(config.name.as_deref().unwrap_or_default()).into(),
            port: 0,
            connections: Connections::new(limits.clone()),
            directory: Directory::new(limits.peers_max),
            book: Book::new(config.known.clone()),
            outbox: Outbox::default(),
            broadcast: None,
            slow: Vec::new(),
            slow_at: None,
            outputs: VecDeque::new(),
            told_bytes: 0,
            listed: Vec::new(),
            last_recipient: None,
            tickets: BTreeMap::new(),
            last_ticket: 0,
            asked: Asked::default(),
            awaited: None,
            is_last_awaited: false,
            acks: Rate::new(1, ACK_INTERVAL),
            acks_of_ip: Rate::new(ACKS_OF_IP_BURST, ACKS_OF_IP_INTERVAL),
            new_peers: Rate::new(NEW_PEERS_BURST, NEW_PEERS_INTERVAL),
            new_local_peers: Rate::new(NEW_LOCAL_PEERS_BURST, NEW_LOCAL_PEERS_INTERVAL),
            shown_lines: Rate::new(SHOWN_LINES_BURST, SHOWN_LINES_INTERVAL),
            folded: BTreeMap::new(),
            fold_at: None,
            leaving: BTreeMap::new(),
            counters: Counters::default(),
            record: Record::default(),
            config,
        };
        node.begin();
        node
    }

    /// The port that we listen on; 0 before that.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The peer table.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The address book.
    pub fn book(&self) -> &Book {
        &self.book
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
            (None, _) => self.menu = Menu::Name,
            (Some(_), None) => self.menu = Menu::Port,
            (Some(_), Some(port)) if self.config.is_port_lent => {
                self.port = port;
                self.menu = Menu::Choice;
                self.stage = Stage::Running;
            }
            (Some(_), Some(port)) => return self.listen(port),
        }
        self.ask();
    }

    fn listen(&mut self, port: u16) {
        self.stage = Stage::Binding;
        self.menu = Menu::Choice;
        self.outputs.push_back(Output::Listen(SocketAddr::new(self.config.bind, port)));
    }

    fn on_listening(&mut self, local: SocketAddr, now: Instant) {
        self.stage = Stage::Running;
        self.record.began_at = Some(now);
        self.port = local.port();
        log::info!("listening on {local}");
        self.tell(Notice::Listening { port: self.port });
        if self.config.greet {
            for to in self.config.static_peers.clone() {
                self.deliver(to, Content::Chat("Hello!".to_owned()), None, Report::IfDelivered, now);
            }
        }
        self.ask();
    }

    fn on_listen_failed(&mut self, error: Fault, now: Instant) {
        let port = self.config.port.unwrap_or(self.port);
        self.tell(Notice::ListenFailed { port, error });
        let is_bad_bind = error.kind == std::io::ErrorKind::AddrNotAvailable || error.is_of_family();
        if self.config.port.is_some() || is_bad_bind {
            return self.over(EXIT_USAGE, now);
        }
        self.stage = Stage::Starting;
        self.menu = Menu::Port;
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
                Due::End(reason) => self.close(conn, reason, now),
            }
        }
        while let Some((to, report)) = self.asked.next_due(self.connections.judged_until(now)) {
            self.conclude_connect(to, report);
        }
        if self.fold_at.is_some_and(|at| at <= now) {
            self.tell_folded();
        }
        if let Some((ticket, _)) = self.awaited.filter(|&(_, until)| until <= now) {
            self.awaited = None;
            let left = self.tickets.get(&ticket).map_or(0, |ticket| ticket.left);
            self.tell(Notice::StillTrying(left));
            self.ask();
        }
        if matches!(self.stage, Stage::Quitting(until) if until <= now) {
            self.over(0, now);
        }
    }

    /// Ends a connection from our side.
    fn close(&mut self, conn: ConnId, reason: CloseReason, now: Instant) {
        // What came on it is dropped: its sender must not take it for delivered.
        let is_dropped = matches!(reason, CloseReason::LineTooLong | CloseReason::NoMessage);
        self.end(conn, if is_dropped { How::Reset } else { How::Now }, reason, now);
    }

    fn end(&mut self, conn: ConnId, how: How, reason: CloseReason, now: Instant) {
        self.outputs.push_back(Output::Close { conn, how });
        if let Some(connection) = self.connections.remove(conn) {
            self.on_ended(connection, conn, reason, now);
        }
    }

    /// Half-closes a connection: what is queued is written, and what the peer still says is heard.
    /// What of our texts it does not take any more will be told as not sent to `to`.
    fn leave(&mut self, conn: ConnId, to: SocketAddr, now: Instant) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if std::mem::replace(&mut connection.data.kind, Kind::Leaving) == Kind::Leaving {
            return;
        }
        self.leaving.insert(conn, to);
        self.connections.set_phase(conn, Phase::Settling, now);
        self.outputs.push_back(Output::Close { conn, how: How::HalfClose });
    }

    /// The connection was closed by the other side, or broke.
    fn on_closed(&mut self, conn: ConnId, reason: CloseReason, now: Instant) {
        let rest = self.connections.get_mut(conn).and_then(Connection::flush);
        if let Some(rest) = rest {
            self.hear(conn, &rest, hear::End::Gone, now);
        }
        if let Some(connection) = self.connections.remove(conn) {
            self.on_ended(connection, conn, reason, now);
        }
    }

    fn on_ended(&mut self, connection: Connection<Role>, conn: ConnId, reason: CloseReason, now: Instant) {
        logged::ended(self, conn, &connection, reason);
        self.record.note_end(reason);
        match connection.data.kind {
            Kind::Delivery => self.on_delivery_ended(&connection, reason, now),
            Kind::Inbound | Kind::PortLine(_) => {
                // It may have been a session for a while.
                let speaker = connection.data.speaker.as_ref().and_then(|s| self.directory.get(s.peer));
                let to = speaker.map_or(connection.remote(), |peer| peer.address);
                self.tell_unsent(&connection, to, reason);
            }
            Kind::Leaving => {
                let to = self.leaving.remove(&conn).unwrap_or(connection.remote());
                self.tell_unsent(&connection, to, reason);
            }
            Kind::Session(peer) => self.on_session_lost(&connection, peer, reason, now),
        }
    }

    /// What every input may have made possible.
    fn go_on(&mut self, now: Instant) {
        if self.is_last_awaited && self.tickets.is_empty() && !self.is_quitting() {
            self.quit(now);
        }
        while let Some((conn, to)) = self.connections.next_dial(now) {
            log::debug!("{conn:?} {to}: dialled");
            self.outputs.push_back(Output::Connect { conn, to, from: None });
        }
        self.end_if_all_is_said(now);
    }

    fn may_tell_more(&self) -> bool {
        self.told_bytes < TOLD_BYTES_PER_TURN
    }

    fn tell(&mut self, notice: Notice) {
        if let Notice::Message { text, .. } | Notice::NotSent { text, .. } | Notice::Raw { text, .. } =
            &notice
        {
            self.told_bytes += text.len();
        }
        self.outputs.push_back(Output::Notice(notice));
    }

    /// Whether `address` is where we listen ourselves.
    fn is_own(&self, address: SocketAddr) -> bool {
        let ip = address.ip();
        let is_ours =
            if self.config.bind.is_unspecified() { self.is_of_this_host(ip) } else { ip == self.config.bind };
        address.port() == self.port && (is_ours || self.config.ip == Some(ip))
    }

    fn is_of_this_host(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || ip.is_unspecified() || self.config.own_ips.contains(&ip)
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
            Input::Closed { conn, reason } => self.on_closed(conn, reason, now),
            Input::Connected { conn, local } => self.on_connected(conn, canonical(local).ip(), now),
            Input::Interrupted => self.quit(now),
            // A quit under way goes on: only a second signal cuts its farewells short.
            Input::StdinClosed if self.is_quitting() => {}
            Input::StdinClosed if self.is_driven() || self.has_conversed() => self.quit_when_settled(now),
            Input::StdinClosed => self.quit(now),
            Input::Line(line) => self.on_line(line, now),
            Input::Listening { local } => self.on_listening(local, now),
            Input::ListenFailed(error) => self.on_listen_failed(error, now),
            Input::Received { conn, bytes } => self.on_received(conn, bytes, now),
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
        let next = self.connections.next_dirty();
        if next.is_none() {
            self.note_all_flushed();
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
        let awaited = self.awaited.map(|(_, until)| until);
        [
            self.connections.next_deadline(),
            self.asked.next_deadline(),
            self.slow_at,
            self.fold_at,
            awaited,
            quit,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn wants_line(&self) -> bool {
        self.takes_line()
    }
}
