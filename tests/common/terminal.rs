//! The program on a pseudo terminal, as a person uses it.

use crate::common::PATIENCE;
use crate::common::output::Output;
use crate::common::program::{command, is_private};
use crate::emulator::Emulator;
use portable_pty::{ChildKiller, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, tcgetattr};
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use tempfile::TempDir;

/// The keys that the terminal itself understands.
pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const CTRL_D: &str = "\x04";
pub(crate) const CTRL_Q: &str = "\x11";
pub(crate) const CTRL_S: &str = "\x13";
pub(crate) const CTRL_Z: &str = "\x1a";

const SIZE: PtySize = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };

/// A terminal on which the program runs.
pub(crate) struct Terminal {
    keyboard: Box<dyn Write + Send>,
    /// What was written to it.
    pub(crate) screen: Output,
    /// What is visible on it.
    pub(crate) emulator: Emulator,
    /// The shell's open terminal, before and after the program.
    shared: File,
    settings_before: String,
    pid: Pid,
    killer: Box<dyn ChildKiller + Send + Sync>,
    end: Receiver<ExitStatus>,
    port: u16,
    far_end: Option<Box<dyn MasterPty + Send>>,
    /// Where the program keeps its files; removed with the terminal.
    _home: TempDir,
}

/// A pseudo terminal: its far end and its path.
pub(crate) fn open() -> (Box<dyn MasterPty + Send>, PathBuf) {
    let pair = native_pty_system().openpty(SIZE).expect("a pseudo terminal");
    let path = pair.master.tty_name().expect("a terminal has a name");
    (pair.master, path)
}

/// The variable that keeps a program from making itself a key.
pub(crate) const NO_IDENTITY: &str = "CHINWAG_NO_IDENTITY";

impl Terminal {
    /// Starts a program that listens on any free port, and waits until it does.
    pub(crate) fn node(name: &str) -> Self {
        Self::node_with(&["--name", name, "--port", "0"])
    }

    /// The same without the line editor.
    pub(crate) fn plain(name: &str) -> Self {
        Self::node_with(&["--name", name, "--port", "0", "--plain"])
    }

    /// The same with these arguments.
    pub(crate) fn node_with(args: &[&str]) -> Self {
        Self::run(&words(args)).listening()
    }

    /// The same on a terminal of this size.
    pub(crate) fn node_of(rows: u16, columns: u16, args: &[&str]) -> Self {
        Self::run_on(PtySize { rows, cols: columns, ..SIZE }, &words(args)).listening()
    }

    /// The same with its files in a directory that stays, and without colours.
    pub(crate) fn node_at(home: &Path, args: &[&str]) -> Self {
        Self::asking_at(home, args).listening()
    }

    /// The same with the key of a person, which the others have not: what scripted peers read would depend on it.
    pub(crate) fn keyed_at(home: &Path, args: &[&str]) -> Self {
        let at_home =
            ["env".into(), "-u".into(), NO_IDENTITY.into(), format!("HOME={}", home.display()).into()];
        let flags = [&["--port", "0", "--color", "never"], args].concat();
        Self::run(&[&at_home[..], &words(&flags)[..]].concat()).listening()
    }

    /// The same, but it asks something else first, and nothing is waited for.
    pub(crate) fn asking_at(home: &Path, args: &[&str]) -> Self {
        let at_home = ["env".into(), format!("HOME={}", home.display()).into()];
        let flags = [&["--port", "0", "--color", "never"], args].concat();
        Self::run(&[&at_home[..], &words(&flags)[..]].concat())
    }

    /// The same under a shell that notices when the program is suspended: it says so, and wakes the program after it
    /// has read a line.
    pub(crate) fn node_below_a_shell(name: &str) -> Self {
        Self::node_below("sh", "\"$0\" \"$@\"; echo stopped; read line; fg", name)
    }

    /// The same, but the program is first woken in the background, and this shell does not say when it is in the
    /// foreground.
    pub(crate) fn node_behind_a_shell(name: &str) -> Self {
        let script = "\"$0\" \"$@\"; echo stopped; bg; read line; echo front; fg";
        Self::node_below("bash", script, name)
    }

    fn node_below(shell: &str, script: &str, name: &str) -> Self {
        let shell = [shell, "-mc", script].map(OsString::from);
        Self::run(&[&shell[..], &words(&["--name", name, "--port", "0"])[..]].concat()).listening()
    }

    /// The same as [`Terminal::node_with`], with these variables too.
    pub(crate) fn node_where(variables: &[&str], args: &[&str]) -> Self {
        let env = ["env"].iter().chain(variables).map(OsString::from);
        Self::run(&env.chain(words(args)).collect::<Vec<_>>()).listening()
    }

