//! What can be asked of a node, by whatever way it is typed; and how somebody is named there.
//!
//! Which peer a number or a name means, the node finds out.

use super::notice::Mistake;
use crate::limits::HOST_NAME_BYTES_MAX;
use crate::proto::message::{Dialect, canonical, parse_address};
use crate::proto::scope::Scoped;
use crate::proto::secure::Key;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The word for everybody.
pub const ALL: &str = "all";

/// Whom a text goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// One address, and the dialect if the user chose one.
    One(SocketAddr, Option<Dialect>),
    /// The static peers.
    Static,
    /// Everybody in the table.
    All,
}

/// Somebody, as the user names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Designation {
    /// By address.
    Address(SocketAddr),
    /// By a link-local address, with the interface behind which they are or without it.
    LinkLocal(Scoped),
    /// By the name that they use.
    Name(String),
    /// By the number in the list shown last.
    Number(usize),
}

/// A question about the key of a peer that is answered by yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Whether the peer sees the same number, which was made of this key.
    IsSame(SocketAddr, Key),
    /// Whether its key is to be forgotten.
    Forget(SocketAddr),
}

/// What the user has compared with a peer. Meanwhile somebody else may have come in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// What was shown for this key.
    Key(Key),
    /// This number.
    Number(String),
}

/// Which conversation to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// The one that has unread messages for the longest time, or else the next one.
    Unread,
    /// The one with this number, the first being 1.
    Number(usize),
    /// The one that began after the present one.
    Next,
    /// The one that began before the present one.
    Previous,
}

/// Whose conversation is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// What was said to all.
    All,
    /// That with this peer.
    One(Designation),
    /// The one that the user is in.
    Present,
}

/// What the user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Say what the user does, to whom the conversation is with.
    Act(String),
    /// Answer each peer once with this text, or no more.
    Away(Option<String>),
    /// Show what is known of somebody.
    Whois(Designation),
    /// Give somebody an alias, or remove it.
    Alias(Designation, Option<String>),
    /// The user's own name; `true` if spaces were replaced in it.
    BeCalled(String, bool),
    /// Ignore somebody, and stop writing to them.
    Block(Designation),
    /// Clear the screen.
    Clear,
    /// Leave the conversation.
    Close,
    /// Connect to one peer.
    Connect(Designation),
    /// Connect to all active peers that are not connected.
    ConnectAll,
    /// Have every line sent to somebody.
    Converse(Designation),
    /// Have every line sent to everybody.
    ConverseWithAll,
    /// Find out why somebody cannot be reached.
    Diagnose(Designation),
    /// Say exit to somebody: they leave our table, and we leave theirs.
    Exit(Designation),
    /// Find out which peer the user means, and ask for the text to send.
    AskText(Designation, Option<Dialect>),
    /// Find out behind which interface a link-local address is, and ask for the port.
    AskPort(Scoped, Option<Dialect>),
    /// Show the user's own key.
    Key,
    /// Show what the user and somebody have to compare; on a terminal, ask whether it is the same.
    Verify(Designation),
    /// The user has compared the key of somebody.
    Verified(Designation, Compared),
    /// Ask whether the key of somebody is to be forgotten.
    Trust(Designation),
    /// Forget the key of somebody.
    ForgetKey(Designation),
    /// Forget the texts that are held for somebody.
    ForgetHeld(Designation),
    /// List the texts that are held for later.
    Held,
    /// List the slash commands.
    Help,
    /// Show the last messages of a conversation, so many if that was said.
    History(Whose, Option<usize>),
    /// Hold a text until somebody is back. It has no line break.
    Later(Designation, String),
    /// Show what was said that has this text in it.
    Lastlog(String),
    /// Listen on this port.
    Listen(u16),
    /// Tell the user's own name, port and addresses.
    Me,
    /// List the peers.
    Query,
    /// Look for others on the networks of this host.
    Nearby,
    /// End the program; first say this, if it is a text, to those whom the user is connected with or wrote to. It has no
    /// line break.
    Quit(Option<String>),
    /// Send a line of a conversation. Only a failure is reported.
    Say(Audience, String),
    /// Send a text. It has no line break: on a session that would end it, and the rest could be a message
    /// in another's name.
    Send(Audience, String),
    /// Send a text as one, also where it is the word for a command.
    SendText(Audience, String),
    /// Send such a text to somebody, in the dialect if one was chosen.
    SendTo(Designation, Option<Dialect>, String),
    /// Write to somebody in this dialect from now on.
    SetDialect(Designation, Dialect),
    /// List those that could be connected to.
    ShowConnectable,
    /// Show what was counted.
    Stats,
    /// Go to another conversation.
    Switch(Switch),
    /// Stop ignoring somebody.
    Unblock(Designation),
}

