//! The program: parse the arguments, build the node, run the loop, pass on the exit code.

mod args;
mod drive;

use args::{Args, Command};
use chinwag::chat::node::Node;
use chinwag::net::event_loop::EventLoop;
use chinwag::net::socket;
use chinwag::term::console::Console;
use chinwag::term::stdin::Stdin;
use clap::Parser;
use std::io;
use std::net::IpAddr;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let result = match args.command {
        Some(Command::Swarm(args)) => drive::run(*args),
        None => chat(args),
    };
    match result {
        Ok(code) => code.into(),
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn chat(args: Args) -> io::Result<u8> {
    let room = socket::raise_descriptor_limit();
    let console = Console::inherited()?;
    let has_menu = args.has_menu();
    let node = Node::new(args.into_config(room, own_ips(), console.is_terminal()));
    let mut event_loop = EventLoop::new(node, console)?.with_signals()?;
    if has_menu {
        event_loop = event_loop.with_stdin(Stdin::inherited())?;
    }
    event_loop.run()
}

fn own_ips() -> Vec<IpAddr> {
    match if_addrs::get_if_addrs() {
        Ok(interfaces) => interfaces.iter().map(|interface| interface.ip().to_canonical()).collect(),
        Err(error) => {
            log::warn!("the addresses of this host are not known: {error}");
            Vec::new()
        }
    }
}
