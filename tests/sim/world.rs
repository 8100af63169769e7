//! A network in one process: hosts that run a program each, the wires between them, and a clock that
//! jumps from event to event. Every program is driven as the contract in `proto::machine` says, turn by
//! turn, as the event loop would; what each of its users wants is typed through the menu. One seed
//! makes one run.

use crate::checks::{self, Fate as TextFate, Ledger};
use crate::faults::{Faults, chance};
use crate::program::{Program, Recipe, Told};
use crate::wires::{EndId, Owner, Wire};
use chinwag::chat::id::CommandId;
use chinwag::chat::node::{Config, Dialogue, Node};
use chinwag::chat::notice::{Failed, Notice};
use chinwag::proto::interface::Interface;
use chinwag::proto::machine::{CloseReason, ConnId, Datagram, How, Input, Machine, Output};
use chinwag::swarm::generator::{GO, Swarm};
use chinwag::swarm::notice::Notice as SwarmNotice;
use chinwag::swarm::plan::Plan;
use fastrand::Rng;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub type HostId = usize;

/// How long whoever drives a generator looks at its target before each part of a run.
pub const PAUSE: Duration = Duration::from_millis(10);

/// Closed connections that a host remembers, to be asked about them again.
const STALE_IDS_MAX: usize = 16;

/// At one moment a program comes back at once for what it had left over no more often than this.
const SPINS_MAX: u32 = 1000;

/// A place where a program runs, is started and dies.
pub struct Host {
    pub address: SocketAddr,
    pub program: Option<Program>,
    /// The program that ran before, as it was at its end.
    past: Option<Program>,
    /// Counts the starts.
    pub life: u32,
    pub links: BTreeMap<ConnId, EndId>,
    pub notices: Vec<Notice>,
    /// What the user will do as soon as the menu lets them.
    pub acts: VecDeque<Act>,
    /// The exit code, and when.
    pub exit: Option<(u8, Duration)>,
    /// Dials that were wanted, and those that succeeded.
    pub dialled: [u64; 2],
    /// It takes part in multicast.
    has_joined: bool,
    /// It reads nothing, though its kernel does.
    pub is_deaf: bool,
    recipe: Recipe,
    /// Numbers the user's texts, across all lives.
    said: u32,
    /// When the agenda has a look at the program's deadlines.
    due: Option<Duration>,
    /// When its program last came back at once, and how many times.
    again: (Duration, u32),
    to_flush: Vec<ConnId>,
    stale: VecDeque<ConnId>,
    /// Since when the process is stopped.
    stopped_at: Option<Duration>,
    /// What it will find when it goes on.
    missed: Vec<Event>,
}

/// The number of the one network.
const LINK: u32 = 2;

/// What a user does.
#[derive(Clone, Debug)]
pub enum Act {
    Connect(HostId),
    Diagnose(HostId),
    Exit(HostId),
    /// Types a line as it is.
    Line(String),
    Query,
    Quit,
    /// Sends a numbered text.
    Say(HostId),
    SayToAll,
}

/// What befalls a host.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// It goes on after a stop: what came meanwhile is there, but its first look at it is interrupted.
    Continued,
    /// It reads nothing more, until it hears again.
    Deaf,
    Hearing,
    /// Somebody wants the program to end.
    Interrupted,
    /// The process is killed: the kernel closes what it held.
    Killed,
    Started,
    /// The process is stopped; the kernel keeps what comes.
    Stopped,
    /// The power fails: nobody is told.
    Vanished,
}

/// What happens at some time.
#[derive(Debug)]
pub enum Event {
    /// A dial reaches the host that it is meant for.
    Arrive(usize),
    Break(EndId, CloseReason),
    /// A datagram reaches a host, from this address.
    Datagram(HostId, SocketAddr, Vec<u8>),
    Deliver(EndId),
    /// A dial's outcome reaches the dialler.
    Dialled(usize, Result<(), CloseReason>),
    Due(HostId),
    Meet(HostId, Fate),
    Want(HostId, Act),
    /// A wire that was full has room again.
    Writable(EndId),
}

