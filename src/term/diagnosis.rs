//! The lines of a diagnosis: one for each stage, and at its end one sentence that says what it means and what to do.

use super::addresses::At;
use super::phrases::{Count, Named};
use crate::chat::finding::{
    Dial, Finding, Foreign, ForeignKind, Greeting, OurSide, Reach, RoundTrip, Route, Verdict, WayBack,
};
use crate::chat::notice::Who;
use crate::proto::clean::{Clean, CleanName};
use crate::proto::machine::CloseReason;
use std::fmt::{self, Display, Formatter};
use std::io;
use std::time::Duration;

words! {
    /// The name of a stage.
    pub(super) fn stage(finding: &Finding), STAGES of finding;
    Finding::OurSide(_) => "our-side",
    Finding::Route(_) => "route",
    Finding::Dial(_) => "dial",
    Finding::Greeting(_) => "greeting",
    Finding::WayBack(_) => "way-back",
    Finding::RoundTrip(_) => "round-trip",
}

words! {
    /// What came of a stage.
    pub(super) fn outcome(finding: &Finding), OUTCOMES of finding;
    Finding::OurSide(_) => "listening",
    Finding::Route(Route::Gateway) => "gateway",
    Finding::Route(Route::Loopback) => "loopback",
    Finding::Route(Route::None(_)) => "no-route",
    Finding::Route(Route::SameNetwork) => "same-network",
    Finding::Route(Route::Unclear) => "unclear",
    Finding::Dial(Dial::Itself) => "yourself",
    Finding::Dial(Dial::NoTurn) => "no-turn",
    Finding::Dial(Dial::Session) => "session",
    Finding::Greeting(Greeting::Chinwag) => "chinwag",
    Finding::Greeting(Greeting::Closed) => "taken",
    Finding::Greeting(Greeting::Published(_)) => "published",
    Finding::Greeting(Greeting::Silent) => "silent",
    Finding::Greeting(Greeting::Foreign(Foreign { kind: ForeignKind::Http, .. })) => "http",
    Finding::Greeting(Greeting::Foreign(Foreign { kind: ForeignKind::Other, .. })) => "other",
    Finding::Greeting(Greeting::Foreign(Foreign { kind: ForeignKind::Ssh, .. })) => "ssh",
    Finding::Greeting(Greeting::Foreign(Foreign { kind: ForeignKind::Tls, .. })) => "tls",
    Finding::WayBack(WayBack::Called) => "called",
    Finding::WayBack(WayBack::Denied) => "denied",
    Finding::WayBack(WayBack::Elsewhere) => "elsewhere",
    Finding::WayBack(WayBack::Later) => "later",
    Finding::WayBack(WayBack::Untold) => "untold",
    Finding::RoundTrip(RoundTrip::None) => "no-answer",
    Finding::Dial(Dial::Connected) | Finding::WayBack(WayBack::Works) | Finding::RoundTrip(RoundTrip::Median(_)) => "ok",
    ;
    Finding::Dial(Dial::Failed(reason)) => reason.word(),
    Finding::Greeting(Greeting::Broke(reason)) => reason.word(),
    Finding::WayBack(WayBack::Fails(word)) => word,
    Finding::WayBack(WayBack::Lost(reason)) | Finding::RoundTrip(RoundTrip::Lost(reason)) => reason.word(),
}

words! {
    /// Who reaches whom.
    pub(super) fn reach(reach: Reach), REACHES of reach;
    Reach::BothWays => "both-ways",
    Reach::OneWay => "one-way",
    Reach::Unreachable => "unreachable",
}

/// What will be done, before it is done.
pub(super) fn diagnosing(f: &mut Formatter<'_>, who: &Who) -> fmt::Result {
    writeln!(
        f,
        "Diagnosing the way to {}; whatever answers there gets a connect, as with choice 3 of the menu",
        Named(who)
    )
}

/// `3. dial: connected (12 ms)`.
pub(super) fn diagnosed(f: &mut Formatter<'_>, finding: &Finding, took: Duration) -> fmt::Result {
    let number = match finding {
        Finding::OurSide(_) => 1,
        Finding::Route(_) => 2,
        Finding::Dial(_) => 3,
        Finding::Greeting(_) => 4,
        Finding::WayBack(_) => 5,
        Finding::RoundTrip(_) => 6,
    };
    let name = stage(finding).replace('-', " ");
    writeln!(f, "{number}. {name}: {} ({})", Found(finding), Time(took))
}

