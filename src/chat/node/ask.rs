//! What the user asks for: a typed line becomes a request, and the request changes something or says something.

use super::{Node, Stage};
use crate::chat::notice::{Failure, Mistake, Notice, Partner, SaidTo, Unread};
use crate::chat::outbox::{Content, Reading, Report};
use crate::chat::recall::Recall;
use crate::chat::request::{Audience, Designation, Request};
use crate::chat::roster::Roster;
use crate::chat::slash::ACTION;
use crate::chat::talks::Talks;
use crate::chat::tickets::Told;
use crate::limits::{KNOWN_PEERS_SHOWN_MAX, OUTCOME_TIMEOUT};
use crate::proto::machine::CloseReason;
use crate::proto::message::Dialect;
use std::net::SocketAddr;
use std::time::Instant;

impl Node {
    pub(super) fn on_line(&mut self, line: &str, now: Instant) {
        if self.prompter.is_program() && self.stage != Stage::Running {
            return;
        }
        if self.answer_of_held(line, now) {
            return self.ask();
        }
        let asked;
        (self.asking, asked) = self.prompter.take(line);
        let result =
            asked.and_then(|request| request.map_or(Ok(()), |request| self.on_request(request, now)));
        if let Err(mistake) = result {
            self.tell_mistake(mistake, now);
        }
        // That the program ends is what comes of the last command.
        self.asking.take_if(|_| !self.prompter.is_over() && self.stage == Stage::Running);
        if !self.prompter.is_waiting() {
            self.ask();
        }
    }

    /// Asks for the next line, if one can be taken.
    pub(super) fn ask(&mut self) {
        if matches!(self.stage, Stage::Starting | Stage::Running) && !self.put_held_question() {
            let peers = self.roster.directory().online();
            let Self { prompter, roster, talks, .. } = self;
            let question: Vec<Notice> =
                prompter.question(peers, |with| partner(roster, talks, with)).collect();
            question.into_iter().for_each(|notice| self.tell(notice));
        }
    }

    /// On a terminal, the question for a text to all says how many peers get it now, and the one of a conversation
    /// whether the partner is away. A script is asked again only where the dialogue has it so.
    pub(super) fn ask_anew(&mut self) {
        let is_changed = if self.prompter.is_to_all() {
            self.prompter.peers_shown() != self.roster.directory().online()
        } else {
            let is_away = |with| self.roster.is_away(with) != self.prompter.is_shown_away();
            self.prompter.conversation().is_some_and(is_away)
        };
        if self.config.is_terminal && is_changed && !self.offer.is_put() {
            self.ask();
        }
    }

    /// Every line goes to these from here on.
    fn converse(&mut self, with: Audience) {
        if self.talks.enter(with) {
            self.remind(with);
        }
        self.prompter.converse(with);
    }

    pub(super) fn tell_mistake(&mut self, mistake: Mistake, now: Instant) {
        let mistake = self.roster.explain(mistake, now);
        self.tell_asker(Notice::Mistake(mistake));
    }

