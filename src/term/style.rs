//! How notices look in colour: who said it, when, and what went wrong.
//!
//! The words come from `render`, and no information is in a colour alone. Each colour is turned off before its line
//! ends, so it does not leak into another row. A peer's text contains no sequences, because `Clean` has replaced them.
//!
//! The parts to colour are found in the finished sentence, so `render` has one wording for the terminal, for pipes and
//! for programs. Colours are numbers from the table of 256, because the first 16 look different on each terminal. The
//! colours of peers have a contrast of at least 3.8 on black and on white; a test computes it. terminfo says how many
//! colours a terminal has. `COLORTERM` can add colours, but not to a terminal without any, because terminals inside
//! the terminal inherit it.

use super::addresses::At;
use super::bell::Bell;
use super::phrases::{Headed, Named};
use super::render::Sentence;
use crate::chat::notice::{Later, Notice, Prompt, Who};
use crate::chat::slash;
use std::ffi::OsStr;
use std::fmt::{self, Display, Formatter, Write};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::str::FromStr;
use term::terminfo::TermInfo;

/// Turns off every colour and attribute.
const PLAIN: &str = "\x1b[m";
/// Rings the bell; does not move the cursor.
pub(super) const BELL: char = '\x07';
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const BOLD_REVERSE: &str = "\x1b[1;7m";

/// The colour of failures, a number from the table of 256 colours. No peer has it.
const RED: u8 = 160;

/// The colour of the prompt for a text to all. No peer has it.
const ORANGE: u8 = 166;

/// The colours of peers: all hues except red, each with a contrast of at least 3.8 on black and on white.
const PALETTE: [u8; 12] = [130, 100, 64, 28, 30, 31, 27, 99, 129, 133, 163, 162];

/// The colours on a terminal that has only eight: without blue, which some terminals make illegible on black, and
/// without yellow, which is illegible on white.
const RED_OF_EIGHT: u8 = 1;
const PALETTE_OF_EIGHT: [u8; 3] = [2, 5, 6];

/// How many colours a terminal must have for the table, and for any colour.
const TABLE_COLORS: u32 = 256;
const BASIC_COLORS: u32 = 8;

/// A number that is cancelled in terminfo: -2, in the 16 bits of most entries.
const TAKEN_BACK: u32 = 0xFFFE;

/// FNV-1a, 32 bits.
const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;

/// What the user wants to see and hear of notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The colours for peers and failures.
    pub colors: Colors,
    /// For which messages the bell rings.
    pub bell: Bell,
    /// Whether a message always has the address of its peer where lines are edited here. Everywhere else it has.
    pub has_addresses: bool,
}

/// The colours that a terminal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colors {
    /// None at all, and nothing bold or dim.
    #[default]
    None,
    /// Eight, as the user has configured them.
    Eight,
    /// The table of 256.
    Table,
}

impl Colors {
    /// The colours of a terminal with these values of `TERM` and `COLORTERM`. Its entry in terminfo decides, if there
    /// is one.
    pub fn of_terminal(term: &str, color_term: &str) -> Self {
        let entry = TermInfo::from_name(term).ok();
        Self::told(term, entry.as_ref().map(colors_of), color_term)
    }

    fn told(term: &str, of_entry: Option<u32>, color_term: &str) -> Self {
        // The name counts if the entry is missing, as on a remote host over ssh.
        let is_named = term.ends_with("256color") || term.ends_with("-direct");
        // A terminal with more colours than the table also has the table.
        let has_more = ["truecolor", "24bit"].contains(&color_term);
        match of_entry {
            _ if is_named => Self::Table,
            Some(TABLE_COLORS..) => Self::Table,
            Some(BASIC_COLORS..) | None if has_more => Self::Table,
            Some(BASIC_COLORS..) => Self::Eight,
            // The variable may come from an outer terminal.
            Some(_) | None => Self::None,
        }
    }

    /// The colour of a peer: the same in each run and on each machine.
    pub(super) fn of_peer(self, address: SocketAddr) -> String {
        let palette = if self == Self::Table { &PALETTE[..] } else { &PALETTE_OF_EIGHT };
        self.sequence(palette[hash_of(address) % palette.len()])
    }

