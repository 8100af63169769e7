//! The results, as a table and as data.

use super::rows::{Figure, Program, Row, Shown, Unit};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The figures of all rounds. A round that failed has no figure.
#[derive(Debug, Default)]
pub(crate) struct Results(BTreeMap<(usize, usize, Program), Vec<Option<f64>>>);

/// The median of some values, the least and the greatest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self { median: (low + high) / 2.0, min, max })
    }
}

impl Results {
    /// Adds the figures of one round.
    pub(crate) fn enter(&mut self, row: usize, program: Program, figures: usize, values: &[f64]) {
        for figure in 0..figures {
            self.0.entry((row, figure, program)).or_default().push(values.get(figure).copied());
        }
    }

    fn rounds(&self, row: usize, figure: usize, program: Program) -> &[Option<f64>] {
        self.0.get(&(row, figure, program)).map_or(&[], Vec::as_slice)
    }

    /// The figure itself.
    pub(crate) fn value(&self, row: usize, figure: usize, program: Program) -> Option<Spread> {
        Spread::of(self.rounds(row, figure, program).iter().copied().flatten())
    }

    /// The ratio to the floor's figure, for each round by itself.
    pub(crate) fn ratio(&self, row: usize, figure: usize, program: Program) -> Option<Spread> {
        let floor = self.rounds(row, figure, Program::Floor);
        let pairs = self.rounds(row, figure, program).iter().zip(floor);
        // There is no ratio to a floor of zero, such as the memory of a run that is too small to need any.
        Spread::of(pairs.filter_map(|(own, floor)| Some((*own)? / (*floor).filter(|floor| *floor > 0.0)?)))
    }

    /// The table in Markdown.
    pub(crate) fn table(&self, rows: &[Row]) -> String {
        let is_used = |program: &Program| rows.iter().any(|row| row.programs.contains(program));
        let programs: Vec<Program> = Program::ALL.into_iter().filter(is_used).collect();
        let names: Vec<&str> = programs.iter().map(|program| program.name()).collect();
        let mut table = format!("| | {} |\n|---{}|\n", names.join(" | "), "|---".repeat(programs.len()));
        for (number, row) in rows.iter().enumerate() {
            for (place, figure) in row.figures.iter().enumerate() {
                let cells = programs.iter().map(|&program| self.cell(number, row, place, figure, program));
                let cells: Vec<String> = cells.collect();
                let _ = writeln!(table, "| {} | {} |", figure.name, cells.join(" | "));
            }
        }
        table
    }

    fn cell(&self, number: usize, row: &Row, place: usize, figure: &Figure, program: Program) -> String {
        if !row.programs.contains(&program) {
            return "–".to_owned();
        }
        let Some(value) = self.value(number, place, program) else { return "failed".to_owned() };
        let shown = self.shown(number, place, figure, program, value);
        match self.rounds(number, place, program).iter().filter(|value| value.is_none()).count() {
            0 => shown,
            failed => format!("{shown}, {failed} failed"),
        }
    }

    fn shown(&self, number: usize, place: usize, figure: &Figure, program: Program, value: Spread) -> String {
        let own = figure.unit.show(value.median);
        if program == Program::Floor && figure.shown != Shown::Value {
            return own;
        }
        let multiple = self
            .ratio(number, place, program)
            .map(|ratio| format!("×{} [{}–{}]", digits(ratio.median), digits(ratio.min), digits(ratio.max)));
        match (figure.shown, multiple) {
            (Shown::Value, _) | (_, None) if figure.unit == Unit::YesNo => own,
            (Shown::Value, _) | (_, None) => {
                format!("{own} [{}–{}]", figure.unit.number(value.min), figure.unit.number(value.max))
            }
            (Shown::Ratio, Some(multiple)) => multiple,
            (Shown::RatioAndValue, Some(multiple)) => format!("{multiple}, {own}"),
        }
    }

    /// All figures as JSON, for programs.
    pub(crate) fn json(&self, rows: &[Row]) -> Vec<Value> {
        let mut lines = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            for (place, figure) in row.figures.iter().enumerate() {
                let rounds = |program: &Program| {
                    (program.name().to_owned(), json!(self.rounds(number, place, *program)))
                };
                let programs: Map<String, Value> = row.programs.iter().map(rounds).collect();
                lines.push(json!({
                    "group": row.group,
                    "name": figure.name,
                    "unit": figure.unit.symbol(),
                    "rounds": programs,
                }));
            }
        }
        lines
    }
}

impl Unit {
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Bytes => "B",
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
            Self::Nanoseconds => "ns",
            Self::Times => "×",
            Self::Count | Self::YesNo => "",
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Times => format!("×{}", digits(value)),
            Self::Count | Self::YesNo => self.number(value),
            _ => format!("{} {}", self.number(value), self.symbol()),
        }
    }

    fn number(self, value: f64) -> String {
        match self {
            Self::YesNo if value > 0.0 => "yes".to_owned(),
            Self::YesNo => "no".to_owned(),
            Self::Count => format!("{value:.0}"),
            _ => digits(value),
        }
    }
}

/// At least three digits, and all digits before the point.
fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}
