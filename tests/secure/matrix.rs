//! Every policy against every policy: with our own on the other side, with a program that knows no encryption, and with
//! an attacker on the way; with keys that are known, and without.

use crate::attacks::strip;
use crate::chat::{CLAIMED, Chat, PROVED};
use crate::common::peer::{Peer, say};
use crate::man::{Loot, men_in_the_middle};
use crate::proxy::{Attack, BEHIND, has, honest};
use crate::stage::{NAMES, Scene, Stage};
use std::io::Read;
use std::net::SocketAddr;
use std::thread;

const POLICIES: [&str; 3] = ["never", "prefer", "require"];

const TEXTS: [&str; 2] = ["what-the-first-one-says", "what-the-second-one-says"];

/// Ends a script.
const OVER: &str = "over";

/// Who is on the other side, or between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Other {
    /// Our own program.
    Own,
    /// No encryption: our own program without a key, a script that answers a connect without the token, and a script that
    /// reads once and closes.
    Legacy,
    /// Our own program, and on the way somebody who takes the offer out of the answer.
    Strip,
    /// Our own program, and on the way somebody with a key of his own.
    Swap,
}

/// What must come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// A session that only the two can read.
    Encrypted,
    /// Both say everything in the clear, and it is shown that no key stands behind it.
    Plain,
    /// Nothing is believed, and nobody who knows a key or requires one says anything in the clear.
    Refused,
    /// Each side has a session with the attacker: an encrypted one, with his key, unless its policy is never.
    Deceived,
}

use Outcome::{Deceived as D, Encrypted as E, Plain as P, Refused as R};

/// For each policy of the first side a row, with a column for each policy of the second side. Where the second side knows
/// no encryption, the columns are the kinds of [`Other::Legacy`].
type Table = [[Outcome; 3]; 3];

const TABLE: [(Other, bool, Table); 8] = [
    (Other::Own, false, [[P, P, R], [P, E, E], [R, E, E]]),
    (Other::Own, true, [[R, R, R], [R, E, E], [R, E, E]]),
    (Other::Legacy, false, [[P, P, P], [P, P, P], [R, R, R]]),
    (Other::Legacy, true, [[R, R, R], [R, R, R], [R, R, R]]),
    (Other::Strip, false, [[P, P, R], [P, P, R], [R, R, R]]),
    (Other::Strip, true, [[R, R, R], [R, R, R], [R, R, R]]),
    (Other::Swap, false, [[D, D, D], [D, D, D], [D, D, D]]),
    (Other::Swap, true, [[R, R, R], [R, R, R], [R, R, R]]),
];

/// One field of the table.
#[derive(Clone, Copy, Debug)]
struct Case {
    other: Other,
    is_pinned: bool,
    policies: [usize; 2],
    outcome: Outcome,
}

impl Case {
    fn run(self) {
        let stage = if self.is_pinned { Stage::of_acquaintances() } else { Stage::new() };
        match (self.other, self.policies[1]) {
            (Other::Legacy, 1) => self.run_with_script(&stage, true),
            (Other::Legacy, 2) => self.run_with_script(&stage, false),
            _ => self.run_with_programs(&stage),
        }
    }

    fn attack(self, swap: &Attack) -> Attack {
        match self.other {
            Other::Own | Other::Legacy => honest(),
            Other::Strip => strip(),
            Other::Swap => swap.clone(),
        }
    }

    fn program(self, stage: &Stage, number: usize) -> Chat {
        if self.other == Other::Legacy && number == 1 {
            return stage.program_with(number, &["--no-identity", "--no-known-peers"]);
        }
        stage.program(number, &["--secure", POLICIES[self.policies[number]]])
    }

    fn run_with_programs(self, stage: &Stage) {
        let mut programs = [0, 1].map(|number| self.program(stage, number));
        let addresses = [0, 1].map(|number| stage.address(number));
        let loot = Loot::default();
        let (swap, key) = men_in_the_middle(&loot);
        stage.attack_with(&self.attack(&swap));
        if self.outcome == R {
            programs[0].connect(&addresses[1]);
        } else {
            programs[0].connect_until_accepted(&addresses[1]);
        }
        for (from, to) in [(0, 1), (1, 0)] {
            let event = programs[from].say(&addresses[to], TEXTS[from]);
            if self.outcome != R {
                assert_eq!(event["event"], "sent", "{self:?}: {event}");
                programs[to].expect_message(TEXTS[from]);
            }
        }
        let scene = stage.end(programs);
        for number in [0, 1] {
            self.assert_heard(&scene, number);
            self.assert_said(&scene, number);
            let read = has(&loot.lock().expect("no panic"), TEXTS[number]);
            assert_eq!(read, self.is_deceived(number), "{self:?}: the attacker reads what {number} says");
            let peers = std::fs::read_to_string(stage.home(number).join("peers.toml")).unwrap_or_default();
            let knows = peers.contains(&key.to_string());
            assert_eq!(knows, self.is_deceived(number), "{self:?}: {number} knows the key of the attacker");
        }
    }

