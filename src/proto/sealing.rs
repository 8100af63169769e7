//! How a connection becomes encrypted, and what is written on it meanwhile.
//!
//! What a session is given to send waits in its queue of plain bytes. While the handshake is under way, only the
//! handshake is written. After it, all that a turn has queued is sealed when it is written.

use super::moment::Moment;
use super::secure::{Answered, Broken, Channel, FRAME_TEXT_MAX, Offered};
use super::send_queue::SendQueue;
use crate::limits::UNFINISHED_TIMEOUT;
use std::collections::VecDeque;
use std::io::{self, Write};

/// What an encrypted connection has besides its plain bytes.
#[derive(Debug)]
pub(super) struct Sealing {
    stage: Stage,
    /// What is written: lines of the handshake, then frames.
    wire: SendQueue,
    /// Since when a frame is not complete.
    part_since: Option<Moment>,
    /// The frames at the end of it: the bytes of each, and how many plain ones it carries.
    frames: VecDeque<(usize, usize)>,
}

/// A session lasts, and a handshake does not: so only the channel has its place here.
enum Stage {
    /// We answered with an offer. The first line that comes decides whether it is taken.
    Offered(Box<Offered>),
    /// We took an offer.
    Answered(Box<Answered>),
    Open(Channel),
    /// The handshake is being worked on, or has failed.
    Void,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Offered(_) => "Offered",
            Self::Answered(_) => "Answered",
            Self::Open(_) => "Open",
            Self::Void => "Void",
        })
    }
}

impl Sealing {
    /// We answer with an offer. What is queued until now is still written in the clear.
    pub(super) fn offered(offered: Offered, queue: &mut SendQueue) -> Self {
        Self::new(Stage::Offered(Box::new(offered)), std::mem::take(queue))
    }

    /// We take an offer, and `line` says so.
    pub(super) fn answered(answered: Answered, line: &str, queue: &mut SendQueue) -> Self {
        let mut wire = std::mem::take(queue);
        wire.push_beyond(line.as_bytes().into());
        Self::new(Stage::Answered(Box::new(answered)), wire)
    }

    fn new(stage: Stage, wire: SendQueue) -> Self {
        Self { stage, wire, part_since: None, frames: VecDeque::new() }
    }

    /// Whether everything that comes is frames.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    /// Whether our offer is not taken yet.
    pub(super) fn is_offered(&self) -> bool {
        matches!(self.stage, Stage::Offered(_))
    }

    pub(super) fn take_offered(&mut self) -> Option<Offered> {
        match std::mem::replace(&mut self.stage, Stage::Void) {
            Stage::Offered(offered) => Some(*offered),
            other => {
                self.stage = other;
                None
            }
        }
    }

    pub(super) fn take_answered(&mut self) -> Option<Answered> {
        match std::mem::replace(&mut self.stage, Stage::Void) {
            Stage::Answered(answered) => Some(*answered),
            other => {
                self.stage = other;
                None
            }
        }
    }

    /// The handshake is over; `line` is its last message, if it is ours.
    pub(super) fn open(&mut self, channel: Channel, line: Option<&str>) {
        self.stage = Stage::Open(channel);
        line.into_iter().for_each(|line| self.wire.push_beyond(line.as_bytes().into()));
    }

    /// The offer was not taken: what waits goes in the clear, behind what was written.
    pub(super) fn give_up(self, queue: &mut SendQueue) {
        let mut wire = self.wire;
        wire.append(std::mem::take(queue));
        *queue = wire;
    }

    /// Takes frames as they come, and appends their text.
    pub(super) fn read(&mut self, bytes: &[u8], text: &mut Vec<u8>) -> Result<(), Broken> {
        let before = text.len();
        let outcome = match &mut self.stage {
            Stage::Open(channel) => channel.open(bytes, text),
            Stage::Offered(_) | Stage::Answered(_) | Stage::Void => Err(Broken),
        };
        // What is left now is the beginning of another frame.
        self.part_since.take_if(|_| text.len() > before);
        outcome
    }

    /// Notes when bytes came.
    pub(super) fn heard(&mut self, now: Moment) {
        if self.held_in_part() == 0 {
            self.part_since = None;
        } else {
            self.part_since.get_or_insert(now);
        }
    }

    /// When a frame has taken too long, even if more of it still comes.
    pub(super) fn overdue_at(&self) -> Option<Moment> {
        Some(self.part_since? + UNFINISHED_TIMEOUT)
    }

    /// What can be written now: of plain bytes, those that may be sealed.
    pub(super) fn wire(&mut self, plain: &mut SendQueue) -> &mut SendQueue {
        self.forget_written();
        if let Stage::Open(channel) = &mut self.stage {
            while !plain.is_empty() {
                let mut text = Text(Vec::with_capacity(plain.bytes().min(FRAME_TEXT_MAX)));
                // It takes no more than a frame has room for, which ends the writing.
                let _ = plain.write_to(&mut text);
                let mut frame = Vec::new();
                if channel.seal(&text.0, &mut frame).is_err() {
                    // Only after 2^64 frames.
                    self.stage = Stage::Void;
                    break;
                }
                self.frames.push_back((frame.len(), text.0.len()));
                self.wire.push_beyond(frame.into());
            }
        }
        &mut self.wire
    }

    /// Plain bytes that are sealed, but whose frame is not written: only a whole frame can be opened.
    pub(super) fn unwritten(&self) -> usize {
        let mut ahead = self.wire.bytes();
        let is_unwritten = |&&(frame, _): &&(usize, usize)| {
            let is_unwritten = ahead > 0;
            ahead = ahead.saturating_sub(frame);
            is_unwritten
        };
        self.frames.iter().rev().take_while(is_unwritten).map(|(_, text)| text).sum()
    }

