//! What the user asks for: typed lines through the menu to requests, and the lists they are shown.

use super::say::Ticket;
use super::{Node, Stage};
use crate::chat::directory::Peer;
use crate::chat::menu::{Audience, Designation, Menu, Request};
use crate::chat::notice::{Mistake, Notice, PeerRow};
use crate::chat::outbox::{Content, Report};
use crate::limits::OUTCOME_TIMEOUT;
use crate::proto::message::{Command, Dialect};
use std::net::SocketAddr;
use std::time::Instant;

impl Node {
    pub(super) fn on_line(&mut self, line: &str, now: Instant) {
        let (menu, result) = self.menu.on_line(line);
        self.menu = menu;
        let result = result.and_then(|request| match request {
            Some(request) => self.on_request(request, now),
            None => Ok(()),
        });
        if let Err(mistake) = result {
            self.tell(Notice::Mistake(mistake));
        }
        if self.awaited.is_none() {
            self.ask();
        }
    }

    /// Asks the question of the menu's state.
    pub(super) fn ask(&mut self) {
        let can_answer = matches!(self.stage, Stage::Starting | Stage::Running);
        if !self.config.menu || !can_answer {
            return;
        }
        if self.menu == Menu::Choice {
            self.tell(Notice::Menu);
        }
        self.tell(Notice::Prompt(self.menu.prompt()));
    }

    fn on_request(&mut self, request: Request, now: Instant) -> Result<(), Mistake> {
        if let Request::Send(Audience::All, text) = &request
            && self.broadcast(text, now)
        {
            return Ok(());
        }
        self.flush_broadcast();
        match request {
            Request::BeCalled(name, is_changed) => self.be_called(name, is_changed),
            Request::Connect(whom) => return self.connect(&whom, now),
            Request::ConnectAll => return self.connect_all(now),
            Request::Find(whom, dialect) => return self.find(&whom, dialect),
            Request::Listen(port) => {
                self.port = port;
                self.listen(port);
            }
            Request::Query => self.query(now),
            Request::Quit => self.quit(now),
            Request::Send(audience, text) => return self.send(audience, &text, now),
            Request::ShowConnectable => self.show_connectable(now),
        }
        Ok(())
    }

    fn be_called(&mut self, name: String, is_changed: bool) {
        self.name = name.as_str().into();
        if is_changed {
            self.tell(Notice::NameChanged(name));
        }
        if let Some(port) = self.config.port {
            self.listen(port);
        }
    }

    fn find(&mut self, whom: &Designation, dialect: Option<Dialect>) -> Result<(), Mistake> {
        let address = self.resolve(whom)?;
        self.menu = Menu::Text(Audience::One(address, dialect));
        Ok(())
    }

    fn connect(&mut self, whom: &Designation, now: Instant) -> Result<(), Mistake> {
        let to = self.resolve(whom).inspect_err(|_| self.menu = Menu::ConnectTo)?;
        self.deliver_and_wait(&[to], false, now, |node, report| {
            node.deliver(to, Content::Connect, None, report, now);
        });
        Ok(())
    }

    fn connect_all(&mut self, now: Instant) -> Result<(), Mistake> {
        let all: Vec<SocketAddr> = self.connectable().into_iter().map(|peer| peer.address).collect();
        self.deliver_and_wait(&all, false, now, |node, report| {
            for &to in &all {
                node.deliver(to, Content::Connect, None, report, now);
            }
        });
        if all.is_empty() { Err(Mistake::NoPeers) } else { Ok(()) }
    }

