//! One side of a handshake and of a session, made by hand from the parts of the library.

use crate::common::PATIENCE;
use chinwag::proto::secure::words::{encoded, header_of, line, message_of, offer_head, offer_of};
use chinwag::proto::secure::{
    Answered, Broken, Channel, FRAME_TEXT_MAX, Identity, Offered, Proof, Seed, prologue,
};
use getrandom::fill;
use std::io::{Read, Write};
use std::net::TcpStream;

/// One side of a connection, which believes whatever key the other side has.
pub(crate) struct Hand {
    stream: TcpStream,
    pub(crate) identity: Identity,
    /// The answer to the connect, without its newline.
    pub(crate) answer: String,
}

impl Hand {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a connected socket");
        Self { stream, identity: new_identity(), answer: String::new() }
    }

    #[track_caller]
    pub(crate) fn dial(to: &str) -> Self {
        Self::new(TcpStream::connect(to).expect("somebody listens"))
    }

    /// Says this connect, and takes the offer in the answer.
    #[track_caller]
    pub(crate) fn connect(&mut self, connect: &str) -> (Proof, Channel) {
        self.write(connect);
        self.answer = self.read_line();
        let taken = take_offer(&self.identity, connect.as_bytes(), self.answer.as_bytes());
        let (answered, line) = taken.unwrap_or_else(|_| panic!("no offer: {}", self.answer));
        self.write(line);
        answered.take(&self.read_message()).expect("message 3")
    }

    /// Waits for a connect, and answers it with an offer, as who claims this address and this name.
    #[track_caller]
    pub(crate) fn answer(&mut self, claim: &str) -> (Proof, Channel) {
        let mut connect = [0; 1024];
        let count = self.stream.read(&mut connect).expect("a connect in time");
        let answer = format!("{claim} connected chinwag/1");
        let (offered, line) = offer(&self.identity, &connect[..count], &answer).expect("an offer");
        self.write(&line);
        self.answer = line.trim_end().to_owned();
        let (proof, channel, line) =
            prove(offered, &self.read_message(), claim.as_bytes()).expect("message 2");
        self.write(line);
        (proof, channel)
    }

    #[track_caller]
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the other side reads");
    }

    /// The text of the next frame.
    #[track_caller]
    pub(crate) fn open(&mut self, channel: &mut Channel) -> Vec<u8> {
        let (mut text, mut bytes) = (Vec::new(), [0; 1024]);
        while text.is_empty() {
            let count = self.stream.read(&mut bytes).expect("a frame in time");
            assert!(count > 0, "it was closed");
            channel.open(&bytes[..count], &mut text).expect("a whole frame");
        }
        text
    }

    #[track_caller]
    fn read_message(&mut self) -> Vec<u8> {
        let line = self.read_line();
        message_of(line.as_bytes()).unwrap_or_else(|| panic!("no line of the handshake: {line}"))
    }

    /// A line without its newline, and nothing of what is behind it.
    #[track_caller]
    fn read_line(&mut self) -> String {
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("a line in time");
            if byte == *b"\n" {
                return String::from_utf8(line).expect("UTF-8");
            }
            line.extend(byte);
        }
    }
}

/// A short text as it is in a frame.
pub(crate) fn padded(text: &str) -> Vec<u8> {
    format!("{text:\n<64}").into_bytes()
}

/// A key that nobody else has.
pub(crate) fn new_identity() -> Identity {
    Identity::new(random()).expect("32 bytes are a key")
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    fill(&mut bytes).expect("the system has randomness");
    bytes
}

/// Offers encryption behind `answer` to `connect`, both without a newline; gives the whole line too.
pub(crate) fn offer(identity: &Identity, connect: &[u8], answer: &str) -> Result<(Offered, String), Broken> {
    let head = offer_head(answer);
    let (offered, message) = Offered::new(identity, &prologue(&[connect, head.as_bytes()]), Seed(random()))?;
    Ok((offered, format!("{head}{}\n", encoded(&message))))
}

/// Takes the offer in the line `answer`, without its newline; gives the line of message 2 too.
pub(crate) fn take_offer(
    identity: &Identity,
    connect: &[u8],
    answer: &[u8],
) -> Result<(Answered, String), Broken> {
    let offer = offer_of(answer).ok_or(Broken)?;
    let claim = header_of(connect).ok_or(Broken)?;
    let prologue = prologue(&[connect, offer.head]);
    let (answered, message) = Answered::new(identity, &prologue, Seed(random()), &offer.message, claim)?;
    Ok((answered, line(&message)))
}

/// Takes message 2 and proves `claim`; gives the line of message 3 too.
pub(crate) fn prove(
    offered: Offered,
    message: &[u8],
    claim: &[u8],
) -> Result<(Proof, Channel, String), Broken> {
    let (proof, proven) = offered.take(message)?;
    let (message, channel) = proven.prove(claim)?;
    Ok((proof, channel, line(&message)))
}

/// Seals a text, however long it is.
pub(crate) fn seal(channel: &mut Channel, text: &[u8]) -> Vec<u8> {
    let mut frames = Vec::new();
    text.chunks(FRAME_TEXT_MAX).for_each(|text| channel.seal(text, &mut frames).expect("few frames"));
    frames
}
