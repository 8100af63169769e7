//! The peers of a run: their connections, what they sent, and how much of it the target is known to have read.
//!
//! Every message counts in one place: it was sent, and then it is taken or lost. Taken is what the target has
//! certainly read: it answered a `!ping` behind the message, or closed the connection in good order after we had
//! ended our side. A write that succeeded proves nothing. What the target sends counts as an answer only if we wait
//! for it. So a target that talks, but does not do what we wait for, is given up after the timeout, like a silent
//! one.
//!
//! Nobody tells the machine when a write is through. It notes for which connections the driver asked for the send
//! queue, and looks at the next timeout whether those queues are empty. So the contract needs no further input.

use super::notice::Notice;
use super::plan::{Carrier, Plan, Scenario};
use super::tally::{Measure, Tally};
use crate::limits::{Limits, SWARM_DIALS_PER_TURN};
use crate::proto::connection::{Connection, Holding};
use crate::proto::connections::Connections;
use crate::proto::envelope::{Body, Envelope};
use crate::proto::machine::{CloseReason, ConnId, How, Output};
use crate::proto::message::{Command, Dialect, Message, trim_end_bytes};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// One peer, which is one connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) number: usize,
    pub(super) stage: Stage,
    /// When its dial was due or, without a rate, began; later, when its connect was written, and when it was offered
    /// encryption.
    pub(super) since: Instant,
    /// What the target says of itself in the clear, until it has proved that.
    pub(super) target_claim: Option<Box<[u8]>>,
    /// It has been ready; until then it counts as under way.
    is_settled: bool,
    /// Its batch of messages, once it has sent one.
    batch: Option<Batch>,
    /// Messages in its last write.
    pub(super) in_write: u64,
    /// Messages that it sent after its last question.
    unasked: u64,
    /// Questions that are not answered yet, in their order.
    questions: VecDeque<Question>,
    next_question: u64,
    /// For the scenario: how many messages the peer has still to send, or to hear.
    pub(super) left: u64,
    /// For the scenario: the peer has done its part.
    pub(super) is_done: bool,
    /// It is in the list of those that were flushed.
    is_flushed: bool,
}

impl Holding for Peer {}

impl Peer {
    fn new(number: usize, since: Instant) -> Self {
        Self {
            number,
            stage: Stage::Dialling,
            since,
            target_claim: None,
            is_settled: false,
            batch: None,
            in_write: 0,
            unasked: 0,
            questions: VecDeque::new(),
            next_question: 0,
            left: 0,
            is_done: false,
            is_flushed: false,
        }
    }

    /// Whether it is neither about to leave nor waiting for an answer.
    pub(super) fn can_go_on(&self) -> bool {
        self.stage == Stage::Ready && self.questions.is_empty()
    }
}

/// Messages that go out in one write: payloads of a bounded size. All but the last are the same payload.
type Batch = Rc<[Rc<[u8]>]>;

/// The stage of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Dialling,
    /// It is connected, and with sessions has sent its connect.
    Greeting,
    /// It was offered encryption, and takes the offer or waits for the proof.
    Proving,
    Ready,
    /// It has sent all, and waits for the end of the connection.
    Leaving,
    /// The target has sent exit.
    Dismissed,
}

/// What a line of the target means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Exit,
    Message,
    /// A line that means nothing to us.
    Odd,
    /// The line in which the target must prove its key.
    Proof,
    /// The connection is a session from here on.
    Welcome,
}

/// A ping. Its pong proves that the target has read everything before it.
#[derive(Debug)]
pub(super) struct Question {
    number: u64,
    /// When it was asked, or was due.
    pub(super) since: Instant,
    /// Messages between the question before it and this one.
    pub(super) messages: u64,
}