    /// The style of what the user says, which looks different from what others say.
    pub(super) fn of_own_words(self) -> &'static str {
        if self == Self::None { "" } else { BOLD }
    }

    /// The style of the user's name in what others say.
    pub(super) fn of_mention(self) -> &'static str {
        if self == Self::None { "" } else { BOLD_REVERSE }
    }

    /// The style of the prompt for a text to all, which must not be mistaken for one to somebody. Where there are only
    /// eight colours, none is left that can be read everywhere.
    pub(super) fn of_prompt_to_all(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Eight => BOLD_REVERSE.to_owned(),
            Self::Table => BOLD.to_owned() + &self.sequence(ORANGE),
        }
    }

    /// The style of a time.
    pub(super) fn of_time(self) -> &'static str {
        if self == Self::None { "" } else { DIM }
    }

    pub(super) fn of_failure(self) -> String {
        self.sequence(if self == Self::Table { RED } else { RED_OF_EIGHT })
    }

    fn sequence(self, number: u8) -> String {
        match self {
            Self::None => String::new(),
            Self::Eight => format!("\x1b[3{number}m"),
            Self::Table => format!("\x1b[38;5;{number}m"),
        }
    }
}

/// When colours are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coloring {
    /// On a terminal where we edit lines, unless `NO_COLOR` is set.
    Auto,
    /// Always, whatever reads the output.
    Always,
    /// Never.
    Never,
}

impl Coloring {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// The colours to use if the terminal has `there`. `no_color` is the variable of that name; an empty one counts as
    /// not set.
    pub fn colors(self, is_edited: bool, no_color: Option<&OsStr>, there: Colors) -> Colors {
        match (self, there) {
            (Self::Auto, _) if is_edited && no_color.is_none_or(OsStr::is_empty) => there,
            (Self::Auto | Self::Never, _) => Colors::None,
            // The reader may not be a terminal, or may have more colours than its name says.
            (Self::Always, Colors::None) => Colors::Table,
            (Self::Always, _) => there,
        }
    }
}

impl FromStr for Coloring {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let coloring = Self::ALL.into_iter().find(|coloring| coloring.name() == word);
        coloring.ok_or_else(|| "must be auto, always or never".to_owned())
    }
}

/// How many colours a terminfo entry has. A negative number means that there is none, or cancels the number of the
/// entry that it is based on. The crate drops only one kind of negative number, and returns the others without their
/// sign.
fn colors_of(entry: &TermInfo) -> u32 {
    let colors = entry.numbers.get("colors").copied().unwrap_or(0);
    if colors == TAKEN_BACK || i32::try_from(colors).is_err() { 0 } else { colors }
}

/// Text in one style: a sequence that turns it on, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) style: String,
    pub(super) text: String,
}

impl Piece {
    pub(super) fn new(style: impl Into<String>, text: impl Into<String>) -> Self {
        Self { style: style.into(), text: text.into() }
    }

    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::new("", text)
    }
}

impl Display for Piece {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_in(f, &self.style, &self.text)
    }
}

/// A notice in words, in colours if wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Painted<'a> {
    pub(super) notice: &'a Notice,
    pub(super) colors: Colors,
}

impl Painted<'_> {
    /// The same in pieces.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let sentence = Sentence(self.notice).to_string();
        if self.colors == Colors::None {
            return vec![Piece::plain(sentence)];
        }
        let style = style(self.notice, self.colors);
        let mut rest = sentence.as_str();
        let mut pieces = Vec::new();
        for (address, part) in parts(self.notice) {
            let Some((before, after)) = rest.split_once(&part) else { continue };
            pieces.extend([Piece::new(&*style, before), Piece::new(self.colors.of_peer(address), part)]);
            rest = after;
        }
        pieces.push(Piece::new(style, rest));
        pieces
    }
}

impl Display for Painted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.pieces().iter().try_for_each(|piece| piece.fmt(f))
    }
}

