//! The line editor, seen on the screen of an emulator. In expected rows the bar is the cursor.

use crate::common::peer::{Peer, Wire, say, session};
use crate::common::program::command;
use crate::pty::{CTRL_C, CTRL_D, CTRL_Q, CTRL_S, CTRL_Z, Terminal};
use chinwag::term::raw::Raw;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;

const UP: &str = "\x1b[A";
const LEFT: &str = "\x1b[D";
pub(crate) const MENU: [&str; 8] = [
    "",
    "***** Menu *****",
    "1. Send message",
    "2. Query active peers",
    "3. Connect to active peers",
    "4. Send message to static peers",
    "5. Send message to all peers",
    "0. Quit",
];

/// A node that has reached the peer, so it will send it a farewell.
fn known_to(peer: &Peer) -> Terminal {
    let mut terminal = asked_for_a_text(peer);
    terminal.type_keys("hello\r");
    peer.take();
    terminal.screen.expect("hello");
    terminal.expect_rows(&["Enter choice: ▏"]);
    terminal
}

/// A terminal that asks for a text for `peer`.
fn asked_for_a_text(peer: &Peer) -> Terminal {
    let mut terminal = Terminal::node("P1");
    terminal.type_keys(&format!("1\r{}\r", peer.address()));
    terminal.expect_rows(&["Enter your message: ▏"]);
    terminal
}

pub(crate) fn pasted(text: &str) -> String {
    format!("\x1b[200~{text}\x1b[201~")
}

#[test]
fn a_message_at_each_key_disturbs_nothing_that_is_typed() {
    const SENTENCE: &str = "Is the 你好 of a long sentence whole, e\u{301} and 👍 too?";
    let (peer, other) = (Peer::new(), Peer::new());
    let mut terminal = asked_for_a_text(&peer);
    let mut wire = session(terminal.address(), other.address(), "P2");
    let mut typed = String::new();
    for (n, c) in SENTENCE.chars().enumerate() {
        typed.push(c);
        terminal.type_keys(&c.to_string());
        wire.write(format!("{} P2 number {n}\n", other.address()));
        let speaker = if n == 0 { format!("P2 ({})", other.address()) } else { "P2".to_owned() };
        let message = format!("{speaker}: number {n}");
        terminal.expect_rows(&[&message, &format!("Enter your message: {}▏", typed)]);
    }
    terminal.type_keys("\r");
    assert_eq!(peer.take(), format!("{} P1 {SENTENCE}", terminal.address()));
    let said = format!("you → {}: {SENTENCE}", peer.address());
    terminal.expect_rows(&[&[said.as_str()], &MENU[..], &["Enter choice: ▏"]].concat());
}

#[test]
fn a_key_draws_the_row_once() {
    const KEYS: usize = 5;
    let mut terminal = Terminal::node("P1");
    for n in 1..=KEYS {
        terminal.type_keys("x");
        terminal.expect_rows(&[&format!("Enter choice: {}▏", "x".repeat(n))]);
    }
    terminal.type_keys(CTRL_C);
    terminal.expect_rows(&["Enter choice: ▏"]);
    terminal.type_keys(CTRL_C);
    terminal.expect_rows(&["Press Ctrl-C again to quit.", "Enter choice: ▏"]);
    terminal.type_keys(CTRL_C);
    terminal.screen.expect("Exiting\r\n");
    // Once at first, once for each key, once for the empty row, and once below the sentence.
    let drawn = String::from_utf8(terminal.screen.bytes()).unwrap().matches("\x1b7").count();
    assert_eq!(drawn, 1 + KEYS + 2);
}

