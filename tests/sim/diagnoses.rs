//! Why a peer cannot be reached, in calm worlds: node against node, and against peers played by hand.

use crate::stories::{MS, SCRIPT, SCRIPT_IP, SECOND, act, calm_world, calm_world_of, count, messages};
use crate::wires::EndId;
use crate::world::{Act, Fate, HostId, World};
use chinwag::chat::finding::{
    Dial, Finding, ForeignKind, Greeting, Reach, RoundTrip, Route, Verdict, WayBack,
};
use chinwag::chat::node::Config;
use chinwag::chat::notice::{Mistake, Notice};
use chinwag::limits::Limits;
use chinwag::proto::machine::CloseReason;
use chinwag::proto::message::Dialect;
use std::time::Duration;

/// Longer than any diagnosis.
const LONG: Duration = Duration::from_secs(40);

fn begin(world: &mut World, id: HostId, address: &str) {
    world.want(id, Act::Line(format!("/diagnose {address}")), Duration::ZERO);
    world.run_for(MS);
}

/// Of the last diagnosis.
fn verdict(world: &World, id: HostId) -> Option<&Verdict> {
    fn of(notice: &Notice) -> Option<&Verdict> {
        if let Notice::Verdict { verdict, .. } = notice { Some(verdict) } else { None }
    }
    world.hosts[id].notices.iter().rev().find_map(of)
}

fn diagnosed(world: &mut World, id: HostId, address: &str) -> Verdict {
    begin(world, id, address);
    world.run_for(LONG);
    verdict(world, id).expect("a verdict").clone()
}

fn findings(world: &World, id: HostId) -> Vec<&Finding> {
    fn of(notice: &Notice) -> Option<&Finding> {
        if let Notice::Diagnosed { finding, .. } = notice { Some(finding) } else { None }
    }
    world.hosts[id].notices.iter().filter_map(of).collect()
}

/// A host that diagnoses the way to a script, which has taken its dial.
fn diagnosing_a_script() -> (World, EndId) {
    let mut world = calm_world(1);
    world.script_listens(SCRIPT);
    begin(&mut world, 0, SCRIPT);
    let end = dialled(&world, 0);
    (world, end)
}

/// The connection on which a script was dialled, counted from the first.
fn dialled(world: &World, at: usize) -> EndId {
    world.script_listeners[&SCRIPT.parse().unwrap()][at]
}

/// A script that answers the connect of host 0 as another chinwag, and has read `!reach`.
fn asked_script(world: &mut World) -> EndId {
    world.script_listens(SCRIPT);
    begin(world, 0, SCRIPT);
    let end = dialled(world, 0);
    assert_eq!(world.script_read(end), "10.0.0.1:8080 n0 connect");
    world.script_writes(end, "10.0.9.9:9000 S connected chinwag/1\n");
    world.run_for(MS);
    assert!(world.script_read(end).ends_with("!chinwag/1\n!reach 10.0.0.1:8080\n"));
    end
}

/// The script answers all pings so far.
fn answer_pings(world: &mut World, end: EndId) {
    for number in 0..5 {
        assert!(world.script_read(end).ends_with(&format!("!ping {number}\n")));
        world.script_writes(end, &format!("!pong {number}\n"));
        world.run_for(MS);
    }
}

#[test]
fn two_nodes_find_that_both_ways_work_and_strangers_forget_each_other() {
    let mut world = calm_world(2);
    let verdict = diagnosed(&mut world, 0, "10.0.0.2:8080");
    assert_eq!(verdict.reach(), Reach::BothWays, "{verdict:?}");
    assert_eq!(verdict.way_back, Some(WayBack::Works));
    assert!(matches!(verdict.round_trip, Some(RoundTrip::Median(_))));
    assert_eq!(findings(&world, 0).len(), 6);
    for id in [0, 1] {
        let peers: Vec<_> = world.node(id).directory().iter().collect();
        assert!(peers.is_empty() && world.hosts[id].links.is_empty(), "host {id}: {peers:?}");
        assert_eq!(messages(&world, id).len(), 0);
    }
    assert_eq!(world.hosts[1].dialled, [1, 1], "it dialled us back, once");
}

