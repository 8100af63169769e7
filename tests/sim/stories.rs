//! Short stories in calm worlds: no chance, no latency, no faults but those that are told.

use crate::checks;
use crate::faults::Faults;
use crate::wires::VANISHED_TIMEOUT;
use crate::world::{Act, Fate, HostId, World};
use chinwag::chat::node::Config;
use chinwag::chat::notice::{Failure, Notice};
use chinwag::limits::{HEADER_FLUSH, LINE_BYTES_MAX, Limits, PLAIN_BYTES_MAX};
use chinwag::proto::machine::{CloseReason, Input};
use chinwag::proto::message::Dialect;
use fastrand::Rng;
use std::net::SocketAddr;
use std::time::Duration;

pub const MS: Duration = Duration::from_millis(1);
pub const SECOND: Duration = Duration::from_secs(1);

/// A peer played by hand: where it says it listens, and how it introduces itself.
pub const SCRIPT_IP: &str = "10.0.9.9";
pub const SCRIPT: &str = "10.0.9.9:9000";

/// Where a stranger is.
pub const ELSEWHERE: &str = "10.0.6.6";

pub fn calm_world(hosts: usize) -> World {
    calm_world_of(hosts, &Config::default())
}

pub fn calm_world_of(hosts: usize, config: &Config) -> World {
    let mut world = World::new(Faults::none(), Rng::with_seed(0));
    for host in 0..hosts {
        world.add(SocketAddr::from(([10, 0, 0, host as u8 + 1], 8080)), config.clone());
    }
    world
}

/// Does it at once, and lets a second and a half pass: time for everything but a failing dial.
pub fn act(world: &mut World, id: HostId, act: Act) {
    world.want(id, act, Duration::ZERO);
    world.run_for(1500 * MS);
}

/// Types one text to one address.
pub fn say(world: &mut World, id: HostId, to: &str, text: &str) {
    for line in ["1", to, text] {
        world.want(id, Act::Line(line.to_owned()), Duration::ZERO);
    }
    world.run_for(1500 * MS);
}

pub fn messages(world: &World, id: HostId) -> Vec<&str> {
    fn text(notice: &Notice) -> Option<&str> {
        if let Notice::Message { text, .. } = notice { Some(text) } else { None }
    }
    world.hosts[id].notices.iter().filter_map(text).collect()
}

pub fn count(world: &World, id: HostId, is_meant: impl Fn(&Notice) -> bool) -> usize {
    world.hosts[id].notices.iter().filter(|notice| is_meant(notice)).count()
}

fn are_in_session(world: &World, a: HostId, b: HostId) -> bool {
    world.session(a, b).is_some() && world.session(b, a).is_some()
}

#[test]
fn two_nodes_connect_after_the_idle_flush_and_talk_both_ways() {
    let mut world = calm_world(2);
    world.want(0, Act::Connect(1), Duration::ZERO);
    world.run_for(249 * MS);
    assert!(!are_in_session(&world, 0, 1));
    world.run_for(MS);
    assert!(are_in_session(&world, 0, 1));
    for id in [0, 1, 0, 1] {
        act(&mut world, id, Act::Say(1 - id));
    }
    assert_eq!(messages(&world, 0), ["1>0 #1.", "1>0 #2."]);
    assert_eq!(messages(&world, 1), ["0>1 #1.", "0>1 #2."]);
    assert_eq!(world.wires_in_use(), 1);
    checks::at_rest(&world);
}

#[test]
fn a_plain_message_is_one_connection_and_has_no_newline() {
    let mut world = calm_world(1);
    world.script_listens(SCRIPT);
    say(&mut world, 0, SCRIPT, "hello there");
    assert_eq!(world.script_heard(SCRIPT), ["10.0.0.1:8080 n0 hello there"]);
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::Sent(_))), 1);
    assert_eq!(world.hosts[0].links.len(), 0);
}

