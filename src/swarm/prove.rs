//! How a peer becomes encrypted: the target offers it in its answer to connect, and the peer takes the offer.
//!
//! The keys are made from the seed of the run and from the address that the peer claims. So a target that remembers
//! keys knows the peers of an earlier run again. They are no secret: whoever knows the seed can make them.

use super::crew::{Crew, Stage};
use super::tally::Measure;
use crate::limits::SWARM_HANDSHAKES_PER_TURN;
use crate::proto::envelope::{Body, Envelope};
use crate::proto::machine::{CloseReason, ConnId};
use crate::proto::secure::words::{header_of, line, message_of, offer_of};
use crate::proto::secure::{Answered, Entropy, Identity, Seed, prologue};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

impl Crew {
    /// A connect was answered by this line. An error says that it offers no encryption.
    pub(super) fn note_offer(
        &mut self,
        conn: ConnId,
        answer: &[u8],
        now: Instant,
    ) -> Result<(), CloseReason> {
        offer_of(answer).ok_or(CloseReason::NotEncrypted)?;
        if let Some(peer) = self.peer_mut(conn) {
            peer.stage = Stage::Proving;
            peer.since = now;
            self.offers.push_back((conn, answer.into()));
        }
        Ok(())
    }

    /// Takes the offers that are due in this turn; returns the connections on which that failed, and why.
    pub(super) fn take_offers(&mut self) -> Vec<(ConnId, CloseReason)> {
        let mut failed = Vec::new();
        for _ in 0..SWARM_HANDSHAKES_PER_TURN {
            let Some((conn, answer)) = self.offers.pop_front() else { break };
            failed.extend(self.take_offer(conn, &answer).err().map(|reason| (conn, reason)));
        }
        failed
    }

    fn take_offer(&mut self, conn: ConnId, answer: &[u8]) -> Result<(), CloseReason> {
        let offer = offer_of(answer).ok_or(CloseReason::NotEncrypted)?;
        let theirs = header_of(answer).ok_or(CloseReason::BadProof)?;
        let Some((claim, name)) = self.introduction(conn) else { return Ok(()) };
        let connect = Envelope::of_session(claim, &name).message(Body::Connect);
        let ours = header_of(connect.as_bytes()).ok_or(CloseReason::BadProof)?;
        let (identity, seed) = secrets(self.plan.seed, claim).ok_or(CloseReason::BadProof)?;
        let seen = prologue(&[connect.as_bytes(), offer.head]);
        let (answered, message) =
            Answered::new(&identity, &seen, seed, &offer.message, ours).map_err(|_| CloseReason::BadProof)?;
        let Some(connection) = self.connections.get_mut(conn) else { return Ok(()) };
        let line = line(&message);
        connection.take_offer(answered, &line);
        connection.data.target_claim = Some(theirs.into());
        self.tally.counts.bytes_sent += line.len() as u64;
        self.connections.wake(conn);
        Ok(())
    }

    /// Takes the line in which the target proves its key. An error says that it does not.
    pub(super) fn on_proof(&mut self, conn: ConnId, line: &[u8], now: Instant) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(conn) else { return Ok(()) };
        let answered = connection.answered().ok_or(CloseReason::BadProof)?;
        let message = message_of(line).ok_or(CloseReason::BadProof)?;
        let (proof, channel) = answered.take(&message).map_err(|_| CloseReason::BadProof)?;
        if connection.data.target_claim.take().is_none_or(|claim| *claim != *proof.claim) {
            return Err(CloseReason::BadProof);
        }
        connection.seal(channel, None);
        let since = connection.data.since;
        self.tally.counts.encrypted += 1;
        self.tally.record(Measure::Handshake, now - since);
        self.set_ready(conn, now);
        Ok(())
    }
}

