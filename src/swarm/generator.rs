//! The generator: connects a crew, lets a scenario play, says goodbye; and pauses in between.

use super::crew::{Crew, Stage as PeerStage};
use super::notice::{Notice, Pause};
use super::plan::{Plan, Scenario as Kind};
use super::scenario::{self, Scenario, State};
use super::tally::Tally;
use crate::limits::SWARM_PROGRESS_INTERVAL;
use crate::proto::connection::Due;
use crate::proto::machine::{CloseReason, ConnId, How, Input, Machine, Output};
use crate::proto::message::{Command, Message, canonical};
use crate::proto::send_queue::SendQueue;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Instant;

/// The line that ends a pause.
pub const GO: &str = "go";

/// The generator.
#[derive(Debug)]
pub struct Swarm {
    crew: Crew,
    scenario: Box<dyn Scenario>,
    stage: Stage,
    /// When the next progress is told.
    progress_at: Instant,
    /// When anything last went on; the target is stuck if it owes us something for too long.
    active_at: Instant,
    ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Paused(Pause),
    Running,
    Leaving,
    Over,
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// As planned.
    #[default]
    Complete,
    /// Somebody wanted it to end.
    Interrupted,
    /// The target did nothing for too long.
    Stuck,
}

impl Swarm {
    /// A generator that begins to dial at once. Its driver answers each [`Notice::Paused`] with the line
    /// [`GO`].
    pub fn new(plan: Plan, now: Instant) -> Self {
        let is_churn = plan.scenario == Kind::Churn;
        let mut swarm = Self {
            scenario: scenario::new(&plan),
            crew: Crew::new(plan, now),
            stage: Stage::Connecting,
            progress_at: now + SWARM_PROGRESS_INTERVAL,
            active_at: now,
            ending: Ending::Complete,
        };
        if is_churn {
            swarm.pause(Pause::BeforeStart);
        }
        swarm.go_on(now);
        swarm
    }

    /// What was counted and timed so far.
    pub fn tally(&self) -> &Tally {
        &self.crew.tally
    }

