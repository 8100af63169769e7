//! Keys: who is met, recognised, taken for somebody else, or refused; in calm worlds.

use crate::script_keys::{
    CLAIM, at, connects_as, hears, host, identity, is_sealed, keyed, not_sent, refused, standings, world_of,
    world_that_knows_the_script,
};
use crate::stories::{ELSEWHERE, MS, SCRIPT, SCRIPT_IP, SECOND, act, count, messages, say};
use crate::world::{Act, Fate, HostId, World};
use chinwag::chat::node::Config;
use chinwag::chat::notice::{Failure, Notice, Standing};
use chinwag::chat::trust::Policy;
use chinwag::proto::machine::CloseReason;
use chinwag::proto::secure::Identity;
use chinwag::proto::secure::words::message_of;
use std::time::Duration;

#[test]
fn two_who_have_keys_are_encrypted_and_know_each_other_from_then_on() {
    let mut world = world_of([keyed(1), keyed(2)]);
    act(&mut world, 0, Act::Connect(1));
    assert!(is_sealed(&world, 0, 1) && is_sealed(&world, 1, 0));
    say(&mut world, 0, &host(1).to_string(), "hello");
    say(&mut world, 1, &host(0).to_string(), "hi");
    assert_eq!((messages(&world, 0), messages(&world, 1)), (vec!["hi"], vec!["hello"]));
    assert_eq!(
        (standings(&world, 0), standings(&world, 1)),
        (vec![Standing::Pinned], vec![Standing::Pinned])
    );
    assert_eq!(world.node(0).counters().delivered, 1);
    assert_eq!(world.node(0).book().pin(host(1)).unwrap().key, identity(2).key());
}

#[test]
fn with_anybody_else_everything_is_as_it_was() {
    for (one, other) in [
        (keyed(1), Config::default()),
        (Config::default(), keyed(2)),
        (keyed(1), Config { secure: Policy::Never, ..keyed(2) }),
        (Config { secure: Policy::Never, ..keyed(1) }, keyed(2)),
        (keyed(1), keyed(1)),
    ] {
        let is_own = one.identity.as_ref().map(Identity::key) == other.identity.as_ref().map(Identity::key);
        let mut world = world_of([one, other]);
        act(&mut world, 0, Act::Connect(1));
        assert!(world.session(0, 1).is_some() && world.session(1, 0).is_some());
        say(&mut world, 0, &host(1).to_string(), "hello");
        assert_eq!((messages(&world, 1), standings(&world, 1)), (vec!["hello"], vec![Standing::AtHome]));
        assert!(
            world.node(0).book().pin(host(1)).is_none(),
            "a key of one's own tells nobody apart: {is_own}"
        );
    }
}

#[test]
fn a_text_for_somebody_with_a_key_goes_on_an_encrypted_session_which_is_made_first() {
    let mut world = world_of([keyed(1), keyed(2)]);
    act(&mut world, 0, Act::Connect(1));
    let conn = world.session(0, 1).unwrap();
    let end = world.hosts[0].links[&conn];
    world.break_end(end, CloseReason::Reset);
    world.run_for(SECOND);
    assert!(world.session(0, 1).is_none());
    say(&mut world, 0, &host(1).to_string(), "hello");
    assert_eq!((messages(&world, 1), standings(&world, 1)), (vec!["hello"], vec![Standing::Pinned]));
    assert!(world.session(0, 1).is_some());
}

#[test]
fn a_text_for_somebody_with_a_key_is_not_sent_where_nobody_proves_it() {
    for answer in
        ["10.0.9.9:9000 S connected chinwag/1\n", "10.0.9.9:9000 S connected", "10.0.9.9:9000 S hi\n", ""]
    {
        let mut world = world_that_knows_the_script(keyed(1));
        for line in ["1", SCRIPT, "secret"] {
            world.want(0, Act::Line(line.to_owned()), Duration::ZERO);
        }
        world.run_for(10 * MS);
        for end in world.script_ends(SCRIPT) {
            world.script_writes(end, answer);
        }
        world.run_for(10 * SECOND);
        assert_eq!(not_sent(&world), [Failure::Connection(CloseReason::NotEncrypted)], "{answer}");
        assert_eq!(world.script_heard(SCRIPT), ["10.0.0.1:8080 n0 connect"], "{answer}");
        assert!(messages(&world, 0).is_empty());
    }
}

#[test]
fn nothing_is_sent_to_somebody_with_a_key_without_a_key_of_ones_own() {
    for config in [Config::default(), Config { secure: Policy::Never, ..keyed(1) }] {
        let mut world = world_that_knows_the_script(config);
        say(&mut world, 0, SCRIPT, "secret");
        assert_eq!(not_sent(&world), [Failure::NoOwnKey]);
        assert!(world.script_heard(SCRIPT).is_empty());
        hears(&mut world, SCRIPT_IP, "10.0.9.9:9000 S hello\n10.0.9.9:9000 S connect\n");
        assert_eq!((messages(&world, 0).len(), refused(&world).len()), (0, 2));
    }
}

