//! The load generator against a chat, and against targets that misbehave: what it counted is compared
//! with what the target counted itself.

use crate::faults::{Faults, chance};
use crate::wires::EndId;
use crate::world::{Act, Fate, HostId, PAUSE, World};
use crate::{MS, SECOND, number_from_environment};
use chinwag::chat::node::Config;
use chinwag::limits::LINE_BYTES_MAX;
use chinwag::swarm::generator::Ending;
use chinwag::swarm::plan::{Carrier, Origin, Plan, Scenario};
use chinwag::swarm::tally::{Counts, Measure};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const TARGET: &str = "127.0.0.1:8080";

const TIMEOUT: Duration = Duration::from_secs(5);

/// No run here takes longer, whatever goes wrong.
const RUN_MAX: Duration = Duration::from_secs(300);

const FLOOD: Scenario = Scenario::Flood { messages: 50 };
const HOLD: Scenario = Scenario::Hold { time: Duration::from_secs(3) };
const PACE: Scenario = Scenario::Pace { rate: 10.0, time: Duration::from_secs(2) };
const PING: Scenario = Scenario::Ping { rounds: 40, active: 3 };
const BURST: Scenario = Scenario::Burst { rounds: 3 };
const FAN_OUT: Scenario = Scenario::FanOut { rounds: 4, origin: Origin::Trigger };

/// All that a chat can be asked for in these ways. Lines get no answer, so nobody can ask or listen.
const ALL: [(Scenario, Carrier); 12] = [
    (BURST, Carrier::Lines),
    (BURST, Carrier::Session),
    (Scenario::Churn, Carrier::Lines),
    (Scenario::Churn, Carrier::Session),
    (FAN_OUT, Carrier::Session),
    (FLOOD, Carrier::Lines),
    (FLOOD, Carrier::Session),
    (HOLD, Carrier::Lines),
    (HOLD, Carrier::Session),
    (PACE, Carrier::Lines),
    (PACE, Carrier::Session),
    (PING, Carrier::Session),
];

fn plan(scenario: Scenario, carrier: Carrier) -> Plan {
    Plan {
        target: target(),
        scenario,
        carrier,
        peers: 5,
        first_peer: 0,
        sources: [[127, 1, 0, 1], [127, 1, 0, 2]].map(IpAddr::from).to_vec(),
        batch: 3,
        message_bytes: 48,
        in_flight: 2,
        dials_per_second: None,
        timeout: TIMEOUT,
        is_echoed: false,
        seed: 0,
    }
}

fn target() -> SocketAddr {
    TARGET.parse().unwrap()
}

/// A world in which a generator begins to do what is planned.
struct Run {
    world: World,
    swarm: HostId,
    plan: Plan,
}

impl Run {
    /// Against a chat.
    fn new(plan: Plan, faults: Faults, rng: Rng) -> Self {
        let mut world = World::new(faults, rng);
        world.add(target(), Config::default());
        Self::in_world(world, plan)
    }

    fn in_world(mut world: World, plan: Plan) -> Self {
        let swarm = world.add_swarm(SocketAddr::from(([127, 0, 0, 1], 0)), plan.clone());
        Self { world, swarm, plan }
    }

    fn calm(plan: Plan) -> Self {
        Self::new(plan, Faults::none(), Rng::with_seed(0))
    }

    /// Against a target that the test plays.
    fn scripted(plan: Plan, faults: Faults) -> Self {
        let mut world = World::new(faults, Rng::with_seed(0));
        world.script_listens(TARGET);
        Self::in_world(world, plan)
    }

    fn is_over(&self) -> bool {
        self.world.hosts[self.swarm].exit.is_some()
    }

    /// Lets it come to its end, and the target to its rest.
    fn finish(&mut self) {
        self.world.run_for(RUN_MAX);
        assert!(self.is_over(), "it hangs: {:?}", self.counts());
    }

    /// The same, while `act` does what the target does on each connection, every millisecond.
    fn finish_with(&mut self, mut act: impl FnMut(&mut World, EndId, &mut usize)) {
        let mut done = BTreeMap::new();
        while !self.is_over() {
            assert!(self.world.now < RUN_MAX, "it hangs: {:?}", self.counts());
            self.world.run_for(MS);
            for (number, end) in self.world.script_listeners[&target()].clone().into_iter().enumerate() {
                act(&mut self.world, end, done.entry(number).or_default());
            }
        }
    }

