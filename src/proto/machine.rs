//! The contract between a pure protocol machine and whatever drives it.
//!
//! Bytes, typed lines and the time go in; connects, closes, notices and queued bytes come out.
//! A machine has no socket, no clock, no terminal and no randomness of its own, so the event loop,
//! a simulator and a test drive it alike. The laws that a machine and its driver keep:
//!
//! 1. Time is an argument, and it never runs backwards. A machine never reads a clock.
//! 2. After each [`Machine::accept`] and [`Machine::handle`], [`Machine::poll_output`] is drained to
//!    `None` before the next call.
//! 3. [`Machine::poll_transmit`] waits for the end of the turn, so that one vectored write carries
//!    all that a connection was given in it.
//! 4. A stale [`ConnId`] is ignored by both sides; it is never an error. Its generation is in the token of the event
//!    queue, so no event reaches the next connection in its slot.
//! 5. Nothing from the network or the keyboard can panic.
//! 6. Whether a peer is late is judged only up to the moment of the last [`Machine::caught_up`]: until then the driver
//!    has read everything.
//!
//! Listening is an output with an answer, although a port could be bound before the machine exists. The user may type
//! the port, and is asked again if it is in use. So listening is part of the dialogue, and a test needs no real port
//! for it.
//!
//! The driver takes a typed line only while [`Machine::wants_line`] is `true`. A person waits for an outcome before
//! typing the next line; a script does not. Without this rule, a script would query before its message had arrived
//! anywhere.

use super::fault::Fault;
use super::interface::Interface;
use super::send_queue::SendQueue;
use crate::limits::LINE_BYTES_MAX;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

/// Names one connection for its whole life. No later connection gets the same id.
///
/// The low half is the slot in the table of connections, the high half the slot's generation. It
/// doubles as the token of the event queue, so an event for a connection that is gone cannot be taken
/// for one of its successor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(u64);

impl ConnId {
    /// The id of the `generation`-th connection in `slot`.
    pub const fn new(slot: u32, generation: u32) -> Self {
        Self((generation as u64) << 32 | slot as u64)
    }

    /// The place in the table. It is reused after the connection is gone.
    pub const fn slot(self) -> usize {
        self.0 as u32 as usize
    }

    /// Tells this connection from the earlier ones of the same slot.
    pub const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The id as the event queue carries it.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The inverse of [`ConnId::to_bits`].
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot(), self.generation())
    }
}

