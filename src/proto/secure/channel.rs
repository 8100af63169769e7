//! The frames of an encrypted session: two bytes of length, then the sealed text. What they carry is the very stream of
//! bytes that a plain session has.

use super::Broken;
use snow::TransportState;
use std::fmt::{self, Debug, Formatter};

/// The most bytes of text in a frame.
pub const FRAME_TEXT_MAX: usize = 16 * 1024;

/// A text is filled up to a multiple of this, so that its length tells little.
const PADDED_BYTES: usize = 64;

/// An empty line, which means nothing in a session.
const PADDING: u8 = b'\n';

const LENGTH_BYTES: usize = 2;
const TAG_BYTES: usize = 16;

/// Seals what is sent and opens what comes.
pub struct Channel {
    state: TransportState,
    /// The beginning of a frame that is not complete.
    rest: Vec<u8>,
}

impl Debug for Channel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("rest", &self.rest.len()).finish_non_exhaustive()
    }
}

impl Channel {
    pub(super) fn new(state: TransportState) -> Self {
        Self { state, rest: Vec::new() }
    }

    /// The memory of what is not complete, in bytes.
    pub fn held(&self) -> usize {
        self.rest.capacity()
    }

    /// Appends the frame with this text, which fits into one.
    pub fn seal(&mut self, text: &[u8], frames: &mut Vec<u8>) -> Result<(), Broken> {
        debug_assert!(text.len() <= FRAME_TEXT_MAX);
        let padded = text.len().next_multiple_of(PADDED_BYTES).min(FRAME_TEXT_MAX);
        let mut padded_text = Vec::with_capacity(padded);
        padded_text.extend_from_slice(text);
        padded_text.resize(padded, PADDING);
        let sealed = padded + TAG_BYTES;
        frames.extend_from_slice(&u16::try_from(sealed).map_err(|_| Broken)?.to_be_bytes());
        let start = frames.len();
        frames.resize(start + sealed, 0);
        self.state.write_message(&padded_text, &mut frames[start..])?;
        Ok(())
    }

    /// Takes bytes as they come, and appends the text of each frame that they complete.
    pub fn open(&mut self, mut bytes: &[u8], text: &mut Vec<u8>) -> Result<(), Broken> {
        while !bytes.is_empty() {
            if self.rest.is_empty()
                && let Some(frame) = whole_frame(bytes)?
            {
                self.open_frame(&frame[LENGTH_BYTES..], text)?;
                bytes = &bytes[frame.len()..];
                continue;
            }
            let wanted = match whole_length(&self.rest)? {
                Some(length) => length - self.rest.len(),
                None => LENGTH_BYTES - self.rest.len(),
            };
            let (taken, others) = bytes.split_at(wanted.min(bytes.len()));
            self.rest.extend_from_slice(taken);
            bytes = others;
            if whole_frame(&self.rest)?.is_some() {
                let frame = std::mem::take(&mut self.rest);
                self.open_frame(&frame[LENGTH_BYTES..], text)?;
            }
        }
        Ok(())
    }

    fn open_frame(&mut self, sealed: &[u8], text: &mut Vec<u8>) -> Result<(), Broken> {
        let start = text.len();
        text.resize(start + sealed.len(), 0);
        let outcome = self.state.read_message(sealed, &mut text[start..]);
        text.truncate(start + *outcome.as_ref().unwrap_or(&0));
        outcome.map(|_| ()).map_err(Broken::from)
    }
}

/// The length of a frame with its two bytes in front, if they are there. It is wrong if no frame can have it.
fn whole_length(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    let Some(&[high, low]) = bytes.get(..LENGTH_BYTES) else { return Ok(None) };
    let sealed = usize::from(u16::from_be_bytes([high, low]));
    if (TAG_BYTES..=FRAME_TEXT_MAX + TAG_BYTES).contains(&sealed) {
        Ok(Some(LENGTH_BYTES + sealed))
    } else {
        Err(Broken)
    }
}

