//! A whole session between two nodes, once for each bit of it, with that bit flipped on the way.

use crate::pair::{Pair, Place, address};
use chinwag::chat::book::Known;
use chinwag::chat::notice::{Failure, Notice, Standing};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

/// Whoever waits for an answer to a connect, or for a proof, has given up by then.
const LONG: Duration = Duration::from_secs(10);

/// What both say, in this order.
const SAID: [(usize, &str); 4] = [(0, "one"), (1, "two"), (0, "three"), (1, "four")];

type Memory = [Vec<(SocketAddr, Known)>; 2];

/// Two nodes meet, say what they have to say, and end.
fn play(known: Memory, flip: Option<Place>) -> Pair {
    let mut pair = Pair::new(known, flip);
    pair.type_line(0, &format!(r#"{{"command":"connect","to":"{}"}}"#, address(1)));
    pair.run_for(LONG);
    for (from, text) in SAID {
        let to = address(1 - from);
        pair.type_line(from, &format!(r#"{{"command":"send","to":"{to}","text":"{text}","id":"{text}"}}"#));
        pair.run_for(LONG);
    }
    for node in [0, 1] {
        pair.type_line(node, r#"{"command":"quit"}"#);
        pair.run_for(LONG);
    }
    pair
}

/// What two nodes remember of each other that have met once.
fn memory() -> Memory {
    let pair = play([Vec::new(), Vec::new()], None);
    let memory = [0, 1].map(|node| pair.known(node));
    assert!(memory.iter().flatten().all(|(_, known)| known.pin.is_some()), "{memory:?}");
    assert!(memory.iter().all(|known| known.len() == 1), "{memory:?}");
    memory
}

/// The texts that this node has shown as those of the other one. With a bit flipped in the header of the connect, a text of
/// somebody else may be read in it.
fn heard(pair: &Pair, node: usize) -> Vec<&str> {
    let notices = pair.notices[node].iter();
    notices
        .filter_map(|notice| match notice {
            Notice::Message { who, text, .. } if who.standing >= Standing::Pinned => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

fn said_to(node: usize) -> Vec<&'static str> {
    SAID.iter().filter(|(from, _)| *from != node).map(|(_, text)| *text).collect()
}

/// Whether anybody was told why something came to an end.
fn has_reason(pair: &Pair) -> bool {
    fn is_reason(notice: &Notice) -> bool {
        match notice {
            Notice::Answer { notice, .. } => is_reason(notice),
            Notice::Lost { .. } | Notice::NotConnected { .. } | Notice::Unconfirmed { .. } => true,
            Notice::NotSent { why, .. } => matches!(why, Failure::Connection(_)),
            _ => false,
        }
    }
    pair.notices.iter().flatten().any(is_reason)
}

fn check(known: &Memory, flip: Place) {
    let pair = play(known.clone(), Some(flip));
    let mut is_all_there = true;
    for node in [0, 1] {
        let said = said_to(node);
        let heard = heard(&pair, node);
        let mut left = said.iter();
        assert!(heard.iter().all(|text| left.any(|said| said == text)), "{flip:?}: {node} heard {heard:?}");
        is_all_there &= heard == said;
    }
    assert!(is_all_there || has_reason(&pair), "{flip:?}: {:#?}", pair.notices);
}

/// Flips each bit that this side of the first connection writes.
fn flip_each(side: usize) {
    let known = memory();
    let recorded = play(known.clone(), None).recorded;
    let bits = recorded[side].len() * 8;
    assert!(bits > 8 * 200, "nothing was encrypted: {recorded:?}");
    let halves = [0..bits / 2, bits / 2..bits];
    thread::scope(|scope| {
        for bits in halves {
            scope.spawn(|| {
                // What is remembered cannot go to another thread.
                let known = memory();
                bits.for_each(|bit| check(&known, (side, bit)));
            });
        }
    });
}

#[test]
fn two_nodes_that_know_each_other_say_everything_encrypted() {
    let known = memory();
    let pair = play(known, None);
    for node in [0, 1] {
        assert_eq!(heard(&pair, node), said_to(node));
    }
    for (_, text) in SAID {
        let is_clear = |bytes: &Vec<u8>| memchr::memmem::find(bytes, text.as_bytes()).is_some();
        assert!(!pair.recorded.iter().any(is_clear), "{text}");
    }
}

#[test]
fn no_bit_of_the_side_that_dialled_can_be_flipped_unnoticed() {
    flip_each(0);
}

#[test]
fn no_bit_of_the_side_that_was_dialled_can_be_flipped_unnoticed() {
    flip_each(1);
}
