//! What somebody who only listens on the way learns of an encrypted session.

use crate::proxy::{Kind, Part, WAYS, Way, has, written};
use crate::stage::{NAMES, Stage};

/// What a frame adds to its text: the length, and the tag.
const OVERHEAD_BYTES: usize = 2 + 16;

/// Texts of an encrypted session are filled up to a multiple of this.
const PADDED_BYTES: usize = 64;

#[test]
fn behind_the_handshake_a_wire_capture_has_no_text_and_no_name() {
    let stage = Stage::new();
    let [mut a, mut b] = [0, 1].map(|number| stage.program(number, &["--secure", "require"]));
    let texts =
        ["nobody else reads this", "nor this answer, which is longer than one block of sixty-four bytes is"];
    a.connect_until_accepted(&stage.address(1));
    a.say(&stage.address(1), texts[0]);
    b.expect_message(texts[0]);
    b.say(&stage.address(0), texts[1]);
    a.expect_message(texts[1]);
    let addresses = [0, 1].map(|number| stage.address(number));
    let scene = stage.end([a, b]);
    let sessions: Vec<Vec<Part>> = scene.records.concat();
    let sealed = || sessions.iter().filter(|parts| parts.iter().any(|part| part.kind == Kind::Frame));
    assert!(sealed().count() > 0, "nothing was encrypted: {sessions:?}");
    for parts in &sessions {
        assert_handshake_and_frames(parts);
    }
    let behind: Vec<Vec<Part>> = sealed().map(|parts| behind_the_handshake(parts)).collect();
    for secret in texts.iter().chain(&NAMES).chain(&["!ping", "!pong", "chinwag", "exit"]) {
        assert!(WAYS.iter().all(|&way| !has(&written(&behind, way), secret)), "{secret}");
    }
    for address in &addresses {
        assert!(WAYS.iter().all(|&way| !has(&written(&behind, way), address)), "{address}");
    }
}

/// A connect, an answer with an offer, and a line of the handshake on each way; nothing else is in the clear.
#[track_caller]
fn assert_handshake_and_frames(parts: &[Part]) {
    let kinds =
        |way| parts.iter().filter(move |part| part.way == way).map(|part| part.kind).collect::<Vec<_>>();
    // A connect that was not answered in time is closed.
    if !kinds(Way::Out).contains(&Kind::Proof) {
        return assert!(!kinds(Way::Out).contains(&Kind::Frame), "{parts:?}");
    }
    for (way, beginning) in [(Way::Out, [Kind::Clear, Kind::Proof]), (Way::Back, [Kind::Offer, Kind::Proof])]
    {
        let kinds = kinds(way);
        assert!(kinds.starts_with(&beginning), "{kinds:?}");
        let is_sealed = |kind: &Kind| [Kind::Frame, Kind::End, Kind::Reset].contains(kind);
        assert!(kinds[2..].iter().all(is_sealed), "{kinds:?}");
    }
    for frame in parts.iter().filter(|part| part.kind == Kind::Frame) {
        assert_eq!((frame.bytes.len() - OVERHEAD_BYTES) % PADDED_BYTES, 0);
    }
}

fn behind_the_handshake(parts: &[Part]) -> Vec<Part> {
    parts.iter().filter(|part| part.kind == Kind::Frame).cloned().collect()
}
