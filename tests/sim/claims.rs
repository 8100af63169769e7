//! Strangers who say that they are somebody else, or many, in calm worlds.

use crate::stories::{
    ELSEWHERE, MS, SCRIPT, SCRIPT_IP, SECOND, act, calm_world, calm_world_of, count, messages, say,
};
use crate::wires::EndId;
use crate::world::{Act, World};
use chinwag::chat::directory::Peer;
use chinwag::chat::node::Config;
use chinwag::chat::notice::Notice;
use chinwag::limits::Limits;
use chinwag::proto::machine::CloseReason;
use chinwag::proto::message::Dialect;
use std::time::Duration;

fn hears(world: &mut World, ip: &str, bytes: &str) -> EndId {
    let end = world.script_dials(ip, 0);
    world.script_writes(end, bytes);
    world.run_for(MS);
    end
}

fn peer(world: &World) -> &Peer {
    world.node(0).directory().peer(SCRIPT.parse().unwrap()).unwrap()
}

#[test]
fn a_session_of_a_claimant_ends_when_the_peer_itself_is_heard() {
    let mut world = calm_world(1);
    world.script_listens(SCRIPT);
    let claimant = hears(&mut world, ELSEWHERE, "10.0.9.9:9000 S connect\n");
    assert!(peer(&world).session.is_some(), "first come");
    hears(&mut world, SCRIPT_IP, "10.0.9.9:9000 S hello\n");
    assert!(peer(&world).session.is_none() && !peer(&world).is_connected);
    say(&mut world, 0, SCRIPT, "secret");
    assert_eq!(world.script_heard(SCRIPT), ["10.0.0.1:8080 n0 secret"]);
    assert!(!world.script_read(claimant).contains("secret"));
}

#[test]
fn a_session_of_a_claimant_ends_when_the_peer_itself_is_reached() {
    let mut world = calm_world(1);
    world.script_listens(SCRIPT);
    for line in ["1", SCRIPT, "one"] {
        world.want(0, Act::Line(line.to_owned()), Duration::ZERO);
    }
    world.run_for(100 * MS);
    let claimant = hears(&mut world, ELSEWHERE, "10.0.9.9:9000 S connect\n");
    assert!(peer(&world).session.is_some(), "first come");
    world.run_for(SECOND);
    say(&mut world, 0, SCRIPT, "two");
    assert_eq!(world.script_heard(SCRIPT), ["10.0.0.1:8080 n0 one", "10.0.0.1:8080 n0 two"]);
    assert!(!world.script_read(claimant).contains("two"));
}

#[test]
fn a_session_of_a_claimant_is_not_taken_over_by_another_one() {
    let mut world = calm_world(1);
    let first = hears(&mut world, ELSEWHERE, "10.0.9.9:9000 S connect\n");
    hears(&mut world, "10.0.7.7", "10.0.9.9:9000 S connect\n");
    say(&mut world, 0, SCRIPT, "hello");
    assert!(world.script_read(first).ends_with(" n0 hello\n"));
    let again = hears(&mut world, ELSEWHERE, "10.0.9.9:9000 S connect\n");
    say(&mut world, 0, SCRIPT, "hello again");
    assert!(world.script_read(again).ends_with(" n0 hello again\n"), "a new one from where it is");
}

#[test]
fn an_exit_counts_from_the_own_host_in_the_own_name_alone() {
    for (ip, name, removes) in
        [(SCRIPT_IP, "S", true), (SCRIPT_IP, "X", false), (ELSEWHERE, "S", false), (ELSEWHERE, "X", false)]
    {
        let mut world = calm_world(1);
        hears(&mut world, SCRIPT_IP, "10.0.9.9:9000 S hello\n");
        hears(&mut world, ip, &format!("10.0.9.9:9000 {name} exit\n"));
        assert_eq!(world.node(0).directory().is_empty(), removes, "{ip} {name}");
    }
}

