//! The file of texts that are held for later: read at the start, merged and written as soon as something has changed.
//!
//! Several programs may share it. A text is sent by the one that first notes in the file that it is about to send it; the
//! node waits for that. So a kill loses none, and none is sent twice: a text that bears such a note of a program which has
//! ended may have been read, and the user is asked.
//!
//! Whether that program still runs is told by its process. If another process has its number by now, a time ends the wait.

use super::Faults;
use super::disk::{self, Lock};
use super::held_document::{Document, Record, Records, Sent};
use super::record::Clock;
use chinwag::chat::held::{Held, HeldId, HeldNews, HeldState, HeldText};
use chinwag::chat::node::Node;
use chinwag::chat::notice::{Kept, Notice};
use chinwag::limits::{
    HELD_CLAIM_TIMEOUT, HELD_FILE_BYTES_MAX, HELD_RETRY, KNOWN_PEERS_INTERVAL, LOCK_RETRY, LOCK_TRIES,
};
use chinwag::net::event_loop::EventLoop;
use chinwag::proto::scope::Scopes;
use chinwag::term::Screen;
use jiff::{SignedDuration, Timestamp};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The file, and what we know about it.
pub(super) struct HeldFile {
    path: PathBuf,
    scopes: Scopes,
    clock: Clock,
    /// Our process.
    me: u32,
    /// The texts for the node to begin with.
    texts: Vec<HeldText>,
    /// The texts of the file that the node has, as they were when the file was last read or written.
    before: Records,
    /// The node's revision then.
    revision: u64,
    /// Look at the file again at this moment: another program sends some of the texts, or the file could not be written.
    look_at: Option<Instant>,
    faults: Faults,
}

/// What is to be written, and what the node is told of it.
#[derive(Debug, Default, PartialEq)]
struct Merged {
    records: Records,
    news: HeldNews,
    /// Another program sends some of them.
    is_busy: bool,
}

/// What came of an exchange with the file.
enum Exchanged {
    Done {
        news: HeldNews,
        look_in: Option<Duration>,
    },
    /// Another program has the lock.
    HeldUp,
}

impl HeldFile {
    /// Reads the file, if there is one. In it, `scopes` are names of interfaces.
    pub(super) fn load(path: PathBuf, scopes: Scopes) -> Self {
        let path = disk::follow(&path);
        let (mut faults, clock) = (Faults::new(Kept::Held, &path), Clock::start());
        let read = disk::read(&path, HELD_FILE_BYTES_MAX, parse_in(&scopes));
        let document = read.unwrap_or_else(|unusable| {
            faults.note_unusable(unusable);
            None
        });
        let document = document.unwrap_or_else(|| Document::new(&scopes));
        faults.note_odd(document.odd());
        let me = std::process::id();
        let (others, before): (Records, Records) =
            document.records().clone().into_iter().partition(|(_, record)| is_of_another(record, me));
        let in_order = document.order().iter().filter_map(|id| Some((*id, before.get(id)?)));
        let texts = in_order.map(|(id, record)| to_held(id, record, &clock)).collect();
        let look_at = (!others.is_empty()).then(|| Instant::now() + HELD_RETRY);
        Self { path, scopes, clock, me, texts, before, revision: 0, look_at, faults }
    }

    /// The held texts, for the node. Those that another program sends are left out.
    pub(super) fn texts(&self) -> Vec<HeldText> {
        self.texts.clone()
    }

    /// Writes what has changed, and lets the node send what it wants to; returns within what time to call it again.
    pub(super) fn look<S: Screen<Notice>>(
        &mut self,
        event_loop: &mut EventLoop<Node, S>,
    ) -> Option<Duration> {
        let is_over = event_loop.is_over();
        let wait = if is_over || self.is_due(event_loop.machine()) {
            let revision = event_loop.machine().held().revision();
            match self.exchange(event_loop.machine().held(), is_over) {
                Exchanged::HeldUp => Some(LOCK_RETRY),
                Exchanged::Done { news, look_in } => {
                    self.revision = revision;
                    self.look_at = look_in.map(|time| Instant::now() + time);
                    if !is_over && news != HeldNews::default() {
                        event_loop.tell(|node, now| node.on_held_file(news, now));
                    }
                    let is_changed = event_loop.machine().held().revision() != self.revision;
                    if is_changed { Some(Duration::ZERO) } else { look_in }
                }
            }
        } else {
            self.look_at.map(|at| at.saturating_duration_since(Instant::now()))
        };
        self.faults.tell(event_loop);
        wait
    }

