//! `chinwag send`: a chat that sends its texts, waits until they are taken, and exits.
//!
//! It is the node of the chat with another user: texts instead of a menu, and only the outcomes are shown. The
//! recipient should be able to answer: so it listens while it runs and then says `exit`, or it claims a port where
//! another program listens.
//!
//! It is a node, not a separate dialler, because dialects, splitting, order and the rule for when a message counts as
//! sent are already there. It reads stdin only as fast as messages are accepted, so a file may have any length. A
//! machine cannot tell a broken stdin from its end; `send` asks the event loop why stdin ended, for its exit code.
//!
//! No published program ever forgets an address by itself. Without `exit`, each run would leave one more address that
//! those programs dial when they quit or send to all, and by then the port may belong to another program. On a claimed
//! port (`is_port_lent`) we neither listen nor say goodbye, since its owner stays.
//!
//! A line of stdin is a text: the piped output of a program should not act as commands. Words on the command line are
//! typed on purpose, and mean the same as in the menu.

mod awaited;

use crate::endpoint::{Endpoint, parse_endpoint};
use crate::files;
use crate::files::identity::IdentityFile;
use crate::keys::KeyArgs;
use crate::output;
use crate::values::{dialects, parse_ip, parse_name, parse_seconds, parse_taken_port, seconds};
use awaited::{Awaited, Printed};
use chinwag::chat::book::Known;
use chinwag::chat::node::{Config, Dialogue, Node};
use chinwag::chat::notice::{Failure, Mistake, Notice};
use chinwag::chat::request::{Audience, Request};
use chinwag::limits::{Limits, MESSAGES_UNDER_WAY_MAX, NAME_BYTES_MAX, TYPED_BYTES_MAX};
use chinwag::net::event_loop::EventLoop;
use chinwag::net::{interfaces, socket};
use chinwag::proto::interface::Interface;
use chinwag::proto::machine::{CloseReason, ConnId, Input, Machine, Output};
use chinwag::proto::message::{Dialect, one_word, stripped};
use chinwag::proto::scope::Scopes;
use chinwag::proto::send_queue::SendQueue;
use chinwag::term::Screen;
use chinwag::term::addresses::know_interfaces;
use chinwag::term::render::Sentence;
use chinwag::term::stdin::Stdin;
use chinwag::term::stdout::Stdout;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Command};
use std::collections::VecDeque;
use std::env;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// stdin could not be read.
const EXIT_FAULT: u8 = 1;
/// Wrong usage, or known peers that cannot be used.
const EXIT_USAGE: u8 = 2;
/// Refused, unreachable, or interrupted.
const EXIT_NOT_SENT: u8 = 3;
/// Not connected, or not accepted, in time.
const EXIT_TIMED_OUT: u8 = 4;
/// Everything was sent, and no answer came.
const EXIT_NO_ANSWER: u8 = 5;

// As in `args`: each paragraph is one line.
const EXAMPLES: &str = "\
A message counts as taken when the other side has closed the connection, or has not rejected it within a second. Each \
outcome is a sentence on stderr; stdout stays empty, except for the answer that --wait-reply waits for.

Examples:
  chinwag send 127.0.0.1:8080 hello, you there
  chinwag send 127.0.0.1:8080,127.0.0.1:9090 'to you both'
  make 2>&1 | chinwag send --name ci 127.0.0.1:8080 -
  chinwag send --port 8080 127.0.0.1:9090 'as that chat'
  chinwag send 127.0.0.1:8080 -- '-1 begins with a dash'
  chinwag send --wait-reply 10 127.0.0.1:8080 'still there?'

A message that is only the word `exit` or `connect` is that command, as in the chat. A line of stdin is always a text, \
unless --commands is given.

Exit codes: 0 everything was sent, 1 a fault, such as an unreadable stdin, 2 wrong usage, or the file of known peers cannot be used, 3 an address refused, was \
unreachable or reset the connection, or a host could not be looked up, 4 a timeout, or a signal came first, 5 everything \
was sent, but --wait-reply got no answer. If several of these happen, the highest code counts.";

