//! The turn: one thread, one `Poll`, a fixed order. It hands bytes, typed lines and the time to the machine and
//! performs its outputs. It knows nothing about messages or peers. This file says what happens in a turn; `perform`
//! carries out what the machine wants because of it.
//!
//! Accepted sockets are read before they are registered. A plain peer has usually sent and closed before it is
//! accepted: one read finishes the connection, without a call to the event queue. Until a socket is registered, its
//! end counts as announced, so the read goes on to the end of the stream.
//!
//! A peer's silence is measured up to the time before the last poll of the event queue, not after it. In between, the
//! process may have been stopped, the poll may have been interrupted, or the kernel may have had more events than fit
//! into one answer. So each deadline of a peer costs one more poll, and no peer times out while its line is in our
//! buffer.

mod datagrams;
mod perform;

use super::display::Display;
use super::drain::{self, Drained};
use super::keyboard::{Keyboard, Unit};
use super::links::{End, Link, Links, Start};
use super::listener::{Accepted, Listener};
use super::multicast::Multicast;
use super::signals::{self, Asked};
use super::socket;
use crate::limits::{
    ACCEPTS_PER_TURN, EVENTS_PER_TURN, QUIT_TIMEOUT, READ_BYTES_PER_TURN, SCREEN_RETRY, TYPED_LINES_PER_TURN,
    WRITTEN_BYTES_PER_TURN,
};
use crate::proto::machine::{CloseReason, ConnId, Input, Machine, Output};
use crate::term::stdin::Stdin;
use crate::term::{Screen, Typed};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use signal_hook_mio::v1_0::Signals;
use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

/// Tokens of everything that is not a connection. A [`ConnId`] could have these values only in the last possible
/// slots.
const LISTENER: Token = Token(usize::MAX);
const STDIN: Token = Token(usize::MAX - 1);
const SCREEN: Token = Token(usize::MAX - 2);
const SIGNALS: Token = Token(usize::MAX - 3);
const TERMINAL: Token = Token(usize::MAX - 4);

/// Urgent data matters only because reads stop at its mark.
#[cfg(target_os = "linux")]
const LINK_INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE).add(Interest::PRIORITY);
#[cfg(not(target_os = "linux"))]
const LINK_INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Drives one machine: its sockets, its user's input and its screen.
pub struct EventLoop<M: Machine, S> {
    machine: M,
    display: Display<S>,
    keyboard: Option<Keyboard>,
    is_stdin_broken: bool,
    signals: Option<Signals>,
    /// The signals that make us redraw the screen, stop or die.
    of_terminal: Option<Signals>,
    poll: Poll,
    events: Events,
    links: Links,
    listener: Option<Listener>,
    /// While the machine wants datagrams.
    multicast: Option<Multicast>,
    /// Links that have become writable, or are to be half-closed. The budget of a turn may leave some for the next
    /// turn.
    to_flush: VecDeque<ConnId>,
    /// What the machine wants done.
    outputs: VecDeque<Output<M::Notice>>,
    /// The one buffer for all reads.
    scratch: Box<[u8]>,
    /// The clock, read once a turn.
    now: Instant,
    /// If the kernel still has more events: since when, and how many it has reported.
    asked_since: Option<(Instant, usize)>,
    /// All events up to this moment have been reported and noted.
    told_until: Instant,
    has_begun: bool,
    /// The user or a signal asks the program to end: from now on nothing may delay it.
    is_ending: bool,
    exit_code: Option<u8>,
}

