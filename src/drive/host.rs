//! The facts of this host that the numbers depend on, and the limits that would stop a run.

use super::target::Target;
use super::{memory, ports};
use chinwag::limits::{
    DESCRIPTORS_RESERVED, KERNEL_BYTES_PER_PAIR, SWARM_BYTES, SWARM_BYTES_PER_PEER, SWARM_PROCESSES_MAX,
};
use chinwag::net::socket;
use chinwag::net::socket::descriptor_limit;
use chinwag::swarm::plan::{Plan, Scenario};
use chinwag::swarm::report::Host;
use chinwag::swarm::units::agree;
use rustix::system::uname;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZero;
use std::thread;

/// The facts about this host.
pub(super) fn facts(plan: &Plan, target: Option<&Target>) -> Host {
    let system = uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    Host {
        kernel: format!("{} {}", text(system.sysname()), text(system.release())),
        cpu: file_field("/proc/cpuinfo", "model name"),
        cpus: thread::available_parallelism().map_or(1, NonZero::get),
        descriptors_max: descriptor_limit().ok().and_then(|(current, _)| current).unwrap_or(u64::MAX),
        target_descriptors_max: target.and_then(Target::descriptors_max),
        somaxconn: first_number("/proc/sys/net/core/somaxconn"),
        port_range: ports::range(),
        ports_reserved: ports::reserved(),
        sources: plan.sources.len().max(1),
    }
}

/// A sentence for each limit that would stop the run, with the way out.
pub(super) fn obstacles(whole: &Plan, processes: usize, host: &Host) -> Vec<String> {
    let all = [
        own_descriptors(whole, processes, host),
        target_descriptors(whole, host),
        ports::obstacle(whole, host),
        claims(whole, host),
        memory(whole, memory::available()),
        own_memory(whole, processes, memory::room_to_grow()),
    ];
    all.into_iter().flatten().chain(sources(whole)).collect()
}

/// A sentence for each source address that cannot be dialled from.
fn sources(whole: &Plan) -> impl Iterator<Item = String> {
    let of_its_kind = whole.sources.iter().filter(|ip| ip.is_ipv4() == whole.target.is_ipv4());
    of_its_kind.filter_map(|&ip| {
        let error = socket::find_way(Some(ip), whole.target).err()?;
        Some(match error.kind() {
            ErrorKind::AddrNotAvailable => format!("--source {ip}: this host does not have that address"),
            _ => format!("--source {ip}: this address cannot reach {}: {error}", whole.target),
        })
    })
}

/// How many connections of so many peers are open at the same time.
pub(super) fn at_once(whole: &Plan, peers: usize) -> usize {
    if whole.scenario == Scenario::Churn { peers.min(whole.in_flight) } else { peers }
}

fn own_descriptors(whole: &Plan, processes: usize, host: &Host) -> Option<String> {
    let (limit, reserved) = (host.descriptors_max, DESCRIPTORS_RESERVED as u64);
    let connections = at_once(whole, whole.peers);
    let needed = connections.div_ceil(processes) as u64 + reserved;
    let enough = (connections as u64).div_ceil(limit.saturating_sub(reserved).max(1));
    let way_out = if enough <= SWARM_PROCESSES_MAX as u64 {
        format!("use --processes {enough}, or raise the limit with ulimit -n")
    } else {
        format!(
            "use fewer peers, or raise the limit with ulimit -n; even --processes {SWARM_PROCESSES_MAX} is not enough"
        )
    };
    (needed > limit)
        .then(|| format!("each process needs {needed} open files, and the limit is {limit}: {way_out}"))
}

fn target_descriptors(whole: &Plan, host: &Host) -> Option<String> {
    let needed = (at_once(whole, whole.peers) + DESCRIPTORS_RESERVED) as u64;
    let limit = host.target_descriptors_max.filter(|&limit| needed > limit)?;
    Some(format!(
        "the target needs {needed} open files, and its limit is {limit}: start it with a higher ulimit -n, or \
         use fewer peers"
    ))
}

fn claims(whole: &Plan, host: &Host) -> Option<String> {
    let peers = at_once(whole, whole.peers);
    (peers > whole.claims_max()).then(|| {
        format!(
            "{peers} peers cannot each claim an address of their own: {} room for {}; add addresses with --source",
            source_addresses(host),
            whole.claims_max()
        )
    })
}

/// The memory that the kernel needs: for connections with both ends on this host, and for one batch in flight on
/// each.
fn memory(whole: &Plan, available: Option<u64>) -> Option<String> {
    let connections = at_once(whole, whole.peers) as u64;
    let kernel =
        if whole.target.ip().is_loopback() { KERNEL_BYTES_PER_PAIR } else { KERNEL_BYTES_PER_PAIR / 2 };
    let each = kernel + (whole.batch * whole.message_bytes) as u64;
    let needed = connections.saturating_mul(each);
    let available = available.filter(|&available| needed > available)?;
    Some(format!(
        "about {} MiB of memory is needed for {connections} {} and for what they write at once, and {} MiB is free: \
         use fewer peers, a smaller --batch or a smaller --length",
        needed.div_ceil(1 << 20),
        agree(connections, "connection", "connections"),
        available >> 20
    ))
}

