//! The names and addresses for completion: those that were on the screen, the latest first.

use crate::chat::notice::{Notice, Who};
use crate::chat::request::is_unmistakable;
use crate::limits::NAMES_MAX;
use crate::proto::clean::is_unseen;
use crate::term::addresses::At;
use std::rc::Rc;

/// Names learned from notices.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Who>);

impl Names {
    /// Learns known peers, the most important first.
    pub(super) fn know(&mut self, peers: &[Who]) {
        peers.iter().take(NAMES_MAX).rev().for_each(|who| self.note(who));
    }

    /// Learns from a notice who is there and who has left.
    pub(super) fn learn(&mut self, notice: &Notice) {
        match notice {
            Notice::Accepted(who)
            | Notice::AlreadyConnected(who)
            | Notice::Connected(who)
            | Notice::ConnectSent(who)
            | Notice::Message { who, .. }
            | Notice::NewPeer(who)
            | Notice::Renamed { who, .. } => self.note(who),
            Notice::ConnectList(rows) => rows.iter().rev().for_each(|row| self.note(&row.who)),
            Notice::Aliased { who, alias } => self.rename(who, alias.as_ref()),
            Notice::Peers { active, contacted, known, .. } => {
                known.iter().rev().for_each(|row| self.note(&row.who));
                contacted.iter().rev().chain(active.iter().rev()).for_each(|row| self.note(&row.who));
            }
            Notice::Sent(address) => self.note(&Who::new(*address, Rc::from(""))),
            Notice::Disconnected(Who { address, .. }) | Notice::ExitSent(address) => {
                self.0.retain(|known| known.address != *address);
            }
            _ => {}
        }
    }

    /// All candidates that begin with `part`: names, then addresses. Upper and lower case are the same in names.
    pub(super) fn candidates(&self, part: &str) -> Vec<String> {
        // Ambiguous names and names with invisible characters are left out: the user must see who gets a message.
        let is_clear = |who: &&Who| is_unmistakable(&who.name) && !who.name.contains(is_unseen);
        let names = self.0.iter().filter(is_clear).map(|who| who.name.to_string());
        let addresses = self.0.iter().map(|who| At(who.address).to_string());
        let mut candidates: Vec<String> = Vec::new();
        for candidate in names.chain(addresses).filter(|name| begins_with(name, part)) {
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
        candidates
    }

    fn rename(&mut self, who: &Who, alias: Option<&Rc<str>>) {
        self.note(&Who { name: Rc::clone(alias.unwrap_or(&who.name)), ..*who });
    }

    fn note(&mut self, who: &Who) {
        let place = self.0.iter().position(|known| known.address == who.address);
        let mut entry = who.clone();
        if let Some(known) = place.map(|place| self.0.remove(place))
            && entry.name.is_empty()
        {
            entry.name = known.name;
        }
        self.0.truncate(NAMES_MAX - 1);
        self.0.insert(0, entry);
    }
}

/// ASCII letters match in either case.
pub(super) fn begins_with(word: &str, part: &str) -> bool {
    word.get(..part.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(part))
}

/// The longest common beginning.
pub(super) fn common_beginning(candidates: &[String]) -> &str {
    let Some((first, rest)) = candidates.split_first() else { return "" };
    let mut end = first.len();
    for other in rest {
        let same = first.char_indices().zip(other.chars()).find(|((_, a), b)| a != b);
        end = end.min(same.map_or(first.len().min(other.len()), |((at, _), _)| at));
    }
    &first[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(port: u16, name: &str) -> Who {
        Who::new(([127, 0, 0, 1], port).into(), name.into())
    }

    fn names(known: &[(u16, &str)]) -> Names {
        let mut names = Names::default();
        known.iter().for_each(|&(port, name)| names.learn(&Notice::NewPeer(who(port, name))));
        names
    }

    #[test]
    fn names_come_first_then_addresses_the_latest_first() {
        let mut names = names(&[(1, "anna"), (2, "Anton"), (3, "berta")]);
        assert_eq!(names.candidates("an"), ["Anton", "anna"]);
        assert_eq!(names.candidates("127.0.0.1:"), ["127.0.0.1:3", "127.0.0.1:2", "127.0.0.1:1"]);
        assert_eq!(names.candidates("").len(), 6);
        assert_eq!(names.candidates("c"), [""; 0]);
        names.learn(&Notice::heard(who(1, "anna"), "hi"));
        assert_eq!(names.candidates("AN"), ["anna", "Anton"]);
        names.learn(&Notice::Sent(([127, 0, 0, 1], 2).into()));
        assert_eq!(names.candidates("an"), ["Anton", "anna"]);
        names.learn(&Notice::Disconnected(who(1, "anna")));
        assert_eq!(names.candidates("an"), ["Anton"]);
    }

    #[test]
    fn an_ambiguous_name_is_offered_as_its_address() {
        for name in [
            "",
            "a",
            "A",
            "ALL",
            "7",
            "+7",
            "1.2.3.4",
            "localhost",
            "::1",
            "x:1",
            "two words",
            "a\x1b[2J",
            "P1\u{FE0F}",
        ] {
            assert_eq!(names(&[(1, name)]).candidates(""), ["127.0.0.1:1"], "{name:?}");
        }
        for name in ["b", "/etc/passwd", "$(x)", "你好", "P1"] {
            assert_eq!(names(&[(1, name)]).candidates("").len(), 2, "{name:?}");
        }
    }

    #[test]
    fn the_number_of_names_is_limited() {
        let known: Vec<(u16, &str)> = (1..=NAMES_MAX as u16 + 1).map(|port| (port, "")).collect();
        let candidates = names(&known).candidates("");
        assert_eq!(candidates.len(), NAMES_MAX);
        assert!(!candidates.contains(&"127.0.0.1:1".to_owned()));
    }

    #[test]
    fn the_common_beginning_of_candidates_ends_at_a_character() {
        let common = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            common_beginning(&names).to_owned()
        };
        assert_eq!(common(&["anna", "annette", "ann"]), "ann");
        assert_eq!(common(&["é1", "è1"]), "");
        assert_eq!(common(&["one"]), "one");
        assert_eq!(common(&[]), "");
    }
}
