//! What a diagnosis found, stage by stage, and its verdict, as data.

use crate::limits::DIAGNOSED_BYTES_MAX;
use crate::proto::fault::Fault;
use crate::proto::machine::CloseReason;
use crate::proto::message::Dialect;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What one stage found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Stage 1: our side.
    OurSide(OurSide),
    /// Stage 2: the way to the network of the peer.
    Route(Route),
    /// Stage 3: a connection.
    Dial(Dial),
    /// Stage 4: what answers there.
    Greeting(Greeting),
    /// Stage 5: whether the peer reaches us.
    WayBack(WayBack),
    /// Stage 6: how long an answer takes.
    RoundTrip(RoundTrip),
}

/// Our side, before anything was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OurSide {
    /// The port that we listen on.
    pub port: u16,
    /// The addresses at which others could reach us.
    pub addresses: Vec<SocketAddr>,
    /// The address of ours that the system uses towards the peer, if it has a route.
    pub from: Option<IpAddr>,
    /// The name of the interface that has it.
    pub interface: Option<String>,
    /// Connections that there are.
    pub connections: usize,
    /// Connections for which there are files.
    pub connections_max: usize,
}

/// How packets get to the peer, as far as this host knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Through a gateway, or a tunnel.
    Gateway,
    /// It is this host.
    Loopback,
    /// Not at all.
    None(Fault),
    /// It is in the network of one of our interfaces.
    SameNetwork,
    /// There is one, and our addresses do not say which.
    Unclear,
}

/// What came of a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// It is up.
    Connected,
    /// It failed.
    Failed(CloseReason),
    /// The address is our own, and was not dialled.
    Itself,
    /// It had to wait too long for its turn, because of our own limits.
    NoTurn,
    /// It is not needed: there is a session, which we dialled.
    Session,
}

/// What answers there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// It broke the connection.
    Broke(CloseReason),
    /// Another chinwag, with which there is a session.
    Chinwag,
    /// It read what we said and closed, and said nothing.
    Closed,
    /// Something that is no chat.
    Foreign(Foreign),
    /// Another program for chatting, by the form of its answer.
    Published(Dialect),
    /// It neither answered nor closed.
    Silent,
}

/// Something that is no chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What it seems to be.
    pub kind: ForeignKind,
    /// The beginning of what it said, decoded lossily.
    pub said: String,
}

/// What a program that is no chat seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignKind {
    /// A web server.
    Http,
    /// Nobody knows.
    Other,
    /// A remote shell.
    Ssh,
    /// A server that wants encryption.
    Tls,
}

/// Whether the peer reaches us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// It dialled us by itself.
    Called,
    /// It does not try an address that is not the one that we come from.
    Denied,
    /// It reached something at our address, and nothing came here.
    Elsewhere,
    /// It tried, and this came of it, as [`CloseReason::word`] says it.
    Fails(&'static str),
    /// It has tried for others, or for us, a moment ago.
    Later,
    /// The session ended meanwhile.
    Lost(CloseReason),
    /// It does not tell.
    Untold,
    /// It did.
    Works,
}

/// How long an answer takes on the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundTrip {
    /// The session ended meanwhile.
    Lost(CloseReason),
    /// The median of those measured.
    Median(Duration),
    /// No answer came.
    None,
}

/// All of it, for the sentence at the end. What was not reached is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The address at which we say that we listen, if something was dialled.
    pub ours: Option<SocketAddr>,
    /// Stage 2.
    pub route: Option<Route>,
    /// Stage 3.
    pub dial: Option<Dial>,
    /// Stage 4.
    pub greeting: Option<Greeting>,
    /// Stage 5.
    pub way_back: Option<WayBack>,
    /// Stage 6.
    pub round_trip: Option<RoundTrip>,
}

/// Who reaches whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Each the other.
    BothWays,
    /// We reach the peer; that the peer reaches us is not known, or known to be wrong.
    OneWay,
    /// We do not reach a chat.
    Unreachable,
}

impl Verdict {
    /// Who reaches whom, as far as it is known. What is not known counts as not working.
    pub fn reach(&self) -> Reach {
        let is_lost = self.lost().is_some();
        match (&self.greeting, self.way_back) {
            _ if is_lost => Reach::Unreachable,
            (_, Some(WayBack::Called | WayBack::Works)) => Reach::BothWays,
            (Some(Greeting::Chinwag | Greeting::Closed | Greeting::Published(_)), _) => Reach::OneWay,
            _ => Reach::Unreachable,
        }
    }

