//! How the log reads on a terminal whose lines are edited here: `10:13 anna: hello`, `10:14 you → anna: hi`.
//!
//! Everywhere else a message has its address and no time, see `render`: a program may read it. Here a person does, and
//! an address is shown only where a name does not say enough: in the first message of a peer, if two peers have the
//! name, if the message did not come from the address that it claims, and if the name could be taken for a part of the
//! line.

use super::found::Rest;
use super::own_lines::OwnLine;
use super::phrases::{Named, begun};
use super::prompts::prompt_text;
use super::render::HELP_COLUMNS;
use super::stats::STATS_COLUMNS;
use super::style::{Colors, Look, Painted, Piece, is_own_words};
use super::wrap::{Entry, INDENT};
use crate::chat::notice::{Notice, Prompt, Recall, Recalled, SaidTo, Standing, Who};
use crate::chat::recall::{PastMessage, Way};
use crate::chat::request::{YOU, is_misleading};
use crate::chat::slash::ACTION;
use crate::limits::{LOGGED_NAMES_MAX, REMINDED_CHARS_MAX};
use crate::proto::clean::{Clean, CleanName};
use jiff::Zoned;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;

/// Turns notices into lines.
#[derive(Debug, Default)]
pub(super) struct ChatLog {
    look: Look,
    bearers: Bearers,
}

impl ChatLog {
    pub(super) fn new(look: Look) -> Self {
        Self { look, bearers: Bearers::default() }
    }

    /// The line for a notice, or the lines.
    pub(super) fn told(&mut self, notice: &Notice, at: &Zoned) -> Entry {
        let colors = self.look.colors;
        match notice {
            Notice::Message { who, text, is_to_all, mentions } => {
                let must_name = self.bearers.introduce(who) || !who.standing.is_confirmed();
                let speaker = speaker(who, must_name || self.look.has_addresses, colors);
                let (before, end, words) = parts(text);
                let mut words = marked(words, text.len() - words.len(), mentions, colors);
                words.push(Piece::plain("\n"));
                let audience = if *is_to_all { format!(" → all{end}") } else { end.to_owned() };
                let head = [time(at, colors)].into_iter().chain(mark(who.standing, colors));
                let head = head.chain([Piece::plain(before), speaker, Piece::plain(audience)]);
                Entry::of_message(head.collect(), words)
            }
            notice => {
                named(notice).into_iter().for_each(|who| self.bearers.note(who));
                Entry { head: head_of(notice), ..Entry::new(Painted { notice, colors }.pieces()) }
            }
        }
    }

    /// The line for what the user typed.
    pub(super) fn typed(&mut self, line: &OwnLine, at: &Zoned) -> Entry {
        match line {
            OwnLine::Answered(prompt, answer) => self.answered(prompt.as_ref(), answer),
            OwnLine::SaidToAll(text) => self.said(vec![Piece::plain("all")], text, at),
            OwnLine::SaidTo(all, text) => {
                let mut hearers = Vec::new();
                for who in all {
                    let must_name = self.bearers.is_ambiguous(who) || self.look.has_addresses;
                    hearers.extend([Piece::plain(", "), speaker(who, must_name, self.look.colors)]);
                }
                self.said(hearers.split_off(1), text, at)
            }
        }
    }

    /// The lines for what was said before: dim, and with the date if it was not today or in an earlier run.
    pub(super) fn recalled(&self, found: &Recalled, now: &Zoned) -> Vec<Entry> {
        let is_reminder = matches!(found.asked, Recall::Before(_));
        let mut bearers = Bearers::default();
        found.messages.iter().filter_map(party).for_each(|who| bearers.note(who));
        let lines = found.messages.iter().map(|message| {
            let at = message.at.with_time_zone(now.time_zone().clone());
            let is_dated = is_reminder || at.date() != now.date();
            let time = at.strftime(if is_dated { "%Y-%m-%d %H:%M" } else { "%H:%M" });
            self.past(message, time.to_string(), is_reminder, &mut bearers)
        });
        let rest = Entry::new(vec![Piece::plain(Rest(found).to_string())]);
        lines.chain([rest]).collect()
    }