    pub(super) fn on_request(&mut self, request: Request, now: Instant) -> Result<(), Mistake> {
        if let Request::Say(Audience::All, text)
        | Request::Send(Audience::All, text)
        | Request::SendText(Audience::All, text) = &request
            && let Some(peers) = self.broadcast(text, now)
        {
            if !matches!(request, Request::Say(..)) {
                self.tell_asker(Notice::SentToAll(peers));
            }
            return Ok(());
        }
        self.flush_broadcast();
        match request {
            Request::Alias(whom, name) => {
                let aliased = self.roster.alias(&whom, name)?;
                self.tell_asker(aliased);
            }
            Request::Act(text) => {
                let with = self.prompter.conversation().ok_or(Mistake::NoConversation)?;
                return self.send(with, &format!("{ACTION}{text}"), Content::chat, Told::Never, now);
            }
            Request::Away(text) => {
                self.away.set(text.clone());
                self.tell_asker(Notice::Away(text));
            }
            Request::BeCalled(name, is_changed) => self.be_called(name, is_changed),
            Request::Block(whom) => return self.block(&whom, now),
            Request::Clear => self.tell_asker(Notice::Clear),
            Request::Close if !self.prompter.is_conversing() => return Err(Mistake::NoConversation),
            Request::Close => self.prompter.go_to_menu(),
            Request::Connect(whom) => return self.connect(&whom, now),
            Request::ConnectAll => return self.connect_all(now),
            Request::Converse(whom) => {
                let to = self.roster.recipient(&whom)?;
                self.converse(Audience::One(to, None));
            }
            Request::ConverseWithAll => self.converse(Audience::All),
            Request::Diagnose(whom) => return self.diagnose(&whom, now),
            Request::Exit(whom) => {
                let to = self.roster.resolve(&whom)?;
                self.deliver_and_wait(&[to], Told::Each, now, |node, report| {
                    node.deliver(to, Content::Exit, None, report, now);
                });
            }
            Request::AskText(whom, dialect) => {
                let to = self.roster.recipient(&whom)?;
                self.prompter.ask_text(Audience::One(to, dialect));
            }
            Request::AskPort(host, dialect) => {
                let host = self.roster.me().scopes().resolve(&host)?;
                self.prompter.ask_port_of(host, dialect);
            }
            Request::History(whose, count) => return self.show_history(whose, count),
            Request::Lastlog(text) => self.tell_asker(Notice::Recall(Recall::Containing(text))),
            Request::Key => {
                let key = self.trust.identity().map(|own| own.key());
                self.tell_asker(Notice::OwnKey(key));
            }
            Request::Verify(whom) => return self.verify(&whom),
            Request::Verified(whom, compared) => return self.set_verified(&whom, &compared),
            Request::Trust(whom) => return self.ask_whether_to_forget_key(&whom, now),
            Request::ForgetKey(whom) => return self.forget_key(&whom),
            Request::Held => self.list_held(now),
            Request::ForgetHeld(whom) => return self.forget_held(&whom),
            Request::Later(whom, text) => return self.hold(&whom, &text, now),
            Request::Help => self.tell_asker(Notice::Help),
            Request::Listen(port) => {
                self.roster.me_mut().listen_on(port);
                self.listen(port);
            }
            Request::Nearby => self.look_nearby(now),
            Request::Me => {
                let me = self.roster.me();
                let (port, name, addresses) = (me.port(), me.shared_name(), me.reachable());
                let key = self.trust.identity().map(|own| own.key());
                self.tell_asker(Notice::Me { port, name, addresses, key });
            }
            Request::Query => {
                let shown = if self.prompter.is_program() { usize::MAX } else { KNOWN_PEERS_SHOWN_MAX };
                let roster = &self.roster;
                let nearby = self.neighbours.all(|address| roster.me().is_own(address), now);
                let list = self.roster.list(shown, &nearby, now);
                self.tell_asker(list);
            }
            Request::Quit(text) => {
                self.last_words = text;
                if self.prompter.is_program() { self.quit_when_settled(now) } else { self.quit(now) }
            }
            Request::Say(audience, text) => return self.say(audience, &text, now),
            Request::Send(audience, text) => {
                return self.send(audience, &text, Content::typed, how_told(audience), now);
            }
            Request::SendText(audience, text) => {
                return self.send(audience, &text, Content::chat, how_told(audience), now);
            }
            Request::SendTo(whom, dialect, text) => {
                let to = self.roster.resolve(&whom)?;
                return self.send(Audience::One(to, dialect), &text, Content::typed, Told::Each, now);
            }
            Request::SetDialect(whom, dialect) => {
                let set = self.roster.set_dialect(&whom, dialect)?;
                self.tell_asker(set);
            }
            Request::ShowConnectable => {
                let list = self.roster.list_connectable(now);
                self.tell_asker(list);
            }
            Request::Stats => self.tell_stats(now),
            Request::Switch(switch) => {
                let with = self.talks.find(switch, self.prompter.conversation());
                self.converse(with.ok_or(Mistake::NoConversation)?);
            }
            Request::Whois(whom) => {
                let whois = self.whois(&whom, now)?;
                self.tell_asker(Notice::Whois(Box::new(whois)));
            }
            Request::Unblock(whom) => {
                let unblocked = self.roster.unblock(&whom)?;
                self.tell_asker(unblocked);
            }
        }
        Ok(())
    }