    fn interrupt(&mut self, after: Duration) {
        self.world.befall(self.swarm, Fate::Interrupted, after);
    }

    fn counts(&self) -> &Counts {
        &self.world.swarm(self.swarm).tally().counts
    }

    fn ending(&self) -> Ending {
        self.world.swarm(self.swarm).ending()
    }

    fn chats(&self) -> u64 {
        self.world.node(0).counters().chats
    }

    fn timed(&self, measure: Measure) -> u64 {
        self.world.swarm(self.swarm).tally().times.get(&measure).map_or(0, |times| times.len())
    }

    fn failed(&self) -> Vec<(&str, u64)> {
        self.counts().failed.iter().map(|(reason, &count)| (reason.as_str(), count)).collect()
    }

    /// What holds at the end of every run, however it went.
    fn check(&self) {
        let counts = self.counts();
        assert_eq!(counts.sent, counts.taken + counts.lost, "{counts:?}");
        assert_eq!([counts.dialled, counts.connected], self.world.hosts[self.swarm].dialled, "{counts:?}");
        assert!(counts.answered <= counts.connected, "{counts:?}");
        if self.ending() != Ending::Interrupted {
            self.check_unsent();
        }
        assert!(self.world.hosts[self.swarm].links.is_empty());
    }

    /// Of those that were there when the scenario began, nothing that was planned is left unmentioned.
    fn check_unsent(&self) {
        let (counts, plan) = (self.counts(), &self.plan);
        let planned = match plan.scenario {
            Scenario::Churn => plan.peers as u64,
            Scenario::Flood { messages } => messages,
            _ => return,
        };
        let has_begun = self.world.swarm(self.swarm).tally().duration > Duration::ZERO;
        assert!(!has_begun || counts.sent + counts.unsent == planned, "{plan:?} {counts:?}");
    }

    /// What holds as well if the target was a chat.
    fn check_with_chat(&self) {
        self.check();
        let (counts, chats) = (self.counts(), self.chats());
        assert!(chats >= counts.taken, "{chats}: {counts:?}");
        // A line that was cut is shown as it came, also if it was to be no message.
        let given_up = if self.ending() == Ending::Complete { 0 } else { counts.connected };
        let cut = self.world.resets + counts.failures() + given_up;
        assert!(chats <= counts.sent + cut, "{chats}: {counts:?}");
        assert_eq!((self.world.wires_in_use(), self.world.node(0).connections()), (0, 0));
        assert!(self.world.node(0).directory().iter().all(|peer| peer.session.is_none()));
    }
}

#[test]
fn without_faults_everything_planned_is_sent_taken_and_counted_by_both() {
    for (scenario, carrier) in ALL {
        let plan = plan(scenario, carrier);
        let is_churn = scenario == Scenario::Churn;
        let is_session = carrier == Carrier::Session && !is_churn;
        let peers = plan.peers as u64;
        // The last batch of 3 has 2 messages in a flood, and 1 in the 2 s of 5 peers that say 10 a second.
        let (sent, heard, timed): (u64, u64, &[(Measure, u64)]) = match scenario {
            Scenario::Burst { .. } => (5 * 3 * 3, 0, &[]),
            Scenario::Churn => (5, 0, &[(Measure::Exchange, 5)]),
            Scenario::FanOut { .. } => (0, 5 * 3 * 4, &[(Measure::Delivery, 5 * 4), (Measure::ToAll, 4)]),
            Scenario::Flood { .. } => (50, 0, &[]),
            Scenario::Hold { .. } => (0, 0, &[]),
            Scenario::Pace { .. } if !is_session => (100, 0, &[(Measure::Lateness, 34)]),
            Scenario::Pace { .. } => (100, 0, &[(Measure::Lateness, 34), (Measure::RoundTrip, 34)]),
            Scenario::Ping { .. } => (0, 0, &[(Measure::RoundTrip, 40)]),
        };
        let mut run = Run::calm(plan);
        run.finish();
        run.check_with_chat();
        let what = format!("{scenario:?} {carrier:?} {:?}", run.counts());
        let answered = if is_session { peers } else { 0 };
        let counts = run.counts();
        assert_eq!((counts.dialled, counts.connected, counts.answered), (peers, peers, answered), "{what}");
        assert_eq!((counts.sent, counts.taken, counts.lost, run.chats()), (sent, sent, 0, sent), "{what}");
        assert_eq!((counts.heard, counts.odd, counts.failures()), (heard, 0, 0), "{what}");
        assert_eq!(run.ending(), Ending::Complete, "{what}");
        let all = [(Measure::Dial, peers), (Measure::Answer, answered)].into_iter();
        let expected: BTreeMap<_, _> = all.chain(timed.iter().copied()).collect();
        for measure in Measure::ALL {
            assert_eq!(
                run.timed(measure),
                expected.get(&measure).copied().unwrap_or(0),
                "{measure:?} {what}"
            );
        }
        if is_session {
            assert!(run.world.node(0).directory().is_empty(), "{what}: everybody said exit");
        }
        let done: u64 = run.world.swarm(run.swarm).tally().timeline.slots.iter().sum();
        let rounds = if let Scenario::Ping { rounds, .. } = scenario { rounds } else { sent + heard };
        assert_eq!(done, rounds, "{what}");
    }
}