    fn is_due(&self, node: &Node) -> bool {
        let held = node.held();
        let is_wanted = held.wanted().next().is_some() && self.look_at.is_none();
        held.revision() != self.revision || is_wanted || self.look_at.is_some_and(|at| at <= Instant::now())
    }

    /// Merges the node's texts with those of the file.
    fn exchange(&mut self, held: &Held, is_over: bool) -> Exchanged {
        self.clock.update();
        let granted = |ids: Vec<HeldId>| HeldNews { granted: ids, ..HeldNews::default() };
        if self.faults.is_left_alone {
            return Exchanged::Done { news: granted(held.wanted().collect()), look_in: None };
        }
        let is_same = self.look_at.is_none() && self.is_as_before(held);
        if is_same {
            return Exchanged::Done { news: HeldNews::default(), look_in: None };
        }
        let tries = if is_over { LOCK_TRIES } else { 1 };
        match disk::locked(&self.path.clone(), tries, |lock| self.write(lock, held, is_over)) {
            Ok(Some((news, is_busy))) => Exchanged::Done { news, look_in: is_busy.then_some(HELD_RETRY) },
            Ok(None) if !is_over => Exchanged::HeldUp,
            Ok(None) => self.unwritten(&ErrorKind::ResourceBusy.into(), held),
            Err(error) => self.unwritten(&error, held),
        }
    }

    /// Texts that were never in the file may be sent without it.
    fn unwritten(&mut self, error: &io::Error, held: &Held) -> Exchanged {
        self.faults.note_unwritable(error);
        let granted = held.wanted().filter(|id| !self.before.contains_key(id)).collect();
        let news = HeldNews { granted, ..HeldNews::default() };
        Exchanged::Done { news, look_in: Some(KNOWN_PEERS_INTERVAL) }
    }

    fn is_as_before(&self, held: &Held) -> bool {
        let count = held.texts().filter(|held| self.before.contains_key(&held.id)).count();
        let is_noted = |text: &HeldText| match (text.state, self.before.get(&text.id)) {
            (_, Some(record)) if record.to != text.to => false,
            (HeldState::Waiting, Some(record)) => record.sent.is_none(),
            (HeldState::Unconfirmed, Some(record)) => {
                record.sent.is_some_and(|sent| sent.by != Some(self.me))
            }
            (HeldState::UnderWay, _) => true,
            _ => false,
        };
        count == self.before.len() && held.texts().all(is_noted)
    }

    fn write(&mut self, lock: &Lock, held: &Held, is_over: bool) -> io::Result<(HeldNews, bool)> {
        let read = disk::read_locked(lock, &self.path, HELD_FILE_BYTES_MAX, parse_in(&self.scopes));
        let theirs = read.unwrap_or_else(|unusable| {
            self.faults.note_unusable(unusable);
            None
        });
        if self.faults.is_left_alone {
            return Ok((HeldNews { granted: held.wanted().collect(), ..HeldNews::default() }, false));
        }
        // What was in a file that is not there any more is written anew.
        let before = if theirs.is_some() { &self.before } else { &Records::new() };
        let mut document = theirs.unwrap_or_else(|| Document::new(&self.scopes));
        let Merged { records, news, is_busy } = self.merge(before, held, &document, is_over);
        if records != *document.records() {
            let order: Vec<HeldId> = held.texts().map(|held| held.id).collect();
            document.change(&records, &order);
            disk::replace(lock, &self.path, document.to_string().as_bytes())?;
        }
        self.before = records.into_iter().filter(|(_, record)| !is_of_another(record, self.me)).collect();
        Ok((news, is_busy))
    }

