//! What is kept in files from run to run: the peers that are known, and the lines that were typed.
//!
//! Looked after between the turns of the event loop, so the chat knows no file. A file that cannot be kept is
//! told once, and the chat goes on without. Several programs may share the files at once.
//!
//! A look that finds nothing changed costs one comparison, because the book counts its changes. A write takes the loop
//! a few milliseconds, once in some seconds, and only on a terminal: a thread for it would be the only one.
#![expect(clippy::disallowed_methods, reason = "the file has times of day, and the book moments")]

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
    /// Reads those that are wanted. Nothing is written yet, unless a corrupt file has to be set aside.
    pub(crate) fn open(known_peers: Option<PathBuf>, history: Option<PathBuf>) -> Self {
        Self { known_peers: known_peers.map(KnownPeers::load), history: history.map(HistoryFile::load) }
    }

    /// Tells a node whom it knows.
    pub(crate) fn remind(&self, config: Config) -> Config {
        match &self.known_peers {
            Some(file) => Config { known: file.known(), must_remember: true, ..config },
            None => config,
        }
    }

    /// Tells a line editor what was typed before, and whom to complete.
    pub(crate) fn prompt(&mut self, editor: &mut Editor) {
        if let Some(file) = &mut self.history {
            editor.recall(file.answers());
        }
        if let Some(file) = &self.known_peers {
            editor.know(&file.called());
        }
    }

    /// To be called before the first turn and after each one: writes what is to be written, and says within
    /// what time to call again.
    pub(crate) fn look<S: Screen<Notice>>(
        &mut self,
        event_loop: &mut EventLoop<Node, S>,
    ) -> Option<Duration> {
        self.known_peers.as_mut().and_then(|file| file.look(event_loop))
    }

    /// The same on a terminal, where lines are typed too.
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

/// In which dialect to write to peers that are known, as far as that is so.
pub(crate) fn known_dialects() -> Vec<(SocketAddr, Known)> {
    known_peers_place().map(|path| known_peers::dialects(&path)).unwrap_or_default()
}

/// Where typed lines are kept.
pub(crate) fn history_place() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.state_dir()?.join("chinwag/history"))
}

/// What is wrong with a file, told once each.
struct Faults {
    kept: Kept,
    path: PathBuf,
    untold: Vec<FileFault>,
    /// It is not to be touched any more.
    is_left_alone: bool,
    is_unwritable: bool,
}

impl Faults {
    fn new(kept: Kept, path: &Path) -> Self {
        let path = path.to_owned();
        Self { kept, path, untold: Vec::new(), is_left_alone: false, is_unwritable: false }
    }

    /// What cannot be understood makes room for another; what cannot be read is left alone.
    fn note_unusable(&mut self, unusable: Unusable) {
        self.untold.push(match unusable {
            Unusable::Corrupt { reason, set_aside } => FileFault::Corrupt { reason, set_aside },
            Unusable::Unreadable(error) => {
                self.is_left_alone = true;
                FileFault::Unreadable(Fault::from(&error))
            }
        });
    }

    /// What cannot be used of a file that can; the first few reasons are told.
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
