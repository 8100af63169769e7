//! Hosts that have link-local addresses only, each in a network namespace of its own, with cables between them.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the test makes hosts and cables by commands"
)]

#[path = "common/mod.rs"]
mod common;
#[path = "common/namespace.rs"]
mod namespace;

use common::PATIENCE;
use common::program::{Program, command};
use namespace::in_namespace;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Every host may use the same one: it has its own network.
const PORT: &str = "8080";

/// A host is the namespace of one program, which waits for a line before it starts.
const HOST: &str = "ip link set lo up; echo ready; read go; exec \"$0\" \"$@\"";

/// A host whose program has yet to start.
struct Host(Program);

impl Host {
    fn new(name: &str) -> Self {
        let node = command(&["--name", name, "--port", PORT]);
        let mut unshare = Command::new("unshare");
        unshare.args(["-n", "sh", "-c", HOST]).arg(node.get_program()).args(node.get_args());
        for (variable, value) in node.get_envs() {
            match value {
                Some(value) => unshare.env(variable, value),
                None => unshare.env_remove(variable),
            };
        }
        unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let host = Program::spawn(&mut unshare);
        host.stdout.expect("ready\n");
        Self(host)
    }

    /// Lays a cable between this namespace, where it is the interface `here`, and the host, where it is `there`.
    fn wire(&self, (here, our_ip): (&str, &str), (there, its_ip): (&str, &str)) -> bool {
        let pid = self.0.pid().as_raw_nonzero().to_string();
        let inside = ["nsenter", "-t", &pid, "-n"];
        let is_laid = run(&["ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", &pid]);
        is_laid
            && configure(&[], here, our_ip)
            && configure(&inside, there, its_ip)
            && carries(&[], here)
            && carries(&inside, there)
    }

    fn start(mut self) -> Program {
        self.0.type_line("go");
        self.0.listening()
    }
}

/// Gives an interface this address and no other.
fn configure(inside: &[&str], interface: &str, ip: &str) -> bool {
    let ip = format!("{ip}/64");
    [
        &["ip", "link", "set", interface, "addrgenmode", "none"][..],
        &["ip", "addr", "add", &ip, "dev", interface, "nodad"],
        &["ip", "link", "set", interface, "up"],
    ]
    .iter()
    .all(|words| run(&[inside, words].concat()))
}

/// Waits until the system says that packets can pass.
fn carries(inside: &[&str], interface: &str) -> bool {
    let words = [inside, &["ip", "-o", "link", "show", interface]].concat();
    let give_up_at = Instant::now() + PATIENCE;
    while Instant::now() < give_up_at {
        let output = Command::new(words[0]).args(&words[1..]).output().expect("it ran before");
        if String::from_utf8_lossy(&output.stdout).contains("state UP") {
            return true;
        }
    }
    false
}

fn run(words: &[&str]) -> bool {
    Command::new(words[0]).args(&words[1..]).status().is_ok_and(|status| status.success())
}

fn no_cables() {
    common::skip("cables between namespaces cannot be laid here");
}

fn here(name: &str) -> Program {
    Program::start(&["--name", name, "--port", PORT]).listening()
}

#[test]
fn hosts_with_link_local_addresses_only_chat_both_ways() {
    in_namespace(&[], || {
        let host = Host::new("bob");
        if !host.wire(("left", "fe80::a"), ("right", "fe80::b")) {
            return no_cables();
        }
        let (mut bob, mut anna) = (host.start(), here("anna"));
        anna.send("[fe80::b%left]:8080", "with the name");
        anna.stdout.expect("Message sent to [fe80::b%left]:8080\n");
        bob.stdout.expect("New peer: anna ([fe80::a%right]:8080)\n");
        bob.stdout.expect_line("[fe80::a%right]:8080 anna with the name");
        bob.type_line("1\nanna\nback by name");
        anna.stdout.expect_line("[fe80::b%left]:8080 bob back by name");
        // There is only one cable: its name may be left out, and its number works too.
        anna.type_line("1\nfe80::b\n8080\nwithout a name");
        bob.stdout.expect_line("[fe80::a%right]:8080 anna without a name");
        bob.connect_until_accepted("[fe80::a]:8080");
        anna.stdout.expect("bob ([fe80::b%left]:8080) connected with you\n");
        anna.type_line("1\nbob\non the session");
        bob.type_line("1\nanna\nand back");
        bob.stdout.expect_line("[fe80::a%right]:8080 anna on the session");
        anna.stdout.expect_line("[fe80::b%left]:8080 bob and back");
        assert_eq!(anna.query().active, ["1. [fe80::b%left]:8080 bob (connected)"]);
        anna.type_line("1\nfe80::b%nowhere");
        anna.stdout.expect("This host has no such interface; type fe80::b%left.\n");
    });
}

#[test]
fn the_same_address_behind_two_interfaces_is_two_peers() {
    in_namespace(&[], || {
        let [first, second] = ["bob", "carl"].map(Host::new);
        if !first.wire(("one", "fe80::a"), ("far", "fe80::b"))
            || !second.wire(("two", "fe80::a"), ("far", "fe80::b"))
        {
            return no_cables();
        }
        let [mut bob, mut carl, mut anna] = [first.start(), second.start(), here("anna")];
        for (peer, name) in [(&mut bob, "bob"), (&mut carl, "carl")] {
            peer.send("[fe80::a%far]:8080", "hello");
            anna.stdout.expect(&format!(":8080 {name} hello\n"));
        }
        let rows =
            ["1. [fe80::b%two]:8080 carl (yet to connect)", "2. [fe80::b%one]:8080 bob (yet to connect)"];
        assert_eq!(anna.query().active, rows);
        anna.type_line("1\n[fe80::b]:8080");
        anna.stdout.expect("fe80::b may be behind several interfaces; type fe80::b%one or fe80::b%two.\n");
        anna.type_line("");
        for (to, peer) in [("one", &mut bob), ("two", &mut carl)] {
            anna.send(format_args!("[fe80::b%{to}]:8080"), to);
            peer.stdout.expect_line(&format!("[fe80::a%far]:8080 anna {to}"));
        }
        let listed = anna.query();
        assert_eq!((listed.active.len(), listed.contacted.len()), (2, 0), "{listed:?}");
    });
}

#[test]
fn send_takes_an_interface_by_its_name() {
    in_namespace(&[], || {
        let host = Host::new("bob");
        if !host.wire(("left", "fe80::a"), ("right", "fe80::b")) {
            return no_cables();
        }
        let bob = host.start();
        for (to, code, said) in [
            ("[fe80::b%left]:8080", 0, "Message sent to [fe80::b%left]:8080"),
            (
                "[fe80::b%other]:8080",
                3,
                "This host has no such interface; type fe80::b%left. Nothing was sent.",
            ),
            ("10.0.0.5%left:8080", 2, "type 10.0.0.5 alone"),
        ] {
            let mut sending = Program::spawn(&mut common::program::subcommand("send", &[to, "hi"]));
            sending.stderr.expect(said);
            assert_eq!(sending.wait(), code, "{to}");
        }
        bob.stdout.expect(" hi\n");
    });
}
