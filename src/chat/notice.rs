//! Everything that the user can be told, as data.
//!
//! The node says what happened; the terminal turns it into a sentence. Names and texts in here are as
//! the peer sent them: whoever shows or logs one cleans it first, with [`crate::proto::clean::Clean`].

use crate::proto::machine::CloseReason;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// A peer as the user knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The address that it claims to listen on.
    pub address: SocketAddr,
    /// The name it used last; empty if it has said nothing yet.
    pub name: Rc<str>,
}

/// One row of a list of peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRow {
    /// What the user may type for it.
    pub number: usize,
    /// Who it is.
    pub who: Who,
    /// Whether either side has connected with the other.
    pub connected: bool,
    /// How long ago it was last heard; `None` if never.
    pub heard_ago: Option<Duration>,
}

/// A question to the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Under which name to chat.
    Name,
    /// On which port to listen.
    Port,
    /// Which entry of the menu.
    Choice,
    /// To whom: an IP address, a number of the last list, or a name.
    Recipient,
    /// On which port that IP address listens.
    RecipientPort,
    /// The text of a message.
    Text,
    /// Whom to connect to: a number, `a`, or an address.
    ConnectTo,
}

/// What was wrong with something that the user typed. The same question is asked again, or the menu
/// comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Several peers bear this name; one of their addresses is needed.
    AmbiguousName(String),
    /// Not a command; only a program is told this.
    BadCommand(BadCommand),
    /// Not an IP address, a number of the last list or a known name.
    BadAddress(String),
    /// Not a dialect.
    BadDialect(String),
    /// Not a port from 1 to 65535.
    BadPort(String),
    /// Nothing to send.
    EmptyMessage,
    /// A name is needed.
    EmptyName,
    /// The typed line went over [`crate::limits::TYPED_BYTES_MAX`].
    LineTooLong,
    /// The name went over [`crate::limits::NAME_BYTES_MAX`].
    NameTooLong,
    /// There is nobody to send to.
    NoPeers,
    /// The list of static peers is empty.
    NoStaticPeers,
    /// The last list has no such number.
    NoSuchNumber(usize),
    /// Not an entry of the menu.
    UnknownChoice(String),
    /// The address is our own.
    Yourself(SocketAddr),
}

/// What was wrong with a command of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadCommand {
    /// A field is missing, or holds something else than a text.
    Missing {
        /// The command that needs it.
        command: &'static str,
        /// Its name.
        field: &'static str,
    },
    /// It does not name its command.
    NoCommand,
    /// Not a JSON object.
    NotAnObject,
    /// There is no command of this name.
    Unknown(String),
    /// A field that the command does not have.
    UnknownField {
        /// The command.
        command: &'static str,
        /// The name of the field.
        field: String,
    },
}

impl From<BadCommand> for Mistake {
    fn from(bad: BadCommand) -> Self {
        Self::BadCommand(bad)
    }
}

/// Why something did not reach a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection could not be made, or broke.
    Connection(CloseReason),
    /// Too many messages wait for that address already.
    TooManyWaiting,
    /// The address is our own.
    Yourself,
}

/// One thing that the user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A peer accepted our connection.
    Accepted(Who),
    /// There is a session with that peer already.
    AlreadyConnected(Who),
    /// The active peers that could be connected to; may be empty.
    ConnectList(Vec<PeerRow>),
    /// A peer connected with us.
    Connected(Who),
    /// Our connect was handed over to a peer that does not acknowledge.
    ConnectSent(Who),
    /// A peer said exit.
    Disconnected(Who),
    /// The program ends.
    Exiting,
    /// We said exit to that peer.
    ExitSent(SocketAddr),
    /// So many lines of that peer were counted and not shown.
    Folded {
        /// Whose.
        who: Who,
        /// How many.
        lines: u64,
    },
    /// The port could not be listened on.
    ListenFailed {
        /// The port that was asked for.
        port: u16,
        /// Why.
        error: io::ErrorKind,
    },
    /// We listen.
    Listening {
        /// On this port.
        port: u16,
    },
    /// A session ended without an exit.
    Lost {
        /// With whom.
        who: Who,
        /// Why.
        reason: CloseReason,
    },
    /// The menu, without its prompt.
    Menu,
    /// A chat message.
    Message {
        /// From whom.
        who: Who,
        /// What it says.
        text: String,
    },
    /// Something that the user typed cannot be used.
    Mistake(Mistake),
    /// The user's name, with its spaces replaced.
    NameChanged(String),
    /// A peer was heard for the first time.
    NewPeer(Who),
    /// A connect did not come about.
    NotConnected {
        /// To whom.
        to: SocketAddr,
        /// Why.
        why: Failure,
    },
    /// A message was not delivered.
    NotSent {
        /// To whom.
        to: SocketAddr,
        /// All of it that was not sent.
        text: String,
        /// Why.
        why: Failure,
    },
    /// The peers that we heard from or are connected with, then those that we only sent to.
    Peers {
        /// Heard or connected, the one heard last first.
        active: Vec<PeerRow>,
        /// Only sent to; the numbers go on.
        contacted: Vec<PeerRow>,
    },
    /// A question; the answer is the next typed line.
    Prompt(Prompt),
    /// Something that is no message of a known peer, with the address that it really came from.
    Raw {
        /// The other end of the socket.
        from: SocketAddr,
        /// What came.
        text: String,
    },
    /// A message was delivered.
    Sent(SocketAddr),
    /// A message was delivered to so many peers.
    SentToAll(usize),
    /// So many outcomes are not known yet; they will be told when they are.
    StillTrying(usize),
    /// What was counted instead of being shown.
    Tally {
        /// Chat messages.
        messages: u64,
        /// Entries of the peer table.
        peers: usize,
    },
}
