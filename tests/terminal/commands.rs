//! Slash commands, conversations and the recipient that is filled in, for a person on a terminal and for a script in a
//! pipe. In expected rows the bar is the cursor.

use crate::common::peer::{Peer, say, session};
use crate::common::port::Port;
use crate::common::program::Program;
use crate::editor::{MENU, pasted};
use crate::pty::{Terminal, unwrapped};

#[test]
fn a_newcomer_is_told_of_the_commands_once() {
    let mut terminal = Terminal::node("P1");
    terminal.expect_rows(
        &[&MENU[..], &["Type /to NAME to chat, or /help for more commands.", "Enter choice: ▏"]].concat(),
    );
    terminal.type_keys("\r");
    terminal.expect_rows(&[&["Enter choice:"], &MENU[..], &["Enter choice: ▏"]].concat());
    terminal.type_keys("/help\r");
    terminal.screen.expect("/msg WHO TEXT");
    terminal.expect_rows(&[
        "WHO is an IP:PORT, a number from the last list, or a name.",
        "Marks: * a key you compared, + a key you know, ? only a claim, ! not believed.",
        "Enter choice: ▏",
    ]);
}

#[test]
fn an_unknown_command_suggests_the_one_that_was_meant_and_is_recalled_to_be_corrected() {
    let mut terminal = Terminal::node("P1");
    terminal.type_keys("/pers\r");
    terminal.expect_rows(&[
        "Enter choice: /pers",
        "'/pers' is not a command: did you mean /peers? Type /help for the list.",
        "Enter choice: ▏",
    ]);
    terminal.type_keys("\x1b[A\x02\x02e\r");
    terminal.expect_rows(&["Enter choice: /peers", "No connected peers", "Enter choice: ▏"]);
}

#[test]
fn a_command_and_its_peer_are_completed() {
    let (anna, anton) = (Peer::new(), Peer::new());
    let mut terminal = Terminal::node("P1");
    let mut wires = [(&anna, "anna"), (&anton, "anton")].map(|(peer, name)| {
        let wire = session(terminal.address(), peer.address(), name);
        terminal
            .expect_rows(&[&format!("{name} ({}) connected with you", peer.address()), "Enter choice: ▏"]);
        wire
    });
    terminal.type_keys("/al\t");
    terminal.expect_rows(&["/all  /alias", "Enter choice: /al▏"]);
    terminal.type_keys("\x15/ms\ta\t\t");
    terminal.expect_rows(&["anton  anna", "Enter choice: /msg an▏"]);
    terminal.type_keys("n\thello, you\r");
    assert_eq!(wires[0].read_line(), format!("{} P1 hello, you\n", terminal.address()));
    terminal.expect_rows(&["anton  anna", "you → anna: hello, you", "Enter choice: ▏"]);
}

#[test]
fn a_conversation_asks_at_once_and_a_message_leaves_the_line_whole() {
    let (peer, nobody) = (Peer::new(), Port::reserve());
    let mut terminal = Terminal::node("P1");
    let mut wire = session(terminal.address(), peer.address(), "P2");
    terminal.screen.expect("connected with you");
    terminal.type_keys("/to p2\r");
    terminal.expect_rows(&["Enter choice: /to p2", "→ P2: ▏"]);
    terminal.type_keys("hel");
    wire.write(format!("{} P2 hi\n", peer.address()));
    terminal.expect_rows(&[&format!("P2 ({}): hi", peer.address()), "→ P2: hel▏"]);
    terminal.type_keys("lo\r");
    assert_eq!(wire.read_line(), format!("{} P1 hello\n", terminal.address()));
    terminal.expect_rows(&[&format!("P2 ({}): hi", peer.address()), "you → P2: hello", "→ P2: ▏"]);
    terminal.type_keys("//etc is a path\r");
    assert_eq!(wire.read_line(), format!("{} P1 /etc is a path\n", terminal.address()));
    terminal.type_keys(&pasted("one\rtwo\r"));
    assert_eq!(wire.read_line(), format!("{} P1 one\n", terminal.address()));
    assert_eq!(wire.read_line(), format!("{} P1 two\n", terminal.address()));
    terminal.expect_rows(&["you → P2: /etc is a path", "you → P2: one", "you → P2: two", "→ P2: ▏"]);
    terminal.type_keys(&format!("/to {}\rlost\r", nobody.address()));
    terminal.screen.expect("Not sent: lost");
    terminal.expect_rows(&[&format!("Keep it until {} is back? y/n ▏", nobody.address())]);
    // A line that comes sooner was typed for something else.
    std::thread::sleep(std::time::Duration::from_millis(400));
    terminal.type_keys("\r");
    terminal.expect_rows(&[&format!("→ {}: ▏", nobody.address())]);
    terminal.type_keys("\r");
    let left = format!("→ {}:", nobody.address());
    terminal.expect_rows(&[&[left.as_str()], &MENU[..], &["Enter choice: ▏"]].concat());
}

#[test]
fn the_last_recipient_is_filled_in_to_be_taken_replaced_or_cleared() {
    let (peer, other) = (Peer::new(), Peer::new());
    let (address, port) = (peer.address(), other.port());
    let mut terminal = Terminal::node("P1");
    let filled_in = format!("Enter the recipient's IP address: {address}▏");
    terminal.type_keys("1\r");
    terminal.expect_rows(&["Enter the recipient's IP address: ▏"]);
    terminal.type_keys(&format!("{address}\rone\r"));
    peer.take();
    terminal.expect_rows(&["Enter choice: ▏"]);
    terminal.type_keys("1\r");
    terminal.expect_rows(&[&filled_in]);
    terminal.type_keys("\rtwo\r");
    assert_eq!(peer.take(), format!("{} P1 two", terminal.address()));
    terminal.expect_rows(&["Enter choice: ▏"]);
    terminal.type_keys("1\r");
    terminal.expect_rows(&[&filled_in]);
    terminal.type_keys("\x15");
    terminal.expect_rows(&["Enter the recipient's IP address: ▏"]);
    terminal.type_keys("\r");
    terminal.expect_rows(&[&MENU[..], &["Enter choice: ▏"]].concat());
    terminal.type_keys(&format!("1\r127.0.0.1:{port}\rthree\r"));
    assert_eq!(other.take(), format!("{} P1 three", terminal.address()));
}