/// What a stage has found.
struct Found<'a>(&'a Finding);

impl Display for Found<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Finding::OurSide(side) => our_side(f, side),
            Finding::Route(route) => on_route(f, *route),
            Finding::Dial(dial) => on_dial(f, *dial),
            Finding::Greeting(greeting) => on_greeting(f, greeting),
            Finding::WayBack(way_back) => on_way_back(f, *way_back),
            Finding::RoundTrip(RoundTrip::Lost(reason)) => write!(f, "the session ended: {reason}"),
            Finding::RoundTrip(RoundTrip::Median(time)) => write!(f, "{} in the median", Time(*time)),
            Finding::RoundTrip(RoundTrip::None) => f.write_str("no answer to a ping"),
        }
    }
}

fn our_side(f: &mut Formatter<'_>, side: &OurSide) -> fmt::Result {
    write!(f, "listening on port {}", side.port)?;
    match (side.from, &side.interface) {
        (Some(from), Some(interface)) => write!(f, "; towards there as {from} by {}", Clean(interface))?,
        (Some(from), None) => write!(f, "; towards there as {from}")?,
        (None, _) => {}
    }
    let addresses: Vec<String> = side.addresses.iter().map(|&address| At(address).to_string()).collect();
    write!(f, "; others reach you at {}", addresses.join(" or "))?;
    let (there, most) = (side.connections as u64, Count(side.connections_max as u64, "connection"));
    write!(f, "; {there} of {most} in use")
}

fn on_route(f: &mut Formatter<'_>, route: Route) -> fmt::Result {
    match route {
        Route::Gateway => f.write_str("through a gateway or a tunnel"),
        Route::Loopback => f.write_str("on this host"),
        Route::None(fault) => write!(f, "none ({fault})"),
        Route::SameNetwork => f.write_str("in the same network"),
        Route::Unclear => f.write_str("unknown"),
    }
}

fn on_dial(f: &mut Formatter<'_>, dial: Dial) -> fmt::Result {
    match dial {
        Dial::Connected => f.write_str("connected"),
        Dial::Failed(CloseReason::NoDescriptor) => f.write_str("no file descriptor is left for it"),
        Dial::Failed(CloseReason::NoPort) => f.write_str("no local port is left for it"),
        Dial::Failed(CloseReason::Refused) => f.write_str("refused"),
        Dial::Failed(CloseReason::TimedOut) => f.write_str("no answer"),
        Dial::Failed(CloseReason::Unreachable) => f.write_str("unreachable"),
        Dial::Failed(reason) => write!(f, "failed: {reason}"),
        Dial::Itself => f.write_str("that is this program itself"),
        Dial::NoTurn => f.write_str("this program has too many connections or dials of its own"),
        Dial::Session => f.write_str("not needed, because you have dialled it and are connected"),
    }
}

fn on_greeting(f: &mut Formatter<'_>, greeting: &Greeting) -> fmt::Result {
    match greeting {
        Greeting::Broke(reason) => write!(f, "the connection ended: {reason}"),
        Greeting::Chinwag => f.write_str("it is chinwag, session version 1, not encrypted"),
        Greeting::Closed => f.write_str("it took the connect and closed, without an answer"),
        Greeting::Foreign(Foreign { kind, said }) => {
            write!(f, "{}", Server(*kind))?;
            match kind {
                // What it says is not text.
                ForeignKind::Tls => Ok(()),
                _ => write!(f, ", which says '{}'", Clean(said)),
            }
        }
        Greeting::Published(dialect) => {
            write!(f, "another chat program, which speaks the {} dialect", dialect.name())
        }
        Greeting::Silent => f.write_str("it accepts the connection, and does nothing"),
    }
}

fn on_way_back(f: &mut Formatter<'_>, way_back: WayBack) -> fmt::Result {
    match way_back {
        WayBack::Called => f.write_str("it has dialled you to answer"),
        WayBack::Denied => f.write_str("it does not dial the address that you claim"),
        WayBack::Elsewhere => f.write_str("it reached something there, and nothing came here"),
        WayBack::Fails("refused") => f.write_str("it is refused there"),
        WayBack::Fails("timed-out") => f.write_str("it gets no answer there"),
        WayBack::Fails("unreachable") => f.write_str("it cannot get there"),
        WayBack::Fails(word) => write!(f, "it does not get through: {word}"),
        WayBack::Later => f.write_str("it has tried just now, and does not try again yet"),
        WayBack::Lost(reason) => write!(f, "the session ended: {reason}"),
        WayBack::Untold => f.write_str("it does not say"),
        WayBack::Works => f.write_str("it reaches you"),
    }
}

