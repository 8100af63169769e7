//! Golden screens: what a person sees of long, wide, right-to-left and emoji texts, row by row.
//!
//! Three peers say something, and the user talks with two of them, and with all. A file in `screens` has the rows of the screen, and
//! below a line of dashes the look of their cells, as in `style`. Each time is 00:00, and the bar is the cursor.
//! `SCREENS=write cargo test --test terminal screens` writes the files; look at what has changed.

use crate::common::peer::{Wire, session};
use crate::emulator::Seen;
use crate::pty::Terminal;
use std::cell::RefCell;
use std::fs;
use std::path::Path;

const COLUMNS: [u16; 3] = [40, 80, 120];

/// Room for everything that is said.
const ROWS: u16 = 80;

/// The rows of a flood that are looked at.
const FLOOD_ROWS: usize = 16;

const ANNA: (&str, &str) = ("127.0.0.1:9001", "anna");
const MING: (&str, &str) = ("127.0.0.1:9002", "小明");
const DANA: (&str, &str) = ("127.0.0.1:9003", "דנה");

const LONG: &str = "this is one of those messages that people write when they have thought about something for a while, and \
                    would like to be understood";
const WIDE: &str = "今天天气很好，我们一起去公园散步吧。你觉得怎么样？如果下雨的话，我们可以去看电影「大闹天宫」。晚上再一起吃饭。";
const RIGHT_TO_LEFT: &str = "שלום לכולם, זה משפט ארוך שלא נכנס בשורה אחת של מסך צר, وهذه جملة بالعربية";
const EMOJI: &str = "👍👍🏽 👨\u{200D}👩\u{200D}👧 ❤\u{FE0F} 🇩🇪 🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉 e\u{301}e\u{301}";
const MENTION: &str = "Me, can you hear me? Nobody answers @ME; so what can 你好 me你好 some merry name mean";
const WORD: &str = "see https://example.org/a/very/long/address/that/does/not/fit/into/any/row/of/a/narrow/terminal/or/even/into/one/of/a/wide/one ok";

/// A terminal, and the sessions of its peers.
struct Party {
    terminal: Terminal,
    anna: Wire,
    ming: Wire,
    dana: Wire,
    pings: u32,
}

impl Party {
    fn new(columns: u16, flags: &[&str]) -> Self {
        let args = [&["--name", "me", "--port", "0", "--ip", "127.0.0.1"], flags].concat();
        let terminal = Terminal::node_of(ROWS, columns, &args);
        let [anna, ming, dana] = [ANNA, MING, DANA]
            .map(|(address, name)| session(terminal.address(), address.parse().expect("an address"), name));
        Self { terminal, anna, ming, dana, pings: 0 }
    }

    /// A peer says something, and it was taken.
    fn hear(&mut self, (address, name): (&str, &str), text: &str) {
        let wire = match name {
            "anna" => &mut self.anna,
            "小明" => &mut self.ming,
            _ => &mut self.dana,
        };
        wire.write(format!("{address} {name} {text}\n"));
        self.pings += 1;
        wire.ping(self.pings);
    }

    /// The user types a line that ends in `end`, and is asked for the next one.
    fn type_line(&mut self, line: &str, end: &str, prompt: &str) {
        self.terminal.type_keys(&format!("{line}\r"));
        self.await_prompt(end, prompt);
    }

    /// Waits for a prompt after a line that ends in `end`: on a plain screen, keys that come before a prompt are seen
    /// before it.
    fn await_prompt(&self, end: &str, prompt: &str) {
        self.terminal.screen.expect(end);
        self.terminal.screen.expect(prompt);
    }

    fn talk(&mut self) {
        self.hear(ANNA, LONG);
        self.hear(MING, WIDE);
        self.hear(DANA, RIGHT_TO_LEFT);
        self.await_prompt("بالعربية", "Enter choice: ");
        self.type_line("/to anna", "anna", "→ anna");
        self.type_line(LONG, "understood", "→ anna");
        self.terminal.type_keys("a half-typed");
        self.terminal.screen.expect("a half-typed");
        self.hear(MING, "你好");
        self.hear(DANA, EMOJI);
        self.await_prompt("e\u{301}e\u{301}", "→ anna");
        self.type_line(" line", "line", "→ anna");
        self.type_line("/to 小明", "小明", "→ 小明");
        self.type_line(WIDE, "饭。", "→ 小明");
        self.type_line(&format!("/all {EMOJI}"), "e\u{301}e\u{301}", "→ 小明");
        self.expect_texts();
        self.hear(ANNA, WORD);
        self.dana.write("!to 3\n");
        self.hear(DANA, "good night, all of you");
        self.await_prompt("all of you", "→ 小明");
        self.hear(ANNA, MENTION);
        self.await_prompt("mean", "→ 小明");
        self.type_line("/to all", "all", "→ all 3 peers");
        self.terminal.type_keys("and while this is ty");
    }

