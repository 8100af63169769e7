//! The picture in the README: two programs, each on its own terminal, play a dialogue, and the screen of the first is
//! written to stdout as an SVG.
//!
//! Nothing in it is invented: each step presses its keys and waits until the result is visible. Ports are any free
//! ones.
//!
//! `cargo run --example screen > examples/screen.svg`
#![expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "an example waits, and prints")]

mod svg;

use portable_pty::{ChildKiller, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::error::Error;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use std::{env, thread};
use tempfile::TempDir;
use vt100::Parser;

const ROWS: u16 = 19;
const COLUMNS: u16 = 80;

/// How long to wait for something to be visible; only a fault takes so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who presses which keys, and what then appears on the first screen. `{1}` and `{2}` are the addresses.
const SCRIPT: [(Who, &str, &str); 6] = [
    (Who::Second, "/connect {1}\r", "connected with you"),
    (Who::Second, "/to P1\rgood evening, have you read it?\r", "good evening"),
    (Who::First, "/to P2\r", "→ P2: "),
    (Who::First, "all of it, in one night\r", "one night"),
    (Who::First, "and what I liked be", "liked be"),
    (
        Who::Second,
        "take your time: this does not disturb your line, and its rows are indented below their text\r",
        "below their text",
    ),
];

/// The last keys: the half-typed line is still there.
const LAST: (&str, &str) = ("st is", "and what I liked best is");

#[derive(Clone, Copy)]
enum Who {
    First,
    Second,
}

fn main() -> Result<(), Box<dyn Error>> {
    let program = built()?;
    let mut terminals = [Terminal::start(&program, "P1")?, Terminal::start(&program, "P2")?];
    let [first, second] = [terminals[0].address()?, terminals[1].address()?];
    for (who, keys, seen) in SCRIPT {
        terminals[who as usize].press(&keys.replace("{1}", &first).replace("{2}", &second))?;
        terminals[0].wait_for(seen)?;
    }
    let (keys, seen) = LAST;
    terminals[0].press(keys)?;
    terminals[0].wait_for(seen)?;
    print!("{}", svg::drawing(terminals[0].parser.screen()));
    Ok(())
}

/// Builds the program from the current sources, and returns its path.
fn built() -> Result<PathBuf, Box<dyn Error>> {
    let mut build = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    build.args(["build", "--quiet", "--locked", "--bin", "chinwag"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    if !build.status()?.success() {
        return Err("the program cannot be built".into());
    }
    let example = env::current_exe()?;
    let directory = example.ancestors().nth(2).ok_or("an example lies in a directory of the program's")?;
    Ok(directory.join("chinwag"))
}

/// A terminal with a program on it; both end when it is dropped.
struct Terminal {
    parser: Parser,
    output: Receiver<Vec<u8>>,
    keyboard: Box<dyn Write + Send>,
    killer: Box<dyn ChildKiller + Send + Sync>,
    _far_end: Box<dyn MasterPty + Send>,
    _home: TempDir,
}

impl Terminal {
    fn start(program: &PathBuf, name: &str) -> Result<Self, Box<dyn Error>> {
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size)?;
        let home = TempDir::new()?;
        let mut command = CommandBuilder::new(program);
        command.args(["--name", name, "--port", "0", "--ip", "127.0.0.1", "--static-peer", "127.0.0.1:1"]);
        let own = |name: &OsStr| {
            let name = name.to_string_lossy();
            ["CHINWAG_", "XDG_", "RUST_LOG", "NO_COLOR"].iter().any(|own| name.starts_with(own))
        };
        env::vars_os().filter(|(name, _)| own(name)).for_each(|(name, _)| command.env_remove(name));
        command.env("HOME", home.path());
        command.env("TERM", "xterm-256color");
        let killer = pair.slave.spawn_command(command)?.clone_killer();
        let mut reader = pair.master.try_clone_reader()?;
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                // The receiver may be gone.
                let _ = sender.send(buffer[..count].to_vec());
            }
        });
        let [rows, columns] =
            [ROWS, COLUMNS].map(|cells| NonZeroU16::new(cells).expect("a screen has cells"));
        Ok(Self {
            parser: Parser::new(rows, columns, 0),
            output,
            keyboard: pair.master.take_writer()?,
            killer,
            _far_end: pair.master,
            _home: home,
        })
    }

    /// The address where it listens, after its menu has appeared.
    fn address(&mut self) -> Result<String, Box<dyn Error>> {
        self.wait_for("Enter choice: ")?;
        let screen = self.parser.screen().contents();
        let port = screen.lines().find_map(|line| line.strip_prefix("Server listening on port "));
        Ok(format!("127.0.0.1:{}", port.ok_or("it listens nowhere")?.trim()))
    }

    fn press(&mut self, keys: &str) -> Result<(), Box<dyn Error>> {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    /// Waits until a text is on the screen, and everything that was drawn with it: the cursor comes last.
    fn wait_for(&mut self, text: &str) -> Result<(), Box<dyn Error>> {
        while !self.parser.screen().contents().contains(text) || self.parser.screen().hide_cursor() {
            let missing = |_| format!("{text:?} did not come:\n{}", self.parser.screen().contents());
            let bytes = self.output.recv_timeout(PATIENCE).map_err(missing)?;
            self.parser.process(&bytes);
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.killer.kill();
    }
}
