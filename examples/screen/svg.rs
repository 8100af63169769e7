//! Draws a screen: its cells, their colours and attributes, and the cursor.

use unicode_width::UnicodeWidthStr;
use vt100::{Cell, Color, Screen};

/// The size of a cell and of its letters, and the margin, in pixels.
const WIDTH: u32 = 9;
const HEIGHT: u32 = 20;
const LETTER: u32 = 15;
const MARGIN: u32 = 16;

/// The distance from the top of a cell to the baseline of its letter.
const BASELINE: u32 = 15;

const FONTS: &str = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace";
const FOREGROUND: &str = "#d8dee9";
const BACKGROUND: &str = "#1e222a";

/// The sixteen named colours; terminals disagree about their shades.
const NAMED: [&str; 16] = [
    "#4c566a", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9", "#7f8899",
    "#ff8590", "#b5e890", "#ffd68a", "#82c7ff", "#e299f5", "#7fdbe6", "#ffffff",
];

/// The steps of red, green and blue in the 216 colours after those.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The style of cells that are drawn together.
#[derive(PartialEq, Eq)]
struct Style {
    foreground: String,
    background: Option<String>,
    attributes: String,
}

/// The screen as an SVG.
pub(crate) fn drawing(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let (width, height) = (u32::from(columns) * WIDTH + 2 * MARGIN, u32::from(rows) * HEIGHT + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"{FONTS}\" font-size=\"{LETTER}\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    if !screen.hide_cursor() {
        let (row, column) = screen.cursor_position();
        svg += &rectangle(row, column, 1, FOREGROUND);
    }
    for row in 0..rows {
        svg += &row_of(screen, row, columns);
    }
    svg + "</svg>\n"
}

/// Draws a row as runs of cells with the same style. Each run starts at its own column, whatever the widths of the
/// font are.
fn row_of(screen: &Screen, row: u16, columns: u16) -> String {
    let mut svg = String::new();
    let mut column = 0;
    while let Some(cell) = screen.cell(row, column) {
        let style = Style::of(cell);
        let is_alike = |&column: &u16| screen.cell(row, column).is_some_and(|cell| Style::of(cell) == style);
        let end = (column..columns).take_while(is_alike).last().map_or(column + 1, |last| last + 1);
        let text: String = (column..end).filter_map(|column| screen.cell(row, column)).map(shown).collect();
        if let Some(background) = &style.background {
            svg += &rectangle(row, column, end - column, background);
        }
        svg += &style.text(row, column, &text);
        column = end;
    }
    svg
}

/// The content of a cell; a wide character extends into the next cell.
fn shown(cell: &Cell) -> &str {
    match cell {
        cell if cell.is_wide_continuation() => "",
        cell if cell.has_contents() => cell.contents(),
        _ => " ",
    }
}

fn rectangle(row: u16, column: u16, columns: u16, fill: &str) -> String {
    let (x, y) = corner(row, column);
    let width = u32::from(columns) * WIDTH;
    format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{HEIGHT}\" fill=\"{fill}\"/>\n")
}

fn corner(row: u16, column: u16) -> (u32, u32) {
    (MARGIN + u32::from(column) * WIDTH, MARGIN + u32::from(row) * HEIGHT)
}

impl Style {
    fn of(cell: &Cell) -> Self {
        let (mut foreground, mut background) = (color(cell.fgcolor()), color(cell.bgcolor()));
        if cell.inverse() {
            (foreground, background) = (background, foreground);
            foreground.get_or_insert(BACKGROUND.to_owned());
            background.get_or_insert(FOREGROUND.to_owned());
        }
        let attributes = [
            (cell.bold(), " font-weight=\"bold\""),
            (cell.dim(), " opacity=\"0.6\""),
            (cell.italic(), " font-style=\"italic\""),
            (cell.underline(), " text-decoration=\"underline\""),
        ];
        let attributes = attributes.into_iter().filter(|(is_set, _)| *is_set).map(|(_, attribute)| attribute);
        let foreground = foreground.unwrap_or_else(|| FOREGROUND.to_owned());
        Self { foreground, background, attributes: attributes.collect() }
    }

    fn text(&self, row: u16, column: u16, text: &str) -> String {
        let text = text.trim_end();
        if text.is_empty() {
            return String::new();
        }
        let (x, y) = corner(row, column);
        let (y, fill, attributes) = (y + BASELINE, &self.foreground, &self.attributes);
        // A font of another width is stretched to fit the cells.
        let width = text.width() as u32 * WIDTH;
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        format!(
            "<text x=\"{x}\" y=\"{y}\" fill=\"{fill}\"{attributes} textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\" \
             xml:space=\"preserve\">{text}</text>\n"
        )
    }
}

/// A colour in SVG; `None` for the default colour of the terminal.
fn color(color: Color) -> Option<String> {
    let (red, green, blue) = match color {
        Color::Default => return None,
        Color::Idx(index @ 0..16) => return Some(NAMED[usize::from(index)].to_owned()),
        Color::Idx(index @ 16..232) => {
            let step = |weight: u8| STEPS[usize::from((index - 16) / weight % 6)];
            (step(36), step(6), step(1))
        }
        Color::Idx(index) => {
            let gray = 8 + (index - 232) * 10;
            (gray, gray, gray)
        }
        Color::Rgb(red, green, blue) => (red, green, blue),
    };
    Some(format!("#{red:02x}{green:02x}{blue:02x}"))
}
