//! Our own addresses, and link-local ones of peers.

use super::{handle, running_as};
use crate::chat::node::{Config, Dialogue, Node};
use crate::chat::notice::{Mistake, Notice};
use crate::proto::interface::Interface;
use crate::proto::machine::{ConnId, Input, Machine, Output};
use crate::proto::scope::ScopeFault;
use std::time::Instant;

const OWN: [(&str, &str, u32); 2] = [("eth0", "fe80::a", 2), ("eth1", "fe80::b", 3)];

fn with_interfaces(config: Config, own: &[(&str, &str, u32)]) -> Config {
    let interface = |&(name, ip, index): &(&str, &str, u32)| Interface {
        name: name.to_owned(),
        index,
        ..Interface::alone(ip.parse().unwrap())
    };
    Config { interfaces: own.iter().map(interface).collect(), ..config }
}

fn told(outputs: Vec<Output<Notice>>) -> Vec<Notice> {
    let notice = |output| match output {
        Output::Notice(notice) => Some(notice),
        _ => None,
    };
    outputs.into_iter().filter_map(notice).collect()
}

/// What comes of a typed line: the address that is dialled, or the mistake.
fn typed(node: &mut Node, line: &str, now: Instant) -> (Option<(ConnId, String)>, Option<Mistake>) {
    let outputs = handle(node, Input::Line(line), now);
    let dialled = outputs.iter().find_map(|output| match output {
        Output::Connect { conn, to, .. } => Some((*conn, to.to_string())),
        _ => None,
    });
    let mistake = told(outputs).into_iter().find_map(|notice| match notice {
        Notice::Mistake(mistake) => Some(mistake),
        _ => None,
    });
    (dialled, mistake)
}

#[test]
fn a_person_on_a_terminal_is_told_where_others_reach_them_and_a_pipe_is_not() {
    for is_terminal in [true, false] {
        let config = Config {
            name: Some("N".to_owned()),
            port: Some(8080),
            is_terminal,
            ..with_interfaces(Config::default(), &[("eth0", "10.0.0.1", 2)])
        };
        let mut node = Node::new(config);
        while node.poll_output().is_some() {}
        let local = "[::]:8080".parse().unwrap();
        let told = told(handle(&mut node, Input::Listening { local }, crate::testing::start()));
        let reachable = told.iter().find_map(|notice| match notice {
            Notice::Reachable(addresses) => Some(addresses.clone()),
            _ => None,
        });
        let expected = is_terminal.then(|| vec!["10.0.0.1:8080".parse().unwrap()]);
        assert_eq!(reachable, expected, "{told:?}");
    }
}

#[test]
fn a_claim_that_is_of_no_use_is_told_to_people_and_programs_and_not_in_a_pipe() {
    let table = [(true, Dialogue::Menu, 1), (false, Dialogue::Commands, 1), (false, Dialogue::Menu, 0)];
    for (is_terminal, dialogue, count) in table {
        let ip = Some("127.0.0.1".parse().unwrap());
        let (mut node, now) = running_as(Config { ip, is_terminal, dialogue, ..Config::default() });
        let mut claims = Vec::new();
        for port in 1..3 {
            let from = ([10, 0, 0, 7], 50_000 + port).into();
            let conn = node.accept(from, "10.0.0.1:8080".parse().unwrap(), now).unwrap();
            let bytes = format!("10.0.0.7:{port} P connect\n");
            let told = told(handle(&mut node, Input::Received { conn, bytes: bytes.as_bytes() }, now));
            claims.extend(told.into_iter().filter(|notice| matches!(notice, Notice::BadClaim { .. })));
        }
        let claim = Notice::BadClaim {
            claimed: "127.0.0.1:8080".parse().unwrap(),
            to: "10.0.0.7:1".parse().unwrap(),
            instead: [10, 0, 0, 1].into(),
        };
        assert_eq!(claims, vec![claim; count], "{dialogue:?}");
    }
}

#[test]
fn a_link_local_address_is_dialled_behind_the_interface_that_was_typed_and_claimed_without_one() {
    for (line, dialled) in [
        ("/msg [fe80::1%eth0]:9 hi", "[fe80::1%2]:9"),
        ("/msg [fe80::1%eth1]:9 hi", "[fe80::1%3]:9"),
        ("/msg [fe80::1%7]:9 hi", "[fe80::1%7]:9"),
    ] {
        let (mut node, now) = running_as(with_interfaces(Config::default(), &OWN));
        let (Some((conn, to)), None) = typed(&mut node, line, now) else { panic!("{line}") };
        assert_eq!(to, dialled, "{line}");
        let local = "[fe80::a%2]:50000".parse().unwrap();
        handle(&mut node, Input::Connected { conn, local }, now);
        let mut written = Vec::new();
        node.send_queue(conn).unwrap().write_to(&mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "[fe80::a]:8080 N hi");
    }
}

#[test]
fn without_an_interface_the_user_is_told_which_there_are() {
    let (mut node, now) = running_as(with_interfaces(Config::default(), &OWN));
    let missing = Mistake::BadScope(ScopeFault::Missing {
        ip: "fe80::1".parse().unwrap(),
        choices: vec!["eth0".to_owned(), "eth1".to_owned()],
    });
    assert_eq!(typed(&mut node, "/msg [fe80::1]:9 hi", now), (None, Some(missing.clone())));
    typed(&mut node, "1", now);
    assert_eq!(typed(&mut node, "fe80::1", now), (None, Some(missing)));
    assert_eq!(typed(&mut node, "fe80::1%eth1", now), (None, None));
    typed(&mut node, "9", now);
    assert_eq!(typed(&mut node, "hi", now).0.map(|(_, to)| to), Some("[fe80::1%3]:9".to_owned()));
    let (mut node, now) = running_as(with_interfaces(Config::default(), &OWN[..1]));
    let (dialled, _) = typed(&mut node, "/msg [fe80::1]:9 hi", now);
    assert_eq!(dialled.map(|(_, to)| to), Some("[fe80::1%2]:9".to_owned()));
}

#[test]
fn two_peers_with_one_address_behind_two_interfaces_are_two_entries() {
    let (mut node, now) = running_as(with_interfaces(Config::default(), &OWN));
    for index in [2, 3] {
        let from = format!("[fe80::1%{index}]:50000").parse().unwrap();
        let conn = node.accept(from, "[fe80::a]:8080".parse().unwrap(), now).unwrap();
        // Which interface it is, is not for the peer to say.
        handle(&mut node, Input::Received { conn, bytes: b"[fe80::1%99]:9 P hi\n" }, now);
    }
    let directory = node.directory();
    let addresses: Vec<String> = directory.active().iter().map(|peer| peer.address.to_string()).collect();
    assert_eq!(addresses.len(), 2, "{addresses:?}");
    for index in [2, 3] {
        let peer = directory.peer(format!("[fe80::1%{index}]:9").parse().unwrap()).unwrap();
        assert!(peer.is_confirmed, "{addresses:?}");
    }
}