    /// Whether this side takes the attacker for the other one.
    fn is_deceived(self, number: usize) -> bool {
        self.outcome == D && self.policies[number] != 0
    }

    /// What this side shows of what the other one said.
    fn assert_heard(self, scene: &Scene, number: usize) {
        let text = TEXTS[1 - number];
        let is_shown = |standings: &[&str]| scene.told[number].texts(standings).contains(&text);
        let shown = [is_shown(&PROVED), is_shown(&CLAIMED)];
        let wanted = match self.outcome {
            E => [true, false],
            D if self.is_deceived(number) => [true, false],
            P | D => [false, true],
            R => [false, false],
        };
        assert_eq!(shown, wanted, "{self:?}: side {number} shows {:#?}", scene.told[number]);
    }

    /// Whether what this side said can be read on the way.
    fn assert_said(self, scene: &Scene, number: usize) {
        let is_in_the_clear = scene.is_said_in_the_clear(number, TEXTS[number]);
        let policy = POLICIES[self.policies[number]];
        let knows_nobody = self.other == Other::Legacy && number == 1;
        let is_forbidden = !knows_nobody && (self.is_pinned || policy == "require");
        match self.outcome {
            P => assert!(is_in_the_clear, "{self:?}: side {number} said nothing"),
            E => assert!(!is_in_the_clear, "{self:?}: side {number}"),
            D => assert_eq!(is_in_the_clear, policy == "never", "{self:?}: side {number}"),
            R => assert!(!(is_forbidden && is_in_the_clear), "{self:?}: side {number}"),
        }
    }

    /// The second side is a published program: it reads a message of each connection, and may answer a connect.
    fn run_with_script(self, stage: &Stage, answers: bool) {
        let behind = SocketAddr::from((BEHIND, stage.port(1)));
        let (peer, to) = (Peer::at(behind), stage.address(1));
        let answer = answers.then(|| format!("{to} {} connected", NAMES[1]));
        let script = thread::spawn(move || read_each(&peer, answer.as_deref()));
        let mut program = self.program(stage, 0);
        program.connect(&to);
        let event = program.say(&to, TEXTS[0]);
        assert_eq!(event["event"] == "sent", self.outcome == P, "{self:?}: {event}");
        let scene = stage.end_first(program);
        say(behind, OVER);
        let heard = script.join().expect("the script runs");
        self.assert_said(&scene, 0);
        let is_heard = heard.iter().any(|message| message.ends_with(TEXTS[0]));
        assert_eq!(is_heard, self.outcome == P, "{self:?}: {heard:?}");
    }
}

/// The messages of all connections, until one says that it is over. Whoever is reset has said nothing.
fn read_each(peer: &Peer, answer: Option<&str>) -> Vec<String> {
    let mut messages = Vec::new();
    loop {
        let mut wire = peer.accept();
        let mut bytes = vec![0; 1024];
        let count = wire.0.read(&mut bytes).unwrap_or(0);
        let message = String::from_utf8_lossy(&bytes[..count]).into_owned();
        if message == OVER {
            return messages;
        }
        if let Some(answer) = answer.filter(|_| message.ends_with(" connect")) {
            wire.write(answer);
            wire.half_close();
        }
        messages.push(message);
    }
}

/// All fields of one part of the table, at the same time: they wait most of the time.
fn check(other: Other, is_pinned: bool) {
    let (.., table) =
        TABLE.iter().find(|part| (part.0, part.1) == (other, is_pinned)).expect("it is in the table");
    let cases = (0..9).map(|n| (n / 3, n % 3)).map(|(a, b)| Case {
        other,
        is_pinned,
        policies: [a, b],
        outcome: table[a][b],
    });
    thread::scope(|scope| {
        let running: Vec<_> = cases.map(|case| (case, scope.spawn(move || case.run()))).collect();
        let failed = running.into_iter().filter_map(|(case, run)| run.join().err().map(|_| case));
        let failed: Vec<Case> = failed.collect();
        assert!(failed.is_empty(), "{failed:#?}");
    });
}

#[test]
fn two_of_our_own_that_meet_are_encrypted_if_both_can() {
    check(Other::Own, false);
}

#[test]
fn two_of_our_own_that_know_each_other_speak_encrypted_or_not_at_all() {
    check(Other::Own, true);
}

#[test]
fn programs_without_encryption_are_spoken_to_in_the_clear_unless_it_is_required() {
    check(Other::Legacy, false);
}

#[test]
fn whoever_had_a_key_and_now_has_none_is_not_believed() {
    check(Other::Legacy, true);
}

#[test]
fn an_attacker_who_takes_offers_away_gets_a_plain_session_that_is_shown_as_such() {
    check(Other::Strip, false);
}

#[test]
fn an_attacker_who_takes_offers_away_gets_nothing_from_those_who_know_each_other() {
    check(Other::Strip, true);
}

#[test]
fn an_attacker_with_a_key_deceives_only_those_who_meet_for_the_first_time() {
    check(Other::Swap, false);
}

#[test]
fn an_attacker_with_a_key_gets_nothing_from_those_who_know_each_other() {
    check(Other::Swap, true);
}
