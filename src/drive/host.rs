//! What the numbers depend on, and which limit would stop a run before it has begun.

use super::target::Target;
use chinwag::limits::{DESCRIPTORS_RESERVED, KERNEL_BYTES_PER_PAIR, SWARM_PROCESSES_MAX};
use chinwag::net::socket::descriptor_limit;
use chinwag::swarm::plan::{Plan, Scenario};
use chinwag::swarm::report::Host;
use rustix::system::uname;
use std::fs;
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
        port_range: port_range(),
        sources: plan.sources.len().max(1),
    }
}

/// The limits that would stop the run, each as a sentence with the way out.
pub(super) fn obstacles(whole: &Plan, processes: usize, host: &Host) -> Vec<String> {
    let all = [
        own_descriptors(whole, processes, host),
        target_descriptors(whole, host),
        ports(whole, host),
        claims(whole, host),
        memory(whole, memory_available()),
    ];
    all.into_iter().flatten().collect()
}

/// Connections that are there at the same time, of so many peers.
fn at_once(whole: &Plan, peers: usize) -> usize {
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
            "use fewer peers, or raise the limit with ulimit -n; not even --processes {SWARM_PROCESSES_MAX} are enough"
        )
    };
    (needed > limit).then(|| {
        format!("{needed} open files are needed in each process, and the limit is {limit}: {way_out}")
    })
}

fn target_descriptors(whole: &Plan, host: &Host) -> Option<String> {
    let needed = (at_once(whole, whole.peers) + DESCRIPTORS_RESERVED) as u64;
    let limit = host.target_descriptors_max.filter(|&limit| needed > limit)?;
    Some(format!(
        "the target may have {limit} open files, and {needed} are needed: start it under a higher ulimit -n, or \
         use fewer peers"
    ))
}

fn ports(whole: &Plan, host: &Host) -> Option<String> {
    let (first, last) = host.port_range?;
    let ports = (usize::from(last) + 1).saturating_sub(first.into()) * host.sources;
    let needed = at_once(whole, whole.peers);
    (needed > ports).then(|| {
        format!(
            "{} have {ports} ports for {needed} connections: give more of them with --source, or widen \
             net.ipv4.ip_local_port_range",
            source_addresses(host)
        )
    })
}

fn claims(whole: &Plan, host: &Host) -> Option<String> {
    let has_too_many = whole.scenario != Scenario::Churn && whole.peers > whole.claims_max();
    has_too_many.then(|| {
        format!(
            "{} peers cannot each claim an address of their own from {}: give more of them with --source",
            whole.peers,
            source_addresses(host)
        )
    })
}

/// What the kernel needs for connections with both ends here, and we for the batches that peers repeat.
fn memory(whole: &Plan, available: Option<u64>) -> Option<String> {
    let connections = at_once(whole, whole.peers) as u64;
    let kernel =
        if whole.target.ip().is_loopback() { KERNEL_BYTES_PER_PAIR } else { KERNEL_BYTES_PER_PAIR / 2 };
    let each = kernel + (whole.batch * whole.message_bytes) as u64;
    let needed = connections.saturating_mul(each);
    let available = available.filter(|&available| needed > available)?;
    Some(format!(
        "some {} MiB of memory are needed for {connections} connections and what they write at once, and {} MiB \
         are free: use fewer peers, a smaller --batch or a smaller --length",
        needed >> 20,
        available >> 20
    ))
}

fn source_addresses(host: &Host) -> String {
    match host.sources {
        1 => "one source address".to_owned(),
        sources => format!("{sources} source addresses"),
    }
}

fn port_range() -> Option<(u16, u16)> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = range.split_whitespace();
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn memory_available() -> Option<u64> {
    let kib = file_field("/proc/meminfo", "MemAvailable")?;
    Some(kib.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

fn first_number(file: &str) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// What stands behind `name` and a colon.
fn file_field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag::swarm::plan::Carrier;
    use std::time::Duration;

    fn plan(sources: usize) -> Plan {
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
            (1, 101, &["open files are needed in each process"][..]),
            (2, 200, &[]),
            (3, 201, &["the target may have 232"]),
            (10, 301, &["the target may have", "300 ports"]),
        ];
        for (processes, peers, wanted) in table {
            let told = obstacles(&Plan { peers, ..plan(1) }, processes, &host);
            assert_eq!(told.len(), wanted.len(), "{peers}: {told:?}");
            assert!(told.iter().zip(wanted).all(|(told, wanted)| told.contains(wanted)), "{told:?}");
        }
        let churn = Plan { scenario: Scenario::Churn, peers: 1_000_000, ..plan(1) };
        assert_eq!(obstacles(&churn, 1, &host), Vec::<String>::new());
    }

    #[test]
    fn the_way_out_that_is_named_is_one() {
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
        let told = claims(&Plan { peers: most + 1, ..plan(2) }, &host).unwrap();
        assert!(told.contains("from 2 source addresses"), "{told}");
        let whole = Plan { peers: 100, batch: 10, message_bytes: 100, ..plan(2) };
        let needed = 100 * (KERNEL_BYTES_PER_PAIR + 1_000);
        assert_eq!(memory(&whole, Some(needed)), None);
        assert!(memory(&whole, Some(needed - 1)).is_some());
        assert_eq!(memory(&whole, None), None);
    }
}
