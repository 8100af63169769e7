//! Somebody on the way, or in the place of a peer that has a key, who tries to read what is meant for it, to speak in its
//! name or to be taken for it; in calm worlds.

use crate::script_keys::{
    CLAIM, Caller, at, connects_as, hears, host, keyed, known_by_compared_key, not_sent, refused, types,
    world_of, world_that_knows, world_that_knows_the_script,
};
use crate::stories::{ELSEWHERE, MS, SCRIPT, SCRIPT_IP, SECOND, act, count, messages, say};
use crate::wires::EndId;
use crate::world::{Act, World};
use chinwag::chat::book::Known;
use chinwag::chat::node::Config;
use chinwag::chat::notice::{Failure, Later, Mistake, Notice};
use chinwag::chat::trust::Policy;
use chinwag::proto::machine::CloseReason;
use std::time::Duration;

/// Where anna goes.
const MOVED: &str = "10.0.6.6:7000";
const CLAIM_MOVED: &str = "10.0.6.6:7000 S";

fn require(n: u8) -> Config {
    Config { secure: Policy::Require, ..keyed(n) }
}

fn is_known_at(world: &World, address: &str) -> bool {
    world.node(0).book().pin(at(address)).is_some()
}

fn is_in_session_with(world: &World, address: &str) -> bool {
    world.node(0).directory().peer(at(address)).is_some_and(|peer| peer.session.is_some())
}

/// Whether somebody was told as connected or as a new peer.
fn is_presence(notice: &Notice) -> bool {
    matches!(notice, Notice::Accepted(_) | Notice::Connected(_) | Notice::NewPeer(_))
}

fn is_heard(heard: &[String], text: &str) -> bool {
    heard.iter().any(|said| said.contains(text))
}

/// The peer connects, and its proof is held up; somebody connects in its name meanwhile, and does not take the offer.
#[test]
fn a_proof_on_a_session_that_was_replaced_does_not_speak_for_whoever_replaced_it() {
    for say_it in [say, |world: &mut World, _, _: &str, text: &str| types(world, &["5", text])] {
        let mut world = world_of([keyed(1)]);
        let honest = Caller::new(&mut world, SCRIPT_IP, CLAIM);
        let (_, proof) = honest.proof(&world, 9);
        let other = hears(&mut world, SCRIPT_IP, &format!("{CLAIM} connect\n{CLAIM} hi\n"));
        world.script_writes(honest.end, &proof);
        world.run_for(500 * MS);
        say_it(&mut world, 0, SCRIPT, "hello");
        assert!(!is_known_at(&world, SCRIPT), "what is said to it would be a secret");
        assert!(world.script_read(other).ends_with(" n0 hello\n"));
    }
}

#[test]
fn what_waits_on_a_left_session_is_not_written_in_the_clear() {
    let mut world = world_of([keyed(1)]);
    let held = Caller::new(&mut world, SCRIPT_IP, CLAIM);
    types(&mut world, &["1", SCRIPT, "secret"]);
    connects_as(&mut world, SCRIPT_IP, CLAIM, 9);
    assert!(is_known_at(&world, SCRIPT));
    world.run_for(5 * SECOND);
    assert!(!world.script_read(held.end).contains("secret"));
    assert_eq!(not_sent(&world), [Failure::Connection(CloseReason::NotEncrypted)]);
}

#[test]
fn what_waits_for_a_peer_that_moves_is_not_said_where_it_was_whatever_is_answered_there() {
    for answer in [Some("10.0.9.9:9000 S connected\n"), Some("10.0.9.9:9000 S hi\n"), None] {
        let mut world = world_that_knows_the_script(keyed(1));
        types(&mut world, &["1", "anna", "secret"]);
        let end = world.script_ends(SCRIPT)[0];
        connects_as(&mut world, ELSEWHERE, CLAIM_MOVED, 9);
        assert!(is_known_at(&world, MOVED) && !is_known_at(&world, SCRIPT));
        match answer {
            Some(answer) => world.script_writes(end, answer),
            None => world.script_closes_its_side(end),
        }
        world.run_for(10 * SECOND);
        assert_eq!(world.script_heard(SCRIPT), ["10.0.0.1:8080 n0 connect"], "{answer:?}");
    }
}