    fn past(&self, message: &PastMessage, time: String, is_reminder: bool, bearers: &mut Bearers) -> Entry {
        let dim = |words: String| Piece::new(self.look.colors.of_time(), words);
        let text =
            if is_reminder { begun(&message.text, REMINDED_CHARS_MAX) } else { (&message.text).into() };
        let (before, end, text) = parts(&text);
        let all = || dim("all".to_owned());
        let name = |who, must_name| {
            let must_name = must_name || self.bearers.is_another(who) || self.look.has_addresses;
            speaker(who, must_name, self.look.colors)
        };
        let (from, to) = match &message.way {
            Way::Heard { from, is_to_all } => (name(from, bearers.introduce(from)), is_to_all.then(all)),
            Way::Said(SaidTo::One(to)) => (dim(YOU.to_owned()), Some(name(to, bearers.is_ambiguous(to)))),
            Way::Said(SaidTo::All(_)) => (dim(YOU.to_owned()), Some(all())),
        };
        let to = to.into_iter().flat_map(|to| [dim(" → ".to_owned()), to]);
        let head = [dim(time), dim(before.to_owned()), from].into_iter().chain(to);
        let head = head.chain([dim(end.to_owned())]).collect();
        Entry::of_message(head, vec![dim(Clean(text).to_string()), Piece::plain("\n")])
    }

    fn said(&self, hearers: Vec<Piece>, text: &str, at: &Zoned) -> Entry {
        let colors = self.look.colors;
        let own = |words: String| Piece::new(colors.of_own_words(), words);
        let (before, end, text) = parts(text);
        let head = [time(at, colors), Piece::plain(before), own(YOU.to_owned()), Piece::plain(" → ")];
        let head = head.into_iter().chain(hearers).chain([Piece::plain(end)]);
        Entry::of_message(head.collect(), vec![own(Clean(text).to_string()), Piece::plain("\n")])
    }

    fn answered(&self, prompt: Option<&Prompt>, answer: &str) -> Entry {
        let is_own = prompt.is_some_and(|prompt| is_own_words(prompt, answer));
        let style = if is_own { self.look.colors.of_own_words() } else { "" };
        let question = Piece::plain(prompt.map(prompt_text).unwrap_or_default());
        Entry::new(vec![question, Piece::new(style, Clean(answer).to_string()), Piece::plain("\n")])
    }
}

/// What stands behind a line, between its time and its speaker. Of most lines it is nothing.
fn mark(standing: Standing, colors: Colors) -> Option<Piece> {
    let (mark, style) = match standing {
        Standing::AtHome => return None,
        Standing::Claimed => ("?", colors.of_failure()),
        Standing::Conflict => ("!", colors.of_failure()),
        Standing::Pinned => ("+", colors.of_time().to_owned()),
        Standing::Verified => ("*", colors.of_own_words().to_owned()),
    };
    Some(Piece::new(style, format!(" {mark}")))
}

/// The peer that a message was heard from or said to.
fn party(message: &PastMessage) -> Option<&Who> {
    match &message.way {
        Way::Heard { from: who, .. } | Way::Said(SaidTo::One(who)) => Some(who),
        Way::Said(SaidTo::All(_)) => None,
    }
}

/// What stands before the speaker of a text, what stands behind, and the words. A text that says what its sender does
/// reads as an action: `* anna waves`.
fn parts(text: &str) -> (&'static str, &'static str, &str) {
    match text.strip_prefix(ACTION) {
        Some(action) => (" * ", " ", action),
        None => (" ", ": ", text),
    }
}

/// The words of a message, which begin at byte `start` of its text, with the user's name marked in them.
fn marked(words: &str, start: usize, mentions: &[Range<usize>], colors: Colors) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut end = 0;
    for place in mentions {
        let place = place.start.saturating_sub(start)..place.end.saturating_sub(start);
        let (Some(before), Some(name)) = (words.get(end..place.start), words.get(place.clone())) else {
            continue;
        };
        pieces.push(Piece::plain(Clean(before).to_string()));
        pieces.push(Piece::new(colors.of_mention(), Clean(name).to_string()));
        end = place.end;
    }
    pieces.push(Piece::plain(Clean(&words[end..]).to_string()));
    pieces
}

fn time(at: &Zoned, colors: Colors) -> Piece {
    Piece::new(colors.of_time(), at.strftime("%H:%M").to_string())
}

