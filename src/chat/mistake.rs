//! What was wrong with something that was typed, by a person or by a program.

use super::view::{PeerRow, Who};
use crate::proto::scope::ScopeFault;
use std::net::SocketAddr;

/// What was wrong with something that the user typed. The same question is asked again, or the menu
/// comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Another peer is called so by the user already.
    AliasTaken(Who),
    /// Several peers bear this name; a number of this list, or an address, is needed.
    AmbiguousName {
        /// The name as it was typed.
        name: String,
        /// Who has it.
        peers: Vec<PeerRow>,
    },
    /// Not a command. Only programs get this one.
    BadCommand(BadCommand),
    /// Not an IP address, a number of the last list or a known name.
    BadAddress(String),
    /// Not a name that a peer can be called by: it could be taken for something else.
    BadAlias(String),
    /// Not a number of messages that can be shown.
    BadCount(String),
    /// Not a dialect.
    BadDialect(String),
    /// Not a port from 1 to 65535.
    BadPort(String),
    /// A slash command that cannot be used.
    BadSlash(BadSlash),
    /// The address needs an interface, or another one, or none.
    BadScope(ScopeFault),
    /// The user blocked this peer.
    Blocked(Who),
    /// The way to this address is being diagnosed.
    Diagnosing(SocketAddr),
    /// Nothing to send.
    EmptyMessage,
    /// A name is needed.
    EmptyName,
    /// Too many texts are held for later already.
    HeldFull,
    /// The name of a host. Peers are known by their addresses, and one host may have several.
    HostName(String),
    /// The typed line went over [`crate::limits::TYPED_BYTES_MAX`], or a JSON command over
    /// [`crate::limits::COMMAND_BYTES_MAX`].
    LineTooLong,
    /// The name went over [`crate::limits::NAME_BYTES_MAX`].
    NameTooLong,
    /// There is no such conversation, or the user is in none.
    NoConversation,
    /// This peer was never met encrypted, or its key was forgotten.
    NoKey(Who),
    /// What was compared is not of this peer, or not any more.
    NotCompared(Who),
    /// The user has no key, or does not use it.
    NoOwnKey,
    /// Nothing is held for this peer.
    NothingHeld(SocketAddr),
    /// There is nobody to connect to: all active peers are connected.
    NoneToConnect,
    /// There is nobody to send to.
    NoPeers,
    /// The list of static peers is empty.
    NoStaticPeers,
    /// The last list has no such number.
    NoSuchNumber(usize),
    /// The peer to be unblocked was not blocked.
    NotBlocked(Who),
    /// The answer is neither yes nor no.
    NotYesOrNo,
    /// Not an entry of the menu.
    UnknownChoice(String),
    /// The address is our own.
    Yourself(SocketAddr),
}

/// What was wrong with a command of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadCommand {
    /// The id is neither a string nor a number, or it is too long.
    BadId,
    /// This field is there more than once, and nothing says which one counts.
    DuplicateField {
        /// The name of the field.
        field: String,
        /// Where it is there again.
        column: usize,
    },
    /// It begins like an object, and is not JSON.
    Malformed {
        /// What is wrong.
        fault: JsonFault,
        /// Up to which character of the line it was understood, the first one being 1.
        column: usize,
    },
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
    /// Bytes that are not UTF-8, and where.
    NotUtf8(usize),
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

/// What is wrong with JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// A backslash begins nothing that JSON knows.
    BadEscape,
    /// A control character stands in a string as it is.
    ControlCharacter,
    /// One half of a surrogate pair is not a character.
    LoneSurrogate,
    /// A number is too large.
    NumberOutOfRange,
    /// It is not as JSON is written in some other way.
    Syntax,
    /// Lists or objects in one another go too deep.
    TooDeep,
    /// A comma has nothing after it.
    TrailingComma,
    /// Something follows the object.
    TrailingText,
    /// The line ends before the object does.
    Truncated,
}

impl From<BadCommand> for Mistake {
    fn from(bad: BadCommand) -> Self {
        Self::BadCommand(bad)
    }
}

impl From<ScopeFault> for Mistake {
    fn from(fault: ScopeFault) -> Self {
        Self::BadScope(fault)
    }
}

/// What was wrong with a slash command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadSlash {
    /// It begins a conversation, which programs cannot have.
    ForPeople,
    /// It changes a screen, which only a terminal has.
    ForTerminals,
    /// A name is set at the start of the program.
    NameIsFixed,
    /// There is no such command.
    Unknown {
        /// What was typed.
        word: String,
        /// The command that was perhaps meant.
        nearest: Option<&'static str>,
    },
    /// It has too few words or too many.
    Usage {
        /// Its name.
        name: &'static str,
        /// The words for what it needs.
        arguments: &'static str,
    },
}

impl From<BadSlash> for Mistake {
    fn from(bad: BadSlash) -> Self {
        Self::BadSlash(bad)
    }
}
