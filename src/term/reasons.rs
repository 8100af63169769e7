//! A word for each reason, for programs. They are part of the schema of events, like the names of fields.

use crate::chat::notice::{BadCommand, BadSlash, Failure, FileFault, JsonFault, Mistake, NotRecalled, Stats};
use crate::proto::fault::Fault;
use crate::proto::machine::CloseReason;
use std::collections::BTreeMap;
use std::io;

/// How many connections ended for each reason. Faults of all kinds share one word.
pub(super) fn ended(stats: &Stats) -> BTreeMap<&'static str, u64> {
    let mut ended = BTreeMap::new();
    for &(reason, count) in &stats.ended {
        *ended.entry(reason.word()).or_default() += count;
    }
    ended
}

words! {
    /// Why something did not reach a peer.
    pub(super) fn failure_reason(why: Failure), FAILURE_REASONS of why;
    Failure::Blocked => "blocked",
    Failure::NoOwnKey => "no-own-key",
    Failure::TooManyWaiting => "too-many-waiting",
    Failure::Yourself => "yourself",
    ;
    Failure::Connection(reason) => reason.word(),
}

/// Why something did not reach a peer, in a few words for a person.
pub(super) fn failure_in_short(why: Failure) -> &'static str {
    match why {
        Failure::Blocked => "blocked by you",
        Failure::NoOwnKey => "no key of your own",
        Failure::TooManyWaiting => "too many waiting",
        Failure::Yourself => "this program itself",
        Failure::Connection(reason) => match reason {
            CloseReason::BadFrame => "a broken frame",
            CloseReason::BadProof | CloseReason::NoProof => "no proof of who it is",
            CloseReason::NotEncrypted => "not encrypted",
            CloseReason::WrongKey => "another key",
            CloseReason::Eof => "closed by the other side",
            CloseReason::Fault(_) => "a fault of the system",
            CloseReason::Idle => "silent for too long",
            CloseReason::LineTooLong => "line too long",
            CloseReason::MemoryFull => "memory full",
            CloseReason::NoDescriptor => "no file descriptor left",
            CloseReason::NoMessage => "no message in time",
            CloseReason::NoPort => "no local port left",
            CloseReason::Refused => "refused",
            CloseReason::Reset => "connection broken",
            CloseReason::SlowPeer => "too slow",
            CloseReason::TimedOut => "timed out",
            CloseReason::Unreachable => "unreachable",
        },
    }
}

words! {
    /// What is wrong with a file that the program keeps.
    pub(super) fn file_reason(why: &FileFault), FILE_REASONS of why;
    FileFault::Corrupt { .. } => "corrupt",
    FileFault::Exposed => "exposed",
    FileFault::NoKey => "no-key",
    FileFault::NoRandomness(_) => "no-randomness",
    FileFault::Odd { .. } => "odd",
    FileFault::Unreadable(_) => "unreadable",
    FileFault::Unwritable(_) => "unwritable",
}

words! {
    /// Why a port cannot be listened on.
    pub(super) fn listen_reason(port: u16, error: Fault), LISTEN_REASONS of error.kind;
    io::ErrorKind::AddrInUse if port == 0 => "no-port",
    io::ErrorKind::AddrInUse => "in-use",
    io::ErrorKind::AddrNotAvailable => "no-such-address",
    _ if error.is_of_family() => "no-such-address",
    io::ErrorKind::PermissionDenied if error.may_be_of_bind() => "not-permitted",
    _ => "fault",
}

words! {
    /// Why nothing that was said can be found.
    pub(super) fn recall_reason(why: &NotRecalled), RECALL_REASONS of why;
    NotRecalled::NoTranscript => "no-transcript",
    NotRecalled::NotAFile => "not-a-file",
    NotRecalled::Unreadable(_) => "unreadable",
}

