//! What encryption costs without a socket, beside the same work done by the library `snow` alone: a handshake of both
//! sides, and frames that are sealed on one side and opened on the other. So the difference is what chinwag adds: its
//! frames, its padding and its buffers.
//!
//! ```sh
//! cargo bench --bench sealing               # five rounds, half a minute
//! cargo bench --bench sealing -- --test     # one tiny round, which only checks that everything still works
//! ```
//!
//! The figures are CPU time of this thread, so what else the machine does is hardly in them. In each round one has its
//! turn after the other, and the order changes. The ratio is that of the same round; the table has the median of the
//! rounds, and the least and the greatest in brackets.
#![expect(clippy::disallowed_macros, reason = "a bench prints")]

use chinwag::proto::secure::{Answered, Channel, Identity, Offered, Seed};
use rustix::time::{ClockId, clock_gettime};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState, TransportState};
use std::hint::black_box;
use std::time::Duration;

const ROUNDS: usize = 5;

const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2s";
const PROLOGUE: &[u8] = b"what both sides have seen before";
const CLAIM: &[u8] = b"127.0.0.1:8080 P1";

/// A line of 64 bytes, with its newline.
const LINE: &str = "127.0.0.1:8080 P1 a message of some forty bytes, as people sent\n";

/// The length of a message that `snow` seals is what it carries and this.
const TAG_BYTES: usize = 16;

/// A kind of work, done by both so many times. The closures return how many bytes they made, which must be alike.
struct Work {
    name: &'static str,
    times: usize,
    /// How many of its elements one time has, such as lines.
    elements: usize,
    snow: Box<dyn FnMut() -> usize>,
    chinwag: Box<dyn FnMut() -> usize>,
    /// What chinwag makes more than `snow`.
    more_bytes: usize,
}

fn main() {
    // Cargo passes `--bench`.
    let is_test = std::env::args().any(|word| word == "--test");
    let rounds = if is_test { 1 } else { ROUNDS };
    println!("| | snow | chinwag | chinwag over snow |\n|---|---|---|---|");
    for mut work in works(is_test) {
        work.check();
        let figures: Vec<(f64, f64)> = (0..rounds).map(|round| work.round(round % 2 == 1)).collect();
        let [snow, chinwag, ratio] =
            [|(snow, _)| snow, |(_, chinwag)| chinwag, |(snow, chinwag)| chinwag / snow]
                .map(|figure: fn((f64, f64)) -> f64| Spread::of(figures.iter().copied().map(figure)));
        let ratio = format!("×{:.2} [{:.2}–{:.2}]", ratio.median, ratio.min, ratio.max);
        println!("| {} | {} | {} | {ratio} |", work.name, time(snow.median), time(chinwag.median));
    }
}

fn works(is_test: bool) -> Vec<Work> {
    let of = |times: usize| if is_test { 2 } else { times };
    let frame = |name, lines: usize, times| {
        let text = LINE.repeat(lines).into_bytes();
        assert_eq!(text.len(), lines * 64, "no frame needs padding");
        Work {
            name,
            times: of(times),
            elements: lines,
            snow: Box::new(snow_frame(text.clone())),
            chinwag: Box::new(chinwag_frame(text)),
            more_bytes: 2,
        }
    };
    vec![
        Work {
            name: "handshake, both sides together",
            times: of(500),
            elements: 1,
            snow: Box::new(|| snow_handshake().1),
            chinwag: Box::new({
                let identities = identities();
                move || chinwag_handshake(&identities).1
            }),
            more_bytes: 0,
        },
        frame("line sealed and opened, 1 in a frame", 1, 50_000),
        frame("line sealed and opened, 16 in a frame", 16, 10_000),
        frame("line sealed and opened, 256 in a frame", 256, 1_000),
    ]
}

impl Work {
    fn check(&mut self) {
        assert_eq!((self.chinwag)(), (self.snow)() + self.more_bytes, "{}", self.name);
    }

    /// Nanoseconds for each element, of `snow` and of chinwag.
    fn round(&mut self, is_turned: bool) -> (f64, f64) {
        let each = (self.times * self.elements) as f64;
        let (times, snow, chinwag) = (self.times, &mut self.snow, &mut self.chinwag);
        if is_turned {
            let chinwag = used(times, chinwag) / each;
            (used(times, snow) / each, chinwag)
        } else {
            (used(times, snow) / each, used(times, chinwag) / each)
        }
    }
}

