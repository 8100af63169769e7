//! Every sentence that the user reads.
//!
//! The wording of the assignment is kept to the letter. A failure names the problem and what to do. Whatever a peer or
//! the user wrote goes through [`Clean`] here, and each name through [`CleanName`]. Nothing is decided here: the node
//! decides what is shown and when.

use super::addresses::At;
use super::diagnosis;
use super::found::{Found, not_recalled};
use super::keys;
use super::later;
use super::mistakes::{FOR_TERMINALS, mistaken};
use super::nearby;
use super::phrases::{Count, Grouped, Headed, Heard, Named, active_row};
use super::prompts::prompt_text;
use super::reasons::failure_in_short;
use super::stats::Table;
use crate::chat::notice::{
    Failed, Failure, FileFault, Kept, KnownRow, ManyFailed, Notice, PeerRow, SaidTo, Who, Whois,
};
use crate::chat::slash::SLASHES;
use crate::limits::{KNOWN_PEERS_SHOWN_MAX, OWN_ADDRESSES_SHOWN_MAX};
use crate::proto::clean::{Clean, CleanName};
use crate::proto::fault::Fault;
use crate::proto::machine::CloseReason;
use std::fmt::{self, Display, Formatter};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

/// The columns of a command in the help.
pub(super) const HELP_COLUMNS: usize = 26;

const MENU: &str = "
***** Menu *****
1. Send message
2. Query active peers
3. Connect to active peers
4. Send message to static peers
5. Send message to all peers
0. Quit
";

/// A notice in words: whole lines with their newlines. Only a prompt has no newline.
#[derive(Clone, Copy, Debug)]
pub struct Sentence<'a>(pub &'a Notice);

impl Display for Sentence<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Notice::Answer { notice, .. } => Sentence(notice).fmt(f),
            Notice::Accepted(who) => writeln!(f, "{} accepted your connection", Named(who)),
            Notice::Aliased { who, alias: Some(alias) } => {
                writeln!(f, "{} is now shown as {}", Named(who), CleanName(alias))
            }
            Notice::Aliased { who, alias: None } => writeln!(f, "{} no longer has an alias", Named(who)),
            Notice::Away(Some(text)) => writeln!(f, "Whoever writes gets this answer once: {}", Clean(text)),
            Notice::Away(None) => writeln!(f, "Nobody gets an answer for you any more."),
            Notice::Whois(whois) => known_of(f, whois),
            Notice::AlreadyConnected(who) => writeln!(f, "{} is already connected", Named(who)),
            Notice::Blocked(who) => {
                writeln!(f, "{} is blocked: its messages are ignored, and nothing is sent to it", Named(who))
            }
            Notice::ConnectList(rows) => connect_list(f, rows),
            Notice::Connected(who) => writeln!(f, "{} connected with you", Named(who)),
            Notice::ConnectSent(who) => {
                writeln!(f, "Connected with {}; it does not answer connect requests", Named(who))
            }
            Notice::Delivered { to, count } => {
                writeln!(f, "{} has read {}", At(*to), Count(*count as u64, "message"))
            }
            Notice::Diagnosed { finding, took, .. } => diagnosis::diagnosed(f, finding, *took),
            Notice::Diagnosing(who) => diagnosis::diagnosing(f, who),
            Notice::DialectSet { who, dialect } => {
                writeln!(f, "{} now gets messages in the {} dialect", Named(who), dialect.name())
            }
            Notice::Disconnected(who) => writeln!(f, "{} disconnected", Named(who)),
            Notice::Exiting => writeln!(f, "Exiting"),
            Notice::ExitSent(to) => writeln!(f, "Disconnected from {}", At(*to)),
            Notice::FileFault { kept, path, why } => file_fault(f, *kept, path, why),
            Notice::Folded { who, lines } => {
                writeln!(f, "{} sent {}, not shown", Named(who), Count(*lines, "more line"))
            }
            Notice::Held(rows) => later::list(f, rows),
            Notice::Help => help(f),
            Notice::Later { who, texts, what } => later::later(f, who, texts, *what),
            Notice::ListenFailed { port, error } => listen_failed(f, *port, *error),
            Notice::Listening { port, .. } => writeln!(f, "Server listening on port {port}"),
            Notice::Reachable(addresses) => reachable(f, addresses),
            Notice::BadClaim { claimed, to, instead } => writeln!(
                f,
                "{} cannot reach you at {}, the address in your messages; leave --ip out, or give --ip {instead}.",
                At(*to),
                At(*claimed),
            ),
            Notice::Lost { who, reason } => {
                writeln!(f, "Lost the connection with {}: {reason}", Named(who))
            }
            Notice::Me { port, name, addresses, key } => {
                me(f, *port, name, addresses)?;
                key.map_or(Ok(()), |key| keys::own_key(f, Some(key)))
            }
            Notice::Clear => writeln!(f, "{FOR_TERMINALS}"),
            Notice::ManyFailed(many) => many_failed(f, many),
            Notice::Menu => f.write_str(MENU),
            Notice::Message { who, text, .. } => writeln!(f, "{} {}", Headed(who), Clean(text)),
            Notice::Mistake(mistake) => mistaken(f, mistake),
            Notice::NameChanged(name) => {
                writeln!(f, "Your name is {}: a name cannot have spaces", CleanName(name))
            }
            Notice::NewPeer(who) => writeln!(f, "New peer: {}", Named(who)),
            Notice::NotConnected { to, why } => writeln!(f, "{}. Not connected.", Why(to, *why)),
            Notice::NotRecorded(error) => writeln!(
                f,
                "The transcript cannot be written ({error}); until this is fixed, messages are missing from it."
            ),
            Notice::NotRecalled(why) => not_recalled(f, why),
            Notice::NotSent { to, text, why } => {
                writeln!(f, "{}. Not sent: {}", Why(to, *why), Clean(text))
            }
            Notice::FoundNearby(row) => nearby::more(f, row),
            Notice::Nearby(rows) => nearby::list(f, rows),
            Notice::NobodyNearby => writeln!(f, "Nobody was found nearby."),
            Notice::NoMulticast(why) => nearby::no_multicast(f, why.as_ref()),
            Notice::Peers { active, contacted, known, nearby: found } => {
                peers(f, active, contacted, known)?;
                nearby::heading(f, found)?;
                nearby::rows(f, found)
            }
            Notice::Prompt(prompt) => f.write_str(&prompt_text(prompt)),
            Notice::Raw { from, text } => {
                writeln!(f, "Not a chat message, from {}: {}", At(*from), Clean(text))
            }
            Notice::Refused { from, text } => {
                writeln!(f, "! Not believed, from {}: {}", At(*from), Clean(text))
            }
            Notice::Pinned { who, key } => keys::pinned(f, who, *key),
            Notice::Moved { who, from } => keys::moved(f, who, *from),
            Notice::OtherKey { who, ago } => keys::other_key(f, who, *ago),
            Notice::OwnKey(key) => keys::own_key(f, *key),
            Notice::Verify { who, key, number } => keys::verify(f, who, *key, number),
            Notice::Verified(who) => writeln!(f, "{} is verified", Named(who)),
            Notice::KeyForgotten(who) => keys::forgotten(f, who),
            Notice::Recall(_) => Ok(()),
            Notice::Recalled(recalled) => Found(recalled).fmt(f),
            Notice::Renamed { who, was } => renamed(f, who, was),
            Notice::Said { to, text } => said(f, to, text),
            Notice::Sent(to) => writeln!(f, "Message sent to {}", At(*to)),
            Notice::SentToAll(peers) => writeln!(f, "Message sent to {}", Count(*peers as u64, "peer")),
            Notice::Stats(stats) => write!(f, "{}", Table(stats)),
            Notice::StillTrying(peers) => {
                let peers = Count(*peers as u64, "peer");
                writeln!(f, "Still trying to reach {peers}; you will be told the outcome")
            }
            Notice::Tally { messages, peers } => {
                let (messages, peers) = (Count(*messages, "message"), Count(*peers, "peer"));
                writeln!(f, "Received {messages} from {peers}.")
            }
            Notice::Unblocked(who) => writeln!(f, "{} is no longer blocked", Named(who)),
            Notice::Unconfirmed { to, text, reason } => {
                let to = At(*to);
                writeln!(f, "The connection with {to} ended: {reason}. Perhaps not read: {}", Clean(text))
            }
            Notice::Verdict { who, verdict } => diagnosis::verdict(f, who, verdict),
        }
    }
}

