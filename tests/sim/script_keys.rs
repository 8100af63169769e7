//! What the stories of keys share: programs that have keys, and a script that has one.

use crate::stories::{MS, SCRIPT, calm_world, count};
use crate::wires::EndId;
use crate::world::{Act, HostId, World};
use chinwag::chat::book::{Known, Pin};
use chinwag::chat::node::Config;
use chinwag::chat::notice::{Failure, Notice, Standing, Stats};
use chinwag::proto::machine::CloseReason;
use chinwag::proto::secure::words::{line, message_of, offer_of};
use chinwag::proto::secure::{Answered, Channel, Identity, Seed, prologue};
use std::net::SocketAddr;
use std::time::Duration;

/// What the script says of itself at its own address.
pub const CLAIM: &str = "10.0.9.9:9000 S";

pub fn identity(n: u8) -> Identity {
    Identity::new([n; 32]).unwrap()
}

pub fn keyed(n: u8) -> Config {
    Config { identity: Some(identity(n)), entropy: Seed([n; 32]), ..Config::default() }
}

pub fn host(id: HostId) -> SocketAddr {
    ([10, 0, 0, id as u8 + 1], 8080).into()
}

pub fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A program for each of these, the first one with the key of 1; a script listens too.
pub fn world_of(configs: impl IntoIterator<Item = Config>) -> World {
    let mut world = calm_world(0);
    for (id, config) in configs.into_iter().enumerate() {
        world.add(host(id), config);
    }
    world.script_listens(SCRIPT);
    world
}

/// A program that remembers somebody.
pub fn world_that_knows(address: &str, known: Known, config: Config) -> World {
    world_of([Config { known: vec![(at(address), known)], ..config }])
}

/// A program that remembers the script by the key of 9, and calls it anna.
pub fn world_that_knows_the_script(config: Config) -> World {
    world_that_knows(SCRIPT, Known { alias: Some("anna".into()), ..known_by_key(9) }, config)
}

pub fn known_by_key(n: u8) -> Known {
    let pin = Pin { key: identity(n).key(), is_verified: false, since: None };
    Known { pin: Some(pin), name: "S".into(), ..Known::default() }
}

pub fn known_by_compared_key(n: u8) -> Known {
    let pin = Pin { key: identity(n).key(), is_verified: true, since: None };
    Known { pin: Some(pin), ..known_by_key(n) }
}

pub fn hears(world: &mut World, ip: &str, bytes: &str) -> EndId {
    let end = world.script_dials(ip, 0);
    world.script_writes(end, bytes);
    world.run_for(500 * MS);
    end
}

/// The first one types all of these at once.
pub fn types(world: &mut World, lines: &[&str]) {
    for line in lines {
        world.want(0, Act::Line((*line).to_owned()), Duration::ZERO);
    }
    world.run_for(10 * MS);
}

/// A connect of the script in the name of `claim`, which is `IP:PORT name`, from that IP.
pub struct Caller {
    pub end: EndId,
    claim: String,
}

impl Caller {
    /// Connects, and leaves time for the answer.
    pub fn new(world: &mut World, ip: &str, claim: &str) -> Self {
        let end = world.script_dials(ip, 0);
        world.script_writes(end, &format!("{claim} connect\n"));
        world.run_for(10 * MS);
        Self { end, claim: claim.to_owned() }
    }

    /// Takes the offer with the key of `n`; gives message 2 as it is written, and what the answer to it is for.
    pub fn proof(&self, world: &World, n: u8) -> (Answered, String) {
        let answer = world.script_read(self.end);
        let offer = offer_of(answer.trim_end().as_bytes()).unwrap_or_else(|| panic!("no offer: {answer}"));
        let connect = format!("{} connect", self.claim);
        let prologue = prologue(&[connect.as_bytes(), offer.head]);
        let claim = self.claim.as_bytes();
        let (answered, message) =
            Answered::new(&identity(n), &prologue, Seed([77; 32]), &offer.message, claim).unwrap();
        (answered, line(&message))
    }

    /// The encrypted session, if the program has proved its key too.
    pub fn channel(&self, world: &World, answered: Answered) -> Option<Channel> {
        let read = world.script_read_bytes(self.end);
        let message = read.split(|&byte| byte == b'\n').find_map(message_of)?;
        Some(answered.take(&message).unwrap().1)
    }

    /// Takes the offer with the key of `n`.
    pub fn proves(&self, world: &mut World, n: u8) -> Option<Channel> {
        let (answered, message) = self.proof(world, n);
        world.script_writes(self.end, &message);
        world.run_for(500 * MS);
        self.channel(world, answered)
    }
}

/// The script connects and takes the offer with the key of `n`.
pub fn connects_as(world: &mut World, ip: &str, claim: &str, n: u8) -> Caller {
    let caller = Caller::new(world, ip, claim);
    caller.proves(world, n);
    caller
}

pub fn standings(world: &World, id: HostId) -> Vec<Standing> {
    let standing = |notice: &Notice| match notice {
        Notice::Message { who, .. } => Some(who.standing),
        _ => None,
    };
    world.hosts[id].notices.iter().filter_map(standing).collect()
}

/// What was not believed.
pub fn refused(world: &World) -> Vec<&str> {
    fn text(notice: &Notice) -> Option<&str> {
        if let Notice::Refused { text, .. } = notice { Some(text) } else { None }
    }
    world.hosts[0].notices.iter().filter_map(text).collect()
}

pub fn not_sent(world: &World) -> Vec<Failure> {
    let why = |notice: &Notice| match notice {
        Notice::NotSent { why, .. } | Notice::NotConnected { why, .. } => Some(*why),
        _ => None,
    };
    world.hosts[0].notices.iter().filter_map(why).collect()
}

pub fn is_sealed(world: &World, a: HostId, b: HostId) -> bool {
    count(world, a, |notice| matches!(notice, Notice::Pinned { .. })) > 0 && world.session(a, b).is_some()
}

/// What the first one tells when it is asked how it stands.
pub fn stats(world: &mut World) -> Stats {
    types(world, &["/stats"]);
    let told = world.hosts[0].notices.iter().rev().find_map(|notice| match notice {
        Notice::Stats(stats) => Some(stats.as_ref().clone()),
        _ => None,
    });
    told.unwrap()
}

/// How many connections of the first one ended for that reason.
pub fn ended(world: &mut World, why: CloseReason) -> u64 {
    stats(world).ended.iter().filter(|(reason, _)| *reason == why).map(|(_, count)| count).sum()
}