/// Nanoseconds of CPU time that this takes, so many times.
fn used(times: usize, work: &mut dyn FnMut() -> usize) -> f64 {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
    let before = now();
    for _ in 0..times {
        black_box(work());
    }
    (now() - before).as_nanos() as f64
}

/// A program makes its key pair once, and not for each handshake.
fn identities() -> [Identity; 2] {
    [[1; 32], [2; 32]].map(|private| Identity::new(private).expect("a key"))
}

/// Both ends after a handshake, and how many bytes its messages have.
fn chinwag_handshake([one, other]: &[Identity; 2]) -> ((Channel, Channel), usize) {
    let made = || {
        let (offered, first) = Offered::new(one, PROLOGUE, Seed([11; 32]))?;
        let (answered, second) = Answered::new(other, PROLOGUE, Seed([12; 32]), &first, CLAIM)?;
        let (_, proven) = offered.take(&second)?;
        let (third, a) = proven.prove(CLAIM)?;
        let (_, b) = answered.take(&third)?;
        Ok::<_, chinwag::proto::secure::Broken>(((a, b), first.len() + second.len() + third.len()))
    };
    made().expect("two sides that fit")
}

fn snow_handshake() -> ((TransportState, TransportState), usize) {
    let made = || {
        let (mut a, mut b) = (snow_side(1)?.build_initiator()?, snow_side(2)?.build_responder()?);
        let mut bytes = 0;
        for (number, claim) in [&[][..], CLAIM, CLAIM].into_iter().enumerate() {
            let (from, to) = if number % 2 == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
            bytes += pass(from, to, claim)?;
        }
        Ok::<_, snow::Error>(((a.into_transport_mode()?, b.into_transport_mode()?), bytes))
    };
    made().expect("two sides that fit")
}

fn snow_side(n: u8) -> Result<Builder<'static>, snow::Error> {
    const KEYS: [[u8; 32]; 2] = [[1; 32], [2; 32]];
    Builder::with_resolver(PATTERN.parse()?, Box::new(Seeded([10 + n; 32])))
        .local_private_key(&KEYS[usize::from(n) - 1])?
        .prologue(PROLOGUE)
}

fn pass(from: &mut HandshakeState, to: &mut HandshakeState, claim: &[u8]) -> Result<usize, snow::Error> {
    let (mut message, mut heard) = ([0; 256], [0; 256]);
    let length = from.write_message(claim, &mut message)?;
    to.read_message(&message[..length], &mut heard)?;
    Ok(length)
}

/// Seals and opens this text, with frames and buffers as a session has them.
fn chinwag_frame(text: Vec<u8>) -> impl FnMut() -> usize {
    let ((mut a, mut b), _) = chinwag_handshake(&identities());
    let (mut frame, mut opened) = (Vec::new(), Vec::new());
    move || {
        frame.clear();
        opened.clear();
        a.seal(black_box(&text), &mut frame).expect("it fits");
        b.open(&frame, &mut opened).expect("it is whole");
        assert_eq!(opened.len(), text.len());
        frame.len()
    }
}

/// The least that `snow` can do with it.
fn snow_frame(text: Vec<u8>) -> impl FnMut() -> usize {
    let ((mut a, mut b), _) = snow_handshake();
    let (mut sealed, mut opened) = (vec![0; text.len() + TAG_BYTES], vec![0; text.len() + TAG_BYTES]);
    move || {
        let length = a.write_message(black_box(&text), &mut sealed).expect("it fits");
        let opened = b.read_message(&sealed[..length], &mut opened).expect("it is whole");
        assert_eq!(opened, text.len());
        length
    }
}

/// The primitives that chinwag uses too. They bring no random bytes of their own.
struct Seeded([u8; 32]);

impl CryptoResolver for Seeded {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Self(self.0)))
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

impl Random for Seeded {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
        bytes.copy_from_slice(&self.0);
        Ok(())
    }
}

/// The median of some figures, the least and the greatest.
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let at = |place: usize| figures.get(place).copied().unwrap_or(f64::NAN);
        let last = figures.len().saturating_sub(1);
        Self { median: at(last / 2), min: at(0), max: at(last) }
    }
}

fn time(nanoseconds: f64) -> String {
    if nanoseconds >= 10_000.0 {
        format!("{:.0} µs", nanoseconds / 1e3)
    } else {
        format!("{nanoseconds:.0} ns")
    }
}
