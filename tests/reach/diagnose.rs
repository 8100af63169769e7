//! `chinwag diagnose` from host 1 to host 2, or elsewhere, with one fault at a time.

use crate::common::program::Program;
use crate::common::skip;
use crate::hosts::{Host, Network, tool};
use rustix::process::Signal;
use serde_json::Value;
use std::process::{Command, Stdio};
use std::thread;

/// A fault, and what must be said of it.
struct Fault {
    name: &'static str,
    /// Makes it; what it returns lives as long as the diagnosis.
    make: fn(&Network) -> Option<Vec<Program>>,
    /// What is diagnosed, with more words of the command line.
    words: &'static str,
    /// The last stage of which something is known, and its outcome.
    stage: &'static str,
    outcome: &'static str,
    /// The exit code.
    code: i32,
    /// In the sentence.
    says: &'static str,
}

const fn fault(
    name: &'static str,
    make: fn(&Network) -> Option<Vec<Program>>,
    words: &'static str,
    (stage, outcome): (&'static str, &'static str),
    code: i32,
    says: &'static str,
) -> Fault {
    Fault { name, make, words, stage, outcome, code, says }
}

/// Where host 2 would listen.
const THERE: &str = "10.77.0.2:8080";

const FAULTS: [Fault; 34] = [
    fault("no fault", anna, THERE, ("way-back", "ok"), 0, "You and anna reach each other"),
    fault("no fault, IPv6", anna, "[fd77::2]:8080", ("way-back", "ok"), 0, "You and anna reach each other"),
    fault(
        "no fault, on the link",
        anna,
        "[fe80::77:2%eth0]:8080",
        ("way-back", "ok"),
        0,
        "You and anna reach each other",
    ),
    fault("nothing listens", nothing, THERE, ("dial", "refused"), 1, "no program listens on port 8080"),
    fault("nothing listens, IPv6", nothing, "[fd77::2]:8080", ("dial", "refused"), 1, "answers at fd77::2"),
    fault("nothing listens here", nothing, "127.0.0.1:8080", ("dial", "refused"), 1, "of this host"),
    fault("silent server", |n| serve(n, "silent"), THERE, ("greeting", "silent"), 1, "does nothing"),
    fault("stopped chinwag", stopped_anna, THERE, ("greeting", "silent"), 1, "hangs"),
    fault("TLS server", tls_server, THERE, ("greeting", "taken"), 3, "servers that are no chat"),
    fault("TLS alert", |n| serve(n, "tls"), THERE, ("greeting", "tls"), 1, "TLS"),
    fault("HTTP server", |n| serve(n, "http"), THERE, ("greeting", "http"), 1, "a web server"),
    fault("SSH server", |n| serve(n, "ssh"), THERE, ("greeting", "ssh"), 1, "SSH"),
    fault("mail server", |n| serve(n, "smtp"), THERE, ("greeting", "other"), 1, "no chat"),
    fault("resets at once", |n| serve(n, "reset"), THERE, ("greeting", "reset"), 1, "ends them"),
    fault("no route", nothing, "10.88.0.1:8080", ("route", "no-route"), 1, "no way to 10.88.0.1"),
    fault("host off", nothing, "10.77.0.99:8080", ("dial", "unreachable"), 1, "it is off"),
    fault(
        "filtered on the way there",
        |n| filtered(n.host(2), "tcp dport 8080 drop", anna(n)),
        "10.77.0.2:8080 --connect-timeout 1",
        ("dial", "timed-out"),
        1,
        "a firewall there, or your own, drops",
    ),
    fault(
        "answers are dropped",
        |n| routed(n.host(2), "blackhole 10.77.0.1/32", anna(n)),
        "10.77.0.2:8080 --connect-timeout 1",
        ("dial", "timed-out"),
        1,
        "Nothing answers",
    ),
    fault(
        "rejected with a reset",
        |n| filtered(n.host(2), "tcp dport 8080 reject with tcp reset", anna(n)),
        THERE,
        ("dial", "refused"),
        1,
        "or a firewall rejects you",
    ),
    fault(
        "rejected with ICMP",
        |n| filtered(n.host(2), "tcp dport 8080 reject with icmpx admin-prohibited", anna(n)),
        THERE,
        ("dial", "unreachable"),
        1,
        "firewall rejects you",
    ),
    fault(
        "a gateway that drops",
        |n| routed(n.host(1), "default via 10.77.0.3", nothing(n)),
        "10.88.0.1:8080 --connect-timeout 1",
        ("dial", "timed-out"),
        1,
        "the machine is off, in another network",
    ),
    fault(
        "a gateway without a route",
        dead_end,
        "10.88.0.1:8080",
        ("dial", "unreachable"),
        1,
        "The network says",
    ),
    fault(
        "our own firewall drops",
        own_firewall,
        "10.77.0.2:8080 --connect-timeout 1",
        ("dial", "timed-out"),
        1,
        "a firewall there, or your own",
    ),
    fault("our own system forbids", forbidden, THERE, ("dial", "fault"), 1, "its own firewall"),
    fault("ourselves", nothing, "10.77.0.1:8080 --port 8080", ("dial", "yourself"), 1, "is this program"),
    fault(
        "published, closes",
        |n| serve(n, "reader"),
        THERE,
        ("greeting", "taken"),
        3,
        "closes without a word",
    ),
    fault(
        "published, answers",
        |n| serve(n, "netech"),
        THERE,
        ("greeting", "published"),
        3,
        "cannot say whether",
    ),
    fault(
        "published, calls",
        |n| serve(n, "caller"),
        THERE,
        ("way-back", "called"),
        0,
        "You and caller reach each other",
    ),
    fault("an older chinwag", |n| serve(n, "older"), THERE, ("way-back", "untold"), 3, "does not say"),
    fault(
        "a chinwag that lies",
        |n| serve(n, "liar"),
        THERE,
        ("way-back", "elsewhere"),
        3,
        "something else than you",
    ),
    fault(
        "a chinwag that dies",
        |n| serve(n, "dying"),
        THERE,
        ("way-back", "closed"),
        1,
        "the connection ended",
    ),
    fault(
        "our firewall lets nobody in",
        |n| filtered(n.host(1), "tcp dport 8080 drop", anna(n)),
        "10.77.0.2:8080 --port 8080",
        ("way-back", "timed-out"),
        3,
        "cannot reach you at 10.77.0.1:8080",
    ),
    fault(
        "the address of a third host",
        anna,
        "10.77.0.2:8080 --ip 10.77.0.3",
        ("way-back", "denied"),
        3,
        "another address than 10.77.0.3",
    ),
    fault(
        "an address of this host alone",
        anna,
        "10.77.0.2:8080 --ip 127.0.0.1",
        ("way-back", "denied"),
        3,
        "another address than 127.0.0.1",
    ),
];

