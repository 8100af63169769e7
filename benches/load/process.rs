//! The processes of a measurement: the programs under test and the generators. Each ends with its owner.

use super::rows::Program;
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const CHINWAG: &str = env!("CARGO_BIN_EXE_chinwag");

const LOOPBACK: &str = "127.0.0.1:0";

/// How long a program may take until it listens.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a run of the generator may take; the generator itself gives up much earlier.
const RUN_TIMEOUT: Duration = Duration::from_secs(300);

const POLL: Duration = Duration::from_millis(20);

/// Where a process runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Core {
    /// The programs under test.
    First,
    /// The generators of their load.
    Second,
}

/// What is needed to start the programs.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The folder with the rivals.
    rivals: PathBuf,
    /// The core of the programs under test and that of the generators, if processes can be bound to cores.
    pub(crate) cores: Option<[usize; 2]>,
    /// Whether programs can be made to end with us, even if we are killed.
    has_setpriv: bool,
    /// This is a smoke test, which only checks that everything runs.
    pub(crate) is_smoke: bool,
    /// The key of the program that encrypts, which makes it when it is first started.
    identity: Scratch,
}

/// A file that is removed at the end.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = fs::remove_file(&self.0);
    }
}

/// What a program does with the messages that it gets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Receive,
    Echo,
    Relay,
}

/// A process that is killed when dropped.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        command.spawn().map(Self).map_err(|error| format!("{command:?}: {error}"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn goes_on(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Interrupts it, and waits until it has ended.
    pub(crate) fn interrupt(mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program under test.
#[derive(Debug)]
pub(crate) struct Target {
    process: Running,
    /// The process that reads its output.
    _reader: Option<Running>,
    pub(crate) address: SocketAddr,
}

impl Target {
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The pipe that is its stdin, into which messages can be typed.
    pub(crate) fn stdin(&self) -> String {
        format!("/proc/{}/fd/0", self.pid())
    }

    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }
}

impl Stage {
    /// Builds the rivals in the target directory of this bench.
    pub(crate) fn set(is_smoke: bool) -> Result<Self, String> {
        let cores = allowed_cores().filter(|_| has("taskset"));
        let name = format!("chinwag-load-{}.identity", std::process::id());
        Ok(Self {
            rivals: build_rivals()?,
            cores,
            has_setpriv: has("setpriv"),
            is_smoke,
            identity: Scratch(std::env::temp_dir().join(name)),
        })
    }

    /// A command whose process is bound to that core.
    pub(crate) fn command(&self, core: Core, program: impl AsRef<OsStr>) -> Command {
        let mut words: Vec<&OsStr> = Vec::new();
        if self.has_setpriv {
            words.extend(["setpriv", "--pdeathsig", "KILL", "--"].map(OsStr::new));
        }
        let core = self.cores.map(|[first, second]| match core {
            Core::First => first.to_string(),
            Core::Second => second.to_string(),
        });
        if let Some(core) = &core {
            words.extend(["taskset", "-c", core].map(OsStr::new));
        }
        words.push(program.as_ref());
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
    }

    /// Starts a program, and waits until it listens.
    pub(crate) fn start(&self, program: Program, mode: Mode) -> Result<Target, String> {
        match program.rival() {
            Some(name) => self.start_rival(name, mode),
            None => self.start_chinwag(program, mode),
        }
    }

    fn start_rival(&self, name: &str, mode: Mode) -> Result<Target, String> {
        let mode = match mode {
            Mode::Receive => "receive",
            Mode::Echo => "echo",
            Mode::Relay => "relay",
        };
        let mut command = self.command(Core::First, self.rivals.join(name));
        command.args([mode, LOOPBACK]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Running::start(&mut command)?;
        let mut line = String::new();
        if let Some(stdout) = &mut process.0.stdout {
            BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        }
        let address = line.trim_end().strip_prefix("listening on ").and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| format!("{name} wrote an unexpected line: {line:?}"))?;
        Ok(Target { process, _reader: None, address })
    }

