//! Peers that find each other on a real link: ours, two foreign implementations, and somebody hostile.

use crate::common::program::Program;
use crate::common::skip;
use crate::hosts::{Host, Network, python, tool};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

/// So many lists are asked for until one is as it must be; each takes a second.
const LISTS_MAX: usize = 20;

/// A network, unless the system allows none.
fn network(hosts: u8) -> Option<Network> {
    Network::of(hosts).map_err(|why| skip(&format!("a network in namespaces: {why}"))).ok()
}

fn spawn(command: &mut Command) -> Program {
    Program::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// A chat of a program.
struct Chat(Program);

impl Chat {
    /// One that listens on port 8080.
    fn start(host: &Host, name: &str, words: &[&str]) -> Self {
        Self::start_at(host, name, "8080", words)
    }

    fn start_at(host: &Host, name: &str, port: &str, words: &[&str]) -> Self {
        let mut command = host.command(env!("CARGO_BIN_EXE_chinwag"));
        command.args(["--json", "--name", name, "--port", port, "--static-peer", "127.0.0.1:1"]).args(words);
        let chat = Self(spawn(&mut command));
        chat.expect("listening");
        chat
    }

    fn announcing(host: &Host, name: &str) -> Self {
        Self::start(host, name, &["--announce"])
    }

    fn type_command(&mut self, command: Value) {
        self.0.type_line(command);
    }

    /// The next event of this kind.
    #[track_caller]
    fn expect(&self, kind: &str) -> Value {
        loop {
            let event = self.next_event();
            if event["event"] == kind {
                return event;
            }
        }
    }

    #[track_caller]
    fn next_event(&self) -> Value {
        let line = self.0.stdout.expect("\n");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"))
    }

    /// The rows of one list.
    #[track_caller]
    fn list(&mut self) -> Vec<Value> {
        self.type_command(json!({"command": "nearby"}));
        self.expect("nearby")["peers"].as_array().expect("rows").clone()
    }

    /// Asks until the list is as wanted.
    #[track_caller]
    fn list_until(&mut self, what: &str, is_so: impl Fn(&BTreeSet<String>) -> bool) -> Vec<Value> {
        let mut rows = Vec::new();
        for _ in 0..LISTS_MAX {
            rows = self.list();
            if is_so(&shown(&rows)) {
                return rows;
            }
        }
        panic!("{what}, but: {rows:?}")
    }

    /// Asks until exactly these are found: `address name`.
    #[track_caller]
    fn finds(&mut self, whom: &[&str]) -> Vec<Value> {
        let whom: BTreeSet<String> = whom.iter().map(|&who| who.to_owned()).collect();
        self.list_until(&format!("{whom:?} are there"), |found| *found == whom)
    }

    /// Sends to the peer of a row, whose chat must get it.
    #[track_caller]
    fn writes_to(&mut self, rows: &[Value], name: &str, other: &Self) {
        let row = rows.iter().find(|row| row["name"] == name).expect("a row");
        let text = format!("hello {name}");
        self.type_command(json!({"command": "send", "to": row["number"].to_string(), "text": text}));
        assert_eq!(other.expect("message")["text"], text);
    }

    /// The table: who was heard, and who was written to.
    #[track_caller]
    fn table(&mut self) -> [usize; 2] {
        self.type_command(json!({"command": "peers"}));
        let peers = self.expect("peers");
        ["active", "contacted"].map(|part| peers[part].as_array().expect("rows").len())
    }

    #[track_caller]
    fn quit(mut self) {
        self.0.signal(Signal::TERM);
        self.0.wait();
    }
}

fn shown(rows: &[Value]) -> BTreeSet<String> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    rows.iter().map(|row| format!("{} {}", text(row, "address"), text(row, "name"))).collect()
}

#[test]
fn who_announces_is_found_and_written_to_and_gone_when_it_quits() {
    let Some(network) = network(3) else { return };
    let mut anna = Chat::announcing(network.host(1), "Anna.M-Äx");
    let bob = Chat::announcing(network.host(2), "bob");
    let mut carol = Chat::start(network.host(3), "carol", &[]);
    let rows = carol.finds(&["10.77.0.1:8080 Anna.M-Äx", "10.77.0.2:8080 bob"]);
    assert_eq!([anna.table(), carol.table()], [[0, 0]; 2], "nobody is entered because of what was found");
    carol.writes_to(&rows, "Anna.M-Äx", &anna);
    anna.finds(&["10.77.0.2:8080 bob"]);
    bob.quit();
    carol.finds(&["10.77.0.1:8080 Anna.M-Äx"]);
    anna.finds(&[]);
}