const WAY_OUT: &str = "give the text, or `-` to send the lines of stdin";

const CUT_SHORT: &str = "\
stdin could not be read to its end, and the rest was not sent; give a file, a pipe, or the text itself.";

const UNANSWERED: &str = "Everything was sent, but no answer came.";

const INTERRUPTED: &str = "A signal came before the end of stdin, and the rest was not sent.";

/// What to send, to whom, and from whom.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SendArgs {
    /// The recipients: IP:PORT or HOST:PORT, several with commas between them; a host name is looked up once, at the
    /// start
    #[arg(value_name = "ADDRESS", value_parser = parse_recipients)]
    to: Recipients,

    /// The words of the message, or `-` to send each line of stdin as a message
    #[arg(value_name = "TEXT", required = true)]
    text: Vec<String>,

    /// Your name, one word [default: your login name]
    #[arg(long, value_parser = parse_name)]
    name: Option<String>,

    /// Claim this port, where another program of yours listens and gets the answers [default: listen on a free port,
    /// then say exit]
    #[arg(long, value_parser = parse_taken_port)]
    port: Option<u16>,

    /// Your IP address as messages show it [default: the local address of each connection]
    #[arg(long, value_name = "IP", value_parser = parse_ip)]
    ip: Option<IpAddr>,

    /// The dialect [default: as in the file of known peers, else standard]
    #[arg(long, value_parser = dialects(), ignore_case = true)]
    dialect: Option<Dialect>,

    #[command(flatten)]
    keys: KeyArgs,

    /// How long a dial may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = seconds(Limits::default().connect_timeout),
        value_parser = parse_seconds)]
    connect_timeout: Duration,

    /// Stay for an answer from the address, so many seconds after the message was taken, and print its text on
    /// stdout
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, conflicts_with = "port")]
    wait_reply: Option<Duration>,

    /// Report only failures
    #[arg(long)]
    quiet: bool,

    /// Treat a line of stdin that is only `exit` or `connect` as that command, not as a text
    #[arg(long)]
    commands: bool,
}

/// Turns a text of the user into a request.
type Ask = fn(Audience, String) -> Request;

/// The recipients in a list.
#[derive(Clone, Debug)]
struct Recipients(Vec<Endpoint>);

fn parse_recipients(list: &str) -> Result<Recipients, String> {
    list.split(',').map(|word| parse_recipient(word.trim())).collect::<Result<_, _>>().map(Recipients)
}

pub(crate) fn parse_recipient(word: &str) -> Result<Endpoint, String> {
    match parse_endpoint(word)? {
        Endpoint::Address(to) if to.ip().is_unspecified() => {
            Err(format!("{to} is not the address of a host; type one such as 192.168.1.5:8080"))
        }
        endpoint => Ok(endpoint),
    }
}

