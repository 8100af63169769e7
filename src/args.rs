//! The command line, parsed once.

use crate::diagnose::DiagnoseArgs;
use crate::drive;
use crate::drive::args::SwarmArgs;
use crate::endpoint::{Endpoint, parse_endpoint};
use crate::files;
use crate::files::identity::IdentityFile;
use crate::keys::KeyArgs;
use crate::nearby::NearbyArgs;
use crate::send::SendArgs;
use crate::values::{
    bells, colorings, dialects, parse_count, parse_ip, parse_memory, parse_name, parse_port, parse_seconds,
    seconds,
};
use chinwag::chat::node::{Config, Dialogue};
use chinwag::limits::Limits;
use chinwag::proto::interface::Interface;
use chinwag::proto::message::Dialect;
use chinwag::proto::scope::Scopes;
use chinwag::proto::secure::Seed;
use chinwag::term::bell::Bell;
use chinwag::term::notifier::Notifier;
use chinwag::term::stdin::Stdin;
use chinwag::term::style::{Coloring, Colors, Look};
use chinwag::term::transcript::Transcript;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

// Each paragraph is one line, because clap breaks lines at the width of the terminal. Examples fit on a narrow
// terminal.
const EXAMPLES: &str = "\
Examples:
  # Ask for a name and a port, then show the menu
  chinwag
  # The same without the questions
  chinwag --name P1 --port 8080
  # Listen on any free port, and print its number
  chinwag --name P1 --port 0
  # Run until SIGINT or SIGTERM, and print what peers say
  chinwag --name bot --port 8080 --headless
  # Events as JSON on stdout, commands as JSON on stdin
  chinwag --name bot --port 8080 --json
";

const SWARM_EXAMPLE: &str = "  # Benchmark the program at an address with 1000 peers
  chinwag swarm 127.0.0.1:8080 --peers 1000
";

const NOTES: &str = "  # Send one message; the exit code says how it went
  chinwag send 127.0.0.1:8080 hello

Settings: each flag can also be set in the config file (connect-timeout = 2, greet = true) and in the \
environment (CHINWAG_CONNECT_TIMEOUT=2, CHINWAG_GREET=1). A flag overrides the environment, which overrides the \
file; --greet=false switches a flag off. `chinwag config` shows each value in effect, and where it was set.

Exit codes: 0 success, 1 a fault, 2 wrong usage or a port that is not available. RUST_LOG=debug logs each connection on \
stderr, and why it ended.";

/// The subcommands that have a manual page, those of the load generator first.
const PAGES: [&str; 9] =
    ["swarm", "swarm-merge", "send", "nearby", "diagnose", "config", "schema", "completions", "man"];