/// Says how to see it again, if the run of this seed panics.
struct Replay(u64, Scenario, Carrier);

impl Drop for Replay {
    #[expect(clippy::disallowed_macros, reason = "a failing test speaks to whoever runs it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(seed, scenario, carrier) = self;
            eprintln!(
                "{scenario:?} {carrier:?}: SIM_SEED={seed} cargo test --test sim with_faults -- --nocapture"
            );
        }
    }
}

/// One life of one world with whatever goes wrong by its seed; gives its trace hash.
fn run_with_faults(seed: u64, scenario: Scenario, carrier: Carrier, is_trace_printed: bool) -> u64 {
    let _replay = Replay(seed, scenario, carrier);
    let mut rng = Rng::with_seed(seed);
    let faults = Faults::draw(&mut rng);
    let plan = Plan { peers: 1 + rng.usize(0..5), batch: 1 + rng.usize(0..4), ..plan(scenario, carrier) };
    let mut run = Run::new(plan, faults, rng.fork());
    run.world.is_trace_printed = is_trace_printed;
    for _ in 0..2 {
        if chance(&mut rng, 100) {
            run.interrupt(Duration::from_millis(rng.u64(0..3000)));
        }
    }
    run.finish();
    run.check_with_chat();
    run.world.trace_hash()
}

#[test]
fn with_faults_every_run_ends_and_its_counts_add_up() {
    let chosen = number_from_environment("SIM_SEED");
    let seeds = match chosen {
        Some(seed) => seed..seed + 1,
        None => 0..number_from_environment("SIM_SEEDS").unwrap_or(64),
    };
    for seed in seeds {
        for (index, (scenario, carrier)) in (0..).zip(ALL) {
            let hash = run_with_faults(seed, scenario, carrier, chosen.is_some());
            if seed % ALL.len() as u64 == index {
                assert_eq!(hash, run_with_faults(seed, scenario, carrier, false), "{seed} {scenario:?}");
            }
        }
    }
}

#[test]
fn who_is_interrupted_once_still_asks_after_what_it_sent() {
    for (scenario, carrier) in ALL {
        for after in [0, 1, 5, 20, 45, 80, 200, 700].map(Duration::from_millis) {
            let faults = Faults { latency_max: 20 * MS, ..Faults::none() };
            let mut run = Run::new(plan(scenario, carrier), faults, Rng::with_seed(1));
            run.interrupt(after);
            run.finish();
            run.check_with_chat();
            let what = format!("{scenario:?} {carrier:?} after {after:?}: {:?}", run.counts());
            let counts = run.counts();
            assert_eq!((counts.taken, counts.lost, counts.failures()), (run.chats(), 0, 0), "{what}");
            let is_early = run.world.hosts[run.swarm].exit.is_some_and(|(_, at)| at <= after + 100 * MS);
            assert!(is_early, "{what}");
        }
    }
}

