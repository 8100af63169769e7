//! How notices look where colours are wanted: who said it, when, and what went wrong.
//!
//! The words stay those of `render`, and nothing is told by a colour alone. What is coloured is found in the
//! finished sentence, and each sequence is taken back before its line ends, so nothing leaks into another
//! row. What a peer wrote holds no sequence of its own: `Clean` has been there.

use super::render::{Headed, Named, Sentence};
use crate::chat::notice::{Notice, Prompt, Who};
use crate::chat::slash;
use jiff::Zoned;
use std::ffi::OsStr;
use std::fmt::{self, Display, Formatter, Write};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::str::FromStr;

/// Takes every colour and attribute back.
const PLAIN: &str = "\x1b[m";
/// Rings; moves nothing.
pub(super) const BELL: char = '\x07';
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
/// A number of the table of 256 colours; the first 16 of them look different on each terminal.
const COLOR: &str = "\x1b[38;5;";

/// The colour of what went wrong; no peer has it.
const RED: u8 = 160;

/// The colours of peers: all around the wheel but for red, and such that each has a contrast of 3.8 or more
/// both on black and on white.
const PALETTE: [u8; 12] = [130, 100, 64, 28, 30, 31, 27, 99, 129, 133, 163, 162];

/// FNV-1a, 32 bits.
const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;

/// What the user wants to see and hear of notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Tell peers and failures apart by colour.
    pub is_colored: bool,
    /// Ring when a peer says something.
    pub has_bell: bool,
}

/// When colours are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coloring {
    /// On a terminal whose lines are edited here, unless `NO_COLOR` is set.
    Auto,
    /// Whatever reads us.
    Always,
    /// Nowhere.
    Never,
}

impl Coloring {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// The word for it on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// Whether to colour. `no_color` is the variable of that name: empty counts as not set.
    pub fn is_wanted(self, is_edited: bool, no_color: Option<&OsStr>) -> bool {
        match self {
            Self::Auto => is_edited && no_color.is_none_or(OsStr::is_empty),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

impl FromStr for Coloring {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let coloring = Self::ALL.into_iter().find(|coloring| coloring.name() == word);
        coloring.ok_or_else(|| "colours are one of auto, always, never".to_owned())
    }
}

/// A notice in words, in colours if they are wanted; a message with its time, if there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Painted<'a> {
    pub(super) notice: &'a Notice,
    pub(super) is_colored: bool,
    pub(super) at: Option<&'a Zoned>,
}

impl Display for Painted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let (Notice::Message { .. }, Some(at)) = (self.notice, self.at) {
            let style = if self.is_colored { DIM } else { "" };
            write_in(f, style, &at.strftime("%H:%M").to_string())?;
            f.write_char(' ')?;
        }
        if !self.is_colored {
            return Sentence(self.notice).fmt(f);
        }
        let style = style(self.notice);
        let sentence = Sentence(self.notice).to_string();
        let mut rest = sentence.as_str();
        for (address, part) in parts(self.notice) {
            let Some((before, after)) = rest.split_once(&part) else { continue };
            write_in(f, &style, before)?;
            write_in(f, &color(color_of(address)), &part)?;
            rest = after;
        }
        write_in(f, &style, rest)
    }
}

/// What the user typed as a message, told apart from what others say.
pub(super) struct Own<T>(pub(super) T);

impl<T: Display> Display for Own<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_in(f, BOLD, &self.0.to_string())
    }
}

/// Whether this answer is something that the user says.
pub(super) fn is_own_words(prompt: &Prompt, answer: &str) -> bool {
    match prompt {
        Prompt::Text => true,
        Prompt::Conversation(_) => slash::text_of(answer).is_some(),
        _ => false,
    }
}

/// Whether a peer speaks in it.
pub(super) fn is_worth_a_bell(notice: &Notice) -> bool {
    matches!(notice, Notice::Message { .. })
}

/// The colour of a peer: the same in each run and on each machine.
fn color_of(address: SocketAddr) -> u8 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(FNV_PRIME);
    let hash = match address.ip() {
        IpAddr::V4(ip) => ip.octets().into_iter().fold(FNV_OFFSET, step),
        IpAddr::V6(ip) => ip.octets().into_iter().fold(FNV_OFFSET, step),
    };
    let hash = address.port().to_be_bytes().into_iter().fold(hash, step);
    PALETTE[hash as usize % PALETTE.len()]
}

fn color(number: u8) -> String {
    format!("{COLOR}{number}m")
}