    fn be_called(&mut self, name: String, is_changed: bool) {
        self.roster.me_mut().rename(&name);
        if is_changed {
            self.tell(Notice::NameChanged(name));
        }
        if let Some(port) = self.config.port {
            self.listen(port);
        }
    }

    fn connect(&mut self, whom: &Designation, now: Instant) -> Result<(), Mistake> {
        let to = self.roster.resolve(whom).inspect_err(|_| self.prompter.ask_connect_to_again())?;
        self.deliver_and_wait(&[to], Told::Each, now, |node, report| {
            node.deliver(to, Content::Connect, None, report, now);
        });
        Ok(())
    }

    fn connect_all(&mut self, now: Instant) -> Result<(), Mistake> {
        let all: Vec<SocketAddr> = self.roster.connectable().into_iter().map(|peer| peer.address).collect();
        self.deliver_and_wait(&all, Told::Each, now, |node, report| {
            for &to in &all {
                node.deliver(to, Content::Connect, None, report, now);
            }
        });
        if all.is_empty() { Err(Mistake::NoneToConnect) } else { Ok(()) }
    }

    /// Ignores somebody from now on: their session ends, and what is on its way to them is given up.
    fn block(&mut self, whom: &Designation, now: Instant) -> Result<(), Mistake> {
        let who = self.roster.block(whom)?;
        let address = who.address;
        self.feed.forget(address);
        self.tell_asker(Notice::Blocked(who));
        for address in self.roster.places(address) {
            if let Some(session) = self.roster.remove(address).and_then(|peer| peer.session) {
                self.ping_last(session);
                self.leave(session, address, now);
            }
            self.call_off(address, now);
            self.talks.forget(address);
            self.prompter.forget(address);
        }
        Ok(())
    }

    /// Gives up what is on its way to an address.
    fn call_off(&mut self, to: SocketAddr, now: Instant) {
        let carrier = self.outbox.under_way(to).map(|(conn, _)| conn);
        for outgoing in self.outbox.take_all(to) {
            self.on_failed(to, outgoing, Failure::Blocked);
        }
        if let Some(report) = self.pending_connects.take(to) {
            self.report(report, false, Notice::NotConnected { to, why: Failure::Blocked });
        }
        if let Some(conn) = carrier {
            // The texts in its queue were reported just now.
            self.close(conn, CloseReason::Eof, now);
        }
    }

    /// Sends a line of a conversation; saying exit ends it.
    fn say(&mut self, audience: Audience, text: &str, now: Instant) -> Result<(), Mistake> {
        let dialect = match audience {
            Audience::One(to, _) => self.roster.dialect_of(to),
            Audience::Static | Audience::All => Dialect::Standard,
        };
        if Content::typed(text, dialect) == Content::Exit {
            self.prompter.go_to_menu();
        }
        self.send(audience, text, Content::typed, Told::Never, now)
    }

    fn send(
        &mut self,
        audience: Audience,
        text: &str,
        reading: Reading,
        told: Told,
        now: Instant,
    ) -> Result<(), Mistake> {
        let (to, dialect) = match audience {
            Audience::One(to, dialect) => {
                self.prompter.note_partner(to);
                // The choice stays even if this text does not arrive, or goes on a session, which has one form.
                if let Some(dialect) = dialect {
                    self.roster.choose_dialect(to, dialect);
                }
                (vec![to], dialect)
            }
            Audience::Static => (self.config.static_peers.clone(), None),
            Audience::All => {
                let all = self.roster.directory().iter().filter(|peer| !peer.is_offline);
                (all.map(|peer| peer.address).collect(), None)
            }
        };
        if to.is_empty() {
            let is_static = audience == Audience::Static;
            return Err(if is_static { Mistake::NoStaticPeers } else { Mistake::NoPeers });
        }
        self.record(&to, audience == Audience::All, dialect, text, reading);
        self.deliver_and_wait(&to, told, now, |node, report| {
            // What is a command depends on each peer's dialect.
            let (chatted, others): (Vec<_>, Vec<_>) = to.iter().partition(|&&to| {
                let spoken = dialect.unwrap_or_else(|| node.roster.dialect_of(to));
                dialect.is_none() && matches!(reading(text, spoken), Content::Chat(_))
            });
            let recipients = (!matches!(audience, Audience::One(..))).then_some(to.len());
            node.deliver_to_all(&chatted, text, recipients, report, now);
            for to in others {
                let spoken = dialect.unwrap_or_else(|| node.roster.dialect_of(to));
                node.deliver(to, reading(text, spoken), dialect, report, now);
            }
        });
        Ok(())
    }