    /// How the run ended.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    fn pause(&mut self, pause: Pause) {
        self.stage = Stage::Paused(pause);
        self.crew.tell(Notice::Paused(pause));
    }

    fn go(&mut self, now: Instant) {
        match self.stage {
            Stage::Paused(Pause::BeforeStart | Pause::BeforeRound) => {
                self.crew.started_at.get_or_insert(now);
                self.stage = Stage::Running;
                self.scenario.begin(&mut self.crew, now);
            }
            Stage::Paused(Pause::BeforeEnd) => {
                self.leave();
            }
            Stage::Connecting | Stage::Running | Stage::Leaving | Stage::Over => {}
        }
    }

    fn on_received(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        self.crew.tally.counts.bytes_heard += bytes.len() as u64;
        let mut rest = bytes;
        while let Some(connection) = self.crew.connections.get_mut(conn) {
            match connection.next_message(&mut rest) {
                Ok(Some(line)) => self.hear(conn, &line, now),
                Ok(None) => return,
                Err(reason) => return self.close(conn, reason, now),
            }
        }
    }

    fn hear(&mut self, conn: ConnId, line: &[u8], now: Instant) {
        if let Some(question) = self.crew.answered(conn, line) {
            return self.scenario.on_answer(&mut self.crew, conn, &question, now);
        }
        let Some(connection) = self.crew.connections.get(conn) else { return };
        let (stage, remote) = (connection.data.stage, connection.remote());
        let text = String::from_utf8_lossy(line);
        match (stage, Message::parse(&text, remote).map(|message| message.command)) {
            (PeerStage::Greeting, Some(Command::Ack { session: true })) => {
                self.crew.on_answered(conn, now);
                self.crew.set_ready(conn, now);
            }
            (_, Some(Command::Chat)) => {
                self.crew.tally.counts.heard += 1;
                self.scenario.on_message(&mut self.crew, conn, now);
            }
            // An exit; its end of the connection follows.
            (_, Some(Command::Exit)) => {}
            _ => self.crew.tally.counts.odd += 1,
        }
    }

    fn close(&mut self, conn: ConnId, reason: CloseReason, now: Instant) {
        self.crew.outputs.push_back(Output::Close { conn, how: How::Now });
        self.on_gone(conn, Some(reason), now);
    }

    fn on_closed(&mut self, conn: ConnId, reason: CloseReason, now: Instant) {
        self.on_unfinished(conn, now);
        self.on_gone(conn, Some(reason), now);
    }

    fn on_gone(&mut self, conn: ConnId, reason: Option<CloseReason>, now: Instant) {
        let Some(peer) = self.crew.on_gone(conn, reason, now) else { return };
        let takes_part = self.stage == Stage::Running || matches!(self.stage, Stage::Paused(_));
        if takes_part {
            self.scenario.on_gone(&mut self.crew, &peer, now);
        }
    }

    fn on_timeout(&mut self, now: Instant) {
        while let Some((conn, due)) = self.crew.connections.next_due(now) {
            match due {
                Due::End(reason) => self.close(conn, reason, now),
                Due::Flush => self.on_unfinished(conn, now),
            }
        }
        for conn in self.crew.take_flushed() {
            self.active_at = now;
            self.scenario.on_written(&mut self.crew, conn, now);
        }
        if self.stage == Stage::Running && self.scenario.due_at().is_some_and(|at| at <= now) {
            self.scenario.on_due(&mut self.crew, now);
        }
        if self.progress_at <= now {
            self.tell_progress(now);
        }
        if self.stuck_at().is_some_and(|at| at <= now) {
            self.on_stuck(now);
        }
    }

    /// An answer without a newline, and nothing more comes: no chinwag.
    fn on_unfinished(&mut self, conn: ConnId, now: Instant) {
        if let Some(message) = self.crew.connections.get_mut(conn).and_then(|c| c.flush()) {
            self.hear(conn, &message, now);
        }
    }

    /// When the target has been in our debt for too long.
    fn stuck_at(&self) -> Option<Instant> {
        let is_owed = match self.stage {
            Stage::Connecting => self.crew.unsettled > 0,
            Stage::Running => self.scenario.is_owed(&self.crew),
            Stage::Leaving => true,
            Stage::Paused(_) | Stage::Over => false,
        };
        is_owed.then(|| self.active_at + self.crew.plan.timeout)
    }

    /// Those that are not answered while others were have failed; else the target has.
    fn on_stuck(&mut self, now: Instant) {
        if self.stage == Stage::Connecting && !self.crew.ready.is_empty() {
            for conn in self.crew.unsettled() {
                self.close(conn, CloseReason::TimedOut, now);
            }
        } else {
            self.ending = Ending::Stuck;
            self.end(Some(CloseReason::TimedOut), now);
        }
    }

    fn tell_progress(&mut self, now: Instant) {
        self.progress_at = now + SWARM_PROGRESS_INTERVAL;
        let (done, total) = match self.stage {
            Stage::Connecting => (self.crew.ready.len() as u64, self.crew.plan.peers as u64),
            _ => self.scenario.progress(&self.crew, now),
        };
        let connected = self.crew.connections.len() as u64;
        self.crew.tell(Notice::Progress { connected, done, total });
    }

    /// What follows from what has just happened.
    fn go_on(&mut self, now: Instant) {
        if self.dials() {
            self.crew.dial_some(now);
        }
        match self.stage {
            Stage::Connecting if self.crew.is_all_dialled() && self.crew.unsettled == 0 => {
                self.pause(if self.crew.ready.is_empty() { Pause::BeforeEnd } else { Pause::BeforeStart });
            }
            Stage::Running => {
                if let State::Rests(pause) = self.scenario.state(&self.crew, now) {
                    self.note_duration(now);
                    self.pause(pause);
                }
            }
            Stage::Leaving if self.crew.connections.is_empty() => self.over(),
            _ => {}
        }
    }

    /// Whether peers are to be dialled now.
    fn dials(&self) -> bool {
        match self.stage {
            Stage::Connecting => true,
            Stage::Running => self.crew.plan.scenario == Kind::Churn,
            Stage::Paused(_) | Stage::Leaving | Stage::Over => false,
        }
    }

    fn note_duration(&mut self, now: Instant) {
        if let Some(started_at) = self.crew.started_at.filter(|_| self.stage == Stage::Running) {
            self.crew.tally.duration = now - started_at;
        }
    }

    /// Somebody wants it to end: what was sent is still asked after. A second time it ends at once.
    fn interrupt(&mut self, now: Instant) {
        let is_second = self.ending == Ending::Interrupted || self.stage == Stage::Leaving;
        self.ending = Ending::Interrupted;
        if is_second {
            return self.end(None, now);
        }
        self.note_duration(now);
        self.stage = Stage::Leaving;
        for conn in self.crew.unsettled() {
            self.crew.outputs.push_back(Output::Close { conn, how: How::Now });
            self.on_gone(conn, None, now);
        }
        self.leave();
    }

    fn leave(&mut self) {
        self.stage = Stage::Leaving;
        self.crew.wants_flushed = false;
        for conn in self.crew.living() {
            self.crew.leave(conn);
        }
    }

    /// Gives up what is left, for this reason, if it is one of the target's.
    fn end(&mut self, reason: Option<CloseReason>, now: Instant) {
        self.note_duration(now);
        self.stage = Stage::Leaving;
        for conn in self.crew.connections.ids() {
            self.crew.outputs.push_back(Output::Close { conn, how: How::Now });
            self.on_gone(conn, reason, now);
        }
    }

    fn over(&mut self) {
        self.stage = Stage::Over;
        self.crew.outputs.push_back(Output::Quit(0));
    }
}

