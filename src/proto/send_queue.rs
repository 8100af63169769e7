//! The bytes that wait to be sent on one connection: bounded, shared, and correct after partial writes.
//!
//! A payload is an `Rc<[u8]>`, so that a message to ten thousand peers is formatted and stored once. Small payloads
//! that wait behind another one are gathered in one buffer, so each costs only its own bytes. An empty queue owns no
//! memory. It knows no socket: [`SendQueue::write_to`] takes any writer.

use super::buffer::Buffer;
use crate::limits::{BUFFER_BYTES_MAX, GATHERED_BYTES_MAX, PAYLOAD_OVERHEAD_BYTES, SLICES_PER_WRITE};
use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};
use std::ops::Deref;
use std::rc::Rc;

/// A queue of payloads in the order in which they are sent.
#[derive(Debug, Default)]
pub struct SendQueue(Option<Box<Waiting>>);

#[derive(Debug)]
struct Waiting {
    /// Usually it is the only one, and then the queue allocates nothing else.
    first: Payload,
    rest: VecDeque<Payload>,
    /// Bytes of the first payload that are written already; less than its length.
    written: usize,
    /// Bytes that are still to be written.
    bytes: usize,
    /// The memory of all payloads, in bytes, as if no other queue held them.
    held: usize,
}

#[derive(Debug)]
enum Payload {
    /// Other queues may hold it too.
    Shared(Rc<[u8]>),
    /// Small payloads, one after the other.
    Gathered(Buffer),
}