/// How the words of a notice look, apart from whom they are about.
fn style(notice: &Notice) -> String {
    match notice {
        Notice::FileFault { .. }
        | Notice::ListenFailed { .. }
        | Notice::Mistake(_)
        | Notice::NotConnected { .. }
        | Notice::NotRecorded(_)
        | Notice::NotSent { .. } => color(RED),
        Notice::Accepted(_)
        | Notice::Aliased { .. }
        | Notice::AlreadyConnected(_)
        | Notice::Blocked(_)
        | Notice::ConnectSent(_)
        | Notice::Connected(_)
        | Notice::DialectSet { .. }
        | Notice::Disconnected(_)
        | Notice::ExitSent(_)
        | Notice::Folded { .. }
        | Notice::Lost { .. }
        | Notice::NewPeer(_)
        | Notice::Renamed { .. }
        | Notice::Sent(_)
        | Notice::SentToAll(_)
        | Notice::Unblocked(_) => DIM.to_owned(),
        _ => String::new(),
    }
}

/// The parts of the sentence that say who it is about, in their order, and the address of each.
fn parts(notice: &Notice) -> Vec<(SocketAddr, String)> {
    let named = |who: &Who| vec![(who.address, Named(who).to_string())];
    let headed = |who: &Who| (who.address, Headed(who).to_string());
    match notice {
        Notice::Accepted(who)
        | Notice::Aliased { who, .. }
        | Notice::AlreadyConnected(who)
        | Notice::Blocked(who)
        | Notice::ConnectSent(who)
        | Notice::Connected(who)
        | Notice::DialectSet { who, .. }
        | Notice::Disconnected(who)
        | Notice::Folded { who, .. }
        | Notice::Lost { who, .. }
        | Notice::NewPeer(who)
        | Notice::Unblocked(who) => named(who),
        Notice::Renamed { who, was } => named(&Who { name: Rc::clone(was), ..who.clone() }),
        Notice::ExitSent(to) | Notice::Sent(to) => vec![(*to, to.to_string())],
        Notice::Message { who, .. } => vec![headed(who)],
        Notice::ConnectList(rows) => rows.iter().map(|row| headed(&row.who)).collect(),
        Notice::Peers { active, contacted, known } => {
            let rows = active.iter().chain(contacted).map(|row| &row.who);
            rows.chain(known.iter().map(|row| &row.who)).map(headed).collect()
        }
        _ => Vec::new(),
    }
}