pub struct World {
    pub faults: Faults,
    /// Its programs have keys, and some insist on encryption.
    pub has_keys: bool,
    pub hosts: Vec<Host>,
    pub ledger: Ledger,
    /// The time since the world began.
    pub now: Duration,
    pub base: Instant,
    /// In the order of their times; of one time, in the order in which they were entered.
    agenda: BTreeMap<(Duration, u64), Event>,
    entered: u64,
    pub wires: Vec<Wire>,
    pub by_address: BTreeMap<SocketAddr, HostId>,
    /// Connections that broke while something was on its way.
    pub resets: u64,
    /// Where scripts listen, and the ends that they were dialled on.
    pub script_listeners: BTreeMap<SocketAddr, Vec<EndId>>,
    pub next_port: u16,
    pub rng: Rng,
    trace: DefaultHasher,
    pub is_trace_printed: bool,
    /// Nobody says anything but numbered texts, so the ledger has all of them.
    pub is_each_text_numbered: bool,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "a moment to count from; the clock is never read again")]
    pub fn new(faults: Faults, rng: Rng) -> Self {
        Self {
            faults,
            has_keys: false,
            hosts: Vec::new(),
            ledger: Ledger::default(),
            now: Duration::ZERO,
            base: Instant::now(),
            agenda: BTreeMap::new(),
            entered: 0,
            wires: Vec::new(),
            by_address: BTreeMap::new(),
            resets: 0,
            script_listeners: BTreeMap::new(),
            next_port: 0,
            rng,
            trace: DefaultHasher::new(),
            is_trace_printed: false,
            is_each_text_numbered: false,
        }
    }

    /// A host with a running node.
    pub fn add(&mut self, address: SocketAddr, config: Config) -> HostId {
        let config = Config {
            name: Some(format!("n{}", self.hosts.len())),
            port: Some(address.port()),
            interfaces: vec![Interface::alone(address.ip())],
            ..config
        };
        let id = self.add_host(address, Recipe::Chat(config));
        self.by_address.insert(address, id);
        id
    }

    /// A host with a generator that begins at once. Nobody can dial it.
    pub fn add_swarm(&mut self, address: SocketAddr, plan: Plan) -> HostId {
        self.add_host(address, Recipe::Swarm(plan))
    }

    fn add_host(&mut self, address: SocketAddr, recipe: Recipe) -> HostId {
        let id = self.hosts.len();
        self.hosts.push(Host {
            address,
            program: None,
            past: None,
            life: 0,
            links: BTreeMap::new(),
            notices: Vec::new(),
            acts: VecDeque::new(),
            exit: None,
            dialled: [0, 0],
            is_deaf: false,
            has_joined: false,
            recipe,
            said: 0,
            due: None,
            again: (Duration::ZERO, 0),
            to_flush: Vec::new(),
            stale: VecDeque::new(),
            stopped_at: None,
            missed: Vec::new(),
        });
        self.start(id);
        id
    }

    /// The chat on this host, also when it is over.
    pub fn node(&self, id: HostId) -> &Node {
        self.hosts[id].last().and_then(Program::as_node).expect("a chat")
    }

    /// The generator on this host, also when it is over.
    pub fn swarm(&self, id: HostId) -> &Swarm {
        self.hosts[id].last().and_then(Program::as_swarm).expect("a generator")
    }

    /// The connection on which `id` speaks with `other`.
    pub fn session(&self, id: HostId, other: HostId) -> Option<ConnId> {
        self.hosts[id].node()?.directory().peer(self.hosts[other].address)?.session
    }

    /// One number for all that ever went into a program or came out of it.
    pub fn trace_hash(&self) -> u64 {
        self.trace.finish()
    }

    /// The user of a host wants something, so long after now.
    pub fn want(&mut self, id: HostId, act: Act, after: Duration) {
        self.enter(after, Event::Want(id, act));
    }

    pub fn befall(&mut self, id: HostId, fate: Fate, after: Duration) {
        self.enter(after, Event::Meet(id, fate));
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(next) = self.agenda.first_entry().filter(|next| next.key().0 <= until) {
            let ((at, _), event) = next.remove_entry();
            self.now = at;
            self.happen(event);
        }
        self.now = until;
    }

    pub fn enter(&mut self, after: Duration, event: Event) {
        self.entered += 1;
        self.agenda.insert((self.now + after, self.entered), event);
    }

    fn happen(&mut self, event: Event) {
        if let Some(id) = self.host_of(&event).filter(|&id| self.hosts[id].stopped_at.is_some()) {
            return self.hosts[id].missed.push(event);
        }
        match event {
            Event::Arrive(wire) => self.arrive(wire),
            Event::Break(end, reason) => self.break_end(end, reason),
            Event::Datagram(id, from, bytes) if self.hosts[id].has_joined => {
                let bytes = &bytes[..];
                self.handle(id, Input::Datagram(Datagram { on: LINK, from, hop_limit: Some(255), bytes }));
                self.end_turn(id);
            }
            Event::Datagram(..) => {}
            Event::Deliver(end) => self.deliver(end),
            Event::Dialled(wire, outcome) => self.dialled(wire, outcome),
            Event::Due(id) => self.fire(id),
            Event::Meet(id, fate) => self.meet(id, fate),
            Event::Want(id, act) => {
                self.hosts[id].acts.push_back(act);
                self.end_turn(id);
            }
            Event::Writable(end) => {
                if let Owner::Program(id, conn) = self.owner(end) {
                    self.hosts[id].to_flush.push(conn);
                    self.end_turn(id);
                }
            }
        }
    }
}