/// What a word means where a peer is asked for: an address, a number of the last list, or a name.
pub(super) fn parse_designation(word: &str) -> Result<Designation, Mistake> {
    if let Some(scoped) = Scoped::parse(word) {
        return Ok(Designation::LinkLocal(scoped?));
    }
    if let Some(address) = parse_host_and_port(word) {
        return Ok(Designation::Address(address));
    }
    if let Ok(number) = word.parse() {
        return Ok(Designation::Number(number));
    }
    if let Some((ip, port)) = word.rsplit_once(':')
        && is_host(ip.trim_matches(['[', ']']))
    {
        return Err(Mistake::BadPort(port.to_owned()));
    }
    if names_host_and_port(word) {
        return Err(Mistake::HostName(word.to_owned()));
    }
    if let Some(Err(fault)) = Scoped::parse_host(word) {
        return Err(fault.into());
    }
    let is_address_like = word.contains(':') || word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if is_address_like {
        return Err(Mistake::BadAddress(word.to_owned()));
    }
    Ok(Designation::Name(word.to_owned()))
}

/// Whether a name, typed where somebody is asked for, can mean nothing but that name.
pub fn is_unmistakable(name: &str) -> bool {
    let is_one_word = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    let is_number_like = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'+');
    let means_more = ["a", ALL, "localhost"].iter().any(|word| name.eq_ignore_ascii_case(word));
    is_one_word
        && !is_number_like
        && !means_more
        && !name.contains(':')
        && name.parse::<IpAddr>().is_err()
        && name.parse::<SocketAddr>().is_err()
}

/// What the user is called on the screen.
pub const YOU: &str = "you";

/// Characters with which a name could look like the rest of a line of the log, or of a prompt.
const SIGNS: [char; 8] = ['(', ')', '*', ',', ':', '·', '→', '…'];

/// Whether a name on the screen could be taken for something else than a name.
pub fn is_misleading(name: &str) -> bool {
    name.contains(SIGNS) || name.eq_ignore_ascii_case(YOU)
}

/// An address as users write it, with `localhost` too.
pub fn parse_host_and_port(word: &str) -> Option<SocketAddr> {
    let of_this_host = word.split_once(':').filter(|(host, _)| host.eq_ignore_ascii_case("localhost"));
    let port = of_this_host.and_then(|(_, port)| parse_port(port).ok());
    port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))).or_else(|| parse_address(word))
}

/// Whether a word is the name of a host with a port, as command lines take it.
pub fn names_host_and_port(word: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    word.rsplit_once(':').is_some_and(|(host, port)| is_port(port) && is_host_name(host))
}

/// Whether a word can be the name of a host. What ends in a number is an address that is not written out: resolvers
/// take `10.1` for 10.0.0.1.
pub(super) fn is_host_name(word: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    let is_number = |label: &str| {
        let hexadecimal = label.strip_prefix("0x").or(label.strip_prefix("0X"));
        hexadecimal.map_or_else(
            || label.bytes().all(|b| b.is_ascii_digit()),
            |digits| digits.bytes().all(|b| b.is_ascii_hexdigit()),
        )
    };
    let labels = word.strip_suffix('.').unwrap_or(word);
    let ends_in_number = labels.rsplit('.').next().is_some_and(is_number);
    word.len() <= HOST_NAME_BYTES_MAX && labels.split('.').all(is_label) && !ends_in_number
}

/// An IP address, or `localhost`, with port 0. A link-local one is for [`Scoped::parse_host`].
pub(super) fn parse_host(word: &str) -> Option<SocketAddr> {
    if word.eq_ignore_ascii_case("localhost") {
        return Some((Ipv4Addr::LOCALHOST, 0).into());
    }
    let bare = word.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, 0));
    bare.map(canonical).filter(|host| !host.ip().is_unspecified())
}

fn is_host(word: &str) -> bool {
    parse_host(word).is_some() || Scoped::parse_host(word).is_some()
}

/// A port that one can listen on.
pub(super) fn parse_port(answer: &str) -> Result<u16, Mistake> {
    answer.parse().ok().filter(|&port| port != 0).ok_or_else(|| Mistake::BadPort(answer.to_owned()))
}
