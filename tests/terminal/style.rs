//! Colours, times and the bell, seen on the screen of an emulator. The look of a row is a letter for each cell: bold,
//! dim, coloured, coloured and bold, or bold and reversed.

use crate::common::peer::{Peer, Wire, session};
use crate::common::program::{Program, command};
use crate::pty::Terminal;
use std::fmt::Display;

const NODE: [&str; 4] = ["--name", "P1", "--port", "0"];

/// A peer with a fixed address, so that its colour is known; it does not listen.
const PEER: &str = "127.0.0.1:9090";
const COLOR: u8 = 130;
const COLOR_OF_EIGHT: u8 = 2;

fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&NODE, args].concat()
}

fn say(wire: &mut Wire, text: impl Display) {
    wire.write(format!("{PEER} P2 {text}\n"));
    wire.ping(1);
}

/// Waits for a row; returns its look.
#[track_caller]
fn look_of(terminal: &Terminal, row: &str) -> (Option<String>, String, Option<u8>) {
    let look = std::cell::RefCell::new(None);
    terminal.emulator.expect(row, |seen| {
        let at = seen.rows.iter().position(|seen| seen == row);
        let of = |at: usize| (seen.times[at].clone(), seen.looks[at].clone(), seen.colors[at]);
        look.replace(at.map(of)).is_some() || at.is_some()
    });
    look.into_inner().expect("it was seen")
}

#[test]
fn a_message_has_the_local_time_and_its_speaker_a_colour() {
    let terminal = Terminal::node_where(&["TZ=<-03>3"], &NODE);
    let mut wire = session(terminal.address(), PEER.parse().unwrap(), "P2");
    let before = jiff::Timestamp::now();
    say(&mut wire, "hi");
    let (time, look, color) = look_of(&terminal, &format!("P2 ({PEER}): hi"));
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(-3));
    let moments = [before, jiff::Timestamp::now()];
    let times = moments.map(|at| at.to_zoned(zone.clone()).strftime("%H:%M").to_string());
    assert!(times.contains(&time.expect("a time")));
    assert_eq!(look, format!("ddddd {}", "c".repeat(PEER.len() + 5)));
    assert_eq!(color, Some(COLOR));
    let (time, look, color) = look_of(&terminal, &format!("P2 ({PEER}) connected with you"));
    assert_eq!((time, color), (None, Some(COLOR)));
    assert_eq!(look, format!("{}{}", "c".repeat(PEER.len() + 5), "d".repeat(" connected with you".len())));
}

#[test]
fn an_address_is_shown_once_always_on_request_and_whenever_it_is_only_claimed() {
    // The second one is not that of this host, from which the message comes.
    for (args, address, is_always) in
        [(&[][..], PEER, false), (&["--show-addresses"], PEER, true), (&[], "10.0.0.5:9090", true)]
    {
        let terminal = Terminal::node_with(&with(args));
        let mut wire = Wire::dial(terminal.address());
        wire.write(format!("{address} P2 one\n{address} P2 two\n"));
        let mark = if address == PEER { "" } else { "? " };
        let named = format!("{mark}P2 ({address})");
        let second = if is_always { format!("{named}: two") } else { "P2: two".to_owned() };
        terminal.expect_rows(&[&format!("{named}: one"), &second, "Enter choice: ▏"]);
    }
}

#[test]
fn what_the_user_says_and_what_failed_look_different() {
    let peer = Peer::new();
    let mut terminal = Terminal::node("P1");
    terminal.type_keys(&format!("7\r1\r{}\rhello\r", peer.address()));
    peer.take();
    let address = peer.address().to_string();
    let (time, look, _) = look_of(&terminal, &format!("you → {address}: hello"));
    assert!(time.is_some());
    assert_eq!(look, format!("ddddd bbb   {}  bbbbb", "c".repeat(address.len())));
    let sentence = "'7' is not a valid choice: type a number from 0 to 5, or /to NAME to chat.";
    let (_, look, color) = look_of(&terminal, sentence);
    assert_eq!((look, color), ("c".repeat(sentence.len()), Some(160)));
    let (_, look, _) = look_of(&terminal, "Enter choice: 7");
    assert_eq!(look, "");
}

