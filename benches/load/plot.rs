//! One picture for each group of rows: the figure of each program, divided by the floor's figure.

use super::rows::{Program, Row, Shown};
use super::table::{Results, Spread};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::fs;
use std::ops::Range;
use std::path::Path;

type Fault = Box<dyn Error>;

/// Width and height, in pixels, and the margins around the bars.
const SIZE: (i32, i32) = (960, 480);
const TOP: i32 = 80;
const BOTTOM: i32 = 60;
const SIDE: i32 = 56;

const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(51, 51, 51);
const GRID: RGBColor = RGBColor(226, 226, 226);

/// The colours, in the order of the programs; the floor is the line at 1.
const COLORS: [RGBColor; 9] = [
    RGBColor(0, 0, 0),
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(86, 180, 233),
    RGBColor(204, 121, 167),
    RGBColor(120, 94, 240),
    RGBColor(128, 128, 128),
];

/// The bars of one figure.
struct Cluster<'a> {
    name: &'a str,
    bars: Vec<(Program, Spread)>,
}

/// Draws all groups that have ratios into a folder.
pub(crate) fn draw(folder: &Path, rows: &[Row], results: &Results) -> Result<(), Fault> {
    fs::create_dir_all(folder)?;
    let mut groups: Vec<&str> = rows.iter().map(|row| row.group).collect();
    groups.dedup();
    for group in groups {
        let clusters = clusters(rows, results, group);
        if !clusters.is_empty() {
            let file = folder.join(group.replace(' ', "-")).with_extension("svg");
            picture(&file, group, &clusters)?;
        }
    }
    Ok(())
}

fn clusters<'a>(rows: &'a [Row], results: &Results, group: &str) -> Vec<Cluster<'a>> {
    let mut clusters = Vec::new();
    for (number, row) in rows.iter().enumerate().filter(|(_, row)| row.group == group) {
        for (place, figure) in
            row.figures.iter().enumerate().filter(|(_, figure)| figure.shown != Shown::Value)
        {
            let others = row.programs.iter().filter(|&&program| program != Program::Floor);
            let bar = |&program| Some((program, results.ratio(number, place, program)?));
            let bars: Vec<(Program, Spread)> = others.filter_map(bar).collect();
            clusters.extend((!bars.is_empty()).then_some(Cluster { name: &figure.name, bars }));
        }
    }
    clusters
}

fn picture(file: &Path, group: &str, clusters: &[Cluster<'_>]) -> Result<(), Fault> {
    let root = SVGBackend::new(file, (SIZE.0 as u32, SIZE.1 as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let text = |size: i32, horizontal, vertical| {
        (FONT, size).into_font().color(&INK).pos(Pos::new(horizontal, vertical))
    };
    let title = format!("{group}: times the floor, median and range (logarithmic)");
    root.draw_text(&title, &text(20, HPos::Left, VPos::Top), (SIDE, 12))?;
    let scale = Scale::of(clusters);
    for power in scale.0.clone() {
        let y = scale.y(f64::from(power).exp2());
        let style = if power == 0 { INK } else { GRID };
        root.draw(&PathElement::new([(SIDE, y), (SIZE.0 - SIDE, y)], style))?;
        root.draw_text(&label(power), &text(13, HPos::Right, VPos::Center), (SIDE - 8, y))?;
    }
    let width = (SIZE.0 - 2 * SIDE) / clusters.len() as i32;
    for (left, cluster) in (SIDE..).step_by(width as usize).zip(clusters) {
        let bar_width = (width * 4 / 5) / cluster.bars.len() as i32;
        for (x, (program, ratio)) in
            (left + width / 10..).step_by(bar_width.max(1) as usize).zip(&cluster.bars)
        {
            let bar = [(x, scale.y(1.0)), (x + bar_width - 2, scale.y(ratio.median))];
            root.draw(&Rectangle::new(bar, color(*program).filled()))?;
            let middle = x + bar_width / 2;
            root.draw(&PathElement::new([(middle, scale.y(ratio.min)), (middle, scale.y(ratio.max))], INK))?;
        }
        // The name is split into lines, because a cluster is narrow.
        for (line, part) in wrapped(cluster.name, width).iter().enumerate() {
            let at = (left + width / 2, SIZE.1 - BOTTOM + 6 + 13 * line as i32);
            root.draw_text(part, &text(11, HPos::Center, VPos::Top), at)?;
        }
    }
    let mut x = SIDE;
    let is_drawn = |program: &Program| {
        clusters.iter().any(|cluster| cluster.bars.iter().any(|(drawn, _)| drawn == program))
    };
    for program in Program::ALL.into_iter().filter(is_drawn) {
        root.draw(&Rectangle::new([(x, 46), (x + 12, 58)], color(program).filled()))?;
        root.draw_text(program.name(), &text(13, HPos::Left, VPos::Center), (x + 18, 52))?;
        x += 40 + 8 * program.name().len() as i32;
    }
    root.present()?;
    Ok(())
}

/// The powers of two that fit on the axis.
struct Scale(Range<i32>);

impl Scale {
    fn of(clusters: &[Cluster<'_>]) -> Self {
        let ratios = clusters.iter().flat_map(|cluster| &cluster.bars).map(|(_, ratio)| ratio);
        let (min, max) =
            ratios.fold((0.9f64, 2.0f64), |(min, max), ratio| (min.min(ratio.min), max.max(ratio.max)));
        Self(min.max(1e-3).log2().floor() as i32..max.log2().ceil() as i32 + 1)
    }

    fn y(&self, ratio: f64) -> i32 {
        let (low, high) = (f64::from(self.0.start), f64::from(self.0.end - 1));
        let part = (ratio.max(1e-3).log2() - low) / (high - low);
        SIZE.1 - BOTTOM - (part * f64::from(SIZE.1 - BOTTOM - TOP)) as i32
    }
}

fn label(power: i32) -> String {
    if power < 0 { format!("1/{}", 1 << -power) } else { (1 << power).to_string() }
}

fn color(program: Program) -> RGBColor {
    let place = Program::ALL.iter().position(|&other| other == program);
    COLORS[place.unwrap_or(0)]
}

/// The text in lines of about so many pixels.
fn wrapped(text: &str, width: i32) -> Vec<String> {
    let letters = (width / 6).max(8) as usize;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + word.len() < letters {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