#[test]
fn who_is_interrupted_twice_ends_at_once() {
    for (scenario, carrier) in ALL {
        for after in [0, 5, 30, 60, 80].map(Duration::from_millis) {
            let faults = Faults { latency_max: 20 * MS, ..Faults::none() };
            let mut run = Run::new(plan(scenario, carrier), faults, Rng::with_seed(1));
            run.interrupt(after);
            run.interrupt(after + MS);
            run.finish();
            run.check_with_chat();
            assert!(run.world.hosts[run.swarm].exit.is_some_and(|(code, at)| code == 0 && at <= after + MS));
            assert!(run.counts().failures() == 0, "{scenario:?} {carrier:?}: {:?}", run.counts());
        }
    }
}

#[test]
fn a_target_on_a_port_that_peers_would_claim_is_not_claimed() {
    let address = SocketAddr::from(([127, 0, 0, 1], 20_002));
    let mut world = World::new(Faults::none(), Rng::with_seed(0));
    world.add(address, Config::default());
    let plan = plan(FLOOD, Carrier::Session);
    let mut run = Run::in_world(world, Plan { target: address, sources: vec![address.ip()], ..plan });
    run.finish();
    run.check_with_chat();
    assert_eq!((run.ending(), run.failed(), run.counts().answered), (Ending::Complete, vec![], 5));
}

#[test]
fn nobody_to_send_is_a_complete_run() {
    for (scenario, carrier) in ALL {
        let mut run = Run::calm(Plan { peers: 0, ..plan(scenario, carrier) });
        run.finish();
        run.check_with_chat();
        assert_eq!((run.ending(), run.counts()), (Ending::Complete, &Counts::default()));
    }
}

#[test]
fn nothing_to_do_is_done_at_once() {
    let scenarios = [
        Scenario::Burst { rounds: 0 },
        Scenario::FanOut { rounds: 0, origin: Origin::Trigger },
        Scenario::FanOut { rounds: 0, origin: Origin::Watch },
        Scenario::Flood { messages: 0 },
        Scenario::Ping { rounds: 0, active: 2 },
    ];
    for scenario in scenarios {
        let mut run = Run::calm(plan(scenario, Carrier::Session));
        run.finish();
        run.check_with_chat();
        let tally = run.world.swarm(run.swarm).tally();
        assert_eq!((tally.duration, tally.counts.sent), (Duration::ZERO, 0), "{scenario:?}");
        assert_eq!(run.ending(), Ending::Complete, "{scenario:?}");
    }
}

#[test]
fn a_stall_of_the_target_counts_from_when_each_message_was_due() {
    let scenario = Scenario::Pace { rate: 10.0, time: 5 * SECOND };
    let mut run = Run::calm(Plan { batch: 1, ..plan(scenario, Carrier::Session) });
    run.world.befall(0, Fate::Deaf, SECOND);
    run.world.befall(0, Fate::Hearing, 3 * SECOND);
    run.finish();
    run.check_with_chat();
    let times = &run.world.swarm(run.swarm).tally().times;
    let round_trips = &times[&Measure::RoundTrip];
    let [at_least, at_most] = [1970 * MS, 2010 * MS].map(|time| time.as_nanos() as u64);
    assert!((at_least..=at_most).contains(&round_trips.max()), "{}", round_trips.max());
    // 5 peers, 10 messages a second: 50 of those 100 were due in the first of the two seconds.
    let late = round_trips.count_between(SECOND.as_nanos() as u64, at_most);
    assert!((49..=51).contains(&late), "{late}");
    assert_eq!((round_trips.len(), times[&Measure::Lateness].len(), run.chats()), (250, 250, 250));
}

