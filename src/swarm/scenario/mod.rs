//! The scenarios: what the peers do once they are connected. Each has a file.

mod burst;
mod churn;
mod fan_out;
mod flood;
mod hold;
mod pace;
mod ping;

use super::crew::{Crew, Peer, Question};
use super::notice::Pause;
use super::plan::{self, Plan};
use crate::proto::machine::ConnId;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Instant;

/// What a scenario does when something happens; by default nothing. It hears of events from [`Scenario::begin`]
/// until it rests. Before and after that, only its progress is asked for.
pub(super) trait Scenario: Debug {
    /// The peers are connected, or the pause before this round is over.
    fn begin(&mut self, crew: &mut Crew, now: Instant);

    /// The progress: steps done, and steps in all.
    fn progress(&self, crew: &Crew, now: Instant) -> (u64, u64);

    /// Whether it goes on, or rests until it is told to go on.
    fn state(&self, crew: &Crew, now: Instant) -> State;

    /// All that this peer had to send has been written.
    fn on_written(&mut self, _crew: &mut Crew, _conn: ConnId, _now: Instant) {}

    /// A question of this peer was answered.
    fn on_answer(&mut self, _crew: &mut Crew, _conn: ConnId, _question: &Question, _now: Instant) {}

    /// A message of so many bytes came to this peer. `true`: the scenario was waiting for it.
    fn on_message(&mut self, _crew: &mut Crew, _conn: ConnId, _bytes: u64, _now: Instant) -> bool {
        false
    }

    /// The connection of this peer is over, as planned or not.
    fn on_gone(&mut self, _crew: &mut Crew, _peer: &Peer, _now: Instant) {}

    /// The moment of [`Scenario::due_at`] has come.
    fn on_due(&mut self, _crew: &mut Crew, _now: Instant) {}

    /// The run is given up, or no peer is left: what was still to be sent counts as not sent, and nothing follows.
    fn give_up(&mut self, _crew: &mut Crew) {}

    /// When it wants to do something by itself.
    fn due_at(&self) -> Option<Instant> {
        None
    }

    /// Whether we wait for the target, so that it is stuck if nothing happens at all.
    fn is_owed(&self, crew: &Crew) -> bool {
        crew.unanswered > 0
    }
}

/// Whether a scenario goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    GoesOn,
    /// It waits until it is told to go on.
    Rests(Pause),
}

/// Peers that have not begun. Some of them begin in each turn, since all of them together may write too much for
/// one turn.
#[derive(Debug, Default)]
struct Beginners {
    waiting: VecDeque<ConnId>,
    since: Option<Instant>,
}

impl Beginners {
    fn new(peers: Vec<ConnId>, now: Instant) -> Self {
        Self { waiting: peers.into(), since: Some(now) }
    }

    /// When more of them can begin: at once, if there are any.
    fn due_at(&self) -> Option<Instant> {
        self.since.filter(|_| !self.waiting.is_empty())
    }

    /// The peers that begin in this turn.
    fn take(&mut self, plan: &Plan) -> Vec<ConnId> {
        let count = plan.batches_per_turn().min(self.waiting.len());
        self.waiting.drain(..count).collect()
    }
}

pub(super) fn new(plan: &Plan) -> Box<dyn Scenario> {
    match plan.scenario {
        plan::Scenario::Burst { rounds } => Box::new(burst::Burst::new(rounds)),
        plan::Scenario::Churn => Box::new(churn::Churn::default()),
        plan::Scenario::FanOut { rounds, origin } => Box::new(fan_out::FanOut::new(rounds, origin)),
        plan::Scenario::Flood { messages } => Box::new(flood::Flood::new(messages)),
        plan::Scenario::Hold { time } => Box::new(hold::Hold::new(time)),
        plan::Scenario::Pace { rate, time } => Box::new(pace::Pace::new(rate, time)),
        plan::Scenario::Ping { rounds, active } => Box::new(ping::Ping::new(rounds, active)),
    }
}
