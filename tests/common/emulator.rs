//! What a person sees: a terminal emulator draws the bytes of the program on a screen.

use crate::common::PATIENCE;
use std::io::{self, Read};
use std::num::NonZeroU16;
use std::sync::{Arc, Condvar, Mutex};
use vt100::{Callbacks, Cell, Color, Parser, Screen};

/// Marks the cursor in a row.
const CURSOR: char = '▏';

/// A screen: a thread draws on it, and the test looks at it.
#[derive(Clone)]
pub(crate) struct Emulator(Arc<(Mutex<Parser<Offences>>, Condvar)>);

/// The screen at one moment.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The rows down to the last one that has text or the cursor. The time of a message is left out, because it
    /// differs in each run.
    pub(crate) rows: Vec<String>,
    /// The times of those rows.
    pub(crate) times: Vec<Option<String>>,
    /// The look of the cells of those rows, a letter for each, with those of the time: `b`old, `d`im, `c`oloured, `x`
    /// anything else.
    pub(crate) looks: Vec<String>,
    /// The first colour in each of those rows.
    pub(crate) colors: Vec<Option<u8>>,
    pub(crate) cursor: (u16, u16),
    pub(crate) is_cursor_hidden: bool,
    pub(crate) is_paste_marked: bool,
    /// Everything that was asked of the terminal and that a chat need not ask.
    pub(crate) offences: Vec<String>,
}

/// Everything that is not drawing.
#[derive(Default)]
struct Offences(Vec<String>);

impl Emulator {
    pub(crate) fn new(rows: u16, columns: u16) -> Self {
        let [rows, columns] = [rows, columns].map(size);
        let parser = Parser::new_with_callbacks(rows, columns, 0, Offences::default());
        Self(Arc::new((Mutex::new(parser), Condvar::new())))
    }

    /// Returns a reader; everything that is read through it is drawn.
    pub(crate) fn watching(&self, reader: impl Read + Send + 'static) -> impl Read + Send + 'static {
        Watching { emulator: self.clone(), reader }
    }

    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.0.0.lock().expect("no panic").set_size(size(rows), size(columns));
    }

    /// Waits until the screen is as wanted.
    #[track_caller]
    pub(crate) fn expect(&self, what: &str, is_so: impl Fn(&Seen) -> bool) {
        let (parser, has_changed) = &*self.0;
        let parser = parser.lock().expect("no panic");
        let is_waiting = |parser: &mut Parser<Offences>| !is_so(&Seen::of(parser));
        let (parser, timeout) =
            has_changed.wait_timeout_while(parser, PATIENCE, is_waiting).expect("no panic");
        let seen = Seen::of(&parser);
        drop(parser);
        assert!(!timeout.timed_out(), "{what} did not come; seen is {seen:#?}");
    }
}

impl Seen {
    /// Whether the last rows are these.
    pub(crate) fn ends_with(&self, rows: &[&str]) -> bool {
        let first = self.rows.len().checked_sub(rows.len());
        first.is_some_and(|first| self.rows[first..].iter().eq(rows))
    }

    fn of(parser: &Parser<Offences>) -> Self {
        let screen = parser.screen();
        let cursor = screen.cursor_position();
        let columns = screen.size().1.get();
        let mut rows: Vec<String> = screen.rows(0, columns).collect();
        let part = |from, to| (from..to).map(|column| shown(screen, cursor.0, column)).collect::<String>();
        rows[usize::from(cursor.0)] = format!("{}{CURSOR}{}", part(0, cursor.1), part(cursor.1, columns));
        let rows: Vec<String> = rows.iter().map(|row| row.trim_end().to_owned()).collect();
        let end = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
        let (times, rows) = rows[..end].iter().map(|row| without_time(row)).unzip();
        let cells = |row| (0..columns).filter_map(move |column| screen.cell(row, column));
        let looks = |row| cells(row).map(look).collect::<String>().trim_end().to_owned();
        let color = |row| cells(row).find_map(color);
        Self {
            rows,
            times,
            looks: (0..).take(end).map(looks).collect(),
            colors: (0..).take(end).map(color).collect(),
            cursor,
            is_cursor_hidden: screen.hide_cursor(),
            is_paste_marked: screen.bracketed_paste(),
            offences: parser.callbacks().0.clone(),
        }
    }
}

