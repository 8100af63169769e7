//! Somebody on the way: takes the connections that are made to an address, makes one of its own for each, and passes on
//! what it likes.
//!
//! What a side writes is cut into the parts of the protocol, and an attacker decides about each part.

use crate::common::PATIENCE;
use chinwag::proto::secure::words::offer_of;
use socket2::SockRef;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// The loopback address behind which a program listens at the same port.
pub(crate) const BEHIND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

const LENGTH_BYTES: usize = 2;

/// From the side that dialled to the side that was dialled, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Out,
    Back,
}

pub(crate) const WAYS: [Way; 2] = [Way::Out, Way::Back];

impl Way {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Out => Self::Back,
            Self::Back => Self::Out,
        }
    }
}

/// What a part of the bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bytes in the clear, as they came.
    Clear,
    /// The answer to a connect with an offer, a line.
    Offer,
    /// Message 2 or 3, a line.
    Proof,
    /// Two bytes of length, and so many bytes.
    Frame,
    /// The side says nothing more.
    End,
    /// The side has reset the connection.
    Reset,
}

/// A part of what a side wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) way: Way,
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
}

/// Decides what becomes of each part of one connection.
pub(crate) trait Attacker: Send {
    fn on_part(&mut self, part: Part, wires: &mut Wires);
}

/// Makes an attacker for each connection.
pub(crate) type Attack = Arc<dyn Fn() -> Box<dyn Attacker> + Send + Sync>;

/// Passes everything on.
pub(crate) struct Honest;

impl Attacker for Honest {
    fn on_part(&mut self, part: Part, wires: &mut Wires) {
        wires.pass(part);
    }
}

/// Nobody attacks.
pub(crate) fn honest() -> Attack {
    Arc::new(|| Box::new(Honest))
}

/// The two connections that look like one.
pub(crate) struct Wires {
    dialler: TcpStream,
    listener: TcpStream,
    is_reset: bool,
}

impl Wires {
    /// Passes a part on as it is.
    pub(crate) fn pass(&mut self, part: Part) {
        match part.kind {
            Kind::End => self.end(part.way),
            Kind::Reset => self.reset(),
            _ => self.send(part.way, &part.bytes),
        }
    }

    /// Sends bytes on this way. Whoever is gone does not get them.
    pub(crate) fn send(&mut self, way: Way, bytes: &[u8]) {
        if !self.is_reset {
            let _ = self.stream(way).write_all(bytes);
        }
    }

    /// Nothing more comes on this way.
    pub(crate) fn end(&mut self, way: Way) {
        if !self.is_reset {
            let _ = self.stream(way).shutdown(Shutdown::Write);
        }
    }

    /// Both sides see an orderly end.
    pub(crate) fn cut(&mut self) {
        WAYS.into_iter().for_each(|way| self.end(way));
    }

    /// Both sides see a reset: it is sent when nobody here holds the connection any more, so the readers have to end.
    pub(crate) fn reset(&mut self) {
        self.is_reset = true;
        for stream in [&self.dialler, &self.listener] {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
            let _ = stream.shutdown(Shutdown::Read);
        }
    }

    fn stream(&mut self, way: Way) -> &mut TcpStream {
        match way {
            Way::Out => &mut self.listener,
            Way::Back => &mut self.dialler,
        }
    }
}

/// Somebody on the way to one address.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    attack: Mutex<Attack>,
    /// What the sides wrote, before anybody changed it: a list for each connection, by its number.
    record: Mutex<BTreeMap<usize, Vec<Part>>>,
    /// So many connections are not over.
    open: Mutex<usize>,
    has_closed: Condvar,
    is_over: AtomicBool,
}

impl Proxy {
    /// On the way to a program that will listen behind it, at the same port.
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            attack: Mutex::new(honest()),
            record: Mutex::default(),
            open: Mutex::new(0),
            has_closed: Condvar::new(),
            is_over: AtomicBool::new(false),
        });
        let its = shared.clone();
        thread::spawn(move || its.accept(&listener, SocketAddr::from((BEHIND, address.port()))));
        Self { address, shared }
    }

    /// The address that the program behind it claims.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the next connection on, this is done.
    pub(crate) fn attack_with(&self, attack: Attack) {
        *self.shared.attack.lock().expect("no panic") = attack;
    }

    /// What was written since it was last asked.
    pub(crate) fn take_record(&self) -> Vec<Vec<Part>> {
        std::mem::take(&mut *self.shared.record.lock().expect("no panic")).into_values().collect()
    }

    /// Waits until all connections are over.
    #[track_caller]
    pub(crate) fn await_end(&self) {
        let open = self.shared.open.lock().expect("no panic");
        let outcome = self.shared.has_closed.wait_timeout_while(open, PATIENCE, |open| *open > 0);
        let (open, _) = outcome.expect("no panic");
        assert_eq!(*open, 0, "connections through {}", self.address);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // So it looks.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener, behind: SocketAddr) {
        for number in 0.. {
            let Ok((dialler, _)) = listener.accept() else { return };
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            // The dialler sees a connection that is given up at once.
            let Ok(listener) = TcpStream::connect(behind) else { continue };
            *self.open.lock().expect("no panic") += 1;
            let attacker = (self.attack.lock().expect("no panic"))();
            let shared = self.clone();
            thread::spawn(move || {
                shared.carry(number, attacker, Wires { dialler, listener, is_reset: false });
                *shared.open.lock().expect("no panic") -= 1;
                shared.has_closed.notify_all();
            });
        }
    }

    /// Until both sides have nothing more to say.
    fn carry(&self, number: usize, mut attacker: Box<dyn Attacker>, mut wires: Wires) {
        let (sender, receiver) = channel();
        for (way, stream) in [(Way::Out, &wires.dialler), (Way::Back, &wires.listener)] {
            let (stream, sender) = (stream.try_clone().expect("a descriptor"), sender.clone());
            thread::spawn(move || read_all(stream, way, &sender));
        }
        drop(sender);
        let mut cutter = Cutter::default();
        for (way, given) in receiver {
            for part in cutter.cut(way, given) {
                self.record.lock().expect("no panic").entry(number).or_default().push(part.clone());
                attacker.on_part(part, &mut wires);
            }
        }
    }
}