/// What a server is.
struct Server(ForeignKind);

impl Display for Server {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            ForeignKind::Http => "a web server (HTTP)",
            ForeignKind::Other => "something that is no chat",
            ForeignKind::Ssh => "a remote shell (SSH)",
            ForeignKind::Tls => "a server that wants encryption (TLS)",
        })
    }
}

/// A time with about two digits: `45 µs`, `0.3 ms`, `12 ms`, `1.2 s`.
struct Time(Duration);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_secs_f64() * 1000.0;
        match millis {
            0.0 => f.write_str("0 ms"),
            ..0.1 => write!(f, "{:.0} µs", millis * 1000.0),
            ..10.0 => write!(f, "{millis:.1} ms"),
            ..1000.0 => write!(f, "{millis:.0} ms"),
            _ => write!(f, "{:.1} s", millis / 1000.0),
        }
    }
}

/// What it all means, and what to do.
pub(super) fn verdict(f: &mut Formatter<'_>, who: &Who, verdict: &Verdict) -> fmt::Result {
    if let Some(Route::None(fault)) = verdict.route {
        return writeln!(
            f,
            "This host has no way to {} ({fault}): connect it to a network that has one, or check the address.",
            who.address.ip()
        );
    }
    match verdict.dial {
        Some(Dial::Connected | Dial::Session) => {}
        Some(dial) => return not_dialled(f, who, dial, verdict.route),
        None => return writeln!(f, "Nothing is known of {}: try again.", Whom(who)),
    }
    if let Some(reason) = verdict.lost() {
        let (whom, asked) = (Whom(who), Asked(who));
        return writeln!(
            f,
            "You reached {whom}, but then the connection ended ({reason}): ask {asked} whether the program still runs, \
             and try again."
        );
    }
    match &verdict.greeting {
        Some(Greeting::Chinwag) => way_back(f, who, verdict),
        Some(greeting) => other_program(f, who, greeting, verdict),
        None => writeln!(f, "Nothing is known of {}: try again.", Whom(who)),
    }
}

fn not_dialled(f: &mut Formatter<'_>, who: &Who, dial: Dial, route: Option<Route>) -> fmt::Result {
    let (whom, asked) = (Whom(who), Asked(who));
    let (ip, port) = (who.address.ip(), who.address.port());
    let is_here = route == Some(Route::Loopback);
    let is_near = route == Some(Route::SameNetwork);
    let reason = match dial {
        Dial::Failed(reason) => reason,
        Dial::Itself => {
            return writeln!(f, "{} is this program; give somebody else's address.", At(who.address));
        }
        Dial::Connected | Dial::NoTurn | Dial::Session => {
            return writeln!(
                f,
                "Nothing is known of {whom}, because this program has no room for another dial: close connections, or \
                 raise 'ulimit -n' and --connections-max."
            );
        }
    };
    match reason {
        CloseReason::Refused if is_here => {
            writeln!(f, "No program listens on port {port} of this host: start it, or check the port.")
        }
        CloseReason::Refused => writeln!(
            f,
            "A machine answers at {ip}, but no program listens on port {port}, or a firewall rejects you: ask {asked} to \
             start chinwag, or check the port."
        ),
        CloseReason::TimedOut if is_near => writeln!(
            f,
            "Nothing answers at {}, although {ip} is in your own network: a firewall there, or your own, drops what you \
             send; ask {asked} to open TCP port {port}.",
            At(who.address)
        ),
        CloseReason::TimedOut => writeln!(
            f,
            "Nothing answers at {}: the machine is off, in another network, or behind a firewall that drops what you \
             send; check the address, and ask {asked} to open TCP port {port}.",
            At(who.address)
        ),
        CloseReason::Unreachable if is_near => writeln!(
            f,
            "No machine lets you in at {ip}, in your own network: it is off, has another address now, or its firewall \
             rejects you; ask {asked} for the address."
        ),
        CloseReason::Unreachable => writeln!(
            f,
            "The network says that {ip} cannot be reached: check the address, and whether both of you are in networks \
             that know each other."
        ),
        CloseReason::NoDescriptor => writeln!(
            f,
            "Nothing is known of {whom}, because this program has no file descriptor left for a dial: raise 'ulimit -n', \
             or close connections."
        ),
        CloseReason::NoPort => writeln!(
            f,
            "Nothing is known of {whom}, because this host has no free local port left: close connections, or try again \
             in a minute."
        ),
        CloseReason::Fault(fault) if fault.kind == io::ErrorKind::PermissionDenied => writeln!(
            f,
            "This host forbids the connection to {}: look at its own firewall and sandbox.",
            At(who.address)
        ),
        reason => writeln!(f, "The dial to {} failed ({reason}): try again.", At(who.address)),
    }
}

