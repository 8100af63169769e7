//! chinwag under load, compared with the least work that is possible and with the usual alternatives.
//!
//! ```sh
//! cargo bench --bench load                          # everything, 45 minutes; do not use the machine meanwhile
//! cargo bench --bench load -- --only delivery       # only rows with this word in their name
//! cargo bench --bench load -- --smoke               # only checks that everything still runs
//! ```
//!
//! Each figure comes from a fresh process on a core of its own. Each process gets the same load from the same
//! generator, `chinwag swarm`, on another core. All programs have their turn before any of them has its next one,
//! and each figure is divided by the floor's figure of the same round. So both figures of a ratio include what else
//! the machine does and how fast it runs at the time. `BENCHMARKS.md` explains the method and has the results.
//!
//! It needs Linux, as the rivals do. Without `taskset`, or with one core, no process is bound to a core. Without
//! `strace`, wake-ups are counted instead of system calls.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a bench starts programs, waits for them, is a peer itself, and prints"
)]

mod plot;
mod process;
mod rows;
mod table;
mod work;

use clap::Parser;
use process::Stage;
use rows::{Program, Row, Scale};
use rustix::system::uname;
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;
use table::Results;
use work::Outcome;

/// Measure chinwag and its rivals under load
#[derive(Debug, Parser)]
struct Options {
    /// How many turns each program has
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Only rows whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,

    /// Run one tiny round, which only checks that everything runs and every figure is there
    #[arg(long)]
    smoke: bool,

    /// Draw a picture of each group of rows
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,

    /// Write the figures of each round, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Ignored; cargo passes it to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    if !cfg!(target_os = "linux") {
        println!("The load bench needs Linux.");
        return ExitCode::SUCCESS;
    }
    match measure(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// `false`: a figure is missing that must be there.
fn measure(options: &Options) -> Result<bool, String> {
    let stage = Stage::set(options.smoke)?;
    let scale = Scale { is_smoke: options.smoke };
    let is_wanted = |row: &Row| row.figures.iter().any(|figure| figure.name.contains(&options.only));
    let rows: Vec<Row> = scale.rows().into_iter().filter(is_wanted).collect();
    let rounds = if options.smoke { 1 } else { options.rounds };
    let setting = setting(rounds, &stage);
    let mut results = Results::default();
    let mut is_complete = true;
    for round in 0..rounds as usize {
        let is_due = |row: &&Row| round == 0 || !row.is_once();
        for (number, row) in rows.iter().enumerate().filter(|(_, row)| is_due(row)) {
            eprintln!("round {} of {rounds}: {}", round + 1, row.figures[0].name);
            let mut programs = row.programs.clone();
            // No program always comes after the same one.
            programs.rotate_left(round % row.programs.len());
            for (program, (figures, fault)) in programs.iter().zip(outcomes(row, &programs, &stage)) {
                if let Some(fault) = fault {
                    eprintln!("    {} failed: {fault}", program.name());
                    is_complete &= row.may_fail(*program);
                }
                results.enter(number, *program, row.figures.len(), &figures);
            }
        }
    }
    println!("{setting}\n\n{}", results.table(&rows));
    if let Some(folder) = &options.plots {
        plot::draw(folder, &rows, &results).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    if let Some(file) = &options.json {
        let json = json!({ "setting": setting, "figures": results.json(&rows) });
        fs::write(file, format!("{json:#}\n")).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(is_complete || !options.smoke)
}

/// Measures one program after the other; in a smoke test all at once, since its figures mean nothing.
fn outcomes(row: &Row, programs: &[Program], stage: &Stage) -> Vec<Outcome> {
    if !stage.is_smoke {
        return programs.iter().map(|&program| row.work.measure(stage, program)).collect();
    }
    thread::scope(|scope| {
        let all = programs.iter().map(|&program| scope.spawn(move || row.work.measure(stage, program)));
        let all: Vec<_> = all.collect();
        all.into_iter()
            .map(|one| one.join().unwrap_or((Vec::new(), Some("it panicked".to_owned()))))
            .collect()
    })
}

/// Sentences that say what the numbers depend on.
fn setting(rounds: u32, stage: &Stage) -> String {
    let date = Command::new("date").args(["-u", "+%F"]).output();
    let date = date.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let system = uname();
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let rounds = if rounds == 1 { "1 round".to_owned() } else { format!("{rounds} rounds") };
    let pinned = if stage.cores.is_some() { "each side on a core of its own" } else { "not bound to cores" };
    let smoke = if stage.is_smoke { " A smoke test: the figures mean nothing." } else { "" };
    format!(
        "{}, {} {}, {} ({} cores), {rounds}, {pinned}. Load average at the start: {}.{smoke}",
        date.unwrap_or_default(),
        system.sysname().to_string_lossy(),
        system.release().to_string_lossy(),
        cpu.trim_start_matches([' ', '\t', ':']),
        thread::available_parallelism().map_or(1, usize::from),
        load.split(' ').next().unwrap_or_default(),
    )
}
