//! The ports that a run dials from: how many there are, and how many the run needs before a used one is free again.

use super::host::{at_once, first_number, source_addresses};
use chinwag::limits::{TIME_WAIT, TIME_WAIT_REUSE};
use chinwag::swarm::plan::{Plan, Scenario};
use chinwag::swarm::report::Host;
use chinwag::swarm::units::agree;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A sentence with the way out, if the run would run out of ports.
pub(super) fn obstacle(whole: &Plan, host: &Host) -> Option<String> {
    let hold = hold(whole.target.ip());
    too_few(whole, host, hold, held(whole.target, hold))
}

/// `hold`: how long the port of a closed connection cannot be used for another connection to the target. `held`:
/// how many ports earlier connections to the target hold in this way, or still use.
fn too_few(whole: &Plan, host: &Host, hold: Duration, held: usize) -> Option<String> {
    let (first, last) = host.port_range?;
    let each = (usize::from(last) + 1).saturating_sub(first.into()).saturating_sub(host.ports_reserved);
    let ports = (each * host.sources).saturating_sub(held);
    let needed = at_once(whole, whole.peers);
    let besides = match held {
        0 => String::new(),
        held => format!(" ({held} more {} held by earlier connections)", agree(held as u64, "is", "are")),
    };
    let has = format!("{} {ports} {}{besides}", source_addresses(host), agree(ports as u64, "port", "ports"));
    if needed > ports {
        return Some(format!(
            "{has}, and {needed} {}: add addresses with --source, or widen net.ipv4.ip_local_port_range",
            agree(needed as u64, "connection needs one", "connections need one each")
        ));
    }
    let needed = (needed + used_up(whole, hold)).min(whole.peers);
    // The rate that leaves ports for the connections that are open at the same time.
    let rate = (ports - at_once(whole, whole.peers)) as f64 / hold.as_secs_f64();
    (needed > ports).then(|| {
        format!(
            "{has}; each is held for {} s after its connection, and the run needs {needed} {} in that time: use --rate \
             {} or less, use fewer --messages, or add addresses with --source",
            hold.as_secs(),
            agree(needed as u64, "port", "ports"),
            rate.floor().max(1.0)
        )
    })
}

/// How many ports closed connections may hold at the same time. Without a rate, that may be the ports of all
/// connections. If a port is held for a moment only, nobody can know it, and it counts as zero.
fn used_up(whole: &Plan, hold: Duration) -> usize {
    match whole.dials_per_second {
        _ if whole.scenario != Scenario::Churn => 0,
        Some(rate) => (rate * hold.as_secs_f64()).ceil() as usize,
        None if hold < TIME_WAIT => 0,
        None => whole.peers,
    }
}

/// How long a port is held after its connection. Linux gives it to the next one after a second where that is safe, by
/// default on loopback only.
fn hold(target: IpAddr) -> Duration {
    match first_number("/proc/sys/net/ipv4/tcp_tw_reuse") {
        Some(1) => TIME_WAIT_REUSE,
        Some(2) if target.is_loopback() => TIME_WAIT_REUSE,
        _ => TIME_WAIT,
    }
}

/// How many ports connections to the target use now, or used before and still hold.
fn held(target: SocketAddr, hold: Duration) -> usize {
    let file = if target.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    File::open(file).map_or(0, |table| count_held(BufReader::new(table), target, hold))
}

/// `table` has a row for each socket: its third column is the remote address, and its fourth column is the state.
fn count_held(table: impl BufRead, target: SocketAddr, hold: Duration) -> usize {
    const STATE_OVER: &str = "06";
    let remote = as_in_table(target);
    let is_held = |row: &String| {
        let mut columns = row.split_ascii_whitespace().skip(2);
        let is_to_target = columns.next() == Some(&remote);
        is_to_target && (hold >= TIME_WAIT || columns.next() != Some(STATE_OVER))
    };
    table.lines().map_while(Result::ok).filter(is_held).count()
}

/// An address as the kernel's table has it: words of four bytes, each as a number of this machine.
fn as_in_table(address: SocketAddr) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = octets.chunks_exact(4).map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
    let words: String = words.map(|word| format!("{word:08X}")).collect();
    format!("{words}:{:04X}", address.port())
}

/// The ports that the system chooses from.
pub(super) fn range() -> Option<(u16, u16)> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = range.split_whitespace();
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// How many ports of that range the system never chooses, because they are reserved.
pub(super) fn reserved() -> usize {
    let list = fs::read_to_string("/proc/sys/net/ipv4/ip_local_reserved_ports").unwrap_or_default();
    range().map_or(0, |range| count_reserved(&list, range))
}

