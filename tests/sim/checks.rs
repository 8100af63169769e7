//! What must hold, whatever goes wrong: after each turn, of every text on its way, at rest, at the end.

use crate::wires::Owner;
use crate::world::{HostId, World};
use chinwag::chat::node::Node;
use chinwag::limits::QUIT_TIMEOUT;
use chinwag::proto::machine::{ConnId, Machine};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The way that a text took: who its sender was at the time, and on which session, if any. Within one
/// route order is kept; a new session may overtake what is still on the wire of the old one.
pub type Route = (u32, Option<ConnId>);

/// Every numbered text that was typed, and what became of it.
#[derive(Debug, Default)]
pub struct Ledger {
    texts: BTreeMap<(HostId, HostId, u32), Text>,
    /// The text heard last on each route.
    last_heard: BTreeMap<(HostId, HostId, Route), u32>,
    /// Messages that came cut short.
    pub cut: usize,
    /// Between whom.
    cut_between: BTreeSet<(HostId, HostId)>,
}

#[derive(Debug)]
struct Text {
    route: Route,
    /// The life in which the recipient was when it was sent.
    recipient_life: u32,
    is_heard: bool,
    /// It was queued on a session as soon as it was typed.
    is_on_session: bool,
    /// What the sender was told of it.
    fate: Option<Fate>,
    /// The sender was told that it, or the session that carried it, was lost.
    is_given_up: bool,
    /// The recipient did not believe that it is of the sender.
    is_refused: bool,
}

/// What a sender can be told of a text. That it was taken is told by a count alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Delivered,
    NotSent,
    Unconfirmed,
}

impl Ledger {
    pub fn said(&mut self, from: HostId, to: HostId, number: u32, route: Route, recipient_life: u32) {
        let text = Text {
            route,
            recipient_life,
            is_heard: false,
            is_on_session: false,
            fate: None,
            is_given_up: false,
            is_refused: false,
        };
        assert!(self.texts.insert((from, to, number), text).is_none());
    }

    /// The text was queued on a session as soon as it was typed. What is told of it until then was told in the same breath.
    pub fn queued(&mut self, from: HostId, to: HostId, number: u32) {
        self.texts.get_mut(&(from, to, number)).unwrap().is_on_session = true;
    }

    /// How many texts a host has said in one of its lives, each once for each recipient.
    pub fn said_in(&self, from: HostId, life: u32) -> u64 {
        let texts = self.texts.range((from, 0, 0)..(from + 1, 0, 0));
        texts.filter(|(_, text)| text.route.0 == life).count() as u64
    }

    /// Never one that was not sent, never one twice, and on each route in order.
    pub fn heard(&mut self, from: HostId, to: HostId, text: &str) {
        let Some(number) = number(from, to, text) else {
            // What came before the connection ended is shown: its end completes a message.
            self.cut += 1;
            self.cut_between.insert((from, to));
            return;
        };
        let key = (from, to, number);
        let sent = self.texts.get_mut(&key).unwrap_or_else(|| panic!("{to} heard {text:?}: never sent"));
        assert!(!std::mem::replace(&mut sent.is_heard, true), "{to} heard {text:?} twice");
        sent.assert_sound(&key);
        let before = self.last_heard.insert((from, to, sent.route), number);
        assert!(before < Some(number), "{to} heard {text:?} after {before:?}");
    }

    /// The text came in the clear where nothing may, and was not believed.
    pub fn refused(&mut self, to: HostId, line: &str) {
        let Some(from) = line.split_once(" n").and_then(|(_, rest)| rest.split_once(' ')) else { return };
        let (Ok(from), text) = (from.0.parse(), from.1) else { return };
        if number(from, to, text).is_none() {
            self.cut_between.insert((from, to));
        }
        if let Some(text) = number(from, to, text).and_then(|number| self.texts.get_mut(&(from, to, number)))
        {
            assert!(!text.is_on_session, "what was refused was said on a session: {line}");
            text.is_refused = true;
        }
    }

    /// The sender was told of one text that the recipient has read it.
    pub fn delivered(&mut self, from: HostId, to: HostId, number: u32) {
        self.has_fate((from, to, number), Fate::Delivered);
    }

    /// The sender was told that this text did not arrive, or may not have.
    pub fn failed(&mut self, from: HostId, to: HostId, text: &str, fate: Fate) {
        if let Some(number) = number(from, to, text) {
            self.has_fate((from, to, number), fate);
        }
    }

    /// Each text has one fate.
    fn has_fate(&mut self, key: (HostId, HostId, u32), fate: Fate) {
        let text = self.texts.get_mut(&key).unwrap_or_else(|| panic!("{key:?} was never said"));
        let before = text.fate.replace(fate);
        assert_eq!(before, None, "{key:?}: {text:?}");
        text.is_given_up = fate != Fate::Delivered;
        text.assert_sound(&key);
    }

    /// The sender was told that the session is lost, or the other side gone.
    pub fn lost(&mut self, from: HostId, to: HostId) {
        for (_, text) in self.texts.range_mut((from, to, 0)..=(from, to, u32::MAX)) {
            text.is_given_up = true;
        }
    }

    pub fn heard_in_all(&self) -> usize {
        self.texts.values().filter(|text| text.is_heard).count()
    }
}

