//! The file of known peers: read at the start, written when the book has changed.
//!
//! The file is merged, not overwritten, because people try the chat with several programs on one machine. Our changes
//! since the last write replace what is in the file; everything else stays as another program or the user's editor
//! left it. The lock is a second file, because the file itself is replaced. The program waits for the lock only at its
//! end.
//!
//! A peer that was only heard is written at the end, and only if it has not left: nothing shows that anybody listens
//! at its address, and a program that sends one text and says `exit` would add a row with each run. When a peer was
//! last heard is looked up at each write. A crash or a kill loses only these two things.

use super::Faults;
use super::disk::{self, Lock};
use super::document::Document;
use super::record::{self, Clock, Record, Records};
use crate::quoting::shown;
use chinwag::chat::book::Known;
use chinwag::chat::node::Node;
use chinwag::chat::notice::{Kept, Notice, Who};
use chinwag::limits::{KNOWN_PEERS_FILE_BYTES_MAX, KNOWN_PEERS_INTERVAL, LOCK_RETRY, LOCK_TRIES};
use chinwag::net::event_loop::EventLoop;
use chinwag::proto::clean::Clean;
use chinwag::proto::fault::Fault;
use chinwag::proto::scope::Scopes;
use chinwag::term::Screen;
use jiff::Timestamp;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What to do about a file whose keys cannot be used.
const UNUSABLE: &str = "\
Nothing was sent, because the file of known peers cannot be used and may have keys in it; repair it or move it away";

/// The file, and what we know about it.
pub(super) struct KnownPeers {
    path: PathBuf,
    scopes: Scopes,
    clock: Clock,
    /// What we knew when the file was last read or written.
    before: Records,
    /// The book's revision then.
    revision: u64,
    /// It is not written before this moment.
    not_before: Option<Instant>,
    faults: Faults,
}

impl KnownPeers {
    /// Reads the file, if there is one. In it, `scopes` are names of interfaces.
    pub(super) fn load(path: PathBuf, scopes: Scopes) -> Self {
        let path = disk::follow(&path);
        let mut faults = Faults::new(Kept::KnownPeers, &path);
        let clock = Clock::start();
        let read = disk::read(&path, KNOWN_PEERS_FILE_BYTES_MAX, parse_in(&scopes));
        let document = read.unwrap_or_else(|unusable| {
            faults.note_unusable(unusable);
            None
        });
        let document = document.unwrap_or_else(|| Document::new(&scopes));
        faults.note_odd(document.odd());
        // Converted as the book will have them: what the book cannot hold, we must not change.
        let known = |(address, record): (_, Record)| (address, Record::of(&record.to_known(&clock), &clock));
        let before = record::bounded(document.records().clone()).into_iter().map(known).collect();
        Self { path, scopes, clock, before, revision: 0, not_before: None, faults }
    }

    /// The known peers, for the node.
    pub(super) fn known(&self) -> Vec<(SocketAddr, Known)> {
        self.before.iter().map(|(&address, record)| (address, record.to_known(&self.clock))).collect()
    }

    /// Their addresses and names, the one heard last first.
    pub(super) fn called(&self) -> Vec<Who> {
        let mut known = self.known();
        known.sort_by_key(|(_, known)| std::cmp::Reverse(known.heard_at));
        let who =
            |(address, known): (SocketAddr, Known)| Who::new(address, known.alias.unwrap_or(known.name));
        known.into_iter().map(who).collect()
    }

    /// Writes the file if it is time; returns within what time to call it again.
    pub(super) fn look<S: Screen<Notice>>(
        &mut self,
        event_loop: &mut EventLoop<Node, S>,
    ) -> Option<Duration> {
        let wait = if event_loop.is_over() {
            self.save(event_loop.machine(), true);
            None
        } else if event_loop.machine().book().revision() == self.revision {
            None
        } else {
            self.save_in_time(event_loop.machine())
        };
        self.faults.tell(event_loop);
        wait
    }

    fn save_in_time(&mut self, node: &Node) -> Option<Duration> {
        let now = Instant::now();
        let left = self.not_before.map(|at| at.saturating_duration_since(now)).filter(|left| !left.is_zero());
        if left.is_some() {
            return left;
        }
        let interval = if self.save(node, false) { KNOWN_PEERS_INTERVAL } else { LOCK_RETRY };
        self.not_before = Some(now + interval);
        (node.book().revision() != self.revision).then_some(interval)
    }