    fn forget_written(&mut self) {
        let frames: usize = self.frames.iter().map(|(frame, _)| frame).sum();
        let mut written = frames.saturating_sub(self.wire.bytes());
        while let Some(&(frame, _)) = self.frames.front().filter(|(frame, _)| *frame <= written) {
            written -= frame;
            self.frames.pop_front();
        }
        if self.frames.is_empty() {
            self.frames = VecDeque::new();
        }
    }

    pub(super) fn queue(&self) -> &SendQueue {
        &self.wire
    }

    /// Its memory, in bytes, as far as it can be much.
    pub(super) fn held(&self) -> usize {
        self.held_in_part() + self.wire.held()
    }

    /// As if nobody else held any of it.
    pub(super) fn held_at_most(&self) -> usize {
        self.held_in_part() + self.wire.held_at_most()
    }

    /// What came of a frame that is not complete.
    fn held_in_part(&self) -> usize {
        match &self.stage {
            Stage::Open(channel) => channel.held(),
            Stage::Offered(_) | Stage::Answered(_) | Stage::Void => 0,
        }
    }
}

/// The text of one frame.
struct Text(Vec<u8>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(FRAME_TEXT_MAX - self.0.len());
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::secure::{Identity, Seed};

    const PROLOGUE: &[u8] = b"both saw this";

    /// Both ends of an encrypted session, with nothing written yet.
    fn ends() -> (Sealing, Sealing) {
        let identity = |n| Identity::new([n; 32]).unwrap();
        let (offered, one) = Offered::new(&identity(1), PROLOGUE, Seed([3; 32])).unwrap();
        let (answered, two) = Answered::new(&identity(2), PROLOGUE, Seed([4; 32]), &one, b"B").unwrap();
        let mut a = Sealing::offered(offered, &mut SendQueue::default());
        let mut b = Sealing::answered(answered, "", &mut SendQueue::default());
        let (three, of_a) = a.take_offered().unwrap().take(&two).unwrap().1.prove(b"A").unwrap();
        let (_, of_b) = b.take_answered().unwrap().take(&three).unwrap();
        a.open(of_a, None);
        b.open(of_b, None);
        (a, b)
    }

    fn queued(text: &[u8]) -> SendQueue {
        let mut queue = SendQueue::default();
        queue.push_beyond(text.into());
        queue
    }

    /// Takes so many bytes, and then no more.
    struct Narrow(Vec<u8>, usize);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.1);
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.1 -= count;
            self.0.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_turn_queued_is_one_frame_and_counts_as_written_when_all_of_it_is() {
        let (mut a, mut b) = ends();
        let mut plain = queued(b"one\n");
        plain.push_beyond(b"two\n"[..].into());
        let frame = a.wire(&mut plain).bytes();
        assert_eq!((frame, a.unwritten(), plain.is_empty()), (2 + 64 + 16, 8, true));
        let mut narrow = Narrow(Vec::new(), frame - 1);
        let _ = a.wire(&mut plain).write_to(&mut narrow);
        assert_eq!(a.unwritten(), 8, "a part of a frame is of no use");
        plain = queued(b"three\n");
        assert_eq!(a.wire(&mut plain).bytes(), 1 + frame);
        assert_eq!(a.unwritten(), 8 + 6);
        narrow.1 = 1;
        let _ = a.wire(&mut plain).write_to(&mut narrow);
        assert_eq!(a.unwritten(), 6);
        narrow.1 = usize::MAX;
        a.wire(&mut plain).write_to(&mut narrow).unwrap();
        assert_eq!(a.unwritten(), 0);
        let mut text = Vec::new();
        b.read(&narrow.0, &mut text).unwrap();
        let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        assert_eq!(lines.collect::<Vec<_>>(), [&b"one"[..], b"two", b"three"]);
    }

    #[test]
    fn a_long_text_takes_several_frames_and_an_idle_session_holds_nothing() {
        let (mut a, mut b) = ends();
        let long = vec![b'x'; 3 * FRAME_TEXT_MAX + 1];
        let mut plain = queued(&long);
        let mut bytes = Vec::new();
        a.wire(&mut plain).write_to(&mut bytes).unwrap();
        let mut text = Vec::new();
        b.read(&bytes, &mut text).unwrap();
        assert!(text.starts_with(&long) && text[long.len()..].iter().all(|&byte| byte == b'\n'));
        a.wire(&mut plain);
        assert_eq!((a.held(), b.held(), a.frames.capacity()), (0, 0, 0));
    }

    #[test]
    fn before_the_end_of_the_handshake_nothing_that_is_queued_is_written() {
        let identity = Identity::new([1; 32]).unwrap();
        let (offered, _) = Offered::new(&identity, PROLOGUE, Seed([3; 32])).unwrap();
        let mut queue = queued(b"the answer\n");
        let mut sealing = Sealing::offered(offered, &mut queue);
        queue.push_beyond(b"a text\n"[..].into());
        assert_eq!(sealing.wire(&mut queue).bytes(), b"the answer\n".len());
        assert!(sealing.read(b"anything", &mut Vec::new()).is_err());
        sealing.give_up(&mut queue);
        let mut written = Vec::new();
        queue.write_to(&mut written).unwrap();
        assert_eq!(written, b"the answer\na text\n");
    }
}