#[test]
fn the_subcommand_finds_who_announces_and_ends_with_a_code() {
    let Some(network) = network(2) else { return };
    let look = || {
        let mut command = network.host(2).command(env!("CARGO_BIN_EXE_chinwag"));
        let mut program = spawn(command.args(["nearby", "--timeout", "3"]));
        (program.wait(), program.stdout.rest())
    };
    assert_eq!(look(), (1, String::new()));
    let _anna = Chat::announcing(network.host(1), "anna");
    assert_eq!(look(), (0, "10.77.0.1:8080 anna\n".to_owned()));
}

#[test]
fn two_of_one_name_get_different_labels_and_keep_their_name() {
    let Some(network) = network(3) else { return };
    let mut chats = [1, 2].map(|n| Chat::announcing(network.host(n), "anna"));
    let mut carol = Chat::start(network.host(3), "carol", &[]);
    let rows = carol.list_until("both are there", |found| found.len() == 2);
    let names: BTreeSet<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, BTreeSet::from(["anna", "anna (2)"]));
    for chat in &mut chats {
        chat.type_command(json!({"command": "send", "to": "10.77.0.3:8080", "text": "hi"}));
        assert_eq!(carol.expect("message")["name"], "anna");
    }
}

#[test]
fn two_programs_of_one_host_find_each_other() {
    let Some(network) = network(2) else { return };
    let here = network.host(1);
    let mut anna = Chat::announcing(here, "anna");
    let mut bob = Chat::start_at(here, "bob", "8081", &["--announce"]);
    let mut carol = Chat::start(network.host(2), "carol", &[]);
    carol.finds(&["10.77.0.1:8080 anna", "10.77.0.1:8081 bob"]);
    bob.finds(&["10.77.0.1:8080 anna"]);
    let rows = anna.finds(&["10.77.0.1:8081 bob"]);
    anna.writes_to(&rows, "bob", &bob);
}

#[test]
fn a_host_with_nothing_but_a_link_local_address_finds_is_found_and_is_written_to() {
    let Some(network) = network(2) else { return };
    for n in [1, 2] {
        network.host(n).run("ip addr flush dev eth0 scope global");
    }
    let mut anna = Chat::announcing(network.host(1), "anna");
    let mut bob = Chat::announcing(network.host(2), "bob");
    for (here, name) in [(&mut anna, "bob"), (&mut bob, "anna")] {
        let rows = here.list_until("the other is there", |found| found.len() == 1);
        let address = rows[0]["address"].as_str().expect("an address");
        assert!(address.starts_with("[fe80::") && address.contains('%'), "{address}");
        assert_eq!(rows[0]["name"], name);
    }
    let rows = anna.list();
    anna.writes_to(&rows, "bob", &bob);
}

#[test]
fn a_host_without_ipv6_finds_and_is_found() {
    let Some(network) = network(2) else { return };
    network.host(1).run("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6");
    let mut anna = Chat::announcing(network.host(1), "anna");
    let mut bob = Chat::announcing(network.host(2), "bob");
    anna.finds(&["10.77.0.2:8080 bob"]);
    let rows = bob.finds(&["10.77.0.1:8080 anna"]);
    bob.writes_to(&rows, "anna", &anna);
}

#[test]
fn interfaces_and_addresses_that_come_and_go_are_followed() {
    let Some(network) = network(2) else { return };
    let (here, there) = (network.host(1), network.host(2));
    here.run("ip link set eth0 down");
    let mut anna = Chat::announcing(here, "anna");
    let mut bob = Chat::announcing(there, "bob");
    bob.finds(&[]);
    here.run("ip link set eth0 up");
    bob.finds(&["10.77.0.1:8080 anna"]);
    anna.finds(&["10.77.0.2:8080 bob"]);
    here.run("ip addr del 10.77.0.1/24 dev eth0 && ip addr add 10.77.0.9/24 dev eth0");
    bob.finds(&["10.77.0.9:8080 anna"]);
    there.run("ip link set eth0 down");
    bob.finds(&[]);
    there.run("ip link set eth0 up");
    bob.finds(&["10.77.0.9:8080 anna"]);
}

/// Chats on after `why` was said, and says it no second time.
fn chats_on(host: &Host, anna: &Chat, reason: &str) {
    assert_eq!(anna.expect("no-multicast")["reason"], reason);
    let mut bob = Chat::start_at(host, "bob", "8081", &[]);
    bob.type_command(json!({"command": "connect", "to": "127.0.0.1:8080"}));
    bob.expect("accepted");
    bob.type_command(json!({"command": "send", "to": "anna", "text": "hi"}));
    while let event = anna.next_event()
        && event["event"] != "message"
    {
        assert_ne!(event["event"], "no-multicast", "said once");
    }
}

