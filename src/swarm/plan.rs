//! What a run does: the target, the scenario, and the peers. Plain data.

use crate::limits::{
    SLICES_PER_WRITE, SWARM_BATCHES_PER_TURN, SWARM_CLAIM_FIRST_PORT, SWARM_CLAIM_PORTS, SWARM_PAYLOAD_BYTES,
    SWARM_SOURCES, SWARM_WRITE_BYTES_MAX,
};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// One run of the generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Where the program under test listens.
    pub target: SocketAddr,
    /// What the peers do.
    pub scenario: Scenario,
    /// How a peer speaks to the target.
    pub carrier: Carrier,
    /// Peers at the same time; for [`Scenario::Churn`] the number of connections, one after the other.
    pub peers: usize,
    /// The number of the first peer, so that several generators have different peers.
    pub first_peer: usize,
    /// The addresses to dial from, in turn, all different; if empty, the system chooses.
    pub sources: Vec<IpAddr>,
    /// Messages in one write.
    pub batch: usize,
    /// Bytes in one message, its newline included.
    pub message_bytes: usize,
    /// Dials under way at the same time; for [`Scenario::Churn`] connections.
    pub in_flight: usize,
    /// Dials that begin in a second; `None`: as fast as they succeed.
    pub dials_per_second: Option<f64>,
    /// How long a dial may take, and how long nothing at all may happen before the run is given up.
    pub timeout: Duration,
    /// The target is not a chat but an echo: its answers are our own lines.
    pub is_echoed: bool,
    /// What the keys of the peers are made of, if their sessions are encrypted.
    pub seed: u64,
}

/// What the peers do once they are connected.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Rounds in each of which every peer writes one batch. The driver begins each round, so that it can stop the
    /// target meanwhile.
    Burst {
        /// The number of rounds.
        rounds: u32,
    },
    /// One plain message for each connection.
    Churn,
    /// The target sends to all peers; the time until all have the message is measured.
    FanOut {
        /// The number of rounds.
        rounds: u32,
        /// What makes the target send.
        origin: Origin,
    },
    /// As many messages as the target reads.
    Flood {
        /// Messages of all peers together. If they are not a multiple of the batch, one batch is smaller.
        messages: u64,
    },
    /// Connected and silent.
    Hold {
        /// For how long.
        time: Duration,
    },
    /// Messages at moments that are fixed beforehand, whether or not the target keeps up.
    Pace {
        /// Messages of each peer in a second.
        rate: f64,
        /// For how long.
        time: Duration,
    },
    /// Some peers ask, each again as soon as its question was answered; the others are silent.
    Ping {
        /// Questions of all peers together.
        rounds: u64,
        /// Peers that ask.
        active: usize,
    },
}

impl Scenario {
    /// The name of the scenario on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Burst { .. } => "burst",
            Self::Churn => "churn",
            Self::FanOut { .. } => "fan-out",
            Self::Flood { .. } => "flood",
            Self::Hold { .. } => "hold",
            Self::Pace { .. } => "pace",
            Self::Ping { .. } => "ping",
        }
    }
}

/// What makes the target send a message to all peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The first peer's message, which the target passes on to all others.
    Relay,
    /// Something outside, such as a line on the target's stdin, when the generator asks for it.
    Trigger,
    /// Something outside, at any time: times count from the first peer that has the message.
    Watch,
}

/// How a peer speaks to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// `connect` first, then lines both ways on one connection: chinwag's own protocol.
    Session,
    /// A session that is encrypted: the target offers that in its answer, and the peer takes it.
    Encrypted,
    /// Lines without a greeting, for any program that reads lines.
    Lines,
}

impl Carrier {
    /// Whether a peer sends `connect` first, so that the target answers its questions.
    pub const fn has_sessions(self) -> bool {
        matches!(self, Self::Session | Self::Encrypted)
    }
}

