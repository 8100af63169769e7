//! The screen of a generator: keeps what its driver asks for, and shows how far it is.

use chinwag::swarm::notice::{Notice, Pause};
use chinwag::term::Screen;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::time::{ClockId, clock_gettime};
use std::collections::VecDeque;
use std::time::Duration;

/// What the driver must act on, in the order in which it comes in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// Somebody wants it to end: from here on the generator waits for nothing but the target.
    Interrupted,
    /// The target is to send to everybody.
    Trigger,
    /// It is to be told to go on.
    Paused(Pause),
    /// It is done.
    Over,
}

/// The screen of one generator.
#[derive(Debug)]
pub(super) struct Panel {
    bar: ProgressBar,
    events: VecDeque<Event>,
    pause: Option<Pause>,
    /// It told how far it is since somebody asked.
    has_progressed: bool,
    /// Our own CPU time when the scenario began, and at its end.
    cpu_at_start: Option<Duration>,
    cpu_at_end: Option<Duration>,
}

impl Panel {
    /// `is_shown`: on stderr, if that is a terminal.
    pub(super) fn new(is_shown: bool) -> Self {
        let to = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), to);
        let style = ProgressStyle::with_template("{msg:10} [{wide_bar}] {percent:>3} %  {elapsed}  {prefix}");
        bar.set_style(style.expect("a template without a fault").progress_chars("=> "));
        bar.set_message("connecting");
        Self {
            bar,
            events: VecDeque::new(),
            pause: None,
            has_progressed: false,
            cpu_at_start: None,
            cpu_at_end: None,
        }
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether it was told how far the generator is since this was last asked: so it is now and then,
    /// whatever else happens.
    pub(super) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.has_progressed)
    }

    /// Our own CPU time while the scenario ran, until now if it was cut short.
    pub(super) fn cpu_used(&self) -> Duration {
        let start = self.cpu_at_start;
        start.map_or(Duration::ZERO, |start| self.cpu_at_end.unwrap_or_else(own_cpu).saturating_sub(start))
    }

    /// Clears the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Screen<Notice> for Panel {
    fn show(&mut self, notice: Notice) {
        match notice {
            Notice::Paused(pause) => {
                if pause == Pause::BeforeEnd {
                    self.cpu_at_end = Some(own_cpu());
                }
                self.pause = Some(pause);
                self.events.push_back(Event::Paused(pause));
            }
            Notice::Progress { connected, done, total } => {
                self.has_progressed = true;
                self.bar.set_length(total);
                self.bar.set_position(done);
                self.bar.set_prefix(format!("{connected} connected"));
            }
            Notice::Trigger => self.events.push_back(Event::Trigger),
        }
    }

    fn line_taken(&mut self) {
        match self.pause.take() {
            Some(Pause::BeforeStart) => {
                self.cpu_at_start = Some(own_cpu());
                self.bar.set_position(0);
                self.bar.set_message("running");
            }
            Some(Pause::BeforeEnd) => self.bar.set_message("leaving"),
            Some(Pause::BeforeRound) | None => {}
        }
    }
}

/// User and system time of this process.
fn own_cpu() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}