    fn merge(&self, before: &Records, held: &Held, theirs: &Document, is_over: bool) -> Merged {
        let mut merged = Merged::default();
        for ours in held.texts() {
            let (was, is) = (before.get(&ours.id), theirs.records().get(&ours.id));
            self.merge_ours(&mut merged, ours, was, is, is_over);
        }
        let ours: BTreeSet<HeldId> = held.texts().map(|held| held.id).collect();
        // What we had and have no more has arrived, or is not wanted any more.
        let others = theirs.order().iter().filter(|id| !ours.contains(id) && !before.contains_key(id));
        for (id, record) in others.filter_map(|id| Some((*id, theirs.records().get(id)?))) {
            merged.records.insert(id, record.clone());
            self.learn(&mut merged, id, record);
        }
        merged
    }

    /// One of the node's texts: as it `was` in the file, and as it `is` there now.
    fn merge_ours(
        &self,
        merged: &mut Merged,
        ours: &HeldText,
        was: Option<&Record>,
        is: Option<&Record>,
        is_over: bool,
    ) {
        let id = ours.id;
        let to = address(ours, was, is);
        match is {
            None if was.is_some() => {
                merged.news.gone.push(id);
                return;
            }
            // Another program has noted something since.
            Some(is)
                if was.is_some_and(|was| was.sent != is.sent) || (was.is_none() && is.sent.is_some()) =>
            {
                let record = Record { to, ..is.clone() };
                if ours.state == HeldState::UnderWay {
                    merged.readdress(ours, to);
                } else {
                    merged.news.gone.push(id);
                    self.learn(merged, id, &record);
                }
                merged.records.insert(id, record);
                return;
            }
            _ => {}
        }
        merged.readdress(ours, to);
        // Who is back is not who it is for, if another program knows that its peer has moved.
        let is_claimed = ours.state == HeldState::Wanted && !is_over && ours.to == to;
        if is_claimed {
            merged.news.granted.push(id);
        }
        let by_us = Some(Sent { at: self.now(), by: Some(self.me) });
        let noted = is.and_then(|record| record.sent);
        let sent = match ours.state {
            HeldState::Wanted if is_claimed => by_us,
            HeldState::Waiting | HeldState::Wanted => None,
            HeldState::UnderWay => noted.or(by_us),
            HeldState::Unconfirmed => Some(Sent { at: noted.map_or(self.now(), |sent| sent.at), by: None }),
        };
        let held_at = is.or(was).map_or_else(|| self.clock.time_of(ours.at), |record| record.held_at);
        let record = Record { to, text: ours.text.to_string(), key: ours.key, held_at, sent };
        merged.records.insert(id, record);
    }

    /// The node is told of a text that another program has put into the file, unless that program sends it now.
    fn learn(&self, merged: &mut Merged, id: HeldId, record: &Record) {
        if is_of_another(record, self.me) {
            merged.is_busy = true;
        } else {
            merged.news.learnt.push(to_held(id, record, &self.clock));
        }
    }