#[test]
fn mistakes_are_corrected_where_they_are_and_a_message_leaves_the_cursor_there() {
    let (peer, other) = (Peer::new(), Peer::new());
    let mut terminal = asked_for_a_text(&peer);
    terminal.type_keys(&format!("helo world{}", LEFT.repeat(7)));
    terminal.expect_rows(&["Enter your message: hel▏o world"]);
    say(terminal.address(), format!("{} P2 hi", other.address()));
    let address = other.address();
    terminal.expect_rows(&[
        &format!("New peer: P2 ({address})"),
        &format!("P2 ({address}): hi"),
        "Enter your message: hel▏o world",
    ]);
    terminal.type_keys("l\x17\x19\x1bf\x0b!\r");
    assert_eq!(peer.take(), format!("{} P1 hello!", terminal.address()));
    terminal.expect_rows(&["Enter choice: ▏"]);
    terminal.type_keys(&format!("1\r{UP}"));
    terminal.expect_rows(&[&format!("Enter the recipient's IP address: {}▏", peer.address())]);
    terminal.type_keys("\r\x12ell");
    terminal.expect_rows(&["(search 'ell') h▏ello!"]);
    terminal.type_keys("\r");
    assert_eq!(peer.take(), format!("{} P1 hello!", terminal.address()));
}

#[test]
fn names_and_addresses_are_completed_and_candidates_are_shown() {
    let (anna, anton) = (Peer::new(), Peer::new());
    let mut terminal = Terminal::node("P1");
    let _wires = [(&anna, "anna"), (&anton, "anton")].map(|(peer, name)| {
        let wire = session(terminal.address(), peer.address(), name);
        terminal
            .expect_rows(&[&format!("{name} ({}) connected with you", peer.address()), "Enter choice: ▏"]);
        wire
    });
    terminal.type_keys("1\ra\t");
    terminal.expect_rows(&["Enter the recipient's IP address: an▏"]);
    terminal.type_keys("\t");
    terminal.expect_rows(&["anton  anna", "Enter the recipient's IP address: an▏"]);
    terminal.type_keys("n\t");
    terminal.expect_rows(&["Enter the recipient's IP address: anna▏"]);
    terminal.type_keys("\r");
    terminal.expect_rows(&["Enter the recipient's IP address: anna", "Enter your message: ▏"]);
}

#[test]
fn a_paste_of_five_lines_is_asked_about_and_one_of_three_is_not() {
    let mut terminal = Terminal::node("P1");
    terminal.type_keys(&pasted("2\r2\r2\r2\r2"));
    terminal.expect_rows(&["Paste 5 lines? (y/n) ▏"]);
    terminal.type_keys("n");
    terminal.expect_rows(&["Nothing was pasted.", "Enter choice: ▏"]);
    terminal.type_keys(&pasted("2\r2\r2\r2\r2"));
    terminal.expect_rows(&["Paste 5 lines? (y/n) ▏"]);
    terminal.type_keys("y");
    let answered = ["Enter choice: 2", "No connected peers"];
    terminal.expect_rows(&[&answered, &MENU[..], &["Enter choice: 2▏"]].concat());
    terminal.type_keys(CTRL_C);
    terminal.expect_rows(&["Enter choice: ▏"]);
    terminal.type_keys(&pasted("4\r"));
    terminal.expect_rows(&["Enter choice: 4", "Enter your message: ▏"]);
    assert_eq!(terminal.screen.bytes().windows(3).filter(|three| three == b"No ").count(), 4);
}

#[test]
fn a_resize_to_20_columns_and_back_keeps_the_line_in_its_row() {
    let peer = Peer::new();
    let mut terminal = asked_for_a_text(&peer);
    terminal.type_keys("a text that needs some room");
    terminal.resize(20);
    terminal.expect_rows(&["Message:  room▏"]);
    terminal.type_keys("\x01");
    terminal.expect_rows(&["Message: ▏a text tha"]);
    terminal.resize(80);
    terminal.expect_rows(&["Enter your message: ▏a text that needs some room"]);
    terminal.type_keys("\r");
    assert_eq!(peer.take(), format!("{} P1 a text that needs some room", terminal.address()));
}

#[test]
fn a_suspended_program_gives_the_terminal_back_and_comes_back_whole() {
    let ways: [fn(&mut Terminal); 2] = [
        |terminal| terminal.type_keys(CTRL_Z),
        |terminal| kill_process(terminal.front(), Signal::TSTP).unwrap(),
    ];
    for suspend in ways {
        let mut terminal = Terminal::node_below_a_shell("P1");
        let other = Peer::new();
        terminal.type_keys(&format!("4\rhalf typed{LEFT}"));
        terminal.expect_rows(&["Enter your message: half type▏d"]);
        suspend(&mut terminal);
        terminal.screen.expect("stopped\r\n");
        terminal.assert_as_found();
        // What arrives in between is shown afterwards.
        say(terminal.address(), format!("{} P2 hi", other.address()));
        terminal.type_keys("\n");
        terminal.expect_rows(&[&format!("P2 ({}): hi", other.address()), "Enter your message: half type▏d"]);
        assert!(!terminal.is_canonical());
    }
}

