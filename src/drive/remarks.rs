//! Remarks on a run, which say how far its reader can trust the numbers.

use chinwag::limits::{BOTTLENECK_SHARE, DEPRIVED_SHARE, LATENESS_MAX, SWARM_RUN_MIN, TAIL_SAMPLES_MIN};
use chinwag::proto::machine::CloseReason;
use chinwag::swarm::generator::Ending;
use chinwag::swarm::plan::{Carrier, Plan, Scenario};
use chinwag::swarm::report::{Report, Times};
use chinwag::swarm::tally::Measure;
use chinwag::swarm::units::agree;
use std::time::Duration;

/// Adds the remarks on a run, with those of the conductor, and finds out whether the generator was the bottleneck.
pub(super) fn add(report: &mut Report, plan: &Plan, of_conductor: &[String]) {
    report.remarks.extend(on_ending(report, plan));
    report.remarks.extend_from_slice(of_conductor);
    report.remarks.extend(on_unsent(report));
    report.remarks.extend(on_ports(report).or_else(|| on_connections(report, plan)));
    report.remarks.extend(on_odd_line(report));
    report.remarks.extend(on_dials(report));
    report.remarks.extend(on_size(report));
    let on_generator = on_generator(report);
    report.generator.is_bottleneck = matches!(on_generator, Verdict::Bottleneck(_));
    if let Verdict::Bottleneck(remark) | Verdict::Doubt(remark) = on_generator {
        report.remarks.push(remark);
    }
}

fn on_ending(report: &Report, plan: &Plan) -> Option<String> {
    match report.ending {
        Ending::Complete => None,
        Ending::Interrupted => Some("Interrupted: these are the numbers so far.".to_owned()),
        Ending::Late => Some(format!(
            "Timed out: messages were more than {} s late, and the rest was not sent. --pace is higher than the \
             target can read or the generator can send.",
            plan.timeout.as_secs_f64()
        )),
        Ending::Stuck if matches!(report.setup.scenario, Scenario::Burst { .. }) => Some(format!(
            "Timed out: a round was not written within {} s. While the target is stopped, only the buffers of its \
             sockets take messages: use a smaller --batch or --length.",
            plan.timeout.as_secs_f64()
        )),
        Ending::Stuck => {
            Some(format!("Timed out: the target gave no answer for {} s.", plan.timeout.as_secs_f64()))
        }
    }
}

fn on_unsent(report: &Report) -> Option<String> {
    let unsent = report.counts.unsent;
    let what = match report.setup.scenario {
        Scenario::Ping { .. } => agree(unsent, "question that was", "questions that were"),
        _ => agree(unsent, "message that was", "messages that were"),
    };
    (unsent > 0).then(|| {
        format!(
            "Not sent: {unsent} {what} due. Their senders had no connection, or the run was given up. The times do \
             not include them."
        )
    })
}

/// A generator that finds no free port uses CPU time to look for one again and again. It is not too slow; the host
/// has run out of ports.
fn on_ports(report: &Report) -> Option<String> {
    let without = portless(report);
    (without > 0).then(|| {
        format!(
            "{without} {} found no free port. Beyond loopback, each port is held for a minute after its connection. \
             Use a lower --rate, more addresses with --source, or a wider net.ipv4.ip_local_port_range.",
            agree(without, "dial", "dials")
        )
    })
}

fn portless(report: &Report) -> u64 {
    report.counts.failed.get(CloseReason::NoPort.word()).copied().unwrap_or_default()
}

fn on_connections(report: &Report, plan: &Plan) -> Option<String> {
    let counts = &report.counts;
    let greets = plan.carrier.has_sessions() && plan.scenario != Scenario::Churn;
    if counts.connected == 0 && counts.failures() > 0 {
        if counts.failed.contains_key(CloseReason::Refused.word()) {
            return Some(format!("No peer could connect: does anything listen on {}?", plan.target));
        }
        let reasons: Vec<String> = counts.failed.keys().map(|reason| reason.replace('-', " ")).collect();
        return Some(format!("No peer could connect to {}: {}.", plan.target, reasons.join(", ")));
    }
    if greets && counts.connected > 0 && counts.answered == 0 && report.ending != Ending::Interrupted {
        return Some("The target does not speak chinwag's protocol; try --lines.".to_owned());
    }
    if plan.carrier == Carrier::Encrypted && counts.failed.contains_key(CloseReason::NotEncrypted.word()) {
        return Some(
            "The target answers, but does not offer encryption. Start it with an identity, or leave out --secure."
                .to_owned(),
        );
    }
    let is_backlogged = report.host.somaxconn.is_some_and(|limit| plan.in_flight as u64 > limit);
    is_backlogged.then(|| {
        "--in-flight is higher than somaxconn: dials may have waited a second until they were retried."
            .to_owned()
    })
}

