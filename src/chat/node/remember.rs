//! What the user says of peers: names of one's own, dialects, whom not to hear.

use super::Node;
use crate::chat::menu::Designation;
use crate::chat::notice::Mistake;
use crate::proto::message::Dialect;
use std::time::Instant;

impl Node {
    pub(super) fn alias(&mut self, whom: &Designation, name: Option<String>) -> Result<(), Mistake> {
        let address = self.resolve(whom)?;
        self.book.entry(address).alias = name;
        Ok(())
    }

    pub(super) fn block(&mut self, whom: &Designation, _now: Instant) -> Result<(), Mistake> {
        let address = self.resolve(whom)?;
        self.book.entry(address).is_blocked = true;
        Ok(())
    }

    pub(super) fn unblock(&mut self, whom: &Designation) -> Result<(), Mistake> {
        let address = self.resolve(whom)?;
        self.book.entry(address).is_blocked = false;
        Ok(())
    }

    pub(super) fn set_dialect(&mut self, whom: &Designation, dialect: Dialect) -> Result<(), Mistake> {
        let address = self.resolve(whom)?;
        self.book.entry(address).dialect = Some(dialect);
        Ok(())
    }
}
