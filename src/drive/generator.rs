//! The load generator as a run sees it: it pauses, goes on when it is told to, and ends with a report. [`Local`] is
//! the simple kind, a swarm in this process.

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

/// What a run needs of the generator that it directs.
pub(super) trait Generator {
    /// Waits for the next event.
    fn wait(&mut self) -> io::Result<Event>;
    /// Lets the generator work for so long, or until it is over or about to end. `false`: it is over or about to
    /// end, so the caller must not rest again.
    fn rest(&mut self, time: Duration) -> io::Result<bool>;
    /// Ends the pause.
    fn go(&mut self) -> io::Result<()>;
    /// What was done. Call it after [`Event::Over`].
    fn report(&mut self) -> io::Result<Report>;
}

/// A swarm in this process.
pub(super) struct Local {
    plan: Plan,
    event_loop: EventLoop<Swarm, Panel>,
    /// Another process directs this one through stdin.
    is_directed: bool,
    /// The interrupt was reported as an event.
    is_interrupt_told: bool,
    is_over: bool,
}

impl Local {
    pub(super) fn new(plan: Plan, is_shown: bool) -> io::Result<Self> {
        let swarm = Swarm::new(plan.clone(), Instant::now());
        let event_loop = EventLoop::new(swarm, Panel::new(is_shown))?.with_signals()?;
        Ok(Self { plan, event_loop, is_directed: false, is_interrupt_told: false, is_over: false })
    }

    /// A generator in this process that goes on when a line comes on stdin.
    fn directed(plan: Plan) -> io::Result<Self> {
        let local = Self::new(plan, false)?;
        let event_loop = local.event_loop.with_stdin(Stdin::inherited())?;
        Ok(Self { event_loop, is_directed: true, ..local })
    }

    fn has_news_of_interrupt(&mut self) -> bool {
        let is_interrupted = self.event_loop.machine().ending() == Ending::Interrupted;
        is_interrupted && !std::mem::replace(&mut self.is_interrupt_told, true)
    }

    /// How long one turn may sleep; `None` leaves that to the loop. The system wakes us up to a millisecond late,
    /// and that would look like latency of the target. So the last millisecond before a paced message or dial is
    /// spent in turns that do not sleep.
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
            // Stdin is read only during a pause, and the next pause may be a day away.
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

/// Runs as one of several processes. It writes a line when it is ready for signals, then each event and at last the
/// report to stdout, and it reads `go` from stdin. It also ends when nobody reads its output any more.
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

/// Whether the process that writes to our stdin is gone.
fn has_hung_up() -> io::Result<bool> {
    let stdin = io::stdin();
    // No events are asked for: `poll` always reports that the other end is closed.
    let mut stdin = [PollFd::new(&stdin, PollFlags::empty())];
    retry_on_intr(|| poll(&mut stdin, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })))?;
    Ok(stdin[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL))
}

/// The first line that a worker writes.
pub(super) const READY: &str = "ready";

/// The line that a worker writes for an event.
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
    fn the_event_that_must_be_handled_first_comes_first() {
        assert!(EVENTS.is_sorted());
    }
}