#[test]
fn a_long_text_goes_to_a_plain_peer_in_several_messages_in_order() {
    let mut world = calm_world(2);
    let text = "é".repeat(1500);
    say(&mut world, 0, "10.0.0.2:8080", &text);
    assert_eq!(messages(&world, 1).concat(), text);
    let header = "10.0.0.1:8080 n0 ".len();
    assert!(messages(&world, 1).iter().all(|part| header + part.len() <= PLAIN_BYTES_MAX));
}

#[test]
fn nobody_listens_and_the_text_is_told() {
    let mut world = calm_world(1);
    say(&mut world, 0, SCRIPT, "precious");
    let why = Failure::Connection(CloseReason::Refused);
    let told = Notice::NotSent { to: SCRIPT.parse().unwrap(), text: "precious".to_owned(), why };
    assert!(world.hosts[0].notices.contains(&told));
}

#[test]
fn who_is_refused_for_a_limit_is_told_that_nothing_was_sent() {
    let limits = Limits { connections_max: 0, ..Limits::default() };
    let mut world = calm_world(1);
    let full = SocketAddr::from(([10, 0, 0, 2], 8080));
    world.add(full, Config { limits, ..Config::default() });
    say(&mut world, 0, &full.to_string(), "precious");
    let why = Failure::Connection(CloseReason::Reset);
    let told = Notice::NotSent { to: full, text: "precious".to_owned(), why };
    assert!(world.hosts[0].notices.contains(&told));
}

#[test]
fn both_dial_at_once_and_the_dial_of_the_smaller_address_stays() {
    let mut world = calm_world(2);
    world.want(0, Act::Connect(1), Duration::ZERO);
    act(&mut world, 1, Act::Connect(0));
    checks::at_rest(&world);
    assert_eq!(world.wires_in_use(), 1);
    let session = world.session(0, 1).unwrap();
    assert!(world.hosts[0].links[&session].is_dialler());
    act(&mut world, 0, Act::Say(1));
    act(&mut world, 1, Act::Say(0));
    checks::at_rest(&world);
}

#[test]
fn exit_removes_the_entry_on_both_sides_and_ends_the_session() {
    let mut world = calm_world(3);
    act(&mut world, 0, Act::Connect(1));
    act(&mut world, 2, Act::Connect(1));
    act(&mut world, 0, Act::Exit(1));
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::ExitSent(_))), 1);
    assert_eq!(count(&world, 1, |notice| matches!(notice, Notice::Disconnected(_))), 1);
    assert!(world.node(0).directory().is_empty());
    assert_eq!(world.node(1).directory().len(), 1);
    assert!(are_in_session(&world, 1, 2));
    checks::at_rest(&world);
}

#[test]
fn a_farewell_ends_the_session_whoever_says_it() {
    for is_ours in [true, false] {
        let mut world = calm_world(1);
        let peer = world.script_dials(SCRIPT_IP, 0);
        world.script_writes(peer, "10.0.9.9:9000 S connect");
        world.run_for(SECOND);
        if is_ours {
            say(&mut world, 0, SCRIPT, "exit");
            assert!(world.script_read(peer).ends_with("\n10.0.0.1:8080 n0 exit\n"));
        } else {
            world.script_writes(peer, "10.0.9.9:9000 S exit\n");
            world.run_for(SECOND);
        }
        assert_eq!(world.script_closed(peer), Some(CloseReason::Eof), "ours: {is_ours}");
        assert!(world.node(0).directory().is_empty());
        world.run_for(2 * SECOND);
        checks::at_rest(&world);
    }
}

#[test]
fn a_restarted_peer_replaces_its_old_session() {
    let mut world = calm_world(2);
    act(&mut world, 0, Act::Connect(1));
    let old = world.session(1, 0).unwrap();
    world.befall(0, Fate::Vanished, Duration::ZERO);
    world.befall(0, Fate::Started, SECOND);
    world.run_for(2 * SECOND);
    assert_eq!(world.session(1, 0), Some(old), "nobody was told");
    act(&mut world, 0, Act::Connect(1));
    assert_ne!(world.session(1, 0), Some(old));
    act(&mut world, 1, Act::Say(0));
    checks::at_rest(&world);
}