impl Machine for Swarm {
    type Notice = Notice;

    /// Nobody can reach it: it does not listen.
    fn accept(&mut self, _from: SocketAddr, _local: SocketAddr, _now: Instant) -> Option<ConnId> {
        None
    }

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        if !matches!(input, Input::Timeout) {
            self.active_at = now;
        }
        match input {
            Input::Closed { conn, reason } => self.on_closed(conn, reason, now),
            Input::Connected { conn, local } => {
                if self.crew.on_connected(conn, canonical(local).ip(), now) {
                    self.crew.set_ready(conn, now);
                }
            }
            Input::Interrupted | Input::StdinClosed => self.interrupt(now),
            Input::Line(GO) => self.go(now),
            Input::Received { conn, bytes } => self.on_received(conn, bytes, now),
            Input::Timeout => self.on_timeout(now),
            Input::Line(_) | Input::Listening { .. } | Input::ListenFailed(_) => {}
        }
        self.go_on(now);
    }

    fn poll_output(&mut self) -> Option<Output<Notice>> {
        self.crew.outputs.pop_front()
    }

    fn poll_transmit(&mut self) -> Option<ConnId> {
        self.crew.connections.next_dirty()
    }

    fn send_queue(&mut self, conn: ConnId) -> Option<&mut SendQueue> {
        self.crew.note_flush(conn);
        self.crew.connections.send_queue(conn)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        // Who was just written to can go on at once.
        let flushed = self.crew.has_flushed().then_some(self.active_at);
        let dial = self.crew.next_dial_at().filter(|_| self.dials());
        let scenario = self.scenario.due_at().filter(|_| self.stage == Stage::Running);
        let of_connections = self.crew.connections.next_deadline();
        let all = [of_connections, flushed, dial, scenario, self.stuck_at(), Some(self.progress_at)];
        all.into_iter().flatten().min().filter(|_| self.stage != Stage::Over)
    }

    fn wants_line(&self) -> bool {
        matches!(self.stage, Stage::Paused(_))
    }
}
