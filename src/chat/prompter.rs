//! The dialogue with whoever types: where they stand in the menu, what they are asked next, and whether their next line can
//! be taken. It knows no peers and nothing of the network.
//!
//! A person at the menu waits for the outcome before the next question. A conversation does not wait: a failure is told
//! with its text when it is known. A program does not wait either; the end of its input does.

use super::command;
use super::config::{Config, Dialogue};
use super::id::CommandId;
use super::menu::Menu;
use super::notice::{Mistake, Notice, Partner, Prompt};
use super::request::{Audience, Doubt, Request};
use crate::limits::MESSAGES_UNDER_WAY_MAX;
use crate::proto::message::Dialect;
use std::net::SocketAddr;
use std::time::Instant;

/// One dialogue.
#[derive(Debug)]
pub(super) struct Prompter {
    dialogue: Dialogue,
    /// A person reads it. The menu is not shown again after a choice that there is not, because it is still on the
    /// screen.
    is_terminal: bool,
    menu: Menu,
    /// With whom the last private text was exchanged, whoever wrote it.
    last_partner: Option<SocketAddr>,
    /// Who is proposed as a recipient. It does not change while the question is open.
    proposed: Option<SocketAddr>,
    /// How many peers a text to all goes to, as it was shown last.
    peers_shown: usize,
    /// The partner of the conversation is away, as it was shown last.
    is_shown_away: bool,
    /// The request whose outcomes the menu waits for, and until when.
    awaited: Option<(u32, Instant)>,
    /// No more lines come: the program ends when the last outcome is known.
    is_over: bool,
}

impl Prompter {
    pub(super) fn new(config: &Config) -> Self {
        let menu = match (&config.name, config.port) {
            (None, _) => Menu::Name,
            (Some(_), None) => Menu::Port,
            (Some(_), Some(_)) => Menu::Choice,
        };
        Self {
            dialogue: config.dialogue,
            is_terminal: config.is_terminal,
            menu,
            last_partner: None,
            proposed: None,
            peers_shown: 0,
            is_shown_away: false,
            awaited: None,
            is_over: false,
        }
    }

    #[cfg(test)]
    pub(super) fn menu(&self) -> Menu {
        self.menu
    }

    #[cfg(test)]
    pub(super) fn last_partner(&self) -> Option<SocketAddr> {
        self.last_partner
    }

    /// Whether a program types the lines.
    pub(super) fn is_program(&self) -> bool {
        self.dialogue == Dialogue::Commands
    }

    /// Whether a person types them.
    pub(super) fn is_person(&self) -> bool {
        self.dialogue == Dialogue::Menu
    }

    /// What a typed line asks for, and its id, if a program gave it one.
    pub(super) fn take(&mut self, line: &str) -> (Option<CommandId>, Result<Option<Request>, Mistake>) {
        if self.is_program() {
            return command::parse(line);
        }
        let result;
        let was_open = matches!(self.menu, Menu::Recipient | Menu::RecipientPort(..));
        (self.menu, result) = self.menu.on_line(line);
        if !was_open {
            self.proposed = self.last_partner;
        }
        if matches!(result, Err(Mistake::UnknownChoice(_))) && self.is_terminal {
            self.menu = Menu::Command;
        }
        (None, result)
    }

    /// Whether the next line can be taken.
    ///
    /// - `is_starting`: the user still has to give a name or a port.
    /// - `is_running`: we listen, or another program listens for us.
    /// - `owed`: requests of which not every outcome is known.
    pub(super) fn takes_line(&self, is_starting: bool, is_running: bool, owed: usize) -> bool {
        match self.dialogue {
            _ if self.is_over => false,
            // Waiting for the outcome would deadlock with a bot that replies before it reads on.
            Dialogue::Commands => is_running,
            // A file must not run ahead of what can be sent.
            Dialogue::Menu if self.is_conversing() => is_running && owed < MESSAGES_UNDER_WAY_MAX,
            Dialogue::Menu => self.awaited.is_none() && (is_starting || is_running),
            Dialogue::Silent => false,
        }
    }