#[test]
fn a_hostile_text_does_not_leak_into_another_row() {
    const HOSTILE: &str = "\x1b[31;1;44mred\x1b[7m\u{9b}4m";
    let mut terminal = Terminal::node("P1");
    let mut wire = session(terminal.address(), PEER.parse().unwrap(), "P2");
    say(&mut wire, HOSTILE);
    wire.write(format!("{PEER} N{HOSTILE} renamed\n"));
    wire.ping(2);
    terminal.type_keys("4\r");
    // The emulator leaves out the replacement character of a C1 control.
    let (_, look, _) = look_of(&terminal, &format!("P2 ({PEER}): ␛[31;1;44mred␛[7m4m"));
    assert_eq!(look, format!("ddddd {}", "c".repeat(PEER.len() + 5)));
    terminal.expect_rows(&["Enter your message: ▏"]);
    terminal.emulator.expect("plain questions", |seen| seen.looks.iter().rev().take(2).all(String::is_empty));
}

#[test]
fn no_colour_at_all_if_none_is_wanted() {
    let (off, empty) = (["NO_COLOR=1"], ["NO_COLOR="]);
    let table: [(&[&str], &[&str], bool); 5] = [
        (&off, &[], false),
        (&empty, &[], true),
        (&off, &["--color", "always"], true),
        (&[], &["--color", "never"], false),
        (&[], &[], true),
    ];
    for (variables, args, is_colored) in table {
        let mut terminal = Terminal::node_where(variables, &with(args));
        let mut wire = session(terminal.address(), PEER.parse().unwrap(), "P2");
        say(&mut wire, "hi");
        terminal.type_keys("4\rhello\r");
        let (time, look, _) = look_of(&terminal, &format!("P2 ({PEER}): hi"));
        assert!(time.is_some());
        assert_eq!(look.contains('c'), is_colored, "{variables:?} {args:?}");
        let (_, look, _) = look_of(&terminal, "you → 127.0.0.1:1: hello");
        assert_eq!(look.contains('b'), is_colored);
        terminal.emulator.expect("looks", |seen| is_colored || seen.looks.iter().all(String::is_empty));
    }
}

#[test]
fn a_terminal_gets_no_more_colours_than_it_has() {
    let table: [(&[&str], &[&str], Option<u8>); 7] = [
        (&["TERM=vt100"], &[], None),
        (&["TERM=vt100", "COLORTERM=truecolor"], &[], None),
        (&["TERM=no-such-terminal"], &[], None),
        (&["TERM=no-such-terminal"], &["--color", "always"], Some(COLOR)),
        (&["TERM=no-such-terminal", "COLORTERM=truecolor"], &[], Some(COLOR)),
        (&["TERM=linux"], &[], Some(COLOR_OF_EIGHT)),
        (&["TERM=linux"], &["--color", "always"], Some(COLOR_OF_EIGHT)),
    ];
    for (variables, args, color) in table {
        let terminal = Terminal::node_where(variables, &with(args));
        let mut wire = session(terminal.address(), PEER.parse().unwrap(), "P2");
        say(&mut wire, "hi");
        assert_eq!(look_of(&terminal, &format!("P2 ({PEER}): hi")).2, color, "{variables:?} {args:?}");
        let is_plain = color.is_none();
        terminal.emulator.expect("looks", |seen| is_plain == seen.looks.iter().all(String::is_empty));
    }
}

#[test]
fn a_plain_terminal_and_a_pipe_have_no_times_and_colours_only_on_request() {
    let head = format!("\x1b[38;5;{COLOR}m{PEER} P2\x1b[m hi");
    for (args, shown) in
        [(["--plain", "--color", "auto"], format!("{PEER} P2 hi")), (["--plain", "--color", "always"], head)]
    {
        let terminal = Terminal::node_with(&with(&args));
        let mut wire = session(terminal.address(), PEER.parse().unwrap(), "P2");
        say(&mut wire, "hi");
        terminal.screen.expect(&format!("\n{shown}\r\n"));
        let bytes = String::from_utf8(terminal.screen.bytes()).unwrap();
        // Only colours begin with the escape character.
        assert!(bytes.split('\x1b').skip(1).all(|rest| rest[..rest.find('m').unwrap()].starts_with('[')));
        assert_eq!(bytes.contains('\x1b'), args[2] == "always");
        let program = Program::spawn(command(&with(&args[1..])).env("TERM", "xterm-256color")).listening();
        let mut wire = session(program.address(), PEER.parse().unwrap(), "P2");
        say(&mut wire, "hi");
        program.stdout.expect_line(&shown);
    }
}

