//! The result of a run as a picture: messages over time, and below them the percentiles of each kind of time. It is
//! an SVG that needs no other file.

use super::plan::Scenario;
use super::report::{Report, Times};
use super::tally::Measure;
use super::units::{count_tick, counted, time_tick, whole};
use crate::limits::PLOT_POINTS;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::fmt::Display;
use std::ops::Range;

/// Width and height, in pixels.
const SIZE: (u32, u32) = (960, 720);

/// The height of the title, in pixels.
const TITLE: u32 = 64;

/// The space to the right of a chart, in pixels, where the legend of the times is.
const LEGEND: u32 = 136;

/// What the picture says if there is nothing to draw.
const NOTHING: &str = "This run counted no messages over time and measured no times.";

const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(51, 51, 51);
const PALE: RGBColor = RGBColor(110, 110, 110);
const GRID: RGBColor = RGBColor(226, 226, 226);

/// The colours of Okabe and Ito, which colour-blind people can tell apart too; without their yellow, which is too
/// pale on white.
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A linear axis with ticks of our choice, which the library's own axis does not allow.
struct Axis {
    scale: RangedCoordf64,
    ticks: Vec<f64>,
}

/// The percentiles of one kind of time: the number of nines on one axis, the logarithm of nanoseconds on the other.
struct Curve {
    measure: Measure,
    points: Vec<(f64, f64)>,
}

/// Draws a report.
///
/// Fails with a sentence if a histogram of the report cannot be read.
pub fn svg(report: &Report) -> Result<String, String> {
    let curves = report
        .times
        .iter()
        // Lateness says something about the generator and not about the target.
        .filter(|(measure, times)| **measure != Measure::Lateness && times.count > 0)
        .map(|(&measure, times)| Curve::new(measure, times))
        .collect::<Result<Vec<Curve>, String>>()?;
    let rates = rates(report);
    let mut text = String::new();
    draw(&mut text, report, &rates, &curves)
        .map_err(|error| format!("The picture cannot be drawn: {error}."))?;
    Ok(text)
}

fn draw(text: &mut String, report: &Report, rates: &[(f64, f64)], curves: &[Curve]) -> Result<(), String> {
    let picture = SVGBackend::with_string(text, SIZE).into_drawing_area();
    picture.fill(&WHITE).map_err(fault)?;
    let (head, body) = picture.split_vertically(TITLE);
    title(&head, report)?;
    match (rates.is_empty(), curves.is_empty()) {
        (false, false) => {
            let (above, below) = body.split_vertically((SIZE.1 - TITLE) * 9 / 20);
            throughput(&above, report, rates)?;
            latency(&below, curves)?;
        }
        (false, true) => throughput(&body, report, rates)?,
        (true, false) => latency(&body, curves)?,
        (true, true) => {
            let (width, height) = body.dim_in_pixel();
            let style = font(18, PALE).pos(Pos::new(HPos::Center, VPos::Center));
            let at = (width as i32 / 2, height as i32 / 2);
            body.draw_text(NOTHING, &style, at).map_err(fault)?;
        }
    }
    picture.present().map_err(fault)
}

fn title(area: &Area<'_>, report: &Report) -> Result<(), String> {
    let setup = &report.setup;
    let peers = setup.peers as u64;
    let who = match setup.scenario {
        Scenario::Churn => counted(peers, "connection", "connections"),
        _ => counted(peers, "peer", "peers"),
    };
    let title = format!("{}: {who}, to {}", setup.scenario.name(), setup.target);
    let mut below = report.program.clone();
    if setup.has_batches() && setup.batch > 1 {
        below += &format!(", {} messages in a batch", whole(setup.batch as u64));
    }
    if setup.has_messages() {
        below += &format!(", {} bytes each", whole(setup.message_bytes as u64));
    }
    area.draw_text(&printable(&title), &font(25, INK), (24, 14)).map_err(fault)?;
    area.draw_text(&printable(&below), &font(15, PALE), (24, 42)).map_err(fault)
}