    fn now(&self) -> Timestamp {
        // In whole seconds, as the file has it, and never in the future, which it does not believe.
        let now = Timestamp::now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}

fn parse_in(scopes: &Scopes) -> impl Fn(&str) -> Result<Document, String> {
    |text| Document::parse(text, Timestamp::now(), scopes)
}

impl Merged {
    /// The node is told if a text of its own is for another address.
    fn readdress(&mut self, ours: &HeldText, to: SocketAddr) {
        if ours.to != to {
            let state = if ours.state == HeldState::Wanted { HeldState::Waiting } else { ours.state };
            self.news.learnt.push(HeldText { to, state, ..ours.clone() });
        }
    }
}

/// Whom one of the node's texts is for. Our change since it `was` in the file counts, else what the file says.
fn address(ours: &HeldText, was: Option<&Record>, is: Option<&Record>) -> SocketAddr {
    match (was, is) {
        (Some(was), Some(is)) if was.to == ours.to => is.to,
        _ => ours.to,
    }
}

/// A text of the file, for the node. One that somebody was about to send may have been read.
fn to_held(id: HeldId, record: &Record, clock: &Clock) -> HeldText {
    let state = if record.sent.is_some() { HeldState::Unconfirmed } else { HeldState::Waiting };
    let at = clock.moment_of(record.held_at).unwrap_or_else(Instant::now);
    HeldText { id, to: record.to, text: record.text.as_str().into(), key: record.key, at, state }
}

/// Whether another program sends the text now.
fn is_of_another(record: &Record, me: u32) -> bool {
    let Some(Sent { at, by: Some(by) }) = record.sent else { return false };
    let age = SignedDuration::try_from(HELD_CLAIM_TIMEOUT).unwrap_or_default();
    by != me && Timestamp::now().duration_since(at) < age && runs(by)
}

fn runs(process: u32) -> bool {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    process.is_some_and(|process| test_kill_process(process) != Err(Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag::chat::node::{Config, Dialogue};
    use chinwag::chat::notice::FileFault;
    use chinwag::chat::request::{Designation, Request};
    use chinwag::proto::machine::{ConnId, Input, Machine};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use tempfile::TempDir;

    /// What a program does with this file.
    struct Run {
        file: HeldFile,
        node: Node,
    }

    impl Run {
        /// A program with a process of its own, which need not run.
        fn new(path: &Path, process: u32) -> Self {
            let mut file = HeldFile::load(path.to_owned(), Scopes::default());
            file.me = process;
            let (name, port, held) = (Some("N".to_owned()), Some(8080), file.texts());
            let config = Config { name, port, held, has_held_file: true, ..Config::default() };
            let config = Config { dialogue: Dialogue::Commands, seed: process.into(), ..config };
            let mut run = Self { file, node: Node::new(config) };
            run.handle(Input::Listening { local: "127.0.0.1:8080".parse().unwrap() });
            run
        }

        fn handle(&mut self, input: Input<'_>) {
            while self.node.poll_output().is_some() {}
            self.node.handle(input, Instant::now());
            while self.node.poll_output().is_some() {}
        }

        fn hold(&mut self, text: &str) -> &mut Self {
            self.node.request(Request::Later(Designation::Address(peer()), text.to_owned()), Instant::now());
            while self.node.poll_output().is_some() {}
            self
        }

        /// What happens after a turn; gives whether the program is done with the file.
        fn look(&mut self) -> bool {
            match self.file.exchange(self.node.held(), false) {
                Exchanged::HeldUp => false,
                Exchanged::Done { news, look_in } => {
                    self.node.on_held_file(news, Instant::now());
                    while self.node.poll_output().is_some() {}
                    self.file.look_at = look_in.map(|time| Instant::now() + time);
                    look_in.is_none()
                }
            }
        }

        /// The peer connects.
        fn meet(&mut self) -> ConnId {
            self.meet_at(peer())
        }

        /// The peer connects, and claims this address.
        fn meet_at(&mut self, at: SocketAddr) -> ConnId {
            let (from, local) = ("127.0.0.1:50000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap());
            let conn = self.node.accept(from, local, Instant::now()).unwrap();
            self.handle(Input::Received { conn, bytes: format!("{at} P9 connect\n!chinwag/1\n").as_bytes() });
            conn
        }

        /// The texts of the peer are for another address, as after it came from there with its key.
        fn move_peer(&mut self, to: SocketAddr) {
            let learnt = self.node.held().texts().map(|held| HeldText { to, ..held.clone() }).collect();
            self.node.on_held_file(HeldNews { learnt, ..HeldNews::default() }, Instant::now());
            while self.node.poll_output().is_some() {}
        }

        fn addresses(&self) -> Vec<SocketAddr> {
            self.node.held().texts().map(|held| held.to).collect()
        }

        /// What the peer reads.
        fn read(&mut self, conn: ConnId) -> String {
            while self.node.poll_transmit().is_some() {}
            let mut bytes = Vec::new();
            self.node.send_queue(conn).unwrap().write_to(&mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        }

        fn states(&self) -> Vec<(String, HeldState)> {
            self.node.held().texts().map(|held| (held.text.to_string(), held.state)).collect()
        }
    }

    /// A process that runs, and is not ours.
    const ALIVE: u32 = 1;
    /// A process that cannot be.
    const DEAD: u32 = i32::MAX as u32;

    fn peer() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 9))
    }

    /// Where the peer is after it has moved.
    fn elsewhere() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 10))
    }

    fn place() -> (TempDir, PathBuf) {
        let home = TempDir::new().unwrap();
        let path = home.path().join("data/held.toml");
        (home, path)
    }

    fn texts(path: &Path) -> Vec<String> {
        HeldFile::load(path.to_owned(), Scopes::default())
            .texts()
            .iter()
            .map(|held| format!("{} {:?}", held.text, held.state))
            .collect()
    }

    #[test]
    fn what_is_held_is_in_the_file_at_once_and_in_order_and_only_for_the_user() {
        let (_home, path) = place();
        let mut run = Run::new(&path, DEAD);
        assert!(run.look() && !path.exists(), "nothing is worth a file");
        for text in ["c", "a", "b"] {
            run.hold(text);
        }
        assert!(run.look());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(texts(&path), ["c Waiting", "a Waiting", "b Waiting"]);
    }

    #[test]
    fn a_text_is_noted_before_it_is_sent_and_leaves_the_file_when_it_is_read() {
        let (_home, path) = place();
        Run::new(&path, DEAD).hold("hello").look();
        let mut run = Run::new(&path, DEAD);
        let conn = run.meet();
        assert!(!run.read(conn).contains("hello"), "the file does not know yet");
        assert!(run.look());
        let read = run.read(conn);
        assert!(read.contains("N hello\n"), "{read}");
        assert_eq!(texts(&path), ["hello Unconfirmed"], "a kill now would leave this");
        let word = read.lines().find_map(|line| line.strip_prefix("!ping ")).unwrap();
        run.handle(Input::Received { conn, bytes: format!("!pong {word}\n").as_bytes() });
        assert!(run.look());
        assert_eq!(texts(&path), [""; 0]);
    }

    #[test]
    fn of_two_programs_one_sends_a_text_and_the_other_learns_what_became_of_it() {
        let (_home, path) = place();
        Run::new(&path, DEAD).hold("hello").look();
        let [mut one, mut two] = [ALIVE, DEAD].map(|process| Run::new(&path, process));
        let conns = [one.meet(), two.meet()];
        assert!(one.look());
        assert!(!two.look(), "it will look again");
        assert!(one.read(conns[0]).contains("hello"));
        assert!(!two.read(conns[1]).contains("hello"));
        assert_eq!(two.states(), []);
        one.handle(Input::Closed { conn: conns[0], reason: chinwag::proto::machine::CloseReason::Reset });
        assert!(one.look());
        assert!(two.look());
        assert_eq!(two.states(), [("hello".to_owned(), HeldState::Unconfirmed)]);
        assert_eq!(one.states(), two.states());
    }

    #[test]
    fn a_peer_that_moves_under_two_programs_gets_a_text_once() {
        let (_home, path) = place();
        Run::new(&path, 77).hold("hello").look();
        let [mut one, mut two] = [ALIVE, DEAD].map(|process| Run::new(&path, process));
        [&mut one, &mut two].into_iter().for_each(|run| run.move_peer(elsewhere()));
        assert!(one.look() && two.look());
        assert_eq!(texts(&path), ["hello Waiting"]);
        let conns = [one.meet_at(elsewhere()), two.meet_at(elsewhere())];
        assert!(one.look());
        assert!(!two.look(), "it will look again");
        assert!(one.read(conns[0]).contains("hello"));
        assert!(!two.read(conns[1]).contains("hello"));
    }

    #[test]
    fn a_text_under_way_in_one_program_is_not_sent_by_another_whose_peer_moves() {
        let (_home, path) = place();
        Run::new(&path, 77).hold("hello").look();
        let [mut one, mut two] = [ALIVE, DEAD].map(|process| Run::new(&path, process));
        let conn = one.meet();
        assert!(one.look());
        assert!(one.read(conn).contains("hello"), "under way");
        two.move_peer(elsewhere());
        assert!(!two.look(), "it will look again");
        let conn_of_two = two.meet_at(elsewhere());
        two.look();
        assert!(!two.read(conn_of_two).contains("hello"), "sent twice, nobody was asked");
        // What is not known of it is asked of the user at the new address, in both programs.
        one.handle(Input::Closed { conn, reason: chinwag::proto::machine::CloseReason::Reset });
        assert!(one.look() && two.look() && one.look());
        assert_eq!((one.addresses(), two.addresses()), (vec![elsewhere()], vec![elsewhere()]));
        assert_eq!(one.states(), [("hello".to_owned(), HeldState::Unconfirmed)]);
        assert_eq!(one.states(), two.states());
        assert_eq!(texts(&path), ["hello Unconfirmed"]);
    }

    #[test]
    fn a_text_is_not_sent_to_where_another_program_knows_that_its_peer_has_left() {
        let (_home, path) = place();
        Run::new(&path, 77).hold("hello").look();
        let [mut one, mut two] = [ALIVE, DEAD].map(|process| Run::new(&path, process));
        two.move_peer(elsewhere());
        assert!(two.look());
        let conn = one.meet();
        assert!(one.look());
        assert!(!one.read(conn).contains("hello"), "this is not its peer any more");
        assert_eq!((one.addresses(), &*one.states()[0].0), (vec![elsewhere()], "hello"));
        assert_eq!(texts(&path), ["hello Waiting"], "it was not even noted");
        assert!(one.look());
        let conn = one.meet_at(elsewhere());
        assert!(one.look() && one.read(conn).contains("hello"));
    }

    #[test]
    fn two_programs_at_once_keep_each_others_texts() {
        let (_home, path) = place();
        let [mut one, mut two] = [1, 2].map(|process| Run::new(&path, process));
        one.hold("a").look();
        two.hold("b").look();
        one.hold("c").look();
        assert_eq!(texts(&path), ["a Waiting", "b Waiting", "c Waiting"]);
        two.node.request(Request::ForgetHeld(Designation::Address(peer())), Instant::now());
        two.look();
        assert_eq!(texts(&path), ["c Waiting"], "what two did not know");
        one.hold("d").look();
        assert_eq!(texts(&path), ["c Waiting", "d Waiting"]);
        assert_eq!(one.states().len(), 2, "the others are gone here too");
    }

    #[test]
    fn a_corrupt_file_is_renamed_and_told_and_what_is_known_is_written_anew() {
        let (_home, path) = place();
        let mut run = Run::new(&path, DEAD);
        run.hold("a").look();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 4]).unwrap();
        assert!(run.hold("b").look());
        assert!(matches!(&run.file.faults.untold[..], [FileFault::Corrupt { .. }]));
        assert_eq!(texts(&path), ["a Waiting", "b Waiting"]);
        assert!(path.with_extension("toml.corrupt").exists());
    }

    #[test]
    fn where_nothing_can_be_written_new_texts_go_out_and_those_of_the_file_wait() {
        let (_home, path) = place();
        Run::new(&path, DEAD).hold("old").look();
        let mut run = Run::new(&path, DEAD);
        run.hold("new");
        // Nothing can be put in the place of a directory that is not empty.
        fs::create_dir_all(path.with_extension("toml.new").join("x")).unwrap();
        let conn = run.meet();
        assert!(!run.look(), "it is tried again");
        assert_eq!(run.file.faults.untold.len(), 1);
        let read = run.read(conn);
        assert!(read.contains("new") && !read.contains("old"), "{read}");
        fs::remove_dir_all(path.with_extension("toml.new")).unwrap();
        assert!(run.look());
        assert!(run.read(conn).contains("old"));
        assert_eq!(run.file.faults.untold.len(), 1, "once is enough");
    }

    #[test]
    fn while_another_program_has_the_lock_nothing_is_sent() {
        let (_home, path) = place();
        let mut run = Run::new(&path, DEAD);
        run.hold("a").look();
        let conn = run.meet();
        let lock = disk::lock(&path, 1).unwrap();
        assert!(!run.look() && !run.read(conn).contains("N a"));
        drop(lock);
        assert!(run.look() && run.read(conn).contains("N a"));
    }
}