/// `list`: ports and ranges, such as `8080,9000-9010`.
fn count_reserved(list: &str, (first, last): (u16, u16)) -> usize {
    let count = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (u16, u16) = (from.parse().ok()?, to.parse().ok()?);
        Some((usize::from(to.min(last)) + 1).saturating_sub(from.max(first).into()))
    };
    list.trim().split(',').filter_map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::super::host::tests::plan;
    use super::*;

    #[test]
    fn ports_of_earlier_connections_to_the_target_are_counted() {
        let target = |text: &str| -> SocketAddr { text.parse().unwrap() };
        let [ours, other] = ["10.0.0.1:8080", "10.0.0.1:8081"].map(target);
        let row = |remote, state| format!("   1: 0100007F:C350 {} {state} 00000000\n", as_in_table(remote));
        let table = "  sl  local_address rem_address   st\n".to_owned()
            + &row(ours, "01")
            + &row(ours, "06")
            + &row(other, "06")
            + &row(ours, "06");
        assert_eq!(count_held(table.as_bytes(), ours, TIME_WAIT), 3);
        assert_eq!(count_held(table.as_bytes(), ours, TIME_WAIT_REUSE), 1);
        if cfg!(target_endian = "little") {
            assert_eq!(as_in_table(ours), "0100000A:1F90");
            assert_eq!(as_in_table(target("[::1]:80")), "00000000000000000000000001000000:0050");
        }
    }

    #[test]
    fn the_ports_that_a_run_needs_in_a_minute_are_computed_before_it() {
        let host = Host { port_range: Some((1, 1000)), ports_reserved: 100, sources: 2, ..Host::default() };
        let churn = Plan { scenario: Scenario::Churn, peers: 100_000, in_flight: 60, ..plan(2) };
        let (minute, second) = (TIME_WAIT, TIME_WAIT_REUSE);
        let table = [
            (None, 1800, minute, None),
            (None, 1801, minute, Some("the run needs 1801 ports in that time")),
            (None, 100_000, second, None),
            (Some(29.0), 100_000, minute, None),
            (Some(30.0), 100_000, minute, Some("--rate 29 or less")),
            (Some(1740.0), 100_000, second, None),
            (Some(1741.0), 100_000, second, Some("2 source addresses together have 1800 ports;")),
        ];
        for (dials_per_second, peers, hold, wanted) in table {
            let told = too_few(&Plan { dials_per_second, peers, ..churn.clone() }, &host, hold, 0);
            assert_eq!(told.is_some(), wanted.is_some(), "{told:?}");
            assert!(wanted.is_none_or(|wanted| told.as_ref().unwrap().contains(wanted)), "{told:?}");
        }
        let hold = Plan { peers: 1800, ..plan(2) };
        assert_eq!(too_few(&hold, &host, minute, 0), None, "they are there at once");
        let told = too_few(&hold, &host, minute, 1).unwrap();
        assert!(
            told.contains("have 1799 ports (1 more is held by earlier connections), and 1800 "),
            "{told}"
        );
    }

    #[test]
    fn the_words_agree_with_the_numbers() {
        let table = [
            (0, 1, 1, "1 source address has 0 ports, and 1 connection needs one:"),
            (1, 1, 2, "1 source address has 1 port, and 2 connections need one each"),
            (2, 1, 3, "1 source address has 2 ports, and 3 connections need one each"),
            (1, 2, 3, "2 source addresses together have 2 ports, and 3 connections need one each"),
        ];
        for (each, sources, peers, wanted) in table {
            let host = Host { port_range: Some((1, each)), sources, ..Host::default() };
            let host =
                if each == 0 { Host { port_range: Some((1, 1)), ports_reserved: 1, ..host } } else { host };
            let told = too_few(&Plan { peers, ..plan(sources) }, &host, TIME_WAIT, 0).unwrap();
            assert!(told.starts_with(wanted), "{told}");
        }
        let host = Host { port_range: Some((1, 2)), sources: 1, ..Host::default() };
        let churn = Plan { scenario: Scenario::Churn, in_flight: 1, ..plan(1) };
        let told = too_few(&Plan { peers: 3, ..churn }, &host, TIME_WAIT, 1).unwrap();
        assert!(told.contains("has 1 port (1 more is held") && told.contains("needs 3 ports"), "{told}");
    }

    #[test]
    fn reserved_ports_are_counted_within_the_range() {
        for (list, count) in [("", 0), ("\n", 0), ("8080,32768-32770,60999-61010\n", 4), ("1-65535", 28_232)]
        {
            assert_eq!(count_reserved(list, (32_768, 60_999)), count, "{list}");
        }
    }
}
