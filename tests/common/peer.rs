//! Peers that follow a script, byte for byte, with plain blocking sockets.

use super::PATIENCE;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use socket2::SockRef;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A peer that listens.
pub(crate) struct Peer(TcpListener);

impl Peer {
    /// On a port that no other peer of this process had: for the program under test, the same address is the same peer.
    pub(crate) fn new() -> Self {
        static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
        let mut passed = Vec::new();
        loop {
            let peer = Self::at((Ipv4Addr::LOCALHOST, 0).into());
            if TAKEN.lock().expect("no test panics here").insert(peer.port()) {
                return peer;
            }
            // While it is held, the kernel chooses another one.
            passed.push(peer);
        }
    }

    pub(crate) fn at(address: SocketAddr) -> Self {
        Self(TcpListener::bind(address).expect("a free address"))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("a listener has an address")
    }

    pub(crate) fn port(&self) -> u16 {
        self.address().port()
    }

    /// The next connection that is made to it.
    #[track_caller]
    pub(crate) fn accept(&self) -> Wire {
        let patience = Timespec::try_from(PATIENCE).expect("a short time");
        let ready = retry_on_intr(|| poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&patience)));
        assert!(ready.expect("a listener can be polled") > 0, "nobody dialled {}", self.address());
        Wire::new(self.0.accept().expect("a connection").0)
    }

    /// Whether there is a connection that was not accepted yet.
    pub(crate) fn is_dialled(&self) -> bool {
        let at_once = Timespec::default();
        let ready = retry_on_intr(|| poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&at_once)));
        ready.expect("a listener can be polled") > 0
    }

    /// The next plain message to it: all bytes of one connection, up to the half-close.
    #[track_caller]
    pub(crate) fn take(&self) -> String {
        self.accept().read_to_end()
    }

    /// Accepts plain messages while the test does something else.
    pub(crate) fn take_all(self) -> Messages {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            while let Ok((stream, _)) = self.0.accept() {
                if sender.send(Wire::new(stream).read_to_end()).is_err() {
                    return;
                }
            }
        });
        Messages(receiver)
    }
}

/// The messages that such a peer got.
pub(crate) struct Messages(Receiver<String>);

impl Messages {
    /// Waits for the next `count` messages.
    #[track_caller]
    pub(crate) fn next(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.0.recv_timeout(PATIENCE).expect("a message in time")).collect()
    }
}

/// One connection of a scripted peer.
pub(crate) struct Wire(pub(crate) TcpStream);

impl Wire {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a connected socket");
        Self(stream)
    }

    #[track_caller]
    pub(crate) fn dial(to: SocketAddr) -> Self {
        Self::new(TcpStream::connect(to).expect("somebody listens"))
    }

    /// The address of our end, as the program sees it.
    pub(crate) fn local(&self) -> SocketAddr {
        self.0.local_addr().expect("a connected socket")
    }

    #[track_caller]
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).expect("the program reads");
    }

    /// The result of one `recv(1024)`: most published peers read only that.
    #[track_caller]
    pub(crate) fn read_once(&mut self) -> String {
        let mut bytes = vec![0; 1024];
        let count = self.read(&mut bytes).expect("something in time");
        bytes.truncate(count);
        String::from_utf8(bytes).expect("UTF-8, no character cut")
    }

    /// Everything up to the half-close.
    #[track_caller]
    pub(crate) fn read_to_end(&mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).expect("all in time, in UTF-8");
        text
    }

    /// One line, with its newline.
    #[track_caller]
    pub(crate) fn read_line(&mut self) -> String {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            assert_eq!(self.read(&mut byte).expect("a line in time"), 1, "closed after {line:?}");
            line.extend(byte);
        }
        String::from_utf8(line).expect("UTF-8")
    }

    /// A child that ends can interrupt a read with a time limit.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }

    /// Waits until the program gives the connection up, in any way.
    #[track_caller]
    pub(crate) fn expect_closed(&mut self) {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => assert_eq!(bytes, b"", "nothing but the end"),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("it is not closed: {error}"),
        }
    }

    /// Asks for a pong, which a session sends after everything that was said before.
    #[track_caller]
    pub(crate) fn ping(&mut self, number: u32) {
        self.write(format!("!ping {number}\n"));
        assert_eq!(self.read_line(), format!("!pong {number}\n"));
    }

    pub(crate) fn half_close(&self) {
        self.0.shutdown(Shutdown::Write).expect("a connected socket");
    }

    /// Resets the connection.
    pub(crate) fn reset(self) {
        SockRef::from(&self.0).set_linger(Some(Duration::ZERO)).expect("a connected socket");
    }
}

/// Sends one plain message to `to` as most published peers do: connect, one write, close. Returns the address that it
/// came from.
#[track_caller]
pub(crate) fn say(to: SocketAddr, message: impl AsRef<[u8]>) -> SocketAddr {
    let mut wire = Wire::dial(to);
    wire.write(message);
    wire.local()
}

/// Opens a session with the program at `to`, as a peer that listens on `from`.
#[track_caller]
pub(crate) fn session(to: SocketAddr, from: SocketAddr, name: &str) -> Wire {
    let mut wire = Wire::dial(to);
    wire.write(format!("{from} {name} connect\n"));
    let answer = wire.read_line();
    assert!(answer.ends_with(" connected chinwag/1\n"), "{answer}");
    wire
}