impl<M: Machine, S: Screen<M::Notice>> EventLoop<M, S> {
    /// A loop without a keyboard and without signals. The first turn begins with the outputs that the machine already
    /// has.
    pub fn new(machine: M, screen: S) -> io::Result<Self> {
        Ok(Self {
            machine,
            display: Display::new(screen),
            keyboard: None,
            is_stdin_broken: false,
            signals: None,
            of_terminal: None,
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_PER_TURN),
            links: Links::default(),
            listener: None,
            multicast: None,
            to_flush: VecDeque::new(),
            outputs: VecDeque::new(),
            scratch: vec![0; READ_BYTES_PER_TURN].into_boxed_slice(),
            now: Instant::now(),
            asked_since: None,
            told_until: Instant::now(),
            has_begun: false,
            is_ending: false,
            exit_code: None,
        })
    }

    /// Takes typed lines from `stdin`. Input that cannot be watched, such as a regular file, counts as always ready.
    pub fn with_stdin(mut self, stdin: Stdin) -> io::Result<Self> {
        self.keyboard = Some(Keyboard::register(stdin, Unit::Lines, self.poll.registry(), STDIN)?);
        Ok(self)
    }

    /// Takes keys from `stdin`, a terminal, and lets the screen make lines from them. The screen is told to redraw
    /// when the terminal changes its size and when the program continues after a stop, and to suspend the program when
    /// a signal asks for that. It restores the terminal before an otherwise uncaught signal ends the process.
    pub fn with_keys(mut self, stdin: Stdin) -> io::Result<Self> {
        self.keyboard = Some(Keyboard::register(stdin, Unit::Keys, self.poll.registry(), STDIN)?);
        self.of_terminal = Some(signals::register_terminal(self.poll.registry(), TERMINAL)?);
        Ok(self)
    }

    /// Ends gracefully on SIGINT, SIGTERM and SIGHUP.
    pub fn with_signals(mut self) -> io::Result<Self> {
        self.signals = Some(signals::register(self.poll.registry(), SIGNALS)?);
        Ok(self)
    }

    /// The machine.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The screen.
    pub fn screen_mut(&mut self) -> &mut S {
        &mut self.display.screen
    }

    /// Whether the machine has quit: the last turn is over.
    pub fn is_over(&self) -> bool {
        self.exit_code.is_some()
    }

    /// Shows a notice that does not come from the machine.
    pub fn show(&mut self, notice: M::Notice) {
        self.display.screen.show(notice);
        if self.has_begun {
            self.flush_screen();
        }
    }

    /// Whether stdin ended because it could not be read. The machine is told of an end, whatever its cause.
    pub fn is_stdin_broken(&self) -> bool {
        self.is_stdin_broken
    }

    /// Types a line as the user would, whether or not the machine waits for one.
    pub fn type_line(&mut self, line: &str) {
        self.now = Instant::now();
        self.display.screen.line_taken();
        self.handle(Input::Line(line));
        self.flush_some();
    }

    /// Lets the caller tell the machine what neither the network nor the user told it, and performs what comes of it.
    pub fn tell(&mut self, tell: impl FnOnce(&mut M, Instant)) {
        self.now = Instant::now();
        let Self { machine, outputs, now, .. } = self;
        outputs.extend(std::iter::from_fn(|| machine.poll_output()));
        tell(machine, *now);
        self.perform();
        self.flush_some();
    }

    /// Runs turns until the machine quits, and returns its exit code. The rest of the output gets a moment to be
    /// written. An error comes from the event queue itself, or from a broken screen.
    pub fn run(self) -> io::Result<u8> {
        self.run_with(|_| None)
    }

    /// Runs turns as [`EventLoop::run`] does. `look` is called after each turn, also the last one, and returns within
    /// what time it wants to be called again if nothing happens.
    pub fn run_with(mut self, mut look: impl FnMut(&mut Self) -> Option<Duration>) -> io::Result<u8> {
        // What came of the machine's first outputs is looked at before the first sleep.
        let mut wait = Some(Duration::ZERO);
        loop {
            let code = self.turn(wait)?;
            wait = look(&mut self);
            if let Some(code) = code {
                self.finish_screen()?;
                return self.display.fault.map_or(Ok(code), Err);
            }
        }
    }

    /// One turn. It sleeps no longer than `wait`, and not beyond the next deadline. Returns the exit code once the
    /// machine has quit.
    pub fn turn(&mut self, wait: Option<Duration>) -> io::Result<Option<u8>> {
        if !self.has_begun {
            self.begin();
        }
        if self.exit_code.is_some() {
            return Ok(self.exit_code);
        }
        self.sleep(wait)?;
        self.note_events();
        if !self.is_paused() {
            self.accept_some();
            self.drain_some();
            self.receive_datagrams();
            self.read_stdin();
            // The screen may have become full in this turn: then some bytes are still unread.
            if !self.is_paused() {
                self.machine.caught_up(self.told_until);
                self.fire_timeout();
            }
        } else {
            self.read_stdin();
        }
        self.flush_some();
        Ok(self.exit_code)
    }

    fn begin(&mut self) {
        self.has_begun = true;
        self.perform();
        self.flush_screen();
    }

    fn sleep(&mut self, wait: Option<Duration>) -> io::Result<()> {
        let timeout = if self.has_work() { Some(Duration::ZERO) } else { self.time_left(wait) };
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => self.note_told(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        self.now = Instant::now();
        Ok(())
    }

    /// We do not know exactly when the kernel was asked, only that it was not before our last clock reading; we may
    /// have been stopped in between. The kernel reports a limited number of events at a time, the oldest first.
    fn note_told(&mut self) {
        let (since, before) = self.asked_since.take().unwrap_or((self.now, 0));
        let count = self.events.iter().count();
        if count < EVENTS_PER_TURN || before + count >= self.links.slots() {
            self.told_until = since;
        } else {
            self.asked_since = Some((since, before + count));
        }
    }

    /// Whether some work is left that no event will announce.
    fn has_work(&self) -> bool {
        if self.is_paused() {
            return self.is_typing() || !self.to_flush.is_empty();
        }
        self.links.ready() > 0
            || !self.to_flush.is_empty()
            || self.listener.as_ref().is_some_and(|listener| listener.is_ready(self.now))
            || self.multicast.as_ref().is_some_and(Multicast::is_ready)
            || self.is_typing()
    }

    /// Whether there may be typed input that can be taken.
    fn is_typing(&self) -> bool {
        let (screen, wants_line) = (&self.display.screen, self.machine.wants_line());
        self.keyboard.as_ref().is_some_and(|keyboard| keyboard.is_worth_asking(screen, wants_line))
            && (self.is_ending || !self.display.is_overfull::<M::Notice>())
    }

    fn time_left(&self, wait: Option<Duration>) -> Option<Duration> {
        let of_network = if self.is_paused() {
            None
        } else {
            let retry_at = self.listener.as_ref().and_then(|listener| listener.retry_at);
            self.machine.poll_timeout().into_iter().chain(retry_at).min()
        };
        let next = self.display.retry_at().into_iter().chain(of_network).min();
        let left = next.map(|at| at.saturating_duration_since(Instant::now()));
        left.into_iter().chain(wait).chain(self.display.screen.flush_within()).min()
    }

    /// A program reads our output and is slower than our peers. Nothing is read until it has caught up, so that
    /// nothing is lost. No deadline fires either: a peer does not count as silent while we do not read. Typed lines
    /// may still be taken, see [`Screen::is_overfull`].
    fn is_paused(&self) -> bool {
        !self.is_ending && self.display.is_full::<M::Notice>()
    }

    /// Events only set bits and queue links.
    fn note_events(&mut self) {
        let (mut is_signalled, mut has_terminal_changed) = (false, false);
        for event in &self.events {
            match event.token() {
                LISTENER => self.listener.iter_mut().for_each(|listener| listener.is_readable = true),
                STDIN => self.keyboard.iter_mut().for_each(|keyboard| keyboard.is_readable = true),
                // The screen is flushed at the end of each turn anyway.
                SCREEN => {}
                SIGNALS => is_signalled = true,
                TERMINAL => has_terminal_changed = true,
                token if self.multicast.as_mut().is_some_and(|multicast| multicast.note_event(token)) => {}
                token => {
                    let conn = ConnId::from_bits(token.0 as u64);
                    let Some(link) = self.links.get_mut(conn) else { continue };
                    // These are hints at the end of the stream: the next read shows whether it is true.
                    let ends = event.is_read_closed() || event.is_write_closed() || event.is_error();
                    link.is_readable |= event.is_readable() || ends;
                    link.end_is_near |= ends;
                    link.is_urgent |= event.is_priority();
                    if event.is_writable() && !std::mem::replace(&mut link.is_writable, true) {
                        self.to_flush.push_back(conn);
                    }
                    self.links.make_ready(conn);
                }
            }
        }
        if has_terminal_changed && let Some(signals) = &mut self.of_terminal {
            match signals::asked(signals) {
                Asked::Die(signal) => {
                    self.display.screen.restore_terminal();
                    signals::die(signal);
                }
                Asked::Redraw => self.display.screen.redraw(),
                Asked::Stop => self.display.screen.suspend(),
            }
        }
        if is_signalled {
            self.on_signals();
        }
    }

    fn on_signals(&mut self) {
        let count = self.signals.as_mut().map_or(0, signals::count_ends);
        (0..count).for_each(|_| self.interrupt());
    }

    fn interrupt(&mut self) {
        self.is_ending = true;
        self.handle(Input::Interrupted);
    }

    fn accept_some(&mut self) {
        for _ in 0..ACCEPTS_PER_TURN {
            let now = self.now;
            let Some(listener) = self.listener.as_mut().filter(|listener| listener.is_ready(now)) else {
                return;
            };
            match listener.accept(now) {
                Accepted::Nothing => {}
                Accepted::Refused(from) => self.handle(Input::Refused { from }),
                Accepted::Taken(stream, from) => self.welcome(stream, from),
            }
        }
    }

    /// A new socket is not registered yet: most plain peers have sent and closed by now, so reading first often makes
    /// the registration unnecessary.
    fn welcome(&mut self, stream: TcpStream, from: SocketAddr) {
        let Ok(local) = stream.local_addr() else { return };
        let conn = self.machine.accept(from, local, self.now);
        self.perform();
        match conn {
            Some(conn) => {
                self.links.insert(conn, Link::accepted(conn, stream));
                self.links.make_ready(conn);
            }
            None => socket::refuse(&stream),
        }
    }

    /// Serves each link that is ready now once. A link with more to read goes to the back of the queue.
    fn drain_some(&mut self) {
        for _ in 0..self.links.ready() {
            // What is read now could not be shown to anybody.
            if self.is_paused() || self.exit_code.is_some() {
                return;
            }
            let Some(conn) = self.links.next_ready() else { continue };
            if self.links.get_mut(conn).is_some_and(|link| !link.is_up()) {
                self.finish_dial(conn);
            }
            if self.links.get_mut(conn).is_some_and(|link| link.is_readable && link.is_up()) {
                self.receive(conn, READ_BYTES_PER_TURN);
            }
            if let Err(error) = self.register(conn) {
                self.closed(conn, socket::close_reason(error));
            }
        }
    }

    fn finish_dial(&mut self, conn: ConnId) {
        let Some(link) = self.links.get_mut(conn).filter(|link| link.is_writable || link.end_is_near) else {
            return;
        };
        let outcome = match link.stream.take_error() {
            Ok(None) => link.stream.peer_addr().and_then(|peer| Ok((peer, link.stream.local_addr()?))),
            Ok(Some(error)) | Err(error) => Err(error),
        };
        match outcome {
            // The socket is connected to itself: nobody listens on that port, and it is in the ephemeral range.
            Ok((peer, local)) if peer == local => self.closed(conn, CloseReason::Refused),
            Ok((_, local)) => {
                link.start = Start::Up;
                self.handle(Input::Connected { conn, local });
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
            Err(error) => self.closed(conn, socket::close_reason(error)),
        }
    }

    fn receive(&mut self, conn: ConnId, budget: usize) {
        let Self { machine, links, outputs, scratch, now, .. } = self;
        let Some(link) = links.get_mut(conn) else { return };
        let may_stop_short = cfg!(target_os = "linux") && !link.end_is_near && !link.is_urgent;
        let drained = drain::receive(&mut link.stream, scratch, budget, may_stop_short, |bytes| {
            machine.handle(Input::Received { conn, bytes }, *now);
            outputs.extend(std::iter::from_fn(|| machine.poll_output()));
        });
        link.is_readable = matches!(drained, Drained::Budget);
        self.perform();
        match (drained, self.links.reason(conn)) {
            (Drained::Budget, _) => self.links.make_ready(conn),
            (Drained::Empty | Drained::End, Some(reason)) => self.closed(conn, reason),
            (Drained::Empty, _) => {}
            (Drained::End, _) => {
                // It may be only a half-close, and the peer waits for our answer.
                self.flush(conn);
                self.closed(conn, CloseReason::Eof);
            }
            (Drained::Broken(error), _) => self.closed(conn, socket::close_reason(error)),
        }
    }

    /// Registers an accepted link with the event queue, once, for both directions.
    fn register(&mut self, conn: ConnId) -> io::Result<()> {
        let is_new = |link: &&mut Link| link.start == Start::Unregistered;
        let Some(link) = self.links.get_mut(conn).filter(is_new) else { return Ok(()) };
        self.poll.registry().register(&mut link.stream, token(conn), LINK_INTEREST)?;
        link.start = Start::Up;
        // The event queue reports the current state at once, including the end of the stream.
        link.end_is_near = false;
        Ok(())
    }

    fn read_stdin(&mut self) {
        for _ in 0..TYPED_LINES_PER_TURN {
            if !self.is_typing() {
                return;
            }
            let Some(keyboard) = &mut self.keyboard else { return };
            match keyboard.next(&mut self.display.screen, self.machine.wants_line(), self.now) {
                Some(Typed::Line(line)) => {
                    self.display.screen.line_taken();
                    self.handle(Input::Line(&line));
                }
                Some(Typed::Interrupt) => self.interrupt(),
                Some(Typed::End) => return self.close_stdin(),
                None => return,
            }
        }
    }

    fn close_stdin(&mut self) {
        if let Some(keyboard) = self.keyboard.take_if(|keyboard| keyboard.is_over()) {
            self.is_stdin_broken = keyboard.is_broken;
            keyboard.deregister(self.poll.registry());
        }
        self.is_ending = true;
        self.handle(Input::StdinClosed);
    }

    fn fire_timeout(&mut self) {
        if self.machine.poll_timeout().is_some_and(|at| at <= self.now) {
            self.handle(Input::Timeout);
        }
    }

    fn flush_some(&mut self) {
        self.flush_links();
        self.flush_screen();
    }

    /// The machine itself limits how much it queues in a turn. But links that had stalled have more waiting than one
    /// turn's output, and may all become writable at once.
    fn flush_links(&mut self) {
        while let Some(conn) = self.machine.poll_transmit() {
            self.flush(conn);
        }
        let mut written = 0;
        while (written < WRITTEN_BYTES_PER_TURN || self.exit_code.is_some())
            && let Some(conn) = self.to_flush.pop_front()
        {
            written += self.flush(conn);
        }
    }

    /// Returns the number of bytes that were written.
    fn flush(&mut self, conn: ConnId) -> usize {
        let Some(link) = self.links.get_mut(conn).filter(|link| link.takes_bytes()) else { return 0 };
        let Some(queue) = self.machine.send_queue(conn) else { return 0 };
        let before = queue.bytes();
        if !link.is_tuned && !queue.is_empty() {
            socket::tune(&link.stream);
            link.is_tuned = true;
        }
        let outcome = queue.write_to(&mut link.stream);
        let written = before - queue.bytes();
        match outcome {
            Ok(()) if link.end == End::Closing => {
                link.end = End::Open;
                // If something is wrong, the next read will report it.
                let _ = link.stream.shutdown(Shutdown::Write);
            }
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => link.is_writable = false,
            Err(error) => self.links.break_off(conn, socket::close_reason(error)),
        }
        written
    }

    fn flush_screen(&mut self) {
        let is_gone = self.display.flush::<M::Notice>(self.poll.registry(), SCREEN, self.now);
        // A user who cannot see anything will not type anything either.
        if is_gone {
            self.is_ending = true;
            self.handle(Input::StdinClosed);
            // No event will come that flushes the farewells.
            self.flush_links();
        }
    }

    /// Writes the rest to a slow screen.
    fn finish_screen(&mut self) -> io::Result<()> {
        let until = self.now + QUIT_TIMEOUT;
        while self.display.is_slow() && self.now < until {
            match self.poll.poll(&mut self.events, Some(SCREEN_RETRY)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.now = Instant::now();
            self.flush_screen();
        }
        Ok(())
    }
}

fn token(conn: ConnId) -> Token {
    Token(conn.to_bits() as usize)
}
