//! The search for others, and what is told of this node.

use super::*;
use crate::chat::id::CommandId;
use crate::discovery::{Discovery, Neighbour, Offer};
use crate::proto::interface::Interface;
use crate::proto::machine::Datagram;
use std::net::IpAddr;
use std::time::Duration;

const LINK: u32 = 2;

fn interface(ip: &str) -> Interface {
    Interface { prefix: 24, index: LINK, ..Interface::alone(ip.parse().unwrap()) }
}

/// Somebody at 10.0.0.2, and what it says once it is asked.
fn neighbour(now: Instant) -> Vec<Vec<u8>> {
    let mut bob = Discovery::new(2);
    bob.announce(Offer { name: "bob".into(), bound: "::".parse().unwrap(), port: 8080, key: None }, now);
    bob.on_joined(vec![interface("10.0.0.2")], now);
    while let Some(at) = bob.next_deadline() {
        bob.on_timeout(at);
    }
    let said = std::iter::from_fn(|| bob.poll_action()).filter_map(|action| match action {
        crate::discovery::Action::Send { bytes, .. } => Some(bytes),
        _ => None,
    });
    said.collect()
}

fn hear(node: &mut Node, bytes: &[u8], now: Instant) -> Vec<Output<Notice>> {
    let from = "10.0.0.2:5353".parse().unwrap();
    handle(node, Input::Datagram(Datagram { on: LINK, from, hop_limit: Some(255), bytes }), now)
}

/// The addresses that a node tells others of.
fn told(config: Config, interfaces: Vec<Interface>) -> Vec<IpAddr> {
    let (mut now, local) = (crate::testing::start(), SocketAddr::new(config.bind, 8080));
    let mut node = Node::new(Config {
        name: Some("N".to_owned()),
        port: Some(8080),
        announce: true,
        interfaces: interfaces.clone(),
        ..config
    });
    handle(&mut node, Input::Listening { local }, now);
    let mut anna = Discovery::new(3);
    anna.search(now);
    anna.on_joined(vec![interface("10.0.0.9"), interface("fd00::9")], now);
    let mut outputs = handle(&mut node, Input::Joined(interfaces), now);
    while let Some(at) = node.poll_timeout().filter(|_| anna.neighbours(now).is_empty()) {
        now = at;
        outputs.extend(handle(&mut node, Input::Timeout, now));
        for output in outputs.drain(..) {
            if let Output::Datagram { to, bytes, .. } = output {
                let from = if to.is_ipv4() { "10.0.0.1:5353" } else { "[fd00::1]:5353" };
                let from = from.parse().unwrap();
                anna.on_datagram(Datagram { on: LINK, from, hop_limit: Some(255), bytes: &bytes }, now);
            }
        }
    }
    anna.neighbours(now).into_iter().map(|Neighbour { address, .. }| address.ip()).collect()
}

#[test]
fn others_are_told_only_of_addresses_at_which_this_node_listens() {
    let both = || vec![interface("10.0.0.1"), interface("fd00::1")];
    for (bind, found) in [("::", "10.0.0.1"), ("fd00::1", "fd00::1"), ("10.0.0.1", "10.0.0.1")] {
        let bind: IpAddr = bind.parse().unwrap();
        assert_eq!(
            told(Config { bind, ..Config::default() }, both()),
            [found.parse::<IpAddr>().unwrap()],
            "{bind}"
        );
    }
    for bind in ["127.0.0.1", "10.7.7.7"] {
        let bind: IpAddr = bind.parse().unwrap();
        assert_eq!(told(Config { bind, ..Config::default() }, both()), [] as [IpAddr; 0], "{bind}");
    }
    let v4 = Config { bind: "0.0.0.0".parse().unwrap(), ..Config::default() };
    assert_eq!(told(v4, vec![interface("fd00::1")]), [] as [IpAddr; 0]);
}

#[test]
fn nothing_follows_the_end_whatever_comes_in() {
    let (mut node, now) = running_as(Config { announce: true, ..Config::default() });
    handle(&mut node, Input::Joined(vec![interface("10.0.0.1")]), now);
    let said = neighbour(now);
    handle(&mut node, Input::Interrupted, now);
    let over = handle(&mut node, Input::Interrupted, now);
    assert!(node.stage == Stage::Over, "{over:?}");
    assert_eq!(handle(&mut node, Input::Joined(Vec::new()), now), []);
    let fault = Fault::from(&io::Error::from(Errno::PERM));
    assert_eq!(handle(&mut node, Input::JoinFailed(fault), now), []);
    for bytes in said {
        assert_eq!(hear(&mut node, &bytes, now), []);
    }
}

#[test]
fn a_search_that_another_one_replaces_tells_whom_it_found() {
    let (mut node, now) = running_as(Config { dialogue: Dialogue::Commands, ..Config::default() });
    handle(&mut node, Input::Line(r#"{"command":"nearby","id":1}"#), now);
    handle(&mut node, Input::Joined(vec![interface("10.0.0.1")]), now);
    for bytes in neighbour(now) {
        hear(&mut node, &bytes, now);
    }
    let outputs = handle(&mut node, Input::Line(r#"{"command":"nearby","id":2}"#), now);
    let is_first = |output: &Output<Notice>| match output {
        Output::Notice(Notice::Answer { id, notice }) => {
            *id == CommandId::Number("1".into())
                && matches!(&**notice, Notice::Nearby(rows) if rows.len() == 1)
        }
        _ => false,
    };
    assert!(outputs.iter().any(is_first), "{outputs:?}");
    let outputs = handle(&mut node, Input::Timeout, now + Duration::from_millis(950));
    assert!(node.tickets.is_empty(), "{outputs:?}");
}

#[test]
fn that_there_is_no_network_is_the_answer_to_a_search() {
    let (mut node, mut now) = running_as(Config { dialogue: Dialogue::Commands, ..Config::default() });
    let mut outputs = handle(&mut node, Input::Line(r#"{"command":"nearby","id":1}"#), now);
    outputs.extend(handle(&mut node, Input::Joined(Vec::new()), now));
    while let Some(at) = node.poll_timeout() {
        now = at;
        outputs.extend(handle(&mut node, Input::Timeout, now));
    }
    let notices = outputs.into_iter().filter(|output| matches!(output, Output::Notice(_)));
    let notice = Notice::NoMulticast(None).answering(Some(CommandId::Number("1".into())));
    assert_eq!(notices.collect::<Vec<_>>(), [Output::Notice(notice)]);
}
