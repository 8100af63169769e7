//! What was said before: which conversation is meant, and how much of it.

use super::Node;
use crate::chat::notice::{Mistake, Notice};
use crate::chat::recall::{Party, Recall};
use crate::chat::request::{Audience, Designation, Whose};
use crate::chat::slash::Slash;
use crate::limits::{RECALLED_MAX, RECALLED_UNASKED};

impl Node {
    /// Asks for the last messages of a conversation. In a conversation a number alone is that of messages.
    pub(super) fn show_history(&mut self, whose: Whose, count: Option<usize>) -> Result<(), Mistake> {
        let present = self.prompter.conversation();
        let (with, count) = match (whose, present) {
            (Whose::One(Designation::Number(number)), Some(present)) if count.is_none() => {
                (present, Some(number))
            }
            (Whose::One(whom), _) => (Audience::One(self.roster.resolve(&whom)?, None), count),
            (Whose::All, _) => (Audience::All, count),
            (Whose::Present, Some(present)) => (present, count),
            (Whose::Present, None) if self.prompter.is_person() => return Err(Mistake::NoConversation),
            (Whose::Present, None) => return Err(usage()),
        };
        let count = count.unwrap_or(RECALLED_UNASKED);
        if !(1..=RECALLED_MAX).contains(&count) {
            return Err(Mistake::BadCount(count.to_string()));
        }
        self.tell_asker(Notice::Recall(Recall::Last { with: self.party(with), count }));
        Ok(())
    }

    /// A conversation begins: asks for its last messages of earlier runs.
    pub(super) fn remind(&mut self, with: Audience) {
        if self.config.is_terminal {
            self.tell(Notice::Recall(Recall::Before(self.party(with))));
        }
    }

    fn party(&self, with: Audience) -> Party {
        match with {
            Audience::One(address, _) => Party::One(self.roster.who(address)),
            Audience::Static | Audience::All => Party::All,
        }
    }
}

fn usage() -> Mistake {
    Slash::find("/history").map_or(Mistake::NoConversation, Slash::usage)
}