/// Faults that are tried at the same time, each in a network of its own.
const AT_ONCE: usize = 4;

/// A network, unless the system allows none.
fn network(hosts: u8) -> Option<Network> {
    Network::of(hosts).map_err(|why| skip(&format!("a network in namespaces: {why}"))).ok()
}

fn piped(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped())
}

/// A chat on a host, with these words on its command line.
fn chat(host: &Host, words: &str) -> Program {
    let mut command = host.command(env!("CARGO_BIN_EXE_chinwag"));
    command.args(words.split_whitespace()).args(["--static-peer", "127.0.0.1:1"]);
    Program::spawn(piped(&mut command))
}

fn nothing(_: &Network) -> Option<Vec<Program>> {
    Some(Vec::new())
}

fn anna(network: &Network) -> Option<Vec<Program>> {
    Some(vec![chat(network.host(2), "--name anna --port 8080").listening()])
}

fn stopped_anna(network: &Network) -> Option<Vec<Program>> {
    let programs = anna(network)?;
    programs[0].freeze();
    Some(programs)
}

fn serve(network: &Network, kind: &str) -> Option<Vec<Program>> {
    let there = network.host(2);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reach/server.py");
    let mut server = there.command("python3");
    server.args([script, kind, &there.ip().to_string(), "8080"]);
    let server = Program::spawn(piped(&mut server));
    server.stdout.expect("ready\n");
    Some(vec![server])
}

