//! `chinwag swarm`, from the command line to the exit code. It refuses what cannot work, asks before it loads
//! another machine, conducts the run and publishes the report. Unlike the machines that it directs, it may block.
#![expect(clippy::disallowed_methods, reason = "a command that reads the clock and prints its result once")]

pub(crate) mod args;
mod generator;
mod given;
mod host;
mod listeners;
mod memory;
mod own_use;
mod panel;
mod ports;
mod publish;
mod remarks;
mod run;
mod target;
mod trigger;
mod workers;

use crate::output::tell;
use args::{ScenarioName, SwarmArgs, SwarmCommand};
use chinwag::net::{interfaces, socket};
use chinwag::proto::scope::Scopes;
use chinwag::swarm::generator::Ending;
use chinwag::swarm::plan::Plan;
use chinwag::swarm::units::agree;
use generator::{Generator, Local};
use run::Run;
use rustix::process::Signal;
use signal_hook::flag;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};
use target::Target;
use trigger::Trigger;
use workers::Workers;

/// Whether this program has the load generator. Without the feature `bench`, `without_bench.rs` stands in for this
/// file.
pub(crate) const IS_HERE: bool = true;

/// The exit code of a run in which something failed or was lost.
const EXIT_FLAWED: u8 = 1;
/// The exit code of wrong usage.
const EXIT_USAGE: u8 = 2;
/// The exit code that a shell has for a program that SIGINT ended.
const EXIT_INTERRUPTED: u8 = 130;

/// Runs the command; returns its exit code.
pub(crate) fn run(args: SwarmArgs) -> io::Result<u8> {
    socket::raise_descriptor_limit();
    match (&args.command, &args.target, &args.worker) {
        (Some(SwarmCommand::Merge { files, hlog, hgrm }), ..) => {
            publish::merge(files, hlog.as_deref(), hgrm.as_deref())
        }
        (None, _, Some(plan)) => generator::work(plan.clone()).map(|()| 0),
        (None, Some(target), None) => match target.look_up(&Scopes::of(&interfaces::list())) {
            Ok(address) => direct(&args, address),
            Err(reason) => Ok(refuse(&[reason])),
        },
        (None, None, None) => Ok(EXIT_USAGE),
    }
}

/// Directs one run, from the checks before it to its report.
fn direct(args: &SwarmArgs, address: SocketAddr) -> io::Result<u8> {
    let whole = args.plan(address, (0, 1));
    let target = match args.pid.first().map(|&pid| find_target(args, pid, address)).transpose() {
        Ok(target) => target,
        Err(reason) => return Ok(refuse(&[reason])),
    };
    let host = host::facts(&whole, target.as_ref());
    let mut obstacles = args.contradictions(&whole);
    obstacles.extend(host::obstacles(&whole, args.processes, &host));
    // This check creates the files, so it comes last.
    if obstacles.is_empty() {
        obstacles = publish::obstacles(args);
    }
    if !obstacles.is_empty() {
        return Ok(refuse(&obstacles));
    }
    if !address.ip().is_loopback() && !may_go_remote(args, &whole)? {
        return Ok(EXIT_USAGE);
    }
    let trigger = match args.trigger.as_deref().map(Trigger::open).transpose() {
        Ok(trigger) => trigger,
        Err(reason) => return Ok(refuse(&[reason])),
    };
    let began_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let of_holders = target.as_ref().and_then(|target| on_other_holders(target, address));
    let mut run = Run::new(&whole, target, trigger, args.warm_up as usize);
    run.remark(of_holders);
    let mut generator = start(args, address)?;
    run.conduct(generator.as_mut())?;
    let mut report = generator.report()?;
    end_by_signals()?;
    report.began_at = began_at;
    report.host = host;
    report.target = run.target_use(&report);
    remarks::add(&mut report, &whole, run.remarks());
    publish::publish(args, &report)?;
    Ok(match report.ending {
        Ending::Interrupted => EXIT_INTERRUPTED,
        _ if report.is_flawless() => 0,
        _ => EXIT_FLAWED,
    })
}

