//! A node inside another program: a bot that echoes everything, and a client that is not chinwag.
//!
//! The client is a plain socket, like `nc`. It asks to be connected, which makes its connection a session: from then
//! on both sides write lines on it.
//!
//! `cargo run --example embed`
#![expect(clippy::disallowed_macros, clippy::disallowed_types, reason = "an example prints, and is a client")]

use chinwag::chat::node::{Config, Node};
use chinwag::chat::notice::Notice;
use chinwag::net::event_loop::EventLoop;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

struct Bot(EventLoop<Node, Vec<Notice>>);

impl Bot {
    fn start() -> io::Result<Self> {
        let bind = Ipv4Addr::LOCALHOST.into();
        let config = Config { name: Some("bot".to_owned()), port: Some(0), bind, ..Config::default() };
        EventLoop::new(Node::new(config), Vec::new()).map(Self)
    }

    /// Runs turns until there are notices, and answers each message with its text.
    fn serve(&mut self) -> io::Result<Vec<Notice>> {
        let mut told: Vec<Notice> = Vec::new();
        while told.is_empty() {
            self.0.turn(Some(Duration::from_millis(10)))?;
            told = self.0.screen_mut().drain(..).collect();
            told.retain(|notice| !matches!(notice, Notice::Menu | Notice::Prompt(_) | Notice::Sent(_)));
        }
        for notice in &told {
            if let Notice::Message { who, text, .. } = notice {
                for line in ["1", &who.address.to_string(), &format!("you said: {text}")] {
                    self.0.type_line(line);
                }
            }
        }
        Ok(told)
    }
}

fn main() -> io::Result<()> {
    let mut bot = Bot::start()?;
    let port = match bot.serve()?[..] {
        [Notice::Listening { port }] => port,
        _ => return Err(io::ErrorKind::AddrNotAvailable.into()),
    };
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let mut answers = BufReader::new(client.try_clone()?).lines();
    for text in ["connect", "hello", "are you there?"] {
        println!("> {text}");
        // The address is where this client would listen if it could.
        writeln!(client, "127.0.0.1:9 nc {text}")?;
        bot.serve()?;
        if let Some(answer) = answers.next() {
            println!("< {}", strip_address(&answer?));
        }
    }
    Ok(())
}

/// Removes `IP:PORT `, which differs in each run.
fn strip_address(line: &str) -> &str {
    line.split_once(' ').map_or(line, |(_, rest)| rest)
}