#[test]
fn nobody_is_dialled_for_a_claimant_that_asks_in_a_line_and_hangs_up() {
    let mut world = calm_world(1);
    world.script_listens(SCRIPT);
    let claimant = hears(&mut world, ELSEWHERE, "10.0.9.9:9000 S connect\n");
    world.script_closes_its_side(claimant);
    world.run_for(SECOND);
    assert!(world.script_heard(SCRIPT).is_empty());
    assert!(!peer(&world).is_connected);
}

#[test]
fn lines_of_a_claimant_change_nothing_of_a_confirmed_peer_early_or_late() {
    let mut world = calm_world(1);
    let early = hears(&mut world, ELSEWHERE, "10.0.9.9:9000 S before\n");
    let own = hears(&mut world, SCRIPT_IP, "LISTENING_PORT:9000|TEAM_NAME:S|hello");
    world.script_closes_its_side(own);
    world.run_for(MS);
    let heard = peer(&world).heard;
    let late = hears(&mut world, ELSEWHERE, "10.0.9.9:9000 S one\n10.0.9.9:9000 S two\n");
    for (claimant, word) in [(early, "chat"), (late, "chat"), (late, "connect_ack")] {
        world.script_writes(claimant, &format!("10.0.9.9:9000 S {word}\n"));
        world.run_for(MS);
        let peer = peer(&world);
        assert_eq!((peer.dialect, peer.heard), (Dialect::Netech, heard), "{word}");
        assert!(!peer.is_connected, "{word}");
    }
    assert_eq!(messages(&world, 0), ["before", "hello", "one", "two", "chat", "chat"]);
}

#[test]
fn a_peer_that_was_reached_is_not_active_by_a_claim_and_never_new() {
    let mut world = calm_world(1);
    world.script_listens(SCRIPT);
    say(&mut world, 0, SCRIPT, "hello");
    hears(&mut world, ELSEWHERE, "10.0.9.9:9000 S boo\n");
    assert!(!peer(&world).is_active());
    hears(&mut world, SCRIPT_IP, "10.0.9.9:9000 S hello\n");
    assert!(peer(&world).is_active());
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::NewPeer(_))), 0);
}

#[test]
fn a_stranger_who_varies_its_claim_has_one_allowance() {
    for peers_max in [0, 65_536] {
        let limits = Limits { peers_max, ..Limits::default() };
        let mut world = calm_world_of(1, &Config { is_terminal: true, limits, ..Config::default() });
        let lines: String = (1..=300).map(|n| format!("10.0.9.9:{n} S{n} hello\n")).collect();
        hears(&mut world, ELSEWHERE, &lines);
        assert_eq!(messages(&world, 0).len(), 200, "{peers_max}");
        world.run_for(SECOND);
        let is_told = |n: &Notice| matches!(n, Notice::Folded { who, lines: 100 } if who.address.port() == 0);
        assert_eq!(count(&world, 0, is_told), 1, "{peers_max}");
    }
}

#[test]
fn a_claimant_does_not_use_up_what_the_peer_may_say() {
    let mut world = calm_world_of(1, &Config { is_terminal: true, ..Config::default() });
    hears(&mut world, ELSEWHERE, &"10.0.9.9:9000 S boo\n".repeat(300));
    hears(&mut world, SCRIPT_IP, "10.0.9.9:9000 S hello\n");
    assert_eq!(messages(&world, 0).last(), Some(&"hello"));
}

#[test]
fn who_connects_and_breaks_off_again_and_again_is_folded_too() {
    let mut world = calm_world_of(1, &Config { is_terminal: true, ..Config::default() });
    for _ in 0..300 {
        let end = hears(&mut world, SCRIPT_IP, "10.0.9.9:9000 S connect\n!ping 1\n");
        world.break_end(end.other(), CloseReason::Reset);
    }
    let shown = count(&world, 0, |n| matches!(n, Notice::Connected(_) | Notice::Lost { .. }));
    assert!(shown <= 210, "{shown}");
}