#[test]
fn what_is_said_in_the_clear_in_the_name_of_somebody_with_a_key_changes_nothing() {
    for (ip, first) in [(SCRIPT_IP, true), (ELSEWHERE, true), (SCRIPT_IP, false)] {
        let mut world = world_that_knows_the_script(keyed(1));
        let lines = ["hello", "exit", "connect_ack", "connected chinwag/1", "connect"];
        let mut said: Vec<String> = lines.iter().map(|word| format!("10.0.9.9:9000 S {word}")).collect();
        if !first {
            said.rotate_right(1);
        }
        let end = hears(&mut world, ip, &(said.join("\n") + "\n"));
        world.run_for(10 * SECOND);
        assert!(messages(&world, 0).is_empty());
        assert!(world.node(0).directory().peer(at(SCRIPT)).is_none(), "no entry");
        assert_eq!(
            count(&world, 0, |notice| matches!(notice, Notice::Connected(_) | Notice::Disconnected(_))),
            0
        );
        assert!(world.script_heard(SCRIPT).is_empty(), "nobody is dialled");
        let read = world.script_read(end);
        assert!(read.is_empty() || (read.contains(" noise=") && read.lines().count() == 1), "{read}");
        let expected = if first { 5 } else { 1 };
        assert_eq!(refused(&world).len(), expected, "{:?}", refused(&world));
        assert_eq!(world.node(0).connections(), 0, "it was refused, and closed");
    }
}

#[test]
fn the_connect_of_somebody_with_a_key_counts_when_the_key_is_proved_and_not_before() {
    for (n, ip, is_taken) in [(9, SCRIPT_IP, true), (9, ELSEWHERE, true), (8, SCRIPT_IP, false)] {
        let mut world = world_that_knows_the_script(keyed(1));
        let end = connects_as(&mut world, ip, CLAIM, n).end;
        let is_connected = count(&world, 0, |notice| matches!(notice, Notice::Connected(_))) == 1;
        let is_told = count(&world, 0, |notice| matches!(notice, Notice::OtherKey { .. })) == 1;
        assert_eq!((is_connected, is_told), (is_taken, !is_taken), "{n} {ip}");
        let last = world.script_read_bytes(end);
        let has_proof = last.split(|&byte| byte == b'\n').any(|line| message_of(line).is_some());
        assert_eq!(has_proof, is_taken, "nothing is proved to an impostor");
        let key = world.node(0).book().pin(at(SCRIPT)).unwrap().key;
        assert_eq!(key, identity(9).key(), "the entry stays");
    }
}

#[test]
fn whoever_has_the_key_is_recognised_at_another_address_with_alias_and_block() {
    for alias in ["/alias 10.0.0.2:8080 anna", "/block 10.0.0.2:8080"] {
        let is_blocked = alias.starts_with("/block");
        let mut world = world_of([keyed(1), keyed(2), keyed(2)]);
        act(&mut world, 0, Act::Connect(1));
        act(&mut world, 0, Act::Line(alias.to_owned()));
        world.befall(1, Fate::Killed, MS);
        world.run_for(SECOND);
        act(&mut world, 2, Act::Connect(0));
        let book = world.node(0).book();
        assert!(book.pin(host(1)).is_none() && book.pin(host(2)).is_some());
        assert_eq!(
            book.get(host(1)).is_some_and(|known| known.is_blocked),
            is_blocked,
            "a block stays there too"
        );
        let is_moved = |notice: &Notice| matches!(notice, Notice::Moved { from, .. } if *from == host(1));
        assert_eq!(count(&world, 0, is_moved), 1);
        let known = book.get(host(2)).unwrap();
        assert_eq!((known.alias.as_deref(), known.is_blocked), ((!is_blocked).then_some("anna"), is_blocked));
        assert_eq!(world.session(0, 2).is_some(), !is_blocked);
    }
}

#[test]
fn what_is_on_its_way_to_a_peer_that_moves_follows_it_and_nobody_else_gets_it() {
    for line in ["/msg anna secret", "/msg 1 secret"] {
        let mut world = world_that_knows_the_script(keyed(1));
        world.add(host(1), keyed(9));
        act(&mut world, 0, Act::Query);
        world.want(0, Act::Line(line.to_owned()), Duration::ZERO);
        world.run_for(10 * MS);
        world.want(1, Act::Connect(0), Duration::ZERO);
        world.run_for(10 * SECOND);
        // A number of a list means the peer, not the place.
        act(&mut world, 0, Act::Line("/msg 1 more".to_owned()));
        assert_eq!(world.script_heard(SCRIPT), ["10.0.0.1:8080 n0 connect"], "{line}");
        assert_eq!(messages(&world, 1), ["secret", "more"], "{line}");
    }
}