#[test]
fn a_session_that_we_dialled_stays_and_one_that_the_peer_dialled_stays_too() {
    for dialler in [0, 1] {
        let mut world = calm_world(2);
        act(&mut world, dialler, Act::Connect(1 - dialler));
        let sessions = |world: &World| (world.session(0, 1), world.session(1, 0));
        let before = sessions(&world);
        assert!(before.0.is_some() && before.1.is_some());
        let verdict = diagnosed(&mut world, 0, "10.0.0.2:8080");
        assert_eq!(verdict.reach(), Reach::BothWays, "{verdict:?}");
        let dial = if dialler == 0 { Dial::Session } else { Dial::Connected };
        assert_eq!(verdict.dial, Some(dial));
        assert_eq!(sessions(&world), before, "dialled by {dialler}");
        let is_told = |notice: &Notice| matches!(notice, Notice::Connected(_) | Notice::Lost { .. });
        assert_eq!(count(&world, 1, is_told), usize::from(dialler == 0));
    }
}

#[test]
fn who_has_chatted_before_is_not_said_exit_to() {
    let mut world = calm_world(2);
    act(&mut world, 0, Act::Say(1));
    diagnosed(&mut world, 0, "10.0.0.2:8080");
    assert!(world.session(0, 1).is_some() && world.session(1, 0).is_some());
    assert_eq!(count(&world, 1, |notice| matches!(notice, Notice::Disconnected(_))), 0);
}

#[test]
fn what_is_said_during_a_diagnosis_keeps_the_session() {
    let mut world = calm_world(2);
    begin(&mut world, 0, "10.0.0.2:8080");
    world.want(1, Act::Say(0), 100 * MS);
    world.run_for(LONG);
    assert_eq!(verdict(&world, 0).unwrap().reach(), Reach::BothWays);
    assert_eq!(messages(&world, 0).len(), 1);
    assert_eq!(count(&world, 1, |notice| matches!(notice, Notice::Disconnected(_))), 0);
}

#[test]
fn each_diagnoses_the_other_at_once() {
    let mut world = calm_world(2);
    for id in [0, 1] {
        begin(&mut world, id, ["10.0.0.2:8080", "10.0.0.1:8080"][id]);
    }
    world.run_for(LONG);
    for id in [0, 1] {
        let verdict = verdict(&world, id).unwrap();
        assert_ne!(verdict.reach(), Reach::Unreachable, "{id}: {verdict:?}");
    }
    assert!(world.hosts.iter().all(|host| host.links.len() <= 1));
}

#[test]
fn a_dial_that_fails_says_how() {
    let mut world = calm_world(1);
    let verdict = diagnosed(&mut world, 0, SCRIPT);
    assert_eq!(verdict.dial, Some(Dial::Failed(CloseReason::Refused)));
    assert_eq!((verdict.greeting, verdict.way_back), (None, None));
    assert!(world.hosts[0].links.is_empty() && world.node(0).directory().is_empty());
    let mut world = calm_world(1);
    world.faults.lose = 1000;
    let verdict = diagnosed(&mut world, 0, SCRIPT);
    assert_eq!(verdict.dial, Some(Dial::Failed(CloseReason::TimedOut)));
    assert_eq!(verdict.reach(), Reach::Unreachable);
}

#[test]
fn a_chinwag_that_answers_too_late_gets_no_session() {
    let mut world = calm_world(1);
    world.script_listens(SCRIPT);
    begin(&mut world, 0, SCRIPT);
    world.run_for(1500 * MS);
    for end in world.script_ends(SCRIPT) {
        world.script_writes(end, "10.0.9.9:9000 S connected chinwag/1\n");
    }
    world.run_for(3 * SECOND);
    let verdict = verdict(&world, 0).unwrap();
    assert_eq!(verdict.greeting, Some(Greeting::Broke(CloseReason::TimedOut)));
    assert!(world.node(0).directory().is_empty() && world.hosts[0].links.is_empty());
}