struct Watching<R> {
    emulator: Emulator,
    reader: R,
}

impl<R: Read> Read for Watching<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        let (parser, has_changed) = &*self.emulator.0;
        parser.lock().expect("no panic").process(&buffer[..count]);
        has_changed.notify_all();
        Ok(count)
    }
}

impl Callbacks for Offences {
    fn audible_bell(&mut self, _: &mut Screen) {
        self.0.push("a bell".to_owned());
    }

    fn visual_bell(&mut self, _: &mut Screen) {
        self.0.push("a flash".to_owned());
    }

    fn resize(&mut self, _: &mut Screen, request: (u16, u16)) {
        self.0.push(format!("a size {request:?}"));
    }

    fn set_window_icon_name(&mut self, _: &mut Screen, name: &[u8]) {
        self.0.push(format!("an icon {name:?}"));
    }

    fn set_window_title(&mut self, _: &mut Screen, title: &[u8]) {
        self.0.push(format!("a title {title:?}"));
    }

    fn copy_to_clipboard(&mut self, _: &mut Screen, _: &[u8], data: &[u8]) {
        self.0.push(format!("a clipboard {data:?}"));
    }

    fn paste_from_clipboard(&mut self, _: &mut Screen, _: &[u8]) {
        self.0.push("the clipboard".to_owned());
    }

    fn unhandled_control(&mut self, _: &mut Screen, byte: u8) {
        self.0.push(format!("a control {byte}"));
    }

    fn unhandled_escape(&mut self, _: &mut Screen, _: Option<u8>, _: Option<u8>, byte: u8) {
        self.0.push(format!("an escape {byte}"));
    }

    fn unhandled_csi(
        &mut self,
        _: &mut Screen,
        first: Option<u8>,
        _: Option<u8>,
        parameters: &[&[u16]],
        last: char,
    ) {
        // The program turns wrapping off and on; this emulator always wraps.
        if (first, parameters) != (Some(b'?'), &[&[7][..]][..]) {
            self.0.push(format!("a sequence {parameters:?} {last}"));
        }
    }

    fn unhandled_osc(&mut self, _: &mut Screen, parameters: &[&[u8]]) {
        self.0.push(format!("a command {parameters:?}"));
    }
}

/// The content of a cell: empty if a wide character before it extends into it.
fn shown(screen: &Screen, row: u16, column: u16) -> &str {
    match screen.cell(row, column) {
        Some(cell) if cell.has_contents() => cell.contents(),
        Some(cell) if cell.is_wide_continuation() => "",
        _ => " ",
    }
}

/// Takes `HH:MM` and a space off the beginning.
fn without_time(row: &str) -> (Option<String>, String) {
    let shape: String = row.chars().take(6).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if shape == "00:00 " { (Some(row[..5].to_owned()), row[6..].to_owned()) } else { (None, row.to_owned()) }
}

fn color(cell: &Cell) -> Option<u8> {
    match cell.fgcolor() {
        Color::Idx(number) => Some(number),
        _ => None,
    }
}

fn look(cell: &Cell) -> char {
    let is_other = cell.italic() || cell.underline() || cell.bgcolor() != Color::Default;
    if cell.inverse() && cell.bold() && !is_other {
        return 'r';
    }
    match (is_other || cell.inverse(), cell.bold(), cell.dim(), cell.fgcolor()) {
        (false, false, false, Color::Default) => ' ',
        (false, true, false, Color::Default) => 'b',
        (false, false, true, Color::Default) => 'd',
        (false, false, false, Color::Idx(_)) => 'c',
        (false, true, false, Color::Idx(_)) => 'C',
        _ => 'x',
    }
}

fn size(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).expect("a screen has cells")
}
