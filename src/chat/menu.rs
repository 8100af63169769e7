//! The dialogue: where the user stands in it, and what one typed line leads to.
//!
//! A pure function from a state and a line to the next state and a request. It knows no peers: which
//! one a number or a name means, the node finds out.

use super::notice::Mistake;
use super::request::{
    Audience, Compared, Designation, Doubt, Request, parse_designation, parse_host, parse_port,
};
use super::slash;
use crate::limits::{NAME_BYTES_MAX, TYPED_BYTES_MAX};
use crate::proto::message::{Dialect, one_word, stripped};
use crate::proto::scope::Scoped;
use std::net::SocketAddr;

/// Where the user stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    /// Asked for a name.
    Name,
    /// Asked for a port.
    Port,
    /// Before the menu.
    Choice,
    /// Before the menu, but after a slash command: the menu is not shown again.
    Command,
    /// Asked for a recipient.
    Recipient,
    /// Asked for the port of this recipient, whose address has none yet.
    RecipientPort(SocketAddr, Option<Dialect>),
    /// Asked for a text.
    Text(Audience),
    /// Asked whom to connect to.
    ConnectTo,
    /// Every line is a text to these.
    Conversation(Audience),
    /// Asked for a yes or a no, and then back to this conversation, if there is one.
    Confirm(Doubt, Option<Audience>),
}

impl Menu {
    /// One typed line: the next state, and what is to be done, which may be nothing. A wrong answer says
    /// why, and the state returned with it is the one to go on from.
    pub fn on_line(self, line: &str) -> (Self, Result<Option<Request>, Mistake>) {
        if line.len() > TYPED_BYTES_MAX {
            return (self, Err(Mistake::LineTooLong));
        }
        let answer = line.trim();
        match self {
            Self::Confirm(doubt, conversation) => on_confirm(self, answer, doubt, conversation),
            Self::Name => on_name(answer),
            Self::Port => match parse_port(answer) {
                Ok(port) => (Self::Choice, Ok(Some(Request::Listen(port)))),
                Err(mistake) => (self, Err(mistake)),
            },
            Self::Choice
            | Self::Command
            | Self::Recipient
            | Self::RecipientPort(..)
            | Self::ConnectTo
            | Self::Conversation(_)
                if answer.is_empty() =>
            {
                (Self::Choice, Ok(None))
            }
            Self::Choice | Self::Command if answer.starts_with('/') => {
                (Self::Command, slash::parse(answer).map(Some))
            }
            Self::Choice | Self::Command => on_choice(answer),
            Self::Conversation(audience) => (self, on_said(audience, line.trim_end()).map(Some)),
            Self::Recipient => on_recipient(answer),
            Self::RecipientPort(mut address, dialect) => match parse_port(answer) {
                Ok(port) => {
                    address.set_port(port);
                    (Self::Recipient, Ok(Some(Request::AskText(Designation::Address(address), dialect))))
                }
                Err(mistake) => (self, Err(mistake)),
            },
            Self::Text(_) if stripped(answer).is_empty() => (Self::Choice, Err(Mistake::EmptyMessage)),
            Self::Text(audience) => {
                (Self::Choice, Ok(Some(Request::Send(audience, line.trim_end().to_owned()))))
            }
            Self::ConnectTo => on_connect_to(answer),
        }
    }
}

impl Menu {
    /// A peer is at another address from here on: whatever is under way is for it there.
    pub(super) fn follow(&mut self, from: SocketAddr, to: SocketAddr) {
        match self {
            Self::Text(Audience::One(with, _))
            | Self::Conversation(Audience::One(with, _))
            | Self::Confirm(Doubt::IsSame(with, _) | Doubt::Forget(with), _)
                if *with == from =>
            {
                *with = to;
            }
            _ => {}
        }
        if let Self::Confirm(_, Some(Audience::One(with, _))) = self
            && *with == from
        {
            *with = to;
        }
    }
}

