//! Who has which key: our own identity, the handshakes under way, and the keys that connections have proved.
//!
//! It decides nothing about peers: which key belongs to whom is in the address book.

use super::rate::Rate;
use crate::limits::{HANDSHAKES_OF_IP_BURST, HANDSHAKES_OF_IP_INTERVAL, HANDSHAKES_PER_TURN};
use crate::proto::machine::ConnId;
use crate::proto::message::source_of;
use crate::proto::secure::words::{Offer, encoded, header_of, line, offer_head};
use crate::proto::secure::{
    Answered, Broken, Channel, Entropy, Identity, Key, Offered, Proof, Seed, prologue,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Whether sessions are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Never: nothing is offered or taken.
    Never,
    /// Whenever the other side can do it.
    #[default]
    Prefer,
    /// Always: nothing is sent or believed in the clear.
    Require,
}

/// Keys, and handshakes under way.
#[derive(Debug)]
pub(super) struct Trust {
    identity: Option<Identity>,
    policy: Policy,
    entropy: Entropy,
    /// Handshakes that peers of one source cause: each costs work.
    of_source: Rate<IpAddr>,
    /// Connects that we wrote, as they were written, until they are answered.
    connects: BTreeMap<ConnId, Vec<u8>>,
    /// Handshakes that are not over.
    handshakes: BTreeMap<ConnId, Handshake>,
    /// Who has proved which key.
    keys: BTreeMap<ConnId, Key>,
    /// Messages 2 that wait for their turn, and since when.
    waiting: VecDeque<(ConnId, SocketAddr, Vec<u8>)>,
    waiting_since: Option<Instant>,
    /// How many more handshakes may be worked on in this turn.
    left: usize,
}

/// What both sides have said in the clear, until they have proved it.
#[derive(Debug)]
struct Handshake {
    /// Our address and name.
    ours: Vec<u8>,
    /// The whole line of the other side.
    theirs: Vec<u8>,
}

/// What the other side of a connection has proved.
#[derive(Debug)]
pub(super) struct Proved {
    pub(super) key: Key,
    /// The line in the clear that was true.
    pub(super) said: Vec<u8>,
    pub(super) channel: Channel,
    /// Our last line of the handshake, if it is our turn.
    pub(super) line: Option<String>,
}

impl Trust {
    pub(super) fn new(identity: Option<Identity>, policy: Policy, entropy: Seed) -> Self {
        Self {
            identity,
            policy,
            entropy: Entropy::new(entropy),
            of_source: Rate::new(HANDSHAKES_OF_IP_BURST, HANDSHAKES_OF_IP_INTERVAL),
            connects: BTreeMap::new(),
            handshakes: BTreeMap::new(),
            keys: BTreeMap::new(),
            waiting: VecDeque::new(),
            waiting_since: None,
            left: HANDSHAKES_PER_TURN,
        }
    }

