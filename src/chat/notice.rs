//! Everything that the user can be told, as data.
//!
//! The node says what happened; the terminal turns it into a sentence. Names and texts in here are as
//! the peer sent them: whoever shows or logs one cleans it first, with [`crate::proto::clean::Clean`], a name
//! with [`crate::proto::clean::CleanName`].

pub use super::finding::{Finding, Verdict};
pub use super::held::HeldState;
use super::id::CommandId;
pub use super::mistake::{BadCommand, BadSlash, JsonFault, Mistake};
pub use super::recall::{NotRecalled, Recall, Recalled};
pub use super::view::{KnownRow, NearbyRow, PeerRow, Standing, Who, Whois};
use crate::proto::fault::Fault;
use crate::proto::machine::CloseReason;
use crate::proto::message::Dialect;
use crate::proto::secure::Key;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// A question to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Under which name to chat.
    Name,
    /// On which port to listen.
    Port,
    /// Which entry of the menu.
    Choice,
    /// To whom: an IP address, a number of the last list, or a name. With it, with whom the last private text was exchanged.
    Recipient(Option<SocketAddr>),
    /// On which port that IP address listens.
    RecipientPort,
    /// The text of a message.
    Text,
    /// The text of a message to all, who are so many peers now.
    TextToAll(usize),
    /// Whom to connect to: a number, `a`, or an address.
    ConnectTo,
    /// The next line of a conversation.
    Conversation(Partner),
    /// Whether a peer sees the number that is shown.
    IsSame(Rc<str>),
    /// Whether the key of a peer is to be forgotten.
    ForgetKey(Rc<str>),
    /// Whether to hold texts, or to send them again; `y` or `n`.
    Held(HeldQuestion),
}

/// A question about texts that could not be sent, or that may have been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldQuestion {
    /// They may have been read: whether to send them again. Otherwise whether to hold them.
    pub is_again: bool,
    /// How many there are.
    pub texts: usize,
    /// Whom they are for.
    pub to: Vec<String>,
}

/// Whom a conversation is with, and what is unread elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partner {
    /// A name, an address or `all`.
    pub name: String,
    /// It has left, or cannot be reached.
    pub is_away: bool,
    /// How many peers each line goes to at the moment, if the conversation is with all and a terminal shows it.
    pub peers: Option<usize>,
    /// Other conversations with unread messages.
    pub unread: Vec<Unread>,
}

/// What is unread in another conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Whom that conversation is with.
    pub name: String,
    /// How many messages.
    pub texts: u64,
    /// One of those that were shown has the user's name.
    pub has_mention: bool,
}

impl From<&str> for Partner {
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

impl Prompt {
    /// Whether the answer may go to all.
    pub fn is_to_all(&self) -> bool {
        matches!(self, Self::TextToAll(_) | Self::Conversation(Partner { peers: Some(_), .. }))
    }

    /// A word for the kind of question, by which answers are remembered.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Port => "port",
            Self::Choice => "choice",
            Self::Recipient(_) => "recipient",
            Self::RecipientPort => "recipient-port",
            Self::Text | Self::TextToAll(_) => "text",
            Self::ConnectTo => "connect-to",
            Self::Conversation(_) => "conversation",
            Self::IsSame(_) | Self::ForgetKey(_) => "yes-or-no",
            Self::Held(_) => "held",
        }
    }
}