#[test]
fn our_own_address_is_not_dialled() {
    let mut world = calm_world(1);
    let verdict = diagnosed(&mut world, 0, "10.0.0.1:8080");
    assert_eq!((verdict.route, verdict.dial), (Some(Route::Loopback), Some(Dial::Itself)));
    assert_eq!(world.hosts[0].dialled, [0, 0]);
}

#[test]
fn without_room_for_a_dial_our_own_limits_are_named() {
    let limits = Limits { dials_max: 1, connect_timeout: 60 * SECOND, ..Limits::default() };
    let mut world = calm_world_of(1, &Config { limits, ..Config::default() });
    world.faults.lose = 1000;
    for to in ["10.0.9.8:1", "10.0.9.8:2"] {
        world.want(0, Act::Line(format!("/msg {to} hello")), Duration::ZERO);
    }
    world.run_for(15 * SECOND);
    begin(&mut world, 0, SCRIPT);
    // Two dials that nobody answers are before it.
    world.run_for(66 * SECOND);
    assert!(verdict(&world, 0).is_none());
    world.run_for(2 * SECOND);
    assert_eq!(verdict(&world, 0).unwrap().dial, Some(Dial::NoTurn));
    world.run_for(60 * SECOND);
    assert!(world.hosts[0].links.is_empty(), "it is not dialled later");
}

#[test]
fn a_server_that_is_no_chat_is_told_by_what_it_says_and_gets_no_entry() {
    for (said, kind, after) in [
        ("SSH-2.0-OpenSSH_9.2p1\r\n", ForeignKind::Ssh, MS),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", ForeignKind::Http, MS),
        ("\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}\u{16}", ForeignKind::Tls, MS),
        ("220 mail.example ESMTP\r\n", ForeignKind::Other, 3 * SECOND),
        ("login: ", ForeignKind::Other, 3 * SECOND),
        ("\u{1b}]0;owned\u{7}\n\u{0}", ForeignKind::Other, 3 * SECOND),
        // An echo is no chat.
        ("10.0.0.1:8080 n0 connect", ForeignKind::Other, 3 * SECOND),
    ] {
        let (mut world, end) = diagnosing_a_script();
        world.script_writes(end, said);
        world.run_for(after);
        let verdict = verdict(&world, 0).unwrap_or_else(|| panic!("{said:?}"));
        let Some(Greeting::Foreign(foreign)) = &verdict.greeting else { panic!("{said:?}: {verdict:?}") };
        assert_eq!((foreign.kind, verdict.reach()), (kind, Reach::Unreachable), "{said:?}");
        assert!(said.starts_with(&foreign.said));
        assert!(world.node(0).directory().is_empty() && world.hosts[0].links.is_empty(), "{said:?}");
        assert_eq!(count(&world, 0, |notice| matches!(notice, Notice::Raw { .. })), 0);
    }
}

#[test]
fn what_floods_its_greeting_is_cut_off_and_shown_in_part() {
    let (mut world, end) = diagnosing_a_script();
    world.script_writes(end, &"x".repeat(100_000));
    world.run_for(MS);
    let Some(Greeting::Foreign(foreign)) = &verdict(&world, 0).unwrap().greeting else { panic!("foreign") };
    assert_eq!(foreign.said, "x".repeat(64));
    assert!(world.hosts[0].links.is_empty());
}

#[test]
fn a_silent_server_is_given_two_seconds_and_a_half_close() {
    let (mut world, end) = diagnosing_a_script();
    world.run_for(998 * MS);
    assert_eq!(world.script_closed(end), None);
    world.run_for(2 * MS);
    assert_eq!(world.script_closed(end), Some(CloseReason::Eof));
    assert_eq!(verdict(&world, 0), None);
    world.run_for(SECOND);
    assert_eq!(verdict(&world, 0).unwrap().greeting, Some(Greeting::Silent));
    assert_eq!(verdict(&world, 0).unwrap().reach(), Reach::Unreachable);
}

