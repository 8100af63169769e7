//! Keys, and how people see them.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use snow::params::{DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use std::fmt::{self, Debug, Display, Formatter};
use std::str::FromStr;
use zeroize::Zeroizing;

/// So many bytes of a key's hash are shown.
const FINGERPRINT_BYTES: usize = 16;

/// So many digits are compared.
const GROUPS: usize = 8;
const GROUP_DIGITS: usize = 5;

/// The points of small order, each as it can be spelt in 255 bits: 0 and 1, two of order 8, then -1, 0 and 1 once more,
/// not reduced.
const OF_SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    ends(1, 0, 0),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda,
        0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04,
        0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    ends(0xec, 0xff, 0x7f),
    ends(0xed, 0xff, 0x7f),
    ends(0xee, 0xff, 0x7f),
];

/// The first byte, those in the middle, and the last one.
const fn ends(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    (bytes[0], bytes[31]) = (first, last);
    bytes
}

/// The public half of a key pair: whoever can use the private half has this key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 32]);

/// A key pair of X25519. The private half is never shown.
#[derive(Clone)]
pub struct Identity {
    /// Wiped when it is dropped.
    private: Zeroizing<[u8; 32]>,
    public: Key,
}

impl Identity {
    /// The key pair with this private half.
    pub fn new(private: [u8; 32]) -> Option<Self> {
        let mut dh = DefaultResolver.resolve_dh(&DHChoice::Curve25519)?;
        dh.set(&private);
        let public = Key::of_bytes(dh.pubkey())?;
        Some(Self { private: Zeroizing::new(private), public })
    }

    /// The half that others know.
    pub fn key(&self) -> Key {
        self.public
    }

    /// For the handshake, and for the file.
    pub fn private(&self) -> &[u8; 32] {
        &self.private
    }
}

impl Debug for Identity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.public)
    }
}

impl Key {
    /// The key that has these bytes, if they are as many as a key has.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Whether only somebody with its private half can use it. A point of small order would give everybody the same
    /// secret, and a key with its last bit set is another spelling of one without it.
    pub fn is_sound(&self) -> bool {
        self.0[31] & 0x80 == 0 && !OF_SMALL_ORDER.contains(&self.0)
    }

    /// What a person compares: 128 bits of its hash, in groups of four characters.
    pub fn fingerprint(&self) -> String {
        let text = BASE32_NOPAD.encode(&hash(&[&self.0])[..FINGERPRINT_BYTES]);
        let groups: Vec<String> =
            text.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
        groups.join(" ")
    }
}

/// The whole key, as a file has it.
impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl Debug for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl FromStr for Key {
    type Err = super::Broken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| super::Broken)?;
        Self::of_bytes(&bytes).filter(Self::is_sound).ok_or(super::Broken)
    }
}

/// The number that is the same for both who have these keys, and for nobody else: 40 digits in groups of five.
pub fn verification(one: Key, other: Key) -> String {
    let (smaller, greater) = (one.min(other), one.max(other));
    let hash = hash(&[&smaller.0, &greater.0]);
    let groups = hash.chunks(hash.len() / GROUPS).map(|part| {
        let number = part.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{:0GROUP_DIGITS$}", number % 10u64.pow(GROUP_DIGITS as u32))
    });
    groups.collect::<Vec<_>>().join(" ")
}

/// The BLAKE2s hash of these bytes, one after the other.
pub(super) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = [0; 32];
    if let Some(mut hash) = DefaultResolver.resolve_hash(&HashChoice::Blake2s) {
        parts.iter().for_each(|part| hash.input(part));
        hash.result(&mut digest);
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    #[test]
    fn the_public_half_is_the_one_that_everybody_computes() {
        let public = "13be4feaeaf204c7fd3358fc9c00721881d174278128227ec674f37f7fe97b6d";
        let identity = Identity::new([7; 32]).unwrap();
        assert_eq!(HEXLOWER.encode(&identity.key().0), public);
        assert!(!format!("{identity:?}").contains("07"));
    }

    #[test]
    fn a_key_can_be_written_and_read_and_nothing_else_is_one() {
        let key = Identity::new([7; 32]).unwrap().key();
        assert_eq!(key.to_string().parse::<Key>().unwrap(), key);
        let text = key.to_string();
        for wrong in ["", "x", &text[1..], &format!("{text}A"), &text.replace(&text[..1], "=")] {
            assert!(wrong.parse::<Key>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_that_anybody_could_use_is_none() {
        let shared = |key: &[u8; 32]| {
            let mut dh = DefaultResolver.resolve_dh(&DHChoice::Curve25519).unwrap();
            dh.set(&[7; 32]);
            let mut secret = [0; 32];
            dh.dh(key, &mut secret).map(|()| secret)
        };
        for bytes in OF_SMALL_ORDER {
            assert!(
                shared(&bytes).is_ok_and(|secret| secret == [0; 32]),
                "{bytes:02x?} is not of small order"
            );
            let key = Key::of_bytes(&bytes).unwrap();
            assert!(!key.is_sound() && key.to_string().parse::<Key>().is_err());
        }
        let mut key = Identity::new([7; 32]).unwrap().key();
        assert!(key.is_sound() && shared(&key.0).unwrap() != [0; 32]);
        key.0[31] |= 0x80;
        assert!(!key.is_sound(), "a second spelling");
    }

    #[test]
    fn a_fingerprint_is_short_enough_to_be_compared() {
        let key = Identity::new([7; 32]).unwrap().key();
        let shown = key.fingerprint();
        assert!(shown.split(' ').all(|group| (2..=4).contains(&group.len())), "{shown}");
        assert_eq!(shown.replace(' ', "").len(), 26);
        assert_ne!(shown, Identity::new([8; 32]).unwrap().key().fingerprint());
    }

    #[test]
    fn both_sides_see_the_same_number_and_others_see_another_one() {
        let [a, b, c] = [1, 2, 3].map(|n| Identity::new([n; 32]).unwrap().key());
        assert_eq!(verification(a, b), verification(b, a));
        assert_ne!(verification(a, b), verification(a, c));
        let number = verification(a, b);
        let groups: Vec<&str> = number.split(' ').collect();
        assert!(groups.len() == GROUPS && groups.iter().all(|group| group.len() == GROUP_DIGITS), "{number}");
    }
}
