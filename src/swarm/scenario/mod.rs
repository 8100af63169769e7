//! The scenarios: what a crew does once it is connected. Each is a file.

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

/// What a scenario does when something happens. Nothing, unless it says otherwise. From
/// [`Scenario::begin`] until it rests it is told; before and after that, nothing but how far it is is asked.
pub(super) trait Scenario: Debug {
    /// The crew is connected, or this round's pause is over.
    fn begin(&mut self, crew: &mut Crew, now: Instant);

    /// How far it is: steps done, and steps in all.
    fn progress(&self, crew: &Crew, now: Instant) -> (u64, u64);

    /// Whether it is over, or rests until it is told to go on.
    fn state(&self, crew: &Crew, now: Instant) -> State;

    /// All that this peer was to send has been written.
    fn on_written(&mut self, _crew: &mut Crew, _conn: ConnId, _now: Instant) {}

    /// A question of this peer was answered.
    fn on_answer(&mut self, _crew: &mut Crew, _conn: ConnId, _question: &Question, _now: Instant) {}

    /// A message of so many bytes came to this peer. `true`: it is one that the target owed.
    fn on_message(&mut self, _crew: &mut Crew, _conn: ConnId, _bytes: u64, _now: Instant) -> bool {
        false
    }

    /// The connection of this peer is over, as planned or not.
    fn on_gone(&mut self, _crew: &mut Crew, _peer: &Peer, _now: Instant) {}

    /// The moment that [`Scenario::due_at`] named is here.
    fn on_due(&mut self, _crew: &mut Crew, _now: Instant) {}

    /// The run is given up, or nobody is left: what was still to be sent is counted, and nothing follows.
    fn give_up(&mut self, _crew: &mut Crew) {}

    /// When it wants to do something of its own.
    fn due_at(&self) -> Option<Instant> {
        None
    }

    /// Whether the target owes us something, so that nothing happening at all means that it is stuck.
    fn is_owed(&self, crew: &Crew) -> bool {
        crew.unanswered > 0
    }
}

/// Whether a scenario goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    GoesOn,
    /// It waits for the word to go on.
    Rests(Pause),
}

/// Peers that are to begin, some in each turn: what all of them write may be too much for one.
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

    /// Those of this turn.
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
