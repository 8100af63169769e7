//! What comes of a run, or of several: the table, and the files that were asked for.

use super::args::SwarmArgs;
use super::refuse;
use chinwag::swarm::histogram_log::{self, Log};
use chinwag::swarm::plot;
use chinwag::swarm::report::{Report, Times};
use chinwag::swarm::table::{self, Table};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The files that could not be written after the run, as sentences: it may be a long one. Those that were
/// not there are there, and empty, from here on.
pub(super) fn obstacles(args: &SwarmArgs) -> Vec<String> {
    let json = args.json.as_deref().filter(|file| !is_stdout(file));
    let files = [("--json", json), ("--plot", args.plot.as_deref()), ("--hgrm", args.hgrm.as_deref())];
    let obstacle = |(flag, file): (&str, Option<&Path>)| {
        let file = file?;
        let opened = OpenOptions::new().append(true).create(true).open(file);
        opened.err().map(|error| format!("{flag} {}: {error}", file.display()))
    };
    files.into_iter().filter_map(obstacle).collect()
}

/// Prints the result, and writes the files.
pub(super) fn publish(args: &SwarmArgs, report: &Report) -> io::Result<()> {
    let json = serde_json::to_string_pretty(report)? + "\n";
    let json_file = args.json.as_deref();
    let mut stdout = io::stdout().lock();
    if json_file.is_some_and(is_stdout) {
        stdout.write_all(json.as_bytes())?;
    } else {
        write!(stdout, "{}", Table(report))?;
    }
    stdout.flush()?;
    if let Some(file) = json_file.filter(|file| !is_stdout(file)) {
        write_file(file, &json)?;
    }
    if let Some(file) = &args.plot {
        write_file(file, &plot::svg(report).map_err(io::Error::other)?)?;
    }
    if let Some(file) = &args.hgrm {
        write_file(file, &Log::new(report).and_then(|log| log.write()).map_err(io::Error::other)?)?;
    }
    Ok(())
}

/// Adds up logs of latencies, and prints their percentiles; gives the exit code.
pub(super) fn merge(files: &[PathBuf], sum: Option<&Path>) -> io::Result<u8> {
    let log = match histogram_log::merge(files.iter().map(|file| read_log(file))) {
        Ok(log) => log,
        Err(why) => return refuse(&[why]),
    };
    let times = log.times.iter().map(|(&measure, times)| (measure, Times::new(times))).collect();
    write!(io::stdout().lock(), "{}", table::times(&times))?;
    if let Some(file) = sum {
        write_file(file, &log.write().map_err(io::Error::other)?)?;
    }
    Ok(0)
}

/// Fails with a sentence that names the file.
fn read_log(file: &Path) -> Result<Log, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string());
    let log = text.and_then(|text| histogram_log::read_log(&text));
    let log = log
        .and_then(|log| if log.times.is_empty() { Err("There are no times in it.".into()) } else { Ok(log) });
    log.map_err(|why| format!("{}: {why}", file.display()))
}

fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

fn write_file(file: &Path, text: &str) -> io::Result<()> {
    fs::write(file, text)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}