#[test]
fn on_no_network_that_is_said_once_and_the_chat_goes_on() {
    let Some(network) = network(1) else { return };
    network.host(1).run("ip link del eth0");
    chats_on(network.host(1), &Chat::announcing(network.host(1), "anna"), "no-network");
    let mut bob = Chat::start_at(network.host(1), "bob", "8082", &[]);
    bob.type_command(json!({"command": "nearby"}));
    assert_eq!(bob.expect("no-multicast")["reason"], "no-network");
}

#[test]
fn where_another_program_has_the_port_that_is_said_once_and_the_chat_goes_on() {
    let Some(network) = network(1) else { return };
    let here = network.host(1);
    let script = "import socket, sys\n\
                  kept = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n\
                  kept.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)\n\
                  kept.bind(('::', 5353))\n\
                  print('ready', flush=True)\n\
                  sys.stdin.read()";
    let holder = spawn(here.command("python3").args(["-c", script]));
    holder.stdout.expect("ready\n");
    chats_on(here, &Chat::announcing(here, "anna"), "fault");
    let mut carol = Chat::start_at(here, "carol", "8082", &[]);
    carol.type_command(json!({"command": "nearby"}));
    assert_eq!(carol.expect("no-multicast")["reason"], "fault");
    drop(holder);
    carol.finds(&[]);
}

/// The other side that Python's zeroconf plays, if it is here.
fn zeroconf(host: &Host, words: &[&str]) -> Option<Program> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reach/foreign.py");
    let program = spawn(python(host, "zeroconf")?.arg(script).args(words));
    program.stdout.expect("ready\n");
    Some(program)
}

#[test]
fn zeroconf_of_python_finds_us_and_is_found() {
    let Some(network) = network(2) else { return };
    let (here, there) = (network.host(1), network.host(2));
    let Some(browser) = zeroconf(there, &["browse", "v4"]) else {
        return skip("Python's zeroconf is not here");
    };
    let browser_v6 = zeroconf(there, &["browse", "v6"]).expect("it was here");
    let mut anna = Chat::announcing(here, "Anna.M-Äx");
    for browser in [&browser, &browser_v6] {
        let line = browser.stdout.expect("\n");
        let came: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        assert_eq!((&came["came"], &came["port"]), (&json!("Anna.M-Äx"), &json!(8080)));
        let addresses = came["addresses"].as_array().expect("addresses");
        let is_expected =
            |ip: &Value| ip == "10.77.0.1" || ip == "fd77::1" || ip.to_string().contains("fe80::");
        assert!(addresses.iter().all(is_expected) && !addresses.is_empty(), "{addresses:?}");
    }
    let _announcers = [("v4", "Zoë 4", "9004", "10.77.0.2"), ("v6", "Zoë 6", "9006", "fd77::2")]
        .map(|(family, name, port, ip)| zeroconf(there, &["announce", family, name, port, ip]));
    anna.finds(&["10.77.0.2:9004 Zoë 4", "[fd77::2]:9006 Zoë 6"]);
    anna.quit();
    for browser in [&browser, &browser_v6] {
        browser.stdout.expect(r#"{"left": "Anna.M-\u00c4x"}"#);
    }
}

/// A daemon of Avahi on a host, with a bus and a /run of its own.
struct Avahi<'a> {
    host: &'a Host,
    place: &'a Path,
    _programs: [Program; 2],
}

const BUS: &str = r#"<busconfig><type>system</type><auth>EXTERNAL</auth><listen>unix:path=PLACE/bus</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow receive_sender="*"/></policy></busconfig>"#;

const DAEMON: &str = "[server]\nhost-name=foreign\nuse-ipv4=yes\nuse-ipv6=yes\nallow-interfaces=eth0\n\
                      [publish]\npublish-workstation=no\n";

impl<'a> Avahi<'a> {
    fn start(host: &'a Host, place: &'a Path) -> Option<Self> {
        let [bus, daemon] = [tool("dbus-daemon")?, tool("avahi-daemon")?];
        std::fs::write(place.join("passwd"), "root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/sh\n").ok()?;
        std::fs::write(place.join("group"), "root:x:0:\navahi:x:0:\nnetdev:x:0:\n").ok()?;
        std::fs::write(place.join("bus.conf"), BUS.replace("PLACE", &place.display().to_string())).ok()?;
        std::fs::write(place.join("daemon.conf"), DAEMON).ok()?;
        let at = place.display();
        let bus = format!("exec {bus} --config-file={at}/bus.conf --nofork --print-address=1");
        let bus = spawn(host.command("sh").args(["-c", &bus]));
        bus.stdout.expect("\n");
        let daemon = format!(
            "mount -t tmpfs none /run && mount --bind {at}/passwd /etc/passwd && mount --bind {at}/group /etc/group \
             && export DBUS_SYSTEM_BUS_ADDRESS=unix:path={at}/bus \
             && exec {daemon} -f {at}/daemon.conf --no-drop-root --no-chroot --no-rlimits 2>&1"
        );
        let daemon = spawn(host.command("unshare").args(["-m", "sh", "-c", &daemon]));
        daemon.stdout.expect("startup complete");
        Some(Self { host, place, _programs: [bus, daemon] })
    }