#[test]
fn a_loss_that_costs_a_text_is_told_whatever_was_folded() {
    let mut world = calm_world_of(1, &Config { is_terminal: true, ..Config::default() });
    let end = hears(&mut world, SCRIPT_IP, "10.0.9.9:9000 S connect\n");
    world.script_stops_reading(end);
    for _ in 0..2 {
        say(&mut world, 0, SCRIPT, &"x".repeat(40 * 1024));
    }
    world.script_writes(end, &"10.0.9.9:9000 S hello\n".repeat(300));
    world.run_for(MS);
    world.break_end(end.other(), CloseReason::Reset);
    world.run_for(MS);
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::NotSent { .. })), 1);
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::Lost { .. })), 1);
    act(&mut world, 0, Act::Query);
}

#[test]
fn a_claim_does_not_end_our_own_connect() {
    let mut world = calm_world(1);
    world.script_listens(SCRIPT);
    for line in ["3", SCRIPT] {
        world.want(0, Act::Line(line.to_owned()), Duration::ZERO);
    }
    world.run_for(10 * MS);
    let claimant = hears(&mut world, ELSEWHERE, "10.0.9.9:9000 S connect\n");
    world.run_for(2 * SECOND);
    assert_eq!(world.script_heard(SCRIPT), ["10.0.0.1:8080 n0 connect"]);
    assert!(peer(&world).session.is_none() && peer(&world).is_confirmed);
    say(&mut world, 0, SCRIPT, "secret");
    assert!(!world.script_read(claimant).contains("secret"));
}

#[test]
fn one_stranger_cannot_keep_our_dials_busy_with_acknowledgements() {
    let mut world = calm_world(1);
    for port in 1..=90 {
        let end = world.script_dials(SCRIPT_IP, 0);
        world.script_writes(end, &format!("{SCRIPT_IP}:{port} S{port} connect"));
        world.script_closes_its_side(end);
    }
    world.run_for(10 * MS);
    let dials = world.wires.len() - 90;
    assert!((1..=20).contains(&dials), "{dials}");
}

#[test]
fn claims_make_room_in_a_full_table_for_each_other_and_for_newcomers_and_peers_stay() {
    let limits = Limits { peers_max: 4, ..Limits::default() };
    let mut world = calm_world_of(1, &Config { limits, ..Config::default() });
    let own = hears(&mut world, SCRIPT_IP, "10.0.9.9:9000 S connect\n");
    let first = hears(&mut world, ELSEWHERE, "10.0.8.8:1 A one\n");
    let lines: String = (2..=50).map(|n| format!("10.0.8.8:{n} B two\n")).collect();
    hears(&mut world, "10.0.6.7", &lines);
    let is_there =
        |world: &World, peer: &str| world.node(0).directory().peer(peer.parse().unwrap()).is_some();
    assert!(!is_there(&world, "10.0.8.8:1") && is_there(&world, "10.0.8.8:50"));
    // Whose entry is gone is heard as ever, and entered anew.
    world.script_writes(first, "10.0.8.8:1 A three\n");
    world.run_for(MS);
    assert_eq!(messages(&world, 0).last(), Some(&"three"));
    assert!(is_there(&world, "10.0.8.8:1") && !is_there(&world, "10.0.8.8:48"));
    // A session counts while it lasts, even if its peer is elsewhere than it claims.
    let claimant = hears(&mut world, ELSEWHERE, "10.0.8.8:99 C connect\n");
    for port in 100..=109 {
        let newcomer = hears(&mut world, "10.0.7.7", &format!("10.0.7.7:{port} N connect\n"));
        let is_answered = world.script_read(newcomer).contains("connected");
        assert_eq!(is_answered, port < 102, "{port}: then all are real");
    }
    assert!(is_there(&world, SCRIPT) && is_there(&world, "10.0.8.8:99"));
    world.break_end(claimant.other(), CloseReason::Reset);
    world.run_for(MS);
    hears(&mut world, "10.0.7.7", "10.0.7.7:110 N connect\n");
    assert!(is_there(&world, "10.0.7.7:110") && !is_there(&world, "10.0.8.8:99"));
    say(&mut world, 0, SCRIPT, "still here");
    assert!(world.script_read(own).ends_with(" n0 still here\n"));
}