/// A peer-to-peer terminal chat: every node listens and dials, and there is no server.
#[derive(Debug, Parser)]
#[command(version, after_help = notes(), max_term_width = 100, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Your name, one word; you are asked for it if it is not given
    #[arg(long, value_parser = parse_name)]
    name: Option<String>,

    /// The port to listen on, 0 for any free one; you are asked for it if it is not given
    #[arg(long, value_parser = parse_port)]
    port: Option<u16>,

    /// Your IP address as messages show it [default: the local address of each connection]
    #[arg(long, value_name = "IP", value_parser = parse_ip)]
    ip: Option<IpAddr>,

    /// The IP address to listen on; `::` accepts IPv4 too
    #[arg(long, value_name = "IP", default_value = "::", value_parser = parse_ip)]
    bind: IpAddr,

    /// A peer for menu choice 4. HOST:PORT works too, and is looked up once, at the start; a link-local address has its
    /// interface, [fe80::1%eth0]:8080. Repeat the flag for more peers; they replace the default list
    #[arg(
        long = "static-peer",
        value_name = "IP:PORT",
        value_parser = parse_endpoint,
        default_values = ["10.206.4.122:1255", "10.206.5.228:6555"]
    )]
    static_peers: Vec<Endpoint>,

    /// Say hello to the static peers at the start
    #[arg(long)]
    greet: bool,

    /// The dialect for peers that have not chatted yet [default: standard]
    #[arg(long, value_parser = dialects(), ignore_case = true)]
    dialect: Option<Dialect>,

    /// No menu: do not read stdin, and run until a signal ends it
    #[arg(long, requires = "name", requires = "port")]
    headless: bool,

    /// For programs: write each event as one line of JSON, and read commands as JSON or slash commands; no menu and no
    /// prompts
    #[arg(long, requires = "name", requires = "port")]
    json: bool,

    /// Keep known peers in this file [default: peers.toml in the data directory, if stdin is a terminal]
    #[arg(long, value_name = "FILE", conflicts_with = "no_known_peers")]
    known_peers: Option<PathBuf>,

    /// Do not read or write a file of known peers
    #[arg(long)]
    no_known_peers: bool,

    /// Keep texts that are held for later in this file [default: held.toml in the data directory, if stdin is a terminal]
    #[arg(long, value_name = "FILE", conflicts_with = "no_held")]
    held: Option<PathBuf>,

    /// Do not read or write a file of texts that are held for later
    #[arg(long)]
    no_held: bool,

    /// Do not read or write a file of typed lines
    #[arg(long)]
    no_history: bool,

    #[command(flatten)]
    keys: KeyArgs,

    /// No line editing and no escape sequences; for screen readers and recordings
    #[arg(long)]
    plain: bool,

    /// When to use a colour for each peer
    #[arg(long, value_name = "WHEN", default_value = "auto", value_parser = colorings())]
    color: Coloring,

    /// Ring the terminal's bell for messages that have your name (mention), for those and for those to you alone (private),
    /// for all, or never; at most once a second. `--bell` alone means all
    #[arg(long, value_name = "FOR", num_args = 0..=1, default_value = "never", default_missing_value = "all",
        value_parser = bells())]
    bell: Bell,

    /// Show the address in each message, not only where the name is not enough
    #[arg(long)]
    show_addresses: bool,

    /// Run this command for a message, at most once a second, with {name} and {text} of it; it gets no shell
    #[arg(long, value_name = "COMMAND", value_parser = NonEmptyStringValueParser::new())]
    notify: Option<String>,

    /// Let others on your networks find you by name and port, through multicast DNS
    #[arg(long)]
    announce: bool,

    /// Append all messages to this file; only you can read a new file
    #[arg(long, value_name = "FILE")]
    transcript: Option<PathBuf>,

    /// Count what peers say instead of printing it
    #[arg(long)]
    quiet: bool,

    /// How long a dial may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = seconds(Limits::default().connect_timeout),
        value_parser = parse_seconds)]
    connect_timeout: Duration,

    /// The most connections at once [default: the limit on open files minus 32]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    connections_max: Option<usize>,

    /// The most connections from one IP address; loopback has no limit
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections_per_ip_max,
        value_parser = parse_count)]
    connections_per_ip_max: usize,

    /// The most dials at once; more have to wait
    #[arg(long, value_name = "N", default_value_t = Limits::default().dials_max, value_parser = parse_count)]
    dials_max: usize,

    /// The most bytes that may wait for a slow peer; over it, its connection is closed
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().send_queue_bytes_max,
        value_parser = parse_count)]
    send_queue_max: usize,

    /// The most bytes that the program keeps for all peers, in unfinished messages, send queues and the texts in them;
    /// over it, the connections that hold the most are closed. At least 262144
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().memory_bytes_max, value_parser = parse_memory)]
    memory_max: usize,

    /// The most entries of the peer table
    #[arg(long, value_name = "N", default_value_t = Limits::default().peers_max, value_parser = parse_count)]
    peers_max: usize,
}

/// What the program can do besides chatting.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Benchmark a node, ours or another program's, with many concurrent peers
    #[command(hide = !drive::IS_HERE)]
    Swarm(Box<SwarmArgs>),
    /// Send a message, wait until it is taken, and exit
    Send(SendArgs),
    /// Find out why an address cannot be reached, and say what to do
    Diagnose(DiagnoseArgs),
    /// Look for peers on the networks of this host, print them, and exit
    Nearby(NearbyArgs),
    /// Print each setting, and where it was set, as a config file; takes the flags of the chat
    Config,
    /// Print the JSON Schema of the events and commands of --json
    Schema,
    /// Print a script that completes this program's flags in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page of the program or of a subcommand
    Man {
        /// The subcommand
        #[arg(value_parser = pages())]
        subcommand: Option<String>,
    },
}

/// A number that another process hardly ever has.
pub(crate) fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The text below the flags.
fn notes() -> String {
    [EXAMPLES, if drive::IS_HERE { SWARM_EXAMPLE } else { "" }, NOTES].concat()
}

fn pages() -> PossibleValuesParser {
    PAGES.into_iter().filter(|page| drive::IS_HERE || !page.starts_with("swarm")).into()
}

impl Args {
    /// Whether stdin is read.
    pub(crate) fn takes_lines(&self) -> bool {
        !self.headless
    }

    /// Whether this process is a worker that another process directs.
    pub(crate) fn is_worker(&self) -> bool {
        matches!(&self.command, Some(Command::Swarm(args)) if args.is_worker())
    }