/// Writes each line of a text in a style of its own, the newlines in none.
fn write_in(f: &mut Formatter<'_>, style: &str, text: &str) -> fmt::Result {
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            f.write_char('\n')?;
        }
        if style.is_empty() || line.is_empty() {
            f.write_str(line)?;
        } else {
            write!(f, "{style}{line}{PLAIN}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::notice::{Failure, KnownRow, Mistake, PeerRow};
    use crate::proto::machine::CloseReason;
    use jiff::Timestamp;
    use jiff::tz::{TimeZone, offset};

    /// Names and texts that would like to change the colours, and to look like other parts of a sentence.
    const HOSTILE: [&str; 5] = ["\x1b[31mx", "\x1b[m", "a\nb", "(127.0.0.1:1)", "\u{9b}8m127.0.0.1:1"];

    fn who(port: u16, name: &str) -> Who {
        Who { address: ([127, 0, 0, 1], port).into(), name: name.into() }
    }

    fn painted(notice: &Notice) -> String {
        Painted { notice, is_colored: true, at: None }.to_string()
    }

    fn row(number: usize, who: Who) -> PeerRow {
        PeerRow { number, who, connected: true, heard_ago: None }
    }

    fn known_row(number: usize, who: Who) -> KnownRow {
        KnownRow { number, who, own_name: Some("P\x1b[m".into()), is_blocked: true, heard_ago: None }
    }

    /// A notice of each kind that is coloured.
    fn notices(name: &str, text: &str) -> Vec<Notice> {
        let who = |port| who(port, name);
        let (to, text) = (([127, 0, 0, 1], 9).into(), || text.to_owned());
        vec![
            Notice::Accepted(who(1)),
            Notice::Aliased { who: who(1), alias: Some(text().into()) },
            Notice::AlreadyConnected(who(1)),
            Notice::Blocked(who(1)),
            Notice::ConnectList(vec![row(1, who(1)), row(2, who(2))]),
            Notice::Connected(who(1)),
            Notice::ConnectSent(who(1)),
            Notice::Disconnected(who(1)),
            Notice::Exiting,
            Notice::ExitSent(to),
            Notice::Folded { who: who(1), lines: 2 },
            Notice::ListenFailed { port: 1, error: std::io::ErrorKind::AddrInUse },
            Notice::Lost { who: who(1), reason: CloseReason::Reset },
            Notice::Menu,
            Notice::Message { who: who(1), text: text() },
            Notice::Mistake(Mistake::BadAddress(text())),
            Notice::NameChanged(text()),
            Notice::NewPeer(who(1)),
            Notice::NotConnected { to, why: Failure::Yourself },
            Notice::NotRecorded(std::io::ErrorKind::StorageFull),
            Notice::NotSent { to, text: text(), why: Failure::Yourself },
            Notice::Peers {
                active: vec![row(1, who(1)), row(2, who(2))],
                contacted: vec![row(3, who(3))],
                known: vec![known_row(4, who(4))],
            },
            Notice::Raw { from: to, text: text() },
            Notice::Renamed { who: who(1), was: name.into() },
            Notice::Sent(to),
            Notice::SentToAll(2),
        ]
    }

    /// The text without its sequences; each of them is ours, and taken back in its line.
    fn bare(painted: &str) -> String {
        let mut bare = String::new();
        for line in painted.split_inclusive('\n') {
            let mut is_on = false;
            for (n, piece) in line.split('\x1b').enumerate() {
                let (sequence, text) = if n == 0 { ("", piece) } else { piece.split_once('m').unwrap() };
                assert!(n == 0 || sequence.chars().all(|c| "[;0123456789".contains(c)), "{painted:?}");
                is_on = if n == 0 { is_on } else { sequence != "[" };
                bare.push_str(text);
            }
            assert!(!is_on, "{painted:?}");
        }
        bare
    }

    #[test]
    fn colours_are_wanted_as_the_flag_the_terminal_and_the_variable_say() {
        let table = [
            ("auto", true, None, true),
            ("auto", true, Some(""), true),
            ("auto", true, Some("1"), false),
            ("auto", false, None, false),
            ("always", true, Some("1"), true),
            ("always", false, None, true),
            ("never", true, None, false),
        ];
        for (word, is_edited, no_color, is_wanted) in table {
            let coloring: Coloring = word.parse().unwrap();
            assert_eq!(coloring.is_wanted(is_edited, no_color.map(OsStr::new)), is_wanted, "{word}");
        }
        assert!("Always".parse::<Coloring>().is_err());
    }

    #[test]
    fn a_peer_has_the_same_colour_everywhere_and_always() {
        let table = [
            ("127.0.0.1:8080", 163),
            ("127.0.0.1:9090", 130),
            ("10.206.4.122:1255", 27),
            ("192.168.1.5:65535", 31),
            ("[::1]:8080", 31),
            ("[2001:db8::7]:443", 163),
        ];
        for (address, number) in table {
            assert_eq!(color_of(address.parse().unwrap()), number, "{address}");
        }
        let mut used: Vec<u8> = (8000..8100).map(|port| color_of(([127, 0, 0, 1], port).into())).collect();
        used.sort_unstable();
        used.dedup();
        assert_eq!(used.len(), PALETTE.len(), "neighbours share few colours");
    }

    /// As the guidelines for accessible content reckon it.
    fn luminance(number: u8) -> f64 {
        let level = |n: u8| if n == 0 { 0.0 } else { f64::from(55 + 40 * u32::from(n)) / 255.0 };
        let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
        let cube = number - 16;
        let [red, green, blue] = [cube / 36, cube / 6 % 6, cube % 6].map(|n| linear(level(n)));
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn every_colour_is_legible_on_black_and_on_white() {
        for number in PALETTE.into_iter().chain([RED]) {
            let light = luminance(number) + 0.05;
            let (on_black, on_white) = (light / 0.05, 1.05 / light);
            assert!(on_black.min(on_white) >= 3.8, "{number}: {on_black}, {on_white}");
        }
        assert!(!PALETTE.contains(&RED));
    }

    #[test]
    fn the_words_stay_and_every_sequence_is_ours_and_ends_with_its_line() {
        for text in HOSTILE {
            for notice in notices(text, text) {
                assert_eq!(bare(&painted(&notice)), Sentence(&notice).to_string(), "{notice:?}");
            }
        }
    }

    #[test]
    fn a_message_has_its_time_its_speaker_in_colour_and_its_text_as_it_is() {
        let notice = Notice::Message { who: who(8080, "P1"), text: "hi 127.0.0.1:8080 P1".to_owned() };
        let zone = TimeZone::fixed(offset(-3));
        let at = "2026-02-28T02:04:59Z".parse::<Timestamp>().unwrap().to_zoned(zone);
        let shown = |is_colored| Painted { notice: &notice, is_colored, at: Some(&at) }.to_string();
        assert_eq!(shown(false), "23:04 127.0.0.1:8080 P1 hi 127.0.0.1:8080 P1\n");
        let head = "\x1b[38;5;163m127.0.0.1:8080 P1\x1b[m";
        assert_eq!(shown(true), format!("\x1b[2m23:04\x1b[m {head} hi 127.0.0.1:8080 P1\n"));
        let joined = Notice::NewPeer(who(8080, "P1"));
        let name = "\x1b[38;5;163mP1 (127.0.0.1:8080)\x1b[m";
        assert_eq!(painted(&joined), format!("\x1b[2mNew peer: \x1b[m{name}\n"));
        assert_eq!(painted(&Notice::Exiting), "Exiting\n");
    }
}
