//! How the figures are measured: what is done to a program in one round.

use super::process::{Core, Mode, Running, Stage, Target, wait_until};
use super::rows::Program;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::Duration;

/// What is done to a program, once for each round and program.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Burst { peers: usize, batch: usize },
    Churn { messages: usize },
    FanOut { peers: usize, batch: usize, rounds: usize },
    Growth { few: usize, many: usize, batch: usize },
    Handshakes { peers: usize },
    Hold { peers: usize },
    Idle { peers: usize, time: Duration },
    RoundTrip { questions: usize, silent: usize },
    StoppedReader { peers: usize, rounds: usize },
}

/// The kernel keeps some 3 MiB for a reader that reads nothing, and chinwag keeps one MiB more. So the messages of
/// a run, of 16 KiB each, must be more than 4 MiB together.
pub(crate) const STOPPED_READER_ROUNDS: usize = 350;
const STOPPED_READER_MESSAGE_BYTES: usize = 16 * 1024;

/// The rounds of a burst over TLS: those that count, and those before them. The swarm has as many.
const TLS_ROUNDS: usize = 30;
const TLS_WARM_UP: usize = 20;

/// The figures that could be measured, and the reason if there are not more.
pub(crate) type Outcome = (Vec<f64>, Option<String>);

impl Work {
    /// One round of one program.
    pub(crate) fn measure(&self, stage: &Stage, program: Program) -> Outcome {
        let mut figures = Vec::new();
        let bench = Bench { stage, program };
        let outcome = match *self {
            Work::Burst { peers, batch } => bench.burst(peers, batch).map(|cpu| figures.push(cpu)),
            Work::Churn { messages } => bench.churn(messages).map(|cpu| figures.push(cpu)),
            Work::FanOut { peers, batch, rounds } => {
                bench.fan_out(peers, batch, rounds).map(|cpu| figures.push(cpu))
            }
            Work::Growth { few, many, batch } => bench.growth(few, many, batch, &mut figures),
            Work::Handshakes { peers } => bench.handshakes(peers, &mut figures),
            Work::Hold { peers } => bench.hold(peers).map(|memory| figures.push(memory)),
            Work::Idle { peers, time } => bench.idle(peers, time).map(|calls| figures.push(calls)),
            Work::RoundTrip { questions, silent } => bench.round_trip(questions, silent, &mut figures),
            Work::StoppedReader { peers, rounds } => bench.stopped_reader(peers, rounds, &mut figures),
        };
        (figures, outcome.err())
    }
}

/// One measurement. Each has a fresh process.
struct Bench<'a> {
    stage: &'a Stage,
    program: Program,
}