#[test]
fn a_vanished_session_peer_is_lost_and_leaves_the_query() {
    let mut world = calm_world(2);
    act(&mut world, 0, Act::Connect(1));
    world.befall(0, Fate::Vanished, Duration::ZERO);
    world.run_for(VANISHED_TIMEOUT);
    let reason = CloseReason::TimedOut;
    assert_eq!(count(&world, 1, |n| matches!(n, Notice::Lost { reason: r, .. } if *r == reason)), 1);
    act(&mut world, 1, Act::Query);
    assert_eq!(world.hosts[1].notices.iter().rev().find_map(active_rows), Some(0));
    checks::at_rest(&world);
}

fn active_rows(notice: &Notice) -> Option<usize> {
    if let Notice::Peers { active, .. } = notice { Some(active.len()) } else { None }
}

#[test]
fn an_undelimited_message_on_a_session_makes_the_peer_plain_again() {
    let mut world = calm_world(1);
    world.script_listens(SCRIPT);
    let peer = world.script_dials(SCRIPT_IP, 0);
    world.script_writes(peer, "10.0.9.9:9000 S connect");
    world.run_for(SECOND);
    assert_eq!(world.script_read(peer), "10.0.0.1:8080 n0 connected chinwag/1\n");
    say(&mut world, 0, SCRIPT, "as a line");
    world.script_writes(peer, "10.0.9.9:9000 S no newline");
    world.run_for(HEADER_FLUSH);
    say(&mut world, 0, SCRIPT, "as a dial");
    world.script_writes(peer, "10.0.9.9:9000 S again");
    world.run_for(SECOND);
    assert!(world.script_read(peer).ends_with("\n10.0.0.1:8080 n0 as a line\n"));
    assert_eq!(world.script_heard(SCRIPT), ["10.0.0.1:8080 n0 as a dial"]);
    assert_eq!(messages(&world, 0), ["no newline", "again"], "it is still read");
}

#[test]
fn one_byte_a_second_is_closed_at_ten_seconds() {
    let mut world = calm_world(1);
    let peer = world.script_dials(SCRIPT_IP, 0);
    for byte in ["1", "0", ".", "0", ".", "9", ".", "9", ":", "9"] {
        assert_eq!(world.script_closed(peer), None);
        world.script_writes(peer, byte);
        world.run_for(SECOND);
    }
    assert_eq!(world.script_closed(peer), Some(CloseReason::Reset), "nothing of it was taken");
}

#[test]
fn a_slow_peer_is_closed_while_everybody_else_receives() {
    let limits = Limits { send_queue_bytes_max: 64 * 1024, ..Limits::default() };
    let mut world = calm_world_of(3, &Config { limits, ..Config::default() });
    act(&mut world, 1, Act::Connect(0));
    act(&mut world, 2, Act::Connect(0));
    let slow = world.script_dials(SCRIPT_IP, 0);
    world.script_writes(slow, "10.0.9.9:9000 S connect");
    world.run_for(SECOND);
    world.script_stops_reading(slow);
    let text = "x".repeat(32 * 1024);
    let is_lost = |notice: &Notice| matches!(notice, Notice::Lost { reason: CloseReason::SlowPeer, .. });
    // Of four texts two fill the wire, and the queue has no room for the last with its header.
    for (sent, lost) in [(1, 0), (2, 0), (3, 0), (4, 1)] {
        for line in ["5", &text] {
            world.want(0, Act::Line(line.to_owned()), Duration::ZERO);
        }
        world.run_for(100 * MS);
        assert_eq!(count(&world, 0, is_lost), lost, "after {sent} texts");
        assert_eq!([messages(&world, 1).len(), messages(&world, 2).len()], [sent; 2]);
    }
    // The last one, and the two that waited.
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::NotSent { .. })), 3);
    assert!(!world.node(0).directory().peer(SCRIPT.parse().unwrap()).unwrap().is_offline, "it is there");
}