/// What a driver tells the machine.
#[derive(Debug)]
pub enum Input<'a> {
    /// The connection is gone: nothing can be read from it or written to it any more.
    Closed {
        /// Which one; the id is stale from here on.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// A datagram came in, after an [`Output::Join`].
    Datagram(Datagram<'a>),
    /// An [`Output::Join`] has succeeded: with these addresses, datagrams can be sent and will come in. It comes again
    /// whenever the addresses of this host have changed, until there is an [`Output::Leave`].
    Joined(Vec<Interface>),
    /// An [`Output::Join`] has failed.
    JoinFailed(Fault),
    /// A dial that the machine asked for has succeeded.
    Connected {
        /// Which one.
        conn: ConnId,
        /// Our own end of it.
        local: SocketAddr,
    },
    /// A signal asks the program to end: SIGINT, SIGTERM or SIGHUP. A second one ends it at once.
    Interrupted,
    /// The user typed a line; the newline is not part of it.
    Line(&'a str),
    /// An [`Output::Listen`] has succeeded.
    Listening {
        /// The address as bound; its port is the one chosen by the system if 0 was asked for.
        local: SocketAddr,
    },
    /// An [`Output::Listen`] has failed.
    ListenFailed(Fault),
    /// Bytes came in.
    Received {
        /// On which connection.
        conn: ConnId,
        /// Some bytes, at least one.
        bytes: &'a [u8],
    },
    /// The answer to an [`Output::FindRoute`].
    Route {
        /// Towards whom.
        to: SocketAddr,
        /// Our address that the system would use, or why it has no route.
        from: Result<IpAddr, Fault>,
    },
    /// A peer connected, but the driver had to refuse it without asking [`Machine::accept`], because no descriptor was
    /// left for it. The machine need not do anything, but it may count it.
    Refused {
        /// Who.
        from: SocketAddr,
    },
    /// The user will type nothing more, or can be told nothing more. This too asks the program to end.
    StdinClosed,
    /// The moment that [`Machine::poll_timeout`] named is here.
    Timeout,
}

/// A datagram that came in.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The number of the interface on which it came in.
    pub on: u32,
    /// Who sent it. Anybody can claim to be anybody.
    pub from: SocketAddr,
    /// How many routers more it could have passed, if the system tells.
    pub hop_limit: Option<u8>,
    /// All of it.
    pub bytes: &'a [u8],
}

/// What the machine wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<N> {
    /// End a connection.
    Close {
        /// Which one. Unless it is half-closed, the id is stale from here on.
        conn: ConnId,
        /// How.
        how: How,
    },
    /// Dial; answered by [`Input::Connected`] or [`Input::Closed`].
    Connect {
        /// The id that the connection has from here on.
        conn: ConnId,
        /// Where to.
        to: SocketAddr,
        /// From which of our addresses; `None` leaves that to the system.
        from: Option<IpAddr>,
    },
    /// Find out which of our addresses the system would use towards this one. It sends nothing; answered by
    /// [`Input::Route`].
    FindRoute(SocketAddr),
    /// Send a datagram. That it arrives is never told, nor that it could not be sent: a network may lose it anyway.
    Datagram {
        /// The number of the interface to send it on.
        on: u32,
        /// To whom.
        to: SocketAddr,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// Join these groups on all interfaces; answered by [`Input::Joined`] or [`Input::JoinFailed`].
    Join(Groups),
    /// Leave them; no more datagrams come in.
    Leave,
    /// Listen for peers; answered by [`Input::Listening`] or [`Input::ListenFailed`].
    Listen(SocketAddr),
    /// Tell the user.
    Notice(N),
    /// The program is over, with this exit code; nothing follows.
    Quit(u8),
}

/// Where datagrams for many hosts of a link go: a group of each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// The one of IPv4.
    pub v4: Ipv4Addr,
    /// The one of IPv6.
    pub v6: Ipv6Addr,
    /// The port of both. Other programs of this host may have it too.
    pub port: u16,
}

/// How a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Write what is queued, then shut down our side and read on: closing a socket with unread bytes
    /// resets it, and that can destroy our last message at the peer. The end of the peer's bytes comes
    /// as [`Input::Closed`]; the machine sets the time limit.
    HalfClose,
    /// At once; what is queued is lost. No [`Input::Closed`] follows.
    Now,
    /// At once, with a reset: an orderly end would tell the other side that what it sent was taken.
    Reset,
}

/// Why a connection ended, or was never established. The log, the counters and the sentence that the user reads all
/// use this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// The peer has sent all it had to send.
    Eof,
    /// It was silent for longer than is allowed without a session.
    Idle,
    /// A line or an unfinished message went over its limit.
    LineTooLong,
    /// All peers together made us keep more memory than allowed, and this connection held the most.
    MemoryFull,
    /// This process has no descriptor left for a dial.
    NoDescriptor,
    /// No complete message came within the time for the first one.
    NoMessage,
    /// This host has no free port left to dial the address from.
    NoPort,
    /// Nobody listens at the address.
    Refused,
    /// The peer, or something on the way, reset the connection.
    Reset,
    /// The peer reads more slowly than we write, and its send queue is full.
    SlowPeer,
    /// The connection was not established in time, or its message was not accepted in time.
    TimedOut,
    /// No route leads to the address.
    Unreachable,
    /// A frame of an encrypted session was changed on the way, or is none.
    BadFrame,
    /// A message of the handshake was changed on the way, or is none.
    BadProof,
    /// The other side did not prove its key in time.
    NoProof,
    /// It has another key than the one that is known, or says something else with it.
    WrongKey,
    /// It does not speak encrypted, and may not speak in the clear.
    NotEncrypted,
    /// Any other fault of the system.
    Fault(Fault),
}

