//! The program under test, with pipes as its descriptors.

use super::output::Output;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use signal_hook::flag::register_conditional_shutdown;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

/// Whether the program under test knows this command line: it may be built without the load generator.
pub(crate) fn is_here(args: &[&str]) -> bool {
    cfg!(feature = "bench") || !args.iter().any(|word| word.starts_with("swarm"))
}

/// A running program. It is killed when dropped, so it sends no farewells.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    port: u16,
}

/// The result of a query, one row for each peer, without when it was last heard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) active: Vec<String>,
    pub(crate) contacted: Vec<String>,
}

/// The command that starts the program, with its descriptors piped. Its static peer is a port of the
/// loopback address, unless `args` name others.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = command_with_default_static_peers(args);
    if !args.contains(&"--static-peer") {
        command.args(["--static-peer", "127.0.0.1:1"]);
    }
    command
}

/// The same with the static peers of the assignment: only for a network without a way out.
pub(crate) fn command_with_default_static_peers(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    piped(command.args(args));
    command
}

/// The command that starts a subcommand. Subcommands have no static peers.
pub(crate) fn subcommand(name: &str, args: &[&str]) -> Command {
    command_with_default_static_peers(&[&[name], args].concat())
}

/// The command with this limit on descriptors.
pub(crate) fn command_with_descriptors(count: u32, args: &[&str]) -> Command {
    limited(count, &[&["--static-peer", "127.0.0.1:1"], args].concat())
}

/// The command of the load generator against `target`; `args` are separated by spaces.
pub(crate) fn swarm_command(target: impl Display, args: &str) -> Command {
    let target = target.to_string();
    let words: Vec<&str> = ["swarm", &target].into_iter().chain(args.split_whitespace()).collect();
    command_with_default_static_peers(&words)
}

/// Exactly this command line, with this limit on descriptors.
pub(crate) fn limited(count: u32, args: &[&str]) -> Command {
    below_limit(&format!("-n {count}"), args)
}

/// Exactly this command line, with a limit that is set by `ulimit`.
pub(crate) fn below_limit(limit: &str, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit {limit} && exec \"$0\" \"$@\"");
    piped(command.args(["-c", &script, env!("CARGO_BIN_EXE_chinwag")]).args(args));
    command
}

/// The tests may run with ignored signals, as in a script that uses `&`. The program under test would inherit and
/// respect that. A signal that is caught here has its default action there.
fn catch_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
            let is_end = Arc::new(AtomicBool::new(true));
            let code = 128 + signal.as_raw();
            register_conditional_shutdown(signal.as_raw(), code, is_end)
                .expect("a signal that can be caught");
        }
    });
}

fn piped(command: &mut Command) {
    catch_signals();
    isolate(command).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

/// Hides the user's environment from the program: no settings, no files, no home.
fn isolate(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if is_private(&name) {
            command.env_remove(name);
        }
    }
    command.env("HOME", "/nonexistent")
}

/// Whether a variable says where the user's files are, or sets something of the program.
pub(crate) fn is_private(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["CHINWAG_", "XDG_"].iter().any(|beginning| name.starts_with(beginning))
        || ["RUST_LOG", "COLORTERM", "NO_COLOR", "HOME"].contains(&&*name)
}

impl Program {
    /// Starts the program and waits for nothing.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::spawn(&mut command(args))
    }

    /// Starts `command`; only outputs that are pipes are collected.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        catch_signals();
        let mut child = command.spawn().expect("the program starts");
        let stdout = child.stdout.take().map(Output::of).unwrap_or_default();
        let stderr = child.stderr.take().map(Output::of).unwrap_or_default();
        Self { stdin: child.stdin.take(), child, stdout, stderr, port: 0 }
    }

    /// Starts a program that listens on any free port.
    pub(crate) fn node(name: &str) -> Self {
        Self::node_with(name, &[])
    }

    /// The same with further arguments.
    pub(crate) fn node_with(name: &str, args: &[&str]) -> Self {
        Self::start(&[&["--name", name, "--port", "0"], args].concat()).listening()
    }

    /// Waits until it listens, and learns where.
    pub(crate) fn listening(mut self) -> Self {
        self.stdout.expect("Server listening on port ");
        self.port = self.stdout.expect("\n").trim().parse().expect("a port");
        self
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub(crate) fn type_line(&mut self, line: impl Display) {
        let stdin = self.stdin.as_mut().expect("stdin is a pipe that is open");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("the program reads");
    }

    /// Closes the pipe that is its stdin.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Menu choice 1.
    pub(crate) fn send(&mut self, to: impl Display, text: &str) {
        self.type_line(format_args!("1\n{to}\n{text}"));
    }

    /// Menu choice 3.
    pub(crate) fn connect(&mut self, to: impl Display) {
        self.type_line(format_args!("3\n{to}"));
    }

    /// Menu choice 3, repeated until the other side answers: it has one second for that, and the machine may be
    /// loaded.
    pub(crate) fn connect_until_accepted(&mut self, to: impl Display) {
        loop {
            self.connect(&to);
            if self.is_accepted() {
                return;
            }
        }
    }

    /// Waits until its connect was answered, or stayed without an answer for a second.
    #[track_caller]
    pub(crate) fn is_accepted(&self) -> bool {
        let outcomes = ["accepted your connection\n", "it does not answer connect requests\n"];
        self.stdout.expect_one_of(&outcomes).ends_with(outcomes[0])
    }

    /// Menu choice 2.
    #[track_caller]
    pub(crate) fn query(&mut self) -> Listed {
        self.type_line(2);
        self.stdout.expect_one_of(&["Connected Peers:\n", "No connected peers\n"]);
        let list = self.stdout.expect("\n***** Menu *****\n");
        let (active, contacted) =
            list.split_once("Contacted, not heard from yet:\n").unwrap_or((list.as_str(), ""));
        Listed { active: rows(active), contacted: rows(contacted) }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the program runs");
    }

    /// Stops the program while `script` runs: for the program, everything in between happens at the same time.
    pub(crate) fn frozen<T>(&self, script: impl FnOnce() -> T) -> T {
        self.freeze();
        let outcome = script();
        self.thaw();
        outcome
    }

    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
        waitpid(Some(self.pid()), WaitOptions::UNTRACED).expect("the program stops");
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits until it ends and its output is collected; returns its exit code.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> i32 {
        self.stdout.end();
        self.stderr.end();
        let status = self.child.wait().expect("the program is a child of this one");
        status.code().unwrap_or_else(|| panic!("{status}"))
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The most memory that it ever used, in KiB, if the system tells.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let path = format!("/proc/{}/status", self.pid().as_raw_nonzero());
        let status = std::fs::read_to_string(path).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rows(list: &str) -> Vec<String> {
    let is_row = |line: &&str| line.starts_with(|c: char| c.is_ascii_digit());
    let without_age = |row: &str| match row.split_once(", heard ") {
        Some((row, _)) => format!("{row})"),
        None => row.to_owned(),
    };
    list.lines().filter(is_row).map(without_age).collect()
}
