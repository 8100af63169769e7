//! One line in, its meaning out. A pure function: what a line means depends on what its connection is for.

use super::me::Me;
use super::role::Kind;
use crate::limits::{ADDRESS_BYTES_MAX, PING_BYTES_MAX};
use crate::proto::message::{LINE_TAKEN, Message, trim_end};
use std::net::SocketAddr;

/// What a control line of the one who dialled a session says: that it is of our own kind.
pub(super) const CHINWAG: &str = "chinwag/1";

/// What ended a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The connection is gone; nothing can be answered on it.
    Gone,
    Newline,
    Silence,
}

/// What a line means.
#[derive(Debug)]
pub(super) enum Meaning<'a> {
    /// A question of a session, which is answered with its number.
    Ping(&'a str),
    /// The answer to a ping of ours, with its number.
    Pong(&'a str),
    /// The other side of a session is a chinwag.
    Chinwag,
    /// A question whether we reach an address, or the answer to ours.
    Reach(&'a str),
    /// The next line of a session goes to several peers at once.
    ToAll,
    /// A control line of a later version.
    Unknown,
    /// A message of somebody.
    Message(Message<'a>),
    /// Nothing that anybody needs to know.
    Nothing,
    /// A text in no known form.
    Raw(&'a str),
}

/// The meaning of a line that came from the socket address `remote`. Nobody speaks in our own name.
pub(super) fn meaning<'a>(kind: Kind, text: &'a str, remote: SocketAddr, me: &Me) -> Meaning<'a> {
    match (kind, text.strip_prefix('!')) {
        (Kind::Session(_), Some(control)) => {
            return match trim_end(control).split_once(' ') {
                Some(("ping", number)) if number.len() <= PING_BYTES_MAX => Meaning::Ping(number),
                Some(("pong", number)) if number.len() <= PING_BYTES_MAX => Meaning::Pong(number),
                None if trim_end(control) == CHINWAG => Meaning::Chinwag,
                Some(("reach", word)) if word.len() <= ADDRESS_BYTES_MAX => Meaning::Reach(word),
                Some(("to", count)) if count.parse::<u64>().is_ok() => Meaning::ToAll,
                _ => Meaning::Unknown,
            };
        }
        // It was a session when the peer asked; nobody can answer here any more. What we asked may still be answered.
        (Kind::Leaving, Some(control)) => {
            return trim_end(control).strip_prefix("pong ").map_or(Meaning::Nothing, Meaning::Pong);
        }
        (Kind::Delivery | Kind::Leaving, None) if trim_end(text) == LINE_TAKEN => return Meaning::Nothing,
        _ => {}
    }
    let message = match kind {
        Kind::PortLine(port) => Some(Message::parse_behind_port(text, port, remote)),
        _ => Message::parse(text, remote),
    };
    let message = message.map(|message| Message { address: me.scopes().placed(message.address), ..message });
    match message.filter(|message| !me.is_own(message.address)) {
        Some(message) => Meaning::Message(message),
        None => Meaning::Raw(trim_end(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::config::Config;
    use crate::chat::directory::Directory;
    use crate::proto::message::Command;

    const REMOTE: &str = "127.0.0.1:50000";

    fn read(kind: Kind, text: &str) -> String {
        let mut me = Me::new(&Config::default());
        me.listen_on(8080);
        match meaning(kind, text, REMOTE.parse().unwrap(), &me) {
            Meaning::Ping(number) => format!("ping {number}"),
            Meaning::Pong(number) => format!("pong {number}"),
            Meaning::Chinwag => "chinwag".to_owned(),
            Meaning::Reach(word) => format!("reach {word}"),
            Meaning::ToAll => "to all".to_owned(),
            Meaning::Unknown => "unknown".to_owned(),
            Meaning::Message(Message { address, command, text, .. }) => {
                format!("{address} {} {text}", if command == Command::Chat { "chat" } else { "command" })
            }
            Meaning::Nothing => "nothing".to_owned(),
            Meaning::Raw(text) => format!("raw {text}"),
        }
    }

    #[test]
    fn what_a_line_means_depends_on_what_its_connection_is_for() {
        let id = Directory::new(1).find_or_add(REMOTE.parse().unwrap()).unwrap();
        let session = Kind::Session(id);
        let longest = format!("ping {}", "7".repeat(PING_BYTES_MAX));
        for (kind, text, means) in [
            (session, "!ping 7\r", "ping 7"),
            (session, &format!("!{longest}\n"), longest.as_str()),
            (session, &format!("!{longest}7"), "unknown"),
            (session, "!pong 7\r", "pong 7"),
            (session, "!pong", "unknown"),
            (Kind::Leaving, "!pong 7", "pong 7"),
            (Kind::Inbound, "!pong 7", "raw !pong 7"),
            (session, "!chinwag/1", "chinwag"),
            (session, "!chinwag/12", "unknown"),
            (Kind::Leaving, "!chinwag/1", "nothing"),
            (session, "!reach 10.0.0.1:80\r", "reach 10.0.0.1:80"),
            (session, "!reach ok", "reach ok"),
            (session, &format!("!reach {}", "x".repeat(ADDRESS_BYTES_MAX + 1)), "unknown"),
            (Kind::Inbound, "!reach ok", "raw !reach ok"),
            (session, "!to 3", "to all"),
            (session, "!to you", "unknown"),
            (session, "!later", "unknown"),
            (Kind::Leaving, "!ping 7", "nothing"),
            (Kind::Inbound, "!ping 7", "raw !ping 7"),
            (Kind::Delivery, "Message received\n", "nothing"),
            (Kind::Inbound, "Message received", "raw Message received"),
            (Kind::Inbound, "127.0.0.1:9 P hello", "127.0.0.1:9 chat hello"),
            (Kind::Inbound, "127.0.0.1:9 P exit", "127.0.0.1:9 command exit"),
            (Kind::Inbound, "127.0.0.1:8080 P hello", "raw 127.0.0.1:8080 P hello"),
            (Kind::PortLine(9), "hello", "127.0.0.1:9 chat hello"),
        ] {
            assert_eq!(read(kind, text), means, "{kind:?}: {text}");
        }
    }
}