/// The life of a host, turn by turn.
impl World {
    /// The host whose program has to do something for this to happen.
    fn host_of(&self, event: &Event) -> Option<HostId> {
        let of_end = |end: EndId| match self.owner(end) {
            Owner::Program(id, _) => Some(id),
            Owner::Nobody | Owner::Script => None,
        };
        match event {
            Event::Arrive(wire) => self.dialled_host(*wire),
            Event::Break(end, _) | Event::Deliver(end) | Event::Writable(end) => of_end(*end),
            Event::Dialled(wire, _) => of_end(Self::dialler(*wire)),
            Event::Datagram(id, ..)
            | Event::Due(id)
            | Event::Meet(id, Fate::Interrupted)
            | Event::Want(id, _) => Some(*id),
            Event::Meet(..) => None,
        }
    }

    fn go_on(&mut self, id: HostId) {
        let Some(stopped_at) = self.hosts[id].stopped_at.take() else { return };
        // The look of the turn in which it was stopped found nothing: it was interrupted.
        self.hosts[id].due = None;
        self.fire_due(id, stopped_at);
        self.end_turn(id);
        self.happen_now(id);
    }

    /// What happened while the host was stopped.
    fn happen_now(&mut self, id: HostId) {
        for event in std::mem::take(&mut self.hosts[id].missed) {
            self.happen(event);
        }
    }

    fn meet(&mut self, id: HostId, fate: Fate) {
        match fate {
            Fate::Continued => self.go_on(id),
            Fate::Stopped => {
                let (now, host) = (self.now, &mut self.hosts[id]);
                host.stopped_at = host.stopped_at.or(host.program.is_some().then_some(now));
            }
            Fate::Deaf => self.hosts[id].is_deaf = true,
            Fate::Hearing => {
                self.hosts[id].is_deaf = false;
                let ends: Vec<EndId> = self.hosts[id].links.values().copied().collect();
                ends.into_iter().for_each(|end| self.set_moving(end));
            }
            Fate::Interrupted => {
                self.handle(id, Input::Interrupted);
                self.end_turn(id);
            }
            Fate::Killed => self.stop(id, false),
            Fate::Started if self.hosts[id].program.is_some() => {}
            Fate::Started => self.start(id),
            Fate::Vanished => self.stop(id, true),
        }
    }

