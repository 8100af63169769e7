//! The answer that `chinwag send --wait-reply` waits for.

use crate::output::write_out;
use chinwag::chat::notice::Notice;
use chinwag::proto::clean::Clean;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// An answer from an address. It may come before it is known that the message was taken.
#[derive(Debug)]
pub(super) struct Awaited {
    from: SocketAddr,
    time: Duration,
    /// When the time is over. It runs when everything was taken.
    pub(super) until: Option<Instant>,
    answer: Option<String>,
    /// Something was said that can be answered.
    pub(super) has_said: bool,
}

impl Awaited {
    pub(super) fn new(from: SocketAddr, time: Duration) -> Self {
        Self { from, time, until: None, answer: None, has_said: false }
    }

    /// Whether it is still to be waited for, after everything was taken.
    pub(super) fn is_open(&mut self, now: Instant) -> bool {
        self.has_said && self.answer.is_none() && now < *self.until.get_or_insert(now + self.time)
    }

    /// Takes the answer, if this is the first one: a message of that address, or a line that came from its socket.
    pub(super) fn is_answered_by(&mut self, notice: &Notice) -> bool {
        let (from, text) = match notice {
            Notice::Message { who, text, .. } => (who.address, text),
            Notice::Raw { from, text } => (*from, text),
            _ => return false,
        };
        let is_answer = from == self.from && self.answer.is_none();
        if is_answer {
            self.answer = Some(text.clone());
        }
        is_answer
    }

    /// Whether it could have come, and did not.
    pub(super) fn is_missing(&self) -> bool {
        self.has_said && self.answer.is_none()
    }
}

/// Prints the answer as soon as there is one: the farewells after it may take a while.
#[derive(Default)]
pub(super) struct Printed {
    is_done: bool,
    /// Why it could not be printed.
    pub(super) fault: Option<io::Error>,
}

impl Printed {
    pub(super) fn look(&mut self, awaited: Option<&Awaited>) {
        let answer = awaited.and_then(|awaited| awaited.answer.as_deref());
        if let Some(text) = answer.filter(|_| !self.is_done) {
            self.is_done = true;
            self.fault = write_out(format!("{}\n", Clean(text)).as_bytes()).err();
        }
    }
}