    /// Why the session ended, if it did so during the diagnosis.
    pub fn lost(&self) -> Option<CloseReason> {
        match (self.way_back, self.round_trip) {
            (Some(WayBack::Lost(reason)), _) | (_, Some(RoundTrip::Lost(reason))) => Some(reason),
            _ => None,
        }
    }
}

impl Foreign {
    /// What has said these first bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let shown = &bytes[..bytes.len().min(DIAGNOSED_BYTES_MAX)];
        let said = String::from_utf8_lossy(shown).trim_end().to_owned();
        Self { kind: ForeignKind::of(bytes), said }
    }
}

impl ForeignKind {
    fn of(bytes: &[u8]) -> Self {
        let begins_with = |beginning: &str| {
            bytes.get(..beginning.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(beginning.as_bytes()))
        };
        match bytes {
            // A record of TLS or SSL 3: an alert, or a handshake.
            [0x15 | 0x16, 0x03, ..] => Self::Tls,
            _ if begins_with("SSH-") => Self::Ssh,
            // Old servers answer a request without a version without a head.
            _ if ["HTTP/", "<!doctype html", "<html"].into_iter().any(begins_with) => Self::Http,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_other_kinds_are_told_by_their_first_bytes() {
        use ForeignKind::{Http, Other, Ssh, Tls};
        let long = "HTTP/1.1 ".repeat(1000);
        for (bytes, kind) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], Http),
            (b"http/1.0 400", Http),
            (b"<!DOCTYPE HTML>\n<html lang", Http),
            (b"<html><head>", Http),
            (long.as_bytes(), Http),
            (b"HTTP", Other),
            (b"SSH-2.0-OpenSSH_9.2p1\r\n", Ssh),
            (b"\x15\x03\x01\x00\x02\x02\x16", Tls),
            (b"\x16\x03\x03\x00\x7a", Tls),
            (b"\x15\x03", Tls),
            (b"\x15", Other),
            (b"\x15\x02\x03", Other),
            (b"220 mail.example ESMTP\r\n", Other),
            (b"\xff\xfd\x18\xff", Other),
            (b"<10.0.0.1:80> @ <P1>", Other),
            (b"\x1b[2J", Other),
            (b"", Other),
        ] {
            let foreign = Foreign::of(bytes);
            assert_eq!(foreign.kind, kind, "{bytes:?}");
            assert!(foreign.said.chars().count() <= DIAGNOSED_BYTES_MAX);
        }
    }

    #[test]
    fn what_is_not_known_does_not_count_as_working() {
        let greeted = |greeting, way_back| Verdict {
            dial: Some(Dial::Connected),
            greeting: Some(greeting),
            way_back,
            ..Verdict::default()
        };
        let refused = CloseReason::Refused;
        for (verdict, reach) in [
            (Verdict::default(), Reach::Unreachable),
            (Verdict { dial: Some(Dial::Connected), ..Verdict::default() }, Reach::Unreachable),
            (Verdict { dial: Some(Dial::Failed(refused)), ..Verdict::default() }, Reach::Unreachable),
            (greeted(Greeting::Silent, None), Reach::Unreachable),
            (greeted(Greeting::Broke(CloseReason::Reset), None), Reach::Unreachable),
            (greeted(Greeting::Foreign(Foreign::of(b"x")), None), Reach::Unreachable),
            (greeted(Greeting::Closed, None), Reach::OneWay),
            (greeted(Greeting::Published(Dialect::Netech), None), Reach::OneWay),
            (greeted(Greeting::Published(Dialect::Netech), Some(WayBack::Called)), Reach::BothWays),
            (greeted(Greeting::Chinwag, None), Reach::OneWay),
            (greeted(Greeting::Chinwag, Some(WayBack::Untold)), Reach::OneWay),
            (greeted(Greeting::Chinwag, Some(WayBack::Later)), Reach::OneWay),
            (greeted(Greeting::Chinwag, Some(WayBack::Denied)), Reach::OneWay),
            (greeted(Greeting::Chinwag, Some(WayBack::Elsewhere)), Reach::OneWay),
            (greeted(Greeting::Chinwag, Some(WayBack::Fails("refused"))), Reach::OneWay),
            (greeted(Greeting::Chinwag, Some(WayBack::Lost(CloseReason::Eof))), Reach::Unreachable),
            (greeted(Greeting::Chinwag, Some(WayBack::Works)), Reach::BothWays),
            (
                Verdict {
                    round_trip: Some(RoundTrip::Lost(CloseReason::Eof)),
                    ..greeted(Greeting::Chinwag, Some(WayBack::Works))
                },
                Reach::Unreachable,
            ),
        ] {
            assert_eq!(verdict.reach(), reach, "{verdict:?}");
        }
    }
}