    /// The peers got what the user said.
    #[track_caller]
    fn expect_texts(&mut self) {
        let from = self.terminal.address();
        for (wire, texts) in [
            (&mut self.anna, &[LONG, "a half-typed line"][..]),
            (&mut self.ming, &[WIDE]),
            (&mut self.dana, &[]),
        ] {
            texts.iter().for_each(|text| assert_eq!(wire.read_line(), format!("{from} me {text}\n")));
            assert_eq!(wire.read_line(), "!to 3\n");
            assert_eq!(wire.read_line(), format!("{from} me {EMOJI}\n"));
        }
    }

    fn flood(&mut self) {
        let (address, name) = ANNA;
        let line =
            |n: u32| format!("number {n} of a flood of lines that no narrow terminal takes in one row");
        for n in (0..60).step_by(10) {
            let lines: Vec<String> = (n..n + 10).map(line).collect();
            self.hear(ANNA, &lines.join(&format!("\n{address} {name} ")));
            self.terminal.type_keys(".");
            self.hear(MING, "水");
        }
        self.hear(ANNA, &line(60));
        self.hear(DANA, EMOJI);
        self.terminal.type_keys("ped");
    }

    /// Compares the last rows of the screen with a file.
    #[track_caller]
    fn assert_seen(&self, name: &str, rows: usize, typed: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/terminal/screens/{name}.txt"));
        if std::env::var_os("SCREENS").is_some_and(|how| how == "write") {
            let screen = RefCell::default();
            self.terminal.emulator.expect(typed, |seen| {
                screen.replace(drawn(seen, rows));
                seen.rows.last().is_some_and(|last| last.ends_with(typed))
            });
            fs::write(&path, screen.into_inner()).expect("a file of this repository");
        }
        let golden = fs::read_to_string(&path).expect("a golden screen");
        self.terminal.emulator.expect(&golden, |seen| drawn(seen, rows) == golden);
    }
}

/// The last rows of the screen, and their looks if they have any.
fn drawn(seen: &Seen, rows: usize) -> String {
    let first = seen.rows.len().saturating_sub(rows);
    let with_port = ["Server listening on port ", "Others reach you at 127.0.0.1:"];
    let row = |(row, time): (&String, &Option<String>)| match with_port.iter().find(|p| row.starts_with(**p))
    {
        Some(words) => format!("{words}…\n"),
        None => format!("{}{row}\n", if time.is_some() { "00:00 " } else { "" }),
    };
    let shown: String = seen.rows.iter().zip(&seen.times).skip(first).map(row).collect();
    let looks = &seen.looks[first..];
    if looks.iter().all(String::is_empty) {
        return shown;
    }
    format!("{shown}{}\n{}\n", "-".repeat(20), looks.join("\n"))
}

#[test]
fn texts_of_all_kinds_are_wrapped_at_words_below_their_beginning() {
    for columns in COLUMNS {
        let mut party = Party::new(columns, &[]);
        party.talk();
        party.assert_seen(&format!("talk-{columns}"), usize::MAX, "ty▏");
        party.flood();
        party.assert_seen(&format!("flood-{columns}"), FLOOD_ROWS, "ped▏");
    }
}

#[test]
fn without_colours_the_rows_are_the_same() {
    for columns in COLUMNS {
        let mut party = Party::new(columns, &["--color", "never"]);
        party.talk();
        party.assert_seen(&format!("talk-{columns}-no-colour"), usize::MAX, "ty▏");
        let golden = |name: &str| {
            let path =
                Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/terminal/screens/{name}.txt"));
            fs::read_to_string(path).expect("a golden screen")
        };
        let coloured = golden(&format!("talk-{columns}"));
        assert!(coloured.starts_with(&golden(&format!("talk-{columns}-no-colour"))));
    }
}

#[test]
fn a_plain_screen_has_addresses_and_leaves_its_lines_to_the_terminal() {
    for columns in COLUMNS {
        let mut party = Party::new(columns, &["--plain"]);
        party.talk();
        party.assert_seen(&format!("talk-{columns}-plain"), usize::MAX, "ty▏");
    }
}
