//! The screen of a generator: keeps the events for its driver, and shows the progress.

use super::own_use::OwnUse;
use chinwag::swarm::notice::{Notice, Pause};
use chinwag::term::Screen;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::VecDeque;

/// What the driver must act on. Of the events of several processes, the least is handled first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The user wants the run to end. From here on the generator waits only for the target.
    Interrupted,
    /// The target must send to all peers now.
    Trigger,
    /// The generator has paused, and waits until it is told to go on.
    Paused(Pause),
    /// The generator is done.
    Over,
}

/// The screen of one generator.
#[derive(Debug)]
pub(super) struct Panel {
    bar: ProgressBar,
    events: VecDeque<Event>,
    pause: Option<Pause>,
    /// The generator has reported its progress since the last [`Panel::take_progress`].
    has_progressed: bool,
    /// What we had used when the scenario began, and at its end.
    used_at_start: Option<OwnUse>,
    used_at_end: Option<OwnUse>,
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
            used_at_start: None,
            used_at_end: None,
        }
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether the generator has reported its progress since the last call. It does so now and then, whatever else
    /// happens.
    pub(super) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.has_progressed)
    }

    /// What we used while the scenario ran, until now if it was cut short.
    pub(super) fn used(&self) -> OwnUse {
        let start = self.used_at_start;
        start.map_or_else(OwnUse::default, |start| self.used_at_end.unwrap_or_else(OwnUse::now).since(start))
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
                    self.used_at_end = Some(OwnUse::now());
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
                self.used_at_start = Some(OwnUse::now());
                self.bar.set_position(0);
                self.bar.set_message("running");
            }
            Some(Pause::BeforeEnd) => self.bar.set_message("leaving"),
            Some(Pause::BeforeRound) | None => {}
        }
    }
}