    /// Whether the next text goes to all.
    pub(super) fn is_to_all(&self) -> bool {
        matches!(self.menu, Menu::Text(Audience::All) | Menu::Conversation(Audience::All))
    }

    /// How many peers the question says that a text to all goes to.
    pub(super) fn peers_shown(&self) -> usize {
        self.peers_shown
    }

    /// Whether the question of a conversation says that the partner is away.
    pub(super) fn is_shown_away(&self) -> bool {
        self.is_shown_away
    }

    /// What is shown to ask for the next line; `partner` names the one whom a conversation is with, and `peers` are all. A
    /// script is asked in the words of the assignment.
    pub(super) fn question(
        &mut self,
        peers: usize,
        partner: impl Fn(Audience) -> Partner,
    ) -> impl Iterator<Item = Notice> {
        self.peers_shown = peers;
        let of_one = |address| partner(Audience::One(address, None)).name.into();
        let prompt = match self.menu {
            Menu::Name => Prompt::Name,
            Menu::Port => Prompt::Port,
            Menu::Choice | Menu::Command => Prompt::Choice,
            Menu::Recipient => Prompt::Recipient(self.proposed),
            Menu::RecipientPort(..) => Prompt::RecipientPort,
            Menu::Text(Audience::All) if self.is_terminal => Prompt::TextToAll(peers),
            Menu::Text(_) => Prompt::Text,
            Menu::ConnectTo => Prompt::ConnectTo,
            Menu::Confirm(Doubt::IsSame(address, _), _) => Prompt::IsSame(of_one(address)),
            Menu::Confirm(Doubt::Forget(address), _) => Prompt::ForgetKey(of_one(address)),
            Menu::Conversation(audience) => {
                let peers = (audience == Audience::All && self.is_terminal).then_some(peers);
                let partner = partner(audience);
                self.is_shown_away = partner.is_away;
                Prompt::Conversation(Partner { peers, ..partner })
            }
        };
        let menu = (self.menu == Menu::Choice).then_some(Notice::Menu);
        let notices = menu.into_iter().chain([Notice::Prompt(prompt)]);
        let is_menu = self.dialogue == Dialogue::Menu;
        notices.filter(move |_| is_menu)
    }

    /// The next question is this one. A program is not asked.
    pub(super) fn ask_whether(&mut self, doubt: Doubt) {
        if self.is_person() {
            self.menu = Menu::Confirm(doubt, self.conversation());
        }
    }

    /// Whether another question may be put now: the next line is a choice, or a line of a conversation.
    pub(super) fn may_be_asked(&self) -> bool {
        let is_free = matches!(self.menu, Menu::Choice | Menu::Command | Menu::Conversation(_));
        self.is_person() && is_free && !self.is_waiting()
    }

    /// The next question is which port to listen on.
    pub(super) fn ask_port(&mut self) {
        self.menu = Menu::Port;
    }

    /// The next question is the port of this recipient.
    pub(super) fn ask_port_of(&mut self, host: SocketAddr, dialect: Option<Dialect>) {
        self.menu = Menu::RecipientPort(host, dialect);
    }

    /// The next question is the text for these.
    pub(super) fn ask_text(&mut self, audience: Audience) {
        self.menu = Menu::Text(audience);
    }

    /// The answer to the question whom to connect to was wrong: it is asked again.
    pub(super) fn ask_connect_to_again(&mut self) {
        if self.menu == Menu::Choice {
            self.menu = Menu::ConnectTo;
        }
    }

    /// The menu is shown next.
    pub(super) fn go_to_menu(&mut self) {
        self.menu = Menu::Choice;
    }

    /// From here on, each line is a text for these.
    pub(super) fn converse(&mut self, audience: Audience) {
        self.menu = Menu::Conversation(audience);
    }

    pub(super) fn is_conversing(&self) -> bool {
        self.conversation().is_some()
    }

    /// Whom the user is in a conversation with.
    pub(super) fn conversation(&self) -> Option<Audience> {
        match self.menu {
            Menu::Conversation(audience) => Some(audience),
            _ => None,
        }
    }