impl Bench<'_> {
    /// How its peers speak.
    fn carrier(&self) -> Option<&'static str> {
        match self.program {
            Program::Sessions => None,
            Program::Encrypted => Some("--secure"),
            _ => Some("--lines"),
        }
    }

    fn is_rival(&self) -> bool {
        self.program.rival().is_some()
    }

    fn burst(&self, peers: usize, batch: usize) -> Result<f64, String> {
        let target = self.stage.start(self.program, Mode::Receive)?;
        if self.program == Program::Tls {
            let (rounds, warm_up) = if self.stage.is_smoke { (1, 1) } else { (TLS_ROUNDS, TLS_WARM_UP) };
            let report = self.stage.run_tls(&target, [peers, batch, rounds, warm_up])?;
            return figure(&report, "/target/cpu_ns_per_message");
        }
        let mut swarm = self.stage.swarm(Core::Second, &target, "burst");
        swarm.args(["--peers", &peers.to_string(), "--batch", &batch.to_string()]);
        swarm.args(self.carrier());
        if self.stage.is_smoke {
            swarm.args(["--rounds", "1", "--warm-up", "1"]);
        } else if peers > 1_000 {
            // A round with so many connections is as exact as ten rounds of the others, and takes as long.
            swarm.args(["--rounds", "10"]);
        }
        figure(&self.stage.run(&target, &mut swarm)?, "/target/cpu_ns_per_message")
    }

    /// In microseconds.
    fn churn(&self, messages: usize) -> Result<f64, String> {
        let target = self.stage.start(self.program, Mode::Receive)?;
        let mut swarm = self.stage.swarm(Core::Second, &target, "churn");
        swarm.args(["--messages", &messages.to_string()]);
        let cpu = figure(&self.stage.run(&target, &mut swarm)?, "/target/cpu_ns_per_message")?;
        Ok(cpu / 1e3)
    }

    fn growth(&self, few: usize, many: usize, batch: usize, figures: &mut Vec<f64>) -> Result<(), String> {
        let few = self.burst(few, batch)?;
        let many = self.burst(many, batch)?;
        figures.extend([many, many / few]);
        Ok(())
    }

    fn fan_out(&self, peers: usize, batch: usize, rounds: usize) -> Result<f64, String> {
        let target = self.stage.start(self.program, Mode::Relay)?;
        let mut swarm = self.fan_out_command(&target, peers, rounds);
        swarm.args(["--batch", &batch.to_string()]);
        figure(&self.stage.run(&target, &mut swarm)?, "/target/cpu_ns_per_message")
    }

    /// A rival relays what the first peer sends; into chinwag the messages are typed.
    fn fan_out_command(&self, target: &Target, peers: usize, rounds: usize) -> Command {
        let mut swarm = self.stage.swarm(Core::Second, target, "fan-out");
        swarm.args(["--rounds", &rounds.to_string(), "--peers"]);
        if self.is_rival() {
            swarm.arg((peers + 1).to_string()).args(["--lines", "--relay"]);
        } else {
            swarm.arg(peers.to_string()).args(["--trigger", &target.stdin()]);
        }
        swarm
    }

    /// In microseconds. Waking another core costs many times the work that we compare, so both ends are on one
    /// core.
    fn round_trip(&self, questions: usize, silent: usize, figures: &mut Vec<f64>) -> Result<(), String> {
        let target = self.stage.start(self.program, Mode::Echo)?;
        for peers in [1, silent + 1] {
            let mut swarm = self.stage.swarm(Core::First, &target, "ping");
            swarm.args(["--messages", &questions.to_string(), "--peers", &peers.to_string()]);
            if self.is_rival() {
                swarm.args(["--lines", "--echo"]);
            }
            let time = figure(&self.stage.run(&target, &mut swarm)?, "/times/round-trip/p50")?;
            figures.push(time / 1e3);
        }
        figures.push(figures[1] / figures[0]);
        Ok(())
    }

    /// In microseconds for each handshake, with all that comes before it, and how many in a second.
    fn handshakes(&self, peers: usize, figures: &mut Vec<f64>) -> Result<(), String> {
        let target = self.stage.start(self.program, Mode::Receive)?;
        let report = if self.program == Program::Tls {
            self.stage.run_tls(&target, [peers, 1, 0, 0])?
        } else {
            let mut swarm = self.stage.swarm(Core::Second, &target, "hold");
            swarm.args(["--peers", &peers.to_string(), "--time", "0.01"]).args(self.carrier());
            self.stage.run(&target, &mut swarm)?
        };
        figures.push(figure(&report, "/target/cpu_ns_per_handshake")? / 1e3);
        figures.push(figure(&report, "/counts/encrypted")? / figure(&report, "/setup_seconds")?);
        Ok(())
    }

    fn hold(&self, peers: usize) -> Result<f64, String> {
        let target = self.stage.start(self.program, Mode::Receive)?;
        let mut swarm = self.stage.swarm(Core::Second, &target, "hold");
        swarm.args([
            "--peers",
            &peers.to_string(),
            "--time",
            if self.stage.is_smoke { "0.01" } else { "0.5" },
        ]);
        swarm.args(self.carrier());
        // Computed here and not by the generator, since we know that the target is a fresh process.
        let report = self.stage.run(&target, &mut swarm)?;
        let memory = |when| figure(&report, &format!("/target/memory_{when}"));
        Ok((memory("connected")? - memory("before")?) / peers as f64)
    }

    /// In milliseconds: first without a reader that never reads, then with one, each in a process of its own.
    fn stopped_reader(&self, peers: usize, rounds: usize, figures: &mut Vec<f64>) -> Result<(), String> {
        let run = |target: &Target, rounds| {
            let mut swarm = self.fan_out_command(target, peers, rounds);
            swarm.args(["--length", &STOPPED_READER_MESSAGE_BYTES.to_string()]);
            let time = figure(&self.stage.run(target, &mut swarm)?, "/times/to-all/p50")?;
            Ok::<_, String>(time / 1e6)
        };
        // No buffer fills up here, so fewer rounds are enough.
        figures.push(run(&self.stage.start(self.program, Mode::Relay)?, rounds / 10)?);
        let target = self.stage.start(self.program, Mode::Relay)?;
        let reader = stop_reading(&target, !self.is_rival()).map_err(|error| error.to_string())?;
        figures.push(run(&target, rounds)?);
        figures.push(figures[1] / figures[0]);
        figures.push(f64::from(u8::from(is_closed(reader))));
        Ok(())
    }

    /// How often the process did anything at all while all sessions were silent.
    fn idle(&self, peers: usize, time: Duration) -> Result<f64, String> {
        let target = self.stage.start(self.program, Mode::Receive)?;
        let mut swarm = self.stage.swarm(Core::Second, &target, "hold");
        let patience = IDLE_TIMEOUT + 2 * time;
        swarm.args(["--peers", &peers.to_string(), "--time", &patience.as_secs().to_string()]);
        let _crowd = Running::start(swarm.stdout(Stdio::null()))?;
        if !wait_until(IDLE_TIMEOUT, || target.open_files() >= peers) {
            return Err("not all sessions were accepted".to_owned());
        }
        // The program has open files of its own, and it may still have to accept and answer the last sessions.
        let mut last = f64::NAN;
        let has_settled = wait_until(IDLE_TIMEOUT, || {
            thread::sleep(SETTLE_TIME);
            // A process that is busy all the time is never woken, but its CPU time shows it.
            let now = cpu_time(&target).unwrap_or(f64::NAN);
            std::mem::replace(&mut last, now) == now
        });
        if !has_settled {
            return Err("the program does not become idle".to_owned());
        }
        if let Some(calls) = count_system_calls(&target, time) {
            return Ok(calls);
        }
        let before = wake_ups(&target)?;
        thread::sleep(time);
        Ok(wake_ups(&target)? - before)
    }
}