type Step = (Menu, Result<Option<Request>, Mistake>);

fn on_name(answer: &str) -> Step {
    let name = one_word(answer).into_owned();
    if name.is_empty() {
        (Menu::Name, Err(Mistake::EmptyName))
    } else if name.len() > NAME_BYTES_MAX {
        (Menu::Name, Err(Mistake::NameTooLong))
    } else {
        let is_changed = name != answer;
        (Menu::Port, Ok(Some(Request::BeCalled(name, is_changed))))
    }
}

fn on_choice(answer: &str) -> Step {
    match answer {
        "1" => (Menu::Recipient, Ok(None)),
        "2" => (Menu::Choice, Ok(Some(Request::Query))),
        "3" => (Menu::ConnectTo, Ok(Some(Request::ShowConnectable))),
        "4" => (Menu::Text(Audience::Static), Ok(None)),
        "5" => (Menu::Text(Audience::All), Ok(None)),
        "0" => (Menu::Choice, Ok(Some(Request::Quit(None)))),
        _ => (Menu::Choice, Err(Mistake::UnknownChoice(answer.to_owned()))),
    }
}

fn on_recipient(answer: &str) -> Step {
    let (whom, dialect) = match answer.split_once(char::is_whitespace) {
        None => (answer, None),
        Some((whom, word)) => match word.trim().parse() {
            Ok(dialect) => (whom, Some(dialect)),
            Err(_) => return (Menu::Recipient, Err(Mistake::BadDialect(word.trim().to_owned()))),
        },
    };
    match Scoped::parse_host(whom) {
        Some(Ok(host)) => return (Menu::Recipient, Ok(Some(Request::AskPort(host, dialect)))),
        Some(Err(fault)) => return (Menu::Recipient, Err(fault.into())),
        None => {}
    }
    if let Some(host) = parse_host(whom) {
        return (Menu::RecipientPort(host, dialect), Ok(None));
    }
    match parse_designation(whom) {
        Ok(designation) => (Menu::Recipient, Ok(Some(Request::AskText(designation, dialect)))),
        Err(mistake) => (Menu::Recipient, Err(mistake)),
    }
}

fn on_said(audience: Audience, line: &str) -> Result<Request, Mistake> {
    match slash::text_of(line) {
        Some(text) => Ok(Request::Say(audience, text.to_owned())),
        None => slash::parse(line),
    }
}

/// No answer is a no: nothing is done that was not wanted.
fn on_confirm(state: Menu, answer: &str, doubt: Doubt, conversation: Option<Audience>) -> Step {
    let next = conversation.map_or(Menu::Command, Menu::Conversation);
    let is = |words: [&str; 2]| words.iter().any(|word| answer.eq_ignore_ascii_case(word));
    let request = match doubt {
        _ if answer.is_empty() || is(["n", "no"]) => None,
        Doubt::IsSame(address, key) if is(["y", "yes"]) => {
            Some(Request::Verified(Designation::Address(address), Compared::Key(key)))
        }
        Doubt::Forget(address) if is(["y", "yes"]) => Some(Request::ForgetKey(Designation::Address(address))),
        _ => return (state, Err(Mistake::NotYesOrNo)),
    };
    (next, Ok(request))
}