/// From here on the second signal ends the process. The run has caught the signals until now; it is over, and
/// nothing handles them any more, but the write of the report can block as long as nobody reads it. The first
/// signal from now on may have been meant for the run, so it does nothing; the next one has its default effect.
fn end_by_signals() -> io::Result<()> {
    let is_meant = Arc::new(AtomicBool::new(false));
    for signal in [Signal::INT, Signal::TERM].map(Signal::as_raw) {
        flag::register_conditional_default(signal, Arc::clone(&is_meant))?;
        flag::register(signal, Arc::clone(&is_meant))?;
    }
    Ok(())
}

/// The target's process. Fails with a sentence if `pid` is not the target, or if we cannot do with it what the
/// scenario needs.
fn find_target(args: &SwarmArgs, pid: u32, address: SocketAddr) -> Result<Target, String> {
    let is_burst = args.scenario == ScenarioName::Burst;
    if args.pid.iter().any(|&other| other != pid) {
        return Err("--pid must name only one process".to_owned());
    }
    if pid == std::process::id() {
        return Err(format!("--pid {pid} is the load generator itself"));
    }
    let target = Target::new(pid).map_err(|error| format!("--pid {pid}: {error}"))?;
    if is_burst {
        target.may_stop().map_err(|error| format!("burst cannot stop --pid {pid}: {error}"))?;
    }
    // Whoever gives the pid twice means it, but burst never stops a process that may not be the target.
    let is_meant = args.pid.len() > 1 && !is_burst;
    let why = match listeners::is_held_by(pid, address) {
        Ok(true) => return Ok(target),
        _ if is_meant => return Ok(target),
        Ok(false) => format!("--pid {pid} does not hold the socket that listens on {address}"),
        Err(error) => format!("cannot see whether --pid {pid} listens on {address}: {error}"),
    };
    let others = listeners::holders(address);
    // The first look may have missed it, because /proc does not show a single moment.
    if others.contains(&pid) {
        return Ok(target);
    }
    let others: Vec<String> = others.into_iter().map(process).collect();
    let hint =
        if others.is_empty() { String::new() } else { format!("; it is held by {}", others.join(", ")) };
    let way_out = if is_burst { "" } else { ". Give --pid twice if it is the target all the same" };
    Err(why + &hint + way_out)
}

/// A process as messages name it.
fn process(pid: u32) -> String {
    format!("{pid} ({})", target::name(pid))
}

/// A remark on other processes that take connections to the target, or can.
fn on_other_holders(target: &Target, address: SocketAddr) -> Option<String> {
    let family: Vec<u32> = target.family().into_iter().map(target::number).collect();
    let others = listeners::holders(address).into_iter().filter(|pid| !family.contains(pid));
    let others: Vec<String> = others.map(process).collect();
    (!others.is_empty()).then(|| {
        format!(
            "The listening socket is also held by {}: the target's figures do not include what was used there.",
            others.join(", ")
        )
    })
}

fn start(args: &SwarmArgs, address: SocketAddr) -> io::Result<Box<dyn Generator>> {
    if args.processes == 1 {
        let is_shown = io::stderr().is_terminal();
        return Ok(Box::new(Local::new(args.plan(address, (0, 1)), is_shown)?));
    }
    let plans = (0..args.processes).map(|number| args.plan(address, (number, args.processes)));
    Ok(Box::new(Workers::start(plans)?))
}

/// Says why nothing is done; returns the exit code, which also reaches a caller that cannot read stderr.
fn refuse(reasons: &[String]) -> u8 {
    for reason in reasons {
        tell(&format!("chinwag swarm: {reason}"));
    }
    EXIT_USAGE
}

/// Says what is about to happen to another machine, and asks.
fn may_go_remote(args: &SwarmArgs, plan: &Plan) -> io::Result<bool> {
    if !args.allow_remote {
        refuse(&[format!("{} is not on this host's loopback; --allow-remote allows it", plan.target)]);
        return Ok(false);
    }
    let mut stderr = io::stderr().lock();
    let scenario = plan.scenario.name();
    let connections = agree(plan.peers as u64, "connection", "connections");
    let what = format!("About to open {} {connections} to {} for {scenario}. ", plan.peers, plan.target);
    if args.yes {
        // --yes has answered the question.
        let _ = writeln!(stderr, "{what}");
        return Ok(true);
    }
    write!(stderr, "{what}Are you allowed to load that machine? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let is_yes = matches!(answer.trim(), "y" | "Y" | "yes");
    if !is_yes {
        writeln!(stderr, "\nNothing was done.")?;
    }
    Ok(is_yes)
}