/// The queue has no room, because its reader is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl SendQueue {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Bytes that wait to be written.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.bytes)
    }

    /// The size that is compared with the limit: its bytes, and [`PAYLOAD_OVERHEAD_BYTES`] more for each payload that
    /// is not gathered.
    pub fn size(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.bytes + (1 + waiting.rest.len()) * PAYLOAD_OVERHEAD_BYTES)
    }

    /// The memory that this queue holds, in bytes. A payload that other queues also hold counts only in part.
    pub(super) fn held(&self) -> usize {
        let of_waiting = |waiting: &Waiting| {
            let payloads = std::iter::once(&waiting.first).chain(&waiting.rest);
            payloads.map(|payload| payload.held() / payload.holders() + PAYLOAD_OVERHEAD_BYTES).sum::<usize>()
        };
        self.0.as_deref().map_or(0, of_waiting)
    }

    /// The memory that this queue would hold if no other queue held its payloads. Cheap to compute.
    pub(super) fn held_at_most(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.held)
    }

    /// Appends a payload, unless the size would exceed `size_max`.
    pub fn push(&mut self, payload: Rc<[u8]>, size_max: usize) -> Result<(), Full> {
        if self.size() + payload.len() + PAYLOAD_OVERHEAD_BYTES > size_max && !payload.is_empty() {
            return Err(Full);
        }
        self.push_beyond(payload);
        Ok(())
    }

    /// Appends a payload whatever the size; the caller checks the limit.
    pub fn push_beyond(&mut self, payload: Rc<[u8]>) {
        if payload.is_empty() {
            return;
        }
        match &mut self.0 {
            Some(waiting) => {
                waiting.bytes += payload.len();
                waiting.append(payload);
            }
            None => {
                let bytes = payload.len();
                let first = Payload::Shared(payload);
                let held = bytes + PAYLOAD_OVERHEAD_BYTES;
                self.0 = Some(Box::new(Waiting { first, rest: VecDeque::new(), written: 0, bytes, held }));
            }
        }
    }

    /// Appends all that waits in another queue.
    pub(super) fn append(&mut self, mut other: Self) {
        let mut bytes = Vec::with_capacity(other.bytes());
        // It cannot fail: memory takes everything.
        let _ = other.write_to(&mut bytes);
        self.push_beyond(bytes.into());
    }

    /// Writes until nothing is left, which is `Ok`, or until the writer returns an error. After `WouldBlock`, call it
    /// again when the writer is writable.
    pub fn write_to(&mut self, writer: &mut impl Write) -> io::Result<()> {
        while let Some(waiting) = &mut self.0 {
            match waiting.write_once(writer) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) if count == waiting.bytes => self.0 = None,
                Ok(count) => waiting.advance(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    waiting.settle();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// The payloads that were not written completely, each with the number of its bytes that were written.
    #[cfg(test)]
    pub(crate) fn unsent(&self) -> impl Iterator<Item = (&[u8], usize)> {
        self.0.iter().flat_map(|waiting| {
            let rest = waiting.rest.iter().map(|payload| (&**payload, 0));
            std::iter::once((&*waiting.first, waiting.written)).chain(rest)
        })
    }
}

impl Waiting {
    fn append(&mut self, payload: Rc<[u8]>) {
        if payload.len() >= GATHERED_BYTES_MAX {
            return self.append_another(Payload::Shared(payload));
        }
        match self.rest.back_mut() {
            Some(Payload::Gathered(buffer)) if buffer.len() + payload.len() <= BUFFER_BYTES_MAX => {
                self.held -= buffer.held();
                buffer.append_for_now(&payload);
                self.held += buffer.held();
            }
            _ => self.append_another(Payload::Gathered(Buffer::from(&*payload))),
        }
    }

    /// The writer takes no more for now, so what was gathered since the last time will be held for a while.
    fn settle(&mut self) {
        for payload in self.rest.iter_mut().rev() {
            match payload {
                Payload::Gathered(Buffer::Mapped { .. }) => return,
                Payload::Gathered(buffer) => {
                    self.held -= buffer.held();
                    buffer.settle();
                    self.held += buffer.held();
                }
                Payload::Shared(_) => {}
            }
        }
    }

    fn append_another(&mut self, payload: Payload) {
        self.held += payload.held() + PAYLOAD_OVERHEAD_BYTES;
        self.rest.push_back(payload);
    }

    fn write_once(&self, writer: &mut impl Write) -> io::Result<usize> {
        let first = &self.first[self.written..];
        if self.rest.is_empty() {
            return writer.write(first);
        }
        let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
        let count = (1 + self.rest.len()).min(SLICES_PER_WRITE);
        slices[0] = IoSlice::new(first);
        for (slice, payload) in slices[1..count].iter_mut().zip(&self.rest) {
            *slice = IoSlice::new(payload);
        }
        writer.write_vectored(&slices[..count])
    }

    /// Notes that so many bytes were written, but not all of them.
    fn advance(&mut self, count: usize) {
        self.bytes -= count;
        self.written += count;
        while self.written >= self.first.len()
            && let Some(next) = self.rest.pop_front()
        {
            self.written -= self.first.len();
            self.held -= self.first.held() + PAYLOAD_OVERHEAD_BYTES;
            self.first = next;
        }
    }
}

impl Payload {
    /// Its memory, in bytes.
    fn held(&self) -> usize {
        match self {
            Self::Shared(payload) => payload.len(),
            Self::Gathered(buffer) => buffer.held(),
        }
    }

    /// How many queues hold it.
    fn holders(&self) -> usize {
        match self {
            Self::Shared(payload) => Rc::strong_count(payload),
            Self::Gathered(_) => 1,
        }
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Shared(payload) => payload,
            Self::Gathered(buffer) => buffer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes the given number of bytes at each write, and then returns `WouldBlock`.
    struct Scripted {
        takes: Vec<usize>,
        taken: Vec<u8>,
        writes: usize,
    }

    impl Scripted {
        fn new(takes: &[usize]) -> Self {
            Self { takes: takes.iter().rev().copied().collect(), taken: Vec::new(), writes: 0 }
        }
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            self.writes += 1;
            let room = self.takes.pop().ok_or(io::ErrorKind::WouldBlock)?;
            let before = self.taken.len();
            self.taken.extend(slices.iter().flat_map(|slice| slice.iter()).take(room));
            Ok(self.taken.len() - before)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn queue_of(payloads: &[&str]) -> SendQueue {
        let mut queue = SendQueue::default();
        for payload in payloads {
            queue.push(payload.as_bytes().into(), 100_000).unwrap();
        }
        queue
    }

    #[test]
    fn partial_writes_resume_in_the_middle_of_a_payload() {
        let mut queue = queue_of(&["hello", " ", "world"]);
        let mut writer = Scripted::new(&[3, 4]);
        assert_eq!(queue.write_to(&mut writer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!((queue.bytes(), queue.unsent().count()), (4, 1));
        writer.takes = vec![100];
        queue.write_to(&mut writer).unwrap();
        assert_eq!(writer.taken, b"hello world");
        assert!(queue.is_empty());
    }

    #[test]
    fn everything_of_a_turn_goes_out_in_one_write() {
        let mut queue = queue_of(&["a", "b", "c", "d"]);
        let mut writer = Scripted::new(&[100]);
        queue.write_to(&mut writer).unwrap();
        assert_eq!((writer.writes, writer.taken.as_slice()), (1, b"abcd".as_slice()));
    }

    #[test]
    fn more_payloads_than_slices_are_all_written() {
        let mut queue = queue_of(&["x"; 3 * SLICES_PER_WRITE + 1]);
        let mut writer = Scripted::new(&[1000; 4]);
        queue.write_to(&mut writer).unwrap();
        assert_eq!(writer.taken.len(), 3 * SLICES_PER_WRITE + 1);
    }

    #[test]
    fn the_bound_is_exact() {
        let max = 100 + 2 * PAYLOAD_OVERHEAD_BYTES;
        let mut queue = SendQueue::default();
        queue.push(vec![0; 60].into(), max).unwrap();
        assert_eq!(queue.push(vec![0; 41].into(), max), Err(Full));
        queue.push(vec![0; 40].into(), max).unwrap();
        assert_eq!((queue.bytes(), queue.push(vec![0].into(), max)), (100, Err(Full)));
    }

    #[test]
    fn small_payloads_behind_another_one_cost_their_bytes_and_come_in_order() {
        let mut queue = queue_of(&["first"]);
        let numbers: Vec<String> = (0..20_000).map(|n| format!("{n} ")).collect();
        for (n, number) in numbers.iter().enumerate() {
            queue.push(number.as_bytes().into(), 1_000_000).unwrap();
            if n == 10_000 {
                queue.push(vec![b'x'; 2 * GATHERED_BYTES_MAX].into(), 1_000_000).unwrap();
            }
        }
        let bytes = queue.bytes();
        // A turn is over, and the reader takes nothing: from now on they are held for a while.
        assert_eq!(queue.write_to(&mut Scripted::new(&[])).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(queue.size() < bytes + bytes / 100 && queue.held() < bytes + bytes / 10);
        assert!(queue.held() <= queue.held_at_most());
        let mut writer = Scripted::new(&[3, 70_000, bytes]);
        queue.write_to(&mut writer).unwrap();
        let (large, early, late) =
            ("x".repeat(2 * GATHERED_BYTES_MAX), &numbers[..=10_000], &numbers[10_001..]);
        assert!(writer.taken == format!("first{}{large}{}", early.concat(), late.concat()).into_bytes());
        assert_eq!((queue.size(), queue.held()), (0, 0));
    }

    #[test]
    fn a_gathered_payload_counts_against_the_bound() {
        let mut queue = queue_of(&["first"]);
        let one: Rc<[u8]> = b"x".as_slice().into();
        let max = queue.size() + PAYLOAD_OVERHEAD_BYTES + 1000;
        let mut pushed = 0;
        while queue.push(Rc::clone(&one), max).is_ok() {
            pushed += 1;
        }
        assert!((900..=1000).contains(&pushed), "{pushed}");
    }

    #[test]
    fn a_writer_that_takes_nothing_is_an_error_not_a_loop() {
        let mut writer = Scripted::new(&[0]);
        assert_eq!(queue_of(&["a"]).write_to(&mut writer).unwrap_err().kind(), io::ErrorKind::WriteZero);
    }
}