#[test]
fn a_text_that_is_being_typed_for_a_peer_that_moves_follows_it() {
    let mut world = world_that_knows_the_script(keyed(1));
    world.add(host(1), keyed(9));
    types(&mut world, &["1", "anna"]);
    act(&mut world, 1, Act::Connect(0));
    types(&mut world, &["secret"]);
    world.run_for(3 * SECOND);
    assert_eq!(messages(&world, 1), ["secret"]);
    assert!(!is_heard(&world.script_heard(SCRIPT), "secret"));
}

#[test]
fn a_text_that_waits_for_a_key_is_not_sent_once_that_key_is_forgotten() {
    let mut world = world_that_knows_the_script(keyed(1));
    for line in ["/query anna", "secret", "/trust anna", "y"] {
        types(&mut world, &[line]);
    }
    for end in world.script_ends(SCRIPT) {
        world.script_writes(end, "10.0.9.9:9000 S connected\n");
    }
    world.run_for(5 * SECOND);
    assert!(!is_known_at(&world, SCRIPT));
    assert!(!is_heard(&world.script_heard(SCRIPT), "secret"));
    assert_eq!(not_sent(&world), [Failure::Connection(CloseReason::NotEncrypted)]);
}

#[test]
fn a_text_that_was_read_is_not_told_as_not_sent_when_its_reader_proves_a_key() {
    let mut world = world_of([keyed(1)]);
    types(&mut world, &["1", SCRIPT, "hello"]);
    assert_eq!(world.script_heard(SCRIPT), ["10.0.0.1:8080 n0 hello"]);
    let end = world.script_ends(SCRIPT)[0];
    connects_as(&mut world, SCRIPT_IP, CLAIM, 9);
    world.script_closes_its_side(end);
    world.run_for(5 * SECOND);
    assert!(is_known_at(&world, SCRIPT));
    assert_eq!(not_sent(&world), []);
}

#[test]
fn a_text_to_the_name_of_a_known_peer_does_not_go_to_a_stranger_with_that_name() {
    let mut world = world_that_knows("10.0.5.5:5000", known_by_compared_key(9), keyed(1));
    hears(&mut world, SCRIPT_IP, &format!("{CLAIM} hi\n"));
    say(&mut world, 0, "S", "secret");
    assert_eq!(messages(&world, 0), ["hi"]);
    assert!(world.script_heard(SCRIPT).is_empty());
    assert_eq!(
        count(&world, 0, |notice| matches!(notice, Notice::Mistake(Mistake::AmbiguousName { .. }))),
        1
    );
}

#[test]
fn an_answer_in_the_name_of_somebody_else_does_not_count_as_that_of_a_peer_with_a_key() {
    for answer in ["10.0.6.6:7 S connected chinwag/1\n", "10.0.6.6:7 S connect_ack"] {
        let mut world = world_that_knows_the_script(keyed(1));
        types(&mut world, &["/connect anna"]);
        let end = world.script_ends(SCRIPT)[0];
        world.script_writes(end, answer);
        world.run_for(5 * SECOND);
        assert_eq!(count(&world, 0, is_presence), 0, "{answer}");
        assert!(!is_in_session_with(&world, SCRIPT), "{answer}");
        assert_eq!(not_sent(&world), [Failure::Connection(CloseReason::NotEncrypted)], "{answer}");
    }
}

#[test]
fn what_is_diagnosed_does_not_speak_for_a_third_peer_that_has_a_key_or_is_blocked() {
    let third = "10.0.5.5:5000";
    let blocked = Known { is_blocked: true, ..Known::default() };
    for (known, word) in [
        (known_by_compared_key(9), "hello"),
        (known_by_compared_key(9), "connect_ack"),
        (blocked.clone(), "hello"),
        (blocked, "connect_ack"),
    ] {
        let is_blocked = known.is_blocked;
        let mut world = world_that_knows(third, known, keyed(1));
        types(&mut world, &[&format!("/diagnose {SCRIPT}")]);
        let ends = world.script_ends(SCRIPT);
        assert!(!ends.is_empty());
        for end in ends {
            world.script_writes(end, &format!("{third} S {word}\n"));
        }
        world.run_for(5 * SECOND);
        assert!(world.node(0).directory().peer(at(third)).is_none(), "{word}");
        assert!(messages(&world, 0).is_empty() && count(&world, 0, is_presence) == 0, "{word}");
        assert_eq!(refused(&world).is_empty(), is_blocked, "{word}");
    }
}

