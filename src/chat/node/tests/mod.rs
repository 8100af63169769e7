//! What the node does as a whole, where no single part or story does it.

mod conversation;
mod remembered;

use super::*;
use crate::limits::Limits;

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
