//! Histograms as text: one alone in base64, or several as an interval log of HdrHistogram, which its standard tools
//! read.
//!
//! The text that is read may be anything. Each fault is reported in a sentence, and no text takes more than a few
//! megabytes of memory.

use super::report::{PROGRAM, Report, Times};
use super::tally::{Measure, new_histogram};
use crate::limits::{HISTOGRAM_BYTES_MAX, HISTOGRAM_VALUES_MAX, LATENCY_DIGITS, ODD_TAG_CHARS};
use data_encoding::BASE64;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{
    IntervalLogHistogram, IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag,
};
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Read;
use std::time::{Duration, UNIX_EPOCH};

/// The first bytes of a histogram that is compressed.
const COMPRESSED: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();

/// All that comes before the counts of a histogram that is not compressed, in bytes.
const HEADER: usize = 40;

/// The greatest value of an interval, which is only for people, is in milliseconds, as in Java's logs.
const NANOSECONDS_OF_MAX: f64 = 1e6;

/// What an interval log contains.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// When the first interval began, in seconds since 1970.
    pub began_at: u64,
    /// The length of the longest interval, in seconds.
    pub seconds: f64,
    /// The times of all intervals, added up for each kind of time.
    pub times: BTreeMap<Measure, Histogram<u64>>,
}

/// One histogram, compressed, in base64; empty if a count is beyond 2^63, for which the format has no room.
pub fn encode(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    match V2DeflateSerializer::new().serialize(histogram, &mut bytes) {
        Ok(_) => BASE64.encode(&bytes),
        Err(_) => String::new(),
    }
}

/// The inverse of [`encode`]. The histogram grows when values are added to it.
///
/// Fails with a sentence on anything but a whole histogram of at most [`LATENCY_DIGITS`] digits.
pub fn decode(text: &str) -> Result<Histogram<u64>, String> {
    let compressed =
        BASE64.decode(text.as_bytes()).map_err(|error| sentence("A histogram is not base64", error))?;
    let plain = inflate(&compressed)?;
    check(&plain)?;
    let mut histogram: Histogram<u64> = Deserializer::new()
        .deserialize(&mut &plain[..])
        .map_err(|error| sentence("A histogram does not follow its format", error))?;
    check_values(&histogram)?;
    histogram.auto(true);
    Ok(histogram)
}

impl Log {
    /// Adds the times of another log, as if one generator had measured them all.
    ///
    /// Fails, and adds nothing, if there are more than can be counted.
    pub fn add(&mut self, other: &Self) -> Result<(), String> {
        let mut times = self.times.clone();
        for (&measure, more) in &other.times {
            add(times.entry(measure).or_insert_with(new_histogram), more)?;
        }
        self.times = times;
        self.began_at = self.began_at.min(other.began_at);
        self.seconds = self.seconds.max(other.seconds);
        Ok(())
    }

    /// The times of a run. Fails if a histogram of the report cannot be read.
    pub fn new(report: &Report) -> Result<Self, String> {
        let histogram = |(&measure, times): (&Measure, &Times)| {
            let histogram = times.to_histogram().map_err(|error| format!("{}: {error}", measure.name()))?;
            Ok((measure, histogram))
        };
        let times = report.times.iter().map(histogram).collect::<Result<_, String>>()?;
        Ok(Self { began_at: report.began_at, seconds: report.seconds, times })
    }

