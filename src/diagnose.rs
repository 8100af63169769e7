//! `chinwag diagnose`: a chat that finds out why an address cannot be reached, says so, and exits.
//!
//! It is the node of the chat with another user, as in `send`: the same stages as `/diagnose`, on a port of its own. It
//! listens, so that the way back can be tried too. With `--port` that is tried for the very port at which a chat would
//! listen, since a firewall may let in one port and not another.

use crate::endpoint::Endpoint;
use crate::files::identity::IdentityFile;
use crate::keys::KeyArgs;
use crate::output;
use crate::send::{login_name, parse_recipient};
use crate::values::{parse_ip, parse_name, parse_port, parse_seconds, seconds};
use chinwag::chat::finding::Reach;
use chinwag::chat::node::{Config, Dialogue, Node};
use chinwag::chat::notice::Notice;
use chinwag::chat::request::{Designation, Request};
use chinwag::limits::Limits;
use chinwag::net::event_loop::EventLoop;
use chinwag::net::{interfaces, socket};
use chinwag::proto::interface::Interface;
use chinwag::proto::machine::{ConnId, Input, Machine, Output};
use chinwag::proto::scope::Scopes;
use chinwag::proto::send_queue::SendQueue;
use chinwag::term::Screen;
use chinwag::term::addresses::know_interfaces;
use chinwag::term::json::JsonLines;
use chinwag::term::render::Sentence;
use chinwag::term::stdin::Stdin;
use chinwag::term::stdout::Stdout;
use clap::error::ErrorKind;
use clap::{Args, Command};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Not reachable, or not known.
const EXIT_UNREACHABLE: u8 = 1;
/// Wrong usage.
const EXIT_USAGE: u8 = 2;
/// Reachable, but the way back does not work, or is not known to.
const EXIT_ONE_WAY: u8 = 3;

// As in `args`: each paragraph is one line.
const EXAMPLES: &str = "\
Six stages, each with its time: our side, the route, a dial, what answers there, whether it reaches us, and how long an \
answer takes. Then one sentence says what it means and what to do. Whatever answers gets a connect, as from choice 3 of the \
menu, and an exit at the end; nothing else is sent to it, and it is dialled once or twice.

Examples:
  chinwag diagnose 192.168.1.5:8080
  chinwag diagnose bob.example:8080 --json
  # Does a firewall of ours let port 8080 in? (no chat may use it meanwhile)
  chinwag diagnose 192.168.1.5:8080 --port 8080

Exit codes: 0 both ways work, 1 no chat can be reached there, or a signal came first, 2 wrong usage or a port that is not \
available, 3 it can be reached, but it cannot reach us, or does not say whether it can.";

const INTERRUPTED: &str = "A signal came before the verdict.";

/// Whom to reach, and as whom.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DiagnoseArgs {
    /// The address to reach: IP:PORT or HOST:PORT; a host name is looked up once, at the start
    #[arg(value_name = "ADDRESS", value_parser = parse_recipient)]
    to: Endpoint,

    /// Write each stage and the verdict as one line of JSON
    #[arg(long)]
    json: bool,

    /// Your name, one word [default: your login name]
    #[arg(long, value_parser = parse_name)]
    name: Option<String>,

    /// Listen on this port, to try the way back to it, 0 for any free one
    #[arg(long, default_value_t = 0, value_parser = parse_port)]
    port: u16,

    /// Your IP address as messages show it [default: the local address of each connection]
    #[arg(long, value_name = "IP", value_parser = parse_ip)]
    ip: Option<IpAddr>,

    #[command(flatten)]
    keys: KeyArgs,

    /// How long a dial may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = seconds(Limits::default().connect_timeout),
        value_parser = parse_seconds)]
    connect_timeout: Duration,
}

/// Prints what is wrong with the command line; returns the exit code.
fn misused(sentence: &str) -> u8 {
    // If this fails, the exit code still says it.
    let command = DiagnoseArgs::augment_args(Command::new("chinwag diagnose"));
    let _ = { command }.error(ErrorKind::InvalidValue, sentence).print();
    EXIT_USAGE
}

