//! The generator: connects the peers, runs a scenario, says goodbye, and pauses in between.
//!
//! The generator is a second machine: it uses the same `Connections`, framing and send queues as the chat, the same
//! loop drives it, and the same simulator tests it. It pauses before the scenario, between the rounds of a burst
//! and before the farewells, and goes on with the line [`GO`]. Meanwhile its driver looks at the target, so it
//! reads the target's CPU clock when nothing moves.

use super::crew::{Crew, Heard, Stage as PeerStage};
use super::notice::{Notice, Pause};
use super::plan::{Plan, Scenario as Kind};
use super::scenario::{self, Scenario, State};
use super::tally::Tally;
use crate::limits::{SWARM_FAREWELL, SWARM_PROGRESS_INTERVAL};
use crate::proto::connection::{Due, Secrecy};
use crate::proto::machine::{CloseReason, ConnId, How, Input, Machine, Output};
use crate::proto::message::canonical;
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
    /// Room for the text of frames; empty in between.
    opened: Vec<u8>,
    /// When the progress is reported next.
    progress_at: Instant,
    /// When something last happened, or when we last looked and nothing had happened.
    active_at: Instant,
    /// How many bytes had been written when we had waited for the target in vain for half of the timeout.
    written_then: Option<u64>,
    /// Until when an interrupted run waits for the ends of its connections.
    farewell_until: Option<Instant>,
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

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// As planned.
    #[default]
    Complete,
    /// The user ended it.
    Interrupted,
    /// Messages were so much later than planned that the rest was not sent.
    Late,
    /// The target did nothing for too long.
    Stuck,
}

impl Swarm {
    /// A generator that begins to dial at once. Its driver must answer each [`Notice::Paused`] with the line
    /// [`GO`].
    pub fn new(plan: Plan, now: Instant) -> Self {
        // If either of them were zero, a run would never end.
        let plan = Plan { batch: plan.batch.max(1), in_flight: plan.in_flight.max(1), ..plan };
        let mut swarm = Self {
            scenario: scenario::new(&plan),
            stage: Stage::Connecting,
            opened: Vec::new(),
            progress_at: now + SWARM_PROGRESS_INTERVAL,
            active_at: now,
            written_then: None,
            farewell_until: None,
            ending: Ending::Complete,
            crew: Crew::new(plan),
        };
        if swarm.crew.plan.scenario == Kind::Churn {
            // A churn dials while it runs.
            swarm.pause(Pause::BeforeStart);
        } else {
            swarm.crew.begin_to_dial(now);
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
            Stage::Paused(Pause::BeforeEnd) => self.leave(),
            Stage::Connecting | Stage::Running | Stage::Leaving | Stage::Over => {}
        }
    }

    fn on_received(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        self.crew.tally.counts.bytes_heard += bytes.len() as u64;
        let mut rest = bytes;
        // What comes behind the proof of the target is frames, even if it comes together with it.
        if !self.is_sealed(conn) {
            self.on_text(conn, &mut rest, now);
        }
        if self.is_sealed(conn) && !rest.is_empty() {
            self.on_frames(conn, rest, now);
        }
    }

    fn is_sealed(&self, conn: ConnId) -> bool {
        self.crew.connections.get(conn).is_some_and(|connection| connection.secrecy() == Secrecy::Sealed)
    }

    /// Hears the lines of a text, up to the line that makes a plain connection encrypted.
    fn on_text(&mut self, conn: ConnId, rest: &mut &[u8], now: Instant) {
        let was_sealed = self.is_sealed(conn);
        while let Some(connection) = self.crew.connections.get_mut(conn) {
            match connection.next_message(rest) {
                Ok(Some(line)) => self.hear(conn, &line, now),
                Ok(None) => return self.crew.connections.heard(conn, now),
                Err(reason) => return self.close(conn, reason, now),
            }
            if !was_sealed && self.is_sealed(conn) {
                return;
            }
        }
    }

