//! What becomes of a typed line on the screen, once it was taken.
//!
//! Its row was erased with its prompt. If the line says something, `10:12 you → anna: hello` takes its place. Every other
//! line comes back as it was, except one that only goes to another conversation. Which of these it is, the next notice
//! tells.
//!
//! That a text arrived is not told: it is on the screen, and a failure would be told. But if the user was promised an
//! outcome, because it took long, the outcome is told in any case.

use super::editor::SWITCH;
use crate::chat::notice::{Notice, Prompt, SaidTo, Who};
use crate::chat::slash::ACTION;
use std::net::SocketAddr;

/// The last typed line, and what is owed of it.
#[derive(Debug, Default)]
pub(super) struct OwnLines {
    pending: Option<OwnLine>,
    /// Whom the last typed line went to.
    last: Recipients,
    /// Those of whom an outcome was promised.
    promised: Recipients,
}

/// What is shown of a typed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OwnLine {
    /// The question and the answer, as they were typed.
    Answered(Option<Prompt>, String),
    /// Something was said to everybody.
    SaidToAll(String),
    /// Something was said to these.
    SaidTo(Vec<Who>, String),
}

#[derive(Debug, Default)]
struct Recipients {
    is_all: bool,
    addresses: Vec<SocketAddr>,
}

impl OwnLines {
    /// A line was taken. Whatever is pending must be [settled](Self::settle) before.
    pub(super) fn take(&mut self, prompt: Option<Prompt>, line: String) {
        self.last = Recipients::default();
        // A key typed it, and the next prompt says whom the conversation is with.
        let is_switch = line.starts_with(SWITCH);
        self.pending = (!is_switch).then_some(OwnLine::Answered(prompt, line));
    }

    /// The user said something. What is returned must be shown now.
    pub(super) fn say(&mut self, to: SaidTo, text: String) -> Option<OwnLine> {
        let pending = self.pending.take();
        let is_typed = match &pending {
            // A greeting is said without being typed; it may come at any time.
            Some(OwnLine::Answered(_, line)) => {
                // The command before an action may have been typed in another way.
                line.contains(text.strip_prefix(ACTION).unwrap_or(&text))
            }
            Some(OwnLine::SaidTo(_, said)) => *said == text,
            Some(OwnLine::SaidToAll(_)) | None => false,
        };
        if is_typed {
            self.last.note(&to);
        }
        let (own, done) = match (pending, to) {
            (Some(OwnLine::SaidTo(mut all, _)), SaidTo::One(who)) if is_typed => {
                all.push(who);
                (OwnLine::SaidTo(all, text), None)
            }
            (pending, to) => {
                let is_replaced = is_typed && matches!(pending, Some(OwnLine::Answered(..)));
                (OwnLine::said(to, text), pending.filter(|_| !is_replaced))
            }
        };
        self.pending = Some(own);
        done
    }

    /// What must be shown before anything else.
    pub(super) fn settle(&mut self) -> Option<OwnLine> {
        self.pending.take()
    }

    /// Whether a notice is shown, or says only what is on the screen already.
    pub(super) fn is_news(&mut self, notice: &Notice) -> bool {
        match notice {
            Notice::StillTrying(_) => self.promised.add(std::mem::take(&mut self.last)),
            Notice::NotSent { to, .. } => drop(self.promised.remove(*to)),
            Notice::ManyFailed(many) => self.promised.remove_all(&many.to),
            Notice::Sent(to) => return self.promised.remove(*to),
            Notice::SentToAll(0) => {}
            Notice::SentToAll(_) => return std::mem::take(&mut self.promised.is_all),
            _ => {}
        }
        true
    }
}

impl OwnLine {
    fn said(to: SaidTo, text: String) -> Self {
        match to {
            SaidTo::All(_) => Self::SaidToAll(text),
            SaidTo::One(who) => Self::SaidTo(vec![who], text),
        }
    }
}

impl Recipients {
    fn note(&mut self, to: &SaidTo) {
        match to {
            SaidTo::All(_) => self.is_all = true,
            SaidTo::One(who) => self.addresses.push(who.address),
        }
    }