#[test]
fn who_takes_the_connect_and_closes_may_still_call() {
    for calls in [false, true] {
        let (mut world, end) = diagnosing_a_script();
        world.script_closes_its_side(end);
        world.run_for(MS);
        assert_eq!(verdict(&world, 0), None);
        if calls {
            let call = world.script_dials(SCRIPT_IP, 0);
            world.script_writes(call, "10.0.9.9:9000 S connect_ack\n");
            world.run_for(MS);
        } else {
            world.run_for(2 * SECOND);
        }
        let verdict = verdict(&world, 0).unwrap().clone();
        let expected = if calls {
            (Some(Greeting::Published(Dialect::Standard)), Some(WayBack::Called), Reach::BothWays)
        } else {
            (Some(Greeting::Closed), None, Reach::OneWay)
        };
        assert_eq!((verdict.greeting.clone(), verdict.way_back, verdict.reach()), expected);
        world.run_for(3 * SECOND);
        assert_eq!(world.script_heard(SCRIPT)[1], "10.0.0.1:8080 n0 exit", "it forgets us");
        assert!(world.node(0).directory().is_empty());
    }
}

#[test]
fn a_call_in_the_name_of_the_peer_from_elsewhere_proves_nothing() {
    let (mut world, end) = diagnosing_a_script();
    world.script_closes_its_side(end);
    world.run_for(MS);
    let call = world.script_dials("10.0.6.6", 0);
    world.script_writes(call, "10.0.9.9:9000 S connect_ack\n");
    world.run_for(3 * SECOND);
    assert_eq!(verdict(&world, 0).unwrap().reach(), Reach::OneWay);
}

#[test]
fn a_published_peer_that_answers_on_the_connection_is_named_by_its_dialect() {
    for (said, dialect) in [
        ("10.0.9.9:9000 S connected", Dialect::Standard),
        ("<10.0.9.9:9000> S hello\n", Dialect::Bracketed),
        ("LISTENING_PORT:9000|TEAM_NAME:S|hi", Dialect::Netech),
        ("Message received\n", Dialect::PortLine),
    ] {
        let (mut world, end) = diagnosing_a_script();
        world.script_writes(end, said);
        world.run_for(5 * SECOND);
        let verdict = verdict(&world, 0).unwrap();
        assert_eq!(verdict.greeting, Some(Greeting::Published(dialect)), "{said:?}");
        assert_eq!((verdict.way_back, verdict.reach()), (None, Reach::OneWay));
    }
}

#[test]
fn an_older_chinwag_does_not_tell_and_that_is_not_taken_for_yes() {
    let mut world = calm_world(1);
    let end = asked_script(&mut world);
    world.run_for(7 * SECOND);
    assert_eq!(verdict(&world, 0), None);
    world.run_for(SECOND);
    answer_pings(&mut world, end);
    let verdict = verdict(&world, 0).unwrap();
    assert_eq!((verdict.way_back, verdict.reach()), (Some(WayBack::Untold), Reach::OneWay));
    assert_eq!(verdict.round_trip, Some(RoundTrip::Median(MS)));
}

#[test]
fn who_says_that_it_reached_us_must_have_come() {
    for has_come in [false, true] {
        let mut world = calm_world(1);
        let end = asked_script(&mut world);
        // Of somebody else.
        world.script_dials("10.0.6.6", 0);
        if has_come {
            world.script_dials(SCRIPT_IP, 0);
        }
        world.run_for(MS);
        world.script_writes(end, "!reach ok\n");
        world.run_for(MS);
        answer_pings(&mut world, end);
        let way_back = verdict(&world, 0).unwrap().way_back;
        assert_eq!(way_back, Some(if has_come { WayBack::Works } else { WayBack::Elsewhere }));
    }
}