#[test]
fn a_question_about_one_key_says_nothing_of_another_one() {
    let mut world = world_that_knows_the_script(keyed(1));
    act(&mut world, 0, Act::Line("/verify anna".to_owned()));
    world.add(host(1), keyed(9));
    act(&mut world, 1, Act::Connect(0));
    connects_as(&mut world, SCRIPT_IP, CLAIM, 8);
    act(&mut world, 0, Act::Line("y".to_owned()));
    let pin = |world: &World, at| world.node(0).book().pin(at).cloned().unwrap();
    assert!(pin(&world, host(1)).is_verified, "it is the same peer at another place");
    let there = pin(&world, at(SCRIPT));
    assert_eq!((there.key, there.is_verified), (identity(8).key(), false));
    act(&mut world, 0, Act::Line("/verify S".to_owned()));
    act(&mut world, 0, Act::Line("n".to_owned()));
    assert!(!pin(&world, at(SCRIPT)).is_verified);
}

#[test]
fn two_programs_with_one_key_do_not_push_each_other_away() {
    let mut world = world_of([keyed(1), keyed(2), keyed(2)]);
    act(&mut world, 0, Act::Connect(1));
    act(&mut world, 2, Act::Connect(0));
    assert!([1, 2].iter().all(|&id| world.session(0, id).is_some()));
    assert!([1, 2].iter().all(|&id| world.node(0).book().pin(host(id)).is_some()));
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::Moved { .. })), 0);
}

#[test]
fn whoever_insists_on_encryption_says_and_believes_nothing_in_the_clear() {
    let require = |n| Config { secure: Policy::Require, ..keyed(n) };
    let mut world = world_of([require(1), keyed(2)]);
    say(&mut world, 0, SCRIPT, "secret");
    assert_eq!(world.script_heard(SCRIPT), ["10.0.0.1:8080 n0 connect"]);
    assert_eq!(not_sent(&world), [Failure::Connection(CloseReason::NotEncrypted)]);
    hears(&mut world, SCRIPT_IP, "10.0.9.9:9000 S hello\nanything\n");
    assert!(messages(&world, 0).is_empty() && refused(&world).len() == 2, "{:?}", refused(&world));
    say(&mut world, 1, &host(0).to_string(), "one");
    assert!(messages(&world, 0).is_empty(), "it does not know yet");
    say(&mut world, 0, &host(1).to_string(), "two");
    say(&mut world, 1, &host(0).to_string(), "three");
    assert_eq!((messages(&world, 0), messages(&world, 1)), (vec!["three"], vec!["two"]));
}

#[test]
fn a_key_that_was_forgotten_is_believed_anew() {
    let mut world = world_that_knows_the_script(keyed(1));
    act(&mut world, 0, Act::Line("/trust anna".to_owned()));
    act(&mut world, 0, Act::Line("y".to_owned()));
    connects_as(&mut world, SCRIPT_IP, CLAIM, 8);
    assert_eq!(world.node(0).book().pin(at(SCRIPT)).unwrap().key, identity(8).key());
}

#[test]
fn a_compared_key_is_shown_so_on_each_line() {
    let mut world = world_of([keyed(1), keyed(2)]);
    act(&mut world, 0, Act::Connect(1));
    act(&mut world, 0, Act::Line("/verify n1".to_owned()));
    act(&mut world, 0, Act::Line("perhaps".to_owned()));
    act(&mut world, 0, Act::Line("y".to_owned()));
    say(&mut world, 1, &host(0).to_string(), "hi");
    assert_eq!(standings(&world, 0), [Standing::Verified]);
    let number = |world: &World, id: HostId| {
        world.hosts[id].notices.iter().find_map(|notice| match notice {
            Notice::Verify { number, .. } => Some(number.clone()),
            _ => None,
        })
    };
    act(&mut world, 1, Act::Line("/verify n0".to_owned()));
    assert!(number(&world, 0).is_some() && number(&world, 0) == number(&world, 1));
}

#[test]
fn whoever_says_nothing_to_an_offer_is_a_plain_peer_and_waits_two_seconds_at_most() {
    let mut world = world_of([keyed(1)]);
    let end = hears(&mut world, SCRIPT_IP, "10.0.9.9:9000 S connect");
    say(&mut world, 0, SCRIPT, "hello");
    world.run_for(2 * SECOND);
    let read = world.script_read(end);
    assert!(read.ends_with("\n10.0.0.1:8080 n0 hello\n"), "{read}");
    world.script_writes(end, "10.0.9.9:9000 S hi\n");
    world.run_for(MS);
    assert_eq!((messages(&world, 0), standings(&world, 0)), (vec!["hi"], vec![Standing::AtHome]));
}