#[test]
fn when_memory_for_peers_is_full_the_largest_stranger_goes_and_a_known_session_stays() {
    let limits = Limits { memory_bytes_max: 360 * 1024, ..Limits::default() };
    let mut world = a_text_in_the_queue(&Config { limits, ..Config::default() });
    for _ in 0..2 {
        say(&mut world, 0, SCRIPT, &"x".repeat(50 * 1024));
    }
    let strangers = [63, 20, 19, 10, 10].map(|size| {
        let stranger = world.script_dials(SCRIPT_IP, 0);
        world.script_writes(stranger, &"y".repeat(size * 1024));
        world.run_for(100 * MS);
        stranger
    });
    let closed = strangers.map(|stranger| world.script_closed(stranger));
    assert_eq!(closed, [Some(CloseReason::Reset), None, None, None, None]);
    assert!(world.node(0).directory().peer(SCRIPT.parse().unwrap()).unwrap().session.is_some());
    assert_eq!(not_sent(&world), 0);
    act(&mut world, 0, Act::Line("/stats".to_owned()));
    let is_counted = |notice: &Notice| match notice {
        Notice::Stats(stats) => {
            stats.ended == [(CloseReason::MemoryFull, 1)] && stats.held_bytes < stats.held_bytes_max
        }
        _ => false,
    };
    assert_eq!(count(&world, 0, is_counted), 1);
}

#[test]
fn when_nobody_else_holds_memory_a_session_is_lost_and_its_texts_are_told() {
    let limits = Limits { memory_bytes_max: 160 * 1024, ..Limits::default() };
    let mut world = a_text_in_the_queue(&Config { limits, ..Config::default() });
    for _ in 0..2 {
        say(&mut world, 0, SCRIPT, &"x".repeat(40 * 1024));
    }
    let is_lost = |notice: &Notice| matches!(notice, Notice::Lost { reason: CloseReason::MemoryFull, .. });
    assert_eq!((count(&world, 0, is_lost), not_sent(&world)), (1, 3));
}

/// A session with a script that does not read, and two texts for it of which the second does not fit
/// into the wire.
fn a_text_in_the_queue(config: &Config) -> World {
    let mut world = calm_world_of(1, config);
    let peer = world.script_dials(SCRIPT_IP, 0);
    world.script_writes(peer, "10.0.9.9:9000 S connect\n");
    world.run_for(SECOND);
    world.script_stops_reading(peer);
    for _ in 0..2 {
        say(&mut world, 0, SCRIPT, &"x".repeat(40 * 1024));
    }
    world
}

fn not_sent(world: &World) -> usize {
    count(world, 0, |notice| matches!(notice, Notice::NotSent { .. }))
}

#[test]
fn what_a_lost_session_did_not_take_is_told_to_a_quiet_user_too() {
    let limits = Limits { send_queue_bytes_max: 64 * 1024, ..Limits::default() };
    let mut world = a_text_in_the_queue(&Config { quiet: true, limits, ..Config::default() });
    say(&mut world, 0, SCRIPT, &"x".repeat(50 * 1024));
    assert_eq!(not_sent(&world), 2, "the one that waited, and the one that found no room");
}

#[test]
fn what_a_session_did_not_take_before_the_end_is_told() {
    let mut world = a_text_in_the_queue(&Config::default());
    act(&mut world, 0, Act::Quit);
    assert_eq!(not_sent(&world), 1);
}

#[test]
fn what_was_under_way_when_the_user_lost_patience_is_told() {
    let mut world = calm_world(1);
    world.faults.lose = 1000;
    for line in ["1", SCRIPT, "precious"] {
        world.want(0, Act::Line(line.to_owned()), Duration::ZERO);
    }
    world.run_for(SECOND);
    for _ in 0..2 {
        world.handle(0, Input::Interrupted);
    }
    assert_eq!(not_sent(&world), 1);
}

#[test]
fn a_text_of_two_lines_that_a_session_has_no_room_for_is_told_once() {
    // The first of the two lines would fit.
    let limits = Limits { send_queue_bytes_max: LINE_BYTES_MAX + 2, ..Limits::default() };
    let mut world = calm_world_of(1, &Config { limits, ..Config::default() });
    let peer = world.script_dials(SCRIPT_IP, 0);
    world.script_writes(peer, "10.0.9.9:9000 S connect\n");
    world.run_for(SECOND);
    say(&mut world, 0, SCRIPT, &"x".repeat(LINE_BYTES_MAX));
    assert_eq!(not_sent(&world), 1);
}

