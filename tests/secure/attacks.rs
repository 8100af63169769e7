//! What an attacker on the way can do with the bytes of a connection, and what never comes of it.

use crate::chat::{Chat, PROVED, Told};
use crate::proxy::{Attack, Attacker, Kind, Part, WAYS, Way, Wires};
use crate::stage::{NAMES, Scene, Stage};
use fastrand::Rng;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// So many texts are said by each side.
const TEXTS: usize = 4;

/// So many bits are flipped, each in a connection of its own.
const FLIPS: usize = 8;

/// What the attacker says in the name of the other side.
const FORGED: &str = "what-nobody-said";

/// Names the choices of the attackers.
const SEED: &str = "SECURE_SEED";

/// A function is an attacker without a memory of its own.
struct By<F>(F);

impl<F: FnMut(Part, &mut Wires) + Send> Attacker for By<F> {
    fn on_part(&mut self, part: Part, wires: &mut Wires) {
        (self.0)(part, wires);
    }
}

/// An attack by a function that is made for each connection.
fn by<F: FnMut(Part, &mut Wires) + Send + 'static>(make: impl Fn() -> F + Send + Sync + 'static) -> Attack {
    Arc::new(move || Box::new(By(make())))
}

/// Takes the offer out of each answer.
pub(crate) fn strip() -> Attack {
    by(|| {
        |part: Part, wires: &mut Wires| {
            let offer = memchr::memmem::rfind(&part.bytes, b" noise=");
            match offer.filter(|_| part.kind == Kind::Offer) {
                Some(at) => wires.send(part.way, &[&part.bytes[..at], b"\n"].concat()),
                None => wires.pass(part),
            }
        }
    })
}

/// Whether an attack has happened: each happens once, and not for nothing.
#[derive(Clone, Default)]
struct Once(Arc<AtomicBool>);