    /// The log as text: one interval for each kind of time, with that kind as its tag.
    ///
    /// Fails if the beginning or the duration of the run is not a valid time.
    pub fn write(&self) -> Result<String, String> {
        let began_at = Duration::from_secs(self.began_at);
        let start =
            UNIX_EPOCH.checked_add(began_at).ok_or("The beginning of the run is not a valid time.")?;
        let length = Duration::try_from_secs_f64(self.seconds)
            .map_err(|error| sentence("The duration of the run is not valid", error))?;
        let mut text = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        let mut log = IntervalLogWriterBuilder::new()
            .add_comment(&format!("[Logged with {PROGRAM}]"))
            .add_comment("[Histogram log format version 1.3]")
            .with_start_time(start)
            .with_max_value_divisor(NANOSECONDS_OF_MAX)
            .begin_log_with(&mut text, &mut serializer)
            .map_err(|error| sentence("The log cannot be written", error))?;
        for (measure, times) in &self.times {
            let name = measure.name();
            log.write_histogram(times, began_at, length, Tag::new(name))
                .map_err(|error| sentence(name, error))?;
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// All intervals of a log, added up by their tags.
///
/// Fails with a sentence that names the line. Every interval must have a tag that is one of ours, since the times
/// of another interval would be lost.
pub fn read_log(text: &str) -> Result<Log, String> {
    let mut log = Log { began_at: u64::MAX, ..Log::default() };
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        // Line by line, since the iterator does not say which line it has read.
        let line = format!("{line}\n");
        let entry = IntervalLogIterator::new(line.as_bytes()).next().transpose();
        match entry.map_err(|_| format!("Line {number} is not a line of an interval log."))? {
            Some(LogEntry::Interval(interval)) => {
                read_interval(&mut log, &interval).map_err(|error| format!("Line {number}: {error}"))?;
            }
            Some(LogEntry::StartTime(_) | LogEntry::BaseTime(_)) | None => {}
        }
    }
    Ok(log)
}

/// Adds the values of `more` to those of `all`.
///
/// Fails if there are more than can be counted.
pub fn add(all: &mut Histogram<u64>, more: &Histogram<u64>) -> Result<(), String> {
    all.add(more).map_err(|error| sentence("Two histograms do not add up", error))?;
    check_values(all)
}

fn read_interval(log: &mut Log, interval: &IntervalLogHistogram<'_>) -> Result<(), String> {
    let tag = interval.tag().ok_or("An interval has no tag that says what was timed.")?;
    let measure = Measure::from_name(&tag).ok_or_else(|| {
        let start: String = tag.chars().take(ODD_TAG_CHARS).collect();
        format!("The tag {start:?} is unknown.")
    })?;
    let times = decode(interval.encoded_histogram()).map_err(|error| format!("Tag {}: {error}", &*tag))?;
    log.began_at = log.began_at.min(interval.start_timestamp().as_secs());
    log.seconds = log.seconds.max(interval.duration().as_secs_f64());
    add(log.times.entry(measure).or_insert_with(new_histogram), &times)
}

/// Undoes the compression, and checks the checksum at its end, which the crate's own reader never reaches.
fn inflate(compressed: &[u8]) -> Result<Vec<u8>, String> {
    let (cookie, rest) = compressed.split_first_chunk::<4>().ok_or("A histogram is incomplete.")?;
    if *cookie != COMPRESSED {
        return Err("A histogram is not in the compressed form V2.".to_owned());
    }
    let (length, rest) = rest.split_first_chunk::<4>().ok_or("A histogram is incomplete.")?;
    if u32::from_be_bytes(*length) as usize != rest.len() {
        return Err("A histogram is longer or shorter than it claims.".to_owned());
    }
    let mut plain = Vec::new();
    ZlibDecoder::new(rest)
        .take(HISTOGRAM_BYTES_MAX as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|error| sentence("A histogram cannot be inflated", error))?;
    if plain.len() > HISTOGRAM_BYTES_MAX {
        return Err(format!("A histogram is larger than {HISTOGRAM_BYTES_MAX} bytes."));
    }
    Ok(plain)
}

/// Refuses a histogram at which the crate's reader would panic, or for which it would take gigabytes of memory.
fn check(plain: &[u8]) -> Result<(), String> {
    let (header, counts) =
        plain.split_at_checked(HEADER).ok_or("The header of a histogram is incomplete.")?;
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if number(4) as usize != counts.len() {
        return Err("A histogram has more or fewer counts than it claims.".to_owned());
    }
    if number(12) > u32::from(LATENCY_DIGITS) {
        return Err(format!("A histogram has {} digits; the most is {LATENCY_DIGITS}.", number(12)));
    }
    // The reader negates negative numbers, and the lowest of them has no opposite. A count that is not too high
    // takes at most eight bytes, and the last of them is less than 0x80. So nine bytes of 0xff can only be that
    // lowest number.
    if counts.windows(9).any(|window| window == [0xff; 9]) {
        return Err("A histogram has a count that is out of range.".to_owned());
    }
    Ok(())
}

fn check_values(histogram: &Histogram<u64>) -> Result<(), String> {
    if histogram.len() > HISTOGRAM_VALUES_MAX {
        return Err(format!(
            "A histogram has {} values; the most is {HISTOGRAM_VALUES_MAX}.",
            histogram.len()
        ));
    }
    Ok(())
}

/// A sentence with what is wrong and with the message of a crate, which may be a sentence or not.
fn sentence(what: &str, error: impl Display) -> String {
    format!("{what}: {}.", error.to_string().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::{full, histogram, minimal};
    use super::*;
    use fastrand::Rng;
    use flate2::Compression;
    use flate2::read::ZlibEncoder;

    /// A histogram with a checksum that fits, whatever is in it.
    fn sealed(plain: &[u8]) -> String {
        let mut compressed = Vec::new();
        ZlibEncoder::new(plain, Compression::fast()).read_to_end(&mut compressed).unwrap();
        let length = (compressed.len() as u32).to_be_bytes();
        BASE64.encode(&[&COMPRESSED[..], &length, &compressed].concat())
    }

    /// The inside of a histogram.
    fn plain(digits: u32, low: u64, high: u64, counts: &[u8]) -> Vec<u8> {
        let mut plain = 0x1c84_9313_u32.to_be_bytes().to_vec();
        for number in [counts.len() as u32, 0, digits] {
            plain.extend(number.to_be_bytes());
        }
        plain.extend(low.to_be_bytes());
        plain.extend(high.to_be_bytes());
        plain.extend(1f64.to_be_bytes());
        plain.extend(counts);
        plain
    }

    fn write_log(report: &Report) -> Result<String, String> {
        Log::new(report)?.write()
    }

    #[test]
    fn a_histogram_comes_back_as_it_went_and_can_grow() {
        for values in [&[][..], &[1], &[1, 2, 3, 1_000_000], &[1, 1 << 62], &[5; 100]] {
            let original = histogram(values);
            let mut read = decode(&encode(&original)).unwrap();
            assert!(read == original && read.max() == original.max(), "{values:?}");
            add(&mut read, &histogram(&[u64::MAX / 2])).unwrap();
            assert_eq!(read.len(), original.len() + 1);
        }
    }

    #[test]
    fn what_is_not_a_histogram_is_refused_in_a_sentence() {
        let good = encode(&histogram(&[1, 2, 3]));
        let many = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00];
        let lowest = [&[0xff; 9][..], &[0; 9]].concat();
        let mut claims = plain(3, 1, 1000, &[2]);
        claims[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        for (text, sentence) in [
            ("", "A histogram is incomplete."),
            ("AAAA", "A histogram is incomplete."),
            ("AAAAAAAA", "A histogram is not in the compressed form V2."),
            ("no base64!", "A histogram is not base64: invalid length at 8."),
            (&good[..good.len() - 4], "A histogram is longer or shorter than it claims."),
            (&sealed(b""), "The header of a histogram is incomplete."),
            (&sealed(&vec![0; HISTOGRAM_BYTES_MAX + 1]), "A histogram is larger than 1048576 bytes."),
            (&sealed(&claims), "A histogram has more or fewer counts than it claims."),
            (&sealed(&plain(4, 1, 1000, &[2])), "A histogram has 4 digits; the most is 3."),
            (&sealed(&plain(3, 1, 1000, &lowest)), "A histogram has a count that is out of range."),
            (
                &sealed(&plain(3, 1, 1000, &many)),
                "A histogram has 36028797018963967 values; the most is 9007199254740992.",
            ),
            (
                &sealed(&plain(3, 0, 1000, &[2])),
                "A histogram does not follow its format: The serialized parameters were \
                 invalid(e.g. lowest value, highest value, etc).",
            ),
        ] {
            assert_eq!(decode(text).unwrap_err(), sentence);
        }
        assert_eq!(decode(&sealed(&plain(3, 1, 1000, &[2]))).unwrap().len(), 1);
    }

    #[test]
    fn a_log_is_written_with_a_tag_for_each_measure_and_read_back() {
        let report = full();
        let text = write_log(&report).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some(format!("#[Logged with {PROGRAM}]").as_str()));
        assert_eq!(lines.next(), Some("#[Histogram log format version 1.3]"));
        assert_eq!(lines.next(), Some("#[StartTime: 1700000000.000 (seconds since epoch)]"));
        assert_eq!(lines.next(), Some("#[MaxValueDivisor: 1000000.000]"));
        let dial = lines.next().unwrap();
        assert!(dial.starts_with("Tag=dial,1700000000.000,0.810,1.000,HISTFAAA"), "{dial}");
        assert_eq!(lines.count() + 1, report.times.len());
        let log = read_log(&text).unwrap();
        assert_eq!(log.times.len(), report.times.len());
        for (measure, times) in &report.times {
            assert!(log.times[measure] == times.to_histogram().unwrap(), "{measure:?}");
        }
        assert_eq!(
            read_log(&write_log(&minimal()).unwrap()),
            Ok(Log { began_at: u64::MAX, ..Log::default() })
        );
    }

    #[test]
    fn intervals_of_one_tag_add_up_within_a_log_and_across_logs() {
        let [one, other] = [&[1, 2][..], &[2, 5_000_000]].map(|values| encode(&histogram(values)));
        let text = format!(
            "#comment\r\n\"StartTimestamp\",\"Interval_Length\"\r\n\r\n#[BaseTime: 5.000 (seconds)]\n\
             Tag=dial,0.000,1.000,0.0,{one}\r\nTag=dial,1.000,1.000,5.0,{other}\nTag=answer,0.5,1.0,0.1,{one}"
        );
        let log = read_log(&text).unwrap();
        assert!(log.times[&Measure::Dial] == histogram(&[1, 2, 2, 5_000_000]));
        assert!(log.times[&Measure::Answer] == histogram(&[1, 2]));
        let mut all = read_log(&text).unwrap();
        all.add(&log).unwrap();
        assert!(all.times[&Measure::Dial] == histogram(&[1, 1, 2, 2, 2, 2, 5_000_000, 5_000_000]));
        assert_eq!(all.times[&Measure::Answer].len(), 4);
        let mut many = new_histogram();
        many.record_n(1, HISTOGRAM_VALUES_MAX).unwrap();
        let (before, times) = (all.clone(), [(Measure::Answer, many), (Measure::Dial, histogram(&[1]))]);
        assert!(all.add(&Log { began_at: 0, seconds: 9.0, times: times.into() }).is_err());
        assert_eq!(all, before, "all of a log or nothing");
    }

    #[test]
    fn a_fault_of_a_log_names_its_line_and_its_tag() {
        let good = encode(&histogram(&[1]));
        for (line, sentence) in [
            (format!("0.0,1.0,1.0,{good}"), "Line 2: An interval has no tag that says what was timed."),
            (format!("Tag=Dial,0.0,1.0,1.0,{good}"), "Line 2: The tag \"Dial\" is unknown."),
            ("Tag=dial,0.0,1.0,1.0,AAAA".to_owned(), "Line 2: Tag dial: A histogram is incomplete."),
            ("Tag=dial,0.0,1.0".to_owned(), "Line 2 is not a line of an interval log."),
            ("hello".to_owned(), "Line 2 is not a line of an interval log."),
        ] {
            assert_eq!(read_log(&format!("#first\n{line}\n")).unwrap_err(), sentence);
        }
        let many = sealed(&plain(3, 1, 1000, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f]));
        let line = format!("Tag=dial,0.0,1.0,1.0,{many}\n");
        assert_eq!(read_log(&line).unwrap().times[&Measure::Dial].len(), HISTOGRAM_VALUES_MAX - 1);
        assert_eq!(
            read_log(&line.repeat(2)).unwrap_err(),
            "Line 2: A histogram has 18014398509481982 values; the most is 9007199254740992."
        );
    }

    #[test]
    fn a_report_that_cannot_be_logged_says_why() {
        let mut report = full();
        report.times.get_mut(&Measure::Answer).unwrap().histogram.clear();
        assert_eq!(write_log(&report), Err("answer: A histogram is incomplete.".to_owned()));
        for seconds in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            let report = Report { seconds, ..full() };
            assert!(write_log(&report).unwrap_err().starts_with("The duration of the run is not valid"));
        }
        let report = Report { began_at: u64::MAX, ..full() };
        assert_eq!(write_log(&report), Err("The beginning of the run is not a valid time.".to_owned()));
    }