#[test]
fn a_diagnosis_says_nothing_in_the_clear_where_both_insist_on_encryption() {
    let mut world = world_of([require(1), require(2)]);
    act(&mut world, 0, Act::Connect(1));
    act(&mut world, 0, Act::Diagnose(1));
    world.run_for(10 * SECOND);
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::Verdict { .. })), 1);
    for id in [0, 1] {
        assert_eq!(count(&world, id, |notice| matches!(notice, Notice::Refused { .. })), 0);
    }
}

#[test]
fn whoever_insists_on_encryption_believes_nothing_in_the_clear_while_quitting() {
    let mut world = world_of([require(1)]);
    let ends = [(); 2].map(|()| world.script_dials(SCRIPT_IP, 0));
    // What is under way takes its time.
    types(&mut world, &["1", SCRIPT, "text"]);
    world.want(0, Act::Quit, Duration::ZERO);
    world.run_for(5 * MS);
    for (end, said) in ends.into_iter().zip(["pay 100\n", "10.0.9.9:9000 S hello\n"]) {
        world.script_writes(end, said);
    }
    world.run_for(5 * SECOND);
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::Raw { .. })), 0);
    assert!(messages(&world, 0).is_empty());
    assert_eq!(refused(&world), ["10.0.9.9:9000 S hello", "pay 100"]);
}

#[test]
fn a_verified_peer_does_not_take_over_the_alias_of_another_one_with_its_mark() {
    let other = "10.0.9.9:7000";
    for has_moved in [false, true] {
        let bob = Known { alias: Some("bob".into()), name: "Bob".into(), ..Known::default() };
        let known = vec![(at(SCRIPT), bob), (at(other), known_by_compared_key(9))];
        let mut world = world_of([Config { known, ..keyed(1) }]);
        if !has_moved {
            connects_as(&mut world, SCRIPT_IP, "10.0.9.9:7000 S", 9);
        }
        connects_as(&mut world, SCRIPT_IP, "10.0.9.9:9000 Bob", 9);
        let bob = world.node(0).book().get(at(SCRIPT)).unwrap();
        assert_eq!(bob.alias.as_deref(), Some("bob"));
        assert!(bob.pin.as_ref().is_none_or(|pin| !pin.is_verified), "moved: {has_moved}");
        assert!(world.node(0).book().pin(at(other)).is_some_and(|pin| pin.is_verified));
    }
}

#[test]
fn a_blocked_key_is_spoken_with_at_none_of_its_addresses() {
    let mut world = world_of([keyed(1)]);
    for port in [9000, 7000] {
        connects_as(&mut world, SCRIPT_IP, &format!("10.0.9.9:{port} S"), 9);
        assert!(is_in_session_with(&world, &format!("10.0.9.9:{port}")));
    }
    act(&mut world, 0, Act::Line(format!("/block {SCRIPT}")));
    let is_told = |notice: &Notice| !matches!(notice, Notice::Menu | Notice::Prompt(_));
    let before = count(&world, 0, is_told);
    for port in [9000, 7000] {
        let end = hears(&mut world, SCRIPT_IP, &format!("10.0.9.9:{port} S connect\n"));
        assert_eq!(world.script_read(end), "", "{port}");
    }
    assert_eq!(count(&world, 0, is_told), before);
    // Whose this address is, nobody knows before the key is proved.
    let caller = Caller::new(&mut world, SCRIPT_IP, "10.0.9.9:7001 S");
    assert!(caller.proves(&mut world, 9).is_none());
    for port in [9000, 7000, 7001] {
        assert!(!is_in_session_with(&world, &format!("10.0.9.9:{port}")), "{port}");
    }
    assert!(world.node(0).book().is_blocked(at("10.0.9.9:7001")));
}

