//! Reads from any reader until nothing is left or the budget is spent.
//!
//! Readiness is edge-triggered: a caller that stops early must remember that, since no event will come again.
//!
//! On Linux a short read ends a drain, because the kernel promises a new event for whatever comes later. There are two
//! exceptions: the end of the stream was already announced, so that event will not come again; or there is urgent
//! data, because a read stops at its mark even if more data follows.

use std::io::{self, Read};

/// How a drain ended.
#[derive(Debug)]
pub enum Drained {
    /// The budget is spent; there may be more.
    Budget,
    /// Nothing is left for now.
    Empty,
    /// The other side has sent all that it will send.
    End,
    /// The connection broke.
    Broken(io::Error),
}

/// Reads into `scratch` and hands each piece to `take`, until `budget` bytes were read.
///
/// `may_stop_short`: a read that did not fill the buffer has emptied the socket, and later data causes a new event, so
/// one more read would only return `WouldBlock`. This is true where the kernel promises it (Linux, see epoll(7)), and
/// only if neither the end of the stream nor urgent data was announced. The event for the end does not come twice, and
/// a read stops at the mark of urgent data even if more data follows, inline or not.
pub fn receive(
    reader: &mut impl Read,
    scratch: &mut [u8],
    budget: usize,
    may_stop_short: bool,
    mut take: impl FnMut(&[u8]),
) -> Drained {
    let mut left = budget;
    while left > 0 {
        let room = left.min(scratch.len());
        match reader.read(&mut scratch[..room]) {
            Ok(0) => return Drained::End,
            Ok(count) => {
                left -= count;
                take(&scratch[..count]);
                if may_stop_short && count < room {
                    return Drained::Empty;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Drained::Empty,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Drained::Broken(error),
        }
    }
    Drained::Budget
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::io::ErrorKind::{ConnectionReset, Interrupted, WouldBlock};

    /// Returns one scripted result for each read, and `WouldBlock` at the end of the script.
    struct Scripted(VecDeque<Result<usize, io::ErrorKind>>);

    impl Read for Scripted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.pop_front() {
                Some(Ok(count)) => Ok(count.min(buffer.len())),
                Some(Err(kind)) => Err(kind.into()),
                None => Err(WouldBlock.into()),
            }
        }
    }

    fn run(
        script: impl IntoIterator<Item = Result<usize, io::ErrorKind>>,
        may_stop_short: bool,
    ) -> (Drained, usize, usize) {
        let mut reader = Scripted(script.into_iter().collect());
        let mut taken = 0;
        let drained = receive(&mut reader, &mut [0; 100], 250, may_stop_short, |bytes| taken += bytes.len());
        (drained, taken, reader.0.len())
    }

    #[test]
    fn it_reads_until_the_socket_would_block() {
        let (drained, taken, _) = run([Ok(10), Err(Interrupted), Ok(100)], false);
        assert!(matches!(drained, Drained::Empty) && taken == 110);
    }

    #[test]
    fn it_stops_at_the_budget_exactly() {
        let (drained, taken, unread) = run([Ok(100), Ok(100), Ok(100), Ok(100)], true);
        assert!(matches!(drained, Drained::Budget));
        assert_eq!((taken, unread), (250, 1));
    }

    #[test]
    fn the_last_bytes_are_taken_before_the_end_is_believed() {
        let (drained, taken, _) = run([Ok(10), Ok(0)], false);
        assert!(matches!(drained, Drained::End) && taken == 10);
        let (drained, taken, _) = run([Ok(10), Err(ConnectionReset)], false);
        assert!(matches!(drained, Drained::Broken(_)) && taken == 10);
    }

    #[test]
    fn a_short_read_is_the_last_one_only_where_that_is_safe() {
        let (drained, taken, unread) = run([Ok(10), Ok(5)], true);
        assert!(matches!(drained, Drained::Empty));
        assert_eq!((taken, unread), (10, 1));
        assert_eq!(run([Ok(10), Ok(5)], false).1, 15);
    }
}
