//! Whole worlds of nodes on virtual wires and virtual time, driven as `proto::machine` says. The seeded
//! runs are here; short tales without chance are in `stories`, those of strangers in `claims`, those of keys in `keys`,
//! `handshakes` and `attacks`, and why a peer cannot be reached in `diagnoses`.
//!
//! `SIM_SEED=n` replays one seed with its trace, in a world of `SIM_HOSTS`; `SIM_SEEDS=n` runs the seeds
//! below n.

#![expect(unreachable_pub, reason = "nobody uses a test from outside")]

mod attacks;
mod checks;
mod claims;
mod diagnoses;
mod faults;
mod handshakes;
mod held;
mod keys;
mod program;
mod script_keys;
mod stories;
mod swarm;
mod wires;
mod world;

use chinwag::chat::node::{Config, Dialogue};
use chinwag::chat::trust::Policy;
use chinwag::proto::secure::{Identity, Seed};
use fastrand::Rng;
use faults::{Faults, pick};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wires::VANISHED_TIMEOUT;
use world::{Act, Fate, World};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// How many sides of handshakes were completed by those who were there at the end of their worlds.
static HANDSHAKES: AtomicU64 = AtomicU64::new(0);

/// In a world, unless said otherwise.
const HOSTS: usize = 50;

/// What each user does, about.
const ACTS: usize = 8;

/// In which everything is wanted and goes wrong.
const ACTIVE: Duration = Duration::from_secs(20);

/// Says how to see it again, if the run of this seed panics.
struct Replay(u64, usize);

impl Drop for Replay {
    #[expect(clippy::disallowed_macros, reason = "a failing test speaks to whoever runs it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(seed, hosts) = self;
            eprintln!("SIM_SEED={seed} SIM_HOSTS={hosts} cargo test --test sim one_seed -- --nocapture");
        }
    }
}

/// Half of them share a host with others: one IP, different ports.
fn address(host: usize) -> SocketAddr {
    let ip = if host.is_multiple_of(2) { host } else { host / 8 * 8 } + 257;
    SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0000 + ip as u32).into(), 8000 + (host % 8) as u16)
}

/// Most programs have a key, and a few insist on encryption or want none.
fn with_key(config: Config, rng: &mut Rng) -> Config {
    let [mut private, mut entropy] = [[0; 32]; 2];
    rng.fill(&mut private);
    rng.fill(&mut entropy);
    let secure =
        *pick(rng, &[Policy::Never, Policy::Require, Policy::Prefer, Policy::Prefer, Policy::Prefer]);
    let identity = Identity::new(private).filter(|_| rng.u32(0..5) > 0);
    let secure = if identity.is_some() { secure } else { Policy::Prefer };
    Config { identity, entropy: Seed(entropy), secure, ..config }
}

/// One life of one world; gives its trace hash.
fn run(seed: u64, hosts: usize, is_trace_printed: bool) -> u64 {
    let _replay = Replay(seed, hosts);
    let mut rng = Rng::with_seed(seed);
    let faults = Faults::draw(&mut rng);
    let mut world = World::new(faults, rng.fork());
    world.is_trace_printed = is_trace_printed;
    world.is_each_text_numbered = true;
    world.has_keys = seed % 2 == 1;
    for host in 0..hosts {
        // Programs are told of what persons are not.
        let dialogue = if host.is_multiple_of(3) { Dialogue::Commands } else { Dialogue::Menu };
        let config = Config { dialogue, seed: host as u64, ..Config::default() };
        let config = if world.has_keys { with_key(config, &mut rng) } else { config };
        world.add(address(host), config);
    }
    plan(&mut world, &mut rng, hosts);
    // Long enough for the kernel's last word on a host that vanished.
    world.run_for(ACTIVE + VANISHED_TIMEOUT + 30 * SECOND);
    checks::at_rest(&world);
    let nodes = world.hosts.iter().filter_map(|host| host.node());
    HANDSHAKES.fetch_add(nodes.map(|node| node.counters().handshakes).sum(), Ordering::Relaxed);
    assert!(world.ledger.heard_in_all() > hosts, "a world in which nobody speaks tests nothing");
    let since = world.now;
    for id in 0..hosts {
        world.want(id, Act::Quit, Duration::ZERO);
    }
    world.run_for(5 * SECOND);
    checks::all_over(&world, since);
    world.trace_hash()
}

