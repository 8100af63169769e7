//! The results of a run, or of several: the table, and the files that the user asked for.

use super::args::SwarmArgs;
use super::{EXIT_FLAWED, refuse};
use crate::output::write_out;
use chinwag::swarm::histogram_log::{Log, read_log as parse_log};
use chinwag::swarm::percentiles;
use chinwag::swarm::plot;
use chinwag::swarm::report::{Report, Times};
use chinwag::swarm::table::{self, Table};
use chinwag::swarm::tally::Measure;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A sentence for each file that could not be written. This is found out before the run, since the run may be long.
/// The files that did not exist do so from here on, empty.
pub(super) fn obstacles(args: &SwarmArgs) -> Vec<String> {
    let json = args.json.as_deref().filter(|file| !is_stdout(file));
    let hgrm = args.hgrm.as_deref();
    // Dials are always timed. Which other kinds of times there will be is not known yet.
    let dials = hgrm.filter(|file| !is_stdout(file)).map(|file| file_of(file, Measure::Dial));
    let files = [
        ("--json", json),
        ("--plot", args.plot.as_deref()),
        ("--hlog", args.hlog.as_deref()),
        ("--hgrm", dials.as_deref().or(hgrm)),
    ];
    unwritable(files.into_iter().filter_map(|(flag, file)| file.map(|file| (flag, file))))
}

/// A sentence for each of these files that cannot be written, or that is the same as another of them. Each file
/// comes with its flag.
fn unwritable<'a>(wanted: impl Iterator<Item = (&'a str, &'a Path)>) -> Vec<String> {
    let mut taken = BTreeMap::new();
    let mut obstacle = |(flag, file): (&'a str, &'a Path)| {
        if is_stdout(file) {
            return Some(format!("{flag} -: only --json can be written to stdout"));
        }
        let opened = OpenOptions::new().append(true).create(true).open(file);
        match opened.and_then(|file| file.metadata()) {
            Err(error) => Some(format!("{flag} {}: {error}", file.display())),
            // Anything else, such as a pipe, may take several results.
            Ok(kept) if kept.is_file() => {
                let other = taken.insert((kept.dev(), kept.ino()), flag)?;
                Some(format!("{flag} {}: {other} is written to the same file", file.display()))
            }
            Ok(_) => None,
        }
    };
    wanted.filter_map(&mut obstacle).collect()
}

/// Prints the result, and writes the files. If one of them fails, the others are still written, since the run may
/// have been long.
pub(super) fn publish(args: &SwarmArgs, report: &Report) -> io::Result<()> {
    let json = || Ok(serde_json::to_string_pretty(report)? + "\n");
    let (printed, json_file) = match args.json.as_deref() {
        Some(file) if is_stdout(file) => (json(), None),
        file => (Ok(Table(report).to_string()), file),
    };
    let log = || Log::new(report).map_err(io::Error::other);
    let hlog = || log()?.write().map_err(io::Error::other);
    all_of([
        printed.and_then(|text| write_out(text.as_bytes()).map(drop)),
        write_file(json_file, json),
        write_file(args.plot.as_deref(), || plot::svg(report).map_err(io::Error::other)),
        write_file(args.hlog.as_deref(), hlog),
        args.hgrm.as_deref().map_or(Ok(()), |file| write_percentiles(file, &log()?)),
    ])
}

/// Adds up logs of latencies, and prints their percentiles; returns the exit code. A log that cannot be added is
/// reported, and the others are still added.
pub(super) fn merge(files: &[PathBuf], hlog: Option<&Path>, hgrm: Option<&Path>) -> io::Result<u8> {
    let mut all: Option<Log> = None;
    let mut add = |file: &PathBuf| -> Result<(), String> {
        let log = read_log(file)?;
        match &mut all {
            Some(all) => all.add(&log).map_err(|why| format!("{}: {why}", file.display())),
            None => {
                all = Some(log);
                Ok(())
            }
        }
    };
    let faults: Vec<String> = files.iter().filter_map(|file| add(file).err()).collect();
    let refused = refuse(&faults);
    let Some(log) = all else { return Ok(refused) };
    let times = log.times.iter().map(|(&measure, times)| (measure, Times::new(times))).collect();
    let printed = write_out(table::times(&times).as_bytes()).map(drop);
    all_of([
        printed,
        write_file(hlog, || log.write().map_err(io::Error::other)),
        hgrm.map_or(Ok(()), |file| write_percentiles(file, &log)),
    ])?;
    Ok(if faults.is_empty() { 0 } else { EXIT_FLAWED })
}

/// Fails if anything failed, with one sentence for all of it.
fn all_of(outcomes: impl IntoIterator<Item = io::Result<()>>) -> io::Result<()> {
    let faults: Vec<String> =
        outcomes.into_iter().filter_map(Result::err).map(|fault| fault.to_string()).collect();
    if faults.is_empty() { Ok(()) } else { Err(io::Error::other(faults.join("; "))) }
}

/// Fails with a sentence that names the file.
fn read_log(file: &Path) -> Result<Log, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string());
    let log = text.and_then(|text| parse_log(&text));
    let log =
        log.and_then(|log| if log.times.is_empty() { Err("This log has no times.".into()) } else { Ok(log) });
    log.map_err(|why| format!("{}: {why}", file.display()))
}

fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

/// Writes the percentiles of each kind of time into a file of its own, because the plotter reads one kind from a
/// file.
fn write_percentiles(file: &Path, log: &Log) -> io::Result<()> {
    let write =
        |(&measure, times)| write_file(Some(&file_of(file, measure)), || Ok(percentiles::text(times)));
    all_of(log.times.iter().map(write))
}

/// For dials, `run.hgrm` becomes `run.dial.hgrm`. A file that exists and is not a regular one, such as a device,
/// takes all kinds.
fn file_of(file: &Path, measure: Measure) -> PathBuf {
    if fs::metadata(file).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return file.to_owned();
    }
    let extension = file.extension().unwrap_or(OsStr::new("hgrm")).to_string_lossy();
    file.with_extension(format!("{}.{extension}", measure.name()))
}

/// Writes a file, if the user asked for it.
fn write_file(file: Option<&Path>, text: impl FnOnce() -> io::Result<String>) -> io::Result<()> {
    let Some(file) = file else { return Ok(()) };
    let written = text().and_then(|text| fs::write(file, text));
    written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}