/// The addresses that are most likely of use, in one row.
fn reachable(f: &mut Formatter<'_>, addresses: &[SocketAddr]) -> fmt::Result {
    let shown = addresses.iter().take(OWN_ADDRESSES_SHOWN_MAX).map(|&address| At(address).to_string());
    let shown: Vec<String> = shown.collect();
    writeln!(f, "Others reach you at {}", shown.join(", "))
}

fn me(f: &mut Formatter<'_>, port: u16, name: &str, addresses: &[SocketAddr]) -> fmt::Result {
    let addresses: Vec<String> = addresses.iter().map(|&address| At(address).to_string()).collect();
    let name = CleanName(name);
    writeln!(f, "You are {name}, and listen on port {port}; others reach you at {}", addresses.join(", "))
}

/// One sentence, however many they are.
fn many_failed(f: &mut Formatter<'_>, many: &ManyFailed) -> fmt::Result {
    let mut reasons: Vec<&str> = Vec::new();
    for reason in many.why.iter().map(|&why| failure_in_short(why)) {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    let (names, reasons) = (Several(many), reasons.join(", "));
    match &many.what {
        Failed::Connect => writeln!(f, "Not connected with {names} ({reasons})"),
        Failed::Session => writeln!(f, "Lost the connection with {names} ({reasons})"),
        Failed::Text(text) => writeln!(f, "Not sent to {names} ({reasons}): {}", Clean(text)),
        Failed::Confirmation(text) => {
            writeln!(f, "Perhaps not read by {names} ({reasons}): {}", Clean(text))
        }
    }
}

/// `anna, bob and 3 more`, `anna and bob`.
struct Several<'a>(&'a ManyFailed);