#[test]
fn who_asks_in_whole_messages_and_hangs_up_is_dialled_and_not_lost() {
    let block = "<10.0.9.9:9000> @ <S>\nconnect\n<end>";
    let acknowledged_block = "<10.0.0.1:8080> @ <n0>\nconnect_ack\n<end>";
    let line = "10.0.9.9:9000 S connect\n";
    for (connect, acknowledgement) in [(line, "10.0.0.1:8080 n0 connect_ack"), (block, acknowledged_block)] {
        for is_reset in [false, true] {
            let mut world = calm_world(1);
            world.script_listens(SCRIPT);
            let peer = world.script_dials(SCRIPT_IP, 0);
            world.script_writes(peer, connect);
            if is_reset {
                // As a kernel closes a socket with our answer unread in it.
                world.run_for(MS);
                world.break_end(peer.other(), CloseReason::Reset);
            } else {
                world.script_closes_its_side(peer);
            }
            world.run_for(SECOND);
            assert_eq!(world.script_heard(SCRIPT), [acknowledgement], "{connect:?} {is_reset}");
            assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::Lost { .. })), 0);
            assert!(world.node(0).directory().peer(SCRIPT.parse().unwrap()).unwrap().is_connected);
        }
    }
}

#[test]
fn a_session_is_lost_if_it_was_used_or_stood_for_a_while() {
    for story in ["heard", "said", "old"] {
        let mut world = calm_world(1);
        world.script_listens(SCRIPT);
        let peer = world.script_dials(SCRIPT_IP, 0);
        world.script_writes(peer, "10.0.9.9:9000 S connect\n");
        match story {
            "heard" => world.script_writes(peer, "!ping 1\n"),
            "said" => {
                for line in ["1", SCRIPT, "hello"] {
                    world.want(0, Act::Line(line.to_owned()), MS);
                }
            }
            _ => world.run_for(2 * SECOND),
        }
        world.run_for(10 * MS);
        world.script_closes_its_side(peer);
        world.run_for(SECOND);
        assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::Lost { .. })), 1, "{story}");
        assert!(world.script_heard(SCRIPT).is_empty(), "{story}");
    }
}

#[test]
fn an_acknowledgement_waits_behind_a_text_that_is_under_way() {
    let mut world = calm_world(1);
    world.script_listens(SCRIPT);
    for line in ["1", SCRIPT, "one"] {
        world.want(0, Act::Line(line.to_owned()), Duration::ZERO);
    }
    world.run_for(100 * MS);
    let peer = world.script_dials(SCRIPT_IP, 0);
    world.script_writes(peer, "10.0.9.9:9000 S connect");
    world.script_closes_its_side(peer);
    world.run_for(2 * SECOND);
    let heard = ["10.0.0.1:8080 n0 one", "10.0.0.1:8080 n0 connect_ack"];
    assert_eq!(world.script_heard(SCRIPT), heard);
}

#[test]
fn a_typed_command_is_known_by_the_words_of_each_recipient() {
    let exits = |world: &World| count(world, 0, |notice| matches!(notice, Notice::ExitSent(_)));
    let bracketed = Config { dialect: Some(Dialect::Bracketed), ..Config::default() };
    let mut world = calm_world_of(1, &bracketed);
    world.script_listens(SCRIPT);
    say(&mut world, 0, SCRIPT, "quit");
    assert_eq!(exits(&world), 1, "who was never heard speaks the dialect chosen at the start");

    let static_peers = vec![SCRIPT.parse().unwrap()];
    let mut world = calm_world_of(1, &Config { static_peers, ..bracketed });
    world.script_listens(SCRIPT);
    for line in ["4", "quit"] {
        act(&mut world, 0, Act::Line(line.to_owned()));
    }
    assert_eq!(exits(&world), 1, "static");

    let mut world = calm_world(1);
    for hello in ["<10.0.9.9:9000> S hello", "10.0.9.9:9001 T hello"] {
        let peer = world.script_dials(SCRIPT_IP, 0);
        world.script_writes(peer, hello);
        world.script_closes_its_side(peer);
    }
    world.script_listens(SCRIPT);
    world.script_listens("10.0.9.9:9001");
    world.run_for(SECOND);
    for line in ["5", "quit"] {
        act(&mut world, 0, Act::Line(line.to_owned()));
    }
    assert_eq!(exits(&world), 1, "of the two, one knows the word");
    assert_eq!(world.script_heard("10.0.9.9:9001"), ["10.0.0.1:8080 n0 quit"]);
    assert_eq!(world.node(0).directory().len(), 1);
}

