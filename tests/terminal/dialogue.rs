//! Golden dialogues: transcripts of what a person sees. Text between ‹ and › is typed; everything else must be shown,
//! byte for byte.

use crate::common::peer::Peer;
use crate::common::port::Port;
use crate::common::program::{Program, command};

/// Replays a transcript; `places` are the names in braces and their values.
#[track_caller]
fn replay(program: &mut Program, transcript: &str, places: &[(&str, &dyn ToString)]) {
    let mut transcript = transcript.to_owned();
    for (place, value) in places {
        transcript = transcript.replace(&format!("{{{place}}}"), &value.to_string());
    }
    let mut rest = transcript.as_str();
    while let Some((shown, typed)) = rest.split_once('‹') {
        assert_eq!(program.stdout.expect(shown), shown);
        let line;
        (line, rest) = typed.split_once("›\n").expect("what is typed ends with its line");
        program.type_line(line);
    }
    assert_eq!(program.stdout.rest(), rest);
    assert_eq!(program.wait(), 0);
}

/// Replays the transcript that makes every choice, and checks what the peers got; returns the log.
fn replay_choices(log_level: &str) -> String {
    let (peer, fixed) = (Peer::new(), Peer::new());
    let (peer_address, fixed_address) = (peer.address(), fixed.address());
    let (to_peer, to_fixed) = (peer.take_all(), fixed.take_all());
    let args = ["--name", "P1", "--port", "0", "--static-peer", &fixed_address.to_string()];
    let mut program = Program::spawn(command(&args).env("RUST_LOG", log_level)).listening();
    let places: [(&str, &dyn ToString); 3] =
        [("peer", &peer_address), ("peer_port", &peer_address.port()), ("static", &fixed_address)];
    replay(&mut program, include_str!("transcripts/choices.txt"), &places);
    let ours = program.address();
    let said = |texts: &[&str]| texts.iter().map(|text| format!("{ours} P1 {text}")).collect::<Vec<_>>();
    assert_eq!(to_peer.next(3), said(&["hello", "to all", "exit"]));
    assert_eq!(to_fixed.next(3), said(&["to the static ones", "to all", "exit"]));
    String::from_utf8(program.stderr.bytes()).unwrap()
}

#[test]
fn the_start_asks_for_name_and_port_as_the_assignment_prints_it() {
    let port = Port::reserve();
    let mut program = Program::start(&[]);
    replay(&mut program, include_str!("transcripts/start.txt"), &[("port", &port.number())]);
}

#[test]
fn the_start_is_the_same_to_the_byte_when_all_was_typed_ahead() {
    let reserved = Port::reserve();
    let port = reserved.number();
    let mut program = Program::start(&[]);
    program.type_line(format_args!("P1\n{port}\n0"));
    let expected = format!(
        "Enter your name: Enter your port number: Server listening on port {port}\n\
         \n\
         ***** Menu *****\n\
         1. Send message\n\
         2. Query active peers\n\
         3. Connect to active peers\n\
         4. Send message to static peers\n\
         5. Send message to all peers\n\
         0. Quit\n\
         Enter choice: Exiting\n"
    );
    assert_eq!(program.stdout.rest(), expected);
    assert_eq!(program.wait(), 0);
}

#[test]
fn mistakes_at_the_start_are_explained_and_asked_again() {
    let (port, taken) = (Port::reserve(), Program::node("P2"));
    let places: [(&str, &dyn ToString); 2] = [("port", &port.number()), ("taken", &taken.port())];
    let mut program = Program::start(&[]);
    replay(&mut program, include_str!("transcripts/start_mistakes.txt"), &places);
}

#[test]
fn every_choice_of_the_menu_does_what_it_says() {
    assert_eq!(replay_choices("warn"), "");
}

#[test]
fn the_log_goes_to_stderr_and_changes_nothing_on_stdout() {
    let log = replay_choices("debug");
    assert!(log.contains("DEBUG"), "{log}");
}

#[test]
fn mistakes_at_the_menu_are_explained_and_nothing_typed_is_lost() {
    let nobody = Port::reserve();
    let mut program = Program::node("P1");
    let ours = program.address();
    let places: [(&str, &dyn ToString); 3] =
        [("ours", &ours), ("our_port", &ours.port()), ("nobody", &nobody.address())];
    replay(&mut program, include_str!("transcripts/menu_mistakes.txt"), &places);
}

#[test]
fn commands_do_not_bring_the_menu_back_and_a_conversation_asks_for_line_after_line() {
    let peer = Peer::new();
    let address = peer.address();
    let messages = peer.take_all();
    let mut program = Program::node("P1");
    replay(&mut program, include_str!("transcripts/commands.txt"), &[("peer", &address)]);
    let said = ["hello", "this is said", "/etc is a path", "exit"];
    assert_eq!(messages.next(4), said.map(|text| format!("{} P1 {text}", program.address())));
}
