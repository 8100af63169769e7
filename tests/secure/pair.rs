//! Two nodes in memory, the wires between them, and a clock that jumps from one moment to the next. What passes on the
//! first wire is recorded, and one bit of it may be flipped.

use chinwag::chat::book::Known;
use chinwag::chat::node::{Config, Dialogue, Node};
use chinwag::chat::notice::Notice;
use chinwag::proto::interface::Interface;
use chinwag::proto::machine::{CloseReason, ConnId, How, Input, Machine, Output};
use chinwag::proto::secure::{Identity, Seed};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The ports from which they dial.
const FIRST_DIALLER_PORT: u16 = 50_000;

/// A place in the bytes of the first wire: which side wrote it, dialler 0 or listener 1, and which bit of it.
pub(crate) type Place = (usize, usize);

/// Two nodes.
pub(crate) struct Pair {
    pub(crate) nodes: [Node; 2],
    pub(crate) notices: [Vec<Notice>; 2],
    wires: Vec<Wire>,
    now: Instant,
    /// Which bit of the first wire is flipped.
    flip: Option<Place>,
    /// What each side of the first wire wrote, the dialler first.
    pub(crate) recorded: [Vec<u8>; 2],
    is_over: [bool; 2],
}

/// A connection: side 0 dialled.
struct Wire {
    sides: [Side; 2],
}

struct Side {
    /// Which node, and its id for it until the connection is gone there.
    node: usize,
    conn: Option<ConnId>,
    /// On the way to this side.
    incoming: VecDeque<u8>,
    /// What this side will find behind that.
    end: Option<CloseReason>,
    /// This side writes what is queued, and then nothing more.
    is_closing: bool,
}

/// The address of a node.
pub(crate) fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1 + node as u8], 8000))
}

fn config(node: usize, known: Vec<(SocketAddr, Known)>) -> Config {
    Config {
        name: Some(format!("n{node}")),
        port: Some(address(node).port()),
        interfaces: vec![Interface::alone(address(node).ip())],
        dialogue: Dialogue::Commands,
        identity: Identity::new([7 + node as u8; 32]),
        entropy: Seed([21 + node as u8; 32]),
        seed: node as u64,
        known,
        ..Config::default()
    }
}

impl Pair {
    /// Both listen. `known` is what each of them remembers.
    pub(crate) fn new(known: [Vec<(SocketAddr, Known)>; 2], flip: Option<Place>) -> Self {
        let [a, b] = known;
        let mut pair = Self {
            nodes: [Node::new(config(0, a)), Node::new(config(1, b))],
            notices: [Vec::new(), Vec::new()],
            wires: Vec::new(),
            now: Instant::now(),
            flip,
            recorded: [Vec::new(), Vec::new()],
            is_over: [false; 2],
        };
        for node in [0, 1] {
            pair.drain(node);
        }
        pair
    }

    /// What this node remembers.
    pub(crate) fn known(&self, node: usize) -> Vec<(SocketAddr, Known)> {
        self.nodes[node].worth_keeping().collect()
    }

    /// Its user types a line.
    pub(crate) fn type_line(&mut self, node: usize, line: &str) {
        self.handle(node, Input::Line(line));
        self.end_turn(node);
    }