impl Recipients {
    /// Their addresses, without duplicates. The error is a sentence.
    fn look_up(&self, scopes: &Scopes) -> Result<Vec<SocketAddr>, String> {
        let mut addresses = Vec::new();
        for endpoint in &self.0 {
            let address = endpoint.look_up(scopes)?;
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Ok(addresses)
    }
}

/// Adds to an error of the command line what to do if the text is missing.
pub(crate) fn explained(mut error: clap::Error) -> clap::Error {
    let lacks_text = matches!(error.get(ContextKind::InvalidArg),
        Some(ContextValue::Strings(words)) if words.iter().any(|word| word.starts_with("<TEXT>")));
    if error.kind() == ErrorKind::MissingRequiredArgument && lacks_text {
        let tip = StyledStr::from(WAY_OUT.to_owned());
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// Prints what is wrong with the command line; returns the exit code.
fn misused(sentence: &str) -> u8 {
    // If this fails, the exit code still says it.
    let _ =
        SendArgs::augment_args(Command::new("chinwag send")).error(ErrorKind::InvalidValue, sentence).print();
    EXIT_USAGE
}

/// Sends; returns the exit code.
pub(crate) fn run(args: SendArgs) -> io::Result<u8> {
    let room = socket::raise_descriptor_limit();
    if let Some(sentence) = socket::lack_of_descriptors() {
        return Ok(misused(&sentence));
    }
    let text = args.text.join(" ");
    let is_from_stdin = text == "-";
    if !is_from_stdin && messages(&text).next().is_none() {
        return Ok(misused(&format!("an empty message is not sent; {WAY_OUT}")));
    }
    let interfaces = interfaces::list();
    let scopes = Scopes::of(&interfaces);
    know_interfaces(scopes.clone());
    let to = match args.to.look_up(&scopes) {
        Ok(to) => to,
        Err(sentence) => {
            // If this fails, the exit code still says it.
            let _ = writeln!(io::stderr(), "{sentence}. Nothing was sent.");
            return Ok(EXIT_NOT_SENT);
        }
    };
    if args.wait_reply.is_some() && to.len() > 1 {
        return Ok(misused("'--wait-reply <SECONDS>' waits for an answer from one address; give only one"));
    }
    let known = match files::known_for_sending(&scopes) {
        Ok(known) => known,
        Err(sentence) => {
            output::tell(&sentence);
            return Ok(EXIT_USAGE);
        }
    };
    let mut identity = match args.keys.open(Stdin::inherited().is_terminal()) {
        Ok(identity) => identity,
        Err(sentence) => return Ok(misused(&sentence)),
    };
    if let Some(complaint) = identity.as_ref().and_then(IdentityFile::complaint) {
        output::tell(&complaint);
    }
    let awaited = args.wait_reply.map(|time| Awaited::new(to[0], time));
    let screen = Stderr { out: Stdout::new(io::stderr().as_fd())?, is_quiet: args.quiet };
    let ask: Ask = if is_from_stdin && !args.commands { Request::SendText } else { Request::Send };
    let config = args.into_config(room, interfaces, known);
    let config = identity.iter_mut().fold(config, |config, identity| identity.give(config));
    let sender = Sender::new(Node::new(config), to, ask, is_from_stdin).waiting_for(awaited);
    let mut event_loop = EventLoop::new(sender, screen)?.with_signals()?;
    if is_from_stdin {
        event_loop = event_loop.with_stdin(Stdin::inherited())?;
    } else {
        event_loop.type_line(&text);
    }
    let mut unread = None;
    let mut printed = Printed::default();
    let code = event_loop.run_with(|event_loop| {
        printed.look(event_loop.machine().awaited.as_ref());
        let interrupted = event_loop.machine().is_interrupted.then_some((INTERRUPTED, EXIT_TIMED_OUT));
        unread = event_loop.is_stdin_broken().then_some((CUT_SHORT, EXIT_FAULT)).or(interrupted);
        None
    })?;
    printed.fault.map_or(Ok(()), Err)?;
    let unanswered = (code == EXIT_NO_ANSWER).then_some((UNANSWERED, code));
    let Some((sentence, code_min)) = unread.or(unanswered) else { return Ok(code) };
    // If this fails, the exit code still says it.
    let _ = writeln!(io::stderr(), "{sentence}");
    Ok(code.max(code_min))
}

impl SendArgs {
    fn into_config(
        self,
        room: usize,
        interfaces: Vec<Interface>,
        mut known: Vec<(SocketAddr, Known)>,
    ) -> Config {
        if self.dialect.is_some() {
            known.iter_mut().for_each(|(_, known)| known.dialect = None);
        }
        Config {
            name: Some(self.name.unwrap_or_else(login_name)),
            port: Some(self.port.unwrap_or(0)),
            is_port_lent: self.port.is_some(),
            ip: self.ip,
            interfaces,
            known,
            dialect: self.dialect,
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

/// The login name as one word, or the program's if there is none.
pub(crate) fn login_name() -> String {
    let login = ["USER", "LOGNAME"].into_iter().find_map(|variable| env::var(variable).ok());
    name_of(&login.unwrap_or_default())
}

fn name_of(login: &str) -> String {
    let mut name = one_word(login).into_owned();
    name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
    if name.is_empty() { env!("CARGO_PKG_NAME").to_owned() } else { name }
}

/// The messages in a text: its lines, without empty ones.
fn messages(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\r', '\n']).map(str::trim_end).filter(|message| !stripped(message).is_empty())
}

/// A node that sends what it is given and then ends.
#[derive(Debug)]
struct Sender {
    node: Node,
    to: Vec<SocketAddr>,
    ask: Ask,
    /// The texts that the node has no room for yet.
    texts: VecDeque<String>,
    /// No more texts will come.
    is_complete: bool,
    /// A signal came before all texts had come.
    is_interrupted: bool,
    has_asked_to_quit: bool,
    /// Shown before anything else.
    notices: VecDeque<Notice>,
    exit_code: u8,
    /// The answer that is waited for, if one is.
    awaited: Option<Awaited>,
    /// When the last input came, and whether what came of it is to be looked at by another one: outputs are seen only
    /// after their input was handled.
    now: Option<Instant>,
    must_look: bool,
}

impl Sender {
    /// Sends typed lines: one line, or all until the end of the input.
    fn new(node: Node, to: Vec<SocketAddr>, ask: Ask, takes_more: bool) -> Self {
        Self {
            node,
            to,
            ask,
            texts: VecDeque::new(),
            is_complete: !takes_more,
            is_interrupted: false,
            has_asked_to_quit: false,
            notices: VecDeque::new(),
            exit_code: 0,
            awaited: None,
            now: None,
            must_look: false,
        }
    }

    fn waiting_for(mut self, awaited: Option<Awaited>) -> Self {
        self.awaited = awaited;
        self
    }

    /// Whether the node can take another text: it listens, and not too many texts are waiting.
    fn has_room(&self) -> bool {
        let messages_max = MESSAGES_UNDER_WAY_MAX * self.to.len();
        self.node.wants_line() && self.node.requests_under_way() < messages_max
    }

    fn go_on(&mut self, now: Instant) {
        (self.now, self.must_look) = (Some(now), false);
        while self.has_room() {
            match self.texts.pop_front() {
                Some(text) => {
                    self.awaited.iter_mut().for_each(|awaited| awaited.has_said = true);
                    for &to in &self.to {
                        let audience = Audience::One(to, None);
                        self.node.request((self.ask)(audience, text.clone()), now);
                    }
                }
                None if self.is_complete && !self.has_asked_to_quit && !self.must_wait(now) => {
                    self.has_asked_to_quit = true;
                    self.node.request(Request::Quit(None), now);
                }
                None => return,
            }
        }
    }

    /// Whether to stay for an answer.
    fn must_wait(&mut self, now: Instant) -> bool {
        let is_settled = self.node.requests_under_way() == 0;
        let has_failed = self.exit_code > 0;
        let is_open = |awaited: &mut Awaited| !is_settled || awaited.is_open(now);
        !has_failed && self.awaited.as_mut().is_some_and(is_open)
    }

    /// The waiting texts can no longer be sent.
    fn give_up(&mut self) {
        self.is_complete = true;
        let why = Failure::Connection(CloseReason::TimedOut);
        for text in std::mem::take(&mut self.texts) {
            for &to in &self.to {
                self.notices.push_back(Notice::NotSent { to, text: text.clone(), why });
            }
        }
    }

    /// A failure is shown.
    fn judge_failure(&mut self, why: Failure) -> bool {
        let is_late = why == Failure::Connection(CloseReason::TimedOut);
        let code = if is_late { EXIT_TIMED_OUT } else { EXIT_NOT_SENT };
        self.exit_code = self.exit_code.max(code);
        self.must_look = true;
        true
    }

    /// Whether a notice is an outcome, which is shown; failures are noted for the exit code.
    fn judge(&mut self, notice: &Notice) -> bool {
        match notice {
            Notice::Unconfirmed { reason, .. } => self.judge_failure(Failure::Connection(*reason)),
            Notice::NotConnected { why, .. } | Notice::NotSent { why, .. } => self.judge_failure(*why),
            Notice::Message { .. } | Notice::Raw { .. } => {
                self.must_look |= self.awaited.as_mut().is_some_and(|awaited| awaited.is_answered_by(notice));
                // It is printed on stdout.
                false
            }
            notice => {
                let is_told = matches!(
                    notice,
                    Notice::BadClaim { .. } | Notice::ListenFailed { .. } | Notice::Mistake(_)
                );
                is_told || is_success(notice)
            }
        }
    }
}

/// The outcomes of a text that was handed over; `exit` and `connect` are texts too.
fn is_success(notice: &Notice) -> bool {
    matches!(notice, Notice::Accepted(_) | Notice::ConnectSent(_) | Notice::ExitSent(_) | Notice::Sent(_))
}

impl Machine for Sender {
    type Notice = Notice;

    fn accept(&mut self, from: SocketAddr, local: SocketAddr, now: Instant) -> Option<ConnId> {
        self.node.accept(from, local, now)
    }

    fn caught_up(&mut self, at: Instant) {
        self.node.caught_up(at);
    }

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Line(line) if line.len() > TYPED_BYTES_MAX => {
                self.notices.push_back(Notice::Mistake(Mistake::LineTooLong));
                self.exit_code = self.exit_code.max(EXIT_USAGE);
            }
            Input::Line(line) => self.texts.extend(messages(line).map(str::to_owned)),
            Input::StdinClosed => self.is_complete = true,
            Input::Interrupted => {
                self.is_interrupted |= !self.is_complete;
                self.give_up();
                self.has_asked_to_quit = true;
                self.node.handle(input, now);
            }
            _ => self.node.handle(input, now),
        }
        self.go_on(now);
    }

    fn poll_output(&mut self) -> Option<Output<Notice>> {
        loop {
            let output = match self.notices.pop_front() {
                Some(notice) => Output::Notice(notice),
                None => self.node.poll_output()?,
            };
            match output {
                Output::Notice(notice) if !self.judge(&notice) => {}
                Output::Quit(code) => {
                    let code = code.max(self.exit_code);
                    let is_unanswered = code == 0 && self.awaited.as_ref().is_some_and(Awaited::is_missing);
                    return Some(Output::Quit(if is_unanswered { EXIT_NO_ANSWER } else { code }));
                }
                output => return Some(output),
            }
        }
    }

    fn poll_transmit(&mut self) -> Option<ConnId> {
        self.node.poll_transmit()
    }

    fn send_queue(&mut self, conn: ConnId) -> Option<&mut SendQueue> {
        self.node.send_queue(conn)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let awaited = self.awaited.as_ref().filter(|_| !self.has_asked_to_quit);
        let over_at = awaited.and_then(|awaited| awaited.until);
        let look_at = self.now.filter(|_| self.must_look && awaited.is_some());
        [self.node.poll_timeout(), over_at, look_at].into_iter().flatten().min()
    }

    fn wants_line(&self) -> bool {
        !self.is_complete && self.texts.is_empty() && self.has_room()
    }
}

/// Shows the outcomes on stderr.
struct Stderr {
    out: Stdout,
    is_quiet: bool,
}

impl Screen<Notice> for Stderr {
    fn show(&mut self, notice: Notice) {
        if !self.is_quiet || !is_success(&notice) {
            self.out.append(Sentence(&notice));
        }
    }

    /// Nobody has to read stderr: the exit code also says it.
    fn flush(&mut self) -> io::Result<bool> {
        Ok(self.out.flush().unwrap_or(true))
    }

    fn is_full(&self) -> bool {
        self.out.is_full()
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.out.fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lent() -> Config {
        Config { name: Some("P1".to_owned()), port: Some(9), is_port_lent: true, ..Config::default() }
    }

    #[test]
    fn the_exit_code_is_the_highest_whatever_came_last() {
        let mut sender = Sender::new(Node::new(lent()), Vec::new(), Request::Send, false);
        let to = SocketAddr::from(([127, 0, 0, 1], 1));
        let failed = |reason| Notice::NotConnected { to, why: Failure::Connection(reason) };
        let table = [
            (Notice::Sent(to), 0),
            (failed(CloseReason::Reset), EXIT_NOT_SENT),
            (failed(CloseReason::TimedOut), EXIT_TIMED_OUT),
            (failed(CloseReason::Unreachable), EXIT_TIMED_OUT),
            (Notice::ExitSent(to), EXIT_TIMED_OUT),
        ];
        for (notice, code) in table {
            assert!(sender.judge(&notice));
            assert_eq!(sender.exit_code, code, "{notice:?}");
        }
        assert!(!sender.judge(&Notice::Exiting), "it is not an outcome");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a moment to begin with; it stands still")]
    fn a_second_signal_does_not_wait_for_a_dial_that_nobody_answers() {
        let now = Instant::now();
        let config = Config { dialogue: Dialogue::Commands, ..lent() };
        let to = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut sender = Sender::new(Node::new(config), vec![to], Request::Send, false);
        let mut outputs = |input| {
            sender.handle(input, now);
            std::iter::from_fn(|| sender.poll_output()).collect::<Vec<_>>()
        };
        assert!(matches!(outputs(Input::Line("hello"))[..], [Output::Connect { .. }]));
        assert_eq!(outputs(Input::Interrupted), [], "the dial has until the deadline of the farewells");
        let why = Failure::Connection(CloseReason::TimedOut);
        let not_sent = Output::Notice(Notice::NotSent { to, text: "hello".to_owned(), why });
        let last = outputs(Input::Interrupted);
        assert!(last.contains(&not_sent), "{last:?}");
        assert_eq!(last.last(), Some(&Output::Quit(EXIT_TIMED_OUT)));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a moment to begin with; it stands still")]
    fn an_answer_that_comes_before_it_is_known_what_came_of_the_text_is_kept_without_a_busy_loop() {
        let now = Instant::now();
        let config = Config { dialogue: Dialogue::Commands, is_port_lent: false, ..lent() };
        let to = SocketAddr::from(([127, 0, 0, 1], 1));
        let awaited = Awaited::new(to, Duration::from_secs(9));
        let sender = Sender::new(Node::new(config), vec![to], Request::Send, false);
        let mut sender = sender.waiting_for(Some(awaited));
        let handle = |sender: &mut Sender, input| {
            sender.handle(input, now);
            std::iter::from_fn(|| sender.poll_output()).collect::<Vec<_>>()
        };
        std::iter::from_fn(|| sender.poll_output()).for_each(drop);
        let local = SocketAddr::from(([127, 0, 0, 1], 9));
        handle(&mut sender, Input::Line("hello"));
        assert!(matches!(handle(&mut sender, Input::Listening { local })[..], [Output::Connect { .. }]));
        let conn = sender.accept(to, local, now).unwrap();
        let bytes = b"127.0.0.1:1 P1 hi\n";
        assert_eq!(handle(&mut sender, Input::Received { conn, bytes }), []);
        assert_eq!(sender.poll_timeout(), Some(now), "it is looked at once more");
        assert_eq!(handle(&mut sender, Input::Timeout), []);
        assert!(sender.poll_timeout() > Some(now));
        assert!(!sender.awaited.as_ref().unwrap().is_missing());
    }

    #[test]
    fn recipients_are_addresses_with_commas_between_and_each_is_one() {
        let recipients = parse_recipients("127.0.0.1:1, [::1]:2,localhost:1,127.0.0.1:1").unwrap();
        assert_eq!(
            recipients.look_up(&Scopes::default()).unwrap(),
            ["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()]
        );
        for wrong in ["", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:1,", "P1", "10.103.45.601:1", "0.0.0.0:1"] {
            assert!(parse_recipients(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_login_name_is_made_one_word_and_has_a_stand_in() {
        let long = "é".repeat(NAME_BYTES_MAX);
        let table = [("ann", "ann"), (" Ann  Lee ", "Ann_Lee"), ("", "chinwag"), (" ", "chinwag")];
        for (login, name) in table {
            assert_eq!(name_of(login), name);
        }
        assert_eq!(name_of(&long), "é".repeat(NAME_BYTES_MAX / 2));
    }

    #[test]
    fn the_messages_of_a_text_are_its_lines() {
        assert_eq!(messages("one \r\n\n two\nthree").collect::<Vec<_>>(), ["one", " two", "three"]);
        assert_eq!(messages(" \n").count(), 0);
    }
}
