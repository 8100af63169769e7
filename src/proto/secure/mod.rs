//! Encryption between two of our own: keys, the handshake, and the frames that come after it. Pure: randomness is an
//! argument, and bytes are slices.
//!
//! It is Noise, `Noise_XX_25519_ChaChaPoly_BLAKE2s`, by the crate `snow`. Who answers a connect begins the handshake:
//! that side is the first to know that both sides are ours. Each side proves with its key that it said what it said in
//! the clear before.

mod channel;
mod handshake;
mod keys;
pub mod words;

pub use channel::{Channel, FRAME_TEXT_MAX};
pub use handshake::{Answered, HALF_OFFERED_BYTES, Offered, Proof, Proven, prologue};
pub use keys::{Identity, Key, verification};

use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use std::fmt::{self, Debug, Formatter};
use zeroize::{Zeroize, Zeroizing};

/// What came is not what the protocol has at this place, or it was changed on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl From<snow::Error> for Broken {
    /// Nobody needs the details, and somebody could learn from them.
    fn from(_: snow::Error) -> Self {
        Self
    }
}

/// Random bytes that nobody else knows. Those of one handshake must not be used twice. They are wiped when it is dropped.
#[derive(Clone)]
pub struct Seed(pub [u8; 32]);

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Debug for Seed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Seed")
    }
}

/// Where the random bytes of handshakes come from. Each is wiped by making the next one from it, so that a secret of the
/// past cannot be found in memory later.
pub struct Entropy(Zeroizing<[u8; 32]>);

impl Entropy {
    /// Begins with these.
    pub fn new(seed: Seed) -> Self {
        Self(Zeroizing::new(seed.0))
    }

    /// The random bytes of the next handshake.
    pub fn next_seed(&mut self) -> Seed {
        let seed = keys::hash(&[&*self.0, b"seed"]);
        *self.0 = keys::hash(&[&*self.0, b"next"]);
        Seed(seed)
    }
}

impl Debug for Entropy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

/// The primitives of `snow`, with randomness from a seed: a handshake needs 32 bytes, once.
struct Seeded([u8; 32]);

impl Drop for Seeded {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl CryptoResolver for Seeded {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once(Some(self.0))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

/// Gives the bytes of the seed, and fails after that: a key from used randomness would be worse than none.
struct Once(Option<[u8; 32]>);

impl Drop for Once {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Random for Once {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
        let seed = self.0.as_ref().filter(|seed| seed.len() == bytes.len());
        let given = seed.map(|seed| bytes.copy_from_slice(seed)).ok_or(snow::Error::Rng);
        self.0.zeroize();
        given
    }
}