    /// Our own key, if sessions may be encrypted.
    pub(super) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref().filter(|_| self.policy != Policy::Never)
    }

    /// Whether nothing may go in the clear, to anybody.
    pub(super) fn requires(&self) -> bool {
        self.policy == Policy::Require
    }

    /// The key that whoever speaks on this connection has proved.
    pub(super) fn key_on(&self, conn: ConnId) -> Option<Key> {
        self.keys.get(&conn).copied()
    }

    /// Our connect was written on this connection.
    pub(super) fn note_connect(&mut self, conn: ConnId, message: &str) {
        if self.identity().is_some() {
            self.connects.insert(conn, message.as_bytes().to_vec());
        }
    }

    /// The connection is over.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.connects.remove(&conn);
        self.handshakes.remove(&conn);
        self.keys.remove(&conn);
        self.waiting.retain(|(waiting, ..)| *waiting != conn);
    }

    /// Our offer is taken by this message 2, which came from this socket address. It waits for its turn.
    pub(super) fn put(&mut self, conn: ConnId, from: SocketAddr, message: Vec<u8>, now: Instant) {
        self.waiting.push_back((conn, from, message));
        self.waiting_since.get_or_insert(now);
    }

    /// Whether a message 2 of this connection waits.
    pub(super) fn is_waiting(&self, conn: ConnId) -> bool {
        self.waiting.iter().any(|(waiting, ..)| *waiting == conn)
    }

    /// The next message 2 to work on now, if this turn has time for it.
    pub(super) fn next_waiting(&mut self, now: Instant) -> Option<(ConnId, Vec<u8>)> {
        let Self { waiting, of_source, left, .. } = self;
        let may_go = |&(_, from, _): &(_, SocketAddr, _)| {
            from.ip().is_loopback() || of_source.take(source_of(from.ip()), now)
        };
        let next = if *left == 0 { None } else { waiting.iter().position(may_go) };
        // Who is left waits for the next turn, or for the allowance of their source.
        let pause = if *left == 0 { Duration::ZERO } else { HANDSHAKES_OF_IP_INTERVAL };
        let taken = next.and_then(|at| waiting.remove(at));
        self.waiting_since = (!self.waiting.is_empty()).then_some(now + pause);
        *left -= usize::from(taken.is_some());
        taken.map(|(conn, _, message)| (conn, message))
    }

    /// A turn is over.
    pub(super) fn end_turn(&mut self) {
        self.left = HANDSHAKES_PER_TURN;
    }

    /// When the next one of those who wait may have its turn.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting_since
    }

    /// Offers encryption behind our `answer` to `connect`, both without a newline; gives the whole line.
    pub(super) fn offer(&mut self, conn: ConnId, connect: &[u8], answer: &str) -> Option<(Offered, String)> {
        let head = offer_head(answer);
        let ours = header_of(answer.as_bytes())?.to_vec();
        let seed = self.entropy.next_seed();
        let (offered, message) =
            Offered::new(self.identity()?, &prologue(&[connect, head.as_bytes()]), seed).ok()?;
        self.handshakes.insert(conn, Handshake { ours, theirs: connect.to_vec() });
        Some((offered, head + &encoded(&message) + "\n"))
    }

    /// Takes the offer in `answer` to our connect; gives our line of the handshake too. `None`: we asked for nothing.
    pub(super) fn take_offer(
        &mut self,
        conn: ConnId,
        answer: &[u8],
        offer: &Offer<'_>,
    ) -> Option<Result<(Answered, String), Broken>> {
        let connect = self.connects.remove(&conn)?;
        let ours = header_of(&connect)?.to_vec();
        let seed = self.entropy.next_seed();
        let prologue = prologue(&[&connect, offer.head]);
        let answered = Answered::new(self.identity()?, &prologue, seed, &offer.message, &ours);
        self.handshakes.insert(conn, Handshake { ours, theirs: answer.to_vec() });
        Some(answered.map(|(answered, message)| (answered, line(&message))))
    }

    /// Takes message 2, which answers our offer.
    pub(super) fn on_taken(
        &mut self,
        conn: ConnId,
        offered: Offered,
        message: &[u8],
    ) -> Result<Proved, Broken> {
        let Handshake { ours, theirs } = self.handshakes.remove(&conn).ok_or(Broken)?;
        let (proof, proven) = offered.take(message)?;
        let (message, channel) = proven.prove(&ours)?;
        proved(proof, theirs, channel, Some(line(&message)))
    }

    /// Takes message 3, the last one.
    pub(super) fn on_proof(
        &mut self,
        conn: ConnId,
        answered: Answered,
        message: &[u8],
    ) -> Result<Proved, Broken> {
        let Handshake { theirs, .. } = self.handshakes.remove(&conn).ok_or(Broken)?;
        let (proof, channel) = answered.take(message)?;
        proved(proof, theirs, channel, None)
    }

    /// The handshake came to nothing; gives what the other side has said in the clear.
    pub(super) fn give_up(&mut self, conn: ConnId) -> Option<Vec<u8>> {
        self.handshakes.remove(&conn).map(|handshake| handshake.theirs)
    }

    /// Whoever speaks on this connection has this key.
    pub(super) fn note_key(&mut self, conn: ConnId, key: Key) {
        self.keys.insert(conn, key);
    }
}