    pub(super) fn is_conversing_with(&self, address: SocketAddr) -> bool {
        matches!(self.menu, Menu::Conversation(Audience::One(to, _)) if to == address)
    }

    /// The user wrote to this peer, or heard from it: it is proposed when a recipient is asked for next.
    pub(super) fn note_partner(&mut self, with: SocketAddr) {
        self.last_partner = Some(with);
    }

    /// A peer is not in the table any more: it is not proposed.
    pub(super) fn see_off(&mut self, address: SocketAddr) {
        for proposed in [&mut self.last_partner, &mut self.proposed] {
            proposed.take_if(|proposed| *proposed == address);
        }
    }

    /// A peer is at another address from here on.
    pub(super) fn follow(&mut self, from: SocketAddr, to: SocketAddr) {
        for proposed in [&mut self.last_partner, &mut self.proposed] {
            proposed.iter_mut().filter(|proposed| **proposed == from).for_each(|proposed| *proposed = to);
        }
        self.menu.follow(from, to);
    }

    /// The user wants nothing more to do with an address.
    pub(super) fn forget(&mut self, address: SocketAddr) {
        self.see_off(address);
        if self.is_conversing_with(address) {
            self.go_to_menu();
        }
    }

    /// Whether the menu waits for outcomes before it comes back.
    pub(super) fn is_waiting(&self) -> bool {
        self.awaited.is_some()
    }

    /// A person at the menu waits for the outcomes of request `number`. In a conversation nobody waits.
    pub(super) fn wait_for(&mut self, number: u32, until: Instant) {
        if self.dialogue == Dialogue::Menu && !self.is_conversing() {
            self.awaited = Some((number, until));
        }
    }

    /// The menu waits for nothing.
    pub(super) fn stop_waiting(&mut self) {
        self.awaited = None;
    }

    /// All outcomes of a request are known; whether the menu waited for it, and can come back.
    pub(super) fn stop_waiting_for(&mut self, number: u32) -> bool {
        self.awaited.take_if(|(awaited, _)| *awaited == number).is_some()
    }

