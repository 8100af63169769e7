//! Tells the service manager when peers can reach us: systemd's `Type=notify`, and others that set `NOTIFY_SOCKET`.
//!
//! The program does it and not the machine, which knows no environment. Only the chat has it: no other subcommand is a
//! service. Without that variable nothing happens.

use chinwag::chat::node::Node;
use chinwag::chat::notice::Notice;
use chinwag::net::event_loop::EventLoop;
use chinwag::term::Screen;
use sd_notify::NotifyState;

/// Whether the service manager was told.
#[derive(Default)]
pub(crate) struct Readiness {
    is_told: bool,
}

impl Readiness {
    /// Call it after each turn.
    pub(crate) fn look<S: Screen<Notice>>(&mut self, event_loop: &EventLoop<Node, S>) {
        if self.is_told || !event_loop.machine().is_running() {
            return;
        }
        self.is_told = true;
        if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
            log::warn!("the service manager cannot be told that we listen: {error}");
        }
    }
}