    /// Starts any command, and waits for nothing.
    pub(crate) fn run(words: &[OsString]) -> Self {
        Self::run_on(SIZE, words)
    }

    fn run_on(size: PtySize, words: &[OsString]) -> Self {
        let pair = native_pty_system().openpty(size).expect("a pseudo terminal");
        let path = pair.master.tty_name().expect("a terminal has a name");
        let shared = File::options().read(true).write(true).open(path).expect("the terminal");
        let settings_before = settings(&shared);
        let mut builder = CommandBuilder::from_argv(words.to_vec());
        std::env::vars_os()
            .filter(|(name, _)| is_private(name))
            .for_each(|(name, _)| builder.env_remove(name));
        let home = TempDir::new().expect("a directory for its files");
        builder.env("HOME", home.path());
        builder.env(NO_IDENTITY, "true");
        builder.env("TERM", "xterm-256color");
        // The emulator cuts rows when it gets narrower, as xterm does.
        builder.env("XTERM_VERSION", "XTerm(1)");
        let mut child = pair.slave.spawn_command(builder).expect("the program starts");
        let pid = child.process_id().and_then(|pid| Pid::from_raw(pid as i32)).expect("it runs");
        let killer = child.clone_killer();
        let emulator = Emulator::new(size.rows, size.cols);
        let reader = pair.master.try_clone_reader().expect("the far end can be read");
        let screen = Output::of(emulator.watching(reader));
        let keyboard = pair.master.take_writer().expect("the far end can be written to");
        let (sender, end) = channel();
        thread::spawn(move || sender.send(child.wait().expect("a child of this one")));
        let far_end = Some(pair.master);
        Self {
            keyboard,
            screen,
            emulator,
            shared,
            settings_before,
            pid,
            killer,
            end,
            port: 0,
            far_end,
            _home: home,
        }
    }

    fn listening(mut self) -> Self {
        self.screen.expect("Server listening on port ");
        self.port = self.screen.expect("\r\n").trim().parse().expect("a port");
        self.screen.expect("Enter choice: ");
        self
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Presses these keys.
    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Waits until the last rows of the screen are these; the cursor is the bar.
    #[track_caller]
    pub(crate) fn expect_rows(&self, rows: &[&str]) {
        self.emulator.expect(&format!("{rows:?}"), |seen| seen.ends_with(rows));
    }

    /// Gives the terminal so many columns.
    pub(crate) fn resize(&self, columns: u16) {
        self.emulator.resize(SIZE.rows, columns);
        let size = PtySize { cols: columns, ..SIZE };
        self.far_end.as_ref().expect("it was not closed").resize(size).expect("a terminal has a size");
    }

    /// Closes the window: the far end is gone.
    pub(crate) fn close(&mut self) {
        self.far_end = None;
        self.keyboard = Box::new(std::io::sink());
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("the program runs");
    }

    /// The process group in the foreground of the terminal.
    pub(crate) fn front(&self) -> Pid {
        let far_end = self.far_end.as_ref().expect("it was not closed");
        far_end.process_group_leader().and_then(Pid::from_raw).expect("somebody is in front")
    }

    /// Waits until the program ends; returns its exit code.
    #[track_caller]
    pub(crate) fn wait(&self) -> u32 {
        self.wait_for_end().exit_code()
    }

    /// The same; also returns the signal that killed it.
    #[track_caller]
    pub(crate) fn wait_for_end(&self) -> ExitStatus {
        self.end.recv_timeout(PATIENCE).expect("the program ends")
    }

    /// Whether the terminal itself edits lines, as it does for most programs.
    pub(crate) fn is_canonical(&self) -> bool {
        tcgetattr(&self.shared).expect("a terminal").local_modes.contains(LocalModes::ICANON)
    }

    /// Whether the terminal has the same settings as before the program, and shows its cursor.
    #[track_caller]
    pub(crate) fn assert_as_found(&self) {
        assert_eq!(settings(&self.shared), self.settings_before);
        // The screen may be late.
        self.emulator.expect("no mode left on", |seen| !seen.is_cursor_hidden && !seen.is_paste_marked);
    }
}

/// The text of rows that were wrapped at words, in one line.
pub(crate) fn unwrapped(rows: &str) -> String {
    rows.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.killer.kill();
    }
}

fn words(args: &[&str]) -> Vec<OsString> {
    let plain = command(args);
    std::iter::once(plain.get_program()).chain(plain.get_args()).map(ToOwned::to_owned).collect()
}

fn settings(terminal: &File) -> String {
    format!("{:?}", tcgetattr(terminal).expect("a terminal"))
}