    /// When the menu has waited for long enough.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.awaited.map(|(_, until)| until)
    }

    /// The request that the menu has waited for too long, and does not wait for any more.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<u32> {
        self.awaited.take_if(|(_, until)| *until <= now).map(|(number, _)| number)
    }

    /// No more lines come.
    pub(super) fn end(&mut self) {
        self.is_over = true;
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn address() -> SocketAddr {
        ([127, 0, 0, 1], 9).into()
    }

    fn at_menu(dialogue: Dialogue) -> Prompter {
        Prompter::new(&Config { name: Some("N".into()), port: Some(1), dialogue, ..Config::default() })
    }

    fn asked(prompter: &mut Prompter) -> Vec<Notice> {
        prompter.question(3, |_| Partner::from("P")).collect()
    }

    #[test]
    fn what_is_not_given_is_asked_for_first() {
        let config = Config::default();
        assert_eq!(asked(&mut Prompter::new(&config)), [Notice::Prompt(Prompt::Name)]);
        let named = Config { name: Some("N".into()), ..config };
        assert_eq!(asked(&mut Prompter::new(&named)), [Notice::Prompt(Prompt::Port)]);
        assert_eq!(asked(&mut at_menu(Dialogue::Menu)), [Notice::Menu, Notice::Prompt(Prompt::Choice)]);
        assert_eq!(asked(&mut at_menu(Dialogue::Commands)), []);
    }

    #[test]
    fn an_unknown_choice_shows_the_menu_again_to_a_script_and_not_on_a_terminal() {
        for is_terminal in [false, true] {
            let config = Config { name: Some("N".into()), port: Some(1), is_terminal, ..Config::default() };
            let mut prompter = Prompter::new(&config);
            assert!(prompter.take("hello").1.is_err());
            assert_eq!(asked(&mut prompter).len(), if is_terminal { 1 } else { 2 });
            assert!(prompter.take("2").1.is_ok(), "it is still a choice that is asked for");
        }
    }

    #[test]
    fn the_menu_waits_for_an_outcome_and_a_conversation_or_a_program_does_not() {
        let until = crate::testing::start() + Duration::from_secs(1);
        let mut person = at_menu(Dialogue::Menu);
        person.wait_for(1, until);
        assert!(!person.takes_line(false, true, 1));
        assert!(!person.stop_waiting_for(2) && person.stop_waiting_for(1));
        person.wait_for(2, until);
        assert_eq!((person.next_due(until), person.next_due(until)), (Some(2), None));

        person.converse(Audience::One(address(), None));
        let mut program = at_menu(Dialogue::Commands);
        for prompter in [&mut person, &mut program] {
            prompter.wait_for(3, until);
            assert!(!prompter.is_waiting() && prompter.takes_line(false, true, 1));
            assert!(!prompter.takes_line(false, false, 0), "before we listen");
            prompter.end();
            assert!(!prompter.takes_line(false, true, 0));
        }
        assert!(!at_menu(Dialogue::Silent).takes_line(true, true, 0));
    }

    #[test]
    fn a_conversation_does_not_run_ahead_of_what_can_be_sent() {
        let mut prompter = at_menu(Dialogue::Menu);
        prompter.converse(Audience::All);
        assert!(prompter.takes_line(false, true, MESSAGES_UNDER_WAY_MAX - 1));
        assert!(!prompter.takes_line(false, true, MESSAGES_UNDER_WAY_MAX));
    }

    #[test]
    fn who_is_forgotten_is_neither_proposed_nor_conversed_with() {
        let mut prompter = at_menu(Dialogue::Menu);
        prompter.note_partner(address());
        prompter.take("1").1.unwrap();
        assert_eq!(asked(&mut prompter), [Notice::Prompt(Prompt::Recipient(Some(address())))]);
        prompter.converse(Audience::One(address(), None));
        prompter.forget(address());
        assert!(!prompter.is_conversing());
        prompter.take("1").1.unwrap();
        assert_eq!(asked(&mut prompter), [Notice::Prompt(Prompt::Recipient(None))]);
    }

    #[test]
    fn who_is_proposed_stays_while_the_question_is_open_unless_it_leaves() {
        let other: SocketAddr = ([127, 0, 0, 1], 10).into();
        let proposed = |prompter: &mut Prompter| match &asked(prompter)[..] {
            [Notice::Prompt(Prompt::Recipient(proposed))] => *proposed,
            other => panic!("{other:?}"),
        };
        let mut prompter = at_menu(Dialogue::Menu);
        prompter.note_partner(address());
        prompter.take("1").1.unwrap();
        prompter.note_partner(other);
        assert_eq!(proposed(&mut prompter), Some(address()));
        assert!(prompter.take("1.2.3").1.is_err());
        assert_eq!(proposed(&mut prompter), Some(address()), "after a mistake too");
        for line in ["", "1"] {
            prompter.take(line).1.unwrap();
        }
        assert_eq!(proposed(&mut prompter), Some(other));
        prompter.see_off(other);
        assert_eq!(proposed(&mut prompter), None);
    }

    #[test]
    fn a_terminal_says_to_how_many_a_text_to_all_goes_and_a_script_reads_what_it_always_read() {
        for is_terminal in [false, true] {
            let mut prompter = Prompter { is_terminal, ..at_menu(Dialogue::Menu) };
            prompter.take("5").1.unwrap();
            let text = if is_terminal { Prompt::TextToAll(3) } else { Prompt::Text };
            assert!(asked(&mut prompter) == [Notice::Prompt(text)] && prompter.is_to_all());
            prompter.converse(Audience::All);
            let peers = is_terminal.then_some(3);
            let partner = Partner { peers, ..Partner::from("P") };
            assert!(asked(&mut prompter) == [Notice::Prompt(Prompt::Conversation(partner))]);
            for audience in [Audience::Static, Audience::One(address(), None)] {
                prompter.ask_text(audience);
                assert!(asked(&mut prompter) == [Notice::Prompt(Prompt::Text)] && !prompter.is_to_all());
            }
        }
    }
}
