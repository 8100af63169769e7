//! Handshakes that do not go as they should: in the wrong order, too long, too many, never ending; in calm worlds.

use crate::script_keys::{
    CLAIM, Caller, at, connects_as, ended, identity, keyed, refused, stats, types, world_of,
    world_that_knows_the_script,
};
use crate::stories::{MS, SCRIPT, SCRIPT_IP, SECOND, calm_world, count, messages};
use crate::world::World;
use chinwag::chat::notice::Notice;
use chinwag::limits::{
    CONNECT_BYTES_MAX, HANDSHAKES_OF_IP_BURST, HANDSHAKES_OF_IP_INTERVAL, MESSAGE_BYTES_MAX, OFFER_TIMEOUT,
    PINS_OF_IP_MAX, UNFINISHED_TIMEOUT,
};
use chinwag::proto::machine::CloseReason;
use chinwag::proto::secure::words::{encoded, line, offer_head};
use chinwag::proto::secure::{Channel, Offered, Seed, prologue};

/// Wrong proofs from that IP use up what it may cause at once, and so many intervals after that.
fn use_up_allowance(world: &mut World, ip: &str, intervals: u32) {
    let count = HANDSHAKES_OF_IP_BURST + intervals;
    let claims = (0..count).map(|n| format!("{ip}:{} S", 20_000 + n));
    let callers: Vec<Caller> = claims.map(|claim| Caller::new(world, ip, &claim)).collect();
    for caller in callers {
        world.script_writes(caller.end, &line(&[7; 120]));
    }
    world.run_for(MS);
}

fn frame(channel: &mut Channel, text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    channel.seal(text.as_bytes(), &mut frame).unwrap();
    frame
}

/// Bytes without a newline would be the beginning of the first line that is encrypted.
#[test]
fn whatever_stands_in_the_clear_behind_a_proof_that_waits_ends_the_connection() {
    for is_at_once in [true, false] {
        let mut world = world_of([keyed(1)]);
        let caller = Caller::new(&mut world, SCRIPT_IP, CLAIM);
        let (answered, proof) = caller.proof(&world, 9);
        use_up_allowance(&mut world, SCRIPT_IP, 2);
        world.script_writes(caller.end, &proof);
        if !is_at_once {
            world.run_for(MS);
        }
        world.script_writes(caller.end, &format!("{CLAIM} pay Mallory; "));
        world.run_for(SECOND);
        if let Some(mut channel) = caller.channel(&world, answered) {
            world.script_writes_bytes(caller.end, &frame(&mut channel, &format!("{CLAIM} hello\n")));
            world.run_for(SECOND);
        }
        assert!(messages(&world, 0).is_empty(), "at once: {is_at_once}: {:?}", messages(&world, 0));
        assert_eq!(world.script_closed(caller.end), Some(CloseReason::Reset), "at once: {is_at_once}");
    }
}

#[test]
fn nothing_in_the_clear_counts_once_an_offer_is_taken() {
    for (said, is_closed) in [(" evil\n", false), (" evil", true), (" evil", false)] {
        let mut world = world_of([keyed(1)]);
        types(&mut world, &[&format!("/connect {SCRIPT}")]);
        let end = world.script_ends(SCRIPT)[0];
        let connect = world.script_read(end);
        let head = offer_head(&format!("{CLAIM} connected chinwag/1"));
        let prologue = prologue(&[connect.as_bytes(), head.as_bytes()]);
        let (_, message) = Offered::new(&identity(9), &prologue, Seed([3; 32])).unwrap();
        world.script_writes(end, &format!("{head}{}\n", encoded(&message)));
        world.run_for(10 * MS);
        assert!(world.script_read(end).contains("!noise "), "the offer is taken");
        world.script_writes(end, &format!("{CLAIM}{said}"));
        if is_closed {
            world.script_closes_its_side(end);
        }
        world.run_for(10 * SECOND);
        assert!(messages(&world, 0).is_empty(), "{said:?} {is_closed}");
        assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::Accepted(_))), 0);
        assert_eq!(world.node(0).connections(), 0);
    }
}

#[test]
fn a_proof_that_waits_for_its_turn_is_not_given_up() {
    let mut world = world_of([keyed(1)]);
    let caller = Caller::new(&mut world, SCRIPT_IP, CLAIM);
    let (answered, proof) = caller.proof(&world, 9);
    use_up_allowance(&mut world, SCRIPT_IP, 12);
    world.script_writes(caller.end, &proof);
    world.run_for(OFFER_TIMEOUT);
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::Pinned { .. })), 0, "it waits");
    world.run_for(12 * HANDSHAKES_OF_IP_INTERVAL);
    let mut channel = caller.channel(&world, answered).expect("a session");
    world.script_writes_bytes(caller.end, &frame(&mut channel, &format!("{CLAIM} hello\n")));
    world.run_for(MS);
    assert_eq!(messages(&world, 0), ["hello"]);
}

