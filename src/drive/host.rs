//! What the numbers depend on, and which limit would stop a run before it has begun.

use super::target::Target;
use chinwag::limits::DESCRIPTORS_RESERVED;
use chinwag::swarm::plan::{Plan, Scenario};
use chinwag::swarm::report::Host;
use rustix::process::{Resource, getrlimit};
use rustix::system::uname;
use std::fs;
use std::num::NonZero;
use std::thread;

/// Kernel memory that one connection costs with both its ends on this host, in bytes, as measured on Linux.
const KERNEL_BYTES_PER_PAIR: u64 = 9 * 1024;

/// The facts about this host.
pub(super) fn facts(plan: &Plan, target: Option<&Target>) -> Host {
    let system = uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    Host {
        kernel: format!("{} {}", text(system.sysname()), text(system.release())),
        cpu: file_field("/proc/cpuinfo", "model name"),
        cpus: thread::available_parallelism().map_or(1, NonZero::get),
        descriptors_max: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
        target_descriptors_max: target.and_then(Target::descriptors_max),
        somaxconn: first_number("/proc/sys/net/core/somaxconn"),
        port_range: port_range(),
        sources: plan.sources.len().max(1),
    }
}

/// The limits that would stop the run, each as a sentence with the way out.
pub(super) fn obstacles(plan: &Plan, processes: usize, peers: usize, host: &Host) -> Vec<String> {
    let is_churn = plan.scenario == Scenario::Churn;
    // In a churn only those under way are there at once.
    let at_once = |peers: usize| if is_churn { peers.min(plan.in_flight) } else { peers };
    let reserved = DESCRIPTORS_RESERVED as u64;
    let mut obstacles = Vec::new();
    let needed = at_once(peers.div_ceil(processes)) as u64 + reserved;
    if needed > host.descriptors_max {
        let each = host.descriptors_max.saturating_sub(reserved).max(1);
        let enough = (peers as u64).div_ceil(each);
        obstacles.push(format!(
            "{needed} open files are needed in each process, and the limit is {}: use --processes {enough}, \
             or raise the limit with ulimit -n",
            host.descriptors_max
        ));
    }
    let needed = at_once(peers) as u64 * processes.min(1) as u64 + reserved;
    if let Some(limit) = host.target_descriptors_max.filter(|&limit| needed > limit) {
        obstacles.push(format!(
            "the target may have {limit} open files, and {needed} are needed: start it under a higher ulimit -n, \
             or use fewer --peers"
        ));
    }
    if let Some((first, last)) = host.port_range {
        let ports = (usize::from(last) + 1).saturating_sub(first.into()) * host.sources;
        if at_once(peers) > ports {
            obstacles.push(format!(
                "{} source addresses have {ports} ports for {peers} peers: give more of them with --source, or \
                 widen net.ipv4.ip_local_port_range",
                host.sources
            ));
        }
    }
    if !is_churn && peers > plan.claims_max() {
        obstacles.push(format!(
            "{peers} peers cannot each claim an address of their own from {} source addresses: give more of them \
             with --source",
            host.sources
        ));
    }
    let memory = at_once(peers) as u64 * KERNEL_BYTES_PER_PAIR;
    if let Some(available) =
        memory_available().filter(|&available| plan.target.ip().is_loopback() && memory > available)
    {
        obstacles.push(format!(
            "the kernel needs some {} MiB for {peers} connections on this host, and {} MiB are free",
            memory >> 20,
            available >> 20
        ));
    }
    obstacles
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
            let told = obstacles(&plan(1), processes, peers, &host);
            assert_eq!(told.len(), wanted.len(), "{peers}: {told:?}");
            assert!(told.iter().zip(wanted).all(|(told, wanted)| told.contains(wanted)), "{told:?}");
        }
        let churn = Plan { scenario: Scenario::Churn, ..plan(1) };
        assert_eq!(obstacles(&churn, 1, 1_000_000, &host), Vec::<String>::new());
    }

    #[test]
    fn the_way_out_that_is_named_is_one() {
        let host = Host { descriptors_max: 132, sources: 64, ..Host::default() };
        let told = obstacles(&plan(64), 1, 1000, &host);
        assert!(told[0].contains("--processes 10"), "{told:?}");
        assert_eq!(obstacles(&plan(64), 10, 1000, &host), Vec::<String>::new());
    }
}
