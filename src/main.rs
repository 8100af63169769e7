//! The program: parse the arguments, build the node, run the loop, pass on the exit code.

mod args;
mod diagnose;
#[cfg(feature = "bench")]
mod drive;
#[cfg(not(feature = "bench"))]
#[path = "drive/without_bench.rs"]
mod drive;
mod endpoint;
mod files;
mod keys;
mod logging;
mod manual;
mod nearby;
mod output;
mod quoting;
mod readiness;
mod send;
mod settings;
mod values;

use args::{Args, Command};
use chinwag::chat::command::SUBSTITUTE;
use chinwag::chat::node::{Config, Node};
use chinwag::chat::notice::Notice;
use chinwag::limits::COMMAND_BYTES_MAX;
use chinwag::net::event_loop::EventLoop;
use chinwag::net::{interfaces, socket};
use chinwag::proto::scope::Scopes;
use chinwag::term::Screen;
use chinwag::term::addresses::know_interfaces;
use chinwag::term::console::Console;
use chinwag::term::json::JsonLines;
use chinwag::term::raw::Raw;
use chinwag::term::schema;
use chinwag::term::stdin::Stdin;
use chinwag::term::stdout::Stdout;
use chinwag::term::terminal::Terminal;
use chinwag::term::transcript::Recorded;
use clap::CommandFactory;
use clap::error::ErrorKind;
use files::Files;
use readiness::Readiness;
use settings::Settings;
use std::io;
use std::process::ExitCode;

/// stdin could not be read.
const EXIT_FAULT: u8 = 1;
/// Wrong usage.
const EXIT_USAGE: u8 = 2;

const CUT_SHORT: &str = "error: stdin could not be read to its end; give a file, a pipe or a terminal.";

fn main() -> ExitCode {
    let log_fault = logging::start();
    let parsed = settings::parse();
    // A worker process does not repeat the warning.
    let is_worker = parsed.as_ref().is_ok_and(|(args, _)| args.is_worker());
    if let Some(sentence) = log_fault.filter(|_| !is_worker) {
        output::tell(&format!("warning: {sentence}"));
    }
    let result = match parsed {
        Ok((args, settings)) => run(args, &settings),
        Err(error) => output::answer(&send::explained(error)),
    };
    match result {
        Ok(code) => code.into(),
        Err(error) => {
            output::tell(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args, settings: &Settings) -> io::Result<u8> {
    match args.command {
        Some(Command::Swarm(args)) => drive::run(*args),
        Some(Command::Send(args)) => send::run(args),
        Some(Command::Diagnose(args)) => diagnose::run(args),
        Some(Command::Nearby(args)) => nearby::run(&args),
        Some(Command::Config) => settings::list(settings),
        Some(Command::Schema) => output::write_out(format!("{:#}\n", schema::schema()).as_bytes()),
        Some(Command::Completions { shell }) => manual::completions(shell),
        Some(Command::Man { subcommand }) => manual::page(subcommand.as_deref()),
        None => chat(args),
    }
}

fn chat(args: Args) -> io::Result<u8> {
    let transcript = match args.open_transcript() {
        Ok(transcript) => transcript,
        Err(sentence) => return Ok(misused(&sentence)),
    };
    let notifier = args.notifier();
    let interfaces = interfaces::list();
    let scopes = Scopes::of(&interfaces);
    know_interfaces(scopes.clone());
    let static_peers = match args.look_up_static_peers(&scopes) {
        Ok(static_peers) => static_peers,
        Err(sentence) => return Ok(misused(&sentence)),
    };
    let room = socket::raise_descriptor_limit();
    if let Some(sentence) = socket::lack_of_descriptors() {
        return Ok(misused(&sentence));
    }
    let identity = match args.open_identity() {
        Ok(identity) => identity,
        Err(sentence) => return Ok(misused(&sentence)),
    };
    let takes_lines = args.takes_lines();
    if args.is_json() {
        let files = Files::open(args.known_peers_file(), args.held_file(), None, identity, scopes);
        let screen = JsonLines::new(Stdout::inherited()?);
        let screen = Recorded::new(screen, transcript).with_notifier(notifier);
        let commands =
            || Stdin::inherited().with_line_bytes_max(COMMAND_BYTES_MAX).with_substitute(SUBSTITUTE);
        return talk(
            args.into_config(room, interfaces, static_peers, false),
            screen,
            takes_lines.then(commands),
            files,
        );
    }
    if let Some(raw) = args.may_edit().then(Raw::find).flatten() {
        let mut files =
            Files::open(args.known_peers_file(), args.held_file(), args.history_file(), identity, scopes);
        let mut terminal = Terminal::new(raw)?.with_look(args.look(true));
        files.prompt(terminal.editor_mut());
        let config = args.into_config(room, interfaces, static_peers, true);
        // What the user says is a line of the log.
        let node = Node::new(files.remind(Config { is_recorded: true, ..config }));
        let screen = Recorded::new(terminal, transcript).with_notifier(notifier);
        let screen = screen.with_memory().with_reminders();
        let mut event_loop = EventLoop::new(node, screen)?.with_signals()?.with_keys(Stdin::inherited())?;
        files.look_at_terminal(&mut event_loop);
        let mut readiness = Readiness::default();
        return event_loop.run_with(|event_loop| {
            readiness.look(event_loop);
            files.look_at_terminal(event_loop)
        });
    }
    let files = Files::open(args.known_peers_file(), args.held_file(), None, identity, scopes);
    let console = Console::inherited()?.with_look(args.look(false));
    let is_terminal = console.is_terminal();
    let screen = Recorded::new(console, transcript).with_notifier(notifier);
    let lines = takes_lines.then(Stdin::inherited);
    let config = args.into_config(room, interfaces, static_peers, is_terminal);
    if !(is_terminal && takes_lines) {
        return talk(config, screen, lines, files);
    }
    // A person may ask for what was said.
    talk(Config { is_recorded: true, ..config }, screen.with_memory(), lines, files)
}

fn talk(
    config: Config,
    screen: impl Screen<Notice>,
    lines: Option<Stdin>,
    mut files: Files,
) -> io::Result<u8> {
    let mut event_loop = EventLoop::new(Node::new(files.remind(config)), screen)?.with_signals()?;
    if let Some(lines) = lines {
        event_loop = event_loop.with_stdin(lines)?;
    }
    files.look(&mut event_loop);
    let (mut is_cut_short, mut readiness) = (false, Readiness::default());
    let code = event_loop.run_with(|event_loop| {
        is_cut_short = event_loop.is_stdin_broken();
        readiness.look(event_loop);
        files.look(event_loop)
    })?;
    if is_cut_short {
        output::tell(CUT_SHORT);
    }
    Ok(if is_cut_short { code.max(EXIT_FAULT) } else { code })
}

/// Prints what is wrong with the command line; returns the exit code.
fn misused(sentence: &str) -> u8 {
    // If this fails, the exit code still says it.
    let _ = Args::command().error(ErrorKind::InvalidValue, sentence).print();
    EXIT_USAGE
}