    fn start(&mut self, id: HostId) {
        let now = self.base + self.now;
        let host = &mut self.hosts[id];
        host.life += 1;
        host.exit = None;
        host.program = Some(host.recipe.start(now));
        self.drain(id);
        self.end_turn(id);
    }

    fn stop(&mut self, id: HostId, is_silent: bool) {
        let host = &mut self.hosts[id];
        host.past = host.program.take().or(host.past.take());
        host.acts.clear();
        host.to_flush.clear();
        host.stale.clear();
        host.stopped_at = None;
        for (_, end) in std::mem::take(&mut host.links) {
            if is_silent {
                self.cut_end(end);
            } else {
                self.drop_end(end);
            }
        }
        self.happen_now(id);
    }

    pub fn handle(&mut self, id: HostId, input: Input<'_>) {
        self.note(id, format_args!("<- {input:?}"));
        let now = self.base + self.now;
        let host = &mut self.hosts[id];
        host.dialled[1] += u64::from(matches!(input, Input::Connected { .. }));
        if let Some(program) = &mut host.program {
            program.handle(input, now);
            self.drain(id);
        }
    }

    /// All that the machine wants, before anything else is handled.
    pub fn drain(&mut self, id: HostId) {
        let Some(program) = &mut self.hosts[id].program else { return };
        let outputs: Vec<_> = std::iter::from_fn(|| program.poll_output()).collect();
        for output in outputs {
            self.note(id, format_args!("-> {output:?}"));
            match output {
                Output::Close { conn, how: How::Now } => {
                    // Unknown is only a dial that had to wait and was given up before its turn.
                    if let Some(end) = self.unlink(id, conn) {
                        self.drop_end(end);
                    }
                }
                Output::Close { conn, how: How::Reset } => {
                    if let Some(end) = self.unlink(id, conn) {
                        self.reset_end(end);
                    }
                }
                Output::Close { conn, how: How::HalfClose } => {
                    let Some(&end) = self.hosts[id].links.get(&conn) else {
                        // It said exit and was gone; the machine tidies up while it is told so.
                        assert!(self.hosts[id].stale.contains(&conn), "host {id}: {conn:?} never was");
                        continue;
                    };
                    self.close_after_flush(end);
                    self.hosts[id].to_flush.push(conn);
                }
                Output::Connect { conn, to, from } => {
                    self.hosts[id].dialled[0] += 1;
                    self.dial(id, conn, to, from);
                }
                Output::FindRoute(to) => {
                    let from = Ok(self.hosts[id].address.ip());
                    self.handle(id, Input::Route { to, from });
                }
                Output::Datagram { to, bytes, .. } => self.carry_datagram(id, to, bytes),
                Output::Join(_) => {
                    self.hosts[id].has_joined = true;
                    let ip = self.hosts[id].address.ip();
                    let interface = Interface { index: LINK, prefix: 8, ..Interface::alone(ip) };
                    self.handle(id, Input::Joined(vec![interface]));
                }
                Output::Leave => self.hosts[id].has_joined = false,
                Output::Listen(_) => {
                    let local = self.hosts[id].address;
                    self.handle(id, Input::Listening { local });
                }
                Output::Notice(Told::Chat(notice)) => self.on_notice(id, notice),
                Output::Notice(Told::Swarm(notice)) => self.on_swarm_notice(id, notice),
                Output::Quit(code) => self.hosts[id].exit = Some((code, self.now)),
            }
        }
    }

    /// To a group it goes to every host, its own too. Each may lose it.
    fn carry_datagram(&mut self, id: HostId, to: SocketAddr, bytes: Vec<u8>) {
        let from = SocketAddr::new(self.hosts[id].address.ip(), to.port());
        for hearer in 0..self.hosts.len() {
            let is_meant = to.ip().is_multicast() || to.ip() == self.hosts[hearer].address.ip();
            if is_meant && !chance(&mut self.rng, self.faults.lose) {
                let delay = self.rng.u64(..=self.faults.latency_max.as_millis() as u64);
                let event = Event::Datagram(hearer, from, bytes.clone());
                self.enter(Duration::from_millis(delay), event);
            }
        }
    }

