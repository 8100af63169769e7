//! All connections of one machine: a slab whose slots have generations, the list of those with bytes to
//! send, the deadlines, and the limits on how many there may be.
//!
//! Each connection has at most one deadline that counts. A deadline that moves with every byte stays in its place and
//! is checked again when its time comes, so receiving lines touches no list.

use super::connection::{Connection, Due, Holding, Phase};
use super::deadlines::Deadlines;
use super::ends::Ends;
use super::machine::{CloseReason, ConnId};
use super::message::source_of;
use super::moment::Moment;
use super::send_queue::SendQueue;
use crate::limits::{DIALS_RESERVED, Limits, MEMORY_KEPT_EIGHTHS};
use slab::Slab;
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;

/// The table of connections; `T` is what the machine keeps with each.
#[derive(Debug)]
pub struct Connections<T> {
    slots: Slab<Connection<T>>,
    /// How many there have been; also the generation of the newest.
    generation: u32,
    /// The first moment that the table was given; the others count from it.
    epoch: Option<Instant>,
    deadlines: Deadlines,
    /// Everything that came until this moment has been handed over, if the driver has said so.
    caught_up_at: Option<Instant>,
    dirty: VecDeque<ConnId>,
    waiting: VecDeque<ConnId>,
    dialling: usize,
    by_source: BTreeMap<IpAddr, usize>,
    /// What all of them are charged for, in bytes: usually more than they hold. It can be less only by payloads that
    /// others shared when it was last counted.
    charged: usize,
    limits: Limits,
}