/// Whether this answer is a message of the user.
pub(super) fn is_own_words(prompt: &Prompt, answer: &str) -> bool {
    match prompt {
        Prompt::Text | Prompt::TextToAll(_) => true,
        Prompt::Conversation(_) => slash::text_of(answer).is_some(),
        _ => false,
    }
}

fn hash_of(address: SocketAddr) -> usize {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(FNV_PRIME);
    let hash = match address.ip() {
        IpAddr::V4(ip) => ip.octets().into_iter().fold(FNV_OFFSET, step),
        IpAddr::V6(ip) => ip.octets().into_iter().fold(FNV_OFFSET, step),
    };
    address.port().to_be_bytes().into_iter().fold(hash, step) as usize
}

/// The style of a notice, except for the names of peers in it.
fn style(notice: &Notice, colors: Colors) -> String {
    match notice {
        Notice::BadClaim { .. }
        | Notice::FileFault { .. }
        | Notice::Later { what: Later::Expired | Later::Unconfirmed, .. }
        | Notice::ListenFailed { .. }
        | Notice::ManyFailed(_)
        | Notice::Mistake(_)
        | Notice::NotConnected { .. }
        | Notice::NotRecalled(_)
        | Notice::NotRecorded(_)
        | Notice::NotSent { .. }
        | Notice::OtherKey { .. }
        | Notice::Refused { .. }
        | Notice::Unconfirmed { .. } => colors.of_failure(),
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
        | Notice::Later { .. }
        | Notice::Lost { .. }
        | Notice::KeyForgotten(_)
        | Notice::Moved { .. }
        | Notice::NewPeer(_)
        | Notice::Pinned { .. }
        | Notice::Verified(_)
        | Notice::Renamed { .. }
        | Notice::Sent(_)
        | Notice::SentToAll(_)
        | Notice::Unblocked(_) => DIM.to_owned(),
        _ => String::new(),
    }
}

/// The parts of the sentence that name peers, in their order, and the address of each.
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
        | Notice::Diagnosing(who)
        | Notice::DialectSet { who, .. }
        | Notice::Disconnected(who)
        | Notice::Folded { who, .. }
        | Notice::Later { who, .. }
        | Notice::Lost { who, .. }
        | Notice::KeyForgotten(who)
        | Notice::NewPeer(who)
        | Notice::Pinned { who, .. }
        | Notice::Verified(who)
        | Notice::Verify { who, .. }
        | Notice::Unblocked(who) => named(who),
        Notice::Renamed { who, was } => named(&Who { name: Rc::clone(was), ..who.clone() }),
        Notice::ExitSent(to) | Notice::Sent(to) => vec![(*to, At(*to).to_string())],
        Notice::Message { who, .. } => vec![headed(who)],
        Notice::ConnectList(rows) => rows.iter().map(|row| headed(&row.who)).collect(),
        Notice::Held(rows) => rows.iter().flat_map(|row| named(&row.who)).collect(),
        Notice::Nearby(rows) => rows.iter().map(|row| headed(&row.who)).collect(),
        Notice::FoundNearby(row) => vec![headed(&row.who)],
        Notice::Peers { active, contacted, known, nearby } => {
            let rows = active.iter().chain(contacted).map(|row| &row.who);
            let rows = rows.chain(known.iter().map(|row| &row.who));
            rows.chain(nearby.iter().map(|row| &row.who)).map(headed).collect()
        }
        _ => Vec::new(),
    }
}

