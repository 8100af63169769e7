//! The pure state of one byte stream: its phase, its framing, what waits to be sent.
//!
//! A connection is not a peer: a plain peer makes a new one for every message. What the connection is for is the
//! machine's concern and is kept in `data`.
//!
//! There can be very many idle connections, so each takes only 152 bytes with its socket and its deadline: addresses
//! take 16 bytes for IPv4, moments take 8, and what only some connections have is in a box.

use super::ends::Ends;
use super::framer::Framer;
use super::machine::CloseReason;
use super::moment::Moment;
use super::sealing::Sealing;
use super::secure::{Answered, Channel, Offered};
use super::send_queue::SendQueue;
use crate::limits::{FIRST_MESSAGE_TIMEOUT, HANDSHAKE_TIMEOUT, IDLE_TIMEOUT, OFFER_TIMEOUT, SETTLE_TIMEOUT};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Where a connection stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A dial that waits for its turn; it has no socket yet.
    Waiting,
    /// A dial under way.
    Dialling,
    /// Accepted, and no complete message has come yet.
    Greeting,
    /// Carries messages, and is closed after a long silence.
    Open,
    /// A session on which we offered encryption, or took an offer, until it is decided.
    Proving,
    /// Bound to a peer in both directions; may be silent for any time.
    Session,
    /// We have sent everything, and give the other side a moment to answer or to close.
    Settling,
}

/// How far encryption is on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// There is none.
    Clear,
    /// We offered it. The next line that comes decides.
    Offered,
    /// We took an offer, and wait for the proof of the other side.
    Answered,
    /// All that comes and goes is sealed.
    Sealed,
}

/// What is due on a connection whose deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The silence was long enough: what came is a whole message.
    Flush,
    /// Its phase lasted too long, for this reason.
    End(CloseReason),
}

/// What a machine keeps with a connection, and the memory that this takes, in bytes, if it can be much.
pub trait Holding {
    /// What others hold too counts only in part.
    fn held(&self) -> usize {
        0
    }

    /// As if nobody else held any of it. Cheap to compute.
    fn held_at_most(&self) -> usize {
        0
    }
}

impl Holding for () {}

/// One connection.
#[derive(Debug)]
pub struct Connection<T> {
    /// What the machine knows about it.
    pub data: T,
    pub(super) phase: Phase,
    pub(super) framer: Framer,
    pub(super) queue: SendQueue,
    /// Once encryption was offered on it.
    pub(super) sealing: Option<Box<Sealing>>,
    /// Our own IP is unspecified until a dial is up.
    pub(super) ends: Ends,
    pub(super) generation: u32,
    /// It is in the list of connections to flush.
    pub(super) is_dirty: bool,
    /// It counts against the limit of its source IP.
    pub(super) is_counted: bool,
    /// What it counts for in the memory of all connections, in bytes. Bytes that were written since then are not
    /// subtracted yet.
    pub(super) charged: u32,
    /// Bytes that it was ever given to send.
    pub(super) pushed: u64,
    /// When the phase began; in [`Phase::Open`], when the last bytes came.
    pub(super) since: Moment,
    /// Its entry among the deadlines. It is never later than [`Connection::deadline`], which moves with every byte;
    /// this entry need not move.
    pub(super) armed: Option<Moment>,
}

impl<T> Connection<T> {
    pub(super) fn new(phase: Phase, remote: SocketAddr, local: IpAddr, data: T, now: Moment) -> Self {
        Self {
            data,
            phase,
            framer: Framer::default(),
            queue: SendQueue::default(),
            sealing: None,
            ends: Ends::new(remote, local),
            generation: 0,
            is_dirty: false,
            is_counted: false,
            charged: 0,
            pushed: 0,
            since: now,
            armed: None,
        }
    }

    /// Its phase.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The other end of the socket.
    pub fn remote(&self) -> SocketAddr {
        self.ends.remote()
    }

    /// Our own IP on it.
    pub fn local(&self) -> IpAddr {
        self.ends.local()
    }

    /// What waits to be sent, as it was queued.
    pub fn queue(&self) -> &SendQueue {
        &self.queue
    }

    /// What waits to be written.
    pub(super) fn wire(&mut self) -> &mut SendQueue {
        match &mut self.sealing {
            Some(sealing) => sealing.wire(&mut self.queue),
            None => &mut self.queue,
        }
    }

    /// What is compared with the limit of its queue.
    pub(super) fn queue_size(&self) -> usize {
        self.queue.size() + self.sealing.as_ref().map_or(0, |sealing| sealing.queue().size())
    }

    /// Answers with an offer of encryption, which is queued already.
    pub fn offer(&mut self, offered: Offered) {
        self.sealing = Some(Box::new(Sealing::offered(offered, &mut self.queue)));
    }

    /// Takes an offer; `line` is our part of the handshake.
    pub fn take_offer(&mut self, answered: Answered, line: &str) {
        self.sealing = Some(Box::new(Sealing::answered(answered, line, &mut self.queue)));
    }

    /// The offer that waits to be taken, to go on with it.
    pub fn offered(&mut self) -> Option<Offered> {
        self.sealing.as_mut()?.take_offered()
    }

    /// The offer that we took, to go on with it.
    pub fn answered(&mut self) -> Option<Answered> {
        self.sealing.as_mut()?.take_answered()
    }

    /// Both sides have proved their keys; `line` is our last message, if we have one. Nothing that came in the clear may be
    /// left: it would become the beginning of the first encrypted line.
    pub fn seal(&mut self, channel: Channel, line: Option<&str>) {
        drop(self.framer.flush());
        if let Some(sealing) = &mut self.sealing {
            sealing.open(channel, line);
            self.framer.take_only_lines();
        }
    }