#[test]
fn who_wrote_last_is_filled_in_and_stays_while_another_one_writes() {
    let (anna, bob) = (Peer::new(), Peer::new());
    let mut terminal = Terminal::node("P1");
    let filled_in = |peer: &Peer| format!("Enter the recipient's IP address: {}▏", peer.address());
    say(terminal.address(), format!("{} anna hello", anna.address()));
    terminal.screen.expect("hello");
    terminal.type_keys("1\r");
    terminal.expect_rows(&[&filled_in(&anna)]);
    say(terminal.address(), format!("{} bob good evening", bob.address()));
    terminal.screen.expect("good evening");
    say(terminal.address(), "10.0.0.5:9 anna I am not where I say");
    terminal.screen.expect("I am not where I say");
    terminal.expect_rows(&[&filled_in(&anna)]);
    terminal.type_keys("\rhi\r");
    assert_eq!(anna.take(), format!("{} P1 hi", terminal.address()));
    terminal.expect_rows(&["Enter choice: ▏"]);
    say(terminal.address(), format!("{} bob are you there", bob.address()));
    terminal.screen.expect("are you there");
    terminal.type_keys("1\r");
    terminal.expect_rows(&[&filled_in(&bob)]);
}

#[test]
fn a_peer_with_a_hostile_name_is_talked_to_and_completed_like_any_other() {
    let long = "x".repeat(10_000);
    let (kept, shortened) = ("x".repeat(64), format!("{}…", "x".repeat(24)));
    for (name, typed, partner, is_address_shown) in [
        ("/etc/passwd", "/etc/passwd", "/etc/passwd", false),
        // What could be taken for a part of the prompt is not shown in it.
        ("$(x)", "$(x)", "", true),
        (&long, &kept, &shortened, false),
        // The name cannot be typed, so the address is offered instead.
        ("n\x1b[2J\x1b]0;t\x07", "", "", false),
    ] {
        let peer = Peer::new();
        let address = peer.address().to_string();
        let [typed, partner] = [typed, partner].map(|name| if name.is_empty() { &address } else { name });
        let mut terminal = Terminal::node("P1");
        say(terminal.address(), format!("{address} {name} hello"));
        terminal.screen.expect("hello");
        terminal.type_keys(&format!("/to {}\t", &typed[..3]));
        let row = format!("Enter choice: /to {typed}▏");
        // A row that is too long for the screen shows its end.
        terminal.emulator.expect(&row, |seen| {
            seen.rows.last().is_some_and(|last| *last == row || last.len() > 40 && last.ends_with("xxx▏"))
        });
        terminal.type_keys("\rwho are you?\r");
        assert_eq!(peer.take(), format!("{} P1 who are you?", terminal.address()));
        let named = if is_address_shown { format!(" ({address}):") } else { ":".to_owned() };
        terminal.emulator.expect("what was said, and the next question", |seen| {
            let said = unwrapped(&seen.rows[seen.rows.len() - 3..].join("\n"));
            seen.ends_with(&[&format!("→ {partner}: ▏")])
                && said.contains("you → ")
                && said.contains(&format!("{named} who are you?"))
        });
        terminal.emulator.expect("no offence", |seen| seen.offences.is_empty());
    }
}

#[test]
fn namesakes_are_told_apart_by_a_number_in_a_pipe_too() {
    let (one, two) = (Peer::new(), Peer::new());
    let mut program = Program::node("P1");
    for peer in [&one, &two] {
        say(program.address(), format!("{} twin hello", peer.address()));
        program.stdout.expect("twin hello\n");
    }
    program.type_line("/msg twin which?");
    program
        .stdout
        .expect("Several peers are called 'twin'; type the number or address of the one you mean.\n1. ");
    let first = program.stdout.expect(" ");
    let first = if first.trim() == one.address().to_string() { one } else { two };
    program.type_line("/msg 1 you!");
    assert_eq!(first.take(), format!("{} P1 you!", program.address()));
    program.stdout.expect(&format!("Message sent to {}\nEnter choice: ", first.address()));
}

#[test]
fn a_script_may_hold_a_conversation_and_its_end_waits_for_what_was_said() {
    const LINES: usize = 200;
    let peer = Peer::new();
    let address = peer.address();
    let messages = peer.take_all();
    let mut program = Program::node("P1");
    let ours = program.address();
    program.type_line(format_args!("/to {address}"));
    for n in 0..LINES {
        program.type_line(format_args!("line {n}"));
    }
    program.close_stdin();
    let mut expected: Vec<String> = (0..LINES).map(|n| format!("{ours} P1 line {n}")).collect();
    expected.push(format!("{ours} P1 exit"));
    assert_eq!(messages.next(LINES + 1), expected);
    assert_eq!(program.wait(), 0);
    let shown = String::from_utf8(program.stdout.bytes()).unwrap();
    assert!(shown.ends_with(&format!("→ {address}: \nExiting\n")), "{shown}");
    assert!(!shown.contains("Message sent") && !shown.contains("Type /help"), "{shown}");
}