    /// Whether a program reads the events.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether lines may be edited, if there is a suitable terminal.
    pub(crate) fn may_edit(&self) -> bool {
        self.takes_lines() && !self.plain && !self.json
    }

    /// Whether a person types at a terminal.
    fn is_for_a_person(&self) -> bool {
        self.takes_lines() && !self.json && Stdin::inherited().is_terminal()
    }

    /// The key, if one is used: for a person, or if a flag names it. The error is a sentence.
    pub(crate) fn open_identity(&self) -> Result<Option<IdentityFile>, String> {
        self.keys.open(self.is_for_a_person())
    }

    /// The file of known peers, if there is one: for a person, or if a flag names it.
    pub(crate) fn known_peers_file(&self) -> Option<PathBuf> {
        let default = || if self.is_person() { files::known_peers_place() } else { None };
        if self.no_known_peers { None } else { self.known_peers.clone().or_else(default) }
    }

    /// The file of texts that are held for later, if there is one: for a person, or if a flag names it.
    pub(crate) fn held_file(&self) -> Option<PathBuf> {
        let default = || if self.is_person() { files::held_place() } else { None };
        if self.no_held { None } else { self.held.clone().or_else(default) }
    }

    /// Whether a person types lines at a terminal.
    fn is_person(&self) -> bool {
        self.takes_lines() && !self.json && Stdin::inherited().is_terminal()
    }

    /// The file of typed lines, if there is one: only if lines are edited.
    pub(crate) fn history_file(&self) -> Option<PathBuf> {
        if self.may_edit() && !self.no_history { files::history_place() } else { None }
    }

    /// Opens the transcript if one is wanted. The error is a sentence.
    pub(crate) fn open_transcript(&self) -> Result<Option<Transcript>, String> {
        self.transcript.as_deref().map(Transcript::open).transpose()
    }

    /// The command for messages, if there is one.
    pub(crate) fn notifier(&self) -> Option<Notifier> {
        self.notify.as_deref().and_then(Notifier::parse)
    }

    /// The addresses of the static peers. The error is a sentence.
    pub(crate) fn look_up_static_peers(&self, scopes: &Scopes) -> Result<Vec<SocketAddr>, String> {
        self.static_peers.iter().map(|endpoint| endpoint.look_up(scopes)).collect()
    }

    /// How notices look. `is_edited` says whether lines are edited on this terminal.
    pub(crate) fn look(&self, is_edited: bool) -> Look {
        let [term, color_term] = ["TERM", "COLORTERM"].map(|name| std::env::var(name).unwrap_or_default());
        let no_color = std::env::var_os("NO_COLOR");
        let there = Colors::of_terminal(&term, &color_term);
        Look {
            colors: self.color.colors(is_edited, no_color.as_deref(), there),
            bell: self.bell,
            has_addresses: self.show_addresses,
        }
    }