/// The key pair of the peer that claims this address, and the random bytes of its handshake.
fn secrets(seed: u64, claim: SocketAddr) -> Option<(Identity, Seed)> {
    let ip = match claim.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..24].copy_from_slice(&ip.octets());
    bytes[24..26].copy_from_slice(&claim.port().to_be_bytes());
    let mut entropy = Entropy::new(Seed(bytes));
    Some((Identity::new(entropy.next_seed().0)?, entropy.next_seed()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::machine::{Input, Machine, Output};
    use crate::proto::secure::words::{encoded, offer_head};
    use crate::proto::secure::{Channel, Offered};
    use crate::swarm::generator::{GO, Swarm};
    use crate::swarm::plan::{Carrier, Plan, Scenario};
    use crate::swarm::tally::Counts;
    use std::io::{self, ErrorKind, Write};
    use std::time::Duration;

    const ANSWER: &str = "127.0.0.1:9 N connected chinwag/1";

    /// One peer, and the target that it talks to.
    struct Talk {
        swarm: Swarm,
        conn: ConnId,
        now: Instant,
    }

    /// Takes so many bytes, and then would block.
    struct Taking(usize, Vec<u8>);

    impl Write for Taking {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.0 - self.1.len());
            if count == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.1.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn plan(scenario: Scenario, peers: usize) -> Plan {
        Plan {
            target: ([127, 0, 0, 1], 9).into(),
            scenario,
            carrier: Carrier::Encrypted,
            peers,
            first_peer: 0,
            sources: Vec::new(),
            batch: 2,
            message_bytes: 32,
            in_flight: peers,
            dials_per_second: None,
            timeout: Duration::from_secs(1),
            is_echoed: false,
            seed: 1,
        }
    }

    impl Talk {
        /// The peer is connected; returns its connect without the newline too.
        fn begin(scenario: Scenario) -> (Self, String) {
            let now = crate::testing::start();
            let mut swarm = Swarm::new(plan(scenario, 1), now);
            swarm.handle(Input::Timeout, now);
            let Some(Output::Connect { conn, .. }) = swarm.poll_output() else { panic!("no dial") };
            let mut talk = Self { swarm, conn, now };
            let connect = talk.turn(Input::Connected { conn, local: ([127, 1, 0, 1], 5).into() });
            (talk, String::from_utf8(connect).unwrap().trim_end().to_owned())
        }

        /// One turn and the one after it; returns what was written.
        fn turn(&mut self, input: Input<'_>) -> Vec<u8> {
            self.turn_writing(input, usize::MAX)
        }

        fn turn_writing(&mut self, input: Input<'_>, most: usize) -> Vec<u8> {
            let mut written = Taking(most, Vec::new());
            for input in [input, Input::Timeout] {
                self.swarm.handle(input, self.now);
                while self.swarm.poll_output().is_some() {}
                let _ = self.swarm.send_queue(self.conn).map(|queue| queue.write_to(&mut written));
            }
            written.1
        }

        fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
            self.turn(Input::Received { conn: self.conn, bytes })
        }

        fn counts(&self) -> &Counts {
            &self.swarm.tally().counts
        }

        fn failed(&self) -> Vec<&str> {
            self.counts().failed.keys().map(String::as_str).collect()
        }
    }

    fn offer(connect: &str) -> (Offered, String) {
        let head = offer_head(ANSWER);
        let seen = prologue(&[connect.as_bytes(), head.as_bytes()]);
        let (offered, message) =
            Offered::new(&Identity::new([9; 32]).unwrap(), &seen, Seed([8; 32])).unwrap();
        (offered, head + &encoded(&message) + "\n")
    }

    /// Plays the target up to its proof; returns that line, and what the target seals and opens with.
    fn prove(talk: &mut Talk, connect: &str, claim: &str) -> (String, Channel) {
        let (offered, answer) = offer(connect);
        let taken = talk.hear(answer.as_bytes());
        let taken = message_of(taken.strip_suffix(b"\n").unwrap()).unwrap();
        let (proof, proven) = offered.take(&taken).unwrap();
        assert_eq!(proof.claim, header_of(connect.as_bytes()).unwrap());
        let (message, channel) = proven.prove(claim.as_bytes()).unwrap();
        (line(&message), channel)
    }

    fn opened(channel: &mut Channel, frames: &[u8]) -> String {
        let mut text = Vec::new();
        channel.open(frames, &mut text).unwrap();
        String::from_utf8(text).unwrap().replace("\n\n", "").trim_end().to_owned()
    }

    fn sealed(channel: &mut Channel, text: &str) -> Vec<u8> {
        let mut frames = Vec::new();
        channel.seal(text.as_bytes(), &mut frames).unwrap();
        frames
    }

    const FLOOD: Scenario = Scenario::Flood { messages: 4 };

    #[test]
    fn each_peer_has_a_key_of_its_own_and_the_same_one_in_the_next_run() {
        let key = |seed, claim: &str| secrets(seed, claim.parse().unwrap()).unwrap().0.key();
        let all = [(1, "127.1.0.1:2"), (1, "127.1.0.1:3"), (1, "127.1.0.2:2"), (2, "127.1.0.1:2")];
        let keys = all.map(|(seed, claim)| key(seed, claim));
        for (place, one) in keys.iter().enumerate() {
            assert!(!keys[..place].contains(one), "{place}");
        }
        assert_eq!(keys, all.map(|(seed, claim)| key(seed, claim)));
        let (identity, Seed(seed)) = secrets(1, "[::1]:2".parse().unwrap()).unwrap();
        assert_ne!(identity.private(), &seed);
    }

    #[test]
    fn all_that_a_peer_says_and_hears_behind_the_handshake_is_in_frames_however_they_are_cut() {
        for size in [1, 7, usize::MAX] {
            let (mut talk, connect) = Talk::begin(FLOOD);
            let (proof, mut channel) = prove(&mut talk, &connect, "127.0.0.1:9 N");
            talk.now += Duration::from_millis(3);
            // The first frame comes together with the proof.
            let bytes = [proof.as_bytes(), &sealed(&mut channel, "127.0.0.1:9 N hello\n")].concat();
            bytes.chunks(size.min(bytes.len())).for_each(|chunk| assert_eq!(talk.hear(chunk), b""));
            assert_eq!((talk.counts().answered, talk.counts().encrypted, talk.counts().heard), (1, 1, 1));
            let times = &talk.swarm.tally().times[&Measure::Handshake];
            assert_eq!((times.len(), times.max() / 1_000_000), (1, 3));
            let written = talk.turn(Input::Line(GO));
            assert!(!written.windows(2).any(|bytes| bytes == b"p0"), "nothing is in the clear");
            let said = opened(&mut channel, &[written, talk.turn(Input::Timeout)].concat());
            assert_eq!(said.matches("127.1.0.1:20000 p0 m").count(), 4);
            assert!(said.ends_with("!ping 0"), "{said}");
            let pong = sealed(&mut channel, "!pong 0\n");
            pong.chunks(size.min(pong.len())).for_each(|chunk| drop(talk.hear(chunk)));
            assert_eq!((talk.counts().sent, talk.counts().taken, talk.counts().odd), (4, 4, 0));
        }
    }

    #[test]
    fn a_batch_is_written_when_its_whole_frame_is() {
        let (mut talk, connect) = Talk::begin(FLOOD);
        let (proof, mut channel) = prove(&mut talk, &connect, "127.0.0.1:9 N");
        talk.hear(proof.as_bytes());
        let mut written = talk.turn_writing(Input::Line(GO), 40);
        talk.now += Duration::from_millis(1);
        assert_eq!((written.len(), talk.turn_writing(Input::Timeout, 0).len()), (40, 0));
        assert_eq!(talk.counts().sent, 2, "the next batch waits");
        for _ in 0..4 {
            written.extend(talk.turn(Input::Timeout));
        }
        assert_eq!(talk.counts().sent, 4);
        assert_eq!(opened(&mut channel, &written).matches("127.1.0.1:20000 p0 m").count(), 4);
    }

    #[test]
    fn a_turn_takes_a_few_offers_and_the_next_one_follows_at_once() {
        let now = crate::testing::start();
        let peers = 2 * SWARM_HANDSHAKES_PER_TURN + 1;
        let mut swarm = Swarm::new(plan(FLOOD, peers), now);
        let mut conns = Vec::new();
        while conns.len() < peers {
            swarm.handle(Input::Timeout, now);
            while let Some(output) = swarm.poll_output() {
                let Output::Connect { conn, .. } = output else { continue };
                conns.push(conn);
            }
        }
        let write = |swarm: &mut Swarm, conn| {
            let mut written = Vec::new();
            swarm.send_queue(conn).unwrap().write_to(&mut written).unwrap();
            written
        };
        for (port, &conn) in (1..).zip(&conns) {
            swarm.handle(Input::Connected { conn, local: ([127, 1, 0, 1], port).into() }, now);
            let connect = String::from_utf8(write(&mut swarm, conn)).unwrap();
            let (_, answer) = offer(connect.trim_end());
            swarm.handle(Input::Received { conn, bytes: answer.as_bytes() }, now);
        }
        for taken in [SWARM_HANDSHAKES_PER_TURN, SWARM_HANDSHAKES_PER_TURN, 1, 0] {
            assert_eq!(swarm.poll_timeout().is_some_and(|at| at <= now), taken > 0);
            swarm.handle(Input::Timeout, now);
            let written =
                conns.iter().filter(|&&conn| write(&mut swarm, conn).starts_with(b"!noise ")).count();
            assert_eq!(written, taken);
        }
    }

    #[test]
    fn a_target_without_an_offer_or_a_proof_has_failed() {
        let (mut talk, _) = Talk::begin(FLOOD);
        assert_eq!(talk.hear(format!("{ANSWER}\n").as_bytes()), b"");
        assert_eq!((talk.failed(), talk.counts().answered), (vec!["not-encrypted"], 1));

        let (mut talk, connect) = Talk::begin(FLOOD);
        let (proof, _) = prove(&mut talk, &connect, "127.0.0.1:10 N");
        talk.hear(proof.as_bytes());
        assert_eq!((talk.failed(), talk.counts().encrypted), (vec!["bad-proof"], 0), "another address");

        let (mut talk, connect) = Talk::begin(FLOOD);
        let (proof, _) = prove(&mut talk, &connect, "127.0.0.1:9 N");
        talk.hear(proof.replacen("!noise ", "!noise A", 1).as_bytes());
        assert_eq!(talk.failed(), ["bad-proof"]);

        let (mut talk, connect) = Talk::begin(FLOOD);
        prove(&mut talk, &connect, "127.0.0.1:9 N");
        talk.hear(b"127.0.0.1:9 N in the clear\n");
        assert_eq!((talk.failed(), talk.counts().heard), (vec!["bad-proof"], 0));
    }

    #[test]
    fn a_broken_frame_ends_the_connection_and_what_came_before_it_counts() {
        let (mut talk, connect) = Talk::begin(FLOOD);
        let (proof, mut channel) = prove(&mut talk, &connect, "127.0.0.1:9 N");
        talk.hear(proof.as_bytes());
        let mut frames = sealed(&mut channel, "127.0.0.1:9 N hello\n");
        let broken = frames.len();
        frames.extend(sealed(&mut channel, "127.0.0.1:9 N goodbye\n"));
        frames[broken + 10] ^= 1;
        talk.hear(&frames);
        assert_eq!((talk.failed(), talk.counts().heard), (vec!["bad-frame"], 1));
    }
}