/// Messages a second as steps, with two corners for each interval, up to the end of the run, so that a stall at the
/// end is visible. Empty if there were no messages.
fn rates(report: &Report) -> Vec<(f64, f64)> {
    let timeline = &report.timeline;
    let interval = timeline.interval.as_secs_f64();
    if interval <= 0.0 || timeline.slots.iter().all(|&messages| messages == 0) {
        return Vec::new();
    }
    let last = timeline.slots.len() - 1;
    let step = |(slot, &messages): (usize, &u64)| {
        let begin = slot as f64 * interval;
        // The run ended within the last interval. Its length counts as at least a tenth of an interval, or a few
        // messages in it would look like thousands a second.
        let length =
            if slot == last { (report.seconds - begin).clamp(interval / 10.0, interval) } else { interval };
        let length = if length.is_nan() { interval } else { length };
        let rate = messages as f64 / length;
        [(begin, rate), (begin + length, rate)]
    };
    let mut steps: Vec<(f64, f64)> = timeline.slots.iter().enumerate().flat_map(step).collect();
    let end = timeline.slots.len() as f64 * interval;
    if report.seconds.is_finite() && report.seconds > end {
        steps.extend([(end, 0.0), (report.seconds, 0.0)]);
    }
    steps
}

fn throughput(area: &Area<'_>, report: &Report, rates: &[(f64, f64)]) -> Result<(), String> {
    let seconds = rates.last().map_or(1.0, |&(at, _)| at);
    let highest = rates.iter().map(|&(_, rate)| rate).fold(0.0, f64::max);
    let (x_ticks, y_ticks) = (round_ticks(seconds, 10), round_ticks(highest * 1.05, 5));
    let top = y_ticks.last().copied().unwrap_or(highest).max(highest * 1.05);
    let what = match report.setup.scenario {
        Scenario::Churn => "connections per second",
        Scenario::FanOut { .. } => "deliveries per second",
        Scenario::Ping { .. } => "answers per second",
        _ => "messages per second",
    };
    let mut chart = builder(area)
        .build_cartesian_2d(Axis::new(0.0..seconds, x_ticks), Axis::new(0.0..top, y_ticks))
        .map_err(fault)?;
    mesh(&mut chart, ("seconds", &|at| plain_number(*at)), (what, &|rate| count_tick(*rate)))?;
    let color = COLORS[0];
    let steps = AreaSeries::new(rates.iter().copied(), 0.0, color.mix(0.18));
    chart.draw_series(steps.border_style(color.stroke_width(2))).map_err(fault)?;
    Ok(())
}

fn latency(area: &Area<'_>, curves: &[Curve]) -> Result<(), String> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let right = points().map(|point| point.0).fold(1.0, f64::max);
    let low = points().map(|point| point.1).fold(f64::INFINITY, f64::min).floor();
    let high = points().map(|point| point.1).fold(low + 1.0, f64::max).ceil();
    let x_ticks = NINES.iter().map(|&(nines, _)| nines).filter(|&nines| nines <= right);
    // If there are few powers of ten, also 2 and 5 times each of them.
    let within: &[f64] = if high - low > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let y_ticks = (low as i32..=high as i32)
        .flat_map(|power| within.iter().map(move |factor| f64::from(power) + factor.log10()))
        .filter(|&tick| tick <= high)
        .collect();
    let mut chart = builder(area)
        .build_cartesian_2d(Axis::new(0.0..right, x_ticks.collect()), Axis::new(low..high, y_ticks))
        .map_err(fault)?;
    let name = |nines: &f64| {
        let tick = NINES.iter().find(|(tick, _)| tick == nines);
        tick.map_or_else(String::new, |(_, name)| (*name).to_owned())
    };
    mesh(&mut chart, ("percentile", &name), ("time", &|exponent| time_tick(10f64.powf(*exponent))))?;
    for curve in curves {
        let color = curve.color();
        let line = LineSeries::new(curve.points.iter().copied(), color.stroke_width(2));
        chart.draw_series(line).map_err(fault)?;
    }
    legend(area, curves)
}