fn speaker(who: &Who, must_name: bool, colors: Colors) -> Piece {
    let is_short = !must_name && !who.name.is_empty();
    let words = if is_short { CleanName(&who.name).to_string() } else { Named(who).to_string() };
    Piece::new(colors.of_peer(who.address), words)
}

/// The columns of what stands before each line of a table or a list.
fn head_of(notice: &Notice) -> usize {
    match notice {
        Notice::Help => HELP_COLUMNS,
        Notice::Stats(_) => STATS_COLUMNS,
        Notice::ConnectList(_) | Notice::Nearby(_) | Notice::Peers { .. } => "1. ".len(),
        _ => INDENT,
    }
}

/// The peer that a notice names, by the name that it has from here on.
fn named(notice: &Notice) -> Option<&Who> {
    match notice {
        Notice::Accepted(who)
        | Notice::AlreadyConnected(who)
        | Notice::ConnectSent(who)
        | Notice::Connected(who)
        | Notice::NewPeer(who)
        | Notice::Renamed { who, .. } => Some(who),
        _ => None,
    }
}

/// Who has which name, as far as the lines of this run tell.
#[derive(Debug, Default)]
struct Bearers(BTreeMap<String, Bearer>);

#[derive(Debug, PartialEq, Eq)]
enum Bearer {
    One { address: SocketAddr, is_introduced: bool },
    Several,
}

impl Bearers {
    /// A message of that peer follows: whether its address must be shown.
    fn introduce(&mut self, who: &Who) -> bool {
        self.note(who);
        match self.0.get_mut(&key(who)) {
            Some(Bearer::One { is_introduced, .. }) => {
                let is_first = !std::mem::replace(is_introduced, true);
                is_first || is_misleading(&who.name)
            }
            Some(Bearer::Several) | None => true,
        }
    }

    /// The user wrote to that peer: whether the name alone could mean somebody else.
    fn is_ambiguous(&mut self, who: &Who) -> bool {
        self.note(who);
        is_misleading(&who.name) || self.0.get(&key(who)) == Some(&Bearer::Several)
    }

    /// Whether somebody else has this name as well, or had it.
    fn is_another(&self, who: &Who) -> bool {
        match self.0.get(&key(who)) {
            Some(Bearer::One { address, .. }) => *address != who.address,
            Some(Bearer::Several) => true,
            None => false,
        }
    }

    fn note(&mut self, who: &Who) {
        if who.name.is_empty() {
            return;
        }
        if self.0.len() >= LOGGED_NAMES_MAX {
            self.0.clear();
        }
        let new = Bearer::One { address: who.address, is_introduced: false };
        let bearer = self.0.entry(key(who)).or_insert(new);
        if matches!(bearer, Bearer::One { address, .. } if *address != who.address) {
            *bearer = Bearer::Several;
        }
    }
}