    fn send(&mut self, audience: Audience, text: &str, now: Instant) -> Result<(), Mistake> {
        let (to, dialect) = match audience {
            Audience::One(to, dialect) => (vec![to], dialect),
            Audience::Static => (self.config.static_peers.clone(), None),
            Audience::All => {
                let all = self.directory.iter().filter(|peer| !peer.is_offline);
                (all.map(|peer| peer.address).collect(), None)
            }
        };
        if to.is_empty() {
            let is_static = audience == Audience::Static;
            return Err(if is_static { Mistake::NoStaticPeers } else { Mistake::NoPeers });
        }
        let is_told_once = audience == Audience::All;
        self.deliver_and_wait(&to, is_told_once, now, |node, report| {
            // A typed command is known by, and said in, the words of each peer's own dialect.
            let (chatted, others): (Vec<_>, Vec<_>) = to.iter().partition(|&&to| {
                let spoken = dialect.unwrap_or_else(|| node.dialect_of(to));
                dialect.is_none() && matches!(content(text, spoken), Content::Chat(_))
            });
            node.deliver_to_all(&chatted, text, report, now);
            for to in others {
                let spoken = dialect.unwrap_or_else(|| node.dialect_of(to));
                node.deliver(to, content(text, spoken), dialect, report, now);
            }
        });
        Ok(())
    }

    /// Delivers to these, and lets the menu wait until it is known what came of it.
    fn deliver_and_wait(
        &mut self,
        to: &[SocketAddr],
        is_told_once: bool,
        now: Instant,
        deliver: impl FnOnce(&mut Self, Report),
    ) {
        if to.is_empty() {
            return;
        }
        self.last_ticket = self.last_ticket.wrapping_add(1);
        let number = self.last_ticket;
        self.tickets.insert(number, Ticket::new(to.len(), is_told_once));
        self.awaited = None;
        deliver(self, Report::Request(number));
        if self.tickets.contains_key(&number) {
            self.awaited = Some((number, now + OUTCOME_TIMEOUT));
        }
    }

    fn query(&mut self, now: Instant) {
        let active = self.directory.active();
        let contacted = self.directory.contacted();
        let listed = active.iter().chain(&contacted).map(|peer| peer.address).collect();
        let rows = |peers: &[&Peer], first| rows(peers, first, now);
        let notice =
            Notice::Peers { active: rows(&active, 1), contacted: rows(&contacted, 1 + active.len()) };
        self.listed = listed;
        self.tell(notice);
    }

    fn show_connectable(&mut self, now: Instant) {
        let connectable = self.connectable();
        let listed = connectable.iter().map(|peer| peer.address).collect();
        let notice = Notice::ConnectList(rows(&connectable, 1, now));
        self.listed = listed;
        self.tell(notice);
    }

    fn connectable(&self) -> Vec<&Peer> {
        self.directory.active().into_iter().filter(|peer| !peer.is_connected).collect()
    }

    /// The address that the user means.
    fn resolve(&self, whom: &Designation) -> Result<SocketAddr, Mistake> {
        let address = match whom {
            Designation::Address(address) => *address,
            Designation::Number(number) => number
                .checked_sub(1)
                .and_then(|index| self.listed.get(index).copied())
                .ok_or(Mistake::NoSuchNumber(*number))?,
            Designation::Name(name) => {
                let mut named = self.directory.iter().filter(|peer| peer.name.eq_ignore_ascii_case(name));
                let first = named.next().ok_or_else(|| Mistake::BadAddress(name.clone()))?;
                if named.next().is_some() {
                    return Err(Mistake::AmbiguousName(name.clone()));
                }
                first.address
            }
        };
        if self.is_own(address) { Err(Mistake::Yourself(address)) } else { Ok(address) }
    }
}

/// What a typed text says to a peer that speaks this dialect.
fn content(text: &str, dialect: Dialect) -> Content {
    match Command::of(text.as_bytes(), dialect) {
        Command::Exit => Content::Exit,
        Command::Connect => Content::Connect,
        Command::Ack { .. } | Command::Chat => Content::Chat(text.to_owned()),
    }
}

fn rows(peers: &[&Peer], first: usize, now: Instant) -> Vec<PeerRow> {
    let row = |(number, peer): (usize, &&Peer)| PeerRow {
        number,
        who: peer.who(),
        connected: peer.is_connected,
        heard_ago: peer.heard_at.map(|at| now.saturating_duration_since(at)),
    };
    (first..).zip(peers).map(row).collect()
}