impl Plan {
    /// The default addresses to dial `target` from. Ports run out first: one address has some 28,000 of them, and
    /// finding a free one gets slow when half of them are in use.
    pub fn default_sources(target: IpAddr) -> Vec<IpAddr> {
        let is_whole_net_local = cfg!(any(target_os = "linux", target_os = "android"));
        if is_whole_net_local && target.is_ipv4() && target.is_loopback() {
            (1..=SWARM_SOURCES).map(|host| Ipv4Addr::new(127, 1, 0, host).into()).collect()
        } else {
            Vec::new()
        }
    }

    /// The address that peer `number` dials from; `None`: the system chooses.
    pub(super) fn source(&self, number: usize) -> Option<IpAddr> {
        let number = self.first_peer + number;
        self.sources.get(number % self.sources.len().max(1)).copied()
    }

    /// The address on which peer `number` claims to listen. Nobody listens there: the target's port is left out for
    /// every address, since the target may listen on all addresses of this host.
    pub(super) fn claim(&self, number: usize, local: IpAddr) -> SocketAddr {
        let of_its_source = (self.first_peer + number) / self.sources.len().max(1);
        let port = SWARM_CLAIM_FIRST_PORT + (of_its_source % usize::from(SWARM_CLAIM_PORTS)) as u16;
        let is_after_target = (SWARM_CLAIM_FIRST_PORT..=port).contains(&self.target.port());
        SocketAddr::new(local, port + u16::from(is_after_target))
    }

    /// The number of batches that may be made in one turn, so that a generator with much to write still reads.
    pub(super) fn batches_per_turn(&self) -> usize {
        let in_bytes = SWARM_WRITE_BYTES_MAX / (self.batch * self.message_bytes).max(1);
        in_bytes.clamp(1, SWARM_BATCHES_PER_TURN as usize)
    }

    /// The number of messages in one payload of a batch. A batch repeats the same message, so a peer keeps one
    /// payload and not the whole batch. A payload is so large that one write can carry the whole batch.
    pub(super) fn messages_per_payload(&self) -> usize {
        let in_bytes = SWARM_PAYLOAD_BYTES / self.message_bytes.max(1);
        in_bytes.max(self.batch.div_ceil(SLICES_PER_WRITE)).min(self.batch).max(1)
    }

    /// About how many bytes a peer keeps for its batch. What is sealed is another copy of the whole batch.
    pub fn payload_bytes(&self) -> usize {
        let sealed = if self.carrier == Carrier::Encrypted { self.batch } else { 0 };
        (self.messages_per_payload() + sealed) * self.message_bytes
    }

    /// How many peers can claim an address of their own.
    pub fn claims_max(&self) -> usize {
        self.sources.len().max(1) * usize::from(SWARM_CLAIM_PORTS)
    }

    /// The name of peer `number`.
    pub(super) fn name(&self, number: usize) -> String {
        format!("p{}", self.first_peer + number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_peer_claims_an_address_of_its_own_and_none_the_targets_port() {
        let last = SWARM_CLAIM_FIRST_PORT + SWARM_CLAIM_PORTS;
        for port in [1, SWARM_CLAIM_FIRST_PORT, 20_003, last - 1, last, u16::MAX] {
            let sources = [[127, 1, 0, 1], [127, 1, 0, 2]].map(IpAddr::from);
            let plan = Plan {
                target: SocketAddr::from(([127, 0, 0, 1], port)),
                scenario: Scenario::Churn,
                carrier: Carrier::Session,
                peers: 0,
                first_peer: 7,
                sources: sources.to_vec(),
                batch: 1,
                message_bytes: 64,
                in_flight: 1,
                dials_per_second: None,
                timeout: Duration::ZERO,
                is_echoed: false,
                seed: 0,
            };
            let claim = |number| plan.claim(number, plan.source(number).unwrap());
            let claims: BTreeSet<_> = (0..plan.claims_max()).map(claim).collect();
            assert_eq!(claims.len(), plan.claims_max(), "{port}");
            assert!(claims.iter().all(|claim| claim.port() != port), "{port}");
        }
    }
}
