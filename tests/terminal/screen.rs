//! The program on a terminal that edits the lines itself, used by a person.

use crate::common::peer::{Peer, Wire, say, session};
use crate::pty::{CTRL_Q, CTRL_S, Terminal};

#[test]
fn a_half_typed_line_survives_what_arrives_meanwhile() {
    let (peer, other) = (Peer::new(), Peer::new());
    let mut terminal = Terminal::plain("P1");
    terminal.type_keys(&format!("1\n{}\n", peer.address()));
    terminal.screen.expect("Enter your message: ");
    terminal.type_keys("hel");
    terminal.screen.expect("hel");
    say(terminal.address(), format!("{} P2 good evening", other.address()));
    terminal.screen.expect(&format!("\r\nNew peer: P2 ({})\r\n", other.address()));
    terminal.screen.expect(&format!("{} P2 good evening\r\nEnter your message: ", other.address()));
    terminal.type_keys("lo\n");
    assert_eq!(peer.take(), format!("{} P1 hello", terminal.address()));
}

#[test]
fn a_stopped_terminal_stops_nobody_else_and_tells_later_what_it_missed() {
    const NOTICES: usize = 30;
    let (peer, other) = (Peer::new(), Peer::new());
    let mut terminal = Terminal::plain("P1");
    let mut wire = session(terminal.address(), other.address(), "P2");
    terminal.screen.expect("connected with you\r\nEnter choice: ");
    // The keys are taken in order: when the message goes out, the terminal is already stopped.
    terminal.type_keys(&format!("{CTRL_S}1\n{}\nhello\n", peer.address()));
    assert_eq!(peer.take(), format!("{} P1 hello", terminal.address()));
    let text = "x".repeat(60 * 1024);
    for _ in 0..NOTICES {
        wire.write(format!("{} P2 {text}\n", other.address()));
    }
    wire.ping(7);
    terminal.type_keys(CTRL_Q);
    terminal.screen.expect(" not shown: the terminal was stopped\r\n");
    terminal.screen.expect_that("each notice shown or counted", |screen| {
        let shown = screen.matches(&text).count();
        let count = |line: &str| line.strip_prefix("… ")?.split(' ').next()?.parse::<usize>().ok();
        let missed: usize = screen.lines().filter_map(count).sum();
        // The outcome of the typed message and the menu after it may be among the missed notices.
        (NOTICES..=NOTICES + 2).contains(&(shown + missed)) && missed > 0
    });
    wire.ping(8);
    terminal.screen.expect("Enter choice: ");
    wire.write(format!("{} P2 and now\n", other.address()));
    terminal.screen.expect(&format!("{} P2 and now\r\n", other.address()));
}

#[test]
fn a_peer_that_says_too_much_is_counted_and_nothing_is_forgotten() {
    const LINES: usize = 1000;
    let terminal = Terminal::plain("P1");
    let mut wire = Wire::dial(terminal.address());
    let lines: String = (0..LINES).map(|_| "127.0.0.1:9 P2 line\n").collect();
    wire.write(lines);
    terminal.screen.expect("P2 (127.0.0.1:9) sent ");
    terminal.screen.expect_that("each line shown or counted", |screen| {
        let shown = screen.matches("127.0.0.1:9 P2 line\r\n").count();
        let count = |line: &str| {
            let (count, _) = line.strip_prefix("P2 (127.0.0.1:9) sent ")?.split_once(" more line")?;
            count.parse::<usize>().ok()
        };
        shown >= 200 && shown + screen.lines().filter_map(count).sum::<usize>() == LINES
    });
}