words! {
    /// Why the transcript cannot be written.
    pub(super) fn record_reason(error: Fault), RECORD_REASONS of error.kind;
    io::ErrorKind::FileTooLarge | io::ErrorKind::QuotaExceeded | io::ErrorKind::StorageFull => "disk-full",
    _ => "fault",
}

words! {
    /// What is wrong with something that was typed.
    pub(super) fn mistake_reason(mistake: &Mistake), MISTAKE_REASONS of mistake;
    Mistake::AliasTaken(_) => "alias-taken",
    Mistake::AmbiguousName { .. } => "ambiguous-name",
    Mistake::BadAddress(_) | Mistake::HostName(_) => "bad-address",
    Mistake::BadAlias(_) => "bad-alias",
    Mistake::BadCommand(BadCommand::BadId) => "bad-id",
    Mistake::BadCommand(BadCommand::DuplicateField { .. }) => "duplicate-field",
    Mistake::BadCommand(BadCommand::Missing { .. }) => "missing-field",
    Mistake::BadCommand(BadCommand::NoCommand) => "no-command",
    Mistake::BadCommand(BadCommand::NotAnObject) => "not-an-object",
    Mistake::BadCommand(BadCommand::NotUtf8(_)) => "not-utf8",
    Mistake::BadCommand(BadCommand::Unknown(_)) => "unknown-command",
    Mistake::BadCommand(BadCommand::UnknownField { .. }) => "unknown-field",
    Mistake::BadCount(_) => "bad-count",
    Mistake::BadDialect(_) => "bad-dialect",
    Mistake::BadPort(_) => "bad-port",
    Mistake::BadScope(_) => "bad-scope",
    Mistake::BadSlash(BadSlash::ForPeople) => "for-people",
    Mistake::BadSlash(BadSlash::ForTerminals) => "for-terminals",
    Mistake::BadSlash(BadSlash::NameIsFixed) => "name-is-fixed",
    Mistake::BadSlash(BadSlash::Unknown { .. }) => "unknown-slash-command",
    Mistake::BadSlash(BadSlash::Usage { .. }) => "bad-usage",
    Mistake::Blocked(_) => "blocked",
    Mistake::Diagnosing(_) => "diagnosing",
    Mistake::EmptyMessage => "empty-message",
    Mistake::EmptyName => "empty-name",
    Mistake::HeldFull => "held-full",
    Mistake::LineTooLong => "line-too-long",
    Mistake::NameTooLong => "name-too-long",
    Mistake::NoPeers | Mistake::NoneToConnect => "no-peers",
    Mistake::NoStaticPeers => "no-static-peers",
    Mistake::NoConversation => "no-conversation",
    Mistake::NoSuchNumber(_) => "no-such-number",
    Mistake::NoKey(_) => "no-key",
    Mistake::NotCompared(_) => "not-compared",
    Mistake::NoOwnKey => "no-own-key",
    Mistake::NotBlocked(_) => "not-blocked",
    Mistake::NotYesOrNo => "not-yes-or-no",
    Mistake::NothingHeld(_) => "nothing-held",
    Mistake::UnknownChoice(_) => "unknown-choice",
    Mistake::Yourself(_) => "yourself",
    ;
    Mistake::BadCommand(BadCommand::Malformed { fault, .. }) => json_reason(*fault),
}

words! {
    /// What is wrong with the JSON of a command.
    pub(super) fn json_reason(fault: JsonFault), JSON_REASONS of fault;
    JsonFault::BadEscape => "bad-escape",
    JsonFault::ControlCharacter => "control-character",
    JsonFault::LoneSurrogate => "lone-surrogate",
    JsonFault::NumberOutOfRange => "number-out-of-range",
    JsonFault::Syntax => "bad-json",
    JsonFault::TooDeep => "too-deep",
    JsonFault::TrailingComma => "trailing-comma",
    JsonFault::TrailingText => "trailing-text",
    JsonFault::Truncated => "truncated",
}
