//! What was said before: what is asked about it, and what is found.
//!
//! The node says what is wanted. It keeps no texts: whoever records them finds them.

use super::notice::SaidTo;
use super::view::Who;
use crate::proto::fault::Fault;
use jiff::Zoned;

/// What is wanted of what was said before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recall {
    /// A conversation begins: its last messages of earlier runs, if there are any.
    Before(Party),
    /// All that has this text in it, in capitals or not.
    Containing(String),
    /// The last messages of a conversation.
    Last {
        /// Of which one.
        with: Party,
        /// How many at most.
        count: usize,
    },
}

/// Whom a conversation is with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// What goes to all.
    All,
    /// The peer at this address. Its name is for showing.
    One(Who),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// What was wanted.
    pub asked: Recall,
    /// The newest of what was found, the oldest one first.
    pub messages: Vec<PastMessage>,
    /// So many older ones were found too.
    pub older: u64,
    /// Only the newest part of what was recorded was searched.
    pub is_partial: bool,
    /// What was said in this run was searched, because there is no transcript.
    pub is_this_run: bool,
}

/// A message that was heard or said before. Its text and names were cleaned when they were recorded, but whoever can
/// write the file may have changed them since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastMessage {
    /// When.
    pub at: Zoned,
    /// Whose, and to whom.
    pub way: Way,
    /// What it says.
    pub text: String,
}

/// Which way a message went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It was heard.
    Heard {
        /// From whom, by the name of that time.
        from: Who,
        /// It went to several peers at once.
        is_to_all: bool,
    },
    /// The user said it.
    Said(SaidTo),
}

/// Why nothing can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRecalled {
    /// There is no transcript.
    NoTranscript,
    /// The transcript is a device.
    NotAFile,
    /// The transcript cannot be read.
    Unreadable(Fault),
}