/// Diagnoses; returns the exit code.
pub(crate) fn run(args: DiagnoseArgs) -> io::Result<u8> {
    let room = socket::raise_descriptor_limit();
    if let Some(sentence) = socket::lack_of_descriptors() {
        return Ok(misused(&sentence));
    }
    let interfaces = interfaces::list();
    let scopes = Scopes::of(&interfaces);
    know_interfaces(scopes.clone());
    let to = match args.to.look_up(&scopes) {
        Ok(to) => to,
        Err(sentence) => {
            output::tell(&format!("{sentence}."));
            return Ok(EXIT_UNREACHABLE);
        }
    };
    let is_json = args.json;
    let mut identity = match args.keys.open(!is_json && Stdin::inherited().is_terminal()) {
        Ok(identity) => identity,
        Err(sentence) => return Ok(misused(&sentence)),
    };
    if let Some(complaint) = identity.as_ref().and_then(IdentityFile::complaint) {
        output::tell(&complaint);
    }
    let out = Stdout::inherited()?;
    let config = args.into_config(room, interfaces);
    let config = identity.iter_mut().fold(config, |config, identity| identity.give(config));
    let diagnoser = Diagnoser::new(Node::new(config), to);
    if is_json { show_on(diagnoser, JsonLines::new(out)) } else { show_on(diagnoser, Lines(out)) }
}

fn show_on(diagnoser: Diagnoser, screen: impl Screen<Notice>) -> io::Result<u8> {
    let mut is_interrupted = false;
    let code = EventLoop::new(diagnoser, screen)?.with_signals()?.run_with(|event_loop| {
        is_interrupted = event_loop.machine().is_interrupted;
        None
    })?;
    if is_interrupted {
        output::tell(INTERRUPTED);
    }
    Ok(code)
}

impl DiagnoseArgs {
    fn into_config(self, room: usize, interfaces: Vec<Interface>) -> Config {
        Config {
            name: Some(self.name.unwrap_or_else(login_name)),
            port: Some(self.port),
            ip: self.ip,
            interfaces,
            dialogue: Dialogue::Commands,
            secure: self.keys.secure,
            limits: Limits {
                connections_max: room,
                connect_timeout: self.connect_timeout,
                ..Limits::default()
            },
            ..Config::default()
        }
    }
}

/// A node that diagnoses the way to one address and then ends.
#[derive(Debug)]
struct Diagnoser {
    node: Node,
    to: SocketAddr,
    has_asked: bool,
    /// A signal came before the verdict.
    is_interrupted: bool,
    exit_code: Option<u8>,
    outputs: VecDeque<Output<Notice>>,
}

impl Diagnoser {
    fn new(node: Node, to: SocketAddr) -> Self {
        let outputs = VecDeque::new();
        let mut diagnoser =
            Self { node, to, has_asked: false, is_interrupted: false, exit_code: None, outputs };
        diagnoser.take_outputs();
        diagnoser
    }

    fn go_on(&mut self, now: Instant) {
        self.take_outputs();
        if self.node.is_running() && !self.has_asked {
            self.has_asked = true;
            self.node.request(Request::Diagnose(Designation::Address(self.to)), now);
            self.take_outputs();
        }
        if self.exit_code.is_some() && self.node.is_running() {
            self.node.request(Request::Quit(None), now);
            self.take_outputs();
        }
    }

    /// Takes what the node wants: of its notices only those that belong here are shown.
    fn take_outputs(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Notice(notice) if !self.judge(&notice) => {}
                Output::Quit(code) => {
                    let code = if code > 0 { code } else { self.exit_code.unwrap_or(EXIT_UNREACHABLE) };
                    self.outputs.push_back(Output::Quit(code));
                }
                output => self.outputs.push_back(output),
            }
        }
    }

    /// Whether a notice is shown. The verdict and a mistake are the end.
    fn judge(&mut self, notice: &Notice) -> bool {
        match notice {
            Notice::Verdict { verdict, .. } => {
                self.exit_code = Some(match verdict.reach() {
                    Reach::BothWays => 0,
                    Reach::OneWay => EXIT_ONE_WAY,
                    Reach::Unreachable => EXIT_UNREACHABLE,
                });
                true
            }
            Notice::Mistake(_) => {
                self.exit_code = Some(EXIT_USAGE);
                true
            }
            Notice::BadClaim { .. }
            | Notice::Diagnosed { .. }
            | Notice::Diagnosing(_)
            | Notice::ListenFailed { .. } => true,
            _ => false,
        }
    }
}

