//! The files that last from run to run: known peers, texts that are held for later, typed lines and the key.
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
mod held;
mod held_document;
mod history;
pub(crate) mod identity;
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
use held::HeldFile;
use history::HistoryFile;
use identity::IdentityFile;
use known_peers::KnownPeers;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files of one run.
pub(crate) struct Files {
    known_peers: Option<KnownPeers>,
    held: Option<HeldFile>,
    history: Option<HistoryFile>,
    identity: Option<IdentityFile>,
}

impl Files {
    /// Reads the files that are wanted, besides the key, which was read before. Nothing is written yet, unless a corrupt
    /// file must be renamed.
    pub(crate) fn open(
        known_peers: Option<PathBuf>,
        held: Option<PathBuf>,
        history: Option<PathBuf>,
        identity: Option<IdentityFile>,
        scopes: Scopes,
    ) -> Self {
        Self {
            identity,
            held: held.map(|path| HeldFile::load(path, scopes.clone())),
            known_peers: known_peers.map(|path| KnownPeers::load(path, scopes)),
            history: history.map(HistoryFile::load),
        }
    }

    /// Gives a node its known peers, its key, and the texts that are held for later.
    pub(crate) fn remind(&mut self, mut config: Config) -> Config {
        if let Some(file) = &mut self.identity {
            config = file.give(config);
        }
        if let Some(file) = &self.known_peers {
            config = Config { known: file.known(), must_remember: true, ..config };
        }
        if let Some(file) = &self.held {
            config = Config { held: file.texts(), has_held_file: true, ..config };
        }
        config
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
        if let Some(file) = &mut self.identity {
            file.tell(event_loop);
        }
        // A text that has arrived must be taken out of its file even if the other one is held up.
        let for_held = self.held.as_mut().and_then(|file| file.look(event_loop));
        let for_known = self.known_peers.as_mut().and_then(|file| file.look(event_loop));
        for_held.into_iter().chain(for_known).min()
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

/// Where the texts are kept that are held for later.
pub(crate) fn held_place() -> Option<PathBuf> {
    Some(known_peers_place()?.with_file_name("held.toml"))
}

/// The dialects and the keys of known peers, if there are any.
///
/// # Errors
///
/// The file cannot be used, so nothing may be sent; the error is a sentence.
pub(crate) fn known_for_sending(scopes: &Scopes) -> Result<Vec<(SocketAddr, Known)>, String> {
    known_peers_place().map_or(Ok(Vec::new()), |path| known_peers::for_sending(&path, scopes))
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