/// What there is now, and what was counted since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Since when we listen.
    pub uptime: Duration,
    /// Entries of the peer table.
    pub peers: usize,
    /// Entries that it ever had, those that were removed included.
    pub met: u64,
    /// Those of them that are connected.
    pub connected: usize,
    /// Those of them that have a session.
    pub sessions: usize,
    /// Connections with a socket, dials under way included.
    pub connections: usize,
    /// Dials under way.
    pub dialling: usize,
    /// Dials that wait for their turn.
    pub dials_waiting: usize,
    /// Connections accepted. With those dialled they are all that there are, that wait and that ended.
    pub accepted: u64,
    /// Connections dialled, those that wait for their turn included.
    pub dialled: u64,
    /// Connections refused for a limit, of ours or of the system's on open files.
    pub refused: u64,
    /// Connections that ended, by reason.
    pub ended: Vec<(CloseReason, u64)>,
    /// Bytes that wait to be written to all peers.
    pub queued_bytes: usize,
    /// Bytes that all peers make us keep in unfinished messages, in what waits to be written and in the texts of it, and the most
    /// that it may be.
    pub held_bytes: usize,
    /// See [`Stats::held_bytes`].
    pub held_bytes_max: usize,
    /// Messages on their way by a dial, or waiting for one.
    pub waiting_messages: usize,
    /// Chat messages of peers in the table.
    pub heard: u64,
    /// Texts handed over; on a session that means queued.
    pub sent: u64,
    /// Texts that their peer has confirmed as read.
    pub delivered: u64,
    /// Texts that were handed over where nobody confirms.
    pub taken: u64,
    /// Texts that were written, and whose session ended before they were confirmed.
    pub unconfirmed: u64,
    /// Texts that were reported as not sent.
    pub not_sent: u64,
    /// Lines that were folded instead of shown.
    pub folded: u64,
    /// Lines that were shown and are not messages of a peer in the table.
    pub raw: u64,
    /// Messages in the name of a blocked peer, which were dropped.
    pub blocked: u64,
    /// How late the last deadline was served.
    pub lag: Duration,
    /// How late the latest one was since this was last asked.
    pub lag_worst: Duration,
}

/// Why something did not reach a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The user does not want to write to that address.
    Blocked,
    /// The connection could not be made, or broke.
    Connection(CloseReason),
    /// Nothing may be said to that address in the clear, and we have no key, or do not use it.
    NoOwnKey,
    /// Too many messages wait for that address already.
    TooManyWaiting,
    /// The address is our own.
    Yourself,
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failed {
    /// A connect.
    Connect,
    /// A session, which was lost.
    Session,
    /// This text.
    Text(Rc<str>),
    /// That this text was read could not be confirmed.
    Confirmation(Rc<str>),
}

/// What failed with several peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManyFailed {
    /// What failed.
    pub what: Failed,
    /// Those that are named: by their address, where their name could mean somebody else.
    pub named: Vec<Who>,
    /// All of them, those that are named first.
    pub to: Vec<SocketAddr>,
    /// Each different reason once.
    pub why: Vec<Failure>,
}

/// Whom the user said something to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaidTo {
    /// One peer.
    One(Who),
    /// So many peers, all that could be reached.
    All(usize),
}

/// A text that is held for later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRow {
    /// For whom.
    pub who: Who,
    /// What it says.
    pub text: Rc<str>,
    /// For how long.
    pub held: Duration,
    /// Where it stands.
    pub state: HeldState,
}

/// What came of texts that are held for later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// Their peer has read them.
    Delivered,
    /// They were held for too long, and are forgotten.
    Expired,
    /// The user does not want them any more.
    Forgotten,
    /// They are held from here on.
    Held,
    /// The same, but only until the program ends: there is no file.
    HeldForThisRun,
    /// Their peer has taken them. It does not confirm what it reads.
    Taken,
    /// Their peer may have read them.
    Unconfirmed,
}

/// What is kept in a file from run to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The texts that are held for later.
    Held,
    /// The typed lines.
    History,
    /// The key by which others know us.
    Identity,
    /// The known peers.
    KnownPeers,
}

/// What is wrong with such a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileFault {
    /// It could not be understood.
    Corrupt {
        /// Why not.
        reason: String,
        /// Where it is now.
        set_aside: PathBuf,
    },
    /// Parts of it cannot be used; they stay as they are, and the rest is used.
    Odd {
        /// Why not, and where they are.
        reasons: Vec<String>,
        /// So many parts besides.
        more: usize,
    },
    /// Others can read or write it, and it is a secret.
    Exposed,
    /// There is no key in it.
    NoKey,
    /// A key needs random bytes, and the system has none.
    NoRandomness(Fault),
    /// It could not be read, and is left alone.
    Unreadable(Fault),
    /// It could not be written.
    Unwritable(Fault),
}