    /// What was in order before a broken frame counts.
    fn on_frames(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        let mut text = std::mem::take(&mut self.opened);
        let Some(connection) = self.crew.connections.get_mut(conn) else { return };
        let outcome = connection.open_frames(bytes, &mut text);
        self.on_text(conn, &mut &text[..], now);
        if let Err(reason) = outcome {
            self.close(conn, reason, now);
        }
        text.clear();
        self.opened = text;
    }

    fn hear(&mut self, conn: ConnId, line: &[u8], now: Instant) {
        if let Some(question) = self.crew.answered(conn, line) {
            self.stir(now);
            if self.stage == Stage::Running {
                self.scenario.on_answer(&mut self.crew, conn, &question, now);
            }
            return;
        }
        match self.crew.meaning(conn, line) {
            // The target will not read what is under way to it, so the end of this connection proves nothing.
            Heard::Exit => {
                if let Some(peer) = self.crew.peer_mut(conn) {
                    peer.stage = PeerStage::Dismissed;
                }
                self.close(conn, CloseReason::Eof, now);
            }
            // Only a message that the scenario waits for counts as activity: a target can talk for ever without
            // doing what it was asked for.
            Heard::Message => {
                self.crew.tally.counts.heard += 1;
                let with_newline = line.len() as u64 + 1;
                if self.stage == Stage::Running
                    && self.scenario.on_message(&mut self.crew, conn, with_newline, now)
                {
                    self.stir(now);
                }
            }
            Heard::Odd => self.crew.tally.note_odd(line),
            Heard::Proof => {
                self.stir(now);
                let outcome = self.crew.on_proof(conn, line, now);
                self.close_unless(outcome, conn, now);
            }
            Heard::Welcome => {
                self.stir(now);
                let outcome = self.crew.on_welcome(conn, line, now);
                self.close_unless(outcome, conn, now);
            }
        }
    }

    fn close_unless(&mut self, outcome: Result<(), CloseReason>, conn: ConnId, now: Instant) {
        if let Err(reason) = outcome {
            self.close(conn, reason, now);
        }
    }

    fn close(&mut self, conn: ConnId, reason: CloseReason, now: Instant) {
        self.give_up(conn, Some(reason), now);
    }

    /// Ends a connection; `reason` is `None` if it did not fail.
    fn give_up(&mut self, conn: ConnId, reason: Option<CloseReason>, now: Instant) {
        self.crew.outputs.push_back(Output::Close { conn, how: How::Now });
        self.on_gone(conn, reason, now);
    }

    fn on_closed(&mut self, conn: ConnId, reason: CloseReason, now: Instant) {
        self.on_unfinished(conn);
        self.on_gone(conn, Some(reason), now);
    }

    fn on_gone(&mut self, conn: ConnId, reason: Option<CloseReason>, now: Instant) {
        let Some(peer) = self.crew.on_gone(conn, reason, now) else { return };
        self.stir(now);
        if self.stage == Stage::Running {
            self.scenario.on_gone(&mut self.crew, &peer, now);
        }
    }

    /// Handles a timeout. There is at most one in a turn, so work that is too much for one turn is done in parts,
    /// one at each timeout.
    fn on_timeout(&mut self, now: Instant) {
        while let Some((conn, due)) = self.crew.connections.next_due(now) {
            match due {
                Due::End(reason) => self.close(conn, reason, now),
                Due::Flush => {
                    self.on_unfinished(conn);
                    // What comes later is still split into lines.
                    self.crew.connections.make_session(conn, now);
                }
            }
        }
        for (conn, reason) in self.crew.take_offers() {
            self.close(conn, reason, now);
        }
        for conn in self.crew.take_flushed() {
            self.stir(now);
            if self.stage == Stage::Running {
                self.scenario.on_written(&mut self.crew, conn, now);
            }
        }
        if self.stage == Stage::Running && self.scenario.due_at().is_some_and(|at| at <= now) {
            self.scenario.on_due(&mut self.crew, now);
            if self.crew.is_schedule_lost {
                self.ending = Ending::Late;
            }
        }
        if self.progress_at <= now {
            self.tell_progress(now);
        }
        if self.quiet_at().is_some_and(|at| at <= now) {
            self.on_quiet(now);
        }
        if self.farewell_until.is_some_and(|until| until <= now) {
            self.end(None, now);
        }
        if self.dials() {
            self.crew.dial_some(now);
        }
    }