fn on_connect_to(answer: &str) -> Step {
    if answer.eq_ignore_ascii_case("a") {
        return (Menu::Choice, Ok(Some(Request::ConnectAll)));
    }
    match parse_designation(answer) {
        Ok(designation) => (Menu::Choice, Ok(Some(Request::Connect(designation)))),
        Err(mistake) => (Menu::ConnectTo, Err(mistake)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    const HOST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5)), 0);

    fn address() -> SocketAddr {
        SocketAddr::new(HOST.ip(), 8080)
    }

    fn all_states() -> [Menu; 10] {
        let one = Audience::One(address(), None);
        [
            Menu::Name,
            Menu::Port,
            Menu::Choice,
            Menu::Recipient,
            Menu::RecipientPort(HOST, None),
            Menu::Text(one),
            Menu::Text(Audience::All),
            Menu::ConnectTo,
            Menu::Command,
            Menu::Conversation(one),
        ]
    }

    #[test]
    fn valid_answers_lead_on() {
        let named = |name: &str, changed| Request::BeCalled(name.to_owned(), changed);
        let find = |designation, dialect| Some(Request::AskText(designation, dialect));
        let name = |name: &str| Designation::Name(name.to_owned());
        let one = Audience::One(address(), None);
        let scoped = Scoped::parse_host("fe80::1%eth0").unwrap().unwrap();
        let table = [
            (Menu::Name, "P1", Menu::Port, Some(named("P1", false))),
            (Menu::Name, " Team  BTC ", Menu::Port, Some(named("Team_BTC", true))),
            (Menu::Port, "8080", Menu::Choice, Some(Request::Listen(8080))),
            (Menu::Choice, " 1 ", Menu::Recipient, None),
            (Menu::Choice, "2", Menu::Choice, Some(Request::Query)),
            (Menu::Choice, "3", Menu::ConnectTo, Some(Request::ShowConnectable)),
            (Menu::Choice, "4", Menu::Text(Audience::Static), None),
            (Menu::Choice, "5", Menu::Text(Audience::All), None),
            (Menu::Choice, "0", Menu::Choice, Some(Request::Quit(None))),
            (Menu::Recipient, "10.0.0.5", Menu::RecipientPort(HOST, None), None),
            (Menu::Recipient, "fe80::1%eth0", Menu::Recipient, Some(Request::AskPort(scoped, None))),
            (Menu::Recipient, "10.0.0.5 Netech", Menu::RecipientPort(HOST, Some(Dialect::Netech)), None),
            (Menu::Recipient, "::1", Menu::RecipientPort("[::1]:0".parse().unwrap(), None), None),
            (Menu::Recipient, "localhost", Menu::RecipientPort((Ipv4Addr::LOCALHOST, 0).into(), None), None),
            (Menu::Recipient, "10.0.0.5:8080", Menu::Recipient, find(Designation::Address(address()), None)),
            (Menu::Recipient, "2", Menu::Recipient, find(Designation::Number(2), None)),
            (Menu::Recipient, "P1 block", Menu::Recipient, find(name("P1"), Some(Dialect::Block))),
            (
                Menu::RecipientPort(HOST, None),
                "8080",
                Menu::Recipient,
                find(Designation::Address(address()), None),
            ),
            (Menu::Text(one), "  hi there ", Menu::Choice, Some(Request::Send(one, "  hi there".to_owned()))),
            (Menu::ConnectTo, "A", Menu::Choice, Some(Request::ConnectAll)),
            (Menu::ConnectTo, "1", Menu::Choice, Some(Request::Connect(Designation::Number(1)))),
            (
                Menu::ConnectTo,
                "10.0.0.5:8080",
                Menu::Choice,
                Some(Request::Connect(Designation::Address(address()))),
            ),
        ];
        for (state, line, next, request) in table {
            assert_eq!(state.on_line(line), (next, Ok(request)), "{state:?} {line:?}");
        }
    }

    #[test]
    fn a_wrong_answer_is_explained_and_the_question_stays() {
        let bad_port = |port: &str| Mistake::BadPort(port.to_owned());
        let bad_address = |address: &str| Mistake::BadAddress(address.to_owned());
        let port = Menu::RecipientPort(HOST, None);
        let table = [
            (Menu::Name, "", Mistake::EmptyName),
            (Menu::Port, "", bad_port("")),
            (Menu::Port, "0", bad_port("0")),
            (Menu::Port, "65536", bad_port("65536")),
            (Menu::Port, "http", bad_port("http")),
            (Menu::Port, "-1", bad_port("-1")),
            (Menu::Choice, "6", Mistake::UnknownChoice("6".to_owned())),
            (Menu::Recipient, "10.103.45.601", bad_address("10.103.45.601")),
            (Menu::Recipient, "1.2.3", bad_address("1.2.3")),
            (Menu::Recipient, "10.0.0.5:0", bad_port("0")),
            (Menu::Recipient, "localhost:99999", bad_port("99999")),
            (Menu::Recipient, "[::1]:x", bad_port("x")),
            (Menu::Recipient, "a:b", bad_address("a:b")),
            (Menu::Recipient, "0.0.0.0", bad_address("0.0.0.0")),
            (Menu::Recipient, "10.0.0.5 klingon", Mistake::BadDialect("klingon".to_owned())),
            (port, "0", bad_port("0")),
            (port, "x", bad_port("x")),
            (Menu::ConnectTo, "1.2.3.4:x", bad_port("x")),
        ];
        for (state, line, mistake) in table {
            assert_eq!(state.on_line(line), (state, Err(mistake)), "{state:?} {line:?}");
        }
    }

    #[test]
    fn a_slash_is_a_command_at_the_menu_and_in_a_conversation_only() {
        let talk = Menu::Conversation(Audience::All);
        for state in [Menu::Choice, Menu::Command] {
            assert_eq!(state.on_line(" /peers "), (Menu::Command, Ok(Some(Request::Query))));
            let (next, result) = state.on_line("/pears");
            assert!(next == Menu::Command && result.is_err());
            assert_eq!(state.on_line("2"), (Menu::Choice, Ok(Some(Request::Query))));
        }
        assert_eq!(talk.on_line("/peers"), (talk, Ok(Some(Request::Query))));
        assert!(matches!(talk.on_line("/pears"), (next, Err(Mistake::BadSlash(_))) if next == talk));
        let find = Request::AskText(Designation::Name("/peers".to_owned()), None);
        assert_eq!(Menu::Recipient.on_line("/peers"), (Menu::Recipient, Ok(Some(find))));
        let send = Request::Send(Audience::All, "/peers".to_owned());
        assert_eq!(Menu::Text(Audience::All).on_line("/peers"), (Menu::Choice, Ok(Some(send))));
    }

    #[test]
    fn a_line_of_a_conversation_is_said_as_it_is() {
        let talk = Menu::Conversation(Audience::One(address(), None));
        let table =
            [("hi", "hi"), ("  1 ", "  1"), (" /peers", " /peers"), ("//peers", "/peers"), ("///", "//")];
        for (line, text) in table {
            let say = Request::Say(Audience::One(address(), None), text.to_owned());
            assert_eq!(talk.on_line(line), (talk, Ok(Some(say))), "{line:?}");
        }
    }

    #[test]
    fn an_empty_answer_leaves_for_the_menu() {
        let port = Menu::RecipientPort(HOST, None);
        let conversation = Menu::Conversation(Audience::All);
        for state in [Menu::Choice, Menu::Command, Menu::Recipient, port, Menu::ConnectTo, conversation] {
            assert_eq!(state.on_line("  "), (Menu::Choice, Ok(None)));
        }
        assert_eq!(Menu::Text(Audience::All).on_line(" "), (Menu::Choice, Err(Mistake::EmptyMessage)));
    }

    #[test]
    fn the_longest_line_is_taken_and_one_byte_more_is_not() {
        let text = "x".repeat(TYPED_BYTES_MAX);
        let (_, request) = Menu::Text(Audience::All).on_line(&text);
        assert_eq!(request, Ok(Some(Request::Send(Audience::All, text.clone()))));
        for state in all_states() {
            assert_eq!(state.on_line(&format!("{text}x")), (state, Err(Mistake::LineTooLong)));
        }
        assert!(Menu::Name.on_line(&"x".repeat(NAME_BYTES_MAX)).1.is_ok());
        assert_eq!(Menu::Name.on_line(&"x".repeat(NAME_BYTES_MAX + 1)).1, Err(Mistake::NameTooLong));
    }
}
