//! What the node does as a whole, where no single part or story does it.

mod addresses;
mod answers;
mod conversation;
mod fates;
mod last_words;
mod later;
mod many_fail;
mod nearby;
mod remembered;
mod talks;
mod to_all;

use super::*;
use crate::limits::Limits;
use rustix::io::Errno;
use std::io;

/// A node that listens.
pub(super) fn running() -> (Node, Instant) {
    running_with(Limits::default())
}

pub(super) fn running_with(limits: Limits) -> (Node, Instant) {
    running_as(Config { limits, ..Config::default() })
}

pub(super) fn running_as(config: Config) -> (Node, Instant) {
    let now = crate::testing::start();
    let mut node = Node::new(Config { name: Some("N".to_owned()), port: Some(8080), ..config });
    handle(&mut node, Input::Listening { local: "0.0.0.0:8080".parse().unwrap() }, now);
    (node, now)
}

pub(super) fn handle(node: &mut Node, input: Input<'_>, now: Instant) -> Vec<Output<Notice>> {
    while node.poll_output().is_some() {}
    node.handle(input, now);
    std::iter::from_fn(|| node.poll_output()).collect()
}

#[test]
fn another_port_is_asked_for_where_it_may_help_and_an_address_that_cannot_be_had_is_wrong_usage() {
    for (errno, is_over) in [
        (Errno::ADDRINUSE, false),
        (Errno::NOBUFS, false),
        (Errno::ADDRNOTAVAIL, true),
        (Errno::AFNOSUPPORT, true),
    ] {
        let now = crate::testing::start();
        let mut node = Node::new(Config { name: Some("N".to_owned()), ..Config::default() });
        let outputs = |node: &mut Node| std::iter::from_fn(|| node.poll_output()).collect::<Vec<_>>();
        outputs(&mut node);
        node.handle(Input::Line("80"), now);
        outputs(&mut node);
        node.handle(Input::ListenFailed((&io::Error::from(errno)).into()), now);
        let outputs = outputs(&mut node);
        let is_quit = |output: &Output<Notice>| *output == Output::Quit(2);
        assert_eq!(outputs.iter().any(is_quit), is_over, "{errno}: {outputs:?}");
    }
}
