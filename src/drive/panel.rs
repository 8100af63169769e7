//! The screen of a generator: keeps what its driver asks for, and shows how far it is.

use chinwag::swarm::notice::{Notice, Pause};
use chinwag::term::Screen;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::time::{ClockId, clock_gettime};
use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// What the driver must act on, in the order in which it comes in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    Trigger,
    Paused(Pause),
    Over,
}

/// The screen of one generator.
#[derive(Debug)]
pub(super) struct Panel {
    bar: ProgressBar,
    events: VecDeque<Event>,
    pause: Option<Pause>,
    /// Our own CPU time when the scenario began, and what it used until its end.
    cpu_at_start: Duration,
    cpu_used: Duration,
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
            cpu_at_start: Duration::ZERO,
            cpu_used: Duration::ZERO,
        }
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Our own CPU time while the scenario ran.
    pub(super) fn cpu_used(&self) -> Duration {
        self.cpu_used
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Screen<Notice> for Panel {
    fn show(&mut self, notice: Notice) {
        match notice {
            Notice::Paused(pause) => {
                if pause == Pause::BeforeEnd {
                    self.cpu_used = own_cpu().saturating_sub(self.cpu_at_start);
                }
                self.pause = Some(pause);
                self.events.push_back(Event::Paused(pause));
            }
            Notice::Progress { connected, done, total } => {
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
                self.cpu_at_start = own_cpu();
                self.bar.set_message("running");
            }
            Some(Pause::BeforeEnd) => self.bar.set_message("leaving"),
            Some(Pause::BeforeRound) | None => {}
        }
    }

    fn flush(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    fn is_full(&self) -> bool {
        false
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// User and system time of this process.
fn own_cpu() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}
