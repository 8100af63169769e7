//! What can run on a host: a chat, or a load generator. Both are machines, and driven alike.

use chinwag::chat::node::{Config, Node};
use chinwag::chat::notice::Notice as ChatNotice;
use chinwag::proto::machine::{ConnId, Input, Machine, Output};
use chinwag::proto::send_queue::SendQueue;
use chinwag::swarm::generator::Swarm;
use chinwag::swarm::notice::Notice as SwarmNotice;
use chinwag::swarm::plan::Plan;
use std::net::SocketAddr;
use std::time::Instant;

/// What a host runs when it is started.
#[derive(Clone, Debug)]
pub enum Recipe {
    Chat(Config),
    Swarm(Plan),
}

/// What runs on a host.
#[derive(Debug)]
pub enum Program {
    Chat(Box<Node>),
    Swarm(Box<Swarm>),
}

/// What a program tells its user.
#[derive(Debug)]
pub enum Told {
    Chat(ChatNotice),
    Swarm(SwarmNotice),
}

impl Recipe {
    pub fn start(&self, now: Instant) -> Program {
        match self {
            Self::Chat(config) => Program::Chat(Box::new(Node::new(config.clone()))),
            Self::Swarm(plan) => Program::Swarm(Box::new(Swarm::new(plan.clone(), now))),
        }
    }
}

impl Program {
    pub fn as_node(&self) -> Option<&Node> {
        if let Self::Chat(node) = self { Some(node) } else { None }
    }

    pub fn as_swarm(&self) -> Option<&Swarm> {
        if let Self::Swarm(swarm) = self { Some(swarm) } else { None }
    }
}

/// Calls the machine, whichever it is.
macro_rules! each {
    ($program:expr, $machine:ident => $call:expr) => {
        match $program {
            Program::Chat($machine) => $call,
            Program::Swarm($machine) => $call,
        }
    };
}

impl Machine for Program {
    type Notice = Told;

    fn accept(&mut self, from: SocketAddr, local: SocketAddr, now: Instant) -> Option<ConnId> {
        each!(self, machine => machine.accept(from, local, now))
    }

    fn caught_up(&mut self, at: Instant) {
        each!(self, machine => machine.caught_up(at));
    }

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        each!(self, machine => machine.handle(input, now));
    }

    fn poll_output(&mut self) -> Option<Output<Told>> {
        match self {
            Self::Chat(node) => node.poll_output().map(|output| told(output, Told::Chat)),
            Self::Swarm(swarm) => swarm.poll_output().map(|output| told(output, Told::Swarm)),
        }
    }

    fn poll_transmit(&mut self) -> Option<ConnId> {
        each!(self, machine => machine.poll_transmit())
    }

    fn send_queue(&mut self, conn: ConnId) -> Option<&mut SendQueue> {
        each!(self, machine => machine.send_queue(conn))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        each!(self, machine => machine.poll_timeout())
    }

    fn wants_line(&self) -> bool {
        each!(self, machine => machine.wants_line())
    }
}

fn told<N>(output: Output<N>, told: impl FnOnce(N) -> Told) -> Output<Told> {
    match output {
        Output::Close { conn, how } => Output::Close { conn, how },
        Output::Connect { conn, to, from } => Output::Connect { conn, to, from },
        Output::FindRoute(to) => Output::FindRoute(to),
        Output::Datagram { on, to, bytes } => Output::Datagram { on, to, bytes },
        Output::Join(groups) => Output::Join(groups),
        Output::Leave => Output::Leave,
        Output::Listen(address) => Output::Listen(address),
        Output::Notice(notice) => Output::Notice(told(notice)),
        Output::Quit(code) => Output::Quit(code),
    }
}