/// The memory that one process needs for its peers and for the messages that they repeat. Its limits do not count
/// the kernel's memory.
fn own_memory(whole: &Plan, processes: usize, room: Option<u64>) -> Option<String> {
    let connections = at_once(whole, whole.peers).div_ceil(processes) as u64;
    let each = SWARM_BYTES_PER_PEER + whole.payload_bytes() as u64;
    let needed = SWARM_BYTES + connections.saturating_mul(each);
    let room = room.filter(|&room| needed > room)?;
    Some(format!(
        "each process needs about {} MiB of memory, and its limit leaves {} MiB: use fewer peers, more \
         --processes, a smaller --batch or a smaller --length, or raise the limit with ulimit -v and -d",
        needed.div_ceil(1 << 20),
        room >> 20
    ))
}

/// The beginning of a sentence about what all source addresses have together.
pub(super) fn source_addresses(host: &Host) -> String {
    let verb = agree(host.sources as u64, "source address has", "source addresses together have");
    format!("{} {verb}", host.sources)
}

pub(super) fn first_number(file: &str) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The text after the colon in the first line that begins with `name`.
pub(super) fn file_field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use chinwag::swarm::plan::Carrier;
    use std::time::Duration;

    pub(in crate::drive) fn plan(sources: usize) -> Plan {
        Plan {
            target: "127.0.0.1:1".parse().unwrap(),
            scenario: Scenario::Hold { time: Duration::ZERO },
            carrier: Carrier::Session,
            peers: 0,
            first_peer: 0,
            sources: vec!["127.0.0.1".parse().unwrap(); sources],
            batch: 1,
            message_bytes: 64,
            in_flight: 64,
            dials_per_second: None,
            timeout: Duration::ZERO,
            is_echoed: false,
            seed: 0,
        }
    }

    #[test]
    fn a_limit_stops_a_run_above_it_and_not_at_it() {
        let host = Host {
            descriptors_max: 132,
            target_descriptors_max: Some(232),
            port_range: Some((1, 300)),
            sources: 1,
            ..Host::default()
        };
        let table = [
            (1, 100, &[][..]),
            (1, 101, &["each process needs"][..]),
            (2, 200, &[]),
            (3, 201, &["the target needs 233 open files, and its limit is 232"]),
            (10, 301, &["the target needs", "300 ports"]),
        ];
        for (processes, peers, wanted) in table {
            let told = obstacles(&Plan { peers, ..plan(1) }, processes, &host);
            assert_eq!(told.len(), wanted.len(), "{peers}: {told:?}");
            assert!(told.iter().zip(wanted).all(|(told, wanted)| told.contains(wanted)), "{told:?}");
        }
        let churn = Plan { scenario: Scenario::Churn, peers: 1_000_000, ..plan(1) };
        assert_eq!(own_descriptors(&churn, 1, &host), None);
    }

    #[test]
    fn the_words_agree_with_the_numbers() {
        for (peers, words) in [(1, "for 1 connection "), (2, "for 2 connections ")] {
            let told = memory(&Plan { peers, ..plan(1) }, Some(0)).unwrap();
            assert!(told.contains(words), "{told}");
        }
        for (sources, words) in [
            (1, "1 source address has room for 45000"),
            (2, "2 source addresses together have room for 90000"),
        ] {
            let whole = Plan { peers: 100_000, ..plan(sources) };
            let told = claims(&whole, &Host { sources, ..Host::default() }).unwrap();
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn the_way_out_that_is_named_works() {
        let host = Host { descriptors_max: 132, sources: 64, ..Host::default() };
        let whole = Plan { peers: 1000, ..plan(64) };
        let told = obstacles(&whole, 1, &host);
        assert!(told[0].contains("--processes 10,"), "{told:?}");
        assert_eq!(obstacles(&whole, 10, &host), Vec::<String>::new());
        let told = obstacles(&Plan { peers: 1_000_000, ..whole }, 1, &host);
        assert!(told[0].contains("use fewer peers"), "{told:?}");
    }

    #[test]
    fn peers_need_an_address_and_memory_each() {
        let most = plan(2).claims_max();
        let host = Host { descriptors_max: u64::MAX, sources: 2, ..Host::default() };
        assert_eq!(claims(&Plan { peers: most, ..plan(2) }, &host), None);
        assert!(claims(&Plan { peers: most + 1, ..plan(2) }, &host).is_some());
        let churn = Plan { scenario: Scenario::Churn, peers: most + 1, ..plan(2) };
        assert_eq!(claims(&churn, &host), None, "they are not there at once");
        assert!(claims(&Plan { in_flight: most + 1, ..churn }, &host).is_some());
        let whole = Plan { peers: 100, batch: 10, message_bytes: 100, ..plan(2) };
        let needed = 100 * (KERNEL_BYTES_PER_PAIR + 1_000);
        assert_eq!(memory(&whole, Some(needed)), None);
        assert!(memory(&whole, Some(needed - 1)).is_some());
        assert_eq!(memory(&whole, None), None);
        let needed = SWARM_BYTES + 50 * (SWARM_BYTES_PER_PEER + 1_000);
        assert_eq!(own_memory(&whole, 2, Some(needed)), None);
        assert!(own_memory(&whole, 2, Some(needed - 1)).is_some());
        assert_eq!(own_memory(&whole, 2, None), None);
        let encrypted = Plan { carrier: Carrier::Encrypted, ..whole };
        assert!(own_memory(&encrypted, 2, Some(needed)).is_some(), "what is sealed is a copy");
        assert_eq!(own_memory(&encrypted, 2, Some(needed + 50 * 1_000)), None);
    }
}