/// The legend is beside the chart, since lines may pass through every corner of it.
fn legend(area: &Area<'_>, curves: &[Curve]) -> Result<(), String> {
    let left = (SIZE.0 - LEGEND) as i32 + 14;
    // The highest line comes first, as in the chart.
    let mut curves: Vec<&Curve> = curves.iter().collect();
    curves.sort_by(|one, other| other.highest().total_cmp(&one.highest()));
    for (y, curve) in (18..).step_by(22).zip(curves) {
        let sample = PathElement::new([(left, y), (left + 22, y)], curve.color().stroke_width(3));
        area.draw(&sample).map_err(fault)?;
        let style = font(15, INK).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw_text(curve.measure.name(), &style, (left + 30, y)).map_err(fault)?;
    }
    Ok(())
}

/// The ticks of the percentiles: their number of nines, and their names.
const NINES: [(f64, &str); 10] = [
    (0.0, "0"),
    (std::f64::consts::LOG10_2, "50"),
    (1.0, "90"),
    (2.0, "99"),
    (3.0, "99.9"),
    (4.0, "99.99"),
    (5.0, "99.999"),
    (6.0, "99.9999"),
    (7.0, "99.99999"),
    (8.0, "99.999999"),
];

impl Axis {
    fn new(range: Range<f64>, ticks: Vec<f64>) -> Self {
        Self { scale: range.into(), ticks }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.scale.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.scale.range()
    }
}

impl Curve {
    /// A line from the shortest time to the longest. Each of `count` times stands for an equal share of them all
    /// and is drawn at the middle of its share: the last one half a share below 100 %.
    fn new(measure: Measure, times: &Times) -> Result<Self, String> {
        let histogram = times.to_histogram().map_err(|error| format!("{}: {error}", measure.name()))?;
        let count = histogram.len().max(1) as f64;
        let mut recorded = histogram.iter_recorded();
        let (mut seen, mut nanoseconds) = (0, 1);
        let point = |place| {
            let nines = (2.0 * count).log10() * f64::from(place) / f64::from(PLOT_POINTS);
            let rank = (count * (1.0 - 10f64.powf(-nines))).ceil().clamp(1.0, count) as u64;
            while seen < rank
                && let Some(value) = recorded.next()
            {
                seen += value.count_since_last_iteration();
                nanoseconds = value.value_iterated_to().max(1);
            }
            (nines, (nanoseconds as f64).log10())
        };
        Ok(Self { measure, points: (0..=PLOT_POINTS).map(point).collect() })
    }

    /// Where its line ends.
    fn highest(&self) -> f64 {
        self.points.last().map_or(0.0, |point| point.1)
    }

    /// A measure has the same colour in all pictures. Lateness is in none.
    fn color(&self) -> RGBColor {
        COLORS[match self.measure {
            Measure::Dial => 0,
            Measure::Answer => 1,
            Measure::RoundTrip => 2,
            Measure::Exchange => 3,
            Measure::Delivery => 4,
            Measure::ToAll => 5,
            Measure::Handshake | Measure::Lateness => 6,
        }]
    }
}

fn builder<'a, 'b>(area: &'a Area<'b>) -> ChartBuilder<'a, 'a, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder.margin(8).margin_right(LEGEND).x_label_area_size(52).y_label_area_size(84);
    builder
}

/// The labels of an axis: its name, and the text for a place on it.
type Labels<'a> = (&'a str, &'a dyn Fn(&f64) -> String);

fn mesh(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<Axis, Axis>>,
    (x_name, x_label): Labels<'_>,
    (y_name, y_label): Labels<'_>,
) -> Result<(), String> {
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(PALE)
        .label_style(font(14, INK))
        .axis_desc_style(font(16, INK))
        .x_desc(x_name)
        .y_desc(y_name)
        .x_label_formatter(x_label)
        .y_label_formatter(y_label)
        .draw()
        .map_err(fault)
}

