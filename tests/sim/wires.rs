//! The wires of a world: two directions of bytes each, with a pace, a bounded window, half-closes, closes
//! and resets. Here is what a kernel and a network do; who holds an end is in `world`.

use crate::faults::{Pace, chance};
use crate::world::{Event, HostId, World};
use chinwag::proto::machine::{CloseReason, ConnId, Input, Machine};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The most that one read gives, as the event loop's buffer.
const READ_BYTES_MAX: usize = 64 * 1024;

/// How long a kernel goes on with a connection whose other host vanished.
pub const VANISHED_TIMEOUT: Duration = Duration::from_secs(60);

/// One end of a wire: side 0 dialled, side 1 was dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndId {
    wire: usize,
    side: usize,
}

impl EndId {
    pub fn other(self) -> Self {
        Self { side: 1 - self.side, ..self }
    }

    pub fn is_dialler(self) -> bool {
        self.side == 0
    }
}

/// Who holds an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Nobody,
    Program(HostId, ConnId),
    /// The test itself, in the part of a peer that speaks raw bytes.
    Script,
}

/// One side of a wire, and what is on its way to it.
#[derive(Debug)]
struct End {
    owner: Owner,
    address: SocketAddr,
    /// Bytes on their way to this end.
    incoming: VecDeque<u8>,
    /// The other side sends nothing after them.
    is_ended: bool,
    /// A delivery to this end is in the agenda.
    is_moving: bool,
    /// The owner wants to shut down its side once its queue is written.
    is_closing: bool,
    /// The owner has more to write than the wire took.
    is_blocked: bool,
    /// A script that does not read lets the wire fill up.
    is_reading: bool,
    /// What a script has read so far, and how that ended.
    read: Vec<u8>,
    closed: Option<CloseReason>,
}

/// A connection as the network sees it.
#[derive(Debug)]
pub struct Wire {
    ends: [End; 2],
    pace: Pace,
    /// The dial has succeeded.
    is_up: bool,
    /// Nothing passes any more, and nobody is told.
    is_cut: bool,
}

/// What a wire does with bytes.
impl World {
    pub fn owner(&self, end: EndId) -> Owner {
        self.end(end).owner
    }

    pub fn wires_in_use(&self) -> usize {
        let is_held = |wire: &&Wire| wire.ends.iter().any(|end| end.owner != Owner::Nobody);
        self.wires.iter().filter(is_held).count()
    }

    fn end(&self, end: EndId) -> &End {
        &self.wires[end.wire].ends[end.side]
    }

    fn end_mut(&mut self, end: EndId) -> &mut End {
        &mut self.wires[end.wire].ends[end.side]
    }

    fn add_wire(&mut self, from: IpAddr, to: SocketAddr, owner: Owner) -> EndId {
        self.next_port = self.next_port % 16_384 + 1;
        let from = SocketAddr::new(from, 49_151 + self.next_port);
        let pace = self.faults.pace(&mut self.rng);
        let ends = [End::new(owner, from), End::new(Owner::Nobody, to)];
        self.wires.push(Wire { ends, pace, is_up: false, is_cut: false });
        let wire = self.wires.len() - 1;
        self.enter(pace.latency, Event::Arrive(wire));
        EndId { wire, side: 0 }
    }

    pub fn dial(&mut self, id: HostId, conn: ConnId, to: SocketAddr, from: Option<IpAddr>) {
        let from = from.unwrap_or(self.hosts[id].address.ip());
        let end = self.add_wire(from, to, Owner::Program(id, conn));
        assert!(self.hosts[id].links.insert(conn, end).is_none(), "host {id}: {conn:?} twice");
    }

    /// The end from which a wire was dialled.
    pub fn dialler(wire: usize) -> EndId {
        EndId { wire, side: 0 }
    }

    /// The host that a dial is for.
    pub fn dialled_host(&self, wire: usize) -> Option<HostId> {
        self.by_address.get(&self.end(EndId { wire, side: 1 }).address).copied()
    }

    pub fn arrive(&mut self, wire: usize) {
        let [near, far] = [EndId { wire, side: 0 }, EndId { wire, side: 1 }];
        let (from, to) = (self.end(near).address, self.end(far).address);
        let latency = self.wires[wire].pace.latency;
        let host = self.dialled_host(wire);
        if self.wires[wire].is_cut
            || self.end(near).owner == Owner::Nobody
            || chance(&mut self.rng, self.faults.lose)
        {
            return;
        }
        if let Some(ends) = self.script_listeners.get_mut(&to) {
            ends.push(far);
            self.end_mut(far).owner = Owner::Script;
            return self.enter(latency, Event::Dialled(wire, Ok(())));
        }
        let is_refused = chance(&mut self.rng, self.faults.refuse);
        let Some(id) = host.filter(|&id| self.hosts[id].program.is_some() && !is_refused) else {
            return self.enter(latency, Event::Dialled(wire, Err(CloseReason::Refused)));
        };
        self.enter(latency, Event::Dialled(wire, Ok(())));
        let now = self.base + self.now;
        let Some(program) = &mut self.hosts[id].program else { return };
        let conn = program.accept(from, to, now);
        self.note(id, format_args!("accept {from} {conn:?}"));
        self.drain(id);
        match conn {
            Some(conn) => {
                self.end_mut(far).owner = Owner::Program(id, conn);
                assert!(self.hosts[id].links.insert(conn, far).is_none(), "host {id}: {conn:?} twice");
            }
            // A refusal is a reset: an end would look to the dialler as if its message had been taken.
            None => self.enter(latency, Event::Break(near, CloseReason::Reset)),
        }
        self.end_turn(id);
    }