fn on_odd_line(report: &Report) -> Option<String> {
    let line = report.odd_line.as_ref()?;
    Some(format!(
        "The target sent lines that the load generator does not understand. The first of them: {line}"
    ))
}

fn on_dials(report: &Report) -> Option<String> {
    (report.setup.scenario == Scenario::Churn && is_late(report)).then(|| {
        "More than 1 % of the dials began over a millisecond later than --rate says: --in-flight was reached, or the \
         generator was busy. Each dial is timed from its planned start."
            .to_owned()
    })
}

/// Whether more than 1 % of the messages or dials were late.
fn is_late(report: &Report) -> bool {
    let lateness = report.times.get(&Measure::Lateness);
    lateness.is_some_and(|lateness| Duration::from_nanos(lateness.p99) > LATENESS_MAX)
}

/// Whether the generator or the host was the bottleneck, and what the user can do about it. Lateness shows that
/// something was wrong, and CPU time shows whose fault it was.
fn on_generator(report: &Report) -> Verdict {
    if portless(report) > 0 {
        return Verdict::None;
    }
    let own = &report.generator;
    let is_busy = own.cpu_share >= BOTTLENECK_SHARE;
    // A generator that waits for an exact moment does not sleep, so its CPU time says something only if it is late
    // as well.
    let is_timed = report.times.contains_key(&Measure::Lateness);
    let is_late = is_late(report);
    if is_timed && !is_late {
        return Verdict::None;
    }
    // Dials are also late if as many as --in-flight allows still wait for the target.
    let is_paced = is_timed && report.setup.scenario != Scenario::Churn;
    let late = "more than 1 % of the messages were sent over a millisecond late";
    let used = format!("used {:.0} % of its CPU", own.cpu_share * 100.0);
    match deprivation(report) {
        Some(why) if is_late || !is_busy => Verdict::Doubt(format!(
            "The host was busy: {why}. {}These numbers say more about the host than about the target.",
            if is_paced { format!("That is why {late}. ") } else { String::new() }
        )),
        _ if is_busy && is_paced => Verdict::Bottleneck(format!(
            "The generator was the bottleneck: {late}, and it {used}. Use a lower --pace, or more --processes."
        )),
        _ if is_busy => on_busy_generator(report, &used),
        _ if is_paced => Verdict::Doubt(format!(
            "The generator used only {:.0} % of its CPU, but {late}. The target read them late, or the clock of this \
             host is coarse.",
            own.cpu_share * 100.0
        )),
        _ => Verdict::None,
    }
}

/// The verdict on a generator that used up its CPU. That was the bottleneck if the target had CPU left.
fn on_busy_generator(report: &Report, used: &str) -> Verdict {
    match report.target.as_ref().map(|target| target.cpu_share) {
        Some(share) if share >= BOTTLENECK_SHARE => Verdict::Doubt(format!(
            "The generator {used}, and the target used {:.0} % of a CPU: nobody can say which of them was the \
             bottleneck. Use more --processes.",
            share * 100.0
        )),
        Some(_) => {
            Verdict::Bottleneck(format!("The generator was the bottleneck: it {used}. Use more --processes."))
        }
        None => Verdict::Bottleneck(format!(
            "The generator may have been the bottleneck: it {used}. Use more --processes, or give --pid to see what the \
             target used."
        )),
    }
}

/// Why the generator got less CPU than it could have used; `None` if it got enough.
fn deprivation(report: &Report) -> Option<String> {
    let (waited, stolen) = (report.generator.waited_share, report.generator.stolen_share);
    // In a hold the generator has no moments to keep.
    if matches!(report.setup.scenario, Scenario::Hold { .. }) || waited.max(stolen) < DEPRIVED_SHARE {
        return None;
    }
    Some(if waited >= stolen {
        format!("the generator waited for a CPU for {:.0} % of the time", waited * 100.0)
    } else {
        format!("{:.0} % of the host's CPU time went to other virtual machines", stolen * 100.0)
    })
}

/// How far the numbers can be trusted.
enum Verdict {
    /// The generator was the bottleneck.
    Bottleneck(String),
    /// Something else was, or nobody knows.
    Doubt(String),
    None,
}