fn font(size: u32, color: RGBColor) -> TextStyle<'static> {
    (FONT, size).into_font().color(&color)
}

/// From zero to `end`, at most `count` steps of 1, 2 or 5 times a power of ten.
fn round_ticks(end: f64, count: u32) -> Vec<f64> {
    let least = end / f64::from(count);
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|&step| step >= least);
    let step = step.filter(|step| step.is_normal()).unwrap_or(end);
    (0..=count).map(|place| f64::from(place) * step).take_while(|&at| at <= end * (1.0 + 1e-9)).collect()
}

/// The number with as few decimals as possible.
fn plain_number(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The text without the characters that XML does not allow, and without all control characters.
fn printable(text: &str) -> String {
    let is_allowed = |letter: &char| !letter.is_control() && !matches!(letter, '\u{fffe}' | '\u{ffff}');
    text.chars().filter(is_allowed).collect()
}

fn fault(error: impl Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::{full, histogram, minimal};
    use super::super::tally::Timeline;
    use super::*;
    use roxmltree::{Document, Node};
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn color(measure: Measure) -> String {
        let RGBColor(red, green, blue) = Curve { measure, points: vec![] }.color();
        format!("#{red:02X}{green:02X}{blue:02X}")
    }

    fn texts(document: &Document<'_>) -> Vec<String> {
        let is_text = |node: &Node<'_, '_>| node.has_tag_name(("http://www.w3.org/2000/svg", "text"));
        let text = |node: Node<'_, '_>| node.text().unwrap_or_default().trim().to_owned();
        document.descendants().filter(is_text).map(text).collect()
    }

    /// The number of lines of this colour with more corners than a line of the legend or of an axis has.
    fn lines(document: &Document<'_>, color: &str) -> usize {
        let is_line = |node: &Node<'_, '_>| {
            node.tag_name().name() == "polyline"
                && node.attribute("stroke") == Some(color)
                && node.attribute("points").unwrap_or_default().split_whitespace().count() > 2
        };
        document.descendants().filter(is_line).count()
    }

    #[test]
    fn the_picture_has_a_title_axes_and_a_line_for_each_measure() {
        let report = full();
        let text = svg(&report).unwrap();
        let document = Document::parse(&text).unwrap();
        let texts = texts(&document);
        for wanted in [
            "flood: 1,003 peers, to 127.0.0.1:5000",
            "chinwag 1.2.3, 64 messages in a batch, 42 bytes each",
            "seconds",
            "messages per second",
            "percentile",
            "time",
            "99.9",
            "500k",
            "10 µs",
            "round-trip",
        ] {
            assert!(texts.iter().any(|text| text == wanted), "{wanted} is not among {texts:?}");
        }
        for measure in report.times.keys().filter(|&&measure| measure != Measure::Lateness) {
            let of_throughput = usize::from(*measure == Measure::Dial);
            assert_eq!(lines(&document, &color(*measure)), 1 + of_throughput, "{measure:?}");
        }
        assert_eq!(lines(&document, &color(Measure::Lateness)), 0);
        assert!(!text.contains("href") && !text.contains("url("));
    }

    #[test]
    fn a_chart_without_data_leaves_its_place_to_the_other() {
        let height = |report: &Report, name: &str| {
            let text = svg(report).unwrap();
            let document = Document::parse(&text).unwrap();
            let is_axis = |node: &Node<'_, '_>| node.text().unwrap_or_default().trim() == name;
            let axis = document.descendants().find(|node| node.is_element() && is_axis(node));
            axis.map(|node| node.attribute("y").unwrap().parse::<i32>().unwrap())
        };
        let mut report = full();
        assert!(height(&report, "seconds") < Some(400) && height(&report, "percentile") > Some(650));
        report.times.clear();
        assert!(height(&report, "seconds") > Some(650) && height(&report, "percentile").is_none());
        report.times = full().times;
        report.timeline.slots.clear();
        assert!(height(&report, "seconds").is_none() && height(&report, "percentile") > Some(650));
        let empty = svg(&minimal()).unwrap();
        let texts = texts(&Document::parse(&empty).unwrap());
        assert_eq!(texts.last().unwrap(), NOTHING);
    }

    #[test]
    fn a_line_goes_from_the_shortest_time_to_the_longest() {
        let values: Vec<u64> = (1..=1000).collect();
        let curve = Curve::new(Measure::Dial, &Times::new(&histogram(&values))).unwrap();
        assert_eq!((curve.points[0], curve.highest()), ((0.0, 0.0), 3.0));
        let at = |nines| curve.points.iter().find(|point| point.0 >= nines).unwrap().1;
        for (nines, value) in [(0.301, 500f64), (1.0, 900.0), (2.0, 990.0), (3.0, 999.0)] {
            assert!((at(nines) - value.log10()).abs() < 0.01, "{nines}");
        }
    }

    #[test]
    fn a_histogram_that_cannot_be_read_is_named() {
        let mut report = full();
        report.times.get_mut(&Measure::Answer).unwrap().histogram.clear();
        assert_eq!(svg(&report), Err("answer: A histogram is incomplete.".to_owned()));
    }

    #[test]
    fn extreme_reports_become_pictures_too() {
        let timeless = Report { times: BTreeMap::new(), ..full() };
        let mut reports = vec![minimal(), full()];
        for values in [&[][..], &[1], &[u64::MAX], &[1, u64::MAX], &[999; 1000]] {
            let mut report = full();
            report.times = [(Measure::ToAll, Times::new(&histogram(values)))].into();
            reports.push(report);
        }
        let tick = Duration::from_nanos(1);
        for interval in [Duration::ZERO, tick, Duration::from_millis(100), Duration::MAX] {
            for slots in [vec![0, 0], vec![1], vec![u64::MAX; 600], vec![0, 1, 0]] {
                for seconds in [0.0, 0.05, 1e300, f64::NAN, f64::INFINITY, -1.0] {
                    let timeline = Timeline { interval, slots: slots.clone() };
                    reports.push(Report { timeline, seconds, ..timeless.clone() });
                }
            }
        }
        reports[1].program = "a\u{0}<b>&\"'\u{1b}\u{ffff}".to_owned();
        reports[1].setup.peers = usize::MAX;
        for report in &reports {
            let text = svg(report).unwrap();
            Document::parse(&text).unwrap();
            assert!(!text.contains("NaN") && !text.contains("inf"), "{:?}", report.timeline);
        }
    }

    #[test]
    fn a_stall_at_the_end_is_drawn() {
        let timeline = Timeline { interval: Duration::from_millis(100), slots: vec![10, 10] };
        let report = |seconds| Report { timeline: timeline.clone(), seconds, ..full() };
        let corners = |seconds| rates(&report(seconds));
        assert_eq!(corners(0.2).last(), Some(&(0.2, 100.0)));
        assert_eq!(corners(5.0)[3..], [(0.2, 100.0), (0.2, 0.0), (5.0, 0.0)]);
        let text = svg(&report(5.0)).unwrap();
        assert!(texts(&Document::parse(&text).unwrap()).iter().any(|text| text == "5"));
    }

    #[test]
    fn ticks_are_round_and_few() {
        for (end, ticks) in [
            (0.81, vec![0.0, 0.2, 0.4, 0.6000000000000001, 0.8]),
            (10.0, vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0]),
            (1_000_001.0, vec![0.0, 500_000.0, 1_000_000.0]),
        ] {
            assert_eq!(round_ticks(end, 5), ticks);
        }
        assert_eq!(plain_number(0.2 + 0.4), "0.6");
        assert_eq!(plain_number(20.0), "20");
    }
}