impl<T: Holding> Connections<T> {
    /// An empty table with these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            slots: Slab::new(),
            generation: 0,
            epoch: None,
            deadlines: Deadlines::default(),
            caught_up_at: None,
            dirty: VecDeque::new(),
            waiting: VecDeque::new(),
            dialling: 0,
            by_source: BTreeMap::new(),
            charged: 0,
            limits,
        }
    }

    /// How many have a socket.
    pub fn len(&self) -> usize {
        self.slots.len() - self.waiting.len()
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes in a connection that a peer made; `None` if there are too many, in total or from its IP.
    pub fn accept(&mut self, remote: SocketAddr, local: IpAddr, data: T, now: Instant) -> Option<ConnId> {
        let is_counted = !remote.ip().is_loopback();
        let source = source_of(remote.ip());
        let of_source = self.by_source.get(&source).copied().unwrap_or(0);
        if self.len() >= self.limits.connections_max
            || (is_counted && of_source >= self.limits.connections_per_ip_max)
        {
            return None;
        }
        if is_counted {
            self.by_source.insert(source, of_source + 1);
        }
        let now = self.moment(now);
        let mut connection = Connection::new(Phase::Greeting, remote, local, data, now);
        connection.is_counted = is_counted;
        Some(self.insert(connection))
    }

    /// Makes an outbound connection; [`Connections::next_dial`] names it when its turn comes.
    pub fn dial(&mut self, to: SocketAddr, data: T, now: Instant) -> ConnId {
        let unknown = Ipv4Addr::UNSPECIFIED.into();
        let now = self.moment(now);
        let conn = self.insert(Connection::new(Phase::Waiting, to, unknown, data, now));
        self.waiting.push_back(conn);
        conn
    }

    /// The next dial to be made, as long as not too many are under way.
    pub fn next_dial(&mut self, now: Instant) -> Option<(ConnId, SocketAddr)> {
        let has_room = self.len() < self.limits.connections_max.saturating_add(DIALS_RESERVED);
        if self.dialling >= self.limits.dials_max || !has_room {
            return None;
        }
        let conn = self.waiting.pop_front()?;
        self.set_phase(conn, Phase::Dialling, now);
        self.get(conn).map(|connection| (conn, connection.remote()))
    }

    /// A dial has succeeded; our own IP on it is `local`.
    pub fn connected(&mut self, conn: ConnId, local: IpAddr, now: Instant) {
        if let Some(connection) = self.get_mut(conn) {
            connection.ends = Ends::new(connection.remote(), local);
            self.set_phase(conn, Phase::Open, now);
        }
    }

    /// All of them, in no order.
    pub fn ids(&self) -> Vec<ConnId> {
        self.slots.iter().map(|(slot, connection)| ConnId::new(slot as u32, connection.generation)).collect()
    }

    /// The connection, unless it is gone.
    pub fn get(&self, conn: ConnId) -> Option<&Connection<T>> {
        self.slots.get(conn.slot()).filter(|connection| connection.generation == conn.generation())
    }

    /// The connection, unless it is gone.
    pub fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection<T>> {
        self.slots.get_mut(conn.slot()).filter(|connection| connection.generation == conn.generation())
    }

    /// Forgets the connection and returns what was known of it.
    pub fn remove(&mut self, conn: ConnId) -> Option<Connection<T>> {
        self.get(conn)?;
        let connection = self.slots.remove(conn.slot());
        self.charged -= connection.charged as usize;
        if connection.armed.is_some() {
            self.tidy_deadlines();
        }
        match connection.phase {
            Phase::Dialling => self.dialling -= 1,
            Phase::Waiting => self.waiting.retain(|&other| other != conn),
            _ => {}
        }
        if connection.is_counted {
            self.uncount(source_of(connection.remote().ip()));
        }
        Some(connection)
    }

    /// Moves the connection to another phase; its time limits start again.
    pub fn set_phase(&mut self, conn: ConnId, phase: Phase, now: Instant) {
        let now = self.moment(now);
        let Some(connection) = self.get_mut(conn) else { return };
        let before = std::mem::replace(&mut connection.phase, phase);
        connection.since = now;
        self.dialling -= usize::from(before == Phase::Dialling);
        self.dialling += usize::from(phase == Phase::Dialling);
        self.disarm(conn);
        self.arm(conn);
    }

    /// The connection carries a session from here on: lines, and no time limit.
    pub fn make_session(&mut self, conn: ConnId, now: Instant) {
        if let Some(connection) = self.get_mut(conn) {
            connection.framer.expect_lines();
            self.set_phase(conn, Phase::Session, now);
        }
    }

    /// The connection carries a session from here on, but whether it is encrypted is not decided yet.
    pub fn prove_session(&mut self, conn: ConnId, now: Instant) {
        if let Some(connection) = self.get_mut(conn) {
            connection.framer.expect_lines();
            self.set_phase(conn, Phase::Proving, now);
            self.make_dirty(conn);
        }
    }

    /// Something that was queued may be written now.
    pub fn wake(&mut self, conn: ConnId) {
        self.charge(conn);
        self.make_dirty(conn);
    }

    /// Notes that bytes came. Call it after they were framed.
    pub fn heard(&mut self, conn: ConnId, now: Instant) {
        let now = self.moment(now);
        if let Some(connection) = self.get_mut(conn) {
            connection.heard(now);
            self.arm(conn);
            self.charge(conn);
        }
    }

    /// Queues a payload. An error says why the connection cannot go on.
    pub fn send(&mut self, conn: ConnId, payload: Rc<[u8]>) -> Result<(), CloseReason> {
        let size_max = self.limits.send_queue_bytes_max;
        let Some(connection) = self.get_mut(conn) else { return Ok(()) };
        let bytes = payload.len() as u64;
        let wire = connection.queue_size() - connection.queue.size();
        connection.queue.push(payload, size_max.saturating_sub(wire)).map_err(|_| CloseReason::SlowPeer)?;
        connection.pushed += bytes;
        self.charge(conn);
        self.make_dirty(conn);
        Ok(())
    }

    /// Queues a payload even if there is no room. `true` if there was none; after the next chance to write,
    /// [`Connections::is_overfull`] says whether the connection can go on.
    pub fn send_beyond(&mut self, conn: ConnId, payload: Rc<[u8]>) -> bool {
        let Some(connection) = self.get_mut(conn) else { return false };
        connection.pushed += payload.len() as u64;
        connection.queue.push_beyond(payload);
        self.charge(conn);
        self.make_dirty(conn);
        self.is_overfull(conn)
    }

    /// Whether more is queued on it than allowed.
    pub fn is_overfull(&self, conn: ConnId) -> bool {
        self.get(conn).is_some_and(|connection| connection.queue_size() > self.limits.send_queue_bytes_max)
    }

    /// The next connection that has got something to send.
    pub fn next_dirty(&mut self) -> Option<ConnId> {
        loop {
            let conn = self.dirty.pop_front()?;
            if let Some(connection) = self.get_mut(conn) {
                connection.is_dirty = false;
                return Some(conn);
            }
        }
    }

    /// Its send queue.
    pub fn send_queue(&mut self, conn: ConnId) -> Option<&mut SendQueue> {
        self.get_mut(conn).map(Connection::wire)
    }

    /// Whether all of them together may hold more memory than allowed.
    pub fn is_memory_full(&self) -> bool {
        self.charged > self.limits.memory_bytes_max
    }

    /// The memory that all of them hold in unfinished messages, in send queues and in what the machine keeps with them, in
    /// bytes.
    pub fn held(&self) -> usize {
        self.slots.iter().map(|(_, connection)| connection.held() as usize).sum()
    }

    /// The connections to close because memory is full: first those that hold the most, and last those that
    /// `is_spared` accepts. It visits every connection, but frees so much room that this happens rarely.
    pub fn largest(&mut self, is_spared: impl Fn(&Connection<T>) -> bool) -> Vec<ConnId> {
        let mut holders = Vec::new();
        self.charged = 0;
        for (slot, connection) in &mut self.slots {
            connection.charged = connection.held();
            self.charged += connection.charged as usize;
            if connection.charged > 0 {
                let conn = ConnId::new(slot as u32, connection.generation);
                holders.push((is_spared(connection), Reverse(connection.charged), conn));
            }
        }
        holders.sort_unstable();
        let kept = self.limits.memory_bytes_max / 8 * MEMORY_KEPT_EIGHTHS;
        let mut excess = self.charged.saturating_sub(kept);
        let mut largest = holders.into_iter();
        std::iter::from_fn(|| {
            let (_, Reverse(held), conn) = largest.next().filter(|_| excess > 0)?;
            excess = excess.saturating_sub(held as usize);
            Some(conn)
        })
        .collect()
    }

    /// When something may be due next.
    pub fn next_deadline(&self) -> Option<Instant> {
        let epoch = self.epoch?;
        self.deadlines.first().map(|(at, _)| at.to_instant(epoch))
    }

    /// Says that everything that had come by then has been handed over.
    pub fn caught_up(&mut self, at: Instant) {
        self.caught_up_at = Some(at);
    }

    /// The moment up to which silence of the other side counts.
    pub fn judged_until(&self, now: Instant) -> Instant {
        self.caught_up_at.map_or(now, |at| at.min(now))
    }

    /// The next connection on which something is due at `now`, as far as silence counts. The caller must act on it;
    /// otherwise it is named again.
    pub fn next_due(&mut self, now: Instant) -> Option<(ConnId, Due)> {
        let judged = self.judged_until(now);
        let now = self.moment(judged);
        while let Some((_, conn)) = self.deadlines.first().filter(|&(at, _)| at <= now) {
            let connect_timeout = self.limits.connect_timeout;
            let Some(connection) = self.get_mut(conn) else { break };
            connection.armed = None;
            let due = connection.due(connect_timeout, now);
            let at = connection.deadline(connect_timeout);
            self.arm_at(conn, at);
            self.tidy_deadlines();
            if let Some(due) = due {
                return Some((conn, due));
            }
        }
        None
    }

    fn make_dirty(&mut self, conn: ConnId) {
        if let Some(connection) = self.get_mut(conn)
            && !std::mem::replace(&mut connection.is_dirty, true)
        {
            self.dirty.push_back(conn);
        }
    }

    /// Counts anew what a connection may hold. To be called when the machine keeps less with it than before.
    pub fn charge(&mut self, conn: ConnId) {
        let Some(connection) = self.slots.get_mut(conn.slot()) else { return };
        let now = connection.held_at_most();
        let before = std::mem::replace(&mut connection.charged, now);
        self.charged = self.charged - before as usize + now as usize;
    }

    fn moment(&mut self, instant: Instant) -> Moment {
        Moment::of(instant, *self.epoch.get_or_insert(instant))
    }

    fn insert(&mut self, mut connection: Connection<T>) -> ConnId {
        self.generation = self.generation.wrapping_add(1);
        connection.generation = self.generation;
        // The descriptor limit keeps the number of slots far below what half of an id can hold.
        let conn = ConnId::new(self.slots.insert(connection) as u32, self.generation);
        self.arm(conn);
        conn
    }

    /// Makes sure that there is an entry no later than the connection's deadline.
    fn arm(&mut self, conn: ConnId) {
        let at =
            self.get(conn).and_then(|connection| connection.soonest_deadline(self.limits.connect_timeout));
        self.arm_at(conn, at);
    }

    fn arm_at(&mut self, conn: ConnId, at: Option<Moment>) {
        let (Some(connection), Some(at)) = (self.get_mut(conn), at) else { return };
        let armed = connection.armed;
        if armed.is_none_or(|armed| at < armed) {
            connection.armed = Some(at);
            self.deadlines.push(at, conn);
            if armed.is_some() {
                self.tidy_deadlines();
            }
        }
    }

    fn disarm(&mut self, conn: ConnId) {
        if self.get_mut(conn).and_then(|connection| connection.armed.take()).is_some() {
            self.tidy_deadlines();
        }
    }

    fn tidy_deadlines(&mut self) {
        let slots = &self.slots;
        self.deadlines.tidy(slots.len(), |at, conn| {
            slots.get(conn.slot()).is_some_and(|connection| {
                connection.generation == conn.generation() && connection.armed == Some(at)
            })
        });
    }

    fn uncount(&mut self, source: IpAddr) {
        if let Some(count) = self.by_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{
        FIRST_MESSAGE_TIMEOUT, HEADER_FLUSH, IDLE_FLUSH, IDLE_TIMEOUT, PAYLOAD_OVERHEAD_BYTES,
        UNFINISHED_TIMEOUT,
    };
    use fastrand::Rng;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    fn table(limits: Limits) -> (Connections<()>, Instant) {
        (Connections::new(limits), crate::testing::start())
    }

    fn accept(connections: &mut Connections<()>, from: &str, now: Instant) -> Option<ConnId> {
        connections.accept(from.parse().unwrap(), "10.0.0.1".parse().unwrap(), (), now)
    }

    fn receive(connections: &mut Connections<()>, conn: ConnId, bytes: &str, now: Instant) -> usize {
        let mut rest = bytes.as_bytes();
        let mut messages = 0;
        while connections.get_mut(conn).unwrap().next_message(&mut rest).unwrap().is_some() {
            messages += 1;
        }
        connections.heard(conn, now);
        messages
    }

    #[test]
    fn a_stale_id_finds_nothing_in_a_reused_slot() {
        let (mut connections, now) = table(Limits::default());
        let old = accept(&mut connections, "10.0.0.2:1", now).unwrap();
        connections.remove(old).unwrap();
        let new = accept(&mut connections, "10.0.0.2:2", now).unwrap();
        assert_eq!(old.slot(), new.slot());
        assert!(connections.get(old).is_none() && connections.remove(old).is_none());
        assert!(connections.send(old, [1].as_slice().into()).is_ok());
        assert!(connections.send_queue(new).unwrap().is_empty());
    }

    #[test]
    fn a_connection_with_bytes_to_send_is_named_once() {
        let (mut connections, now) = table(Limits::default());
        let [a, b] = ["10.0.0.2:1", "10.0.0.2:2"].map(|from| accept(&mut connections, from, now).unwrap());
        for conn in [a, b, a] {
            connections.send(conn, [1].as_slice().into()).unwrap();
        }
        connections.remove(b);
        assert_eq!((connections.next_dirty(), connections.next_dirty()), (Some(a), None));
    }

    #[test]
    fn the_send_queue_is_full_at_its_limit_and_not_before() {
        let (mut connections, now) = table(Limits::default());
        let conn = accept(&mut connections, "10.0.0.2:1", now).unwrap();
        let most = 1024 * 1024 - PAYLOAD_OVERHEAD_BYTES;
        assert_eq!(connections.send(conn, vec![0; most + 1].into()), Err(CloseReason::SlowPeer));
        assert_eq!(connections.send(conn, vec![0; most].into()), Ok(()));
        assert_eq!(connections.send(conn, [0].as_slice().into()), Err(CloseReason::SlowPeer));
    }

    #[test]
    fn connections_are_refused_at_the_limit_and_taken_just_under_it() {
        let (mut connections, now) = table(Limits { connections_max: 2, ..Limits::default() });
        let first = accept(&mut connections, "10.0.0.2:1", now).unwrap();
        assert!(accept(&mut connections, "10.0.0.3:1", now).is_some());
        assert!(accept(&mut connections, "10.0.0.4:1", now).is_none());
        connections.remove(first);
        assert!(accept(&mut connections, "10.0.0.4:1", now).is_some());
    }

    #[test]
    fn one_source_has_its_own_limit_unless_it_is_loopback() {
        let limits = Limits { connections_per_ip_max: 2, ..Limits::default() };
        let (mut connections, now) = table(limits);
        let first = accept(&mut connections, "10.0.0.2:1", now).unwrap();
        assert!(accept(&mut connections, "10.0.0.2:2", now).is_some());
        assert!(accept(&mut connections, "10.0.0.2:3", now).is_none());
        assert!(accept(&mut connections, "10.0.0.3:1", now).is_some());
        for port in 1..10 {
            assert!(accept(&mut connections, &format!("127.0.0.1:{port}"), now).is_some());
        }
        connections.remove(first);
        assert!(accept(&mut connections, "10.0.0.2:3", now).is_some());
    }

    #[test]
    fn dials_beyond_the_limit_wait_for_their_turn() {
        let (mut connections, now) = table(Limits::default());
        let to: SocketAddr = "10.0.0.2:1".parse().unwrap();
        let all: Vec<_> = (0..66).map(|_| connections.dial(to, (), now)).collect();
        let under_way: Vec<_> =
            std::iter::from_fn(|| connections.next_dial(now)).map(|(conn, _)| conn).collect();
        assert_eq!(under_way, all[..64]);
        connections.remove(all[64]);
        connections.connected(all[0], "10.0.0.1".parse().unwrap(), now);
        assert_eq!(connections.next_dial(now), Some((all[65], to)));
        assert_eq!(connections.next_dial(now), None);
    }

    #[test]
    fn a_dial_times_out_counted_from_its_turn() {
        let (mut connections, now) = table(Limits { dials_max: 1, ..Limits::default() });
        let to: SocketAddr = "10.0.0.2:1".parse().unwrap();
        let [first, second] = [0, 1].map(|_| connections.dial(to, (), now));
        connections.next_dial(now).unwrap();
        let later = now + Duration::from_secs(5);
        assert_eq!(connections.next_due(later - MS), None);
        assert_eq!(connections.next_due(later), Some((first, Due::End(CloseReason::TimedOut))));
        connections.remove(first);
        assert_eq!(connections.next_dial(later), Some((second, to)));
        assert_eq!(connections.next_deadline(), Some(later + Duration::from_secs(5)));
    }

    #[test]
    fn one_byte_now_and_then_does_not_beat_the_first_message_timeout() {
        let (mut connections, start) = table(Limits::default());
        let conn = accept(&mut connections, "10.0.0.2:1", start).unwrap();
        let mut now = start;
        while now + 100 * MS < start + FIRST_MESSAGE_TIMEOUT {
            now += 100 * MS;
            receive(&mut connections, conn, "1", now);
            assert_eq!(connections.next_due(now), None);
        }
        assert_eq!(connections.next_due(start + FIRST_MESSAGE_TIMEOUT - MS), None);
        let due = connections.next_due(start + FIRST_MESSAGE_TIMEOUT);
        assert_eq!(due, Some((conn, Due::End(CloseReason::NoMessage))));
    }

    #[test]
    fn silence_flushes_what_has_a_header_soon_and_the_rest_late() {
        for (bytes, after) in [("1.1.1.1:1 a x", IDLE_FLUSH), ("half", HEADER_FLUSH)] {
            let (mut connections, now) = table(Limits::default());
            let conn = accept(&mut connections, "10.0.0.2:1", now).unwrap();
            receive(&mut connections, conn, bytes, now + MS);
            assert_eq!(connections.next_due(now + after), None, "{bytes}");
            assert_eq!(connections.next_due(now + MS + after), Some((conn, Due::Flush)), "{bytes}");
        }
    }

    #[test]
    fn an_idle_line_connection_ends_after_its_last_line_and_a_session_never() {
        let (mut connections, start) = table(Limits::default());
        let conn = accept(&mut connections, "10.0.0.2:1", start).unwrap();
        let heard = start + IDLE_TIMEOUT / 2;
        receive(&mut connections, conn, "1.1.1.1:1 a x\n", start);
        receive(&mut connections, conn, "1.1.1.1:1 a x\n", heard);
        assert_eq!(connections.next_due(heard + IDLE_TIMEOUT - MS), None);
        let due = connections.next_due(heard + IDLE_TIMEOUT);
        assert_eq!(due, Some((conn, Due::End(CloseReason::Idle))));
        connections.make_session(conn, heard);
        assert_eq!(connections.next_deadline(), None);
    }

    #[test]
    fn a_line_that_grows_byte_by_byte_is_given_up_on_any_connection() {
        for is_session in [false, true] {
            let (mut connections, start) = table(Limits::default());
            let conn = accept(&mut connections, "10.0.0.2:1", start).unwrap();
            receive(&mut connections, conn, "1.1.1.1:1 a x\n", start);
            if is_session {
                connections.make_session(conn, start);
            }
            let seconds = UNFINISHED_TIMEOUT.as_secs();
            for second in 0..seconds {
                let now = start + Duration::from_secs(second);
                receive(&mut connections, conn, "y", now);
                assert_eq!(connections.next_due(now), None);
            }
            let due = connections.next_due(start + UNFINISHED_TIMEOUT);
            assert_eq!(due, Some((conn, Due::End(CloseReason::NoMessage))));
        }
    }

    #[test]
    fn all_addresses_of_a_link_are_one_source() {
        let limits = Limits { connections_per_ip_max: 2, ..Limits::default() };
        let (mut connections, start) = table(limits);
        let accept =
            |connections: &mut Connections<()>, ip: &str| accept(connections, &format!("[{ip}]:1"), start);
        let first = accept(&mut connections, "2001:db8::1").unwrap();
        assert!(accept(&mut connections, "2001:db8::2").is_some());
        assert!(accept(&mut connections, "2001:db8::3").is_none());
        assert!(accept(&mut connections, "2001:db8:0:1::3").is_some());
        connections.remove(first);
        assert!(accept(&mut connections, "2001:db8::3").is_some());
    }

    /// Makes connections with unfinished messages of these sizes, the first from port 1; also returns whether memory
    /// is full then.
    fn holding(connections: &mut Connections<()>, bytes: &[usize], now: Instant) -> (Vec<ConnId>, bool) {
        let mut hold = |(n, &bytes): (usize, &usize)| {
            let conn = accept(connections, &format!("10.0.0.2:{}", n + 1), now).unwrap();
            receive(connections, conn, &"x".repeat(bytes), now);
            conn
        };
        let conns = bytes.iter().enumerate().map(&mut hold).collect();
        (conns, connections.is_memory_full())
    }

    #[test]
    fn when_memory_is_full_the_largest_are_closed_first_and_the_spared_last() {
        let limits = Limits { memory_bytes_max: 110_000, ..Limits::default() };
        let sizes = [40_000, 10_000, 30_000, 19_000, 10_000];
        let (mut connections, now) = table(limits.clone());
        assert!(!holding(&mut connections, &sizes[..4], now).1, "just under it");

        let (mut connections, now) = table(limits);
        let (conns, is_full) = holding(&mut connections, &sizes, now);
        assert!(is_full);
        assert_eq!(connections.largest(|connection| connection.remote().port() == 1), [conns[2]]);
        assert_eq!(connections.largest(|connection| connection.remote().port() != 2), [conns[1], conns[0]]);
        for conn in conns {
            connections.remove(conn);
        }
        assert!(!connections.is_memory_full() && connections.held() == 0);
    }

    #[test]
    fn written_and_shared_bytes_are_not_counted_as_held() {
        let limits = Limits { memory_bytes_max: 100_000, ..Limits::default() };
        let (mut connections, now) = table(limits);
        let (conns, _) = holding(&mut connections, &[0; 10], now);
        let send = |connections: &mut Connections<()>, payload: &Rc<[u8]>| {
            for &conn in &conns {
                connections.send(conn, Rc::clone(payload)).unwrap();
            }
        };
        send(&mut connections, &vec![0; 50_000].into());
        assert_eq!((connections.largest(|_| false), connections.is_memory_full()), (vec![], false));
        for &conn in &conns {
            connections.send_queue(conn).unwrap().write_to(&mut std::io::sink()).unwrap();
        }
        assert_eq!(connections.held(), 0);
        for &conn in &conns {
            connections.send(conn, vec![0; 12_000].into()).unwrap();
        }
        assert_eq!(connections.largest(|_| false).len(), 3, "each has its own");
    }

    /// Takes so many bytes, and then would block.
    struct Taking(usize);

    impl std::io::Write for Taking {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let taken = bytes.len().min(std::mem::take(&mut self.0));
            if taken > 0 { Ok(taken) } else { Err(std::io::ErrorKind::WouldBlock.into()) }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Something that can happen to a connection, or to all.
    fn anything(connections: &mut Connections<()>, conns: &mut Vec<ConnId>, random: &mut Rng, now: Instant) {
        let Some(&conn) = random.choice(&*conns).filter(|_| conns.len() > random.usize(..10)) else {
            return conns.extend(accept(connections, "127.0.0.1:1", now));
        };
        let size = random.usize(1..100_000) >> random.u32(..16);
        match random.u8(..20) {
            0 => drop(connections.remove(conn)),
            1 => assert_eq!(connections.largest(|_| false), []),
            2 => drop(connections.get_mut(conn).and_then(Connection::flush)),
            3..6 if connections
                .get(conn)
                .is_some_and(|connection| connection.framer.held() + size < 60_000) =>
            {
                receive(connections, conn, &"x".repeat(size), now);
            }
            6..10 => {
                let queue = connections.send_queue(conn);
                let _ = queue.map(|queue| queue.write_to(&mut Taking(size)));
            }
            _ => {
                connections.send_beyond(conn, vec![0; size].into());
            }
        }
        conns.retain(|&conn| connections.get(conn).is_some());
    }

    #[test]
    fn no_connection_ever_holds_more_than_it_is_charged_for() {
        for seed in 0..5 {
            let mut random = Rng::with_seed(seed);
            let (mut connections, now) = table(Limits::default());
            let mut conns = Vec::new();
            for step in 0..1000 {
                anything(&mut connections, &mut conns, &mut random, now);
                let all = || connections.slots.iter().map(|(_, connection)| connection);
                let is_charged = all().all(|connection| connection.held() <= connection.charged);
                assert!(is_charged, "seed {seed}, step {step}");
                assert_eq!(
                    all().map(|connection| connection.charged as usize).sum::<usize>(),
                    connections.charged
                );
            }
            connections.largest(|_| false);
            assert_eq!(connections.charged, connections.held());
        }
    }

    #[test]
    fn an_idle_connection_is_small() {
        let bytes = size_of::<Connection<[u64; 4]>>();
        assert!(bytes <= 120, "{bytes} bytes");
    }
}