impl CloseReason {
    words! {
        /// One word for it, for programs. It is part of the schema and does not change.
        pub fn word(self: Self), WORDS of self;
        Self::BadFrame => "bad-frame",
        Self::BadProof => "bad-proof",
        Self::Eof => "closed",
        Self::Fault(_) => "fault",
        Self::Idle => "idle",
        Self::LineTooLong => "line-too-long",
        Self::MemoryFull => "memory-full",
        Self::NoDescriptor => "no-descriptor",
        Self::NoMessage => "no-message",
        Self::NoPort => "no-port",
        Self::NoProof => "no-proof",
        Self::NotEncrypted => "not-encrypted",
        Self::Refused => "refused",
        Self::Reset => "reset",
        Self::SlowPeer => "slow-peer",
        Self::TimedOut => "timed-out",
        Self::Unreachable => "unreachable",
        Self::WrongKey => "wrong-key",
    }
}

/// In plain words, to be written after the connection or the name of the peer.
impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eof => "the other side closed it",
            Self::Idle => "it was silent for too long",
            Self::LineTooLong => {
                return write!(f, "it carried a line longer than {} KiB", LINE_BYTES_MAX / 1024);
            }
            Self::MemoryFull => "the memory for all peers was full, and this connection held the most",
            Self::NoDescriptor => "no file descriptor was left for it",
            Self::NoMessage => "no message came on it in time",
            Self::NoPort => "no free local port was left for it",
            Self::Refused => "nobody listens there",
            Self::Reset => "it was reset by the other side or on the way",
            Self::SlowPeer => "the peer reads too slowly",
            Self::TimedOut => "the peer no longer answers",
            Self::Unreachable => "the peer can no longer be reached",
            Self::BadFrame => "something that is not of the other side came on it",
            Self::BadProof => "the other side could not prove who it is",
            Self::NoProof => "the other side did not prove who it is in time",
            Self::WrongKey => "the other side has another key than before",
            Self::NotEncrypted => "the other side does not encrypt",
            Self::Fault(fault) => return write!(f, "the system reports: {fault}"),
        })
    }
}

impl From<io::Error> for CloseReason {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused,
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => Self::Reset,
            Kind::TimedOut => Self::TimedOut,
            Kind::NetworkUnreachable | Kind::HostUnreachable | Kind::AddrNotAvailable => Self::Unreachable,
            _ => Self::Fault(Fault::from(&error)),
        }
    }
}

/// A protocol participant: the chat node is one, a load generator another.
pub trait Machine {
    /// What it tells its user.
    type Notice;

    /// A peer connected from `from` to our address `local`. `None` refuses it, and the driver drops
    /// the socket.
    fn accept(&mut self, from: SocketAddr, local: SocketAddr, now: Instant) -> Option<ConnId>;

    /// Says that everything that peers had sent by `at` has been handed over. Whether a peer is late is judged only up
    /// to there, because a stopped process has not yet read what arrived meanwhile. A driver that always reads in time
    /// need not call it.
    fn caught_up(&mut self, at: Instant);

    /// Takes one input. Never panics, whatever came from the network or the keyboard.
    fn handle(&mut self, input: Input<'_>, now: Instant);

    /// The next thing to be done, or `None` until something is handled again.
    fn poll_output(&mut self) -> Option<Output<Self::Notice>>;

    /// The next connection that was given bytes to send since it was last named here.
    fn poll_transmit(&mut self) -> Option<ConnId>;

    /// The bytes that wait to be sent on `conn`; `None` for a stale id.
    fn send_queue(&mut self, conn: ConnId) -> Option<&mut SendQueue>;

    /// When to handle [`Input::Timeout`], at the latest. `None`: nothing is due.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Whether a typed line can be taken now. While it is `false` the driver leaves the user's input
    /// where it is, so that a script's next answer waits for the outcome of the one before.
    fn wants_line(&self) -> bool;
}