    pub fn dialled(&mut self, wire: usize, outcome: Result<(), CloseReason>) {
        let end = EndId { wire, side: 0 };
        self.wires[wire].is_up = outcome.is_ok();
        match (self.owner(end), outcome) {
            (Owner::Program(id, conn), Ok(())) => {
                let local = self.end(end).address;
                self.handle(id, Input::Connected { conn, local });
                self.end_turn(id);
            }
            (_, Err(reason)) => self.break_end(end, reason),
            (Owner::Script, Ok(())) | (Owner::Nobody, _) => {}
        }
        self.set_moving(end);
        self.set_moving(end.other());
    }

    pub fn flush(&mut self, id: HostId, conn: ConnId) {
        let host = &mut self.hosts[id];
        let Some(&end) = host.links.get(&conn) else { return };
        let wire = &mut self.wires[end.wire];
        let queue = host.program.as_mut().and_then(|program| program.send_queue(conn));
        let Some(queue) = queue.filter(|_| wire.is_up) else { return };
        let [near, far] = [end.side, 1 - end.side];
        assert!(queue.is_empty() || !wire.ends[far].is_ended, "host {id}: {conn:?} speaks after its end");
        let mut writer = Writer { pipe: &mut wire.ends[far].incoming, window: wire.pace.window };
        match queue.write_to(&mut writer) {
            Ok(()) => wire.ends[far].is_ended |= wire.ends[near].is_closing,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wire.ends[near].is_blocked = true,
            Err(error) => panic!("a wire does not fail: {error}"),
        }
        self.set_moving(end.other());
    }

    /// Sees to it that what is on its way to `end` gets there.
    pub fn set_moving(&mut self, end: EndId) {
        let latency = self.wires[end.wire].pace.latency;
        self.set_moving_after(end, latency);
    }

    fn set_moving_after(&mut self, end: EndId, after: Duration) {
        let Wire { is_up, is_cut, .. } = self.wires[end.wire];
        let is_deaf = self.is_deaf(end);
        let state = self.end_mut(end);
        let has_something = !is_deaf && (!state.incoming.is_empty() || state.is_ended);
        if has_something && is_up && !is_cut && !std::mem::replace(&mut state.is_moving, true) {
            self.enter(after, Event::Deliver(end));
        }
    }

    /// Whether its owner does not read for now.
    fn is_deaf(&self, end: EndId) -> bool {
        match self.owner(end) {
            Owner::Nobody => false,
            Owner::Program(id, _) => self.hosts[id].is_deaf,
            Owner::Script => !self.end(end).is_reading,
        }
    }

    pub fn deliver(&mut self, end: EndId) {
        let Wire { pace, is_cut, .. } = self.wires[end.wire];
        self.end_mut(end).is_moving = false;
        if is_cut || self.is_deaf(end) {
            return;
        }
        let owner = self.owner(end);
        if owner == Owner::Nobody {
            // As a kernel answers bytes for a socket that is closed.
            if !self.end(end).incoming.is_empty() {
                self.end_mut(end).incoming.clear();
                self.enter(pace.latency, Event::Break(end.other(), CloseReason::Reset));
            }
            return;
        }
        if self.end(end).incoming.is_empty() {
            return self.deliver_end(end);
        }
        let chunk = self.rng.usize(1..=pace.chunk_max.min(READ_BYTES_MAX));
        let is_reset = chance(&mut self.rng, self.faults.reset);
        let incoming = &mut self.end_mut(end).incoming;
        let bytes: Vec<u8> = incoming.drain(..chunk.min(incoming.len())).collect();
        if std::mem::take(&mut self.end_mut(end.other()).is_blocked) {
            self.enter(pace.latency, Event::Writable(end.other()));
        }
        if let Owner::Program(id, conn) = owner {
            self.handle(id, Input::Received { conn, bytes: &bytes });
            self.end_turn(id);
        } else {
            self.end_mut(end).read.extend(bytes);
        }
        if is_reset {
            self.resets += 1;
            self.enter(Duration::ZERO, Event::Break(end, CloseReason::Reset));
            self.enter(Duration::ZERO, Event::Break(end.other(), CloseReason::Reset));
        }
        self.set_moving_after(end, pace.gap);
    }