    fn on_notice(&mut self, id: HostId, notice: Notice) {
        self.enter_in_ledger(id, None, &notice);
        self.hosts[id].notices.push(notice);
    }

    fn enter_in_ledger(&mut self, id: HostId, command: Option<&CommandId>, notice: &Notice) {
        match notice {
            Notice::Answer { id: command, notice } => self.enter_in_ledger(id, Some(command), notice),
            Notice::Delivered { to, count } => {
                assert_eq!(*count, 1, "each text has an id");
                let Some(CommandId::Number(number)) = command else { panic!("host {id}: {notice:?}") };
                self.ledger.delivered(id, self.by_address[to], number.parse().unwrap());
            }
            Notice::Unconfirmed { to, text, .. } => {
                if let Some(&to) = self.by_address.get(to) {
                    self.ledger.failed(id, to, text, TextFate::Unconfirmed);
                }
            }
            Notice::Message { who, text, .. } => {
                if let Some(&from) = self.by_address.get(&who.address) {
                    self.ledger.heard(from, id, text);
                }
            }
            Notice::Refused { text, .. } => self.ledger.refused(id, text),
            Notice::NotSent { to, text, .. } => {
                if let Some(&to) = self.by_address.get(to) {
                    self.ledger.failed(id, to, text, TextFate::NotSent);
                }
            }
            Notice::ManyFailed(many) => {
                for to in many.to.iter().filter_map(|to| self.by_address.get(to)) {
                    match &many.what {
                        Failed::Connect => {}
                        Failed::Session => self.ledger.lost(id, *to),
                        Failed::Text(text) => self.ledger.failed(id, *to, text, TextFate::NotSent),
                        Failed::Confirmation(text) => {
                            self.ledger.failed(id, *to, text, TextFate::Unconfirmed);
                        }
                    }
                }
            }
            Notice::Disconnected(who) | Notice::Lost { who, .. } => {
                if let Some(&to) = self.by_address.get(&who.address) {
                    self.ledger.lost(id, to);
                }
            }
            _ => {}
        }
    }

    /// What whoever drives a generator does: lets it go on, and has the target's user say something.
    fn on_swarm_notice(&mut self, id: HostId, notice: SwarmNotice) {
        let Recipe::Swarm(plan) = &self.hosts[id].recipe else { return };
        match notice {
            SwarmNotice::Paused(_) => self.want(id, Act::Line(GO.to_owned()), PAUSE),
            SwarmNotice::Progress { connected, done, total } => {
                assert_eq!(connected, self.hosts[id].links.len() as u64, "host {id}: each has one wire");
                assert!(done <= total, "host {id}: {done} of {total}");
            }
            SwarmNotice::Trigger => {
                let (target, batch) = (self.by_address.get(&plan.target).copied(), plan.batch);
                for target in target.into_iter().cycle().take(batch) {
                    self.want(target, Act::SayToAll, Duration::ZERO);
                }
            }
        }
    }

    /// What remains of a turn after its events: the user types, then everything is flushed at once.
    pub fn end_turn(&mut self, id: HostId) {
        self.ask_about_the_dead(id);
        while self.hosts[id].program.as_ref().is_some_and(Machine::wants_line) {
            let Some(act) = self.hosts[id].acts.pop_front() else { break };
            self.act(id, act);
        }
        while let Some(program) = &mut self.hosts[id].program {
            let transmit = program.poll_transmit();
            let Some(conn) = transmit.or_else(|| self.hosts[id].to_flush.pop()) else { break };
            self.flush(id, conn);
        }
        if self.hosts[id].exit.is_some() {
            self.stop(id, false);
            if self.is_each_text_numbered {
                checks::each_text_had_one_fate(self, id);
            }
            return;
        }
        self.arm(id);
        checks::after_turn(self, id);
    }