impl Text {
    /// What is told of a text is true. A plain message that was reset may have arrived.
    fn assert_sound(&self, key: &(HostId, HostId, u32)) {
        match self.fate {
            Some(Fate::Delivered) => assert!(self.is_heard, "{key:?} is delivered, and nobody has heard it"),
            Some(Fate::NotSent) if self.is_on_session => {
                assert!(!self.is_heard, "{key:?} was not sent, and was heard");
            }
            Some(Fate::NotSent | Fate::Unconfirmed) | None => {}
        }
    }
}

/// How a numbered text reads; its full stop tells a whole one from a cut one.
pub fn text(from: HostId, to: Option<HostId>, number: u32) -> String {
    match to {
        Some(to) => format!("{from}>{to} #{number}."),
        None => format!("{from}>all #{number}."),
    }
}

fn number(from: HostId, to: HostId, whole: &str) -> Option<u32> {
    let number = whole.split_once('#')?.1.strip_suffix('.')?.parse().ok()?;
    let is_whole = [Some(to), None].iter().any(|&to| text(from, to, number) == whole);
    is_whole.then_some(number)
}

/// After each turn of a host.
pub fn after_turn(world: &World, host: HostId) {
    let Some(node) = world.hosts[host].node() else { return };
    let links = &world.hosts[host].links;
    assert_eq!(node.connections(), links.len(), "host {host}: each connection has one wire");
    let mut before = None;
    for peer in node.directory().iter() {
        assert!(before.replace(peer.address) < Some(peer.address), "host {host}: {} twice", peer.address);
        assert_ne!(peer.address, world.hosts[host].address, "host {host} knows itself");
        if let Some(session) = peer.session {
            assert!(peer.is_connected && links.contains_key(&session), "host {host}: {peer:?}");
        }
    }
    assert_eq!(node.directory().len(), node.directory().iter().count(), "host {host}: a lost entry");
    let online = node.directory().iter().filter(|peer| !peer.is_offline).count();
    assert_eq!(node.directory().online(), online, "host {host}: who gets a text to all");
}

/// When nothing is on its way any more.
pub fn at_rest(world: &World) {
    for (id, host) in world.hosts.iter().enumerate() {
        let Some(node) = host.node() else { continue };
        assert!(node.wants_line() && host.acts.is_empty(), "host {id}: the menu came back");
        let bound = node.directory().iter().filter(|peer| peer.session.is_some()).count();
        assert_eq!(host.links.len(), bound, "host {id}: no connection is left over");
        assert_sessions_agree(world, id, node);
    }
    let loses_nothing = world.faults.lose_nothing();
    for (&(from, to, number), text) in &world.ledger.texts {
        // A sender that is stopped in the middle of a message is silent for longer than a plain message may be.
        let is_cut =
            world.faults.slow > 0 && world.faults.stops > 0 && world.ledger.cut_between.contains(&(from, to));
        let is_excused = text.is_given_up || is_cut || !is_route_alive(world, from, to, text);
        // Where some insist on encryption, not everybody can speak with everybody.
        let is_unwanted = text.is_refused || (world.has_keys && text.is_given_up);
        let is_fine = text.is_heard || is_unwanted || (is_excused && !loses_nothing);
        assert!(is_fine, "{from}>{to} #{number} is neither heard nor given up: {text:?}");
        let is_known = text.fate.is_some() || !text.is_on_session || !is_route_alive(world, from, to, text);
        assert!(is_known || !world.hosts[from].is_program(), "{from}>{to} #{number} has no fate: {text:?}");
    }
    assert!(world.ledger.cut == 0 || !loses_nothing, "a cut message");
}

/// A session is the same wire at both of its ends.
fn assert_sessions_agree(world: &World, id: HostId, node: &Node) {
    for peer in node.directory().iter() {
        let Some(session) = peer.session else { continue };
        let other = world.owner(world.hosts[id].links[&session].other());
        let Owner::Program(other, conn) = other else { panic!("host {id}: {peer:?} ends at {other:?}") };
        assert_eq!(world.hosts[other].address, peer.address, "host {id}: a session with somebody else");
        assert_eq!(world.session(other, id), Some(conn), "hosts {id} and {other} disagree");
    }
}

/// Whether both sides still live, and the session that the text went by still stands.
fn is_route_alive(world: &World, from: HostId, to: HostId, text: &Text) -> bool {
    let [sender, recipient] = [from, to].map(|id| &world.hosts[id]);
    let is_alive = sender.program.is_some() && recipient.program.is_some();
    let is_same = sender.life == text.route.0 && recipient.life == text.recipient_life;
    is_alive && is_same && (text.route.1.is_none() || world.session(from, to) == text.route.1)
}

/// After a program has come to its end by itself.
pub fn each_text_had_one_fate(world: &World, id: HostId) {
    let (counters, said) = (world.node(id).counters(), world.ledger.said_in(id, world.hosts[id].life));
    let fates = counters.delivered + counters.taken + counters.not_sent + counters.unconfirmed;
    assert_eq!(fates, said, "host {id}: {counters:?}");
}

/// After everybody was told to quit at `since`.
pub fn all_over(world: &World, since: Duration) {
    for (id, host) in world.hosts.iter().enumerate() {
        assert!(host.program.is_none() && host.links.is_empty(), "host {id} is still there");
        if let Some((code, at)) = host.exit {
            assert_eq!(code, 0, "host {id}");
            assert!(at <= since + QUIT_TIMEOUT, "host {id} took {:?} to quit", at - since);
        }
    }
    assert_eq!(world.wires_in_use(), 0, "a wire is left over");
}