/// All peers.
#[derive(Debug)]
pub(super) struct Crew {
    pub(super) plan: Plan,
    pub(super) tally: Tally,
    pub(super) connections: Connections<Peer>,
    pub(super) outputs: VecDeque<Output<Notice>>,
    /// The peers that became ready, in that order; some may be gone.
    pub(super) ready: Vec<ConnId>,
    /// The peers whose queue the driver asked for, and which may be empty now. Kept only if the scenario wants to
    /// know.
    flushed: VecDeque<ConnId>,
    pub(super) wants_flushed: bool,
    /// The answers with an offer of encryption that waits for its turn.
    pub(super) offers: VecDeque<(ConnId, Box<[u8]>)>,
    /// Connections that are neither ready nor gone.
    pub(super) unsettled: usize,
    /// Questions without an answer.
    pub(super) unanswered: usize,
    next_number: usize,
    /// A schedule was given up.
    pub(super) is_schedule_lost: bool,
    /// When the dials began.
    first_dial_at: Option<Instant>,
    /// When the scenario began.
    pub(super) started_at: Option<Instant>,
}

impl Crew {
    pub(super) fn new(plan: Plan) -> Self {
        let limits = Limits {
            connections_max: usize::MAX,
            dials_max: usize::MAX,
            connect_timeout: plan.timeout,
            send_queue_bytes_max: usize::MAX,
            memory_bytes_max: usize::MAX,
            ..Limits::default()
        };
        Self {
            plan,
            tally: Tally::default(),
            connections: Connections::new(limits),
            outputs: VecDeque::new(),
            ready: Vec::new(),
            flushed: VecDeque::new(),
            wants_flushed: false,
            offers: VecDeque::new(),
            unsettled: 0,
            unanswered: 0,
            next_number: 0,
            is_schedule_lost: false,
            first_dial_at: None,
            started_at: None,
        }
    }

    /// Whether every peer has been dialled.
    pub(super) fn is_all_dialled(&self) -> bool {
        self.undialled() == 0
    }

    /// Peers that have not been dialled.
    pub(super) fn undialled(&self) -> usize {
        self.plan.peers.saturating_sub(self.next_number)
    }

    /// Whether every peer was dialled, and is gone.
    pub(super) fn is_deserted(&self) -> bool {
        self.is_all_dialled() && self.connections.is_empty()
    }

    /// Begins to dial: peers may be dialled from `now` on.
    pub(super) fn begin_to_dial(&mut self, now: Instant) {
        self.first_dial_at = Some(now);
    }

    /// When the next peer may be dialled; `None`: not before another peer is settled, or never.
    pub(super) fn next_dial_at(&self) -> Option<Instant> {
        if self.is_all_dialled() || self.unsettled >= self.plan.in_flight {
            return None;
        }
        self.dial_due_at(self.next_number)
    }

    /// When a dial is due at the given rate, no matter how many others are under way.
    fn dial_due_at(&self, number: usize) -> Option<Instant> {
        let seconds = self.plan.dials_per_second.map_or(0.0, |rate| number as f64 / rate);
        later(self.first_dial_at?, seconds)
    }

    /// The moment from which the time of a dial counts that is made now. At a given rate that is when the dial was
    /// due, so a target that stalls cannot hide that by keeping us from dialling.
    fn dial_counts_from(&mut self, number: usize, now: Instant) -> Instant {
        let rate = self.plan.dials_per_second;
        let Some(due) = rate.and_then(|_| self.dial_due_at(number)) else { return now };
        if self.plan.scenario == Scenario::Churn {
            self.tally.record(Measure::Lateness, now - due);
        }
        due
    }

    /// Dials the peers that are due, but only a few in each turn. The moment of an answer is that of the turn that
    /// reads it, so a turn must be short.
    pub(super) fn dial_some(&mut self, now: Instant) {
        for _ in 0..SWARM_DIALS_PER_TURN {
            if self.next_dial_at().is_none_or(|at| at > now) {
                break;
            }
            let number = self.next_number;
            self.next_number += 1;
            self.unsettled += 1;
            self.tally.counts.dialled += 1;
            let since = self.dial_counts_from(number, now);
            self.connections.dial(self.plan.target, Peer::new(number, since), now);
        }
        while let Some((conn, to)) = self.connections.next_dial(now) {
            let from = self.connections.get(conn).and_then(|c| self.plan.source(c.data.number));
            self.outputs.push_back(Output::Connect { conn, to, from });
        }
    }