    /// Writes what has changed; `false` if another program holds the lock. At the end of the program it waits for the
    /// lock.
    fn save(&mut self, node: &Node, is_over: bool) -> bool {
        let tries = if is_over { LOCK_TRIES } else { 1 };
        self.clock.update();
        let ours: Records =
            node.worth_keeping().map(|(address, known)| (address, Record::of(&known, &self.clock))).collect();
        if !self.faults.is_left_alone && ours != self.before {
            match disk::locked(&self.path.clone(), tries, |lock| self.write(lock, &ours)) {
                Ok(Some(())) => self.before = ours,
                Ok(None) if !is_over => return false,
                Ok(None) => self.faults.note_unwritable(&ErrorKind::ResourceBusy.into()),
                // The next change will be the time to try again.
                Err(error) => self.faults.note_unwritable(&error),
            }
        }
        self.revision = node.book().revision();
        true
    }

    fn write(&mut self, lock: &Lock, ours: &Records) -> io::Result<()> {
        let parse = parse_in(&self.scopes);
        let theirs = match disk::read_locked(lock, &self.path, KNOWN_PEERS_FILE_BYTES_MAX, parse) {
            Ok(theirs) => theirs,
            Err(unusable) => {
                self.faults.note_unusable(unusable);
                None
            }
        };
        if self.faults.is_left_alone {
            return Ok(());
        }
        let merged = match &theirs {
            Some(theirs) => record::merge(&self.before, ours, theirs.records().clone()),
            None => record::bounded(ours.clone()),
        };
        if theirs.as_ref().is_some_and(|theirs| *theirs.records() == merged) {
            return Ok(());
        }
        let mut document = theirs.unwrap_or_else(|| Document::new(&self.scopes));
        document.change(&merged);
        disk::replace(lock, &self.path, document.to_string().as_bytes())
    }
}

/// The dialects and the keys of known peers, for a program that does not keep the file itself: nothing is written,
/// whatever is wrong with the file. Invalid parts go to the log.
///
/// # Errors
///
/// The file cannot be used. Without its keys, a text could go to anybody, so nothing may be sent. The error is a
/// sentence.
pub(super) fn for_sending(path: &Path, scopes: &Scopes) -> Result<Vec<(SocketAddr, Known)>, String> {
    let file = shown(path.as_os_str());
    let understood = understand(path, scopes).map_err(|error| Fault::from(&error).to_string());
    let document = match understood.and_then(|read| read) {
        Ok(document) => document.unwrap_or_else(|| Document::new(scopes)),
        Err(why) => return Err(format!("{UNUSABLE}: {file}: {}", Clean(&why))),
    };
    let unused = |why: &String| log::warn!("ignored in the known peers of {file}: {}", Clean(why));
    document.odd().iter().for_each(unused);
    let clock = Clock::start();
    let known =
        |record: &Record| Known { dialect: record.dialect, pin: record.to_pin(&clock), ..Known::default() };
    Ok(document.records().iter().map(|(&address, record)| (address, known(record))).collect())
}

fn understand(path: &Path, scopes: &Scopes) -> io::Result<Result<Option<Document>, String>> {
    match disk::understand(path, KNOWN_PEERS_FILE_BYTES_MAX, parse_in(scopes)) {
        // What should be its directory is a file, so there is none.
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(Ok(None)),
        understood => understood,
    }
}

