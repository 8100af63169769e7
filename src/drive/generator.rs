//! What generates the load, as whoever directs it sees it: it is told to go on where it pauses, and ends with
//! a report. And the simple kind of it, a swarm in this process.

use super::panel::{Event, Panel};
use chinwag::limits::POLL_RESOLUTION;
use chinwag::net::event_loop::EventLoop;
use chinwag::proto::machine::Machine;
use chinwag::swarm::generator::{Ending, GO, Swarm};
use chinwag::swarm::notice::Pause;
use chinwag::swarm::plan::{Plan, Scenario};
use chinwag::swarm::report::{GeneratorUse, Report};
use chinwag::term::stdin::Stdin;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// What directs a run sees of its generators.
pub(super) trait Generator {
    /// Waits until there is something to act on.
    fn wait(&mut self) -> io::Result<Event>;
    /// Goes on with what comes for so long, or until it is over or about to be. `false`: it is, and no more rest
    /// will do.
    fn rest(&mut self, time: Duration) -> io::Result<bool>;
    /// Ends the pause.
    fn go(&mut self) -> io::Result<()>;
    /// What was done; after [`Event::Over`].
    fn report(&mut self) -> io::Result<Report>;
}

/// A swarm in this process.
pub(super) struct Local {
    plan: Plan,
    event_loop: EventLoop<Swarm, Panel>,
    /// Another process directs this one, by its stdin.
    is_directed: bool,
    /// Whoever directs it was told of the interrupt.
    is_interrupt_told: bool,
    is_over: bool,
}

impl Local {
    pub(super) fn new(plan: Plan, is_shown: bool) -> io::Result<Self> {
        let swarm = Swarm::new(plan.clone(), Instant::now());
        let event_loop = EventLoop::new(swarm, Panel::new(is_shown))?.with_signals()?;
        Ok(Self { plan, event_loop, is_directed: false, is_interrupt_told: false, is_over: false })
    }

    /// The same, told to go on by lines on stdin.
    fn directed(plan: Plan) -> io::Result<Self> {
        let local = Self::new(plan, false)?;
        let event_loop = local.event_loop.with_stdin(Stdin::inherited())?;
        Ok(Self { event_loop, is_directed: true, ..local })
    }

    fn has_news_of_interrupt(&mut self) -> bool {
        let is_interrupted = self.event_loop.machine().ending() == Ending::Interrupted;
        is_interrupted && !std::mem::replace(&mut self.is_interrupt_told, true)
    }

    /// The system wakes us up to a millisecond late, which would be taken for the target's latency: the
    /// last millisecond before a paced message or dial is spent turning.
    fn wait_exactly(&self) -> Option<Duration> {
        if !matches!(self.plan.scenario, Scenario::Pace { .. }) && self.plan.dials_per_second.is_none() {
            return None;
        }
        let at = self.event_loop.machine().poll_timeout()?;
        Some(at.saturating_duration_since(Instant::now()).saturating_sub(POLL_RESOLUTION))
    }
}

impl Generator for Local {
    fn wait(&mut self) -> io::Result<Event> {
        loop {
            if self.has_news_of_interrupt() {
                return Ok(Event::Interrupted);
            }
            if let Some(event) = self.event_loop.screen_mut().next_event() {
                return Ok(event);
            }
            if self.is_over {
                return Ok(Event::Over);
            }
            // Lines are read only while it pauses, which may be in a day.
            if self.is_directed && self.event_loop.screen_mut().take_progress() && has_hung_up()? {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let wait = self.wait_exactly();
            self.is_over = self.event_loop.turn(wait)?.is_some();
        }
    }

    fn rest(&mut self, time: Duration) -> io::Result<bool> {
        let until = Instant::now() + time;
        while !self.is_over {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.is_over = self.event_loop.turn(Some(left))?.is_some();
        }
        Ok(!self.is_over)
    }

    fn go(&mut self) -> io::Result<()> {
        self.event_loop.type_line(GO);
        Ok(())
    }

    fn report(&mut self) -> io::Result<Report> {
        self.event_loop.screen_mut().finish();
        let used = self.event_loop.screen_mut().used();
        let swarm = self.event_loop.machine();
        let mut report = Report::new(&self.plan, swarm.tally(), swarm.ending());
        let share =
            |time: Duration| if report.seconds > 0.0 { time.as_secs_f64() / report.seconds } else { 0.0 };
        report.generator = GeneratorUse {
            cpu_seconds: used.cpu.as_secs_f64(),
            cpu_share: share(used.cpu),
            waited_share: share(used.waited),
            stolen_share: used.stolen_share(),
            is_bottleneck: false,
        };
        Ok(report)
    }
}

/// Be one of several processes: say when ready for signals, tell each event on stdout, take `go` from
/// stdin, and end with the report; or when nobody listens any more.
pub(super) fn work(plan: Plan) -> io::Result<()> {
    let outcome = Local::directed(plan).and_then(|mut local| work_through(&mut local));
    outcome.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

fn work_through(local: &mut Local) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{READY}")?;
    loop {
        let event = local.wait()?;
        writeln!(stdout, "{}", word(event))?;
        if event == Event::Over {
            break;
        }
    }
    serde_json::to_writer(&mut stdout, &local.report()?)?;
    writeln!(stdout)
}

/// Whether whoever writes to our stdin is gone.
fn has_hung_up() -> io::Result<bool> {
    let stdin = io::stdin();
    // Asks for nothing: that the other end is closed is told in any case.
    let mut stdin = [PollFd::new(&stdin, PollFlags::empty())];
    retry_on_intr(|| poll(&mut stdin, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })))?;
    Ok(stdin[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL))
}

/// The first line of a process that is directed by another one.
pub(super) const READY: &str = "ready";

/// How a process tells another one of an event.
fn word(event: Event) -> &'static str {
    match event {
        Event::Interrupted => "interrupted",
        Event::Trigger => "trigger",
        Event::Paused(Pause::BeforeStart) => "before-start",
        Event::Paused(Pause::BeforeRound) => "before-round",
        Event::Paused(Pause::BeforeEnd) => "before-end",
        Event::Over => "over",
    }
}

/// The inverse of [`word`].
pub(super) fn event(word: &str) -> Option<Event> {
    EVENTS.into_iter().find(|&event| self::word(event) == word)
}

const EVENTS: [Event; 6] = [
    Event::Interrupted,
    Event::Trigger,
    Event::Paused(Pause::BeforeStart),
    Event::Paused(Pause::BeforeRound),
    Event::Paused(Pause::BeforeEnd),
    Event::Over,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_found_by_its_word() {
        for known in EVENTS {
            assert_eq!(event(word(known)), Some(known));
        }
        assert_eq!(event("go"), None);
    }

    #[test]
    fn what_asks_for_the_least_patience_comes_first() {
        assert!(EVENTS.is_sorted());
    }
}