    /// Writes a text into the transcript, without peers that read it as a command.
    pub(super) fn record(
        &mut self,
        to: &[SocketAddr],
        is_told_once: bool,
        dialect: Option<Dialect>,
        text: &str,
        reading: Reading,
    ) {
        if !self.config.is_recorded {
            return;
        }
        let is_heard = |&&to: &&SocketAddr| {
            let spoken = dialect.unwrap_or_else(|| self.roster.dialect_of(to));
            matches!(reading(text, spoken), Content::Chat(_))
        };
        let hearers: Vec<SocketAddr> = to.iter().filter(is_heard).copied().collect();
        if is_told_once && !hearers.is_empty() {
            return self.tell_said(SaidTo::All(hearers.len()), text);
        }
        for address in hearers {
            self.tell_said(SaidTo::One(self.roster.who(address)), text);
        }
    }

    pub(super) fn tell_said(&mut self, to: SaidTo, text: &str) {
        if self.config.is_recorded {
            self.tell(Notice::Said { to, text: text.to_owned() });
        }
    }

    /// Delivers to these, and lets the menu wait until it is known what came of it; a conversation goes on.
    fn deliver_and_wait(
        &mut self,
        to: &[SocketAddr],
        told: Told,
        now: Instant,
        deliver: impl FnOnce(&mut Self, Report),
    ) {
        if to.is_empty() {
            return;
        }
        let number = self.tickets.open(to.len(), told, self.asking.clone());
        self.prompter.stop_waiting();
        deliver(self, Report::Request(number));
        if self.tickets.left(number) > 0 {
            self.prompter.wait_for(number, now + OUTCOME_TIMEOUT);
        }
    }
}

/// What the prompt shows of a conversation.
fn partner(roster: &Roster, talks: &Talks, with: Audience) -> Partner {
    let unread = talks.unread().map(|(audience, texts, has_mention)| Unread {
        name: roster.partner_name(audience),
        texts,
        has_mention,
    });
    let (name, is_away) = (roster.partner_name(with), roster.is_away(with));
    Partner { name, is_away, peers: None, unread: unread.collect() }
}