    /// Starts a tool of Avahi.
    fn run(&self, name: &str, words: &str) -> Option<Program> {
        let bus = format!("export DBUS_SYSTEM_BUS_ADDRESS=unix:path={}/bus", self.place.display());
        let script = format!("{bus}; exec {} {words} 2>&1", tool(name)?);
        Some(spawn(self.host.command("sh").args(["-c", &script])))
    }
}

/// Whether Avahi found anna on a family and resolved her, to any of her addresses.
fn is_resolved(line: &str, family: &str) -> bool {
    let fields: Vec<&str> = line.split(';').collect();
    let name = r"Anna\.M-\195\132x";
    let [head @ .., _, ip, port, text] = fields.as_slice() else { return false };
    let is_hers = ["10.77.0.1", "fd77::1"].contains(ip) || ip.starts_with("fe80::");
    head == ["=", "eth0", family, name, "_chinwag._tcp", "local"]
        && is_hers
        && (*port, *text) == ("8080", r#""v=1""#)
}

#[test]
fn avahi_finds_us_and_is_found() {
    let Some(network) = network(2) else { return };
    let place = tempfile::tempdir().expect("a directory");
    let Some(avahi) = Avahi::start(network.host(2), place.path()) else {
        return skip("avahi-daemon or dbus-daemon is not here");
    };
    let browser = avahi.run("avahi-browse", "-rp _chinwag._tcp").expect("avahi-utils");
    let mut anna = Chat::announcing(network.host(1), "Anna.M-Äx");
    for family in ["IPv4", "IPv6"] {
        browser
            .stdout
            .expect_that("it is resolved", |lines| lines.lines().any(|line| is_resolved(line, family)));
    }
    let _publisher =
        avahi.run("avahi-publish-service", "'Zoë B. Z' _chinwag._tcp 9004").expect("avahi-utils");
    let rows = anna.finds(&["10.77.0.2:9004 Zoë B. Z"]);
    assert_eq!(rows[0]["key"], Value::Null);
    anna.quit();
    browser.stdout.expect(r"-;eth0;IPv4;Anna\.M-\195\132x;_chinwag._tcp;local");
}

#[test]
fn hostile_datagrams_show_nothing_unclean_and_lead_to_nothing() {
    let Some(network) = network(4) else { return };
    network.host(2).run("ip addr add 10.99.0.2/24 dev eth0 && ip route add 224.0.0.0/4 dev eth0");
    let mut anna = Chat::announcing(network.host(1), "anna");
    let mut command = network.host(3).command(env!("CARGO_BIN_EXE_chinwag"));
    let words = ["--name", "bob", "--port", "8080", "--announce", "--static-peer", "127.0.0.1:1"];
    let mut bob = spawn(command.args(words)).listening();
    anna.finds(&["10.77.0.3:8080 bob"]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reach/hostile.py");
    let mut command = network.host(2).command("python3");
    let mallory = spawn(command.args([script, "10.77.0.2", "10.99.0.2", "anna", "7777"]));
    mallory.stdout.expect("ready\n");
    let _carol = Chat::announcing(network.host(4), "carol");
    let is_carol = |who: &String| who == "10.77.0.4:8080 carol";
    let rows = anna.list_until("somebody true is still found", |found| found.iter().any(is_carol));
    let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    for lie in ["far", "off", "low", "nowhere", "elsewhere", "within"] {
        assert!(!names.contains(&lie), "{lie} in {names:?}");
    }
    assert!(names.iter().any(|name| name.starts_with("esc")), "{names:?}");
    bob.type_line("/nearby");
    bob.stdout.expect("10.77.0.4:8080 carol\n");
    assert_eq!(anna.table(), [0, 0]);
    for output in [anna.0.stdout.bytes(), bob.stdout.bytes()] {
        let output = String::from_utf8(output).expect("UTF-8");
        let unclean = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{fffe}".contains(c));
        let line = output.lines().find(|line| line.contains(unclean));
        assert_eq!(line, None);
    }
    // It tells of the first dial, which is the one that is wanted.
    anna.type_command(json!({"command": "connect", "to": "10.77.0.2:7777"}));
    let dialled = mallory.stdout.expect("\n");
    assert!(dialled.starts_with("dialled by 10.77.0.1 b'10.77.0.1:8080 anna"), "{dialled}");
}