fn other_program(f: &mut Formatter<'_>, who: &Who, greeting: &Greeting, verdict: &Verdict) -> fmt::Result {
    let (whom, asked) = (Whom(who), Asked(who));
    let (address, port) = (At(who.address), who.address.port());
    match greeting {
        Greeting::Broke(reason) => writeln!(
            f,
            "Something accepts connections at {address} and ends them ({reason}): it refuses you, or is no chat; ask \
             {asked} whether the program has room for you, and check the port."
        ),
        Greeting::Foreign(Foreign { kind, .. }) => {
            writeln!(f, "Port {port} belongs to {}: ask {asked} for the port of the chat.", Server(*kind))
        }
        Greeting::Silent => writeln!(
            f,
            "Something accepts connections at {address} and does nothing: the program there hangs, or is no chat, or one \
             of the few that read and never answer; ask {asked} to start it again, and check the port."
        ),
        Greeting::Closed => writeln!(
            f,
            "Something at {address} takes what you say and closes without a word, as many other chat programs do, and \
             servers that are no chat: ask {asked} whether it arrived and whether you are answered."
        ),
        _ if verdict.way_back == Some(WayBack::Called) => {
            writeln!(f, "You and {whom} reach each other: if something does not work, it is not the network.")
        }
        _ => {
            write!(
                f,
                "You reach {whom}, which is another chat program and cannot say whether it reaches you"
            )?;
            match verdict.ours {
                Some(ours) => {
                    writeln!(f, " at {ours}: if no answer comes, open TCP port {} on your side.", ours.port())
                }
                None => writeln!(f, ": ask for an answer."),
            }
        }
    }
}

fn way_back(f: &mut Formatter<'_>, who: &Who, verdict: &Verdict) -> fmt::Result {
    let (whom, asked) = (Whom(who), Asked(who));
    let Some(ours) = verdict.ours else { return writeln!(f, "You reach {whom}.") };
    let (ours, port) = (At(ours), ours.port());
    match verdict.way_back {
        Some(WayBack::Works | WayBack::Called) => {
            writeln!(f, "You and {whom} reach each other: if something does not work, it is not the network.")
        }
        Some(WayBack::Fails("unreachable")) => writeln!(
            f,
            "You reach {whom}, but it has no way to {ours}: give with --ip the address at which you are reached, or \
             open TCP port {port} of your firewall."
        ),
        Some(WayBack::Fails(_)) => writeln!(
            f,
            "You reach {whom}, but it cannot reach you at {ours}: a firewall on your side or on the way does not let \
             it through; open TCP port {port}, or forward it if you are behind a router."
        ),
        Some(WayBack::Denied) => writeln!(
            f,
            "You reach {whom}, but you come from another address than {ours}, at which you say that you listen: correct \
             --ip, or ask {asked} to write to you if you are behind a router."
        ),
        Some(WayBack::Elsewhere) => writeln!(
            f,
            "You reach {whom}, but at {ours} it reaches something else than you: correct --ip, or the forwarding of your \
             router."
        ),
        Some(WayBack::Later) => writeln!(
            f,
            "You reach {whom}; whether it reaches you at {ours} it tries once a minute: try again in a minute."
        ),
        Some(WayBack::Untold | WayBack::Lost(_)) | None => writeln!(
            f,
            "You reach {whom}, which does not say whether it reaches you at {ours}: ask for an answer, and if none comes, \
             open TCP port {port} on your side."
        ),
    }
}

/// Whom to ask: a peer by its name, else whoever is there.
struct Asked<'a>(&'a Who);

