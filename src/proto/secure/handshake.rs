//! The handshake: three messages, in which both sides prove that they have their keys.
//!
//! ```text
//! offered  -> answered   message 1, inside the answer to a connect
//! answered -> offered    message 2
//! offered  -> answered   message 3
//! ```
//!
//! A message that is wrong ends it. It costs one multiplication on the curve at most before that is known.

use super::{Broken, Channel, Identity, Key, Seed, Seeded};
use snow::params::NoiseParams;
use snow::{Builder, HandshakeState};

const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2s";

/// The bytes of message 1.
pub const HALF_OFFERED_BYTES: usize = 32;

/// A key, an authentication tag, and another tag behind what is said.
const PROOF_OVERHEAD_BYTES: usize = 32 + 16 + 16;

/// The most bytes of what a side says of itself: an address and a name.
const CLAIM_BYTES_MAX: usize = 256;

/// What the other side has proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// It has this key.
    pub key: Key,
    /// And it said this with it.
    pub claim: Vec<u8>,
}

/// The side that begins, after message 1.
pub struct Offered(HandshakeState);

/// The side that begins, after message 2.
pub struct Proven(HandshakeState);

/// The other side, after message 2.
pub struct Answered(HandshakeState);

/// What both sides must have seen alike before the handshake: each part with its length in front.
pub fn prologue(parts: &[&[u8]]) -> Vec<u8> {
    let mut prologue = b"chinwag/1".to_vec();
    for part in parts {
        prologue.extend((part.len() as u32).to_be_bytes());
        prologue.extend(*part);
    }
    prologue
}

impl Offered {
    /// Begins; returns message 1 too.
    pub fn new(identity: &Identity, prologue: &[u8], seed: Seed) -> Result<(Self, Vec<u8>), Broken> {
        let mut state = begin(identity, prologue, seed, true)?;
        let message = write(&mut state, &[])?;
        Ok((Self(state), message))
    }

    /// Takes message 2.
    pub fn take(mut self, message: &[u8]) -> Result<(Proof, Proven), Broken> {
        let claim = read(&mut self.0, message)?;
        let proof = Proof { key: key_of(&self.0)?, claim };
        Ok((proof, Proven(self.0)))
    }
}

impl Proven {
    /// Proves its own side; returns message 3, behind which only frames follow in this direction.
    pub fn prove(mut self, claim: &[u8]) -> Result<(Vec<u8>, Channel), Broken> {
        let message = write(&mut self.0, claim)?;
        Ok((message, Channel::new(self.0.into_transport_mode()?)))
    }
}

impl Answered {
    /// Takes message 1; returns message 2 too, behind which only frames follow in this direction.
    pub fn new(
        identity: &Identity,
        prologue: &[u8],
        seed: Seed,
        message: &[u8],
        claim: &[u8],
    ) -> Result<(Self, Vec<u8>), Broken> {
        if message.len() != HALF_OFFERED_BYTES {
            return Err(Broken);
        }
        let mut state = begin(identity, prologue, seed, false)?;
        read(&mut state, message)?;
        let message = write(&mut state, claim)?;
        Ok((Self(state), message))
    }

    /// Takes message 3.
    pub fn take(mut self, message: &[u8]) -> Result<(Proof, Channel), Broken> {
        let claim = read(&mut self.0, message)?;
        let proof = Proof { key: key_of(&self.0)?, claim };
        Ok((proof, Channel::new(self.0.into_transport_mode()?)))
    }
}

fn begin(
    identity: &Identity,
    prologue: &[u8],
    seed: Seed,
    is_offering: bool,
) -> Result<HandshakeState, Broken> {
    let pattern: NoiseParams = PATTERN.parse()?;
    let builder = Builder::with_resolver(pattern, Box::new(Seeded(seed.0)))
        .local_private_key(identity.private())?
        .prologue(prologue)?;
    Ok(if is_offering { builder.build_initiator()? } else { builder.build_responder()? })
}