#[test]
fn a_connect_that_finds_no_room_in_the_table_is_told_all_the_same() {
    let limits = Limits { peers_max: 0, ..Limits::default() };
    let mut world = calm_world_of(1, &Config { limits, ..Config::default() });
    world.script_listens(SCRIPT);
    for line in ["3", SCRIPT] {
        act(&mut world, 0, Act::Line(line.to_owned()));
    }
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::ConnectSent(_))), 1);
}

#[test]
fn one_source_fills_its_bucket_of_new_entries_then_adds_one_a_second() {
    let mut world = calm_world(1);
    let peer = world.script_dials(SCRIPT_IP, 0);
    for number in 1..=150 {
        world.script_writes(peer, &format!("10.0.8.{number}:9000 S hello\n"));
    }
    world.run_for(MS);
    assert_eq!((world.node(0).directory().len(), messages(&world, 0).len()), (100, 150));
    world.run_for(3 * SECOND);
    for number in 151..=160 {
        world.script_writes(peer, &format!("10.0.8.{number}:9000 S hello\n"));
    }
    world.run_for(MS);
    assert_eq!((world.node(0).directory().len(), messages(&world, 0).len()), (103, 160));
}

#[test]
fn a_full_table_shows_the_next_peer_and_does_not_enter_it() {
    let limits = Limits { peers_max: 2, ..Limits::default() };
    let mut world = calm_world_of(4, &Config { limits, ..Config::default() });
    for id in [1, 2, 3, 1] {
        act(&mut world, id, Act::Say(0));
    }
    assert_eq!(messages(&world, 0), ["1>0 #1.", "2>0 #1.", "3>0 #1.", "1>0 #2."]);
    assert!(world.node(0).directory().peer(world.hosts[3].address).is_none());
    assert_eq!(world.node(0).directory().len(), 2);
}

#[test]
fn lines_beyond_reading_speed_are_folded_into_one_count() {
    let mut world = calm_world_of(1, &Config { is_terminal: true, ..Config::default() });
    let peer = world.script_dials(SCRIPT_IP, 0);
    world.script_writes(peer, &"10.0.9.9:9000 S hello\n".repeat(300));
    world.run_for(SECOND - MS);
    assert_eq!(messages(&world, 0).len(), 200);
    world.run_for(MS);
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::Folded { lines: 100, .. })), 1);
    world.script_writes(peer, &"10.0.9.9:9000 S hello\n".repeat(30));
    world.run_for(2 * SECOND);
    assert_eq!(messages(&world, 0).len(), 220, "20 for the second that passed");
    assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::Folded { lines: 10, .. })), 1);
    assert_eq!(world.node(0).directory().peer(SCRIPT.parse().unwrap()).unwrap().heard, 330);
}

#[test]
fn who_asks_and_hangs_up_is_dialled_an_acknowledgement_once_a_minute() {
    let mut world = calm_world(1);
    world.script_listens(SCRIPT);
    for (wait, acknowledgements) in [(1, 1), (1, 1), (58, 1), (1, 2)] {
        let peer = world.script_dials(SCRIPT_IP, 0);
        world.script_writes(peer, "10.0.9.9:9000 S connect");
        world.script_closes_its_side(peer);
        world.run_for(wait * SECOND);
        let heard = world.script_heard(SCRIPT);
        assert_eq!(heard, vec!["10.0.0.1:8080 n0 connect_ack"; acknowledgements], "after {wait} s");
    }
}

