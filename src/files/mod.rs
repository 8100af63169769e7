//! The files that last from run to run: known peers and typed lines.
//!
//! They are written between the turns of the event loop, so the chat knows no file. If a file cannot be used, the user
//! is told once, and the chat goes on without it. Several programs may share the files at the same time.
//!
//! Checking for changes costs one comparison, because the book counts its changes. A write takes a few milliseconds of
//! the loop's time, once in some seconds, and only on a terminal: that does not justify a thread, which would be the
//! only one.
#![expect(clippy::disallowed_methods, reason = "the file has times of day, and the book has moments")]

mod disk;
mod document;
mod history;
mod known_peers;
mod record;

use chinwag::chat::book::Known;
use chinwag::chat::node::{Config, Node};
use chinwag::chat::notice::{FileFault, Kept, Notice};
use chinwag::limits::ODD_PARTS_TOLD_MAX;
use chinwag::net::event_loop::EventLoop;
use chinwag::proto::fault::Fault;
use chinwag::proto::scope::Scopes;
use chinwag::term::Screen;
use chinwag::term::editor::Editor;
use chinwag::term::terminal::Terminal;
use chinwag::term::transcript::Recorded;
use disk::Unusable;
use etcetera::BaseStrategy;
use history::HistoryFile;
use known_peers::KnownPeers;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files of one run.
pub(crate) struct Files {
    known_peers: Option<KnownPeers>,
    history: Option<HistoryFile>,
}

impl Files {
    /// Reads the files that are wanted. Nothing is written yet, unless a corrupt file must be renamed.
    pub(crate) fn open(known_peers: Option<PathBuf>, history: Option<PathBuf>, scopes: Scopes) -> Self {
        Self {
            known_peers: known_peers.map(|path| KnownPeers::load(path, scopes)),
            history: history.map(HistoryFile::load),
        }
    }

    /// Gives a node its known peers.
    pub(crate) fn remind(&self, config: Config) -> Config {
        match &self.known_peers {
            Some(file) => Config { known: file.known(), must_remember: true, ..config },
            None => config,
        }
    }

    /// Gives a line editor what was typed before, and names for completion.
    pub(crate) fn prompt(&mut self, editor: &mut Editor) {
        if let Some(file) = &mut self.history {
            editor.recall(file.answers());
        }
        if let Some(file) = &self.known_peers {
            editor.know(&file.called());
        }
    }

    /// Call it before the first turn and after each one. It writes what must be written, and returns within what time
    /// to call it again.
    pub(crate) fn look<S: Screen<Notice>>(
        &mut self,
        event_loop: &mut EventLoop<Node, S>,
    ) -> Option<Duration> {
        self.known_peers.as_mut().and_then(|file| file.look(event_loop))
    }

    /// As [`look`](Self::look), on a terminal, where typed lines are kept too.
    pub(crate) fn look_at_terminal(
        &mut self,
        event_loop: &mut EventLoop<Node, Recorded<Terminal>>,
    ) -> Option<Duration> {
        let for_history = self.history.as_mut().and_then(|file| file.look(event_loop));
        self.look(event_loop).into_iter().chain(for_history).min()
    }
}

/// Where the known peers are kept, unless the user says otherwise.
pub(crate) fn known_peers_place() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.data_dir().join("chinwag/peers.toml"))
}

/// The dialects of known peers, if there are any.
pub(crate) fn known_dialects(scopes: &Scopes) -> Vec<(SocketAddr, Known)> {
    known_peers_place().map(|path| known_peers::dialects(&path, scopes)).unwrap_or_default()
}

/// Where typed lines are kept.
pub(crate) fn history_place() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.state_dir()?.join("chinwag/history"))
}

/// The faults of a file. The user is told of each fault once.
struct Faults {
    kept: Kept,
    path: PathBuf,
    untold: Vec<FileFault>,
    /// The file must not be touched any more.
    is_left_alone: bool,
    is_unwritable: bool,
}

impl Faults {
    fn new(kept: Kept, path: &Path) -> Self {
        let path = path.to_owned();
        Self { kept, path, untold: Vec::new(), is_left_alone: false, is_unwritable: false }
    }

    /// A corrupt file was renamed, so a new one can be written. A file that cannot be read is left alone.
    fn note_unusable(&mut self, unusable: Unusable) {
        self.untold.push(match unusable {
            Unusable::Corrupt { reason, set_aside } => FileFault::Corrupt { reason, set_aside },
            Unusable::Unreadable(error) => {
                self.is_left_alone = true;
                FileFault::Unreadable(Fault::from(&error))
            }
        });
    }

    /// Notes the invalid parts of a valid file; only the first few are shown.
    fn note_odd(&mut self, reasons: &[String]) {
        let told: Vec<String> = reasons.iter().take(ODD_PARTS_TOLD_MAX).cloned().collect();
        if !told.is_empty() {
            let more = reasons.len() - told.len();
            self.untold.push(FileFault::Odd { reasons: told, more });
        }
    }

    fn note_unwritable(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_unwritable, true) {
            self.untold.push(FileFault::Unwritable(error.into()));
        }
    }

    fn tell<S: Screen<Notice>>(&mut self, event_loop: &mut EventLoop<Node, S>) {
        for why in self.untold.drain(..) {
            event_loop.show(Notice::FileFault { kept: self.kept, path: self.path.clone(), why });
        }
    }
}