/// The other side must prove what it said in the clear.
fn proved(proof: Proof, said: Vec<u8>, channel: Channel, line: Option<String>) -> Result<Proved, Broken> {
    if header_of(&said).is_none_or(|claim| claim != proof.claim) {
        return Err(Broken);
    }
    Ok(Proved { key: proof.key, said, channel, line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::secure::words::{message_of, offer_of};

    fn trust(n: u8) -> Trust {
        Trust::new(Identity::new([n; 32]), Policy::Prefer, Seed([n; 32]))
    }

    const CONN: ConnId = ConnId::new(1, 1);

    /// What each of two has proved to the other, if what the first one says is changed on the way like this.
    fn meet(change: impl Fn(&str) -> String) -> Option<[Proved; 2]> {
        let (mut a, mut b) = (trust(1), trust(2));
        let connect = "10.0.0.1:1 A connect";
        a.note_connect(CONN, connect);
        let heard = change(connect);
        let (offered, answer) = b.offer(CONN, heard.as_bytes(), "10.0.0.2:2 B connected chinwag/1")?;
        let offer = offer_of(answer.trim_end().as_bytes())?;
        let (answered, two) = a.take_offer(CONN, answer.trim_end().as_bytes(), &offer)?.ok()?;
        let of_b = b.on_taken(CONN, offered, &message_of(two.trim_end().as_bytes())?).ok()?;
        let three = of_b.line.clone()?;
        let of_a = a.on_proof(CONN, answered, &message_of(three.trim_end().as_bytes())?).ok()?;
        Some([of_a, of_b])
    }

    #[test]
    fn both_learn_the_key_of_the_other_and_that_it_said_what_came_in_the_clear() {
        let [of_a, of_b] = meet(str::to_owned).unwrap();
        assert_eq!(Some(of_b.key), trust(1).identity().map(Identity::key));
        assert_eq!(Some(of_a.key), trust(2).identity().map(Identity::key));
        assert!(of_b.said == b"10.0.0.1:1 A connect" && of_a.said.starts_with(b"10.0.0.2:2 B connected "));
        for (from, to) in [("10.0.0.1", "10.0.0.9"), (":1", ":3"), ("A", "C"), ("connect", "Connect")] {
            assert!(meet(|said| said.replace(from, to)).is_none(), "{from} {to}");
        }
    }

    #[test]
    fn an_offer_that_was_not_asked_for_is_not_taken() {
        let (mut a, mut b) = (trust(1), trust(2));
        let (_, answer) = b.offer(CONN, b"10.0.0.1:1 A connect", "10.0.0.2:2 B connected chinwag/1").unwrap();
        let offer = offer_of(answer.trim_end().as_bytes()).unwrap();
        assert!(a.take_offer(CONN, answer.as_bytes(), &offer).is_none());
    }

    #[test]
    fn whoever_has_no_key_or_wants_none_offers_nothing() {
        for mut trust in [
            Trust::new(None, Policy::Prefer, Seed([0; 32])),
            Trust::new(Identity::new([1; 32]), Policy::Never, Seed([0; 32])),
        ] {
            assert!(trust.identity().is_none());
            assert!(trust.offer(CONN, b"10.0.0.1:1 A connect", "10.0.0.2:2 B connected").is_none());
        }
    }

    #[test]
    fn handshakes_wait_for_their_turn_and_each_source_for_its_allowance() {
        let (mut trust, start) = (trust(1), crate::testing::start());
        let conn = |n: usize| ConnId::new(n as u32, 1);
        let [near, far, other] = ["127.0.0.1:9", "10.0.0.7:9", "10.0.0.8:9"].map(|at| at.parse().unwrap());
        let taken = |trust: &mut Trust, now| std::iter::from_fn(|| trust.next_waiting(now)).count();
        (0..100).for_each(|n| trust.put(conn(n), near, Vec::new(), start));
        assert_eq!((taken(&mut trust, start), taken(&mut trust, start)), (HANDSHAKES_PER_TURN, 0));
        assert!(trust.next_deadline().is_some_and(|at| at <= start) && trust.is_waiting(conn(99)));
        for _ in 0..10 {
            trust.end_turn();
            taken(&mut trust, start);
        }
        assert_eq!(trust.next_deadline(), None, "loopback has no allowance");

        let burst = HANDSHAKES_OF_IP_BURST as usize;
        (0..burst + 2).for_each(|n| trust.put(conn(n), far, Vec::new(), start));
        trust.put(conn(1000), other, Vec::new(), start);
        let mut all = 0;
        for _ in 0..10 {
            trust.end_turn();
            all += taken(&mut trust, start);
        }
        assert_eq!(all, burst + 1, "another source does not wait for it");
        assert_eq!(trust.next_deadline(), Some(start + HANDSHAKES_OF_IP_INTERVAL));
        trust.end_turn();
        assert_eq!(taken(&mut trust, start + HANDSHAKES_OF_IP_INTERVAL), 1);
        trust.forget(conn(burst + 1));
        assert!(trust.next_waiting(start + 2 * HANDSHAKES_OF_IP_INTERVAL).is_none(), "it is gone");
    }
}