#[test]
fn nobody_can_say_exit_or_have_us_dial_for_another() {
    let mut world = calm_world(2);
    world.script_listens(SCRIPT);
    act(&mut world, 1, Act::Connect(0));
    let spoofs = ["10.0.0.2:8080 n1 exit", "10.0.0.2:8080 n1 connect", "10.0.9.9:9000 S connect"];
    for spoof in spoofs {
        let peer = world.script_dials(ELSEWHERE, 0);
        world.script_writes(peer, spoof);
        world.script_closes_its_side(peer);
        world.run_for(SECOND);
    }
    let raw = |spoof: &&str| count(&world, 0, |n| matches!(n, Notice::Raw { text, .. } if text == spoof));
    assert_eq!(spoofs.iter().map(raw).sum::<usize>(), 3);
    assert!(are_in_session(&world, 0, 1));
    assert_eq!(world.node(0).directory().len(), 1);
    // Who is only claimed gets no farewell either.
    let peer = world.script_dials(ELSEWHERE, 0);
    world.script_writes(peer, "10.0.9.9:9000 S hello");
    world.script_closes_its_side(peer);
    world.run_for(SECOND);
    assert_eq!(messages(&world, 0), ["hello"]);
    act(&mut world, 0, Act::Quit);
    assert!(world.script_heard(SCRIPT).is_empty());
}

#[test]
fn who_is_being_dialled_for_the_first_time_gets_its_farewell_too() {
    let mut world = calm_world(2);
    world.want(0, Act::Connect(1), Duration::ZERO);
    world.run_for(100 * MS);
    act(&mut world, 0, Act::Quit);
    assert_eq!(count(&world, 1, |n| matches!(n, Notice::Disconnected(_))), 1);
    assert!(world.node(1).directory().is_empty());
}

/// A process that was stopped finds what came meanwhile only when it asks: until then nobody was silent.
#[test]
fn who_was_stopped_looks_at_what_came_before_it_judges_who_was_silent() {
    let mut world = calm_world(1);
    let [late, silent] = [(); 2].map(|()| world.script_dials(SCRIPT_IP, 0));
    world.run_for(9 * SECOND);
    let half = world.script_dials(SCRIPT_IP, 0);
    world.script_writes(half, "10.0.9.9:9000 S first ");
    world.run_for(100 * MS);
    world.befall(0, Fate::Stopped, Duration::ZERO);
    world.run_for(MS);
    world.script_writes(half, "half and the rest");
    world.script_writes(late, "10.0.9.9:9000 S just in time\n");
    world.befall(0, Fate::Continued, 2 * SECOND);
    world.run_for(3 * SECOND);
    assert_eq!(messages(&world, 0), ["just in time", "first half and the rest"]);
    assert_eq!([half, late, silent].map(|end| world.script_closed(end).is_some()), [false, false, true]);
}

#[test]
fn who_announces_is_found_and_written_to_by_number() {
    let announcing = Config { announce: true, ..Config::default() };
    let mut world = calm_world_of(2, &announcing);
    world.add(SocketAddr::from(([10, 0, 0, 3], 8080)), Config::default());
    world.run_for(3 * SECOND);
    act(&mut world, 2, Act::Line("/nearby".to_owned()));
    let found = |notice: &Notice| matches!(notice, Notice::Nearby(rows) if rows.len() == 2);
    assert_eq!(count(&world, 2, found), 1, "{:?}", world.hosts[2].notices);
    assert_eq!(count(&world, 2, |notice| matches!(notice, Notice::NewPeer(_))), 0, "nobody is entered");
    act(&mut world, 2, Act::Line("/msg 1 hello".to_owned()));
    let heard: Vec<&str> = (0..2).flat_map(|id| messages(&world, id)).collect();
    assert_eq!(heard, ["hello"]);
    world.want(0, Act::Quit, Duration::ZERO);
    world.run_for(SECOND);
    act(&mut world, 2, Act::Line("/nearby".to_owned()));
    assert_eq!(count(&world, 2, |notice| matches!(notice, Notice::Nearby(rows) if rows.len() == 1)), 1);
}