#[test]
fn in_the_background_the_screen_is_left_alone_and_nothing_is_lost() {
    let mut terminal = Terminal::node_behind_a_shell("P1");
    let other = Peer::new();
    let from = other.address();
    terminal.type_keys(&format!("4\rhalf typed{LEFT}"));
    terminal.expect_rows(&["Enter your message: half type▏d"]);
    terminal.type_keys(CTRL_Z);
    terminal.screen.expect("stopped\r\n");
    let mut wire = session(terminal.address(), from, "P2");
    wire.write(format!("{from} P2 hi\n"));
    wire.ping(1);
    terminal.assert_as_found();
    // The shell gets the keys.
    terminal.type_keys("\n");
    let between = terminal.screen.expect("front\r\n");
    assert!(!between.contains("connected") && !between.contains('\x1b'), "{between:?}");
    terminal.expect_rows(&[&format!("P2 ({from}): hi"), "Enter your message: half type▏d"]);
    assert!(!terminal.is_canonical());
    terminal.type_keys("!\x15\r0\r");
    terminal.screen.expect("Exiting\r\n");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_as_found();
}

#[test]
fn a_program_in_the_background_can_end_and_shows_its_last_lines() {
    let mut terminal = Terminal::node_behind_a_shell("P1");
    let other = Peer::new();
    let pid = terminal.front();
    terminal.type_keys(CTRL_Z);
    terminal.screen.expect("stopped\r\n");
    let mut wire = session(terminal.address(), other.address(), "P2");
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(wire.read_line(), format!("{} P1 exit\n", terminal.address()));
    drop(wire);
    terminal.screen.expect("connected with you");
    terminal.screen.expect("Exiting\r\n");
    terminal.assert_as_found();
}

#[test]
fn a_program_stopped_from_outside_and_woken_in_the_background_ends_on_request() {
    let script = "sh -c 'echo \"pid $$ .\"; exec \"$0\" \"$@\"' \"$0\" \"$@\"; echo stopped; read line; bg; \
                  wait; echo ended; jobs; echo \"that is all\"";
    let mut terminal = node_after(&["sh", "-mc", script]);
    let shown = String::from_utf8(terminal.screen.bytes()).unwrap();
    let pid = shown.split_whitespace().nth(1).and_then(|pid| Pid::from_raw(pid.parse().ok()?)).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    terminal.screen.expect("stopped\r\n");
    terminal.type_keys("\n");
    kill_process(pid, Signal::TERM).unwrap();
    terminal.screen.expect("ended\r\n");
    assert!(!terminal.screen.expect("that is all\r\n").contains("Stopped"));
}

#[test]
fn a_program_that_nobody_could_wake_is_not_suspended() {
    let mut terminal = Terminal::node("P1");
    terminal.type_keys(&format!("half{CTRL_Z} typed"));
    terminal.expect_rows(&["Enter choice: half typed▏"]);
    assert!(!terminal.is_canonical());
    terminal.signal(Signal::STOP);
    terminal.signal(Signal::CONT);
    terminal.type_keys("!");
    terminal.expect_rows(&["Enter choice: half typed!▏"]);
}

#[test]
fn a_flood_leaves_the_row_at_the_bottom_and_the_line_whole() {
    const LINES: usize = 1000;
    let (peer, other) = (Peer::new(), Peer::new());
    let mut terminal = asked_for_a_text(&peer);
    let mut wire = session(terminal.address(), other.address(), "P2");
    for n in 0..10 {
        wire.write(format!("{} P2 a line of the flood\n", other.address()).repeat(LINES / 10));
        terminal.type_keys(&n.to_string());
    }
    wire.ping(1);
    terminal.expect_rows(&["Enter your message: 0123456789▏"]);
    terminal.type_keys("\r");
    assert_eq!(peer.take(), format!("{} P1 0123456789", terminal.address()));
    // The row is drawn at most once in a turn, and each turn reads some of the flood or a key.
    let drawn = String::from_utf8(terminal.screen.bytes()).unwrap().matches("\x1b7").count();
    assert!(drawn < LINES / 4, "the row was drawn {drawn} times");
}