impl Display for Several<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ManyFailed { named, to, .. } = self.0;
        let more = to.len().saturating_sub(named.len());
        for (n, who) in named.iter().enumerate() {
            let is_last = n + 1 == named.len() && more == 0;
            let before = if n == 0 {
                ""
            } else if is_last {
                " and "
            } else {
                ", "
            };
            write!(f, "{before}{}", CleanName(&who.name))?;
        }
        if more == 0 { Ok(()) } else { write!(f, " and {} more", Grouped(more as u64)) }
    }
}

fn renamed(f: &mut Formatter<'_>, who: &Who, was: &Rc<str>) -> fmt::Result {
    let before = Who { name: Rc::clone(was), ..who.clone() };
    writeln!(f, "{} is now called {}", Named(&before), CleanName(&who.name))
}

fn said(f: &mut Formatter<'_>, to: &SaidTo, text: &str) -> fmt::Result {
    match to {
        SaidTo::All(peers) => writeln!(f, "You, to {}: {}", Count(*peers as u64, "peer"), Clean(text)),
        SaidTo::One(who) => writeln!(f, "You, to {}: {}", Named(who), Clean(text)),
    }
}

fn help(f: &mut Formatter<'_>) -> fmt::Result {
    for slash in SLASHES {
        let typed = format!("{} {}", slash.name, slash.arguments);
        writeln!(f, "{typed:<width$}{}", slash.does, width = HELP_COLUMNS)?;
    }
    writeln!(f, "WHO is an IP:PORT, a number from the last list, or a name.")?;
    writeln!(f, "Marks: * a key you compared, + a key you know, ? only a claim, ! not believed.")
}

fn peers(
    f: &mut Formatter<'_>,
    active: &[PeerRow],
    contacted: &[PeerRow],
    known: &[KnownRow],
) -> fmt::Result {
    if active.is_empty() {
        writeln!(f, "No connected peers")?;
    } else {
        writeln!(f, "Connected Peers:")?;
    }
    active.iter().try_for_each(|row| active_row(f, row))?;
    if !contacted.is_empty() {
        writeln!(f, "Contacted, not heard from yet:")?;
    }
    let mut contacted = contacted.iter();
    contacted.try_for_each(|PeerRow { number, who, .. }| writeln!(f, "{number}. {}", Headed(who)))?;
    if !known.is_empty() {
        writeln!(f, "Known from before:")?;
    }
    let (shown, more) = known.split_at(known.len().min(KNOWN_PEERS_SHOWN_MAX));
    shown.iter().try_for_each(|row| known_row(f, row))?;
    if more.is_empty() { Ok(()) } else { writeln!(f, "… and {} more", more.len()) }
}

fn known_row(f: &mut Formatter<'_>, row: &KnownRow) -> fmt::Result {
    let own_name = row.own_name.as_ref().map(|name| format!("calls itself {}", CleanName(name)));
    let blocked = row.is_blocked.then(|| "blocked".to_owned());
    let heard = row.heard_ago.map(|ago| Heard(ago).to_string());
    let remarks: Vec<String> = [own_name, blocked, heard].into_iter().flatten().collect();
    write!(f, "{}. {}", row.number, Headed(&row.who))?;
    if remarks.is_empty() { writeln!(f) } else { writeln!(f, " ({})", remarks.join(", ")) }
}

fn file_fault(f: &mut Formatter<'_>, kept: Kept, path: &Path, why: &FileFault) -> fmt::Result {
    let what = match kept {
        Kept::Held => "The texts held for later",
        Kept::History => "The typed lines",
        Kept::Identity => "The key",
        Kept::KnownPeers => "The known peers",
    };
    let path = path.display().to_string();
    let path = Clean(&path);
    match why {
        FileFault::Corrupt { reason, set_aside } => {
            let (reason, aside) = (Clean(reason), set_aside.display().to_string());
            let aside = Clean(&aside);
            writeln!(f, "{what} in {path} cannot be understood ({reason}); the file was renamed to {aside}.")
        }
        FileFault::Odd { reasons, more } => {
            let reasons = reasons.join("; ");
            let reasons = Clean(&reasons);
            let more = if *more > 0 { format!("; and {more} more") } else { String::new() };
            writeln!(f, "Parts of {path} cannot be used and were left unchanged: {reasons}{more}.")
        }
        FileFault::Exposed => {
            let repair = "set its mode to 600, or remove it for a new key";
            writeln!(
                f,
                "{what} in {path} can be read or changed by others, so nothing is encrypted; {repair}."
            )
        }
        FileFault::NoKey => {
            let repair = "put back what was there, or remove it for a new key";
            writeln!(f, "The file {path} has no key in it, so nothing is encrypted; {repair}.")
        }
        FileFault::NoRandomness(error) => {
            writeln!(
                f,
                "The system has no random bytes ({error}), so nothing is encrypted; start again later."
            )
        }
        FileFault::Unreadable(error) if kept == Kept::Identity => {
            let repair = "make it a file that you can read, or name another one with --identity FILE";
            writeln!(f, "{what} in {path} cannot be read ({error}), so nothing is encrypted; {repair}.")
        }
        FileFault::Unwritable(error) if kept == Kept::Identity => {
            let repair = "make room for it, or name another file with --identity FILE";
            writeln!(f, "A new key cannot be written to {path} ({error}), so nothing is encrypted; {repair}.")
        }
        FileFault::Unreadable(error) => {
            writeln!(f, "{what} in {path} cannot be read ({error}); the file is left as it is and not used.")
        }
        FileFault::Unwritable(error) if kept == Kept::Held => writeln!(
            f,
            "{what} cannot be written to {path} ({error}); new ones are kept for this run only, and those in the file \
             are not sent until it can be written."
        ),
        FileFault::Unwritable(error) => {
            writeln!(f, "{what} cannot be written to {path} ({error}); they are kept for this run only.")
        }
    }
}