/// Names count as the same if they look the same, or differ only in the case of their letters.
fn key(who: &Who) -> String {
    CleanName(&who.name).to_string().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::recall::Party;
    use jiff::Timestamp;
    use jiff::tz::{TimeZone, offset};
    use std::rc::Rc;

    fn who(port: u16, name: &str) -> Who {
        Who::new(([127, 0, 0, 1], port).into(), name.into())
    }

    fn moment() -> Zoned {
        "2026-02-28T02:04:59Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::fixed(offset(-3)))
    }

    fn shown(log: &mut ChatLog, notice: &Notice) -> String {
        log.told(notice, &moment()).wrapped(200).to_string()
    }

    #[test]
    fn a_message_has_the_address_of_its_peer_only_where_the_name_is_not_enough() {
        let mut log = ChatLog::default();
        let table = [
            (who(1, "anna"), "anna (127.0.0.1:1)"),
            (who(1, "anna"), "anna"),
            (who(2, "bob"), "bob (127.0.0.1:2)"),
            (who(1, "anna"), "anna"),
            (who(1, "ann"), "ann (127.0.0.1:1)"),
            (who(1, "anna"), "anna"),
            (who(3, "Anna"), "Anna (127.0.0.1:3)"),
            (who(3, "Anna"), "Anna (127.0.0.1:3)"),
            (who(1, "anna"), "anna (127.0.0.1:1)"),
            (who(2, "bob"), "bob"),
            (who(4, ""), "127.0.0.1:4"),
            (who(4, ""), "127.0.0.1:4"),
        ];
        for (n, (who, speaker)) in table.into_iter().enumerate() {
            assert_eq!(
                shown(&mut log, &Notice::heard(who, "hi")),
                format!("23:04 {speaker}: hi\n"),
                "line {n}"
            );
        }
    }

    #[test]
    fn a_text_that_says_what_its_sender_does_reads_as_an_action() {
        let mut log = ChatLog::default();
        log.told(&Notice::heard(who(1, "anna"), "hi"), &moment());
        for (text, is_to_all, line) in [
            ("/me waves", false, "* anna waves"),
            ("/me waves", true, "* anna → all waves"),
            ("/mean", false, "anna: /mean"),
            ("see /me waves", false, "anna: see /me waves"),
        ] {
            let who = who(1, "anna");
            let text = text.to_owned();
            let message = Notice::Message { who, text, is_to_all, mentions: Vec::new() };
            assert_eq!(shown(&mut log, &message), format!("23:04 {line}\n"));
        }
        let own = OwnLine::SaidTo(vec![who(1, "anna")], "/me waves".to_owned());
        assert_eq!(log.typed(&own, &moment()).wrapped(200).to_string(), "23:04 * you → anna waves\n");
    }

    #[test]
    fn what_was_said_before_has_its_date_unless_it_was_today_and_reads_as_the_log_does() {
        let mut log = ChatLog::default();
        log.told(&Notice::heard(who(9, "Bob"), "I am another Bob"), &moment());
        let heard = |port, name, is_to_all| Way::Heard { from: who(port, name), is_to_all };
        let past = |days: i64, way, text: &str| {
            let at = moment().checked_sub(jiff::Span::new().days(days)).unwrap();
            PastMessage { at: at.with_time_zone(TimeZone::UTC), way, text: text.to_owned() }
        };
        let messages = vec![
            past(1, heard(1, "anna", false), "hi\x1b[2J"),
            past(0, heard(1, "anna", true), "/me waves"),
            past(0, heard(2, "bob", false), "hi"),
            past(0, heard(2, "bob", false), "hi"),
            past(0, heard(3, "you", false), "hi"),
            past(0, Way::Said(SaidTo::One(who(1, "anna"))), "hi"),
            past(0, Way::Said(SaidTo::One(who(2, "bob"))), "hi"),
            past(0, Way::Said(SaidTo::All(3)), "hi"),
        ];
        let asked = Recall::Containing("i".to_owned());
        let found = Recalled { asked, messages, older: 1, is_partial: false, is_this_run: false };
        let lines = |found: &Recalled| -> Vec<String> {
            log.recalled(found, &moment()).iter().map(|entry| entry.wrapped(200).to_string()).collect()
        };
        let expected = [
            "2026-02-26 23:04 anna (127.0.0.1:1): hi␛[2J\n",
            "23:04 * anna → all waves\n",
            "23:04 bob (127.0.0.1:2): hi\n",
            "23:04 bob (127.0.0.1:2): hi\n",
            "23:04 you (127.0.0.1:3): hi\n",
            "23:04 you → anna: hi\n",
            "23:04 you → bob (127.0.0.1:2): hi\n",
            "23:04 you → all: hi\n",
            "… and 1 older message\n",
        ];
        assert_eq!(lines(&found), expected);
        let before = lines(&Recalled { asked: Recall::Before(Party::All), ..found });
        assert_eq!((&*before[1], &*before[8]), ("2026-02-27 23:04 * anna → all waves\n", ""));
    }

    #[test]
    fn of_a_long_text_the_reminder_has_only_the_beginning_and_an_answer_has_all() {
        let way = Way::Said(SaidTo::All(3));
        let past = PastMessage { at: moment(), way, text: "é".repeat(REMINDED_CHARS_MAX + 1) };
        for (asked, text) in [
            (Recall::Before(Party::All), format!("{}…", "é".repeat(REMINDED_CHARS_MAX))),
            (Recall::Containing("é".to_owned()), past.text.clone()),
        ] {
            let messages = vec![past.clone()];
            let found = Recalled { asked, messages, older: 0, is_partial: false, is_this_run: false };
            let entries = ChatLog::default().recalled(&found, &moment());
            let line = entries[0].wrapped(u16::MAX).to_string();
            assert_eq!(line.split_once("all: ").unwrap().1, format!("{text}\n"));
        }
    }

    #[test]
    fn a_name_that_could_be_a_part_of_the_line_always_has_its_address() {
        for name in ["you", "YOU", "you→anna", "bob:", "anna(127.0.0.1:1)", "…", "anna,", "·"] {
            let mut log = ChatLog::default();
            let notice = Notice::heard(who(2, name), "hi");
            let lines = [shown(&mut log, &notice), shown(&mut log, &notice)];
            assert_eq!(lines, [0, 1].map(|_| format!("23:04 {name} (127.0.0.1:2): hi\n")));
        }
    }

    #[test]
    fn names_that_only_look_the_same_are_the_same() {
        let mut log = ChatLog::default();
        shown(&mut log, &Notice::heard(who(1, "an\u{200B}na"), "hi"));
        shown(&mut log, &Notice::heard(who(2, "an\u{2060}na"), "hi"));
        let line = shown(&mut log, &Notice::heard(who(1, "an\u{200B}na"), "hi"));
        assert_eq!(line, "23:04 an\u{FFFD}na (127.0.0.1:1): hi\n");
    }

    #[test]
    fn a_namesake_in_the_news_counts_before_it_says_anything() {
        for news in [
            Notice::NewPeer(who(2, "anna")),
            Notice::Connected(who(2, "anna")),
            Notice::Accepted(who(2, "anna")),
            Notice::Renamed { who: who(2, "anna"), was: "bob".into() },
        ] {
            let mut log = ChatLog::default();
            let notice = Notice::heard(who(1, "anna"), "hi");
            shown(&mut log, &Notice::NewPeer(who(1, "anna")));
            assert_eq!(shown(&mut log, &notice), "23:04 anna (127.0.0.1:1): hi\n");
            assert_eq!(shown(&mut log, &notice), "23:04 anna: hi\n");
            shown(&mut log, &news);
            assert_eq!(shown(&mut log, &notice), "23:04 anna (127.0.0.1:1): hi\n", "{news:?}");
        }
    }

    #[test]
    fn a_message_from_elsewhere_than_it_claims_has_the_claimed_address() {
        let mut log = ChatLog::default();
        shown(&mut log, &Notice::heard(who(1, "anna"), "hi"));
        let text = "pay me".to_owned();
        let claimed = Notice::Message {
            who: Who { standing: Standing::Claimed, ..who(1, "anna") },
            text,
            is_to_all: false,
            mentions: Vec::new(),
        };
        assert_eq!(shown(&mut log, &claimed), "23:04 ? anna (127.0.0.1:1): pay me\n");
        assert_eq!(shown(&mut log, &Notice::heard(who(1, "anna"), "no")), "23:04 anna: no\n");
    }

    fn said(log: &mut ChatLog, to: &[Who], text: &str) -> String {
        let line = OwnLine::SaidTo(to.to_vec(), text.to_owned());
        log.typed(&line, &moment()).wrapped(200).to_string()
    }

    #[test]
    fn what_the_user_says_names_whom_it_goes_to() {
        let mut log = ChatLog::default();
        assert_eq!(said(&mut log, &[who(1, "anna")], "hi\nyou"), "23:04 you → anna: hi␊you\n");
        assert_eq!(said(&mut log, &[who(1, "")], "hi"), "23:04 you → 127.0.0.1:1: hi\n");
        let both = [who(1, "anna"), who(2, "bob")];
        assert_eq!(said(&mut log, &both, "hi"), "23:04 you → anna, bob: hi\n");
        let all = log.typed(&OwnLine::SaidToAll("hi".to_owned()), &moment());
        assert_eq!(all.wrapped(80).to_string(), "23:04 you → all: hi\n");
        shown(&mut log, &Notice::NewPeer(who(3, "anna")));
        assert_eq!(said(&mut log, &[who(1, "anna")], "hi"), "23:04 you → anna (127.0.0.1:1): hi\n");
        let mut log = ChatLog::new(Look { colors: Colors::Table, ..Look::default() });
        let line = "\x1b[2m23:04\x1b[m \x1b[1myou\x1b[m → \x1b[38;5;163mP1\x1b[m: \x1b[1mhi\x1b[m\n";
        assert_eq!(said(&mut log, &[who(8080, "P1")], "hi"), line);
    }

    #[test]
    fn what_goes_to_all_says_so() {
        let text = "hi".to_owned();
        let to_all = Notice::Message { who: who(1, "anna"), text, is_to_all: true, mentions: Vec::new() };
        let mut log = ChatLog::default();
        assert_eq!(shown(&mut log, &to_all), "23:04 anna (127.0.0.1:1) → all: hi\n");
        assert_eq!(shown(&mut log, &to_all), "23:04 anna → all: hi\n");
    }

    #[test]
    fn more_names_than_are_remembered_are_introduced_again() {
        let mut log = ChatLog::default();
        let anna = Notice::heard(who(1, "anna"), "hi");
        shown(&mut log, &anna);
        for n in 0..LOGGED_NAMES_MAX {
            let name: Rc<str> = format!("P{n}").into();
            shown(&mut log, &Notice::heard(Who { name, ..who(2, "") }, "hi"));
            assert!(log.bearers.0.len() <= LOGGED_NAMES_MAX);
        }
        assert_eq!(shown(&mut log, &anna), "23:04 anna (127.0.0.1:1): hi\n");
    }

    #[test]
    fn addresses_are_always_shown_on_request() {
        let mut log = ChatLog::new(Look { has_addresses: true, ..Look::default() });
        for _ in 0..2 {
            let line = shown(&mut log, &Notice::heard(who(1, "anna"), "hi"));
            assert_eq!(line, "23:04 anna (127.0.0.1:1): hi\n");
        }
    }

    #[test]
    fn time_and_speaker_have_colours_and_the_text_has_none() {
        let mut log = ChatLog::new(Look { colors: Colors::Table, ..Look::default() });
        let notice = Notice::heard(who(8080, "P1"), "hi P1");
        let head = "\x1b[2m23:04\x1b[m \x1b[38;5;163m";
        assert_eq!(shown(&mut log, &notice), format!("{head}P1 (127.0.0.1:8080)\x1b[m: hi P1\n"));
        assert_eq!(shown(&mut log, &notice), format!("{head}P1\x1b[m: hi P1\n"));
        let news = Notice::NewPeer(who(8080, "P1"));
        let painted = Painted { notice: &news, colors: Colors::Table }.to_string();
        assert_eq!(shown(&mut log, &news), painted);
    }

    #[test]
    fn the_users_name_is_marked_in_the_text_alone() {
        let mention = |text: &str, mentions: &[(usize, usize)]| Notice::Message {
            who: who(8080, "P1"),
            text: text.to_owned(),
            is_to_all: false,

            mentions: mentions.iter().map(|&(start, end)| start..end).collect(),
        };
        let mut log = ChatLog::new(Look { colors: Colors::Table, ..Look::default() });
        shown(&mut log, &mention("hi", &[]));
        let head = "\x1b[2m23:04\x1b[m \x1b[38;5;163mP1\x1b[m: ";
        for (text, mentions, expected) in [
            ("P1, hi", &[(0, 2)][..], "\x1b[1;7mP1\x1b[m, hi"),
            ("hi P1", &[(3, 5)], "hi \x1b[1;7mP1\x1b[m"),
            ("é P1 \x1b[m P1", &[(3, 5), (10, 12)], "é \x1b[1;7mP1\x1b[m ␛[m \x1b[1;7mP1\x1b[m"),
            ("short", &[(3, 50)], "short"),
        ] {
            assert_eq!(shown(&mut log, &mention(text, mentions)), format!("{head}{expected}\n"));
            let mut plain = ChatLog::default();
            shown(&mut plain, &mention("hi", &[]));
            let words = Clean(text);
            assert_eq!(shown(&mut plain, &mention(text, mentions)), format!("23:04 P1: {words}\n"));
        }
        let action = shown(&mut log, &mention("/me greets P1", &[(11, 13)]));
        assert!(action.ends_with(" greets \x1b[1;7mP1\x1b[m\n"), "{action}");
    }
}