    /// The other side has shut down. As the event loop does: what we have to say first, then the end.
    fn deliver_end(&mut self, end: EndId) {
        match self.owner(end) {
            Owner::Program(id, conn) => {
                self.flush(id, conn);
                self.unlink(id, conn);
                self.drop_end(end);
                self.handle(id, Input::Closed { conn, reason: CloseReason::Eof });
                self.end_turn(id);
            }
            Owner::Script => self.end_mut(end).closed = Some(CloseReason::Eof),
            Owner::Nobody => {}
        }
    }

    pub fn break_end(&mut self, end: EndId, reason: CloseReason) {
        self.end_mut(end).incoming.clear();
        self.end_mut(end).is_ended = false;
        match std::mem::replace(&mut self.end_mut(end).owner, Owner::Nobody) {
            Owner::Program(id, conn) => {
                self.unlink(id, conn);
                self.handle(id, Input::Closed { conn, reason });
                self.end_turn(id);
            }
            Owner::Script => self.end_mut(end).closed = Some(reason),
            Owner::Nobody => {}
        }
    }

    /// The queue of its owner first, then the end of it.
    pub fn close_after_flush(&mut self, end: EndId) {
        self.end_mut(end).is_closing = true;
    }

    /// Its owner vanishes without a word. The other side's kernel finds out late.
    pub fn cut_end(&mut self, end: EndId) {
        self.wires[end.wire].is_cut = true;
        self.end_mut(end).owner = Owner::Nobody;
        self.enter(VANISHED_TIMEOUT, Event::Break(end.other(), CloseReason::TimedOut));
    }

    /// Its owner closes the socket: what is written still travels, the end of it behind.
    /// Closes an end so that the other side sees that what it sent was not taken.
    pub fn reset_end(&mut self, end: EndId) {
        let latency = self.wires[end.wire].pace.latency;
        self.end_mut(end).owner = Owner::Nobody;
        self.enter(latency, Event::Break(end.other(), CloseReason::Reset));
    }

    pub fn drop_end(&mut self, end: EndId) {
        self.end_mut(end).owner = Owner::Nobody;
        self.end_mut(end.other()).is_ended = true;
        self.set_moving(end);
        self.set_moving(end.other());
    }
}

/// A peer that the test plays itself.
impl World {
    pub fn script_dials(&mut self, from: &str, to: HostId) -> EndId {
        let to = self.hosts[to].address;
        self.add_wire(from.parse().expect("an IP"), to, Owner::Script)
    }

    pub fn script_listens(&mut self, at: &str) {
        self.script_listeners.insert(at.parse().expect("an address"), Vec::new());
    }

    /// What came to a script on each connection that was made to it.
    pub fn script_heard(&self, at: &str) -> Vec<String> {
        let at = at.parse().expect("an address");
        self.script_listeners[&at].iter().map(|&end| self.script_read(end)).collect()
    }

    /// The ends on which a script was dialled.
    pub fn script_ends(&self, at: &str) -> Vec<EndId> {
        self.script_listeners[&at.parse().expect("an address")].clone()
    }

    pub fn script_read(&self, end: EndId) -> String {
        String::from_utf8_lossy(self.script_read_bytes(end)).into_owned()
    }

    pub fn script_read_bytes(&self, end: EndId) -> &[u8] {
        &self.end(end).read
    }

    pub fn script_closed(&self, end: EndId) -> Option<CloseReason> {
        self.end(end).closed
    }

    pub fn script_stops_reading(&mut self, end: EndId) {
        self.end_mut(end).is_reading = false;
    }

    pub fn script_writes(&mut self, end: EndId, text: &str) {
        self.script_writes_bytes(end, text.as_bytes());
    }

    pub fn script_writes_bytes(&mut self, end: EndId, bytes: &[u8]) {
        self.end_mut(end.other()).incoming.extend(bytes);
        self.set_moving(end.other());
    }

    pub fn script_closes_its_side(&mut self, end: EndId) {
        self.end_mut(end.other()).is_ended = true;
        self.set_moving(end.other());
    }
}

impl End {
    fn new(owner: Owner, address: SocketAddr) -> Self {
        Self {
            owner,
            address,
            incoming: VecDeque::new(),
            is_ended: false,
            is_moving: false,
            is_closing: false,
            is_blocked: false,
            is_reading: true,
            read: Vec::new(),
            closed: None,
        }
    }
}

/// Takes what fits into the wire.
struct Writer<'a> {
    pipe: &'a mut VecDeque<u8>,
    window: usize,
}

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.window.saturating_sub(self.pipe.len()).min(bytes.len());
        if room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.pipe.extend(&bytes[..room]);
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