#[test]
fn a_stall_of_the_target_counts_from_when_each_dial_was_due() {
    let rate = Some(20.0);
    let plan = Plan { peers: 100, dials_per_second: rate, ..plan(Scenario::Churn, Carrier::Lines) };
    assert_eq!(plan.in_flight, 2, "the target keeps us from dialling");
    let mut run = Run::calm(plan);
    run.world.befall(0, Fate::Deaf, SECOND);
    run.world.befall(0, Fate::Hearing, 3 * SECOND);
    run.finish();
    run.check_with_chat();
    let times = &run.world.swarm(run.swarm).tally().times;
    let [one, at_least, at_most] = [SECOND, 1900 * MS, 2010 * MS].map(|time| time.as_nanos() as u64);
    let exchanges = &times[&Measure::Exchange];
    assert!((at_least..=at_most).contains(&exchanges.max()), "{}", exchanges.max());
    // Two were under way. 20 of those 40 were due in the first of the two seconds.
    for (measure, late) in [(Measure::Exchange, 19..=21), (Measure::Lateness, 17..=19)] {
        assert_eq!(times[&measure].len(), 100, "{measure:?}");
        let count = times[&measure].count_between(one, at_most);
        assert!(late.contains(&count), "{measure:?} {count}");
    }
}

#[test]
fn slow_dials_and_slow_messages_are_no_stuck_target() {
    // Ten seconds between two of them, five until a silent target is given up.
    let slow = Some(0.1);
    let pace = Scenario::Pace { rate: 0.02, time: 40 * SECOND };
    let table = [(HOLD, Carrier::Session, slow), (Scenario::Churn, Carrier::Lines, slow)];
    for (scenario, carrier, dials_per_second) in table.into_iter().chain([(pace, Carrier::Session, None)]) {
        let mut run = Run::calm(Plan { batch: 1, dials_per_second, ..plan(scenario, carrier) });
        run.finish();
        run.check_with_chat();
        assert_eq!((run.ending(), run.counts().failures()), (Ending::Complete, 0), "{scenario:?}");
        let tally = run.world.swarm(run.swarm).tally();
        match scenario {
            Scenario::Churn => assert_eq!(tally.duration, 40 * SECOND),
            Scenario::Hold { .. } => assert_eq!(tally.setup, 40 * SECOND),
            _ => assert_eq!(tally.counts.sent, 4),
        }
    }
}

#[test]
fn a_long_pause_is_not_made_up_for_by_dialling_faster() {
    let plan =
        Plan { dials_per_second: Some(100.0), in_flight: 100, ..plan(Scenario::Churn, Carrier::Lines) };
    let mut run = Run::calm(plan);
    run.world.run_for(PAUSE + MS);
    assert_eq!(run.counts().dialled, 1);
}

#[test]
fn a_target_that_reads_slowly_is_slow_and_not_stuck() {
    // 48 bytes take almost a tenth of a second: one batch takes longer than the timeout.
    let faults = Faults { slow: 1000, latency_max: 10 * MS, ..Faults::none() };
    let plan = Plan { batch: 200, peers: 2, ..plan(Scenario::Flood { messages: 400 }, Carrier::Lines) };
    let mut run = Run::new(plan, faults, Rng::with_seed(0));
    run.finish();
    run.check_with_chat();
    assert_eq!((run.ending(), run.chats(), run.counts().failures()), (Ending::Complete, 400, 0));
}

#[test]
fn an_echo_answers_with_our_own_lines() {
    for scenario in [PING, PACE, FLOOD] {
        let mut run =
            Run::scripted(Plan { is_echoed: true, ..plan(scenario, Carrier::Lines) }, Faults::none());
        run.finish_with(|world, end, echoed| {
            let read = world.script_read(end);
            if read.len() > *echoed {
                world.script_writes(end, &read[*echoed..]);
                *echoed = read.len();
            } else if world.script_closed(end).is_some() {
                world.drop_end(end);
            }
        });
        run.check();
        let counts = run.counts();
        assert_eq!((run.ending(), counts.failures(), counts.odd), (Ending::Complete, 0, 0), "{counts:?}");
        assert_eq!((counts.taken, counts.heard), (counts.sent, counts.sent), "{counts:?}");
    }
}

#[test]
fn nobody_listens() {
    for (scenario, carrier) in ALL {
        let mut run = Run::in_world(World::new(Faults::none(), Rng::with_seed(0)), plan(scenario, carrier));
        run.finish();
        run.check();
        assert_eq!((run.ending(), run.failed()), (Ending::Complete, vec![("refused", 5)]), "{scenario:?}");
        assert_eq!(run.counts().connected, 0);
    }
}