/// Remarks on a run that was too short, or that has too few samples.
fn on_size(report: &Report) -> Vec<String> {
    let flag = match report.setup.scenario {
        Scenario::Burst { .. } | Scenario::FanOut { .. } => "--rounds",
        Scenario::Churn | Scenario::Flood { .. } | Scenario::Ping { .. } => "--messages",
        Scenario::Hold { .. } | Scenario::Pace { .. } => "--time",
    };
    // Most of a burst is spent between its rounds.
    let is_timed = !matches!(report.setup.scenario, Scenario::Burst { .. });
    let is_short = is_timed && report.seconds > 0.0 && report.seconds < SWARM_RUN_MIN.as_secs_f64();
    let short = is_short.then(|| {
        format!(
            "The run took less than a second, so its rates and shares of CPU mean little. Use more {flag}."
        )
    });
    let is_few = |times: &Times| (1..TAIL_SAMPLES_MIN).contains(&times.count);
    let few = report.times.iter().filter(|(_, times)| is_few(times)).map(|(measure, _)| measure.name());
    let few: Vec<&str> = few.collect();
    let tail = (!few.is_empty()).then(|| {
        let all = few.join(", ");
        format!("Fewer than {TAIL_SAMPLES_MIN} samples: the p99.9 of {all} is just the longest time.")
    });
    short.into_iter().chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag::swarm::report::TargetUse;
    use chinwag::swarm::tally::{Counts, Tally, new_histogram};

    fn plan() -> Plan {
        Plan {
            target: "127.0.0.1:5000".parse().unwrap(),
            scenario: Scenario::Hold { time: Duration::from_secs(1) },
            carrier: Carrier::Session,
            peers: 2,
            first_peer: 0,
            sources: Vec::new(),
            batch: 1,
            message_bytes: 64,
            in_flight: 64,
            dials_per_second: None,
            timeout: Duration::from_millis(1500),
            is_echoed: false,
            seed: 0,
        }
    }

    fn remarks(ending: Ending, counts: Counts, cpu_share: f64) -> (Vec<String>, bool) {
        let mut report = Report::new(&plan(), &Tally { counts, ..Tally::default() }, ending);
        report.generator.cpu_share = cpu_share;
        report.seconds = 2.0;
        add(&mut report, &plan(), &["From outside.".to_owned()]);
        (report.remarks, report.generator.is_bottleneck)
    }

    /// The remarks on a run of this scenario whose messages or dials were late or not, and whether the generator
    /// was the bottleneck. `own`: the shares of CPU that the generator used, waited for, and lost to other
    /// machines. `target`: the share that the target used.
    fn verdict(scenario: Scenario, late: bool, own: [f64; 3], target: Option<f64>) -> (Vec<String>, bool) {
        let plan = Plan { scenario, ..plan() };
        let mut report = Report::new(&plan, &Tally::default(), Ending::Complete);
        report.seconds = 2.0;
        let is_timed = matches!(scenario, Scenario::Pace { .. } | Scenario::Churn);
        if is_timed {
            let mut times = new_histogram();
            let lateness = if late { LATENESS_MAX * 2 } else { LATENESS_MAX / 2 };
            times.record_n(lateness.as_nanos() as u64, TAIL_SAMPLES_MIN).unwrap();
            report.times.insert(Measure::Lateness, Times::new(&times));
        }
        let generator = &mut report.generator;
        [generator.cpu_share, generator.waited_share, generator.stolen_share] = own;
        report.target = target.map(|cpu_share| TargetUse { cpu_share, ..TargetUse::default() });
        add(&mut report, &plan, &[]);
        (report.remarks, report.generator.is_bottleneck)
    }

    #[test]
    fn a_verdict_looks_at_what_it_claims() {
        let pace = Scenario::Pace { rate: 1.0, time: Duration::from_secs(1) };
        let (flood, hold) = (Scenario::Flood { messages: 1 }, plan().scenario);
        let churn = Scenario::Churn;
        let table = [
            (pace, false, [1.0, 0.0, 0.0], None, None, false),
            (pace, false, [0.2, 0.5, 0.5], None, None, false),
            (pace, true, [0.95, 0.0, 0.0], None, Some("bottleneck: more than 1 % of the messages"), true),
            (pace, true, [0.17, 0.0, 0.0], None, Some("used only 17 % of its CPU, but more than 1 %"), false),
            (
                pace,
                true,
                [0.17, 0.4, 0.0],
                None,
                Some("The host was busy: the generator waited for a CPU for 40 %"),
                false,
            ),
            (pace, true, [0.17, 0.0, 0.3], None, Some("30 % of the host's CPU time went to other"), false),
            (churn, true, [0.95, 0.0, 0.0], None, Some("may have been the bottleneck: it used 95 %"), true),
            (churn, true, [0.2, 0.0, 0.0], None, None, false),
            (churn, false, [0.95, 0.0, 0.0], None, None, false),
            (flood, false, [0.95, 0.0, 0.0], None, Some("may have been the bottleneck: it used 95 %"), true),
            (flood, false, [0.95, 0.0, 0.0], Some(0.5), Some("was the bottleneck: it used 95 %"), true),
            (
                flood,
                false,
                [0.95, 0.0, 0.0],
                Some(0.93),
                Some("and the target used 93 % of a CPU: nobody"),
                false,
            ),
            (flood, false, [0.5, 0.0, 0.0], Some(0.5), None, false),
            (flood, false, [0.5, 0.2, 0.0], Some(0.5), Some("waited for a CPU for 20 %"), false),
            (hold, false, [0.0, 0.5, 0.5], None, None, false),
        ];
        for (scenario, late, own, target, wanted, is_bottleneck) in table {
            let (mut told, is_it) = verdict(scenario, late, own, target);
            told.retain(|told| !told.contains("--in-flight was reached"));
            assert_eq!(
                (told.len(), is_it),
                (usize::from(wanted.is_some()), is_bottleneck),
                "{wanted:?} {told:?}"
            );
            assert!(wanted.is_none_or(|wanted| told[0].contains(wanted)), "{wanted:?} {told:?}");
        }
        let (told, _) = verdict(churn, true, [0.2, 0.0, 0.0], None);
        assert!(told[0].contains("--in-flight was reached"), "{told:?}");
    }

    #[test]
    fn a_target_that_does_not_encrypt_is_explained() {
        let plan = Plan { carrier: Carrier::Encrypted, ..plan() };
        let failed = [("not-encrypted".to_owned(), 2)].into();
        let counts = Counts { connected: 2, answered: 2, failed, ..Counts::default() };
        let report = Report::new(&plan, &Tally { counts, ..Tally::default() }, Ending::Complete);
        let told = on_connections(&report, &plan).unwrap();
        assert!(told.contains("does not offer encryption"), "{told}");
    }

    #[test]
    fn a_run_that_is_too_short_to_say_anything_says_so() {
        let report = |seconds, samples| {
            let mut report = Report::new(&plan(), &Tally::default(), Ending::Complete);
            report.seconds = seconds;
            let mut times = new_histogram();
            times.record_n(1, samples).unwrap();
            report.times.insert(Measure::Answer, Times::new(&times));
            on_size(&report)
        };
        assert_eq!(report(1.0, TAIL_SAMPLES_MIN), Vec::<String>::new());
        let told = report(0.9, TAIL_SAMPLES_MIN - 1);
        assert!(told[0].contains("less than a second") && told[0].contains("more --time"), "{told:?}");
        assert!(told[1].contains("p99.9 of answer is just the longest"), "{told:?}");
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn what_is_odd_about_a_run_is_reported_and_nothing_else() {
        let mute = Counts { connected: 2, ..Counts::default() };
        let failed = |reason: &str| Counts { failed: [(reason.to_owned(), 2)].into(), ..Counts::default() };
        let (unreachable, portless) = (failed("unreachable"), failed("no-port"));
        let without = |unsent| Counts { connected: 2, answered: 2, unsent, ..Counts::default() };
        let failed_once = Counts { failed: [("no-port".to_owned(), 1)].into(), ..Counts::default() };
        let fine = Counts { connected: 2, answered: 2, ..Counts::default() };
        let table = [
            (Ending::Complete, fine.clone(), 0.5, None),
            (Ending::Stuck, fine.clone(), 0.5, Some("gave no answer for 1.5 s")),
            (Ending::Late, fine.clone(), 0.5, Some("more than 1.5 s late")),
            (Ending::Interrupted, mute.clone(), 0.5, Some("numbers so far")),
            (Ending::Complete, mute, 0.5, Some("try --lines")),
            (Ending::Complete, unreachable, 0.5, Some("connect to 127.0.0.1:5000: unreachable.")),
            (Ending::Complete, portless, 0.95, Some("2 dials found no free port")),
            (Ending::Complete, failed_once, 0.95, Some("1 dial found no free port")),
            (Ending::Complete, without(0), 0.5, None),
            (Ending::Complete, without(1), 0.5, Some("Not sent: 1 message that was due")),
            (Ending::Complete, without(603), 0.5, Some("Not sent: 603 messages that were due")),
            (Ending::Complete, failed("refused"), 0.5, Some("does anything listen on 127.0.0.1:5000")),
            (Ending::Complete, fine, 0.95, Some("may have been the bottleneck: it used 95 %")),
        ];
        for (ending, counts, cpu_share, wanted) in table {
            let (told, is_bottleneck) = remarks(ending, counts, cpu_share);
            assert_eq!(told.len(), 1 + usize::from(wanted.is_some()), "{told:?}");
            assert!(told.contains(&"From outside.".to_owned()), "{told:?}");
            assert!(wanted.is_none_or(|wanted| told.iter().any(|told| told.contains(wanted))), "{told:?}");
            let is_told = wanted.is_some_and(|wanted| wanted.contains("bottleneck"));
            assert_eq!(is_bottleneck, is_told);
        }
    }
}