#[test]
fn a_stopped_screen_takes_keys_and_shows_them_when_it_flows() {
    let (peer, other) = (Peer::new(), Peer::new());
    let mut terminal = asked_for_a_text(&peer);
    terminal.type_keys(&format!("{CTRL_S}typed blindly"));
    let mut wire = session(terminal.address(), other.address(), "P2");
    wire.write(format!("{} P2 hi\n", other.address()));
    wire.ping(1);
    terminal.type_keys(CTRL_Q);
    terminal.expect_rows(&[&format!("P2 ({}): hi", other.address()), "Enter your message: typed blindly▏"]);
    terminal.type_keys("\r");
    assert_eq!(peer.take(), format!("{} P1 typed blindly", terminal.address()));
}

#[test]
fn hostile_text_is_shown_and_has_no_effect() {
    const HOSTILE: &str =
        "\x1b]0;title\x07\x1b[2J\x1b[?25l\x1b(0\x1b[8mx\x07\x0e\x1bc\u{9b}2J\x1b]52;c;aGk=\x07\u{202e}";
    let (peer, other) = (Peer::new(), Peer::new());
    let mut terminal = asked_for_a_text(&peer);
    let from = other.address();
    say(terminal.address(), format!("{from} N{HOSTILE} name\n{from} P2 {HOSTILE} text\n"));
    terminal.emulator.expect("both messages", |seen| {
        seen.rows.iter().any(|row| row.ends_with(" text")) && seen.ends_with(&["Enter your message: ▏"])
    });
    terminal.type_keys(&pasted(HOSTILE));
    terminal.type_keys("typed");
    terminal.emulator.expect("what was pasted", |seen| {
        let last = seen.rows.last().unwrap();
        last.starts_with("Enter your message: ␛]0;title␇␛[2J␛[?25l␛(0␛[8mx␇␎␛c") && last.ends_with("typed▏")
    });
    terminal.type_keys("\x15\x03\x03\x031\r");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_as_found();
    terminal.emulator.expect("no offence", |seen| seen.offences.is_empty());
}

#[test]
fn no_text_leaves_its_row_whatever_its_width() {
    let texts = [
        "plain and long, plain and long, plain and long, plain and long, plain and long, plain and long "
            .repeat(3),
        "你好世界".repeat(30),
        "👨\u{200D}👩\u{200D}👧👍🏽❤\u{FE0F}🏳\u{FE0F}\u{200D}🌈🇩🇪1\u{FE0F}\u{20E3}".repeat(10),
        "e\u{301}\u{302}\u{303}a\u{308}".repeat(50),
        "שלום עולם مرحبا بالعالم ".repeat(10),
    ];
    let peer = Peer::new();
    let mut terminal = asked_for_a_text(&peer);
    for columns in [20, 80, 200] {
        terminal.resize(columns);
        for text in &texts {
            terminal.type_keys("\x05\x15\x0c");
            // Nothing but this row is on the screen.
            terminal
                .emulator
                .expect("an empty row", |seen| seen.rows.len() == 1 && seen.rows[0].ends_with(": ▏"));
            terminal.type_keys(text);
            for (keys, mark) in [("|", "|▏"), ("\x01!", ": !▏"), ("\x1bf\x1bf|", "|▏")] {
                terminal.type_keys(keys);
                terminal.emulator.expect(mark, |seen| {
                    seen.rows.len() == 1 && seen.cursor.0 == 0 && seen.rows[0].contains(mark)
                });
            }
        }
    }
}

#[test]
fn a_line_longer_than_a_terminal_takes_by_itself_arrives_whole() {
    let peer = Peer::new();
    let mut terminal = Terminal::node("P1");
    let mut wire = session(terminal.address(), peer.address(), "P2");
    let text = "x".repeat(60 * 1024);
    terminal.type_keys(&format!("1\r{}\r{text}\r", peer.address()));
    assert_eq!(wire.read_line(), format!("{} P1 {text}\n", terminal.address()));
}