impl Display for Asked<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = &self.0.name;
        if name.is_empty() { f.write_str("its user") } else { write!(f, "{}", CleanName(name)) }
    }
}

/// A peer in the middle of a sentence: its name, else its address.
struct Whom<'a>(&'a Who);

impl Display for Whom<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Who { address, name, .. } = self.0;
        if name.is_empty() { write!(f, "{}", At(*address)) } else { write!(f, "{}", CleanName(name)) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::proto::fault::Fault;
    use crate::proto::message::Dialect;
    use std::collections::BTreeSet;

    const MILLIS: Duration = Duration::from_millis(1);

    fn foreign(said: &str) -> Greeting {
        Greeting::Foreign(Foreign::of(said.as_bytes()))
    }

    /// One for each word, and some more.
    pub(in crate::term) fn findings() -> Vec<Finding> {
        let fault: Fault = io::ErrorKind::NetworkUnreachable.into();
        let side = OurSide {
            port: 8080,
            addresses: vec![([10, 0, 0, 1], 8080).into(), ([10, 9, 0, 1], 8080).into()],
            from: Some([10, 0, 0, 1].into()),
            interface: Some("eth\u{1b}0".to_owned()),
            connections: 3,
            connections_max: 19_968,
        };
        let alone = OurSide { from: None, interface: None, ..side.clone() };
        let routes =
            [Route::Gateway, Route::Loopback, Route::None(fault), Route::SameNetwork, Route::Unclear];
        let reasons =
            [CloseReason::Refused, CloseReason::TimedOut, CloseReason::Unreachable, CloseReason::Reset];
        let dials = [Dial::Connected, Dial::Itself, Dial::NoTurn, Dial::Session];
        let dials = dials.into_iter().chain(reasons.map(Dial::Failed));
        let greetings = [
            Greeting::Broke(CloseReason::Reset),
            Greeting::Chinwag,
            Greeting::Closed,
            Greeting::Published(Dialect::Netech),
            Greeting::Silent,
            foreign("HTTP/1.1 400"),
            foreign("SSH-2.0-x"),
            foreign("\u{15}\u{3}\u{1}"),
            foreign("\u{1b}[2J\n"),
        ];
        let ways_back = [
            WayBack::Called,
            WayBack::Denied,
            WayBack::Elsewhere,
            WayBack::Fails("refused"),
            WayBack::Fails("timed-out"),
            WayBack::Fails("unreachable"),
            WayBack::Fails("reset"),
            WayBack::Later,
            WayBack::Lost(CloseReason::Eof),
            WayBack::Untold,
            WayBack::Works,
        ];
        let round_trips = [RoundTrip::Lost(CloseReason::Eof), RoundTrip::Median(MILLIS), RoundTrip::None];
        [Finding::OurSide(side), Finding::OurSide(alone)]
            .into_iter()
            .chain(routes.map(Finding::Route))
            .chain(dials.map(Finding::Dial))
            .chain(greetings.map(Finding::Greeting))
            .chain(ways_back.map(Finding::WayBack))
            .chain(round_trips.map(Finding::RoundTrip))
            .collect()
    }

    /// What `write` writes.
    struct Written<F>(F);

    impl<F: Fn(&mut Formatter<'_>) -> fmt::Result> Display for Written<F> {
        fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
            self.0(f)
        }
    }

    fn said(who: &str, verdict: &Verdict) -> String {
        let who = Who::new(([10, 0, 0, 2], 8080).into(), who.into());
        Written(|f: &mut Formatter<'_>| super::verdict(f, &who, verdict)).to_string()
    }

    #[test]
    fn each_stage_is_a_line_of_its_own_without_control_characters_and_each_word_is_used() {
        let findings = findings();
        let lines: BTreeSet<String> = findings
            .iter()
            .map(|finding| Written(|f: &mut Formatter<'_>| diagnosed(f, finding, 12 * MILLIS)).to_string())
            .collect();
        assert_eq!(lines.len(), findings.len(), "{lines:?}");
        for line in &lines {
            let text = line.strip_suffix(" (12 ms)\n").unwrap();
            assert!(!text.contains(char::is_control) && ('1'..='6').contains(&text.chars().next().unwrap()));
        }
        assert!(lines.contains("4. greeting: something that is no chat, which says '␛[2J' (12 ms)\n"));
        let words: BTreeSet<&str> = findings.iter().map(outcome).collect();
        assert!(OUTCOMES.iter().all(|word| words.contains(word)), "{words:?}");
    }

    #[test]
    fn times_have_a_unit_that_fits() {
        for (micros, words) in [
            (0, "0 ms"),
            (49, "49 µs"),
            (99, "99 µs"),
            (100, "0.1 ms"),
            (1_234, "1.2 ms"),
            (12_345, "12 ms"),
            (5_040_000, "5.0 s"),
        ] {
            assert_eq!(Time(Duration::from_micros(micros)).to_string(), words);
        }
    }

    /// All verdicts that stages can lead to.
    fn verdicts() -> Vec<Verdict> {
        let mut all = vec![Verdict::default()];
        let base = Verdict { ours: Some(([10, 0, 0, 1], 8080).into()), ..Verdict::default() };
        let routes = [Route::Gateway, Route::SameNetwork, Route::Loopback, Route::Unclear];
        for finding in findings() {
            match finding {
                Finding::OurSide(_) => {}
                Finding::Route(route) => all.push(Verdict { route: Some(route), ..base.clone() }),
                Finding::Dial(dial) => all.extend(routes.map(|route| Verdict {
                    route: Some(route),
                    dial: Some(dial),
                    ..base.clone()
                })),
                Finding::Greeting(greeting) => all.push(Verdict {
                    dial: Some(Dial::Connected),
                    greeting: Some(greeting),
                    ..base.clone()
                }),
                Finding::WayBack(way_back) => all.push(Verdict {
                    dial: Some(Dial::Session),
                    greeting: Some(Greeting::Chinwag),
                    way_back: Some(way_back),
                    ..base.clone()
                }),
                Finding::RoundTrip(round_trip) => all.push(Verdict {
                    dial: Some(Dial::Connected),
                    greeting: Some(Greeting::Chinwag),
                    way_back: Some(WayBack::Works),
                    round_trip: Some(round_trip),
                    ..base.clone()
                }),
            }
        }
        all
    }

    #[test]
    fn no_verdict_says_that_something_works_which_does_not() {
        for verdict in verdicts() {
            for name in ["", "anna"] {
                let said = said(name, &verdict);
                let is_one_sentence = said.ends_with(".\n") && said.matches('\n').count() == 1;
                assert!(is_one_sentence && !said.contains("  "), "{said}");
                let works = said.contains("reach each other");
                assert_eq!(works, verdict.reach() == Reach::BothWays, "{verdict:?}: {said}");
                // Who only closes may be anything.
                let is_known = verdict.greeting != Some(Greeting::Closed);
                let reached = said.starts_with("You reach ");
                assert_eq!(reached, is_known && verdict.reach() == Reach::OneWay, "{verdict:?}: {said}");
            }
        }
    }

    #[test]
    fn a_verdict_names_the_peer_the_fault_and_what_to_do() {
        let ours = Some(([10, 0, 0, 1], 8080).into());
        let dialled = |reason, route| Verdict {
            route: Some(route),
            dial: Some(Dial::Failed(reason)),
            ..Verdict::default()
        };
        let wayward = |way_back| Verdict {
            ours,
            dial: Some(Dial::Connected),
            greeting: Some(Greeting::Chinwag),
            way_back: Some(way_back),
            ..Verdict::default()
        };
        for (name, verdict, words) in [
            (
                "anna",
                dialled(CloseReason::Refused, Route::Gateway),
                "A machine answers at 10.0.0.2, but no program listens on port 8080, or a firewall rejects you: ask anna \
                 to start chinwag, or check the port.\n",
            ),
            (
                "",
                dialled(CloseReason::TimedOut, Route::SameNetwork),
                "Nothing answers at 10.0.0.2:8080, although 10.0.0.2 is in your own network: a firewall there, or your \
                 own, drops what you send; ask its user to open TCP port 8080.\n",
            ),
            (
                "anna",
                wayward(WayBack::Fails("timed-out")),
                "You reach anna, but it cannot reach you at 10.0.0.1:8080: a firewall on your side or on the way does \
                 not let it through; open TCP port 8080, or forward it if you are behind a router.\n",
            ),
            (
                "",
                wayward(WayBack::Works),
                "You and 10.0.0.2:8080 reach each other: if something does not work, it is not the network.\n",
            ),
        ] {
            assert_eq!(said(name, &verdict), words);
        }
    }
}