fn connect_list(f: &mut Formatter<'_>, rows: &[PeerRow]) -> fmt::Result {
    if rows.is_empty() {
        return writeln!(f, "No active peers to connect to");
    }
    writeln!(f, "Active peers, yet to connect:")?;
    rows.iter().try_for_each(|row| active_row(f, row))
}

/// What is known of a peer, a fact in each row.
fn known_of(f: &mut Formatter<'_>, whois: &Whois) -> fmt::Result {
    let Whois { who, own_name, dialect, heard, sent, .. } = whois;
    writeln!(f, "{}", Named(who))?;
    if !own_name.is_empty() && *own_name != who.name {
        writeln!(f, "  calls itself {}", CleanName(own_name))?;
    }
    writeln!(f, "  {}", standing(whois))?;
    let address = if whois.confirmed { "its address is confirmed" } else { "nothing confirms its address" };
    writeln!(f, "  {address}; it is written to in the {} dialect", dialect.name())?;
    keys::known_of(f, whois)?;
    // Who has left or was blocked is counted anew: that nothing was said would be wrong.
    let is_counted = heard + sent > 0;
    let counts = format!("{} heard and {} sent in this run", Count(*heard, "message"), Count(*sent, "text"));
    let heard = whois.heard_ago.map(|ago| Heard(ago).to_string());
    let facts: Vec<String> = is_counted.then_some(counts).into_iter().chain(heard).collect();
    if facts.is_empty() { Ok(()) } else { writeln!(f, "  {}", facts.join("; ")) }
}

fn standing(whois: &Whois) -> String {
    let connected = match (whois.has_session, whois.connected) {
        (true, _) if whois.is_encrypted => "connected by an encrypted session",
        (true, _) => "connected by a session, which is not encrypted",
        (false, true) => "connected",
        (false, false) => "yet to connect",
    };
    let away = if whois.away { "; it has left or cannot be reached" } else { "" };
    let blocked = if whois.blocked { "; you ignore it" } else { "" };
    format!("{connected}{away}{blocked}")
}

fn listen_failed(f: &mut Formatter<'_>, port: u16, error: Fault) -> fmt::Result {
    match error.kind {
        io::ErrorKind::AddrInUse if port == 0 => {
            writeln!(
                f,
                "There is no free port left to listen on; choose another one, or try again in a minute."
            )
        }
        io::ErrorKind::AddrInUse => {
            writeln!(f, "Port {port} is in use by another program; choose another one.")
        }
        io::ErrorKind::PermissionDenied if error.may_be_of_bind() => {
            writeln!(f, "Port {port} needs administrator rights; choose one above 1023.")
        }
        io::ErrorKind::AddrNotAvailable => {
            writeln!(f, "This host does not have that address; give --bind one of its own addresses.")
        }
        _ if error.is_of_family() => {
            writeln!(
                f,
                "This host has no addresses of that kind ({error}); give --bind one of its own addresses."
            )
        }
        _ => writeln!(f, "Cannot listen on port {port} ({error}); choose another one."),
    }
}

/// Why something did not reach `.0`, and what to do, without the final full stop.
struct Why<'a>(&'a SocketAddr, Failure);