    /// Enters the program's next deadline, unless an earlier look at it is entered already.
    fn arm(&mut self, id: HostId) {
        let Some(at) = self.hosts[id].program.as_ref().and_then(Machine::poll_timeout) else { return };
        let at = at.duration_since(self.base).max(self.now);
        if self.hosts[id].due.is_none_or(|due| at < due) {
            self.hosts[id].due = Some(at);
            self.enter(at - self.now, Event::Due(id));
        }
    }

    fn fire(&mut self, id: HostId) {
        if self.hosts[id].due != Some(self.now) {
            return;
        }
        self.hosts[id].due = None;
        self.fire_due(id, self.now);
        self.end_turn(id);
    }

    /// Fires what is due now, where the program has seen all that came until then.
    fn fire_due(&mut self, id: HostId, caught_up_at: Duration) {
        let now = self.base + self.now;
        if let Some(program) = &mut self.hosts[id].program {
            program.caught_up(self.base + caught_up_at);
        }
        let is_due =
            |host: &Host| host.program.as_ref().and_then(Machine::poll_timeout).is_some_and(|at| at <= now);
        if is_due(&self.hosts[id]) {
            self.handle(id, Input::Timeout);
            let (now, host) = (self.now, &mut self.hosts[id]);
            // Who does a little at a time may come back at once, but comes to its end.
            let again = is_due(host) && host.exit.is_none() && caught_up_at == now;
            let times = if host.again.0 == now { host.again.1 } else { 0 };
            host.again = (now, times + u32::from(again));
            assert!(host.again.1 < SPINS_MAX, "host {id} spins");
        }
    }

    fn act(&mut self, id: HostId, act: Act) {
        let before = self.hosts[id].notices.len();
        let said_to = if let Act::Say(to) = act { Some(to) } else { None };
        let is_program = self.hosts[id].is_program();
        for line in if is_program { vec![self.command(id, act)] } else { self.typed(id, act) } {
            self.handle(id, Input::Line(&line));
        }
        let is_sent = |notice: &Notice| match notice {
            Notice::Answer { notice, .. } => matches!(**notice, Notice::Sent(_)),
            notice => matches!(notice, Notice::Sent(_)),
        };
        let host = &self.hosts[id];
        let is_queued = host.notices.get(before..).is_some_and(|told| told.iter().any(is_sent));
        if let Some(to) = said_to.filter(|_| is_queued) {
            self.ledger.queued(id, to, host.said);
        }
    }