/// What one read gave.
enum Given {
    Bytes(Vec<u8>),
    End,
    Reset,
}

fn read_all(mut stream: TcpStream, way: Way, sender: &Sender<(Way, Given)>) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let given = match stream.read(&mut bytes) {
            Ok(0) => Given::End,
            Ok(count) => Given::Bytes(bytes[..count].to_vec()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => Given::Reset,
        };
        let is_last = !matches!(given, Given::Bytes(_));
        if sender.send((way, given)).is_err() || is_last {
            return;
        }
    }
}

/// Cuts what both sides of one connection write into parts.
#[derive(Default)]
pub(crate) struct Cutter {
    /// Of each way.
    stages: [Stage; 2],
    /// What is no whole part yet, of each way.
    rest: [Vec<u8>; 2],
}

/// How the bytes of one way are to be cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing is known but what was written.
    #[default]
    Clear,
    /// An offer was made, and this way may take it with its next line, or prove itself with it.
    MayProve,
    Frames,
}

impl Cutter {
    fn cut(&mut self, way: Way, given: Given) -> Vec<Part> {
        match given {
            Given::Bytes(bytes) => self.cut_bytes(way, &bytes),
            Given::End => self.cut_end(way, Kind::End),
            Given::Reset => self.cut_end(way, Kind::Reset),
        }
    }

    /// The parts that these bytes complete.
    pub(crate) fn cut_bytes(&mut self, way: Way, bytes: &[u8]) -> Vec<Part> {
        self.rest[way as usize].extend(bytes);
        let mut parts = Vec::new();
        while let Some(part) = self.next(way) {
            parts.push(part);
        }
        parts
    }

    /// What was left, and the end of it.
    fn cut_end(&mut self, way: Way, kind: Kind) -> Vec<Part> {
        let bytes = std::mem::take(&mut self.rest[way as usize]);
        let rest = (!bytes.is_empty()).then_some(Part { way, kind: Kind::Clear, bytes });
        rest.into_iter().chain([Part { way, kind, bytes: Vec::new() }]).collect()
    }

    fn next(&mut self, way: Way) -> Option<Part> {
        let rest = &self.rest[way as usize];
        let (kind, length) = match self.stages[way as usize] {
            _ if rest.is_empty() => return None,
            Stage::Frames => {
                let length = rest.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length)))?;
                (Kind::Frame, LENGTH_BYTES + length)
            }
            Stage::MayProve if !is_part_of_proof(rest) => (Kind::Clear, rest.len()),
            Stage::MayProve => (Kind::Proof, line_length(rest)?),
            Stage::Clear => match line_length(rest).filter(|_| way == Way::Back) {
                Some(length) if offer_of(&rest[..length - 1]).is_some() => (Kind::Offer, length),
                // An attacker may have made an offer that the other side did not make.
                _ if way == Way::Out && rest.starts_with(PROOF) => (Kind::Proof, line_length(rest)?),
                _ => (Kind::Clear, rest.len()),
            },
        };
        if rest.len() < length {
            return None;
        }
        let rest = &mut self.rest[way as usize];
        let bytes = rest.drain(..length).collect();
        self.go_on(way, kind);
        Some(Part { way, kind, bytes })
    }

    /// What such a part changes for the next ones.
    fn go_on(&mut self, way: Way, kind: Kind) {
        match kind {
            Kind::Offer => self.stages = [Stage::MayProve; 2],
            Kind::Proof => self.stages[way as usize] = Stage::Frames,
            Kind::Clear => self.stages[way as usize] = Stage::Clear,
            Kind::Frame | Kind::End | Kind::Reset => {}
        }
    }
}

/// The beginning of a line of the handshake.
const PROOF: &[u8] = b"!noise ";

fn line_length(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes).map(|at| at + 1)
}

/// Whether it begins as a line of the handshake does, as far as it goes.
fn is_part_of_proof(bytes: &[u8]) -> bool {
    let length = bytes.len().min(PROOF.len());
    bytes[..length] == PROOF[..length]
}

/// All that was written on these connections, as one text: bytes that are no text stand in it as they are.
pub(crate) fn written(record: &[Vec<Part>], way: Way) -> Vec<u8> {
    let parts = record.iter().flatten().filter(|part| part.way == way);
    parts.flat_map(|part| part.bytes.iter().copied()).collect()
}

/// Whether these bytes have this text in them.
pub(crate) fn has(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}