impl Display for Why<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(to, why) = self;
        let to = At(**to);
        let reason = match why {
            Failure::Blocked => return write!(f, "You have blocked {to}; type /unblock {to} first"),
            Failure::NoOwnKey => {
                return write!(
                    f,
                    "Nothing is sent to {to} in the clear, and there is no key of yours to encrypt with; see --identity \
                     and --secure"
                );
            }
            Failure::TooManyWaiting => {
                return write!(f, "Too many messages are already waiting for {to}; try again later");
            }
            Failure::Yourself => {
                return write!(f, "{to} is this program; choose somebody else's address");
            }
            Failure::Connection(reason) => *reason,
        };
        match reason {
            CloseReason::NoDescriptor => {
                write!(
                    f,
                    "There is no file descriptor left to reach {to}; raise 'ulimit -n', or try again later"
                )
            }
            CloseReason::NoPort => {
                write!(
                    f,
                    "There is no free local port left to reach {to}; close other connections, or try again in a minute"
                )
            }
            CloseReason::Refused => {
                write!(
                    f,
                    "{to} refused the connection: nobody listens there; check the port, or try again later"
                )
            }
            CloseReason::TimedOut => {
                write!(f, "{to} did not answer in time; check the address, or try again later")
            }
            CloseReason::Unreachable => {
                write!(f, "{to} is unreachable from here; check the address and your network")
            }
            CloseReason::NotEncrypted => {
                write!(f, "{to} does not encrypt, and texts to it are not sent in the clear")
            }
            CloseReason::WrongKey => {
                write!(
                    f,
                    "Whoever is at {to} has another key than the one met there; if that peer has a new key: /trust {to}"
                )
            }
            CloseReason::BadFrame
            | CloseReason::BadProof
            | CloseReason::NoProof
            | CloseReason::Eof
            | CloseReason::Fault(_)
            | CloseReason::Idle
            | CloseReason::LineTooLong
            | CloseReason::MemoryFull
            | CloseReason::NoMessage
            | CloseReason::Reset
            | CloseReason::SlowPeer => {
                write!(f, "The connection with {to} ended: {reason}; try again")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::notice::{Mistake, Prompt};
    use crate::proto::message::Dialect;
    use crate::term::prompts::prompt_texts;
    use rustix::io::Errno;
    use std::path::PathBuf;
    use std::time::Duration;

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    fn who(name: &str) -> Who {
        Who::new(address(8080), name.into())
    }

    fn row(number: usize, name: &str, connected: bool, heard_seconds: Option<u64>) -> PeerRow {
        let heard_ago = heard_seconds.map(Duration::from_secs);
        PeerRow { number, who: who(name), connected, heard_ago }
    }

    fn says(notice: Notice, words: &str) {
        assert_eq!(Sentence(&notice).to_string(), words, "{notice:?}");
    }

    fn says_line(notice: Notice, words: &str) {
        says(notice, &format!("{words}\n"));
    }

    #[test]
    fn the_words_of_the_assignment_are_kept() {
        says_line(Notice::NewPeer(who("P1")), "New peer: P1 (127.0.0.1:8080)");
        let renamed = Notice::Renamed { who: who("P2"), was: "P1".into() };
        says_line(renamed, "P1 (127.0.0.1:8080) is now called P2");
        says_line(Notice::heard(who("P1"), "hello"), "127.0.0.1:8080 P1 hello");
        says_line(Notice::Connected(who("P1")), "P1 (127.0.0.1:8080) connected with you");
        says_line(Notice::Accepted(who("P1")), "P1 (127.0.0.1:8080) accepted your connection");
        says_line(Notice::Disconnected(who("P1")), "P1 (127.0.0.1:8080) disconnected");
        says_line(Notice::Sent(address(9090)), "Message sent to 127.0.0.1:9090");
        says_line(Notice::ExitSent(address(9090)), "Disconnected from 127.0.0.1:9090");
        says_line(
            Notice::Listening { port: 8080, name: "P1".into(), addresses: Vec::new() },
            "Server listening on port 8080",
        );
        says_line(Notice::Exiting, "Exiting");
        let own = [1, 2, 3, 4].map(address).to_vec();
        says_line(Notice::Reachable(own), "Others reach you at 127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3");
        says(
            Notice::Menu,
            "\n***** Menu *****\n1. Send message\n2. Query active peers\n3. Connect to active peers\n\
             4. Send message to static peers\n5. Send message to all peers\n0. Quit\n",
        );
    }

    #[test]
    fn a_name_is_one_visible_word_wherever_it_stands() {
        const NAME: &str = "P1\u{A0}said\u{FE0F}pay\u{2800}me";
        const SHOWN: &str = "P1\u{FFFD}said\u{FFFD}pay\u{FFFD}me";
        let rows = || vec![row(1, NAME, true, None)];
        let own_name = Some(NAME.into());
        let known = KnownRow { number: 2, who: who(NAME), own_name, is_blocked: false, heard_ago: None };
        let text = || "hello".to_owned();
        let reason = CloseReason::Reset;
        for notice in [
            Notice::Accepted(who(NAME)),
            Notice::Aliased { who: who("P2"), alias: Some(NAME.into()) },
            Notice::ConnectList(rows()),
            Notice::Folded { who: who(NAME), lines: 2 },
            Notice::Lost { who: who(NAME), reason },
            Notice::heard(who(NAME), "hello"),
            Notice::Mistake(Mistake::AmbiguousName { name: NAME.to_owned(), peers: rows() }),
            Notice::Mistake(Mistake::BadAlias(NAME.to_owned())),
            Notice::Mistake(Mistake::NotBlocked(who(NAME))),
            Notice::NameChanged(NAME.into()),
            Notice::NewPeer(who(NAME)),
            Notice::Peers { active: rows(), contacted: rows(), known: vec![known], nearby: vec![] },
            Notice::Prompt(Prompt::Conversation(NAME.into())),
            Notice::Renamed { who: who(NAME), was: NAME.into() },
            Notice::Said { to: SaidTo::One(who(NAME)), text: text() },
        ] {
            let sentence = Sentence(&notice).to_string();
            assert!(sentence.contains(SHOWN), "{sentence}");
            assert!(!sentence.contains(['\u{A0}', '\u{FE0F}', '\u{2800}']), "{sentence}");
        }
        let shortest = &prompt_texts(&Prompt::Conversation(NAME.into()))[3];
        assert_eq!(shortest, &format!("→ {SHOWN}: "));
    }

    #[test]
    fn what_failed_with_several_is_one_sentence_with_each_reason_once() {
        let many = |what, names: &[&str], to: usize, reasons: &[CloseReason]| {
            Notice::ManyFailed(Box::new(ManyFailed {
                what,
                named: names.iter().map(|name| who(name)).collect(),
                to: vec![address(1); to],
                why: reasons.iter().copied().map(Failure::Connection).collect(),
            }))
        };
        let text = || Failed::Text("a\nb".into());
        let fault = |kind: io::ErrorKind| CloseReason::Fault(kind.into());
        let faults = [fault(io::ErrorKind::Other), fault(io::ErrorKind::InvalidData)];
        use CloseReason::{Refused, TimedOut};
        says_line(many(text(), &["anna", "bob"], 2, &[Refused]), "Not sent to anna and bob (refused): a␊b");
        says_line(
            many(text(), &["anna", "x\x1b[2J", "P3"], 3, &[TimedOut, Refused]),
            "Not sent to anna, x␛[2J and P3 (timed out, refused): a␊b",
        );
        says_line(
            many(Failed::Connect, &["anna", "bob"], 1002, &faults),
            "Not connected with anna, bob and 1,000 more (a fault of the system)",
        );
        says_line(
            many(Failed::Confirmation("hi".into()), &["anna", "bob"], 3, &[TimedOut]),
            "Perhaps not read by anna, bob and 1 more (timed out): hi",
        );
        says_line(
            many(Failed::Session, &["anna", "bob"], 3, &[TimedOut]),
            "Lost the connection with anna, bob and 1 more (timed out)",
        );
    }

    #[test]
    fn lists_of_peers() {
        let none = || Notice::Peers { active: vec![], contacted: vec![], known: vec![], nearby: vec![] };
        says_line(none(), "No connected peers");
        says(
            Notice::Peers {
                active: vec![
                    row(1, "P1", false, Some(59)),
                    row(2, "P2", true, Some(60)),
                    row(3, "", true, None),
                ],
                contacted: vec![row(4, "", false, None), row(5, "P5", false, None)],
                known: vec![],
                nearby: vec![],
            },
            "Connected Peers:\n\
             1. 127.0.0.1:8080 P1 (yet to connect, heard just now)\n\
             2. 127.0.0.1:8080 P2 (connected, heard 1 minute ago)\n\
             3. 127.0.0.1:8080 (connected)\n\
             Contacted, not heard from yet:\n4. 127.0.0.1:8080\n5. 127.0.0.1:8080 P5\n",
        );
        let known = |number, own_name: Option<&str>, is_blocked, days: Option<u64>| KnownRow {
            number,
            who: who("anna"),
            own_name: own_name.map(Into::into),
            is_blocked,
            heard_ago: days.map(|days| Duration::from_secs(days * 86_400)),
        };
        let rows = vec![known(1, None, false, None), known(2, Some("P\x1b"), true, Some(2))];
        says(
            Notice::Peers { active: vec![], contacted: vec![], known: rows, nearby: vec![] },
            "No connected peers\nKnown from before:\n1. 127.0.0.1:8080 anna\n\
             2. 127.0.0.1:8080 anna (calls itself P␛, blocked, heard 2 days ago)\n",
        );
        let many = (0..KNOWN_PEERS_SHOWN_MAX + 3).map(|n| known(n, None, false, None)).collect();
        let said =
            Sentence(&Notice::Peers { active: vec![], contacted: vec![], known: many, nearby: vec![] })
                .to_string();
        assert!(
            said.ends_with(&format!("\n{}. 127.0.0.1:8080 anna\n… and 3 more\n", KNOWN_PEERS_SHOWN_MAX - 1))
        );
        says_line(Notice::ConnectList(vec![]), "No active peers to connect to");
        says_line(
            Notice::ConnectList(vec![row(7, "P1", false, Some(0))]),
            "Active peers, yet to connect:\n7. 127.0.0.1:8080 P1 (yet to connect, heard just now)",
        );
        for (seconds, words) in [
            (3599, "heard 59 minutes ago"),
            (3600, "heard 1 hour ago"),
            (86_399, "heard 23 hours ago"),
            (86_400, "heard 1 day ago"),
            (200_000, "heard 2 days ago"),
        ] {
            assert_eq!(Heard(Duration::from_secs(seconds)).to_string(), words);
        }
    }

    #[test]
    fn of_a_peer_whose_messages_are_not_counted_it_is_only_said_when_it_was_heard() {
        let known = |heard, sent, minutes: Option<u64>| Whois {
            is_encrypted: false,
            key: None,
            who: who("P1"),
            own_name: "P1".into(),
            dialect: Dialect::Standard,
            connected: false,
            has_session: false,
            confirmed: false,
            away: false,
            blocked: true,
            heard,
            heard_ago: minutes.map(|minutes| Duration::from_secs(60 * minutes)),
            sent,
        };
        for (whois, last_row) in [
            (known(2, 1, Some(0)), "  2 messages heard and 1 text sent in this run; heard just now"),
            (known(0, 1, None), "  0 messages heard and 1 text sent in this run"),
            (known(0, 0, Some(1)), "  heard 1 minute ago"),
            (known(0, 0, None), "  nothing confirms its address; it is written to in the standard dialect"),
        ] {
            let said = Sentence(&Notice::Whois(Box::new(whois))).to_string();
            assert_eq!(said.lines().last(), Some(last_row));
        }
    }

    #[test]
    fn everything_else_in_one_line_each() {
        let text = || "hello".to_string();
        for (notice, words) in [
            (
                Notice::Aliased { who: who("P1"), alias: Some("ann\x1b".into()) },
                "P1 (127.0.0.1:8080) is now shown as ann␛",
            ),
            (Notice::Aliased { who: who("P1"), alias: None }, "P1 (127.0.0.1:8080) no longer has an alias"),
            (Notice::AlreadyConnected(who("")), "127.0.0.1:8080 is already connected"),
            (
                Notice::Blocked(who("P1")),
                "P1 (127.0.0.1:8080) is blocked: its messages are ignored, and nothing is sent to it",
            ),
            (
                Notice::DialectSet { who: who("P1"), dialect: Dialect::Netech },
                "P1 (127.0.0.1:8080) now gets messages in the netech dialect",
            ),
            (Notice::Unblocked(who("P1")), "P1 (127.0.0.1:8080) is no longer blocked"),
            (
                Notice::ConnectSent(who("P1")),
                "Connected with P1 (127.0.0.1:8080); it does not answer connect requests",
            ),
            (Notice::Folded { who: who("P1"), lines: 1 }, "P1 (127.0.0.1:8080) sent 1 more line, not shown"),
            (
                Notice::Lost { who: who("P1"), reason: CloseReason::Eof },
                "Lost the connection with P1 (127.0.0.1:8080): the other side closed it",
            ),
            (Notice::NameChanged("P_1".into()), "Your name is P_1: a name cannot have spaces"),
            (
                Notice::Raw { from: address(53211), text: text() },
                "Not a chat message, from 127.0.0.1:53211: hello",
            ),
            (Notice::Tally { messages: 2, peers: 1 }, "Received 2 messages from 1 peer."),
            (
                Notice::Tally { messages: 1_375_204, peers: 19_005 },
                "Received 1,375,204 messages from 19,005 peers.",
            ),
            (
                Notice::NotRecorded(io::ErrorKind::StorageFull.into()),
                "The transcript cannot be written (no storage space); until this is fixed, messages are missing \
                 from it.",
            ),
            (Notice::Said { to: SaidTo::One(who("P1")), text: text() }, "You, to P1 (127.0.0.1:8080): hello"),
            (Notice::Said { to: SaidTo::All(2), text: text() }, "You, to 2 peers: hello"),
            (Notice::SentToAll(2), "Message sent to 2 peers"),
            (Notice::StillTrying(1), "Still trying to reach 1 peer; you will be told the outcome"),
        ] {
            says_line(notice, words);
        }
    }

    #[test]
    fn failures_name_the_thing_the_way_out_and_the_text() {
        let not_sent = |why| Notice::NotSent { to: address(9090), text: "hello".into(), why };
        for (reason, words) in [
            (
                CloseReason::Refused,
                "127.0.0.1:9090 refused the connection: nobody listens there; check the port, or \
                 try again later. Not sent: hello",
            ),
            (
                CloseReason::Fault(io::ErrorKind::PermissionDenied.into()),
                "The connection with 127.0.0.1:9090 ended: the system reports: permission denied; \
                 try again. Not sent: hello",
            ),
        ] {
            says_line(not_sent(Failure::Connection(reason)), words);
        }
        for reason in [
            CloseReason::Eof,
            CloseReason::Idle,
            CloseReason::LineTooLong,
            CloseReason::MemoryFull,
            CloseReason::NoDescriptor,
            CloseReason::NoMessage,
            CloseReason::NoPort,
            CloseReason::Reset,
            CloseReason::SlowPeer,
            CloseReason::TimedOut,
            CloseReason::Unreachable,
        ] {
            let words = Sentence(&not_sent(Failure::Connection(reason))).to_string();
            assert!(words.contains("127.0.0.1:9090") && words.ends_with(". Not sent: hello\n"));
        }
        says_line(
            Notice::Unconfirmed { to: address(9090), text: "a\tb".into(), reason: CloseReason::Eof },
            "The connection with 127.0.0.1:9090 ended: the other side closed it. Perhaps not read: a␉b",
        );
        says_line(
            Notice::NotConnected { to: address(9090), why: Failure::TooManyWaiting },
            "Too many messages are already waiting for 127.0.0.1:9090; try again later. Not connected.",
        );
        says_line(
            Notice::NotConnected { to: address(9090), why: Failure::Yourself },
            "127.0.0.1:9090 is this program; choose somebody else's address. Not connected.",
        );
        for (error, words) in [
            (io::ErrorKind::AddrInUse, "Port 80 is in use by another program; choose another one."),
            (io::ErrorKind::PermissionDenied, "Port 80 needs administrator rights; choose one above 1023."),
            (
                io::ErrorKind::AddrNotAvailable,
                "This host does not have that address; give --bind one of its own addresses.",
            ),
            (io::ErrorKind::OutOfMemory, "Cannot listen on port 80 (out of memory); choose another one."),
        ] {
            says_line(Notice::ListenFailed { port: 80, error: error.into() }, words);
        }
        says_line(
            Notice::ListenFailed { port: 0, error: io::ErrorKind::AddrInUse.into() },
            "There is no free port left to listen on; choose another one, or try again in a minute.",
        );
        let failed = |errno: Errno| Notice::ListenFailed { port: 80, error: Fault::from(&errno.into()) };
        says_line(
            failed(Errno::AFNOSUPPORT),
            "This host has no addresses of that kind (Address family not supported by protocol); give --bind one of \
             its own addresses.",
        );
        let of_call = Fault::of_call("setsockopt", Errno::ACCESS);
        says_line(
            Notice::ListenFailed { port: 80, error: of_call },
            "Cannot listen on port 80 (setsockopt: Permission denied); choose another one.",
        );
        says_line(
            failed(Errno::NOBUFS),
            "Cannot listen on port 80 (No buffer space available); choose another one.",
        );
    }

    #[test]
    fn a_file_fault_names_the_file_and_what_happens_to_it() {
        let says = |kept, why, words: &str| {
            says_line(Notice::FileFault { kept, path: PathBuf::from("/a\x1b"), why }, words);
        };
        says(
            Kept::KnownPeers,
            FileFault::Corrupt { reason: "line 1".into(), set_aside: PathBuf::from("/b") },
            "The known peers in /a␛ cannot be understood (line 1); the file was renamed to /b.",
        );
        says(
            Kept::KnownPeers,
            FileFault::Odd { reasons: vec!["line 1".into(), "line\x1b2".into()], more: 0 },
            "Parts of /a␛ cannot be used and were left unchanged: line 1; line␛2.",
        );
        says(
            Kept::KnownPeers,
            FileFault::Odd { reasons: vec!["line 1".into()], more: 3 },
            "Parts of /a␛ cannot be used and were left unchanged: line 1; and 3 more.",
        );
        says(
            Kept::KnownPeers,
            FileFault::Unreadable(io::ErrorKind::PermissionDenied.into()),
            "The known peers in /a␛ cannot be read (permission denied); the file is left as it is and not used.",
        );
        says(
            Kept::History,
            FileFault::Unwritable(io::ErrorKind::StorageFull.into()),
            "The typed lines cannot be written to /a␛ (no storage space); they are kept for this run only.",
        );
        for (why, words) in [
            (
                FileFault::Exposed,
                "The key in /a␛ can be read or changed by others, so nothing is encrypted; set its mode to 600, or \
                 remove it for a new key.",
            ),
            (
                FileFault::NoKey,
                "The file /a␛ has no key in it, so nothing is encrypted; put back what was there, or remove it for a \
                 new key.",
            ),
            (
                FileFault::NoRandomness(io::ErrorKind::Unsupported.into()),
                "The system has no random bytes (unsupported), so nothing is encrypted; start again later.",
            ),
            (
                FileFault::Unreadable(io::ErrorKind::IsADirectory.into()),
                "The key in /a␛ cannot be read (is a directory), so nothing is encrypted; make it a file that you \
                 can read, or name another one with --identity FILE.",
            ),
            (
                FileFault::Unwritable(io::ErrorKind::StorageFull.into()),
                "A new key cannot be written to /a␛ (no storage space), so nothing is encrypted; make room for it, \
                 or name another file with --identity FILE.",
            ),
        ] {
            says(Kept::Identity, why, words);
        }
    }

    #[test]
    fn peers_with_the_same_name_are_listed() {
        let peers = vec![row(1, "P1", true, Some(0)), row(2, "p1", false, None)];
        says_line(
            Notice::Mistake(Mistake::AmbiguousName { name: "P1".into(), peers }),
            "Several peers are called 'P1'; type the number or address of the one you mean.\n\
             1. 127.0.0.1:8080 P1 (connected, heard just now)\n\
             2. 127.0.0.1:8080 p1 (yet to connect)",
        );
    }

    #[test]
    fn the_help_has_a_line_for_each_command() {
        let help = Sentence(&Notice::Help).to_string();
        for slash in SLASHES {
            let typed = format!("{} {}", slash.name, slash.arguments);
            let is_its = |line: &&str| {
                line.strip_prefix(typed.trim_end()).is_some_and(|rest| rest.trim_start() == slash.does)
                    && line.ends_with(&format!(" {}", slash.does))
            };
            assert_eq!(help.lines().filter(is_its).count(), 1, "{}", slash.name);
        }
        assert!(help.lines().count() < 33 && help.lines().all(|line| line.len() < 80), "{help}");
    }

    #[test]
    fn nothing_that_a_peer_wrote_breaks_its_line() {
        let (who, text) = (|| who("P\x1b1\n"), || "a\nb".to_string());
        let to = address(1);
        let why = Failure::TooManyWaiting;
        for notice in [
            Notice::NewPeer(who()),
            Notice::heard(who(), &text()),
            Notice::Raw { from: to, text: text() },
            Notice::NotSent { to, text: text(), why },
        ] {
            let said = Sentence(&notice).to_string();
            assert!(said.find('\n') == Some(said.len() - 1) && !said.contains('\x1b'), "{said}");
        }
        says_line(Notice::heard(who(), &text()), "127.0.0.1:8080 P␛1␊ a␊b");
    }
}