    /// The offer is not taken: everything goes in the clear.
    pub fn give_up_offer(&mut self) {
        if let Some(sealing) = self.sealing.take_if(|sealing| sealing.is_offered()) {
            sealing.give_up(&mut self.queue);
        }
    }

    /// How far encryption is.
    pub fn secrecy(&self) -> Secrecy {
        match &self.sealing {
            None => Secrecy::Clear,
            Some(sealing) if sealing.is_open() => Secrecy::Sealed,
            Some(sealing) if sealing.is_offered() => Secrecy::Offered,
            Some(_) => Secrecy::Answered,
        }
    }

    /// Takes the frames in these bytes, and appends their text.
    pub fn open_frames(&mut self, bytes: &[u8], text: &mut Vec<u8>) -> Result<(), CloseReason> {
        let sealing = self.sealing.as_mut().ok_or(CloseReason::BadFrame)?;
        sealing.read(bytes, text).map_err(|_| CloseReason::BadFrame)
    }

    /// Bytes that it was ever given to send.
    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Bytes of [`Connection::pushed`] that were written.
    pub fn written(&self) -> u64 {
        let sealed = self.sealing.as_ref().map_or(0, |sealing| sealing.unwritten());
        self.pushed - (self.queue.bytes() + sealed) as u64
    }

    /// The next complete message in `rest`; `Ok(None)` when all of it is taken in.
    pub fn next_message<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Option<Cow<'a, [u8]>>, CloseReason> {
        let message = self.framer.next(rest)?;
        if message.is_some() {
            self.greeted();
        }
        Ok(message)
    }

    /// The unfinished message as it is, because the peer went silent or is gone.
    pub fn flush(&mut self) -> Option<Vec<u8>> {
        // Of what is encrypted, nobody may cut off the end; and once we took an offer, nothing in the clear counts.
        let is_clear = matches!(self.secrecy(), Secrecy::Clear | Secrecy::Offered);
        let message = self.framer.flush().filter(|_| is_clear);
        if message.is_some() {
            self.greeted();
        }
        message
    }

    fn greeted(&mut self) {
        if self.phase == Phase::Greeting {
            self.phase = Phase::Open;
        }
    }

    /// When it must be checked next if nothing more comes, or somewhat earlier.
    pub(super) fn soonest_deadline(&self, connect_timeout: Duration) -> Option<Moment> {
        let end = self.end(connect_timeout).map(|(at, _)| at);
        self.framer.flush_not_before().into_iter().chain(end).min()
    }

    /// When it must be checked next if nothing more comes.
    pub(super) fn deadline(&self, connect_timeout: Duration) -> Option<Moment> {
        let end = self.end(connect_timeout).map(|(at, _)| at);
        self.framer.flush_at(self.remote()).into_iter().chain(end).min()
    }

    /// What is due at `now`, if anything.
    pub(super) fn due(&self, connect_timeout: Duration, now: Moment) -> Option<Due> {
        match self.end(connect_timeout) {
            Some((at, reason)) if at <= now => Some(Due::End(reason)),
            _ => self.framer.flush_at(self.remote()).filter(|&at| at <= now).map(|_| Due::Flush),
        }
    }

    /// Notes that bytes came.
    pub(super) fn heard(&mut self, now: Moment) {
        self.framer.heard(now);
        if let Some(sealing) = &mut self.sealing {
            sealing.heard(now);
        }
        if self.phase == Phase::Open {
            self.since = now;
        }
    }

    fn end(&self, connect_timeout: Duration) -> Option<(Moment, CloseReason)> {
        let of_message = self.framer.overdue_at().map(|at| (at, CloseReason::NoMessage));
        let of_frame = self.sealing.as_ref().and_then(|sealing| sealing.overdue_at());
        let of_frame = of_frame.map(|at| (at, CloseReason::BadFrame));
        self.end_of_phase(connect_timeout).into_iter().chain(of_message).chain(of_frame).min()
    }

    fn is_offering(&self) -> bool {
        self.sealing.as_ref().is_some_and(|sealing| sealing.is_offered())
    }

    fn end_of_phase(&self, connect_timeout: Duration) -> Option<(Moment, CloseReason)> {
        match self.phase {
            Phase::Waiting | Phase::Session => None,
            Phase::Proving => {
                let time = if self.is_offering() { OFFER_TIMEOUT } else { HANDSHAKE_TIMEOUT };
                Some((self.since + time, CloseReason::NoProof))
            }
            Phase::Dialling => Some((self.since + connect_timeout, CloseReason::TimedOut)),
            Phase::Greeting => Some((self.since + FIRST_MESSAGE_TIMEOUT, CloseReason::NoMessage)),
            Phase::Open => Some((self.since + IDLE_TIMEOUT, CloseReason::Idle)),
            Phase::Settling => Some((self.since + SETTLE_TIMEOUT, CloseReason::TimedOut)),
        }
    }
}

impl<T: Holding> Connection<T> {
    /// The most that it may hold, in bytes. Cheap to compute.
    pub(super) fn held_at_most(&self) -> u32 {
        let sealed = self.sealing.as_ref().map_or(0, |sealing| sealing.held_at_most());
        clamp(self.framer.held() + self.queue.held_at_most() + sealed + self.data.held_at_most())
    }

    /// The memory that it holds, in bytes.
    pub(super) fn held(&self) -> u32 {
        let sealed = self.sealing.as_ref().map_or(0, |sealing| sealing.held());
        clamp(self.framer.held() + self.queue.held() + sealed + self.data.held())
    }
}

fn clamp(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