/// One thing that the user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A peer accepted our connection.
    Accepted(Who),
    /// A peer has an alias from here on, or has none any more.
    Aliased {
        /// The peer, by the name that it uses itself.
        who: Who,
        /// What it is called; by its own name again if `None`.
        alias: Option<Rc<str>>,
    },
    /// What came of a command with an id. Never within another one.
    Answer {
        /// The id.
        id: CommandId,
        /// What came of it.
        notice: Box<Notice>,
    },
    /// There is a session with that peer already.
    AlreadyConnected(Who),
    /// A peer has read so many texts of the user. Only a program is told.
    Delivered {
        /// Which peer.
        to: SocketAddr,
        /// How many.
        count: usize,
    },
    /// A peer is neither heard nor written to from here on.
    Blocked(Who),
    /// The active peers that could be connected to; may be empty.
    ConnectList(Vec<PeerRow>),
    /// A peer connected with us.
    Connected(Who),
    /// Our connect was handed over to a peer that does not acknowledge.
    ConnectSent(Who),
    /// A stage of a diagnosis is over.
    Diagnosed {
        /// Whom it is about.
        who: Who,
        /// What it found.
        finding: Box<Finding>,
        /// How long it took.
        took: Duration,
    },
    /// It is being found out why a peer cannot be reached.
    Diagnosing(Who),
    /// A peer is written to in this form from here on.
    DialectSet {
        /// Which peer.
        who: Who,
        /// In which form.
        dialect: Dialect,
    },
    /// A peer said exit.
    Disconnected(Who),
    /// The program ends.
    Exiting,
    /// We said exit to that peer.
    ExitSent(SocketAddr),
    /// A file that should be kept from run to run cannot be.
    FileFault {
        /// What is in it.
        kept: Kept,
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        why: FileFault,
    },
    /// So many lines of that peer were counted and not shown.
    Folded {
        /// Whose.
        who: Who,
        /// How many.
        lines: u64,
    },
    /// What is held for later, by peer.
    Held(Vec<HeldRow>),
    /// The slash commands are wanted.
    Help,
    /// What came of texts that are held for later, or were until now.
    Later {
        /// For whom.
        who: Who,
        /// What they say, in their order.
        texts: Vec<Rc<str>>,
        /// What came of them.
        what: Later,
    },
    /// The port could not be listened on.
    ListenFailed {
        /// The port that was asked for.
        port: u16,
        /// Why.
        error: Fault,
    },
    /// We listen.
    Listening {
        /// On this port.
        port: u16,
        /// The name under which we chat.
        name: Rc<str>,
        /// The addresses at which a peer could reach us.
        addresses: Vec<SocketAddr>,
    },
    /// The same addresses, for a person on a terminal.
    Reachable(Vec<SocketAddr>),
    /// The address that the user wants to be known by cannot be of use to a peer somewhere else.
    BadClaim {
        /// The address in our messages.
        claimed: SocketAddr,
        /// The peer.
        to: SocketAddr,
        /// The IP address that it sees us come from.
        instead: IpAddr,
    },
    /// The user's own name, port, addresses and key.
    Me {
        /// On this port.
        port: u16,
        /// The name under which we chat.
        name: Rc<str>,
        /// The addresses at which a peer could reach us.
        addresses: Vec<SocketAddr>,
        /// The key by which others know us, if there is one.
        key: Option<Key>,
    },
    /// The screen is to be cleared, if it can be.
    Clear,
    /// A session ended without an exit.
    Lost {
        /// With whom.
        who: Who,
        /// Why.
        reason: CloseReason,
    },
    /// The same failed with several peers. Programs are told of each by itself.
    ManyFailed(Box<ManyFailed>),
    /// The menu, without its prompt.
    Menu,
    /// A chat message.
    Message {
        /// From whom.
        who: Who,
        /// What it says.
        text: String,
        /// It went to several peers at once. Only our own kind says so.
        is_to_all: bool,
        /// Where the text has the user's name as a word, in bytes.
        mentions: Vec<Range<usize>>,
    },
    /// Each peer is answered with this text, or is not any more.
    Away(Option<String>),
    /// Something that the user typed cannot be used.
    Mistake(Mistake),
    /// The user's name, with its spaces replaced.
    NameChanged(String),
    /// Those who were found nearby until now; may be empty.
    Nearby(Vec<NearbyRow>),
    /// One more was found.
    FoundNearby(NearbyRow),
    /// The search is over, and nobody was found.
    NobodyNearby,
    /// Nobody can be found or told of this node: this host is on no network, or its system refuses.
    NoMulticast(Option<Fault>),
    /// A peer was heard for the first time.
    NewPeer(Who),
    /// A connect did not come about.
    NotConnected {
        /// To whom.
        to: SocketAddr,
        /// Why.
        why: Failure,
    },
    /// The transcript could not be written, and does not have what was said.
    NotRecorded(Fault),
    /// Nothing that was said before can be found.
    NotRecalled(NotRecalled),
    /// A message was not sent.
    NotSent {
        /// To whom.
        to: SocketAddr,
        /// All of it that was not sent.
        text: String,
        /// Why.
        why: Failure,
    },
    /// The peers that we heard from or are connected with, those that we only sent to, and those who are
    /// remembered and neither.
    Peers {
        /// Heard or connected, the one heard last first.
        active: Vec<PeerRow>,
        /// Only sent to; the numbers go on.
        contacted: Vec<PeerRow>,
        /// Only remembered; the numbers go on.
        known: Vec<KnownRow>,
        /// Only found nearby; the numbers go on.
        nearby: Vec<NearbyRow>,
    },
    /// A question; the answer is the next typed line.
    Prompt(Prompt),
    /// Something that is not a message of a known peer, with the address that it really came from.
    Raw {
        /// The other end of the socket.
        from: SocketAddr,
        /// What came.
        text: String,
    },
    /// Something that claims to be of a peer with a key, and is not; or that came in the clear where nothing may.
    Refused {
        /// The other end of the socket.
        from: SocketAddr,
        /// What came.
        text: String,
    },
    /// A peer was met encrypted for the first time, and is known by its key from here on.
    Pinned {
        /// Which peer.
        who: Who,
        /// Its key.
        key: Key,
    },
    /// Whoever has the key of a peer is at another address from here on.
    Moved {
        /// The peer, at its new address.
        who: Who,
        /// Where it was.
        from: SocketAddr,
    },
    /// Somebody at the address of a peer has another key.
    OtherKey {
        /// The peer that it is not.
        who: Who,
        /// How long ago the peer was met, if that is known.
        ago: Option<Duration>,
    },
    /// The user's own key, if there is one.
    OwnKey(Option<Key>),
    /// What the user and a peer have to compare.
    Verify {
        /// Which peer.
        who: Who,
        /// Its key.
        key: Key,
        /// The number that both see.
        number: String,
    },
    /// The user has compared the key of a peer.
    Verified(Who),
    /// The key of a peer is forgotten.
    KeyForgotten(Who),
    /// What was said before is wanted. Whoever records it answers: no screen shows this.
    Recall(Recall),
    /// What was found of it.
    Recalled(Box<Recalled>),
    /// The user said something; its outcome is a separate notice. Only told if
    /// [`Config::is_recorded`](crate::chat::node::Config::is_recorded).
    Said {
        /// To whom.
        to: SaidTo,
        /// What it says.
        text: String,
    },
    /// What is known of a peer.
    Whois(Box<Whois>),
    /// A peer has changed its name.
    Renamed {
        /// The peer, by its new name.
        who: Who,
        /// The name that it had.
        was: Rc<str>,
    },
    /// A message was handed over.
    Sent(SocketAddr),
    /// A message was handed over to so many peers.
    SentToAll(usize),
    /// How it stands.
    Stats(Box<Stats>),
    /// So many outcomes are not known yet. They are reported as soon as they are known.
    StillTrying(usize),
    /// What was counted instead of being shown.
    Tally {
        /// Chat messages.
        messages: u64,
        /// Entries that the peer table ever had.
        peers: u64,
    },
    /// A peer is heard again.
    Unblocked(Who),
    /// A session ended before the peer could confirm a text: it may or may not have read it.
    Unconfirmed {
        /// Which peer.
        to: SocketAddr,
        /// All of it.
        text: String,
        /// Why the session ended.
        reason: CloseReason,
    },
    /// A diagnosis is over.
    Verdict {
        /// Whom it is about.
        who: Who,
        /// What all its stages found.
        verdict: Box<Verdict>,
    },
}

impl Notice {
    /// The same, as an answer to the command with this id, if there is one.
    pub(super) fn answering(self, id: Option<CommandId>) -> Self {
        match id {
            Some(id) => Self::Answer { id, notice: Box::new(self) },
            None => self,
        }
    }
}

#[cfg(test)]
impl Notice {
    /// A message of a peer at its own address.
    pub(crate) fn heard(who: Who, text: &str) -> Self {
        Self::Message { who, text: text.to_owned(), is_to_all: false, mentions: Vec::new() }
    }
}