    /// So much time passes; what is due happens.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            while self.deliver() {}
            let due = |node: &usize| self.nodes[*node].poll_timeout().filter(|_| !self.is_over[*node]);
            let next = [0, 1].iter().filter_map(|node| Some((due(node)?, *node))).min();
            let Some((at, node)) = next.filter(|(at, _)| *at <= until) else { break };
            self.now = self.now.max(at);
            for node in [0, 1] {
                self.nodes[node].caught_up(self.now);
            }
            self.handle(node, Input::Timeout);
            self.end_turn(node);
        }
        self.now = until;
    }

    fn handle(&mut self, node: usize, input: Input<'_>) {
        if !self.is_over[node] {
            self.nodes[node].handle(input, self.now);
            self.drain(node);
        }
    }

    fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].poll_output() {
            match output {
                Output::Close { conn, how } => self.close(node, conn, how),
                Output::Connect { conn, to, .. } => self.dial(node, conn, to),
                Output::FindRoute(to) => {
                    self.nodes[node].handle(Input::Route { to, from: Ok(address(node).ip()) }, self.now);
                }
                Output::Listen(_) => {
                    self.nodes[node].handle(Input::Listening { local: address(node) }, self.now);
                }
                Output::Notice(notice) => self.notices[node].push(notice),
                Output::Quit(_) => self.is_over[node] = true,
                Output::Datagram { .. } | Output::Join(_) | Output::Leave => {}
            }
        }
    }

    /// Only the other one is there.
    fn dial(&mut self, node: usize, conn: ConnId, to: SocketAddr) {
        let other = 1 - node;
        let from = SocketAddr::new(address(node).ip(), FIRST_DIALLER_PORT + self.wires.len() as u16);
        let accepted = if self.is_over[other] { None } else { self.nodes[other].accept(from, to, self.now) };
        let side = |node, conn| Side { node, conn, incoming: VecDeque::new(), end: None, is_closing: false };
        self.wires.push(Wire { sides: [side(node, Some(conn)), side(other, accepted)] });
        self.drain(other);
        match accepted {
            Some(_) => self.nodes[node].handle(Input::Connected { conn, local: from }, self.now),
            None => {
                self.wires.last_mut().expect("it was just made").sides[0].conn = None;
                let reason = CloseReason::Refused;
                self.nodes[node].handle(Input::Closed { conn, reason }, self.now);
            }
        }
        self.end_turn(other);
    }

    fn find(&self, node: usize, conn: ConnId) -> Option<(usize, usize)> {
        let is_it = |side: &Side| side.node == node && side.conn == Some(conn);
        let of_wire = |(n, wire): (usize, &Wire)| Some((n, wire.sides.iter().position(is_it)?));
        self.wires.iter().enumerate().find_map(of_wire)
    }

    fn close(&mut self, node: usize, conn: ConnId, how: How) {
        let Some((wire, side)) = self.find(node, conn) else { return };
        let [near, far] = if side == 0 { [0, 1] } else { [1, 0] };
        let sides = &mut self.wires[wire].sides;
        match how {
            How::HalfClose => sides[near].is_closing = true,
            How::Now => {
                sides[near].conn = None;
                sides[far].end.get_or_insert(CloseReason::Eof);
            }
            How::Reset => {
                sides[near].conn = None;
                sides[far].incoming.clear();
                sides[far].end = Some(CloseReason::Reset);
            }
        }
    }

    /// What the turn queued is written.
    fn end_turn(&mut self, node: usize) {
        while let Some(conn) = self.nodes[node].poll_transmit() {
            self.flush(node, conn);
        }
        let closing: Vec<ConnId> = self
            .wires
            .iter()
            .flat_map(|wire| &wire.sides)
            .filter(|side| side.node == node && side.is_closing)
            .filter_map(|side| side.conn)
            .collect();
        closing.into_iter().for_each(|conn| self.flush(node, conn));
    }

    fn flush(&mut self, node: usize, conn: ConnId) {
        let (Some((wire, side)), Some(queue)) = (self.find(node, conn), self.nodes[node].send_queue(conn))
        else {
            return;
        };
        let mut bytes = Vec::new();
        queue.write_to(&mut bytes).expect("memory takes everything");
        let start = if wire == 0 { self.recorded[side].len() } else { 0 };
        if wire == 0 {
            self.recorded[side].extend(&bytes);
        }
        if let Some((flipped, bit)) = self.flip.filter(|_| wire == 0)
            && flipped == side
            && let Some(byte) = (bit / 8).checked_sub(start).and_then(|at| bytes.get_mut(at))
        {
            *byte ^= 1 << (bit % 8);
        }
        let is_closing = self.wires[wire].sides[side].is_closing;
        let far = &mut self.wires[wire].sides[1 - side];
        far.incoming.extend(bytes);
        if is_closing {
            far.end.get_or_insert(CloseReason::Eof);
        }
    }

    /// Brings somebody what is on its way; `false` if nothing is.
    fn deliver(&mut self) -> bool {
        let waits = |side: &Side| side.conn.is_some() && (!side.incoming.is_empty() || side.end.is_some());
        let of_wire = |(n, wire): (usize, &Wire)| Some((n, wire.sides.iter().position(waits)?));
        let Some((wire, n)) = self.wires.iter().enumerate().find_map(of_wire) else { return false };
        let side = &mut self.wires[wire].sides[n];
        let (node, Some(conn)) = (side.node, side.conn) else { return false };
        if side.incoming.is_empty() {
            let reason = side.end.take().unwrap_or(CloseReason::Eof);
            // What it has to say comes first.
            if reason == CloseReason::Eof {
                self.flush(node, conn);
            }
            let sides = &mut self.wires[wire].sides;
            sides[n].conn = None;
            sides[1 - n].end.get_or_insert(CloseReason::Eof);
            self.handle(node, Input::Closed { conn, reason });
        } else {
            let bytes: Vec<u8> = side.incoming.drain(..).collect();
            self.handle(node, Input::Received { conn, bytes: &bytes });
        }
        self.end_turn(node);
        true
    }
}