#[test]
fn the_words_of_an_answer_are_understood_and_others_mean_nothing() {
    for (word, way_back) in [
        ("refused", WayBack::Fails("refused")),
        ("timed-out", WayBack::Fails("timed-out")),
        ("unreachable", WayBack::Fails("unreachable")),
        ("denied", WayBack::Denied),
        ("later", WayBack::Later),
        ("OK", WayBack::Untold),
        ("\u{1b}[2J", WayBack::Untold),
        ("", WayBack::Untold),
    ] {
        let mut world = calm_world(1);
        let end = asked_script(&mut world);
        world.script_writes(end, &format!("!reach {word}\n"));
        world.run_for(LONG);
        let verdict = verdict(&world, 0).unwrap();
        assert_eq!((verdict.way_back, verdict.reach()), (Some(way_back), Reach::OneWay), "{word:?}");
        assert_eq!(verdict.round_trip, Some(RoundTrip::None));
    }
}

#[test]
fn an_answer_that_nobody_asked_for_or_of_somebody_else_changes_nothing() {
    let mut world = calm_world(2);
    act(&mut world, 1, Act::Connect(0));
    let stranger = world.script_dials("10.0.6.6", 0);
    world.script_writes(stranger, "10.0.6.6:7 X connect\n!reach ok\n!pong 0\n");
    world.run_for(MS);
    let end = asked_script(&mut world);
    world.script_writes(stranger, "!reach ok\n!pong 0\n");
    world.run_for(SECOND);
    assert!(!findings(&world, 0).iter().any(|finding| matches!(finding, Finding::WayBack(_))));
    world.script_writes(end, "!pong 0\n!reach refused\n!pong 7\n!pong x\n");
    world.run_for(LONG);
    let verdict = verdict(&world, 0).unwrap();
    assert_eq!(verdict.way_back, Some(WayBack::Fails("refused")));
    assert_eq!(verdict.round_trip, Some(RoundTrip::None), "no number is right");
}

#[test]
fn a_peer_that_dies_between_two_stages_is_not_said_to_work() {
    for stage in 0..4 {
        let (mut world, end) = diagnosing_a_script();
        if stage > 0 {
            world.script_writes(end, "10.0.9.9:9000 S connected chinwag/1\n");
            world.run_for(MS);
        }
        if stage > 1 {
            world.script_dials(SCRIPT_IP, 0);
            world.run_for(MS);
            world.script_writes(end, "!reach ok\n");
            world.run_for(MS);
        }
        if stage > 2 {
            world.script_writes(end, "!pong 0\n");
            world.run_for(MS);
        }
        world.reset_end(end);
        world.run_for(LONG);
        let verdict = verdict(&world, 0).unwrap();
        assert_eq!(verdict.reach(), Reach::Unreachable, "{stage}: {verdict:?}");
        assert!(world.hosts[0].links.is_empty());
    }
}

#[test]
fn a_host_that_vanishes_during_a_diagnosis_ends_it_all_the_same() {
    let mut world = calm_world(2);
    begin(&mut world, 0, "10.0.0.2:8080");
    world.befall(1, Fate::Vanished, 100 * MS);
    world.run_for(LONG);
    assert_eq!(verdict(&world, 0).unwrap().reach(), Reach::Unreachable);
}

/// What host 0 answers to `!reach` on a session from an IP, and how many dials it made.
fn reach_asked(world: &mut World, ip: &str, asked: &str) -> (String, u64) {
    let before = world.hosts[0].dialled[0];
    let end = world.script_dials(ip, 0);
    world.script_writes(end, &format!("{ip}:9000 S connect\n"));
    world.run_for(MS);
    let greeted = world.script_read(end).len();
    world.script_writes(end, &format!("!reach {asked}\n"));
    world.run_for(20 * SECOND);
    (world.script_read(end)[greeted..].to_owned(), world.hosts[0].dialled[0] - before)
}