fn write(state: &mut HandshakeState, claim: &[u8]) -> Result<Vec<u8>, Broken> {
    // With one more key, which is sent in the clear.
    let mut message = vec![0; claim.len() + HALF_OFFERED_BYTES + PROOF_OVERHEAD_BYTES];
    let length = state.write_message(claim, &mut message)?;
    message.truncate(length);
    Ok(message)
}

fn read(state: &mut HandshakeState, message: &[u8]) -> Result<Vec<u8>, Broken> {
    if message.len() > CLAIM_BYTES_MAX + HALF_OFFERED_BYTES + PROOF_OVERHEAD_BYTES {
        return Err(Broken);
    }
    let mut claim = vec![0; message.len()];
    let length = state.read_message(message, &mut claim)?;
    claim.truncate(length);
    Ok(claim)
}

fn key_of(state: &HandshakeState) -> Result<Key, Broken> {
    state.get_remote_static().and_then(Key::of_bytes).filter(Key::is_sound).ok_or(Broken)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn identity(n: u8) -> Identity {
        Identity::new([n; 32]).unwrap()
    }

    const PROLOGUE: &[u8] = b"both saw this";

    /// Both ends of a channel.
    pub(in crate::proto::secure) fn channels() -> (Channel, Channel) {
        let (offered, one) = Offered::new(&identity(1), PROLOGUE, Seed([11; 32])).unwrap();
        let (answered, two) = Answered::new(&identity(2), PROLOGUE, Seed([12; 32]), &one, b"B").unwrap();
        let (proof, proven) = offered.take(&two).unwrap();
        assert_eq!(proof, Proof { key: identity(2).key(), claim: b"B".to_vec() });
        let (three, a) = proven.prove(b"A").unwrap();
        let (proof, b) = answered.take(&three).unwrap();
        assert_eq!(proof, Proof { key: identity(1).key(), claim: b"A".to_vec() });
        (a, b)
    }

    #[test]
    fn each_side_learns_the_key_and_the_claim_of_the_other() {
        channels();
    }

    #[test]
    fn no_bit_of_any_message_and_no_byte_of_the_prologue_can_be_changed() {
        let run = |change: &dyn Fn(usize, &mut Vec<u8>), other: &[u8]| -> Result<(), Broken> {
            let (offered, mut one) = Offered::new(&identity(1), PROLOGUE, Seed([11; 32]))?;
            change(1, &mut one);
            let (answered, mut two) = Answered::new(&identity(2), other, Seed([12; 32]), &one, b"B")?;
            change(2, &mut two);
            let (_, proven) = offered.take(&two)?;
            let (mut three, _) = proven.prove(b"A")?;
            change(3, &mut three);
            answered.take(&three).map(|_| ())
        };
        assert_eq!(run(&|_, _| {}, PROLOGUE), Ok(()));
        for (number, length) in [(1, 32), (2, 97), (3, 65)] {
            for bit in 0..length * 8 {
                let flip = |at: usize, message: &mut Vec<u8>| {
                    if at == number {
                        assert_eq!(message.len(), length);
                        message[bit / 8] ^= 1 << (bit % 8);
                    }
                };
                // Curve25519 ignores the last bit of a key, but the hash of the handshake does not.
                assert_eq!(run(&flip, PROLOGUE), Err(Broken), "message {number}, bit {bit}");
            }
            for cut in 0..length {
                let cut = |at: usize, message: &mut Vec<u8>| {
                    if at == number {
                        message.truncate(cut);
                    }
                };
                assert_eq!(run(&cut, PROLOGUE), Err(Broken));
            }
            let longer = |at: usize, message: &mut Vec<u8>| {
                if at == number {
                    message.push(0);
                }
            };
            assert_eq!(run(&longer, PROLOGUE), Err(Broken));
        }
        assert_eq!(run(&|_, _| {}, b"both saw that"), Err(Broken));
    }

    #[test]
    fn parts_of_the_prologue_cannot_be_shifted_into_each_other() {
        assert_ne!(prologue(&[b"ab", b"c"]), prologue(&[b"a", b"bc"]));
    }

    #[test]
    fn randomness_is_used_once() {
        use snow::types::Random;
        let mut once = super::super::Once(Some([1; 32]));
        let mut bytes = [0; 32];
        assert!(once.try_fill_bytes(&mut bytes).is_ok() && bytes == [1; 32]);
        assert!(once.try_fill_bytes(&mut bytes).is_err());
    }

    /// The vector of the cacophony project for this pattern.
    #[test]
    fn an_official_vector_gives_the_same_bytes() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let bytes = |text: &str| <[u8; 32]>::try_from(hex(text)).unwrap();
        let vector = &VECTOR;
        let [one, other] =
            [vector.statics[0], vector.statics[1]].map(|key| Identity::new(bytes(key)).unwrap());
        let prologue = hex(vector.prologue);
        let mut a = begin(&one, &prologue, Seed(bytes(vector.ephemerals[0])), true).unwrap();
        let mut b = begin(&other, &prologue, Seed(bytes(vector.ephemerals[1])), false).unwrap();
        for (n, (payload, ciphertext)) in vector.messages[..3].iter().enumerate() {
            let (from, to) = if n % 2 == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
            let message = write(from, &hex(payload)).unwrap();
            assert_eq!(message, hex(ciphertext), "message {n}");
            assert_eq!(read(to, &message).unwrap(), hex(payload));
        }
        let (mut a, mut b) = (a.into_transport_mode().unwrap(), b.into_transport_mode().unwrap());
        for (n, (payload, ciphertext)) in vector.messages[3..].iter().enumerate() {
            let (from, to) = if n % 2 == 1 { (&mut a, &mut b) } else { (&mut b, &mut a) };
            let (mut message, mut text) = (vec![0; 1000], vec![0; 1000]);
            let length = from.write_message(&hex(payload), &mut message).unwrap();
            assert_eq!(message[..length], hex(ciphertext), "message {}", n + 3);
            let length = to.read_message(&message[..length], &mut text).unwrap();
            assert_eq!(text[..length], hex(payload));
        }
    }

    struct Vector {
        prologue: &'static str,
        statics: [&'static str; 2],
        ephemerals: [&'static str; 2],
        messages: &'static [(&'static str, &'static str)],
    }

    const VECTOR: Vector = Vector {
        prologue: "4a6f686e2047616c74",
        statics: [
            "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
            "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
        ],
        ephemerals: [
            "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
            "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
        ],
        messages: &[
            (
                "4c756477696720766f6e204d69736573",
                "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573",
            ),
            (
                "4d757272617920526f746862617264",
                "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088437c365eb362a1c991b0557fe8a7fb187d99346765d93ec63db6c1b01504ebeec55a2298d2dbff80eff034d20595153f63a196a6cead1e11b2bb13e336fa13616dd3e8b0a070c882ed3f1a78c7c06c93",
            ),
            (
                "462e20412e20486179656b",
                "46c3307de83b014258717d97781c1f50936d8b7d50c0722a1739654d10392d415b670c114f79b9a4f80541570f77ce88802efa4220cff733e7b5668ba38059ec904b4b8eef9448085faf51",
            ),
            ("4361726c204d656e676572", "d5e83adfaac5dc324a68f1862df54549e56d209fba707205f328b2"),
            (
                "4a65616e2d426170746973746520536179",
                "d102c9029b1f55c788f561ba7737afbccef9c9f1bf2f238167fd40ba9c1c134867",
            ),
            (
                "457567656e2042f6686d20766f6e2042617765726b",
                "cb1ce80960382c6d5d5e740ffb724d1432f0310b200fb6f8424120f506092744baa415e155",
            ),
        ],
    };
}