    /// The configuration of the node. `room` is the number of connections for which the process has descriptors.
    pub(crate) fn into_config(
        self,
        room: usize,
        interfaces: Vec<Interface>,
        static_peers: Vec<SocketAddr>,
        is_terminal: bool,
    ) -> Config {
        let offers_to_hold = is_terminal && self.is_person();
        Config {
            name: self.name,
            port: self.port,
            bind: self.bind,
            ip: self.ip,
            interfaces,
            static_peers,
            known: Vec::new(),
            must_remember: false,
            held: Vec::new(),
            has_held_file: false,
            offers_to_hold,
            greet: self.greet,
            dialect: self.dialect,
            dialogue: match (self.headless, self.json) {
                (true, _) => Dialogue::Silent,
                (false, true) => Dialogue::Commands,
                (false, false) => Dialogue::Menu,
            },
            announce: self.announce,
            identity: None,
            secure: self.keys.secure,
            entropy: Seed([0; 32]),
            seed: seed(),
            is_port_lent: false,
            quiet: self.quiet,
            is_recorded: self.transcript.is_some(),
            is_terminal,
            limits: Limits {
                connections_max: self.connections_max.unwrap_or(room),
                connections_per_ip_max: self.connections_per_ip_max,
                dials_max: self.dials_max,
                connect_timeout: self.connect_timeout,
                send_queue_bytes_max: self.send_queue_max,
                memory_bytes_max: self.memory_max,
                peers_max: self.peers_max,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use roxmltree::{Document, ParsingOptions};

    fn parse(line: &str) -> Result<Config, clap::Error> {
        let words = std::iter::once("chinwag").chain(line.split_whitespace());
        Args::try_parse_from(words).map(|args| {
            let static_peers = args.look_up_static_peers(&Scopes::default()).unwrap();
            args.into_config(100, Vec::new(), static_peers, false)
        })
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    /// What a service manager starts.
    fn assert_starts_a_service(command: &str) {
        let config = parse(command.strip_prefix("/usr/local/bin/chinwag ").unwrap()).unwrap();
        assert!(config.dialogue == Dialogue::Silent && config.port.is_some(), "{command}");
    }

    #[test]
    fn the_unit_for_systemd_starts_a_service() {
        let unit = include_str!("../contrib/chinwag.service");
        let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        assert_starts_a_service(&command.replace("${STATE_DIRECTORY}", "/var/lib/chinwag"));
    }

    #[test]
    fn the_property_list_for_launchd_starts_a_service() {
        let list = include_str!("../contrib/chinwag.plist");
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        let list = Document::parse_with_options(list, options).unwrap();
        let words = list.descendants().filter_map(|node| node.text());
        let command = words.filter_map(|text| text.strip_prefix("exec ")).next().unwrap();
        assert_starts_a_service(command.split(" >>").next().unwrap());
    }

    #[test]
    fn the_guide_has_a_row_for_each_flag() {
        let guide = include_str!("../docs/guide.md");
        let command = crate::settings::command();
        let rows = guide.lines().filter_map(|row| row.strip_prefix("| `--"));
        let rows: Vec<&str> = rows.filter_map(|row| row.split([' ', '`']).next()).collect();
        for flag in command.get_arguments().filter_map(|arg| arg.get_long()) {
            assert!(rows.contains(&flag), "--{flag} is missing");
        }
    }

    #[test]
    fn the_documented_limits_are_the_defaults() {
        let limits = parse("").unwrap().limits;
        assert_eq!(
            format!("{limits:?}"),
            format!("{:?}", Limits { connections_max: 100, ..Limits::default() })
        );
    }

    #[test]
    fn the_bell_has_words_and_alone_it_rings_for_all() {
        for (words, bell) in [
            (&[][..], Bell::Never),
            (&["--bell"], Bell::All),
            (&["--bell", "--plain"], Bell::All),
            (&["--bell=true"], Bell::All),
            (&["--bell=false"], Bell::Never),
            (&["--bell", "mention"], Bell::Mention),
            (&["--bell=private"], Bell::Private),
            (&["--bell", "never"], Bell::Never),
        ] {
            let args = Args::try_parse_from(["chinwag"].iter().chain(words)).unwrap();
            assert_eq!(args.look(true).bell, bell, "{words:?}");
        }
        assert!(Args::try_parse_from(["chinwag", "--bell=loud"]).is_err());
    }

    #[test]
    fn a_static_peer_replaces_the_list() {
        assert_eq!(parse("").unwrap().static_peers.len(), 2);
        let given = parse("--static-peer 127.0.0.1:1 --static-peer [::1]:2").unwrap().static_peers;
        assert_eq!(given, ["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()]);
    }

    #[test]
    fn wrong_values_are_usage_errors() {
        let table = [
            "--port 65536",
            "--port x",
            "--ip 10.103.45.601",
            "--bind host",
            "--static-peer 1.2.3.4",
            "--static-peer 1.2.3.4:0",
            "--static-peer bob.example",
            "--static-peer a..b:1",
            "--dialect klingon",
            "--color blue",
            "--color=",
            "--headless",
            "--headless --name a",
            "--json",
            "--json --name a",
            "--json --port 0",
            "--known-peers",
            "--known-peers f --no-known-peers",
            "--identity",
            "--identity f --no-identity",
            "--secure maybe",
            "--json --name a --port 0 send 127.0.0.1:1 x",
            "--connect-timeout 0",
            "--connect-timeout -1",
            "--connections-max 0",
            "--peers-max x",
            "--memory-max 262143",
            "--name=",
            "extra",
        ];
        for line in table {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
        assert!(Args::try_parse_from(["chinwag", "--name", "two words"]).is_err());
    }

    #[test]
    fn a_wrong_address_or_port_to_claim_is_reported_with_a_valid_example() {
        let table = [
            ("--ip 10.103.45.601", "192.168.1.5"),
            ("--bind host", "192.168.1.5"),
            ("send --ip host 127.0.0.1:1 x", "192.168.1.5"),
            ("send --port x 127.0.0.1:1 x", "from 1 to 65535"),
            ("send --port 0 127.0.0.1:1 x", "from 1 to 65535"),
        ];
        for (line, what) in table {
            let told = parse(line).unwrap_err().to_string();
            assert!(told.contains(what), "{line}: {told}");
        }
    }
}