impl Once {
    /// Whether it is to happen now.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    fn has_happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Changes the `n`-th part of this kind on this way, in the first connection that has one.
fn once(
    way: Way,
    kind: Kind,
    n: usize,
    change: impl Fn(Part, &mut Wires) + Send + Sync + 'static,
) -> (Attack, Once) {
    let once = Once::default();
    let (its, change) = (once.clone(), Arc::new(change));
    let attack = by(move || {
        let (once, change, mut seen) = (its.clone(), change.clone(), 0);
        move |part: Part, wires: &mut Wires| {
            let is_it = (part.way, part.kind) == (way, kind) && {
                seen += 1;
                seen == n + 1
            };
            if is_it && once.take() { change(part, wires) } else { wires.pass(part) }
        }
    });
    (attack, once)
}

/// Holds the `n`-th frame of this way back, until the next one has passed.
fn reorder(way: Way, n: usize) -> (Attack, Once) {
    let once = Once::default();
    let its = once.clone();
    let attack = by(move || {
        let (once, mut seen, mut held) = (its.clone(), 0, None);
        move |part: Part, wires: &mut Wires| {
            if (part.way, part.kind) != (way, Kind::Frame) {
                return wires.pass(part);
            }
            seen += 1;
            if seen == n + 1 && !once.has_happened() {
                held = Some(part);
                return;
            }
            wires.pass(part);
            if let Some(earlier) = held.take().filter(|_| once.take()) {
                wires.pass(earlier);
            }
        }
    });
    (attack, once)
}

/// Puts the first part of this kind of one connection in the place of that of the next connection.
fn splice(way: Way, kind: Kind) -> (Attack, Once) {
    let once = Once::default();
    let (its, first) = (once.clone(), Arc::new(Mutex::new(None::<Part>)));
    let attack = by(move || {
        let (once, first, mut is_seen) = (its.clone(), first.clone(), false);
        move |part: Part, wires: &mut Wires| {
            let is_first = (part.way, part.kind) == (way, kind) && !std::mem::replace(&mut is_seen, true);
            if !is_first {
                return wires.pass(part);
            }
            let mut first = first.lock().expect("no panic");
            match &*first {
                None => {
                    *first = Some(part);
                    // So there is another connection.
                    wires.reset();
                }
                Some(of_the_first) if once.take() => wires.pass(of_the_first.clone()),
                Some(_) => wires.pass(part),
            }
        }
    });
    (attack, once)
}

/// A line that this way could carry in the clear.
fn forged(stage: &Stage, way: Way) -> Vec<u8> {
    let number = if way == Way::Out { 0 } else { 1 };
    format!("{} {} {FORGED}\n", stage.address(number), NAMES[number]).into_bytes()
}

fn text(from: usize, n: usize) -> String {
    format!("text-{n}-of-{}", NAMES[from])
}

/// Both sides try to connect and to say all their texts, whatever comes of it.
fn play(stage: &Stage, policy: &str) -> Scene {
    let mut programs = [0, 1].map(|number| stage.program(number, &["--secure", policy]));
    let addresses = [0, 1].map(|number| stage.address(number));
    programs[0].connect(&addresses[1]);
    for n in 0..TEXTS {
        for (from, to) in [(0, 1), (1, 0)] {
            programs[from].say(&addresses[to], &text(from, n));
            // What is in one turn is in one frame.
            programs.iter_mut().for_each(Chat::settle);
        }
    }
    stage.end(programs)
}

/// With keys behind them: only what was said, in its order, and none of it twice; nothing in the clear.
#[track_caller]
fn assert_nothing_came_of_it(scene: &Scene, what: &str) {
    for (number, other) in [(0, 1), (1, 0)] {
        let said: Vec<String> = (0..TEXTS).map(|n| text(other, n)).collect();
        let mut left = said.iter();
        for shown in scene.told[number].texts(&PROVED) {
            assert!(left.any(|said| said == shown), "{what}: {shown}: {:#?}", scene.told[number]);
        }
        for n in 0..TEXTS {
            assert!(!scene.is_said_in_the_clear(number, &text(number, n)), "{what}: text {n} of {number}");
        }
    }
}

/// Gives an attack, and whether it has happened.
type Make = dyn Fn(&Stage) -> (Attack, Once) + Send + Sync;

/// An attack, and what it is called.
struct Named {
    what: String,
    make: Box<Make>,
    /// Why the connection must end, if that is certain.
    reason: Option<&'static str>,
}

impl Named {
    fn new(what: String, make: impl Fn(&Stage) -> (Attack, Once) + Send + Sync + 'static) -> Self {
        Self { what, make: Box::new(make), reason: None }
    }

    /// What is changed is a frame, and another one follows it.
    fn of_frames(self) -> Self {
        Self { reason: Some("bad-frame"), ..self }
    }