#[test]
fn the_terminal_is_left_as_found_after_every_kind_of_end() {
    let ends: [fn(&mut Terminal); 7] = [
        |terminal| terminal.type_keys("0\r"),
        |terminal| terminal.type_keys(&format!("{CTRL_C}{CTRL_C}")),
        |terminal| terminal.type_keys(&format!("a line{CTRL_C}{CTRL_C}{CTRL_C}")),
        |terminal| terminal.type_keys(CTRL_D),
        |terminal| terminal.signal(Signal::TERM),
        |terminal| terminal.signal(Signal::INT),
        |terminal| terminal.signal(Signal::HUP),
    ];
    for end in ends {
        let mut terminal = Terminal::node("P1");
        assert!(!terminal.is_canonical());
        end(&mut terminal);
        terminal.screen.expect("Exiting\r\n");
        assert_eq!(terminal.wait(), 0);
        terminal.assert_as_found();
    }
}

#[test]
fn the_first_interrupt_key_at_the_menu_asks_and_any_other_key_takes_it_back() {
    let mut terminal = Terminal::node("P1");
    let asked = ["Press Ctrl-C again to quit.", "Enter choice: ▏"];
    terminal.type_keys(CTRL_C);
    terminal.expect_rows(&asked);
    for (keys, answer) in
        [("/nick P2\r", "set at the start"), ("/me\r", "You are P1"), ("\x0cx\x7f", "\x1b[2J")]
    {
        terminal.type_keys(keys);
        terminal.screen.expect(answer);
        terminal.expect_rows(&["Enter choice: ▏"]);
        terminal.type_keys(CTRL_C);
        terminal.expect_rows(&asked);
    }
    terminal.type_keys(CTRL_C);
    terminal.screen.expect("Exiting\r\n");
    assert_eq!(terminal.wait(), 0);
}

#[test]
fn before_the_menu_and_without_the_editor_the_first_interrupt_key_quits() {
    let mut plain = Terminal::plain("P1");
    let mut asking = Terminal::run(&[command(&[]).get_program().to_owned()]);
    asking.screen.expect("Enter your name: ");
    for terminal in [&mut plain, &mut asking] {
        terminal.type_keys(CTRL_C);
        terminal.screen.expect("Exiting");
        assert_eq!(terminal.wait(), 0);
    }
}

#[test]
fn clear_leaves_the_prompt_and_what_is_typed_ahead() {
    let mut terminal = Terminal::node("P1");
    terminal.type_keys("/clear\rtyped ahead");
    terminal.emulator.expect("one row", |seen| seen.rows == ["Enter choice: typed ahead▏"]);
    let mut plain = Terminal::plain("P1");
    plain.type_keys("/clear\r");
    plain.screen.expect("/clear is for a terminal whose lines are edited here; nothing was cleared.");
    plain.screen.expect("Enter choice: ");
}

#[test]
fn last_words_are_said_before_the_exit() {
    let (peer, stranger) = (Peer::new(), Peer::new());
    let mut terminal = known_to(&peer);
    say(terminal.address(), format!("{} P3 hi", stranger.address()));
    terminal.screen.expect("P3");
    terminal.type_keys("/quit good night\r");
    assert_eq!(peer.take(), format!("{} P1 good night", terminal.address()));
    assert_eq!(peer.take(), format!("{} P1 exit", terminal.address()));
    assert_eq!(stranger.take(), format!("{} P1 exit", terminal.address()));
    assert_eq!(terminal.wait(), 0);
    terminal.emulator.expect("the line", |seen| seen.rows.iter().any(|row| row == "you → all: good night"));
}

#[test]
fn a_second_interrupt_key_does_not_wait_for_the_farewells() {
    let peer = Peer::new();
    let mut terminal = known_to(&peer);
    terminal.type_keys(CTRL_D);
    terminal.screen.expect("Exiting\r\n");
    // This peer never closes its side, so that the program has something to wait for.
    let mut farewell: Wire = peer.accept();
    assert_eq!(farewell.read_to_end(), format!("{} P1 exit", terminal.address()));
    terminal.type_keys(CTRL_C);
    assert_eq!(terminal.wait(), 0);
    terminal.assert_as_found();
}