    /// A dial has succeeded: sends the first message.
    pub(super) fn on_connected(&mut self, conn: ConnId, local: IpAddr, now: Instant) {
        self.connections.connected(conn, local, now);
        self.connections.make_session(conn, now);
        let Some(peer) = self.peer_mut(conn) else { return };
        peer.stage = Stage::Greeting;
        let dialled_at = std::mem::replace(&mut peer.since, now);
        self.tally.counts.connected += 1;
        self.tally.record(Measure::Dial, now - dialled_at);
        match (self.plan.scenario, self.plan.carrier) {
            (Scenario::Churn, _) => self.exchange(conn, dialled_at),
            (_, Carrier::Session | Carrier::Encrypted) => self.say(conn, Body::Connect),
            (_, Carrier::Lines) => self.set_ready(conn, now),
        }
    }

    /// The connect of a peer was answered by this line: it has a session. An error says why it cannot go on.
    pub(super) fn on_welcome(&mut self, conn: ConnId, line: &[u8], now: Instant) -> Result<(), CloseReason> {
        let Some(peer) = self.peer_mut(conn) else { return Ok(()) };
        let since = peer.since;
        self.tally.counts.answered += 1;
        self.tally.record(Measure::Answer, now - since);
        if self.plan.carrier == Carrier::Encrypted {
            return self.note_offer(conn, line, now);
        }
        self.set_ready(conn, now);
        Ok(())
    }

    pub(super) fn set_ready(&mut self, conn: ConnId, now: Instant) {
        let Some(peer) = self.peer_mut(conn) else { return };
        peer.stage = Stage::Ready;
        peer.is_settled = true;
        self.ready.push(conn);
        self.unsettled -= 1;
        self.tally.setup = self.first_dial_at.map_or(Duration::ZERO, |first| now - first);
    }

    /// Sends a line that is not a message of the scenario.
    fn say(&mut self, conn: ConnId, body: Body<'_>) {
        let Some((claim, name)) = self.introduction(conn) else { return };
        let line = Envelope::of_session(claim, &name).message(body) + "\n";
        self.send(conn, line.into_bytes().into());
    }

    /// Sends one plain message, and ends our side of the connection.
    fn exchange(&mut self, conn: ConnId, dialled_at: Instant) {
        let Some((claim, name)) = self.introduction(conn) else { return };
        let message = self.message(claim, &name);
        if let Some(peer) = self.peer_mut(conn) {
            peer.since = dialled_at;
            peer.unasked = 1;
        }
        self.tally.counts.sent += 1;
        self.tally.counts.message_bytes_sent += message.len() as u64;
        self.send(conn, message.into_bytes().into());
        self.half_close(conn);
    }

    /// Sends one batch, or a part of one with so many messages; `false`: the peer has no connection to send it on.
    pub(super) fn send_batch(&mut self, conn: ConnId, messages: u64) -> bool {
        let Some(peer) = self.ready_mut(conn) else { return false };
        let made = peer.batch.clone().filter(|_| messages == self.plan.batch as u64);
        let Some(batch) = made.or_else(|| self.make_batch(conn, messages)) else { return false };
        if let Some(peer) = self.peer_mut(conn) {
            peer.in_write = messages;
            peer.unasked += messages;
            self.tally.counts.sent += messages;
        }
        for payload in batch.iter() {
            self.tally.counts.message_bytes_sent += payload.len() as u64;
            self.send(conn, Rc::clone(payload));
        }
        true
    }

    /// Asks a question, whose answer proves that all before it was read. Its time counts from `since`.
    pub(super) fn ask(&mut self, conn: ConnId, since: Instant) {
        let Some(peer) = self.ready_mut(conn) else { return };
        let number = peer.next_question;
        peer.next_question += 1;
        let messages = std::mem::take(&mut peer.unasked);
        peer.questions.push_back(Question { number, since, messages });
        self.unanswered += 1;
        self.send(conn, format!("!ping {number}\n").into_bytes().into());
    }

    /// The peers that are ready now, in the order of their dials.
    pub(super) fn living(&self) -> Vec<ConnId> {
        let is_ready = |&conn: &ConnId| {
            let peer = &self.connections.get(conn)?.data;
            (peer.stage == Stage::Ready).then_some((peer.number, conn))
        };
        let mut living: Vec<_> = self.ready.iter().filter_map(is_ready).collect();
        living.sort_unstable();
        living.into_iter().map(|(_, conn)| conn).collect()
    }

