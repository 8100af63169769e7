//! Why a peer cannot be reached: one diagnosis at a time, stage by stage.
//!
//! ```text
//! route ──> dial ──> greeting ──a session──> way back ──> round trip ──> verdict
//!   │         │          │ it closed                                        ^
//!   │         │          └──────────> a call of the peer, or a second ──────┤
//!   └─────────┴──────────── something else, or a failure ───────────────────┘
//! ```
//!
//! It takes events and says what is to be done. It has no connections and no table: those are the node's.

use super::finding::{
    Dial, Finding, Foreign, ForeignKind, Greeting, OurSide, RoundTrip, Route, Verdict, WayBack,
};
use super::outbox::Report;
use crate::limits::{
    DIAGNOSED_BYTES_MAX, DIAGNOSIS_PINGS, PONGS_TIMEOUT, REACH_ANSWER_TIMEOUT, SETTLE_TIMEOUT,
};
use crate::proto::machine::{CloseReason, ConnId};
use crate::proto::message::{Dialect, LINE_TAKEN};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The diagnosis, if there is one.
#[derive(Debug, Default)]
pub(super) struct Diagnosis {
    course: Option<Course>,
}

#[derive(Debug)]
struct Course {
    subject: Subject,
    step: Step,
    /// When the stage began.
    since: Instant,
    /// When the step ends if nothing happens.
    until: Option<Instant>,
    verdict: Verdict,
}

/// What is diagnosed, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) to: SocketAddr,
    pub(super) report: Report,
    /// It was not in the table before: it is to forget us again.
    pub(super) is_stranger: bool,
    /// How long a dial may take, its time in the queue included.
    pub(super) dial_timeout: Duration,
}

#[derive(Debug)]
enum Step {
    Routing,
    /// `None` until it is dialled.
    Dialling(Option<ConnId>),
    Greeting {
        conn: ConnId,
        /// The beginning of what came on it.
        said: Vec<u8>,
        is_half_closed: bool,
        /// The peer has dialled us meanwhile.
        called: Option<Dialect>,
    },
    /// It has closed our connection, and may still dial us.
    AwaitingCall,
    WayBack {
        session: ConnId,
        /// Somebody came from the peer meanwhile.
        has_come: bool,
    },
    RoundTrip {
        session: ConnId,
        sent_at: Instant,
        times: Vec<Duration>,
    },
}