fn plan(world: &mut World, rng: &mut Rng, hosts: usize) {
    let at = |rng: &mut Rng| Duration::from_millis(rng.u64(0..ACTIVE.as_millis() as u64));
    for id in 0..hosts {
        for _ in 0..ACTS {
            // Everybody has a few acquaintances, so that pairs get to talk and to dial each other.
            let other = (id + rng.usize(1..=4)) % hosts;
            let (from, to) = if rng.bool() { (id, other) } else { (other, id) };
            let act = match rng.u32(0..20) {
                0 => Act::Exit(to),
                1 => Act::Query,
                2..=6 => Act::Connect(to),
                7 => Act::Diagnose(to),
                8 => Act::SayToAll,
                _ => Act::Say(to),
            };
            let after = at(rng);
            // Some say more before the first text can have been confirmed.
            let more = if matches!(act, Act::Say(_)) { rng.u32(0..4) } else { 0 };
            for _ in 0..more {
                world.want(from, act.clone(), after + Duration::from_millis(rng.u64(0..100)));
            }
            world.want(from, act, after);
        }
    }
    for _ in 0..world.faults.head_on {
        let (a, b, after) = (rng.usize(1..hosts), rng.usize(0..hosts), at(rng));
        let b = b % a;
        world.want(a, Act::Connect(b), after);
        world.want(b, Act::Connect(a), after);
    }
    for _ in 0..world.faults.stops {
        let (id, after) = (rng.usize(0..hosts), at(rng));
        world.befall(id, Fate::Stopped, after);
        // Longer than what silence completes, and too short for the other side to give up.
        world.befall(id, Fate::Continued, after + *pick(rng, &[300 * MS, 600 * MS]));
    }
    for _ in 0..world.faults.deaths {
        let (id, after) = (rng.usize(0..hosts), at(rng));
        match rng.u32(0..3) {
            0 => world.want(id, Act::Quit, after),
            1 => world.befall(id, Fate::Killed, after),
            _ => world.befall(id, Fate::Vanished, after),
        }
        if rng.bool() {
            world.befall(id, Fate::Started, after + *pick(rng, &[MS, SECOND, 5 * SECOND]));
        }
    }
}

fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|number| number.parse().expect("a number"))
}

#[test]
#[expect(clippy::disallowed_macros, reason = "whoever asks for so many wants to know how much that was")]
fn every_seed_keeps_its_promises() {
    let seeds = number_from_environment("SIM_SEEDS").unwrap_or(64);
    for seed in 0..seeds {
        run(seed, HOSTS, false);
    }
    let handshakes = HANDSHAKES.load(Ordering::Relaxed);
    assert!(handshakes > seeds, "worlds in which nobody encrypts test nothing: {handshakes}");
    if number_from_environment("SIM_SEEDS").is_some() {
        eprintln!("{seeds} worlds, {handshakes} sides of handshakes");
    }
}

#[test]
fn one_seed_has_one_trace() {
    let chosen = number_from_environment("SIM_SEED");
    let hosts = number_from_environment("SIM_HOSTS").map_or(HOSTS, |hosts| hosts as usize);
    let seed = chosen.unwrap_or(7);
    let hash = run(seed, hosts, chosen.is_some());
    assert_eq!(hash, run(seed, hosts, false));
    assert_ne!(hash, run(seed + 1, hosts, false));
}

#[test]
fn a_thousand_peers() {
    run(1000, 1000, false);
}