/// Writes each line of a text in a style, but the newlines without one.
pub(super) fn write_in(f: &mut Formatter<'_>, style: &str, text: &str) -> fmt::Result {
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
    use crate::chat::notice::{Failed, Failure, KnownRow, ManyFailed, Mistake, NearbyRow, PeerRow};
    use crate::proto::machine::CloseReason;

    /// Names and texts that try to change colours, or to look like other parts of a sentence.
    const HOSTILE: [&str; 5] = ["\x1b[31mx", "\x1b[m", "a\nb", "(127.0.0.1:1)", "\u{9b}8m127.0.0.1:1"];

    fn who(port: u16, name: &str) -> Who {
        Who::new(([127, 0, 0, 1], port).into(), name.into())
    }

    fn painted(notice: &Notice) -> String {
        Painted { notice, colors: Colors::Table }.to_string()
    }

    fn row(number: usize, who: Who) -> PeerRow {
        PeerRow { number, who, connected: true, heard_ago: None }
    }

    fn known_row(number: usize, who: Who) -> KnownRow {
        KnownRow { number, who, own_name: Some("P\x1b[m".into()), is_blocked: true, heard_ago: None }
    }

    fn near_row(number: usize, who: Who) -> NearbyRow {
        NearbyRow { number: Some(number), who, key: Some("P\x1b[m".into()), is_key_known: true }
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
            Notice::ListenFailed { port: 1, error: std::io::ErrorKind::AddrInUse.into() },
            Notice::Lost { who: who(1), reason: CloseReason::Reset },
            Notice::ManyFailed(Box::new(ManyFailed {
                what: Failed::Text(text().into()),
                named: vec![who(1), who(2)],
                to: vec![to; 3],
                why: vec![Failure::Yourself],
            })),
            Notice::Menu,
            Notice::heard(who(1), &text()),
            Notice::Mistake(Mistake::BadAddress(text())),
            Notice::NameChanged(text()),
            Notice::NewPeer(who(1)),
            Notice::NotConnected { to, why: Failure::Yourself },
            Notice::NotRecorded(std::io::ErrorKind::StorageFull.into()),
            Notice::NotSent { to, text: text(), why: Failure::Yourself },
            Notice::Peers {
                active: vec![row(1, who(1)), row(2, who(2))],
                contacted: vec![row(3, who(3))],
                known: vec![known_row(4, who(4))],
                nearby: vec![near_row(5, who(5))],
            },
            Notice::Nearby(vec![near_row(1, who(1))]),
            Notice::FoundNearby(near_row(1, who(1))),
            Notice::Raw { from: to, text: text() },
            Notice::Renamed { who: who(1), was: name.into() },
            Notice::Sent(to),
            Notice::SentToAll(2),
        ]
    }

    /// The text without its sequences; each of them must be ours, and must end within its line.
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
        use Colors::{Eight, None as No, Table};
        let table = [
            ("auto", true, None, [No, Eight, Table]),
            ("auto", true, Some(""), [No, Eight, Table]),
            ("auto", true, Some("1"), [No, No, No]),
            ("auto", false, None, [No, No, No]),
            ("always", true, Some("1"), [Table, Eight, Table]),
            ("always", false, None, [Table, Eight, Table]),
            ("never", true, None, [No, No, No]),
        ];
        for (word, is_edited, no_color, expected) in table {
            let coloring: Coloring = word.parse().unwrap();
            let colors =
                [No, Eight, Table].map(|there| coloring.colors(is_edited, no_color.map(OsStr::new), there));
            assert_eq!(colors, expected, "{word}");
        }
        assert!("Always".parse::<Coloring>().is_err());
    }

    #[test]
    fn a_terminal_has_the_colours_that_terminfo_tells_of() {
        use Colors::{Eight, None as No, Table};
        let table = [
            ("xterm-256color", Some(256), "", Table),
            ("xterm-direct", Some(0x100_0000), "", Table),
            ("rxvt-88color", Some(88), "", Eight),
            ("xterm", Some(8), "", Eight),
            ("xterm", Some(8), "gnome-terminal", Eight),
            ("xterm", Some(8), "truecolor", Table),
            ("vt100", Some(0), "", No),
            ("vt100", Some(0), "truecolor", No),
            ("emacs", None, "", No),
            ("no-such-terminal", None, "", No),
            ("no-such-terminal", None, "24bit", Table),
            ("no-such-256color", None, "", Table),
            ("", None, "", No),
        ];
        for (term, of_entry, color_term, colors) in table {
            assert_eq!(Colors::told(term, of_entry, color_term), colors, "{term} {color_term}");
        }
        // True with and without a terminfo database.
        for (term, colors) in [("vt100", No), ("xterm-256color", Table), ("../../../etc/passwd", No)] {
            assert_eq!(Colors::of_terminal(term, ""), colors, "{term}");
        }
    }

    #[test]
    fn a_number_below_zero_in_terminfo_is_no_number_of_colours() {
        let home = tempfile::TempDir::new().unwrap();
        let path = home.path().join("entry");
        for (number, colors) in [(-1, 0), (-2, 0), (8, 8), (256, 256)] {
            // A name, no flags, 14 numbers, of which the last is the number of colours, and no strings.
            let lengths = [2, 0, 14, 0, 0].map(i16::to_le_bytes).concat();
            let narrow =
                [[-1i16; 13].map(i16::to_le_bytes).concat(), i16::to_le_bytes(number).into()].concat();
            let wide =
                [[-1i32; 13].map(i32::to_le_bytes).concat(), i32::to_le_bytes(number.into()).into()].concat();
            for (magic, numbers) in [(0x011a_u16, narrow), (0x021e, wide)] {
                let entry = [&magic.to_le_bytes()[..], &lengths, b"m\0", &numbers].concat();
                std::fs::write(&path, entry).unwrap();
                assert_eq!(colors_of(&TermInfo::from_path(&path).unwrap()), colors, "{number} {magic:#x}");
            }
        }
    }

    #[test]
    fn eight_colours_are_enough_to_tell_failures_from_peers() {
        let painted = |notice: &Notice| Painted { notice, colors: Colors::Eight }.to_string();
        let joined = Notice::NewPeer(who(8080, "P1"));
        assert_eq!(painted(&joined), "\x1b[2mNew peer: \x1b[m\x1b[35mP1 (127.0.0.1:8080)\x1b[m\n");
        assert!(painted(&Notice::Mistake(Mistake::BadAddress("x".to_owned()))).starts_with("\x1b[31m"));
        assert!(!PALETTE_OF_EIGHT.contains(&RED_OF_EIGHT));
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
            let color = Colors::Table.of_peer(address.parse().unwrap());
            assert_eq!(color, format!("\x1b[38;5;{number}m"), "{address}");
        }
        let of = |port| Colors::Table.of_peer(([127, 0, 0, 1], port).into());
        let mut used: Vec<String> = (8000..8100).map(of).collect();
        used.sort_unstable();
        used.dedup();
        assert_eq!(used.len(), PALETTE.len(), "neighbours share few colours");
    }

    /// As defined in the Web Content Accessibility Guidelines.
    fn luminance(number: u8) -> f64 {
        let level = |n: u8| if n == 0 { 0.0 } else { f64::from(55 + 40 * u32::from(n)) / 255.0 };
        let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
        let cube = number - 16;
        let [red, green, blue] = [cube / 36, cube / 6 % 6, cube % 6].map(|n| linear(level(n)));
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn every_colour_is_legible_on_black_and_on_white() {
        for number in PALETTE.into_iter().chain([RED, ORANGE]) {
            let light = luminance(number) + 0.05;
            let (on_black, on_white) = (light / 0.05, 1.05 / light);
            assert!(on_black.min(on_white) >= 3.8, "{number}: {on_black}, {on_white}");
        }
        assert!(!PALETTE.contains(&RED) && !PALETTE.contains(&ORANGE));
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
    fn a_message_has_its_speaker_in_colour_and_its_text_as_it_is() {
        let notice = Notice::heard(who(8080, "P1"), "hi 127.0.0.1:8080 P1");
        let head = "\x1b[38;5;163m127.0.0.1:8080 P1\x1b[m";
        assert_eq!(painted(&notice), format!("{head} hi 127.0.0.1:8080 P1\n"));
        let joined = Notice::NewPeer(who(8080, "P1"));
        let name = "\x1b[38;5;163mP1 (127.0.0.1:8080)\x1b[m";
        assert_eq!(painted(&joined), format!("\x1b[2mNew peer: \x1b[m{name}\n"));
        assert_eq!(painted(&Notice::Exiting), "Exiting\n");
    }
}