#[test]
fn a_window_that_is_closed_ends_the_program() {
    let peer = Peer::new();
    let mut terminal = known_to(&peer);
    terminal.close();
    assert_eq!(peer.take(), format!("{} P1 exit", terminal.address()));
    assert_eq!(terminal.wait(), 0);
}

#[test]
fn a_panic_leaves_the_terminal_as_found() {
    let this = std::env::current_exe().unwrap();
    let args = ["--exact", "editor::panics_on_a_terminal", "--ignored", "--nocapture"];
    let words: Vec<OsString> = [this.into()].into_iter().chain(args.map(OsString::from)).collect();
    let terminal = Terminal::run(&words);
    terminal.screen.expect("keys are ours");
    // Before the reason is printed.
    terminal.screen.expect("\x1b[?25h");
    terminal.screen.expect("the reason is legible");
    assert_ne!(terminal.wait(), 0);
    terminal.assert_as_found();
}

#[test]
#[ignore = "the test above runs it on a terminal"]
fn panics_on_a_terminal() {
    let mut raw = Raw::find().expect("a terminal");
    raw.take().expect("settings");
    assert!(raw.is_foreground());
    println!("keys are ours");
    panic!("the reason is legible");
}

#[test]
fn a_plain_terminal_keeps_its_settings_and_gets_no_escape_sequence() {
    let mut terminal = Terminal::plain("P1");
    assert!(terminal.is_canonical());
    terminal.type_keys("2\n");
    terminal.screen.expect("No connected peers");
    terminal.type_keys("0\n");
    terminal.screen.expect("Exiting\r\n");
    assert_eq!(terminal.wait(), 0);
    assert!(!terminal.screen.bytes().contains(&b'\x1b'));
    terminal.assert_as_found();
}

/// A program that listens on any free port, with these words before it.
fn node_after(words: &[&str]) -> Terminal {
    let plain = command(&["--name", "P1", "--port", "0"]);
    let words = words.iter().map(OsString::from).chain([plain.get_program().to_owned()]);
    let terminal = Terminal::run(&words.chain(plain.get_args().map(ToOwned::to_owned)).collect::<Vec<_>>());
    terminal.screen.expect("Enter choice: ");
    terminal
}

#[test]
fn a_dumb_terminal_is_a_plain_one() {
    for words in [["env", "TERM=dumb"].as_slice(), &["env", "TERM=emacs"], &["env", "-u", "TERM"]] {
        let mut terminal = node_after(words);
        assert!(terminal.is_canonical());
        terminal.type_keys("0\n");
        terminal.screen.expect("Exiting\r\n");
        assert_eq!(terminal.wait(), 0);
        assert!(!terminal.screen.bytes().contains(&b'\x1b'));
    }
}

#[test]
fn a_row_that_the_terminal_wraps_is_erased_completely() {
    // All terminals except xterm wrap their rows again, and so does tmux inside xterm.
    for words in [["env", "-u", "XTERM_VERSION"], ["env", "TMUX=/tmp/tmux", "XTERM_VERSION=XTerm(1)"]] {
        let mut terminal = node_after(&words);
        terminal.type_keys(&"x".repeat(30));
        terminal.expect_rows(&[&format!("Enter choice: {}▏", "x".repeat(30))]);
        terminal.resize(20);
        terminal.screen.expect("\x1b[2A\x1b[?25l\r\x1b[J");
    }
}

#[test]
fn a_row_that_just_fits_a_narrower_terminal_erases_nothing_above_it() {
    // At the end of the line the cursor has no cell of its own that could be wrapped.
    for (keys, rows_above) in [("x".repeat(26), 1), ("x".repeat(27) + LEFT, 2)] {
        let mut terminal = node_after(&["env", "-u", "XTERM_VERSION"]);
        terminal.type_keys(&keys);
        terminal.emulator.expect("the cursor in column 40", |seen| seen.cursor.1 == 40);
        terminal.resize(20);
        terminal.screen.expect(&format!("\x1b[{rows_above}A\x1b[?25l\r\x1b[J"));
    }
}