#[test]
fn only_the_host_that_asks_is_dialled_once_a_minute() {
    let limits = Limits { connect_timeout: 60 * SECOND, ..Limits::default() };
    let mut world = calm_world_of(1, &Config { limits, ..Config::default() });
    world.script_listens(SCRIPT);
    for third_party in ["10.0.6.6:80", "127.0.0.1:80", "10.0.0.1:8080", "10.0.9.9:0", "[::1]:80"] {
        let answer = reach_asked(&mut world, SCRIPT_IP, third_party);
        assert_eq!(answer, ("!reach denied\n".to_owned(), 0), "{third_party}");
    }
    let (answer, dials) = reach_asked(&mut world, "10.0.0.1", "10.0.0.1:8080");
    assert_eq!((answer.as_str(), dials), ("!reach denied\n", 0), "it is ourselves");
    let (answer, dials) = reach_asked(&mut world, SCRIPT_IP, SCRIPT);
    assert_eq!((answer.as_str(), dials), ("!reach ok\n", 1));
    assert_eq!(world.script_heard(SCRIPT), ["10.0.0.1:8080 n0 connect_ack"], "never an empty connection");
    let (answer, dials) = reach_asked(&mut world, SCRIPT_IP, "10.0.9.9:9001");
    assert_eq!((answer.as_str(), dials), ("!reach later\n", 0));
    world.run_for(60 * SECOND);
    let (answer, dials) = reach_asked(&mut world, SCRIPT_IP, "10.0.9.9:9001");
    assert_eq!((answer.as_str(), dials), ("!reach refused\n", 1));
    world.run_for(60 * SECOND);
    let end = world.script_dials(SCRIPT_IP, 0);
    world.script_writes(end, "10.0.9.9:9000 S connect\n");
    world.run_for(MS);
    world.faults.lose = 1000;
    world.script_writes(end, "!reach 10.0.9.9:9000\n");
    world.run_for(6 * SECOND);
    assert!(world.script_read(end).ends_with("!reach timed-out\n"));
}

#[test]
fn all_peers_together_may_ask_a_few_times() {
    let mut world = calm_world(1);
    let dials = (1..=30).map(|host| {
        let ip = format!("10.0.7.{host}");
        let before = world.hosts[0].dialled[0];
        let end = world.script_dials(&ip, 0);
        world.script_writes(end, &format!("{ip}:9000 S connect\n!reach {ip}:9000\n"));
        world.run_for(MS);
        world.hosts[0].dialled[0] - before
    });
    assert_eq!(dials.sum::<u64>(), 6);
}

#[test]
fn outside_a_session_nobody_is_dialled() {
    let mut world = calm_world(1);
    let end = world.script_dials(SCRIPT_IP, 0);
    world.script_writes(end, "10.0.9.9:9000 S hello\n!reach 10.0.9.9:9000\n");
    world.run_for(20 * SECOND);
    assert_eq!(world.hosts[0].dialled, [0, 0]);
}

#[test]
fn a_second_diagnosis_waits_for_the_first_and_quitting_ends_it() {
    let mut world = calm_world(1);
    world.script_listens(SCRIPT);
    begin(&mut world, 0, SCRIPT);
    // After a while the menu is back.
    world.want(0, Act::Line("/diagnose 10.0.9.9:9000".to_owned()), Duration::ZERO);
    world.run_for(LONG);
    let busy = Notice::Mistake(Mistake::Diagnosing(SCRIPT.parse().unwrap()));
    assert_eq!(count(&world, 0, |notice| *notice == busy), 0, "a script is asked when it is over");
    begin(&mut world, 0, SCRIPT);
    world.befall(0, Fate::Interrupted, Duration::ZERO);
    world.run_for(5 * SECOND);
    assert!(world.hosts[0].exit.is_some_and(|(code, _)| code == 0));
}