    fn add(&mut self, more: Self) {
        self.is_all |= more.is_all;
        self.addresses.extend(more.addresses);
    }

    fn remove_all(&mut self, addresses: &[SocketAddr]) {
        for &address in addresses {
            self.remove(address);
        }
    }

    /// Whether it was among these.
    fn remove(&mut self, address: SocketAddr) -> bool {
        let place = self.addresses.iter().position(|known| *known == address);
        place.map(|place| self.addresses.remove(place)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::notice::Failure;

    fn who(port: u16) -> Who {
        Who::new(([127, 0, 0, 1], port).into(), "anna".into())
    }

    fn to(port: u16) -> SaidTo {
        SaidTo::One(who(port))
    }

    fn text() -> String {
        "hello".to_owned()
    }

    fn after(line: &str) -> OwnLines {
        let mut own = OwnLines::default();
        own.take(Some(Prompt::Choice), line.to_owned());
        own
    }

    #[test]
    fn a_line_that_says_something_is_replaced_and_any_other_comes_back() {
        let mut own = after("/msg anna hello");
        assert_eq!(own.say(to(1), text()), None);
        assert_eq!(own.settle(), Some(OwnLine::SaidTo(vec![who(1)], text())));
        let mut own = after("/all hello");
        assert_eq!(own.say(SaidTo::All(2), text()), None);
        assert_eq!(own.settle(), Some(OwnLine::SaidToAll(text())));
        let mut own = after("/ME  waves");
        assert_eq!(own.say(to(1), "/me waves".to_owned()), None);
        let mut own = after("/peers");
        let answered = OwnLine::Answered(Some(Prompt::Choice), "/peers".to_owned());
        assert_eq!((own.settle(), own.settle()), (Some(answered), None));
    }

    #[test]
    fn going_to_another_conversation_leaves_no_line() {
        assert_eq!(after("/switch next").settle(), None);
    }

    #[test]
    fn one_text_to_several_is_one_line() {
        let mut own = after("hello");
        assert_eq!((own.say(to(1), text()), own.say(to(2), text())), (None, None));
        assert_eq!(own.settle(), Some(OwnLine::SaidTo(vec![who(1), who(2)], text())));
    }

    #[test]
    fn what_was_not_typed_replaces_nothing() {
        let mut own = after("/connect 2");
        let answered = OwnLine::Answered(Some(Prompt::Choice), "/connect 2".to_owned());
        assert_eq!(own.say(to(1), "Hello!".to_owned()), Some(answered));
        assert_eq!(own.settle(), Some(OwnLine::SaidTo(vec![who(1)], "Hello!".to_owned())));
    }

    #[test]
    fn that_a_text_arrived_is_news_only_if_it_was_promised() {
        let sent = || Notice::Sent(who(1).address);
        let mut own = after("hello");
        own.say(to(1), text());
        assert!(!own.is_news(&sent()));
        assert!(own.is_news(&Notice::StillTrying(1)));
        assert!(!own.is_news(&Notice::Sent(who(2).address)));
        assert!(own.is_news(&sent()) && !own.is_news(&sent()));

        let mut own = after("hello");
        own.say(to(1), text());
        own.is_news(&Notice::StillTrying(1));
        let failed = Notice::NotSent { to: who(1).address, text: text(), why: Failure::TooManyWaiting };
        assert!(own.is_news(&failed) && !own.is_news(&sent()));

        let mut own = after("/all hello");
        own.say(SaidTo::All(2), text());
        assert!(!own.is_news(&Notice::SentToAll(2)));
        own.is_news(&Notice::StillTrying(2));
        assert!(own.is_news(&Notice::SentToAll(2)) && !own.is_news(&Notice::SentToAll(2)));

        let mut own = after("hello");
        own.say(to(1), text());
        own.settle();
        own.take(Some(Prompt::Choice), "/connect 127.0.0.1:2".to_owned());
        own.is_news(&Notice::StillTrying(1));
        assert!(!own.is_news(&sent()), "another line was promised an outcome");
    }
}