    /// The peers that were dialled, are not ready, and have sent nothing that may be lost.
    pub(super) fn beginners(&self) -> Vec<ConnId> {
        let is_beginner = |&conn: &ConnId| {
            let stage = self.connections.get(conn).map(|c| c.data.stage);
            matches!(stage, Some(Stage::Dialling | Stage::Greeting | Stage::Proving))
        };
        self.connections.ids().into_iter().filter(is_beginner).collect()
    }

    /// How many bytes were written so far, or were lost with their connection. It looks at every connection.
    pub(super) fn bytes_written(&self) -> u64 {
        let ids = self.connections.ids();
        let waiting = ids.iter().filter_map(|&conn| self.connections.get(conn)).map(unwritten);
        self.tally.counts.bytes_sent - waiting.sum::<u64>()
    }

    /// Counts messages that are done on the timeline.
    pub(super) fn count_done(&mut self, messages: u64, now: Instant) {
        if let Some(started_at) = self.started_at {
            self.tally.timeline.count(now - started_at, messages);
        }
    }

    /// Whether the target answers questions at all.
    pub(super) fn can_ask(&self) -> bool {
        self.plan.carrier.has_sessions() || self.plan.is_echoed
    }

    /// The meaning of a line that does not answer a question. Only the answer to a greeting is parsed: later lines
    /// are nearly always messages, and there are many of them.
    pub(super) fn meaning(&self, conn: ConnId, line: &[u8]) -> Heard {
        let Some(connection) = self.connections.get(conn) else { return Heard::Odd };
        if connection.data.stage == Stage::Proving {
            return Heard::Proof;
        }
        if connection.data.stage == Stage::Greeting {
            let text = String::from_utf8_lossy(line);
            let command = Message::parse(&text, connection.remote()).map(|message| message.command);
            return match command {
                Some(Command::Ack { session: true }) => Heard::Welcome,
                Some(Command::Exit) => Heard::Exit,
                _ => Heard::Odd,
            };
        }
        // A message is an address, a name and a text; a control line begins with `!`.
        let text = memchr::memchr_iter(b' ', line).nth(1).map(|space| &line[space + 1..]);
        match text.filter(|_| !line.starts_with(b"!")) {
            Some(text) => match Command::of(trim_end_bytes(text), Dialect::Standard) {
                Command::Chat => Heard::Message,
                Command::Exit => Heard::Exit,
                Command::Ack { .. } | Command::Connect => Heard::Odd,
            },
            None => Heard::Odd,
        }
    }

    /// The question that `line` answers.
    pub(super) fn answered(&mut self, conn: ConnId, line: &[u8]) -> Option<Question> {
        let word: &[u8] = if self.plan.is_echoed { b"!ping " } else { b"!pong " };
        let number: u64 = str::from_utf8(line.strip_prefix(word)?).ok()?.trim_end().parse().ok()?;
        let questions = &mut self.peer_mut(conn)?.questions;
        questions.front().filter(|question| question.number == number)?;
        let question = questions.pop_front()?;
        self.unanswered -= 1;
        self.tally.counts.taken += question.messages;
        Some(question)
    }

    /// The peer has sent all. It sends its exit and ends its side; the end of the connection will prove that the
    /// target has read all.
    pub(super) fn leave(&mut self, conn: ConnId) {
        if self.ready_mut(conn).is_none() {
            return;
        }
        if self.plan.carrier.has_sessions() {
            self.say(conn, Body::Exit);
        }
        self.half_close(conn);
    }

    /// The connection is gone; returns its peer. `reason` is `None` if we gave the connection up.
    pub(super) fn on_gone(
        &mut self,
        conn: ConnId,
        reason: Option<CloseReason>,
        now: Instant,
    ) -> Option<Peer> {
        let connection = self.connections.remove(conn)?;
        let is_all_written = unwritten(&connection) == 0;
        let peer = connection.data;
        self.unsettled -= usize::from(!peer.is_settled);
        self.unanswered -= peer.questions.len();
        let asked: u64 = peer.questions.iter().map(|question| question.messages).sum();
        let messages = peer.unasked + asked;
        if peer.stage == Stage::Leaving && reason == Some(CloseReason::Eof) && is_all_written {
            self.tally.counts.taken += messages;
            if self.plan.scenario == Scenario::Churn {
                self.tally.record(Measure::Exchange, now - peer.since);
            }
        } else {
            self.tally.counts.lost += messages;
            if let Some(reason) = reason {
                self.tally.counts.fail(reason);
            }
        }
        Some(peer)
    }