#[test]
fn nobody_answers_a_dial() {
    let faults = Faults { lose: 1000, ..Faults::none() };
    // Nothing in flight would never come to an end, and means one.
    for (in_flight, dials) in [(0, 5), (1, 5), (2, 3), (5, 1)] {
        let plan = Plan { in_flight, ..plan(HOLD, Carrier::Session) };
        let mut run = Run::new(plan, faults.clone(), Rng::with_seed(0));
        run.finish();
        run.check_with_chat();
        assert_eq!((run.ending(), run.failed()), (Ending::Complete, vec![("timed-out", 5)]));
        let at = run.world.hosts[run.swarm].exit.map(|(_, at)| at);
        assert_eq!(at, Some(TIMEOUT * dials + PAUSE));
    }
}

#[test]
fn an_end_before_all_was_written_proves_nothing() {
    // A slow wire has no room for a whole message.
    let faults = Faults { slow: 1000, ..Faults::none() };
    let mut run = Run::scripted(plan(Scenario::Churn, Carrier::Lines), faults);
    run.finish_with(|world, end, _| {
        world.script_stops_reading(end);
        world.script_closes_its_side(end);
    });
    run.check();
    assert_eq!((run.failed(), run.counts().lost), (vec![("closed", 5)], 5));
}

#[test]
fn a_target_that_closes_at_once_loses_what_was_sent() {
    for (scenario, carrier) in ALL {
        let mut run = Run::scripted(plan(scenario, carrier), Faults::none());
        run.finish_with(|world, end, done| {
            if *done == 0 {
                world.drop_end(end);
            }
            *done = 1;
        });
        run.check();
        let counts = run.counts();
        assert_eq!((run.ending(), counts.connected), (Ending::Complete, 5), "{scenario:?} {carrier:?}");
        // The end that answers a message in good order is all the proof there is for a plain one.
        let taken = if scenario == Scenario::Churn { 5 } else { 0 };
        assert_eq!(
            (counts.taken, counts.failures()),
            (taken, 5 - taken),
            "{scenario:?} {carrier:?} {counts:?}"
        );
    }
}

#[test]
fn a_target_that_never_reads_is_stuck() {
    let messages = 1000;
    for scenario in [Scenario::Flood { messages }, BURST, Scenario::Churn] {
        let mut run = Run::scripted(
            Plan { message_bytes: 10_000, batch: 20, ..plan(scenario, Carrier::Lines) },
            Faults::none(),
        );
        run.finish_with(|world, end, _| world.script_stops_reading(end));
        run.check();
        let counts = run.counts();
        assert_eq!((run.ending(), counts.taken), (Ending::Stuck, 0), "{scenario:?} {counts:?}");
        assert_eq!(run.failed(), [("timed-out", counts.connected)], "{scenario:?}");
        let at = run.world.hosts[run.swarm].exit.unwrap().1;
        assert!((TIMEOUT..TIMEOUT + 100 * MS).contains(&at), "{scenario:?} {at:?}");
    }
}

/// Has a target answer those who greet, and talk from then on, more often than the timeout is long, while it
/// ends no connection and answers no question.
fn talk(carrier: Carrier) -> impl FnMut(&mut World, EndId, &mut usize) {
    let every = TIMEOUT.as_millis() as usize / 3;
    move |world, end, millis| {
        if *millis == 0 && carrier == Carrier::Session {
            world.script_writes(end, "127.0.0.1:8080 n0 connected chinwag/1\n");
        } else if millis.is_multiple_of(every) {
            world.script_writes(end, "127.0.0.1:8080 n0 have you heard\n");
        }
        *millis += 1;
    }
}

#[test]
fn a_target_that_talks_and_does_not_do_what_it_owes_is_stuck() {
    for (scenario, carrier) in ALL.into_iter().filter(|&(scenario, _)| scenario != FAN_OUT) {
        let mut run = Run::scripted(plan(scenario, carrier), Faults::none());
        // Churn greets nobody.
        let spoken = if scenario == Scenario::Churn { Carrier::Lines } else { carrier };
        run.finish_with(talk(spoken));
        run.check();
        let what = format!("{scenario:?} {carrier:?} {:?}", run.counts());
        assert_eq!(run.ending(), Ending::Stuck, "{what}");
        let (_, at) = run.world.hosts[run.swarm].exit.unwrap();
        // No scenario here takes longer than the three seconds of a hold when nothing is awaited.
        assert!(at <= 2 * TIMEOUT, "{at:?} {what}");
    }
}