/// Passes on what each of two connections says.
fn relay(world: &mut World, near: EndId, far: EndId) {
    let mut ways = [(near, far, 0), (far, near, 0)];
    for _ in 0..200 {
        for (from, to, passed) in &mut ways {
            let said = world.script_read_bytes(*from)[*passed..].to_vec();
            *passed += said.len();
            world.script_writes_bytes(*to, &said);
        }
        world.run_for(10 * MS);
    }
    for (from, ..) in ways {
        assert!(world.script_read(from).contains("noise"), "both have a part in the handshake");
    }
}

/// Two who know each other, and have no session now.
fn acquaintances() -> World {
    let mut world = world_of([keyed(1), keyed(2)]);
    act(&mut world, 0, Act::Connect(1));
    let conn = world.session(0, 1).unwrap();
    let end = world.hosts[0].links[&conn];
    world.break_end(end, CloseReason::Reset);
    world.run_for(2 * SECOND);
    assert!(world.node(0).book().pin(host(1)).is_some() && world.session(0, 1).is_none());
    world
}

fn assert_nobody_moved(world: &World) {
    assert!(world.node(0).book().pin(host(1)).is_some());
    assert!(!is_known_at(world, SCRIPT));
    assert_eq!(count(world, 0, |notice| matches!(notice, Notice::Moved { .. })), 0);
}

#[test]
fn a_relay_that_is_dialled_does_not_have_the_peer_behind_it_moved_to_itself() {
    let mut world = acquaintances();
    types(&mut world, &[&format!("/connect {SCRIPT}")]);
    let near = *world.script_ends(SCRIPT).last().unwrap();
    let far = world.script_dials(SCRIPT_IP, 1);
    relay(&mut world, near, far);
    assert_nobody_moved(&world);
}

/// The relay is written to in a form in which the address of a peer is that of its socket.
#[test]
fn a_relay_that_dials_does_not_have_the_peer_behind_it_moved_to_itself() {
    let mut world = acquaintances();
    let end = world.script_dials(SCRIPT_IP, 1);
    world.script_writes(end, "<10.0.9.9:9000> relay hi\n");
    world.run_for(SECOND);
    world.want(1, Act::Line(format!("/connect {SCRIPT}")), Duration::ZERO);
    world.run_for(10 * MS);
    let near = *world.script_ends(SCRIPT).last().unwrap();
    let far = world.script_dials(SCRIPT_IP, 0);
    relay(&mut world, near, far);
    assert_nobody_moved(&world);
}

/// What is on the wire for somebody with a key, behind the two lines of the handshake.
fn frames_to(world: &World, caller: &Caller) -> Vec<u8> {
    world.script_read_bytes(caller.end).splitn(3, |&byte| byte == b'\n').nth(2).unwrap_or_default().to_vec()
}

#[test]
fn a_key_that_is_known_takes_no_address_where_its_owner_is_not() {
    let mut world = world_that_knows(SCRIPT, known_by_compared_key(9), keyed(1));
    types(&mut world, &["/later 10.0.7.7:7000 secret"]);
    let caller = Caller::new(&mut world, SCRIPT_IP, "10.0.7.7:7000 S");
    let mut channel = caller.proves(&mut world, 9).unwrap();
    world.run_for(5 * SECOND);
    let mut text = Vec::new();
    channel.open(&frames_to(&world, &caller), &mut text).unwrap();
    assert!(!String::from_utf8_lossy(&text).contains("secret"), "held for somebody else");
    assert!(is_known_at(&world, SCRIPT) && !is_known_at(&world, "10.0.7.7:7000"));
}

