//! The program on a pseudo terminal, as a person has it.

use crate::common::PATIENCE;
use crate::common::output::Output;
use crate::common::program::command;
use portable_pty::{ChildKiller, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::tcgetattr;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// The keys that the terminal itself understands.
pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const CTRL_D: &str = "\x04";
pub(crate) const CTRL_Q: &str = "\x11";
pub(crate) const CTRL_S: &str = "\x13";

/// A terminal on which the program runs.
pub(crate) struct Terminal {
    keyboard: Box<dyn Write + Send>,
    pub(crate) screen: Output,
    /// The terminal as the shell has it open, before and after the program.
    shared: File,
    settings_before: String,
    pid: Pid,
    killer: Box<dyn ChildKiller + Send + Sync>,
    exit_code: Receiver<u32>,
    port: u16,
    _far_end: Box<dyn MasterPty + Send>,
}

/// A pseudo terminal: its far end and its path.
pub(crate) fn open() -> (Box<dyn MasterPty + Send>, PathBuf) {
    let pair = native_pty_system().openpty(PtySize::default()).expect("a pseudo terminal");
    let path = pair.master.tty_name().expect("a terminal has a name");
    (pair.master, path)
}

impl Terminal {
    /// Starts a program that listens on any free port, and waits until it does.
    pub(crate) fn node(name: &str) -> Self {
        let pair = native_pty_system().openpty(PtySize::default()).expect("a pseudo terminal");
        let path = pair.master.tty_name().expect("a terminal has a name");
        let shared = File::options().read(true).write(true).open(path).expect("the terminal");
        let settings_before = settings(&shared);
        let plain = command(&["--name", name, "--port", "0"]);
        let mut builder = CommandBuilder::new(plain.get_program());
        builder.args(plain.get_args());
        builder.env_remove("RUST_LOG");
        let mut child = pair.slave.spawn_command(builder).expect("the program starts");
        let pid = child.process_id().and_then(|pid| Pid::from_raw(pid as i32)).expect("it runs");
        let killer = child.clone_killer();
        let screen = Output::of(pair.master.try_clone_reader().expect("the far end can be read"));
        let keyboard = pair.master.take_writer().expect("the far end can be written to");
        let (sender, exit_code) = channel();
        thread::spawn(move || sender.send(child.wait().expect("a child of this one").exit_code()));
        let mut terminal = Self {
            keyboard,
            screen,
            shared,
            settings_before,
            pid,
            killer,
            exit_code,
            port: 0,
            _far_end: pair.master,
        };
        terminal.screen.expect("Server listening on port ");
        terminal.port = terminal.screen.expect("\r\n").trim().parse().expect("a port");
        terminal.screen.expect("Enter choice: ");
        terminal
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Presses these keys.
    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("the program runs");
    }

    /// Waits until the program ends; gives its exit code.
    #[track_caller]
    pub(crate) fn wait(&self) -> u32 {
        self.exit_code.recv_timeout(PATIENCE).expect("the program ends")
    }

    /// Whether the terminal is set as it was before the program.
    #[track_caller]
    pub(crate) fn assert_as_found(&self) {
        assert_eq!(settings(&self.shared), self.settings_before);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.killer.kill();
    }
}

fn settings(terminal: &File) -> String {
    format!("{:?}", tcgetattr(terminal).expect("a terminal"))
}