fn tls_server(network: &Network) -> Option<Vec<Program>> {
    let place = tempfile::tempdir().expect("a directory");
    let (key, certificate) = (place.path().join("key"), place.path().join("certificate"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-subj", "/CN=x"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        return lacks("openssl");
    }
    let mut server = network.host(2).command("openssl");
    // It takes as many connections as there will be, and then ends.
    server
        .args(["s_server", "-accept", "8080", "-naccept", "2", "-key"])
        .arg(&key)
        .arg("-cert")
        .arg(&certificate);
    let server = Program::spawn(piped(&mut server));
    server.stdout.expect("ACCEPT");
    Some(vec![server])
}

fn lacks(tool: &str) -> Option<Vec<Program>> {
    skip(&format!("{tool} is not here"));
    None
}

/// The host lets no packet in to which this rule of nftables applies.
fn filtered(host: &Host, rule: &str, programs: Option<Vec<Program>>) -> Option<Vec<Program>> {
    let Some(nft) = tool("nft") else { return lacks("nft") };
    let chain = "add chain inet t in { type filter hook input priority 0; }";
    host.run(&format!("{nft} 'add table inet t; {chain}; add rule inet t in {rule}'"));
    programs
}

fn own_firewall(network: &Network) -> Option<Vec<Program>> {
    let Some(nft) = tool("nft") else { return lacks("nft") };
    let chain = "add chain inet t out { type filter hook output priority 0; }";
    let rule = "add rule inet t out tcp dport 8080 drop";
    network.host(1).run(&format!("{nft} 'add table inet t; {chain}; {rule}'"));
    anna(network)
}

/// The look-up of the route, which is not for TCP, does not say so.
fn forbidden(network: &Network) -> Option<Vec<Program>> {
    network.host(1).run("ip rule add pref 10 to 10.77.0.2 ipproto tcp dport 8080 type prohibit");
    anna(network)
}

fn routed(host: &Host, route: &str, programs: Option<Vec<Program>>) -> Option<Vec<Program>> {
    host.run(&format!("ip route add {route}"));
    programs
}

/// Host 3 forwards, but knows no way to there.
fn dead_end(network: &Network) -> Option<Vec<Program>> {
    network.host(1).run("ip route add default via 10.77.0.3");
    network.host(3).run("ip route add unreachable 10.88.0.0/16 && echo 1 >/proc/sys/net/ipv4/ip_forward");
    nothing(network)
}

fn events(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// Makes the fault, diagnoses, and gives what was said in the end.
fn diagnosed(fault: &Fault) -> Option<String> {
    let network = network(3)?;
    let programs = (fault.make)(&network)?;
    let mut command = network.host(1).command(env!("CARGO_BIN_EXE_chinwag"));
    command.args(["diagnose", "--json"]).args(fault.words.split_whitespace());
    let mut program = Program::spawn(piped(&mut command));
    let code = program.wait();
    let events = events(&program.stdout.rest());
    let name = fault.name;
    assert_eq!(code, fault.code, "{name}: {events:?}");
    let is_of_stage = |event: &&Value| event["stage"] == fault.stage;
    let stage = events.iter().find(is_of_stage).unwrap_or_else(|| panic!("{name}: {events:?}"));
    assert_eq!(stage["outcome"], fault.outcome, "{name}: {events:?}");
    let verdict = events.last().expect("a verdict");
    let reach = ["both-ways", "unreachable", "", "one-way"][code as usize];
    assert_eq!((&verdict["event"], &verdict["outcome"]), (&"verdict".into(), &reach.into()), "{name}");
    let sentence = verdict["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains(fault.says), "{name}: {sentence}");
    assert_eq!(sentence.contains("reach each other"), code == 0, "{name}: {sentence}");
    drop(programs);
    Some(format!("{code} {name}: {}: {} => {sentence}", fault.stage, fault.outcome))
}

#[test]
fn each_fault_is_named_and_nothing_is_said_to_work_that_does_not() {
    let Some(_) = network(1) else { return };
    for faults in FAULTS.chunks(AT_ONCE) {
        let said = thread::scope(|scope| {
            let running: Vec<_> = faults.iter().map(|fault| scope.spawn(|| diagnosed(fault))).collect();
            running.into_iter().map(|running| running.join()).collect::<Vec<_>>()
        });
        for said in said {
            match said {
                Ok(said) => println!("{}", said.unwrap_or_default()),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    }
}

/// The value of `field` in the first event that has it so.
fn expect_event(program: &Program, event: &str) -> Value {
    program.stdout.expect(&format!("\"event\":\"{event}\","));
    let rest = program.stdout.expect("\n");
    serde_json::from_str(&format!("{{{rest}")).unwrap_or_else(|_| panic!("{rest}"))
}

#[test]
fn without_a_descriptor_the_chat_names_its_own_limit() {
    let Some(network) = network(2) else { return };
    let (here, there) = (network.host(1), network.host(2));
    let script = "ulimit -n 24 && exec \"$0\" --json --name P1 --port 8080 --connections-max 1000 \
                  --static-peer 127.0.0.1:1";
    let mut command = here.command("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_chinwag")]);
    let mut chat = Program::spawn(piped(&mut command));
    expect_event(&chat, "listening");
    let crowd = "import contextlib, socket, sys\n\
                 kept = [socket.create_connection(('10.77.0.1', 8080)) for n in range(40)]\n\
                 for n, conn in enumerate(kept):\n\
                 \x20 with contextlib.suppress(OSError):\n\
                 \x20   conn.sendall(b'10.77.0.2:%d X hi\\n' % (n + 1))\n\
                 print('ready', flush=True)\n\
                 sys.stdin.read()";
    let mut python = there.command("python3");
    python.args(["-c", crowd]);
    let crowd = Program::spawn(piped(&mut python));
    crowd.stdout.expect("ready\n");
    loop {
        chat.type_line(r#"{"command":"stats"}"#);
        if expect_event(&chat, "stats")["refused"].as_u64() > Some(0) {
            break;
        }
    }
    chat.type_line(r#"{"command":"diagnose","to":"10.77.0.2:9","id":7}"#);
    let verdict = expect_event(&chat, "verdict");
    assert_eq!(verdict["outcome"], "unreachable");
    let sentence = verdict["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("no file descriptor left"), "{sentence}");
    println!("1 descriptor limit: {sentence}");
}

#[test]
fn a_chat_and_a_chat_diagnose_each_other_and_stay_connected() {
    let Some(network) = network(2) else { return };
    let mut chats = [1, 2].map(|n| chat(network.host(n), &format!("--json --name P{n} --port 8080")));
    chats.iter().for_each(|chat| drop(expect_event(chat, "listening")));
    chats[0].type_line(r#"{"command":"connect","to":"10.77.0.2:8080"}"#);
    expect_event(&chats[0], "accepted");
    expect_event(&chats[1], "connected");
    for (n, to) in [(0, "P2"), (1, "P1")] {
        chats[n].type_line(format!(r#"{{"command":"diagnose","to":"{to}"}}"#));
        let verdict = expect_event(&chats[n], "verdict");
        assert_eq!(verdict["outcome"], "both-ways", "{verdict}");
    }
    chats[0].type_line(r#"{"command":"send","to":"P2","text":"still here"}"#);
    assert_eq!(expect_event(&chats[1], "message")["text"], "still here");
    chats[0].type_line("/stats");
    assert_eq!(expect_event(&chats[0], "stats")["sessions"], 1);
    chats.iter().for_each(|chat| chat.signal(Signal::TERM));
}