#[test]
fn a_conversation_with_somebody_who_is_not_at_home_is_not_taken_over_by_a_known_key() {
    let carols = "192.168.1.5:8080 carol";
    let mut world = world_that_knows(SCRIPT, known_by_compared_key(9), require(1));
    let carol = Caller::new(&mut world, "10.0.5.5", carols);
    carol.proves(&mut world, 8).unwrap();
    types(&mut world, &["/query carol", "one"]);
    let caller = Caller::new(&mut world, SCRIPT_IP, carols);
    caller.proves(&mut world, 9);
    let before = world.script_read_bytes(caller.end).len();
    types(&mut world, &["secret"]);
    world.run_for(SECOND);
    assert_eq!(world.script_read_bytes(caller.end).len(), before);
}

#[test]
fn what_is_held_for_a_key_is_dropped_with_it() {
    let mut world = world_that_knows_the_script(keyed(1));
    for line in ["/later anna secret", "/trust anna", "y"] {
        types(&mut world, &[line]);
    }
    let end = hears(&mut world, SCRIPT_IP, &format!("{CLAIM} connect\n{CLAIM} hi\n"));
    world.run_for(5 * SECOND);
    let heard = world.script_read(end) + &world.script_heard(SCRIPT).join("");
    assert!(!heard.contains("secret"), "{heard}");
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::Later { what: Later::Forgotten, .. })), 1);
}

#[test]
fn whoever_is_blocked_leaves_the_block_where_it_was_and_takes_it_along() {
    let blocked = Known { is_blocked: true, ..known_by_compared_key(9) };
    let mut world = world_that_knows(SCRIPT, blocked, keyed(1));
    connects_as(&mut world, SCRIPT_IP, "10.0.9.9:7001 S", 9);
    hears(&mut world, SCRIPT_IP, &format!("{CLAIM} it is me again\n"));
    hears(&mut world, SCRIPT_IP, "10.0.9.9:7001 S and here\n");
    assert!(messages(&world, 0).is_empty());
}

#[test]
fn whoever_proves_another_key_from_elsewhere_is_shown_as_a_stranger() {
    let mut world = world_that_knows_the_script(keyed(1));
    connects_as(&mut world, ELSEWHERE, CLAIM, 5);
    assert_eq!(
        count(&world, 0, |notice| matches!(notice, Notice::OtherKey { .. })),
        0,
        "nobody is at that address"
    );
    assert_eq!(refused(&world), ["10.0.9.9:9000 S connect"]);
}

#[test]
fn an_encrypted_session_stays_that_of_its_peer() {
    let mut world = world_that_knows(SCRIPT, known_by_compared_key(9), keyed(1));
    let caller = Caller::new(&mut world, SCRIPT_IP, CLAIM);
    let mut channel = caller.proves(&mut world, 9).unwrap();
    let mut frame = Vec::new();
    channel.seal(b"10.0.7.7:7000 V connect\n", &mut frame).unwrap();
    world.script_writes_bytes(caller.end, &frame);
    world.run_for(SECOND);
    assert!(
        is_in_session_with(&world, SCRIPT) && world.node(0).directory().peer(at("10.0.7.7:7000")).is_none()
    );
}

#[test]
fn what_is_held_for_a_key_goes_to_nobody_else_even_where_the_key_is_forgotten() {
    let mut one = world_that_knows_the_script(keyed(1));
    types(&mut one, &["/later anna secret"]);
    let held: Vec<_> = one.node(0).held().texts().cloned().collect();
    let mut two = world_of([Config { held: held.clone(), ..keyed(1) }]);
    two.script_listens(SCRIPT);
    let end = hears(&mut two, SCRIPT_IP, &format!("{CLAIM} hi\n{CLAIM} connect\n"));
    two.run_for(5 * SECOND);
    let heard = two.script_read(end) + &two.script_heard(SCRIPT).join("");
    assert!(!heard.contains("secret"), "{heard}");
    assert_eq!(two.node(0).held().texts().count(), 1, "it waits");
    let mut three = world_of([Config { held, ..keyed(1) }]);
    let caller = Caller::new(&mut three, SCRIPT_IP, CLAIM);
    let mut channel = caller.proves(&mut three, 9).unwrap();
    three.run_for(5 * SECOND);
    let mut text = Vec::new();
    channel.open(&frames_to(&three, &caller), &mut text).unwrap();
    assert!(String::from_utf8_lossy(&text).contains("secret"), "whoever has the key gets it");
}