impl Machine for Diagnoser {
    type Notice = Notice;

    fn accept(&mut self, from: SocketAddr, local: SocketAddr, now: Instant) -> Option<ConnId> {
        let conn = self.node.accept(from, local, now);
        self.go_on(now);
        conn
    }

    fn caught_up(&mut self, at: Instant) {
        self.node.caught_up(at);
    }

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        self.is_interrupted |= matches!(input, Input::Interrupted) && self.exit_code.is_none();
        self.node.handle(input, now);
        self.go_on(now);
    }

    fn poll_output(&mut self) -> Option<Output<Notice>> {
        self.outputs.pop_front()
    }

    fn poll_transmit(&mut self) -> Option<ConnId> {
        self.node.poll_transmit()
    }

    fn send_queue(&mut self, conn: ConnId) -> Option<&mut SendQueue> {
        self.node.send_queue(conn)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.node.poll_timeout()
    }

    fn wants_line(&self) -> bool {
        false
    }
}

/// Shows the lines on stdout.
struct Lines(Stdout);

impl Screen<Notice> for Lines {
    fn show(&mut self, notice: Notice) {
        self.0.append(Sentence(&notice));
    }

    fn flush(&mut self) -> io::Result<bool> {
        self.0.flush()
    }

    fn is_full(&self) -> bool {
        self.0.is_full()
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag::chat::notice::{Mistake, Verdict};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a moment to begin with; it stands still")]
    fn it_asks_once_it_listens_and_ends_with_the_verdict() {
        let now = Instant::now();
        let to = SocketAddr::from(([127, 0, 0, 1], 9));
        let config = Config {
            name: Some("P1".to_owned()),
            port: Some(0),
            dialogue: Dialogue::Commands,
            ..Config::default()
        };
        let mut diagnoser = Diagnoser::new(Node::new(config), to);
        let outputs = |diagnoser: &mut Diagnoser, input: Option<Input<'_>>| {
            input.into_iter().for_each(|input| diagnoser.handle(input, now));
            std::iter::from_fn(|| diagnoser.poll_output()).collect::<Vec<_>>()
        };
        assert!(matches!(outputs(&mut diagnoser, None)[..], [Output::Listen(_)]));
        let local = SocketAddr::from(([127, 0, 0, 1], 8080));
        let asked = outputs(&mut diagnoser, Some(Input::Listening { local }));
        assert!(matches!(asked[..], [Output::Notice(Notice::Diagnosing(_)), Output::FindRoute(_)]));
        let from = Err(io::ErrorKind::NetworkUnreachable.into());
        let told = outputs(&mut diagnoser, Some(Input::Route { to, from }));
        assert!(matches!(told.last(), Some(Output::Quit(EXIT_UNREACHABLE))), "{told:?}");
    }

    #[test]
    fn the_exit_code_says_who_reaches_whom_and_a_mistake_is_wrong_usage() {
        let to = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut diagnoser = Diagnoser::new(Node::new(Config::default()), to);
        let who = chinwag::chat::notice::Who::new(to, "".into());
        assert!(diagnoser.judge(&Notice::Verdict { who, verdict: Box::<Verdict>::default() }));
        assert_eq!(diagnoser.exit_code, Some(EXIT_UNREACHABLE));
        assert!(diagnoser.judge(&Notice::Mistake(Mistake::Yourself(to))));
        assert_eq!(diagnoser.exit_code, Some(EXIT_USAGE));
        assert!(!diagnoser.judge(&Notice::Exiting));
    }
}
