//! `chinwag nearby`: looks for peers on the networks of this host, prints them, and exits.
//!
//! It is the node of the chat with a user who types one command. It does not listen, and announces nothing.

use crate::args::seed;
use crate::output;
use crate::values::{parse_seconds, seconds};
use chinwag::chat::node::{Config, Dialogue, Node};
use chinwag::chat::notice::{NearbyRow, Notice};
use chinwag::net::event_loop::EventLoop;
use chinwag::net::interfaces;
use chinwag::proto::scope::Scopes;
use chinwag::term::Screen;
use chinwag::term::addresses::know_interfaces;
use chinwag::term::json;
use chinwag::term::nearby::Row;
use chinwag::term::render::Sentence;
use chinwag::term::stdout::Stdout;
use clap::Args;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant, SystemTime};

/// Nobody was found, or nobody can be.
const EXIT_NOBODY: u8 = 1;

const LOOK_TIME: Duration = Duration::from_secs(2);

const EXAMPLES: &str = "\
Examples:
  chinwag nearby
  chinwag nearby --json --timeout 5 | jq -r '.peers[]?.address'

Whoever runs chinwag with --announce is found. A name is only what its bearer claims.

Exit codes: 0 somebody was found, 1 nobody was, or a fault, 2 wrong usage.";

/// How to look.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct NearbyArgs {
    /// How long to look, in seconds; after five nobody is asked any more
    #[arg(long, value_name = "SECONDS", default_value = seconds(LOOK_TIME), value_parser = parse_seconds)]
    timeout: Duration,

    /// Write the events of --json, one line each
    #[arg(long)]
    json: bool,
}

/// Looks; returns the exit code.
#[expect(clippy::disallowed_methods, reason = "the search has an end")]
pub(crate) fn run(args: &NearbyArgs) -> io::Result<u8> {
    let interfaces = interfaces::list();
    know_interfaces(Scopes::of(&interfaces));
    let config = Config {
        name: Some(env!("CARGO_PKG_NAME").to_owned()),
        port: Some(0),
        is_port_lent: true,
        interfaces,
        dialogue: Dialogue::Commands,
        seed: seed(),
        ..Config::default()
    };
    let screen = Finds { out: Stdout::inherited()?, is_json: args.json, has_found: false, is_over: false };
    let mut event_loop = EventLoop::new(Node::new(config), screen)?.with_signals()?;
    let until = Instant::now() + args.timeout;
    event_loop.type_line("/nearby");
    let mut has_found = false;
    event_loop.run_with(|event_loop| {
        let screen = event_loop.screen_mut();
        has_found = screen.has_found;
        let left = until.saturating_duration_since(Instant::now());
        if (left.is_zero() || screen.is_over) && !event_loop.is_over() {
            event_loop.type_line("/quit");
        }
        Some(left)
    })?;
    Ok(if has_found { 0 } else { EXIT_NOBODY })
}

/// Prints who is found.
struct Finds {
    out: Stdout,
    is_json: bool,
    has_found: bool,
    /// Nobody more will be found.
    is_over: bool,
}

impl Finds {
    fn print(&mut self, rows: &[NearbyRow]) {
        self.has_found |= !rows.is_empty();
        if !self.is_json {
            for row in rows {
                let row = NearbyRow { number: None, ..row.clone() };
                self.out.append(format_args!("{}\n", Row(&row)));
            }
        }
    }
}

impl Screen<Notice> for Finds {
    #[expect(clippy::disallowed_methods, reason = "an event has the time of day")]
    fn show(&mut self, notice: Notice) {
        match &notice {
            Notice::Nearby(rows) => self.print(rows),
            Notice::FoundNearby(row) => self.print(std::slice::from_ref(row)),
            Notice::NobodyNearby | Notice::NoMulticast(_) => {
                self.is_over = true;
                if !self.is_json {
                    output::tell(Sentence(&notice).to_string().trim_end());
                }
            }
            _ => return,
        }
        if self.is_json
            && let Some(line) = json::line(&notice, SystemTime::now())
        {
            self.out.append(line);
        }
    }

    fn flush(&mut self) -> io::Result<bool> {
        self.out.flush()
    }

    fn is_full(&self) -> bool {
        self.out.is_full()
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.out.fd()
    }
}