    /// What a program writes.
    fn command(&mut self, id: HostId, act: Act) -> String {
        let address = |host: HostId| self.hosts[host].address;
        match act {
            Act::Connect(to) => format!(r#"{{"command":"connect","to":"{}"}}"#, address(to)),
            Act::Diagnose(to) => format!(r#"{{"command":"diagnose","to":"{}"}}"#, address(to)),
            Act::Exit(to) => format!(r#"{{"command":"exit","to":"{}"}}"#, address(to)),
            Act::Line(line) => line,
            Act::Query => r#"{"command":"peers"}"#.to_owned(),
            Act::Quit => r#"{"command":"quit"}"#.to_owned(),
            Act::Say(to) => {
                let (text, to) = (self.number_text(id, Some(to), &[to]), self.hosts[to].address);
                let number = self.hosts[id].said;
                format!(r#"{{"command":"send","to":"{to}","text":"{text}","id":{number}}}"#)
            }
            Act::SayToAll => {
                let to = self.all_of(id);
                let (text, number) = (self.number_text(id, None, &to), self.hosts[id].said);
                format!(r#"{{"command":"send-all","text":"{text}","id":{number}}}"#)
            }
        }
    }

    /// Who gets a text to all.
    fn all_of(&self, id: HostId) -> Vec<HostId> {
        let known = self.node(id).directory().iter().filter(|peer| !peer.is_offline);
        known.filter_map(|peer| self.by_address.get(&peer.address).copied()).collect()
    }

    /// What a person types.
    fn typed(&mut self, id: HostId, act: Act) -> Vec<String> {
        match act {
            Act::Connect(to) => vec!["3".to_owned(), self.hosts[to].address.to_string()],
            Act::Diagnose(to) => vec![format!("/diagnose {}", self.hosts[to].address)],
            Act::Exit(to) => vec!["1".to_owned(), self.hosts[to].address.to_string(), "exit".to_owned()],
            Act::Line(line) => vec![line],
            Act::Query => vec!["2".to_owned()],
            Act::Quit => vec!["0".to_owned()],
            Act::Say(to) => {
                let text = self.number_text(id, Some(to), &[to]);
                vec!["1".to_owned(), self.hosts[to].address.to_string(), text]
            }
            Act::SayToAll => {
                let to = self.all_of(id);
                vec!["5".to_owned(), self.number_text(id, None, &to)]
            }
        }
    }

    fn number_text(&mut self, id: HostId, to: Option<HostId>, all: &[HostId]) -> String {
        self.hosts[id].said += 1;
        let number = self.hosts[id].said;
        for &to in all {
            let route = (self.hosts[id].life, self.session(id, to));
            self.ledger.said(id, to, number, route, self.hosts[to].life);
        }
        checks::text(id, to, number)
    }

    /// A stale id changes nothing, though its slot may belong to another connection by now.
    fn ask_about_the_dead(&mut self, id: HostId) {
        if !chance(&mut self.rng, self.faults.stale) || self.hosts[id].stale.is_empty() {
            return;
        }
        let choice = self.rng.usize(0..self.hosts[id].stale.len());
        let conn = self.hosts[id].stale[choice];
        let now = self.base + self.now;
        let local = self.hosts[id].address;
        let Some(program) = &mut self.hosts[id].program else { return };
        let before = format!("{program:?}");
        program.handle(Input::Connected { conn, local }, now);
        program.handle(Input::Received { conn, bytes: b"10.0.9.9:99 nobody boo\n" }, now);
        program.handle(Input::Closed { conn, reason: CloseReason::Reset }, now);
        assert!(program.send_queue(conn).is_none() && program.poll_output().is_none(), "host {id} {conn:?}");
        assert_eq!(before, format!("{program:?}"), "host {id} {conn:?}");
    }

    pub fn unlink(&mut self, id: HostId, conn: ConnId) -> Option<EndId> {
        let host = &mut self.hosts[id];
        let end = host.links.remove(&conn)?;
        host.stale.push_back(conn);
        if host.stale.len() > STALE_IDS_MAX {
            host.stale.pop_front();
        }
        Some(end)
    }

    pub fn note(&mut self, id: HostId, what: fmt::Arguments<'_>) {
        let Self { trace, now, .. } = self;
        let _ = write!(HashWriter(trace), "{now:?} {id} {what}");
        if self.is_trace_printed {
            self.print(id, what);
        }
    }

    #[expect(clippy::disallowed_macros, reason = "the trace that SIM_SEED asked for")]
    fn print(&self, id: HostId, what: fmt::Arguments<'_>) {
        eprintln!("{:>10.3?} n{id} {what}", self.now);
    }
}

impl Host {
    fn last(&self) -> Option<&Program> {
        self.program.as_ref().or(self.past.as_ref())
    }

    /// Whether the user of the chat here is a program.
    pub fn is_program(&self) -> bool {
        matches!(&self.recipe, Recipe::Chat(config) if config.dialogue == Dialogue::Commands)
    }

    /// The chat that runs here.
    pub fn node(&self) -> Option<&Node> {
        self.program.as_ref().and_then(Program::as_node)
    }
}

struct HashWriter<'a>(&'a mut DefaultHasher);

impl fmt::Write for HashWriter<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0.write(part.as_bytes());
        Ok(())
    }
}