#[test]
fn the_bell_rings_once_per_burst_and_only_if_wanted() {
    for args in [vec!["--bell"], vec!["--bell=private", "--plain"], vec!["--bell", "mention"], vec![]] {
        let terminal = Terminal::node_with(&with(&args));
        let mut wire = session(terminal.address(), PEER.parse().unwrap(), "P2");
        terminal.screen.expect("connected with you");
        terminal.emulator.expect("no bell yet", |seen| seen.offences.is_empty());
        say(&mut wire, format!("one\n{PEER} P2 two\n{PEER} P2 three"));
        let last =
            if args.contains(&"--plain") { format!("{PEER} P2 three") } else { "P2: three".to_owned() };
        look_of(&terminal, &last);
        let bells = usize::from(!args.is_empty() && !args.contains(&"mention"));
        terminal.emulator.expect("bells", |seen| seen.offences == vec!["a bell"; bells]);
    }
    let program = Program::node_with("P1", &["--bell"]);
    let mut wire = session(program.address(), PEER.parse().unwrap(), "P2");
    say(&mut wire, "hi");
    program.stdout.expect_line(&format!("{PEER} P2 hi"));
    assert!(!program.stdout.bytes().contains(&7), "a pipe has no bell");
}

#[test]
fn a_mention_rings_whom_only_mentions_ring_and_the_name_in_it_looks_different() {
    for (variables, args, is_marked) in
        [(&[][..], &["--bell", "mention"][..], true), (&["NO_COLOR=1", "CHINWAG_BELL=mention"], &[], false)]
    {
        let terminal = Terminal::node_where(variables, &with(args));
        let mut wire = session(terminal.address(), PEER.parse().unwrap(), "P2");
        say(&mut wire, "P10 is not meant");
        look_of(&terminal, &format!("P2 ({PEER}): P10 is not meant"));
        terminal.emulator.expect("no bell yet", |seen| seen.offences.is_empty());
        say(&mut wire, "hi @p1!");
        let (_, look, _) = look_of(&terminal, "P2: hi @p1!");
        assert_eq!(look, if is_marked { "ddddd cc      rr" } else { "" });
        terminal.emulator.expect("a bell", |seen| seen.offences == ["a bell"]);
    }
}

#[test]
fn the_prompt_for_a_text_to_all_says_so_in_words_and_in_a_colour() {
    let table: [(&[&str], &[&str], char); 4] =
        [(&[], &[], 'C'), (&["TERM=linux"], &[], 'r'), (&["NO_COLOR=1"], &[], ' '), (&[], &["--plain"], ' ')];
    for (variables, args, look) in table {
        let mut terminal = Terminal::node_where(variables, &with(args));
        let _anna = session(terminal.address(), PEER.parse().unwrap(), "anna");
        terminal.screen.expect("connected with you");
        let _bob = session(terminal.address(), "127.0.0.1:9091".parse().unwrap(), "bob");
        terminal.screen.expect("bob (127.0.0.1:9091)");
        for (keys, prompt) in
            [("/to all\r", "→ all 2 peers: "), ("5\r", "Enter your message to all 2 peers: ")]
        {
            // On a plain screen, keys that come before a prompt are seen before it.
            terminal.screen.expect("Enter choice: ");
            terminal.type_keys(keys);
            let expected = prompt.chars().map(|_| look).collect::<String>();
            terminal.emulator.expect(prompt, |seen| {
                seen.ends_with(&[&format!("{prompt}▏")])
                    && seen.looks.last().is_some_and(|seen| seen.trim_end() == expected.trim_end())
            });
            terminal.type_keys("\r");
        }
    }
}