fn how_told(audience: Audience) -> Told {
    match audience {
        Audience::All => Told::Once(0),
        Audience::One(..) | Audience::Static => Told::Each,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::node::tests::handle;
    use crate::chat::node::{Config, Dialogue};
    use crate::chat::notice::{Failure, Who};
    use crate::proto::machine::{CloseReason, Input, Machine, Output};

    const PEER: &str = "127.0.0.1:9";

    fn driven_by_a_program(is_port_lent: bool) -> (Node, Instant) {
        let now = crate::testing::start();
        let mut node = Node::new(Config {
            name: Some("N".to_owned()),
            port: Some(8080),
            dialogue: Dialogue::Commands,
            is_port_lent,
            ..Config::default()
        });
        let is_asked_to_listen = matches!(node.poll_output(), Some(Output::Listen(_)));
        assert_eq!(is_asked_to_listen, !is_port_lent);
        if is_asked_to_listen {
            let outputs = handle(&mut node, Input::Listening { local: "0.0.0.0:8080".parse().unwrap() }, now);
            let is_listening = |output: &Output<Notice>| matches!(output, Output::Notice(Notice::Listening { port: 8080, name, .. }) if &**name == "N");
            assert!(outputs.len() == 1 && is_listening(&outputs[0]), "nothing is asked: {outputs:?}");
        }
        (node, now)
    }

    fn send(node: &mut Node, now: Instant) -> Vec<Output<Notice>> {
        let line = format!(r#"{{"command":"send","to":"{PEER}","text":"hello"}}"#);
        handle(node, Input::Line(&line), now)
    }

    fn is_quit(output: &Output<Notice>) -> bool {
        matches!(output, Output::Quit(_) | Output::Notice(Notice::Exiting))
    }

    /// Refuses the dial that is under way.
    fn refuse(node: &mut Node, now: Instant) -> Vec<Output<Notice>> {
        let (conn, _) = node.outbox.under_way(PEER.parse().unwrap()).unwrap();
        handle(node, Input::Closed { conn, reason: CloseReason::Refused }, now)
    }

    #[test]
    fn commands_do_not_wait_for_each_other_and_the_end_waits_for_all_outcomes() {
        for is_typed in [true, false] {
            let (mut node, now) = driven_by_a_program(false);
            for _ in 0..3 {
                assert!(!send(&mut node, now).iter().any(is_quit));
                assert!(node.wants_line());
            }
            assert_eq!(node.requests_under_way(), 3);
            let end = if is_typed { Input::Line(r#"{"command":"quit"}"#) } else { Input::StdinClosed };
            assert_eq!(handle(&mut node, end, now), []);
            assert!(!node.wants_line());
            let outputs = refuse(&mut node, now);
            let is_told = |output: &&Output<Notice>| matches!(output, Output::Notice(Notice::NotSent { .. }));
            assert_eq!(outputs.iter().filter(is_told).count(), 3);
            assert_eq!(outputs[3..], [Output::Notice(Notice::Exiting), Output::Quit(0)]);
        }
    }

    #[test]
    fn a_text_to_all_of_which_nothing_arrives_has_an_outcome_too() {
        let (mut node, now) = driven_by_a_program(false);
        let conn = node.accept("127.0.0.1:50000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap(), now);
        let bytes = format!("{PEER} P9 hi\n");
        handle(&mut node, Input::Received { conn: conn.unwrap(), bytes: bytes.as_bytes() }, now);
        handle(&mut node, Input::Line(r#"{"command":"send-all","text":"hello"}"#), now);
        assert_eq!(refuse(&mut node, now).last(), Some(&Output::Notice(Notice::SentToAll(0))));
    }

    #[test]
    fn a_text_that_is_to_be_one_is_no_command_in_any_dialect() {
        for word in ["exit", " EXIT ", "DISCONNECT", "quit", "connect", "handshake", "hello"] {
            for dialect in [None].into_iter().chain(Dialect::ALL.map(Some)) {
                let (mut node, now) = driven_by_a_program(false);
                let to = PEER.parse().unwrap();
                node.request(Request::SendText(Audience::One(to, dialect), word.to_owned()), now);
                while node.poll_output().is_some() {}
                let (_, outgoing) = node.outbox.under_way(to).unwrap();
                assert_eq!(outgoing.content, Content::Chat(word.to_owned()), "{dialect:?}");
            }
        }
        let (mut node, now) = driven_by_a_program(false);
        let conn = node.accept(PEER.parse().unwrap(), PEER.parse().unwrap(), now).unwrap();
        handle(&mut node, Input::Received { conn, bytes: b"127.0.0.1:9 P9 connect\n" }, now);
        node.request(Request::SendText(Audience::All, "exit".to_owned()), now);
        assert_eq!(node.poll_output(), Some(Output::Notice(Notice::SentToAll(1))));
        assert_eq!(node.directory().len(), 1, "nobody has left");
    }

    #[test]
    fn with_nothing_under_way_the_end_is_at_once() {
        let (mut node, now) = driven_by_a_program(false);
        assert!(handle(&mut node, Input::StdinClosed, now).iter().all(is_quit));
    }

    #[test]
    fn a_signal_does_not_wait_for_outcomes() {
        let (mut node, now) = driven_by_a_program(false);
        send(&mut node, now);
        handle(&mut node, Input::StdinClosed, now);
        assert!(handle(&mut node, Input::Interrupted, now).iter().any(is_quit));
    }

    #[test]
    fn a_request_does_what_a_typed_line_would() {
        let (mut node, now) = driven_by_a_program(false);
        let to: SocketAddr = PEER.parse().unwrap();
        node.request(Request::Send(Audience::One(to, None), "hello".to_owned()), now);
        assert!(matches!(node.poll_output(), Some(Output::Connect { .. })));
        let outputs = refuse(&mut node, now);
        let why = Failure::Connection(CloseReason::Refused);
        assert_eq!(outputs, [Output::Notice(Notice::NotSent { to, text: "hello".to_owned(), why })]);
        node.request(Request::Connect(Designation::Name("P9".to_owned())), now);
        let mistake = Notice::Mistake(Mistake::BadAddress("P9".to_owned()));
        assert_eq!(node.poll_output(), Some(Output::Notice(mistake)));
    }

    #[test]
    fn what_the_user_says_is_told_as_it_is_taken_where_it_is_recorded() {
        let to: SocketAddr = PEER.parse().unwrap();
        let text = || "hello".to_owned();
        let said = |outputs: Vec<Output<Notice>>| {
            let said = |output| match output {
                Output::Notice(Notice::Said { to, .. }) => Some(to),
                _ => None,
            };
            outputs.into_iter().filter_map(said).collect::<Vec<_>>()
        };
        for is_recorded in [false, true] {
            let (mut node, now) = driven_by_a_program(false);
            node.config.is_recorded = is_recorded;
            let nameless = SaidTo::One(Who::new(to, "".into()));
            let expected = |told: SaidTo| if is_recorded { vec![told] } else { Vec::new() };
            assert_eq!(said(send(&mut node, now)), expected(nameless));
            refuse(&mut node, now);
            let local = "127.0.0.1:8080".parse().unwrap();
            let conn = node.accept("127.0.0.1:50000".parse().unwrap(), local, now).unwrap();
            let bytes = format!("{PEER} P9 connect\n");
            handle(&mut node, Input::Received { conn, bytes: bytes.as_bytes() }, now);
            let mut request = |request| {
                node.request(request, now);
                said(std::iter::from_fn(|| node.poll_output()).collect())
            };
            let all = |text| Request::Send(Audience::All, text);
            assert_eq!(request(all(text())), expected(SaidTo::All(1)));
            let named = SaidTo::One(Who::new(to, "P9".into()));
            assert_eq!(request(Request::Send(Audience::One(to, None), text())), expected(named));
            assert_eq!(request(all("exit".to_owned())), [], "a command is not a message");
        }
    }

    #[test]
    fn exit_of_a_program_takes_the_peer_out_of_the_table() {
        let (mut node, now) = driven_by_a_program(false);
        let conn = node.accept("127.0.0.1:50000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap(), now);
        let bytes = format!("{PEER} P9 connect\n");
        handle(&mut node, Input::Received { conn: conn.unwrap(), bytes: bytes.as_bytes() }, now);
        assert_eq!(node.directory().len(), 1);
        let outputs = handle(&mut node, Input::Line(r#"{"command":"exit","to":"P9"}"#), now);
        assert!(outputs.contains(&Output::Notice(Notice::ExitSent(PEER.parse().unwrap()))));
        assert!(node.directory().is_empty());
    }

    #[test]
    fn a_lent_port_is_claimed_and_neither_listened_on_nor_taken_leave_of() {
        let (mut node, now) = driven_by_a_program(true);
        send(&mut node, now);
        let (conn, _) = node.outbox.under_way(PEER.parse().unwrap()).unwrap();
        handle(&mut node, Input::Connected { conn, local: "127.0.0.1:50000".parse().unwrap() }, now);
        let queue = node.send_queue(conn).unwrap();
        let said: Vec<u8> = queue.unsent().flat_map(|(payload, _)| payload.to_vec()).collect();
        assert_eq!(said, b"127.0.0.1:8080 N hello");
        queue.write_to(&mut std::io::sink()).unwrap();
        let outputs = handle(&mut node, Input::Closed { conn, reason: CloseReason::Eof }, now);
        assert_eq!(outputs, [Output::Notice(Notice::Sent(PEER.parse().unwrap()))]);
        let outputs = handle(&mut node, Input::StdinClosed, now);
        assert_eq!(outputs, [Output::Notice(Notice::Exiting), Output::Quit(0)]);
    }
}