    /// The driver is about to write what is queued.
    pub(super) fn note_flush(&mut self, conn: ConnId) {
        if self.wants_flushed
            && let Some(connection) = self.connections.get_mut(conn)
            && unwritten(connection) > 0
            && !std::mem::replace(&mut connection.data.is_flushed, true)
        {
            self.flushed.push_back(conn);
        }
    }

    /// Whether somebody's queue may have been written since the last [`Crew::take_flushed`].
    pub(super) fn has_flushed(&self) -> bool {
        !self.flushed.is_empty()
    }

    /// The peers whose queue has been written completely. Of many only some, since each may want to write its next
    /// batch.
    pub(super) fn take_flushed(&mut self) -> Vec<ConnId> {
        let mut taken = Vec::new();
        while taken.len() < self.plan.batches_per_turn()
            && let Some(conn) = self.flushed.pop_front()
        {
            let Some(connection) = self.connections.get_mut(conn) else { continue };
            connection.data.is_flushed = false;
            if unwritten(connection) == 0 {
                taken.push(conn);
            }
        }
        taken
    }

    fn send(&mut self, conn: ConnId, payload: Rc<[u8]>) {
        self.tally.counts.bytes_sent += payload.len() as u64;
        self.connections.send(conn, payload).expect("a queue without a limit");
    }

    fn half_close(&mut self, conn: ConnId) {
        if let Some(peer) = self.peer_mut(conn) {
            peer.stage = Stage::Leaving;
            self.outputs.push_back(Output::Close { conn, how: How::HalfClose });
        }
    }

    /// The address that a peer claims, and its name.
    pub(super) fn introduction(&self, conn: ConnId) -> Option<(SocketAddr, String)> {
        let connection = self.connections.get(conn)?;
        let number = connection.data.number;
        Some((self.plan.claim(number, connection.local()), self.plan.name(number)))
    }

    fn make_batch(&mut self, conn: ConnId, messages: u64) -> Option<Batch> {
        let (claim, name) = self.introduction(conn)?;
        let line = self.message(claim, &name) + "\n";
        let payload = |messages: u64| Rc::from(line.repeat(messages as usize).into_bytes());
        let each = messages.clamp(1, self.plan.messages_per_payload() as u64);
        let mut payloads = vec![payload(each); (messages / each) as usize];
        payloads.extend(Some(messages % each).filter(|&rest| rest > 0).map(payload));
        let batch = Batch::from(payloads);
        // A part of a batch is sent only once, so it is not kept.
        if messages == self.plan.batch as u64 {
            self.peer_mut(conn)?.batch = Some(Rc::clone(&batch));
        }
        Some(batch)
    }

    /// One message without its newline, filled up to the length of the plan.
    fn message(&self, claim: SocketAddr, name: &str) -> String {
        let bytes = self.plan.message_bytes.saturating_sub(1);
        let mut message = Envelope::of_session(claim, name).message(Body::Chat("m"));
        message.extend(('a'..='z').cycle().take(bytes.saturating_sub(message.len())));
        message
    }

    pub(super) fn peer_mut(&mut self, conn: ConnId) -> Option<&mut Peer> {
        self.connections.get_mut(conn).map(|connection| &mut connection.data)
    }

    /// The peer, if it may send.
    fn ready_mut(&mut self, conn: ConnId) -> Option<&mut Peer> {
        self.peer_mut(conn).filter(|peer| peer.stage == Stage::Ready)
    }

    pub(super) fn tell(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }
}

/// How many bytes that it was given to send are not written. What is sealed counts until its whole frame is written.
fn unwritten(connection: &Connection<Peer>) -> u64 {
    connection.pushed() - connection.written()
}

/// The moment so many seconds after `start`; `None`: never.
pub(super) fn later(start: Instant, seconds: f64) -> Option<Instant> {
    start.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}
