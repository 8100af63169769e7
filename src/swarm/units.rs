//! Numbers for people: three digits, a unit that fits, and words that agree with the number.

/// What is printed for NaN, for infinity and for negative numbers.
const UNKNOWN: &str = "?";

const TIMES: [(f64, &str); 5] = [(1.0, " ns"), (1e3, " µs"), (1e6, " ms"), (1e9, " s"), (3.6e12, " h")];
const SIZES: [(f64, &str); 5] = [
    (1.0, " B"),
    (1024.0, " KiB"),
    (1_048_576.0, " MiB"),
    (1_073_741_824.0, " GiB"),
    (1_099_511_627_776.0, " TiB"),
];
const SPEEDS: [(f64, &str); 4] = [(1.0, " B/s"), (1e3, " kB/s"), (1e6, " MB/s"), (1e9, " GB/s")];
const COUNTS: [(f64, &str); 4] = [(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")];

/// A time.
pub(super) fn time(nanoseconds: f64) -> String {
    scaled(nanoseconds, &TIMES)
}

/// A time.
pub(super) fn seconds(seconds: f64) -> String {
    scaled(seconds * 1e9, &TIMES)
}

/// An amount of memory.
pub(super) fn size(bytes: f64) -> String {
    scaled(bytes, &SIZES)
}

/// Bytes in a second.
pub(super) fn speed(bytes_per_second: f64) -> String {
    scaled(bytes_per_second, &SPEEDS)
}

/// A count at the tick of an axis, where there is little space.
pub(super) fn count_tick(count: f64) -> String {
    without_zeros(&scaled(count, &COUNTS))
}

/// A time at the tick of an axis.
pub(super) fn time_tick(nanoseconds: f64) -> String {
    without_zeros(&time(nanoseconds))
}

/// A share, where 1 is the whole.
pub(super) fn percent(share: f64) -> String {
    scaled(share * 100.0, &[(1.0, "%")])
}

/// A whole number with all of its digits.
pub(super) fn whole(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The word that agrees with a number: `one` for 1, and `other` for any other number, also for 0.
pub fn agree<'a>(number: u64, one: &'a str, other: &'a str) -> &'a str {
    if number == 1 { one } else { other }
}

/// A number with the word that agrees with it.
pub(super) fn counted(number: u64, one: &str, other: &str) -> String {
    format!("{} {}", whole(number), agree(number, one, other))
}

/// A number in a second, with the word that agrees with it. It is a whole number, unless it is small.
pub(super) fn rate(per_second: f64, one: &str, other: &str) -> String {
    let number = if per_second >= 100.0 && per_second.is_finite() {
        whole(per_second.round() as u64)
    } else {
        scaled(per_second, &[(1.0, "")])
    };
    let what = if number == "1" { one } else { other };
    let gap = if what.is_empty() { "" } else { " " };
    format!("{number}{gap}{what}/s")
}

/// Three digits in the largest of `units` that keeps the number at 1 or above.
fn scaled(number: f64, units: &[(f64, &str)]) -> String {
    if !number.is_finite() || number < 0.0 {
        return UNKNOWN.to_owned();
    }
    // A number that is rounded up to the next unit is written in that unit, not as 1000 µs.
    let fits = |&&(factor, _): &&(f64, &str)| number >= factor || three_digits(number) >= factor;
    let &(factor, unit) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    let rounded = three_digits(number / factor);
    let decimals = match rounded {
        _ if factor == 1.0 && rounded.fract() == 0.0 => 0,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{rounded:.decimals$}{unit}")
}

/// Removes zeros at the end of the decimals, which are only useful in a column.
fn without_zeros(text: &str) -> String {
    let unit_at = text.find(|letter: char| letter != '.' && !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').to_owned() + unit,
        false => text.to_owned(),
    }
}

/// Rounds to three digits, but keeps at least two decimals.
fn three_digits(number: f64) -> f64 {
    let above_hundred = number.max(1.0).log10().floor() - 2.0;
    let step = 10f64.powf(-above_hundred);
    (number * step).round() / step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_three_digits_and_the_unit_that_fits() {
        for (nanoseconds, text) in [
            (0.0, "0 ns"),
            (7.0, "7 ns"),
            (423.4, "423 ns"),
            (999.4, "999 ns"),
            (999.6, "1.00 µs"),
            (1_234.0, "1.23 µs"),
            (12_340.0, "12.3 µs"),
            (999_499.0, "999 µs"),
            (999_500.0, "1.00 ms"),
            (1e9, "1.00 s"),
            (9_996e6, "10.0 s"),
            (3_599e9, "1.00 h"),
            (u64::MAX as f64, "5120000 h"),
            (f64::NAN, "?"),
            (f64::INFINITY, "?"),
            (-1.0, "?"),
        ] {
            assert_eq!(time(nanoseconds), text);
        }
        assert_eq!(seconds(0.81), "810 ms");
        assert_eq!(size(1_024.0), "1.00 KiB");
        assert_eq!(size(5_939.2), "5.80 KiB");
        assert_eq!(speed(51.85e6), "51.9 MB/s");
        assert_eq!([0.0, 250_000.0, 1.5e6, 1e9].map(count_tick), ["0", "250k", "1.5M", "1G"]);
        assert_eq!([1.0, 1e4, 1e8, 1e9].map(time_tick), ["1 ns", "10 µs", "100 ms", "1 s"]);
        assert_eq!(percent(0.983), "98.3%");
        assert_eq!(percent(0.0004), "0.04%");
    }

    #[test]
    fn words_agree_with_their_number() {
        for (number, text) in [(0, "0 rounds"), (1, "1 round"), (2, "2 rounds"), (1_001, "1,001 rounds")] {
            assert_eq!(counted(number, "round", "rounds"), text);
            let verb = if number == 1 { "has" } else { "have" };
            assert_eq!(agree(number, "has", "have"), verb);
        }
        for (per_second, text) in
            [(0.0, "0 messages/s"), (0.5, "0.50 messages/s"), (1.0, "1 message/s"), (2.0, "2 messages/s")]
        {
            assert_eq!(rate(per_second, "message", "messages"), text);
        }
    }

    #[test]
    fn whole_numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (123_456, "123,456"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(whole(number), text);
        }
        assert_eq!(rate(1_234_567.4, "message", "messages"), "1,234,567 messages/s");
        assert_eq!(rate(12.34, "", ""), "12.3/s");
        assert_eq!(rate(0.0, "", ""), "0/s");
        assert_eq!(rate(f64::NAN, "", ""), "?/s");
    }
}