    /// Reads the text to its end. Whatever it was, the histograms must be usable afterwards.
    fn use_all(text: &str) {
        for mut histogram in read_log(text).unwrap_or_default().times.into_values() {
            let _ = (histogram.mean(), histogram.value_at_quantile(0.99), histogram.iter_recorded().count());
            let _ = decode(&encode(&histogram));
            let _ = add(&mut histogram, &self::histogram(&[1, u64::MAX]));
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic() {
        let mut rng = Rng::with_seed(7);
        let good = write_log(&full()).unwrap();
        for end in (0..good.len()).step_by(31) {
            use_all(&good[..end]);
        }
        for _ in 0..300 {
            let mut bytes = good.clone().into_bytes();
            for _ in 0..rng.u32(1..4) {
                let at = rng.usize(..bytes.len());
                bytes[at] ^= 1 << rng.u32(..8);
            }
            use_all(&String::from_utf8_lossy(&bytes));
        }
        for _ in 0..300 {
            let letters = b"Tag=dial,.0123456789HISTFA+/\n\r#[]e-\xc3\xb6";
            let bytes: Vec<u8> = (0..rng.usize(..200)).map(|_| letters[rng.usize(..letters.len())]).collect();
            use_all(&String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn no_histogram_with_a_checksum_that_fits_makes_the_reader_panic() {
        let mut rng = Rng::with_seed(8);
        let wild = |rng: &mut Rng| rng.u64(..) >> rng.u32(..64);
        for _ in 0..500 {
            let counts: Vec<u8> =
                (0..rng.usize(..60)).map(|_| if rng.bool() { 0xff } else { rng.u8(..) }).collect();
            let mut plain = plain(rng.u32(..4), wild(&mut rng), wild(&mut rng), &counts);
            if rng.u8(..4) == 0 {
                let at = rng.usize(..plain.len());
                plain[at] ^= 1 << rng.u32(..8);
            }
            use_all(&format!("Tag=dial,0.0,1.0,1.0,{}\n", sealed(&plain)));
        }
    }
}