/// How long the sessions may take until all are connected.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A program that did nothing for so long is idle.
const SETTLE_TIME: Duration = Duration::from_millis(500);

/// Counts with strace; `None` if there is no strace, or if it is not allowed to trace.
fn count_system_calls(target: &Target, time: Duration) -> Option<f64> {
    let table = std::env::temp_dir().join(format!("chinwag-load-{}.txt", process::id()));
    let mut command = Command::new("strace");
    command.args(["-c", "-f", "-p", &target.pid().to_string(), "-o"]).arg(&table);
    let mut strace = Running::start(command.stdin(Stdio::null()).stderr(Stdio::null())).ok()?;
    thread::sleep(time);
    let may_look = strace.goes_on();
    strace.interrupt();
    let text = fs::read_to_string(&table).ok()?;
    let _ = fs::remove_file(&table);
    if !may_look {
        return None;
    }
    let total = text.lines().find(|line| line.ends_with(" total"));
    // If there was no system call, there is no table.
    Some(total.and_then(|line| line.split_whitespace().nth(3)?.parse().ok()).unwrap_or(0.0))
}

/// How often the process has given up its CPU, by itself or not.
fn wake_ups(target: &Target) -> Result<f64, String> {
    let status = fs::read_to_string(format!("/proc/{}/status", target.pid()));
    let status = status.map_err(|error| error.to_string())?;
    let switches = status.lines().filter_map(|line| line.split_once("_ctxt_switches:"));
    Ok(switches.filter_map(|(_, count)| count.trim().parse::<f64>().ok()).sum())
}

/// The CPU time of its first thread so far, in nanoseconds.
fn cpu_time(target: &Target) -> Option<f64> {
    let schedstat = fs::read_to_string(format!("/proc/{}/schedstat", target.pid())).ok()?;
    schedstat.split_whitespace().next()?.parse().ok()
}

/// Connects a reader that never reads, as a session or without a line.
fn stop_reading(target: &Target, is_session: bool) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(target.address), Type::STREAM, None)?;
    // The smaller its buffer, the sooner the other side has to keep the data.
    socket.set_recv_buffer_size(4096)?;
    socket.connect(&target.address.into())?;
    let mut stream = TcpStream::from(socket);
    if is_session {
        stream.write_all(b"127.0.0.1:9 stopped connect\n")?;
    }
    Ok(stream)
}

/// Reads what was left unread. Returns whether the stream ends, or only has no more for now.
fn is_closed(mut reader: TcpStream) -> bool {
    let mut buffer = vec![0; 64 * 1024];
    let is_set = reader.set_read_timeout(Some(Duration::from_millis(300))).is_ok();
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) if is_set => {}
            Ok(_) => return false,
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

fn figure(report: &Value, pointer: &str) -> Result<f64, String> {
    let figure = report.pointer(pointer).and_then(Value::as_f64);
    figure.ok_or_else(|| format!("the report has no {pointer}"))
}
