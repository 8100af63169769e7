//! How the messages of a handshake stand in lines: the first one in the answer to a connect, the others each in a line
//! of its own.

use super::HALF_OFFERED_BYTES;
use data_encoding::BASE64URL_NOPAD;

/// What stands in front of an offer, behind the token of our own kind.
const OFFER: &str = " noise=";

/// The beginning of a line of the handshake.
const LINE: &[u8] = b"!noise ";

/// An offer that somebody made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The answer up to the offer, which both sides must have seen alike.
    pub head: &'a [u8],
    /// Message 1.
    pub message: Vec<u8>,
}

/// An answer to a connect, up to an offer: see [`Offer::head`].
pub fn offer_head(answer: &str) -> String {
    [answer, OFFER].concat()
}

/// A message of the handshake as it stands in a line.
pub fn encoded(message: &[u8]) -> String {
    BASE64URL_NOPAD.encode(message)
}

/// A line of the handshake with this message.
pub fn line(message: &[u8]) -> String {
    format!("!noise {}\n", encoded(message))
}

/// Whether a line claims to be one of the handshake.
pub fn is_line(line: &[u8]) -> bool {
    line.starts_with(LINE)
}

/// The message in a line of the handshake.
pub fn message_of(line: &[u8]) -> Option<Vec<u8>> {
    let text = line.strip_prefix(LINE)?;
    BASE64URL_NOPAD.decode(text.strip_suffix(b"\r").unwrap_or(text)).ok()
}

/// The offer in an answer to a connect.
pub fn offer_of(line: &[u8]) -> Option<Offer<'_>> {
    let at = memchr::memmem::rfind(line, OFFER.as_bytes())? + OFFER.len();
    let (head, text) = line.split_at(at);
    let message = BASE64URL_NOPAD.decode(text.strip_suffix(b"\r").unwrap_or(text)).ok()?;
    (message.len() == HALF_OFFERED_BYTES).then_some(Offer { head, message })
}

/// `IP:PORT NAME` at the beginning of a message: what the handshake has to prove.
pub fn header_of(message: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr_iter(b' ', message).nth(1)?;
    Some(&message[..end])
}