fn parse_in(scopes: &Scopes) -> impl Fn(&str) -> Result<Document, String> {
    |text| Document::parse(text, Timestamp::now(), scopes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag::chat::node::{Config, Dialogue};
    use chinwag::chat::notice::FileFault;
    use chinwag::chat::request::{Designation, Request};
    use chinwag::proto::machine::Machine;
    use chinwag::proto::secure::Identity;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    /// What a program does with this file.
    struct Run {
        file: KnownPeers,
        node: Node,
    }

    impl Run {
        fn new(path: &Path) -> Self {
            let file = KnownPeers::load(path.to_owned(), Scopes::default());
            let known = file.known();
            let (name, port) = (Some("N".to_owned()), Some(8080));
            let config = Config { name, port, known, dialogue: Dialogue::Commands, ..Config::default() };
            Self { file, node: Node::new(Config { is_port_lent: true, ..config }) }
        }

        fn ask(&mut self, request: Request) -> &mut Self {
            self.node.request(request, Instant::now());
            while self.node.poll_output().is_some() {}
            self
        }

        fn save(&mut self) {
            assert!(self.file.save(&self.node, false));
        }

        fn faults(&mut self) -> Vec<FileFault> {
            std::mem::take(&mut self.file.faults.untold)
        }
    }

    fn peer(port: u16) -> Designation {
        Designation::Address(([127, 0, 0, 1], port).into())
    }

    fn place() -> (TempDir, PathBuf) {
        let home = TempDir::new().unwrap();
        let path = home.path().join("data/peers.toml");
        (home, path)
    }

    #[test]
    fn one_run_knows_what_the_run_before_has_kept() {
        let (_home, path) = place();
        let mut first = Run::new(&path);
        first.save();
        assert!(!path.parent().unwrap().exists(), "nothing is worth a file");
        first.ask(Request::Alias(peer(1), Some("anna".to_owned()))).ask(Request::Block(peer(2)));
        first.save();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(first.file.revision, first.node.book().revision());
        let mut second = Run::new(&path);
        assert_eq!(second.file.known(), first.node.known().collect::<Vec<_>>());
        second.ask(Request::Alias(peer(1), None)).ask(Request::Unblock(peer(2))).save();
        let bare = [1, 2].map(|port| (([127, 0, 0, 1], port).into(), Known::default()));
        assert_eq!(Run::new(&path).file.known(), bare, "an address is worth a place by itself");
    }

    #[test]
    fn entries_of_others_stay_as_they_were() {
        let (_home, path) = place();
        fs::create_dir(path.parent().unwrap()).unwrap();
        let text = "[[peer]]\naddress = \"127.0.0.1:1\"\nname = \"P1\"\nlast_heard = \"2026-03-01T00:00:07.25Z\"\nshoe_size = 44\n";
        fs::write(&path, text).unwrap();
        let mut run = Run::new(&path);
        run.save();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        run.ask(Request::Block(peer(2))).save();
        let written = fs::read_to_string(&path).unwrap();
        assert!(written.contains("00:00:07.25Z") && written.contains("shoe_size = 44"), "{written}");
        fs::write(&path, "").unwrap();
        run.ask(Request::Block(peer(3))).save();
        assert_eq!(Run::new(&path).file.known().len(), 1, "what the user took out stays out");
    }

    #[test]
    fn two_runs_at_once_keep_each_others_entries() {
        let (_home, path) = place();
        let [mut one, mut two] = [Run::new(&path), Run::new(&path)];
        one.ask(Request::Alias(peer(1), Some("anna".to_owned()))).save();
        two.ask(Request::Block(peer(1))).ask(Request::Alias(peer(2), Some("bob".to_owned()))).save();
        one.ask(Request::Block(peer(3))).save();
        let known = Run::new(&path).file.known();
        let facts: Vec<_> = known.iter().map(|(_, k)| (k.alias.as_deref(), k.is_blocked)).collect();
        assert_eq!(facts, [(Some("anna"), true), (Some("bob"), false), (None, true)]);
    }

    #[test]
    fn keys_are_read_for_the_chat_and_for_sending_and_a_broken_one_is_nobodys() {
        let (_home, path) = place();
        fs::create_dir(path.parent().unwrap()).unwrap();
        let text = "[[peer]]\naddress = \"127.0.0.1:1\"\nkey = \"E75P6uryBMf9M1j8nAByGIHRdCeBKCJ-xnTzf3_pe20\"\n\
                    verified = true\nmet = \"2026-02-01T00:00:07Z\"\n\n\
                    [[peer]]\naddress = \"127.0.0.1:2\"\nkey = \"E75P6uryBM\"\n\n\
                    [[peer]]\naddress = \"127.0.0.1:3\"\nverified = true\nmet = \"2026-02-01T00:00:07Z\"\n";
        fs::write(&path, text).unwrap();
        let mut run = Run::new(&path);
        assert!(matches!(&run.faults()[..], [FileFault::Odd { reasons, more: 0 }] if reasons.len() == 1));
        for known in [run.file.known(), for_sending(&path, &Scopes::default()).unwrap()] {
            let pins: Vec<_> = known.into_iter().map(|(_, known)| known.pin).collect();
            let [Some(one), Some(two), None] = &pins[..] else { panic!("{pins:?}") };
            assert_eq!(Some(one.key), Identity::new([7; 32]).map(|identity| identity.key()));
            assert!(one.is_verified && one.since.is_some_and(|since| since < Instant::now()));
            assert_eq!((Some(two.key), two.is_verified, two.since), (record::nobody(), false, None));
        }
        run.ask(Request::Alias(peer(2), Some("anna".to_owned()))).save();
        let expected = text.replace("key = \"E75P6uryBM\"\n", "key = \"E75P6uryBM\"\nalias = \"anna\"\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }

    #[test]
    fn a_corrupt_file_is_renamed_and_reported_and_nothing_else_breaks() {
        let (_home, path) = place();
        fs::create_dir(path.parent().unwrap()).unwrap();
        let aside = path.with_extension("toml.corrupt");
        fs::write(&path, "peer = 1\n").unwrap();
        let mut run = Run::new(&path);
        let faults = run.faults();
        assert!(
            matches!(&faults[..], [FileFault::Corrupt { set_aside, .. }] if *set_aside == aside),
            "{faults:?}"
        );
        assert_eq!(fs::read_to_string(&aside).unwrap(), "peer = 1\n");
        fs::write(&path, "\0").unwrap();
        run.ask(Request::Block(peer(1))).save();
        assert!(matches!(&run.faults()[..], [FileFault::Corrupt { .. }]), "it became corrupt in between");
        assert_eq!(Run::new(&path).file.known().len(), 1);
    }

    #[test]
    fn an_invalid_part_is_reported_and_stays_after_every_write() {
        let (_home, path) = place();
        fs::create_dir(path.parent().unwrap()).unwrap();
        let text = "# mine\nx = 1\n\n[[peer]]\naddress = \"127.0.0.1:2\"\nblocked = true # spam\n\n\
                    [[peer]]\naddress = \"127.0.0.1:1\"\nalias = 7\n\n[[peer]]\naddress = \"nowhere\"\n";
        fs::write(&path, text).unwrap();
        let [mut one, mut two] = [Run::new(&path), Run::new(&path)];
        for run in [&mut one, &mut two] {
            let faults = run.faults();
            assert!(
                matches!(&faults[..], [FileFault::Odd { reasons, more: 0 }] if reasons.len() == 2),
                "{faults:?}"
            );
        }
        one.ask(Request::Alias(peer(3), Some("anna".to_owned()))).save();
        two.ask(Request::Unblock(peer(2))).save();
        assert_eq!([one.faults(), two.faults()], [[], []], "once is enough");
        let expected =
            text.replace("= true", "= false") + "\n[[peer]]\naddress = \"127.0.0.1:3\"\nalias = \"anna\"\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        one.ask(Request::Alias(peer(1), Some("bob".to_owned()))).save();
        assert_eq!(fs::read_to_string(&path).unwrap(), expected.replace("alias = 7", "alias = \"bob\""));
    }

    #[test]
    fn only_the_first_of_very_many_faults_are_reported() {
        let (_home, path) = place();
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, "[[peer]]\n".repeat(20)).unwrap();
        let faults = Run::new(&path).faults();
        assert!(
            matches!(&faults[..], [FileFault::Odd { reasons, more: 12 }] if reasons.len() == 8),
            "{faults:?}"
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_left_alone() {
        let (_home, path) = place();
        fs::create_dir_all(path.join("in the way")).unwrap();
        let mut run = Run::new(&path);
        assert!(matches!(run.faults()[..], [FileFault::Unreadable(_)]));
        run.ask(Request::Block(peer(1))).save();
        assert!(run.faults().is_empty() && path.join("in the way").exists());
    }

    #[test]
    fn a_failed_write_is_reported_once_and_tried_again() {
        let (_home, path) = place();
        let mut run = Run::new(&path);
        fs::write(path.parent().unwrap(), "a file where a directory should be").unwrap();
        for port in [1, 2] {
            run.ask(Request::Block(peer(port))).save();
            assert_eq!(run.faults().len(), usize::from(port == 1));
        }
        fs::remove_file(path.parent().unwrap()).unwrap();
        run.ask(Request::Block(peer(3))).save();
        assert_eq!(Run::new(&path).file.known().len(), 3);
    }

    #[test]
    fn while_another_program_has_the_lock_the_write_is_tried_again_soon() {
        let (_home, path) = place();
        let mut run = Run::new(&path);
        let lock = disk::lock(&path, 1).unwrap();
        run.ask(Request::Block(peer(1)));
        assert_eq!(run.file.save_in_time(&run.node), Some(LOCK_RETRY));
        assert!(!path.exists());
        drop(lock);
        run.save();
        run.file.not_before = None;
        assert_eq!(run.file.save_in_time(&run.node), None);
        run.ask(Request::Block(peer(2)));
        assert!(run.file.save_in_time(&run.node).is_some_and(|left| left <= KNOWN_PEERS_INTERVAL));
        assert_eq!(Run::new(&path).file.known().len(), 1, "it was written a moment ago");
    }
}