fn whole_frame(bytes: &[u8]) -> Result<Option<&[u8]>, Broken> {
    Ok(whole_length(bytes)?.and_then(|length| bytes.get(..length)))
}

#[cfg(test)]
mod tests {
    use super::super::handshake::tests::channels;
    use super::*;

    fn sealed(channel: &mut Channel, texts: &[&[u8]]) -> Vec<u8> {
        let mut frames = Vec::new();
        texts.iter().for_each(|text| channel.seal(text, &mut frames).unwrap());
        frames
    }

    fn padded(text: &[u8]) -> Vec<u8> {
        let mut text = text.to_vec();
        text.resize(text.len().next_multiple_of(PADDED_BYTES), PADDING);
        text
    }

    #[test]
    fn frames_carry_a_stream_however_they_are_cut() {
        let long = vec![b'x'; FRAME_TEXT_MAX];
        let texts: [&[u8]; 5] = [b"hello\n", b"", b"how are you?\n", &long, b"bye\n"];
        let whole: Vec<u8> = texts.iter().flat_map(|text| padded(text)).collect();
        for size in [1, 2, 3, 17, 64, 1000, 1 << 20] {
            let (mut a, mut b) = channels();
            let frames = sealed(&mut a, &texts);
            let mut text = Vec::new();
            frames.chunks(size).for_each(|chunk| b.open(chunk, &mut text).unwrap());
            assert!(text == whole, "{size}");
            assert_eq!(b.held(), 0);
            let back = sealed(&mut b, &[b"back\n"]);
            text.clear();
            a.open(&back, &mut text).unwrap();
            assert_eq!(text, padded(b"back\n"));
        }
    }

    #[test]
    fn no_bit_can_be_flipped_and_nothing_replayed_left_out_or_put_elsewhere() {
        let texts: [&[u8]; 2] = [b"pay 1\n", b"pay 2\n"];
        let frame = LENGTH_BYTES + PADDED_BYTES + TAG_BYTES;
        let opens = |change: &dyn Fn(&mut Vec<u8>)| {
            let (mut a, mut b) = channels();
            let mut frames = sealed(&mut a, &texts);
            change(&mut frames);
            let mut text = Vec::new();
            (b.open(&frames, &mut text), text.len())
        };
        assert_eq!(opens(&|_| {}), (Ok(()), 2 * PADDED_BYTES));
        for bit in 0..frame * 8 {
            let (outcome, length) = opens(&|frames| frames[bit / 8] ^= 1 << (bit % 8));
            // A greater length waits for what never comes; nothing is believed meanwhile.
            assert_eq!(length, 0, "bit {bit}");
            assert!(outcome.is_err() || bit < 16, "bit {bit}");
        }
        let swap = |frames: &mut Vec<u8>| frames.rotate_left(frame);
        let replay = |frames: &mut Vec<u8>| frames.extend_from_within(..frame);
        let skip = |frames: &mut Vec<u8>| drop(frames.drain(..frame));
        assert_eq!(opens(&swap), (Err(Broken), 0));
        assert_eq!(opens(&replay).0, Err(Broken));
        assert_eq!(opens(&skip), (Err(Broken), 0));
        let (mut a, _) = channels();
        let frames = sealed(&mut a, &texts);
        assert_eq!(a.open(&frames, &mut Vec::new()), Err(Broken), "what we said ourselves");
    }

    #[test]
    fn a_length_that_no_frame_has_is_wrong_at_once() {
        for length in [0, TAG_BYTES - 1, FRAME_TEXT_MAX + TAG_BYTES + 1, usize::from(u16::MAX)] {
            let (_, mut b) = channels();
            let bytes = u16::try_from(length).unwrap().to_be_bytes();
            assert_eq!(b.open(&bytes, &mut Vec::new()), Err(Broken), "{length}");
        }
    }
}
