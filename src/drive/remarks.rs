//! What the reader of a report must know to trust its numbers, or not to.

use chinwag::limits::{BOTTLENECK_SHARE, LATENESS_MAX};
use chinwag::swarm::generator::Ending;
use chinwag::swarm::plan::{Carrier, Plan, Scenario};
use chinwag::swarm::report::Report;
use chinwag::swarm::tally::Measure;
use std::time::Duration;

/// Adds the remarks on a run, after those of whoever conducted it, and finds out whether the generator was
/// the bottleneck.
pub(super) fn add(report: &mut Report, plan: &Plan, of_conductor: &[String]) {
    report.remarks.extend(on_ending(report, plan));
    report.remarks.extend_from_slice(of_conductor);
    report.remarks.extend(on_connections(report, plan));
    report.remarks.extend(on_dials(report));
    let on_generator = on_generator(report);
    report.generator.is_bottleneck = on_generator.is_some();
    report.remarks.extend(on_generator);
}

fn on_ending(report: &Report, plan: &Plan) -> Option<String> {
    match report.ending {
        Ending::Complete => None,
        Ending::Interrupted => Some("Interrupted: these are the numbers so far.".to_owned()),
        Ending::Late => Some(format!(
            "Given up: messages were over {} s late, and the rest of them was not sent. --pace is above what the \
             target takes or the generator gives.",
            plan.timeout.as_secs_f64()
        )),
        Ending::Stuck if matches!(report.setup.scenario, Scenario::Burst { .. }) => Some(format!(
            "Given up: a round was not written in {} s. A target that is stopped takes what its socket's buffers \
             hold, and no more: use a smaller --batch or --length.",
            plan.timeout.as_secs_f64()
        )),
        Ending::Stuck => Some(format!(
            "Given up: the target owed an answer and did nothing for {} s.",
            plan.timeout.as_secs_f64()
        )),
    }
}

fn on_connections(report: &Report, plan: &Plan) -> Option<String> {
    let counts = &report.counts;
    let greets = plan.carrier == Carrier::Session && plan.scenario != Scenario::Churn;
    if counts.connected == 0 && counts.failures() > 0 {
        return Some(format!("Nobody could connect: does anything listen on {}?", plan.target));
    }
    if greets && counts.connected > 0 && counts.answered == 0 && report.ending != Ending::Interrupted {
        return Some("The target answers no connect as chinwag does: try --lines.".to_owned());
    }
    let is_backlogged = report.host.somaxconn.is_some_and(|limit| plan.in_flight as u64 > limit);
    is_backlogged
        .then(|| "--in-flight is above somaxconn: dials may have waited for a retry of a second.".to_owned())
}

fn on_dials(report: &Report) -> Option<String> {
    (report.setup.scenario == Scenario::Churn && is_late(report)).then(|| {
        "More than one dial of a hundred was made over a millisecond later than --rate has it: --in-flight was \
         reached, or the generator was busy. Each counts from when it was due."
            .to_owned()
    })
}

/// More than a few messages or dials were.
fn is_late(report: &Report) -> bool {
    let lateness = report.times.get(&Measure::Lateness);
    lateness.is_some_and(|lateness| Duration::from_nanos(lateness.p99) > LATENESS_MAX)
}

/// Whether the generator was the bottleneck, and what can be done about it. Who sends at fixed moments is
/// late when it is; everybody else uses up its CPU while the target has some of its own left.
fn on_generator(report: &Report) -> Option<String> {
    // Who waits for a moment turns, and its CPU says nothing. Dials are late as well if the target lets no
    // more be in flight, so they say nothing either.
    if report.times.contains_key(&Measure::Lateness) {
        let is_churn = report.setup.scenario == Scenario::Churn;
        return (!is_churn && is_late(report)).then(|| {
            "The generator was the bottleneck: more than one message of a hundred was sent over a millisecond \
             late. Use a lower rate, or more --processes."
                .to_owned()
        });
    }
    let target_share = report.target.as_ref().map(|target| target.cpu_share);
    let is_busy = report.generator.cpu_share >= BOTTLENECK_SHARE;
    if !is_busy || target_share.is_some_and(|share| share >= BOTTLENECK_SHARE) {
        return None;
    }
    let (how_sure, hint) = match target_share {
        Some(_) => ("was", ""),
        None => ("may have been", ", or give --pid to see what the target used"),
    };
    let percent = report.generator.cpu_share * 100.0;
    Some(format!(
        "The generator {how_sure} the bottleneck: it used {percent:.0} % of its CPU. Use more --processes{hint}."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag::swarm::report::Times;
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
        }
    }

    fn remarks(ending: Ending, counts: Counts, cpu_share: f64) -> (Vec<String>, bool) {
        let mut report = Report::new(&plan(), &Tally { counts, ..Tally::default() }, ending);
        report.generator.cpu_share = cpu_share;
        add(&mut report, &plan(), &["From outside.".to_owned()]);
        (report.remarks, report.generator.is_bottleneck)
    }

    #[test]
    fn late_messages_are_the_generators_fault_and_late_dials_may_be_the_targets() {
        let pace = Scenario::Pace { rate: 1.0, time: Duration::from_secs(1) };
        for (scenario, wanted, is_bottleneck) in
            [(pace, "was the bottleneck", true), (Scenario::Churn, "--in-flight was reached", false)]
        {
            for late in [false, true] {
                let plan = Plan { scenario, ..plan() };
                let mut report = Report::new(&plan, &Tally::default(), Ending::Complete);
                let mut times = new_histogram();
                let lateness = if late { LATENESS_MAX * 2 } else { LATENESS_MAX / 2 };
                times.record(lateness.as_nanos() as u64).unwrap();
                report.times.insert(Measure::Lateness, Times::new(&times));
                report.generator.cpu_share = 1.0;
                add(&mut report, &plan, &[]);
                assert_eq!(report.remarks.iter().any(|told| told.contains(wanted)), late, "{scenario:?}");
                assert_eq!(report.generator.is_bottleneck, late && is_bottleneck, "{scenario:?}");
            }
        }
    }

    #[test]
    fn what_is_odd_about_a_run_is_told_and_nothing_else() {
        let refused = Counts { failed: [("Refused".to_owned(), 2)].into(), ..Counts::default() };
        let mute = Counts { connected: 2, ..Counts::default() };
        let fine = Counts { connected: 2, answered: 2, ..Counts::default() };
        let table = [
            (Ending::Complete, fine.clone(), 0.5, None),
            (Ending::Stuck, fine.clone(), 0.5, Some("did nothing for 1.5 s")),
            (Ending::Late, fine.clone(), 0.5, Some("over 1.5 s late")),
            (Ending::Interrupted, mute.clone(), 0.5, Some("numbers so far")),
            (Ending::Complete, mute, 0.5, Some("try --lines")),
            (Ending::Complete, refused, 0.5, Some("does anything listen on 127.0.0.1:5000")),
            (Ending::Complete, fine, 0.95, Some("may have been the bottleneck: it used 95 %")),
        ];
        for (ending, counts, cpu_share, wanted) in table {
            let (told, is_bottleneck) = remarks(ending, counts, cpu_share);
            assert_eq!(told.len(), 1 + usize::from(wanted.is_some()), "{told:?}");
            assert!(told.contains(&"From outside.".to_owned()), "{told:?}");
            assert!(wanted.is_none_or(|wanted| told.iter().any(|told| told.contains(wanted))), "{told:?}");
            assert_eq!(is_bottleneck, cpu_share > BOTTLENECK_SHARE);
        }
    }
}
