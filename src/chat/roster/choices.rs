//! What the user says of peers: aliases, dialects, whom to ignore.

use super::Roster;
use crate::chat::book::Known;
use crate::chat::notice::{Mistake, Notice, Who};
use crate::chat::request::Designation;
use crate::proto::message::Dialect;
use std::net::SocketAddr;
use std::rc::Rc;

impl Roster {
    /// Gives somebody an alias, or takes it back.
    pub(in crate::chat) fn alias(
        &mut self,
        whom: &Designation,
        alias: Option<String>,
    ) -> Result<Notice, Mistake> {
        let address = self.resolve(whom)?;
        let alias: Option<Rc<str>> = alias.map(Into::into);
        if let Some(alias) = &alias
            && let Some(taken) = self.aliased(alias).find(|&taken| taken != address)
        {
            return Err(Mistake::AliasTaken(self.who(taken)));
        }
        let name = self.set(address, |known| known.alias = alias.clone());
        Ok(Notice::Aliased { who: Who { address, name, standing: self.standing(address) }, alias })
    }

    /// Ignores somebody from now on. What is under way to them is the caller's to give up.
    pub(in crate::chat) fn block(&mut self, whom: &Designation) -> Result<Who, Mistake> {
        let address = self.resolve(whom)?;
        let who = self.who(address);
        self.places(address).into_iter().for_each(|at| drop(self.set(at, |known| known.is_blocked = true)));
        Ok(who)
    }

    pub(in crate::chat) fn is_blocked(&self, address: SocketAddr) -> bool {
        self.book.is_blocked(address)
    }

    pub(in crate::chat) fn unblock(&mut self, whom: &Designation) -> Result<Notice, Mistake> {
        let address = self.resolve(whom)?;
        let who = self.who(address);
        if !self.book.is_blocked(address) {
            return Err(Mistake::NotBlocked(who));
        }
        self.places(address).into_iter().for_each(|at| self.book.set(at, |known| known.is_blocked = false));
        Ok(Notice::Unblocked(who))
    }

    /// Writes to somebody in this dialect from now on.
    pub(in crate::chat) fn set_dialect(
        &mut self,
        whom: &Designation,
        dialect: Dialect,
    ) -> Result<Notice, Mistake> {
        let address = self.resolve(whom)?;
        self.set(address, |known| (known.dialect, known.is_dialect_chosen) = (Some(dialect), true));
        self.choose_dialect(address, dialect);
        Ok(Notice::DialectSet { who: self.who(address), dialect })
    }

    /// Writes to a peer in this dialect for as long as it is in the table.
    pub(in crate::chat) fn choose_dialect(&mut self, address: SocketAddr, dialect: Dialect) {
        if let Some(peer) = self.directory.peer_mut(address) {
            peer.choose(dialect);
        }
    }

    /// Changes what the book says of an address, which it keeps with the name that the peer gives itself.
    fn set(&mut self, address: SocketAddr, change: impl FnOnce(&mut Known)) -> Rc<str> {
        let name = self.own_name(address);
        self.book.set(address, |known| {
            known.name = Rc::clone(&name);
            change(known);
        });
        name
    }
}