/// What happened.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// What `!reach` is answered with.
    Answered { conn: ConnId, word: &'a str },
    /// A connection came from the host of the peer.
    Came,
    /// The peer has sent a message on a connection of its own.
    Called(Dialect),
    /// The dial is up. `is_only_said`: there is a session, which the peer dialled, so we say a word and half-close.
    Connected { conn: ConnId, ours: SocketAddr, is_only_said: bool },
    /// The deadline has come.
    Due,
    /// A connection is over. `session`: that which there is with the peer now.
    Ended { conn: ConnId, reason: CloseReason, session: Option<ConnId> },
    /// What answers is known.
    Greeted { conn: ConnId, greeting: Greeting },
    /// The peer answered a ping.
    Pong { conn: ConnId, number: &'a str },
    /// Bytes came on the connection that greets.
    Received { conn: ConnId, bytes: &'a [u8] },
    /// The route is known. `session`: one that we dialled.
    Routed { side: OurSide, route: Route, is_itself: bool, session: Option<(ConnId, SocketAddr)> },
    /// The other side of a session does not know control lines.
    Untold(ConnId),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Ask the peer on its session to dial us.
    AskBack(ConnId),
    /// Close the connection, which has no further use.
    Close(ConnId),
    /// It is over: tell the verdict.
    Conclude(Subject, Box<Verdict>),
    Dial,
    /// Say nothing more on the connection, and hear the rest.
    HalfClose(ConnId),
    /// End a connection on which a peer has spoken.
    Leave(ConnId),
    Ping(ConnId, usize),
    /// Tell what a stage has found, and how long it took.
    Tell(Subject, Finding, Duration),
}

impl Diagnosis {
    /// Whom the one under way is about.
    pub(super) fn subject(&self) -> Option<Subject> {
        self.course.as_ref().map(|course| course.subject)
    }

    /// Begins one. There must be none.
    pub(super) fn begin(&mut self, subject: Subject, now: Instant) {
        let verdict = Verdict::default();
        self.course = Some(Course { subject, step: Step::Routing, since: now, until: None, verdict });
    }

    /// Whether we have said on its connection that nothing more comes.
    pub(super) fn is_half_closed(&self) -> bool {
        let step = self.course.as_ref().map(|course| &course.step);
        matches!(step, Some(Step::Greeting { is_half_closed: true, .. }))
    }

    /// Whether the dial or the greeting is on this connection.
    pub(super) fn is_on(&self, conn: ConnId) -> bool {
        match self.course.as_ref().map(|course| &course.step) {
            Some(Step::Dialling(dial)) => *dial == Some(conn),
            Some(Step::Greeting { conn: greeting, .. }) => *greeting == conn,
            _ => false,
        }
    }

    /// Whether a message of this address on another connection would be an answer.
    pub(super) fn awaits_call(&self, address: SocketAddr) -> bool {
        self.course.as_ref().is_some_and(|course| {
            course.subject.to == address && matches!(course.step, Step::Greeting { .. } | Step::AwaitingCall)
        })
    }

    /// The peer that was asked to dial us.
    pub(super) fn awaits_from(&self) -> Option<SocketAddr> {
        let course = self.course.as_ref()?;
        matches!(course.step, Step::WayBack { .. }).then_some(course.subject.to)
    }

    /// The dial has this id.
    pub(super) fn dialled(&mut self, conn: ConnId) {
        if let Some(Course { step: Step::Dialling(dial), .. }) = &mut self.course {
            *dial = Some(conn);
        }
    }

    /// A peer has chatted: then it is no stranger any more.
    pub(super) fn note_chat(&mut self, from: SocketAddr) {
        if let Some(course) = self.course.as_mut().filter(|course| course.subject.to == from) {
            course.subject.is_stranger = false;
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.course.as_ref()?.until
    }

    /// Gives it up; there is no verdict.
    pub(super) fn cancel(&mut self) {
        self.course = None;
    }

    /// What is to be done because of an event. One that it does not wait for changes nothing.
    pub(super) fn handle(&mut self, event: Event<'_>, now: Instant) -> Vec<Act> {
        let Some(course) = &mut self.course else { return Vec::new() };
        let mut acts = Vec::new();
        if course.handle(event, now, &mut acts).is_break() {
            let over = self.course.take();
            acts.extend(over.map(|course| Act::Conclude(course.subject, Box::new(course.verdict))));
        }
        acts
    }
}

/// Whether there is a next step.
type Flow = std::ops::ControlFlow<()>;

const GO_ON: Flow = Flow::Continue(());
const OVER: Flow = Flow::Break(());

impl Course {
    fn handle(&mut self, event: Event<'_>, now: Instant, acts: &mut Vec<Act>) -> Flow {
        match (&mut self.step, event) {
            (Step::Routing, Event::Routed { side, route, is_itself, session }) => {
                self.tell(Finding::OurSide(side), now, acts);
                self.tell(Finding::Route(route), now, acts);
                self.on_routed(route, is_itself, session, now, acts)
            }
            (Step::Dialling(dial), Event::Connected { conn, ours, is_only_said }) if *dial == Some(conn) => {
                self.verdict.ours = Some(ours);
                self.tell(Finding::Dial(Dial::Connected), now, acts);
                self.step =
                    Step::Greeting { conn, said: Vec::new(), is_half_closed: is_only_said, called: None };
                self.wait(SETTLE_TIMEOUT, now)
            }
            (Step::Dialling(dial), Event::Ended { conn, reason, .. }) if *dial == Some(conn) => {
                self.tell(Finding::Dial(Dial::Failed(reason)), now, acts);
                OVER
            }
            (Step::Dialling(dial), Event::Due) => {
                acts.extend(dial.map(Act::Close));
                self.tell(Finding::Dial(Dial::NoTurn), now, acts);
                OVER
            }
            (Step::Greeting { .. } | Step::AwaitingCall, event) => self.on_greeting_event(event, now, acts),
            (Step::WayBack { .. } | Step::RoundTrip { .. }, event) => self.on_session_event(event, now, acts),
            _ => GO_ON,
        }
    }

    fn on_routed(
        &mut self,
        route: Route,
        is_itself: bool,
        session: Option<(ConnId, SocketAddr)>,
        now: Instant,
        acts: &mut Vec<Act>,
    ) -> Flow {
        if matches!(route, Route::None(_)) {
            return OVER;
        }
        if is_itself {
            self.tell(Finding::Dial(Dial::Itself), now, acts);
            return OVER;
        }
        if let Some((session, ours)) = session {
            self.verdict.ours = Some(ours);
            self.tell(Finding::Dial(Dial::Session), now, acts);
            self.tell(Finding::Greeting(Greeting::Chinwag), now, acts);
            return self.ask_back(session, now, acts);
        }
        acts.push(Act::Dial);
        self.step = Step::Dialling(None);
        self.wait(self.subject.dial_timeout, now)
    }

    fn on_greeting_event(&mut self, event: Event<'_>, now: Instant, acts: &mut Vec<Act>) -> Flow {
        let Step::Greeting { conn: greeting, said, is_half_closed, called } = &mut self.step else {
            return match event {
                Event::Called(dialect) => self.on_called(dialect, now, acts),
                Event::Due => self.on_greeted(Greeting::Closed, now, acts),
                _ => GO_ON,
            };
        };
        let conn = *greeting;
        match event {
            Event::Called(dialect) => *called = Some(dialect),
            Event::Due if !std::mem::replace(is_half_closed, true) => {
                // A web server answers a line that has no end only if there can be no more of it.
                acts.push(Act::HalfClose(conn));
                return self.wait(SETTLE_TIMEOUT, now);
            }
            Event::Due => {
                acts.push(Act::Close(conn));
                return self.on_greeting_over(CloseReason::TimedOut, None, now, acts);
            }
            Event::Ended { conn: ended, reason, session } if ended == conn => {
                return self.on_greeting_over(reason, session, now, acts);
            }
            Event::Greeted { conn: greeted, greeting } if greeted == conn => {
                match greeting {
                    Greeting::Chinwag => {
                        self.tell(Finding::Greeting(greeting), now, acts);
                        return self.ask_back(conn, now, acts);
                    }
                    Greeting::Published(_) => acts.push(Act::Leave(conn)),
                    _ => acts.push(Act::Close(conn)),
                }
                return self.on_greeted(greeting, now, acts);
            }
            Event::Received { conn: heard, bytes } if heard == conn => {
                let room = DIAGNOSED_BYTES_MAX - said.len();
                said.extend_from_slice(&bytes[..bytes.len().min(room)]);
                let foreign = Foreign::of(said);
                if foreign.kind != ForeignKind::Other {
                    acts.push(Act::Close(conn));
                    return self.on_greeted(Greeting::Foreign(foreign), now, acts);
                }
            }
            _ => {}
        }
        GO_ON
    }

    /// The connection ended, or was closed after a silence, before anybody could say what answers.
    fn on_greeting_over(
        &mut self,
        reason: CloseReason,
        session: Option<ConnId>,
        now: Instant,
        acts: &mut Vec<Act>,
    ) -> Flow {
        let Step::Greeting { said, called, .. } = &mut self.step else { return GO_ON };
        // Both dialled at once, or it was another chinwag before and took the word.
        if let Some(session) = session.filter(|_| said.is_empty() && reason == CloseReason::Eof) {
            self.tell(Finding::Greeting(Greeting::Chinwag), now, acts);
            return self.ask_back(session, now, acts);
        }
        if !said.is_empty() {
            let greeting = greeting_of(said);
            return self.on_greeted(greeting, now, acts);
        }
        match (called.take(), reason) {
            (Some(dialect), _) => self.on_called(dialect, now, acts),
            (None, CloseReason::Eof) => {
                self.step = Step::AwaitingCall;
                self.wait(SETTLE_TIMEOUT, now)
            }
            (None, CloseReason::TimedOut) => self.on_greeted(Greeting::Silent, now, acts),
            (None, reason) => self.on_greeted(Greeting::Broke(reason), now, acts),
        }
    }

    fn on_called(&mut self, dialect: Dialect, now: Instant, acts: &mut Vec<Act>) -> Flow {
        self.tell(Finding::Greeting(Greeting::Published(dialect)), now, acts);
        self.tell(Finding::WayBack(WayBack::Called), now, acts);
        OVER
    }

    /// What answers is no other chinwag, so there is nothing more to ask.
    fn on_greeted(&mut self, greeting: Greeting, now: Instant, acts: &mut Vec<Act>) -> Flow {
        self.tell(Finding::Greeting(greeting), now, acts);
        OVER
    }

    fn ask_back(&mut self, session: ConnId, now: Instant, acts: &mut Vec<Act>) -> Flow {
        acts.push(Act::AskBack(session));
        self.step = Step::WayBack { session, has_come: false };
        self.wait(REACH_ANSWER_TIMEOUT, now)
    }

    fn on_session_event(&mut self, event: Event<'_>, now: Instant, acts: &mut Vec<Act>) -> Flow {
        match (&mut self.step, event) {
            (Step::WayBack { has_come, .. }, Event::Came) => *has_come = true,
            (Step::WayBack { session, has_come }, Event::Answered { conn, word }) if *session == conn => {
                let way_back = way_back(word, *has_come);
                return self.measure(way_back, now, acts);
            }
            (Step::WayBack { .. }, Event::Due) => return self.measure(WayBack::Untold, now, acts),
            (Step::WayBack { session, .. }, Event::Untold(conn)) if *session == conn => {
                self.tell(Finding::WayBack(WayBack::Untold), now, acts);
                return OVER;
            }
            (Step::WayBack { session, .. }, Event::Ended { conn, reason, .. }) if *session == conn => {
                self.tell(Finding::WayBack(WayBack::Lost(reason)), now, acts);
                return OVER;
            }
            (Step::RoundTrip { session, sent_at, times }, Event::Pong { conn, number })
                if *session == conn && number.parse() == Ok(times.len()) =>
            {
                times.push(now.saturating_duration_since(*sent_at));
                *sent_at = now;
                if times.len() < DIAGNOSIS_PINGS {
                    acts.push(Act::Ping(conn, times.len()));
                    return GO_ON;
                }
                return self.on_measured(now, acts);
            }
            (Step::RoundTrip { .. }, Event::Due) => return self.on_measured(now, acts),
            (Step::RoundTrip { session, .. }, Event::Ended { conn, reason, .. }) if *session == conn => {
                self.tell(Finding::RoundTrip(RoundTrip::Lost(reason)), now, acts);
                return OVER;
            }
            _ => {}
        }
        GO_ON
    }

    fn measure(&mut self, way_back: WayBack, now: Instant, acts: &mut Vec<Act>) -> Flow {
        let Step::WayBack { session, .. } = self.step else { return GO_ON };
        self.tell(Finding::WayBack(way_back), now, acts);
        acts.push(Act::Ping(session, 0));
        self.step = Step::RoundTrip { session, sent_at: now, times: Vec::new() };
        self.wait(PONGS_TIMEOUT, now)
    }

    fn on_measured(&mut self, now: Instant, acts: &mut Vec<Act>) -> Flow {
        let Step::RoundTrip { times, .. } = &mut self.step else { return GO_ON };
        times.sort_unstable();
        let round_trip = times.get(times.len() / 2).map_or(RoundTrip::None, |&time| RoundTrip::Median(time));
        self.tell(Finding::RoundTrip(round_trip), now, acts);
        OVER
    }

    fn wait(&mut self, time: Duration, now: Instant) -> Flow {
        self.until = Some(now + time);
        GO_ON
    }

    /// Tells what a stage has found, and keeps it for the verdict. The next stage begins.
    fn tell(&mut self, finding: Finding, now: Instant, acts: &mut Vec<Act>) {
        match &finding {
            Finding::OurSide(_) => {}
            Finding::Route(route) => self.verdict.route = Some(*route),
            Finding::Dial(dial) => self.verdict.dial = Some(*dial),
            Finding::Greeting(greeting) => self.verdict.greeting = Some(greeting.clone()),
            Finding::WayBack(way_back) => self.verdict.way_back = Some(*way_back),
            Finding::RoundTrip(round_trip) => self.verdict.round_trip = Some(*round_trip),
        }
        acts.push(Act::Tell(self.subject, finding, now.saturating_duration_since(self.since)));
        self.since = now;
    }
}

/// What answers, if this is how it begins, and no message.
pub(super) fn greeting_of(said: &[u8]) -> Greeting {
    if said.trim_ascii() == LINE_TAKEN.as_bytes() {
        return Greeting::Published(Dialect::PortLine);
    }
    Greeting::Foreign(Foreign::of(said))
}

/// What the answer to `!reach` means. Whoever says that it reached us must have come.
fn way_back(word: &str, has_come: bool) -> WayBack {
    match word {
        "ok" if has_come => WayBack::Works,
        "ok" => WayBack::Elsewhere,
        "denied" => WayBack::Denied,
        "later" => WayBack::Later,
        _ => {
            let known = CloseReason::WORDS.iter().find(|&&known| known == word);
            known.map_or(WayBack::Untold, |word| WayBack::Fails(word))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::fault::Fault;
    use std::io::ErrorKind;

    const CONN: ConnId = ConnId::new(1, 1);
    const OTHER: ConnId = ConnId::new(1, 2);

    fn subject() -> Subject {
        let to = ([10, 0, 0, 2], 8080).into();
        let dial_timeout = Duration::from_secs(5);
        Subject { to, report: Report::Nobody, is_stranger: true, dial_timeout }
    }

    fn routed(route: Route) -> Event<'static> {
        let side = OurSide {
            port: 8080,
            addresses: Vec::new(),
            from: None,
            interface: None,
            connections: 0,
            connections_max: 1,
        };
        Event::Routed { side, route, is_itself: false, session: None }
    }

    /// One whose dial is under way.
    fn dialling() -> (Diagnosis, Instant) {
        let now = crate::testing::start();
        let mut diagnosis = Diagnosis::default();
        diagnosis.begin(subject(), now);
        let acts = diagnosis.handle(routed(Route::Gateway), now);
        assert!(acts.len() == 3 && acts[2] == Act::Dial, "{acts:?}");
        diagnosis.dialled(CONN);
        (diagnosis, now)
    }

    fn connected(conn: ConnId) -> Event<'static> {
        Event::Connected { conn, ours: ([10, 0, 0, 1], 8080).into(), is_only_said: false }
    }

    fn is_over(acts: &[Act]) -> bool {
        matches!(acts.last(), Some(Act::Conclude(..)))
    }

    #[test]
    fn nothing_is_handled_where_nothing_is_diagnosed() {
        let now = crate::testing::start();
        let mut diagnosis = Diagnosis::default();
        for event in [connected(CONN), routed(Route::Gateway), Event::Due, Event::Came] {
            assert_eq!(diagnosis.handle(event, now), []);
        }
        assert!(diagnosis.next_deadline().is_none() && !diagnosis.is_on(CONN));
    }

    #[test]
    fn without_a_route_nothing_is_dialled() {
        let now = crate::testing::start();
        let mut diagnosis = Diagnosis::default();
        diagnosis.begin(subject(), now);
        let fault = Fault::from(ErrorKind::NetworkUnreachable);
        let acts = diagnosis.handle(routed(Route::None(fault)), now);
        assert!(is_over(&acts) && !acts.contains(&Act::Dial));
        assert_eq!(diagnosis.subject(), None);
    }

    #[test]
    fn what_happens_to_another_connection_or_too_early_changes_nothing() {
        let (mut diagnosis, now) = dialling();
        for event in [
            connected(OTHER),
            routed(Route::Gateway),
            Event::Came,
            Event::Called(Dialect::Standard),
            Event::Answered { conn: CONN, word: "ok" },
            Event::Pong { conn: CONN, number: "0" },
            Event::Greeted { conn: CONN, greeting: Greeting::Chinwag },
            Event::Received { conn: CONN, bytes: b"SSH-2.0" },
            Event::Ended { conn: OTHER, reason: CloseReason::Refused, session: None },
        ] {
            assert_eq!(diagnosis.handle(event, now), []);
        }
        assert!(!is_over(&diagnosis.handle(connected(CONN), now)));
        for event in [
            Event::Answered { conn: CONN, word: "ok" },
            Event::Pong { conn: CONN, number: "0" },
            Event::Greeted { conn: OTHER, greeting: Greeting::Chinwag },
            Event::Received { conn: OTHER, bytes: b"SSH-2.0" },
            Event::Ended { conn: OTHER, reason: CloseReason::Eof, session: None },
            Event::Untold(CONN),
        ] {
            assert_eq!(diagnosis.handle(event, now), []);
        }
        assert!(diagnosis.is_on(CONN));
    }

    #[test]
    fn first_bytes_that_come_one_by_one_are_put_together() {
        let (mut diagnosis, now) = dialling();
        diagnosis.handle(connected(CONN), now);
        for byte in b"HTTP" {
            assert_eq!(diagnosis.handle(Event::Received { conn: CONN, bytes: &[*byte] }, now), []);
        }
        let acts = diagnosis.handle(Event::Received { conn: CONN, bytes: b"/1.1 400 no" }, now);
        assert!(is_over(&acts) && acts[0] == Act::Close(CONN), "{acts:?}");
    }

    #[test]
    fn the_median_is_that_of_all_pongs_and_each_comes_in_its_turn() {
        let (mut diagnosis, mut now) = dialling();
        diagnosis.handle(connected(CONN), now);
        let acts = diagnosis.handle(Event::Greeted { conn: CONN, greeting: Greeting::Chinwag }, now);
        assert_eq!(acts.last(), Some(&Act::AskBack(CONN)));
        diagnosis.handle(Event::Came, now);
        let acts = diagnosis.handle(Event::Answered { conn: CONN, word: "ok" }, now);
        assert_eq!(acts.last(), Some(&Act::Ping(CONN, 0)));
        for (number, millis) in [9, 1, 5, 7, 3].into_iter().enumerate() {
            now += Duration::from_millis(millis);
            for wrong in ["", "9", "-1"] {
                assert_eq!(diagnosis.handle(Event::Pong { conn: CONN, number: wrong }, now), []);
            }
            let number = number.to_string();
            let acts = diagnosis.handle(Event::Pong { conn: CONN, number: &number }, now);
            let median = Finding::RoundTrip(RoundTrip::Median(Duration::from_millis(5)));
            let is_told = |act: &Act| matches!(act, Act::Tell(_, finding, _) if *finding == median);
            assert_eq!(acts.iter().any(is_told), number == "4", "{acts:?}");
        }
        assert_eq!(diagnosis.subject(), None);
    }
}