    /// On two that know each other.
    fn run(&self) {
        let stage = Stage::of_acquaintances();
        for policy in ["prefer", "require"] {
            let (attack, once) = (self.make)(&stage);
            stage.attack_with(&attack);
            let scene = play(&stage, policy);
            assert!(once.has_happened(), "{} did not happen", self.what);
            assert_nothing_came_of_it(&scene, &self.what);
            let reasons: Vec<&str> = scene.told.iter().flat_map(Told::reasons).collect();
            let is_told = self.reason.is_none_or(|reason| reasons.contains(&reason));
            assert!(is_told, "{}: {reasons:?}", self.what);
        }
    }
}

/// The same attack on both ways.
fn on_both_ways(
    what: &str,
    make: impl Fn(&Stage, Way) -> (Attack, Once) + Clone + Send + Sync + 'static,
) -> [Named; 2] {
    WAYS.map(|way| {
        let make = make.clone();
        Named::new(format!("{what}, {way:?}"), move |stage| make(stage, way))
    })
}

/// Makes all these attacks at the same time, each on a stage of its own.
fn check(attacks: impl IntoIterator<Item = Named>) {
    let attacks: Vec<Named> = attacks.into_iter().collect();
    thread::scope(|scope| {
        let run = |attack| (attack, scope.spawn(move || Named::run(attack)));
        let running: Vec<_> = attacks.iter().map(run).collect();
        let failed = running.into_iter().filter_map(|(attack, run)| run.join().err().map(|_| &attack.what));
        let failed: Vec<&String> = failed.collect();
        assert!(failed.is_empty(), "{failed:#?}");
    });
}

#[test]
fn frames_that_are_not_the_next_one_are_not_believed() {
    let replay = |_: &Stage, way| {
        once(way, Kind::Frame, 1, |part, wires| {
            wires.pass(part.clone());
            wires.pass(part);
        })
    };
    let skip = |_: &Stage, way| once(way, Kind::Frame, 1, |_, _| {});
    let attacks = [
        on_both_ways("replayed", replay),
        on_both_ways("left out", skip),
        on_both_ways("in another order", |_, way| reorder(way, 1)),
        on_both_ways("of another connection", |_, way| splice(way, Kind::Frame)),
    ];
    check(attacks.into_iter().flatten().map(Named::of_frames));
}

#[test]
fn a_connection_that_is_cut_in_a_frame_or_in_the_handshake_says_nothing_more() {
    let half = |part: Part, wires: &mut Wires| {
        wires.send(part.way, &part.bytes[..part.bytes.len() / 2]);
        wires.cut();
    };
    let attacks = [
        on_both_ways("cut in a frame", move |_, way| once(way, Kind::Frame, 1, half)),
        on_both_ways("cut in the handshake", move |_, way| once(way, Kind::Proof, 0, half)),
    ];
    check(attacks.into_iter().flatten());
}

#[test]
fn a_handshake_with_parts_of_another_one_is_not_believed() {
    let proofs = on_both_ways("a proof of another connection", |_, way| splice(way, Kind::Proof));
    let offer = Named::new("an offer of another connection".to_owned(), |_| splice(Way::Back, Kind::Offer));
    check(proofs.into_iter().chain([offer]));
}

#[test]
fn what_a_side_said_is_not_believed_when_it_comes_back_to_it() {
    let reflect = |_: &Stage, way| {
        once(way, Kind::Frame, 1, move |part: Part, wires: &mut Wires| wires.send(way.other(), &part.bytes))
    };
    check(on_both_ways("reflected", reflect).map(Named::of_frames));
}

#[test]
fn a_line_in_the_clear_is_not_believed_wherever_it_stands() {
    let before = |kind, n| {
        move |stage: &Stage, way| {
            let line = forged(stage, way);
            once(way, kind, n, move |part, wires| {
                wires.send(way, &line);
                wires.pass(part);
            })
        }
    };
    let attacks = [
        on_both_ways("in the clear before a frame", before(Kind::Frame, 1)),
        on_both_ways("in the clear before the proof", before(Kind::Proof, 0)),
        on_both_ways("in the clear before the first frame", before(Kind::Frame, 0)),
    ];
    check(attacks.into_iter().flatten());
}

#[test]
fn a_bit_that_is_flipped_anywhere_is_noticed() {
    let seed =
        std::env::var(SEED).ok().map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    let mut rng = Rng::with_seed(seed);
    let places = [
        (Way::Back, Kind::Offer, 0),
        (Way::Out, Kind::Proof, 0),
        (Way::Back, Kind::Proof, 0),
        (Way::Out, Kind::Frame, 0),
        (Way::Back, Kind::Frame, 0),
        (Way::Out, Kind::Frame, 2),
        (Way::Back, Kind::Frame, 2),
        (Way::Out, Kind::Clear, 0),
    ];
    let mut attacks = Vec::new();
    for (way, kind, n) in places.into_iter().cycle().take(FLIPS) {
        let draw = rng.u64(..);
        let what = format!("{kind:?} {n} {way:?}, with {SEED}={seed}");
        let attack = move |_: &Stage| {
            once(way, kind, n, move |mut part, wires| {
                // Never in an address: it could become one of another host. In memory every bit has its turn.
                let is_message = [Kind::Clear, Kind::Offer].contains(&kind);
                let start = if is_message { memchr::memchr(b' ', &part.bytes).unwrap_or(0) } else { 0 };
                let changed = &mut part.bytes[start..];
                let bit = draw as usize % (changed.len() * 8);
                changed[bit / 8] ^= 1 << (bit % 8);
                wires.pass(part);
            })
        };
        attacks.push(Named::new(what, attack));
    }
    check(attacks);
}
