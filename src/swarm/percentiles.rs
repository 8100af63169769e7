//! A histogram as HdrHistogram's percentile text, which its plotter loads: a `.hgrm` file. Each holds one kind of time.

use hdrhistogram::Histogram;
use std::fmt::Write;

/// Lines for each halving of the distance to 100 %, as in Java's output.
const TICKS: u32 = 5;

/// Values are in milliseconds, the unit that the plotter expects; six decimals keep whole nanoseconds.
const NANOSECONDS: f64 = 1e6;

/// The percentiles of a histogram of nanoseconds, as text.
pub fn text(times: &Histogram<u64>) -> String {
    let mut text =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut count = 0;
    for step in times.iter_quantiles(TICKS) {
        count += step.count_since_last_iteration();
        let (value, quantile) = (step.value_iterated_to() as f64 / NANOSECONDS, step.quantile_iterated_to());
        let _ = write!(text, "{value:12.6} {quantile:14.12} {count:10}");
        // The last line is at 100 %, where this quotient is infinite.
        if quantile < 1.0 {
            let _ = write!(text, " {:14.2}", 1.0 / (1.0 - quantile));
        }
        text.push('\n');
    }
    let [mean, deviation, max] = [times.mean(), times.stdev(), times.max() as f64].map(|it| it / NANOSECONDS);
    let _ = writeln!(text, "#[Mean    = {mean:12.6}, StdDeviation   = {deviation:12.6}]");
    let _ = writeln!(text, "#[Max     = {max:12.6}, Total count    = {:12}]", times.len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::report::tests::histogram;

    #[test]
    fn the_text_has_the_form_that_the_plotter_loads() {
        const WANTED: &str = "       Value     Percentile TotalCount 1/(1-Percentile)

    1.000447 0.000000000000          1           1.00
    1.000447 0.100000000000          1           1.11
    1.000447 0.200000000000          1           1.25
    2.000895 0.300000000000          2           1.43
    2.000895 0.400000000000          2           1.67
    2.000895 0.500000000000          2           2.00
    3.000319 0.550000000000          3           2.22
    3.000319 0.600000000000          3           2.50
    3.000319 0.650000000000          3           2.86
    3.000319 0.700000000000          3           3.33
    4.001791 0.750000000000          4           4.00
    4.001791 1.000000000000          4
#[Mean    =     2.500160, StdDeviation   =     1.118106]
#[Max     =     4.001791, Total count    =            4]
";
        assert_eq!(text(&histogram(&[1_000_000, 2_000_000, 3_000_000, 4_000_000])), WANTED);
        assert!(text(&histogram(&[])).ends_with("Total count    =            0]\n"));
    }
}