#[test]
fn what_a_peer_hears_when_it_is_to_hear_no_more_keeps_no_round_open() {
    let plan = Plan { peers: 2, batch: 1, ..plan(FAN_OUT, Carrier::Session) };
    let mut run = Run::scripted(plan, Faults::none());
    let (mut talk, mut first) = (talk(Carrier::Session), None);
    // The second one never hears a word.
    run.finish_with(|world, end, millis| {
        let is_first = *first.get_or_insert(end) == end;
        if is_first || *millis == 0 {
            talk(world, end, millis);
        }
    });
    run.check();
    assert_eq!((run.ending(), run.timed(Measure::ToAll)), (Ending::Stuck, 0), "{:?}", run.counts());
}

#[test]
fn who_is_interrupted_waits_a_moment_and_no_longer_whatever_the_target_does() {
    for (scenario, carrier) in ALL {
        for after in [0, 5, 30, 500, 4000].map(Duration::from_millis) {
            for is_talking in [false, true] {
                let mut run = Run::scripted(plan(scenario, carrier), Faults::none());
                run.interrupt(after);
                let mut talk = talk(carrier);
                run.finish_with(|world, end, millis| {
                    if is_talking || *millis == 0 {
                        talk(world, end, millis);
                    }
                });
                run.check();
                let (code, at) = run.world.hosts[run.swarm].exit.unwrap();
                let what = format!("{scenario:?} {carrier:?} {after:?}: {at:?} {:?}", run.counts());
                assert!(code == 0 && at <= after + 100 * MS, "{what}");
                assert_eq!((run.ending(), run.counts().failures()), (Ending::Interrupted, 0), "{what}");
            }
        }
    }
}

#[test]
fn a_target_that_answers_something_else_has_no_session() {
    let too_long = "x".repeat(70_000);
    let table = [
        ("garbage", "timed-out", Ending::Stuck, 2, 2),
        ("127.0.0.1:8080 n0 connected chinwag/1", "timed-out", Ending::Stuck, 2, 2),
        ("garbage\n\nand 1 more", "timed-out", Ending::Stuck, 2, 2),
        ("garbage\n\nand 1 more\n", "timed-out", Ending::Stuck, 2, 4),
        ("127.0.0.1:8080 n0 connected\n", "timed-out", Ending::Stuck, 2, 2),
        ("127.0.0.1:8080 n0 connected other/1\n", "timed-out", Ending::Stuck, 2, 2),
        ("!pong 0\n", "timed-out", Ending::Stuck, 2, 2),
        ("127.0.0.1:8080 n0 exit\n", "closed", Ending::Complete, 5, 0),
        (&too_long, "line-too-long", Ending::Complete, 5, 0),
    ];
    assert!(too_long.len() > LINE_BYTES_MAX);
    for (answer, reason, ending, dialled, odd) in table {
        let mut run = Run::scripted(plan(FLOOD, Carrier::Session), Faults::none());
        run.finish_with(|world, end, done| {
            if *done == 0 {
                world.script_writes(end, answer);
            }
            *done = 1;
        });
        run.check();
        let what = &answer[..answer.len().min(40)];
        assert_eq!((run.ending(), run.failed()), (ending, vec![(reason, dialled)]), "{what:?}");
        let counts = run.counts();
        assert_eq!((counts.answered, counts.odd, counts.sent), (0, odd, 0), "{what:?}");
    }
}

#[test]
fn who_is_not_answered_while_others_are_has_failed_alone() {
    let mut run = Run::scripted(plan(HOLD, Carrier::Session), Faults::none());
    let mut met = 0;
    run.finish_with(|world, end, done| {
        if *done == 0 {
            met += 1;
            if met % 2 == 1 {
                world.script_writes(end, "127.0.0.1:8080 n0 connected chinwag/1\n");
            }
        }
        *done = 1;
        if world.script_closed(end).is_some() {
            world.drop_end(end);
        }
    });
    run.check();
    assert_eq!((run.ending(), run.failed()), (Ending::Complete, vec![("timed-out", 2)]));
    assert_eq!((run.counts().connected, run.counts().answered), (5, 3));
}