    /// To relay, chinwag has a menu, and a pipe into which choice 5 can be typed. Else it is headless.
    fn start_chinwag(&self, program: Program, mode: Mode) -> Result<Target, String> {
        let address = free_address()?;
        let mut command = self.command(Core::First, CHINWAG);
        command
            .args(["--config", "/dev/null", "--name", "node", "--bind", "127.0.0.1"])
            .args(["--static-peer", "127.0.0.1:1", "--port"])
            .arg(address.port().to_string())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let is_setting = |variable: &OsString| variable.as_encoded_bytes().starts_with(b"CHINWAG_");
        std::env::vars_os().filter(|(variable, _)| is_setting(variable)).for_each(|(variable, _)| {
            command.env_remove(variable);
        });
        if matches!(mode, Mode::Relay) {
            command.stdin(Stdio::piped());
        } else {
            command.arg("--headless");
        }
        if program == Program::Piped {
            command.stdout(Stdio::piped());
        } else {
            command.arg("--quiet");
        }
        if program == Program::Encrypted {
            command.arg("--identity").arg(&self.identity.0);
        }
        let mut process = Running::start(&mut command)?;
        let reader = process.0.stdout.take().map(|stdout| {
            Running::start(self.command(Core::Second, "cat").stdin(stdout).stdout(Stdio::null()))
        });
        let is_decided = |process: &mut Running| TcpStream::connect(address).is_ok() || !process.goes_on();
        let is_in_time = wait_until(START_TIMEOUT, || is_decided(&mut process));
        if !is_in_time || !process.goes_on() {
            return Err("chinwag does not listen".to_owned());
        }
        Ok(Target { process, _reader: reader.transpose()?, address })
    }

    /// The command of a generator.
    pub(crate) fn swarm(&self, core: Core, target: &Target, scenario: &str) -> Command {
        let mut command = self.command(core, CHINWAG);
        command
            .arg("swarm")
            .arg(target.address.to_string())
            .args([scenario, "--timeout", if self.is_smoke { "2" } else { "10" }])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    /// Runs a generator; returns its report, if all went as planned.
    pub(crate) fn run(&self, target: &Target, swarm: &mut Command) -> Result<Value, String> {
        swarm.args(["--pid", &target.pid().to_string(), "--json", "-"]);
        report_of(swarm)
    }

    /// Runs the generator of TLS, with its last arguments; returns its report, whose figures are where those of a swarm are.
    pub(crate) fn run_tls(&self, target: &Target, last: [usize; 4]) -> Result<Value, String> {
        let mut command = self.command(Core::Second, self.rivals.join("tls-load"));
        command.args([target.address.to_string(), target.pid().to_string()]);
        command.args(last.map(|number| number.to_string())).stdin(Stdio::null());
        report_of(&mut command)
    }
}

/// What a generator prints, if all went as planned.
fn report_of(command: &mut Command) -> Result<Value, String> {
    let mut process = Running::start(command.stdout(Stdio::piped()))?;
    let mut stdout = process.0.stdout.take().ok_or("the generator has no stdout")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let _ = stdout.read_to_string(&mut text);
        let _ = sender.send(text);
    });
    let text = receiver.recv_timeout(RUN_TIMEOUT).map_err(|_| "the generator does not end")?;
    let status = process.0.wait().map_err(|error| error.to_string())?;
    let report: Value = serde_json::from_str(&text).map_err(|error| format!("{error}; {status}"))?;
    if status.success() {
        Ok(report)
    } else {
        let (ending, failed) = (&report["ending"], &report["counts"]["failed"]);
        Err(format!("ending {ending}, lost {}, failed {failed}", report["counts"]["lost"]))
    }
}

/// Checks again and again whether the condition is true.
pub(crate) fn wait_until(timeout: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + timeout;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(POLL);
    }
}

/// Whether there is such a program.
pub(crate) fn has(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// How many of the `wanted` connections a program can hold: as many as the highest limit on open files that a
/// process can set for itself, less some for its other files.
pub(crate) fn connections(wanted: usize) -> usize {
    const SPARE: u64 = 100;
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    usize::try_from(limit.saturating_sub(SPARE)).map_or(wanted, |limit| wanted.min(limit))
}

/// The first two cores that we may run on; the list looks like `0,2-5`.
fn allowed_cores() -> Option<[usize; 2]> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut cores = list.trim().split(',').flat_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) => first..last + 1,
            _ => 0..0,
        }
    });
    Some([cores.next()?, cores.next()?])
}

/// A port that nobody listens on. It is chosen here, because a program that prints nothing cannot report its own
/// choice.
fn free_address() -> Result<SocketAddr, String> {
    TcpListener::bind(LOOPBACK).and_then(|listener| listener.local_addr()).map_err(|error| error.to_string())
}

/// Returns the folder into which cargo has put them.
fn build_rivals() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--release", "-p", "rivals", "--locked", "--message-format"])
        .arg("json-render-diagnostics")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("the rivals were not built: {}", output.status));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut executables = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    let floor = executables.find(|path| path.file_stem() == Some(OsStr::new("floor")));
    floor
        .as_deref()
        .and_then(Path::parent)
        .map(Path::to_path_buf)
        .ok_or("cargo did not build the floor".to_owned())
}