#[test]
fn a_frame_that_is_never_completed_ends_its_session() {
    for is_trickling in [false, true] {
        let mut world = world_of([keyed(1)]);
        let caller = connects_as(&mut world, SCRIPT_IP, CLAIM, 9);
        let length = 0x4010_u16.to_be_bytes();
        world.script_writes_bytes(caller.end, &[&length[..], &[7; 16_000]].concat());
        let seconds = UNFINISHED_TIMEOUT.as_secs() as u32;
        for _ in 1..seconds {
            if is_trickling {
                world.script_writes_bytes(caller.end, &[7]);
            }
            world.run_for(SECOND);
        }
        assert_eq!(world.node(0).connections(), 1, "trickling: {is_trickling}");
        world.run_for(SECOND);
        assert_eq!(world.node(0).connections(), 0, "trickling: {is_trickling}");
        let is_lost = |notice: &Notice| matches!(notice, Notice::Lost { reason: CloseReason::BadFrame, .. });
        assert_eq!(count(&world, 0, is_lost), 1, "trickling: {is_trickling}");
        assert_eq!(stats(&mut world).held_bytes, 0);
    }
}

#[test]
fn a_connect_that_is_too_long_for_a_handshake_is_not_answered_with_an_offer() {
    for (bytes, is_offered) in [(CONNECT_BYTES_MAX, true), (CONNECT_BYTES_MAX + 1, false), (60_000, false)] {
        let long = "x".repeat(bytes - "10.0.9.9:9000  connect".len());
        let claim = format!("10.0.9.9:9000 {long}");
        let mut world = world_of([keyed(1)]);
        let caller = Caller::new(&mut world, SCRIPT_IP, &claim);
        let read = world.script_read(caller.end);
        assert!(read.starts_with("10.0.0.1:8080 n0 connected chinwag/1"), "{bytes}: {read}");
        assert_eq!(read.contains(" noise="), is_offered, "{bytes}: {read}");
        assert!(stats(&mut world).held_bytes < bytes, "{bytes}");

        let mut world = world_that_knows_the_script(keyed(1));
        let caller = Caller::new(&mut world, SCRIPT_IP, &claim);
        assert_eq!(world.script_read(caller.end).contains(" noise="), is_offered, "{bytes}");
        assert_eq!(
            (refused(&world).len(), world.node(0).connections()),
            if is_offered { (0, 1) } else { (1, 0) }
        );
    }
}

#[test]
fn an_answer_that_is_too_long_for_a_handshake_is_not_taken_as_an_offer() {
    for (bytes, is_taken) in [(CONNECT_BYTES_MAX, true), (CONNECT_BYTES_MAX + 1, false)] {
        let mut world = world_of([keyed(1)]);
        types(&mut world, &[&format!("/connect {SCRIPT}")]);
        let end = world.script_ends(SCRIPT)[0];
        let tail = format!(" connected chinwag/1 noise={}", encoded(&[9; 32]));
        let long = "x".repeat(bytes - tail.len() - "10.0.9.9:9000 ".len());
        world.script_writes(end, &format!("10.0.9.9:9000 {long}{tail}\n"));
        world.run_for(MS);
        assert_eq!(world.script_read(end).contains("!noise "), is_taken, "{bytes}");
    }
}

#[test]
fn a_proof_that_is_too_long_does_not_wait_for_its_turn() {
    for (bytes, waits) in [(MESSAGE_BYTES_MAX, true), (MESSAGE_BYTES_MAX + 1, false), (40_000, false)] {
        let mut world = world_of([keyed(1)]);
        let caller = Caller::new(&mut world, SCRIPT_IP, CLAIM);
        use_up_allowance(&mut world, SCRIPT_IP, 4);
        let before = ended(&mut world, CloseReason::BadProof);
        world.script_writes(caller.end, &line(&vec![7; bytes]));
        world.run_for(MS);
        assert_eq!(world.script_closed(caller.end), (!waits).then_some(CloseReason::Reset), "{bytes}");
        assert_eq!(ended(&mut world, CloseReason::BadProof) - before, u64::from(!waits), "{bytes}");
    }
}

#[test]
fn one_network_of_ipv6_gets_no_more_keys_remembered_than_one_address() {
    let mut world = calm_world(0);
    world.add(at("[2001:db8:1::1]:8080"), keyed(1));
    let mut meet = |ip: &str, n: u8| {
        let caller = Caller::new(&mut world, ip, &format!("[{ip}]:9 S"));
        assert!(caller.proves(&mut world, n).is_some(), "{ip} is encrypted");
        world.node(0).book().iter().filter(|(_, known)| known.pin.is_some()).count()
    };
    let max = PINS_OF_IP_MAX as u8;
    let mut pins = 0;
    for n in 1..=max + 4 {
        pins = meet(&format!("2001:db8:2::{n:x}"), n + 1);
    }
    assert_eq!(pins, PINS_OF_IP_MAX);
    assert_eq!(meet("2001:db8:2:1::1", max + 10), PINS_OF_IP_MAX + 1, "another network has its own");
}