#[test]
fn an_exit_in_the_middle_proves_nothing() {
    for (scenario, sent_at_least) in [(FLOOD, 50), (PACE, 1), (BURST, 3 * 5), (PING, 0), (FAN_OUT, 0)] {
        let mut run = Run::scripted(plan(scenario, Carrier::Session), Faults::none());
        run.finish_with(|world, end, done| {
            match *done {
                0 => world.script_writes(end, "127.0.0.1:8080 n0 connected chinwag/1\n"),
                100 => world.script_writes(end, "127.0.0.1:8080 n0 exit\n"),
                _ => {}
            }
            *done += 1;
        });
        run.check();
        let counts = run.counts();
        assert_eq!(run.failed(), [("closed", 5)], "{scenario:?} {counts:?}");
        assert_eq!((run.ending(), counts.taken), (Ending::Complete, 0), "{scenario:?} {counts:?}");
        assert!(counts.lost >= sent_at_least, "{scenario:?} {counts:?}");
    }
}

#[test]
fn when_nobody_is_left_the_run_ends_and_what_was_due_is_counted_as_not_sent() {
    let second = Duration::from_secs(1);
    // Messages, or questions, that were planned for five peers.
    let table = [
        (BURST, 5 * 3 * 3),
        (Scenario::Churn, 5),
        (Scenario::Flood { messages: 3000 }, 3000),
        (Scenario::Hold { time: 100 * second }, 0),
        (Scenario::Pace { rate: 10.0, time: 20 * second }, 1000),
        (Scenario::Ping { rounds: 100_000, active: 3 }, 100_000),
    ];
    for (scenario, planned) in table {
        let slow = if let Scenario::Flood { .. } = scenario { 1000 } else { 0 };
        let faults = Faults { latency_max: 20 * MS, slow, ..Faults::none() };
        let rate = (scenario == Scenario::Churn).then_some(2.0);
        let plan = Plan { dials_per_second: rate, ..plan(scenario, Carrier::Session) };
        let mut run = Run::new(plan, faults, Rng::with_seed(1));
        let died = if rate.is_some() || slow > 0 { second } else { 130 * MS };
        run.world.befall(0, Fate::Killed, died);
        run.finish();
        run.check();
        let counts = run.counts();
        let what = format!("{scenario:?} {counts:?}");
        let sent = if let Scenario::Ping { .. } = scenario { planned - counts.unsent } else { counts.sent };
        assert_eq!(sent + counts.unsent, planned, "{what}");
        assert!(run.ending() == Ending::Complete && counts.failures() > 0, "{what}");
        assert!(counts.unsent > 0 || matches!(scenario, Scenario::Hold { .. } | BURST), "{what}");
        let at = run.world.hosts[run.swarm].exit.unwrap().1;
        assert!(rate.is_some() || at < died + 200 * MS, "{what} {at:?}");
    }
}

#[test]
fn a_chat_that_quits_in_the_middle_took_no_more_than_it_counted() {
    for (scenario, carrier) in ALL {
        for after in [15, 25, 60, 300].map(Duration::from_millis) {
            let faults = Faults { latency_max: 20 * MS, ..Faults::none() };
            let mut run = Run::new(plan(scenario, carrier), faults, Rng::with_seed(2));
            run.world.want(0, Act::Quit, after);
            run.finish();
            run.check();
            // A plain message has no proof but the end, and the chat ends without having read it.
            let is_proved = carrier == Carrier::Session && scenario != Scenario::Churn;
            assert!(!is_proved || run.counts().taken <= run.chats(), "{scenario:?} {after:?}");
            assert_eq!(run.world.wires_in_use(), 0, "{scenario:?} {carrier:?} {after:?}");
            assert_ne!(run.ending(), Ending::Stuck, "{scenario:?} {carrier:?} {after:?}");
            let failed = run.failed();
            assert!(failed.iter().all(|(why, _)| ["closed", "refused", "reset"].contains(why)), "{failed:?}");
        }
    }
}