    /// Nothing more comes after a line without a newline, so the target is not a chinwag.
    fn on_unfinished(&mut self, conn: ConnId) {
        let unfinished = self.crew.connections.get_mut(conn).and_then(|connection| connection.flush());
        if let Some(line) = unfinished {
            self.crew.tally.note_odd(&line);
        }
    }

    /// Notes that something happened, or that we wait for nothing.
    fn stir(&mut self, now: Instant) {
        self.active_at = now;
        self.written_then = None;
    }

    /// When to look whether the target, for which we wait, still does anything: twice in a timeout.
    fn quiet_at(&self) -> Option<Instant> {
        let is_owed = match self.stage {
            Stage::Connecting => self.crew.unsettled > 0,
            Stage::Running => self.scenario.is_owed(&self.crew),
            Stage::Leaving => true,
            Stage::Paused(_) | Stage::Over => false,
        };
        is_owed.then(|| self.active_at + self.crew.plan.timeout / 2)
    }

    /// Nothing came from the target. As long as it reads, it is only slow.
    fn on_quiet(&mut self, now: Instant) {
        let written = self.crew.bytes_written();
        self.active_at = now;
        if self.written_then.replace(written) == Some(written) {
            self.on_stuck(now);
        }
    }

    /// If some peers were answered, those that were not have failed; else the target is stuck.
    fn on_stuck(&mut self, now: Instant) {
        if self.stage == Stage::Connecting && !self.crew.ready.is_empty() {
            for conn in self.crew.beginners() {
                self.close(conn, CloseReason::TimedOut, now);
            }
        } else {
            self.ending = Ending::Stuck;
            if self.stage == Stage::Running {
                self.scenario.give_up(&mut self.crew);
            }
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

    /// Does what follows from what has just happened.
    fn go_on(&mut self, now: Instant) {
        match self.stage {
            Stage::Connecting if self.crew.is_all_dialled() && self.crew.unsettled == 0 => {
                self.pause(if self.crew.ready.is_empty() { Pause::BeforeEnd } else { Pause::BeforeStart });
            }
            Stage::Running => {
                if let Some(pause) = self.rests(now) {
                    self.note_duration(now);
                    self.pause(pause);
                }
            }
            Stage::Leaving if self.crew.connections.is_empty() => self.over(),
            _ => {}
        }
    }

    /// The pause at which the scenario rests, if it does. If no peer is left, the scenario is over.
    fn rests(&mut self, now: Instant) -> Option<Pause> {
        match self.scenario.state(&self.crew, now) {
            State::Rests(Pause::BeforeEnd) => Some(Pause::BeforeEnd),
            _ if self.crew.is_deserted() => {
                self.scenario.give_up(&mut self.crew);
                Some(Pause::BeforeEnd)
            }
            State::Rests(pause) => Some(pause),
            State::GoesOn => None,
        }
    }

    /// Whether further peers may be dialled.
    fn dials(&self) -> bool {
        matches!(self.stage, Stage::Connecting | Stage::Running)
    }

    fn note_duration(&mut self, now: Instant) {
        if let Some(started_at) = self.crew.started_at.filter(|_| self.stage == Stage::Running) {
            self.crew.tally.duration = now - started_at;
        }
    }

    /// The user ends the run. For a moment it still waits for proof of what the target has read. A second interrupt
    /// ends it at once.
    fn interrupt(&mut self, now: Instant) {
        if self.stage == Stage::Over {
            return;
        }
        self.ending = Ending::Interrupted;
        if self.farewell_until.replace(now + SWARM_FAREWELL).is_some() {
            return self.end(None, now);
        }
        self.note_duration(now);
        self.leave();
        for conn in self.crew.beginners() {
            self.give_up(conn, None, now);
        }
    }

    fn leave(&mut self) {
        self.stage = Stage::Leaving;
        self.crew.wants_flushed = false;
        for conn in self.crew.living() {
            self.crew.leave(conn);
        }
    }

    /// Gives up all connections, for this reason if the target is at fault.
    fn end(&mut self, reason: Option<CloseReason>, now: Instant) {
        self.note_duration(now);
        self.stage = Stage::Leaving;
        for conn in self.crew.connections.ids() {
            self.give_up(conn, reason, now);
        }
    }

    /// Whether the input is about a connection that is gone.
    fn is_stale(&self, input: &Input<'_>) -> bool {
        match *input {
            Input::Closed { conn, .. } | Input::Connected { conn, .. } | Input::Received { conn, .. } => {
                self.crew.connections.get(conn).is_none()
            }
            _ => false,
        }
    }

    fn over(&mut self) {
        self.stage = Stage::Over;
        self.crew.outputs.push_back(Output::Quit(0));
    }
}

impl Machine for Swarm {
    type Notice = Notice;

    /// Never happens, since the generator does not listen.
    fn accept(&mut self, _from: SocketAddr, _local: SocketAddr, _now: Instant) -> Option<ConnId> {
        None
    }

    fn caught_up(&mut self, at: Instant) {
        self.crew.connections.caught_up(at);
    }

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        if self.is_stale(&input) {
            return;
        }
        // A timeout or bytes may mean nothing, so they count as activity only if we wait for nothing.
        if !matches!(input, Input::Timeout | Input::Received { .. }) || self.quiet_at().is_none() {
            self.stir(now);
        }
        match input {
            Input::Closed { conn, reason } => self.on_closed(conn, reason, now),
            Input::Connected { conn, local } => self.crew.on_connected(conn, canonical(local).ip(), now),
            Input::Interrupted | Input::StdinClosed => self.interrupt(now),
            Input::Line(GO) => self.go(now),
            Input::Received { conn, bytes } => self.on_received(conn, bytes, now),
            Input::Timeout => self.on_timeout(now),
            // A generator asks for none of these.
            Input::Datagram(_)
            | Input::Joined(_)
            | Input::JoinFailed(_)
            | Input::Line(_)
            | Input::Listening { .. }
            | Input::ListenFailed(_)
            | Input::Refused { .. }
            | Input::Route { .. } => {}
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
        // A peer whose queue was just written can go on at once.
        let flushed = self.crew.has_flushed().then_some(self.active_at);
        let offered = (!self.crew.offers.is_empty()).then_some(self.active_at);
        let dial = self.crew.next_dial_at().filter(|_| self.dials());
        let scenario = self.scenario.due_at().filter(|_| self.stage == Stage::Running);
        let of_connections = self.crew.connections.next_deadline();
        let all = [of_connections, flushed, offered, dial, scenario, self.quiet_at(), self.farewell_until];
        let all = all.into_iter().chain([Some(self.progress_at)]);
        all.flatten().min().filter(|_| self.stage != Stage::Over)
    }

    fn wants_line(&self) -> bool {
        matches!(self.stage, Stage::Paused(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{
        SLICES_PER_WRITE, SWARM_BATCHES_PER_TURN, SWARM_DIALS_PER_TURN, SWARM_PAYLOAD_BYTES,
        SWARM_QUEUED_BYTES_MAX, SWARM_WRITE_BYTES_MAX,
    };
    use crate::swarm::plan::{Carrier, Origin};
    use crate::swarm::tally::Measure;
    use std::time::Duration;

    /// A generator whose peers are connected. Its target echoes if the test does that.
    struct Run {
        swarm: Swarm,
        conns: Vec<ConnId>,
        now: Instant,
    }

    fn plan(scenario: Kind, peers: usize) -> Plan {
        Plan {
            target: ([127, 0, 0, 1], 9).into(),
            scenario,
            carrier: Carrier::Lines,
            peers,
            first_peer: 0,
            sources: Vec::new(),
            batch: 1,
            message_bytes: 32,
            in_flight: peers,
            dials_per_second: None,
            timeout: Duration::from_secs(1),
            is_echoed: true,
            seed: 0,
        }
    }

    impl Run {
        fn begin(scenario: Kind, peers: usize) -> Self {
            Self::of(plan(scenario, peers))
        }

        fn of(plan: Plan) -> Self {
            let now = crate::testing::start();
            let mut swarm = Swarm::new(plan, now);
            swarm.handle(Input::Timeout, now);
            let dials = std::iter::from_fn(|| swarm.poll_output()).map(|output| match output {
                Output::Connect { conn, .. } => conn,
                other => panic!("no dial: {other:?}"),
            });
            let conns: Vec<_> = dials.collect();
            let mut run = Self { swarm, conns: conns.clone(), now };
            for conn in conns {
                run.turn(Input::Connected { conn, local: ([127, 0, 0, 1], 5).into() });
            }
            run
        }

        /// One turn and the one after it; returns what was written.
        fn turn(&mut self, input: Input<'_>) -> String {
            let mut written = Vec::new();
            for input in [input, Input::Timeout] {
                self.swarm.handle(input, self.now);
                while self.swarm.poll_output().is_some() {}
                for &conn in &self.conns {
                    if let Some(queue) = self.swarm.send_queue(conn) {
                        queue.write_to(&mut written).unwrap();
                    }
                }
            }
            String::from_utf8(written).unwrap()
        }

        fn hear(&mut self, peer: usize, line: &[u8]) -> String {
            self.turn(Input::Received { conn: self.conns[peer], bytes: line })
        }
    }

    #[test]
    fn a_turn_makes_a_few_dials_and_the_next_one_follows_at_once() {
        let now = crate::testing::start();
        let mut swarm = Swarm::new(plan(Kind::Churn, 20), now);
        swarm.handle(Input::Line(GO), now);
        let mut turn = || {
            swarm.handle(Input::Timeout, now);
            let dials: Vec<_> = std::iter::from_fn(|| swarm.poll_output())
                .filter_map(|output| match output {
                    Output::Connect { conn, .. } => Some(conn),
                    _ => None,
                })
                .collect();
            // Whatever a dial leads to in the same turn, that turn makes no further dials.
            for &conn in &dials {
                swarm.handle(Input::Connected { conn, local: ([127, 0, 0, 1], 5).into() }, now);
                swarm.handle(Input::Closed { conn, reason: CloseReason::Eof }, now);
            }
            assert!(!std::iter::from_fn(|| swarm.poll_output()).any(|o| matches!(o, Output::Connect { .. })));
            (dials.len(), swarm.poll_timeout().is_some_and(|at| at <= now))
        };
        let few = SWARM_DIALS_PER_TURN as usize;
        assert_eq!([turn(), turn()], [(few, true), (few, true)]);
    }

    #[test]
    fn a_write_of_nothing_moves_no_flood() {
        let mut run = Run::begin(Kind::Flood { messages: 2 }, 2);
        assert_eq!(run.turn(Input::Line(GO)).matches("!ping 0\n").count(), 2);
        for (peer, stage) in [(0, Stage::Running), (1, Stage::Paused(Pause::BeforeEnd))] {
            assert_eq!((run.turn(Input::Timeout), run.hear(peer, b"!ping 0\n")), Default::default());
            assert_eq!((run.turn(Input::Timeout), run.swarm.stage), (String::new(), stage));
        }
        assert_eq!((run.swarm.tally().counts.sent, run.swarm.tally().counts.taken), (2, 2));
    }

    /// How many messages each of three peers has sent by the end of the scenario.
    fn sent_by_each(scenario: Kind, batch: usize) -> [usize; 3] {
        let timeout = Duration::from_secs(60);
        let mut run = Run::of(Plan { batch, timeout, ..plan(scenario, 3) });
        let mut sent = [0; 3];
        for turn in 0..10 {
            let input = if turn == 0 { Input::Line(GO) } else { Input::Timeout };
            for line in run.turn(input).lines().filter(|line| !line.starts_with('!')) {
                let peer = ["p0", "p1", "p2"].into_iter().position(|name| line.contains(name)).unwrap();
                sent[peer] += 1;
            }
            run.now += Duration::from_millis(500);
        }
        assert_eq!(sent.iter().sum::<usize>() as u64, run.swarm.tally().counts.sent);
        sent
    }

    #[test]
    fn as_many_messages_are_sent_as_were_asked_for_whatever_the_batch() {
        let flood = |messages| Kind::Flood { messages };
        for (messages, batch, wanted) in [
            (10, 1000, [10, 0, 0]),
            (10, 4, [4, 4, 2]),
            (14, 4, [6, 4, 4]),
            (12, 4, [4, 4, 4]),
            (7, 1, [3, 2, 2]),
            (1, 1, [1, 0, 0]),
        ] {
            assert_eq!(sent_by_each(flood(messages), batch), wanted, "{messages} by {batch}");
        }
        let pace = |rate| Kind::Pace { rate, time: Duration::from_secs(2) };
        assert_eq!(sent_by_each(pace(1.0), 1000), [6, 0, 0]);
        assert_eq!(sent_by_each(pace(1.0), 4), [4, 2, 0]);
        // A rate that no binary fraction can express.
        assert_eq!(sent_by_each(pace(0.55), 1).iter().sum::<usize>(), 4);
        assert_eq!(sent_by_each(pace(1.1 / 6.0), 1).iter().sum::<usize>(), 2);
    }

    #[test]
    fn what_all_write_at_first_is_made_in_parts() {
        let batch = SWARM_WRITE_BYTES_MAX / 64 / 2;
        for scenario in [Kind::Flood { messages: 4 * batch as u64 }, Kind::Burst { rounds: 1 }] {
            let mut run = Run::of(Plan { batch, message_bytes: 64, ..plan(scenario, 4) });
            let mut input = Input::Line(GO);
            for made in [2, 4] {
                assert!(
                    run.swarm.poll_timeout().is_some_and(|at| at <= run.now || made == 2),
                    "it goes on at once"
                );
                run.swarm.handle(input, run.now);
                assert_eq!(run.swarm.tally().counts.sent, made * batch as u64, "{scenario:?}");
                input = Input::Timeout;
            }
        }
    }

    #[test]
    fn what_all_write_next_is_made_in_parts_too() {
        let batch = SWARM_WRITE_BYTES_MAX / 64 / 2;
        let flood = Kind::Flood { messages: 8 * batch as u64 };
        let mut run = Run::of(Plan { batch, message_bytes: 64, ..plan(flood, 4) });
        run.swarm.handle(Input::Line(GO), run.now);
        run.swarm.handle(Input::Timeout, run.now);
        for &conn in &run.conns {
            run.swarm.send_queue(conn).unwrap().write_to(&mut std::io::sink()).unwrap();
        }
        for made in [6, 8] {
            assert!(run.swarm.poll_timeout().is_some_and(|at| at <= run.now), "it goes on at once");
            run.swarm.handle(Input::Timeout, run.now);
            assert_eq!(run.swarm.tally().counts.sent, made * batch as u64);
        }
    }

    #[test]
    fn a_peer_keeps_little_of_its_batch_and_one_write_carries_all_of_it() {
        for (batch, message_bytes) in
            [(65_536, 64), (65_535, 64), (4_097, 1_000), (63, 65_536), (5, 64), (1, 64)]
        {
            let flood = Kind::Flood { messages: batch as u64 };
            let mut run = Run::of(Plan { batch, message_bytes, ..plan(flood, 1) });
            run.swarm.handle(Input::Line(GO), run.now);
            let queue = run.swarm.send_queue(run.conns[0]).unwrap();
            let payloads: Vec<_> = queue.unsent().map(|(payload, _)| payload).collect();
            let (last, others) = payloads.split_last().unwrap();
            assert!(others.len() < SLICES_PER_WRITE, "{batch} of {message_bytes}: {}", payloads.len());
            assert!(others.iter().all(|payload| std::ptr::eq(*payload, payloads[0])));
            let kept = payloads[0].len().max(last.len());
            assert!(kept <= SWARM_PAYLOAD_BYTES + message_bytes, "{batch} of {message_bytes}: {kept}");
            let written = run.turn(Input::Timeout);
            let (messages, question) = written.split_at(batch * message_bytes);
            assert!(messages.lines().all(|line| line.len() + 1 == message_bytes));
            assert_eq!((messages.lines().count(), question), (batch, "!ping 0\n"));
        }
    }

    fn watch(rounds: u32, peers: usize) -> Run {
        let mut run = Run::begin(Kind::FanOut { rounds, origin: Origin::Watch }, peers);
        run.turn(Input::Line(GO));
        run
    }

    /// All times of a kind, in milliseconds.
    fn timed(run: &Run, measure: Measure) -> Vec<u64> {
        let mut all = Vec::new();
        for step in run.swarm.tally().times.get(&measure).iter().flat_map(|times| times.iter_recorded()) {
            let millis = (step.value_iterated_to() as f64 / 1e6).round() as u64;
            all.extend((0..step.count_at_value()).map(|_| millis));
        }
        all
    }

    #[test]
    fn a_peer_that_is_a_round_ahead_is_in_that_round() {
        let mut run = watch(3, 2);
        for (peer, lines) in [(0, 2), (1, 1), (0, 1), (1, 3)] {
            run.hear(peer, "1.1.1.1:1 n hi\n".repeat(lines).as_bytes());
            run.now += Duration::from_millis(10);
        }
        assert_eq!(run.swarm.stage, Stage::Paused(Pause::BeforeEnd));
        // The last round began with the first peer's third message; the other peer's fourth message belongs to no
        // round.
        assert_eq!(timed(&run, Measure::Delivery), [0, 0, 0, 10, 10, 30]);
        assert_eq!(timed(&run, Measure::ToAll), [10, 10, 30]);
    }

    #[test]
    fn only_what_belongs_to_a_round_is_delivered() {
        let mut run = Run::begin(Kind::FanOut { rounds: 1, origin: Origin::Watch }, 1);
        run.hear(0, b"1.1.1.1:1 n before\n");
        run.turn(Input::Line(GO));
        run.hear(0, b"!what\n1.1.1.1:1 n hi\n1.1.1.1:1 n after\n");
        let counts = &run.swarm.tally().counts;
        assert_eq!((counts.heard, counts.delivered, counts.bytes_delivered), (3, 1, 15));
    }

    #[test]
    fn a_round_in_which_a_peer_died_did_not_reach_all() {
        let mut run = watch(3, 2);
        run.hear(0, b"1.1.1.1:1 n hi\n1.1.1.1:1 n hi\n");
        run.hear(1, b"1.1.1.1:1 n hi\n");
        run.turn(Input::Closed { conn: run.conns[1], reason: CloseReason::Reset });
        assert_eq!((timed(&run, Measure::ToAll).len(), run.swarm.stage), (1, Stage::Running));
        run.hear(0, b"1.1.1.1:1 n hi\n");
        assert_eq!(run.swarm.stage, Stage::Paused(Pause::BeforeEnd));
        assert_eq!((timed(&run, Measure::Delivery).len(), timed(&run, Measure::ToAll).len()), (4, 2));
        let mut run = watch(3, 2);
        for conn in run.conns.clone() {
            run.turn(Input::Closed { conn, reason: CloseReason::Reset });
        }
        assert_eq!(run.swarm.stage, Stage::Paused(Pause::BeforeEnd));
    }

    #[test]
    fn a_target_that_only_says_meaningless_things_is_stuck() {
        let mut run = Run::begin(Kind::Ping { rounds: 1, active: 1 }, 1);
        run.turn(Input::Line(GO));
        for _ in 0..10 {
            run.now += Duration::from_millis(200);
            run.hear(0, b"!pang\n");
        }
        assert_eq!((run.swarm.stage, run.swarm.ending()), (Stage::Over, Ending::Stuck));
        assert_eq!(run.swarm.tally().counts.failed["timed-out"], 1);
    }

    #[test]
    fn a_schedule_far_behind_is_made_up_for_in_parts() {
        let mut run = Run::begin(Kind::Pace { rate: 1e6, time: Duration::from_secs(1) }, 1);
        run.turn(Input::Line(GO));
        run.now += Duration::from_secs(1) / 2;
        let before = run.swarm.tally().counts.sent;
        run.swarm.handle(Input::Timeout, run.now);
        assert_eq!(run.swarm.tally().counts.sent - before, u64::from(SWARM_BATCHES_PER_TURN));
        assert!(run.swarm.poll_timeout().is_some_and(|at| at <= run.now), "it comes back at once");
    }

    #[test]
    fn a_schedule_that_cannot_be_kept_is_given_up() {
        let second = Duration::from_secs(1);
        let mut run = Run::begin(Kind::Pace { rate: 1.0, time: 4 * second }, 1);
        run.turn(Input::Line(GO));
        run.hear(0, b"!ping 0\n");
        // The second message is as late as the timeout allows.
        run.now += 2 * second;
        run.turn(Input::Timeout);
        assert_eq!((run.swarm.tally().counts.sent, run.swarm.ending()), (3, Ending::Complete));
        run.hear(0, b"!ping 1\n!ping 2\n");
        run.now += 2 * second + Duration::from_millis(1);
        run.turn(Input::Timeout);
        assert_eq!((run.swarm.tally().counts.sent, run.swarm.ending()), (3, Ending::Late));
        assert_eq!(run.swarm.stage, Stage::Paused(Pause::BeforeEnd));
    }

    #[test]
    fn a_schedule_waits_for_a_target_that_does_not_read() {
        let plan = Plan {
            message_bytes: 60_000,
            timeout: Duration::from_secs(60),
            ..plan(Kind::Pace { rate: 1e6, time: Duration::from_secs(1) }, 2)
        };
        let mut run = Run::of(plan);
        run.swarm.handle(Input::Line(GO), run.now);
        for _ in 0..100 {
            run.now += Duration::from_millis(10);
            run.swarm.handle(Input::Timeout, run.now);
        }
        let queued = |run: &mut Run| {
            let bytes = |&conn: &ConnId| run.swarm.send_queue(conn).map_or(0, |queue| queue.bytes() as u64);
            run.conns.iter().map(bytes).sum::<u64>()
        };
        let most = queued(&mut run);
        assert!((SWARM_QUEUED_BYTES_MAX / 2..=SWARM_QUEUED_BYTES_MAX).contains(&most), "{most}");
        assert!(run.swarm.poll_timeout().is_some_and(|at| at > run.now), "it does not spin");
        for conn in run.conns.clone() {
            run.swarm.send_queue(conn).unwrap().write_to(&mut std::io::sink()).unwrap();
        }
        run.now += Duration::from_millis(10);
        run.swarm.handle(Input::Timeout, run.now);
        assert!(queued(&mut run) > 0);
    }

    #[test]
    fn a_paced_message_that_we_are_late_with_counts_from_when_it_was_due() {
        let second = Duration::from_secs(1);
        let pace = Kind::Pace { rate: 1.0, time: 3 * second };
        let mut run = Run::of(Plan { timeout: 2 * second, ..plan(pace, 1) });
        assert!(run.turn(Input::Line(GO)).ends_with("!ping 0\n"));
        run.hear(0, b"!ping 0\n");
        run.now += 3 * second;
        assert!(run.turn(Input::Timeout).ends_with("!ping 2\n"), "both that are due");
        run.hear(0, b"!ping 1\n!ping 2\n");
        for measure in [Measure::Lateness, Measure::RoundTrip] {
            let times = &run.swarm.tally().times[&measure];
            let late = [second, 2 * second].map(|time| times.count_at(time.as_nanos() as u64));
            assert_eq!((times.len(), late), (3, [1, 1]), "{measure:?}");
        }
    }
}
